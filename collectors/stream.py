"""Kinds that are followed, not asked: the seam, and a websocket through the one guarded client (RFC 6455).

    request | upgrade, through the guard | read what has come, at most so much and so long -> messages

Nothing is read while nobody asks for messages: a slow reader slows the sender (TCP), and costs no memory. Messages are
capped, compression is not offered. After each MiB and each 20 s of reading the other end gets a ping: it keeps the
connection open, and it tells `guard`, which counts bytes between two words of ours, that all of this is wanted.

The protocol is spoken by the library `websockets`, without its I/O: https://websockets.readthedocs.io (Sans-I/O).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, Self

import httpcore
import httpx
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol as Websocket
from websockets.protocol import Side, State
from websockets.utils import accept_key, generate_key

from collectors.base import CollectError, Kind, Post, Reject, Source
from collectors.fetch import in_words

MESSAGE_LIMIT = 1024 * 1024
READ_SIZE = 64 * 1024
TOGETHER_LIMIT = 4 * 1024 * 1024  # bytes of messages handed over at once
PING_BYTES = 1024 * 1024
PING_S = 20.0
UPGRADE_S = 20.0
WRITE_S = 10.0

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """How far a stream was followed; the cursor in words.

    `time_us`: the source's own time of the last message, in microseconds since 1970; 0 = nothing was ever heard.
    `messages` and `matches` were counted since the source was added. `left` are authors who went away, and whose posts
    have not been looked for yet.
    """

    time_us: int = 0
    messages: int = 0
    matches: int = 0
    left: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Source) -> Self:
        known = {name: source.cursor[name] for name in cls.__dataclass_fields__ if name in source.cursor}
        return cls(**{**known, "left": tuple(known.get("left", ()))})

    def cursor(self) -> Mapping[str, Any]:
        return asdict(self)

    @property
    def at(self) -> datetime | None:
        return EPOCH + timedelta(microseconds=self.time_us) if self.time_us else None


@dataclass(frozen=True, slots=True)
class Heard:
    """What a run of messages said, the last word on each post.

    `posts` were written or changed (`edited_at`), `gone` are ids of posts that their authors took back, `left` authors
    who went away with all that they wrote. `begins_us` and `ends_us` are the times of the first and the latest message
    by the source's clock, 0 where no message says one.
    """

    posts: Sequence[Post] = ()
    gone: Sequence[str] = ()
    left: Sequence[str] = ()
    rejects: Sequence[Reject] = ()
    begins_us: int = 0
    ends_us: int = 0


class Stream(Kind, Protocol):
    """The code for one kind of source that is followed. One file, one line in `STREAMS`."""

    def request(self, source: Source, attempt: int) -> httpx.Request:
        """Where to go on from `Place.of(source)`. `attempt` takes the addresses in turn. Raises `CollectError`."""

    def silence_s(self, source: Source) -> float:
        """A connection that brings nothing for so long is taken for dead."""

    def read(self, messages: Sequence[bytes]) -> Heard:
        """Never fails: a message that cannot be read is a reject."""


@dataclass(slots=True)
class Connection:
    """An open websocket. Its messages come out when they are asked for."""

    _stream: httpcore.AsyncNetworkStream
    _silence_s: float
    _protocol: Websocket = field(
        default_factory=lambda: Websocket(Side.CLIENT, state=State.OPEN, max_size=MESSAGE_LIMIT)
    )
    _begun: list[bytes] = field(default_factory=list)  # fragments of a message whose end has not come
    _heard_at: float = 0.0
    _pinged_at: float = 0.0
    _unpinged: int = 0

    async def messages(self, most: int, within_s: float) -> list[bytes]:
        """What comes within so many seconds, cut short once there are `most` messages or 4 MiB of them.

        A read may bring a few more than `most`. Raises `CollectError` when the connection ended, or is silent too long.
        """
        clock = asyncio.get_running_loop().time
        begun = clock()
        self._heard_at = self._heard_at or begun
        found: list[bytes] = []
        size = 0
        while len(found) < most and size < TOGETHER_LIMIT and (left := begun + within_s - clock()) > 0:
            if self._protocol.state is not State.OPEN:
                if found:
                    break
                raise self._ended()
            if self._unpinged >= PING_BYTES or clock() - self._pinged_at >= PING_S:
                await self._ping(clock())
            try:
                data = await self._stream.read(READ_SIZE, timeout=left)
            except httpcore.ReadTimeout:
                break
            except httpcore.NetworkError:
                data = b""
            self._unpinged += len(data)
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
            came = self._assembled()
            size += sum(map(len, came))
            found += came
            if came:
                self._heard_at = clock()
            await self._send()
        if not found and clock() - self._heard_at >= self._silence_s:
            raise CollectError("silent", f"The stream brought nothing for {self._silence_s:g} s.")
        return found

    async def _ping(self, now: float) -> None:
        self._protocol.send_ping(b"")
        self._pinged_at, self._unpinged = now, 0
        await self._send()

    async def _send(self) -> None:
        if waiting := b"".join(self._protocol.data_to_send()):
            try:
                await self._stream.write(waiting, timeout=WRITE_S)
            except (httpcore.NetworkError, httpcore.TimeoutException):
                raise CollectError("cut_off", "The stream was cut off.") from None

    def _assembled(self) -> list[bytes]:
        """Whole messages out of frames. Binary ones are not ours: they are compressed, which nobody asked for."""
        whole: list[bytes] = []
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame) and frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._begun.append(bytes(frame.data))
                if frame.fin:
                    whole.append(b"".join(self._begun))
                    self._begun.clear()
        return whole

    def _ended(self) -> CollectError:
        """Why it is over, in our own words: what the other end gives as its reason is not shown."""
        said = self._protocol.close_rcvd
        if said is not None:
            return CollectError("stream_ended", f"The other end closed the stream (code {said.code}).")
        ours = self._protocol.close_sent
        if ours is not None:
            return CollectError("bad_stream", f"The other end does not keep to the protocol (code {ours.code}).")
        return CollectError("cut_off", "The stream was cut off.")


@asynccontextmanager
async def connect(http: httpx.AsyncClient, request: httpx.Request, silence_s: float) -> AsyncIterator[Connection]:
    """Open a websocket at the http(s) address of `request`. Raises `CollectError`."""
    key = generate_key()
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
    }
    asked = http.build_request("GET", request.url, headers=upgrade, timeout=UPGRADE_S)
    try:
        async with asyncio.timeout(UPGRADE_S):
            answer = await http.send(asked, stream=True, follow_redirects=False)
    except TimeoutError:
        raise CollectError("timeout", f"The stream did not open within {UPGRADE_S:g} s.") from None
    except httpx.HTTPError as error:
        raise in_words(error) from error
    try:
        yield Connection(_upgraded(answer, key), silence_s)
    finally:
        await answer.aclose()


def _upgraded(answer: httpx.Response, key: str) -> httpcore.AsyncNetworkStream:
    if answer.status_code != 101:
        raise CollectError(
            f"http_{answer.status_code}", f"The other end did not open a stream: it answered {answer.status_code}."
        )
    stream = answer.extensions.get("network_stream")
    if answer.headers.get("sec-websocket-accept") != accept_key(key) or stream is None:
        raise CollectError("not_a_websocket", "What answers at this address is no websocket.")
    if "sec-websocket-extensions" in answer.headers:
        raise CollectError("bad_stream", "The other end uses an extension of the protocol that nobody asked for.")
    found: httpcore.AsyncNetworkStream = stream
    return found
