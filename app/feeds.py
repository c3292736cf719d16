"""Mentions as a feed, so that any reader can follow a brand: pure, values in, bytes out.

    Mentions -> JSON Feed 1.1   https://www.jsonfeed.org/version/1.1/
             -> RSS 2.0         https://www.rssboard.org/rss-specification

Texts stay texts: JSON Feed carries them as `content_text`, RSS HTML-escaped inside of XML-escaped, since readers take a
`description` for HTML. Links are http(s) or left out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape as xml_escape

import orjson

from app.model import Label, Mention

JSON_FEED = "application/feed+json"
RSS = "application/rss+xml; charset=utf-8"

TITLE_LENGTH = 100
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "{brand}: mentions",
        "description": "What is said about {brand}, as Avizor heard it.",
        "negative": "negative",
        "neutral": "neutral",
        "positive": "positive",
        "unknown": "tone unknown",
        "copy": "copy",
        "withdrawn": "Its author took it back.",
    },
    "es": {
        "title": "{brand}: menciones",
        "description": "Lo que se dice de {brand}, tal como lo oyó Avizor.",
        "negative": "negativa",
        "neutral": "neutra",
        "positive": "positiva",
        "unknown": "tono desconocido",
        "copy": "copia",
        "withdrawn": "Su autor la retiró.",
    },
}


@dataclass(frozen=True, slots=True)
class Feed:
    """What a feed says of itself. `url` is its own address, `home` the page it belongs to, `language` `es` or `en`."""

    brand: str
    url: str
    home: str
    language: str

    def words(self, key: str) -> str:
        return WORDS.get(self.language, WORDS["en"])[key].format(brand=self.brand)


def json_feed(feed: Feed, mentions: Sequence[Mention]) -> bytes:
    """JSON Feed 1.1 as UTF-8. The tone that counts stands in `tags` and, with its score, in the extension `_avizor`."""
    return orjson.dumps(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": feed.words("title"),
            "description": feed.words("description"),
            "home_page_url": feed.home,
            "feed_url": feed.url,
            "language": feed.language,
            "items": [json_item(feed, mention) for mention in mentions],
        }
    )


def json_item(feed: Feed, mention: Mention) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": item_id(mention),
        "content_text": content(feed, mention),
        "date_published": rfc3339(mention.published_at),
        "tags": tags(feed, mention),
        "_avizor": {
            "label": mention.label,
            "score": mention.score,
            "source": mention.source,
            "copy": mention.copy,
        },
    }
    optional = {
        "url": web_link(mention.url),
        "title": mention.title or None,
        "language": mention.sentiment.language,
        "authors": [{"name": mention.author}] if mention.author else None,
    }
    return item | {key: value for key, value in optional.items() if value}


def rss(feed: Feed, mentions: Sequence[Mention]) -> bytes:
    """RSS 2.0 as UTF-8. `guid` is our id and no link; the author is `dc:creator`, since `author` must be an e-mail."""
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/elements/1.1/">',
        "<channel>",
        element("title", feed.words("title")),
        element("link", feed.home),
        element("description", feed.words("description")),
        element("language", feed.language),
        f'<atom:link href="{attribute(feed.url)}" rel="self" type="application/rss+xml"/>',
        *(rss_item(feed, mention) for mention in mentions),
        "</channel>",
        "</rss>",
    ]
    return "\n".join(lines).encode()


def rss_item(feed: Feed, mention: Mention) -> str:
    link = web_link(mention.url)
    parts = [
        element("title", mention.title or shortened(content(feed, mention))),
        element("link", link) if link else "",
        element("description", escape(content(feed, mention))),
        f'<guid isPermaLink="false">{xml_text(item_id(mention))}</guid>',
        element("pubDate", format_datetime(mention.published_at.astimezone(UTC), usegmt=True)),
        element("dc:creator", mention.author) if mention.author else "",
        *(element("category", tag) for tag in tags(feed, mention)),
    ]
    return "<item>" + "".join(parts) + "</item>"


def content(feed: Feed, mention: Mention) -> str:
    return feed.words("withdrawn") if mention.withdrawn_at else mention.text or mention.title


def tags(feed: Feed, mention: Mention) -> list[str]:
    label: Label = mention.label
    return [feed.words(label), *([feed.words("copy")] if mention.copy else [])]


def item_id(mention: Mention) -> str:
    """Stable for ever, and unique across installations' brands: a post may be a mention of several."""
    return f"avizor:{mention.brand}:{mention.post_id}"


def web_link(url: str | None) -> str | None:
    """The address if it is http or https with a host, else None: nothing else is ever made a link."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.hostname else None


def shortened(text: str) -> str:
    return text if len(text) <= TITLE_LENGTH else text[: TITLE_LENGTH - 1].rstrip() + "…"


def element(name: str, text: str) -> str:
    return f"<{name}>{xml_text(text)}</{name}>"


def xml_text(text: str) -> str:
    """Character data: escaped, without the characters that XML 1.0 cannot carry (section 2.2)."""
    return xml_escape(_NOT_XML.sub("", text))


def attribute(text: str) -> str:
    return escape(_NOT_XML.sub("", text), quote=True)


def rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"
