"""The walk from a due source to stored mentions.

    due sources | sign in | request | fetch | parse | clamp | match | language | score | story
                                   > posts, mentions, volumes, the source's cursor, health, cadence and next due time

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

from app.clock import Clock
from app.language import Languages
from app.pipeline.digest import Digest, Watched, dedupe_key, keyed, published
from app.pipeline.hands import Hands
from app.pipeline.sessions import Sessions
from app.pipeline.subscribe import kept_silent, note_hubs, trusted
from app.pipeline.visit import BROKEN, Visit, Visitor
from app.sentiment import Scorer
from app.storage import Storage
from app.storage.records import CollectBatch, Failure, KnownPost, LeaseLost, Stored
from app.storage.subscriptions import Subscription
from collectors import COLLECTORS
from collectors.base import CollectError, Post, Reject, Rests, Source
from collectors.due import (
    MOVED_SIGHTINGS,
    address,
    budget_wait_s,
    cadence_s,
    fastest_s,
    learned_interval_s,
    max_age_s,
    moved,
    next_due,
    per_day,
    ran_over,
    retry_due,
)
from collectors.fetch import validators
from collectors.sandbox import Sandbox

log = logging.getLogger(__name__)

LEASE_S = 120  # a visit that takes longer has been given up for dead, and is dropped when it comes back
TOGETHER = 32  # visits in one transaction, at most
LEFT_OUT = "it offered more at once than is read of one answer"


@dataclass(slots=True)
class CollectReport:
    """What one walk did, in numbers; `errors` are in words, by source.

    `left_out`: items that were more than are read of one answer.
    """

    visited: int = 0
    failed: int = 0
    unchanged: int = 0
    posts: int = 0
    mentions: int = 0
    quarantined: int = 0
    left_out: int = 0
    errors: dict[str, str] = field(default_factory=dict)


class Collect:
    """The collect walk. `tick` claims what free hands can carry and returns; `run` visits all that is due."""

    def __init__(
        self,
        *,
        storage: Storage,
        sessions: Sessions,
        sandbox: Sandbox,
        languages: Languages,
        scorer: Scorer,
        clock: Clock,
        owner: str,
        hands: int,
        websub: bool = False,
    ) -> None:
        """`websub`: hubs that feeds name are noted, and those that push are relied on."""
        self._storage = storage
        self._websub = websub
        self._visitor = Visitor(sessions, sandbox)
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
            self._digest = self._digest.over(self._storage.brands.all())
        return [replace(source, queries=self._digest.watched.queries(source)) for source in sources]

    async def _visit(self, source: Source) -> None:
        """Ask one source for what is new, and store that or its failure. A bug of ours is one too, and rises."""
        now = self._clock()
        self.report.visited += 1
        try:
            brought = await self._visitor.visit(source, now)
        except CollectError as error:
            await asyncio.to_thread(self._fail, source, error, now)
        except Exception:
            await asyncio.to_thread(self._fail, source, BROKEN, now)
            raise
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
        posts = [keyed(_namespace(one.source), one.posts) for one in visits]
        known = self._storage.posts.known([key for some in posts for key in some])
        sharers = self._sharers([one.source for one in visits])
        hubs = self._storage.subscriptions.of([one.source.id for one in visits]) if self._websub else {}
        batches = [
            self._batch(one, some, known, sharers, hubs.get(one.source.id))
            for one, some in zip(visits, posts, strict=True)
        ]
        stored = self._storage.posts.store_all(batches, self._clock())
        for one, did in zip(visits, stored, strict=True):
            self._report(one, did)
        if self._websub:
            note_hubs(self._storage, list(zip(visits, stored, strict=True)), hubs)

    def _sharers(self, sources: Sequence[Source]) -> dict[str, int]:
        """By kind: how many sources live on its quota, as far as it has one."""
        return self._storage.sources.sharers({source.kind for source in sources if per_day(source)})

    def _batch(
        self,
        visit: Visit,
        posts: Mapping[bytes, Post],
        known: Mapping[bytes, KnownPost],
        sharers: Mapping[str, int],
        hub: Subscription | None,
    ) -> CollectBatch:
        """A visit as rows. A document that did not change counts as one item that is not new."""
        source, now = visit.source, visit.at
        quota_s = _quota_s(source, visit.requests, sharers)
        new = [post for key, post in posts.items() if key not in known]
        overrun = ran_over(source, [post.published_at for post in posts.values()], known=len(new) < len(posts))
        if overrun:
            log.warning("source %s: its window ran over: items were lost, how many is unknown", source.slug)
            pace_s = fastest_s(source)
        else:
            pushed = trusted(hub, now) and not (new and kept_silent(hub, source, now))
            pace_s = learned_interval_s(source, new=len(new), offered=len(posts) or visit.unchanged, pushed=pushed)
        etag, last_modified = validators(visit.response)
        moved_seen, moved_to = self._moved(visit)
        return CollectBatch(
            source_id=source.id,
            owner=self._owner,
            items=self._digest.rows(source, posts, known, now),
            rejects=_rejects(visit),
            cursor=visit.cursor,
            etag=etag or (source.etag if visit.unchanged else None),
            last_modified=last_modified or (source.last_modified if visit.unchanged else None),
            body_hash=visit.body_hash,
            next_due_at=next_due(
                source,
                now,
                interval_s=pace_s,
                hint_s=None if overrun else visit.interval_hint_s,
                max_age_s=None if overrun else max_age_s(visit.response.headers),
                at_least_s=max(visit.wait_s, quota_s),
                jitter=random.random(),  # noqa: S311 - spreads visits
            ),
            adaptive_interval_s=max(pace_s, round(quota_s)),
            gone=[dedupe_key(_namespace(source), name) for name in visit.gone],
            overrun=overrun,
            moved_seen=moved_seen,
            moved_to=moved_to,
            hint_s=visit.interval_hint_s,
            cadence_s=cadence_s(source, [published(post, now) for post in new], now) if new else source.cadence_s,
        )

    def _moved(self, visit: Visit) -> tuple[int, str | None]:
        """How often in a row, and where to, as it is to be kept. An address that another source has is not taken."""
        source = visit.source
        seen, to = moved(source, visit.moved_to)
        if seen != MOVED_SIGHTINGS or source.moved_seen == seen or to is None:
            return seen, to
        if other := self._storage.sources.at(to, source.id):
            log.warning(
                "source %s: it moved to where source %s is asked: one of them is one too many", source.slug, other
            )
            return seen - 1, to
        log.warning("source %s: it says again and again that it moved for good: it is asked at %s now", source.slug, to)
        return seen, to

    def _report(self, visit: Visit, stored: Stored | None) -> None:
        if stored is None:
            log.warning("source %s: its lease ended before the visit did, another worker has it", visit.source.slug)
            return
        self.report.unchanged += visit.unchanged
        self.report.posts += stored.posts
        self.report.mentions += stored.mentions
        self.report.quarantined += stored.quarantined
        self.report.left_out += visit.truncated
        if visit.truncated:
            log.warning("source %s: %d items were left out: %s", visit.source.slug, visit.truncated, LEFT_OUT)

    def _fail(self, source: Source, error: CollectError, now: datetime) -> None:
        self.report.failed += 1
        self.report.errors[source.slug] = error.message
        log.warning("source %s: %s: %s", source.slug, error.code, error.message)
        due_at = retry_due(
            source,
            now,
            retry_after_s=error.retry_after_s,
            at_least_s=max(_quota_s(source, 1, self._sharers([source])), _rest_s(source)),
            jitter=random.random(),  # noqa: S311 - spreads visits
        )
        gone = error.permanent and address(source) == source.url  # where it moved to may be gone, and it be back
        failure = Failure(
            source_id=source.id,
            owner=self._owner,
            code=error.code,
            message=error.message,
            next_due_at=due_at,
            state="disabled" if gone else "failing",
            disable=gone,
        )
        try:
            self._storage.sources.fail(failure, now)
        except LeaseLost:
            log.warning("source %s: its lease ended before the visit did, another worker has it", source.slug)


def _namespace(source: Source) -> str:
    return COLLECTORS[source.kind].namespace(source)


def _quota_s(source: Source, requests: int, sharers: Mapping[str, int]) -> float:
    quota = per_day(source)
    return budget_wait_s(requests, quota, sharers.get(source.kind, 1)) if quota else 0.0


def _rest_s(source: Source) -> float:
    kind = COLLECTORS[source.kind]
    return kind.rest_s if isinstance(kind, Rests) else 0.0


def _rejects(visit: Visit) -> tuple[Reject, ...]:
    """What was left out stands in quarantine too, once, where the operator looks for what is missing."""
    return (*visit.rejects, Reject(f"items were left out: {LEFT_OUT}", "")) if visit.truncated else visit.rejects
