"""The policy: what verdicts go by, the noise budget that it is held to, and who turned the dial when and why."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

from app.api.answers import answer, example, page, problems
from app.api.auth import AnyCaller, Caller, Operator
from app.api.deps import Deps, Here
from app.api.params import PAGE, Cursor, Instant, Limit, Question, read_cursor, write_cursor, write_instant
from app.api.problems import invalid, refused
from app.api.specs import fault
from app.config import PolicySpec, refusal
from app.config_file import faults
from app.model import Policy

router = APIRouter(tags=["policy"])

PUT_EXAMPLE: dict[str, Any] = {
    "name": "night watch",
    "false_warnings_per_month": 2.0,
    "reason": "The launch week: rather one too many than one too late.",
}
EXAMPLE: dict[str, Any] = {
    "id": "3",
    **PUT_EXAMPLE,
    "actor": "Ana",
    "at": "2026-11-22T09:00:00Z",
    "backtest": None,
}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": PolicySpec.model_json_schema(mode="validation"), "example": PUT_EXAMPLE}
        },
    }
}


class PolicyBody(BaseModel):
    """`false_warnings_per_month` is the dial, per brand. `id` and `at` null: the built-in policy, which nobody put.

    `reason`, `actor` and `backtest` (the id of one) concern the whole house: null for a key that is limited to brands.
    """

    id: str | None
    name: str
    false_warnings_per_month: float
    reason: str | None
    actor: str | None = Field(description="Name of the key that put it, or of the file.")
    at: Instant | None
    backtest: str | None


class CurrentPolicy(PolicyBody):
    """`noise_budget`: how many false pages per brand and month are put up with (a setting of the installation)."""

    noise_budget: float


class PolicyPage(BaseModel):
    items: list[PolicyBody]
    next: str | None = Field(description="Give it as `cursor` for the next page; null: this is the last.")


class PolicyQuestion(Question):
    cursor: Cursor = None
    limit: Limit = PAGE


def policy_row(policy: Policy, caller: Caller) -> dict[str, Any]:
    whole = caller.sees_all
    return {
        "id": None if policy.id is None else str(policy.id),
        "name": policy.name,
        "false_warnings_per_month": policy.false_warnings_per_month,
        "reason": policy.reason if whole else None,
        "actor": policy.actor if whole else None,
        "at": policy.at and write_instant(policy.at),
        "backtest": policy.backtest_id if whole else None,
    }


@router.get(
    "/policy",
    summary="What verdicts go by",
    response_model=CurrentPolicy,
    responses={200: example(EXAMPLE | {"noise_budget": 1.0})},
)
async def get_policy(deps: Here, caller: AnyCaller) -> Response:
    return answer(await deps.call(current, deps, caller))


def current(deps: Deps, caller: Caller) -> dict[str, Any]:
    return policy_row(deps.storage.policies.current(), caller) | {"noise_budget": deps.settings.noise_budget}


@router.put(
    "/policy",
    summary="Turn the dial",
    response_model=CurrentPolicy,
    responses={200: example(EXAMPLE | {"noise_budget": 1.0}), **problems(403)},
    openapi_extra=BODY,
)
async def put_policy(deps: Here, caller: Operator, body: Annotated[dict[str, Any], Body()]) -> Response:
    """It holds from the next verdict on, for every brand. What is left out takes its default.

    422 without a `reason` for one that asks for more false pages than the noise budget, or whose `backtest` measured
    more; and for a `backtest` that did not try this dial. The configuration file's `[policy]` replaces it when that is
    applied again.
    """
    return answer(await deps.call(put, deps, caller, body))


def put(deps: Deps, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    try:
        wanted = PolicySpec.model_validate(body).to_policy(caller.name)
    except ValidationError as error:
        raise refused([fault(one, PolicySpec) for one in faults(error)]) from None
    wrong = refusal(wanted, deps.storage, deps.settings.noise_budget)
    if wrong is not None:
        raise invalid(f"body.{wrong[0]}", wrong[1])
    deps.storage.policies.put(wanted, deps.clock())
    return current(deps, caller)


@router.get(
    "/policies",
    summary="Policies that were put, newest first",
    response_model=PolicyPage,
    responses={200: example({"items": [EXAMPLE], "next": None})},
)
async def list_policies(deps: Here, caller: AnyCaller, question: Annotated[PolicyQuestion, Query()]) -> Response:
    """The first one is in force. The built-in policy, which held before all of them, is none of them."""
    return answer(await deps.call(policies_page, deps, caller, question))


def policies_page(deps: Deps, caller: Caller, question: PolicyQuestion) -> dict[str, Any]:
    before = read_cursor(question.cursor, "policies", int)
    found = deps.storage.policies.page(before[0] if before else None, question.limit)
    last = found[-1].id if len(found) == question.limit else None
    return page(
        [policy_row(policy, caller) for policy in found], None if last is None else write_cursor("policies", last)
    )
