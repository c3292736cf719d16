"""GitHub: issues and pull requests, through its search.

    terms | one search each for issues, pull requests, each repository | pages | beyond 1,000 what is older -> Posts

    GET {base}/search/issues?q="lumbre telecom" in:title,body is:issue created:>=2026-11-15T10:00:00Z
        &sort=created&order=desc&per_page=100&page=1
    -> {"total_count", "incomplete_results", "items": [{"node_id", "html_url", "title", "body" (Markdown), "comments",
        "user": {"login"}, "reactions": {"total_count", "-1", "confused"}, "created_at"}]}

https://docs.github.com/en/rest/search/search, https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api

A search wants one of `is:issue` and `is:pull-request`; several `repo:` mean any of them to one server and all of them
to another: each is a search of its own. A search that ran out of time says `incomplete_results`: what it showed is
kept and its mark stays, so that it is asked again. 10 searches a minute, 30 with a token: answers count them down, and
the visit ends with the last. `updated_at` moves with every comment and label: it is no edit. Counts are not asked for
again: by id there is only the GraphQL API, which answers nobody without a token.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import httpx

from collectors import settings
from collectors.base import CollectError, Page, Post, Source
from collectors.guard import check_url
from collectors.items import Item, counts, foreign, identity, inner, moment, read_items, read_object, text, whole
from collectors.link import web_link
from collectors.search import Walk, quoted, span, words, written
from collectors.text import AUTHOR_LIMIT, TITLE_LIMIT, body, one_line

BASE = "https://api.github.com"
VERSION = "2022-11-28"
NEEDED = "a token (https://github.com/settings/tokens)"
PER_PAGE = 100
SHOWN = 1_000  # results of one search, whatever the page
BACKFILL_DAYS = 7
OVERLAP_S = 600  # an issue can enter the index after a younger one
WINDOW_S = 60  # over which searches are counted
ID_LIMIT = 100
_ISSUES, _PULLS = "is:issue", "is:pull-request"
_KINDS = {"issues": (_ISSUES,), "pulls": (_PULLS,), "both": (_ISSUES, _PULLS)}


class GitHub:
    """Settings: `what` (issues, pulls or both), `repositories` (a list of OWNER/NAME: nowhere else), `query` (one
    search, instead of the brands' terms), `backfill_days`. The secret is a token; it needs no permission for what is
    public. `source.url` is the API of another server than github.com.
    """

    kind = "github"
    knows_authors = True
    requests_per_day: int | None = None

    def check(self, source: Source) -> None:
        if source.url:
            check_url(source.url)
        settings.only(source, "what", "repositories", "query", "backfill_days")
        if settings.text(source, "what", "issues") not in _KINDS:
            raise ValueError("the setting what must be issues, pulls or both")
        for name in settings.texts(source, "repositories"):
            if name.count("/") != 1 or " " in name or '"' in name:
                raise ValueError(f"the setting repositories holds {name!r}: a repository is written OWNER/NAME")
        settings.text(source, "query")
        settings.whole(source, "backfill_days", BACKFILL_DAYS, 0, 365)
        if source.secret:
            settings.secret(source, NEEDED)

    def namespace(self, source: Source) -> str:
        """Two servers give the same ids to different things."""
        return f"{self.kind}:{httpx.URL(source.url).host}" if source.url else self.kind

    def request(self, source: Source, now: datetime) -> httpx.Request:
        walk = Walk.of(source, terms(source))
        since = written(walk.since(now, source.settings.get("backfill_days", BACKFILL_DAYS), OVERLAP_S))
        created = f"{since}..{written(walk.before)}" if walk.before else f">={since}"
        parameters = {
            "q": f"{walk.term} created:{created}",
            "sort": "created",
            "order": "desc",
            "per_page": str(PER_PAGE),
            "page": str(walk.page + 1),
        }
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION}
        if source.secret:
            headers["Authorization"] = f"Bearer {settings.credential(source, NEEDED)}"
        return httpx.Request(
            "GET", (source.url or BASE).rstrip("/") + "/search/issues", params=parameters, headers=headers
        )

    def parse(self, source: Source, response: httpx.Response) -> Page:
        walk = Walk.of(source, terms(source))
        found = read_object(response, "GitHub")
        items = found.get("items")
        if not isinstance(items, list):
            raise foreign("GitHub", "no list of items")
        posts, rejects = read_items(items, _post)
        oldest, newest = span(posts)
        total = whole(found, "total_count") or 0
        walk = walk.answered(newest)
        further = _further(walk, oldest, total, linked="next" in response.links) if items else None
        if found.get("incomplete_results") is True:
            walk, further = replace(walk, newest=0), None
        after, given_up = walk.advanced(terms(source), further)
        spent = response.headers.get("x-ratelimit-remaining") == "0"
        if spent:
            after = after.rested()
        return Page(
            posts=walk.unseen(posts),
            cursor=after.cursor(source, posts),
            next=after.unfinished,
            rejects=rejects,
            title="GitHub",
            truncated=max(0, total - (walk.page + 1) * PER_PAGE) if given_up else 0,
            wait_s=WINDOW_S if spent else None,
        )

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        match response.status_code:
            case 401:
                return CollectError("http_401", "GitHub does not know this token, or it has expired. (HTTP 401)")
            case 403 | 429 if (wait_s := _wait_s(response, now)) is not None:
                return CollectError(
                    "rate_limited",
                    f"GitHub grants no more searches for now; more with a token. (HTTP {response.status_code})",
                    retry_after_s=wait_s,
                )
            case 422:
                return CollectError(
                    "http_422",
                    "GitHub refuses the search: a repository in the setting repositories is not there or not shown to "
                    "this token, or the words are longer than 256 characters. (HTTP 422)",
                )
        return None


def terms(source: Source) -> tuple[str, ...]:
    """What to search for, in GitHub's syntax. The setting `query` is taken as it stands. Comments are not searched:
    they are not shown, and their date is not that of their issue.
    """
    own = "query" in source.settings
    said = words(source) if own else tuple(f"{quoted(word)} in:title,body" for word in words(source))
    return tuple(f"{word} {narrowed}" for word in said for narrowed in _narrowed(source))


def _narrowed(source: Source) -> Iterator[str]:
    repositories = [f" repo:{name.strip()}" for name in source.settings.get("repositories", ())] or [""]
    for kind in _KINDS[source.settings.get("what", "issues")]:
        yield from (kind + repository for repository in repositories)


def _further(walk: Walk, oldest: int, total: int, *, linked: bool) -> Walk | None:
    """The next page of the same search, or the same search over what is older, or None at the end of it. The oldest
    second is asked for again: what else was written in it is not lost. `linked`: the answer names a next page, as it
    does also where a server shows fewer than it was asked for.
    """
    shown = (walk.page + 1) * PER_PAGE
    if shown < SHOWN and (linked or shown < total):
        return replace(walk, page=walk.page + 1)
    back = bool(oldest) and (not walk.before or oldest < walk.before)
    return replace(walk, page=0, before=oldest) if back and total > shown else None


def _wait_s(response: httpx.Response, now: datetime) -> float | None:
    """None where it was not a limit that refused. The second kind of limit often says nothing but its name."""
    headers = response.headers
    wait = headers.get("retry-after", "")
    if wait.isascii() and wait.isdigit() and len(wait) < 10:
        return float(wait)
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining") == "0" and reset.isascii() and reset.isdigit() and len(reset) < 12:
        return max(0.0, int(reset) - now.timestamp())
    return WINDOW_S if response.status_code == 429 or "rate limit" in response.text.lower() else None


def _post(issue: Item) -> Post:
    reactions = inner(issue, "reactions")
    return Post(
        id=identity(issue, "node_id" if issue.get("node_id") else "id", ID_LIMIT),
        title=one_line(text(issue, "title"), TITLE_LIMIT),
        text=body(_shown(text(issue, "body"))),
        url=web_link(text(issue, "html_url"), ""),
        author=one_line(text(inner(issue, "user"), "login"), AUTHOR_LIMIT) or None,
        published_at=moment(issue, "created_at"),
        engagement=counts(likes=_likes(reactions), replies=whole(issue, "comments")),
    )


def _shown(markdown: str) -> str:
    """Without its comments: templates put instructions into them that nobody said."""
    first, *rest = markdown.split("<!--")
    return first + "".join(part.partition("-->")[2] for part in rest)


def _likes(reactions: Item) -> int | None:
    """Reactions, without those that say no."""
    total = whole(reactions, "total_count")
    return None if total is None else total - (whole(reactions, "-1") or 0) - (whole(reactions, "confused") or 0)
