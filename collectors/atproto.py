"""A post of Bluesky as its author wrote it, wherever it was read: the lexicon app.bsky.feed.post.

    {"text", "createdAt", "langs": ["es"], "facets": [{"features": [{"uri"}]}], "embed": {"external"|"images"|"media"}}

https://github.com/bluesky-social/atproto/tree/main/lexicons/app/bsky
"""

from collections.abc import Iterator

from collectors.items import Item, inner, listed, text
from collectors.link import web_link
from collectors.text import TEXT_LIMIT, clean

COLLECTION = "app.bsky.feed.post"
NAMESPACE = "bluesky"
PROFILE = "https://bsky.app/profile/"
WORDS_LIMIT = 2_000  # characters of one link's or picture's words
LINKS = 20


def said(record: Item) -> str:
    """What is written under its pictures and on its link cards is part of it, and so are the links themselves."""
    own = text(record, "text")
    more = [part for part in _beside(record) if part not in own]
    return clean("\n".join([own, *dict.fromkeys(more)]) if more else own, TEXT_LIMIT)


def language(record: Item) -> str | None:
    first = next(iter(listed(record, "langs")), None)
    code = first.partition("-")[0].lower() if isinstance(first, str) else ""
    return code if len(code) == 2 and code.isascii() and code.isalpha() else None


def _beside(record: Item) -> Iterator[str]:
    for facet in listed(record, "facets")[:LINKS]:
        for feature in listed(facet, "features")[:LINKS] if isinstance(facet, dict) else ():
            if isinstance(feature, dict):
                yield from _link(feature, "uri")
    embed = inner(record, "embed")
    for part in (embed, inner(embed, "media")):  # a picture beside a quoted post stands one deeper
        card = inner(part, "external")
        yield from (text(card, name)[:WORDS_LIMIT] for name in ("title", "description") if text(card, name))
        yield from _link(card, "uri")
        for picture in listed(part, "images")[:LINKS]:
            if isinstance(picture, dict) and (words := text(picture, "alt")):
                yield words[:WORDS_LIMIT]
        if words := text(part, "alt"):
            yield words[:WORDS_LIMIT]


def _link(item: Item, name: str) -> Iterator[str]:
    if link := web_link(text(item, name), PROFILE):
        yield link
