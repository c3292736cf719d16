"""What was said, counted once more from the mentions themselves, by other queries than those that made a number.

`known` is the id of the newest post that there was: what was stored later is left out. Live mentions only, as they are
labelled now. `without` are the ids of posts that do not count.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, distinct, func, select, true
from sqlalchemy.sql.selectable import FromClause

from app.model import Label
from app.storage.database import Database, chunks, dialect_of, is_in
from app.storage.records import MentionSummary
from app.storage.sentiments import unpack, unpack_correction
from app.tables import LABEL_CODES, LABEL_NAMES, corrections, grave_mentions, mentions, post_versions, posts, sources

NO_LANGUAGE = "und"
MOST = 20_000  # rows that are looked at one by one
_KEY = (mentions.c.published_at, mentions.c.post_id)
_STORY = ~mentions.c.copy
_NEGATIVE = mentions.c.label == LABEL_CODES["negative"]


@dataclass(frozen=True, slots=True)
class Voices:
    """The negative stories of a window that count: how many, from how many authors and sites, and who told one of them
    first, in whichever copy.
    """

    stories: int
    authors: int
    sites: int
    first: datetime | None
    first_source: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A negative story as a dossier shows it."""

    post_id: int
    title: str
    url: str | None
    score: float | None
    copies: int


@dataclass(frozen=True, slots=True)
class Relabelled:
    """A story whose label is another one than it was: `at` None says that nothing tells when that was."""

    post_id: int
    was: Label
    now: Label
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Reworded:
    """A post whose author changed it, or took it back (`withdrawn`), and when we saw it."""

    post_id: int
    withdrawn: bool
    at: datetime


class Recount:
    def __init__(self, database: Database) -> None:
        self._database = database

    def unknown(self, brand_id: int, start: datetime, end: datetime) -> list[tuple[int, datetime]]:
        """The stories of unknown tone published in [start, end): (post id, when), by id."""
        query = (
            select(mentions.c.post_id, mentions.c.published_at)
            .where(*_window(brand_id, start, end, None), _STORY, mentions.c.label == LABEL_CODES["unknown"])
            .order_by(mentions.c.post_id)
        )
        with self._database.read() as connection:
            return [(row.post_id, row.published_at) for row in connection.execute(query)]

    def counts(self, brand_id: int, start: datetime, end: datetime, known: int) -> MentionSummary:
        """Everything that was said in [start, end)."""
        window = _window(brand_id, start, end, known)
        slug = select(sources.c.slug).where(sources.c.id == mentions.c.source_id).scalar_subquery()
        with self._database.read() as connection:

            def by(what: ColumnElement[Any]) -> dict[Any, int]:
                query = select(what.label("what"), func.count().label("number")).where(*window, _STORY).group_by("what")
                return {row.what: row.number for row in connection.execute(query)}

            copies = connection.execute(
                select(func.count()).select_from(mentions).where(*window, mentions.c.copy)
            ).scalar_one()
            labels: dict[str, int] = {LABEL_NAMES[code]: number for code, number in by(mentions.c.label).items()}
            languages = by(func.coalesce(mentions.c.language, NO_LANGUAGE))
            slugs = by(slug)
        return MentionSummary(sum(labels.values()), copies, labels, languages, slugs)

    def told(
        self, brand_id: int, start: datetime, end: datetime, known: int, without: Collection[int] = ()
    ) -> tuple[int, int]:
        """(negative stories, stories of known tone) published in [start, end), without some."""
        rows = self._stories(brand_id, start, end, known, without)
        query = select(
            func.coalesce(func.sum(case((rows.c.label == LABEL_CODES["negative"], 1), else_=0)), 0),
            func.coalesce(func.sum(case((rows.c.label == LABEL_CODES["unknown"], 0), else_=1)), 0),
        )
        with self._database.read() as connection:
            negative, total = connection.execute(query).one()
            return int(negative), int(total)

    def taught(self, brand_id: int, start: datetime, end: datetime, known: int) -> tuple[int, int]:
        """The same with the backfilled stories: what a sample of earlier days has counted."""
        query = select(
            func.coalesce(func.sum(case((_NEGATIVE, 1), else_=0)), 0),
            func.coalesce(func.sum(case((mentions.c.label == LABEL_CODES["unknown"], 0), else_=1)), 0),
        ).where(*_within(brand_id, start, end, known), _STORY)
        with self._database.read() as connection:
            negative, total = connection.execute(query).one()
            return int(negative), int(total)

    def voices(
        self, brand_id: int, start: datetime, end: datetime, known: int, without: Collection[int] = ()
    ) -> Voices:
        """Who told the negative stories of [start, end)."""
        rows = self._stories(brand_id, start, end, known, without)
        place = func.coalesce(func.nullif(posts.c.site, ""), sources.c.slug)
        told = (
            select(posts.c.site, posts.c.author, place.label("place"), rows.c.story_id)
            .select_from(rows)
            .join(posts, posts.c.id == rows.c.post_id)
            .join(sources, sources.c.id == rows.c.source_id)
            .where(rows.c.label == LABEL_CODES["negative"])
        ).subquery("told")
        people = select(told.c.site, told.c.author).where(told.c.author != "").distinct().subquery("people")
        first = (
            select(mentions.c.published_at, sources.c.slug.label("source"))
            .join(sources, sources.c.id == mentions.c.source_id)
            .where(mentions.c.story_id.in_(select(told.c.story_id)), mentions.c.brand_id + 0 == brand_id)
            .where(mentions.c.post_id <= known, ~mentions.c.backfill)
            .order_by(*_KEY)
            .limit(1)
        )
        with self._database.read() as connection:
            number, sites = connection.execute(select(func.count(), func.count(distinct(told.c.place)))).one()
            authors = connection.execute(select(func.count()).select_from(people)).scalar_one()
            row = connection.execute(first).first()
        return Voices(number, authors, sites, row.published_at if row else None, row.source if row else None)

    def top_negative(
        self, brand_id: int, start: datetime, end: datetime, known: int, without: Collection[int], limit: int
    ) -> list[Shown]:
        """The negative stories that a dossier shows: the most copied, then the most negative, then the newest."""
        window = (*_window(brand_id, start, end, known), _NEGATIVE)
        stories = (
            select(func.min(mentions.c.post_id).label("post_id"), (func.count() - 1).label("copies"))
            .add_columns(func.min(mentions.c.score).label("lowest"))
            .where(*window)
            .group_by(mentions.c.story_id)
            .order_by(func.count().desc(), func.min(mentions.c.score), func.min(mentions.c.post_id).desc())
            .limit(limit + len(without))
            .subquery("stories")
        )
        query = (
            select(stories.c.post_id, stories.c.copies, posts.c.title, posts.c.url, mentions.c.score)
            .join(posts, posts.c.id == stories.c.post_id)
            .join(mentions, (mentions.c.post_id == stories.c.post_id) & (mentions.c.brand_id == brand_id))
            .order_by(stories.c.copies.desc(), stories.c.lowest, stories.c.post_id.desc())
        )
        out = set(without)
        with self._database.read() as connection:
            found = [Shown(row.post_id, row.title, row.url, row.score, row.copies) for row in connection.execute(query)]
        return [one for one in found if one.post_id not in out]

    def grave_voices(
        self, brand_id: int, start: datetime, end: datetime, known: int, term: str, since: datetime | None = None
    ) -> int:
        """By how many people a grave term was said in [start, end), in stories that are not positive, collected
        `since` then.
        """
        query = (
            select(grave_mentions.c.terms, posts.c.author, posts.c.site, sources.c.slug)
            .select_from(mentions)
            .join(
                grave_mentions,
                (grave_mentions.c.post_id == mentions.c.post_id) & (grave_mentions.c.brand_id == mentions.c.brand_id),
            )
            .join(posts, posts.c.id == mentions.c.post_id)
            .join(sources, sources.c.id == mentions.c.source_id)
            .where(*_window(brand_id, start, end, known), _STORY)
            .where(mentions.c.label != LABEL_CODES["positive"])
            .where(posts.c.fetched_at >= since if since else true())
            .limit(MOST)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return len({(row.author or "", row.site or row.slug) for row in rows if term in row.terms})

    def sites_of(self, brand_id: int, start: datetime, end: datetime, known: int, story_id: int) -> int:
        """On how many sites a story stood in [start, end), copies and all."""
        query = (
            select(func.count(distinct(func.coalesce(func.nullif(posts.c.site, ""), sources.c.slug))))
            .select_from(mentions)
            .join(posts, posts.c.id == mentions.c.post_id)
            .join(sources, sources.c.id == mentions.c.source_id)
            .where(*_window(brand_id, start, end, known), mentions.c.story_id == story_id)
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def authors_of(self, brand_id: int, start: datetime, end: datetime, known: int, story_id: int) -> int:
        """By how many people a story was told in [start, end), copies and all."""
        query = (
            select(posts.c.author)
            .distinct()
            .join(mentions, mentions.c.post_id == posts.c.id)
            .where(*_window(brand_id, start, end, known), mentions.c.story_id == story_id, posts.c.author != "")
        )
        with self._database.read() as connection:
            return len({author.casefold() for author in connection.execute(query).scalars()})

    # ── what is not as it was ────────────────────────────────────────────────

    def relabelled(
        self, brand_id: int, start: datetime, end: datetime, known: int, since: datetime
    ) -> list[Relabelled]:
        """Stories of [start, end) whose label was changed after `since`, or is not what their reading says."""
        query = select(mentions).where(*_window(brand_id, start, end, known), _STORY).order_by(*_KEY).limit(MOST)
        said = (
            select(corrections.c.story_id, corrections.c.was, corrections.c.at)
            .where(corrections.c.brand_id == brand_id, corrections.c.at > since)
            .order_by(corrections.c.id.desc())
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            corrected: dict[int, Row[Any]] = {}
            for some in chunks([row.story_id for row in rows]):
                mine = said.where(is_in(corrections.c.story_id, some, dialect_of(connection)))
                corrected |= {row.story_id: row for row in connection.execute(mine)}  # the oldest comes last, and stays
        return [found for row in rows if (found := _relabelled(row, corrected.get(row.story_id), since))]

    def reworded(self, brand_id: int, start: datetime, end: datetime, known: int, since: datetime) -> list[Reworded]:
        """Mentions of [start, end) that were edited or withdrawn after `since`."""
        kept = select(func.max(post_versions.c.at)).where(post_versions.c.post_id == posts.c.id).scalar_subquery()
        query = (
            select(posts.c.id, posts.c.withdrawn_at, posts.c.edited_at, kept.label("kept_at"))
            .join(mentions, mentions.c.post_id == posts.c.id)
            .where(*_window(brand_id, start, end, known))
            .where(posts.c.withdrawn_at.is_not(None) | posts.c.edited_at.is_not(None))
            .order_by(*_KEY)
            .limit(MOST)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        told = [(row, row.withdrawn_at or max(at for at in (row.edited_at, row.kept_at) if at)) for row in rows]
        return [Reworded(row.id, row.withdrawn_at is not None, at) for row, at in told if at > since]

    def gone(self, brand_id: int, post_ids: Sequence[int]) -> list[int]:
        """Those of these posts that are no mentions of the brand any more."""
        there: set[int] = set()
        with self._database.read() as connection:
            for some in chunks(post_ids):
                named = is_in(mentions.c.post_id, some, dialect_of(connection))
                there |= set(
                    connection.execute(
                        select(mentions.c.post_id).where(mentions.c.brand_id == brand_id, named)
                    ).scalars()
                )
        return [post_id for post_id in post_ids if post_id not in there]

    def came_later(self, brand_id: int, start: datetime, end: datetime, known: int) -> int:
        """How many mentions of [start, end) were stored since."""
        query = (
            select(func.count())
            .select_from(mentions)
            .where(*_window(brand_id, start, end, None), mentions.c.post_id > known)
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def _stories(
        self, brand_id: int, start: datetime, end: datetime, known: int, without: Collection[int]
    ) -> FromClause:
        query: Select[Any] = select(mentions).where(*_window(brand_id, start, end, known), _STORY)
        for some in chunks(sorted(without)):
            query = query.where(~is_in(mentions.c.post_id, some, self._database.dialect))
        return query.subquery("stories")


def _window(brand_id: int, start: datetime, end: datetime, known: int | None) -> tuple[ColumnElement[bool], ...]:
    return (*_within(brand_id, start, end, known), ~mentions.c.backfill)


def _within(brand_id: int, start: datetime, end: datetime, known: int | None) -> tuple[ColumnElement[bool], ...]:
    within = (mentions.c.brand_id == brand_id, mentions.c.published_at >= start, mentions.c.published_at < end)
    return within if known is None else (*within, mentions.c.post_id <= known)


def _relabelled(row: Row[Any], corrected: Row[Any] | None, since: datetime) -> Relabelled | None:
    now = LABEL_NAMES[row.label]
    if corrected is not None:
        was = LABEL_NAMES[corrected.was]
        return None if was == now else Relabelled(row.post_id, was, now, corrected.at)
    correction = unpack_correction(row.correction)
    said = _best(row) if correction is None else correction.label
    if said is not None and said != now:
        return Relabelled(row.post_id, said, now, None)
    if row.scored_at > since and row.was is not None and row.was != row.label:
        return Relabelled(row.post_id, LABEL_NAMES[row.was], now, row.scored_at)
    return None


def _best(row: Row[Any]) -> Label | None:
    """The label that the reading's probabilities, or its score, speak for."""
    reading = unpack(row)
    if reading.probabilities is not None:
        labels: tuple[Label, ...] = ("negative", "neutral", "positive")
        best = max(reading.probabilities)
        likely = [label for label, chance in zip(labels, reading.probabilities, strict=True) if chance == best]
        return reading.label if reading.label in likely else likely[0]
    return None
