"""The walk through Bluesky's search: every post once, hidden ones never. The far end is a small network here."""

import base64
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from collectors.base import CollectError, Explains, Page, Query, Recounts, SignsIn, Source
from collectors.bluesky import Bluesky
from collectors.jetstream import Jetstream
from collectors.search import phrases
from tests.collectors.asking import ids
from tests.collectors.asking import visit as walked
from tests.collectors.twisted import twisted

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLLECTOR = Bluesky()
SECRET, TOKEN = "ana.bsky.example:abcd-efgh-ijkl-mnop", "ficha-lumbre"
SAMPLE = json.loads((Path(__file__).parent / "data/bluesky/search.json").read_text(encoding="utf-8"))


def source(*words: str, **settings: Any) -> Source:
    queries = (Query("lumbre", words),) if words else ()
    return Source(1, "b", "B", "bluesky", settings=settings, queries=queries, secret=SECRET, session=TOKEN)


def uri(number: int) -> str:
    return f"at://did:plc:ana/app.bsky.feed.post/{number}"


def view(number: int, at: datetime, words: str = "lumbre", **more: Any) -> dict[str, Any]:
    record = {"text": words, "createdAt": at.isoformat(), "langs": ["es"]}
    author = {"did": "did:plc:ana", "handle": "ana.bsky.example"}
    return {"uri": uri(number), "author": author, "record": record, "indexedAt": at.isoformat(), "likeCount": 1, **more}


@dataclass
class Network:
    """Latest first, by page, since a moment where it knows of that; to those who are signed in."""

    views: list[dict[str, Any]]
    knows_since: bool = True
    asked: list[httpx.URL] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        asked = request.url.params
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return httpx.Response(400, json={"error": "ExpiredToken", "message": "…"}, request=request)
        if request.url.path.endswith("getPosts"):
            wanted = asked.get_list("uris")
            assert len(wanted) <= 25
            return httpx.Response(
                200, json={"posts": [one for one in self.views if one["uri"] in wanted]}, request=request
            )
        assert (asked["sort"], int(asked["limit"]) <= 100) == ("latest", True)
        found = [one for one in self.views if asked["q"].strip('"') in one["record"]["text"]]
        if self.knows_since:
            since = datetime.fromisoformat(asked["since"])
            found = [one for one in found if datetime.fromisoformat(one["indexedAt"]) >= since]
        found.sort(key=lambda one: str(one["indexedAt"]), reverse=True)
        start, size = int(asked.get("cursor", "0")), int(asked["limit"])
        onward = {"cursor": str(start + size)} if start + size < len(found) else {}
        return httpx.Response(200, json={"posts": found[start : start + size], **onward}, request=request)


def visit(far: Network, asking: Source, now: datetime = NOW) -> tuple[list[Page], Source]:
    return walked(COLLECTOR, far.answer, asking, now)


def jwt(claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.firma"


def test_it_signs_in_with_an_app_password_at_the_accounts_own_server() -> None:
    assert isinstance(COLLECTOR, SignsIn)
    request = COLLECTOR.sign_in(replace(source("lumbre"), url="https://pds.example/", secret="did:plc:ana:abcd-efgh"))
    assert (request.method, str(request.url)) == ("POST", "https://pds.example/xrpc/com.atproto.server.createSession")
    assert json.loads(request.read()) == {"identifier": "did:plc:ana", "password": "abcd-efgh"}
    assert json.loads(COLLECTOR.sign_in(source("lumbre")).read())["identifier"] == "ana.bsky.example"


@pytest.mark.parametrize(
    ("token", "lasts_s"),
    [
        (jwt({"iat": 1_000, "exp": 8_200}), 7_200),
        (jwt({"iat": 1_000, "exp": 1_001}), 60),
        (jwt({"iat": 0, "exp": 1e300}), 86_400),
        (jwt({"exp": "x"}), 600),
        (jwt([]), 600),
        ("opaque", 600),
        ("a.!!!.b", 600),
    ],
)
def test_a_session_lasts_as_long_as_its_token_says(token: str, lasts_s: int) -> None:
    session = COLLECTOR.signed_in(httpx.Response(200, json={"accessJwt": token, "did": "did:plc:ana"}))
    assert (session.token, session.lasts_s) == (token, lasts_s)


@pytest.mark.parametrize("answer", [{}, {"accessJwt": 7}, {"accessJwt": "a\nb"}, "x"])
def test_an_answer_without_a_token_is_an_error(answer: Any) -> None:
    with pytest.raises(CollectError) as error:
        COLLECTOR.signed_in(httpx.Response(200, json=answer))
    assert error.value.code == "not_bluesky"


def test_it_asks_for_the_latest_of_the_last_week() -> None:
    request = COLLECTOR.request(source("Lumbre Telecom"), NOW)
    assert request.url.copy_with(query=None) == "https://bsky.social/xrpc/app.bsky.feed.searchPosts"
    assert dict(request.url.params) == {
        "q": '"lumbre telecom"', "sort": "latest", "since": "2026-11-15T10:00:00Z", "limit": "100",
    }  # fmt: skip
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert phrases(source("lumbre", query="lumbre lang:es")) == ("lumbre lang:es",)


def test_it_is_the_same_post_as_the_stream_brings() -> None:
    one = view(1, NOW, embed={}) | {"record": SAMPLE["posts"][0]["record"]}
    message = {
        "did": "did:plc:ana", "time_us": 1_795_338_720_000_000, "kind": "commit",
        "commit": {"operation": "create", "collection": "app.bsky.feed.post", "rkey": "1", "record": one["record"]},
    }  # fmt: skip
    streamed = Jetstream().read([json.dumps(message).encode()]).posts[0]
    found = visit(Network([one | {"record": one["record"] | {"text": "lumbre"}}]), source("lumbre"))[0][0].posts[0]
    searched = COLLECTOR.parse(source("lumbre"), httpx.Response(200, json={"posts": [one]})).posts[0]
    assert (searched.id, searched.text, searched.language) == (streamed.id, streamed.text, streamed.language)
    assert found.id == streamed.id
    assert COLLECTOR.namespace(source()) == Jetstream().namespace(source())


@pytest.mark.parametrize("knows_since", [True, False])
def test_it_reads_every_post_once_and_then_only_what_is_new(knows_since: bool) -> None:
    far = Network([view(n, NOW - timedelta(minutes=n)) for n in range(350)], knows_since=knows_since)
    pages, asking = visit(far, source("lumbre"))
    assert ids(pages) == [uri(n) for n in range(350)]
    far.views += [view(900, NOW + timedelta(minutes=1)), view(901, NOW - timedelta(minutes=50))]  # one was indexed late
    before = len(far.asked)
    pages, asking = visit(far, asking, NOW + timedelta(minutes=15))
    assert sorted(ids(pages)) == [uri(900), uri(901)]
    assert len(far.asked) - before <= 2
    assert ids(visit(far, asking, NOW + timedelta(minutes=30))[0]) == []


def test_a_post_that_claims_another_time_does_not_move_the_mark() -> None:
    future = view(1, NOW)
    future["record"]["createdAt"] = "2031-01-01T00:00:00Z"
    far = Network([future])
    _, asking = visit(far, source("lumbre"))
    far.views.append(view(2, NOW + timedelta(minutes=1)))
    assert ids(visit(far, asking, NOW + timedelta(minutes=5))[0]) == [uri(2)]


@pytest.mark.parametrize("label", ["!hide", "!takedown", "!no-unauthenticated"])
def test_who_asks_to_be_hidden_is_not_collected(label: str) -> None:
    shown = view(3, NOW, labels=[{"val": label, "neg": True}, {"val": "spoiler"}])
    hidden = view(1, NOW, labels=[{"val": label}])
    shy = view(2, NOW) | {"author": {"did": "did:plc:ana", "handle": "ana.bsky.example", "labels": [{"val": label}]}}
    pages, asking = visit(Network([hidden, shy, shown]), source("lumbre"))
    assert (ids(pages), pages[0].gone) == ([uri(3)], (uri(1), uri(2)))
    answer = httpx.Response(200, json={"posts": [hidden, shown]})
    assert COLLECTOR.recounted(asking, (uri(1), uri(3)), answer).gone == (uri(1),)


def test_counts_are_refreshed_by_id_and_what_is_missing_is_gone() -> None:
    assert isinstance(COLLECTOR, Recounts)
    request = COLLECTOR.recount(source("lumbre"), (uri(1), uri(2)), NOW)
    assert request.url.params.get_list("uris") == [uri(1), uri(2)]
    page = COLLECTOR.recounted(source("lumbre"), (uri(1), uri(2)), Network([view(1, NOW)]).answer(request))
    assert ([(post.id, post.engagement) for post in page.posts], page.gone) == ([(uri(1), {"likes": 1})], (uri(2),))
    with pytest.raises(CollectError) as error:
        COLLECTOR.recounted(source("lumbre"), (uri(1),), httpx.Response(200, json={"error": "x"}))
    assert error.value.code == "not_bluesky"


@pytest.mark.parametrize(
    ("method", "status", "body", "code"),
    [
        ("app.bsky.feed.searchPosts", 400, {"error": "ExpiredToken"}, "session_spent"),
        ("app.bsky.feed.searchPosts", 400, {"error": "InvalidToken"}, "session_spent"),
        ("app.bsky.feed.searchPosts", 400, {"error": "BadQueryString"}, "bad_query"),
        ("app.bsky.feed.searchPosts", 401, {"error": "AuthMissing"}, None),
        ("app.bsky.feed.searchPosts", 403, "<html>", "http_403"),
        ("app.bsky.feed.searchPosts", 502, {"error": ["x"]}, None),
        ("com.atproto.server.createSession", 401, {"error": "AuthenticationRequired"}, "bad_secret"),
        ("com.atproto.server.createSession", 401, {"error": "AuthFactorTokenRequired"}, "bad_secret"),
        ("com.atproto.server.createSession", 400, {"error": "AccountTakedown"}, "account_closed"),
    ],
)
def test_refusals_say_what_to_do(method: str, status: int, body: Any, code: str | None) -> None:
    assert isinstance(COLLECTOR, Explains)
    request = httpx.Request("GET", f"https://bsky.social/xrpc/{method}")
    error = COLLECTOR.refusal(httpx.Response(status, content=json.dumps(body), request=request), NOW)
    assert (error and error.code) == code


@pytest.mark.parametrize(("reset", "wait_s"), [("1795342200", 600), ("1", 0), ("soon", None)])
def test_it_comes_back_when_the_network_says(reset: str, wait_s: float | None) -> None:
    request = httpx.Request("GET", "https://bsky.social/xrpc/app.bsky.feed.searchPosts")
    error = COLLECTOR.refusal(httpx.Response(429, headers={"ratelimit-reset": reset}, request=request), NOW)
    assert error
    assert error.retry_after_s == wait_s


def test_the_credentials_stand_in_header_and_body_and_nowhere_else() -> None:
    asking = source("lumbre")
    request = COLLECTOR.request(asking, NOW)
    page = COLLECTOR.parse(asking, Network([view(1, NOW)]).answer(request))
    told = f"{request.url} {page} {asking!r} {COLLECTOR.sign_in(asking).url}"
    assert [word for word in (TOKEN, SECRET, "abcd-efgh") if word in told] == []


@pytest.mark.parametrize("secret", [None, "ana.bsky.example", "ana.bsky.example:", ":abcd"])
def test_it_refuses_a_source_without_a_secret_and_says_where_to_get_one(secret: str | None) -> None:
    asking = replace(source("lumbre"), secret=secret)
    with pytest.raises(ValueError, match=r"secret.*App passwords"):
        COLLECTOR.check(asking)
    if not secret:
        with pytest.raises(CollectError) as error:
            COLLECTOR.sign_in(asking)
        assert error.value.code == "no_secret"


@pytest.mark.parametrize("settings", [{"query": 3}, {"backfill_days": True}, {"backfill_days": 9_999}])
def test_it_refuses_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="setting"):
        COLLECTOR.check(source("lumbre", **settings))


def test_whatever_a_value_is_it_costs_only_its_own_item() -> None:
    for odd in twisted(SAMPLE["posts"][:1]):
        answer = {"posts": [*(odd if isinstance(odd, list) else [odd]), view(7, NOW)]}
        page = COLLECTOR.parse(source("lumbre"), httpx.Response(200, content=json.dumps(answer)))
        assert page.posts[-1].id == uri(7)


def test_whatever_an_answer_is_it_ends_in_a_page_or_a_typed_error() -> None:
    codes = set()
    for odd in twisted({"posts": [view(1, NOW)], "cursor": "100"}):
        try:
            json.dumps(COLLECTOR.parse(source("lumbre"), httpx.Response(200, content=json.dumps(odd))).cursor)
        except CollectError as error:
            codes.add(error.code)
    assert codes == {"not_bluesky"}
