"""Incidents: a crisis from its first page to its end, with the proof, the timeline and who was told."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from alerts.base import IncidentState, Severity
from alerts.incident import Event, EventKind, Incident, WrongState
from app.api.answers import answer, example, page, problems
from app.api.auth import AnyCaller, Caller, Responder, brands_for
from app.api.deliveries import EXAMPLE as DELIVERY
from app.api.deliveries import DeliveryBody, delivery_row
from app.api.deps import Deps, Here, IncidentAction
from app.api.params import PAGE, Cursor, Instant, Limit, Question, read_cursor, write_cursor, write_instant
from app.api.problems import conflict, not_found
from app.model import Brand, Feedback
from app.storage.ids import url_hash

router = APIRouter(prefix="/incidents", tags=["incidents"])

MOST_DELIVERIES = 500
WITHHELD: Mapping[str, Any] = {"title": "", "text": "", "author": None, "url": None, "evidence": []}

EXAMPLE: dict[str, Any] = {
    "id": "9c2f1be04d",
    "brand": "cafe-aurora",
    "cause": "negative",
    "policy": "3",
    "state": "open",
    "severity": "critical",
    "version": 2,
    "opened_at": "2026-11-22T09:00:21Z",
    "updated_at": "2026-11-22T09:15:20Z",
    "acknowledged_at": None,
    "owner": None,
    "resolved_at": None,
    "calm_since": None,
    "peak_score": 2.4,
}
FEEDBACK: dict[str, Any] = {
    "by": "Ana",
    "at": "2026-11-22T11:40:00Z",
    "useful": True,
    "note": "We answered before the press did.",
    "in_force": True,
}
DETAIL: dict[str, Any] = {
    **EXAMPLE,
    "dossier": {
        "spike": {"verdict": "critical", "observed": 14, "expected": 1.3, "probability": 4e-10, "coverage": 0.92},
        "stories": 14,
        "copies": 9,
        "exhibits": [],
    },
    "timeline": [
        {
            "seq": 1,
            "at": "2026-11-22T09:00:21Z",
            "kind": "opened",
            "actor": "avizor",
            "reason": "14 negative mentions in 5 min, usual at this hour: 1.3",
            "data": {"code": "negative_spike", "observed": 14, "expected": 1.3, "window_s": 300},
        }
    ],
    "deliveries": [DELIVERY],
    "feedback": [FEEDBACK],
}


class IncidentBody(BaseModel):
    """`version` counts the events of its timeline. `policy` is the id of what verdicts went by, null the built-in one.

    `cause` is `negative` (the crisis that the counts show), `negative:<word>` (a second, different one inside it),
    `grave:<term>`, `spread:<story id>` or `silence`. `peak_score` is the highest score told so far: log10 of months
    between chance occurrences.
    """

    id: str
    brand: str
    cause: str
    policy: str | None
    state: IncidentState
    severity: Severity
    version: int
    opened_at: Instant
    updated_at: Instant
    acknowledged_at: Instant | None
    owner: str | None
    resolved_at: Instant | None
    calm_since: Instant | None
    peak_score: float


class EventBody(BaseModel):
    seq: int
    at: Instant
    kind: EventKind
    actor: str
    reason: str
    data: dict[str, Any]


class FeedbackBody(BaseModel):
    """What a person says of it: useful, or noise. `by` is the name of the key; the last word of each is `in_force`."""

    by: str
    at: Instant
    useful: bool
    note: str
    in_force: bool


class IncidentDetail(IncidentBody):
    """`dossier` is the proof as it stood at the last trigger or escalation: the verdict's numbers, and the texts."""

    dossier: dict[str, Any]
    timeline: list[EventBody]
    deliveries: list[DeliveryBody]
    feedback: list[FeedbackBody]


class IncidentPage(BaseModel):
    items: list[IncidentBody]
    next: str | None


class IncidentQuestion(Question):
    brand: list[str] = Field(default=[], max_length=100, description="Slug of a brand. May be given several times.")
    state: list[IncidentState] = Field(default=[], description="May be given several times.")
    cursor: Cursor = None
    limit: Limit = PAGE


class Reason(BaseModel):
    """Why, in the person's own words; it stands in the timeline and in the message."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "The press office answered."}})

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


def incident_row(incident: Incident, brand: str) -> dict[str, Any]:
    return {
        "id": incident.id,
        "brand": brand,
        "cause": incident.cause,
        "policy": None if incident.policy_id is None else str(incident.policy_id),
        "state": incident.state,
        "severity": incident.severity,
        "version": incident.version,
        "opened_at": write_instant(incident.opened_at),
        "updated_at": write_instant(incident.updated_at),
        "acknowledged_at": instant(incident.acknowledged_at),
        "owner": incident.owner,
        "resolved_at": instant(incident.resolved_at),
        "calm_since": instant(incident.calm_since),
        "peak_score": incident.peak_score,
    }


def event_row(event: Event) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "at": write_instant(event.at),
        "kind": event.kind,
        "actor": event.actor,
        "reason": event.reason,
        "data": dict(event.data),
    }


def feedback_row(word: Feedback) -> dict[str, Any]:
    return {
        "by": word.by,
        "at": write_instant(word.at),
        "useful": word.useful,
        "note": word.note,
        "in_force": word.in_force,
    }


def instant(at: datetime | None) -> str | None:
    return write_instant(at) if at else None


@router.get(
    "",
    summary="Incidents, newest first",
    response_model=IncidentPage,
    responses={200: example({"items": [EXAMPLE], "next": None}), **problems(404)},
)
async def list_incidents(deps: Here, caller: AnyCaller, question: Annotated[IncidentQuestion, Query()]) -> Response:
    return answer(await deps.call(incidents_page, deps, caller, question))


def incidents_page(deps: Deps, caller: Caller, question: IncidentQuestion) -> dict[str, Any]:
    wanted = brands_for(deps, caller, question.brand)
    before = read_cursor(question.cursor, "incidents", datetime, str)
    found = deps.storage.incidents.page(wanted, tuple(question.state) or None, before, question.limit)
    slugs = brand_slugs(deps)
    last = found[-1] if len(found) == question.limit else None
    return page(
        [incident_row(i, slugs[i.brand_id]) for i in found],
        write_cursor("incidents", last.opened_at, last.id) if last else None,
    )


def brand_slugs(deps: Deps) -> Mapping[int, str]:
    return {brand.id: brand.slug for brand in deps.storage.brands.all(include_archived=True)}


@router.get(
    "/{incident_id}",
    summary="One incident, with its dossier",
    response_model=IncidentDetail,
    responses={200: example(DETAIL), **problems(404)},
)
async def get_incident(deps: Here, caller: AnyCaller, incident_id: str) -> Response:
    return answer(await deps.call(incident_detail, deps, caller, incident_id))


def incident_detail(deps: Deps, caller: Caller, incident_id: str) -> dict[str, Any]:
    incident, brand = incident_for(deps, caller, incident_id)
    told = deps.storage.deliveries.page(None, None, incident.id, None, MOST_DELIVERIES)
    return incident_row(incident, brand.slug) | {
        "dossier": dossier_shown(deps, incident),
        "timeline": [event_row(event) for event in deps.storage.incidents.events(incident.id)],
        "deliveries": [delivery_row(d, deps.storage.deliveries.attempts(d.id)) for d in told],
        "feedback": [feedback_row(word) for word in deps.storage.feedback.trail(incident.id)],
    }


def dossier_shown(deps: Deps, incident: Incident) -> dict[str, Any]:
    """The dossier without the words of what was withdrawn since it was told. Blocking.

    What is stored stays as it was told; what was sent to a channel is not ours any more.
    """
    told = dict(incident.dossier)
    quoted = (*(told.get("exhibits") or ()), told.get("first") or {})
    said_at = {at for quote in quoted if isinstance(at := quote.get("published_at"), str)}
    moments = {at: datetime.fromisoformat(at) for at in said_at}
    gone = deps.storage.mentions.withdrawn(incident.brand_id, list(moments.values())) if moments else []

    def shown(quote: Mapping[str, Any]) -> Mapping[str, Any]:
        place, url = (moments.get(quote.get("published_at", "")), quote.get("source")), quote.get("url")
        here = [link for at, slug, link in gone if (at, slug) == place]
        if not any(link is None or url is None or link == url_hash(url) for link in here):
            return quote
        return {**quote, **{name: nothing for name, nothing in WITHHELD.items() if name in quote}}

    if gone:
        told["exhibits"] = [shown(quote) for quote in told.get("exhibits") or ()]
        told["first"] = shown(told["first"]) if told.get("first") else None
    return told


def incident_for(deps: Deps, caller: Caller, incident_id: str) -> tuple[Incident, Brand]:
    """An incident of a brand that the caller covers. Blocking. Raises 404."""
    incident = deps.storage.incidents.get(incident_id)
    brand = deps.storage.brands.by_id(incident.brand_id) if incident else None
    if incident is None or brand is None or not caller.covers(brand.slug):
        raise not_found("incident")
    return incident, brand


@router.post(
    "/{incident_id}/acknowledge",
    summary="Say that somebody is on it",
    response_model=IncidentDetail,
    responses={200: example(DETAIL | {"state": "acknowledged", "owner": "Ana"}), **problems(403, 404, 409)},
)
async def acknowledge_incident(deps: Here, caller: Responder, incident_id: str) -> Response:
    """The key's name becomes the owner. Twice changes nothing; 409 when somebody else has it, or it is resolved."""
    return answer(await deps.call(change, deps, caller, incident_id, "acknowledge"))


@router.post(
    "/{incident_id}/resolve",
    summary="Say that it is over",
    response_model=IncidentDetail,
    responses={200: example(DETAIL | {"state": "resolved"}), **problems(403, 404, 409)},
)
async def resolve_incident(deps: Here, caller: Responder, incident_id: str, why: Reason) -> Response:
    """Every channel that was told of it is told. Doing it twice changes nothing."""
    return answer(await deps.call(change, deps, caller, incident_id, "resolve", why.reason))


def change(deps: Deps, caller: Caller, incident_id: str, action: IncidentAction, reason: str = "") -> dict[str, Any]:
    change_incident(deps, caller, incident_id, action, reason)
    return incident_detail(deps, caller, incident_id)


def change_incident(deps: Deps, caller: Caller, incident_id: str, action: IncidentAction, reason: str = "") -> None:
    """Acknowledge or resolve, unless it is so already: a second click is no error. Raises 404, 409, `Conflict`."""
    incident, _ = incident_for(deps, caller, incident_id)
    if is_done(incident, action, caller.name):
        return
    try:
        deps.change_incident(incident_id, action, caller.name, reason)
    except WrongState as error:
        raise conflict(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None


def is_done(incident: Incident, action: IncidentAction, actor: str) -> bool:
    if action == "resolve":
        return incident.state == "resolved"
    return incident.state != "resolved" and incident.owner == actor
