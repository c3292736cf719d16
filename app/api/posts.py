"""Posts: what sources published, mention or not, as it was collected."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import answer, example, page, problems
from app.api.auth import AnyCaller, Caller
from app.api.deps import Deps, Here
from app.api.params import (
    PAGE,
    Cursor,
    Instant,
    Limit,
    Question,
    check_order,
    read_cursor,
    write_cursor,
    write_instant,
)
from app.api.sources import source_for
from app.storage.records import StoredPost

router = APIRouter(prefix="/posts", tags=["posts"])

EXAMPLE: dict[str, Any] = {
    "id": "6512",
    "source": "local-news",
    "title": "Clients complain about cold coffee",
    "text": "The third time this week. Terrible service.",
    "url": "https://news.example/2026/11/22/coffee",
    "author": "Ana",
    "site": "news.example",
    "language": "en",
    "published_at": "2026-11-22T08:57:00Z",
    "claimed_at": "2026-11-22T08:57:00Z",
    "fetched_at": "2026-11-22T08:58:12.480Z",
    "edited_at": None,
    "withdrawn_at": None,
    "engagement": {"likes": 14, "replies": 3},
    "reach": None,
    "rating": None,
    "backfill": False,
    "brands": ["cafe-aurora"],
}


class PostBody(BaseModel):
    """`claimed_at` is what the source said, `published_at` what we count by. `brands` are those that it mentions.

    What is not known is not in `engagement`, and never 0. `withdrawn_at`: its author took it back, its words are
    erased.
    """

    id: str
    source: str
    title: str
    text: str
    url: str | None
    author: str | None
    site: str | None
    language: str | None
    published_at: Instant
    claimed_at: Instant | None
    fetched_at: Instant
    edited_at: Instant | None
    withdrawn_at: Instant | None
    engagement: dict[str, int]
    reach: int | None
    rating: int | None
    backfill: bool
    brands: list[str]


class PostPage(BaseModel):
    items: list[PostBody]
    next: str | None = Field(description="Give it as `cursor` for the next page; null: this is the last.")


class PostQuestion(Question):
    source: list[str] = Field(default=[], max_length=100, description="Slug of a source. May be given several times.")
    since: Instant | None = Field(default=None, description="Published at or after.")
    until: Instant | None = Field(default=None, description="Published before.")
    cursor: Cursor = None
    limit: Limit = PAGE


def post_row(post: StoredPost, brands: Sequence[str]) -> dict[str, Any]:
    return {
        "id": str(post.id),
        "source": post.source,
        "title": post.post.title,
        "text": post.post.text,
        "url": post.post.url,
        "author": post.post.author,
        "site": post.site,
        "language": post.post.language,
        "published_at": write_instant(post.published_at),
        "claimed_at": post.claimed_at and write_instant(post.claimed_at),
        "fetched_at": write_instant(post.fetched_at),
        "edited_at": post.post.edited_at and write_instant(post.post.edited_at),
        "withdrawn_at": post.withdrawn_at and write_instant(post.withdrawn_at),
        "engagement": dict(post.post.engagement),
        "reach": post.post.reach,
        "rating": post.post.rating,
        "backfill": post.backfill,
        "brands": list(brands),
    }


@router.get(
    "",
    summary="Posts, newest first",
    response_model=PostPage,
    responses={200: example({"items": [EXAMPLE], "next": None}), **problems(404)},
)
async def list_posts(deps: Here, caller: AnyCaller, question: Annotated[PostQuestion, Query()]) -> Response:
    """A key that is limited to brands sees posts that mention one of them, and learns of no others."""
    return answer(await deps.call(posts_page, deps, caller, question))


def posts_page(deps: Deps, caller: Caller, question: PostQuestion) -> dict[str, Any]:
    check_order(question.since, question.until)
    after = read_cursor(question.cursor, "posts", datetime, int)
    for slug in question.source:
        source_for(deps, caller, slug)
    found = deps.storage.posts.page(
        *(tuple(question.source) or None, question.since, question.until, after, question.limit),
        of_brands=None if caller.brands is None else sorted(caller.brands),
    )
    last = found[-1] if len(found) == question.limit else None
    return page(
        [post_row(p, caller.seen(p.brands)) for p in found],
        write_cursor("posts", last.published_at, last.id) if last else None,
    )
