"""The walk through one Mastodon server: forward on tags, to the end of a search. The far end is a small server here."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from collectors.base import CollectError, Explains, Page, Query, Source
from collectors.mastodon import PER_PAGE, Mastodon, terms
from collectors.search import REQUESTS_PER_VISIT
from tests.collectors.asking import ids
from tests.collectors.asking import visit as walked

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLLECTOR = Mastodon()
TOKEN = "ficha-inventada"


def source(*words: str, secret: str | None = None, **settings: Any) -> Source:
    queries = (Query("lumbre", words),) if words else ()
    return Source(1, "m", "M", "mastodon", "https://plaza.example/", settings=settings, queries=queries, secret=secret)


def number(at: datetime, nth: int = 0) -> int:
    return (int(at.timestamp() * 1000) << 16) + nth


def status(at: datetime, words: str = "#lumbre", nth: int = 0, **more: Any) -> dict[str, Any]:
    own = number(at, nth)
    return {
        "id": str(own),
        "uri": f"https://plaza.example/s/{own}",
        "created_at": at.isoformat(),
        "content": f"<p>{words}</p>",
        "visibility": "public",
        "account": {"acct": "ana", "url": "https://plaza.example/@ana", "indexable": True},
    } | more


@dataclass
class Server:
    """Answers as Mastodon does: `min_id` shows the oldest that are newer, a search is for users only and shows the
    newest first; what it hides from its user it hides after it counted a page.
    """

    statuses: list[dict[str, Any]]
    asked: list[httpx.Request] = field(default_factory=list)
    hides: frozenset[str] = frozenset()

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        asked = request.url.params
        assert int(asked["limit"]) <= 40
        newer = [one for one in self.statuses if int(one["id"]) > int(asked["min_id"])]
        newer.sort(key=lambda one: int(one["id"]))
        if request.url.path == "/api/v2/search":
            assert asked["type"] == "statuses"
            assert request.headers["Authorization"] == f"Bearer {TOKEN}"
            found = [one for one in newer if asked["q"].strip('"') in one["content"]][::-1]
            shown = found[int(asked["offset"]) :][: int(asked["limit"])]
            return self.told({"statuses": [one for one in shown if one["id"] not in self.hides]}, request)
        tag = request.url.path.removeprefix("/api/v1/timelines/tag/")
        found = [one for one in newer if f"#{tag}<" in one["content"]][: int(asked["limit"])]
        return self.told(found[::-1], request)

    @staticmethod
    def told(body: Any, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=body, request=request)


def visit(far: Server, asking: Source, now: datetime = NOW) -> tuple[list[Page], Source]:
    return walked(COLLECTOR, far.answer, asking, now)


def uris(far: Server) -> list[str]:
    return [one["uri"] for one in far.statuses]


def test_it_asks_for_a_tag_of_the_last_week() -> None:
    request = COLLECTOR.request(source("Lumbre"), NOW)
    assert str(request.url) == (
        f"https://plaza.example/api/v1/timelines/tag/lumbre?limit=40&min_id={number(NOW - timedelta(days=7))}"
    )
    assert "Authorization" not in request.headers


def test_words_that_are_one_word_are_tags_and_the_rest_is_searched_for_only_with_a_token() -> None:
    heard = ("Lumbre", "#LumbreFibra", "lumbre telecom", "c++", "902", "niño")
    assert terms(source(*heard)) == ("#lumbre", "#lumbrefibra", "#niño")
    assert terms(source(*heard, search=True))[3:] == ("lumbre", '"lumbre telecom"', '"c++"', "902", "niño")
    assert terms(source(*heard, tags=["#Apagón", "apagón"])) == ("#apagón",)


def test_a_tag_that_is_not_ascii_is_escaped() -> None:
    assert COLLECTOR.request(source(tags=["niño"]), NOW).url.raw_path.startswith(b"/api/v1/timelines/tag/ni%C3%B1o?")


def test_the_token_stands_in_the_header_and_nowhere_else() -> None:
    far = Server([status(NOW - timedelta(hours=1), "lumbre telecom")])
    pages, _ = visit(far, source("lumbre telecom", secret=TOKEN, search=True))
    assert ids(pages) == uris(far)
    assert all(request.headers["Authorization"] == f"Bearer {TOKEN}" for request in far.asked)
    assert TOKEN not in "".join(str(request.url) for request in far.asked) + repr(pages)


def test_it_reads_a_timeline_forward_to_its_end() -> None:
    far = Server([status(NOW - timedelta(hours=n)) for n in range(1, 131)])
    pages, _ = visit(far, source("lumbre"))
    assert sorted(ids(pages)) == sorted(uris(far))
    assert len(pages) == 4


def test_a_reading_that_stops_at_its_limit_goes_on_where_it_stopped() -> None:
    far = Server([status(NOW - timedelta(minutes=2 * n)) for n in range(1, 1_001)])
    first, asking = visit(far, source("lumbre"))
    assert len(first) == REQUESTS_PER_VISIT
    second, _ = visit(far, asking, NOW + timedelta(minutes=5))
    assert sorted(ids(first) + ids(second)) == sorted(uris(far))
    assert sum(page.truncated for page in (*first, *second)) == 0


def test_a_server_that_repeats_itself_is_not_asked_for_ever() -> None:
    class Stuck(Server):
        def answer(self, request: httpx.Request) -> httpx.Response:
            return self.told(self.statuses, request)

    pages, _ = visit(Stuck([status(NOW, nth=n) for n in range(PER_PAGE)]), source("lumbre"))
    assert len(pages) == 2


def test_the_next_visit_brings_only_what_is_new_and_what_arrived_late() -> None:
    far = Server([status(NOW - timedelta(hours=2)), status(NOW - timedelta(minutes=10))])
    _, asking = visit(far, source("lumbre"))
    late, new = status(NOW - timedelta(minutes=30)), status(NOW + timedelta(minutes=1))
    far.statuses += [late, new]
    pages, asking = visit(far, asking, NOW + timedelta(minutes=5))
    assert sorted(ids(pages)) == sorted([late["uri"], new["uri"]])
    assert ids(visit(far, asking, NOW + timedelta(minutes=10))[0]) == []


def test_a_status_from_the_future_does_not_close_the_timeline() -> None:
    far = Server([status(NOW + timedelta(days=9_000))])
    _, asking = visit(far, source("lumbre"))
    far.statuses.append(new := status(NOW + timedelta(minutes=1)))
    assert ids(visit(far, asking, NOW + timedelta(minutes=5))[0]) == [new["uri"]]


def test_a_search_is_read_to_its_end_whatever_it_hides() -> None:
    seen = [status(NOW - timedelta(minutes=n), "lumbre telecom") for n in range(100)]
    hidden = frozenset(one["id"] for one in seen[::3])
    pages, asking = visit(
        Server(seen, hides=hidden), source("lumbre telecom", secret=TOKEN, search=True, backfill_days=1)
    )
    assert len(ids(pages)) == 66
    assert asking.cursor["marks"] == {'"lumbre telecom"': int(seen[1]["id"])}


def test_whoever_does_not_want_to_be_found_is_not_kept_and_only_counted() -> None:
    accounts = [{"acct": "eva", "noindex": True}, {"acct": "leo", "noindex": True}, {"acct": "ana"}, {}]
    page = parsed(*(status(NOW, nth=n, account=account) for n, account in enumerate(accounts)))
    assert len(page.posts) == 3
    assert [(one.reason, one.sample) for one in page.rejects] == [
        ("statuses of authors who do not want to be found, not kept: 2", "")
    ]
    assert "eva" not in repr(page)


@pytest.mark.parametrize(
    "odd", [{"reblog": {"id": "1"}}, {"visibility": "private"}, {"visibility": "direct"}, {"visibility": None}]
)
def test_boosts_and_what_is_not_public_are_no_posts(odd: dict[str, Any]) -> None:
    assert len(parsed(status(NOW) | odd).posts) == 1


def test_a_hidden_number_is_unknown_and_a_zero_is_zero() -> None:
    account = {"acct": "ana@otra.example", "followers_count": -1}
    post = parsed(status(NOW, account=account, favourites_count=0, quotes_count=None)).posts[0]
    assert (post.author, post.reach, dict(post.engagement)) == ("ana@otra.example", None, {"likes": 0})


def parsed(*statuses: Any) -> Page:
    body = [*statuses, status(NOW, nth=99)]
    page = COLLECTOR.parse(source("lumbre"), httpx.Response(200, content=json.dumps(body)))
    assert page.posts[-1].id == body[-1]["uri"], "a bad status must not cost its neighbour"
    return page


ODD: tuple[Any, ...] = (None, True, 3, -1, 1e300, "x", "", [], ["x"], {}, {"a": 1}, "9" * 5_000)


@pytest.mark.parametrize("uri", ["\0", "https://plaza.example/\ud800", "a\nb"])
def test_a_name_that_no_table_takes_is_no_name(uri: str) -> None:
    assert [one.reason for one in parsed(status(NOW, uri=uri)).rejects] == ["an item without a usable uri"]


@pytest.mark.parametrize("value", ODD)
def test_any_field_may_be_anything(value: Any) -> None:
    whole = status(NOW, edited_at=None, spoiler_text="", language="es", favourites_count=1, reblog=None, url="x")
    for name in whole:
        page = parsed(whole | {name: value})
        assert len(page.posts) + len(page.rejects) in (1, 2)
    for name in ("acct", "url", "followers_count", "noindex", "indexable"):
        parsed(whole | {"account": {name: value}})
    parsed(value)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<html>", "bad_json"),
        (b'{"error": "no"}', "not_mastodon"),
        (b"3", "not_mastodon"),
        (b'[{"id": "01HG", "uri": "https://otra.example/1"}]', "not_mastodon"),
        (b"[" * 5000, "hostile"),
    ],
)
def test_an_answer_that_is_something_else_is_an_error(body: bytes, code: str) -> None:
    with pytest.raises(CollectError) as error:
        COLLECTOR.parse(source("lumbre"), httpx.Response(200, content=body))
    assert error.value.code == code


def test_a_search_that_answers_with_a_list_is_an_error() -> None:
    with pytest.raises(CollectError):
        COLLECTOR.parse(source("lumbre telecom", search=True), httpx.Response(200, json=[]))


def test_it_waits_until_the_moment_that_the_server_names() -> None:
    assert isinstance(COLLECTOR, Explains)
    answer = httpx.Response(429, headers={"X-RateLimit-Reset": "2026-11-22T10:03:20.916474Z"})
    error = COLLECTOR.refusal(answer, NOW)
    assert error is not None
    assert error.retry_after_s == pytest.approx(200.9, abs=0.1)
    assert COLLECTOR.refusal(httpx.Response(429), NOW) is None


@pytest.mark.parametrize(
    ("status_code", "word"), [(401, "access token"), (422, "closed its timelines"), (403, "read:search")]
)
def test_a_closed_server_says_what_is_missing(status_code: int, word: str) -> None:
    error = COLLECTOR.refusal(httpx.Response(status_code, json={"error": "un secreto"}), NOW)
    assert error is not None
    assert word in error.message
    assert "un secreto" not in error.message
    assert not error.permanent


def test_what_is_not_its_own_is_not_explained() -> None:
    assert COLLECTOR.refusal(httpx.Response(403, text="<html>"), NOW) is None
    assert COLLECTOR.refusal(httpx.Response(500), NOW) is None


@pytest.mark.parametrize(
    "settings",
    [
        {"tags": "lumbre"},
        {"tags": ["dos palabras"]},
        {"tags": ["902"]},
        {"search": 1},
        {"search": True},
        {"query": "x"},
    ],
)
def test_it_refuses_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"setting|secret"):
        COLLECTOR.check(source("lumbre", **settings))


def test_it_needs_a_server() -> None:
    with pytest.raises(ValueError, match="address"):
        COLLECTOR.check(replace(source("lumbre"), url=None))


def test_its_cursor_is_json() -> None:
    _, asking = visit(Server([status(NOW)]), source("lumbre"))
    assert json.loads(json.dumps(asking.cursor))["marks"] == {"#lumbre": number(NOW)}
