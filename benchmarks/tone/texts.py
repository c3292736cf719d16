"""The texts that the models of tone learn from: read, cleaned and told apart from those they are judged on.

    files of a data folder -> SHA-256 against manifest.json -> plain -> no repeat of a val text

No text of them is in this repository (see docs/sentiment.md for sources and licences); the folder is an argument.
Labels are 0 negative, 1 neutral, 2 positive.

    python -m benchmarks.tone.texts DATA            compare a folder with the manifest
    python -m benchmarks.tone.texts DATA --write    write the manifest anew
"""

import argparse
import gzip
import hashlib
import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from app.sentiment.normal import plain

MANIFEST = Path(__file__).with_name("manifest.json")
LANGUAGES = {"es": "spanish", "en": "english", "pt": "portuguese", "fr": "french", "de": "german", "it": "italian"}

PHRASES = Path(__file__).with_name("phrases.tsv")
OWN = Path(__file__).with_name("own")
GRADES = Path(__file__).with_name("grades.tsv")
LABELS = ("negative", "neutral", "positive")
OWN_WORD = 0.4  # what our grade counts beside an annotator's label

Labelled = list[tuple[str, int]]
Targets = list[tuple[str, np.ndarray]]  # texts, each with the probabilities of negative, neutral, positive

ANGER, ANTICIPATION, DISGUST, FEAR, JOY, SADNESS, SURPRISE, TRUST = range(1, 9)  # XED's emotions
SUBTITLES = (*(("es", "es"), ("en", "en"), ("br", "pt"), ("pt", "pt"), ("fr", "fr"), ("de", "de"), ("it", "it")),)

_UNHEARD = re.compile(r"(?:https?://|www\.)\S+|@\w+|\bhttp\b")
_EMOTIONS = re.compile(r"[\d, ]+")
_SAME = 60  # letters: two texts that begin with the same ones are one


def validation(data: Path, language: str) -> Labelled:
    return _umsab(data, language, "val")


def gold(data: Path, language: str) -> Labelled:
    """UMSAB's training tweets, without those that repeat a validation text of any language or one another."""
    return _fresh(data, _umsab(data, language, "train"))


def semeval(data: Path) -> Labelled:
    """English tweets of SemEval 2013-16, `label TAB text`."""
    rows = (line.partition("\t") for line in _lines(data / "english_semeval_train.tsv"))
    return _fresh(data, [(plain(text), int(label)) for label, _, text in rows])


def xed(data: Path) -> dict[str, list[tuple[str, frozenset[int]]]]:
    """Language -> film subtitles with their emotions; none = neutral (English only)."""
    found: dict[str, list[tuple[str, frozenset[int]]]] = {}
    files = [*((f"{name}-projections.tsv", language) for name, language in SUBTITLES), ("en-annotated.tsv", "en")]
    for name, language in files:
        for line in _lines(data / "xed" / name):
            text, _, emotions = line.rpartition("\t")
            if _EMOTIONS.fullmatch(emotions):
                row = (plain(text.lstrip("- ")), frozenset(map(int, emotions.split(","))))
                found.setdefault(language, []).append(row)
    for line in _lines(data / "xed" / "neu_en.txt"):
        found["en"].append((plain(line.partition("\t")[2]), frozenset()))
    return found


def polarity(emotions: frozenset[int]) -> int | None:
    """The label that emotions stand for; None where they contradict each other or say nothing of tone."""
    if not emotions:
        return 1
    good, bad = bool(emotions & {JOY, TRUST}), bool(emotions & {ANGER, DISGUST, FEAR, SADNESS})
    return None if good == bad else 2 if good else 0


def emoji(data: Path) -> list[tuple[str, str]]:
    """Spanish posts whose emoji was taken out, and that emoji."""
    return [(plain(_unmasked(text)), kind) for text, kind in _spanish_posts(data)]


def emoji_shown(data: Path) -> list[tuple[str, str]]:
    """The same posts with their emoji in place (each stands where the first of its kind did), and without."""
    return [
        (plain(_unmasked(text.replace("_emo", kind))), plain(_unmasked(text))) for text, kind in _spanish_posts(data)
    ]


def graded(data: Path, language: str) -> Targets:
    """Texts of the data that we have read and graded ourselves: what annotators call a text of that grade.

    The grades are ours, 1 (surely negative) to 5 (surely positive), 0 for both; a grade's probabilities are counted
    where a text has an annotator's label, too. Such a text gets both words, ours with `OWN_WORD`; one that is shown
    with an emoji comes twice, with and without.
    """
    grades = _grades(language)
    told = [
        (text, target, grade)
        for text, target in one_hot(gold(data, language))
        if (grade := grades.get(digest(text))) is not None
    ]
    counts = {grade: np.ones(3) for grade in set(grades.values())}
    for _, target, grade in told:
        counts[grade] += target
    shares = {grade: (count / count.sum()).astype(np.float32) for grade, count in counts.items()}
    both = [(text, OWN_WORD * shares[grade] + (1 - OWN_WORD) * target) for text, target, grade in told]
    others = {text: shares[grades[key]] for text, _ in xed(data)[language] if (key := digest(text)) in grades}
    if language == "es":
        for shown, bare in emoji_shown(data):
            if (key := digest(shown)) in grades:
                others[shown] = others[bare] = shares[grades[key]]
    judged = _judged(data)
    return [*both, *((text, target) for text, target in others.items() if letters(text) not in judged)]


def one_hot(rows: Labelled) -> Targets:
    return [(text, np.eye(3, dtype=np.float32)[label]) for text, label in rows]


def digest(text: str) -> str:
    """By which a text that may not be handed on is known in `grades.tsv`."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def phrases(language: str) -> Labelled:
    """Words and phrases of our own, about brands as tweets seldom are: `language TAB label TAB phrase; phrase`."""
    rows = (line.split("\t") for line in _lines(PHRASES))
    return [
        (plain(phrase), LABELS.index(label))
        for code, label, several in rows
        if code == language
        for phrase in several.split("; ")
    ]


def own(language: str) -> Labelled:
    """Whole texts of our own from the product's own world: `label TAB kind TAB text`. See own/README.md."""
    rows = (line.split("\t") for file in sorted(OWN.glob(f"{language}*.tsv")) for line in _lines(file))
    return [(plain(text), LABELS.index(label)) for label, _, text in rows]


def letters(text: str) -> str:
    """What two copies of a text have in common: its first letters and digits, no accents, links or handles."""
    text = unicodedata.normalize("NFKD", _UNHEARD.sub(" ", text).lower())
    return "".join(filter(str.isalnum, text))[:_SAME]


def _umsab(data: Path, language: str, split: str) -> Labelled:
    name = data / f"{LANGUAGES[language]}_{split}"
    texts, labels = _lines(Path(f"{name}_text.txt")), _lines(Path(f"{name}_labels.txt"))
    return [(plain(text), int(label)) for text, label in zip(texts, labels, strict=True)]


def _fresh(data: Path, rows: Labelled) -> Labelled:
    seen = _judged(data)
    kept = []
    for text, label in rows:
        if (key := letters(text)) not in seen:
            seen.add(key)
            kept.append((text, label))
    return kept


def _judged(data: Path) -> set[str]:
    """What the validation texts of all languages begin with: nothing that begins so is learned from."""
    return {letters(text) for language in LANGUAGES for text, _ in validation(data, language)}


def _spanish_posts(data: Path) -> list[tuple[str, str]]:
    with gzip.open(data / "spanish_emoji_posts.json.gz", "rt", encoding="utf-8") as lines:
        return [(row["text"], row["klass"]) for row in map(json.loads, lines)]


def _grades(language: str) -> dict[str, int]:
    rows = (line.split("\t") for line in _lines(GRADES) if line)
    return {key: int(grade) for code, key, grade in rows if code == language}


def _lines(file: Path) -> list[str]:
    # Not splitlines: some tweets hold a line separator of Unicode's.
    return file.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def _unmasked(text: str) -> str:
    return text.replace("_usr", "@user").replace("_emo", " ").replace("_url", "http")


# ── the manifest ─────────────────────────────────────────────────────────────


def files(data: Path) -> Iterator[Path]:
    for language in LANGUAGES.values():
        for split in ("train", "val"):
            yield data / f"{language}_{split}_text.txt"
            yield data / f"{language}_{split}_labels.txt"
    yield data / "english_semeval_train.tsv"
    yield data / "spanish_emoji_posts.json.gz"
    for name in sorted({f"{name}-projections.tsv" for name, _ in SUBTITLES} | {"en-annotated.tsv", "neu_en.txt"}):
        yield data / "xed" / name


def hashes(data: Path, of: Callable[[Path], Iterable[Path]] = files) -> dict[str, str]:
    return {
        file.relative_to(data).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(of(data))
    }


def check(data: Path) -> None:
    """`SystemExit` if a file is not the one that the models were trained on."""
    expected = json.loads(MANIFEST.read_text(encoding="utf-8"))
    if different := [name for name, digest in hashes(data).items() if expected.get(name) != digest]:
        sys.exit(f"not the files of manifest.json: {', '.join(different)}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--write", action="store_true")
    asked = arguments.parse_args()
    if asked.write:
        MANIFEST.write_text(json.dumps(hashes(asked.data), indent=1) + "\n", encoding="utf-8")
    check(asked.data)
    print(f"{len(hashes(asked.data))} files as in the manifest")
