"""Why this tone, over HTTP: the sentence word by word, for whom the key covers, where the quality tier is here."""

import asyncio
from dataclasses import replace
from threading import Event, get_ident
from typing import Any

import pytest

from app.api.deps import WAITING
from app.api.mentions import WeighedBody
from app.model import Brand
from collectors.base import Source
from tests.app.api.house import House
from tests.app.sentiment.sentence import Sentence


@pytest.fixture
def sentence(house: House) -> Sentence:
    made = Sentence()
    house.deps = replace(house.deps, scorer=made)
    return made


def heard(house: House, brand: Brand, source: Source, title: str, text: str, language: str = "es", **post: Any) -> str:
    """A mention, and the address of its evidence."""
    house.hear(source, house.item(title, {brand: "negative"}, text=text, heard={"language": language}, **post))
    return f"/api/v1/mentions/{brand.slug}/{house.mention(title, brand.slug).post_id}/evidence"


def test_it_says_what_each_word_is_worth_and_of_which_reading(
    house: House, aurora: Brand, diario: Source, sentence: Sentence
) -> None:
    url = heard(house, aurora, diario, "Café Aurora", "No está mal")
    answer = house.caller("viewer", ("aurora",)).get(url)
    assert answer.status_code == 200, answer.text
    assert WeighedBody.model_validate_json(answer.content).model_dump(mode="json") == answer.json()
    found = answer.json()
    assert (found["label"], found["scorer"]) == ("positive", sentence.id)
    assert found["score"] > 0
    assert [(one["text"], one["start"]) for one in found["evidence"]] == [("No", 12), ("mal", 20), ("Café", 0)]


def test_it_is_kept_nowhere(house: House, aurora: Brand, diario: Source, sentence: Sentence) -> None:
    url = heard(house, aurora, diario, "a", "No está mal")
    caller = house.caller()
    before = caller.get(url.removesuffix("/evidence")).json()
    tag = caller.get("/api/v1/mentions").headers["etag"]
    assert caller.get(url).json()["label"] != before["label"]
    assert caller.get(url.removesuffix("/evidence")).json() == before
    assert caller.get("/api/v1/mentions").headers["etag"] == tag


@pytest.mark.parametrize(
    ("title", "text", "post", "said"),
    [
        ("Fatal", "No está mal", {}, "Fatal\nNo está mal"),
        ("Fatal", "Fatal otra vez", {}, "Fatal otra vez"),
        ("Fatal", "No está mal", {"reply": True}, "No está mal"),
        ("Fatal", "", {}, "Fatal"),
    ],
)
def test_it_hears_the_text_that_was_heard(
    house: House, aurora: Brand, diario: Source, sentence: Sentence, title: str, text: str, post: Any, said: str
) -> None:
    house.caller().get(heard(house, aurora, diario, title, text, **post))
    assert sentence.heard[0][0] == said


def test_of_what_its_author_took_back_nothing_is_left_to_weigh(
    house: House, aurora: Brand, diario: Source, sentence: Sentence
) -> None:
    url = heard(house, aurora, diario, "a", "No está mal")
    house.takes_back(diario, "a")
    assert house.caller().get(url).json()["evidence"] == []
    assert sentence.heard == [["", ""]]


def test_a_text_in_a_language_that_nobody_hears_has_none(
    house: House, aurora: Brand, diario: Source, sentence: Sentence
) -> None:
    found = house.caller().get(heard(house, aurora, diario, "a", "mal", language="ca")).json()
    assert (found["label"], found["score"], found["evidence"]) == ("unknown", None, [])


def test_where_the_fast_tier_hears_alone_it_says_that_there_is_nothing_to_add(
    house: House, aurora: Brand, diario: Source
) -> None:
    answer = house.caller().get(heard(house, aurora, diario, "a", "No está mal"))
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert answer.json()["code"] == "conflict"
    assert answer.json()["detail"].startswith("The fast tier alone hears here")


@pytest.mark.parametrize("place", ["aurora/1", "aurora/x", "aurora/-1", f"aurora/{2**63}", "nobody/1"])
def test_what_is_not_there_has_none(house: House, aurora: Brand, sentence: Sentence, place: str) -> None:
    answer = house.caller().get(f"/api/v1/mentions/{place}/evidence")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_key_that_does_not_cover_the_brand_learns_as_little_as_of_the_mention(
    house: House, aurora: Brand, diario: Source, sentence: Sentence
) -> None:
    house.brand("brisa")
    url = heard(house, aurora, diario, "a", "No está mal")
    limited, whole = house.caller("admin", ("brisa",)), house.caller("viewer", ("aurora",))
    for address in (url, url.replace("aurora", "nobody")):
        answer, mention = limited.get(address), limited.get(address.removesuffix("/evidence"))
        assert (answer.status_code, answer.text) == (mention.status_code, mention.text) == (404, mention.text)
    assert sentence.heard == []
    assert whole.get(url).status_code == 200  # the control: it is the key that makes the difference


def test_what_is_asked_besides_is_refused(house: House, aurora: Brand, diario: Source, sentence: Sentence) -> None:
    assert house.caller().get(heard(house, aurora, diario, "a", "mal") + "?words=9").status_code == 422


def test_only_one_is_worked_out_at_a_time_and_nobody_else_waits_for_it(
    house: House, aurora: Brand, diario: Source
) -> None:
    """Of a crowd, those who would wait too long are told so."""
    begun, go_on = Event(), Event()
    threads: list[int] = []

    class Slow(Sentence):
        def score(self, *asked: Any) -> Any:
            threads.append(get_ident())
            begun.set()
            assert go_on.wait(20)
            return super().score(*asked)

    house.deps = replace(house.deps, scorer=Slow())
    url = heard(house, aurora, diario, "a", "No está mal")
    http = house.caller().http

    async def story() -> list[int]:
        asked = [asyncio.create_task(http.get(url)) for _ in range(1 + WAITING)]
        await asyncio.to_thread(begun.wait, 20)
        while house.deps.thinker.statistics().tasks_waiting < WAITING:
            await asyncio.sleep(0)
        refused = await http.get(url)
        assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (
            503,
            "unavailable",
            "60",
        )
        other = await http.get("/api/v1/mentions")
        assert (other.status_code, len(threads)) == (200, 1)
        assert not any(one.done() for one in asked)
        go_on.set()
        return [(await one).status_code for one in asked]

    assert house.loop.run_until_complete(story()) == [200] * (1 + WAITING)
    assert get_ident() not in threads
