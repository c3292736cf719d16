"""A wiki that runs MediaWiki (Wikipedia, and many a company's own), through its search.

    terms | one search each, last edited first | pages, until what was edited before the mark | pages' words -> Posts

    GET {wiki}/api.php?action=query&list=search&srsearch="lumbre telecom"&srwhat=text&srprop=timestamp|snippet
        &srsort=last_edit_desc&srnamespace=0|1&srlimit=50&sroffset=0&curtimestamp=1&maxlag=5&format=json&formatversion=2
    -> {"curtimestamp", "continue": {"sroffset"}, "query": {"search": [
        {"ns", "title", "pageid", "snippet" (HTML, found words in <span class="searchmatch">), "timestamp"}]}}
    -> {"error": {"code", "info", "lag"}} with HTTP 200, where it refuses

https://www.mediawiki.org/wiki/API:Search, https://www.mediawiki.org/wiki/Manual:Maxlag_parameter

Only wikis with CirrusSearch (all of Wikimedia's) can show the last edited first. Others refuse `srsort`, or warn that
they do not know it; that is kept in the cursor, and they are read to the end, 500 at a time. No search can be limited
to a time: what was edited before the mark is dropped here. "Now" is what the wiki says it is. Without `srwhat` a wiki
without CirrusSearch looks at titles only.

A search tells the page and when it was last edited, not the revision, its author or what changed. A post is therefore
what a page says around the words that were found: its id is made from the page and that text. An edit elsewhere in
the page brings nothing new; one that changes these words is a new post, dated by the edit.
"""

import hashlib
import re
from dataclasses import replace
from datetime import datetime
from functools import partial

import httpx

from collectors import settings
from collectors.base import CollectError, Page, Post, Source
from collectors.guard import check_url
from collectors.items import Item, foreign, identity, inner, moment, read_items, read_object, text, whole
from collectors.search import DAY_S, Walk, phrases, span
from collectors.text import TITLE_LIMIT, body, one_line

NAMESPACES = "0|1"  # articles and their talk pages
PER_PAGE = 50
PER_PAGE_UNSORTED = 500  # the most that a stranger is given
BACKFILL_DAYS = 7
OVERLAP_S = 3_600  # an edit enters the index late
MAXLAG_S = 5
_NAMESPACES = re.compile(r"\*|\d{1,5}(?:\|\d{1,5}){0,49}")
_CODE = re.compile(r"[a-z0-9_-]{1,60}")
_PROJECT = re.compile(r"([a-z]{2})\.(?:m\.)?wik(?:tionary|i(?:pedia|news|voyage|quote|books|source|versity))\.org")


class MediaWiki:
    """`source.url` is the wiki: its api.php, or any page of it. Settings: `namespaces` (numbers with | between them, or
    *), `query` (one search, instead of the brands' terms), `backfill_days`.
    """

    kind = "mediawiki"
    knows_authors = False
    requests_per_day: int | None = None

    def check(self, source: Source) -> None:
        if not source.url:
            raise ValueError("mediawiki needs the address of a wiki")
        check_url(source.url)
        settings.only(source, "namespaces", "query", "backfill_days")
        if not _NAMESPACES.fullmatch(settings.text(source, "namespaces", NAMESPACES)):
            raise ValueError('the setting namespaces must be numbers with | between them ("0|1"), or "*"')
        settings.text(source, "query")
        settings.whole(source, "backfill_days", BACKFILL_DAYS, 0, 365)

    def namespace(self, source: Source) -> str:
        api = _api(source)
        return f"{self.kind}:{api.host}{api.path.removesuffix('/api.php')}"

    def request(self, source: Source, now: datetime) -> httpx.Request:
        walk = Walk.of(source, phrases(source))
        unsorted = _unsorted(source)
        parameters = {
            "action": "query",
            "list": "search",
            "srsearch": walk.term,
            "srwhat": "text",
            "srprop": "timestamp|snippet",
            "srnamespace": source.settings.get("namespaces", NAMESPACES),
            "srlimit": str(PER_PAGE_UNSORTED if unsorted else PER_PAGE),
            "sroffset": str(walk.page),
            "curtimestamp": "1",
            "maxlag": str(MAXLAG_S),
            "format": "json",
            "formatversion": "2",
        }
        if not unsorted:
            parameters["srsort"] = "last_edit_desc"
        return httpx.Request("GET", _api(source), params=parameters, headers={"Accept": "application/json"})

    def parse(self, source: Source, response: httpx.Response) -> Page:
        walk = Walk.of(source, phrases(source))
        found = read_object(response, "MediaWiki")
        unsorted = _unsorted(source) or "srsort" in text(inner(found, "warnings", "main"), "warnings")
        if error := inner(found, "error"):
            if unsorted or "srsort" not in text(error, "code") + text(error, "info"):
                raise _refused(error, response)
            again = replace(walk, asked=walk.asked + 1).cursor(source, ())
            return Page((), cursor={**again, "unsorted": True}, next=True)
        hits = inner(found, "query").get("search")
        if not isinstance(hits, list):
            raise foreign("MediaWiki", "no list of search results")
        posts, rejects = read_items(hits, partial(_post, _api(source), _language(source)))
        oldest, newest = span(posts)
        since = _since(source, walk, found)
        walk = walk.answered(newest)
        offset = whole(inner(found, "continue"), "sroffset") or 0
        more = bool(hits) and offset > walk.page and (unsorted or not oldest or oldest >= since)
        after, given_up = walk.advanced(phrases(source), replace(walk, page=offset) if more else None)
        fresh = [post for post in posts if not post.published_at or post.published_at.timestamp() >= since]
        return Page(
            posts=walk.unseen(fresh),
            cursor={**after.cursor(source, fresh), "unsorted": unsorted},
            next=after.unfinished,
            rejects=rejects,
            title=_api(source).host,
            truncated=int(given_up),  # at least: how many of them are younger than the mark is not told
        )

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        """https://foundation.wikimedia.org/wiki/Policy:Wikimedia_Foundation_User-Agent_Policy"""
        if response.status_code != httpx.codes.FORBIDDEN:
            return None
        return CollectError(
            "http_403",
            "The wiki forbids access. Wikimedia's wikis refuse those who do not say who they are: set contact, an "
            "address or page where you can be reached. (HTTP 403)",
        )


def _api(source: Source) -> httpx.URL:
    """The address of api.php. A wiki's pages stand below /wiki/ and its scripts below /w/, unless its url says more."""
    url = httpx.URL(source.url or "").copy_with(query=None, fragment=None)
    path = url.path.rstrip("/").removesuffix("/index.php")
    if path.endswith("/api.php"):
        return url.copy_with(path=path)
    usual = path in ("", "/wiki") or path.startswith("/wiki/")
    return url.copy_with(path="/w/api.php" if usual else f"{path}/api.php")


def _language(source: Source) -> str | None:
    project = _PROJECT.fullmatch(_api(source).host)
    return project and project[1]


def _unsorted(source: Source) -> bool:
    return source.cursor.get("unsorted") is True


def _since(source: Source, walk: Walk, found: Item) -> int:
    """Unix seconds: what was edited before is known, or too old. 0 where the wiki does not say what time it is."""
    here = moment(found, "curtimestamp")
    at = int(here.timestamp()) if here else 0
    if walk.mark:
        return min(walk.mark, at or walk.mark) - OVERLAP_S
    return at - int(source.settings.get("backfill_days", BACKFILL_DAYS)) * DAY_S if at else 0


def _refused(error: Item, response: httpx.Response) -> CollectError:
    match text(error, "code"):
        case "maxlag":
            wait = response.headers.get("retry-after", "")
            wait_s = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else MAXLAG_S
            return CollectError("maxlag", "The wiki has too much to do and asks to come back.", retry_after_s=wait_s)
        case "ratelimited":
            return CollectError("ratelimited", "The wiki asks to be asked less often.")
        case "readapidenied":
            return CollectError("readapidenied", "The wiki is private: it shows its pages to its own users only.")
        case code if _CODE.fullmatch(code):
            return CollectError("wiki_error", f"The wiki refuses the search, with the error {code}.")
        case _:
            return CollectError("wiki_error", "The wiki refuses the search, and does not say why.")


def _post(api: httpx.URL, language: str | None, hit: Item) -> Post:
    page = identity(hit, "pageid", 20)
    if not page.isascii() or not page.isdigit():
        raise ValueError("an item without a usable pageid")
    said = body(text(hit, "snippet"), html=True)
    script = api.copy_with(path=api.path.removesuffix("api.php") + "index.php", params={"curid": page})
    return Post(
        id=f"{page}:{hashlib.blake2b(said.encode(), digest_size=8).hexdigest()}",
        title=one_line(text(hit, "title"), TITLE_LIMIT),
        text=said,
        url=str(script),
        published_at=moment(hit, "timestamp"),
        language=language,
    )
