"""The only way out of this wing: one POST, bounded in time and in what it reads, never redirected.

    post(http, url, body, headers, now) -> 2xx: returns | else NotifyError(code, permanent?, retry_after_s, disable?)

No text made here holds the address, a header or what the other side wrote: the operator reads it, and logs keep it.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from alerts.base import NotifyError

TIMEOUT_S = 15.0
MAX_ANSWER = 4096
MAX_URL = 2048
ANSWER_TIMEOUT_S = 2.0
MAX_RETRY_AFTER_S = 600.0


class Refused(NotifyError):
    """The other side answered, and it was no. `status` is the HTTP status, `answer` the first 4 KiB that it wrote.

    `answer` is for the code that knows this kind of channel; it may echo the address and is never shown.
    """

    def __init__(self, error: NotifyError, *, status: int, answer: bytes) -> None:
        super().__init__(
            error.code,
            error.message,
            permanent=error.permanent,
            retry_after_s=error.retry_after_s,
            disable=error.disable,
        )
        self.status = status
        self.answer = answer


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    retry_after: str | None
    body: bytes


async def post(
    http: httpx.AsyncClient,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    now: datetime,
    *,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Send the body; return when it was accepted (2xx), else raise `NotifyError` (`Refused` where there was an answer).

    `timeout_s` bounds everything together: connecting, sending, and the first 4 KiB of the answer. `now` is only used
    to read a Retry-After that is a date.
    """
    try:
        async with asyncio.timeout(timeout_s):
            answer = await _ask(http, url, body, headers, timeout_s)
    except (TimeoutError, httpx.TimeoutException):
        raise NotifyError("timeout", f"no answer within {timeout_s:g} s") from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
        raise NotifyError("bad_url", "the channel's address is not one that can be called", permanent=True) from None
    except httpx.HTTPError as error:
        if _is_refused_address(error):
            message = "the channel's address is not public and not among the allowed networks"
            raise NotifyError("address_not_allowed", message, permanent=True) from None
        raise NotifyError("network", f"the connection failed ({type(error).__name__})") from None
    if not 200 <= answer.status < 300:
        raise Refused(_verdict(answer, now), status=answer.status, answer=answer.body)


async def _ask(http: httpx.AsyncClient, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float) -> _Answer:
    request = http.build_request(
        "POST", url, content=body, headers={"Accept-Encoding": "identity", **headers}, timeout=timeout_s
    )
    response = await http.send(request, stream=True, follow_redirects=False)
    try:
        why = b"" if response.is_success else await _beginning(response)
    finally:
        await response.aclose()
    return _Answer(response.status_code, response.headers.get("retry-after"), why)


async def _beginning(response: httpx.Response) -> bytes:
    """The first 4 KiB as they came over the wire: nothing is decoded, so nothing can swell.

    The status has already decided; an answer whose text drips or breaks off only loses its text.
    """
    read = b""
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            async for chunk in response.aiter_raw(MAX_ANSWER):
                read += chunk
                if len(read) >= MAX_ANSWER:
                    break
    return read[:MAX_ANSWER]


def _verdict(answer: _Answer, now: datetime) -> NotifyError:
    """Which error a status is: 429, 5xx and a few more are worth another try, the rest is not."""
    status, code = answer.status, f"http_{answer.status}"
    if 300 <= status < 400:
        message = f"answered with a redirect ({status}), which is not followed: configure the final address"
        return NotifyError("redirect", message, permanent=True)
    if status in (408, 425, 429) or status >= 500:
        return NotifyError(code, f"answered {status}", retry_after_s=retry_after(answer.retry_after, now))
    return NotifyError(code, f"answered {status}: trying again will not help", permanent=True)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds from a Retry-After header (RFC 9110 10.2.3: seconds or a date), in 0..600; None where it says nothing."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:10]) if len(text) <= 10 else MAX_RETRY_AFTER_S, MAX_RETRY_AFTER_S)
    try:
        then = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    then = then.replace(tzinfo=UTC) if then.tzinfo is None else then
    return min(max(0.0, (then - now).total_seconds()), MAX_RETRY_AFTER_S)


def is_web_address(url: str) -> bool:
    """Whether this is one clear http(s) address with a host: no credentials, spaces, control characters or backslashes.

    Which hosts and ports may be called is the outbound guard's to say, when the connection is made.
    """
    if len(url) > MAX_URL or "\\" in url or not url.isprintable() or any(character.isspace() for character in url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def _is_refused_address(error: BaseException | None) -> bool:
    """Whether the outbound guard said no. It lives in another wing, so it is known by its code, not by its class."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if getattr(error, "code", "") == "address_not_allowed" or type(error).__name__ == "AddressNotAllowed":
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
