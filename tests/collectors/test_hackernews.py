"""The walk through Hacker News: every hit once, nothing lost, never for ever. The far end is a small index here."""

import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from collectors.base import CollectError, Page, Query, Source
from collectors.hackernews import HITS_PER_SEARCH, HackerNews
from collectors.search import REQUESTS_PER_VISIT, phrases
from tests.collectors.asking import ids
from tests.collectors.asking import visit as walked

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLLECTOR = HackerNews()


def source(*words: str, **settings: Any) -> Source:
    return Source(1, "hn", "HN", "hackernews", settings=settings, queries=(Query("lumbre", words),) if words else ())


def hit(number: int, at: datetime, words: str = "lumbre") -> dict[str, Any]:
    return {
        "objectID": str(number),
        "created_at_i": int(at.timestamp()),
        "title": None,
        "author": f"u{number}",
        "comment_text": words,
        "story_title": "Lumbre",
    }


@dataclass
class Algolia:
    """Answers as the search does: newest first, by page, and never more than 1,000 hits of one search."""

    hits: list[dict[str, Any]]
    asked: list[httpx.URL] = field(default_factory=list)
    turns_pages: bool = True

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        word = request.url.params["query"].strip('"')
        found = [hit for hit in self.hits if word in hit["comment_text"]]
        for sign, number in re.findall(r"created_at_i([<>])(\d+)", request.url.params["numericFilters"]):
            limit = int(number)
            found = [h for h in found if (h["created_at_i"] < limit if sign == "<" else h["created_at_i"] > limit)]
        found.sort(key=lambda found_hit: found_hit["created_at_i"], reverse=True)
        page, size = int(request.url.params["page"]) if self.turns_pages else 0, int(request.url.params["hitsPerPage"])
        shown = found[:HITS_PER_SEARCH][page * size : (page + 1) * size]
        pages = -(-min(len(found), HITS_PER_SEARCH) // size)
        body = {"hits": shown, "nbHits": len(found), "page": page, "nbPages": pages, "hitsPerPage": size}
        return httpx.Response(200, json=body, request=request)


def visit(far: Algolia, asking: Source, now: datetime = NOW) -> tuple[list[Page], Source]:
    return walked(COLLECTOR, far.answer, asking, now)


def test_it_asks_for_the_newest_of_the_last_two_weeks() -> None:
    url = COLLECTOR.request(source("lumbre"), NOW).url
    assert url.path == "/api/v1/search_by_date"
    assert dict(url.params) == {
        "query": "lumbre",
        "tags": "(story,comment)",
        "numericFilters": f"created_at_i>{int((NOW - timedelta(days=14)).timestamp())}",
        "hitsPerPage": "100",
        "page": "0",
        "typoTolerance": "false",
        "advancedSyntax": "true",
    }


def test_the_operator_chooses_the_base_the_look_back_and_the_search() -> None:
    asking = replace(source("lumbre", query="acme -road", backfill_days=1), url="http://127.0.0.1:8099/hn/")
    url = COLLECTOR.request(asking, NOW).url
    assert str(url).startswith("http://127.0.0.1:8099/hn/search_by_date?")
    assert url.params["query"] == "acme -road"
    assert url.params["numericFilters"] == f"created_at_i>{int(NOW.timestamp()) - 86_400}"


def test_it_searches_for_each_term_once_and_for_several_words_as_a_phrase() -> None:
    asking = replace(
        source("Lumbre", "lumbre telecom", "c++"), queries=(Query("a", ("Lumbre",)), Query("b", ("lumbre", 'a "b" c')))
    )
    assert phrases(asking) == ("lumbre", '"a  b  c"')


def test_a_source_without_a_term_says_so() -> None:
    with pytest.raises(CollectError) as error:
        COLLECTOR.request(source(), NOW)
    assert error.value.code == "no_terms"


def test_it_reads_every_hit_once_even_beyond_what_one_search_shows() -> None:
    far = Algolia([hit(n, NOW - timedelta(minutes=n // 2)) for n in range(1_850)])
    pages, _ = visit(far, source("lumbre"))
    assert sorted(ids(pages), key=int) == [str(n) for n in range(1_850)]
    assert sum(page.truncated for page in pages) == 0
    assert len(pages) <= REQUESTS_PER_VISIT


def test_it_reads_on_where_a_server_does_not_turn_pages() -> None:
    far = Algolia([hit(n, NOW - timedelta(minutes=n)) for n in range(350)], turns_pages=False)
    pages, _ = visit(far, source("lumbre"))
    assert sorted(ids(pages), key=int) == [str(n) for n in range(350)]


def test_a_visit_ends_whatever_the_server_says() -> None:
    class Broken(Algolia):
        def answer(self, request: httpx.Request) -> httpx.Response:
            self.asked.append(request.url)
            body = {"hits": [hit(len(self.asked), NOW)], "nbHits": 10**9, "page": 0, "nbPages": 10**6, "hitsPerPage": 1}
            return httpx.Response(200, json=body, request=request)

    pages, _ = visit(Broken([]), source("lumbre"))
    assert len(pages) <= REQUESTS_PER_VISIT


def test_what_is_given_up_is_said() -> None:
    far = Algolia([hit(n, NOW - timedelta(minutes=n)) for n in range(5_000)])
    pages, _ = visit(far, source("lumbre"))
    assert len(pages) == REQUESTS_PER_VISIT
    assert sum(page.truncated for page in pages) > 2_000


def test_the_next_visit_brings_only_what_is_new() -> None:
    far = Algolia([hit(1, NOW - timedelta(hours=1))])
    pages, asking = visit(far, source("lumbre"))
    assert ids(pages) == ["1"]
    far.hits.append(hit(2, NOW + timedelta(minutes=4)))
    pages, asking = visit(far, asking, NOW + timedelta(minutes=5))
    assert ids(pages) == ["2"]
    pages, _ = visit(far, asking, NOW + timedelta(minutes=10))
    assert ids(pages) == []


def test_a_hit_that_entered_the_index_late_is_not_lost() -> None:
    far = Algolia([hit(1, NOW)])
    _, asking = visit(far, source("lumbre"))
    far.hits.append(hit(2, NOW - timedelta(minutes=5)))
    assert ids(visit(far, asking)[0]) == ["2"]


def test_every_term_has_its_turn_and_more_terms_than_requests_go_on_next_time() -> None:
    words = tuple(f"marca{n:02}" for n in range(30))
    far = Algolia([hit(n, NOW - timedelta(minutes=n), words=word) for n, word in enumerate(words)])
    first, asking = visit(far, source(*words))
    second, _ = visit(far, asking, NOW + timedelta(minutes=15))
    assert len(first) == REQUESTS_PER_VISIT
    assert set(ids(first) + ids(second)) == {str(n) for n in range(30)}


def test_a_reading_that_broke_off_is_read_again() -> None:
    far = Algolia([hit(n, NOW - timedelta(minutes=n)) for n in range(250)])
    asking = source("lumbre")
    page = COLLECTOR.parse(asking, far.answer(COLLECTOR.request(asking, NOW)))
    assert page.next
    failed = replace(asking, cursor=page.cursor, fail_count=1)  # the second page did not come
    found = set(ids([page])) | set(ids(visit(far, failed)[0]))
    assert found == {str(n) for n in range(250)}


def test_a_term_that_fails_does_not_hold_up_the_others() -> None:
    asking = source("uno", "dos", "tres")
    asked = [COLLECTOR.request(replace(asking, fail_count=n), NOW).url.params["query"] for n in range(4)]
    assert asked == ["uno", "dos", "tres", "uno"]


def test_a_term_that_is_no_longer_wanted_is_forgotten() -> None:
    far = Algolia([hit(1, NOW)])
    _, asking = visit(far, source("lumbre", "vieja"))
    _, asking = visit(far, replace(asking, queries=(Query("lumbre", ("lumbre",)),)))
    assert set(asking.cursor["marks"]) <= {"lumbre"}


def parsed(*hits: Any) -> Page:
    answer = {"hits": [*hits, hit(7, NOW)], "nbHits": len(hits) + 1, "page": 0, "nbPages": 1, "hitsPerPage": 100}
    page = COLLECTOR.parse(source("lumbre"), httpx.Response(200, json=answer))
    assert page.posts[-1].id == "7", "a bad hit must not cost its neighbour"
    return page


@pytest.mark.parametrize("number", [None, True, 4.5, -4, "", "a/b", ["4"], {"a": 1}, "9" * 5_000])
def test_a_hit_without_an_id_costs_only_itself_and_is_told_in_words(number: Any) -> None:
    page = parsed(hit(1, NOW) | {"objectID": number})
    assert [post.id for post in page.posts] == ["7"]
    assert [reject.reason for reject in page.rejects] == ["an item without a usable objectID"]


@pytest.mark.parametrize("odd", [None, 3, "x", [1]])
def test_a_hit_that_is_no_object_is_told_in_words(odd: Any) -> None:
    page = parsed(odd)
    assert [(reject.reason, json.loads(reject.sample)) for reject in page.rejects] == [
        ("an item that is not an object", odd)
    ]


@pytest.mark.parametrize("at", [None, 10**17, -(10**12), True, [1], "soon"])
def test_a_hit_of_an_impossible_time_is_kept_without_it(at: Any) -> None:
    post = parsed(hit(1, NOW) | {"created_at_i": at}).posts[0]
    assert (post.id, post.published_at) == ("1", None)


def test_a_hit_whose_words_are_no_text_is_kept_without_them() -> None:
    post = parsed(hit(1, NOW) | {"comment_text": ["x"]}).posts[0]
    assert (post.id, post.text, post.reply) == ("1", "", True)


def test_an_answer_that_is_something_else_is_an_error() -> None:
    for body, code in ((b"<html>", "bad_json"), (b'{"message": "no"}', "not_hackernews"), (b"[" * 5000, "hostile")):
        response = httpx.Response(200, content=body, request=COLLECTOR.request(source("lumbre"), NOW))
        with pytest.raises(CollectError) as error:
            COLLECTOR.parse(source("lumbre"), response)
        assert error.value.code == code


@pytest.mark.parametrize(
    "settings", [{"query": ""}, {"query": 3}, {"tags": None}, {"backfill_days": -1}, {"backfill_days": True}]
)
def test_it_refuses_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="setting"):
        COLLECTOR.check(source("lumbre", **settings))
