"""avizor.toml, read and checked as a whole.

    file | settings | ${secrets} | specs | unique slugs  ->  Config, or every problem at once

Nothing here touches a database: what the names refer to is settled by `plan`, which knows what is stored.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from alerts.base import Channel
from app.config.spec import QUERY_ERROR, BrandSpec, ChannelSpec, SourceSpec, Spec
from app.config_file import (
    ConfigError,
    ConfigFile,
    KeyPath,
    Problem,
    faults,
    in_words,
    parse_config_file,
    read_config_file,
    unknown_key,
)
from app.model import Brand
from app.settings import Settings, environment, settings_from
from collectors.base import Source

Noun = Literal["brand", "source", "channel"]
S = TypeVar("S", bound=Spec)

TABLES = ("settings", "brands", "sources", "channels")
SECRET_KEYS: Mapping[type[Spec], tuple[str, ...]] = {SourceSpec: ("secret",), ChannelSpec: ("url", "secret")}

_REFERENCE = re.compile(r"\$(\$\{)|\$\{([^}]*)\}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNREAD = (
    "unread"  # stands in for a secret that could not be read, so that the rest of its table is checked all the same
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A name in the file for something that stands elsewhere, in the file or in storage."""

    noun: Noun
    slug: str
    key: KeyPath


@dataclass(frozen=True, slots=True)
class Config:
    """What a file asks for. `references` are those that the file itself does not answer."""

    file: ConfigFile
    settings: Settings
    brands: tuple[Brand, ...] = ()
    sources: tuple[Source, ...] = ()
    channels: tuple[Channel, ...] = ()
    references: tuple[Reference, ...] = ()


def load_config(path: Path, variables: Mapping[str, str] | None = None) -> Config:
    """Read and check the whole file. `variables` are what `${NAME}` may name, by default the environment.

    Raises `ConfigError` with every problem that is found, each with its line.
    """
    return _Reading(read_config_file(path), environment() if variables is None else variables).config()


def read_config(
    text: str, name: str, variables: Mapping[str, str], *, files: bool, settings: Settings | None = None
) -> Config:
    """The same for a text that came some other way; `name` is what problems call it.

    Without `files` no secret is looked up outside of `variables`: whoever sent the text must not read ours. `settings`
    hold where the text has no [settings] of its own. Raises `ConfigError`.
    """
    return _Reading(parse_config_file(Path(name), text), variables, files=files, settings=settings).config()


def load_brands(path: Path) -> tuple[Brand, ...]:
    """Only the brands of a file: enough to match posts, and needs none of its secrets. Raises `ConfigError`."""
    reading = _Reading(read_config_file(path), {})
    settings = reading.settings()
    brands = reading.table("brands", BrandSpec)
    reading.finish()
    return tuple(spec.to_brand(settings, "file") for spec in brands)


def substitute(text: str, variables: Mapping[str, str], *, files: bool = True) -> str:
    """Fill in `${NAME}` from the variables and `${file:/path}` from a file; `$${` is a plain `${`.

    Raises `ValueError` in words when one is not set, empty or not readable.
    """
    return _REFERENCE.sub(lambda found: "${" if found[1] else _looked_up(found[2], variables, files), text)


def _looked_up(name: str, variables: Mapping[str, str], files: bool) -> str:
    if not files and name not in variables:
        raise ValueError(f"${{{name}}} is not looked up here: give the secret itself")
    if name.startswith("file:"):
        path = Path(name.removeprefix("file:"))
        try:
            value = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(f"the file {path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError(f"the file {path} is not UTF-8 text") from None
        if not value:
            raise ValueError(f"the file {path} is empty")
        return value
    if not _VARIABLE.fullmatch(name):
        raise ValueError("a secret is named as ${NAME} or ${file:/path}")
    if not variables.get(name):
        raise ValueError(f"the environment variable {name} is not set")
    return variables[name]


class _Reading:
    """One pass over a file, which goes on after a problem so that all of them are told at once."""

    def __init__(
        self, file: ConfigFile, variables: Mapping[str, str], *, files: bool = True, settings: Settings | None = None
    ) -> None:
        self._file = file
        self._variables = variables
        self._files = files
        self._settings = settings
        self._problems: list[Problem] = []

    def config(self) -> Config:
        settings = self.settings()
        self.refuse_unknown_tables()
        brands = self.table("brands", BrandSpec)
        sources = self.table("sources", SourceSpec)
        channels = self.table("channels", ChannelSpec)
        self.finish()
        return Config(
            file=self._file,
            settings=settings,
            brands=tuple(spec.to_brand(settings, "file") for spec in brands),
            sources=tuple(spec.to_source("file") for spec in sources),
            channels=tuple(spec.to_channel(settings, "file") for spec in channels),
            references=(
                *_references("channel", "brands", brands, channels, lambda spec: spec.channels),
                *_references("brand", "sources", sources, brands, lambda spec: spec.brands),
            ),
        )

    def finish(self) -> None:
        if self._problems:
            raise ConfigError(self._problems)

    def settings(self) -> Settings:
        if self._settings and "settings" not in self._file.values:
            return self._settings
        try:
            return settings_from(self._file)
        except ConfigError as error:
            self._problems += error.problems
            return Settings()

    def refuse_unknown_tables(self) -> None:
        for name in self._file.values:
            if name not in TABLES:
                self._say((name,), unknown_key(name, TABLES))

    def table(self, name: str, spec: type[S]) -> list[S]:
        """The specs of an array of tables. Those that are wrong are left out, and said."""
        entries = self._file.values.get(name, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self._say((name,), f"must be tables: write [[{name}]] before each")
            return []
        specs: list[S] = []
        first_key: dict[str, str] = {}
        for index, entry in enumerate(entries):
            made = self._spec(spec, entry, (name, index))
            if made is None:
                continue
            if made.slug in first_key:
                self._say((name, index), f"{first_key[made.slug]} has the slug {made.slug} too: give one another slug")
                continue
            first_key[made.slug] = f"{name}[{index}]"
            specs.append(made)
        return specs

    def _spec(self, spec: type[S], entry: Mapping[str, Any], key: KeyPath) -> S | None:
        filled, unread = self._with_secrets(spec, entry, key)
        try:
            made = spec.model_validate(filled)
        except ValidationError as error:
            for fault in faults(error):
                if fault["loc"] or not unread:  # what the kind thinks of a stand-in is of no interest
                    self._say_fault(spec, key, fault)
            return None
        return None if unread else made

    def _with_secrets(self, spec: type[S], entry: Mapping[str, Any], key: KeyPath) -> tuple[dict[str, Any], bool]:
        filled, unread = dict(entry), False
        for name in SECRET_KEYS.get(spec, ()):
            if isinstance(entry.get(name), str):
                try:
                    filled[name] = substitute(entry[name], self._variables, files=self._files)
                except ValueError as error:
                    self._say((*key, name), str(error))
                    filled[name], unread = _UNREAD, True
        return filled, unread

    def _say_fault(self, spec: type[S], key: KeyPath, fault: ErrorDetails) -> None:
        offset = fault["ctx"]["position"] if fault["type"] == QUERY_ERROR else 0
        self._say((*key, *fault["loc"]), in_words(fault, spec.model_fields), offset)

    def _say(self, key: KeyPath, message: str, offset: int = 0) -> None:
        self._problems.append(self._file.problem(key, message, offset))


def _references(
    noun: Noun, table: str, specs: list[S], answers: list[Any], names: Callable[[S], tuple[str, ...]]
) -> list[Reference]:
    known = {answer.slug for answer in answers}
    field = f"{noun}s"
    return [
        Reference(noun, slug, (table, index, field, position))
        for index, spec in enumerate(specs)
        for position, slug in enumerate(names(spec))
        if slug not in known
    ]
