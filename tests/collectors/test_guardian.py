"""The walk through The Guardian. The far end keeps the API's rules: a key, days, pages of at most 200."""

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from collectors.base import CollectError, Query, Source
from collectors.guardian import Guardian
from tests.collectors.asking import ids, visit
from tests.collectors.twisted import twisted

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLLECTOR = Guardian()


def source(*words: str, secret: str | None = "llave", **settings: Any) -> Source:
    return Source(
        1, "g", "G", "guardian", settings=settings, queries=(Query("lumbre", words or ("lumbre",)),), secret=secret
    )


def article(number: int, at: datetime) -> dict[str, Any]:
    return {
        "id": f"world/{number}",
        "webTitle": f"Lumbre {number}",
        "webUrl": f"https://diario.example/world/{number}",
        "webPublicationDate": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "fields": {"trailText": "<b>Lumbre</b>", "bodyText": "Lumbre", "byline": "Ana"},
    }


@dataclass
class Api:
    articles: list[dict[str, Any]]
    asked: list[httpx.URL] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        told = request.url.params
        if told["api-key"] != "llave":
            return httpx.Response(401, json={"message": "Unauthorized"}, request=request)
        page, size, since = int(told["page"]), int(told["page-size"]), date.fromisoformat(told["from-date"])
        found = [one for one in self.articles if date.fromisoformat(one["webPublicationDate"][:10]) >= since]
        found.sort(key=lambda one: one["webPublicationDate"], reverse=True)
        shown, pages = found[(page - 1) * size : page * size], -(-len(found) // size)
        body = {"status": "ok", "total": len(found), "pages": pages, "currentPage": page, "results": shown}
        return httpx.Response(200, json={"response": body}, request=request)


def test_it_asks_for_several_terms_in_one_question() -> None:
    url = COLLECTOR.request(source("lumbre telecom", "Lumbre", section="business"), NOW).url
    assert str(url).startswith("https://content.guardianapis.com/search?")
    assert dict(url.params) == {
        "q": '"lumbre telecom" OR lumbre',
        "from-date": "2026-11-15",
        "order-by": "newest",
        "page": "1",
        "page-size": "50",
        "show-fields": "trailText,bodyText,byline",
        "section": "business",
        "api-key": "llave",
    }


def test_it_turns_pages_to_the_end_and_reads_nothing_twice() -> None:
    far = Api([article(n, NOW - timedelta(minutes=10 * n)) for n in range(120)])
    pages, after = visit(COLLECTOR, far.answer, source(), NOW)
    assert ids(pages) == [f"world/{n}" for n in range(120)]
    assert len(far.asked) == 3
    far.articles += [article(500, NOW + timedelta(minutes=5))]
    again, _ = visit(COLLECTOR, far.answer, after, NOW + timedelta(minutes=15))
    assert ids(again) == ["world/500"]
    assert far.asked[-1].params["from-date"] == "2026-11-22"


def test_without_a_key_it_says_where_to_get_one() -> None:
    with pytest.raises(CollectError, match=r"open-platform\.theguardian\.com") as error:
        COLLECTOR.request(source(secret=None), NOW)
    assert error.value.code == "no_secret"


def test_a_key_that_is_not_taken_is_told_without_the_key() -> None:
    far = Api([])
    refused = COLLECTOR.refusal(far.answer(COLLECTOR.request(source(secret="otra"), NOW)), NOW)
    assert refused is not None
    assert refused.code == "http_401"
    assert "otra" not in refused.message


def outcome(answer: Any) -> str:
    try:
        return str(len(COLLECTOR.parse(source(), httpx.Response(200, text=json.dumps(answer))).posts))
    except CollectError as error:
        return error.code


def test_no_value_of_the_wrong_type_is_more_than_a_reject_or_a_typed_error() -> None:
    whole = {"response": {"pages": 2, "total": 2, "results": [article(1, NOW), article(2, NOW)]}}
    assert {outcome(odd) for odd in twisted(whole)} == {"not_theguardian", "0", "1", "2"}


@pytest.mark.parametrize("settings", [{"section": ""}, {"query": 3}, {"requests_per_day": 0}, {"backfill_days": -1}])
def test_it_refuses_settings_that_cannot_be(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the setting"):
        COLLECTOR.check(source(**settings))
