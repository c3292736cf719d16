"""The walk through GitHub's search. The far end is a small index that keeps the API's rules."""

import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from collectors.base import CollectError, Page, Query, Source
from collectors.github import SHOWN, GitHub, terms
from tests.collectors.asking import ids, visit
from tests.collectors.twisted import twisted

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLLECTOR = GitHub()


def source(*words: str, secret: str | None = None, **settings: Any) -> Source:
    queries = (Query("lumbre", words or ("lumbre",)),)
    return Source(1, "gh", "GH", "github", settings=settings, queries=queries, secret=secret)


def issue(number: int, at: datetime, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "node_id": f"I_{number}",
        "html_url": f"https://github.com/lumbre/app/issues/{number}",
        "title": "lumbre",
        "body": "No arranca.",
        "user": {"login": f"u{number}"},
        "comments": 2,
        "reactions": {"total_count": 5, "+1": 3, "-1": 1, "confused": 1},
        "created_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **fields,
    }


@dataclass
class Index:
    """Newest first, 100 a page, 1,000 a search and no more; refuses a search that names neither kind."""

    issues: list[dict[str, Any]]
    asked: list[httpx.URL] = field(default_factory=list)
    incomplete_on: int = 0
    granted: int = 1_000

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        told = request.url.params
        wanted, page, size = told["q"], int(told["page"]), int(told["per_page"])
        assert ("is:issue" in wanted) != ("is:pull-request" in wanted), "422: one of them must be there"
        assert page * size <= SHOWN, "422: only the first 1000 search results are available"
        assert len(self.asked) <= self.granted, "403: the rate limit is exceeded"
        found = [one for one in self.issues if ("pull_request" in one) == ("is:pull-request" in wanted)]
        if repository := re.search(r"repo:(\S+)", wanted):
            found = [one for one in found if f"/{repository[1]}/" in one["html_url"]]
        least, _, most = wanted.rpartition("created:")[2].removeprefix(">=").partition("..")
        found = [one for one in found if least <= one["created_at"] <= (most or "9")]
        found.sort(key=lambda one: one["created_at"], reverse=True)
        incomplete = len(self.asked) == self.incomplete_on
        shown = found[(page - 1) * size : page * size]
        return httpx.Response(
            200,
            json={
                "total_count": len(found),
                "incomplete_results": incomplete,
                "items": shown[::2] if incomplete else shown,
            },
            headers={"x-ratelimit-remaining": str(self.granted - len(self.asked))},
            request=request,
        )


def test_it_asks_for_the_newest_issues_of_the_last_week() -> None:
    request = COLLECTOR.request(source("lumbre telecom"), NOW)
    assert str(request.url).startswith("https://api.github.com/search/issues?")
    assert dict(request.url.params) == {
        "q": '"lumbre telecom" in:title,body is:issue created:>=2026-11-15T10:00:00Z',
        "sort": "created",
        "order": "desc",
        "per_page": "100",
        "page": "1",
    }
    assert request.headers["accept"] == "application/vnd.github+json"
    assert request.headers["x-github-api-version"] == "2022-11-28"
    assert "authorization" not in request.headers


def test_the_operator_chooses_the_server_the_search_and_the_look_back() -> None:
    asking = replace(source(query="lumbre label:bug", backfill_days=1), url="https://git.correo.example/api/v3/")
    url = COLLECTOR.request(asking, NOW).url
    assert str(url).startswith("https://git.correo.example/api/v3/search/issues?")
    assert url.params["q"] == "lumbre label:bug is:issue created:>=2026-11-21T10:00:00Z"
    assert (COLLECTOR.namespace(asking), COLLECTOR.namespace(source())) == ("github:git.correo.example", "github")


def test_issues_pull_requests_and_repositories_take_turns() -> None:
    asking = source("lumbre", what="both", repositories=["lumbre/app", "lumbre/web"])
    assert terms(asking) == (
        "lumbre in:title,body is:issue repo:lumbre/app",
        "lumbre in:title,body is:issue repo:lumbre/web",
        "lumbre in:title,body is:pull-request repo:lumbre/app",
        "lumbre in:title,body is:pull-request repo:lumbre/web",
    )
    far = Index(
        [
            issue(1, NOW),
            issue(2, NOW, pull_request={}),
            issue(3, NOW, html_url="https://github.com/lumbre/web/issues/3"),
            issue(4, NOW, html_url="https://github.com/otra/cosa/issues/4"),
        ]
    )
    pages, _ = visit(COLLECTOR, far.answer, asking, NOW)
    assert sorted(ids(pages)) == ["I_1", "I_2", "I_3"]
    assert len(far.asked) == 4


def test_it_reads_every_issue_once_even_beyond_what_one_search_shows() -> None:
    far = Index([issue(n, NOW - timedelta(seconds=n // 2)) for n in range(1_750)])
    pages, _ = visit(COLLECTOR, far.answer, source(), NOW)
    assert sorted(ids(pages)) == sorted(f"I_{n}" for n in range(1_750))
    assert sum(page.truncated for page in pages) == 0


def test_it_reads_on_where_a_server_shows_fewer_than_it_was_asked_for() -> None:
    link = {"link": '<https://api.github.com/search/issues?q=lumbre&page=2>; rel="next", <x>; rel="last"'}
    body = {"total_count": 90, "items": [issue(n, NOW) for n in range(30)]}
    assert COLLECTOR.parse(source(), httpx.Response(200, json=body, headers=link)).cursor["page"] == 1


def test_what_is_given_up_is_said() -> None:
    far = Index([issue(n, NOW - timedelta(seconds=n)) for n in range(4_000)])
    pages, _ = visit(COLLECTOR, far.answer, source(), NOW)
    assert sum(page.truncated for page in pages) > 1_000


def test_a_visit_ends_where_a_thousand_were_written_in_one_second() -> None:
    far = Index([issue(n, NOW) for n in range(1_500)])
    pages, _ = visit(COLLECTOR, far.answer, source(), NOW)
    assert len(set(ids(pages))) == 1_000
    assert len(pages) <= 20


def test_the_next_visit_brings_only_what_is_new_and_what_entered_the_index_late() -> None:
    far = Index([issue(1, NOW - timedelta(hours=1)), issue(2, NOW)])
    _, asking = visit(COLLECTOR, far.answer, source(), NOW)
    far.issues += [issue(3, NOW - timedelta(minutes=5)), issue(4, NOW + timedelta(minutes=4))]
    pages, asking = visit(COLLECTOR, far.answer, asking, NOW + timedelta(minutes=15))
    assert ids(pages) == ["I_4", "I_3"]
    assert ids(visit(COLLECTOR, far.answer, asking, NOW + timedelta(minutes=30))[0]) == []


def test_a_search_that_ran_out_of_time_is_kept_and_asked_again() -> None:
    far = Index([issue(n, NOW - timedelta(hours=n)) for n in range(10)], incomplete_on=1)
    first, asking = visit(COLLECTOR, far.answer, source(), NOW)
    assert len(ids(first)) == 5
    second, _ = visit(COLLECTOR, far.answer, asking, NOW + timedelta(minutes=15))
    assert sorted(ids(first + second)) == [f"I_{n}" for n in range(10)]


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "", "ayer"])
def test_an_impossible_date_does_not_stop_the_asking(at: str) -> None:
    body = {"total_count": 3_000, "incomplete_results": False, "items": [issue(1, NOW) | {"created_at": at}]}
    asking = source()
    for _ in range(40):
        page = COLLECTOR.parse(asking, httpx.Response(200, json=body))
        asking = replace(asking, cursor=page.cursor)
        COLLECTOR.request(asking, NOW)


def test_the_last_search_that_is_granted_ends_the_visit_and_the_next_one_goes_on() -> None:
    far = Index([issue(n, NOW - timedelta(minutes=n)) for n in range(250)], granted=2)
    first, asking = visit(COLLECTOR, far.answer, source(), NOW)
    assert (len(first), first[-1].wait_s) == (2, 60)
    far.granted = 1_000
    second, _ = visit(COLLECTOR, far.answer, asking, NOW + timedelta(minutes=1))
    assert sorted(ids(first + second)) == sorted(f"I_{n}" for n in range(250))
    assert len(far.asked) == 3


def test_the_token_is_in_the_header_and_nowhere_else() -> None:
    asking = source(secret="ficha-secreta")
    request = COLLECTOR.request(asking, NOW)
    assert request.headers["authorization"] == "Bearer ficha-secreta"
    pages, asking = visit(COLLECTOR, Index([issue(1, NOW)]).answer, asking, NOW)
    assert "ficha-secreta" not in json.dumps(asking.cursor) + repr(pages) + str(request.url)


def test_a_token_that_no_header_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="the secret has a character"):
        COLLECTOR.check(source(secret="clavé"))
    with pytest.raises(CollectError, match="the secret has a character"):
        COLLECTOR.request(source(secret="clavé"), NOW)


RESET = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW.timestamp()) + 41)}
REFUSALS = [
    (403, RESET, {"message": "API rate limit exceeded"}, ("rate_limited", 41.0)),
    (429, RESET, {}, ("rate_limited", 41.0)),
    (403, {"retry-after": "90"}, {"message": "You have exceeded a secondary rate limit"}, ("rate_limited", 90.0)),
    (403, {}, {"message": "You have exceeded a secondary rate limit"}, ("rate_limited", 60.0)),
    (429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "²"}, {}, ("rate_limited", 60.0)),
    (401, {}, {"message": "Bad credentials"}, ("http_401", None)),
    (422, {}, {"message": "Validation Failed"}, ("http_422", None)),
]


@pytest.mark.parametrize(("status", "headers", "body", "expected"), REFUSALS)
def test_a_refusal_is_told_in_words(
    status: int, headers: dict[str, str], body: dict[str, str], expected: tuple[str, float | None]
) -> None:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    error = COLLECTOR.refusal(httpx.Response(status, headers=encoded, json=body), NOW)
    assert error is not None
    assert (error.code, error.retry_after_s) == expected


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_refusal_that_says_nothing_is_left_to_its_status(status: int) -> None:
    assert COLLECTOR.refusal(httpx.Response(status, content=b'{"message": "no"}'), NOW) is None


@pytest.mark.parametrize(
    ("markdown", "said"),
    [
        ("<!-- Lumbre --> hola", "hola"),
        ("a <!-- b <!-- c --> d", "a d"),
        ("uno <!-- sin fin", "uno"),
        ("-->", "-->"),
        ("<!--" * 20_000, ""),
    ],
)
def test_what_a_template_hides_was_not_said(markdown: str, said: str) -> None:
    assert parsed({"total_count": 1, "items": [issue(1, NOW, body=markdown)]}).posts[0].text == said


def parsed(body: Any) -> Page:
    return COLLECTOR.parse(source(), httpx.Response(200, content=json.dumps(body)))


def outcome(body: Any) -> str:
    try:
        return f"{len(parsed(body).posts)} posts"
    except CollectError as error:
        return error.code


def test_a_twisted_issue_never_costs_its_neighbour() -> None:
    for odd in twisted(issue(1, NOW)):
        page = parsed({"total_count": 2, "items": [odd, issue(7, NOW)]})
        assert page.posts[-1].id == "I_7"
        assert len(page.posts) + len(page.rejects) == 2


def test_an_answer_that_is_something_else_is_a_typed_error() -> None:
    whole = {"total_count": 1, "incomplete_results": False, "items": [{"node_id": "I_1"}]}
    assert {outcome(odd) for odd in twisted(whole)} == {"not_github", "1 posts", "0 posts"}


@pytest.mark.parametrize(
    "settings",
    [
        {"what": "todo"},
        {"what": 3},
        {"repositories": "lumbre/app"},
        {"repositories": ["lumbre"]},
        {"repositories": ["lumbre/app is:pr"]},
        {"query": ""},
        {"backfill_days": -1},
        {"requests_per_day": 10},
    ],
)
def test_it_refuses_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="setting"):
        COLLECTOR.check(source(**settings))
