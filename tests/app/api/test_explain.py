"""Why something is a mention or none, over the API, and never more than the key covers."""

from typing import Any

import pytest

from tests.app.api.house import Client, House

URL = "/api/v1/explain"
HERE = "https://tienda.example/r/1"


@pytest.fixture
def told(house: House) -> House:
    """An inbox of two brands, with a post about one of them, and an item that could not be read."""
    house.brand("aurora")
    house.brand("boreal")
    house.source("both", kind="inbox", url="https://tienda.example/", brands=("aurora", "boreal"))
    good = {"id": "1", "text": "Boreal, otra vez.", "url": HERE, "published_at": "2026-11-18T11:30:00Z"}
    bad = {"id": "2", "text": "Aurora", "url": f"{HERE}/bad", "rating": 7}
    answer = house.caller().post("/api/v1/posts", json={"source": "both", "posts": [good, bad]})
    assert (answer.json()["stored"], answer.json()["refused"]) == (1, 1)
    return house


def ask(client: Client, **question: str) -> dict[str, Any]:
    answer = client.get(URL, params=question)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def codes(found: dict[str, Any]) -> dict[str, list[str]]:
    return {answer["brand"]: [cause["code"] for cause in answer["causes"]] for answer in found["answers"]}


def test_it_answers_for_every_brand_or_for_one(told: House) -> None:
    client = told.caller("viewer")
    assert codes(ask(client, url=HERE)) == {"aurora": ["no_match"], "boreal": ["mention"]}
    found = ask(client, url=HERE, brand="boreal")
    assert codes(found) == {"boreal": ["mention"]}
    facts = found["answers"][0]["causes"][0]["facts"]
    assert facts["bins"] == [
        {"start": "2026-11-18T11:30:00Z", "width_s": 300},
        {"start": "2026-11-18T11:00:00Z", "width_s": 3600},
    ]
    assert [post["source"] for post in found["posts"]] == ["both"]


def test_a_text_is_judged_as_it_stands(told: House) -> None:
    assert codes(ask(told.caller(), text="Aurora abre", brand="aurora")) == {"aurora": ["would_match", "not_stored"]}


@pytest.mark.parametrize(
    "question", [{}, {"url": HERE, "text": "x"}, {"url": "aurora"}, {"text": ""}, {"text": "x" * 5_001}]
)
def test_what_cannot_be_asked_is_said(told: House, question: dict[str, str]) -> None:
    answer = told.caller().get(URL, params=question)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_limited_key_learns_of_no_brand_beyond_it(told: House) -> None:
    limited = told.caller("admin", ("aurora",))
    assert codes(ask(limited, url=HERE)) == {"aurora": ["no_match"]}
    assert "boreal" not in limited.get(URL, params={"url": HERE}).text.lower()
    theirs = limited.get(URL, params={"url": HERE, "brand": "boreal"})
    nobodys = limited.get(URL, params={"url": HERE, "brand": "nobody"})
    assert (theirs.status_code, theirs.json()) == (404, nobodys.json())


def test_a_limited_key_learns_of_no_source_that_feeds_others_only(told: House) -> None:
    told.source("both", kind="inbox", url="https://tienda.example/", brands=("boreal",))
    found = ask(told.caller("admin", ("aurora",)), url=HERE)
    assert (found["posts"], codes(found)) == ([], {"aurora": ["no_source"]})
    assert codes(ask(told.caller(), url=HERE, brand="aurora")) == {"aurora": ["other_source"]}


def test_the_quarantine_of_a_source_that_feeds_others_too_is_not_shown(told: House) -> None:
    assert codes(ask(told.caller(), url=f"{HERE}/bad", brand="aurora")) == {"aurora": ["quarantined"]}
    assert codes(ask(told.caller("admin", ("aurora",)), url=f"{HERE}/bad")) == {"aurora": ["not_in_source"]}
