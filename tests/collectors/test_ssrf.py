"""Every way we know of writing an address that is not public: as a link, as a redirect, as a name's answer. No dials.

The control lets the operator allow every network: then the same forms do arrive at the dialler.
"""

import asyncio
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, ip_network
from typing import Any

import httpcore
import httpx
import pytest

from collectors.base import CollectError, Source
from collectors.fetch import Hosts, fetch
from collectors.guard import GuardedBackend, GuardedTransport
from tests.collectors.loopback import Visitor, client, serving

EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
PRIVATE = (
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1",
    "192.168.255.255", "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "0.0.0.0", "0.1.2.3",
    "192.0.0.192", "192.0.2.7", "198.18.0.1", "198.51.100.3", "203.0.113.9", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "168.63.129.16", "192.88.99.1",
)  # fmt: skip
PRIVATE_V6 = (
    "::", "::1", "0:0:0:0:0:0:0:1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%25lo", "fec0::1", "ff02::1",
    "2001:db8::1", "2001::1", "100::1", "64:ff9b:1::1", "3fff::1", "5f00::1",
)  # fmt: skip
FORMS = 1_500


def digits(text: str, first: int) -> str:
    """The same digits from another alphabet."""
    return "".join(chr(first + int(letter)) if letter.isdigit() else letter for letter in text)


def forms_v4(address: str) -> Iterator[str]:
    """Hosts that some resolver, parser or browser takes for this IPv4 address."""
    number, parts = int(IPv4Address(address)), [int(part) for part in address.split(".")]
    a, b, c, d = parts
    yield from (address, f"{address}.", str(number), f"{number}.", f"0x{number:x}", f"0X{number:X}", f"0{number:o}")
    yield from (f"{a}.{number & 0xFFFFFF}", f"{a}.{b}.{number & 0xFFFF}", f"0x{a:x}.{number & 0xFFFFFF}")
    yield ".".join(f"0x{part:x}" for part in parts)
    yield ".".join(f"0x{part:08x}" for part in parts)
    yield ".".join(f"0{part:o}" for part in parts)
    yield ".".join(f"{part:04o}" for part in parts)
    yield ".".join(f"{part:03d}" for part in parts)
    yield f"0x{a:x}.{b}.0{c:o}.{d}"
    yield f"{a}.0x{b:x}.{c}.0{d:o}"
    yield from (digits(address, first) for first in (0xFF10, 0x0660, 0x06F0, 0x0966, 0x1D7CE, 0x1D7F6))
    yield from (address.replace(".", dot) for dot in ("\u3002", "\uff0e", "\uff61", "%2e", "%2E"))
    yield "".join(f"%{ord(letter):02x}" for letter in address)
    hexes = f"{number >> 16:x}:{number & 0xFFFF:x}"
    for prefix in ("::ffff:", "0:0:0:0:0:ffff:", "::", "64:ff9b::", "64:ff9b:1::", "::ffff:0:", "2001:db8::"):
        yield from (f"[{prefix}{address}]", f"[{prefix}{hexes}]", f"[{prefix}{hexes.upper()}]")
    yield from (f"[2002:{hexes}::]", f"[2002:{hexes}::1]", f"[::ffff:{hexes}%25lo]", f"[fe80::5efe:{address}]")
    yield f"[2001:0:{hexes}::]"
    yield from (f"correo.example@{address}", f"correo.example:80@{address}", f"{address}#@correo.example")
    yield from (f"correo.example\\@{address}", f"{address}%00.correo.example", f"{address}\t", f"{address}%09")
    yield from (f"[{address}]", f"{address}:80", f"{address}:443", f"{address}:")


def forms() -> list[str]:
    found = dict.fromkeys(form for address in PRIVATE for form in forms_v4(address))
    found |= dict.fromkeys(f"[{address}]" for address in PRIVATE_V6)
    found |= dict.fromkeys(("localhost", "LOCALHOST", "localhost.", "ip6-localhost", "ip6-loopback", "0", "[::]:80"))
    return [f"http://{form}/" for form in found] + [f"https://{form}/x?y" for form in list(found)[::6]]


class Dials:
    """Stands where the guard would dial, and only counts."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    async def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        self.reached.append(host)
        raise httpcore.ConnectError("dialled")


@pytest.fixture
def dials(monkeypatch: pytest.MonkeyPatch) -> Dials:
    counted = Dials()
    made = GuardedBackend.__init__

    def watched(self: GuardedBackend, *args: Any) -> None:
        made(self, *args)
        monkeypatch.setattr(self, "_dialler", counted)

    monkeypatch.setattr(GuardedBackend, "__init__", watched)
    return counted


def try_all(urls: list[str], transport: GuardedTransport) -> list[str]:
    """Ask for each; returns what was said of the connections that were not made."""

    async def work() -> list[str]:
        said: list[str] = []
        async with httpx.AsyncClient(transport=transport, trust_env=False) as http:
            asyncio.get_running_loop().getaddrinfo = numbers_only  # type: ignore[method-assign]
            for url in urls:
                with pytest.raises((httpx.ConnectError, httpx.InvalidURL)) as error:
                    await http.get(url)
                if isinstance(error.value, httpx.ConnectError):
                    said.append(str(error.value))
        return said

    return asyncio.run(work())


async def numbers_only(host: str | bytes, port: int, **_: Any) -> list[Any]:
    """The system's own reading of numbers, in all their forms, without asking any name server."""
    name = host.decode() if isinstance(host, bytes) else host
    if name.rstrip(".").lower() in ("localhost", "ip6-localhost", "ip6-loopback"):
        name = "127.0.0.1"
    try:
        packed = socket.inet_aton(name.rstrip("."))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (socket.inet_ntoa(packed), port))]
    except (OSError, UnicodeError):
        return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)


def test_no_form_of_an_address_that_is_not_public_is_dialled(dials: Dials) -> None:
    urls = forms()
    said = try_all(urls, GuardedTransport())
    assert len(urls) >= FORMS
    assert dials.reached == []
    assert set(said) == {"address not allowed", "[Errno -2] Name or service not known"}


def test_the_control_the_same_forms_are_dialled_where_everything_is_allowed(dials: Dials) -> None:
    try_all(forms(), GuardedTransport(allow_networks=EVERYWHERE))
    assert len(dials.reached) > FORMS / 3
    assert {"127.0.0.1", "169.254.169.254", "10.0.0.1", "::1"} <= set(dials.reached)


def test_no_answer_of_a_name_server_leads_to_an_address_that_is_not_public(dials: Dials) -> None:
    """Alone, and hidden among public ones at every place."""

    async def work() -> None:
        for address in (*PRIVATE, *(one.partition("%")[0] for one in PRIVATE_V6), "::ffff:10.0.0.1"):
            for answers in ([address], [address, "93.184.216.34"], ["93.184.216.34", address]):
                backend = GuardedBackend((), frozenset((80,)))
                asyncio.get_running_loop().getaddrinfo = named(answers)  # type: ignore[method-assign]
                with pytest.raises(httpcore.ConnectError):
                    await backend.connect_tcp("correo.example", 80, timeout=1)

    asyncio.run(work())
    assert dials.reached == []


def test_the_control_a_public_answer_is_dialled(dials: Dials) -> None:
    async def work() -> None:
        asyncio.get_running_loop().getaddrinfo = named(["93.184.216.34"])  # type: ignore[method-assign]
        with pytest.raises(httpcore.ConnectError, match="dialled"):
            await GuardedBackend((), frozenset((80,))).connect_tcp("correo.example", 80, timeout=1)

    asyncio.run(work())
    assert dials.reached == ["93.184.216.34"]


def named(answers: list[str]) -> Any:
    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, port)) for answer in answers]

    return getaddrinfo


def test_no_redirect_leads_to_an_address_that_is_not_public() -> None:
    """Each form as a Location. The first hop is a real one, to loopback, which the operator allowed, and only that."""
    targets = [url for url in forms() if not url.startswith(("http://127.", "https://127."))][::4]
    sent = iter(targets)

    async def elsewhere(visitor: Visitor) -> None:
        await visitor.send(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + next(sent).encode() + b"\r\n\r\n")

    async def work() -> int:
        async with serving(elsewhere) as server, client(server.port) as http:
            asyncio.get_running_loop().getaddrinfo = numbers_only  # type: ignore[method-assign]
            hosts = Hosts(gap_s=0)
            source = Source(1, "correo", "Correo", "rss")
            for _ in targets:
                with pytest.raises(CollectError) as error:
                    await fetch(http, httpx.Request("GET", server.url()), source, hosts=hosts)
                assert error.value.code != "timeout"
            return server.connections

    assert asyncio.run(work()) == len(targets) > 300
