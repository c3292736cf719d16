"""Reddit, posts and comments, as an app that Reddit approved: https://www.reddit.com/dev/api

    terms of the queries | one search each, newest first | back to the mark, page after page
    the setting comments | the newest comments of the subreddits, likewise                     -> Posts

    POST https://www.reddit.com/api/v1/access_token  (Basic client_id:client_secret)  grant_type=client_credentials
    -> {"access_token", "expires_in"}                     https://github.com/reddit-archive/reddit/wiki/OAuth2
    GET {base}/search?q=lumbre&sort=new&type=link&t=week&limit=100&raw_json=1[&after=t3_1abcde]
    GET {base}/r/telefonia+redes/search?...&restrict_sr=true      GET {base}/r/telefonia+redes/comments?limit=100&...
    -> {"kind": "Listing", "data": {"after"|null, "children": [{"kind": "t3"|"t1", "data": {
        "name", "author", "created_utc", "edited" (false or seconds), "score", "permalink",
        "title", "selftext", "url", "is_self", "num_comments" | "body", "link_title"}}]}}
    GET {base}/api/info?id=t3_1abcde,t1_2fghij -> the same

A listing shows 1,000 things at most and knows no time: it is read from the newest on until what was seen before. That
needs no anchor; `before=` would, and gives an empty page once its anchor is deleted. What its author deleted, or a
moderator removed, is said to be gone.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import httpx

from collectors import settings
from collectors.base import CollectError, Page, Post, Session, Source
from collectors.guard import check_url
from collectors.items import (
    Item,
    counts,
    foreign,
    identity,
    inner,
    listed,
    read_items,
    read_object,
    seconds,
    text,
    token,
    whole,
)
from collectors.link import web_link
from collectors.search import Walk, phrases
from collectors.text import AUTHOR_LIMIT, TEXT_LIMIT, body, one_line, title

API = "Reddit"
BASE = "https://oauth.reddit.com"
TOKENS = "https://www.reddit.com"
SITE = "https://www.reddit.com"
NEEDED = (
    "client_id:client_secret of an app that Reddit approved (https://www.reddit.com/prefs/apps; ask for approval at "
    "https://support.reddithelp.com)"
)
PER_PAGE = 100
BACKFILL_DAYS = 7
OVERLAP_S = 600  # a post can enter the search after a younger one
SPANS = ((timedelta(days=1), "day"), (timedelta(days=7), "week"), (timedelta(days=30), "month"))
SUBREDDITS = 50
_SUBREDDIT = re.compile(r"[A-Za-z0-9_]{2,21}")
_NAME = re.compile(r"t[13]_[0-9a-z]{1,20}")
_TAKEN_BACK = ("[deleted]", "[removed]", "[ Removed by Reddit ]")


class Reddit:
    """`source.url` replaces both of its addresses. Settings: `query` (one search, instead of the brands' terms),
    `subreddits` (names; only these), `comments` (theirs as well), `backfill_days` (how far the first visit looks back).
    """

    kind = "reddit"
    knows_authors = True
    requests_per_day: int | None = None
    recount_batch = 100

    def check(self, source: Source) -> None:
        if source.url:
            check_url(source.url)
        settings.only(source, "query", "subreddits", "comments", "backfill_days")
        settings.text(source, "query")
        settings.whole(source, "backfill_days", BACKFILL_DAYS, 0, 365)
        names = settings.texts(source, "subreddits")
        for name in names:
            if not _SUBREDDIT.fullmatch(name):
                raise ValueError(f"the setting subreddits holds {name!r}: give the bare name, without r/")
        if len(names) > SUBREDDITS:
            raise ValueError(f"the setting subreddits holds more than {SUBREDDITS} names")
        if settings.switch(source, "comments") and not names:
            raise ValueError("the setting comments needs subreddits: Reddit has no search for comments")
        if ":" not in settings.secret(source, NEEDED).strip(":"):
            raise ValueError(f"reddit needs both parts of its secret: {NEEDED}")

    def namespace(self, source: Source) -> str:
        return self.kind

    def sign_in(self, source: Source) -> httpx.Request:
        basic = base64.b64encode(settings.credential(source, NEEDED).encode()).decode()
        return httpx.Request(
            "POST",
            f"{settings.base(source, TOKENS)}/api/v1/access_token",
            data={"grant_type": "client_credentials"},
            headers={"Accept": "application/json", "Authorization": f"Basic {basic}"},
        )

    def signed_in(self, response: httpx.Response) -> Session:
        """Reddit says of some errors that all is well: an object without a token."""
        answer = read_object(response, API)
        lasts_s = whole(answer, "expires_in") or 0
        return Session(token(answer, "access_token", API), float(min(max(lasts_s, 60), 86_400)))

    def request(self, source: Source, now: datetime) -> httpx.Request:
        walk = Walk.of(source, terms(source))
        parameters = {"limit": str(PER_PAGE), "raw_json": "1"}
        if not _is_path(walk.term):
            backfill = timedelta(days=source.settings.get("backfill_days", BACKFILL_DAYS))
            age = timedelta(seconds=now.timestamp() - walk.mark + OVERLAP_S) if walk.mark else backfill
            span = next((name for most, name in SPANS if age <= most), "year" if age.days <= 365 else "all")
            parameters |= {"q": walk.term, "sort": "new", "type": "link", "t": span}
            if _subreddits(source):
                parameters |= {"restrict_sr": "true"}
        if walk.token:
            parameters |= {"after": walk.token}
        path = walk.term if _is_path(walk.term) else f"{_subreddits(source)}/search"
        return _get(source, path, parameters)

    def parse(self, source: Source, response: httpx.Response) -> Page:
        walk = Walk.of(source, terms(source))
        if response.request.url.path.rstrip("/").endswith("/subreddits/search"):  # it leads there without an error
            raise CollectError("no_subreddit", "Reddit knows none of the subreddits in the setting subreddits.")
        things, after = _listing(response)
        posts, rejects = read_items((thing for thing in things if not _taken_back(thing)), _post)
        times = [int(at.timestamp()) for thing in things if (at := seconds(inner(thing, "data"), "created_utc"))]
        walk = walk.answered(max(times, default=0))
        known = walk.mark - OVERLAP_S  # what is older was read before
        back = bool(walk.mark) and min(times, default=0) <= known
        further = replace(walk, token=after) if after and things and not back else None
        then, given_up = walk.advanced(terms(source), further)
        return Page(
            posts=walk.unseen(
                [post for post in posts if not post.published_at or post.published_at.timestamp() > known]
            ),
            cursor=then.cursor(source, posts),
            next=then.unfinished,
            rejects=rejects,
            title=API,
            truncated=PER_PAGE if given_up else 0,
            gone=_gone(things),
            wait_s=_spent_s(response),
        )

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        match response.status_code:
            case 401 if response.request.url.path.endswith("/access_token"):
                return CollectError("bad_secret", f"Reddit does not know the secret. It needs {NEEDED}. (HTTP 401)")
            case 403:
                return CollectError(
                    "http_403",
                    "Reddit forbids it: the app is not approved, or one of the subreddits in the setting subreddits is "
                    "private or banned. (HTTP 403)",
                )
            case 429:
                return CollectError(
                    "http_429",
                    "Reddit grants this app no more requests for now. (HTTP 429)",
                    retry_after_s=_seconds(response, "x-ratelimit-reset") or _seconds(response, "retry-after"),
                )
        return None

    def recount(self, source: Source, ids: tuple[str, ...], now: datetime) -> httpx.Request:
        return _get(source, "/api/info", {"id": ",".join(ids), "raw_json": "1"})

    def recounted(self, source: Source, ids: tuple[str, ...], response: httpx.Response) -> Page:
        things, _ = _listing(response)
        posts, rejects = read_items((thing for thing in things if not _taken_back(thing)), _post)
        there = {text(inner(thing, "data"), "name") for thing in things} - {*_gone(things)}
        return Page(posts=tuple(posts), rejects=rejects, gone=tuple(name for name in ids if name not in there))


def terms(source: Source) -> tuple[str, ...]:
    """What to ask for: searches, and the path of a listing, which begins with a slash."""
    return (*phrases(source), *((f"{_subreddits(source)}/comments",) if source.settings.get("comments") else ()))


def _is_path(term: str) -> bool:
    return term.startswith("/")


def _subreddits(source: Source) -> str:
    """The path of those which are asked for; empty where it is all of them."""
    names: Sequence[str] = source.settings.get("subreddits", ())
    return f"/r/{'+'.join(names)}" if names else ""


def _get(source: Source, path: str, parameters: dict[str, str]) -> httpx.Request:
    headers = {"Accept": "application/json", "Authorization": f"Bearer {settings.session(source)}"}
    return httpx.Request("GET", settings.base(source, BASE) + path, params=parameters, headers=headers)


def _listing(response: httpx.Response) -> tuple[list[Item], str]:
    """What a listing shows, and the name after which it goes on."""
    data = inner(read_object(response, API), "data")
    if not isinstance(data.get("children"), list):
        raise foreign(API, "no listing")
    after = text(data, "after")
    return listed(data, "children"), after if _NAME.fullmatch(after) else ""


def _taken_back(thing: object) -> bool:
    data = inner(thing, "data")
    said = (text(data, "author"), text(data, "selftext"), text(data, "body"))
    return any(part in _TAKEN_BACK for part in said) or bool(text(data, "removed_by_category"))


def _gone(things: Sequence[Item]) -> tuple[str, ...]:
    names = (text(inner(thing, "data"), "name") for thing in things if _taken_back(thing))
    return tuple(name for name in names if _NAME.fullmatch(name))


def _post(thing: Item) -> Post:
    """A comment shows its post's title, and is told apart by it from what its author said. A post's own link is part of
    what it says: the search finds brands by it.
    """
    data = inner(thing, "data")
    name = identity(data, "name")
    if not _NAME.fullmatch(name):
        raise ValueError("an item that is neither a post nor a comment")
    comment = name.startswith("t1_")
    link = None if comment or data.get("is_self") is True else web_link(text(data, "url"), SITE)
    said = body(text(data, "body" if comment else "selftext"))
    permalink = text(data, "permalink").partition("?")[0]  # a search marks it as found by a search
    return Post(
        id=name,
        title=title(text(data, "link_title" if comment else "title")),
        text="\n".join(part for part in (said, link or "") if part)[:TEXT_LIMIT],
        url=web_link(permalink, SITE) if re.match(r"/(?:r|user|u)/", permalink) else None,
        author=one_line(text(data, "author"), AUTHOR_LIMIT) or None,
        published_at=seconds(data, "created_utc"),
        reply=comment,
        edited_at=seconds(data, "edited"),
        engagement=counts(
            likes=None if data.get("score_hidden") is True else whole(data, "score"),
            replies=None if comment else whole(data, "num_comments"),  # a comment's is that of its post
        ),
    )


def _spent_s(response: httpx.Response) -> int | None:
    """How long to wait where this answer took the last request that is granted."""
    left, reset_s = _seconds(response, "x-ratelimit-remaining"), _seconds(response, "x-ratelimit-reset")
    return int(reset_s) + 1 if left is not None and left < 1 and reset_s else None


def _seconds(response: httpx.Response, name: str) -> float | None:
    value = response.headers.get(name, "").strip()
    return float(value) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", value) else None
