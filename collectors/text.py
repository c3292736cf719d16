"""What a person wrote, as plain text: markup read, entities resolved, nothing in it that a table chokes on.

    markup | without tags | without control characters | one line per paragraph | cut to its length  -> text

HTML is read by lxml, the one reader that stayed under 0.05 s on every hostile shape of 200 KiB that was tried (the
standard library's and an ammonia-based one took seconds to minutes on some). Text is stored, never HTML, so that
nothing has to be sanitised when it is shown.
"""

import html as entities
import re
from functools import cache

from lxml import etree

HTML_LIMIT = 200 * 1024
TITLE_LIMIT = 1_000
TEXT_LIMIT = 100_000
AUTHOR_LIMIT = 300

_BLOCKS = frozenset(
    (
        "address", "article", "aside", "blockquote", "br", "caption", "dd", "details", "div", "dl", "dt",
        "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main",
        "nav", "ol", "p", "pre", "section", "summary", "table", "td", "th", "tr", "ul",
    )
)  # fmt: skip
_UNSPOKEN = frozenset(("script", "style", "template", "svg", "math", "head", "object", "iframe", "noscript"))
_BREAK = "\x1e"  # the edge of a block while text is taken out of it

_CLOSING_TAG = re.compile(r"</[a-zA-Z][a-zA-Z0-9]*\s*>|<(?:br|img|hr|wbr)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[a-zA-Z/!?]")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")

# C0 and C1 controls but tab and line ends, soft hyphen and zero-width space (both split words that a query should
# find), byte order marks, non-characters and lone surrogates.
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b\ufeff\ufffe\uffff\ud800-\udfff]")


def clean(text: str, limit: int) -> str:
    """Lines without control characters, surplus space or blank lines, together at most `limit` characters."""
    if len(text) > 4 * limit:
        text = text[: 4 * limit]
    if not text.isascii() or not text.isprintable():
        text = _UNWANTED.sub("", text)
    if "\n" not in text and "\r" not in text:
        return " ".join(text.split())[:limit].rstrip()
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)[:limit].rstrip()


def one_line(text: str, limit: int) -> str:
    return " ".join(clean(text, limit).split("\n"))


def plain(markup: str, *, html: bool = False) -> str:
    """Text out of a field that may hold HTML, plain text, or either of them escaped once too often.

    `html` says that the field is declared to be HTML. Without it the field is taken at its word unless it holds a
    closing tag or an entity, so that `a <b> c` and `i <3 tea` stay what they are.
    """
    markup = markup[:HTML_LIMIT]
    if "<" not in markup and "&" not in markup:
        return markup
    if (html and _TAG.search(markup)) or _CLOSING_TAG.search(markup):
        return _without_tags(markup)
    unescaped = _unescape(markup)
    if _CLOSING_TAG.search(unescaped):  # the whole was escaped twice: there was no real tag in it
        return _without_tags(unescaped)
    return unescaped


def title(markup: str, *, html: bool = False) -> str:
    """A title as one line. Titles are often escaped twice (`Q&amp;amp;A`), and never about entities."""
    return one_line(_unescape(plain(markup, html=html)), TITLE_LIMIT)


def body(markup: str, *, html: bool = False) -> str:
    return clean(plain(markup, html=html), TEXT_LIMIT)


def _unescape(text: str) -> str:
    """Only references that end in a semicolon: `?a=1&copy=2` is an address, not a copyright sign."""
    if "&" not in text:
        return text
    return _ENTITY.sub(lambda reference: entities.unescape(reference.group()), text)


def _without_tags(markup: str) -> str:
    root = _parse(markup.replace("<![CDATA[", "").replace("]]>", ""))
    if root is None:
        return ""
    parts: list[str] = []
    _speak(root, parts)
    lines = (" ".join(line.split()) for line in "".join(parts).split(_BREAK))
    return "\n".join(line for line in lines if line)


def _speak(element: "etree._Element", parts: list[str]) -> None:
    """Append what the element says, without its tail. As deep as the parser lets elements nest: 256."""
    tag = element.tag
    if tag in _UNSPOKEN:
        return
    block = tag in _BLOCKS
    if block:
        parts.append(_BREAK)
    elif tag == "img":
        parts.append(_emoji(element.get("alt")))
    if element.text:
        parts.append(element.text)
    for child in element:
        _speak(child, parts)
        if child.tail:
            parts.append(child.tail)
    if block:
        parts.append(_BREAK)


def _parse(markup: str) -> "etree._Element | None":
    try:
        return etree.fromstring(markup.encode("utf-8", "replace"), _reader())
    except etree.XMLSyntaxError:  # nothing in it but space and comments
        return None


@cache
def _reader() -> etree.HTMLParser:
    return etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)


def _emoji(alternative: str | None) -> str:
    """An emoji as a picture says something of the tone; the description of a photograph is not what was written."""
    return alternative if alternative and len(alternative) <= 8 and not any(c.isalnum() for c in alternative) else ""
