"""What counts as heard: the coverage of a brand's bins, from its sources as they are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.model import Brand
from app.pipeline.volumes import BIN, coverage_since
from collectors.base import Source

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
BRAND = Brand(1, "lumbre", "Lumbre", "lumbre")
DAY = timedelta(days=1)
FEED = Source(1, "correo", "Correo", "rss", created_at=NOON - DAY, first_ok_at=NOON - DAY, last_ok_at=NOON)
DEAD = replace(FEED, last_ok_at=NOON - DAY)
FROZEN = replace(FEED, cadence_s=3600, last_item_at=NOON - 2 * DAY)
SEARCH = replace(FROZEN, kind="hackernews", cursor={"marks": {}})
INBOX = replace(FEED, kind="inbox", last_ok_at=None)


@pytest.mark.parametrize(
    ("sources", "fresh", "total"),
    [
        ([FEED, FEED], 2, 2),
        ([FEED, DEAD], 1, 2),
        ([FEED, FROZEN], 1, 2),  # a window that shows the same for days may be a frozen copy
        ([FEED, SEARCH], 2, 2),  # a search said that there is nothing newer
        ([FEED, INBOX], 1, 1),
        ([DEAD, INBOX], 0, 1),  # what is told does not make up for what is not heard
        ([INBOX], 1, 1),  # a brand that is only told is told all that there is
        ([replace(INBOX, enabled=False)], 0, 0),
        ([FEED, replace(DEAD, enabled=False), replace(DEAD, brands=("brezo",))], 1, 1),
        ([], 0, 0),
    ],
)
def test_coverage_is_of_what_is_asked(sources: list[Source], fresh: int, total: int) -> None:
    (row,) = coverage_since(BRAND, sources, NOON - BIN, NOON - DAY, NOON, NOON)
    assert (row.bin, row.fresh, row.total) == (NOON - BIN, fresh, total)


def test_what_went_by_unwatched_is_covered_by_nobody() -> None:
    rows = coverage_since(BRAND, [FEED], NOON - 6 * BIN, NOON - DAY, NOON, NOON)
    assert [row.fresh for row in rows] == [0, 0, 1, 1, 1, 1]
