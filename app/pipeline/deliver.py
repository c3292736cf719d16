"""The walk from the outbox to a person.

    claim | render | send  > delivery, attempt

At least once, in order per incident and channel, with the same key on every try. What cannot be delivered becomes a
dead letter, and the dead letter is itself an alarm: it goes through the other channels, in the transaction that
buries it.
"""

import asyncio
import logging
import random
import secrets
import time
from dataclasses import dataclass, replace
from datetime import datetime

import httpx

from alerts import NOTIFIERS, dossier, retry
from alerts.audience import audience
from alerts.base import Alert, Channel, NotifyError
from app.clock import Clock
from app.pipeline.hands import Hands
from app.storage import Storage
from app.storage.records import Delivery, LeaseLost, NewDelivery, Outcome

log = logging.getLogger(__name__)


class NoSuchChannel(LookupError):
    """There is no channel with this slug."""


@dataclass(slots=True)
class DeliverReport:
    """What one walk did, in numbers."""

    tried: int = 0
    delivered: int = 0
    retried: int = 0
    dead: int = 0


class Deliver:
    """The deliver walk. `tick` claims what free hands can carry and returns; `run` tries all that is due."""

    def __init__(
        self, *, storage: Storage, http: httpx.AsyncClient, clock: Clock, owner: str, public_url: str, hands: int = 16
    ) -> None:
        self._storage = storage
        self._http = http
        self._clock = clock
        self._owner = owner
        self._public_url = public_url
        self._hands = Hands(hands)
        self.report = DeliverReport()

    async def tick(self) -> int:
        """Claim as many due deliveries as there are free hands. A slow target holds its own hands, nobody else's."""
        return len(await self._take(self._clock()))

    async def run(self) -> DeliverReport:
        """Try everything that is due, alarms about it too, and wait for the answers. What fails waits for its time."""
        self.report = DeliverReport()
        tried: set[int] = set()
        while (claimed := await self._take(self._clock())) - tried:
            tried |= claimed
            await self._hands.rest()
        await self._hands.rest()
        return self.report

    async def stop(self) -> None:
        """Let what is on its way arrive: a send is bounded to 15 s, and its answer is worth waiting for."""
        await self._hands.rest()

    async def attempt(self, delivery: Delivery) -> None:
        """One try: send, and write down how it went."""
        self.report.tried += 1
        began = time.monotonic()
        alert, error = read_alert(delivery)
        if not delivery.channel.enabled:
            error = NotifyError("channel_off", "the channel has been switched off or removed since", permanent=True)
        elif alert:
            error = await self._send(delivery.channel, alert)
        duration_ms = round((time.monotonic() - began) * 1000)
        try:
            await asyncio.to_thread(self._finish, delivery, alert, error, duration_ms, self._clock())
        except LeaseLost:
            log.warning("delivery %s: its lease ended before the answer came, another worker has it now", delivery.key)

    async def test(self, slug: str) -> None:
        """Send a marked test through one channel, now. Raises `NoSuchChannel`; `NotifyError` if it did not arrive."""
        channel = await asyncio.to_thread(self._storage.channels.get, slug)
        if channel is None:
            raise NoSuchChannel(slug)
        key = f"test.{secrets.token_hex(8)}.{slug}"
        error = await self._send(channel, dossier.test_alert(channel, key, self._clock(), self._public_url))
        if error:
            raise error

    async def _take(self, now: datetime) -> set[int]:
        if self._hands.free <= 0:
            return set()
        claimed = await asyncio.to_thread(self._storage.deliveries.claim, now, self._hands.free, self._owner)
        for delivery in claimed:
            self._hands.take(self.attempt(delivery))
        return {delivery.id for delivery in claimed}

    async def _send(self, channel: Channel, alert: Alert) -> NotifyError | None:
        try:
            notifier = NOTIFIERS[channel.kind]
            await notifier.send(channel, alert, notifier.render(alert), self._http, self._clock())
        except NotifyError as error:
            return error
        except Exception as bug:
            log.exception("an alert could not be made for channel %s", channel.slug)
            return NotifyError("internal", f"the alert could not be made: {type(bug).__name__}")
        return None

    def _finish(
        self, delivery: Delivery, alert: Alert | None, error: NotifyError | None, duration_ms: int, now: datetime
    ) -> None:
        outcome = outcome_of(delivery, error, duration_ms, now, random.random())  # noqa: S311 - jitter
        extra = self._alarms(delivery, alert, outcome, now) if error else []
        self._storage.deliveries.finish(delivery.id, self._owner, outcome, now, extra)
        self.report.delivered += outcome.state == "delivered"
        self.report.retried += outcome.state == "pending"
        self.report.dead += outcome.state == "dead"
        if error:
            log.warning("delivery %s, try %d: %s", delivery.key, delivery.attempts + 1, error)

    def _alarms(self, delivery: Delivery, alert: Alert | None, outcome: Outcome, now: datetime) -> list[NewDelivery]:
        """The failure told through other channels: when it is final, and once when it drags on.

        The brand's own channels are told what failed. Where it has no other, those of other brands are told that
        something did, and not what: they may belong to other people.
        """
        tries = delivery.attempts + 1
        final = outcome.state == "dead"
        if delivery.action == "system" or not (final or retry.needs_fallback(tries, delivery.created_at, now)):
            return []
        others = [c for c in self._storage.channels.all() if c.enabled and c.id != delivery.channel.id]
        brand = self._storage.brands.get(alert.brand) if alert else None
        own = audience(others, brand.channels) if brand else []
        key = f"{delivery.key}.dead{tries}" if final else f"{delivery.key}.stuck"
        try:
            return [_alarm(delivery, alert if own else None, other, outcome, key, now) for other in own or others]
        except Exception:
            # What could not be said could not be told either: the alarm must not fail for the same reason.
            log.exception("delivery %s: its alarm says only that there is something to look at", delivery.key)
            return [_alarm(delivery, None, other, outcome, key, now) for other in own or others]


def read_alert(delivery: Delivery) -> tuple[Alert | None, NotifyError | None]:
    """The alert as it was put into the outbox; or why nobody can read it, which is the end of it, and seen."""
    try:
        alert = dossier.from_json(delivery.alert)
    except Exception:
        log.exception("delivery %s cannot be read", delivery.key)
        return None, NotifyError("unreadable", "the stored alert cannot be read", permanent=True)
    return replace(alert, repeat=delivery.attempts > 0 or delivery.uncertain), None


def _alarm(
    delivery: Delivery, alert: Alert | None, other: Channel, outcome: Outcome, key: str, now: datetime
) -> NewDelivery:
    alarm = dossier.undelivered_alert(
        alert,
        key=f"{key}.{other.slug}",
        failed_channel=delivery.channel.name,
        error=outcome.error or "",
        channel=other,
        now=now,
        is_final=outcome.state == "dead",
    )
    return NewDelivery(key=alarm.key, channel_id=other.id, action="system", alert=dossier.to_json(alarm))


def outcome_of(
    delivery: Delivery, error: NotifyError | None, duration_ms: int, now: datetime, jitter: float
) -> Outcome:
    """What this answer means for the delivery. Pure; `jitter` is in 0..1."""
    if error is None:
        return Outcome("delivered", duration_ms)
    then = None
    if not error.permanent:
        then = retry.next_attempt(delivery.attempts + 1, delivery.created_at, now, error.retry_after_s, jitter)
    return Outcome(
        state="pending" if then else "dead",
        duration_ms=duration_ms,
        next_attempt_at=then,
        error=f"{error.code}: {error.message}",
        disable_channel=error.message if error.disable else None,
    )
