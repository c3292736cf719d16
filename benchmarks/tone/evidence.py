"""How often the evidence speaks against the label: the stored one, and the one that is worked out word by word.

gold sets (tests/gold), or the validation texts of a data folder -> quality tier -> texts that it calls negative or
positive -> is the sum of the evidence on the other side? and by `weigh`? -> shares, and what `weigh` costs

python -m benchmarks.tone.evidence [DATA]
"""

import argparse
import csv
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from app.model import Language
from app.sentiment.fast import Fast
from app.sentiment.quality import Quality
from app.sentiment.weigh import weigh
from benchmarks.tone import texts

GOLD = Path(__file__).parents[2] / "tests" / "gold"
SETS = {"es": "spanish", "en": "english"}
CHARGED = ("negative", "positive")


def gold() -> Iterator[tuple[str, list[str]]]:
    for code, name in SETS.items():
        with (GOLD / f"{name}.tsv").open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            yield code, [row["text"] for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="judge its validation texts instead of the gold sets")
    asked = parser.parse_args()
    sets = (
        ((code, [text for text, _ in texts.validation(asked.data, code)]) for code in texts.LANGUAGES)
        if asked.data
        else gold()
    )
    quality = Quality(Fast())
    for code, several in sets:
        language = Language(code, 1.0)
        stored = quality.score(several, [language] * len(several))
        charged = [(text, tone) for text, tone in zip(several, stored, strict=True) if tone.label in CHARGED]
        against, against_both, weighed, seconds = 0, 0, 0, []
        for text, tone in charged:
            start = time.process_time()
            found = weigh(quality, text, language)
            seconds.append(time.process_time() - start)
            assert found is not None
            against += tone.opposed
            weighed += found.opposed
            against_both += tone.opposed and found.opposed
        print(
            f"{code}: {len(charged)} charged texts; against it: stored {against / len(charged):.1%}, word by word"
            f" {weighed / len(charged):.1%}, both {against_both / len(charged):.1%};"
            f" {np.median(seconds):.2f} s a text (median), {max(seconds):.2f} at most",
            flush=True,
        )


if __name__ == "__main__":
    main()
