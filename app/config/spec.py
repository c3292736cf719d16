"""What a brand, a source and a channel may look like, whoever describes them: avizor.toml or the API.

    BrandSpec | SourceSpec | ChannelSpec -> checked in words -> Brand | Source | Channel

A spec that was made is sound in itself: its query parses, its kind exists, and the kind accepts its settings. Whether
the brands and channels that it names exist is checked by whoever knows the others.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    Strict,
    StringConstraints,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from alerts import NOTIFIERS
from alerts.base import Channel, Severity
from app import query
from app.model import Brand, Origin
from app.settings import InterfaceLanguage, LanguageCode, Settings, TimeZone
from collectors import COLLECTORS
from collectors.base import Source

QUERY_ERROR = "query"
"""The type of the pydantic error for a query that does not parse. Its `ctx` has `message` and `position`."""

SLUG_LENGTH = 80
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


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120), AfterValidator(_printable)
]
Slug = Annotated[str, StringConstraints(pattern="^[a-z0-9]+(-[a-z0-9]+)*$", max_length=SLUG_LENGTH)]
Slugs = Annotated[tuple[Slug, ...], Strict(False)]
QueryText = Annotated[str, AfterValidator(_query)]
WebAddress = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_048)]


class Spec(BaseModel):
    """A thing with a name. `slug` is its id outside; by default it is made from the name."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    name: Name = Field(description="what people call it")
    slug: Annotated[Slug, BeforeValidator(_slug_of)] = Field(
        default="", validate_default=True, description="its id outside; by default made from the name"
    )


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

    def to_brand(self, settings: Settings, origin: Origin) -> Brand:
        return Brand(
            id=0,
            slug=self.slug,
            name=self.name,
            query=self.query,
            language=self.language or settings.default_language,
            time_zone=self.time_zone or settings.time_zone,
            competitor=self.competitor,
            channels=self.channels,
            origin=origin,
        )


class SourceSpec(Spec):
    """Where to listen."""

    kind: Annotated[str, AfterValidator(_known(COLLECTORS))] = Field(description="the code that reads it, such as rss")
    url: WebAddress | None = Field(default=None, description="what to ask; some kinds know it themselves")
    settings: dict[str, JsonValue] = Field(default_factory=dict, description="the kind's own settings")
    brands: Slugs = Field(default=(), description="slugs of the brands that it is read for; empty means every brand")
    language: LanguageCode | None = Field(default=None, description="the language that it mostly speaks")
    interval_s: int = Field(default=900, ge=1, le=86_400, description="seconds between two visits, as you wish it")
    enabled: bool = Field(default=True, description="false: it is kept, and not asked")
    secret: SecretStr | None = Field(default=None, description="the credential that its kind needs")

    @model_validator(mode="after")
    def _kind_accepts(self) -> Self:
        COLLECTORS[self.kind].check(self.to_source("file"))
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
    min_severity: Severity = Field(default="warning", description="critical: it is spared the warnings")
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
