"""How well labels were told, in percent; labels are 0 negative, 1 neutral, 2 positive."""

from collections.abc import Sequence

import numpy as np

BINS = 10


def macro_f1(labels: Sequence[int] | np.ndarray, said: Sequence[int] | np.ndarray) -> float:
    """Over the three labels."""
    right, told = np.asarray(labels), np.asarray(said)
    scores = [
        2 * ((right == one) & (told == one)).sum() / max(1, (right == one).sum() + (told == one).sum())
        for one in range(3)
    ]
    return 100 * float(np.mean(scores))


def inversions(labels: np.ndarray, said: np.ndarray) -> float:
    """The share of all texts that were called the opposite of what they are."""
    return 100 * float((np.abs(said - labels) == 2).mean())


def calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Expected calibration error: |accuracy - confidence| a bin of confidence, weighted by its texts."""
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    return 100 * float(sum(abs((sure - right)[bins == at].sum()) for at in range(BINS)) / len(labels))


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
