"""Finding mentions by the words in them. We fold and split; the databases only look words up, so both find the same.

    SQLite       FTS5 without the texts; its `ascii` tokenizer splits at our spaces and nowhere else
    PostgreSQL   a side table with a tsvector made of our words, and a GIN index

All words of a search must occur, in any order. What a person types never reaches the databases' query languages: only
words do, each quoted. The table is made in migrations/versions/0001_initial.py.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, cast, column, literal, literal_column, select, table
from sqlalchemy.dialects.postgresql import TSQUERY

from app.query.fold import words
from app.storage.database import Dialect

LONGEST_TEXT = 50_000  # characters of a post that are searchable
LONGEST_WORD = 64  # characters of a word that count
MOST_WORDS = 16  # words of a search that count

_NAME = "mention_search"
_FTS5 = f"INSERT INTO {_NAME} (rowid, words) VALUES (?, ?)"  # noqa: S608
_FTS5_DROP = f"INSERT INTO {_NAME} ({_NAME}, rowid, words) VALUES ('delete', ?, ?)"  # noqa: S608
_TSVECTOR = (
    f"INSERT INTO {_NAME} (post_id, words)"  # noqa: S608
    " SELECT v.id, array_to_tsvector(string_to_array(v.words, ' '))"
    " FROM unnest(%s::bigint[], %s::text[]) AS v(id, words)"
)


def searchable(title: str, text: str) -> str:
    """The words of a post, one space between them."""
    return " ".join(_words(f"{title}\n{text}"))


def wanted(search: str) -> list[str]:
    """The different words that a person asks for; none when there is no word in it."""
    return list(dict.fromkeys(_words(search)))[:MOST_WORDS]


def add(connection: Connection, rows: Sequence[tuple[int, str]]) -> None:
    """Make posts findable: (post id, its searchable words)."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_FTS5, list(rows))
    else:
        connection.exec_driver_sql(_TSVECTOR, ([post_id for post_id, _ in rows], [words for _, words in rows]))


def drop(connection: Connection, rows: Sequence[tuple[int, str]]) -> None:
    """Make posts not findable any more: (post id, the words that it was added with, which SQLite has to be told)."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_FTS5_DROP, list(rows))
    else:
        ids = [post_id for post_id, _ in rows]
        connection.exec_driver_sql(f"DELETE FROM {_NAME} WHERE post_id = ANY(%s)", (ids,))  # noqa: S608


def posts_with(asked: Sequence[str], dialect: Dialect, first_id: int = 0) -> Select[Any]:
    """The ids of the posts from `first_id` on that have all these words (at least one word)."""
    if dialect == "sqlite":
        query = " AND ".join('"' + word.replace('"', '""') + '"' for word in asked)
        index = table(_NAME, column("rowid", BigInteger))
        matches = literal_column(_NAME).op("MATCH")(literal(query))
        return select(index.c.rowid.label("post_id")).where(matches, index.c.rowid >= first_id)
    query = " & ".join("'" + word.replace("\\", "\\\\").replace("'", "''") + "'" for word in asked)
    index = table(_NAME, column("post_id", BigInteger), column("words"))
    return select(index.c.post_id).where(index.c.words.op("@@")(cast(query, TSQUERY)), index.c.post_id >= first_id)


def _words(text: str) -> list[str]:
    found = words(text[:LONGEST_TEXT])
    if found and max(map(len, found)) > LONGEST_WORD:
        return [word[:LONGEST_WORD] for word in found]
    return found
