"""What a policy would have done: figures, marked incidents, bad questions in words, a walk that survives restarts."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from app.model import Brand, Policy
from app.pipeline import backtest
from app.pipeline.backtest import run, to_mapping
from app.pipeline.backtests import Backtests
from app.pipeline.question import BacktestError, Marked, Question, asked, of_question, read_marked, to_question
from app.storage import LeaseLost, Storage
from app.storage.backtests import LEASE_S, MOST_WAITING, TooMany
from tests.app.pipeline.far_end import HandClock
from tests.app.pipeline.past import Past

HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
AURORA = Brand(1, "aurora", "Aurora", "aurora", time_zone="Europe/Madrid")


def question(past: Past, *policies: Policy, marked: tuple[Marked, ...] = ()) -> Question:
    began = past.storage.journal.began(past.brand.id)
    assert began
    now = past.clock.now
    return asked(past.storage, (), began, None, policies, marked, now)


def first_page(past: Past) -> datetime:
    return min(one.opened_at for one in past.storage.incidents.page() if one.cause == "negative")


# ── the answer ───────────────────────────────────────────────────────────────


def test_two_policies_stand_side_by_side_and_the_quieter_one_pages_less(lived: Past) -> None:
    told: list[float] = []
    quiet, usual = Policy(name="quieta", false_warnings_per_month=0.001), Policy()
    result = run(lived.storage, question(lived, usual, quiet), told.append)
    first, second = result.outcomes
    assert (first.policy, second.policy) == ("default", "quieta")
    assert second.total.pages < first.total.pages
    assert first.total.notices >= 1
    assert result.pages_per_brand_month == first.total.pages_per_brand_month
    days = first.total.brand_days
    assert first.total.pages_per_brand_month == pytest.approx(first.total.pages / days * 30, rel=0.05)
    assert told == sorted(told)
    assert 0 <= told[0] <= told[-1] <= 1
    fired = {(one.cause, one.opened_at) for one in lived.storage.incidents.page()}
    assert {(one.cause, one.opened_at) for one in first.incidents} == fired
    assert [one.replayed for one in result.fired] == [True] * len(fired)
    (series,) = result.series
    assert sum(series.negative) > 20
    assert max(score for score in series.scores if score is not None) > 1


@pytest.mark.parametrize("told", ["score", "severity", "nothing"])
def test_what_fired_is_replayed_only_if_it_opened_as_it_did(lived: Past, lived_url: str, told: str) -> None:
    fired = min((one for one in lived.storage.incidents.page() if one.cause == "negative"), key=lambda i: i.opened_at)
    (event, *_) = lived.storage.incidents.events(fired.id)
    other = {"score": float(event.data["score"]) + 0.5, "severity": "notice", "nothing": None}[told]
    data = {**event.data, told: other} if other else event.data
    engine = create_engine(lived_url)
    with engine.begin() as connection:
        line = "UPDATE incident_events SET data = :data WHERE incident_id = :incident AND seq = 1"
        connection.execute(text(line), {"data": json.dumps(data), "incident": fired.id})
    engine.dispose()
    found = run(lived.storage, question(lived)).fired
    assert [one.id for one in found if not one.replayed] == ([fired.id] if other else [])


def test_marked_incidents_are_found_or_missed_with_their_lead(lived: Past) -> None:
    page = first_page(lived)
    ages = {"a tiempo": 20, "antes": -30, "demasiado antes": -61}
    marked = [Marked("aurora", page - timedelta(minutes=m), page + 3 * HOUR, name) for name, m in ages.items()]
    marked.append(Marked("aurora", page - 9 * HOUR, page - 8 * HOUR, "nunca vista"))
    (outcome,) = run(lived.storage, question(lived, marked=tuple(marked[:2]))).outcomes
    assert {one.name: one.lead_min for one in outcome.found} == {"a tiempo": 20.0, "antes": -30.0}
    assert outcome.incidents[0].marked == ("a tiempo", "antes")
    assert outcome.total.false_pages == sum(len(one.pages) for one in outcome.incidents if not one.marked)
    (outcome,) = run(lived.storage, question(lived, marked=(marked[3],))).outcomes
    assert [one.lead_min for one in outcome.found] == [None]
    assert outcome.total.false_pages == outcome.total.pages


def test_without_marked_incidents_no_page_is_called_false(lived: Past) -> None:
    (outcome,) = run(lived.storage, question(lived)).outcomes
    assert outcome.total.false_pages is None


@pytest.mark.parametrize(("hour", "nights"), [(21, 0), (22, 1), (23, 1), (3, 1), (7, 1), (8, 0), (12, 0)])
def test_night_is_from_22_to_8_where_the_brand_is(hour: int, nights: int) -> None:
    log = backtest._Log(AURORA, Question(("aurora",), NOON, NOON + HOUR), Policy())
    at = datetime(2026, 11, 18, hour, 30, tzinfo=UTC) - HOUR  # Madrid is an hour ahead
    turned: Any = None
    log.runs["x"] = backtest._Run(turned, "warning", None, [at])
    assert log.night_pages() == nights


# ── the question ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"brands": ("nadie",)}, "there is no brand nadie"),
        ({"brands": ("rival",)}, "competitor"),
        ({"since": NOON + HOUR}, "future"),
        ({"until": NOON - 3 * HOUR}, "before until"),
        ({"since": NOON - timedelta(days=500)}, "at most 400"),
        ({"policies": (Policy(), Policy(), Policy())}, "two policies"),
        ({"marked": (Marked("otra", NOON - HOUR, NOON, "x"),)}, "not in this backtest"),
        ({"marked": (Marked("aurora", NOON, NOON - HOUR, "x"),)}, "ends before it begins"),
    ],
)
def test_what_cannot_be_asked_is_said_in_words(
    storage: Storage, clock: HandClock, change: Mapping[str, Any], words: str
) -> None:
    past = Past(storage, clock)
    storage.apply([backtest_brand("rival", competitor=True)], clock.now)
    good: dict[str, Any] = {
        "brands": ("aurora",),
        "since": NOON - 2 * HOUR,
        "until": None,
        "policies": (),
        "marked": (),
        "now": NOON,
    }
    assert asked(storage, **good).brands == (past.slug,)
    with pytest.raises(BacktestError, match=words):
        asked(storage, **{**good, **change})


def backtest_brand(slug: str, **fields: Any) -> Any:
    from app.storage.records import PutBrand

    return PutBrand(Brand(0, slug, slug.title(), slug, **fields))


def test_a_brand_without_history_is_said_in_words(storage: Storage, clock: HandClock) -> None:
    Past(storage, clock)
    with pytest.raises(BacktestError, match="nothing is known of aurora"):
        run(storage, asked(storage, (), NOON - HOUR, None, (), (), NOON))


def test_a_question_is_kept_as_it_was_asked(lived: Past) -> None:
    marked = (Marked("aurora", NOON - HOUR, NOON, "x"),)
    made = question(lived, Policy(name="a", false_warnings_per_month=0.2), marked=marked)
    assert of_question(to_question(made)) == made


def csv(text: str) -> list[tuple[int, str]]:
    return list(enumerate(text.splitlines(), start=1))


@pytest.mark.parametrize("separator", [",", ";"])
def test_marked_incidents_are_read_from_csv_in_the_brands_time(separator: str) -> None:
    text = (
        "brand,since,until,name\naurora,2026-11-01,2026-11-02,la retirada\n\naurora,2026-11-03T09:00,2026-11-03T10:00Z,"
    )
    day, hour = read_marked(csv(text.replace(",", separator)), {"aurora": AURORA})
    assert day == Marked(
        "aurora", datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 2, 23, tzinfo=UTC), "la retirada"
    )
    assert (hour.since, hour.until) == (
        datetime(2026, 11, 3, 8, tzinfo=UTC),
        datetime(2026, 11, 3, 10, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: the header"),
        ("marca,desde\n", "line 1: the header"),
        ("brand,since,until,name\naurora,2026-11-01,2026-11-02\n", "line 2: 3 columns"),
        ("brand,since,until,name\nnadie,2026-11-01,2026-11-02,x\n", "line 2: there is no brand nadie"),
        ("brand,since,until,name\naurora,2026-11-01,2026-11-02,x\naurora,ayer,hoy,y\n", "line 3: ayer is no time"),
        ("brand,since,until,name\naurora,2026-11-05,2026-11-02,x\n", "line 2: it ends before"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text: str, words: str) -> None:
    with pytest.raises(BacktestError, match=words):
        read_marked(csv(text), {"aurora": AURORA})


# ── the walk ─────────────────────────────────────────────────────────────────


def put(past: Past, name: str = "b1") -> None:
    past.storage.backtests.add(name, "ana", to_question(question(past)), past.clock.now)


def test_the_walk_answers_what_waits(lived: Past) -> None:
    walk = Backtests(lived.storage, lived.clock)
    assert not walk.run(), "nothing waits"
    put(lived)
    assert walk.run()
    done = lived.storage.backtests.get("b1")
    assert done is not None
    assert (done.state, done.progress, done.error) == ("done", 1.0, None)
    assert done.result is not None
    assert done.result == to_mapping(run(lived.storage, question(lived)))
    measured = lived.storage.policies.measured("b1")
    assert measured is not None
    assert measured.pages_per_brand_month == {
        one["false_warnings_per_month"]: one["pages_per_brand_month"] for one in done.result["outcomes"]
    }


def test_a_question_that_fails_says_why(storage: Storage, clock: HandClock) -> None:
    Past(storage, clock)
    storage.backtests.add("b1", "ana", to_question(asked(storage, (), NOON - HOUR, None, (), (), NOON)), NOON)
    assert Backtests(storage, clock).run()
    failed = storage.backtests.get("b1")
    assert failed is not None
    assert (failed.state, failed.result) == ("failed", None)
    assert failed.error is not None
    assert "nothing is known of aurora" in failed.error


def test_after_a_crash_it_is_begun_anew_when_the_lease_is_over(storage: Storage, clock: HandClock) -> None:
    Past(storage, clock)
    plain = to_question(asked(storage, (), NOON - HOUR, None, (), (), NOON))
    storage.backtests.add("b1", "ana", plain, NOON)
    dead = storage.backtests.claim(NOON)
    assert dead is not None
    assert storage.backtests.claim(NOON + timedelta(seconds=LEASE_S - 1)) is None
    alive = storage.backtests.claim(NOON + timedelta(seconds=LEASE_S))
    assert alive is not None
    with pytest.raises(LeaseLost):
        storage.backtests.finish(dead, {"late": True})
    alive = storage.backtests.report(alive, 0.5, NOON + timedelta(seconds=LEASE_S + 1))
    assert storage.backtests.get("b1") == replace(alive.backtest, state="running", progress=0.5)
    storage.backtests.finish(alive, {"pages_per_brand_month": 0.0})
    assert storage.backtests.claim(NOON + 9 * HOUR) is None


def test_a_stop_leaves_it_to_the_next_start(lived: Past) -> None:
    put(lived)
    walk = Backtests(lived.storage, lived.clock)
    claimed = lived.storage.backtests.claim(lived.clock.now)
    assert claimed is not None
    walk.stop()
    walk._answer(claimed)
    left = lived.storage.backtests.get("b1")
    assert left is not None
    assert (left.state, left.progress) == ("waiting", 0.0)
    assert not walk.run()
    assert Backtests(lived.storage, lived.clock).run()


def test_no_more_than_three_wait(storage: Storage, clock: HandClock) -> None:
    Past(storage, clock)
    plain = to_question(asked(storage, (), NOON - HOUR, None, (), (), NOON))
    for number in range(MOST_WAITING):
        storage.backtests.add(f"b{number}", "ana", plain, NOON + timedelta(seconds=number))
    with pytest.raises(TooMany):
        storage.backtests.add("b9", "ana", plain, NOON)
    assert storage.backtests.claim(NOON) is not None
    storage.backtests.add("b9", "ana", plain, NOON + HOUR)
    assert [one.id for one in storage.backtests.page(limit=2)] == ["b9", "b2"]
    (_, last) = storage.backtests.page(limit=2)
    assert [one.id for one in storage.backtests.page((last.created_at, last.id))] == ["b1", "b0"]
