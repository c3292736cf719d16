"""Channels: whom we tell. Their addresses are secrets: only the host and the last four characters are ever shown."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field
from starlette.responses import Response

from alerts.base import Channel, NotifyError, Severity
from app.api.answers import answer, example, nothing, problems
from app.api.auth import AnyCaller, Caller, Operator
from app.api.deps import Deps, Here
from app.api.problems import Problem, not_found
from app.api.specs import body_schema, check_origin, checked
from app.config.spec import ChannelSpec
from app.model import Origin
from app.storage.records import Archive, PutChannel

router = APIRouter(prefix="/channels", tags=["channels"])

PUT_EXAMPLE: dict[str, Any] = {
    "name": "Slack, crisis room",
    "kind": "slack",
    "url": "https://hooks.slack.com/services/T000/B000/XXXX",
    "language": "es",
    "min_severity": "warning",
}
EXAMPLE: dict[str, Any] = {
    "slug": "slack-crisis",
    "name": "Slack, crisis room",
    "kind": "slack",
    "settings": {},
    "address": "hooks.slack.com …XXXX",
    "secrets_set": ["url"],
    "language": "es",
    "min_severity": "warning",
    "enabled": True,
    "disabled_reason": None,
    "origin": "file",
}


class ChannelBody(BaseModel):
    """`address` is the host and the last four characters of the address; `secrets_set` names what is stored sealed."""

    slug: str
    name: str
    kind: str
    settings: dict[str, Any]
    address: str | None
    secrets_set: list[str]
    language: str
    min_severity: Severity
    enabled: bool
    disabled_reason: str | None
    origin: Origin


class ChannelList(BaseModel):
    items: list[ChannelBody]


class TestBody(BaseModel):
    """The other side accepted a marked test message."""

    delivered: bool = Field(examples=[True])


def channel_row(channel: Channel) -> dict[str, Any]:
    return {
        "slug": channel.slug,
        "name": channel.name,
        "kind": channel.kind,
        "settings": dict(channel.settings),
        "address": hint(channel.secret.get("url")),
        "secrets_set": sorted(key for key, value in channel.secret.items() if value),
        "language": channel.language,
        "min_severity": channel.min_severity,
        "enabled": channel.enabled,
        "disabled_reason": channel.disabled_reason,
        "origin": channel.origin,
    }


def hint(url: str | None) -> str | None:
    """Enough of an address to tell it from another: `hooks.slack.com …XXXX`. A short path shows less than it hides."""
    if not url:
        return None
    parts = urlsplit(url)
    tail = url.split("://", 1)[-1].partition("/")[2]
    return f"{parts.hostname or ''} …{tail[-4:] if len(tail) >= 12 else ''}"


def uses(caller: Caller, deps: Deps) -> set[str] | None:
    """Slugs of the channels that tell of the caller's brands; None = every channel. Blocking."""
    if caller.sees_all:
        return None
    brands = [brand for brand in deps.storage.brands.all() if caller.covers(brand.slug)]
    if any(not brand.channels for brand in brands):
        return None
    return {slug for brand in brands for slug in brand.channels}


def channels_for(deps: Deps, caller: Caller) -> list[Channel]:
    used = uses(caller, deps)
    return [channel for channel in deps.storage.channels.all() if used is None or channel.slug in used]


def channel_for(deps: Deps, caller: Caller, slug: str) -> Channel:
    """A channel that tells of a brand of the caller. Blocking. Raises 404."""
    used = uses(caller, deps)
    channel = live_channel(deps, slug) if used is None or slug in used else None
    if channel is None:
        raise not_found("channel")
    return channel


def live_channel(deps: Deps, slug: str) -> Channel | None:
    """The channel, unless it is archived (storage gives that one as not enabled)."""
    return next((channel for channel in deps.storage.channels.all() if channel.slug == slug), None)


@router.get("", summary="Channels", response_model=ChannelList, responses={200: example({"items": [EXAMPLE]})})
async def list_channels(deps: Here, caller: AnyCaller) -> Response:
    return answer({"items": [channel_row(c) for c in await deps.call(channels_for, deps, caller)]})


@router.get(
    "/{slug}", summary="One channel", response_model=ChannelBody, responses={200: example(EXAMPLE), **problems(404)}
)
async def get_channel(deps: Here, caller: AnyCaller, slug: str) -> Response:
    return answer(channel_row(await deps.call(channel_for, deps, caller, slug)))


@router.put(
    "/{slug}",
    summary="Make or change a channel",
    response_model=ChannelBody,
    responses={200: example(EXAMPLE | {"origin": "api"}), **problems(403, 409)},
    openapi_extra=body_schema(ChannelSpec, PUT_EXAMPLE),
)
async def put_channel(deps: Here, caller: Operator, slug: str, body: Annotated[dict[str, Any], Body()]) -> Response:
    """What is left out takes its default; a `url` or `secret` left out stays as it is. 409 for one of the file."""
    return answer(channel_row(await deps.call(put, deps, caller, slug, body)))


def put(deps: Deps, caller: Caller, slug: str, body: dict[str, Any]) -> Channel:
    stored = live_channel(deps, slug)
    if stored:
        check_origin(stored.origin, "channel")
    kept = {key: value for key, value in stored.secret.items() if key not in body} if stored else {}
    channel = checked(ChannelSpec, slug, {**body, **kept}).to_channel(deps.settings, "api")
    deps.storage.apply([PutChannel(channel)], deps.clock())
    return channel_for(deps, caller, slug)


@router.delete("/{slug}", status_code=204, summary="Stop telling a channel", responses=problems(403, 404, 409))
async def delete_channel(deps: Here, caller: Operator, slug: str) -> Response:
    await deps.call(archive, deps, caller, slug)
    return nothing()


def archive(deps: Deps, caller: Caller, slug: str) -> None:
    check_origin(channel_for(deps, caller, slug).origin, "channel")
    deps.storage.apply([Archive("channel", slug)], deps.clock())


@router.post(
    "/{slug}/test",
    summary="Send a marked test",
    response_model=TestBody,
    responses={200: example({"delivered": True}), **problems(403, 404, 502)},
)
async def send_test(deps: Here, caller: Operator, slug: str) -> Response:
    """Answers when the other side accepted it. 502 with the reason when it did not."""
    await deps.call(channel_for, deps, caller, slug)
    try:
        await deps.test_channel(slug)
    except NotifyError as error:
        raise Problem(502, error.code, error.message) from None
    return answer({"delivered": True})
