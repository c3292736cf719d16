"""How far each brand has been judged. A brand is due when a bin has closed, or when its volumes changed."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Row, bindparam, func, or_, select, update

from alerts.spike import BIN_S
from app.storage import journal
from app.storage.brands import brand_of
from app.storage.database import Database
from app.storage.records import Judged, Watch
from app.storage.volumes import put_coverage
from app.tables import EPOCH, brands, watches

GRACE = timedelta(seconds=60)  # a bin is judged this long after it closed: what is on its way may still arrive
BIN = timedelta(seconds=BIN_S)

_REVISION = watches.c.mentions + watches.c.restated
_STATE = (
    watches.c.evaluated_through,
    watches.c.evaluated_at,
    watches.c.spike,
    watches.c.memory,
    _REVISION.label("revision"),
)


class Watches:
    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, now: datetime) -> list[Watch]:
        """Brands to judge now, those that waited longest first."""
        closed = closed_through(now)
        through = watches.c.evaluated_through
        query = (
            select(brands, *_STATE)
            .join(watches, watches.c.brand_id == brands.c.id)
            .where(brands.c.archived_at.is_(None))
            # Judged through the future: the clock was set back since.
            .where(or_(through.is_(None), through < closed, through > now, watches.c.judged_revision < _REVISION))
            .order_by(watches.c.evaluated_at.asc().nulls_first(), brands.c.id)
        )
        with self._database.read() as connection:
            return [_watch(row) for row in connection.execute(query)]

    def get(self, brand_id: int) -> Watch | None:
        query = select(brands, *_STATE).join(watches, watches.c.brand_id == brands.c.id).where(brands.c.id == brand_id)
        with self._database.read() as connection:
            row = connection.execute(query).first()
            return None if row is None else _watch(row)

    def last(self) -> datetime | None:
        """When a brand was last judged: a service that runs does so every five minutes."""
        with self._database.read() as connection:
            last: datetime | None = connection.execute(select(func.max(watches.c.evaluated_at))).scalar()
            return last

    def save(self, judged: Judged, now: datetime) -> None:
        """Write a verdict that changed no incident; one that did goes with `incidents.save`."""
        with self._database.write() as connection:
            save(connection, judged, now)

    def unchanged(self, brand_id: int, revision: int) -> None:
        """The brand was looked at again: nothing that a verdict goes by is other than at the last one."""
        with self._database.write() as connection:
            seen = update(watches).where(watches.c.brand_id == brand_id).values(judged_revision=revision)
            connection.execute(seen)


def closed_through(now: datetime) -> datetime:
    """The end of the last 300 s bin that closed long enough ago to be judged."""
    ready = now - GRACE
    return ready - (ready - EPOCH) % BIN


def save(connection: Connection, judged: Judged, now: datetime) -> None:
    connection.execute(
        update(watches)
        .where(watches.c.brand_id == judged.brand_id)
        .values(
            evaluated_through=judged.evaluated_through,
            evaluated_at=now,
            spike=dict(judged.spike),
            memory=judged.memory,
            judged_revision=_REVISION if judged.revision is None else judged.revision,
        )
    )
    put_coverage(connection, judged.brand_id, list(judged.coverage))
    if judged.verdict is not None:
        journal.write(connection, judged.brand_id, judged.verdict)
    if judged.keep_memory and judged.memory is not None:
        journal.keep(connection, judged.brand_id, now, judged.memory)


def grow(connection: Connection, mentions: Mapping[int, int]) -> None:
    """So many mentions were stored, by brand id: its volumes are other ones now."""
    _raise(connection, watches.c.mentions, mentions)


def restate(connection: Connection, mentions: Mapping[int, int]) -> None:
    """Of so many stored mentions the tone was changed, by brand id: its volumes are other ones now."""
    _raise(connection, watches.c.restated, mentions)


def _raise(connection: Connection, counter: Column[int], numbers: Mapping[int, int]) -> None:
    if numbers:
        one = (
            update(watches)
            .where(watches.c.brand_id == bindparam("brand"))
            .values({counter.name: counter + bindparam("more")})
        )
        # In the order of their ids, so that two transactions never wait for each other.
        connection.execute(one, [{"brand": brand_id, "more": number} for brand_id, number in sorted(numbers.items())])


def _watch(row: Row[Any]) -> Watch:
    return Watch(brand_of(row), row.evaluated_through, row.evaluated_at, row.spike, row.revision, row.memory)
