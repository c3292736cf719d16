"""When to try again, and when somebody else must hear of it."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.retry import GIVE_UP, MAX_ATTEMPTS, needs_fallback, next_attempt

THEN = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def pauses(jitter: float) -> list[float]:
    """The seconds between all tries until it gives up, if each try takes no time."""
    found, now, attempts = [], THEN, 1
    while (then := next_attempt(attempts, THEN, now, None, jitter)) is not None:
        found.append((then - now).total_seconds())
        now, attempts = then, attempts + 1
    return found


def test_it_keeps_to_the_schedule_and_gives_up_after_a_day() -> None:
    found = pauses(jitter=0)
    assert found[:7] == [5, 15, 30, 60, 120, 300, 600]
    assert set(found[7:]) == {900}
    assert timedelta(hours=23, minutes=45) < timedelta(seconds=sum(found)) <= GIVE_UP


def test_jitter_shortens_a_pause_by_up_to_half() -> None:
    assert pauses(jitter=1)[:3] == [2.5, 7.5, 15]
    assert next_attempt(1, THEN, THEN, None, 0.5) == THEN + timedelta(seconds=3.75)
    with pytest.raises(ValueError, match="jitter"):
        next_attempt(1, THEN, THEN, None, 1.1)


def test_it_comes_back_no_earlier_than_the_other_side_asked() -> None:
    assert next_attempt(1, THEN, THEN, 42.0, 1.0) == THEN + timedelta(seconds=42)
    assert next_attempt(7, THEN, THEN, 1.0, 0.0) == THEN + timedelta(seconds=600)


def test_nobody_can_ask_for_more_than_ten_minutes() -> None:
    assert next_attempt(1, THEN, THEN, 86_400.0, 0.0) == THEN + timedelta(minutes=10)


def test_it_gives_up_even_if_the_clock_steps_back() -> None:
    tomorrow = THEN + timedelta(days=300)
    assert next_attempt(3, created_at=tomorrow, now=THEN) == THEN + timedelta(seconds=30)
    assert next_attempt(MAX_ATTEMPTS, created_at=tomorrow, now=THEN) is None


@pytest.mark.parametrize(
    ("failures", "seconds", "needed"),
    [(0, 600, False), (1, 5, False), (2, 119, False), (3, 20, True), (1, 120, True), (9, 900, True)],
)
def test_a_fallback_hears_of_it_after_three_failures_or_two_minutes(failures: int, seconds: int, needed: bool) -> None:
    assert needs_fallback(failures, THEN, THEN + timedelta(seconds=seconds)) is needed
