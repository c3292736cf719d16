"""Silence is told where much is usual and all sources answer, and not at night, not on Sundays, not of dead sources."""

from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from zoneinfo import ZoneInfo

import pytest

from alerts.detect.policy import Dial
from alerts.detect.silence import silence
from alerts.detect.verdict import detect
from alerts.spike import Spike, from_mapping, to_mapping
from tests.alerts.crisis import DAY, START, closing, volume

HOUR = 12
BIN = timedelta(minutes=5)
COVERED = [1.0] * DAY


@cache
def spoken(days: int, per_day: float, *, shop: bool = False) -> tuple[list[int], list[int]]:
    """Negative stories and others by bin, one in four negative. A shop is talked about from 8 to 22 h, not on Sundays.

    START is a Sunday.
    """
    random = Random(3)
    negative, rest = [], []
    for bin in range(days * DAY):
        at = START + bin * BIN
        rate = per_day / DAY
        if shop:
            rate *= 24 / 14 if 8 <= at.hour < 22 and at.weekday() != 6 else 0.0
        stories = sum(random.random() < rate / 10 for _ in range(10))
        bad = sum(random.random() < 0.25 for _ in range(stories))
        negative.append(bad)
        rest.append(stories - bad)
    return negative, rest


def heard(known: bytes | None, negative: list[int], rest: list[int], first: int) -> bytes:
    """The memory after these bins too, of which the first is bin `first` since START."""
    of = volume(negative, rest, start=START + first * BIN)
    return detect(known, of, closing(of), Dial()).memory


@cache
def days_of(days: int, per_day: float, shop: bool) -> bytes:
    negative, rest = spoken(28, per_day, shop=shop)
    last = slice((days - 1) * DAY, days * DAY)
    before = None if days == 1 else days_of(days - 1, per_day, shop)
    return heard(before, negative[last], rest[last], last.start)


@cache
def memory(days: float, per_day: float, quiet_h: float = 0, *, shop: bool = False) -> tuple[bytes, datetime]:
    """After so many days, and then `quiet_h` hours in which nothing is said."""
    whole, bins, quiet = int(days), round(days * DAY), round(quiet_h * HOUR)
    known = days_of(whole, per_day, shop)
    negative, rest = spoken(28, per_day, shop=shop)
    more = slice(whole * DAY, bins)
    if bins + quiet > whole * DAY:
        known = heard(known, [*negative[more], *[0] * quiet], [*rest[more], *[0] * quiet], whole * DAY)
    return known, START + (bins + quiet) * BIN


def judge(
    days: float,
    per_day: float,
    quiet_h: float = 0,
    *,
    shop: bool = False,
    coverage: list[float] | None = None,
    unknown: list[int] | None = None,
    per_month: float = 1,
) -> Spike:
    known, end = memory(days, per_day, quiet_h, shop=shop)
    return silence(known, end, COVERED if coverage is None else coverage, Dial(per_month), UTC, unknown=unknown or ())


@pytest.mark.parametrize(
    ("per_day", "quiet_h", "verdict"),
    [
        (600, 0, "calm"),
        (600, 1, "calm"),
        (600, 3, "notice"),
        (600, 24, "notice"),
        (60, 3, "calm"),  # 8 stories are not enough to be missed
        (60, 12, "notice"),
        (20, 12, "calm"),
        (30, 24, "notice"),
        (5, 24, "calm"),
    ],
)
def test_next_to_nothing_where_much_is_usual(per_day: float, quiet_h: float, verdict: str) -> None:
    assert judge(10, per_day, quiet_h).verdict == verdict


def test_the_numbers_of_the_proof() -> None:
    spike = judge(10, 600, 3)
    assert (spike.reason, spike.observed, spike.unknown, spike.coverage) == ("silence", 0, 0, 1.0)
    assert spike.expected == pytest.approx(75, rel=0.2)
    assert spike.window_end - spike.window_start == timedelta(hours=3)
    assert spike.window_end == START + timedelta(days=10, hours=3)
    assert spike.band is not None
    assert spike.observed < spike.band[0] < spike.expected < spike.band[1]
    assert spike.probability is not None
    assert 0 < spike.probability < 1e-4
    assert spike.score >= spike.threshold == 1
    assert from_mapping(to_mapping(spike)) == spike


def test_a_quiet_day_is_no_silence() -> None:
    """A fifth of the usual: rare, but somebody speaks."""
    few = [count if bin % 5 == 0 else 0 for bin, count in enumerate(spoken(28, 600)[1][:DAY])]
    assert sum(few) > 60
    known = heard(days_of(10, 600, False), [0] * DAY, few, 10 * DAY)
    assert silence(known, START + timedelta(days=11), COVERED, Dial()).verdict == "calm"


@pytest.mark.parametrize("age", [4 + 2 / 24, 4.25, 5.1, 7.5, 12.99, 13.0, 13.2, 13.5, 13.9, 14.1, 14.3, 27.3, 27.95])
def test_nights_and_sundays_are_no_silence(age: float) -> None:
    assert judge(age, 600, shop=True).verdict == "calm"
    assert judge(age, 600, shop=True).observed < 450 / 2


def test_a_weekday_that_was_never_lived_through_says_nothing() -> None:
    """Monday to Friday it is loud; what a Saturday is like nobody knows yet."""
    negative, rest = (counts[DAY : 6 * DAY] for counts in spoken(28, 600))
    week = heard(None, negative, rest, DAY)
    known = heard(week, [0] * DAY, [0] * DAY, 6 * DAY)
    assert silence(known, START + timedelta(days=7), COVERED, Dial()).verdict == "calm"
    loud = heard(week, negative[:DAY], rest[:DAY], 6 * DAY)
    for day in range(7, 13):
        loud = heard(loud, negative[:DAY], rest[:DAY], day * DAY)
    known = heard(loud, [0] * DAY, [0] * DAY, 13 * DAY)
    assert silence(known, START + timedelta(days=14), COVERED, Dial()).verdict == "notice"


def test_a_silence_goes_on_through_the_night() -> None:
    """It begins on a Tuesday at noon, and is told at every hour until Wednesday noon: not resolved and told again."""
    told = [judge(16.5, 600, hours, shop=True).verdict for hours in range(4, 25, 2)]
    assert set(told) == {"notice"}


def test_dead_sources_are_no_silence() -> None:
    dead = [*COVERED[:-36], *[0.0] * 36]
    spike = judge(10, 600, 3, coverage=dead)
    assert (spike.verdict, spike.reason, spike.coverage) == ("not_evaluated", "poor_coverage", 0.0)
    one_bin = [*COVERED[:-20], 0.89, *COVERED[-19:]]
    assert judge(10, 600, 3, coverage=one_bin).verdict == "not_evaluated"
    assert judge(10, 600, 3, coverage=[0.9] * DAY).verdict == "notice"
    assert judge(10, 600, 3, coverage=[]).verdict == "not_evaluated"


def test_no_all_clear_while_it_may_still_be_silent() -> None:
    """An outage this morning, nothing said since, and too little due in the last three hours to tell."""
    outage = [*COVERED[:-80], *[0.0] * 20, *COVERED[-60:]]
    assert judge(10, 60, 9, coverage=outage).verdict == "not_evaluated"
    assert judge(10, 60, 0, coverage=outage).verdict == "calm"


def test_a_tone_that_nobody_could_tell_was_said_all_the_same() -> None:
    told = [2] * DAY
    assert judge(10, 600, 3, unknown=told).verdict == "calm"
    spike = judge(10, 600, 3, unknown=[*[9] * (DAY - 36), *[0] * 35, 1])
    assert (spike.verdict, spike.observed, spike.unknown) == ("notice", 1, 1)
    assert judge(10, 600, 3, unknown=[9] * (3 * DAY)).verdict == "calm"


def test_it_is_learning_for_four_days() -> None:
    assert judge(3.8, 600, 3).reason == "short_history"
    assert judge(8, 600, 3).verdict == "notice"


def test_the_dial_turns_it() -> None:
    score = judge(10, 30, 24).score
    assert judge(10, 30, 24, per_month=10 ** (1.1 - score)).verdict == "notice"
    assert judge(10, 30, 24, per_month=10 ** (0.9 - score)).verdict == "calm"


def test_a_memory_that_is_not_of_now_says_nothing() -> None:
    known, end = memory(10, 600, 3)
    for spike in (
        silence(known, end + BIN, COVERED, Dial()),
        silence(b"something else", end, COVERED, Dial()),
        silence(detect(None, volume([], []), START, Dial()).memory, START, COVERED, Dial()),
    ):
        assert (spike.verdict, spike.reason, spike.expected) == ("not_evaluated", "no_bins", None)
        assert from_mapping(to_mapping(spike)) == spike


def test_the_clock_is_the_brands_own() -> None:
    """Read by another clock than it was learnt by, the shop's night is the time at which all speak."""
    known, end = memory(15.3, 600, shop=True)
    assert end.hour == 7
    at_home = silence(known, end, COVERED, Dial(), UTC)
    assert (at_home.verdict, at_home.expected) == ("calm", None)
    assert silence(known, end, COVERED, Dial(), ZoneInfo("Asia/Tokyo")).expected is not None
