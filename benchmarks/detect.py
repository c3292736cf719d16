"""What the detector finds, how fast, and what it wakes people for; beside rivals, in the same run, on the same counts.

    python benchmarks/detect.py                          the simulation, 12 brands a level (an hour on a busy core)
    python benchmarks/detect.py --quick                  2 brands a level, no Farrington
    python benchmarks/detect.py --volumes FOLDER         also real volume series (NAB realTweets, with windows.json)
    python benchmarks/detect.py --only cost              what a batch of 100,000 brands costs

The worlds are invented (`benchmarks/worlds.py`), seeded, and none of them was used to design with (seed 7 was). Every
method gets the threshold that makes 1 (and 0.1) false pages per brand and month on the quiet world, one page in 6 h,
and at least 3 negatives in 24 h before anybody is woken. Then: what share of the crises does it find, after how many
minutes, and what share of the events that are no crisis does it page for?

Carried over: the simulation's threshold, unchanged, on the real series, thinned to 1, 0.1, 0.01 and 0.002 of their
volume, with an invented, wandering share of negatives and no crises added. NAB: the series as they are, through
`alerts.detect.online` with its default dial, its notices scored as NAB does; rivals with the threshold that suits them
best.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from alerts.detect.baseline import Local
from alerts.detect.online import Online, Row
from alerts.detect.scan import step
from alerts.detect.state import fresh, to_bytes, width
from alerts.detect.tuning import DEFAULT_TUNING
from benchmarks import nab, worlds
from benchmarks.rivals import RIVALS
from benchmarks.worlds import DAY, QUIET_DAYS, World

COOL_DOWN = 72
START = QUIET_DAYS * DAY
BUDGETS = (1.0, 0.1)
OURS = "return-period scan"
THINNED = (1.0, 0.1, 0.01, 0.002)
Stepper = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]


# ── running ──────────────────────────────────────────────────────────────────


def local_at(number: int, brands: int) -> Local:
    """Bin 0 is a Monday's first, everywhere."""
    day = number // DAY
    return Local(np.full(brands, (number % DAY + 0.5) / 12), np.full(brands, day % 7), np.full(brands, float(day)))


class Ours:
    """The product's own code, with the rule for pages: negatives."""

    def __init__(self, brands: int) -> None:
        self.states = fresh(brands, DEFAULT_TUNING)

    def scan(self, negative: np.ndarray, total: np.ndarray, coverage: np.ndarray, number: int):
        return step(self.states, number, local_at(number, len(negative)), negative, total, coverage)

    def step(self, negative: np.ndarray, total: np.ndarray, coverage: np.ndarray, number: int) -> np.ndarray:
        return self.scan(negative, total, coverage, number).score


class OursOrVolume(Ours):
    """The warnings: negatives, or ten times as rarely a surge of everything."""

    def step(self, negative: np.ndarray, total: np.ndarray, coverage: np.ndarray, number: int) -> np.ndarray:
        scan = self.scan(negative, total, coverage, number)
        return np.maximum(scan.score, scan.volume_score - 1)


@dataclass
class Part:
    """One world in the batch: its brands are columns `first` to `end` of all scores."""

    world: World
    negative: np.ndarray
    total: np.ndarray
    first: int = 0
    end: int = 0


def batch(seed: int, brands_a_level: int, days: int) -> dict[str, Part]:
    many = np.repeat(worlds.LEVELS, brands_a_level)
    few = np.repeat(worlds.LEVELS, max(2, brands_a_level // 2))
    dice = iter(np.random.default_rng([seed, number]) for number in range(100))
    wire = worlds.wire_stories(next(dice), worlds.background(next(dice), few, days))
    copies = wire.copies
    assert copies is not None
    parts = {
        "quiet": _part(worlds.background(next(dice), many, days)),
        "crises": _part(worlds.crises(next(dice), worlds.background(next(dice), many, days))),
        "neutral": _part(worlds.neutral_news(next(dice), worlds.background(next(dice), few, days))),
        "outages": _part(worlds.outages(next(dice), worlds.background(next(dice), few, days))),
        "copies": _part(wire),
        "stories": Part(wire, wire.negative - copies, wire.total - copies),
    }
    column = 0
    for part in parts.values():
        part.first, part.end = column, column + part.negative.shape[1]
        column = part.end
    return parts


def _part(world: World) -> Part:
    return Part(world, world.negative, world.total)


def scores(make: Callable[[int], object], parts: dict[str, Part]) -> tuple[np.ndarray, float]:
    """Of every bin and brand, [bins, brands], and microseconds of CPU a brand and bin."""
    negative = np.concatenate([part.negative for part in parts.values()], axis=1).astype(np.int32)
    total = np.concatenate([part.total for part in parts.values()], axis=1).astype(np.int32)
    coverage = np.concatenate([part.world.coverage for part in parts.values()], axis=1)
    method: object = make(negative.shape[1])
    found = np.empty(negative.shape, np.float32)
    began = time.process_time()
    for number in range(len(negative)):
        found[number] = method.step(  # type: ignore[attr-defined]
            negative[number].astype(float), total[number].astype(float), coverage[number], number
        )
    cost = (time.process_time() - began) / negative.size * 1e6
    day = np.cumsum(np.vstack([np.zeros((1, negative.shape[1])), negative]), axis=0)
    at = np.arange(1, len(negative) + 1)
    found[day[at] - day[np.maximum(at - DAY, 0)] < 3] = -9
    return found, cost


# ── judging ──────────────────────────────────────────────────────────────────


def pages(found: np.ndarray, threshold: float, start: int = START) -> np.ndarray:
    """How often each brand is paged."""
    above = found[start:] >= threshold
    count, last = np.zeros(found.shape[1]), np.full(found.shape[1], -COOL_DOWN)
    for at in np.flatnonzero(above.any(axis=1)):
        new = above[at] & (at - last >= COOL_DOWN)
        count += new
        last[new] = at
    return count


def monthly(found: np.ndarray, threshold: float, start: int = START) -> np.ndarray:
    return pages(found, threshold, start) * 30 * DAY / (len(found) - start)


def threshold_for(found: np.ndarray, budget: float) -> float:
    """The lowest threshold with at most so many pages per brand and month."""
    values = found[START:]
    candidates = np.unique(np.quantile(values[values > -8], 1 - np.logspace(-7, -0.7, 400)))
    low, high = 0, len(candidates) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if monthly(found, candidates[middle] + 1e-6).mean() <= budget:
            high = middle
        else:
            low = middle
    return float(candidates[high] + 1e-6)


def delays(found: np.ndarray, world: World, threshold: float) -> dict[str, np.ndarray]:
    """Minutes from the start of each event to its page, by kind; nan where there is none."""
    by_kind: dict[str, list[float]] = {}
    for event in world.events:
        hits = np.flatnonzero(found[event.start : event.end, event.brand] >= threshold)
        by_kind.setdefault(event.kind, []).append(hits[0] * 5 + 5 if len(hits) else np.nan)
    return {kind: np.array(minutes) for kind, minutes in by_kind.items()}


def share(minutes: np.ndarray) -> float:
    return float(np.isfinite(minutes).mean()) if len(minutes) else float("nan")


def report(name: str, found: np.ndarray, parts: dict[str, Part], cost: float, budget: float) -> tuple[str, float]:
    of = {part: found[:, at.first : at.end] for part, at in parts.items()}
    threshold = threshold_for(of["quiet"], budget)
    false = monthly(of["quiet"], threshold)
    levels = parts["quiet"].world.level
    worst = max(false[levels == level].mean() for level in set(levels))
    crises = delays(of["crises"], parts["crises"].world, threshold)
    cells = [f"{share(np.concatenate(list(crises.values()))):.3f}", f"{worst:.1f}"]
    for kind in worlds.KINDS:
        minutes = crises.get(kind, np.array([]))
        median = f"{np.nanmedian(minutes):.0f}" if np.isfinite(minutes).any() else "-"
        cells.append(f"{share(minutes):.2f} ({median})")
    for part, kind in (
        ("neutral", "neutral news"),
        ("copies", "wire story"),
        ("stories", "wire story"),
        ("outages", "catch-up"),
        ("outages", "outage"),
    ):
        cells.append(f"{share(delays(of[part], parts[part].world, threshold).get(kind, np.array([]))):.3f}")
    return f"| {name} | {threshold:.2f} | " + " | ".join(cells) + f" | {cost:.1f} |", threshold


HEAD = (
    "| method | threshold | found | worst level, false/month | "
    + " | ".join(f"{kind} (min)" for kind in worlds.KINDS)
    + " | neutral news | copies, raw | copies as one story | catch-up | data lost | us |"
)


def simulate(parts: dict[str, Part], methods: dict[str, Callable[[int], object]]) -> dict[str, list[float]]:
    thresholds: dict[str, list[float]] = {}
    rows: dict[float, list[str]] = {budget: [] for budget in BUDGETS}
    for name, make in methods.items():
        found, cost = scores(make, parts)
        for budget in BUDGETS:
            row, threshold = report(name, found, parts, cost, budget)
            rows[budget].append(row)
            thresholds.setdefault(name, []).append(threshold)
            print(f"at {budget:g}: {row}", flush=True)
    for budget in BUDGETS:
        print(f"\nat {budget:g} false pages per brand and month\n\n{HEAD}\n|{'---|' * (HEAD.count('|') - 1)}")
        print("\n".join(rows[budget]))
    return thresholds


# ── real series ──────────────────────────────────────────────────────────────


def thinned(series: Sequence[nab.Labelled], seed: int) -> World:
    """Every series at four volumes, twice, with an invented share of negatives."""
    dice = np.random.default_rng([seed, 1000])
    bins = min(len(one.counts) for one in series)
    counts = np.array([one.counts[:bins] for one in series]).T
    columns = [(column, part) for column in range(counts.shape[1]) for part in THINNED for _ in range(2)]
    total = np.stack([dice.binomial(counts[:, column], part) for column, part in columns], axis=1)
    own = dice.beta(2.0, 6.0, len(columns)).clip(0.04, 0.75)
    odds = np.log(own / (1 - own)) + worlds._wander(dice, bins, 72, np.full(len(columns), 0.3), mean_one=False)
    negative = dice.binomial(total, 1 / (1 + np.exp(-odds)))
    return World(own, own, total, total, negative, np.ones(total.shape))


def carry_over(
    series: Sequence[nab.Labelled],
    thresholds: dict[str, list[float]],
    methods: dict[str, Callable[[int], object]],
    seed: int,
) -> None:
    world = thinned(series, seed)
    of_series = np.repeat([one.name for one in series], 2 * len(THINNED))
    print(
        f"\nThe simulation's threshold on {len(series)} real series: false pages per brand and month (worst series)\n"
    )
    print("| method | asked: 1 | asked: 0.1 |\n|---|---|---|")
    for name, make in methods.items():
        found, _ = scores(make, {"real": _part(world)})
        cells = []
        for threshold in thresholds[name]:
            false = monthly(found, threshold, 14 * DAY)
            worst = max(false[of_series == one.name].mean() for one in series)
            cells.append(f"{false.mean():.2f} ({worst:.1f})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def notices(one: nab.Labelled) -> list[int]:
    """The rows at which the product's own stream judgement, default dial, would send a notice."""
    online = Online(counts_only=True)
    stamps = (datetime.fromisoformat(stamp).replace(tzinfo=UTC) for stamp in one.timestamps)
    lines = (online.observe(Row(at, count, count)) for at, count in zip(stamps, one.counts, strict=True))
    return [row for row, line in enumerate(lines) if line.notify]


def score_nab(series: Sequence[nab.Labelled], rivals: dict[str, Callable[[int], object]]) -> None:
    print(f"\nNAB's score on {len(series)} labelled series\n")
    print(f"| method | {' | '.join(profile.name for profile in nab.PROFILES)} | notices |\n|---|---|---|---|---|")
    _nab_row(f"{OURS}, default dial, nothing tuned", series, {one.name: notices(one) for one in series})
    bins = min(len(one.counts) for one in series)
    counts = np.array([one.counts[:bins] for one in series]).T
    world = World(counts[0], counts[0], counts, counts, counts, np.ones(counts.shape))
    for name, make in rivals.items():
        found, _ = scores(make, {"real": _part(world)})
        tuned = (
            {one.name: _spaced(found[:, column] >= threshold) for column, one in enumerate(series)}
            for threshold in np.unique(np.quantile(found[DAY:], 1 - np.logspace(-4, -1, 60)))
        )
        best = max(tuned, key=lambda rows: nab.score(series, rows, nab.PROFILES[0]))
        _nab_row(f"{name}, threshold tuned on these", series, best)


def _spaced(above: np.ndarray) -> list[int]:
    """One notice in 24 h."""
    rows: list[int] = []
    for row in np.flatnonzero(above).tolist():
        if not rows or row - rows[-1] >= DAY:
            rows.append(row)
    return rows


def _nab_row(name: str, series: Sequence[nab.Labelled], rows: dict[str, list[int]]) -> None:
    figures = " | ".join(f"{nab.score(series, rows, profile):.1f}" for profile in nab.PROFILES)
    print(f"| {name} | {figures} | {sum(map(len, rows.values()))} |", flush=True)


# ── cost ─────────────────────────────────────────────────────────────────────


def cost(brands: int) -> None:
    """Seconds of CPU for one evaluation of all brands, with counts as of brands of all sizes; and a state's size."""
    dice = np.random.default_rng(5)
    level = np.resize(worlds.LEVELS, brands)
    ours = Ours(brands)
    spent = []
    for number in range(7 * DAY - 5, 7 * DAY + 16):
        total = dice.poisson(level * 4 * dice.gamma(4, 0.25, brands))
        negative = dice.binomial(total, 0.25)
        if number == 7 * DAY - 5:
            ours.states["covered"] = 30 * DAY  # tests are made, scores are scaled
            ours.states["level_negative"] = level * 7 * DAY
            ours.states["level_total"] = level * 4 * 7 * DAY
            ours.states["level_bins"] = 7.0 * DAY
            ours.states["level_frozen"] = level
        began = time.process_time()
        ours.step(negative.astype(float), total.astype(float), np.ones(brands), number)
        spent.append(time.process_time() - began)
    size = len(to_bytes(fresh(1, DEFAULT_TUNING))[0])
    print(f"\n{brands} brands, seconds of CPU for one bin: median {np.median(spent):.3f}, at midnight {max(spent):.3f}")
    print(f"a brand's state: {width(DEFAULT_TUNING)} numbers, {size} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=9001)
    parser.add_argument("--brands", type=int, default=12, help="a level; there are nine")
    parser.add_argument("--days", type=int, default=88)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--volumes", type=Path, help="folder of real series with windows.json")
    parser.add_argument("--only", choices=("ours", "nab", "cost"))
    options = parser.parse_args()
    methods: dict[str, Callable[[int], object]] = {OURS: Ours, f"{OURS}, or volume surge": OursOrVolume}
    if options.only != "ours":
        methods |= RIVALS
    if options.quick:
        methods = {name: make for name, make in methods.items() if "Farrington" not in name}
        options.brands, options.days = 2, 58
    series = nab.read(options.volumes) if options.volumes else []
    if options.only not in ("nab", "cost"):
        parts = batch(options.seed, options.brands, options.days)
        quiet = parts["quiet"].world
        print(f"seed {options.seed}: {len(quiet.level)} quiet brands for {options.days - QUIET_DAYS} days", end=", ")
        print(f"{len(parts['crises'].world.events)} crises", flush=True)
        thresholds = simulate(parts, methods)
        if series:
            carry_over(series, thresholds, methods, options.seed)
    if series and options.only != "cost":
        score_nab(series, {name: make for name, make in methods.items() if OURS not in name})
    if options.only in (None, "cost"):
        cost(20_000 if options.quick else 100_000)


if __name__ == "__main__":
    main()
