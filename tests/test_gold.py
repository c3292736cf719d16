"""The gold sets: what each tier hears of texts that were written by hand and that no model has seen.

    gold/*.tsv -> make_scorer(tier) -> Figures, printed at every run -> no figure below its floor

The floors stand at the head of this file. How a text is labelled stands in gold/README.md.
"""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, mean

import pytest

from app.model import Language, Sentiment
from app.sentiment import make_scorer

GOLD = Path(__file__).parent / "gold"
FILES = {"es": "spanish.tsv", "en": "english.tsv"}
TONE = Path(__file__).parents[1] / "benchmarks" / "tone"
LEARNED = (*sorted((TONE / "own").glob("*.tsv")), TONE / "phrases.tsv")
LABELS = ("negative", "neutral", "positive")
KINDS = {
    "plain", "slang", "sin-negator", "no-complaint", "litotes", "irony", "question", "service-phrase", "no-opinion",
    "charged-news", "headline", "numbers", "reported", "comparison", "mixed", "complaint-polite", "praise",
    "negative-words", "crisis",
}  # fmt: skip
COUNTS = {
    "es": {"negative": 126, "neutral": 90, "positive": 84},
    "en": {"negative": 63, "neutral": 45, "positive": 42},
}
COUNTRIES = {
    "es": {"ES": 54, "MX": 54, "AR": 54, "CO": 54, "CL": 54, "PE": 15, "UY": 15},
    "en": {"US": 45, "GB": 45, "AU": 20, "IE": 15, "CA": 15, "IN": 10},
}


@dataclass(frozen=True, slots=True)
class Floor:
    """The least that a tier must reach, in percent; `inversions` and `calibration` are the most that it may have."""

    macro_f1: float
    negative_precision: float
    negative_recall: float
    inversions: float
    calibration: float


# A few points under what the committed weights reach: another processor may round a text over a border.
FLOORS: Mapping[tuple[str, str], Floor | None] = {
    ("fast", "es"): Floor(61, 59, 66, 20, 10),
    ("fast", "en"): Floor(48, 57, 51, 20, 9),
    ("quality", "es"): Floor(71, 69, 73, 16, 10),
    ("quality", "en"): Floor(69, 71, 70, 16, 9),
}


@dataclass(frozen=True, slots=True)
class Text:
    """One line of a gold set."""

    id: str
    label: str
    kind: str
    country: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class OfLabel:
    """How well one label is found, in percent."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What a scorer reached, in percent. An unknown is a miss, and says nothing about calibration."""

    labels: Mapping[str, OfLabel]
    macro_f1: float
    accuracy: float
    inversions: float
    calibration: float
    unknown: int


def read(language: str) -> list[Text]:
    with (GOLD / FILES[language]).open(encoding="utf-8", newline="") as lines:
        return [Text(**line) for line in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]


def figures(truth: Sequence[str], heard: Sequence[Sentiment]) -> Figures:
    pairs = Counter((label, sentiment.label) for label, sentiment in zip(truth, heard, strict=True))
    labels = {label: _of_label(label, pairs) for label in LABELS}
    return Figures(
        labels=labels,
        macro_f1=fmean(found.f1 for found in labels.values()),
        accuracy=_percent(sum(pairs[label, label] for label in LABELS), len(truth)),
        inversions=_percent(pairs["negative", "positive"] + pairs["positive", "negative"], len(truth)),
        calibration=_calibration(truth, heard),
        unknown=sum(sentiment.label == "unknown" for sentiment in heard),
    )


def _of_label(label: str, pairs: Mapping[tuple[str, str], int]) -> OfLabel:
    hits = pairs.get((label, label), 0)
    precision = _percent(hits, sum(count for (_, said), count in pairs.items() if said == label))
    recall = _percent(hits, sum(count for (meant, _), count in pairs.items() if meant == label))
    return OfLabel(precision, recall, 2 * precision * recall / (precision + recall) if hits else 0.0)


def _calibration(truth: Sequence[str], heard: Sequence[Sentiment], bins: int = 10) -> float:
    """The expected calibration error: how far confidence and accuracy lie apart, bin by bin of equal width."""
    known: dict[int, list[tuple[float, bool]]] = {}
    for label, sentiment in zip(truth, heard, strict=True):
        if (confidence := sentiment.confidence) is not None:
            place = min(int(confidence * bins), bins - 1)
            known.setdefault(place, []).append((confidence, sentiment.label == label))
    apart = [abs(sum(confidence - right for confidence, right in texts)) for texts in known.values()]
    return _percent(sum(apart), sum(map(len, known.values())))


def _percent(part: float, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def table(title: str, texts: Sequence[Text], heard: Sequence[Sentiment]) -> str:
    """The figures as a person reads them: the labels, the whole, then each kind and country with its accuracy."""
    found = figures([text.label for text in texts], heard)
    lines = [f"{title}: {len(texts)} texts", "            precision  recall      F1"]
    lines += [f"  {label:<9} {of.precision:9.1f} {of.recall:8.1f} {of.f1:7.1f}" for label, of in found.labels.items()]
    lines.append(
        f"  macro-F1 {found.macro_f1:.1f}, accuracy {found.accuracy:.1f}, inversions {found.inversions:.1f}, "
        f"calibration error {found.calibration:.1f}, unknown {found.unknown}"
    )
    for trait in ("kind", "country"):
        lines.append(f"  {trait:<18}  n  accuracy  inversions")
        groups: dict[str, list[tuple[str, Sentiment]]] = {}
        for text, sentiment in zip(texts, heard, strict=True):
            groups.setdefault(getattr(text, trait), []).append((text.label, sentiment))
        for name, group in sorted(groups.items()):
            of = figures([label for label, _ in group], [sentiment for _, sentiment in group])
            lines.append(f"    {name:<16} {len(group):>3} {of.accuracy:9.1f} {of.inversions:11.1f}")
    return "\n".join(lines)


def below(found: Figures, floor: Floor) -> list[str]:
    """What misses the floor, in words; empty = nothing does."""
    negative = found.labels["negative"]
    least = {
        "macro-F1": (found.macro_f1, floor.macro_f1),
        "negative precision": (negative.precision, floor.negative_precision),
        "negative recall": (negative.recall, floor.negative_recall),
    }
    most = {
        "inversions": (found.inversions, floor.inversions),
        "calibration error": (found.calibration, floor.calibration),
    }
    misses = [f"{name} {value:.1f} < {limit}" for name, (value, limit) in least.items() if value < limit]
    return misses + [f"{name} {value:.1f} > {limit}" for name, (value, limit) in most.items() if value > limit]


@pytest.mark.parametrize("language", FILES)
@pytest.mark.parametrize("tier", ["fast", "quality"])
def test_it_hears_the_gold_set_no_worse_than_the_floor(
    tier: str, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if tier == "quality" and find_spec("onnxruntime") is None:
        reason = "the quality tier is not heard: onnxruntime is not installed (pip install 'avizor[quality]')"
        with capsys.disabled():
            print(f"\n{reason}")  # noqa: T201 - nobody may take a tier that was not heard for one that passed
        pytest.skip(reason)
    texts = read(language)
    scorer = make_scorer(("es", "en"), tier=tier)
    heard = scorer.score([text.text for text in texts], [Language(language, 1.0)] * len(texts))
    floor = FLOORS[tier, language]
    with capsys.disabled():
        print(f"\n{table(f'Gold set {language}, {tier} tier', texts, heard)}")  # noqa: T201 - the figures are a result
        if floor is None:
            print(f"  no floor is set for {tier}, {language}")  # noqa: T201
    assert len(heard) == len(texts)
    if floor is not None:
        assert below(figures([text.label for text in texts], heard), floor) == []


@pytest.mark.parametrize("language", FILES)
def test_it_has_the_texts_that_the_readme_counts(language: str) -> None:
    texts = read(language)
    assert Counter(text.label for text in texts) == COUNTS[language]
    assert Counter(text.country for text in texts) == COUNTRIES[language]
    assert {text.kind for text in texts} == KINDS


def test_the_readme_explains_every_kind() -> None:
    readme = (GOLD / "README.md").read_text(encoding="utf-8")
    assert {kind for kind in KINDS if f"| `{kind}` |" not in readme} == set()


@pytest.mark.parametrize("language", FILES)
def test_every_line_is_whole_and_no_text_stands_twice(language: str) -> None:
    lines = (GOLD / FILES[language]).read_text(encoding="utf-8").split("\n")
    assert [line for line in lines[:-1] if line.count("\t") != 5 or "\r" in line] == []
    assert lines[-1] == ""
    texts = read(language)
    assert len({text.id for text in texts}) == len(texts)
    assert len({"".join(filter(str.isalnum, text.text.lower())) for text in texts}) == len(texts)
    assert [text.id for text in texts if not text.id.startswith(f"{language}-{text.country.lower()}-")] == []
    assert [text.id for text in texts if text.text != text.text.strip() or len(text.reason.split()) < 2] == []
    assert [text.id for text in texts if not 4 <= len(text.text.split()) <= 65] == []


@pytest.mark.parametrize("language", FILES)
def test_neither_length_nor_a_last_full_stop_gives_the_label_away(language: str) -> None:
    texts = {label: [text.text for text in read(language) if text.label == label] for label in LABELS}
    words = [mean(len(text.split()) for text in texts[label]) for label in LABELS]
    stops = [mean(text.endswith(".") for text in texts[label]) for label in LABELS]
    assert max(words) - min(words) < 2
    assert max(stops) - min(stops) < 0.1


def said(label: str, *probabilities: float) -> Sentiment:
    negative, neutral, positive = probabilities or (0.0, 0.0, 0.0)
    known = (negative, neutral, positive) if probabilities else None
    return Sentiment(label, positive - negative if known else None, "by hand", probabilities=known)


SURE = {"negative": (1.0, 0.0, 0.0), "neutral": (0.0, 1.0, 0.0), "positive": (0.0, 0.0, 1.0)}


def fives(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[at : at + 5]) for at in range(len(words) - 4)}


def test_no_five_words_in_a_row_are_learned_from() -> None:
    learned = {
        five for file in LEARNED for line in file.read_text(encoding="utf-8").splitlines() for five in fives(line)
    }
    assert len(learned) > 10_000
    shared = {text.id: " ".join(five) for code in FILES for text in read(code) for five in fives(text.text) & learned}
    assert shared == {}


def test_the_figures_are_those_counted_by_hand() -> None:
    truth = ["negative", "negative", "negative", "neutral", "positive"]
    heard = [said(label, *SURE[label]) for label in ("negative", "negative", "positive", "neutral", "neutral")]
    found = figures(truth, heard)
    assert found.labels["negative"] == OfLabel(100.0, pytest.approx(200 / 3), pytest.approx(80.0))
    assert found.labels["neutral"] == OfLabel(50.0, 100.0, pytest.approx(200 / 3))
    assert found.labels["positive"] == OfLabel(0.0, 0.0, 0.0)
    assert found.macro_f1 == pytest.approx((80 + 200 / 3) / 3)
    assert (found.accuracy, found.inversions) == (60.0, 20.0)
    assert found.calibration == pytest.approx(40.0), "always sure, right three times in five"


def test_the_calibration_error_is_weighed_bin_by_bin() -> None:
    truth = ["negative", "negative", "neutral", "positive"]
    heard = [
        said("negative", 0.95, 0.05, 0.0),
        said("negative", 0.95, 0.05, 0.0),  # sure at 95 %, right each time: 2 x 0.05
        said("negative", 0.6, 0.4, 0.0),
        said("positive", 0.0, 0.4, 0.6),  # sure at 60 %, right once in two: 2 x 0.1
    ]
    assert figures(truth, heard).calibration == pytest.approx(100 * (2 * 0.05 + 2 * 0.1) / 4)


def test_an_unknown_is_a_miss_and_not_a_neutral() -> None:
    found = figures(["neutral", "neutral"], [said("unknown"), said("neutral", *SURE["neutral"])])
    assert (found.labels["neutral"].recall, found.labels["neutral"].precision, found.unknown) == (50.0, 100.0, 1)
    assert found.calibration == 0.0


def test_a_floor_names_what_misses_it() -> None:
    found = figures(["negative", "positive"], [said("positive", *SURE["positive"])] * 2)
    assert below(found, Floor(0, 0, 0, 100, 100)) == []
    assert below(found, Floor(50, 60, 70, 5, 4)) == [
        "macro-F1 22.2 < 50",
        "negative precision 0.0 < 60",
        "negative recall 0.0 < 70",
        "inversions 50.0 > 5",
        "calibration error 50.0 > 4",
    ]
