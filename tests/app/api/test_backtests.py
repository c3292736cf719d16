"""Backtests and verification over the API: asked in words, answered by a walk, seen by who may see the brands."""

from datetime import timedelta
from typing import Any

import pytest

from app.pipeline.backtests import Backtests
from tests.app.api.house import House

ASKED: dict[str, Any] = {"since": "2026-11-18T06:00:00Z", "policies": [{"false_warnings_per_month": 0.5}]}


@pytest.fixture
def heard(house: House) -> House:
    aurora = house.brand("aurora")
    house.brand("rival", competitor=True)
    usual = [house.item(f"n{i}", {aurora: "neutral"}, age=timedelta(hours=i), backfill=True) for i in range(2, 24 * 9)]
    house.hear(house.source("diario"), *usual)
    return house


def test_a_backtest_is_asked_worked_out_and_read(heard: House) -> None:
    caller = heard.caller("responder")
    asked = caller.post("/api/v1/backtests", json=ASKED)
    assert asked.status_code == 202, asked.text
    made = asked.json()
    assert (made["state"], made["progress"], made["result"]) == ("waiting", 0.0, None)
    assert made["question"]["brands"] == ["aurora"]
    assert Backtests(heard.storage, lambda: heard.now).run()
    done = caller.get(f"/api/v1/backtests/{made['id']}").json()
    assert (done["state"], done["progress"]) == ("done", 1.0)
    result = done["result"]
    assert result["pages_per_brand_month"] == result["outcomes"][0]["pages_per_brand_month"]
    assert result["outcomes"][0]["false_warnings_per_month"] == 0.5
    assert result["as_published"] is True
    assert [one["id"] for one in caller.get("/api/v1/backtests").json()["items"]] == [made["id"]]
    put = {"false_warnings_per_month": 0.5, "backtest": made["id"]}
    assert heard.caller("admin").put("/api/v1/policy", json=put).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"brands": ["nobody"]}, 404, "brand"),
        ({"brands": ["rival"]}, 422, "competitor"),
        ({"since": "2027-01-01T00:00:00Z"}, 422, "future"),
        ({"since": "2024-01-01T00:00:00Z"}, 422, "at most 400"),
        ({"policies": [{"false_warnings_per_month": 99}]}, 422, "policies"),
        ({"policies": [{"false_warnings_per_month": 1}] * 3}, 422, "policies"),
        ({"unknown": 1}, 422, "not known"),
    ],
)
def test_what_cannot_be_asked_is_said(heard: House, change: dict[str, Any], status: int, words: str) -> None:
    answer = heard.caller("responder").post("/api/v1/backtests", json={**ASKED, **change})
    assert answer.status_code == status, answer.text
    assert words in answer.text


def test_a_fourth_waits_no_more(heard: House) -> None:
    caller = heard.caller("responder")
    assert [caller.post("/api/v1/backtests", json=ASKED).status_code for _ in range(4)] == [202, 202, 202, 409]


def test_only_who_may_respond_asks(heard: House) -> None:
    assert heard.caller("viewer").post("/api/v1/backtests", json=ASKED).status_code == 403


def test_a_key_sees_backtests_of_its_brands_only(heard: House) -> None:
    heard.brand("brisa")
    made = heard.caller("responder").post("/api/v1/backtests", json=ASKED).json()["id"]
    stranger = heard.caller("responder", ("brisa",))
    assert stranger.get(f"/api/v1/backtests/{made}").status_code == 404
    assert stranger.get("/api/v1/backtests").json()["items"] == []
    assert stranger.post("/api/v1/backtests", json={**ASKED, "brands": ["aurora"]}).status_code == 404
    mine = stranger.post("/api/v1/backtests", json=ASKED).json()
    assert mine["question"]["brands"] == ["brisa"]
    assert heard.caller("viewer").get(f"/api/v1/backtests/{mine['id']}").status_code == 200


def test_an_incident_from_before_the_journal_cannot_be_verified(heard: House) -> None:
    aurora = heard.storage.brands.get("aurora")
    assert aurora
    incident = heard.crisis(aurora)
    answer = heard.caller("viewer").get(f"/api/v1/incidents/{incident.id}/verify")
    assert answer.status_code == 409
    assert "nothing to hold it against" in answer.json()["detail"] or "nothing to hold this" in answer.json()["detail"]
    assert heard.caller("viewer", ("brisa",)).get(f"/api/v1/incidents/{incident.id}/verify").status_code == 404


def test_an_event_without_a_dossier_cannot_be_verified(heard: House) -> None:
    aurora = heard.storage.brands.get("aurora")
    assert aurora
    viewer, incident = heard.caller("viewer"), heard.crisis(aurora)
    answer = viewer.get(f"/api/v1/incidents/{incident.id}/verify?seq=99")
    assert answer.status_code == 409
    assert "has no event 99" in answer.json()["detail"]
    assert viewer.get(f"/api/v1/incidents/{incident.id}/verify?seq=0").status_code == 422
    assert all("dossier" not in event for event in viewer.get(f"/api/v1/incidents/{incident.id}").json()["timeline"])


def test_a_page_is_filled_with_what_a_key_covers_and_its_cursor_names_nothing_else(house: House) -> None:
    house.brand("aurora")
    house.brand("zafiro")
    for number in range(9):
        brands = ["zafiro"] if number % 3 else ["aurora"]
        at = house.now + timedelta(seconds=number)
        house.storage.backtests.add(f"b{number}", "x", {"brands": brands}, at)
        assert house.storage.backtests.claim(at)
    caller = house.caller("viewer", ("aurora",))
    first = caller.get("/api/v1/backtests?limit=2").json()
    assert [one["id"] for one in first["items"]] == ["b6", "b3"]
    rest = caller.get("/api/v1/backtests", params={"limit": 2, "cursor": first["next"]}).json()
    assert ([one["id"] for one in rest["items"]], rest["next"]) == (["b0"], None)
