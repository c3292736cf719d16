"""An expression as one function from a reading to yes or no; what is cheap is asked first."""

from collections.abc import Callable, Iterable

from app.query.anchors import LITERAL
from app.query.expression import And, Exact, Expression, Lang, Near, Not, Or, Site, Source, Words
from app.query.fold import words
from app.query.reading import Reading

Check = Callable[[Reading], bool]


def content_key(expression: Expression) -> str | None:
    """The one key of title and text that decides a single word, or None for all else."""
    if isinstance(expression, Words) and expression.field is None and len(expression.units) == 1:
        return expression.units[0].key
    return None


def plain_phrase(expression: Expression) -> str | None:
    """Words side by side in title and text, padded for `Passage.says`, or None for all else."""
    if not isinstance(expression, Words) or expression.field is not None:
        return None
    if any(unit.key != unit.text or unit.text[0] in "#@" for unit in expression.units):
        return None
    return f" {' '.join(unit.text for unit in expression.units)} "


def compiled(expression: Expression) -> Check:
    if isinstance(expression, And):
        return _all(expression.parts)
    if isinstance(expression, Or):
        return _any(expression.parts)
    if isinstance(expression, Not):
        return _none(compiled(expression.part))
    return _leaf(expression)


def _all(parts: Iterable[Expression]) -> Check:
    """Whole-word parts, wanted and not, are two questions to sets; the rest follows, dearest last."""
    wanted: set[str] = set()
    refused: set[str] = set()
    others: list[Expression] = []
    for part in parts:
        if (key := content_key(part)) is not None:
            wanted.add(key)
        elif isinstance(part, Not) and (keys := _word_keys(part.part)) is not None:
            refused |= keys
        else:
            others.append(part)
    rest = [compiled(part) for part in sorted(others, key=_price)]
    return _conjunction(frozenset(wanted), frozenset(refused), rest)


def _conjunction(wanted: frozenset[str], refused: frozenset[str], rest: list[Check]) -> Check:
    if not rest:
        return lambda reading: wanted <= reading.keys and refused.isdisjoint(reading.keys)
    if len(rest) == 1:
        only = rest[0]
        return lambda reading: wanted <= reading.keys and refused.isdisjoint(reading.keys) and only(reading)

    def check(reading: Reading) -> bool:
        if not wanted <= reading.keys or not refused.isdisjoint(reading.keys):
            return False
        return all(part(reading) for part in rest)

    return check


def _any(parts: Iterable[Expression]) -> Check:
    keys = frozenset(key for part in parts if (key := content_key(part)) is not None)
    others = [part for part in parts if content_key(part) is None]
    if not others:
        return lambda reading: not keys.isdisjoint(reading.keys)
    rest = [compiled(part) for part in sorted(others, key=_price)]
    return lambda reading: not keys.isdisjoint(reading.keys) or any(part(reading) for part in rest)


def _none(check: Check) -> Check:
    return lambda reading: not check(reading)


def _word_keys(expression: Expression) -> set[str] | None:
    """Keys any one of which makes the expression true, or None where it takes more than that to tell."""
    keys = [content_key(part) for part in (expression.parts if isinstance(expression, Or) else (expression,))]
    known = {key for key in keys if key is not None}
    return known if len(known) and None not in keys else None


def _price(expression: Expression) -> int:
    """How dear a question is, roughly: sets, hosts, phrases, distances, a language that may have to be found out."""
    if isinstance(expression, Lang):
        return 9
    if isinstance(expression, And | Or | Not):
        return max(map(_price, expression.children))
    if isinstance(expression, Near | Exact):
        return 4
    if isinstance(expression, Words):
        return 1 if content_key(expression) is not None else 3
    return 2


def _leaf(leaf: Expression) -> Check:
    if isinstance(leaf, Words):
        return _words(leaf)
    if isinstance(leaf, Near):
        near, field = leaf, leaf.field
        return lambda reading: reading.passage(field).near(near)
    if isinstance(leaf, Exact):
        return _exact(leaf)
    if isinstance(leaf, Site):
        site = leaf.domain
        return lambda reading: site in reading.sites
    if isinstance(leaf, Source):
        slug = leaf.slug
        return lambda reading: slug == reading.source
    if isinstance(leaf, Lang):
        code = leaf.code
        return lambda reading: code == reading.language
    raise AssertionError(leaf)


def _words(leaf: Words) -> Check:
    field = leaf.field
    if len(leaf.units) == 1:
        key = leaf.units[0].key
        if field is None:
            return lambda reading: key in reading.keys
        return lambda reading: key in reading.passage(field).keys
    needle = plain_phrase(leaf)
    if needle is not None:
        return lambda reading: reading.content.says(needle)
    return lambda reading: bool(reading.passage(field).starts(leaf))


def _exact(leaf: Exact) -> Check:
    text, field = leaf.text, leaf.field
    needed = frozenset(words(text)) or frozenset((LITERAL + text,))

    def check(reading: Reading) -> bool:
        passage = reading.passage(field)
        return needed <= passage.keys and passage.exact(text)

    return check
