"""Volumes over time, and when a brand is to be judged."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from app.model import MentionFilter
from app.storage.records import Archive, CoverageRow, Judged

World = Any
BIN = timedelta(seconds=300)


def judged(brand: Any, through: datetime, **fields: Any) -> Judged:
    return Judged(brand.id, through, **{"spike": {"verdict": "calm"}, "coverage": ()} | fields)


def due(world: World, now: datetime) -> list[str]:
    return [watch.brand.slug for watch in world.storage.watches.due(now)]


def test_a_bin_is_due_a_minute_after_it_closed(world: World) -> None:
    acme = world.brand()
    assert due(world, world.now) == ["acme"], "never judged"
    world.storage.watches.save(judged(acme, world.now), world.now)
    assert due(world, world.now + BIN + timedelta(seconds=59)) == []
    assert due(world, world.now + BIN + timedelta(seconds=60)) == ["acme"]


def test_new_mentions_make_a_brand_due(world: World) -> None:
    acme, _, source = world.brand("acme"), world.brand("zeta"), world.source()
    for watch in world.storage.watches.due(world.now):
        world.storage.watches.save(judged(watch.brand, world.now), world.now)
    assert due(world, world.now) == []
    world.collect(source, world.item("a", {acme: "negative"}))
    assert due(world, world.now) == ["acme"]
    world.collect(source, world.item("a", {acme: "negative"}), world.item("b"))
    world.storage.watches.save(judged(acme, world.now), world.now)
    assert due(world, world.now) == []


def test_mentions_that_arrive_while_the_walk_decides_leave_the_brand_due(world: World) -> None:
    acme, source = world.brand(), world.source()
    [watch] = world.storage.watches.due(world.now)
    world.collect(source, world.item("a", {acme: "negative"}))
    world.storage.watches.save(judged(acme, world.now, revision=watch.revision), world.now)
    [again] = world.storage.watches.due(world.now)
    world.storage.watches.save(judged(acme, world.now, revision=again.revision), world.now)
    assert due(world, world.now) == []


def test_a_clock_that_steps_back_does_not_stop_judging(world: World) -> None:
    acme = world.brand()
    world.storage.watches.save(judged(acme, world.now), world.now)
    assert due(world, world.now) == []
    assert due(world, world.now - timedelta(hours=1)) == ["acme"]


def test_an_archived_brand_is_not_judged(world: World) -> None:
    world.brand()
    world.storage.apply([Archive("brand", "acme")], world.now)
    assert due(world, world.now) == []


def test_a_verdict_is_kept_with_its_numbers(world: World) -> None:
    acme, start = world.brand(), world.now - 2 * BIN
    before = world.storage.watches.get(acme.id)
    assert (before.brand, before.spike, before.evaluated_through) == (acme, None, None)

    rows = [CoverageRow(start, 3, 4), CoverageRow(start + BIN, 0, 4)]
    spike = {"verdict": "warning", "observed": 12, "window_start": start, "samples": [{"kept": True}]}
    world.storage.watches.save(judged(acme, world.now, coverage=rows, spike=spike), world.now + timedelta(seconds=61))

    watch = world.storage.watches.get(acme.id)
    assert (watch.evaluated_through, watch.evaluated_at) == (world.now, world.now + timedelta(seconds=61))
    assert watch.spike == spike | {"window_start": "2026-11-18T11:50:00+00:00"}
    assert world.storage.volumes.coverage(acme.id, start, world.now) == rows
    assert world.storage.volumes.coverage(acme.id, start, start + BIN) == rows[:1]

    better = CoverageRow(start + BIN, 4, 4)
    world.storage.watches.save(judged(acme, world.now, coverage=[better]), world.now)
    assert world.storage.volumes.coverage(acme.id, start, world.now) == [rows[0], better]
    assert world.storage.watches.get(4711) is None


def test_a_series_is_in_order_and_has_no_empty_bins(world: World) -> None:
    acme, zeta, source = world.brand("acme"), world.brand("zeta"), world.source()
    world.collect(
        source,
        world.item("a", {acme: "negative"}, age=timedelta(seconds=1)),
        world.item("b", {acme: "negative"}, age=timedelta(seconds=300)),
        world.item("c", {acme: "positive", zeta: "negative"}, age=timedelta(seconds=301)),
        world.item("d", {acme: "negative"}),
    )
    series = world.storage.volumes.series(acme.id, world.now - timedelta(hours=1), world.now, 300)
    assert [(world.now - row.bin, row.label, row.stories, row.negative, row.positive) for row in series] == [
        (2 * BIN, "positive", 1, 0.0, 1.0),
        (1 * BIN, "negative", 2, 2.0, 0.0),
    ], "a bin holds its start, not its end; the range likewise"
    hourly = world.storage.volumes.series(acme.id, world.now - timedelta(hours=1), world.now, 3600)
    assert [(row.label, row.stories) for row in hourly] == [("negative", 2), ("positive", 1)]
    with pytest.raises(ValueError, match="bins of"):
        world.storage.volumes.series(acme.id, world.now, world.now, 60)


def test_volumes_agree_with_the_mentions_behind_them(world: World) -> None:
    acme, source = world.brand(), world.source()
    for visit in range(3):
        world.collect(
            source,
            *(
                world.item(
                    f"{visit}-{number}",
                    {acme: ("negative", "unknown", "neutral")[number % 3]},
                    story=f"s{number % 5}",
                    age=timedelta(minutes=number * 7),
                    backfill=number % 4 == 0,
                )
                for number in range(20)
            ),
            world.item("0-1", {acme: "negative"}),
        )
    every = world.storage.mentions.page(MentionFilter(), limit=1_000)
    for width_s in (300, 3600):
        rows = world.storage.volumes.series(acme.id, world.now - timedelta(days=1), world.now + BIN, width_s)
        counted = {
            (row.label, copy, backfill): 0 for row in rows for copy in (False, True) for backfill in (False, True)
        }
        for row in rows:
            counted[row.label, False, False] += row.stories
            counted[row.label, True, False] += row.copies
            counted[row.label, False, True] += row.backfill_stories
            counted[row.label, True, True] += row.backfill_copies
        for key, number in counted.items():
            assert number == sum((m.sentiment.label, m.copy, m.backfill) == key for m in every), key
    assert len(every) == 60
