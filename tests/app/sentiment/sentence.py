"""A quality tier by hand: it hears a sentence as more than its words, and keeps what it was given to hear."""

import re
from collections.abc import Sequence
from math import exp

from app.model import Language, Sentiment
from app.sentiment.base import judged, unheard

_WORDS = re.compile(r"\w+|😀|:\(")
BY_ITSELF = {"bien": 1.0, "genial": 2.0, "mal": -1.0, "fatal": -2.0, "😀": 1.5, ":(": -1.5, "café": 0.5, "tibio": -0.05}


class Sentence:
    """`Scorer`. log(p positive / p negative) is the sum of what words say by themselves, turned around by a `no`."""

    id = f"quality/1:{'0' * 64}"

    def __init__(self) -> None:
        self.heard: list[list[str]] = []

    def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        self.heard.append(list(texts))
        return [self._hear(text, language) for text, language in zip(texts, languages, strict=True)]

    def _hear(self, text: str, language: Language) -> Sentiment:
        words = _WORDS.findall(text.lower())
        if not words or language.code != "es":
            return unheard(language, self.id)
        side = sum(BY_ITSELF.get(word, 0.0) for word in words) * (-1 if "no" in words else 1)
        positive = 0.9 / (1 + exp(-side))
        return judged(
            (0.9 - positive, 0.1, positive), scorer=self.id, language=language, components={"fast": 0.0, "quality": 0.0}
        )
