"""Where in a text the words of a query stand, for a person who asks why it matched.

    text -> its words with their places; Expression -> the parts that must appear -> places where one does

The index answers only yes or no, as fast as it can. This reads one text slowly, after the answer.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.query.expression import Exact, Expression, Near, Not, Unit, Words
from app.query.fold import tags, words
from app.query.passage import occurrences

_TOKEN = re.compile(r"\S+")
_PIECE = re.compile(r"(?:[^\W_][\u0300-\u036f]*)+")  # an accent that stands alone belongs to its letter


@dataclass(frozen=True, slots=True)
class Span:
    """`field[start:end]` of a post, where `field` is title, text or author."""

    field: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """One folded word and where it stands in the text as it was written."""

    word: str
    start: int
    end: int


def spans(expression: Expression, texts: dict[str, str]) -> list[Span]:
    """Every place where a part of the query stands, in order, longer ones first; what it excludes is not looked for.

    `texts` are those of a post by field: title, text, author.
    """
    found = {span for field, text in texts.items() if text for span in _in_field(expression, field, text)}
    return sorted(found, key=lambda span: (list(texts).index(span.field), span.start, -span.end))


def places(text: str) -> list[Place]:
    """The words of a text as `query` counts them. Words that are written as one piece share the places of the piece."""
    return [place for token in _TOKEN.finditer(text) for place in _in_token(token[0], token.start())]


def _in_token(token: str, start: int) -> Iterator[Place]:
    spoken = words(token)
    pieces = [(word, piece) for piece in _PIECE.finditer(token) for word in words(piece[0])]
    if [word for word, _ in pieces] == spoken:
        yield from (Place(word, start + piece.start(), start + piece.end()) for word, piece in pieces)
    else:
        yield from (Place(word, start, start + len(token)) for word in spoken)


def _in_field(expression: Expression, field: str, text: str) -> Iterator[Span]:
    known = places(text)
    tagged = {(tag, position) for tag, position, _ in tags(text)}
    for leaf in _wanted(expression):
        if (leaf.field or field) != field or (leaf.field is None and field == "author"):
            continue
        if isinstance(leaf, Exact):
            ends = ((at, at + len(leaf.text)) for at in occurrences(leaf.text, text))
        else:
            ends = ((known[at].start, known[at + leaf.width - 1].end) for at in _begins(leaf, known, tagged))
        yield from (Span(field, start, end, text[start:end]) for start, end in ends)


def _wanted(expression: Expression) -> Iterator[Words | Exact]:
    """The leaves that a text must have, or may have, to match."""
    if isinstance(expression, Not):
        return
    if isinstance(expression, Words | Exact):
        yield expression
    if isinstance(expression, Near):
        yield from (*expression.left, *expression.right)
    for child in expression.children:
        yield from _wanted(child)


def _begins(leaf: Words, known: list[Place], tagged: Iterable[tuple[str, int]]) -> Iterator[int]:
    for at in range(len(known) - leaf.width + 1):
        if all(_is(unit, at + unit.offset, known, tagged) for unit in leaf.units):
            yield at


def _is(unit: Unit, at: int, known: list[Place], tagged: Iterable[tuple[str, int]]) -> bool:
    if unit.text[0] in "#@":
        return any(position == at and _same(unit, tag) for tag, position in tagged)
    return _same(unit, known[at].word)


def _same(unit: Unit, word: str) -> bool:
    word = word.replace("ñ", "n") if unit.loose else word
    return word.startswith(unit.text) if unit.prefix else word == unit.text
