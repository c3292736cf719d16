"""What was said about a brand, read back to prove or to doubt a verdict: stories, sites, spreads, the grave, the first.

Live mentions only, unless it says otherwise. `known` is the id of the newest post that there was then, None: as it is
now. Nothing is written; every method reads a bounded number of rows, through the indexes of `mentions`.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    Subquery,
    and_,
    func,
    literal,
    select,
    text,
    type_coerce,
)

from app.model import Label
from app.storage.database import Database, Dialect, chunks, is_in
from app.tables import LABEL_CODES, LABEL_NAMES, grave_mentions, mentions, posts, sources, to_ms, volumes

MOST = 20_000  # rows of one answer
SAMPLE = 5_000  # stories that say well enough (within 1.4 points, 95 %) whose all of them are
MOST_SPREADS = 1_000
PARTS = 200  # of a span that a sample is taken from
BIN = timedelta(seconds=300)

_FIRST = text("NOT mentions.copy")  # as the partial indexes spell it
_COPY = text("mentions.copy")
_KEY = ("brand_id", "published_at", "post_id")
_NEWEST = 2**63 - 1
_AGE = (mentions.c.published_at, mentions.c.post_id)
_AT = [mentions.c[name] for name in ("post_id", "story_id", "published_at", "label", "score", "language")]
_FROM = [posts.c.fetched_at, sources.c.slug.label("source"), posts.c.site, posts.c.author]
_WORDS = [posts.c.title, posts.c.text]
_NO_WORDS = [literal("").label("title"), literal("").label("text")]


@dataclass(frozen=True, slots=True)
class Told:
    """A story as its first mention told it. `source` is a slug; `label` and `score` are what counts of its tone."""

    post_id: int
    story_id: int
    published_at: datetime
    fetched_at: datetime
    label: Label
    score: float | None
    source: str
    site: str | None
    author: str | None
    title: str
    text: str
    language: str | None


@dataclass(frozen=True, slots=True)
class Voice:
    """Who told a story, and where. `source` is a slug."""

    source: str
    site: str | None
    author: str | None


@dataclass(frozen=True, slots=True)
class GraveRow:
    """A story that says something grave. `tier` is its source's: of 1, one such story is enough."""

    post_id: int
    story_id: int
    published_at: datetime
    fetched_at: datetime
    label: Label
    terms: tuple[str, ...]
    source: str
    tier: int
    site: str | None
    author: str | None


class Proof:
    def __init__(self, database: Database) -> None:
        self._database = database

    def newest_id(self) -> int:
        """The id of the newest post, 0 where there is none: hand it back as `known` to read what is known now."""
        with self._database.read() as connection:
            newest: int | None = connection.execute(select(func.max(posts.c.id))).scalar()
            return newest or 0

    def told(
        self,
        brand_id: int,
        start: datetime,
        end: datetime,
        known: int | None = None,
        limit: int = MOST,
        *,
        texts: bool = True,
        label: Label | None = None,
        newest: bool = False,
    ) -> list[Told]:
        """The stories published in [start, end), oldest first. Without `texts`, title and text are empty.

        Where there are more than `limit` they are the oldest ones, or the `newest`.
        """
        query = _stories(texts=texts)
        if label is None:
            live = (~mentions.c.backfill, *_known(known))
            order = [column.desc() for column in _AGE] if newest else _AGE
            query = query.where(*_within(brand_id, start, end), *live, _FIRST).order_by(*order).limit(limit)
        else:
            wanted = f"label = {LABEL_CODES[label]}"
            span = brand_id, start, end, known
            rare = _rare("ix_mentions_label", wanted, span, limit, self._database.dialect, newest=newest)
            query = _those(query, rare)
        with self._database.read() as connection:
            found = [_told(row) for row in connection.execute(query)]
        return sorted(found, key=lambda told: (told.published_at, told.post_id))

    def first_negative(self, brand_id: int, start: datetime, end: datetime, known: int | None = None) -> Told | None:
        """The negative story that was published first in [start, end)."""
        return next(iter(self.told(brand_id, start, end, known, limit=1, label="negative")), None)

    def story(self, brand_id: int, story_id: int) -> Told | None:
        """A story of the brand, backfilled or not."""
        query = _stories(texts=True).where(mentions.c.story_id == story_id, mentions.c.brand_id == brand_id, _FIRST)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _told(row)

    def grave(self, brand_id: int, start: datetime, end: datetime, known: int | None = None) -> list[GraveRow]:
        """The stories published in [start, end) that say something grave and are not positive, oldest first."""
        said = grave_mentions.c
        query: Select[Any] = (
            select(*_AT, *_FROM, said.terms, sources.c.tier)
            .join(grave_mentions, and_(*(mentions.c[name] == said[name] for name in _KEY)))
            .join(posts, posts.c.id == mentions.c.post_id)
            .join(sources, sources.c.id == mentions.c.source_id)
            .where(said.brand_id == brand_id, said.published_at >= start, said.published_at < end)
            .where(mentions.c.label != LABEL_CODES["positive"], ~mentions.c.backfill, _FIRST, *_known(known))
            .order_by(said.published_at.desc(), said.post_id.desc())
            .limit(MOST)
        )
        with self._database.read() as connection:
            return [_grave(row) for row in connection.execute(query)][::-1]

    def first_told(self, brand_id: int, story_ids: Collection[int], known: int | None = None) -> Told | None:
        """The mention that was published first of all that tell these stories, copies too, without its text."""
        found: list[Told] = []
        with self._database.read() as connection:
            for some in chunks(sorted(story_ids)):
                query = (
                    _stories(texts=False)
                    .where(
                        is_in(mentions.c.story_id, some, self._database.dialect), mentions.c.brand_id + 0 == brand_id
                    )
                    .where(~mentions.c.backfill, *_known(known))
                    .order_by(*_AGE)
                    .limit(1)
                )
                found += [_told(row) for row in connection.execute(query)]
        return min(found, key=lambda told: (told.published_at, told.post_id), default=None)

    # ── spread ───────────────────────────────────────────────────────────────

    def spreads(self, brand_id: int, since: datetime, at_least: int = 10, known: int | None = None) -> list[int]:
        """Ids of the stories with so many copies published since then, those with the most first."""
        query = (
            select(mentions.c.story_id)
            .where(mentions.c.brand_id == brand_id, mentions.c.published_at >= since)
            .where(~mentions.c.backfill, _COPY, *_known(known))
            .group_by(mentions.c.story_id)
            .having(func.count() >= at_least)
            .order_by(func.count().desc(), mentions.c.story_id)
            .limit(MOST_SPREADS)
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def copies(
        self, brand_id: int, story_id: int, since: datetime, known: int | None = None
    ) -> list[tuple[datetime, str, str | None]]:
        """When, where and by whom a story was published since then, itself and its copies, oldest first.

        Where is the site, or the source's slug where the site is not known.
        """
        query = (
            select(mentions.c.published_at, func.coalesce(posts.c.site, sources.c.slug).label("place"), posts.c.author)
            .join(posts, posts.c.id == mentions.c.post_id)
            .join(sources, sources.c.id == mentions.c.source_id)
            # `+ 0` keeps SQLite from walking through all of the brand's mentions since then.
            .where(mentions.c.story_id == story_id, mentions.c.brand_id + 0 == brand_id)
            .where(
                type_coerce(mentions.c.published_at, BigInteger) + 0 >= to_ms(since),
                ~mentions.c.backfill,
                *_known(known),
            )
        )
        with self._database.read() as connection:
            rows = [
                *connection.execute(query.where(_FIRST)),
                *connection.execute(query.where(_COPY).order_by(*_AGE).limit(MOST)),
            ]
        told = sorted(rows, key=lambda row: (row.published_at, row.place, row.author or ""))
        return [(row.published_at, row.place, row.author) for row in told]

    def told_beside(
        self, brand_id: int, story_ids: Collection[int], without: Collection[str], known: int | None = None
    ) -> dict[int, Voice]:
        """Who else told these stories, in a copy: the first who is not one of the sources `without` (slugs)."""
        found: dict[int, Voice] = {}
        with self._database.read() as connection:
            for some in chunks(sorted(story_ids)):
                query = (
                    select(mentions.c.story_id, *_FROM)
                    .join(posts, posts.c.id == mentions.c.post_id)
                    .join(sources, sources.c.id == mentions.c.source_id)
                    .where(
                        is_in(mentions.c.story_id, some, self._database.dialect), mentions.c.brand_id + 0 == brand_id
                    )
                    .where(_COPY, ~mentions.c.backfill, sources.c.slug.not_in(without), *_known(known))
                    .order_by(*_AGE)
                    .limit(MOST)
                )
                for row in connection.execute(query):
                    found.setdefault(row.story_id, Voice(row.source, row.site, row.author))
        return found

    # ── as usual ─────────────────────────────────────────────────────────────

    def site_shares(self, brand_id: int, start: datetime, end: datetime, known: int | None = None) -> dict[str, float]:
        """The share (0..1) of each site among the stories of [start, end), backfilled ones too, the largest first.

        A story without a site counts for its source's slug. Of more than 5,000 stories, an even sample is counted.
        """
        places = select(func.coalesce(posts.c.site, sources.c.slug).label("place"))
        with self._database.read() as connection:
            rows = list(_sample(connection, places.where(*_known(known)), brand_id, start, end, SAMPLE))
        counts = Counter(row.place for row in rows)
        return {
            place: number / len(rows) for place, number in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
        }

    def unknown_tones(self, brand_id: int, start: datetime, end: datetime, known: int | None = None) -> tuple[int, int]:
        """How many of the stories of [start, end) are of unknown tone, and how many there are, backfilled ones too; of
        more than 5,000, of an even sample.
        """
        with self._database.read() as connection:
            wanted = select(mentions.c.label).where(*_known(known))
            labels = [row.label for row in _sample(connection, wanted, brand_id, start, end, SAMPLE)]
        return labels.count(LABEL_CODES["unknown"]), len(labels)

    def words_background(
        self, brand_id: int, start: datetime, end: datetime, limit: int = 3_000, known: int | None = None
    ) -> list[tuple[str, str]]:
        """(title, text) of stories of [start, end), backfilled ones too, oldest first: all of them, or an even sample
        of at most `limit`.
        """
        with self._database.read() as connection:
            wanted = select(*_WORDS).where(*_known(known))
            return [(row.title, row.text) for row in _sample(connection, wanted, brand_id, start, end, limit)]


def _stories(*, texts: bool) -> Select[Any]:
    return (
        select(*_AT, *_FROM, *(_WORDS if texts else _NO_WORDS))
        .join(posts, posts.c.id == mentions.c.post_id)
        .join(sources, sources.c.id == mentions.c.source_id)
    )


def _rare(
    index: str,
    wanted: str,
    span: tuple[int, datetime, datetime, int | None],
    limit: int,
    dialect: Dialect,
    *,
    newest: bool,
) -> Subquery:
    """The keys of the first live stories of (brand id, start, end, known) that are `wanted`, by that index.

    SQLite has to be told: it takes the primary key's range for as good, and would look at all that was said.
    """
    hint = f"INDEXED BY {index}" if dialect == "sqlite" else ""
    order = "published_at DESC, post_id DESC" if newest else "published_at, post_id"
    query = text(
        f"SELECT brand_id, published_at, post_id FROM mentions {hint} WHERE brand_id = :brand_id AND {wanted}"  # noqa: S608
        " AND published_at >= :start AND published_at < :end AND post_id <= :known AND NOT copy AND NOT backfill"
        f" ORDER BY {order} LIMIT :most"
    )
    brand_id, start, end, known = span
    last = _NEWEST if known is None else known
    bound = query.bindparams(brand_id=brand_id, start=to_ms(start), end=to_ms(end), known=last, most=limit)
    return bound.columns(*(mentions.c[name] for name in _KEY)).subquery("rare")


def _those(query: Select[Any], keys: Subquery) -> Select[Any]:
    return query.join(keys, and_(*(mentions.c[name] == keys.c[name] for name in _KEY)))


def _within(brand_id: int, start: datetime, end: datetime) -> tuple[ColumnElement[bool], ...]:
    return mentions.c.brand_id == brand_id, mentions.c.published_at >= start, mentions.c.published_at < end


def _known(known: int | None) -> Sequence[ColumnElement[bool]]:
    return () if known is None else (mentions.c.post_id <= known,)


def _sample(
    connection: Connection, wanted: Select[Any], brand_id: int, start: datetime, end: datetime, limit: int
) -> Iterator[Row[Any]]:
    """Some columns of at most `limit` stories, oldest first, as dense everywhere as the stories are."""
    query = wanted.select_from(mentions).join(posts, posts.c.id == mentions.c.post_id)
    query = query.join(sources, sources.c.id == mentions.c.source_id).where(_FIRST).order_by(*_AGE)
    for first, last, number in _parts(connection, brand_id, start, end, limit):
        yield from connection.execute(query.where(*_within(brand_id, first, last)).limit(number))


def _parts(
    connection: Connection, brand_id: int, start: datetime, end: datetime, limit: int
) -> Iterator[tuple[datetime, datetime, int]]:
    """Where to look for a sample: (start, end, how many). One part where all stories are wanted, else some 200.

    They hold about as many stories each, so they begin at any minute: much is published on the stroke of the hour, by
    the same few sites.
    """
    stories = func.sum(volumes.c.stories + volumes.c.backfill_stories).label("stories")
    query: Select[Any] = (
        select(volumes.c.bin, stories)
        .where(volumes.c.brand_id == brand_id, volumes.c.width_s == BIN.total_seconds())
        .where(volumes.c.bin > start - BIN, volumes.c.bin < end)
        .group_by(volumes.c.bin)
        .order_by(volumes.c.bin)
    )
    bins = [(row.bin, int(row.stories)) for row in connection.execute(query)]
    total = sum(number for _, number in bins)
    if total <= limit:
        yield start, end, limit
        return
    seen = taken = held = 0
    first = start
    for at, number in bins:
        seen += number
        held += number
        if held * PARTS >= total or at == bins[-1][0]:
            last = min(end, at + BIN)
            wanted = seen * limit // total - taken
            if wanted:
                yield first, last, wanted
            first, held, taken = last, 0, taken + wanted


def _told(row: Row[Any]) -> Told:
    return Told(
        post_id=row.post_id,
        story_id=row.story_id,
        published_at=row.published_at,
        fetched_at=row.fetched_at,
        label=LABEL_NAMES[row.label],
        score=row.score,
        source=row.source,
        site=row.site,
        author=row.author,
        title=row.title,
        text=row.text,
        language=row.language,
    )


def _grave(row: Row[Any]) -> GraveRow:
    return GraveRow(
        post_id=row.post_id,
        story_id=row.story_id,
        published_at=row.published_at,
        fetched_at=row.fetched_at,
        label=LABEL_NAMES[row.label],
        terms=tuple(row.terms),
        source=row.source,
        tier=row.tier,
        site=row.site,
        author=row.author,
    )
