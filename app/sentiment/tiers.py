"""Two tiers as one scorer: the quality tier where it can keep up, the fast tier where it cannot.

    texts -> as many as may be heard with care now, if nobody else is being heard: quality tier
          -> all others: fast tier, provisional -> heard again later by the hear walk (`app.pipeline.hear`)

Nothing waits for the quality tier: a thread that finds it busy takes the fast tier's word, and so does all that comes
after `MOST` texts within `WINDOW_S`, in however many calls: a collect stores many visits in a row.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Lock

from app.model import Language, Sentiment
from app.sentiment.base import Scorer

MOST = 256  # texts: about a second of one core
WINDOW_S = 4.0  # in which so many may be heard with care: a quarter of one core


class Tiers:
    """`Scorer` of both. `quality` is for who has time: the hear walk."""

    def __init__(
        self, fast: Scorer, quality: Scorer, most: int = MOST, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.fast = fast
        self.quality = quality
        self._most = most
        self._monotonic = monotonic
        self._busy = Lock()
        self._since = monotonic()
        self._heard = 0

    @property
    def id(self) -> str:
        return self.quality.id

    def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        if len(texts) != len(languages):
            raise ValueError(f"{len(texts)} texts, but {len(languages)} languages")
        if not self._busy.acquire(blocking=False):
            return self._for_now(texts, languages)
        try:
            number = min(len(texts), self._left())
            heard = self.quality.score(texts[:number], languages[:number])
            self._heard += number
        finally:
            self._busy.release()
        return heard + self._for_now(texts[number:], languages[number:])

    def _left(self) -> int:
        """How many texts may be heard with care now."""
        now = self._monotonic()
        if now - self._since >= WINDOW_S:
            self._since, self._heard = now, 0
        return self._most - self._heard

    def _for_now(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        """The fast tier's word. What it says of no tone at all the quality tier would say too: that is final."""
        return [
            replace(sentiment, provisional=sentiment.probabilities is not None and sentiment.scorer == self.fast.id)
            for sentiment in self.fast.score(texts, languages)
        ]


def last_word(scorer: Scorer) -> Scorer:
    """Who has it: nothing that this one says is provisional. For who has time."""
    return scorer.quality if isinstance(scorer, Tiers) else scorer
