"""What was sent to an inbox under a key of the sender's: the same key and the same body have the same answer again.

    begin: is the key free? | marked as under way | posts are stored (`posts.store_all`) | finish: the answer is kept

A process that dies between the two leaves a key that is under way: sent again, the posts are known by their dedupe
keys, so that nothing is stored twice. Keys are kept for seven days.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, select, update

from app.model import Label
from app.storage.database import Database, chunks, dialect_of, insert_rows, is_in, to_json
from app.storage.records import Conflict
from app.tables import LABEL_NAMES, brands, mentions, posts, submissions, to_ms

KEPT = timedelta(days=7)
_UNDER_WAY: Mapping[str, Any] = {}


class Submissions:
    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, source_id: int, key: str, body_hash: bytes, now: datetime) -> Mapping[str, Any] | None:
        """The answer that this key has had; None: there is none yet. Raises `Conflict` where it came with another
        body.
        """
        row = (source_id, key, to_ms(now), body_hash, to_json(_UNDER_WAY))
        columns = ("source_id", "key", "at", "body_hash", "answer")
        with self._database.write() as connection:
            connection.execute(delete(submissions).where(submissions.c.at < now - KEPT))
            insert_rows(connection, submissions, columns, [row], conflict="ON CONFLICT DO NOTHING")
            kept = select(submissions.c.body_hash, submissions.c.answer).where(*_one(source_id, key))
            before = connection.execute(kept).one()
        if bytes(before.body_hash) != body_hash:
            raise Conflict(f"the key {key!r} was used with another body")
        return before.answer or None

    def finish(self, source_id: int, key: str, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keep the answer of a key that is under way, and give the one that stands: the first, of those that several
        workers came to at once.
        """
        with self._database.write() as connection:
            kept = select(submissions.c.answer).where(*_one(source_id, key)).with_for_update()
            before: Mapping[str, Any] | None = connection.execute(kept).scalar()
            if before:
                return before
            connection.execute(update(submissions).where(*_one(source_id, key)).values(answer=answer))
        return answer

    def heard(self, keys: Sequence[bytes]) -> dict[bytes, tuple[int, tuple[tuple[str, Label], ...]]]:
        """By dedupe key, of what is stored: the post's id, and (brand slug, label that counts) of its mentions."""
        found: dict[bytes, tuple[int, tuple[tuple[str, Label], ...]]] = {}
        with self._database.read() as connection:
            for some in chunks(keys):
                query = (
                    select(posts.c.dedupe_key, posts.c.id, brands.c.slug, mentions.c.label)
                    .outerjoin(mentions, mentions.c.post_id == posts.c.id)
                    .outerjoin(brands, brands.c.id == mentions.c.brand_id)
                    .where(is_in(posts.c.dedupe_key, some, dialect_of(connection)))
                    .order_by(brands.c.slug)
                )
                for row in connection.execute(query):
                    _, before = found.get(bytes(row.dedupe_key), (row.id, ()))
                    said = ((row.slug, LABEL_NAMES[row.label]),) if row.slug else ()
                    found[bytes(row.dedupe_key)] = (row.id, (*before, *said))
        return found


def _one(source_id: int, key: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return submissions.c.source_id == source_id, submissions.c.key == key
