"""What may stand in a query string: times, labels, cursors. Whatever is wrong is said in words, with 422."""

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import orjson
from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from app.api.problems import Fault, invalid, not_found, refused

PAGE = 50
LARGEST_PAGE = 500

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
_LOST_PLUS = re.compile(r"(?<=\d) (?=\d\d:?\d\d$)")
A_TIME = "must be a time such as 2026-11-22T09:00:00Z"


def read_instant(value: object) -> datetime:
    """An aware UTC time from ISO 8601 text with an offset. A `+` that became a blank in the query is put back."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError(A_TIME)
    try:
        instant = datetime.fromisoformat(_LOST_PLUS.sub("+", value.strip()))
        instant = instant.astimezone(UTC) if instant.tzinfo else instant
    except (ValueError, OverflowError):
        raise ValueError(A_TIME) from None
    if instant.tzinfo is None:
        raise ValueError("must say its offset: 2026-11-22T09:00:00Z, or +01:00 at the end")
    if not EARLIEST <= instant < LATEST:
        raise ValueError("must lie between the years 1970 and 9998")
    return instant


def write_instant(instant: datetime) -> str:
    """ISO 8601 in UTC with Z and milliseconds where there are any."""
    text = instant.astimezone(UTC).isoformat(timespec="milliseconds" if instant.microsecond else "seconds")
    return text.removesuffix("+00:00") + "Z"


Instant = Annotated[
    datetime,
    BeforeValidator(read_instant),
    PlainSerializer(write_instant, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-22T09:00:00Z"]}),
]


class Question(BaseModel):
    """Base of every query string: what is not known is refused."""

    model_config = ConfigDict(extra="forbid")


Limit = Annotated[int, Field(ge=1, le=LARGEST_PAGE, description="How many to return at most.")]
Cursor = Annotated[
    str | None, Field(max_length=500, description="`next` of the page before; leave out for the first page.")
]


def write_cursor(kind: str, *parts: int | str | datetime) -> str:
    """An opaque cursor: the place in `kind`'s order, in url-safe base64. It grants nothing: it needs no signature."""
    plain = [int((p - EARLIEST) / timedelta(milliseconds=1)) if isinstance(p, datetime) else p for p in parts]
    return base64.urlsafe_b64encode(orjson.dumps([kind, *plain])).decode().rstrip("=")


def read_cursor(text: str | None, kind: str, *types: type[int] | type[str] | type[datetime]) -> tuple[Any, ...] | None:
    """The parts of a cursor that `write_cursor` made for this kind. Raises 422 for any other text."""
    if text is None:
        return None
    try:
        found, *parts = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        if found == kind and len(parts) == len(types):
            return tuple(_part(part, wanted) for part, wanted in zip(parts, types, strict=True))
    except (binascii.Error, ValueError, TypeError, OverflowError):
        pass
    raise invalid("query.cursor", "is not a cursor of this list; take `next` from the page before, or leave it out")


def _part(part: Any, wanted: type) -> Any:
    if wanted is datetime and type(part) is int:
        return EARLIEST + timedelta(milliseconds=part)
    if type(part) is not wanted or (isinstance(part, int) and not -(2**63) <= part < 2**63):
        raise ValueError(wanted)
    return part


def read_id(text: str, what: str) -> int:
    """A row's id from its text outside. Whatever is no such number names nothing: 404."""
    if text.isascii() and text.isdigit() and len(text) <= 19 and (row_id := int(text)) < 2**63:
        return row_id
    raise not_found(what)


def check_order(since: datetime | None, until: datetime | None) -> None:
    if since and until and since >= until:
        raise invalid("query.since", "must be before `until`")


async def no_unknown_parameters(request: Request) -> None:
    """Router-level dependency: a query parameter that the operation does not know is a mistake, and said."""
    route = request.scope.get("route")
    known = set(names(route.dependant)) if isinstance(route, APIRoute) else set()
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        said = f"is not known here; known are {', '.join(sorted(known))}" if known else "is not known here"
        raise refused([Fault(where=f"query.{name[:80]}", message=said) for name in unknown[:10]])


def names(dependant: Dependant) -> Iterator[str]:
    for param in dependant.query_params:
        model = param.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from model.model_fields
        else:
            yield param.alias
    for child in dependant.dependencies:
        yield from names(child)
