"""What was said about the brands, read back: pages newest first, and the proof of an alert.

No filter may cost the whole table. So a page is merged from streams, one per brand (and label, and source) that was
asked for, each read from an index in the order of the page; the join with the texts comes last, for the rows of the
page only. Words are looked up first: where few posts have them, the page is made from those, else streams are filtered.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, TextClause, and_, func, select, text, tuple_
from sqlalchemy.sql.selectable import FromClause

from app.model import Label, Mention, MentionFilter
from app.storage import search, tones
from app.storage.database import Database, Dialect, dialect_of, is_in
from app.storage.ids import first_id_at
from app.storage.paging import falling, merge
from app.storage.records import Corrected, MentionSummary, Rescored, Restated, Unheard
from app.storage.sentiments import unpack, unpack_correction
from app.tables import LABEL_CODES, LABEL_NAMES, brands, mentions, posts, sources, watches

MOST_STREAMS = 30  # merged into one page; beyond, all brands are walked in order of time
MOST_SOURCE_STREAMS = 100  # likewise where sources are named, which may be rare
FEW_POSTS = 1_000  # with the words of a search: then the page is made from them
NEAR = 1_000  # mentions that are looked through first for common words
NO_LANGUAGE = "und"  # BCP 47: undetermined

_ORDER = ("published_at", "post_id", "brand_id")  # together, they are the key
_KEYS = select(*(mentions.c[name] for name in _ORDER))
_TOLD = (
    select(*mentions.c, *(posts.c[name] for name in ("title", "text", "url", "author", "site", "fetched_at")))
    .add_columns(*(posts.c[name] for name in ("engagement", "reach", "rating", "edited_at", "withdrawn_at", "reply")))
    .add_columns(brands.c.slug.label("brand"), sources.c.slug.label("source"))
    .join(posts, posts.c.id == mentions.c.post_id)
    .join(brands, brands.c.id == mentions.c.brand_id)
    .join(sources, sources.c.id == mentions.c.source_id)
)

Cursor = tuple[datetime, int, int]  # published_at, post_id, brand_id of the last mention of the page before


class Mentions:
    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, filter: MentionFilter, after: Cursor | None = None, limit: int = 50) -> list[Mention]:
        """Newest first: by published_at, then post_id, then brand id, all falling. `since` is in it, `until` is not.

        Mentions of an archived brand show only where it is named. The brand id of `after` is `brands.get(slug).id`.
        """
        with self._database.read() as connection:
            scope = _scope(connection, filter)
            if scope is None:
                return []
            if scope.words and scope.posts is None:
                near = _read(connection, _near(connection, scope, after), after, limit)
                if len(near) == limit:
                    return near
            return _read(connection, scope, after, limit)

    def page_tag(self, filter: MentionFilter) -> str:
        """A short text that changes whenever a page with this filter may have changed. Does not read the mentions."""
        query = (
            select(watches.c.brand_id, watches.c.mentions, watches.c.restated)
            .join(brands, brands.c.id == watches.c.brand_id)
            .where(_shown(filter))
            .order_by(watches.c.brand_id)
        )
        with self._database.read() as connection:
            state = ",".join(":".join(map(str, revision)) for revision in connection.execute(query))
        return hashlib.blake2b(state.encode(), digest_size=8).hexdigest()

    def get(self, brand_slug: str, post_id: int) -> Mention | None:
        with self._database.read() as connection:
            return _get(connection, brand_slug, post_id)

    def withdrawn(self, brand_id: int, moments: Sequence[datetime]) -> list[tuple[datetime, str, int | None]]:
        """Mentions published at these very moments that their authors took back: when, the source's slug, and the hash
        of the link (`ids.url_hash`).
        """
        query = (
            select(mentions.c.published_at, sources.c.slug, posts.c.url_hash)
            .join(posts, posts.c.id == mentions.c.post_id)
            .join(sources, sources.c.id == mentions.c.source_id)
            .where(mentions.c.brand_id == brand_id, mentions.c.published_at.in_(moments))
            .where(posts.c.withdrawn_at.is_not(None))
        )
        with self._database.read() as connection:
            return [(row.published_at, row.slug, row.url_hash) for row in connection.execute(query)]

    def count(self) -> int:
        """How many mentions were ever stored, copies and history included."""
        with self._database.read() as connection:
            number: int | None = connection.execute(select(func.sum(watches.c.mentions))).scalar()
            return int(number or 0)

    def top_negative(self, brand_id: int, start: datetime, end: datetime, limit: int) -> list[tuple[Mention, int]]:
        """Live negative stories published in [start, end): each by its first mention there, with the number of copies.

        The most copied come first, then the most negative, then the newest.
        """
        stories = (
            select(func.min(mentions.c.post_id).label("post_id"), (func.count() - 1).label("copies"))
            .where(*_live(brand_id, start, end), mentions.c.label == LABEL_CODES["negative"])
            .group_by(mentions.c.story_id)
            .order_by(func.count().desc(), func.min(mentions.c.score), func.min(mentions.c.post_id).desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            copies = {row.post_id: row.copies for row in connection.execute(stories)}
            query = _TOLD.where(mentions.c.brand_id == brand_id, mentions.c.post_id.in_(copies))
            found = {row.post_id: _mention(row) for row in connection.execute(query)}
        return [(found[post_id], number) for post_id, number in copies.items()]

    def summary(self, brand_id: int, start: datetime, end: datetime) -> MentionSummary:
        """Live mentions published in [start, end); the stories also by label, language (`und`: unknown), source."""
        number = func.count().label("number")
        query = (
            select(mentions.c.label, mentions.c.language, sources.c.slug, mentions.c.copy, number)
            .join(sources, sources.c.id == mentions.c.source_id)
            .where(*_live(brand_id, start, end))
            .group_by(mentions.c.label, mentions.c.language, sources.c.slug, mentions.c.copy)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        stories = [row for row in rows if not row.copy]
        return MentionSummary(
            stories=sum(row.number for row in stories),
            copies=sum(row.number for row in rows if row.copy),
            by_label=_sums((LABEL_NAMES[row.label], row.number) for row in stories),
            by_language=_sums((row.language or NO_LANGUAGE, row.number) for row in stories),
            by_source=_sums((row.slug, row.number) for row in stories),
        )

    # ── tones that change ────────────────────────────────────────────────────

    def provisional(self, limit: int) -> list[Unheard]:
        """Mentions that are to be heard again, newest first."""
        with self._database.read() as connection:
            return tones.provisional(connection, limit)

    def waiting(self) -> int:
        """How many mentions are to be heard again."""
        with self._database.read() as connection:
            return tones.waiting(connection)

    def restated(self) -> int:
        """How often the tone of a stored mention was changed: doubted, heard again, corrected."""
        with self._database.read() as connection:
            number: int | None = connection.execute(select(func.sum(watches.c.restated))).scalar()
            return int(number or 0)

    def restate(self, rescored: Sequence[Rescored], now: datetime) -> list[Restated]:
        """Write what was heard this time, which is final: nothing of it stays provisional.

        Returns the mentions that were written, most with the label that they had before. Left as they are: corrected
        ones, whatever the scorer says, and those that say so already. Volumes and the brands' revisions change with it.
        """
        with self._database.write() as connection:
            return tones.restate(connection, rescored, now)

    def correct(
        self, brand_slug: str, post_id: int, label: Label | None, by: str, note: str, now: datetime
    ) -> Mention | None:
        """A person's word on a brand's story: all its mentions get it, copies that come later too. None: taken back.

        Returns the mention as it is now; None when there is no such mention. Saying the same again changes nothing.
        """
        with self._database.write() as connection:
            tones.correct(connection, brand_slug, post_id, label, by, note, now)
            return _get(connection, brand_slug, post_id)

    def corrections(
        self,
        brands: Sequence[str] | None = None,
        *,
        in_force: bool = False,
        before_id: int | None = None,
        limit: int | None = None,
    ) -> list[Corrected]:
        """Everything that people said of tones, newest first, take-backs too. None = any.

        `in_force`: only the last word on each brand's story, if it was not taken back. `before_id` is the id of the
        last one of the page before.
        """
        with self._database.read() as connection:
            return tones.audit(connection, brands, in_force, before_id, limit)

    def doubt(self, since: datetime | None, until: datetime | None, now: datetime) -> int:
        """Mark the mentions published in [since, until) to be heard again; returns how many were not yet. None = any.

        Corrected ones are left out, and those that were heard after `now`.
        """
        return tones.doubt(self._database, since, until, now)


@dataclass(frozen=True, slots=True)
class _Scope:
    """A filter in terms of the tables. None = any. `posts` are all that have the words, when they are few."""

    brand_ids: Sequence[int] | None
    hidden: Sequence[int]  # ids of the archived brands, where none is named
    source_ids: Sequence[int] | None
    labels: Sequence[Label] | None
    languages: Sequence[str] | None
    uncertain: bool | None
    corrected: bool | None
    since: datetime | None
    until: datetime | None
    words: Sequence[str]
    posts: Sequence[int] | None
    dialect: Dialect


def _scope(connection: Connection, filter: MentionFilter) -> _Scope | None:
    """None when the filter names only what does not exist."""
    brand_ids = None if filter.brands is None else _ids(connection, brands, filter.brands)
    source_ids = None if filter.sources is None else _ids(connection, sources, filter.sources)
    words = search.wanted(filter.text or "")
    only_signs = bool(filter.text and filter.text.strip() and not words)
    if only_signs or [] in (brand_ids, source_ids) or () in (filter.labels, filter.languages):
        return None
    dialect = dialect_of(connection)
    few = None
    if words:
        found = connection.execute(search.posts_with(words, dialect).limit(FEW_POSTS + 1)).scalars().all()
        few = None if len(found) > FEW_POSTS else found
    hidden: Sequence[int] = ()
    if brand_ids is None:
        every = connection.execute(select(brands.c.id, brands.c.archived_at)).all()
        hidden = [row.id for row in every if row.archived_at is not None]
        # What is rare is found through its brands; all of time is too long a walk.
        if source_ids is not None or filter.uncertain or filter.corrected:
            brand_ids = [row.id for row in every if row.archived_at is None]
    return _Scope(
        brand_ids=brand_ids,
        hidden=hidden,
        source_ids=source_ids,
        labels=filter.labels,
        languages=filter.languages,
        uncertain=filter.uncertain,
        corrected=filter.corrected,
        since=filter.since,
        until=filter.until,
        words=words,
        posts=few,
        dialect=dialect,
    )


def _near(connection: Connection, scope: _Scope, after: Cursor | None) -> _Scope:
    """The same filter on the newest mentions only: there common words fill a page without a look at all their posts."""
    keys = _newest(replace(scope, words=()), after, NEAR).subquery("keys")
    oldest: datetime | None = connection.execute(select(func.min(keys.c.published_at))).scalar()
    return scope if oldest is None else replace(scope, since=oldest)


def _read(connection: Connection, scope: _Scope, after: Cursor | None, limit: int) -> list[Mention]:
    page = _newest(scope, after, limit).subquery("page")
    here = and_(*(mentions.c[name] == page.c[name] for name in _ORDER))
    query = _TOLD.join(page, here).order_by(*falling(page, _ORDER))
    return [_mention(row) for row in connection.execute(query)]


def _newest(scope: _Scope, after: Cursor | None, limit: int) -> Select[Any]:
    """The keys of the mentions of one page."""
    rare = scope.source_ids is not None or scope.uncertain or scope.corrected
    most = MOST_SOURCE_STREAMS if rare else MOST_STREAMS
    number = len(scope.brand_ids or ()) * len(scope.labels or "1") * len(scope.source_ids or "1")
    if scope.posts is not None or not 0 < number <= most:
        return _walk(scope, after, limit)
    parts = product(scope.brand_ids or (), scope.labels or (None,), scope.source_ids or (None,))
    return merge([_stream(scope, after, *part) for part in parts], _ORDER, limit)


def _stream(
    scope: _Scope, after: Cursor | None, brand_id: int, label: Label | None, source_id: int | None
) -> Select[Any]:
    """One brand's mentions (of one label, one source) in the order of an index."""
    query = _KEYS.where(mentions.c.brand_id == brand_id, *_common(scope))
    if label is not None:
        query = query.where(mentions.c.label == LABEL_CODES[label])
    if source_id is not None:
        query = query.where(mentions.c.source_id == source_id)
    if after is not None:
        place = tuple_(mentions.c.published_at, mentions.c.post_id)
        query = query.where(place <= after[:2] if brand_id < after[2] else place < after[:2])
    return query.order_by(mentions.c.published_at.desc(), mentions.c.post_id.desc())


def _walk(scope: _Scope, after: Cursor | None, limit: int) -> Select[Any]:
    """All brands in order of time, or the few posts that have the words. The rest of the filter looks at each row."""
    # `+ 0` keeps the planner from an index on the brand, which would sort all of its mentions.
    brand_id = mentions.c.brand_id + 0
    query = _KEYS.where(*_common(scope))
    if scope.brand_ids is not None:
        query = query.where(is_in(brand_id, scope.brand_ids, scope.dialect))
    if scope.hidden:
        query = query.where(~is_in(brand_id, scope.hidden, scope.dialect))
    if scope.labels is not None:
        query = query.where(mentions.c.label.in_([LABEL_CODES[label] for label in scope.labels]))
    if scope.source_ids is not None:
        query = query.where(is_in(mentions.c.source_id, scope.source_ids, scope.dialect))
    if after is not None:
        query = query.where(tuple_(mentions.c.published_at, mentions.c.post_id, mentions.c.brand_id) < after)
    return query.order_by(*falling(mentions, _ORDER)).limit(limit)


def _common(scope: _Scope) -> Iterator[ColumnElement[bool] | TextClause]:
    if scope.since is not None:
        yield mentions.c.published_at >= scope.since
    if scope.until is not None:
        yield mentions.c.published_at < scope.until
    if scope.languages is not None:
        named = [code for code in scope.languages if code != NO_LANGUAGE]
        none = mentions.c.language.is_(None) if NO_LANGUAGE in scope.languages else mentions.c.language.in_(())
        yield mentions.c.language.in_(named) | none
    if scope.uncertain is not None:  # spelt as in the partial index
        yield text("mentions.uncertain" if scope.uncertain else "NOT mentions.uncertain")
    if scope.corrected is not None:
        yield mentions.c.correction.is_not(None) if scope.corrected else mentions.c.correction.is_(None)
    if scope.posts is not None:
        yield is_in(mentions.c.post_id, scope.posts, scope.dialect)
    elif scope.words:
        first_id = 0 if scope.since is None else first_id_at(scope.since)  # nothing is published after it was stored
        yield (mentions.c.post_id + 0).in_(search.posts_with(scope.words, scope.dialect, first_id))


def _live(brand_id: int, start: datetime, end: datetime) -> tuple[ColumnElement[bool], ...]:
    within = (mentions.c.published_at >= start, mentions.c.published_at < end)
    return (mentions.c.brand_id == brand_id, *within, ~mentions.c.backfill)


def _shown(filter: MentionFilter) -> ColumnElement[bool]:
    return brands.c.archived_at.is_(None) if filter.brands is None else brands.c.slug.in_(filter.brands)


def _ids(connection: Connection, table: FromClause, slugs: Sequence[str]) -> list[int]:
    return list(connection.execute(select(table.c.id).where(table.c.slug.in_(slugs))).scalars())


def _get(connection: Connection, brand_slug: str, post_id: int) -> Mention | None:
    query = _TOLD.where(mentions.c.post_id == post_id, brands.c.slug == brand_slug)
    row = connection.execute(query).first()
    return None if row is None else _mention(row)


def _mention(row: Row[Any]) -> Mention:
    return Mention(
        brand=row.brand,
        post_id=row.post_id,
        source=row.source,
        title=row.title,
        text=row.text,
        url=row.url,
        author=row.author,
        site=row.site,
        published_at=row.published_at,
        fetched_at=row.fetched_at,
        sentiment=replace(unpack(row), language=row.language),
        story_id=row.story_id,
        copy=row.copy,
        backfill=row.backfill,
        scored_at=row.scored_at,
        correction=unpack_correction(row.correction),
        was=None if row.was is None else LABEL_NAMES[row.was],
        engagement=row.engagement or {},
        reach=row.reach,
        rating=row.rating,
        edited_at=row.edited_at,
        withdrawn_at=row.withdrawn_at,
        reply=row.reply,
    )


def _sums(pairs: Iterator[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for name, number in pairs:
        sums[name] = sums.get(name, 0) + number
    return dict(sorted(sums.items(), key=lambda pair: (-pair[1], pair[0])))
