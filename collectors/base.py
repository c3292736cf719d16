"""The words and the seam of the collecting wing.

    Collector.request(source, now) | fetch -> httpx.Response | Collector.parse(source, response) -> Page of Posts

A collector is pure: it never holds a client, a clock or a database. A test hands it an `httpx.Response`.

A kind may be able to do more: sign in (`SignsIn`), explain a refusal (`Explains`), rest after a failure (`Rests`),
count again (`Recounts`).

    CollectError          the one error of this wing; caught in one place, the collect walk, written down and shown
        .permanent        asking again will not help (410): the source is disabled until a person looks
        .retry_after_s    the other side said when to come back
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

import httpx

PAID = ("month", "reads")
"""What in a cursor says what was paid for: it outlives a change of settings, or a budget could be spent twice."""

SourceState = Literal["ok", "late", "failing", "silent", "disabled"]


class CollectError(Exception):
    """A source could not be asked or understood. The text is for the operator: what was wrong and what to do.

    `code` is a short stable word (`http_404`, `timeout`, `not_a_feed`, `address_not_allowed`, `parse_killed` ...). The
    text never holds a secret, nor the address, status or body of a target that the outbound guard refused.
    """

    def __init__(self, code: str, message: str, *, permanent: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.permanent = permanent
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Query:
    """What a search API may be asked for a brand: `terms` are alternatives, each enough to find its posts.

    The API's answer is matched again locally with the whole boolean query, so a term may find too much.
    """

    brand: str
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One place to ask, with its cursor, its due time and its health.

    `slug` is its id outside. `settings` are the kind's own (for `hackernews`: `query`, `tags`). `brands` are brand
    slugs, empty = every brand. `cursor` belongs to the collector and is opaque to everybody else. `interval_s` is what
    the operator asked for; `adaptive_interval_s` what the source's own cadence taught. `queries` is filled in by the
    walk before `request`. `secret` is the plain credential, only ever in memory, None when the kind needs none;
    `session` is what signing in with it gave, filled in by the walk like `queries`, and so is `asked_at`, when the
    visit under way began. `tier` is 1 where a single grave word is enough to warn, else 2.
    """

    id: int
    slug: str
    name: str
    kind: str
    url: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    brands: tuple[str, ...] = ()
    language: str | None = None
    interval_s: int = 900
    enabled: bool = True
    origin: Literal["file", "api"] = "file"
    secret: str | None = field(default=None, repr=False)
    tier: int = 2
    queries: tuple[Query, ...] = ()
    session: str | None = field(default=None, repr=False)
    asked_at: datetime | None = None
    # state, written by the walks only
    cursor: Mapping[str, Any] = field(default_factory=dict)
    etag: str | None = None
    last_modified: str | None = None
    body_hash: bytes | None = None
    state: SourceState = "late"
    adaptive_interval_s: int | None = None
    next_due_at: datetime | None = None
    fail_count: int = 0
    created_at: datetime | None = None
    first_ok_at: datetime | None = None
    last_ok_at: datetime | None = None
    last_item_at: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None
    generation: int = 0
    moved_seen: int = 0
    moved_to: str | None = None
    hint_s: int | None = None
    cadence_s: int | None = None
    overrun_at: datetime | None = None
    told: tuple[str, ...] = ()
    told_at: datetime | None = None

    @property
    def first_run(self) -> bool:
        """Nothing was ever fetched from here: what comes now is history and never alerts."""
        return self.first_ok_at is None


@dataclass(frozen=True, slots=True)
class Post:
    """One published thing as collected, not yet known to be a mention.

    `id` identifies it within its collector's `namespace`: a GUID or an API's id, never a redirect or an aggregator's
    link. `text` and `title` are plain text (markup removed, entities resolved, no NUL, no lone surrogate). `url` is
    http(s) or None. `published_at` is what the source claims, in UTC, unclamped; None when it claims nothing readable.
    `language` is a two-letter code claimed by the source, or None. `reply`: the title is that of the thread which the
    post answers, somebody else's words: shown, but neither matched nor scored.

    `edited_at`: when its author last changed it. `engagement` counts what others did with it: `likes` (of every kind,
    or the score), `shares`, `replies`, `views`, `quotes`; what the source does not tell is not in it, and never 0.
    `reach` is the number of its author's followers, `rating` the author's own verdict, 1 to 5 stars; None: not known.
    """

    id: str
    title: str
    text: str
    url: str | None = None
    author: str | None = None
    published_at: datetime | None = None
    language: str | None = None
    reply: bool = False
    edited_at: datetime | None = None
    engagement: Mapping[str, int] = field(default_factory=dict)
    reach: int | None = None
    rating: int | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """An item that could not be read: it costs itself only. `sample` is the start of it, as text."""

    reason: str
    sample: str


@dataclass(frozen=True, slots=True)
class Page:
    """What one response held. `next` = ask again at once, with the new cursor. `interval_hint_s` is the publisher's
    wish (ttl, sy:).

    `truncated` says how many items were left out by a cap. `gone` are ids of posts that their authors took back.
    `wait_s`: the source asked not to be asked again before so many seconds. `hub`: (address, topic) of the WebSub hub
    that says when there is something new, and what it calls the source.
    """

    posts: tuple[Post, ...]
    cursor: Mapping[str, Any] = field(default_factory=dict)
    next: bool = False
    rejects: tuple[Reject, ...] = ()
    title: str | None = None
    interval_hint_s: int | None = None
    truncated: int = 0
    gone: tuple[str, ...] = ()
    wait_s: int | None = None
    hub: tuple[str, str] | None = None


class Kind(Protocol):
    """What every kind of source is, whether it is asked (`Collector`), followed (a stream) or told (an inbox)."""

    kind: str
    knows_authors: bool
    """Many people speak there, and the place knows who they are; a feed's authors are what its publisher says."""

    def check(self, source: Source) -> None:
        """Raise `ValueError` in words for the operator if this source's url or settings cannot work."""

    def namespace(self, source: Source) -> str:
        """Where a post's `id` is unique: `rss:<source slug>` for a feed, `hackernews` for Hacker News as a whole.

        A feed that was pointed at another host is another one (`Source.generation`): two of them may both have an item
        that is called 1.
        """


class Collector(Kind, Protocol):
    """The code for one kind of source that is asked. One file, one line in `COLLECTORS`, one recorded sample."""

    requests_per_day: int | None
    """What the API grants to one key or address; None: it says nothing. Every source of the kind shares it; the setting
    `requests_per_day`, which `check` must then allow, overrules it."""

    def request(self, source: Source, now: datetime) -> httpx.Request:
        """What to ask next. Validators (ETag, Last-Modified) are added by `fetch`."""

    def parse(self, source: Source, response: httpx.Response) -> Page:
        """Read a complete 200 response. Raises `CollectError` when the whole of it is unreadable."""


@dataclass(frozen=True, slots=True)
class Session:
    """What signing in gave: a token, and for how long it is good."""

    token: str = field(repr=False)
    lasts_s: float


@runtime_checkable
class SignsIn(Protocol):
    """A kind whose secret must first be exchanged for a token. The walk keeps it in memory, never in the database, and
    signs in again when it is spent or refused (401).
    """

    def sign_in(self, source: Source) -> httpx.Request | None:
        """What to ask for a token; None where this source needs none."""

    def signed_in(self, response: httpx.Response) -> Session:
        """Read a 200 answer to it. Raises `CollectError`."""


@runtime_checkable
class Explains(Protocol):
    """A kind whose refusals say more than their status."""

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        """Read an answer that is neither 200 nor 304, of which at most 64 KiB were kept. None: the status says it all.

        What the error says is in our own words: nothing of the body.
        """


@runtime_checkable
class Rests(Protocol):
    """A kind that is left alone after whatever failed there, for `rest_s` at least."""

    rest_s: float


@runtime_checkable
class Recounts(Protocol):
    """A kind that can be asked by id what became of posts: what they count now, and which are gone."""

    recount_batch: int
    """How many ids fit into one request."""

    def recount(self, source: Source, ids: tuple[str, ...], now: datetime) -> httpx.Request:
        """Ask for these posts, by `Post.id`."""

    def recounted(self, source: Source, ids: tuple[str, ...], response: httpx.Response) -> Page:
        """The posts that still are, as they are now; in `gone` those of `ids` that are no more."""
