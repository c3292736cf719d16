"""What the detector is shown: stored counts and coverage on the regular grid that it reads."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from alerts.spike import BIN_S, Volume
from app.model import Brand
from app.storage.records import CoverageRow, VolumeRow
from collectors.base import Source
from collectors.due import counts, fresh

BIN = timedelta(seconds=BIN_S)
EPOCH = datetime.fromtimestamp(0, UTC)
WATCHED = 3 * BIN  # a bin that closed longer ago went by unwatched: the service was down


def on_grid(at: datetime) -> datetime:
    """When the bin began that this instant is in."""
    return at - (at - EPOCH) % BIN


def coverage_since(
    brand: Brand,
    sources: Sequence[Source],
    since: datetime | None,
    start: datetime,
    through: datetime,
    now: datetime,
) -> list[CoverageRow]:
    """The coverage of the bins that closed since the last verdict. Where nobody watched, nothing is known: 0.

    A brand with inboxes only is told all that there is: what nobody tells is not missed.
    """
    mine = [s for s in sources if s.enabled and (not s.brands or brand.slug in s.brands)]
    asked = [source for source in mine if counts(source)]
    alive, total = (sum(fresh(s, now) for s in asked), len(asked)) if asked else (bool(mine), bool(mine))
    first = through - BIN if since is None else max(since, start)
    bins = [first + i * BIN for i in range((through - first) // BIN)]
    return [CoverageRow(bin, int(alive) if now - bin - BIN <= WATCHED else 0, int(total)) for bin in bins]


def volume_of(start: datetime, through: datetime, rows: Sequence[VolumeRow], covered: Sequence[CoverageRow]) -> Volume:
    """Rows on the regular grid that `detect` reads. Where no coverage is on record it is 0: nobody knows."""
    size = (through - start) // BIN
    series = {name: [0] * size for name in ("negative", "total", "unknown", "past_negative", "past_total")}
    for row in rows:
        index = (row.bin - start) // BIN
        if row.label == "unknown":
            series["unknown"][index] += row.stories
            continue
        series["total"][index] += row.stories
        series["past_total"][index] += row.stories + row.backfill_stories
        if row.label == "negative":
            series["negative"][index] += row.stories
            series["past_negative"][index] += row.stories + row.backfill_stories
    coverage = [0.0] * size
    for seen in covered:
        coverage[(seen.bin - start) // BIN] = seen.fresh / seen.total if seen.total else 0.0
    return Volume(start=start, coverage=coverage, **series)
