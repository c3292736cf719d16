"""Silence: next to nothing is said where much is usual, and all sources answer. A notice of its own, never a crisis.

    memory -> stories heard and due over 3, 6, 12, 24 h -> lower tails -> the rarest -> Spike

A feed that was blocked, an account that was closed, a query that matches no longer: seen from outside it is the same as
calm, and it is the moment at which every other alarm is off. A source that does not answer at all is not silence, that
is coverage. Four windows, because a silence that began at noon lasts through a night in which nothing is due: while the
last 3 h say nothing any more, 6 and 12 h still do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from math import expm1, log10

import numpy as np
from numpy.typing import NDArray

from alerts.detect.baseline import Local, usual
from alerts.detect.policy import Dial
from alerts.detect.scan import judge
from alerts.detect.score import NEVER
from alerts.detect.state import Floats, States, from_bytes
from alerts.detect.tails import log_tail
from alerts.detect.tuning import DAY_S, DEFAULT_TUNING, HOUR_S, HOURS, WEEKDAYS
from alerts.detect.verdict import COVERED, band
from alerts.spike import BIN_S, BINS_PER_DAY, BINS_PER_HOUR, Spike, Verdict

RULE = "silence/1"
WINDOWS_H = (3, 6, 12, 24)
FEW = 0.1
"""So much of the usual is still silence."""
DUE = 10.0
QUARTER_S = 900
THURSDAY = 3  # the day of 1970-01-01, counted from Monday
"""Where less is usual, silence says nothing."""


@dataclass(frozen=True, slots=True)
class _Window:
    bins: int
    heard: int
    due: float
    dispersion: float
    unknown: int = 0
    score: float = NEVER
    chance: float | None = None


def silence(
    memory: bytes,
    now_bin_end: datetime,
    coverage: Sequence[float],
    dial: Dial,
    zone: tzinfo = UTC,
    *,
    unknown: Sequence[int] = (),
) -> Spike:
    """Judge the windows that end at `now_bin_end`, the end of the last bin that the memory has heard.

    `coverage` is that of the last 288 bins, `unknown` how many stories of unknown tone each of them held: the memory
    does not count them, but somebody said them. In the Spike, `observed` and `expected` are stories of all tones, and
    `probability` is the chance of `observed` or fewer. The score is nominal: log10 of months between chance
    occurrences, -log10 p - log10(30 d / window) - log10(windows tried).
    """
    try:
        states = from_bytes([memory], DEFAULT_TUNING)
    except ValueError:
        states = None
    if states is None or int(states["bin"][0]) + 1 != int(now_bin_end.timestamp()) // BIN_S:
        return _spike(_Window(WINDOWS_H[0] * BINS_PER_HOUR, 0, 0.0, 0.0), now_bin_end, coverage, dial, "no_bins")
    windows = _windows(states, zone, unknown)
    if states["covered"][0] < states.tuning.dispersion_after_h * BINS_PER_HOUR:
        return _spike(windows[0], now_bin_end, coverage, dial, "short_history", states)
    rarest = max(windows, key=lambda window: window.score if _is_covered(coverage, window) else NEVER)
    if _is_covered(coverage, rarest) and rarest.score >= dial.warning + 1:
        return _spike(rarest, now_bin_end, coverage, dial, "silence", states)
    doubtful = [window for window in windows if not _is_covered(coverage, window) and _is_quiet(window)]
    if doubtful or not _is_covered(coverage, windows[0]):
        return _spike(next(iter(doubtful), windows[0]), now_bin_end, coverage, dial, "poor_coverage", states)
    return _spike(rarest, now_bin_end, coverage, dial, "usual", states)


def _windows(states: States, zone: tzinfo, unknown: Sequence[int]) -> list[_Window]:
    tuning, last = states.tuning, int(states["bin"][0])
    numbers = np.arange(last, last - BINS_PER_DAY, -1)
    slots = numbers % len(states["heard_total"])
    heard = states["heard_total"][slots, 0]
    untold = np.zeros(BINS_PER_DAY)
    untold[: len(unknown)] = unknown[: -BINS_PER_DAY - 1 : -1]
    of = usual(states, Local.of(last, tuning, (zone,)), np.ones(1))
    due = states["ring_expected"][slots, 0] * _lived(states, last, zone) / float(of.share[0])
    dispersions = judge(states, of).by_usual.dispersion[:, 0] + float(of.doubt[0])
    windows = []
    for hours in WINDOWS_H:
        bins = hours * BINS_PER_HOUR
        row = max(row for row, seconds in enumerate(tuning.windows_s) if seconds <= hours * HOUR_S)
        blank = int(untold[:bins].sum())
        window = _Window(bins, int(heard[:bins].sum()) + blank, float(due[:bins].sum()), float(dispersions[row]), blank)
        windows.append(_tested(window))
    return windows


def _lived(states: States, last: int, zone: tzinfo) -> Floats:
    """How much of what is due in each bin of the last day, newest first, the brand's own hours and weekdays bear out.

    The baseline leans towards a flat day and a flat week while it has seen little. That is wise where too much is the
    question, and rash where too little is: a first night and a first Sunday are quieter than it thinks. Here only what
    was heard at that hour and on that weekday counts, and one that was never lived through says nothing.
    """
    tuning = states.tuning
    hour_seen, hour_due = states["hour_seen"][:, 0], states["hour_due"][:, 0]
    day_seen, day_due = states["weekday_seen"][:, 0], states["weekday_due"][:, 0]
    hours = (hour_seen + tuning.hour_prior) / (hour_due + tuning.hour_prior)
    days = (day_seen + tuning.weekday_prior) / (day_due + tuning.weekday_prior)
    own_hours = np.where(hour_due > 0, hour_seen / np.maximum(hour_due, 1e-9), 0.0)
    own_days = np.where(day_due > 0, day_seen / np.maximum(day_due, 1e-9), 0.0)
    end = datetime.fromtimestamp((last + 1) * BIN_S, UTC)
    weekday, hour = _clocks(end, zone)
    before = np.floor(hour - 0.5)
    part, first = hour - 0.5 - before, before.astype(np.intp) % HOURS
    between = (1 - part) * hours[first] + part * hours[(first + 1) % HOURS]  # as the baseline had it
    by_hour = np.minimum(1.0, own_hours[hour.astype(np.intp)] / between)
    found: Floats = by_hour * np.minimum(1.0, own_days[weekday] / days[weekday])
    return found


def _clocks(end: datetime, zone: tzinfo) -> tuple[NDArray[np.intp], Floats]:
    """Weekday and hour (0..24) in the middle of each bin of the last day, newest first.

    A zone's offset changes on the quarter of an hour, if at all: of each quarter one bin is asked.
    """
    middles = end.timestamp() - (np.arange(BINS_PER_DAY) + 0.5) * BIN_S
    quarters, of = np.unique(middles // QUARTER_S, return_inverse=True)
    asked = (datetime.fromtimestamp(quarter * QUARTER_S, zone) for quarter in quarters.tolist())
    offset = np.array([(clock.utcoffset() or timedelta()).total_seconds() for clock in asked])
    local = middles + offset[of]
    weekday = ((local // DAY_S + THURSDAY) % WEEKDAYS).astype(np.intp)
    hour: Floats = local // HOUR_S % HOURS + local // 60 % 60 / 60 + local % 60 / HOUR_S
    return weekday, hour


def _tested(window: _Window) -> _Window:
    if window.due < DUE or not _is_quiet(window):
        return window
    tail = log_tail(np.array([window.heard + 1.0]), np.array([window.due]), np.array([window.dispersion]))
    chance = max(-expm1(float(tail[0])), 1e-300)
    score = -log10(chance) - log10(30 * BINS_PER_DAY / window.bins) - log10(len(WINDOWS_H))
    return replace(window, score=score, chance=chance)


def _is_quiet(window: _Window) -> bool:
    return window.heard <= FEW * window.due


def _is_covered(coverage: Sequence[float], window: _Window) -> bool:
    """Every bin by itself: an hour in which nobody listened makes an hour of silence."""
    return len(coverage) >= window.bins and min(coverage[-window.bins :]) >= COVERED


_VERDICTS: dict[str, Verdict] = {
    "silence": "notice",
    "usual": "calm",
    "short_history": "learning",
    "poor_coverage": "not_evaluated",
    "no_bins": "not_evaluated",
}


def _spike(
    window: _Window, end: datetime, coverage: Sequence[float], dial: Dial, reason: str, states: States | None = None
) -> Spike:
    bins = coverage[-window.bins :]
    return Spike(
        rule=RULE,
        verdict=_VERDICTS[reason],
        reason=reason,
        window_start=end - timedelta(seconds=window.bins * BIN_S),
        window_end=end,
        observed=window.heard,
        total=window.heard,
        unknown=window.unknown,
        expected=window.due or None,
        probability=window.chance,
        score=window.score,
        share=None,
        usual_share=None,
        coverage=sum(bins) / window.bins,
        minimum=0,
        threshold=dial.warning + 1,
        dispersion=window.dispersion or None,
        history_h=0.0 if states is None else float(states["covered"][0]) / BINS_PER_HOUR,
        band=band(window.due, window.dispersion) if window.due and window.dispersion else None,
    )
