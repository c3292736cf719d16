"""The report card: what is counted, what is night, who is right where people are divided, and what dial is proposed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.detect.policy import Dial
from app.model import Feedback, Policy
from app.pipeline.card import Card, Proposal, card, cards, month_of, propose, score_of, word_of
from app.storage.feedback import Case, Page

MADRID = ZoneInfo("Europe/Madrid")
NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
BUILT_IN = Policy()


def words(*useful: bool) -> tuple[Feedback, ...]:
    """Words of different people, one a minute."""
    return tuple(
        Feedback("i", f"p{minute}", NOON + timedelta(minutes=minute), word) for minute, word in enumerate(useful)
    )


def case(**fields: Any) -> Case:
    """An incident that opened at noon in Madrid's winter time, judged by nobody."""
    severity = fields.get("severity", "warning")
    usual: dict[str, Any] = {
        "incident_id": "i",
        "brand": "aurora",
        "time_zone": "Europe/Madrid",
        "cause": "negative",
        "why": "negative_spike",
        "policy_id": None,
        "severity": severity,
        "opened_at": NOON,
        "acknowledged_at": None,
        "score": 1.5,
        "pages": (Page(NOON, severity),),
    }
    return Case(**usual | fields)


def useful(score: float, **fields: Any) -> Case:
    return case(score=score, words=words(True), **fields)


def noise(score: float, **fields: Any) -> Case:
    return case(score=score, words=words(False), **fields)


# ── counting ─────────────────────────────────────────────────────────────────


def test_a_card_counts_incidents_pages_and_words() -> None:
    night = NOON.replace(hour=1)
    made = card(
        BUILT_IN,
        [
            useful(2.0, pages=(Page(NOON, "warning"), Page(night, "critical")), severity="critical"),
            noise(0.1, pages=(Page(night, "warning"),)),
            noise(0.2),
            case(),
            case(severity="notice", cause="silence", words=words(False)),
        ],
        watched=timedelta(weeks=6),
    )
    assert made == Card(
        policy=BUILT_IN,
        brand_weeks=6.0,
        incidents=5,
        notices=1,
        pages=5,
        night_pages=2,
        useful=1,
        noise=2,
        unsaid=1,
        acknowledged_min=None,
    )
    assert made.incidents == made.notices + made.useful + made.noise + made.unsaid
    assert made.precision == pytest.approx(1 / 3)
    assert made.pages_per_brand_week == pytest.approx(5 / 6)


def test_what_cannot_be_said_is_not_said() -> None:
    empty = card(BUILT_IN, [], watched=timedelta())
    assert (empty.precision, empty.pages_per_brand_week, empty.acknowledged_min) == (None, None, None)


@pytest.mark.parametrize(
    ("minutes", "median"), [([], None), ([None, 7], 7), ([1, 2, 90], 2), ([4, 8], 6), ([None, None], None)]
)
def test_the_time_to_acknowledge_is_the_median_of_those_that_were(
    minutes: list[int | None], median: float | None
) -> None:
    taken = [
        case(acknowledged_at=None if wait is None else NOON + timedelta(minutes=wait)) for wait in minutes
    ]  # a notice that somebody took says nothing of pages
    notice = case(severity="notice", acknowledged_at=NOON + timedelta(days=1))
    assert card(BUILT_IN, [*taken, notice], timedelta(weeks=1)).acknowledged_min == median


@pytest.mark.parametrize(
    ("at", "zone", "night"),
    [
        ("2026-11-18T20:59:59", "Europe/Madrid", False),  # 21:59:59 there
        ("2026-11-18T21:00:00", "Europe/Madrid", True),
        ("2026-11-18T06:59:59", "Europe/Madrid", True),
        ("2026-11-18T07:00:00", "Europe/Madrid", False),
        ("2026-07-18T20:00:00", "Europe/Madrid", True),  # 22:00 in summer
        ("2026-11-18T12:00:00", "America/Lima", True),  # 7:00 there
        ("2026-11-18T13:00:00", "America/Lima", False),
    ],
)
def test_night_is_from_22_to_8_where_the_brand_is(at: str, zone: str, night: bool) -> None:
    page = Page(datetime.fromisoformat(at).replace(tzinfo=UTC), "warning")
    assert card(BUILT_IN, [case(time_zone=zone, pages=(page,))], timedelta(weeks=1)).night_pages == night


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ((), None),
        ((True,), "useful"),
        ((False,), "noise"),
        ((True, True, False), "useful"),
        ((True, False, False), "noise"),
        ((False, True), "useful"),  # divided: the last one
        ((True, False), "noise"),
    ],
)
def test_an_incident_is_what_most_people_say_of_it(said: tuple[bool, ...], word: str | None) -> None:
    assert word_of(words(*said)) == word


def test_a_brand_counts_from_when_somebody_began_to_watch_it() -> None:
    since, until = month_of(2026, 11, MADRID)
    later = Policy(id=7, name="calm", at=since + timedelta(weeks=1))
    week = timedelta(weeks=1)
    began = [since - week, since + week / 2, since + 2 * week, until + week]
    found = cards([], [BUILT_IN, later], began, since, since + 3 * week)
    assert [c.brand_weeks for c in found] == [1.5, 2 + 2 + 1]
    assert [c.brand_weeks for c in cards([], [BUILT_IN], [], since, until)] == [0.0]


def test_each_policy_has_its_own_card_for_as_long_as_it_was_in_force() -> None:
    since, until = month_of(2026, 11, MADRID)
    later = Policy(id=7, name="calm", false_warnings_per_month=0.5, at=since + timedelta(weeks=1))
    last = replace(later, id=8, at=since + timedelta(weeks=3))
    found = cards([case(), case(policy_id=7), case(policy_id=7)], [BUILT_IN, later, last], [since, since], since, until)
    assert [(c.policy.id, c.incidents, round(c.brand_weeks, 3)) for c in found] == [
        (None, 1, 2.0),
        (7, 2, 4.0),
        (8, 0, round(2 * (30 - 21) / 7, 3)),
    ]
    assert cards([], [replace(later, at=since - timedelta(days=90))], [since], since, since + timedelta(weeks=2)) == [
        card(replace(later, at=since - timedelta(days=90)), [], timedelta(weeks=2))
    ]
    assert cards([], [BUILT_IN], [since], since, since) == []  # a month that has not begun


@pytest.mark.parametrize(
    ("month", "since", "until"),
    [
        ((2026, 11), "2026-10-31T23:00", "2026-11-30T23:00"),
        ((2026, 12), "2026-11-30T23:00", "2026-12-31T23:00"),
        ((2026, 10), "2026-09-30T22:00", "2026-10-31T23:00"),  # the clocks go back: an hour longer
    ],
)
def test_a_month_is_that_of_the_time_zone(month: tuple[int, int], since: str, until: str) -> None:
    assert [f"{moment:%Y-%m-%dT%H:%M}" for moment in month_of(*month, MADRID)] == [since, until]


# ── proposing ────────────────────────────────────────────────────────────────


def test_it_proposes_a_round_dial_between_the_noise_and_the_useful() -> None:
    made = propose([useful(1.5), useful(2.0), noise(0.1), noise(0.3), noise(0.2)], Dial())
    assert made == Proposal(0.1, would_keep=2, would_drop=3)
    assert 0.3 < Dial(made.false_warnings_per_month).warning <= 1.5


@pytest.mark.parametrize(
    ("cases", "why"),
    [
        ([], "nobody said anything"),
        ([noise(0.1), noise(0.2), noise(0.3)], "without a useful one there is nothing to hold it by"),
        ([useful(1.5), useful(2)], "there is no noise"),
        ([useful(1.5), noise(0.1)], "one is chance"),
        ([useful(1.5), noise(0.1), noise(0.2), noise(3), noise(4)], "half of the noise is not most of it"),
        ([useful(0.05), noise(0.1), noise(0.2)], "a useful one lies below"),
        ([useful(0.5), noise(0.5), noise(0.5)], "they cannot be told apart"),
        ([useful(-0.5), noise(0.1), noise(0.2)], "the dial would lose this one already"),
        ([useful(1.5), noise(-0.1), noise(-0.2)], "the dial drops these already"),
        ([useful(1.5), case(score=0.1), case(score=0.2)], "nobody said that these are noise"),
        ([useful(1.5), noise(0.1, cause="silence"), noise(0.2, cause="grave:fraude")], "the dial has no say in these"),
        ([useful(1.5, severity="notice"), noise(0.1), noise(0.2)], "a notice was no page"),
    ],
)
def test_it_proposes_nothing_where_the_words_do_not_speak_for_it(cases: list[Case], why: str) -> None:
    assert propose(cases, Dial()) is None, why


def test_a_proposal_is_never_looser_than_what_is_in_force() -> None:
    cases = [useful(1.5), noise(0.1), noise(0.3)]
    assert propose(cases, Dial()) is not None
    assert propose(cases, Dial(0.2)) is None  # both are below its line already
    assert propose(cases, Dial(0.02)) is None


def test_a_dial_has_an_end() -> None:
    made = propose([useful(5.5), noise(0.1), noise(2.9)], Dial())
    assert made is not None
    assert 0.001 <= made.false_warnings_per_month < 10**-2.9
    assert propose([useful(5.5), noise(3.1), noise(3.2)], Dial()) is None


def test_whatever_the_scores_a_proposal_keeps_what_it_says() -> None:
    proposed = 0
    for seed in range(500):
        cases = [
            (useful if (seed * 7 + k * 13) % 5 < 2 else noise)(((seed * 31 + k * 17) % 97) / 25 - 0.3)
            for k in range(3 + seed % 6)
        ]
        dial = Dial((0.2, 1.0, 3.0)[seed % 3])
        made = propose(cases, dial)
        if made is None:
            continue
        proposed += 1
        line = Dial(made.false_warnings_per_month).warning
        assert line > dial.warning
        assert all(one.score >= line for one in cases if word_of(one.words) == "useful")
        dropped = sum(dial.warning <= one.score < line for one in cases if word_of(one.words) == "noise")
        assert dropped == made.would_drop
    assert proposed > 30


@pytest.mark.parametrize(
    ("fields", "score"),
    [
        ({}, 1.5),
        ({"volume_score": 3.0}, 2.0),  # a surge needs a decade more than the negatives
        ({"volume_score": 1.0}, 1.5),
        ({"why": "volume_surge", "score": -2.0, "volume_score": 1.25}, 0.25),
        ({"cause": "negative:fuga"}, 1.5),
        ({"why": "grave_term"}, None),
        ({"cause": "grave:fraude", "why": "grave_term"}, None),
        ({"cause": "spread:9", "why": "wide_spread"}, None),
        ({"cause": "silence", "why": "silence"}, None),
        ({"severity": "notice"}, None),
    ],
)
def test_the_dial_decides_only_about_what_is_counted(fields: dict[str, Any], score: float | None) -> None:
    assert score_of(case(**fields)) == score
