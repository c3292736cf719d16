"""What became of stored posts: counted again, changed by their authors, taken back.

    counts   what others did with it, the last that is known of each kind                              > post
    edits    the old words | the new ones > versions, post, its search words; its mentions are to be heard again
    gone     > its words, author, link, versions and search words erased

A post that was taken back was said, and when it was: it still counts, and its tone stays what it was. It never comes
back. An edited one stays in its story, and stays a mention of whom it named before: that was said too.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, select, tuple_, update

from app.storage import search, tones
from app.storage.database import chunks, dialect_of, insert_rows, is_in
from app.storage.records import KnownPost, Version
from app.tables import mentions, post_versions, posts, to_ms
from collectors.base import Post

MOST_VERSIONS = 20  # of one post: the first, and the last ones
VERSION_EVERY = timedelta(hours=1)  # a feed that shows a counter says something else each time


@dataclass(frozen=True, slots=True)
class Edit:
    """A post as its author left it. `found`: it is a mention, and so has search words."""

    post_id: int
    title: str
    text: str
    rating: int | None
    edited_at: datetime
    found: bool


@dataclass(frozen=True, slots=True)
class Counts:
    post_id: int
    engagement: Mapping[str, int]
    reach: int | None


def digest_of(title: str, text: str, *, reply: bool) -> bytes:
    """16 bytes that stay the same while a post says the same, in any white space. A reply has no title of its own."""
    said = "\0".join(" ".join(part.split()) for part in ("" if reply else title, text))
    return hashlib.blake2b(said.encode(errors="replace"), digest_size=16).digest()


def is_edited(post: Post, known: KnownPost, source_id: int) -> bool:
    """Only the source that a post came from changes it: two may show one post differently, and would take turns.

    A post that says nothing at all is no edit, but an answer about something else than its words.
    """
    if known.source_id != source_id or known.withdrawn or not (post.title.strip() or post.text.strip()):
        return False
    rated = post.rating is not None and post.rating != known.rating
    return rated or digest_of(post.title, post.text, reply=post.reply) != known.said


def is_counted_anew(post: Post, known: KnownPost) -> bool:
    """It has another count than the last that is known."""
    reach = known.reach if post.reach is None else post.reach
    return not known.withdrawn and (engaged(post, known) != known.engagement or reach != known.reach)


def engaged(post: Post, known: KnownPost) -> dict[str, int]:
    """The last that is known of each count: what a source does not tell this time is not 0."""
    return {**known.engagement, **post.engagement}


def count(connection: Connection, counts: Sequence[Counts]) -> None:
    if counts:
        counted = update(posts).where(posts.c.id == bindparam("post"))
        values = [
            {"post": one.post_id, "new_engagement": dict(one.engagement) or None, "new_reach": one.reach}
            for one in counts
        ]
        connection.execute(counted.values(**_new("engagement", "reach")), values)


def edit(connection: Connection, edits: Sequence[Edit], now: datetime) -> None:
    """The words that these posts have had become versions, unless one was kept within the hour."""
    if not edits:
        return
    before = {row.id: row for row in _words(connection, [one.post_id for one in edits])}
    other = [one for one in edits if (one.title, one.text) != (before[one.post_id].title, before[one.post_id].text)]
    _keep_versions(connection, [before[one.post_id] for one in other], now)
    changed = update(posts).where(posts.c.id == bindparam("post"))
    values = [
        {
            "post": one.post_id,
            "new_title": one.title,
            "new_text": one.text,
            "new_rating": one.rating,
            "new_edited_at": one.edited_at,
        }
        for one in edits
    ]
    connection.execute(changed.values(**_new("title", "text", "rating", "edited_at")), values)
    findable = [one for one in other if one.found]
    search.drop(connection, [_searchable(before[one.post_id]) for one in findable])
    search.add(connection, [(one.post_id, search.searchable(one.title, one.text)) for one in findable])
    tones.change_words(connection, sorted(one.post_id for one in edits if one.found), now, again=True)


def withdraw(connection: Connection, keys: Iterable[bytes], now: datetime) -> int:
    """Erase what the posts with these dedupe keys said. Returns how many there were to erase."""
    number = 0
    for some in chunks(list(dict.fromkeys(keys))):
        named: Select[Any] = select(posts.c.id, posts.c.title, posts.c.text).where(
            is_in(posts.c.dedupe_key, some, dialect_of(connection)), posts.c.withdrawn_at.is_(None)
        )
        rows: dict[int, Row[Any]] = {row.id: row for row in connection.execute(named)}
        ids = sorted(rows)
        of_these = is_in(mentions.c.post_id, ids, dialect_of(connection))
        found = sorted(set(connection.execute(select(mentions.c.post_id).where(of_these)).scalars()))
        search.drop(connection, [_searchable(rows[post_id]) for post_id in found])
        tones.change_words(connection, found, now, again=False)
        connection.execute(delete(post_versions).where(is_in(post_versions.c.post_id, ids, dialect_of(connection))))
        erased = {"title": "", "text": "", "author": None, "url": None, "external_id": None, "recount_at": None}
        these = is_in(posts.c.id, ids, dialect_of(connection))
        connection.execute(update(posts).where(these).values(**erased, withdrawn_at=now))
        number += len(ids)
    return number


def versions(connection: Connection, post_id: int) -> list[Version]:
    """What a post said before, oldest first."""
    rows = connection.execute(_versions_of([post_id], connection).order_by(post_versions.c.at))
    return [Version(row.at, row.title, row.text) for row in rows]


def _words(connection: Connection, post_ids: Sequence[int]) -> list[Row[Any]]:
    rows: list[Row[Any]] = []
    for some in chunks(post_ids):
        query = select(posts.c.id, posts.c.title, posts.c.text).where(is_in(posts.c.id, some, dialect_of(connection)))
        rows += connection.execute(query)
    return rows


def _searchable(row: Row[Any]) -> tuple[int, str]:
    return row.id, search.searchable(row.title, row.text)


def _keep_versions(connection: Connection, rows: Sequence[Row[Any]], now: datetime) -> None:
    kept: defaultdict[int, list[datetime]] = defaultdict(list)
    for some in chunks([row.id for row in rows]):
        for version in connection.execute(_versions_of(some, connection).order_by(post_versions.c.at)):
            kept[version.post_id].append(version.at)
    due = [row for row in rows if not kept[row.id] or kept[row.id][-1] <= now - VERSION_EVERY]
    columns = ("post_id", "at", "title", "text")
    insert_rows(connection, post_versions, columns, [(row.id, to_ms(now), row.title, row.text) for row in due])
    # Without the first, which is what was judged, and the last ones.
    spare = [(row.id, at) for row in due for at in kept[row.id][1 : max(1, len(kept[row.id]) - MOST_VERSIONS + 2)]]
    for some_spare in chunks(spare):
        these = tuple_(post_versions.c.post_id, post_versions.c.at).in_(some_spare)
        connection.execute(delete(post_versions).where(these))


def _versions_of(post_ids: Sequence[int], connection: Connection) -> Select[Any]:
    return select(post_versions).where(is_in(post_versions.c.post_id, post_ids, dialect_of(connection)))


def _new(*names: str) -> dict[str, Any]:
    return {name: bindparam(f"new_{name}", type_=posts.c[name].type) for name in names}
