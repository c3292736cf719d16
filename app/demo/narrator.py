"""The narrator: watches the real service from outside and says what happens, as it happens."""

import re
import time
from collections.abc import Callable
from datetime import datetime
from html import unescape
from typing import Any

from alerts.incident import Incident
from app.clock import Clock
from app.demo.story import BRAND, CRISIS_AFTER, CRISIS_LASTS
from app.storage import Storage

PATIENCE_S = 240.0
LOOK_EVERY_S = 0.25

Say = Callable[[str], None]


class Slack:
    """What the Slack-shaped receiver was sent, in order."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def receive(self, message: dict[str, Any]) -> None:
        self.messages.append(message)


class Narrator:
    """Tells the story from what storage holds and the receiver heard. `story_began` is by the demo's clock."""

    def __init__(self, storage: Storage, clock: Clock, slack: Slack, story_began: datetime, say: Say) -> None:
        self._storage = storage
        self._clock = clock
        self._slack = slack
        self._story_began = story_began
        self._say = say
        self._began = time.monotonic()
        self._passed_on = 0

    def tell(self, page: str, key: str) -> bool:
        """Follow the story to its end and sum it up. False when the crisis or its end was not told in time."""
        self._step("Two weeks of history are read: a forum's feed, and a Hacker-News-shaped search.")
        ended = self._await(self._history_read) and self._await(self._crisis_begun) and self._await(self._all_told)
        self._sum_up(page, key)
        return ended

    # ── the steps ────────────────────────────────────────────────────────────

    def _history_read(self) -> bool:
        sources = self._storage.sources.all()
        if any(source.first_ok_at is None for source in sources):
            return False
        self._step(f"History stored: {self._counts()}. It teaches what is usual, and never alerts.")
        return True

    def _crisis_begun(self) -> bool:
        if self._clock() < self._story_began + CRISIS_AFTER:
            return False
        self._step(
            f"{BRAND} cancels its morning flights. For {CRISIS_LASTS.seconds // 60} minutes,"
            " four people a minute complain, in two languages."
        )
        return True

    def _all_told(self) -> bool:
        """Pass on what Slack receives, until the incident is over and nothing waits in the outbox."""
        incident = self._incident()
        over = incident is not None and incident.state == "resolved" and not self._storage.deliveries.page(["pending"])
        for message in self._slack.messages[self._passed_on :]:
            self._step("Slack receives the all-clear:" if over else "Slack receives an alert:")
            self._say(_framed(plain(message)))
            self._passed_on += 1
        return over

    def _sum_up(self, page: str, key: str) -> None:
        incident = self._incident()
        self._step("What happened, and where to look:")
        lines = [
            f"collect  {self._counts()}",
            f"         {page}/brands/garzavia",
            f"         curl -H 'Authorization: Bearer {key}' '{page}/api/v1/mentions?brand=garzavia&label=negative'",
            f"watch    {_life(incident)}",
        ]
        if incident:
            lines += [
                f"         {page}/incidents/{incident.id}",
                f"         curl -H 'Authorization: Bearer {key}' {page}/api/v1/incidents/{incident.id}",
            ]
        lines += [
            f"deliver  {len(self._slack.messages)} messages to Slack",
            f"         curl -H 'Authorization: Bearer {key}' {page}/api/v1/deliveries",
            f"sources  {page}/   log in with {key}",
            f"         curl -H 'Authorization: Bearer {key}' {page}/api/v1/sources",
        ]
        self._say("\n".join(lines))

    # ── helpers ──────────────────────────────────────────────────────────────

    def _await(self, happened: Callable[[], bool]) -> bool:
        while time.monotonic() - self._began < PATIENCE_S:
            if happened():
                return True
            time.sleep(LOOK_EVERY_S)
        self._step("This did not happen in time; the log above may say why.")
        return False

    def _step(self, text: str) -> None:
        self._say(f"\n[{time.monotonic() - self._began:5.1f} s, the story's clock {self._clock():%H:%M} UTC] {text}")

    def _counts(self) -> str:
        brand = self._storage.brands.get("garzavia")
        if brand is None:
            return "no brand"
        rows = self._storage.volumes.series(brand.id, self._story_began.replace(year=2000), self._clock(), 3600)
        by_label: dict[str, int] = {}
        for row in rows:
            number = row.stories + row.copies + row.backfill_stories + row.backfill_copies
            by_label[row.label] = by_label.get(row.label, 0) + number
        told = ", ".join(f"{number} {label}" for label, number in sorted(by_label.items()))
        return f"{sum(by_label.values())} mentions ({told})"

    def _incident(self) -> Incident | None:
        return next(iter(self._storage.incidents.page(["garzavia"], None, None, 1)), None)


def _life(incident: Incident | None) -> str:
    if incident is None:
        return "no incident"
    ended = f", resolved {incident.resolved_at:%H:%M} UTC" if incident.resolved_at else ""
    return f"one incident, {incident.severity}, opened {incident.opened_at:%H:%M} UTC{ended}"


def plain(message: dict[str, Any]) -> str:
    """A Block Kit message as a terminal can show it."""
    texts: list[str] = []
    for block in message.get("blocks", []):
        parts = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
        for part in parts:
            text = part.get("text") if isinstance(part, dict) else None
            text = text.get("text") if isinstance(text, dict) else text
            if text:
                texts.append(_unmarked(text))
    return "\n".join(texts) or str(message.get("text", ""))


def _unmarked(text: str) -> str:
    """Slack's mrkdwn links as `label (url)`, its entities as characters."""
    return unescape(re.sub(r"<(https?://[^|>]+)\|([^>]*)>", r"\2 (\1)", text)).replace("*", "")


def _framed(text: str) -> str:
    return "\n".join(f"    │ {line}" for line in text.splitlines())
