"""YouTube: videos by search and, where asked for, comments: https://developers.google.com/youtube/v3/docs

    terms, several in one search | newest first, page after page | videos not seen before, asked for by id
    the setting comments | the newest threads of a video or a channel                                       -> Posts

    GET {base}/search?part=snippet&type=video&order=date&q=lumbre|"lumbre telecom"&publishedAfter=2026-11-15T10:00:00Z
        &maxResults=50[&pageToken=CDIQAA]                                 X-Goog-Api-Key: the secret
    -> {"kind": "youtube#searchListResponse", "nextPageToken",
        "items": [{"id": {"videoId"}, "snippet": {"publishedAt"}}]}
    GET {base}/videos?part=snippet,statistics&id=a1B2c3D4e5F,...  (50)
    -> {"kind": "youtube#videoListResponse",
        "items": [{"id", "snippet": {"publishedAt", "title", "description", "channelTitle", "defaultLanguage"},
            "statistics": {"viewCount": "12", "likeCount", "commentCount"}}]}
    GET {base}/commentThreads?part=snippet,replies&videoId=...|allThreadsRelatedToChannelId=...&order=time
        &maxResults=100
    -> {"kind": "youtube#commentThreadListResponse",
        "items": [{"snippet": {"totalReplyCount", "topLevelComment": C}, "replies": {"comments": [C]}}]}
    C: {"id", "snippet": {"videoId", "textOriginal", "authorDisplayName", "likeCount", "publishedAt", "updatedAt"}}

A search shows the first words of a description only, and the brand may stand behind them: so what is new is asked for
by id, which costs none of the 100 searches a day, and brings the counts. Counts are texts; a hidden one is missing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from collectors import settings
from collectors.base import CollectError, Page, Post, Reject, Source
from collectors.feed import language_code
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
    whole,
)
from collectors.jsontext import read_json
from collectors.search import Walk, questions, written
from collectors.text import AUTHOR_LIMIT, body, one_line, title

API = "YouTube"
BASE = "https://www.googleapis.com/youtube/v3"
WATCH = "https://www.youtube.com/watch?v="
NEEDED = "an API key with the YouTube Data API v3 enabled (https://console.cloud.google.com/apis/credentials)"
SEARCHES_PER_DAY = 100  # https://developers.google.com/youtube/v3/determine_quota_cost
PER_SEARCH = 50
PER_THREADS = 100
QUERY_LIMIT = 400  # characters of one search; nothing says how many there may be
BACKFILL_DAYS = 7
OVERLAP_S = 6 * 3_600  # a video can enter the search hours after it was published
COMMENTS_OVERLAP_S = 600
PACIFIC = ZoneInfo("America/Los_Angeles")  # whose midnight renews the day's quota

_VIDEO = re.compile(r"[A-Za-z0-9_-]{11}")
_CHANNEL = re.compile(r"UC[A-Za-z0-9_-]{22}")
_COMMENT = re.compile(r"[A-Za-z0-9_.-]{12,200}")
_DAY_IS_SPENT = frozenset(("quotaExceeded", "dailyLimitExceeded", "dailyLimitExceededUnreg", "RESOURCE_EXHAUSTED"))
_KEY_IS_WRONG = frozenset(("keyInvalid", "keyExpired", "API_KEY_INVALID", "API_KEY_EXPIRED"))
_KEY_MAY_NOT = frozenset(
    (
        "accessNotConfigured",
        "SERVICE_DISABLED",
        "ipRefererBlocked",
        "API_KEY_SERVICE_BLOCKED",
        "API_KEY_IP_ADDRESS_BLOCKED",
    )
)


class YouTube:
    """`source.url` replaces the base address. Settings: `query` (one search, instead of the brands' terms), `comments`
    (ids of videos and channels), `backfill_days` (how far the first visit looks back), `requests_per_day`.
    """

    kind = "youtube"
    knows_authors = True
    requests_per_day: int | None = SEARCHES_PER_DAY
    recount_batch = 50

    def check(self, source: Source) -> None:
        if source.url:
            check_url(source.url)
        settings.only(source, "query", "comments", "backfill_days", "requests_per_day")
        settings.text(source, "query")
        for name in settings.texts(source, "comments"):
            if not _VIDEO.fullmatch(name) and not _CHANNEL.fullmatch(name):
                raise ValueError(
                    f"the setting comments holds {name!r}: give ids, of videos (11 characters, what follows watch?v=) "
                    "or of channels (UC and 22 more)"
                )
        settings.whole(source, "backfill_days", BACKFILL_DAYS, 0, 3650)
        settings.quota(source, self.requests_per_day)
        settings.secret(source, NEEDED)

    def namespace(self, source: Source) -> str:
        return self.kind

    def request(self, source: Source, now: datetime) -> httpx.Request:
        if found := source.cursor.get("videos"):
            return _videos(source, found)
        walk = Walk.of(source, terms(source))
        turned = {"pageToken": walk.token} if walk.token else {}
        if walk.term.startswith("/"):
            path, _, where = walk.term.partition("?")
            name, _, value = where.partition("=")
            asked = {"part": "snippet,replies", name: value, "order": "time", "maxResults": str(PER_THREADS)}
            return _get(source, path, asked | turned)
        since = walk.since(now, source.settings.get("backfill_days", BACKFILL_DAYS), OVERLAP_S)
        asked = {
            "part": "snippet",
            "type": "video",
            "order": "date",
            "q": walk.term,
            "publishedAfter": written(since),
            "maxResults": str(PER_SEARCH),
        }
        return _get(source, "/search", asked | turned)

    def parse(self, source: Source, response: httpx.Response) -> Page:
        answer = _answer(response)
        match text(answer, "kind"):
            case "youtube#searchListResponse":
                return _searched(source, answer)
            case "youtube#videoListResponse":
                return _shown(source, answer)
            case "youtube#commentThreadListResponse":
                return _commented(source, answer)
        raise foreign(API, "no list that was asked for")

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        """https://developers.google.com/youtube/v3/docs/errors, and the newer form, https://google.aip.dev/193"""
        reasons = _reasons(response)
        if response.status_code in (403, 429) and reasons & _DAY_IS_SPENT:
            midnight = datetime.combine(
                now.astimezone(PACIFIC).date() + timedelta(days=1), datetime.min.time(), PACIFIC
            )
            return CollectError(
                "quota_exceeded",
                "The day's quota of this API key is spent; it is renewed at midnight in California. Fewer words, a "
                f"longer interval, or a larger quota help. (HTTP {response.status_code})",
                retry_after_s=(midnight - now).total_seconds(),
            )
        if reasons & _KEY_IS_WRONG:
            return CollectError(
                "bad_secret", f"YouTube does not know the secret. It needs {NEEDED}. (HTTP {response.status_code})"
            )
        if reasons & _KEY_MAY_NOT:
            return CollectError(
                "not_allowed",
                "This API key may not ask YouTube from here: enable the YouTube Data API v3 for it, and look at its "
                f"restrictions. (HTTP {response.status_code})",
            )
        if "commentsDisabled" in reasons:
            return CollectError("comments_disabled", "A video of the setting comments has its comments turned off.")
        if reasons & {"videoNotFound", "channelNotFound"}:
            return CollectError("not_found", "A video or channel of the setting comments is not there (any more).")
        return None

    def recount(self, source: Source, ids: tuple[str, ...], now: datetime) -> httpx.Request:
        """Videos and comments cannot be asked for together: where there are both, it is the videos."""
        videos = [name for name in ids if _VIDEO.fullmatch(name)]
        return (
            _videos(source, videos) if videos else _get(source, "/comments", {"part": "snippet", "id": ",".join(ids)})
        )

    def recounted(self, source: Source, ids: tuple[str, ...], response: httpx.Response) -> Page:
        answer = _answer(response)
        videos = text(answer, "kind") == "youtube#videoListResponse"
        if not videos and text(answer, "kind") != "youtube#commentListResponse":
            raise foreign(API, "no list that was asked for")
        items = listed(answer, "items")
        posts, rejects = read_items(items, _video if videos else _comment)
        there = {text(item, "id") for item in items if isinstance(item, Mapping)}
        asked = [name for name in ids if bool(_VIDEO.fullmatch(name)) == videos]
        return Page(posts=tuple(posts), rejects=rejects, gone=tuple(name for name in asked if name not in there))


def terms(source: Source) -> tuple[str, ...]:
    """What to ask for: searches, and where comments stand, which begins with a slash."""
    searches = questions(source, "|", QUERY_LIMIT)
    return (*searches, *(_threads(name) for name in source.settings.get("comments", ())))


def _threads(name: str) -> str:
    return f"/commentThreads?{'videoId' if _VIDEO.fullmatch(name) else 'allThreadsRelatedToChannelId'}={name}"


def _get(source: Source, path: str, parameters: Mapping[str, str]) -> httpx.Request:
    headers = {"Accept": "application/json", "X-Goog-Api-Key": settings.credential(source, NEEDED)}
    return httpx.Request("GET", settings.base(source, BASE) + path, params=dict(parameters), headers=headers)


def _videos(source: Source, ids: Sequence[str]) -> httpx.Request:
    return _get(source, "/videos", {"part": "snippet,statistics", "id": ",".join(ids)})


def _answer(response: httpx.Response) -> Item:
    answer = read_object(response, API)
    if "items" in answer and not isinstance(answer["items"], list):
        raise foreign(API, "no list of items")
    return answer


def _searched(source: Source, answer: Item) -> Page:
    """No post yet: the cursor says which videos to ask for, and that is done next."""
    found, rejects = read_items(listed(answer, "items"), _found)
    page = _turned(source, answer, found, rejects, older=False)
    videos = [post.id for post in page.posts][:PER_SEARCH]
    if not videos:
        return replace(page, posts=())
    return replace(page, posts=(), cursor={**page.cursor, "videos": videos}, next=True)


def _shown(source: Source, answer: Item) -> Page:
    posts, rejects = read_items(listed(answer, "items"), _video)
    walk = Walk.of(source, terms(source))
    cursor = {name: value for name, value in source.cursor.items() if name != "videos"}
    return Page(posts=tuple(posts), cursor=cursor, next=walk.unfinished, rejects=rejects, title=API)


def _commented(source: Source, answer: Item) -> Page:
    """Threads are by the time of their first comment, so what is older than the mark ends the reading."""
    posts: list[Post] = []
    rejects: list[Reject] = []
    for thread in listed(answer, "items"):
        top = inner(thread, "snippet").get("topLevelComment")
        replies = whole(inner(thread, "snippet"), "totalReplyCount")
        (first, bad), (others, worse) = (
            read_items([top], _comment),
            read_items(listed(inner(thread, "replies"), "comments"), _comment),
        )
        posts += [replace(post, engagement={**post.engagement, **counts(replies=replies)}) for post in first]
        posts += others
        rejects += [*bad, *worse]
    return _turned(source, answer, posts, tuple(rejects), older=True)


def _turned(source: Source, answer: Item, posts: list[Post], rejects: tuple[Reject, ...], *, older: bool) -> Page:
    """The page of an answer, and where to go on. `older`: pages lead back beyond the mark, to what was read before."""
    walk = Walk.of(source, terms(source))
    times = [int(post.published_at.timestamp()) for post in posts if post.published_at]
    known = walk.mark - COMMENTS_OVERLAP_S if older and walk.mark else 0
    token = page_token(answer, "nextPageToken", API)
    more = bool(token and listed(answer, "items")) and (not known or times[-1:] > [known])
    walk = walk.answered(max(times, default=0))
    then, given_up = walk.advanced(terms(source), replace(walk, token=token) if more else None)
    return Page(
        posts=walk.unseen([p for p in posts if not p.published_at or p.published_at.timestamp() > known]),
        cursor=then.cursor(source, posts),
        next=then.unfinished,
        rejects=rejects,
        title=API,
        truncated=PER_SEARCH if given_up else 0,
    )


def _found(item: Item) -> Post:
    return Post(
        _id(inner(item, "id"), "videoId", _VIDEO), "", "", published_at=moment(inner(item, "snippet"), "publishedAt")
    )


def _video(item: Item) -> Post:
    name, snippet, statistics = _id(item, "id", _VIDEO), inner(item, "snippet"), inner(item, "statistics")
    if not snippet:
        raise ValueError("a video without its snippet")
    return Post(
        id=name,
        title=title(text(snippet, "title")),
        text=body(text(snippet, "description")),
        url=WATCH + name,
        author=title(text(snippet, "channelTitle"))[:AUTHOR_LIMIT] or None,
        published_at=moment(snippet, "publishedAt"),
        language=language_code(text(snippet, "defaultLanguage"), text(snippet, "defaultAudioLanguage")),
        engagement=counts(
            views=whole(statistics, "viewCount"),
            likes=whole(statistics, "likeCount"),
            replies=whole(statistics, "commentCount"),
        ),
    )


def _comment(item: Item) -> Post:
    name, snippet = _id(item, "id", _COMMENT), inner(item, "snippet")
    if not snippet:
        raise ValueError("a comment without its snippet")
    said, video = text(snippet, "textOriginal"), text(snippet, "videoId")
    published_at, updated_at = moment(snippet, "publishedAt"), moment(snippet, "updatedAt")
    return Post(
        id=name,
        title="",
        text=body(said) if said else body(text(snippet, "textDisplay"), html=True),
        url=f"{WATCH}{video}&lc={name}" if _VIDEO.fullmatch(video) else None,
        author=one_line(text(snippet, "authorDisplayName"), AUTHOR_LIMIT) or None,
        published_at=published_at,
        edited_at=updated_at if updated_at != published_at else None,
        engagement=counts(likes=whole(snippet, "likeCount")),
    )


def _id(item: Item, name: str, form: re.Pattern[str]) -> str:
    found = identity(item, name)
    if not form.fullmatch(found):
        raise ValueError(f"an item without a usable {name}")
    return found


def _reasons(response: httpx.Response) -> frozenset[str]:
    """The short words of an error, of the old form and of the new one."""
    try:
        answer: Any = read_json(response.text)
    except CollectError:
        return frozenset()
    error = inner(answer, "error")
    told = [*listed(error, "errors"), *listed(error, "details")]
    reasons = (text(one, "reason") for one in told if isinstance(one, Mapping))
    return frozenset((*reasons, text(error, "status")))
