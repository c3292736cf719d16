"""How an answer becomes bytes: typed in the schema, written by orjson, which costs a tenth of the framework's encoder.

The hot lists build plain mappings; tests/app/api/test_shapes.py holds those to the models that the schema promises.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson
from fastapi import Request
from starlette.responses import Response

from app.api.problems import MEDIA_TYPE

JSON = "application/json"
PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
"""Kept only by the caller, and asked again each time: what a key sees is nobody else's."""

Responses = dict[int | str, dict[str, Any]]


def answer(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, {**PRIVATE, **(headers or {})}, JSON)


def nothing() -> Response:
    return Response(status_code=204, headers=PRIVATE)


def page(items: Sequence[Mapping[str, Any]], next_cursor: str | None) -> dict[str, Any]:
    """One page of a list: `next` is null on the last."""
    return {"items": items, "next": next_cursor}


def etag(*parts: object) -> str:
    """A weak entity tag over whatever the answer depends on."""
    digest = blake2b("\x1f".join(map(str, parts)).encode(), digest_size=12).hexdigest()
    return f'W/"{digest}"'


def unchanged(request: Request, tag: str) -> Response | None:
    """304 if the caller already holds this version (RFC 9110, 13.1.2), else None."""
    held = [part.strip() for part in request.headers.get("if-none-match", "").split(",")]
    if tag in held or tag.removeprefix("W/") in held or "*" in held:
        return Response(status_code=304, headers={**PRIVATE, "ETag": tag})
    return None


def problems(*statuses: int) -> Responses:
    """The schema's entries for errors."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    words = {
        401: "No key, or not a live one.",
        403: "The key's role or reach is not enough.",
        404: "There is no such thing, or the key does not cover it.",
        409: "It changed meanwhile, or is not in a state for this.",
        413: "The body is too large.",
        415: "The body is of another kind than this address takes.",
        422: "Something in the request is wrong; `errors` says what.",
        502: "The other side did not take it.",
        503: "Not right now; `Retry-After` says when.",
    }
    return {status: {"description": words[status], "content": content} for status in statuses}


def example(value: Any, media_type: str = JSON, description: str = "Done.") -> dict[str, Any]:
    """A schema entry for the good answer, with an example of it."""
    return {"description": description, "content": {media_type: {"example": value}}}
