"""The quality tier: the transformer's ear and the fast tier's words.

    texts -> plain -> encoder -> log-probabilities ┐
          -> fast tier -> log-probabilities ───────┴ blend -> temperature of the language -> probabilities -> Sentiment

One fixed weight blends the two for all languages: a weight per language, chosen on a few hundred texts, was measured to
cost more on other texts than it gains (docs/sentiment.md). The evidence is the fast tier's, whose words add up exactly;
`components` keep what each part said, so that a reader sees when the words and the sentence disagree.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.model import Language, Sentiment
from app.sentiment import encoder
from app.sentiment.base import judged
from app.sentiment.fast import Fast, Reading
from app.sentiment.normal import plain

SHOUTED = 0.7  # of its letters are capitals: a shouted text
CARD = encoder.WEIGHTS / "quality.json"


class Quality:
    """`Scorer` for the fast tier's languages; what those models cannot judge is left to the fast tier."""

    def __init__(self, fast: Fast) -> None:
        self._fast = fast

    @staticmethod
    def available() -> bool:
        return encoder.available() and CARD.exists()

    @cached_property
    def id(self) -> str:
        parts = sha256(f"{encoder.digest()} {self._fast.id} {CARD.read_text(encoding='utf-8')}".encode())
        return f"quality/1:{parts.hexdigest()}"

    @cached_property
    def card(self) -> Mapping[str, Any]:
        """How the weights came to be, and what they reach: blend, temperatures, figures, data."""
        card: Mapping[str, Any] = json.loads(CARD.read_text(encoding="utf-8"))
        return card

    @cached_property
    def _encoder(self) -> encoder.Encoder:
        return encoder.Encoder()

    def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        readings = self._fast.read(texts, languages)
        heard = [plain(text) for text, reading in zip(texts, readings, strict=True) if reading is not None]
        sentences = iter(_log_softmax(self._encoder.logits(list(map(spoken_low, heard)))))
        return [
            self._fast.unread(text, language) if reading is None else self._judged(reading, next(sentences), language)
            for text, language, reading in zip(texts, languages, readings, strict=True)
        ]

    def _judged(self, words: Reading, sentence: NDArray[np.float32], language: Language) -> Sentiment:
        """What the linear model and the transformer say together."""
        blend = self.card["blend"] * sentence + (1 - self.card["blend"]) * words.logits
        return judged(
            _softmax(blend / self.card["temperatures"][language.code]),
            scorer=self.id,
            language=language,
            evidence=words.evidence(),
            components={**words.components, "fast": _tone(words.logits), "quality": _tone(sentence)},
        )


def spoken_low(text: str) -> str:
    """A text that is all but capitals in small letters: its pieces are others, and the transformer has met few of them.

    On the gold sets in capitals that is worth 6 points of macro-F1.
    """
    letters = sum(map(str.isalpha, text))
    return text.lower() if sum(map(str.isupper, text)) > SHOUTED * letters else text


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = logits - logits.max(axis=-1, keepdims=True, initial=-np.inf)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)), np.float32)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.exp(_log_softmax(logits)), np.float32)


def _tone(logits: NDArray[np.float32]) -> float:
    negative, _, positive = map(float, _softmax(logits))
    return round(positive - negative, 3)
