"""A Slack-shaped receiver on loopback: takes POSTs on a real socket and holds them against Slack's documented rules.

    async with SlackServer() as slack:
        slack.answers(429, 500)          # what the next requests get; after that 200 "ok", or a rule's refusal
        ...POST to slack.url...
        slack.received                   # every request, in order, with its status

The rules are those of docs.slack.dev (incoming webhooks, Block Kit): JSON by POST, a text or blocks, at most 50 blocks
that slack_sdk's own models accept, bounded texts, no message over 13,200 characters. `shouts` lists what would have
called somebody (`<!channel>`, `<@U...>`), `links` what would be a link: that is where a test looks for
what a mention smuggled in.
"""

import asyncio
import json
import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

PATH = "/services/T000/B000/secretsecretsecret"
MAX_MESSAGE = 13_200
_ENTITY = re.compile(r"<([^<>]+)>")


@dataclass(frozen=True)
class Answer:
    """What one request gets. `hang` never answers, `drip` sends a byte of the header at a time and never ends."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    drip: bool = False


HANG, DRIP = Answer(hang=True), Answer(drip=True)


@dataclass(frozen=True)
class Received:
    """One request as it came in, and the status that it got (0: none)."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class SlackServer:
    """The receiver. `strict=False` takes any body, to stand for some other HTTP endpoint."""

    def __init__(self, *, strict: bool = True) -> None:
        self.received: list[Received] = []
        self.strict = strict
        self._script: deque[Answer] = deque()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}{PATH}"

    def answers(self, *script: int | Answer) -> None:
        """What the next requests get, whatever they hold; a number is a status with Slack's usual text."""
        self._script.extend(_usual(answer) if isinstance(answer, int) else answer for answer in script)

    @property
    def messages(self) -> list[Any]:
        """The bodies that were accepted."""
        return [request.json for request in self.received if 200 <= request.status < 300]

    @property
    def shouts(self) -> list[str]:
        return [entity for message in self.messages for entity in entities(message) if entity[0] in "!@#"]

    @property
    def links(self) -> list[str]:
        return [entity for message in self.messages for entity in entities(message) if entity[0] not in "!@#"]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._exchange(reader, writer)
        finally:
            self._open.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, path, headers = _head(await reader.readuntil(b"\r\n\r\n"))
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        answer = self._script.popleft() if self._script else self._verdict(method, path, headers, body)
        silent = answer.hang or answer.drip
        self.received.append(Received(method, path, headers, body, 0 if silent else answer.status))
        if silent:
            await _never(writer, drip=answer.drip)
        extra = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        head = f"HTTP/1.1 {answer.status} -\r\nContent-Length: {len(answer.body)}\r\nConnection: close\r\n{extra}\r\n"
        writer.write(head.encode() + answer.body)
        await writer.drain()

    def _verdict(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if not self.strict:
            return Answer()
        if method != "POST" or path != PATH:
            return Answer(404, b"no_service")
        if not headers.get("content-type", "").startswith("application/json"):
            return Answer(400, b"invalid_payload")
        fault = refusal(body)
        return Answer(400, fault.encode()) if fault else Answer()


def refusal(body: bytes) -> str:
    """Why Slack would refuse this body: its own word, or nothing."""
    try:
        message = json.loads(body)
    except ValueError:
        return "invalid_payload"
    if not isinstance(message, dict):
        return "invalid_payload"
    blocks = message.get("blocks", [])
    if not message.get("text") and not blocks:
        return "no_text"
    if len(blocks) > 50 or not all(_is_valid(block) for block in blocks):
        return "invalid_blocks"
    if sum(len(text) for block in blocks for text in texts(block)) > MAX_MESSAGE:
        return "msg_blocks_too_long"
    return ""


def entities(message: Any) -> Iterator[str]:
    """What Slack would parse out of `<...>` in the message's own text and in every mrkdwn text of its blocks."""
    yield from _ENTITY.findall(message.get("text", ""))
    for block in message.get("blocks", []):
        if block["type"] != "header":
            for text in texts(block):
                yield from _ENTITY.findall(text)


def texts(block: dict[str, Any]) -> Iterator[str]:
    """Every text of a block."""
    for holder in (block.get("text"), *block.get("fields", []), *block.get("elements", [])):
        if holder:
            yield holder["text"]


def _is_valid(block: Any) -> bool:
    """What slack_sdk's models check, and what they leave out: lengths of a section's text, fields and context texts."""
    try:
        parsed = Block.parse(block)
        if parsed is None:
            return False
        parsed.validate_json()
    except (SlackObjectFormationError, TypeError, KeyError, ValueError, AttributeError):
        return False
    limit = {"header": 150, "section": 3000, "context": 2000}.get(block["type"], 3000)
    fields = block.get("fields", [])
    long = any(len(text) > limit for text in texts({**block, "fields": []}))
    return not long and len(fields) <= 10 and not any(len(one["text"]) > 2000 for one in fields) and _has_text(block)


def _has_text(block: Any) -> bool:
    """Slack refuses an empty text object (`invalid_blocks`: must be more than 0 characters)."""
    return all(texts(block))


def _usual(status: int) -> Answer:
    words = {200: b"ok", 400: b"invalid_payload", 403: b"action_prohibited", 404: b"no_service"}
    words |= {410: b"channel_is_archived", 429: b"rate_limited"}
    return Answer(status, words.get(status, b"error"))


def _head(raw: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    return method, path, {name.lower(): value.strip() for name, _, value in pairs}


async def _never(writer: asyncio.StreamWriter, *, drip: bool) -> None:
    """Keep the caller waiting until it goes away or the server is closed."""
    if not drip:
        await asyncio.Event().wait()
    writer.write(b"HTTP/1.1 200 -\r\nX-Slow: ")
    while True:
        writer.write(b"z")
        await writer.drain()
        await asyncio.sleep(0.005)
