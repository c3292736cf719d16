"""Volumes: every bin is there, each tone in its column, and coverage beside every figure."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.api.bins import edges, fill, stored_width
from app.api.volumes import VolumesBody
from app.storage.records import CoverageRow, VolumeRow
from tests.app.api.house import NOON, House

MADRID = ZoneInfo("Europe/Madrid")
FINE = timedelta(seconds=300)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def row(
    start: datetime,
    label: str,
    stories: int,
    copies: int = 0,
    old: int = 0,
    old_copies: int = 0,
    *,
    expected: tuple[float, float, float] = (0.0, 0.0, 0.0),
    restated_at: datetime | None = None,
) -> VolumeRow:
    return VolumeRow(start, label, stories, copies, old, old_copies, *expected, restated_at)


def test_bins_reach_around_what_was_asked_for() -> None:
    marks = edges("3600", NOON + timedelta(minutes=10), NOON + timedelta(minutes=61), MADRID)
    assert marks == [NOON, NOON + timedelta(hours=1), NOON + timedelta(hours=2)]
    assert edges("300", NOON, NOON + FINE, MADRID) == [NOON, NOON + FINE]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Madrid", "2026-11-18", 24),
        ("Europe/Madrid", "2026-03-29", 23),
        ("Europe/Madrid", "2026-10-25", 25),
        ("America/Santiago", "2026-09-06", 23),
        ("Asia/Kathmandu", "2026-11-18", 24),
    ],
)
def test_a_day_is_the_brands_own(zone: str, day: str, hours: int) -> None:
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    start, end = edges("day", noon, noon + timedelta(seconds=1), ZoneInfo(zone))
    assert end - start == timedelta(hours=hours)
    assert start.astimezone(ZoneInfo(zone)).date().isoformat() == day


def test_half_hour_zones_are_counted_in_fine_bins() -> None:
    assert stored_width(edges("day", NOON, NOON + timedelta(days=2), MADRID)) == 3600
    assert stored_width(edges("day", NOON, NOON + timedelta(days=2), ZoneInfo("Asia/Kolkata"))) == 300


def test_every_bin_is_there_and_unknown_is_in_no_other_column() -> None:
    marks = edges("3600", NOON, NOON + timedelta(hours=3), MADRID)
    rows = [
        row(NOON, "negative", 2, 1),
        row(NOON, "unknown", 5),
        row(NOON + timedelta(hours=2), "neutral", 1, old=4, old_copies=3),
        row(NOON + timedelta(hours=3), "negative", 99),
    ]
    first, second, third = fill(marks, rows, [], NOON + timedelta(days=1))
    assert (first.stories["negative"], first.stories["unknown"], first.stories["neutral"]) == (2, 5, 0)
    assert first.copies["negative"] == 1
    assert second.stories.total() == 0
    assert (third.stories["neutral"], third.backfill_stories["neutral"], third.backfill_copies["neutral"]) == (1, 4, 3)


def test_probabilities_are_summed_over_all_labels_of_a_bin() -> None:
    marks = edges("3600", NOON, NOON + timedelta(hours=2), MADRID)
    rows = [
        row(NOON, "negative", 2, expected=(1.25, 0.5, 0.25)),
        row(NOON, "positive", 1, expected=(0.25, 0.25, 0.5), restated_at=NOON + timedelta(minutes=7)),
        row(NOON + FINE, "unknown", 3, restated_at=NOON + timedelta(minutes=9)),
    ]
    first, second = fill(marks, rows, [], NOON + timedelta(days=1))
    assert first.expected == {"negative": 1.5, "neutral": 0.75, "positive": 0.75}
    assert first.restated_at == NOON + timedelta(minutes=9)
    assert (second.expected, second.restated_at) == ({"negative": 0.0, "neutral": 0.0, "positive": 0.0}, None)


def covered(start: datetime, *shares: tuple[int, int]) -> list[CoverageRow]:
    return [CoverageRow(start + i * FINE, fresh, total) for i, (fresh, total) in enumerate(shares)]


def test_coverage_is_the_mean_share_of_sources_heard() -> None:
    marks = edges("3600", NOON, NOON + timedelta(hours=1), MADRID)
    (half,) = fill(marks, [], covered(NOON, *[(4, 4)] * 6, *[(0, 4)] * 6), NOON + timedelta(days=1))
    assert half.coverage == 0.5
    (none,) = fill(marks, [], covered(NOON, *[(0, 0)] * 12), NOON + timedelta(days=1))
    assert none.coverage == 0.0


def test_when_nobody_watches_any_more_coverage_falls() -> None:
    marks = edges("3600", NOON, NOON + timedelta(hours=2), MADRID)
    watched_half_an_hour = covered(NOON, *[(4, 4)] * 6)
    first, second = fill(marks, [], watched_half_an_hour, NOON + timedelta(hours=3))
    assert (first.coverage, second.coverage) == (0.5, 0.0)


def test_before_anybody_began_to_watch_coverage_is_not_known() -> None:
    marks = edges("3600", NOON, NOON + timedelta(hours=3), MADRID)
    first, second, third = fill(
        marks, [], covered(NOON + timedelta(minutes=90), *[(1, 1)] * 18), NOON + timedelta(days=1)
    )
    assert (first.coverage, second.coverage, third.coverage) == (None, 1.0, 1.0)
    assert [b.coverage for b in fill(marks, [], [], NOON + timedelta(days=1))] == [None, None, None]


def test_what_is_still_going_on_is_open_and_not_blamed() -> None:
    now = NOON + timedelta(minutes=32)
    marks = edges("3600", NOON - timedelta(hours=1), now, MADRID)
    over, going_on = fill(marks, [], covered(NOON - timedelta(hours=1), *[(1, 1)] * 17), now)
    assert (over.open, going_on.open) == (False, True)
    assert going_on.coverage == 1.0


def test_it_answers_in_the_brands_days(house: House) -> None:
    brand = house.brand("aurora", time_zone="Europe/Madrid")
    source = house.source("diario")
    late = house.item("late", {brand: "negative"}, age=timedelta(hours=12, minutes=30))  # 00:30 of the 18th in Madrid
    house.hear(source, late, house.item("noon", {brand: "unknown"}))
    answer = house.caller().get("/api/v1/volumes?brand=aurora&width=day&since=2026-11-17T12:00:00Z").json()
    assert answer["time_zone"] == "Europe/Madrid"
    assert [(b["start"], b["stories"]) for b in answer["bins"]] == [
        ("2026-11-16T23:00:00Z", {"negative": 0, "neutral": 0, "positive": 0, "unknown": 0}),
        ("2026-11-17T23:00:00Z", {"negative": 1, "neutral": 0, "positive": 0, "unknown": 1}),
    ]


def test_it_answers_with_coverage_beside_every_bin(house: House) -> None:
    brand = house.brand("aurora")
    house.judge(brand, fresh=1, total=4)
    answer = house.caller().get("/api/v1/volumes?brand=aurora").content
    body = VolumesBody.model_validate_json(answer)
    assert [b.coverage for b in body.bins] == [None] * 23 + [0.25]


def test_copies_and_history_have_their_own_columns(house: House) -> None:
    brand, source = house.brand("aurora"), house.source("diario")
    house.hear(
        source,
        house.item("a", {brand: "negative"}, story="one"),
        house.item("b", {brand: "negative"}, story="one"),
        house.item("c", {brand: "negative"}, backfill=True),
    )
    url = "/api/v1/volumes?brand=aurora&width=300&since=2026-11-18T12:00:00Z&until=2026-11-18T12:05:00Z"
    (only,) = house.caller().get(url).json()["bins"]
    names = ("stories", "copies", "backfill_stories", "backfill_copies")
    assert [only[name]["negative"] for name in names] == [1, 1, 1, 0]


NOW = "/api/v1/volumes?brand=aurora&width=300&since=2026-11-18T12:00:00Z&until=2026-11-18T12:05:00Z"


def test_counts_stand_beside_what_is_expected(house: House) -> None:
    brand, source = house.brand("aurora"), house.source("diario")
    house.hear(
        source,
        house.item("a", {brand: "negative"}, story="one"),
        house.item("b", {brand: "negative"}, story="one"),
        house.item("c", {brand: "positive"}, backfill=True),
        house.item("d", {brand: "unknown"}),
    )
    (only,) = house.caller().get(NOW).json()["bins"]
    assert only["stories"] == {"negative": 1, "neutral": 0, "positive": 0, "unknown": 1}
    assert only["expected"] == {"negative": 0.8, "neutral": 0.4, "positive": 0.8}  # (.7 .2 .1) + (.1 .2 .7)
    assert only["restated_at"] is None


def test_a_persons_word_restates_the_bin_and_says_when(house: House) -> None:
    brand, source = house.brand("aurora"), house.source("diario")
    house.hear(source, house.item("a", {brand: "negative"}))
    caller = house.caller()
    url = f"/api/v1/mentions/aurora/{house.mention('a').post_id}/correction"
    house.now = NOON + timedelta(minutes=20)
    assert caller.put(url, json={"label": "positive"}).status_code == 200
    (only,) = caller.get(NOW).json()["bins"]
    assert only["stories"] == {"negative": 0, "neutral": 0, "positive": 1, "unknown": 0}
    assert only["expected"] == {"negative": 0.0, "neutral": 0.0, "positive": 1.0}
    assert only["restated_at"] == "2026-11-18T12:20:00Z"
    caller.delete(url)
    (only,) = caller.get(NOW).json()["bins"]
    assert (only["stories"]["negative"], only["expected"]["negative"]) == (1, 0.7)


def test_it_answers_304_until_a_figure_changes(house: House) -> None:
    brand, source = house.brand("aurora"), house.source("diario")
    house.hear(source, house.item("a", {brand: "negative"}))
    caller = house.caller()
    house.now = NOON + timedelta(hours=1)
    tag = caller.get(NOW).headers["etag"]
    same = caller.get(NOW, headers={"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    caller.put(f"/api/v1/mentions/aurora/{house.mention('a').post_id}/correction", json={"label": "neutral"})
    assert caller.get(NOW, headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("brand=nobody", 404),
        ("", 422),
        ("brand=aurora&width=60", 422),
        ("brand=aurora&width=300&since=2026-11-01T00:00:00Z", 422),
        ("brand=aurora&since=2026-11-19T00:00:00Z&until=2026-11-18T00:00:00Z", 422),
    ],
)
def test_what_is_wrong_is_said(house: House, query: str, status: int) -> None:
    house.brand("aurora")
    assert house.caller().get(f"/api/v1/volumes?{query}").status_code == status
