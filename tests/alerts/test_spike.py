"""The verdict, from volumes to numbers."""

import json
from dataclasses import replace
from datetime import timedelta
from math import comb, exp, log
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.spike import (
    OUTBREAK,
    POOR_COVERAGE,
    Policy,
    Spike,
    Volume,
    _log_tail,
    _share_tail,
    detect,
    from_mapping,
    to_mapping,
)
from tests.alerts.crisis import DAY, START, chatter, closing, crisis, volume

BINS = 14 * DAY + 24
POLICY = Policy()


def judge(of: Volume, policy: Policy = POLICY) -> Spike:
    return detect(of, closing(of), policy)


# ── what it must find ────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(8))
def test_it_finds_twelve_negatives_in_half_an_hour_where_one_is_usual(seed: int) -> None:
    spike = crisis(seed)
    assert spike.verdict == "critical"
    assert spike.reason == "negative_spike"
    assert 12 <= spike.observed <= 14
    assert spike.expected == pytest.approx(1, abs=0.7)


def test_it_finds_a_burst_within_two_bins() -> None:
    quiet, rest = chatter(BINS, 2), chatter(BINS, 6)
    verdicts = [judge(volume(quiet + [6] * n, rest + [2] * n)).verdict for n in (0, 1, 2)]
    assert verdicts[0] == "calm"
    assert verdicts[2] == "critical"


def test_it_finds_a_crisis_of_a_brand_that_nobody_ever_complained_about() -> None:
    spike = judge(volume([0] * BINS + [2] * 6, chatter(BINS + 6, 1)))
    assert spike.verdict == "critical"
    assert spike.expected == POLICY.floor


def test_it_finds_a_threefold_rise_of_a_loud_brand() -> None:
    quiet, rest = chatter(BINS, 240), chatter(BINS + 6, 900)
    assert judge(volume([*quiet, *[60] * 6], rest)).verdict == "critical"


def test_it_finds_a_crisis_that_is_talked_about_by_everybody() -> None:
    """Half of the extra mentions are neutral, yet the share has risen: being talked about is no excuse."""
    spike = judge(volume([*chatter(BINS, 4), *[5] * 6], [*chatter(BINS, 12), *[5] * 6]))
    assert spike.verdict == "critical"
    assert spike.loudness == 1.0


def test_it_finds_a_second_crisis_two_days_after_a_big_one() -> None:
    """A mean of past days would have learnt the first one and slept through the second."""
    negative = chatter(BINS + 6, 2)
    for day in (2, 3):
        first = len(negative) - 6 - day * DAY
        negative[first - 12 : first + 18] = [20] * 30
    negative[-6:] = [2] * 6
    spike = judge(volume(negative, chatter(BINS + 6, 6)))
    assert spike.verdict == "critical"
    assert [sample.why for sample in spike.samples[1:3]] == [OUTBREAK, OUTBREAK]
    assert spike.expected == pytest.approx(1, abs=0.6)
    untrimmed = sum(sample.negative for sample in spike.samples) / len(spike.samples)
    assert untrimmed > 10 * (spike.expected or 0)


# ── what must stay calm ──────────────────────────────────────────────────────


def test_it_stays_calm_at_one_negative_in_a_silent_night() -> None:
    spike = judge(volume([0] * BINS + [0, 0, 1], [0] * (BINS + 3)))
    assert (spike.verdict, spike.reason, spike.score) == ("calm", "below_minimum", 0.0)


@pytest.mark.parametrize("per_hour", [2, 12, 120])
@pytest.mark.parametrize("seed", range(6))
def test_it_stays_calm_when_news_make_the_brand_six_times_as_loud(per_hour: float, seed: int) -> None:
    """The usual share of negatives in a loud stream is no crisis, however many they are."""
    hour = [chatter(6, 6 * per_hour, seed + 50), chatter(6, 18 * per_hour, seed + 60)]
    surge = volume([*chatter(BINS, per_hour, seed), *hour[0]], [*chatter(BINS, 3 * per_hour, seed + 10), *hour[1]])
    spike = judge(surge)
    assert spike.verdict == "calm"
    if per_hour == 120:
        assert spike.reason == "usual_share"
        assert spike.loudness > 4


def test_it_would_page_for_that_surge_without_the_control() -> None:
    """The control of the test above: the same negatives in a stream that is no louder than ever."""
    negative = [*chatter(BINS, 12), *chatter(6, 72, 50)]
    assert judge(volume(negative, chatter(BINS + 6, 36))).verdict == "critical"


def test_it_stays_calm_at_a_peak_that_comes_every_day() -> None:
    daily = ([0] * 100 + [3] * 6 + [0] * (DAY - 106)) * 15
    upto = 14 * DAY + 106
    spike = judge(volume(daily[:upto], [1] * upto))
    assert (spike.observed, spike.expected) == (18, 18)
    assert spike.verdict == "calm"
    assert judge(volume([*[0] * (upto - 6), *[3] * 6], [1] * upto)).verdict == "critical"


def test_it_stays_calm_at_a_daily_peak_that_comes_a_little_later() -> None:
    negative = []
    for day in range(15):
        late = 100 + (day * 5) % 9
        negative += [0] * late + [3] * 6 + [0] * (DAY - late - 6)
    upto = 14 * DAY + 100 + (14 * 5) % 9 + 6
    assert judge(volume(negative[:upto], [1] * upto)).verdict == "calm"


def test_it_is_not_carried_away_by_tiny_rises_of_a_huge_brand() -> None:
    """A rise by half is rare for so steady a brand, and still nothing to wake anybody for."""
    rises = [judge(volume([1000] * BINS + [bad] * 6, [4000] * (BINS + 6))) for bad in (1490, 1510)]
    assert [(spike.verdict, spike.reason) for spike in rises] == [("calm", "small_rise"), ("warning", "negative_spike")]


# ── what must not be judged ──────────────────────────────────────────────────


def test_it_judges_no_window_with_poor_coverage() -> None:
    bins = BINS + 6
    dark = [1.0] * (bins - 4) + [0.5] * 4
    spike = judge(volume([*chatter(BINS, 2), *[20] * 6], chatter(bins, 6), coverage=dark))
    assert (spike.verdict, spike.reason, spike.score) == ("not_evaluated", "poor_coverage", 0.0)
    assert spike.coverage < 0.9


def test_it_does_not_judge_a_last_bin_that_was_not_watched() -> None:
    bins = BINS + 6
    spike = judge(volume([*chatter(BINS, 2), *[20] * 6], chatter(bins, 6), coverage=[1.0] * (bins - 1) + [0.4]))
    assert spike.verdict == "not_evaluated"
    assert spike.coverage == pytest.approx(0.4)


def test_it_learns_until_a_day_is_covered() -> None:
    def young(bins: int) -> Spike:
        return judge(volume([1] * bins + [9] * 6, [2] * (bins + 6)))

    assert young(DAY - 1).verdict == "learning"
    assert young(DAY - 1).history_h < 24
    assert young(DAY + 12).verdict == "critical"


def test_it_does_not_count_dark_hours_as_learnt() -> None:
    bins = 3 * DAY
    spike = judge(volume([1] * bins + [9] * 6, [2] * (bins + 6), coverage=[1.0, *[0.0] * (bins - 1), *[1.0] * 6]))
    assert spike.verdict == "learning"


def test_a_backfill_teaches_at_once_and_never_alerts() -> None:
    negative, rest = [*chatter(BINS, 2), *[2] * 6], chatter(BINS + 6, 6)
    taught = volume(negative, rest, backfilled=BINS)
    assert judge(taught).verdict == "critical"
    only_backfill = replace(taught, negative=[0] * len(negative), total=[0] * len(negative))
    assert judge(only_backfill).verdict == "calm"


def test_it_knows_nothing_of_the_time_before_the_backfill_reaches() -> None:
    """Two days of backfill in a fortnight's window: twelve silent days were not heard, so they are no baseline."""
    known = 2 * DAY
    negative = [0] * (BINS - known) + [1] * known
    spike = judge(volume([*negative, *[1] * 6], [*[0] * (BINS - known), *[3] * (known + 6)], backfilled=BINS))
    assert spike.history_h == pytest.approx(48, abs=0.1)
    assert len(spike.samples) <= 3
    assert spike.expected == pytest.approx(6, abs=0.1)
    assert spike.verdict == "calm"


def test_it_leaves_out_days_that_were_not_heard() -> None:
    bins = BINS + 6
    coverage = [1.0] * bins
    for day in (1, 4):
        first = bins - 6 - day * DAY
        coverage[first - 12 : first + 18] = [0.6] * 30
    spike = judge(volume([*chatter(BINS, 2), *[2] * 6], chatter(bins, 6), coverage=coverage))
    assert [index + 1 for index, sample in enumerate(spike.samples) if sample.why == POOR_COVERAGE] == [1, 4]
    assert spike.verdict == "critical"


def test_it_never_reads_a_bin_that_is_still_open() -> None:
    full = volume([*chatter(BINS, 2), *[12]], chatter(BINS + 1, 6))
    early = detect(full, closing(full) - timedelta(seconds=61), POLICY)
    assert early.window_end == closing(full) - timedelta(seconds=360)
    assert early.observed < 12
    assert judge(full).observed >= 12


def test_it_says_so_when_there_is_nothing_to_judge() -> None:
    empty = volume([], [])
    assert (judge(empty).verdict, judge(empty).reason) == ("not_evaluated", "no_bins")


# ── what it tells ────────────────────────────────────────────────────────────


def test_every_number_that_it_used_is_in_the_verdict() -> None:
    """The probability can be computed again from the verdict alone."""
    spike = crisis()
    assert spike.expected is not None
    assert spike.dispersion is not None
    kept = [sample for sample in spike.samples if sample.kept]
    near = sum(sample.near_negative for sample in kept) / len(kept) / 5
    exact = sum(sample.negative for sample in kept) / len(kept)
    assert spike.expected == pytest.approx(max(near, exact, POLICY.floor))
    log_p = _log_tail(spike.observed, spike.expected * spike.loudness, spike.dispersion)
    assert spike.probability == pytest.approx(exp(log_p))
    assert spike.score == pytest.approx(-log_p / log(10))


def test_a_verdict_survives_json() -> None:
    spike = crisis()
    mapping = json.loads(json.dumps(to_mapping(spike)))
    assert from_mapping(mapping) == spike
    assert mapping["window_end"].endswith("Z")


@pytest.mark.parametrize("spoilt", [{"verdict": "fine"}, {"samples": [{}]}])
def test_a_mapping_that_is_no_verdict_is_refused(spoilt: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a spike"):
        from_mapping({**to_mapping(crisis()), **spoilt})


def test_a_volume_off_the_grid_or_with_uneven_series_is_refused() -> None:
    with pytest.raises(ValueError, match="grid"):
        volume([1], [1], start=START + timedelta(seconds=1))
    with pytest.raises(ValueError, match="equal length"):
        volume([1], [1], coverage=[])


# ── the tails ────────────────────────────────────────────────────────────────


def negative_binomial_tail(observed: int, mean: float, dispersion: float) -> float:
    """Summed from zero with exact binomials, for whole sizes 1 / dispersion."""
    size = round(1 / dispersion)
    q = mean / (mean + size)
    return 1 - sum(comb(k + size - 1, k) * (1 - q) ** size * q**k for k in range(observed))


@pytest.mark.parametrize(("observed", "mean", "dispersion"), [(5, 2, 0.5), (9, 3, 0.25), (40, 20, 0.1), (3, 0.4, 1)])
def test_the_tail_is_that_of_a_negative_binomial(observed: int, mean: float, dispersion: float) -> None:
    assert exp(_log_tail(observed, mean, dispersion)) == pytest.approx(
        negative_binomial_tail(observed, mean, dispersion), rel=1e-6
    )


def test_the_share_tail_is_binomial() -> None:
    exact = sum(comb(20, k) * 0.25**k * 0.75 ** (20 - k) for k in range(12, 21))
    assert _share_tail(12, 20, 0.25) == pytest.approx(exact, rel=1e-6)


def test_a_tail_beyond_floats_still_has_a_score() -> None:
    spike = judge(volume([*chatter(BINS, 2), *[20_000] * 6], chatter(BINS + 6, 6)))
    assert spike.verdict == "critical"
    assert spike.score == pytest.approx(300)


counts = st.lists(st.integers(0, 30), min_size=DAY + 40, max_size=DAY + 40)


@settings(max_examples=40, deadline=None)
@given(counts, st.integers(0, 60))
def test_more_negatives_are_never_calmer(negative: list[int], more: int) -> None:
    rest = [3] * len(negative)
    before = judge(volume(negative, rest))
    after = judge(volume([*negative[:-1], negative[-1] + more], rest))
    order = ["calm", "warning", "critical"]
    assert (order.index(after.verdict), after.score + 1e-9) >= (order.index(before.verdict), before.score)


def test_a_fortnight_is_judged_in_a_few_milliseconds() -> None:
    busy = volume(chatter(BINS + 6, 400), chatter(BINS + 6, 1200))
    began = process_time()
    for _ in range(20):
        judge(busy)
    assert (process_time() - began) / 20 < 0.01
