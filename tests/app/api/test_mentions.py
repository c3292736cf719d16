"""Mentions over HTTP: filters, pages, entity tags, and what is wrong said in words."""

from datetime import timedelta
from typing import Any

import pytest

from app.api.mentions import MentionPage
from app.api.params import write_cursor
from app.model import Brand, Evidence
from collectors.base import Source
from tests.app.api.house import NOON, Client, House


def keys(caller: Client, query: str = "") -> list[str]:
    answer = caller.get(f"/api/v1/mentions{query}")
    assert answer.status_code == 200, answer.text
    return [item["title"] for item in answer.json()["items"]]


def test_it_lists_them_newest_first(house: House, aurora: Brand, diario: Source) -> None:
    ages = {"old": 3, "new": 1, "middle": 2}
    house.hear(diario, *(house.item(k, {aurora: "neutral"}, age=timedelta(hours=h)) for k, h in ages.items()))
    assert keys(house.caller("viewer")) == ["new", "middle", "old"]


def test_it_tells_all_that_is_known_of_one(house: House, aurora: Brand, diario: Source) -> None:
    evidence = (Evidence(2, 10, "Terrible", -2.1),)
    heard = {"components": {"fast": -0.4, "quality": -0.8}, "provisional": True}
    item = house.item("a", {aurora: "negative"}, title="T", text="Terrible coffee.", evidence=evidence, heard=heard)
    house.hear(diario, item)
    item = house.caller().get("/api/v1/mentions").json()["items"][0]
    assert item.pop("post_id") == item.pop("story_id")
    assert item == {
        "brand": "aurora",
        "copy": False,
        "backfill": False,
        "source": "diario",
        "title": "T",
        "text": "Terrible coffee.",
        "url": "https://news.example/a",
        "author": "Ana",
        "site": "news.example",
        "published_at": "2026-11-18T12:00:00Z",
        "fetched_at": "2026-11-18T12:00:00Z",
        "edited_at": None,
        "withdrawn_at": None,
        "engagement": {},
        "reach": None,
        "rating": None,
        "label": "negative",
        "score": -0.6,
        "sentiment": {
            "label": "negative",
            "score": -0.6,
            "probabilities": {"negative": 0.7, "neutral": 0.2, "positive": 0.1},
            "confidence": 0.7,
            "uncertain": False,
            "evidence": [{"start": 2, "end": 10, "text": "Terrible", "weight": -2.1}],
            "language": "en",
            "language_confidence": 0.9,
            "scorer": "test/1",
            "scored_at": "2026-11-18T12:00:00Z",
            "provisional": True,
            "components": {"fast": -0.4, "quality": -0.8},
        },
        "correction": None,
        "was": None,
    }


def test_it_tells_what_became_of_it(house: House, aurora: Brand, diario: Source) -> None:
    counted = {"engagement": {"likes": 4, "replies": 0}, "reach": 900, "rating": 2}
    house.hear(diario, house.item("a", {aurora: "negative"}, text="Before.", **counted))
    house.hear(diario, house.item("a", {}, text="After.", **counted))
    caller = house.caller()
    mention = caller.get("/api/v1/mentions").json()["items"][0]
    assert {name: mention[name] for name in counted} == counted
    assert (mention["text"], mention["edited_at"]) == ("After.", "2026-11-18T12:00:00Z")
    address = f"/api/v1/mentions/aurora/{mention['post_id']}/versions"
    version = {"at": "2026-11-18T12:00:00Z", "title": "a", "text": "Before."}
    assert caller.get(address).json() == {"items": [version]}
    assert house.caller(brands=("other",)).get(address).status_code == 404
    assert caller.get("/api/v1/mentions/aurora/1/versions").status_code == 404
    (post,) = caller.get("/api/v1/posts").json()["items"]
    assert {name: post[name] for name in counted} == counted
    assert (post["edited_at"], post["withdrawn_at"]) == ("2026-11-18T12:00:00Z", None)


def test_what_was_taken_back_is_told_without_its_words(house: House, aurora: Brand, diario: Source) -> None:
    house.hear(diario, house.item("a", {aurora: "negative"}, text="Before."))
    house.takes_back(diario, "a")
    (mention,) = house.caller().get("/api/v1/mentions").json()["items"]
    assert (mention["withdrawn_at"], mention["label"]) == ("2026-11-18T12:00:00Z", "negative")
    assert [mention[name] for name in ("title", "text", "url", "author")] == ["", "", None, None]
    page = house.visitor(language="es").get("/brands/aurora").text
    assert "Su autor la retiró" in page


def test_unknown_is_its_own_tone_without_a_score(house: House, aurora: Brand, diario: Source) -> None:
    house.hear(diario, house.item("a", {aurora: "unknown"}), house.item("b", {aurora: "neutral"}))
    caller = house.caller()
    assert keys(caller, "?label=neutral") == ["b"]
    assert keys(caller, "?label=unknown") == ["a"]
    (unknown,) = caller.get("/api/v1/mentions?label=unknown").json()["items"]
    assert (unknown["label"], unknown["score"]) == ("unknown", None)
    sentiment = unknown["sentiment"]
    assert (sentiment["score"], sentiment["probabilities"], sentiment["confidence"]) == (None, None, None)
    assert sentiment["uncertain"] is False


def test_the_uncertain_ones_are_found_for_review(house: House, aurora: Brand, diario: Source) -> None:
    close = {"probabilities": (0.45, 0.35, 0.2)}
    house.hear(
        diario,
        house.item("close", {aurora: "negative"}, heard=close),
        house.item("clear", {aurora: "negative"}, age=timedelta(hours=1)),
        house.item("unheard", {aurora: "unknown"}, age=timedelta(hours=2)),
    )
    caller = house.caller("viewer")
    assert keys(caller, "?uncertain=true") == ["close"]
    assert keys(caller, "?uncertain=false") == ["clear", "unheard"]
    assert keys(caller, "?uncertain=true&label=positive") == []
    (item,) = caller.get("/api/v1/mentions?uncertain=true").json()["items"]
    assert (item["sentiment"]["uncertain"], item["sentiment"]["confidence"]) == (True, 0.45)


def test_what_a_person_labelled_is_found_and_its_label_is_what_counts(
    house: House, aurora: Brand, diario: Source
) -> None:
    house.hear(diario, house.item("a", {aurora: "negative"}), house.item("b", {aurora: "negative"}))
    url = f"/api/v1/mentions/aurora/{house.mention('a').post_id}/correction"
    caller = house.caller()
    assert caller.put(url, json={"label": "positive"}).status_code == 200
    assert keys(caller, "?corrected=true") == ["a"]
    assert keys(caller, "?corrected=false") == ["b"]
    assert keys(caller, "?label=positive") == ["a"]
    assert keys(caller, "?label=negative") == ["b"]


def test_its_filters_add_up(house: House, aurora: Brand, diario: Source) -> None:
    other, second = house.brand("brisa"), house.source("second")
    house.hear(
        diario,
        house.item("a", {aurora: "negative"}, text="cold coffee", age=timedelta(hours=1)),
        house.item("b", {aurora: "positive"}, text="warm coffee", age=timedelta(hours=2)),
        house.item("c", {other: "negative"}, text="no signal", age=timedelta(hours=3)),
    )
    house.hear(second, house.item("d", {aurora: "negative"}, text="cold tea", age=timedelta(hours=4)))
    caller = house.caller("viewer")
    assert keys(caller, "?brand=aurora") == ["a", "b", "d"]
    assert keys(caller, "?brand=aurora&brand=brisa&label=negative") == ["a", "c", "d"]
    assert keys(caller, "?source=second") == ["d"]
    assert keys(caller, "?text=COLD") == ["a", "d"]
    assert keys(caller, "?text=coffee&label=positive") == ["b"]
    assert keys(caller, "?language=en&source=diario&label=negative&label=positive") == ["a", "b", "c"]
    assert keys(caller, "?language=es") == []
    assert keys(caller, "?since=2026-11-18T09:30:00Z&until=2026-11-18T10:30:00Z") == ["b"]
    assert keys(caller, "?since=2026-11-18T10:30:00%2B01:00&until=2026-11-18T11:30:00+01:00") == ["b"]


def test_its_pages_follow_each_other_without_loss_or_repeat(house: House, aurora: Brand, diario: Source) -> None:
    other = house.brand("brisa")
    both = [
        house.item(f"p{i}", {aurora: "neutral", other: "neutral"}, age=timedelta(minutes=i // 3)) for i in range(10)
    ]
    house.hear(diario, *both)
    caller, seen, cursor = house.caller(), [], ""
    for _ in range(20):
        page = caller.get(f"/api/v1/mentions?limit=3{cursor}").json()
        seen += [(item["brand"], item["post_id"]) for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(seen) == len(set(seen)) == 20


def test_it_answers_304_until_something_new_is_heard(house: House, aurora: Brand, diario: Source) -> None:
    caller = house.caller()
    house.hear(diario, house.item("a", {aurora: "neutral"}))
    tag = caller.get("/api/v1/mentions?brand=aurora").headers["etag"]
    same = caller.get("/api/v1/mentions?brand=aurora", headers={"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert caller.get("/api/v1/mentions?brand=aurora&limit=7", headers={"If-None-Match": tag}).status_code == 200
    house.hear(diario, house.item("b", {aurora: "neutral"}))
    assert caller.get("/api/v1/mentions?brand=aurora", headers={"If-None-Match": tag}).status_code == 200


def test_an_answer_is_kept_by_nobody_else(house: House, aurora: Brand) -> None:
    headers = house.caller().get("/api/v1/mentions").headers
    assert headers["cache-control"] == "private, no-cache"
    assert headers["vary"] == "Authorization"


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("label=angry", "query.label.0"),
        ("since=yesterday", "query.since"),
        ("since=2026-11-18T09:00:00", "query.since"),
        ("since=0001-01-01T00:00:00Z", "query.since"),
        ("since=9999-12-31T23:59:59-10:00", "query.since"),
        ("since=20000000000000", "query.since"),
        ("since=2026-11-18T09:00:00Z&until=2026-11-18T09:00:00Z", "query.since"),
        ("cursor=nonsense", "query.cursor"),
        ("cursor=" + write_cursor("posts", NOON, 1), "query.cursor"),
        ("cursor=" + write_cursor("mentions", NOON, 1), "query.cursor"),
        ("cursor=" + write_cursor("mentions", NOON, 1, 2**63), "query.cursor"),
        ("cursor=" + write_cursor("mentions", "x", 1, 1), "query.cursor"),
        ("cursor=" + "A" * 501, "query.cursor"),
        ("limit=0", "query.limit"),
        ("limit=501", "query.limit"),
        ("limit=x", "query.limit"),
        ("text=", "query.text"),
        ("language=spanish", "query.language.0"),
        ("uncertain=perhaps", "query.uncertain"),
        ("corrected=", "query.corrected"),
        ("sort=score", "query.sort"),
    ],
)
def test_what_is_wrong_in_a_question_is_said(house: House, query: str, where: str) -> None:
    answer = house.caller().get(f"/api/v1/mentions?{query}")
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert problem["code"] == "invalid"
    assert [error["where"] for error in problem["errors"]] == [where]
    assert problem["detail"].startswith(where)


def test_a_source_that_is_not_there_or_not_covered_is_said_and_never_looks_calm(
    house: House, aurora: Brand, diario: Source
) -> None:
    house.brand("brisa")
    house.source("ajeno", brands=("brisa",))
    for query in ("source=nope", "source=diario&source=nope", "brand=nope"):
        answer = house.caller().get(f"/api/v1/mentions?{query}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    limited = house.caller("viewer", ("aurora",))
    uncovered, absent = (limited.get(f"/api/v1/mentions?source={slug}") for slug in ("ajeno", "nope"))
    assert (uncovered.status_code, uncovered.text) == (absent.status_code, absent.text) == (404, absent.text)
    assert limited.get("/api/v1/mentions?source=diario").status_code == 200
    assert house.caller().get("/api/v1/mentions?source=ajeno").status_code == 200


@pytest.mark.parametrize("text", ['"', "NEAR(", "a AND", "*", "';--", "%", "\\", "a" * 200, "ñandú"])
def test_any_words_may_be_looked_for(house: House, aurora: Brand, diario: Source, text: str) -> None:
    house.hear(diario, house.item("a", {aurora: "neutral"}, text="nothing of it"))
    answer = house.caller().get("/api/v1/mentions", params={"text": text})
    assert answer.status_code == 200, answer.text


def test_it_gives_one_by_its_brand_and_post(house: House, aurora: Brand, diario: Source) -> None:
    house.hear(diario, house.item("a", {aurora: "neutral"}))
    caller = house.caller()
    listed = caller.get("/api/v1/mentions").json()["items"][0]
    assert caller.get(f"/api/v1/mentions/aurora/{listed['post_id']}").json() == listed
    for nothing in ("aurora/1", "aurora/x", f"aurora/{2**63}", "aurora/-1", "brisa/1"):
        assert caller.get(f"/api/v1/mentions/{nothing}").status_code == 404


def test_its_bytes_are_what_the_schema_promises(house: House, aurora: Brand, diario: Source) -> None:
    house.hear(diario, *(house.item(f"{tone}", {aurora: tone}) for tone in ("negative", "unknown")))
    answer = house.caller().get("/api/v1/mentions?limit=1")
    assert MentionPage.model_validate_json(answer.content).model_dump(mode="json", by_alias=True) == answer.json()
