"""Posts in from outside: what another program knows, as posts of a source of kind `inbox`.

items + a key of the sender's | was it answered before? | taken in, each by itself (`app.pipeline.inbox`)
                                                                    > what became of each, kept for seven days
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from starlette.responses import Response

from app.api.answers import answer, example, problems
from app.api.auth import Caller, Responder
from app.api.deps import Deps, Here
from app.api.problems import Problem, conflict, invalid
from app.api.sources import source_for
from app.model import Label
from app.pipeline.inbox import Inbox, Result, Taken
from app.storage.records import Conflict
from collectors.base import Source
from collectors.inbox import Inbox as Kind

router = APIRouter(prefix="/posts", tags=["posts"])

MOST = 500
LONGEST_KEY = 200

SENT: JsonDict = {
    "source": "shop-reviews",
    "posts": [
        {
            "id": "r-1001",
            "title": "Cold again",
            "text": "Café Aurora: the coffee was cold, for the third time.",
            "url": "https://shop.example/reviews/1001",
            "author": "Ana",
            "published_at": "2026-11-22T08:57:00Z",
            "language": "en",
            "rating": 1,
            "engagement": {"likes": 4},
        },
        {"id": "r-1002", "text": "Five stars.", "rating": 6},
    ],
}
EXAMPLE: dict[str, Any] = {
    "source": "shop-reviews",
    "stored": 1,
    "known": 0,
    "edited": 0,
    "refused": 1,
    "items": [
        {
            "index": 0,
            "id": "r-1001",
            "result": "stored",
            "post_id": "1881234567890123776",
            "mentions": [{"brand": "cafe-aurora", "label": "negative"}],
            "error": None,
        },
        {
            "index": 1,
            "id": "r-1002",
            "result": "refused",
            "post_id": None,
            "mentions": [],
            "error": {"where": "body.posts.1.rating", "message": "must be a whole number from 1 to 5"},
        },
    ],
}


class Submission(BaseModel):
    """`posts` are objects of `id`, `text`, `title`, `url`, `author`, `published_at`, `edited_at`, `language`, `rating`
    (1 to 5), `reach` and `engagement` (`likes`, `shares`, `replies`, `views`, `quotes`).

    An id, and a text or a title, must be there. What is not known is left out: it is never 0.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": SENT})

    source: Annotated[str, Field(max_length=200)] = Field(description="Slug of a source of kind `inbox`.")
    posts: Annotated[list[Any], Field(min_length=1, max_length=MOST)] = Field(
        description="Each is read by itself: a bad one costs only itself."
    )


class HeardBody(BaseModel):
    brand: str
    label: Label


class ItemFault(BaseModel):
    where: str
    message: str


class ItemBody(BaseModel):
    """What became of the item at `index`. `known`: it was stored before, `edited`: before, with other words.

    `mentions` are those of its post now, with the label that counts.
    """

    index: int
    id: str | None
    result: Result
    post_id: str | None
    mentions: list[HeardBody]
    error: ItemFault | None


class SubmissionBody(BaseModel):
    source: str
    stored: int
    known: int
    edited: int
    refused: int
    items: list[ItemBody]


@router.post(
    "",
    summary="Hand posts in",
    response_model=SubmissionBody,
    responses={200: example(EXAMPLE), **problems(403, 404, 409, 413)},
)
async def submit_posts(
    deps: Here,
    caller: Responder,
    wish: Submission,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=LONGEST_KEY,
            description="A key of your own for this body, good for seven days: sent again, it has the same answer.",
        ),
    ] = None,
) -> Response:
    """Up to 500 posts for a source of kind `inbox`, answered one by one. A post that is known already changes nothing.

    What was published within the last 24 hours is live, and may alert; what is older is history. The key must cover
    every brand that the source feeds. 409: this `Idempotency-Key` came with another body before.
    """
    return answer(await deps.call(submit, deps, caller, wish, idempotency_key))


def submit(deps: Deps, caller: Caller, wish: Submission, key: str | None) -> dict[str, Any]:
    """Take the posts in, unless this key was answered before. Blocking. Raises 403, 404, 409 or 422."""
    source = inbox_for(deps, caller, wish.source)
    now = deps.clock()
    if key is not None:
        try:
            before = deps.storage.submissions.begin(source.id, key, body_hash(wish), now)
        except Conflict:
            raise conflict("This Idempotency-Key came with another body before. Take a new one.") from None
        if before is not None:
            return covered(before, caller)
    inbox = Inbox(deps.storage, deps.settings.languages, deps.scorer)
    body = submission_body(source, inbox.take(source, wish.posts, now, history=False))
    if key is not None:
        return covered(deps.storage.submissions.finish(source.id, key, body), caller)
    return covered(body, caller)


def inbox_for(deps: Deps, caller: Caller, slug: str) -> Source:
    """A source that may be told, and that feeds nobody whom the key does not cover. Blocking."""
    source = source_for(deps, caller, slug)
    if not caller.owns(source):
        raise Problem(403, "forbidden", "This needs a key that covers every brand that the source feeds.")
    if source.kind != Kind.kind:
        raise invalid("body.source", f"is of kind {source.kind}, which is asked; posts go to a source of kind inbox")
    if not source.enabled:
        raise conflict("This source is not enabled, so it is told nothing.")
    return source


def body_hash(wish: Submission) -> bytes:
    """The same for the same posts, however the JSON was spaced."""
    written = json.dumps([wish.source, wish.posts], sort_keys=True)
    return hashlib.blake2b(written.encode(), digest_size=16).digest()


def submission_body(source: Source, taken: Sequence[Taken]) -> dict[str, Any]:
    return {
        "source": source.slug,
        **{result: sum(one.result == result for one in taken) for result in ("stored", "known", "edited", "refused")},
        "items": [item_row(index, one) for index, one in enumerate(taken)],
    }


def item_row(index: int, taken: Taken) -> dict[str, Any]:
    where = f"body.posts.{index}" + (f".{taken.field}" if taken.field else "")
    return {
        "index": index,
        "id": taken.id,
        "result": taken.result,
        "post_id": None if taken.post_id is None else str(taken.post_id),
        "mentions": [{"brand": brand, "label": label} for brand, label in taken.mentions],
        "error": {"where": where, "message": taken.reason} if taken.result == "refused" else None,
    }


def covered(body: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """The answer without brands that the key does not cover: the source may have fed others when it was given."""
    items = [
        item | {"mentions": [heard for heard in item["mentions"] if caller.covers(heard["brand"])]}
        for item in body["items"]
    ]
    return {**body, "items": items}
