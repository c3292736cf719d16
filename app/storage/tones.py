"""The tone of what is stored, changed: heard again by a scorer, corrected by a person, doubted by the operator, or of
words that are others now.

    lock | rows | what they counted for out, what they count for now in  > mentions, volumes, the brand's revision
                                                                           [a correction: its line in the audit trail]

A correction is of a brand's story: all of the brand's mentions of that text get it, those that come later too (see
`app.storage.posts`). It wins over every reading; the reading stays beside it, and counts again if the correction is
taken back.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, text, tuple_, update
from sqlalchemy.sql.elements import ColumnElement

from app.model import Correction, Label, Sentiment
from app.storage import volumes, watches
from app.storage.database import Database, chunks, dialect_of, is_in, one_at_a_time, plain
from app.storage.paging import falling
from app.storage.records import Corrected, Rescored, Restated, Unheard
from app.storage.sentiments import COLUMNS, pack, unpack, unpack_correction
from app.storage.volumes import Tally
from app.tables import LABEL_CODES, LABEL_NAMES, brands, corrections, mentions, posts, to_ms

LONGEST_NOTE = 2_000
DOUBTED = 2_000  # mentions in one transaction: collecting goes on in between

PROVISIONAL = text("mentions.provisional")  # as the partial index spells it

_KEY = ("published_at", "post_id", "brand_id")
_CHANGED = (*COLUMNS, "scored_at", "was")
_HERE = tuple(mentions.c[name] == bindparam(f"at_{name}", type_=mentions.c[name].type) for name in _KEY)
_REWRITE = (
    update(mentions)
    .where(*_HERE)
    .values(**{name: bindparam(f"new_{name}", type_=mentions.c[name].type) for name in _CHANGED})
)
_TAKEN_BACK = posts.c.withdrawn_at.is_not(None)
_NO_WORDS = object()
_DOUBT = update(mentions).where(*_HERE).values(provisional=True)


def provisional(connection: Connection, limit: int) -> list[Unheard]:
    newest = select(*(mentions.c[name] for name in _KEY)).where(PROVISIONAL)
    page = newest.order_by(*falling(mentions, _KEY)).limit(limit).subquery("page")
    query = (
        select(mentions, *(posts.c[name] for name in ("title", "text", "reply", "rating", "edited_at")))
        .join(page, tuple_(*(mentions.c[name] for name in _KEY)) == tuple_(*(page.c[name] for name in _KEY)))
        .join(posts, posts.c.id == mentions.c.post_id)
        .order_by(*falling(page, _KEY))
    )
    return [_unheard(row) for row in connection.execute(query)]


def waiting(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(mentions).where(PROVISIONAL)).scalar_one()


def restate(connection: Connection, rescored: Sequence[Rescored], now: datetime) -> list[Restated]:
    one_at_a_time(connection)
    heard = {(one.brand_id, one.post_id): replace(one.sentiment, provisional=False) for one in rescored}
    post_ids = sorted({post_id for _, post_id in heard})
    told = _versions(connection, post_ids)
    stale = {(one.brand_id, one.post_id) for one in rescored if told.get(one.post_id, _NO_WORDS) != one.edited_at}
    changes = []
    for row in _rows_of(connection, post_ids):
        place = row.brand_id, row.post_id
        sentiment = heard.get(place)
        # A person was faster, or another worker was, who heard the same; or its author was, who said something else.
        if sentiment is None or row.correction is not None or unpack(row) == sentiment or place in stale:
            continue
        was = row.was if LABEL_CODES[sentiment.label] == row.label else row.label
        changes.append(_Change(row, sentiment, None, scored_at=now, was=was))
    _write(connection, changes, now)
    slugs = {row.id: row.slug for row in connection.execute(select(brands.c.id, brands.c.slug))}
    return [
        Restated(slugs[one.row.brand_id], one.row.post_id, LABEL_NAMES[one.row.label], one.sentiment.label)
        for one in changes
    ]


def change_words(connection: Connection, post_ids: Sequence[int], now: datetime, *, again: bool) -> None:
    """What these posts say is something else now, and to be heard `again`, or is no more: evidence in it goes.

    They count as they did until they are heard again. What a person has said of one stays.
    """
    changes = [
        _Change(
            row,
            replace(unpack(row), evidence=(), provisional=again),
            unpack_correction(row.correction),
            scored_at=row.scored_at,
            was=row.was,
        )
        for row in _rows_of(connection, post_ids)
    ]
    _write(connection, changes, now)


def correct(
    connection: Connection, brand_slug: str, post_id: int, label: Label | None, by: str, note: str, now: datetime
) -> None:
    """Nothing happens where there is no such mention, or where the same person has said the same already."""
    one_at_a_time(connection)
    named = select(mentions.c.brand_id, mentions.c.story_id).join(brands, brands.c.id == mentions.c.brand_id)
    told = connection.execute(named.where(mentions.c.post_id == post_id, brands.c.slug == brand_slug)).first()
    if told is None:
        return
    rows = _rows_of_story(connection, told.brand_id, told.story_id)
    (seen,) = (row for row in rows if row.post_id == post_id)
    before = unpack_correction(seen.correction)
    correction = None if label is None else Correction(label, plain(by), now, plain(note, LONGEST_NOTE))
    again = correction if correction is None or before is None else replace(correction, at=before.at)
    if again == before:
        return
    line = {
        "brand_id": told.brand_id,
        "story_id": told.story_id,
        "post_id": post_id,
        "label": None if label is None else LABEL_CODES[label],
        "was": seen.label,
        "machine": LABEL_CODES[unpack(seen).label],
        "actor": plain(by),
        "at": now,
        "note": plain(note, LONGEST_NOTE),
    }
    connection.execute(insert(corrections).values(**line))
    changes = [_Change(row, unpack(row), correction, scored_at=row.scored_at, was=row.was) for row in rows]
    _write(connection, changes, now)


def corrections_of(connection: Connection, story_ids: Sequence[int]) -> dict[tuple[int, int], Correction]:
    """What people say of these stories, by (story, brand)."""
    said: dict[tuple[int, int], Correction] = {}
    for some in chunks(story_ids):
        query = select(corrections).where(is_in(corrections.c.story_id, some, dialect_of(connection)), _in_force())
        for row in connection.execute(query):
            label = LABEL_NAMES[row.label]
            said[row.story_id, row.brand_id] = Correction(label, row.actor, row.at, row.note)
    return said


def doubt(database: Database, since: datetime | None, until: datetime | None, now: datetime) -> int:
    """In several transactions: millions may be doubted. Called again after it was cut off, it goes on."""
    query = (
        select(*(mentions.c[name] for name in _KEY))
        .where(mentions.c.correction.is_(None), mentions.c.scored_at <= now, text("NOT mentions.provisional"))
        .where(~select(posts.c.id).where(posts.c.id == mentions.c.post_id, _TAKEN_BACK).exists())
        .order_by(*falling(mentions, _KEY))
    )
    if since is not None:
        query = query.where(mentions.c.published_at >= since)
    if until is not None:
        query = query.where(mentions.c.published_at < until)
    number, after = 0, None
    while True:
        page = query.limit(DOUBTED)
        if after is not None:
            page = page.where(tuple_(*(mentions.c[name] for name in _KEY)) < after)
        with database.write() as connection:
            one_at_a_time(connection)
            rows = connection.execute(page.with_for_update()).all()
            if rows:
                connection.execute(_DOUBT, [_place(row) for row in rows])
                watches.restate(connection, Counter(row.brand_id for row in rows))
        number += len(rows)
        if len(rows) < DOUBTED:
            return number
        after = tuple(rows[-1])


def audit(
    connection: Connection, brand_slugs: Sequence[str] | None, in_force: bool, before_id: int | None, limit: int | None
) -> list[Corrected]:
    query: Select[Any] = (
        select(
            *(corrections.c[name] for name in ("id", "post_id", "story_id", "was", "machine", "actor", "at", "note")),
            corrections.c.label.label("said"),
            brands.c.slug,
            *(posts.c[name] for name in ("title", "text", "reply")),
            *(mentions.c[name] for name in COLUMNS),
        )
        .join(brands, brands.c.id == corrections.c.brand_id)
        .join(posts, posts.c.id == corrections.c.post_id)
        .join(
            mentions,
            (mentions.c.post_id == corrections.c.post_id) & (mentions.c.brand_id == corrections.c.brand_id),
        )
        .order_by(corrections.c.id.desc())
        .limit(limit)
    )
    if brand_slugs is not None:
        query = query.where(brands.c.slug.in_(brand_slugs))
    if in_force:
        query = query.where(_in_force())
    if before_id is not None:
        query = query.where(corrections.c.id < before_id)
    return [_corrected(row) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class _Change:
    """A mention's row, and what is said of it now."""

    row: Row[Any]
    sentiment: Sentiment
    correction: Correction | None
    scored_at: datetime
    was: int | None


def _write(connection: Connection, changes: Sequence[_Change], now: datetime) -> None:
    if not changes:
        return
    tally = Tally()
    for one in changes:
        row = one.row
        place = (row.brand_id, to_ms(row.published_at))
        kind = {"copy": row.copy, "backfill": row.backfill}
        tally.add(*place, unpack(row), unpack_correction(row.correction), **kind, times=-1)
        tally.add(*place, one.sentiment, one.correction, **kind)
    connection.execute(_REWRITE, [_rewritten(one) for one in changes])
    volumes.add(connection, tally, restated_at=now)
    watches.restate(connection, Counter(one.row.brand_id for one in changes))


def _rewritten(change: _Change) -> dict[str, Any]:
    values = pack(change.sentiment, change.correction, change.row.language)
    values |= {"scored_at": change.scored_at, "was": change.was}
    return _place(change.row) | {f"new_{name}": value for name, value in values.items()}


def _place(row: Row[Any]) -> dict[str, Any]:
    return {f"at_{name}": getattr(row, name) for name in _KEY}


def _versions(connection: Connection, post_ids: Sequence[int]) -> dict[int, datetime | None]:
    """When these posts were last edited, without those that were taken back."""
    found: dict[int, datetime | None] = {}
    for some in chunks(post_ids):
        query = select(posts.c.id, posts.c.edited_at).where(is_in(posts.c.id, some, dialect_of(connection)))
        found |= {row.id: row.edited_at for row in connection.execute(query.where(~_TAKEN_BACK))}
    return found


def _rows_of(connection: Connection, post_ids: Sequence[int]) -> list[Row[Any]]:
    """The mentions of these posts, by all brands, held until the transaction ends."""
    rows: list[Row[Any]] = []
    for some in chunks(post_ids):
        query = select(mentions).where(is_in(mentions.c.post_id, some, dialect_of(connection)))
        rows += connection.execute(query.order_by(mentions.c.post_id, mentions.c.brand_id).with_for_update())
    return rows


def _rows_of_story(connection: Connection, brand_id: int, story_id: int) -> list[Row[Any]]:
    """The brand's mentions of a story, held likewise."""
    return [row for half in _halves(brand_id, story_id) for row in connection.execute(half.with_for_update())]


def _halves(brand_id: int, story_id: int) -> list[Select[Any]]:
    """The mention that counts as the story, and its copies: they have an index each."""
    # `+ 0` keeps the planner from an index on the brand, which would look at all of its mentions.
    query = select(mentions).where(mentions.c.brand_id + 0 == brand_id, mentions.c.story_id == story_id)
    return [query.where(half) for half in (text("NOT mentions.copy"), text("mentions.copy"))]


def _in_force() -> ColumnElement[bool]:
    """The last that was said of the brand's story, and not taken back."""
    later = corrections.alias("later")
    same_story = (later.c.story_id == corrections.c.story_id) & (later.c.brand_id == corrections.c.brand_id)
    overruled = select(later.c.id).where(same_story, later.c.id > corrections.c.id).exists()
    return corrections.c.label.is_not(None) & ~overruled


def _unheard(row: Row[Any]) -> Unheard:
    reading = unpack(row)
    return Unheard(
        brand_id=row.brand_id,
        post_id=row.post_id,
        title=row.title,
        text=row.text,
        reply=row.reply,
        language=reading.language,
        language_confidence=reading.language_confidence or 0.0,
        rating=row.rating,
        edited_at=row.edited_at,
    )


def _corrected(row: Row[Any]) -> Corrected:
    return Corrected(
        id=row.id,
        brand=row.slug,
        post_id=row.post_id,
        story_id=row.story_id,
        title=row.title,
        text=row.text,
        reply=row.reply,
        language=row.language,
        label=None if row.said is None else LABEL_NAMES[row.said],
        was=LABEL_NAMES[row.was],
        machine=LABEL_NAMES[row.machine],
        probabilities=unpack(row).probabilities,
        by=row.actor,
        at=row.at,
        note=row.note,
    )
