"""Whom we watch."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from app.model import Brand, Planned
from app.storage.database import Database
from app.tables import brands, watches


class Brands:
    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, include_archived: bool = False) -> list[Brand]:
        """By name of their slug."""
        query = select(brands).order_by(brands.c.slug)
        if not include_archived:
            query = query.where(brands.c.archived_at.is_(None))
        with self._database.read() as connection:
            return [brand_of(row) for row in connection.execute(query)]

    def get(self, slug: str) -> Brand | None:
        """An archived brand too: see `archived_at`."""
        with self._database.read() as connection:
            row = connection.execute(select(brands).where(brands.c.slug == slug)).first()
            return None if row is None else brand_of(row)

    def by_id(self, brand_id: int) -> Brand | None:
        with self._database.read() as connection:
            row = connection.execute(select(brands).where(brands.c.id == brand_id)).first()
            return None if row is None else brand_of(row)


def put(connection: Connection, brand: Brand, now: datetime) -> bool:
    """Make or change the brand with this slug; an archived one comes back. True when its query is news."""
    stored = connection.execute(select(brands).where(brands.c.slug == brand.slug)).first()
    values = {
        "name": brand.name,
        "query": brand.query,
        "language": brand.language,
        "time_zone": brand.time_zone,
        "competitor": brand.competitor,
        "channels": list(brand.channels),
        "events": [
            {"name": one.name, "since": one.since.isoformat(), "until": one.until.isoformat()} for one in brand.events
        ],
        "origin": brand.origin,
        "archived_at": None,
    }
    if stored is not None:
        connection.execute(update(brands).where(brands.c.id == stored.id).values(**values))
    else:
        made = insert(brands).values(slug=brand.slug, created_at=now, **values).returning(brands.c.id)
        brand_id = connection.execute(made).scalar_one()
        connection.execute(insert(watches).values(brand_id=brand_id, mentions=0, restated=0, judged_revision=0))
    return stored is None or stored.query != brand.query or stored.archived_at is not None


def archive(connection: Connection, slug: str, now: datetime) -> bool:
    """False when there is no such brand."""
    return bool(connection.execute(update(brands).where(brands.c.slug == slug).values(archived_at=now)).rowcount)


def brand_of(row: Row[Any]) -> Brand:
    return Brand(
        id=row.id,
        slug=row.slug,
        name=row.name,
        query=row.query,
        language=row.language,
        time_zone=row.time_zone,
        competitor=row.competitor,
        channels=tuple(row.channels),
        origin=row.origin,
        archived_at=row.archived_at,
        events=tuple(_planned(event) for event in row.events),
    )


def _planned(event: Mapping[str, str]) -> Planned:
    since, until = (datetime.fromisoformat(event[name]).astimezone(UTC) for name in ("since", "until"))
    return Planned(event["name"], since, until)
