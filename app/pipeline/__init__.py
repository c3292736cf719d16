"""The walks. Each starts at a table and ends at one; each may crash, be repeated, or be run by hand.

    collect  due sources | request | fetch | parse | clamp | match | language | score | story
                                                              > posts, mentions, volumes, the source's cursor and health
    hear     provisional mentions | score | restate          > mentions, volumes, the brand's revision
    watch    volumes + coverage | detect | advance | dossier  > verdict, incident, event, deliveries
    deliver  claim | render | send                            > delivery, attempt

The line after `>` is one transaction. What stands between two walks is a table, so nothing is handed over in memory: a
walk that dies half way has changed nothing, and the next one finds the work still due.

Deciding is pure and lives below (`collectors`, `alerts`, `query`, `sentiment`); the walks only carry.
"""

from app.pipeline.collect import Collect, CollectReport
from app.pipeline.deliver import Deliver, DeliverReport
from app.pipeline.hear import Hear, HearReport
from app.pipeline.watch import Watch, WatchReport

__all__ = ["Collect", "CollectReport", "Deliver", "DeliverReport", "Hear", "HearReport", "Watch", "WatchReport"]
