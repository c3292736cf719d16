"""Who may call the API. Only the SHA-256 of a key is kept."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, exists, insert, select, update

from app.model import ApiKey
from app.storage.database import Database
from app.tables import api_keys

TOUCHED = timedelta(minutes=1)  # `last_used_at` is this exact: not every request is a write


class Keys:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, key: ApiKey, sha256: bytes) -> None:
        with self._database.write() as connection:
            connection.execute(
                insert(api_keys).values(
                    id=key.id,
                    name=key.name,
                    sha256=sha256,
                    role=key.role,
                    brands=None if key.brands is None else list(key.brands),
                    created_at=key.created_at,
                    last_used_at=key.last_used_at,
                    expires_at=key.expires_at,
                    revoked_at=key.revoked_at,
                )
            )

    def get(self, key_id: str) -> tuple[ApiKey, bytes] | None:
        """The key and its SHA-256, revoked and expired ones too."""
        with self._database.read() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).first()
            return None if row is None else (_key(row), bytes(row.sha256))

    def all(self) -> list[ApiKey]:
        """Oldest first, revoked and expired ones too."""
        with self._database.read() as connection:
            query = select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
            return [_key(row) for row in connection.execute(query)]

    def any(self) -> bool:
        """Was a key ever made?"""
        with self._database.read() as connection:
            return bool(connection.execute(select(exists(select(api_keys.c.id)))).scalar())

    def revoke(self, key_id: str, now: datetime) -> bool:
        """False when there is no such key. The instant of the first revocation stays."""
        with self._database.write() as connection:
            found = connection.execute(select(api_keys.c.id).where(api_keys.c.id == key_id)).first()
            still_good = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
            connection.execute(update(api_keys).where(still_good).values(revoked_at=now))
            return found is not None

    def touch(self, key_id: str, now: datetime) -> None:
        """Note that the key was used, to the minute."""
        stale = (api_keys.c.id == key_id) & (
            api_keys.c.last_used_at.is_(None)
            | (api_keys.c.last_used_at <= now - TOUCHED)
            | (api_keys.c.last_used_at > now)
        )
        with self._database.read() as connection:
            if connection.execute(select(api_keys.c.id).where(stale)).first() is None:
                return
        with self._database.write() as connection:
            connection.execute(update(api_keys).where(stale).values(last_used_at=now))


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        role=row.role,
        brands=None if row.brands is None else tuple(row.brands),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
