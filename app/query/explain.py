"""Why a document answers a query or not: which clauses it has, which it lacks, which excluded it, where they stand.

Another reading of the expression than the index's, slower and with places; a test holds the two to the same verdict.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Literal

from app.query.expression import And, Exact, Expression, Lang, Near, Not, Or, Site, Source, TextField, Words
from app.query.fold import trace, traced, visible, words
from app.query.passage import Passage, Patterns, occurrences, spread
from app.query.reading import Document, Reading

MOST_SPANS = 100  # of a clause in one field; a text that repeats a word for ever shows it that often
Place = Literal["title", "text", "author"]
_ORDER: tuple[Place, ...] = ("title", "text", "author")


@dataclass(frozen=True, slots=True)
class Span:
    """`document.<field>[start:end]`."""

    field: Place
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Clause:
    """A word, phrase, NEAR or other smallest part of a query, at `query[start:end]`, and where the document has it."""

    text: str
    start: int
    end: int
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """`found`: wanted and there. `missing`: wanted and not there. `excluded`: unwanted and there, so no match."""

    matched: bool
    found: tuple[Clause, ...] = ()
    missing: tuple[Clause, ...] = ()
    excluded: tuple[Clause, ...] = ()

    @property
    def spans(self) -> tuple[Span, ...]:
        """What to highlight: the places of what was found, in order, overlapping ones as one. None without a match."""
        return tuple(_merged(span for clause in self.found for span in clause.spans)) if self.matched else ()


def explain(expression: Expression, document: Document) -> Explanation:
    """Judge `document` and say why."""
    witness = _Witness(expression, document)
    found: list[Clause] = []
    missing: list[Clause] = []
    excluded: list[Clause] = []
    for leaf, wanted in _decisive(expression, True, witness):
        clause = Clause(str(leaf), leaf.start, leaf.end, witness.spans(leaf))
        if witness.holds(leaf):
            (found if wanted else excluded).append(clause)
        elif wanted:
            missing.append(clause)
    return Explanation(witness.holds(expression), tuple(found), tuple(missing), tuple(excluded))


def _decisive(expression: Expression, wanted: bool, witness: "_Witness") -> Iterator[tuple[Expression, bool]]:
    """The leaves that made it so: of alternatives that were met only those, else all. `wanted` flips with every NOT."""
    if isinstance(expression, Not):
        yield from _decisive(expression.part, not wanted, witness)
    elif isinstance(expression, And | Or):
        alternatives = isinstance(expression, Or) is wanted
        met = witness.holds(expression) is wanted
        for part in expression.parts:
            if not (alternatives and met) or witness.holds(part) is wanted:
                yield from _decisive(part, wanted, witness)
    else:
        yield expression, wanted


class _Witness:
    """What a document has of a query, and where."""

    def __init__(self, expression: Expression, document: Document) -> None:
        self._patterns = Patterns((expression,))
        self._reading = Reading(document, self._patterns)
        self._texts: dict[Place, str] = {
            "title": document.title,
            "text": document.text,
            "author": document.author or "",
        }
        self._evidence: dict[Place, _Evidence] = {}
        self._verdicts: dict[int, bool] = {}
        self._spans: dict[int, tuple[Span, ...]] = {}

    def holds(self, expression: Expression) -> bool:
        known = self._verdicts.get(id(expression))
        if known is None:
            known = self._verdicts[id(expression)] = self._judge(expression)
        return known

    def spans(self, leaf: Expression) -> tuple[Span, ...]:
        known = self._spans.get(id(leaf))
        if known is None:
            known = self._spans[id(leaf)] = tuple(self._found(leaf))
        return known

    def _judge(self, expression: Expression) -> bool:
        if isinstance(expression, And):
            return all(self.holds(part) for part in expression.parts)
        if isinstance(expression, Or):
            return any(self.holds(part) for part in expression.parts)
        if isinstance(expression, Not):
            return not self.holds(expression.part)
        if isinstance(expression, Site):
            return expression.domain in self._reading.sites
        if isinstance(expression, Source):
            return expression.slug == self._reading.source
        if isinstance(expression, Lang):
            return expression.code == self._reading.language
        return bool(self.spans(expression))

    def _found(self, leaf: Expression) -> Iterator[Span]:
        if isinstance(leaf, Words | Near | Exact):
            for place in _places(leaf.field):
                evidence = self._of(place)
                yield from (Span(place, start, end) for start, end in sorted(set(evidence.of(leaf)))[:MOST_SPANS])

    def _of(self, place: Place) -> "_Evidence":
        if place not in self._evidence:
            self._evidence[place] = _Evidence(self._texts[place], self._patterns)
        return self._evidence[place]


def _places(field: TextField | None) -> tuple[Place, ...]:
    return ("title", "text") if field is None else (field,)


class _Evidence:
    """One text with the places of its words."""

    def __init__(self, text: str, patterns: Patterns) -> None:
        self._text = text
        self._passage = Passage((text,), patterns)

    @cached_property
    def _words(self) -> list[tuple[str, int, int]]:
        return traced(self._text)

    @cached_property
    def _visible(self) -> tuple[str, list[tuple[int, int]]]:
        return trace(self._text, visible)

    def of(self, leaf: Words | Near | Exact) -> Iterator[tuple[int, int]]:
        if isinstance(leaf, Words):
            yield from self._at(leaf, self._passage.starts(leaf))
        elif isinstance(leaf, Near):
            yield from self._near(leaf)
        else:
            yield from self._exact(leaf.text)

    def _at(self, found: Words, places: int) -> Iterator[tuple[int, int]]:
        for place in islice(_set_bits(places), MOST_SPANS):
            _, start, _ = self._words[place]
            _, _, end = self._words[min(place + found.width, len(self._words)) - 1]
            sign = found.units[0].text[0] in "#@"
            yield self._text_start(start) if sign else start, end

    def _text_start(self, start: int) -> int:
        """Where the sign of a tag stands whose first letter is at `start`."""
        return max(self._text.rfind(sign, 0, start) for sign in "#@\uff03\uff20")

    def _near(self, near: Near) -> Iterator[tuple[int, int]]:
        yield from self._pairs(near.left, near.right, near.distance)
        if not near.ordered:
            yield from self._pairs(near.right, near.left, near.distance)

    def _pairs(self, first: Sequence[Words], second: Sequence[Words], distance: int) -> Iterator[tuple[int, int]]:
        """The words of both sides that have one of the other side within reach, `first` before `second`."""
        _, ends = self._passage.group(first)
        begins, _ = self._passage.group(second)
        reached = begins & spread(ends << 1, distance + 1)
        for found in second:
            yield from self._at(found, self._passage.starts(found) & reached)
        reaching = spread(reached, distance + 1) >> (distance + 1)
        for found in first:
            last = self._passage.starts(found) << (found.width - 1)
            yield from self._at(found, (last & reaching) >> (found.width - 1))

    def _exact(self, text: str) -> Iterator[tuple[int, int]]:
        if not set(words(text)) <= self._passage.keys:
            return
        shown, origins = self._visible
        for at in islice(occurrences(text, shown), MOST_SPANS):
            yield origins[at][0], origins[at + len(text) - 1][1]


def _set_bits(places: int) -> Iterator[int]:
    """Positions of the set bits, lowest first; linear in the number's length."""
    return (position for position, bit in enumerate(reversed(f"{places:b}")) if bit == "1")


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    last: Span | None = None
    for span in sorted(set(spans), key=lambda span: (_ORDER.index(span.field), span.start, span.end)):
        if last is not None and span.field == last.field and span.start < last.end:
            last = Span(last.field, last.start, max(last.end, span.end))
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last
