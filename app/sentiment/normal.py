"""The guard before the scorers: one form for what is written in many ways, and never more than a bounded part of it.

    text -> window -> html entities, escapes, NFC -> links, handles, long runs cut     -> `plain`      [quality tier]
                                                  -> words, emoji, emoticons, marks -> `tokens`     [fast tier]

Every step is linear, and the window comes first: a text of any length costs what one of 2,000 characters does.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.sentiment.window import CHARACTERS, Window, window

_LINK = r"https?://\S+|www\.\S+"
_LINKS = re.compile(_LINK, re.IGNORECASE)
_HANDLE = re.compile(r"(?<!\w)@\w+")
_RUN = re.compile(r"(\S)\1{3,}")
# Not html.unescape's own pattern: that one takes numbers of any length and makes an int of them, which is quadratic.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});?")
# What JSON writes for a character, left over where somebody escaped a text twice: a pair of them, or one.
_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}")

_MARKS = "\u0300-\u036f"  # accents and the like, behind the letter that they stand on
_CLUSTER = re.compile(f"(?:[^{_MARKS}][{_MARKS}]*|[{_MARKS}]+)", re.DOTALL)
_SYMBOLS = "©®\u203c\u2049\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_MODIFIERS = "\ufe0f\u200d\U0001f3fb-\U0001f3ff"
_EMOTICONS = (
    r"[<>]?[:;=xX8][-^o'’]?[)(\]\[}{|/\\*]+(?!\w)",
    r"[<>]?[:;=][-^o'’]?[DdPpOoSs3$]+(?!\w)",
    r"[)(\]\[][-^o'’]?[:;=](?![\w)(])",
    r"<3+(?!\w)|</3+(?!\w)",
    r"[xX][dD]+(?!\w)",
    r"\^_*\^|[-¬]_+[-¬]|[oO]_[oO](?!\w)|[dD][-]?:(?!\w)",
)
_TOKEN = re.compile(
    "|".join(
        (
            rf"(?P<link>{_LINK})",
            rf"(?P<emoticon>(?<!\w)(?:{'|'.join(_EMOTICONS)}))",
            rf"[@#]?\w[\w{_MARKS}]*(?:['’\-]\w[\w{_MARKS}]*)*",
            rf"(?P<emoji>[{_SYMBOLS}][{_MODIFIERS}]{{0,2}})(?P=emoji)*",
            r"[.,;:!?¡¿…%€$]+",
        )
    ),
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Guarded:
    """What is heard of a text, and where each of its characters stands in the original."""

    text: str
    window: Window
    places: Sequence[int] | None = None  # of each character, and of the end, in the window; None = where they stand

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The slice of the original that became `text[start:end]`."""
        start, end = self.within(start, end)
        if len(self.window.pieces) == 1:
            shift = self.window.original(0)
            return start + shift, end + shift
        return self.window.original(start), self.window.original(end - 1) + 1

    def within(self, start: int, end: int) -> tuple[int, int]:
        """The slice of the window that became `text[start:end]`."""
        if self.places is None:
            return start, end
        while self.places[end] == self.places[end - 1]:  # in the middle of what became several characters
            end += 1
        return self.places[start], self.places[end]


def guard(text: str) -> Guarded:
    """The window of `text`, with html entities and escapes resolved and in NFC."""
    part = window(text)
    heard = part.text
    if heard.isascii() and "&" not in heard and "\\u" not in heard:
        return Guarded(heard, part)
    places: Sequence[int] = range(len(heard) + 1)
    if "&" in heard:
        heard, places = _replaced(_ENTITY, heard, html.unescape, places)
    if "\\u" in heard:
        heard, places = _replaced(_ESCAPE, heard, _unescaped, places)
    if not unicodedata.is_normalized("NFC", heard):
        heard, places = _replaced(_CLUSTER, heard, _composed, places)
    return Guarded(heard, part, None if isinstance(places, range) else places)


def tokens(text: str) -> list[re.Match[str]]:
    """Words (with their `#` or `@`), runs of one emoji, emoticons, links and punctuation marks of a guarded text."""
    return list(_TOKEN.finditer(text))


def squeezed(text: str) -> str:
    """Runs of a letter, a mark or an emoji cut to three."""
    return _RUN.sub(r"\1\1\1", text)


def plain(text: str) -> str:
    """`text` as the quality tier reads it: one line of at most 2,000 characters that can be written as UTF-8."""
    text = window(text).text
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    if "\\u" in text:
        text = _ESCAPE.sub(lambda found: _unescaped(found[0]), text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
        try:
            text.encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            text = text.encode(errors="replace").decode()
    if "://" in text or "ww." in text.lower():
        text = _LINKS.sub("http", text)
    if "@" in text:
        text = _HANDLE.sub("@user", text)
    return " ".join(squeezed(text).split())[:CHARACTERS]


def _unescaped(escape: str) -> str:
    units = (int(unit, 16) for unit in escape.split("\\u")[1:])
    return b"".join(unit.to_bytes(2, "big") for unit in units).decode("utf-16-be", "replace")


def _composed(cluster: str) -> str:
    return unicodedata.normalize("NFC", cluster)


def _replaced(
    pattern: re.Pattern[str], text: str, form: Callable[[str], str], places: Sequence[int]
) -> tuple[str, Sequence[int]]:
    """`text` with `form` put for each match, and where each character of it stands, given where those of `text` did.

    Without a match both come back as they were.
    """
    if not pattern.search(text):
        return text, places
    written: list[str] = []
    moved: list[int] = []
    done = 0
    for found in pattern.finditer(text):
        start, end = found.span()
        new = form(found[0])
        written += (text[done:start], new)
        moved += places[done:start]
        moved += places[start:end] if len(new) == end - start else [places[start]] * len(new)
        done = end
    return "".join((*written, text[done:])), (*moved, *places[done:])
