"""Posts in from outside: each item by itself, the same key the same answer, and nobody writes for others' brands."""

from datetime import timedelta
from typing import Any

import pytest

from app.api.submissions import Submission, body_hash
from app.model import Brand
from collectors.base import Source
from tests.app.api.house import Client, House

URL = "/api/v1/posts"


@pytest.fixture
def inbox(house: House, aurora: Brand) -> Source:
    return house.source("reviews", kind="inbox", url=None, brands=(aurora.slug,))


def post(key: str, text: str = "Aurora, otra vez.", **fields: Any) -> dict[str, Any]:
    return {"id": key, "text": text, "published_at": "2026-11-18T11:30:00Z"} | fields


def send(client: Client, *posts: Any, key: str | None = None, source: str = "reviews") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(URL, json={"source": source, "posts": list(posts)}, headers=headers)


def results(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["result"] for item in answer.json()["items"]]


def problem(answer: Any) -> tuple[int, str, str]:
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, body["code"], body["detail"]


# ── item by item ─────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("inbox")
def test_a_bad_item_never_costs_its_neighbours(house: House) -> None:
    answer = send(house.caller(), post("1"), {"id": "2"}, "what", post("4", rating=9), post("5", "Llueve."), post("1"))
    assert results(answer) == ["stored", "refused", "refused", "refused", "stored", "known"]
    body = answer.json()
    assert {name: body[name] for name in ("stored", "known", "edited", "refused")} == {
        "stored": 2,
        "known": 1,
        "edited": 0,
        "refused": 3,
    }
    assert [item["error"]["where"] for item in body["items"] if item["error"]] == [
        "body.posts.1.text",
        "body.posts.2",
        "body.posts.3.rating",
    ]
    assert [item["id"] for item in body["items"]] == ["1", "2", None, "4", "5", "1"]
    assert len(house.storage.posts.page()) == 2
    reasons = [row.reason for row in house.storage.sources.quarantined("reviews")]
    assert "rating: must be a whole number from 1 to 5" in reasons
    assert len(reasons) == 3


@pytest.mark.usefixtures("inbox")
def test_it_says_which_brands_an_item_mentions_and_with_which_label(house: House) -> None:
    first, second = send(house.caller(), post("1"), post("2", "Llueve.")).json()["items"]
    assert first["mentions"] == [{"brand": "aurora", "label": "unknown"}]
    assert second["mentions"] == []
    mention = house.caller().get(f"/api/v1/mentions/aurora/{first['post_id']}").json()
    assert (mention["source"], mention["backfill"], mention["text"]) == ("reviews", False, "Aurora, otra vez.")


@pytest.mark.usefixtures("inbox")
def test_what_was_published_long_ago_is_history_and_the_first_posts_of_an_inbox_are_live(house: House) -> None:
    send(house.caller(), post("new"), post("old", published_at="2026-11-16T09:00:00Z"))
    backfill = {one.post.text: one.backfill for one in house.storage.posts.page()}
    by_time = {one.published_at.day: one.backfill for one in house.storage.posts.page()}
    assert (backfill, by_time) == ({"Aurora, otra vez.": True}, {18: False, 16: True})


@pytest.mark.usefixtures("inbox")
def test_a_post_that_comes_again_is_known_and_with_other_words_it_is_edited(house: House) -> None:
    client = house.caller()
    send(client, post("1"), post("2"))
    house.now += timedelta(minutes=5)
    assert results(send(client, post("1"), post("2", "Aurora, ya no."))) == ["known", "edited"]
    assert sorted(one.post.text for one in house.storage.posts.page()) == ["Aurora, otra vez.", "Aurora, ya no."]


@pytest.mark.usefixtures("inbox")
def test_being_told_makes_an_inbox_well(house: House) -> None:
    send(house.caller(), post("1"))
    source = house.storage.sources.get("reviews")
    assert source is not None
    assert (source.state, source.last_ok_at, source.last_item_at) == ("ok", house.now, house.now)


# ── the whole body ───────────────────────────────────────────────────────────


@pytest.mark.usefixtures("inbox")
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"source": "reviews"},
        {"source": "reviews", "posts": []},
        {"source": "reviews", "posts": [{}] * 501},
        {"source": "reviews", "posts": "all"},
        {"source": "reviews", "posts": [{}], "brand": "aurora"},
    ],
)
def test_a_body_of_another_shape_is_refused_as_a_whole(house: House, body: Any) -> None:
    assert problem(house.caller().post(URL, json=body))[:2] == (422, "invalid")


@pytest.mark.usefixtures("inbox")
@pytest.mark.usefixtures("inbox")
def test_of_a_body_that_is_all_wrong_the_first_hundred_faults_are_told(house: House) -> None:
    answer = house.caller().post(URL, json={f"field{number}": 1 for number in range(20_000)})
    assert problem(answer)[:2] == (422, "invalid")
    assert len(answer.json()["errors"]) == 100


def test_too_large_a_body_is_not_read(house: House) -> None:
    assert problem(send(house.caller(), post("1", "x" * 2_000_000)))[:2] == (413, "too_large")


@pytest.mark.usefixtures("inbox")
def test_hostile_json_costs_an_item_or_a_request_and_nothing_else(house: House) -> None:
    client = house.caller()
    json = {"Content-Type": "application/json"}
    odd = (
        b'{"source": "reviews", "posts": [{"id": "\\ud800", "text": "x"}, {"id": "1", "text": "\\u0000Aurora\\udfff"},'
    )
    odd += b'{"id": "3", "text": "x", "reach": ' + b"9" * 400 + b'}, {"\\ud800": NaN}]}'
    answer = client.post(URL, content=odd, headers={**json, "Idempotency-Key": "odd"})
    assert results(answer) == ["refused", "stored", "refused", "refused"]
    deep = b'{"source": "reviews", "posts": [' + b"[" * 20_000 + b"]" * 20_000 + b"]}"
    assert client.post(URL, content=deep, headers=json).status_code in (200, 400, 422)


# ── the same key ─────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("inbox")
def test_the_same_key_with_the_same_body_has_the_same_answer(house: House) -> None:
    client = house.caller()
    first = send(client, post("1"), {"id": "2"}, key="night-7")
    house.now += timedelta(days=6)
    again = send(client, post("1"), {"id": "2"}, key="night-7")
    assert (again.status_code, again.json()) == (200, first.json())
    assert results(send(client, post("1"), key="another")) == ["known"]


@pytest.mark.usefixtures("inbox")
def test_the_same_key_with_another_body_is_a_conflict_and_stores_nothing(house: House) -> None:
    client = house.caller()
    send(client, post("1"), key="night-7")
    assert problem(send(client, post("2"), key="night-7"))[:2] == (409, "conflict")
    assert len(house.storage.posts.page()) == 1


@pytest.mark.usefixtures("inbox")
def test_a_key_is_forgotten_after_seven_days_and_is_one_sources_own(house: House) -> None:
    house.source("calls", kind="inbox", url=None, brands=("aurora",))
    client = house.caller()
    send(client, post("1"), key="night-7")
    assert results(send(client, post("2"), key="night-7", source="calls")) == ["stored"]
    house.now += timedelta(days=7, seconds=1)
    assert results(send(client, post("2"), key="night-7")) == ["stored"]


@pytest.mark.usefixtures("inbox")
def test_a_key_whose_work_was_cut_off_is_worked_on_again(house: House) -> None:
    client = house.caller()
    source = house.storage.sources.get("reviews")
    assert source is not None
    send(client, post("1"))
    begun = body_hash(Submission(source="reviews", posts=[post("1")]))
    house.storage.submissions.begin(source.id, "cut", begun, house.now)  # its process died before it answered
    assert results(send(client, post("1"), key="cut")) == ["known"]
    assert results(send(client, post("1"), key="cut")) == ["known"]


@pytest.mark.usefixtures("inbox")
def test_too_long_a_key_is_refused(house: House) -> None:
    assert problem(send(house.caller(), post("1"), key="k" * 201))[:2] == (422, "invalid")


# ── who may ──────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("inbox")
def test_a_viewer_may_not_and_a_responder_may(house: House) -> None:
    assert problem(send(house.caller("viewer"), post("1")))[:2] == (403, "forbidden")
    assert results(send(house.caller("responder", ("aurora",)), post("1"))) == ["stored"]


def test_a_key_may_not_write_into_a_source_that_feeds_brands_beyond_it(house: House, aurora: Brand) -> None:
    house.brand("boreal")
    house.source("both", kind="inbox", url=None, brands=("aurora", "boreal"))
    house.source("all", kind="inbox", url=None)
    house.source("theirs", kind="inbox", url=None, brands=("boreal",))
    limited = house.caller("admin", ("aurora",))
    assert problem(send(limited, post("1"), source="both"))[0] == 403
    assert problem(send(limited, post("1"), source="all"))[0] == 403
    assert problem(send(limited, post("1"), source="theirs")) == problem(send(limited, post("1"), source="none"))
    assert "boreal" not in send(limited, post("1"), source="both").text
    assert house.storage.posts.page() == []


@pytest.mark.usefixtures("inbox")
def test_a_stored_answer_shows_no_brand_that_the_key_does_not_cover(house: House) -> None:
    house.brand("boreal")
    house.source("reviews", kind="inbox", url=None, brands=("aurora", "boreal"))
    told = send(house.caller(), post("1", "Aurora y Boreal."), key="k").json()
    assert [heard["brand"] for heard in told["items"][0]["mentions"]] == ["aurora", "boreal"]
    house.source("reviews", kind="inbox", url=None, brands=("aurora",))
    again = send(house.caller("responder", ("aurora",)), post("1", "Aurora y Boreal."), key="k").json()
    assert [heard["brand"] for heard in again["items"][0]["mentions"]] == ["aurora"]


@pytest.mark.usefixtures("inbox")
def test_only_an_inbox_that_is_enabled_is_told(house: House) -> None:
    assert problem(send(house.caller(), post("1"), source="re\0views"))[0] == 404
    house.source("news")
    house.source("closed", kind="inbox", url=None, enabled=False)
    client = house.caller()
    assert problem(send(client, post("1"), source="news"))[0] == 422
    assert problem(send(client, post("1"), source="closed"))[0] == 409
    assert problem(send(client, post("1"), source="nowhere"))[0] == 404
