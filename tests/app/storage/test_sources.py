"""Whose turn it is: claims, leases, politeness and clocks that are set back."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.storage import LeaseLost
from app.storage.records import Archive, Failure, PutSource
from collectors import COLLECTORS

World = Any
MINUTE = timedelta(minutes=1)


def claimed(world: World, now: datetime, owner: str = "walk", limit: int = 100, **options: Any) -> list[str]:
    return [source.slug for source in world.storage.sources.claim_due(now, limit, owner, **options)]


def failure(world: World, slug: str, owner: str = "walk", **fields: Any) -> Failure:
    source = world.storage.sources.get(slug)
    return Failure(
        source.id, owner, "http_500", "the server answered 500", world.now + 30 * MINUTE, "failing", **fields
    )


def test_a_new_source_is_due_at_once_and_then_not_until_its_time(world: World) -> None:
    source = world.source()
    assert source.first_run
    world.collect(source)
    assert claimed(world, world.now + 14 * MINUTE) == []
    assert claimed(world, world.now + 15 * MINUTE) == ["diario"]


def test_at_another_host_it_is_another_one_and_its_items_are_others(world: World) -> None:
    names = [
        COLLECTORS["rss"].namespace(world.source(url=url))
        for url in ("http://uno.example/a", "https://uno.example/b", "https://dos.example/b", "https://uno.example/b")
    ]
    assert names == ["rss:diario", "rss:diario", "rss:diario:1", "rss:diario:2"]


def test_what_was_paid_for_outlives_a_change_of_settings_and_nothing_else_does(world: World) -> None:
    x = {"kind": "x", "url": None, "secret": "bearer"}
    source = world.source("x", settings={"monthly_reads": 3_000}, **x)
    world.storage.sources.claim_due(world.now, 100, "walk")
    paid = {"month": "2026-11", "reads": 2_990}
    batch = replace(world.batch(source), cursor={**paid, "marks": {"lumbre": 7}})
    world.storage.posts.store(batch, world.now)
    assert world.source("x", settings={"monthly_reads": 4_000}, **x).cursor == paid
    assert world.source("x", kind="hackernews", url=None).cursor == {}


def test_a_claimed_source_is_nobody_elses_until_its_lease_ends(world: World) -> None:
    world.source()
    assert claimed(world, world.now, "first") == ["diario"]
    assert claimed(world, world.now + timedelta(seconds=59), "second") == []
    assert claimed(world, world.now + timedelta(seconds=60), "second") == ["diario"]


def test_the_longest_overdue_come_first(world: World) -> None:
    for minutes, slug in enumerate(("tres", "uno", "dos")):
        world.source(slug)
        world.storage.sources.poll_now(slug, world.now - minutes * MINUTE)
    assert claimed(world, world.now, limit=2) == ["dos", "uno"]


def test_a_host_is_asked_by_so_many_at_a_time(world: World) -> None:
    for number in range(5):
        world.source(f"a{number}", url=f"https://One.example:8443/{number}")
    world.source("other", url="https://two.example/feed")
    world.source("hn", kind="hackernews", url=None)

    assert claimed(world, world.now, per_host=2) == ["a0", "a1", "other", "hn"]
    assert claimed(world, world.now, per_host=2) == []
    assert claimed(world, world.now, per_host=3) == ["a2"]
    world.storage.sources.fail(failure(world, "a0"), world.now)
    world.storage.sources.fail(failure(world, "a1"), world.now)
    assert claimed(world, world.now, per_host=2) == ["a3"]
    assert claimed(world, world.now + 2 * MINUTE, per_host=2, limit=1) == ["a2"], "leases that ended count no more"


def test_disabled_and_archived_sources_are_never_asked(world: World) -> None:
    world.source("off", enabled=False)
    world.source("gone")
    world.storage.apply([Archive("source", "gone")], world.now)
    world.source("on")
    assert claimed(world, world.now) == ["on"]


@pytest.mark.parametrize("back", [timedelta(minutes=30), timedelta(hours=1), timedelta(days=400)])
def test_a_clock_that_steps_back_does_not_stop_polling(world: World, back: timedelta) -> None:
    world.collect(world.source())
    assert claimed(world, world.now) == [], "control: not due yet"
    assert claimed(world, world.now - back) == ["diario"]


def test_a_lease_from_before_the_clock_stepped_back_ends(world: World) -> None:
    world.source()
    assert claimed(world, world.now) == ["diario"]
    assert claimed(world, world.now - timedelta(seconds=30)) == [], "control: two machines' clocks differ a little"
    assert claimed(world, world.now - timedelta(hours=1)) == ["diario"]


def test_a_long_wait_that_was_meant_is_no_step_of_the_clock(world: World) -> None:
    world.source(interval_s=60)
    claimed(world, world.now)
    world.storage.sources.fail(replace(failure(world, "diario"), next_due_at=world.now + timedelta(hours=6)), world.now)
    assert claimed(world, world.now + timedelta(hours=5)) == []
    assert claimed(world, world.now + timedelta(hours=6)) == ["diario"]


def test_a_failure_is_written_down_and_the_next_visit_planned(world: World) -> None:
    world.collect(world.source())
    world.storage.sources.poll_now("diario", world.now)
    for count in (1, 2):
        claimed(world, world.now + count * timedelta(hours=1))
        world.storage.sources.fail(
            replace(failure(world, "diario"), next_due_at=world.now + count * timedelta(hours=1)), world.now
        )
        source = world.storage.sources.get("diario")
        assert (source.state, source.fail_count) == ("failing", count)
    assert (source.last_error, source.last_error_at) == ("http_500: the server answered 500", world.now)
    assert (source.etag, source.cursor, source.last_ok_at) == ('"abc"', {"page": 1}, world.now)
    world.collect(source)
    after = world.storage.sources.get("diario")
    assert (after.state, after.fail_count, after.last_error, after.last_error_at) == ("ok", 0, None, None)


def test_only_the_holder_of_the_lease_can_fail_it(world: World) -> None:
    world.source()
    claimed(world, world.now, "first")
    with pytest.raises(LeaseLost):
        world.storage.sources.fail(failure(world, "diario", "second"), world.now)
    assert world.storage.sources.get("diario").fail_count == 0
    world.storage.sources.fail(failure(world, "diario", "first"), world.now)
    with pytest.raises(LeaseLost):
        world.storage.sources.fail(failure(world, "diario", "first"), world.now)


def test_a_source_that_cannot_work_stops_until_a_person_looks(world: World) -> None:
    world.source()
    claimed(world, world.now)
    world.storage.sources.fail(failure(world, "diario", disable=True), world.now)
    source = world.storage.sources.get("diario")
    assert (source.state, source.enabled) == ("disabled", True), "the operator's wish stands, and coverage misses it"
    assert claimed(world, world.now + timedelta(days=1)) == []

    assert world.storage.sources.poll_now("diario", world.now)
    assert claimed(world, world.now) == ["diario"]
    world.storage.sources.fail(failure(world, "diario", disable=True), world.now)
    world.storage.apply([PutSource(source)], world.now)
    assert claimed(world, world.now) == ["diario"], "putting it again is looking at it, too"


def test_poll_now_makes_a_source_due(world: World) -> None:
    world.collect(world.source())
    assert claimed(world, world.now) == []
    assert world.storage.sources.poll_now("diario", world.now)
    assert claimed(world, world.now) == ["diario"]
    assert not world.storage.sources.poll_now("nobody", world.now)
    world.storage.apply([Archive("source", "diario")], world.now)
    assert not world.storage.sources.poll_now("diario", world.now)


def test_nothing_due_is_an_empty_list(world: World) -> None:
    assert claimed(world, world.now) == []
    world.source()
    assert claimed(world, world.now, limit=0) == []


def test_a_quota_is_shared_by_the_sources_that_are_asked(world: World) -> None:
    for slug in ("a", "b", "gone", "stopped"):
        world.source(slug, kind="hackernews", url=None)
    world.source("off", kind="hackernews", url=None, enabled=False)
    world.source("other")
    world.storage.apply([Archive("source", "gone")], world.now)
    claimed(world, world.now, per_host=9)
    world.storage.sources.fail(failure(world, "stopped", disable=True), world.now)
    assert world.storage.sources.sharers({"hackernews", "nothing"}) == {"hackernews": 2}
    assert world.storage.sources.sharers(()) == {}


def test_it_knows_who_is_asked_at_an_address(world: World) -> None:
    here, there = "https://diario.example/feed", "https://www.diario.example/feed"
    diario = world.source("diario", url=here)
    assert world.storage.sources.at(here, but=0) == "diario"
    assert world.storage.sources.at(here, but=diario.id) is None
    for seen, found in ((2, None), (3, "diario")):
        world.storage.sources.poll_now("diario", world.now)
        claimed(world, world.now)
        world.storage.posts.store(world.batch(diario, moved_seen=seen, moved_to=there), world.now)
        assert world.storage.sources.at(there, but=0) == found
    world.storage.apply([Archive("source", "diario")], world.now)
    assert world.storage.sources.at(here, but=0) is None


def test_what_a_visit_learned_of_its_source_is_kept(world: World) -> None:
    diario = world.source()
    claimed(world, world.now)
    learned = {"moved_seen": 1, "moved_to": "https://www.diario.example/feed", "cadence_s": 5400}
    world.storage.posts.store(world.batch(diario, overrun=True, **learned), world.now)
    kept = world.storage.sources.get("diario")
    assert {name: getattr(kept, name) for name in learned} == learned
    assert kept.overrun_at == world.now
    world.source(url="https://otro.example/feed")
    anew = world.storage.sources.get("diario")
    assert (anew.moved_seen, anew.moved_to, anew.cadence_s, anew.overrun_at) == (0, None, None, None)
