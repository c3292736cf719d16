"""The places to ask: when each is due, who is asking it now, and how well it is.

due     next_due_at has come, or it was set by a clock that has been set back since
leased  one worker asks it; the lease ends with `posts.store`, with `fail`, or by itself
host    at most `per_host` leases at a time: politeness is owed to a server, not to a feed
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, or_, select, update

from app.storage.database import Database
from app.storage.records import Failure, LeaseLost, QuarantineRow
from app.storage.sealing import Vault
from app.tables import quarantine, sources
from collectors import COLLECTORS
from collectors.base import PAID, Source
from collectors.due import MOVED_SIGHTINGS

_UNREAD: dict[str, Any] = {"etag": None, "last_modified": None, "body_hash": None}  # as if it was never read
CLOCK_STEP = timedelta(seconds=60)  # two machines' clocks may differ by less; more is a clock that was set back


class Sources:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def all(self, include_archived: bool = False) -> list[Source]:
        query = select(sources).order_by(sources.c.slug)
        if not include_archived:
            query = query.where(sources.c.archived_at.is_(None))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [source_of(row, self._vault) for row in rows]

    def get(self, slug: str) -> Source | None:
        """An archived source too: it is not `enabled`."""
        with self._database.read() as connection:
            row = connection.execute(select(sources).where(sources.c.slug == slug)).first()
        return None if row is None else source_of(row, self._vault)

    def claim_due(self, now: datetime, limit: int, owner: str, lease_s: float = 60, per_host: int = 2) -> list[Source]:
        """Lease up to `limit` due sources, the longest overdue first, with at most `per_host` leased of one host."""
        lease = timedelta(seconds=lease_s)
        with self._database.write() as connection:
            rows = connection.execute(_due(now, lease, limit, per_host)).all()
            ids = [row.id for row in rows]
            connection.execute(
                update(sources).where(sources.c.id.in_(ids)).values(lease_owner=owner, lease_until=now + lease)
            )
        return [source_of(row, self._vault) for row in rows]

    def claim_streams(self, kinds: Collection[str], now: datetime, owner: str, lease_s: float) -> list[Source]:
        """Lease every due stream of these kinds that nobody follows. `posts.store` with a `lease_until` renews it."""
        lease = timedelta(seconds=lease_s)
        free = select(sources).where(_ready(now, lease), ~sources.c.polled, sources.c.kind.in_(kinds))
        with self._database.write() as connection:
            rows = connection.execute(free.with_for_update(skip_locked=True)).all()
            ids = [row.id for row in rows]
            connection.execute(
                update(sources).where(sources.c.id.in_(ids)).values(lease_owner=owner, lease_until=now + lease)
            )
        return [source_of(row, self._vault) for row in rows]

    def followed(self, owner: str) -> list[Source]:
        """The streams that `owner` holds and still should, as they are configured now."""
        mine = and_(sources.c.lease_owner == owner, ~sources.c.polled, in_use())
        with self._database.read() as connection:
            return [source_of(row, self._vault) for row in connection.execute(select(sources).where(mine))]

    def release(self, source_id: int, owner: str, now: datetime) -> None:
        """End a lease before its time: whoever wants to may go on. Nothing, where it is somebody else's by now."""
        mine = and_(sources.c.id == source_id, sources.c.lease_owner == owner)
        values = {"lease_owner": None, "lease_until": None, "next_due_at": now, "scheduled_at": now}
        with self._database.write() as connection:
            connection.execute(update(sources).where(mine).values(**values))

    def fail(self, failure: Failure, now: datetime) -> None:
        """Write a failed visit down and end its lease. Raises `LeaseLost` when it is somebody else's by now."""
        with self._database.write() as connection:
            changed = connection.execute(
                update(sources)
                .where(sources.c.id == failure.source_id, sources.c.lease_owner == failure.owner)
                .values(
                    state="disabled" if failure.disable else failure.state,
                    fail_count=sources.c.fail_count + 1,
                    last_error=f"{failure.code}: {failure.message}",
                    last_error_at=now,
                    next_due_at=failure.next_due_at,
                    scheduled_at=now,
                    lease_owner=None,
                    lease_until=None,
                )
            )
            if not changed.rowcount:
                raise LeaseLost(f"source {failure.source_id}")

    def sharers(self, kinds: Collection[str]) -> dict[str, int]:
        """How many sources of each of these kinds are asked: what its API grants is divided by it."""
        if not kinds:
            return {}
        asked = and_(sources.c.kind.in_(kinds), in_use())
        query = select(sources.c.kind, func.count().label("number")).where(asked).group_by(sources.c.kind)
        with self._database.read() as connection:
            return {row.kind: row.number for row in connection.execute(query)}

    def at(self, url: str, but: int) -> str | None:
        """The slug of a source, archived ones left out, which is asked at this address; `but` is none of them."""
        here = or_(sources.c.url == url, and_(sources.c.moved_to == url, sources.c.moved_seen >= MOVED_SIGHTINGS))
        query = select(sources.c.slug).where(here, sources.c.id != but, sources.c.archived_at.is_(None)).limit(1)
        with self._database.read() as connection:
            slug: str | None = connection.execute(query).scalar()
            return slug

    def poll_now(self, slug: str, now: datetime) -> bool:
        """Make a source due, and give one that was stopped another chance. False when there is no such source."""
        with self._database.write() as connection:
            revived = and_(sources.c.slug == slug, sources.c.state == "disabled")
            connection.execute(update(sources).where(revived).values(state="late"))
            known = and_(sources.c.slug == slug, sources.c.archived_at.is_(None))
            changed = connection.execute(update(sources).where(known).values(next_due_at=now, scheduled_at=now))
            return bool(changed.rowcount)

    def quarantined(self, slug: str, limit: int = 50) -> list[QuarantineRow]:
        """Items of this source that could not be read or stored, newest first."""
        query = (
            select(quarantine.c.at, quarantine.c.reason, quarantine.c.sample)
            .join(sources, sources.c.id == quarantine.c.source_id)
            .where(sources.c.slug == slug)
            .order_by(quarantine.c.id.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return [QuarantineRow(slug, row.at, row.reason, row.sample) for row in connection.execute(query)]


def put(connection: Connection, source: Source, vault: Vault, now: datetime) -> None:
    """Make or change the source with this slug; an archived one comes back, a stopped one gets another chance.

    Cursor, validators and health stay, unless the place to ask became another one: then whatever it holds is history,
    as with a new source, and a visit under way is dropped.
    """
    stored = connection.execute(select(sources).where(sources.c.slug == source.slug).with_for_update()).first()
    values: dict[str, Any] = {
        "name": source.name,
        "kind": source.kind,
        "url": source.url,
        "host": host_of(source),
        "polled": source.kind in COLLECTORS,
        "settings": dict(source.settings),
        "brands": list(source.brands),
        "language": source.language,
        "tier": source.tier,
        "interval_s": source.interval_s,
        "enabled": source.enabled,
        "origin": source.origin,
        "archived_at": None,
    }
    if source.secret is not None:
        values["secret"] = vault.seal(source.secret) if source.secret else None
    if stored is None:
        values |= {"slug": source.slug, "created_at": now, "generation": 0}
        connection.execute(insert(sources).values(**_fresh(now), **values))
        return
    if (stored.kind, stored.url, stored.settings) != (source.kind, source.url, values["settings"]):
        spent = {name: stored.cursor[name] for name in PAID if stored.kind == source.kind and name in stored.cursor}
        elsewhere = stored.host != values["host"]
        values |= {**_fresh(now), "cursor": spent, "generation": stored.generation + elsewhere}
    elif stored.archived_at is not None or stored.state == "disabled" or stored.enabled != source.enabled:
        values |= {"state": "late", "next_due_at": now, "scheduled_at": now, "told": None}
    elif stored.interval_s != source.interval_s:
        values |= {"adaptive_interval_s": None, "next_due_at": now, "scheduled_at": now}
    if stored.brands != values["brands"]:
        values |= _UNREAD
    connection.execute(update(sources).where(sources.c.id == stored.id).values(**values))


def read_again(connection: Connection) -> None:
    """Forget the validators: a new query may find what an unchanged document has held all the while."""
    connection.execute(update(sources).values(**_UNREAD))


def archive(connection: Connection, slug: str, now: datetime) -> bool:
    """False when there is no such source. A visit under way is dropped."""
    values = {"archived_at": now, "lease_owner": None, "lease_until": None}
    return bool(connection.execute(update(sources).where(sources.c.slug == slug).values(**values)).rowcount)


def host_of(source: Source) -> str:
    """The unit of politeness: the address's host, or the kind where the collector knows the address itself."""
    return urlsplit(source.url or "").hostname or source.kind


def source_of(row: Row[Any], vault: Vault) -> Source:
    return Source(
        id=row.id,
        slug=row.slug,
        name=row.name,
        kind=row.kind,
        url=row.url,
        settings=row.settings,
        brands=tuple(row.brands),
        language=row.language,
        tier=row.tier,
        interval_s=row.interval_s,
        enabled=row.enabled and row.archived_at is None,
        origin=row.origin,
        secret=row.secret and vault.open(row.secret),
        cursor=row.cursor,
        etag=row.etag,
        last_modified=row.last_modified,
        body_hash=row.body_hash,
        state=row.state,
        adaptive_interval_s=row.adaptive_interval_s,
        next_due_at=row.next_due_at,
        fail_count=row.fail_count,
        created_at=row.created_at,
        first_ok_at=row.first_ok_at,
        last_ok_at=row.last_ok_at,
        last_item_at=row.last_item_at,
        last_error=row.last_error,
        last_error_at=row.last_error_at,
        generation=row.generation,
        moved_seen=row.moved_seen,
        moved_to=row.moved_to,
        hint_s=row.hint_s,
        cadence_s=row.cadence_s,
        overrun_at=row.overrun_at,
        told=tuple((row.told or "").split()),
        told_at=row.told_at,
    )


def lease_over(table: Any, now: datetime, lease: timedelta) -> ColumnElement[bool]:
    """No live lease: none, one that ended, or one that ends later than any lease taken now would (a clock set back)."""
    until = table.c.lease_until
    return or_(until.is_(None), until <= now, until > now + 2 * lease)


def _ready(now: datetime, lease: timedelta) -> ColumnElement[bool]:
    due = or_(sources.c.next_due_at <= now, sources.c.scheduled_at > now + CLOCK_STEP)
    return and_(due, lease_over(sources, now, lease), in_use())


def in_use() -> ColumnElement[bool]:
    return and_(sources.c.enabled, sources.c.archived_at.is_(None), sources.c.state != "disabled")


def _due(now: datetime, lease: timedelta, limit: int, per_host: int) -> Any:
    ready = and_(_ready(now, lease), sources.c.polled)
    asked = (
        select(sources.c.host, func.count().label("leases"))
        .where(sources.c.lease_owner.is_not(None), ~lease_over(sources, now, lease))
        .group_by(sources.c.host)
        .cte("asked")
    )
    place = func.row_number().over(partition_by=sources.c.host, order_by=(sources.c.next_due_at, sources.c.id))
    queue = select(sources.c.id, sources.c.host, sources.c.next_due_at, place.label("place")).where(ready).cte("queue")
    turn = (
        select(queue.c.id)
        .outerjoin(asked, asked.c.host == queue.c.host)
        .where(queue.c.place + func.coalesce(asked.c.leases, 0) <= per_host)
        .order_by(queue.c.next_due_at, queue.c.id)
        .limit(limit)
    )
    # `ready` again: a row that another worker took while we waited for its lock is looked at once more.
    return (
        select(sources)
        .where(sources.c.id.in_(turn), ready)
        .order_by(sources.c.next_due_at, sources.c.id)
        .with_for_update(skip_locked=True)
    )


def _fresh(now: datetime) -> dict[str, Any]:
    """The state of a source that was never asked."""
    return {
        "cursor": {},
        "etag": None,
        "last_modified": None,
        "body_hash": None,
        "state": "late",
        "adaptive_interval_s": None,
        "next_due_at": now,
        "scheduled_at": now,
        "lease_owner": None,
        "lease_until": None,
        "fail_count": 0,
        "first_ok_at": None,
        "last_ok_at": None,
        "last_item_at": None,
        "last_error": None,
        "last_error_at": None,
        "moved_seen": 0,
        "moved_to": None,
        "hint_s": None,
        "cadence_s": None,
        "overrun_at": None,
        "told": None,
        "told_at": None,
    }
