"""How fast the two tiers are, the fast one beside vaderSentiment in the same run, and what hostile texts cost them.

    python -m benchmarks.tone.speed              invented posts in three languages; then the hostile table
    python -m benchmarks.tone.speed --hostile    the hostile table alone

All figures are CPU time of one core (`time.process_time`), medians over the rounds, every word met before. The goals:
10,000 posts per CPU-second in batches of 256, evidence included (quality tier: 250), and less than 50 ms for any text
of up to 1 MB.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from app.model import Language
from app.sentiment import Scorer
from app.sentiment.fast import Fast
from app.sentiment.quality import Quality
from benchmarks.tone.texts import own, phrases
from benchmarks.vader import corpus
from tests.app.sentiment.hostile import HOSTILE

BATCH, ROUNDS, POSTS = 256, 7, 2_560
GOAL, CAREFUL_GOAL, DEAREST_S = 10_000, 250, 0.05
WORDS = 16  # about those of a tweet


def posts(language: str) -> list[str]:
    """Invented posts of about `WORDS` words."""
    if language == "en":
        return corpus(WORDS, POSTS)
    draw, spoken = random.Random(language), [phrase for phrase, _ in phrases(language)]
    texts = []
    for number in range(POSTS):
        text: list[str] = []
        while len(text) < WORDS:
            text += draw.choice(spoken).split()
        texts.append(
            f"@acme {' '.join(text[:WORDS])}{draw.choice(['', '!', ' 😡', ' https://acme.example/' + str(number)])}"
        )
    return texts


def cpu_s(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def ordinary() -> bool:
    theirs, fast = SentimentIntensityAnalyzer().polarity_scores, Fast()
    print(f"{'':4} {'fast tier':>12} {'one by one':>12} {'vaderSentiment':>15}   posts per CPU-second; goal {GOAL:,}")
    reached = True
    for code in ("es", "pt", "en"):
        texts, language = posts(code), Language(code, 1.0)
        batches = [texts[start : start + BATCH] for start in range(0, POSTS, BATCH)]

        def in_batches(batches: list[list[str]] = batches, language: Language = language) -> None:
            for batch in batches:
                fast.score(batch, [language] * len(batch))

        def one_by_one(texts: list[str] = texts, language: Language = language) -> None:
            for text in texts:
                fast.score([text], [language])

        def beside(texts: list[str] = texts) -> None:
            for text in texts:
                theirs(text)

        in_batches()
        rounds = [(cpu_s(in_batches), cpu_s(one_by_one), cpu_s(beside)) for _ in range(ROUNDS)]
        a, b, c = (POSTS / median(column) for column in zip(*rounds, strict=True))
        reached &= a >= GOAL
        print(f"{code:4} {a:>12,.0f} {b:>12,.0f} {c:>15,.0f}")
    return reached


def careful() -> bool:
    """The quality tier on posts of our own, as they are written: both tiers and the evidence included."""
    quality = Quality(Fast())
    print(f"\n{'':4} {'quality tier':>12} {'one by one':>12}   posts per CPU-second; goal {CAREFUL_GOAL}")
    reached = True
    for code in ("es", "en"):
        texts, language = [text for text, _ in own(code)][:BATCH], Language(code, 1.0)
        quality.score(texts, [language] * len(texts))
        together = median(cpu_s(partial(quality.score, texts, [language] * len(texts))) for _ in range(ROUNDS))
        alone = cpu_s(lambda texts=texts, language=language: [quality.score([text], [language]) for text in texts])
        reached &= BATCH / together >= CAREFUL_GOAL
        print(f"{code:4} {BATCH / together:>12,.0f} {BATCH / alone:>12,.0f}")
    return reached


def hostile(scorer: Scorer) -> bool:
    dearest = 0.0
    print(f"\n{scorer.id[:9]:34} {'size':>9} {'es':>9} {'en':>9}   goal {DEAREST_S * 1e3:.0f} ms")
    for name, text in HOSTILE.items():
        costs = []
        for code in ("es", "en"):
            language = Language(code, 1.0)
            scorer.score(["warm"], [language])
            costs.append(median(cpu_s(partial(scorer.score, [text], [language])) for _ in range(ROUNDS)))
        dearest = max(dearest, *costs)
        size = len(text.encode(errors="surrogatepass")) / 1e3
        print(f"{name:34} {size:>6,.0f} kB {costs[0] * 1e3:>6.1f} ms {costs[1] * 1e3:>6.1f} ms")
    return dearest < DEAREST_S


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--hostile", action="store_true", help="the hostile table alone")
    asked = arguments.parse_args()
    passed = [asked.hostile or (ordinary() and careful()), hostile(Fast()), hostile(Quality(Fast()))]
    sys.exit(0 if all(passed) else 1)
