"""The walk through one Lemmy server, of either version. The far end is a small server here."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from collectors.base import CollectError, Explains, Page, Query, Source
from collectors.lemmy import Lemmy
from collectors.search import REQUESTS_PER_VISIT
from tests.collectors.asking import ids
from tests.collectors.asking import visit as walked

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLLECTOR = Lemmy()


def source(*words: str, **settings: Any) -> Source:
    queries = (Query("lumbre", words),) if words else ()
    return Source(1, "l", "L", "lemmy", "https://foro.example/", settings=settings, queries=queries)


def post(number: int, at: datetime, words: str = "lumbre", **more: Any) -> dict[str, Any]:
    name = f"https://foro.example/post/{number}"
    return {"post": {"name": words, "ap_id": name, "published": at.isoformat(), "published_at": at.isoformat()} | more}


def comment(number: int, at: datetime, words: str = "lumbre") -> dict[str, Any]:
    name = f"https://foro.example/comment/{number}"
    times = {"published": at.isoformat(), "published_at": at.isoformat()}
    return {"comment": {"content": words, "ap_id": name} | times, "post": {"name": "Otra cosa"}}


def said(view: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = view.get("comment") or view["post"]
    return found


@dataclass
class Server:
    """Answers as Lemmy does: newest first; version 3 in pages of each list, version 4 in one list with a cursor and a
    window of time.
    """

    version: str
    views: list[dict[str, Any]]
    asked: list[httpx.URL] = field(default_factory=list)

    def answer(self, request: httpx.Request, now: datetime) -> httpx.Response:
        self.asked.append(request.url)
        asked = request.url.params
        if request.url.path == "/api/v3/site":
            return httpx.Response(200, json={"version": self.version, "site_view": {}}, request=request)
        assert int(asked["limit"]) <= 50
        if request.url.path == "/api/v3/search":
            body: dict[str, Any] = {"type_": "All", "communities": [], "users": []}
            start = (int(asked["page"]) - 1) * 50
            for name, kind in (("posts", "post"), ("comments", "comment")):
                found = [view for view in self.views if (("comment" in view) == (kind == "comment"))]
                body[name] = self.found(found, asked["q"])[start : start + 50]
            return httpx.Response(200, json=body, request=request)
        assert self.version.startswith("1"), "version 0.19 knows no v4"
        assert asked["sort"] == "new"
        since = now - timedelta(seconds=int(asked["time_range_seconds"]))
        found = [view for view in self.views if datetime.fromisoformat(said(view)["published"]) > since]
        start = int(asked.get("page_cursor", "0"))
        items = self.found(found, asked["search_term"])[start:]
        more = {"next_page": str(start + 50)} if len(items) > 50 else {}
        return httpx.Response(200, json={"items": items[:50], **more}, request=request)

    @staticmethod
    def found(views: Sequence[dict[str, Any]], word: str) -> list[dict[str, Any]]:
        found = [view for view in views if word in str(view)]
        return sorted(found, key=lambda view: str(said(view)["published"]), reverse=True)


def visit(far: Server, asking: Source, now: datetime = NOW) -> tuple[list[Page], Source]:
    return walked(COLLECTOR, lambda request: far.answer(request, now), asking, now)


def many(number: int) -> list[dict[str, Any]]:
    posts = [post(n, NOW - timedelta(minutes=30 * n)) for n in range(number)]
    return posts + [comment(n, NOW - timedelta(minutes=40 * n)) for n in range(number)]


def names(views: Sequence[dict[str, Any]]) -> list[str]:
    return sorted(said(view)["ap_id"] for view in views)


@pytest.mark.parametrize(
    ("version", "path"), [("0.19.12", "/api/v3/search"), ("1.0.2", "/api/v4/search"), ("unknown", "/api/v3/search")]
)
def test_it_asks_for_the_version_once_and_then_searches_with_it(version: str, path: str) -> None:
    far = Server(version, [post(1, NOW)])
    _, asking = visit(far, source("lumbre"))
    visit(far, asking)
    assert [url.path for url in far.asked] == ["/api/v3/site", path, path]


def test_version_3_is_asked_for_the_newest() -> None:
    url = COLLECTOR.request(source("Lumbre Telecom", api="v3"), NOW).url
    assert dict(url.params) == {
        "limit": "50",
        "q": "lumbre telecom",
        "type_": "All",
        "sort": "New",
        "listing_type": "All",
        "page": "1",
    }


def test_version_4_is_asked_for_the_last_week() -> None:
    url = COLLECTOR.request(source("lumbre", api="v4"), NOW).url
    assert dict(url.params) == {
        "limit": "50",
        "q": "lumbre",
        "search_term": "lumbre",
        "type_": "all",
        "sort": "new",
        "listing_type": "all",
        "time_range_seconds": "604800",
    }


@pytest.mark.parametrize("version", ["0.19.12", "1.0.0"])
def test_it_reads_posts_and_comments_once_and_to_the_end(version: str) -> None:
    far = Server(version, many(170))
    pages, _ = visit(far, source("lumbre"))
    assert sorted(ids(pages)) == names(far.views)


@pytest.mark.parametrize("version", ["0.19.12", "1.0.0"])
def test_the_next_visit_brings_only_what_is_new_and_what_arrived_late(version: str) -> None:
    far = Server(version, many(170))
    _, asking = visit(far, source("lumbre"))
    far.asked.clear()
    fresh = [post(900, NOW + timedelta(minutes=1)), comment(901, NOW - timedelta(minutes=20))]
    far.views += fresh
    pages, asking = visit(far, asking, NOW + timedelta(minutes=5))
    assert sorted(ids(pages)) == names(fresh)
    assert len(far.asked) == 1
    assert ids(visit(far, asking, NOW + timedelta(minutes=10))[0]) == []


def test_the_first_visit_of_version_3_looks_no_further_back_than_it_must() -> None:
    far = Server("0.19.12", [post(n, NOW - timedelta(hours=n)) for n in range(1_000)])
    pages, _ = visit(far, source("lumbre", backfill_days=3))
    assert len(pages) == 3  # the version, and two pages: 100 hours


def test_every_term_has_its_turn_and_a_visit_ends() -> None:
    words = tuple(f"marca{n:02}" for n in range(30))
    far = Server("0.19.12", [post(n, NOW, words=word) for n, word in enumerate(words)])
    first, asking = visit(far, source(*words))
    second, _ = visit(far, asking)
    assert len(far.asked) <= 2 * REQUESTS_PER_VISIT + 1
    assert sorted(ids(first) + ids(second)) == names(far.views)


def test_a_server_that_always_has_a_next_page_is_left_after_a_while() -> None:
    class Endless(Server):
        def answer(self, request: httpx.Request, now: datetime) -> httpx.Response:
            self.asked.append(request.url)
            number = len(self.asked)
            return httpx.Response(200, json={"items": [post(number, NOW)], "next_page": str(number)})

    pages, _ = visit(Endless("1.0", []), source("lumbre", api="v4"))
    assert len(pages) == REQUESTS_PER_VISIT
    assert sum(page.truncated for page in pages) == 1


def test_a_post_from_the_future_does_not_cut_the_first_reading_short() -> None:
    views = [post(999, NOW + timedelta(days=9_000)), *[post(n, NOW - timedelta(hours=n)) for n in range(80)]]
    pages, _ = visit(Server("0.19.12", views), source("lumbre"))
    assert sorted(ids(pages)) == names(views)


def test_a_server_that_was_upgraded_is_asked_the_other_way_at_last() -> None:
    asking = replace(source("lumbre"), cursor={"api": "v3"})
    paths = [COLLECTOR.request(replace(asking, fail_count=n), NOW).url.path for n in range(6)]
    assert paths == [*["/api/v3/search"] * 3, "/api/v4/search", *["/api/v3/search"] * 2]
    _, found = visit(Server("1.0", [post(1, NOW)]), replace(asking, fail_count=3))
    assert found.cursor["api"] == "v4"


def test_what_was_taken_back_is_gone() -> None:
    views = [post(1, NOW, deleted=True), post(2, NOW, removed=True), post(3, NOW), post(4, NOW, deleted=True, ap_id=3)]
    page = COLLECTOR.parse(source("lumbre", api="v3"), httpx.Response(200, json={"posts": views}))
    assert [found.id for found in page.posts] == ["https://foro.example/post/3"]
    assert page.gone == ("https://foro.example/post/1", "https://foro.example/post/2")


def test_a_comment_shows_the_title_of_its_post_and_answers_it() -> None:
    page = parsed(comment(1, NOW, "vaya"))
    assert (page.posts[0].title, page.posts[0].text, page.posts[0].reply) == ("Otra cosa", "vaya", True)


def test_votes_are_likes_and_what_is_not_told_is_not_known() -> None:
    view = post(1, NOW) | {"counts": {"upvotes": 0, "score": -9, "comments": None}}
    assert parsed(view).posts[0].engagement == {"likes": 0}


def parsed(*views: Any) -> Page:
    body = {"posts": [*views, post(7, NOW)]}
    page = COLLECTOR.parse(source("lumbre", api="v3"), httpx.Response(200, json=body))
    assert page.posts[-1].id == "https://foro.example/post/7", "a bad item must not cost its neighbour"
    return page


ODD: tuple[Any, ...] = (None, True, 3, -1, 1e300, "x", "", [], ["x"], {}, {"a": 1}, "9" * 5_000)


@pytest.mark.parametrize("value", ODD)
def test_any_field_may_be_anything(value: Any) -> None:
    whole = comment(1, NOW) | post(2, NOW) | {"creator": {"name": "ana"}, "counts": {"upvotes": 1}}
    for name in whole:
        parsed(whole | {name: value}, whole | {"comment": None, name: value})
    for name in ("content", "ap_id", "published", "updated", "deleted", "removed"):
        parsed(whole | {"comment": whole["comment"] | {name: value}})
    for name in ("name", "body", "url", "ap_id", "published"):
        parsed(post(1, NOW, **{name: value}))
    for inside, name in (("creator", "name"), ("creator", "actor_id"), ("counts", "upvotes"), ("counts", "comments")):
        parsed(whole | {inside: {name: value}})
    parsed(value)


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"<html>", "bad_json"), (b'{"error": "no"}', "not_lemmy"), (b"[]", "not_lemmy"), (b'{"posts": 3}', "not_lemmy")],
)
@pytest.mark.parametrize("settings", [{}, {"api": "v3"}, {"api": "v4"}])
def test_an_answer_that_is_something_else_is_an_error(body: bytes, code: str, settings: dict[str, Any]) -> None:
    with pytest.raises(CollectError) as error:
        COLLECTOR.parse(source("lumbre", **settings), httpx.Response(200, content=body))
    assert error.value.code == code


def test_a_refusal_is_read_whatever_its_status() -> None:
    assert isinstance(COLLECTOR, Explains)
    limited = COLLECTOR.refusal(httpx.Response(400, json={"error": "rate_limit_error"}), NOW)
    private = COLLECTOR.refusal(httpx.Response(400, json={"error": "instance_is_private"}), NOW)
    assert limited is not None
    assert private is not None
    assert (limited.code, limited.retry_after_s) == ("rate_limit", 600)
    assert (private.code, private.permanent) == ("private", False)
    for other in (b"", b"<html>", b"[]", b'{"error": 3}', b'{"error": "couldnt_find_post"}'):
        assert COLLECTOR.refusal(httpx.Response(404, content=other), NOW) is None


@pytest.mark.parametrize("settings", [{"api": "v5"}, {"api": 3}, {"query": ""}, {"backfill_days": -1}, {"tags": []}])
def test_it_refuses_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="setting"):
        COLLECTOR.check(source("lumbre", **settings))


def test_it_needs_a_server_and_a_term() -> None:
    with pytest.raises(ValueError, match="address"):
        COLLECTOR.check(replace(source("lumbre"), url=None))
    with pytest.raises(CollectError) as error:
        COLLECTOR.request(source(), NOW)
    assert error.value.code == "no_terms"
