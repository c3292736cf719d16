"""The whole story, once: response bytes go in at one end, Slack JSON comes out at the other.

Real HTTP on loopback at both ends, real storage, real scorer, real child processes. Only time is moved by hand.
"""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from app.config import apply, load_config, plan
from app.main import Service, make_service
from app.model import Mention, MentionFilter
from app.pipeline.inbox import Inbox
from app.settings import Settings

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
STEP = timedelta(minutes=5)

CONFIG = """
[[brands]]
name = "Café Aurora"
query = '"café aurora" -empleo'
time_zone = "Europe/Madrid"

[[sources]]
name = "Barrio"
kind = "rss"
url = "{url}/barrio.xml"
interval_s = 300

[[channels]]
name = "Guardia"
kind = "slack"
url = "{url}/slack"
"""

CALM = ("A slow morning at Café Aurora.", "Cafe Aurora opens at eight on Sundays.", "El Café Aurora estrena terraza.")
ANGRY = "Awful, dirty and rude: I was ill for two days after lunch at Café Aurora, table {number}. Horrible place."


class Town:
    """What the town says about the café, and what its pager receives."""

    def __init__(self) -> None:
        self.now = START
        self.said: list[tuple[datetime, str]] = []
        self.slack: list[dict[str, Any]] = []
        self.gets: list[int] = []

    def says(self, at: datetime, text: str) -> None:
        self.said.append((at, text))

    def feed(self) -> bytes:
        items = "".join(
            f"<item><guid>{number}</guid><title>Nota {number}</title><link>https://barrio.example/{number}</link>"
            f"<pubDate>{format_datetime(at)}</pubDate><description>{text}</description></item>"
            for number, (at, text) in enumerate(self.said)
            if at <= self.now
        )
        return (
            "<rss version='2.0'><channel><title>Barrio</title><link>https://barrio.example</link>"
            f"<description>d</description>{items}</channel></rss>"
        ).encode()


@pytest.fixture
def town() -> Iterator[tuple[Town, str]]:
    town = Town()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = town.feed()
            tag = f'"{hash(body)}"'
            fresh = self.headers.get("If-None-Match") != tag
            town.gets.append(200 if fresh else 304)
            self.send_response(200 if fresh else 304)
            self.send_header("ETag", tag)
            self.send_header("Content-Type", "application/rss+xml")
            self.send_header("Content-Length", str(len(body) if fresh else 0))
            self.end_headers()
            self.wfile.write(body if fresh else b"")

        def do_POST(self) -> None:
            town.slack.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield town, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def settings_for(folder: Path, url: str) -> Settings:
    port = int(url.rsplit(":", 1)[1])
    return Settings(data_dir=folder, allow_networks=("127.0.0.0/8",), allow_ports=(port,))


async def walk(service: Service) -> None:
    """Every walk, once."""
    await service.collect.run()
    await asyncio.to_thread(service.hear.run)
    await asyncio.to_thread(service.watch.run)
    await service.deliver.run()


def test_it_wakes_once_for_one_crisis_and_says_when_it_is_over(tmp_path: Path, town: tuple[Town, str]) -> None:
    here, url = town
    for hour in range(3 * 24):
        here.says(START - timedelta(hours=hour, minutes=20), CALM[hour % 3])
    for minute in range(20):
        here.says(START + timedelta(minutes=45, seconds=minute * 55), ANGRY.format(number=minute))
    here.says(START + timedelta(minutes=47), "Oferta de empleo en Café Aurora: horrible, awful pay.")
    config = tmp_path / "avizor.toml"
    config.write_text(CONFIG.format(url=url), encoding="utf-8")
    settings = settings_for(tmp_path, url)

    async def story() -> None:
        async with make_service(settings, clock=lambda: here.now) as service:
            service.storage.migrate()
            apply(plan(load_config(config), service.storage), service.storage, here.now)
            while here.now < START + timedelta(hours=9):
                await walk(service)
                here.now += STEP

    asyncio.run(story())

    trigger, resolve = here.slack
    assert "Café Aurora" in json.dumps(trigger, ensure_ascii=False)
    database = sqlite3.connect(tmp_path / "avizor.db")
    (dossier,) = database.execute("SELECT dossier FROM incidents").fetchone()
    spike = json.loads(dossier)["spike"]
    start, end = (datetime.fromisoformat(spike[edge]).timestamp() * 1000 for edge in ("window_start", "window_end"))
    ((counted,),) = database.execute(
        "SELECT count(*) FROM mentions WHERE label = -1 AND published_at >= ? AND published_at < ?", (start, end)
    ).fetchall()
    assert 5 <= spike["observed"] <= counted  # late posts may have come in after the page went out
    assert str(spike["observed"]) in json.dumps(trigger)
    assert database.execute("SELECT state FROM incidents").fetchall() == [("resolved",)]
    assert database.execute("SELECT count(*) FROM posts WHERE text LIKE 'Oferta%'").fetchone() == (1,)
    assert database.execute(
        "SELECT count(*) FROM mentions JOIN posts ON posts.id = post_id WHERE text LIKE 'Oferta%'"
    ).fetchone() == (0,)
    assert 304 in here.gets
    assert resolve != trigger


def test_it_stays_silent_about_history(tmp_path: Path, town: tuple[Town, str]) -> None:
    here, url = town
    for minute in range(60):
        here.says(START - timedelta(minutes=minute), ANGRY.format(number=minute))
    config = tmp_path / "avizor.toml"
    config.write_text(CONFIG.format(url=url), encoding="utf-8")

    async def story() -> None:
        async with make_service(settings_for(tmp_path, url), clock=lambda: here.now) as service:
            service.storage.migrate()
            apply(plan(load_config(config), service.storage), service.storage, here.now)
            while here.now < START + timedelta(hours=1):
                await walk(service)
                here.now += STEP

    asyncio.run(story())
    assert here.slack == []
    database = sqlite3.connect(tmp_path / "avizor.db")
    assert database.execute("SELECT count(*) FROM mentions WHERE label = -1").fetchone() == (60,)


def test_two_walks_in_a_row_change_nothing_twice(tmp_path: Path, town: tuple[Town, str]) -> None:
    here, url = town
    here.says(START - timedelta(minutes=3), ANGRY.format(number=1))
    config = tmp_path / "avizor.toml"
    config.write_text(CONFIG.format(url=url), encoding="utf-8")

    def counts() -> list[tuple[int, ...]]:
        database = sqlite3.connect(tmp_path / "avizor.db")
        return [
            database.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("posts", "mentions", "incidents")
        ] + database.execute(
            "SELECT sum(stories + copies + backfill_stories + backfill_copies) FROM volumes"
        ).fetchall()

    async def story() -> list[tuple[int, ...]]:
        async with make_service(settings_for(tmp_path, url), clock=lambda: here.now) as service:
            service.storage.migrate()
            apply(plan(load_config(config), service.storage), service.storage, here.now)
            await walk(service)
            first = counts()
            here.says(START - timedelta(minutes=2), "Nothing to do with it.")
            for _ in range(3):
                here.now += timedelta(hours=2)
                await walk(service)
            return first

    first = asyncio.run(story())
    assert counts() == [(first[0][0] + 1,), *first[1:]]


def test_what_the_operator_doubts_is_heard_again_and_a_persons_word_stands(
    tmp_path: Path, town: tuple[Town, str]
) -> None:
    here, url = town
    for minute in range(1, 4):
        here.says(START - timedelta(minutes=minute), ANGRY.format(number=minute))
    config = tmp_path / "avizor.toml"
    config.write_text(CONFIG.format(url=url), encoding="utf-8")

    async def story() -> tuple[list[Mention], list[Mention], int]:
        async with make_service(settings_for(tmp_path, url), clock=lambda: here.now) as service:
            service.storage.migrate()
            apply(plan(load_config(config), service.storage), service.storage, here.now)
            await walk(service)
            mentions = service.storage.mentions
            first = mentions.page(MentionFilter())[0]
            mentions.correct(first.brand, first.post_id, "neutral", "ana", "Not about the café", here.now)
            heard = mentions.page(MentionFilter())
            assert mentions.doubt(None, None, here.now) == 2
            here.now += timedelta(minutes=1)
            await walk(service)
            return heard, mentions.page(MentionFilter()), mentions.waiting()

    before, after, waiting = asyncio.run(story())
    assert [mention.label for mention in after] == ["neutral", "negative", "negative"]
    assert waiting == 0
    assert after[0] == before[0]
    again = [replace(mention, scored_at=START + timedelta(minutes=1)) for mention in before[1:]]
    assert after[1:] == again, "the same scorer says the same of the same text"
    database = sqlite3.connect(tmp_path / "avizor.db")
    counted = "SELECT label, sum(stories + backfill_stories) FROM volumes WHERE width_s = 300 GROUP BY label"
    assert dict(database.execute(counted).fetchall()) == {-1: 2, 0: 1}


INBOX = """
[[sources]]
name = "Centralita"
kind = "inbox"
tier = 1
"""


def test_what_is_posted_to_a_trusted_inbox_wakes_as_well(tmp_path: Path, town: tuple[Town, str]) -> None:
    """Of tier 1: else one place is not many."""
    here, url = town
    for hour in range(3 * 24):
        here.says(START - timedelta(hours=hour, minutes=20), CALM[hour % 3])
    config = tmp_path / "avizor.toml"
    config.write_text(CONFIG.format(url=url) + INBOX, encoding="utf-8")
    settings = settings_for(tmp_path, url)

    async def story() -> None:
        async with make_service(settings, clock=lambda: here.now) as service:
            service.storage.migrate()
            apply(plan(load_config(config), service.storage), service.storage, here.now)
            inbox = Inbox(service.storage, settings.languages, service.scorer)
            source = service.storage.sources.get("centralita")
            assert source is not None
            calm = [{"id": "calm", "text": CALM[0], "author": "v"}]
            inbox.take(source, calm, here.now, history=False)
            while here.now < START + timedelta(hours=26):
                crisis = here.now >= START + timedelta(hours=25)
                if crisis:
                    number = int((here.now - START) / STEP)
                    items = [
                        {"id": f"{number}.{n}", "text": ANGRY.format(number=f"{number}{n}"), "author": f"v{number}{n}"}
                        for n in range(3)
                    ]
                    inbox.take(source, items, here.now, history=False)
                await walk(service)
                here.now += STEP if crisis else 3 * STEP

    asyncio.run(story())
    assert len(here.slack) == 1
