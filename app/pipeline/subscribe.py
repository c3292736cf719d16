"""The walk that asks hubs to say when a feed has something new: WebSub, https://www.w3.org/TR/websub/.

    pushes that came (`api.websub`)       > their sources are due now, once a minute at most
    subscriptions due | ask the hub       > asked; the hub comes back and is verified or refused (`api.websub`)

A push makes its source due and is otherwise thrown away. So there is one way in, the collect walk, with its bounds, its
killable parser and its identities; what a hub sends cannot put words into a publisher's mouth; and a push that is lost,
forged or sent twice costs a visit, never a mention.

A hub is trusted from its first signed push on: the feed is then asked at its slowest, and never less. A visit that
nobody called for and that brings something new shows a hub that is silent: it has to push once more to be trusted.

Feeds are written by strangers, and so is the address of the hub in them. Networks that the operator allows are only
open to a hub on the feed's own host: a feed out there cannot make us post into the house.
"""

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode, urlsplit

import httpx

from app.clock import Clock
from app.pipeline.hands import Hands
from app.pipeline.visit import Visit
from app.storage import Storage
from app.storage.records import Stored
from app.storage.subscriptions import Hub, Subscription, ToAsk
from collectors.base import CollectError, Source
from collectors.due import address
from collectors.fetch import Hosts, Limits, Refused, fetch
from collectors.guard import check_url

log = logging.getLogger(__name__)

CALLBACKS = "/api/v1/websub"
LEASE = timedelta(days=10)  # asked for
LONGEST_LEASE = timedelta(days=30)
RENEW_AT = 0.75  # of the lease
RENEW_AFTER = timedelta(hours=1)  # at the earliest: who gives less than that is asked no more often
HANDS = 4
LIMITS = Limits(wire_bytes=64 * 1024, body_bytes=64 * 1024)  # nothing of the answer is read


class Subscribe:
    """The subscribe walk. `tick` wakes the sources of pushes and claims what free hands can carry; `run` waits."""

    def __init__(
        self,
        *,
        storage: Storage,
        http: httpx.AsyncClient,
        outside: httpx.AsyncClient,
        hosts: Hosts,
        clock: Clock,
        public_url: str,
    ) -> None:
        """`outside` reaches public addresses alone, `http` also what the operator allows."""
        self._storage = storage
        self._http = http
        self._outside = outside
        self._hosts = hosts
        self._clock = clock
        self._callbacks = f"{public_url}{CALLBACKS}"
        self._hands = Hands(HANDS)

    async def tick(self) -> int:
        """Returns how many hubs are being asked now; does not wait for them."""
        now = self._clock()
        await asyncio.to_thread(self._storage.subscriptions.wake, now)
        if self._hands.free <= 0:
            return 0
        due = await asyncio.to_thread(self._storage.subscriptions.claim, now, self._hands.free)
        for one in due:
            self._hands.take(self._ask(one, now))
        return len(due)

    async def run(self) -> None:
        """Ask every hub that is due, and wait for it."""
        while await self.tick():
            await self._hands.rest()

    async def stop(self) -> None:
        await self._hands.drop()

    async def _ask(self, due: ToAsk, now: datetime) -> None:
        subscription, source = due.subscription, due.source
        inside = urlsplit(subscription.hub).hostname == urlsplit(address(source) or "").hostname
        try:
            await fetch(
                self._http if inside else self._outside,
                question(subscription, self._callbacks, leave=due.leave),
                source,
                limits=LIMITS,
                hosts=self._hosts,
                now=now,
            )
        except CollectError as error:
            if isinstance(error, Refused) and 200 <= error.status < 300:  # 202 as a rule: it comes back when it can
                return
            log.warning("source %s: its hub could not be asked: %s: %s", source.slug, error.code, error.message)
            wait = timedelta(seconds=min(error.retry_after_s, LEASE.total_seconds())) if error.retry_after_s else None
            later = now + max(wait, RENEW_AFTER) if wait else None
            told = f"{error.code}: {error.message}"
            await asyncio.to_thread(self._storage.subscriptions.refuse, source.id, told, again_at=later)


def question(subscription: Subscription, callbacks: str, *, leave: bool) -> httpx.Request:
    """The form that a hub is asked with (5.1 of the specification). Raises `CollectError`."""
    form = {
        "hub.mode": "unsubscribe" if leave else "subscribe",
        "hub.topic": subscription.topic,
        "hub.callback": f"{callbacks}/{subscription.token}",
    }
    if not leave:
        form |= {"hub.lease_seconds": str(int(LEASE.total_seconds())), "hub.secret": subscription.secret}
    try:
        url = check_url(subscription.hub)
    except ValueError as error:
        raise CollectError("bad_url", f"This hub cannot be asked: {error}.") from None
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return httpx.Request("POST", url, content=urlencode(form), headers=headers)


def lease_of(text: str, now: datetime) -> tuple[datetime, datetime]:
    """(until when, when to renew) for the `hub.lease_seconds` of a verification.

    A lease that cannot be read is taken for a day's, and none for longer than 30 days.
    """
    plain = text.strip()
    seconds = int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 10 else 0
    lease = min(timedelta(seconds=seconds), LONGEST_LEASE) if seconds else timedelta(days=1)
    return now + lease, now + max(lease * RENEW_AT, RENEW_AFTER)


def trusted(subscription: Subscription | None, now: datetime) -> bool:
    """It has pushed, and has promised to go on."""
    if subscription is None or subscription.state != "verified" or subscription.lease_until is None:
        return False
    return subscription.pushed_at is not None and now < subscription.lease_until


def kept_silent(subscription: Subscription | None, source: Source, now: datetime) -> bool:
    """Whether something new that this visit brought should have been pushed: nobody called for the visit."""
    if subscription is None or not trusted(subscription, now) or source.last_ok_at is None:
        return False
    called = [at for at in (subscription.pushed_at, subscription.woken_at) if at is not None]
    return max(called) <= source.last_ok_at


def note_hubs(
    storage: Storage, visits: Sequence[tuple[Visit, Stored | None]], known: Mapping[int, Subscription]
) -> None:
    """Write down which hubs these visits found named, and which of those `known` kept silent."""
    named: dict[int, tuple[Hub | None, str, str]] = {}
    silent: list[int] = []
    for visit, stored in visits:
        hub = known.get(visit.source.id)
        if stored is None:
            continue
        if not visit.unchanged and visit.hub != (hub and (hub.hub, hub.topic)):
            named[visit.source.id] = (visit.hub, secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        if stored.posts and kept_silent(hub, visit.source, visit.at):
            log.warning("source %s: its hub did not push what is new: not relied on any more", visit.source.slug)
            silent.append(visit.source.id)
    if named:
        storage.subscriptions.name(named, visits[0][0].at)
    if silent:
        storage.subscriptions.distrust(silent)
