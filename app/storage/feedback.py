"""What people say of alerts, and what a report card is made of. Only ever added to; the last word of each counts.

useful | noise, with a note  >  a line of the trail
incidents of a time | their openings and escalations | the words in force  >  cases
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select
from sqlalchemy.sql.selectable import Select

from alerts.base import Severity
from app.model import Feedback
from app.storage.database import Database, chunks, dialect_of, is_in, plain
from app.tables import brands, feedback, incident_events, incidents

LONGEST_NOTE = 2_000


@dataclass(frozen=True, slots=True)
class Page:
    """An opening or an escalation: what channels are told of at `at`."""

    at: datetime
    severity: Severity


@dataclass(frozen=True, slots=True)
class Case:
    """An incident as far as a report card goes. `brand` is a slug, `policy_id` None the built-in policy's.

    `score` is that of the rarest evidence that was told; `volume_score` the count's alone, where the last dossier has
    one. `why` is the reason of the verdict that opened it. `pages` are notices too: see their severity. `words` are
    those in force, the oldest first.
    """

    incident_id: str
    brand: str
    time_zone: str
    cause: str
    why: str
    policy_id: int | None
    severity: Severity
    opened_at: datetime
    acknowledged_at: datetime | None
    score: float
    volume_score: float | None = None
    pages: tuple[Page, ...] = ()
    words: tuple[Feedback, ...] = ()


class FeedbackTrail:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, incident_id: str, useful: bool, note: str, by: str, now: datetime) -> None:
        """Write a person's word down. Nothing happens where it is the same as their last one."""
        by, note = plain(by), plain(note, LONGEST_NOTE)
        mine = select(feedback).where(feedback.c.incident_id == incident_id, feedback.c.actor == by)
        with self._database.write() as connection:
            last = connection.execute(mine.order_by(feedback.c.id.desc()).limit(1)).first()
            if last is not None and (last.useful, last.note) == (useful, note):
                return
            line = {"incident_id": incident_id, "at": now, "actor": by, "useful": useful, "note": note}
            connection.execute(insert(feedback).values(**line))

    def trail(self, incident_id: str) -> list[Feedback]:
        """Everything that was said of an incident, oldest first; `in_force` is the last word of each."""
        query = select(feedback).where(feedback.c.incident_id == incident_id).order_by(feedback.c.id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        last = {row.actor: row.id for row in rows}
        return [_feedback(row, in_force=row.id == last[row.actor]) for row in rows]

    def cases(self, named: Sequence[str] | None, since: datetime, until: datetime) -> list[Case]:
        """The incidents that opened in [since, until), oldest first. `named` are slugs of brands, None = all."""
        query = _opened(since, until)
        if named is not None:
            query = query.where(brands.c.slug.in_(named))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            ids = [row.id for row in rows]
            pages, words = _pages(connection, ids), _words(connection, ids)
        return [_case(row, pages.get(row.id, []), words.get(row.id, [])) for row in rows]


def _opened(since: datetime, until: datetime) -> Select[Any]:
    """All but the dossiers, which are long."""
    names = ("id", "cause", "policy_id", "severity", "opened_at", "acknowledged_at", "peak_score")
    volume_score = incidents.c.dossier["spike"]["volume_score"].as_float()
    return (
        select(*(incidents.c[name] for name in names), volume_score.label("volume_score"))
        .add_columns(brands.c.slug, brands.c.time_zone)
        .join(brands, brands.c.id == incidents.c.brand_id)
        .where(incidents.c.opened_at >= since, incidents.c.opened_at < until)
        .order_by(incidents.c.opened_at, incidents.c.id)
    )


def _pages(connection: Connection, ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """The events that channels are told of as news, by incident."""

    def of(some: ColumnElement[bool]) -> Select[Any]:
        news = select(incident_events).where(some, incident_events.c.kind.in_(("opened", "escalated")))
        return news.order_by(incident_events.c.incident_id, incident_events.c.seq)

    return _by_incident(connection, incident_events.c.incident_id, ids, of)


def _words(connection: Connection, ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """What people say of these incidents, the last word of each, by incident."""

    def of(some: ColumnElement[bool]) -> Select[Any]:
        last = select(func.max(feedback.c.id)).where(some).group_by(feedback.c.incident_id, feedback.c.actor)
        return select(feedback).where(feedback.c.id.in_(last)).order_by(feedback.c.id)

    return _by_incident(connection, feedback.c.incident_id, ids, of)


def _by_incident(
    connection: Connection,
    column: ColumnElement[Any],
    ids: Sequence[str],
    query: Callable[[ColumnElement[bool]], Select[Any]],
) -> dict[str, list[Row[Any]]]:
    found: dict[str, list[Row[Any]]] = {}
    for some in chunks(ids):
        for row in connection.execute(query(is_in(column, some, dialect_of(connection)))):
            found.setdefault(row.incident_id, []).append(row)
    return found


def _case(row: Row[Any], events: Sequence[Row[Any]], words: Sequence[Row[Any]]) -> Case:
    opened: Mapping[str, Any] = next((event.data for event in events if event.kind == "opened"), {})
    return Case(
        incident_id=row.id,
        brand=row.slug,
        time_zone=row.time_zone,
        cause=row.cause,
        why=str(opened.get("why") or opened.get("code") or ""),
        policy_id=row.policy_id,
        severity=row.severity,
        opened_at=row.opened_at,
        acknowledged_at=row.acknowledged_at,
        score=row.peak_score,
        volume_score=row.volume_score,
        pages=tuple(Page(event.at, _severity(event.data, row.severity)) for event in events),
        words=tuple(_feedback(word) for word in words),
    )


def _severity(data: Any, now: Severity) -> Severity:
    """That of the event; events of an older version have none, and are as severe as the incident became."""
    said = data.get("severity")
    return said if said in ("notice", "warning", "critical") else now


def _feedback(row: Row[Any], *, in_force: bool = True) -> Feedback:
    return Feedback(row.incident_id, row.actor, row.at, row.useful, row.note, in_force)
