"""kill -9 of the whole service in a loop while it collects and delivers. At length: `make kills`.

    publisher (RSS) > the service, killed and started again > receiver (signed webhook, at times 503 or no answer)

What must hold at the end, whatever was cut off:

- lost mentions      every mention that was ever seen committed is still there, and every item published is stored, once
- wrong counts       the volumes equal a recount of the mentions
- lost alerts        every event of every incident reached the receiver
- changed keys       a repeat carries the key of its first try, and the same body
- broken order       per incident, what the receiver first saw came in the order of the events

The service runs on a clock sixty times faster, the same one in every life, so that crises come and go meanwhile.
"""

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

SPEED = 60.0
BRANDS = ("garza", "brezo", "cumbre", "duna", "encina", "faro", "glaciar", "hayedo")
HISTORY = timedelta(days=2)
CYCLE = timedelta(minutes=110)  # a brand's crisis, then calm for long enough to be resolved
CRISIS = timedelta(minutes=18)
QUIET, LOUD = 1 / 180, 1.6  # complaints a minute
FIRST = timedelta(minutes=32)  # the detector wants half an hour of its own watching first
LONGEST_WAIT_S = 30.0
SECRET = "whsec_" + "QXZpem9yIGtpbGwgdGVzdCBzZWNyZXQga2V5"


@dataclass(frozen=True)
class FastClock:
    """One instant for every life of the service: `start` when the machine's monotonic clock read `began`."""

    start: datetime
    began: float
    speed: float

    def __call__(self) -> datetime:
        return self.start + timedelta(seconds=(time.monotonic() - self.began) * self.speed)


@dataclass(frozen=True)
class Item:
    number: int
    brand: str
    at: datetime

    def xml(self) -> str:
        text = (
            f"The {self.brand} counter number {self.number} was awful, a terrible and horrible day for everybody there."
        )
        return (
            f"<item><guid isPermaLink='false'>{self.brand}-{self.number}</guid>"
            f"<title>{self.brand} {self.number}</title>"
            f"<link>https://quejas.example/{self.brand}/{self.number}</link><pubDate>{format_datetime(self.at)}</pubDate>"
            f"<description>{text}</description></item>"
        )


def write_items(start: datetime, until: datetime, seed: int) -> list[Item]:
    """Quiet history for every brand, then crises in turn: brand i has its own at every cycle, shifted."""
    dice = random.Random(seed)
    items: list[tuple[datetime, str]] = []
    for turn, brand in enumerate(BRANDS):
        at, shift = start - HISTORY, FIRST + CYCLE * (turn / len(BRANDS))
        while (at := at + timedelta(minutes=dice.expovariate(LOUD))) < until:
            crisis = at >= start + shift and (at - start - shift) % CYCLE < CRISIS
            if dice.random() < (1 if crisis else QUIET / LOUD):
                items.append((at, brand))
    return [Item(number, brand, at) for number, (at, brand) in enumerate(sorted(items), start=1)]


@dataclass
class Receiver:
    """The far end of the webhook: notes every delivery, refuses one in ten, and drops one answer in five."""

    seed: int
    received: list[tuple[str, bytes]] = field(default_factory=list)
    refused: int = 0
    dropped: int = 0

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def take(self, key: str, body: bytes) -> int | None:
        fate = self._dice.random()
        if fate < 0.10:
            self.refused += 1
            return 503
        self.received.append((key, body))
        if fate < 0.28:
            self.dropped += 1
            return None
        return 204


@contextmanager
def far_ends(items: list[Item], clock: FastClock, receiver: Receiver) -> Iterator[str]:
    """Publisher and receiver on one loopback port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            brand, now = self.path.strip("/").removesuffix(".rss"), clock()
            said = [item for item in items if item.brand == brand and item.at <= now][-400:]
            body = (
                "<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel><title>Quejas</title>"
                "<link>https://quejas.example</link><description>q</description><language>en</language>"
                + "".join(item.xml() for item in reversed(said))
                + "</channel></rss>"
            ).encode()
            self._answer(200, body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.take(self.headers["webhook-id"], body)
            if status is None:
                self.close_connection = True
                return
            self._answer(status, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/rss+xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A killed client hangs up in the middle of an answer: that is the test."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


# ── the service under test: a process of its own ─────────────────────────────


def live(data_dir: Path, base_url: str, clock: FastClock) -> None:
    """One life of the service: what `avizor serve` does, on the shared fast clock."""
    import uvicorn

    from alerts.base import Channel
    from app.main import make_app, open_rooms
    from app.model import Brand
    from app.settings import Settings
    from app.storage.records import PutBrand, PutChannel, PutSource
    from collectors.base import Source

    port = int(base_url.rsplit(":", 1)[1])
    settings = Settings(data_dir=data_dir, port=0, allow_networks=("127.0.0.0/8",), allow_ports=(port,))
    storage, _ = open_rooms(settings)
    storage.migrate()
    if not storage.brands.all():
        storage.apply(
            [
                PutChannel(Channel(0, "hook", "Hook", "webhook", secret={"url": f"{base_url}/hook", "secret": SECRET})),
                *(PutBrand(Brand(0, brand, brand, brand, language="en")) for brand in BRANDS),
                *(
                    PutSource(Source(0, brand, brand, "rss", f"{base_url}/{brand}.rss", brands=(brand,), interval_s=60))
                    for brand in BRANDS
                ),
            ],
            clock(),
        )
    storage.close()
    uvicorn.run(make_app(settings, clock=clock), host="127.0.0.1", port=0, log_level="error", access_log=False)


# ── the programme ────────────────────────────────────────────────────────────


@dataclass
class Figures:
    kills: int = 0
    items: int = 0
    mentions_acknowledged: int = 0
    mentions_lost: int = 0
    items_lost: int = 0
    wrong_bins: int = 0
    incidents: int = 0
    events: int = 0
    alerts_lost: int = 0
    refused: int = 0
    dropped: int = 0
    repeats: int = 0
    changed_bodies: int = 0
    out_of_order: int = 0

    def bad(self) -> dict[str, int]:
        names = ("mentions_lost", "items_lost", "wrong_bins", "alerts_lost", "changed_bodies", "out_of_order")
        return {name: getattr(self, name) for name in names if getattr(self, name)}

    def __str__(self) -> str:
        return "kill -9: " + " ".join(f"{name}={value}" for name, value in vars(self).items())


class Life:
    """The service as a child process, started and killed again and again."""

    def __init__(self, data_dir: Path, base_url: str, clock: FastClock) -> None:
        self._command = [
            *(sys.executable, "-m", "tests.kills", "--live", str(data_dir), base_url),
            *(clock.start.isoformat(), repr(clock.began), repr(clock.speed)),
        ]
        self._log = data_dir / "lives.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, start_new_session=True, stderr=log)

    def kill(self) -> None:
        """kill -9 of the service alone: what it leaves behind (its parsing children) must end by itself."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None


def run(kills: int, seed: int = 1, speed: float = SPEED, to_the_end: bool = True) -> Figures:
    """Kill the service `kills` times, let it settle (`to_the_end`: every crisis too), and count the losses."""
    dice = random.Random(seed)
    start = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    lasting_s = kills * 4 + 20
    figures = Figures(kills=kills)
    receiver = Receiver(seed)
    with TemporaryDirectory(prefix="avizor-kills-") as folder:
        os.chmod(folder, 0o755)
        clock = FastClock(start, time.monotonic(), speed)
        quiet_from = start + timedelta(seconds=lasting_s * speed)
        items = [item for item in write_items(start, quiet_from, seed) if item.at < quiet_from]
        with far_ends(items, clock, receiver) as base_url:
            life = Life(Path(folder), base_url, clock)
            ledger = Ledger(Path(folder) / "avizor.db")
            try:
                for number in range(kills):
                    life.start()
                    if number % 2:
                        ledger.await_news(lambda: life.alive and clock() < quiet_from)
                    time.sleep(dice.uniform(1.0, 6.5))
                    ledger.look()
                    if not life.alive:
                        raise RuntimeError(
                            "the service ended by itself:\n" + (Path(folder) / "lives.log").read_text()[-4000:]
                        )
                    life.kill()
                life.start()
                settle(items, ledger, clock, quiet_from, to_the_end)
            finally:
                life.kill()
            judge(figures, items, ledger, receiver)
    return figures


@dataclass
class Ledger:
    """Reads the database from outside, as a witness: a mention once seen there was committed."""

    path: Path
    mentions: set[tuple[int, int]] = field(default_factory=set)

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)) as database:
            return database.execute(statement).fetchall()

    def look(self) -> None:
        try:
            self.mentions.update(self.rows("SELECT brand_id, post_id FROM mentions"))
        except sqlite3.OperationalError:
            """Killed before the first migration was committed: nothing to witness yet."""

    def await_news(self, worth_waiting: Callable[[], bool]) -> None:
        """Until a mention is committed that was not seen before, so that a slow machine's lives do something too."""
        seen, deadline = len(self.mentions), time.monotonic() + LONGEST_WAIT_S
        while len(self.mentions) == seen and worth_waiting() and time.monotonic() < deadline:
            time.sleep(0.1)
            self.look()


def settle(items: list[Item], ledger: Ledger, clock: FastClock, quiet_from: datetime, to_the_end: bool) -> None:
    """Let the last life run until everything published is stored and told; three minutes at most."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        time.sleep(0.5)
        (stored,) = ledger.rows("SELECT count(*) FROM posts")[0]
        (pending,) = ledger.rows("SELECT count(*) FROM deliveries WHERE state = 'pending'")[0]
        (unresolved,) = ledger.rows("SELECT count(*) FROM incidents WHERE state <> 'resolved'")[0]
        (events,) = ledger.rows("SELECT count(*) FROM incident_events")[0]
        told = events and not pending and not (to_the_end and unresolved)
        if clock() > quiet_from and stored >= len(items) and told:
            return


def judge(figures: Figures, items: list[Item], ledger: Ledger, receiver: Receiver) -> None:
    """Compare what was published, witnessed and received with what the database holds."""
    figures.items = len(items)
    figures.mentions_acknowledged = len(ledger.mentions)
    held = set(ledger.rows("SELECT brand_id, post_id FROM mentions"))
    figures.mentions_lost = len(ledger.mentions - held)
    urls = Counter(url for (url,) in ledger.rows("SELECT url FROM posts"))
    expected = {f"https://quejas.example/{item.brand}/{item.number}" for item in items}
    figures.items_lost = len(expected - set(urls)) + sum(count - 1 for count in urls.values())
    recount = Counter(
        ledger.rows("SELECT brand_id, published_at / 300000 * 300000, label FROM mentions")  # one per mention
    )
    told = {
        (brand, start, label): stories + copies + old + old_copies
        for brand, start, label, stories, copies, old, old_copies in ledger.rows(
            "SELECT brand_id, bin, label, stories, copies, backfill_stories, backfill_copies FROM volumes"
            " WHERE width_s = 300"
        )
    }
    figures.wrong_bins = sum(recount[key] != told.get(key, 0) for key in {*recount, *told})
    events = ledger.rows("SELECT incident_id, seq FROM incident_events ORDER BY incident_id, seq")
    figures.incidents = len({incident for incident, _ in events})
    figures.events = len(events)
    figures.refused, figures.dropped = receiver.refused, receiver.dropped
    judge_alerts(figures, {f"{incident}.{seq}.hook" for incident, seq in events}, receiver.received)


def judge_alerts(figures: Figures, events: set[str], received: list[tuple[str, bytes]]) -> None:
    bodies: dict[str, set[bytes]] = defaultdict(set)
    first_seen: dict[str, list[int]] = defaultdict(list)
    for key, body in received:
        if key not in bodies and key.count(".") == 2:
            incident, seq, _ = key.split(".")
            first_seen[incident].append(int(seq))
        bodies[key].add(body)
    figures.alerts_lost = len(events - set(bodies))
    figures.repeats = len(received) - len(bodies)
    figures.changed_bodies = sum(len(body) > 1 for body in bodies.values())
    figures.out_of_order = sum(seqs != sorted(seqs) for seqs in first_seen.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--live", nargs=5, metavar=("DIR", "URL", "START", "BEGAN", "SPEED"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.live:
        folder, url, start, began, speed = asked.live
        live(Path(folder), url, FastClock(datetime.fromisoformat(start), float(began), float(speed)))
        return
    figures = run(asked.kills, asked.seed)
    print(figures)
    if figures.bad():
        sys.exit(f"not as promised: {figures.bad()}")


if __name__ == "__main__":
    main()
