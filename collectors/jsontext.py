"""JSON from strangers: bounded, tolerant of one odd value, never of a document that is not JSON."""

import json
from typing import Any

from collectors.base import CollectError

_WHOLE_DIGITS = 18
_DIGITS = 300  # more digits are an attack: reading a whole number costs the square of their count


def read_json(text: str) -> Any:
    """Raises `CollectError`. Whole numbers beyond 64 bits become floats; `NaN`, `Infinity` and absurd numbers None."""
    try:
        return json.loads(text, parse_int=_whole, parse_float=_real, parse_constant=lambda _: None)
    except RecursionError:
        raise CollectError("hostile", "The answer nests JSON hundreds of levels deep: refused.") from None
    except ValueError as error:
        raise CollectError("bad_json", f"The answer is not JSON ({error}). It begins with: {text[:80]!r}") from None


def _whole(digits: str) -> int | float | None:
    return int(digits) if len(digits) <= _WHOLE_DIGITS else _real(digits)


def _real(digits: str) -> float | None:
    return float(digits) if len(digits) <= _DIGITS else None
