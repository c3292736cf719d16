"""English: VADER's lexicon and rules.

    text -> window -> rules -> compound -> label, with the words that drove it

Thresholds: compound >= 0.05 positive, <= -0.05 negative, else neutral, as Hutto & Gilbert (ICWSM 2014) recommend.
`score` is the compound. VADER's pos, neu and neg are shares of the text, not probabilities: `probabilities` stays None.
"""

from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING

from app.model import Evidence, Label, Language, Sentiment
from app.sentiment.base import unheard
from app.sentiment.window import Window, window

if TYPE_CHECKING:
    from app.sentiment.rules import Reading, Rules

THRESHOLD = 0.05
EVIDENCE = 5  # spans kept

_MODIFIERS = "\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"  # of the emoji before: never torn from it


class Vader:
    """`Scorer` for English; any other language is unknown to it.

    A text within the caps of `window` scores exactly as in vaderSentiment, an over-long one as its window does there.
    """

    @cached_property
    def id(self) -> str:
        return f"vader/{version('vaderSentiment')}+avizor.1"

    @cached_property
    def _rules(self) -> "Rules":
        from app.sentiment.rules import rules  # reads the lexicon: not before the first text

        return rules()

    def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        return [
            self._score(text, language) if language.code == "en" else unheard(language, self.id)
            for text, language in zip(texts, languages, strict=True)
        ]

    def _score(self, text: str, language: Language) -> Sentiment:
        part = window(text)
        reading = self._rules.read(part.text)
        if not reading.hits and not _says_something(part.text):
            return unheard(language, self.id)  # that is not the same as a neutral tone
        return Sentiment(
            label=label(reading.compound),
            score=reading.compound,
            scorer=self.id,
            language=language.code,
            language_confidence=language.confidence,
            evidence=self._evidence(text, part, reading),
        )

    def _evidence(self, text: str, part: Window, reading: "Reading") -> tuple[Evidence, ...]:
        """The heaviest words and what negates or strengthens them, heaviest first; weights are valences, -6 to 6.

        Spans never overlap: what two words share goes to the first, and the words of one emoji's name are added up.
        """
        hits = [hit for hit in reading.hits if hit.valence]
        if not hits:
            return ()
        firsts = [
            max(hit.first, before + 1) for hit, before in zip(hits, [-1, *(hit.place for hit in hits)], strict=False)
        ]
        spans = self._rules.spans(part.text, {*firsts, *(hit.place for hit in hits)})
        found: list[tuple[int, int, float]] = []
        for hit, first in zip(hits, firsts, strict=True):
            start, end, weight = spans[first][0], spans[hit.place][1], hit.valence
            if found and start < found[-1][1]:
                start, until, earlier = found.pop()
                end, weight = max(until, end), earlier + weight
            found.append((start, end, weight))
        heaviest = sorted(found, key=lambda span: (-abs(span[2]), span[0]))[:EVIDENCE]
        return tuple(_evidence(text, part, *span) for span in heaviest)


def label(compound: float) -> Label:
    if compound >= THRESHOLD:
        return "positive"
    return "negative" if compound <= -THRESHOLD else "neutral"


def _says_something(text: str) -> bool:
    """It has a word that is not a link or a handle."""
    return any(any(map(str.isalpha, word)) for word in text.split() if "://" not in word and word[0] != "@")


def _evidence(text: str, part: Window, start: int, end: int, weight: float) -> Evidence:
    start, end = part.original(start), part.original(end - 1) + 1
    while end < len(text) and text[end] in _MODIFIERS:
        end += 1
    return Evidence(start, end, text[start:end], round(weight, 3))
