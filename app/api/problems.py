"""Every error of the API in one shape: problem+json, RFC 9457.

    raise Problem(404, "not_found", "...") ──┐
    a request that does not validate ────────┼──> {"type", "title", "status", "detail", "code", "errors"}
    a path nobody serves, a bug ─────────────┘

`type` is always `about:blank`; `code` is the stable word a program decides by, `detail` the sentence a person reads.
No answer holds a stack trace, a statement, an address or what was sent: a bug says only that it is one.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.api.headers import SECURITY_HEADERS
from app.storage.records import Conflict, StorageError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

CODES: Mapping[int, str] = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    500: "internal",
    503: "unavailable",
}

TITLES: Mapping[int, str] = {413: "Content Too Large", 422: "Unprocessable Content"}
"""As in RFC 9110; Python calls them so only from 3.13 on."""

DETAILS: Mapping[int, str] = {
    404: "There is nothing here, or your key does not cover it.",
    405: "This address does not take that method.",
    413: "The body is larger than this address takes.",
    500: "Something went wrong on our side. It is written in the log.",
}
"""Our words where the framework's are thin."""

MOST_FAULTS = 100
"""Of one request that are told: whoever sends more finds more in the next answer."""


class Fault(BaseModel):
    """One thing that is wrong with a request: where (`query.since`, `body.name`, or a line of a file), and what."""

    where: str
    message: str


class ProblemBody(BaseModel):
    """RFC 9457. `code` is stable; `errors` is there where several things may be wrong at once."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Unprocessable Content",
                "status": 422,
                "detail": "query.since: must be a time such as 2026-11-22T09:00:00Z",
                "code": "invalid",
                "errors": [{"where": "query.since", "message": "must be a time such as 2026-11-22T09:00:00Z"}],
            }
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: list[Fault] | None = Field(default=None)


class Problem(HTTPException):
    """An answer that is not what was asked for. `code` is one stable word, `detail` a sentence without secrets."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Fault] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers) if headers else None)
        self.code = code
        self.errors = list(errors) if errors else None


Page = Callable[[Request, int, str], Response | None]
"""How a browser is told of an error: (request, status, detail) -> a page, or None to send problem+json."""


def not_found(what: str = "") -> Problem:
    """404, in the same words for what does not exist and for what the key does not cover."""
    return Problem(
        404, "not_found", f"There is no such {what}, or your key does not cover it." if what else DETAILS[404]
    )


def refused(faults: Sequence[Fault]) -> Problem:
    """422 with everything that is wrong."""
    return Problem(422, "invalid", "; ".join(f"{f.where}: {f.message}" for f in faults[:3]), errors=faults)


def invalid(where: str, message: str) -> Problem:
    """422 for one value: `where` as in `query.cursor`."""
    return refused([Fault(where=where, message=message)])


def conflict(detail: str) -> Problem:
    return Problem(409, "conflict", detail)


def problem_response(problem: HTTPException) -> Response:
    status = problem.status_code
    code = problem.code if isinstance(problem, Problem) else CODES.get(status, "error")
    detail = problem.detail if isinstance(problem, Problem) else DETAILS.get(status, str(problem.detail))
    body = ProblemBody(
        title=title(status),
        status=status,
        detail=detail,
        code=code,
        errors=problem.errors if isinstance(problem, Problem) else None,
    )
    headers = {**SECURITY_HEADERS, **(problem.headers or {}), "Cache-Control": "no-store"}
    return Response(orjson.dumps(body.model_dump(exclude_none=True)), status, headers, MEDIA_TYPE)


def title(status: int) -> str:
    try:
        return TITLES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def install_problems(app: FastAPI, page: Page | None = None) -> None:
    """Give every error of the app one shape. `page` may answer a browser with a page instead."""

    def answer(request: Request, problem: HTTPException) -> Response:
        if problem.status_code < 400:  # a redirect raised from a dependency
            return Response(status_code=problem.status_code, headers=problem.headers)
        shown = page(request, problem.status_code, problem_detail(problem)) if page else None
        return shown or problem_response(problem)

    async def http(request: Request, error: Exception) -> Response:
        return answer(request, cast(HTTPException, error))

    async def validation(request: Request, error: Exception) -> Response:
        return answer(request, unprocessable(cast(RequestValidationError, error)))

    async def stale(request: Request, error: Exception) -> Response:
        return answer(request, conflict("It changed while you were at it. Read it again and decide again."))

    async def bug(request: Request, error: Exception) -> Response:
        return answer(request, Problem(500, "internal", DETAILS[500]))

    describe(app)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, validation)

    async def no_storage(request: Request, error: Exception) -> Response:
        log.error("%s %s: %s", request.method, request.url.path, error)
        return answer(
            request, Problem(503, "unavailable", "The database cannot be used right now. Try again in a moment.")
        )

    app.add_exception_handler(Conflict, stale)
    app.add_exception_handler(StorageError, no_storage)
    app.add_exception_handler(Exception, bug)


def describe(app: FastAPI) -> None:
    """Put the problem's shape into the app's schema: responses refer to it, under a media type of its own."""
    written = app.openapi

    def openapi() -> dict[str, Any]:
        schema = written()
        shapes = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
        known = schema.setdefault("components", {}).setdefault("schemas", {})
        known |= {**shapes.pop("$defs", {}), "ProblemBody": shapes}
        return schema

    app.openapi = openapi  # type: ignore[method-assign] # the way that FastAPI documents


def problem_detail(problem: HTTPException) -> str:
    return problem.detail if isinstance(problem, Problem) else DETAILS.get(problem.status_code, str(problem.detail))


def unprocessable(error: RequestValidationError) -> Problem:
    """The first of a validation's errors in words, without the values that caused them."""
    return refused([fault(e) for e in error.errors()[:MOST_FAULTS]])


def fault(error: Mapping[str, Any]) -> Fault:
    return Fault(where=".".join(str(part) for part in error["loc"]), message=in_words(error))


def in_words(error: Mapping[str, Any]) -> str:
    match error["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is not known here"
        case "value_error":
            return str(error["ctx"]["error"])
        case "json_invalid":
            return "is not JSON"
        case "model_attributes_type" | "model_type":
            return "must be a JSON object, sent as application/json"
        case _:
            message = str(error["msg"])
            return message[:1].lower() + message[1:]
