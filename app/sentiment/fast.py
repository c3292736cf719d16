"""The fast tier: a linear model a language, and in English VADER beside it.

    texts by language -> guard -> tokens -> linear model (+ VADER's figures) -> log-probabilities -> Sentiment
    a text without words, or in another language -> its emoji, if they are clear -> else unknown

Weights: `weights/fast-CODE.npz`, made by benchmarks/tone/fast.py; each carries a card that says from what.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from re import Match
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.model import Evidence, Language, Sentiment
from app.sentiment import symbols
from app.sentiment.base import NOBODY, judged, unheard
from app.sentiment.linear import NEGATES, SHOWN, Heard, Linear, Weights, log_probabilities, read_weights
from app.sentiment.normal import Guarded, guard, tokens

if TYPE_CHECKING:
    from app.sentiment.rules import Reading as Figures
    from app.sentiment.rules import Rules

WEIGHTS = Path(__file__).parent / "weights"
LANGUAGES = ("es", "en", "pt", "fr", "de", "it")
EVIDENCE = 5  # spans kept
LEAST = 0.1  # what a span must add to the logits' difference to be worth showing
TOGETHER = 64  # texts worked on at a time: bounds what a batch of the longest ones holds


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What the fast tier makes of one text. `logits` are calibrated log-probabilities, negative, neutral, positive."""

    logits: NDArray[np.float32]
    components: Mapping[str, float]
    text: str
    guarded: Guarded
    tokens: Sequence[Match[str]]
    heard: Heard
    temperature: float
    beside: Mapping[int, float] = field(default_factory=dict)  # what other ears add, by the character it begins at

    def evidence(self) -> tuple[Evidence, ...]:
        """The up to five spans that weigh most, heaviest first: what each adds to log(p_positive / p_negative)."""
        found = []
        for _, start, end, weight in sorted(self._spans())[:EVIDENCE]:
            start, end = self.guarded.span(start, end)
            found.append(Evidence(start, end, self.text[start:end], round(weight, 3)))
        return tuple(found)

    def _spans(self) -> list[tuple[float, int, int, float]]:
        """(-weight's size, start, end, weight) of words and emoji; a word right behind its negation is one with it."""
        spans: list[tuple[int, int, float]] = []
        negation = False
        for token, share, kind, turned in zip(
            self.tokens, self._shares(), self.heard.kinds.tolist(), self.heard.turned.tolist(), strict=True
        ):
            if kind & SHOWN:
                start, end = token.span()
                weight = share / self.temperature
                if negation and turned:
                    start, _, before = spans.pop()
                    weight += before
                spans.append((start, end, weight))
            negation = bool(kind & NEGATES)
        return [(-abs(weight), start, end, weight) for start, end, weight in spans if abs(weight) >= LEAST]

    def _shares(self) -> list[float]:
        """What each token adds to the logits' difference, other ears included."""
        shares: list[float] = self.heard.shares.tolist()
        if self.beside:
            starts = [token.start() for token in self.tokens]
            for at, share in self.beside.items():
                place = bisect_right(starts, at) - 1
                if place >= 0 and at < self.tokens[place].end():
                    shares[place] += share
        return shares


class Fast:
    """`Scorer` of the languages that have weights. Thread-safe; a language's model is read with its first text."""

    def __init__(self, languages: Sequence[str] = LANGUAGES) -> None:
        self._languages = frozenset(languages) & frozenset(LANGUAGES)
        self._models: dict[str, tuple[Linear, Weights]] = {}
        self._loading = Lock()

    @cached_property
    def id(self) -> str:
        """Whatever languages are enabled, it names all weights: they are one release."""
        files = (sha256((WEIGHTS / f"fast-{code}.npz").read_bytes()).digest() for code in LANGUAGES)
        return f"fast/1:{sha256(b''.join(files)).hexdigest()}"

    def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        return [
            self.unread(text, language)
            if reading is None
            else judged(
                np.exp(reading.logits.astype(np.float64)).tolist(),
                scorer=self.id,
                language=language,
                evidence=reading.evidence(),
                components=reading.components,
            )
            for text, language, reading in zip(texts, languages, self.read(texts, languages), strict=True)
        ]

    def read(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Reading | None]:
        """What the models make of each text; None = no model for its language, or nothing in it that a model hears."""
        if len(texts) != len(languages):
            raise ValueError(f"{len(texts)} texts, but {len(languages)} languages")
        readings: list[Reading | None] = [None] * len(texts)
        places: dict[str, list[int]] = {}
        for place, language in enumerate(languages):
            if language.code in self._languages:
                places.setdefault(language.code, []).append(place)
        for code, mine in places.items():
            for first in range(0, len(mine), TOGETHER):
                some = mine[first : first + TOGETHER]
                for place, reading in zip(some, self._read(code, [texts[place] for place in some]), strict=True):
                    readings[place] = reading
        return readings

    def _read(self, code: str, texts: Sequence[str]) -> list[Reading | None]:
        model, weights = self._model(code)
        guards = [guard(text) for text in texts]
        found = [tokens(guarded.text) for guarded in guards]
        readings: list[Reading | None] = [None] * len(texts)
        said = [place for place, each in enumerate(found) if any(map(_is_word, each))]
        heard = model.hear([[token[0] for token in found[place]] for place in said])
        for place, each in zip(said, heard, strict=True):
            logits: Sequence[float] = each.logits
            components: dict[str, float] = {}
            beside: dict[int, float] = {}
            if code == "en":
                figures = _vader().read(guards[place].text)
                components["vader"] = figures.compound
                logits = _with_extra(logits, extra_of(figures), weights)
                beside = _shared(guards[place].text, figures, weights)
            readings[place] = Reading(
                logits=np.array(log_probabilities(logits, weights.temperature), np.float32),
                components=components,
                text=texts[place],
                guarded=guards[place],
                tokens=found[place],
                heard=each,
                temperature=weights.temperature,
                beside=beside,
            )
        return readings

    def unread(self, text: str, language: Language) -> Sentiment:
        """The sentiment of a text that `read` makes nothing of: its emoji's, if they are clear, else unknown."""
        nobody = unheard(language, self.id if language.code in self._languages else NOBODY)
        return symbols.heard(text, guard(text), language) or nobody

    def _model(self, code: str) -> tuple[Linear, Weights]:
        if code not in self._models:
            with self._loading:
                if code not in self._models:
                    weights = read_weights(WEIGHTS / f"fast-{code}.npz")
                    self._models[code] = (Linear(weights, code), weights)
        return self._models[code]


def extra_of(figures: "Figures") -> tuple[float, ...]:
    """What VADER's figures are to the English model, in the rows' order of its `Weights.extra`."""
    compound = figures.compound
    return (compound, abs(compound), figures.pos, figures.neg)


def _vader() -> "Rules":
    from app.sentiment.rules import rules  # reads the lexicon: not before the first English text

    return rules()


def _with_extra(logits: Sequence[float], extra: Sequence[float], weights: Weights) -> list[float]:
    rows = weights.extra.tolist()
    return [logit + sum(x * row[at] for x, row in zip(extra, rows, strict=True)) for at, logit in enumerate(logits)]


def _shared(text: str, figures: "Figures", weights: Weights) -> dict[int, float]:
    """What each word that VADER heard adds to the logits' difference, by the character it begins at.

    `extra_of` is taken apart as VADER put it together: the compound is a sum of valences over a root, `pos` and `neg`
    are sums of valence and 1 over the text's whole. What marks such as "!!!" add is spread over the words by the size
    of their valences: over the sum alone it would blow up words that cancel each other out.
    """
    if not figures.hits:
        return {}
    compound, size, pos, neg = (weights.extra[:, 2] - weights.extra[:, 0]).tolist()
    valences = [hit.valence for hit in figures.hits]
    total = sum(valences) + figures.emphasis
    size_of_all = sum(map(abs, valences))
    stress = figures.emphasis / size_of_all if size_of_all else 0.0
    good = sum(valence + 1 for valence in valences if valence > 0)
    bad = sum(valence - 1 for valence in valences if valence < 0)
    a_point = (compound * figures.compound + size * abs(figures.compound)) / total if total else 0.0
    spans = _vader().spans(text, [hit.place for hit in figures.hits])
    shares: dict[int, float] = {}
    for hit in figures.hits:
        share = a_point * (hit.valence + stress * abs(hit.valence))
        if hit.valence > 0:
            share += pos * figures.pos * (hit.valence + 1) / good
        elif hit.valence < 0:
            share += neg * figures.neg * (hit.valence - 1) / bad
        start, _ = spans[hit.place]
        shares[start] = shares.get(start, 0.0) + share
    return shares


def _is_word(token: Match[str]) -> bool:
    """It is neither a mark, nor an emoji, nor a link or handle, nor a number."""
    text = token[0]
    return token.lastgroup is None and text[0] != "@" and any(map(str.isalpha, text)) and text != "http"
