"""Discourse: what is written in one forum, through its search.

    the terms | one search each, newest first, from the day of the mark on | at most ten pages  -> Posts

    GET {forum}/search.json?q="lumbre telecom" after:2026-11-15 order:latest&page=1
    -> {"posts": [{"id", "topic_id", "post_number", "username", "created_at", "like_count", "blurb"}],
        "topics": [{"id", "title", "slug", "posts_count"}],
        "grouped_search_result": {"more_full_page_results": true | null, "error": null | text}}

https://docs.discourse.org/#tag/Search; what is not in it: app/controllers/search_controller.rb and lib/search.rb of
https://github.com/discourse/discourse. The search shows one post of each topic, the newest that fits, and of a post
some 300 characters around the words. A forum that is too busy says so in a 200. Anonymous searches are few: by default
8 a minute, so that a visit makes 4 and the next one goes on.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from urllib.parse import quote, urlsplit

import httpx

from collectors import settings
from collectors.base import CollectError, Page, Post, Source
from collectors.guard import check_url
from collectors.items import (
    Item,
    count,
    counts,
    foreign,
    identity,
    inner,
    listed,
    moment,
    read_items,
    read_object,
    text,
    whole,
)
from collectors.link import web_link
from collectors.search import Walk, phrases, span
from collectors.text import AUTHOR_LIMIT, body, one_line, title

BACKFILL_DAYS = 7
OVERLAP_S = 600  # a post enters the index a little after it was written
PAGES = 10  # the forum refuses an eleventh
REQUESTS = 4
WAIT_S = 60
ID_LIMIT = 20


class Discourse:
    """`source.url` is the forum. Settings: `query` (one search, in Discourse's own syntax, instead of the brands'
    terms), `backfill_days` (how far the first visit looks back).
    """

    kind = "discourse"
    knows_authors = True
    requests_per_day: int | None = None

    def check(self, source: Source) -> None:
        if not source.url:
            raise ValueError("discourse needs the address of a forum")
        check_url(source.url)
        settings.only(source, "query", "backfill_days")
        settings.text(source, "query")
        settings.whole(source, "backfill_days", BACKFILL_DAYS, 0, 3650)

    def namespace(self, source: Source) -> str:
        place = urlsplit(source.url or "")
        return f"{self.kind}:{place.hostname}{place.path.rstrip('/')}"

    def request(self, source: Source, now: datetime) -> httpx.Request:
        walk = Walk.of(source, phrases(source))
        since = walk.since(now, source.settings.get("backfill_days", BACKFILL_DAYS), OVERLAP_S)
        day = datetime.fromtimestamp(since, UTC).date()
        asked: dict[str, str | int] = {"q": f"{walk.term} after:{day} order:latest", "page": walk.page + 1}
        address = settings.base(source, "") + "/search.json"
        return httpx.Request("GET", address, params=asked, headers={"Accept": "application/json"})

    def parse(self, source: Source, response: httpx.Response) -> Page:
        walk = Walk.of(source, phrases(source))
        found = read_object(response, "Discourse")
        about = inner(found, "grouped_search_result")
        if not about:
            raise foreign("Discourse", "no result of a search")
        if about.get("error"):
            raise CollectError("overloaded", "The forum says that it cannot search now.")
        topics = {whole(topic, "id"): topic for topic in listed(found, "topics") if isinstance(topic, Mapping)}
        topics.pop(None, None)  # belongs to no post
        posts, rejects = read_items(listed(found, "posts"), partial(_post, settings.base(source, ""), topics))
        oldest, newest = span(posts)
        walk = walk.answered(newest)
        more = about.get("more_full_page_results") is True and oldest > walk.mark - OVERLAP_S
        further = replace(walk, page=walk.page + 1) if more and walk.page + 1 < PAGES else None
        after, _ = walk.advanced(phrases(source), further)
        if after.asked >= REQUESTS:
            after = after.rested()
        return Page(
            posts=walk.unseen(posts),
            cursor=after.cursor(source, posts),
            next=after.unfinished,
            rejects=rejects,
            title=urlsplit(source.url or "").hostname,
            truncated=int(more and not further),  # how many a search found is not told
        )

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        """Errors are {"errors": [...], "error_type", "extras": {"wait_seconds"}}; a search too many has no extras."""
        try:
            answer = read_object(response, "Discourse")
        except CollectError:
            answer = {}
        status = response.status_code
        if status == httpx.codes.TOO_MANY_REQUESTS:
            header = response.headers.get("retry-after", "")
            wait = whole(inner(answer, "extras"), "wait_seconds") or whole({"header": header}, "header") or WAIT_S
            return CollectError(
                "http_429", "The forum grants no more searches for now. (HTTP 429)", retry_after_s=max(0.0, float(wait))
            )
        match text(answer, "error_type"):
            case "not_logged_in" | "invalid_access":
                return CollectError(f"http_{status}", f"The forum shows its posts to members only. (HTTP {status})")
            case "invalid_parameters":
                return CollectError(
                    f"http_{status}",
                    f"The forum does not search for this: words of three letters at least. (HTTP {status})",
                )
        return None


def _post(forum: str, topics: Mapping[int | None, Item], post: Item) -> Post:
    """What is not a topic's first post answers it: the title is somebody else's."""
    number = identity(post, "id", ID_LIMIT)
    if not number.isalnum():
        raise ValueError("an item without a usable id")
    topic_id, nth = whole(post, "topic_id"), whole(post, "post_number")
    topic = topics.get(topic_id, {})
    first = nth == 1
    place = f"/t/{quote(text(topic, 'slug') or '-', safe='')}/{topic_id}/{nth or 1}"
    in_topic = count(topic, "posts_count") if first else None
    return Post(
        id=number,
        title=title(text(topic, "title")),
        text=body(text(post, "blurb")),
        url=web_link(forum + place, "") if topic_id is not None else None,
        author=one_line(text(post, "username"), AUTHOR_LIMIT) or None,
        published_at=moment(post, "created_at"),
        reply=not first,
        engagement=counts(
            likes=count(post, "like_count"), replies=max(0, in_topic - 1) if in_topic is not None else None
        ),
    )
