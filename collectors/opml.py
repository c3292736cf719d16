"""Lists of feeds as readers exchange them: OPML 2.0, http://opml.org/spec2.opml

<opml><body><outline text="Prensa"><outline type="rss" text="El Correo" xmlUrl="https://correo.example/rss"/></outline>...
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from lxml import etree

from collectors.text import one_line

NAME_LIMIT = 120


@dataclass(frozen=True, slots=True)
class Listed:
    """A feed on a list: its name there, and its address as it stands."""

    name: str
    url: str


def read_opml(content: bytes) -> list[Listed]:
    """Every feed on the list, once, in its order. Raises `ValueError` in words where it is no such list."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"it is not well-formed XML: {error}") from None
    if root.tag != "opml":
        raise ValueError(f"it begins with <{root.tag}>, an OPML list with <opml>")
    found: dict[str, Listed] = {}
    for feed in _outlines(root):
        found.setdefault(feed.url, feed)
    return list(found.values())


def write_opml(title: str, feeds: Iterable[Listed]) -> str:
    lines = [
        f"    <outline type={quoteattr('rss')} text={quoteattr(feed.name)} xmlUrl={quoteattr(feed.url)}/>"
        for feed in feeds
    ]
    head = (
        f'<?xml version="1.0" encoding="utf-8"?>\n<opml version="2.0">\n  <head><title>{_escaped(title)}</title></head>'
    )
    return "\n".join([head, "  <body>", *lines, "  </body>", "</opml>", ""])


def _outlines(root: "etree._Element") -> Iterator[Listed]:
    for outline in root.iter("outline"):
        url = (outline.get("xmlUrl") or outline.get("xmlurl") or "").strip()
        if url:
            yield Listed(one_line(outline.get("title") or outline.get("text") or "", NAME_LIMIT) or url, url)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
