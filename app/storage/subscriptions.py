"""The hubs that were asked to say when a feed has something new (WebSub), one a source.

    named     a feed names its hub                                    `name`
    asked     the hub was asked, and has not come back yet            `claim`
    verified  it came back and agreed, until `lease_until`            `verify`
    refused   it said no, or could not be asked                       `refuse`
    leaving   the source is asked no more, or names another hub       `name`, `claim`; gone with `forget`

due_at      when the hub is asked next. Claiming sets it, so that whatever fails or dies is asked again then.
pushed_at   the last push that counted. `wake` makes the source due, once a minute at most, and sets woken_at.

A callback's last part is as good as a password: the database knows its hash, to find it by, and sealed the part itself,
to ask again with.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, or_, select, update

from app.storage.database import Database
from app.storage.sealing import Vault, open_mapping, seal_mapping
from app.storage.sources import in_use, lease_over, source_of
from app.tables import sources, subscriptions
from collectors.base import Source

State = Literal["named", "asked", "verified", "refused", "leaving"]
Hub = tuple[str, str]

AGAIN = timedelta(hours=1)
LONGEST_WAIT = timedelta(days=1)
DOUBLINGS = 5
WAKE_EVERY = timedelta(minutes=1)
VISIT_LEASE = timedelta(minutes=2)
LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class Subscription:
    """`token` and `secret` are plain, and only there for who needs them (`claim`, `find`)."""

    source_id: int
    hub: str
    topic: str
    state: State
    lease_until: datetime | None
    tries: int
    asked_at: datetime | None
    pushed_at: datetime | None
    woken_at: datetime | None
    last_error: str | None = None
    token: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)

    @property
    def pending(self) -> bool:
        """A push came, and its source has not been made due for it yet."""
        return self.pushed_at is not None and (self.woken_at is None or self.pushed_at > self.woken_at)


@dataclass(frozen=True, slots=True)
class ToAsk:
    """A hub to ask now. `leave`: that it should stop."""

    subscription: Subscription
    source: Source
    leave: bool


class Subscriptions:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def of(self, source_ids: Collection[int]) -> dict[int, Subscription]:
        """By source, without token and secret."""
        query = select(subscriptions).where(subscriptions.c.source_id.in_(source_ids))
        with self._database.read() as connection:
            return {row.source_id: _plain(row) for row in connection.execute(query)}

    def find(self, token: str) -> Subscription | None:
        query = select(subscriptions).where(subscriptions.c.token_hash == _hash(token))
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else self._opened(row)

    def name(self, hubs: Mapping[int, tuple[Hub | None, str, str]], now: datetime) -> None:
        """What sources name as their (hub, topic), None for none; with a token and a secret in case it is new.

        A hub that was named before and is named no more is left first; the new one is asked once that is done.
        """
        with self._database.write() as connection:
            for source_id, (named, token, secret) in hubs.items():
                self._name(connection, source_id, named, token, secret, now)

    def claim(self, now: datetime, limit: int) -> list[ToAsk]:
        """Hubs that are due, asked again an hour later at the earliest, later and later until they agree."""
        waiting = or_(subscriptions.c.due_at <= now, _idle())
        with self._database.read() as connection:
            if connection.execute(select(subscriptions.c.source_id).where(waiting).limit(1)).first() is None:
                return []
        asked_once = and_(subscriptions.c.state == "leaving", subscriptions.c.tries > 0)
        due = and_(subscriptions.c.due_at <= now, ~asked_once)
        with self._database.write() as connection:
            connection.execute(delete(subscriptions).where(_idle(), subscriptions.c.asked_at.is_(None)))
            connection.execute(update(subscriptions).where(_idle()).values(**_left(now)))
            connection.execute(delete(subscriptions).where(subscriptions.c.due_at <= now, asked_once))
            query = select(subscriptions).where(due).order_by(subscriptions.c.due_at).limit(limit)
            rows = connection.execute(query.with_for_update(skip_locked=True)).all()
            of = select(sources).where(sources.c.id.in_([row.source_id for row in rows]))
            found = {row.id: source_of(row, self._vault) for row in connection.execute(of)} if rows else {}
            for row in rows:
                wait = min(AGAIN * 2 ** min(row.tries, DOUBLINGS), LONGEST_WAIT)
                state = row.state if row.state in ("verified", "leaving") else "asked"
                values = {"tries": row.tries + 1, "asked_at": now, "due_at": now + wait, "state": state}
                connection.execute(update(subscriptions).where(_one(row.source_id)).values(**values))
        return [ToAsk(self._opened(row), found[row.source_id], row.state == "leaving") for row in rows]

    def verify(self, source_id: int, lease_until: datetime, renew_at: datetime) -> None:
        """The hub agreed."""
        values = {"state": "verified", "lease_until": lease_until, "due_at": renew_at, "tries": 0, "last_error": None}
        with self._database.write() as connection:
            mine = and_(_one(source_id), subscriptions.c.state != "leaving")
            connection.execute(update(subscriptions).where(mine).values(**values))

    def refuse(self, source_id: int, error: str, *, again_at: datetime | None = None, final: bool = False) -> None:
        """The hub could not be asked, or said no. `final`: whatever it promised before is over.

        `again_at` None: as the claim has set it.
        """
        values: dict[str, Any] = {"last_error": error[:LONGEST_ERROR]}
        if again_at is not None:
            values["due_at"] = again_at
        asking = subscriptions.c.state.in_(("asked", "verified") if final else ("asked",))
        with self._database.write() as connection:
            connection.execute(update(subscriptions).where(_one(source_id)).values(**values))
            ended = {"state": "refused"} | ({"lease_until": None, "pushed_at": None} if final else {})
            connection.execute(update(subscriptions).where(_one(source_id), asking).values(**ended))

    def forget(self, source_id: int) -> None:
        with self._database.write() as connection:
            connection.execute(delete(subscriptions).where(_one(source_id)))

    def pushed(self, source_id: int, now: datetime) -> None:
        """A push that was signed. Nothing is written while one is pending: a flood costs a row a minute."""
        pending = and_(subscriptions.c.pushed_at.is_not(None), subscriptions.c.pushed_at > subscriptions.c.woken_at)
        with self._database.write() as connection:
            mine = and_(_one(source_id), subscriptions.c.state == "verified", ~pending)
            connection.execute(update(subscriptions).where(mine).values(pushed_at=now))

    def distrust(self, source_ids: Collection[int]) -> None:
        """These hubs did not say what they should have: nothing is expected of them until their next push."""
        with self._database.write() as connection:
            mine = subscriptions.c.source_id.in_(source_ids)
            connection.execute(update(subscriptions).where(mine).values(pushed_at=None))

    def wake(self, now: datetime) -> int:
        """Make the sources of pending pushes due. Returns how many.

        A source that is being asked waits for the end of that visit, which may have begun before the push; one that
        fails keeps its wait: a push is no reason to press a publisher that is not well.
        """
        column = subscriptions.c
        never = column.woken_at.is_(None)
        pending = and_(column.pushed_at.is_not(None), or_(never, column.pushed_at > column.woken_at))
        rested = or_(never, column.woken_at <= now - WAKE_EVERY, column.woken_at > now)
        ready = and_(pending, rested, in_use(), sources.c.fail_count == 0, lease_over(sources, now, VISIT_LEASE))
        query = select(column.source_id).join(sources, sources.c.id == column.source_id).where(ready)
        with self._database.read() as connection:
            if connection.execute(query.limit(1)).first() is None:
                return 0
        with self._database.write() as connection:
            ids = [row.source_id for row in connection.execute(query)]
            connection.execute(update(subscriptions).where(column.source_id.in_(ids)).values(woken_at=now))
            later = and_(sources.c.id.in_(ids), sources.c.next_due_at > now)
            connection.execute(update(sources).where(later).values(next_due_at=now, scheduled_at=now))
        return len(ids)

    def _name(
        self, connection: Connection, source_id: int, named: Hub | None, token: str, secret: str, now: datetime
    ) -> None:
        row = connection.execute(select(subscriptions).where(_one(source_id)).with_for_update()).first()
        if row is not None and (row.state == "leaving" or (row.hub, row.topic) == named):
            return
        if row is not None and row.asked_at is not None:
            connection.execute(update(subscriptions).where(_one(source_id)).values(**_left(now)))
            return
        if row is not None:
            connection.execute(delete(subscriptions).where(_one(source_id)))
        if named is not None:
            new = {
                "source_id": source_id,
                "hub": named[0],
                "topic": named[1],
                "token_hash": _hash(token),
                "secret": seal_mapping(self._vault, {"token": token, "secret": secret}),
                "state": "named",
                "tries": 0,
                "due_at": now,
            }
            connection.execute(insert(subscriptions).values(**new))

    def _opened(self, row: Row[Any]) -> Subscription:
        return _plain(row, **open_mapping(self._vault, row.secret))


def _idle() -> ColumnElement[bool]:
    """Held for a source that is not asked any more, which needs no hub."""
    idle = select(sources.c.id).where(~in_use())
    return and_(subscriptions.c.source_id.in_(idle), subscriptions.c.state != "leaving")


def _left(now: datetime) -> dict[str, Any]:
    return {"state": "leaving", "tries": 0, "due_at": now, "lease_until": None, "pushed_at": None}


def _one(source_id: int) -> ColumnElement[bool]:
    return subscriptions.c.source_id == source_id


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _plain(row: Row[Any], token: str = "", secret: str = "") -> Subscription:
    return Subscription(
        source_id=row.source_id,
        hub=row.hub,
        topic=row.topic,
        state=row.state,
        lease_until=row.lease_until,
        tries=row.tries,
        asked_at=row.asked_at,
        pushed_at=row.pushed_at,
        woken_at=row.woken_at,
        last_error=row.last_error,
        token=token,
        secret=secret,
    )
