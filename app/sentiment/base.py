"""The seam: who hears the tone of a text, and what is said when nobody can."""

from collections.abc import Sequence
from typing import Protocol

from app.model import Language, Sentiment

NOBODY = "none"  # the scorer's name on a sentiment that no scorer gave


class Scorer(Protocol):
    """Hears the tone of texts. Pure and thread-safe: the same text in the same language gives the same sentiment."""

    @property
    def id(self) -> str:
        """Name and version, stored with every sentiment: a change of rules or weights changes it."""

    def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        """One sentiment a text, in their order. `ValueError` if the two lengths differ.

        Any text is answered in bounded work. No evidence is never turned into a negative.
        """


def unheard(language: Language, scorer: str = NOBODY) -> Sentiment:
    """The sentiment of a text that nobody can judge: unknown, which is neither neutral nor negative."""
    return Sentiment(
        label="unknown", score=None, scorer=scorer, language=language.code, language_confidence=language.confidence
    )
