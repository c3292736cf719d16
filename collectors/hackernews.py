"""Hacker News, stories and comments, through Algolia's search: https://hn.algolia.com/api

    terms of the queries | one search each, newest first | pages | beyond 1,000 hits a narrower window of time  -> Posts

    GET {base}/search_by_date?query="acme phone"&tags=(story,comment)&numericFilters=created_at_i>1795255200
        &hitsPerPage=100&page=0&typoTolerance=false&advancedSyntax=true
    -> {"hits": [{"objectID", "created_at_i", "title"|null, "story_title"|null, "story_text"|null, "comment_text"|null,
                  "url"|null, "author", ...}], "nbHits", "page", "nbPages", "hitsPerPage"}

A visit asks each term in turn and stops after 20 requests; the next one goes on where it stopped. A term's mark moves
forward when its pages are read, or when 20 of them are, so what dies half way is read again, and a term whose requests
fail does not hold up the others. The index finds more than was asked for (prefixes), and a hit may answer several
terms: posts are matched again, and told apart by `objectID`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from collectors.base import CollectError, Page, Post, Reject, Source
from collectors.dates import read_date
from collectors.guard import check_url
from collectors.jsontext import read_json
from collectors.link import web_link
from collectors.text import AUTHOR_LIMIT, TEXT_LIMIT, body, clean, one_line, title

BASE = "https://hn.algolia.com/api/v1"
ITEM = "https://news.ycombinator.com/item?id="
TAGS = "(story,comment)"
HITS_PER_PAGE = 100
HITS_PER_SEARCH = 1_000  # Algolia shows no more, whatever the page: https://github.com/algolia/hn-search/issues/230
REQUESTS_PER_VISIT = 20
REQUESTS_PER_TERM = 20
BACKFILL_DAYS = 14
OVERLAP_S = 600  # an item can enter the index after a younger one
SEEN_LIMIT = 500
ID_LIMIT = 40
LATEST = 2**32  # Unix seconds, in 2106: beyond that it is no time
SAMPLE_LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class Walk:
    """Where the asking stands; the cursor in words. Times are Unix seconds, 0 = not known.

    `marks`: per term, the youngest hit of its last whole reading. `term`, `page` and `before` say what to ask next;
    `newest` is the youngest hit of this term's unfinished reading, `read` the number of its answers. `left` is how many
    terms this visit still has to ask, `asked` how many answers it got; both are 0 between visits. `fails` is the
    source's count of failures when this was written: a higher one means that what was to be asked next failed. `seen`
    are the last ids: windows overlap.
    """

    marks: Mapping[str, int] = field(default_factory=dict)
    term: str = ""
    page: int = 0
    before: int = 0
    newest: int = 0
    read: int = 0
    left: int = 0
    asked: int = 0
    fails: int = 0
    seen: tuple[str, ...] = ()


class HackerNews:
    """`source.url` replaces the base address. Settings: `query` (one search, instead of the brands' terms), `tags`,
    `backfill_days` (how far the first visit looks back).
    """

    kind = "hackernews"
    knows_authors = True

    def check(self, source: Source) -> None:
        if source.url:
            check_url(source.url)
        unknown = source.settings.keys() - {"query", "tags", "backfill_days"}
        if unknown:
            raise ValueError(f"hackernews has no setting {', '.join(sorted(unknown))}")
        for name in source.settings.keys() & {"query", "tags"}:
            text = source.settings[name]
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"the setting {name} must be a text")
        days = source.settings.get("backfill_days", BACKFILL_DAYS)
        if isinstance(days, bool) or not isinstance(days, int) or not 0 <= days <= 3650:
            raise ValueError("the setting backfill_days must be a whole number of days, from 0 to 3650")

    def namespace(self, source: Source) -> str:
        return self.kind

    def request(self, source: Source, now: datetime) -> httpx.Request:
        walk = position(source)
        backfill = timedelta(days=source.settings.get("backfill_days", BACKFILL_DAYS))
        mark = walk.marks.get(walk.term, 0)
        since = mark - OVERLAP_S if mark else int((now - backfill).timestamp())
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
        walk = position(source)
        answer = read_json(response.text)
        if not isinstance(answer, Mapping) or not isinstance(answer.get("hits"), list):
            raise CollectError(
                "not_hackernews", "The answer is JSON, but not that of the Hacker News search: no list of hits."
            )
        posts, rejects = _read(answer["hits"])
        new = [post for post in posts if post.id not in walk.seen]
        after, missed = advanced(walk, _Answer.of(answer, posts), terms(source))
        return Page(
            posts=tuple(new),
            cursor=asdict(replace(after, seen=_recent(posts, walk.seen), fails=source.fail_count)),
            next=after.asked > 0,
            rejects=rejects,
            title="Hacker News",
            truncated=missed,
        )


def terms(source: Source) -> list[str]:
    """What to search for, in Algolia's syntax: more than one word, or anything but letters and digits, as a phrase."""
    if query := source.settings.get("query", "").strip():
        return [query]
    words = dict.fromkeys(term.strip().lower() for query in source.queries for term in query.terms)
    return [word if word.isalnum() else '"' + word.replace('"', " ").strip() + '"' for word in words if word]


def position(source: Source) -> Walk:
    """What to ask now. One that failed since the cursor was written waits until the other terms had their turn."""
    asked = terms(source)
    if not asked:
        raise CollectError("no_terms", "No brand that this source serves has a word that could be searched for.")
    walk = _walk(source.cursor)
    failed = max(0, source.fail_count - walk.fails)
    if walk.term not in asked or failed:
        begin = asked.index(walk.term) if walk.term in asked else 0
        walk = _begun(walk, asked[(begin + failed) % len(asked)])
    marks = {term: mark for term, mark in walk.marks.items() if term in asked}
    return replace(walk, marks=marks, left=min(walk.left, len(asked)) or len(asked))


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
    def of(cls, answer: Mapping[str, Any], posts: list[Post]) -> "_Answer":
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


def advanced(walk: Walk, answer: _Answer, asked: list[str]) -> tuple[Walk, int]:
    """Where the asking stands after an answer, and how many hits of its term are given up."""
    walk = replace(walk, asked=walk.asked + 1, read=walk.read + 1, newest=max(walk.newest, answer.newest))
    further = _further(walk, answer)
    if further and walk.read < REQUESTS_PER_TERM:
        return further if walk.asked < REQUESTS_PER_VISIT else replace(further, left=0, asked=0), 0
    done = replace(
        _begun(walk, asked[(asked.index(walk.term) + 1) % len(asked)]),
        marks={**walk.marks, walk.term: walk.newest} if walk.newest else walk.marks,
        left=walk.left - 1,
    )
    if done.left <= 0 or done.asked >= REQUESTS_PER_VISIT:
        done = replace(done, left=0, asked=0)
    return done, max(0, answer.total - answer.hits) if further else 0


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


def _begun(walk: Walk, term: str) -> Walk:
    return replace(walk, term=term, page=0, before=0, newest=0, read=0)


def _walk(cursor: Mapping[str, Any]) -> Walk:
    known = {name: cursor[name] for name in Walk.__dataclass_fields__ if name in cursor}
    return Walk(**{**known, "seen": tuple(known.get("seen", ()))})


def _recent(posts: list[Post], seen: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*(post.id for post in posts), *seen]))[:SEEN_LIMIT]


def _read(hits: list[Any]) -> tuple[list[Post], tuple[Reject, ...]]:
    posts: list[Post] = []
    rejects: list[Reject] = []
    for hit in hits:
        if not isinstance(hit, Mapping):
            rejects.append(_reject("a hit that is not an object", hit))
        elif not (number := _number(hit)):
            rejects.append(_reject("a hit without a usable objectID", hit))
        else:
            try:
                posts.append(_post(hit, number))
            except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
                rejects.append(_reject("a hit that cannot be read", hit))
    return posts, tuple(rejects)


def _reject(reason: str, hit: Any) -> Reject:
    return Reject(reason, clean(json.dumps(hit, ensure_ascii=False)[:SAMPLE_LIMIT], SAMPLE_LIMIT))


def _number(hit: Mapping[str, Any]) -> str:
    """The hit's own id, or nothing where it has none that could stand in a link."""
    value = hit.get("objectID")
    number = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return number if number.isalnum() and len(number) <= ID_LIMIT else ""


def _post(hit: Mapping[str, Any], number: str) -> Post:
    """A comment shows its story's title, and is told apart by it from what its author said. A story's own link is part
    of what it says: the search finds brands by it.
    """
    comment = hit.get("comment_text") is not None
    said = _text(hit, "comment_text" if comment else "story_text")
    link = None if comment else web_link(_text(hit, "url"), ITEM)
    return Post(
        id=number,
        title=title(_text(hit, "title") or _text(hit, "story_title")),
        text="\n".join(part for part in (body(said, html=True), link or "") if part)[:TEXT_LIMIT],
        url=f"{ITEM}{number}",
        author=one_line(_text(hit, "author"), AUTHOR_LIMIT) or None,
        published_at=_time(hit),
        reply=comment,
    )


def _time(hit: Mapping[str, Any]) -> datetime | None:
    """When it was written; None where neither of its two times is one."""
    seconds = hit.get("created_at_i")
    if isinstance(seconds, int) and not isinstance(seconds, bool) and 0 < seconds < LATEST:
        return datetime.fromtimestamp(seconds, UTC)
    return read_date(_text(hit, "created_at"))


def _text(hit: Mapping[str, Any], name: str) -> str:
    value = hit.get(name)
    return value if isinstance(value, str) else ""


def _count(answer: Mapping[str, Any], name: str, otherwise: int) -> int:
    value = answer.get(name)
    return value if isinstance(value, int) and value >= 0 else otherwise
