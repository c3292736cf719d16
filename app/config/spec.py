"""What a brand, a source, a channel and the policy may look like, whoever describes them: avizor.toml or the API.

    BrandSpec | SourceSpec | ChannelSpec | PolicySpec -> checked in words -> Brand | Source | Channel | Policy

A spec that was made is sound in itself: its query parses, its kind exists, and the kind accepts its settings. Whether
the brands and channels that it names exist is checked by whoever knows the others.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainValidator,
    SecretStr,
    Strict,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from alerts import NOTIFIERS
from alerts.base import Channel, Severity
from app import query
from app.model import Brand, Origin, Planned, Policy
from app.settings import InterfaceLanguage, LanguageCode, Settings, TimeZone
from collectors import KINDS
from collectors.base import Source

QUERY_ERROR = "query"
"""The type of the pydantic error for a query that does not parse. Its `ctx` has `message` and `position`."""

SLUG_LENGTH = 80
LEAST, MOST = 0.001, 30.0  # false warnings per brand and month: what `alerts.detect.policy.Dial` takes
FIRST_YEAR, LAST_YEAR = 1970, 9998
MOST_EVENTS = 200
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def slugify(name: str) -> str:
    """The id that a name becomes outside: accents folded, lower case, hyphens (`pena-co`). May be empty."""
    folded = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    return _NOT_SLUG.sub("-", folded).strip("-")[:SLUG_LENGTH].rstrip("-")


def _query(text: str) -> str:
    if "\0" in text:
        raise ValueError("has a NUL character")  # PostgreSQL has no place for one
    try:
        query.parse(text)
    except query.QueryError as error:
        context = {"message": error.message, "position": error.position, "character": error.position + 1}
        raise PydanticCustomError(QUERY_ERROR, "at character {character}: {message}", context) from None
    return text.strip()  # after parsing: a position counts in the text as it was written


def _known(kinds: Mapping[str, object]) -> Callable[[str], str]:
    def check(kind: str) -> str:
        if kind not in kinds:
            raise ValueError(f"is not a kind that Avizor knows; known are {', '.join(sorted(kinds))}")
        return kind

    return check


def _slug_of(slug: Any, info: ValidationInfo) -> Any:
    """The slug that was given, else that of the name."""
    if slug or "name" not in info.data:
        return slug or "unnamed"
    made = slugify(info.data["name"])
    if not made:
        raise ValueError(
            "cannot be made from the name, which has no letter of the Latin alphabet and no digit: give one"
        )
    return made


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has a character that cannot be shown, such as a line break")
    return text


def _day_or_moment(value: Any) -> date | datetime:
    """TOML knows days and moments, JSON only their text."""
    try:
        found = _read_day_or_moment(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, date):
        raise ValueError("must be a day such as 2026-11-27, or a time such as 2026-11-27T18:00:00+01:00")
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ValueError(f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}")
    return found


def _read_day_or_moment(text: str) -> date | datetime:
    return date.fromisoformat(text) if len(text) <= len("2026-11-27") else datetime.fromisoformat(text)


def _begins(at: date | datetime, zone: ZoneInfo) -> datetime:
    """A moment as it is, a day at its midnight; in `zone` where no offset is said. In UTC."""
    moment = at if isinstance(at, datetime) else datetime.combine(at, time())
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _ends(at: date | datetime, zone: ZoneInfo) -> datetime:
    """A day ends when the next one begins."""
    return _begins(at if isinstance(at, datetime) else at + timedelta(days=1), zone)


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120), AfterValidator(_printable)
]
Slug = Annotated[str, StringConstraints(pattern="^[a-z0-9]+(-[a-z0-9]+)*$", max_length=SLUG_LENGTH)]
Slugs = Annotated[tuple[Slug, ...], Strict(False)]
QueryText = Annotated[str, AfterValidator(_query)]
DayOrMoment = Annotated[
    date | datetime,
    PlainValidator(_day_or_moment),
    WithJsonSchema({"type": "string", "examples": ["2026-11-27", "2026-11-27T18:00:00+01:00"]}),
]
WebAddress = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_048)]


class Described(BaseModel):
    """What the file and the API describe: nothing that is not known, no type guessed, nothing of it in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Spec(Described):
    """A thing with a name. `slug` is its id outside; by default it is made from the name."""

    name: Name = Field(description="what people call it")
    slug: Annotated[Slug, BeforeValidator(_slug_of)] = Field(
        default="", validate_default=True, description="its id outside; by default made from the name"
    )


class EventSpec(Described):
    """Something that is known beforehand. A day lasts to its end; where no offset is said, the brand's zone holds."""

    name: Name = Field(description="what it is, in a few words")
    since: DayOrMoment = Field(description="its first day, or the moment that it begins")
    until: DayOrMoment | None = Field(
        default=None, description="its last day, or the moment that it ends; by default the day of `since`"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        planned = self.to_planned(ZoneInfo("UTC"))
        if planned.since >= planned.until:
            raise ValueError("ends before it begins: `until` must lie after `since`")
        return self

    def to_planned(self, zone: ZoneInfo) -> Planned:
        day = self.since.date() if isinstance(self.since, datetime) else self.since
        return Planned(self.name, _begins(self.since, zone), _ends(day if self.until is None else self.until, zone))


class BrandSpec(Spec):
    """Whom to watch."""

    query: QueryText = Field(description="what makes a post a mention: docs/query-language.md")
    language: InterfaceLanguage | None = Field(
        default=None, description="of its alerts and pages; by default default_language"
    )
    time_zone: TimeZone | None = Field(
        default=None, description="of its days and hours; by default the setting time_zone"
    )
    competitor: bool = Field(default=False, description="watched for comparison: it has no incidents")
    channels: Slugs = Field(default=(), description="slugs of the channels to alert; empty means every channel")
    events: Annotated[tuple[EventSpec, ...], Strict(False)] = Field(
        default=(),
        max_length=MOST_EVENTS,
        description="what is planned: told beside an alert of that time, and no excuse for anything",
    )

    def to_brand(self, settings: Settings, origin: Origin) -> Brand:
        time_zone = self.time_zone or settings.time_zone
        return Brand(
            id=0,
            slug=self.slug,
            name=self.name,
            query=self.query,
            language=self.language or settings.default_language,
            time_zone=time_zone,
            competitor=self.competitor,
            channels=self.channels,
            events=tuple(event.to_planned(ZoneInfo(time_zone)) for event in self.events),
            origin=origin,
        )


class SourceSpec(Spec):
    """Where to listen."""

    kind: Annotated[str, AfterValidator(_known(KINDS))] = Field(description="the code that reads it, such as rss")
    url: WebAddress | None = Field(default=None, description="what to ask; some kinds know it themselves")
    settings: dict[str, JsonValue] = Field(default_factory=dict, description="the kind's own settings")
    brands: Slugs = Field(default=(), description="slugs of the brands that it is read for; empty means every brand")
    language: LanguageCode | None = Field(default=None, description="the language that it mostly speaks")
    tier: Literal[1, 2] = Field(default=2, description="1: a grave word said here is enough to warn")
    interval_s: int = Field(default=900, ge=1, le=86_400, description="seconds between two visits, as you wish it")
    enabled: bool = Field(default=True, description="false: it is kept, and not asked")
    secret: SecretStr | None = Field(default=None, description="the credential that its kind needs")

    @model_validator(mode="after")
    def _kind_accepts(self) -> Self:
        KINDS[self.kind].check(self.to_source("file"))
        return self

    def to_source(self, origin: Origin) -> Source:
        return Source(
            id=0,
            slug=self.slug,
            name=self.name,
            kind=self.kind,
            url=self.url,
            settings=self.settings,
            brands=self.brands,
            language=self.language,
            tier=self.tier,
            interval_s=self.interval_s,
            enabled=self.enabled,
            origin=origin,
            secret=self.secret.get_secret_value() if self.secret else None,
        )


class ChannelSpec(Spec):
    """Whom to tell."""

    kind: Annotated[str, AfterValidator(_known(NOTIFIERS))] = Field(
        description="the code that speaks to it, such as slack"
    )
    url: SecretStr | None = Field(
        default=None, description="where to send; kept sealed, since it is often a secret itself"
    )
    secret: SecretStr | None = Field(default=None, description="what its kind signs with")
    settings: dict[str, JsonValue] = Field(default_factory=dict, description="the kind's own settings")
    language: InterfaceLanguage | None = Field(default=None, description="of its messages; by default default_language")
    min_severity: Severity = Field(
        default="notice",
        description="warning: it is spared the notices, which are told once and wake nobody (one text on many sites, "
        "silence); critical: the warnings too",
    )
    enabled: bool = Field(default=True, description="false: it is kept, and told nothing")

    @model_validator(mode="after")
    def _kind_accepts(self) -> Self:
        NOTIFIERS[self.kind].check(self._channel("es", "file"))
        return self

    def to_channel(self, settings: Settings, origin: Origin) -> Channel:
        return self._channel(self.language or settings.default_language, origin)

    def _channel(self, language: str, origin: Origin) -> Channel:
        secrets = {"url": self.url, "secret": self.secret}
        return Channel(
            id=0,
            slug=self.slug,
            name=self.name,
            kind=self.kind,
            settings=self.settings,
            secret={key: value.get_secret_value() for key, value in secrets.items() if value},
            language=language,
            min_severity=self.min_severity,
            enabled=self.enabled,
            origin=origin,
        )


class PolicySpec(Described):
    """What verdicts go by. One for every brand: no number here is a brand's own."""

    name: Name = Field(default="default", description="what people call it")
    false_warnings_per_month: float = Field(
        ge=LEAST, le=MOST, description="the dial: how many false warnings per brand and month are worth it"
    )
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), AfterValidator(_printable)] = (
        Field(default="", description="why; needed where it is over the noise budget")
    )
    backtest: Annotated[str, StringConstraints(min_length=1, max_length=80), AfterValidator(_printable)] | None = Field(
        default=None, description="id of the backtest that speaks for it"
    )

    def to_policy(self, actor: str) -> Policy:
        return Policy(
            name=self.name,
            false_warnings_per_month=self.false_warnings_per_month,
            reason=self.reason,
            actor=actor,
            backtest_id=self.backtest,
        )


def keys_known(spec: type[Described], place: Sequence[int | str]) -> Collection[str]:
    """The keys of the table that `place` stands in, counted from a `spec`'s own."""
    return EventSpec.model_fields if len(place) > 1 and place[0] == "events" else spec.model_fields
