"""The verdict on one brand: volumes and a memory in, Spike and memory out."""

import json
from dataclasses import replace
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts.detect.policy import Dial
from alerts.detect.verdict import REACH, Judgement, band, detect, heard, needed_since, samples_of
from alerts.spike import Volume, from_mapping, to_mapping
from tests.alerts.crisis import DAY, START, chatter, closing, volume

DIAL = Dial()
BINS = 6 * DAY
BIN = timedelta(minutes=5)
QUIET = chatter(BINS, 2), chatter(BINS + 6, 6)


def calm() -> Volume:
    return volume(QUIET[0], QUIET[1][:BINS])


def crisis(bad: int = 2) -> Volume:
    """Six quiet days, then `bad` more negatives in each of six bins."""
    return volume([*QUIET[0], *[bad] * 6], QUIET[1])


def judged(of: Volume, memory: bytes | None = None, **options: object) -> Judgement:
    return detect(memory, of, closing(of), DIAL, **options)  # type: ignore[arg-type]


def upto(of: Volume, bins: int) -> Volume:
    names = ("negative", "total", "unknown", "past_negative", "past_total", "coverage")
    return replace(of, **{name: list(getattr(of, name))[:bins] for name in names})


def since(of: Volume, first: int) -> Volume:
    names = ("negative", "total", "unknown", "past_negative", "past_total", "coverage")
    return replace(of, start=of.start + first * BIN, **{name: list(getattr(of, name))[first:] for name in names})


@pytest.fixture(scope="module")
def known() -> bytes:
    """What is remembered after six quiet days."""
    return judged(calm()).memory


def test_it_finds_twelve_negatives_in_half_an_hour_where_one_is_usual(known: bytes) -> None:
    spike = judged(since(crisis(), BINS - DAY), known).spike
    assert (spike.verdict, spike.reason, spike.observed) == ("critical", "negative_spike", 12)
    assert spike.expected == pytest.approx(1, abs=0.4)
    assert spike.window_end - spike.window_start == timedelta(minutes=30)
    assert spike.score >= spike.critical_threshold


def test_quiet_days_are_calm(known: bytes) -> None:
    assert judged(since(crisis(0), BINS - DAY), known).spike.verdict == "calm"


def test_what_is_remembered_is_what_all_bins_at_once_would_give(known: bytes) -> None:
    """Bin by bin with a memory, or from the volumes alone: the same bits."""
    whole = crisis()
    memory: bytes | None = known
    for bins in range(BINS + 1, BINS + 7):
        part = upto(whole, bins)
        one = judged(since(part, bins - DAY - 5), memory)
        memory = one.memory
    alone = judged(whole)
    assert memory == alone.memory
    assert one.spike == alone.spike


def test_nothing_new_is_learnt_until_a_bin_has_closed(known: bytes) -> None:
    again = judged(since(calm(), BINS - DAY), known)
    assert again.memory == known
    late = [*QUIET[0][:-3], 12, *QUIET[0][-2:]]
    other = judged(since(volume(late, QUIET[1][:BINS]), BINS - DAY), known)
    assert other.memory == known
    assert other.spike.verdict == "critical"
    assert other.spike.observed > again.spike.observed


def test_a_backfill_teaches_and_never_alerts() -> None:
    taught = volume([*QUIET[0], *[0] * 6], QUIET[1], backfilled=BINS)
    calm_now = judged(taught).spike
    assert (calm_now.verdict, calm_now.observed) == ("calm", 0)
    assert calm_now.history_h > 100
    flood = [0] * (BINS - 6) + [30] * 6 + [0] * 6
    assert judged(volume(flood, QUIET[1], backfilled=BINS)).spike.verdict == "calm"
    assert judged(volume([*QUIET[0], *[2] * 6], QUIET[1], backfilled=BINS)).spike.verdict == "critical"


def test_silence_of_dead_sources_is_no_calm(known: bytes) -> None:
    dark = replace(crisis(0), coverage=[1.0] * BINS + [0.0] * 6)
    assert (judged(since(dark, BINS - DAY), known).spike.verdict) == "not_evaluated"


def test_it_is_learning_for_a_day() -> None:
    spike = judged(upto(calm(), DAY - 2)).spike
    assert (spike.verdict, spike.reason) == ("learning", "short_history")


def test_it_says_so_when_there_is_nothing_to_judge() -> None:
    empty = volume([], [])
    assert judged(empty).spike.reason == "no_bins"
    assert judged(empty, judged(empty).memory).spike.reason == "no_bins"
    unheard = volume([0] * 9, [0] * 9, coverage=[0.0] * 9)
    assert judged(unheard).spike.reason == "no_bins"


def test_a_memory_that_is_not_of_this_version_is_built_anew(known: bytes) -> None:
    assert judged(crisis(), b"something else").spike == judged(crisis()).spike
    assert needed_since(b"something else", START) == START - REACH
    assert needed_since(known, closing(calm())) == calm().start + BINS * BIN - timedelta(days=1)


def test_a_clock_that_was_set_back_starts_anew(known: bytes) -> None:
    early = START + timedelta(days=2)
    assert needed_since(known, early) == early - REACH
    past = upto(calm(), 2 * DAY)
    assert detect(known, past, closing(past), DIAL).memory == judged(past).memory


def test_the_clock_of_the_brand_is_its_own() -> None:
    one, other = judged(calm(), zone=UTC), judged(calm(), zone=ZoneInfo("Asia/Kolkata"))
    assert one.memory != other.memory


def test_a_verdict_survives_json(known: bytes) -> None:
    spike = judged(since(crisis(), BINS - DAY), known).spike
    assert from_mapping(json.loads(json.dumps(to_mapping(spike)))) == spike


# ── what stands beside the verdict ───────────────────────────────────────────


@pytest.mark.parametrize(("mean", "dispersion"), [(0.01, 0.4), (1, 0.3), (2.5, 20), (37, 0.1), (900, 0.02), (0.05, 6)])
def test_95_of_a_hundred_windows_lie_in_the_band(mean: float, dispersion: float) -> None:
    """Beside the plain sum of the distribution, from 0 on."""
    assert band(mean, dispersion) == tuple(float(_quantile(part, mean, dispersion)) for part in (0.025, 0.975))


def _quantile(part: float, mean: float, dispersion: float) -> int:
    size = 1 / dispersion
    count, mass = 0, (1 + mean * dispersion) ** -size
    total = mass
    while total < part:
        count += 1
        mass *= (count - 1 + size) / count * mean / (mean + size)
        total += mass
    return count


def test_the_band_of_a_huge_brand_is_as_good_and_as_quick() -> None:
    low, high = band(1e7, 0.02)
    assert (low, high) == (pytest.approx(7_422_186, rel=1e-3), pytest.approx(12_956_127, rel=1e-3))


def test_an_alarm_lies_outside_the_band_and_a_calm_hour_in_it(known: bytes) -> None:
    alarm = judged(since(crisis(), BINS - DAY), known).spike
    assert alarm.band is not None
    assert alarm.band[0] <= alarm.expected <= alarm.band[1] < alarm.observed
    calm_now = judged(since(crisis(0), BINS - DAY), known).spike
    assert calm_now.band is not None
    assert calm_now.band[0] <= calm_now.observed <= calm_now.band[1]


def test_the_score_of_the_count_alone_stands_beside_it(known: bytes) -> None:
    """A loud day with its usual share: the volume rule's score is the higher one."""
    loud = volume([*QUIET[0], *[3] * 6], [*QUIET[1][:BINS], *[8] * 6])
    spike = judged(since(loud, BINS - DAY), known).spike
    assert spike.volume_score is not None
    assert spike.volume_score > spike.score


def test_samples_are_the_same_window_of_the_days_before_newest_first() -> None:
    of = crisis()
    spike = judged(of).spike
    samples = samples_of(of, spike.window_start, spike.window_end)
    assert [spike.window_start - sample.start for sample in samples] == [timedelta(days=day) for day in range(1, 6)] + [
        timedelta(days=6)
    ]
    for sample in samples:
        first = (sample.start - of.start) // BIN
        assert (sample.negative, sample.total) == (
            sum(of.negative[first : first + 6]),
            sum(of.total[first : first + 6]),
        )
        assert (sample.kept, sample.why, sample.coverage) == (True, "", 1.0)


def test_samples_reach_no_further_than_asked_or_known() -> None:
    of = crisis()
    window = of.start + 3 * DAY * BIN, of.start + (3 * DAY + 6) * BIN
    assert len(samples_of(of, *window)) == 3
    assert len(samples_of(of, *window, days=2)) == 2
    assert samples_of(since(of, 2 * DAY + 1), *window) == ()


def test_a_day_on_which_nobody_listened_is_no_fair_sample() -> None:
    dark = [1.0] * (5 * DAY) + [0.0] * 3 + [1.0] * (DAY + 3)
    of = replace(crisis(), coverage=dark)
    kept = [(sample.kept, sample.why) for sample in samples_of(of, of.start + BINS * BIN, closing(of))]
    assert kept[:2] == [(False, "poor_coverage"), (True, "")]


def test_a_backfilled_day_is_a_fair_sample_and_the_time_before_it_none() -> None:
    bad, other = list(QUIET[0]), list(QUIET[1])
    dumb = 2 * DAY - 24
    bad[:dumb], other[:dumb] = [0] * dumb, [0] * dumb
    of = volume([*bad, *[2] * 6], other, backfilled=5 * DAY)
    samples = samples_of(of, of.start + BINS * BIN, of.start + (BINS + 6) * BIN)
    assert [sample.why for sample in samples] == [*[""] * 4, "no_history", "no_history"]
    assert samples[2].total == sum(of.past_total[3 * DAY : 3 * DAY + 6]) > 0


# ── stories that do not count ────────────────────────────────────────────────


def test_judged_without_some_stories_the_verdict_is_that_of_the_rest(known: bytes) -> None:
    all_told, left = since(crisis(), BINS - DAY), since(crisis(0), BINS - DAY)
    assert judged(all_told, known).spike.verdict == "critical"
    assert judged(left, known).spike == judged(crisis(0)).spike


def test_so_it_is_too_where_they_had_already_been_heard(known: bytes) -> None:
    """Half of them were judged in earlier bins, and are taken out of what the memory heard."""
    before = judged(since(upto(crisis(), BINS + 3), BINS - DAY), known).memory
    left = judged(since(crisis(0), BINS - DAY), before).spike
    never_said = judged(since(crisis(0), BINS - DAY), known).spike
    assert (left.verdict, left.observed, left.total) == ("calm", never_said.observed, never_said.total)
    assert left.score == pytest.approx(never_said.score, abs=0.1)
    assert judged(since(crisis(), BINS - DAY), before).spike.verdict == "critical"


def test_the_memory_to_keep_is_the_one_that_heard_all(known: bytes) -> None:
    """From the other one on, what was left out comes in late, as news."""
    all_told, left = since(crisis(), BINS - DAY), since(crisis(0), BINS - DAY)
    right, wrong = judged(all_told, known).memory, judged(left, known).memory
    first = all_told.start.timestamp() // 300
    told = {int(first) + bin: counts for bin, counts in enumerate(zip(all_told.negative, all_told.total, strict=True))}
    last_day = {bin: counts for bin, counts in sorted(told.items())[-DAY:] if any(counts)}
    assert heard(right) == last_day
    assert heard(wrong) != last_day
    assert judged(all_told, right).memory == right
    assert heard(judged(all_told, wrong).memory) == heard(wrong)


def test_nothing_is_heard_in_a_memory_of_another_version(known: bytes) -> None:
    assert heard(b"something else") == {}
    assert heard(judged(volume([], [])).memory) == {}
    assert heard(known)
