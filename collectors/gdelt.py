"""GDELT's index of the world's news of the last three months: https://blog.gdeltproject.org/gdelt-doc-2-0-api-debuts/

    a question a brand, one of them a visit and each once an hour | newest first, 250 of them | JSON, perhaps  -> Posts

    GET https://api.gdeltproject.org/api/v2/doc/doc?query=("lumbre telecom" OR lumbre) sourcelang:spanish
        &mode=artlist&format=json&maxrecords=250&sort=datedesc&startdatetime=20261121100000&enddatetime=20261122100000
    -> {"articles": [{"url", "title", "seendate": "20261122T091500Z", "domain", "language": "Spanish", ...}]}
    -> {} where nothing was found; a sentence of plain text, as a 200, where it did not like the question or the hour

A free service that sheds its load: first questions are refused, and insistence is answered by more refusals. So it is
asked as seldom as can be, rests for six hours after a 429, and a text that is no JSON is a refusal, never "no
mentions". There is no body and no author. Titles hold characters that JSON forbids, and a space before each mark of
punctuation.
"""

import re
from dataclasses import replace
from datetime import UTC, datetime

import httpx

from collectors import settings
from collectors.base import CollectError, Page, Post, Source
from collectors.guard import check_url
from collectors.items import Item, foreign, listed, read_items, text
from collectors.jsontext import read_json
from collectors.link import web_link
from collectors.search import Walk, quoted, span, together
from collectors.text import title

BASE = "https://api.gdeltproject.org/api/v2/doc/doc"
MOST_ARTICLES = 250
QUERY_LIMIT = 250
BACKFILL_DAYS = 1
OVERLAP_S = 3_600  # an article is listed up to an hour after it was seen
HOUR_S = 3_600
REST_S = 6 * 3600.0
_LANGUAGES = {
    "Spanish": "es",
    "English": "en",
    "Portuguese": "pt",
    "French": "fr",
    "German": "de",
    "Italian": "it",
    "Catalan": "ca",
    "Galician": "gl",
    "Basque": "eu",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NO_ESCAPE = re.compile(r"(?<!\\)\\(?![\"\\/bfnrtu])")
_SPACED = re.compile(r"\s+([,.;:!?%)»”])")


class Gdelt:
    """`source.url` replaces the address. Settings: `query` (one question, instead of one a brand), `filter` (put behind
    every question, such as `sourcelang:spanish`), `backfill_days`.
    """

    kind = "gdelt"
    knows_authors = False
    requests_per_day: int | None = None  # it says nothing; ours is one a brand and hour
    rest_s: float = HOUR_S

    def check(self, source: Source) -> None:
        if source.url:
            check_url(source.url)
        settings.only(source, "query", "filter", "backfill_days")
        settings.text(source, "query")
        settings.text(source, "filter")
        settings.whole(source, "backfill_days", BACKFILL_DAYS, 0, 90)

    def namespace(self, source: Source) -> str:
        return self.kind

    def request(self, source: Source, now: datetime) -> httpx.Request:
        walk = Walk.of(source, questions(source))
        since = walk.since(now, source.settings.get("backfill_days", BACKFILL_DAYS), OVERLAP_S)
        parameters = {
            "query": " ".join(part for part in (walk.term, str(source.settings.get("filter", ""))) if part),
            "mode": "artlist",
            "format": "json",
            "maxrecords": str(MOST_ARTICLES),
            "sort": "datedesc",
            "startdatetime": _digits(since),
            "enddatetime": _digits(walk.before or int(now.timestamp())),
        }
        return httpx.Request("GET", settings.base(source, BASE), params=parameters)

    def parse(self, source: Source, response: httpx.Response) -> Page:
        asked = questions(source)
        walk = Walk.of(source, asked)
        articles = _articles(response)
        posts, rejects = read_items(articles, _post)
        oldest, newest = span(posts)
        walk = walk.answered(newest)
        further = len(articles) >= MOST_ARTICLES and oldest > 0 and (not walk.before or oldest + 1 < walk.before)
        after, _ = walk.advanced(asked, replace(walk, before=oldest + 1) if further else None)
        return Page(
            posts=walk.unseen(posts),
            cursor=after.rested().cursor(source, posts),
            rejects=rejects,
            title="GDELT",
            wait_s=HOUR_S if further else HOUR_S // len(asked),
        )

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        if response.status_code != 429:
            return None
        return CollectError(
            "http_429", "GDELT sheds its load: it is left alone for hours. (HTTP 429)", retry_after_s=REST_S
        )


def questions(source: Source) -> tuple[str, ...]:
    """One for each brand, more where its terms do not fit into one."""
    if query := str(source.settings.get("query", "")).strip():
        return (query,)
    found: list[str] = []
    for brand in source.queries:
        asked = list(dict.fromkeys(quoted(term.strip().lower()) for term in brand.terms if term.strip()))
        for part in together(asked, " OR ", QUERY_LIMIT):
            found.append(f"({part})" if " OR " in part else part)
    return tuple(dict.fromkeys(found))


def _digits(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d%H%M%S")


def _articles(response: httpx.Response) -> list[object]:
    """Raises `CollectError`: `gdelt_refused` for a sentence instead of JSON."""
    said = response.text.strip()
    if not said.startswith("{"):
        raise CollectError(
            "gdelt_refused",
            "GDELT answered with a sentence instead of results: it is too busy, or does not take the question (words "
            "of less than three letters, or too many of them).",
            retry_after_s=HOUR_S,
        )
    answer = read_json(_NO_ESCAPE.sub("", _CONTROL.sub(" ", said)))
    if not isinstance(answer, dict) or not isinstance(answer.get("articles", []), list):
        raise foreign("GDELT", "no list of articles")
    return listed(answer, "articles")


def _post(item: Item) -> Post:
    url = web_link(text(item, "url"), "")
    if not url:
        raise ValueError("an item without a usable url")
    return Post(
        id=url,
        title=_SPACED.sub(r"\1", title(text(item, "title"))),
        text="",
        url=url,
        published_at=_seen(text(item, "seendate")),
        language=_LANGUAGES.get(text(item, "language")),
    )


def _seen(written: str) -> datetime | None:
    """When GDELT saw it, to a quarter of an hour: it does not say when it was published."""
    try:
        return datetime.strptime(written, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
