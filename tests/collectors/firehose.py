"""A Jetstream on loopback that keeps the documented rules: a cursor is inclusive, one from before its memory begins
there, none means from now on; only commits of the wanted collections, but every account and identity event.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

START = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
ANA = "did:plc:ana"
POST = "app.bsky.feed.post"


def to_us(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


class Firehose:
    def __init__(self, now: datetime = START) -> None:
        self.now = now
        self.events: list[dict[str, Any]] = []
        self.asked: list[dict[str, list[str]]] = []
        self.forgot_us = 0
        self.refuses: HTTPStatus | None = None
        self.sent = 0
        self._said = asyncio.Event()
        self._server: Server | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Firehose"]:
        async with serve(self._meet, "127.0.0.1", 0, process_request=self._greet) as self._server:
            yield self

    @property
    def port(self) -> int:
        assert self._server
        port: int = next(iter(self._server.sockets)).getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def listeners(self) -> int:
        assert self._server
        return len(self._server.connections)

    async def cut(self) -> None:
        """Break every connection off, without a word."""
        assert self._server
        for connection in list(self._server.connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    # ── what is said ─────────────────────────────────────────────────────────

    def posts(self, text: str, *, did: str = ANA, rkey: str | None = None, **record: Any) -> str:
        rkey = rkey or f"p{len(self.events)}"
        self.commits("create", did, rkey, {"text": text, "createdAt": self.now.isoformat(), "langs": ["en"], **record})
        return f"at://{did}/{POST}/{rkey}"

    def commits(self, operation: str, did: str, rkey: str, record: Any = None, collection: str = POST) -> None:
        commit = {"rev": "r", "operation": operation, "collection": collection, "rkey": rkey, "record": record}
        self.says({"did": did, "kind": "commit", "commit": commit})

    def deletes(self, name: str) -> None:
        did, _, rkey = name.removeprefix("at://").split("/")
        self.commits("delete", did, rkey)

    def leaves(self, did: str, status: str = "deleted") -> None:
        self.says({"did": did, "kind": "account", "account": {"did": did, "active": False, "status": status}})

    def says(self, event: dict[str, Any]) -> None:
        self.now += timedelta(milliseconds=10)
        self.events.append({"time_us": to_us(self.now), **event})
        self._said.set()
        self._said = asyncio.Event()

    # ── who listens ──────────────────────────────────────────────────────────

    def _greet(self, connection: ServerConnection, request: Request) -> Response | None:
        self.asked.append(parse_qs(urlsplit(request.path).query))
        return connection.respond(self.refuses, "not now") if self.refuses else None

    async def _meet(self, connection: ServerConnection) -> None:
        asked = self.asked[-1]
        at = self._place(asked)
        try:
            while True:
                said = self._said
                while at < len(self.events):
                    event, at = self.events[at], at + 1
                    if event.get("kind") != "commit" or event["commit"]["collection"] in asked["wantedCollections"]:
                        await connection.send(json.dumps(event))
                        self.sent += 1
                closed = asyncio.ensure_future(connection.wait_closed())
                await asyncio.wait({closed, asyncio.ensure_future(said.wait())}, return_when=asyncio.FIRST_COMPLETED)
                if closed.done():
                    return
        except ConnectionClosed:
            pass

    def _place(self, asked: dict[str, list[str]]) -> int:
        if "cursor" not in asked:
            return len(self.events)
        cursor = max(int(asked["cursor"][0]), self.forgot_us)
        return next((place for place, event in enumerate(self.events) if event["time_us"] >= cursor), len(self.events))
