"""Subscriptions to hubs, on SQLite and on PostgreSQL: who is asked when, and what a push does."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.storage import Storage
from app.storage.records import Archive, Failure
from app.storage.subscriptions import Subscription
from app.tables import subscriptions
from collectors.base import Source

World = Any
HUB, TOPIC, TOKEN = "https://hub.example/", "https://diario.example/feed", f"{'token':t<43}"
NAMED = ((HUB, TOPIC), TOKEN, "hush-hush")
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def named(storage: Storage, source: Source, now: datetime) -> None:
    storage.subscriptions.name({source.id: NAMED}, now)


def verified(storage: Storage, source: Source, now: datetime) -> None:
    named(storage, source, now)
    storage.subscriptions.claim(now, 5)
    storage.subscriptions.verify(source.id, now + 10 * DAY, now + 7 * DAY)


def visited(storage: Storage, world: World, source: Source, at: datetime) -> None:
    """Asked at `at`, and due in a quarter of an hour."""
    storage.sources.poll_now(source.slug, at)
    storage.sources.claim_due(at, 10, "walk")
    storage.posts.store(world.batch(source, next_due_at=at + 15 * MINUTE), at)


def due_at(storage: Storage, source: Source) -> datetime | None:
    found = storage.sources.get(source.slug)
    assert found is not None
    return found.next_due_at


def of(storage: Storage, source: Source) -> Subscription | None:
    return storage.subscriptions.of([source.id]).get(source.id)


# ── asking ───────────────────────────────────────────────────────────────────


def test_a_hub_is_asked_at_once_and_then_later_and_later(storage: Storage, world: World, now: datetime) -> None:
    named(storage, world.source(), now)
    for hours in (1, 2, 4, 8, 16, 24, 24):
        assert len(storage.subscriptions.claim(now, 5)) == 1
        now += hours * HOUR
        assert storage.subscriptions.claim(now - SECOND, 5) == []


def test_one_that_agreed_is_asked_again_when_it_is_time_to_renew(storage: Storage, world: World, now: datetime) -> None:
    source = world.source()
    verified(storage, source, now)
    assert storage.subscriptions.claim(now + 7 * DAY - SECOND, 5) == []
    (asked,) = storage.subscriptions.claim(now + 7 * DAY, 5)
    assert (asked.source.slug, asked.leave, asked.subscription.state) == ("diario", False, "verified")
    storage.subscriptions.refuse(source.id, "http_503")
    found = of(storage, source)
    assert found is not None
    assert (found.state, found.lease_until) == ("verified", now + 10 * DAY)  # what it promised still holds


def test_the_token_finds_it_and_stands_nowhere_in_the_clear(storage: Storage, world: World, now: datetime) -> None:
    source = world.source()
    named(storage, source, now)
    found = storage.subscriptions.find(TOKEN)
    assert found is not None
    assert (found.source_id, found.token, found.secret) == (source.id, TOKEN, "hush-hush")
    assert storage.subscriptions.find("u" * 43) is None
    assert TOKEN not in repr(found)
    with storage._database.read() as connection:
        row = repr(connection.execute(select(subscriptions)).one())
    assert HUB in row  # the control: what is not secret stands there as it is
    assert TOKEN not in row
    assert "hush-hush" not in row


def test_the_same_hub_named_again_changes_nothing(storage: Storage, world: World, now: datetime) -> None:
    source = world.source()
    verified(storage, source, now)
    storage.subscriptions.name({source.id: ((HUB, TOPIC), "u" * 43, "other")}, now)
    assert storage.subscriptions.find(TOKEN) is not None


def test_a_hub_that_is_named_no_more_is_left_and_the_next_one_asked(
    storage: Storage, world: World, now: datetime
) -> None:
    source = world.source()
    verified(storage, source, now)
    other = (("https://other.example/", TOPIC), "u" * 43, "other")
    storage.subscriptions.name({source.id: other}, now)
    (left,) = storage.subscriptions.claim(now, 5)
    assert (left.leave, left.subscription.hub, left.subscription.token) == (True, HUB, TOKEN)
    assert storage.subscriptions.claim(now + HOUR, 5) == []  # once is enough: it hears 410 whenever it pushes
    assert of(storage, source) is None
    storage.subscriptions.name({source.id: other}, now)
    (asked,) = storage.subscriptions.claim(now, 5)
    assert (asked.leave, asked.subscription.hub) == (False, "https://other.example/")


def test_an_archived_sources_hub_is_left_and_one_never_asked_is_forgotten(
    storage: Storage, world: World, now: datetime
) -> None:
    asked, fresh = world.source("uno"), world.source("dos")
    verified(storage, asked, now)
    storage.subscriptions.name({fresh.id: ((HUB, TOPIC), "u" * 43, "other")}, now)
    storage.apply([Archive("source", "uno"), Archive("source", "dos")], now)
    left = storage.subscriptions.claim(now, 5)
    assert [(one.source.slug, one.leave) for one in left] == [("uno", True)]
    assert of(storage, fresh) is None
    storage.subscriptions.forget(asked.id)
    assert of(storage, asked) is None


# ── pushes ───────────────────────────────────────────────────────────────────


def test_a_push_makes_its_source_due_once_a_minute_at_most(storage: Storage, world: World, now: datetime) -> None:
    source, other = world.source(), world.source("otro")
    verified(storage, source, now)
    visited(storage, world, source, now)
    visited(storage, world, other, now)
    woken = []
    for second in range(0, 180, 5):
        at = now + (second + 1) * SECOND
        storage.subscriptions.pushed(source.id, at)
        if storage.subscriptions.wake(at):
            woken.append(second)
            assert (due_at(storage, source) or at + HOUR) <= at
    assert woken == [0, 60, 120]
    assert due_at(storage, other) == now + 15 * MINUTE  # the control: nobody pushed it


def test_a_push_during_a_visit_waits_for_its_end(storage: Storage, world: World, now: datetime) -> None:
    source = world.source()
    verified(storage, source, now)
    (claimed,) = storage.sources.claim_due(now, 10, "walk")
    storage.subscriptions.pushed(source.id, now + SECOND)
    assert storage.subscriptions.wake(now + SECOND) == 0
    storage.posts.store(world.batch(claimed), now + 2 * SECOND)
    assert storage.subscriptions.wake(now + 3 * SECOND) == 1
    assert due_at(storage, source) == now + 3 * SECOND


def test_a_push_does_not_press_a_source_that_fails(storage: Storage, world: World, now: datetime) -> None:
    source = world.source()
    verified(storage, source, now)
    storage.sources.claim_due(now, 10, "walk")
    storage.sources.fail(Failure(source.id, "walk", "http_429", "Slower.", now + HOUR, "failing"), now)
    storage.subscriptions.pushed(source.id, now + SECOND)
    assert storage.subscriptions.wake(now + MINUTE) == 0
    assert due_at(storage, source) == now + HOUR


def test_only_a_hub_that_agreed_is_listened_to(storage: Storage, world: World, now: datetime) -> None:
    source = world.source()
    named(storage, source, now)
    visited(storage, world, source, now)
    storage.subscriptions.pushed(source.id, now)
    assert storage.subscriptions.wake(now + SECOND) == 0


def test_a_hub_that_ends_it_has_promised_nothing_more(storage: Storage, world: World, now: datetime) -> None:
    source = world.source()
    verified(storage, source, now)
    storage.subscriptions.pushed(source.id, now)
    storage.subscriptions.refuse(source.id, "denied", final=True)
    found = of(storage, source)
    assert found is not None
    assert (found.state, found.lease_until, found.pushed_at, found.last_error) == ("refused", None, None, "denied")
