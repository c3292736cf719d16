"""Any address in, what can be listened to there out: by the address alone, or by what its page says of itself."""

from dataclasses import asdict
from typing import Any

import pytest

from collectors import KINDS
from collectors.base import Source
from collectors.discover import Suggestion, known, named, search_feed

CHANNEL = "UC0123456789012345678901"


@pytest.mark.parametrize(
    ("address", "kind", "expected"),
    [
        (
            f"https://www.youtube.com/channel/{CHANNEL}",
            "rss",
            {"url": f"https://www.youtube.com/feeds/videos.xml?channel_id={CHANNEL}"},
        ),
        ("https://lobste.rs/t/networking", "rss", {"url": "https://lobste.rs/t/networking.rss"}),
        ("https://lobste.rs/domains/lumbre.example", "rss", {"url": "https://lobste.rs/domains/lumbre.example.rss"}),
        ("https://lobste.rs/", "rss", {"url": "https://lobste.rs/newest.rss"}),
        (
            "https://apps.apple.com/mx/app/mi-lumbre/id123456789?l=es",
            "appstore",
            {"settings": {"app": 123456789, "countries": ["mx"]}, "name": "App Store, mi lumbre"},
        ),
        ("https://es.stackoverflow.com/questions/1/x", "stackexchange", {"settings": {"site": "es.stackoverflow"}}),
        ("https://spanish.stackexchange.com/", "stackexchange", {"settings": {"site": "spanish"}}),
        ("https://superuser.com/q/1", "stackexchange", {"settings": {"site": "superuser"}}),
        ("https://github.com/lumbre/app/issues/3", "github", {"settings": {"repositories": ["lumbre/app"]}}),
        ("https://es.wikipedia.org/wiki/Lumbre", "mediawiki", {"url": "https://es.wikipedia.org/w/api.php"}),
        ("https://old.reddit.com/r/spain/", "reddit", {"settings": {"subreddits": ["spain"]}, "needs_secret": True}),
        ("https://news.ycombinator.com/news", "hackernews", {}),
        ("https://bsky.app/profile/lumbre.example", "jetstream", {}),
    ],
)
def test_some_places_are_known_by_their_address(address: str, kind: str, expected: dict[str, Any]) -> None:
    (found,) = known(address)
    assert found.kind == kind
    assert {name: value for name, value in asdict(found).items() if name in expected} == expected
    KINDS[kind].check(Source(0, "x", "x", kind, url=found.url, settings=found.settings, secret="a:b"))


@pytest.mark.parametrize(
    "address",
    [
        *(
            "https://correo.example/",
            "https://youtube.com/@lumbre",
            "https://github.com/lumbre",
            "https://apps.apple.com/",
        ),
        *("https://notstackoverflow.com.example/", "https://evil-reddit.com/r/x", "https://www.reddit.com/"),
    ],
)
def test_others_are_not(address: str) -> None:
    assert known(address) == []


@pytest.mark.parametrize(
    "address", ["correo.example", "ftp://correo.example/", "https://ana@correo.example/", "x" * 3000]
)
def test_what_is_no_web_address_is_refused_in_words(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        known(address)


def page(*head: str) -> str:
    return (
        f"<!doctype html><html><head><title>El Correo &amp; más</title>{''.join(head)}</head><body>hola</body></html>"
    )


FEED = "<link rel='alternate' type='application/rss+xml' title='Portada' href='/rss?a=1&amp;b=2'>"


def test_it_finds_the_feeds_that_a_page_names() -> None:
    atom = '<LINK HREF="https://feeds.example/atom" TYPE="application/atom+xml" REL="alternate home">'
    found = named("https://correo.example/seccion/", page(FEED, atom, FEED))
    assert [(one.kind, one.name, one.url) for one in found] == [
        ("rss", "Portada", "https://correo.example/rss?a=1&b=2"),
        ("rss", "El Correo & más", "https://feeds.example/atom"),
    ]


def generator(name: str) -> str:
    return f'<meta name="generator" content="{name}">'


@pytest.mark.parametrize(
    ("address", "head", "kind", "url"),
    [
        ("https://foro.example/t/x/1", generator("Discourse 3.4"), "discourse", "https://foro.example"),
        ("https://plaza.example/tags/lumbre", generator("Mastodon"), "mastodon", "https://plaza.example"),
        (
            "https://plaza.example/@ana",
            "<meta content='Mastodon 4.5' name='generator'>",
            "mastodon",
            "https://plaza.example",
        ),
        ("https://wiki.example/x", generator("MediaWiki 1.45"), "mediawiki", "https://wiki.example/w/api.php"),
        (
            "https://blog.example/2026/x/",
            generator("WordPress 6.9") + "<link rel='https://api.w.org/' href='https://blog.example/wp-json/'>",
            "wordpress",
            "https://blog.example",
        ),
        ("https://blog.example/", generator("WordPress 6.9"), "rss", "https://blog.example/comments/feed/"),
    ],
)
def test_it_knows_the_software_that_a_site_is_made_with(address: str, head: str, kind: str, url: str) -> None:
    best, *others = named(address, page(head, FEED))
    assert (best.kind, best.url) == (kind, url)
    assert others[-1].url is not None
    assert others[-1].url.endswith("/rss?a=1&b=2")
    KINDS[kind].check(Source(0, "x", "x", kind, url=best.url, settings=best.settings))


def test_a_tag_of_mastodon_is_followed_as_a_tag_or_as_a_feed() -> None:
    found = named("https://plaza.example/tags/lumbre", page(generator("Mastodon")))
    assert [(one.kind, one.url, dict(one.settings)) for one in found] == [
        ("mastodon", "https://plaza.example", {"tags": ["lumbre"]}),
        ("rss", "https://plaza.example/tags/lumbre.rss", {}),
    ]


@pytest.mark.parametrize(
    "head",
    [
        "",
        "<link rel='alternate' type='application/rss+xml' href='javascript:alert(1)'>",
        "<link rel='alternate' type='application/rss+xml'>",
        "<link rel='stylesheet' type='application/rss+xml' href='/x'>",
        "<link rel='alternate' type='text/html' hreflang='en' href='/en'>",
        "<link " * 50_000,
        "<meta name='generator' content='" + "x" * 300_000,
        "<" * 200_000,
    ],
)
def test_a_page_that_names_nothing_offers_nothing(head: str) -> None:
    assert [one for one in named("https://correo.example/", page(head)) if one.url != "https://correo.example/"] == []


def test_a_sites_own_search_is_a_feed() -> None:
    assert search_feed("https://blog.example/a/b", "lumbre telecom") == Suggestion(
        "rss",
        "blog.example, lumbre telecom",
        "https://blog.example/?s=lumbre%20telecom&feed=rss2",
        why="the site's own search",
    )
