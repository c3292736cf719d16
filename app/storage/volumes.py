"""How much is said about a brand: counts per bin and label, kept at write time, and how much of it we could hear."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from app.model import Correction, Sentiment
from app.storage.database import Database, insert_rows
from app.storage.records import CoverageRow, VolumeRow
from app.tables import LABEL_CODES, LABEL_NAMES, MILLION, coverage, to_ms, volumes

WIDTHS_S = (300, 3600)  # for the detector, for charts

_KEY = ("brand_id", "width_s", "bin", "label")
_MENTIONS = ("stories", "copies", "backfill_stories", "backfill_copies")
_EXPECTED = ("negative", "neutral", "positive")
_COUNTS = (*_MENTIONS, *_EXPECTED)
_ADD = (
    f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET "
    + ", ".join(f"{count} = volumes.{count} + excluded.{count}" for count in _COUNTS)
    + ", restated_at = coalesce(excluded.restated_at, volumes.restated_at)"
)
_REPLACE = "ON CONFLICT (brand_id, bin) DO UPDATE SET fresh = excluded.fresh, total = excluded.total"


class Volumes:
    def __init__(self, database: Database) -> None:
        self._database = database

    def series(self, brand_id: int, start: datetime, end: datetime, width_s: int) -> list[VolumeRow]:
        """The bins that start in [start, end), oldest first. `width_s` is 300 or 3600.

        A bin with nothing in it has no row, or one that says when what was counted there went elsewhere.
        """
        if width_s not in WIDTHS_S:
            raise ValueError(f"volumes are kept in bins of {WIDTHS_S} seconds, not {width_s}")
        query: Select[Any] = (
            select(volumes.c.bin, volumes.c.label, *(volumes.c[name] for name in _COUNTS), volumes.c.restated_at)
            .where(volumes.c.brand_id == brand_id, volumes.c.width_s == width_s)
            .where(volumes.c.bin >= start, volumes.c.bin < end)
            .order_by(volumes.c.bin, volumes.c.label)
        )
        with self._database.read() as connection:
            return [_volume(row) for row in connection.execute(query)]

    def coverage(self, brand_id: int, start: datetime, end: datetime) -> list[CoverageRow]:
        """The 300 s bins that start in [start, end), oldest first; a bin that was never judged has no row."""
        query = (
            select(coverage.c.bin, coverage.c.fresh, coverage.c.total)
            .where(coverage.c.brand_id == brand_id, coverage.c.bin >= start, coverage.c.bin < end)
            .order_by(coverage.c.bin)
        )
        with self._database.read() as connection:
            return [CoverageRow(*row) for row in connection.execute(query)]


def _volume(row: Row[Any]) -> VolumeRow:
    counts = {name: row._mapping[name] for name in _MENTIONS}
    expected = {name: row._mapping[name] / MILLION for name in _EXPECTED}
    return VolumeRow(row.bin, LABEL_NAMES[row.label], **counts, **expected, restated_at=row.restated_at)


@dataclass(slots=True)
class Tally:
    """What one batch of mentions adds to the volumes. Whole numbers only: what was added can be taken away again."""

    counts: dict[tuple[int, int, int, int], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0] * len(_COUNTS))
    )

    def add(
        self,
        brand_id: int,
        published_ms: int,
        sentiment: Sentiment,
        correction: Correction | None,
        *,
        copy: bool,
        backfill: bool,
        times: int = 1,
    ) -> None:
        """`times` -1: this is not said any more."""
        label = LABEL_CODES[sentiment.label if correction is None else correction.label]
        expected = (0, 0, 0) if copy else expected_millionths(sentiment, correction)
        for width_s in WIDTHS_S:
            row = self.counts[brand_id, width_s, published_ms - published_ms % (width_s * 1000), label]
            row[2 * backfill + copy] += times
            for place, part in enumerate(expected, start=len(_MENTIONS)):
                row[place] += times * part

    @property
    def mentions(self) -> Counter[int]:
        """New mentions by brand id."""
        brands: Counter[int] = Counter()
        for (brand_id, width_s, _, _), counts in self.counts.items():
            if width_s == WIDTHS_S[0]:
                brands[brand_id] += sum(counts[: len(_MENTIONS)])
        return brands


def expected_millionths(sentiment: Sentiment, correction: Correction | None) -> tuple[int, int, int]:
    """How much of a negative, a neutral, a positive story this one is expected to be; of an unknown tone nothing is."""
    label = sentiment.label if correction is None else correction.label
    if label == "unknown":
        return 0, 0, 0
    if correction is None and sentiment.probabilities is not None:
        negative, neutral, positive = sentiment.probabilities
        return round(negative * MILLION), round(neutral * MILLION), round(positive * MILLION)
    return MILLION * (label == "negative"), MILLION * (label == "neutral"), MILLION * (label == "positive")


def add(connection: Connection, tally: Tally, *, restated_at: datetime | None = None) -> None:
    """`restated_at`: what is added and taken away was counted before, and its tone changed just now."""
    at = None if restated_at is None else to_ms(restated_at)
    # In the order of their keys, so that two transactions never wait for each other.
    rows = [(*key, *counts, at) for key, counts in sorted(tally.counts.items()) if any(counts)]
    insert_rows(connection, volumes, (*_KEY, *_COUNTS, "restated_at"), rows, conflict=_ADD)


def put_coverage(connection: Connection, brand_id: int, rows: list[CoverageRow]) -> None:
    values = [(brand_id, to_ms(row.bin), row.fresh, row.total) for row in rows]
    insert_rows(connection, coverage, ("brand_id", "bin", "fresh", "total"), values, conflict=_REPLACE)
