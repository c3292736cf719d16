"""The scan: is the negative count of the last 5 min, 30 min, 3 h or 24 h improbable, given how loud the brand is now?

    bin -> day's end -> usual -> debt -> running sums -> control -> gates -> tails -> evidence -> score -> learn

`step` judges one closed bin of every brand of a batch. It is O(1) a brand and bin; tails are computed only where the
gates are passed. What a count is held against:

* **usual**: the baseline over the window. A count that is rare by it alone tells of a surge (of anything).
* **given**: the usual, times how loud the rest of the brand's stream is in the window (Gamma-Poisson). Count and share
  of negatives are tested together, so a busy day with its usual share stays calm. Of a window that is mostly negative
  the rest is a smaller excuse, and the count makes it rarer; by a decade at most.
* **recent**: the given, times how negative the stream was in the hours before. Shares wander over hours and jump in
  a crisis, so a jump is seen sooner, and a share that was high all day surprises less.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from alerts.detect.baseline import Local, Usual, learn, level_of, usual
from alerts.detect.debt import pay_back
from alerts.detect.score import LN10, NEVER, close_day, score
from alerts.detect.state import Floats, States
from alerts.detect.tails import log_tail
from alerts.detect.tuning import Tuning


@dataclass(frozen=True, slots=True)
class Held:
    """What the windows' counts are held against, [windows, brands]: means, and their dispersions."""

    mean: Floats
    dispersion: Floats


@dataclass(frozen=True, slots=True)
class Scan:
    """What one bin said of each brand. Scores are log10 of months between chance occurrences, `NEVER` untested.

    `evidence` and `window` are [rules, brands], the rules being negatives and volume: the nominal evidence, and the row
    of the window that spoke loudest.
    """

    score: Floats
    volume_score: Floats
    evidence: Floats
    window: NDArray[np.intp]
    usual: Usual
    by_usual: Held
    by_given: Held
    by_recent: Held


@dataclass(frozen=True, slots=True)
class _Prior:
    """A tuning's numbers as columns."""

    count: Floats
    share: Floats
    recent: Floats
    loud: Floats
    often: Floats
    boring: Floats


@cache
def _prior(tuning: Tuning) -> _Prior:
    def column(values: tuple[float, ...]) -> Floats:
        return np.array(values)[:, None]

    windows = np.array(tuning.windows)
    often = np.log10(30.0 * tuning.bins_per_day / windows) + np.log10(len(windows))
    return _Prior(
        count=column(tuning.count_dispersion),
        share=column(tuning.share_dispersion),
        recent=column(tuning.recent_dispersion),
        loud=1.0 / column(tuning.count_dispersion),
        often=often,
        boring=-(often + tuning.maxima_floor) * LN10,
    )


def step(states: States, number: int, local: Local, negative: Floats, total: Floats, coverage: Floats) -> Scan:
    """Judge and learn bin `number` (counted since 1970) of every brand. Counts are whole, coverage is 0..1."""
    _turn_day(states, local)
    of = usual(states, local, coverage)
    size = len(states["heard_negative"])
    states["heard_negative"][number % size] = negative
    states["heard_total"][number % size] = total
    states["ring_missed"][number % size] = of.missed
    negative, total = pay_back(states, of, negative, total, coverage)
    _push(states, number, negative, total, of.expected)
    states["covered"] += coverage
    states["bin"][:] = number
    scan = judge(states, of)
    for name, held in (("count", scan.by_usual), ("share", scan.by_given), ("recent", scan.by_recent)):
        _learn_dispersion(states, number, name, held)
    learn(states, number, local, of, negative, total, coverage, scan.by_usual.dispersion[states.tuning.hour_window])
    return scan


def judge(states: States, of: Usual, arrived: Floats | float = 0.0) -> Scan:
    """What the windows that end with the last bin say. `arrived`: negatives that came late, since the last verdict."""
    tuning, prior = states.tuning, _prior(states.tuning)
    seen = states["negative"]
    due = np.maximum(states["expected"], 1e-9)
    by_usual = Held(due, _dispersion(states, "count", prior.count))
    rest = np.maximum(states["total"] - seen, 0.0)
    usual_rest = due * ((1 - of.share) / of.share)
    given = np.maximum(due * _loudness(rest, usual_rest, prior.loud, tuning.believed), 1e-9)
    by_given = Held(given, _dispersion(states, "share", prior.share))
    by_recent = Held(
        _recent(states, due, given, rest, usual_rest, by_given.dispersion[tuning.before], prior),
        _dispersion(states, "recent", prior.recent),
    )
    evidence, window = _tests(states, of, by_usual, by_given, by_recent, arrived)
    scores = score(states, evidence)
    return Scan(scores[0], scores[1], evidence, window, of, by_usual, by_given, by_recent)


def _turn_day(states: States, local: Local) -> None:
    turned = states["day"] != local.day
    if turned.any():
        ended = turned & (states["day"] >= 0)
        if ended.any():
            close_day(states, ended)
            states["level_frozen"][ended] = level_of(states)[ended]
        states["day"][turned] = local.day[turned]


def _push(states: States, number: int, negative: Floats, total: Floats, expected: Floats) -> None:
    ring = states["ring_negative"], states["ring_total"], states["ring_expected"]
    sums = states["negative"], states["total"], states["expected"]
    late_negative, late_expected = states["late_negative"], states["late_expected"]
    size = len(ring[0])
    for row, length in enumerate(states.tuning.windows):
        old = (number - length) % size
        for of, counts in zip(sums, ring, strict=True):
            of[row] -= counts[old]
        old = (number - max(1, length // 6)) % size
        late_negative[row] -= ring[0][old]
        late_expected[row] -= ring[2][old]
    for of, counts, new in zip(sums, ring, (negative, total, expected), strict=True):
        counts[number % size] = new
        of += new
    late_negative += negative
    late_expected += expected


def _dispersion(states: States, name: str, prior: Floats) -> Floats:
    weight = states.tuning.dispersion_prior
    own: Floats = (states[f"{name}_excess"] + weight * prior) / (states[f"{name}_weight"] + weight)
    return np.maximum(own, states.tuning.dispersion_min)


def _loudness(rest: Floats, usual_rest: Floats, prior: Floats, believed: float) -> Floats:
    """How many times as loud as usual the rest of the stream is: the mean of a Gamma-Poisson posterior.

    Real streams grow louder than the prior expects: where the rest says so, `believed` of the prior's weight is left.
    """
    less = believed * prior
    return np.maximum((rest + prior) / (usual_rest + prior), (rest + less) / (usual_rest + less))


def _recent(
    states: States, due: Floats, given: Floats, rest: Floats, usual_rest: Floats, dispersion: Floats, prior: _Prior
) -> Floats:
    """What is given for the first windows, times how negative the hours before them were."""
    tuning = states.tuning
    first, before = len(tuning.recent_dispersion), tuning.before
    seen = states["negative"]
    due_before = np.maximum(due[before] - due[:first], 1e-9)
    loud = prior.loud[before]
    loudness = (rest[before] - rest[:first] + loud) / (np.maximum(usual_rest[before] - usual_rest[:first], 0.0) + loud)
    due_before = due_before * np.minimum(loudness, tuning.loudest)
    trust = 1.0 / dispersion
    recent: Floats = given[:first] * ((seen[before] - seen[:first] + trust) / (due_before + trust))
    return np.maximum(recent, 1e-9)


def _tests(
    states: States, of: Usual, by_usual: Held, by_given: Held, by_recent: Held, arrived: Floats | float
) -> tuple[Floats, NDArray[np.intp]]:
    """Evidence per rule and brand: log10 of months between chance occurrences, nominal, of the window with the most."""
    tuning, prior = states.tuning, _prior(states.tuning)
    seen, due = states["negative"], by_usual.mean
    passed = (
        (seen >= np.maximum(tuning.minimum, tuning.ratio * due))
        & (states["late_negative"] + arrived >= np.maximum(1.0, tuning.still * states["late_expected"]))
        & (seen > due + tuning.above_sd * np.sqrt(due + (by_usual.dispersion + of.doubt) * due * due))
    )
    evidence = np.full((2, *seen.shape), NEVER)
    window, brand = np.nonzero(passed)
    if len(window):
        boring, doubt = prior.boring[window], of.doubt[brand]
        count = seen[passed]
        share = count / np.maximum(states["total"][passed], count)

        def tail(held: Held, some: NDArray[np.bool_] | slice = slice(None), more: float = 0.0) -> Floats:
            at = window[some], brand[some]
            return log_tail(count[some], held.mean[at], held.dispersion[at] + doubt[some], boring[some] + more)

        by_count = tail(by_usual)
        doubted = tuning.mostly_decades * LN10
        joint = tail(by_given, more=doubted)
        joint = np.where(share >= tuning.mostly, np.minimum(joint, np.maximum(by_count, joint - doubted)), joint)
        short = window < len(by_recent.mean)
        if short.any():
            joint[short] = np.minimum(joint[short], tail(by_recent, short))
        evidence[0][passed] = -joint / LN10 - prior.often[window]
        evidence[1][passed] = np.where(share >= of.share[brand], -by_count / LN10 - prior.often[window], NEVER)
    return evidence.max(axis=1), evidence.argmax(axis=1)


def _learn_dispersion(states: States, number: int, name: str, held: Held) -> None:
    """Moment estimates from the residuals of windows that do not overlap, outbreaks clipped."""
    tuning = states.tuning
    for row, (mean, spread) in enumerate(zip(held.mean, held.dispersion, strict=True)):
        length = tuning.windows[row]
        if (number + 1) % length:
            continue
        warm = states["covered"] >= tuning.dispersion_after_h * tuning.bins_per_hour
        decay = 0.5 ** (length / (tuning.dispersion_half_life * tuning.bins_per_day))
        most = mean + tuning.dispersion_clip_sd * np.sqrt(mean + spread * mean * mean) + 1
        residual = np.minimum(states["negative"][row], most) - mean
        part = min(1.0, length / tuning.bins_per_hour)
        weight = np.where(warm & (mean > 1e-8), part / (1 + spread * mean) ** 2, 0.0)
        excess, seen = states[f"{name}_excess"][row], states[f"{name}_weight"][row]
        excess[:] = excess * decay + weight * (residual * residual - mean)
        seen[:] = seen * decay + weight * mean * mean
