"""The walk that tells people which sources are not heard.

    sources that are not heard | what was told of them | grouped  > deliveries, what was told

Each trouble of a source is told once, until it is over. What comes up waits five minutes for others, since a network
that is gone takes many sources with it; then one notice to each channel tells all of it, and for half an hour there is
no other. A notice belongs to no incident, and pages nobody: it goes to the channels that the operator named for it, or
else to those of the source's brands that hear mere notices.

After a start a source is not called silent before it was asked again, or three of its intervals have gone by. So one
notice tells of a time when Avizor itself was away, and of what is still not heard after it.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts import dossier, upkeep
from alerts.audience import audience
from alerts.base import Channel
from alerts.upkeep import Trouble, Upkeep, What
from app.clock import Clock
from app.model import Brand
from app.storage import Storage
from app.storage.records import Conflict, NewDelivery, ToldOf
from collectors.base import Source
from collectors.due import FRESH_AT_LEAST, FRESH_INTERVALS, counts, health, overrun, pace_s

log = logging.getLogger(__name__)

GATHER = timedelta(minutes=5)
QUIET = timedelta(minutes=30)  # between two notices; and how long good news waits for bad ones
AWAY = timedelta(minutes=15)
SETTLED = timedelta(minutes=15)  # after a start: so long the notice waits for sources that were not asked yet

STOPPED, SILENT, OVERRUN = "stopped", "silent", "overrun"
UNHEARD = frozenset({STOPPED, SILENT})
RANK: dict[What, int] = {"stopped": 0, "silent": 1, "never": 1, "quiet": 2, "overrun": 3}


@dataclass(slots=True)
class TendReport:
    """What one walk did, in numbers: notices put into the outbox, sources that they tell of."""

    notices: int = 0
    in_trouble: int = 0
    heard_again: int = 0


@dataclass(frozen=True, slots=True)
class News:
    """What changed of one source since people were last told of it: `began` is new to them, `over` the good news.

    Neither: what is over is of no interest. `found` is what they know of it once they are told.
    """

    source: Source
    found: frozenset[str]
    began: frozenset[str]
    over: bool

    @property
    def loud(self) -> bool:
        return bool(self.began) or self.over


# ── what there is to tell ────────────────────────────────────────────────────


def troubles(source: Source, now: datetime, started: datetime | None) -> frozenset[str]:
    """What is wrong with a source. `started`: since when this service runs; None: judge it whatever it was asked."""
    if not counts(source):
        return frozenset()
    lossy = {OVERRUN} if overrun(source, now) else set()
    if source.state == "disabled":
        return frozenset({STOPPED, *lossy})
    if health(source, now) == "silent" and not _is_held(source, now, started):
        return frozenset({SILENT, *lossy})
    return frozenset(lossy)


def _is_held(source: Source, now: datetime, started: datetime | None) -> bool:
    if started is None or any(at is not None and at >= started for at in (source.last_ok_at, source.last_error_at)):
        return False
    return now - started <= max(FRESH_INTERVALS * timedelta(seconds=pace_s(source)), FRESH_AT_LEAST)


def news_of(source: Source, now: datetime, started: datetime | None) -> News | None:
    """What is to be told of a source; None: nothing that is not known.

    A source that people know to be unheard is heard again with its next good visit, and not merely since somebody gave
    it another chance, or asked for patience.
    """
    told = frozenset(source.told)
    found = troubles(source, now, started)
    known = told & UNHEARD
    if known and counts(source):
        if not found & UNHEARD and (_is_held(source, now, started) or not _answered(source)):
            found |= known
        elif STOPPED in known and SILENT in found:
            found = found - {SILENT} | {STOPPED}
    if found == told:
        return None
    return News(source, found, found - told, bool(known) and counts(source) and not found & UNHEARD)


def _answered(source: Source) -> bool:
    """It gave a good answer since people were last told of it."""
    return source.last_ok_at is not None and (source.told_at is None or source.last_ok_at >= source.told_at)


def trouble(kind: str, source: Source, now: datetime) -> Trouble:
    """One trouble of a source in plain values."""
    error = source.last_error or "" if source.fail_count else ""
    added = source.created_at or now
    if kind == OVERRUN:
        return Trouble(source.name, "overrun", source.overrun_at or now)
    if kind == STOPPED:
        return Trouble(source.name, "stopped", source.last_error_at or added, error)
    if source.last_ok_at is None:
        return Trouble(source.name, "never", added, error)
    # Without what is known of its pace, it is silent only for want of an answer.
    if health(replace(source, cadence_s=None), now) == "silent":
        return Trouble(source.name, "silent", source.last_ok_at, error)
    usual = timedelta(seconds=source.cadence_s or 0)
    return Trouble(source.name, "quiet", source.last_item_at or added, usual=usual)


# ── whom it concerns ─────────────────────────────────────────────────────────


def hearers(
    source: Source, channels: Iterable[Channel], brands: Iterable[Brand], named: Collection[str]
) -> list[Channel]:
    """The channels that are told of a source: those that the operator named for it, if one of them is there and on;
    else those that hear of one of its brands, and of mere notices.
    """
    on = [channel for channel in channels if channel.enabled]
    if own := [channel for channel in on if channel.slug in named]:
        return own
    fed = [brand for brand in brands if not source.brands or brand.slug in source.brands]
    slugs = {channel.slug for brand in fed for channel in audience(on, brand.channels)}
    return [channel for channel in on if channel.slug in slugs and channel.min_severity == "notice"]


# ── the walk ─────────────────────────────────────────────────────────────────


class Tend:
    """The walk, and what it remembers: since when it runs, and what waits to be told. Call it from a worker thread."""

    def __init__(
        self,
        *,
        storage: Storage,
        clock: Clock,
        public_url: str = "",
        time_zone: str = "UTC",
        source_channels: Collection[str] = (),
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._public_url = public_url
        self._time_zone = time_zone
        self._named = tuple(source_channels)
        self._started: datetime | None = None
        self._away: tuple[datetime, datetime] | None = None  # until it is told
        self._waiting: dict[str, datetime] = {}  # source slug -> since when there is something to tell of it
        self._last: datetime | None = None

    def run(self, *, at_once: bool = False) -> TendReport:
        """Tell what is to be told. `at_once`: by hand, so nothing waits for others, nor for a first visit."""
        now = self._clock()
        sources = self._storage.sources.all()
        channels = self._storage.channels.all()
        if self._started is None:
            self._begin(sources, channels, now)
        self._started = min(self._started or now, now)  # the clock may be set back
        found = [news for source in sources if (news := news_of(source, now, None if at_once else self._started))]
        brands = self._storage.brands.all()
        heard_by = {
            news.source.slug: hearers(news.source, channels, brands, self._named) for news in found if news.loud
        }
        telling = [news for news in found if heard_by.get(news.source.slug)]
        self._waiting = {n.source.slug: min(self._waiting.get(n.source.slug, now), now) for n in telling}
        # What nobody is interested in, or nobody is there to hear the end of.
        marks = [_mark(n, n.source.told_at) for n in found if not n.began and not heard_by.get(n.source.slug)]
        report = TendReport()
        new: list[NewDelivery] = []
        if self._is_time(telling, sources, now, at_once):
            known = [s for s in sources if UNHEARD & set(s.told) and counts(s) and s.slug not in heard_by]
            still = [hearers(source, channels, brands, self._named) for source in known]
            for channel in self._listening(sources, channels, brands):
                mine = [news for news in telling if channel in heard_by[news.source.slug]]
                if mine or self._away:
                    new.append(self._notice(channel, mine, sum(channel in those for those in still), now))
            marks += [_mark(news, now) for news in telling]
            report = TendReport(len(new), sum(bool(n.began) for n in telling), sum(n.over for n in telling))
        if not (marks or new):
            return report
        try:
            self._storage.deliveries.tell_of_sources(marks, new, now)
        except Conflict as conflict:
            log.warning("%s; it is looked at again at the next tick", conflict)
            return TendReport()
        if new:
            self._last, self._away = now, None
            log.warning(
                "told %d channels of sources: %d in trouble, %d heard again",
                *(report.notices, report.in_trouble, report.heard_again),
            )
        return report

    def _begin(self, sources: Sequence[Source], channels: Sequence[Channel], now: datetime) -> None:
        """The first look after a start: was there a sign of life in the last quarter of an hour?"""
        self._started = now
        signs = [at for source in sources for at in (source.last_ok_at, source.last_error_at) if at]
        if judged := self._storage.watches.last():
            signs.append(judged)
        if signs and now - max(signs) > AWAY:
            self._away = max(signs), now
        for slug in sorted(set(self._named) - {channel.slug for channel in channels}):
            log.warning("source_channels: there is no channel %s: it is told of no source", slug)

    def _is_time(self, telling: Sequence[News], sources: Sequence[Source], now: datetime, at_once: bool) -> bool:
        last = max((at for at in (self._last, *(source.told_at for source in sources)) if at), default=None)
        if last is not None and timedelta() <= now - last < QUIET:
            return False
        if at_once:
            return bool(telling or self._away)
        if self._away:
            asking = any(not s.told and _is_held(s, now, self._started) and health(s, now) == "silent" for s in sources)
            return now - self._away[1] >= (SETTLED if asking else GATHER)
        waits = [(now - self._waiting[news.source.slug], GATHER if news.began else QUIET) for news in telling]
        return any(waited >= needed for waited, needed in waits)

    def _listening(
        self, sources: Sequence[Source], channels: Sequence[Channel], brands: Sequence[Brand]
    ) -> list[Channel]:
        """The channels that are told of any source at all."""
        fed = {source.brands: source for source in sources if counts(source)}
        slugs = {c.slug for source in fed.values() for c in hearers(source, channels, brands, self._named)}
        return [channel for channel in channels if channel.slug in slugs]

    def _notice(self, channel: Channel, news: Sequence[News], still: int, now: datetime) -> NewDelivery:
        began = [trouble(kind, one.source, now) for one in news for kind in sorted(one.began)]
        alert = upkeep.notice(
            Upkeep(
                troubles=sorted(began, key=lambda one: (RANK[one.what], one.since, one.source)),
                heard_again=sorted(one.source.name for one in news if one.over),
                still=still,
                away=self._away,
            ),
            channel,
            key=f"sources.{int(now.timestamp()) // 60}.{channel.slug}",
            time_zone=self._time_zone,
            url=f"{self._public_url.rstrip('/')}/#sources" if self._public_url else None,
            now=now,
        )
        return NewDelivery(key=alert.key, channel_id=channel.id, action="system", alert=dossier.to_json(alert))


def _mark(news: News, at: datetime | None) -> ToldOf:
    return ToldOf(news.source.id, news.source.told, tuple(sorted(news.found)), at)
