"""The log: one line an event, nothing that steers a terminal, no secret."""

import json
import logging
from collections.abc import Iterator

import pytest

from app.cli.logs import JsonLines, Words, start_log
from app.settings import Settings
from app.vault import LIVE_SECRETS


def record(message: str, *args: object, error: Exception | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("app.pipeline.collect", logging.WARNING, "f.py", 1, message, args, info)


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:], logging.root.level = handlers, level


def test_it_logs_one_json_object_a_line_whatever_is_said() -> None:
    line = JsonLines().format(record("source %s:\nfailed\x1b[2J", "diario"))
    assert "\n" not in line
    told = json.loads(line)
    assert (told["level"], told["logger"], told["message"]) == (
        "warning",
        "app.pipeline.collect",
        "source diario:\nfailed\x1b[2J",
    )
    assert told["at"].endswith("Z")


def test_it_keeps_the_trace_of_a_bug_in_its_line() -> None:
    line = JsonLines().format(record("it failed", error=ValueError("why")))
    assert json.loads(line)["trace"].endswith("ValueError: why")


def test_it_lets_nobody_steer_the_terminal() -> None:
    line = Words().format(record("title: %s", "\x1b]0;owned\x07\x9b2J\nfake line"))
    assert line.endswith(r"warning collect: title: \x1b]0;owned\x07\x9b2J\x0afake line")


def test_it_logs_at_the_level_that_was_asked_for_and_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    LIVE_SECRETS.learn("whsec_do-not-log-me")
    start_log(Settings(log_level="warning"))
    logging.getLogger("app.test").info("quiet")
    logging.getLogger("app.test").warning("signed with whsec_do-not-log-me")
    logging.getLogger("httpx").info("HTTP Request: POST https://x")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "signed with •••"


def test_it_hides_the_password_of_the_database(capsys: pytest.CaptureFixture[str]) -> None:
    start_log(Settings(database_url="postgresql://avizor:pa55-w0rd@db/avizor"))
    logging.getLogger("app.test").warning("postgresql+psycopg://avizor:pa55-w0rd@db/avizor is away; avizor waits")
    assert (
        json.loads(capsys.readouterr().err)["message"]
        == "postgresql+psycopg://avizor•••db/avizor is away; avizor waits"
    )
