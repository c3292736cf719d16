"""A terminal for the tests of the command line: a folder of its own, a command and what it left behind, a far end."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import commands
from app.settings import PREFIX, Settings, environment
from app.storage import Storage, open_storage
from app.vault import open_vault

FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Diario</title><link>https://diario.example/</link>
<item><guid>1</guid><title>Telefónica se cae</title><link>https://diario.example/1</link>
<description>Movistar sin servicio en O2 España.</description><pubDate>Sun, 22 Nov 2026 09:00:00 GMT</pubDate></item>
<item><guid>2</guid><title>El tiempo</title><link>https://diario.example/2</link><description>Sol.</description></item>
</channel></rss>"""


@contextmanager
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of its own, none of our variables, and the log as it was afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in list(environment()):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:], logging.root.level = handlers, level


class Said:
    """What a command left behind."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err
        assert "Traceback" not in err

    @property
    def rows(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def avizor(*arguments: str, stdin: str | bytes | None = None) -> Said:
    result = CliRunner().invoke(commands, arguments, input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


@contextmanager
def own_storage() -> Iterator[Storage]:
    """The storage of the installation in this folder, with its tables."""
    assert avizor("migrate").status == 0
    settings = Settings()
    made = open_storage(settings.database_url, open_vault(settings))
    yield made
    made.close()


@contextmanager
def far_end(feed: str = FEED) -> Iterator[tuple[int, list[tuple[str, bytes]]]]:
    """A publisher and a webhook receiver on loopback: its port, and (path, body) of every POST."""
    posts: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(404 if "gone" in self.path else 200, feed.encode())

        def do_POST(self) -> None:
            posts.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self._answer(200, b"ok")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/rss+xml")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, posts
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def allow_loopback(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setenv("AVIZOR_ALLOW_NETWORKS", "127.0.0.0/8")
    monkeypatch.setenv("AVIZOR_ALLOW_PORTS", str(port))
