"""Invented brands with everything that a detector must find and everything that must not wake it. Seeded.

A brand's stream: an hour-of-day curve of two harmonics and a weekend, times a slow and a fast wandering level
(Ornstein-Uhlenbeck in logarithms, a day and an hour), times Gamma noise per bin, as mentions (Poisson), of which a
wandering share is negative. Spreads are those of ten real brand-mention series. 15 % of the brands are bursty.

Worlds over the same levels, 0.0035 to 500 negatives per 5 min: `quiet` (nothing happens: what false alarms are
counted on), `crises`, `neutral` (news that everybody talks about), `wire` (one story on many outlets, counted raw and
counted once), `outages` (data lost, or all of it at once afterwards).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

DAY, HOUR = 288, 12
LEVELS = (0.0035, 0.02, 0.1, 0.5, 2.0, 10.0, 50.0, 200.0, 500.0)
KINDS = ("jump x3", "jump x5", "jump x10", "ramp x6", "+12 an hour")
LASTS_H = {"jump x3": 12, "jump x5": 12, "jump x10": 12, "ramp x6": 16, "+12 an hour": 6}
QUIET_DAYS = 28
"""Days before anything happens, for every detector to learn."""


@dataclass(frozen=True)
class Event:
    brand: int
    start: int
    end: int
    kind: str


@dataclass
class World:
    """Counts are [bins, brands]; `copies` are those of `negative` (and of `total`) that repeat a story."""

    level: np.ndarray
    share: np.ndarray
    usual: np.ndarray
    total: np.ndarray
    negative: np.ndarray
    coverage: np.ndarray
    events: list[Event] = field(default_factory=list)
    copies: np.ndarray | None = None


def background(dice: np.random.Generator, level: np.ndarray, days: int) -> World:
    brands, bins = len(level), days * DAY
    share = dice.beta(2.0, 6.0, brands).clip(0.04, 0.75)
    usual = (level / share) * _season(dice, brands, bins)
    level_noise = _wander(dice, bins, DAY, np.sqrt(dice.uniform(0.02, 0.09, brands)))
    level_noise += _wander(dice, bins, HOUR, np.sqrt(dice.uniform(0.03, 0.20, brands)))
    rate = usual * np.exp(level_noise)
    clumps = dice.uniform(0.02, 0.30, brands)
    rate *= dice.gamma(1 / clumps, clumps, (bins, brands))
    total = dice.poisson(rate)
    bursts = (dice.random((bins, brands)) < 1 / DAY) & (dice.random(brands) < 0.15)
    total += np.where(bursts, dice.poisson(rate * dice.uniform(1, 5, (bins, brands))), 0)
    odds = np.log(share / (1 - share)) + _wander(dice, bins, 6 * HOUR, np.full(brands, 0.3), mean_one=False)
    negative = dice.binomial(total, 1 / (1 + np.exp(-odds)))
    return World(level, share, usual, total, negative, np.ones((bins, brands)))


def _season(dice: np.random.Generator, brands: int, bins: int) -> np.ndarray:
    at = np.arange(bins)
    angle = ((at % DAY) / DAY * 2 * np.pi)[:, None]
    first, second = dice.uniform(0.3, 1.0, brands), dice.uniform(0.0, 0.35, brands)
    phases = dice.uniform(0, 2 * np.pi, (2, brands))
    curve = np.exp(first * np.cos(angle - phases[0]) + second * np.cos(2 * angle - phases[1]))
    curve *= np.where((at // DAY % 7 >= 5)[:, None], dice.uniform(0.42, 0.95, brands), 1.0)
    return curve / curve.mean(axis=0)


def _wander(dice: np.random.Generator, bins: int, memory: int, sd: np.ndarray, *, mean_one: bool = True) -> np.ndarray:
    keep = np.exp(-1.0 / memory)
    values = np.empty((bins, len(sd)))
    values[0] = dice.normal(0, sd)
    for at in range(1, bins):
        values[at] = keep * values[at - 1] + np.sqrt(1 - keep * keep) * sd * dice.standard_normal(len(sd))
    return values - sd**2 / 2 if mean_one else values


def starts(dice: np.random.Generator, world: World, every: int) -> Iterator[tuple[int, int]]:
    """A brand and a bin, somewhere in every `every`-th day."""
    for brand in range(len(world.level)):
        for day in range(QUIET_DAYS, len(world.total) // DAY - 2, every):
            yield brand, day * DAY + int(dice.integers(DAY))


def more_negatives(kind: str, usual: np.ndarray) -> np.ndarray:
    """How many negatives a crisis adds to each bin, on average. `usual`: the day's usual negatives from its start."""
    at = np.arange(len(usual)) / HOUR
    floor = np.maximum(usual, usual.mean() * 0.3)
    if kind.startswith("jump"):
        return (float(kind.split("x")[1]) - 1) * floor * np.where(at < 4, 1.0, 0.5 ** ((at - 4) / 4)) * (at < 12)
    if kind == "ramp x6":
        return 5 * floor * np.minimum(1, at / 12) * (at < 16)
    return np.where(at < 4, 12.0 / HOUR, 0.0)


def crises(
    dice: np.random.Generator, world: World, every: int = 10, mostly: tuple[float, float] = (0.5, 0.95)
) -> World:
    """Of what a crisis adds, a share in `mostly` is negative (or the brand's own share, if that is larger)."""
    turn = 0
    for brand, start in starts(dice, world, every):
        kind = KINDS[turn % len(KINDS)]
        turn += 1
        if kind == "+12 an hour" and world.level[brand] > 0.6:  # no crisis for so busy a brand
            kind = KINDS[turn % len(KINDS)]
            turn += 1
        span = slice(start, start + DAY)
        more = more_negatives(kind, world.usual[span, brand] * world.share[brand])
        share = max(dice.uniform(*mostly), world.share[brand])
        negative = dice.poisson(more)
        world.negative[span, brand] += negative
        world.total[span, brand] += negative + dice.poisson(more * (1 - share) / share)
        world.events.append(Event(brand, start, start + LASTS_H[kind] * HOUR, kind))
    return world


def neutral_news(dice: np.random.Generator, world: World, every: int = 4, misheard: float = 0.07) -> World:
    for brand, start in starts(dice, world, every):
        length = int(dice.integers(HOUR, 8 * HOUR))
        span = slice(start, start + length)
        usual = np.maximum(world.usual[span, brand], world.usual[:, brand].mean() * 0.3)
        more = dice.poisson((dice.uniform(4, 12) - 1) * usual)
        world.total[span, brand] += more
        world.negative[span, brand] += dice.binomial(more, min(misheard, world.share[brand]))
        world.events.append(Event(brand, start, start + length + HOUR, "neutral news"))
    return world


def wire_stories(dice: np.random.Generator, world: World, every: int = 4) -> World:
    world.copies = np.zeros_like(world.negative)
    for brand, start in starts(dice, world, every):
        spread = dice.multinomial(int(dice.integers(8, 41)), [0.6, 0.3, 0.1])
        span = slice(start, start + 3)
        world.total[span, brand] += spread
        world.negative[span, brand] += spread
        spread[np.flatnonzero(spread)[0]] -= 1
        world.copies[span, brand] += spread
        world.events.append(Event(brand, start, start + 6 * HOUR, "wire story"))
    return world


def outages(dice: np.random.Generator, world: World, every: int = 4) -> World:
    """20 min to 12 h. Half of them lose what was said; the others get it all in the first two bins after."""
    for brand, start in starts(dice, world, every):
        length = int(np.exp(dice.uniform(np.log(4), np.log(DAY / 2))))
        span = slice(start, start + length)
        total, negative = int(world.total[span, brand].sum()), int(world.negative[span, brand].sum())
        world.total[span, brand] = world.negative[span, brand] = 0
        world.coverage[span, brand] = 0.0
        lost = dice.random() < 0.5
        if not lost:
            first = dice.binomial(total, 0.7)
            first_negative = dice.hypergeometric(negative, total - negative, first) if total else 0
            world.total[start + length, brand] += first
            world.total[start + length + 1, brand] += total - first
            world.negative[start + length, brand] += first_negative
            world.negative[start + length + 1, brand] += negative - first_negative
        world.events.append(Event(brand, start, start + length + 6 * HOUR, "outage" if lost else "catch-up"))
    return world
