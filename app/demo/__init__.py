"""The demo: the real service on a clock that runs sixty times faster, fed by a publisher on loopback.

    story > publisher (RSS, Hacker-News-shaped JSON) > collect > watch > deliver > a Slack-shaped receiver > terminal

Collectors, scheduler, matching, scorer, storage, detector and notifier are the real ones, unchanged. Only the clock
and the two far ends are ours.
"""

from app.demo.narrator import Narrator, Slack
from app.demo.publisher import Publisher
from app.demo.stage import DemoClock, brand_and_sources, morning

__all__ = ["DemoClock", "Narrator", "Publisher", "Slack", "brand_and_sources", "morning"]
