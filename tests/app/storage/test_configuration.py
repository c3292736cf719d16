"""Brands, sources and channels: what the operator wishes, applied as a whole; secrets sealed at rest."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from alerts.base import Channel
from app.model import Brand, Planned
from app.storage import Storage, StorageError
from app.storage.records import Archive, PutBrand, PutChannel, PutSource
from collectors.base import Source

World = Any

MIDNIGHT = datetime(2026, 11, 27, tzinfo=UTC)
BRAND = Brand(
    0,
    "acme",
    "Acme, S. A.",
    'acme OR "acmé"',
    "en",
    "America/Bogota",
    competitor=True,
    channels=("a",),
    origin="api",
    events=(
        Planned("Black Friday", MIDNIGHT, MIDNIGHT + timedelta(days=2)),
        Planned("Huelga, ñ", MIDNIGHT, MIDNIGHT + timedelta(microseconds=1)),
    ),
)
SOURCE = Source(
    0,
    "diario",
    "Diario",
    "rss",
    url="https://Diario.example:444/feed",
    settings={"tags": ["a", 1, None]},
    brands=("acme",),
    language="es",
    interval_s=300,
    tier=1,
    enabled=False,
    origin="api",
    secret="token-1",
)
CHANNEL = Channel(
    0,
    "guardia",
    "Guardia",
    "slack",
    settings={"mention": "here"},
    secret={"url": "https://hooks.example/T0", "secret": "whsec_1"},
    language="en",
    min_severity="critical",
    origin="api",
)


def raw(database_url: str, statement: str) -> list[tuple[Any, ...]]:
    """What lies in the database, read without Avizor."""
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]
    finally:
        engine.dispose()


def test_everything_comes_back_as_it_was_put(storage: Storage, now: Any) -> None:
    storage.apply([PutBrand(BRAND), PutSource(SOURCE), PutChannel(CHANNEL)], now)

    brand, source, channel = storage.brands.get("acme"), storage.sources.get("diario"), storage.channels.get("guardia")
    assert brand == replace(BRAND, id=brand.id)
    assert source == replace(SOURCE, id=source.id, created_at=now, next_due_at=now)
    assert channel == replace(CHANNEL, id=channel.id)
    assert storage.brands.all() == [brand] == [storage.brands.by_id(brand.id)]
    assert storage.sources.all() == [source]
    assert storage.channels.all() == [channel]


def test_what_is_not_there_is_none(storage: Storage) -> None:
    assert (
        storage.brands.get("x")
        is storage.brands.by_id(1)
        is storage.sources.get("x")
        is storage.channels.get("x")
        is None
    )


def test_putting_again_changes_and_keeps_the_id(storage: Storage, now: Any) -> None:
    storage.apply([PutBrand(BRAND), PutSource(SOURCE), PutChannel(CHANNEL)], now)
    before = storage.brands.get("acme"), storage.sources.get("diario"), storage.channels.get("guardia")
    brand, source = replace(BRAND, name="Acme", query="acme"), replace(SOURCE, name="El diario", enabled=True)
    channel = replace(CHANNEL, min_severity="warning", enabled=False, disabled_reason="holidays")
    storage.apply([PutBrand(brand), PutSource(source), PutChannel(channel)], now)

    after = storage.brands.get("acme"), storage.sources.get("diario"), storage.channels.get("guardia")
    assert [one.id for one in after] == [one.id for one in before]
    assert after[0].name == "Acme"
    assert (after[1].name, after[1].enabled) == ("El diario", True)
    assert (after[2].min_severity, after[2].enabled, after[2].disabled_reason) == ("warning", False, "holidays")


def test_archived_things_are_hidden_and_come_back_when_put(storage: Storage, now: Any) -> None:
    storage.apply([PutBrand(BRAND), PutSource(replace(SOURCE, enabled=True)), PutChannel(CHANNEL)], now)
    storage.apply([Archive("brand", "acme"), Archive("source", "diario"), Archive("channel", "guardia")], now)
    assert storage.brands.all() == storage.sources.all() == storage.channels.all() == []
    assert [brand.archived_at for brand in storage.brands.all(include_archived=True)] == [now]
    assert [source.enabled for source in storage.sources.all(include_archived=True)] == [False]
    assert [channel.enabled for channel in storage.channels.all(include_archived=True)] == [False]

    storage.apply([PutBrand(BRAND), PutSource(replace(SOURCE, enabled=True)), PutChannel(CHANNEL)], now)
    assert (storage.brands.get("acme").archived_at, len(storage.brands.all())) == (None, 1)
    assert [source.enabled for source in storage.sources.all()] == [True]
    assert [channel.enabled for channel in storage.channels.all()] == [True]


def test_it_is_applied_as_a_whole_or_not_at_all(storage: Storage, now: Any) -> None:
    with pytest.raises(StorageError, match="no channel 'nobody'"):
        storage.apply([PutBrand(BRAND), PutSource(SOURCE), Archive("channel", "nobody")], now)
    assert storage.brands.all(include_archived=True) == storage.sources.all(include_archived=True) == []


def test_secrets_lie_sealed_and_come_back_plain(storage: Storage, database_url: str, now: Any) -> None:
    storage.apply([PutSource(SOURCE), PutChannel(CHANNEL)], now)
    lying = [row[0] for row in raw(database_url, "SELECT secret FROM sources UNION ALL SELECT secret FROM channels")]
    assert all(secret.startswith("sealed(") for secret in lying)
    for secret in ("token-1", "whsec_1", "hooks.example"):
        assert not [row for row in lying if secret in row]
        for table in ("sources", "channels"):
            assert secret not in repr(raw(database_url, f"SELECT * FROM {table}"))
    assert "Diario" in repr(raw(database_url, "SELECT * FROM sources")), "control: it would be seen"
    assert storage.sources.get("diario").secret == "token-1"
    assert storage.channels.get("guardia").secret == CHANNEL.secret


def test_a_secret_stays_until_it_is_changed_or_removed(storage: Storage, now: Any) -> None:
    storage.apply([PutSource(SOURCE), PutChannel(CHANNEL)], now)
    storage.apply([PutSource(replace(SOURCE, secret=None)), PutChannel(replace(CHANNEL, secret={}))], now)
    assert storage.sources.get("diario").secret == "token-1"
    assert storage.channels.get("guardia").secret == CHANNEL.secret

    storage.apply(
        [PutSource(replace(SOURCE, secret="token-2")), PutChannel(replace(CHANNEL, secret={"url": "x"}))], now
    )
    assert storage.sources.get("diario").secret == "token-2"
    assert storage.channels.get("guardia").secret == {"url": "x"}

    storage.apply([PutSource(replace(SOURCE, secret=""))], now)
    assert storage.sources.get("diario").secret is None


def test_a_channel_without_a_secret_is_one(storage: Storage, now: Any) -> None:
    storage.apply([PutChannel(replace(CHANNEL, secret={}))], now)
    assert storage.channels.get("guardia").secret == {}


@pytest.mark.parametrize("change", [{"name": "Otro nombre"}, {"tier": 1}])
def test_a_source_keeps_its_place_through_a_change_of_name_or_tier(world: World, change: dict[str, Any]) -> None:
    source = world.source()
    world.collect(source, world.item("a"))
    before = world.storage.sources.get("diario")
    world.storage.apply([PutSource(replace(source, **change))], world.now + timedelta(hours=1))
    assert world.storage.sources.get("diario") == replace(before, **change)


@pytest.mark.parametrize(
    "change", [{"url": "https://diario.example/new"}, {"kind": "hackernews"}, {"settings": {"query": "acme"}}]
)
def test_another_place_to_ask_begins_anew(world: World, change: dict[str, Any]) -> None:
    source, later = world.source(), world.now + timedelta(hours=1)
    world.collect(source, world.item("a"))
    world.storage.sources.claim_due(later, 1, "walk")
    changed = replace(source, **change)
    world.storage.apply([PutSource(changed)], later)
    after = world.storage.sources.get("diario")
    assert after == replace(changed, next_due_at=later)
    assert after.first_run, "what it holds is history, and alerts nobody"
    with pytest.raises(Exception, match="source"):
        world.storage.posts.store(world.batch(source, world.item("b")), later)


def test_another_interval_counts_from_now_on(world: World) -> None:
    source, later = world.source(), world.now + timedelta(minutes=1)
    world.collect(source, world.item("a"))
    world.storage.apply([PutSource(replace(source, interval_s=60))], later)
    after = world.storage.sources.get("diario")
    assert (after.next_due_at, after.adaptive_interval_s, after.etag) == (later, None, '"abc"')


def test_a_new_query_is_tried_on_documents_that_do_not_change(world: World) -> None:
    source = world.source()

    def validators() -> tuple[Any, ...]:
        stored = world.storage.sources.get(source.slug)
        return stored.etag, stored.last_modified, stored.body_hash

    world.brand("acme")
    world.collect(source)
    known = validators()
    assert None not in known
    world.storage.apply([PutBrand(replace(world.storage.brands.get("acme"), time_zone="Europe/Madrid"))], world.now)
    assert validators() == known, "the control: the same query has nothing new to find"

    world.storage.apply([PutBrand(replace(world.storage.brands.get("acme"), query="acme OR zeta"))], world.now)
    assert validators() == (None, None, None)
    world.collect(source)
    world.brand("zeta")
    assert validators() == (None, None, None)
    world.collect(source)
    world.storage.apply([PutSource(replace(source, brands=("zeta",)))], world.now)
    assert validators() == (None, None, None), "read for another brand"
