"""What was said before but is heard only now, or is heard otherwise now: counts of the last day are restated.

    bins as known now - bins as heard -> running sums, ring, debt, the hour that is being learnt

A late mention counts in its own bin, so the longer windows see it; and as something that has just arrived, so that
back-dating hides nothing. After an outage it pays the debt first: it was expected. What is older than the ring is
left alone, and bins that have not been judged yet are not late.
"""

import numpy as np

from alerts.detect.baseline import QUANTUM
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
    arrived = np.zeros(len(states))
    for at, brand in zip(*np.nonzero((more_negative != 0) | (more_total != 0)), strict=True):
        _restate_bin(states, int(numbers[at]), brand, more_negative[at, brand], more_total[at, brand])
        arrived[brand] += max(0.0, more_negative[at, brand])
    return arrived


def _restate_bin(states: States, number: int, brand: int, negative: float, total: float) -> None:
    slot, age = number % len(states["heard_negative"]), int(states["bin"][brand]) - number
    paid = _pay(states, brand, total)
    for name, more in (("heard_negative", negative), ("heard_total", total)):
        states[name][slot, brand] += more
    for name, more in (("negative", negative), ("total", total), ("expected", paid)):
        states[f"ring_{name}"][slot, brand] += more
    for row, length in enumerate(states.tuning.windows):
        if age < length:
            for name, more in (("negative", negative), ("total", total), ("expected", paid)):
                states[name][row, brand] += more
        if age < max(1, length // 6):
            states["late_negative"][row, brand] += negative
            states["late_expected"][row, brand] += paid
    if not paid:
        states["now_negative"][brand] += negative
        states["now_total"][brand] += total


def _pay(states: States, brand: int, total: float) -> float:
    """How many negatives were expected among so many late mentions: as many as usual, and no more than is owed."""
    owed, owed_total = states["debt_negative"][brand], states["debt_total"][brand]
    if total <= 0 or owed <= 0 or owed_total <= 0:
        return 0.0
    part = min(1.0, total / owed_total)
    states["debt_negative"][brand] = owed * (1 - part)
    states["debt_total"][brand] = owed_total * (1 - part)
    return float(np.rint(owed * part * QUANTUM) / QUANTUM)
