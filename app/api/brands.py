"""Brands: whom we watch, and the feeds of what is said about them."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import PRIVATE, answer, etag, example, nothing, problems, unchanged
from app.api.auth import AnyCaller, Caller, Operator, brand_for
from app.api.deps import Deps, Here
from app.api.params import PAGE, Instant, Limit, Question, write_instant
from app.api.specs import body_schema, check_names, check_origin, checked
from app.config.spec import BrandSpec
from app.feeds import JSON_FEED, RSS, Feed, json_feed, rss
from app.model import Brand, Label, Mention, MentionFilter, Origin
from app.storage.records import Archive, PutBrand, Watch

router = APIRouter(prefix="/brands", tags=["brands"])

PUT_EXAMPLE: dict[str, Any] = {
    "name": "Café Aurora",
    "query": '"café aurora" OR @cafeaurora',
    "language": "es",
    "time_zone": "Europe/Madrid",
    "channels": ["slack-crisis"],
    "events": [{"name": "Black Friday", "since": "2026-11-27", "until": "2026-11-28"}],
}
EXAMPLE: dict[str, Any] = {
    "slug": "cafe-aurora",
    **PUT_EXAMPLE,
    "events": [{"name": "Black Friday", "since": "2026-11-26T23:00:00Z", "until": "2026-11-28T23:00:00Z"}],
    "competitor": False,
    "origin": "file",
    "watch": {
        "verdict": "calm",
        "evaluated_at": "2026-11-22T09:00:20Z",
        "evaluated_through": "2026-11-22T09:00:00Z",
        "coverage": 0.92,
    },
}


class WatchBody(BaseModel):
    """The last verdict. `evaluated_through` is how far it looked: one that stands still means that nobody watches."""

    verdict: str
    evaluated_at: Instant | None
    evaluated_through: Instant | None
    coverage: float | None


class PlannedBody(BaseModel):
    """What is planned: from `since` until `until`, which is the first moment after it."""

    name: str
    since: Instant
    until: Instant


class BrandBody(BaseModel):
    slug: str
    name: str
    query: str
    language: str
    time_zone: str
    competitor: bool
    channels: list[str]
    events: list[PlannedBody]
    origin: Origin
    watch: WatchBody | None = Field(description="null: not judged yet.")


class BrandList(BaseModel):
    items: list[BrandBody]


def brand_row(brand: Brand, watch: Watch | None) -> dict[str, Any]:
    return {
        "slug": brand.slug,
        "name": brand.name,
        "query": brand.query,
        "language": brand.language,
        "time_zone": brand.time_zone,
        "competitor": brand.competitor,
        "channels": list(brand.channels),
        "events": [
            {"name": one.name, "since": write_instant(one.since), "until": write_instant(one.until)}
            for one in brand.events
        ],
        "origin": brand.origin,
        "watch": watch_row(watch),
    }


def watch_row(watch: Watch | None) -> dict[str, Any] | None:
    if watch is None or watch.spike is None:
        return None
    return {
        "verdict": watch.spike.get("verdict", "not_evaluated"),
        "evaluated_at": watch.evaluated_at and write_instant(watch.evaluated_at),
        "evaluated_through": watch.evaluated_through and write_instant(watch.evaluated_through),
        "coverage": watch.spike.get("coverage"),
    }


@router.get(
    "",
    summary="Brands, with their last verdict",
    response_model=BrandList,
    responses={200: example({"items": [EXAMPLE]})},
)
async def list_brands(deps: Here, caller: AnyCaller) -> Response:
    return answer({"items": await deps.call(brand_rows, deps, caller)})


def brand_rows(deps: Deps, caller: Caller) -> list[dict[str, Any]]:
    seen = [brand for brand in deps.storage.brands.all() if caller.covers(brand.slug)]
    return [brand_row(brand, deps.storage.watches.get(brand.id)) for brand in seen]


@router.get(
    "/{slug}", summary="One brand", response_model=BrandBody, responses={200: example(EXAMPLE), **problems(404)}
)
async def get_brand(deps: Here, caller: AnyCaller, slug: str) -> Response:
    return answer(await deps.call(brand_detail, deps, caller, slug))


def brand_detail(deps: Deps, caller: Caller, slug: str) -> dict[str, Any]:
    brand = brand_for(deps, caller, slug)
    return brand_row(brand, deps.storage.watches.get(brand.id))


@router.put(
    "/{slug}",
    summary="Make or change a brand",
    response_model=BrandBody,
    responses={200: example(EXAMPLE | {"origin": "api"}), **problems(403, 409)},
    openapi_extra=body_schema(BrandSpec, PUT_EXAMPLE),
)
async def put_brand(deps: Here, caller: Operator, slug: str, body: Annotated[dict[str, Any], Body()]) -> Response:
    """What is left out takes its default. 409 for a brand of the configuration file."""
    return answer(await deps.call(put, deps, caller, slug, body))


def put(deps: Deps, caller: Caller, slug: str, body: dict[str, Any]) -> dict[str, Any]:
    brand = checked(BrandSpec, slug, body).to_brand(deps.settings, "api")
    check_names("channels", "channel", brand.channels, (channel.slug for channel in deps.storage.channels.all()))
    if (stored := deps.storage.brands.get(slug)) and stored.archived_at is None:
        check_origin(stored.origin, "brand")
    deps.storage.apply([PutBrand(brand)], deps.clock())
    return brand_detail(deps, caller, slug)


@router.delete("/{slug}", status_code=204, summary="Stop watching a brand", responses=problems(403, 404, 409))
async def delete_brand(deps: Here, caller: Operator, slug: str) -> Response:
    """It is archived: hidden and no longer watched. Its mentions stay, and putting it again brings them back."""
    await deps.call(archive, deps, caller, slug)
    return nothing()


def archive(deps: Deps, caller: Caller, slug: str) -> None:
    check_origin(brand_for(deps, caller, slug).origin, "brand")
    deps.storage.apply([Archive("brand", slug)], deps.clock())


class FeedQuestion(Question):
    label: list[Label] = Field(default=[], description="Tone. May be given several times.")
    limit: Limit = PAGE


FEED_NOTE = (
    "For feed readers: they may send the key as the password of HTTP Basic, under any user name. "
    "Never put a key into an address."
)


@router.get(
    "/{slug}/feed.json",
    summary="A brand's mentions as JSON Feed 1.1",
    description=FEED_NOTE,
    responses={
        200: example({"version": "https://jsonfeed.org/version/1.1", "title": "Café Aurora", "items": []}, JSON_FEED),
        **problems(404),
    },
)
async def brand_json_feed(
    request: Request, deps: Here, caller: AnyCaller, slug: str, question: Annotated[FeedQuestion, Query()]
) -> Response:
    return await deps.call(brand_feed, request, deps, caller, slug, question, "feed.json")


@router.get(
    "/{slug}/feed.rss",
    summary="A brand's mentions as RSS 2.0",
    description=FEED_NOTE,
    responses={
        200: example('<rss version="2.0"><channel><title>Café Aurora: menciones</title></channel></rss>', RSS),
        **problems(404),
    },
)
async def brand_rss_feed(
    request: Request, deps: Here, caller: AnyCaller, slug: str, question: Annotated[FeedQuestion, Query()]
) -> Response:
    return await deps.call(brand_feed, request, deps, caller, slug, question, "feed.rss")


Writer = Callable[[Feed, Sequence[Mention]], bytes]
WRITERS: dict[Literal["feed.json", "feed.rss"], tuple[Writer, str]] = {
    "feed.json": (json_feed, JSON_FEED),
    "feed.rss": (rss, RSS),
}


def brand_feed(
    request: Request,
    deps: Deps,
    caller: Caller,
    slug: str,
    question: FeedQuestion,
    form: Literal["feed.json", "feed.rss"],
) -> Response:
    brand = brand_for(deps, caller, slug)
    wanted = MentionFilter(brands=(slug,), labels=tuple(question.label) or None)
    tag = etag(form, deps.storage.mentions.page_tag(wanted), wanted, question.limit, brand.name, brand.language)
    if (same := unchanged(request, tag)) is not None:
        return same
    home = deps.settings.public_url
    feed = Feed(brand.name, f"{home}/api/v1/brands/{slug}/{form}", f"{home}/brands/{slug}", brand.language)
    write, media_type = WRITERS[form]
    body = write(feed, deps.storage.mentions.page(wanted, None, question.limit))
    return Response(body, 200, {**PRIVATE, "ETag": tag}, media_type)
