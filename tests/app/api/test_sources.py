"""Sources over HTTP: how well each is heard, what could not be read, and asking one now."""

from datetime import timedelta
from typing import Any

from app.api.sources import SourceList
from app.storage.records import CollectBatch, Failure
from collectors.base import Reject
from tests.app.api.house import NOON, House


def fail(house: House, slug: str) -> None:
    house.storage.sources.poll_now(slug, house.now)
    for claimed in house.storage.sources.claim_due(house.now, 10, "tests", 60, 10):
        due = house.now + timedelta(hours=1)
        failure = Failure(claimed.id, "tests", "http_503", "The server answered 503.", due, "failing")
        house.storage.sources.fail(failure, house.now)


def test_it_tells_how_well_each_is_heard(house: House) -> None:
    house.hear(house.source("diario"))
    house.source("new")
    answer = house.caller("viewer").get("/api/v1/sources")
    body = SourceList.model_validate_json(answer.content)
    assert [(s.slug, s.state, s.fresh) for s in body.items] == [("diario", "ok", True), ("new", "late", False)]
    assert body.coverage == 0.5
    assert answer.json()["items"][0]["last_ok_at"] == "2026-11-18T12:00:00Z"


def test_a_source_that_died_does_not_look_well(house: House) -> None:
    house.hear(house.source("diario"))
    caller = house.caller()
    house.now = NOON + timedelta(minutes=20)
    fail(house, "diario")
    dying = caller.get("/api/v1/sources/diario").json()
    assert (dying["state"], dying["last_error"]) == ("failing", "http_503: The server answered 503.")
    house.now = NOON + timedelta(hours=3)
    dead = caller.get("/api/v1/sources").json()
    assert (dead["items"][0]["state"], dead["items"][0]["fresh"], dead["coverage"]) == ("silent", False, 0.0)


def visited(house: House, slug: str, **learned: Any) -> None:
    """A visit that brought nothing but what it learned."""
    house.storage.sources.poll_now(slug, house.now)
    (claimed,) = house.storage.sources.claim_due(house.now, 1, "tests", 60, 10)
    due = house.now + timedelta(minutes=15)
    batch = CollectBatch(claimed.id, "tests", (), (), {}, None, None, None, due, None, **learned)
    house.storage.posts.store(batch, house.now)


def test_it_tells_what_was_learned_of_a_source(house: House) -> None:
    house.source("diario")
    visited(house, "diario", cadence_s=5400, overrun=True, moved_seen=2, moved_to="https://www.diario.example/feed.xml")
    source = house.caller("viewer").get("/api/v1/sources/diario").json()
    assert (source["cadence_s"], source["overrun_at"]) == (5400, "2026-11-18T12:00:00Z")
    assert (source["moved_seen"], source["moved_to"]) == (2, "https://www.diario.example/feed.xml")
    assert source["requests_per_day"] is None
    house.now = NOON + timedelta(days=8)
    assert house.caller("viewer").get("/api/v1/sources/diario").json()["overrun_at"] is None


def test_one_that_answers_and_brings_nothing_for_days_is_silent(house: House) -> None:
    house.hear(house.source("diario"), house.item("a", {}))
    house.now = NOON + timedelta(hours=30)
    visited(house, "diario", cadence_s=3 * 3600)
    source = house.caller().get("/api/v1/sources/diario").json()
    assert (source["state"], source["fresh"], source["last_item_at"]) == ("silent", False, "2026-11-18T12:00:00Z")


def test_one_that_is_told_is_well_and_counts_neither_way(house: House) -> None:
    house.hear(house.source("diario"))
    house.source("buzon", kind="inbox", url=None)
    house.now = NOON + timedelta(minutes=14)
    body = house.caller().get("/api/v1/sources").json()
    assert [(s["slug"], s["state"], s["fresh"]) for s in body["items"]] == [
        ("buzon", "ok", None),
        ("diario", "ok", True),
    ]
    assert body["coverage"] == 1.0


def test_the_list_comes_in_pages_and_the_coverage_is_of_all(house: House) -> None:
    for slug in ("c", "a-b", "ab", "d"):
        house.source(slug)
    visited(house, "d")
    caller, seen, cursor = house.caller(), [], None
    for _ in range(3):
        page = caller.get("/api/v1/sources", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        assert page["coverage"] == 0.25
        seen += [source["slug"] for source in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert seen == ["a-b", "ab", "c", "d"]
    assert caller.get("/api/v1/sources", params={"cursor": "x"}).status_code == 422


def test_one_that_is_switched_off_counts_neither_way(house: House) -> None:
    house.source("off", enabled=False)
    body = house.caller().get("/api/v1/sources").json()
    assert (body["items"][0]["state"], body["coverage"]) == ("disabled", None)


def test_it_shows_what_could_not_be_read(house: House) -> None:
    house.hear(house.source("diario"), rejects=(Reject("it has neither a title nor a text", "<item/>"),))
    rows = house.caller("viewer").get("/api/v1/sources/diario/quarantine").json()["items"]
    assert rows == [{"at": "2026-11-18T12:00:00Z", "reason": "it has neither a title nor a text", "sample": "<item/>"}]


def test_it_asks_one_now(house: House) -> None:
    house.hear(house.source("diario"))
    answer = house.caller("responder").post("/api/v1/sources/diario/poll")
    assert (answer.status_code, answer.json()["next_due_at"]) == (202, "2026-11-18T12:00:00Z")
    assert [s.slug for s in house.storage.sources.claim_due(house.now, 1, "walk")] == ["diario"]


def test_one_that_is_switched_off_is_not_asked(house: House) -> None:
    house.source("off", enabled=False)
    assert house.caller().post("/api/v1/sources/off/poll").status_code == 409
    house.source("told", kind="inbox", url=None)
    answer = house.caller().post("/api/v1/sources/told/poll")
    assert (answer.status_code, answer.json()["detail"][:22]) == (409, "This source is told by")


def test_its_secret_is_never_told(house: House) -> None:
    house.source("diario", secret="canary-of-a-credential")
    caller = house.caller()
    answer = caller.get("/api/v1/sources/diario")
    assert answer.json()["secret_set"] is True
    assert "canary" not in answer.text + caller.get("/api/v1/sources").text


def test_a_shared_sources_quarantine_is_for_keys_of_every_brand(house: House) -> None:
    house.brand("aurora")
    house.source("shared")
    house.source("own", brands=("aurora",))
    limited = house.caller("viewer", ("aurora",))
    assert limited.get("/api/v1/sources/own/quarantine").status_code == 200
    assert limited.get("/api/v1/sources/shared").status_code == 200
    assert limited.get("/api/v1/sources/shared/quarantine").status_code == 404
