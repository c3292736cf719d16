"""Where Alembic gets its connection: from whoever called it, else from Avizor's own settings.

    Storage.migrate()        config.attributes["connection"]
    alembic check | upgrade  -x url=..., config.attributes["url"], else app.settings (AVIZOR_DATABASE_URL)

One run is one transaction (`Database.alter`), on SQLite too: its DDL is transactional where the driver leaves BEGIN to
us.
"""

from typing import Literal

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.sql.schema import SchemaItem

from app.storage.database import Database, Place
from app.tables import Instant, metadata

NOT_IN_METADATA = "mention_search"  # app/storage/search.py; SQLite adds mention_search_data, _idx and _config by itself


def include_object(_item: SchemaItem, name: str | None, kind: str, _reflected: bool, _other: SchemaItem | None) -> bool:
    return not (kind == "table" and name is not None and name.startswith(NOT_IN_METADATA))


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "table" and name is not None and name.startswith(NOT_IN_METADATA))


def render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """A migration is a record of its day: it names the column types of SQL, not classes of ours that may change."""
    return "sa.BigInteger()" if kind == "type" and isinstance(item, Instant) else False


def url() -> str:
    given = context.get_x_argument(as_dictionary=True).get("url") or context.config.attributes.get("url")
    if given:
        return str(given)
    from app.settings import load_settings

    return load_settings().database_url


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=include_object,
        include_name=include_name,
        compare_type=True,
        render_item=render_item,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("migrations run on a database, not into a script: some of them move data")

given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with Database(Place.of(url())).alter() as connection:
        run(connection)
