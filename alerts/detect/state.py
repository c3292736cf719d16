"""What is known of each brand: one column of numbers a brand, one row a number, side by side for all brands of a batch.

    bytes (a brand's row in the database) -> `gather` -> States, judged bin by bin -> `scatter` -> bytes

A column is the brand's whole memory: the last day bin by bin, running sums over the windows, the baseline, and the
daily maxima of the last 56 days. The same bins on the same column give the same column, bit for bit, whatever other
brands are in the batch and however often it went through bytes.
"""

import struct
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from alerts.detect.tuning import HOURS, WEEKDAYS, Tuning

Floats = NDArray[np.float64]

FORMAT = 1
_HEAD = struct.Struct("<4sHH")
_MAGIC = b"avzd"
UNSEEN = np.inf  # a daily maximum of a day that has not been


def layout(tuning: Tuning) -> dict[str, int | None]:
    """The rows of a column by name, and how many numbers each takes; None is one number by itself."""
    windows, recent, day = len(tuning.windows), len(tuning.recent_dispersion), max(tuning.windows) + 1
    return {
        "bin": None,  # the last bin that was judged, counted since 1970; -1: none
        "day": None,  # its local day
        "days": None,  # how many local days have ended
        "covered": None,  # bins, weighted by coverage
        # the last day, rings by bin number: as heard, and as it counts
        "heard_negative": day,
        "heard_total": day,
        "ring_negative": day,
        "ring_total": day,
        "ring_expected": day,
        "ring_missed": day,  # what was expected of a bin that was not covered
        # running sums over the windows, and over their last sixths
        "negative": windows,
        "total": windows,
        "expected": windows,
        "late_negative": windows,
        "late_expected": windows,
        # baseline
        "level_negative": None,
        "level_total": None,
        "level_bins": None,
        "level_frozen": None,
        "share_negative": None,
        "share_total": None,
        "hour_seen": HOURS,
        "hour_due": HOURS,
        "weekday_seen": WEEKDAYS,
        "weekday_due": WEEKDAYS,
        # the hour that is not learnt yet
        "now_negative": None,
        "now_total": None,
        "now_expected": None,
        "now_covered": None,
        "now_weekday": None,
        "now_hour": None,
        # dispersion, numerators and denominators of moment estimates
        "count_excess": windows,
        "count_weight": windows,
        "share_excess": windows,
        "share_weight": windows,
        "recent_excess": recent,
        "recent_weight": recent,
        # what an outage kept from us
        "debt_negative": None,
        "debt_total": None,
        "debt_age": None,
        # the own scale: today's maxima, those of the last days (rings), and what was made of them
        "top": 2,
        "top_peak": None,
        "tops": tuning.maxima_days,
        "tops_volume": tuning.maxima_days,
        "peaks": tuning.maxima_days,
        "scale_at": 2,
        "scale_by": 2,
        "peak_at": None,
        "peak_by": None,
    }


class States:
    """The columns of a batch of brands. `states["expected"]` is a view of that row or those rows, [rows, brands]."""

    def __init__(self, data: Floats, tuning: Tuning) -> None:
        self.tuning = tuning
        self.data = data
        self._rows: dict[str, Floats] = {}
        first = 0
        for name, rows in layout(tuning).items():
            self._rows[name] = data[first] if rows is None else data[first : first + rows]
            first += 1 if rows is None else rows
        if first != len(data):
            raise ValueError(f"a state has {first} numbers, not {len(data)}")
        self.index = np.arange(data.shape[1])

    def __getitem__(self, name: str) -> Floats:
        return self._rows[name]

    def __setitem__(self, name: str, values: Floats | float) -> None:
        if values is not self._rows[name]:
            self._rows[name][...] = values

    def __len__(self) -> int:
        return len(self.index)


def width(tuning: Tuning) -> int:
    return sum(1 if rows is None else rows for rows in layout(tuning).values())


def fresh(brands: int, tuning: Tuning) -> States:
    """Brands of which nothing is known yet."""
    states = States(np.zeros((width(tuning), brands)), tuning)
    states["bin"][:] = -1
    states["day"][:] = -1
    for name in ("tops", "tops_volume", "peaks"):
        states[name][:] = UNSEEN
    states["top"][:] = tuning.maxima_floor
    states["scale_at"][:] = NOMINAL
    states["scale_by"][:] = 1.0
    states["peak_at"][:] = np.nan
    states["peak_by"][:] = tuning.peak_scale
    return states


NOMINAL = -float(np.log10(30.0))
"""log10 of months between daily maxima as they come every day."""


def to_bytes(states: States) -> list[bytes]:
    """Each brand's state as a plain value: a head, and little-endian 64-bit floats."""
    head = _HEAD.pack(_MAGIC, FORMAT, len(states.data))
    columns = np.ascontiguousarray(states.data.T).astype("<f8", copy=False)
    return [head + column.tobytes() for column in columns]


def from_bytes(values: Sequence[bytes], tuning: Tuning) -> States:
    """The batch of these brands. Raises `ValueError` where one was written by another version or is not whole."""
    size = width(tuning)
    data = np.empty((size, len(values)))
    for column, value in enumerate(values):
        if len(value) != _HEAD.size + 8 * size or _HEAD.unpack_from(value) != (_MAGIC, FORMAT, size):
            raise ValueError("not a state of this detector's version")
        data[:, column] = np.frombuffer(value, "<f8", offset=_HEAD.size)
    return States(data, tuning)


def take(states: States, columns: Iterable[int]) -> States:
    """A batch of its own with some of the brands."""
    return States(np.ascontiguousarray(states.data[:, list(columns)]), states.tuning)
