"""The walk through YouTube: every video once and whole, within 100 searches a day. The far end is a small site here."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from collectors.base import CollectError, Explains, Page, Query, Recounts, Source
from collectors.youtube import YouTube, terms
from tests.collectors.asking import ids
from tests.collectors.asking import visit as walked
from tests.collectors.twisted import twisted

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLLECTOR = YouTube()
KEY = "clave-lumbre"
CHANNEL = "UClumbre" + "0" * 16
SAMPLE = json.loads((Path(__file__).parent / "data/youtube/videos.json").read_text(encoding="utf-8"))
TEXT_SHOWN = 30  # of a description, in a search


def source(*words: str, **settings: Any) -> Source:
    queries = (Query("lumbre", words),) if words else ()
    return Source(1, "y", "Y", "youtube", settings=settings, queries=queries, secret=KEY)


def name(number: int) -> str:
    return f"video{number:06}"


def video(number: int, at: datetime, words: str = "lumbre") -> dict[str, Any]:
    snippet = {"publishedAt": f"{at:%Y-%m-%dT%H:%M:%SZ}", "title": "Fibra", "channelTitle": "Ana", "description": words}
    return {"id": name(number), "snippet": snippet, "statistics": {"viewCount": "7", "likeCount": "2"}}


def comment(number: int, at: datetime, words: str = "lumbre") -> dict[str, Any]:
    when = f"{at:%Y-%m-%dT%H:%M:%S.000Z}"
    snippet = {"videoId": name(1), "textDisplay": words, "authorDisplayName": "@ana", "likeCount": 1}
    return {"id": f"Ugy{number:020}", "snippet": {**snippet, "publishedAt": when, "updatedAt": when}}


def thread(first: dict[str, Any], *replies: dict[str, Any]) -> dict[str, Any]:
    shown = {"replies": {"comments": list(replies)}} if replies else {}
    return {"snippet": {"topLevelComment": first, "totalReplyCount": len(replies)}, **shown}


@dataclass
class Site:
    """Newest first, by page; a search shows the start of a description, and there are 100 of them a day."""

    videos: list[dict[str, Any]] = field(default_factory=list)
    threads: list[dict[str, Any]] = field(default_factory=list)
    searches: int = 100
    asked: list[httpx.URL] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        assert request.headers["X-Goog-Api-Key"] == KEY
        asked = request.url.params
        match request.url.path.removeprefix("/youtube/v3"):
            case "/search":
                self.searches -= 1
                if self.searches < 0:
                    return refused(403, "quotaExceeded", request)
                return httpx.Response(200, json=self._search(asked), request=request)
            case "/videos" | "/comments" as path:
                wanted = asked["id"].split(",")
                assert len(wanted) <= 50
                every = (
                    self.videos if path == "/videos" else [one["snippet"]["topLevelComment"] for one in self.threads]
                )
                found = [one for one in every if one["id"] in wanted]
                body = {"kind": f"youtube#{path[1:-1]}ListResponse", "items": found}
                return httpx.Response(200, json=body, request=request)
            case _:
                shown = sorted(self.threads, key=lambda one: published(one["snippet"]["topLevelComment"]), reverse=True)
                body = {"kind": "youtube#commentThreadListResponse", **paged(shown, asked)}
                return httpx.Response(200, json=body, request=request)

    def _search(self, asked: httpx.QueryParams) -> dict[str, Any]:
        words = [word.strip('"') for word in asked["q"].split("|")]
        found = [one for one in self.videos if published(one) >= asked["publishedAfter"]]
        found = [one for one in found if any(word in one["snippet"]["description"] for word in words)]
        found.sort(key=published, reverse=True)
        short = [
            {
                "id": {"videoId": one["id"]},
                "snippet": {**one["snippet"], "description": one["snippet"]["description"][:TEXT_SHOWN]},
            }
            for one in found
        ]
        return {"kind": "youtube#searchListResponse", **paged(short, asked)}


def published(one: dict[str, Any]) -> str:
    return str(one["snippet"]["publishedAt"])


def paged(found: list[Any], asked: httpx.QueryParams) -> dict[str, Any]:
    start, size = int(asked.get("pageToken", "0")), int(asked["maxResults"])
    onward = {"nextPageToken": str(start + size)} if start + size < len(found) else {}
    return {"items": found[start : start + size], **onward}


def refused(status: int, reason: str, request: httpx.Request | None = None) -> httpx.Response:
    return httpx.Response(status, json={"error": {"code": status, "errors": [{"reason": reason}]}}, request=request)


def visit(far: Site, asking: Source, now: datetime = NOW) -> tuple[list[Page], Source]:
    return walked(COLLECTOR, far.answer, asking, now)


def test_it_asks_for_all_words_in_one_search_with_the_key_in_a_header() -> None:
    request = COLLECTOR.request(source("Lumbre", "Lumbre Telecom"), NOW)
    assert request.url.copy_with(query=None) == "https://www.googleapis.com/youtube/v3/search"
    assert dict(request.url.params) == {
        "part": "snippet", "type": "video", "order": "date", "q": 'lumbre|"lumbre telecom"',
        "publishedAfter": "2026-11-15T10:00:00Z", "maxResults": "50",
    }  # fmt: skip
    assert request.headers["X-Goog-Api-Key"] == KEY


def test_more_words_than_a_search_can_hold_are_asked_for_in_several() -> None:
    asked = terms(source(*(f"marca{number:04}" for number in range(100))))
    assert [len(question) <= 400 for question in asked] == [True, True, True]
    assert sum(question.count("|") + 1 for question in asked) == 100


def test_the_operator_chooses_the_base_the_look_back_and_the_search() -> None:
    asking = replace(source("lumbre", query="lumbre -leña", backfill_days=1), url="http://127.0.0.1:9/yt/")
    url = COLLECTOR.request(asking, NOW).url
    assert str(url).startswith("http://127.0.0.1:9/yt/search?")
    assert (url.params["q"], url.params["publishedAfter"]) == ("lumbre -leña", "2026-11-21T10:00:00Z")


def test_it_brings_whole_descriptions_and_counts_of_every_video_once() -> None:
    words = "x" * TEXT_SHOWN + " y al final: lumbre"
    far = Site([video(n, NOW - timedelta(hours=n), words) for n in range(120)])
    pages, _ = visit(far, source("lumbre"))
    assert ids(pages) == [name(n) for n in range(120)]
    first = pages[1].posts[0]
    assert (first.text, first.engagement) == (words, {"views": 7, "likes": 2})
    assert [url.path.rpartition("/")[2] for url in far.asked] == ["search", "videos"] * 3


def test_a_quiet_visit_costs_one_search_and_nothing_else() -> None:
    far = Site([video(1, NOW)])
    _, asking = visit(far, source("lumbre"))
    before = len(far.asked)
    pages, asking = visit(far, asking, NOW + timedelta(minutes=15))
    assert (ids(pages), len(far.asked) - before) == ([], 1)


def test_a_video_that_entered_the_search_hours_late_is_not_lost() -> None:
    far = Site([video(1, NOW)])
    _, asking = visit(far, source("lumbre"))
    far.videos += [video(2, NOW - timedelta(hours=5)), video(3, NOW + timedelta(minutes=1))]
    assert set(ids(visit(far, asking, NOW + timedelta(minutes=15))[0])) == {name(3), name(2)}


def test_what_was_found_and_not_yet_shown_is_asked_for_by_the_next_visit() -> None:
    far, asking = Site([video(1, NOW)]), source("lumbre")
    page = COLLECTOR.parse(asking, far.answer(COLLECTOR.request(asking, NOW)))
    assert (page.posts, page.next) == ((), True)
    failed = replace(asking, cursor=page.cursor, fail_count=1)  # the videos did not come
    assert ids(visit(far, failed, NOW + timedelta(minutes=15))[0]) == [name(1)]


def test_it_reads_comments_and_replies_once_and_ends_at_what_it_knows() -> None:
    far = Site(threads=[thread(comment(n, NOW - timedelta(minutes=n))) for n in range(250)])
    asking = source(comments=[name(1)])
    pages, asking = visit(far, asking)
    assert len(ids(pages)) == len(set(ids(pages))) == 250
    assert dict(far.asked[0].params) == {
        "part": "snippet,replies", "videoId": name(1), "order": "time", "maxResults": "100",
    }  # fmt: skip
    far.threads.append(thread(comment(900, NOW + timedelta(minutes=1)), comment(901, NOW + timedelta(minutes=2))))
    before = len(far.asked)
    pages, _ = visit(far, asking, NOW + timedelta(minutes=15))
    assert (len(ids(pages)), len(far.asked) - before) == (2, 1)
    first = pages[0].posts[0]
    assert (first.url, first.author) == (f"https://www.youtube.com/watch?v={name(1)}&lc={first.id}", "@ana")
    assert (first.engagement, first.edited_at) == ({"likes": 1, "replies": 1}, None)


def test_a_channel_is_asked_for_all_its_comments() -> None:
    params = COLLECTOR.request(source(comments=[CHANNEL]), NOW).url.params
    assert params["allThreadsRelatedToChannelId"] == CHANNEL


def test_counts_are_refreshed_by_id_and_what_is_missing_is_gone() -> None:
    far = Site([video(1, NOW)], [thread(comment(5, NOW))])
    assert isinstance(COLLECTOR, Recounts)
    asked = (name(1), name(2), comment(5, NOW)["id"])
    request = COLLECTOR.recount(source("lumbre"), asked, NOW)
    assert dict(request.url.params) == {"part": "snippet,statistics", "id": f"{name(1)},{name(2)}"}
    page = COLLECTOR.recounted(source("lumbre"), asked, far.answer(request))
    assert ([post.id for post in page.posts], page.gone) == ([name(1)], (name(2),))
    alone = (comment(5, NOW)["id"], comment(6, NOW)["id"])
    page = COLLECTOR.recounted(source("lumbre"), alone, far.answer(COLLECTOR.recount(source("lumbre"), alone, NOW)))
    assert ([post.id for post in page.posts], page.gone) == ([alone[0]], (alone[1],))


def test_an_answer_that_is_something_else_takes_nothing_back() -> None:
    with pytest.raises(CollectError) as error:
        COLLECTOR.recounted(source("lumbre"), (name(1),), httpx.Response(200, json={"items": []}))
    assert error.value.code == "not_youtube"


@pytest.mark.parametrize(
    ("now", "wait_h"),
    [(NOW, 22), (datetime(2026, 11, 22, 8, tzinfo=UTC), 24), (datetime(2026, 7, 1, 6, 59, 59, tzinfo=UTC), 1 / 3600)],
)
def test_the_days_quota_is_waited_for_until_midnight_in_california(now: datetime, wait_h: float) -> None:
    far = Site(searches=0)
    assert isinstance(COLLECTOR, Explains)
    error = COLLECTOR.refusal(far.answer(COLLECTOR.request(source("lumbre"), now)), now)
    assert error
    assert (error.code, error.retry_after_s) == ("quota_exceeded", wait_h * 3_600)


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, {"errors": [{"reason": "keyInvalid"}]}, "bad_secret"),
        (400, {"status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}, "bad_secret"),
        (403, {"errors": [{"reason": "accessNotConfigured"}]}, "not_allowed"),
        (429, {"status": "RESOURCE_EXHAUSTED", "details": "x"}, "quota_exceeded"),
        (403, {"errors": [{"reason": "commentsDisabled"}]}, "comments_disabled"),
        (404, {"errors": [{"reason": "videoNotFound"}]}, "not_found"),
        (403, {"errors": [{"reason": ["x"]}, 7]}, None),
        (500, "x", None),
    ],
)
def test_refusals_say_what_to_do(status: int, error: Any, code: str | None) -> None:
    told = COLLECTOR.refusal(httpx.Response(status, json={"error": error}), NOW)
    assert (told and told.code) == code


def test_a_refusal_that_is_not_json_is_left_to_its_status() -> None:
    assert COLLECTOR.refusal(httpx.Response(403, content=b"<html>"), NOW) is None


def test_the_key_stands_in_the_header_and_nowhere_else() -> None:
    asking = source("lumbre")
    request = COLLECTOR.request(asking, NOW)
    page = COLLECTOR.parse(asking, Site([video(1, NOW)]).answer(request))
    assert KEY not in f"{request.url} {page} {asking!r}"


@pytest.mark.parametrize("secret", [None, " ", "clavé"])
def test_it_refuses_a_source_without_a_key_and_says_where_to_get_one(secret: str | None) -> None:
    asking = replace(source("lumbre"), secret=secret)
    with pytest.raises(ValueError, match=r"secret.*console\.cloud\.google\.com"):
        COLLECTOR.check(asking)
    with pytest.raises(CollectError) as error:
        COLLECTOR.request(asking, NOW)
    assert error.value.code == "no_secret"


@pytest.mark.parametrize(
    "settings",
    [
        {"query": ""}, {"comments": "x"}, {"comments": ["https://www.youtube.com/watch?v=video000001"]},
        {"backfill_days": "7"}, {"requests_per_day": 0}, {"requests_per_day": True},
    ],
)  # fmt: skip
def test_it_refuses_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="setting"):
        COLLECTOR.check(source("lumbre", **settings))


def test_whatever_a_value_is_it_costs_only_its_own_item() -> None:
    asking = source("lumbre")
    for kind, items, good in (
        ("videoListResponse", SAMPLE["items"][:2], video(7, NOW)),
        ("commentThreadListResponse", [thread(comment(1, NOW), comment(2, NOW))], thread(comment(7, NOW))),
    ):
        for odd in twisted(items):
            answer = {"kind": f"youtube#{kind}", "items": [*(odd if isinstance(odd, list) else [odd]), good]}
            page = COLLECTOR.parse(asking, httpx.Response(200, content=json.dumps(answer)))
            assert page.posts[-1].id in (name(7), comment(7, NOW)["id"])


def test_whatever_an_answer_is_it_ends_in_a_page_or_a_typed_error() -> None:
    asking, codes = source("lumbre"), set()
    answer = Site([video(1, NOW)]).answer(COLLECTOR.request(asking, NOW)).json() | {"nextPageToken": "x"}
    for odd in twisted(answer):
        try:
            json.dumps(COLLECTOR.parse(asking, httpx.Response(200, content=json.dumps(odd))).cursor)
        except CollectError as error:
            codes.add(error.code)
    assert codes == {"not_youtube"}
