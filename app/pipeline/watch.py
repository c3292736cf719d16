"""The walk from volumes to an incident's change.

    volumes + coverage | judge | advance | dossier  > verdict, memory, journal, incidents, events, deliveries

A brand is judged when a bin has closed, or when late posts changed the bins that it was judged by. `judge` and
`advance` decide; this walk reads for them, and writes down what they said, all of it in one transaction.
"""

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from alerts import dossier as proof
from alerts import incident as states
from alerts.audience import audience, wanted
from alerts.base import Channel, Dossier
from alerts.detect.untold import LATELY, UNTOLD
from alerts.detect.verdict import REACH, heard, needed_since
from alerts.incident import Change, Incident
from alerts.spike import BIN_S, BINS_PER_DAY, Volume, to_mapping
from app.clock import Clock
from app.model import Brand, Policy
from app.pipeline.facts import DAY, Facts
from app.pipeline.judge import Ruling, Signal, judge
from app.pipeline.prove import prove
from app.pipeline.volumes import BIN, coverage_since, volume_of
from app.storage import Storage
from app.storage.records import Conflict, CoverageRow, IncidentSave, Judged, NewDelivery, Sighting, Verdict
from app.storage.records import Watch as Watched
from app.storage.watches import closed_through
from collectors.base import Source

log = logging.getLogger(__name__)

HandAction = Literal["acknowledge", "resolve"]
UNRESOLVED = 1_000  # incidents that are looked through for brands nobody watches
MOST_LISTED = 2_000  # stories that did not count, in one line of the journal
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

    def __init__(self, *, storage: Storage, clock: Clock, public_url: str) -> None:
        self._storage = storage
        self._clock = clock
        self._public_url = public_url

    def run(self) -> WatchReport:
        """Judge every brand that is due."""
        report = WatchReport()
        now = self._clock()
        due = self._storage.watches.due(now)
        sources = self._storage.sources.all() if due else []
        policy = self._storage.policies.current()
        for watch in due:
            try:
                changes = self._judge(watch, sources, policy, now)
            except Conflict as conflict:
                log.warning("brand %s: %s; it is judged again at the next tick", watch.brand.slug, conflict)
                continue
            except Exception:
                # One brand's bug must not silence the others; its last verdict stays, and shows its age.
                log.exception("brand %s could not be judged", watch.brand.slug)
                report.failed += 1
                continue
            report.judged += 1
            for event in [change.event for change in changes if change.event]:
                report.opened += event.kind == "opened"
                report.escalated += event.kind == "escalated"
                report.resolved += event.kind == "resolved"
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
                self._save(brand, [change], None, now)
            except Conflict:
                continue
            return change.incident
        raise Conflict(f"incident {incident_id} keeps changing: try again")

    # ── judging ──────────────────────────────────────────────────────────────

    def _judge(self, watch: Watched, sources: Sequence[Source], policy: Policy, now: datetime) -> list[Change]:
        brand = watch.brand
        through = closed_through(now)
        start = needed_since(watch.memory, through)
        unwatched = coverage_since(brand, sources, watch.evaluated_through, start, through, now)
        covered = [*self._storage.volumes.coverage(brand.id, start, through), *unwatched]
        known = self._storage.proof.newest_id()  # before the counts: what comes in between is counted, not looked at
        rows = self._storage.volumes.series(brand.id, start, through, BIN_S)
        volume = volume_of(start, through, rows, covered)
        seen = sightings(watch.memory, volume, through)
        if watch.evaluated_through == through and watch.memory and not seen:
            self._storage.watches.unchanged(brand.id, watch.revision)  # what came in belongs to a bin that is open yet
            return []
        spreads = sum(row.copies for row in rows if row.bin >= through - DAY)
        facts = Facts(self._storage, brand, sources, through, known, copies=spreads)
        incidents = self._storage.incidents.since(brand.id, now - DAY)
        ruling = judge(watch.memory, volume, facts, incidents, policy.dial, now)
        if ruling.main.spike.reason in UNTOLD or any(one.label == "unknown" for one in ruling.main.excluded):
            seen += untold(volume, seen)
        changes = [] if brand.competitor else self._changes(brand, facts, ruling, incidents, policy, now)
        told = any(change.event for change in changes)
        judged = judged_by(watch, ruling, volume, unwatched, through, known, now, seen, told=told)
        if changes:
            self._save(brand, changes, judged, now)
        else:
            self._storage.watches.save(judged, now)
        return changes

    def _changes(
        self, brand: Brand, facts: Facts, ruling: Ruling, incidents: Sequence[Incident], policy: Policy, now: datetime
    ) -> list[Change]:
        changes = []
        for signal in ruling.signals:
            change = turn(brand, signal, incidents, policy, now, secrets.token_hex(8))
            if change is None:
                continue
            if change.event and change.event.kind in ("opened", "escalated"):
                change = proof.attach(change, prove(self._storage, facts, signal, policy, now))
            changes.append(change)
        return changes

    def _close_unwatched(self, now: datetime) -> int:
        """End the incidents of brands that nobody watches any more: their end would never be seen."""
        unresolved = self._storage.incidents.page(None, ["open", "acknowledged", "resolving"], None, UNRESOLVED)
        watched = {brand.id for brand in self._storage.brands.all() if not brand.competitor} if unresolved else set()
        closed = 0
        for incident in unresolved:
            brand = None if incident.brand_id in watched else self._storage.brands.by_id(incident.brand_id)
            if brand is None:
                continue
            change = states.resolve(incident, states.MACHINE, UNWATCHED.get(brand.language, UNWATCHED["en"]), now)
            try:
                self._save(brand, [change], None, now)
            except Conflict:
                continue
            closed += 1
        return closed

    def _save(self, brand: Brand, changes: Sequence[Change], judged: Judged | None, now: datetime) -> None:
        """The changes, their deliveries and the verdict behind them, in one transaction."""
        saves = [IncidentSave(change, self._deliveries(brand, change)) for change in changes]
        self._storage.incidents.save(replace(saves[0], judged=judged, also=saves[1:]), now)
        for save in saves:
            event = save.change.event
            if event is None:
                continue
            told = save.change.incident
            log.info("incident %s of %s (%s): %s: %s", told.id, brand.slug, told.cause, event.kind, event.reason)
            if event.kind == "opened" and not save.deliveries and told.severity != "notice":
                log.error("incident %s of %s: nobody is told, no channel listens for it", told.id, brand.slug)

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


# ── what is written down ─────────────────────────────────────────────────────


def turn(
    brand: Brand, signal: Signal, incidents: Sequence[Incident], policy: Policy, now: datetime, new_id: str
) -> Change | None:
    """What a verdict changes for the incident of its cause: the unresolved one, else the last one that began."""
    mine = [one for one in incidents if one.cause == signal.cause]
    unresolved = [one for one in mine if one.state != "resolved"]
    latest = next(iter(unresolved or reversed(mine)), None)
    return states.advance(
        brand.id, latest, signal.spike, now, policy.dial, new_id, cause=signal.cause, policy_id=policy.id
    )


def judged_by(
    watch: Watched,
    ruling: Ruling,
    volume: Volume,
    coverage: Sequence[CoverageRow],
    through: datetime,
    known: int,
    now: datetime,
    seen: Sequence[Sighting],
    *,
    told: bool,
) -> Judged:
    """The verdict as it is kept, with the bins that were `seen` as they had not been shown before.

    `told`: an incident opened, grew worse or ended by it.
    """
    main = ruling.main
    new_bin = watch.evaluated_through is None or through > watch.evaluated_through
    before = watch.spike or {}
    other = (main.spike.verdict, main.spike.reason) != (before.get("verdict"), before.get("reason"))
    verdict = Verdict(
        at=now,
        through=through,
        known=known,
        verdict=main.spike.verdict,
        reason=main.spike.reason,
        score=main.spike.score,
        # A replay asks again where there were too many to list.
        excluded=main.excluded if len(main.excluded) <= MOST_LISTED else (),
        sightings=seen,
    )
    taught = volume.start <= through - REACH  # anew: nothing was remembered, or nothing of use
    week, last_week = (None if at is None else at.isocalendar()[:2] for at in (through, watch.evaluated_through))
    return Judged(
        brand_id=watch.brand.id,
        evaluated_through=through,
        spike=to_mapping(main.spike),
        coverage=coverage,
        revision=watch.revision,
        memory=ruling.memory,
        verdict=verdict if new_bin or seen or other or told else None,
        keep_memory=watch.memory is None or taught or week != last_week,
    )


def untold(volume: Volume, seen: Sequence[Sighting]) -> list[Sighting]:
    """The bins of the last hour with unknown tones, beside those that were `seen`: tomorrow they may have a tone."""
    known = {one.bin for one in seen}
    size = len(volume.total)
    bins = (
        (volume.start + index * BIN, index) for index in range(max(0, size - LATELY), size) if volume.unknown[index]
    )
    return [
        Sighting(bin, volume.negative[index], volume.total[index], volume.unknown[index])
        for bin, index in bins
        if bin not in known
    ]


def sightings(memory: bytes | None, volume: Volume, through: datetime) -> list[Sighting]:
    """The bins that are others than the memory has heard them: of the volume, or of its last day if it teaches."""
    known = {} if memory is None else heard(memory)
    found = []
    first = int(volume.start.timestamp()) // BIN_S
    teaches = volume.start <= through - REACH
    for index in range(max(0, len(volume.total) - BINS_PER_DAY) if teaches else 0, len(volume.total)):
        counts = volume.negative[index], volume.total[index]
        if counts != known.get(first + index, (0, 0)):
            bin = volume.start + index * BIN
            found.append(Sighting(bin, *counts, volume.unknown[index]))
    return found
