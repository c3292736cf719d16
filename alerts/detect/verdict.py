"""The verdict on one brand, as the watch walk asks for it: what it remembers and the volumes in, Spike and memory out.

    memory, Volume -> restate what came late -> step each bin that closed -> Dial -> Spike, memory

The memory moves on only where a bin has closed. Asked again about the same bin with other counts, the verdict is that
of the counts as they are now, and the memory stays: so yesterday's verdicts can be had again from what was known then.

Asked from one memory with fewer stories in the last day (`alerts.detect.voices`: those that do not count), the verdict
is that of the stories that are left. The memory to keep is the one that heard all: a story that was left out of it
would come in late the next time, as news.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from math import ceil, exp, log1p, sqrt

import numpy as np

from alerts.detect.baseline import Local, usual
from alerts.detect.late import restate
from alerts.detect.policy import Dial
from alerts.detect.scan import Scan, judge, step
from alerts.detect.score import LN10, NEVER
from alerts.detect.state import States, fresh, from_bytes, take, to_bytes
from alerts.detect.tails import log_tail
from alerts.detect.tuning import DEFAULT_TUNING
from alerts.spike import BIN_S, BINS_PER_DAY, KEPT, NO_HISTORY, POOR_COVERAGE, Sample, Spike, Volume

RULE = "return-period/1"
REACH = timedelta(days=56)
"""How much history teaches a brand of which nothing is remembered."""
RESTATED = timedelta(days=1)
"""How far back late mentions are still taken in."""
COVERED = 0.9
"""A window with less coverage than this is no calm one, and no fair comparison."""
SAMPLE_DAYS = 14
_TAIL = 0.025  # on either side of the band
_EXACT = 10_000.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """`memory` is to be kept, and handed in the next time."""

    spike: Spike
    memory: bytes


def needed_since(memory: bytes | None, through: datetime) -> datetime:
    """From when on `detect` needs the volumes, for a verdict on the bins up to `through`."""
    last = None if memory is None else _last_bin(memory)
    if last is None or _time(last + 1) > through:
        return through - REACH
    return max(_time(last + 1) - RESTATED, through - REACH)


def heard(memory: bytes) -> dict[int, tuple[int, int]]:
    """What the memory has heard of the last day: number of the bin since 1970 -> (negative, total), without empty bins.

    Nothing, where the memory is another version's.
    """
    try:
        states = from_bytes([memory], DEFAULT_TUNING)
    except ValueError:
        return {}
    last, size = int(states["bin"][0]), len(states["heard_total"])
    counts = {
        number: (int(states["heard_negative"][number % size, 0]), int(states["heard_total"][number % size, 0]))
        for number in range(max(0, last - DEFAULT_TUNING.bins_per_day + 1), last + 1)
    }
    return {number: count for number, count in counts.items() if any(count)}


def samples_of(
    volume: Volume, window_start: datetime, window_end: datetime, days: int = SAMPLE_DAYS
) -> tuple[Sample, ...]:
    """The same window on each of the `days` days before, newest first, as far as the volume reaches back.

    Counts have the backfilled stories in them: they taught what is usual. Time before the brand was watched is covered
    as far back as its backfill reaches.
    """
    first = (int(window_start.timestamp()) - int(volume.start.timestamp())) // BIN_S
    width = int((window_end - window_start).total_seconds()) // BIN_S
    watched = next((bin for bin, coverage in enumerate(volume.coverage) if coverage > 0), len(volume.coverage))
    known = next((bin for bin in range(watched) if volume.past_total[bin] > 0), watched)
    starts = (first - day * BINS_PER_DAY for day in range(1, days + 1))
    return tuple(_sample(volume, start, start + width, known, watched) for start in starts if start >= 0)


def _sample(volume: Volume, first: int, end: int, known: int, watched: int) -> Sample:
    backfilled = max(0, min(end, watched) - max(first, known))
    coverage = (backfilled + sum(volume.coverage[first:end])) / (end - first)
    why = NO_HISTORY if first < known else KEPT if coverage >= COVERED else POOR_COVERAGE
    return Sample(
        start=volume.start + timedelta(seconds=first * BIN_S),
        negative=sum(volume.past_negative[first:end]),
        kept=why == KEPT,
        total=sum(volume.past_total[first:end]),
        coverage=coverage,
        why=why,
    )


def band(mean: float, dispersion: float) -> tuple[float, float]:
    """The counts between which 95 % of such windows lie: quantiles .025 and .975 of the negative binomial of this mean
    (> 0) and variance mean + dispersion * mean^2. Above 10,000 they are right to one in a thousand.

    Mass by mass, each from the one before: P(k) = P(k - 1) * x * (k - 1 + r) / k with r = 1 / dispersion and
    x = mean / (mean + r).
    """
    unit = max(1.0, mean / _EXACT)  # so large a count is a sum of clumps, whatever the size of its units
    mean /= unit
    size = 1 / dispersion
    most = mean + 12 * sqrt(mean + dispersion * mean * mean) + 12  # by Chebyshev beyond both quantiles
    counts = np.arange(1.0, ceil(most) + 1)
    ratios = np.log((counts - 1 + size) / counts * (mean / (mean + size)))
    masses = np.concatenate([[0.0], np.cumsum(ratios)]) - size * log1p(mean * dispersion)
    low, high = np.searchsorted(np.cumsum(np.exp(masses)), [_TAIL, 1 - _TAIL]).tolist()
    return float(round(low * unit)), float(round(high * unit))


def detect(
    memory: bytes | None,
    volume: Volume,
    now: datetime,
    dial: Dial,
    zone: tzinfo = UTC,
) -> Judgement:
    """Judge the bins that closed since the last time."""
    states = _remembered(memory, volume, now)
    first = int(volume.start.timestamp()) // BIN_S
    closed = min(first + len(volume.negative), int(now.timestamp()) // BIN_S)
    last = int(states["bin"][0])
    arrived = np.zeros(1)
    was_there = last >= 0
    if not was_there:
        if closed <= first:
            return Judgement(_nothing(volume, now, dial), to_bytes(states)[0])
        last = _teach(states, volume, first, closed, zone)
    else:
        arrived = restate(states, first, _column(volume.negative), _column(volume.total))
    scan: Scan | None = None
    for number in range(last + 1, closed):
        bin = number - first
        counts = (volume.negative[bin], volume.total[bin], volume.coverage[bin]) if bin >= 0 else (0, 0, 0.0)
        scan = step(states, number, Local.of(number, DEFAULT_TUNING, (zone,)), *(np.array([float(c)]) for c in counts))
    if int(states["bin"][0]) < 0:  # bins, and nothing was heard in any of them
        return Judgement(_nothing(volume, now, dial), to_bytes(states)[0])
    kept = memory if memory is not None and was_there and scan is None else to_bytes(states)[0]
    if scan is None or arrived.any():
        at = Local.of(int(states["bin"][0]), DEFAULT_TUNING, (zone,))
        states = take(states, [0])
        scan = judge(states, usual(states, at, np.ones(1)), arrived)
    return Judgement(_spike(states, scan, volume, first, dial), kept)


def _remembered(memory: bytes | None, volume: Volume, now: datetime) -> States:
    """What is remembered, if it is this version's, of before `now`, and reaches to where the volumes begin."""
    if memory is not None:
        try:
            states = from_bytes([memory], DEFAULT_TUNING)
        except ValueError:
            return fresh(1, DEFAULT_TUNING)
        last = int(states["bin"][0])
        if volume.start <= _time(last + 1) <= now:
            return states
    return fresh(1, DEFAULT_TUNING)


def _teach(states: States, volume: Volume, first: int, closed: int, zone: tzinfo) -> int:
    """The backfilled past teaches and never alerts. Gives the last bin before the watch began."""
    size = closed - first
    watched = next((bin for bin in range(size) if volume.coverage[bin] > 0), size)
    told = next((bin for bin in range(watched) if volume.past_total[bin] > 0), watched)
    one = np.ones(1)
    for bin in range(told, watched):
        counts = np.array([float(volume.past_negative[bin])]), np.array([float(volume.past_total[bin])])
        step(states, first + bin, Local.of(first + bin, DEFAULT_TUNING, (zone,)), *counts, one)
    for name in ("heard", "ring"):
        for what in ("negative", "total"):
            states[f"{name}_{what}"] = 0.0
    for name in ("ring_expected", "ring_missed", "negative", "total", "expected", "late_negative", "late_expected"):
        states[name] = 0.0
    return first + watched - 1


def _spike(states: States, scan: Scan, volume: Volume, first: int, dial: Dial) -> Spike:
    tuning = states.tuning
    score, volume_score = float(scan.score[0]), float(scan.volume_score[0])
    severity = dial.severity(score, volume_score)
    rule = 1 if severity == "warning" and score < dial.warning else 0
    row = int(scan.window[rule, 0]) if scan.evidence[rule, 0] > NEVER else tuning.hour_window
    end = int(states["bin"][0]) + 1
    length = tuning.windows[row]
    bins = slice(max(0, end - length - first), max(0, end - first))
    observed, total = int(states["negative"][row, 0]), int(states["total"][row, 0])
    expected, given = float(scan.by_usual.mean[row, 0]), float(scan.by_given.mean[row, 0])
    covered = volume.coverage[max(0, end - tuning.windows[1] - first) : max(0, end - first)]
    coverage = sum(covered) / tuning.windows[1]
    window_covered = volume.coverage[bins]
    doubt = float(scan.usual.doubt[0])
    spread = float(scan.by_usual.dispersion[row, 0]) + doubt
    by_count = _tail(observed, expected, spread)
    by_share = _tail(observed, given, float(scan.by_given.dispersion[row, 0]) + doubt)
    spike = Spike(
        rule=RULE,
        verdict=severity,
        reason="usual",
        window_start=_time(end - length),
        window_end=_time(end),
        observed=observed,
        total=total,
        unknown=sum(volume.unknown[bins]),
        expected=expected,
        probability=by_count,
        score=score,
        share=observed / total if total else None,
        usual_share=float(scan.usual.share[0]),
        coverage=coverage,
        minimum=int(tuning.minimum),
        threshold=dial.warning,
        loudness=given / expected,
        dispersion=spread,
        share_probability=by_share,
        critical_threshold=dial.critical,
        history_h=float(states["covered"][0]) / tuning.bins_per_hour,
        band=band(expected, spread),
        volume_score=volume_score,
        window_coverage=sum(window_covered) / length,
    )
    if spike.history_h < tuning.learn_h:
        return replace(spike, verdict="learning", reason="short_history")
    if severity != "calm":
        return replace(spike, reason="volume_surge" if rule else "negative_spike")
    if coverage < COVERED:
        return replace(spike, verdict="not_evaluated", reason="poor_coverage")
    return spike


def _nothing(volume: Volume, now: datetime, dial: Dial) -> Spike:
    end = _time(min(int(volume.start.timestamp()) // BIN_S + len(volume.negative), int(now.timestamp()) // BIN_S))
    return Spike(
        rule=RULE,
        verdict="not_evaluated",
        reason="no_bins",
        window_start=end,
        window_end=end,
        observed=0,
        total=0,
        unknown=0,
        expected=None,
        probability=None,
        score=NEVER,
        share=None,
        usual_share=None,
        coverage=0.0,
        minimum=int(DEFAULT_TUNING.minimum),
        threshold=dial.warning,
        critical_threshold=dial.critical,
    )


def _tail(observed: int, mean: float, dispersion: float) -> float:
    if observed < 1:
        return 1.0
    tail = log_tail(np.array([float(observed)]), np.array([mean]), np.array([dispersion]))
    return exp(max(float(tail[0]), -300 * LN10))


def _column(counts: object) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array(counts, dtype=np.float64)[:, None]


def _last_bin(memory: bytes) -> int | None:
    try:
        return int(from_bytes([memory], DEFAULT_TUNING)["bin"][0])
    except ValueError:
        return None


def _time(number: int) -> datetime:
    return datetime.fromtimestamp(number * BIN_S, UTC)
