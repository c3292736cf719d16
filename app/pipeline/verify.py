"""Every number of an incident's dossier once more: equal to what is stored, or the drift row by row.

    dossier | its verdict in the journal | count again from the mentions, known then      > the counts
            |                            | replay the journal up to that verdict         > expected, probability, score
            | what is not equal | labels, words changed since, mentions gone, bins that differ  > drift

What was stored after the verdict is no drift: it was not known. A label that was changed is: it is read as it is now.
So is a post that its author edited or took back: what was quoted of it is not what it says, and who wrote it is erased.
Counts that the detector set against a gap before them (an outage that was caught up with) are set off here as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import isclose
from typing import Any, Literal

from alerts.base import Dossier, Exhibit
from alerts.detect.verdict import samples_of
from alerts.detect.voices import Excluded
from alerts.dossier import MAX_COUNTS, build, dossier_of
from alerts.dossier import to_mapping_of as to_json
from alerts.incident import MAIN, Incident, is_crisis
from alerts.spike import Spike, Volume, from_mapping, to_mapping
from app.model import Brand
from app.pipeline.facts import DAY, Facts
from app.pipeline.judge import GRAVE, SILENCE, SPREAD
from app.pipeline.prove import EXHIBITS, SAMPLES, exhibit, prove
from app.pipeline.replay import Ruled, Turned, replay
from app.pipeline.volumes import BIN, on_grid
from app.storage import Storage
from app.storage.records import Verdict

MOST_DRIFT = 200
TICK = timedelta(milliseconds=1)  # instants are kept to it
EXACT = 1e-9  # another machine's sums of floats may differ in the last bits

What = Literal["relabelled", "edited", "withdrawn", "gone", "bin"]

# What the replay says; the counts of a crisis come from the mentions.
_BY_REPLAY = (
    *("rule", "verdict", "reason", "window_start", "window_end", "expected", "band", "probability"),
    *("share_probability", "score", "volume_score", "share", "usual_share", "loudness", "dispersion", "coverage"),
    *("minimum", "threshold", "critical_threshold", "history_h", "subject", "settled_at", "window_coverage"),
)
_COUNTS = ("observed", "total", "unknown")
_WHOLE = ("cause", "subject", "policy", "events", "first", "terms")


class CannotVerify(ValueError):
    """There is nothing to hold this incident against; the text says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One number: as it is stored with the incident, and as it was had again. `recomputed` None: it was not."""

    what: str
    stored: Any
    recomputed: Any
    equal: bool


@dataclass(frozen=True, slots=True)
class Drift:
    """A row that is not as it was: a mention (`post_id`) with another label, edited, withdrawn by its author or gone,
    or a `bin` that counts otherwise.

    `was` and `now` are labels, or counts of a bin. `at`: when it changed, None where nothing tells.
    """

    what: What
    post_id: int | None = None
    bin: datetime | None = None
    was: str | None = None
    now: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """`more_drift` is how many rows the list leaves out. `came_later` mentions of the window were not known then."""

    incident_id: str
    judged_at: datetime
    known: int
    checks: tuple[Check, ...]
    drift: tuple[Drift, ...] = ()
    more_drift: int = 0
    came_later: int = 0

    @property
    def equal(self) -> bool:
        return all(check.equal for check in self.checks)


def to_mapping_of(verification: Verification) -> dict[str, Any]:
    """As plain JSON values; ids of posts are texts, as everywhere outside."""
    return {
        "incident": verification.incident_id,
        "equal": verification.equal,
        "judged_at": _iso(verification.judged_at),
        "checks": [asdict(check) for check in verification.checks],
        "drift": [
            {
                "what": row.what,
                "post_id": None if row.post_id is None else str(row.post_id),
                "bin": _iso(row.bin),
                "was": row.was,
                "now": row.now,
                "at": _iso(row.at),
            }
            for row in verification.drift
        ],
        "more_drift": verification.more_drift,
        "came_later": verification.came_later,
    }


def verify(storage: Storage, incident: Incident, seq: int | None = None) -> Verification:
    """The last dossier of the incident, or that of its event `seq`. Blocking; replays up to a month of one brand.

    Raises `CannotVerify`.
    """
    brand = storage.brands.by_id(incident.brand_id)
    if seq is not None:
        incident = _as_told(storage, incident, seq)
    try:
        dossier = dossier_of(incident.dossier)
        stored = from_mapping(dossier.spike)
    except ValueError as error:
        raise CannotVerify(f"the dossier of this incident cannot be read: {error}") from None
    if brand is None or dossier.judged_at is None:
        raise CannotVerify("this incident was judged before verdicts were kept: there is nothing to hold it against")
    at = dossier.judged_at - timedelta(microseconds=dossier.judged_at.microsecond % 1000)
    verdict = next(iter(storage.journal.verdicts(brand.id, at - TICK, at)), None)
    if verdict is None:
        raise CannotVerify("the journal has no verdict of that moment: there is nothing to hold this incident against")
    return _Bench(storage, brand, incident, dossier, stored, verdict).verification()


def _as_told(storage: Storage, incident: Incident, seq: int) -> Incident:
    """The incident with the dossier that this event told."""
    event = next((one for one in storage.incidents.events(incident.id) if one.seq == seq), None)
    if event is None:
        raise CannotVerify(f"this incident has no event {seq}")
    if event.dossier is None:
        raise CannotVerify(f"event {seq} of this incident ({event.kind}) has no dossier: openings and escalations have")
    return replace(incident, dossier=event.dossier)


class _Bench:
    def __init__(
        self, storage: Storage, brand: Brand, incident: Incident, dossier: Dossier, stored: Spike, verdict: Verdict
    ) -> None:
        self._storage = storage
        self._brand = brand
        self._incident = incident
        self._dossier = dossier
        self._stored = stored
        self._verdict = verdict
        self._kind, _, self._subject = incident.cause.partition(":")
        self._window = brand.id, stored.window_start, stored.window_end, verdict.known
        self._turned = self._replayed()
        self._signal = None if self._turned is None else self._turned.signal
        self._again = None if self._signal is None else self._signal.spike
        self._without = set() if self._signal is None else {one.post_id for one in self._signal.excluded}
        self._excluded = self._excluded_in(stored.window_start, stored.window_end)

    def verification(self) -> Verification:
        checks = [_check(*one) for one in (*self._verdict_checks(), *self._told_checks(), *self._sample_checks())]
        drift = iter(()) if all(check.equal for check in checks) else self._drift()
        shown = tuple(islice(drift, MOST_DRIFT))
        return Verification(
            incident_id=self._incident.id,
            judged_at=self._verdict.at,
            known=self._verdict.known,
            checks=tuple(checks),
            drift=shown,
            more_drift=sum(1 for _ in drift),
            came_later=self._storage.recount.came_later(*self._window),
        )

    def _replayed(self) -> Turned | None:
        at = self._verdict.at
        for turned in replay(self._storage, self._brand, at - TICK, at):
            if turned.cause == self._incident.cause and turned.signal is not None:
                return turned
        return None

    # ── the numbers ──────────────────────────────────────────────────────────

    def _verdict_checks(self) -> Iterator[tuple[str, Any, Any]]:
        stored = to_mapping(self._stored)
        again: Mapping[str, Any] = {} if self._again is None else to_mapping(self._again)
        counts = self._counts()
        if self._incident.cause == MAIN:  # of other causes the journal does not tell
            yield "journal.verdict", self._verdict.verdict, again.get("verdict")
            yield "journal.score", self._verdict.score, again.get("score")
        for name in _BY_REPLAY:
            yield f"spike.{name}", stored[name], again.get(name)
        for name in _COUNTS:
            yield f"spike.{name}", stored[name], counts.get(name, again.get(name))

    def _counts(self) -> Mapping[str, int]:
        """The counts of the verdict, from the mentions."""
        recount, window = self._storage.recount, self._window
        unknown = recount.counts(*window).by_label.get("unknown", 0)
        if is_crisis(self._incident.cause):
            negative, total = recount.told(*window, without=self._without)
            held, held_total = self._held_back()
            return {"observed": negative - held, "total": total - held_total, "unknown": unknown}
        brand_id, start, end, known = window
        day = brand_id, start + TICK, end, known
        if self._kind == GRAVE:
            return {"observed": recount.grave_voices(*day, self._subject, self._stored.settled_at)}
        if self._kind == SPREAD:
            many = recount.authors_of if self._stored.reason == "many_authors" else recount.sites_of
            return {"observed": many(*day, int(self._subject))}
        if self._kind == SILENCE:
            return {"observed": recount.told(*window)[1] + unknown, "unknown": unknown}
        return {}

    def _held_back(self) -> tuple[int, int]:
        """What the detector gave back to a gap: what it was shown in these bins, less what it counted."""
        if self._again is None:
            return 0, 0
        shown = self._shown().values()
        bins = self._bins()
        out = [one for one in self._excluded_in(*bins) if one.label != "unknown"]
        negative = sum(one[0] for one in shown) - sum(one.label == "negative" for one in out)
        total = sum(one[1] for one in shown) - len(out)
        return max(0, negative - self._again.observed), max(0, total - self._again.total)

    def _excluded_in(self, start: datetime, end: datetime) -> list[Excluded]:
        return [] if self._signal is None else [one for one in self._signal.excluded if start <= one.at < end]

    def _bins(self) -> tuple[datetime, datetime]:
        """The window on the grid: one that begins with a person's word does so within a bin."""
        return on_grid(self._stored.window_start), self._stored.window_end

    def _shown(self) -> dict[datetime, tuple[int, int]]:
        """What the detector was shown of these bins, without empty ones."""
        volume = None if self._turned is None else self._turned.volume
        if volume is None:
            return {}
        start, end = self._bins()
        counts = zip(volume.negative, volume.total, strict=True)
        bins = ((volume.start + index * BIN, both) for index, both in enumerate(counts))
        return {bin: both for bin, both in bins if start <= bin < end and any(both)}

    def _told_checks(self) -> Iterator[tuple[str, Any, Any]]:
        dossier, recount = self._dossier, self._storage.recount
        said = recount.counts(*self._window)
        yield "stories", dossier.stories, said.stories
        yield "copies", dossier.copies, said.copies
        yield "by_label", dict(dossier.by_label), dict(said.by_label)
        yield "by_language", dict(dossier.by_language), _largest(said.by_language)
        yield "by_source", dict(dossier.by_source), _largest(said.by_source)
        share = said.by_label.get("unknown", 0) / said.stories if said.stories else None
        yield "unknown_share", dossier.unknown_share, share
        yield "coverage", dossier.coverage, None if self._again is None else build(self._again).coverage
        negatives: dict[str, int] = {}
        for one in self._excluded:
            if one.label == "negative":
                negatives[one.why] = negatives.get(one.why, 0) + 1
        yield "excluded", dict(dossier.excluded), negatives
        # Silence looks at less than a day back too: the dossier's voices are those of the last 24 h in any case.
        start = max(self._stored.window_start, self._verdict.through - DAY)
        end = self._verdict.through
        voices = recount.voices(self._brand.id, start, end, self._verdict.known, self._without)
        proved = self._proved()
        counted = proved if self._kind == GRAVE else voices  # of one word only the proof has them
        yield "authors", dossier.authors, None if counted is None else counted.authors
        yield "sites", dossier.sites, None if counted is None else counted.sites
        yield "spread", dossier.spread, None if proved is None else proved.spread
        if is_crisis(self._incident.cause):
            first = dossier.first
            yield "first.published_at", None if first is None else _iso(first.published_at), _iso(voices.first)
            yield "first.source", None if first is None else first.source, voices.first_source
        yield from self._whole_checks(proved)

    def _whole_checks(self, proved: Dossier | None) -> Iterator[tuple[str, Any, Any]]:
        """What is told in words and lists, each as a whole."""
        stored = to_json(self._dossier)
        again: Mapping[str, Any] = {} if proved is None else to_json(proved)
        for name in _WHOLE:
            yield name, stored[name], again.get(name)
        exhibits = again.get("exhibits")
        if is_crisis(self._incident.cause):
            exhibits = to_json(build(self._stored, self._exhibits()))["exhibits"]
        yield "exhibits", stored["exhibits"], exhibits

    def _proved(self) -> Dossier | None:
        """The proof as it is had now, of what was known then."""
        if self._signal is None:
            return None
        sources = self._storage.sources.all(include_archived=True)
        facts = Facts(self._storage, self._brand, sources, self._verdict.through, self._verdict.known)
        policy = Ruled(self._storage).at(self._verdict.at)
        return prove(self._storage, facts, self._signal, policy, self._verdict.at)

    def _exhibits(self) -> list[Exhibit]:
        """Those of a crisis, chosen by a query of their own."""
        top = self._storage.recount.top_negative(*self._window, self._without, EXHIBITS)[:EXHIBITS]
        found = ((self._storage.mentions.get(self._brand.slug, one.post_id), one.copies) for one in top)
        return [exhibit(mention, copies) for mention, copies in found if mention and not mention.withdrawn_at]

    def _sample_checks(self) -> Iterator[tuple[str, Any, Any]]:
        if not is_crisis(self._incident.cause):  # those of a grave word are voices a day: the replay has them too
            again = None if self._again is None else to_mapping(self._again)["samples"]
            yield "spike.samples", to_mapping(self._stored)["samples"], again
            return
        length = self._stored.window_end - self._stored.window_start
        for sample in self._stored.samples:
            end = sample.start + length
            found = self._storage.recount.taught(self._brand.id, sample.start, end, self._verdict.known)
            yield f"sample {_iso(sample.start)}", [sample.negative, sample.total], list(found)
        yield "spike.samples", to_mapping(self._stored)["samples"], self._samples()

    def _samples(self) -> list[dict[str, Any]]:
        """The same window of earlier days, from the mentions that there were."""
        window_start, window_end = self._stored.window_start, self._stored.window_end
        start = self._bins()[0] - SAMPLES
        taught = self._storage.journal.taught(self._brand.id, start, window_end, self._verdict.known)
        bins = [start + index * BIN for index in range((window_end - start) // BIN)]
        rows = [taught.get(bin, (0, 0, 0, 0)) for bin in bins]
        negative, total, past_negative, past_total = ([row[place] for row in rows] for place in range(4))
        covered = self._storage.volumes.coverage(self._brand.id, start, window_end)
        heard = {row.bin: row.fresh / row.total if row.total else 0.0 for row in covered}
        coverage = [heard.get(bin, 0.0) for bin in bins]
        volume = Volume(start, negative, total, [0] * len(bins), past_negative, past_total, coverage)
        again = replace(self._stored, samples=samples_of(volume, window_start, window_end))
        return list(to_mapping(again)["samples"])

    # ── what is not as it was ────────────────────────────────────────────────

    def _drift(self) -> Iterator[Drift]:
        recount, at = self._storage.recount, self._verdict.at
        start, end = self._bins()
        spans = [(start, end), *((one.start, one.start + (end - start)) for one in self._stored.samples)]
        told: set[int] = set()
        for span in spans:
            for row in recount.relabelled(self._brand.id, *span, self._verdict.known, at):
                if row.post_id not in told:
                    told.add(row.post_id)
                    yield Drift("relabelled", row.post_id, None, row.was, row.now, row.at)
        for other in recount.reworded(self._brand.id, start, end, self._verdict.known, at):
            yield Drift("withdrawn" if other.withdrawn else "edited", other.post_id, at=other.at)
        for post_id in recount.gone(self._brand.id, sorted(self._without)):
            yield Drift("gone", post_id)
        if not told:
            yield from self._bins_that_differ(start, end)

    def _bins_that_differ(self, start: datetime, end: datetime) -> Iterator[Drift]:
        """Where no label explains it: the bins that were shown otherwise than the mentions say."""
        shown = self._shown()
        taught = self._storage.journal.taught(self._brand.id, start, end, self._verdict.known)
        now = {bin: (negative, total) for bin, (negative, total, *_) in taught.items() if total}
        for bin in sorted({*shown, *now}):
            was, counted = shown.get(bin, (0, 0)), now.get(bin, (0, 0))
            if was != counted:
                yield Drift("bin", None, bin, _of(was), _of(counted))


def _of(counts: tuple[int, int]) -> str:
    return f"{counts[0]} negative of {counts[1]}"


def _largest(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:MAX_COUNTS])


def _check(what: str, stored: Any, recomputed: Any) -> Check:
    return Check(what, stored, recomputed, _equal(stored, recomputed))


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return isclose(one, other, rel_tol=EXACT, abs_tol=1e-300)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, Sequence) and isinstance(other, Sequence) and not isinstance(one, str):
        return len(one) == len(other) and all(_equal(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
