"""feedparser, for every feed that our own reader does not claim: RDF, old Atom, and all that is not well-formed.

Its sanitiser and its link resolver stay off (the former is quadratic: minutes for 2 MB). It gets the text itself, never
an address, so it fetches nothing; and no base address, so an id stays as it was written.
"""

from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from typing import Any

import feedparser
from lxml import etree

from collectors.base import CollectError
from collectors.feed import HTML_TYPES, Feed, Item, Markup, candidates, is_aggregated, utc, web_candidates

MAX_ATTRIBUTES = 64
MAX_ITEMS = 5_000


def read_loose(text: str) -> Feed:
    """The feed in a text that `document.xml_text` made. Raises `CollectError` for what is no feed, or a hostile one."""
    _inspect(text)
    try:
        parsed = feedparser.parse(
            BytesIO(text.encode()),
            response_headers={"content-type": "application/xml; charset=utf-8"},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except MemoryError:
        raise
    except Exception as error:  # it raises whatever: https://github.com/kurtmckee/feedparser/issues/599
        raise CollectError(
            "parse_error", f"The feed is broken in a way that cannot be read ({type(error).__name__})."
        ) from error
    if not parsed.entries:
        _refuse_silence(parsed)
    atom = parsed.version.startswith("atom")
    about = dict(parsed.feed)  # a plain dict: feedparser's own answers for keys that are not there
    return Feed(
        title=Markup(_text(about, "title")),
        language=_text(about, "language"),
        items=[_item(dict(entry), atom) for entry in parsed.entries],
        ttl=_text(about, "ttl"),
        period=_text(about, "sy_updateperiod"),
        frequency=_text(about, "sy_updatefrequency"),
        links=[(_text(link, "rel"), _text(link, "href")) for link in _list(about, "links")],
    )


def _inspect(text: str) -> None:
    """Refuse at once what would cost feedparser minutes: with the square of the attributes, and 0.2 ms an item.

    Depth is no such measure: a feed with unclosed `<br>` nests as deep as it has lines, and is read.
    """
    walk = etree.iterparse(
        BytesIO(text.encode()), ("start",), recover=True, resolve_entities=False, no_network=True, huge_tree=False
    )
    items = 0
    with suppress(etree.XMLSyntaxError):  # nothing in it that looks like XML: feedparser has its own way
        for _, element in walk:
            items += str(element.tag).rpartition("}")[2] in ("item", "entry")
            if len(element.attrib) > MAX_ATTRIBUTES:
                raise CollectError("hostile", f"An element has more than {MAX_ATTRIBUTES} attributes: refused.")
    if items > MAX_ITEMS:
        raise CollectError(
            "hostile", f"The document holds more than {MAX_ITEMS} items and is not well-formed: refused."
        )


def _refuse_silence(parsed: Any) -> None:
    """No items: a feed may be empty, but neither another document nor a broken one is an empty feed."""
    if not parsed.version:
        raise CollectError("not_a_feed", "The answer is XML, but no feed that is known (RSS, Atom, RDF).")
    if parsed.bozo:
        raise CollectError("parse_error", "The feed is broken or cut off, and no item in it can be read.")


def _item(entry: Mapping[str, Any], atom: bool) -> Item:
    links = web_candidates(
        [(_text(link, "rel"), _text(link, "type"), _text(link, "href")) for link in _list(entry, "links")]
    )
    contents = [_markup(content, atom) for content in _list(entry, "content")]
    summary = _detail(entry, "summary", atom)
    dates = [name for name in ("published", "updated", "created") if name in entry]
    source = entry.get("source")
    return Item(
        guid=_text(entry, "id"),
        links=links,
        origin=_text(entry, "feedburner_origlink"),
        title=_detail(entry, "title", atom),
        texts=candidates(contents, summary),
        author=_text(entry, "author"),
        publisher=_text(source, "title") if not atom and isinstance(source, Mapping) and is_aggregated(links) else "",
        dates=[text for name in dates if (text := _text(entry, name))],
        moment=next((moment for name in dates if (moment := utc(entry.get(f"{name}_parsed")))), None),
        language=_language(entry),
    )


def _language(entry: Mapping[str, Any]) -> str:
    details = [*_list(entry, "content")[:1], entry.get("summary_detail"), entry.get("title_detail")]
    spoken = (_text(detail, "language") for detail in details if isinstance(detail, Mapping))
    return _text(entry, "language") or next((language for language in spoken if language), "")


def _detail(entry: Mapping[str, Any], name: str, atom: bool) -> Markup:
    detail = entry.get(f"{name}_detail")
    kind = _text(detail, "type") if isinstance(detail, Mapping) else ""
    return Markup(_text(entry, name), html=atom and kind in HTML_TYPES)


def _markup(content: Any, atom: bool) -> Markup:
    if not isinstance(content, Mapping):
        return Markup()
    return Markup(_text(content, "value"), html=atom and _text(content, "type") in HTML_TYPES)


def _text(fields: Mapping[str, Any], name: str) -> str:
    """A feed can name its elements so that feedparser puts something else where a text is due."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _list(fields: Mapping[str, Any], name: str) -> list[Any]:
    value = fields.get(name)
    return value if isinstance(value, list) else []
