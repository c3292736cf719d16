"""The walk that asks what became of mentions: what they count now, what was edited, what was taken back.

    posts due, of one source | sign in | ask by id | fetch | parse | digest  > counts, versions, withdrawals, next look

A source that can be asked by id is never searched again for it. A post is looked at an hour, six hours, a day and a
week after it was published. Claiming it makes it due an hour later: so what fails, or dies half way, is asked for
again then, and no sooner. At most three requests a tick, to one source.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from app.clock import Clock
from app.language import Languages
from app.pipeline.digest import Digest, Watched, dedupe_key, keyed, next_look
from app.pipeline.sessions import Asking, Sessions
from app.sentiment import Scorer
from app.storage import Storage
from app.storage.records import Became, Stored, ToRevisit
from collectors import KINDS
from collectors.base import CollectError, Page, Recounts, Source
from collectors.due import address
from collectors.sandbox import Sandbox

log = logging.getLogger(__name__)

REQUESTS = 3  # a tick
AGAIN = timedelta(hours=1)
LONGEST_WAIT = timedelta(days=1)
GIVEN_UP = timedelta(days=14)  # after publication: a source that cannot be asked so long is asked for it no more
TOO_MANY_AT_ONCE = 5  # posts that are all gone look like a source with trouble, and erasing is for good
MOST_SKIPPED = 1_000  # posts of a source that is not asked, in one tick


@dataclass(slots=True)
class RevisitReport:
    """What one walk did, in numbers of posts; `errors` are in words, by source."""

    asked: int = 0
    edited: int = 0
    withdrawn: int = 0
    requests: int = 0
    failed: int = 0
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Due:
    """What is to be asked. `kind` None: this source is not asked, its posts have been put off."""

    source: Source
    kind: Recounts | None
    posts: Sequence[ToRevisit]


class Revisit:
    """The walk that asks what became of mentions. `tick` asks one source, `run` all whose posts are due."""

    def __init__(
        self,
        *,
        storage: Storage,
        sessions: Sessions,
        sandbox: Sandbox,
        languages: Languages,
        scorer: Scorer,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._sandbox = sandbox
        self._clock = clock
        self._sessions = sessions
        self._digest = Digest(Watched.compile(()), languages, scorer)
        self.report = RevisitReport()

    async def run(self) -> RevisitReport:
        """Ask for everything that is due."""
        self.report = RevisitReport()
        while await self.tick():
            pass
        return self.report

    async def tick(self) -> bool:
        """Ask the source whose posts have waited longest. False where none is due."""
        now = self._clock()
        due = await asyncio.to_thread(self._claim, now)
        if due is None:
            return False
        if due.kind is not None:
            await self._ask_all(due, due.kind, now)
        return True

    async def _ask_all(self, due: _Due, kind: Recounts, now: datetime) -> None:
        for start in range(0, len(due.posts), kind.recount_batch):
            some = due.posts[start : start + kind.recount_batch]
            try:
                page = await self._ask(due.source, kind, tuple(one.external_id for one in some), now)
            except CollectError as error:
                await asyncio.to_thread(self._fail, due.source, due.posts[start:], error, now)
                return
            stored = await asyncio.to_thread(self._store, due.source, some, page, now)
            self.report.asked += len(some)
            self.report.edited += stored.edited
            self.report.withdrawn += stored.withdrawn
            if page.wait_s:
                await asyncio.to_thread(self._wait, due.source, due.posts[start + len(some) :], page.wait_s, now)
                return

    async def _ask(self, source: Source, kind: Recounts, ids: tuple[str, ...], now: datetime) -> Page:
        asking = Asking(self._sessions, source, now)
        try:
            answer = await asking.ask(lambda signed: kind.recount(signed, ids, now))
        finally:
            self.report.requests += asking.requests
        page = await self._sandbox.parse(source, answer, ids)
        if len(page.gone) == len(ids) >= TOO_MANY_AT_ONCE:
            raise CollectError(
                "all_gone",
                f"The source says that all {len(ids)} posts are gone: that is asked again before it is believed.",
            )
        return page

    def _claim(self, now: datetime) -> _Due | None:
        slug = self._storage.posts.to_revisit(now)
        source = None if slug is None else self._storage.sources.get(slug)
        if source is None:
            return None
        kind = KINDS.get(source.kind)
        if not isinstance(kind, Recounts) or not source.enabled or source.state == "disabled":
            self._skip(source, now)
            return _Due(source, None, ())
        self._digest = self._digest.over(self._storage.brands.all())
        most = REQUESTS * kind.recount_batch
        source = replace(source, url=address(source))
        return _Due(source, kind, self._storage.posts.claim_revisits(source.id, now, now + AGAIN, most))

    def _skip(self, source: Source, now: datetime) -> None:
        """This look is missed; the next one is when it would have been."""
        posts = self._storage.posts.claim_revisits(source.id, now, now + AGAIN, MOST_SKIPPED)
        self._storage.posts.revisited(source.id, Became((), (), _next_looks(posts, now)), now)

    def _store(self, source: Source, asked: Sequence[ToRevisit], page: Page, now: datetime) -> Stored:
        """What was not asked for is not listened to."""
        namespace = KINDS[source.kind].namespace(source)
        wanted = {one.dedupe_key for one in asked}
        posts = {key: post for key, post in keyed(namespace, page.posts).items() if key in wanted}
        gone = [key for name in page.gone if (key := dedupe_key(namespace, name)) in wanted]
        known = self._storage.posts.known(list(posts))
        became = Became(self._digest.rows(source, posts, known, now), gone, _next_looks(asked, now))
        return self._storage.posts.revisited(source.id, became, now)

    def _fail(self, source: Source, posts: Sequence[ToRevisit], error: CollectError, now: datetime) -> None:
        self.report.failed += len(posts)
        self.report.errors[source.slug] = error.message
        log.warning("source %s: asked what became of its posts: %s: %s", source.slug, error.code, error.message)
        self._wait(source, posts, error.retry_after_s or 0, now)

    def _wait(self, source: Source, posts: Sequence[ToRevisit], wait_s: float, now: datetime) -> None:
        """Nothing of this source is asked for so long, an hour at least."""
        until = now + min(LONGEST_WAIT, max(AGAIN, timedelta(seconds=wait_s)))
        self._storage.posts.put_off(source.id, now, until)
        next_at = {one.post_id: None if now - one.published_at > GIVEN_UP else until for one in posts}
        self._storage.posts.revisited(source.id, Became((), (), next_at), now)


def _next_looks(posts: Sequence[ToRevisit], now: datetime) -> dict[int, datetime | None]:
    return {one.post_id: next_look(one.published_at, now) for one in posts}
