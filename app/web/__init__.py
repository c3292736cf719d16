"""The pages: what a community manager and whoever is on call look at. No build step, and no script at all.

    make_router(deps)      /, /brands/{slug}, /incidents/{id}, their forms, login and looks
    make_error_page(deps)  how a browser is told of an error: hand it to `api.install_problems`

Every page but the login stands behind `visitor`, a dependency of the router itself. Everything is escaped by the
environment, and the headers forbid to run anything (`app.api.headers`).
"""

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.api.deps import Deps, give
from app.api.problems import Page
from app.web import pages, texts
from app.web.render import environment, render
from app.web.session import visitor


def make_router(deps: Deps) -> APIRouter:
    """All pages. Templates are read here, so that a broken one stops the start and not a reader."""
    for name in environment().list_templates():
        environment().get_template(name)
    house = APIRouter(dependencies=[Depends(give(deps))])
    house.include_router(pages.open_router)
    house.include_router(pages.router, dependencies=[Depends(visitor)])
    return house


def make_error_page(deps: Deps) -> Page:
    """A page for browsers; None (problem+json) for the API and for whoever does not ask for HTML."""

    def page(request: Request, status: int, detail: str) -> Response | None:
        if request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
            return None
        heading, note = texts.ERRORS.get(status, texts.ERRORS[500]), texts.ERROR_NOTES.get(status, "")
        return render(request, deps, "error.html", status=status, heading=heading, note=note)

    return page


__all__ = ["make_error_page", "make_router"]
