"""The tone of what is said.

    texts, languages -> the tier that is here -> Sentiments, in the texts' order

`fast` is always here: a linear model a language. `quality` needs the extra `avizor[quality]` and hears better; where it
is, the two work together (`app.sentiment.tiers`). What no scorer hears is unknown: never neutral, never negative.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from app.sentiment.base import NOBODY, Scorer, judged, tier_of, unheard

if TYPE_CHECKING:
    from app.sentiment.corrections import Biases

__all__ = ["NOBODY", "TIERS", "Scorer", "TierMissing", "judged", "make_scorer", "tier_of", "unheard"]

TIERS = ("fast", "quality")
AUTO = "auto"


class TierMissing(Exception):
    """The tier that was asked for cannot be had here. The text says what to do, for the operator."""


def make_scorer(languages: Iterable[str], tier: str = AUTO, biases: "Biases | None" = None) -> Scorer:
    """One scorer for all the enabled languages. Making it is cheap: weights and lexicons are read with the first text.

    `tier`: "fast"; "quality", which raises `TierMissing` where it is not installed; or "auto": both as one where the
    quality tier is here, else the fast one. A language without a model is unknown, not an error. `ValueError` for any
    other tier. `biases`: what people's corrections have taught, added to the word of the one that has the last one.
    """
    from app.sentiment.corrections import biased
    from app.sentiment.fast import Fast

    if tier not in (*TIERS, AUTO):
        raise ValueError(f"there is no tier {tier}; there are: {', '.join((*TIERS, AUTO))}")
    fast = Fast(tuple(languages))
    if tier == "fast":
        return biased(fast, biases)
    from app.sentiment.quality import Quality
    from app.sentiment.tiers import Tiers

    if not Quality.available():
        if tier == "quality":
            raise TierMissing("the quality tier is not installed: pip install 'avizor[quality]'")
        return biased(fast, biases)
    quality = biased(Quality(fast), biases)
    return quality if tier == "quality" else Tiers(fast, quality)
