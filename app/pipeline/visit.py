"""One visit of one source: sign in | request | fetch | parse, page after page, within a bound. Nothing is stored here.

A session that is refused is renewed once in a visit, and what it was refused for is asked again.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import httpx

from app.pipeline.sessions import Asking, Sessions
from collectors import COLLECTORS
from collectors.base import CollectError, Page, Post, Reject, Source
from collectors.due import address, in_full
from collectors.fetch import body_hash, moved_to
from collectors.sandbox import Sandbox

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 24 * 3600.0  # that a source may ask for
PAGES = 20
BROKEN = CollectError("failed", "Avizor failed here, not the source: the log says how.")
ENOUGH_S = 60.0  # then no further page is turned: a visit must come home well before its lease ends


@dataclass(frozen=True, slots=True)
class Visit:
    """What a visit brought home. `unchanged`: the source said, or showed, that there is nothing new.

    `response` is the first answer: it carries the validators. `requests` is how many it took, signing in not counted.
    `moved_to` is where the source said it stands from now on. `truncated` items were more than are read of one answer,
    `gone` posts were taken back by their authors. `wait_s`: not to be asked again before, a day at most.
    `hub` is as in `Page`.
    """

    source: Source
    at: datetime
    response: httpx.Response
    body_hash: bytes
    cursor: Mapping[str, Any]
    posts: tuple[Post, ...] = ()
    rejects: tuple[Reject, ...] = ()
    gone: tuple[str, ...] = ()
    interval_hint_s: int | None = None
    wait_s: float = 0.0
    truncated: int = 0
    requests: int = 1
    moved_to: str | None = None
    unchanged: bool = False
    hub: tuple[str, str] | None = None


class Visitor:
    """Whoever asks. Its sessions are those of the process: no host is asked too often, no source signed in to twice."""

    def __init__(self, sessions: Sessions, sandbox: Sandbox) -> None:
        self._sessions = sessions
        self._sandbox = sandbox

    async def visit(self, source: Source, now: datetime) -> Visit:
        """Ask a source for what is new. `source.queries` say what for. Raises `CollectError`.

        A source with a cursor is asked several questions: that the first has the same answer as last time says nothing
        about the others.
        """
        began = time.monotonic()
        several = bool(source.cursor)
        asked = replace(source, url=address(source), asked_at=now)
        asking = Asking(self._sessions, asked, now)
        kind = COLLECTORS[source.kind]
        response = await asking.ask(lambda signed: kind.request(signed, now), full=several or in_full(source, now))
        digest = body_hash(response)
        first = Visit(
            source=source,
            at=now,
            response=response,
            body_hash=source.body_hash or digest,
            cursor=source.cursor,
            requests=asking.requests,
            moved_to=_moved_to(asked, response),
            unchanged=True,
            interval_hint_s=source.hint_s,
        )
        if response.status_code == httpx.codes.NOT_MODIFIED or (digest == source.body_hash and not several):
            return first
        pages = [await self._sandbox.parse(asked, response)]
        wait_s = 0.0
        while _goes_on(pages[-1]) and len(pages) < PAGES and time.monotonic() - began < ENOUGH_S:
            try:
                asked = replace(asked, cursor=pages[-1].cursor, fail_count=0)  # it answers: this visit is a good one
                pages.append(await self._sandbox.parse(asked, await asking.ask(_next_page(asked, now))))
            except CollectError as error:
                # What came before is kept, and its cursor says where to go on.
                log.warning("source %s: page %d: %s", source.slug, len(pages) + 1, error)
                wait_s = error.retry_after_s or 0.0
                break
        return replace(
            first,
            body_hash=digest,
            cursor=pages[-1].cursor,
            posts=tuple(post for page in pages for post in page.posts),
            rejects=tuple(reject for page in pages for reject in page.rejects),
            gone=tuple(dict.fromkeys(name for page in pages for name in page.gone)),
            interval_hint_s=pages[0].interval_hint_s,
            wait_s=min(max(wait_s, pages[-1].wait_s or 0), LONGEST_WAIT_S),
            truncated=sum(page.truncated for page in pages),
            requests=asking.requests,
            unchanged=False,
            hub=pages[0].hub,
        )


def _goes_on(page: Page) -> bool:
    return page.next and not page.wait_s


def _next_page(asked: Source, now: datetime) -> Callable[[Source], httpx.Request]:
    """What to ask where the last page's cursor says, in the session that is good by then."""
    return lambda signed: COLLECTORS[asked.kind].request(replace(asked, session=signed.session), now)


def _moved_to(asked: Source, response: httpx.Response) -> str | None:
    """Where it said it stands from now on, if it is asked at its own address: else that is only where paths begin."""
    first = (response.history or [response])[0].request.url
    return moved_to(response) if asked.url and first == httpx.URL(asked.url) else None
