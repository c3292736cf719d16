"""Crises and their timelines. A change, its event, its deliveries and the verdict behind it are one transaction.

Two who change the same incident at once: the second finds another version than it read, and gets `Conflict`. That a
brand has one unresolved incident a cause at most is a unique index, not a hope.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from alerts.incident import Change, Event, Incident
from app.storage import deliveries, watches
from app.storage.database import Database, fields_of
from app.storage.records import Conflict, IncidentSave
from app.tables import brands as brand_table
from app.tables import incident_events, incidents


class Incidents:
    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self, brand_id: int) -> list[Incident]:
        """The brand's unresolved incidents, the oldest first."""
        query = select(incidents).where(incidents.c.brand_id == brand_id, incidents.c.state != "resolved")
        with self._database.read() as connection:
            return [_incident(row) for row in connection.execute(query.order_by(incidents.c.opened_at, incidents.c.id))]

    def since(self, brand_id: int, since: datetime) -> list[Incident]:
        """The brand's incidents that are unresolved, or were until `since` or later; the oldest first."""
        alive = (incidents.c.state != "resolved") | (incidents.c.resolved_at >= since)
        query = select(incidents).where(incidents.c.brand_id == brand_id, alive)
        with self._database.read() as connection:
            return [_incident(row) for row in connection.execute(query.order_by(incidents.c.opened_at, incidents.c.id))]

    def get(self, incident_id: str) -> Incident | None:
        with self._database.read() as connection:
            row = connection.execute(select(incidents).where(incidents.c.id == incident_id)).first()
            return None if row is None else _incident(row)

    def page(
        self,
        brands: Sequence[str] | None = None,
        states: Sequence[str] | None = None,
        before: tuple[datetime, str] | None = None,
        limit: int = 50,
    ) -> list[Incident]:
        """Newest first. None = any. `before` is (opened_at, id) of the last one of the page before."""
        query = select(incidents).order_by(incidents.c.opened_at.desc(), incidents.c.id.desc()).limit(limit)
        if brands is not None:
            named = select(brand_table.c.id).where(brand_table.c.slug.in_(brands))
            query = query.where(incidents.c.brand_id.in_(named))
        if states is not None:
            query = query.where(incidents.c.state.in_(states))
        if before is not None:
            query = query.where(tuple_(incidents.c.opened_at, incidents.c.id) < before)
        with self._database.read() as connection:
            return [_incident(row) for row in connection.execute(query)]

    def events(self, incident_id: str) -> list[Event]:
        """The timeline, oldest first."""
        query = (
            select(incident_events).where(incident_events.c.incident_id == incident_id).order_by(incident_events.c.seq)
        )
        with self._database.read() as connection:
            return [_event(row) for row in connection.execute(query)]

    def save(self, save: IncidentSave, now: datetime) -> None:
        """Write a change with all that goes with it, all or nothing.

        Raises `Conflict` when an incident changed since it was read, or when the brand has another unresolved one of
        the same cause by now: read again and decide again.
        """
        with self._database.write() as connection:
            for one in (save, *save.also):
                _write(connection, one.change)
                deliveries.add(connection, one.deliveries, now)
            if save.judged is not None:
                watches.save(connection, save.judged, now)


def _write(connection: Connection, change: Change) -> None:
    if change.event is not None and change.incident.version == 1:
        _open(connection, change.incident)
    else:
        _change(connection, change.incident, change.incident.version - (change.event is not None))
    if change.event is not None:
        connection.execute(insert(incident_events).values(**fields_of(change.event)))


def _open(connection: Connection, incident: Incident) -> None:
    insert_into = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = insert_into(incidents).values(**fields_of(incident)).on_conflict_do_nothing().returning(incidents.c.id)
    if connection.execute(row).first() is None:
        raise Conflict(f"brand {incident.brand_id} has an unresolved incident of cause {incident.cause} already")


def _change(connection: Connection, incident: Incident, expected: int) -> None:
    as_read = (incidents.c.id == incident.id) & (incidents.c.version == expected)
    if not connection.execute(update(incidents).where(as_read).values(**fields_of(incident))).rowcount:
        raise Conflict(f"incident {incident.id} is not at version {expected} any more")


def _incident(row: Row[Any]) -> Incident:
    return Incident(**row._mapping)


def _event(row: Row[Any]) -> Event:
    return Event(**row._mapping)
