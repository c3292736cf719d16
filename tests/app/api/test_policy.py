"""The policy over HTTP: one dial, a noise budget, a reason where it is passed, and a history that is kept."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, insert

from app.api.policy import CurrentPolicy, PolicyPage
from app.tables import backtests
from tests.app.api.house import House

TOML = {"Content-Type": "application/toml"}
BUILT_IN = {
    "id": None,
    "name": "default",
    "false_warnings_per_month": 1.0,
    "reason": "",
    "actor": None,
    "at": None,
    "backtest": None,
    "noise_budget": 1.0,
}


def backtest(house: House, name: str, pages: float, dial: float = 1.0) -> None:
    """A backtest that measured so many pages per brand and month with this dial."""
    result = {"outcomes": [{"false_warnings_per_month": dial, "pages_per_brand_month": pages}]}
    row = {"id": name, "created_at": house.now, "actor": "Ana", "question": {}, "state": "done", "progress": 1.0}
    engine = create_engine(house.storage._database.place.url)
    with engine.begin() as connection:
        connection.execute(insert(backtests).values(**row, result=result))
    engine.dispose()


def test_it_tells_the_built_in_one_until_another_is_put(house: House) -> None:
    answer = house.caller("viewer").get("/api/v1/policy")
    CurrentPolicy.model_validate_json(answer.content)
    assert answer.json() == BUILT_IN


def test_an_admin_turns_the_dial_and_their_key_stands_beside_it(house: House) -> None:
    ana = house.anybody(Authorization=f"Bearer {house.key('admin', name='Ana')}")
    body = ana.put("/api/v1/policy", json={"false_warnings_per_month": 0.5, "name": "calm"}).json()
    assert body == BUILT_IN | {
        "id": body["id"],
        "name": "calm",
        "false_warnings_per_month": 0.5,
        "actor": "Ana",
        "at": "2026-11-18T12:00:00Z",
    }
    assert ana.get("/api/v1/policy").json() == body
    assert house.storage.policies.current().dial.warning == pytest.approx(0.301, abs=0.001)


def test_every_policy_that_was_put_stays_in_the_history(house: House) -> None:
    admin = house.caller()
    for dial in (0.5, 0.25, 0.75):
        admin.put("/api/v1/policy", json={"false_warnings_per_month": dial})
        house.now += timedelta(hours=1)
    first = admin.get("/api/v1/policies?limit=2")
    PolicyPage.model_validate_json(first.content)
    assert [one["false_warnings_per_month"] for one in first.json()["items"]] == [0.75, 0.25]
    rest = admin.get(f"/api/v1/policies?limit=2&cursor={first.json()['next']}").json()
    assert ([one["false_warnings_per_month"] for one in rest["items"]], rest["next"]) == ([0.5], None)
    assert admin.get("/api/v1/policies?cursor=x").status_code == 422


@pytest.mark.parametrize(
    ("body", "where", "said"),
    [
        ({}, "body.false_warnings_per_month", "is missing"),
        ({"false_warnings_per_month": 0}, "body.false_warnings_per_month", "greater than or equal to 0.001"),
        ({"false_warnings_per_month": 31}, "body.false_warnings_per_month", "less than or equal to 30"),
        ({"false_warnings_per_month": "1"}, "body.false_warnings_per_month", "valid number"),
        ({"false_warnings_per_month": True}, "body.false_warnings_per_month", "valid number"),
        ({"false_warnings_per_month": 1, "dial": 2}, "body.dial", "unknown key"),
        ({"false_warnings_per_month": 1, "reason": "x" * 501}, "body.reason", "at most 500 characters"),
        ({"false_warnings_per_month": 1, "name": " "}, "body.name", "at least 1 character"),
        ({"false_warnings_per_month": 2}, "body.false_warnings_per_month", "the noise budget is 1"),
        ({"false_warnings_per_month": 2, "reason": "  "}, "body.false_warnings_per_month", "Say why in `reason`"),
        (
            {"false_warnings_per_month": 1, "backtest": "loud"},
            "body.backtest",
            "measured 1.6 pages per brand and month",
        ),
        ({"false_warnings_per_month": 0.9, "backtest": "loud"}, "body.backtest", "loud did not try this dial"),
        ({"false_warnings_per_month": 2, "backtest": "loud", "reason": "x"}, "body.backtest", "did not try this dial"),
        ({"false_warnings_per_month": 1, "backtest": "none"}, "body.backtest", "there is no backtest none"),
        ({"false_warnings_per_month": 1, "backtest": "none", "reason": "x"}, "body.backtest", "there is no backtest"),
    ],
)
def test_what_is_wrong_or_too_loud_is_refused_and_changes_nothing(
    house: House, body: dict[str, Any], where: str, said: str
) -> None:
    backtest(house, "loud", 1.6)
    answer = house.caller().put("/api/v1/policy", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where)
    assert said in answer.json()["errors"][0]["message"]
    assert house.storage.policies.page() == []


@pytest.mark.parametrize(
    "body",
    [
        {"false_warnings_per_month": 2, "reason": "launch week"},
        {"false_warnings_per_month": 1},
        {"false_warnings_per_month": 1, "backtest": "quiet"},
        {"false_warnings_per_month": 1, "backtest": "loud", "reason": "we looked at it"},
    ],
)
def test_within_the_budget_or_with_a_reason_it_is_put(house: House, body: dict[str, Any]) -> None:
    backtest(house, "loud", 1.6)
    backtest(house, "quiet", 1.0)
    answer = house.caller().put("/api/v1/policy", json=body)
    assert answer.status_code == 200, answer.text
    assert {key: answer.json()[key] for key in body} == body


def test_the_budget_is_that_of_the_installation_whatever_a_file_over_http_says(house: House) -> None:
    house.deps = replace(house.deps, settings=house.deps.settings.model_copy(update={"noise_budget": 0.2}))
    admin = house.caller()
    assert admin.get("/api/v1/policy").json()["noise_budget"] == 0.2
    assert admin.put("/api/v1/policy", json={"false_warnings_per_month": 0.3}).status_code == 422
    file = "[settings]\nnoise_budget = 10\n[policy]\nfalse_warnings_per_month = 0.3\n"
    answer = admin.post("/api/v1/config/apply", content=file, headers=TOML)
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (
        422,
        "avizor.toml:4 policy.false_warnings_per_month",
    )
    file += 'reason = "quiet enough"\n'
    applied = admin.post("/api/v1/config/apply", content=file, headers=TOML).json()
    assert applied["differences"][0] == {
        "sign": "+",
        "noun": "policy",
        "slug": "default",
        "details": ["false_warnings_per_month: 1.0 -> 0.3", 'reason: "" -> "quiet enough"'],
    }
    assert admin.get("/api/v1/policy").json()["actor"] == "avizor.toml"


@pytest.mark.parametrize(("role", "brands"), [("viewer", None), ("responder", None), ("admin", ("aurora",))])
def test_only_who_runs_the_whole_house_turns_the_dial(house: House, role: Any, brands: Any) -> None:
    caller = house.caller(role, brands)
    assert caller.put("/api/v1/policy", json={"false_warnings_per_month": 0.5}).status_code == 403
    assert caller.get("/api/v1/policy").json()["false_warnings_per_month"] == 1.0
    assert caller.get("/api/v1/policies").json()["items"] == []


def test_a_key_for_some_brands_sees_the_dial_and_not_why(house: House) -> None:
    house.caller().put("/api/v1/policy", json={"false_warnings_per_month": 2, "reason": "the other brand's launch"})
    limited = house.caller("admin", ("aurora",))
    for row in (limited.get("/api/v1/policy").json(), limited.get("/api/v1/policies").json()["items"][0]):
        assert (row["false_warnings_per_month"], row["reason"], row["actor"]) == (2.0, None, None)
