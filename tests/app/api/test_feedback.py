"""Useful or noise: what people say of an incident, by whom, and that the last word of each counts."""

from dataclasses import replace
from typing import Any

import pytest

from alerts.incident import Change
from app.api.incidents import IncidentDetail
from app.storage.records import IncidentSave
from tests.app.api.house import Client, House


@pytest.fixture
def crisis(house: House) -> str:
    return house.crisis(house.brand("aurora")).id


def named(house: House, name: str, role: Any = "responder") -> Client:
    return house.anybody(Authorization=f"Bearer {house.key(role, name=name)}")


def words(body: dict[str, Any]) -> list[tuple[str, bool, str, bool]]:
    return [(one["by"], one["useful"], one["note"], one["in_force"]) for one in body["feedback"]]


def test_an_incident_tells_what_people_said_of_it(house: House, crisis: str) -> None:
    url = f"/api/v1/incidents/{crisis}"
    assert house.caller("viewer").get(url).json()["feedback"] == []
    named(house, "Ana").post(f"{url}/feedback", json={"useful": True})
    named(house, "Luis").post(f"{url}/feedback", json={"useful": False, "note": " a joke "})
    answer = named(house, "Ana").post(f"{url}/feedback", json={"useful": False})
    assert answer.status_code == 200, answer.text
    IncidentDetail.model_validate_json(answer.content)
    assert words(answer.json()) == [
        ("Ana", True, "", False),
        ("Luis", False, "a joke", True),
        ("Ana", False, "", True),
    ]
    assert house.caller("viewer").get(url).json()["feedback"] == answer.json()["feedback"]


def test_saying_the_same_twice_changes_nothing(house: House, crisis: str) -> None:
    ana, url = named(house, "Ana"), f"/api/v1/incidents/{crisis}/feedback"
    first = ana.post(url, json={"useful": True, "note": "good"})
    assert ana.post(url, json={"useful": True, "note": "good"}).json() == first.json()


def test_it_says_its_cause_and_the_policy_that_it_went_by(house: House, crisis: str) -> None:
    body = house.caller().get(f"/api/v1/incidents/{crisis}").json()
    assert (body["cause"], body["policy"]) == ("negative", None)
    assert [(i["cause"], i["policy"]) for i in house.caller().get("/api/v1/incidents").json()["items"]] == [
        ("negative", None)
    ]


@pytest.mark.parametrize(
    "wrong", [{}, {"useful": "yes"}, {"useful": 1}, {"useful": None}, {"useful": True, "note": "x" * 501}]
)
def test_what_is_no_word_is_refused(house: House, crisis: str, wrong: dict[str, Any]) -> None:
    answer = house.caller("responder").post(f"/api/v1/incidents/{crisis}/feedback", json=wrong)
    assert answer.status_code == 422
    assert house.storage.feedback.trail(crisis) == []


def test_who_only_reads_says_nothing_and_nobody_speaks_of_what_is_not_there(house: House, crisis: str) -> None:
    word = {"json": {"useful": True}}
    assert house.caller("viewer").post(f"/api/v1/incidents/{crisis}/feedback", **word).status_code == 403
    absent = house.caller("responder").post("/api/v1/incidents/nothing/feedback", **word)
    other = house.caller("responder", ("brisa",)).post(f"/api/v1/incidents/{crisis}/feedback", **word)
    assert (absent.status_code, absent.text) == (other.status_code, other.text) == (404, other.text)
    assert house.storage.feedback.trail(crisis) == []


def test_who_has_taken_it_may_say_so_again_while_it_calms_down(house: House, crisis: str) -> None:
    ana = named(house, "Ana")
    ana.post(f"/api/v1/incidents/{crisis}/acknowledge")
    taken = house.storage.incidents.get(crisis)
    assert taken is not None
    calmer = replace(taken, state="resolving", calm_since=house.now)
    house.storage.incidents.save(IncidentSave(Change(calmer, None), []), house.now)
    again = ana.post(f"/api/v1/incidents/{crisis}/acknowledge")
    assert (again.status_code, again.json()["state"]) == (200, "resolving")
    assert named(house, "Luis").post(f"/api/v1/incidents/{crisis}/acknowledge").status_code == 409
