"""The walk along a stream: a source that is not asked, but speaks by itself.

    streams due | connect where the cursor stands | messages of 2 s | read | match | known? | language | score | story
                                                          > posts, mentions, withdrawals, volumes, the cursor and health

The line after `>` is one transaction, so a walk that dies repeats two seconds and stores nothing twice. What mentions
nobody goes no further than the index of queries: a stream is all that a network says. The source's lease keeps other
processes away, and is renewed with every step; each step waits for the one before, and the sender waits for us.

A connection that ends after it brought something is opened anew, at the next address; one that brings nothing is a
failure, written down. Either is tried again later and later. What an author takes back is withdrawn with the step that
hears of it; what went away with its account is looked for now and then, since that reads all that the source brought.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

import httpx

from app.clock import Clock
from app.language import Languages
from app.pipeline.digest import Digest, Watched, dedupe_key, keyed
from app.pipeline.visit import BROKEN
from app.sentiment import Scorer
from app.storage import Storage
from app.storage.records import CollectBatch, Failure, LeaseLost
from collectors import STREAMS
from collectors.base import CollectError, Source
from collectors.stream import EPOCH, Connection, Heard, Place, connect

log = logging.getLogger(__name__)

LEASE_S = 30
STEP_S = 2.0
STEP_MESSAGES = 1_000
KEEP_S = 10.0  # without messages, the lease is renewed this often
PACE_S = 60  # what health and coverage take for its interval, whatever was configured
RECONNECT_S = 1.0
RETRY_S = 2.0
STEADY_S = 60.0  # a connection that lasts so long was none to be slower after
BACKOFF_LIMIT_S = 300
MICROSECOND = timedelta(microseconds=1)
LOST_AFTER = timedelta(seconds=60)  # servers' clocks differ by less
SWEEP_EVERY = timedelta(minutes=10)
SWEEP_AT = 200  # accounts

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Following:
    source: Source  # as it was configured when this began
    task: asyncio.Task[None]


class Follow:
    """The follow walk. `tick` looks which streams there are, begins with new ones and leaves what changed."""

    def __init__(
        self,
        *,
        storage: Storage,
        http: httpx.AsyncClient,
        languages: Languages,
        scorer: Scorer,
        clock: Clock,
        owner: str,
    ) -> None:
        self._storage = storage
        self._http = http
        self._clock = clock
        self._owner = owner
        self._digest = Digest(Watched.compile(()), languages, scorer)
        self._following: dict[int, _Following] = {}

    async def tick(self) -> int:
        """Returns how many streams are followed now; does not wait for what they say."""
        configured = await asyncio.to_thread(self._look)
        for source_id, one in list(self._following.items()):
            if one.task.done() or _place_of(configured.get(source_id)) != _place_of(one.source):
                await self._leave(source_id)
        for source in await asyncio.to_thread(self._claim):
            if source.id in self._following:  # its lease ran out during a slow step: now it is ours again
                continue
            task = asyncio.get_running_loop().create_task(self._follow(source))
            self._following[source.id] = _Following(source, task)
        return len(self._following)

    async def stop(self) -> None:
        for source_id in list(self._following):
            await self._leave(source_id)

    async def _leave(self, source_id: int) -> None:
        """End a walk where it stands, and the lease with it."""
        one = self._following.pop(source_id)
        one.task.cancel()
        await asyncio.wait({one.task})
        if not one.task.cancelled() and (error := one.task.exception()) is not None:
            log.error("source %s: following it failed", one.source.slug, exc_info=error)
            await asyncio.to_thread(self._fail, one.source, BROKEN)
        else:
            await asyncio.to_thread(self._storage.sources.release, source_id, self._owner, self._clock())

    def _look(self) -> dict[int, Source]:
        if not self._following:
            return {}
        self._know_brands()
        return {source.id: source for source in self._storage.sources.followed(self._owner)}

    def _claim(self) -> list[Source]:
        sources = self._storage.sources.claim_streams(tuple(STREAMS), self._clock(), self._owner, LEASE_S)
        if sources:
            self._know_brands()
        return sources

    def _know_brands(self) -> None:
        self._digest = self._digest.over(self._storage.brands.all())

    async def _follow(self, source: Source) -> None:
        walk = _Walk(self._storage, self._clock, self._owner, source)
        try:
            await self._listen(walk)
        except CollectError as error:
            await asyncio.to_thread(self._fail, walk.source, error)
        except LeaseLost:
            log.warning("source %s: another worker follows it", source.slug)

    async def _listen(self, walk: "_Walk") -> None:
        """Follow until it fails: until a connection brings nothing. Raises `CollectError`, `LeaseLost`."""
        clock = asyncio.get_running_loop().time
        attempt, short = walk.source.fail_count, 0
        while True:
            heard, begun = False, clock()
            try:
                async with walk.connected(self._http, attempt) as connection:
                    while True:
                        messages = await connection.messages(STEP_MESSAGES, STEP_S)
                        if messages or walk.must_keep():
                            await _whole(walk.step, self._digest, messages)
                        heard = heard or bool(messages)
            except CollectError as error:
                if not heard:
                    raise
                log.info("source %s: %s: %s It is opened anew.", walk.source.slug, error.code, error.message)
            attempt += 1
            short = 0 if clock() - begun >= STEADY_S else short + 1
            await asyncio.sleep(_wait_s(RECONNECT_S, short))

    def _fail(self, source: Source, error: CollectError) -> None:
        log.warning("source %s: %s: %s", source.slug, error.code, error.message)
        now = self._clock()
        failure = Failure(
            source_id=source.id,
            owner=self._owner,
            code=error.code,
            message=error.message,
            next_due_at=now + timedelta(seconds=_wait_s(RETRY_S, source.fail_count)),
            state="failing",
        )
        try:
            self._storage.sources.fail(failure, now)
        except LeaseLost:
            log.warning("source %s: another worker follows it", source.slug)


class _Walk:
    """One stream's steps, and how far they came."""

    def __init__(self, storage: Storage, clock: Clock, owner: str, source: Source) -> None:
        self._storage = storage
        self._clock = clock
        self._owner = owner
        self._stream = STREAMS[source.kind]
        # It begins at the present: nothing that it brings is history.
        self.source = replace(source, first_ok_at=source.first_ok_at or clock())
        self._begins = False
        self._kept_at: datetime | None = None
        self._swept_at: datetime | None = None

    @asynccontextmanager
    async def connected(self, http: httpx.AsyncClient, attempt: int) -> AsyncIterator[Connection]:
        self._begins = True
        request = self._stream.request(self.source, attempt)
        async with connect(http, request, self._stream.silence_s(self.source)) as connection:
            yield connection

    def must_keep(self) -> bool:
        return self._kept_at is None or self._clock() - self._kept_at >= timedelta(seconds=KEEP_S)

    def step(self, digest: Digest, messages: Sequence[bytes]) -> None:
        """Take in what came, in the calling thread. Raises `LeaseLost` when somebody else follows the stream by now."""
        now, source, place = self._clock(), self.source, Place.of(self.source)
        namespace = self._stream.namespace(source)
        heard = self._stream.read(messages)
        said = keyed(namespace, digest.about(source, heard.posts))
        changed = keyed(namespace, [post for post in heard.posts if post.edited_at])
        gone = [dedupe_key(namespace, name) for name in heard.gone]
        left = tuple(dict.fromkeys([*place.left, *heard.left]))
        if swept := self._sweeps(left, now):
            gone += self._storage.posts.by_authors(source.id, left)
        known = self._storage.posts.known([*said, *changed, *gone])
        said |= {key: post for key, post in changed.items() if key in known}
        rows = digest.rows(source, said, known, now)
        here = Place(
            # A time that has not come is no place to go on from.
            time_us=max(place.time_us, min(heard.ends_us, (now - EPOCH) // MICROSECOND)),
            messages=place.messages + len(messages),
            matches=place.matches + sum(bool(row.sentiments) for row in rows),
            left=() if swept else left,
        )
        lease = timedelta(seconds=LEASE_S)
        as_of = here.at if messages else now  # nothing came: there is nothing that we do not know
        batch = CollectBatch(
            source_id=source.id,
            owner=self._owner,
            items=rows,
            rejects=heard.rejects,
            cursor=here.cursor(),
            etag=None,
            last_modified=None,
            body_hash=None,
            next_due_at=(as_of or now) + lease,  # as far as it is behind, it is late
            adaptive_interval_s=PACE_S,
            gone=[key for key in gone if key in known],
            lease_until=now + lease,
            as_of=as_of,
            overrun=self._lost(place, heard),
        )
        self._storage.posts.store(batch, now)
        self.source = replace(source, cursor=batch.cursor, fail_count=0)
        self._kept_at = now
        self._begins = self._begins and not heard.begins_us
        if swept:
            self._swept_at = now

    def _sweeps(self, left: Sequence[str], now: datetime) -> bool:
        due = self._swept_at is None or now - self._swept_at >= SWEEP_EVERY
        return bool(left) and (due or len(left) >= SWEEP_AT)

    def _lost(self, place: Place, heard: Heard) -> bool:
        """Whether the source went on later than where we stopped: it is asked to repeat the last of what we heard."""
        if not (self._begins and place.time_us and heard.begins_us):
            return False
        gap = timedelta(microseconds=heard.begins_us - place.time_us)
        if gap <= LOST_AFTER:
            return False
        log.warning(
            "source %s: what was said in %s was lost, the other end does not go back so far", self.source.slug, gap
        )
        return True


def _wait_s(first_s: float, times: int) -> float:
    """Twice as long each time, at most five minutes, of which chance takes up to a half: it spreads those who were cut
    off together.
    """
    return min(BACKOFF_LIMIT_S, first_s * 2.0 ** min(times, 16)) * (1 - random.random() / 2)  # noqa: S311


def _place_of(source: Source | None) -> object:
    """What of a source's configuration a walk along it cannot take up on the way."""
    return source and (source.kind, source.url, source.settings, source.brands, source.language, source.tier)


async def _whole(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` in a thread to its end, even where the task is cancelled meanwhile: a step is taken or not."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise
