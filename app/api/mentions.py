"""Mentions: what was said about a brand, with its tone and the words that made it so."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import answer, etag, example, page, problems, unchanged
from app.api.auth import AnyCaller, Caller, brands_for
from app.api.deps import Deps, Here
from app.api.params import (
    PAGE,
    Cursor,
    Instant,
    Limit,
    Question,
    check_order,
    read_cursor,
    read_id,
    write_cursor,
    write_instant,
)
from app.api.problems import not_found
from app.api.sources import source_for
from app.model import Label, Mention, MentionFilter

router = APIRouter(prefix="/mentions", tags=["mentions"])

ANY_OF = "May be given several times."
EXAMPLE: dict[str, Any] = {
    "brand": "cafe-aurora",
    "post_id": "6512",
    "story_id": "6498",
    "copy": True,
    "backfill": False,
    "source": "local-news",
    "title": "Clients complain about cold coffee",
    "text": "The third time this week. Terrible service.",
    "url": "https://news.example/2026/11/22/coffee",
    "author": "Ana",
    "site": "news.example",
    "published_at": "2026-11-22T08:57:00Z",
    "fetched_at": "2026-11-22T08:58:12.480Z",
    "sentiment": {
        "label": "negative",
        "score": -0.62,
        "scorer": "vader-3.3.2",
        "language": "en",
        "language_confidence": 0.98,
        "probabilities": None,
        "evidence": [{"start": 27, "end": 35, "text": "Terrible", "weight": -2.1}],
    },
}


class EvidenceBody(BaseModel):
    """Words that drove the sentiment: `text[start:end]` of the scored text; a weight above 0 pulls towards positive."""

    start: int
    end: int
    text: str
    weight: float


class ProbabilitiesBody(BaseModel):
    negative: float
    neutral: float
    positive: float


class SentimentBody(BaseModel):
    """`unknown` is no kind of neutral: its score is null. Scores are in -1..1."""

    label: Label
    score: float | None
    scorer: str
    language: str | None
    language_confidence: float | None
    probabilities: ProbabilitiesBody | None
    evidence: list[EvidenceBody]


class MentionBody(BaseModel):
    """`story_id` is the post that first had this text; `copy`: not this one. `backfill`: history, never alerts."""

    brand: str
    post_id: str
    story_id: str
    copied: bool = Field(alias="copy")
    backfill: bool
    source: str
    title: str
    text: str
    url: str | None
    author: str | None
    site: str | None
    published_at: Instant
    fetched_at: Instant
    sentiment: SentimentBody


class MentionPage(BaseModel):
    items: list[MentionBody]
    next: str | None = Field(description="Give it as `cursor` for the next page; null: this is the last.")


class MentionQuestion(Question):
    brand: list[str] = Field(default=[], max_length=100, description=f"Slug of a brand. {ANY_OF}")
    label: list[Label] = Field(default=[], description=f"Tone. {ANY_OF}")
    language: list[Annotated[str, Field(pattern="^[a-z]{2,3}$")]] = Field(
        default=[], max_length=50, description=f"Two-letter code. {ANY_OF}"
    )
    source: list[str] = Field(default=[], max_length=100, description=f"Slug of a source. {ANY_OF}")
    text: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="Words that all stand in title or text, whatever their case and accents."
    )
    since: Instant | None = Field(default=None, description="Published at or after.")
    until: Instant | None = Field(default=None, description="Published before.")
    cursor: Cursor = None
    limit: Limit = PAGE

    def filter(self, brands: tuple[str, ...] | None) -> MentionFilter:
        check_order(self.since, self.until)
        return MentionFilter(
            brands=brands,
            labels=tuple(self.label) or None,
            languages=tuple(self.language) or None,
            sources=tuple(self.source) or None,
            text=self.text,
            since=self.since,
            until=self.until,
        )


def mention_row(mention: Mention) -> dict[str, Any]:
    """A mention as it goes over the wire: `MentionBody`."""
    tone = mention.sentiment
    return {
        "brand": mention.brand,
        "post_id": str(mention.post_id),
        "story_id": str(mention.story_id),
        "copy": mention.copy,
        "backfill": mention.backfill,
        "source": mention.source,
        "title": mention.title,
        "text": mention.text,
        "url": mention.url,
        "author": mention.author,
        "site": mention.site,
        "published_at": write_instant(mention.published_at),
        "fetched_at": write_instant(mention.fetched_at),
        "sentiment": {
            "label": tone.label,
            "score": tone.score,
            "scorer": tone.scorer,
            "language": tone.language,
            "language_confidence": tone.language_confidence,
            "probabilities": tone.probabilities
            and dict(zip(("negative", "neutral", "positive"), tone.probabilities, strict=True)),
            "evidence": [{"start": e.start, "end": e.end, "text": e.text, "weight": e.weight} for e in tone.evidence],
        },
    }


@router.get(
    "",
    summary="Mentions, newest first",
    response_model=MentionPage,
    responses={
        200: example({"items": [EXAMPLE], "next": "WyJtZW50aW9ucyJd"}),
        304: {"description": "Not changed."},
        **problems(404),
    },
)
async def list_mentions(
    request: Request, deps: Here, caller: AnyCaller, question: Annotated[MentionQuestion, Query()]
) -> Response:
    """Filters add up; a filter given several times means any of its values. Send the `ETag` back as `If-None-Match`."""
    return await deps.call(mentions_page, request, deps, caller, question)


def mentions_page(request: Request, deps: Deps, caller: Caller, question: MentionQuestion) -> Response:
    """One page as bytes, or 304 without reading it. Blocking."""
    wanted = question.filter(brands_for(deps, caller, question.brand))
    for slug in question.source:
        source_for(deps, caller, slug)  # an empty answer to a slip of the pen would look calm
    after = read_cursor(question.cursor, "mentions", datetime, int, int)
    tag = etag(deps.storage.mentions.page_tag(wanted), wanted, after, question.limit)
    if (same := unchanged(request, tag)) is not None:
        return same
    found = deps.storage.mentions.page(wanted, after, question.limit)
    following = cursor_after(deps, found[-1]) if len(found) == question.limit else None
    return answer(page([mention_row(m) for m in found], following), headers={"ETag": tag})


def cursor_after(deps: Deps, last: Mention) -> str | None:
    """Where the page after this mention begins. A post may be a mention of several brands, so the brand counts too."""
    brand = deps.storage.brands.get(last.brand)
    return write_cursor("mentions", last.published_at, last.post_id, brand.id) if brand else None


@router.get(
    "/{brand}/{post_id}",
    summary="One mention",
    response_model=MentionBody,
    responses={200: example(EXAMPLE), **problems(404)},
)
async def get_mention(deps: Here, caller: AnyCaller, brand: str, post_id: str) -> Response:
    caller.check(brand)
    mention = await deps.call(deps.storage.mentions.get, brand, read_id(post_id, "mention"))
    if mention is None:
        raise not_found("mention")
    return answer(mention_row(mention))
