"""The words and the seam of the alerting wing.

    Volume -> detect -> Spike -> advance -> Change -> Alert (with its Dossier) -> Notifier.render -> Notifier.send

    NotifyError                  the one error of this wing; caught in one place (deliver), written down and shown
        .permanent               trying again will not help: dead letter at once, alarmed through another channel
        .retry_after_s           the other side said when to come back
        .disable                 the address is gone for good: switch the channel off and say so

Every arrow but the last is a pure function.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

import httpx

Severity = Literal["notice", "warning", "critical"]
IncidentState = Literal["open", "acknowledged", "resolving", "resolved"]
Action = Literal["trigger", "escalate", "acknowledge", "resolve", "test", "system"]


class NotifyError(Exception):
    """An alert did not reach its channel. The text is for the operator and never holds the channel's address or secret.

    `code` is a short stable word (`http_404`, `timeout`, `network`, `redirect`, `address_not_allowed` ...).
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        permanent: bool = False,
        retry_after_s: float | None = None,
        disable: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.permanent = permanent
        self.retry_after_s = retry_after_s
        self.disable = disable


@dataclass(frozen=True, slots=True)
class Channel:
    """A configured destination. `slug` is its id outside. `secret` holds what must not be shown."""

    id: int
    slug: str
    name: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    language: str = "es"
    min_severity: Severity = "notice"
    enabled: bool = True
    disabled_reason: str | None = None
    origin: Literal["file", "api"] = "file"


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One mention shown as proof: what it said, where, when, and which words made it negative."""

    title: str
    text: str
    url: str | None
    source: str
    author: str | None
    published_at: datetime
    language: str | None
    score: float | None
    evidence: tuple[str, ...] = ()
    copies: int = 0


@dataclass(frozen=True, slots=True)
class Term:
    """A word that the brand's negative stories say now more often than usual: in `here` of them, and in `usual` (a
    share, 0..1) of the brand's stories of the last month. `weight` orders terms: G2, the log-likelihood ratio of
    Dunning, "Accurate methods for the statistics of surprise and coincidence", 1993.
    """

    word: str
    here: int
    usual: float
    weight: float


@dataclass(frozen=True, slots=True)
class First:
    """Who said it first: the oldest negative story of the window."""

    source: str
    site: str | None
    author: str | None
    published_at: datetime
    fetched_at: datetime
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Dossier:
    """The proof of an alert, complete in itself. `spike` is the verdict as a mapping, with every number that it used.

    Counts are stories unless the name says copies. Shares are in 0..1. `excluded` are stories of the window that do not
    count, by reason (`same_author`, `one_site`, `new_source`, `other_crisis`). `authors` and `sites` say how many
    different ones the negative stories that count come from; `spread` is on how many sites the most copied one stands.
    `events` are the brand's own, planned for this time. `policy` is what the verdict went by. `subject` are the terms
    by which a second crisis is told apart from the first.
    """

    spike: Mapping[str, Any]
    exhibits: tuple[Exhibit, ...] = ()
    stories: int = 0
    copies: int = 0
    by_label: Mapping[str, int] = field(default_factory=dict)
    by_language: Mapping[str, int] = field(default_factory=dict)
    by_source: Mapping[str, int] = field(default_factory=dict)
    coverage: float | None = None
    unknown_share: float | None = None
    cause: str = "negative"
    excluded: Mapping[str, int] = field(default_factory=dict)
    terms: tuple[Term, ...] = ()
    first: First | None = None
    authors: int = 0
    sites: int = 0
    spread: int = 0
    events: tuple[str, ...] = ()
    policy: Mapping[str, Any] = field(default_factory=dict)
    judged_at: datetime | None = None
    subject: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """The message about an incident's change, complete in itself. `key` is the same on every try of one delivery.

    `incident_id`, `severity` and `dossier` are None for the actions `test` and `system`; `message` is then the whole
    text, a fact a line, and `reason`, if any, the headline of a `system` one. `brand` is the slug, `brand_name` what
    people call it. `repeat` says that an earlier try may already have arrived.
    """

    key: str
    action: Action
    brand: str
    at: datetime
    language: str
    time_zone: str = "UTC"
    incident_id: str | None = None
    seq: int = 0
    severity: Severity | None = None
    opened_at: datetime | None = None
    actor: str | None = None
    reason: str | None = None
    url: str | None = None
    dossier: Dossier | None = None
    message: str | None = None
    repeat: bool = False
    brand_name: str = ""


class Notifier(Protocol):
    """The code for one kind of channel. One file, one line in `NOTIFIERS`, one sample of what it sends."""

    kind: str

    def check(self, channel: Channel) -> None:
        """Raise `ValueError` in words for the operator if this channel's settings or secret cannot work."""

    def render(self, alert: Alert) -> bytes:
        """The body as it goes over the wire. Pure: the same alert gives the same bytes."""

    async def send(self, channel: Channel, alert: Alert, body: bytes, http: httpx.AsyncClient, now: datetime) -> None:
        """Deliver the body. Returns when the other side accepted it, else raises `NotifyError`."""
