"""Volumes: how much was said of a brand, bin by bin, with the coverage beside every figure.

Counts of labels, and beside them sums of probabilities: of ten stories that are 60% negative each, ten are counted
negative and six are expected. What a restatement changed carries its time.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import answer, etag, example, problems, unchanged
from app.api.auth import AnyCaller, Caller, brand_for
from app.api.bins import TONES, Bin, Width, edges, fill, stored_width
from app.api.deps import Deps, Here
from app.api.params import Instant, Question, check_order, write_instant
from app.api.problems import invalid
from app.model import LABELS, Brand

router = APIRouter(prefix="/volumes", tags=["volumes"])

USUAL_SPAN: dict[Width, timedelta] = {"300": timedelta(hours=6), "3600": timedelta(days=1), "day": timedelta(days=30)}
LONGEST: dict[Width, timedelta] = {
    "300": timedelta(days=7),
    "3600": timedelta(days=84),
    "day": timedelta(days=366),
}

COUNTS = {"negative": 7, "neutral": 2, "positive": 0, "unknown": 3}
NONE = dict.fromkeys(COUNTS, 0)
EXAMPLE: dict[str, Any] = {
    "brand": "cafe-aurora",
    "time_zone": "Europe/Madrid",
    "width": "3600",
    "since": "2026-11-22T08:00:00Z",
    "until": "2026-11-22T09:00:00Z",
    "bins": [
        {
            "start": "2026-11-22T08:00:00Z",
            "end": "2026-11-22T09:00:00Z",
            "open": False,
            "coverage": 0.92,
            "stories": COUNTS,
            "copies": {**NONE, "negative": 4},
            "backfill_stories": NONE,
            "backfill_copies": NONE,
            "expected": {"negative": 6.412, "neutral": 1.93, "positive": 0.658},
            "restated_at": "2026-11-22T08:47:03Z",
        }
    ],
}


class CountsBody(BaseModel):
    """By tone. `unknown` is a column of its own: it is part of no other."""

    negative: int
    neutral: int
    positive: int
    unknown: int


class ExpectedBody(BaseModel):
    """Sums of probabilities. A story of unknown tone adds nothing, one that a person labelled adds 1 to that label."""

    negative: float
    neutral: float
    positive: float


class BinBody(BaseModel):
    """`stories` count each text once, `copies` are its repeats; both are live, the `backfill_` ones are history.

    `expected` is over all stories of the bin, live and history. `restated_at`: when a label in it last changed, by a
    second hearing or a person; null: never.

    `coverage` is the share (0..1) of the brand's sources that were heard: with a low one the counts say little. null:
    nobody can say yet. `open`: more may still come.
    """

    start: Instant
    end: Instant
    open: bool
    coverage: float | None
    stories: CountsBody
    copies: CountsBody
    backfill_stories: CountsBody
    backfill_copies: CountsBody
    expected: ExpectedBody
    restated_at: Instant | None


class VolumesBody(BaseModel):
    brand: str
    time_zone: str
    width: Width
    since: Instant
    until: Instant
    bins: list[BinBody]


class VolumeQuestion(Question):
    brand: str = Field(max_length=200, description="Slug of the brand.")
    since: Instant | None = Field(default=None, description="By default 6 hours, 1 day or 30 days back, by width.")
    until: Instant | None = Field(default=None, description="By default now.")
    width: Width = Field(default="3600", description="Seconds of a bin, or `day`: a day of the brand's time zone.")


@router.get(
    "",
    summary="Volume in bins",
    response_model=VolumesBody,
    responses={200: example(EXAMPLE), 304: {"description": "Not changed."}, **problems(404)},
)
async def read_volumes(
    request: Request, deps: Here, caller: AnyCaller, question: Annotated[VolumeQuestion, Query()]
) -> Response:
    """Bins begin at or before `since` and end at or after `until`. Every bin is there, also where nothing was said.

    Send the `ETag` back as `If-None-Match`: it changes with every figure, a restated one too.
    """
    return await deps.call(volumes_answer, request, deps, caller, question)


def volumes_answer(request: Request, deps: Deps, caller: Caller, question: VolumeQuestion) -> Response:
    """The bins as bytes, or 304 where the caller holds the same. Blocking."""
    body = volumes(deps, caller, question)
    tag = etag(body)
    return unchanged(request, tag) or answer(body, headers={"ETag": tag})


def volumes(deps: Deps, caller: Caller, question: VolumeQuestion) -> dict[str, Any]:
    brand, now = brand_for(deps, caller, question.brand), deps.clock()
    until = question.until or now
    since = question.since or until - USUAL_SPAN[question.width]
    check_order(since, until)
    if until - since > LONGEST[question.width]:
        raise invalid(
            "query.since", f"must be at most {LONGEST[question.width].days} days before `until` at this width"
        )
    bins = read_bins(deps, brand, question.width, since, until, now)
    return {
        "brand": brand.slug,
        "time_zone": brand.time_zone,
        "width": question.width,
        "since": write_instant(bins[0].start),
        "until": write_instant(bins[-1].end),
        "bins": [bin_row(b) for b in bins],
    }


def read_bins(deps: Deps, brand: Brand, width: Width, since: datetime, until: datetime, now: datetime) -> list[Bin]:
    """A brand's bins over a stretch of time, read from storage. Blocking."""
    marks = edges(width, since, until, ZoneInfo(brand.time_zone))
    rows = deps.storage.volumes.series(brand.id, marks[0], marks[-1], stored_width(marks) if width != "300" else 300)
    return fill(marks, rows, deps.storage.volumes.coverage(brand.id, marks[0], marks[-1]), now)


def bin_row(b: Bin) -> dict[str, Any]:
    return {
        "start": write_instant(b.start),
        "end": write_instant(b.end),
        "open": b.open,
        "coverage": b.coverage,
        "stories": counts(b.stories),
        "copies": counts(b.copies),
        "backfill_stories": counts(b.backfill_stories),
        "backfill_copies": counts(b.backfill_copies),
        "expected": {tone: round(b.expected[tone], 6) for tone in TONES},
        "restated_at": b.restated_at and write_instant(b.restated_at),
    }


def counts(counter: Counter[str]) -> dict[str, int]:
    return {label: counter[label] for label in LABELS}
