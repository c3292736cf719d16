"""Text of a query in, Expression out, in one pass from left to right.

    text -> tokens -> alternatives (OR) of -> conjunctions (AND, or nothing) of -> [NOT, -] operands [NEAR/n operand]

NEAR binds tightest, then NOT, then AND, then OR. The reader's version of the language is docs/query-language.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from app.query.errors import QueryError
from app.query.expression import (
    FIELDS,
    OPERATORS,
    And,
    Exact,
    Expression,
    Lang,
    Near,
    Not,
    Or,
    Site,
    Source,
    TextField,
    Unit,
    Words,
)
from app.query.fold import composed, domain, is_unspaced, tags, words

MAX_BYTES = 8192
MAX_DEPTH = 50
MAX_TERMS = 500
MAX_DISTANCE = 50
MIN_PREFIX = 2

EXAMPLES = {"title": "acme", "site": "elpais.com", "author": "acme", "lang": "es", "source": "el-pais"}
TRANSLATED_FIELDS = {
    "título": "title",
    "titulo": "title",
    "sitio": "site",
    "web": "site",
    "domain": "site",
    "dominio": "site",
    "autor": "author",
    "idioma": "lang",
    "lengua": "lang",
    "language": "lang",
    "fuente": "source",
}

Leaf = TypeVar("Leaf", bound=Expression)
Kind = Literal["(", ")", "quoted", "exact", "minus", "tilde", "field", "word", "AND", "OR", "NOT", "NEAR", "end"]

_JOINTS: Mapping[str, Kind] = {"AND": "AND", "OR": "OR", "NOT": "NOT"}
# What closes what opened. Word processors and telephones put curly ones where a straight one was typed.
_CLOSING = {'"': '"＂', "＂": '"＂'} | dict.fromkeys("“”„‟", '“”„‟"') | {"«": "»", "»": "«"}
_OPENING = "".join(_CLOSING)
_MINUS = "-−–—‐‑"
_STOP = re.compile(f"[\\s()（）`{_OPENING}]")
_FIELD = re.compile(r"([^\W\d_]+):(?!//)")
_NEAR = re.compile(r"(O?NEAR)(?:/(\d*))?", re.IGNORECASE)
_NEAR_WITHOUT_NUMBER = re.compile(r"(O?NEAR)/")
_SITE = re.compile(r"(?:[a-z]+://)?(?:\*?\.)?(?:www\.)*((?:[\w-]{1,63}\.){0,20}[\w-]{1,63})\.?/?", re.IGNORECASE)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}")
_SOURCE = re.compile(r"[\w.-]{1,200}", re.ASCII)
_SIGN_LOST = re.compile(r"(.*\w)([+#]+)")
_TILDE_INSIDE = re.compile(r"~\d*$")


def parse(text: str) -> Expression:
    """The expression that `text` writes. Raises `QueryError` with the place of the mistake."""
    _require_short(text)
    expression = _Parser(_tokens(text)).query()
    if _depth(expression) > MAX_DEPTH:
        raise QueryError("too_deep", 0, limit=MAX_DEPTH)
    _require_something(expression)
    if len(text) > MAX_BYTES // 16:  # a letter may become `title:` and a parenthesis
        _require_short(str(expression))  # what we write back must be a query again
    return expression


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Kind
    text: str
    start: int
    end: int
    distance: int = 0


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        after_field = bool(tokens) and tokens[-1].kind == "field" and tokens[-1].end == at
        token = _token(text, at, after_field)
        tokens.append(token)
        at = token.end
    tokens.append(_Token("end", "", len(text), len(text)))
    return tokens


def _token(text: str, at: int, after_field: bool) -> _Token:
    char = text[at]
    if char in "(（":
        return _Token("(", char, at, at + 1)
    if char in ")）":
        return _Token(")", char, at, at + 1)
    if char in _CLOSING:
        return _quoted(text, at)
    if char == "`":
        end = text.find("`", at + 1)
        if end < 0:
            raise QueryError("unclosed_backtick", at)
        return _Token("exact", text[at + 1 : end], at, end + 1)
    if char in _MINUS:
        return _Token("minus", char, at, at + 1)
    if char == "~":
        return _Token("tilde", char, at, at + 1)
    if not after_field and (name := _FIELD.match(text, at)):
        return _field(name)
    return _operator_or_word(text, at)


def _quoted(text: str, at: int) -> _Token:
    closing = re.compile(f"[{_CLOSING[text[at]]}]").search(text, at + 1)
    if closing is None:
        raise QueryError("unclosed_quote", at)
    inner = " ".join(text[at + 1 : closing.start()].replace('"', " ").split())
    tail = re.compile(r"~(\d+)").match(text, closing.end())
    if tail:
        raise QueryError("distance_after_phrase", closing.end(), number=tail[1])
    return _Token("quoted", inner, at, closing.end())


def _field(match: re.Match[str]) -> _Token:
    name = match[1].lower()
    if name in FIELDS:
        return _Token("field", name, match.start(), match.end())
    if name in TRANSLATED_FIELDS:
        raise QueryError("translated_field", match.start(), field=TRANSLATED_FIELDS[name])
    raise QueryError("unknown_field", match.start(), name=_short(match[1]), fields=", ".join(f"{f}:" for f in FIELDS))


def _operator_or_word(query: str, start: int) -> _Token:
    stop = _STOP.search(query, start)
    end = stop.start() if stop else len(query)
    text = query[start:end]
    if text in _JOINTS:
        return _Token(_JOINTS[text], text, start, end)
    if _TILDE_INSIDE.search(text):
        raise QueryError("tilde_inside", end - 1)
    near = _NEAR.fullmatch(text)
    if near is None and (meant := _NEAR_WITHOUT_NUMBER.match(text)):
        raise QueryError("near_needs_number", start, operator=meant[1], limit=MAX_DISTANCE)
    if near is None or (near[2] is None and text not in OPERATORS):
        return _Token("word", text, start, end)
    if not near[1].isupper():
        raise QueryError("near_capitals", start, operator=text.upper())
    if not near[2]:
        raise QueryError("near_needs_number", start, operator=near[1], limit=MAX_DISTANCE)
    if len(near[2]) > 3 or int(near[2]) > MAX_DISTANCE:
        raise QueryError("near_too_far", start, operator=near[1], limit=MAX_DISTANCE)
    return _Token("NEAR", near[1], start, end, int(near[2]))


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0
        self._terms = 0

    def query(self) -> Expression:
        if self._peek.kind == "end":
            raise QueryError("empty", 0)
        expression = self._alternatives(None)
        if self._peek.kind == ")":
            raise QueryError("unopened_parenthesis", self._peek.start)
        return expression

    @property
    def _peek(self) -> _Token:
        return self._tokens[self._next]

    @property
    def _passed(self) -> int:
        """Where the last token that was taken ends."""
        return self._tokens[self._next - 1].end

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _alternatives(self, field: str | None) -> Expression:
        start = self._peek.start
        parts = [self._conjunction(field)]
        while self._peek.kind == "OR":
            operator = self._take()
            self._require_operand(operator)
            parts.append(self._conjunction(field))
        return _joined(Or, parts, start, self._passed)

    def _conjunction(self, field: str | None) -> Expression:
        start = self._peek.start
        parts = [self._negation(field)]
        while self._peek.kind not in ("OR", ")", "end"):
            if self._peek.kind == "AND":
                self._require_operand(self._take())
            parts.append(self._negation(field))
        return _joined(And, parts, start, self._passed)

    def _negation(self, field: str | None) -> Expression:
        token = self._peek
        if token.kind == "NOT":
            self._require_operand(self._take())
            self._descend(token)
            part = self._negation(field)
            self._depth -= 1
            return Not(part, start=token.start, end=self._passed)
        if token.kind == "minus":
            return self._minus(field)
        return self._near(field)

    def _minus(self, field: str | None) -> Expression:
        token = self._take()
        follows = self._peek
        if follows.start != token.end or follows.kind not in ("(", "quoted", "exact", "tilde", "field", "word"):
            raise QueryError("missing_after_minus", token.start)
        part = self._operand(field)
        if self._peek.kind == "NEAR":
            raise QueryError("near_minus", token.start, operator=_near_text(self._peek))
        return Not(part, start=token.start, end=self._passed)

    def _near(self, field: str | None) -> Expression:
        if self._peek.kind in ("AND", "OR", "NEAR"):
            raise QueryError("missing_before", self._peek.start, operator=_near_text(self._peek))
        start = self._peek.start
        left = self._operand(field)
        if self._peek.kind != "NEAR":
            return left
        operator = self._take()
        self._require_operand(operator)
        if self._peek.kind in ("NOT", "minus"):
            raise QueryError("near_operand", self._peek.start, operator=_near_text(operator))
        right = self._operand(field)
        if self._peek.kind == "NEAR":
            raise QueryError("near_chain", self._peek.start, operator=self._peek.text)
        if field not in (None, "title", "author"):
            raise QueryError("words_only", operator.start, field=field)
        return Near(
            _alternatives_of(left, operator, field),
            _alternatives_of(right, operator, field),
            operator.distance,
            operator.text == "ONEAR",
            _text_field(field),
            start=start,
            end=self._passed,
        )

    def _operand(self, field: str | None) -> Expression:
        token = self._take()
        if token.kind == "(":
            return self._group(token, field)
        if token.kind == "field":
            return self._fielded(token, field)
        if token.kind == "tilde":
            return self._loose(token, field)
        if token.kind in ("word", "quoted", "exact"):
            return self._count(_leaf(token, field))
        if token.kind == ")":
            raise QueryError("unopened_parenthesis", token.start)
        raise QueryError("missing_before", token.start, operator=_near_text(token))

    def _group(self, opening: _Token, field: str | None) -> Expression:
        self._descend(opening)
        if self._peek.kind == ")":
            raise QueryError("empty_parentheses", opening.start)
        if self._peek.kind == "end":
            raise QueryError("unclosed_parenthesis", opening.start)
        inner = self._alternatives(field)
        if self._take().kind != ")":
            raise QueryError("unclosed_parenthesis", opening.start)
        self._depth -= 1
        return inner

    def _fielded(self, name: _Token, outer: str | None) -> Expression:
        if outer is not None:
            raise QueryError("field_in_field", name.start, inner=name.text, outer=outer)
        follows = self._peek
        values = {"field": name.text, "example": EXAMPLES[name.text]}
        if follows.start == name.end and follows.kind == "minus":
            raise QueryError("minus_after_field", name.start, **values)
        if follows.start != name.end or follows.kind not in ("(", "quoted", "exact", "tilde", "word"):
            raise QueryError("empty_field", name.start, **values)
        return self._operand(name.text)

    def _loose(self, tilde: _Token, field: str | None) -> Expression:
        follows = self._peek
        if follows.start != tilde.end or follows.kind not in ("word", "quoted"):
            raise QueryError("missing_after_tilde", tilde.start)
        if field not in (None, "title", "author"):
            raise QueryError("words_only", tilde.start, field=field)
        found = self._count(_words(self._take(), _text_field(field)))
        loose = tuple(replace(unit, text=unit.text.replace("ñ", "n"), loose=True) for unit in found.units)
        return replace(found, units=loose, start=tilde.start)

    def _count(self, leaf: Leaf) -> Leaf:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise QueryError("too_many_terms", leaf.start, limit=MAX_TERMS)
        return leaf

    def _require_operand(self, operator: _Token) -> None:
        follows = self._peek
        if follows.kind in ("end", ")", "OR", "AND", "NEAR"):
            raise QueryError("missing_after", operator.start, operator=_near_text(operator))

    def _descend(self, token: _Token) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise QueryError("too_deep", token.start, limit=MAX_DEPTH)


def _near_text(token: _Token) -> str:
    return f"{token.text}/{token.distance}" if token.kind == "NEAR" else token.text


def _joined(kind: type[And] | type[Or], parts: list[Expression], start: int, end: int) -> Expression:
    """One expression of `parts`; a part of the same kind is dissolved, so that a OR (b OR c) is a OR b OR c."""
    if len(parts) == 1:
        return parts[0]
    flat: list[Expression] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, kind) else (part,))
    return kind(tuple(flat), start=start, end=end)


def _alternatives_of(operand: Expression, operator: _Token, field: str | None) -> tuple[Words, ...]:
    """The words or phrases that one side of NEAR may be, without their field, which `Near` itself carries."""
    alternatives: list[Words] = []
    for part in operand.parts if isinstance(operand, Or) else (operand,):
        if not isinstance(part, Words):
            raise QueryError("near_operand", part.start, operator=_near_text(operator))
        if part.field is not None and field is None:
            raise QueryError("near_field", part.start, field=part.field, operator=_near_text(operator))
        alternatives.append(replace(part, field=None))
    return tuple(alternatives)


def _text_field(field: str | None) -> TextField | None:
    return "title" if field == "title" else "author" if field == "author" else None


def _leaf(token: _Token, field: str | None) -> Expression:
    if field in ("site", "source", "lang"):
        return _origin(token, field)
    if token.kind == "exact":
        if not token.text.strip():
            raise QueryError("blank_exact", token.start)
        return Exact(composed(token.text), _text_field(field), start=token.start, end=token.end)
    return _words(token, _text_field(field))


def _words(token: _Token, field: TextField | None) -> Words:
    if token.kind == "word" and (lost := _SIGN_LOST.fullmatch(token.text)):
        raise QueryError("sign_lost", token.start + lost.start(2), text=_short(lost[1]), sign=lost[2])
    at = token.start + (token.kind == "quoted")
    units = _units(token.text, at, with_tags=field != "author")
    if not units:
        raise QueryError("nothing_to_find", token.start, text=_short(token.text))
    return Words(units, field, text=token.text, start=token.start, end=token.end)


def _origin(token: _Token, field: str) -> Expression:
    if token.kind == "exact":
        raise QueryError("words_only", token.start, field=field)
    if field == "site":
        site = _SITE.fullmatch(token.text)
        name = domain(site[1]) if site else ""
        if not _SITE.fullmatch(name):
            raise QueryError("bad_site", token.start)
        return Site(name, start=token.start, end=token.end)
    if field == "lang":
        if not _LANGUAGE.fullmatch(token.text):
            raise QueryError("bad_language", token.start)
        return Lang(token.text.lower(), start=token.start, end=token.end)
    if not _SOURCE.fullmatch(token.text):
        raise QueryError("bad_source", token.start)
    return Source(token.text.lower(), start=token.start, end=token.end)


def _units(text: str, at: int, with_tags: bool) -> tuple[Unit, ...]:
    """The words of `text`, tags as one, those before a `*` as prefixes. `at` is its place in the query, for errors."""
    units: list[Unit] = []
    offset = 0
    pieces = text.split("*")
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        found = _plain_units(piece, offset, with_tags)
        at += len(piece)
        if following is not None:
            if not _ends_in_word(piece) or (following and words(following[0])) or not found:
                raise QueryError("star_inside", at)
            found[-1] = _prefix(found[-1], at)
        at += 1
        units += found
        offset = units[-1].offset + units[-1].width if units else 0
    return tuple(units)


def _ends_in_word(piece: str) -> bool:
    return bool(words(composed(piece)[-1:]))


def _prefix(unit: Unit, at: int) -> Unit:
    if is_unspaced(unit.text):
        return unit  # found inside longer runs as it is
    if len(unit.text.lstrip("#@")) < MIN_PREFIX:
        raise QueryError("star_too_short", at, limit=MIN_PREFIX)
    return replace(unit, prefix=True)


def _plain_units(text: str, offset: int, with_tags: bool) -> list[Unit]:
    tag_at = {position: (tag, width) for tag, position, width in tags(text)} if with_tags else {}
    found = words(text)
    units: list[Unit] = []
    position = 0
    while position < len(found):
        tag, width = tag_at.get(position, (found[position], 1))
        units.append(Unit(tag, offset + position, width))
        position += width
    return units


def _require_short(text: str) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise QueryError("too_long", 0, size=size, limit=MAX_BYTES)


def _depth(expression: Expression) -> int:
    """How deep `str(expression)` may nest: every operator may need a parenthesis, NEAR one more for its groups."""
    if isinstance(expression, Near):
        return 2
    return 1 + max(map(_depth, expression.children)) if expression.children else 0


def _require_something(expression: Expression) -> None:
    """Every alternative must name something that has to appear: refuse what would find nearly everything."""
    culprit = _boundless(expression, wanted=True)
    if culprit is not None:
        code = "only_language" if isinstance(culprit, Lang) else "only_exclusions"
        raise QueryError(code, culprit.start)


def _boundless(expression: Expression, wanted: bool) -> Expression | None:
    """The part that needs nothing to appear, or None. `wanted` is False under an odd number of NOTs."""
    if isinstance(expression, Not):
        return _boundless(expression.part, not wanted) and expression
    if isinstance(expression, And | Or):
        culprits = [_boundless(part, wanted) for part in expression.parts]
        if isinstance(expression, And) is wanted:  # one part that must appear is enough
            return None if None in culprits else next(filter(None, culprits))
        return next(filter(None, culprits), None)
    return None if wanted and not isinstance(expression, Lang) else expression


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
