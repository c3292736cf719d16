"""How improbable is so large a count? Upper tails of the negative binomial, many at once, in natural logarithms.

Mentions come in clumps: the variance is mean + dispersion * mean^2, and a Poisson tail (dispersion 0) would page all
day. Logarithms, because a crisis of a busy brand is far beyond 1e-308.

The tail is a regularised incomplete beta function (NIST DLMF 8.17.5, 8.17.22):
P(X >= k) = I_x(k, r) with r = 1 / dispersion and x = mean / (mean + r).
Every element goes its own way to its own end: what stands beside it in the batch changes no bit of it.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ENOUGH = 1e-13
_STEPS = 20_000
_TINY = 1e-300


def log_tail(observed: Floats, mean: Floats, dispersion: Floats, boring: Floats | None = None) -> Floats:
    """ln P(X >= observed) for X negative binomial with this mean (> 0) and variance mean + dispersion * mean^2.

    `observed` holds whole numbers, 1 or more; one-dimensional arrays of equal length. Where the tail is surely above
    `boring` (also a logarithm) it is not computed, and given as 0.
    """
    if boring is not None:
        found = np.zeros_like(mean)
        rare = log_mass(observed, mean, dispersion) <= boring
        if rare.any():
            found[rare] = log_tail(observed[rare], mean[rare], dispersion[rare])
        return found
    size = 1.0 / dispersion
    x = mean / (mean + size)
    # The continued fraction converges fast below this point only; above it the complement is computed.
    upper = x < (observed + 1.0) / (observed + size + 2.0)
    a, b = np.where(upper, observed, size), np.where(upper, size, observed)
    z = np.where(upper, x, size / (mean + size))
    log_part = _log_front(a, b, z) + np.log(_fraction(a, b, z))
    return np.where(upper, np.minimum(log_part, 0.0), np.log1p(-np.minimum(np.exp(log_part), 1.0 - 1e-16)))


def log_mass(observed: Floats, mean: Floats, dispersion: Floats) -> Floats:
    """ln P(X = observed): never more than `log_tail`."""
    size = 1.0 / dispersion
    choices: Floats = np.array(
        [
            math.lgamma(k + r) - math.lgamma(k + 1) - math.lgamma(r)
            for k, r in zip(observed.tolist(), size.tolist(), strict=True)
        ]
    )
    return choices + observed * np.log(mean / (mean + size)) - size * np.log1p(mean * dispersion)


def _log_front(a: Floats, b: Floats, z: Floats) -> Floats:
    """ln of z^a (1 - z)^b / (a B(a, b))."""
    log_beta: Floats = np.array(
        [math.lgamma(p) + math.lgamma(q) - math.lgamma(p + q) for p, q in zip(a.tolist(), b.tolist(), strict=True)]
    )
    front: Floats = a * np.log(z) + b * np.log1p(-z) - np.log(a) - log_beta
    return front


def _fraction(a: Floats, b: Floats, z: Floats) -> Floats:
    """The continued fraction of I_z(a, b), by the modified Lentz method."""
    result = np.ones_like(a)
    todo: NDArray[np.intp] = np.arange(len(a))
    c, d = np.ones_like(a), 1.0 / _away_from_zero(1.0 - (a + b) * z / (a + 1.0))
    value = d
    for m in range(1, _STEPS):
        if not len(todo):
            break
        for term in (
            m * (b - m) * z / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * z / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            value = value * (d * c)
        done = np.abs(d * c - 1.0) < _ENOUGH
        if done.any():
            result[todo[done]] = value[done]
            left = ~done
            todo = todo[left]
            a, b, z, c, d, value = (each[left] for each in (a, b, z, c, d, value))
    result[todo] = value
    return result


def _away_from_zero(value: Floats) -> Floats:
    return np.where(np.abs(value) < _TINY, _TINY, value)
