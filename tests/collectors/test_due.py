"""When to ask again, and how well a source is. Time and chance are handed in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from collectors.base import Source, SourceState
from collectors.due import (
    address,
    budget_wait_s,
    cadence_s,
    counts,
    fresh,
    health,
    in_full,
    is_quiet,
    learned_interval_s,
    max_age_s,
    moved,
    next_due,
    overrun,
    per_day,
    ran_over,
    retry_due,
)

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
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


@pytest.mark.parametrize(("new", "offered"), [(0, 0), (0, 20), (1, 20), (20, 20)])
def test_a_source_whose_hub_pushes_is_asked_at_its_slowest(new: int, offered: int) -> None:
    assert learned_interval_s(SOURCE, new=new, offered=offered, pushed=True) == 5400
    assert learned_interval_s(SOURCE, new=new, offered=offered) < 5400  # the control
    assert learned_interval_s(replace(SOURCE, interval_s=2 * DAY_S), new=new, offered=offered, pushed=True) == 2 * DAY_S


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


def test_what_the_source_said_and_what_its_quota_demands_stand_above_every_wish() -> None:
    assert wait_s(next_due(SOURCE, NOW, at_least_s=600)) == 900
    assert wait_s(next_due(SOURCE, NOW, at_least_s=17_280)) == 17_280
    assert wait_s(next_due(SOURCE, NOW, hint_s=60, at_least_s=3 * DAY_S)) == 3 * DAY_S
    assert wait_s(next_due(SOURCE, NOW, at_least_s=float("inf"))) == 30 * DAY_S
    assert wait_s(retry_due(SOURCE, NOW, retry_after_s=10, at_least_s=7200, jitter=1.0)) == 7200


# ── quotas ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("requests", "per_day", "sharers", "expected"),
    [
        (1, 100, 1, 864),
        (20, 100, 1, 17_280),
        (20, 100, 3, 51_840),
        (1, 100, 0, 864),  # the source that asks is one of them, whatever was counted
        (1, 86_400, 1, 1),
        (40, 1, 10**6, 30 * DAY_S),
    ],
)
def test_a_quota_is_spread_over_the_day_and_shared(requests: int, per_day: int, sharers: int, expected: float) -> None:
    assert budget_wait_s(requests, per_day, sharers) == expected


def test_a_day_of_visits_stays_within_the_quota() -> None:
    sharers, asked = 4, 0
    due = dict.fromkeys(range(sharers), NOW)
    now = NOW
    while now < NOW + DAY:
        for one, at in due.items():
            if at <= now:
                took = 1 + one  # pages
                asked += took
                due[one] = next_due(SOURCE, now, at_least_s=budget_wait_s(took, 200, sharers))
        now += MINUTE
    assert 150 < asked <= 200 + sharers * 4  # the first visits come before anything is used up


def test_the_operators_own_quota_overrules_the_kinds() -> None:
    limited = replace(SOURCE, settings={"requests_per_day": 40})
    assert (per_day(SOURCE), per_day(limited)) == (None, 40)
    assert per_day(replace(SOURCE, kind="inbox")) is None


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


# ── moved for good ───────────────────────────────────────────────────────────

OLD, THERE, ELSEWHERE = "https://correo.example/rss", "https://www.correo.example/rss", "https://otro.example/rss"


@pytest.mark.parametrize(
    ("sightings", "seen", "asked"),
    [
        ([THERE, THERE], 2, OLD),
        ([THERE, THERE, THERE], 3, THERE),
        ([THERE, THERE, None, THERE], 1, OLD),  # an answer that stands where it was asked for begins anew
        ([THERE, THERE, ELSEWHERE], 1, OLD),
        ([THERE, THERE, THERE, None, None], 3, THERE),  # it is asked there, and there is no redirect any more
        ([THERE, THERE, THERE, ELSEWHERE], 1, OLD),  # and moves on
        ([None], 0, OLD),
    ],
)
def test_an_address_is_adopted_after_three_sightings_in_a_row(
    sightings: list[str | None], seen: int, asked: str
) -> None:
    source = replace(SOURCE, url=OLD)
    for to in sightings:
        source = replace(source, **dict(zip(("moved_seen", "moved_to"), moved(source, to), strict=True)))
    assert (source.moved_seen, address(source), source.url) == (seen, asked, OLD)


# ── cadence, and what is out of it ───────────────────────────────────────────


def ages(*hours: float) -> list[datetime]:
    return [NOW - hour * HOUR for hour in hours]


def lived(source: Source, published: list[datetime], every: timedelta) -> Source:
    """What a source has taught when it was asked `every` so often while this was published."""
    left, now = sorted(published), min(published)
    while left:
        now += every
        new = [at for at in left if at <= now]
        left = [at for at in left if at > now]
        if new:
            source = replace(source, cadence_s=cadence_s(source, new, now), last_item_at=now)
    return source


def test_the_first_document_teaches_its_cadence() -> None:
    new = replace(SOURCE, last_item_at=None)
    assert cadence_s(new, ages(1, 2, 3, 4, 5), NOW) == 3600
    assert cadence_s(new, [], NOW) is None
    assert cadence_s(new, ages(0.1, 0.2), NOW) is None, "two items of the last minutes say nothing yet"
    assert cadence_s(new, ages(48), NOW) == 2 * DAY_S
    assert cadence_s(new, ages(1, 2, 3, 4, 5, 26_000), NOW) == 3600, "what was pinned three years ago is no gap"


def test_a_burst_is_one_thing_that_happened() -> None:
    """Twenty posts on Monday, and none until the next."""
    mondays = [NOW + week * 7 * DAY + post * MINUTE for week in range(8) for post in range(20)]
    weekly = lived(replace(SOURCE, last_item_at=None), mondays, 15 * MINUTE)
    assert 6 * DAY_S < (weekly.cadence_s or 0) < 8 * DAY_S
    assert not is_quiet(weekly, max(mondays) + 20 * DAY)


def test_a_night_and_a_weekend_are_no_silence() -> None:
    start = datetime(2026, 11, 2, tzinfo=UTC)  # a Monday
    hourly = [start + day * DAY + hour * HOUR for day in range(28) if day % 7 < 5 for hour in range(8, 20)]
    office = lived(replace(SOURCE, last_item_at=None), hourly, 15 * MINUTE)
    assert not is_quiet(office, max(hourly) + timedelta(hours=61)), "Friday evening to Monday morning"
    assert is_quiet(office, max(hourly) + 14 * DAY)


def test_the_cadence_follows_a_source_that_slows_down() -> None:
    fast = replace(SOURCE, last_item_at=NOW, cadence_s=600)
    daily = lived(fast, [NOW + day * DAY for day in range(1, 22)], HOUR)
    assert 0.9 * DAY_S < (daily.cadence_s or 0) < 1.1 * DAY_S


def test_our_own_downtime_is_no_gap_of_the_sources() -> None:
    """Three days of hourly items that came in at once: the items say when they were written."""
    before = replace(SOURCE, cadence_s=3600, last_item_at=NOW - 72 * HOUR)
    assert cadence_s(before, ages(*range(72)), NOW) == 3600


def test_dates_that_cannot_be_do_not_break_it() -> None:
    learned = replace(SOURCE, cadence_s=3600, last_item_at=NOW - HOUR)
    assert cadence_s(learned, [NOW - 9_000 * DAY, NOW, NOW], NOW) == 3600


QUIET = replace(SOURCE, cadence_s=4 * 3600, last_item_at=NOW - 33 * HOUR)


@pytest.mark.parametrize(
    ("source", "state", "is_fresh"),
    [
        (QUIET, "silent", False),
        (replace(QUIET, last_item_at=NOW - 31 * HOUR), "ok", True),
        (replace(QUIET, cadence_s=60, last_item_at=NOW - 23 * HOUR), "ok", True),  # a day is always granted
        (replace(QUIET, cadence_s=60, last_item_at=NOW - 25 * HOUR), "silent", False),
        (replace(QUIET, cadence_s=None, last_item_at=NOW - 99 * DAY), "ok", True),  # nothing is known of its habits
        (replace(QUIET, last_item_at=None), "ok", True),
        # a search says that there is nothing newer: that is an answer, though a strange one
        (replace(QUIET, kind="hackernews", cursor={"marks": {}}), "silent", True),
    ],
)
def test_a_source_that_answers_and_brings_nothing_for_long_is_silent(
    source: Source, state: SourceState, is_fresh: bool
) -> None:
    assert (health(source, NOW), fresh(source, NOW)) == (state, is_fresh)


INBOX = replace(SOURCE, kind="inbox", last_ok_at=None, next_due_at=NOW - 9 * DAY, created_at=NOW - 9 * DAY)


def test_an_inbox_is_well_and_counts_for_nothing() -> None:
    assert (health(INBOX, NOW), counts(INBOX)) == ("ok", False)
    assert health(replace(INBOX, enabled=False), NOW) == "disabled"
    assert (counts(SOURCE), counts(replace(SOURCE, enabled=False))) == (True, False)


@pytest.mark.parametrize(
    ("last_ok_at", "state", "is_fresh"),
    [(NOW - MINUTE, "ok", True), (NOW - 16 * MINUTE, "silent", False), (None, "late", False)],
)
def test_a_stream_is_well_while_it_shows_signs_of_life(
    last_ok_at: datetime | None, state: SourceState, is_fresh: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collectors.due.STREAMS", {"arroyo": None})
    stream = replace(
        SOURCE,
        kind="arroyo",
        cursor={"time_us": 1},
        last_ok_at=last_ok_at,
        created_at=NOW - MINUTE,
        next_due_at=NOW - HOUR,
    )
    assert counts(stream)
    assert (health(stream, NOW), fresh(stream, NOW)) == (state, is_fresh)


# ── a window that ran over ───────────────────────────────────────────────────

ASKED = replace(SOURCE, last_item_at=NOW - 15 * MINUTE)


@pytest.mark.parametrize(
    ("source", "published", "known", "lost"),
    [
        (ASKED, [NOW - 2 * MINUTE, NOW - 9 * MINUTE], False, True),
        (ASKED, [NOW - 2 * MINUTE, None], False, True),
        (ASKED, [NOW - 2 * MINUTE, NOW - 9 * MINUTE], True, False),
        (ASKED, [NOW - 2 * MINUTE, NOW - 16 * MINUTE], False, False),  # renamed, not lost
        (ASKED, [None, None], False, False),
        (ASKED, [], False, False),
        (replace(ASKED, first_ok_at=None), [NOW], False, False),
        (replace(ASKED, last_item_at=None), [NOW], False, False),
        (replace(ASKED, cursor={"marks": {}}), [NOW], False, False),  # a search is asked for all that is newer
    ],
)
def test_a_window_without_a_known_item_ran_over(
    source: Source, published: list[datetime | None], known: bool, lost: bool
) -> None:
    assert ran_over(source, published, known=known) == lost


def test_a_window_that_ran_over_is_shown_for_a_week() -> None:
    assert overrun(replace(SOURCE, overrun_at=NOW - 6 * DAY), NOW) == NOW - 6 * DAY
    assert overrun(replace(SOURCE, overrun_at=NOW - 8 * DAY), NOW) is None
    assert overrun(SOURCE, NOW) is None
