"""All queries of all brands against one text at a time.

    document -> words -> words that are some query's anchor -> those few queries -> evaluate -> ids

What most texts lack is never looked at, so the cost of a text hardly grows with the number of queries
(`benchmarks/match.py`). An `Index` never changes: to change the queries, build another and put it in its place.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from app.query.anchors import Anchors, Frequencies, is_outer, needs
from app.query.check import Check, compiled, content_key, plain_phrase
from app.query.explain import Explanation, Span, explain
from app.query.expression import Expression, Or
from app.query.passage import Patterns
from app.query.reading import Document, Reading

_MOST_GUARDS = 16
_NOTHING: Mapping[str, tuple[tuple[int, Check], ...]] = {}


class _Drawer(NamedTuple):
    """What is filed under one anchor. `guarded` is filed once more, under the keys of a second thing that it needs.

    Those keys are a set as well (`guards`): two sets meet without touching the strings, which lie all over the memory.
    """

    at_once: tuple[int, ...] = ()
    phrases: tuple[tuple[int, str], ...] = ()
    checks: tuple[tuple[int, Check], ...] = ()
    guards: frozenset[str] = frozenset()
    guarded: Mapping[str, tuple[tuple[int, Check], ...]] = _NOTHING


class Index:
    """Queries filed under their anchors. `frequencies` only makes it faster: it tells which words are rare."""

    def __init__(self, queries: Mapping[int, Expression], frequencies: Frequencies | None = None) -> None:
        self.queries = dict(queries)
        self.patterns = Patterns(self.queries.values())
        self._drawers = _filed(self.queries, (Frequencies() if frequencies is None else frequencies).share)
        self._outer = any(map(is_outer, self._drawers))

    def __len__(self) -> int:
        return len(self.queries)

    def match(self, document: Document) -> frozenset[int]:
        """Ids of the queries that `document` answers. Linear in its text; safe to call from several threads."""
        reading = Reading(document, self.patterns)
        keys = reading.keys | reading.outer_keys() if self._outer else reading.keys
        drawers = self._drawers
        found: set[int] = set()
        for anchor in drawers.keys() & keys:
            at_once, phrases, checks, guards, guarded = drawers[anchor]
            if at_once:
                found.update(at_once)
            if phrases:
                says = reading.content.says
                for query_id, phrase in phrases:
                    if says(phrase):
                        found.add(query_id)
            for query_id, check in checks:
                if query_id not in found and check(reading):
                    found.add(query_id)
            for guard in guards & keys if guards else ():
                for query_id, check in guarded[guard]:
                    if query_id not in found and check(reading):
                        found.add(query_id)
        return frozenset(found)

    def explain(self, query_id: int, document: Document) -> Explanation:
        """Why `document` answers this query or not. Raises `KeyError` where there is no such query."""
        return explain(self.queries[query_id], document)

    def spans(self, query_id: int, document: Document) -> tuple[Span, ...]:
        """What to highlight in `document`; empty where it does not match."""
        return self.explain(query_id, document).spans


def _filed(queries: Mapping[int, Expression], share: Callable[[str], float]) -> dict[str, _Drawer]:
    at_once: dict[str, list[int]] = {}
    phrases: dict[str, list[tuple[int, str]]] = {}
    checks: dict[str, list[tuple[int, Check]]] = {}
    guarded: dict[str, dict[str, list[tuple[int, Check]]]] = {}
    for query_id, expression in queries.items():
        for alternative in expression.parts if isinstance(expression, Or) else (expression,):
            needed = needs(alternative, share)
            anchors = needed[0].keys
            if content_key(alternative) is not None:
                at_once.setdefault(anchors[0], []).append(query_id)
            elif (phrase := plain_phrase(alternative)) is not None:
                phrases.setdefault(anchors[0], []).append((query_id, phrase))
            else:
                entry = (query_id, compiled(alternative))
                guards = _guards(needed)
                for anchor in anchors:
                    if not guards:
                        checks.setdefault(anchor, []).append(entry)
                    for guard in guards:
                        guarded.setdefault(anchor, {}).setdefault(guard, []).append(entry)
    return {
        key: _Drawer(
            tuple(dict.fromkeys(at_once.get(key, ()))),
            tuple(dict.fromkeys(phrases.get(key, ()))),
            tuple(checks.get(key, ())),
            frozenset(guarded.get(key, ())),
            {guard: tuple(entries) for guard, entries in guarded.get(key, {}).items()} or _NOTHING,
        )
        for key in {*at_once, *phrases, *checks, *guarded}
    }


def _guards(needed: list[Anchors]) -> tuple[str, ...]:
    """Keys of the second thing that a query needs of the text; none where they would not hold back much."""
    if len(needed) < 2:
        return ()
    keys = needed[1].keys
    return keys if len(keys) <= _MOST_GUARDS and not any(map(is_outer, keys)) else ()
