"""What verdicts go by: the last line counts, every line stays, and a cited backtest says what it measured."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, insert

from app.model import Policy
from app.storage import Storage
from app.storage.policies import Measured
from app.storage.records import PutBrand, PutPolicy
from app.tables import backtests

LOUD = Policy(name="launch", false_warnings_per_month=2.5, reason="launch week", actor="Ana", backtest_id="b1")


def put(storage: Storage, now: Any, *dials: float) -> list[Policy]:
    """A policy a day with these dials."""
    return [
        storage.policies.put(Policy(name=str(dial), false_warnings_per_month=dial), now + timedelta(days=day))
        for day, dial in enumerate(dials)
    ]


def test_the_built_in_policy_holds_until_somebody_puts_another(storage: Storage, now: Any) -> None:
    assert storage.policies.current() == Policy() == storage.policies.get(None)
    assert storage.policies.page() == []
    made = storage.policies.put(LOUD, now)
    assert made == replace(LOUD, id=made.id, at=now)
    assert storage.policies.current() == made == storage.policies.get(made.id)
    assert storage.policies.get((made.id or 0) + 1) is None


def test_the_history_is_read_in_pages_newest_first(storage: Storage, now: Any) -> None:
    made = put(storage, now, 1, 2, 3, 4)
    first = storage.policies.page(limit=3)
    assert first + storage.policies.page(before_id=first[-1].id) == made[::-1]
    assert storage.policies.current() == made[-1]


@pytest.mark.parametrize(
    ("since", "until", "names"),
    [
        (-5, -1, ["default"]),
        (-5, 1, ["default", "1.0"]),
        (0, 1, ["1.0"]),
        (0.5, 1, ["1.0"]),
        (0.5, 1.5, ["1.0", "2.0"]),
        (-1, 9, ["default", "1.0", "2.0", "3.0"]),
        (7, 9, ["3.0"]),
    ],
)
def test_it_says_which_policies_were_in_force_in_a_time(
    storage: Storage, now: Any, since: float, until: float, names: list[str]
) -> None:
    put(storage, now, 1.0, 2.0, 3.0)
    found = storage.policies.in_force(now + timedelta(days=since), now + timedelta(days=until))
    assert [policy.name for policy in found] == names


@pytest.mark.parametrize("dial", [0.0009, 0, -1, 30.1, float("nan"), float("inf")])
def test_there_is_no_policy_beyond_the_dial(dial: float) -> None:
    with pytest.raises(ValueError, match=r"from 0\.001 to 30"):
        Policy(false_warnings_per_month=dial)
    assert Policy(false_warnings_per_month=30).dial.warning < Policy(false_warnings_per_month=0.001).dial.warning


def test_what_a_database_does_not_take_is_left_out(storage: Storage, now: Any) -> None:
    made = storage.policies.put(Policy(name="a\0b", reason="x\ud800" * 3000, actor="\0"), now)
    assert (made.name, made.actor, len(made.reason)) == ("ab", "", 2000)


def test_it_is_applied_together_with_the_rest_or_not_at_all(storage: Storage, now: Any) -> None:
    storage.apply([PutPolicy(LOUD)], now)
    assert storage.policies.current().name == "launch"
    broken: Any = PutBrand(None)  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        storage.apply([PutPolicy(replace(LOUD, name="never")), broken], now)
    assert [policy.name for policy in storage.policies.page()] == ["launch"]


def tried(dial: Any, pages: Any) -> dict[str, Any]:
    return {"false_warnings_per_month": dial, "pages_per_brand_month": pages}


@pytest.mark.parametrize(
    ("state", "result", "measured"),
    [
        ("done", {"pages_per_brand_month": 1.75, "outcomes": [tried(0.5, 1.75)]}, {0.5: 1.75}),
        ("done", {"outcomes": [tried(0.5, 1.75), tried(1, 2)]}, {0.5: 1.75, 1.0: 2.0}),
        ("running", {"outcomes": [tried(0.5, 1.75)]}, {}),
        ("done", {"outcomes": [tried(0.5, None)]}, {0.5: None}),
        ("done", {"outcomes": [tried(0.5, "many")]}, {0.5: None}),
        ("done", {"outcomes": [tried(0.5, True)]}, {0.5: None}),
        ("done", {"outcomes": [tried("half", 1.0), "none", tried(True, 1.0)]}, {}),
        ("done", {"outcomes": 7}, {}),
        ("done", {"pages_per_brand_month": 1.75}, {}),
        ("failed", None, {}),
    ],
)
def test_it_reads_what_a_backtest_measured(
    storage: Storage, database_url: str, now: Any, state: str, result: Any, measured: dict[float, float | None]
) -> None:
    row = {"id": "b1", "created_at": now, "actor": "Ana", "question": {}, "state": state, "progress": 1.0}
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.begin() as connection:
            connection.execute(insert(backtests).values(**row, result=result))
    finally:
        engine.dispose()
    assert storage.policies.measured("b1") == Measured(state, measured)
    assert storage.policies.measured("b2") is None
    assert storage.policies.measured("b\0") is None
