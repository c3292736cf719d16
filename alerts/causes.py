"""What a crisis is about, and whether a second, different one has begun inside it.

    stories of the incident -> over_represented -> cause_terms -> Cause
    negative stories of now, Causes that run -> apart -> the rest -> (the detector still alarms) -> second -> Cause

One crisis is told in many words and in more than one language; so a second one is named only where the rest has a topic
of its own that those who speak of the first one do not speak of. Whatever is in doubt belongs to the crisis that runs:
its page has been sent.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from itertools import compress, pairwise
from math import sqrt
from typing import Any, TypeVar

from alerts.base import Term
from alerts.terms import READ_WORDS, SAY_NOTHING, language_of, over_represented, surprise

_Told = TypeVar("_Told")

MAIN = "negative"
_SPEAKS = 0.15  # of the stories of a crisis, for a term to stand for it
_TOPIC, _TOPIC_STORIES = 0.12, 4  # of what is left of the rest, for a topic to be what it is about
_ELSEWHERE = 0.1  # of the stories of the crisis that runs: a topic of fewer is not theirs
_CANDIDATES = 30
_VOCABULARY, _VOCABULARY_ONE_IN = 300, 50
# The best of some hundred words weighs this much by chance once in a hundred times.
_SURE = 16.0
_LATER = 2.3  # standard deviations: any part of the first crisis is so late by chance once in a hundred times
_LINKS, _LINKED = 2, 1 / 3  # stories, and the share of a word's, that bind it to a topic
_NAME = 40

# How people feel and whom they speak to: said of every crisis alike, so no sign of one.
_OF_ANY_CRISIS = frozenset[str]().union(
    *(
        said.split()
        for said in (
            """ahora atencion ayer cliente clientes dia dias empresa esperando favor gente gracias hola hora horas hoy
            persona personas problema problemas queja quejas reclamacion responde responden responder respuesta semana
            servicio solucion asco decepcion desastre fatal horrible horror inaceptable indignante lamentable mal mala
            malo malos peor pesima pesimo terrible vergonzoso verguenza""",
            """answer business call called company complaint customer customers day days hello help hour hours issue
            issues people please problem problems reply response service thanks time today tomorrow waiting week
            yesterday angry appalling avoid awful bad disappointed disaster disgrace disgraceful disgusting horrible
            joke pathetic ridiculous shame shameful shocking terrible unacceptable worst""",
        )
    )
)

# Of Spanish and English words: "cancelado", "cancelaron" and "cancelled" are one word here.
_ENDINGS = frozenset[str]().union(
    *(
        endings.split()
        for endings in (
            """aciones acion adores adoras ador adora amientos amiento imientos imiento iendo ieron iones ion ando aron
            adas ados ada ado idas idos ida ido aban aba aran ara an en ar er ir as os es a o e""",
            "ations ation ings ing ers ed s",
        )
    )
)
_LONGEST = max(map(len, _ENDINGS))
_STEM = 4  # letters at least that a word keeps


@dataclass(frozen=True, slots=True)
class Cause:
    """What one crisis is about. `name` is the incident's cause: "negative", or "negative:<word>" for a second one.

    `terms` are folded words and pairs of neighbours. None: it is not known what the crisis is about.
    """

    name: str
    terms: tuple[str, ...]


def subject(
    here: Sequence[Sequence[str]],
    usual: Sequence[Sequence[str]],
    leave_out: Collection[str] = (),
    *,
    most: int = 8,
) -> tuple[str, ...]:
    """What the stories of a crisis are about, against the brand's `usual` ones: terms that 15 % of them say or more.

    Forms of a word count together: "cancelado", "cancelan" and "cancelled"; the one said most often stands for them.
    """
    read = _Read.of(here)
    terms = _own(read, [_stems(story) for story in usual], leave_out)
    return tuple(read.spelt(term) for term in terms if _count(term, read.said) >= _SPEAKS * len(here))[:most]


def cause_terms(
    terms: Sequence[Term], here: Sequence[Sequence[str]] | None = None, *, most: int = 8
) -> tuple[str, ...]:
    """Which of the `terms` of a crisis stand for it: at least 15 % of its stories, `here`, say them in some form.

    Words that any crisis is told with ("terrible", "customer service") do not. Without `here` the rest of them do.
    `subject` finds more: it looks for terms by all their forms.
    """
    said = [_said(_stems(story)) for story in here or ()]
    found: dict[str, str] = {}
    for term in terms:
        key = _key(term.word)
        if _is_topical(key) and key not in found and (here is None or _count(key, said) >= _SPEAKS * len(said)):
            found[key] = term.word
    return tuple(found.values())[:most]


def is_about(words: Sequence[str], terms: Iterable[str]) -> bool:
    """A story, as folded words in order, says at least one of the terms, in some form; a pair as neighbours."""
    return not _said(_stems(words)).isdisjoint(map(_key, terms))


def apart(told: Sequence[_Told], words: Callable[[_Told], Sequence[str]], known: Sequence[Cause]) -> list[_Told]:
    """Those that speak of none of the causes, in order. Where it is not known what a cause is about, it may be all."""
    if not all(cause.terms for cause in known):
        return []
    terms = {_key(term) for cause in known for term in cause.terms}
    return [one for one in told if _said(_stems(words(one))).isdisjoint(terms)]


def second(
    rest: Sequence[Sequence[str]],
    known: Sequence[Sequence[str]],
    usual: Sequence[Sequence[str]],
    leave_out: Collection[str] = (),
    *,
    rest_at: Sequence[datetime] = (),
    known_at: Sequence[datetime] = (),
) -> Cause | None:
    """The crisis that the `rest` tells of, beside the one that the stories of `known` tell of; None: no other one.

    Stories are folded words in order; `rest_at` and `known_at` are when each was told, where that is known and had no
    part in what is rest. What of the rest shares a word with `known` that the brand's `usual` stories do not say as
    often is still the crisis that runs. What is left has a topic where words that are said together stand in an eighth
    of it, and in four stories; hardly (under 10 %) in the stories of the crisis that runs, taken in the topic's main
    language; and no chance makes that difference. So a topic that is told in a language in which nobody tells of the
    first is not named: it may be the first one, translated. Times are a witness beside the words: a part of the first
    crisis is as old as it, a second one is younger. With them all that is new may be one topic, in two languages.
    """
    if not known:
        return None
    before = [_stems(story) for story in usual]
    first, others = _Read.of(known, known_at), _Read.of(rest, rest_at)
    vocabulary = frozenset(_own(first, before, leave_out, most=_VOCABULARY, one_in=_VOCABULARY_ONE_IN))
    shared = [not said.isdisjoint(vocabulary) for said in others.said]
    left = others.where([not is_shared for is_shared in shared])
    first = first.with_those(others.where(shared))
    own = [term for term in _own(left, before, leave_out) if _is_rare({term}, left, first)]
    topics = [_topic(term, own, left.said) for term in own]
    if left.at and first.at and own:
        topics.append(own)
    for topic in topics:
        told = sum(not said.isdisjoint(topic) for said in left.said)
        if told >= max(_TOPIC_STORIES, _TOPIC * len(left.said)) and _is_of_another(set(topic), left, first):
            name = max(topic, key=lambda term: _count(term, left.said))
            terms = [name, *(term for term in topic if term != name)]
            return Cause(f"{MAIN}:{_slug(left.spelt(name))}", tuple(map(left.spelt, terms)))
    return None


def _topic(term: str, own: Sequence[str], said: Sequence[frozenset[str]]) -> list[str]:
    """The term and those that are said together with it, or with those: one in three times, and twice at least."""
    topic = [term]
    members: list[frozenset[str]] = []
    while True:
        grown = [story for story in said if not story.isdisjoint(topic)]
        if len(grown) == len(members):
            return topic
        members = grown
        topic += [
            other
            for other in own
            if other not in topic and _count(other, members) >= max(_LINKS, _count(other, said) * _LINKED)
        ]


@dataclass(frozen=True, slots=True)
class _Read:
    """Stories as stems in order, as what they say (stems and pairs of neighbours), and the language of each."""

    words: Sequence[Sequence[str]]
    stems: Sequence[Sequence[str]]
    said: Sequence[frozenset[str]]
    languages: Sequence[str | None]
    at: Sequence[datetime]

    @classmethod
    def of(cls, stories: Sequence[Sequence[str]], at: Sequence[datetime] = ()) -> "_Read":
        stems = [_stems(story) for story in stories]
        return cls(stories, stems, [_said(story) for story in stems], [language_of(story) for story in stories], at)

    def where(self, wanted: Sequence[bool]) -> "_Read":
        return _Read(*(list(compress(column, wanted)) for column in self._columns()))

    def with_those(self, others: "_Read") -> "_Read":
        pairs = zip(self._columns(), others._columns(), strict=True)
        return _Read(*([*mine, *theirs] for mine, theirs in pairs))

    def _columns(self) -> tuple[Sequence[Any], ...]:
        return self.words, self.stems, self.said, self.languages, self.at

    def spelt(self, term: str) -> str:
        """The form in which a term is said most often."""
        width = term.count(" ")
        forms = Counter(
            " ".join(words[place : place + width + 1])
            for words, stems in zip(self.words, self.stems, strict=True)
            for place in range(len(stems) - width)
            if " ".join(stems[place : place + width + 1]) == term
        )
        return min(forms, key=lambda form: (-forms[form], form))


def _own(
    read: _Read, usual: Sequence[Sequence[str]], leave_out: Collection[str], most: int = _CANDIDATES, one_in: int = 10
) -> list[str]:
    """What the stories say more often than usual, as stems."""
    terms = over_represented(read.stems, usual, leave_out={_key(word) for word in leave_out}, most=most, one_in=one_in)
    return [term.word for term in terms if _is_topical(term.word)]


def _is_rare(topic: Collection[str], rest: _Read, known: _Read) -> bool:
    """Those who speak of the crisis that runs, in the language of those who say it, do not say it."""
    _, _, there, of_them = _said_by(topic, rest, known)
    return there < _ELSEWHERE * of_them


def _is_of_another(topic: Collection[str], rest: _Read, known: _Read) -> bool:
    """It is rare there, and that is no chance; and where it is known when it was said, it began later."""
    if not _is_rare(topic, rest, known):
        return False
    here, there = (sum(not said.isdisjoint(topic) for said in read.said) for read in (rest, known))
    words = surprise(here, len(rest.said), there, len(known.said))
    if not rest.at or not known.at:
        return words >= _SURE
    late = _lateness(topic, rest, known)
    return late >= _LATER and words + late * late >= _SURE


def _lateness(topic: Collection[str], rest: _Read, known: _Read) -> float:
    """By how many standard deviations those who say it spoke later than the others did, by rank.

    Source: Mann and Whitney, "On a test of whether one of two random variables is stochastically larger than the
    other", Annals of Mathematical Statistics 18(1), 1947. Stories of one instant count half.
    """
    mine = [at for said, at in zip(rest.said, rest.at, strict=True) if not said.isdisjoint(topic)]
    others = sorted([*known.at, *(at for said, at in zip(rest.said, rest.at, strict=True) if said.isdisjoint(topic))])
    after = sum(bisect_left(others, at) + bisect_right(others, at) for at in mine) / 2
    pairs = len(mine) * len(others)
    return (after - pairs / 2) / sqrt(pairs * (len(mine) + len(others) + 1) / 12) if pairs else 0.0


def _said_by(topic: Collection[str], rest: _Read, known: _Read) -> tuple[int, int, int, int]:
    """How many of the rest say it and how many there are, and the same of the known; in the topic's main language."""
    languages = Counter(
        language
        for language, said in zip(rest.languages, rest.said, strict=True)
        if language and not said.isdisjoint(topic)
    )
    spoken = min(languages, key=lambda name: (-languages[name], name), default=None)
    here, there = (
        [
            not said.isdisjoint(topic)
            for language, said in zip(read.languages, read.said, strict=True)
            if spoken is None or language is None or language == spoken
        ]
        for read in (rest, known)
    )
    return sum(here), len(here), sum(there), len(there)


def _is_topical(key: str) -> bool:
    return not _stems_of_any_crisis().issuperset(key.split())


@cache
def _stems_of_any_crisis() -> frozenset[str]:
    return frozenset(map(_stem, _OF_ANY_CRISIS))


def _count(term: str, said: Iterable[Collection[str]]) -> int:
    return sum(term in story for story in said)


def _said(stems: Sequence[str]) -> frozenset[str]:
    return frozenset(stems).union(map(" ".join, pairwise(stems)))


def _stems(story: Sequence[str]) -> list[str]:
    return [_stem(word) for word in story[:READ_WORDS]]


def _key(term: str) -> str:
    return " ".join(map(_stem, term.split()))


@lru_cache(maxsize=16_384)
def _stem(word: str) -> str:
    """A word without its ending, where enough of it is left; small words as they are. Rough: it tells topics apart."""
    if word in SAY_NOTHING:
        return word
    for length in range(min(_LONGEST, len(word) - _STEM), 0, -1):
        if word[-length:] in _ENDINGS:
            word = word[:-length]
            break
    return word[:-1] if len(word) > _STEM and word[-1] == word[-2] else word


def _slug(term: str) -> str:
    """Letters, digits and hyphens, 40 at most."""
    letters = "".join(letter if letter.isalnum() else "-" for letter in term)
    return letters[:_NAME].strip("-")
