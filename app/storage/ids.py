"""Ids of posts: they grow with time, are never given twice, and are assigned before the rows are written.

An id is the millisecond of storing shifted left by 20 bits, or the newest id there is plus one, whichever is larger:
63 bits last until the year 2248. Only the writer of `posts.store` assigns them, inside its transaction, one at a time
across processes; so a clock that steps back changes nothing, and whoever has seen an id has seen every smaller one.
"""

from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b
from itertools import count

from app.tables import to_ms

_SHIFT = 20


def ids_after(newest: int, now: datetime) -> Iterator[int]:
    return count(max(newest + 1, first_id_at(now)))


def first_id_at(instant: datetime) -> int:
    """The smallest id of a post that was stored at this instant or later."""
    return to_ms(instant) << _SHIFT


def url_hash(url: str) -> int:
    """What a post is found by its link with (`posts.url_hash`): 64 signed bits of blake2b of the link as it stands."""
    return int.from_bytes(blake2b(url.encode(errors="replace"), digest_size=8).digest(), "big", signed=True)
