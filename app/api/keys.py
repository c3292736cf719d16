"""Keys: who may ask. A key's secret is shown once, when it is made; only its SHA-256 is kept."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict
from starlette.responses import Response

from app.api.answers import answer, example, nothing, problems
from app.api.auth import Operator, new_key
from app.api.deps import Deps, Here
from app.api.params import Instant, write_instant
from app.api.problems import invalid, not_found
from app.api.specs import check_names
from app.model import ApiKey, Role

router = APIRouter(prefix="/keys", tags=["keys"])

EXAMPLE: dict[str, Any] = {
    "id": "4f1d2c3b5a697887",
    "name": "Ana",
    "role": "responder",
    "brands": ["cafe-aurora"],
    "created_at": "2026-11-22T09:00:00Z",
    "last_used_at": None,
    "expires_at": None,
    "revoked_at": None,
}
NEW: JsonDict = {"name": "Ana", "role": "responder", "brands": ["cafe-aurora"]}
SHOWN = "avz_4f1d2c3b5a697887_" + "x" * 43


class KeyBody(BaseModel):
    """`brands` null covers every brand, those that come later too."""

    id: str
    name: str
    role: Role
    brands: list[str] | None
    created_at: Instant
    last_used_at: Instant | None
    expires_at: Instant | None
    revoked_at: Instant | None


class NewKeyBody(KeyBody):
    """`key` is shown here and never again."""

    key: str


class KeyList(BaseModel):
    items: list[KeyBody]


class KeyWish(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": NEW})

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)] = Field(
        description="Whose it is: it stands in the timeline of the incidents that it acknowledges."
    )
    role: Role
    brands: Annotated[list[str], Field(min_length=1, max_length=500)] | None = Field(
        default=None, description="Slugs; null covers every brand."
    )
    expires_at: Instant | None = None


def key_row(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role,
        "brands": None if key.brands is None else list(key.brands),
        "created_at": write_instant(key.created_at),
        "last_used_at": key.last_used_at and write_instant(key.last_used_at),
        "expires_at": key.expires_at and write_instant(key.expires_at),
        "revoked_at": key.revoked_at and write_instant(key.revoked_at),
    }


@router.get("", summary="Keys", response_model=KeyList, responses={200: example({"items": [EXAMPLE]}), **problems(403)})
async def list_keys(deps: Here, caller: Operator) -> Response:
    return answer({"items": [key_row(key) for key in await deps.call(deps.storage.keys.all)]})


@router.post(
    "",
    status_code=201,
    summary="Make a key",
    response_model=NewKeyBody,
    responses={
        201: example(EXAMPLE | {"key": SHOWN}, description="Made. Keep `key`: it is not shown again."),
        **problems(403),
    },
)
async def create_key(deps: Here, caller: Operator, wish: KeyWish) -> Response:
    return answer(await deps.call(create, deps, wish, deps.clock()), 201)


def create(deps: Deps, wish: KeyWish, now: datetime) -> dict[str, Any]:
    if wish.brands is not None:
        check_names("brands", "brand", wish.brands, (brand.slug for brand in deps.storage.brands.all()))
    if wish.expires_at is not None and wish.expires_at <= now:
        raise invalid("body.expires_at", "has passed already")
    brands = None if wish.brands is None else tuple(dict.fromkeys(wish.brands))
    made = new_key(wish.name, wish.role, brands, now, wish.expires_at)
    deps.storage.keys.create(made.key, made.sha256)
    return {**key_row(made.key), "key": made.text}


@router.delete("/{key_id}", status_code=204, summary="Revoke a key", responses=problems(403, 404))
async def revoke_key(deps: Here, caller: Operator, key_id: str) -> Response:
    """At once: the next request with it gets 401, and so does the next page of whoever logged in with it."""
    await deps.call(revoke, deps, key_id)
    return nothing()


def revoke(deps: Deps, key_id: str) -> None:
    if deps.storage.keys.get(key_id) is None:
        raise not_found("key")
    deps.storage.keys.revoke(key_id, deps.clock())
