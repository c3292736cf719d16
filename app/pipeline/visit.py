"""One visit of one source: request | fetch | parse, page after page, within a bound. Nothing is stored here."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import httpx

from collectors import COLLECTORS
from collectors.base import CollectError, Page, Post, Reject, Source
from collectors.due import in_full
from collectors.fetch import body_hash, fetch
from collectors.sandbox import Sandbox

log = logging.getLogger(__name__)

PAGES = 20
ENOUGH_S = 60.0  # then no further page is turned: a visit must come home well before its lease ends


@dataclass(frozen=True, slots=True)
class Visit:
    """What a visit brought home. `unchanged`: the source said, or showed, that there is nothing new.

    `response` is the first answer: it carries the validators.
    """

    source: Source
    at: datetime
    response: httpx.Response
    body_hash: bytes
    cursor: Mapping[str, Any]
    posts: tuple[Post, ...] = ()
    rejects: tuple[Reject, ...] = ()
    interval_hint_s: int | None = None
    unchanged: bool = False


async def visit(http: httpx.AsyncClient, sandbox: Sandbox, source: Source, now: datetime) -> Visit:
    """Ask a source for what is new. `source.queries` say what for. Raises `CollectError`.

    A source with a cursor is asked several questions: that the first has the same answer as last time says nothing
    about the others.
    """
    began = time.monotonic()
    several = bool(source.cursor)
    request = COLLECTORS[source.kind].request(source, now)
    response = await fetch(http, request, source, full=several or in_full(source, now), now=now)
    digest = body_hash(response)
    if response.status_code == httpx.codes.NOT_MODIFIED or (digest == source.body_hash and not several):
        return Visit(source, now, response, source.body_hash or digest, source.cursor, unchanged=True)
    pages = [await sandbox.parse(source, response)]
    while pages[-1].next and len(pages) < PAGES and time.monotonic() - began < ENOUGH_S:
        try:
            pages.append(await _next_page(http, sandbox, replace(source, cursor=pages[-1].cursor), now))
        except CollectError as error:
            # What came before is kept, and its cursor says where to go on.
            log.warning("source %s: page %d: %s", source.slug, len(pages) + 1, error)
            break
    return Visit(
        source=source,
        at=now,
        response=response,
        body_hash=digest,
        cursor=pages[-1].cursor,
        posts=tuple(post for page in pages for post in page.posts),
        rejects=tuple(reject for page in pages for reject in page.rejects),
        interval_hint_s=pages[0].interval_hint_s,
    )


async def _next_page(http: httpx.AsyncClient, sandbox: Sandbox, source: Source, now: datetime) -> Page:
    response = await fetch(http, COLLECTORS[source.kind].request(source, now), source, full=True, now=now)
    return await sandbox.parse(source, response)
