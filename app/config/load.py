"""avizor.toml, read and checked as a whole.

    file | settings | ${secrets} | specs | unique slugs | names  ->  Config, with every problem at once

Nothing here touches a database: names that the file does not answer are settled by `plan`, which knows what is stored,
and which tells them together with the problems that were found here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from alerts.base import Channel
from app.config.spec import (
    QUERY_ERROR,
    BrandSpec,
    ChannelSpec,
    Described,
    PolicySpec,
    SourceSpec,
    Spec,
    keys_known,
    slugify,
)
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
from app.model import Brand, Policy
from app.settings import Settings, environment, settings_from
from collectors.base import Source

Noun = Literal["brand", "source", "channel"]
S = TypeVar("S", bound=Spec)

TABLES = ("settings", "policy", "brands", "sources", "channels")
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
    """What a file asks for. `references` are those that the file itself does not answer. `policy` None: it names none.

    `problems` are what is wrong with it: what they concern is missing from the rest, and wrong settings are as usual.
    Nobody can carry out a Config that has any: `plan` refuses it.
    """

    file: ConfigFile
    settings: Settings
    brands: tuple[Brand, ...] = ()
    sources: tuple[Source, ...] = ()
    channels: tuple[Channel, ...] = ()
    policy: Policy | None = None
    references: tuple[Reference, ...] = ()
    problems: tuple[Problem, ...] = ()

    def check(self) -> None:
        """Raise `ConfigError` with what is wrong with the file itself, for who has no storage at hand to plan with."""
        if self.problems:
            raise ConfigError(self.problems)


def load_config(path: Path, variables: Mapping[str, str] | None = None) -> Config:
    """Read and check the whole file. `variables` are what `${NAME}` may name, by default the environment.

    Every problem is in `problems`, with its line. Raises `ConfigError` only for what is not to be read as TOML.
    """
    return _Reading(read_config_file(path), environment() if variables is None else variables).config()


def read_config(
    text: str, name: str, variables: Mapping[str, str], *, files: bool, settings: Settings | None = None
) -> Config:
    """The same for a text that came some other way; `name` is what problems call it.

    Without `files` no secret is looked up outside of `variables`: whoever sent the text must not read ours. `settings`
    hold where the text has no [settings] of its own.
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
        policy = self.policy()
        return Config(
            file=self._file,
            settings=settings,
            brands=tuple(spec.to_brand(settings, "file") for spec in brands),
            sources=tuple(spec.to_source("file") for spec in sources),
            channels=tuple(spec.to_channel(settings, "file") for spec in channels),
            policy=policy.to_policy(self._file.path.name) if policy else None,
            references=(*self._references("channel", "brands"), *self._references("brand", "sources")),
            problems=tuple(self._problems),
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

    def policy(self) -> PolicySpec | None:
        """The table [policy]. One that is wrong is left out, and said."""
        if "policy" not in self._file.values:
            return None
        entry = self._file.values["policy"]
        if not isinstance(entry, dict):
            self._say(("policy",), "must be a table: write [policy] on a line of its own")
            return None
        try:
            return PolicySpec.model_validate(entry)
        except ValidationError as error:
            for fault in faults(error):
                self._say_fault(PolicySpec, ("policy",), fault)
            return None

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

    def _references(self, noun: Noun, table: str) -> list[Reference]:
        """What the tables name and no table of the file is called. Tables that are wrong in other ways count too."""
        field = f"{noun}s"
        known = {_slug(entry) for _, entry in self._entries(field)}
        return [
            Reference(noun, slug, (table, index, field, position))
            for index, entry in self._entries(table)
            for position, slug in enumerate(_names(entry, field))
            if isinstance(slug, str) and slugify(slug) == slug and slug not in known  # what is no slug is said already
        ]

    def _entries(self, name: str) -> list[tuple[int, Mapping[str, Any]]]:
        entries = self._file.values.get(name, [])
        listed = entries if isinstance(entries, list) else []
        return [(index, entry) for index, entry in enumerate(listed) if isinstance(entry, dict)]

    def _say_fault(self, spec: type[Described], key: KeyPath, fault: ErrorDetails) -> None:
        offset = fault["ctx"]["position"] if fault["type"] == QUERY_ERROR else 0
        self._say((*key, *fault["loc"]), in_words(fault, keys_known(spec, fault["loc"])), offset)

    def _say(self, key: KeyPath, message: str, offset: int = 0) -> None:
        self._problems.append(self._file.problem(key, message, offset))


def _slug(entry: Mapping[str, Any]) -> str:
    """What a table that may be wrong is called."""
    slug, name = entry.get("slug"), entry.get("name")
    return slug if isinstance(slug, str) and slug else slugify(name) if isinstance(name, str) else ""


def _names(entry: Mapping[str, Any], field: str) -> list[Any]:
    names = entry.get(field)
    return names if isinstance(names, list) else []
