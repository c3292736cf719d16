"""The database itself: what is promised about durability, and what is said when it cannot be used."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text

from app.model import MentionFilter
from app.storage import Storage, StorageError, database, open_storage
from app.storage.database import Database, Place
from app.storage.records import Stored
from app.tables import brands

World = Any


@pytest.fixture
def place(sqlite_template: Path, tmp_path: Path) -> Place:
    """A migrated file of SQLite."""
    path = tmp_path / "avizor.db"
    path.write_bytes(sqlite_template.read_bytes())
    return Place.of(f"sqlite:///{path}")


@contextmanager
def opened(place: Place) -> Iterator[Database]:
    database = Database(place)
    try:
        yield database
    finally:
        database.close()


def test_sqlite_writes_as_durably_as_promised(place: Place) -> None:
    with opened(place) as database, database.write() as writer, database.read() as reader:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        assert [writer.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas] == ["wal", 2, 1, 5_000]
        assert [reader.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas[2:]] == [1, 5_000]
        assert reader.exec_driver_sql("PRAGMA query_only").scalar() == 1


def test_a_sqlite_write_takes_the_lock_at_its_beginning(place: Place) -> None:
    with opened(place) as one, one.write():
        other = sqlite3.connect(place.path, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


def test_a_reader_sees_the_last_commit_while_somebody_writes(world: World) -> None:
    world.brand("acme")
    values = {"slug": "new", "name": "", "query": "", "language": "", "time_zone": "", "competitor": False}
    with world.storage._database.write() as connection:
        connection.execute(insert(brands).values(**values, channels=[], events=[], origin="", created_at=world.now))
        assert [brand.slug for brand in world.storage.brands.all()] == ["acme"]
    assert [brand.slug for brand in world.storage.brands.all()] == ["acme", "new"]


def test_a_read_cannot_write(storage: Storage) -> None:
    with pytest.raises(StorageError, match=r"cannot be written|read-only"), storage._database.read() as connection:
        connection.execute(text("DELETE FROM brands"))


def test_a_write_that_fails_leaves_nothing(world: World) -> None:
    world.brand()

    def fail_half_way() -> None:
        with world.storage._database.write() as connection:
            connection.execute(text("DELETE FROM watches"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert len(world.storage.watches.due(world.now)) == 1


def test_statements_never_show_their_parameters(storage: Storage) -> None:
    with pytest.raises(Exception, match="hidden") as caught, storage._database.write() as connection:
        connection.execute(text("SELECT :secret FROM FROM"), {"secret": "whsec_1"})
    assert "whsec_1" not in str(caught.value) + str(caught.value.__cause__)


CHILD = """
import sys
from datetime import UTC, datetime, timedelta
from app.storage import open_storage
from app.storage.records import CollectBatch, CollectedPost, PutSource
from collectors.base import Post, Source

class Open:
    def seal(self, text): return text
    def open(self, text): return text

now = datetime(2026, 11, 18, 12, tzinfo=UTC)
storage = open_storage(sys.argv[1], Open())
storage.apply([PutSource(Source(0, "s", "s", "rss", url="https://s.example/"))], now)
for number in range(10_000):
    storage.sources.poll_now("s", now)
    [source] = storage.sources.claim_due(now, 1, "child")
    key = number.to_bytes(16, "big")
    item = CollectedPost(key, Post(str(number), str(number), ""), None, None, now, None, key, False)
    storage.posts.store(CollectBatch(source.id, "child", [item], (), {}, None, None, None, now, None), now)
    print(number, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(storage: Storage, database_url: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, database_url], stdout=subprocess.PIPE, text=True)
    acknowledged = [int(child.stdout.readline()) for _ in range(20)]
    child.kill()
    acknowledged += [int(line) for line in child.communicate()[0].splitlines()]
    kept = {int(post.post.title) for post in storage.posts.page(limit=100_000)}
    assert kept >= set(acknowledged)
    assert len(kept) - len(acknowledged) in (0, 1), "at most the one whose answer was cut off"


def test_no_row_is_claimed_twice(world: World, open_another: Callable[[], Storage]) -> None:
    channel = world.channel()
    for number in range(40):
        world.source(f"s{number}", url=f"https://host{number}.example/")
    world.storage.deliveries.add([world.delivery(channel, f"k{number}") for number in range(40)], world.now)
    start = threading.Barrier(4)

    def work(owner: str) -> tuple[list[str], list[str]]:
        storage = open_another()
        start.wait()
        asked: list[str] = []
        told: list[str] = []
        for _ in range(10):
            asked += [source.slug for source in storage.sources.claim_due(world.now, 3, owner)]
            told += [delivery.key for delivery in storage.deliveries.claim(world.now, 3, owner, per_channel=40)]
        return asked, told

    with ThreadPoolExecutor(4) as pool:
        hauls = list(pool.map(work, "abcd"))
    asked, told = ([thing for haul in hauls for thing in haul[part]] for part in (0, 1))
    assert len(asked) == len(set(asked)) == 40
    assert len(told) == len(set(told)) == 40


def test_many_writers_tell_one_story_once(world: World, open_another: Callable[[], Storage]) -> None:
    acme = world.brand()
    sources = [world.source(f"s{number}") for number in range(4)]
    world.storage.sources.claim_due(world.now, 10, "walk")
    start = threading.Barrier(4)

    def work(number: int) -> Stored:
        storage = open_another()
        start.wait()
        items = [world.item(f"{number}-{n}", {acme: "negative"}, story=f"story {n}") for n in range(25)]
        shared = world.item("the same post", {acme: "negative"})
        return storage.posts.store(world.batch(sources[number], *items, shared), world.now)

    with ThreadPoolExecutor(4) as pool:
        stored = list(pool.map(work, range(4)))
    assert sum(one.posts for one in stored) == sum(one.mentions for one in stored) == 101
    assert sum(one.copies for one in stored) == 75
    [row] = world.storage.volumes.series(acme.id, world.now, world.now + timedelta(seconds=300), 300)
    assert (row.stories, row.copies) == (26, 75)
    assert len(world.storage.mentions.page(MentionFilter(), limit=1_000)) == 101


@pytest.mark.parametrize(
    ("address", "dialect"),
    [
        ("sqlite:////var/lib/avizor/avizor.db", "sqlite"),
        ("sqlite:///avizor.db", "sqlite"),
        ("postgresql://u:p@db/avizor", "postgresql"),
        ("postgres://u:p@db/avizor", "postgresql"),
        ("postgresql+psycopg://u:p@db/avizor", "postgresql"),
        ("postgresql:///avizor?host=/run/postgresql", "postgresql"),
    ],
)
def test_it_knows_an_address(address: str, dialect: str) -> None:
    place = Place.of(address)
    assert place.dialect == dialect
    assert dialect == "sqlite" or place.url.drivername == "postgresql+psycopg"
    assert ":p@" not in place.name


@pytest.mark.parametrize(
    "address", ["", "avizor.db", "sqlite://", "sqlite:///:memory:", "mysql://u:hunter2@db/x", "://"]
)
def test_it_refuses_an_address_in_words_without_repeating_it(address: str) -> None:
    with pytest.raises(StorageError, match="sqlite:///PATH") as caught:
        Place.of(address)
    assert "hunter2" not in str(caught.value)


def test_a_missing_folder_is_named(tmp_path: Path, vault: Any) -> None:
    with pytest.raises(StorageError, match=f"no folder {tmp_path}/none"):
        open_storage(f"sqlite:///{tmp_path}/none/avizor.db", vault)


def test_a_folder_is_no_database(tmp_path: Path, vault: Any) -> None:
    with pytest.raises(StorageError, match="is a folder"):
        open_storage(f"sqlite:///{tmp_path}", vault)


def test_a_database_that_was_never_made_says_what_to_run(empty_database_url: str, vault: Any) -> None:
    storage = open_storage(empty_database_url, vault)
    assert storage.schema_version() is None
    for use in (storage.check_ready, storage.brands.all, lambda: storage.keys.revoke("k", None)):
        with pytest.raises(StorageError, match="Run `avizor migrate`"):
            use()
    storage.close()
    if empty_database_url.startswith("sqlite"):
        assert not Path(empty_database_url.removeprefix("sqlite:///")).exists(), (
            "a mistyped path makes no empty database"
        )


def test_a_file_that_is_no_database_is_named(tmp_path: Path, vault: Any) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary, " * 1_000)
    storage = open_storage(f"sqlite:///{path}", vault)
    for use in (storage.check_ready, storage.migrate):
        with pytest.raises(StorageError, match=r"notes\.txt is damaged, or not a database"):
            use()
    storage.close()
    assert path.read_text().startswith("dear diary")


def test_a_locked_database_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    holder = sqlite3.connect(place.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with opened(place) as locked:
        with pytest.raises(StorageError, match="is locked by another process"), locked.write():
            pass
        holder.execute("ROLLBACK")
        with locked.write():
            pass
    holder.close()


def test_a_write_that_waits_too_long_for_its_own_process_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WRITER_TIMEOUT_S", 0.05)
    with opened(place) as busy, busy.write(), pytest.raises(StorageError, match="is busy"), busy.write():
        pass


def test_a_server_that_is_not_there_is_named_without_its_password(vault: Any) -> None:
    storage = open_storage("postgresql://avizor:hunter2@127.0.0.1:1/avizor", vault)
    with pytest.raises(StorageError, match=r"avizor at 127\.0\.0\.1 cannot be reached") as caught:
        storage.check_ready()
    storage.close()
    assert "hunter2" not in str(caught.value) + str(caught.value.__cause__)


def test_a_database_that_does_not_exist_on_its_server_is_named(postgres_url: str, vault: Any) -> None:
    url = Place.of(postgres_url).url.set(database="nobody_made_this").render_as_string(hide_password=False)
    storage = open_storage(url, vault)
    with pytest.raises(StorageError, match=r'"nobody_made_this" does not exist'):
        storage.check_ready()
    storage.close()
