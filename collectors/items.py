"""Reading an API's list of items: each by itself, so that a bad one costs only itself; values are checked."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from collectors.base import CollectError, Post, Reject
from collectors.dates import read_date
from collectors.jsontext import read_json
from collectors.text import clean

LATEST = 2**32  # Unix seconds, in 2106: beyond that it is no time
MOST = 2**53  # beyond that a count is no count
SAMPLE_LIMIT = 65_536
PAGE_TOKEN_LIMIT = 2_000

Item = Mapping[str, Any]


def read_object(response: httpx.Response, api: str) -> Item:
    """The JSON object that an answer is. Raises `CollectError` (`not_<api>`) where it is something else."""
    answer = read_json(response.text)
    if not isinstance(answer, Mapping):
        raise foreign(api, "no object")
    return answer


def foreign(api: str, what: str) -> CollectError:
    """The answer is JSON, but not that of `api` (as its makers spell it): `what` says why."""
    return CollectError("not_" + "".join(api.lower().split()), f"The answer is JSON, but not that of {api}: {what}.")


def read_items(items: Iterable[Any], read: Callable[[Item], Post | None]) -> tuple[list[Post], tuple[Reject, ...]]:
    """Posts and rejects. `read` answers None for what is no post at all, and raises `ValueError` with the reason for
    what should be one and cannot be read.
    """
    posts: list[Post] = []
    rejects: list[Reject] = []
    for item in items:
        if not isinstance(item, Mapping):
            rejects.append(_reject("an item that is not an object", item))
            continue
        try:
            post = read(item)
        except ValueError as error:
            rejects.append(_reject(str(error), item))
        except (TypeError, LookupError, AttributeError, ArithmeticError):
            rejects.append(_reject("an item that cannot be read", item))
        else:
            if post is not None:
                posts.append(post)
    return posts, tuple(rejects)


def _reject(reason: str, item: Any) -> Reject:
    return Reject(reason, clean(json.dumps(item, ensure_ascii=False)[:SAMPLE_LIMIT], SAMPLE_LIMIT))


def inner(item: Any, *names: str) -> Item:
    """The object at the end of these names; empty where there is none."""
    for name in names:
        item = item.get(name) if isinstance(item, Mapping) else None
    return item if isinstance(item, Mapping) else {}


def listed(item: Item, name: str) -> list[Any]:
    value = item.get(name)
    return value if isinstance(value, list) else []


def text(item: Item, name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""


def whole(item: Item, name: str) -> int | None:
    """A count: a whole number, or the digits of one as a text; None where it is neither."""
    value = item.get(name)
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal() and len(value) < 18:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < MOST else None


def count(item: Item, name: str) -> int | None:
    """A number of people or of what they did; None where it is not told, or hidden (-1)."""
    value = whole(item, name)
    return value if value is not None and value >= 0 else None


def identity(item: Item, name: str, limit: int = 200) -> str:
    """An id: a text or a whole number, never empty. Raises `ValueError`."""
    value = item.get(name)
    found = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not found or len(found) > limit or not found.isprintable():
        raise ValueError(f"an item without a usable {name}")
    return found


def token(item: Item, name: str, api: str) -> str:
    """What signing in gave, as it may stand in a header. Raises `CollectError` (`not_<api>`)."""
    value = text(item, name).strip()
    if not value or not value.isascii() or not value.isprintable():
        raise foreign(api, f"no {name}")
    return value


def page_token(item: Item, name: str, api: str) -> str:
    """What to give back for the next page; empty where there is none. Raises `CollectError` (`not_<api>`) for one that
    cannot stand in an address.
    """
    value = text(item, name)
    if len(value) > PAGE_TOKEN_LIMIT or not value.isprintable():
        raise foreign(api, f"no usable {name}")
    return value


def seconds(item: Item, name: str) -> datetime | None:
    """Unix seconds as a moment."""
    value = item.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < LATEST:
        return None
    return datetime.fromtimestamp(value, UTC)


def moment(item: Item, name: str) -> datetime | None:
    """A date as it is written in APIs and feeds."""
    return read_date(text(item, name))


def counts(**found: int | None) -> dict[str, int]:
    """An engagement: what is not known is left out, never 0."""
    return {name: value for name, value in found.items() if value is not None}
