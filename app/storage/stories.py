"""Which story a post belongs to: the first with its text, or the first that it is a near copy of.

    hash -> a story of the last seven days with this very text
    bands -> stories of the last three days that share one, the most shared first | read their texts | is it near?
                                                                                     [the oldest that is]

The first post of a story writes its bands; a band that many stories have already is no mark of any, and is not written.
So a post costs a bounded number of rows and comparisons, whatever a hostile source sends. What is near is near the
story's first text: a story does not drift from copy to copy.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select

from app.storage.database import chunks, dialect_of, insert_rows, is_in
from app.storage.ids import first_id_at
from app.storage.records import CollectedPost
from app.story import NEAR_CHARACTERS, is_near
from app.tables import posts, story_bands

STORY_WINDOW = timedelta(days=7)
NEAR_WINDOW = timedelta(days=3)
MOST_COMPARED = 20  # stories that a post is compared with
MOST_ON_A_BAND = 20  # stories that are written on one band
MOST_FORGOTTEN = 1_000  # stories whose bands one transaction drops


@dataclass(frozen=True, slots=True)
class _Text:
    """A story's first text, as it is compared."""

    title: str
    text: str
    site: str | None

    @classmethod
    def of(cls, item: CollectedPost) -> "_Text":
        return cls("" if item.post.reply else item.post.title, item.post.text[:NEAR_CHARACTERS], item.site)

    def is_near(self, other: "_Text") -> bool:
        same_site = self.site == other.site
        return is_near((self.title, self.text), (other.title, other.text), same_site=same_site)


@dataclass(frozen=True, slots=True)
class Told:
    """The stored stories that new posts may belong to. `by_hash` holds the near ones too."""

    by_hash: Mapping[bytes, int]
    on_band: Mapping[int, Sequence[int]]
    began: int  # the first id of a story that still takes near copies


def look_up(connection: Connection, items: Sequence[CollectedPost], now: datetime) -> Told:
    """What is stored of the stories of these posts, none of which is stored itself."""
    began = first_id_at(now - NEAR_WINDOW)
    by_hash = _exact(connection, {item.text_hash for item in items}, now)
    on_band = _on_bands(connection, {band for item in items for band in item.bands}, began)
    unnamed = {item.text_hash: item for item in items if item.bands and item.text_hash not in by_hash}
    candidates = {text_hash: _most_shared(item, on_band) for text_hash, item in unnamed.items()}
    texts = _texts(connection, {story_id for some in candidates.values() for story_id in some})
    for text_hash, item in unnamed.items():
        near = _oldest_near(item, candidates[text_hash], texts)
        if near is not None:
            by_hash[text_hash] = near
    return Told(by_hash, on_band, began)


class Stories:
    """The stories of one batch: those that were told before, and those that begin with it."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._by_hash: dict[bytes, int] = {}
        self._on_band: defaultdict[int, list[int]] = defaultdict(list)
        self._begun: dict[int, _Text] = {}

    @property
    def bands(self) -> list[tuple[int, int]]:
        """(band, story), to be written."""
        return [(band, story_id) for band, story_ids in self._on_band.items() for story_id in story_ids]

    def of(self, item: CollectedPost, post_id: int) -> int:
        """The story of a new post: `post_id` itself if that is the first to tell it."""
        story_id = self._told.by_hash.get(item.text_hash) or self._by_hash.get(item.text_hash)
        if story_id is None:
            story_id = _oldest_near(item, _most_shared(item, self._on_band), self._begun) or post_id
            self._by_hash[item.text_hash] = story_id
        if story_id == post_id and item.bands:
            self._begun[story_id] = _Text.of(item)
        self._mark(item, story_id)
        return story_id

    def _mark(self, item: CollectedPost, story_id: int) -> None:
        """Also where the first to tell it mentioned nobody, and so left no bands."""
        places = [(self._told.on_band.get(band, ()), self._on_band[band]) for band in item.bands]
        if story_id < self._told.began or any(story_id in old or story_id in new for old, new in places):
            return
        for old, new in places:
            if len(old) + len(new) < MOST_ON_A_BAND:
                new.append(story_id)


def _most_shared(item: CollectedPost, on_band: Mapping[int, Sequence[int]]) -> list[int]:
    shared = Counter(story_id for band in item.bands for story_id in on_band.get(band, ()))
    return sorted(shared, key=lambda story_id: (-shared[story_id], story_id))[:MOST_COMPARED]


def _oldest_near(item: CollectedPost, candidates: Sequence[int], texts: Mapping[int, _Text]) -> int | None:
    text = _Text.of(item)
    stories = (story_id for story_id in sorted(candidates) if story_id in texts)
    return next((story_id for story_id in stories if text.is_near(texts[story_id])), None)


def _exact(connection: Connection, hashes: set[bytes], now: datetime) -> dict[bytes, int]:
    """The stories that began lately with one of these texts."""
    stories: dict[bytes, int] = {}
    began = first_id_at(now - STORY_WINDOW)
    for some in chunks(list(hashes)):
        query = (
            select(posts.c.text_hash, func.max(posts.c.id))
            .where(is_in(posts.c.text_hash, some, dialect_of(connection)), posts.c.id >= began)
            .where(posts.c.story_id == posts.c.id)
            .group_by(posts.c.text_hash)
        )
        stories |= {bytes(text_hash): story_id for text_hash, story_id in connection.execute(query)}
    return stories


def _on_bands(connection: Connection, bands: set[int], began: int) -> dict[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    for some in chunks(list(bands)):
        query = select(story_bands.c.band, story_bands.c.story_id).where(
            is_in(story_bands.c.band, some, dialect_of(connection)), story_bands.c.story_id >= began
        )
        for band, story_id in connection.execute(query):
            found[band].append(story_id)
    return found


def _texts(connection: Connection, story_ids: set[int]) -> dict[int, _Text]:
    texts: dict[int, _Text] = {}
    for some in chunks(list(story_ids)):
        text = func.substr(posts.c.text, 1, NEAR_CHARACTERS).label("text")
        query = select(posts.c.id, posts.c.title, text, posts.c.site, posts.c.reply)
        for row in connection.execute(query.where(is_in(posts.c.id, some, dialect_of(connection)))):
            texts[row.id] = _Text("" if row.reply else row.title, row.text, row.site)
    return texts


def write_bands(connection: Connection, bands: Sequence[tuple[int, int]]) -> None:
    insert_rows(connection, story_bands, ("band", "story_id"), sorted(bands), conflict="ON CONFLICT DO NOTHING")


def forget_bands(connection: Connection, now: datetime) -> None:
    """Drop the bands that are too old to be looked up, a bounded number at a time."""
    old = (
        select(story_bands.c.story_id)
        .where(story_bands.c.story_id < first_id_at(now - NEAR_WINDOW))
        .order_by(story_bands.c.story_id)
        .distinct()
        .limit(MOST_FORGOTTEN)
    )
    connection.execute(delete(story_bands).where(story_bands.c.story_id.in_(connection.execute(old).scalars().all())))
