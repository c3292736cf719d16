"""The far ends of the walks on loopback, real HTTP both, and the walks between them over real storage."""

import asyncio
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx

from app.language import Languages
from app.pipeline import Collect, CollectReport, Deliver
from app.pipeline.sessions import Sessions
from app.sentiment import Scorer, make_scorer
from app.storage import Storage
from collectors.fetch import Hosts
from collectors.guard import GuardedTransport
from collectors.sandbox import Sandbox

LANGUAGES = ("es", "en")
ANGRY = "Awful and dirty: I was ill for two days after lunch at {name}, a horrible and rude place, number {number}."
ANGRY_ES = "Una vergüenza: dos días enfermos después de comer en {name} y encima nos trataron fatal, mesa {number}."


@cache
def languages() -> Languages:
    """Read once: the model takes half a second to load."""
    return Languages(LANGUAGES)


@cache
def scorer() -> Scorer:
    return make_scorer(LANGUAGES)


class HandClock:
    """Time that is moved by hand; `step` passes at every look."""

    def __init__(self, now: datetime, step: timedelta = timedelta()) -> None:
        self.now = now
        self.step = step

    def __call__(self) -> datetime:
        self.now += self.step
        return self.now


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What it gets. `wait_for` is awaited first: a target that hangs until the test lets it go."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_for: threading.Event | None = None


class FarEnd:
    """A server on a free port of loopback: `answers[path]` is an `Answer`, or makes one of what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Callable[[Asked], Answer]] = {}
        self.asked: list[Asked] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port: int = self._server.server_port

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def asked_at(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path == path]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        far_end = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, url.path, parse_qs(url.query), headers, body)
                far_end.asked.append(asked)
                answer = far_end.answers.get(url.path, Answer(404))
                answer = answer if isinstance(answer, Answer) else answer(asked)
                if answer.wait_for is not None:
                    answer.wait_for.wait(20)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


class Feed:
    """An RSS feed with an ETag, which says what it was told to say."""

    def __init__(self) -> None:
        self.items: list[tuple[str, datetime | None, str]] = []
        self.tags = True
        self.ttl_min = 0

    def says(self, text: str, at: datetime | None, guid: str | None = None) -> None:
        self.items.append((guid or f"g{len(self.items)}", at, text))

    def body(self) -> bytes:
        items = "".join(
            f"<item><guid>{guid}</guid><title>Nota {guid}</title>"
            + (f"<pubDate>{format_datetime(at)}</pubDate>" if at else "")
            + f"<description>{text}</description></item>"
            for guid, at, text in self.items
        )
        ttl = f"<ttl>{self.ttl_min}</ttl>" if self.ttl_min else ""
        return f"<rss version='2.0'><channel><title>f</title><link>https://f.example</link>{ttl}{items}</channel></rss>".encode()

    def __call__(self, asked: Asked) -> Answer:
        if not self.tags:
            return Answer(200, self.body())
        tag = f'"{len(self.items)}"'
        if asked.headers.get("if-none-match") == tag:
            return Answer(304, headers={"ETag": tag})
        return Answer(200, self.body(), {"ETag": tag, "Content-Type": "application/rss+xml"})


def hits(
    posts: Sequence[tuple[int, datetime, str]], *, page: int = 0, pages: int = 1, found: int | None = None
) -> Answer:
    """What Algolia's `search_by_date` answers: comments as (number, at, text)."""
    rows: list[dict[str, Any]] = [
        {
            "objectID": str(number),
            "created_at_i": int(at.timestamp()),
            "author": f"a{number}",
            "comment_text": text,
            "story_title": "Ask: where to eat?",
        }
        for number, at, text in posts
    ]
    total = len(rows) if found is None else found
    answer = {"hits": rows, "nbHits": total, "page": page, "nbPages": pages, "hitsPerPage": max(1, len(rows))}
    return Answer(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})


def client(*ports: int) -> httpx.AsyncClient:
    """The client as the service makes it, with loopback allowed."""
    transport = GuardedTransport(allow_networks=(ip_network("127.0.0.0/8"),), allow_ports=ports)
    return httpx.AsyncClient(transport=transport, trust_env=False)


def collector(
    storage: Storage,
    sandbox: Sandbox,
    http: httpx.AsyncClient,
    clock: Callable[[], datetime],
    *,
    hands: int = 4,
    websub: bool = False,
) -> Collect:
    return Collect(
        storage=storage,
        sessions=Sessions(http, Hosts(gap_s=0)),
        sandbox=sandbox,
        languages=languages(),
        scorer=scorer(),
        clock=clock,
        owner="test",
        hands=hands,
        websub=websub,
    )


def collected(
    storage: Storage, sandbox: Sandbox, far_end: FarEnd, clock: Callable[[], datetime], *, hands: int = 4
) -> CollectReport:
    """Everything that is due, collected once."""

    async def walk() -> CollectReport:
        async with asyncio.timeout(20), client(far_end.port) as http:
            return await collector(storage, sandbox, http, clock, hands=hands).run()

    return asyncio.run(walk())


def messenger(storage: Storage, http: httpx.AsyncClient, clock: Callable[[], datetime], *, hands: int = 16) -> Deliver:
    return Deliver(
        storage=storage, http=http, clock=clock, owner="test", public_url="http://avizor.example", hands=hands
    )
