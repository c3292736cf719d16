"""The walk from a due source to stored mentions.

    due sources | request | fetch | parse | clamp | match | language | score | story  > posts, mentions, volumes, cursor

Fetching is async, parsing happens in a killable child, the rest is plain functions in a worker thread. One visit of one
source is one transaction, whatever its number of pages: a visit that dies has changed nothing.
"""

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import httpx

from app.clock import Clock
from app.language import Languages
from app.pipeline.digest import Digest, Watched, keyed
from app.pipeline.hands import Hands
from app.sentiment import Scorer
from app.storage import Storage
from app.storage.records import CollectBatch, Failure, LeaseLost
from collectors import COLLECTORS
from collectors.base import CollectError, Page, Post, Reject, Source
from collectors.due import in_full, learned_interval_s, max_age_s, next_due, retry_due
from collectors.fetch import body_hash, fetch, validators
from collectors.sandbox import Sandbox

log = logging.getLogger(__name__)

PAGES_PER_VISIT = 20
LEASE_S = 120  # a visit that takes longer has been given up for dead, and is dropped when it comes back


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


@dataclass(frozen=True, slots=True)
class Visit:
    """What one visit of a source brought home. `unchanged`: the source said, or showed, that there is nothing new."""

    response: httpx.Response
    body_hash: bytes
    cursor: Mapping[str, Any]
    posts: tuple[Post, ...] = ()
    rejects: tuple[Reject, ...] = ()
    interval_hint_s: int | None = None
    unchanged: bool = False


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
        self.report = CollectReport()

    async def tick(self) -> int:
        """Claim as many due sources as there are free hands. Returns how many were claimed; does not wait for them."""
        return await self._take(self._clock())

    async def run(self) -> CollectReport:
        """Visit everything that is due now, each source once, and wait for it."""
        self.report = CollectReport()
        now = self._clock()
        while await self._take(now):
            await self._hands.rest()
        return self.report

    async def stop(self) -> None:
        await self._hands.drop()

    async def visit(self, source: Source) -> None:
        """Ask one source for what is new, and store that or its failure."""
        now = self._clock()
        self.report.visited += 1
        try:
            visit = await self._ask(source, now)
            await asyncio.to_thread(self._store, source, visit, now)
        except CollectError as error:
            await asyncio.to_thread(self._fail, source, error, now)
        except LeaseLost:
            log.warning("source %s: its lease ended before the visit did, another worker has it now", source.slug)

    async def _take(self, now: datetime) -> int:
        if self._hands.free <= 0:
            return 0
        sources = await asyncio.to_thread(self._claim, now, self._hands.free)
        for source in sources:
            self._hands.take(self.visit(source))
        return len(sources)

    def _claim(self, now: datetime, limit: int) -> list[Source]:
        sources = self._storage.sources.claim_due(now, limit, self._owner, LEASE_S)
        if sources:
            brands = tuple(self._storage.brands.all())
            if brands != self._digest.watched.brands:
                self._digest = Digest(Watched.compile(brands), self._languages, self._scorer)
        return sources

    async def _ask(self, source: Source, now: datetime) -> Visit:
        asked = replace(source, queries=self._digest.watched.queries(source))
        request = COLLECTORS[source.kind].request(asked, now)
        response = await fetch(self._http, request, source, full=in_full(source, now), now=now)
        digest = body_hash(response)
        if response.status_code == httpx.codes.NOT_MODIFIED or digest == source.body_hash:
            return Visit(response, source.body_hash or digest, source.cursor, unchanged=True)
        pages = [await self._sandbox.parse(asked, response)]
        while pages[-1].next and len(pages) < PAGES_PER_VISIT:
            asked = replace(asked, cursor=pages[-1].cursor)
            try:
                pages.append(await self._next_page(asked, now))
            except CollectError as error:
                # What came before is kept, and the cursor says where to go on.
                log.warning("source %s: page %d: %s", source.slug, len(pages) + 1, error)
                break
        return Visit(
            response=response,
            body_hash=digest,
            cursor=pages[-1].cursor,
            posts=tuple(post for page in pages for post in page.posts),
            rejects=tuple(reject for page in pages for reject in page.rejects),
            interval_hint_s=pages[0].interval_hint_s,
        )

    async def _next_page(self, asked: Source, now: datetime) -> Page:
        response = await fetch(self._http, COLLECTORS[asked.kind].request(asked, now), asked, full=True, now=now)
        return await self._sandbox.parse(asked, response)

    def _store(self, source: Source, visit: Visit, now: datetime) -> None:
        posts = keyed(COLLECTORS[source.kind].namespace(source), visit.posts)
        known = self._storage.posts.known(list(posts))
        etag, last_modified = validators(visit.response)
        # A document that did not change counts as one item that is not new.
        pace_s = learned_interval_s(source, new=len(posts) - len(known), offered=len(posts) or visit.unchanged)
        batch = CollectBatch(
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
        stored = self._storage.posts.store(batch, now)
        self.report.unchanged += visit.unchanged
        self.report.posts += stored.posts
        self.report.mentions += stored.mentions
        self.report.quarantined += stored.quarantined

    def _fail(self, source: Source, error: CollectError, now: datetime) -> None:
        self.report.failed += 1
        self.report.errors[source.slug] = error.message
        failure = Failure(
            source_id=source.id,
            owner=self._owner,
            code=error.code,
            message=error.message,
            next_due_at=retry_due(source, now, retry_after_s=error.retry_after_s, jitter=random.random()),  # noqa: S311
            state="disabled" if error.permanent else "failing",
            disable=error.permanent,
        )
        self._storage.sources.fail(failure, now)
