"""Hacker News, stories and comments, through Algolia's search: https://hn.algolia.com/api

    terms of the queries | one search each, newest first | pages | beyond 1,000 hits a narrower window of time  -> Posts

    GET {base}/search_by_date?query="acme phone"&tags=(story,comment)&numericFilters=created_at_i>1795255200
        &hitsPerPage=100&page=0&typoTolerance=false&advancedSyntax=true
    -> {"hits": [{"objectID", "created_at_i", "title"|null, "story_title"|null, "story_text"|null, "comment_text"|null,
                  "url"|null, "author", ...}], "nbHits", "page", "nbPages", "hitsPerPage"}

The terms take turns (`search.Walk`). The index finds more than was asked for (prefixes), and a hit may answer several
terms: posts are matched again, and told apart by `objectID`.
"""

from dataclasses import dataclass, replace
from datetime import datetime

import httpx

from collectors import settings
from collectors.base import CollectError, Page, Post, Source
from collectors.guard import check_url
from collectors.items import (
    Item,
    counts,
    foreign,
    identity,
    listed,
    moment,
    read_items,
    read_object,
    seconds,
    text,
    whole,
)
from collectors.link import web_link
from collectors.search import Walk, phrases
from collectors.text import AUTHOR_LIMIT, TEXT_LIMIT, body, one_line, title

BASE = "https://hn.algolia.com/api/v1"
ITEM = "https://news.ycombinator.com/item?id="
TAGS = "(story,comment)"
HITS_PER_PAGE = 100
HITS_PER_SEARCH = 1_000  # Algolia shows no more, whatever the page: https://github.com/algolia/hn-search/issues/230
BACKFILL_DAYS = 14
OVERLAP_S = 600  # an item can enter the index after a younger one
ID_LIMIT = 40


class HackerNews:
    """`source.url` replaces the base address. Settings: `query` (one search, instead of the brands' terms), `tags`,
    `backfill_days` (how far the first visit looks back).
    """

    kind = "hackernews"
    knows_authors = True
    requests_per_day: int | None = None

    def check(self, source: Source) -> None:
        if source.url:
            check_url(source.url)
        settings.only(source, "query", "tags", "backfill_days")
        settings.text(source, "query")
        settings.text(source, "tags")
        settings.whole(source, "backfill_days", BACKFILL_DAYS, 0, 3650)

    def namespace(self, source: Source) -> str:
        return self.kind

    def request(self, source: Source, now: datetime) -> httpx.Request:
        walk = Walk.of(source, phrases(source))
        since = walk.since(now, source.settings.get("backfill_days", BACKFILL_DAYS), OVERLAP_S)
        window = [f"created_at_i>{since}"] + ([f"created_at_i<{walk.before}"] if walk.before else [])
        parameters = {
            "query": walk.term,
            "tags": source.settings.get("tags", TAGS),
            "numericFilters": ",".join(window),
            "hitsPerPage": str(HITS_PER_PAGE),
            "page": str(walk.page),
            "typoTolerance": "false",
            "advancedSyntax": "true",
        }
        try:
            base = check_url((source.url or BASE).rstrip("/"))
        except ValueError as error:
            raise CollectError("bad_url", f"Hacker News cannot be asked: {error}.") from None
        return httpx.Request("GET", f"{base}/search_by_date", params=parameters, headers={"Accept": "application/json"})

    def parse(self, source: Source, response: httpx.Response) -> Page:
        walk = Walk.of(source, phrases(source))
        found = read_object(response, "Hacker News")
        if not isinstance(found.get("hits"), list):
            raise foreign("Hacker News", "no list of hits")
        posts, rejects = read_items(listed(found, "hits"), _post)
        answer = _Answer.of(found, posts)
        walk = walk.answered(answer.newest)
        after, given_up = walk.advanced(phrases(source), _further(walk, answer))
        return Page(
            posts=walk.unseen(posts),
            cursor=after.cursor(source, posts),
            next=after.unfinished,
            rejects=rejects,
            title="Hacker News",
            truncated=max(0, answer.total - answer.hits) if given_up else 0,
        )


@dataclass(frozen=True, slots=True)
class _Answer:
    """What an answer says about itself."""

    hits: int
    total: int
    page: int
    pages: int
    per_page: int
    newest: int
    oldest: int

    @classmethod
    def of(cls, answer: Item, posts: list[Post]) -> "_Answer":
        times = [int(post.published_at.timestamp()) for post in posts if post.published_at]
        hits = len(answer["hits"])
        return cls(
            hits=hits,
            total=_count(answer, "nbHits", hits),
            page=_count(answer, "page", 0),
            pages=_count(answer, "nbPages", 1),
            per_page=_count(answer, "hitsPerPage", HITS_PER_PAGE) or HITS_PER_PAGE,
            newest=max(times, default=0),
            oldest=min(times, default=0),
        )


def _further(walk: Walk, answer: _Answer) -> Walk | None:
    """The next page of the same search, or the same search over what is older, or None at the end of it.

    Older: where the search shows no more pages of what it found, and where a server does not turn pages at all.
    """
    if not answer.hits:
        return None
    shown = (walk.page + 1) * answer.per_page
    turned = answer.page == walk.page
    if turned and walk.page + 1 < answer.pages and shown < HITS_PER_SEARCH:
        return replace(walk, page=walk.page + 1)
    before = answer.oldest + 1  # what else was written in that second is not lost
    back = bool(answer.oldest) and (not walk.before or before < walk.before)
    return replace(walk, page=0, before=before) if back and answer.total > (shown if turned else answer.hits) else None


def _post(hit: Item) -> Post:
    """A comment shows its story's title, and is told apart by it from what its author said. A story's own link is part
    of what it says: the search finds brands by it.
    """
    number = _number(hit)
    comment = hit.get("comment_text") is not None
    said = text(hit, "comment_text" if comment else "story_text")
    link = None if comment else web_link(text(hit, "url"), ITEM)
    return Post(
        id=number,
        title=title(text(hit, "title") or text(hit, "story_title")),
        text="\n".join(part for part in (body(said, html=True), link or "") if part)[:TEXT_LIMIT],
        url=f"{ITEM}{number}",
        author=one_line(text(hit, "author"), AUTHOR_LIMIT) or None,
        published_at=seconds(hit, "created_at_i") or moment(hit, "created_at"),
        reply=comment,
        engagement=counts(likes=whole(hit, "points"), replies=whole(hit, "num_comments")),
    )


def _number(hit: Item) -> str:
    """The hit's own id. Raises `ValueError` where it has none that could stand in a link."""
    number = identity(hit, "objectID", ID_LIMIT)
    if not number.isalnum():
        raise ValueError("an item without a usable objectID")
    return number


def _count(answer: Item, name: str, otherwise: int) -> int:
    value = whole(answer, name)
    return value if value is not None and value >= 0 else otherwise
