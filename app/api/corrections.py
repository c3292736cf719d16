"""Corrections: everything that people said of the tone of mentions, as an audit trail. Only ever added to.

A correction is made at the mention itself: `PUT /mentions/{brand}/{post_id}/correction`.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import answer, example, page, problems
from app.api.auth import AnyCaller, Caller, brands_for
from app.api.deps import Deps, Here
from app.api.params import PAGE, Cursor, Instant, Limit, Question, read_cursor, write_cursor, write_instant
from app.model import Label
from app.storage.records import Corrected

router = APIRouter(prefix="/corrections", tags=["corrections"])

EXAMPLE: dict[str, Any] = {
    "id": "17",
    "brand": "cafe-aurora",
    "post_id": "6512",
    "story_id": "6498",
    "title": "Clients complain about cold coffee",
    "text": "The third time this week. Terrible service.",
    "label": "neutral",
    "was": "negative",
    "machine": "negative",
    "by": "Ana",
    "at": "2026-11-22T09:20:00Z",
    "note": "A quote from 2019.",
}


class CorrectedBody(BaseModel):
    """One line of the trail. `label` null: the correction was taken back. It holds for the brand's whole story.

    `post_id` is the mention that the person had before them. `was` is the label that counted until then, `machine` the
    scorer's at that time. `by` is the name of the key.
    """

    id: str
    brand: str
    post_id: str
    story_id: str
    title: str
    text: str
    label: Label | None
    was: Label
    machine: Label
    by: str
    at: Instant
    note: str


class CorrectionPage(BaseModel):
    items: list[CorrectedBody]
    next: str | None = Field(description="Give it as `cursor` for the next page; null: this is the last.")


class CorrectionQuestion(Question):
    brand: list[str] = Field(default=[], max_length=100, description="Slug of a brand. May be given several times.")
    in_force: bool = Field(
        default=False,
        description="Only the last word on each story, where it was not taken back.",
        examples=[True],
    )
    cursor: Cursor = None
    limit: Limit = PAGE


def corrected_row(one: Corrected) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "brand": one.brand,
        "post_id": str(one.post_id),
        "story_id": str(one.story_id),
        "title": one.title,
        "text": one.text,
        "label": one.label,
        "was": one.was,
        "machine": one.machine,
        "by": one.by,
        "at": write_instant(one.at),
        "note": one.note,
    }


@router.get(
    "",
    summary="Corrections of tone, newest first",
    response_model=CorrectionPage,
    responses={200: example({"items": [EXAMPLE], "next": None}), **problems(404)},
)
async def list_corrections(deps: Here, caller: AnyCaller, question: Annotated[CorrectionQuestion, Query()]) -> Response:
    return answer(await deps.call(corrections_page, deps, caller, question))


def corrections_page(deps: Deps, caller: Caller, question: CorrectionQuestion) -> dict[str, Any]:
    wanted = brands_for(deps, caller, question.brand)
    before = read_cursor(question.cursor, "corrections", int)
    found = deps.storage.mentions.corrections(
        wanted, in_force=question.in_force, before_id=before[0] if before else None, limit=question.limit
    )
    last = found[-1] if len(found) == question.limit else None
    return page([corrected_row(one) for one in found], write_cursor("corrections", last.id) if last else None)
