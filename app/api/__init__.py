"""The API: every figure and every step of the house over HTTP, under /api/v1.

    request -> who asks (auth) -> what may be asked (params, specs) -> storage, off the event loop -> bytes (answers)
            -> anything else: problem+json (problems)

One file a noun. Handlers decide nothing that concerns the product: they read, or hand over to the same functions that
the walks and the command line use. Every route of /api/v1 stands behind `authenticate`, a dependency of the router.
"""

from fastapi import APIRouter, Depends, FastAPI, Request

from app.api import (
    backtests,
    brands,
    channels,
    config,
    corrections,
    deliveries,
    explain,
    feedback,
    health,
    incidents,
    keys,
    mentions,
    policy,
    posts,
    report,
    scorer,
    sources,
    submissions,
    verify,
    volumes,
    websub,
)
from app.api.answers import problems
from app.api.auth import authenticate, new_key
from app.api.deps import Deps, give
from app.api.headers import SecureHeaders
from app.api.limits import LARGEST_BODY, BodyLimit
from app.api.params import no_unknown_parameters
from app.api.problems import Problem, install_problems

NOUNS = (
    *(mentions, corrections, posts, submissions, explain, volumes, incidents, feedback, sources, brands, channels),
    *(deliveries, keys, scorer, policy, report, backtests, verify),
)


async def json_bodies(request: Request) -> None:
    """A body is JSON and says so: a form of another site cannot be taken for one (CVE-2021-32677)."""
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if has_body and media_type != "application/json":
        raise Problem(415, "unsupported_media_type", "Send the body as application/json.")


def make_router(deps: Deps) -> APIRouter:
    """All routes of the API, and the three of its health."""
    nouns = APIRouter(dependencies=[Depends(json_bodies)])
    for noun in NOUNS:
        nouns.include_router(noun.router)
    v1 = APIRouter(
        prefix="/api/v1",
        dependencies=[Depends(authenticate), Depends(no_unknown_parameters)],
        responses=problems(401, 422),
    )
    v1.include_router(nouns)
    v1.include_router(config.router)
    house = APIRouter(dependencies=[Depends(give(deps))], max_body_size=LARGEST_BODY)
    house.include_router(v1)
    house.include_router(health.router)
    house.include_router(websub.router)  # a hub has no key: it knows its own address, and signs
    return house


def install_headers(app: FastAPI) -> None:
    """What every request passes and every answer carries: the largest body, and the headers that let nothing run."""
    app.add_middleware(BodyLimit)
    app.add_middleware(SecureHeaders)


__all__ = ["Deps", "install_headers", "install_problems", "make_router", "new_key"]
