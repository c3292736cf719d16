"""Mastodon: the tag timelines of one server and, with a user's token, its full-text search.

    tags, words | one timeline or search each | from the mark on, page after page | who may be found -> Posts

    GET {server}/api/v1/timelines/tag/lumbre?limit=40&min_id=117020593741189701
    -> [{"id", "uri", "url", "created_at", "edited_at", "content" (HTML), "spoiler_text", "language", "visibility",
         "reblog", "favourites_count", "reblogs_count", "replies_count", "quotes_count",
         "account": {"acct", "url", "followers_count", "noindex"}}]
    GET {server}/api/v2/search?q="lumbre telecom"&type=statuses&limit=40&min_id=...&offset=0 -> {"statuses": [the same]}

https://docs.joinmastodon.org/methods/timelines/#tag, https://docs.joinmastodon.org/methods/search/#v2

An `id` is the server's own; `uri` names a status everywhere. Ids hold the time (milliseconds above 16 bits), for a
status from elsewhere the time when it was written, not when it arrived: hence the overlap. A timeline is read forward
(`min_id` gives the oldest that are newer), so that a reading which stops early loses nothing; a search shows the newest
first and is read to its end. A tag that the server never saw has an empty timeline; so has one that is switched off.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from collectors import settings
from collectors.base import CollectError, Page, Post, Reject, Source
from collectors.dates import read_date
from collectors.feed import language_code
from collectors.guard import check_url
from collectors.items import count, counts, foreign, identity, inner, moment, read_items, read_object, text
from collectors.jsontext import read_json
from collectors.link import handle, web_link
from collectors.search import Walk, quoted, words
from collectors.text import TEXT_LIMIT, body, one_line

PER_PAGE = 40
BACKFILL_DAYS = 7
OVERLAP_S = 1_800
URI_LIMIT = 1_000
NEEDED = "a user's access token of that server"
_PUBLIC = ("public", "unlisted")
_TAG = re.compile(r"#*(\w*[^\W\d]\w*)")  # at least one letter: a number is no tag


class Mastodon:
    """`source.url` is the server. Settings: `tags` (instead of the brands' words), `search` (full text, too; needs a
    user's token as the secret), `backfill_days` (how far the first visit looks back).
    """

    kind = "mastodon"
    knows_authors = True
    requests_per_day: int | None = None

    def check(self, source: Source) -> None:
        if not source.url:
            raise ValueError("mastodon needs the address of a server")
        check_url(source.url)
        settings.only(source, "tags", "search", "backfill_days")
        for tag in settings.texts(source, "tags"):
            if not _TAG.fullmatch(tag):
                raise ValueError(f"the setting tags holds {tag!r}, which cannot be a tag: letters, digits and _ only")
        if settings.switch(source, "search") or source.secret:
            settings.secret(source, NEEDED)
        settings.whole(source, "backfill_days", BACKFILL_DAYS, 0, 365)

    def namespace(self, source: Source) -> str:
        return self.kind

    def request(self, source: Source, now: datetime) -> httpx.Request:
        walk = Walk.of(source, terms(source))
        backfill = timedelta(days=source.settings.get("backfill_days", BACKFILL_DAYS))
        least = min(walk.mark, _id_at(now)) - _id_of(OVERLAP_S) if walk.mark else _id_at(now - backfill)
        server = settings.base(source, "")
        parameters: dict[str, str | int] = {"limit": PER_PAGE}
        if tag := _tag(walk.term):
            path = f"/api/v1/timelines/tag/{quote(tag, safe='')}"
            parameters |= {"min_id": max(least, walk.newest)}
        else:
            path = "/api/v2/search"
            parameters |= {"q": walk.term, "type": "statuses", "min_id": least, "offset": walk.page * PER_PAGE}
        headers = {"Accept": "application/json"}
        if source.secret:
            headers["Authorization"] = f"Bearer {settings.credential(source, NEEDED)}"
        return httpx.Request("GET", server + path, params=parameters, headers=headers)

    def parse(self, source: Source, response: httpx.Response) -> Page:
        walk = Walk.of(source, terms(source))
        statuses = _statuses(response, walk.term)
        posts, rejects = read_items(statuses, _post)
        more = _more(walk, statuses)
        walk = walk.answered(_newest(statuses))
        after, given_up = walk.advanced(terms(source), replace(walk, page=walk.page + 1) if more else None)
        return Page(
            posts=walk.unseen(posts),
            cursor=after.cursor(source, posts, _latest),
            next=after.unfinished,
            rejects=(*rejects, *_unlisted(statuses)),
            title=urlsplit(source.url or "").hostname,
            truncated=int(given_up and not _tag(walk.term)),  # how many a search found is not told
        )

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        """https://docs.joinmastodon.org/api/rate-limits/: `X-RateLimit-Reset` is a moment in ISO 8601."""
        match response.status_code:
            case 401 | 422:
                return CollectError(
                    f"http_{response.status_code}",
                    "The server does not show this to strangers: it closed its timelines, or the access token is wrong "
                    f"or revoked. A user's access token of this server is the secret. (HTTP {response.status_code})",
                )
            case 403 if "json" in response.headers.get("content-type", ""):
                return CollectError(
                    "http_403",
                    "The server refuses: the access token lacks a scope (read:statuses, and read:search for the "
                    "setting search), or its user may not look. (HTTP 403)",
                )
            case 429:
                if reset := read_date(response.headers.get("x-ratelimit-reset", "")):
                    return CollectError(
                        "http_429",
                        "The server grants no more requests for now. (HTTP 429)",
                        retry_after_s=max(0.0, (reset - now).total_seconds()),
                    )
        return None


def terms(source: Source) -> tuple[str, ...]:
    """What to ask for: tags begin with #, everything else is searched for."""
    heard = words(source)
    tags = source.settings.get("tags", [word for word in heard if _TAG.fullmatch(word)])
    found = [f"#{match[1].lower()}" for tag in tags if (match := _TAG.fullmatch(tag))]
    if source.settings.get("search"):
        found += [quoted(word) for word in heard if not word.startswith("#")]
    return tuple(dict.fromkeys(found))


def _tag(term: str) -> str:
    return term[1:] if term.startswith("#") else ""


def _id_at(at: datetime) -> int:
    """The least id of a status that was written then or later: Mastodon's lib/mastodon/snowflake.rb."""
    return _id_of(at.timestamp())


def _latest(asked_at: datetime) -> int:
    """The greatest mark that a visit may leave: without the overlap it is no later than the visit."""
    return _id_at(asked_at) + _id_of(OVERLAP_S)


def _id_of(seconds: float) -> int:
    return int(seconds * 1000) << 16


def _statuses(response: httpx.Response, term: str) -> list[Any]:
    """Raises `CollectError` where the answer is something else. Other servers that speak this API have other ids, by
    which there is no reading on.
    """
    statuses = read_json(response.text) if _tag(term) else read_object(response, "Mastodon").get("statuses")
    if not isinstance(statuses, list):
        raise foreign("Mastodon", "no list of statuses")
    if statuses and not _newest(statuses):
        raise foreign("Mastodon", "its ids are not those of Mastodon")
    return statuses


def _newest(statuses: Sequence[Any]) -> int:
    return max((_number(status) for status in statuses), default=0)


def _number(status: Any) -> int:
    """The server's own id; 0 where it is none that Mastodon could have given."""
    digits = text(status, "id") if isinstance(status, Mapping) else ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else 0


def _more(walk: Walk, statuses: Sequence[Any]) -> bool:
    """Whether to read on. A timeline's page that is not half full was its last, for now. A search leaves out what its
    user may not see after it counted a page: only an empty one is its last.
    """
    if _tag(walk.term):
        return len(statuses) > PER_PAGE // 2 and _newest(statuses) > walk.newest
    return bool(statuses)


def _post(status: Mapping[str, Any]) -> Post | None:
    """None for what somebody only passed on, for what is not public, and for whoever does not want to be found."""
    account = inner(status, "account")
    if status.get("reblog") or status.get("visibility") not in _PUBLIC or _hidden(account):
        return None
    uri = identity(status, "uri", URI_LIMIT)
    parts = (one_line(text(status, "spoiler_text"), TEXT_LIMIT), body(text(status, "content"), html=True))
    return Post(
        id=uri,
        title="",
        text="\n".join(part for part in parts if part)[:TEXT_LIMIT],
        url=web_link(text(status, "url") or uri, uri),
        author=handle(text(account, "acct"), text(account, "url")),
        published_at=moment(status, "created_at"),
        language=language_code(text(status, "language")),
        edited_at=moment(status, "edited_at"),
        engagement=counts(
            likes=count(status, "favourites_count"),
            shares=count(status, "reblogs_count"),
            replies=count(status, "replies_count"),
            quotes=count(status, "quotes_count"),
        ),
        reach=count(account, "followers_count"),
    )


def _hidden(account: Mapping[str, Any]) -> bool:
    """`indexable` is about full-text search, where the server itself sees to it; a new account's is false."""
    return account.get("noindex") is True


def _unlisted(statuses: Sequence[Any]) -> tuple[Reject, ...]:
    """How many were left out for their authors' sake, and nothing of them."""
    hidden = sum(_hidden(inner(status, "account")) for status in statuses)
    return (Reject(f"statuses of authors who do not want to be found, not kept: {hidden}", ""),) if hidden else ()
