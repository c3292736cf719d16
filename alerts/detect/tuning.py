"""What the scan goes by: the windows, how fast it forgets, what it believes before it has seen anything.

None of these numbers is a brand's own, and none is for an operator to turn: they turn one dial (`policy.Policy`).
"""

from dataclasses import dataclass

BIN_S = 300
BINS_PER_HOUR = 3600 // BIN_S
BINS_PER_DAY = 24 * BINS_PER_HOUR
HOURS, WEEKDAYS = 24, 7


@dataclass(frozen=True, slots=True)
class Tuning:
    """Windows are bins of 300 s, half-lives days; `dispersion` is Var = mean + dispersion * mean^2.

    Tuples have one value a window. Priors are medians of real brand-mention series.
    """

    windows: tuple[int, ...] = (1, 6, 36, 288)
    # ── the baseline ──
    level_half_life: float = 7.0
    season_half_life: float = 28.0
    share_half_life: float = 14.0
    hour_prior: float = 8.0  # mentions that a brand's own hour of day must outweigh
    weekday_prior: float = 8.0
    level_prior: float = 0.05  # negatives seen in `level_prior_bins`, before anything was
    level_prior_bins: float = 0.025
    clip_sd: float = 3.0  # what an hour holds beyond this does not teach
    frozen_after: float = 3.0  # from this covered day on the level is that of last midnight: today cannot hide today
    # ── dispersion ──
    count_dispersion: tuple[float, ...] = (0.40, 0.25, 0.15, 0.08)
    share_dispersion: tuple[float, ...] = (0.30, 0.18, 0.12, 0.06)
    dispersion_prior: float = 15.0  # windows that a brand's own dispersion must outweigh
    dispersion_half_life: float = 21.0
    dispersion_min: float = 0.02
    dispersion_clip_sd: float = 2.5
    dispersion_after_h: float = 96.0
    # ── the tests ──
    minimum: float = 3.0
    ratio: float = 1.5
    above_sd: float = 2.0
    still: float = 1.5  # the last sixth of a window is still so many times the usual
    mostly: float = 0.5  # from this share of negatives on, the rest of the stream is no excuse
    learn_h: float = 24.0
    # ── the own scale ──
    maxima_days: int = 56
    maxima_floor: float = -2.0
    maxima_prior: float = 10.0
    peak_window: int = 2
    peak_prior: float = 3.0
    peak_scale: float = 0.25
    peak_lead: float = 1.0  # the record counts for at most so much more than the scan
    offset: float = 0.45  # makes a score of 0 once a month (benchmarks/detect.py)
    # ── after an outage ──
    catch_up_bins: int = 6


DEFAULT_TUNING = Tuning()
