"""Stack Exchange: the questions of one of its sites, through the API's search.

    terms of the queries | one search each, newest first | pages | what was asked since the mark  -> Posts

    GET {base}/search/advanced?site=es.stackoverflow&q="lumbre telecom"&sort=creation&order=desc&fromdate=1795255200
        &page=1&pagesize=100&filter=withbody[&tagged=android;ios][&key=...]
    -> {"items": [{"question_id", "title" (escaped), "body" (HTML), "link", "tags", "owner": {"display_name" (escaped)},
                   "creation_date", "last_edit_date", "score", "view_count", "answer_count"}],
        "has_more", "quota_max", "quota_remaining", "backoff"}
    GET {base}/questions/{id;id;...}?site=...   the same, by id

https://api.stackexchange.com/docs/advanced-search, https://api.stackexchange.com/docs/throttle

An answer may hold `backoff`: so many seconds the same must not be asked again, or the address is banned; the visit ends
with it. Errors are HTTP 400 and a name. Pages beyond 25 want a login, and are never reached (`search`). The texts are
CC BY-SA: their author and link stay with them. A question is not told by its words alone: a site's tags are part of it.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

import httpx

from collectors import settings
from collectors.base import CollectError, Page, Post, Source
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
    whole,
)
from collectors.link import web_link
from collectors.search import DAY_S, Walk, phrases, span
from collectors.text import AUTHOR_LIMIT, TEXT_LIMIT, body, one_line, title

BASE = "https://api.stackexchange.com/2.3"
PER_PAGE = 100
BACKFILL_DAYS = 7
OVERLAP_S = 600  # a question can enter the index after a younger one
NEEDED = "an application's key (https://stackapps.com/apps/oauth/register)"
_SITE = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_WAIT = re.compile(r"available in (\d{1,6}) second")

_WORDS = {
    "throttle_violation": "Stack Exchange grants no more requests for now.",
    "bad_parameter": "Stack Exchange does not know something in the question: the setting site or tagged, or the key.",
    "access_denied": "Stack Exchange does not answer this key or address.",
    "internal_error": "Stack Exchange has trouble of its own.",
    "temporarily_unavailable": "Stack Exchange is not available for the moment.",
}


class StackExchange:
    """Settings: `site` (as its address begins), `tagged` (a list: only questions with one of these tags), `query` (one
    search, instead of the brands' terms), `backfill_days`, `requests_per_day`. The secret is an application's key, no
    credential: the API takes it in the address only. `source.url` replaces the base address.
    """

    kind = "stackexchange"
    knows_authors = True
    requests_per_day: int | None = 300  # an address without a key; with one 10,000
    recount_batch = PER_PAGE

    def check(self, source: Source) -> None:
        if source.url:
            check_url(source.url)
        settings.only(source, "site", "tagged", "query", "backfill_days", "requests_per_day")
        if not _SITE.fullmatch(settings.text(source, "site").lower()):
            raise ValueError('stackexchange needs the setting site, the name of one of its sites: "es.stackoverflow"')
        settings.texts(source, "tagged")
        settings.text(source, "query")
        settings.whole(source, "backfill_days", BACKFILL_DAYS, 0, 365)
        settings.quota(source, self.requests_per_day)
        if source.secret:
            settings.secret(source, NEEDED)

    def namespace(self, source: Source) -> str:
        return self.kind

    def request(self, source: Source, now: datetime) -> httpx.Request:
        walk = Walk.of(source, phrases(source))
        backfill_days = source.settings.get("backfill_days", BACKFILL_DAYS)
        parameters = {
            "q": walk.term,
            "sort": "creation",
            "order": "desc",
            "fromdate": str(walk.since(now, backfill_days, OVERLAP_S)),
            "page": str(walk.page + 1),
        }
        if tagged := source.settings.get("tagged"):
            parameters["tagged"] = ";".join(tagged)
        return _asked(source, "/search/advanced", parameters)

    def parse(self, source: Source, response: httpx.Response) -> Page:
        walk = Walk.of(source, phrases(source))
        found = _read(response)
        posts, rejects = read_items(listed(found, "items"), partial(_post, _site(source)))
        walk = walk.answered(span(posts)[1])
        more = found.get("has_more") is True and bool(found["items"])
        after, given_up = walk.advanced(phrases(source), replace(walk, page=walk.page + 1) if more else None)
        wait_s = _wait_s(found)
        if wait_s or whole(found, "quota_remaining") == 0:
            after = after.rested()
        return Page(
            posts=walk.unseen(posts),
            cursor=after.cursor(source, posts),
            next=after.unfinished,
            rejects=rejects,
            title=_site(source),
            truncated=int(given_up),  # at least: how many more there are is not told
            wait_s=wait_s,
        )

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        """https://api.stackexchange.com/docs/error-handling"""
        try:
            return _refused(read_object(response, "Stack Exchange"))
        except CollectError:
            return None

    def recount(self, source: Source, ids: tuple[str, ...], now: datetime) -> httpx.Request:
        numbers = ";".join(number for site, _, number in (one.rpartition("/") for one in ids) if site == _site(source))
        return _asked(source, f"/questions/{numbers}", {})

    def recounted(self, source: Source, ids: tuple[str, ...], response: httpx.Response) -> Page:
        """A question that is deleted is left out of the answer."""
        found, site = _read(response), _site(source)
        posts, rejects = read_items(listed(found, "items"), partial(_post, site))
        whole_answer = not rejects and found.get("has_more") is not True
        there = {post.id for post in posts}
        gone = tuple(one for one in ids if one.rpartition("/")[0] == site and one not in there) if whole_answer else ()
        return Page(posts=tuple(posts), rejects=rejects, gone=gone, wait_s=_wait_s(found))


def _site(source: Source) -> str:
    """By its one short name, however the operator wrote it: ids are made with it."""
    return str(source.settings.get("site", "")).strip().lower().removesuffix(".com").removesuffix(".stackexchange")


def _asked(source: Source, path: str, parameters: Mapping[str, str]) -> httpx.Request:
    always = {"site": _site(source), "pagesize": str(PER_PAGE), "filter": "withbody"}
    key = {"key": settings.credential(source, NEEDED)} if source.secret else {}
    base = (source.url or BASE).rstrip("/")
    headers = {"Accept": "application/json"}
    return httpx.Request("GET", base + path, params={**parameters, **always, **key}, headers=headers)


def _read(response: httpx.Response) -> Item:
    """The wrapper with its list of items. Raises `CollectError`, also for an error that came as a 200."""
    found = read_object(response, "Stack Exchange")
    if refused := _refused(found):
        raise refused
    if not isinstance(found.get("items"), list):
        raise foreign("Stack Exchange", "no list of items")
    return found


def _refused(found: Item) -> CollectError | None:
    name = text(found, "error_name")
    if name not in _WORDS:
        return None
    wait = _WAIT.search(text(found, "error_message"))
    return CollectError(name, f"{_WORDS[name]} ({name})", retry_after_s=float(wait[1]) if wait else None)


def _wait_s(found: Item) -> int | None:
    backoff = whole(found, "backoff")
    return min(backoff, DAY_S) if backoff and backoff > 0 else None


def _post(site: str, question: Item) -> Post:
    number = identity(question, "question_id", 20)
    if not number.isascii() or not number.isdigit():
        raise ValueError("an item without a usable question_id")
    said = body(text(question, "body"), html=True)
    tags = " ".join(one_line(tag, 100) for tag in listed(question, "tags") if isinstance(tag, str))
    return Post(
        id=f"{site}/{number}",
        title=title(text(question, "title")),
        text="\n".join(part for part in (said, tags) if part)[:TEXT_LIMIT],
        url=web_link(text(question, "link"), ""),
        author=one_line(title(text(inner(question, "owner"), "display_name")), AUTHOR_LIMIT) or None,
        published_at=seconds(question, "creation_date"),
        language=_language(site),
        edited_at=seconds(question, "last_edit_date"),
        engagement=counts(
            likes=whole(question, "score"),
            views=whole(question, "view_count"),
            replies=whole(question, "answer_count"),
        ),
    )


def _language(site: str) -> str | None:
    """`es.stackoverflow` is Stack Overflow in Spanish; `spanish` is about Spanish, in whatever language."""
    language, _, rest = site.partition(".")
    return language if rest == "stackoverflow" and len(language) == 2 else None
