"""The Numenta Anomaly Benchmark's own score for detections in labelled windows (numenta/NAB, `nab/sweeper.py`).

In a window the first detection counts, the earlier the better; outside it costs, the less the nearer behind a window;
a missed window costs one (two in the low-FN profile). The first 15 % of a series (750 rows at most) are probation, and
nothing is found in it. 100 is a detection at the start of every window and nothing else, 0 is a
detector that never speaks (`nab/runner.py`, `Runner.normalize`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path

PROBATION, PROBATION_ROWS = 0.15, 5000


@dataclass(frozen=True)
class Profile:
    name: str
    false_positive: float
    false_negative: float


PROFILES = (Profile("standard", 0.11, 1.0), Profile("low FP", 0.22, 1.0), Profile("low FN", 0.11, 2.0))


@dataclass(frozen=True)
class Labelled:
    """Timestamps as written, counts, and windows as first and last row."""

    name: str
    timestamps: Sequence[str]
    counts: Sequence[int]
    windows: Sequence[tuple[int, int]]


def read(folder: Path) -> list[Labelled]:
    """Every series of a folder with its windows (`windows.json`: name -> [[first, last], ...])."""
    found = []
    for name, windows in sorted(json.loads((folder / "windows.json").read_text()).items()):
        lines = (folder / name).read_text().splitlines()[1:]
        stamps = [line.split(",")[0] for line in lines]
        row = {stamp: at for at, stamp in enumerate(stamps)}
        at = [(row[first.split(".")[0]], row[last.split(".")[0]]) for first, last in windows]
        found.append(Labelled(name, stamps, [int(float(line.split(",")[1])) for line in lines], at))
    return found


def score(series: Sequence[Labelled], detections: Mapping[str, Sequence[int]], profile: Profile) -> float:
    """`detections`: rows by series name. Normalised over all series together, as NAB does."""
    raw = sum(_raw(one, detections[one.name], profile) for one in series)
    null = -profile.false_negative * sum(len(_scored(one)) for one in series)
    perfect = sum(len(one.windows) for one in series)
    return 100 * (raw - null) / (perfect - null)


def _raw(one: Labelled, rows: Sequence[int], profile: Profile) -> float:
    probation = _probation(one)
    best: dict[tuple[int, int], float] = dict.fromkeys(_scored(one), -profile.false_negative)
    false = 0.0
    for row in rows:
        if row < probation:
            continue
        inside = next((window for window in one.windows if window[0] <= row <= window[1]), None)
        if inside is not None:
            first, last = inside
            gain = _sigmoid(-(last - row + 1) / (last - first + 1)) / _sigmoid(-1.0)
            best[inside] = max(best[inside], gain)
            continue
        before = [window for window in one.windows if window[1] < row]
        cost = -1.0 if not before else _sigmoid((row - before[-1][1]) / (before[-1][1] - before[-1][0]))
        false += profile.false_positive * cost
    return sum(best.values()) + false


def _probation(one: Labelled) -> int:
    return int(PROBATION * min(len(one.timestamps), PROBATION_ROWS))


def _scored(one: Labelled) -> list[tuple[int, int]]:
    return [window for window in one.windows if window[1] >= _probation(one)]


def _sigmoid(position: float) -> float:
    return -1.0 if position >= 3.0 else 2 / (1 + exp(5 * position)) - 1
