"""Feeds of a brand's mentions: readable by others, true to the texts, and nothing in them runs."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import feedparser
import pytest

from app.feeds import Feed, json_feed, rss, web_link
from app.model import Correction, Mention, Sentiment

FEED = Feed("Café & Aurora", "https://avizor.example/feed?a=1&b=2", "https://avizor.example/brands/aurora", "es")
NASTY = '<script>alert("x")</script> & <img src=x onerror=alert(1)> ]]>'
AT = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
DC = "{http://purl.org/dc/elements/1.1/}"


def mention(**fields: Any) -> Mention:
    usual: dict[str, Any] = {
        "brand": "aurora",
        "post_id": 7,
        "source": "diario",
        "title": "Colas y café frío",
        "text": "Otra vez.",
        "url": "https://diario.example/7?a=1&b=2",
        "author": "Ana Ñ.",
        "site": "diario.example",
        "published_at": AT,
        "fetched_at": AT,
        "sentiment": Sentiment("negative", -0.6, "test/1", "es"),
        "story_id": 7,
        "copy": False,
        "backfill": False,
        "scored_at": AT,
    }
    return Mention(**usual | fields)


def item(**fields: Any) -> dict[str, Any]:
    (only,) = json.loads(json_feed(FEED, [mention(**fields)]))["items"]
    found: dict[str, Any] = only
    return found


def entry(**fields: Any) -> ElementTree.Element:
    found = ElementTree.fromstring(rss(FEED, [mention(**fields)])).find("channel/item")
    assert found is not None
    return found


def test_a_persons_word_on_the_tone_is_what_counts() -> None:
    corrected = Correction("positive", "Ana", AT)
    assert item(correction=corrected)["tags"] == ["positiva"]
    told = item(correction=corrected)["_avizor"]
    assert (told["label"], told["score"]) == ("positive", 1.0)
    assert entry(correction=corrected).findtext("category") == "positiva"


def test_a_json_feed_is_one_of_version_1_1() -> None:
    feed = json.loads(json_feed(FEED, [mention()]))
    assert feed.pop("items") == [
        {
            "id": "avizor:aurora:7",
            "content_text": "Otra vez.",
            "date_published": "2026-11-18T12:00:00Z",
            "tags": ["negativa"],
            "_avizor": {"label": "negative", "score": -0.6, "source": "diario", "copy": False},
            "url": "https://diario.example/7?a=1&b=2",
            "title": "Colas y café frío",
            "language": "es",
            "authors": [{"name": "Ana Ñ."}],
        }
    ]
    assert feed == {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Café & Aurora: menciones",
        "description": "Lo que se dice de Café & Aurora, tal como lo oyó Avizor.",
        "home_page_url": "https://avizor.example/brands/aurora",
        "feed_url": "https://avizor.example/feed?a=1&b=2",
        "language": "es",
    }


def test_another_reader_reads_the_rss_as_it_was_meant() -> None:
    read = feedparser.parse(rss(FEED, [mention(copy=True)]))
    assert not read.bozo
    assert (read.version, read.feed.title, read.feed.link) == ("rss20", "Café & Aurora: menciones", FEED.home)
    (only,) = read.entries
    assert (only.title, only.link, only.author) == ("Colas y café frío", "https://diario.example/7?a=1&b=2", "Ana Ñ.")
    assert (only.id, only.guidislink, only.published) == ("avizor:aurora:7", False, "Wed, 18 Nov 2026 12:00:00 GMT")
    assert [tag.term for tag in only.tags] == ["negativa", "copia"]


def test_a_text_stays_a_text() -> None:
    assert item(text=NASTY, title=NASTY)["content_text"] == NASTY
    found = entry(text=NASTY, title=NASTY, author=NASTY)
    described = found.findtext("description") or ""
    assert "<" not in described  # a reader takes this for HTML: what it shows is the text
    assert described.startswith("&lt;script&gt;")
    assert found.findtext("title") == NASTY
    assert found.findtext(f"{DC}creator") == NASTY


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "JaVaScRiPt:alert(1)",
        "//evil.example",
        "/x",
        "",
        "https://[",
        "ftp://x/y",
    ],
)
def test_only_web_addresses_become_links(url: str) -> None:
    assert web_link(url) is None
    assert "url" not in item(url=url)
    assert entry(url=url).find("link") is None


def test_a_post_without_a_title_still_has_one_in_rss() -> None:
    found = entry(title="", text="Una queja " * 30)
    assert len(found.findtext("title") or "") == 100
    assert "title" not in item(title="")
    assert item(title="Sólo título", text="")["content_text"] == "Sólo título"


def test_unknown_is_told_as_unknown() -> None:
    unknown = item(sentiment=Sentiment("unknown", None, "nobody"))
    assert (unknown["tags"], unknown["_avizor"]["score"]) == (["tono desconocido"], None)


def test_characters_that_xml_cannot_carry_are_left_out() -> None:
    assert entry(text="a\x0bb\ufffe\x00c").findtext("description") == "abc"


def test_it_speaks_english_too() -> None:
    feed = json.loads(json_feed(replace(FEED, language="en"), [mention()]))
    assert (feed["title"], feed["items"][0]["tags"]) == ("Café & Aurora: mentions", ["negative"])


def test_an_empty_feed_is_a_feed() -> None:
    assert json.loads(json_feed(FEED, []))["items"] == []
    assert not feedparser.parse(rss(FEED, [])).bozo
