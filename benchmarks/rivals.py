"""What else one could page by: the rules of vendors, operations and epidemiology, carried to bins of 5 minutes.

Each takes one bin of every brand at a time, as (negative, total, coverage, bin number), and gives a number per brand
that is higher where it is more alarmed. They are ports of the ideas to this grid, not the published programs.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from alerts.detect.tails import log_tail

DAY, HOUR, WEEK = 288, 12, 7 * 288


class Rival(Protocol):
    def __init__(self, brands: int) -> None: ...
    def step(self, negative: np.ndarray, total: np.ndarray, coverage: np.ndarray, number: int) -> np.ndarray: ...


class Sums:
    """Running sums over windows of several lengths."""

    def __init__(self, brands: int, *lengths: int) -> None:
        self.ring = np.zeros((max(lengths) + 1, brands))
        self.sums = {length: np.zeros(brands) for length in lengths}

    def push(self, values: np.ndarray, number: int) -> None:
        size = len(self.ring)
        for length, of in self.sums.items():
            of -= self.ring[(number - length) % size]
            of += values
        self.ring[number % size] = values


class Hours:
    """The count of the last hour, at each of the last `days` days."""

    def __init__(self, brands: int, days: int) -> None:
        self.sums = Sums(brands, HOUR)
        self.past = np.zeros((days * DAY + HOUR + 2, brands), np.float32)

    def push(self, values: np.ndarray, number: int) -> np.ndarray:
        self.sums.push(values, number)
        hour = self.sums.sums[HOUR]
        self.past[number % len(self.past)] = hour
        return hour

    def at(self, numbers: list[int]) -> np.ndarray:
        return self.past[[number % len(self.past) for number in numbers]].astype(float)


class Static:
    """So many negatives in an hour: one number for every brand."""

    def __init__(self, brands: int) -> None:
        self.hour = Sums(brands, HOUR)

    def step(self, negative: np.ndarray, total: np.ndarray, coverage: np.ndarray, number: int) -> np.ndarray:
        self.hour.push(negative, number)
        return self.hour.sums[HOUR].copy()


class ZScore:
    """The last hour against mean and standard deviation of the hours of the last 7 days."""

    def __init__(self, brands: int) -> None:
        self.hour, self.first, self.second = Sums(brands, HOUR), Sums(brands, WEEK), Sums(brands, WEEK)

    def step(self, negative: np.ndarray, total: np.ndarray, coverage: np.ndarray, number: int) -> np.ndarray:
        known = max(1, min(number, WEEK))
        mean = self.first.sums[WEEK] / known
        sd = np.sqrt(np.maximum(self.second.sums[WEEK] / known - mean * mean, 0))
        self.hour.push(negative, number)
        hour = self.hour.sums[HOUR]
        z = (hour - mean) / np.maximum(sd, 0.7)
        self.first.push(hour, number)
        self.second.push(hour * hour, number)
        return z


class EarsC3:
    """EARS C3: the same hour on 7 days, two days back (C2), summed over three evaluations an hour apart."""

    def __init__(self, brands: int) -> None:
        self.hours, self.over = Hours(brands, 10), np.zeros((2 * HOUR + 1, brands))

    def step(self, negative: np.ndarray, total: np.ndarray, coverage: np.ndarray, number: int) -> np.ndarray:
        hour = self.hours.push(negative, number)
        z = np.zeros(len(hour))
        if number >= 9 * DAY:
            past = self.hours.at([number - day * DAY for day in range(2, 9)])
            z = (hour - past.mean(axis=0)) / np.maximum(past.std(axis=0, ddof=1), 0.7)
        size = len(self.over)
        self.over[number % size] = np.maximum(0, z - 1)
        return sum(self.over[(number - back) % size] for back in (0, HOUR, 2 * HOUR))


class BurnRate:
    """SRE workbook: 14.4 times the 7-day mean in 1 h and in 5 min, or 6 times in 6 h and in 30 min."""

    def __init__(self, brands: int) -> None:
        self.sums = Sums(brands, 1, 6, HOUR, 6 * HOUR, WEEK)

    def step(self, negative: np.ndarray, total: np.ndarray, coverage: np.ndarray, number: int) -> np.ndarray:
        self.sums.push(negative, number)
        usual = self.sums.sums[WEEK] / max(1, min(number + 1, WEEK))
        rate = {length: of / (usual * length + 1.0) for length, of in self.sums.sums.items() if length < WEEK}
        return np.maximum(np.minimum(rate[HOUR], rate[1]) / 14.4, np.minimum(rate[6 * HOUR], rate[6]) / 6.0)


class Farrington:
    """Farrington Flexible on hours: the same time of day, an hour either side, in 28 days; weekends apart;
    quasi-Poisson, past outbreaks down-weighted (Anscombe residual above 2.58); a negative-binomial tail."""

    def __init__(self, brands: int) -> None:
        self.hours = Hours(brands, 28)

    def step(self, negative: np.ndarray, total: np.ndarray, coverage: np.ndarray, number: int) -> np.ndarray:
        hour = self.hours.push(negative, number).copy()
        if number < 3 * DAY:
            return np.zeros_like(hour)
        days = [
            (number - day * DAY + aside, (number // DAY - day) % 7 >= 5)
            for day in range(1, min(28, number // DAY) + 1)
            for aside in (-HOUR, 0, HOUR)
        ]
        days = [(at, weekend) for at, weekend in days if at >= HOUR and at > number - len(self.hours.past)]
        counts = self.hours.at([at for at, _ in days])
        same = np.array([weekend for _, weekend in days]) == (number // DAY % 7 >= 5)
        if same.sum() < 3:
            same[:] = True
        weights = np.ones_like(counts)
        for last in (False, True):
            mean = np.empty_like(counts)
            for part in (same, ~same):
                if part.any():
                    mean[part] = (weights[part] * counts[part]).sum(0) / weights[part].sum(0) + 1e-3
            here = mean[same][0]
            over = np.maximum(1.0, (weights * (counts - mean) ** 2 / mean).sum(0) / (weights.sum(0) - 2))
            if not last:
                residual = 1.5 * (counts ** (2 / 3) - mean ** (2 / 3)) / (mean ** (1 / 6) * np.sqrt(over))
                weights = np.where(residual > 2.58, (np.maximum(residual, 1e-9) / 2.58) ** -2, 1.0)
                weights *= len(counts) / weights.sum(0)
        spread = np.maximum(over - 1, 1e-3) / here + 1.0 / (weights[same].sum(0) * here / over + 1e-3)
        score = np.zeros_like(hour)
        above = hour > np.maximum(here, 0.5)
        score[above] = -log_tail(hour[above], here[above], spread[above]) / np.log(10)
        return score


RIVALS: Mapping[str, type[Rival]] = {
    "EARS C3": EarsC3,
    "burn rate 1 h & 5 min, 6 h & 30 min": BurnRate,
    "Farrington-like, 60 min": Farrington,
    "z-score, 60 min against 7 days": ZScore,
    "static threshold, 60 min": Static,
}
