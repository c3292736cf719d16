"""What was collected, on its way in: one transaction per visit of a source.

    lock | lease still mine? | known posts | stories | rows > posts, mentions, words, volumes, quarantine, source
                                    | counts, edits, gone > posts, versions              (`app.storage.changes`)

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
from app.storage import changes, search, stories, tones, volumes, watches
from app.storage.changes import Counts, Edit
from app.storage.database import Database, chunks, dialect_of, insert_rows, is_in, one_at_a_time, plain, to_json
from app.storage.faults import costs_its_row
from app.storage.ids import ids_after, url_hash
from app.storage.paging import MOST_STREAMS, falling, merge
from app.storage.records import (
    Became,
    CollectBatch,
    CollectedPost,
    KnownPost,
    LeaseLost,
    Stored,
    StoredPost,
    ToRevisit,
    Version,
)
from app.storage.sentiments import COLUMNS, JSON_COLUMNS, pack
from app.storage.volumes import Tally
from app.tables import brands, grave_mentions, mentions, posts, quarantine, sources, to_ms
from collectors.base import Post, Reject

LONGEST_SAMPLE = 65_536  # characters of a quarantined item
COMPARED = 2_000  # of them that tell two items apart, with the length
QUARANTINE_SIZE = 100  # rows that one source may have in quarantine; the oldest go first

_POST = (
    *("id", "source_id", "dedupe_key", "url", "title", "text", "author", "site", "language"),
    *("published_at", "claimed_at", "fetched_at", "text_hash", "story_id", "backfill", "reply"),
    *("external_id", "url_hash", "edited_at", "engagement", "reach", "rating", "recount_at"),
)
_MENTION = (
    *("brand_id", "published_at", "post_id", "story_id", "source_id", "copy", "backfill", "scored_at"),
    *COLUMNS,
)
_GRAVE = ("brand_id", "published_at", "post_id", "terms")

_ORDER = ("published_at", "id")
_SIGHTED = select(
    *(posts.c[name] for name in ("dedupe_key", "id", "source_id", "story_id", "published_at", "backfill", "reply")),
    *(posts.c[name] for name in ("title", "text", "rating", "engagement", "reach", "edited_at", "withdrawn_at")),
)
_READ = select(posts, sources.c.slug.label("source")).join(sources, sources.c.id == posts.c.source_id)


_Item = tuple[int, CollectedPost]
"""(source id, post)"""


class Posts:
    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, keys: Sequence[bytes]) -> dict[bytes, KnownPost]:
        """Which of these dedupe keys are stored already, which brands they mention, and what is known of them."""
        with self._database.read() as connection:
            stored = _stored_posts(connection, keys)
        return {
            key: replace(post.known, brand_ids=frozenset(post.brands))
            for key, post in stored.items()
            if post.known is not None
        }

    def by_authors(self, source_id: int, authors: Sequence[str]) -> list[bytes]:
        """The dedupe keys of what these authors wrote, as this source brought it. Reads the whole source."""
        if not authors:
            return []
        query = select(posts.c.dedupe_key).where(posts.c.source_id == source_id, posts.c.withdrawn_at.is_(None))
        with self._database.read() as connection:
            return [
                bytes(key)
                for some in chunks(authors)
                for key in connection.execute(query.where(posts.c.author.in_(some))).scalars()
            ]

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
            if any(batch.items or batch.gone for batch in batches):
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
            withdrawn = {batch.source_id: changes.withdraw(connection, batch.gone, now) for batch in mine if batch.gone}
            _let_go(connection, mine, draft, now)
        return [
            Stored(
                **draft.counts[batch.source_id],
                quarantined=quarantined[batch.source_id],
                withdrawn=withdrawn.get(batch.source_id, 0),
            )
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
        of_brands: Sequence[str] | None = None,
    ) -> list[StoredPost]:
        """Newest first. None = any. `since` is in it, `until` is not. `of_brands`: those that mention one of these.

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
        if of_brands is not None:
            named = select(mentions.c.post_id).join(brands, brands.c.id == mentions.c.brand_id)
            query = query.where(posts.c.id.in_(named.where(brands.c.slug.in_(of_brands))))
        with self._database.read() as connection:
            streams = [query]
            if from_sources is not None:
                heard = select(sources.c.id).where(sources.c.slug.in_(from_sources))
                streams = _by_source(query, connection.execute(heard).scalars().all())
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

    def versions(self, post_id: int) -> list[Version]:
        """What a post said before its author changed it, oldest first; of one that was taken back, nothing."""
        with self._database.read() as connection:
            return changes.versions(connection, post_id)

    # ── what became of them ──────────────────────────────────────────────────

    def to_revisit(self, now: datetime) -> str | None:
        """The slug of the source that is to be asked what became of its posts: that of the one due for longest."""
        query = (
            select(sources.c.slug)
            .join(posts, posts.c.source_id == sources.c.id)
            .where(posts.c.recount_at <= now)
            .order_by(posts.c.recount_at, posts.c.id)
            .limit(1)
        )
        with self._database.read() as connection:
            slug: str | None = connection.execute(query).scalar()
            return slug

    def claim_revisits(self, source_id: int, now: datetime, until: datetime, limit: int) -> list[ToRevisit]:
        """Up to `limit` due posts of a source, those that waited longest first. They are due again at `until`, unless
        `revisited` says otherwise before.
        """
        due = (
            select(posts.c.id, posts.c.dedupe_key, posts.c.external_id, posts.c.published_at)
            # `+ 0` keeps the planner from all that the source ever said: what is due has an index.
            .where(posts.c.recount_at <= now, posts.c.source_id + 0 == source_id)
            .order_by(posts.c.recount_at, posts.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        with self._database.write() as connection:
            rows = connection.execute(due).all()
            _set_recount(connection, dict.fromkeys((row.id for row in rows), until))
        return [ToRevisit(row.id, bytes(row.dedupe_key), row.external_id or "", row.published_at) for row in rows]

    def put_off(self, source_id: int, now: datetime, until: datetime) -> None:
        """No post of this source is due before `until`."""
        due = update(posts).where(posts.c.recount_at <= now, posts.c.source_id + 0 == source_id)
        with self._database.write() as connection:
            connection.execute(due.values(recount_at=until))

    def revisited(self, source_id: int, became: Became, now: datetime) -> Stored:
        """What a source says became of its stored posts."""
        with self._database.write() as connection:
            one_at_a_time(connection)
            _set_recount(connection, became.next_at)
            draft, refused = _keep(connection, [(source_id, item) for item in became.items], now)
            quarantined = _quarantine(connection, source_id, refused.get(source_id, ()), now)
            withdrawn = changes.withdraw(connection, became.gone, now)
        return Stored(**draft.counts[source_id], quarantined=quarantined, withdrawn=withdrawn)


@dataclass(frozen=True, slots=True)
class _Known:
    """A stored post, as far as new mentions of it, and changes, depend on it. `brands` grow with the batch."""

    id: int
    story_id: int
    published_ms: int
    backfill: bool
    brands: set[int]
    known: KnownPost | None = None  # of a post of this batch: the first of two with one key stands
    edited_at: datetime | None = None


@dataclass(slots=True)
class _Draft:
    """The rows of a batch, ready to be written."""

    posts: list[tuple[Any, ...]] = field(default_factory=list)
    mentions: list[tuple[Any, ...]] = field(default_factory=list)
    grave: list[tuple[Any, ...]] = field(default_factory=list)
    words: list[tuple[int, str]] = field(default_factory=list)
    edits: dict[int, Edit] = field(default_factory=dict)  # by post
    engaged: dict[int, Counts] = field(default_factory=dict)
    revisits: dict[int, tuple[str, datetime]] = field(default_factory=dict)
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
        draft = _write(connection, _drafted(items, context, now), now)
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
        draft = _write(connection, _drafted(sound, context, now), now)
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
        found: dict[int, _Known] = {}
        for row in connection.execute(_SIGHTED.where(is_in(posts.c.dedupe_key, some, dialect))):
            found[row.id] = stored[bytes(row.dedupe_key)] = _known(row)
        pairs = select(mentions.c.post_id, mentions.c.brand_id).where(is_in(mentions.c.post_id, list(found), dialect))
        for post_id, brand_id in connection.execute(pairs) if found else ():
            found[post_id].brands.add(brand_id)
    return stored


def _known(row: Row[Any]) -> _Known:
    known = KnownPost(
        post_id=row.id,
        brand_ids=frozenset(),
        source_id=row.source_id,
        said=changes.digest_of(row.title, row.text, reply=row.reply),
        rating=row.rating,
        engagement=row.engagement or {},
        reach=row.reach,
        withdrawn=row.withdrawn_at is not None,
    )
    return _Known(row.id, row.story_id, to_ms(row.published_at), row.backfill, set(), known, row.edited_at)


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
        elif post.known is not None and post.known.withdrawn:
            continue
        elif post.known is not None:
            _change(draft, source_id, item, post, post.known, now)
        fresh = [(brand_id, tone) for brand_id, tone in item.sentiments.items() if brand_id not in post.brands]
        if fresh and not post.brands:
            words = None if post.id in draft.edits else context.words.get(post.id)
            draft.words.append((post.id, words or search.searchable(item.post.title, item.post.text)))
            if item.dedupe_key in context.known and item.external_id and item.recount_at:
                draft.revisits[post.id] = item.external_id, item.recount_at
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


def _change(
    draft: _Draft, source_id: int, item: CollectedPost, stored: _Known, known: KnownPost, now: datetime
) -> None:
    """What this sighting of a stored post changes of it, once a batch."""
    post = item.post
    if changes.is_counted_anew(post, known) and stored.id not in draft.engaged:
        reach = known.reach if post.reach is None else post.reach
        draft.engaged[stored.id] = Counts(stored.id, changes.engaged(post, known), reach)
    if changes.is_edited(post, known, source_id) and stored.id not in draft.edits:
        # Of one version and the next: whoever hears one knows it from the other by it.
        at = post.edited_at if post.edited_at and post.edited_at != stored.edited_at else now
        rating = known.rating if post.rating is None else post.rating
        draft.edits[stored.id] = Edit(stored.id, post.title, post.text, rating, at, found=bool(stored.brands))
        draft.counts[source_id]["edited"] += 1


def _post_row(item: CollectedPost, post: _Known, source_id: int, now: datetime) -> tuple[Any, ...]:
    return (
        *(post.id, source_id, item.dedupe_key, item.post.url, item.post.title, item.post.text, item.post.author),
        *(item.site, item.language, post.published_ms, _ms(item.claimed_at)),
        *(to_ms(now), item.text_hash, post.story_id, item.backfill, item.post.reply),
        *(item.external_id, None if item.post.url is None else url_hash(item.post.url), _ms(item.post.edited_at)),
        *(to_json(item.post.engagement) if item.post.engagement else None, item.post.reach, item.post.rating),
        _ms(item.recount_at),
    )


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else to_ms(instant)


def _write(connection: Connection, draft: _Draft, now: datetime) -> _Draft:
    """All rows or none: a refusal leaves the transaction as it was before."""
    before = connection.begin_nested()
    try:
        insert_rows(connection, posts, _POST, draft.posts)
        changes.count(connection, list(draft.engaged.values()))
        changes.edit(connection, list(draft.edits.values()), now)  # before its new mentions, which heard the new words
        _set_revisits(connection, draft.revisits)
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


def _set_revisits(connection: Connection, revisits: Mapping[int, tuple[str, datetime]]) -> None:
    if revisits:
        at = bindparam("at", type_=posts.c.recount_at.type)
        named = update(posts).where(posts.c.id == bindparam("post"))
        values = [{"post": post_id, "name": name, "at": when} for post_id, (name, when) in revisits.items()]
        connection.execute(named.values(external_id=bindparam("name"), recount_at=at), values)


def _set_recount(connection: Connection, at: Mapping[int, datetime | None]) -> None:
    if at:
        moved = update(posts).where(posts.c.id == bindparam("post"))
        values = [{"post": post_id, "at": when} for post_id, when in at.items()]
        connection.execute(moved.values(recount_at=bindparam("at", type_=posts.c.recount_at.type)), values)


def _try_alone(connection: Connection, item: _Item, context: _Context, now: datetime) -> str | None:
    """Why the database refuses this item, or None. Leaves nothing behind."""
    fault = None
    trial = connection.begin_nested()
    try:
        _write(connection, _drafted([item], context, now), now)
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
    sample = quarantine.c.sample
    told = select(quarantine.c.reason, func.length(sample), func.substr(sample, 1, COMPARED)).where(mine)
    kept = set(map(tuple, connection.execute(told)))
    wanted = dict.fromkeys((plain(one.reason), plain(one.sample, LONGEST_SAMPLE)) for one in rejects)
    fresh = [pair for pair in wanted if (pair[0], len(pair[1]), pair[1][:COMPARED]) not in kept][:QUARANTINE_SIZE]
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
    per_source = (
        *("cursor", "etag", "last_modified", "body_hash", "adaptive_interval_s", "next_due_at"),
        *("moved_seen", "moved_to", "hint_s", "cadence_s"),
    )
    visited = (
        update(sources)
        .where(column.id == bindparam("source"))
        .values(
            **{name: bindparam(f"new_{name}", type_=column[name].type) for name in per_source},
            last_item_at=func.coalesce(bindparam("item_at", type_=column.last_item_at.type), column.last_item_at),
            scheduled_at=now,
            lease_owner=bindparam("still_owner", type_=column.lease_owner.type),
            lease_until=bindparam("still_until", type_=column.lease_until.type),
            state="ok",
            first_ok_at=func.coalesce(column.first_ok_at, to_ms(now)),
            last_ok_at=bindparam("as_of", type_=column.last_ok_at.type),
            overrun_at=func.coalesce(bindparam("lost_at", type_=column.overrun_at.type), column.overrun_at),
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
            "still_owner": batch.owner if batch.lease_until else None,
            "still_until": batch.lease_until,
            "as_of": min(batch.as_of or now, now),
            "lost_at": now if batch.overrun else None,
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
            edited_at=row.edited_at,
            engagement=row.engagement or {},
            reach=row.reach,
            rating=row.rating,
        ),
        site=row.site,
        published_at=row.published_at,
        claimed_at=row.claimed_at,
        fetched_at=row.fetched_at,
        backfill=row.backfill,
        brands=slugs,
        withdrawn_at=row.withdrawn_at,
    )
