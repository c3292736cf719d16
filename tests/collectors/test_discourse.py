"""The walk through one Discourse forum, within what it grants to strangers. The far end is a small forum here."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from collectors.base import CollectError, Explains, Page, Query, Source
from collectors.discourse import REQUESTS, Discourse
from collectors.search import phrases
from tests.collectors.asking import ids
from tests.collectors.asking import visit as walked

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLLECTOR = Discourse()


def source(*words: str, **settings: Any) -> Source:
    queries = (Query("lumbre", words),) if words else ()
    return Source(1, "d", "D", "discourse", "https://tertulia.example/", settings=settings, queries=queries)


def post(number: int, at: datetime, words: str = "lumbre", **more: Any) -> dict[str, Any]:
    written = {"id": number, "topic_id": number, "post_number": 1, "created_at": at.isoformat(), "blurb": words}
    return written | more


@dataclass
class Forum:
    """Answers as Discourse does: whole days, newest first, 50 a page, no eleventh page, few searches a visit."""

    posts: list[dict[str, Any]]
    asked: list[httpx.URL] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        word, after, order = request.url.params["q"].rsplit(" ", 2)
        day, page = date.fromisoformat(after.removeprefix("after:")), int(request.url.params["page"])
        assert order == "order:latest"
        assert 1 <= page <= 10
        found = [one for one in self.posts if word.strip('"') in one["blurb"]]
        found = [one for one in found if datetime.fromisoformat(one["created_at"]).date() >= day]
        found.sort(key=lambda one: str(one["created_at"]), reverse=True)
        shown = found[(page - 1) * 50 : page * 50]
        about = {"more_full_page_results": True if len(found) > page * 50 else None, "error": None}
        topics = [{"id": one["topic_id"], "title": "Un tema", "slug": "un-tema"} for one in shown]
        body = {"posts": shown, "topics": topics, "grouped_search_result": about}
        return httpx.Response(200, json=body, request=request)


def visit(far: Forum, asking: Source, now: datetime = NOW) -> tuple[list[Page], Source]:
    pages, asking = walked(COLLECTOR, far.answer, asking, now)
    assert len(pages) <= REQUESTS
    return pages, asking


def test_it_asks_for_the_latest_of_the_last_week() -> None:
    url = COLLECTOR.request(source("Lumbre Telecom"), NOW).url
    assert url.path == "/search.json"
    assert dict(url.params) == {"q": '"lumbre telecom" after:2026-11-15 order:latest', "page": "1"}


def test_the_operator_may_search_in_the_forums_own_syntax() -> None:
    assert phrases(source("lumbre", query="Lumbre category:ayuda")) == ("Lumbre category:ayuda",)


def test_a_forum_is_a_place_of_its_own() -> None:
    assert COLLECTOR.namespace(source("lumbre")) == "discourse:tertulia.example"


def test_it_reads_on_in_the_next_visit() -> None:
    far = Forum([post(n, NOW - timedelta(minutes=20 * n)) for n in range(1, 331)])
    first, asking = visit(far, source("lumbre"))
    assert len(first) == REQUESTS
    second, _ = visit(far, asking, NOW + timedelta(minutes=15))
    assert sorted(ids(first) + ids(second), key=int) == [str(n) for n in range(1, 331)]
    assert [url.params["page"] for url in far.asked] == [str(n) for n in range(1, 8)]


def test_more_than_ten_pages_are_given_up_and_it_is_said() -> None:
    far = Forum([post(n, NOW - timedelta(minutes=n)) for n in range(1, 601)])
    pages, asking = visit(far, source("lumbre"))
    for _ in range(2):
        more, asking = visit(far, asking)
        pages += more
    assert len(pages) == 10
    assert sum(page.truncated for page in pages) == 1
    assert asking.cursor["marks"]


def test_many_words_take_several_visits_and_each_has_its_turn() -> None:
    words = tuple(f"marca{n}" for n in range(9))
    far, asking = Forum([post(n, NOW, word) for n, word in enumerate(words)]), source(*words)
    found: list[str] = []
    for _ in range(3):
        pages, asking = visit(far, asking)
        found += ids(pages)
    assert sorted(found) == [str(n) for n in range(9)]


def test_the_next_visit_brings_only_what_is_new_with_one_request() -> None:
    far = Forum([post(n, NOW - timedelta(minutes=n)) for n in range(1, 90)])
    _, asking = visit(far, source("lumbre"))
    far.asked.clear()
    far.posts += [post(900, NOW + timedelta(minutes=1)), post(901, NOW - timedelta(minutes=8))]
    pages, asking = visit(far, asking, NOW + timedelta(minutes=5))
    assert ids(pages) == ["900", "901"]
    assert len(far.asked) <= 2
    assert far.asked[0].params["q"] == "lumbre after:2026-11-22 order:latest"


def test_only_the_first_post_of_a_topic_has_the_topics_title_for_its_own() -> None:
    first, second = parsed(post(1, NOW), post(2, NOW, post_number=2)).posts[:2]
    assert (first.reply, first.url) == (False, "https://tertulia.example/t/un-tema/1/1")
    assert (second.reply, second.url) == (True, "https://tertulia.example/t/-/2/2")


def test_a_forum_in_a_folder_keeps_it_in_its_links() -> None:
    asking = replace(source("lumbre"), url="https://correo.example/foro/")
    assert str(COLLECTOR.request(asking, NOW).url).startswith("https://correo.example/foro/search.json?")
    page = COLLECTOR.parse(asking, httpx.Response(200, json=body(post(1, NOW))))
    assert page.posts[0].url == "https://correo.example/foro/t/un-tema/1/1"


def body(*posts: Any, **about: Any) -> dict[str, Any]:
    topics = [{"id": 1, "title": "Un tema", "slug": "un-tema", "posts_count": 3}]
    return {"posts": [*posts], "topics": topics, "grouped_search_result": {"term": "lumbre"} | about}


def parsed(*posts: Any) -> Page:
    page = COLLECTOR.parse(source("lumbre"), httpx.Response(200, json=body(*posts, post(7, NOW))))
    assert page.posts[-1].id == "7", "a bad post must not cost its neighbour"
    return page


ODD: tuple[Any, ...] = (None, True, 3, -1, 1e300, "x", "../..", "", [], ["x"], {}, {"a": 1}, "9" * 5_000)


@pytest.mark.parametrize("value", ODD)
def test_any_field_may_be_anything(value: Any) -> None:
    whole = post(1, NOW, username="ana", like_count=1)
    for name in whole:
        for found in parsed(whole | {name: value}).posts:
            assert found.url is None or found.url.startswith("https://tertulia.example/t/")
    parsed(value)
    for name in ("id", "title", "slug", "posts_count"):
        answer = body(whole) | {"topics": [{"id": 1, "title": "x", "slug": "x", name: value}, value]}
        assert len(COLLECTOR.parse(source("lumbre"), httpx.Response(200, json=answer)).posts) == 1
    for name in ("posts", "topics"):
        COLLECTOR.parse(source("lumbre"), httpx.Response(200, json=body(whole) | {name: value}))


def test_a_forum_that_is_too_busy_is_not_a_calm_one() -> None:
    answer = httpx.Response(200, json=body(error="Estamos a tope"))
    with pytest.raises(CollectError) as error:
        COLLECTOR.parse(source("lumbre"), answer)
    assert error.value.code == "overloaded"
    assert "tope" not in error.value.message


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"<html>", "bad_json"), (b'{"posts": []}', "not_discourse"), (b"[]", "not_discourse"), (b"[" * 5000, "hostile")],
)
def test_an_answer_that_is_something_else_is_an_error(content: bytes, code: str) -> None:
    with pytest.raises(CollectError) as error:
        COLLECTOR.parse(source("lumbre"), httpx.Response(200, content=content))
    assert error.value.code == code


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        (httpx.Response(429, json={"error_type": "rate_limit", "extras": {"wait_seconds": 23}}), 23),
        (httpx.Response(429, json={"failed": "FAILED", "message": "despacio"}), 60),
        (httpx.Response(429, headers={"Retry-After": "9"}, text="Slow down"), 9),
        (httpx.Response(429, json={"extras": {"wait_seconds": -5}}), 0),
        (httpx.Response(429, json={"extras": "x"}), 60),
    ],
)
def test_it_waits_as_long_as_the_forum_says(answer: httpx.Response, wait_s: float) -> None:
    assert isinstance(COLLECTOR, Explains)
    error = COLLECTOR.refusal(answer, NOW)
    assert error is not None
    assert (error.code, error.retry_after_s) == ("http_429", wait_s)


def test_a_forum_of_members_says_so() -> None:
    error = COLLECTOR.refusal(httpx.Response(403, json={"error_type": "not_logged_in", "errors": ["secreto"]}), NOW)
    assert error is not None
    assert "members only" in error.message
    assert COLLECTOR.refusal(httpx.Response(403, text="<html>"), NOW) is None


@pytest.mark.parametrize("settings", [{"query": ""}, {"query": 3}, {"backfill_days": -1}, {"tags": []}])
def test_it_refuses_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="setting"):
        COLLECTOR.check(source("lumbre", **settings))


def test_it_needs_a_forum() -> None:
    with pytest.raises(ValueError, match="address"):
        COLLECTOR.check(replace(source("lumbre"), url=None))
