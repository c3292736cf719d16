"""What to ask a search API for a query, so that its answers hold every post that can match."""

from dataclasses import dataclass
from itertools import groupby, product

from app.query.anchors import guess
from app.query.expression import And, Exact, Expression, Near, Not, Or, Site, Source, Words
from app.query.fold import words

_TWINS = {"n": "nñ", "ñ": "ñn", "N": "NÑ", "Ñ": "ÑN"}
_MOST_TWINS = 3


def terms(expression: Expression) -> tuple[str, ...]:
    """Texts of which every match holds at least one: all alternatives of an OR, the best part of an AND.

    They are as written, without quotes: a caller whose API has phrase search puts quotes round those with a space. The
    fewest are chosen, then the rarest. An alternative that names only a site, a source or an author gives none: no
    search finds it. For a lone prefix the API must find longer words by their beginning, as Hacker News does.
    """
    found = _terms(expression, wanted=True)
    return tuple(dict.fromkeys(found.texts)) if found else ()


@dataclass(frozen=True, slots=True)
class _Terms:
    texts: tuple[str, ...]
    commonness: float  # in what share of all texts one of them stands
    complete: bool = True  # False where an alternative cannot be asked for

    @property
    def cost(self) -> tuple[bool, int, float]:
        return (not self.complete, len(self.texts), self.commonness)


_UNASKABLE = _Terms((), 0.0, complete=False)


def _terms(expression: Expression, wanted: bool) -> _Terms | None:
    """None where nothing has to appear. `wanted` is False under an odd number of NOTs."""
    if isinstance(expression, Not):
        return _terms(expression.part, not wanted)
    if isinstance(expression, And | Or):
        parts = [_terms(part, wanted) for part in expression.parts]
        known = [part for part in parts if part is not None]
        if isinstance(expression, And) is wanted:
            return min(known, key=lambda part: part.cost, default=None)
        return _any_of(known) if len(known) == len(parts) else None
    return _leaf(expression) if wanted else None


def _leaf(leaf: Expression) -> _Terms | None:
    if isinstance(leaf, Site | Source):
        return _UNASKABLE
    if isinstance(leaf, Words | Exact | Near) and leaf.field == "author":
        return _UNASKABLE
    if isinstance(leaf, Near):
        left, right = (_any_of([_words(part) for part in side]) for side in (leaf.left, leaf.right))
        return min(left, right, key=lambda side: side.cost)
    if isinstance(leaf, Words):
        return _words(leaf)
    if isinstance(leaf, Exact):
        return _Terms((leaf.text.strip(),), min(map(guess, words(leaf.text)), default=0.01))
    return None


def _any_of(parts: list[_Terms]) -> _Terms:
    texts = tuple(text for part in parts for text in part.texts)
    return _Terms(texts, sum(part.commonness for part in parts), all(part.complete for part in parts))


def _words(leaf: Words) -> _Terms:
    starred = any(unit.prefix for unit in leaf.units)
    text = _without_prefixes(leaf.text) if starred else leaf.text
    whole = [unit for unit in leaf.units if not unit.prefix] or leaf.units
    return _Terms(_spellings(text) if leaf.loose else (text,), min(guess(unit.key) for unit in whole))


def _without_prefixes(text: str) -> str:
    """Of a phrase the longest run of whole words; of prefixes alone the longest beginning."""
    runs = [" ".join(run) for starred, run in groupby(text.split(), key=lambda piece: "*" in piece) if not starred]
    return max(runs, key=len) if runs else max(text.replace("*", " ").split(), key=len)


def _spellings(text: str) -> tuple[str, ...]:
    """`text` with each n and ñ as either; with many of them only as written and without tildes."""
    if sum(char in _TWINS for char in text) > _MOST_TWINS:
        return (text, text.replace("ñ", "n").replace("Ñ", "N"))
    return tuple(map("".join, product(*(_TWINS.get(char, char) for char in text))))
