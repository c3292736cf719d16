"""Backtests that were asked for: waiting, running under a lease, done or failed. One is worked on at a time.

    add -> waiting -> claim (lease) -> report ... -> finish -> done
                         ^ lease over                `-> fail -> failed

The lease's end is its token: whoever holds another one than the row says has lost it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, and_, func, insert, or_, select, tuple_, update

from app.storage.database import Database, one_at_a_time, plain
from app.storage.records import LeaseLost
from app.tables import backtests

State = Literal["waiting", "running", "done", "failed"]
MOST_WAITING = 3
LEASE_S = 60.0
LONGEST_ERROR = 1_000

_LIST = [backtests.c[name] for name in ("id", "created_at", "actor", "question", "state", "progress", "error")]


class TooMany(Exception):
    """So many backtests wait already that another one is refused."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """`question` and `result` are plain JSON values: `app.pipeline.backtest` reads and writes them."""

    id: str
    created_at: datetime
    actor: str
    question: Mapping[str, Any]
    state: State
    progress: float
    result: Mapping[str, Any] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A backtest to work on, until `lease_until`."""

    backtest: Backtest
    lease_until: datetime


class Backtests:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, backtest_id: str, actor: str, question: Mapping[str, Any], now: datetime) -> Backtest:
        """Raises `TooMany` where three wait already."""
        made = Backtest(backtest_id, now, plain(actor), question, "waiting", 0.0)
        with self._database.write() as connection:
            one_at_a_time(connection)
            waits = select(func.count()).select_from(backtests).where(backtests.c.state == "waiting")
            if connection.execute(waits).scalar_one() >= MOST_WAITING:
                raise TooMany(f"{MOST_WAITING} backtests wait already")
            connection.execute(
                insert(backtests).values(
                    id=made.id,
                    created_at=now,
                    actor=made.actor,
                    question=dict(question),
                    state=made.state,
                    progress=made.progress,
                )
            )
        return made

    def get(self, backtest_id: str) -> Backtest | None:
        with self._database.read() as connection:
            row = connection.execute(select(backtests).where(backtests.c.id == plain(backtest_id))).first()
        return None if row is None else _backtest(row, row.result)

    def page(self, before: tuple[datetime, str] | None = None, limit: int = 50) -> list[Backtest]:
        """Newest first, without their results. `before` is (created_at, id) of the last one of the page before."""
        query = select(*_LIST).order_by(backtests.c.created_at.desc(), backtests.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(tuple_(backtests.c.created_at, backtests.c.id) < before)
        with self._database.read() as connection:
            return [_backtest(row, None) for row in connection.execute(query)]

    def claim(self, now: datetime) -> Claimed | None:
        """The one that has waited longest, or whose lease is over: whoever worked on it is gone."""
        lease = now + timedelta(seconds=LEASE_S)
        # A lease far in the future: the clock was set back since.
        over = or_(backtests.c.lease_until.is_(None), backtests.c.lease_until <= now, backtests.c.lease_until > lease)
        free = or_(backtests.c.state == "waiting", and_(backtests.c.state == "running", over))
        with self._database.read() as connection:
            # Nothing to do is the rule: no write for it.
            if connection.execute(select(backtests.c.id).where(free).limit(1)).first() is None:
                return None
        with self._database.write() as connection:
            query = select(backtests).where(free).order_by(backtests.c.created_at, backtests.c.id).limit(1)
            row = connection.execute(query).first()
            if row is None:
                return None
            mine = update(backtests).where(backtests.c.id == row.id, free)
            if not connection.execute(mine.values(state="running", lease_until=lease, progress=0.0)).rowcount:
                return None  # somebody else was faster
        return Claimed(_backtest(row, None), lease)

    def report(self, claimed: Claimed, progress: float, now: datetime) -> Claimed:
        """How far it is (0..1); the lease begins anew. Raises `LeaseLost`."""
        lease = now + timedelta(seconds=LEASE_S)
        self._write(claimed, progress=progress, lease_until=lease)
        return Claimed(claimed.backtest, lease)

    def finish(self, claimed: Claimed, result: Mapping[str, Any]) -> None:
        """Raises `LeaseLost`."""
        self._write(claimed, state="done", progress=1.0, result=dict(result), lease_until=None, error=None)

    def fail(self, claimed: Claimed, error: str) -> None:
        """Raises `LeaseLost`. `error` is for the person who asked."""
        self._write(claimed, state="failed", lease_until=None, error=plain(error, LONGEST_ERROR))

    def give_back(self, claimed: Claimed) -> None:
        """It is not done, and may be begun anew. Raises `LeaseLost`."""
        self._write(claimed, state="waiting", progress=0.0, lease_until=None)

    def _write(self, claimed: Claimed, **values: Any) -> None:
        mine = and_(
            backtests.c.id == claimed.backtest.id,
            backtests.c.state == "running",
            backtests.c.lease_until == claimed.lease_until,
        )
        with self._database.write() as connection:
            if not connection.execute(update(backtests).where(mine).values(**values)).rowcount:
                raise LeaseLost(f"backtest {claimed.backtest.id}")


def _backtest(row: Row[Any], result: Mapping[str, Any] | None) -> Backtest:
    return Backtest(row.id, row.created_at, row.actor, row.question, row.state, row.progress, result, row.error)
