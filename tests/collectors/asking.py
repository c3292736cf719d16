"""A visit of a source as the collect walk makes it, for the tests of kinds that search."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import httpx

from collectors.base import Collector, Page, Source


def visit(
    collector: Collector,
    answer: Callable[[httpx.Request], httpx.Response],
    asking: Source,
    now: datetime,
) -> tuple[list[Page], Source]:
    """One visit: pages until the last says that it is the last, and the source with the cursor that it leaves."""
    pages: list[Page] = []
    asking = replace(asking, asked_at=now)
    while not pages or pages[-1].next:
        found = answer(collector.request(asking, now))
        pages.append(collector.parse(replace(asking, secret=None), found))  # a child never sees the secret
        asking = replace(asking, cursor=json.loads(json.dumps(pages[-1].cursor)), fail_count=0)  # as it is kept
    return pages, asking


def ids(pages: list[Page]) -> list[str]:
    return [post.id for page in pages for post in page.posts]
