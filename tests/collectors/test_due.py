"""When to ask again, and how well a source is. Time and chance are handed in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from collectors.base import Source, SourceState
from collectors.due import fresh, health, in_full, learned_interval_s, max_age_s, next_due, retry_due

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY_S = 86_400
SOURCE = Source(
    1,
    "correo",
    "Correo",
    "rss",
    interval_s=900,
    created_at=NOW - timedelta(days=10),
    first_ok_at=NOW - timedelta(days=10),
    last_ok_at=NOW - 5 * MINUTE,
    next_due_at=NOW + 10 * MINUTE,
)


def wait_s(due: datetime) -> float:
    return (due - NOW).total_seconds()


# ── after a good visit ───────────────────────────────────────────────────────


def test_it_asks_again_after_the_interval_and_a_little_chance() -> None:
    assert wait_s(next_due(SOURCE, NOW)) == 900
    assert wait_s(next_due(SOURCE, NOW, jitter=1.0)) == 990


def test_it_follows_the_learned_pace_rather_than_the_operators() -> None:
    assert wait_s(next_due(replace(SOURCE, adaptive_interval_s=300), NOW)) == 300
    assert wait_s(next_due(SOURCE, NOW, interval_s=2000)) == 2000


@pytest.mark.parametrize(
    ("hint_s", "max_age", "expected"),
    [
        (None, None, 900),
        (1800, None, 1800),
        (None, 3600, 3600),
        (60, 30, 900),
        (DAY_S, None, 5400),
        (None, 10**9, 5400),
    ],
)
def test_it_follows_the_publishers_wish_within_reason(hint_s: int | None, max_age: int | None, expected: int) -> None:
    assert wait_s(next_due(SOURCE, NOW, hint_s=hint_s, max_age_s=max_age)) == expected


def test_it_asks_at_least_once_a_day_unless_the_operator_wants_less() -> None:
    assert wait_s(next_due(replace(SOURCE, interval_s=20_000), NOW, hint_s=10**6)) == DAY_S
    assert wait_s(next_due(replace(SOURCE, interval_s=2 * DAY_S), NOW)) == 2 * DAY_S


# ── the learned pace ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("pace", "new", "offered", "expected"),
    [
        (None, 0, 20, 1125),  # nothing new: a quarter slower
        (5400, 0, 20, 5400),  # never slower than six times the operator's interval
        (5400, 1, 20, 900),  # something new: back to what the operator asked for
        (None, 3, 20, 900),
        (None, 15, 20, 450),  # the window turns over: twice as fast
        (450, 20, 20, 225),
        (225, 20, 20, 225),  # never faster than four times the operator's interval
        (225, 2, 20, 281),  # and back by a quarter
        (2000, 0, 0, 2000),  # an API that offered nothing teaches nothing
    ],
)
def test_the_pace_follows_the_share_of_new_items(pace: int | None, new: int, offered: int, expected: int) -> None:
    assert learned_interval_s(replace(SOURCE, adaptive_interval_s=pace), new=new, offered=offered) == expected


def test_the_pace_stays_at_a_minute_or_more_unless_the_operator_asked_for_less() -> None:
    assert learned_interval_s(replace(SOURCE, interval_s=120), new=20, offered=20) == 60
    assert learned_interval_s(replace(SOURCE, interval_s=20), new=20, offered=20) == 20


def test_the_pace_stays_at_a_day_or_less_unless_the_operator_asked_for_more() -> None:
    assert learned_interval_s(replace(SOURCE, interval_s=80_000), new=0, offered=1) == DAY_S
    assert learned_interval_s(replace(SOURCE, interval_s=2 * DAY_S), new=0, offered=1) == 2 * DAY_S


def test_a_first_visit_teaches_no_hurry() -> None:
    assert learned_interval_s(replace(SOURCE, first_ok_at=None), new=20, offered=20) == 900


# ── after a failure ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fails", "expected"), [(0, 900), (1, 1800), (2, 3600), (5, 21_600), (60, 21_600), (10_000, 21_600)]
)
def test_it_waits_twice_as_long_after_each_failure_up_to_six_hours(fails: int, expected: int) -> None:
    failing = replace(SOURCE, fail_count=fails)
    assert wait_s(retry_due(failing, NOW)) == expected
    assert wait_s(retry_due(failing, NOW, jitter=1.0)) == expected / 2


@pytest.mark.parametrize(
    ("retry_after_s", "expected"), [(10, 900), (7200, 7200), (10**7, DAY_S), (0, 900), (float("inf"), DAY_S)]
)
def test_it_comes_back_when_it_is_told_within_a_day(retry_after_s: float, expected: int) -> None:
    assert wait_s(retry_due(SOURCE, NOW, retry_after_s=retry_after_s, jitter=1.0)) == expected


# ── asking in full ───────────────────────────────────────────────────────────


def test_it_asks_in_full_once_in_each_day_of_a_sources_life() -> None:
    full = 0
    source = replace(SOURCE, created_at=NOW, last_ok_at=None)
    for step in range(3 * 96):
        now = NOW + step * 15 * MINUTE
        full += in_full(source, now)
        source = replace(source, last_ok_at=now)
    assert full == 3


# ── what the headers say ─────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Cache-Control": "public, max-age=600"}, 600),
        ({"cache-control": 'MAX-AGE="600"', "age": "100"}, 500),
        ({"Cache-Control": "max-age=0"}, None),
        ({"Cache-Control": "no-cache, max-age=600"}, None),
        ({"Cache-Control": "s-maxage=600"}, None),
        ({"Expires": "Sun, 22 Nov 2026 11:00:00 GMT", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 3600),
        ({"Expires": "0", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, None),
        ({"Expires": "Sun, 22 Nov 2026 11:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_it_reads_how_long_an_answer_stands(headers: dict[str, str], expected: int | None) -> None:
    assert max_age_s(headers) == expected


# ── health ───────────────────────────────────────────────────────────────────

NEW = replace(SOURCE, created_at=NOW - MINUTE, first_ok_at=None, last_ok_at=None, next_due_at=NOW)


@pytest.mark.parametrize(
    ("source", "state", "is_fresh"),
    [
        (SOURCE, "ok", True),
        (replace(SOURCE, enabled=False), "disabled", False),
        (replace(SOURCE, fail_count=1), "failing", True),
        (replace(SOURCE, last_ok_at=NOW - 46 * MINUTE, next_due_at=NOW - 31 * MINUTE), "silent", False),
        (replace(SOURCE, last_ok_at=NOW - 46 * MINUTE, fail_count=3), "silent", False),
        (replace(SOURCE, last_ok_at=NOW - 40 * MINUTE, next_due_at=NOW - 25 * MINUTE), "late", True),
        (replace(SOURCE, last_ok_at=NOW - 20 * MINUTE, next_due_at=NOW - 5 * MINUTE), "ok", True),
        (NEW, "late", False),
        (replace(NEW, fail_count=1), "failing", False),
        (replace(NEW, created_at=NOW - timedelta(hours=2)), "silent", False),
        # fast sources are given a quarter of an hour
        (replace(SOURCE, interval_s=30, last_ok_at=NOW - 14 * MINUTE, next_due_at=NOW), "ok", True),
        (replace(SOURCE, interval_s=30, last_ok_at=NOW - 16 * MINUTE, next_due_at=NOW - 15 * MINUTE), "silent", False),
        # one that is asked every 90 minutes, by what it taught or by its publisher's wish, has its time
        (replace(SOURCE, adaptive_interval_s=5400, last_ok_at=NOW - 80 * MINUTE), "ok", True),
        (replace(SOURCE, last_ok_at=NOW - 80 * MINUTE, next_due_at=NOW + 10 * MINUTE), "ok", True),
        # one that was silent for a day, and is now asked by hand, is silent until it answers
        (replace(SOURCE, last_ok_at=NOW - timedelta(days=1), next_due_at=NOW), "silent", False),
    ],
)
def test_it_shows_the_worst_that_is_true(source: Source, state: SourceState, is_fresh: bool) -> None:
    assert health(source, NOW) == state
    assert fresh(source, NOW) == is_fresh


def test_silence_begins_by_the_clock_alone() -> None:
    """A service that hangs writes nothing: what was ok an hour ago is silent now."""
    states = [health(SOURCE, NOW + minutes * MINUTE) for minutes in (0, 20, 30, 45)]
    assert states == ["ok", "ok", "late", "silent"]
