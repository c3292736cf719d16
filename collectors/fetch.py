"""One answer from outside: complete, bounded, decoded, or a `CollectError` in words.

    request | its host's turn | stored validators | send | redirect? again, at most 5 | count | decode -> 200 or 304
                                                         | refused? in the words of its kind

Whatever a publisher does costs at most 20 s, 5 MiB on the wire, 10 MiB decoded and 64 KiB of headers. httpx's own
limits do not hold this: its timeouts are per read, so a byte a second never trips them, and it decodes stacked gzip
without a bound (1 KiB became 2 GiB). Addresses are the business of `guard`, below the client.
"""

import asyncio
import hashlib
import logging
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from collectors.base import CollectError, Explains, Source
from collectors.guard import AddressNotAllowed, AnswerTooLarge, HostNotFound, check_url

log = logging.getLogger(__name__)

VALIDATOR_LIMIT = 1_024
EXPLANATION_LIMIT = 64 * 1024  # bytes that are kept of a refusal
EXPLANATION_S = 3.0
GAP_S = 0.25
LONGEST_REST_S = 24 * 3600.0
MOST_TIMES = 1_000  # hosts whose next turn is remembered before those whose turn has come are forgotten
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_FOR_GOOD = frozenset((301, 308))
_CARRIED = frozenset(
    ("accept", "accept-language", "if-none-match", "if-modified-since")
)  # to another origin: never a credential
_SPENT = frozenset(("content-encoding", "content-length", "transfer-encoding", "set-cookie"))

_WORDS = {
    400: "The source refused the request as malformed.",
    401: "The source asks for a login or a key.",
    402: "The source asks for payment.",
    403: "The source forbids access.",
    404: "There is nothing at this address any more.",
    406: "The source does not offer what was asked for.",
    410: "The source is gone for good, and says so. It is not asked again until somebody changes its address.",
    429: "The source asks to be asked less often.",
    451: "The source is blocked for legal reasons.",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one fetch may cost. Seconds and bytes; `redirects` is a number of hops."""

    deadline_s: float = 20.0
    wire_bytes: int = 5 * 1024 * 1024
    body_bytes: int = 10 * 1024 * 1024
    header_bytes: int = 64 * 1024
    redirects: int = 5


LIMITS = Limits()


class Refused(CollectError):
    """The source answered, with a `status` that brings nothing."""

    def __init__(self, error: CollectError, status: int) -> None:
        super().__init__(error.code, error.message, permanent=error.permanent, retry_after_s=error.retry_after_s)
        self.status = status


class Hosts:
    """At most `at_once` requests to one host at a time, and `gap_s` between the beginnings of two, for the whole
    process. Waiting costs no connection and no deadline. A host that asked for a rest is not asked by anybody.
    """

    def __init__(self, at_once: int = 2, gap_s: float = GAP_S) -> None:
        self._at_once = at_once
        self._gap_s = gap_s
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._users: dict[str, int] = {}
        self._next: dict[str, float] = {}  # when each host may be asked again, by the event loop's clock
        self._rests: dict[str, float] = {}

    @asynccontextmanager
    async def slot(self, host: str) -> AsyncIterator[None]:
        """Raises `CollectError` (`host_resting`) while the host rests."""
        slot = self._slots.setdefault(host, asyncio.Semaphore(self._at_once))
        self._users[host] = self._users.get(host, 0) + 1
        try:
            async with slot:
                await asyncio.sleep(self._wait_s(host))
                self._refuse_rest(host)
                yield
        finally:
            self._users[host] -= 1
            if not self._users[host]:
                del self._users[host], self._slots[host]

    def rest(self, host: str, for_s: float) -> None:
        """Nobody asks this host for so many seconds, a day at most."""
        until = asyncio.get_running_loop().time() + min(for_s, LONGEST_REST_S)
        self._rests[host] = max(until, self._rests.get(host, 0.0))

    def _wait_s(self, host: str) -> float:
        """How long until this request's turn; the next one's is a gap later."""
        now = asyncio.get_running_loop().time()
        if len(self._next) > MOST_TIMES:
            self._next = {name: at for name, at in self._next.items() if at > now}
        turn = max(now, self._next.get(host, now))
        self._next[host] = turn + self._gap_s
        return turn - now

    def _refuse_rest(self, host: str) -> None:
        left = self._rests.get(host, 0.0) - asyncio.get_running_loop().time()
        if left > 0:
            raise CollectError(
                "host_resting",
                "This host asked to be asked less often, if by another source: none of its sources is asked meanwhile.",
                retry_after_s=left,
            )
        self._rests.pop(host, None)


async def fetch(
    http: httpx.AsyncClient,
    request: httpx.Request,
    source: Source,
    *,
    full: bool = False,
    limits: Limits = LIMITS,
    hosts: Hosts | None = None,
    now: datetime | None = None,
    explains: Explains | None = None,
) -> httpx.Response:
    """The answer: status 200 with its whole body, or 304. Its request holds the final URL, its history the redirects.

    The source's stored validators go along byte for byte with a GET unless `full`; what is not a GET is never repeated
    elsewhere. `hosts` is shared by all that ask; None: nobody else does. `now` helps to read a Retry-After date when
    the answer has no date of its own, and lets `explains` put a refusal into words.

    Raises `CollectError`; where there was an answer it is a `Refused`. Its `retry_after_s` is as the other side gave
    it, unclamped; after a 429 the whole host rests for so long.
    """
    url = _checked(str(request.url))
    hosts = hosts or Hosts()
    full = full or request.method != "GET"
    headers = [*request.headers.raw, *(() if full else _conditions(source))]
    hops: list[httpx.Response] = []
    left = limits.deadline_s
    clock = asyncio.get_running_loop().time
    for hop in range(limits.redirects + 1):
        async with hosts.slot(url.host):
            started = clock()
            try:
                async with asyncio.timeout(left):
                    asked = _prepared(http, request.method, url, headers, request.content)
                    answer = await _ask(http, asked, limits, explained=explains is not None)
            except TimeoutError:
                raise CollectError(
                    "timeout", f"The source did not answer completely within {limits.deadline_s:g} s."
                ) from None
        left -= clock() - started
        if answer.status_code not in _REDIRECTS or "location" not in answer.headers:
            answer.history = hops
            return _accepted(answer, source, full, now, explains, hosts)
        hops.append(answer)
        if hop == limits.redirects:
            break
        target = _redirected(url, answer)
        if _origin(target) != _origin(url):
            headers = [(name, value) for name, value in headers if name.lower().decode("ascii") in _CARRIED]
        url = target
    raise CollectError("redirects", f"The source redirects more than {limits.redirects} times.")


def moved_to(response: httpx.Response) -> str | None:
    """Where what was asked for stands now, if every redirect on the way said that it is so for good; else None."""
    hops = response.history
    return str(response.request.url) if hops and all(hop.status_code in _FOR_GOOD for hop in hops) else None


def body_hash(response: httpx.Response) -> bytes:
    """16 bytes that are the same when the body is the same."""
    return hashlib.blake2b(response.content, digest_size=16).digest()


def validators(response: httpx.Response) -> tuple[str | None, str | None]:
    """(ETag, Last-Modified) as the source wrote them, one character a byte, to be sent back byte for byte."""
    return _validator(response, "etag"), _validator(response, "last-modified")


def _conditions(source: Source) -> Iterator[tuple[bytes, bytes]]:
    if source.etag:
        yield b"If-None-Match", source.etag.encode("latin-1", "ignore")
    if source.last_modified:
        yield b"If-Modified-Since", source.last_modified.encode("latin-1", "ignore")


def _prepared(
    http: httpx.AsyncClient, method: str, url: httpx.URL, headers: list[tuple[bytes, bytes]], content: bytes
) -> httpx.Request:
    """With the client's own headers (User-Agent), an encoding that is decoded here, and no cookies."""
    own = [(name, value) for name, value in headers if name.lower() not in (b"host", b"accept-encoding", b"cookie")]
    request = http.build_request(
        method, url, content=content or None, headers=[*own, (b"Accept-Encoding", b"gzip, deflate")]
    )
    request.headers.pop("cookie", None)
    return request


async def _ask(http: httpx.AsyncClient, request: httpx.Request, limits: Limits, *, explained: bool) -> httpx.Response:
    """One hop. A redirect comes back without its body, and so does a refusal unless it is to be `explained`."""
    try:
        answer = await http.send(request, stream=True, follow_redirects=False)
        try:
            return await _complete(answer, request, limits, explained=explained)
        finally:
            await answer.aclose()
    except httpx.HTTPError as error:
        raise in_words(error) from error


async def _complete(
    answer: httpx.Response, request: httpx.Request, limits: Limits, *, explained: bool
) -> httpx.Response:
    if sum(len(name) + len(value) + 4 for name, value in answer.headers.raw) > limits.header_bytes:
        raise CollectError("too_large", f"The source sent more than {limits.header_bytes // 1024} KiB of headers.")
    wanted = answer.status_code in (200, 203)
    body = b""
    if wanted:
        body = await _body(answer, limits)
    elif explained and answer.status_code not in (*_REDIRECTS, 304):
        body = await _explanation(answer)
    return httpx.Response(
        status_code=200 if wanted else answer.status_code,
        headers=[(name, value) for name, value in answer.headers.raw if name.lower().decode("latin-1") not in _SPENT],
        content=body,
        request=request,
    )


async def _body(answer: httpx.Response, limits: Limits) -> bytes:
    announced = answer.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limits.wire_bytes:
        raise _too_large(limits)
    decoder = _Decoder(_encoding(answer), limits.body_bytes)
    received = 0
    async for part in answer.aiter_raw():
        received += len(part)
        if received > limits.wire_bytes:
            raise _too_large(limits)
        decoder.feed(part)
    return decoder.finish()


async def _explanation(answer: httpx.Response) -> bytes:
    """What comes with a refusal: all of it, or nothing. The status stands, however badly the rest of it comes."""
    small = Limits(wire_bytes=EXPLANATION_LIMIT, body_bytes=EXPLANATION_LIMIT)
    with suppress(CollectError, TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(EXPLANATION_S):
            return await _body(answer, small)
    return b""


class _Decoder:
    """gzip or deflate, never beyond `limit` bytes: zlib is asked for no more than what may still come."""

    def __init__(self, encoding: str, limit: int) -> None:
        self._encoding = encoding
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._stream = zlib.decompressobj(31) if encoding == "gzip" else None
        self._begun = False

    def feed(self, data: bytes) -> None:
        if self._encoding == "identity":
            self._keep(data)
            return
        if not data:
            return
        if self._stream is None:
            self._stream = zlib.decompressobj(15 if _is_zlib(data) else -15)
        self._begun = True
        try:
            while data and self._stream is not None:
                self._keep(self._stream.decompress(data, self._limit - self._size + 1))
                data = self._stream.unconsumed_tail or self._next_member()
        except zlib.error:
            raise CollectError("bad_encoding", "The answer is not compressed as its headers say.") from None

    def finish(self) -> bytes:
        if self._begun and self._stream is not None and not self._stream.eof:
            raise CollectError("bad_encoding", "The compressed answer was cut off.")
        return b"".join(self._parts)

    def _next_member(self) -> bytes:
        """A gzip stream may consist of several; what follows the last and is none is padding."""
        if self._stream is None or not self._stream.eof:
            return b""
        rest = self._stream.unused_data
        if self._encoding == "gzip" and rest.startswith(b"\x1f\x8b"):
            self._stream = zlib.decompressobj(31)
            return rest
        return b""

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            raise CollectError("too_large", f"The answer is larger than {self._limit // 1024**2} MiB when unpacked.")
        self._parts.append(data)


def _is_zlib(data: bytes) -> bool:
    """`deflate` means zlib (RFC 9110), and many servers send the bare stream: RFC 1950 says how to tell."""
    return data[0] & 0x0F == 8 and (len(data) < 2 or int.from_bytes(data[:2], "big") % 31 == 0)


def _encoding(answer: httpx.Response) -> str:
    names = [name.strip().lower() for name in answer.headers.get("content-encoding", "").split(",")]
    names = [name.removeprefix("x-") for name in names if name not in ("", "identity")]
    if len(names) > 1:
        raise CollectError("bad_encoding", "The answer is compressed more than once: refused.")
    if names and names[0] not in ("gzip", "deflate"):
        raise CollectError("bad_encoding", "The answer is compressed in a way that was not asked for.")
    return names[0] if names else "identity"


def _too_large(limits: Limits) -> CollectError:
    return CollectError("too_large", f"The answer is larger than {limits.wire_bytes // 1024**2} MiB.")


def _checked(address: str) -> httpx.URL:
    try:
        return check_url(address)
    except ValueError as error:
        raise CollectError("bad_url", f"This address cannot be asked: {error}.") from None


def _redirected(url: httpx.URL, answer: httpx.Response) -> httpx.URL:
    if answer.request.method != "GET":
        raise CollectError("redirects", "The source redirects a request that may not be repeated elsewhere.")
    location = answer.headers["location"]
    try:
        target = check_url(location if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", location) else str(url.join(location)))
    except (ValueError, httpx.InvalidURL):
        raise CollectError("redirects", "The source redirects to something that is no web address.") from None
    if url.scheme == "https" and target.scheme == "http":
        raise CollectError("redirects", "The source redirects from https to http: refused.")
    return target


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _accepted(
    answer: httpx.Response, source: Source, full: bool, now: datetime | None, explains: Explains | None, hosts: Hosts
) -> httpx.Response:
    status = answer.status_code
    conditional = not full and bool(source.etag or source.last_modified)
    if status == 200 or (status == 304 and conditional):
        answer.headers.encoding = "iso-8859-1"
        return answer
    error = _explained(answer, explains, now) or _plain(answer)
    if error.retry_after_s is None:
        error.retry_after_s = _retry_after_s(answer, now)
    if status == 429 and error.retry_after_s:
        hosts.rest(answer.request.url.host, error.retry_after_s)
    raise Refused(error, status)


def _explained(answer: httpx.Response, explains: Explains | None, now: datetime | None) -> CollectError | None:
    if explains is None or now is None:
        return None
    try:
        return explains.refusal(answer, now)
    except Exception as error:  # noqa: BLE001 - whatever a body made its reader do, the status says enough
        log.warning("the answer with status %d could not be read: %s", answer.status_code, type(error).__name__)
        return None


def _plain(answer: httpx.Response) -> CollectError:
    """In the words of the status."""
    status = answer.status_code
    challenge = answer.headers.get("cf-mitigated", "").lower() == "challenge"
    words = "The source wants a browser (a Cloudflare challenge)." if challenge else _WORDS.get(status)
    if words is None:
        words = "The source has trouble of its own." if status >= 500 else "The source gave an answer that is no use."
    return CollectError(f"http_{status}", f"{words} (HTTP {status})", permanent=status == 410)


def _retry_after_s(answer: httpx.Response, now: datetime | None) -> float | None:
    """Seconds, from seconds or from a date. A date counts from the answer's own date: two clocks need not agree."""
    value = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", value):
        return float(value)
    then, here = _http_date(value), _http_date(answer.headers.get("date", "")) or now
    return max(0.0, (then - here).total_seconds()) if then and here else None


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _validator(response: httpx.Response, name: str) -> str | None:
    values = [value for key, value in response.headers.raw if key.lower().decode("latin-1") == name]
    if not values or not 0 < len(values[-1]) <= VALIDATOR_LIMIT:
        return None
    return values[-1].decode("latin-1")


def in_words(error: httpx.HTTPError) -> CollectError:
    """What went wrong between us and the source, for the operator. Never an address that was resolved."""
    match error:
        case AddressNotAllowed():
            return CollectError(
                "address_not_allowed",
                "This address is not allowed. Only public addresses on usual ports are asked; the operator can allow a "
                "network or a port in the settings.",
            )
        case HostNotFound():
            return CollectError(
                "host_not_found", "The host's name has no address (or name resolution does not work here)."
            )
        case AnswerTooLarge():
            return CollectError("too_large", "The source sent more bytes than any answer may have.")
        case httpx.ConnectTimeout():
            return CollectError("timeout", "No connection to the source could be made in time.")
        case httpx.TimeoutException():
            return CollectError("timeout", "The source did not answer in time.")
        case httpx.ConnectError():
            return _unconnected(error)
        case httpx.RemoteProtocolError():
            return CollectError("bad_http", "The source broke off, or does not speak proper HTTP.")
        case httpx.NetworkError():
            return CollectError("connection_lost", "The connection to the source was lost.")
        case _:
            return CollectError("request_failed", f"The request failed ({type(error).__name__}).")


def _unconnected(error: httpx.ConnectError) -> CollectError:
    match _tls_error(error):
        case ssl.SSLCertVerificationError() as cause:
            return CollectError("tls", f"The source's certificate is not valid: {cause.verify_message}.")
        case ssl.SSLError():
            return CollectError("tls", "No secure connection to the source could be agreed on.")
        case _:
            return CollectError("connect", "No connection to the source could be made.")


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """The reason below a failed connection: httpcore keeps it as the cause, or as the argument of its own error."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return error
        if error.args and isinstance(error.args[0], ssl.SSLError):
            return error.args[0]
        error = error.__cause__ or error.__context__
    return None
