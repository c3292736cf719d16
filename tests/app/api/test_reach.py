"""Nobody reads or writes a brand that their key does not cover: a key for one brand, tried on every operation."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from app.model import MentionFilter, Policy, Role
from collectors.base import Reject
from tests.app.api.house import Client, House
from tests.app.api.test_auth import OPEN, operations

CANARY = "zafiro"
"""Stands in every word that belongs to the other brand alone."""


@dataclass
class Theirs:
    """What belongs to the brand that the key does not cover."""

    ids: dict[str, str]
    brand: str
    post_id: int


@pytest.fixture
def theirs(house: House) -> Theirs:
    house.channel("ours")
    channel = house.channel(f"{CANARY}-channel", name=CANARY)
    mine = house.brand("aurora", channels=("ours",))
    other = house.brand(f"{CANARY}-brand", name=CANARY, query=CANARY, channels=(channel.slug,))
    shared = house.source("shared")
    source = house.source(f"{CANARY}-source", name=CANARY, brands=(other.slug,))
    unread = (Reject(CANARY, CANARY),)
    house.hear(source, house.item("theirs", {other: "negative"}, text=f"{CANARY} again"), rejects=unread)
    house.hear(
        shared,
        house.item("both", {mine: "neutral", other: "negative"}, text="of both"),
        house.item("also theirs", {other: "negative"}, text=CANARY),
        house.item("nobody's", {}, text=CANARY),
        rejects=unread,
    )
    house.judge(mine)
    house.judge(other)
    incident = house.crisis(other, (channel,), texts=(CANARY,))
    house.storage.feedback.put(incident.id, True, CANARY, CANARY, house.now)
    house.storage.policies.put(Policy(reason=CANARY, actor=CANARY, backtest_id=CANARY), house.now)
    house.storage.backtests.add("b1", CANARY, {"brands": [other.slug], "marked": [CANARY]}, house.now)
    delivery = house.storage.deliveries.page()[0]
    mention = house.storage.mentions.page(MentionFilter(brands=(other.slug,)))[0]
    made = house.key("viewer", (other.slug,), name=CANARY)
    return Theirs(
        {
            "/brands/{slug}": other.slug,
            "/sources/{slug}": source.slug,
            "/channels/{slug}": channel.slug,
            "/incidents/{incident_id}": incident.id,
            "/backtests/{backtest_id}": "b1",
            "/backtest/{backtest_id}": "b1",
            "/deliveries/{delivery_id}": str(delivery.id),
            "/mentions/{brand}/{post_id}": f"{other.slug}/{mention.post_id}",
            "/mentions/{post_id}": str(mention.post_id),
            "/keys/{key_id}": made.split("_")[1],
            "/websub/{token}": "guessed",
        },
        other.slug,
        mention.post_id,
    )


def address(path: str, theirs: Theirs) -> str:
    for shape, value in theirs.ids.items():
        noun = shape[: shape.index("{")]
        path = path.replace(shape, noun + value)
    assert "{" not in path, f"what does {path} name?"
    return path


def body(method: str, path: str) -> dict[str, Any]:
    if path.endswith("/resolve"):
        return {"json": {"reason": "no reason"}}
    if path.endswith("/feedback"):
        return {"json": {"useful": False, "note": "no reason"}}
    if method == "PUT" and path.endswith("/correction"):
        return {"json": {"label": "positive", "note": "no reason"}}
    return {"json": {}} if method == "PUT" else {}


def shown(caller: Client, house: House, theirs: Theirs, methods: tuple[str, ...] = ()) -> set[str]:
    """The operations whose answer holds the canary beyond what was asked with."""
    seen = set()
    for method, path in operations(house.app):
        if not path.startswith("/api/") or (method, path) in OPEN or (methods and method not in methods):
            continue
        url = address(path, theirs)
        answer = caller.request(method, url, **body(method, path))
        if CANARY in answer.text.replace(url, ""):
            seen.add(f"{method} {path}")
    return seen


@pytest.mark.parametrize("role", ["viewer", "responder", "admin"])
def test_a_key_for_one_brand_sees_nothing_of_another(house: House, theirs: Theirs, role: Role) -> None:
    assert shown(house.caller(role, ("aurora",)), house, theirs) == set()


def test_the_check_above_sees_what_a_key_for_all_brands_sees(house: House, theirs: Theirs) -> None:
    leaks = shown(house.caller("admin"), house, theirs, methods=("GET",))
    assert leaks >= {
        "GET /api/v1/mentions",
        "GET /api/v1/mentions/{brand}/{post_id}",
        "GET /api/v1/posts",
        "GET /api/v1/incidents/{incident_id}",
        "GET /api/v1/sources",
        "GET /api/v1/sources/{slug}/quarantine",
        "GET /api/v1/brands",
        "GET /api/v1/brands/{slug}",
        "GET /api/v1/brands/{slug}/feed.json",
        "GET /api/v1/brands/{slug}/feed.rss",
        "GET /api/v1/channels",
        "GET /api/v1/deliveries",
        "GET /api/v1/keys",
        "GET /api/v1/policy",
        "GET /api/v1/policies",
        "GET /api/v1/backtests",
        "GET /api/v1/backtests/{backtest_id}",
    }


@pytest.mark.parametrize("role", ["viewer", "responder", "admin"])
def test_a_key_for_one_brand_changes_nothing_of_another(house: House, theirs: Theirs, role: Role) -> None:
    caller = house.caller(role, ("aurora",))
    statuses = {
        caller.request(method, address(path, theirs), **body(method, path)).status_code
        for method, path in operations(house.app)
        if method != "GET" and "{" in path and path.startswith("/api/") and (method, path) not in OPEN
    }
    assert statuses <= {403, 404}
    incident = house.storage.incidents.get(theirs.ids["/incidents/{incident_id}"])
    assert incident is not None
    assert incident.state == "open"
    assert [word.by for word in house.storage.feedback.trail(incident.id)] == [CANARY]
    mention = house.storage.mentions.get(theirs.brand, theirs.post_id)
    assert mention is not None
    assert (mention.label, mention.correction) == ("negative", None)


def test_what_is_not_covered_and_what_does_not_exist_look_the_same(house: House, theirs: Theirs) -> None:
    caller = house.caller("responder", ("aurora",))
    paths = ("brands/{}", "sources/{}", "channels/{}", "incidents/{}", "brands/{}/feed.rss", "mentions?brand={}")
    for path in paths:
        noun = path.split("/")[0].split("?")[0]
        there = theirs.ids.get(f"/{noun}/{{slug}}") or theirs.ids.get(f"/{noun}/{{incident_id}}") or f"{CANARY}-brand"
        covered = caller.get("/api/v1/" + path.format(there))
        absent = caller.get("/api/v1/" + path.format("no-such-thing"))
        assert (covered.status_code, covered.text) == (absent.status_code, absent.text) == (404, covered.text)


def test_a_key_for_one_brand_sees_its_own(house: House, theirs: Theirs) -> None:
    caller = house.caller("viewer", ("aurora",))
    mentions = caller.get("/api/v1/mentions").json()["items"]
    assert [(m["brand"], m["text"]) for m in mentions] == [("aurora", "of both")]
    posts = caller.get("/api/v1/posts").json()["items"]
    assert [(p["text"], p["brands"]) for p in posts] == [("of both", ["aurora"])]
    assert [s["slug"] for s in caller.get("/api/v1/sources").json()["items"]] == ["shared"]
    assert [c["slug"] for c in caller.get("/api/v1/channels").json()["items"]] == ["ours"]


def test_the_pages_of_posts_tell_a_limited_key_nothing_of_others(house: House) -> None:
    aurora, other = house.brand("aurora"), house.brand("otra")
    items = [
        house.item(f"{number}", {aurora if number in (3, 8) else other: "neutral"}, age=timedelta(minutes=number))
        for number in range(10)
    ]
    house.hear(house.source("shared"), *items)
    caller, seen, cursor = house.caller("viewer", ("aurora",)), [], ""
    while True:
        page = caller.get(f"/api/v1/posts?limit=1{cursor}").json()
        seen.append(len(page["items"]))
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [1, 1, 0], "as many pages as posts of its own, and never one for a post of others"


def test_no_page_shows_another_brand(house: House, theirs: Theirs) -> None:
    pages = {path for method, path in operations(house.app) if method == "GET" and not path.startswith("/api/")}
    urls = {path: address(path, theirs) for path in pages - {path for _, path in OPEN}}
    assert set(urls) == {
        "/",
        "/brands/{slug}",
        "/brands/{slug}/mentions/{post_id}/evidence",
        "/incidents/{incident_id}",
        "/report",
        "/backtest",
        "/backtest/{backtest_id}",
    }
    limited, whole = house.visitor("admin", ("aurora",)), house.visitor("admin")
    assert [path for path, url in urls.items() if CANARY in limited.get(url).text.replace(url, "")] == []
    assert [path for path, url in urls.items() if CANARY not in whole.get(url).text.replace(url, "")] == []
