"""The websocket under every stream, against servers on loopback that are not all friendly."""

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from collectors.base import CollectError, Source
from collectors.guard import ANSWER_LIMIT
from collectors.stream import MESSAGE_LIMIT, Place, connect
from tests.collectors.loopback import Visitor, client, serving

Says = Callable[[ServerConnection], Awaitable[None]]
KIB = b"x" * 1024


def listened(says: Says, count: int, *, silence_s: float = 5.0, **served: Any) -> list[bytes]:
    """The first `count` messages of a server that behaves so."""

    async def listen() -> list[bytes]:
        async with asyncio.timeout(10), serve(says, "127.0.0.1", 0, **served) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            found: list[bytes] = []
            async with client(port) as http, connect(http, asked(port), silence_s) as connection:
                while len(found) < count:
                    found += await connection.messages(count, 0.05)
            return found

    return asyncio.run(listen())


def asked(port: int) -> httpx.Request:
    return httpx.Request("GET", f"http://127.0.0.1:{port}/subscribe")


def refused(behaviour: Callable[[Visitor], Awaitable[None]], *, loopback: bool = True) -> CollectError:
    """Why listening to this server fails."""

    async def listen() -> None:
        async with (
            asyncio.timeout(10),
            serving(behaviour) as server,
            client(server.port, loopback=loopback) as http,
            connect(http, asked(server.port), 1.0) as connection,
        ):
            while True:
                await connection.messages(10, 0.05)

    with pytest.raises(CollectError) as failure:
        asyncio.run(listen())
    return failure.value


def upgrade(visitor: Visitor, *headers: str) -> bytes:
    """What a websocket answers to be one."""
    key = visitor.header("Sec-WebSocket-Key") or b""
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    lines = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", *headers)
    accept = f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}"
    return "\r\n".join((*lines, accept, "", "")).encode()


# ── what comes ───────────────────────────────────────────────────────────────


def test_messages_come_in_order_also_in_parts() -> None:
    async def says(connection: ServerConnection) -> None:
        await connection.send("one")
        await connection.send(["t", "w", "o"])
        await connection.send("drei")
        await connection.wait_closed()

    assert listened(says, 3) == [b"one", b"two", b"drei"]


def test_what_comes_with_the_greeting_is_not_lost() -> None:
    async def hurry(visitor: Visitor) -> None:
        await visitor.send(upgrade(visitor) + b"\x81\x02hi")
        await asyncio.sleep(5)

    async def listen() -> list[bytes]:
        async with (
            asyncio.timeout(10),
            serving(hurry) as server,
            client(server.port) as http,
            connect(http, asked(server.port), 5.0) as connection,
        ):
            return await connection.messages(1, 2.0)

    assert asyncio.run(listen()) == [b"hi"]


def test_a_stream_may_go_on_for_longer_than_any_answer() -> None:
    count = 2 * ANSWER_LIMIT // len(KIB)

    async def says(connection: ServerConnection) -> None:
        for _ in range(count):
            await connection.send(KIB.decode())
        await connection.wait_closed()

    assert len(listened(says, count)) == count


def test_compression_is_not_offered() -> None:
    offered: list[str | None] = []

    def greet(_: ServerConnection, request: Request) -> None:
        offered.append(request.headers.get("Sec-WebSocket-Extensions"))

    async def says(connection: ServerConnection) -> None:
        await connection.send("hi")
        await connection.wait_closed()

    listened(says, 1, process_request=greet)
    assert offered == [None]


def test_it_hands_over_what_there_is_when_the_time_is_up() -> None:
    async def says(connection: ServerConnection) -> None:
        await connection.send("one")
        await connection.wait_closed()

    async def listen() -> list[bytes]:
        async with asyncio.timeout(10), serve(says, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with client(port) as http, connect(http, asked(port), 5.0) as connection:
                return [*(await connection.messages(1_000, 0.2)), *(await connection.messages(1_000, 0.01))]

    assert asyncio.run(listen()) == [b"one"]


def test_who_does_not_listen_holds_the_sender_up() -> None:
    sent = 0

    async def says(connection: ServerConnection) -> None:
        nonlocal sent
        while True:
            await connection.send(KIB.decode())
            sent += 1

    async def listen() -> tuple[int, int]:
        async with asyncio.timeout(10), serve(says, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with client(port) as http, connect(http, asked(port), 5.0) as connection:
                (*_,) = await connection.messages(10, 1.0)
                await asyncio.sleep(0.2)
                before = sent
                await asyncio.sleep(0.2)  # nobody reads meanwhile: whatever fits into the sockets has been sent by now
                return before, sent

    before, after = asyncio.run(listen())
    assert before == after
    assert after < 16 * 1024  # KiB: sockets' own buffers, not ours


# ── what does not ────────────────────────────────────────────────────────────


def test_silence_is_an_end() -> None:
    async def says(connection: ServerConnection) -> None:
        await connection.wait_closed()

    with pytest.raises(CollectError, match="nothing for") as failure:
        listened(says, 1, silence_s=0.1)
    assert failure.value.code == "silent"


def test_pings_alone_are_silence() -> None:
    async def says(connection: ServerConnection) -> None:
        while True:
            await connection.ping()
            await asyncio.sleep(0.01)

    with pytest.raises(CollectError, match="nothing for"):
        listened(says, 1, silence_s=0.2)


def test_a_message_that_is_too_long_ends_it() -> None:
    async def says(connection: ServerConnection) -> None:
        await connection.send(["x" * MESSAGE_LIMIT, "y"])
        await connection.wait_closed()

    with pytest.raises(CollectError, match=r"protocol \(code 1009\)"):
        listened(says, 1)


def test_an_end_is_told_by_its_code_and_not_by_its_words() -> None:
    async def says(connection: ServerConnection) -> None:
        await connection.send("one")
        await connection.close(1008, "<script>ConsumerTooSlow</script>")

    with pytest.raises(CollectError) as failure:
        listened(says, 2)
    assert (failure.value.code, failure.value.message) == (
        "stream_ended",
        "The other end closed the stream (code 1008).",
    )


def test_what_came_before_the_end_is_heard() -> None:
    async def says(connection: ServerConnection) -> None:
        await connection.send("last words")
        await connection.close()

    assert listened(says, 1) == [b"last words"]


@pytest.mark.parametrize("status", [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.NOT_FOUND])
def test_a_refusal_is_told_by_its_status(status: HTTPStatus) -> None:
    def greet(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(status, "secret words")

    async def says(connection: ServerConnection) -> None:
        raise AssertionError("never greeted")

    with pytest.raises(CollectError) as failure:
        listened(says, 1, process_request=greet)
    assert failure.value.code == f"http_{status}"
    assert "secret" not in failure.value.message


async def _answers(visitor: Visitor) -> None:
    await visitor.answer(body=b"<html>")


async def _wrong_key(visitor: Visitor) -> None:
    await visitor.send(upgrade(visitor).replace(b"Accept: ", b"Accept: x"))
    await asyncio.sleep(5)


async def _own_extension(visitor: Visitor) -> None:
    await visitor.send(upgrade(visitor, "Sec-WebSocket-Extensions: permessage-deflate"))
    await asyncio.sleep(5)


async def _rubbish(visitor: Visitor) -> None:
    await visitor.send(upgrade(visitor) + b"\xff" * 4_096)
    await asyncio.sleep(5)


async def _masked(visitor: Visitor) -> None:
    await visitor.send(upgrade(visitor) + b"\x81\x82abcdhi")
    await asyncio.sleep(5)


async def _claims_too_much(visitor: Visitor) -> None:
    await visitor.send(upgrade(visitor) + b"\x81\x7f" + (2**40).to_bytes(8, "big"))
    await asyncio.sleep(5)


async def _breaks_off(visitor: Visitor) -> None:
    await visitor.send(upgrade(visitor) + b"\x81\x7e\x10")


async def _redirects(visitor: Visitor) -> None:
    await visitor.answer("302 Found", b"", "Location: http://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (_answers, "http_200"),
        (_wrong_key, "not_a_websocket"),
        (_own_extension, "bad_stream"),
        (_rubbish, "bad_stream"),
        (_masked, "bad_stream"),
        (_claims_too_much, "bad_stream"),
        (_breaks_off, "cut_off"),
        (_redirects, "http_302"),
    ],
)
def test_what_is_no_stream_is_an_error_in_words(behaviour: Callable[[Visitor], Awaitable[None]], code: str) -> None:
    assert refused(behaviour).code == code


def test_a_private_address_is_not_followed() -> None:
    assert refused(_answers, loopback=False).code == "address_not_allowed"


# ── where it stands ──────────────────────────────────────────────────────────


def test_a_place_comes_back_from_its_cursor() -> None:
    place = Place(time_us=1_795_003_200_000_001, messages=7, matches=2, left=("did:plc:ana",))
    assert Place.of(Source(1, "b", "B", "jetstream", cursor=place.cursor())) == place
    assert Place.of(Source(1, "b", "B", "jetstream")) == Place()
    assert Place().at is None
