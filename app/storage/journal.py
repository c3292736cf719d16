"""What the detector was shown, and when: history by the time we knew each thing, for who wants to check a verdict.

A verdict is written with the bins whose counts were others than it had been shown before. So the counts at any moment
are those of all lines up to then; with a kept memory to begin from, every verdict can be had again, bit for bit.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, case, func, insert, select, type_coerce

from alerts.detect.voices import Excluded
from app.storage.database import Database, insert_rows, to_json
from app.storage.records import Sighting, Verdict
from app.tables import LABEL_CODES, from_ms, memories, mentions, sightings, to_ms, verdicts

DAY = timedelta(days=1)
BIN_MS = 300_000
_SIGHTING = ("brand_id", "at", "bin", "negative", "total", "unknown")
_VERDICT = ("brand_id", "at", "through", "known", "verdict", "reason", "score", "excluded")
_AGAIN = "ON CONFLICT DO NOTHING"  # a clock that was set back: the first to speak of a moment is believed


class Journal:
    def __init__(self, database: Database) -> None:
        self._database = database

    def began(self, brand_id: int) -> datetime | None:
        """When the journal of this brand begins."""
        query = select(memories.c.at).where(memories.c.brand_id == brand_id).order_by(memories.c.at).limit(1)
        with self._database.read() as connection:
            found: datetime | None = connection.execute(query).scalar()
            return found

    def memory_before(self, brand_id: int, at: datetime) -> tuple[datetime, bytes] | None:
        """The last memory that was kept at `at` or before, with the time of the verdict that left it."""
        query = (
            select(memories.c.at, memories.c.memory)
            .where(memories.c.brand_id == brand_id, memories.c.at <= at)
            .order_by(memories.c.at.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
            return None if row is None else (row.at, bytes(row.memory))

    def memory_at(self, brand_id: int, at: datetime) -> bytes | None:
        """The memory that the verdict of `at` left, where it was kept."""
        query = select(memories.c.memory).where(memories.c.brand_id == brand_id, memories.c.at == at)
        with self._database.read() as connection:
            found = connection.execute(query).scalar()
            return None if found is None else bytes(found)

    def taught(
        self, brand_id: int, start: datetime, end: datetime, known: int
    ) -> dict[datetime, tuple[int, int, int, int]]:
        """(negative, of known tone, the same two with history) of each bin of 300 s in [start, end), as far as it was
        stored when post `known` was the newest. Bins without a story are left out; labels are those of now.
        """
        at = type_coerce(mentions.c.published_at, BigInteger)
        bin = (at - at % BIN_MS).label("bin")
        negative = case((mentions.c.label == LABEL_CODES["negative"], 1), else_=0)
        live = case((mentions.c.backfill, 0), else_=1)
        query = (
            select(bin, func.sum(negative * live).label("negative"), func.sum(live).label("total"))
            .add_columns(func.sum(negative).label("past_negative"), func.count().label("past_total"))
            .where(mentions.c.brand_id == brand_id, mentions.c.post_id <= known, ~mentions.c.copy)
            .where(mentions.c.published_at >= start, mentions.c.published_at < end)
            .where(mentions.c.label != LABEL_CODES["unknown"])
            .group_by("bin")
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {
            from_ms(row.bin): (int(row.negative), int(row.total), int(row.past_negative), int(row.past_total))
            for row in rows
        }

    def verdicts(self, brand_id: int, since: datetime, until: datetime) -> Iterator[Verdict]:
        """The verdicts of (since, until], oldest first, a day at a time."""
        first = since
        while first < until:
            last = min(first + DAY, until)
            yield from self._verdicts(brand_id, first, last)
            first = last

    def _verdicts(self, brand_id: int, since: datetime, until: datetime) -> list[Verdict]:
        of_brand = verdicts.c.brand_id == brand_id
        spoken = select(verdicts).where(of_brand, verdicts.c.at > since, verdicts.c.at <= until)
        shown = select(sightings).where(
            sightings.c.brand_id == brand_id, sightings.c.at > since, sightings.c.at <= until
        )
        with self._database.read() as connection:
            seen: dict[datetime, list[Sighting]] = {}
            for row in connection.execute(shown.order_by(sightings.c.at, sightings.c.bin)):
                seen.setdefault(row.at, []).append(_sighting(row))
            return [_verdict(row, seen.get(row.at, [])) for row in connection.execute(spoken.order_by(verdicts.c.at))]


def write(connection: Connection, brand_id: int, verdict: Verdict) -> None:
    at = to_ms(verdict.at)
    excluded = [(one.post_id, to_ms(one.at), one.label, one.why) for one in verdict.excluded]
    line = (to_ms(verdict.through), verdict.known, verdict.verdict, verdict.reason, verdict.score)
    row = (brand_id, at, *line, to_json(excluded) if excluded else None)
    insert_rows(connection, verdicts, _VERDICT, [row], conflict=_AGAIN)
    bins = [(brand_id, at, to_ms(one.bin), one.negative, one.total, one.unknown) for one in verdict.sightings]
    insert_rows(connection, sightings, _SIGHTING, bins, conflict=_AGAIN)


def keep(connection: Connection, brand_id: int, at: datetime, memory: bytes) -> None:
    if connection.execute(select(memories.c.at).where(memories.c.brand_id == brand_id, memories.c.at == at)).first():
        return
    connection.execute(insert(memories).values(brand_id=brand_id, at=at, memory=memory))


def _sighting(row: Row[Any]) -> Sighting:
    return Sighting(row.bin, row.negative, row.total, row.unknown)


def _verdict(row: Row[Any], seen: Sequence[Sighting]) -> Verdict:
    excluded = tuple(Excluded(post, from_ms(at), label, why) for post, at, label, why in row.excluded or ())
    return Verdict(row.at, row.through, row.known, row.verdict, row.reason, row.score, excluded, tuple(seen))
