"""The loopback publisher: real HTTP, an RSS feed with ETag and a Hacker-News-shaped search, a Slack-shaped receiver.

It publishes each line of the story when the demo's clock reaches it. Wire formats: RSS 2.0, Algolia `search_by_date`.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from email.utils import format_datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape as xml

from app.clock import Clock
from app.demo.story import Line

FEED_ITEMS = 480
NOWHERE = (
    990_000_000_000  # ids that no item of the real Hacker News has: our links must not lead to other people's words
)


class Publisher:
    """Serves the story on a free port of loopback. `on_slack` is called with each message that a channel receives."""

    def __init__(self, story: Sequence[Line], clock: Clock, on_slack: Callable[[dict[str, object]], None]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(story, clock, on_slack))
        self.port: int = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Publisher":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def feed(lines: Sequence[Line]) -> bytes:
    """The forum as RSS 2.0, newest first."""
    items = "".join(
        f"<item><guid isPermaLink='false'>viajeros-{line.number}</guid><title>{xml(_headline(line.text))}</title>"
        f"<link>{line.url}</link><dc:creator>{line.author}</dc:creator>"
        f"<pubDate>{format_datetime(line.at)}</pubDate><description>{xml(f'<p>{escape(line.text)}</p>')}</description></item>"
        for line in reversed(lines[-FEED_ITEMS:])
    )
    return (
        "<?xml version='1.0' encoding='utf-8'?><rss version='2.0' xmlns:dc='http://purl.org/dc/elements/1.1/'><channel>"
        "<title>Foro de viajeros</title><link>https://viajeros.example</link><description>Viajes</description>"
        f"{items}</channel></rss>"
    ).encode()


def search(lines: Sequence[Line], query: dict[str, list[str]]) -> bytes:
    """The board as Algolia's `search_by_date` answers: newest first, `created_at_i` filters, pages."""
    since, until = _bounds(query.get("numericFilters", [""])[0])
    size, page = int(query.get("hitsPerPage", ["20"])[0]), int(query.get("page", ["0"])[0])
    found = [line for line in reversed(lines) if since <= int(line.at.timestamp()) <= until]
    hits = [
        {
            "objectID": str(NOWHERE + line.number),
            "created_at": line.at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "created_at_i": int(line.at.timestamp()),
            "author": line.author,
            "title": None,
            "url": None,
            "points": None,
            "story_text": None,
            "comment_text": f"<p>{escape(line.text)}",
            "num_comments": None,
            "story_id": NOWHERE,
            "story_title": "Ask: which airline this summer?",
            "story_url": None,
            "parent_id": NOWHERE,
            "_tags": ["comment", f"author_{line.author}", f"story_{NOWHERE}"],
        }
        for line in found[page * size : (page + 1) * size]
    ]
    pages = -(-len(found) // size)
    return json.dumps(
        {"hits": hits, "nbHits": len(found), "page": page, "nbPages": pages, "hitsPerPage": size}
    ).encode()


def _headline(text: str) -> str:
    return text.split(". ")[0][:90]


def _bounds(filters: str) -> tuple[float, float]:
    """`created_at_i>=1,created_at_i<9` as inclusive bounds."""
    since, until = 0.0, float("inf")
    for part in filters.replace(" ", "").split(","):
        name, sign, value = part.partition(">") if ">" in part else part.partition("<")
        if name != "created_at_i":
            continue
        number, strict = float(value.lstrip("=")), not value.startswith("=")
        if sign == ">":
            since = number + strict
        else:
            until = number - strict
    return since, until


def _handler(
    story: Sequence[Line], clock: Clock, on_slack: Callable[[dict[str, object]], None]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/forum.rss":
                body, kind = feed(self._said("forum")), "application/rss+xml; charset=utf-8"
            elif url.path == "/board/search_by_date":
                body, kind = search(self._said("board"), parse_qs(url.query)), "application/json"
            else:
                self.send_error(404)
                return
            tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            if self.headers.get("If-None-Match") == tag:
                self._answer(304, b"", kind, tag)
            else:
                self._answer(200, body, kind, tag)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            on_slack(body)
            self._answer(200, b"ok", "text/plain", None)

        def log_message(self, format: str, *args: object) -> None:
            """Silence: the demo tells its own story."""

        def _said(self, place: str) -> list[Line]:
            now = clock()
            return [line for line in story if line.place == place and line.at <= now]

        def _answer(self, status: int, body: bytes, kind: str, tag: str | None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if tag:
                self.send_header("ETag", tag)
            self.end_headers()
            self.wfile.write(body)

    return Handler
