"""The walk along a stream over a real websocket and real storage, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest

from app.model import Brand, Mention, MentionFilter
from app.pipeline import follow
from app.pipeline.follow import LEASE_S, Follow
from app.storage import Storage
from app.storage.records import Archive, PutBrand, PutSource
from collectors.base import Source
from collectors.due import fresh, health
from collectors.stream import Place
from tests.app.pipeline.far_end import HandClock, client, languages, scorer
from tests.collectors.firehose import Firehose, to_us

MINUTE = timedelta(minutes=1)
ANGRY = "Aurora is awful and dirty, a horrible and rude place."


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step is as short as the test server is quick."""
    monkeypatch.setattr(follow, "STEP_S", 0.03)
    monkeypatch.setattr(follow, "RECONNECT_S", 0.01)


class Story:
    """A firehose, a brand and a source that follows it; what a test tells of them, in short sentences."""

    def __init__(self, storage: Storage, clock: HandClock) -> None:
        self.storage = storage
        self.clock = clock
        self.firehose = Firehose(clock.now)
        self._walks: list[Follow] = []
        self._clients: list[Any] = []

    def brand(self, slug: str = "aurora") -> None:
        self.storage.apply([PutBrand(Brand(0, slug, slug.title(), slug))], self.clock.now)

    def configure(self, **fields: Any) -> None:
        fields = {"url": self.firehose.url} | fields
        self.storage.apply([PutSource(Source(0, "bluesky", "Bluesky", "jetstream", **fields))], self.clock.now)

    def source(self) -> Source:
        found = self.storage.sources.get("bluesky")
        assert found
        return found

    def place(self) -> Place:
        return Place.of(self.source())

    def texts(self) -> list[str]:
        return sorted(mention.text for mention in self.mentions())

    def mentions(self) -> list[Mention]:
        return self.storage.mentions.page(MentionFilter(), None, 1_000)

    def listener(self, owner: str = "one", *, also: tuple[int, ...] = ()) -> Follow:
        http = client(self.firehose.port, *also)
        walk = Follow(
            storage=self.storage,
            http=http,
            languages=languages(),
            scorer=scorer(),
            clock=self.clock,
            owner=owner,
        )
        self._clients.append(http)
        self._walks.append(walk)
        return walk

    async def begin(self, owner: str = "one") -> Follow:
        walk = self.listener(owner)
        await walk.tick()
        await self.until(lambda: self.firehose.listeners == 1)
        return walk

    async def heard(self) -> None:
        """Wait until all that was said so far is stored."""
        last = self.firehose.events[-1]["time_us"]
        self.clock.now = max(self.clock.now, self.firehose.now)
        await self.until(lambda: self.place().time_us >= last)

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not await asyncio.to_thread(true):
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        for walk in self._walks:
            await walk.stop()
        for http in self._clients:
            await http.aclose()


Told = Callable[[Callable[[Story], Awaitable[None]]], None]


@pytest.fixture
def told(storage: Storage, clock: HandClock) -> Told:
    def tell(story: Callable[[Story], Awaitable[None]]) -> None:
        async def whole() -> None:
            told = Story(storage, clock)
            async with asyncio.timeout(20), told.firehose.open():
                told.brand()
                told.configure()
                try:
                    await story(told)
                finally:
                    await told.close()

        asyncio.run(whole())

    return tell


# ── what comes in ────────────────────────────────────────────────────────────


def test_only_what_mentions_a_brand_is_kept_and_it_is_news(told: Told) -> None:
    async def story(it: Story) -> None:
        it.firehose.posts("Aurora was said before anybody listened.")
        await it.begin()
        it.firehose.posts("Nice weather today.")
        name = it.firehose.posts(ANGRY)
        it.firehose.posts("Still nice.")
        await it.heard()

        (mention,) = it.mentions()
        assert (mention.text, mention.backfill, mention.sentiment.label) == (ANGRY, False, "negative")
        assert mention.url == f"https://bsky.app/profile/did:plc:ana/post/{name.rpartition('/')[2]}"
        assert len(it.storage.posts.page()) == 1
        assert (it.place().messages, it.place().matches) == (3, 1)

    told(story)


def test_the_cursor_and_the_health_move_without_mentions(told: Told, now: datetime) -> None:
    async def story(it: Story) -> None:
        await it.begin()
        it.firehose.posts("Nice weather today.")
        await it.heard()
        source = it.source()
        assert (source.state, source.fail_count, source.last_item_at) == ("ok", 0, None)
        assert source.last_ok_at is not None
        assert health(source, it.clock.now) == "ok"

        for minutes in (1, 2, 3):
            it.firehose.now = now + minutes * MINUTE
            it.firehose.posts("Still nice.")
            await it.heard()
            assert health(it.source(), it.clock.now) == "ok"

    told(story)


def test_a_brand_that_comes_later_is_heard_without_another_connection(told: Told) -> None:
    async def story(it: Story) -> None:
        walk = await it.begin()
        it.brand("lumbre")
        await walk.tick()
        it.firehose.posts("Lumbre again.")
        await it.heard()
        assert it.texts() == ["Lumbre again."]
        assert len(it.firehose.asked) == 1

    told(story)


def test_a_source_hears_only_for_its_brands(told: Told) -> None:
    async def story(it: Story) -> None:
        it.brand("lumbre")
        it.configure(brands=("lumbre",))
        await it.begin()
        it.firehose.posts("Aurora again.")
        it.firehose.posts("Lumbre again.")
        await it.heard()
        assert it.texts() == ["Lumbre again."]

    told(story)


def test_what_is_unreadable_is_put_aside_and_its_neighbours_are_kept(told: Told) -> None:
    async def story(it: Story) -> None:
        await it.begin()
        it.firehose.says({"did": "?", "kind": "commit", "commit": {"collection": "app.bsky.feed.post"}})
        it.firehose.posts("Aurora again.")
        await it.heard()
        assert it.texts() == ["Aurora again."]
        assert [row.reason for row in it.storage.sources.quarantined("bluesky")] == ["a message without a usable did"]

    told(story)


# ── what is taken back ───────────────────────────────────────────────────────


def test_what_is_taken_back_is_withdrawn(told: Told) -> None:
    async def story(it: Story) -> None:
        await it.begin()
        at_once, later = it.firehose.posts("Aurora at once."), it.firehose.posts("Aurora later.")
        it.firehose.posts("Aurora stays.")
        it.firehose.deletes(at_once)
        await it.heard()
        it.firehose.deletes(later)
        it.firehose.deletes("at://did:plc:eva/app.bsky.feed.post/nobody-knows-it")
        await it.heard()
        assert {post.post.text for post in it.storage.posts.page() if not post.withdrawn_at} == {"Aurora stays."}

    told(story)


def test_what_went_away_with_its_author_is_looked_for_every_ten_minutes(told: Told, now: datetime) -> None:
    async def story(it: Story) -> None:
        await it.begin()
        for author in ("eva", "ida", "ana"):
            it.firehose.posts(f"Aurora, says {author}.", did=f"did:plc:{author}")
        await it.heard()

        def left() -> list[str]:
            return sorted(post.post.text for post in it.storage.posts.page() if not post.withdrawn_at)

        it.firehose.leaves("did:plc:eva")
        await it.heard()
        assert left() == ["Aurora, says ana.", "Aurora, says ida."]
        it.firehose.leaves("did:plc:ida")
        await it.heard()
        assert left() == ["Aurora, says ana.", "Aurora, says ida."]
        assert it.place().left == ("did:plc:ida",)

        it.firehose.now = now + 11 * MINUTE
        it.firehose.posts("Nice weather.")
        await it.heard()
        assert left() == ["Aurora, says ana."]
        assert it.place().left == ()

    told(story)


def test_a_change_is_kept_also_where_the_brand_is_no_longer_in_it(told: Told) -> None:
    async def story(it: Story) -> None:
        await it.begin()
        it.firehose.posts("Aurora is awful.", rkey="3k")
        await it.heard()
        it.firehose.commits("update", "did:plc:ana", "3k", {"text": "I was wrong.", "langs": ["en"]})
        it.firehose.commits("update", "did:plc:ana", "unknown", {"text": "Another matter.", "langs": ["en"]})
        await it.heard()
        assert [post.post.text for post in it.storage.posts.page()] == ["I was wrong."]

    told(story)


# ── what breaks ──────────────────────────────────────────────────────────────


def test_nothing_is_lost_or_doubled_when_it_is_cut_off(told: Told) -> None:
    async def story(it: Story) -> None:
        await it.begin()
        said = []
        for number in range(30):
            it.firehose.posts(f"Aurora, number {number}.")
            said.append(f"Aurora, number {number}.")
            it.clock.now = it.firehose.now
            if number % 10 == 5:
                await it.until(lambda: it.place().messages > 0)
                await it.firehose.cut()
            await asyncio.sleep(0.002)
        await it.heard()
        assert it.texts() == sorted(said)
        (brand,) = it.storage.brands.all()
        rows = it.storage.volumes.series(brand.id, it.clock.now - 60 * MINUTE, it.clock.now + 60 * MINUTE, 300)
        assert sum(row.stories + row.copies for row in rows) == len(said)
        assert it.source().state == "ok"
        again = int(it.firehose.asked[-1]["cursor"][0])
        assert again in {event["time_us"] - 5_000_000 for event in it.firehose.events}

    told(story)


def test_nothing_is_lost_or_doubled_when_the_process_is_killed(told: Told, now: datetime) -> None:
    async def story(it: Story) -> None:
        killed = await it.begin("one")
        for number in range(20):
            it.firehose.posts(f"Aurora, number {number}.")
        await it.until(lambda: it.place().messages > 0)
        for one in killed._following.values():
            one.task.cancel()  # no farewell: its lease stays
        for number in range(20, 40):
            it.firehose.posts(f"Aurora, number {number}.")

        other = it.listener("two")
        assert await other.tick() == 0  # the lease of the dead holds
        it.firehose.now = it.clock.now = now + MINUTE
        assert await other.tick() == 1
        it.firehose.posts("Aurora, number 40.")
        await it.heard()
        assert it.texts() == sorted(f"Aurora, number {number}." for number in range(41))

    told(story)


def test_what_was_said_during_an_outage_is_caught_up_with(told: Told, now: datetime) -> None:
    async def story(it: Story) -> None:
        walk = await it.begin()
        it.firehose.posts("Aurora before.")
        await it.heard()
        await walk.stop()
        it.firehose.posts("Aurora meanwhile.")
        it.clock.now = it.firehose.now = now + 60 * MINUTE

        await it.begin("two")
        it.firehose.posts("Aurora after.")
        await it.heard()
        assert it.texts() == ["Aurora after.", "Aurora before.", "Aurora meanwhile."]
        assert not any(mention.backfill for mention in it.mentions())
        assert it.source().overrun_at is None

    told(story)


def test_a_server_that_forgot_is_told_of(told: Told, now: datetime) -> None:
    async def story(it: Story) -> None:
        walk = await it.begin()
        it.firehose.posts("Aurora before.")
        await it.heard()
        await walk.stop()
        it.firehose.posts("Aurora meanwhile.")
        it.clock.now = it.firehose.now = now + 60 * MINUTE
        it.firehose.forgot_us = to_us(it.clock.now)
        it.firehose.posts("Aurora after.")

        await it.begin("two")
        await it.heard()
        assert it.texts() == ["Aurora after.", "Aurora before."]
        assert it.source().overrun_at is not None

    told(story)


def test_who_is_behind_says_so(told: Told, now: datetime) -> None:
    async def story(it: Story) -> None:
        it.clock.now = now + 30 * MINUTE
        await it.begin()
        it.firehose.posts("Aurora, half an hour ago.")
        await it.until(lambda: it.place().messages)
        source = it.source()
        assert source.last_ok_at == it.firehose.now
        assert not fresh(source, it.clock.now)
        assert health(source, it.clock.now) != "ok"

    told(story)


def test_a_time_that_has_not_come_is_no_place_to_go_on_from(told: Told, now: datetime) -> None:
    async def story(it: Story) -> None:
        await it.begin()
        it.firehose.now = now + timedelta(days=30_000)
        it.firehose.posts("Aurora from the future.")
        await it.until(lambda: it.place().messages)
        assert it.place().time_us == to_us(now)

    told(story)


def test_a_server_that_refuses_is_a_failure_in_words_and_is_left_in_peace(told: Told, now: datetime) -> None:
    async def story(it: Story) -> None:
        it.firehose.refuses = HTTPStatus.SERVICE_UNAVAILABLE
        walk = it.listener()
        waits = []
        for count in range(1, 11):
            assert await walk.tick() == 1
            await it.until(lambda count=count: it.source().fail_count == count)
            source = it.source()
            assert source.state == "failing"
            assert source.last_error == "http_503: The other end did not open a stream: it answered 503."
            assert source.next_due_at
            waits.append((source.next_due_at - it.clock.now).total_seconds())
            assert await walk.tick() == 0
            it.clock.now = source.next_due_at
        assert waits[0] <= 2
        assert all(wait <= 300 for wait in waits)
        assert waits[-1] >= 150

        it.firehose.refuses = None
        await walk.tick()
        await it.until(lambda: it.firehose.listeners == 1)
        it.firehose.now = it.clock.now
        it.firehose.posts("Aurora again.")
        await it.heard()
        assert (it.source().state, it.source().fail_count, it.source().last_error) == ("ok", 0, None)

    told(story)


def test_it_turns_to_the_next_server_when_one_is_down(told: Told) -> None:
    async def story(it: Story) -> None:
        async with Firehose(it.clock.now).open() as other:
            it.configure(url=None, settings={"hosts": [it.firehose.url, other.url]})
            walk = it.listener(also=(other.port,))
            await walk.tick()
            await it.until(lambda: it.firehose.listeners == 1)
            it.firehose.posts("Aurora here.")
            await it.heard()
            it.firehose.refuses = HTTPStatus.SERVICE_UNAVAILABLE
            await it.firehose.cut()
            await it.until(lambda: other.listeners == 1)
            other.now = it.firehose.now
            other.posts("Aurora there.", rkey="there")
            await it.until(lambda: len(it.texts()) == 2)

    told(story)


def test_a_fault_of_our_own_is_written_down_and_followed_by_another_try(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(it: Story) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(it.storage.posts, "store", lambda *_: 1 / 0)
            walk = await it.begin()
            it.firehose.posts("Aurora again.")
            await it.until(lambda: it.firehose.listeners == 0)
            await walk.tick()
            assert it.source().last_error == "failed: Avizor failed here, not the source: the log says how."
        it.clock.now += MINUTE
        await walk.tick()
        await it.until(lambda: it.firehose.listeners == 1)

    told(story)


# ── who follows ──────────────────────────────────────────────────────────────


def test_one_process_follows_and_the_other_takes_over_when_it_stops(told: Told) -> None:
    async def story(it: Story) -> None:
        first, second = await it.begin("one"), it.listener("two")
        assert await second.tick() == 0
        await first.stop()
        assert it.firehose.listeners == 0
        assert await second.tick() == 1

    told(story)


def test_a_slow_step_does_not_make_two_of_it(told: Told, now: datetime) -> None:
    async def story(it: Story) -> None:
        walk = await it.begin()
        it.firehose.posts("Aurora once.")
        await it.heard()
        it.clock.now = now + timedelta(seconds=2 * LEASE_S)
        assert await walk.tick() == 1
        it.firehose.posts("Aurora twice.")
        await it.heard()
        assert len(it.firehose.asked) == 1

    told(story)


@pytest.mark.parametrize("change", ["disabled", "archived", "moved"])
def test_what_is_changed_is_left_at_once(told: Told, change: str) -> None:
    async def story(it: Story) -> None:
        walk = await it.begin()
        it.firehose.posts("Aurora here.")
        await it.heard()
        async with Firehose(it.clock.now).open() as other:
            match change:
                case "disabled":
                    it.configure(enabled=False)
                case "archived":
                    it.storage.apply([Archive("source", "bluesky")], it.clock.now)
                case "moved":
                    it.configure(url=other.url)
            followed = await walk.tick()
            await it.until(lambda: it.firehose.listeners == 0)
            assert followed == (change == "moved")
            assert (it.place() == Place()) == (change == "moved")

    told(story)
