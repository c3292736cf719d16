"""The bytes of an answer as one clean text, before any reader sees it, and what may not even be tried.

    bytes | encoding | well-formed characters | no declarations -> text -> xml, json, or a refusal in words

Both XML readers get the same text, so they differ only in how they understand it.
"""

import codecs
import html
import html.entities
import re
from typing import Literal

from collectors.base import CollectError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# A label means its superset, as in browsers: https://encoding.spec.whatwg.org/#names-and-labels
_SUPERSETS = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "gb2312": "gb18030",
    "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs",
}  # fmt: skip
_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
_DECLARED = re.compile(rb"""^[^<]{0,200}<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""", re.DOTALL)
_XML_DECLARATION = re.compile(r"<\?xml\s[^>]*\?>\s*")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# References that XML does not know, or may not know: no match for the five names it has and for ordinary numbers.
_REFERENCE = re.compile(
    r"&(?!lt;|amp;|gt;|quot;|apos;)(?:#(?:([0-9]|[12][0-9]|3[01]|[0-9]{5,8}|0[0-9]{1,8})|x([01]?[0-9a-fA-F]|[0-9a-fA-F]{4,8}"
    r"|0[0-9a-fA-F]{1,8}))|([A-Za-z][A-Za-z0-9]{1,31}));"
)
_PROLOG = re.compile(r"(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_SECTION = re.compile(r"<!--|<!\[CDATA\[")
_SUBSET = re.compile(r"<!DOCTYPE[^>\[]*\[")
_FEED_LINK = re.compile(r"<link\b([^<>]{0,500}application/(?:rss|atom|feed)\+(?:xml|json)[^<>]{0,500})>", re.IGNORECASE)
_HREF = re.compile(r"""\bhref\s*=\s*["']?([^"'\s>]{1,300})""", re.IGNORECASE)
_TEXT_CODECS = re.compile(
    r"utf-8|ascii|iso8859-\d+|cp\d+|koi8-[rut]|mac-\w+|gb\w+|big5\w*|shift_jis\w*|euc_\w+|iso2022_\w+|tis-620"
)

Kind = Literal["xml", "json"]


def read_text(content: bytes, content_type: str = "") -> str:
    """The text of a feed. Valid UTF-8 wins over any label, then the labels, then Windows-1252."""
    return _ILLEGAL.sub("", _decoded(content, content_type)).lstrip("\ufeff \t\r\n")


def kind_of(text: str) -> Kind:
    """What may be tried on a text. Raises `CollectError("not_a_feed")` in words for the operator."""
    if not text:
        raise CollectError("not_a_feed", "The answer was empty. Is this the address of a feed?")
    if text[0] in "{[":
        return "json"
    prolog = _PROLOG.match(text)
    start = text[prolog.end() if prolog else 0 :][:2000].lower()
    if start.startswith(("<!doctype html", "<html", "<head", "<body")):
        raise CollectError("not_a_feed", _page_instead_of_feed(text))
    if not start.startswith("<"):
        raise CollectError("not_a_feed", "The answer is neither XML nor JSON. Is this the address of a feed?")
    return "xml"


def xml_text(text: str) -> str:
    """XML without its declaration (the text is decoded already), with HTML's named characters as characters.

    Raises `CollectError("entities")` for a DOCTYPE with an internal subset: a feed needs none, an entity bomb does.
    """
    if ("<!ENTITY" in text or "<!DOCTYPE" in text) and _declares_entities(_without_sections(text)):
        raise CollectError(
            "entities", "The document declares entities of its own (DOCTYPE with an internal subset): refused."
        )
    if text.startswith("<?xml"):
        text = _XML_DECLARATION.sub("", text, count=1)
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _declares_entities(text: str) -> bool:
    doctype = text.find("<!DOCTYPE")
    return "<!ENTITY" in text or (doctype >= 0 and _SUBSET.match(text, doctype) is not None)


def _without_sections(text: str) -> str:
    """The text without comments and CDATA. One pass: what is never closed ends it."""
    parts: list[str] = []
    at = 0
    while section := _SECTION.search(text, at):
        parts.append(text[at : section.start()])
        end = text.find("-->" if section.group() == "<!--" else "]]>", section.end())
        if end < 0:
            return "".join(parts)
        at = end + 3
    parts.append(text[at:])
    return "".join(parts)


def _decoded(content: bytes, content_type: str) -> str:
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    if content[:2] == b"<\0":
        return content.decode("utf-16-le", "replace")
    if content[:2] == b"\0<":
        return content.decode("utf-16-be", "replace")
    labels = [codec for label in _labels(content, content_type) if (codec := _codec(label))]
    if b"\x1b" not in content or not labels:  # escape sequences: ISO-2022, which looks like ASCII
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            pass
    for codec in labels:
        try:
            return content.decode(codec)
        except UnicodeDecodeError:
            continue
    return content.decode(_least_bad(content, labels), "replace")


def _least_bad(content: bytes, labels: list[str]) -> str:
    """A label that nearly fits (a text cut inside a character), else what Western Europe writes without a label."""
    text = content.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if broken * 4 <= len(content) - len(text):
        return "utf-8"
    return next((codec for codec in labels if codec != "utf-8"), "cp1252")


def _labels(content: bytes, content_type: str) -> list[str]:
    """The document's own label before the server's, which is often nobody's choice."""
    declared = _DECLARED.match(content[:500])
    charset = _CHARSET.search(content_type)
    found = [declared.group(1).decode("ascii")] if declared else []
    return [*found, charset.group(1)] if charset else found


def _codec(label: str) -> str | None:
    """Python's name for a character set. Python also knows codecs that are none, some of them quadratic."""
    try:
        name = codecs.lookup(label).name
    except LookupError:
        return None
    return _SUPERSETS.get(name, name) if _TEXT_CODECS.fullmatch(name) else None


def _character(reference: "re.Match[str]") -> str:
    """Characters that XML forbids are dropped; HTML's names are resolved, since XML knows only five of them."""
    decimal, hexadecimal, name = reference.groups()
    if name is not None:
        code = html.entities.name2codepoint.get(name)
        return reference.group() if code is None else chr(code)
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return reference.group() if _legal(code) else ""


def _legal(code: int) -> bool:
    """https://www.w3.org/TR/xml/#charsets"""
    return code in (9, 10, 13) or 32 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF


def _page_instead_of_feed(text: str) -> str:
    named = _FEED_LINK.search(text[:200_000])
    href = _HREF.search(named.group(1)) if named else None
    found = f" The page names this feed: {html.unescape(href.group(1))}" if href else ""
    return f"A web page came where a feed was expected.{found}"
