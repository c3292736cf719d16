"""score: texts in, one a line; their Sentiments out, one JSON object a line, in the same order."""

from collections.abc import Iterable, Iterator

from app.cli.languages import load_listening_settings
from app.cli.paper import numbered_lines, put_json
from app.cli.refusal import MISUSED, Refusal
from app.language import KNOWN, Languages
from app.model import Language
from app.sentiment import SCORERS, Scorer, make_scorer

BATCH = 256  # texts scored at a time
SERVICE = "all"
"""The tier that the service itself uses: every scorer, each for its languages."""


def score(file: str, language: str | None, tier: str) -> None:
    """Hear the tone of each line. `language` is taken as given; without it each line's own is found."""
    settings = load_listening_settings()
    if language is not None and language not in KNOWN:
        raise Refusal(f"there is no language {language}; a language is a code such as es", MISUSED)
    scorer = scorer_of(tier, settings.languages)
    languages = Languages(settings.languages)
    for batch in batches(line for _, line in numbered_lines(file)):
        spoken = [Language(language, 1.0) if language else languages.identify(text, None) for text in batch]
        for sentiment in scorer.score(batch, spoken):
            put_json(sentiment)


def batches(lines: Iterable[str]) -> Iterator[list[str]]:
    """`BATCH` lines at a time. What came before a line that cannot be read is still given out."""
    batch: list[str] = []
    try:
        for line in lines:
            batch.append(line)
            if len(batch) == BATCH:
                yield batch
                batch = []
    except Refusal:
        yield batch
        raise
    yield batch


def scorer_of(tier: str, languages: Iterable[str]) -> Scorer:
    """The scorer of a tier by its name. Raises `Refusal` when there is none."""
    tiers = {maker.__name__.lower(): maker for maker in SCORERS.values()}
    if tier == SERVICE:
        return make_scorer(languages)
    if tier not in tiers:
        raise Refusal(f"there is no tier {tier}; there are: {', '.join((SERVICE, *sorted(tiers)))}", MISUSED)
    return tiers[tier]()
