"""avizor detect: a CSV file in, one verdict a row out."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import commands

FIRST = datetime(2026, 11, 2, tzinfo=UTC)


def write(path: Path, counts: list[int]) -> Path:
    rows = [f"{FIRST + i * timedelta(minutes=5)},{count}" for i, count in enumerate(counts)]
    path.write_text("\n".join(["timestamp,count", *rows]) + "\n")
    return path


def test_it_prints_one_verdict_a_row_in_order(tmp_path: Path) -> None:
    file = write(tmp_path / "volumes.csv", [3, 4, 5] * 120 + [90] * 6)
    result = CliRunner().invoke(commands, ["detect", str(file)])
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == 366
    assert [line["timestamp"] for line in lines] == sorted(line["timestamp"] for line in lines)
    assert {line["verdict"] for line in lines[:280]} == {"learning"}
    assert {line["verdict"] for line in lines[290:360]} == {"calm"}
    assert [line["notify"] for line in lines[:360]].count(True) == 0
    assert any(line["notify"] for line in lines[360:])
    assert set(lines[-1]) >= {"verdict", "notify", "score", "expected", "observed", "reasons"}


@pytest.mark.parametrize(
    ("arguments", "words", "status"),
    [
        (["--bin", "7m"], "bins are of", 2),
        (["--bin", "soon"], "5m", 2),
        (["--policy", "none.toml"], "cannot be read", 2),
    ],
)
def test_what_it_was_asked_wrongly_it_says(tmp_path: Path, arguments: list[str], words: str, status: int) -> None:
    file = write(tmp_path / "volumes.csv", [1])
    result = CliRunner().invoke(commands, ["detect", str(file), *arguments])
    assert result.exit_code == status
    assert words in result.stderr


def test_a_policy_sets_the_dial_and_nothing_else(tmp_path: Path) -> None:
    file, policy = write(tmp_path / "volumes.csv", [1, 2]), tmp_path / "policy.toml"
    policy.write_text("false_warnings_per_month = 0.1\n")
    assert CliRunner().invoke(commands, ["detect", str(file), "--policy", str(policy)]).exit_code == 0
    policy.write_text("threshold = 3\n")
    result = CliRunner().invoke(commands, ["detect", str(file), "--policy", str(policy)])
    assert result.exit_code == 2
    assert "there is no threshold" in result.stderr


def test_a_row_that_is_not_right_is_named(tmp_path: Path) -> None:
    file = tmp_path / "volumes.csv"
    file.write_text("timestamp,count\n2026-11-02 00:00,1\nsoon,1\n")
    result = CliRunner().invoke(commands, ["detect", str(file)])
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 1
    assert "line 3" in result.stderr
