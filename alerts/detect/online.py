"""A stream of counts judged row by row, strictly online: what `avizor detect FILE.csv` does.

    rows (timestamp,count or timestamp,negative,total) -> bins -> scan -> verdict -> pager -> one line a row

Nothing is known of a row's future, and no row changes what was said of an earlier one. Where only counts are known
there is no share to look at, and the volume rule decides.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from alerts.detect.baseline import Local, usual
from alerts.detect.late import restate
from alerts.detect.paging import Pager, turn
from alerts.detect.policy import Dial
from alerts.detect.scan import Scan, judge, step
from alerts.detect.score import NEVER
from alerts.detect.state import States, fresh
from alerts.detect.tuning import DEFAULT_TUNING, Tuning

Verdict = Literal["learning", "calm", "warning", "critical"]

COLUMNS = (("timestamp", "count"), ("timestamp", "negative", "total"))
MAX_COUNT = 10**12
MAX_GAP_DAYS = 56
"""After a longer silence nothing that was learnt holds any more."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one bin held. Where only a count is known, `negative` and `total` both are it."""

    at: datetime
    negative: int
    total: int


@dataclass(frozen=True, slots=True)
class Line:
    """The verdict on one row. `expected` and `observed` are of the window that spoke, `window_s` seconds long.

    `score` is log10 of months between chance occurrences, -9 where nothing was tested. `notify` is true only where a
    notice leaves. `reasons` are stable words.
    """

    timestamp: datetime
    verdict: Verdict
    notify: bool
    score: float
    observed: int
    expected: float
    window_s: int
    reasons: tuple[str, ...]


def read_rows(lines: Iterable[str]) -> tuple[bool, Iterator[Row]]:
    """Whether only counts are known, and the rows of a CSV file. Raises `ValueError` with the line's number.

    Timestamps are ISO 8601, in UTC where they name no zone, or seconds since 1970.
    """
    reader = csv.reader(lines)
    header = tuple(name.strip().lower() for name in next(reader, []))
    if header not in COLUMNS:
        raise ValueError(f"line 1: the columns are {' or '.join(','.join(columns) for columns in COLUMNS)}")
    return len(header) == 2, (_row(reader.line_num, values, len(header)) for values in reader if values)


def _row(number: int, values: list[str], width: int) -> Row:
    if len(values) != width:
        raise ValueError(f"line {number}: has {len(values)} values, not {width}")
    try:
        at = _time(values[0].strip())
        counts = [_count(value) for value in values[1:]]
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"line {number}: {error}") from None
    if counts[0] > counts[-1]:
        raise ValueError(f"line {number}: more negatives than there are in total")
    return Row(at, counts[0], counts[-1])


def _time(text: str) -> datetime:
    if text.replace(".", "", 1).isdigit():
        return datetime.fromtimestamp(float(text), UTC)
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _count(text: str) -> int:
    value = float(text)
    if not 0 <= value <= MAX_COUNT or value != int(value):
        raise ValueError(f"{text.strip()!r} is no count")
    return int(value)


class Online:
    """One stream. `observe` takes its rows in order; a row of an earlier bin, or of the same, adds to that bin."""

    def __init__(self, dial: Dial | None = None, tuning: Tuning = DEFAULT_TUNING, *, counts_only: bool = False) -> None:
        self._dial = dial or Dial()
        self._tuning = tuning
        self._counts_only = counts_only
        self._states = fresh(1, tuning)
        self._pager = Pager()

    @property
    def states(self) -> States:
        return self._states

    def observe(self, row: Row) -> Line:
        number = int(row.at.timestamp() // self._tuning.bin_s)
        last = int(self._states["bin"][0])
        if last >= 0 and number - last > MAX_GAP_DAYS * self._tuning.bins_per_day:
            self._states, last = fresh(1, self._tuning), -1
        if number <= last:
            scan, late = self._late(number, row), True
        else:
            for missed in range(last + 1 if last >= 0 else number, number):
                self._step(missed, 0, 0, 0.0)
            scan, late = self._step(number, row.negative, row.total, 1.0), False
        return self._line(row, scan, late)

    def _step(self, number: int, negative: int, total: int, coverage: float) -> Scan:
        local = Local.of(number, self._tuning, (UTC,))
        counts = (np.array([float(value)]) for value in (negative, total, coverage))
        return step(self._states, number, local, *counts)

    def _late(self, number: int, row: Row) -> Scan:
        states = self._states
        last = int(states["bin"][0])
        arrived = np.zeros(1)
        if last - number < self._tuning.bins_per_day:
            slot = number % len(states["heard_negative"])
            known = states["heard_negative"][slot] + row.negative, states["heard_total"][slot] + row.total
            arrived = restate(states, number, known[0][None, :], known[1][None, :])
        return judge(states, usual(states, Local.of(last, self._tuning, (UTC,)), np.ones(1)), arrived)

    def _line(self, row: Row, scan: Scan, late: bool) -> Line:
        states, dial, tuning = self._states, self._dial, self._tuning
        score, volume_score = float(scan.score[0]), float(scan.volume_score[0])
        if self._counts_only:
            score = volume_score
        rule = int(self._counts_only or score < dial.warning <= volume_score - 1)
        window = int(scan.window[rule, 0]) if scan.evidence[rule, 0] > NEVER else tuning.hour_window
        reasons: list[str] = ["late"] if late else []
        verdict: Verdict = "learning"
        notify = False
        if states["covered"][0] < tuning.learn_h * tuning.bins_per_hour:
            reasons.append("short_history")
        else:
            verdict = dial.severity(score, NEVER if self._counts_only else volume_score)
            reasons.append(self._why(verdict, score))
            at = (int(states["bin"][0]) + 1) * float(tuning.bin_s)
            self._pager, happened, notify = turn(self._pager, verdict, score, volume_score, at, True, dial)
            if happened:
                reasons.append(happened)
            elif verdict != "calm":
                reasons.append("already_told")
        return Line(
            timestamp=row.at,
            verdict=verdict,
            notify=notify,
            score=score,
            observed=int(states["negative"][window, 0]),
            expected=float(states["expected"][window, 0]),
            window_s=tuning.windows_s[window],
            reasons=tuple(reasons),
        )

    def _why(self, verdict: Verdict, score: float) -> str:
        if verdict == "calm":
            return "usual" if score < self._dial.calm else "not_rare_enough"
        return "negative_spike" if score >= self._dial.warning and not self._counts_only else "volume_surge"


def judge_rows(
    rows: Iterable[Row], dial: Dial | None = None, tuning: Tuning = DEFAULT_TUNING, *, counts_only: bool = False
) -> Iterator[Line]:
    """One line a row, in order, each before the next row is asked for."""
    online = Online(dial, tuning, counts_only=counts_only)
    for row in rows:
        yield online.observe(row)
