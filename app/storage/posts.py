"""What was collected, on its way in: one transaction per visit of a source.

    lock | lease still mine? | known posts | stories | rows > posts, mentions, words, volumes, quarantine, source

Storing the same batch twice stores it once: a post is known by its dedupe key, a mention by its brand and post, and
volumes grow by rows that really went in. A row that the database refuses costs itself only: it is put into quarantine
with the reason.

A story is the first post with a text; posts with the same text that we store within the next seven days are its copies,
near copies those of three days (`app.storage.stories`). For a brand, the first mention of a story counts as the story,
the others as copies; what a person said of the story is said of all of them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, select, text, tuple_, update
from sqlalchemy.exc import DBAPIError

from app.model import Correction
from app.storage import search, stories, tones, volumes, watches
from app.storage.database import Database, chunks, dialect_of, insert_rows, is_in, one_at_a_time, plain, to_json
from app.storage.faults import costs_its_row
from app.storage.ids import ids_after
from app.storage.paging import MOST_STREAMS, falling, merge
from app.storage.records import CollectBatch, CollectedPost, KnownPost, LeaseLost, Stored, StoredPost
from app.storage.sentiments import COLUMNS, JSON_COLUMNS, pack
from app.storage.volumes import Tally
from app.tables import brands, grave_mentions, mentions, posts, quarantine, sources, to_ms
from collectors.base import Post, Reject

LONGEST_SAMPLE = 2_000  # characters of a quarantined item
QUARANTINE_SIZE = 500  # rows that one source may have in quarantine; the oldest go first

_POST = (
    *("id", "source_id", "dedupe_key", "url", "title", "text", "author", "site", "language"),
    *("published_at", "claimed_at", "fetched_at", "text_hash", "story_id", "backfill", "reply"),
)
_MENTION = (
    *("brand_id", "published_at", "post_id", "story_id", "source_id", "copy", "backfill", "scored_at"),
    *COLUMNS,
)
_GRAVE = ("brand_id", "published_at", "post_id", "terms")

_ORDER = ("published_at", "id")
_READ = select(posts, sources.c.slug.label("source")).join(sources, sources.c.id == posts.c.source_id)


_Item = tuple[int, CollectedPost]
"""(source id, post)"""


class Posts:
    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, keys: Sequence[bytes]) -> dict[bytes, KnownPost]:
        """Which of these dedupe keys are stored already, and which brands they mention."""
        with self._database.read() as connection:
            stored = _stored_posts(connection, keys)
        return {key: KnownPost(post.id, frozenset(post.brands)) for key, post in stored.items()}

    def store(self, batch: CollectBatch, now: datetime) -> Stored:
        """All that one good visit changes. Raises `LeaseLost` when the source is somebody else's by now."""
        (stored,) = self.store_all([batch], now)
        if stored is None:
            raise LeaseLost(f"source {batch.source_id}")
        return stored

    def store_all(self, batches: Sequence[CollectBatch], now: datetime) -> list[Stored | None]:
        """All that several good visits change, in one transaction.

        None for a visit whose source is somebody else's by now: nothing of it is stored.
        """
        with self._database.write() as connection:
            if any(batch.items for batch in batches):
                one_at_a_time(connection)
            held = _held(connection, batches)
            mine = [batch for batch in batches if batch.source_id in held]
            draft, refused = _keep(connection, [(batch.source_id, item) for batch in mine for item in batch.items], now)
            quarantined = {
                batch.source_id: _quarantine(
                    connection, batch.source_id, [*batch.rejects, *refused.get(batch.source_id, ())], now
                )
                for batch in mine
            }
            _let_go(connection, mine, draft, now)
        return [
            Stored(**draft.counts[batch.source_id], quarantined=quarantined[batch.source_id])
            if batch.source_id in held
            else None
            for batch in batches
        ]

    def page(
        self,
        from_sources: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: tuple[datetime, int] | None = None,
        limit: int = 50,
    ) -> list[StoredPost]:
        """Newest first. None = any. `since` is in it, `until` is not.

        `after` is (published_at, id) of the last post of the page before. What the source called a post is not kept:
        `post.id` is its dedupe key in hexadecimal.
        """
        query = select(posts.c.published_at, posts.c.id).order_by(*falling(posts, _ORDER))
        if since is not None:
            query = query.where(posts.c.published_at >= since)
        if until is not None:
            query = query.where(posts.c.published_at < until)
        if after is not None:
            query = query.where(tuple_(posts.c.published_at, posts.c.id) < after)
        with self._database.read() as connection:
            streams = [query]
            if from_sources is not None:
                named = select(sources.c.id).where(sources.c.slug.in_(from_sources))
                streams = _by_source(query, connection.execute(named).scalars().all())
            if not streams:
                return []
            keys = merge(streams, _ORDER, limit).subquery("page")
            page = _READ.join(keys, keys.c.id == posts.c.id).order_by(*falling(keys, _ORDER))
            rows = connection.execute(page).all()
            found = connection.execute(_brands_of([row.id for row in rows])).all()
        slugs: dict[int, list[str]] = {}
        for post_id, slug in found:
            slugs.setdefault(post_id, []).append(slug)
        return [_read(row, tuple(slugs.get(row.id, ()))) for row in rows]


@dataclass(frozen=True, slots=True)
class _Known:
    """A stored post, as far as new mentions of it depend on it."""

    id: int
    story_id: int
    published_ms: int
    backfill: bool
    brands: set[int]


@dataclass(slots=True)
class _Draft:
    """The rows of a batch, ready to be written."""

    posts: list[tuple[Any, ...]] = field(default_factory=list)
    mentions: list[tuple[Any, ...]] = field(default_factory=list)
    grave: list[tuple[Any, ...]] = field(default_factory=list)
    words: list[tuple[int, str]] = field(default_factory=list)
    bands: Sequence[tuple[int, int]] = ()
    tally: Tally = field(default_factory=Tally)
    counts: defaultdict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # by source


@dataclass(frozen=True, slots=True)
class _Context:
    """What is in the tables already, as far as a batch depends on it."""

    known: Mapping[bytes, _Known]
    earlier: stories.Told
    told: frozenset[tuple[int, int]]  # (story, brand): the brand has a mention of this story
    corrected: Mapping[tuple[int, int], Correction]  # likewise: what a person says of it
    words: Mapping[int, str]  # of stored posts that were no mention so far
    newest_id: int


def _keep(connection: Connection, items: Sequence[_Item], now: datetime) -> tuple[_Draft, dict[int, list[Reject]]]:
    """Write posts, mentions, words and volumes. Returns what went in, and by source what the database refused."""
    refused: dict[int, list[Reject]] = {}
    if not items:
        return _Draft(), refused
    context = _look_up(connection, [item for _, item in items], now)
    try:
        draft = _write(connection, _drafted(items, context, now))
    except (DBAPIError, ValueError, TypeError, OverflowError) as error:
        if not costs_its_row(error):
            raise
        sound: list[_Item] = []
        for source_id, item in items:
            fault = _try_alone(connection, (source_id, item), context, now)
            if fault is None:
                sound.append((source_id, item))
            else:
                reject = Reject(f"could not be stored: {fault}", f"{item.post.title}\n{item.post.text}")
                refused.setdefault(source_id, []).append(reject)
        draft = _write(connection, _drafted(sound, context, now))
    volumes.add(connection, draft.tally)
    watches.grow(connection, draft.tally.mentions)
    if draft.bands:
        stories.forget_bands(connection, now)
    return draft, refused


def _look_up(connection: Connection, items: Sequence[CollectedPost], now: datetime) -> _Context:
    known = _stored_posts(connection, [item.dedupe_key for item in items])
    told = stories.look_up(connection, [item for item in items if item.dedupe_key not in known], now)
    story_ids = {*told.by_hash.values(), *(post.story_id for post in known.values())}
    silent = [known[item.dedupe_key].id for item in items if item.sentiments and _is_silent(known.get(item.dedupe_key))]
    return _Context(
        known=known,
        earlier=told,
        told=_told(connection, story_ids),
        corrected=tones.corrections_of(connection, list(story_ids)),
        words=dict(_words_of(connection, silent)),
        newest_id=connection.execute(select(func.max(posts.c.id))).scalar() or 0,
    )


def _is_silent(post: _Known | None) -> bool:
    """Stored, but no mention so far: not to be found by its words yet."""
    return post is not None and not post.brands


def _stored_posts(connection: Connection, keys: Sequence[bytes]) -> dict[bytes, _Known]:
    dialect = dialect_of(connection)
    stored: dict[bytes, _Known] = {}
    for some in chunks(keys):
        query = select(posts.c.dedupe_key, posts.c.id, posts.c.story_id, posts.c.published_at, posts.c.backfill)
        rows = connection.execute(query.where(is_in(posts.c.dedupe_key, some, dialect))).all()
        found = {row.id: _Known(row.id, row.story_id, to_ms(row.published_at), row.backfill, set()) for row in rows}
        stored |= {bytes(row.dedupe_key): found[row.id] for row in rows}
        pairs = select(mentions.c.post_id, mentions.c.brand_id).where(is_in(mentions.c.post_id, list(found), dialect))
        for post_id, brand_id in connection.execute(pairs) if found else ():
            found[post_id].brands.add(brand_id)
    return stored


def _told(connection: Connection, story_ids: set[int]) -> frozenset[tuple[int, int]]:
    pairs: set[tuple[int, int]] = set()
    for some in chunks(list(story_ids)):
        query = select(mentions.c.story_id, mentions.c.brand_id).where(
            is_in(mentions.c.story_id, some, dialect_of(connection)), text("NOT copy")
        )
        pairs.update((story_id, brand_id) for story_id, brand_id in connection.execute(query))
    return frozenset(pairs)


def _words_of(connection: Connection, post_ids: Sequence[int]) -> Iterator[tuple[int, str]]:
    for some in chunks(post_ids):
        query = select(posts.c.id, posts.c.title, posts.c.text).where(is_in(posts.c.id, some, dialect_of(connection)))
        for row in connection.execute(query):
            yield row.id, search.searchable(row.title, row.text)


def _drafted(items: Iterable[_Item], context: _Context, now: datetime) -> _Draft:
    draft = _Draft()
    ids = ids_after(context.newest_id, now)
    batch = stories.Stories(context.earlier)
    told = set(context.told)
    fetched_ms = to_ms(now)
    known = {key: replace(post, brands=set(post.brands)) for key, post in context.known.items()}
    for source_id, item in items:
        post = known.get(item.dedupe_key)
        if post is None:
            post_id = next(ids)
            story_id = batch.of(item, post_id)
            # Never after it was stored: a search for words in a span of time counts on it.
            published_ms = min(to_ms(item.published_at), fetched_ms)
            post = _Known(post_id, story_id, published_ms, item.backfill, set())
            known[item.dedupe_key] = post
            draft.posts.append(_post_row(item, post, source_id, now))
            draft.counts[source_id]["posts"] += 1
        fresh = [(brand_id, tone) for brand_id, tone in item.sentiments.items() if brand_id not in post.brands]
        if fresh and not post.brands:
            words = context.words.get(post.id) or search.searchable(item.post.title, item.post.text)
            draft.words.append((post.id, words))
        if item.grave:
            terms = to_json(item.grave)
            draft.grave += [(brand_id, post.published_ms, post.id, terms) for brand_id, _ in fresh]
        for brand_id, tone in fresh:
            copy = (post.story_id, brand_id) in told
            told.add((post.story_id, brand_id))
            post.brands.add(brand_id)
            backfill = item.backfill or post.backfill
            correction = context.corrected.get((post.story_id, brand_id))
            said = pack(tone, correction, item.language)
            draft.mentions.append(
                (
                    *(brand_id, post.published_ms, post.id, post.story_id, source_id, copy, backfill, fetched_ms),
                    *(to_json(said[name]) if name in JSON_COLUMNS and said[name] else said[name] for name in COLUMNS),
                )
            )
            draft.tally.add(brand_id, post.published_ms, tone, correction, copy=copy, backfill=backfill)
            draft.counts[source_id]["mentions"] += 1
            draft.counts[source_id]["copies"] += copy
    draft.bands = batch.bands
    return draft


def _post_row(item: CollectedPost, post: _Known, source_id: int, now: datetime) -> tuple[Any, ...]:
    return (
        *(post.id, source_id, item.dedupe_key, item.post.url, item.post.title, item.post.text, item.post.author),
        *(item.site, item.language, post.published_ms, None if item.claimed_at is None else to_ms(item.claimed_at)),
        *(to_ms(now), item.text_hash, post.story_id, item.backfill, item.post.reply),
    )


def _write(connection: Connection, draft: _Draft) -> _Draft:
    """All rows or none: a refusal leaves the transaction as it was before."""
    before = connection.begin_nested()
    try:
        insert_rows(connection, posts, _POST, draft.posts)
        insert_rows(connection, mentions, _MENTION, draft.mentions)
        insert_rows(connection, grave_mentions, _GRAVE, draft.grave)
        search.add(connection, draft.words)
        stories.write_bands(connection, draft.bands)
    except Exception as error:
        # After a full disk or a lost connection there is no savepoint any more: asking for it would hide the reason.
        if costs_its_row(error):
            before.rollback()
        raise
    before.commit()
    return draft


def _try_alone(connection: Connection, item: _Item, context: _Context, now: datetime) -> str | None:
    """Why the database refuses this item, or None. Leaves nothing behind."""
    fault = None
    trial = connection.begin_nested()
    try:
        _write(connection, _drafted([item], context, now))
    except (DBAPIError, ValueError, TypeError, OverflowError) as error:
        if not costs_its_row(error):
            raise
        fault = str(getattr(error, "orig", error)).partition("\n")[0][:200]
    trial.rollback()
    return fault


def _quarantine(connection: Connection, source_id: int, rejects: Sequence[Reject], now: datetime) -> int:
    """Keep what could not be read or stored, each once, the newest of each source. Returns how many are new."""
    if not rejects:
        return 0
    mine = quarantine.c.source_id == source_id
    kept = connection.execute(select(quarantine.c.reason, quarantine.c.sample).where(mine)).all()
    wanted = dict.fromkeys((plain(one.reason), plain(one.sample, LONGEST_SAMPLE)) for one in rejects)
    fresh = [pair for pair in wanted if pair not in set(map(tuple, kept))][:QUARANTINE_SIZE]
    rows = [(source_id, to_ms(now), reason, sample) for reason, sample in fresh]
    insert_rows(connection, quarantine, ("source_id", "at", "reason", "sample"), rows)
    newest = select(quarantine.c.id).where(mine).order_by(quarantine.c.id.desc()).limit(QUARANTINE_SIZE)
    connection.execute(delete(quarantine).where(mine, quarantine.c.id.not_in(newest)))
    return len(fresh)


def _held(connection: Connection, batches: Sequence[CollectBatch]) -> set[int]:
    """The sources whose lease is still the visitor's."""
    owners = {batch.source_id: batch.owner for batch in batches}
    query = select(sources.c.id, sources.c.lease_owner).where(sources.c.id.in_(owners)).order_by(sources.c.id)
    return {row.id for row in connection.execute(query.with_for_update()) if row.lease_owner == owners[row.id]}


def _let_go(connection: Connection, batches: Sequence[CollectBatch], draft: _Draft, now: datetime) -> None:
    if not batches:
        return
    column = sources.c
    per_source = ("cursor", "etag", "last_modified", "body_hash", "adaptive_interval_s", "next_due_at")
    visited = (
        update(sources)
        .where(column.id == bindparam("source"))
        .values(
            **{name: bindparam(f"new_{name}", type_=column[name].type) for name in per_source},
            last_item_at=func.coalesce(bindparam("item_at", type_=column.last_item_at.type), column.last_item_at),
            scheduled_at=now,
            lease_owner=None,
            lease_until=None,
            state="ok",
            first_ok_at=func.coalesce(column.first_ok_at, to_ms(now)),
            last_ok_at=now,
            fail_count=0,
            last_error=None,
            last_error_at=None,
        )
    )
    values = [
        {
            "source": batch.source_id,
            **{f"new_{name}": getattr(batch, name) for name in per_source},
            "item_at": now if draft.counts[batch.source_id]["posts"] else None,
        }
        for batch in batches
    ]
    connection.execute(visited, values)


def _by_source(query: Select[Any], source_ids: Sequence[int]) -> list[Select[Any]]:
    if len(source_ids) > MOST_STREAMS:
        return [query.where(posts.c.source_id.in_(source_ids))]
    return [query.where(posts.c.source_id == source_id) for source_id in source_ids]


def _brands_of(post_ids: Sequence[int]) -> Select[Any]:
    return (
        select(mentions.c.post_id, brands.c.slug)
        .join(brands, brands.c.id == mentions.c.brand_id)
        .where(mentions.c.post_id.in_(post_ids))
        .order_by(brands.c.slug)
    )


def _read(row: Row[Any], slugs: tuple[str, ...]) -> StoredPost:
    return StoredPost(
        id=row.id,
        source=row.source,
        post=Post(
            id=bytes(row.dedupe_key).hex(),
            title=row.title,
            text=row.text,
            url=row.url,
            author=row.author,
            published_at=row.claimed_at,
            language=row.language,
            reply=row.reply,
        ),
        site=row.site,
        published_at=row.published_at,
        claimed_at=row.claimed_at,
        fetched_at=row.fetched_at,
        backfill=row.backfill,
        brands=slugs,
    )
