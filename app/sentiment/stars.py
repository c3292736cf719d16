"""Stars beside words: what the author of a review says of it in a number is evidence of its tone.

    P(tone | words, stars) ~ P(tone | words) x P(stars | tone)          naive Bayes: given the tone, stars and words
                                                                        are taken to be independent

How likely so many stars are, given a tone, is our assumption, not fitted on anything: one star is mostly angry, five
are mostly pleased, three say little, and neutral people give any number. Where nobody can hear the words (none, or of a
language without a model), one, two, four or five stars decide alone; three do not.
"""

from collections.abc import Mapping
from dataclasses import replace

from app.model import Sentiment
from app.sentiment.base import NOBODY, judged

PART = "stars"  # of `Sentiment.components`: what the stars say by themselves
NAME = "stars/1"

# (negative, neutral, positive): of a hundred reviews with this tone, so many have so many stars
LIKELIHOODS: Mapping[int, tuple[float, float, float]] = {
    1: (0.55, 0.10, 0.03),
    2: (0.25, 0.20, 0.05),
    3: (0.12, 0.36, 0.12),
    4: (0.05, 0.20, 0.27),
    5: (0.03, 0.14, 0.53),
}
NO_SIDE = 3
_EVEN = (1 / 3, 1 / 3, 1 / 3)


def with_stars(heard: Sentiment, rating: int | None) -> Sentiment:
    """What a scorer heard, with the author's own verdict of 1 to 5 stars. None, or any other number: as it was heard.

    That stars took part shows in `components` ("stars": their own word, in -1..1) and in the scorer's name.
    """
    likely = LIKELIHOODS.get(rating or 0)
    if likely is None or (heard.probabilities is None and rating == NO_SIDE):
        return heard
    alone = _normal(likely)
    both = _normal(tuple(p * q for p, q in zip(heard.probabilities or _EVEN, likely, strict=True)))
    reading = judged(
        both,
        scorer=NAME if heard.scorer == NOBODY else f"{heard.scorer}+{NAME}",
        language=heard.heard_in,
        evidence=heard.evidence,
        components={**heard.components, PART: round(alone[2] - alone[0], 3)},
    )
    return replace(reading, language_confidence=heard.language_confidence, provisional=heard.provisional)


def _normal(weights: tuple[float, ...]) -> tuple[float, float, float]:
    negative, neutral, positive = weights
    whole = negative + neutral + positive
    return negative / whole, neutral / whole, positive / whole
