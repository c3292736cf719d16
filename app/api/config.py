"""The configuration file over HTTP: the same text as avizor.toml, compared and applied in the same way.

`${NAME}` and `${file:...}` are refused here: a caller must never make the service read its own environment or files.
"""

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.api.answers import answer, example, problems
from app.api.auth import Operator
from app.api.deps import Deps, Here
from app.api.problems import Fault, Problem, refused
from app.config import ConfigError, Plan, apply, plan, read_config

router = APIRouter(prefix="/config", tags=["config"])

NAME = "avizor.toml"
"""What problems call the text that was sent."""

TEXT = '[[brands]]\nname = "Café Aurora"\nquery = \'"café aurora"\'\n'
BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/toml": {"schema": {"type": "string"}, "example": TEXT}},
    }
}
EXAMPLE: dict[str, Any] = {
    "applied": False,
    "summary": "1 to make, 0 to change, 0 to archive",
    "differences": [{"sign": "+", "noun": "brand", "slug": "cafe-aurora", "details": ['name: "Café Aurora"']}],
}


class DifferenceBody(BaseModel):
    """`+` made, `~` changed, `-` archived. The details never hold a secret. A policy's `slug` is its name."""

    sign: Literal["+", "~", "-"]
    noun: Literal["policy", "brand", "source", "channel"]
    slug: str
    details: list[str]


class PlanBody(BaseModel):
    applied: bool
    summary: str
    differences: list[DifferenceBody]


@router.post(
    "/plan",
    summary="What a configuration would change",
    response_model=PlanBody,
    responses={200: example(EXAMPLE), **problems(403, 415)},
    openapi_extra=BODY,
)
async def plan_config(request: Request, deps: Here, caller: Operator) -> Response:
    """The body is the text of an avizor.toml. Nothing is changed. 422 names the line and key of every problem."""
    return answer(await deps.call(compare, deps, await toml(request), False))


@router.post(
    "/apply",
    summary="Apply a configuration",
    response_model=PlanBody,
    responses={200: example(EXAMPLE | {"applied": True}), **problems(403, 415)},
    openapi_extra=BODY,
)
async def apply_config(request: Request, deps: Here, caller: Operator) -> Response:
    """The body is the text of an avizor.toml, and the whole truth about what came from one. All of it or nothing."""
    return answer(await deps.call(compare, deps, await toml(request), True))


async def toml(request: Request) -> str:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in ("application/toml", "text/plain"):
        raise Problem(415, "unsupported_media_type", "Send the configuration as application/toml.")
    try:
        return (await request.body()).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise refused([Fault(where=NAME, message="is not UTF-8")]) from None


def compare(deps: Deps, text: str, carry_out: bool) -> dict[str, Any]:
    try:
        config = read_config(text, NAME, {}, files=False, settings=deps.settings)
        wanted = plan(config, deps.storage, deps.settings.noise_budget)
    except ConfigError as error:
        raise refused([Fault(where=f"{p.place} {p.key}".strip(), message=p.message) for p in error.problems]) from None
    if carry_out:
        apply(wanted, deps.storage, deps.clock())
    return plan_row(wanted, carry_out)


def plan_row(wanted: Plan, applied: bool) -> dict[str, Any]:
    return {
        "applied": applied,
        "summary": wanted.summary(),
        "differences": [
            {"sign": d.sign, "noun": d.noun, "slug": d.slug, "details": list(d.details)} for d in wanted.differences
        ],
    }
