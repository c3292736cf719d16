"""The grave things that a text says: deaths, poisonings, fires, recalls, frauds ... unless it denies them.

    text -> window -> folded words, cut at marks -> phrases of the lexicon
                                                 -> less those in an idiom, out of their company, or denied -> terms

The lexicon is `grave.tsv`, which says itself how it is written. It is for what shows in one sentence: who is to blame,
and whether the brand is more than a bystander, it does not know.

A negation reaches `SCOPE` words, as in the fast tier, to the next mark or conjunction. It does not reach what is named
with its article ("no avisaron del incendio": there was a fire), where a denial does ("niega el fraude"); what is not
denied ("no niega el fraude") was said. In a row of things ("ni muertos, heridos o detenidos") it reaches all of them.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from app.query.fold import fold
from app.sentiment.negation import NEGATIONS, SCOPE
from app.sentiment.normal import guard

LEXICON = Path(__file__).with_name("grave.tsv")
LANGUAGES = ("es", "en", "pt", "fr", "de", "it")
OTHERWISE = ("es", "en")  # read where the language is none of these
NEAR = 8  # words on each side, within the sentence, where a term's company is looked for
DENIAL_SCOPE = 6  # words behind a denial, and before one that follows
SHORTEST_STEM = 3
NOTHING = "-"
KINDS = ("group", "term", "idiom", "denial", "retraction", "padding", "break", "article", "link")

_TOKEN = re.compile(
    r"https?://\S+|www\.\S+|[@]\w+"  # links and handles are no words of the text
    r"|(?P<number>\d+(?:[.,]\d+)*)(?!\w)"
    r"|(?P<word>[^\W_]+)"
    r"|(?P<clause>[,:;()\[\]\"])|(?P<sentence>[.!?…¿¡\n]+)"
)
_NOT = re.compile(r"(?<=\w)n't\b")
_NEGATIONS = {  # Italian "ne" is "né" only with its accent, which is lost here, and else a pronoun
    code: frozenset(map(fold, words)) - ({"ne"} if code == "it" else set()) for code, words in NEGATIONS.items()
}


def grave_terms(text: str, language: str | None) -> tuple[str, ...]:
    """The terms (the lexicon's, lower case, in the text's language) that `text` says, in their order, each once.

    `language` is a code like `es` or `es-MX`; where it is None or not one of `LANGUAGES`, Spanish and English are read.
    The part of the text that is read is the one that scorers hear: its first 2,000 characters or 400 words.
    """
    code = (language or "").partition("-")[0].lower()
    codes = (code,) if code in LANGUAGES else OTHERWISE
    read = _NOT.sub("nt", fold(guard(text).text))
    return tuple(dict.fromkeys(chain.from_iterable(_said(read, lexicon(code)) for code in codes)))


# ── what is said ─────────────────────────────────────────────────────────────


class _Words(NamedTuple):
    """The words of a text, and for each the number of its clause and of its sentence."""

    words: list[str]
    clauses: list[int]
    sentences: list[int]

    def only(self, places: Sequence[int]) -> "_Words":
        return _Words(
            [self.words[at] for at in places],
            [self.clauses[at] for at in places],
            [self.sentences[at] for at in places],
        )


class _Hit(NamedTuple):
    start: int
    end: int
    line: "Line"


_START = attrgetter("start")


def _said(text: str, lexicon: "Lexicon") -> Iterator[str]:
    read = _read(text, lexicon)
    hits = list(_found(read, lexicon.terms))
    if not hits:
        return
    idle = {place for hit in _found(read, lexicon.idioms) for place in range(hit.start, hit.end)}
    seen: dict[int, list[_Hit]] = {}
    denied_until = -1
    for hit in sorted(hits, key=lambda hit: (hit.start, hit.end)):
        if not idle.isdisjoint(range(hit.start, hit.end)) or not _in_company(read, hit, seen):
            continue
        if _is_denied(read, hit, lexicon) or _goes_on(read, denied_until, hit, lexicon):
            denied_until = max(denied_until, hit.end)
        elif hit.start >= denied_until and hit.line.name != NOTHING:
            yield hit.line.name


def _read(text: str, lexicon: "Lexicon") -> _Words:
    words: list[str] = []
    clauses: list[int] = []
    sentences: list[int] = []
    clause = sentence = 0
    for token in _TOKEN.finditer(text):
        word = token["word"] or token["number"]
        if word:
            words.append(word)
            clauses.append(clause)
            sentences.append(sentence)
        else:
            clause += 1
            sentence += token["sentence"] is not None
    read = _Words(words, clauses, sentences)
    padding = {place for hit in _found(read, lexicon.padding) for place in range(hit.start, hit.end)}
    if not padding:
        return read
    return read.only([place for place in range(len(words)) if place not in padding])


def _found(read: _Words, phrases: "Phrases") -> Iterator[_Hit]:
    """Every phrase of these, wherever it stands within one clause."""
    for start, word in enumerate(read.words):
        for line in phrases.beginning(word):
            end = start + len(line.phrase)
            if end <= len(read.words) and read.clauses[start] == read.clauses[end - 1]:
                rest = zip(line.phrase[1:], read.words[start + 1 : end], strict=True)
                if all(place.takes(other) for place, other in rest):
                    yield _Hit(start, end, line)


def _in_company(read: _Words, hit: _Hit, seen: dict[int, list[_Hit]]) -> bool:
    """One of the words that the term needs is near, and none of those that make something else of it.

    `seen` keeps what was found in the whole text, by the identity of the phrases: many terms ask for the same.
    """
    near, unless = hit.line.near, hit.line.unless
    if unless is not None and any(True for _ in _around(read, hit, unless, seen)):
        return False
    return near is None or any(not hit.start <= one.start < hit.end for one in _around(read, hit, near, seen))


def _around(read: _Words, hit: _Hit, phrases: "Phrases", seen: dict[int, list[_Hit]]) -> Iterator[_Hit]:
    every = seen.get(id(phrases))
    if every is None:
        every = seen[id(phrases)] = list(_found(read, phrases))
    for place in range(bisect_left(every, hit.start - NEAR, key=_START), len(every)):
        one = every[place]
        if one.start >= hit.end + NEAR:
            break
        if read.sentences[one.start] == read.sentences[hit.start]:
            yield one


def _is_denied(read: _Words, hit: _Hit, lexicon: "Lexicon") -> bool:
    before = _before(read, hit.start, DENIAL_SCOPE, lexicon)
    for denial in _found(before, lexicon.denials):
        ahead = before.words[max(0, denial.start - 2) : denial.start]
        return lexicon.negations.isdisjoint(ahead)  # who does not deny it says it
    negated = _before(read, hit.start, SCOPE, lexicon).words
    named = bool(negated) and negated[-1] in lexicon.articles
    if not named and not lexicon.negations.isdisjoint(negated):
        return True
    end = min(hit.end + DENIAL_SCOPE, len(read.words))
    after = [at for at in range(hit.end, end) if read.clauses[at] == read.clauses[hit.end - 1]]
    return any(True for _ in _found(read.only(after), lexicon.retractions))


def _before(read: _Words, end: int, most: int, lexicon: "Lexicon") -> _Words:
    """The words before that place in its clause: at most so many, and none before a word that begins anew."""
    start = end
    while start > max(0, end - most):
        if read.clauses[start - 1] != read.clauses[end] or read.words[start - 1] in lexicon.breaks:
            break
        start -= 1
    return read.only(range(start, end))


def _goes_on(read: _Words, denied_until: int, hit: _Hit, lexicon: "Lexicon") -> bool:
    """The term goes on a row of things whose last one was denied: "ni muertos, heridos o detenidos"."""
    if not 0 <= denied_until <= hit.start or read.sentences[denied_until - 1] != read.sentences[hit.start]:
        return False
    between = read.words[denied_until : hit.start]
    return len(between) <= 2 and all(word in lexicon.links for word in between)


# ── the lexicon ──────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Place:
    """What may stand in one place of a phrase: these words, words that begin so, a figure, anything."""

    words: frozenset[str]
    stems: tuple[str, ...]
    figure: bool
    anything: bool

    def takes(self, word: str) -> bool:
        if self.anything or word in self.words or word.startswith(self.stems):
            return True
        return self.figure and word[0].isdigit()


@dataclass(frozen=True, slots=True)
class Line:
    """A phrase, and what it says: only with one of `near` in its company, and with none of `unless`."""

    name: str
    phrase: tuple[Place, ...]
    near: "Phrases | None" = None
    unless: "Phrases | None" = None


@dataclass(frozen=True, slots=True)
class Phrases:
    """Phrases by how they begin."""

    by_word: dict[str, list[Line]] = field(default_factory=dict)
    by_stem: dict[str, list[tuple[str, Line]]] = field(default_factory=dict)  # by its first three letters
    by_figure: list[Line] = field(default_factory=list)

    def add(self, line: Line) -> None:
        first = line.phrase[0]
        for word in first.words:
            self.by_word.setdefault(word, []).append(line)
        for stem in first.stems:
            self.by_stem.setdefault(stem[:SHORTEST_STEM], []).append((stem, line))
        if first.figure:
            self.by_figure.append(line)

    def beginning(self, word: str) -> Iterator[Line]:
        """The phrases whose first place takes this word."""
        yield from self.by_word.get(word, ())
        for stem, line in self.by_stem.get(word[:SHORTEST_STEM], ()):
            if word.startswith(stem) and word not in line.phrase[0].words:
                yield line
        if self.by_figure and word[0].isdigit():
            yield from self.by_figure


@dataclass(frozen=True, slots=True)
class Lexicon:
    """One language's part of it."""

    terms: Phrases
    idioms: Phrases
    denials: Phrases
    retractions: Phrases
    padding: Phrases
    breaks: frozenset[str]
    articles: frozenset[str]
    links: frozenset[str]
    negations: frozenset[str]


@cache
def lexicon(code: str) -> Lexicon:
    """The lexicon of one of `LANGUAGES`, read on the first call. Raises `ValueError` for a bad line."""
    return _lexicon_of(code, _rows())


def _lexicon_of(code: str, every: Iterable["_Row"]) -> Lexicon:
    rows = [row for row in every if row[0] == code]
    groups: dict[str, tuple[str, ...]] = {}
    for _, kind, name, forms, _, _ in rows:
        if kind == "group":
            groups[f"@{name}"] = tuple(_spelt(forms, groups))
    return Lexicon(
        terms=_phrases("term", rows, groups),
        idioms=_phrases("idiom", rows, groups),
        denials=_phrases("denial", rows, groups),
        retractions=_phrases("retraction", rows, groups),
        padding=_phrases("padding", rows, groups),
        breaks=_words("break", rows),
        articles=_words("article", rows),
        links=_words("link", rows),
        negations=_NEGATIONS[code],
    )


_Row = tuple[str, str, str, str, str, str]
"""language, kind, name, forms, near, unless"""


@cache
def _rows() -> tuple[_Row, ...]:
    return tuple(_rows_of(LEXICON))


def _rows_of(path: Path) -> Iterator[_Row]:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        columns = [*line.split("\t"), "", ""][:6]
        language, kind, name, forms, *company = columns
        if language not in LANGUAGES or kind not in KINDS or not forms:
            raise ValueError(f"{path.name}, line {number}: is not language, kind, name, forms, near, unless")
        yield language, kind, name, forms, company[0], company[1]


def _words(kind: str, rows: Sequence[_Row]) -> frozenset[str]:
    return frozenset(form for row in rows if row[1] == kind for form in _spelt(row[3], {}))


def _phrases(kind: str, rows: Iterable[_Row], groups: Mapping[str, tuple[str, ...]]) -> Phrases:
    phrases = Phrases()
    companies = {forms: _company(forms, groups) for row in rows for forms in row[4:] if row[1] == kind}
    for _, of, name, forms, near, unless in rows:
        if of != kind:
            continue
        company = (companies[near], companies[unless])
        for form in _spelt(forms, groups):
            phrases.add(Line(name, _phrase(form), *company))
    return phrases


def _company(forms: str, groups: Mapping[str, tuple[str, ...]]) -> Phrases | None:
    if not forms:
        return None
    company = Phrases()
    for form in _spelt(forms, groups):
        company.add(Line("", _phrase(form)))
    return company


def _spelt(forms: str, groups: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """The forms one by one, folded, with those of a group in its place."""
    for form in forms.split():
        if form.startswith("@"):
            yield from groups[form]
        else:
            yield fold(form)


def _phrase(form: str) -> tuple[Place, ...]:
    """`hallad*|encontrad*_muert*`: places between `_`, what may stand in one between `|`."""
    return tuple(_place(each.split("|")) for each in form.split("_"))


def _place(choices: Sequence[str]) -> Place:
    stems = tuple(choice[:-1] for choice in choices if choice.endswith("*"))
    if any(len(stem) < SHORTEST_STEM for stem in stems):
        raise ValueError(f"{LEXICON.name}: a stem has {SHORTEST_STEM} letters or more, not {min(stems, key=len)}*")
    words = frozenset(choice for choice in choices if not choice.endswith("*") and choice not in ("#", "?"))
    return Place(words, stems, "#" in choices, "?" in choices)
