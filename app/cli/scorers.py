"""Who hears the tone for a command: the tier that was asked for, else the one that the settings name."""

from collections.abc import Iterable

from app.sentiment import Scorer, make_scorer
from app.sentiment.corrections import read_biases
from app.sentiment.tiers import last_word
from app.settings import Settings, Tier


def scorer_at_leisure(settings: Settings, tier: Tier | None, languages: Iterable[str]) -> Scorer:
    """The best scorer of `tier`, for who has time: nothing that it says is provisional.

    Raises `TierMissing` where the tier is not installed, `BiasesError` where the corrections' biases cannot be read.
    """
    return last_word(make_scorer(languages, tier or settings.tone, read_biases(settings.tone_biases)))


def unmoved_scorer(settings: Settings) -> Scorer:
    """The same as the settings name it, without what corrections have taught it: what new corrections are held against.

    Raises `TierMissing`.
    """
    return last_word(make_scorer(settings.languages, settings.tone))
