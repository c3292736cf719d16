"""Who hears the tone: the tier in force, and the weights by their SHA-256."""

from typing import Any, Literal, cast

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import answer, example
from app.api.auth import AnyCaller
from app.api.deps import Deps, Here
from app.sentiment import tier_of

router = APIRouter(prefix="/scorer", tags=["scorer"])

Tier = Literal["fast", "quality"]
EXAMPLE: dict[str, Any] = {
    "tier": "quality",
    "scorer": "quality/1:5f0c2a6be1d94780b3c2d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7081920",
    "languages": ["en", "es", "pt"],
}


class ScorerBody(BaseModel):
    """`quality` hears whole sentences, `fast` words: what the quality tier has no time for, the fast one hears first.

    `languages` are those of the enabled ones that it hears; the tone of any other is unknown, unless its emoji speak
    clearly.
    """

    tier: Tier
    scorer: str = Field(description="As on each mention: tier, version, and the SHA-256 of the weights.")
    languages: list[str]


@router.get("", summary="Who hears the tone", response_model=ScorerBody, responses={200: example(EXAMPLE)})
async def read_scorer(deps: Here, caller: AnyCaller) -> Response:
    return answer(await deps.call(scorer_row, deps))


def scorer_row(deps: Deps) -> dict[str, Any]:
    """Blocking: the first to ask waits until the weights' SHA-256 is known."""
    from app.sentiment.fast import LANGUAGES  # numpy comes with it: not for the commands that only look at the routes

    return {
        "tier": cast(Tier, tier_of(deps.scorer)),
        "scorer": deps.scorer.id,
        "languages": sorted({*deps.settings.languages} & {*LANGUAGES}),
    }
