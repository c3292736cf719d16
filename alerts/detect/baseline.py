"""What is usual: the level of a brand times its hour of day times its day of week, learnt hour by hour.

    level (halves in a week) x hour of day x day of week (learnt from all mentions, shrunk) x coverage -> expected

Hours that were an outbreak teach only what they would at most have held (Farrington's idea, as a clip), and an hour
in which nobody listened teaches nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts.detect.state import Floats, States
from alerts.detect.tuning import HOURS, Tuning

QUANTUM = 2.0**30
"""Expected counts are whole multiples of 2^-30: sums over windows are exact, in any order, and never drift."""


@dataclass(frozen=True, slots=True)
class Local:
    """Where a bin lies on the brands' own clocks: hour of its middle, in 0..24, weekday (Monday is 0), day number."""

    hour: Floats
    weekday: NDArray[np.intp]
    day: Floats

    @classmethod
    def of(cls, number: int, tuning: Tuning, zones: Sequence[tzinfo]) -> "Local":
        """Bin `number`, counted since 1970, where each brand is at home."""
        middle = datetime.fromtimestamp((number + 0.5) * tuning.bin_s, UTC)
        clocks = [middle.astimezone(zone) for zone in zones]
        return cls(
            np.array([clock.hour + clock.minute / 60 + clock.second / 3600 for clock in clocks]),
            np.array([clock.weekday() for clock in clocks]),
            np.array([float(clock.toordinal()) for clock in clocks]),
        )


class Usual(NamedTuple):
    """What one bin would usually hold, per brand. `season` = `hour` * `weekday`; `share` is the share of negatives."""

    expected: Floats
    missed: Floats
    season: Floats
    hour: Floats
    weekday: Floats
    share: Floats
    doubt: Floats


def usual(states: States, local: Local, coverage: Floats) -> Usual:
    tuning, index = states.tuning, states.index
    at = local.hour - 0.5
    before = np.floor(at)
    part = at - before
    first = before.astype(np.intp) % HOURS
    second = (first + 1) % HOURS
    seen, due = states["hour_seen"], states["hour_due"]
    prior = tuning.hour_prior
    hour = (1 - part) * ((seen[first, index] + prior) / (due[first, index] + prior)) + part * (
        (seen[second, index] + prior) / (due[second, index] + prior)
    )
    prior = tuning.weekday_prior
    weekday = (states["weekday_seen"][local.weekday, index] + prior) / (
        states["weekday_due"][local.weekday, index] + prior
    )
    season = hour * weekday
    level = np.where(
        states["covered"] >= tuning.frozen_after * tuning.bins_per_day, states["level_frozen"], level_of(states)
    )
    full = level * season
    return Usual(
        expected=np.rint(full * coverage * QUANTUM) / QUANTUM,
        missed=np.rint(full * (1 - coverage) * QUANTUM) / QUANTUM,
        season=season,
        hour=hour,
        weekday=weekday,
        share=(states["share_negative"] + 1) / (states["share_total"] + 4),
        doubt=1.0 / (states["level_negative"] + tuning.level_prior),
    )


def level_of(states: States) -> Floats:
    """Negatives per bin, at a season of 1."""
    tuning = states.tuning
    return (states["level_negative"] + tuning.level_prior) / (
        states["level_bins"] + tuning.level_prior_s / tuning.bin_s
    )


def learn(
    states: States,
    number: int,
    local: Local,
    of: Usual,
    negative: Floats,
    total: Floats,
    coverage: Floats,
    dispersion: Floats,
) -> None:
    """Take in one bin; at the end of an hour the hour is learnt. `dispersion` is that of the window next to an hour."""
    states["now_negative"] += negative
    states["now_total"] += total
    states["now_expected"] += of.expected
    states["now_covered"] += coverage
    states["now_weekday"] += coverage * of.weekday
    states["now_hour"] += coverage * of.hour
    if (number + 1) % states.tuning.bins_per_hour == 0:
        _learn_hour(states, local, of, dispersion)
        for name in ("now_negative", "now_total", "now_expected", "now_covered", "now_weekday", "now_hour"):
            states[name][:] = 0.0


def _learn_hour(states: States, local: Local, of: Usual, dispersion: Floats) -> None:
    tuning, index = states.tuning, states.index
    on = states["now_covered"] > 0

    def update(row: Floats, half_life_h: float, more: Floats) -> None:
        row[:] = np.where(on, row * 0.5 ** (1 / half_life_h) + more, row)

    spread = dispersion + of.doubt
    due = np.maximum(states["now_expected"], 1e-9)
    negative = np.minimum(np.maximum(states["now_negative"], 0.0), _most(due, spread, tuning.clip_sd))
    total = np.minimum(np.maximum(states["now_total"], 0.0), _most(due / of.share, spread, tuning.clip_sd))
    exposure = states["now_covered"] * of.season
    update(states["level_negative"], 24 * tuning.level_half_life, negative)
    update(states["level_total"], 24 * tuning.level_half_life, total)
    update(states["level_bins"], 24 * tuning.level_half_life, exposure)

    all_level = (states["level_total"] + tuning.level_prior) / (
        states["level_bins"] + tuning.level_prior_s / tuning.bin_s
    )
    weight = 1.0 / (1.0 + np.maximum(dispersion, 0.1) * all_level * exposure)
    hour = np.floor(local.hour).astype(np.intp) % HOURS
    for name, cell, half_life_h, seen, expected in (
        ("hour", hour, tuning.season_half_life, total, states["now_weekday"]),
        ("weekday", local.weekday, tuning.season_half_life * 24 / 7, total / 4, states["now_hour"] / 4),
    ):
        decay = 0.5 ** (1 / half_life_h)
        for row, more in ((states[f"{name}_seen"], seen), (states[f"{name}_due"], all_level * expected)):
            old = row[cell, index]
            row[cell, index] = np.where(on, old * decay + weight * more, old)

    share = np.clip(states["now_negative"] / np.maximum(states["now_total"], 1e-9), 0.0, 1.0)
    update(states["share_total"], 24 * tuning.share_half_life, total)
    update(states["share_negative"], 24 * tuning.share_half_life, np.minimum(negative, total * share))
    np.minimum(states["share_negative"], states["share_total"], out=states["share_negative"])


def _most(due: Floats, spread: Floats, sd: float) -> Floats:
    """What an hour may teach at most."""
    return due + sd * np.sqrt(due + spread * due * due) + 1.0
