"""Whatever goes wrong is said as problem+json, and never says more than it should."""

from collections.abc import AsyncIterator

import orjson
import pytest

from app.api.headers import SECURITY_HEADERS
from app.api.problems import ProblemBody
from app.storage.records import StorageError
from tests.app.api.house import Client, House

JSON = {"Content-Type": "application/json"}
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("method", "url", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/api/v1/brands/nobody", 404, "not_found"),
        ("DELETE", "/api/v1/mentions", 405, "method_not_allowed"),
        ("GET", "/api/v1/mentions?limit=x", 422, "invalid"),
        ("GET", "/api/v1/brands?colour=red", 422, "invalid"),
        ("GET", "/api/v1/keys/x", 405, "method_not_allowed"),
    ],
)
def test_every_error_has_one_shape(house: House, method: str, url: str, status: int, code: str) -> None:
    answer = house.caller().request(method, url)
    body = ProblemBody.model_validate_json(answer.content)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, body.status, body.code, body.type) == (status, status, code, "about:blank")
    assert body.title
    assert body.detail
    assert answer.headers["cache-control"] == "no-store"


def test_its_titles_are_those_of_the_standard_whatever_python_calls_them(house: House) -> None:
    admin = house.caller()
    assert admin.get("/api/v1/mentions?limit=x").json()["title"] == "Unprocessable Content"
    assert admin.post("/api/v1/keys", content=b"x" * (MIB + 1), headers=JSON).json()["title"] == "Content Too Large"
    assert admin.get("/api/v1/nothing").json()["title"] == "Not Found"


def test_a_bug_says_only_that_it_is_one(house: House) -> None:
    house = house.with_own_app()

    @house.app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("canary: password=hunter2 SELECT * FROM api_keys")

    answer = Client(house.app, house.loop, raises=False).get("/bug")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "canary" not in answer.text
    assert "Traceback" not in answer.text
    assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_a_database_that_is_away_is_said_without_its_address(house: House) -> None:
    house = house.with_own_app()

    @house.app.get("/away")
    async def away() -> None:
        raise StorageError("/srv/canary/avizor.db cannot be opened")

    answer = house.anybody().get("/away")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "canary" not in answer.text


def test_what_was_sent_is_not_repeated(house: House) -> None:
    wrong = {"name": "x", "role": "canary-of-a-secret", "brands": "canary"}
    answer = house.caller().post("/api/v1/keys", json=wrong)
    assert answer.status_code == 422
    assert "canary" not in answer.text


def test_json_must_say_that_it_is_json(house: House) -> None:
    admin, body = house.caller(), orjson.dumps({"name": "x", "role": "viewer"})
    assert admin.post("/api/v1/keys", content=body, headers=JSON).status_code == 201
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        answer = admin.post("/api/v1/keys", content=body, headers={"Content-Type": media_type})
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000, b'{"name": NaN}', b'{"a":' * 20_000]
)
def test_a_body_that_is_no_object_is_refused(house: House, body: bytes) -> None:
    answer = house.caller().post("/api/v1/keys", content=body, headers=JSON)
    assert answer.status_code in (400, 422)
    assert ProblemBody.model_validate_json(answer.content).code in ("bad_request", "invalid")


@pytest.mark.parametrize(
    "path", ["brands/%00", "sources/a%00/poll", "posts?source=%00", "mentions?brand=a%00b", "explain?text=%00"]
)
def test_an_address_with_a_nul_reaches_no_database(house: House, path: str) -> None:
    answer = house.caller().get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_a_body_of_more_than_a_mebibyte_is_refused(house: House) -> None:
    admin = house.caller()
    for url, headers in (("keys", JSON), ("config/plan", {"Content-Type": "application/toml"})):
        too_large = admin.post(f"/api/v1/{url}", content=b" " * (MIB + 1), headers=headers)
        assert (too_large.status_code, too_large.json()["code"]) == (413, "too_large")
        assert admin.post(f"/api/v1/{url}", content=b" " * MIB, headers=headers).status_code != 413


def test_a_body_that_does_not_say_its_length_is_counted(house: House) -> None:
    async def drip() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 65_536

    answer = house.caller().post("/api/v1/keys", content=drip(), headers=JSON)
    assert answer.status_code == 413


def test_every_answer_forbids_to_run_anything(house: House) -> None:
    for url in ("/", "/login", "/api/v1/brands", "/healthz", "/static/avizor.css", "/nothing", "/openapi.json"):
        headers = house.anybody().get(url).headers
        assert {name: headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS, url
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert "unsafe" not in policy
