"""How rare is that for this brand? Its own daily maxima are its scale, its own peak counts a second opinion.

The scan's evidence is nominal; real streams are burstier than any formula. Each day's maximum is kept for 56 days, and
a Gumbel distribution through their quantiles moves and stretches the scale: never in the brand's favour of more
alarms, and towards nominal while there are few days.
"""

import numpy as np
from numpy.typing import NDArray

from alerts.detect.state import NOMINAL, Floats, States

LN10 = float(np.log(10.0))
NEVER = -9.0
"""The evidence and the score where no test had a reason to be made."""
_LOWEST = -2.5


def gumbel(probability: float) -> float:
    """Quantile of the standard Gumbel distribution."""
    return -float(np.log(-np.log(probability)))


def close_day(states: States, ended: NDArray[np.bool_]) -> None:
    """For the brands whose local day has ended: keep its maxima, and fit the scale anew."""
    tuning = states.tuning
    which = np.flatnonzero(ended)
    slot = states["days"][which].astype(np.intp) % tuning.maxima_days
    for name, row in (("tops", states["top"][0]), ("tops_volume", states["top"][1]), ("peaks", states["top_peak"])):
        states[name][slot, which] = row[which]
    states["days"][which] += 1
    days = np.minimum(states["days"][which], tuning.maxima_days)
    for rule, name in enumerate(("tops", "tops_volume")):
        low, high = _quantiles(states[name][:, which], days, 0.5, 0.7)
        own = (high - low) * (LN10 / (gumbel(0.7) - gumbel(0.5)))
        prior = tuning.maxima_prior
        states["scale_by"][rule, which] = np.maximum(1.0, (prior + days * own) / (prior + days))
        at = low - own * (gumbel(0.5) / LN10)
        states["scale_at"][rule, which] = np.maximum(NOMINAL, (prior * NOMINAL + days * at) / (prior + days))
    low, high = _quantiles(states["peaks"][:, which], days, 0.5, 0.8)
    prior = tuning.peak_prior
    by = (prior * tuning.peak_scale + days * ((high - low) / (gumbel(0.8) - gumbel(0.5)))) / (prior + days)
    states["peak_by"][which] = by
    states["peak_at"][which] = low - by * gumbel(0.5)
    states["top"][:, which] = tuning.maxima_floor
    states["top_peak"][which] = 0.0


def _quantiles(values: Floats, days: Floats, *probabilities: float) -> list[Floats]:
    """Linear quantiles down each column, of its first `days` values in order; what is `UNSEEN` sorts last."""
    ordered = np.sort(values, axis=0)
    columns = np.arange(values.shape[1])
    found = []
    for probability in probabilities:
        at = probability * (days - 1)
        low = np.floor(at).astype(np.intp)
        high = np.minimum(low + 1, days.astype(np.intp) - 1)
        found.append(ordered[low, columns] + (at - low) * (ordered[high, columns] - ordered[low, columns]))
    return found


def score(states: States, evidence: Floats) -> Floats:
    """log10 of months between chance occurrences, per rule and brand, from the evidence [rules, brands]."""
    tuning = states.tuning
    np.maximum(states["top"], evidence, out=states["top"])
    height = np.log1p(states["negative"][tuning.peak_window])
    np.maximum(states["top_peak"], height, out=states["top_peak"])
    warm = states["covered"] >= tuning.learn_h * tuning.bins_per_hour
    tested = warm & (evidence > NEVER)
    if not tested.any():
        return np.full_like(evidence, NEVER)
    scaled = np.maximum((evidence - states["scale_at"]) / states["scale_by"] + NOMINAL, _LOWEST)
    peak = np.maximum((height - states["peak_at"]) / states["peak_by"] / LN10 + NOMINAL, _LOWEST)
    both = (scaled + np.minimum(peak, scaled + tuning.peak_lead)) / 2
    combined = np.where(np.isfinite(states["peak_at"]), both, scaled)
    return np.where(tested, combined + tuning.offset, NEVER)
