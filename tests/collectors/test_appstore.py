"""The walk through an app's reviews. The far end is a small store that keeps the feed's habits, the bad ones too."""

import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from collectors.appstore import AppStore, countries
from collectors.base import CollectError, Page, Source
from tests.collectors.asking import ids, visit
from tests.collectors.twisted import twisted

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLLECTOR = AppStore()


def source(**settings: Any) -> Source:
    return Source(1, "tienda", "Tienda", "appstore", settings={"app": "1234567890", **settings})


def review(number: int, at: datetime, **fields: Any) -> dict[str, Any]:
    return {
        "id": {"label": str(number)},
        "title": {"label": "Mal"},
        "content": {"label": "No abre.", "attributes": {"type": "text"}},
        "author": {"name": {"label": f"u{number}"}, "label": ""},
        "im:rating": {"label": "1"},
        "im:voteSum": {"label": "3"},
        "updated": {"label": at.isoformat()},
        **fields,
    }


def feed(reviews: list[Any], last: int = 10) -> dict[str, Any]:
    href = f"https://itunes.apple.com/es/rss/customerreviews/page={last}/id=1234567890/sortby=mostrecent/xml?urlDesc=/x"
    entry = {} if not reviews else {"entry": reviews[0] if len(reviews) == 1 else reviews}
    return {"feed": {**entry, "link": [{"attributes": {"rel": "last", "href": href}}]}}


@dataclass
class Store:
    """50 reviews a page, 10 pages a country; `holes` are pages that come empty by mistake."""

    reviews: dict[str, list[dict[str, Any]]]
    holes: tuple[int, ...] = ()
    asked: list[str] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        found = re.fullmatch(
            r"/(\w\w)/rss/customerreviews/page=(\d+)/id=1234567890/sortby=mostrecent/json", request.url.path
        )
        assert found
        page = int(found[2])
        assert page <= 10, "400: page depth is limited to 10"
        newest = sorted(self.reviews.get(found[1], ()), key=lambda one: str(one["updated"]["label"]), reverse=True)
        shown = [] if page in self.holes else newest[(page - 1) * 50 : page * 50]
        return httpx.Response(200, json=feed(shown, min(10, -(-len(newest) // 50) or 1)), request=request)


def test_it_asks_for_the_newest_reviews_of_one_app_in_one_country() -> None:
    assert str(COLLECTOR.request(source(), NOW).url) == (
        "https://itunes.apple.com/es/rss/customerreviews/page=1/id=1234567890/sortby=mostrecent/json"
    )
    asking = replace(source(app=1234567890, countries=["MX"]), url="http://127.0.0.1:8099/")
    assert str(COLLECTOR.request(asking, NOW).url) == (
        "http://127.0.0.1:8099/mx/rss/customerreviews/page=1/id=1234567890/sortby=mostrecent/json"
    )


def test_it_reads_every_review_of_every_country_once() -> None:
    store = Store(
        {
            "es": [review(n, NOW - timedelta(hours=n)) for n in range(230)],
            "mx": [review(n, NOW - timedelta(days=n)) for n in range(1)],
            "ar": [],
        }
    )
    pages, _ = visit(COLLECTOR, store.answer, source(countries=["es", "mx", "ar", "es"]), NOW)
    assert ids(pages) == [*(f"es:{n}" for n in range(230)), "mx:0"]
    assert len(store.asked) == 5 + 1 + 1


def test_ten_pages_of_a_country_are_all_there_is() -> None:
    store = Store({"es": [review(n, NOW - timedelta(minutes=n)) for n in range(700)]})
    pages, _ = visit(COLLECTOR, store.answer, source(), NOW)
    assert len(ids(pages)) == 500


def test_the_next_visit_reads_no_further_than_to_what_it_knows() -> None:
    store = Store({"es": [review(n, NOW - timedelta(hours=n)) for n in range(300)]})
    _, asking = visit(COLLECTOR, store.answer, source(), NOW)
    store.reviews["es"] += [review(900, NOW + timedelta(hours=1)), review(901, NOW - timedelta(minutes=50))]
    pages, asking = visit(COLLECTOR, store.answer, asking, NOW + timedelta(hours=2))
    assert ids(pages) == ["es:900", "es:901"]
    assert len(store.asked) == 6 + 1
    assert ids(visit(COLLECTOR, store.answer, asking, NOW + timedelta(hours=3))[0]) == []


@pytest.mark.parametrize("hole", [1, 2])
def test_a_page_that_comes_empty_by_mistake_loses_nothing(hole: int) -> None:
    store = Store({"es": [review(n, NOW - timedelta(hours=n)) for n in range(120)]}, holes=(hole,))
    first, asking = visit(COLLECTOR, store.answer, source(), NOW)
    assert len(ids(first)) == (hole - 1) * 50
    store.holes = ()
    second, _ = visit(COLLECTOR, store.answer, asking, NOW + timedelta(hours=1))
    assert sorted(ids(first + second)) == sorted(f"es:{n}" for n in range(120))


def test_the_app_itself_is_no_review() -> None:
    app = {"im:name": {"label": "Mi Lumbre"}, "id": {"label": "https://apps.apple.com/es/app/id1234567890"}}
    page = parsed(feed([app, review(1, NOW)]))
    assert ([post.id for post in page.posts], page.rejects) == (["es:1"], ())


@pytest.mark.parametrize(
    ("stars", "rating"), [("1", 1), ("5", 5), ("0", None), ("6", None), ("mucho", None), (3, 3), (None, None)]
)
def test_the_stars_are_kept_where_they_are_stars(stars: Any, rating: int | None) -> None:
    post = parsed(feed([review(1, NOW, **{"im:rating": {"label": stars}})])).posts[0]
    assert (post.rating, post.engagement) == (rating, {})


@pytest.mark.parametrize(
    ("country", "language"), [("es", "es"), ("mx", "es"), ("pt", "pt"), ("us", None), ("ch", None)]
)
def test_the_language_is_the_country_s_where_it_has_one(country: str, language: str | None) -> None:
    page = COLLECTOR.parse(source(countries=[country]), httpx.Response(200, json=feed([review(1, NOW)])))
    assert [post.language for post in page.posts] == [language]


@pytest.mark.parametrize("body", [b'<?xml version="1.0"?><feed/>', b"\n<html>502</html>", b"[]", b'{"feed": []}'])
def test_xml_and_other_answers_are_typed_errors(body: bytes) -> None:
    with pytest.raises(CollectError) as raised:
        COLLECTOR.parse(source(), httpx.Response(200, content=body))
    assert raised.value.code == "not_appstore"


def parsed(body: Any) -> Page:
    return COLLECTOR.parse(source(), httpx.Response(200, content=json.dumps(body)))


def outcome(body: Any) -> str:
    try:
        return f"{len(parsed(body).posts)} posts"
    except CollectError as error:
        return error.code


def test_a_twisted_review_never_costs_its_neighbour() -> None:
    for odd in twisted(review(1, NOW)):
        page = parsed(feed([odd, review(7, NOW)]))
        assert page.posts[-1].id == "es:7"
        assert len(page.posts) + len(page.rejects) == 2


def test_an_answer_that_is_something_else_is_a_typed_error() -> None:
    assert {outcome(odd) for odd in twisted(feed([{"id": {"label": "1"}}]))} == {"not_appstore", "1 posts", "0 posts"}


def test_countries_take_turns_and_spain_is_asked_where_none_is_named() -> None:
    assert countries(source()) == ("es",)
    assert countries(source(countries=["MX", "ar", "mx"])) == ("mx", "ar")


@pytest.mark.parametrize(
    "settings",
    [
        {"app": ""},
        {"app": "lumbre"},
        {"app": True},
        {"countries": "es"},
        {"countries": ["España"]},
        {"countries": ["../"]},
        {"backfill_days": 7},
    ],
)
def test_it_refuses_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="setting"):
        COLLECTOR.check(source(**settings))
