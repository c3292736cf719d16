"""Nothing leaves for an address that is not public. Each check has a control that shows that it could fail."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from ipaddress import ip_address, ip_network
from typing import Any

import httpcore
import httpx
import pytest

from collectors import guard
from collectors.guard import AddressNotAllowed, GuardedBackend, GuardedTransport, HostNotFound, check_url, is_public
from tests.collectors.loopback import LOOPBACK, Visitor, client, serving

REFUSED = (
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1",
    "192.168.1.1", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16", "::", "::1", "::127.0.0.1",
    "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:100.64.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "2620:4f:8000::1", "5f00::1", "fc00::1", "fd00::1",
    "fe80::1", "fe80::1%1", "fec0::1", "ff02::1",
)  # fmt: skip
PUBLIC = (
    "1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2606:4700::1111",
    "2a00:1450:4003::1",
)  # fmt: skip


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


async def hello(visitor: Visitor) -> None:
    await visitor.answer("200 OK", b"hola", "Set-Cookie: sesion=1")


@pytest.mark.parametrize("address", REFUSED)
def test_it_refuses_every_address_that_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_it_lets_public_addresses_through(address: str) -> None:
    assert is_public(ip_address(address))


LOCAL_FORMS = (
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0x0.0x0.0x1", "017700000001", "0177.0.0.01",
    "localhost", "LOCALHOST", "localhost.", "0.0.0.0", "0", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "①②⑦.0.0.1", "127。0。0。1",
)  # fmt: skip


@pytest.mark.parametrize("host", LOCAL_FORMS)
def test_no_way_of_writing_loopback_reaches_a_listener(host: str) -> None:
    async def work() -> None:
        async with serving(hello) as server, client(server.port, loopback=False) as http:
            with pytest.raises((httpx.ConnectError, httpx.InvalidURL)) as error:
                await http.get(server.url(host=host))
            assert server.connections == 0
            assert "127" not in str(error.value)
            assert "::1" not in str(error.value)

    run(work)


def test_the_control_the_same_listener_is_reached_where_the_operator_allows_it() -> None:
    async def work() -> None:
        async with serving(hello) as server, client(server.port) as http:
            for host in ("127.0.0.1", "localhost", "2130706433"):
                assert (await http.get(server.url(host=host))).text == "hola"
            assert server.connections == 3

    run(work)


def test_the_control_a_plain_client_would_have_gone_there() -> None:
    async def work() -> None:
        async with serving(hello) as server, httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(server.url())).text == "hola"

    run(work)


def test_the_guard_is_in_force_where_connections_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when httpcore stops asking our backend for its connections."""
    asked: list[tuple[str, int]] = []

    async def note(self: GuardedBackend, host: str, port: int, *args: object, **kwargs: object) -> None:
        asked.append((host, port))
        raise httpcore.ConnectError("noted")

    monkeypatch.setattr(GuardedBackend, "connect_tcp", note)

    async def work() -> None:
        async with client(loopback=False) as http:
            for url in ("http://a.example/", "https://b.example/"):
                with pytest.raises(httpx.ConnectError, match="noted"):
                    await http.get(url)

    run(work)
    assert asked == [("a.example", 80), ("b.example", 443)]


def answering(*answers: str) -> Callable[..., Coroutine[Any, Any, list[Any]]]:
    """A resolver that gives these addresses, one list a call: the far end of a look-up."""
    left = list(answers)

    async def getaddrinfo(host: str, port: int, **kwargs: object) -> list[Any]:
        addresses = (left.pop(0) if len(left) > 1 else left[0]).split()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return getaddrinfo


async def connect(backend: GuardedBackend, resolve: Callable[..., Any], port: int = 80) -> httpcore.AsyncNetworkStream:
    loop = asyncio.get_running_loop()
    loop.getaddrinfo = resolve  # type: ignore[method-assign]
    return await backend.connect_tcp("feed.example", port, timeout=0.5)


def test_one_private_answer_among_public_ones_refuses_the_name() -> None:
    async def work() -> None:
        backend = GuardedBackend((), frozenset((80,)))
        with pytest.raises(httpcore.ConnectError) as error:
            await connect(backend, answering("93.184.216.34 10.0.0.1"))
        assert type(error.value).__name__ == "_Refused"

    run(work)


def test_a_name_that_changes_between_two_questions_is_asked_only_once() -> None:
    """Rebinding: what was checked is what is dialled. The second answer would be allowed, the first is not."""

    async def work() -> None:
        async with serving(hello) as server:
            backend = GuardedBackend(LOOPBACK, frozenset((server.port,)))
            stream = await connect(backend, answering("127.0.0.1", "10.0.0.1"), server.port)
            assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
            await stream.aclose()
            with pytest.raises(httpcore.ConnectError):
                await connect(backend, answering("10.0.0.1", "127.0.0.1"), server.port)
            assert server.connections <= 1

    run(work)


def test_a_connection_that_ended_elsewhere_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with serving(hello) as server:
            backend = GuardedBackend(LOOPBACK, frozenset((server.port,)))
            dial = httpcore.AnyIOBackend.connect_tcp

            async def astray(self: httpcore.AnyIOBackend, host: str, *args: Any, **kwargs: Any) -> Any:
                return await dial(self, "127.0.0.1", *args, **kwargs)

            monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", astray)
            with pytest.raises(httpcore.ConnectError) as error:
                await connect(backend, answering("127.0.0.2"), server.port)
            assert type(error.value).__name__ == "_Refused"

    run(work)


def test_it_dials_at_most_four_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[str] = []

    async def note(self: httpcore.AnyIOBackend, host: str, *args: object, **kwargs: object) -> None:
        dialled.append(host)
        raise httpcore.ConnectError("down")

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", note)

    async def work() -> None:
        many = " ".join(f"1.1.1.{n}" for n in range(1, 20))
        with pytest.raises(httpcore.ConnectError, match="down"):
            await connect(GuardedBackend((), frozenset((80,))), answering(many))

    run(work)
    assert len(dialled) == 4


def test_only_usual_ports_and_those_the_operator_adds_are_dialled() -> None:
    async def work() -> None:
        async with serving(hello) as server:
            transport = GuardedTransport(allow_networks=LOOPBACK)
            async with httpx.AsyncClient(transport=transport, trust_env=False) as http:
                with pytest.raises(AddressNotAllowed):
                    await http.get(server.url())
            assert server.connections == 0

    run(work)


def test_an_ipv6_network_that_the_operator_allows_is_reached() -> None:
    backend = GuardedBackend((ip_network("fd00::/8"),), frozenset((80,)))
    assert backend._allows(ip_address("fd00::1"))
    assert not backend._allows(ip_address("10.0.0.1"))
    assert not backend._allows(ip_address("fc00::1"))


def test_unix_sockets_are_refused() -> None:
    async def work() -> None:
        with pytest.raises(httpcore.ConnectError):
            await GuardedBackend((), frozenset()).connect_unix_socket("/var/run/docker.sock")

    run(work)


def test_a_refusal_looks_the_same_whatever_its_reason() -> None:
    async def work() -> None:
        async with serving(hello) as server, client(server.port, loopback=False) as http:
            urls = (server.url(), "http://10.0.0.1/", "http://a:b@1.1.1.1/", "http://1.1.1.1:22/", "http://[fe80::1]/")
            for url in urls:
                with pytest.raises(AddressNotAllowed) as error:
                    await http.get(url)
                assert str(error.value) == "address not allowed"

    run(work)


def test_a_name_without_an_address_says_so() -> None:
    async def work() -> None:
        async with client() as http:
            with pytest.raises(HostNotFound):
                await http.get("http://no-such-host.invalid/")

    run(work)


def test_cookies_are_not_kept() -> None:
    async def work() -> None:
        async with serving(hello) as server, client(server.port) as http:
            await http.get(server.url())
            await http.get(server.url())
            assert server.visitors[1].header("cookie") is None
            assert not http.cookies

    run(work)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with serving(hello) as proxy, serving(hello) as server:
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url())
            transport = GuardedTransport(allow_networks=LOOPBACK, allow_ports=[server.port, proxy.port])
            async with httpx.AsyncClient(transport=transport) as http:  # even where the client trusts the environment
                await http.get(server.url())
            assert proxy.connections == 0

    run(work)


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "ANSWER_LIMIT", 100_000)

    async def endless(visitor: Visitor) -> None:
        while True:
            await visitor.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100)

    async def work() -> None:
        async with serving(endless) as server, client(server.port) as http:
            with pytest.raises(guard.AnswerTooLarge):
                await http.get(server.url(), timeout=5)

    run(work)


def test_errors_of_the_connection_come_as_httpx_errors() -> None:
    async def hang_up(visitor: Visitor) -> None:
        await visitor.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    async def nonsense(visitor: Visitor) -> None:
        await visitor.send(b"SSH-2.0-OpenSSH\r\n\r\n")

    async def work() -> None:
        for behaviour in (hang_up, nonsense):
            async with serving(behaviour) as server, client(server.port) as http:
                with pytest.raises(httpx.RemoteProtocolError):
                    await http.get(server.url())
        async with client(1) as http:
            with pytest.raises(httpx.ConnectError):
                await http.get("http://127.0.0.1:1/")
        async with serving(nonsense, until=b"") as server, client(server.port) as http:
            with pytest.raises(httpx.ConnectError, match="SSL"):
                await http.get(server.url().replace("http:", "https:"))

    run(work)


@pytest.mark.parametrize(
    "text",
    [
        "http://169.254.169.254:8888\\@public.example/",
        "http://public.example\\@169.254.169.254/",
        "http://a b.example/",
        "http://a\x00.example/",
        "http://a.example/\n",
        " http://a.example/",
        "http://user@a.example/",
        "http://user:pass@a.example/",
        "http://@a.example/",
        "file:///etc/passwd",
        "file:/etc/passwd",
        "source:file:///etc/passwd",
        "gopher://a.example/",
        "//a.example/",
        "a.example",
        "http://",
        "http:///a",
        "http://:80/",
        "http://[::1",
        "http://a.example:99999/",
        "https://" + "a" * 2050,
    ],
)
def test_an_address_with_two_meanings_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        check_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://correo.example/a?b=c#d",
        "http://[2606:4700::1111]/",
        "https://ñandú.example/",
        "http://A.example:8080/x",
    ],
)
def test_a_plain_address_is_taken(text: str) -> None:
    assert check_url(text).host
