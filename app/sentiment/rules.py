"""VADER's rules in linear time: the same figures as vaderSentiment 3.3.2, bit for bit, for any text.

    text -> emoji by name -> words -> the charged ones -> each one's valence -> "but" -> sum -> Reading

Source of the rules: Hutto & Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
Text", ICWSM 2014, as in `vaderSentiment.SentimentIntensityAnalyzer`, which lends its lexicon, boosters, negations and
idioms. That one lower-cases the whole text again for every charged word, and searches the list of valences from its
start for every valence (issue 110 there): a post of 64 kB costs it 90 s. Here every word is looked up once and only the
charged ones are visited. The order of the floating-point operations is kept, and so are its oddities (see `_but`), or
the figures would differ.
"""

import math
import re
import string
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from heapq import heappop, heappush
from typing import NamedTuple

from vaderSentiment import vaderSentiment as vader
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

# Bound here with their types: they are read for every charged word.
C_INCR: float = vader.C_INCR
N_SCALAR: float = vader.N_SCALAR
BOOSTER_DICT: Mapping[str, float] = vader.BOOSTER_DICT

_REMEMBERED = 30_000  # words; a word costs about 150 bytes
_LONGEST_REMEMBERED = 40  # letters: longer ones are not words, and would let a hostile text fill the memory

# Words that the rules name beside the lexicon, the boosters and the negations.
_NAMED = frozenset(
    ("no", "or", "nor", "so", "this", "never", "without", "doubt", "least", "at", "very", "of", "kind", "but")
)
_PHRASES: Mapping[tuple[str, ...], float] = {
    tuple(key.split()): value for key, value in vader.SPECIAL_CASES.items() if " " in key
}
_BOOSTING_PAIRS: Mapping[tuple[str, ...], float] = {
    tuple(key.split()): value for key, value in BOOSTER_DICT.items() if " " in key
}
_PHRASE_WORDS = frozenset(word for phrase in (*_PHRASES, *_BOOSTING_PAIRS) for word in phrase)
# Every phrase has one of these, and few other texts do: without one nearby no phrase needs to be looked for.
_ANCHORS = _PHRASE_WORDS - {"the", "of", "to", "for", "just", "bad", "yeah", "bus", "kiss", "beating"}
_NEGATIONS = frozenset(vader.NEGATE)
_ACTORS = _ANCHORS | _NEGATIONS | frozenset(BOOSTER_DICT) | {"no", "so", "this", "without", "least"}


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """What the rules need to know of one word. `valence`: -4 (worst) to 4 (best), None = not in the lexicon."""

    lower: str
    upper: bool  # written in capitals
    valence: float | None = None
    boost: float = 0.0
    negates: bool = False
    acts: bool = False  # may change the valence of a word nearby
    anchor: bool = False


# Most words play no part in any rule: these two stand for all of them.
_PLAIN, _PLAIN_UPPER = Word("", False), Word("", True)


class Hit(NamedTuple):
    """A charged word, the `place`-th of the text. `first` is the earliest of the three words before that changed it."""

    place: int
    valence: float
    first: int


class Reading(NamedTuple):
    """vaderSentiment's four figures, rounded as there, and the charged words with their final valence.

    `emphasis` is what "!!!" and "??" add to the sum of the valences, below 0 where that is.
    """

    neg: float
    neu: float
    pos: float
    compound: float
    hits: Sequence[Hit] = ()
    emphasis: float = 0.0


@cache
def rules() -> "Rules":
    """The one set of rules of this process; the lexicon is read on the first call (about 10 ms)."""
    return Rules(SentimentIntensityAnalyzer())


class Rules:
    """Reads texts. Thread-safe: what it remembers of a word depends on that word alone."""

    def __init__(self, analyzer: SentimentIntensityAnalyzer) -> None:
        self._words = _Words(analyzer.lexicon)
        # A key of several characters (a flag, a skin tone) never matches there: it looks at one character at a time.
        self._names = {emoji: name for emoji, name in analyzer.emojis.items() if len(emoji) == 1}
        # One range round all of them, since a class of 143 ranges is tried range by range at every character.
        symbols = sorted(emoji for emoji in self._names if emoji > "\u2000")
        others = "".join(emoji for emoji in self._names if emoji <= "\u2000")
        self._emoji = re.compile(f"[{re.escape(others)}{symbols[0]}-{symbols[-1]}]")

    def read(self, text: str) -> Reading:
        """The tone of `text`, in time linear in its length."""
        text = self.named(text)
        words = list(map(self._words.__getitem__, text.split()))
        if not words:
            return Reading(0.0, 0.0, 0.0, 0.0)
        hits = _hits(words)
        if hits and "but" in text.lower():
            hits = _but(words, hits)
        return _sum(hits, len(words), _emphasis(text))

    def named(self, text: str) -> str:
        """`text` with each emoji replaced by its English name, set off by a space as vaderSentiment does."""
        return text if text.isascii() else self._emoji.sub(self._name, text)

    def spans(self, text: str, words: Collection[int]) -> dict[int, tuple[int, int]]:
        """Where these words of `read(text)` stand in `text`: index -> (start, end), punctuation round them left out.

        A word of an emoji's name stands where the emoji does.
        """
        named = self.named(text)
        shifts = self._shifts(text) if named != text else None
        wanted, spans, end = set(words), {}, 0
        for index, token in enumerate(named.split(None, max(wanted) + 1)[: max(wanted) + 1]):
            start = named.index(token, end)
            end = start + len(token)
            if index in wanted:
                bare = _bare(token)
                start += token.index(bare)
                until = start + len(bare)
                spans[index] = (shifts[start], shifts[until - 1] + 1) if shifts else (start, until)
        return spans

    def _name(self, symbol: re.Match[str]) -> str:
        name = self._names.get(symbol[0])
        if name is None:
            return symbol[0]
        at = symbol.start()
        return name if at == 0 or symbol.string[at - 1] == " " else f" {name}"

    def _shifts(self, text: str) -> list[int]:
        """For each character of `named(text)`, the offset in `text` that it comes from."""
        shifts: list[int] = []
        done = 0
        for symbol in self._emoji.finditer(text):
            shifts += (*range(done, symbol.start()), *[symbol.start()] * len(self._name(symbol)))
            done = symbol.end()
        return [*shifts, *range(done, len(text))]


class _Words(dict[str, Word]):
    """Tokens as written -> `Word`, filled as they are met."""

    def __init__(self, lexicon: Mapping[str, float]) -> None:
        self._lexicon = lexicon

    def __missing__(self, token: str) -> Word:
        word = self._word(_bare(token))
        if len(token) <= _LONGEST_REMEMBERED:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[token] = word
        return word

    def _word(self, bare: str) -> Word:
        lower, upper = bare.lower(), bare.isupper()
        valence, boost = self._lexicon.get(lower), BOOSTER_DICT.get(lower, 0.0)
        negates = lower in _NEGATIONS or "n't" in lower
        if valence is None and not boost and not negates and lower not in _NAMED and lower not in _PHRASE_WORDS:
            return _PLAIN_UPPER if upper else _PLAIN
        return Word(lower, upper, valence, boost, negates, negates or lower in _ACTORS, lower in _ANCHORS)


def _bare(token: str) -> str:
    """Without punctuation round it; as it is where two characters or fewer would remain, for it may be an emoticon."""
    bare = token.strip(string.punctuation)
    return bare if len(bare) > 2 else token


# ── one charged word ─────────────────────────────────────────────────────────


def _hits(words: Sequence[Word]) -> list[Hit]:
    charges = [(index, word.valence) for index, word in enumerate(words) if word.valence is not None]
    if not charges:
        return []
    uppers = len([word for word in words if word.upper])
    shouting = 0 < uppers < len(words)  # capitals say something only where not all is in capitals
    hits = [_hit(words, index, charge, shouting) for index, charge in charges]
    return [hit for hit in hits if hit is not None]


def _hit(words: Sequence[Word], index: int, charge: float, shouting: bool) -> Hit | None:
    """What the word adds to the text's tone, among its neighbours."""
    if actors := [near for near in words[max(0, index - 3) : index + 3] if near.acts]:
        return _hit_among(actors, words, index, charge, shouting)
    return Hit(index, _emphasised(charge, words[index], shouting), index)


def _hit_among(actors: Sequence[Word], words: Sequence[Word], index: int, charge: float, shouting: bool) -> Hit | None:
    """The same where a neighbour, or the word itself, acts. None for the "kind" of "kind of": that is a booster."""
    word, valence, first = words[index], charge, index
    if word.lower == "kind" and index + 1 < len(words) and words[index + 1].lower == "of":
        return None
    if word.lower == "no" and index + 1 < len(words) and words[index + 1].valence is not None:
        valence = 0.0  # it negates the next word, and says nothing itself
    if no := _no_before(words, index):
        valence = charge * N_SCALAR
        first = index - no
    valence = _emphasised(valence, word, shouting)
    for distance in (1, 2, 3):
        if distance > index:
            break
        near = words[index - distance]
        if near.valence is not None:
            continue
        before = valence
        if near.boost:
            valence += _boost(near, valence, shouting) * (1.0, 0.95, 0.9)[distance - 1]
        if near.acts or distance == 3:
            valence = _negation(valence, words, index, distance)
        if distance == 3 and True in [actor.anchor for actor in actors]:
            valence = _phrases(valence, words, index)
        if valence != before:
            first = min(first, index - distance if near.acts else index - 2 if words[index - 2].acts else index - 1)
    if index > 0 and words[index - 1].lower == "least" and (index == 1 or words[index - 2].lower not in ("at", "very")):
        valence *= N_SCALAR
        first = min(first, index - 1)
    return Hit(index, valence, first)


def _emphasised(valence: float, word: Word, shouting: bool) -> float:
    if not (word.upper and shouting):
        return valence
    return valence + (C_INCR if valence > 0 else -C_INCR)


def _no_before(words: Sequence[Word], index: int) -> int:
    """How many words before this one there is a "no" that negates it; 0 = none."""
    if index > 0 and words[index - 1].lower == "no":
        return 1
    if index > 1 and words[index - 2].lower == "no":
        return 2
    if index > 2 and words[index - 3].lower == "no" and words[index - 1].lower in ("or", "nor"):
        return 3
    return 0


def _boost(near: Word, valence: float, shouting: bool) -> float:
    boost = -near.boost if valence < 0 else near.boost
    if near.upper and shouting:
        boost += C_INCR if valence > 0 else -C_INCR
    return boost


def _negation(valence: float, words: Sequence[Word], index: int, distance: int) -> float:
    """`valence` after what the word at `distance` before does to it."""
    near = words[index - distance]
    if distance == 1:
        return valence * N_SCALAR if near.negates else valence
    between = words[index - distance + 1].lower
    last = words[index - 1].lower
    if (near.lower == "never" and between in ("so", "this")) or (distance == 3 and last in ("so", "this")):
        return valence * 1.25
    if near.lower == "without" and "doubt" in (between, last):
        return valence
    return valence * N_SCALAR if near.negates else valence


def _phrases(valence: float, words: Sequence[Word], index: int) -> float:
    """Idioms such as "the bomb" replace the valence, pairs such as "sort of" before the word dampen it."""
    three, two, one, zero = (word.lower for word in words[index - 3 : index + 1])
    for phrase in ((one, zero), (two, one, zero), (two, one), (three, two, one), (three, two)):
        if phrase in _PHRASES:
            valence = _PHRASES[phrase]
            break
    after = tuple(word.lower for word in words[index + 1 : index + 3])
    valence = _PHRASES.get((zero, *after[:1]), valence)
    if len(after) == 2:
        valence = _PHRASES.get((zero, *after), valence)
    for pair in ((three, two), (two, one)):
        valence += _BOOSTING_PAIRS.get(pair, 0.0)
    return valence


# ── the whole text ───────────────────────────────────────────────────────────


def _but(words: Sequence[Word], hits: Sequence[Hit]) -> list[Hit]:
    """Halve what stands before the first "but", strengthen what follows it by half.

    vaderSentiment goes through the valences and changes, for each one that it meets, the *first* word that has that
    valence at that moment. Two equal valences, or one that becomes equal to another, are therefore weighted in odd
    ways, and its lexicon and thresholds were tuned with that. Kept as it is; a heap of hits per valence makes it
    linear.
    """
    but = next((index for index, word in enumerate(words) if word.lower == "but"), None)
    if but is None:
        return list(hits)
    valences = [hit.valence for hit in hits]
    holders: dict[float, list[int]] = {}
    for hit, valence in enumerate(valences):
        holders.setdefault(valence, []).append(hit)  # ascending: already a heap
    for hit in range(len(valences)):
        valence = valences[hit]
        if valence == 0.0:
            continue
        heap = holders[valence]
        while valences[heap[0]] != valence:
            heappop(heap)
        first = heap[0]
        valences[first] = changed = valence * (0.5 if hits[first].place < but else 1.5)
        heappush(holders.setdefault(changed, []), first)
    return [Hit(hit.place, valence, hit.first) for hit, valence in zip(hits, valences, strict=True)]


def _emphasis(text: str) -> float:
    """What up to four exclamation marks and two or more question marks add."""
    questions = text.count("?")
    asked = 0.0 if questions < 2 else questions * 0.18 if questions <= 3 else 0.96
    return min(text.count("!"), 4) * 0.292 + asked


def _sum(hits: Sequence[Hit], words: int, emphasis: float) -> Reading:
    positive = negative = 0.0
    neutral = words
    valences = [valence for _, valence, _ in hits]
    total = float(sum(valences))  # not added up in the loop: from Python 3.12 `sum` is more exact than that
    for valence in valences:
        if valence > 0:
            positive += valence + 1  # a neutral word counts 1, so a charged one counts 1 more than its valence
            neutral -= 1
        elif valence < 0:
            negative += valence - 1
            neutral -= 1
    added = math.copysign(emphasis, total) if total else 0.0
    total += added
    if positive > -negative:
        positive += emphasis
    elif positive < -negative:
        negative -= emphasis
    whole = positive - negative + neutral
    return Reading(
        neg=round(abs(negative / whole), 3),
        neu=round(neutral / whole, 3),
        pos=round(abs(positive / whole), 3),
        compound=round(total / math.sqrt(total * total + 15), 4) + 0.0,
        hits=hits,
        emphasis=added,
    )
