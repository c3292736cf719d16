"""Who is asking, and what of the house they may see.

    Authorization: Bearer avz_<id>_<secret>  ->  the key's row  ->  SHA-256, compared in constant time  ->  Caller

A key has 256 random bits, so a plain SHA-256 keeps it (OWASP ASVS 6.5.2); the secret is shown once and never kept.
Feed readers that know only passwords may send the key as the password of HTTP Basic, on GET alone: a browser repeats
Basic credentials by itself, so they must never be able to change anything.
"""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase

from app.api.deps import Deps, Here
from app.api.problems import Problem, not_found
from app.model import ApiKey, Brand, Role
from collectors.base import Source

PREFIX = "avz"
TOUCH_EVERY = timedelta(minutes=1)
RANK: dict[Role, int] = {"viewer": 0, "responder": 1, "admin": 2}


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is made: `text` is shown once, `key` and `sha256` are kept."""

    text: str
    key: ApiKey
    sha256: bytes


def new_key(
    name: str, role: Role, brands: tuple[str, ...] | None, now: datetime, expires_at: datetime | None = None
) -> NewKey:
    """Make a key: `avz_<16 hex digits>_<32 random bytes in url-safe base64>`. `brands` None covers every brand."""
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    key = ApiKey(id=key_id, name=name, role=role, brands=brands, created_at=now, expires_at=expires_at)
    return NewKey(f"{PREFIX}_{key_id}_{secret}", key, digest(secret))


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds the key. `brands` are slugs; None = every brand."""

    key_id: str
    name: str
    role: Role
    brands: frozenset[str] | None

    @property
    def sees_all(self) -> bool:
        return self.brands is None

    def may(self, role: Role) -> bool:
        return RANK[self.role] >= RANK[role]

    def covers(self, brand: str) -> bool:
        return self.brands is None or brand in self.brands

    def covers_any(self, brands: Iterable[str]) -> bool:
        return self.brands is None or any(brand in self.brands for brand in brands)

    def covers_all(self, brands: Iterable[str]) -> bool:
        return self.brands is None or all(brand in self.brands for brand in brands)

    def seen(self, brands: Iterable[str]) -> tuple[str, ...]:
        """Those of `brands` that the key covers, in their order."""
        return tuple(brand for brand in brands if self.covers(brand))

    def hears(self, source: Source) -> bool:
        """The source feeds a brand of this key. A source without brands feeds every brand."""
        return not source.brands or self.covers_any(source.brands)

    def owns(self, source: Source) -> bool:
        """The source feeds only brands of this key: what it heard of others cannot show through it."""
        return self.sees_all or (bool(source.brands) and self.covers_all(source.brands))

    def check(self, brand: str) -> None:
        """Raises 404 for a brand that the key does not cover: it must not even learn that there is one."""
        if not self.covers(brand):
            raise not_found("brand")


def split_key(text: str) -> tuple[str, str] | None:
    """(id, secret) of a key's text, or None where it has another shape."""
    prefix, _, rest = text.partition("_")
    key_id, _, secret = rest.partition("_")
    return (key_id, secret) if prefix == PREFIX and key_id.isalnum() and secret else None


def credentials(request: Request) -> str | None:
    """The key's text as sent: a bearer token, or on GET a Basic password."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic" if request.method in ("GET", "HEAD"):
            return basic_password(value)
        case _:
            return None


def basic_password(value: str) -> str | None:
    try:
        _, found, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return password if found else None


def alive(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)


def caller_of(key: ApiKey) -> Caller:
    return Caller(key.id, key.name, key.role, None if key.brands is None else frozenset(key.brands))


def identify(deps: Deps, text: str, now: datetime) -> Caller | None:
    """The caller whose key this is, or None. Blocking. An unknown id costs the same comparison as a wrong secret."""
    parts = split_key(text)
    if parts is None:
        return None
    key_id, secret = parts
    row = deps.storage.keys.get(key_id)
    key, expected = row if row else (None, bytes(32))
    if not compare_digest(digest(secret), expected) or key is None or not alive(key, now):
        return None
    touch(deps, key, now)
    return caller_of(key)


def touch(deps: Deps, key: ApiKey, now: datetime) -> None:
    """Note when the key was last used, at most once a minute: a read must not cost a write each time."""
    if key.last_used_at is None or now - key.last_used_at >= TOUCH_EVERY:
        deps.storage.keys.touch(key.id, now)


def unauthorized(request: Request) -> Problem:
    """Only feeds ask for a password: everywhere else a browser must not offer to keep one."""
    feed = request.url.path.endswith(("/feed.json", "/feed.rss"))
    challenge = 'Basic realm="avizor", charset="UTF-8"' if feed else 'Bearer realm="avizor"'
    return Problem(
        401, "unauthorized", "Send a key: Authorization: Bearer avz_...", headers={"WWW-Authenticate": challenge}
    )


class KeyScheme(SecurityBase):
    """The router-level dependency that every route of the API stands behind. Raises 401."""

    def __init__(self) -> None:
        self.model = HTTPBearerModel(bearerFormat="avz_<id>_<secret>")
        self.scheme_name = "key"

    async def __call__(self, request: Request, deps: Here) -> Caller:
        text = credentials(request)
        caller = await deps.call(identify, deps, text, deps.clock()) if text else None
        if caller is None:
            raise unauthorized(request)
        return caller


authenticate = KeyScheme()
AnyCaller = Annotated[Caller, Depends(authenticate)]


def at_least(role: Role) -> Callable[[Caller], Awaitable[Caller]]:
    """A dependency that lets in keys of this role or above. Raises 403."""

    async def check(caller: AnyCaller) -> Caller:
        if not caller.may(role):
            raise Problem(403, "forbidden", f"This needs a key with the role {role}; yours is {caller.role}.")
        return caller

    return check


async def whole_house(caller: Annotated[Caller, Depends(at_least("admin"))]) -> Caller:
    """An admin whose key covers every brand: what is changed here concerns all of them."""
    if not caller.sees_all:
        raise Problem(403, "forbidden", "This needs an admin key that covers every brand.")
    return caller


Responder = Annotated[Caller, Depends(at_least("responder"))]
Admin = Annotated[Caller, Depends(at_least("admin"))]
Operator = Annotated[Caller, Depends(whole_house)]


def brand_for(deps: Deps, caller: Caller, slug: str) -> Brand:
    """A brand that the caller covers. Blocking. Raises 404."""
    caller.check(slug)
    brand = deps.storage.brands.get(slug)
    if brand is None or brand.archived_at is not None:
        raise not_found("brand")
    return brand


def brands_for(deps: Deps, caller: Caller, asked: Iterable[str]) -> tuple[str, ...] | None:
    """The brands to read: those asked for, else all that the key covers (None: every brand). Blocking. Raises 404.

    A brand that does not exist is said to be missing: an empty answer to a slip of the pen would look calm.
    """
    wanted = tuple(dict.fromkeys(asked))
    for slug in wanted:
        brand_for(deps, caller, slug)
    if wanted:
        return wanted
    return None if caller.brands is None else tuple(sorted(caller.brands))


__all__ = [
    "Admin",
    "AnyCaller",
    "Caller",
    "NewKey",
    "Operator",
    "Responder",
    "authenticate",
    "brand_for",
    "brands_for",
    "identify",
    "new_key",
]
