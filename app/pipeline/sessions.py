"""Signing in where a kind of source wants it: the secret goes out once, and what it gave is asked with.

    source | a session that is good for a while? | sign in -> source with its session | ask | refused? sign in once more

Sessions are in memory only: a restart signs in again. A source whose secret or address changed is somebody else.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import httpx

from collectors import COLLECTORS
from collectors.base import CollectError, Explains, SignsIn, Source
from collectors.fetch import Hosts, Limits, Refused, fetch

SPENT = "session_spent"
"""The code by which a kind says that its session is refused, where the status is another than 401."""
GOOD_FOR = 0.9  # of the time that a session is said to last: a visit that begins with it should end with it
LIMITS = Limits(wire_bytes=64 * 1024, body_bytes=64 * 1024)


@dataclass(frozen=True, slots=True)
class _Kept:
    whose: bytes
    token: str
    until: datetime


class Sessions:
    """The sessions of all sources. One source signs in once, however many ask at the same time."""

    def __init__(self, http: httpx.AsyncClient, hosts: Hosts) -> None:
        self.http = http
        self.hosts = hosts
        self._kept: dict[int, _Kept] = {}
        self._signing: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def signed_in(self, source: Source, now: datetime, *, refused: str | None = None) -> Source:
        """The source with its session, if its kind knows any. `refused` is a token that is good no more.

        Raises `CollectError`.
        """
        kind = COLLECTORS[source.kind]
        if not isinstance(kind, SignsIn):
            return source
        whose = hashlib.sha256("\0".join((source.kind, source.url or "", source.secret or "")).encode()).digest()
        async with self._signing[source.id]:
            kept = self._kept.get(source.id)
            if kept is None or kept.whose != whose or kept.until <= now or kept.token == refused:
                self._kept.pop(source.id, None)
                request = kind.sign_in(source)
                if request is None:
                    return source
                kept = self._kept[source.id] = await self._sign_in(kind, source, request, whose, now)
        return replace(source, session=kept.token)

    async def _sign_in(
        self, kind: SignsIn, source: Source, request: httpx.Request, whose: bytes, now: datetime
    ) -> _Kept:
        explains = kind if isinstance(kind, Explains) else None
        try:
            answer = await fetch(
                self.http, request, source, full=True, limits=LIMITS, hosts=self.hosts, now=now, explains=explains
            )
        except CollectError as error:
            raise CollectError(
                error.code,
                f"Signing in did not work: {error.message}",
                permanent=error.permanent,
                retry_after_s=error.retry_after_s,
            ) from error
        try:
            session = kind.signed_in(answer)
        except CollectError as error:
            # Not in its words: they may quote the answer, and a token may stand in it.
            raise CollectError(error.code, "Signing in did not work: the answer cannot be read.") from None
        return _Kept(whose, session.token, now + timedelta(seconds=session.lasts_s * GOOD_FOR))


class Asking:
    """The requests of one visit. They are signed in, once more where the session is refused."""

    def __init__(self, sessions: Sessions, source: Source, now: datetime) -> None:
        self.requests = 0
        self._sessions = sessions
        self._source = source
        self._now = now
        self._renewed = False

    async def ask(self, request: Callable[[Source], httpx.Request], *, full: bool = True) -> httpx.Response:
        """`request` makes it of the source with its session. Raises `CollectError`."""
        self._source = await self._sessions.signed_in(self._source, self._now)
        try:
            return await self._once(request, full=full)
        except CollectError as error:
            spent = self._source.session
            if spent is None or self._renewed or not is_spent(error):
                raise
            self._renewed = True
            self._source = await self._sessions.signed_in(self._source, self._now, refused=spent)
            return await self._once(request, full=full)

    async def _once(self, request: Callable[[Source], httpx.Request], *, full: bool) -> httpx.Response:
        kind = COLLECTORS[self._source.kind]
        asked = request(self._source)
        self.requests += 1
        return await fetch(
            self._sessions.http,
            asked,
            self._source,
            full=full,
            hosts=self._sessions.hosts,
            now=self._now,
            explains=kind if isinstance(kind, Explains) else None,
        )


def is_spent(error: CollectError) -> bool:
    """Whether the source refused the session itself: signing in again may help, once."""
    return error.code == SPENT or (isinstance(error, Refused) and error.status == httpx.codes.UNAUTHORIZED)
