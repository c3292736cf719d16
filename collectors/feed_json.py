"""JSON Feed 1 and 1.1, https://www.jsonfeed.org/version/1.1/."""

import json
from collections.abc import Mapping
from typing import Any

from collectors.base import CollectError, Reject
from collectors.feed import SAMPLE_LIMIT, Feed, Item, Markup
from collectors.jsontext import read_json

WORDS = ("title", "content_html", "content_text", "summary")


def read_json_feed(text: str) -> Feed:
    """Raises `CollectError("not_a_feed")` for JSON that is something else."""
    document = read_json(text)
    if not isinstance(document, Mapping) or not isinstance(document.get("items"), list):
        raise CollectError("not_a_feed", "The answer is JSON, but no JSON Feed: it has no list of items.")
    items: list[Item] = []
    rejects: list[Reject] = []
    for entry in document["items"]:
        if not isinstance(entry, Mapping):
            rejects.append(_reject("an item that is not an object", entry))
        elif not any(_text(entry, name).strip() for name in WORDS):
            rejects.append(_reject("an item without a title or a text that can be read", entry))
        else:
            items.append(_item(entry))
    return Feed(
        title=Markup(_text(document, "title")),
        language=_text(document, "language"),
        items=items,
        links=[("self", _text(document, "feed_url")), *(("hub", address) for address in _hubs(document))],
        rejects=tuple(rejects),
    )


def _hubs(document: Mapping[str, Any]) -> list[str]:
    listed = document.get("hubs")
    hubs = [hub for hub in (listed if isinstance(listed, list) else []) if isinstance(hub, Mapping)]
    return [_text(hub, "url") for hub in hubs if _text(hub, "type").lower() == "websub"]


def _reject(reason: str, entry: Any) -> Reject:
    return Reject(reason, json.dumps(entry)[:SAMPLE_LIMIT])


def _item(entry: Mapping[str, Any]) -> Item:
    return Item(
        guid=_id(entry),
        links=[link for name in ("url", "external_url") if (link := _text(entry, name))],
        title=Markup(_text(entry, "title")),
        texts=[
            Markup(_text(entry, "content_html"), html=True),
            Markup(_text(entry, "content_text")),
            Markup(_text(entry, "summary")),
        ],
        author=_author(entry),
        dates=[date for name in ("date_published", "date_modified") if (date := _text(entry, name))],
        language=_text(entry, "language"),
    )


def _author(entry: Mapping[str, Any]) -> str:
    """`authors` since version 1.1, `author` before."""
    listed = entry.get("authors")
    authors = [*(listed if isinstance(listed, list) else []), entry.get("author")]
    return next((name for author in authors if isinstance(author, Mapping) and (name := _text(author, "name"))), "")


def _id(entry: Mapping[str, Any]) -> str:
    """Ids are often numbers, against the specification, which asks to take them for texts."""
    value = entry.get("id")
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(entry, "id").strip()


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
