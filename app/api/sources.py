"""Sources: where we listen, and whether we still hear anything there. A dead source never looks calm."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel
from starlette.responses import Response

from app.api.answers import answer, example, nothing, page, problems
from app.api.auth import AnyCaller, Caller, Operator, Responder
from app.api.deps import Deps, Here
from app.api.params import PAGE, Cursor, Instant, Limit, Question, read_cursor, write_cursor, write_instant
from app.api.problems import conflict, not_found
from app.api.specs import body_schema, check_names, check_origin, checked
from app.clock import Clock
from app.config.spec import SourceSpec
from app.model import Origin
from app.storage.records import Archive, PutSource, QuarantineRow
from collectors.base import Source, SourceState
from collectors.due import counts, fresh, health, overrun, per_day

router = APIRouter(prefix="/sources", tags=["sources"])

PUT_EXAMPLE: dict[str, Any] = {
    "name": "Local news",
    "kind": "rss",
    "url": "https://news.example/feed.xml",
    "brands": ["cafe-aurora"],
    "language": "es",
    "interval_s": 900,
}
EXAMPLE: dict[str, Any] = {
    "slug": "local-news",
    **PUT_EXAMPLE,
    "settings": {},
    "tier": 2,
    "enabled": True,
    "secret_set": False,
    "origin": "file",
    "state": "failing",
    "fresh": False,
    "cadence_s": 5400,
    "requests_per_day": None,
    "moved_seen": 1,
    "moved_to": "https://www.news.example/feed.xml",
    "overrun_at": None,
    "last_ok_at": "2026-11-22T06:45:00Z",
    "last_item_at": "2026-11-22T06:10:00Z",
    "next_due_at": "2026-11-22T09:20:00Z",
    "fail_count": 4,
    "last_error": "The server answered 503.",
    "last_error_at": "2026-11-22T09:05:00Z",
}
QUARANTINED: dict[str, Any] = {
    "at": "2026-11-22T06:45:00Z",
    "reason": "it has neither a title nor a text",
    "sample": "<item><guid>81</guid></item>",
}


class SourceBody(BaseModel):
    """`state` is as of now. `fresh`: heard recently enough to count as coverage; null: it never counts, being told and
    not asked. `brands` empty: every brand. `tier` 1: a grave word said here is enough to warn.

    `last_item_at`: when something new last came in. `cadence_s`: what usually lies between two new things, as learned.
    `overrun_at`: items were lost then, how many is unknown, since more was published between two visits than the source
    shows; null after a week without it. `moved_to`: where it says that it stands from now on, `moved_seen` times in a
    row; from the third time on it is asked there. `requests_per_day`: what all sources of its kind share; null: no
    limit is known.
    """

    slug: str
    name: str
    kind: str
    url: str | None
    settings: dict[str, Any]
    brands: list[str]
    language: str | None
    tier: int
    interval_s: int
    enabled: bool
    secret_set: bool
    origin: Origin
    state: SourceState
    fresh: bool | None
    cadence_s: int | None
    requests_per_day: int | None
    moved_seen: int
    moved_to: str | None
    overrun_at: Instant | None
    last_ok_at: Instant | None
    last_item_at: Instant | None
    next_due_at: Instant | None
    fail_count: int
    last_error: str | None
    last_error_at: Instant | None


class SourceList(BaseModel):
    """By slug. `coverage` is the share of all enabled ones that are fresh, not of this page; null where none counts."""

    items: list[SourceBody]
    next: str | None
    coverage: float | None


class SourceQuestion(Question):
    limit: Limit = PAGE
    cursor: Cursor = None


class QuarantineBody(BaseModel):
    """An item that could not be read or stored: why, and how it began."""

    at: Instant
    reason: str
    sample: str


class QuarantineList(BaseModel):
    items: list[QuarantineBody]


class QuarantineQuestion(Question):
    limit: Limit = 50


def source_row(source: Source, caller: Caller, clock: Clock) -> dict[str, Any]:
    """A source without its secret, and without the brands that the caller does not cover."""
    now = clock()
    times = {
        "overrun_at": overrun(source, now),
        **{name: getattr(source, name) for name in ("last_ok_at", "last_item_at", "next_due_at", "last_error_at")},
    }
    return {
        "slug": source.slug,
        "name": source.name,
        "kind": source.kind,
        "url": source.url,
        "settings": dict(source.settings),
        "brands": list(caller.seen(source.brands)),
        "language": source.language,
        "tier": source.tier,
        "interval_s": source.interval_s,
        "enabled": source.enabled,
        "secret_set": bool(source.secret),
        "origin": source.origin,
        "state": health(source, now),
        "fresh": fresh(source, now) if counts(source) or not source.enabled else None,
        "cadence_s": source.cadence_s,
        "requests_per_day": per_day(source),
        "moved_seen": source.moved_seen,
        "moved_to": source.moved_to,
        "fail_count": source.fail_count,
        "last_error": source.last_error,
        **{name: at and write_instant(at) for name, at in times.items()},
    }


def source_for(deps: Deps, caller: Caller, slug: str) -> Source:
    """A source that feeds a brand of the caller. Blocking. Raises 404."""
    source = live_source(deps, slug)
    if source is None or not caller.hears(source):
        raise not_found("source")
    return source


def live_source(deps: Deps, slug: str) -> Source | None:
    """The source, unless it is archived (storage gives that one as not enabled)."""
    source = None if "\0" in slug else deps.storage.sources.get(slug)  # which PostgreSQL refuses
    if source is None or source.enabled or any(live.slug == slug for live in deps.storage.sources.all()):
        return source
    return None


def coverage(sources: list[Source], clock: Clock) -> float | None:
    """The share of enabled sources that are fresh now, of those that are not merely told."""
    asked = [source for source in sources if counts(source)]
    return sum(fresh(source, clock()) for source in asked) / len(asked) if asked else None


@router.get(
    "",
    summary="Sources, with their health",
    response_model=SourceList,
    responses={200: example({"items": [EXAMPLE], "next": None, "coverage": 0.0})},
)
async def list_sources(deps: Here, caller: AnyCaller, question: Annotated[SourceQuestion, Query()]) -> Response:
    return answer(await deps.call(source_list, deps, caller, question))


def source_list(deps: Deps, caller: Caller, question: SourceQuestion) -> dict[str, Any]:
    (after,) = read_cursor(question.cursor, "sources", str) or ("",)
    heard = sorted((s for s in deps.storage.sources.all() if caller.hears(s)), key=lambda source: source.slug)
    left = [source for source in heard if source.slug > after]
    shown = left[: question.limit]
    further = write_cursor("sources", shown[-1].slug) if len(left) > len(shown) else None
    return page([source_row(s, caller, deps.clock) for s in shown], further) | {"coverage": coverage(heard, deps.clock)}


@router.get(
    "/{slug}", summary="One source", response_model=SourceBody, responses={200: example(EXAMPLE), **problems(404)}
)
async def get_source(deps: Here, caller: AnyCaller, slug: str) -> Response:
    return answer(await deps.call(source_detail, deps, caller, slug))


def source_detail(deps: Deps, caller: Caller, slug: str) -> dict[str, Any]:
    return source_row(source_for(deps, caller, slug), caller, deps.clock)


@router.get(
    "/{slug}/quarantine",
    summary="Items that could not be read",
    response_model=QuarantineList,
    responses={200: example({"items": [QUARANTINED]}), **problems(404)},
)
async def list_quarantine(
    deps: Here, caller: AnyCaller, slug: str, question: Annotated[QuarantineQuestion, Query()]
) -> Response:
    """Newest first. A key that is limited to brands sees them only where the source feeds no other brand."""
    rows = await deps.call(quarantined, deps, caller, slug, question.limit)
    return answer({"items": [quarantine_row(row) for row in rows]})


def quarantined(deps: Deps, caller: Caller, slug: str, limit: int) -> list[QuarantineRow]:
    if not caller.owns(source_for(deps, caller, slug)):
        raise not_found("quarantine")
    return list(deps.storage.sources.quarantined(slug, limit))


def quarantine_row(row: QuarantineRow) -> dict[str, Any]:
    return {"at": write_instant(row.at), "reason": row.reason, "sample": row.sample}


@router.post(
    "/{slug}/poll",
    status_code=202,
    summary="Ask a source now",
    response_model=SourceBody,
    responses={202: example(EXAMPLE, description="Due now."), **problems(403, 404, 409)},
)
async def poll_source(deps: Here, caller: Responder, slug: str) -> Response:
    """It becomes due at once, and is asked at the next tick. 409 for one that is not enabled, or is an inbox."""
    return answer(await deps.call(poll, deps, caller, slug), 202)


def poll(deps: Deps, caller: Caller, slug: str) -> dict[str, Any]:
    source = source_for(deps, caller, slug)
    if not source.enabled:
        raise conflict("This source is not enabled, so it is not asked.")
    if not counts(source):
        raise conflict("This source is told by POST /api/v1/posts, and never asked.")
    deps.storage.sources.poll_now(slug, deps.clock())
    return source_detail(deps, caller, slug)


@router.put(
    "/{slug}",
    summary="Make or change a source",
    response_model=SourceBody,
    responses={200: example(EXAMPLE | {"origin": "api"}), **problems(403, 409)},
    openapi_extra=body_schema(SourceSpec, PUT_EXAMPLE),
)
async def put_source(deps: Here, caller: Operator, slug: str, body: Annotated[dict[str, Any], Body()]) -> Response:
    """What is left out takes its default; a `secret` that is left out stays as it is. 409 for a source of the file."""
    return answer(await deps.call(put, deps, caller, slug, body))


def put(deps: Deps, caller: Caller, slug: str, body: dict[str, Any]) -> dict[str, Any]:
    stored = live_source(deps, slug)
    if stored:
        check_origin(stored.origin, "source")
    kept = {"secret": stored.secret} if stored and stored.secret and "secret" not in body else {}
    source = checked(SourceSpec, slug, {**body, **kept}).to_source("api")
    check_names("brands", "brand", source.brands, (brand.slug for brand in deps.storage.brands.all()))
    deps.storage.apply([PutSource(source)], deps.clock())
    return source_detail(deps, caller, slug)


@router.delete("/{slug}", status_code=204, summary="Stop listening to a source", responses=problems(403, 404, 409))
async def delete_source(deps: Here, caller: Operator, slug: str) -> Response:
    """It is archived: hidden and no longer asked. Its posts stay, and putting it again brings it back."""
    await deps.call(archive, deps, caller, slug)
    return nothing()


def archive(deps: Deps, caller: Caller, slug: str) -> None:
    check_origin(source_for(deps, caller, slug).origin, "source")
    deps.storage.apply([Archive("source", slug)], deps.clock())
