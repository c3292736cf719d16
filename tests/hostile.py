"""A publisher that behaves as badly as it can, once in each way: `make hostile`, and tests/test_hostile.py in short.

    behaviour | fetch | parse in a child  > a Page, or a CollectError with the code that it must have, within its bounds

Time: the deadline of a fetch and the child's limit. Memory: what a bomb would unpack never comes to be.
"""

import argparse
import asyncio
import gzip
import resource
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from collectors.base import CollectError, Source
from collectors.fetch import LIMITS, Limits, fetch
from collectors.sandbox import Sandbox
from tests.collectors.loopback import Behaviour, Visitor, client, serving

SOURCE = Source(1, "correo", "Correo", "rss", url="https://correo.example/")
FEED = (
    b"<rss version='2.0'><channel><title>Correo</title><item><guid>1</guid><title>Hola</title></item></channel></rss>"
)
MIB = 1024 * 1024
MEMORY_MIB = 160  # what all of it together may add to this process, the bodies that it serves included
SLACK_S = 2.0
PAGE = "page"


def saying(status: str = "200 OK", body: bytes = FEED, *headers: str) -> Behaviour:
    async def behaviour(visitor: Visitor) -> None:
        await visitor.answer(status, body, *headers)

    return behaviour


def raw(*parts: bytes, then: float = 0.0) -> Behaviour:
    """These bytes and nothing else; the connection stays open for `then` seconds."""

    async def behaviour(visitor: Visitor) -> None:
        for part in parts:
            await visitor.send(part)
        await asyncio.sleep(then)

    return behaviour


def endless(part: bytes, start: bytes = b"", pause_s: float = 0.0) -> Behaviour:
    async def behaviour(visitor: Visitor) -> None:
        await visitor.send(start)
        while True:
            await visitor.send(part)
            await asyncio.sleep(pause_s)

    return behaviour


def aborting(part: bytes) -> Behaviour:
    async def behaviour(visitor: Visitor) -> None:
        await visitor.send(part)
        visitor.writer.transport.abort()

    return behaviour


async def forwards(visitor: Visitor) -> None:
    number = int(visitor.path.rpartition("/")[2] or 0)
    await visitor.answer("302 Found", b"", f"Location: /{number + 1}")


async def in_circles(visitor: Visitor) -> None:
    await visitor.answer("301 Moved Permanently", b"", f"Location: {'/a' if visitor.path == '/b' else '/b'}")


async def slowly_elsewhere(visitor: Visitor) -> None:
    await asyncio.sleep(1)
    await visitor.answer("302 Found", b"", "Location: /otra")


def leading_to(target: str) -> Behaviour:
    return saying("302 Found", b"", f"Location: {target}")


def document(inside: bytes, before: bytes = b"") -> Behaviour:
    return saying(
        "200 OK",
        before + b"<rss version='2.0'><channel><title>x</title>" + inside + b"</channel></rss>",
        "Content-Type: application/rss+xml",
    )


def entities(levels: int) -> bytes:
    lines = [b"<!ENTITY a0 'ja'>"]
    for level in range(1, levels):
        lines.append(b"<!ENTITY a%d '" % level + b"&a%d;" % (level - 1) * 10 + b"'>")
    return b"<?xml version='1.0'?><!DOCTYPE rss [" + b"".join(lines) + b"]>"


BOMB = gzip.compress(bytes(16 * MIB)) * 128  # 2 GiB in 2 MiB
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Trick:
    """How it behaves, and the codes that it may end in."""

    behaviour: Behaviour
    codes: tuple[str, ...]
    path: str = "/"
    tls: bool = False


def trick(behaviour: Behaviour, *codes: str, path: str = "/", tls: bool = False) -> Trick:
    return Trick(behaviour, codes, path, tls)


TRICKS: Mapping[str, Trick] = {
    # time
    "silence after the request": trick(raw(then=60), "timeout"),
    "silence after the headers": trick(raw(OK + b"Content-Length: 9\r\n\r\n", then=60), "timeout"),
    "a byte of body now and then": trick(endless(b"x", OK + b"Content-Length: 9000\r\n\r\n", 0.05), "timeout"),
    "a header now and then": trick(endless(b"X: y\r\n", OK, 0.05), "timeout"),
    "half a status line": trick(raw(b"HTTP/1.1 20", then=60), "timeout"),
    "early hints now and then": trick(endless(b"HTTP/1.1 103 Early Hints\r\n\r\n", b"", 0.02), "timeout"),
    "continue now and then": trick(endless(b"HTTP/1.1 100 Continue\r\n\r\n", b"", 0.02), "timeout", "bad_http"),
    "slow redirects": trick(slowly_elsewhere, "timeout", "redirects"),
    "a chunk now and then": trick(endless(b"1\r\nx\r\n", CHUNKED, 0.05), "timeout"),
    "TLS that never shakes hands": trick(raw(then=60), "timeout", tls=True),
    # size
    "a body without end": trick(endless(b"x" * 65_536, OK + b"\r\n"), "too_large"),
    "chunks without end": trick(endless(b"10000\r\n" + b"x" * 65_536 + b"\r\n", CHUNKED), "too_large"),
    "empty chunk extensions without end": trick(
        endless(b"1;" + b"a" * 4096 + b"\r\nx\r\n", CHUNKED), "too_large", "bad_http"
    ),
    "headers without end": trick(endless(b"X-Relleno: " + b"y" * 1000 + b"\r\n", OK), "bad_http", "too_large"),
    "early hints without end": trick(
        endless(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1000), "too_large", "timeout"
    ),
    "10 GB announced": trick(raw(OK + b"Content-Length: 10000000000\r\n\r\n", then=60), "too_large"),
    "5 MiB and a byte": trick(saying("200 OK", b"x" * (5 * MIB + 1)), "too_large"),
    "one header of 66 KB": trick(saying("200 OK", FEED, "X-Relleno: " + "y" * 66_000), "too_large"),
    "10,000 headers": trick(saying("200 OK", FEED, *(f"X-{n}: y" for n in range(10_000))), "too_large", "bad_http"),
    "2 GiB of gzip": trick(saying("200 OK", BOMB, "Content-Encoding: gzip"), "too_large"),
    "64 MiB of deflate": trick(
        saying("200 OK", zlib.compress(bytes(64 * MIB)), "Content-Encoding: deflate"), "too_large"
    ),
    "gzip in gzip": trick(saying("200 OK", gzip.compress(BOMB), "Content-Encoding: gzip, gzip"), "bad_encoding"),
    "gzip in gzip, two headers": trick(
        saying("200 OK", gzip.compress(BOMB), "Content-Encoding: gzip", "Content-Encoding: gzip"), "bad_encoding"
    ),
    # HTTP
    "reset at once": trick(aborting(b""), "bad_http", "connection_lost"),
    "reset among the headers": trick(aborting(OK + b"Content-Le"), "bad_http", "connection_lost"),
    "reset in the body": trick(aborting(OK + b"Content-Length: 900\r\n\r\n<rss>"), "bad_http", "connection_lost"),
    "cut short": trick(raw(OK + b"Content-Length: 100\r\n\r\ncorto"), "bad_http"),
    "cut short in a chunk": trick(raw(CHUNKED + b"64\r\ncorto"), "bad_http"),
    "a chunk size that is none": trick(raw(CHUNKED + b"ZZ\r\nx\r\n"), "bad_http"),
    "a negative chunk size": trick(raw(CHUNKED + b"-1\r\nx\r\n"), "bad_http"),
    "a chunk size beyond 64 bits": trick(raw(CHUNKED + b"F" * 40 + b"\r\nx\r\n"), "bad_http", "too_large"),
    "two lengths": trick(raw(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "bad_http"),
    "a negative length": trick(raw(OK + b"Content-Length: -5\r\n\r\nab"), "bad_http"),
    "a length and chunks": trick(
        raw(OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "bad_http", "not_a_feed"
    ),
    "no HTTP at all": trick(raw(b"220 smtp.correo.example ESMTP\r\n\r\n"), "bad_http"),
    "nothing at all": trick(raw(b""), "bad_http"),
    "a header without a colon": trick(raw(OK + b"Cabecera rara\r\n\r\n"), "bad_http"),
    "a NUL in a header": trick(raw(OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n"), "bad_http", "not_a_feed"),
    "status 999": trick(raw(b"HTTP/1.1 999 Nope\r\nContent-Length: 0\r\n\r\n"), "bad_http", "http_999"),
    "another protocol": trick(
        raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", then=60), "bad_http", "http_101"
    ),
    "plain HTTP where TLS was asked for": trick(
        raw(OK + b"Content-Length: 0\r\n\r\n"), "tls", "connect_failed", tls=True
    ),
    # encodings
    "brotli, unasked": trick(saying("200 OK", FEED, "Content-Encoding: br"), "bad_encoding"),
    "gzip in name only": trick(saying("200 OK", FEED, "Content-Encoding: gzip"), "bad_encoding"),
    "gzip, cut off": trick(saying("200 OK", gzip.compress(FEED)[:-12], "Content-Encoding: gzip"), "bad_encoding"),
    # where it leads
    "redirects in a circle": trick(in_circles, "redirects"),
    "redirects without end": trick(forwards, "redirects", path="/0"),
    "to the cloud's metadata": trick(leading_to("http://169.254.169.254/latest/"), "address_not_allowed"),
    "to a private network": trick(leading_to("http://10.0.0.1/"), "address_not_allowed"),
    "to loopback in other words": trick(leading_to("http://[::ffff:127.0.0.1]:6379/"), "address_not_allowed"),
    "to a port for something else": trick(leading_to("http://93.184.216.34:25/"), "address_not_allowed"),
    "to a file": trick(leading_to("file:///etc/passwd"), "redirects", "http_302"),
    "to a script": trick(leading_to("javascript:alert(1)"), "redirects", "http_302"),
    "to gopher": trick(leading_to("gopher://127.0.0.1:6379/_FLUSHALL"), "redirects", "http_302"),
    "to a name with a password": trick(leading_to("http://correo.example@127.0.0.1/"), "redirects"),
    # statuses
    "an unasked 304": trick(saying("304 Not Modified", b""), "http_304"),
    "nothing to say": trick(raw(b"HTTP/1.1 204 No Content\r\n\r\n"), "http_204"),
    "a part": trick(saying("206 Partial Content", FEED[:20], "Content-Range: bytes 0-19/900"), "http_206"),
    "gone": trick(saying("410 Gone", b""), "http_410"),
    "come back in a century": trick(saying("429 Too Many Requests", b"", "Retry-After: 3153600000"), "http_429"),
    "a challenge for browsers": trick(saying("403 Forbidden", b"", "cf-mitigated: challenge"), "http_403"),
    # documents
    "an empty document": trick(saying("200 OK", b""), "not_a_feed"),
    "a page instead of a feed": trick(saying("200 OK", b"<!doctype html><html><body>hola</body></html>"), "not_a_feed"),
    "a picture": trick(saying("200 OK", b"\x89PNG\r\n\x1a\n" + bytes(4096), "Content-Type: image/png"), "not_a_feed"),
    "a billion laughs": trick(document(b"<item><title>&a9;</title></item>", entities(10)), "entities"),
    "a document of its own entities": trick(
        document(b"<item><title>&x;</title></item>", b"<!DOCTYPE rss [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"),
        "entities",
    ),
    "a parameter entity from elsewhere": trick(
        document(b"<item/>", b"<!DOCTYPE rss [<!ENTITY % x SYSTEM 'http://10.0.0.1/x.dtd'> %x;]>"), "entities"
    ),
    "200,000 tags deep": trick(document(b"<item>" + b"<a>" * 200_000), "hostile", "not_a_feed", PAGE),
    "half a million attributes": trick(
        document(b"<item " + b" ".join(b"a%d='1'" % n for n in range(300_000)) + b"/>"), "hostile", "not_a_feed", PAGE
    ),
    "300,000 comments in a text": trick(
        document(b"<item><title>x</title><description>" + b"&lt;!--" * 300_000), PAGE, "not_a_feed"
    ),
    "3 MB of ampersands": trick(
        document(b"<item><title>x</title><description>" + b"&" * 3_000_000), PAGE, "not_a_feed", "parse_killed"
    ),
    "100,000 items": trick(document(b"<item><title>hola</title></item>" * 100_000), PAGE),
    "JSON 100,000 deep": trick(saying("200 OK", b"[" * 100_000), "hostile", "bad_json", "not_a_feed"),
    "a number of a million digits": trick(
        saying("200 OK", b'{"version": "https://jsonfeed.org/version/1", "items": [' + b"9" * 1_000_000 + b"]}"),
        PAGE,
        "not_a_feed",
    ),
    "text that is no text": trick(
        saying("200 OK", bytes(range(256)) * 4_000, "Content-Type: text/xml; charset=utf-7"), "not_a_feed", "bad_xml"
    ),
}
LONG = ("200,000 tags deep", "300,000 comments in a text", "3 MB of ampersands", "100,000 items")
"""Seconds of work for the child: left to `make hostile`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trick ended, in how many seconds, and by how many MiB this process grew meanwhile."""

    code: str
    seconds: float
    grown_mib: float
    words: str = ""


async def suffer(trick: Trick, sandbox: Sandbox, limits: Limits) -> Outcome:
    """Ask it once, as the collect walk does. Anything but a Page or a `CollectError` rises."""
    began, held = time.monotonic(), _held_mib()
    async with serving(trick.behaviour, until=b"" if trick.tls else b"\r\n\r\n") as server, client(server.port) as http:
        url = server.url(trick.path).replace("http:", "https:" if trick.tls else "http:")
        try:
            response = await fetch(http, httpx.Request("GET", url), SOURCE, full=True, limits=limits)
            await sandbox.parse(SOURCE, response)
            code, words = PAGE, ""
        except CollectError as error:
            code, words = error.code, error.message
    return Outcome(code, time.monotonic() - began, _held_mib() - held, words)


@asynccontextmanager
async def children(timeout_s: float) -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(workers=1, timeout_s=timeout_s)
    await sandbox.start()
    try:
        yield sandbox
    finally:
        await asyncio.to_thread(sandbox.close)


async def suffer_all(tricks: Mapping[str, Trick], limits: Limits, timeout_s: float) -> dict[str, Outcome]:
    """One after the other: memory is measured by the process."""
    async with children(timeout_s) as sandbox:
        return {name: await suffer(trick, sandbox, limits) for name, trick in tricks.items()}


def bad(outcomes: Mapping[str, Outcome], limits: Limits, timeout_s: float) -> dict[str, Outcome]:
    """What did not end as it must: another code, or later than its bounds allow.

    With a shorter deadline than the service's a busy machine may reach it first: that is a typed end, too.
    """
    latest = limits.deadline_s + timeout_s + SLACK_S
    also = ("timeout",) if limits.deadline_s < LIMITS.deadline_s else ()
    return {
        name: outcome
        for name, outcome in outcomes.items()
        if outcome.code not in (*TRICKS[name].codes, *also) or outcome.seconds > latest
    }


def _held_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deadline", type=float, default=LIMITS.deadline_s)
    asked = parser.parse_args()
    limits = Limits(deadline_s=asked.deadline)
    outcomes = asyncio.run(suffer_all(TRICKS, limits, timeout_s=20.0))
    wrong = bad(outcomes, limits, 20.0)
    for name, one in outcomes.items():
        mark = "WRONG" if name in wrong else ""
        print(f"{name:38} {one.code:20} {one.seconds:6.2f} s {one.grown_mib:6.1f} MiB  {mark}")
    grown = sum(one.grown_mib for one in outcomes.values())
    print(f"{len(outcomes)} behaviours, {len(wrong)} wrong, {grown:.0f} MiB more held at the most (bound {MEMORY_MIB})")
    if wrong or grown > MEMORY_MIB:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
