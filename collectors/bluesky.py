"""Bluesky by search, with an app password: https://docs.bsky.app/docs/api/app-bsky-feed-search-posts

    terms of the queries | one search each, latest first, since its mark | page after page -> Posts

    POST {server}/xrpc/com.atproto.server.createSession  {"identifier", "password"} -> {"accessJwt", "did", ...}
    GET {server}/xrpc/app.bsky.feed.searchPosts?q="lumbre telecom"&sort=latest&since=2026-11-15T10:00:00Z&limit=100
        [&cursor=100]
    -> {"posts": [{"uri", "author": {"did", "handle", "labels"}, "record": {...}, "indexedAt", "labels": [{"val"}],
        "likeCount", "repostCount", "replyCount", "quoteCount"}], "cursor"}
    GET {server}/xrpc/app.bsky.feed.getPosts?uris=at://did:plc:.../app.bsky.feed.post/...  (25) -> {"posts": [the same]}

`createdAt` is its author's claim, `indexedAt` the network's own time: the mark is of the latter. Some servers know no
`since`: a page of nothing but what was read before ends the reading. A session lasts as long as its token says; one
that is spent is refused with 400. Whoever asks to be hidden, or not to be shown to strangers, is not collected.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import httpx

from collectors import settings
from collectors.atproto import NAMESPACE, PROFILE, language, said
from collectors.base import CollectError, Page, Post, Session, Source
from collectors.guard import check_url
from collectors.items import (
    Item,
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
    token,
    whole,
)
from collectors.jsontext import read_json
from collectors.search import Walk, phrases, written

API = "Bluesky"
BASE = "https://bsky.social"
NEEDED = (
    "handle:app-password, as in ana.bsky.social:abcd-efgh-ijkl-mnop (Settings, Privacy and security, App passwords)"
)
PER_PAGE = 100
BACKFILL_DAYS = 7
OVERLAP_S = 3_600  # a post can be indexed long after the time that a search sorts it by
LASTS_S = 600  # a session whose token does not say

_POST = re.compile(r"at://(did:[a-z]{1,20}:[A-Za-z0-9._:%-]{1,500})/app\.bsky\.feed\.post/([A-Za-z0-9._:~-]{1,512})")
_HANDLE = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,10}")
_UNPROVEN = "handle.invalid"
_HIDDEN = frozenset(
    ("!hide", "!takedown", "!no-unauthenticated")
)  # https://docs.bsky.app/docs/advanced-guides/moderation


class Bluesky:
    """`source.url` is the server of the account. Settings: `query` (one search, instead of the brands' terms),
    `backfill_days` (how far the first visit looks back).
    """

    kind = "bluesky"
    knows_authors = True
    requests_per_day: int | None = None
    recount_batch = 25

    def check(self, source: Source) -> None:
        if source.url:
            check_url(source.url)
        settings.only(source, "query", "backfill_days")
        settings.text(source, "query")
        settings.whole(source, "backfill_days", BACKFILL_DAYS, 0, 3650)
        if ":" not in settings.secret(source, NEEDED).strip(":"):
            raise ValueError(f"bluesky needs both parts of its secret: {NEEDED}")

    def namespace(self, source: Source) -> str:
        return NAMESPACE

    def sign_in(self, source: Source) -> httpx.Request:
        handle, _, password = settings.credential(source, NEEDED).rpartition(":")  # a DID has colons, a password none
        return httpx.Request(
            "POST",
            f"{settings.base(source, BASE)}/xrpc/com.atproto.server.createSession",
            json={"identifier": handle.removeprefix("@"), "password": password},
            headers={"Accept": "application/json"},
        )

    def signed_in(self, response: httpx.Response) -> Session:
        found = token(read_object(response, API), "accessJwt", API)
        return Session(found, _lasts_s(found))

    def request(self, source: Source, now: datetime) -> httpx.Request:
        walk = Walk.of(source, phrases(source))
        since = walk.since(now, source.settings.get("backfill_days", BACKFILL_DAYS), OVERLAP_S)
        parameters = {
            "q": walk.term,
            "sort": "latest",
            "since": written(since),
            "limit": str(PER_PAGE),
        }
        return _get(source, "app.bsky.feed.searchPosts", parameters | ({"cursor": walk.token} if walk.token else {}))

    def parse(self, source: Source, response: httpx.Response) -> Page:
        walk = Walk.of(source, phrases(source))
        answer, views, gone = _views(response)
        posts, rejects = read_items(views, _post)
        times = [int(at.timestamp()) for view in views if (at := moment(inner(view), "indexedAt"))]
        newest, onward = max(times, default=0), page_token(answer, "cursor", API)
        known = walk.mark - OVERLAP_S if walk.mark else 0
        walk = walk.answered(newest)
        further = replace(walk, token=onward) if onward and views and newest > known else None
        then, given_up = walk.advanced(phrases(source), further)
        return Page(
            posts=walk.unseen(posts),
            cursor=then.cursor(source, posts),
            next=then.unfinished,
            rejects=rejects,
            title=API,
            truncated=PER_PAGE if given_up else 0,
            gone=gone,
        )

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        """https://docs.bsky.app/docs/advanced-guides/rate-limits: `ratelimit-reset` is in Unix seconds."""
        status, signing = response.status_code, response.request.url.path.endswith("createSession")
        match _error(response):
            case "ExpiredToken" | "InvalidToken" if not signing:
                return CollectError("session_spent", f"The session with Bluesky is over. (HTTP {status})")
            case "AuthFactorTokenRequired":
                return CollectError(
                    "bad_secret", f"This is the account's own password: make an app password. It needs {NEEDED}."
                )
            case "AccountTakedown" | "AccountDeactivated" | "AccountSuspended":
                return CollectError("account_closed", "Bluesky has closed or suspended the account of this source.")
            case "BadQueryString":
                return CollectError("bad_query", "Bluesky cannot read the search: look at the setting query.")
        match status:
            case 401 if signing:
                return CollectError("bad_secret", f"Bluesky does not know the secret. It needs {NEEDED}. (HTTP 401)")
            case 403:
                return CollectError(
                    "http_403",
                    "Bluesky closes its search at times to all but its own apps. Come back later, or follow the "
                    "network itself with the kind jetstream. (HTTP 403)",
                )
            case 429:
                reset = response.headers.get("ratelimit-reset", "").strip()
                wait_s = int(reset) - now.timestamp() if re.fullmatch(r"\d{1,12}", reset) else None
                return CollectError(
                    "http_429",
                    "Bluesky grants this account no more requests for now. (HTTP 429)",
                    retry_after_s=None if wait_s is None else max(0.0, wait_s),
                )
        return None

    def recount(self, source: Source, ids: tuple[str, ...], now: datetime) -> httpx.Request:
        return _get(source, "app.bsky.feed.getPosts", {"uris": list(ids)})

    def recounted(self, source: Source, ids: tuple[str, ...], response: httpx.Response) -> Page:
        _, views, hidden = _views(response)
        posts, rejects = read_items(views, _post)
        there = {text(view, "uri") for view in views if isinstance(view, Mapping)} - {*hidden}
        return Page(posts=tuple(posts), rejects=rejects, gone=tuple(name for name in ids if name not in there))


def _get(source: Source, method: str, parameters: Mapping[str, str | list[str]]) -> httpx.Request:
    headers = {"Accept": "application/json", "Authorization": f"Bearer {settings.session(source)}"}
    return httpx.Request(
        "GET", f"{settings.base(source, BASE)}/xrpc/{method}", params=dict(parameters), headers=headers
    )


def _views(response: httpx.Response) -> tuple[Item, list[Item], tuple[str, ...]]:
    """The answer, its posts, and the ids of those which are not to be shown."""
    answer = read_object(response, API)
    if not isinstance(answer.get("posts"), list):
        raise foreign(API, "no list of posts")
    views = listed(answer, "posts")
    hidden = (text(view, "uri") for view in views if _is_hidden(view))
    return answer, views, tuple(name for name in hidden if _POST.fullmatch(name))


def _is_hidden(view: object) -> bool:
    labels = [*listed(inner(view), "labels"), *listed(inner(view, "author"), "labels")]
    return any(text(inner(label), "val") in _HIDDEN and inner(label).get("neg") is not True for label in labels)


def _post(view: Item) -> Post | None:
    if _is_hidden(view):
        return None
    name = identity(view, "uri", limit=1_100)
    found = _POST.fullmatch(name)
    if not found:
        raise ValueError("an item without a usable uri")
    did, key = found.groups()
    handle, record = text(inner(view, "author"), "handle"), inner(view, "record")
    who = handle if _HANDLE.fullmatch(handle) and handle != _UNPROVEN else did
    return Post(
        id=name,
        title="",
        text=said(record),
        url=f"{PROFILE}{who}/post/{key}",
        author=who,
        published_at=moment(record, "createdAt"),
        language=language(record),
        engagement=counts(
            likes=whole(view, "likeCount"),
            shares=whole(view, "repostCount"),
            replies=whole(view, "replyCount"),
            quotes=whole(view, "quoteCount"),
        ),
    )


def _lasts_s(jwt: str) -> float:
    """How long a token is good, by its own words: between a minute and a day."""
    try:
        claims = read_json(base64.urlsafe_b64decode(jwt.split(".")[1] + "==").decode())
        lasts_s = float(claims["exp"] - claims["iat"])
    except (ValueError, LookupError, TypeError, CollectError):
        return LASTS_S
    return min(max(lasts_s, 60.0), 86_400.0)


def _error(response: httpx.Response) -> str:
    """The name of an XRPC error: https://atproto.com/specs/xrpc"""
    try:
        return text(inner(read_json(response.text)), "error")
    except CollectError:
        return ""
