"""Lemmy: posts and comments that one server knows, its own and those of the servers that it speaks with.

    first visit: which version | the terms | one search each, newest first | pages, back to the mark  -> Posts, gone

    GET {server}/api/v3/site -> {"version": "0.19.12"}; 1.0 answers it too
    GET {server}/api/v3/search?q=lumbre&type_=All&sort=New&listing_type=All&limit=50&page=1
    -> {"posts": [{"post", "counts", "creator"}], "comments": [{"comment", "post", "counts", "creator"}], ...}
    GET {server}/api/v4/search?search_term=lumbre&type_=all&sort=new&listing_type=all&limit=50&time_range_seconds=604800
        &page_cursor=P2f -> {"items": [{"type_": "post" | "comment" | "community" | ..., as above, counts in the thing
        itself}], "next_page"}; "items" was "search" and "results" before

https://github.com/LemmyNet/lemmy-js-client/tree/main/src/types (Search, PostView, CommentView); version 3 names dates
`published`, `updated`, version 4 `published_at`, `updated_at`. `ap_id` names a thing everywhere. A search is for a part
of the text (`ILIKE`), spaces meaning anything. Version 3 has no window of time: it is read until it shows what is older
than the mark. Where the version that was found keeps failing (an upgrade), the other is tried.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

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
    page_token,
    read_items,
    read_object,
    text,
)
from collectors.link import handle, web_link
from collectors.search import DAY_S, Walk, unix, words
from collectors.text import TEXT_LIMIT, body, title

PER_PAGE = 50
BACKFILL_DAYS = 7
OVERLAP_S = 1_800  # a post from elsewhere arrives after it was written
RATE_S = 600  # what a server counts searches by
ID_LIMIT = 1_000
TRY_OTHER = 4  # every fourth failure in a row may be the version's
LISTS = ("posts", "comments", "items", "search", "results")

Version = Literal["v3", "v4"]


class Lemmy:
    """`source.url` is the server. Settings: `query` (one search, instead of the brands' terms), `api` (`v3` or `v4`,
    instead of asking), `backfill_days` (how far the first visit looks back; counted from the newest that it finds).
    """

    kind = "lemmy"
    knows_authors = True
    requests_per_day: int | None = None

    def check(self, source: Source) -> None:
        if not source.url:
            raise ValueError("lemmy needs the address of a server")
        check_url(source.url)
        settings.only(source, "query", "api", "backfill_days")
        settings.text(source, "query")
        if settings.text(source, "api", "v3") not in ("v3", "v4"):
            raise ValueError("the setting api must be v3 or v4")
        settings.whole(source, "backfill_days", BACKFILL_DAYS, 0, 365)

    def namespace(self, source: Source) -> str:
        return self.kind

    def request(self, source: Source, now: datetime) -> httpx.Request:
        walk = Walk.of(source, words(source))
        asked: dict[str, str | int] = {"limit": PER_PAGE}
        match _version(source):
            case None:
                path, asked = "/api/v3/site", {}
            case "v3":
                path = "/api/v3/search"
                asked |= {"q": walk.term, "type_": "All", "sort": "New", "listing_type": "All", "page": walk.page + 1}
            case "v4":
                path = "/api/v4/search"
                since = walk.since(now, _backfill_days(source), OVERLAP_S)
                asked |= {"q": walk.term, "search_term": walk.term}  # its name changed on the way to 1.0
                asked |= {"type_": "all", "sort": "new", "listing_type": "all"}
                asked |= {"time_range_seconds": int(now.timestamp()) - since}
                asked |= {"page_cursor": walk.token} if walk.token else {}
        return httpx.Request(
            "GET", settings.base(source, "") + path, params=asked, headers={"Accept": "application/json"}
        )

    def parse(self, source: Source, response: httpx.Response) -> Page:
        found = read_object(response, "Lemmy")
        version = _version(source)
        if version is None:
            return Page((), cursor={**source.cursor, "api": _told(found)}, next=True)
        walk = Walk.of(source, words(source))
        lists = _lists(found)
        views = [view for views in lists for view in views]
        posts, rejects = read_items(views, _post)
        walk = walk.answered(max((_published(view) for view in views), default=0))
        here = min(walk.newest, unix(source.asked_at)) if source.asked_at else walk.newest
        since = walk.mark - OVERLAP_S if walk.mark else here - _backfill_days(source) * DAY_S
        token = page_token(found, "next_page", "Lemmy") if version == "v4" else ""
        after, given_up = walk.advanced(words(source), _further(walk, lists, since, token, version))
        return Page(
            posts=walk.unseen(posts),
            cursor={**after.cursor(source, posts), "api": version},
            next=after.unfinished,
            rejects=rejects,
            title=urlsplit(source.url or "").hostname,
            truncated=int(given_up),  # how many a search found is not told
            gone=_gone(views),
        )

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        """Version 3 refuses with 400 whatever the reason is: {"error": "rate_limit_error"}."""
        try:
            reason = text(read_object(response, "Lemmy"), "error")
        except CollectError:
            return None
        match reason:
            case "rate_limit_error" | "too_many_requests":
                return CollectError(
                    "rate_limit", "The server grants no more searches for now.", retry_after_s=float(RATE_S)
                )
            case "instance_is_private":
                return CollectError("private", "The server is private: it shows nothing to whoever has no account.")
        return None


def _backfill_days(source: Source) -> int:
    days: int = source.settings.get("backfill_days", BACKFILL_DAYS)
    return days


def _version(source: Source) -> Version | None:
    """Which API to ask; None: the server has not told its version yet. A request and its answer see the same source."""
    if told := source.settings.get("api"):
        return told  # type: ignore[no-any-return] # checked
    known = source.cursor.get("api")
    if known not in ("v3", "v4"):
        return None
    if source.fail_count % TRY_OTHER == TRY_OTHER - 1:
        return "v3" if known == "v4" else "v4"
    return "v3" if known == "v3" else "v4"


def _told(site: Item) -> Version:
    version = text(site, "version")
    if not version:
        raise foreign("Lemmy", "no version")
    major = version.split(".")[0]
    return "v4" if major.isdecimal() and int(major[:9]) >= 1 else "v3"


def _lists(found: Item) -> list[list[Any]]:
    """What was found, in lists that are each turned by themselves and sorted by time."""
    lists = [listed(found, name) for name in LISTS if isinstance(found.get(name), list)]
    if not lists:
        raise foreign("Lemmy", "no list of what was found")
    return lists


def _further(walk: Walk, lists: Sequence[Sequence[Any]], since: int, token: str, version: Version) -> Walk | None:
    """The next page, or None where this one was the last or showed what is older than `since`."""
    if version == "v4":
        newer = any(_all_newer(views, since) for views in lists)
        return replace(walk, token=token) if token and token != walk.token and newer else None
    full = any(len(views) >= PER_PAGE and _all_newer(views, since) for views in lists)
    return replace(walk, page=walk.page + 1) if full else None


def _all_newer(views: Sequence[Any], since: int) -> bool:
    return not any(0 < _published(view) <= since for view in views)


def _thing(view: Any) -> Item:
    """The comment or the post that a view is about, with its counts; empty where it is about neither."""
    return {**(inner(view, "comment") or inner(view, "post")), **inner(view, "counts")}


def _published(view: Any) -> int:
    """Unix seconds; 0 = not told."""
    thing = _thing(view)
    at = moment(thing, "published_at") or moment(thing, "published")
    return max(0, int(at.timestamp())) if at else 0


def _is_gone(thing: Item) -> bool:
    return thing.get("deleted") is True or thing.get("removed") is True


def _gone(views: Sequence[Any]) -> tuple[str, ...]:
    """What has no name that could be kept was never kept."""
    names = (text(thing, "ap_id").strip() for view in views if _is_gone(thing := _thing(view)))
    return tuple(dict.fromkeys(name for name in names if 0 < len(name) <= ID_LIMIT and name.isprintable()))


def _post(view: Item) -> Post | None:
    """None for communities and people, and for what is gone. A comment shows the title of its post, and is told apart
    by it from what its author said. A post's own link is part of what it says.
    """
    thing, comment, post = _thing(view), inner(view, "comment"), inner(view, "post")
    if _is_gone(thing) or not (comment or post or {"comment", "post"} & view.keys()):
        return None
    name, creator = identity(thing, "ap_id", ID_LIMIT), inner(view, "creator")
    link = "" if comment else web_link(text(post, "url"), name) or ""
    said = body(text(comment, "content") if comment else text(post, "body"))
    return Post(
        id=name,
        title=title(text(post, "name")),
        text="\n".join(part for part in (said, link) if part)[:TEXT_LIMIT],
        url=web_link(name, ""),
        author=handle(text(creator, "name"), text(creator, "ap_id") or text(creator, "actor_id")),
        published_at=moment(thing, "published_at") or moment(thing, "published"),
        reply=bool(comment),
        edited_at=moment(thing, "updated_at") or moment(thing, "updated"),
        engagement=counts(
            likes=count(thing, "upvotes"),
            replies=count(thing, "child_count" if comment else "comments"),
        ),
    )
