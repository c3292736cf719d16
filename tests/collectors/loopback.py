"""Servers on loopback that behave as they are told, for the tests of what goes out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network

import httpx

from collectors.guard import GuardedTransport

LOOPBACK = (ip_network("127.0.0.0/8"),)

Behaviour = Callable[["Visitor"], Awaitable[None]]


@dataclass
class Visitor:
    """One connection, seen from the server. `head` is the request as it came."""

    head: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def path(self) -> str:
        return self.head.split(b" ", 2)[1].decode()

    def header(self, name: str) -> bytes | None:
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == name.lower().encode():
                return value.strip()
        return None

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status: str = "200 OK", body: bytes = b"", *headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        await self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


@dataclass
class Server:
    port: int
    connections: int = 0
    visitors: list[Visitor] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@asynccontextmanager
async def serving(behaviour: Behaviour, *, until: bytes = b"\r\n\r\n") -> AsyncIterator[Server]:
    """A server that meets every request with `behaviour`, and counts connections whether or not a request comes.

    A request is over at `until`; empty: `behaviour` does not wait for one.
    """

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        try:
            visitor = Visitor(await reader.readuntil(until) if until else b"", reader, writer)
            server.visitors.append(visitor)
            await behaviour(visitor)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(meet, "127.0.0.1", 0)
    server = Server(listener.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        listener.close()
        here = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not here and "meet" in repr(task.get_coro())]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def client(*ports: int, loopback: bool = True) -> httpx.AsyncClient:
    """The client as the service makes it; `loopback`: the operator has allowed it."""
    transport = GuardedTransport(allow_networks=LOOPBACK if loopback else (), allow_ports=ports)
    return httpx.AsyncClient(
        transport=transport, headers={"User-Agent": "Avizor/0 (+ops@example.org)"}, trust_env=False
    )
