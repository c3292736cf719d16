"""The benchmark's own score, against examples that were worked out by hand from NAB's formulas."""

from collections.abc import Sequence

import pytest

from benchmarks import nab
from benchmarks.nab import Labelled

STANDARD, LOW_FP, LOW_FN = nab.PROFILES
FIRST, SECOND = (200, 299), (600, 699)


def series(rows: int = 1000, windows: Sequence[tuple[int, int]] = (FIRST, SECOND)) -> Labelled:
    """A thousand rows are 150 of probation."""
    return Labelled("a", [str(row) for row in range(rows)], [0] * rows, windows)


def score(rows: Sequence[int], profile: nab.Profile = STANDARD, of: Labelled | None = None) -> float:
    return nab.score([of or series()], {"a": rows}, profile)


def test_the_profiles_are_those_of_the_benchmark() -> None:
    """numenta/NAB, config/profiles.json: weights of a false positive and of a missed window; a hit weighs 1."""
    weights = [(profile.false_positive, profile.false_negative) for profile in nab.PROFILES]
    assert weights == [(0.11, 1.0), (0.22, 1.0), (0.11, 2.0)]


@pytest.mark.parametrize("profile", nab.PROFILES, ids=lambda profile: profile.name)
def test_a_hit_at_the_start_of_every_window_is_100_and_silence_is_0(profile: nab.Profile) -> None:
    assert score([200, 600], profile) == pytest.approx(100)
    assert score([], profile) == 0


@pytest.mark.parametrize(
    ("rows", "profile", "expected"),
    [
        # One window of two: (1 - 1) raw, silence is -2, perfect is 2. Missed windows weigh double in low FN.
        ([200], STANDARD, 100 * (0 + 2) / 4),
        ([200], LOW_FN, 100 * (1 - 2 + 4) / 6),
        # Row 250 stands at -(299 - 250 + 1) / 100 = -0.5, the start at -1:
        # (2 / (1 + e^-2.5) - 1) / (2 / (1 + e^-5) - 1) = 0.848284 / 0.986614
        ([250, 600], STANDARD, 100 * (0.859793 + 1 + 2) / 4),
        # The earliest counts, others in the window are free.
        ([200, 201, 299, 600], STANDARD, 100),
        # No window behind it: a full false positive. It weighs double in low FP.
        ([160, 200, 600], STANDARD, 100 * (2 - 0.11 + 2) / 4),
        ([160, 200, 600], LOW_FP, 100 * (2 - 0.22 + 2) / 4),
        # 33 rows behind a window of 100: at 33 / 99 = 1/3, 2 / (1 + e^(5/3)) - 1 = -0.682340
        ([200, 332, 600], STANDARD, 100 * (2 - 0.11 * 0.682340 + 2) / 4),
        # Three widths behind it: a full one again.
        ([200, 299 + 297, 600], STANDARD, 100 * (2 - 0.11 + 2) / 4),
        # In probation nothing counts.
        ([0, 149, 200, 600], STANDARD, 100),
    ],
)
def test_it_is_as_worked_out_by_hand(rows: list[int], profile: nab.Profile, expected: float) -> None:
    assert score(rows, profile) == pytest.approx(expected, abs=1e-3)


def test_a_window_in_probation_costs_nobody_its_miss_and_gives_nobody_its_hit() -> None:
    """Its hit still counts for the perfect score, 2, and not for silence, -1: so `Runner.normalize` has it."""
    early = series(windows=[(20, 80), SECOND])
    assert score([20, 600], of=early) == score([600], of=early) == pytest.approx(100 * (1 + 1) / 3)
    assert score([], of=early) == 0


def test_probation_is_at_most_750_rows() -> None:
    long = series(20_000, [(800, 899)])
    assert score([749, 800], of=long) == pytest.approx(100)
    assert score([750, 800], of=long) == pytest.approx(100 * (1 - 0.11 + 1) / 2)
