"""What people say of alerts: a trail where the last word of each counts, and the cases of a report card."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.incident import Change, Event, Incident
from app.model import Brand, Feedback, Policy
from app.storage import Storage
from app.storage.feedback import Case, Page
from app.storage.records import IncidentSave

World = Any
MINUTE = timedelta(minutes=1)


def opened(world: World, brand: Brand, name: str, at: datetime, **fields: Any) -> Incident:
    """An incident that opened at this time, as it is stored."""
    severity = fields.pop("severity", "warning")
    data = fields.pop("data", {"code": "negative_spike", "why": "negative_spike", "severity": severity})
    incident = Incident(
        id=name,
        brand_id=brand.id,
        state="open",
        severity=severity,
        version=1,
        opened_at=at,
        updated_at=at,
        peak_score=fields.pop("score", 1.5),
        **fields,
    )
    world.storage.incidents.save(
        IncidentSave(Change(incident, Event(name, 1, at, "opened", "avizor", "", data)), []), at
    )
    return incident


def follows(world: World, incident: Incident, kind: Any, at: datetime, data: Any = None, **fields: Any) -> Incident:
    changed = replace(incident, version=incident.version + 1, updated_at=at, **fields)
    event = Event(incident.id, changed.version, at, kind, "x", "", data or {})
    world.storage.incidents.save(IncidentSave(Change(changed, event), []), at)
    return changed


@pytest.fixture
def crisis(world: World) -> Incident:
    return opened(world, world.brand(), "inc_1", world.now)


def said(storage: Storage, incident: Incident) -> list[tuple[str, bool, str, bool]]:
    return [(word.by, word.useful, word.note, word.in_force) for word in storage.feedback.trail(incident.id)]


def test_the_last_word_of_each_counts_and_every_word_stays(world: World, crisis: Incident) -> None:
    put = world.storage.feedback.put
    put(crisis.id, True, "", "Ana", world.now)
    put(crisis.id, False, "a joke", "Luis", world.now + MINUTE)
    put(crisis.id, False, "a joke indeed", "Ana", world.now + 2 * MINUTE)
    assert said(world.storage, crisis) == [
        ("Ana", True, "", False),
        ("Luis", False, "a joke", True),
        ("Ana", False, "a joke indeed", True),
    ]
    (case,) = world.storage.feedback.cases(None, world.now, world.now + MINUTE)
    assert case.words == (
        Feedback(crisis.id, "Luis", world.now + MINUTE, False, "a joke"),
        Feedback(crisis.id, "Ana", world.now + 2 * MINUTE, False, "a joke indeed"),
    )


def test_saying_the_same_again_is_no_new_word(world: World, crisis: Incident) -> None:
    put = world.storage.feedback.put
    for _ in range(3):
        put(crisis.id, True, "good", "Ana", world.now)
    assert len(said(world.storage, crisis)) == 1
    put(crisis.id, True, "good", "Luis", world.now)
    put(crisis.id, False, "good", "Ana", world.now)
    put(crisis.id, True, "good", "Ana", world.now)  # back again is a word, since another lies between
    assert len(said(world.storage, crisis)) == 4


def test_what_a_database_does_not_take_is_left_out_of_a_note(world: World, crisis: Incident) -> None:
    world.storage.feedback.put(crisis.id, True, "a\0\ud800b" + "x" * 3000, "A\0na", world.now)
    world.storage.feedback.put(crisis.id, True, "a\0\ud800b" + "x" * 3000, "A\0na", world.now)
    ((by, _, note, _),) = said(world.storage, crisis)
    assert (by, note[:3], len(note)) == ("Ana", "a?b", 1999)


def test_a_case_tells_all_that_a_report_card_asks(world: World) -> None:
    acme = world.brand("acme", time_zone="Europe/Madrid")
    policy = world.storage.policies.put(Policy(false_warnings_per_month=0.5), world.now)
    crisis = opened(
        world, acme, "inc_1", world.now, policy_id=policy.id, dossier={"spike": {"volume_score": 2.5, "observed": 9}}
    )
    worse = follows(world, crisis, "escalated", world.now + MINUTE, {"severity": "critical"}, severity="critical")
    follows(world, worse, "acknowledged", world.now + 5 * MINUTE, owner="Ana", acknowledged_at=world.now + 5 * MINUTE)
    assert world.storage.feedback.cases(None, world.now, world.now + MINUTE) == [
        Case(
            incident_id="inc_1",
            brand="acme",
            time_zone="Europe/Madrid",
            cause="negative",
            why="negative_spike",
            policy_id=policy.id,
            severity="critical",
            opened_at=world.now,
            acknowledged_at=world.now + 5 * MINUTE,
            score=1.5,
            volume_score=2.5,
            pages=(Page(world.now, "warning"), Page(world.now + MINUTE, "critical")),
        )
    ]


@pytest.mark.parametrize("dossier", [{}, {"spike": {}}, {"spike": {"volume_score": None}}, {"spike": None}])
def test_a_case_of_an_older_version_is_told_as_far_as_it_is_known(world: World, dossier: Any) -> None:
    old = {"code": "negative_spike", "observed": 9}
    opened(world, world.brand(), "inc_1", world.now, severity="critical", data=old, dossier=dossier)
    (case,) = world.storage.feedback.cases(None, world.now, world.now + MINUTE)
    assert (case.why, case.volume_score, case.pages) == ("negative_spike", None, (Page(world.now, "critical"),))


def test_cases_are_those_that_opened_in_the_time_and_of_the_brands_that_were_named(world: World) -> None:
    acme, other = world.brand("acme"), world.brand("other")
    hours = timedelta(hours=1)
    opened(world, acme, "before", world.now - MINUTE, cause="silence")
    opened(world, acme, "first", world.now)
    opened(world, other, "theirs", world.now + hours)
    opened(world, acme, "after", world.now + 2 * hours, cause="spread:9")

    def ids(named: list[str] | None) -> list[str]:
        return [case.incident_id for case in world.storage.feedback.cases(named, world.now, world.now + 2 * hours)]

    assert ids(None) == ["first", "theirs"]
    assert (ids(["acme"]), ids(["other"]), ids(["nobody"]), ids([])) == (["first"], ["theirs"], [], [])


def test_each_case_has_its_own_words_and_pages(world: World) -> None:
    brand = world.brand()
    for number in range(7):
        opened(world, brand, f"inc_{number}", world.now, cause=f"spread:{number}")
        world.storage.feedback.put(f"inc_{number}", number % 2 == 0, "", "Ana", world.now)
    cases = world.storage.feedback.cases(None, world.now, world.now + MINUTE)
    assert [case.words[0].useful for case in cases] == [True, False] * 3 + [True]
    assert all(len(case.pages) == 1 for case in cases)
