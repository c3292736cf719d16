"""The outbox: in order per incident and channel, at least once, every attempt on record, nothing lost in silence."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.incident import Change, Event, Incident
from app.storage import LeaseLost, Storage
from app.storage.records import Archive, Attempt, IncidentSave, Outcome

World = Any
DELIVERED = Outcome("delivered", duration_ms=120)
SECOND = timedelta(seconds=1)


@pytest.fixture
def incident(world: World) -> Incident:
    acme = world.brand()
    incident = Incident("inc_1", acme.id, "open", "warning", 1, world.now, world.now, 3.5)
    event = Event("inc_1", 1, world.now, "opened", "avizor", "", {})
    world.storage.incidents.save(IncidentSave(Change(incident, event), ()), world.now)
    return incident


def claim(world: World, now: datetime | None = None, owner: str = "walk", limit: int = 10, **options: Any) -> list[str]:
    return [one.key for one in world.storage.deliveries.claim(now or world.now, limit, owner, **options)]


def finish(world: World, key: str, outcome: Outcome, owner: str = "walk", **fields: Any) -> None:
    [delivery] = [one for one in world.storage.deliveries.page(limit=1_000) if one.key == key]
    world.storage.deliveries.finish(delivery.id, owner, outcome, world.now, **fields)


def test_a_delivery_comes_with_all_that_sending_it_needs(world: World) -> None:
    channel = world.channel()
    world.storage.deliveries.add([world.delivery(channel, "k", alert={"brand": "Acme", "texts": ["ñ"]})], world.now)
    [delivery] = world.storage.deliveries.claim(world.now, 10, "walk")
    assert (delivery.key, delivery.channel, delivery.action) == ("k", channel, "trigger")
    assert delivery.channel.secret == {"url": "https://hooks.example/T0/B0/very-secret"}
    assert delivery.alert == {"brand": "Acme", "texts": ["ñ"]}
    assert (delivery.state, delivery.attempts, delivery.created_at) == ("pending", 0, world.now)
    assert world.storage.deliveries.get(delivery.id) == delivery
    assert world.storage.deliveries.get(delivery.id + 1) is None


def test_nobody_hears_of_the_end_before_the_beginning(world: World, incident: Incident) -> None:
    channel, other = world.channel(), world.channel("otra")
    parts = [world.delivery(channel, f"part {n}", incident_id=incident.id, seq=n) for n in (3, 1, 2)]
    elsewhere = world.delivery(other, "elsewhere", incident_id=incident.id, seq=2)
    world.storage.deliveries.add([*parts, elsewhere], world.now)

    assert sorted(claim(world)) == ["elsewhere", "part 1"], "another channel does not wait"
    assert claim(world) == [], "while it is being sent, the next one waits"
    retry = Outcome("pending", 50, next_attempt_at=world.now + 5 * SECOND, error="timeout")
    finish(world, "part 1", retry)
    assert claim(world) == [], "while it is to be tried again, too"
    assert claim(world, world.now + 5 * SECOND) == ["part 1"]
    finish(world, "part 1", DELIVERED)
    assert claim(world) == ["part 2"]
    finish(world, "part 2", Outcome("dead", 50, error="http_404"))
    assert claim(world) == ["part 3"], "a dead letter does not hold up those after it"


def test_two_of_the_same_step_go_one_after_the_other(world: World, incident: Incident) -> None:
    channel = world.channel()
    twins = [world.delivery(channel, key, incident_id=incident.id, seq=1) for key in ("first", "second")]
    world.storage.deliveries.add(twins, world.now)
    assert claim(world) == ["first"]
    finish(world, "first", DELIVERED)
    assert claim(world) == ["second"]


def test_a_dead_target_with_a_long_queue_leaves_hands_for_the_others(world: World) -> None:
    dead, other = world.channel("muerta"), world.channel("viva")
    queue = [world.delivery(dead, f"dead {n}") for n in range(50)]
    world.storage.deliveries.add(queue, world.now)
    world.storage.deliveries.add([world.delivery(other, "alive")], world.now + SECOND)
    later = world.now + 2 * SECOND
    assert claim(world, later, limit=16, per_channel=4) == ["dead 0", "dead 1", "dead 2", "dead 3", "alive"]
    assert claim(world, later, limit=16, per_channel=4) == [], "four of it are under way"
    assert len(claim(world, later, limit=16, per_channel=20)) == 16, "the control: without the bound it takes all hands"


def test_system_alarms_wait_for_nobody(world: World) -> None:
    channel = world.channel()
    world.storage.deliveries.add([world.delivery(channel, key, action="system") for key in "abc"], world.now)
    assert claim(world, limit=2) == ["a", "b"]
    assert claim(world, limit=2) == ["c"]


def test_a_key_enters_the_outbox_once(world: World) -> None:
    channel = world.channel()
    for _ in range(2):
        world.storage.deliveries.add([world.delivery(channel, "k"), world.delivery(channel, "k")], world.now)
    assert [one.key for one in world.storage.deliveries.page()] == ["k"]


def test_a_claim_that_was_never_finished_is_taken_up_and_said_to_be_uncertain(world: World) -> None:
    world.storage.deliveries.add([world.delivery(world.channel(), "k")], world.now)
    [first] = world.storage.deliveries.claim(world.now, 10, "first")
    assert not first.uncertain
    assert claim(world, world.now + 29 * SECOND, "second") == []
    [again] = world.storage.deliveries.claim(world.now + 30 * SECOND, 10, "second")
    assert again == replace(first, uncertain=True)

    with pytest.raises(LeaseLost):
        finish(world, "k", DELIVERED, "first")
    assert world.storage.deliveries.attempts(first.id) == []
    finish(world, "k", DELIVERED, "second")
    with pytest.raises(LeaseLost):
        finish(world, "k", DELIVERED, "second")


def test_every_attempt_is_on_record(world: World) -> None:
    world.storage.deliveries.add([world.delivery(world.channel(), "k")], world.now)
    later = world.now + 5 * SECOND
    outcomes = [
        Outcome("pending", 15_000, next_attempt_at=later, error="timeout: no answer within 15 s"),
        Outcome("pending", 40, next_attempt_at=later, error="http_503: busy"),
        DELIVERED,
    ]
    for outcome in outcomes:
        assert claim(world, later) == ["k"]
        finish(world, "k", outcome)
    [delivery] = world.storage.deliveries.page()
    assert world.storage.deliveries.attempts(delivery.id) == [
        Attempt(1, world.now, "retry", "timeout: no answer within 15 s", 15_000),
        Attempt(2, world.now, "retry", "http_503: busy", 40),
        Attempt(3, world.now, "delivered", None, 120),
    ]
    assert (delivery.state, delivery.attempts) == ("delivered", 3)
    assert (delivery.finished_at, delivery.last_error) == (world.now, None)
    assert claim(world, later + timedelta(days=1)) == []


def test_a_retry_needs_its_time(world: World) -> None:
    world.storage.deliveries.add([world.delivery(world.channel(), "k")], world.now)
    claim(world)
    with pytest.raises(ValueError, match="next attempt"):
        finish(world, "k", Outcome("pending", 10))


def test_a_dead_letter_alarms_and_switches_its_channel_off_in_one_transaction(world: World) -> None:
    channel, fallback = world.channel(), world.channel("reserva")
    world.storage.deliveries.add([world.delivery(channel, "k"), world.delivery(channel, "next")], world.now)
    claim(world, limit=1)
    dead = Outcome("dead", 80, error="http_404: no_service", disable_channel="http_404: no_service")
    finish(world, "k", dead, extra=[world.delivery(fallback, "alarm", action="system")])

    off = world.storage.channels.get("guardia")
    assert (off.enabled, off.disabled_reason) == (False, "http_404: no_service")
    rest = {one.key: one for one in world.storage.deliveries.claim(world.now, 10, "walk")}
    assert set(rest) == {"alarm", "next"}, "what is left for a dead channel must be buried in the open, not forgotten"
    assert not rest["next"].channel.enabled
    assert world.storage.deliveries.counts() == {"dead": 1, "pending": 2}


def test_the_alarm_is_lost_with_the_attempt_when_the_lease_is(world: World) -> None:
    channel = world.channel()
    world.storage.deliveries.add([world.delivery(channel, "k")], world.now)
    claim(world, owner="first")
    with pytest.raises(LeaseLost):
        finish(world, "k", Outcome("dead", 1, disable_channel="x"), "second", extra=[world.delivery(channel, "alarm")])
    assert [one.key for one in world.storage.deliveries.page()] == ["k"]
    assert world.storage.channels.get("guardia").enabled


def test_an_archived_channel_is_not_enabled(world: World) -> None:
    world.storage.deliveries.add([world.delivery(world.channel(), "k")], world.now)
    world.storage.apply([Archive("channel", "guardia")], world.now)
    [delivery] = world.storage.deliveries.claim(world.now, 10, "walk")
    assert not delivery.channel.enabled


def test_a_dead_letter_can_be_driven_again_with_the_same_key(world: World) -> None:
    world.storage.deliveries.add([world.delivery(world.channel(), "k")], world.now)
    [delivery] = world.storage.deliveries.claim(world.now, 10, "walk")
    assert not world.storage.deliveries.redrive(delivery.id, world.now), "it is not dead"
    finish(world, "k", Outcome("dead", 80, error="http_404"))
    assert claim(world, world.now + timedelta(days=1)) == []

    assert world.storage.deliveries.redrive(delivery.id, world.now + SECOND)
    assert claim(world, world.now + SECOND) == ["k"]
    finish(world, "k", DELIVERED)
    assert [one.outcome for one in world.storage.deliveries.attempts(delivery.id)] == ["dead", "delivered"]


@pytest.mark.parametrize("back", [timedelta(minutes=2), timedelta(hours=1), timedelta(days=1)])
def test_a_clock_that_steps_back_holds_up_no_alert(world: World, back: timedelta) -> None:
    channel = world.channel()
    world.storage.deliveries.add([world.delivery(channel, "new"), world.delivery(channel, "leased")], world.now)
    later = world.now + timedelta(minutes=15)
    world.storage.deliveries.add([world.delivery(channel, "retried")], world.now - SECOND)
    assert claim(world, limit=1) == ["retried"]
    finish(world, "retried", Outcome("pending", 10, next_attempt_at=later))
    assert claim(world, world.now + SECOND, limit=1) == ["new"], "control: the retry is not due"
    assert sorted(claim(world, world.now - back)) == ["leased", "new", "retried"]


def test_deliveries_are_read_in_pages_newest_first(world: World, incident: Incident) -> None:
    one, two = world.channel("una"), world.channel("dos")
    world.storage.deliveries.add([world.delivery(one, f"k{n}") for n in range(3)], world.now)
    world.storage.deliveries.add([world.delivery(two, "of the incident", incident_id=incident.id, seq=1)], world.now)
    claim(world, limit=1)
    finish(world, "k0", DELIVERED)

    page = world.storage.deliveries.page()
    assert [delivery.key for delivery in page] == ["of the incident", "k2", "k1", "k0"]
    first = world.storage.deliveries.page(limit=2)
    assert first + world.storage.deliveries.page(before_id=first[-1].id) == page
    assert [d.key for d in world.storage.deliveries.page(["delivered", "dead"])] == ["k0"]
    assert [d.key for d in world.storage.deliveries.page(channel="dos")] == ["of the incident"]
    assert [d.key for d in world.storage.deliveries.page(incident_id=incident.id)] == ["of the incident"]
    assert world.storage.deliveries.page([]) == []


def test_the_oldest_that_waits_is_told(world: World) -> None:
    assert world.storage.deliveries.oldest_pending() is None
    channel = world.channel()
    world.storage.deliveries.add([world.delivery(channel, "old")], world.now - timedelta(minutes=5))
    world.storage.deliveries.add([world.delivery(channel, "new")], world.now)
    assert world.storage.deliveries.oldest_pending() == world.now - timedelta(minutes=5)
    claim(world, limit=1)
    finish(world, "old", DELIVERED)
    assert world.storage.deliveries.oldest_pending() == world.now


def test_an_alert_that_cannot_be_stored_takes_its_incident_change_along(
    world: World, incident: Incident, open_another: Callable[[], Storage]
) -> None:
    change = Change(replace(incident, version=2), Event(incident.id, 2, world.now, "noted", "avizor", "", {}))
    bad = world.delivery(world.channel(), "k", alert={"text": "lone \ud800"}, incident_id=incident.id, seq=2)
    with pytest.raises(TypeError):
        world.storage.incidents.save(IncidentSave(change, [bad]), world.now)
    assert open_another().incidents.get(incident.id).version == 1
