"""Much of unknown tone is no calm, and may be a surge; what is as ever is calm."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.detect.untold import as_usual, is_unusual, outweighs
from alerts.spike import BIN_S, Spike, Volume
from tests.alerts.crisis import START

BINS = 24


def said(total: int, unknown: int) -> Volume:
    """So much in each of 24 bins."""
    none, heard = [0] * BINS, [1.0] * BINS
    return Volume(START, none, [total] * BINS, [unknown] * BINS, none, [total] * BINS, heard)


def calm(expected: float = 0.2, usual_share: float = 0.1) -> Spike:
    """A calm half hour in which two stories are usual."""
    end = START + timedelta(seconds=BINS * BIN_S)
    numbers = {"observed": 0, "total": 0, "unknown": 0, "minimum": 3}
    return Spike(
        rule="return-period/1",
        verdict="calm",
        reason="usual",
        window_start=end - timedelta(minutes=30),
        window_end=end,
        expected=expected,
        probability=1.0,
        score=-9.0,
        share=None,
        usual_share=usual_share,
        coverage=1.0,
        threshold=0.0,
        **numbers,
    )


@pytest.mark.parametrize(("total", "unknown", "more"), [(0, 1, True), (1, 2, True), (2, 2, False), (0, 0, False)])
def test_unknown_tones_outweigh_where_they_are_more_than_all_others(total: int, unknown: int, more: bool) -> None:
    assert outweighs(calm(), said(total, unknown)) is more
    assert not outweighs(replace(calm(), verdict="warning"), said(total, unknown))


@pytest.mark.parametrize(("usually", "unusual"), [(0.01, True), (0.5, True), (0.8, False), (0.95, False)])
def test_what_is_usual_is_not_unusual(usually: float, unusual: bool) -> None:
    assert is_unusual(calm(), said(0, 1), usually) is unusual


def test_a_surge_has_the_tones_that_are_usual_and_the_last_half_hour_only() -> None:
    filled = as_usual(said(0, 10), usually=0.5, usual_share=0.1)
    assert (sum(filled.total), sum(filled.negative)) == (30, 3)
    assert sum(filled.total[:-6]) == 0
    assert filled.volume.total == filled.total
