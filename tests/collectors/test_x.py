"""The walk through X: never a read beyond the operator's bound. The far end bills what it shows here."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from collectors.base import CollectError, Explains, Page, Query, Source
from collectors.x import X, cost_usd, terms
from tests.collectors.asking import ids
from tests.collectors.asking import visit as walked
from tests.collectors.twisted import twisted

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLLECTOR = X()
TOKEN = "ficha-lumbre"
SAMPLE = json.loads((Path(__file__).parent / "data/x/search.json").read_text(encoding="utf-8"))
EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657_000, tzinfo=UTC)
PLENTY = 300_000


def source(*words: str, monthly_reads: int = PLENTY, **settings: Any) -> Source:
    queries = (Query("lumbre", words),) if words else ()
    settings = {"monthly_reads": monthly_reads, **settings}
    return Source(1, "x", "X", "x", settings=settings, queries=queries, secret=TOKEN)


def number(at: datetime) -> str:
    return str(round((at - EPOCH) / timedelta(milliseconds=1)) << 22)


def post(at: datetime, words: str = "lumbre") -> dict[str, Any]:
    return {
        "id": number(at),
        "text": words,
        "author_id": "7",
        "created_at": f"{at:%Y-%m-%dT%H:%M:%S.000Z}",
        "lang": "es",
    }


@dataclass
class Far:
    """The last seven days, newest first, by page; what is older than that may not be asked for. It bills and dates."""

    posts: list[dict[str, Any]]
    now: datetime = NOW
    billed: dict[str, int] = field(default_factory=dict)
    asked: list[httpx.URL] = field(default_factory=list)
    dated: bool = True

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        asked = request.url.params
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        size = int(asked["max_results"])
        assert 10 <= size <= 100
        oldest = int(asked.get("since_id", 0)) or int(number(datetime.fromisoformat(asked["start_time"]))) - 1
        assert oldest >= int(number(self.now - timedelta(days=7)))
        found = [one for one in self.posts if oldest < int(one["id"]) <= int(number(self.now))]
        found.sort(key=lambda one: -int(one["id"]))
        start = int(asked.get("next_token", "0"))
        shown = found[start : start + size]
        users = [{"id": "7", "username": "ana", "public_metrics": {"followers_count": 50}}]
        users = users if shown and "expansions" in asked else []
        month = f"{self.now:%Y-%m}"
        self.billed[month] = self.billed.get(month, 0) + len(shown) + 2 * len(users)
        onward = {"next_token": str(start + size)} if start + size < len(found) else {}
        body = {"meta": {"result_count": len(shown), **onward}}
        body |= {"data": shown} if shown else {}
        body |= {"includes": {"users": users}} if users else {}
        headers = {"Date": format_datetime(self.now, usegmt=True)} if self.dated else {}
        return httpx.Response(200, json=body, headers=headers, request=request)


def visit(far: Far, asking: Source, now: datetime = NOW) -> tuple[list[Page], Source]:
    far.now = now
    return walked(COLLECTOR, far.answer, asking, now)


def minutes(*ago: int) -> list[dict[str, Any]]:
    return [post(NOW - timedelta(minutes=n)) for n in ago]


def test_it_asks_for_all_words_in_one_search_and_spares_reposts() -> None:
    request = COLLECTOR.request(source("Lumbre", "Lumbre Telecom", backfill_days=2), NOW)
    assert request.url.copy_with(query=None) == "https://api.x.com/2/tweets/search/recent"
    asked = dict(request.url.params)
    assert asked.pop("tweet.fields").startswith("created_at,lang,public_metrics,author_id")
    assert asked == {
        "query": '(lumbre OR "lumbre telecom") -is:retweet', "max_results": "100", "sort_order": "recency",
        "start_time": "2026-11-20T10:00:00Z", "expansions": "author_id", "user.fields": "username,public_metrics",
    }  # fmt: skip
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"


def test_more_words_than_a_search_can_hold_are_asked_for_in_several() -> None:
    asked = terms(source(*(f"marca{n:04}" for n in range(80))))
    assert max(len(question) for question in asked) <= 512
    assert sum(question.count(" OR ") + 1 for question in asked) == 80


def test_it_reads_every_post_once_and_then_only_what_is_newer() -> None:
    far = Far(minutes(*range(1, 251)))
    pages, asking = visit(far, source("lumbre"))
    assert ids(pages) == [one["id"] for one in far.posts]
    assert (pages[0].posts[0].author, pages[0].posts[0].reach) == ("ana", 50)
    far.posts += minutes(-10)
    pages, asking = visit(far, asking, NOW + timedelta(minutes=15))
    assert ids(pages) == [number(NOW + timedelta(minutes=10))]
    assert far.asked[-1].params["since_id"] == number(NOW - timedelta(minutes=1))


def test_after_a_long_outage_it_asks_as_far_back_as_it_may() -> None:
    far = Far(minutes(1))
    _, asking = visit(far, source("lumbre"))
    later = NOW + timedelta(days=8)
    far.posts.append(post(later - timedelta(days=6)))
    assert len(ids(visit(far, asking, later)[0])) == 1


@pytest.mark.parametrize("authors", [True, False])
def test_a_month_never_costs_more_than_the_bound(authors: bool) -> None:
    most, begin = 3_000, datetime(2026, 11, 1, tzinfo=UTC)
    far, asking = Far([]), source("lumbre", monthly_reads=most, authors=authors)
    told: list[str] = []
    spent_first_day = 0
    for hour in range(0, 30 * 24, 12):
        now = begin + timedelta(hours=hour)
        far.posts = [post(now - timedelta(seconds=20 * n)) for n in range(110)]
        try:
            _, asking = visit(far, asking, now)
        except CollectError as error:
            told.append(error.code)
        if hour == 12:
            spent_first_day = far.billed["2026-11"]
    assert set(told) == {"budget_spent"}
    assert 0 < spent_first_day <= most // 30
    assert most - 30 <= far.billed["2026-11"] <= most
    visit(far, asking, begin + timedelta(days=30))
    assert far.billed["2026-12"] > 0


def test_when_the_days_share_is_read_it_says_so_and_the_newest_are_what_was_read() -> None:
    far = Far(minutes(*range(1, 200)))
    asking = source("lumbre", monthly_reads=100, authors=False)  # 73 of them up to this day
    pages, asking = visit(far, asking)
    assert ids(pages) == [one["id"] for one in far.posts[:73]]
    assert (pages[-1].next, pages[-1].truncated > 0) == (False, True)
    with pytest.raises(CollectError) as error:
        COLLECTOR.request(asking, NOW)
    assert (error.value.code, error.value.retry_after_s) == ("budget_spent", pages[-1].wait_s)
    due = NOW + timedelta(seconds=pages[-1].wait_s or 0)
    assert due.date().isoformat() == "2026-11-25"  # 83 of 100: the first day with room for an answer of 10
    assert "monthly_reads" in error.value.message
    far.posts += [post(due - timedelta(minutes=1))]
    assert ids(visit(far, asking, due)[0]) == [number(due - timedelta(minutes=1))]


def test_an_answer_without_a_date_is_counted_and_never_forgotten() -> None:
    far = Far(minutes(*range(1, 50)), dated=False)
    _, asking = visit(far, source("lumbre", authors=False))
    assert (asking.cursor["month"], asking.cursor["reads"]) == ("", 49)
    far.posts += [post(NOW + timedelta(days=10))]
    _, asking = visit(far, asking, NOW + timedelta(days=11))
    assert (asking.cursor["month"], asking.cursor["reads"]) == ("", 50)
    far.dated = True
    _, asking = visit(far, asking, NOW + timedelta(days=11, minutes=1))
    assert (asking.cursor["month"], asking.cursor["reads"]) == ("2026-12", 50)


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "soon", ""])
def test_an_impossible_date_is_none(date: str) -> None:
    answer = Far(minutes(1)).answer(COLLECTOR.request(source("lumbre"), NOW))
    answer.headers["Date"] = date
    assert COLLECTOR.parse(source("lumbre"), answer).cursor["month"] == ""


def test_what_is_withheld_somewhere_is_left_out_and_was_read_all_the_same() -> None:
    far = Far([post(NOW) | {"withheld": {"country_codes": ["DE"]}}])
    pages, asking = visit(far, source("lumbre", authors=False))
    assert (ids(pages), asking.cursor["reads"]) == ([], 1)


def test_a_changed_post_is_known_by_its_first_version() -> None:
    first, second = number(NOW), number(NOW + timedelta(minutes=9))
    changed = post(NOW + timedelta(minutes=9)) | {"edit_history_tweet_ids": [first, second]}
    found = visit(Far([changed]), source("lumbre"), NOW + timedelta(minutes=10))[0][0].posts[0]
    assert (found.id, found.url) == (first, f"https://x.com/i/web/status/{second}")
    assert (found.published_at, found.edited_at) == (NOW, NOW + timedelta(minutes=9))


def test_it_says_what_it_would_cost_before_it_is_enabled() -> None:
    assert (cost_usd(1), cost_usd(10_000), cost_usd(2_000_000)) == (0.005, 50, 10_000)
    with pytest.raises(ValueError, match=r"would cost up to \$10,000 a month; set monthly_reads \(10,000 are \$50\)"):
        COLLECTOR.check(replace(source("lumbre"), settings={}))


@pytest.mark.parametrize("secret", [None, "", "clavé"])
def test_it_refuses_a_source_without_a_secret_and_says_where_to_get_one(secret: str | None) -> None:
    asking = replace(source("lumbre"), secret=secret)
    with pytest.raises(ValueError, match=r"secret.*console\.x\.com"):
        COLLECTOR.check(asking)
    with pytest.raises(CollectError) as error:
        COLLECTOR.request(asking, NOW)
    assert error.value.code == "no_secret"


@pytest.mark.parametrize(
    "settings",
    [
        {"monthly_reads": 99}, {"monthly_reads": "many"}, {"monthly_reads": 2_000_001}, {"authors": 1},
        {"backfill_days": 8}, {"query": "x" * 513}, {"query": ""},
    ],
)  # fmt: skip
def test_it_refuses_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="setting"):
        COLLECTOR.check(source("lumbre", **settings))


@pytest.mark.parametrize(
    ("status", "code"), [(401, "bad_secret"), (402, "no_credits"), (403, "http_403"), (429, "http_429"), (503, None)]
)
def test_refusals_say_what_to_do(status: int, code: str | None) -> None:
    assert isinstance(COLLECTOR, Explains)
    error = COLLECTOR.refusal(httpx.Response(status, headers={"x-rate-limit-reset": "1795342200"}), NOW)
    assert (error and error.code) == code
    assert (error and error.retry_after_s) == (600 if status == 429 else None)


def test_the_token_stands_in_the_header_and_nowhere_else() -> None:
    asking = source("lumbre")
    request = COLLECTOR.request(asking, NOW)
    page = COLLECTOR.parse(asking, Far(minutes(1)).answer(request))
    assert TOKEN not in f"{request.url} {page} {asking!r}"


def test_whatever_a_value_is_it_costs_only_its_own_item() -> None:
    for odd in twisted(SAMPLE["data"][:2]):
        answer = {"data": [*(odd if isinstance(odd, list) else [odd]), post(NOW)], "meta": {}}
        page = COLLECTOR.parse(source("lumbre"), httpx.Response(200, content=json.dumps(answer)))
        assert page.posts[-1].id == number(NOW)


def test_whatever_an_answer_is_it_ends_in_a_page_or_a_typed_error() -> None:
    codes = set()
    for odd in twisted(SAMPLE | {"data": [post(NOW)], "meta": {"next_token": "x"}}):
        try:
            json.dumps(COLLECTOR.parse(source("lumbre"), httpx.Response(200, content=json.dumps(odd))).cursor)
        except CollectError as error:
            codes.add(error.code)
    assert codes == {"not_x"}
