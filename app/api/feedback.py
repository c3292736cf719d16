"""Feedback: what a person says of an incident once they have looked. It makes the report card, and changes nothing."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from app.api.answers import answer, example, problems
from app.api.auth import Caller, Responder
from app.api.deps import Deps, Here
from app.api.incidents import DETAIL, IncidentDetail, incident_detail, incident_for

router = APIRouter(prefix="/incidents", tags=["incidents"])

LONGEST_NOTE = 500


class FeedbackWish(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"useful": False, "note": "A quote of last year's story."}}
    )

    useful: bool = Field(strict=True, description="true: it was worth being told of; false: noise.")
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST_NOTE)] = Field(
        default="", description="Why, in the person's own words."
    )


@router.post(
    "/{incident_id}/feedback",
    summary="Say whether it was worth being told of",
    response_model=IncidentDetail,
    responses={200: example(DETAIL), **problems(403, 404)},
)
async def give_feedback(deps: Here, caller: Responder, incident_id: str, wish: FeedbackWish) -> Response:
    """The key's name stands beside it, and its last word counts. Saying the same again changes nothing."""
    return answer(await deps.call(give, deps, caller, incident_id, wish.useful, wish.note))


def give(deps: Deps, caller: Caller, incident_id: str, useful: bool, note: str) -> dict[str, Any]:
    say(deps, caller, incident_id, useful, note)
    return incident_detail(deps, caller, incident_id)


def say(deps: Deps, caller: Caller, incident_id: str, useful: bool, note: str) -> None:
    """Write a person's word down. Blocking. Raises 404."""
    incident, _ = incident_for(deps, caller, incident_id)
    deps.storage.feedback.put(incident.id, useful, note, caller.name, deps.clock())
