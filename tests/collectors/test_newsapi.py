"""The walk through NewsAPI. The far end keeps the rules of a free key: a hundred results, no second page."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from collectors.base import CollectError, Query, Source
from collectors.newsapi import NewsApi
from tests.collectors.asking import ids, visit
from tests.collectors.twisted import twisted

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLLECTOR = NewsApi()


def source(*words: str, secret: str | None = "llave", **settings: Any) -> Source:
    return Source(
        1, "n", "N", "newsapi", settings=settings, queries=(Query("lumbre", words or ("lumbre",)),), secret=secret
    )


def article(number: int, at: datetime) -> dict[str, Any]:
    return {
        "source": {"id": None, "name": "El Correo"},
        "author": "Ana",
        "title": f"Lumbre {number}",
        "description": "Nada que decir",
        "url": f"https://correo.example/{number}",
        "publishedAt": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "content": "Nada que decir… [+900 chars]",
    }


@dataclass
class Api:
    articles: list[dict[str, Any]]
    asked: list[httpx.URL] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        told = request.url.params
        if request.headers["x-api-key"] != "llave":
            return httpx.Response(
                401, json={"status": "error", "code": "apiKeyInvalid", "message": "x"}, request=request
            )
        if "page" in told:
            body = {"status": "error", "code": "maximumResultsReached", "message": "x"}
            return httpx.Response(426, json=body, request=request)
        until = told.get("to", "9999") + "Z"
        found = [one for one in self.articles if told["from"] + "Z" <= one["publishedAt"] <= until]
        found.sort(key=lambda one: one["publishedAt"], reverse=True)
        body = {"status": "ok", "totalResults": len(found), "articles": found[: int(told["pageSize"])]}
        return httpx.Response(200, json=body, request=request)


def test_it_asks_with_the_key_in_a_header_and_nowhere_else() -> None:
    request = COLLECTOR.request(source("lumbre telecom", "Lumbre", language="es"), NOW)
    assert dict(request.url.params) == {
        "q": '"lumbre telecom" OR lumbre',
        "from": "2026-11-15T10:00:00",
        "sortBy": "publishedAt",
        "pageSize": "100",
        "language": "es",
    }
    assert request.headers["x-api-key"] == "llave"
    assert "llave" not in str(request.url)


def test_it_asks_for_what_is_older_where_one_answer_does_not_hold_all() -> None:
    far = Api([article(n, NOW - timedelta(minutes=10 * n)) for n in range(330)])
    pages, after = visit(COLLECTOR, far.answer, source(), NOW)
    assert ids(pages) == [f"https://correo.example/{n}" for n in range(330)]
    assert len(far.asked) == 4
    far.articles += [article(900, NOW + timedelta(minutes=5))]
    again, _ = visit(COLLECTOR, far.answer, after, NOW + timedelta(minutes=15))
    assert ids(again) == ["https://correo.example/900"]


def test_articles_of_one_second_beyond_an_answer_do_not_keep_it_for_ever() -> None:
    far = Api([article(n, NOW - timedelta(hours=1)) for n in range(300)])
    pages, _ = visit(COLLECTOR, far.answer, source(), NOW)
    assert len(far.asked) <= 3
    assert len(ids(pages)) == 100


def test_without_a_key_it_says_where_to_get_one() -> None:
    with pytest.raises(CollectError, match=r"newsapi\.org") as error:
        COLLECTOR.request(source(secret=None), NOW)
    assert error.value.code == "no_secret"


@pytest.mark.parametrize(
    ("status", "code", "rests"), [(401, "apiKeyInvalid", False), (429, "rateLimited", True), (426, "no such", False)]
)
def test_a_refusal_is_told_in_our_words(status: int, code: str, rests: bool) -> None:
    answer = httpx.Response(status, json={"status": "error", "code": code, "message": "secreto de otros"})
    refused = COLLECTOR.refusal(answer, NOW)
    assert refused is not None
    assert refused.code == "newsapi_refused"
    assert "secreto" not in refused.message
    assert (refused.retry_after_s is not None) == rests


def test_an_article_that_was_taken_back_is_none() -> None:
    removed = article(1, NOW) | {"title": "[Removed]", "url": "https://removed.com"}
    page = COLLECTOR.parse(source(), httpx.Response(200, json={"status": "ok", "articles": [removed, article(2, NOW)]}))
    assert ids([page]) == ["https://correo.example/2"]
    assert page.rejects == ()


def outcome(answer: Any) -> str:
    try:
        return str(len(COLLECTOR.parse(source(), httpx.Response(200, text=json.dumps(answer))).posts))
    except CollectError as error:
        return error.code


def test_no_value_of_the_wrong_type_is_more_than_a_reject_or_a_typed_error() -> None:
    whole = {"status": "ok", "totalResults": 2, "articles": [article(1, NOW), article(2, NOW)]}
    assert {outcome(odd) for odd in twisted(whole)} == {"not_newsapi", "0", "1", "2"}


@pytest.mark.parametrize("settings", [{"language": "ca"}, {"query": ""}, {"requests_per_day": 0}])
def test_it_refuses_settings_that_cannot_be(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the setting"):
        COLLECTOR.check(source(**settings))
