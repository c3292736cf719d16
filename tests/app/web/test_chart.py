"""The picture of a brand's volume: negative upwards, unknown downwards, and hatching where nobody listened."""

from collections import Counter
from datetime import timedelta

import pytest

from app.api.bins import Bin
from app.web.chart import BASE, HEIGHT, ceiling, draw
from tests.app.api.house import NOON

HOUR = timedelta(hours=1)


def hour(
    i: int, negative: int = 0, unknown: int = 0, *, old: int = 0, coverage: float | None = 1.0, is_open: bool = False
) -> Bin:
    stories, history = Counter(negative=negative, unknown=unknown, neutral=50), Counter(negative=old)
    return Bin(NOON + i * HOUR, NOON + (i + 1) * HOUR, is_open, coverage, stories, Counter(), history)


def test_bars_stand_on_the_line_in_proportion() -> None:
    chart = draw("c", [hour(0, 5), hour(1, 10), hour(2)], 300, NOON)
    low, high, none = chart.columns
    assert low.negative is not None
    assert high.negative is not None
    assert none.negative is None
    assert high.negative.height == pytest.approx(2 * low.negative.height, abs=0.02)
    assert low.negative.y + low.negative.height == pytest.approx(BASE, abs=0.02)
    assert high.negative.y >= 0


def test_unknown_hangs_below_on_a_scale_of_its_own() -> None:
    chart = draw("c", [hour(0, 1, 300), hour(1, 2, 0)], 300, NOON)
    assert (chart.most_negative, chart.most_unknown) == (5, 300)
    column = chart.columns[0]
    assert column.unknown is not None
    assert column.unknown.y > BASE
    assert column.unknown.y + column.unknown.height <= HEIGHT + 0.02
    assert chart.negative == 3


def test_history_stands_on_top_of_what_is_live() -> None:
    (column,) = draw("c", [hour(0, 2, old=3)], 100, NOON).columns
    assert column.negative is not None
    assert column.history is not None
    assert column.history.y + column.history.height == pytest.approx(column.negative.y, abs=0.02)


def test_it_marks_what_was_not_heard() -> None:
    bins = [hour(0), hour(1, coverage=0.89), hour(2, coverage=None), hour(3, coverage=None, is_open=True)]
    chart = draw("c", bins, 100, NOON + 2 * HOUR)
    assert [c.uncovered for c in chart.columns] == [False, True, True, False]
    assert not any(c.before for c in chart.columns)


def test_nobody_is_blamed_for_the_time_before_listening_began() -> None:
    bins = [hour(0, coverage=None), hour(1, coverage=None), hour(2), hour(3, coverage=None, is_open=True)]
    chart = draw("c", bins, 100, NOON + 3 * HOUR)
    assert [c.before for c in chart.columns] == [True, True, False, False]
    assert chart.uncovered == 0
    never = draw("c", bins[:2], 100, None)
    assert ([c.before for c in never.columns], never.uncovered) == ([True, True], 0)


def test_an_outage_of_the_whole_picture_is_still_an_outage() -> None:
    chart = draw("c", [hour(i, coverage=None) for i in range(4)], 100, NOON - HOUR)
    assert chart.uncovered == 4


def test_what_is_live_and_what_is_history_are_counted_apart() -> None:
    history = Counter(negative=3, unknown=17, neutral=9)
    b = Bin(NOON, NOON + HOUR, False, 1.0, Counter(negative=2, unknown=1), Counter(), history)
    chart = draw("c", [b], 100, NOON)
    assert (chart.negative, chart.unknown, chart.negative_history, chart.unknown_history) == (2, 1, 3, 17)
    (column,) = chart.columns
    assert column.unknown is not None
    assert column.unknown_history is not None
    assert column.unknown_history.y == pytest.approx(column.unknown.y + column.unknown.height, abs=0.02)
    assert column.unknown_history.y + column.unknown_history.height <= HEIGHT + 0.02


def test_columns_fill_the_width_without_overlap() -> None:
    chart = draw("c", [hour(i) for i in range(24)], 400, NOON)
    for left, right in zip(chart.columns, chart.columns[1:], strict=False):
        assert left.frame.x + left.frame.width == pytest.approx(right.frame.x, abs=0.02)
    last = chart.columns[-1].frame
    assert last.x + last.width == pytest.approx(400, abs=0.05)
    assert len(chart.marks) == 4


def test_an_empty_picture_is_a_picture() -> None:
    assert draw("c", [], 400, NOON).columns == ()
    assert draw("c", [hour(0)], 400, NOON).most_negative == 5


@pytest.mark.parametrize(
    ("highest", "end"),
    [(0, 5), (5, 5), (6, 6), (7, 8), (9, 10), (11, 20), (41, 50), (99, 100), (101, 200), (1234, 2000)],
)
def test_a_scale_ends_at_a_round_number(highest: int, end: int) -> None:
    assert ceiling(highest) == end
