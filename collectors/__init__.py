"""The collecting wing: one file a kind of source; bytes in, Posts out.

base      the words and the seam                    guard    where anything may connect to
rss       feeds (feed*, document, dates, text, link)  fetch    one bounded answer
search    asking for several terms in turn          sandbox  reading it in a child that can be killed
items     reading an API's list, item by item       due      when to ask again, and how well a source is
settings  a kind's own settings, checked            hackernews and the other kinds
"""

from collections.abc import Mapping

from collectors.base import Collector, Kind
from collectors.hackernews import HackerNews
from collectors.inbox import Inbox
from collectors.rss import Rss

COLLECTORS: Mapping[str, Collector] = {collector.kind: collector for collector in (Rss(), HackerNews())}

STREAMS: Mapping[str, Kind] = {}
KINDS: Mapping[str, Kind] = {**COLLECTORS, **STREAMS, Inbox.kind: Inbox()}
