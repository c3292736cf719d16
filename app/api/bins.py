"""From stored counts to the bins that a person or a dashboard reads. Pure.

    since, until, width, zone -> edges -> rows sorted into them, with the coverage of each -> Bins

Days are the brand's own: 23 or 25 hours long when its clocks change. Every bin is there, also where nothing was said.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from app.model import Label
from app.storage.records import CoverageRow, VolumeRow

Width = Literal["300", "3600", "day"]

TONES: tuple[Label, ...] = ("negative", "neutral", "positive")
"""The labels that have a probability, in the order of `Sentiment.probabilities`."""
FINE = timedelta(seconds=300)
"""The detector's bin: coverage is written once for each."""
SETTLED = FINE
"""How long after its end a bin may wait for its coverage row, before the lack of one counts as nobody listening."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
STEPS: Mapping[Width, timedelta] = {"300": FINE, "3600": timedelta(hours=1), "day": DAY}


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin. Counters are by label, `unknown` one of its own; `stories` and `copies` are live, the others history.

    `coverage` is in 0..1, None where nobody can say yet. `open`: it has not ended, or its coverage is still awaited.
    `expected` are sums of the probabilities of its stories, live and history. `restated_at`: when a label last changed.
    """

    start: datetime
    end: datetime
    open: bool
    coverage: float | None
    stories: Counter[str] = field(default_factory=Counter)
    copies: Counter[str] = field(default_factory=Counter)
    backfill_stories: Counter[str] = field(default_factory=Counter)
    backfill_copies: Counter[str] = field(default_factory=Counter)
    expected: dict[str, float] = field(default_factory=lambda: dict.fromkeys(TONES, 0.0))
    restated_at: datetime | None = None


def edges(width: Width, since: datetime, until: datetime, zone: ZoneInfo) -> list[datetime]:
    """The bins' edges in UTC: the first at or before `since`, the last at or after `until`; n + 1 edges make n bins."""
    return day_edges(since, until, zone) if width == "day" else even_edges(STEPS[width], since, until)


def even_edges(step: timedelta, since: datetime, until: datetime) -> list[datetime]:
    first = EPOCH + (since - EPOCH) // step * step
    count = -((first - until) // step)
    return [first + i * step for i in range(count + 1)]


def day_edges(since: datetime, until: datetime, zone: ZoneInfo) -> list[datetime]:
    """Local midnights. One that the clocks skip is the moment of the skip, as `fold=0` gives it (PEP 495)."""
    day = since.astimezone(zone).date()
    found = [midnight(day, zone)]
    while found[-1] < until:
        day += DAY
        found.append(midnight(day, zone))
    return found


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def stored_width(edges: Sequence[datetime]) -> int:
    """The widest stored bins (seconds) that fit between these edges. A zone of +05:30 has midnights within an hour."""
    return 3600 if all((edge - EPOCH) % timedelta(hours=1) == timedelta(0) for edge in edges) else 300


def fill(
    edges: Sequence[datetime], volumes: Sequence[VolumeRow], coverage: Sequence[CoverageRow], now: datetime
) -> list[Bin]:
    """Sort stored rows into bins. Rows outside the edges are left out."""
    shares = coverages(edges, coverage, now)
    restated = restatements(edges, volumes)
    bins = [
        Bin(start, end, open=end + SETTLED > now, coverage=share, restated_at=instant)
        for start, end, share, instant in zip(edges, edges[1:], shares, restated, strict=False)
    ]
    for row in volumes:
        if (at := place(edges, row.bin)) is not None:
            bins[at].stories[row.label] += row.stories
            bins[at].copies[row.label] += row.copies
            bins[at].backfill_stories[row.label] += row.backfill_stories
            bins[at].backfill_copies[row.label] += row.backfill_copies
            for tone, sum_of_probabilities in zip(TONES, (row.negative, row.neutral, row.positive), strict=True):
                bins[at].expected[tone] += sum_of_probabilities
    return bins


def restatements(edges: Sequence[datetime], rows: Sequence[VolumeRow]) -> list[datetime | None]:
    """When a label in each bin last changed; None where none ever did."""
    last: list[datetime | None] = [None] * (len(edges) - 1)
    for row in rows:
        if row.restated_at is not None and (at := place(edges, row.bin)) is not None:
            last[at] = max(last[at] or row.restated_at, row.restated_at)
    return last


def coverages(edges: Sequence[datetime], rows: Sequence[CoverageRow], now: datetime) -> list[float | None]:
    """The mean share of fresh sources in each bin; None before the first row, when nobody had begun to listen.

    After it, a settled stretch without a row counts as 0: somebody should have listened.
    """
    sums, counts = [0.0] * (len(edges) - 1), [0] * (len(edges) - 1)
    for row in rows:
        if (at := place(edges, row.bin)) is not None:
            sums[at] += row.fresh / row.total if row.total else 0.0
            counts[at] += 1
    first = min((row.bin for row in rows), default=now)
    return [
        total / expected if (expected := max(count, settled(max(start, first), end, now))) else None
        for start, end, total, count in zip(edges, edges[1:], sums, counts, strict=False)
    ]


def settled(start: datetime, end: datetime, now: datetime) -> int:
    """How many fine bins of this stretch should have a coverage row by now."""
    return max(0, (min(end, now - SETTLED) - start) // FINE)


def place(edges: Sequence[datetime], instant: datetime) -> int | None:
    """The index of the bin that holds this instant."""
    at = bisect_right(edges, instant) - 1
    return at if 0 <= at < len(edges) - 1 else None
