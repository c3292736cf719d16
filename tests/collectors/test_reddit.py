"""The walk through Reddit: everything once, and what was taken back is said. The far end is a small site here."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from collectors.base import CollectError, Explains, Page, Query, Recounts, SignsIn, Source
from collectors.reddit import Reddit, terms
from collectors.search import REQUESTS_PER_VISIT
from tests.collectors.asking import ids
from tests.collectors.asking import visit as walked
from tests.collectors.twisted import twisted

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLLECTOR = Reddit()
SECRET, TOKEN = "id-lumbre:clave-lumbre", "ficha-lumbre"
SAMPLE = json.loads((Path(__file__).parent / "data/reddit/search.json").read_text(encoding="utf-8"))


def source(*words: str, **settings: Any) -> Source:
    queries = (Query("lumbre", words),) if words else ()
    return Source(1, "r", "R", "reddit", settings=settings, queries=queries, secret=SECRET, session=TOKEN)


def thing(number: int, at: datetime, words: str = "lumbre", *, comment: bool = False, sub: str = "telefonia") -> Any:
    name = f"t{1 if comment else 3}_{number}"
    said = {"link_title": "Hilo", "body": words} if comment else {"title": words, "selftext": words, "is_self": True}
    about = {"name": name, "author": "ana", "created_utc": at.timestamp(), "edited": False, "score": 1}
    return {"kind": name[:2], "data": {**about, **said, "subreddit": sub, "permalink": f"/r/{sub}/comments/{number}/"}}


def taken_back(one: Any) -> Any:
    return {**one, "data": {**one["data"], "author": "[deleted]", "selftext": "[deleted]"}}


@dataclass
class Site:
    """Listings newest first, 100 at a time and 1,000 in all, gone on with by `after`, which must be there."""

    things: list[Any]
    now: datetime = NOW
    asked: list[httpx.URL] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        path, asked = request.url.path, request.url.params
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return httpx.Response(401, json={"message": "Unauthorized", "error": 401}, request=request)
        if path == "/api/info":
            names = asked["id"].split(",")
            assert len(names) <= 100
            return self._listing([one for one in self.things if one["data"]["name"] in names], None, request)
        found = [one for one in self.things if one["kind"] == ("t1" if path.endswith("/comments") else "t3")]
        if path.startswith("/r/"):
            subs = path.split("/")[2].split("+")
            assert path.endswith("/comments") or asked["restrict_sr"] == "true"
            found = [one for one in found if one["data"]["subreddit"] in subs]
        if path.endswith("/search"):
            days = {"day": 1, "week": 7, "month": 30, "year": 365}.get(asked["t"], 10_000)
            oldest = (self.now - timedelta(days=days)).timestamp()
            found = [one for one in found if asked["q"].strip('"') in one["data"]["title"]]
            found = [one for one in found if one["data"]["created_utc"] >= oldest]
        found = sorted(found, key=lambda one: -one["data"]["created_utc"])[:1_000]
        if after := asked.get("after"):
            found = found[[one["data"]["name"] for one in found].index(after) + 1 :]
        size = int(asked["limit"])
        shown = found[:size]
        return self._listing(shown, shown[-1]["data"]["name"] if len(found) > size else None, request)

    def _listing(self, shown: list[Any], after: str | None, request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, json={"kind": "Listing", "data": {"after": after, "children": shown}}, request=request
        )


def visit(far: Site, asking: Source, now: datetime = NOW) -> tuple[list[Page], Source]:
    far.now = now
    return walked(COLLECTOR, far.answer, asking, now)


def test_it_signs_in_as_an_app_alone() -> None:
    assert isinstance(COLLECTOR, SignsIn)
    request = COLLECTOR.sign_in(source("lumbre"))
    assert (request.method, str(request.url)) == ("POST", "https://www.reddit.com/api/v1/access_token")
    assert request.headers["Authorization"] == "Basic aWQtbHVtYnJlOmNsYXZlLWx1bWJyZQ=="
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.read() == b"grant_type=client_credentials"
    session = COLLECTOR.signed_in(httpx.Response(200, json={"access_token": "abc", "expires_in": 3600}))
    assert (session.token, session.lasts_s) == ("abc", 3600)


@pytest.mark.parametrize("answer", [{"error": "invalid_grant"}, {"access_token": 7}, {"access_token": "a\r\nB: c"}, []])
def test_an_answer_without_a_token_is_an_error(answer: Any) -> None:
    with pytest.raises(CollectError) as error:
        COLLECTOR.signed_in(httpx.Response(200, json=answer))
    assert error.value.code == "not_reddit"


@pytest.mark.parametrize(("lasts", "kept"), [(None, 60), ("x", 60), (-5, 60), (10**12, 86_400), (600, 600)])
def test_a_token_is_kept_for_a_minute_at_least_and_a_day_at_most(lasts: Any, kept: int) -> None:
    answer = httpx.Response(200, json={"access_token": "abc", "expires_in": lasts})
    assert COLLECTOR.signed_in(answer).lasts_s == kept


def test_it_searches_the_last_week_first_and_the_last_day_from_then_on() -> None:
    request = COLLECTOR.request(source("Lumbre Telecom"), NOW)
    assert request.url.copy_with(query=None) == "https://oauth.reddit.com/search"
    assert dict(request.url.params) == {
        "q": '"lumbre telecom"', "sort": "new", "type": "link", "t": "week", "limit": "100", "raw_json": "1",
    }  # fmt: skip
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    _, asking = visit(Site([thing(1, NOW)]), source("lumbre"))
    assert COLLECTOR.request(asking, NOW + timedelta(hours=1)).url.params["t"] == "day"
    assert COLLECTOR.request(asking, NOW + timedelta(days=9)).url.params["t"] == "month"
    assert COLLECTOR.request(asking, NOW + timedelta(days=500)).url.params["t"] == "all"


def test_the_operator_chooses_the_subreddits_the_search_and_the_base() -> None:
    asking = replace(
        source("lumbre", query="lumbre -leña", subreddits=["telefonia", "redes"]), url="http://127.0.0.1:9/"
    )
    url = COLLECTOR.request(asking, NOW).url
    assert str(url).startswith("http://127.0.0.1:9/r/telefonia+redes/search?")
    assert (url.params["q"], url.params["restrict_sr"]) == ("lumbre -leña", "true")
    assert str(COLLECTOR.sign_in(asking).url) == "http://127.0.0.1:9/api/v1/access_token"


def test_it_reads_posts_and_comments_to_the_end_and_each_once() -> None:
    posts = [thing(n, NOW - timedelta(minutes=n)) for n in range(350)]
    comments = [thing(n, NOW - timedelta(minutes=n), comment=True) for n in range(250)]
    asking = source("lumbre", subreddits=["telefonia"], comments=True)
    assert terms(asking) == ("lumbre", "/r/telefonia/comments")
    far = Site([*posts, *comments])
    pages, _ = visit(far, asking)
    assert sorted(ids(pages)) == sorted(one["data"]["name"] for one in far.things)
    assert len(far.asked) == 4 + 3


def test_the_next_visit_brings_only_what_is_new_and_asks_once_a_term() -> None:
    far = Site([thing(n, NOW - timedelta(minutes=n), comment=n % 2 > 0) for n in range(400)])
    asking = source("lumbre", subreddits=["telefonia"], comments=True)
    _, asking = visit(far, asking)
    far.things += [thing(900, NOW + timedelta(minutes=4)), thing(901, NOW + timedelta(minutes=4), comment=True)]
    before = len(far.asked)
    pages, asking = visit(far, asking, NOW + timedelta(minutes=5))
    assert ids(pages) == ["t3_900", "t1_901"]
    assert len(far.asked) - before == 2
    assert ids(visit(far, asking, NOW + timedelta(minutes=10))[0]) == []


def test_nothing_is_lost_when_the_last_comment_seen_is_deleted() -> None:
    far = Site([thing(1, NOW, comment=True), thing(2, NOW - timedelta(minutes=1), comment=True)])
    asking = replace(source(subreddits=["telefonia"], comments=True), queries=())
    _, asking = visit(far, asking)
    far.things = [thing(3, NOW + timedelta(minutes=1), comment=True), far.things[1]]
    assert ids(visit(far, asking, NOW + timedelta(minutes=2))[0]) == ["t1_3"]


def test_a_post_that_entered_the_search_late_is_not_lost() -> None:
    far = Site([thing(1, NOW)])
    _, asking = visit(far, source("lumbre"))
    far.things.append(thing(2, NOW - timedelta(minutes=5)))
    assert ids(visit(far, asking)[0]) == ["t3_2"]


def test_a_visit_ends_whatever_the_site_says() -> None:
    class Endless(Site):
        def answer(self, request: httpx.Request) -> httpx.Response:
            self.asked.append(request.url)
            return self._listing([thing(len(self.asked), NOW)], f"t3_{len(self.asked)}", request)

    pages, _ = visit(Endless([]), source("lumbre"))
    assert len(pages) == REQUESTS_PER_VISIT
    assert pages[-1].truncated


def test_what_was_deleted_or_removed_is_gone() -> None:
    far = Site([taken_back(thing(1, NOW)), thing(2, NOW)])
    pages, asking = visit(far, source("lumbre"))
    assert (ids(pages), pages[0].gone) == (["t3_2"], ("t3_1",))
    far.things = [taken_back(thing(2, NOW)), thing(3, NOW)]
    request = COLLECTOR.recount(asking, ("t3_2", "t3_3", "t3_4"), NOW)
    assert isinstance(COLLECTOR, Recounts)
    assert dict(request.url.params) == {"id": "t3_2,t3_3,t3_4", "raw_json": "1"}
    page = COLLECTOR.recounted(asking, ("t3_2", "t3_3", "t3_4"), far.answer(request))
    assert ([(post.id, post.engagement) for post in page.posts], page.gone) == (
        [("t3_3", {"likes": 1})],
        ("t3_2", "t3_4"),
    )


def test_an_answer_that_is_no_listing_takes_nothing_back() -> None:
    with pytest.raises(CollectError) as error:
        COLLECTOR.recounted(source("lumbre"), ("t3_1",), httpx.Response(200, json={"reason": "private"}))
    assert error.value.code == "not_reddit"


def test_an_unknown_subreddit_is_told_instead_of_heard_as_silence() -> None:
    led = httpx.Request("GET", "https://oauth.reddit.com/subreddits/search?q=nada")
    with pytest.raises(CollectError) as error:
        COLLECTOR.parse(source("lumbre"), Site([])._listing([], None, led))
    assert error.value.code == "no_subreddit"


def refusal(status: int, path: str = "/search", **headers: str) -> CollectError | None:
    assert isinstance(COLLECTOR, Explains)
    request = httpx.Request("GET", f"https://oauth.reddit.com{path}")
    return COLLECTOR.refusal(httpx.Response(status, headers=headers, request=request), NOW)


def test_refusals_say_what_to_do_and_when_to_come_back() -> None:
    limited = refusal(429, **{"x-ratelimit-reset": "312.0"})
    assert limited
    assert (limited.code, limited.retry_after_s) == ("http_429", 312.0)
    wrong = refusal(401, "/api/v1/access_token")
    assert wrong
    assert (wrong.code, "reddit.com/prefs/apps" in wrong.message) == ("bad_secret", True)
    closed = refusal(403)
    assert closed
    assert "approved" in closed.message
    assert refusal(401) is None
    assert refusal(500) is None


@pytest.mark.parametrize(("left", "wait_s"), [("0.0", 300), ("0.4", 300), ("55.0", None), ("x", None), ("", None)])
def test_it_waits_when_the_last_request_that_is_granted_was_taken(left: str, wait_s: int | None) -> None:
    answer = Site([thing(1, NOW)]).answer(COLLECTOR.request(source("lumbre"), NOW))
    answer.headers.update({"x-ratelimit-remaining": left, "x-ratelimit-reset": "299"})
    assert COLLECTOR.parse(source("lumbre"), answer).wait_s == wait_s


def test_the_credentials_stand_in_the_header_and_nowhere_else() -> None:
    asking = source("lumbre")
    request = COLLECTOR.request(asking, NOW)
    page = COLLECTOR.parse(asking, Site([thing(1, NOW)]).answer(request))
    told = f"{request.url} {page} {asking!r} {COLLECTOR.sign_in(asking).url}"
    assert [word for word in (TOKEN, SECRET, "clave-lumbre") if word in told] == []


@pytest.mark.parametrize("secret", [None, "", "only-an-id", ":", "id:", "id:clavé"])
def test_it_refuses_a_source_without_a_secret_and_says_where_to_get_one(secret: str | None) -> None:
    asking = replace(source("lumbre"), secret=secret)
    with pytest.raises(ValueError, match=r"secret.*reddit\.com/prefs/apps"):
        COLLECTOR.check(asking)
    if not secret:
        with pytest.raises(CollectError) as error:
            COLLECTOR.sign_in(asking)
        assert error.value.code == "no_secret"


def test_it_is_not_asked_before_it_was_signed_in() -> None:
    with pytest.raises(CollectError) as error:
        COLLECTOR.request(replace(source("lumbre"), session=None), NOW)
    assert error.value.code == "not_signed_in"


@pytest.mark.parametrize(
    "settings",
    [
        {"query": ""}, {"subreddits": "telefonia"}, {"subreddits": ["r/telefonia"]}, {"subreddits": ["a/b"]},
        {"subreddits": ["todo"] * 51}, {"comments": True}, {"comments": 1, "subreddits": ["redes"]},
        {"backfill_days": -1},
    ],
)  # fmt: skip
def test_it_refuses_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="setting"):
        COLLECTOR.check(source("lumbre", **settings))


def test_whatever_a_value_is_it_costs_only_its_own_item() -> None:
    asking = source("lumbre")
    request = COLLECTOR.request(asking, NOW)
    neighbour = thing(77, NOW)
    for odd in twisted(SAMPLE["data"]["children"][:3]):
        children = [*odd, neighbour] if isinstance(odd, list) else [odd, neighbour]
        answer = {"kind": "Listing", "data": {"after": None, "children": children}}
        page = COLLECTOR.parse(asking, httpx.Response(200, content=json.dumps(answer), request=request))
        assert page.posts[-1].id == "t3_77"


def test_whatever_an_answer_is_it_ends_in_a_page_or_a_typed_error() -> None:
    asking = source("lumbre")
    request = COLLECTOR.request(asking, NOW)
    codes = set()
    for odd in twisted({"kind": "Listing", "data": {"after": "t3_1", "children": [thing(1, NOW)]}}):
        try:
            json.dumps(COLLECTOR.parse(asking, httpx.Response(200, content=json.dumps(odd), request=request)).cursor)
        except CollectError as error:
            codes.add(error.code)
    assert codes == {"not_reddit"}
