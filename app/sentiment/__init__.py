"""The tone of what is said.

    texts, languages -> who hears that language -> Sentiments, in the texts' order

A `Scorer` hears one language or several; `SCORERS` says which. A new one is one file and one line in `SCORERS`. What no
scorer hears is unknown: never neutral, never negative.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from app.model import Language, Sentiment
from app.sentiment.base import NOBODY, Scorer, unheard
from app.sentiment.vader import Vader

__all__ = ["NOBODY", "SCORERS", "Scorer", "Vader", "make_scorer", "unheard"]

SCORERS: Mapping[str, Callable[[], Scorer]] = {"en": Vader}
"""Language code -> who hears it. Making one is cheap: weights and lexicons are read with the first text."""


def make_scorer(languages: Iterable[str]) -> Scorer:
    """One scorer for all the enabled languages. A language without an entry in `SCORERS` is unknown, not an error."""
    makers = {code: SCORERS[code] for code in sorted(set(languages)) if code in SCORERS}
    made = {maker: maker() for maker in set(makers.values())}  # one that hears several languages is made once
    return _ByLanguage({code: made[maker] for code, maker in makers.items()})


class _ByLanguage:
    """Hands each text to the scorer of its language, a batch to each."""

    def __init__(self, scorers: Mapping[str, Scorer]) -> None:
        self._scorers = scorers

    @property
    def id(self) -> str:
        return " ".join(f"{code}={scorer.id}" for code, scorer in self._scorers.items()) or NOBODY

    def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        if len(texts) != len(languages):
            raise ValueError(f"{len(texts)} texts, but {len(languages)} languages")
        sentiments = [unheard(language) for language in languages]
        for scorer, places in self._batches(languages).items():
            heard = scorer.score([texts[place] for place in places], [languages[place] for place in places])
            for place, sentiment in zip(places, heard, strict=True):
                sentiments[place] = sentiment
        return sentiments

    def _batches(self, languages: Sequence[Language]) -> dict[Scorer, list[int]]:
        batches: dict[Scorer, list[int]] = {}
        for place, language in enumerate(languages):
            if language.code is not None and (scorer := self._scorers.get(language.code)) is not None:
                batches.setdefault(scorer, []).append(place)
        return batches
