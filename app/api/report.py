"""The report card of a month: how good the alerts were, by what people said of them."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, Field
from starlette.responses import Response

from app.api.answers import answer, example, problems
from app.api.auth import AnyCaller, Caller, brands_for
from app.api.deps import Deps, Here
from app.api.params import Instant, Question, write_instant
from app.pipeline.card import Card, Proposal, cards, month_of, propose
from app.storage.feedback import Case

router = APIRouter(prefix="/report", tags=["incidents"])

FIRST, LAST = (1970, 2), (9998, 11)  # months whose neighbours can be told too

EXAMPLE: dict[str, Any] = {
    "month": "2026-11",
    "since": "2026-10-31T23:00:00Z",
    "until": "2026-11-22T09:00:00Z",
    "brands": 3,
    "cards": [
        {
            "policy": {"id": None, "name": "default", "false_warnings_per_month": 1.0},
            "brand_weeks": 9.2,
            "incidents": 9,
            "notices": 1,
            "pages": 10,
            "night_pages": 2,
            "pages_per_brand_week": 1.09,
            "useful": 4,
            "noise": 3,
            "unsaid": 1,
            "precision": 0.57,
            "acknowledged_min": 6.5,
        }
    ],
    "proposal": {"false_warnings_per_month": 0.3, "would_keep": 4, "would_drop": 3},
}


def _month(text: str) -> str:
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", text) or not FIRST <= _parts(text) <= LAST:
        raise ValueError("must be a month such as 2026-11")
    return text


def _parts(month: str) -> tuple[int, int]:
    return int(month[:4]), int(month[5:])


MonthText = Annotated[str, AfterValidator(_month)]


class ReportQuestion(Question):
    month: MonthText | None = Field(
        default=None,
        description="A month of the installation's time zone; left out, the one that is going on.",
        examples=["2026-11"],
    )
    brand: list[str] = Field(default=[], max_length=100, description="Slug of a brand. May be given several times.")


class PolicyName(BaseModel):
    id: str | None
    name: str
    false_warnings_per_month: float


class CardBody(BaseModel):
    """How the alerts of one policy did. `incidents` = `notices` + `useful` + `noise` + `unsaid`.

    `pages` are openings and escalations as a warning or worse, `night_pages` those of them between 22 and 8 o'clock
    where the brand is. `precision` is useful / (useful + noise); `acknowledged_min` the median of minutes until
    somebody took it, where somebody did. `brand_weeks` adds up for how long each brand was watched while the policy
    was in force.
    """

    policy: PolicyName
    brand_weeks: float
    incidents: int
    notices: int
    pages: int
    night_pages: int
    pages_per_brand_week: float | None
    useful: int
    noise: int
    unsaid: int
    precision: float | None
    acknowledged_min: float | None


class ProposalBody(BaseModel):
    """A stricter dial, at which every useful incident of the month would have opened, and most noise would not.

    It is never applied by itself: look at a backtest of it, then `PUT /policy`.
    """

    false_warnings_per_month: float
    would_keep: int
    would_drop: int


class ReportBody(BaseModel):
    """`brands`: how many are watched; competitors are not. `until` is now where the month is still going on."""

    month: str
    since: Instant
    until: Instant
    brands: int
    cards: list[CardBody]
    proposal: ProposalBody | None


@dataclass(frozen=True, slots=True)
class Report:
    """`cases` are the incidents of the month, oldest first."""

    month: str
    since: datetime
    until: datetime
    brands: int
    cards: tuple[Card, ...]
    proposal: Proposal | None
    cases: tuple[Case, ...]


@router.get(
    "",
    summary="The report card of a month",
    response_model=ReportBody,
    responses={200: example(EXAMPLE), **problems(404)},
)
async def get_report(deps: Here, caller: AnyCaller, question: Annotated[ReportQuestion, Query()]) -> Response:
    """Of the brands that the key covers. What people said makes it: `POST /incidents/{incident_id}/feedback`."""
    return answer(report_row(await deps.call(report, deps, caller, question)))


def report(deps: Deps, caller: Caller, question: ReportQuestion) -> Report:
    """Blocking. Raises 404."""
    wanted = brands_for(deps, caller, question.brand)
    now = deps.clock()
    month = question.month or this_month(deps)
    since, end = month_of(*_parts(month), ZoneInfo(deps.settings.time_zone))
    until = max(since, min(end, now))
    watched = [b for b in deps.storage.brands.all() if not b.competitor and (wanted is None or b.slug in wanted)]
    cases = deps.storage.feedback.cases(wanted, since, end)
    policies = deps.storage.policies.in_force(since, until)
    began = [at for brand in watched if (at := deps.storage.journal.began(brand.id)) is not None]
    return Report(
        month=month,
        since=since,
        until=until,
        brands=len(watched),
        cards=tuple(cards(cases, policies, began, since, until)),
        proposal=propose(cases, deps.storage.policies.current().dial),
        cases=tuple(cases),
    )


def this_month(deps: Deps) -> str:
    return f"{deps.clock().astimezone(ZoneInfo(deps.settings.time_zone)):%Y-%m}"


def neighbour(month: str, step: int) -> str:
    """The month before (-1) or after (1)."""
    year, number = _parts(month)
    months = year * 12 + number - 1 + step
    return f"{months // 12:04}-{months % 12 + 1:02}"


def report_row(report: Report) -> dict[str, Any]:
    return {
        "month": report.month,
        "since": write_instant(report.since),
        "until": write_instant(report.until),
        "brands": report.brands,
        "cards": [card_row(card) for card in report.cards],
        "proposal": proposal_row(report.proposal),
    }


def card_row(card: Card) -> dict[str, Any]:
    policy = card.policy
    return {
        "policy": {
            "id": None if policy.id is None else str(policy.id),
            "name": policy.name,
            "false_warnings_per_month": policy.false_warnings_per_month,
        },
        "brand_weeks": card.brand_weeks,
        "incidents": card.incidents,
        "notices": card.notices,
        "pages": card.pages,
        "night_pages": card.night_pages,
        "pages_per_brand_week": card.pages_per_brand_week,
        "useful": card.useful,
        "noise": card.noise,
        "unsaid": card.unsaid,
        "precision": card.precision,
        "acknowledged_min": card.acknowledged_min,
    }


def proposal_row(proposal: Proposal | None) -> dict[str, Any] | None:
    if proposal is None:
        return None
    return {
        "false_warnings_per_month": proposal.false_warnings_per_month,
        "would_keep": proposal.would_keep,
        "would_drop": proposal.would_drop,
    }
