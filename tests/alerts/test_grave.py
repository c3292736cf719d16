"""A grave word: one story is enough where it is never heard, and none where it is daily bread."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.detect.grave import Grave, judge_grave
from alerts.detect.policy import Dial
from alerts.spike import Spike, from_mapping, to_mapping

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TERM = "intoxicación"
WEEKLY = {7: 1, 14: 1, 21: 1}
DAILY = dict.fromkeys(range(1, 28), 5)


def heard(days: dict[int, int], tier: int = 2) -> list[Grave]:
    """How many voices said it, by day: day 0 is the last 24 h."""
    return [
        Grave(TERM, NOW - timedelta(days=day, minutes=60 + voice), 100 * day + voice, f"voz {voice}", tier)
        for day, voices in days.items()
        for voice in range(voices)
    ]


def judge(days: dict[int, int], tier: int = 2, known_days: float = 28, per_month: float = 1) -> Spike:
    return judge_grave(TERM, heard(days, tier), NOW, known_days, Dial(per_month))


@pytest.mark.parametrize("known_days", [0.04, 1, 3, 10, 28, 400])
def test_one_story_with_a_word_that_was_never_heard_is_a_warning(known_days: float) -> None:
    spike = judge({0: 1}, known_days=known_days)
    assert (spike.verdict, spike.reason, spike.subject, spike.observed) == ("warning", "grave_term", TERM, 1)
    assert spike.score >= spike.threshold


@pytest.mark.parametrize("known_days", [0.04, 1, 3, 10, 28, 400])
def test_at_a_first_tier_source_it_is_critical_at_once(known_days: float) -> None:
    assert judge({0: 1}, tier=1, known_days=known_days).verdict == "critical"


@pytest.mark.parametrize(
    ("days", "known_days"),
    [
        ({0: 1, **WEEKLY}, 28),
        ({0: 1, 3: 1, 9: 1, 20: 1}, 28),
        ({0: 3, 7: 3, 14: 3, 21: 3}, 28),  # a word that comes in clumps
        ({0: 5, **DAILY}, 28),
        ({0: 7, **DAILY}, 28),
        ({0: 5, 1: 5}, 2),  # an undertaker's second day
        ({0: 5, 1: 5, 2: 4}, 3),
    ],
)
@pytest.mark.parametrize("tier", [1, 2])
def test_what_is_heard_every_week_is_daily_bread(days: dict[int, int], known_days: float, tier: int) -> None:
    spike = judge(days, tier, known_days)
    assert (spike.verdict, spike.reason) == ("calm", "usual")


@pytest.mark.parametrize(
    ("days", "verdict"),
    [
        ({0: 2}, "critical"),
        ({0: 2, 12: 1}, "critical"),
        ({0: 2, **WEEKLY}, "warning"),
        ({0: 4, **WEEKLY}, "critical"),
        ({0: 9, 7: 3, 14: 3, 21: 3}, "critical"),
        ({0: 16, **DAILY}, "critical"),
    ],
)
def test_more_voices_than_ever_are_news_even_so(days: dict[int, int], verdict: str) -> None:
    assert judge(days).verdict == verdict


def test_what_is_news_to_the_first_tier_is_news() -> None:
    forum = heard({0: 1, **WEEKLY})
    paper = Grave(TERM, NOW - timedelta(hours=2), 9_000, "diario", 1)
    assert judge_grave(TERM, forum, NOW, 28, Dial()).verdict == "calm"
    assert judge_grave(TERM, [*forum, paper], NOW, 28, Dial()).verdict == "critical"


def test_it_is_voices_that_count_not_stories() -> None:
    stories = [Grave(TERM, NOW - timedelta(minutes=number), number, "ana@foro", 2) for number in range(1, 30)]
    spike = judge_grave(TERM, stories, NOW, 28, Dial())
    assert (spike.observed, spike.total, spike.verdict) == (1, 29, "warning")


def test_it_goes_on_while_it_goes_on_and_a_quiet_day_ends_it() -> None:
    assert judge({0: 3, 1: 5}).verdict == "critical"
    assert judge({0: 1, 1: 4, 2: 5, 3: 2}).verdict == "warning"
    after = judge({1: 3, 2: 5})
    assert (after.verdict, after.observed) == ("calm", 0)


def test_other_words_and_other_times_say_nothing() -> None:
    others = [
        Grave("fraude", NOW - timedelta(hours=1), 1, "ana", 1),
        Grave(TERM, NOW + timedelta(minutes=1), 2, "eva", 1),
        Grave(TERM, NOW - timedelta(days=1), 3, "leo", 2),
    ]
    spike = judge_grave(TERM, others, NOW, 28, Dial())
    assert (spike.verdict, spike.observed, spike.total) == ("calm", 0, 0)


def test_the_dial_turns_it() -> None:
    assert judge({0: 1}, per_month=0.1).verdict == "calm"
    assert judge({0: 1}, tier=1, per_month=0.1).verdict == "warning"
    assert judge({0: 1}, per_month=10).verdict == "critical"


def test_the_numbers_of_the_proof() -> None:
    spike = judge({0: 2, 7: 1, 14: 3})
    assert spike.expected == pytest.approx((4 + 0.11) / (27 + 3))
    assert [(sample.negative, NOW - sample.start) for sample in spike.samples if sample.negative] == [
        (1, timedelta(days=8)),
        (3, timedelta(days=15)),
    ]
    assert len(spike.samples) == 14
    assert spike.window_end - spike.window_start == timedelta(days=1)
    assert spike.band is not None
    assert spike.band[1] >= spike.expected
    assert from_mapping(to_mapping(spike)) == spike


def test_nothing_is_calm_that_nobody_listened_to() -> None:
    dark = judge_grave(TERM, heard({1: 1}), NOW, 28, Dial(), coverage=0.4)
    assert (dark.verdict, dark.reason, dark.coverage) == ("not_evaluated", "poor_coverage", 0.4)
    assert judge_grave(TERM, heard({0: 1}), NOW, 28, Dial(), coverage=0.4).verdict == "warning"


def test_the_order_of_what_was_heard_changes_nothing() -> None:
    stories = heard({0: 2, 3: 1, 9: 4})
    assert judge_grave(TERM, stories[::-1], NOW, 28, Dial()) == judge_grave(TERM, stories, NOW, 28, Dial())
