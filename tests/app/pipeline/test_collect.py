"""The collect walk over real HTTP and real storage, on SQLite and on PostgreSQL."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.model import Mention, MentionFilter
from app.pipeline import CollectReport
from app.pipeline.visit import BROKEN
from app.storage import Storage
from app.storage.records import Archive
from collectors.hackernews import HackerNews
from collectors.sandbox import Sandbox
from tests.app.pipeline.far_end import ANGRY, Answer, Asked, FarEnd, HandClock, client, collected, collector, hits

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Desk = Any
Walk = Callable[[], CollectReport]


@pytest.fixture
def walk(storage: Storage, sandbox: Sandbox, far_end: FarEnd, clock: HandClock) -> Walk:
    return lambda: collected(storage, sandbox, far_end, clock)


def mentions(storage: Storage) -> list[Mention]:
    return storage.mentions.page(MentionFilter(), None, 100)


def counted(desk: Desk) -> tuple[int, int]:
    """(live, backfilled) stories and copies of the first brand."""
    (brand, *_) = desk.storage.brands.all()
    rows = desk.storage.volumes.series(brand.id, desk.clock.now - 60 * DAY, desk.clock.now + DAY, 300)
    live = sum(row.stories + row.copies for row in rows)
    return live, sum(row.backfill_stories + row.backfill_copies for row in rows)


# ── what comes in ────────────────────────────────────────────────────────────


def test_it_stores_what_a_feed_says_with_its_tone(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.brand()
    feed = desk.feed()
    feed.says(ANGRY.format(name="Aurora", number=1), now - HOUR)
    feed.says("Llueve en el puerto", now - HOUR)

    report = walk()

    assert (report.visited, report.failed, report.posts, report.mentions) == (1, 0, 2, 1)
    (mention,) = mentions(desk.storage)
    assert (mention.brand, mention.sentiment.label, mention.backfill) == ("aurora", "negative", True)
    source = desk.seen()
    assert (source.state, source.fail_count, source.first_ok_at) == ("ok", 0, now)
    assert source.etag == '"2"'
    assert source.next_due_at > now


def test_what_comes_after_the_first_visit_is_live_and_what_comes_late_is_not(
    desk: Desk, walk: Walk, now: datetime
) -> None:
    desk.brand()
    feed = desk.feed()
    feed.says("Aurora abre el lunes", now - HOUR)
    walk()
    assert counted(desk) == (0, 1)

    desk.clock.now += HOUR
    feed.says("Aurora abre el martes", now + HOUR / 2)
    feed.says("Aurora abre el jueves", now - 2 * DAY)
    walk()
    assert counted(desk) == (1, 2)


def test_an_unchanged_feed_stores_nothing_and_is_well(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.brand()
    feed = desk.feed()
    feed.says("Aurora abre el lunes", now - HOUR)
    walk()
    desk.clock.now += HOUR
    report = walk()
    assert (report.visited, report.unchanged, report.posts) == (1, 1, 0)
    first, second = desk.far_end.asked
    assert "if-none-match" not in first.headers
    assert second.headers["if-none-match"] == '"1"'
    source = desk.seen()
    assert (source.state, source.last_ok_at, source.etag) == ("ok", now + HOUR, '"1"')
    assert source.last_item_at == now


def test_the_same_body_without_a_validator_is_unchanged_too(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.brand()
    feed = desk.feed()
    feed.tags = False
    feed.says("Aurora abre el lunes", now - HOUR)
    assert walk().unchanged == 0
    desk.clock.now += HOUR
    assert walk().unchanged == 1
    assert desk.seen().last_ok_at == now + HOUR
    feed.says("Aurora abre el martes", now)
    desk.clock.now += HOUR
    assert walk().posts == 1


def test_an_item_that_cannot_be_read_costs_itself_only(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.brand()
    desk.source("board", "hackernews")
    good = json.loads(hits([(1, now - HOUR, "Lunch at Aurora")]).body)
    good["hits"].append("not a hit")
    desk.far_end.answers["/board/search_by_date"] = Answer(200, json.dumps(good).encode())
    report = walk()
    assert (report.posts, report.quarantined) == (1, 1)
    assert len(desk.storage.sources.quarantined("board")) == 1


def test_it_visits_what_is_due_and_nothing_else(desk: Desk, walk: Walk) -> None:
    desk.brand()
    for slug in ("a", "b", "c"):
        desk.feed(slug)
    desk.feed("off", enabled=False)
    assert walk().visited == 3
    assert walk().visited == 0
    assert sorted(one.path for one in desk.far_end.asked) == ["/a", "/b", "/c"]


def test_a_post_in_two_feeds_at_once_is_two_posts_and_one_story(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.brand()
    long = ANGRY.format(name="Aurora", number=1)
    for slug in ("a", "b"):
        desk.feed(slug).says(long, now - HOUR)
    report = walk()
    assert (report.posts, report.mentions) == (2, 2)
    assert sorted(mention.copy for mention in mentions(desk.storage)) == [False, True]


# ── pages ────────────────────────────────────────────────────────────────────


def board(now: datetime, pages: int, fails_at: int | None = None) -> Callable[[Asked], Answer]:
    """A search of `pages` pages, one hit each, whose page number `fails_at` is a 500."""

    def answer(asked: Asked) -> Answer:
        page = int(asked.query["page"][0])
        if page == fails_at:
            return Answer(500)
        return hits(
            [(page, now - HOUR - page * timedelta(minutes=1), "Lunch at Aurora")], page=page, pages=pages, found=pages
        )

    return answer


def test_it_reads_a_search_page_by_page_and_stores_it_at_once(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.brand()
    desk.source("board", "hackernews")
    desk.far_end.answers["/board/search_by_date"] = board(now, pages=5)
    assert walk().posts == 5
    asked = desk.far_end.asked_at("/board/search_by_date")
    assert [one.query["page"] for one in asked] == [["0"], ["1"], ["2"], ["3"], ["4"]]
    assert asked[0].query["query"] == ["aurora"]
    assert desk.seen("board").cursor["marks"] == {"aurora": int((now - HOUR).timestamp())}


def test_a_hit_from_the_future_does_not_hide_what_comes_until_then(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.brand()
    desk.source("board", "hackernews")
    said = [(0, now + 30_000 * DAY, "Aurora, one day")]

    def answer(asked: Asked) -> Answer:
        since = int(asked.query["numericFilters"][0].removeprefix("created_at_i>"))
        return hits([one for one in said if one[1].timestamp() > since])

    desk.far_end.answers["/board/search_by_date"] = answer
    assert walk().posts == 1
    for number in range(1, 4):
        desk.clock.now += HOUR
        said.append((number, desk.clock.now, "Lunch at Aurora"))
        desk.clock.now += 3 * HOUR
        assert walk().posts == 1


def test_a_term_that_fails_costs_every_other_visit_and_no_more(desk: Desk, walk: Walk) -> None:
    desk.brand("aurora", "aurora OR berilo OR cobre")
    desk.source("board", "hackernews")
    asked: list[str] = []

    def answer(one: Asked) -> Answer:
        (term,) = one.query["query"]
        asked.append(term)
        return Answer(500) if term == "berilo" else hits([])

    desk.far_end.answers["/board/search_by_date"] = answer
    states = []
    for _ in range(12):
        walk()
        states.append(desk.seen("board").state)
        desk.clock.now += 3 * HOUR
    assert "failing, failing" not in ", ".join(states)
    assert asked.count("aurora") + asked.count("cobre") >= 10


def test_a_fault_of_our_own_is_written_down_and_waited_after(
    desk: Desk, walk: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.brand()
    desk.source("board", "hackernews")
    monkeypatch.setattr(HackerNews, "request", lambda *_: 1 / 0)
    assert walk().failed == 1
    source = desk.seen("board")
    assert (source.state, source.last_error) == ("failing", f"{BROKEN.code}: {BROKEN.message}")
    assert source.next_due_at > desk.clock.now


def test_a_search_without_an_end_is_left_after_a_bounded_number_of_pages(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.brand()
    desk.source("board", "hackernews")
    desk.far_end.answers["/board/search_by_date"] = board(now, pages=10_000)
    report = walk()
    assert report.posts == len(desk.far_end.asked) == 20


@pytest.mark.parametrize(("name", "bound"), [("PAGES", 3), ("ENOUGH_S", 0.0)])
def test_a_visit_that_is_cut_short_goes_on_where_it_stopped(
    desk: Desk, walk: Walk, now: datetime, monkeypatch: pytest.MonkeyPatch, name: str, bound: float
) -> None:
    monkeypatch.setattr(f"app.pipeline.visit.{name}", bound)
    desk.brand()
    desk.source("board", "hackernews")
    desk.far_end.answers["/board/search_by_date"] = board(now, pages=5)
    first = walk().posts
    assert first == (bound or 1)
    for _ in range(5):
        desk.clock.now += HOUR
        walk()
    pages = [int(one.query["page"][0]) for one in desk.far_end.asked]
    assert pages[:5] == [0, 1, 2, 3, 4]
    assert len(mentions(desk.storage)) == 5


def test_a_page_that_fails_keeps_what_came_before(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.brand()
    desk.source("board", "hackernews")
    desk.far_end.answers["/board/search_by_date"] = board(now, pages=4, fails_at=2)
    report = walk()
    assert (report.posts, report.failed) == (2, 0)
    assert desk.seen("board").state == "ok"

    desk.far_end.answers["/board/search_by_date"] = board(now, pages=4)
    desk.clock.now += HOUR
    assert walk().posts == 2
    assert [one.query["page"][0] for one in desk.far_end.asked] == ["0", "1", "2", "2", "3"]


def test_a_quiet_first_term_does_not_silence_the_others(desk: Desk, walk: Walk, now: datetime) -> None:
    """A search asks one question a term: that the first has the answer of last time says nothing of the others."""
    desk.brand("aurora")
    desk.brand("brezo")
    desk.source("board", "hackernews")
    said: dict[str, list[tuple[int, datetime, str]]] = {"aurora": [], "brezo": [(1, now - HOUR, "Lunch at Brezo")]}

    def answer(asked: Asked) -> Answer:
        found = hits(said[asked.query["query"][0]])
        return Answer(304) if "if-none-match" in asked.headers else Answer(200, found.body, {"ETag": '"always"'})

    desk.far_end.answers["/board/search_by_date"] = answer
    assert walk().mentions == 1
    said["brezo"].append((2, now, "Dinner at Brezo"))
    desk.clock.now += HOUR
    assert walk().mentions == 1
    assert {mention.brand for mention in mentions(desk.storage)} == {"brezo"}


# ── what goes wrong ──────────────────────────────────────────────────────────


def test_a_failure_is_written_down_and_tried_again_later(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.feed(interval_s=600)
    desk.far_end.answers["/barrio"] = Answer(503, headers={"Retry-After": "1800"})
    report = walk()
    assert (report.visited, report.failed, list(report.errors)) == (1, 1, ["barrio"])
    source = desk.seen()
    assert (source.state, source.fail_count, source.last_error_at) == ("failing", 1, now)
    assert source.last_error.startswith("http_503: ")
    assert source.next_due_at >= now + timedelta(seconds=1800)
    assert walk().visited == 0


def test_a_source_that_recovers_is_well_again(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.brand()
    feed = desk.feed()
    feed.says("Aurora abre", now)
    desk.far_end.answers["/barrio"] = Answer(500)
    walk()
    desk.far_end.answers["/barrio"] = feed
    desk.clock.now += DAY
    assert walk().posts == 1
    source = desk.seen()
    assert (source.state, source.fail_count, source.last_error) == ("ok", 0, None)


def test_a_source_that_is_gone_is_asked_no_more(desk: Desk, walk: Walk) -> None:
    desk.feed()
    desk.far_end.answers["/barrio"] = Answer(410)
    walk()
    assert desk.seen().state == "disabled"
    assert desk.seen().last_error.startswith("http_410: ")
    desk.clock.now += 30 * DAY
    assert walk().visited == 0


def test_a_source_that_fails_does_not_hold_up_the_others(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.brand()
    for slug in ("a", "b", "c"):
        desk.feed(slug).says(f"Aurora {slug}", now)
    desk.far_end.answers["/b"] = Answer(200, b"<html><p>no feed</p></html>")
    report = walk()
    assert (report.visited, report.failed, report.posts) == (3, 1, 2)
    assert desk.seen("b").last_error.startswith("not_a_feed: ")


def test_a_run_ends_however_long_it_takes(desk: Desk, walk: Walk) -> None:
    """Time passes while a run is under way: what it visited late is not taken for visited by a clock since set back."""
    desk.brand()
    for slug in ("a", "b", "c", "d", "e"):
        desk.feed(slug, interval_s=86_400)
    desk.far_end.answers["/d"] = Answer(500)
    desk.clock.step = timedelta(seconds=61)
    assert walk().visited == 5


def test_a_run_of_sources_that_come_due_again_meanwhile_ends(desk: Desk, walk: Walk) -> None:
    desk.brand()
    for slug in ("a", "b", "c", "d", "e"):
        desk.feed(slug, interval_s=60)
    desk.clock.step = timedelta(minutes=10)
    walk()
    assert {one.path for one in desk.far_end.asked} == {"/a", "/b", "/c", "/d", "/e"}
    assert len(desk.far_end.asked) <= 10


# ── together ─────────────────────────────────────────────────────────────────


def test_visits_that_come_home_together_are_stored_in_one_transaction(
    desk: Desk, storage: Storage, sandbox: Sandbox, far_end: FarEnd, clock: HandClock, now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    desk.brand()
    for slug in ("a", "b"):
        desk.feed(slug).says(f"Aurora {slug}", now)
    sizes: list[int] = []
    store_all = storage.posts.store_all
    monkeypatch.setattr(
        storage.posts, "store_all", lambda batches, at: sizes.append(len(batches)) or store_all(batches, at)
    )

    async def story() -> int:
        async with client(far_end.port) as http:
            walk = collector(storage, sandbox, http, clock)
            await walk._storing.acquire()  # somebody is storing until both are home
            claimed = await walk.tick()
            while len(walk._home) < claimed:
                await asyncio.sleep(0.01)
            walk._storing.release()
            await walk._hands.rest()
            return walk.report.posts

    assert asyncio.run(story()) == 2
    assert sizes == [2]


def test_of_visits_stored_together_the_one_whose_lease_is_lost_stores_nothing(
    desk: Desk, storage: Storage, sandbox: Sandbox, far_end: FarEnd, clock: HandClock, now: datetime,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    desk.brand()
    for slug in ("kept", "lost"):
        desk.feed(slug).says(f"Aurora {slug}", now)

    async def story() -> int:
        async with client(far_end.port) as http:
            walk = collector(storage, sandbox, http, clock)
            await walk._storing.acquire()
            claimed = await walk.tick()
            while len(walk._home) < claimed:
                await asyncio.sleep(0.01)
            storage.apply([Archive("source", "lost")], now)  # ends its lease
            walk._storing.release()
            await walk._hands.rest()
            return walk.report.posts

    assert asyncio.run(story()) == 1
    assert [mention.source for mention in mentions(storage)] == ["kept"]
    assert desk.seen("lost").last_ok_at is None
    assert "source lost: its lease ended" in caplog.text


def test_a_failure_whose_lease_is_lost_is_not_written_down(
    desk: Desk, storage: Storage, walk: Walk, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    desk.feed()

    def gone(asked: Asked) -> Answer:
        storage.apply([Archive("source", "barrio")], now)
        return Answer(500)

    desk.far_end.answers["/barrio"] = gone
    assert walk().failed == 1
    assert desk.seen().last_error is None
    assert "source barrio: its lease ended" in caplog.text


def test_a_visit_that_is_dropped_is_taken_up_again_when_its_lease_ends(
    desk: Desk, storage: Storage, sandbox: Sandbox, far_end: FarEnd, clock: HandClock, walk: Walk, now: datetime
) -> None:
    desk.brand()
    desk.feed().says("Aurora abre", now)

    async def story() -> int:
        async with client(far_end.port) as http:
            one = collector(storage, sandbox, http, clock)
            claimed = await one.tick()
            await one.stop()
            return claimed

    assert asyncio.run(story()) == 1
    assert walk().visited == 0
    clock.now += timedelta(seconds=121)
    assert walk().posts == 1


# ── a brand that comes later ─────────────────────────────────────────────────


def test_a_new_brand_finds_stored_posts_when_the_feed_has_changed_and_they_are_no_news(
    desk: Desk, walk: Walk, now: datetime
) -> None:
    desk.brand("aurora")
    feed = desk.feed()
    feed.says("Aurora y Brezo se fusionan", now - HOUR)
    walk()
    desk.brand("brezo")
    desk.clock.now += HOUR
    feed.says("Llueve en el puerto", now)
    walk()
    found = {mention.brand: mention for mention in mentions(desk.storage)}
    assert set(found) == {"aurora", "brezo"}
    assert found["brezo"].backfill


def test_a_new_brand_finds_stored_posts_in_a_feed_that_does_not_change(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.brand("aurora")
    desk.feed().says("Aurora y Brezo se fusionan", now - HOUR)
    walk()
    desk.brand("brezo")
    desk.clock.now += 2 * DAY
    walk()
    assert {mention.brand for mention in mentions(desk.storage)} == {"aurora", "brezo"}


def test_a_new_brand_is_asked_for_in_a_search_at_once(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.brand("aurora")
    desk.source("board", "hackernews")
    desk.far_end.answers["/board/search_by_date"] = lambda asked: hits(
        [(7, now - HOUR, "Lunch at Brezo")] if asked.query["query"] == ["brezo"] else []
    )
    assert walk().posts == 0
    desk.brand("brezo")
    desk.clock.now += HOUR
    assert walk().mentions == 1


def test_an_archived_brand_is_listened_for_no_more(desk: Desk, walk: Walk, now: datetime) -> None:
    desk.brand("aurora")
    feed = desk.feed()
    walk()
    desk.storage.apply([Archive("brand", "aurora")], now)
    feed.says("Aurora abre", now)
    desk.clock.now += HOUR
    assert (report := walk()).posts == 1
    assert report.mentions == 0
