"""What the walks hand to storage and get back: frozen values, nothing of SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from alerts.base import Action, Channel
from alerts.detect.voices import Excluded
from alerts.incident import Change as IncidentChange
from app.model import Brand, Label, Policy, Sentiment
from collectors.base import Post, Reject, Source, SourceState


class StorageError(Exception):
    """The database cannot do it. The text is for the operator: what, where, and what to do; it holds no secret."""


class LeaseLost(Exception):
    """Somebody else took this work over since it was claimed: what was done is dropped, nothing is stored."""


class Conflict(Exception):
    """The row changed since it was read (optimistic version): read again and decide again."""


# ── configuration ────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class PutBrand:
    brand: Brand


@dataclass(frozen=True, slots=True)
class PutSource:
    """`source.secret` None keeps the stored secret, an empty string removes it. State columns are kept."""

    source: Source


@dataclass(frozen=True, slots=True)
class PutChannel:
    """An empty `channel.secret` keeps the stored one."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class PutPolicy:
    """What verdicts go by from now on. `policy.id` and `policy.at` are ignored."""

    policy: Policy


@dataclass(frozen=True, slots=True)
class Archive:
    """The thing is switched off and hidden; its history stays. Putting it again brings it back."""

    noun: Literal["brand", "source", "channel"]
    slug: str


ConfigChange = PutBrand | PutSource | PutChannel | PutPolicy | Archive

# ── collect ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class KnownPost:
    """A stored post, as far as another sighting of it may change it.

    `source_id` is the source that it came from, `said` what `app.storage.changes.digest_of` makes of its words;
    `engagement`, `reach` and `rating` are the last that is known.
    """

    post_id: int
    brand_ids: frozenset[int]
    source_id: int
    said: bytes
    rating: int | None = None
    engagement: Mapping[str, int] = field(default_factory=dict)
    reach: int | None = None
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class CollectedPost:
    """A post on its way into the tables. `published_at` is clamped, `claimed_at` is what the source said.

    `sentiments` has one entry per brand that it mentions (brand id -> sentiment); empty: stored as a post only.
    `bands` say where its near copies are looked for (`app.story.bands`); none: it has no near copies. `grave` are the
    grave terms that it says. `recount_at`: when its source is to be asked what became of it, by `external_id`.
    """

    dedupe_key: bytes
    post: Post
    site: str | None
    language: str | None
    published_at: datetime
    claimed_at: datetime | None
    text_hash: bytes
    backfill: bool
    sentiments: Mapping[int, Sentiment] = field(default_factory=dict)
    bands: tuple[int, ...] = ()
    grave: tuple[str, ...] = ()
    external_id: str | None = None
    recount_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CollectBatch:
    """All that one good fetch changes, in one transaction. `items` may be empty (304, same body, nothing new).

    `gone` are the dedupe keys of posts that their authors took back. `owner` None: the source was told (an inbox), so
    nobody leases it; what several tell it at once is known by its dedupe key.

    `lease_until`: the visit goes on (a stream), its lease is renewed; None: it ends. `as_of`: the source is known as it
    was then; None: as it is now. `overrun`: items were lost, how many is unknown.
    """

    source_id: int
    owner: str | None
    items: Sequence[CollectedPost]
    rejects: Sequence[Reject]
    cursor: Mapping[str, Any]
    etag: str | None
    last_modified: str | None
    body_hash: bytes | None
    next_due_at: datetime
    adaptive_interval_s: int | None
    gone: Sequence[bytes] = ()
    lease_until: datetime | None = None
    as_of: datetime | None = None
    overrun: bool = False
    moved_seen: int = 0
    moved_to: str | None = None
    hint_s: int | None = None
    cadence_s: int | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What really went in: new rows only. `mentions` counts copies too.

    Of posts that were there already: `edited` ones, and those that were `withdrawn`.
    """

    posts: int = 0
    mentions: int = 0
    copies: int = 0
    quarantined: int = 0
    edited: int = 0
    withdrawn: int = 0


@dataclass(frozen=True, slots=True)
class ToRevisit:
    """A stored post whose source is to be asked what became of it. `published_at` as it counts."""

    post_id: int
    dedupe_key: bytes
    external_id: str
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Became:
    """What one answer said of posts that were asked for: `items` are as they are now, `gone` dedupe keys.

    `next_at`: when each is asked for again, by post id; None: never.
    """

    items: Sequence[CollectedPost]
    gone: Sequence[bytes]
    next_at: Mapping[int, datetime | None]


@dataclass(frozen=True, slots=True)
class Version:
    """What a post said before its author changed it, which we saw `at`."""

    at: datetime
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A fetch that failed. `disable` stops the source until a person looks."""

    source_id: int
    owner: str
    code: str
    message: str
    next_due_at: datetime
    state: SourceState
    disable: bool = False


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    source: str
    at: datetime
    reason: str
    sample: str


@dataclass(frozen=True, slots=True)
class StoredPost:
    """A post as read back, with the slugs of the brands that it mentions."""

    id: int
    source: str
    post: Post
    site: str | None
    published_at: datetime
    claimed_at: datetime | None
    fetched_at: datetime
    backfill: bool
    brands: tuple[str, ...] = ()
    withdrawn_at: datetime | None = None


# ── watch ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class VolumeRow:
    """Stories and copies of one brand in one bin with one label.

    `negative`, `neutral`, `positive`: how many of these stories (live and history) are expected to be so, which is the
    sum of their probabilities. An unknown tone adds nothing, a person's word adds 1 to its label. `restated_at`: when
    tones that were counted here last changed, None: never.
    """

    bin: datetime
    label: str
    stories: int
    copies: int
    backfill_stories: int
    backfill_copies: int
    negative: float
    neutral: float
    positive: float
    restated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """How many of a brand's sources were fresh in one 300 s bin."""

    bin: datetime
    fresh: int
    total: int


@dataclass(frozen=True, slots=True)
class Watch:
    """How far a brand has been judged, the last verdict (`Spike` as a mapping), and what the detector remembers.

    `revision` says which state of the brand's volumes this is: hand it back in `Judged`.
    """

    brand: Brand
    evaluated_through: datetime | None
    evaluated_at: datetime | None
    spike: Mapping[str, Any] | None
    revision: int = 0
    memory: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sighting:
    """The counts of one 300 s bin as the detector was shown them."""

    bin: datetime
    negative: int
    total: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """A line of the journal: a judgement that saw something new, and what it saw.

    `known` is the id of the newest post that there was, `excluded` are the stories that did not count: (post id, when
    it was published, label, why). `sightings` are the bins that were others than they had been shown before.
    """

    at: datetime
    through: datetime
    known: int
    verdict: str
    reason: str
    score: float
    excluded: Sequence[Excluded] = ()
    sightings: Sequence[Sighting] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """What the watch walk writes for a brand beside its incidents' changes.

    `revision` is the `Watch`'s: mentions stored while the walk was deciding leave the brand due. None: as it is now.
    `verdict` None: nothing new was seen. `keep_memory`: a replay may begin here.
    """

    brand_id: int
    evaluated_through: datetime
    spike: Mapping[str, Any]
    coverage: Sequence[CoverageRow]
    revision: int | None = None
    memory: bytes | None = field(default=None, repr=False)
    verdict: Verdict | None = None
    keep_memory: bool = False


@dataclass(frozen=True, slots=True)
class MentionSummary:
    """Live mentions of a brand in a window. `by_label`, `by_language` and `by_source` (slugs) count stories."""

    stories: int
    copies: int
    by_label: Mapping[str, int]
    by_language: Mapping[str, int]
    by_source: Mapping[str, int]


# ── hear, correct ────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Unheard:
    """A provisional mention, as far as whoever hears it again needs it. `language` is as it was identified.

    `edited_at` says which version of the post this is.
    """

    brand_id: int
    post_id: int
    title: str
    text: str
    reply: bool
    language: str | None
    language_confidence: float
    rating: int | None = None
    edited_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rescored:
    """What a mention's tone is after it was heard again, in the version of its post that was `edited_at`."""

    brand_id: int
    post_id: int
    sentiment: Sentiment
    edited_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Restated:
    """A mention that was restated, `brand` being a slug. `was` and `label` are often the same."""

    brand: str
    post_id: int
    was: Label
    label: Label


@dataclass(frozen=True, slots=True)
class Corrected:
    """One line of the audit trail: what a person said of a brand's story, and the text and the reading before them.

    `label` None: the correction was taken back. `was` is the label that counted until then, `machine` the scorer's at
    that time; `probabilities` (negative, neutral, positive) are those of the mention's reading as it is today.
    """

    id: int
    brand: str
    post_id: int
    story_id: int
    title: str
    text: str
    reply: bool
    language: str | None
    label: Label | None
    was: Label
    machine: Label
    probabilities: tuple[float, float, float] | None
    by: str
    at: datetime
    note: str


# ── deliver ──────────────────────────────────────────────────────────────────

DeliveryState = Literal["pending", "delivered", "dead"]


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One alert to one channel: `alert` as a mapping (`alerts.dossier.to_json`), `key` unique for ever."""

    key: str
    channel_id: int
    action: Action
    alert: Mapping[str, Any]
    incident_id: str | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True)
class ToldOf:
    """Which of a source's troubles people have been told of from now on, where `was` is what they had been told of.

    `at` is when they were last told anything of it.
    """

    source_id: int
    was: tuple[str, ...]
    told: tuple[str, ...]
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of the outbox. `uncertain`: an earlier claim was never finished, so this alert may have been sent already.

    `channel.enabled` is False when the channel was switched off or archived since: such a delivery can only be buried.
    """

    id: int
    key: str
    channel: Channel
    action: Action
    alert: Mapping[str, Any]
    incident_id: str | None
    seq: int
    state: DeliveryState
    attempts: int
    created_at: datetime
    next_attempt_at: datetime
    last_error: str | None = None
    finished_at: datetime | None = None
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt went. `pending` needs `next_attempt_at`. `disable_channel`: why to switch the channel off."""

    state: DeliveryState
    duration_ms: int
    next_attempt_at: datetime | None = None
    error: str | None = None
    disable_channel: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    attempt: int
    at: datetime
    outcome: str
    error: str | None
    duration_ms: int


@dataclass(frozen=True, slots=True)
class IncidentSave:
    """An incident's change with all that goes with it. `judged` is None when a person made the change.

    `also` are the changes of other incidents of the brand by the same verdict.
    """

    change: IncidentChange
    deliveries: Sequence[NewDelivery]
    judged: Judged | None = None
    also: Sequence["IncidentSave"] = ()
