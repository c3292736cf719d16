"""What would have fired: the watch walk taken again over its journal, knowing nothing more than it knew then.

    kept memory | verdict by verdict: the bins as they were shown | judge | turn  > changes of simulated incidents

Counts come from the journal, coverage as it was written down, facts about texts up to the newest post of that time. So
nothing that was stored later can be seen. One thing is known better than then: a tone that was heard again or corrected
since is read as it is now where texts are looked at (who said it, what it is about, grave words); the counts are as
they were. What a person did to an incident is done to the simulated one of the same cause, if it is open then.

Time before the journal began is replayed by when things were published, history counted as if it had come live, and
says so (`as_published`). The very first verdict of a brand has no memory before it, and is not replayed.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

from alerts import dossier as proof
from alerts import incident as states
from alerts.detect.verdict import REACH, heard, needed_since
from alerts.detect.voices import Excluded
from alerts.incident import MAIN, Change, Event, Incident
from alerts.spike import BIN_S, BINS_PER_DAY, Spike, Volume
from app.model import Brand, Policy
from app.pipeline.facts import DAY, MONTH, Facts
from app.pipeline.judge import Ruling, Signal, judge
from app.pipeline.prove import prove
from app.pipeline.volumes import BIN, on_grid
from app.pipeline.watch import turn
from app.storage import Storage
from app.storage.proof import MOST, GraveRow
from app.storage.records import Verdict, VolumeRow
from app.storage.watches import GRACE
from collectors.base import Source

_NOTHING = (0, 0, 0)
BACK = 3  # kept memories that are looked back on for one at which no incident ran


@dataclass(frozen=True, slots=True)
class Turned:
    """A change of a simulated incident. `signal` is the verdict behind it, None where a person made it.

    `volume` is what the detector was shown for it. `known` is the id of the newest post that there was, None where time
    is replayed as published.
    """

    at: datetime
    change: Change
    event: Event
    signal: Signal | None
    known: int | None
    volume: Volume | None = field(default=None, repr=False)
    as_published: bool = False

    @property
    def cause(self) -> str:
        return self.change.incident.cause

    @property
    def spike(self) -> Spike | None:
        return None if self.signal is None else self.signal.spike


@dataclass(frozen=True, slots=True)
class Step:
    """One verdict: when it was spoken, up to which bin, the brand's own verdict, and what it changed."""

    at: datetime
    through: datetime
    spike: Spike
    changes: tuple[Turned, ...] = ()
    as_published: bool = False


def replay(
    storage: Storage, brand: Brand, since: datetime, until: datetime, policy: Policy | None = None
) -> Iterator[Turned]:
    """Every change of (since, until], oldest first. `policy` None: whichever was in force, each at its time."""
    for step in steps(storage, brand, since, until, policy):
        yield from step.changes


def steps(
    storage: Storage, brand: Brand, since: datetime, until: datetime, policy: Policy | None = None
) -> Iterator[Step]:
    """Every verdict of (since, until], oldest first. Blocking; reads a day at a time."""
    yield from _Replay(storage, brand, since, until, policy).run()


@dataclass(frozen=True, slots=True)
class _ByHand:
    """What a person did to an incident of this cause."""

    at: datetime
    cause: str
    kind: Literal["acknowledged", "resolved"]
    actor: str
    text: str


class _Replay:
    def __init__(self, storage: Storage, brand: Brand, since: datetime, until: datetime, policy: Policy | None) -> None:
        self._storage = storage
        self._brand = brand
        self._since = since
        self._until = until
        self._ruled = Ruled(storage)
        self._policy = policy
        self._sources = storage.sources.all(include_archived=True)
        self._incidents: list[Incident] = []
        self._opened = 0
        self._by_hand: list[_ByHand] = []

    def run(self) -> Iterator[Step]:
        began = self._storage.journal.began(self._brand.id)
        if began is None or self._since < began:
            self._by_hand = by_hand(self._storage, self._brand, self._since)
            until = self._until if began is None else min(self._until, began)
            yield from self._as_published(self._since, until)
        if began is None or self._until <= began:
            return
        start, memory = self._memory(max(self._since, began))
        if self._since >= began:
            self._by_hand = by_hand(self._storage, self._brand, start)
        for step in self._as_known(start, memory):
            if step.at > self._since:
                yield step

    def _memory(self, since: datetime) -> tuple[datetime, bytes]:
        """Where to begin: at the last kept memory before `since` at which no incident ran, or had just ended."""
        found = self._storage.journal.memory_before(self._brand.id, since)
        if found is None:
            raise LookupError(f"brand {self._brand.slug} has no memory of {since}")
        for _ in range(BACK):
            alive = self._storage.incidents.since(self._brand.id, found[0] - DAY)
            if not any(one.opened_at <= found[0] for one in alive):
                break
            before = self._storage.journal.memory_before(self._brand.id, found[0] - timedelta(milliseconds=1))
            if before is None:
                break
            found = before
        return found

    # ── by the time we knew it ───────────────────────────────────────────────

    def _as_known(self, start: datetime, memory: bytes) -> Iterator[Step]:
        shelf: _Shelf | None = None
        known = heard(memory)
        for verdict in self._storage.journal.verdicts(self._brand.id, start, self._until):
            # A verdict is written with the bins that were others than its memory had heard them.
            shown = known | {number(one.bin): (one.negative, one.total) for one in verdict.sightings}
            first = needed_since(memory, verdict.through)
            if shelf is None or not (shelf.start <= first and verdict.through <= shelf.end):
                shelf = _Shelf(self._storage, self._brand, first, verdict.through + DAY)
                shown = {bin: counts for bin, counts in shown.items() if bin >= number(first)}
            as_published = first == verdict.through - REACH  # no memory of this version: taught anew
            untold = {number(one.bin): one.unknown for one in verdict.sightings}
            volume = shelf.volume(first, verdict.through, verdict.known, shown, untold, taught=as_published)
            facts = _Then(self._storage, self._brand, self._sources, verdict.through, verdict.known, shelf)
            ruling, changes = self._judge(memory, volume, facts, verdict.at, verdict)
            if ruling.memory is not memory:
                # What it was shown is what it has heard, unless it was taught: then what it was taught was kept.
                memory = (as_published and self._storage.journal.memory_at(self._brand.id, verdict.at)) or ruling.memory
                known = heard(memory) if as_published else shown
            yield Step(verdict.at, verdict.through, ruling.main.spike, tuple(changes), as_published)

    # ── by the time it was published ─────────────────────────────────────────

    def _as_published(self, since: datetime, until: datetime) -> Iterator[Step]:
        """A verdict a bin, a minute after it closed. Where no coverage is on record, everything was heard."""
        through = on_grid(since) + BIN
        memory: bytes | None = None
        shelf: _Shelf | None = None
        while through + GRACE <= until:
            first = needed_since(memory, through)
            if shelf is None or not (shelf.start <= first and through <= shelf.end):
                shelf = _Shelf(self._storage, self._brand, first, through + DAY, published=True)
                if memory is None and not shelf.rows:
                    return  # nothing was ever said
            volume = shelf.published_volume(first, through, first_time=memory is None)
            facts = _Then(self._storage, self._brand, self._sources, through, None, shelf)
            at = through + GRACE
            ruling, changes = self._judge(memory, volume, facts, at, None)
            memory = ruling.memory
            yield Step(at, through, ruling.main.spike, tuple(changes), as_published=True)
            through += BIN

    # ── one verdict ──────────────────────────────────────────────────────────

    def _judge(
        self, memory: bytes | None, volume: Volume, facts: Facts, at: datetime, verdict: Verdict | None
    ) -> tuple[Ruling, list[Turned]]:
        turned = list(self._people(at))
        policy = self._policy or self._ruled.at(at)
        incidents = [one for one in self._incidents if one.resolved_at is None or one.resolved_at >= at - DAY]
        excluded = self._excluded(verdict, policy)
        ruling = judge(memory, volume, facts, incidents, policy.dial, at, excluded=excluded)
        self._incidents = incidents
        if self._brand.competitor:
            return ruling, turned
        for signal in ruling.signals:
            change = turn(self._brand, signal, incidents, policy, at, f"bt-{self._opened + 1}")
            if change is None:
                continue
            if change.event and change.event.kind in ("opened", "escalated") and signal.cause.startswith(f"{MAIN}:"):
                # What a second crisis is about is read back from its dossier.
                change = proof.attach(change, prove(self._storage, facts, signal, policy, at))
            self._put(change)
            if change.event is not None:
                known = None if verdict is None else verdict.known
                turned.append(Turned(at, change, change.event, signal, known, volume, as_published=verdict is None))
        return ruling, turned

    def _excluded(self, verdict: Verdict | None, policy: Policy) -> list[Excluded] | None:
        """Who did not count then. Another policy may have asked at another time; so it asks for itself."""
        if verdict is None or not verdict.excluded:
            return None
        if policy.false_warnings_per_month != self._ruled.at(verdict.at).false_warnings_per_month:
            return None
        if any(one.why == "settled" for one in verdict.excluded):
            return None  # where the window then begins follows from who closed the incident before, and when
        return list(verdict.excluded)

    def _people(self, at: datetime) -> Iterator[Turned]:
        """What people did since the last verdict."""
        while self._by_hand and self._by_hand[0].at <= at:
            done = self._by_hand.pop(0)
            mine = [one for one in self._incidents if one.cause == done.cause and one.state != "resolved"]
            for incident in mine:
                if done.kind == "resolved":
                    change = states.resolve(incident, done.actor, done.text, done.at)
                elif incident.owner is None:
                    change = states.acknowledge(incident, done.actor, done.at)
                else:
                    continue
                self._put(change)
                if change.event is not None:
                    yield Turned(done.at, change, change.event, None, None)

    def _put(self, change: Change) -> None:
        others = [one for one in self._incidents if one.id != change.incident.id]
        self._opened += len(others) == len(self._incidents)
        self._incidents = sorted([*others, change.incident], key=lambda one: (one.opened_at, one.id))


def by_hand(storage: Storage, brand: Brand, since: datetime) -> list[_ByHand]:
    """What people did to the brand's incidents since then, oldest first."""
    found = []
    for incident in storage.incidents.since(brand.id, since):
        for event in storage.incidents.events(incident.id):
            code = event.data.get("code")
            if event.at > since and code == "taken":
                found.append(_ByHand(event.at, incident.cause, "acknowledged", event.actor, ""))
            elif event.at > since and code == "closed":
                found.append(_ByHand(event.at, incident.cause, "resolved", event.actor, str(event.data.get("text"))))
    return sorted(found, key=lambda done: done.at)


def number(bin: datetime) -> int:
    """Which bin since 1970 begins then."""
    return int(bin.timestamp()) // BIN_S


class Ruled:
    """Which policy was in force when."""

    def __init__(self, storage: Storage) -> None:
        self._built_in = storage.policies.get(None) or Policy()
        self._lines: list[Policy] = []
        while page := storage.policies.page(self._lines[-1].id if self._lines else None):
            self._lines += page

    def at(self, at: datetime) -> Policy:
        return next((one for one in self._lines if one.at is not None and one.at <= at), self._built_in)


class _Shelf:
    """What the verdicts of about a day are read from, fetched once."""

    def __init__(
        self, storage: Storage, brand: Brand, start: datetime, end: datetime, *, published: bool = False
    ) -> None:
        self.start = start
        self.end = end
        self._storage = storage
        self._brand = brand
        self.rows: Sequence[VolumeRow] = storage.volumes.series(brand.id, start, end, BIN_S)
        covered = storage.volumes.coverage(brand.id, start, end)
        self._coverage = {number(row.bin): row.fresh / row.total if row.total else 0.0 for row in covered}
        self._copies: dict[int, int] = {}
        for row in self.rows:
            self._copies[number(row.bin)] = self._copies.get(number(row.bin), 0) + row.copies
        self._unknown: dict[int, list[int]] = {}
        for post_id, at in () if published else storage.recount.unknown(brand.id, start, end):
            self._unknown.setdefault(number(at), []).append(post_id)
        self.grave: Sequence[GraveRow] | None = storage.proof.grave(brand.id, start - MONTH, end)
        if len(self.grave) >= MOST:
            self.grave = None

    def copies(self, through: datetime) -> int:
        """Of the last day, as many as there are by now: no fewer than there were then."""
        last = number(through)
        return sum(self._copies.get(bin, 0) for bin in range(last - BINS_PER_DAY, last))

    def volume(
        self,
        start: datetime,
        through: datetime,
        known: int,
        shown: Mapping[int, tuple[int, int]],
        untold: Mapping[int, int],
        *,
        taught: bool,
    ) -> Volume:
        """The bins of [start, through) as they were shown. `taught`: older ones too, as far as they were stored.

        `untold`: how many of unknown tone were shown, where that was written down; they may have a tone by now.
        """
        first, last = number(start), number(through)
        unknown = [0] * (last - first)
        for bin, post_ids in self._unknown.items():
            if first <= bin < last:
                unknown[bin - first] = bisect_right(post_ids, known)
        for bin, stories in untold.items():
            if first <= bin < last:
                unknown[bin - first] = stories
        coverage = [self._coverage.get(bin, 0.0) for bin in range(first, last)]
        if not taught:
            counts = [shown.get(bin, (0, 0)) for bin in range(first, last)]
            negative, total = [one[0] for one in counts], [one[1] for one in counts]
            return Volume(start, negative, total, unknown, negative, total, coverage)
        stored = self._storage.journal.taught(self._brand.id, start, through, known)
        told = {number(bin): counts for bin, counts in stored.items()}
        rows = [told.get(bin, (0, 0, 0, 0)) for bin in range(first, last)]
        today = [shown.get(bin, (0, 0)) for bin in range(last - BINS_PER_DAY, last)]
        lately = [(*live, *row[2:]) for live, row in zip(today, rows[-BINS_PER_DAY:], strict=True)]
        series = ([row[place] for row in (*rows[:-BINS_PER_DAY], *lately)] for place in range(4))
        negative, total, past_negative, past_total = series
        return Volume(start, negative, total, unknown, past_negative, past_total, coverage)

    def published_volume(self, start: datetime, through: datetime, *, first_time: bool) -> Volume:
        """The bins of [start, through) by when things were published. `first_time`: all but the last only teach."""
        first, last = number(start), number(through)
        counts = [self._published.get(bin, _NOTHING) for bin in range(first, last)]
        negative, total, unknown = ([one[place] for one in counts] for place in range(3))
        heard = [0.0 if first_time else self._coverage.get(bin, 1.0) for bin in range(first, last)]
        if first_time:
            heard[-1] = 1.0
        return Volume(start, negative, total, unknown, negative, total, heard)

    @cached_property
    def _published(self) -> dict[int, tuple[int, int, int]]:
        """(negative, of known tone, of unknown tone) by bin, history counted as if it had come live."""
        found: dict[int, tuple[int, int, int]] = {}
        for row in self.rows:
            negative, total, unknown = found.get(number(row.bin), _NOTHING)
            said = row.stories + row.backfill_stories
            if row.label == "unknown":
                found[number(row.bin)] = negative, total, unknown + said
            else:
                found[number(row.bin)] = negative + said * (row.label == "negative"), total + said, unknown
        return found


class _Then(Facts):
    """Facts as they were known when a verdict was spoken, from the day's shelf where that is enough."""

    def __init__(
        self,
        storage: Storage,
        brand: Brand,
        sources: Sequence[Source],
        through: datetime,
        known: int | None,
        shelf: _Shelf,
    ) -> None:
        super().__init__(storage, brand, sources, through, known, copies=shelf.copies(through))
        self._shelf = shelf

    @cached_property
    def grave(self) -> list[GraveRow]:
        if self._shelf.grave is None:
            return self._storage.proof.grave(self.brand.id, self.through - MONTH, self.through, self._known)
        return [
            row
            for row in self._shelf.grave
            if self.through - MONTH <= row.published_at < self.through
            and (self._known is None or row.post_id <= self._known)
        ]
