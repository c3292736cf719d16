"""The return-period scan: what it must find, what it must sleep through, and what it must not depend on."""

from collections.abc import Sequence
from math import comb, exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.detect.baseline import Local, level_of, usual
from alerts.detect.late import restate
from alerts.detect.policy import Dial
from alerts.detect.scan import Scan, judge, step
from alerts.detect.score import NEVER
from alerts.detect.state import States, fresh, from_bytes, take, to_bytes
from alerts.detect.tails import log_tail
from alerts.detect.tuning import BINS_S, DEFAULT_TUNING, tuning_for

DAY, HOUR = 288, 12
LEVELS = (0.02, 0.1, 0.5, 2.0, 10.0, 100.0)  # negatives in 5 min
SHARE = 0.25
LEARNT_DAYS = 10
NOW = LEARNT_DAYS * DAY + 10 * HOUR
DIAL = Dial()


def at(number: int, brands: int) -> Local:
    """Bin 0 is a Monday's first."""
    day = number // DAY
    return Local(np.full(brands, (number % DAY + 0.5) / HOUR), np.full(brands, day % 7), np.full(brands, float(day)))


def play(
    states: States,
    first: int,
    negative: np.ndarray,
    total: np.ndarray,
    coverage: np.ndarray | None = None,
) -> list[Scan]:
    """Counts are [bins, brands]."""
    heard = np.ones(negative.shape) if coverage is None else coverage
    return [
        step(states, first + bin, at(first + bin, len(states)), negative[bin] * 1.0, total[bin] * 1.0, heard[bin])
        for bin in range(len(negative))
    ]


def stream(dice: np.random.Generator, bins: int, first: int, share: float = SHARE) -> tuple[np.ndarray, np.ndarray]:
    """Clumped mentions of one brand a level, louder by day, a quarter of them negative."""
    hour = ((first + np.arange(bins)) % DAY / DAY)[:, None]
    rate = np.array(LEVELS) / SHARE * (1 + 0.5 * np.sin(2 * np.pi * hour))
    total = dice.poisson(rate * dice.gamma(5, 0.2, (bins, len(LEVELS))))
    return dice.binomial(total, share), total


@pytest.fixture(scope="module")
def memory() -> list[bytes]:
    """What is known of six brands after ten quiet days and ten hours."""
    states = fresh(len(LEVELS), DEFAULT_TUNING)
    play(states, 0, *stream(np.random.default_rng(4), NOW, 0))
    return to_bytes(states)


@pytest.fixture
def states(memory: list[bytes]) -> States:
    return from_bytes(memory, DEFAULT_TUNING)


def highest(scans: Sequence[Scan]) -> np.ndarray:
    return np.max([scan.score for scan in scans], axis=0)


# ── what it must find ────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(3))
def test_it_finds_ten_times_the_negatives_within_twenty_minutes(states: States, seed: int) -> None:
    negative, total = stream(np.random.default_rng(seed), 4, NOW)
    more = np.random.default_rng(seed + 50).poisson(9 * np.array(LEVELS), (4, len(LEVELS)))
    found = highest(play(states, NOW, negative + more, total + more)) >= DIAL.warning
    assert found[2:].all()


def test_it_finds_twelve_complaints_about_a_brand_that_hardly_anybody_complains_about(states: States) -> None:
    negative, total = stream(np.random.default_rng(1), 12, NOW)
    negative[:, 0] += 1
    total[:, 0] += 1
    assert highest(play(states, NOW, negative, total))[0] >= DIAL.critical


def test_it_calls_forty_copies_of_one_story_one_story(states: States) -> None:
    """The caller counts stories; as separate complaints the same forty would page."""
    negative, total = stream(np.random.default_rng(2), 3, NOW)
    copies = np.zeros_like(negative)
    copies[1, :3] = 40
    told = from_bytes(to_bytes(states), DEFAULT_TUNING)
    assert (highest(play(told, NOW, negative + copies, total + copies))[:3] >= DIAL.critical).all()
    once = np.minimum(copies, 1)
    assert (highest(play(states, NOW, negative + once, total + once))[:3] < DIAL.warning).all()


# ── what it must sleep through ───────────────────────────────────────────────


def test_it_stays_calm_on_quiet_days(states: States) -> None:
    scans = play(states, NOW, *stream(np.random.default_rng(8), DAY, NOW))
    assert (highest(scans) < DIAL.critical).all()


@pytest.mark.parametrize("seed", range(3))
def test_it_stays_calm_when_neutral_news_make_everybody_talk(states: States, seed: int) -> None:
    negative, total = stream(np.random.default_rng(seed), 3 * HOUR, NOW)
    news = np.random.default_rng(seed + 9).poisson(8 * np.array(LEVELS) / SHARE, (2 * HOUR, len(LEVELS)))
    total[: 2 * HOUR] += news
    negative[: 2 * HOUR] += np.random.default_rng(seed).binomial(news, 0.05)
    assert (highest(play(states, NOW, negative, total)) < DIAL.critical).all()


def test_the_same_negatives_without_the_news_would_wake_somebody(states: States) -> None:
    """The control of the test above: it is the rest of the stream that excuses them."""
    negative, total = stream(np.random.default_rng(0), 2 * HOUR, NOW)
    more = np.random.default_rng(9).poisson(8 * 0.05 * np.array(LEVELS) / SHARE, (2 * HOUR, len(LEVELS)))
    assert highest(play(states, NOW, negative + more, total + more))[-1] >= DIAL.warning


@pytest.mark.parametrize(("company", "woken"), [(18, False), (2, True)])
def test_a_surge_of_everything_is_no_crisis_of_a_brand_that_half_the_world_complains_about(
    company: int, woken: bool
) -> None:
    """Twenty times as loud for a moment, just above half of it negative; with less company the complaints surge."""
    states = fresh(len(LEVELS), DEFAULT_TUNING)
    play(states, 0, *stream(np.random.default_rng(4), NOW, 0, share=0.45))
    negative, total = stream(np.random.default_rng(8), 1, NOW, share=0.45)
    more = np.rint(20 * np.array(LEVELS)).astype(int)
    scores = highest(play(states, NOW, negative + more, total + more + more * company // 20))
    assert ((scores >= DIAL.critical)[4:] == woken).all()


def outage(states: States, told: bool) -> np.ndarray:
    """Four dark hours, and all that was said in them in the first two bins after. `told`: the scan knows of the gap."""
    negative, total = stream(np.random.default_rng(3), 5 * HOUR, NOW)
    dark = 4 * HOUR
    for counts in (negative, total):
        held = counts[:dark].sum(axis=0)
        counts[:dark] = 0
        counts[dark] += (held + 1) // 2
        counts[dark + 1] += held // 2
    coverage = np.ones(negative.shape)
    if told:
        coverage[:dark] = 0
    return highest(play(states, NOW, negative, total, coverage))


def test_it_stays_calm_when_a_source_delivers_what_it_held_back(states: States) -> None:
    assert (outage(states, told=True) < DIAL.critical).all()


def test_that_burst_would_wake_somebody_if_nobody_told_of_the_gap(states: States) -> None:
    quiet = from_bytes(to_bytes(states), DEFAULT_TUNING)
    without = outage(quiet, told=False)
    assert (without > outage(states, told=True)).any()


def held_back(states: States, loud: float, share: float) -> np.ndarray:
    """Four dark hours of which the source then delivers seven tenths in one bin, three in the next."""
    dark = 4 * HOUR
    negative, total = stream(np.random.default_rng(3), dark + 2, NOW)
    said = total[:dark].sum(axis=0) * loud
    coverage = np.ones(negative.shape)
    coverage[:dark] = negative[:dark] = total[:dark] = 0
    for bin, part in ((dark, 0.7), (dark + 1, 0.3)):
        total[bin] += np.rint(said * part).astype(int)
        negative[bin] += np.rint(said * part * share).astype(int)
    return highest(play(states, NOW, negative, total, coverage))[2:]


@pytest.mark.parametrize(("loud", "share"), [(1.0, 0.25), (1.4, 0.38), (1.6, 0.36)])
def test_nobody_is_woken_where_more_was_held_back_than_was_owed(states: States, loud: float, share: float) -> None:
    """A louder and more negative time than usual. What nobody owed keeps the neutral mentions that it came with."""
    assert (held_back(states, loud, share) < DIAL.critical).all()


def test_a_crisis_that_was_held_back_is_found_when_it_is_delivered(states: States) -> None:
    assert (held_back(states, 3.0, 0.7) >= DIAL.critical).all()


def test_it_still_finds_a_crisis_right_after_an_outage(states: States) -> None:
    negative, total = stream(np.random.default_rng(3), 5 * HOUR, NOW)
    coverage = np.ones(negative.shape)
    coverage[: 4 * HOUR] = negative[: 4 * HOUR] = total[: 4 * HOUR] = 0
    more = np.rint(14 * np.array(LEVELS)).astype(int)
    negative[4 * HOUR :] += more
    total[4 * HOUR :] += more
    assert (highest(play(states, NOW, negative, total, coverage))[3:] >= DIAL.warning).all()


# ── what it learns ───────────────────────────────────────────────────────────


def test_it_says_nothing_before_it_has_listened_for_a_day() -> None:
    states = fresh(len(LEVELS), DEFAULT_TUNING)
    negative, total = stream(np.random.default_rng(5), DAY - 1, 0)
    negative[-3:] += 50
    total[-3:] += 50
    assert (highest(play(states, 0, negative, total)) == NEVER).all()


def test_it_finds_a_crisis_on_its_second_day() -> None:
    states = fresh(len(LEVELS), DEFAULT_TUNING)
    play(states, 0, *stream(np.random.default_rng(5), DAY + HOUR, 0))
    negative, total = stream(np.random.default_rng(6), 6, DAY + HOUR)
    more = np.rint(14 * np.array(LEVELS)).astype(int)
    assert (highest(play(states, DAY + HOUR, negative + more, total + more))[2:] >= DIAL.warning).all()


def test_it_learns_nothing_while_nobody_listens(states: States) -> None:
    until_hour = HOUR - NOW % HOUR
    play(states, NOW, *stream(np.random.default_rng(1), until_hour, NOW))
    before = level_of(states).copy()
    dark = np.zeros((DAY, len(LEVELS)))
    play(states, NOW + until_hour, dark, dark, dark)
    assert (level_of(states) == before).all()


def test_an_outbreak_hardly_teaches(states: States) -> None:
    before = level_of(states).copy()
    negative, total = stream(np.random.default_rng(1), 4 * HOUR, NOW)
    more = np.rint(30 * np.array(LEVELS)).astype(int)
    play(states, NOW, negative + more, total + more)
    assert (level_of(states)[3:] < 1.35 * before[3:]).all()


def test_it_expects_more_by_day_than_by_night(states: States) -> None:
    one = np.ones(len(LEVELS))
    day, night = usual(states, at(6 * HOUR, len(LEVELS)), one), usual(states, at(18 * HOUR, len(LEVELS)), one)
    assert (day.expected[2:] > 1.5 * night.expected[2:]).all()


# ── what it must not depend on ───────────────────────────────────────────────


def same(one: States, other: States) -> bool:
    return one.data.tobytes() == other.data.tobytes()


def test_the_same_counts_give_the_same_verdicts_bit_for_bit(memory: list[bytes]) -> None:
    negative, total = stream(np.random.default_rng(6), DAY, NOW)
    negative[100:130] += 9
    total[100:130] += 9
    coverage = np.ones(negative.shape)
    coverage[50:60] = 0
    first, again = from_bytes(memory, DEFAULT_TUNING), from_bytes(memory, DEFAULT_TUNING)
    scans = play(first, NOW, negative, total, coverage)
    for bin, scan in enumerate(scans):
        (repeat,) = play(again, NOW + bin, negative[bin : bin + 1], total[bin : bin + 1], coverage[bin : bin + 1])
        assert repeat.score.tobytes() == scan.score.tobytes()
        again = from_bytes(to_bytes(again), DEFAULT_TUNING)
    assert same(first, again)


def test_a_brand_alone_is_judged_as_in_a_batch_bit_for_bit(memory: list[bytes]) -> None:
    negative, total = stream(np.random.default_rng(6), 60, NOW)
    negative[20:] += 5
    total[20:] += 5
    together = from_bytes(memory, DEFAULT_TUNING)
    batch = np.array([scan.score for scan in play(together, NOW, negative, total)])
    for brand in range(len(LEVELS)):
        alone = from_bytes(memory[brand : brand + 1], DEFAULT_TUNING)
        scans = play(alone, NOW, negative[:, brand : brand + 1], total[:, brand : brand + 1])
        assert np.array([scan.score[0] for scan in scans]).tobytes() == batch[:, brand].tobytes()
        assert same(alone, take(together, [brand]))


def test_a_state_is_small_and_refuses_what_it_did_not_write(memory: list[bytes]) -> None:
    assert max(map(len, memory)) <= 16 * 1024
    for spoilt in (memory[0][:-8], b"xxxx" + memory[0][4:], b""):
        with pytest.raises(ValueError, match="version"):
            from_bytes([spoilt], DEFAULT_TUNING)


# ── late arrivals ────────────────────────────────────────────────────────────


def test_a_late_mention_counts_in_its_own_bin(memory: list[bytes]) -> None:
    negative, total = stream(np.random.default_rng(7), HOUR, NOW)
    late = negative.copy(), total.copy()
    late[0][4] += 3
    late[1][4] += 5
    on_time, restated = from_bytes(memory, DEFAULT_TUNING), from_bytes(memory, DEFAULT_TUNING)
    play(on_time, NOW, *late)
    play(restated, NOW, negative, total)
    arrived = restate(restated, NOW, *(counts * 1.0 for counts in late))
    assert (arrived == 3).all()
    for name in ("negative", "total", "expected", "heard_negative", "ring_negative", "ring_total"):
        assert (restated[name] == on_time[name]).all(), name
    assert (restate(restated, NOW, *(counts * 1.0 for counts in late)) == 0).all()


def test_back_dating_does_not_hide_a_flood(states: States) -> None:
    """Forty complaints appear at once, dated twelve hours back."""
    play(states, NOW, *stream(np.random.default_rng(7), 1, NOW))
    number = NOW - 12 * HOUR
    slot = number % len(states["heard_negative"])
    flood = np.array([40.0, 40, 0, 0, 0, 0])
    arrived = restate(
        states,
        number,
        (states["heard_negative"][slot] + flood)[None, :],
        (states["heard_total"][slot] + flood)[None, :],
    )
    of = usual(states, at(NOW, len(LEVELS)), np.ones(len(LEVELS)))
    assert judge(states, of, arrived).score[0] >= DIAL.critical


def test_what_is_said_of_a_dark_time_was_expected(states: States) -> None:
    """After four dark hours their mentions come in with their own dates: as many as usual, so nothing has happened."""
    negative, total = stream(np.random.default_rng(3), 4 * HOUR, NOW)
    dark = np.zeros(negative.shape)
    play(states, NOW, dark, dark, dark)
    expected = states["expected"][3].copy()
    after = stream(np.random.default_rng(5), 1, NOW + 4 * HOUR)
    arrived = restate(states, NOW, negative * 1.0, total * 1.0)
    assert (states["expected"][3] > expected)[2:].all()
    of = usual(states, at(NOW + 4 * HOUR - 1, len(LEVELS)), np.ones(len(LEVELS)))
    assert (judge(states, of, arrived).score < DIAL.critical).all()
    assert (highest(play(states, NOW + 4 * HOUR, *after)) < DIAL.critical).all()


def test_what_is_older_than_a_day_is_left_alone(states: States) -> None:
    before = states.data.copy()
    flood = np.full((2, len(LEVELS)), 99.0)
    assert (restate(states, NOW - DAY - 5, flood, flood) == 0).all()
    assert (restate(states, NOW, flood, flood) == 0).all()  # not judged yet, so not late
    assert states.data.tobytes() == before.tobytes()


# ── properties ───────────────────────────────────────────────────────────────


@settings(max_examples=25)
@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 5))
def test_more_negatives_are_never_calmer(memory: list[bytes], some: int, more: int, brand: int) -> None:
    def score(count: int) -> float:
        alone = from_bytes(memory[brand : brand + 1], DEFAULT_TUNING)
        (scan,) = play(alone, NOW, np.array([[count]]), np.array([[count + 3]]))
        return float(scan.score[0])

    assert score(some + more) >= score(some) - 1e-9


def test_the_dial_moves_every_threshold_by_as_much() -> None:
    rare = Dial(0.1)
    assert (DIAL.warning, rare.warning) == (0.0, 1.0)
    assert rare.critical - DIAL.critical == pytest.approx(1.0)
    assert (DIAL.severity(0.2, NEVER), DIAL.severity(1.2, NEVER)) == ("warning", "critical")
    assert (DIAL.severity(NEVER, 1.2), rare.severity(0.2, 1.2)) == ("warning", "calm")
    with pytest.raises(ValueError, match="from"):
        Dial(0)


@pytest.mark.parametrize("bin_s", BINS_S)
def test_it_takes_bins_of_other_lengths(bin_s: int) -> None:
    tuning = tuning_for(bin_s)
    states, one = fresh(1, tuning), np.ones(1)
    for number in range(2 * tuning.bins_per_hour):
        step(states, number, at(0, 1), one, one * 4, one)
    assert states["negative"][-1, 0] == 2 * tuning.bins_per_hour


# ── the tails ────────────────────────────────────────────────────────────────


def negative_binomial_tail(observed: int, mean: float, dispersion: float) -> float:
    """Summed from zero with exact binomials, for whole sizes 1 / dispersion."""
    size = round(1 / dispersion)
    q = mean / (mean + size)
    return 1 - sum(comb(k + size - 1, k) * (1 - q) ** size * q**k for k in range(observed))


@pytest.mark.parametrize(
    ("observed", "mean", "dispersion"), [(5, 2, 0.5), (9, 3, 0.25), (40, 20, 0.1), (3, 0.4, 1), (2, 5, 0.5)]
)
def test_the_tail_is_that_of_a_negative_binomial(observed: int, mean: float, dispersion: float) -> None:
    found = log_tail(np.array([float(observed)]), np.array([float(mean)]), np.array([float(dispersion)]))
    assert exp(found[0]) == pytest.approx(negative_binomial_tail(observed, mean, dispersion), rel=1e-9)


def test_a_tail_beyond_floats_is_still_a_number() -> None:
    assert -1e7 < log_tail(np.array([1e6]), np.array([1.0]), np.array([0.02]))[0] < -2000


def test_a_boring_tail_is_not_computed_and_an_interesting_one_is_the_same() -> None:
    k, mean, spread = np.array([3.0, 30.0]), np.array([2.0, 2.0]), np.array([0.3, 0.3])
    found = log_tail(k, mean, spread, np.array([-8.0, -8.0]))
    assert found[0] == 0.0
    assert found[1] == log_tail(k, mean, spread)[1]
