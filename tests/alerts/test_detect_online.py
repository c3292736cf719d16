"""Row by row, and who is woken."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import pytest

from alerts.detect.online import Line, Row, judge_rows, read_rows
from alerts.detect.paging import Pager, Step, turn
from alerts.detect.policy import Dial, Severity

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
BIN = timedelta(minutes=5)
DAY = 288


def rows(days: float, seed: int = 1) -> list[Row]:
    dice = np.random.default_rng(seed)
    totals = dice.poisson(8 * dice.gamma(5, 0.2, int(days * DAY)))
    return [Row(MONDAY + i * BIN, int(dice.binomial(total, 0.25)), int(total)) for i, total in enumerate(totals)]


def crisis(of: list[Row], start: int, length: int = 12, more: int = 60) -> list[Row]:
    return [
        Row(row.at, row.negative + more, row.total + more) if start <= i < start + length else row
        for i, row in enumerate(of)
    ]


def only_counts(of: Sequence[Row]) -> list[Row]:
    return [Row(row.at, row.total, row.total) for row in of]


def told(lines: Sequence[Line]) -> list[int]:
    return [i for i, line in enumerate(lines) if line.notify]


# ── the stream ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("counts_only", [False, True])
def test_a_crisis_is_told_once_and_soon(counts_only: bool) -> None:
    start = 4 * DAY
    stream = crisis(rows(5), start)
    lines = list(judge_rows(only_counts(stream) if counts_only else stream, counts_only=counts_only))
    assert len(lines) == len(stream)
    assert [line.timestamp for line in lines] == [row.at for row in stream]
    notices = [i for i in told(lines) if i >= start]
    assert notices
    assert notices[0] <= start + 3
    assert len(notices) <= 3
    first = lines[notices[0]]
    assert first.verdict in ("warning", "critical")
    assert first.observed > 3 * first.expected
    assert ("volume_surge" if counts_only else "negative_spike") in first.reasons
    assert {line.verdict for line in lines[start + 2 : start + 10]} <= {"warning", "critical"}
    assert [line.notify for line in lines[: start - 1]].count(True) <= 1


def test_it_is_learning_for_a_day_and_says_so() -> None:
    lines = list(judge_rows(crisis(rows(1.2), 100)))
    assert {line.verdict for line in lines[: DAY - 1]} == {"learning"}
    assert "short_history" in lines[150].reasons
    assert lines[DAY + 5].verdict != "learning"


def test_permuting_the_future_changes_nothing() -> None:
    stream = crisis(rows(3), 600)
    now = 2 * DAY + 40
    future = stream[now:]
    counts = [(row.negative, row.total) for row in future]
    Random(3).shuffle(counts)
    other = [Row(row.at, *count) for row, count in zip(future, counts, strict=True)]
    assert list(judge_rows(stream))[:now] == list(judge_rows(stream[:now] + other))[:now]


def test_a_missing_hour_is_no_silence_and_a_second_row_of_a_bin_adds_to_it() -> None:
    stream = rows(2)
    gap = stream[: DAY + 50] + stream[DAY + 110 :]
    lines = list(judge_rows(gap))
    assert len(lines) == len(gap)
    split = [*stream[:-1], Row(stream[-1].at, stream[-1].negative, stream[-1].total), Row(stream[-1].at, 3, 5)]
    last = list(judge_rows(split))[-1]
    assert "late" in last.reasons
    whole = list(judge_rows([*stream[:-1], Row(stream[-1].at, stream[-1].negative + 3, stream[-1].total + 5)]))[-1]
    assert (last.observed, last.window_s) == (whole.observed, whole.window_s)


# ── the file ─────────────────────────────────────────────────────────────────


def test_a_file_is_read_with_either_header() -> None:
    counts_only, found = read_rows(["timestamp,count", "2015-02-26 21:42:53,104", "1424986973,7"])
    assert counts_only
    assert [(row.at.isoformat(), row.total) for row in found] == [
        ("2015-02-26T21:42:53+00:00", 104),
        ("2015-02-26T21:42:53+00:00", 7),
    ]
    counts_only, found = read_rows(["timestamp,negative,total", "", "2026-11-02T01:00:00+02:00,1,4.0"])
    assert not counts_only
    assert list(found) == [Row(MONDAY - timedelta(hours=1), 1, 4)]


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([], "line 1: the columns"),
        (["time,count"], "line 1: the columns"),
        (["timestamp,count", "2026-11-02,1,2"], "line 2: has 3 values"),
        (["timestamp,count", "yesterday,1"], "line 2"),
        (["timestamp,count", "2026-11-02,-1"], "line 2: '-1' is no count"),
        (["timestamp,count", "2026-11-02,nan"], "line 2"),
        (["timestamp,negative,total", "2026-11-02,5,4"], "line 2: more negatives"),
    ],
)
def test_a_file_that_is_not_right_is_refused_with_its_line(lines: list[str], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        list(read_rows(lines)[1])


# ── who is woken ─────────────────────────────────────────────────────────────

DIAL = Dial()


def follow(verdicts: Sequence[tuple[float, Severity, float]], covered: bool = True) -> list[tuple[Step | None, bool]]:
    """(hours, severity, score), one after the other."""
    pager, found = Pager(), []
    for hours, severity, score in verdicts:
        pager, happened, notify = turn(pager, severity, score, -9.0, hours * 3600, covered, DIAL)
        found.append((happened, notify))
    return found


def test_one_notice_an_incident() -> None:
    assert follow([(0, "warning", 0.2), (0.1, "warning", 0.6), (0.2, "calm", -0.1), (0.3, "warning", 0.4)]) == [
        ("opened", True),
        (None, False),
        (None, False),
        (None, False),
    ]


def test_it_is_told_again_when_it_gets_worse_and_only_then() -> None:
    assert follow([(0, "warning", 0.2), (1, "critical", 1.5), (2, "critical", 3.0), (3, "critical", 3.6)]) == [
        ("opened", True),
        ("more_severe", True),
        (None, False),
        ("much_rarer", True),
    ]


def test_at_most_three_notices_however_bad_it_gets() -> None:
    rising = [(hour / 12, "critical" if hour > 3 else "warning", float(hour)) for hour in range(100)]
    assert sum(notify for _, notify in follow(rising)) <= 4


def test_it_is_over_after_an_hour_of_calm_and_not_before() -> None:
    calm = [(1 + i / 12, "calm", -9.0) for i in range(13)]
    assert [step for step, _ in follow([(0, "warning", 0.2), *calm])] == ["opened", *[None] * 12, "resolved"]


def test_an_outage_is_no_calm() -> None:
    calm = [(1 + i / 12, "calm", -9.0) for i in range(30)]
    assert "resolved" not in [step for step, _ in follow([(0, "warning", 0.2), *calm], covered=False)]


def test_the_same_story_the_same_day_is_told_again_only_if_it_is_worse() -> None:
    calm = [(1 + i / 12, "calm", -9.0) for i in range(13)]
    again = follow([(0, "warning", 0.2), *calm, (5, "warning", 0.5), (6, "critical", 1.2)])
    assert again[-2:] == [("opened_again", False), ("more_severe", True)]
    assert follow([(0, "warning", 0.2), *calm, (25, "warning", 0.5)])[-1] == ("opened", True)
