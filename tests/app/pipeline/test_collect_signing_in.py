"""Kinds that sign in: a board as Hacker News answers, behind a login that enforces its own rules."""

import asyncio
import json
import logging
import pickle
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.pipeline import CollectReport
from app.pipeline.sessions import Sessions
from app.storage import Storage
from app.storage.records import PutSource
from collectors import COLLECTORS
from collectors.base import CollectError, Session, Source
from collectors.fetch import Hosts
from collectors.hackernews import HackerNews
from collectors.items import read_object
from collectors.sandbox import Sandbox
from tests.app.pipeline.far_end import Answer, Asked, FarEnd, HandClock, client, collector, hits

HOUR = timedelta(hours=1)
Desk = Any
Walks = Callable[..., list[CollectReport]]


class SignedBoard(HackerNews):
    """Hacker News, if it wanted a login: POST {base}/login {"key"} -> {"token", "lasts"}."""

    def sign_in(self, source: Source) -> httpx.Request | None:
        if not source.secret:
            return None
        return httpx.Request("POST", f"{source.url}/login", json={"key": source.secret})

    def signed_in(self, response: httpx.Response) -> Session:
        try:
            said = json.loads(response.content)
            return Session(said["token"], said["lasts"])
        except (ValueError, LookupError):
            raise CollectError("not_a_login", "The answer is no login.") from None

    def request(self, source: Source, now: datetime) -> httpx.Request:
        request = super().request(source, now)
        if source.session:
            request.headers["Authorization"] = f"Bearer {source.session}"
        return request

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        spent = b"expired" in response.content
        return CollectError("session_spent", "The session is spent.") if spent else None


class Login:
    """The far end of it. A token is good until it is revoked; `refuses` is the answer to one that is not."""

    def __init__(self, far_end: FarEnd, now: datetime, path: str = "/board") -> None:
        self.good: set[str] = set()
        self.given: list[tuple[str, str]] = []
        self.lasts: Any = 7200
        self.pages = 1
        self.refuses = Answer(401)
        self._now = now
        far_end.answers[f"{path}/login"] = self._login
        far_end.answers[f"{path}/search_by_date"] = self._search

    def _login(self, asked: Asked) -> Answer:
        if asked.method != "POST":
            return Answer(405)
        token = f"canary-token-{len(self.given)}"
        self.given.append((json.loads(asked.body)["key"], token))
        self.good.add(token)
        return Answer(200, json.dumps({"token": token, "lasts": self.lasts}).encode())

    def _search(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.good:
            return self.refuses
        page = int(asked.query["page"][0])
        said = [(page, self._now - HOUR - page * timedelta(minutes=1), "Lunch at Aurora")]
        return hits(said, page=page, pages=self.pages, found=self.pages)


@pytest.fixture(autouse=True)
def _signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COLLECTORS, "hackernews", SignedBoard())  # type: ignore[arg-type]


@pytest.fixture
def login(desk: Desk, now: datetime) -> Login:
    desk.brand()
    desk.source("board", "hackernews", secret="canary-key")
    return Login(desk.far_end, now)


@pytest.fixture
def walks(storage: Storage, sandbox: Sandbox, far_end: FarEnd, clock: HandClock) -> Walks:
    """So many walks of one service, an hour apart."""

    def walk(times: int, between: Callable[[], object] = lambda: None) -> list[CollectReport]:
        async def life() -> list[CollectReport]:
            reports = []
            async with asyncio.timeout(20), client(far_end.port) as http:
                service = collector(storage, sandbox, http, clock)
                for number in range(times):
                    if number:
                        between()
                        clock.now += HOUR
                    reports.append(await service.run())
            return reports

        return asyncio.run(life())

    return walk


def test_it_signs_in_once_for_all_pages(desk: Desk, login: Login, walks: Walks) -> None:
    login.pages = 4
    (report,) = walks(1)
    assert (report.posts, report.failed) == (4, 0)
    assert login.given == [("canary-key", "canary-token-0")]


def test_a_session_serves_until_it_is_spent(desk: Desk, login: Login, walks: Walks) -> None:
    """It lasts two hours, and is taken for spent a little before."""
    assert [report.failed for report in walks(4)] == [0, 0, 0, 0]
    assert len(login.given) == 2


@pytest.mark.parametrize("refuses", [Answer(401), Answer(400, b'{"error": "expired"}')])
def test_a_session_that_is_refused_is_renewed_within_the_visit(
    desk: Desk, login: Login, walks: Walks, refuses: Answer
) -> None:
    login.refuses = refuses
    assert [report.failed for report in walks(2, login.good.clear)] == [0, 0]
    assert len(login.given) == 2


def test_it_signs_in_anew_once_and_then_gives_up(desk: Desk, login: Login, walks: Walks) -> None:
    desk.far_end.answers["/board/search_by_date"] = Answer(401)
    (report,) = walks(1)
    assert (report.failed, len(login.given)) == (1, 2)
    assert desk.seen("board").last_error.startswith("http_401: ")


def test_another_refusal_is_no_reason_to_sign_in(desk: Desk, login: Login, walks: Walks) -> None:
    desk.far_end.answers["/board/search_by_date"] = Answer(403)
    walks(1)
    assert len(login.given) == 1


def test_a_changed_secret_signs_in_anew(desk: Desk, login: Login, walks: Walks) -> None:
    walks(2, lambda: desk.source("board", "hackernews", secret="another-key"))
    assert [key for key, _ in login.given] == ["canary-key", "another-key"]


def test_a_changed_address_signs_in_anew(desk: Desk, login: Login, walks: Walks, now: datetime) -> None:
    """A token is for who gave it."""
    other = Login(desk.far_end, now, "/other")
    moved = Source(0, "board", "Board", "hackernews", desk.far_end.url("/other"))
    walks(2, lambda: desk.storage.apply([PutSource(moved)], now))
    assert (len(login.given), len(other.given)) == (1, 1)
    asked = desk.far_end.asked_at("/other/search_by_date")
    assert len(asked) == 1


def test_an_answer_to_signing_in_is_not_quoted(
    desk: Desk, login: Login, walks: Walks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def signed_in(self: SignedBoard, response: httpx.Response) -> Session:
        return Session(read_object(response, "Board")["token"], 60)

    monkeypatch.setattr(SignedBoard, "signed_in", signed_in)
    desk.far_end.answers["/board/login"] = Answer(200, b"access_token=canary-token&expires_in=3600")
    walks(1)
    assert desk.seen("board").last_error.startswith("bad_json: Signing in did not work: ")
    assert "canary" not in desk.seen("board").last_error


def test_a_source_without_a_secret_is_asked_without_a_session(desk: Desk, login: Login, walks: Walks) -> None:
    desk.source("board", "hackernews", secret="")
    (report,) = walks(1)
    assert (report.failed, login.given) == (1, [])


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(401), "http_401: Signing in did not work: "),
        (Answer(200, b"<html>"), "not_a_login: Signing in did not work: "),
        (Answer(200, b"x" * 70_000), "too_large: Signing in did not work: "),
        (Answer(302, headers={"Location": "/board/elsewhere"}), "redirects: Signing in did not work: "),
    ],
)
def test_where_signing_in_fails_the_source_does(
    desk: Desk, login: Login, walks: Walks, answer: Answer, error: str
) -> None:
    desk.far_end.answers["/board/login"] = answer
    walks(1)
    assert desk.seen("board").last_error.startswith(error)
    assert not desk.far_end.asked_at("/board/search_by_date")
    assert not desk.far_end.asked_at("/board/elsewhere")


def test_one_source_never_signs_in_twice_at_once(desk: Desk, login: Login, now: datetime) -> None:
    source = desk.seen("board")

    async def story() -> set[str | None]:
        async with client(desk.far_end.port) as http:
            sessions = Sessions(http, Hosts(gap_s=0))
            signed = await asyncio.gather(*(sessions.signed_in(source, now) for _ in range(8)))
            again = await asyncio.gather(
                *(sessions.signed_in(source, now, refused=signed[0].session) for _ in range(8))
            )
        return {one.session for one in [*signed, *again]}

    assert asyncio.run(story()) == {"canary-token-0", "canary-token-1"}
    assert len(login.given) == 2


def test_neither_key_nor_token_is_told_to_children_logs_or_the_database(
    desk: Desk, login: Login, walks: Walks, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, database_url: str,
) -> None:  # fmt: skip
    crossed: list[bytes] = []
    in_child = Sandbox._in_child

    async def watched(self: Sandbox, pool: Any, work: Any, question: tuple[Any, ...], timeout_s: Any) -> Any:
        crossed.append(pickle.dumps(question))
        return await in_child(self, pool, work, question, timeout_s)

    monkeypatch.setattr(Sandbox, "_in_child", watched)
    caplog.set_level(logging.DEBUG)
    walks(2, login.good.clear)
    desk.far_end.answers["/board/login"] = Answer(500)
    walks(1)
    assert len(login.given) == 2
    assert crossed
    assert b"canary" not in b"".join(crossed)
    assert "canary" not in caplog.text
    assert "canary" not in str(replace(desk.seen("board"), secret=None))
    assert "canary" not in repr(desk.seen("board"))
    if database_url.startswith("sqlite"):
        kept = b"".join(
            path.read_bytes() for path in Path(database_url.removeprefix("sqlite:///")).parent.glob("*.db*")
        )
        assert b"board" in kept
        assert b"canary" not in kept
