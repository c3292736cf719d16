"""Nothing leaves for an address that is not public: the transport under the one httpx client.

    URL | one host for two parsers | port | resolve | EVERY answer allowed | dial that number | same peer -> bytes

The check stands where the connection is made, inside `connect_tcp` of httpcore's public network backend, so redirects,
retries and a DNS answer that changes between two look-ups all pass it. TLS name and Host header stay right: no URL is
rewritten. What is refused says only "address not allowed": no address, status or body of a refused target ever reaches
an error text.

Addresses: https://www.iana.org/assignments/iana-ipv4-special-registry and its IPv6 sister, November 2026. IPv4 is a
list of what is refused, IPv6 of what is let through. `ipaddress.is_global` is not used: it takes multicast, ::127.0.0.1
and 6to4 forms of loopback for global.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpcore
import httpx

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PORTS = (80, 443)
URL_LIMIT = 2_048
ADDRESSES_DIALLED = 4
ANSWER_LIMIT = 6 * 1024 * 1024  # bytes that one answer may weigh on the wire, interim answers and headers included

_REFUSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
    )
)  # fmt: skip
_ALLOWED_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48")
)


class AddressNotAllowed(httpx.ConnectError):
    """The guard refused a target. Its text is the same for every reason."""

    def __init__(self, *, request: httpx.Request | None = None) -> None:
        super().__init__("address not allowed", request=request)


class HostNotFound(httpx.ConnectError):
    """The name has no address."""


class AnswerTooLarge(httpx.ReadError):
    """More bytes came back than any answer may have."""


def is_public(address: Address) -> bool:
    """Whether an address is on the public internet. Mapped, scoped, tunnelled and special addresses are not."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if address.scope_id is not None or address not in _ALLOWED_V6:
        return False
    return not any(address in network for network in _REFUSED_V6)


@lru_cache(maxsize=512)  # kind, fetch and transport ask of the same address, one after the other
def check_url(text: str) -> httpx.URL:
    """The address as every part of this house understands it. Raises `ValueError` in words for the operator.

    Two parsers must find the same host in it: what one takes for a host and the other for a password is how guards are
    passed.
    """
    if len(text) > URL_LIMIT:
        raise ValueError(f"the address is longer than {URL_LIMIT} characters")
    if "\\" in text or any(letter <= " " or "\x7f" <= letter <= "\xa0" for letter in text):
        raise ValueError("the address holds a space, a backslash or a control character")
    try:
        url = httpx.URL(text)
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port  # out of range: ValueError
    except (httpx.InvalidURL, ValueError):
        raise ValueError("the address cannot be read") from None
    if url.scheme not in ("http", "https"):
        raise ValueError("the address must begin with http:// or https://")
    if url.userinfo or "@" in parts.netloc:
        raise ValueError("the address holds a name or a password before the @: put it into the secret instead")
    if not url.host or _plain_host(httpx.URL(scheme="http", host=host)) != _plain_host(url):
        raise ValueError("the address has no clear host")
    return url


def _plain_host(url: httpx.URL) -> bytes:
    return url.raw_host.lower().rstrip(b".")


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends requests through connections that only reach public addresses, and those in `allow_networks`.

    `allow_ports` are added to 80 and 443. Connections are not kept alive by default: feeds are polled more slowly than
    servers keep them. Cookies are dropped: nobody here is logged in. Proxies of the environment are not looked at.
    """

    def __init__(
        self,
        *,
        allow_networks: Iterable[Network] = (),
        allow_ports: Iterable[int] = (),
        ssl_context: ssl.SSLContext | None = None,
        max_connections: int = 100,
        max_keepalive_connections: int = 0,
    ) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context or httpx.create_ssl_context(trust_env=False),
            max_connections=max_connections,
            max_keepalive_connections=max_keepalive_connections,
            keepalive_expiry=15.0,
            http1=True,
            http2=False,
            network_backend=GuardedBackend(tuple(allow_networks), frozenset((*PORTS, *allow_ports))),
        )

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        with _httpx_errors():
            await self._pool.__aexit__(exc_type, exc_value, traceback)

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not isinstance(request.stream, httpx.AsyncByteStream):
            raise TypeError("a request for an async client has an async body")
        try:
            check_url(str(request.url))
        except ValueError:
            raise AddressNotAllowed(request=request) from None
        with _httpx_errors(request):
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            status_code=response.status,
            headers=[header for header in response.headers if _is_harmless(header, request.url)],
            stream=_Body(response, request),
            extensions=response.extensions,
        )


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Makes connections for httpcore, to checked numbers only."""

    def __init__(self, allow_networks: tuple[Network, ...], ports: frozenset[int]) -> None:
        self._allow_networks = allow_networks
        self._ports = ports
        self._dialler = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        if port not in self._ports:
            raise _Refused
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from None
        if not all(self._allows(address) for address in addresses):
            raise _Refused
        return await self._dial(addresses[:ADDRESSES_DIALLED], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise _Refused

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _resolve(self, host: str, port: int) -> list[Address]:
        with suppress(ValueError):
            return [ip_address(host)]  # a number needs no look-up; other ways of writing one get theirs
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = [ip_address(answer[4][0]) for answer in answers]
        except (OSError, UnicodeError) as error:
            raise _NoSuchHost(str(error)) from error
        except ValueError:
            raise _Refused from None
        if not addresses:
            raise _NoSuchHost("no address")
        return list(dict.fromkeys(addresses))

    def _allows(self, address: Address) -> bool:
        return is_public(address) or any(
            address in network for network in self._allow_networks if network.version == address.version
        )

    async def _dial(
        self,
        addresses: list[Address],
        port: int,
        timeout: float | None,
        local_address: str | None,
        socket_options: Iterable[Any] | None,
    ) -> httpcore.AsyncNetworkStream:
        share = None if timeout is None else timeout / len(addresses)
        failure: httpcore.NetworkError | httpcore.TimeoutException | None = None
        for address in addresses:
            try:
                stream = await self._dialler.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            if not _reached(stream, address):
                await stream.aclose()
                raise _Refused
            return _BoundedStream(stream)
        raise failure or _NoSuchHost("no address")


class _BoundedStream(httpcore.AsyncNetworkStream):
    """A connection on which one answer has an end, whatever it consists of: endless headers are bytes too."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._received = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        received = await self._stream.read(max_bytes, timeout)
        self._received += len(received)
        if self._received > ANSWER_LIMIT:
            raise _TooLarge(f"more than {ANSWER_LIMIT} bytes came back")
        return received

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._received = 0
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        try:
            return _BoundedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))
        except asyncio.CancelledError:  # a deadline outside: httpcore closes the connection after errors only
            await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Body(httpx.AsyncByteStream):
    """The body of a response, with httpcore's errors as httpx's."""

    def __init__(self, response: httpcore.Response, request: httpx.Request) -> None:
        self._response = response
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors(self._request):
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._response.aclose()


class _Refused(httpcore.ConnectError):
    """Becomes `AddressNotAllowed`."""


class _NoSuchHost(httpcore.ConnectError):
    """Becomes `HostNotFound`."""


class _TooLarge(httpcore.ReadError):
    """Becomes `AnswerTooLarge`."""


# The most specific first.
_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (_NoSuchHost, HostNotFound),
    (_TooLarge, AnswerTooLarge),
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.ReadTimeout, httpx.ReadTimeout),
    (httpcore.WriteTimeout, httpx.WriteTimeout),
    (httpcore.PoolTimeout, httpx.PoolTimeout),
    (httpcore.TimeoutException, httpx.TimeoutException),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.ReadError, httpx.ReadError),
    (httpcore.WriteError, httpx.WriteError),
    (httpcore.NetworkError, httpx.NetworkError),
    (httpcore.UnsupportedProtocol, httpx.UnsupportedProtocol),
    (httpcore.RemoteProtocolError, httpx.RemoteProtocolError),
    (httpcore.LocalProtocolError, httpx.LocalProtocolError),
    (httpcore.ProtocolError, httpx.ProtocolError),
)


@contextmanager
def _httpx_errors(request: httpx.Request | None = None) -> Iterator[None]:
    try:
        yield
    except _Refused:
        raise AddressNotAllowed(request=request) from None
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
    ) as error:
        found = next(ours for theirs, ours in _ERRORS if isinstance(error, theirs))
        raise found(str(error), request=request) from error


def _is_harmless(header: tuple[bytes, bytes], url: httpx.URL) -> bool:
    """Cookies are not wanted; and httpx reads a Location even where it is told not to follow, and fails on some."""
    name, value = header
    match name.lower():
        case b"set-cookie":
            return False
        case b"location":
            try:
                return url.join(value.decode("utf-8", "replace")).scheme in ("http", "https")
            except (httpx.InvalidURL, ValueError):
                return False
        case _:
            return True


def _reached(stream: httpcore.AsyncNetworkStream, address: Address) -> bool:
    """Whether the other end of a connection is the number that was checked."""
    peer = stream.get_extra_info("server_addr")
    return bool(peer) and ip_address(peer[0]) == address
