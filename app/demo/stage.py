"""The stage: a fast clock, and the brand, sources and channel of the story."""

import time
from datetime import UTC, datetime, timedelta

from alerts.base import Channel
from app.demo.story import BRAND
from app.model import Brand
from app.storage.records import ConfigChange, PutBrand, PutChannel, PutSource
from collectors.base import Source

SPEED = 60.0
QUERY = 'garzavia OR "garza vía"'
INTERVAL_S = 60


class DemoClock:
    """An instant that moves `speed` times faster than the monotonic clock."""

    def __init__(self, start: datetime, speed: float = SPEED) -> None:
        self._start = start
        self._speed = speed
        self._began = time.monotonic()

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=(time.monotonic() - self._began) * self._speed)


def morning(now: datetime) -> datetime:
    """Eight o'clock (UTC) of the day: when the story begins."""
    return now.astimezone(UTC).replace(hour=8, minute=0, second=0, microsecond=0)


def brand_and_sources(publisher_url: str) -> list[ConfigChange]:
    """What `avizor.toml` would hold: one brand, a feed, a search API and a Slack channel."""
    return [
        PutChannel(Channel(0, "slack-crisis", "Slack #crisis", "slack", secret={"url": f"{publisher_url}/slack"})),
        PutBrand(Brand(0, "garzavia", BRAND, QUERY, time_zone="Europe/Madrid", channels=("slack-crisis",))),
        PutSource(Source(0, "forum", "Foro de viajeros", "rss", f"{publisher_url}/forum.rss", interval_s=INTERVAL_S)),
        PutSource(Source(0, "board", "Tablón", "hackernews", f"{publisher_url}/board", interval_s=INTERVAL_S)),
    ]
