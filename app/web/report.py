"""The report card as a page: how good the alerts of a month were, and what dial they speak for. Blocking."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import Field

from app.api.auth import Caller
from app.api.deps import Deps
from app.api.params import Question
from app.api.report import MonthText, Report, ReportQuestion, neighbour, report, this_month
from app.model import Brand
from app.pipeline.card import word_of
from app.storage.feedback import Case

MOST_UNSAID = 50


class ReportPageQuestion(Question):
    """What the page may be asked. An empty brand means: all."""

    month: MonthText | None = None
    brand: Annotated[str, Field(max_length=200)] = ""
    lang: str | None = None


@dataclass(frozen=True, slots=True)
class ReportPage:
    """`unsaid` are the incidents that nobody judged, newest first. `older` and `newer` are questions for the months
    beside this one, `newer` None in the one that is going on; `trial` is one for a backtest of the proposal.
    """

    report: Report
    brand: str
    brands: tuple[Brand, ...]
    names: Mapping[str, str]
    unsaid: tuple[Case, ...]
    older: str
    newer: str | None
    trial: str


def report_page(deps: Deps, caller: Caller, question: ReportPageQuestion) -> ReportPage:
    """Raises 404."""
    asked = ReportQuestion(month=question.month, brand=[question.brand] if question.brand else [])
    made = report(deps, caller, asked)
    everything = [brand for brand in deps.storage.brands.all(include_archived=True) if caller.covers(brand.slug)]
    open_words = [case for case in made.cases if case.severity != "notice" and word_of(case.words) is None]

    def at(month: str) -> str:
        return urlencode({key: value for key, value in (("month", month), ("brand", question.brand)) if value})

    return ReportPage(
        report=made,
        brand=question.brand,
        brands=tuple(brand for brand in everything if brand.archived_at is None and not brand.competitor),
        names={brand.slug: brand.name for brand in everything},
        unsaid=tuple(reversed(open_words))[:MOST_UNSAID],
        older=at(neighbour(made.month, -1)),
        trial=trial(deps, made, question.brand),
        newer=at(neighbour(made.month, 1)) if made.month < this_month(deps) else None,
    )


def trial(deps: Deps, report: Report, brand: str) -> str:
    """The question for a backtest of the proposed dial: this month, this brand."""
    if report.proposal is None:
        return ""
    zone = ZoneInfo(deps.settings.time_zone)
    last = max(report.since, report.until - timedelta(microseconds=1))
    return urlencode(
        {
            "false_warnings_per_month": report.proposal.false_warnings_per_month,
            "since": report.since.astimezone(zone).date().isoformat(),
            "until": last.astimezone(zone).date().isoformat(),
            "brand": brand,
        }
    )
