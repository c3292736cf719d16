"""What politeness and safety cost: feeds fetched a second, beside raw httpx, and what a tick of the scheduler costs.

    python benchmarks/fetch.py            5,000 feeds, nine in ten unchanged; 100,000 sources
    python benchmarks/fetch.py --quick    1,000 feeds; 10,000 sources

Feeds: a server on loopback, in a process of its own, with an address for each feed (127.x.y.z), so that what is owed to
a host is in force. Raw: one httpx client, keep-alive off as in ours, validators sent, as many requests at once, nothing
else. Ours: `fetch`, with the guard, the host's turn, the deadline, the bounds and our decoder; and a whole visit, with
the parsing child for what changed. One warm-up, then rounds that take turns; the ratio of the medians is what to carry
over.

Sources: rows of which as many are due at each tick whatever their number; a tick that claims them costs the same if its
cost does not grow with what is not due.
"""

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import httpx
from pipeline import OpenVault, feed
from sqlalchemy import insert

from app.pipeline.sessions import Sessions
from app.pipeline.visit import Visitor
from app.storage import Storage, open_storage
from app.storage.records import PutSource
from app.tables import sources
from collectors import COLLECTORS
from collectors.base import Source
from collectors.fetch import Hosts, fetch
from collectors.guard import GuardedTransport
from collectors.sandbox import Sandbox

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
AT_ONCE = 16
CHANGED = 10  # one feed in so many has something new
ROUNDS = 5
PERIOD = timedelta(minutes=15)
DUE = 100  # a tick


# ── feeds a second ───────────────────────────────────────────────────────────


def serve(pipe: Connection) -> None:
    """In a process of its own. A feed whose number divides by ten has changed, the others have not."""
    body = feed(1, [f"Nada nuevo en el mostrador número {n} de la tienda." for n in range(25)])
    changed = (
        b'HTTP/1.1 200 OK\r\nETag: "2"\r\nContent-Type: application/rss+xml\r\nConnection: close\r\nContent-Length: '
    )
    changed += b"%d\r\n\r\n%s" % (len(body), body)
    unchanged = b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nConnection: close\r\n\r\n'

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            number = int(head.split(b" ", 2)[1].strip(b"/"))
            writer.write(unchanged if number % CHANGED else changed)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        writer.close()

    async def listen() -> None:
        server = await asyncio.start_server(meet, "0.0.0.0", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(listen())


def source(number: int, port: int) -> Source:
    address = f"127.{1 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"
    return Source(
        number,
        f"s{number}",
        f"S{number}",
        "rss",
        url=f"http://{address}:{port}/{number}",
        etag='"1"',
        created_at=NOW - timedelta(hours=1),
        first_ok_at=NOW - timedelta(hours=1),
        last_ok_at=NOW - timedelta(minutes=15),
    )


async def all_of(asked: list[Source], ask: Callable[[Source], Awaitable[None]]) -> float:
    """Feeds a second, so many at once."""
    left = iter(asked)

    async def hand() -> None:
        for one in left:
            await ask(one)

    began = time.perf_counter()
    await asyncio.gather(*(hand() for _ in range(AT_ONCE)))
    return len(asked) / (time.perf_counter() - began)


async def race(feeds: int, port: int) -> None:
    asked = [source(number, port) for number in range(feeds)]
    guarded = GuardedTransport(allow_networks=(ip_network("127.0.0.0/8"),), allow_ports=(port,))
    sandbox = Sandbox(workers=1)
    await sandbox.start()
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=0)
    async with (
        httpx.AsyncClient(trust_env=False, limits=limits) as plain,
        httpx.AsyncClient(transport=guarded, trust_env=False, headers={"User-Agent": "Avizor/0"}) as ours,
    ):

        async def raw(one: Source) -> None:
            answer = await plain.get(one.url or "", headers={"If-None-Match": one.etag or ""})
            assert answer.status_code == (200 if one.id % CHANGED == 0 else 304)

        async def polite(one: Source) -> None:
            brought = await visitor.visit(one, NOW)
            assert brought.unchanged == (one.id % CHANGED != 0)

        async def fetched(one: Source) -> None:
            await fetch(ours, COLLECTORS["rss"].request(one, NOW), one, hosts=hosts, now=NOW)

        racers = {"raw httpx": raw, "our fetch": fetched, "our visit": polite}
        figures: dict[str, list[float]] = {name: [] for name in racers}
        for number in range(ROUNDS + 1):
            for name, ask in racers.items():
                hosts = Hosts()  # the rounds follow each other faster than a host should be asked
                visitor = Visitor(Sessions(ours, hosts), sandbox)
                rate = await all_of(asked, ask)
                if number:
                    figures[name].append(rate)
    await asyncio.to_thread(sandbox.close)
    for name, rates in figures.items():
        print(f"  {name:10} {median(rates):7.0f} feeds/s   ({', '.join(f'{rate:.0f}' for rate in rates)})")
        print(f"  {'':10} {median(rates) / median(figures['raw httpx']):7.2f} of raw httpx   (to reach: 0.6)")


def fetching(feeds: int) -> None:
    print(f"{feeds:,} feeds, one in {CHANGED} changed, {AT_ONCE} at once")
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        asyncio.run(race(feeds, here.recv()))
    finally:
        server.terminate()
        server.join()


# ── a tick of the scheduler ──────────────────────────────────────────────────


def stored(folder: Path, number: int) -> Storage:
    """So many sources, all of them due within a quarter of an hour, a hundred at each tick."""
    storage = open_storage(f"sqlite:///{folder}/{number}.db", OpenVault())
    storage.migrate()
    storage.apply([PutSource(Source(0, "muestra", "Muestra", "rss", url="https://muestra.example/"))], NOW)
    engine = storage.sources._database  # rows are made faster than the house would
    with engine.write() as connection:
        row = connection.execute(sources.select()).mappings().one()
        ticks = -(-number // DUE)
        rows = [
            dict(row)
            | {
                "id": at + 2,
                "slug": f"s{at}",
                "host": f"h{at}.example",
                "url": f"https://h{at}.example/",
                "next_due_at": NOW + PERIOD * ((at // DUE) / ticks),
            }
            for at in range(number)
        ]
        for start in range(0, number, 1_000):
            connection.execute(insert(sources), rows[start : start + 1_000])
        connection.execute(sources.delete().where(sources.c.slug == "muestra"))
    return storage


def claiming(numbers: tuple[int, ...]) -> None:
    print(f"a tick that claims {DUE} due sources (SQLite)")
    costs: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            storage = stored(Path(folder), number)
            step = PERIOD / -(-number // DUE)
            began = time.perf_counter()
            assert storage.sources.claim_due(NOW - timedelta(seconds=30), DUE, "bench", lease_s=120) == []
            idle = time.perf_counter() - began
            spent = []
            for tick in range(min(20, number // DUE)):
                began = time.perf_counter()
                claimed = storage.sources.claim_due(NOW + step * tick, DUE, "bench", lease_s=120)
                spent.append(time.perf_counter() - began)
                assert len(claimed) == DUE, len(claimed)
            costs[number] = median(spent)
            tick_ms, idle_ms = 1000 * costs[number], 1000 * idle
            print(f"  {number:8,} sources   {tick_ms:6.1f} ms a tick   {idle_ms:5.1f} ms with nothing due")
            storage.close()
    least, most = min(numbers), max(numbers)
    print(f"  ratio {most:,} to {least:,}: {costs[most] / costs[least]:.2f}   (to reach: it does not grow, about 1)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    fetching(1_000 if quick else 5_000)
    claiming((1_000, 10_000) if quick else (1_000, 10_000, 100_000))


if __name__ == "__main__":
    main()
