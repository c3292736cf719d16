"""The verdict on one brand: volumes and a memory in, Spike and memory out."""

import json
from dataclasses import replace
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts.detect.policy import Dial
from alerts.detect.verdict import REACH, Judgement, detect, needed_since
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


def test_a_new_source_wakes_nobody(known: bytes) -> None:
    spike = judged(since(crisis(5), BINS - DAY), known, hold=True).spike
    assert (spike.verdict, spike.reason) == ("learning", "new_source")
    assert spike.score >= DIAL.critical


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
