"""The answers that are kept for who asks again, on SQLite and on PostgreSQL."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from app.storage import Conflict, Storage

World = Any
BODY, OTHER = b"0" * 16, b"1" * 16


def test_a_key_is_under_way_until_it_is_answered(storage: Storage, world: World, now: datetime) -> None:
    source = world.source()
    assert storage.submissions.begin(source.id, "a", BODY, now) is None
    assert storage.submissions.begin(source.id, "a", BODY, now) is None
    storage.submissions.finish(source.id, "a", {"stored": 1})
    assert storage.submissions.begin(source.id, "a", BODY, now) == {"stored": 1}


def test_of_two_that_worked_at_once_the_first_answer_stands(storage: Storage, world: World, now: datetime) -> None:
    source = world.source()
    storage.submissions.begin(source.id, "a", BODY, now)
    assert storage.submissions.finish(source.id, "a", {"stored": 1}) == {"stored": 1}
    assert storage.submissions.finish(source.id, "a", {"known": 1}) == {"stored": 1}
    assert storage.submissions.begin(source.id, "a", BODY, now) == {"stored": 1}


def test_another_body_under_the_same_key_is_a_conflict_even_while_it_is_under_way(
    storage: Storage, world: World, now: datetime
) -> None:
    source = world.source()
    storage.submissions.begin(source.id, "a", BODY, now)
    with pytest.raises(Conflict):
        storage.submissions.begin(source.id, "a", OTHER, now)


def test_keys_are_kept_for_seven_days_each_sources_apart(storage: Storage, world: World, now: datetime) -> None:
    one, other = world.source("uno"), world.source("dos")
    storage.submissions.begin(one.id, "a", BODY, now)
    assert storage.submissions.begin(other.id, "a", OTHER, now) is None
    with pytest.raises(Conflict):
        storage.submissions.begin(one.id, "a", OTHER, now + timedelta(days=7))
    assert storage.submissions.begin(one.id, "a", OTHER, now + timedelta(days=7, seconds=1)) is None


def test_what_was_heard_of_posts_is_told_by_their_keys(storage: Storage, world: World, now: datetime) -> None:
    acme, boreal = world.brand(), world.brand("boreal")
    item, silent = world.item("1", {boreal: "negative", acme: "positive"}), world.item("2")
    world.collect(world.source(), item, silent)
    heard = storage.submissions.heard([item.dedupe_key, silent.dedupe_key, b"9" * 16])
    assert {key: mentions for key, (_, mentions) in heard.items()} == {
        item.dedupe_key: (("acme", "positive"), ("boreal", "negative")),
        silent.dedupe_key: (),
    }
