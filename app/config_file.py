"""A configuration file, and what can be wrong with it: every fault names the file, the line and the key.

    bytes -> tomllib -> the values          (what the file says)
          -> Scanner -> the spots           (on which line it says it)

`tomllib` keeps no positions, so the text, once `tomllib` has accepted it, is walked a second time for them alone.
"""

import difflib
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

KeyPath = tuple[str | int, ...]
"""Where a value stands: `("brands", 0, "query")`."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\r\n]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[ \t]*\r?\n[ \t\r\n]*|.)")
_TOML_POSITION = re.compile(r"\s*\(at line (\d+), column \d+\)$")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `place` is `avizor.toml:12` or `environment`; `key` is `brands[0].query` or ``."""

    place: str
    key: str
    message: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.place}: {self.key}: {self.message}" if self.key else f"{self.place}: {self.message}"


class ConfigError(Exception):
    """The configuration cannot be used. Holds every problem in the file's order; its text has one line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a value begins. `breaks` are the offsets in a string's value at which the file's next line begins."""

    line: int
    breaks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file that was read: its values, and where each stands. Lines count from 1."""

    path: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    spots: Mapping[KeyPath, Spot] = field(default_factory=dict)

    def line(self, key: KeyPath, offset: int = 0) -> int:
        """The line of a value, or of the nearest table around it. `offset` counts characters inside a string."""
        for end in range(len(key), 0, -1):
            spot = self.spots.get(key[:end])
            if spot is not None:
                return spot.line + sum(at <= offset for at in spot.breaks)
        return 1

    def problem(self, key: KeyPath, message: str, offset: int = 0) -> Problem:
        line = self.line(key, offset)
        return Problem(f"{self.path}:{line}", dotted(key), message, line)


def read_config_file(path: Path) -> ConfigFile:
    """Read a TOML file. Raises `ConfigError` when it is missing, unreadable or not TOML."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError([Problem(str(path), "", f"cannot be read: {error.strerror}")]) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(f"{path}:{line}", "", "is not UTF-8; save the file as UTF-8")]) from None
    return parse_config_file(path, text)


def parse_config_file(path: Path, text: str) -> ConfigFile:
    """The values and spots of a TOML text; `path` only names it in errors. Raises `ConfigError` if it is not TOML."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, found = str(error), _TOML_POSITION.search(str(error))
        line = int(found[1]) if found else text.rstrip().count("\n") + 1
        words = _TOML_POSITION.sub("", message).removesuffix(" (at end of document)")
        raise ConfigError([Problem(f"{path}:{line}", "", f"is not TOML: {words}")]) from None
    return ConfigFile(path, values, Scanner(text).scan())


def dotted(key: KeyPath) -> str:
    """A key as a person writes it: `brands[0].query`."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _BARE_KEY.fullmatch(part) else f'"{part}"')
    return text


def unknown_key(key: str, known: Collection[str]) -> str:
    """What to say about a key that nobody reads: the likely one, or all that there are."""
    near = likely(key, known)
    return f"unknown key; did you mean {near}?" if near else f"unknown key; known are {', '.join(sorted(known))}"


def likely(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    return next(iter(difflib.get_close_matches(word, sorted(known), n=1)), None)


def in_words(error: ErrorDetails, known: Collection[str]) -> str:
    """One pydantic error as a person reads it, without the value that caused it."""
    match error["type"]:
        case "extra_forbidden":
            return unknown_key(str(error["loc"][-1]), known)
        case "missing":
            return "is missing"
        case "value_error":
            return str(error["ctx"]["error"])
        case _:
            message = error["msg"]
            return message[:1].lower() + message[1:]


def faults(error: ValidationError) -> list[ErrorDetails]:
    """A validation's errors, without those that only follow from another."""
    return [
        e for e in error.errors(include_url=False, include_input=False) if e["type"] != "default_factory_not_called"
    ]


class Scanner:
    """Walks a text that `tomllib` accepted and notes where every key, table, array item and string begins.

    It trusts the text to be TOML, so it only needs to know where things end: https://toml.io/en/v1.0.0
    """

    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.spots: dict[KeyPath, Spot] = {}
        self.tables: dict[KeyPath, int] = {}  # arrays of tables, and how many tables each has so far
        self._line, self._counted = 1, 0

    def scan(self) -> dict[KeyPath, Spot]:
        table: KeyPath = ()
        while self._skip(_BLANK) and self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
        return self.spots

    def _line_here(self) -> int:
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return True

    def _note(self, key: KeyPath, line: int, breaks: tuple[int, ...] = ()) -> None:
        for end in range(1, len(key)):
            self.spots.setdefault(key[:end], Spot(line))
        self.spots[key] = Spot(line, breaks)

    def _header(self) -> KeyPath:
        line = self._line_here()
        many = self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        names = self._key()
        self._skip(_SPACE)
        self.at += 2 if many else 1
        table = (*self._enter(names[:-1]), names[-1]) if many else self._enter(names)
        if many:
            index = self.tables.get(table, 0)
            self.tables[table] = index + 1
            table = (*table, index)
        self._note(table, line)
        return table

    def _enter(self, names: tuple[str, ...]) -> KeyPath:
        """The path of a table named in a header: a name of an array of tables means its last table."""
        path: KeyPath = ()
        for name in names:
            path = (*path, name)
            if path in self.tables:
                path = (*path, self.tables[path] - 1)
        return path

    def _key(self) -> tuple[str, ...]:
        names = []
        while True:
            self._skip(_SPACE)
            if self.text[self.at] in "\"'":
                start = self.at
                self._string()
                names.append(tomllib.loads(f"key = {self.text[start : self.at]}")["key"])
            else:
                start = self.at
                self._skip(_BARE_KEY)
                names.append(self.text[start : self.at])
            self._skip(_SPACE)
            if self.text[self.at] != ".":
                return tuple(names)
            self.at += 1

    def _pair(self, table: KeyPath) -> None:
        line = self._line_here()
        key: KeyPath = (*table, *self._key())
        self.at += 1  # the equals sign
        self._value(key, line)

    def _value(self, key: KeyPath, line: int) -> None:
        """Read a value; `line` is that of its key, or of itself inside an array."""
        self._skip(_SPACE)
        match self.text[self.at]:
            case '"' | "'":
                self._note(key, line, self._string())
            case "[":
                self._note(key, line)
                self._array(key)
            case "{":
                self._note(key, line)
                self._inline_table(key)
            case _:
                self._note(key, line)
                self._skip(_BARE_VALUE)

    def _array(self, key: KeyPath) -> None:
        self.at += 1
        index = 0
        while self._skip(_BLANK) and self.text[self.at] != "]":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self._value((*key, index), self._line_here())
            index += 1
        self.at += 1

    def _inline_table(self, key: KeyPath) -> None:
        self.at += 1
        while self._skip(_BLANK) and self.text[self.at] != "}":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self._pair(key)
        self.at += 1

    def _string(self) -> tuple[int, ...]:
        """Pass over a string of any of the four kinds. Returns its line breaks (`Spot.breaks`)."""
        quote = self.text[self.at]
        fence = quote * 3 if self.text.startswith(quote * 3, self.at) else quote
        self.at += len(fence)
        start, offset, breaks = self.at, 0, []
        while not self.text.startswith(fence, self.at):
            step = _ESCAPE.match(self.text, self.at) if quote == '"' else None
            piece = step[0] if step else self.text[self.at]
            kept = "\n" not in piece if step else not (piece == "\n" and self.at == start)
            offset += kept
            breaks += [offset] * piece.count("\n")
            self.at += len(piece)
        self.at += len(fence)
        while len(fence) == 3 and self.text.startswith(quote, self.at):  # up to two quotes may end the content
            self.at += 1
        return tuple(breaks)
