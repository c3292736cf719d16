"""What the tests of the walks stand on: real storage, a far end on loopback, children that parse, a clock."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.model import Brand
from app.storage import Storage, open_storage
from app.storage.records import PutBrand, PutSource
from app.vault import Vault
from collectors.base import Source
from collectors.sandbox import Sandbox
from tests.app.pipeline.far_end import FarEnd, Feed, HandClock
from tests.app.pipeline.past import Past, eventful_day

NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(workers=1)
    yield sandbox
    sandbox.close()


@pytest.fixture
def far_end() -> Iterator[FarEnd]:
    with FarEnd() as far_end:
        yield far_end


@pytest.fixture
def clock(now: datetime) -> HandClock:
    return HandClock(now)


class Desk:
    """Puts brands and sources into storage, one line each."""

    def __init__(self, storage: Storage, far_end: FarEnd, clock: HandClock) -> None:
        self.storage = storage
        self.far_end = far_end
        self.clock = clock

    def brand(self, slug: str = "aurora", query: str | None = None, **fields: Any) -> Brand:
        self.storage.apply([PutBrand(Brand(0, slug, slug.title(), query or slug, **fields))], self.clock.now)
        found = self.storage.brands.get(slug)
        assert found
        return found

    def source(self, slug: str = "barrio", kind: str = "rss", **fields: Any) -> Source:
        url = self.far_end.url(f"/{slug}")
        self.storage.apply([PutSource(Source(0, slug, slug.title(), kind, url, **fields))], self.clock.now)
        return self.seen(slug)

    def feed(self, slug: str = "barrio", **fields: Any) -> Feed:
        feed = Feed()
        self.far_end.answers[f"/{slug}"] = feed
        self.source(slug, **fields)
        return feed

    def seen(self, slug: str = "barrio") -> Source:
        found = self.storage.sources.get(slug)
        assert found
        return found


@pytest.fixture
def desk(storage: Storage, far_end: FarEnd, clock: HandClock) -> Desk:
    return Desk(storage, far_end, clock)


@pytest.fixture(scope="session")
def lived_template(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> tuple[Path, HandClock, Brand]:
    """An eventful day, lived once: a file to copy, and the time at its end."""
    path = tmp_path_factory.mktemp("lived") / "lived.db"
    shutil.copy(sqlite_template, path)
    storage = open_storage(f"sqlite:///{path}", Vault([Fernet.generate_key().decode()]))
    past = Past(storage, HandClock(NOON))
    eventful_day(past, storage)
    storage.close()
    return path, past.clock, past.brand


@pytest.fixture
def lived_url(lived_template: tuple[Path, HandClock, Brand], tmp_path: Path) -> str:
    copy = tmp_path / "lived.db"
    shutil.copy(lived_template[0], copy)
    return f"sqlite:///{copy}"


@pytest.fixture
def lived(lived_template: tuple[Path, HandClock, Brand], lived_url: str) -> Iterator[Past]:
    """The day that was lived, at its end; on SQLite."""
    storage = open_storage(lived_url, Vault([Fernet.generate_key().decode()]))
    yield Past.of(storage, HandClock(lived_template[1].now), lived_template[2])
    storage.close()
