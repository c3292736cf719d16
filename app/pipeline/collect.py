"""The walk from a due source to stored mentions.

    due sources | request | fetch | parse | clamp | match | language | score | story  > posts, mentions, volumes, cursor

Fetching is async, parsing happens in a killable child, the rest is plain functions in one worker thread. Visits that
come home while others are being stored are stored together: a transaction costs much the same for one and for twenty.
A visit is stored whole or not at all, with its source's cursor, whatever its number of pages.
"""

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import httpx

from app.clock import Clock
from app.language import Languages
from app.pipeline.digest import Digest, Watched, keyed
from app.pipeline.hands import Hands
from app.pipeline.visit import Visit, visit
from app.sentiment import Scorer
from app.storage import Storage
from app.storage.records import CollectBatch, Failure, KnownPost, LeaseLost, Stored
from collectors import COLLECTORS
from collectors.base import CollectError, Post, Source
from collectors.due import learned_interval_s, max_age_s, next_due, retry_due
from collectors.fetch import validators
from collectors.sandbox import Sandbox

log = logging.getLogger(__name__)

LEASE_S = 120  # a visit that takes longer has been given up for dead, and is dropped when it comes back
TOGETHER = 32  # visits in one transaction, at most


@dataclass(slots=True)
class CollectReport:
    """What one walk did, in numbers; `errors` are in words, by source."""

    visited: int = 0
    failed: int = 0
    unchanged: int = 0
    posts: int = 0
    mentions: int = 0
    quarantined: int = 0
    errors: dict[str, str] = field(default_factory=dict)


class Collect:
    """The collect walk. `tick` claims what free hands can carry and returns; `run` visits all that is due."""

    def __init__(
        self,
        *,
        storage: Storage,
        http: httpx.AsyncClient,
        sandbox: Sandbox,
        languages: Languages,
        scorer: Scorer,
        clock: Clock,
        owner: str,
        hands: int,
    ) -> None:
        self._storage = storage
        self._http = http
        self._sandbox = sandbox
        self._languages = languages
        self._scorer = scorer
        self._clock = clock
        self._owner = owner
        self._hands = Hands(hands)
        self._digest = Digest(Watched.compile(()), languages, scorer)
        self._home: list[Visit] = []  # came home, not stored yet
        self._storing = asyncio.Lock()
        self.report = CollectReport()

    async def tick(self) -> int:
        """Claim as many due sources as there are free hands. Returns how many were claimed; does not wait for them."""
        return len(await self._take())

    async def run(self) -> CollectReport:
        """Visit everything that is due, and wait for it. It ends when nothing is left that was not visited."""
        self.report = CollectReport()
        visited: set[int] = set()
        while (claimed := await self._take()) - visited:
            visited |= claimed
            await self._hands.rest()
        await self._hands.rest()
        return self.report

    async def stop(self) -> None:
        await self._hands.drop()

    async def _take(self) -> set[int]:
        if self._hands.free <= 0:
            return set()
        sources = await asyncio.to_thread(self._claim, self._clock(), self._hands.free)
        for source in sources:
            self._hands.take(self._visit(source))
        return {source.id for source in sources}

    def _claim(self, now: datetime, limit: int) -> list[Source]:
        sources = self._storage.sources.claim_due(now, limit, self._owner, LEASE_S)
        if sources:
            brands = tuple(self._storage.brands.all())
            if brands != self._digest.watched.brands:
                self._digest = Digest(Watched.compile(brands), self._languages, self._scorer)
        return [replace(source, queries=self._digest.watched.queries(source)) for source in sources]

    async def _visit(self, source: Source) -> None:
        """Ask one source for what is new, and store that or its failure."""
        now = self._clock()
        self.report.visited += 1
        try:
            brought = await visit(self._http, self._sandbox, source, now)
        except CollectError as error:
            await asyncio.to_thread(self._fail, source, error, now)
        else:
            await self._bring(brought)

    async def _bring(self, brought: Visit) -> None:
        """Whoever finds nobody storing stores all that has come home; the others find their own already stored."""
        self._home.append(brought)
        async with self._storing:
            if brought in self._home:
                together, self._home = self._home[:TOGETHER], self._home[TOGETHER:]
                await asyncio.to_thread(self._store, together)

    def _store(self, visits: Sequence[Visit]) -> None:
        posts = [keyed(COLLECTORS[one.source.kind].namespace(one.source), one.posts) for one in visits]
        known = self._storage.posts.known([key for some in posts for key in some])
        batches = [self._batch(one, some, known) for one, some in zip(visits, posts, strict=True)]
        for one, stored in zip(visits, self._storage.posts.store_all(batches, self._clock()), strict=True):
            self._report(one, stored)

    def _batch(self, visit: Visit, posts: Mapping[bytes, Post], known: Mapping[bytes, KnownPost]) -> CollectBatch:
        """A visit as rows. A document that did not change counts as one item that is not new."""
        source, now = visit.source, visit.at
        new = sum(key not in known for key in posts)
        pace_s = learned_interval_s(source, new=new, offered=len(posts) or visit.unchanged)
        etag, last_modified = validators(visit.response)
        return CollectBatch(
            source_id=source.id,
            owner=self._owner,
            items=self._digest.rows(source, posts, known, now),
            rejects=visit.rejects,
            cursor=visit.cursor,
            etag=etag or (source.etag if visit.unchanged else None),
            last_modified=last_modified or (source.last_modified if visit.unchanged else None),
            body_hash=visit.body_hash,
            next_due_at=next_due(
                source,
                now,
                interval_s=pace_s,
                hint_s=visit.interval_hint_s,
                max_age_s=max_age_s(visit.response.headers),
                jitter=random.random(),  # noqa: S311 - spreads visits
            ),
            adaptive_interval_s=pace_s,
        )

    def _report(self, visit: Visit, stored: Stored | None) -> None:
        if stored is None:
            log.warning("source %s: its lease ended before the visit did, another worker has it", visit.source.slug)
            return
        self.report.unchanged += visit.unchanged
        self.report.posts += stored.posts
        self.report.mentions += stored.mentions
        self.report.quarantined += stored.quarantined

    def _fail(self, source: Source, error: CollectError, now: datetime) -> None:
        self.report.failed += 1
        self.report.errors[source.slug] = error.message
        log.warning("source %s: %s: %s", source.slug, error.code, error.message)
        failure = Failure(
            source_id=source.id,
            owner=self._owner,
            code=error.code,
            message=error.message,
            next_due_at=retry_due(source, now, retry_after_s=error.retry_after_s, jitter=random.random()),  # noqa: S311
            state="disabled" if error.permanent else "failing",
            disable=error.permanent,
        )
        try:
            self._storage.sources.fail(failure, now)
        except LeaseLost:
            log.warning("source %s: its lease ended before the visit did, another worker has it", source.slug)
