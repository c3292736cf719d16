"""The walk through one WordPress site, posts and comments. The far end is a small site here."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from collectors.base import CollectError, Explains, Page, Query, Source
from collectors.search import REQUESTS_PER_VISIT
from collectors.wordpress import WordPress, terms
from tests.collectors.asking import ids
from tests.collectors.asking import visit as walked

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLLECTOR = WordPress()


def source(*words: str, **settings: Any) -> Source:
    queries = (Query("lumbre", words),) if words else ()
    return Source(1, "w", "W", "wordpress", "https://gaceta.example/", settings=settings, queries=queries)


def item(number: int, at: datetime, words: str = "lumbre", **more: Any) -> dict[str, Any]:
    written = {"id": number, "date_gmt": at.strftime("%Y-%m-%dT%H:%M:%S"), "content": {"rendered": f"<p>{words}</p>"}}
    return written | {"link": f"https://gaceta.example/?p={number}", "title": {"rendered": "Un titular"}} | more


@dataclass
class Site:
    """Answers as WordPress does: newest first, at most 100 a page, refusing a page beyond the last."""

    posts: list[dict[str, Any]]
    comments: list[dict[str, Any]] | None = None
    asked: list[httpx.URL] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        place = request.url.path.removeprefix("/wp-json/wp/v2")
        if not place:
            routes = {"/wp/v2/posts": {}} | ({} if self.comments is None else {"/wp/v2/comments": {}})
            return httpx.Response(200, json={"namespace": "wp/v2", "routes": routes}, request=request)
        asked = request.url.params
        assert int(asked["per_page"]) <= 100
        items = self.posts if place == "/posts" else self.comments
        assert items is not None, "comments are closed"
        phrase = asked["search"].strip('"') if place == "/posts" else asked["search"]
        after = asked["after"].removesuffix("Z")
        found = [one for one in items if phrase in one["content"]["rendered"] and one["date_gmt"] > after]
        found.sort(key=lambda one: str(one["date_gmt"]), reverse=True)
        size, page = int(asked["per_page"]), int(asked["page"])
        pages = -(-len(found) // size)
        assert page == 1 or page <= pages, "rest_post_invalid_page_number"
        shown = found[(page - 1) * size : page * size]
        headers = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(pages)}
        return httpx.Response(200, json=shown, headers=headers, request=request)


def visit(far: Site, asking: Source, now: datetime = NOW) -> tuple[list[Page], Source]:
    return walked(COLLECTOR, far.answer, asking, now)


def paths(far: Site) -> list[str]:
    return [url.path.removeprefix("/wp-json/wp/v2") for url in far.asked]


def test_it_asks_for_the_posts_of_the_last_week() -> None:
    url = COLLECTOR.request(source("Lumbre Telecom", comments=False), NOW).url
    assert url.path == "/wp-json/wp/v2/posts"
    assert dict(url.params) == {
        "search": '"lumbre telecom"',
        "after": "2026-11-15T10:00:00Z",
        "orderby": "date",
        "order": "desc",
        "per_page": "50",
        "page": "1",
        "_fields": "id,date_gmt,modified_gmt,link,title,content,excerpt",
    }


def test_comments_are_searched_for_the_text_as_it_stands() -> None:
    asking = replace(source("lumbre telecom"), cursor={"comments": True, "term": "comments lumbre telecom"})
    url = COLLECTOR.request(asking, NOW).url
    assert (url.path, url.params["search"]) == ("/wp-json/wp/v2/comments", "lumbre telecom")
    assert url.params["orderby"] == "date_gmt"


def test_a_site_with_comments_is_asked_for_both_and_a_site_without_for_posts() -> None:
    both = Site([item(1, NOW)], [item(1, NOW)])
    pages, asking = visit(both, source("lumbre"))
    assert ids(pages) == ["post-1", "comment-1"]
    visit(both, asking)
    assert paths(both) == ["", "/posts", "/comments", "/posts", "/comments"]
    posts = Site([item(1, NOW)])
    visit(posts, source("lumbre"))
    assert paths(posts) == ["", "/posts"]


def test_the_operator_decides_about_comments_without_asking() -> None:
    far = Site([item(1, NOW)], [])
    visit(far, source("lumbre", comments=False))
    visit(far, source("lumbre", comments=True))
    assert paths(far) == ["/posts", "/posts", "/comments"]
    assert terms(source("lumbre", "niebla", comments=True)) == (
        "posts lumbre",
        "comments lumbre",
        "posts niebla",
        "comments niebla",
    )


def test_it_reads_every_page_and_never_one_beyond_the_last() -> None:
    far = Site([item(n, NOW - timedelta(minutes=n)) for n in range(150)])
    pages, _ = visit(far, source("lumbre", comments=False))
    assert ids(pages) == [f"post-{n}" for n in range(150)]
    assert len(far.asked) == 3


def test_what_is_given_up_is_counted() -> None:
    far = Site([item(n, NOW - timedelta(minutes=n)) for n in range(1_200)])
    pages, _ = visit(far, source("lumbre", comments=False))
    assert len(pages) == REQUESTS_PER_VISIT
    assert sum(page.truncated for page in pages) == 200


def test_the_next_visit_brings_only_what_is_new_and_what_was_approved_late() -> None:
    far = Site([item(1, NOW - timedelta(hours=3))], [item(2, NOW - timedelta(minutes=5))])
    _, asking = visit(far, source("lumbre", comments=True))
    assert far.comments is not None
    far.comments.append(item(3, NOW - timedelta(minutes=40)))
    far.posts.append(item(4, NOW + timedelta(minutes=1)))
    pages, asking = visit(far, asking, NOW + timedelta(minutes=5))
    assert ids(pages) == ["post-4", "comment-3"]
    assert ids(visit(far, asking, NOW + timedelta(minutes=10))[0]) == []


def test_a_site_is_a_place_of_its_own_and_may_stand_in_a_folder() -> None:
    asking = replace(source("lumbre", comments=False), url="https://correo.example/blog")
    assert COLLECTOR.namespace(asking) == "wordpress:correo.example/blog"
    assert COLLECTOR.namespace(source("lumbre")) == "wordpress:gaceta.example"
    assert str(COLLECTOR.request(asking, NOW).url).startswith("https://correo.example/blog/wp-json/wp/v2/posts?")


def test_what_changed_while_it_was_saved_is_no_edit() -> None:
    saved = parsed(item(1, NOW, modified_gmt="2026-11-22T10:00:02")).posts[0]
    edited = parsed(item(1, NOW, modified_gmt="2026-11-22T10:30:00")).posts[0]
    assert (saved.edited_at, edited.edited_at) == (None, NOW + timedelta(minutes=30))


def test_a_comment_says_who_wrote_it() -> None:
    asking = replace(source("lumbre", comments=True), cursor={"term": "comments lumbre"})
    page = COLLECTOR.parse(asking, httpx.Response(200, json=[item(5, NOW, author_name="Rosa &amp; co")]))
    assert [(post.id, post.title, post.author) for post in page.posts] == [("comment-5", "", "Rosa & co")]


def parsed(*items: Any) -> Page:
    answer = httpx.Response(200, json=[*items, item(7, NOW)])
    page = COLLECTOR.parse(source("lumbre", comments=False), answer)
    assert page.posts[-1].id == "post-7", "a bad post must not cost its neighbour"
    return page


ODD: tuple[Any, ...] = (None, True, 3, -1, 1e300, "x", "", [], ["x"], {}, {"rendered": 3}, "9" * 5_000)


@pytest.mark.parametrize("value", ODD)
def test_any_field_may_be_anything(value: Any) -> None:
    whole = item(1, NOW, modified_gmt="2026-11-22T10:30:00", excerpt={"rendered": "x"})
    for name in whole:
        parsed(whole | {name: value})
    parsed(value)
    for settings in ({}, {"comments": False}):
        with pytest.raises(CollectError) as error:
            COLLECTOR.parse(source("lumbre", **settings), httpx.Response(200, json={"routes": value}))
        assert error.value.code == "not_wordpress"


@pytest.mark.parametrize("pages", ["", "x", "-3", "9" * 5_000, "0"])
def test_a_site_that_does_not_say_how_many_pages_there_are_has_one(pages: str) -> None:
    answer = httpx.Response(200, json=[item(1, NOW)], headers={"X-WP-TotalPages": pages})
    assert not COLLECTOR.parse(source("lumbre", comments=False), answer).next


@pytest.mark.parametrize(
    ("content", "code"), [(b"<html>", "bad_json"), (b'{"code": "no"}', "not_wordpress"), (b"3", "not_wordpress")]
)
@pytest.mark.parametrize("settings", [{}, {"comments": False}])
def test_an_answer_that_is_something_else_is_an_error(content: bytes, code: str, settings: dict[str, Any]) -> None:
    with pytest.raises(CollectError) as error:
        COLLECTOR.parse(source("lumbre", **settings), httpx.Response(200, content=content))
    assert error.value.code == code


def test_a_site_that_closed_its_api_says_what_else_may_do() -> None:
    assert isinstance(COLLECTOR, Explains)
    closed = httpx.Response(401, json={"code": "rest_not_logged_in", "message": "secreto"})
    for answer, code in ((closed, "http_401"), (httpx.Response(404, text="<html>"), "http_404")):
        error = COLLECTOR.refusal(answer, NOW)
        assert error is not None
        assert error.code == code
        assert "search feed" in error.message
        assert "secreto" not in error.message
    assert COLLECTOR.refusal(httpx.Response(403, text="<html>"), NOW) is None
    assert COLLECTOR.refusal(httpx.Response(500, json=[]), NOW) is None


@pytest.mark.parametrize("settings", [{"query": ""}, {"comments": "yes"}, {"backfill_days": -1}, {"tags": []}])
def test_it_refuses_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="setting"):
        COLLECTOR.check(source("lumbre", **settings))


def test_it_needs_a_site() -> None:
    with pytest.raises(ValueError, match="address"):
        COLLECTOR.check(replace(source("lumbre"), url=None))
