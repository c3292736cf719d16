"""Backtests: what a policy would have done, asked for here and worked out by a walk of its own."""

import secrets
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from app.api.answers import answer, example, page, problems
from app.api.auth import AnyCaller, Caller, Responder, brands_for
from app.api.deps import Deps, Here
from app.api.params import PAGE, Cursor, Instant, Limit, Question, read_cursor, write_cursor, write_instant
from app.api.problems import conflict, invalid, not_found
from app.model import Policy
from app.pipeline.question import MOST_MARKED, MOST_POLICIES, BacktestError, Marked, asked, to_question
from app.storage.backtests import Backtest, State, TooMany

router = APIRouter(prefix="/backtests", tags=["policy"])

ASKED: dict[str, Any] = {
    "brands": ["cafe-aurora"],
    "since": "2026-10-01T00:00:00Z",
    "until": "2026-11-01T00:00:00Z",
    "policies": [{"name": "quieter", "false_warnings_per_month": 0.3}],
    "marked": [
        {
            "brand": "cafe-aurora",
            "since": "2026-10-12T08:00:00Z",
            "until": "2026-10-13T20:00:00Z",
            "name": "The recall of the cups",
        }
    ],
}
TALLY: dict[str, Any] = {
    "brand": "cafe-aurora",
    "brand_days": 31.0,
    "pages": 1,
    "notices": 0,
    "night_pages": 0,
    "pages_a_week": 0.226,
    "pages_per_brand_month": 0.968,
    "false_pages": 0,
    "as_published_days": 0.0,
}
EXAMPLE: dict[str, Any] = {
    "id": "5f0c31d29ab84e17",
    "state": "done",
    "progress": 1.0,
    "created_at": "2026-11-22T09:00:00Z",
    "actor": "Ana",
    "question": {**ASKED, "policies": [{"id": None, "name": "quieter", "false_warnings_per_month": 0.3}]},
    "error": None,
}
DETAIL: dict[str, Any] = {
    **EXAMPLE,
    "result": {
        "pages_per_brand_month": 0.968,
        "since": "2026-10-01T00:00:00Z",
        "until": "2026-11-01T00:00:00Z",
        "brands": ["cafe-aurora"],
        "marked": 1,
        "as_published": False,
        "outcomes": [
            {
                "policy": "quieter",
                "false_warnings_per_month": 0.3,
                "pages_per_brand_month": 0.968,
                "total": {**TALLY, "brand": None},
                "brands": [TALLY],
                "incidents": [
                    {
                        "brand": "cafe-aurora",
                        "cause": "negative",
                        "severity": "critical",
                        "opened_at": "2026-10-12T08:20:21Z",
                        "resolved_at": "2026-10-12T19:40:20Z",
                        "score": 3.4,
                        "observed": 14,
                        "expected": 1.3,
                        "pages": ["2026-10-12T08:20:21Z"],
                        "marked": ["The recall of the cups"],
                        "as_published": False,
                    }
                ],
                "left_out": 0,
                "found": [
                    {
                        "brand": "cafe-aurora",
                        "name": "The recall of the cups",
                        "since": "2026-10-12T08:00:00Z",
                        "until": "2026-10-13T20:00:00Z",
                        "lead_min": 20.4,
                    }
                ],
            }
        ],
        "fired": [],
        "series": [],
    },
}


class PolicyAsked(BaseModel):
    """One turn of the dial to try."""

    model_config = ConfigDict(extra="forbid")

    false_warnings_per_month: float = Field(ge=0.001, le=30, description="Per brand.")
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] | None = None


class MarkedAsked(BaseModel):
    """An incident that mattered, whether or not anybody was told of it."""

    model_config = ConfigDict(extra="forbid")

    brand: str = Field(max_length=200)
    since: Instant
    until: Instant
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class BacktestAsked(BaseModel):
    """No `brands`: all that the key covers. No `until`: up to now. No `policies`: the one in force."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": ASKED})

    brands: list[str] = Field(default=[], max_length=1_000)
    since: Instant
    until: Instant | None = None
    policies: list[PolicyAsked] = Field(default=[], max_length=MOST_POLICIES)
    marked: list[MarkedAsked] = Field(default=[], max_length=MOST_MARKED)


class BacktestBody(BaseModel):
    """`progress` is 0..1. `error` says in words why one failed."""

    id: str
    state: State
    progress: float
    created_at: Instant
    actor: str
    question: dict[str, Any]
    error: str | None


class BacktestDetail(BacktestBody):
    """`result` is null until it is done. `pages_per_brand_month` at its top is the first policy's."""

    result: dict[str, Any] | None


class BacktestPage(BaseModel):
    items: list[BacktestBody]
    next: str | None = Field(description="Give it as `cursor` for the next page; null: this is the last.")


class BacktestQuestion(Question):
    cursor: Cursor = None
    limit: Limit = PAGE


def backtest_row(backtest: Backtest) -> dict[str, Any]:
    return {
        "id": backtest.id,
        "state": backtest.state,
        "progress": round(backtest.progress, 3),
        "created_at": write_instant(backtest.created_at),
        "actor": backtest.actor,
        "question": dict(backtest.question),
        "error": backtest.error,
    }


def detail_row(backtest: Backtest) -> dict[str, Any]:
    return backtest_row(backtest) | {"result": None if backtest.result is None else dict(backtest.result)}


@router.post(
    "",
    status_code=202,
    summary="Ask what a policy would have done",
    response_model=BacktestDetail,
    responses={
        202: example({**EXAMPLE, "state": "waiting", "progress": 0.0, "result": None}, description="It waits."),
        **problems(403, 404, 409),
    },
)
async def ask_backtest(deps: Here, caller: Responder, body: BacktestAsked) -> Response:
    """It is worked out beside everything else; look for it under its id. 409 where three wait already.

    At most 400 days, two policies, and 20,000 brand-days.
    """
    return answer(detail_row(await deps.call(ask, deps, caller, body)), 202)


def ask(deps: Deps, caller: Caller, body: BacktestAsked) -> Backtest:
    """Raises 404 for a brand that the key does not cover, 422, and 409."""
    brands_for(deps, caller, [*body.brands, *(one.brand for one in body.marked)])
    mine = [one.slug for one in deps.storage.brands.all() if caller.covers(one.slug) and not one.competitor]
    brands = body.brands or mine
    if not brands:
        raise invalid("body.brands", "there is no brand yet")
    policies = [
        Policy(name=one.name or f"{one.false_warnings_per_month:g}", **one.model_dump(exclude={"name"}))
        for one in body.policies
    ]
    marked = [Marked(one.brand, one.since, one.until, one.name) for one in body.marked]
    now = deps.clock()
    try:
        question = asked(deps.storage, brands, body.since, body.until, policies, marked, now)
        return deps.storage.backtests.add(secrets.token_hex(8), caller.name, to_question(question), now)
    except BacktestError as error:
        raise invalid("body", str(error)) from None
    except TooMany as error:
        raise conflict(f"{str(error)[:1].upper()}{str(error)[1:]}: ask again when one is done.") from None


@router.get(
    "",
    summary="Backtests, newest first",
    response_model=BacktestPage,
    responses={200: example({"items": [EXAMPLE], "next": None})},
)
async def list_backtests(deps: Here, caller: AnyCaller, question: Annotated[BacktestQuestion, Query()]) -> Response:
    """Those whose brands the key covers, without their results."""
    return answer(await deps.call(backtests_page, deps, caller, question))


def backtests_page(deps: Deps, caller: Caller, question: BacktestQuestion) -> dict[str, Any]:
    """The cursor names one that was shown: it must not tell of those that the caller may not see."""
    before = read_cursor(question.cursor, "backtests", datetime, str)
    seen: list[Backtest] = []
    while len(seen) <= question.limit and (found := deps.storage.backtests.page(before)):
        seen += [one for one in found if covers(caller, one)]
        before = found[-1].created_at, found[-1].id
    shown, more = seen[: question.limit], len(seen) > question.limit
    further = write_cursor("backtests", shown[-1].created_at, shown[-1].id) if more else None
    return page([backtest_row(one) for one in shown], further)


def covers(caller: Caller, backtest: Backtest) -> bool:
    return caller.covers_all(backtest.question["brands"])


@router.get(
    "/{backtest_id}",
    summary="One backtest, with its result",
    response_model=BacktestDetail,
    responses={200: example(DETAIL), **problems(404)},
)
async def get_backtest(deps: Here, caller: AnyCaller, backtest_id: str) -> Response:
    return answer(detail_row(await deps.call(backtest_for, deps, caller, backtest_id)))


def backtest_for(deps: Deps, caller: Caller, backtest_id: str) -> Backtest:
    """A backtest of brands that the caller covers. Blocking. Raises 404."""
    found = deps.storage.backtests.get(backtest_id)
    if found is None or not covers(caller, found):
        raise not_found("backtest")
    return found
