"""How much is said about a brand: counts per bin and label, kept at write time, and how much of it we could hear."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select

from app.storage.database import Database, insert_rows
from app.storage.records import CoverageRow, VolumeRow
from app.tables import LABEL_NAMES, coverage, to_ms, volumes

WIDTHS_S = (300, 3600)  # for the detector, for charts

_KEY = ("brand_id", "width_s", "bin", "label")
_COUNTS = ("stories", "copies", "backfill_stories", "backfill_copies", "sum_score")
_ADD = f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET " + ", ".join(
    f"{count} = volumes.{count} + excluded.{count}" for count in _COUNTS
)
_REPLACE = "ON CONFLICT (brand_id, bin) DO UPDATE SET fresh = excluded.fresh, total = excluded.total"


class Volumes:
    def __init__(self, database: Database) -> None:
        self._database = database

    def series(self, brand_id: int, start: datetime, end: datetime, width_s: int) -> list[VolumeRow]:
        """The bins that start in [start, end), oldest first; empty bins have no row. `width_s` is 300 or 3600."""
        if width_s not in WIDTHS_S:
            raise ValueError(f"volumes are kept in bins of {WIDTHS_S} seconds, not {width_s}")
        query = (
            select(volumes.c.bin, volumes.c.label, *(volumes.c[name] for name in _COUNTS))
            .where(volumes.c.brand_id == brand_id, volumes.c.width_s == width_s)
            .where(volumes.c.bin >= start, volumes.c.bin < end)
            .order_by(volumes.c.bin, volumes.c.label)
        )
        with self._database.read() as connection:
            return [VolumeRow(at, LABEL_NAMES[label], *counts) for at, label, *counts in connection.execute(query)]

    def coverage(self, brand_id: int, start: datetime, end: datetime) -> list[CoverageRow]:
        """The 300 s bins that start in [start, end), oldest first; a bin that was never judged has no row."""
        query = (
            select(coverage.c.bin, coverage.c.fresh, coverage.c.total)
            .where(coverage.c.brand_id == brand_id, coverage.c.bin >= start, coverage.c.bin < end)
            .order_by(coverage.c.bin)
        )
        with self._database.read() as connection:
            return [CoverageRow(*row) for row in connection.execute(query)]


@dataclass(slots=True)
class Tally:
    """What one batch of new mentions adds to the volumes."""

    counts: dict[tuple[int, int, int, int], list[float]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0, 0, 0, 0.0])
    )

    def add(
        self, brand_id: int, published_ms: int, label: int, score: float | None, *, copy: bool, backfill: bool
    ) -> None:
        for width_s in WIDTHS_S:
            row = self.counts[brand_id, width_s, published_ms - published_ms % (width_s * 1000), label]
            row[2 * backfill + copy] += 1
            if not copy:
                row[4] += score or 0.0

    @property
    def mentions(self) -> Counter[int]:
        """New mentions by brand id."""
        brands: Counter[int] = Counter()
        for (brand_id, width_s, _, _), counts in self.counts.items():
            if width_s == WIDTHS_S[0]:
                brands[brand_id] += int(sum(counts[:4]))
        return brands


def add(connection: Connection, tally: Tally) -> None:
    rows = [(*key, *map(int, counts[:4]), float(counts[4])) for key, counts in sorted(tally.counts.items())]
    insert_rows(connection, volumes, (*_KEY, *_COUNTS), rows, conflict=_ADD)


def put_coverage(connection: Connection, brand_id: int, rows: list[CoverageRow]) -> None:
    values = [(brand_id, to_ms(row.bin), row.fresh, row.total) for row in rows]
    insert_rows(connection, coverage, ("brand_id", "bin", "fresh", "total"), values, conflict=_REPLACE)
