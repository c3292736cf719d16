"""The one POST, against a real socket that misbehaves in every way we know."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest

from alerts.base import NotifyError
from alerts.post import Refused, is_web_address, post, retry_after
from tests.fakes.slack import DRIP, HANG, Answer, SlackServer

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
HEADERS = {"Content-Type": "application/json"}


def exchange(*script: int | Answer, timeout_s: float = 5.0) -> tuple[SlackServer, NotifyError | None]:
    """POST once to a receiver with this script; what it saw, and how it ended."""

    async def run() -> tuple[SlackServer, NotifyError | None]:
        async with SlackServer(strict=False) as server, httpx.AsyncClient() as http:
            server.answers(*script)
            return server, await failure(post(http, server.url, b"{}", HEADERS, NOW, timeout_s=timeout_s))

    return asyncio.run(run())


async def failure(sending: Awaitable[None]) -> NotifyError | None:
    try:
        await sending
    except NotifyError as error:
        return error
    return None


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_accepted(status: int) -> None:
    server, error = exchange(Answer(status, b""))
    assert error is None
    assert [(one.method, one.body) for one in server.received] == [("POST", b"{}")]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_it_is_worth_another_try(status: int) -> None:
    _, error = exchange(status)
    assert isinstance(error, Refused)
    assert (error.permanent, error.code) == (False, f"http_{status}")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 422])
def test_it_is_not_worth_another_try(status: int) -> None:
    _, error = exchange(status)
    assert isinstance(error, Refused)
    assert (error.permanent, error.code) == (True, f"http_{status}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(status: int) -> None:
    async def run() -> tuple[SlackServer, NotifyError | None]:
        http = httpx.AsyncClient(follow_redirects=True)
        async with SlackServer(strict=False) as trap, SlackServer(strict=False) as server, http:
            server.answers(Answer(status, b"", {"Location": trap.url}))
            return trap, await failure(post(http, server.url, b"{}", HEADERS, NOW))

    trap, error = asyncio.run(run())
    assert trap.received == []
    assert error is not None
    assert (error.code, error.permanent) == ("redirect", True)


def test_a_client_left_alone_would_follow_it() -> None:
    """The control of the test above: httpx does reach the trap when it is allowed to."""

    async def run() -> SlackServer:
        http = httpx.AsyncClient(follow_redirects=True)
        async with SlackServer(strict=False) as trap, SlackServer(strict=False) as server, http:
            server.answers(Answer(307, b"", {"Location": trap.url}))
            await http.post(server.url, content=b"{}")
            return trap

    assert len(asyncio.run(run()).received) == 1


@pytest.mark.parametrize("silence", [HANG, DRIP], ids=["no answer", "a byte at a time"])
def test_the_whole_post_has_one_deadline(silence: Answer) -> None:
    began = time.monotonic()
    _, error = exchange(silence, timeout_s=0.15)
    assert error is not None
    assert (error.code, error.permanent) == ("timeout", False)
    assert time.monotonic() - began < 2


def test_a_dripping_answer_would_outlive_the_clients_own_timeout() -> None:
    """The control of the test above: httpx counts each read for itself, so bytes that drip never time out."""

    async def run() -> None:
        async with SlackServer(strict=False) as server, httpx.AsyncClient(timeout=0.15) as http:
            server.answers(DRIP)
            await http.post(server.url, content=b"{}")

    async def patiently() -> None:
        async with asyncio.timeout(0.6):
            await run()

    with pytest.raises(TimeoutError):
        asyncio.run(patiently())


def test_nobody_listening_is_worth_another_try() -> None:
    async def run() -> NotifyError | None:
        async with SlackServer() as server:
            url = server.url
        async with httpx.AsyncClient() as http:
            return await failure(post(http, url, b"{}", HEADERS, NOW))

    error = asyncio.run(run())
    assert error is not None
    assert (error.code, error.permanent) == ("network", False)


def test_only_the_beginning_of_an_answer_is_read() -> None:
    _, error = exchange(Answer(400, b"x" * 10_000_000))
    assert isinstance(error, Refused)
    assert error.answer == b"x" * 4096


def test_a_compressed_answer_does_not_swell() -> None:
    _, error = exchange(Answer(400, b"\x1f\x8b" + b"\0" * 100, {"Content-Encoding": "gzip"}))
    assert isinstance(error, Refused)
    assert error.status == 400


class Closed(httpx.ConnectError):
    """As the guard of the other wing raises it."""

    code = "address_not_allowed"


class Guard(httpx.AsyncBaseTransport):
    def __init__(self, make: Callable[[], Exception]) -> None:
        self.make = make

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise self.make()


def through(make: Callable[[], Exception]) -> NotifyError | None:
    async def run() -> NotifyError | None:
        async with httpx.AsyncClient(transport=Guard(make)) as http:
            return await failure(post(http, "https://hooks.example/services/T0/B0/hush", b"{}", HEADERS, NOW))

    return asyncio.run(run())


def wrapped() -> Exception:
    """The refusal as the cause of another error."""
    error = httpx.ConnectError("connect")
    error.__cause__ = Closed("10.0.0.1")
    return error


@pytest.mark.parametrize("make", [lambda: Closed("10.0.0.1 refused"), wrapped], ids=["itself", "as the cause"])
def test_a_refused_address_is_final(make: Callable[[], Exception]) -> None:
    error = through(make)
    assert error is not None
    assert (error.code, error.permanent) == ("address_not_allowed", True)
    assert "10.0.0.1" not in str(error)


def test_an_ordinary_refused_connection_is_not() -> None:
    """The control of the test above."""
    error = through(lambda: httpx.ConnectError("refused"))
    assert error is not None
    assert (error.code, error.permanent) == ("network", False)


@pytest.mark.parametrize(
    "make",
    [
        lambda: httpx.ConnectError("cannot reach https://hooks.example/services/T0/B0/hush"),
        lambda: httpx.InvalidURL("https://hooks.example/services/T0/B0/hush"),
        lambda: httpx.UnsupportedProtocol("https://hooks.example/services/T0/B0/hush"),
        lambda: httpx.ReadTimeout("https://hooks.example/services/T0/B0/hush"),
        lambda: UnicodeEncodeError("idna", "https://hooks.example/services/T0/B0/hush", 0, 1, "label"),
    ],
)
def test_no_error_text_holds_the_address(make: Callable[[], Exception]) -> None:
    error = through(make)
    assert error is not None
    assert "hush" not in str(error)
    assert "hooks.example" not in str(error)
    assert error.__cause__ is None


def test_an_answer_that_echoes_the_address_is_not_shown() -> None:
    server, error = exchange(Answer(500, b"POST /services/T000/B000/secretsecretsecret failed"))
    assert isinstance(error, Refused)
    assert b"secretsecret" in error.answer
    assert "secretsecret" not in str(error)
    assert server.received[0].path.endswith("secretsecretsecret")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30),
        (" 7 ", 7),
        ("0", 0),
        ("86400", 600),
        ("9" * 5000, 600),
        ("Sun, 22 Nov 2026 09:02:00 GMT", 120),
        ("Sun, 22 Nov 2026 10:02:00 +0100", 120),
        ("Sun, 22 Nov 2026 08:00:00 GMT", 0),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 600),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("Sun, 22 Nov 99999999 09:02:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_ten_minutes(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


def test_retry_after_reaches_the_caller() -> None:
    _, error = exchange(Answer(429, b"rate_limited", {"Retry-After": "17"}))
    assert error is not None
    assert error.retry_after_s == 17


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://hooks.slack.com/services/T0/B0/x", True),
        ("http://127.0.0.1:8080/x?a=b#c", True),
        ("ftp://hooks.example/x", False),
        ("javascript:alert(1)", False),
        ("https://user:pass@hooks.example/", False),
        ("https://hooks.example\\@evil.example/", False),
        ("https://hooks.example/a b", False),
        ("https://hooks.example/\nX: y", False),
        ("https://[::1", False),
        ("https:///x", False),
        ("https://hooks.example/" + "x" * 3000, False),
        ("", False),
    ],
)
def test_what_is_an_address(url: str, good: bool) -> None:
    assert is_web_address(url) is good
