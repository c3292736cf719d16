"""Two tiers as one scorer: the quality tier where it can keep up, the fast tier where it cannot.

    texts -> the first MOST, if nobody else is being heard: quality tier
          -> all others: fast tier, provisional -> heard again later by the hear walk (`app.pipeline.hear`)

Nothing waits for the quality tier: a thread that finds it busy takes the fast tier's word.
"""

from collections.abc import Sequence
from dataclasses import replace
from threading import Lock

from app.model import Language, Sentiment
from app.sentiment.base import Scorer

MOST = 256  # texts a call: about a second of one core


class Tiers:
    """`Scorer` of both. `quality` is for who has time: the hear walk."""

    def __init__(self, fast: Scorer, quality: Scorer, most: int = MOST) -> None:
        self.fast = fast
        self.quality = quality
        self._most = most
        self._busy = Lock()

    @property
    def id(self) -> str:
        return self.quality.id

    def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        if len(texts) != len(languages):
            raise ValueError(f"{len(texts)} texts, but {len(languages)} languages")
        if not self._busy.acquire(blocking=False):
            return self._for_now(texts, languages)
        try:
            heard = self.quality.score(texts[: self._most], languages[: self._most])
        finally:
            self._busy.release()
        return heard + self._for_now(texts[self._most :], languages[self._most :])

    def _for_now(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        """The fast tier's word. What it says of no tone at all the quality tier would say too: that is final."""
        return [
            replace(sentiment, provisional=sentiment.probabilities is not None and _by_model(sentiment, self.fast))
            for sentiment in self.fast.score(texts, languages)
        ]


def _by_model(sentiment: Sentiment, fast: Scorer) -> bool:
    return sentiment.scorer == fast.id
