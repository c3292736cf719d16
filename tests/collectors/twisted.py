"""An answer with one value of the wrong type at a time, at every place in it."""

from collections.abc import Iterator, Mapping
from typing import Any

ODD = (None, True, -3, 2**80, 1.5, "", "x", "\ud800\0", [], [7], {}, {"a": 1})


def twisted(value: Any) -> Iterator[Any]:
    """Copies of a JSON value; in each, one thing in it is something odd, or missing."""
    yield from ODD
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield {key: kept for key, kept in value.items() if key != name}
            yield from ({**value, name: odd} for odd in twisted(inner))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from ([*value[:place], odd, *value[place + 1 :]] for odd in twisted(inner))
