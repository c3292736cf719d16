"""The words of the roof: who is watched, and what was heard. Pure data, no behaviour that needs a clock or a database.

The wings own the rest of the glossary: `Post`, `Source` in `collectors.base`; `Spike`, `Incident`, `Alert`, `Channel`
in `alerts`. The table of words is in README.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from alerts.detect.policy import Dial

Label = Literal["negative", "neutral", "positive", "unknown"]
LABELS: tuple[Label, ...] = ("negative", "neutral", "positive", "unknown")
CORRECTED_SCORES: Mapping[Label, float | None] = {"negative": -1.0, "neutral": 0.0, "positive": 1.0, "unknown": None}
UNCERTAIN = 0.15  # the best two labels' probabilities differ by less: a person should look

Origin = Literal["file", "api"]
Role = Literal["viewer", "responder", "admin"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words that drove a sentiment: `text[start:end]` of the scored text, weight > 0 pulls towards positive."""

    start: int
    end: int
    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Language:
    """The language of one text: a two- or three-letter code, None = none that is enabled; confidence in 0..1."""

    code: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Sentiment:
    """Tone of one text. `score` is in -1..1 and None when the label is unknown; unknown is never counted as neutral.

    `probabilities` are (negative, neutral, positive), calibrated, and sum to 1; `score` is positive - negative. Both
    are None where the label is unknown. `components` are what single parts of the scorer said, in -1..1 ("vader":
    VADER's compound). `provisional`: the fast tier's word, to be heard again by the quality tier.
    """

    label: Label
    score: float | None
    scorer: str
    language: str | None = None
    language_confidence: float | None = None
    probabilities: tuple[float, float, float] | None = None
    evidence: tuple[Evidence, ...] = ()
    components: Mapping[str, float] = field(default_factory=dict)
    provisional: bool = False

    @property
    def confidence(self) -> float | None:
        """The probability of the best label, None where there are none."""
        return max(self.probabilities) if self.probabilities else None

    @property
    def uncertain(self) -> bool:
        """The best two labels are close: a person should look at this one first."""
        if self.probabilities is None:
            return False
        _, second, best = sorted(self.probabilities)
        return best - second < UNCERTAIN

    @property
    def heard_in(self) -> Language:
        """The language that the text was heard in; a confidence that was not kept is 0."""
        return Language(self.language, self.language_confidence or 0.0)

    @property
    def opposed(self) -> bool:
        """The evidence adds up to the other side of a label that is negative or positive."""
        shown = sum(one.weight for one in self.evidence)
        return shown > 0 if self.label == "negative" else shown < 0 and self.label == "positive"


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person says of a mention's tone. It wins over every scorer, and no re-scoring overwrites it."""

    label: Label
    by: str
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """Something of the brand's own that is known beforehand: a launch, a strike, a sale. From `since` to `until`."""

    name: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Brand:
    """Whom we watch. `slug` is its id outside; `channels` are channel slugs, empty = every enabled channel."""

    id: int
    slug: str
    name: str
    query: str
    language: str = "es"
    time_zone: str = "UTC"
    competitor: bool = False
    channels: tuple[str, ...] = ()
    origin: Origin = "file"
    archived_at: datetime | None = None
    events: tuple[Planned, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """What verdicts go by: the dial, who set it and why. `id` None: not stored, as the built-in one.

    Raises `ValueError` for a dial that there is not. `backtest_id` names what was known of it beforehand.
    """

    id: int | None = None
    name: str = "default"
    false_warnings_per_month: float = 1.0
    reason: str = ""
    actor: str | None = None
    at: datetime | None = None
    backtest_id: str | None = None

    def __post_init__(self) -> None:
        Dial(self.false_warnings_per_month)

    @property
    def dial(self) -> Dial:
        return Dial(self.false_warnings_per_month)


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person says of an incident: it was worth being told of, or it was noise.

    `in_force`: it is the last word of `by`, the name of an API key.
    """

    incident_id: str
    by: str
    at: datetime
    useful: bool
    note: str = ""
    in_force: bool = True


@dataclass(frozen=True, slots=True)
class Mention:
    """A post that a brand's query matched, with its sentiment, as read back from storage.

    `story_id` is the id of the first post with this text; `copy` says that this one is not it. `sentiment` is what the
    scorer heard, `correction` what a person said of it; `label` and `score` are what counts. `was` is the label before
    the last restatement, None if there was none. `engagement`, `reach`, `rating`, `edited_at` and `reply` are the
    post's, as in `collectors.base.Post`. `withdrawn_at`: its author took it back, its words are erased.
    """

    brand: str
    post_id: int
    source: str
    title: str
    text: str
    url: str | None
    author: str | None
    site: str | None
    published_at: datetime
    fetched_at: datetime
    sentiment: Sentiment
    story_id: int
    copy: bool
    backfill: bool
    scored_at: datetime
    correction: Correction | None = None
    was: Label | None = None
    engagement: Mapping[str, int] = field(default_factory=dict)
    reach: int | None = None
    rating: int | None = None
    edited_at: datetime | None = None
    withdrawn_at: datetime | None = None
    reply: bool = False

    @property
    def label(self) -> Label:
        return self.correction.label if self.correction else self.sentiment.label

    @property
    def score(self) -> float | None:
        return CORRECTED_SCORES[self.correction.label] if self.correction else self.sentiment.score


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A caller of the API. `brands` are slugs; None = every brand. The secret is never kept, only its SHA-256."""

    id: str
    name: str
    role: Role
    brands: tuple[str, ...] | None
    created_at: datetime
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MentionFilter:
    """What a reader of mentions asked for; None = any. `brands` limits to what the key may see (None = all)."""

    brands: tuple[str, ...] | None = None
    labels: tuple[Label, ...] | None = None
    languages: tuple[str, ...] | None = None
    sources: tuple[str, ...] | None = None
    text: str | None = None
    uncertain: bool | None = None
    corrected: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
