"""Who may ask: a live key, of the right role, and nobody else."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts

from app.api.auth import new_key, split_key
from tests.app.api.house import NOON, Client, House

OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/static/avizor.css"),
    ("GET", "/static/icon.svg"),
    ("GET", "/api/v1/websub/{token}"),
    ("POST", "/api/v1/websub/{token}"),
}


def operations(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path that the application answers to."""
    for route in iter_route_contexts(app.routes):
        for method in sorted((route.methods or set()) - {"HEAD"}):
            yield method, str(route.path)


def answers_without_a_key(house: House) -> set[tuple[str, str]]:
    """The operations that do something for whoever has no key: neither 401 nor off to the login."""
    stranger = house.anybody()
    served = set()
    for method, path in operations(house.app):
        answer = stranger.request(method, path.replace("{", "").replace("}", ""))
        to_login = answer.status_code == 303 and answer.headers["location"].startswith("/login")
        if answer.status_code != 401 and not to_login:
            served.add((method, path))
    return served


def test_it_refuses_every_operation_without_a_key(house: House) -> None:
    assert len(list(operations(house.app))) > 45
    assert answers_without_a_key(house) == OPEN


def test_the_check_above_sees_a_route_that_was_forgotten(house: House) -> None:
    house = house.with_own_app()
    forgotten = APIRouter(prefix="/api/v1")

    @forgotten.get("/forgotten")
    async def forgotten_route() -> dict[str, str]:
        return {"open": "to all"}

    house.app.include_router(forgotten)
    assert answers_without_a_key(house) - OPEN == {("GET", "/api/v1/forgotten")}


def test_it_says_how_to_send_a_key(house: House) -> None:
    answer = house.anybody().get("/api/v1/brands")
    assert answer.headers["www-authenticate"] == 'Bearer realm="avizor"'
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unauthorized"


def test_it_lets_a_live_key_in(house: House) -> None:
    assert house.caller("viewer").get("/api/v1/brands").status_code == 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
        lambda key: key[:-1],
        lambda key: key + "A",
        lambda key: "avz_" + "0" * 16 + "_" + key.split("_", 2)[2],
        lambda key: key.removeprefix("avz_"),
        lambda key: "",
        lambda key: "avz__",
        lambda key: key.replace("_", "-"),
    ],
    ids=["last letter", "shorter", "longer", "other id", "no prefix", "nothing", "empty parts", "other shape"],
)
def test_it_refuses_a_key_that_is_not_quite_one(house: House, spoil: Any) -> None:
    key = house.key()
    assert house.anybody(Authorization=f"Bearer {key}").get("/api/v1/brands").status_code == 200
    assert house.anybody(Authorization=f"Bearer {spoil(key)}").get("/api/v1/brands").status_code == 401


@pytest.mark.parametrize("text", ["avz_\0_x", "avz_a\0b_x"])
def test_a_key_with_a_nul_is_none_before_a_database_is_asked(text: str) -> None:
    assert split_key(text) is None


def test_it_refuses_an_expired_key_from_that_moment(house: House) -> None:
    caller = house.anybody(Authorization=f"Bearer {house.key(expires_at=NOON + timedelta(hours=1))}")
    assert caller.get("/api/v1/brands").status_code == 200
    house.now = NOON + timedelta(hours=1)
    assert caller.get("/api/v1/brands").status_code == 401


def test_a_revoked_key_is_out_at_once(house: House) -> None:
    admin, key = house.caller(), house.key("viewer")
    viewer = house.anybody(Authorization=f"Bearer {key}")
    assert viewer.get("/api/v1/brands").status_code == 200
    found = split_key(key)
    assert found is not None
    assert admin.delete(f"/api/v1/keys/{found[0]}").status_code == 204
    assert viewer.get("/api/v1/brands").status_code == 401


def test_it_notes_the_use_of_a_key_once_a_minute(house: House) -> None:
    caller = house.caller()
    uses = []
    for seconds in (0, 30, 59, 61):
        house.now = NOON + timedelta(seconds=seconds)
        caller.get("/api/v1/brands")
        uses.append(house.storage.keys.all()[0].last_used_at)
    assert uses == [NOON, NOON, NOON, NOON + timedelta(seconds=61)]


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"reader:{key}".encode()).decode()


def test_a_feed_reader_may_send_the_key_as_a_password(house: House) -> None:
    house.brand("aurora")
    reader = house.anybody(Authorization=basic(house.key("viewer")))
    assert reader.get("/api/v1/brands/aurora/feed.rss").status_code == 200
    assert house.anybody(Authorization=basic("avz_x_y")).get("/api/v1/brands/aurora/feed.rss").status_code == 401
    assert house.anybody(Authorization="Basic %%%").get("/api/v1/brands/aurora/feed.rss").status_code == 401


def test_a_password_never_changes_anything(house: House) -> None:
    house.source("diario")
    key = house.key("admin")
    assert house.anybody(Authorization=f"Bearer {key}").post("/api/v1/sources/diario/poll").status_code == 202
    assert house.anybody(Authorization=basic(key)).post("/api/v1/sources/diario/poll").status_code == 401


def test_a_key_in_the_address_is_no_key(house: House) -> None:
    assert house.anybody().get(f"/api/v1/brands?key={house.key()}").status_code == 401


READS = ["mentions", "corrections", "posts", "incidents", "sources", "brands", "channels", "deliveries", "scorer"]
RESPONDS = [
    ("POST", "/api/v1/incidents/x/acknowledge"),
    ("POST", "/api/v1/sources/x/poll"),
    ("POST", "/api/v1/deliveries/1/redrive"),
    ("PUT", "/api/v1/mentions/x/1/correction"),
    ("DELETE", "/api/v1/mentions/x/1/correction"),
]
ADMINISTERS = [
    ("GET", "/api/v1/keys"),
    ("POST", "/api/v1/keys"),
    ("DELETE", "/api/v1/keys/x"),
    ("PUT", "/api/v1/brands/x"),
    ("DELETE", "/api/v1/brands/x"),
    ("PUT", "/api/v1/sources/x"),
    ("DELETE", "/api/v1/sources/x"),
    ("PUT", "/api/v1/channels/x"),
    ("DELETE", "/api/v1/channels/x"),
    ("POST", "/api/v1/channels/x/test"),
    ("POST", "/api/v1/config/plan"),
    ("POST", "/api/v1/config/apply"),
]


def statuses(caller: Client, asked: list[tuple[str, str]]) -> set[int]:
    return {caller.request(method, path, **body(path)).status_code for method, path in asked}


def body(path: str) -> dict[str, Any]:
    return {"json": {"label": "neutral"}} if path.endswith("/correction") else {}


def test_a_viewer_reads_and_does_nothing_else(house: House) -> None:
    viewer = house.caller("viewer")
    assert statuses(viewer, [("GET", f"/api/v1/{noun}") for noun in READS]) == {200}
    assert statuses(viewer, [*RESPONDS, *ADMINISTERS]) == {403}


def test_a_responder_responds_and_does_not_administer(house: House) -> None:
    responder = house.caller("responder")
    assert statuses(responder, RESPONDS) == {404}
    assert statuses(responder, ADMINISTERS) == {403}


def test_an_admin_may_do_all_of_it(house: House) -> None:
    assert 403 not in statuses(house.caller("admin"), [*RESPONDS, *ADMINISTERS])


def test_an_admin_of_some_brands_does_not_administer_the_house(house: House) -> None:
    house.brand("aurora")
    assert statuses(house.caller("admin", ("aurora",)), ADMINISTERS) == {403}


def test_a_new_key_keeps_only_its_digest(house: House) -> None:
    made = new_key("Ana", "viewer", None, NOON)
    secret = made.text.split("_", 2)[2]
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32
    assert secret not in repr(made.key)
    assert len(made.sha256) == 32
    assert new_key("Ana", "viewer", None, NOON).text != made.text
