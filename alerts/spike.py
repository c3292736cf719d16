"""The verdict: is what is said about a brand now worse than what is usually said at this hour?

    Volume -> closed bins -> for 5 min and for 30 min: usual -> loudness -> tail -> gates -> the worse of the two

A stand-in behind the right seam: a later issue replaces the formula (`return-period scan`), nobody else notices.
Pure: no clock, no network, no database, no third-party package; the same numbers in give the same verdict out.

What it compares, and with what:

* **observed**: negative stories in the last closed 5 minutes, and in the last 30; live ones only, a backfill never
  alerts.
* **usual**: the same window on each of the last 14 days, and the 30 (or 5) minutes' share of the hour before and
  after it (one more hour on each side steadies a count of two). Days with poor coverage are left out, and so are days
  that were an outbreak themselves (Farrington's idea: yesterday's crisis must not hide today's). The larger of the
  two means counts, so that a peak which comes every day is expected every day, and never less than `floor`.
* **loudness**: how much louder than usual everything else that is said about the brand is now (a concurrent control,
  Gamma-Poisson). Negatives are expected to rise with it, so a busy day with the usual share of negatives stays calm.
  It is set aside where at least half of what is said is negative and that is not the brand's habit.
* **probability**: the chance of `observed` or more under a negative binomial with that mean and variance mean +
  dispersion * mean^2. Mentions come in clumps: real brands show a dispersion of 0.03 to 1 (a Poisson tail would page
  all day). It is the brand's own, learnt from the same samples by moments, shrunk to `dispersion_*` where they say
  little, plus what is not known about the mean itself (1 / stories seen).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import exp, lgamma, log, log1p, sqrt
from statistics import fmean, median_low
from typing import Any, Literal, get_args

BIN_S = 300
BINS_PER_HOUR = 3600 // BIN_S
BINS_PER_DAY = 86400 // BIN_S

Verdict = Literal["calm", "warning", "critical", "learning", "not_evaluated"]

# Why a sample was left out of the mean.
KEPT, OUTBREAK, POOR_COVERAGE, NO_HISTORY = "", "outbreak", "poor_coverage", "no_history"

MAX_SCORE = 300.0  # 1e-300: beyond it a float is zero, and nobody is the wiser
MAX_DISPERSION = 5.0
# How many of a brand's own dispersion samples outweigh the general one (a half).
PRIOR_WEIGHT = 15.0
# The share of negatives before anything is known, and how many stories outweigh it.
PRIOR_SHARE, PRIOR_SHARE_WEIGHT = 0.3, 5.0
# A share is out of the ordinary below this chance.
SHARE_CHANCE = 0.01


@dataclass(frozen=True, slots=True)
class Volume:
    """Stories of one brand in 300 s bins: index i covers `start + i * 300 s`. All series have equal length.

    `negative` and `total` are live stories (what may alert); `past_negative` and `past_total` add the backfilled ones
    (what may only teach). `total` leaves out unknown tones, which stand in `unknown`. `coverage` is 0..1, 0 where
    nothing is known. Only closed bins are in it.
    """

    start: datetime
    negative: Sequence[int]
    total: Sequence[int]
    unknown: Sequence[int]
    past_negative: Sequence[int]
    past_total: Sequence[int]
    coverage: Sequence[float]

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.start.timestamp() % BIN_S:
            raise ValueError(f"a volume starts at an aware UTC time on the {BIN_S} s grid, not at {self.start}")
        lengths = {len(getattr(self, series.name)) for series in fields(self) if series.name != "start"}
        if len(lengths) != 1:
            raise ValueError(f"the series of a volume have equal length, not {sorted(lengths)}")


@dataclass(frozen=True, slots=True)
class Sample:
    """One baseline sample: the same window of an earlier day, and what was around it.

    `near_*` count the window widened by `Policy.near_s` on both sides. `kept` is False where trimming or poor
    coverage left it out; `why` says which (`outbreak`, `poor_coverage`, `no_history`).
    """

    start: datetime
    negative: int
    kept: bool
    total: int = 0
    near_negative: int = 0
    near_total: int = 0
    coverage: float = 1.0
    why: str = KEPT


@dataclass(frozen=True, slots=True)
class Spike:
    """The detector's verdict on a window, with all the numbers that it used.

    Counts are stories. `expected` is what is usual for the window, from the kept samples; `loudness` (1 or more)
    multiplies it where the rest of the brand's stream is loud too. `probability` is the chance of `observed` or more.
    `score` orders verdicts: -log10(probability), 0 when nothing was tested. `threshold` is the score of a warning.
    `reason` is a stable word for why this verdict: `negative_spike`, `usual`, `below_minimum`, `usual_share`,
    `small_rise`, `poor_coverage`, `short_history`, `no_bins`. Shares and coverage are in 0..1. `history_h` is how
    many covered hours the brand has.
    """

    rule: str
    verdict: Verdict
    reason: str
    window_start: datetime
    window_end: datetime
    observed: int
    total: int
    unknown: int
    expected: float | None
    probability: float | None
    score: float
    share: float | None
    usual_share: float | None
    coverage: float
    minimum: int
    threshold: float
    samples: tuple[Sample, ...] = ()
    loudness: float = 1.0
    dispersion: float | None = None
    share_probability: float | None = None
    critical_threshold: float | None = None
    history_h: float = 0.0


@dataclass(frozen=True, slots=True)
class Policy:
    """What the verdict and the incident go by. One for every brand: no number here is a brand's own.

    Scores are -log10 of a probability; a score of 4 is one chance in 10,000. `*_s` are seconds, whole bins.
    """

    rule: str = "same-hour/1"
    short_s: int = 300
    long_s: int = 1800
    days: int = 14
    near_s: int = 3600
    minimum: int = 5
    min_ratio: float = 1.5
    floor: float = 0.25
    warning_score: float = 4.0
    critical_score: float = 5.0
    min_coverage: float = 0.9
    learn_h: float = 24.0
    # Where a brand's own samples say little: medians of real brand-mention series at 5 and 30 min, and the
    # pseudo-counts of the concurrent control (reference: spikes.md section 4, alpha_c and 1/a_w).
    dispersion_short: float = 0.30
    dispersion_long: float = 0.18
    control_short: float = 2.5
    control_long: float = 4.0
    # Incident: it ends after `resolve_s` below `resolve_score`; a notice about rarer evidence needs `rarer` decades
    # more than the last one told, and `quiet_s` since.
    resolve_score: float = 2.0
    resolve_s: int = 3600
    rarer: float = 6.0
    quiet_s: int = 3600

    @property
    def reach(self) -> timedelta:
        """How much history `detect` looks at: a walk reads at least this much, up to the last closed bin."""
        return timedelta(days=self.days, seconds=self.near_s + self.long_s)


DEFAULT = Policy()


def detect(volume: Volume, now: datetime, policy: Policy = DEFAULT) -> Spike:
    """Judge the last closed window of a brand. `now` only decides which bins are closed.

    The verdict is `not_evaluated` where the longer window was not covered (an outage is not calm, and the burst after
    it is no crisis), `learning` until the brand has `learn_h` covered hours, else that of the more extreme of the two
    windows.
    """
    history = _History(volume, now, policy)
    long = _look(history, policy.long_s)
    if history.length < policy.long_s // BIN_S:
        return replace(long, reason="no_bins")
    if long.coverage < policy.min_coverage or history.coverage(policy.short_s) < policy.min_coverage:
        return replace(long, coverage=min(long.coverage, history.coverage(policy.short_s)))
    if history.known_h < policy.learn_h:
        return replace(long, verdict="learning", reason="short_history")
    windows = [_judge(history, policy.long_s), _judge(history, policy.short_s)]
    judged = [window for window in windows if window.expected is not None]
    if not judged:
        return replace(windows[0], verdict="learning", reason="short_history")
    return max(judged, key=lambda spike: (_RANK[spike.verdict], spike.score))


_RANK: Mapping[Verdict, int] = {"not_evaluated": 0, "learning": 0, "calm": 0, "warning": 1, "critical": 2}


class _History:
    """The closed bins of a volume, and which of them are known."""

    def __init__(self, volume: Volume, now: datetime, policy: Policy) -> None:
        closed = int((now - volume.start).total_seconds() // BIN_S)
        self.policy = policy
        self.volume = volume
        self.length = max(0, min(len(volume.negative), closed))
        self.covered = _reached(volume, self.length)
        before = max(0, self.length - policy.long_s // BIN_S)
        known = [coverage >= policy.min_coverage for coverage in self.covered[:before]]
        self.known_h = sum(known) / BINS_PER_HOUR
        self._negative = sum(_where(known, volume.past_negative))
        self._total = sum(_where(known, volume.past_total))

    @property
    def usual_share(self) -> float:
        """The brand's share of negative stories over all that is known, shrunk where that is little."""
        return (self._negative + PRIOR_SHARE * PRIOR_SHARE_WEIGHT) / (self._total + PRIOR_SHARE_WEIGHT)

    def time(self, index: int) -> datetime:
        return (self.volume.start + timedelta(seconds=index * BIN_S)).astimezone(UTC)

    def coverage(self, width_s: int) -> float:
        """Mean coverage of the last `width_s`; only what was really watched counts here, never a backfill."""
        bins = self.volume.coverage[max(0, self.length - width_s // BIN_S) : self.length]
        return fmean(bins) if bins else 0.0


def _where(known: Iterable[bool], counts: Sequence[int]) -> Iterable[int]:
    return (count for count, is_known in zip(counts, known, strict=False) if is_known)


def _reached(volume: Volume, length: int) -> list[float]:
    """Coverage of each bin, with the time before the first watched bin covered as far back as the backfill reaches."""
    coverage = list(volume.coverage[:length])
    watched = next((index for index, value in enumerate(coverage) if value > 0), length)
    told = next((index for index in range(watched) if volume.past_total[index] > 0), watched)
    coverage[told:watched] = [1.0] * (watched - told)
    return coverage


def _look(history: _History, width_s: int) -> Spike:
    """What the window holds, before any judgement."""
    policy, volume, end = history.policy, history.volume, history.length
    first = max(0, end - width_s // BIN_S)
    observed, total = sum(volume.negative[first:end]), sum(volume.total[first:end])
    return Spike(
        rule=policy.rule,
        verdict="not_evaluated",
        reason="poor_coverage",
        window_start=history.time(end) - timedelta(seconds=width_s),
        window_end=history.time(end),
        observed=observed,
        total=total,
        unknown=sum(volume.unknown[first:end]),
        expected=None,
        probability=None,
        score=0.0,
        share=observed / total if total else None,
        usual_share=history.usual_share if history.known_h else None,
        coverage=history.coverage(width_s),
        minimum=policy.minimum,
        threshold=policy.warning_score,
        critical_threshold=policy.critical_score,
        history_h=history.known_h,
    )


def _judge(history: _History, width_s: int) -> Spike:
    """Test one window. `expected` stays None where no past day can be compared with."""
    policy = history.policy
    samples = _samples(history, width_s)
    look = replace(_look(history, width_s), samples=samples)
    kept = [sample for sample in samples if sample.kept]
    if not kept:
        return look
    is_short = width_s == policy.short_s
    widths = 1 + 2 * policy.near_s / width_s
    usual = max(_usual([(s.negative, s.near_negative) for s in kept], widths), policy.floor)
    rest = _usual([(s.total - s.negative, s.near_total - s.near_negative) for s in kept], widths)
    control = policy.control_short if is_short else policy.control_long
    loudness = max(1.0, (look.total - look.observed + control) / (rest + control))
    prior = policy.dispersion_short if is_short else policy.dispersion_long
    seen = sum(sample.near_negative for sample in kept)
    dispersion = _dispersion(_windows(history, kept, width_s), prior) + 1 / (seen + 0.5)
    share_probability = _share_tail(look.observed, look.total, history.usual_share)
    if _mostly_negative(look, history.usual_share, share_probability):
        loudness = 1.0
    judged = replace(
        look,
        verdict="calm",
        reason="below_minimum",
        expected=usual,
        loudness=loudness,
        dispersion=dispersion,
        share_probability=share_probability,
    )
    return judged if judged.observed < policy.minimum else _tested(judged, usual, dispersion, policy)


def _mostly_negative(look: Spike, usual_share: float, share_probability: float | None) -> bool:
    """At least half of what is said is negative, by habit or beyond chance: then the rest is no excuse."""
    if look.share is None or look.share < 0.5 or share_probability is None:
        return False
    return usual_share >= 0.5 or share_probability <= SHARE_CHANCE


def _tested(spike: Spike, usual: float, dispersion: float, policy: Policy) -> Spike:
    """The verdict on a window with enough stories in it."""
    log_p = _log_tail(spike.observed, usual * spike.loudness, dispersion)
    score = _score(log_p)
    tested = replace(spike, probability=exp(log_p), score=score)
    if score < policy.warning_score:
        quiet_day = _score(_log_tail(spike.observed, usual, dispersion))
        return replace(tested, reason="usual_share" if quiet_day >= policy.warning_score else "usual")
    if spike.observed < policy.min_ratio * usual * spike.loudness:
        return replace(tested, reason="small_rise")
    severity: Verdict = "critical" if score >= policy.critical_score else "warning"
    return replace(tested, verdict=severity, reason="negative_spike")


def _score(log_p: float) -> float:
    return min(MAX_SCORE, -log_p / log(10))


# ── the baseline ─────────────────────────────────────────────────────────────


def _samples(history: _History, width_s: int) -> tuple[Sample, ...]:
    """The same window on each past day, newest first, each kept or left out with its reason."""
    policy = history.policy
    found = [
        _sample(history, history.length - width_s // BIN_S - day * BINS_PER_DAY, width_s)
        for day in range(1, policy.days + 1)
    ]
    return _trimmed([sample for sample in found if sample.why != NO_HISTORY], policy)


def _sample(history: _History, first: int, width_s: int) -> Sample:
    width, near = width_s // BIN_S, history.policy.near_s // BIN_S
    start, end = max(0, first - near), max(0, first + width + near)
    volume = history.volume
    coverage = sum(history.covered[start:end]) / (width + 2 * near)
    why = KEPT if coverage >= history.policy.min_coverage else POOR_COVERAGE
    window = slice(max(0, first), max(0, first + width))
    return Sample(
        start=history.time(first),
        negative=sum(volume.past_negative[window]),
        kept=why == KEPT,
        total=sum(volume.past_total[window]),
        near_negative=sum(volume.past_negative[start:end]),
        near_total=sum(volume.past_total[start:end]),
        coverage=coverage,
        why=why if coverage > 0 else NO_HISTORY,
    )


def _trimmed(samples: Sequence[Sample], policy: Policy) -> tuple[Sample, ...]:
    """Leave out days that were an outbreak: above median + 3 sd + 1. With fewer than three days nobody can tell."""
    counts = [sample.near_negative for sample in samples if sample.kept]
    if len(counts) < 3:
        return tuple(samples)
    middle = median_low(counts)
    limit = middle + 3 * sqrt(middle + policy.dispersion_long * middle**2) + 1
    return tuple(
        replace(sample, kept=False, why=OUTBREAK) if sample.kept and sample.near_negative > limit else sample
        for sample in samples
    )


def _usual(counts: Sequence[tuple[int, int]], widths: float) -> float:
    """Stories usual in one window, from (count in the window, count in the widened window) of each kept day.

    `widths` is how many windows the widened one holds. From three days on the exact window's own mean may raise it: a
    peak at the same time every day is no surprise.
    """
    near = fmean(count for _, count in counts) / widths
    if len(counts) < 3:
        return near
    return max(near, fmean(count for count, _ in counts))


def _windows(history: _History, kept: Iterable[Sample], width_s: int) -> list[int]:
    """Counts of all neighbouring windows of one width in the widened windows of the kept days."""
    width, near = width_s // BIN_S, history.policy.near_s // BIN_S
    negative = history.volume.past_negative
    counts: list[int] = []
    for sample in kept:
        first = int((sample.start - history.volume.start).total_seconds()) // BIN_S
        edges = range(max(0, first - near), first + width + near + 1, width)
        counts += [sum(negative[start:end]) for start, end in pairwise(edges)]
    return counts


def _dispersion(counts: Sequence[int], prior: float) -> float:
    """Variance = mean + dispersion * mean^2, by moments, shrunk to `prior` by how little the counts can tell.

    The moment estimate of n counts with mean m has a variance of about 2/n (1 + 1/m)^2, hence its weight.
    """
    mean = fmean(counts) if counts else 0.0
    if mean <= 0 or len(counts) < 2:
        return prior
    variance = sum((count - mean) ** 2 for count in counts) / (len(counts) - 1)
    own = max(0.0, (variance - mean) / mean**2)
    weight = len(counts) / (1 + 1 / mean) ** 2
    return min(MAX_DISPERSION, (weight * own + PRIOR_WEIGHT * prior) / (weight + PRIOR_WEIGHT))


# ── the tails ────────────────────────────────────────────────────────────────


def _log_tail(observed: int, mean: float, dispersion: float) -> float:
    """ln P(X >= observed) for X negative binomial with this mean and variance mean + dispersion * mean^2.

    Size r = 1 / dispersion, P(X = k) = C(k + r - 1, k) (1 - q)^r q^k with q = mean / (mean + r). Above the mean the
    terms are summed from `observed` on, each from the one before, so that a tail of 1e-200 keeps its digits.
    """
    if observed <= mean:
        return 0.0
    size = 1 / dispersion
    q = mean / (mean + size)
    first = lgamma(observed + size) - lgamma(observed + 1) - lgamma(size) + size * log1p(-q) + observed * log(q)
    total, term, count = 1.0, 1.0, observed
    while term > total * 1e-12:
        term *= (count + size) / (count + 1) * q
        total += term
        count += 1
    return min(0.0, first + log(total))


def _share_tail(observed: int, total: int, share: float) -> float | None:
    """P(X >= observed) of `total` stories, each negative with chance `share`: a binomial tail. None without stories."""
    if not total:
        return None
    if observed <= total * share:
        return 1.0
    odds = share / (1 - share)
    first = lgamma(total + 1) - lgamma(observed + 1) - lgamma(total - observed + 1)
    first += observed * log(share) + (total - observed) * log1p(-share)
    sum_, term, count = 1.0, 1.0, observed
    while count < total and term > sum_ * 1e-12:
        term *= (total - count) / (count + 1) * odds
        sum_ += term
        count += 1
    return min(1.0, exp(first) * sum_)


# ── as JSON ──────────────────────────────────────────────────────────────────


def to_mapping(spike: Spike) -> dict[str, Any]:
    """The verdict as plain JSON values, times in ISO 8601 with Z. `from_mapping` gives the equal `Spike` back."""
    mapping = asdict(spike)
    mapping["window_start"], mapping["window_end"] = _iso(spike.window_start), _iso(spike.window_end)
    mapping["samples"] = [{**asdict(sample), "start": _iso(sample.start)} for sample in spike.samples]
    return mapping


def from_mapping(mapping: Mapping[str, Any]) -> Spike:
    """The other way round. Raises `ValueError` where the mapping is not one that `to_mapping` gave.

    Another version of Avizor may have written it: fields that are not known are left out, missing ones take defaults.
    """
    try:
        samples = tuple(
            Sample(**{**_known(Sample, sample), "start": _time(sample["start"])}) for sample in mapping["samples"]
        )
        times = {name: _time(mapping[name]) for name in ("window_start", "window_end")}
        spike = Spike(**{**_known(Spike, mapping), **times, "samples": samples})
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a spike: {error}") from error
    if spike.verdict not in get_args(Verdict):
        raise ValueError(f"not a spike: unknown verdict {spike.verdict!r}")
    return spike


def _known(kind: type[Spike | Sample], mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: mapping[field.name] for field in fields(kind) if field.name in mapping}


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
