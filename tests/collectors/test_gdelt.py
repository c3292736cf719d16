"""GDELT: asked seldom, believed only where it answers in JSON."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from collectors.base import CollectError, Page, Query, Source
from collectors.gdelt import MOST_ARTICLES, Gdelt
from tests.collectors.asking import ids
from tests.collectors.twisted import twisted

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLLECTOR = Gdelt()
BRANDS = (Query("lumbre", ("Lumbre Telecom", "lumbre")), Query("brezo", ("brezo",)), Query("duna", ("duna",)))


def source(*queries: Query, **settings: Any) -> Source:
    return Source(1, "gdelt", "GDELT", "gdelt", settings=settings, queries=queries or BRANDS[:1])


def article(number: int, at: datetime) -> dict[str, Any]:
    return {
        "url": f"https://correo.example/{number}",
        "title": f"Lumbre , parte {number}",
        "seendate": at.strftime("%Y%m%dT%H%M%SZ"),
        "language": "Spanish",
    }


@dataclass
class Far:
    articles: list[dict[str, Any]]
    asked: list[httpx.URL] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        told = request.url.params
        since, until = (f"{told[name][:8]}T{told[name][8:]}Z" for name in ("startdatetime", "enddatetime"))
        found = [one for one in self.articles if since <= one["seendate"] <= until]
        found.sort(key=lambda one: one["seendate"], reverse=True)
        return httpx.Response(200, json={"articles": found[:MOST_ARTICLES]} if found else {}, request=request)


def once(far: Far, asking: Source, now: datetime) -> tuple[Page, Source]:
    """A visit is one question."""
    page = COLLECTOR.parse(asking, far.answer(COLLECTOR.request(asking, now)))
    assert not page.next
    return page, replace(asking, cursor=page.cursor)


def test_a_brand_is_one_question() -> None:
    url = COLLECTOR.request(source(filter="sourcelang:spanish"), NOW).url
    assert url.params["query"] == '("lumbre telecom" OR lumbre) sourcelang:spanish'
    assert (url.params["startdatetime"], url.params["enddatetime"]) == ("20261121100000", "20261122100000")


def test_brands_take_turns_and_none_is_asked_for_twice_in_an_hour() -> None:
    far, asking, now = Far([]), source(*BRANDS), NOW
    for _ in range(7):
        page, asking = once(far, asking, now)
        now += timedelta(seconds=page.wait_s or 0)
    asked = [url.params["query"] for url in far.asked]
    assert asked[:3] == ['("lumbre telecom" OR lumbre)', "brezo", "duna"]
    assert asked == (asked[:3] * 3)[:7]
    assert now - NOW >= timedelta(hours=2)


def test_what_one_answer_does_not_hold_is_asked_for_an_hour_later() -> None:
    far = Far([article(n, NOW - timedelta(minutes=n)) for n in range(600)])
    asking, found, waits = source(), list[str](), list[int | None]()
    for hour in range(4):
        page, asking = once(far, asking, NOW + timedelta(hours=hour))
        found += ids([page])
        waits.append(page.wait_s)
    assert sorted(found) == sorted(one["url"] for one in far.articles)
    assert waits == [3600] * 4


def test_a_sentence_instead_of_json_is_never_no_mentions() -> None:
    for said in ("The specified phrase is too short.", "", "<html>busy</html>", "Timespan is too short."):
        with pytest.raises(CollectError) as error:
            COLLECTOR.parse(source(), httpx.Response(200, text=said))
        assert error.value.code == "gdelt_refused"
        assert error.value.retry_after_s == 3600


def test_after_a_429_it_rests_for_hours() -> None:
    refused = COLLECTOR.refusal(httpx.Response(429), NOW)
    assert refused is not None
    assert refused.retry_after_s == 6 * 3600
    assert COLLECTOR.refusal(httpx.Response(503), NOW) is None


def test_characters_that_json_forbids_do_not_cost_the_answer() -> None:
    said = b'{"articles": [{"url": "https://a.example/", "title": "d\\\'a\tb \x07 \\u00e1 C:\\\\x", "seendate": "x"}]}'
    page = COLLECTOR.parse(source(), httpx.Response(200, content=said))
    assert [post.title for post in page.posts] == ["d'a b á C:\\x"]


def outcome(answer: Any) -> str:
    try:
        return str(len(COLLECTOR.parse(source(), httpx.Response(200, text=json.dumps(answer))).posts))
    except CollectError as error:
        return error.code


def test_no_value_of_the_wrong_type_is_more_than_a_reject_or_a_typed_error() -> None:
    whole = {"articles": [article(1, NOW), article(2, NOW)]}
    assert {outcome(odd) for odd in twisted(whole)} == {"not_gdelt", "gdelt_refused", "0", "1", "2"}
