"""X, the last seven days by search, within the number of reads that you allow: https://docs.x.com/x-api/posts/search

    terms, several in one search, no reposts | newer than the mark, newest first | as many as are left to read -> Posts

    GET https://api.x.com/2/tweets/search/recent?query=(lumbre OR "lumbre telecom") -is:retweet&max_results=10..100
        &since_id=1990000000000000000|start_time=2026-11-21T10:00:00Z&sort_order=recency[&next_token=b26v89c19zqg8]
        &tweet.fields=created_at,...&expansions=author_id&user.fields=username,public_metrics
    -> {"data": [{"id", "text", "note_tweet": {"text"}, "author_id", "created_at", "lang", "withheld", "entities",
                  "public_metrics": {"like_count", "retweet_count", ...}, "edit_history_tweet_ids"}],
        "includes": {"users": [{"id", "username", "public_metrics": {"followers_count"}}]}, "errors": [...],
        "meta": {"result_count", "next_token"}}

X bills what it shows: $0.005 a post and $0.010 an author (https://docs.x.com/x-api/getting-started/pricing). A read
here is $0.005, so an author counts as two. What was read is kept with its month, by X's own clock (the Date of its
answers), and a day may use no more than the month's share up to its end. When that is read, the older rest is given
up: the newest matters most. Posts are not asked for again, since that is billed again.
"""

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from collectors import settings
from collectors.base import CollectError, Page, Post, Source
from collectors.feed import language_code
from collectors.guard import check_url
from collectors.items import (
    Item,
    counts,
    foreign,
    inner,
    listed,
    moment,
    page_token,
    read_items,
    read_object,
    text,
    whole,
)
from collectors.search import Walk, phrases, together, words
from collectors.text import AUTHOR_LIMIT, TEXT_LIMIT, body, one_line

API = "X"
BASE = "https://api.x.com"
STATUS = "https://x.com/i/web/status/"
NEEDED = "the bearer token of an app with credits (https://console.x.com)"
READ_USD = 0.005
READS_A_MONTH = 2_000_000  # X grants no more: https://docs.x.com/x-api/fundamentals/post-cap
READS_AN_AUTHOR = 2
LEAST, MOST = 10, 100  # posts in one answer
QUERY_LIMIT = 512
SEARCHED = timedelta(days=7) - timedelta(minutes=1)
BACKFILL_DAYS = 1
SPARED = " -is:retweet"  # a repost is the same text, billed again; how many there are, the post says
YEARS = range(2020, 2200)  # a date of another year is none
FIELDS = "created_at,lang,public_metrics,author_id,edit_history_tweet_ids,entities,note_tweet,withheld"

_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657_000, tzinfo=UTC)  # ids are milliseconds since then, above 22 bits
_ID = re.compile(r"[1-9]\d{0,18}")
_USERNAME = re.compile(r"\w{1,15}", re.ASCII)


class X:
    """`source.url` replaces the base address. Settings: `monthly_reads` (how many reads a month may cost), `authors`
    (names and followers, too: two reads each), `query` (one search, instead of the brands' terms), `backfill_days`.
    """

    kind = "x"
    knows_authors = True
    requests_per_day: int | None = None

    def check(self, source: Source) -> None:
        if source.url:
            check_url(source.url)
        settings.only(source, "monthly_reads", "authors", "query", "backfill_days")
        if len(settings.text(source, "query")) > QUERY_LIMIT:
            raise ValueError(f"the setting query is longer than the {QUERY_LIMIT} characters that X reads")
        settings.switch(source, "authors", True)
        settings.whole(source, "backfill_days", BACKFILL_DAYS, 0, 7)
        settings.secret(source, NEEDED)
        if "monthly_reads" not in source.settings:
            raise ValueError(
                "x is billed by what is read: without a bound it would cost up to "
                f"${cost_usd(READS_A_MONTH):,.0f} a month; set monthly_reads (10,000 are ${cost_usd(10_000):,.0f})"
            )
        settings.whole(source, "monthly_reads", 0, 100, READS_A_MONTH)

    def namespace(self, source: Source) -> str:
        return self.kind

    def request(self, source: Source, now: datetime) -> httpx.Request:
        if wait_s := _wait_s(source, now):
            raise CollectError(
                "budget_spent",
                f"{_read(source, _month(now))} of {source.settings.get('monthly_reads', 0)} reads a month are used, "
                "which is their share up to now. Raise the setting monthly_reads to hear more today.",
                retry_after_s=wait_s,
            )
        walk = Walk.of(source, terms(source))
        parameters = {
            "query": walk.term,
            "max_results": str(min(_left(source, now), MOST)),
            "sort_order": "recency",
            "tweet.fields": FIELDS,
        }
        if _authors(source):
            parameters |= {"expansions": "author_id", "user.fields": "username,public_metrics"}
        backfill = timedelta(days=source.settings.get("backfill_days", BACKFILL_DAYS))
        if walk.mark and _time_of(walk.mark) > now - SEARCHED:
            parameters |= {"since_id": str(walk.mark)}
        else:
            since = now - (SEARCHED if walk.mark else min(backfill, SEARCHED))
            parameters |= {"start_time": f"{since:%Y-%m-%dT%H:%M:%SZ}"}
        if walk.token:
            parameters |= {"next_token": walk.token}
        headers = {"Accept": "application/json", "Authorization": f"Bearer {settings.credential(source, NEEDED)}"}
        return httpx.Request(
            "GET", f"{settings.base(source, BASE)}/2/tweets/search/recent", params=parameters, headers=headers
        )

    def parse(self, source: Source, response: httpx.Response) -> Page:
        walk = Walk.of(source, terms(source))
        answer = read_object(response, API)
        if not isinstance(answer.get("meta"), Mapping) or not isinstance(answer.get("data", []), list):
            raise foreign(API, "no list of posts")
        found, users = listed(answer, "data"), listed(inner(answer, "includes"), "users")
        people = {text(user, "id"): user for user in users if isinstance(user, Mapping)}
        posts, rejects = read_items(found, lambda item: _post(item, people))
        now = _date(response)
        month = _month(now) if now else ""
        read = {"month": month, "reads": _read(source, month) + len(found) + READS_AN_AUTHOR * len(users)}
        onward = page_token(inner(answer, "meta"), "next_token", API)
        walk = walk.answered(max((_number(item) for item in found), default=0))
        wait_s = _wait_s(replace(source, cursor=read), now) if now else 0
        further = replace(walk, token=onward) if onward and found and not wait_s else None
        then, given_up = walk.advanced(terms(source), further)
        if wait_s:
            then = replace(then, left=0, asked=0)
        return Page(
            posts=walk.unseen(posts),
            cursor={**then.cursor(source, posts, _latest), **read},
            next=then.unfinished,
            rejects=rejects,
            title=API,
            truncated=MOST if given_up or (wait_s and onward) else 0,
            wait_s=wait_s or None,
        )

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        """https://docs.x.com/x-api/fundamentals/rate-limits: `x-rate-limit-reset` is in Unix seconds."""
        match response.status_code:
            case 401:
                return CollectError("bad_secret", f"X does not know the secret. It needs {NEEDED}. (HTTP 401)")
            case 402:
                return CollectError("no_credits", "X wants credits: buy some in its console. (HTTP 402)")
            case 403:
                return CollectError("http_403", "X does not let this app search: look at it in its console. (HTTP 403)")
            case 429:
                reset = response.headers.get("x-rate-limit-reset", "").strip()
                wait_s = max(0.0, int(reset) - now.timestamp()) if re.fullmatch(r"\d{1,12}", reset) else None
                return CollectError(
                    "http_429", "X grants this app no more requests for now. (HTTP 429)", retry_after_s=wait_s
                )
        return None


def cost_usd(reads: int) -> float:
    """What so many reads cost, in US dollars: https://docs.x.com/x-api/getting-started/pricing"""
    return reads * READ_USD


def terms(source: Source) -> tuple[str, ...]:
    """What to search for, in X's syntax. The setting `query` is in it already."""
    if "query" in source.settings:
        return words(source)
    longest = QUERY_LIMIT - len(SPARED) - len("()")
    found = together(phrases(source), " OR ", longest)
    return tuple(f"({question}){SPARED}" for question in found)


def _authors(source: Source) -> bool:
    return bool(source.settings.get("authors", True))


def _month(now: datetime) -> str:
    return f"{now.astimezone(UTC):%Y-%m}"


def _read(source: Source, month: str) -> int:
    """What was read in this month. Where one of the months is unknown, everything counts."""
    counted: Any = source.cursor.get("reads", 0)
    return int(counted) if not month or source.cursor.get("month", "") in (month, "") else 0


def _left(source: Source, now: datetime) -> int:
    """How many posts may still be read today: the month's share up to the day's end, less what was read."""
    now = now.astimezone(UTC)
    days = monthrange(now.year, now.month)[1]
    share = int(source.settings.get("monthly_reads", 0)) * now.day // days
    return (share - _read(source, _month(now))) // (1 + READS_AN_AUTHOR if _authors(source) else 1)


def _wait_s(source: Source, now: datetime) -> int:
    """Seconds until the day whose share allows another answer, at the latest the next month's first; 0 = today."""
    day = now
    while _left(source, day) < LEAST and (day is now or day.day > 1):
        day = datetime.combine(day.astimezone(UTC).date() + timedelta(days=1), datetime.min.time(), UTC)
    return int((day - now).total_seconds()) + 1 if day is not now else 0


def _date(response: httpx.Response) -> datetime | None:
    """By X's own clock; HTTP knows one zone only."""
    try:
        at = parsedate_to_datetime(response.headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return at.replace(tzinfo=UTC) if at.year in YEARS else None


def _number(item: object) -> int:
    number = text(inner(item), "id")
    return int(number) if _ID.fullmatch(number) and int(number) < 2**63 else 0


def _time_of(number: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=number >> 22)


def _latest(asked_at: datetime) -> int:
    """The greatest mark that a visit may leave: an hour later, since clocks differ and reading again is billed."""
    return (asked_at + timedelta(hours=1) - _EPOCH) // timedelta(milliseconds=1) << 22


def _post(item: Item, people: Mapping[str, Item]) -> Post | None:
    """A changed post has a new id for each version; it is known by its first. None: withheld somewhere."""
    number = text(item, "id")
    if not _number(item):
        raise ValueError("an item without a usable id")
    if item.get("withheld"):
        return None
    versions = [one for one in listed(item, "edit_history_tweet_ids") if _number({"id": one})]
    first = str(versions[0]) if versions else number
    user, said = people.get(text(item, "author_id"), {}), text(inner(item, "note_tweet"), "text") or text(item, "text")
    name, at, metrics = text(user, "username"), moment(item, "created_at"), inner(item, "public_metrics")
    return Post(
        id=first,
        title="",
        text=body(_unwrapped(said[:TEXT_LIMIT], inner(item, "entities"))),
        url=STATUS + number,
        author=name if _USERNAME.fullmatch(name) else one_line(text(item, "author_id"), AUTHOR_LIMIT) or None,
        published_at=_time_of(int(first)) if first != number else at,
        language=language_code(text(item, "lang")),
        edited_at=at if first != number else None,
        engagement=counts(
            likes=whole(metrics, "like_count"),
            shares=whole(metrics, "retweet_count"),
            replies=whole(metrics, "reply_count"),
            quotes=whole(metrics, "quote_count"),
            views=whole(metrics, "impression_count"),
        ),
        reach=whole(inner(user, "public_metrics"), "followers_count"),
    )


def _unwrapped(said: str, entities: Item) -> str:
    """With the addresses that X's own (t.co) stand for: the search finds brands by them."""
    for link in listed(entities, "urls")[:20]:
        short, meant = text(inner(link), "url"), text(inner(link), "expanded_url")
        if short.startswith("https://t.co/") and meant.startswith(("http://", "https://")):
            said = said.replace(short, meant[:2_048])
    return said
