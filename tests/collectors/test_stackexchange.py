"""The walk through a Stack Exchange site. The far end is a small index that keeps the API's rules."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from collectors.base import CollectError, Page, Query, Source
from collectors.search import REQUESTS_PER_VISIT
from collectors.stackexchange import StackExchange
from tests.collectors.asking import ids, visit
from tests.collectors.twisted import twisted

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLLECTOR = StackExchange()


def source(*words: str, secret: str | None = None, **settings: Any) -> Source:
    return Source(
        1,
        "se",
        "SE",
        "stackexchange",
        settings={"site": "es.stackoverflow", **settings},
        queries=(Query("lumbre", words or ("lumbre",)),),
        secret=secret,
    )


def question(number: int, at: datetime, words: str = "lumbre") -> dict[str, Any]:
    return {
        "question_id": number,
        "title": words,
        "body": f"<p>{words}</p>",
        "link": f"https://es.stackoverflow.com/questions/{number}",
        "tags": ["android"],
        "owner": {"display_name": f"u{number}"},
        "creation_date": int(at.timestamp()),
        "score": 1,
        "view_count": 10,
        "answer_count": 0,
    }


@dataclass
class Api:
    """Newest first, 100 a page, no page beyond 25, and a backoff where it was told to ask for one."""

    questions: list[dict[str, Any]]
    backoff_on: int = 0
    asked: list[httpx.URL] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        told = request.url.params
        page, size = int(told["page"]), int(told["pagesize"])
        if page > 25 or size > 100:
            return httpx.Response(400, json={"error_id": 403, "error_name": "access_denied"}, request=request)
        found = [
            one
            for one in self.questions
            if told["q"].strip('"') in one["title"] and one["creation_date"] >= int(told["fromdate"])
        ]
        found.sort(key=lambda one: one["creation_date"], reverse=True)
        body: dict[str, Any] = {
            "items": found[(page - 1) * size : page * size],
            "has_more": page * size < len(found),
            "quota_remaining": 300 - len(self.asked),
        }
        if len(self.asked) == self.backoff_on:
            body["backoff"] = 10
        return httpx.Response(200, json=body, request=request)


def test_it_asks_one_site_for_the_newest_of_the_last_week() -> None:
    request = COLLECTOR.request(source("lumbre telecom", tagged=["android", "ios"]), NOW)
    assert str(request.url).startswith("https://api.stackexchange.com/2.3/search/advanced?")
    assert dict(request.url.params) == {
        "q": '"lumbre telecom"',
        "sort": "creation",
        "order": "desc",
        "fromdate": str(int((NOW - timedelta(days=7)).timestamp())),
        "page": "1",
        "tagged": "android;ios",
        "site": "es.stackoverflow",
        "pagesize": "100",
        "filter": "withbody",
    }


def test_the_operator_chooses_the_base_the_search_and_the_look_back() -> None:
    asking = replace(source(query="lumbre is:question", backfill_days=1), url="http://127.0.0.1:8099/2.3/")
    url = COLLECTOR.request(asking, NOW).url
    assert str(url).startswith("http://127.0.0.1:8099/2.3/search/advanced?")
    assert url.params["q"] == "lumbre is:question"
    assert url.params["fromdate"] == str(int(NOW.timestamp()) - 86_400)


@pytest.mark.parametrize("site", ["es.stackoverflow", "ES.StackOverflow.com", "es.stackoverflow.com"])
def test_a_question_has_one_id_however_its_site_is_written(site: str) -> None:
    answer = httpx.Response(200, json={"items": [question(7, NOW)], "has_more": False})
    page = COLLECTOR.parse(source(site=site), answer)
    assert [(post.id, post.language) for post in page.posts] == [("es.stackoverflow/7", "es")]


@pytest.mark.parametrize(("site", "name"), [("dba.stackexchange.com", "dba"), ("spanish", "spanish")])
def test_a_site_about_something_has_no_language_of_its_own(site: str, name: str) -> None:
    answer = httpx.Response(200, json={"items": [question(7, NOW)], "has_more": False})
    assert [(p.id, p.language) for p in COLLECTOR.parse(source(site=site), answer).posts] == [(f"{name}/7", None)]


def test_it_reads_every_question_once() -> None:
    far = Api([question(n, NOW - timedelta(minutes=n)) for n in range(730)])
    pages, _ = visit(COLLECTOR, far.answer, source(), NOW)
    assert ids(pages) == [f"es.stackoverflow/{n}" for n in range(730)]
    assert len(far.asked) == 8


def test_what_one_visit_cannot_read_is_said_and_no_page_is_asked_that_wants_a_login() -> None:
    far = Api([question(n, NOW - timedelta(seconds=n)) for n in range(2_700)])
    pages, asking = visit(COLLECTOR, far.answer, source(), NOW)
    assert len(pages) == REQUESTS_PER_VISIT
    assert sum(page.truncated for page in pages) > 0
    pages, _ = visit(COLLECTOR, far.answer, asking, NOW)
    assert max(int(url.params["page"]) for url in far.asked) <= 25


def test_the_next_visit_brings_only_what_is_new_and_what_entered_the_index_late() -> None:
    far = Api([question(1, NOW - timedelta(hours=1)), question(2, NOW)])
    _, asking = visit(COLLECTOR, far.answer, source(), NOW)
    far.questions += [question(3, NOW - timedelta(minutes=5)), question(4, NOW + timedelta(minutes=4))]
    pages, asking = visit(COLLECTOR, far.answer, asking, NOW + timedelta(minutes=15))
    assert ids(pages) == ["es.stackoverflow/4", "es.stackoverflow/3"]
    assert ids(visit(COLLECTOR, far.answer, asking, NOW + timedelta(minutes=30))[0]) == []


def test_a_question_from_the_future_does_not_stop_the_asking() -> None:
    far = Api([question(1, NOW + timedelta(days=9_000))])
    _, asking = visit(COLLECTOR, far.answer, source(), NOW)
    far.questions.append(question(2, NOW))
    assert ids(visit(COLLECTOR, far.answer, asking, NOW)[0]) == ["es.stackoverflow/2"]


def test_a_backoff_ends_the_visit_and_the_next_one_goes_on_where_it_stood() -> None:
    far = Api([question(n, NOW - timedelta(minutes=n)) for n in range(450)], backoff_on=2)
    first, asking = visit(COLLECTOR, far.answer, source(), NOW)
    assert (len(first), first[-1].wait_s) == (2, 10)
    second, _ = visit(COLLECTOR, far.answer, asking, NOW + timedelta(seconds=10))
    assert sorted(ids(first + second)) == sorted(f"es.stackoverflow/{n}" for n in range(450))
    assert len(far.asked) == 5


def test_a_spent_quota_ends_the_visit() -> None:
    body = {"items": [question(1, NOW)], "has_more": True, "quota_remaining": 0}
    assert not COLLECTOR.parse(source(), httpx.Response(200, json=body)).next


@pytest.mark.parametrize("backoff", [None, 0, -5, True, "soon", [10], {}])
def test_a_backoff_that_is_none_ends_nothing(backoff: Any) -> None:
    body = {"items": [question(1, NOW)], "has_more": True, "backoff": backoff}
    page = COLLECTOR.parse(source(), httpx.Response(200, json=body))
    assert (page.next, page.wait_s) == (True, None)


def test_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="the secret has a character"):
        COLLECTOR.check(source(secret="clave\nsecreta"))


def test_the_key_is_in_the_question_and_nowhere_else() -> None:
    asking = source(secret="clave-secreta")
    assert COLLECTOR.request(asking, NOW).url.params["key"] == "clave-secreta"
    far = Api([question(1, NOW)])
    pages, asking = visit(COLLECTOR, far.answer, asking, NOW)
    assert "clave-secreta" not in json.dumps(asking.cursor) + repr(pages)


REFUSALS = [
    (
        {
            "error_id": 502,
            "error_name": "throttle_violation",
            "error_message": "too many requests from this IP, more requests available in 17524 seconds",
        },
        ("throttle_violation", 17_524.0),
    ),
    ({"error_name": "throttle_violation", "error_message": "Violation of backoff"}, ("throttle_violation", None)),
    ({"error_id": 400, "error_name": "bad_parameter", "error_message": "No site found"}, ("bad_parameter", None)),
]


@pytest.mark.parametrize(("body", "expected"), REFUSALS)
def test_a_refusal_is_told_in_words(body: dict[str, Any], expected: tuple[str, float | None]) -> None:
    error = COLLECTOR.refusal(httpx.Response(400, json=body), NOW)
    assert error is not None
    assert (error.code, error.retry_after_s) == expected
    with pytest.raises(CollectError) as raised:
        COLLECTOR.parse(source(), httpx.Response(200, json=body))
    assert (raised.value.code, raised.value.retry_after_s) == expected


@pytest.mark.parametrize("body", [b"<html>429</html>", b"", b"[]", b'{"error_name": ["x"]}', b'{"error_name": "new"}'])
def test_a_refusal_that_says_nothing_is_left_to_its_status(body: bytes) -> None:
    assert COLLECTOR.refusal(httpx.Response(429, content=body), NOW) is None


def test_it_counts_again_by_id_and_tells_what_is_gone() -> None:
    wanted = ("es.stackoverflow/1", "es.stackoverflow/2", "dba/3")
    request = COLLECTOR.recount(source(secret="k"), wanted, NOW)
    assert request.url.path == "/2.3/questions/1;2"
    assert dict(request.url.params) == {"site": "es.stackoverflow", "pagesize": "100", "filter": "withbody", "key": "k"}
    answer = {"items": [question(2, NOW) | {"score": 40}], "has_more": False, "backoff": 7}
    page = COLLECTOR.recounted(source(), wanted, httpx.Response(200, json=answer))
    assert [(post.id, post.engagement["likes"]) for post in page.posts] == [("es.stackoverflow/2", 40)]
    assert (page.gone, page.wait_s) == (("es.stackoverflow/1",), 7)


@pytest.mark.parametrize("answer", [{"items": [None], "has_more": False}, {"items": [], "has_more": True}])
def test_nothing_is_gone_where_the_answer_is_not_whole(answer: dict[str, Any]) -> None:
    page = COLLECTOR.recounted(source(), ("es.stackoverflow/1",), httpx.Response(200, json=answer))
    assert page.gone == ()


def parsed(body: Any) -> Page:
    return COLLECTOR.parse(source(), httpx.Response(200, content=json.dumps(body)))


def test_a_twisted_question_never_costs_its_neighbour() -> None:
    for odd in twisted(question(1, NOW)):
        page = parsed({"items": [odd, question(7, NOW)], "has_more": False})
        assert page.posts[-1].id == "es.stackoverflow/7"
        assert len(page.posts) + len(page.rejects) == 2


def outcome(body: Any) -> str:
    try:
        return f"{len(parsed(body).posts)} posts"
    except CollectError as error:
        return error.code


def test_an_answer_that_is_something_else_is_a_typed_error() -> None:
    whole = {"items": [question(1, NOW)], "has_more": True, "backoff": 1, "quota_remaining": 5}
    assert {outcome(odd) for odd in twisted(whole)} == {"not_stackexchange", "1 posts", "0 posts"}


@pytest.mark.parametrize(
    "settings",
    [
        {"site": ""},
        {"site": "a/../b"},
        {"site": 3},
        {"tagged": "android"},
        {"tagged": [""]},
        {"query": ""},
        {"backfill_days": -1},
        {"requests_per_day": 0},
        {"requests_per_day": True},
    ],
)
def test_it_refuses_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="setting"):
        COLLECTOR.check(source(**settings))


def test_it_needs_a_site_and_grants_what_a_key_grants() -> None:
    COLLECTOR.check(source(requests_per_day=10_000))
    with pytest.raises(ValueError, match="setting site"):
        COLLECTOR.check(replace(source(), settings={}))
