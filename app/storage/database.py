"""One database, two doors: `read` and `write`. A `with` block is a transaction, and a fault comes out in words.

    SQLite       one connection writes (BEGIN IMMEDIATE; its pool of one is the writer's lock), others read snapshots
    PostgreSQL   connections are checked before use; reads are read-only and may not run long

A committed transaction survives kill -9 and a power cut: WAL with `synchronous=FULL` (with NORMAL a power cut takes the
last commits along). Statements never show their parameters in an error or a log.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import orjson
from sqlalchemy import (
    ARRAY,
    URL,
    ColumnElement,
    Connection,
    Engine,
    any_,
    create_engine,
    event,
    literal,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool, QueuePool
from sqlalchemy.schema import Table

from app.storage.faults import explain
from app.storage.records import StorageError

Dialect = Literal["sqlite", "postgresql"]
T = TypeVar("T")

BUSY_TIMEOUT_S = 5  # how long SQLite waits for another process's write
WRITER_TIMEOUT_S = 30  # how long a write waits for the writes before it in this process
READ_TIMEOUT_S = 15  # no answer that a person waits for takes longer
CONNECT_TIMEOUT_S = 5
READERS = 8
LOOKUP_SIZE = 500  # values in one IN list
_LOCK = 4715029  # of pg_advisory_xact_lock

_EVERY_CONNECTION = ("PRAGMA foreign_keys=ON", "PRAGMA temp_store=MEMORY")
_WRITER = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA cache_size=-65536",  # KiB
    "PRAGMA wal_autocheckpoint=4000",  # pages: 16 MiB
    "PRAGMA journal_size_limit=67108864",
)
_READER = ("PRAGMA query_only=ON", "PRAGMA cache_size=-16384")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the database is. `name` says it in words, without a password; `path` is SQLite's file."""

    url: URL
    dialect: Dialect
    name: str
    path: Path | None = None

    @classmethod
    def of(cls, database_url: str) -> "Place":
        """Raises `StorageError` when the address cannot be a database of ours. The address is never repeated in it."""
        try:
            url = make_url(database_url)
        except ArgumentError:
            raise StorageError(
                "the database address cannot be read: sqlite:///PATH or postgresql://USER@HOST/NAME"
            ) from None
        kind = url.drivername.partition("+")[0]
        if kind == "sqlite" and url.database and url.database != ":memory:":
            path = Path(url.database).absolute()
            return cls(url, "sqlite", str(path), path)
        if kind in ("postgresql", "postgres"):
            host = url.host or url.query.get("host") or "the local socket"
            name = f"the PostgreSQL database {url.database or url.username} at {host}"
            return cls(url.set(drivername="postgresql+psycopg"), "postgresql", name)
        raise StorageError("a database is either a file, sqlite:///PATH, or a server, postgresql://USER@HOST/NAME")


class Database:
    """The engines of one place, and the transactions on them."""

    def __init__(self, place: Place) -> None:
        self.place = place
        if place.path is None:
            self._writer = _postgresql(place.url)
            self._reader = _postgresql(place.url, read_only=True)
        else:
            _check_folder(place.path)
            self._writer = _sqlite(place.path, (*_EVERY_CONNECTION, *_WRITER), "BEGIN IMMEDIATE", size=1)
            self._reader = _sqlite(place.path, (*_EVERY_CONNECTION, *_READER), "BEGIN", size=READERS)

    @property
    def dialect(self) -> Dialect:
        return self.place.dialect

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read-only transaction. Raises `StorageError` when the database cannot be used."""
        with self._transaction(self._reader) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed at the end of the block, or not at all. Raises `StorageError` likewise."""
        with self._transaction(self._writer) as connection:
            yield connection

    @contextmanager
    def alter(self) -> Iterator[Connection]:
        """A transaction for migrations: makes SQLite's file if there is none, and takes any time.

        SQLite alters a table by copying it, which foreign keys would turn into a deletion of whatever points at it. So
        they are off here, and checked at the end.
        """
        if self.place.path is None:
            engine = create_engine(self.place.url, poolclass=NullPool, hide_parameters=True)
        else:
            _make_private(self.place.path, self.place.name)
            engine = _sqlite(self.place.path, ("PRAGMA foreign_keys=OFF", *_WRITER), "BEGIN IMMEDIATE", size=1)
        try:
            with self._transaction(engine) as connection:
                yield connection
                _check_foreign_keys(connection, self.place.name)
        finally:
            engine.dispose()

    def close(self) -> None:
        self._reader.dispose()
        self._writer.dispose()

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except (DBAPIError, PoolTimeout) as error:
            words = explain(error, self.place.name)
            if words is None:
                raise
            raise StorageError(words) from error


def dialect_of(connection: Connection) -> Dialect:
    return "sqlite" if connection.dialect.name == "sqlite" else "postgresql"


def is_in(column: ColumnElement[Any], values: Sequence[Any], dialect: Dialect) -> ColumnElement[bool]:
    """`column IN values` as the database likes it best: one array on PostgreSQL, a list on SQLite."""
    if dialect == "postgresql":
        return column == any_(literal(list(values), ARRAY(column.type)))
    return column.in_(values)


def chunks(values: Sequence[T], size: int = LOOKUP_SIZE) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def one_at_a_time(connection: Connection) -> None:
    """Wait until nobody else stores or changes mentions. SQLite has one writer anyway."""
    if dialect_of(connection) == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def insert_rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], *, conflict: str = ""
) -> None:
    """Insert tuples of plain database values (instants as ms, JSON as text). `conflict` is an ON CONFLICT clause.

    SQLite: `executemany`. PostgreSQL: one statement over arrays, since rows in a pipeline cost twice the client's time.
    """
    if not rows:
        return
    names = ", ".join(columns)
    if dialect_of(connection) == "sqlite":
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks}) {conflict}", list(rows))  # noqa: S608
        return
    types = [table.c[name].type.compile(connection.dialect) for name in columns]
    # PostgreSQL has arrays of json, but a driver's array of text is the one that needs no adapter.
    arrays = ", ".join(f"%s::{'text' if kind == 'JSON' else kind}[]" for kind in types)
    values = ", ".join(
        f"v.{name}::json" if kind == "JSON" else f"v.{name}" for name, kind in zip(columns, types, strict=True)
    )
    statement = f"INSERT INTO {table.name} ({names}) SELECT {values} FROM unnest({arrays}) AS v({names}) {conflict}"  # noqa: S608
    connection.exec_driver_sql(statement, tuple(list(column) for column in zip(*rows, strict=True)))


def to_json(value: Any) -> str:
    """Takes mappings of any kind, tuples, dataclasses and instants (as ISO 8601). Raises `TypeError`."""
    return orjson.dumps(value, default=_plain).decode()


def plain(text: str, longest: int = 500) -> str:
    """What any database takes: no NUL, no lone surrogate, not too long."""
    return text[:longest].replace("\0", "").encode(errors="replace").decode()


def fields_of(record: Any) -> dict[str, Any]:
    """A dataclass as the values of a row, by name."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


def _sqlite(path: Path, pragmas: Sequence[str], begin: str, *, size: int) -> Engine:
    # The default transaction control of sqlite3 begins late and lets DDL out of it: we begin ourselves (SQLAlchemy,
    # "Enabling Non-Legacy SQLite Transactional Modes"). mode=rw: a mistyped path is an error, not a new empty database.
    address = f"file:{quote(str(path))}?mode=rw"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)

    engine = _engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=size, max_overflow=0, pool_timeout=WRITER_TIMEOUT_S
    )

    @event.listens_for(engine, "connect")
    def tune(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in pragmas:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _postgresql(url: URL, *, read_only: bool = False) -> Engine:
    wishes = {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "avizor"}
    engine = _engine(
        url,
        connect_args={name: value for name, value in wishes.items() if name not in url.query},
        pool_pre_ping=True,
        use_native_hstore=False,  # it would ask the server for a type that we do not use
        pool_size=READERS if read_only else 4,
        max_overflow=4,
        pool_timeout=WRITER_TIMEOUT_S,
    )
    if read_only:

        @event.listens_for(engine, "connect")
        def tune(connection: Any, _record: object) -> None:
            connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
            connection.execute(f"SET statement_timeout = '{READ_TIMEOUT_S}s'")
            connection.commit()

    return engine


def _engine(url: str | URL, **options: Any) -> Engine:
    return create_engine(url, hide_parameters=True, json_serializer=to_json, json_deserializer=orjson.loads, **options)


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise StorageError(f"{path}: there is no folder {path.parent}. Make it, or name another place for the database")
    if path.is_dir():
        raise StorageError(f"{path} is a folder, not a database file. Name a file in it")


def _make_private(path: Path, name: str) -> None:
    """Make the file before SQLite does: what people wrote and our secrets are for this user's eyes."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StorageError(
            f"{name} cannot be written: {error.strerror}. Give this user the right to write there"
        ) from error


def _check_foreign_keys(connection: Connection, name: str) -> None:
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise StorageError(
                f"{name}: the migration would leave rows that point nowhere ({broken[0][0]}): nothing was changed"
            )
