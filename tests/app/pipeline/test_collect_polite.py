"""What a visit leaves behind for the next: quotas, rests, moves, cadence, windows that ran over, what was left out."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.pipeline import CollectReport
from app.storage import Storage
from collectors.base import Page
from collectors.due import address, fresh, health
from collectors.sandbox import Sandbox
from tests.app.pipeline.far_end import Answer, Asked, FarEnd, Feed, HandClock, collected, hits

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Desk = Any
Walk = Callable[[], CollectReport]


@pytest.fixture
def walk(storage: Storage, sandbox: Sandbox, far_end: FarEnd, clock: HandClock) -> Walk:
    return lambda: collected(storage, sandbox, far_end, clock)


def wait_s(desk: Desk, slug: str = "barrio") -> float:
    return (desk.seen(slug).next_due_at - desk.clock.now).total_seconds()


# ── quotas ───────────────────────────────────────────────────────────────────


def board(now: datetime, pages: int) -> Callable[[Asked], Answer]:
    def answer(asked: Asked) -> Answer:
        page = int(asked.query["page"][0])
        return hits([(page, now - HOUR - page * MINUTE, "Lunch at Aurora")], page=page, pages=pages, found=pages)

    return answer


@pytest.mark.parametrize(("pages", "sharers", "least"), [(1, 1, 900), (5, 1, 4320), (5, 3, 12_960)])
def test_what_a_visit_took_is_waited_for(
    desk: Desk, walk: Walk, now: datetime, pages: int, sharers: int, least: int
) -> None:
    desk.brand()
    desk.source("board", "hackernews", settings={"requests_per_day": 100})
    desk.far_end.answers["/board/search_by_date"] = board(now, pages)
    for number in range(1, sharers):
        desk.source(f"other{number}", "hackernews", settings={"requests_per_day": 100})
    desk.source("off", "hackernews", settings={"requests_per_day": 100}, enabled=False)
    desk.source("barrio")
    walk()
    assert least <= wait_s(desk, "board") <= least * 1.1


def test_gdelt_is_asked_once_an_hour_for_a_brand_whatever_fails(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.brand()
    desk.source("mundo", "gdelt", interval_s=60)
    for status in (500, 503, 404):
        desk.far_end.answers["/mundo"] = Answer(status)
        walk()
        assert wait_s(desk, "mundo") >= HOUR.total_seconds()
        desk.clock.now = desk.seen("mundo").next_due_at


def test_a_source_that_waits_for_its_quota_is_not_late(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.brand()
    desk.source("board", "hackernews", settings={"requests_per_day": 20})
    desk.far_end.answers["/board/search_by_date"] = board(now, 5)
    walk()
    waiting = desk.seen("board")
    assert waiting.adaptive_interval_s == 21_600
    assert [health(waiting, now + hours * HOUR) for hours in (1, 5, 7)] == ["ok", "ok", "ok"]
    assert fresh(waiting, now + 7 * HOUR)


def test_a_visit_that_fails_is_paid_for_too(desk: Desk, walk: Walk) -> None:
    desk.brand()
    desk.source("board", "hackernews", settings={"requests_per_day": 10})
    desk.far_end.answers["/board/search_by_date"] = Answer(500)
    walk()
    assert wait_s(desk, "board") >= 8640


# ── what the source asks for ─────────────────────────────────────────────────


def test_a_source_that_asks_for_a_pause_gets_it_and_no_page_is_turned(
    desk: Desk, walk: Walk, now: datetime, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse = sandbox.parse

    async def with_backoff(source: Any, response: Any) -> Page:
        return replace(await parse(source, response), wait_s=10**12)

    monkeypatch.setattr(sandbox, "parse", with_backoff)
    desk.brand()
    desk.source("board", "hackernews")
    desk.far_end.answers["/board/search_by_date"] = board(now, 5)
    assert walk().posts == 1
    assert len(desk.far_end.asked) == 1
    assert 86_400 <= wait_s(desk, "board") <= 95_040, "as it said, a day at most"


def test_a_page_that_is_refused_for_a_while_is_not_asked_for_sooner(desk: Desk, walk: Walk, now: datetime) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.query["page"] == ["1"]:
            return Answer(429, headers={"Retry-After": "7200"})
        return board(now, 5)(asked)

    desk.brand()
    desk.source("board", "hackernews")
    desk.far_end.answers["/board/search_by_date"] = answer
    assert walk().posts == 1
    assert 7200 <= wait_s(desk, "board") <= 7920


def test_after_a_429_no_other_source_of_the_host_is_asked(desk: Desk, walk: Walk) -> None:
    for slug in ("a", "b", "c"):
        desk.source(slug)
        desk.far_end.answers[f"/{slug}"] = Answer(429, headers={"Retry-After": "3600"})
    desk.storage.sources.poll_now("a", desk.clock.now - MINUTE)
    report = walk()
    assert report.failed == 3
    assert len(desk.far_end.asked) < 3
    codes = [desk.seen(slug).last_error.partition(":")[0] for slug in ("a", "b", "c")]
    assert sorted(set(codes)) == ["host_resting", "http_429"]
    assert all(wait_s(desk, slug) >= 3590 for slug in ("a", "b", "c"))


def test_what_an_author_took_back_goes_into_storage(
    desk: Desk, walk: Walk, now: datetime, storage: Storage, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse = sandbox.parse

    async def without_two(source: Any, response: Any) -> Page:
        return replace(await parse(source, response), posts=(), gone=("g1", "g1", "g0"))

    desk.brand()
    feed = desk.feed()
    for number in range(3):
        feed.says(f"Aurora abre el día {number}", now - HOUR)
    walk()
    told: list[Any] = []
    store_all = storage.posts.store_all
    monkeypatch.setattr(storage.posts, "store_all", lambda batches, at: told.extend(batches) or store_all(batches, at))
    monkeypatch.setattr(sandbox, "parse", without_two)
    feed.says("Aurora abre ya", now)
    desk.clock.now += HOUR
    walk()
    (batch,) = told
    keys = storage.posts.known(batch.gone)
    assert len(batch.gone) == len(keys) == 2


def test_what_a_publisher_wishes_holds_while_nothing_is_new(desk: Desk, walk: Walk, now: datetime) -> None:
    feed = desk.feed()
    feed.ttl_min = 60
    feed.says("Llueve", now)
    for _ in range(3):  # as a whole, and twice a 304
        walk()
        due = desk.seen().next_due_at
        assert due is not None
        assert due - desk.clock.now >= HOUR
        desk.clock.now = due


# ── moved for good ───────────────────────────────────────────────────────────


def moving(desk: Desk, to: str = "/nuevo", status: int = 301) -> Feed:
    """The feed of `barrio`, which is at another address now."""
    feed = desk.feed()
    desk.far_end.answers[to] = feed
    desk.far_end.answers["/barrio"] = Answer(status, headers={"Location": to})
    return feed


def visits(desk: Desk, walk: Walk, times: int, feed: Feed | None = None) -> None:
    for _ in range(times):
        if feed:
            feed.says("Aurora abre", desk.clock.now)
        walk()
        desk.clock.now += 3 * HOUR


def test_an_address_that_moved_for_good_is_adopted_at_the_third_sighting(
    desk: Desk, walk: Walk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.brand()
    feed = moving(desk)
    visits(desk, walk, 2, feed)
    assert (desk.seen().moved_seen, desk.seen().moved_to) == (2, desk.far_end.url("/nuevo"))
    assert address(desk.seen()) == desk.far_end.url("/barrio")
    before = desk.seen()
    visits(desk, walk, 1, feed)
    assert address(desk.seen()) == desk.far_end.url("/nuevo")
    assert "it is asked at http://127.0.0.1" in caplog.text
    desk.far_end.asked.clear()
    visits(desk, walk, 2, feed)
    assert {one.path for one in desk.far_end.asked} == {"/nuevo"}
    after = desk.seen()
    assert (after.url, after.first_ok_at, after.state) == (before.url, before.first_ok_at, "ok")


def test_a_move_that_is_taken_back_is_found_out(desk: Desk, walk: Walk) -> None:
    feed = moving(desk)
    visits(desk, walk, 3, feed)
    desk.far_end.answers["/nuevo"] = Answer(410)
    desk.far_end.answers["/barrio"] = feed
    visits(desk, walk, 1)
    assert desk.seen().state == "failing", "what is gone is where it moved to, not what the operator wrote"
    visits(desk, walk, 4)
    assert (desk.seen().state, address(desk.seen())) == ("ok", desk.far_end.url("/barrio"))


def test_an_unchanged_feed_moves_as_well(desk: Desk, walk: Walk, now: datetime) -> None:
    moving(desk).says("Llueve", now)
    visits(desk, walk, 3)
    assert desk.seen().moved_seen == 3


def test_a_move_for_a_while_is_none(desk: Desk, walk: Walk) -> None:
    feed = moving(desk, status=302)
    visits(desk, walk, 4, feed)
    assert (desk.seen().moved_seen, desk.seen().moved_to) == (0, None)


def test_an_address_that_another_source_has_is_not_taken(
    desk: Desk, walk: Walk, caplog: pytest.LogCaptureFixture
) -> None:
    feed = moving(desk)
    desk.feed("nuevo")
    desk.far_end.answers["/nuevo"] = feed
    visits(desk, walk, 5, feed)
    assert address(desk.seen()) == desk.far_end.url("/barrio")
    assert "it moved to where source nuevo is asked" in caplog.text


def test_putting_a_source_as_it_stands_in_the_file_does_not_take_its_new_address_away(desk: Desk, walk: Walk) -> None:
    feed = moving(desk)
    visits(desk, walk, 3, feed)
    adopted = desk.seen()
    desk.source("barrio")
    assert desk.seen() == adopted


def test_an_apis_address_does_not_move(desk: Desk, walk: Walk, now: datetime) -> None:
    """Its url is where its paths begin: what is redirected is another one."""
    desk.brand()
    desk.source("board", "hackernews")
    desk.far_end.answers["/board/search_by_date"] = Answer(301, headers={"Location": "/elsewhere?page=0"})
    desk.far_end.answers["/elsewhere"] = hits([(1, now - HOUR, "Lunch at Aurora")])
    visits(desk, walk, 4)
    assert desk.seen("board").moved_seen == 0


# ── cadence, and windows that run over ───────────────────────────────────────


def test_it_learns_what_lies_between_two_items(desk: Desk, walk: Walk, now: datetime) -> None:
    feed = desk.feed()
    for hours in range(1, 7):
        feed.says(f"Nota {hours}", now - hours * HOUR)
    walk()
    assert desk.seen().cadence_s == 3600
    desk.clock.now += 2 * HOUR
    walk()
    assert desk.seen().cadence_s == 3600, "nothing new teaches nothing"
    desk.clock.now += 2 * HOUR
    feed.says("Nota", now + 3 * HOUR)
    walk()
    assert 3600 < desk.seen().cadence_s < 3 * 3600


def rolled(feed: Feed, now: datetime, *minutes: float) -> None:
    """The window shows nothing but what was published so many minutes ago."""
    feed.items = [(f"{now}-{ago}", now - ago * MINUTE, f"Nota de hace {ago} minutos") for ago in minutes]


def test_a_window_that_ran_over_is_told_and_asked_faster_at_once(
    desk: Desk, walk: Walk, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    feed = desk.feed(interval_s=3600)
    feed.tags = False
    desk.far_end.answers["/barrio"] = lambda asked: replace(feed(asked), headers={"Cache-Control": "max-age=7200"})
    rolled(feed, now, 5, 20, 40)
    walk()
    assert wait_s(desk) >= 7200
    desk.clock.now += 3 * HOUR
    rolled(feed, desk.clock.now, 1, 10, 20)
    walk()
    source = desk.seen()
    assert source.overrun_at == desk.clock.now
    assert source.adaptive_interval_s == 900
    assert 900 <= wait_s(desk) <= 990, "the publisher's wish was a wrong one"
    assert "source barrio: its window ran over" in caplog.text
    assert source.state == "ok"

    desk.clock.now += 2 * HOUR
    feed.says("Una más", desk.clock.now)
    walk()
    assert desk.seen().overrun_at == source.overrun_at, "it stays to be seen"


def test_a_window_that_still_shows_a_known_item_lost_nothing(desk: Desk, walk: Walk, now: datetime) -> None:
    feed = desk.feed()
    feed.tags = False
    feed.says("Nota", now)
    walk()
    desk.clock.now += HOUR
    for minutes in range(30):
        feed.says("Otra", now + minutes * MINUTE)
    walk()
    assert desk.seen().overrun_at is None


# ── what is too much ─────────────────────────────────────────────────────────


def test_items_beyond_the_cap_are_said(desk: Desk, walk: Walk, now: datetime, caplog: pytest.LogCaptureFixture) -> None:
    feed = desk.feed()
    feed.tags = False
    for number in range(510):
        feed.says(f"Nota {number}", now - number * MINUTE)
    report = walk()
    assert (report.posts, report.left_out) == (500, 10)
    assert "source barrio: 10 items were left out" in caplog.text
    feed.says("Otra", now)
    desk.clock.now += 3 * HOUR
    walk()
    (row,) = desk.storage.sources.quarantined("barrio")
    assert row.reason.startswith("items were left out: ")
