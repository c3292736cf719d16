"""The quality tier's card: how sure it may be, and what it reaches, on the validation texts.

    weights in app/sentiment/weights + validation texts -> blend (one for all languages), a temperature a language
        -> macro-F1, inversions, calibration error -> quality.json

    python -m benchmarks.tone.calibrate DATA --fast FOLDER

FOLDER holds fast models that have not learned from the validation texts (`benchmarks.tone.fast --without-validation`):
the shipped ones have, and would look better than they are.

The blend is the one with the best mean macro-F1 on a coarse grid. The validation texts chose the blend and the
temperatures, so the figures are a little kind; the judged ones are in docs/sentiment.md.
"""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from app.model import Language
from app.sentiment import encoder, fast
from app.sentiment.normal import plain
from app.sentiment.quality import CARD
from benchmarks.tone import texts
from benchmarks.tone.figures import calibration_error, inversions, macro_f1, softmax

GRID = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 1.0)
TEMPERATURES = np.geomspace(0.3, 3.0, 200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--fast", type=Path, required=True)
    asked = parser.parse_args()
    fast.WEIGHTS = asked.fast
    heard = {language: _hear(asked.data, language) for language in texts.LANGUAGES}
    means = {
        blend: np.mean([macro_f1(labels, _mixed(blend, *parts).argmax(axis=1)) for labels, *parts in heard.values()])
        for blend in GRID
    }
    print("mean macro-F1 by blend:", {blend: round(float(mean), 2) for blend, mean in means.items()})
    blend = max(GRID, key=lambda one: (round(float(means[one]), 1), -abs(one - 0.65)))
    temperatures, figures = {}, {}
    for language, (labels, *parts) in heard.items():
        mixed = _mixed(blend, *parts)
        temperatures[language] = round(float(min(TEMPERATURES, key=lambda one: _log_loss(labels, mixed / one))), 3)
        figures[language] = {
            "macro_f1": round(macro_f1(labels, mixed.argmax(axis=1)), 1),
            "fast": round(macro_f1(labels, parts[1].argmax(axis=1)), 1),
            "quality_alone": round(macro_f1(labels, parts[0].argmax(axis=1)), 1),
            "inversions": round(inversions(labels, mixed.argmax(axis=1)), 1),
            "calibration_error": round(calibration_error(labels, softmax(mixed / temperatures[language])), 1),
            "texts": len(labels),
        }
        print(language, figures[language], "temperature", temperatures[language])
    print("mean", round(float(np.mean([one["macro_f1"] for one in figures.values()])), 1))
    card = {
        "made": datetime.now(UTC).date().isoformat(),
        "blend": blend,
        "temperatures": temperatures,
        "validation": figures,
    }
    CARD.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def _hear(data: Path, language: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and the log-probabilities of the transformer and of the fast tier, (texts, 3) each."""
    rows = texts.validation(data, language)
    said = [text for text, _ in rows]
    readings = fast.Fast().read(said, [Language(language, 1.0)] * len(said))
    logits = encoder.Encoder().logits([plain(text) for text in said]).astype(float)
    words = np.array([np.zeros(3) if reading is None else reading.logits for reading in readings])
    return np.array([label for _, label in rows]), np.log(softmax(logits)), np.log(softmax(words))


def _mixed(blend: float, transformer: np.ndarray, fast: np.ndarray) -> np.ndarray:
    return blend * transformer + (1 - blend) * fast


def _log_loss(labels: np.ndarray, logits: np.ndarray) -> float:
    return -float(np.log(softmax(logits)[np.arange(len(labels)), labels]).mean())


if __name__ == "__main__":
    main()
