"""One answer, whole and bounded, or an error in words: against a server that behaves as badly as it is told."""

import asyncio
import gzip
import json
import resource
import time
import zlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import pytest

from collectors import guard
from collectors.base import CollectError, Source
from collectors.fetch import Hosts, Limits, Refused, body_hash, fetch, moved_to, validators
from tests.collectors.loopback import Behaviour, Server, Visitor, client, serving

SOURCE = Source(1, "correo", "Correo", "rss", url="https://correo.example/")
FEED = b"<rss version='2.0'><channel><title>Correo</title></channel></rss>"
SHORT = Limits(deadline_s=0.4)
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
MIB = 1024 * 1024
AT_ONCE = partial(Hosts, gap_s=0)


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def fetched(
    behaviour: Behaviour,
    *,
    source: Source = SOURCE,
    path: str = "/",
    request: httpx.Request | None = None,
    **kwargs: Any,
) -> tuple[httpx.Response, Server]:
    async def work() -> tuple[httpx.Response, Server]:
        async with serving(behaviour) as server, client(server.port) as http:
            asked = httpx.Request("GET", server.url(path), headers=request.headers if request else None)
            return await fetch(http, asked, source, **{"hosts": AT_ONCE(), **kwargs}), server

    return asyncio.run(work())


def refused(behaviour: Behaviour, **kwargs: Any) -> CollectError:
    with pytest.raises(CollectError) as error:
        fetched(behaviour, **kwargs)
    return error.value


def saying(status: str = "200 OK", body: bytes = FEED, *headers: str) -> Behaviour:
    async def behaviour(visitor: Visitor) -> None:
        await visitor.answer(status, body, *headers)

    return behaviour


# ── a friendly server ────────────────────────────────────────────────────────


def test_it_brings_the_whole_answer_and_where_it_came_from() -> None:
    answer, server = fetched(saying("200 OK", FEED, "Content-Type: text/xml"), path="/portada.xml")
    assert (answer.status_code, answer.content) == (200, FEED)
    assert str(answer.url) == server.url("/portada.xml")
    assert answer.headers["content-type"] == "text/xml"


def test_it_says_who_asks_and_offers_only_what_it_decodes() -> None:
    _, server = fetched(saying(), request=httpx.Request("GET", "http://x/", headers={"Accept": "application/rss+xml"}))
    (visitor,) = server.visitors
    assert visitor.header("user-agent") == b"Avizor/0 (+ops@example.org)"
    assert visitor.header("accept-encoding") == b"gzip, deflate"
    assert visitor.header("accept") == b"application/rss+xml"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(FEED)),
        ("x-gzip", gzip.compress(FEED)),
        ("GZIP", gzip.compress(FEED[:20]) + gzip.compress(FEED[20:])),
        ("gzip", gzip.compress(FEED) + b"\0\0padding"),
        ("deflate", zlib.compress(FEED)),
        ("deflate", zlib.compress(FEED, wbits=-15)),
        ("identity", FEED),
    ],
)
def test_it_unpacks_what_it_asked_for(encoding: str, body: bytes) -> None:
    answer, _ = fetched(saying("200 OK", body, f"Content-Encoding: {encoding}"))
    assert answer.content == FEED
    assert "content-encoding" not in answer.headers


def test_chunks_and_bodies_without_a_length_are_read_to_their_end() -> None:
    async def chunked(visitor: Visitor) -> None:
        await visitor.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in (FEED[:10], FEED[10:]):
            await visitor.send(b"%x\r\n%s\r\n" % (len(part), part))
        await visitor.send(b"0\r\n\r\n")

    async def until_closed(visitor: Visitor) -> None:
        await visitor.send(b"HTTP/1.1 200 OK\r\n\r\n" + FEED)

    for behaviour in (chunked, until_closed):
        assert fetched(behaviour)[0].content == FEED


def test_the_validators_go_back_byte_for_byte() -> None:
    etag, modified = 'W/"ñ-\xff"', "Sun, 22 Nov 2026 10:00:00 GMT+0 (raro)"

    async def behaviour(visitor: Visitor) -> None:
        if visitor.header("if-none-match") == etag.encode("latin-1"):
            await visitor.answer("304 Not Modified")
        else:
            await visitor.answer("200 OK", FEED, f"ETag: {etag}", f"Last-Modified: {modified}")

    answer, _ = fetched(behaviour)
    assert validators(answer) == (etag, modified)
    assert (answer.headers["etag"], answer.headers["last-modified"]) == (etag, modified)
    known = replace(SOURCE, etag=etag, last_modified=modified)
    again, server = fetched(behaviour, source=known)
    assert again.status_code == 304
    assert server.visitors[0].header("if-modified-since") == modified.encode()
    assert fetched(behaviour, source=known, full=True)[0].status_code == 200


def test_a_304_that_nobody_asked_for_is_an_error() -> None:
    assert refused(saying("304 Not Modified", b"")).code == "http_304"


def test_the_same_body_has_the_same_hash() -> None:
    one, two = httpx.Response(200, content=FEED), httpx.Response(200, content=FEED + b" ")
    assert body_hash(one) == body_hash(httpx.Response(200, content=FEED))
    assert body_hash(one) != body_hash(two)
    assert len(body_hash(one)) == 16


# ── what a status means ──────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [204, 206, 400, 401, 403, 404, 410, 429, 500, 503])
def test_a_status_that_brings_nothing_is_an_error_in_words(status: int) -> None:
    error = refused(saying(f"{status} X", b"" if status == 204 else b"secreto"))
    assert error.code == f"http_{status}"
    assert str(status) in error.message
    assert "secreto" not in error.message
    assert error.permanent == (status == 410)


def test_a_cloudflare_challenge_is_named() -> None:
    assert "Cloudflare" in refused(saying("403 Forbidden", b"<html>", "cf-mitigated: challenge")).message


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (("Retry-After: 120",), 120),
        (("Retry-After: Sun, 22 Nov 2026 10:05:00 GMT", "Date: Sun, 22 Nov 2026 10:00:00 GMT"), 300),
        (("Retry-After: Sun, 22 Nov 2026 10:05:00 GMT",), 300),
        (("Retry-After: Sun, 22 Nov 2026 09:00:00 GMT",), 0),
        (("Retry-After: luego",), None),
        (("Retry-After: -5",), None),
        ((), None),
    ],
)
def test_it_passes_on_when_to_come_back(headers: tuple[str, ...], expected: float | None) -> None:
    assert refused(saying("429 Slow down", b"", *headers), now=NOW).retry_after_s == expected


# ── a refusal in the words of its kind ───────────────────────────────────────


@dataclass
class Api:
    """A kind whose refusals are JSON: {"error": ..., "wait": ...}."""

    seen: list[bytes] = field(default_factory=list)

    def refusal(self, response: httpx.Response, now: datetime) -> CollectError | None:
        self.seen.append(response.content)
        if not response.content:
            return None
        said = json.loads(response.content)
        return CollectError(said["error"], "The API wants a pause.", retry_after_s=said.get("wait"))


THROTTLED = json.dumps({"error": "throttled", "wait": 90}).encode()


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        ("400 Bad Request", (), THROTTLED),
        ("429 Slow down", ("Retry-After: 5",), THROTTLED),
        ("503 X", ("Content-Encoding: gzip",), gzip.compress(THROTTLED)),
    ],
)
def test_a_kind_may_say_what_a_refusal_means(status: str, headers: tuple[str, ...], body: bytes) -> None:
    error = refused(saying(status, body, *headers), explains=Api(), now=NOW)
    assert (error.code, error.message, error.retry_after_s) == ("throttled", "The API wants a pause.", 90)


def test_where_a_refusal_does_not_say_when_the_header_does() -> None:
    body = json.dumps({"error": "throttled"}).encode()
    assert refused(saying("429 X", body, "Retry-After: 5"), explains=Api(), now=NOW).retry_after_s == 5


async def dripped_refusal(visitor: Visitor) -> None:
    await visitor.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 60\r\n\r\n")
    await asyncio.sleep(60)


@pytest.mark.parametrize(
    "behaviour",
    [
        saying("403 Forbidden", b"{"),
        saying("403 Forbidden", b"[" * 60_000),
        saying("403 Forbidden", b'"' + b"x" * 65_536 + b'"'),
        saying("403 Forbidden", gzip.compress(bytes(10 * MIB)), "Content-Encoding: gzip"),
        saying("403 Forbidden", b"plain", "Content-Encoding: gzip"),
        saying("403 Forbidden", gzip.compress(gzip.compress(THROTTLED)), "Content-Encoding: gzip, gzip"),
        dripped_refusal,
    ],
)
def test_a_refusal_that_cannot_be_read_costs_its_words_only(
    behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collectors.fetch.EXPLANATION_S", 0.3)
    api = Api()
    error = refused(behaviour, explains=api, now=NOW)
    assert (error.code, error.message) == ("http_403", "The source forbids access. (HTTP 403)")
    assert all(len(body) <= 65_536 for body in api.seen)


def test_a_refusal_says_its_status_whatever_its_code() -> None:
    error = refused(saying("401 X", THROTTLED), explains=Api(), now=NOW)
    assert isinstance(error, Refused)
    assert (error.code, error.status) == ("throttled", 401)


# ── a request with a body ────────────────────────────────────────────────────


async def echo(visitor: Visitor) -> None:
    length = int(visitor.header("content-length") or 0)
    await visitor.answer("200 OK", visitor.head.split(b" ")[0] + b" " + await visitor.reader.readexactly(length))


def posted(behaviour: Behaviour, source: Source = SOURCE) -> tuple[httpx.Response, Server]:
    async def work() -> tuple[httpx.Response, Server]:
        async with serving(behaviour) as server, client(server.port) as http:
            request = httpx.Request("POST", server.url("/0"), json={"password": "muy secreto"})
            return await fetch(http, request, source, hosts=AT_ONCE()), server

    return asyncio.run(work())


def test_what_is_posted_arrives_once_and_whole() -> None:
    answer, server = posted(echo, replace(SOURCE, etag='"1"'))
    assert answer.content == b'POST {"password":"muy secreto"}'
    (visitor,) = server.visitors
    assert visitor.header("content-type") == b"application/json"
    assert visitor.header("if-none-match") is None


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_what_is_posted_is_never_repeated_elsewhere(status: str) -> None:
    visitors: list[Visitor] = []

    async def behaviour(visitor: Visitor) -> None:
        visitors.append(visitor)
        await visitor.answer(status, b"", "Location: /1")

    with pytest.raises(CollectError) as error:
        posted(behaviour)
    assert error.value.code == "redirects"
    assert len(visitors) == 1


# ── redirects ────────────────────────────────────────────────────────────────


def redirecting(*targets: str, status: str = "302 Found") -> Behaviour:
    """`/0` leads to the first target, `/1` to the second, and so on; everything else is the feed."""

    async def behaviour(visitor: Visitor) -> None:
        step = visitor.path.strip("/")
        if step.isdigit() and int(step) < len(targets):
            await visitor.answer(status, b"", f"Location: {targets[int(step)]}")
        else:
            await visitor.answer("200 OK", FEED)

    return behaviour


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_it_follows_redirects_by_hand(status: str) -> None:
    answer, server = fetched(redirecting("/1", "feed.xml?a=1", status=status), path="/0")
    assert answer.content == FEED
    assert str(answer.url) == server.url("/feed.xml?a=1")


def test_it_follows_five_redirects_and_no_sixth() -> None:
    assert fetched(redirecting("/1", "/2", "/3", "/4", "/fin"), path="/0")[0].content == FEED
    error = refused(redirecting("/1", "/2", "/3", "/4", "/5", "/fin"), path="/0")
    assert error.code == "redirects"
    assert refused(redirecting("/0"), path="/0").code == "redirects"


@pytest.mark.parametrize(
    ("statuses", "for_good"),
    [
        (("301 Moved",), True),
        (("301 Moved", "308 Permanent"), True),
        (("301 Moved", "302 Found"), False),
        (("307 Temporary", "301 Moved"), False),
        ((), False),
    ],
)
def test_it_has_moved_for_good_where_every_redirect_says_so(statuses: tuple[str, ...], for_good: bool) -> None:
    async def behaviour(visitor: Visitor) -> None:
        step = int(visitor.path.strip("/"))
        if step < len(statuses):
            await visitor.answer(statuses[step], b"", f"Location: /{step + 1}")
        else:
            await visitor.answer("200 OK", FEED)

    answer, server = fetched(behaviour, path="/0")
    assert moved_to(answer) == (server.url(f"/{len(statuses)}") if for_good else None)


@pytest.mark.parametrize(
    "target",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "//10.0.0.1/",
        "http://127.0.0.1:22/",
    ],
)
def test_a_redirect_to_an_address_that_is_not_public_goes_nowhere(target: str) -> None:
    error = refused(redirecting(target), path="/0")
    assert error.code == "address_not_allowed"
    assert not any(part in error.message for part in ("10.0.0.1", "169.254", "::1", "22"))


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "http://169.254.169.254\\@correo.example/",
        "http://a:b@correo.example/",
        "javascript:alert(1)",
        "http://",
        "data:text/xml,<rss/>",
        "http://correo.example:99999/",
    ],
)
def test_a_redirect_to_no_web_address_is_an_error(target: str) -> None:
    assert refused(redirecting(target), path="/0").code in ("redirects", "http_302")


def test_the_control_a_redirect_to_an_allowed_address_arrives() -> None:
    async def work() -> None:
        async with (
            serving(saying()) as there,
            serving(redirecting(there.url("/feed"))) as here,
            client(here.port, there.port) as http,
        ):
            answer = await fetch(http, httpx.Request("GET", here.url("/0")), SOURCE)
            assert answer.content == FEED
            assert there.connections == 1

    run(work)


def test_it_never_goes_back_from_https_to_http() -> None:
    moved = httpx.MockTransport(lambda request: httpx.Response(301, headers={"Location": "http://correo.example/"}))

    async def work() -> None:
        async with httpx.AsyncClient(transport=moved) as http:
            with pytest.raises(CollectError) as error:
                await fetch(http, httpx.Request("GET", "https://correo.example/"), SOURCE)
            assert error.value.code == "redirects"

    run(work)


def test_no_credential_crosses_to_another_origin() -> None:
    async def work() -> None:
        async with (
            serving(saying()) as there,
            serving(redirecting("/1", there.url("/feed"))) as here,
            client(here.port, there.port) as http,
        ):
            headers = {"Authorization": "Bearer secreto", "X-Api-Key": "secreto", "Accept": "text/xml"}
            source = replace(SOURCE, etag='"1"')
            await fetch(http, httpx.Request("GET", here.url("/0"), headers=headers), source)
            assert here.visitors[1].header("authorization") == b"Bearer secreto"
            assert b"secreto" not in there.visitors[0].head
            assert there.visitors[0].header("accept") == b"text/xml"
            assert there.visitors[0].header("if-none-match") == b'"1"'

    run(work)


# ── a hostile server ─────────────────────────────────────────────────────────


async def drip(visitor: Visitor) -> None:
    await visitor.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        await visitor.send(b"x")
        await asyncio.sleep(0.05)


async def slow_headers(visitor: Visitor) -> None:
    await visitor.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await visitor.send(b"X: y\r\n")
        await asyncio.sleep(0.05)


async def silence(visitor: Visitor) -> None:
    await asyncio.sleep(60)


async def slow_hints(visitor: Visitor) -> None:
    while True:
        await visitor.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await asyncio.sleep(0.02)


async def slow_redirects(visitor: Visitor) -> None:
    await asyncio.sleep(0.15)
    await visitor.answer("302 Found", b"", "Location: /otra")


@pytest.mark.parametrize("behaviour", [drip, slow_headers, silence, slow_hints, slow_redirects])
def test_nothing_lasts_longer_than_the_deadline(behaviour: Behaviour) -> None:
    before = time.monotonic()
    assert refused(behaviour, limits=SHORT).code == "timeout"
    assert time.monotonic() - before < 3


async def endless_headers(visitor: Visitor) -> None:
    await visitor.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await visitor.send(b"X-Relleno: " + b"y" * 1000 + b"\r\n")


async def endless_body(visitor: Visitor) -> None:
    await visitor.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await visitor.send(b"x" * 65_536)


async def endless_chunks(visitor: Visitor) -> None:
    await visitor.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await visitor.send(b"10000\r\n" + b"x" * 65_536 + b"\r\n")


async def reset(visitor: Visitor) -> None:
    visitor.writer.transport.abort()


ZEROS = gzip.compress(bytes(16 * MIB))
BOMB = ZEROS * 128  # 2 GiB in 2 MiB
STACKED = gzip.compress(BOMB)  # 2 GiB in a few KiB


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (endless_headers, "bad_http"),
        (endless_body, "too_large"),
        (endless_chunks, "too_large"),
        (reset, "bad_http"),
        (saying("200 OK", FEED, "X-Relleno: " + "y" * 66_000), "too_large"),
        (saying("200 OK", b"x" * (5 * MIB + 1)), "too_large"),
        (saying("200 OK", BOMB, "Content-Encoding: gzip"), "too_large"),
        (saying("200 OK", zlib.compress(bytes(64 * MIB)), "Content-Encoding: deflate"), "too_large"),
        (saying("200 OK", STACKED, "Content-Encoding: gzip, gzip"), "bad_encoding"),
        (saying("200 OK", STACKED, "Content-Encoding: gzip", "Content-Encoding: gzip"), "bad_encoding"),
        (saying("200 OK", FEED, "Content-Encoding: br"), "bad_encoding"),
        (saying("200 OK", FEED, "Content-Encoding: gzip"), "bad_encoding"),
        (saying("200 OK", gzip.compress(FEED)[:-12], "Content-Encoding: gzip"), "bad_encoding"),
    ],
)
def test_every_kind_of_trouble_ends_in_its_own_error(behaviour: Behaviour, code: str) -> None:
    assert refused(behaviour, limits=Limits(deadline_s=5)).code == code


def test_hints_without_end_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "ANSWER_LIMIT", 200_000)

    async def endless_hints(visitor: Visitor) -> None:
        while True:
            await visitor.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1000)

    assert refused(endless_hints, limits=Limits(deadline_s=5)).code == "too_large"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncorto",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nx\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"hola\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nCabecera rara\r\n\r\n",
        b"",
    ],
)
def test_broken_http_is_an_error_in_words(raw: bytes) -> None:
    async def behaviour(visitor: Visitor) -> None:
        await visitor.send(raw)

    assert refused(behaviour, limits=SHORT).code == "bad_http"


def test_a_bomb_of_a_few_kilobytes_costs_no_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(STACKED) < 16 * 1024
    assert refused(saying("200 OK", BOMB, "Content-Encoding: gzip")).code == "too_large"
    assert refused(saying("200 OK", STACKED, "Content-Encoding: gzip, gzip")).code == "bad_encoding"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB


def test_an_announced_size_is_refused_before_it_comes() -> None:
    async def behaviour(visitor: Visitor) -> None:
        await visitor.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        await asyncio.sleep(60)

    assert refused(behaviour, limits=SHORT).code == "too_large"


def test_a_host_that_is_not_there_is_an_error_in_words() -> None:
    async def work() -> None:
        async with client(1) as http:
            for url, code in (
                ("http://127.0.0.1:1/", "connect"),
                ("http://no-such-host.invalid/", "host_not_found"),
                ("http://10.0.0.1/", "address_not_allowed"),
                ("http://user:geheim@correo.example/", "bad_url"),
            ):
                with pytest.raises(CollectError) as error:
                    await fetch(http, httpx.Request("GET", url), SOURCE)
                assert error.value.code == code
                assert "geheim" not in error.value.message

    run(work)


def test_a_server_without_tls_is_an_error_in_words() -> None:
    async def work() -> None:
        async def nonsense(visitor: Visitor) -> None:
            await visitor.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        async with serving(nonsense, until=b"") as server, client(server.port) as http:
            with pytest.raises(CollectError) as error:
                await fetch(http, httpx.Request("GET", server.url().replace("http:", "https:")), SOURCE)
            assert error.value.code == "tls"

    run(work)


# ── politeness ───────────────────────────────────────────────────────────────


def test_a_host_is_asked_twice_at_once_and_not_more() -> None:
    at_once = most = 0

    async def work() -> None:
        nonlocal at_once, most
        two_are_here = asyncio.Event()

        async def behaviour(visitor: Visitor) -> None:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            if at_once == 2:
                two_are_here.set()
            await two_are_here.wait()
            at_once -= 1
            await visitor.answer("200 OK", FEED)

        async with serving(behaviour) as server, client(server.port) as http:
            hosts = Hosts(at_once=2, gap_s=0)
            requests = [httpx.Request("GET", server.url(f"/{n}")) for n in range(8)]
            answers = await asyncio.gather(*(fetch(http, request, SOURCE, hosts=hosts) for request in requests))
        assert [answer.content for answer in answers] == [FEED] * 8
        assert hosts._slots == {}

    run(work)
    assert most == 2


def test_requests_to_one_host_begin_a_gap_apart_and_to_others_at_once() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        hosts = Hosts(at_once=9, gap_s=0.1)
        began: dict[str, list[float]] = {"a": [], "b": []}

        async def ask(host: str) -> None:
            async with hosts.slot(host):
                began[host].append(loop.time())

        start = loop.time()
        await asyncio.gather(*(ask(host) for host in "aabba"))
        await ask("a")
        assert [round(at - start, 1) for at in began["a"]] == [0.0, 0.1, 0.2, 0.3]
        assert [round(at - start, 1) for at in began["b"]] == [0.0, 0.1]

    run(work)


def test_only_hosts_whose_turn_is_yet_to_come_are_remembered() -> None:
    async def work() -> None:
        hosts = Hosts(gap_s=0.001)
        for number in range(3_000):
            async with hosts.slot(f"h{number}"):
                pass
        assert len(hosts._next) <= 1_001

    run(work)


def test_a_host_that_asks_for_a_rest_is_left_alone_by_all_its_sources() -> None:
    async def work() -> None:
        hosts = AT_ONCE()
        async with (
            serving(saying("429 Slow down", b"", "Retry-After: 120")) as tired,
            serving(saying()) as other,
            client(tired.port, other.port) as http,
        ):
            for code in ("http_429", "host_resting", "host_resting"):
                with pytest.raises(CollectError) as error:
                    await fetch(http, httpx.Request("GET", tired.url()), SOURCE, hosts=hosts)
                assert error.value.code == code
                assert 118 < (error.value.retry_after_s or 0) <= 120
            assert tired.connections == 1
            elsewhere = other.url(host="localhost")
            assert (await fetch(http, httpx.Request("GET", elsewhere), SOURCE, hosts=hosts)).content == FEED

    run(work)


@pytest.mark.parametrize("answer", [saying("429 X"), saying("503 X", b"", "Retry-After: 120"), saying("404 X")])
def test_only_a_host_that_says_for_how_long_it_is_asked_too_often_rests(answer: Behaviour) -> None:
    async def work() -> None:
        hosts = AT_ONCE()
        async with serving(answer) as server, client(server.port) as http:
            for _ in range(2):
                with pytest.raises(Refused):
                    await fetch(http, httpx.Request("GET", server.url()), SOURCE, hosts=hosts)

    run(work)


def test_a_rest_ends_by_itself_and_lasts_a_day_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        hosts = AT_ONCE()
        now = loop.time()
        monkeypatch.setattr(loop, "time", lambda: now)
        hosts.rest("a", 10**9)
        with pytest.raises(CollectError):
            async with hosts.slot("a"):
                pass
        monkeypatch.setattr(loop, "time", lambda: now + 86_401)
        async with hosts.slot("a"):
            pass
        assert hosts._rests == {}

    run(work)


def test_waiting_for_a_slow_neighbour_does_not_use_up_the_deadline() -> None:
    async def work() -> None:
        async def behaviour(visitor: Visitor) -> None:
            await asyncio.sleep(0.25)
            await visitor.answer("200 OK", FEED)

        async with serving(behaviour) as server, client(server.port) as http:
            hosts = Hosts(at_once=1, gap_s=0)
            requests = [httpx.Request("GET", server.url()) for _ in range(3)]
            answers = await asyncio.gather(
                *(fetch(http, request, SOURCE, hosts=hosts, limits=SHORT) for request in requests)
            )
            assert len(answers) == 3

    run(work)
