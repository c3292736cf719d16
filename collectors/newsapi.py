"""NewsAPI, articles of some 150,000 news sites: https://newsapi.org/docs/endpoints/everything

    terms, several in one search | newest first | what is older in a further question | since the mark  -> Posts

    GET https://newsapi.org/v2/everything?q="lumbre telecom" OR lumbre&from=2026-11-21T10:00:00&sortBy=publishedAt
        &pageSize=100[&to=2026-11-22T09:30:00][&language=es]          X-Api-Key: ...
    -> {"status": "ok", "totalResults", "articles": [{"source": {"id"|null, "name"}, "author"|null, "title",
        "description"|null, "url", "publishedAt", "content"|null (its first 200 characters, "... [+2317 chars]")}]}
    -> {"status": "error", "code": "rateLimited", "message"}

A free key shows what is a day old, a hundred results of a search, and is for trying out only. So pages are not turned:
what is older than the last result is asked for anew. "[Removed]" stands where a publisher took an article back.
"""

import re
from dataclasses import replace
from datetime import UTC, datetime

import httpx

from collectors import settings
from collectors.base import CollectError, Page, Post, Source
from collectors.guard import check_url
from collectors.items import Item, foreign, inner, listed, moment, read_items, read_object, text, whole
from collectors.link import web_link
from collectors.search import Walk, questions, span
from collectors.text import AUTHOR_LIMIT, TEXT_LIMIT, body, one_line, title

BASE = "https://newsapi.org/v2"
NEEDED = "a key (https://newsapi.org/register)"
PER_PAGE = 100
QUERY_LIMIT = 500
BACKFILL_DAYS = 7
OVERLAP_S = 3_600  # an article is found some time after it was published
DAY_S = 86_400
REMOVED = "[Removed]"
_LANGUAGES = ("ar", "de", "en", "es", "fr", "he", "it", "nl", "no", "pt", "ru", "sv", "zh")
_CUT = re.compile(r"\s*(?:…|\.\.\.)?\s*\[\+\d+ chars\]\s*$")

_WORDS = {
    "apiKeyDisabled": "NewsAPI has disabled this key.",
    "apiKeyExhausted": "NewsAPI grants this key no more requests for now.",
    "apiKeyInvalid": f"NewsAPI does not know this key: {NEEDED} is the secret.",
    "apiKeyMissing": f"NewsAPI wants a key: {NEEDED} is the secret.",
    "parameterInvalid": "NewsAPI does not take the question: look at the settings query and language.",
    "parametersMissing": "NewsAPI finds the question too broad: look at the setting query.",
    "maximumResultsReached": "NewsAPI shows this key no more results of this search.",
    "rateLimited": "NewsAPI grants no more requests for now.",
    "unexpectedError": "NewsAPI has trouble of its own.",
}
_SPENT = ("apiKeyExhausted", "rateLimited")
_REST_S = 6 * 3600.0  # quotas are counted over 12 and 24 hours


class NewsApi:
    """`source.url` replaces the base address. Settings: `query` (one search, instead of the brands' terms), `language`,
    `backfill_days`, `requests_per_day`.
    """

    kind = "newsapi"
    knows_authors = False
    requests_per_day: int | None = 100  # of a free key

    def check(self, source: Source) -> None:
        if source.url:
            check_url(source.url)
        settings.only(source, "query", "language", "backfill_days", "requests_per_day")
        settings.text(source, "query")
        if (language := settings.text(source, "language")) and language not in _LANGUAGES:
            raise ValueError(f"the setting language must be one of {', '.join(_LANGUAGES)}")
        settings.whole(source, "backfill_days", BACKFILL_DAYS, 0, 30)
        settings.quota(source, self.requests_per_day)
        if source.secret is not None:
            settings.secret(source, NEEDED)

    def namespace(self, source: Source) -> str:
        return self.kind

    def request(self, source: Source, now: datetime) -> httpx.Request:
        walk = Walk.of(source, terms(source))
        parameters = {
            "q": walk.term,
            "from": _iso(walk.since(now, source.settings.get("backfill_days", BACKFILL_DAYS), OVERLAP_S)),
            "sortBy": "publishedAt",
            "pageSize": str(PER_PAGE),
        }
        if walk.before:
            parameters["to"] = _iso(walk.before)
        if language := source.settings.get("language"):
            parameters["language"] = language
        headers = {"Accept": "application/json", "X-Api-Key": settings.credential(source, NEEDED)}
        return httpx.Request("GET", settings.base(source, BASE) + "/everything", params=parameters, headers=headers)

    def parse(self, source: Source, response: httpx.Response) -> Page:
        walk = Walk.of(source, terms(source))
        answer = read_object(response, "NewsAPI")
        if refused := _refused(answer):
            raise refused
        if not isinstance(answer.get("articles"), list):
            raise foreign("NewsAPI", "no list of articles")
        posts, rejects = read_items(listed(answer, "articles"), _post)
        oldest, newest = span(posts)
        walk = walk.answered(newest)
        left = (whole(answer, "totalResults") or 0) - len(answer["articles"])
        before = oldest + 1  # what else was published in that second is not lost
        more = left > 0 and oldest > 0 and (not walk.before or before < walk.before)
        after, given_up = walk.advanced(terms(source), replace(walk, before=before) if more else None)
        language = source.settings.get("language")
        return Page(
            posts=tuple(replace(post, language=language) for post in walk.unseen(posts)),
            cursor=after.cursor(source, posts),
            next=after.unfinished,
            rejects=rejects,
            title="NewsAPI",
            truncated=left if given_up else 0,
        )

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        try:
            return _refused(read_object(response, "NewsAPI"))
        except CollectError:
            return None


def terms(source: Source) -> tuple[str, ...]:
    """What to search for, several terms in one question."""
    return questions(source, " OR ", QUERY_LIMIT)


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _refused(answer: Item) -> CollectError | None:
    code = text(answer, "code")
    if answer.get("status") != "error":
        return None
    said = _WORDS.get(code, "NewsAPI gave an error that is not documented.")
    return CollectError(
        "newsapi_refused",
        f"{said} ({code})" if code in _WORDS else said,
        retry_after_s=_REST_S if code in _SPENT else None,
    )


def _post(item: Item) -> Post | None:
    """Told apart by its address: there is no other name for it."""
    if text(item, "title") == REMOVED:
        return None
    url = web_link(text(item, "url"), "")
    if not url:
        raise ValueError("an item without a usable url")
    said = (body(text(item, "description"), html=True), _CUT.sub("", body(text(item, "content"), html=True)))
    return Post(
        id=url,
        title=title(text(item, "title")),
        text="\n".join(dict.fromkeys(part for part in said if part))[:TEXT_LIMIT],
        url=url,
        author=one_line(text(item, "author") or text(inner(item, "source"), "name"), AUTHOR_LIMIT) or None,
        published_at=moment(item, "publishedAt"),
    )
