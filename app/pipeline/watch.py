"""The walk from volumes to an incident's change.

    volumes + coverage | detect | advance | dossier  > verdict, incident, event, deliveries

A brand is judged when a bin has closed, or when late posts changed the bins that it was judged by. `detect` and
`advance` decide and are pure; this walk reads for them, and writes down what they said.
"""

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Literal

from alerts import dossier as proof
from alerts import incident as states
from alerts.audience import audience, wanted
from alerts.base import Channel, Dossier, Exhibit
from alerts.incident import Change, Incident
from alerts.spike import BIN_S, Policy, Spike, Volume, detect, to_mapping
from app.clock import Clock
from app.model import Brand, Mention
from app.storage import Storage
from app.storage.records import (
    Conflict,
    CoverageRow,
    IncidentSave,
    Judged,
    NewDelivery,
    VolumeRow,
)
from app.storage.records import Watch as Watched
from app.storage.watches import closed_through
from collectors.base import Source
from collectors.due import fresh

log = logging.getLogger(__name__)

BIN = timedelta(seconds=BIN_S)
WATCHED = 3 * BIN  # a bin that closed longer ago went by unwatched: the service was down
EXHIBITS = 5
HandAction = Literal["acknowledge", "resolve"]
UNRESOLVED = 1_000  # incidents that are looked through for brands nobody watches; there is one a brand at most
TOLD = 1_000  # deliveries of one incident that say who was told
UNWATCHED = {"es": "la marca ya no se vigila", "en": "the brand is not watched any more"}
TRIES = 3  # a person and the walk may change one incident at the same moment


class NoSuchIncident(LookupError):
    """There is no incident with this id."""


@dataclass(slots=True)
class WatchReport:
    """What one walk did, in numbers."""

    judged: int = 0
    failed: int = 0
    opened: int = 0
    escalated: int = 0
    resolved: int = 0


class Watch:
    """The watch walk, and the changes that a person makes to an incident. Synchronous: call it from a worker thread."""

    def __init__(self, *, storage: Storage, clock: Clock, policy: Policy, public_url: str) -> None:
        self._storage = storage
        self._clock = clock
        self._policy = policy
        self._public_url = public_url

    def run(self) -> WatchReport:
        """Judge every brand that is due."""
        report = WatchReport()
        now = self._clock()
        due = self._storage.watches.due(now)
        sources = self._storage.sources.all() if due else []
        for watch in due:
            try:
                change = self._judge(watch, sources, now)
            except Conflict as conflict:
                log.warning("brand %s: %s; it is judged again at the next tick", watch.brand.slug, conflict)
                continue
            except Exception:
                # One brand's bug must not silence the others; its last verdict stays, and shows its age.
                log.exception("brand %s could not be judged", watch.brand.slug)
                report.failed += 1
                continue
            report.judged += 1
            if change and change.event:
                report.opened += change.event.kind == "opened"
                report.escalated += change.event.kind == "escalated"
                report.resolved += change.event.kind == "resolved"
        report.resolved += self._close_unwatched(now)
        return report

    def by_hand(self, incident_id: str, action: HandAction, actor: str, reason: str = "") -> Incident:
        """A person takes or closes an incident. Raises `NoSuchIncident`, `WrongState`, `Conflict`, or `ValueError`."""
        for _ in range(TRIES):
            incident = self._storage.incidents.get(incident_id)
            brand = self._storage.brands.by_id(incident.brand_id) if incident else None
            if incident is None or brand is None:
                raise NoSuchIncident(incident_id)
            now = self._clock()
            if action == "acknowledge":
                change = states.acknowledge(incident, actor, now)
            else:
                change = states.resolve(incident, actor, reason, now)
            try:
                self._save(brand, change, None, now)
            except Conflict:
                continue
            return change.incident
        raise Conflict(f"incident {incident_id} keeps changing: try again")

    # ── judging ──────────────────────────────────────────────────────────────

    def _judge(self, watch: Watched, sources: Sequence[Source], now: datetime) -> Change | None:
        brand = watch.brand
        through = closed_through(now)
        start = through - BIN * ceil(self._policy.reach / BIN)
        unwatched = coverage_since(brand, sources, watch.evaluated_through, start, through, now)
        covered = [*self._storage.volumes.coverage(brand.id, start, through), *unwatched]
        rows = self._storage.volumes.series(brand.id, start, through, BIN_S)
        spike = detect(volume_of(start, through, rows, covered), now, self._policy)
        judged = Judged(brand.id, through, to_mapping(spike), unwatched, watch.revision)
        change = states.advance(brand.id, self._latest(brand), spike, now, self._policy, secrets.token_hex(8))
        if brand.competitor or change is None:
            self._storage.watches.save(judged, now)
            return None
        if change.event and change.event.kind in ("opened", "escalated"):
            change = proof.attach(change, self._dossier(brand, spike))
        self._save(brand, change, judged, now)
        return change

    def _latest(self, brand: Brand) -> Incident | None:
        """The unresolved incident, else the last one that began. (After a clock that was set back they may differ.)"""
        unresolved = self._storage.incidents.current(brand.id)
        return unresolved or next(iter(self._storage.incidents.page([brand.slug], None, None, 1)), None)

    def _close_unwatched(self, now: datetime) -> int:
        """End the incidents of brands that nobody watches any more: their end would never be seen."""
        unresolved = self._storage.incidents.page(None, ["open", "acknowledged"], None, UNRESOLVED)
        watched = {brand.id for brand in self._storage.brands.all() if not brand.competitor} if unresolved else set()
        closed = 0
        for incident in unresolved:
            brand = None if incident.brand_id in watched else self._storage.brands.by_id(incident.brand_id)
            if brand is None:
                continue
            change = states.resolve(incident, states.MACHINE, UNWATCHED.get(brand.language, UNWATCHED["en"]), now)
            try:
                self._save(brand, change, None, now)
            except Conflict:
                continue
            closed += 1
        return closed

    def _dossier(self, brand: Brand, spike: Spike) -> Dossier:
        window = brand.id, spike.window_start, spike.window_end
        top = self._storage.mentions.top_negative(*window, EXHIBITS)
        return proof.build(
            spike, [exhibit(mention, copies) for mention, copies in top], self._storage.mentions.summary(*window)
        )

    def _save(self, brand: Brand, change: Change, judged: Judged | None, now: datetime) -> None:
        """The change, its deliveries and the verdict behind it, in one transaction."""
        deliveries = self._deliveries(brand, change)
        self._storage.incidents.save(IncidentSave(change, deliveries, judged), now)
        event = change.event
        if event is None:
            return
        log.info("incident %s of %s: %s: %s", change.incident.id, brand.slug, event.kind, event.reason)
        if event.kind == "opened" and not deliveries:
            log.error("incident %s of %s: nobody is told, no channel listens for it", change.incident.id, brand.slug)

    def _deliveries(self, brand: Brand, change: Change) -> list[NewDelivery]:
        if change.event is None:
            return []
        proved = proof.dossier_of(change.incident.dossier)
        before = self._storage.deliveries.page(incident_id=change.incident.id, limit=TOLD)
        told = {delivery.channel.id for delivery in before}
        channels = self._storage.channels.all()
        heard = {channel.id for channel in audience(channels, brand.channels)} | told
        found = (
            self._delivery(brand, change, channel, proved, told=channel.id in told)
            for channel in channels
            if channel.id in heard
        )
        return [delivery for delivery in found if delivery]

    def _delivery(
        self, brand: Brand, change: Change, channel: Channel, proved: Dossier, *, told: bool
    ) -> NewDelivery | None:
        action = wanted(channel, change, told=told)
        if action is None:
            return None
        alert = proof.alert_for(
            change,
            action,
            channel=channel.slug,
            brand=brand.slug,
            brand_name=brand.name,
            language=channel.language,
            time_zone=brand.time_zone,
            dossier=proved,
            public_url=self._public_url,
        )
        return NewDelivery(
            key=alert.key,
            channel_id=channel.id,
            action=action,
            alert=proof.to_json(alert),
            incident_id=change.incident.id,
            seq=alert.seq,
        )


# ── what the detector is shown ───────────────────────────────────────────────


def coverage_since(
    brand: Brand,
    sources: Sequence[Source],
    since: datetime | None,
    start: datetime,
    through: datetime,
    now: datetime,
) -> list[CoverageRow]:
    """The coverage of the bins that closed since the last verdict. Where nobody watched, nothing is known: 0."""
    heard = [s for s in sources if s.enabled and (not s.brands or brand.slug in s.brands)]
    alive = sum(fresh(source, now) for source in heard)
    first = through - BIN if since is None else max(since, start)
    bins = [first + i * BIN for i in range((through - first) // BIN)]
    return [CoverageRow(bin, alive if now - bin - BIN <= WATCHED else 0, len(heard)) for bin in bins]


def volume_of(start: datetime, through: datetime, rows: Sequence[VolumeRow], covered: Sequence[CoverageRow]) -> Volume:
    """Rows on the regular grid that `detect` reads. Where no coverage is on record it is 0: nobody knows."""
    size = (through - start) // BIN
    series = {name: [0] * size for name in ("negative", "total", "unknown", "past_negative", "past_total")}
    for row in rows:
        index = (row.bin - start) // BIN
        if row.label == "unknown":
            series["unknown"][index] += row.stories
            continue
        series["total"][index] += row.stories
        series["past_total"][index] += row.stories + row.backfill_stories
        if row.label == "negative":
            series["negative"][index] += row.stories
            series["past_negative"][index] += row.stories + row.backfill_stories
    coverage = [0.0] * size
    for seen in covered:
        coverage[(seen.bin - start) // BIN] = seen.fresh / seen.total if seen.total else 0.0
    return Volume(start=start, coverage=coverage, **series)


def exhibit(mention: Mention, copies: int) -> Exhibit:
    return Exhibit(
        title=mention.title,
        text=mention.text,
        url=mention.url,
        source=mention.source,
        author=mention.author,
        published_at=mention.published_at,
        language=mention.sentiment.language,
        score=mention.score,
        evidence=tuple(word.text for word in mention.sentiment.evidence if word.weight < 0),
        copies=copies,
    )
