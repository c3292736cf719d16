"""Incidents over HTTP: the proof, the timeline, who was told, and the two things that a person can do."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.incident import Change
from app.api.incidents import IncidentDetail
from app.storage.records import IncidentSave
from tests.app.api.house import NOON, House


@pytest.fixture
def crisis(house: House) -> str:
    brand, channel = house.brand("aurora", name="Café Aurora"), house.channel("guardia")
    return house.crisis(brand, (channel,), texts=("Terrible coffee.",)).id


def test_it_tells_the_whole_story_of_one(house: House, crisis: str) -> None:
    house.kill_delivery(f"{crisis}.1.guardia")
    told = house.caller("viewer").get(f"/api/v1/incidents/{crisis}")
    assert told.status_code == 200
    IncidentDetail.model_validate_json(told.content)
    body = told.json()
    assert (body["brand"], body["state"], body["severity"], body["version"]) == ("aurora", "open", "critical", 1)
    assert body["dossier"]["spike"]["observed"] == 14
    assert body["dossier"]["exhibits"][0]["text"] == "Terrible coffee."
    assert [(e["seq"], e["kind"], e["actor"]) for e in body["timeline"]] == [(1, "opened", "avizor")]
    assert [(d["channel"], d["state"], d["attempts"][0]["error"]) for d in body["deliveries"]] == [
        ("guardia", "dead", "http_404: The channel is gone.")
    ]


def test_the_words_of_what_was_taken_back_since_are_withheld(house: House) -> None:
    brand, source = house.brand("aurora"), house.source("news")
    house.hear(source, house.item("x", {brand: "negative"}, text="Terrible."), house.item("y", {brand: "negative"}))
    incident = house.crisis(brand, texts=("Terrible.",))
    address = f"/api/v1/incidents/{incident.id}"
    caller = house.caller("viewer")
    assert caller.get(address).json()["dossier"]["exhibits"][0]["text"] == "Terrible."
    house.takes_back(source, "y")
    assert caller.get(address).json()["dossier"]["exhibits"][0]["text"] == "Terrible.", "another post of that moment"
    house.takes_back(source, "x")
    (exhibit,) = caller.get(address).json()["dossier"]["exhibits"]
    assert [exhibit[name] for name in ("title", "text", "url", "author", "evidence")] == ["", "", None, None, []]
    assert (exhibit["source"], exhibit["copies"], exhibit["score"]) == ("news", 2, -0.7)
    page = house.visitor(language="es").get(f"/incidents/{incident.id}").text
    assert "Su autor la retiró" in page
    assert "Terrible" not in page
    stored = house.storage.incidents.get(incident.id)
    assert stored is not None
    assert stored.dossier["exhibits"][0]["text"] == "Terrible.", "it stays as it was told"


def test_it_lists_them_by_brand_and_state_in_pages(house: House) -> None:
    for name in ("a", "b", "c"):
        house.crisis(house.brand(name))
        house.now += timedelta(hours=1)
    caller = house.caller()
    assert [i["brand"] for i in caller.get("/api/v1/incidents").json()["items"]] == ["c", "b", "a"]
    assert [i["brand"] for i in caller.get("/api/v1/incidents?brand=a&brand=c").json()["items"]] == ["c", "a"]
    assert caller.get("/api/v1/incidents?state=resolved").json()["items"] == []
    first = caller.get("/api/v1/incidents?limit=2").json()
    assert [i["brand"] for i in caller.get(f"/api/v1/incidents?cursor={first['next']}").json()["items"]] == ["a"]
    assert caller.get("/api/v1/incidents?state=burning").status_code == 422
    assert caller.get("/api/v1/incidents?brand=nobody").status_code == 404


def test_a_person_takes_it_and_their_key_is_the_owner(house: House, crisis: str) -> None:
    ana = house.anybody(Authorization=f"Bearer {house.key('responder', name='Ana')}")
    body = ana.post(f"/api/v1/incidents/{crisis}/acknowledge").json()
    assert (body["state"], body["owner"], body["acknowledged_at"]) == ("acknowledged", "Ana", "2026-11-18T12:00:00Z")
    assert body["timeline"][-1]["actor"] == "Ana"


def test_a_second_click_is_no_error_and_no_second_event(house: House, crisis: str) -> None:
    ana = house.anybody(Authorization=f"Bearer {house.key('responder', name='Ana')}")
    for action, how in (("acknowledge", {}), ("resolve", {"json": {"reason": "Answered."}})):
        first = ana.post(f"/api/v1/incidents/{crisis}/{action}", **how)
        second = ana.post(f"/api/v1/incidents/{crisis}/{action}", **how)
        assert (first.status_code, second.status_code) == (200, 200)
        assert second.json() == first.json()


def test_what_somebody_else_has_taken_is_a_conflict(house: House, crisis: str) -> None:
    ana = house.anybody(Authorization=f"Bearer {house.key('responder', name='Ana')}")
    ana.post(f"/api/v1/incidents/{crisis}/acknowledge")
    late = house.anybody(Authorization=f"Bearer {house.key('responder', name='Luis')}")
    answer = late.post(f"/api/v1/incidents/{crisis}/acknowledge")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "Ana" in answer.json()["detail"]


def test_it_is_resolved_with_a_reason(house: House, crisis: str) -> None:
    caller = house.caller("responder")
    for wrong in ({}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 501}, {"reason": "x", "by": "me"}):
        assert caller.post(f"/api/v1/incidents/{crisis}/resolve", json=wrong).status_code == 422
    body = caller.post(f"/api/v1/incidents/{crisis}/resolve", json={"reason": "Answered."}).json()
    assert (body["state"], body["timeline"][-1]["data"]["text"]) == ("resolved", "Answered.")
    assert caller.post(f"/api/v1/incidents/{crisis}/acknowledge").status_code == 409


def test_a_change_that_lost_the_race_is_a_conflict(house: House, crisis: str) -> None:
    house.lost_race = True
    answer = house.caller("responder").post(f"/api/v1/incidents/{crisis}/acknowledge")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "version" not in answer.text


def test_one_that_does_not_exist_is_not_found(house: House) -> None:
    caller = house.caller("responder")
    assert caller.get("/api/v1/incidents/nothing").status_code == 404
    assert caller.post("/api/v1/incidents/nothing/acknowledge").status_code == 404
    assert caller.post("/api/v1/incidents/nothing/resolve", json={"reason": "x"}).status_code == 404


def test_a_dossier_of_another_version_is_still_told(house: House, crisis: str) -> None:
    found = house.storage.incidents.get(crisis)
    assert found is not None
    odd = replace(found, dossier={"spike": {"verdict": "critical"}, "later": 1})
    house.storage.incidents.save(IncidentSave(Change(odd, None), []), NOON)
    assert house.caller().get(f"/api/v1/incidents/{crisis}").json()["dossier"]["later"] == 1
