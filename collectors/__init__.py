"""The collecting wing: one file a kind of source; bytes in, Posts out.

base      the words and the seam                    guard    where anything may connect to
rss       feeds (feed*, document, dates, text, link)  fetch    one bounded answer
hackernews                                          sandbox  reading it in a child that can be killed
                                                    due      when to ask again, and how well a source is
"""

from collections.abc import Mapping

from collectors.base import Collector
from collectors.hackernews import HackerNews
from collectors.rss import Rss

COLLECTORS: Mapping[str, Collector] = {collector.kind: collector for collector in (Rss(), HackerNews())}
