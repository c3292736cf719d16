"""WordPress: what one site publishes, and the comments under it, through its REST API.

    first visit: are there comments | the terms | posts, then comments: one search each, newest first | pages  -> Posts

    GET {site}/wp-json/wp/v2 -> {"namespace": "wp/v2", "routes": {"/wp/v2/posts", "/wp/v2/comments", ...}}
    GET {site}/wp-json/wp/v2/posts?search="lumbre telecom"&after=2026-11-15T10:00:00Z&orderby=date&order=desc
        &per_page=50&page=1&_fields=id,date_gmt,modified_gmt,link,title,content,excerpt
    -> [{"id", "date_gmt", "modified_gmt", "link", "title": {"rendered"}, "content": {"rendered", "protected"},
         "excerpt": {"rendered"}}] and X-WP-TotalPages; a page beyond the last is refused
    GET {site}/wp-json/wp/v2/comments?search=lumbre telecom&... -> [{"id", "post", "author_name", "date_gmt", "link",
         "content": {"rendered"}}]

https://developer.wordpress.org/rest-api/reference/posts/#list-posts, .../comments/. Posts are searched for words, or a
phrase in quotation marks; comments for the text as it stands. Titles carry markup and entities. `date_gmt` has no zone.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import httpx

from collectors import settings
from collectors.base import CollectError, Page, Post, Source
from collectors.guard import check_url
from collectors.items import Item, foreign, identity, inner, moment, read_items, read_object, text, whole
from collectors.jsontext import read_json
from collectors.link import web_link
from collectors.search import Walk, quoted, span, words, written
from collectors.text import AUTHOR_LIMIT, body, one_line, plain, title

PER_PAGE = 50
BACKFILL_DAYS = 7
OVERLAP_S = 3_600  # a post may be published with the date of its draft, a comment appears when it was approved
EDITED = timedelta(minutes=1)  # saving a post takes a moment: what changed within it is no edit
ID_LIMIT = 20
FIELDS = {
    "posts": "id,date_gmt,modified_gmt,link,title,content,excerpt",
    "comments": "id,date_gmt,link,author_name,content",
}


class WordPress:
    """`source.url` is the site. Settings: `query` (one search, instead of the brands' terms), `comments` (without it
    the site is asked whether it shows them), `backfill_days` (how far the first visit looks back).
    """

    kind = "wordpress"
    knows_authors = False
    requests_per_day: int | None = None

    def check(self, source: Source) -> None:
        if not source.url:
            raise ValueError("wordpress needs the address of a site")
        check_url(source.url)
        settings.only(source, "query", "comments", "backfill_days")
        settings.text(source, "query")
        settings.switch(source, "comments")
        settings.whole(source, "backfill_days", BACKFILL_DAYS, 0, 3650)

    def namespace(self, source: Source) -> str:
        place = urlsplit(source.url or "")
        return f"{self.kind}:{place.hostname}{place.path.rstrip('/')}"

    def request(self, source: Source, now: datetime) -> httpx.Request:
        walk = Walk.of(source, terms(source))
        address = settings.base(source, "") + "/wp-json/wp/v2"
        asked: dict[str, str | int] = {}
        if _comments(source) is not None:
            place, word = walk.term.split(" ", 1)
            since = walk.since(now, source.settings.get("backfill_days", BACKFILL_DAYS), OVERLAP_S)
            address += f"/{place}"
            asked |= {"search": quoted(word) if place == "posts" else word, "after": written(since)}
            asked |= {"orderby": "date" if place == "posts" else "date_gmt", "order": "desc"}
            asked |= {"per_page": PER_PAGE, "page": walk.page + 1, "_fields": FIELDS[place]}
        return httpx.Request("GET", address, params=asked, headers={"Accept": "application/json"})

    def parse(self, source: Source, response: httpx.Response) -> Page:
        if _comments(source) is None:
            routes = inner(read_object(response, "WordPress"), "routes")
            if "/wp/v2/posts" not in routes:
                raise foreign("WordPress", "it lists no posts")
            return Page((), cursor={**source.cursor, "comments": "/wp/v2/comments" in routes}, next=True)
        walk = Walk.of(source, terms(source))
        found = read_json(response.text)
        if not isinstance(found, list):
            raise foreign("WordPress", "no list")
        read = _comment if walk.term.startswith("comments ") else _post
        posts, rejects = read_items(found, partial(read, settings.base(source, "")))
        walk = walk.answered(span(posts)[1])
        last = whole(response.headers, "x-wp-totalpages") or 1
        further = replace(walk, page=walk.page + 1) if found and walk.page + 1 < last else None
        after, given_up = walk.advanced(terms(source), further)
        return Page(
            posts=walk.unseen(posts),
            cursor={**after.cursor(source, posts), "comments": _comments(source)},
            next=after.unfinished,
            rejects=rejects,
            title=urlsplit(source.url or "").hostname,
            truncated=(last - walk.page - 1) * PER_PAGE if given_up else 0,
        )

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        """Errors are {"code": "rest_forbidden", "message", "data"}."""
        status = response.status_code
        try:
            reason = text(read_object(response, "WordPress"), "code")
        except CollectError:
            reason = ""
        if status == httpx.codes.NOT_FOUND:
            return CollectError(
                "http_404",
                "There is no REST API of WordPress at this address: its front page is the address, and where the API "
                "is switched off the site's search feed (kind rss) may do. (HTTP 404)",
            )
        if status in (401, 403) and reason.startswith("rest_"):
            return CollectError(
                f"http_{status}",
                "The site shows this to whoever is signed in only: put comments = false where it is the comments, else "
                f"use its search feed (kind rss). (HTTP {status})",
            )
        return None


def terms(source: Source) -> tuple[str, ...]:
    """What to search for, and where: `posts lumbre`, `comments lumbre`."""
    places = ("posts", "comments") if _comments(source) else ("posts",)
    return tuple(f"{place} {word}" for word in words(source) for place in places)


def _comments(source: Source) -> bool | None:
    """Whether comments are searched; None: the site has not told yet whether it shows them."""
    wanted = source.settings.get("comments", source.cursor.get("comments"))
    return wanted if isinstance(wanted, bool) else None


def _post(site: str, item: Item) -> Post:
    at, changed = moment(item, "date_gmt"), moment(item, "modified_gmt")
    return Post(
        id=f"post-{_number(item)}",
        title=title(_rendered(item, "title"), html=True),
        text=body(_rendered(item, "content") or _rendered(item, "excerpt"), html=True),
        url=web_link(text(item, "link"), site),
        published_at=at,
        edited_at=changed if at and changed and changed - at > EDITED else None,
    )


def _comment(site: str, item: Item) -> Post:
    return Post(
        id=f"comment-{_number(item)}",
        title="",
        text=body(_rendered(item, "content"), html=True),
        url=web_link(text(item, "link"), site),
        author=one_line(plain(text(item, "author_name")), AUTHOR_LIMIT) or None,
        published_at=moment(item, "date_gmt"),
    )


def _number(item: Item) -> str:
    number = identity(item, "id", ID_LIMIT)
    if not number.isalnum():
        raise ValueError("an item without a usable id")
    return number


def _rendered(item: Item, name: str) -> str:
    return text(inner(item, name), "rendered")
