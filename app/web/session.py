"""A person at a browser: a key, pasted once, becomes a cookie; every change needs a token and comes from our own pages.

    POST /login key -> vault.seal("session:<key id>:<issued at>") -> HttpOnly, SameSite=Strict cookie, 7 days
    each request    -> vault.open -> the key's row, read anew: a revoked key is out at once -> Caller

The token of a form is an HMAC under the cookie's value, which no page of another site can read. Origin and
Sec-Fetch-Site are checked besides: a form of ours always comes from our own origin.
"""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Depends, Form, Request
from starlette.responses import Response

from app.api.auth import Caller, alive, caller_of, identify
from app.api.deps import Deps, Here
from app.api.problems import Problem
from app.vault import VaultError

COOKIE = "avizor_session"
LIFE = timedelta(days=7)
MARK = "session"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who is logged in. `token` goes into every form."""

    caller: Caller
    token: str


class LoginNeeded(Problem):
    """Nobody is logged in: off to the login page, and back here afterwards."""

    def __init__(self, request: Request) -> None:
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        target = f"/login?next={quote(back, safe='')}" if request.method == "GET" and back != "/" else "/login"
        headers = {"Location": target, "Cache-Control": "no-store"}
        super().__init__(303, "login_needed", "Log in first.", headers=headers)


def cookie_name(request: Request) -> str:
    """`__Host-` binds the cookie to this very host, but browsers take it over https only."""
    return f"__Host-{COOKIE}" if request.url.scheme == "https" else COOKIE


def open_session(deps: Deps, key_text: str, now: datetime) -> str | None:
    """The cookie's value for a key, or None if the key is no good. Blocking."""
    caller = identify(deps, key_text.strip(), now)
    return deps.vault.seal(f"{MARK}:{caller.key_id}:{int(now.timestamp())}") if caller else None


def caller_from(deps: Deps, cookie: str, now: datetime) -> Caller | None:
    """The caller whose session this cookie is, if it is fresh and their key still lives. Blocking."""
    try:
        mark, key_id, issued = deps.vault.open(cookie).split(":")
        age = now - datetime.fromtimestamp(int(issued), UTC)
    except (VaultError, ValueError, OverflowError):
        return None
    row = deps.storage.keys.get(key_id) if mark == MARK and timedelta(0) <= age <= LIFE else None
    return caller_of(row[0]) if row and alive(row[0], now) else None


def set_session(response: Response, request: Request, value: str) -> None:
    response.set_cookie(
        cookie_name(request),
        value,
        max_age=int(LIFE.total_seconds()),
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def end_session(response: Response, request: Request) -> None:
    response.delete_cookie(
        cookie_name(request), path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )


def token_for(cookie: str) -> str:
    return hmac.new(cookie.encode(), b"avizor form token", sha256).hexdigest()


async def visitor(request: Request, deps: Here) -> Visitor:
    """The router-level dependency of every page. Raises `LoginNeeded`."""
    cookie = request.cookies.get(cookie_name(request))
    caller = await deps.call(caller_from, deps, cookie, deps.clock()) if cookie else None
    if cookie is None or caller is None:
        raise LoginNeeded(request)
    return Visitor(caller, token_for(cookie))


Visiting = Annotated[Visitor, Depends(visitor)]


def from_our_pages(request: Request) -> bool:
    """The request was made by a page of this very origin, as browsers tell it."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    origin = urlsplit(request.headers.get("origin", ""))
    return origin.scheme in ("http", "https") and origin.netloc == request.headers.get("host")


async def own_origin(request: Request) -> None:
    """Router-level dependency of what changes something. Raises 403."""
    if not from_our_pages(request):
        raise Problem(403, "foreign_form", "This form did not come from our own pages. Open the page again, repeat it.")


async def genuine(request: Request, who: Visiting, token: Annotated[str, Form(max_length=128)] = "") -> Visitor:
    """Whoever sent a form of ours: token and origin fit. Raises 403."""
    await own_origin(request)
    if not hmac.compare_digest(token.encode(), who.token.encode()):
        raise Problem(403, "stale_form", "This form is stale. Open the page again and repeat it.")
    return who


Genuine = Annotated[Visitor, Depends(genuine)]


def local(target: str) -> str:
    """Where to go after the login: a path of ours, never another site (`//host`, `/\\host`)."""
    ours = target.startswith("/") and not target.startswith("//") and "\\" not in target
    return target if ours and target.isprintable() else "/"
