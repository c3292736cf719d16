"""Apple's App Store: the reviews of one app, country by country, from its feed.

    countries | the newest first | pages, until what was written before the mark, 10 at most  -> Posts

    GET {base}/es/rss/customerreviews/page=1/id=1234567890/sortby=mostrecent/json
    -> {"feed": {"entry": [{"id": {"label"}, "title": {"label"}, "content": {"label"}, "author": {"name": {"label"}},
                            "im:rating": {"label": "1"}, "updated": {"label": "2026-11-22T01:12:00-07:00"}}],
                 "link": [{"attributes": {"rel": "last", "href": ".../page=10/..."}}]}}

Apple documents the feed nowhere. What is known of it: every value is a text below `label`; 50 reviews a page and 10
pages a country, whatever there is; `entry` is a list, the one review there is, or missing; its first may be the app
itself (`im:name`, no rating); `updated` is when the review was written or last changed; XML comes instead of JSON at
times, and pages that should be full come empty: then the mark stays, and the country is read again. `im:voteSum` is
how many found a review helpful, or how many more did than did not: nobody knows, so it is no engagement.
"""

import re
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import httpx

from collectors import settings
from collectors.base import CollectError, Page, Post, Source
from collectors.dates import read_date
from collectors.guard import check_url
from collectors.items import Item, foreign, inner, listed, read_items, read_object, text, whole
from collectors.search import Walk, span
from collectors.text import AUTHOR_LIMIT, body, one_line, title

BASE = "https://itunes.apple.com"
STORE = "https://apps.apple.com"
COUNTRIES = ("es",)
PAGES = 10
OVERLAP_S = 3_600  # a page is put together before it is shown
_APP = re.compile(r"[0-9]{5,15}")
_COUNTRY = re.compile(r"[a-z]{2}")
_NUMBER = re.compile(r"/page=([0-9]{1,3})/")
_LANGUAGES = {
    country: language
    for language, countries in {
        "es": "ar bo cl co cr do ec es gt hn mx ni pa pe py sv uy ve",
        "en": "au gb ie nz",
        "pt": "br pt",
        "fr": "fr",
        "de": "at de",
        "it": "it",
    }.items()
    for country in countries.split()
}  # where nearly everybody writes in one language


class AppStore:
    """Settings: `app` (the number in its page's address), `countries` (a list of two-letter codes). `source.url`
    replaces the base address. What the brands' queries look for plays no part in what is asked.
    """

    kind = "appstore"
    knows_authors = True
    requests_per_day: int | None = None

    def check(self, source: Source) -> None:
        if source.url:
            check_url(source.url)
        settings.only(source, "app", "countries")
        if not _APP.fullmatch(_app(source)):
            raise ValueError("appstore needs the setting app, the number in the address of the app's page: 1234567890")
        for country in settings.texts(source, "countries"):
            if not _COUNTRY.fullmatch(country.lower()):
                raise ValueError(f"the setting countries holds {country!r}: a country is written es, mx, ar")

    def namespace(self, source: Source) -> str:
        return self.kind

    def request(self, source: Source, now: datetime) -> httpx.Request:
        walk = Walk.of(source, countries(source))
        path = f"/{walk.term}/rss/customerreviews/page={walk.page + 1}/id={_app(source)}/sortby=mostrecent/json"
        return httpx.Request("GET", (source.url or BASE).rstrip("/") + path, headers={"Accept": "application/json"})

    def parse(self, source: Source, response: httpx.Response) -> Page:
        walk = Walk.of(source, countries(source))
        feed = _feed(response)
        posts, rejects = read_items(_entries(feed), partial(_post, _app(source), walk.term))
        oldest, newest = span(posts)
        last = _last(feed)
        walk = walk.answered(newest)
        if not posts and walk.page + 1 < last:
            walk = replace(walk, newest=0)
        more = bool(posts) and walk.page + 1 < last and (not oldest or oldest >= walk.mark - OVERLAP_S)
        after, _ = walk.advanced(countries(source), replace(walk, page=walk.page + 1) if more else None)
        return Page(
            posts=walk.unseen(posts),
            cursor=after.cursor(source, posts),
            next=after.unfinished,
            rejects=rejects,
            title=f"App Store {_app(source)}",
        )


def countries(source: Source) -> tuple[str, ...]:
    """They take turns as terms do in a search."""
    return tuple(dict.fromkeys(name.strip().lower() for name in source.settings.get("countries") or COUNTRIES))


def _app(source: Source) -> str:
    return str(source.settings.get("app", "")).strip()


def _feed(response: httpx.Response) -> Item:
    if response.text.lstrip().startswith("<"):
        raise CollectError("not_appstore", "The App Store answered with XML instead of JSON, as it does at times.")
    feed = read_object(response, "App Store").get("feed")
    if not isinstance(feed, dict):
        raise foreign("App Store", "no feed")
    return feed


def _entries(feed: Item) -> list[Any]:
    """Raises `CollectError` where they are neither a list, nor one, nor none."""
    match feed.get("entry"):
        case list() as several:
            return several
        case dict() as one:
            return [one]
        case None:
            return []
    raise foreign("App Store", "its entries cannot be read")


def _last(feed: Item) -> int:
    """The number of the last page, as its links say."""
    for link in listed(feed, "link"):
        attributes = inner(link, "attributes")
        if attributes.get("rel") == "last" and (number := _NUMBER.search(text(attributes, "href"))):
            return min(int(number[1]), PAGES)
    return PAGES


def _post(app: str, country: str, entry: Item) -> Post | None:
    """None for the app itself."""
    if "im:name" in entry and "im:rating" not in entry:
        return None
    number = _label(entry, "id")
    if not number.isascii() or not number.isalnum() or len(number) > 40:
        raise ValueError("a review without a usable id")
    stars = whole(inner(entry, "im:rating"), "label")
    return Post(
        id=f"{country}:{number}",
        title=title(_label(entry, "title")),
        text=body(_label(entry, "content")),
        url=f"{STORE}/{country}/app/id{app}?see-all=reviews",
        author=one_line(_label(inner(entry, "author"), "name"), AUTHOR_LIMIT) or None,
        published_at=read_date(_label(entry, "updated")),
        language=_LANGUAGES.get(country),
        rating=stars if stars in range(1, 6) else None,
    )


def _label(item: Item, name: str) -> str:
    return text(inner(item, name), "label").strip()
