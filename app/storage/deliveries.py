"""The outbox: every alert to every channel, until it is delivered or buried, with every attempt on record.

    pending -> claim (lease) -> finish -> delivered
                  ^               |  `--> dead -> redrive -> pending
                  `--- pending <--'

Only the earliest unfinished delivery of a channel and incident is ever claimed: nobody hears of the end before the
beginning. A dead one does not hold up those after it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, exists, func, insert, or_, select, update

from alerts.base import Channel
from app.storage.channels import channel_of
from app.storage.database import Database, chunks, dialect_of, insert_rows, is_in, to_json
from app.storage.records import Attempt, Conflict, Delivery, LeaseLost, NewDelivery, Outcome, ToldOf
from app.storage.sealing import Vault
from app.storage.sources import CLOCK_STEP, lease_over
from app.tables import brands, channels, deliveries, delivery_attempts, incidents, sources, to_ms

_NEW = (
    *("key", "channel_id", "incident_id", "seq", "action", "alert", "state"),
    *("attempts", "created_at", "next_attempt_at", "scheduled_at"),
)
_SAID = {"pending": "retry", "delivered": "delivered", "dead": "dead"}  # what an attempt's row calls its outcome


class Deliveries:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def claim(self, now: datetime, limit: int, owner: str, lease_s: float = 30, per_channel: int = 4) -> list[Delivery]:
        """Lease up to `limit` deliveries that are due, the longest overdue first.

        At most `per_channel` of one channel are leased at a time, counting those that are under way: a dead target with
        a long queue must not take all hands from the others.
        """
        lease = timedelta(seconds=lease_s)
        with self._database.write() as connection:
            rows = connection.execute(_due(now, lease, limit, per_channel)).all()
            ids = [row.id for row in rows]
            leased = {"lease_owner": owner, "lease_until": now + lease}
            connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(**leased))
            claimed = self._with_channels(connection, rows)
        left_open = {row.id for row in rows if row.lease_owner is not None}
        return [replace(delivery, uncertain=delivery.id in left_open) for delivery in claimed]

    def finish(
        self, delivery_id: int, owner: str, outcome: Outcome, now: datetime, extra: Sequence[NewDelivery] = ()
    ) -> None:
        """Write one attempt down and end its lease. `extra`, such as an alarm about a dead letter, enters with it.

        Raises `LeaseLost` when somebody else has taken the delivery over.
        """
        if outcome.state == "pending" and outcome.next_attempt_at is None:
            raise ValueError("a delivery that stays pending needs the instant of its next attempt")
        done = None if outcome.state == "pending" else now
        values = {
            "state": outcome.state,
            "attempts": deliveries.c.attempts + 1,
            "last_error": outcome.error,
            "finished_at": done,
            "lease_owner": None,
            "lease_until": None,
        }
        if outcome.next_attempt_at is not None:
            values |= {"next_attempt_at": outcome.next_attempt_at, "scheduled_at": now}
        mine = and_(deliveries.c.id == delivery_id, deliveries.c.lease_owner == owner, deliveries.c.state == "pending")
        with self._database.write() as connection:
            row = connection.execute(
                update(deliveries)
                .where(mine)
                .values(**values)
                .returning(deliveries.c.attempts, deliveries.c.channel_id)
            ).first()
            if row is None:
                raise LeaseLost(f"delivery {delivery_id}")
            connection.execute(
                insert(delivery_attempts).values(
                    delivery_id=delivery_id,
                    attempt=row.attempts,
                    at=now,
                    outcome=_SAID[outcome.state],
                    error=outcome.error,
                    duration_ms=outcome.duration_ms,
                )
            )
            if outcome.disable_channel is not None:
                switched_off = {"enabled": False, "disabled_reason": outcome.disable_channel}
                connection.execute(update(channels).where(channels.c.id == row.channel_id).values(**switched_off))
            add(connection, extra, now)

    def add(self, new: Sequence[NewDelivery], now: datetime) -> None:
        """Put deliveries into the outbox. One whose key is there already is not sent twice."""
        with self._database.write() as connection:
            add(connection, new, now)

    def tell_of_sources(self, marks: Sequence[ToldOf], new: Sequence[NewDelivery], now: datetime) -> None:
        """Put what is told of sources into the outbox, and write down on them that it was: both, or neither.

        Raises `Conflict` when somebody else has told something of one of them since it was read.
        """
        with self._database.write() as connection:
            was: dict[int, str] = {}
            for some in chunks(sorted(mark.source_id for mark in marks)):
                these = is_in(sources.c.id, some, dialect_of(connection))
                rows = connection.execute(select(sources.c.id, sources.c.told).where(these).with_for_update())
                was |= {row.id: row.told or "" for row in rows}
            for mark in marks:
                if was.get(mark.source_id) != " ".join(mark.was):
                    raise Conflict(f"source {mark.source_id} was told of by somebody else")
            if marks:
                at = bindparam("new_told_at", type_=sources.c.told_at.type)
                told = update(sources).where(sources.c.id == bindparam("source"))
                connection.execute(
                    told.values(told=bindparam("new_told"), told_at=at),
                    [
                        {"source": mark.source_id, "new_told": " ".join(mark.told) or None, "new_told_at": mark.at}
                        for mark in marks
                    ],
                )
            add(connection, new, now)

    def get(self, delivery_id: int) -> Delivery | None:
        with self._database.read() as connection:
            rows = connection.execute(select(deliveries).where(deliveries.c.id == delivery_id)).all()
            return next(iter(self._with_channels(connection, rows)), None)

    def page(
        self,
        states: Sequence[str] | None = None,
        channel: str | None = None,
        incident_id: str | None = None,
        before_id: int | None = None,
        limit: int = 50,
        of_brands: Sequence[str] | None = None,
    ) -> list[Delivery]:
        """Newest first. None = any; `channel` is a slug; `before_id` is the id of the last one of the page before.

        `of_brands`: those of their incidents, by slug.
        """
        query = select(deliveries).order_by(deliveries.c.id.desc()).limit(limit)
        if states is not None:
            query = query.where(deliveries.c.state.in_(states))
        if channel is not None:
            query = query.join(channels, channels.c.id == deliveries.c.channel_id).where(channels.c.slug == channel)
        if incident_id is not None:
            query = query.where(deliveries.c.incident_id == incident_id)
        if before_id is not None:
            query = query.where(deliveries.c.id < before_id)
        if of_brands is not None:
            theirs = select(incidents.c.id).join(brands, brands.c.id == incidents.c.brand_id)
            query = query.where(deliveries.c.incident_id.in_(theirs.where(brands.c.slug.in_(of_brands))))
        with self._database.read() as connection:
            return self._with_channels(connection, connection.execute(query).all())

    def attempts(self, delivery_id: int) -> list[Attempt]:
        """Oldest first."""
        query = (
            select(*(delivery_attempts.c[name] for name in ("attempt", "at", "outcome", "error", "duration_ms")))
            .where(delivery_attempts.c.delivery_id == delivery_id)
            .order_by(delivery_attempts.c.attempt)
        )
        with self._database.read() as connection:
            return [Attempt(*row) for row in connection.execute(query)]

    def counts(self) -> Mapping[str, int]:
        """How many deliveries are in each state; states without any are left out."""
        query = select(deliveries.c.state, func.count().label("number")).group_by(deliveries.c.state)
        with self._database.read() as connection:
            return {row.state: row.number for row in connection.execute(query)}

    def oldest_pending(self) -> datetime | None:
        """Since when the delivery that waits longest has been in the outbox."""
        query = select(func.min(deliveries.c.created_at)).where(deliveries.c.state == "pending")
        with self._database.read() as connection:
            oldest: datetime | None = connection.execute(query).scalar()
            return oldest

    def redrive(self, delivery_id: int, now: datetime) -> bool:
        """Give a dead letter another day, with the same key. False when it is not dead."""
        dead = and_(deliveries.c.id == delivery_id, deliveries.c.state == "dead")
        again = {
            "state": "pending",
            "created_at": now,  # the day in which it is tried begins anew
            "next_attempt_at": now,
            "scheduled_at": now,
            "finished_at": None,
        }
        with self._database.write() as connection:
            return bool(connection.execute(update(deliveries).where(dead).values(**again)).rowcount)

    def _with_channels(self, connection: Connection, rows: Sequence[Row[Any]]) -> list[Delivery]:
        wanted = {row.channel_id for row in rows}
        found = connection.execute(select(channels).where(channels.c.id.in_(wanted)))
        by_id = {row.id: channel_of(row, self._vault) for row in found}
        return [_delivery(row, by_id[row.channel_id]) for row in rows]


def add(connection: Connection, new: Sequence[NewDelivery], now: datetime) -> None:
    at = to_ms(now)
    rows = [
        (one.key, one.channel_id, one.incident_id, one.seq, one.action, to_json(one.alert), "pending", 0, at, at, at)
        for one in new
    ]
    insert_rows(connection, deliveries, _NEW, rows, conflict="ON CONFLICT (key) DO NOTHING")


def _due(now: datetime, lease: timedelta, limit: int, per_channel: int) -> Select[Any]:
    earlier = deliveries.alias("earlier")
    waits = exists(
        select(earlier.c.id).where(
            earlier.c.incident_id == deliveries.c.incident_id,
            earlier.c.channel_id == deliveries.c.channel_id,
            earlier.c.state == "pending",
            or_(
                earlier.c.seq < deliveries.c.seq,
                and_(earlier.c.seq == deliveries.c.seq, earlier.c.id < deliveries.c.id),
            ),
        )
    )
    ready = and_(
        deliveries.c.state == "pending",
        lease_over(deliveries, now, lease),
        ~waits,
        or_(deliveries.c.next_attempt_at <= now, deliveries.c.scheduled_at > now + CLOCK_STEP),
    )
    longest_overdue = (deliveries.c.next_attempt_at, deliveries.c.id)
    under_way = (
        select(deliveries.c.channel_id, func.count().label("leases"))
        .where(deliveries.c.state == "pending", ~lease_over(deliveries, now, lease))
        .group_by(deliveries.c.channel_id)
        .cte("under_way")
    )
    place = func.row_number().over(partition_by=deliveries.c.channel_id, order_by=longest_overdue)
    queue = select(deliveries.c.id, deliveries.c.channel_id, place.label("place")).where(ready).cte("queue")
    turn = (
        select(queue.c.id)
        .outerjoin(under_way, under_way.c.channel_id == queue.c.channel_id)
        .where(queue.c.place + func.coalesce(under_way.c.leases, 0) <= per_channel)
    )
    # `ready` again: a row that another worker took while we waited for its lock is looked at once more.
    return (
        select(deliveries)
        .where(deliveries.c.id.in_(turn), ready)
        .order_by(*longest_overdue)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def _delivery(row: Row[Any], channel: Channel) -> Delivery:
    return Delivery(
        id=row.id,
        key=row.key,
        channel=channel,
        action=row.action,
        alert=row.alert,
        incident_id=row.incident_id,
        seq=row.seq,
        state=row.state,
        attempts=row.attempts,
        created_at=row.created_at,
        next_attempt_at=row.next_attempt_at,
        last_error=row.last_error,
        finished_at=row.finished_at,
    )
