"""A query as a tree, and how a tree is written: `parse(str(expression)) == expression`.

    Expression
        And, Or, Not            of expressions
        Near                    two groups of Words with at most some words between them
        Words                   one word, or several side by side; in title and text, or in one field
        Exact                   a string taken literally
        Site, Source, Lang      what a post must come from or be written in

`start` and `end` say where in the query a clause was written; they and the spelling (`text`) are not part of equality.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

TextField = Literal["title", "author"]

OPERATORS = ("AND", "OR", "NOT", "NEAR", "ONEAR")
FIELDS = ("title", "site", "author", "lang", "source")

_PLAIN = re.compile(r"[#@]?\w[\w'’.·-]*\*?")


@dataclass(frozen=True, slots=True)
class Expression:
    """A query or a part of one. Immutable; `str()` writes it back with every parenthesis that it needs."""

    start: int = field(default=0, compare=False, repr=False, kw_only=True)
    end: int = field(default=0, compare=False, repr=False, kw_only=True)

    @property
    def children(self) -> tuple["Expression", ...]:
        return ()

    def walk(self) -> Iterator["Expression"]:
        """This expression and all that it is made of. Depth is bounded by the parser."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class And(Expression):
    parts: tuple[Expression, ...]

    @property
    def children(self) -> tuple[Expression, ...]:
        return self.parts

    def __str__(self) -> str:
        first, *rest = (_within(part, Or) for part in self.parts)
        return first + "".join(f" {part}" if part.startswith("-") else f" AND {part}" for part in rest)


@dataclass(frozen=True, slots=True)
class Or(Expression):
    parts: tuple[Expression, ...]

    @property
    def children(self) -> tuple[Expression, ...]:
        return self.parts

    def __str__(self) -> str:
        return " OR ".join(_within(part, And) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not(Expression):
    part: Expression

    @property
    def children(self) -> tuple[Expression, ...]:
        return (self.part,)

    def __str__(self) -> str:
        return f"NOT {self.part}" if isinstance(self.part, Not) else f"-{_within(self.part, And, Or, Near)}"


@dataclass(frozen=True, slots=True)
class Unit:
    """What one place of a phrase must hold. `offset` is its place in words; a tag such as #mi_marca is `width` wide.

    `prefix`: the word begins so. `loose`: n and ñ are one letter here, and `text` is spelt with n.
    """

    text: str
    offset: int = 0
    width: int = 1
    prefix: bool = False
    loose: bool = False

    @property
    def key(self) -> str:
        """The unit as an entry of a passage's keys: the word itself, or `espan*`, `~espana`, `~espan*`."""
        if not (self.prefix or self.loose):
            return self.text
        return f"{'~' if self.loose else ''}{self.text}{'*' if self.prefix else ''}"


@dataclass(frozen=True, slots=True)
class Words(Expression):
    """One word or several side by side. `text` is how they were written, without quotes and `~`."""

    units: tuple[Unit, ...]
    text: str = field(default="", compare=False, kw_only=True)
    field: TextField | None = None

    @property
    def loose(self) -> bool:
        return self.units[0].loose

    @property
    def width(self) -> int:
        """In words."""
        return self.units[-1].offset + self.units[-1].width

    def __str__(self) -> str:
        return _in_field(self.field, self.bare)

    @property
    def bare(self) -> str:
        """Written without its field."""
        plain = _PLAIN.fullmatch(self.text) and self.text not in OPERATORS
        return ("~" if self.loose else "") + (self.text if plain else f'"{self.text}"')


@dataclass(frozen=True, slots=True)
class Exact(Expression):
    """A string taken literally, case and accents included, not cut out of a longer word."""

    text: str
    field: TextField | None = None

    def __str__(self) -> str:
        return _in_field(self.field, f"`{self.text}`")


@dataclass(frozen=True, slots=True)
class Near(Expression):
    """Any of `left` and any of `right` with at most `distance` words between; `ordered`: the left one first."""

    left: tuple[Words, ...]
    right: tuple[Words, ...]
    distance: int
    ordered: bool = False
    field: TextField | None = None

    def __str__(self) -> str:
        operator = f"{'O' if self.ordered else ''}NEAR/{self.distance}"
        inner = f"{_group(self.left)} {operator} {_group(self.right)}"
        return inner if self.field is None else f"{self.field}:({inner})"


@dataclass(frozen=True, slots=True)
class Site(Expression):
    """The post stands on this domain or one below it."""

    domain: str

    def __str__(self) -> str:
        return f"site:{self.domain}"


@dataclass(frozen=True, slots=True)
class Source(Expression):
    """The post was collected from this source (its slug)."""

    slug: str

    def __str__(self) -> str:
        return f"source:{self.slug}"


@dataclass(frozen=True, slots=True)
class Lang(Expression):
    """The post is written in this language (two or three letters)."""

    code: str

    def __str__(self) -> str:
        return f"lang:{self.code}"


def _within(part: Expression, *kinds: type[Expression]) -> str:
    return f"({part})" if isinstance(part, kinds) else str(part)


def _group(alternatives: tuple[Words, ...]) -> str:
    text = " OR ".join(words.bare for words in alternatives)
    return f"({text})" if len(alternatives) > 1 else text


def _in_field(name: str | None, text: str) -> str:
    return text if name is None else f"{name}:{text}"
