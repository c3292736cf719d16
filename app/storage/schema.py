"""Which version the tables have, and how they get to ours. Alembic is only woken when there is something to do."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from app.storage.database import Database
from app.storage.records import StorageError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0004"  # the newest of migrations/versions
FOLDER = Path(__file__).parents[2] / "migrations"

_LOCK = 4715028  # of pg_advisory_xact_lock: one migration at a time


def version(database: Database) -> str | None:
    """The version that the tables have; None when there are none yet."""
    if database.place.path is not None and not database.place.path.exists():
        return None
    with database.read() as connection:
        return _version(connection)


def migrate(database: Database) -> None:
    """Bring the tables to `HEAD`, in one transaction. Does nothing, fast, when they are there already."""
    current = version(database)
    if current == HEAD:
        return
    _refuse_newer(current, database.place.name)
    with database.alter() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        from alembic import command  # half a second of imports, needed once per upgrade

        command.upgrade(alembic_config(connection), "head")  # nothing, if another process did it while we waited


def check(database: Database) -> None:
    """Raises `StorageError` unless the tables have exactly our version."""
    current = version(database)
    if current == HEAD:
        return
    _refuse_newer(current, database.place.name)
    found = "has no tables yet" if current is None else f"has tables of version {current}, this Avizor needs {HEAD}"
    raise StorageError(f"{database.place.name} {found}. Run `avizor migrate`")


def alembic_config(connection: Connection) -> "Config":
    """How migrations/env.py is told to work on this connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _refuse_newer(current: str | None, name: str) -> None:
    if current is not None and current > HEAD:
        raise StorageError(
            f"{name} was written by a newer Avizor (tables of version {current}, this one knows {HEAD}). "
            "Upgrade Avizor, or restore the backup from before the upgrade"
        )
