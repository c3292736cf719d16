"""The walks. Each starts at a table and ends at one; each may crash, be repeated, or be run by hand.

    collect  due sources | request | fetch | parse | clamp | match | language | score | story
                                                              > posts, mentions, volumes, the source's cursor and health
    follow   streams due | connect | messages | match | language | score | story
                                                              > posts, mentions, withdrawals, volumes, cursor and health
    subscribe  hubs due | ask them to push; pushes           > subscriptions, due times of the sources that were pushed
    revisit  mentions due | ask by id | parse                > their counts, versions, withdrawals, next look
    hear     provisional mentions | score | restate          > mentions, volumes, the brand's revision
    watch    volumes + coverage | detect | advance | dossier  > verdict, incident, event, deliveries
    tend     sources that are not heard | what was told of them | grouped
                                                              > deliveries, what was told
    deliver  claim | render | send                            > delivery, attempt

The line after `>` is one transaction. What stands between two walks is a table, so nothing is handed over in memory: a
walk that dies half way has changed nothing, and the next one finds the work still due.

Deciding is pure and lives below (`collectors`, `alerts`, `query`, `sentiment`); the walks only carry.
"""

from app.pipeline.collect import Collect, CollectReport
from app.pipeline.deliver import Deliver, DeliverReport
from app.pipeline.follow import Follow
from app.pipeline.hear import Hear, HearReport
from app.pipeline.revisit import Revisit, RevisitReport
from app.pipeline.subscribe import Subscribe
from app.pipeline.tend import Tend, TendReport
from app.pipeline.watch import Watch, WatchReport

__all__ = [
    "Collect",
    "CollectReport",
    "Deliver",
    "DeliverReport",
    "Follow",
    "Hear",
    "HearReport",
    "Revisit",
    "RevisitReport",
    "Subscribe",
    "Tend",
    "TendReport",
    "Watch",
    "WatchReport",
]
