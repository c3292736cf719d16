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
    chart = draw("c", [hour(0, 5), hour(1, 10), hour(2)], 300)
    low, high, none = chart.columns
    assert low.negative is not None
    assert high.negative is not None
    assert none.negative is None
    assert high.negative.height == pytest.approx(2 * low.negative.height, abs=0.02)
    assert low.negative.y + low.negative.height == pytest.approx(BASE, abs=0.02)
    assert high.negative.y >= 0


def test_unknown_hangs_below_on_a_scale_of_its_own() -> None:
    chart = draw("c", [hour(0, 1, 300), hour(1, 2, 0)], 300)
    assert (chart.most_negative, chart.most_unknown) == (5, 300)
    column = chart.columns[0]
    assert column.unknown is not None
    assert column.unknown.y > BASE
    assert column.unknown.y + column.unknown.height <= HEIGHT + 0.02
    assert chart.negative == 3


def test_history_stands_on_top_of_what_is_live() -> None:
    (column,) = draw("c", [hour(0, 2, old=3)], 100).columns
    assert column.negative is not None
    assert column.history is not None
    assert column.history.y + column.history.height == pytest.approx(column.negative.y, abs=0.02)


def test_it_marks_what_was_not_heard() -> None:
    heard, poor, nobody, going_on = draw(
        "c", [hour(0), hour(1, coverage=0.89), hour(2, coverage=None), hour(3, coverage=None, is_open=True)], 100
    ).columns
    assert [c.uncovered for c in (heard, poor, nobody, going_on)] == [False, True, True, False]


def test_columns_fill_the_width_without_overlap() -> None:
    chart = draw("c", [hour(i) for i in range(24)], 400)
    for left, right in zip(chart.columns, chart.columns[1:], strict=False):
        assert left.frame.x + left.frame.width == pytest.approx(right.frame.x, abs=0.02)
    last = chart.columns[-1].frame
    assert last.x + last.width == pytest.approx(400, abs=0.05)
    assert len(chart.marks) == 4


def test_an_empty_picture_is_a_picture() -> None:
    assert draw("c", [], 400).columns == ()
    assert draw("c", [hour(0)], 400).most_negative == 5


@pytest.mark.parametrize(
    ("highest", "end"),
    [(0, 5), (5, 5), (6, 6), (7, 8), (9, 10), (11, 20), (41, 50), (99, 100), (101, 200), (1234, 2000)],
)
def test_a_scale_ends_at_a_round_number(highest: int, end: int) -> None:
    assert ceiling(highest) == end
