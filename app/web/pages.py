"""The pages and their forms.

request -> who is it (session) -> what to show (views, off the event loop) -> a page (render)
"""

import json
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from pydantic import Field
from starlette.responses import RedirectResponse, Response

from app.api.auth import Caller
from app.api.deliveries import redrive
from app.api.deps import Deps, Here
from app.api.feedback import LONGEST_NOTE as LONGEST_WORD
from app.api.feedback import say
from app.api.incidents import change_incident
from app.api.mentions import LONGEST_NOTE, correct
from app.api.params import Cursor, Question, read_cursor, read_id, write_cursor
from app.api.problems import Problem
from app.model import LABELS, Label, MentionFilter
from app.web.backtest import (
    LONGEST_MARKED,
    STATES,
    BacktestPage,
    BacktestPageQuestion,
    Entered,
    ask_page,
    backtest_page,
    cause_in_words,
    error_in_words,
    refused_page,
)
from app.web.render import ICON, STYLE, language, render
from app.web.report import ReportPageQuestion, report_page
from app.web.session import (
    Genuine,
    Visiting,
    Visitor,
    end_session,
    local,
    open_session,
    own_origin,
    set_session,
)
from app.web.views import TABS, BrandPage, Range, Tab, brand_page, incident_page, overview, weighed_page

LARGEST_FORM = 16 * 1024

open_router = APIRouter(include_in_schema=False, max_body_size=LARGEST_FORM)
"""What anybody may see: the login and the looks."""
router = APIRouter(include_in_schema=False, max_body_size=LARGEST_FORM)
"""What needs a login."""

FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


@router.get("/")
async def home(request: Request, deps: Here, who: Visiting) -> Response:
    page = await deps.call(overview, deps, who.caller)
    return render(request, deps, "overview.html", who=who, page=page)


class BrandQuestion(Question):
    """What a brand's page may be asked. Empty fields of the filter form mean: any."""

    range: Range = "day"
    show: Tab = "all"
    text: Annotated[str, Field(max_length=200)] = ""
    label: Annotated[str, Field(max_length=20)] = ""
    source: Annotated[str, Field(max_length=200)] = ""
    cursor: Cursor = None
    lang: str | None = None

    def filter(self, slug: str) -> MentionFilter:
        label = next((known for known in LABELS if known == self.label), None)
        return MentionFilter(
            brands=(slug,),
            labels=(label,) if label else None,
            sources=(self.source,) if self.source else None,
            text=self.text.strip() or None,
            uncertain=True if self.show == "uncertain" else None,
            corrected=None if self.show == "all" else self.show == "corrected",
        )

    def written(self, **changes: str | None) -> str:
        """The same question as a query string, with some of it changed; what is empty is left out."""
        fields = {"range": self.range, "show": self.show, "text": self.text, "label": self.label, "source": self.source}
        return urlencode({key: value for key, value in {**fields, **changes}.items() if value})


@router.get("/brands/{slug}")
async def brand(
    request: Request, deps: Here, who: Visiting, slug: str, question: Annotated[BrandQuestion, Query()]
) -> Response:
    asked = question.filter(slug)
    after = read_cursor(question.cursor, "mentions", datetime, int, int)
    page = await deps.call(brand_page, deps, who.caller, slug, question.range, asked, after)
    return render(
        request,
        deps,
        "brand.html",
        who=who,
        time_zone=page.card.brand.time_zone,
        page=page,
        asked=asked,
        shown=question.show,
        tabs={tab: question.written(show=tab) for tab in TABS},
        here=f"/brands/{slug}?{question.written(cursor=question.cursor)}",
        older=older(page, question),
    )


def older(page: BrandPage, question: BrandQuestion) -> str | None:
    """The query string of the next page of mentions."""
    if page.last is None:
        return None
    cursor = write_cursor("mentions", page.last.published_at, page.last.post_id, page.card.brand.id)
    return question.written(cursor=cursor) + "#mentions"


@router.post("/brands/{slug}/mentions/{post_id}/correction")
async def correct_tone(
    deps: Here,
    who: Genuine,
    slug: str,
    post_id: str,
    word: Annotated[Label | Literal["take_back"], Form()],
    note: Annotated[str, Form(max_length=LONGEST_NOTE)] = "",
    target: Annotated[str, Form(alias="next", max_length=4000)] = "/",
) -> Response:
    """A person's word on a mention's tone, or their taking it back; then on with the list that they came from."""
    label = None if word == "take_back" else word
    await deps.call(correct, deps, responder(who), slug, post_id, label, note.strip())
    return see(local(target))


@router.get("/brands/{slug}/mentions/{post_id}/evidence")
async def evidence(request: Request, deps: Here, who: Visiting, slug: str, post_id: str) -> Response:
    """Why this tone: the text of one mention, heard word by word."""
    who.caller.check(slug)  # before it is queued
    page = await deps.think(weighed_page, deps, who.caller, slug, read_id(post_id, "mention"))
    return render(request, deps, "evidence.html", who=who, time_zone=page.brand.time_zone, page=page)


@router.get("/incidents/{incident_id}")
async def incident(request: Request, deps: Here, who: Visiting, incident_id: str) -> Response:
    page = await deps.call(incident_page, deps, who.caller, incident_id, language(request, deps))
    said = await deps.call(deps.storage.feedback.trail, page.crisis.incident.id)
    time_zone = page.crisis.brand.time_zone
    return render(request, deps, "incident.html", who=who, time_zone=time_zone, page=page, feedback=said)


@router.post("/incidents/{incident_id}/acknowledge")
async def acknowledge(deps: Here, who: Genuine, incident_id: str) -> Response:
    await deps.call(change_incident, deps, responder(who), incident_id, "acknowledge")
    return see(f"/incidents/{incident_id}")


@router.post("/incidents/{incident_id}/resolve")
async def resolve(
    deps: Here, who: Genuine, incident_id: str, reason: Annotated[str, Form(min_length=1, max_length=500)]
) -> Response:
    await deps.call(change_incident, deps, responder(who), incident_id, "resolve", reason)
    return see(f"/incidents/{incident_id}")


@router.post("/incidents/{incident_id}/feedback")
async def feedback(
    deps: Here,
    who: Genuine,
    incident_id: str,
    word: Annotated[Literal["useful", "noise"], Form()],
    note: Annotated[str, Form(max_length=LONGEST_WORD)] = "",
) -> Response:
    await deps.call(say, deps, responder(who), incident_id, word == "useful", note.strip())
    return see(f"/incidents/{incident_id}#feedback")


@router.post("/incidents/{incident_id}/deliveries/{delivery_id}/redrive")
async def try_again(deps: Here, who: Genuine, incident_id: str, delivery_id: str) -> Response:
    await deps.call(redrive, deps, responder(who), read_id(delivery_id, "delivery"))
    return see(f"/incidents/{incident_id}#told")


@router.get("/report")
async def report(
    request: Request, deps: Here, who: Visiting, question: Annotated[ReportPageQuestion, Query()]
) -> Response:
    page = await deps.call(report_page, deps, who.caller, question)
    return render(request, deps, "report.html", who=who, page=page)


@router.get("/backtest")
@router.get("/backtest/{backtest_id}")
async def backtest(
    request: Request,
    deps: Here,
    who: Visiting,
    question: Annotated[BacktestPageQuestion, Query()],
    backtest_id: str | None = None,
) -> Response:
    page = await deps.call(backtest_page, deps, who.caller, question, backtest_id)
    return shown_backtest(request, deps, who, page)


def shown_backtest(request: Request, deps: Deps, who: Visitor, page: BacktestPage, status: int = 200) -> Response:
    use = ""
    if page.shown and page.columns:
        use = json.dumps({"false_warnings_per_month": page.columns[0].dial, "backtest": page.shown.id})
    words: dict[str, Any] = {
        "states": STATES,
        "cause": cause_in_words,
        "wrong": error_in_words,
        "most_marked": LONGEST_MARKED,
    }
    return render(request, deps, "backtest.html", who=who, status=status, page=page, use=use, **words)


@router.post("/backtest")
async def ask_backtest(
    request: Request,
    deps: Here,
    who: Genuine,
    since: Annotated[str, Form(max_length=40)] = "",
    dial: Annotated[str, Form(alias="false_warnings_per_month", max_length=40)] = "",
    brand: Annotated[str, Form(max_length=200)] = "",
    until: Annotated[str, Form(max_length=40)] = "",
    marked: Annotated[str, Form(max_length=LONGEST_MARKED)] = "",
    beside: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """What is wrong with it is said beside the form, which keeps what was written."""
    entered = Entered(brand, since, until, dial, marked, bool(beside))
    caller = responder(who)
    try:
        asked = await deps.call(ask_page, deps, caller, entered)
    except Problem as problem:
        page = await deps.call(refused_page, deps, caller, entered, problem)
        return shown_backtest(request, deps, who, page, problem.status_code)
    return see(f"/backtest/{asked.id}")


def responder(who: Visitor) -> Caller:
    """Raises 403."""
    if not who.caller.may("responder"):
        raise Problem(403, "forbidden", "This needs a key with the role responder.")
    return who.caller


def see(target: str) -> Response:
    """Go and look: a form's answer is a page that may be reloaded."""
    return RedirectResponse(target, 303, {"Cache-Control": "no-store"})


# ── coming and going ─────────────────────────────────────────────────────────


@open_router.get("/login")
async def login_page(
    request: Request, deps: Here, target: Annotated[str, Query(alias="next", max_length=2000)] = "/"
) -> Response:
    """A link from a chat comes without our strict cookie: this page then sends the browser on by itself, with it."""
    bounce = request.headers.get("sec-fetch-site") == "cross-site"
    return render(request, deps, "login.html", next=local(target), bounce=bounce, refused=False)


@open_router.post("/login", dependencies=[Depends(own_origin)])
async def login(
    request: Request,
    deps: Here,
    key: Annotated[str, Form(max_length=200)] = "",
    target: Annotated[str, Form(alias="next", max_length=2000)] = "/",
) -> Response:
    session = await deps.call(open_session, deps, key, deps.clock())
    if session is None:
        return render(request, deps, "login.html", status=401, next=local(target), bounce=False, refused=True)
    response = see(local(target))
    set_session(response, request, session)
    return response


@router.post("/logout")
async def logout(request: Request, who: Genuine) -> Response:
    response = see("/login")
    end_session(response, request)
    return response


# ── looks ────────────────────────────────────────────────────────────────────


@open_router.get("/static/avizor.css")
async def style() -> Response:
    return Response(STYLE.read_bytes(), 200, FOREVER, "text/css; charset=utf-8")


@open_router.get("/static/icon.svg")
async def icon() -> Response:
    return Response(ICON.read_bytes(), 200, FOREVER, "image/svg+xml")
