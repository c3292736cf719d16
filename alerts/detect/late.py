"""What was said before but is heard only now, or is heard otherwise now: counts of the last day are restated.

    bins as known now - bins as heard -> running sums, ring, debt, the hour that is being learnt

A late mention counts in its own bin, so the longer windows see it; and as something that has just arrived, so that
back-dating hides nothing. Who tells of a bin that was not covered has been heard since then: what was expected of the
gap from there on stands beside it, and is owed no more. What is older than the ring is left alone, and bins that
have not been judged yet are not late.
"""

import numpy as np

from alerts.detect.state import Floats, States


def restate(states: States, first: int, negative: Floats, total: Floats) -> Floats:
    """Take in the bins from `first` on, [bins, brands], as they are known now. Gives the negatives that arrived late.

    All brands of the batch have been judged up to the same bin.
    """
    last = int(states["bin"][0])
    size = len(states["heard_negative"])
    numbers = np.arange(first, first + len(negative))
    known = (numbers <= last) & (numbers > last - size + 1)
    numbers, negative, total = numbers[known], negative[known], total[known]
    more_negative = negative - states["heard_negative"][numbers % size]
    more_total = total - states["heard_total"][numbers % size]
    arrived = np.maximum(more_negative, 0.0).sum(axis=0) if len(numbers) else np.zeros(len(states))
    for brand in np.flatnonzero(((more_negative != 0) | (more_total != 0)).any(axis=0)).tolist():
        came = np.flatnonzero(more_total[:, brand] > 0)
        paid = _cover(states, int(numbers[came[0]]), brand) if len(came) else 0.0
        for at in np.flatnonzero((more_negative[:, brand] != 0) | (more_total[:, brand] != 0)):
            _add(states, int(numbers[at]), brand, more_negative[at, brand], more_total[at, brand])
        if not paid:
            states["now_negative"][brand] += more_negative[:, brand].sum()
            states["now_total"][brand] += more_total[:, brand].sum()
    return arrived


def _add(states: States, number: int, brand: int, negative: float, total: float) -> None:
    slot, age = number % len(states["heard_negative"]), int(states["bin"][brand]) - number
    states["heard_negative"][slot, brand] += negative
    states["heard_total"][slot, brand] += total
    # What went back to a gap before is not in the ring any more, and cannot be taken out of it again.
    negative = max(negative, -float(states["ring_negative"][slot, brand]))
    total = max(total, -float(states["ring_total"][slot, brand]))
    states["ring_negative"][slot, brand] += negative
    states["ring_total"][slot, brand] += total
    for row, length in enumerate(states.tuning.windows):
        if age < length:
            states["negative"][row, brand] += negative
            states["total"][row, brand] += total
        if age < max(1, length // 6):
            states["late_negative"][row, brand] += negative


def _cover(states: States, first: int, brand: int) -> float:
    """The bins from `first` on have been heard after all. Gives what was expected of them, and is owed no more."""
    last, size = int(states["bin"][brand]), len(states["ring_missed"])
    paid = 0.0
    for number in range(first, last + 1):
        missed = float(states["ring_missed"][number % size, brand])
        if not missed:
            continue
        paid += missed
        states["ring_missed"][number % size, brand] = 0.0
        states["ring_expected"][number % size, brand] += missed
        for row, length in enumerate(states.tuning.windows):
            if last - number < length:
                states["expected"][row, brand] += missed
            if last - number < max(1, length // 6):
                states["late_expected"][row, brand] += missed
    owed = states["debt_negative"][brand]
    if paid and owed > 0:
        left = max(0.0, 1 - paid / owed)
        states["debt_negative"][brand] *= left
        states["debt_total"][brand] *= left
    return paid
