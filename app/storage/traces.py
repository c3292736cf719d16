"""What is left in the tables of one address or one text, for who asks why it is a mention, or why it is none.

address -> its hash -> posts (of a post from before there were hashes: the newest of the sources on its site)
text    -> its hash -> the story that began with it
a piece of an item  -> the quarantine, the newest rows of it
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, func, or_, select

from app.storage.database import Database
from app.storage.ids import url_hash
from app.storage.records import QuarantineRow
from app.tables import brands, mentions, posts, quarantine, sources

MOST = 20  # posts of one address: as many sources have brought it
UNHASHED = 2_000  # posts of one source that are looked through for an address
QUARANTINED = 2_000  # rows that are looked through
SAMPLED = 4_000  # characters of each

_POST = select(posts, sources.c.slug.label("source")).join(sources, sources.c.id == posts.c.source_id)


@dataclass(frozen=True, slots=True)
class Trace:
    """A stored post, as far as it explains anything. Times are aware; `published_at` is the one that counts."""

    post_id: int
    source: str
    source_id: int
    title: str
    text: str
    url: str | None
    author: str | None
    site: str | None
    language: str | None
    reply: bool
    story_id: int
    published_at: datetime
    fetched_at: datetime
    backfill: bool
    withdrawn_at: datetime | None


class Traces:
    def __init__(self, database: Database) -> None:
        self._database = database

    def by_url(self, urls: Sequence[str]) -> list[Trace]:
        """The posts at one of these addresses, the newest first. One that was taken back counts."""
        hashed = posts.c.url_hash.in_([url_hash(url) for url in urls])
        at_it = and_(hashed, or_(posts.c.url.in_(urls), posts.c.url.is_(None)))
        return self._posts(_POST.where(at_it))

    def by_url_unhashed(self, urls: Sequence[str], source_ids: Collection[int]) -> list[Trace]:
        """The same of posts from before addresses were hashed: among the newest of these sources, which should be
        few.
        """
        found: list[Trace] = []
        for source_id in source_ids:
            newest = (
                select(posts.c.id, posts.c.url, posts.c.url_hash)
                .where(posts.c.source_id == source_id)
                .order_by(posts.c.published_at.desc(), posts.c.id.desc())
                .limit(UNHASHED)
                .subquery()
            )
            ids = select(newest.c.id).where(newest.c.url_hash.is_(None), newest.c.url.in_(urls)).limit(1)
            found += self._posts(_POST.where(posts.c.id.in_(ids)))
        return found

    def by_text(self, text_hash: bytes) -> list[Trace]:
        """The first posts of stories with this very text (`app.story.text_hash`)."""
        return self._posts(_POST.where(posts.c.text_hash == text_hash, posts.c.story_id == posts.c.id))

    def mentioned(self, post_ids: Sequence[int]) -> dict[int, set[int]]:
        """The ids of the brands that each of these posts mentions."""
        found: dict[int, set[int]] = {}
        with self._database.read() as connection:
            pairs = select(mentions.c.post_id, mentions.c.brand_id).where(mentions.c.post_id.in_(post_ids))
            for post_id, brand_id in connection.execute(pairs):
                found.setdefault(post_id, set()).add(brand_id)
        return found

    def quarantined(self, piece: str, slugs: Collection[str]) -> list[QuarantineRow]:
        """Items of these sources that could not be read, and in whose sample this stands, the newest first."""
        newest = select(func.max(quarantine.c.id)).scalar_subquery()
        sample = func.substr(quarantine.c.sample, 1, SAMPLED)
        query = (
            select(sources.c.slug, quarantine.c.at, quarantine.c.reason, sample.label("sample"))
            .join(sources, sources.c.id == quarantine.c.source_id)
            .where(quarantine.c.id > newest - QUARANTINED, sample.contains(piece, autoescape=True))
            .order_by(quarantine.c.id.desc())
            .limit(MOST)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [QuarantineRow(row.slug, row.at, row.reason, row.sample) for row in rows if row.slug in slugs]

    def first_of(self, story_id: int, brand_id: int) -> int | None:
        """The post that counts as this story for the brand; the others are its copies."""
        query = select(mentions.c.post_id).where(
            mentions.c.story_id == story_id, mentions.c.brand_id == brand_id, ~mentions.c.copy
        )
        with self._database.read() as connection:
            found: int | None = connection.execute(query).scalar()
            return found

    def watched_since(self, brand_id: int) -> datetime | None:
        """When the brand was made."""
        with self._database.read() as connection:
            made: datetime | None = connection.execute(
                select(brands.c.created_at).where(brands.c.id == brand_id)
            ).scalar()
            return made

    def _posts(self, query: Select[Any]) -> list[Trace]:
        with self._database.read() as connection:
            return [_trace(row) for row in connection.execute(query.order_by(posts.c.id.desc()).limit(MOST))]


def _trace(row: Row[Any]) -> Trace:
    return Trace(
        post_id=row.id,
        source=row.source,
        source_id=row.source_id,
        title=row.title,
        text=row.text,
        url=row.url,
        author=row.author,
        site=row.site,
        language=row.language,
        reply=row.reply,
        story_id=row.story_id,
        published_at=row.published_at,
        fetched_at=row.fetched_at,
        backfill=row.backfill,
        withdrawn_at=row.withdrawn_at,
    )
