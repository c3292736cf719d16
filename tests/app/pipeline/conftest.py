"""What the tests of the walks stand on: real storage, a far end on loopback, children that parse, a clock."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from app.model import Brand
from app.storage import Storage
from app.storage.records import PutBrand, PutSource
from collectors.base import Source
from collectors.sandbox import Sandbox
from tests.app.pipeline.far_end import FarEnd, Feed, HandClock


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
