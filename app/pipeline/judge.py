"""One brand judged: its counts and what is known of it go in, a verdict a cause comes out.

    memory, volume | detect | who may count? | detect again                  > the brand's verdict
                   | a crisis runs: what is it about, and what is the rest?  > the verdicts of two crises
                   | silence, grave terms, one text on many sites            > their verdicts

Nothing is written and no clock is read here, so a replay of what was known at the time says the same again. What costs
a look at texts is asked for only where the counts give reason.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from alerts.causes import Cause, apart, is_about, second, subject
from alerts.detect.grave import Grave, judge_grave
from alerts.detect.policy import Dial
from alerts.detect.silence import silence
from alerts.detect.spread import judge_spread
from alerts.detect.untold import UNTOLD, as_usual, is_unusual, outweighs
from alerts.detect.untold import told as with_unknown
from alerts.detect.verdict import detect
from alerts.detect.voices import Excluded, Said, Why, excess, forgotten, without
from alerts.incident import MAIN, Incident, is_calm, is_crisis
from alerts.spike import ALARMS, BINS_PER_DAY, Spike, Volume, from_mapping
from app.pipeline.facts import DAY, Facts
from app.storage.proof import GraveRow, Told

BEGINS = timedelta(minutes=10)  # what a crisis is about is read from what was said until so long after its opening
CALM = timedelta(hours=1)
DROWNED = 1e-3  # a count as rare as this by itself may be an alarm that somebody drowns in harmless talk
REST = 4  # stories that are about something else, at least, before a second crisis is looked for

GRAVE, SPREAD, SILENCE = "grave", "spread", "silence"


@dataclass(frozen=True, slots=True)
class Signal:
    """The verdict on one possible cause of an incident, with the stories that did not count.

    `subject` are the terms by which a second crisis is told apart from the main one.
    """

    cause: str
    spike: Spike
    excluded: tuple[Excluded, ...] = ()
    subject: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ruling:
    """`signals` begin with the brand's own verdict (cause `negative`). `memory` is to be kept."""

    memory: bytes
    signals: tuple[Signal, ...]

    @property
    def main(self) -> Signal:
        return self.signals[0]


def judge(
    memory: bytes | None,
    volume: Volume,
    facts: Facts,
    incidents: Sequence[Incident],
    dial: Dial,
    now: datetime,
    *,
    excluded: Sequence[Excluded] | None = None,
) -> Ruling:
    """Judge the bins of `volume` that closed since the last time.

    `incidents` are the brand's that are not over, and those that ended within a day. `excluded`: which stories did not
    count is known already (a replay).
    """
    bench = _Bench(memory, volume, facts, incidents, dial, now)
    main = bench.still(bench.counted() if excluded is None else bench.without(MAIN, excluded))
    if facts.brand.competitor:
        return Ruling(bench.memory, (main,))
    return Ruling(bench.memory, (main, *bench.crises(main), *bench.silence(), *bench.grave(main), *bench.spread()))


class _Bench:
    """One sitting: the counts as they are, and with some of them left out."""

    def __init__(
        self,
        memory: bytes | None,
        volume: Volume,
        facts: Facts,
        incidents: Sequence[Incident],
        dial: Dial,
        now: datetime,
    ) -> None:
        self._before = memory
        self._volume = volume
        self._facts = facts
        self._incidents = incidents
        self._open = {one.cause: one for one in incidents if one.state != "resolved"}
        self._dial = dial
        self._now = now
        self._zone = ZoneInfo(facts.brand.time_zone)
        found = detect(memory, volume, now, dial, self._zone)
        self.memory = found.memory
        self._plain = self._with_unknown(found.spike, volume)

    def _detected(self, volume: Volume) -> Spike:
        return detect(self._before, volume, self._now, self._dial, self._zone).spike

    def _with_unknown(self, spike: Spike, volume: Volume, cause: str = MAIN) -> Spike:
        """Much of unknown tone is no calm. It may be a surge of the brand; it is no sign of a second crisis."""
        if not outweighs(spike, volume) or not is_unusual(spike, volume, self._facts.usually_unknown):
            return spike
        if cause != MAIN or not spike.usual_share:
            return replace(spike, verdict="not_evaluated", reason="unknown_tones")
        filled = as_usual(volume, self._facts.usually_unknown, spike.usual_share)
        return with_unknown(spike, self._detected(filled.volume), filled, self._dial)

    def without(self, cause: str, excluded: Sequence[Excluded]) -> Signal:
        """The verdict on the counts without some stories."""
        if not excluded:
            return Signal(cause, self._plain)
        left = without(self._volume, excluded)
        spike = self._with_unknown(self._detected(left), left, cause)
        spike = _said_why(self._plain, spike, excluded)
        settled = self._settled(cause)
        if settled is not None and any(one.why == "settled" for one in excluded):
            spike = replace(spike, settled_at=settled)
        return Signal(cause, spike, tuple(excluded))

    def counted(self) -> Signal:
        """The brand's own verdict. Who may count is asked where there is an alarm, or where one may be drowned."""
        chance = self._plain.probability
        drowned = chance is not None and chance < DROWNED and self._plain.observed >= self._plain.minimum
        untold = self._plain.reason in UNTOLD
        if self._plain.verdict not in ALARMS and not drowned and not untold:
            return Signal(MAIN, self._plain)
        settled = self._settled(MAIN)
        said = [told for told in self._facts.said if untold or told.label != "unknown"]
        excluded = [
            Excluded(told.post_id, told.published_at, told.label, "settled")
            for told in said
            if settled is not None and told.fetched_at < settled
        ]
        left = [_said(told) for told in said if settled is None or told.fetched_at >= settled]
        facts = self._facts
        excluded += excess(left, facts.site_shares, facts.new_sources, facts.platforms)
        return self.without(MAIN, [*excluded, *self._about_others(excluded)])

    def still(self, signal: Signal) -> Signal:
        """The verdict on a crisis that runs: what was told of it long ago is no reason for it to go on.

        One that showed within half an hour is over when an hour is calm, and not only when the longest window has
        forgotten it. One that only the longest window saw is left alone.
        """
        if signal.cause not in self._open:
            return signal
        seen = from_mapping(self._open[signal.cause].dossier["spike"])
        span = max(CALM, 2 * (seen.window_end - seen.window_start))
        if span >= DAY:
            return signal
        lately = forgotten(without(self._volume, signal.excluded), self._facts.through - span)
        spike = self._with_unknown(self._detected(lately), lately, signal.cause)
        return replace(signal, spike=spike) if is_calm(spike, self._dial, signal.cause) else signal

    # ── a crisis inside a crisis ─────────────────────────────────────────────

    def crises(self, main: Signal) -> Iterator[Signal]:
        """The verdicts on the crises that run beside the main one, and on one that begins inside it."""
        running = self._running
        others = [cause for name, cause in running.items() if name != MAIN]
        for cause in others:
            yield self.still(self._alone(cause))
        if MAIN not in running or main.spike.verdict not in ALARMS:
            return
        out = {one.post_id for one in main.excluded}
        told = [one for one in self._facts.negatives if one.post_id not in out]
        rest = self._rest(told, running)
        if len(rest) < REST:
            return
        theirs = {one.post_id for one in rest}
        known = [one for one in told if one.post_id not in theirs]
        there = {one.post_id for one in told}
        first = [*known, *(one for one in self._opening if one.post_id not in there)]
        signal = self.without(MAIN, [*main.excluded, *_excluded(known, "other_crisis")])
        if signal.spike.verdict not in ALARMS or signal.spike.reason in UNTOLD:
            return
        found = second(
            [self._facts.tokens(one) for one in rest],
            [self._facts.tokens(one) for one in first],
            self._facts.background,
            self._facts.own_words,
            **self._times(rest, first, running),
        )
        if found is None or found.name in running:
            return
        own = self._alone(found)
        if own.spike.verdict in ALARMS:
            yield own

    def _alone(self, cause: Cause) -> Signal:
        """The verdict on the stories that are about this cause, as if nobody had said the others."""
        others = [told for told in self._facts.negatives if not is_about(self._facts.tokens(told), cause.terms)]
        return replace(self.without(cause.name, _excluded(others, "other_crisis")), subject=cause.terms)

    def _rest(self, told: Sequence[Told], running: Mapping[str, Cause]) -> list[Told]:
        """The stories that no running crisis accounts for."""
        rest = apart(told, self._facts.tokens, [cause for cause in running.values() if cause.terms])
        if running[MAIN].terms:
            return rest
        # Many complaints about many things: what came after the page may still have a subject of its own.
        return [one for one in rest if one.published_at >= self._open[MAIN].opened_at]

    @staticmethod
    def _times(rest: Sequence[Told], first: Sequence[Told], running: Mapping[str, Cause]) -> dict[str, list[datetime]]:
        """When they were told: it says nothing where the rest is the rest because it came late."""
        if not running[MAIN].terms:
            return {}
        return {"rest_at": [one.published_at for one in rest], "known_at": [one.published_at for one in first]}

    @cached_property
    def _running(self) -> Mapping[str, Cause]:
        """What the crises that are not over are about, by cause."""
        return {cause: Cause(cause, self._terms(one)) for cause, one in self._open.items() if is_crisis(cause)}

    def _terms(self, incident: Incident) -> tuple[str, ...]:
        if incident.cause != MAIN:
            return tuple(incident.dossier.get("subject", ()))
        return subject(
            [self._facts.tokens(one) for one in self._opening], self._facts.background, self._facts.own_words
        )

    @cached_property
    def _opening(self) -> list[Told]:
        """What was said when the main crisis began, however long ago."""
        incident = self._open[MAIN]
        began = from_mapping(incident.dossier["spike"]).window_start
        return self._facts.negatives_between(began, min(incident.opened_at + BEGINS, self._facts.through))

    def _about_others(self, already: Sequence[Excluded]) -> list[Excluded]:
        """Negative stories that another crisis accounts for: they are no reason for the main one to go on."""
        running = [cause for name, cause in self._running.items() if name != MAIN]
        if not running:
            return []
        own = self._running.get(MAIN, Cause(MAIN, ()))
        out = {one.post_id for one in already}
        theirs = [
            told
            for told in self._facts.negatives
            if told.post_id not in out
            and any(is_about(self._facts.tokens(told), cause.terms) for cause in running)
            and not is_about(self._facts.tokens(told), own.terms)
        ]
        return _excluded(theirs, "other_crisis")

    # ── beside the counts ────────────────────────────────────────────────────

    def silence(self) -> Iterator[Signal]:
        """Far less is said than usual, although every source answers."""
        if self._plain.reason == "no_bins":
            return
        coverage = self._volume.coverage[-BINS_PER_DAY:]
        unknown = self._volume.unknown[-BINS_PER_DAY:]
        spike = silence(self.memory, self._plain.window_end, coverage, self._dial, self._zone, unknown=unknown)
        if spike.verdict in ALARMS or SILENCE in self._open:
            yield Signal(SILENCE, spike)

    def grave(self, main: Signal) -> Iterator[Signal]:
        """Somebody says something grave, and that is news for this brand."""
        new = self._facts.new_sources
        beside = self._facts.told_beside([row.story_id for row in self._facts.grave if row.source in new])
        rows = [row for row in self._facts.grave if row.source not in new or row.story_id in beside]
        lately = {term for row in rows if row.published_at >= self._facts.through - DAY for term in row.terms}
        open_terms = {cause.removeprefix(f"{GRAVE}:") for cause in self._open if cause.startswith(f"{GRAVE}:")}
        found = [self._grave_signal(term, rows, main) for term in sorted(lately | open_terms)]
        told: set[int] = set()
        # One story with five grave words is one incident: of the one that runs, else of the rarest word.
        for signal in sorted(found, key=lambda one: (one.spike.subject not in open_terms, -one.spike.score, one.cause)):
            mine = {row.post_id for row in rows if signal.spike.subject in row.terms and is_told(row, signal.spike)}
            if signal.spike.subject not in open_terms and mine <= told:
                continue
            if signal.spike.verdict in ALARMS:
                told |= mine
            yield signal

    def _grave_signal(self, term: str, rows: Sequence[GraveRow], main: Signal) -> Signal:
        """What was told by an incident that has ended is no news any more: it counts as said on the day before."""
        cause, through = f"{GRAVE}:{term}", self._facts.through
        settled = self._settled(cause)
        heard = [
            _grave(term, row, row.published_at if settled is None or row.fetched_at >= settled else through - DAY)
            for row in rows
            if term in row.terms
        ]
        days = max(1.0, main.spike.history_h / 24)
        spike = judge_grave(term, heard, through, days, self._dial, told=settled is not None)
        return Signal(
            cause, replace(spike, coverage=main.spike.coverage, window_coverage=self._heard_today, settled_at=settled)
        )

    def spread(self) -> Iterator[Signal]:
        """One text stands on many sites: it counts once, and is told of."""
        running = {int(cause.partition(":")[2]) for cause in self._open if cause.startswith(f"{SPREAD}:")}
        told_before = {one.cause for one in self._incidents}
        for story_id in sorted({*self._facts.spreads(), *running}):
            cause = f"{SPREAD}:{story_id}"
            if story_id not in running and cause in told_before:
                continue  # of one story it is told once
            story = self._facts.story(story_id)
            label = "unknown" if story is None else story.label
            spike = judge_spread(story_id, label, self._facts.copies(story_id), self._facts.through)
            yield Signal(cause, replace(spike, coverage=self._plain.coverage, window_coverage=self._heard_today))

    @property
    def _heard_today(self) -> float:
        """The mean coverage of the last day."""
        return sum(self._volume.coverage[-BINS_PER_DAY:]) / BINS_PER_DAY

    def _settled(self, cause: str) -> datetime | None:
        """When the last incident of this cause ended: what was said before has been told."""
        ends = [one.resolved_at for one in self._incidents if one.cause == cause]
        closed = [end for end in ends if end is not None and end <= self._now]  # a clock that was set back
        return max(closed, default=None)


def is_told(row: GraveRow, spike: Spike) -> bool:
    """It is of the window, and was not settled before."""
    since = spike.settled_at
    return row.published_at >= spike.window_start and (since is None or row.fetched_at >= since)


def _said(told: Told) -> Said:
    return Said(told.post_id, told.published_at, told.label, told.source, told.site, told.author)


def _excluded(told: Sequence[Told], why: Why) -> list[Excluded]:
    return [Excluded(one.post_id, one.published_at, one.label, why) for one in told]


def _grave(term: str, row: GraveRow, at: datetime) -> Grave:
    place = row.site or row.source
    return Grave(term, min(at, row.published_at), row.post_id, f"{row.author or ''}@{place}", row.tier)


def _said_why(plain: Spike, spike: Spike, excluded: Sequence[Excluded]) -> Spike:
    """What was an alarm and is none without these stories says so."""
    if plain.verdict not in ALARMS or spike.verdict != "calm":
        return spike
    whys = {one.why for one in excluded}
    reasons = {"settled": "settled", "other_crisis": "other_crisis", "new_source": "new_source"}
    return replace(spike, reason=next((reason for why, reason in reasons.items() if whys == {why}), "few_voices"))
