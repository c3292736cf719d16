"""Pages of what is newest, from several streams that an index yields in that order already."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, select, union_all
from sqlalchemy.sql.selectable import FromClause

MOST_STREAMS = 100  # that one statement merges; SQLite takes 500 at most


def falling(rows: FromClause, names: Sequence[str]) -> list[ColumnElement[Any]]:
    return [rows.c[name].desc() for name in names]


def merge(streams: Sequence[Select[Any]], names: Sequence[str], limit: int) -> Select[Any]:
    """The first `limit` rows of all streams together; each is in the order of `names`, falling."""
    first = [stream.limit(limit) for stream in streams]
    if len(first) == 1:
        return first[0]
    merged = union_all(*(select(stream.subquery()) for stream in first)).subquery("merged")
    return select(merged).order_by(*falling(merged, names)).limit(limit)
