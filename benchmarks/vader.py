"""How fast our VADER is beside vaderSentiment's, and whether it says the same.

    python -m benchmarks.vader                     CPU time of both, on invented texts of 16, 92 and 2,800 words
    python -m benchmarks.vader --check FILE ...    compare both on every line of the files (UTF-8, any text)

Ratios are medians over the rounds of (theirs / ours) per CPU-second; absolute figures depend on the machine.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from app.sentiment.rules import rules
from app.sentiment.window import window

GOALS = {16: 3, 92: 8, 2_800: 40}
ROUNDS = 7

SENTENCES = """
The parcel came two days early and the driver was lovely.
My router has been down since Tuesday and nobody answers the phone.
Honestly the new app is not bad at all, but it still crashes on my tablet.
They opened a second shop near the station last month.
I have never been so happy with a bank, the whole thing took ten minutes!
Refund refused, again, and the agent was RUDE about it.
The quarterly report will be published on the fourteenth of March.
Kind of disappointed with the battery, the screen is gorgeous though.
Does anybody know whether the blue one is back in stock?
Thank you for nothing, three hours on hold and then you hang up.
The hotel was clean, the breakfast was sort of dull, the view was the bomb.
It isn't a scam, it is just a terrible website.
Our team visited the factory and took a few pictures of the line.
Without a doubt the best customer service I have had this year.
Prices go up by four percent in June, says the company.
Worst update ever, it deleted my photos and I am furious 😡
Love it, love it, love it 😍 my daughter wears it every day
The ticket machine at gate nine only takes coins.
""".strip().split("\n")


def corpus(words: int, count: int) -> list[str]:
    """`count` texts of about `words` words: whole invented sentences in a random order."""
    draw = random.Random(words)
    texts = []
    for _ in range(count):
        text: list[str] = []
        while len(text) < words:
            text += draw.choice(SENTENCES).split()
        texts.append(" ".join(text[:words]))
    return texts


def cpu_s(read: Callable[[str], object], texts: Sequence[str]) -> float:
    start = time.process_time()
    for text in texts:
        read(text)
    return time.process_time() - start


def benchmark() -> bool:
    theirs = SentimentIntensityAnalyzer().polarity_scores
    ours = rules().read

    print(f"{'words':>6} {'vaderSentiment':>15} {'our rules':>12} {'ratio':>7} {'goal':>5}")
    reached = True
    for words, goal in GOALS.items():
        texts = corpus(words, max(3, 20_000 // words))
        for read in (theirs, ours):
            cpu_s(read, texts[:50])
        rounds = [(cpu_s(theirs, texts), cpu_s(ours, texts)) for _ in range(ROUNDS)]
        a, b = (median(column) / len(texts) * 1e6 for column in zip(*rounds, strict=True))
        ratio = median(x / y for x, y in rounds)
        reached &= ratio >= goal
        print(f"{words:>6} {a:>12.1f} µs {b:>9.1f} µs {ratio:>6.1f}x {goal:>4}x")
    print("The same four figures, no caps on the text. The scorer that holds them: benchmarks/tone/speed.py.")
    return reached


def check(files: Sequence[Path]) -> bool:
    theirs = SentimentIntensityAnalyzer().polarity_scores
    ours = rules().read
    compared = different = capped = 0
    for file in files:
        for line in file.read_text(encoding="utf-8", errors="replace").split("\n"):
            part = window(line)
            capped += part.text is not line
            reading = ours(part.text)
            compared += 1
            if tuple(theirs(part.text).values()) != reading[:4]:
                different += 1
                print(f"differs: {line!r}", file=sys.stderr)
    print(f"{compared:,} texts compared, {different:,} differ, {capped:,} were over the caps and compared as capped")
    return not different


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument(
        "--check", nargs="+", type=Path, metavar="FILE", help="compare both on every line of the files"
    )
    asked = arguments.parse_args()
    sys.exit(0 if (check(asked.check) if asked.check else benchmark()) else 1)
