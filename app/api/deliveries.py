"""Deliveries: which message went where, every attempt of it, and a second chance for those that are dead."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from alerts.base import Action
from app.api.answers import answer, example, page, problems
from app.api.auth import AnyCaller, Caller, Responder
from app.api.deps import Deps, Here
from app.api.params import PAGE, Cursor, Instant, Limit, Question, read_cursor, read_id, write_cursor, write_instant
from app.api.problems import conflict, not_found
from app.storage.records import Attempt, Delivery, DeliveryState

router = APIRouter(prefix="/deliveries", tags=["deliveries"])

EXAMPLE: dict[str, Any] = {
    "id": "81",
    "key": "9c2f1be04d.1.slack-crisis",
    "channel": "slack-crisis",
    "incident": "9c2f1be04d",
    "seq": 1,
    "action": "trigger",
    "state": "delivered",
    "created_at": "2026-11-22T09:00:21Z",
    "next_attempt_at": None,
    "finished_at": "2026-11-22T09:00:22.310Z",
    "last_error": None,
    "attempts": [
        {"attempt": 1, "at": "2026-11-22T09:00:22Z", "outcome": "delivered", "error": None, "duration_ms": 310}
    ],
}


class AttemptBody(BaseModel):
    attempt: int
    at: Instant
    outcome: str
    error: str | None
    duration_ms: int


class DeliveryBody(BaseModel):
    """`key` is the same on every attempt: the other side can tell a repeat. `incident` is null for tests and alarms."""

    id: str
    key: str
    channel: str
    incident: str | None
    seq: int
    action: Action
    state: DeliveryState
    created_at: Instant
    next_attempt_at: Instant | None
    finished_at: Instant | None
    last_error: str | None
    attempts: list[AttemptBody]


class DeliveryPage(BaseModel):
    items: list[DeliveryBody]
    next: str | None


class DeliveryQuestion(Question):
    state: list[DeliveryState] = Field(default=[], description="May be given several times.")
    channel: str | None = Field(default=None, max_length=200, description="Slug of a channel.")
    incident: str | None = Field(default=None, max_length=200, description="Id of an incident.")
    cursor: Cursor = None
    limit: Limit = PAGE


def delivery_row(delivery: Delivery, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """A delivery without its address: that is a secret of the channel."""
    pending = delivery.state == "pending"
    return {
        "id": str(delivery.id),
        "key": delivery.key,
        "channel": delivery.channel.slug,
        "incident": delivery.incident_id,
        "seq": delivery.seq,
        "action": delivery.action,
        "state": delivery.state,
        "created_at": write_instant(delivery.created_at),
        "next_attempt_at": write_instant(delivery.next_attempt_at) if pending else None,
        "finished_at": delivery.finished_at and write_instant(delivery.finished_at),
        "last_error": delivery.last_error,
        "attempts": [attempt_row(attempt) for attempt in attempts],
    }


def attempt_row(attempt: Attempt) -> dict[str, Any]:
    return {
        "attempt": attempt.attempt,
        "at": write_instant(attempt.at),
        "outcome": attempt.outcome,
        "error": attempt.error,
        "duration_ms": attempt.duration_ms,
    }


@router.get(
    "",
    summary="Deliveries, newest first",
    response_model=DeliveryPage,
    responses={200: example({"items": [EXAMPLE], "next": None})},
)
async def list_deliveries(deps: Here, caller: AnyCaller, question: Annotated[DeliveryQuestion, Query()]) -> Response:
    """A key that is limited to brands sees those of their incidents, and learns of no others."""
    return answer(await deps.call(deliveries_page, deps, caller, question))


def deliveries_page(deps: Deps, caller: Caller, question: DeliveryQuestion) -> dict[str, Any]:
    (before,) = read_cursor(question.cursor, "deliveries", int) or (None,)
    found = deps.storage.deliveries.page(
        *(tuple(question.state) or None, question.channel, question.incident, before, question.limit),
        of_brands=None if caller.brands is None else sorted(caller.brands),
    )
    return page(
        [delivery_row(d, deps.storage.deliveries.attempts(d.id)) for d in found],
        write_cursor("deliveries", found[-1].id) if len(found) == question.limit else None,
    )


class Reach:
    """Which deliveries a caller may see: those of their brands' incidents. Tests and alarms concern every brand."""

    def __init__(self, deps: Deps, caller: Caller) -> None:
        self._deps = deps
        self._caller = caller
        self._known: dict[str, bool] = {}

    def covers(self, delivery: Delivery) -> bool:
        if self._caller.sees_all:
            return True
        if delivery.incident_id is None:
            return False
        if delivery.incident_id not in self._known:
            self._known[delivery.incident_id] = self._covers_incident(delivery.incident_id)
        return self._known[delivery.incident_id]

    def _covers_incident(self, incident_id: str) -> bool:
        incident = self._deps.storage.incidents.get(incident_id)
        brand = incident and self._deps.storage.brands.by_id(incident.brand_id)
        return bool(brand and self._caller.covers(brand.slug))


@router.get(
    "/{delivery_id}",
    summary="One delivery",
    response_model=DeliveryBody,
    responses={200: example(EXAMPLE), **problems(404)},
)
async def get_delivery(deps: Here, caller: AnyCaller, delivery_id: str) -> Response:
    return answer(await deps.call(delivery_detail, deps, caller, read_id(delivery_id, "delivery")))


def delivery_detail(deps: Deps, caller: Caller, delivery_id: int) -> dict[str, Any]:
    return delivery_row(delivery_for(deps, caller, delivery_id), deps.storage.deliveries.attempts(delivery_id))


def delivery_for(deps: Deps, caller: Caller, delivery_id: int) -> Delivery:
    """A delivery that the caller may see. Blocking. Raises 404."""
    delivery = deps.storage.deliveries.get(delivery_id)
    if delivery is None or not Reach(deps, caller).covers(delivery):
        raise not_found("delivery")
    return delivery


@router.post(
    "/{delivery_id}/redrive",
    status_code=202,
    summary="Try a dead delivery again",
    response_model=DeliveryBody,
    responses={202: example(EXAMPLE | {"state": "pending"}, description="Due now."), **problems(403, 404, 409)},
)
async def redrive_delivery(deps: Here, caller: Responder, delivery_id: str) -> Response:
    """It is due at once, with the same key. 409 unless it is dead."""
    return answer(await deps.call(redrive, deps, caller, read_id(delivery_id, "delivery")), 202)


def redrive(deps: Deps, caller: Caller, delivery_id: int) -> dict[str, Any]:
    delivery_for(deps, caller, delivery_id)
    if not deps.storage.deliveries.redrive(delivery_id, deps.clock()):
        raise conflict("Only a dead delivery can be tried again: this one is delivered, or still being tried.")
    return delivery_detail(deps, caller, delivery_id)
