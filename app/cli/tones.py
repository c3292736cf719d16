"""One text's tone, for a person at a terminal: what it is, how sure, and which words say so.

Colour is never the only sign: words that drove the tone stand in brackets with their weight, + or -. There is none
where stdout is no terminal or NO_COLOR is set (https://no-color.org).
"""

from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.text import Text

from app.cli.languages import spanish
from app.cli.paper import harmless
from app.model import Evidence, Sentiment

WIDTH = 24  # cells of a bar of 100 %
LONGEST = 2_000  # characters shown: no scorer listens to more
COLOURS: Mapping[str, str] = {"negative": "red", "neutral": "blue", "positive": "green", "unknown": "dim"}
LABELS = ("negative", "neutral", "positive")
DISAGREE = 0.5  # the parts' tones lie this far apart, on either side of zero

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "negative": "negative",
        "neutral": "neutral",
        "positive": "positive",
        "unknown": "unknown: no scorer hears a tone in this",
        "uncertain": "uncertain: the best two are close",
        "tone": "tone",
        "score": "score",
        "language": "language",
        "scorer": "heard by",
        "parts": "parts",
        "given": "given",
        "none": "none that is enabled",
        "apart": "the words and the sentence disagree",
        "weighed": "the sentence, word by word",
    },
    "es": {
        "negative": "negativo",
        "neutral": "neutro",
        "positive": "positivo",
        "unknown": "desconocido: nadie oye aquí un tono",
        "uncertain": "dudoso: los dos mejores están cerca",
        "tone": "tono",
        "score": "nota",
        "language": "idioma",
        "scorer": "oído por",
        "parts": "partes",
        "given": "dado",
        "none": "ninguno de los activos",
        "apart": "las palabras y la frase no coinciden",
        "weighed": "la frase, palabra por palabra",
    },
}


def show(text: str, sentiment: Sentiment, weighed: tuple[Evidence, ...], *, told: bool) -> None:
    """Print it. `weighed`: what the sentence says of its words, if anything. `told`: the language was given."""
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    words = WORDS["es" if spanish() else "en"]
    for line in told_by(text, sentiment, weighed, words, told=told):
        console.print(_written(line, console.encoding))


def told_by(
    text: str, sentiment: Sentiment, weighed: tuple[Evidence, ...], words: Mapping[str, str], *, told: bool
) -> Iterator[Text]:
    """The lines, top to bottom."""
    width = max(len(words[name]) for name in (*LABELS, "tone", "score", "language", "scorer", "parts")) + 2
    yield _line(words["tone"], width, Text(words[sentiment.label], f"bold {COLOURS[sentiment.label]}"))
    if sentiment.probabilities is not None and sentiment.score is not None:
        if sentiment.uncertain:
            yield _line("", width, Text(words["uncertain"], "italic"))
        for name, share in zip(LABELS, sentiment.probabilities, strict=True):
            yield _line(words[name], width, _bar(share, COLOURS[name]))
        yield _line(words["score"], width, Text(f"{sentiment.score:+.2f}"))
    yield _line(words["language"], width, Text(_language(sentiment, words, told=told)))
    yield _line(words["scorer"], width, Text(short(sentiment.scorer)))
    if parts := sentiment.components:
        shown = ", ".join(f"{name} {tone:+.2f}" for name, tone in parts.items())
        apart = f" ({words['apart']})" if disagree(parts) else ""
        yield _line(words["parts"], width, Text(shown + apart))
    yield Text("")
    yield marked(text, sentiment.evidence)
    if weighed:
        yield Text("")
        yield Text(words["weighed"])
        yield marked(text, weighed)


def marked(text: str, evidence: tuple[Evidence, ...]) -> Text:
    """The text with each word that drove the tone as `[word +1.2]`. Spans that do not fit the text are left out."""
    shown, end = Text(), 0
    for part in sorted(evidence, key=lambda part: part.start):
        if not end <= part.start < part.end <= min(len(text), LONGEST):
            continue
        shown.append(harmless(text[end : part.start]))
        colour = COLOURS["positive" if part.weight > 0 else "negative"]
        shown.append(f"[{harmless(text[part.start : part.end])} {part.weight:+.1f}]", f"bold {colour}")
        end = part.end
    shown.append(harmless(text[end:LONGEST]))
    return shown.append("…") if len(text) > LONGEST else shown


def short(scorer: str) -> str:
    """`quality/1:3fa9c2d1…` without most of its 64 digits."""
    name, colon, rest = scorer.partition(":")
    digest, plus, others = rest.partition("+")
    return f"{name}{colon}{digest[:8]}{plus}{others}"


def disagree(parts: Mapping[str, float]) -> bool:
    """The words (fast tier) point one way and the whole sentence (quality tier) clearly the other."""
    fast, quality = parts.get("fast", 0.0), parts.get("quality", 0.0)
    return fast * quality < 0 and abs(fast - quality) >= DISAGREE


def contradicts(sentiment: Sentiment) -> bool:
    """What the words say, in the parts or as they are marked, is not what the label says."""
    return sentiment.opposed or disagree(sentiment.components)


def _line(name: str, width: int, value: Text) -> Text:
    return Text(f"{name:{width}}").append_text(value)


def _bar(share: float, colour: str) -> Text:
    cells = round(share * WIDTH)
    return Text().append("█" * cells, colour).append(" " * (WIDTH - cells) + f" {share:6.1%}")


def _language(sentiment: Sentiment, words: Mapping[str, str], *, told: bool) -> str:
    if sentiment.language is None:
        return words["none"]
    confidence = sentiment.language_confidence
    return f"{sentiment.language} ({words['given'] if told or confidence is None else f'{confidence:.0%}'})"


def _written(line: Text, encoding: str) -> Text:
    """In a terminal that lacks a letter it is a question mark, and a bar is made of #."""
    try:
        line.plain.encode(encoding)
    except UnicodeEncodeError:
        line.plain = line.plain.replace("█", "#").encode(encoding, errors="replace").decode(encoding)
    return line
