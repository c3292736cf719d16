"""The journal: what the detector was shown and when, read back as it was known at the time."""

from datetime import datetime, timedelta
from typing import Any

from alerts.detect.voices import Excluded
from app.storage.records import Judged, Sighting, Verdict

World = Any
BIN = timedelta(minutes=5)


def shown(world: World, brand: Any, at: datetime, *sightings: Sighting, memory: bytes = b"m", **fields: Any) -> Verdict:
    """A verdict is written, as the watch walk does."""
    verdict = Verdict(at, at - BIN, 7, "calm", "usual", -2.5, sightings=sightings, **fields)
    judged = Judged(brand.id, at, {}, (), memory=memory, verdict=verdict, keep_memory=memory != b"m")
    world.storage.watches.save(judged, at)
    return verdict


def test_a_verdict_is_read_back_with_all_that_it_saw(world: World) -> None:
    acme, zeta = world.brand("acme"), world.brand("zeta")
    seen = Sighting(world.now - BIN, 2, 5, 1)
    out = (Excluded(12, world.now - BIN, "negative", "same_author"),)
    first = shown(world, acme, world.now, seen, excluded=out)
    second = shown(world, acme, world.now + BIN)
    shown(world, zeta, world.now + BIN)
    since, until = world.now - BIN, world.now + BIN
    assert list(world.storage.journal.verdicts(acme.id, since, until)) == [first, second]
    assert list(world.storage.journal.verdicts(acme.id, world.now, until)) == [second], "since is not in it"
    assert list(world.storage.journal.verdicts(acme.id, since, world.now)) == [first], "until is"


def test_a_long_history_is_read_in_order(world: World) -> None:
    acme = world.brand()
    said = [shown(world, acme, world.now + timedelta(hours=9 * step)) for step in range(8)]
    assert list(world.storage.journal.verdicts(acme.id, world.now - BIN, world.now + timedelta(days=9))) == said


def test_of_two_lines_about_one_moment_the_first_stands(world: World) -> None:
    """A clock that was set back lives through the same moment twice."""
    acme = world.brand()
    first = shown(world, acme, world.now, Sighting(world.now - BIN, 1, 1, 0), memory=b"one")
    shown(world, acme, world.now, Sighting(world.now - BIN, 9, 9, 0), memory=b"two")
    assert list(world.storage.journal.verdicts(acme.id, world.now - BIN, world.now)) == [first]
    assert world.storage.journal.memory_before(acme.id, world.now) == (world.now, b"one")


def test_a_replay_begins_from_the_last_memory_before(world: World) -> None:
    acme = world.brand()
    journal = world.storage.journal
    assert (journal.began(acme.id), journal.memory_before(acme.id, world.now)) == (None, None)
    for step, memory in enumerate((b"one", b"m", b"two")):
        shown(world, acme, world.now + step * BIN, memory=memory)
    assert journal.began(acme.id) == world.now
    assert journal.memory_before(acme.id, world.now - BIN) is None
    assert journal.memory_before(acme.id, world.now + BIN) == (world.now, b"one")
    assert journal.memory_before(acme.id, world.now + 2 * BIN) == (world.now + 2 * BIN, b"two")
    assert world.storage.watches.get(acme.id).memory == b"two"
