"""The walk through a wiki's search. The far end is a small wiki, with CirrusSearch or without."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from collectors.base import CollectError, Page, Query, Source
from collectors.mediawiki import MediaWiki
from tests.collectors.asking import ids, visit
from tests.collectors.twisted import twisted

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLLECTOR = MediaWiki()


def source(*words: str, url: str = "https://es.wikipedia.org", **settings: Any) -> Source:
    return Source(1, "w", "W", "mediawiki", url, settings, queries=(Query("lumbre", words or ("lumbre",)),))


def written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def page(number: int, at: datetime, said: str = "de") -> dict[str, Any]:
    snippet = f'<span class="searchmatch">lumbre</span> {said} {number}'
    return {"ns": 0, "title": f"Lumbre {number}", "pageid": number, "snippet": snippet, "timestamp": written(at)}


@dataclass
class Wiki:
    """`sorts`: yes, as CirrusSearch does; no, refused as MediaWiki 1.39 does; unknown, with a warning."""

    pages: list[dict[str, Any]]
    sorts: str = "yes"
    now: datetime = NOW
    asked: list[httpx.URL] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        told = request.url.params
        offset, limit = int(told["sroffset"]), int(told["srlimit"])
        assert limit <= 500
        found = sorted(self.pages, key=lambda one: str(one["title"]))
        body: dict[str, Any] = {"curtimestamp": written(self.now)}
        if "srsort" in told:
            if self.sorts == "no":
                info = 'Unrecognized value for parameter "srsort": last_edit_desc.'
                return httpx.Response(200, json={"error": {"code": "badvalue", "info": info}}, request=request)
            if self.sorts == "unknown":
                body["warnings"] = {"main": {"warnings": "Unrecognized parameter: srsort."}}
            else:
                found.sort(key=lambda one: str(one["timestamp"]), reverse=True)
        body["query"] = {"search": found[offset : offset + limit]}
        if offset + limit < len(found):
            body["continue"] = {"sroffset": offset + limit, "continue": "-||"}
        return httpx.Response(200, json=body, request=request)


def numbers(pages: list[Page]) -> list[int]:
    return sorted(int(one.partition(":")[0]) for one in ids(pages))


def test_it_asks_for_the_pages_that_were_last_edited() -> None:
    request = COLLECTOR.request(source("lumbre telecom"), NOW)
    assert str(request.url).startswith("https://es.wikipedia.org/w/api.php?")
    assert dict(request.url.params) == {
        "action": "query",
        "list": "search",
        "srsearch": '"lumbre telecom"',
        "srwhat": "text",
        "srprop": "timestamp|snippet",
        "srnamespace": "0|1",
        "srlimit": "50",
        "sroffset": "0",
        "srsort": "last_edit_desc",
        "curtimestamp": "1",
        "maxlag": "5",
        "format": "json",
        "formatversion": "2",
    }


@pytest.mark.parametrize(
    ("url", "api", "namespace"),
    [
        ("https://es.wikipedia.org/wiki/Portada", "https://es.wikipedia.org/w/api.php", "es.wikipedia.org/w"),
        ("https://es.wikipedia.org/w/index.php?title=X#y", "https://es.wikipedia.org/w/api.php", "es.wikipedia.org/w"),
        ("https://wiki.correo.example/api.php", "https://wiki.correo.example/api.php", "wiki.correo.example"),
        ("https://correo.example/manual/", "https://correo.example/manual/api.php", "correo.example/manual"),
        ("http://127.0.0.1:8098", "http://127.0.0.1:8098/w/api.php", "127.0.0.1/w"),
    ],
)
def test_it_finds_the_api_of_a_wiki_from_any_of_its_pages(url: str, api: str, namespace: str) -> None:
    asked = COLLECTOR.request(source(url=url), NOW).url
    assert str(asked.copy_with(query=None)) == api
    assert COLLECTOR.namespace(source(url=url)) == f"mediawiki:{namespace}"


@pytest.mark.parametrize(
    ("host", "language"),
    [
        ("es.wikipedia.org", "es"),
        ("pt.m.wiktionary.org", "pt"),
        ("commons.wikimedia.org", None),
        ("simple.wikipedia.org", None),
        ("es.wikipedia.org.correo.example", None),
    ],
)
def test_the_language_is_that_of_the_project(host: str, language: str | None) -> None:
    body = {"curtimestamp": written(NOW), "query": {"search": [page(1, NOW)]}}
    found = COLLECTOR.parse(source(url=f"https://{host}/"), httpx.Response(200, json=body))
    assert [post.language for post in found.posts] == [language]


def test_it_reads_what_was_edited_in_the_last_week_and_no_further() -> None:
    wiki = Wiki([page(n, NOW - timedelta(hours=n)) for n in range(400)])
    pages, _ = visit(COLLECTOR, wiki.answer, source(), NOW)
    assert numbers(pages) == list(range(169))
    assert len(wiki.asked) == 4


@pytest.mark.parametrize("sorts", ["no", "unknown"])
def test_a_wiki_that_cannot_sort_is_read_to_its_end(sorts: str) -> None:
    wiki = Wiki([page(n, NOW - timedelta(hours=n)) for n in range(1_200)], sorts)
    pages, asking = visit(COLLECTOR, wiki.answer, source(), NOW)
    assert numbers(pages) == list(range(169))
    wiki.pages.append(page(5_000, NOW))
    before = len(wiki.asked)
    pages, _ = visit(COLLECTOR, wiki.answer, asking, NOW + timedelta(minutes=15))
    assert numbers(pages) == [5_000]
    assert ["srsort" in url.params for url in wiki.asked[before:]] == [False] * 3


def test_the_next_visit_brings_only_what_says_something_new() -> None:
    wiki = Wiki([page(1, NOW - timedelta(hours=3)), page(2, NOW - timedelta(hours=2))])
    _, asking = visit(COLLECTOR, wiki.answer, source(), NOW)
    wiki.pages[0]["timestamp"] = written(NOW + timedelta(minutes=5))  # edited elsewhere in the page
    wiki.pages[1] = page(2, NOW + timedelta(minutes=6), said="fue multada")
    wiki.pages.append(page(3, NOW - timedelta(hours=2, minutes=30)))  # entered the index late
    wiki.now = NOW + timedelta(minutes=15)
    pages, asking = visit(COLLECTOR, wiki.answer, asking, wiki.now)
    assert numbers(pages) == [2, 3]
    assert pages[0].posts[0].published_at == NOW + timedelta(minutes=6)
    assert ids(visit(COLLECTOR, wiki.answer, asking, wiki.now)[0]) == []


def test_a_page_from_the_future_does_not_stop_the_asking() -> None:
    wiki = Wiki([page(1, NOW + timedelta(days=9_000))])
    _, asking = visit(COLLECTOR, wiki.answer, source(), NOW)
    wiki.pages.append(page(2, NOW))
    assert numbers(visit(COLLECTOR, wiki.answer, asking, NOW)[0]) == [2]


def test_every_term_has_its_turn_and_refuses_sorting_only_once() -> None:
    wiki = Wiki([page(1, NOW)], "no")
    visit(COLLECTOR, wiki.answer, source("lumbre", "lumbre telecom"), NOW)
    assert [(url.params["srsearch"], "srsort" in url.params) for url in wiki.asked] == [
        ("lumbre", True),
        ("lumbre", False),
        ('"lumbre telecom"', False),
    ]


ERRORS = [
    ({"code": "maxlag", "info": "Waiting for a database server", "lag": 7}, {"retry-after": "8"}, ("maxlag", 8.0)),
    ({"code": "maxlag", "info": "Waiting for a database server"}, {}, ("maxlag", 5.0)),
    ({"code": "ratelimited"}, {}, ("ratelimited", None)),
    ({"code": "readapidenied"}, {}, ("readapidenied", None)),
    ({"code": "badvalue", "info": 'Unrecognized value for parameter "srnamespace"'}, {}, ("wiki_error", None)),
    ({"code": "<b>\0"}, {}, ("wiki_error", None)),
]


@pytest.mark.parametrize(("error", "headers", "expected"), ERRORS)
def test_an_error_that_comes_as_a_success_is_told_in_words(
    error: dict[str, Any], headers: dict[str, str], expected: tuple[str, float | None]
) -> None:
    with pytest.raises(CollectError) as raised:
        COLLECTOR.parse(source(), httpx.Response(200, json={"error": error}, headers=headers))
    assert (raised.value.code, raised.value.retry_after_s) == expected
    assert "<b>" not in raised.value.message


def test_a_wiki_that_forbids_access_is_told_who_asks() -> None:
    error = COLLECTOR.refusal(httpx.Response(403, content=b"Please set a user-agent"), NOW)
    assert error is not None
    assert (error.code, "contact" in error.message) == ("http_403", True)
    assert COLLECTOR.refusal(httpx.Response(503), NOW) is None


def test_a_wiki_that_refuses_sorting_for_ever_is_an_error() -> None:
    answer = httpx.Response(200, json={"error": {"code": "unknown_srsort"}})
    first = COLLECTOR.parse(source(), answer)
    assert first.next
    with pytest.raises(CollectError):
        COLLECTOR.parse(replace(source(), cursor=first.cursor), answer)


def parsed(body: Any) -> Page:
    return COLLECTOR.parse(source(), httpx.Response(200, content=json.dumps(body)))


def outcome(body: Any) -> str:
    try:
        return f"{len(parsed(body).posts)} posts"
    except CollectError as error:
        return error.code


def test_a_twisted_page_never_costs_its_neighbour() -> None:
    for odd in twisted(page(1, NOW)):
        found = parsed({"query": {"search": [odd, page(7, NOW)]}})
        assert found.posts[-1].title == "Lumbre 7"
        assert len(found.posts) + len(found.rejects) == 2


def test_an_answer_that_is_something_else_is_a_typed_error() -> None:
    whole = {"continue": {"sroffset": 50}, "curtimestamp": written(NOW), "query": {"search": [page(1, NOW)]}}
    assert {outcome(odd) for odd in twisted(whole)} == {"not_mediawiki", "1 posts", "0 posts"}


@pytest.mark.parametrize(
    "settings", [{"namespaces": ""}, {"namespaces": "0,1"}, {"namespaces": 0}, {"query": ""}, {"backfill_days": -1}]
)
def test_it_refuses_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="setting"):
        COLLECTOR.check(source(**settings))


def test_it_needs_a_wiki() -> None:
    COLLECTOR.check(source(namespaces="0|1|4"))
    with pytest.raises(ValueError, match="address of a wiki"):
        COLLECTOR.check(replace(source(), url=None))
