"""Incidents: one unresolved per brand, one version at a time, a change and its consequences in one transaction."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from alerts.incident import Change, Event, Incident
from app.storage import Conflict, Storage
from app.storage.records import CoverageRow, IncidentSave, Judged

World = Any


@pytest.fixture
def opened(world: World) -> Change:
    """The change that opens a crisis of acme; not saved yet."""
    acme = world.brand()
    incident = Incident(
        id="inc_1",
        brand_id=acme.id,
        state="open",
        severity="warning",
        version=1,
        opened_at=world.now,
        updated_at=world.now,
        peak_score=3.5,
        dossier={"stories": 12, "spike": {"observed": 12}},
    )
    return Change(incident, Event("inc_1", 1, world.now, "opened", "avizor", "12 instead of 2", {"observed": 12}))


def following(change: Change, kind: str, seconds: int = 60, **fields: Any) -> Change:
    """The next change of the same incident, with an event."""
    at = change.incident.updated_at + timedelta(seconds=seconds)
    incident = replace(change.incident, version=change.incident.version + 1, updated_at=at, **fields)
    return Change(incident, Event(incident.id, incident.version, at, kind, "marta", "", {}))


def save(storage: Storage, change: Change, *deliveries: Any, **fields: Any) -> None:
    storage.incidents.save(IncidentSave(change, deliveries, **fields), change.incident.updated_at)


def test_a_change_its_event_its_deliveries_and_its_verdict_go_in_together(world: World, opened: Change) -> None:
    channel = world.channel()
    brand_id = opened.incident.brand_id
    rows = [CoverageRow(world.now - timedelta(seconds=300), 1, 1)]
    verdict = Judged(brand_id, world.now, {"verdict": "warning"}, rows)
    new = world.delivery(channel, "inc_1:1", incident_id="inc_1", seq=1)

    save(world.storage, opened, new, judged=verdict)

    assert world.storage.incidents.current(brand_id) == [opened.incident]
    assert world.storage.incidents.get("inc_1") == opened.incident
    assert world.storage.incidents.events("inc_1") == [opened.event]
    assert [delivery.key for delivery in world.storage.deliveries.page()] == ["inc_1:1"]
    assert world.storage.watches.get(brand_id).evaluated_through == world.now
    assert world.storage.volumes.coverage(brand_id, world.now - timedelta(hours=1), world.now) == rows


def test_an_incident_is_read_back_through_its_whole_life(world: World, opened: Change) -> None:
    save(world.storage, opened)
    taken = following(opened, "acknowledged", state="acknowledged", owner="marta", acknowledged_at=world.now)
    save(world.storage, taken)
    closed = following(taken, "resolved", state="resolved", resolved_at=world.now, calm_since=world.now)
    save(world.storage, closed)
    assert world.storage.incidents.get("inc_1") == closed.incident
    assert world.storage.incidents.events("inc_1") == [opened.event, taken.event, closed.event]
    assert world.storage.incidents.current(opened.incident.brand_id) == []


def test_what_a_page_told_stays_with_its_event(world: World, opened: Change) -> None:
    told = replace(opened, event=replace(opened.event, dossier={"stories": 12, "spike": {"observed": 12}}))
    save(world.storage, told)
    worse = following(told, "escalated", severity="critical", dossier={"stories": 40})
    save(world.storage, replace(worse, event=replace(worse.event, dossier={"stories": 40})))
    save(world.storage, following(worse, "acknowledged", state="acknowledged", owner="marta"))
    events = world.storage.incidents.events("inc_1")
    assert [event.dossier for event in events] == [told.event.dossier, {"stories": 40}, None]


def test_a_quiet_change_needs_no_event_and_no_new_version(world: World, opened: Change) -> None:
    save(world.storage, opened)
    quiet = replace(opened.incident, calm_since=world.now)
    save(world.storage, Change(quiet, None))
    assert world.storage.incidents.current(quiet.brand_id) == [quiet]
    assert len(world.storage.incidents.events("inc_1")) == 1


def test_of_two_who_change_it_at_once_the_second_is_told(world: World, opened: Change) -> None:
    save(world.storage, opened)
    save(world.storage, following(opened, "acknowledged", state="acknowledged", owner="marta"))
    late = following(opened, "escalated", severity="critical")
    verdict = Judged(opened.incident.brand_id, world.now, {}, ())
    new = world.delivery(world.channel(), "inc_1:2", incident_id="inc_1", seq=2)

    with pytest.raises(Conflict):
        save(world.storage, late, new, judged=verdict)
    with pytest.raises(Conflict):
        save(world.storage, Change(replace(opened.incident, calm_since=world.now), None))

    assert world.storage.incidents.get("inc_1").owner == "marta"
    assert len(world.storage.incidents.events("inc_1")) == 2
    assert world.storage.deliveries.page() == []
    assert world.storage.watches.get(opened.incident.brand_id).evaluated_through is None


def test_a_brand_has_one_unresolved_incident_a_cause(
    world: World, opened: Change, open_another: Callable[[], Storage]
) -> None:
    save(world.storage, opened)
    second = replace(opened.incident, id="inc_2")
    event = Event("inc_2", 1, world.now, "opened", "avizor", "", {})
    with pytest.raises(Conflict):
        save(open_another(), Change(second, event))
    other = replace(opened.incident, id="inc_3", cause="grave:fraude", opened_at=world.now + timedelta(seconds=1))
    save(world.storage, Change(other, replace(event, incident_id="inc_3")))
    assert world.storage.incidents.current(second.brand_id) == [opened.incident, other]
    save(world.storage, following(opened, "resolved", state="resolved"))
    save(world.storage, Change(second, event))
    assert world.storage.incidents.current(second.brand_id) == [second, other]


def test_several_causes_that_change_by_one_verdict_go_in_together_or_not_at_all(world: World, opened: Change) -> None:
    other = replace(opened.incident, id="inc_2", cause="silence", severity="notice")
    event = Event("inc_2", 1, world.now, "opened", "avizor", "", {})
    verdict = Judged(opened.incident.brand_id, world.now, {}, ())
    both = IncidentSave(opened, (), verdict, also=[IncidentSave(Change(other, event), ())])
    world.storage.incidents.save(both, world.now)
    assert world.storage.incidents.current(other.brand_id) == [opened.incident, other]

    third = replace(opened.incident, id="inc_3", cause="grave:fraude")
    fine = Change(third, replace(event, incident_id="inc_3"))
    stale = IncidentSave(Change(replace(other, version=9), replace(event, seq=9)), ())
    with pytest.raises(Conflict):
        world.storage.incidents.save(IncidentSave(fine, (), also=[stale]), world.now)
    assert world.storage.incidents.get("inc_3") is None


def test_the_incidents_that_still_matter_are_those_that_lately_did(world: World, opened: Change) -> None:
    save(world.storage, opened)
    brand_id, day = opened.incident.brand_id, timedelta(days=1)
    assert [one.id for one in world.storage.incidents.since(brand_id, world.now + day)] == ["inc_1"]
    save(world.storage, following(opened, "resolved", state="resolved", resolved_at=world.now))
    assert [one.id for one in world.storage.incidents.since(brand_id, world.now)] == ["inc_1"]
    assert world.storage.incidents.since(brand_id, world.now + timedelta(seconds=1)) == []


def test_the_same_change_twice_is_a_conflict_not_two_events(world: World, opened: Change) -> None:
    save(world.storage, opened)
    with pytest.raises(Conflict):
        save(world.storage, opened)
    change = following(opened, "escalated", severity="critical")
    save(world.storage, change)
    with pytest.raises(Conflict):
        save(world.storage, change)
    assert len(world.storage.incidents.events("inc_1")) == 2


def test_incidents_are_read_in_pages_newest_first(world: World, opened: Change) -> None:
    brands = [world.brand(f"brand{number}") for number in range(4)]
    for number, brand in enumerate(brands):
        at = world.now + timedelta(minutes=number // 2)
        incident = replace(opened.incident, id=f"inc_{number}", brand_id=brand.id, opened_at=at, updated_at=at)
        event = Event(incident.id, 1, at, "opened", "avizor", "", {})
        save(world.storage, Change(incident, event))
        if number == 1:
            save(world.storage, following(Change(incident, event), "resolved", state="resolved"))
    page = world.storage.incidents.page()
    assert [incident.id for incident in page] == ["inc_3", "inc_2", "inc_1", "inc_0"]

    first = world.storage.incidents.page(limit=3)
    rest = world.storage.incidents.page(before=(first[-1].opened_at, first[-1].id))
    assert first + rest == page

    ids = {
        "brands": [i.id for i in world.storage.incidents.page(["brand0", "brand3", "nobody"])],
        "states": [i.id for i in world.storage.incidents.page(states=["resolved"])],
        "none": [i.id for i in world.storage.incidents.page([])],
    }
    assert ids == {"brands": ["inc_3", "inc_0"], "states": ["inc_1"], "none": []}
