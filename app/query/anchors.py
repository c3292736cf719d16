"""The few words without which a query cannot match, so that most queries are never looked at.

    expression -> anchors: at least one of them is in every text that matches
        OR    all alternatives' anchors          AND   those of its rarest part          NOT   none
        a phrase, NEAR, an exact string          its rarest word

The idea is Luwak's presearcher (now Lucene Monitor). `terms.py` follows the same rule to ask a search API.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.query.expression import And, Exact, Expression, Near, Not, Or, Site, Source, Words
from app.query.fold import is_unspaced, words

AUTHOR, SITE, SOURCE, LITERAL = "\x01", "\x02", "\x03", "`"  # no word begins so


def is_outer(key: str) -> bool:
    """The key is not of title and text: it stands for an author, a site or a source."""
    return key[0] in (AUTHOR, SITE, SOURCE)


_COMMON = frozenset(
    words(
        "a al algo ante antes así aún aunque bien cada casi como con contra cual cuando cómo de del desde donde dos "
        "durante e el ella ellas ellos en entre era eran es esa ese eso esta estaba estado están estar este esto está "
        "estos fue fueron gran ha había hace hacer hacia han hasta hay he hoy la las le les lo los luego mal mas me "
        "menos mi mis mismo mucho muchos muy más nada ni no nos nosotros o os otra otro otros para parte pero poco por "
        "porque pues puede que qué quien se sea según ser si sido sin sino sobre solo son su sus sí también tan tanto "
        "te tiene tienen todo todos tras tu tus un una unas uno unos vez y ya yo años año día días ahora nuevo "
        "about after all also an and any are as at back be because been but by can could do even first for from get "
        "give go good had has have he her him his how i if in into is it its just know like look make me more most my "
        "new no not now of on one only or other our out over people said say see she so some take than that the their "
        "them then there these they think this time to two up us use want was way we well were what when which who "
        "will with work would year you your"
    )
)


class Frequencies:
    """In what share of the texts a word stands: guessed by its length, corrected by the texts that were shown to it.

    Only the speed of an `Index` depends on it, never what it finds.
    """

    def __init__(self) -> None:
        self._texts = 0
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many words it keeps."""
        return len(self._counts)

    def observe(self, text: str, limit: int = 200_000) -> None:
        """Learn from one text. Keeps about `limit` words; the rarest are forgotten."""
        self._texts += 1
        self._counts.update(set(words(text)))
        if len(self._counts) > limit:
            self._counts = Counter({key: count for key, count in self._counts.items() if count > 1})
            if len(self._counts) > limit:
                self._counts = Counter(dict(self._counts.most_common(limit // 2)))

    def share(self, key: str) -> float:
        """In 0..1. The guess weighs as much as 20 texts."""
        prior = guess(key)
        return prior if not self._texts else (self._counts[key] + 20 * prior) / (self._texts + 20)


def guess(key: str) -> float:
    """In what share of texts a key may stand, by its length, where nothing was learnt."""
    word = key.lstrip("~#@").rstrip("*")
    if word in _COMMON:
        return 0.25
    if is_unspaced(word):
        return 0.02
    share = 0.2 / max(1, len(word)) ** 2
    return min(0.5, share * 8) if key.endswith("*") else share


@dataclass(frozen=True, slots=True)
class Anchors:
    """`keys`: one of them is in every match. `cost`: in what share of texts that is so."""

    keys: tuple[str, ...]
    cost: float


def needs(expression: Expression, share: Callable[[str], float]) -> list[Anchors]:
    """Sets of keys, of each of which every match has one, cheapest first. One set for most queries, more for an AND.

    Raises `ValueError` for what the parser refuses: an expression that needs nothing to appear.
    """
    parts = expression.parts if isinstance(expression, And) else (expression,)
    found = [needed for part in parts if (needed := _anchors(part, True, share)) is not None]
    if not found:
        raise ValueError(f"nothing has to appear in {expression}")
    return sorted(found, key=lambda needed: needed.cost)


def _anchors(expression: Expression, wanted: bool, share: Callable[[str], float]) -> Anchors | None:
    if isinstance(expression, Not):
        return _anchors(expression.part, not wanted, share)
    if isinstance(expression, And | Or):
        parts = [_anchors(part, wanted, share) for part in expression.parts]
        known = [part for part in parts if part is not None]
        if isinstance(expression, And) is wanted:
            return min(known, key=lambda part: part.cost, default=None)
        return _any_of(known) if len(known) == len(parts) else None
    return _leaf_anchors(expression, share) if wanted else None


def _leaf_anchors(leaf: Expression, share: Callable[[str], float]) -> Anchors | None:
    if isinstance(leaf, Words):
        return _words_anchors(leaf, leaf.field, share)
    if isinstance(leaf, Near):
        left, right = (
            _any_of([_words_anchors(part, leaf.field, share) for part in side]) for side in (leaf.left, leaf.right)
        )
        return min(left, right, key=lambda side: side.cost)
    if isinstance(leaf, Exact):
        return _rarest(words(leaf.text) or [LITERAL + leaf.text], leaf.field, share)
    if isinstance(leaf, Site):
        return Anchors((SITE + leaf.domain,), 0.01)
    if isinstance(leaf, Source):
        return Anchors((SOURCE + leaf.slug,), 0.05)
    return None


def _words_anchors(found: Words, field: str | None, share: Callable[[str], float]) -> Anchors:
    return _rarest((unit.key for unit in found.units), field, share)


def _rarest(keys: Iterable[str], field: str | None, share: Callable[[str], float]) -> Anchors:
    cost, key = min((share(key), key) for key in keys)
    return Anchors((AUTHOR + key,), cost / 10) if field == "author" else Anchors((key,), cost)


def _any_of(parts: list[Anchors]) -> Anchors:
    keys = dict.fromkeys(key for part in parts for key in part.keys)
    return Anchors(tuple(keys), sum(part.cost for part in parts))
