"""avizor backtest and avizor verify: one JSON object for a program, tables for a person, mistakes in words."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.cli import backtests, verifies
from app.clock import utc_now
from app.pipeline.backtest import Series
from app.storage import Storage
from tests.app.pipeline.far_end import HandClock
from tests.app.pipeline.past import Past
from tests.app.terminal import avizor, own_place, own_storage

HOUR = timedelta(hours=1)


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """An installation whose brand has just lived through a crisis."""
    with own_place(tmp_path, monkeypatch), own_storage() as storage:
        yield storage


@pytest.fixture
def past(storage: Storage) -> Past:
    past = Past(storage, HandClock(utc_now().replace(microsecond=0) - 2 * HOUR))
    past.history()
    past.passes(4)
    past.complains(9)
    past.passes(3)
    return past


def since(past: Past) -> str:
    return (past.clock.now - HOUR).isoformat()


def incident_of(past: Past) -> str:
    (found,) = past.storage.incidents.page()
    return found.id


def test_it_prints_one_object_for_a_program(past: Past, tmp_path: Path) -> None:
    (tmp_path / "quiet.toml").write_text('name = "quieta"\nfalse_warnings_per_month = 0.001\n')
    (tmp_path / "usual.toml").write_text("")
    opened = past.storage.incidents.page()[0].opened_at
    marked = f"brand,since,until,name\naurora,{opened - HOUR / 6},{past.clock.now},la mesa\n"
    (tmp_path / "marked.csv").write_text(marked)
    said = avizor(
        *("backtest", "--since", since(past), "--brand", "aurora", "--marked", "marked.csv"),
        *("--policy", "usual.toml", "--policy", "quiet.toml", "--json"),
    )
    assert said.status == 0, said.err
    (result,) = said.rows
    assert [one["policy"] for one in result["outcomes"]] == ["usual", "quieta"]
    assert result["outcomes"][0]["found"][0]["lead_min"] == 10.0
    assert result["pages_per_brand_month"] == result["outcomes"][0]["pages_per_brand_month"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--brand", "nadie"], "there is no brand nadie"),
        (["--since", "2099-01-01"], "future"),
        (["--since", "ayer"], "is no moment"),
        (["--policy", "none.toml"], "cannot be read"),
        (["--policy", "bad.toml"], "there is no threshold"),
        (["--marked", "none.csv"], "cannot be read"),
        (["--marked", "bad.csv"], "bad.csv: line 2: there is no brand nadie"),
    ],
)
def test_what_it_was_asked_wrongly_it_says(storage: Storage, tmp_path: Path, arguments: list[str], words: str) -> None:
    Past(storage, HandClock(utc_now()))
    (tmp_path / "bad.toml").write_text("threshold = 3\n")
    (tmp_path / "bad.csv").write_text("brand,since,until,name\nnadie,2026-11-01,2026-11-02,x\n")
    start = [] if "--since" in arguments else ["--since", (utc_now() - HOUR).isoformat()]
    said = avizor("backtest", *start, *arguments)
    assert said.status in (1, 2)
    assert words in said.err


def test_without_history_it_fails(storage: Storage) -> None:
    Past(storage, HandClock(utc_now()))
    said = avizor("backtest", "--since", (utc_now() - HOUR).isoformat())
    assert said.status == 1
    assert "nothing is known of aurora" in said.err


def test_a_person_sees_tables_and_a_line_of_scores(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtests, "looked_at", lambda: True)
    said = avizor("backtest", "--since", since(past))
    assert said.status == 0
    assert "aurora: scores, and ^ where somebody would have been woken" in said.out
    assert "█" in said.out
    assert "what really fired" in said.out


def test_the_line_of_scores_marks_pages_below_it() -> None:
    series = Series("aurora", utc_now(), 3600, (None, -9.0, 0.0, 9.0), (0, 0, 0, 0))
    assert backtests.scores(series) == "  ▄█"
    assert backtests.marks(series, [3 * 3600 + 5]) == "   ^"


def test_verify_is_equal_for_an_untouched_incident_and_says_what_drifted(past: Past) -> None:
    incident = incident_of(past)
    said = avizor("verify", incident, "--json")
    assert said.status == 0, said.out
    assert said.rows[0]["equal"] is True
    told = past.storage.proof.told(past.brand.id, past.clock.now - HOUR, past.clock.now, label="negative")
    past.storage.mentions.correct("aurora", told[0].post_id, "positive", "ana", "", past.clock.now)
    said = avizor("verify", incident, "--json")
    assert said.status == 1
    (drift,) = said.rows[0]["drift"]
    assert (drift["post_id"], drift["was"], drift["now"]) == (str(told[0].post_id), "negative", "positive")


def test_a_person_sees_every_number_twice(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifies, "looked_at", lambda: True)
    said = avizor("verify", incident_of(past))
    assert said.status == 0
    assert "spike.observed" in said.out
    assert "every number is equal" in said.err


def test_an_incident_that_is_not_there_is_said(storage: Storage) -> None:
    said = avizor("verify", "nowhere")
    assert said.status == 1
    assert "there is no incident nowhere" in said.err


def test_one_event_is_verified(past: Past) -> None:
    said = avizor("verify", incident_of(past), "--seq", "1", "--json")
    assert said.status == 0, said.out + said.err
    said = avizor("verify", incident_of(past), "--seq", "77")
    assert said.status == 1
    assert "has no event 77" in said.err
