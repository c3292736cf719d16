"""Copies of one text: the same press release in forty papers is one story, with its spread.

    title without its publisher, text without links and "read more" -> folded words -> hash

Two posts with one hash are copies. What copies of a text differ in does not count: case, accents, punctuation, white
space, links, the publisher behind the title, a title repeated at the start of the text. A short text ("Muy mal
servicio") is said by many who never heard of one another: there the author and the site are part of the hash, and no
word is left out. Beyond that the comparison is exact: two papers that rewrite an agency's text are two stories.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b

from app.query.fold import words

SHORT_WORDS = 8
SHORT_LETTERS = 40
CHARACTERS = 20_000  # of a text that are compared

_LINK = re.compile(r"(?:https?://|www\.)\S+")
_RETWEET = re.compile(r"\s*RT @\w+:?")
_SEPARATORS = frozenset(("-", "–", "—", "|", "·", "•", "»", "::"))
_SMALL_WORDS = frozenset(("a", "al", "and", "da", "de", "del", "do", "el", "en", "la", "las", "los", "of", "the", "y"))
_NAME_WORDS = 5  # at most, in what looks like a publisher
_HEADLINE_WORDS = 5  # at least, in what stands before it
_LOOKBACK = 400  # characters at the end of a text where a feed's own words may stand

# What feeds add behind a text, in folded words: WordPress' signature, and the link to the rest.
_ADDED = re.compile(
    r" (?:"
    r"(?:the post|la entrada|el articulo|o post) .{1,300} "
    r"(?:(?:appeared first|first appeared) on|(?:se publico|aparece|aparecio) primero en|apareceu primeiro em) .+"
    r"|leer mas|ver mas|(?:sigue|seguir|continua|continuar) leyendo|leia mais"
    r"|read (?:more|on|the full (?:article|story))|(?:continue|keep) reading"
    r")$"
)


def text_hash(title: str, text: str, author: str | None, site: str | None) -> bytes:
    """16 bytes of blake2b that are equal for copies of one text. `site` is the host where it stands: `elpais.com`."""
    text = text[:CHARACTERS]
    said = _said(title, text, site)
    if len(said) < SHORT_WORDS or sum(map(len, said)) < SHORT_LETTERS:
        return _hash("short", *(" ".join(words(part)) for part in (author or "", site or "", title, text)))
    return _hash("long", " ".join(said))


def without_publisher(title: str, site: str | None) -> str:
    """`Headline - El País` -> `Headline`: a last part that is the site's name, or looks like one behind a headline."""
    parts = title.split()
    for place in reversed([place for place, part in enumerate(parts) if part in _SEPARATORS]):
        headline, name = parts[:place], parts[place + 1 :]
        if not (_is_name_of(site, name) or (len(headline) >= _HEADLINE_WORDS and _looks_like_a_name(name))):
            break
        parts = headline
    return " ".join(parts)


def _said(title: str, text: str, site: str | None) -> list[str]:
    """The words that make it this text and no other."""
    headline = words(without_publisher(title, site))
    body = words(_LINK.sub(" ", _RETWEET.sub("", text, count=1)))
    publisher = words(title)[len(headline) :]
    if publisher and body[-len(publisher) :] == publisher:
        body = body[: -len(publisher)]
    return _without_added(body if body[: len(headline)] == headline else headline + body)


def _is_name_of(site: str | None, name: Sequence[str]) -> bool:
    """`EL PAÍS` of elpais.com; `BBC News Mundo` of bbc.com."""
    said, host = words(" ".join(name)), words(site or "")[:-1]
    whole = "".join(said)
    return len(whole) >= 3 and (whole in "".join(host) or (said[0] in host and said[0] not in _SMALL_WORDS))


def _looks_like_a_name(name: Sequence[str]) -> bool:
    """A few words in capitals without a figure: `La Voz de Galicia`, not `parte 2`."""
    if not 1 <= len(name) <= _NAME_WORDS or any(map(str.isdigit, "".join(name))):
        return False
    return name[0][0].isupper() and all(word[0].isupper() or word in _SMALL_WORDS for word in name)


def _without_added(said: list[str]) -> list[str]:
    line = " ".join(said)
    added = _ADDED.search(line, max(0, len(line) - _LOOKBACK))
    return line[: added.start()].split() if added else said


def _hash(*fields: str) -> bytes:
    return blake2b("\0".join(fields).encode(errors="replace"), digest_size=16).digest()
