"""What the scan goes by: the windows, how fast it forgets, what it believes before it has seen anything.

None of these numbers is a brand's own, and none is for an operator to turn: they turn one dial (`policy.Dial`).
"""

from dataclasses import dataclass, replace
from math import log

HOUR_S, DAY_S = 3600, 86400
HOURS, WEEKDAYS = 24, 7


@dataclass(frozen=True, slots=True)
class Tuning:
    """Windows are in seconds, half-lives in days; a dispersion d means a variance of mean + d * mean^2.

    Tuples have one value a window, `recent_dispersion` one for each of the first windows. The priors are medians of
    real brand-mention series at these window lengths.
    """

    bin_s: int = 300
    windows_s: tuple[int, ...] = (300, 1800, 10800, 86400)
    # ── the baseline ──
    level_half_life: float = 7.0
    season_half_life: float = 28.0
    share_half_life: float = 14.0
    hour_prior: float = 8.0  # mentions that a brand's own hour of day must outweigh
    weekday_prior: float = 8.0
    level_prior: float = 0.05  # negatives, in `level_prior_s`: what is believed before anything was seen
    level_prior_s: float = 7.5
    clip_sd: float = 3.0  # what an hour holds beyond this does not teach
    frozen_after: float = 3.0  # from this covered day on the level is that of last midnight: today cannot hide today
    # ── dispersion ──
    count_dispersion: tuple[float, ...] = (0.40, 0.25, 0.15, 0.08)
    share_dispersion: tuple[float, ...] = (0.30, 0.18, 0.12, 0.06)
    recent_dispersion: tuple[float, ...] = (0.25, 0.14)
    dispersion_prior: float = 15.0  # windows that a brand's own dispersion must outweigh
    dispersion_half_life: float = 21.0
    dispersion_min: float = 0.02
    dispersion_clip_sd: float = 2.5
    dispersion_after_h: float = 96.0
    # ── the tests ──
    minimum: float = 3.0
    ratio: float = 1.5
    above_sd: float = 2.0
    still: float = 1.5  # the last sixth of a window still holds so many times the usual
    mostly: float = 0.5  # from this share of negatives on, the rest of the stream is less of an excuse
    mostly_decades: float = 1.0  # by so much at most: a surge of everything is no crisis, whatever the brand's share
    believed: float = 0.5  # of the prior's weight is left where the rest of the stream is louder than it expects
    before: int = 2  # which window holds "the hours before"
    loudest: float = 1.5  # as loud as a stream gets by itself; what was louder says nothing of the share
    learn_h: float = 24.0
    # ── the own scale ──
    maxima_days: int = 56
    maxima_floor: float = -2.0
    maxima_prior: float = 10.0  # days that a brand's own maxima must outweigh
    peak_window: int = 2
    peak_prior: float = 3.0
    peak_scale: float = 0.25
    peak_lead: float = 1.0  # the record counts for at most so much more than the scan
    offset: float = 0.45  # makes a score of 0 once a month (benchmarks/detect.py)
    # ── after an outage ──
    catch_up_s: int = 1800

    @property
    def windows(self) -> tuple[int, ...]:
        """Window lengths in bins."""
        return tuple(seconds // self.bin_s for seconds in self.windows_s)

    @property
    def bins_per_hour(self) -> int:
        return HOUR_S // self.bin_s

    @property
    def bins_per_day(self) -> int:
        return DAY_S // self.bin_s

    @property
    def hour_window(self) -> int:
        """Which window is next to an hour."""
        return min(range(len(self.windows_s)), key=lambda row: abs(log(self.windows_s[row] / HOUR_S)))


DEFAULT_TUNING = Tuning()

# Dispersions by window length, where bins are not the usual ones.
_COUNT = {60: 0.45, 300: 0.40, 600: 0.33, 900: 0.30, 1800: 0.25, 3600: 0.20, 10800: 0.15, 86400: 0.08}
_SHARE = {60: 0.35, 300: 0.30, 600: 0.22, 900: 0.20, 1800: 0.18, 3600: 0.15, 10800: 0.12, 86400: 0.06}
_RECENT = {60: 0.30, 300: 0.25, 600: 0.18, 900: 0.16, 1800: 0.14}
BINS_S = (60, 300, 600, 900, 1800, 3600)


def tuning_for(bin_s: int) -> Tuning:
    """The tuning for bins of this length. Raises `ValueError` for one that is not in `BINS_S`."""
    if bin_s not in BINS_S:
        raise ValueError(f"bins are of {', '.join(str(seconds // 60) for seconds in BINS_S)} minutes")
    windows = tuple(sorted({max(bin_s, seconds) for seconds in DEFAULT_TUNING.windows_s}))
    return replace(
        DEFAULT_TUNING,
        bin_s=bin_s,
        windows_s=windows,
        count_dispersion=tuple(_COUNT[seconds] for seconds in windows),
        share_dispersion=tuple(_SHARE[seconds] for seconds in windows),
        recent_dispersion=tuple(_RECENT[seconds] for seconds in windows if seconds < HOUR_S),
        before=windows.index(10800),
        peak_window=windows.index(10800),
    )
