"""Feeds: RSS 0.9x, 1.0 (RDF) and 2.0, Atom 0.3 and 1.0, JSON Feed 1 and 1.1.

    bytes | read_text | our own reader, or feedparser, or JSON -> Feed | to_page -> Page

A feed shows a window of its newest items and has no cursor: conditional requests (by `fetch`) and the same names for
the same items (`feed.Names`) keep what was seen from counting again.
"""

from datetime import datetime

import httpx

from collectors.base import CollectError, Page, Source
from collectors.document import kind_of, read_text, xml_text
from collectors.feed import Feed, to_page
from collectors.feed_json import read_json_feed
from collectors.feed_loose import read_loose
from collectors.feed_strict import Unsure, read_strict
from collectors.guard import check_url

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml, application/xml;q=0.9, "
    "text/xml;q=0.9, application/json;q=0.8, */*;q=0.1"
)


class Rss:
    """`source.url` is the feed's address. It has no settings of its own."""

    kind = "rss"
    knows_authors = False
    requests_per_day: int | None = None

    def check(self, source: Source) -> None:
        if not source.url:
            raise ValueError("a feed needs its address: url")
        check_url(source.url)
        if source.settings:
            raise ValueError(f"a feed has no setting {', '.join(sorted(source.settings))}")

    def namespace(self, source: Source) -> str:
        return f"rss:{source.slug}:{source.generation}" if source.generation else f"rss:{source.slug}"

    def request(self, source: Source, now: datetime) -> httpx.Request:
        try:
            return httpx.Request("GET", check_url(source.url or ""), headers={"Accept": ACCEPT})
        except ValueError as error:
            raise CollectError("bad_url", f"This feed cannot be asked: {error}.") from None

    def parse(self, source: Source, response: httpx.Response) -> Page:
        text = read_text(response.content, response.headers.get("content-type", ""))
        feed = read_feed(text)
        said = [(name, link["url"]) for name in ("hub", "self") if (link := response.links.get(name)) and "url" in link]
        feed.links = [*said, *feed.links]  # a Link header goes before the document (RFC 8288, and WebSub's discovery)
        return to_page(feed, str(response.url))


def read_feed(text: str) -> Feed:
    """The feed in a document's text, by the quickest reader that is sure of it. Raises `CollectError`."""
    if kind_of(text) == "json":
        return read_json_feed(text)
    text = xml_text(text)
    try:
        return read_strict(text)
    except Unsure:
        return read_loose(text)
