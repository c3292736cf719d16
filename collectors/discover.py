"""From the address of any page to what can be listened to there. Pure.

    address | a place that we know by its address?        -> Suggestions, the best first
    page    | the feeds that it names, the software it says it is made with -> Suggestions, the best first

Presets are suggestions, too: a site's own search as a feed (WordPress), a tag (Mastodon, Lobsters), a channel
(YouTube), a forum's latest posts (Discourse).
"""

import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from collectors.guard import check_url
from collectors.text import one_line

HEAD_LIMIT = 200_000  # characters of a page in which it must have said what it is
NAME_LIMIT = 120

_TAG = re.compile(r"<(link|meta|title)\b([^<>]{0,2000})>([^<]{0,400})", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([a-zA-Z:-]{1,40})\s*=\s*(?:"([^"]{0,1000})"|'([^']{0,1000})'|([^\s"'>]{1,1000}))""")
_FEEDS = re.compile(r"application/(?:rss\+xml|atom\+xml|feed\+json)", re.IGNORECASE)
_COUNTRY, _CHANNEL = re.compile(r"[a-z]{2}"), re.compile(r"UC[\w-]{22}")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A source as it could be added. `why` is for the operator; `needs_secret`: only with a credential of their own."""

    kind: str
    name: str
    url: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    language: str | None = None
    why: str = ""
    needs_secret: bool = False


# ── by the address alone ─────────────────────────────────────────────────────


def known(address: str) -> list[Suggestion]:
    """What an address says by itself. Raises `ValueError` where it is no web address."""
    check_url(address)
    parts = urlsplit(address)
    host = (parts.hostname or "").removeprefix("www.").removeprefix("old.")
    steps = [step for step in parts.path.split("/") if step]
    return [found for look in _PLACES for found in look(host, steps)]


def _app_store(host: str, steps: list[str]) -> Iterator[Suggestion]:
    number = steps[-1].removeprefix("id") if steps else ""
    if host in ("apps.apple.com", "itunes.apple.com") and number.isdecimal():
        country = steps[0] if _COUNTRY.fullmatch(steps[0]) else "es"
        settings = {"app": int(number), "countries": [country]}
        name = f"App Store, {_title(steps[-2]) if len(steps) > 2 else number}"
        yield Suggestion("appstore", name, settings=settings, why="its reviews, with their stars")


def _youtube(host: str, steps: list[str]) -> Iterator[Suggestion]:
    if host in ("youtube.com", "m.youtube.com") and steps[:1] == ["channel"] and _CHANNEL.fullmatch(steps[-1]):
        feed = f"https://www.youtube.com/feeds/videos.xml?channel_id={steps[1]}"
        yield Suggestion("rss", f"YouTube, {steps[1]}", feed, why="the channel's newest videos, without a key")


def _lobsters(host: str, steps: list[str]) -> Iterator[Suggestion]:
    if host != "lobste.rs":
        return
    path = "/".join(quote(step) for step in steps[:2]) if steps[:1] in (["t"], ["domains"]) else "newest"
    yield Suggestion(
        "rss", f"Lobsters, {path}", f"https://lobste.rs/{path}.rss", language="en", why="its newest stories"
    )


def _stack_exchange(host: str, steps: list[str]) -> Iterator[Suggestion]:
    name = host.removesuffix(".com").removesuffix(".stackexchange")
    ours = host.endswith((".stackexchange.com", "stackoverflow.com")) or host in (
        *("serverfault.com", "superuser.com", "askubuntu.com", "mathoverflow.net"),
    )
    if ours:
        yield Suggestion("stackexchange", f"Stack Exchange, {name}", settings={"site": name}, why="its questions")


def _github(host: str, steps: list[str]) -> Iterator[Suggestion]:
    if host == "github.com" and len(steps) >= 2:
        place = f"{steps[0]}/{steps[1].removesuffix('.git')}"
        yield Suggestion("github", f"GitHub, {place}", settings={"repositories": [place]}, why="its issues and pulls")


def _wiki(host: str, steps: list[str]) -> Iterator[Suggestion]:
    language, _, site = host.partition(".")
    if site in ("wikipedia.org", "wiktionary.org", "wikinews.org") and 2 <= len(language) <= 3:
        api = f"https://{host}/w/api.php"
        yield Suggestion("mediawiki", f"{_title(site.removesuffix('.org'))}, {language}", api, why="pages that say it")


def _reddit(host: str, steps: list[str]) -> Iterator[Suggestion]:
    if host == "reddit.com" and len(steps) >= 2 and steps[0] == "r":
        settings = {"subreddits": [steps[1]]}
        yield Suggestion(
            "reddit",
            f"Reddit, r/{steps[1]}",
            settings=settings,
            needs_secret=True,
            why="wants an app that Reddit approved",
        )


def _hacker_news(host: str, steps: list[str]) -> Iterator[Suggestion]:
    if host in ("news.ycombinator.com", "hn.algolia.com"):
        yield Suggestion("hackernews", "Hacker News", why="stories and comments")


def _bluesky(host: str, steps: list[str]) -> Iterator[Suggestion]:
    if host == "bsky.app":
        yield Suggestion("jetstream", "Bluesky", why="every public post, as it is written")


_PLACES: tuple[Callable[[str, list[str]], Iterator[Suggestion]], ...] = (
    _app_store,
    _youtube,
    _lobsters,
    _stack_exchange,
    _github,
    _wiki,
    _reddit,
    _hacker_news,
    _bluesky,
)


# ── by the page ──────────────────────────────────────────────────────────────


def named(address: str, page: str) -> list[Suggestion]:
    """What a page in HTML says of itself: its feeds, and what its software offers. `address` is where it stood."""
    tags = [(kind.lower(), _attributes(inside), said) for kind, inside, said in _TAG.findall(page[:HEAD_LIMIT])]
    host = (urlsplit(address).hostname or "").removeprefix("www.")
    titles = [_title(html.unescape(said)) for kind, _, said in tags if kind == "title" and said.strip()]
    name = (titles or [host])[0]
    made_with = " ".join(
        attributes.get("content", "").lower()
        for kind, attributes, _ in tags
        if kind == "meta" and attributes.get("name", "").lower() == "generator"
    )
    feeds: dict[str | None, Suggestion] = {}
    for feed in _feeds(address, name, tags):
        feeds.setdefault(feed.url, feed)
    # What others say there is worth more than what the house itself publishes.
    return [*_offered(address, host, made_with, tags), *feeds.values()]


def _feeds(address: str, name: str, tags: list[tuple[str, dict[str, str], str]]) -> Iterator[Suggestion]:
    for kind, attributes, _ in tags:
        alternate = "alternate" in attributes.get("rel", "").lower().split()
        if kind != "link" or not alternate or not _FEEDS.match(attributes.get("type", "")):
            continue
        feed = urljoin(address, attributes.get("href") or "none:")
        try:
            check_url(feed)
        except ValueError:
            continue
        said = _title(attributes.get("title", ""))
        called = name if said.lower() in ("", "rss", "rss feed", "atom") else said
        yield Suggestion("rss", called, feed, why="a feed that the page names" + (f": {said}" if said else ""))


def _offered(
    address: str, host: str, made_with: str, tags: list[tuple[str, dict[str, str], str]]
) -> Iterator[Suggestion]:
    origin = f"{urlsplit(address).scheme}://{urlsplit(address).netloc}"
    steps = [step for step in urlsplit(address).path.split("/") if step]
    speaks_rest = any(attributes.get("rel", "") == "https://api.w.org/" for _, attributes, _ in tags)
    if "discourse" in made_with:
        yield Suggestion("discourse", host, origin, why="a forum (Discourse): its search")
        yield Suggestion(
            "rss", f"{host}, latest posts", f"{origin}/posts.rss", why="a forum (Discourse): its latest posts"
        )
    elif "mastodon" in made_with and steps[:1] == ["tags"] and len(steps) > 1:
        yield Suggestion("mastodon", f"{host}, #{steps[1]}", origin, {"tags": [steps[1]]}, why="a tag (Mastodon)")
        yield Suggestion("rss", f"{host}, #{steps[1]}", f"{origin}/tags/{steps[1]}.rss", why="the tag as a feed")
    elif "mastodon" in made_with:
        yield Suggestion("mastodon", host, origin, why="a server of Mastodon: the brands' words as tags")
    elif "mediawiki" in made_with:
        yield Suggestion("mediawiki", host, f"{origin}/w/api.php", why="a wiki (MediaWiki): its search")
    elif "wordpress" in made_with or speaks_rest:
        if speaks_rest:
            yield Suggestion("wordpress", host, origin, why="a WordPress site: its search, posts and comments")
        yield Suggestion("rss", f"{host}, comments", f"{origin}/comments/feed/", why="a WordPress site: its comments")


def search_feed(address: str, word: str) -> Suggestion:
    """A WordPress site's own search for a word, as a feed."""
    origin = f"{urlsplit(address).scheme}://{urlsplit(address).netloc}"
    host = (urlsplit(address).hostname or "").removeprefix("www.")
    return Suggestion("rss", f"{host}, {word}", f"{origin}/?s={quote(word)}&feed=rss2", why="the site's own search")


def _attributes(inside: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(inside):
        found.setdefault(name.lower(), html.unescape(double or single or bare))
    return found


def _title(text: str) -> str:
    return one_line(text.replace("-", " ") if "-" in text and " " not in text else text, NAME_LIMIT)
