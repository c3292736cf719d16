"""The seam: who hears the tone of a text, and what is said when nobody can."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from app.model import Evidence, Label, Language, Sentiment

NOBODY = "none"  # the scorer's name on a sentiment that no scorer gave

MILLIONTHS = 6  # decimals of a probability
_LABELS: tuple[Label, ...] = ("negative", "neutral", "positive")


class Scorer(Protocol):
    """Hears the tone of texts. Pure and thread-safe: the same text in the same language gives the same sentiment."""

    @property
    def id(self) -> str:
        """Name and version, stored with every sentiment: a change of rules or weights changes it."""

    def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        """One sentiment a text, in their order. `ValueError` if the two lengths differ.

        Any text is answered in bounded work, and alike in any batch. No evidence is never turned into a negative.
        """


def tier_of(scorer: Scorer) -> str:
    """The tier that has the last word, "fast" or "quality": its id begins with it."""
    return scorer.id.partition("/")[0]


def unheard(language: Language, scorer: str = NOBODY) -> Sentiment:
    """The sentiment of a text that nobody can judge: unknown, which is neither neutral nor negative."""
    return Sentiment(
        label="unknown", score=None, scorer=scorer, language=language.code, language_confidence=language.confidence
    )


def judged(
    probabilities: Iterable[float],
    *,
    scorer: str,
    language: Language,
    evidence: tuple[Evidence, ...] = (),
    components: Mapping[str, float] | None = None,
) -> Sentiment:
    """The sentiment that calibrated probabilities of negative, neutral and positive stand for: the likeliest label.

    They are rounded to millionths, which is what volumes add up.
    """
    negative, _, positive = (round(float(probability), MILLIONTHS) for probability in probabilities)
    neutral = round(1 - negative - positive, MILLIONTHS)
    return Sentiment(
        label=_LABELS[max(range(3), key=(negative, neutral, positive).__getitem__)],
        score=round(positive - negative, MILLIONTHS),
        scorer=scorer,
        language=language.code,
        language_confidence=language.confidence,
        probabilities=(negative, neutral, positive),
        evidence=evidence,
        components=components or {},
    )
