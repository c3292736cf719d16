"""The demo: one story every time, told by a publisher that the real collectors read completely."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

import httpx
import pytest

from alerts import NOTIFIERS
from alerts.base import Channel
from alerts.dossier import test_alert as alert_of_a_test
from app import query
from app.demo import DemoClock, Publisher, brand_and_sources, morning
from app.demo.narrator import plain
from app.demo.story import CALM_EN, CALM_ES, CRISIS_AFTER, CRISIS_EN, CRISIS_ES, CRISIS_LASTS, HISTORY, Line, tell
from app.language import Languages
from app.storage.records import PutBrand, PutChannel, PutSource
from collectors import COLLECTORS
from collectors.base import Post, Query, Source
from collectors.fetch import fetch, validators
from tests.app.pipeline.far_end import client

START = datetime(2026, 11, 18, 8, 0, tzinfo=UTC)
END = START + timedelta(hours=5)


class Stage:
    """A publisher whose clock is moved by hand, and what its Slack was sent."""

    def __init__(self) -> None:
        self.now = END
        self.story = tell(START)
        self.slack: list[dict[str, object]] = []
        self.publisher = Publisher(self.story, lambda: self.now, self.slack.append)

    def said(self, place: str) -> list[Line]:
        return [line for line in self.story if line.place == place and line.at <= self.now]

    def source(self, slug: str) -> Source:
        changes = brand_and_sources(self.publisher.url)
        (source,) = (
            change.source for change in changes if isinstance(change, PutSource) and change.source.slug == slug
        )
        return replace(source, queries=(Query("garzavia", ("garzavia", "garza vía")),))

    def answer(self, source: Source, now: datetime) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with client(self.publisher.port) as http:
                return await fetch(http, COLLECTORS[source.kind].request(source, now), source, now=now)

        return asyncio.run(ask())


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    with stage.publisher:
        yield stage


# ── the story ────────────────────────────────────────────────────────────────


def test_the_story_is_the_same_every_time_and_moves_with_the_clock() -> None:
    story, again, later = tell(START), tell(START), tell(START + timedelta(days=7))
    assert story == again
    assert [line.text for line in later] == [line.text for line in story]
    assert {b.at - a.at for a, b in zip(story, later, strict=True)} == {timedelta(days=7)}
    assert tell(START, seed=8) != story


def test_the_story_is_told_in_order_over_two_weeks_and_some_hours() -> None:
    story = tell(START)
    assert [line.at for line in story] == sorted(line.at for line in story)
    assert [line.number for line in story] == list(range(1, len(story) + 1))
    assert story[0].at >= START - HISTORY
    assert START < story[-1].at < END
    assert {line.place for line in story} == {"forum", "board"}


def test_the_crisis_stands_out_and_one_wire_story_is_repeated_word_for_word() -> None:
    story = tell(START)
    begins, ends = START + CRISIS_AFTER, START + CRISIS_AFTER + CRISIS_LASTS
    crisis = [line.text for line in story if begins <= line.at < ends]
    before = [line for line in story if begins - timedelta(hours=1) <= line.at < begins]
    assert len(crisis) > 60
    assert len(before) < 10
    assert max(crisis.count(text) for text in set(crisis)) >= 12


def test_the_story_is_told_in_spanish_and_in_english() -> None:
    languages = Languages(("es", "en"))
    heard = [languages.identify(line.text, None).code for line in tell(START)]
    assert heard.count("es") > len(heard) / 3
    assert heard.count("en") > len(heard) / 3
    for sentences, code in ((CALM_ES, "es"), (CRISIS_ES, "es"), (CALM_EN, "en"), (CRISIS_EN, "en")):
        wrong = [text for text in sentences if languages.identify(text, None).code != code]
        assert len(wrong) <= 1, wrong


def test_everything_that_is_said_answers_the_brands_query() -> None:
    (brand,) = (change.brand for change in brand_and_sources("http://127.0.0.1:1") if isinstance(change, PutBrand))
    index = query.Index({1: query.parse(brand.query)})
    assert all(
        index.match(query.Document(title="", text=line.text, site=None, author=None, language=None, source="forum"))
        for line in tell(START)
    )


# ── the publisher ────────────────────────────────────────────────────────────


def test_the_feed_is_read_completely_by_the_real_collector(stage: Stage) -> None:
    source = stage.source("forum")
    page = COLLECTORS["rss"].parse(source, stage.answer(source, END))
    said = {f"viajeros-{line.number}": line for line in stage.said("forum")}
    assert not page.rejects
    assert {post.id for post in page.posts} == set(said)
    for post in page.posts:
        line = said[post.id]
        assert (post.text, post.url, post.author) == (line.text, line.url, line.author)
        assert post.published_at == line.at.replace(microsecond=0)
        assert line.text.startswith(post.title)


def test_the_feed_answers_304_until_something_is_said(stage: Stage) -> None:
    stage.now = START
    source = stage.source("forum")
    first = stage.answer(source, START)
    etag, _ = validators(first)
    known = replace(source, etag=etag, last_ok_at=START, created_at=START)
    assert stage.answer(known, START).status_code == 304
    stage.now = END
    assert stage.answer(known, START).status_code == 200


def test_nothing_is_published_before_its_time(stage: Stage) -> None:
    stage.now = START
    source = stage.source("forum")
    posts = COLLECTORS["rss"].parse(source, stage.answer(source, START)).posts
    assert posts
    assert max(post.published_at for post in posts if post.published_at) <= START


def searched(stage: Stage, now: datetime) -> tuple[list[Post], int]:
    source, posts, asked = stage.source("board"), [], 0
    while asked < 40:
        page = COLLECTORS["hackernews"].parse(source, stage.answer(source, now))
        assert not page.rejects
        posts += page.posts
        source = replace(source, cursor=page.cursor)
        asked += 1
        if not page.next:
            break
    return posts, asked


def test_the_search_is_read_completely_by_the_real_collector(stage: Stage) -> None:
    posts, asked = searched(stage, START)
    said = stage.said("board")
    assert asked > 2  # pages, for each of two terms
    assert sorted(post.text for post in posts) == sorted(line.text for line in said)
    assert {post.published_at for post in posts} == {line.at.replace(microsecond=0) for line in said}
    assert all(post.reply for post in posts)


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ("created_at_i>{at}", lambda at, line: line > at),
        ("created_at_i>={at}", lambda at, line: line >= at),
        ("created_at_i<{at}", lambda at, line: line < at),
        ("created_at_i<={at}", lambda at, line: line <= at),
        ("created_at_i>{at}, created_at_i<1e18", lambda at, line: line > at),
        ("points>3", lambda at, line: True),
        ("", lambda at, line: True),
    ],
)
def test_the_search_keeps_to_its_filters(stage: Stage, filters: str, kept: Any) -> None:
    at = int(stage.said("board")[100].at.timestamp())
    parameters = {"numericFilters": filters.format(at=at), "hitsPerPage": "1000"}
    found = httpx.get(f"{stage.publisher.url}/board/search_by_date", params=parameters, trust_env=False).json()
    expected = [line for line in stage.said("board") if kept(at, int(line.at.timestamp()))]
    assert found["nbHits"] == len(expected) > 0
    assert [hit["created_at_i"] for hit in found["hits"]] == [int(line.at.timestamp()) for line in reversed(expected)]


def test_the_search_turns_pages(stage: Stage) -> None:
    seen: list[str] = []
    for page in range(4):
        parameters = {"hitsPerPage": "100", "page": str(page)}
        found = httpx.get(f"{stage.publisher.url}/board/search_by_date", params=parameters, trust_env=False).json()
        seen += [hit["objectID"] for hit in found["hits"]]
    assert found["nbPages"] == -(-len(stage.said("board")) // 100)
    assert len(set(seen)) == len(seen) == min(400, len(stage.said("board")))


def test_slack_hears_what_is_posted_and_other_paths_are_empty(stage: Stage) -> None:
    request = Request(f"{stage.publisher.url}/slack", json.dumps({"text": "hola"}).encode(), method="POST")
    with urlopen(request) as answer:
        assert answer.read() == b"ok"
    assert stage.slack == [{"text": "hola"}]
    assert httpx.get(f"{stage.publisher.url}/elsewhere", trust_env=False).status_code == 404


# ── the stage ────────────────────────────────────────────────────────────────


def test_what_the_stage_configures_is_valid() -> None:
    for change in brand_and_sources("http://127.0.0.1:8001"):
        match change:
            case PutSource(source):
                COLLECTORS[source.kind].check(source)
            case PutChannel(channel):
                NOTIFIERS[channel.kind].check(channel)
            case PutBrand(brand):
                assert query.terms(query.parse(brand.query))
                assert brand.channels == ("slack-crisis",)


def test_the_clock_runs_fast_from_where_it_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monotonic = [100.0]
    monkeypatch.setattr("app.demo.stage.time.monotonic", lambda: monotonic[0])
    clock = DemoClock(START)
    assert clock() == START
    monotonic[0] += 2
    assert clock() == START + timedelta(minutes=2)


def test_the_story_begins_at_eight_wherever_the_reader_is() -> None:
    late = datetime.fromisoformat("2026-11-18T23:30:15-05:00")
    assert morning(late) == datetime(2026, 11, 19, 8, tzinfo=UTC)


# ── the narrator ─────────────────────────────────────────────────────────────


def test_a_slack_message_can_be_read_in_a_terminal() -> None:
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "Garzavía: CRISIS"}},
        {
            "type": "section",
            "fields": [{"type": "mrkdwn", "text": "*Visto*\n15"}, {"type": "mrkdwn", "text": "6 &gt; 5"}],
        },
        {"type": "divider"},
        {
            "type": "context",
            "elements": [{"type": "mrkdwn", "text": "<https://a.example/1?b=2&amp;c=3|ver &lt;todo&gt;>"}],
        },
    ]
    assert plain({"text": "short", "blocks": blocks}) == (
        "Garzavía: CRISIS\nVisto\n15\n6 > 5\nver <todo> (https://a.example/1?b=2&c=3)"
    )
    assert plain({"text": "only this"}) == "only this"
    assert plain({}) == ""


def test_a_message_of_the_real_notifier_loses_no_text() -> None:
    channel = Channel(1, "c", "C", "slack", language="es")
    alert = alert_of_a_test(channel, "k", START, "http://127.0.0.1:8000")
    text = plain(json.loads(NOTIFIERS["slack"].render(alert)))
    assert "Avizor" in text
    assert "http://127.0.0.1:8000" in text
    assert "&amp;" not in text
    assert "<http" not in text
