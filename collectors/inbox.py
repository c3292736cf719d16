"""A source that is told instead of asked: what `POST /api/v1/posts` and `avizor import` bring is stored under it.

an item from outside | is every field what it says it is? | cleaned as every collector cleans  -> Post, or `Unfit`
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from collectors import settings
from collectors import text as texts
from collectors.base import Post, Source
from collectors.guard import check_url
from collectors.link import web_link

ENGAGEMENT = ("likes", "shares", "replies", "views", "quotes")
FIELDS = (
    *("id", "text", "title", "url", "author", "published_at", "edited_at"),
    *("language", "rating", "reach", "engagement"),
)
ID_LIMIT = 200
MOST = 2**53  # beyond that a count is no count
OLDEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)

_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_][a-z0-9_-]{1,20})?", re.IGNORECASE)


class Inbox:
    """`source.url` says where what it is told comes from; it is never asked. It has no settings."""

    kind = "inbox"
    knows_authors = False

    def check(self, source: Source) -> None:
        if source.url:
            check_url(source.url)
        settings.only(source)

    def namespace(self, source: Source) -> str:
        return f"inbox:{source.slug}"


class Unfit(ValueError):
    """An item that is no post. `field` is where ("" = the item as a whole), the text says what is wrong with it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


def read_post(item: Any, base: str | None = None) -> Post:
    """One item from outside. `base` is the source's url, against which a relative link is read.

    A field that is left out or null is not known; one that is not what its name says is refused, not guessed at. Texts
    that are too long are cut as every collector cuts them. Raises `Unfit`.
    """
    if not isinstance(item, Mapping):
        raise Unfit("", "must be an object with an id and a text")
    unknown = [name for name in item if name not in FIELDS]
    if unknown:
        raise Unfit(ascii(str(unknown[0])[:40])[1:-1], f"is not known here; known are {', '.join(FIELDS)}")
    title, body = texts.title(_text(item, "title")), texts.body(_text(item, "text"))
    if not title and not body:
        raise Unfit("text", "is missing: there is neither a text nor a title")
    return Post(
        id=_identity(item),
        title=title,
        text=body,
        url=_link(item, base),
        author=texts.one_line(_text(item, "author"), texts.AUTHOR_LIMIT) or None,
        published_at=_moment(item, "published_at"),
        language=_language(item),
        edited_at=_moment(item, "edited_at"),
        engagement=_engagement(item.get("engagement")),
        reach=_count(item.get("reach"), "reach"),
        rating=_rating(item.get("rating")),
    )


def content_id(item: Mapping[str, Any]) -> str:
    """An id for an item that has none, from what it says: the same item told twice has the same."""
    url = item.get("url")
    said = (url,) if url else tuple(item.get(name) for name in ("title", "text", "author", "published_at"))
    parts = (part.isoformat() if isinstance(part, datetime) else str(part or "") for part in said)
    digest = hashlib.blake2b("\0".join(parts).encode(errors="replace"), digest_size=16).hexdigest()
    return f"{'url' if url else 'text'}:{digest}"


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    if value is not None and not isinstance(value, str):
        raise Unfit(name, "must be a text")
    return value or ""


def _identity(item: Mapping[str, Any]) -> str:
    value = item.get("id")
    found = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not found or len(found) > ID_LIMIT or texts.one_line(found, ID_LIMIT) != found:
        raise Unfit("id", f"must be a text of 1 to {ID_LIMIT} characters in one line, or a whole number")
    return found


def _link(item: Mapping[str, Any], base: str | None) -> str | None:
    written = _text(item, "url")
    if not written:
        return None
    link = web_link(written, base or "")
    if link is None:
        raise Unfit("url", "must be an address that begins with http:// or https://")
    return link


def _moment(item: Mapping[str, Any], name: str) -> datetime | None:
    value = item.get(name)
    if value is None or value == "":
        return None
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(value.strip())
        if at.tzinfo is not None and OLDEST <= (at := at.astimezone(UTC)) < LATEST:
            return at
    except (ValueError, TypeError, AttributeError, OverflowError):
        pass
    raise Unfit(name, "must be a time with its offset, such as 2026-11-22T09:00:00Z")


def _language(item: Mapping[str, Any]) -> str | None:
    written = _text(item, "language").strip()
    if not written:
        return None
    found = _LANGUAGE.fullmatch(written)
    if found is None:
        raise Unfit("language", "must be a code such as es or es-MX")
    return found.group(1).lower()


def _engagement(value: Any) -> dict[str, int]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or any(name not in ENGAGEMENT for name in value):
        raise Unfit("engagement", f"must be an object that holds some of {', '.join(ENGAGEMENT)}")
    counted = {name: _count(value.get(name), f"engagement.{name}") for name in ENGAGEMENT}
    return {name: number for name, number in counted.items() if number is not None}


def _count(value: Any, name: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MOST:
        raise Unfit(name, "must be a whole number, 0 or more; leave it out where it is not known")
    return value


def _rating(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 5:
        raise Unfit("rating", "must be a whole number from 1 to 5")
    return value
