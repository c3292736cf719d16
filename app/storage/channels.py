"""Where alerts go. What must not be shown (address, signing secret) is kept sealed."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from alerts.base import Channel
from app.storage.database import Database
from app.storage.sealing import Vault, open_mapping, seal_mapping
from app.tables import channels


class Channels:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def all(self, include_archived: bool = False) -> list[Channel]:
        query = select(channels).order_by(channels.c.slug)
        if not include_archived:
            query = query.where(channels.c.archived_at.is_(None))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [channel_of(row, self._vault) for row in rows]

    def get(self, slug: str) -> Channel | None:
        """An archived channel too: it is not `enabled`."""
        with self._database.read() as connection:
            row = connection.execute(select(channels).where(channels.c.slug == slug)).first()
        return None if row is None else channel_of(row, self._vault)


def put(connection: Connection, channel: Channel, vault: Vault, now: datetime) -> None:
    """Make or change the channel with this slug; an archived one comes back. An empty secret keeps the stored one."""
    values: dict[str, Any] = {
        "name": channel.name,
        "kind": channel.kind,
        "settings": dict(channel.settings),
        "language": channel.language,
        "min_severity": channel.min_severity,
        "enabled": channel.enabled,
        "disabled_reason": channel.disabled_reason,
        "origin": channel.origin,
        "archived_at": None,
    }
    if channel.secret:
        values["secret"] = seal_mapping(vault, dict(channel.secret))
    changed = connection.execute(update(channels).where(channels.c.slug == channel.slug).values(**values))
    if not changed.rowcount:
        values.setdefault("secret", seal_mapping(vault, {}))
        connection.execute(insert(channels).values(slug=channel.slug, created_at=now, **values))


def archive(connection: Connection, slug: str, now: datetime) -> bool:
    """False when there is no such channel."""
    return bool(connection.execute(update(channels).where(channels.c.slug == slug).values(archived_at=now)).rowcount)


def channel_of(row: Row[Any], vault: Vault) -> Channel:
    archived = row.archived_at is not None
    return Channel(
        id=row.id,
        slug=row.slug,
        name=row.name,
        kind=row.kind,
        settings=row.settings,
        secret=open_mapping(vault, row.secret),
        language=row.language,
        min_severity=row.min_severity,
        enabled=row.enabled and not archived,
        disabled_reason="archived" if archived else row.disabled_reason,
        origin=row.origin,
    )
