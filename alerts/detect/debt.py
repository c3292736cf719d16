"""After an outage: what the gap would have held is owed, and the burst that follows it pays.

Where a source delivers what it held back, the first bins after the gap hold too much. For half an hour mentions
above the expected go back to the gap, up to the debt and two standard deviations; a crisis that began in the gap
still stands out, by what is left and by its share.
"""

import numpy as np

from alerts.detect.baseline import Usual
from alerts.detect.state import Floats, States

_DISPERSION = 0.2


def pay_back(states: States, of: Usual, negative: Floats, total: Floats, coverage: Floats) -> tuple[Floats, Floats]:
    """The bin's counts without what belongs to the gap before it."""
    owed, owed_total, age = states["debt_negative"], states["debt_total"], states["debt_age"]
    if not (of.missed.any() or owed.any()):
        return negative, total
    owed += of.missed
    owed_total += of.missed / of.share
    up = coverage > 0.5
    age[:] = np.where(up & (owed > 0), age + 1, 0.0)
    paying = age > 0
    if not paying.any():
        return negative, total
    first = age == 1
    owed[:] = np.where(first, _with_slack(owed), owed)
    owed_total[:] = np.where(first, _with_slack(owed_total), owed_total)
    back = np.rint(np.where(paying, np.minimum(np.maximum(negative - of.expected, 0), owed), 0))
    back_total = np.rint(np.where(paying, np.minimum(np.maximum(total - of.expected / of.share, 0), owed_total), 0))
    # What stays keeps the company that it came with: complaints left bare would look like a stream of nothing else.
    company = np.rint((negative - back) * total / np.maximum(negative, 1.0))
    back_total = np.where(paying, np.clip(back_total, back, np.maximum(total - company, back)), 0)
    owed -= back
    owed_total[:] = np.maximum(owed_total - back_total, 0)
    over = paying & ((age >= states.tuning.catch_up_s // states.tuning.bin_s) | (owed <= 0))
    for row in (owed, owed_total, age):
        row[over] = 0.0
    return negative - back, total - back_total


def _with_slack(debt: Floats) -> Floats:
    slack: Floats = 2 * np.sqrt(debt + _DISPERSION * debt * debt)
    return debt + slack
