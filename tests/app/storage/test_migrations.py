"""From nothing to the newest tables and back, with data, on both databases."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from app.model import Evidence, MentionFilter, Sentiment
from app.storage import Storage, StorageError, open_storage, schema
from app.storage.database import Database, Place
from app.storage.records import Judged, Rescored
from app.tables import metadata

World = Any


@pytest.fixture
def new(empty_database_url: str, vault: Any) -> Iterator[Storage]:
    """A database without tables."""
    storage = open_storage(empty_database_url, vault)
    yield storage
    storage.close()


def alter(url: str, change: Any, *args: str) -> None:
    database = Database(Place.of(url))
    try:
        with database.alter() as connection:
            change(schema.alembic_config(connection), *args)
    finally:
        database.close()


def test_head_is_the_newest_migration(new: Storage) -> None:
    with new._database.alter() as connection:
        assert ScriptDirectory.from_config(schema.alembic_config(connection)).get_heads() == [schema.HEAD]


def test_it_makes_the_tables_once(new: Storage) -> None:
    assert new.schema_version() is None
    for _ in range(2):
        new.migrate()
        assert new.schema_version() == schema.HEAD
        new.check_ready()


def test_migrations_and_tables_say_the_same(new: Storage, empty_database_url: str) -> None:
    new.migrate()
    alter(empty_database_url, command.check)
    with new._database.read() as connection:
        found = {name for name in inspect(connection).get_table_names() if not name.startswith("mention_search_")}
    assert found == {*metadata.tables, "alembic_version", "mention_search"}


def test_up_and_down_and_up_again_with_data(world: World, database_url: str) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "negative"}, text="algo"))
    world.storage.deliveries.add([world.delivery(world.channel(), "k")], world.now)

    alter(database_url, command.downgrade, "base")
    assert world.storage.schema_version() is None
    with pytest.raises(StorageError, match="Run `avizor migrate`"):
        world.storage.brands.all()

    world.storage.migrate()
    assert world.storage.brands.all() == []
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "negative"}, text="algo"))
    assert len(world.storage.mentions.page(MentionFilter(text="algo"))) == 1
    alter(database_url, command.check)


def test_mentions_from_before_readings_had_probabilities_keep_what_they_say(world: World, database_url: str) -> None:
    acme, source = world.brand(), world.source()
    world.collect(
        source,
        *(world.item(key, {acme: "negative"}, story="s") for key in "ab"),
        world.item("c", {acme: "positive"}, backfill=True),
        world.item("d", {acme: "unknown"}),
    )
    storage = world.storage
    before = storage.mentions.page(MentionFilter())
    [watch] = storage.watches.due(world.now)
    storage.watches.save(Judged(acme.id, world.now, {"verdict": "calm"}, (), watch.revision), world.now)
    alter(database_url, command.downgrade, "0001")
    with storage._database.write() as connection:  # as 0001 wrote them
        old = """{"scorer": "vader/3.3.2+avizor.1", "confidence": 0.9, "evidence": [[0, 3, "Bad", -2.5]]}"""
        connection.execute(text("UPDATE mentions SET sentiment = :old"), {"old": old})
        connection.execute(text("UPDATE watches SET judged_mentions = mentions"))
        sums = connection.execute(text("SELECT label, sum_score FROM volumes WHERE width_s = 300 ORDER BY label")).all()
    assert sums == [(-1, -1.0), (1, 1.0), (9, 0.0)]

    storage.migrate()

    after = storage.mentions.page(MentionFilter())
    heard = {"scorer": "vader/3.3.2+avizor.1", "language_confidence": 0.9, "evidence": (Evidence(0, 3, "Bad", -2.5),)}
    assert after == [replace(mention, sentiment=replace(mention.sentiment, **heard)) for mention in before]
    assert {(m.scored_at, m.was, m.correction, m.sentiment.provisional) for m in after} == {
        (world.now, None, None, False)
    }
    rows = storage.volumes.series(acme.id, world.now, world.now + timedelta(hours=1), 300)
    assert [(row.label, row.negative, row.neutral, row.positive, row.restated_at) for row in rows] == [
        ("negative", 1.0, 0.0, 0.0, None),
        ("positive", 0.0, 0.0, 1.0, None),
        ("unknown", 0.0, 0.0, 0.0, None),
    ]
    assert storage.watches.due(world.now) == [], "nothing was said since"

    for mention in after:
        told = Sentiment("neutral", 0.0, "careful/1", "es", probabilities=(0.25, 0.5, 0.25))
        storage.mentions.restate([Rescored(acme.id, mention.post_id, told)], world.now)
    rows = storage.volumes.series(acme.id, world.now, world.now + timedelta(hours=1), 300)
    counted = {row.label: (row.stories, row.negative, row.neutral, row.positive) for row in rows}
    nothing = (0, 0.0, 0.0, 0.0)
    assert counted == dict.fromkeys(("negative", "positive", "unknown"), nothing) | {"neutral": (2, 0.75, 1.5, 0.75)}


def test_a_migration_that_fails_leaves_everything_as_it_was(new: Storage) -> None:
    new.migrate()

    def fail_half_way() -> None:
        with new._database.alter() as connection:
            connection.execute(text("ALTER TABLE brands ADD COLUMN half INTEGER"))
            connection.execute(text("CREATE TABLE done (id INTEGER)"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    with new._database.read() as connection:
        assert not inspect(connection).has_table("done")
        assert "half" not in {column["name"] for column in inspect(connection).get_columns("brands")}


def test_a_migration_that_leaves_rows_pointing_nowhere_is_refused(tmp_path: Path, vault: Any) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/avizor.db", vault)
    storage.migrate()
    with pytest.raises(StorageError, match=r"point nowhere \(watches\)"), storage._database.alter() as connection:
        connection.execute(
            text("INSERT INTO watches (brand_id, mentions, restated, judged_revision) VALUES (4711, 0, 0, 0)")
        )
    assert storage.watches.get(4711) is None
    with storage._database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM watches")).scalar() == 0
    storage.close()


def test_two_processes_that_start_at_once_both_find_the_tables(empty_database_url: str, vault: Any) -> None:
    def start(_: int) -> str | None:
        storage = open_storage(empty_database_url, vault)
        try:
            storage.migrate()
            return storage.schema_version()
        finally:
            storage.close()

    start_at_once = ThreadPoolExecutor(2)
    with start_at_once:
        assert list(start_at_once.map(start, range(2))) == [schema.HEAD] * 2


def test_it_keeps_its_hands_off_tables_of_a_newer_version(storage: Storage, database_url: str) -> None:
    with storage._database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        for use in (storage.migrate, storage.check_ready):
            with pytest.raises(StorageError, match="written by a newer Avizor"):
                use()
    finally:
        with storage._database.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": schema.HEAD})


def test_older_tables_are_not_ready(storage: Storage) -> None:
    with storage._database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    try:
        with pytest.raises(StorageError, match=f"version 0000, this Avizor needs {schema.HEAD}"):
            storage.check_ready()
    finally:
        with storage._database.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": schema.HEAD})


def test_a_second_start_does_not_wake_alembic(sqlite_template: Path) -> None:
    code = (
        "import sys; from app.storage import open_storage\n"
        "storage = open_storage(sys.argv[1], None); storage.migrate(); print('alembic' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, f"sqlite:///{sqlite_template}"], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "False\n"


def test_the_file_is_for_its_user_only(tmp_path: Path, vault: Any) -> None:
    path = tmp_path / "avizor.db"
    storage = open_storage(f"sqlite:///{path}", vault)
    storage.migrate()
    with storage._database.write():
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    storage.close()
    assert set(modes.values()) == {0o600}, modes
