"""The report card over HTTP: whose, of which month, and a proposal that nobody applies by itself."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.incident import Change, Event, Incident
from app.api.report import ReportBody, neighbour
from app.model import Brand, Policy
from app.storage.journal import keep
from app.storage.records import IncidentSave
from tests.app.api.house import House

MINUTE = timedelta(minutes=1)


def watched(house: House, brand: Brand, since: datetime) -> None:
    """The journal of this brand begins here."""
    with house.storage._database.write() as connection:
        keep(connection, brand.id, since, b"")


def incident(house: House, brand: Brand, name: str, at: datetime, score: float, word: bool | None = None) -> None:
    """A warning of this score that was taken after six minutes and closed, and what Ana said of it."""
    data = {"code": "negative_spike", "why": "negative_spike", "severity": "warning"}
    opened = Incident(name, brand.id, "open", "warning", 1, at, at, score)
    event = Event(name, 1, at, "opened", "avizor", "", data)
    house.storage.incidents.save(IncidentSave(Change(opened, event), []), at)
    over = replace(opened, state="resolved", version=2, acknowledged_at=at + 6 * MINUTE, resolved_at=at + 60 * MINUTE)
    event = Event(name, 2, at + 60 * MINUTE, "resolved", "Ana", "", {})
    house.storage.incidents.save(IncidentSave(Change(over, event), []), at)
    if word is not None:
        house.storage.feedback.put(name, word, "", "Ana", at)


@pytest.fixture
def month(house: House) -> House:
    """Six incidents of two brands before noon of the eighteenth of November, and one of October."""
    aurora, brisa = house.brand("aurora", time_zone="Europe/Madrid"), house.brand("brisa")
    house.brand("rival", competitor=True)
    for brand in (aurora, brisa):
        watched(house, brand, house.now - timedelta(days=60))
    first = house.now.replace(day=2, hour=10)
    for number, (score, word) in enumerate([(2.0, True), (0.1, False), (0.2, False), (1.8, True), (0.3, None)]):
        incident(house, aurora, f"a{number}", first + timedelta(days=number), score, word)
    incident(house, brisa, "b0", first.replace(hour=23), 0.2, False)
    incident(house, brisa, "old", first - timedelta(days=9), 0.2, False)
    return house


def test_it_tells_how_good_the_alerts_of_this_month_were(month: House) -> None:
    answer = month.caller("viewer").get("/api/v1/report")
    assert answer.status_code == 200, answer.text
    ReportBody.model_validate_json(answer.content)
    body = answer.json()
    assert (body["month"], body["since"], body["until"], body["brands"]) == (
        "2026-11",
        "2026-11-01T00:00:00Z",
        "2026-11-18T12:00:00Z",
        2,
    )
    weeks = 2 * 17.5 / 7
    assert body["cards"] == [
        {
            "policy": {"id": None, "name": "default", "false_warnings_per_month": 1.0},
            "brand_weeks": weeks,
            "incidents": 6,
            "notices": 0,
            "pages": 6,
            "night_pages": 1,
            "pages_per_brand_week": 6 / weeks,
            "useful": 2,
            "noise": 3,
            "unsaid": 1,
            "precision": 0.4,
            "acknowledged_min": 6.0,
        }
    ]


def test_it_proposes_a_dial_and_changes_nothing(month: House) -> None:
    proposal = month.caller("viewer").get("/api/v1/report").json()["proposal"]
    assert proposal == {"false_warnings_per_month": 0.1, "would_keep": 2, "would_drop": 3}
    assert month.storage.policies.page() == []
    month.storage.policies.put(Policy(false_warnings_per_month=0.1), month.now)
    assert month.caller("viewer").get("/api/v1/report").json()["proposal"] is None


def test_a_policy_that_was_put_in_the_month_has_a_card_of_its_own(month: House) -> None:
    put = month.storage.policies.put(Policy(name="calm", false_warnings_per_month=0.5), month.now - timedelta(days=7))
    found = month.caller().get("/api/v1/report").json()["cards"]
    assert [(c["policy"]["id"], c["policy"]["name"], c["brand_weeks"], c["incidents"]) for c in found] == [
        (None, "default", 3.0, 6),
        (str(put.id), "calm", 2.0, 0),
    ]


def test_time_when_nobody_watched_a_brand_is_not_counted(month: House) -> None:
    watched(month, month.brand("nueva"), month.now - timedelta(days=7))
    month.brand("sorda")
    (card,) = month.caller().get("/api/v1/report").json()["cards"]
    assert card["brand_weeks"] == 2 * 17.5 / 7 + 1.0
    (card,) = month.caller().get("/api/v1/report?brand=sorda").json()["cards"]
    assert (card["brand_weeks"], card["pages_per_brand_week"]) == (0.0, None)


def test_it_is_about_the_month_and_the_brands_that_are_asked_for(month: House) -> None:
    def incidents(question: str) -> list[Any]:
        return [card["incidents"] for card in month.caller().get(f"/api/v1/report?{question}").json()["cards"]]

    assert incidents("month=2026-10") == [1]
    assert incidents("month=2026-10&brand=aurora") == [0]
    assert incidents("brand=aurora") == [5]
    assert incidents("brand=brisa&brand=aurora") == [6]
    assert incidents("month=2026-12") == []  # it has not begun
    assert month.caller("viewer", ("brisa",)).get("/api/v1/report").json()["cards"][0]["incidents"] == 1


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ("month=2026-13", 422),
        ("month=2026-1", 422),
        ("month=26-11", 422),
        ("month=1969-12", 422),
        ("month=9999-01", 422),
        ("month=２０２６-11", 422),
        ("month=9998-11", 200),
        ("month=1970-02", 200),
        ("brand=nobody", 404),
        ("months=2026-11", 422),
    ],
)
def test_a_question_that_means_nothing_is_refused(house: House, question: str, status: int) -> None:
    assert house.caller().get(f"/api/v1/report?{question}").status_code == status


def test_a_key_for_one_brand_gets_no_report_of_another(month: House) -> None:
    limited = month.caller("admin", ("brisa",))
    assert limited.get("/api/v1/report?brand=aurora").status_code == 404
    assert limited.get("/api/v1/report").json()["brands"] == 1


@pytest.mark.parametrize(
    ("month", "before", "after"), [("2026-11", "2026-10", "2026-12"), ("2026-12", "2026-11", "2027-01")]
)
def test_months_have_neighbours(month: str, before: str, after: str) -> None:
    assert (neighbour(month, -1), neighbour(month, 1)) == (before, after)
    assert neighbour(after, -1) == month
