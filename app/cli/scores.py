"""score: one text in, its tone for a person; or texts in, one a line, and their Sentiments out, one JSON object a line.

bytes -> lines -> batches -> texts -> language -> Scorer -> JSON lines: as many as came in, in the same order
"""

import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from app.cli.languages import load_listening_settings
from app.cli.paper import LONGEST, STDIN, lines_as_they_come, put_json_at_once, say
from app.cli.refusal import MISUSED, Refusal
from app.cli.scorers import scorer_at_leisure
from app.cli.tones import contradicts, show
from app.config_file import likely
from app.language import KNOWN, Languages
from app.model import Evidence, Language, Sentiment
from app.sentiment import Scorer
from app.settings import Settings, Tier

BATCH = 256  # texts scored at a time
NAMED = 5  # lines that are named one by one where something is wrong with them; the others are counted
_FILE = re.compile(r"[^\s/]*/\S*|\S+\.[A-Za-z]\w{0,4}")
_BOM = b"\xef\xbb\xbf"


def score(given: str | None, text: str | None, file: str | None, language: str | None, tier: Tier | None) -> None:
    """Hear a text, or each line of a file. `given` is one or the other, whichever it turns out to be.

    `language` is taken as given; without it each text's own is found. Raises `Refusal` as well as what
    `scorer_at_leisure` raises.
    """
    if sum(each is not None for each in (given, text, file)) != 1:
        raise Refusal("say one thing: a text, a file, or - for the lines of stdin", MISUSED)
    if language is not None and language not in KNOWN:
        near = likely(language, KNOWN)
        raise Refusal(
            f"there is no language {language}" + (f"; did you mean {near}?" if near else "; a code such as es is one"),
            MISUSED,
        )
    if given is not None and is_file(given):
        file = given
    elif given is not None:
        text = given
    ears = Ears(load_listening_settings(), language, tier)
    if file is not None:
        for batch in batches(file):
            put_json_at_once(map(as_row, ears.hear(batch)))
    elif text is not None:
        if text == given and looks_like_a_file(text):
            say(f"avizor: there is no file {text}, so the words themselves were heard; --file takes it for a file only")
        text = text.encode(errors="surrogateescape").decode(errors="replace")
        (sentiment,) = ears.hear([text])
        show(text, sentiment, ears.weigh(text, sentiment) if contradicts(sentiment) else (), told=language is not None)


class Ears:
    """A scorer, and who tells it the language."""

    def __init__(self, settings: Settings, language: str | None, tier: Tier | None) -> None:
        self._given = Language(language, 1.0) if language else None
        self._languages = Languages(settings.languages)
        self._prior = settings.default_language  # of a text that names no source, this is the likeliest
        self._scorer: Scorer = scorer_at_leisure(settings, tier, [language] if language else settings.languages)

    def hear(self, texts: Sequence[str]) -> list[Sentiment]:
        if self._given is not None:
            return self._scorer.score(texts, [self._given] * len(texts))
        return self._scorer.score(texts, self._languages.identify_many(texts, [self._prior] * len(texts)))

    def weigh(self, text: str, heard: Sentiment) -> tuple[Evidence, ...]:
        """What the sentence says of its words, by `app.sentiment.weigh`; nothing where the fast tier hears alone."""
        from app.sentiment.weigh import weigh

        weighed = weigh(self._scorer, text, heard.heard_in)
        return weighed.evidence if weighed else ()


# ── what was meant ───────────────────────────────────────────────────────────


def is_file(given: str) -> bool:
    """It names something that can be read: a file, a pipe, stdin. A folder cannot."""
    return given == STDIN or (os.path.exists(given) and not os.path.isdir(given))


def looks_like_a_file(text: str) -> bool:
    """Somebody who wrote this may have meant a file that is not there: one word, with a path or an ending."""
    return "://" not in text and _FILE.fullmatch(text) is not None


# ── lines ────────────────────────────────────────────────────────────────────


def batches(file: str) -> Iterator[list[str]]:
    """Texts, at most `BATCH` at a time, as soon as they come. Says which lines were not as they should be."""
    number, odd = 0, 0
    for lines in lines_as_they_come(file):
        for start in range(0, len(lines), BATCH):
            batch = []
            for line in lines[start : start + BATCH]:
                number += 1
                text, wrong = text_of(line.removeprefix(_BOM) if number == 1 else line)
                if wrong:
                    odd += 1
                if wrong and odd <= NAMED:
                    say(f"avizor: {file}:{number}: {wrong}")
                batch.append(text)
            yield batch
    if odd > NAMED:
        say(f"avizor: {file}: {odd - NAMED} more lines were like these")


def text_of(line: bytes) -> tuple[str, str]:
    """A line's text without its end, and what is wrong with it. There is always a text: no line is lost."""
    if len(line) > LONGEST:
        return line[:LONGEST].decode(errors="replace"), "is longer than 1 MiB: its beginning is heard"
    line = line.removesuffix(b"\r")
    try:
        return line.decode(), ""
    except UnicodeDecodeError:
        return line.decode(errors="replace"), "is not UTF-8: what cannot be read is heard as \ufffd"


def as_row(sentiment: Sentiment) -> dict[str, Any]:
    """A Sentiment as outside tools read it: probabilities by label, all numbers in -1..1."""
    names = ("negative", "neutral", "positive")
    return {
        "label": sentiment.label,
        "score": sentiment.score,
        "probabilities": sentiment.probabilities and dict(zip(names, sentiment.probabilities, strict=True)),
        "confidence": sentiment.confidence,
        "uncertain": sentiment.uncertain,
        "language": sentiment.language,
        "language_confidence": sentiment.language_confidence,
        "scorer": sentiment.scorer,
        "evidence": list(map(_span, sentiment.evidence)),
        "components": dict(sentiment.components),
    }


def _span(evidence: Evidence) -> dict[str, Any]:
    return {"start": evidence.start, "end": evidence.end, "text": evidence.text, "weight": evidence.weight}
