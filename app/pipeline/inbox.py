"""The walk of what Avizor is told: from items that somebody hands over to stored mentions.

    items | read, each by itself | match | language | score | story  > posts, mentions, volumes, quarantine
                                                                     -> what became of each item

The same digest and the same `posts.store_all` as the collect walk: there is no second way in. A source that is told
needs no lease: it may be told by many at once, and the same post from two of them is one by its dedupe key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from app.language import Languages
from app.model import Brand, Label
from app.pipeline.digest import Digest, Watched, keyed
from app.sentiment import Scorer
from app.storage import Storage
from app.storage.records import CollectBatch, KnownPost
from collectors import KINDS
from collectors.base import Post, Reject, Source
from collectors.inbox import ID_LIMIT, Unfit, read_post
from collectors.text import clean, one_line

Result = Literal["stored", "known", "edited", "refused"]

SAMPLE_LIMIT = 1_000
NOT_STORED = "could not be stored; the source's quarantine says why"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one item. `mentions` are (brand slug, label that counts); `field` and `reason` of a refusal."""

    result: Result
    id: str | None = None
    post_id: int | None = None
    mentions: tuple[tuple[str, Label], ...] = ()
    field: str = ""
    reason: str = ""


class Inbox:
    """Takes in what a source is told. Blocking; several threads may use it at once."""

    def __init__(self, storage: Storage, languages: Sequence[str], scorer: Scorer) -> None:
        self._storage = storage
        self._languages = tuple(languages)
        self._scorer = scorer

    def take(self, source: Source, items: Sequence[Any], now: datetime, *, history: bool) -> list[Taken]:
        """Store what is new of `items`, and say of each what became of it, in their order.

        `history`: none of it is news, and nothing of it alerts, however young it is. Else a source's first posts are
        as live as its later ones: who tells it chooses what to tell, while a feed's first answer is its past.
        """
        read = [_read(item, source.url) for item in items]
        posts = keyed(KINDS[source.kind].namespace(source), [one for one in read if isinstance(one, Post)])
        keys = {post.id: key for key, post in posts.items()}
        known = self._storage.posts.known(list(posts))
        as_told = replace(source, first_ok_at=None if history else source.first_ok_at or now)
        rows = self._digest().rows(as_told, posts, known, now)
        rejects = [
            Reject(f"{one.field}: {one.reason}".removeprefix(": "), _sample(item))
            for one, item in zip(read, items, strict=True)
            if isinstance(one, Taken)
        ]
        self._storage.posts.store_all([_batch(source, rows, rejects, now)], now)
        after, heard = self._storage.posts.known(list(posts)), self._storage.submissions.heard(list(posts))
        told: set[bytes] = set()
        taken = []
        for one in read:
            if isinstance(one, Taken):
                taken.append(one)
                continue
            key = keys[one.id]
            taken.append(_became(one, known.get(key), after.get(key), heard.get(key), again=key in told))
            told.add(key)
        return taken

    def look(self, source: Source, items: Sequence[Any]) -> list[Taken]:
        """What `take` would say, without what is mentioned. Stores nothing."""
        read = [_read(item, source.url) for item in items]
        posts = keyed(KINDS[source.kind].namespace(source), [one for one in read if isinstance(one, Post)])
        known = {posts[key].id for key in self._storage.posts.known(list(posts))}
        looked = []
        for one in read:
            if isinstance(one, Taken):
                looked.append(one)
                continue
            looked.append(Taken("known" if one.id in known else "stored", one.id))
            known.add(one.id)
        return looked

    def _digest(self) -> Digest:
        return make_digest(tuple(self._storage.brands.all()), self._languages, self._scorer)  # type: ignore[arg-type] # by identity


@lru_cache(maxsize=1)
def make_digest(brands: tuple[Brand, ...], languages: tuple[str, ...], scorer: Scorer) -> Digest:
    """The digest of these brands; the last one is kept, since queries are read far more often than changed."""
    return Digest(Watched.compile(brands), Languages(languages), scorer)


def _read(item: Any, base: str | None) -> Post | Taken:
    try:
        return read_post(item, base)
    except Unfit as error:
        name = item.get("id") if isinstance(item, Mapping) else None
        known_as = name if isinstance(name, str) and error.field != "id" else None
        return Taken("refused", known_as and one_line(known_as, ID_LIMIT), field=error.field, reason=str(error))


def _became(
    post: Post,
    before: KnownPost | None,
    after: KnownPost | None,
    heard: tuple[int, tuple[tuple[str, Label], ...]] | None,
    *,
    again: bool,
) -> Taken:
    """`again`: an item before it in the same batch was the same post."""
    if after is None or heard is None:
        return Taken("refused", post.id, reason=NOT_STORED)
    result: Result = "known"
    if not again:
        result = "stored" if before is None else "edited" if before.said != after.said else "known"
    post_id, mentions = heard
    return Taken(result, post.id, post_id, mentions)


def _sample(item: Any) -> str:
    """How it begins, for whoever looks into the quarantine."""
    if not isinstance(item, Mapping):
        return str(item)[:SAMPLE_LIMIT] if isinstance(item, str | int | float) else type(item).__name__
    shown = (f"{name}: {value}"[:SAMPLE_LIMIT] for name, value in item.items() if isinstance(value, str | int | float))
    return clean("; ".join(shown), SAMPLE_LIMIT)


def _batch(source: Source, rows: Sequence[Any], rejects: Sequence[Reject], now: datetime) -> CollectBatch:
    return CollectBatch(
        source_id=source.id,
        owner=None,
        items=rows,
        rejects=rejects,
        cursor={},
        etag=None,
        last_modified=None,
        body_hash=None,
        next_due_at=now + timedelta(seconds=source.interval_s),
        adaptive_interval_s=None,
    )
