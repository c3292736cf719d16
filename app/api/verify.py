"""An incident's dossier, every number had again from the stored rows: equal, or the drift row by row."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import answer, example, problems
from app.api.auth import AnyCaller, Caller
from app.api.deps import Deps, Here
from app.api.incidents import incident_for
from app.api.params import Instant, Question
from app.api.problems import conflict
from app.pipeline.verify import CannotVerify, Verification, to_mapping_of, verify

router = APIRouter(prefix="/incidents", tags=["incidents"])

EXAMPLE: dict[str, Any] = {
    "incident": "9c2f1be04d",
    "equal": False,
    "judged_at": "2026-11-22T09:15:20Z",
    "checks": [
        {"what": "spike.observed", "stored": 14, "recomputed": 13, "equal": False},
        {"what": "spike.expected", "stored": 1.3, "recomputed": 1.3, "equal": True},
    ],
    "drift": [
        {
            "what": "relabelled",
            "post_id": "1881234567890123776",
            "bin": None,
            "was": "negative",
            "now": "neutral",
            "at": "2026-11-22T11:02:00Z",
        }
    ],
    "more_drift": 0,
    "came_later": 2,
}


class VerifyQuestion(Question):
    seq: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Of which opening or escalation, by its place in the timeline. Left out: the last.",
    )


class CheckBody(BaseModel):
    """One number: as it is stored with the incident, and as it was had again; null: it was not."""

    what: str
    stored: Any
    recomputed: Any
    equal: bool


class DriftBody(BaseModel):
    """A row that is not as it was: a mention with another label (`was`, `now`, when: null where nothing tells), whose
    author edited it or took it back, or gone, or a bin of 300 s that counts otherwise than the detector was shown.
    """

    what: Literal["relabelled", "edited", "withdrawn", "gone", "bin"]
    post_id: str | None
    bin: Instant | None
    was: str | None
    now: str | None
    at: Instant | None


class VerificationBody(BaseModel):
    """`more_drift`: rows that the list leaves out. `came_later`: mentions of the window that were stored afterwards."""

    incident: str
    equal: bool
    judged_at: Instant
    checks: list[CheckBody]
    drift: list[DriftBody] = Field(description="Rows that explain what is not equal, 200 at most.")
    more_drift: int
    came_later: int


@router.get(
    "/{incident_id}/verify",
    summary="Have every number of an incident again",
    response_model=VerificationBody,
    responses={200: example(EXAMPLE), **problems(404, 409)},
)
async def verify_incident(
    deps: Here, caller: AnyCaller, incident_id: str, question: Annotated[VerifyQuestion, Query()]
) -> Response:
    """Counts come from the mentions as they were known then, the verdict from a replay of the journal up to it.

    It may take some seconds. 409 for an incident from before the journal, and for an event without a dossier.
    """
    return answer(to_mapping_of(await deps.call(verified, deps, caller, incident_id, question.seq)))


def verified(deps: Deps, caller: Caller, incident_id: str, seq: int | None) -> Verification:
    incident, _ = incident_for(deps, caller, incident_id)
    try:
        return verify(deps.storage, incident, seq)
    except CannotVerify as error:
        raise conflict(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
