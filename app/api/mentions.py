"""Mentions: what was said about a brand, with its tone, the words that made it so, and what a person says of it.

a person's word for a mention -> that brand's story (copies too), its volumes, the audit trail: one transaction
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from app.api.answers import answer, etag, example, page, problems, unchanged
from app.api.auth import AnyCaller, Caller, Responder, brand_for, brands_for
from app.api.bins import TONES
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
from app.api.problems import conflict, not_found
from app.api.sources import source_for
from app.model import Correction, Label, Mention, MentionFilter, Sentiment
from app.pipeline.spoken import spoken

router = APIRouter(prefix="/mentions", tags=["mentions"])

ANY_OF = "May be given several times."
LONGEST_NOTE = 500
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
    "edited_at": None,
    "withdrawn_at": None,
    "engagement": {"likes": 14, "replies": 3},
    "reach": None,
    "rating": None,
    "label": "negative",
    "score": -0.84,
    "sentiment": {
        "label": "negative",
        "score": -0.84,
        "probabilities": {"negative": 0.88, "neutral": 0.08, "positive": 0.04},
        "confidence": 0.88,
        "uncertain": False,
        "evidence": [{"start": 61, "end": 69, "text": "Terrible", "weight": -2.1}],
        "language": "en",
        "language_confidence": 0.98,
        "scorer": "quality/1:5f0c2a6be1d94780b3c2d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7081920",
        "scored_at": "2026-11-22T08:58:12.480Z",
        "provisional": False,
        "components": {"vader": -0.48, "fast": -0.71, "quality": -0.9},
    },
    "correction": None,
    "was": None,
}
VERSION: dict[str, Any] = {
    "at": "2026-11-22T10:12:00Z",
    "title": "Clients complain about coffee",
    "text": "The third time this week.",
}
WEIGHED: dict[str, Any] = {
    "label": "negative",
    "score": -0.84,
    "scorer": "quality/1:5f0c2a6be1d94780b3c2d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7081920",
    "evidence": [
        {"start": 61, "end": 69, "text": "Terrible", "weight": -1.9},
        {"start": 39, "end": 44, "text": "third", "weight": -0.4},
    ],
}
CORRECTED: dict[str, Any] = EXAMPLE | {
    "label": "neutral",
    "score": 0.0,
    "correction": {"label": "neutral", "by": "Ana", "at": "2026-11-22T09:20:00Z", "note": "A quote from 2019."},
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
    """What the scorer heard in the whole text. `unknown` is no kind of neutral: its score and probabilities are null.

    `score` is positive - negative, in -1..1; `confidence` is the best label's probability; `uncertain`: the best two
    are close, a person should look. `provisional`: the fast tier's word, to be heard again. `components` are what
    single parts of the scorer said, in -1..1. `scorer` holds the weights' SHA-256.
    """

    label: Label
    score: float | None
    probabilities: ProbabilitiesBody | None
    confidence: float | None
    uncertain: bool
    evidence: list[EvidenceBody]
    language: str | None
    language_confidence: float | None
    scorer: str
    scored_at: Instant
    provisional: bool
    components: dict[str, float]


class CorrectionBody(BaseModel):
    """What a person says of it: it wins over every scorer, for ever. `by` is the name of their key."""

    label: Label
    by: str
    at: Instant
    note: str


class WeighedBody(BaseModel):
    """What the quality tier hears in the words now, and the up to five of them that it would miss most.

    A span's weight is what log(positive / negative) loses without it. `label` and `score` are what it explains: what
    `scorer` hears now in the words alone. The mention's own may differ, where another scorer heard it, where it came
    with stars, or where a person has had their word.
    """

    label: Label
    score: float | None
    scorer: str
    evidence: list[EvidenceBody]


class MentionBody(BaseModel):
    """`label` and `score` are what counts: the person's word if there is one, else the scorer's in `sentiment`.

    `was`: the scorer's label before it last heard this anew, null where it never did. `story_id` is the post that first
    had this text; `copy`: not this one. `backfill`: history, never alerts. `engagement` counts `likes`, `shares`,
    `replies`, `views` and `quotes`: what is not known is not in it, and never 0. `reach` is the number of the author's
    followers, `rating` the author's own 1 to 5 stars; null: not known. `withdrawn_at`: its author took it back, its
    words are erased, and it still counts.
    """

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
    edited_at: Instant | None
    withdrawn_at: Instant | None
    engagement: dict[str, int]
    reach: int | None
    rating: int | None
    label: Label
    score: float | None
    sentiment: SentimentBody
    correction: CorrectionBody | None
    was: Label | None


class VersionBody(BaseModel):
    """What the post said before its author changed it, which we saw `at`."""

    at: Instant
    title: str
    text: str


class VersionList(BaseModel):
    """Oldest first; at most 20 are kept: the first, and the last ones."""

    items: list[VersionBody]


class MentionPage(BaseModel):
    items: list[MentionBody]
    next: str | None = Field(description="Give it as `cursor` for the next page; null: this is the last.")


class MentionQuestion(Question):
    brand: list[str] = Field(default=[], max_length=100, description=f"Slug of a brand. {ANY_OF}")
    label: list[Label] = Field(default=[], description=f"Tone that counts. {ANY_OF}")
    uncertain: bool | None = Field(
        default=None,
        description="`true`: only where the scorer's best two labels are close; `false`: only where they are not.",
        examples=[True],
    )
    corrected: bool | None = Field(
        default=None,
        description="`true`: only what a person has labelled; `false`: only what none has.",
        examples=[False],
    )
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
            uncertain=self.uncertain,
            corrected=self.corrected,
            since=self.since,
            until=self.until,
        )


class CorrectionWish(BaseModel):
    """A person's word on the tone. `unknown`: this text takes no side that could be counted."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"label": "neutral", "note": "A quote from 2019."}}
    )

    label: Label
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST_NOTE)] = Field(
        default="", description="Why, in the person's own words; it stands in the audit trail."
    )


def mention_row(mention: Mention) -> dict[str, Any]:
    """A mention as it goes over the wire: `MentionBody`."""
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
        "edited_at": mention.edited_at and write_instant(mention.edited_at),
        "withdrawn_at": mention.withdrawn_at and write_instant(mention.withdrawn_at),
        "engagement": dict(mention.engagement),
        "reach": mention.reach,
        "rating": mention.rating,
        "label": mention.label,
        "score": mention.score,
        "sentiment": sentiment_row(mention.sentiment, mention.scored_at),
        "correction": mention.correction and correction_row(mention.correction),
        "was": mention.was,
    }


def sentiment_row(tone: Sentiment, scored_at: datetime) -> dict[str, Any]:
    return {
        "label": tone.label,
        "score": tone.score,
        "probabilities": tone.probabilities and dict(zip(TONES, tone.probabilities, strict=True)),
        "confidence": tone.confidence,
        "uncertain": tone.uncertain,
        "evidence": evidence_rows(tone),
        "language": tone.language,
        "language_confidence": tone.language_confidence,
        "scorer": tone.scorer,
        "scored_at": write_instant(scored_at),
        "provisional": tone.provisional,
        "components": dict(tone.components),
    }


def evidence_rows(tone: Sentiment) -> list[dict[str, Any]]:
    return [{"start": e.start, "end": e.end, "text": e.text, "weight": e.weight} for e in tone.evidence]


def correction_row(correction: Correction) -> dict[str, Any]:
    return {
        "label": correction.label,
        "by": correction.by,
        "at": write_instant(correction.at),
        "note": correction.note,
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


@router.get(
    "/{brand}/{post_id}/versions",
    summary="What it said before",
    response_model=VersionList,
    responses={200: example({"items": [VERSION]}), **problems(404)},
)
async def list_versions(deps: Here, caller: AnyCaller, brand: str, post_id: str) -> Response:
    """What the post said before its author changed it. Empty where it was never changed, or was taken back."""
    caller.check(brand)
    return answer(await deps.call(versions, deps, brand, read_id(post_id, "mention")))


def versions(deps: Deps, brand: str, post_id: int) -> dict[str, Any]:
    """Blocking. Raises 404."""
    if deps.storage.mentions.get(brand, post_id) is None:
        raise not_found("mention")
    kept = deps.storage.posts.versions(post_id)
    return {"items": [{"at": write_instant(one.at), "title": one.title, "text": one.text} for one in kept]}


@router.get(
    "/{brand}/{post_id}/evidence",
    summary="Why this tone: the sentence, word by word",
    response_model=WeighedBody,
    responses={200: example(WEIGHED), **problems(404, 409, 503)},
)
async def weigh_mention(deps: Here, caller: AnyCaller, brand: str, post_id: str) -> Response:
    """The text heard again without each of its words in turn: dear, worked out anew each time, kept nowhere.

    Empty where the quality tier hears nothing: in a language without a model, in a text without words. `409` where it
    is not here: the fast tier's words, which stand in the mention's `evidence`, add up, and there is nothing to add.
    """
    caller.check(brand)
    _, tone = await deps.think(weighed, deps, brand, read_id(post_id, "mention"))
    if tone is None:
        raise conflict("The fast tier alone hears here: its words add up, and the mention's `evidence` says all of it.")
    return answer({"label": tone.label, "score": tone.score, "scorer": tone.scorer, "evidence": evidence_rows(tone)})


def weighed(deps: Deps, brand: str, post_id: int) -> tuple[Mention, Sentiment | None]:
    """A mention, and what `weigh` says of its words. Blocking, for as long as that takes. Raises 404."""
    from app.sentiment.weigh import weigh  # numpy comes with it: not for the commands that only look at the routes

    mention = deps.storage.mentions.get(brand, post_id)
    if mention is None:
        raise not_found("mention")
    return mention, weigh(deps.scorer, spoken(mention), mention.sentiment.heard_in)


@router.put(
    "/{brand}/{post_id}/correction",
    summary="Say what its tone is",
    response_model=MentionBody,
    responses={200: example(CORRECTED), **problems(403, 404)},
)
async def correct_mention(deps: Here, caller: Responder, brand: str, post_id: str, wish: CorrectionWish) -> Response:
    """A person's word wins over every scorer, for all of the brand's copies of the text, and restates the volumes.

    The key's name stands beside it. Saying the same again changes nothing.
    """
    return answer(mention_row(await deps.call(correct, deps, caller, brand, post_id, wish.label, wish.note)))


@router.delete(
    "/{brand}/{post_id}/correction",
    summary="Take a correction back",
    response_model=MentionBody,
    responses={200: example(EXAMPLE), **problems(403, 404)},
)
async def take_correction_back(deps: Here, caller: Responder, brand: str, post_id: str) -> Response:
    """The scorer's label counts again. Where nobody has corrected anything, nothing changes."""
    return answer(mention_row(await deps.call(correct, deps, caller, brand, post_id, None)))


def correct(deps: Deps, caller: Caller, brand: str, post_id: str, label: Label | None, note: str = "") -> Mention:
    """Write a person's word, or take it back (None). Blocking. Raises 404."""
    brand_for(deps, caller, brand)
    number = read_id(post_id, "mention")
    mention = deps.storage.mentions.correct(brand, number, label, caller.name, note, deps.clock())
    if mention is None:
        raise not_found("mention")
    return mention
