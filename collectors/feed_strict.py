"""Our own reader for well-formed RSS 2.0 and Atom 1.0: as quick as lxml, and word for word what feedparser would say.

It claims a document only where it is sure. Which elements feedparser takes for a title, a summary or a date, and which
of several wins, is followed here in document order; whatever is not understood to the letter (other roots, markup
inside a plain field, a format inside another) raises `Unsure`, and feedparser reads the document instead, at many times
the cost. `tests/collectors` holds the two against each other on thousands of composed feeds.

lxml runs without entities, network, recovery or big trees. The rules followed are those of feedparser 6.0.14,
`mixin.py` and `namespaces/`. "Depth" below is its rule for two fields of one name: the later one wins unless it stands
deeper.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urljoin
from xml.sax.saxutils import escape

from lxml import etree

from collectors.base import CollectError
from collectors.dates import read_date
from collectors.feed import HTML_TYPES, Feed, Item, Markup, candidates, is_aggregated, web_candidates

ATOM = "http://www.w3.org/2005/Atom"
XML = "http://www.w3.org/XML/1998/namespace"
XHTML = "http://www.w3.org/1999/xhtml"


class Unsure(Exception):
    """Not a document that this reader surely reads as feedparser does. The text says why."""


# Namespaces that mean something to feedparser (compared in lower case), by the prefix that it knows them under.
_PREFIXES = {
    "http://backend.userland.com/rss": "",
    "http://blogs.law.harvard.edu/tech/rss": "",
    "http://purl.org/rss/1.0/": "",
    "http://my.netscape.com/rdf/simple/0.9/": "",
    "http://example.com/newformat#": "",
    "http://example.com/necho": "",
    "http://purl.org/echo/": "",
    "uri/of/echo/namespace#": "",
    "http://purl.org/pie/": "",
    "http://purl.org/atom/ns#": "",
    "http://www.w3.org/2005/atom": "",
    "http://purl.org/rss/1.0/modules/rss091#": "",
    "http://purl.org/rss/1.0/modules/content/": "content",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "http://rssnamespace.org/feedburner/ext/1.0": "feedburner",
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes",
    "http://example.com/dtds/podcast-1.0.dtd": "itunes",
    "http://search.yahoo.com/mrss": "media",
    "http://search.yahoo.com/mrss/": "media",
    "http://purl.org/rss/1.0/modules/syndication/": "sy",
    "http://www.w3.org/1999/xhtml": "xhtml",
}

# Elements to which feedparser gives a meaning that is not followed here, or whose name it uses for something else.
_NOT_FOLLOWED = (
    "abstract", "author_detail", "authors", "body", "channel", "content_detail", "created_parsed", "date",
    "entry", "feed", "fullitem", "guidislink", "item", "items", "links", "published_parsed", "rss",
    "summary_detail", "tags", "textinput", "title_detail", "updated_parsed", "xhtml_body",
)  # fmt: skip
# Elements whose children are taken for markup, and which say nothing that is wanted.
_PROSE = frozenset(
    (
        "copyright", "dc_rights", "feedburner_browserfriendly", "info", "itunes_subtitle", "rights", "subtitle",
        "tagline",
    )
)  # fmt: skip
# Elements whose children speak of something else than the item.
_ASIDE = frozenset(("contributor", "dc_contributor", "itunes_owner"))

_TEXT_TYPES = frozenset(("text", "plain", "text/plain"))
_SCOPED = etree.XPath("boolean(//@xml:base | //@xml:lang | //@base | //@lang)")
_SLASHES = re.compile(r"^([A-Za-z][A-Za-z0-9+-.]*://)(/*)(.*?)")
_C1 = re.compile("[\x80-\x9f]")
_WINDOWS_1252 = {
    chr(c): bytes([c]).decode("cp1252") for c in range(0x80, 0xA0) if c not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


def read_strict(text: str) -> Feed:
    """The feed in a text that `document.xml_text` made. Raises `Unsure`, and `CollectError` for a hostile document."""
    root = _tree(text)
    if root.tag == "rss":
        container, item = _channel(root), "item"
    elif root.tag == f"{{{ATOM}}}feed":
        container, item = root, f"{{{ATOM}}}entry"
    else:
        raise Unsure(f"root element {root.tag}")
    scoped = bool(_SCOPED(root))
    if scoped and not _base(root) and any(_base(element) for element in root.iter(etree.Element)):
        raise Unsure("a base that feedparser would keep beyond its element")
    reader = _Reader(atom=container is root, scoped=scoped)
    feed = reader.feed(root, container, item)
    if sum(1 for _ in root.iter("{*}item", "{*}entry")) != len(feed.items):
        raise Unsure("items outside their place")
    return feed


def _tree(text: str) -> "etree._Element":
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        match getattr(error, "code", None):
            case etree.ErrorTypes.ERR_NO_MEMORY:
                raise MemoryError from None
            case etree.ErrorTypes.ERR_NAME_TOO_LONG:  # half a gigabyte in feedparser
                raise CollectError("hostile", "An element has a name of many kilobytes: refused.") from None
        raise Unsure(f"not well-formed: {error.msg}") from None


def _channel(root: "etree._Element") -> "etree._Element":
    children = list(root)
    if len(children) != 1 or children[0].tag != "channel":
        raise Unsure("not one channel in the document")
    return children[0]


class _Reader:
    """One document. `atom`: only there does a declared type make a field HTML. `scoped`: some element sets base or
    language.
    """

    def __init__(self, *, atom: bool, scoped: bool) -> None:
        self.atom = atom
        self.scoped = scoped
        self._names: dict[str, str] = {}

    def feed(self, root: "etree._Element", container: "etree._Element", item_tag: str) -> Feed:
        base, language = self.scope(root, "", "")
        feed = Feed(language=language)
        if container is not root:
            base, language = self.scope(container, base, language)
        items: list[Item] = []
        links: list[tuple[str, str]] = []
        for child in container:
            if child.tag == item_tag:
                items.append(self._item(child, base, language))
            elif self.name(child) == "link":
                links.append((child.get("rel", "alternate"), joined(base, child.get("href", "").strip())))
            else:
                self._about_feed(feed, child)
        feed.items = items
        feed.links = links
        return feed

    def _about_feed(self, feed: Feed, element: "etree._Element") -> None:
        name = self.name(element)
        if name == "title" and not feed.title.value:
            feed.title = Markup(fixed("".join(str(part) for part in element.itertext())))
        elif name in ("language", "dc_language"):
            feed.language = fixed(element.text or "")
        elif name in ("ttl", "sy_updateperiod", "sy_updatefrequency"):
            # Of an element that feedparser does not know it keeps either the attributes or the text.
            text = "" if element.attrib else element.text or ""
            match name:
                case "ttl":
                    feed.ttl = text
                case "sy_updateperiod":
                    feed.period = text
                case _:
                    feed.frequency = text

    def _item(self, element: "etree._Element", base: str, language: str) -> Item:
        if element.attrib and any(
            str(name).rpartition("}")[2].lower() in ("href", "lastmod", "about") for name in element.attrib
        ):
            raise Unsure("an item with the attributes of another format")
        base, language = self.scope(element, base, language)
        entry = _Entry(self)
        entry.read(element, 1, base, language)
        return entry.item()

    def name(self, element: "etree._Element") -> str:
        """feedparser's name for an element: the prefix that it knows, else the document's, and the local name."""
        tag = element.tag
        name = self._names.get(tag)
        if name is None:
            if not isinstance(tag, str):
                raise Unsure("an entity reference")
            uri, _, local = tag.rpartition("}")
            prefix = _PREFIXES.get(uri[1:].lower())
            if prefix is None:
                if "backend.userland.com/rss" in uri.lower():
                    raise Unsure("an RSS namespace with an address of its own")
                prefix = element.prefix or ""
            name = self._names[tag] = f"{prefix}_{local}".lower() if prefix else local.lower()
        return name

    def scope(self, element: "etree._Element", base: str, language: str) -> tuple[str, str]:
        """Base address and language in force inside an element."""
        if not self.scoped or not element.attrib:
            return base, language
        if inner := _base(element):
            base = joined(base, inner)
            if not base.startswith(("http://", "https://")):
                raise Unsure("a base that is no web address")
        spoken = element.get(f"{{{XML}}}lang", element.get("lang"))
        return base, language if spoken is None else spoken


class _Entry:
    """What feedparser would know of one item after reading it, field by field, in document order."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader
        self._fields: dict[str, tuple[str, int]] = {}
        self._languages: dict[str, str] = {}
        self._title = Markup()
        self._title_from: int | None = None
        self._title_depth = -1  # a title at least this deep is not heard any more; -1: all are
        self._summary: str | None = None
        self._summary_html = False
        self._summary_from: int | None = None
        self._contents: list[Markup] = []
        self._has_content = False
        self._links: list[tuple[str, str, str]] = []
        self._publisher = ""

    def read(self, element: "etree._Element", depth: int, base: str, language: str) -> None:
        """Everything below `element`, whose children stand at `depth`."""
        reader = self._reader
        for child in element:
            name = reader.name(child)
            inner_base, inner_language = reader.scope(child, base, language) if reader.scoped else (base, language)
            if (meaning := _MEANINGS.get(name)) is not None:
                meaning(self, child, name, depth, inner_base, inner_language)
            elif name in _PROSE:
                _expect_text(child)
            elif name not in _ASIDE and len(child):
                self.read(child, depth + 1, inner_base, inner_language)

    def item(self) -> Item:
        links = web_candidates(self._links)
        dates = [self._fields[name][0] for name in ("published", "updated", "created") if name in self._fields]
        moment = next((moment for text in dates if (moment := read_date(text))), None)
        if dates and moment is None:
            raise Unsure("a date that feedparser may be able to read")
        return Item(
            guid=self._field("id"),
            links=links,
            origin=self._field("feedburner_origlink"),
            title=self._title,
            texts=candidates(self._contents, Markup(self._summary or "", self._summary_html)),
            author=self._field("author"),
            publisher=self._publisher if is_aggregated(links) else "",
            moment=moment,
            language=self._field("language") or self._spoken(),
        )

    def _field(self, name: str) -> str:
        return self._fields[name][0] if name in self._fields else ""

    def _spoken(self) -> str:
        return next(
            (self._languages[part] for part in ("content", "summary", "title") if self._languages.get(part)), ""
        )

    def _store(self, name: str, value: str, depth: int) -> None:
        known = self._fields.get(name)
        if known is None or depth <= known[1]:
            self._fields[name] = (value, depth)

    # One method for each thing that an element can mean.

    def _plain(self, element: "etree._Element", name: str, depth: int, base: str, language: str) -> None:
        self._store(_FIELD_OF.get(name, name), _text(element), depth)

    def _origin(self, element: "etree._Element", name: str, depth: int, base: str, language: str) -> None:
        if element.attrib:
            raise Unsure("an original link with attributes")
        self._store(name, _text(element), depth)

    def _id(self, element: "etree._Element", name: str, depth: int, base: str, language: str) -> None:
        value = _text(element)
        if joined(base, value) != value:
            raise Unsure("an id relative to a base")
        self._store("id", value, depth)

    def _heading(self, element: "etree._Element", name: str, depth: int, base: str, language: str) -> None:
        markup = self._markup(element)
        if not -1 < self._title_depth <= depth:
            if self._title_from is None or depth <= self._title_from:
                self._title, self._title_from = markup, depth
            # Of a title that stands too deep, feedparser keeps the type and the language.
            self._title = Markup(self._title.value, markup.html)
            self._languages["title"] = language
        if markup.value and name != "media_title":
            self._title_depth = depth

    def _description(self, element: "etree._Element", name: str, depth: int, base: str, language: str) -> None:
        if self._summary is not None and not self._has_content:
            self._content(element, name, depth, base, language)
            return
        markup = self._markup(element, html=name.endswith("description"))
        if self._summary_from is None or depth <= self._summary_from:
            self._summary, self._summary_from = markup.value, depth
        self._summary_html = markup.html
        self._languages["summary"] = language

    def _content(self, element: "etree._Element", name: str, depth: int, base: str, language: str) -> None:
        markup = self._markup(element, html=name == "content_encoded")
        self._has_content = True
        self._contents.append(markup)
        self._languages.setdefault("content", language)
        if self._summary is None:
            self._summary = markup.value

    def _link(self, element: "etree._Element", name: str, depth: int, base: str, language: str) -> None:
        attributes = {str(key).lower(): str(value) for key, value in element.attrib.items()} if element.attrib else {}
        if "url" in attributes or "uri" in attributes:
            raise Unsure("a link by another attribute")
        rel = attributes.get("rel", "alternate").lower()
        kind = attributes.get("type", "application/atom+xml" if rel == "self" else "text/html").lower()
        if "href" in attributes:
            address = joined(base, attributes["href"])
        else:
            text = _text(element)
            address = joined(base, text) if text else ""
            if ";" in address:
                address = re.sub(r"&([A-Za-z0-9_]+);", r"&\g<1>", address.replace("&amp;", "&"))
        self._links.append((rel, kind, address))

    def _author(self, element: "etree._Element", name: str, depth: int, base: str, language: str) -> None:
        if not len(element):
            self._store("author", _text(element), depth)
            return
        parts: dict[str, str] = {}
        for child in element:
            part = self._reader.name(child)
            if part in _MEANINGS:
                raise Unsure(f"{part} inside an author")
            parts[part] = _bare(child)
        earlier = self._field("author")
        if earlier and (not parts.get("name") or "@" in earlier or any("@" in part for part in parts.values())):
            raise Unsure("several authors, of which one has a name and one an address")
        self._store("author", "", depth)
        name_, email = parts.get("name", ""), parts.get("email", "")
        if who := f"{name_} ({email})" if name_ and email else name_ or email:
            self._fields["author"] = (who, self._fields["author"][1])

    def _image(self, element: "etree._Element", name: str, depth: int, base: str, language: str) -> None:
        _expect_text(element)
        self._title_depth = -1

    def _source(self, element: "etree._Element", name: str, depth: int, base: str, language: str) -> None:
        """Where an item was taken from. Its own title, if it has one, changes which of the item's titles is heard."""
        self._title_depth = -1
        if not len(element):
            self._publisher = _text(element)
        for child in element:
            if self._reader.name(child) in ("title", "dc_title") and _text(child):
                self._title_depth = depth + 1

    def _unfollowed(self, element: "etree._Element", name: str, depth: int, base: str, language: str) -> None:
        raise Unsure(f"element {name}")

    def _markup(self, element: "etree._Element", *, html: bool = False) -> Markup:
        """A text construct. `html`: what it holds unless it declares a type. Only Atom's `xhtml` holds elements."""
        kind = element.get("type", "").lower()
        if "mode" in element.attrib or (kind and kind not in _TEXT_TYPES and kind not in HTML_TYPES):
            raise Unsure(f"text of type {kind}")
        if not self._reader.atom:
            return Markup(_text(element))
        if kind.startswith(("xhtml", "application/")):
            return Markup(_xhtml(element), html=True)
        return Markup(_text(element), html=kind in HTML_TYPES if kind else html)


def _base(element: "etree._Element") -> str | None:
    return element.get(f"{{{XML}}}base", element.get("base"))


def fixed(value: str) -> str:
    """A field as feedparser stores it: UTF-8 that was taken for Latin-1 set right, Windows' signs in their place."""
    value = value.strip()
    if value.isascii():
        return value
    with suppress(UnicodeError):
        value = value.encode("iso-8859-1").decode("utf-8")
    return _C1.sub(lambda sign: _WINDOWS_1252.get(sign.group(), sign.group()), value)


def joined(base: str, address: str) -> str:
    if not base and "///" not in address:
        return address
    try:
        return urljoin(base, _SLASHES.sub(r"\1\3", address))
    except ValueError:
        return ""


def _text(element: "etree._Element") -> str:
    return fixed(_bare(element))


def _bare(element: "etree._Element") -> str:
    _expect_text(element)
    return (element.text or "").strip()


def _expect_text(element: "etree._Element") -> None:
    if len(element):
        raise Unsure(f"elements inside {element.tag}")


def _xhtml(element: "etree._Element") -> str:
    """The markup inside an element, written as feedparser writes it. Only plain XHTML is sure to come out so."""
    inside = f"{escape(element.text or '')}{''.join(_tag(child) for child in element)}".strip()
    only = element[0] if len(element) == 1 else None
    if (
        only is not None
        and _local(only) == "div"
        and not (element.text or "").strip()
        and not (only.tail or "").strip()
    ):
        inside = f"{escape(only.text or '')}{''.join(_tag(child) for child in only)}"
    return fixed(inside)


def _tag(element: "etree._Element") -> str:
    name = _local(element)
    attributes = "".join(
        f' {key!s}="{escape(str(value), {chr(34): "&quot;"})}"'
        for key, value in element.attrib.items()
        if "}" not in str(key)
    )
    inside = f"{escape(element.text or '')}{''.join(_tag(child) for child in element)}"
    return f"<{name}{attributes}>{inside}</{name}>{escape(element.tail or '')}"


def _local(element: "etree._Element") -> str:
    tag = element.tag
    if not isinstance(tag, str) or element.prefix is not None or not tag.startswith(f"{{{XHTML}}}"):
        raise Unsure("markup that is not plain XHTML")
    return tag.rpartition("}")[2].lower()


_Meaning = Callable[[_Entry, "etree._Element", str, int, str, str], None]

_FIELD_OF = {
    "pubdate": "published", "issued": "published", "dcterms_issued": "published", "modified": "updated",
    "lastbuilddate": "updated", "dc_date": "updated", "dcterms_modified": "updated", "dcterms_created": "created",
    "dc_language": "language",
}  # fmt: skip

_MEANINGS: dict[str, _Meaning] = {
    **dict.fromkeys(("published", "updated", "created", "language", *_FIELD_OF), _Entry._plain),
    **dict.fromkeys(("guid", "id"), _Entry._id),
    **dict.fromkeys(("title", "dc_title", "media_title"), _Entry._heading),
    **dict.fromkeys(
        ("description", "dc_description", "media_description", "summary", "itunes_summary"), _Entry._description
    ),
    **dict.fromkeys(("content", "content_encoded"), _Entry._content),
    **dict.fromkeys(("author", "dc_author", "dc_creator", "itunes_author", "managingeditor"), _Entry._author),
    **dict.fromkeys(_NOT_FOLLOWED, _Entry._unfollowed),
    "link": _Entry._link,
    "feedburner_origlink": _Entry._origin,
    "image": _Entry._image,
    "source": _Entry._source,
}
