"""A person's word on a tone: it wins, it is audited, it can be taken back, and nobody gives it for another's brand."""

from datetime import timedelta
from typing import Any

import pytest

from app.api.corrections import CorrectionPage
from app.api.mentions import MentionBody
from app.api.params import write_cursor
from app.model import Brand, Role
from app.storage.records import Rescored
from collectors.base import Source
from tests.app.api.house import NOON, Client, House


@pytest.fixture
def url(house: House, aurora: Brand, diario: Source) -> str:
    """The address of the correction of a mention that the scorer takes for negative."""
    house.hear(diario, house.item("a", {aurora: "negative"}, text="Not bad at all."))
    return f"/api/v1/mentions/aurora/{house.mention('a').post_id}/correction"


def trail(caller: Client, query: str = "") -> list[tuple[str | None, str, str, str]]:
    answer = caller.get(f"/api/v1/corrections{query}")
    assert answer.status_code == 200, answer.text
    return [(one["label"], one["was"], one["by"], one["note"]) for one in answer.json()["items"]]


def test_a_persons_word_wins_and_says_whose_it_is(house: House, url: str) -> None:
    house.now = NOON + timedelta(minutes=3)
    answer = house.caller("responder").put(url, json={"label": "positive", "note": "  A litotes.  "})
    assert answer.status_code == 200, answer.text
    assert MentionBody.model_validate_json(answer.content).model_dump(mode="json", by_alias=True) == answer.json()
    mention = answer.json()
    assert (mention["label"], mention["score"]) == ("positive", 1.0)
    assert (mention["sentiment"]["label"], mention["sentiment"]["score"]) == ("negative", -0.6)
    assert mention["correction"] == {
        "label": "positive",
        "by": "responder of the tests",
        "at": "2026-11-18T12:03:00Z",
        "note": "A litotes.",
    }
    assert house.caller("viewer").get(url.removesuffix("/correction")).json() == mention


def test_it_may_say_that_there_is_no_tone_to_count(house: House, url: str) -> None:
    mention = house.caller().put(url, json={"label": "unknown"}).json()
    assert (mention["label"], mention["score"], mention["correction"]["note"]) == ("unknown", None, "")


def test_taken_back_the_scorers_word_counts_again(house: House, url: str) -> None:
    caller = house.caller("responder")
    before = caller.get(url.removesuffix("/correction")).json()
    caller.put(url, json={"label": "positive"})
    answer = caller.delete(url)
    assert (answer.status_code, answer.json()) == (200, before)


def test_saying_it_twice_changes_nothing(house: House, url: str) -> None:
    caller = house.caller("responder")
    assert caller.delete(url).json()["correction"] is None
    assert trail(caller) == []
    first = caller.put(url, json={"label": "positive", "note": "why"})
    tag = caller.get("/api/v1/mentions").headers["etag"]
    house.now = NOON + timedelta(hours=1)
    assert caller.put(url, json={"label": "positive", "note": "why"}).json() == first.json()
    assert caller.get("/api/v1/mentions").headers["etag"] == tag
    assert trail(caller) == [("positive", "negative", "responder of the tests", "why")]
    caller.delete(url)
    caller.delete(url)
    assert [label for label, *_ in trail(caller)] == [None, "positive"]


def test_the_trail_keeps_every_word_with_whose_it_was(house: House, url: str) -> None:
    ana = house.anybody(Authorization=f"Bearer {house.key('responder', name='Ana')}")
    leo = house.anybody(Authorization=f"Bearer {house.key('admin', name='Leo')}")
    ana.put(url, json={"label": "positive", "note": "A litotes."})
    leo.put(url, json={"label": "neutral"})
    ana.delete(url)
    assert trail(house.caller("viewer")) == [
        (None, "neutral", "Ana", ""),
        ("neutral", "positive", "Leo", ""),
        ("positive", "negative", "Ana", "A litotes."),
    ]
    assert trail(leo, "?in_force=true") == []
    leo.put(url, json={"label": "neutral", "note": "again"})
    assert trail(leo, "?in_force=true") == [("neutral", "negative", "Leo", "again")]


def test_a_line_of_the_trail_says_of_which_text_it_is(house: House, url: str) -> None:
    caller = house.caller("responder")
    post_id = url.split("/")[-2]
    caller.put(url, json={"label": "positive"})
    answer = caller.get("/api/v1/corrections?brand=aurora")
    assert CorrectionPage.model_validate_json(answer.content).model_dump(mode="json") == answer.json()
    (line,) = answer.json()["items"]
    assert (line["brand"], line["post_id"], line["story_id"]) == ("aurora", post_id, post_id)
    assert (line["title"], line["text"], line["machine"]) == ("a", "Not bad at all.", "negative")


def test_its_pages_follow_each_other(house: House, url: str) -> None:
    caller = house.caller()
    labels = ["positive", "neutral", "negative", "unknown", "positive"]
    for label in labels:
        caller.put(url, json={"label": label})
    seen: list[Any] = []
    cursor = ""
    while True:
        answer = caller.get(f"/api/v1/corrections?limit=2{cursor}").json()
        seen += [one["label"] for one in answer["items"]]
        if answer["next"] is None:
            break
        cursor = f"&cursor={answer['next']}"
    assert seen == labels[::-1]


def test_it_holds_for_all_copies_of_the_text_also_later_ones(house: House, aurora: Brand, diario: Source) -> None:
    house.hear(diario, *(house.item(k, {aurora: "negative"}, story="one") for k in ("a", "b")))
    caller = house.caller()
    caller.put(f"/api/v1/mentions/aurora/{house.mention('b').post_id}/correction", json={"label": "neutral"})
    house.hear(diario, house.item("later", {aurora: "negative"}, story="one"))
    items = caller.get("/api/v1/mentions").json()["items"]
    assert {(m["title"], m["label"], m["sentiment"]["label"]) for m in items} == {
        ("a", "neutral", "negative"),
        ("b", "neutral", "negative"),
        ("later", "neutral", "negative"),
    }
    assert len(trail(caller)) == 1


def test_no_scorer_overrules_a_person(house: House, aurora: Brand, url: str) -> None:
    caller = house.caller()
    caller.put(url, json={"label": "positive"})
    mention = house.mention("a")
    heard_anew = house.item("a", {aurora: "neutral"}, heard={"scorer": "test/2"}).sentiments[aurora.id]
    house.storage.mentions.restate([Rescored(aurora.id, mention.post_id, heard_anew)], house.now)
    shown = caller.get(url.removesuffix("/correction")).json()
    assert (shown["label"], shown["correction"]["label"]) == ("positive", "positive")


def test_a_second_hearing_shows_what_it_was_and_changes_the_tag(house: House, aurora: Brand, url: str) -> None:
    caller = house.caller()
    asked = "/api/v1/mentions?brand=aurora"
    tags = [caller.get(path).headers["etag"] for path in (asked, "/api/v1/brands/aurora/feed.json")]
    mention = house.mention("a")
    heard_anew = house.item("a", {aurora: "positive"}, heard={"scorer": "test/2"}).sentiments[aurora.id]
    house.now = NOON + timedelta(minutes=5)
    house.storage.mentions.restate([Rescored(aurora.id, mention.post_id, heard_anew)], house.now)
    shown = caller.get(asked, headers={"If-None-Match": tags[0]})
    assert shown.status_code == 200
    (item,) = shown.json()["items"]
    assert (item["label"], item["was"], item["sentiment"]["scored_at"]) == (
        "positive",
        "negative",
        "2026-11-18T12:05:00Z",
    )
    feed = caller.get("/api/v1/brands/aurora/feed.json", headers={"If-None-Match": tags[1]})
    assert feed.status_code == 200


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("responder", 200), ("admin", 200)])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_only_who_responds_may_correct(house: House, url: str, method: str, role: Role, status: int) -> None:
    how = {"json": {"label": "positive"}} if method == "PUT" else {}
    answer = house.caller(role).request(method, url, **how)
    assert answer.status_code == status
    assert house.mention("a").label == ("positive" if (method, status) == ("PUT", 200) else "negative")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_brand_that_is_not_covered_and_one_that_does_not_exist_answer_alike(
    house: House, url: str, method: str
) -> None:
    caller = house.caller("admin", ("brisa",))
    how = {"json": {"label": "positive"}} if method == "PUT" else {}
    covered = caller.request(method, url, **how)
    absent = caller.request(method, url.replace("aurora", "nobody"), **how)
    assert (covered.status_code, covered.text) == (absent.status_code, absent.text) == (404, absent.text)
    assert covered.headers["content-type"] == "application/problem+json"
    assert house.mention("a").correction is None


def test_a_key_reads_the_trail_of_its_own_brands_only(house: House, aurora: Brand, url: str) -> None:
    other = house.brand("brisa")
    house.hear(house.source("second"), house.item("b", {other: "negative"}))
    caller = house.caller()
    caller.put(url, json={"label": "positive"})
    caller.put(f"/api/v1/mentions/brisa/{house.mention('b', 'brisa').post_id}/correction", json={"label": "neutral"})
    assert [label for label, *_ in trail(caller)] == ["neutral", "positive"]
    limited = house.caller("viewer", ("brisa",))
    assert [label for label, *_ in trail(limited)] == ["neutral"]
    uncovered, absent = (limited.get(f"/api/v1/corrections?brand={slug}") for slug in ("aurora", "nobody"))
    assert (uncovered.status_code, uncovered.text) == (absent.status_code, absent.text) == (404, absent.text)


@pytest.mark.parametrize("place", ["aurora/1", "aurora/x", "aurora/-1", f"aurora/{2**63}", "nobody/1"])
def test_what_is_not_there_cannot_be_corrected(house: House, url: str, place: str) -> None:
    answer = house.caller().put(f"/api/v1/mentions/{place}/correction", json={"label": "neutral"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "body.label"),
        ({"label": "angry"}, "body.label"),
        ({"label": None}, "body.label"),
        ({"label": "neutral", "note": "x" * 501}, "body.note"),
        ({"label": "neutral", "by": "somebody else"}, "body.by"),
        ([], "body"),
    ],
)
def test_what_is_wrong_with_a_correction_is_said(house: House, url: str, body: Any, where: str) -> None:
    answer = house.caller().put(url, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [error["where"] for error in answer.json()["errors"]] == [where]
    assert house.mention("a").correction is None


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=" + write_cursor("posts", 1), "limit=0", "in_force=perhaps", "colour=red"]
)
def test_what_is_wrong_with_a_question_is_said(house: House, query: str) -> None:
    assert house.caller().get(f"/api/v1/corrections?{query}").status_code == 422


@pytest.mark.parametrize("note", ["<script>alert(1)</script>", "\x00 nul", "\u202eeslaf", "ñandú 😡"])
def test_any_words_may_stand_in_a_note(house: House, url: str, note: str) -> None:
    answer = house.caller().put(url, json={"label": "neutral", "note": note})
    assert answer.status_code == 200, answer.text
    assert trail(house.caller())[0][0] == "neutral"
