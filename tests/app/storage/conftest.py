"""A small world to store things in: brands, a source, and posts about them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.base import Channel
from app.model import Brand, Label, Sentiment
from app.storage import Storage
from app.storage.records import CollectBatch, CollectedPost, NewDelivery, PutBrand, PutChannel, PutSource, Stored
from collectors.base import Post, Reject, Source

SCORES: Mapping[str, float | None] = {"negative": -0.5, "neutral": 0.0, "positive": 0.5, "unknown": None}


class World:
    """Puts things into storage in one line each, and gives them back."""

    def __init__(self, storage: Storage, now: datetime) -> None:
        self.storage = storage
        self.now = now

    def brand(self, slug: str = "acme", **fields: Any) -> Brand:
        brand = Brand(0, slug, slug.title(), slug, **fields)
        self.storage.apply([PutBrand(brand)], self.now)
        return self._found(self.storage.brands.get(slug))

    def source(self, slug: str = "diario", **fields: Any) -> Source:
        source = Source(0, slug, slug.title(), **{"kind": "rss", "url": f"https://{slug}.example/feed"} | fields)
        self.storage.apply([PutSource(source)], self.now)
        return self._found(self.storage.sources.get(slug))

    def channel(self, slug: str = "guardia", **fields: Any) -> Channel:
        secret = {"url": "https://hooks.example/T0/B0/very-secret"}
        self.storage.apply([PutChannel(Channel(0, slug, slug.title(), "slack", secret=secret, **fields))], self.now)
        return self._found(self.storage.channels.get(slug))

    def item(
        self,
        key: str,
        about: Mapping[Brand, Label] | None = None,
        *,
        title: str | None = None,
        text: str = "",
        age: timedelta = timedelta(),
        backfill: bool = False,
        story: str | None = None,
        language: str | None = "es",
        **tone: Any,
    ) -> CollectedPost:
        """A post as the collect walk hands it over. Posts with the same `story` are copies of one text.

        `tone` are further fields of its sentiments.
        """
        title = key if title is None else title
        published = self.now - age
        return CollectedPost(
            dedupe_key=_digest(key),
            post=Post(key, title, text, f"https://diario.example/{key}", "ana", published, language),
            site="diario.example",
            language=language,
            published_at=published,
            claimed_at=published,
            text_hash=_digest(story or f"story of {key}"),
            backfill=backfill,
            sentiments={
                brand.id: Sentiment(label, SCORES[label], "test/1", language, **tone)
                for brand, label in (about or {}).items()
            },
        )

    def batch(self, source: Source, *items: CollectedPost, owner: str = "walk", **fields: Any) -> CollectBatch:
        batch = CollectBatch(
            source_id=source.id,
            owner=owner,
            items=items,
            rejects=(),
            cursor={"page": 1},
            etag='"abc"',
            last_modified="Wed, 18 Nov 2026 11:00:00 GMT",
            body_hash=b"0123456789abcdef",
            next_due_at=self.now + timedelta(minutes=15),
            adaptive_interval_s=1200,
        )
        return replace(batch, **fields)

    def collect(
        self, source: Source, *items: CollectedPost, rejects: Sequence[Reject] = (), at: datetime | None = None
    ) -> Stored:
        """Store these items as a visit of the source by `walk`, who claims whatever is due."""
        at = at or self.now
        self.storage.sources.poll_now(source.slug, at)
        self.storage.sources.claim_due(at, 100, "walk")
        return self.storage.posts.store(self.batch(source, *items, rejects=rejects), at)

    def delivery(self, channel: Channel, key: str, **fields: Any) -> NewDelivery:
        return NewDelivery(key, channel.id, **{"action": "trigger", "alert": {"key": key}} | fields)

    @staticmethod
    def _found(thing: Any) -> Any:
        assert thing is not None
        return thing


@pytest.fixture
def world(storage: Storage, now: datetime) -> World:
    return World(storage, now)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
