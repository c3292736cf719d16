"""The scan: is the negative count of the last 5 min, 30 min, 3 h or 24 h improbable, given how loud the brand is now?

    bin -> day's end -> usual -> debt -> running sums -> control -> gates -> tails -> evidence -> score -> learn

`step` judges one closed bin of every brand of a batch. It is O(1) a brand and bin; tails are computed only where the gates
are passed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.detect.baseline import Local, Usual, learn, level_of, usual
from alerts.detect.debt import pay_back
from alerts.detect.score import NEVER, close_day, score
from alerts.detect.state import Floats, States
from alerts.detect.tails import log_tail
from alerts.detect.tuning import BINS_PER_DAY, BINS_PER_HOUR

LN10 = float(np.log(10.0))


@dataclass(frozen=True, slots=True)
class Scan:
    score: Floats
    volume_score: Floats
    evidence: Floats
    window: NDArray[np.intp]
    usual: Usual
    given: Floats


def step(states: States, number: int, local: Local, negative: Floats, total: Floats, coverage: Floats) -> Scan:
    tuning = states.tuning
    _turn_day(states, local)
    of = usual(states, local, coverage)
    negative, total = pay_back(states, of, negative, total, coverage)
    _push(states, number, negative, total, of.expected)
    states["covered"] += coverage
    states["bin"][:] = number

    seen, heard = states["negative"], states["total"]
    due = np.maximum(states["expected"], 1e-9)
    prior = tuning.dispersion_prior
    count = np.maximum(
        (states["count_excess"] + prior * _column(tuning.count_dispersion)) / (states["count_weight"] + prior),
        tuning.dispersion_min,
    )
    share = np.maximum(
        (states["share_excess"] + prior * _column(tuning.share_dispersion)) / (states["share_weight"] + prior),
        tuning.dispersion_min,
    )
    loud = 1.0 / _column(tuning.count_dispersion)
    given = np.maximum(due * ((heard - seen + loud) / (due * ((1 - of.share) / of.share) + loud)), 1e-9)
    evidence, window = _tests(states, due, given, count + of.doubt, share + of.doubt, of)
    scores = score(states, evidence)
    _learn_dispersion(states, number, due, given, count, share)
    learn(states, number, local, of, negative, total, coverage, count[1])
    return Scan(scores[0], scores[1], evidence, window, of, given)


def _column(values: tuple[float, ...]) -> Floats:
    return np.array(values)[:, None]


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
    size = len(ring[0])
    sums = states["negative"], states["total"], states["expected"]
    for row, length in enumerate(states.tuning.windows):
        old = (number - length) % size
        for of, counts in zip(sums, ring, strict=True):
            of[row] -= counts[old]
        old = (number - max(1, length // 6)) % size
        states["late_negative"][row] -= ring[0][old]
        states["late_expected"][row] -= ring[2][old]
    at = number % size
    for counts, new in zip(ring, (negative, total, expected), strict=True):
        counts[at] = new
    for of, new in zip(sums, (negative, total, expected), strict=True):
        of += new
    states["late_negative"][:] += negative
    states["late_expected"][:] += expected


def _tests(
    states: States, due: Floats, given: Floats, count: Floats, share: Floats, of: Usual
) -> tuple[Floats, NDArray[np.intp]]:
    tuning = states.tuning
    seen, heard = states["negative"], states["total"]
    evidence = np.full((2, *seen.shape), NEVER)
    passed = (
        (seen >= np.maximum(tuning.minimum, tuning.ratio * due))
        & (seen > due + tuning.above_sd * np.sqrt(due + count * due * due))
        & (states["late_negative"] >= np.maximum(1.0, tuning.still * states["late_expected"]))
    )
    window, brand = np.nonzero(passed)
    if len(window):
        k, n = seen[passed], heard[passed]
        often = np.log10(30.0 * BINS_PER_DAY / np.array(tuning.windows))[window] + np.log10(len(tuning.windows))
        by_count = log_tail(k, due[passed], count[passed])
        by_share = log_tail(k, given[passed], share[passed])
        of_all = k / n
        joint = np.where(of_all >= tuning.mostly, np.minimum(by_count, by_share), by_share)
        evidence[0][passed] = -joint / LN10 - often
        evidence[1][passed] = np.where(of_all >= of.share[brand], -by_count / LN10 - often, NEVER)
    return evidence.max(axis=1), evidence[0].argmax(axis=0)


def _learn_dispersion(
    states: States, number: int, due: Floats, given: Floats, count: Floats, share: Floats
) -> None:
    tuning = states.tuning
    warm = states["covered"] >= tuning.dispersion_after_h * BINS_PER_HOUR
    seen = states["negative"]
    for row, length in enumerate(tuning.windows):
        if (number + 1) % length:
            continue
        decay = 0.5 ** (length / (tuning.dispersion_half_life * BINS_PER_DAY))
        part = min(1.0, length / BINS_PER_HOUR)
        for mean, spread, excess, weight in (
            (due[row], count[row], states["count_excess"][row], states["count_weight"][row]),
            (given[row], share[row], states["share_excess"][row], states["share_weight"][row]),
        ):
            clipped = np.minimum(
                seen[row], mean + tuning.dispersion_clip_sd * np.sqrt(mean + spread * mean * mean) + 1
            )
            w = np.where(warm & (mean > 1e-8), part / (1 + spread * mean) ** 2, 0.0)
            excess *= decay
            excess += w * ((clipped - mean) ** 2 - mean)
            weight *= decay
            weight += w * mean * mean
