"""What verdicts go by: the dial, and who turned it when and why. Only ever added to; the last line counts."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from app.model import Policy
from app.storage.database import Database, plain
from app.tables import backtests, policies

LONGEST_REASON = 2_000
LONGEST_NAME = 200
BUILT_IN = Policy()


@dataclass(frozen=True, slots=True)
class Measured:
    """What a backtest came to: pages per brand and month by the dial that was tried, None where it has no such figure.

    A dial that it did not try is not in it; of one that is not done, none is.
    """

    state: str
    pages_per_brand_month: Mapping[float, float | None]


class Policies:
    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self) -> Policy:
        """What verdicts go by now: the built-in policy where nobody has put another."""
        query = select(policies).order_by(policies.c.id.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).first()
            return BUILT_IN if row is None else _policy(row)

    def put(self, policy: Policy, now: datetime) -> Policy:
        """Put another one in force. Whether it keeps to the noise budget is settled before: `app.config.refusal`."""
        with self._database.write() as connection:
            return put(connection, policy, now)

    def get(self, policy_id: int | None) -> Policy | None:
        """The policy with this id, in force or not. None is the id of the built-in one."""
        if policy_id is None:
            return BUILT_IN
        with self._database.read() as connection:
            row = connection.execute(select(policies).where(policies.c.id == policy_id)).first()
            return None if row is None else _policy(row)

    def page(self, before_id: int | None = None, limit: int = 50) -> list[Policy]:
        """Newest first. `before_id` is the id of the last one of the page before. The built-in one is no line of it."""
        query = select(policies).order_by(policies.c.id.desc()).limit(limit)
        if before_id is not None:
            query = query.where(policies.c.id < before_id)
        with self._database.read() as connection:
            return [_policy(row) for row in connection.execute(query)]

    def in_force(self, since: datetime, until: datetime) -> list[Policy]:
        """The policies by which somebody was judged in [since, until), oldest first. There is always one."""
        before = select(func.max(policies.c.id)).where(policies.c.at <= since).scalar_subquery()
        query = (
            select(policies)
            .where(policies.c.id >= func.coalesce(before, 0), policies.c.at < until)
            .order_by(policies.c.id)
        )
        with self._database.read() as connection:
            found = [_policy(row) for row in connection.execute(query)]
        return found if found and found[0].at is not None and found[0].at <= since else [BUILT_IN, *found]

    def measured(self, backtest_id: str) -> Measured | None:
        """What the backtest with this id came to; None where there is no such backtest."""
        query = select(backtests.c.state, backtests.c.result).where(backtests.c.id == plain(backtest_id))
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        outcomes = row.result.get("outcomes") if row.state == "done" and isinstance(row.result, dict) else None
        return Measured(row.state, dict(_tried(outcomes if isinstance(outcomes, list) else [])))


def put(connection: Connection, policy: Policy, now: datetime) -> Policy:
    line = {
        "at": now,
        "actor": plain(policy.actor or ""),
        "name": plain(policy.name, LONGEST_NAME),
        "false_warnings_per_month": policy.false_warnings_per_month,
        "reason": plain(policy.reason, LONGEST_REASON),
        "backtest_id": None if policy.backtest_id is None else plain(policy.backtest_id),
    }
    return _policy(connection.execute(insert(policies).values(**line).returning(*policies.c)).one())


def _tried(outcomes: Iterable[Any]) -> Iterator[tuple[float, float | None]]:
    """Dial and pages per brand and month of each outcome. What is no outcome is left out."""
    for outcome in outcomes:
        if isinstance(outcome, dict) and (dial := _figure(outcome.get("false_warnings_per_month"))) is not None:
            yield dial, _figure(outcome.get("pages_per_brand_month"))


def _figure(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _policy(row: Row[Any]) -> Policy:
    return Policy(
        id=row.id,
        name=row.name,
        false_warnings_per_month=row.false_warnings_per_month,
        reason=row.reason,
        actor=row.actor,
        at=row.at,
        backtest_id=row.backtest_id,
    )
