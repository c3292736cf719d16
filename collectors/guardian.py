"""The Guardian, through its Content API: https://open-platform.theguardian.com/documentation/search

    terms, several in one search | newest first, page after page | what was published since the mark  -> Posts

    GET https://content.guardianapis.com/search?q="lumbre telecom" OR lumbre&from-date=2026-11-21&order-by=newest
        &page=1&page-size=50&show-fields=trailText,bodyText,byline&api-key=...
    -> {"response": {"status": "ok", "total", "pages", "currentPage", "results": [
           {"id": "world/2026/nov/21/...", "webTitle", "webUrl", "webPublicationDate",
            "fields": {"trailText" (HTML), "bodyText", "byline"}}]}}

`from-date` counts in days, so that the last day is read again; what was seen is left out. The API takes its key in the
address only. An article's path names it for good, and its title may change.
"""

from dataclasses import replace
from datetime import UTC, datetime

import httpx

from collectors import settings
from collectors.base import CollectError, Page, Post, Source
from collectors.guard import check_url
from collectors.items import Item, foreign, identity, inner, listed, moment, read_items, read_object, text, whole
from collectors.link import web_link
from collectors.search import Walk, questions, span
from collectors.text import AUTHOR_LIMIT, TEXT_LIMIT, body, one_line, title

BASE = "https://content.guardianapis.com"
NEEDED = "a key of its Open Platform (https://open-platform.theguardian.com/access)"
PER_PAGE = 50
QUERY_LIMIT = 500
BACKFILL_DAYS = 7
OVERLAP_S = 3_600


class Guardian:
    """`source.url` replaces the base address. Settings: `query` (one search, instead of the brands' terms), `section`,
    `backfill_days`, `requests_per_day`.
    """

    kind = "guardian"
    knows_authors = False
    requests_per_day: int | None = 500  # of a developer's key

    def check(self, source: Source) -> None:
        if source.url:
            check_url(source.url)
        settings.only(source, "query", "section", "backfill_days", "requests_per_day")
        settings.text(source, "query")
        settings.text(source, "section")
        settings.whole(source, "backfill_days", BACKFILL_DAYS, 0, 3650)
        settings.quota(source, self.requests_per_day)
        if source.secret is not None:
            settings.secret(source, NEEDED)

    def namespace(self, source: Source) -> str:
        return self.kind

    def request(self, source: Source, now: datetime) -> httpx.Request:
        walk = Walk.of(source, terms(source))
        since = walk.since(now, source.settings.get("backfill_days", BACKFILL_DAYS), OVERLAP_S)
        parameters = {
            "q": walk.term,
            "from-date": datetime.fromtimestamp(since, UTC).date().isoformat(),
            "order-by": "newest",
            "page": str(walk.page + 1),
            "page-size": str(PER_PAGE),
            "show-fields": "trailText,bodyText,byline",
        }
        if section := source.settings.get("section"):
            parameters["section"] = section
        parameters["api-key"] = settings.credential(source, NEEDED)
        address = settings.base(source, BASE) + "/search"
        return httpx.Request("GET", address, params=parameters, headers={"Accept": "application/json"})

    def parse(self, source: Source, response: httpx.Response) -> Page:
        walk = Walk.of(source, terms(source))
        answer = inner(read_object(response, "The Guardian"), "response")
        if not isinstance(answer.get("results"), list):
            raise foreign("The Guardian", "no list of results")
        posts, rejects = read_items(listed(answer, "results"), _post)
        walk = walk.answered(span(posts)[1])
        more = bool(answer["results"]) and walk.page + 1 < (whole(answer, "pages") or 0)
        after, given_up = walk.advanced(terms(source), replace(walk, page=walk.page + 1) if more else None)
        shown = (walk.page + 1) * PER_PAGE
        return Page(
            posts=walk.unseen(posts),
            cursor=after.cursor(source, posts),
            next=after.unfinished,
            rejects=rejects,
            title="The Guardian",
            truncated=max(0, (whole(answer, "total") or 0) - shown) if given_up else 0,
        )

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        if response.status_code in (401, 403):
            return CollectError(
                f"http_{response.status_code}",
                f"The Guardian does not take this key: {NEEDED} is the secret. (HTTP {response.status_code})",
            )
        return None


def terms(source: Source) -> tuple[str, ...]:
    """What to search for, several terms in one question."""
    return questions(source, " OR ", QUERY_LIMIT)


def _post(item: Item) -> Post:
    """The whole text where the key may read it, else what the front pages say of it."""
    fields = inner(item, "fields")
    said = (body(text(fields, "trailText"), html=True), body(text(fields, "bodyText")))
    return Post(
        id=identity(item, "id"),
        title=title(text(item, "webTitle")),
        text="\n".join(part for part in said if part)[:TEXT_LIMIT],
        url=web_link(text(item, "webUrl"), ""),
        author=one_line(text(fields, "byline"), AUTHOR_LIMIT) or None,
        published_at=moment(item, "webPublicationDate"),
        language="en",
    )
