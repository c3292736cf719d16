"""The collecting wing: one file a kind of source; bytes in, Posts out.

base      the words and the seam                    guard    where anything may connect to
rss       feeds (feed*, document, dates, text, link)  fetch    one bounded answer
search    asking for several terms in turn          sandbox  reading it in a child that can be killed
items     reading an API's list, item by item       due      when to ask again, and how well a source is
stream    following what speaks by itself           atproto  what two kinds know of Bluesky
settings  a kind's own settings, checked            hackernews and the other kinds
"""

from collections.abc import Mapping

from collectors.appstore import AppStore
from collectors.base import Collector, Kind
from collectors.bluesky import Bluesky
from collectors.discourse import Discourse
from collectors.gdelt import Gdelt
from collectors.github import GitHub
from collectors.guardian import Guardian
from collectors.hackernews import HackerNews
from collectors.inbox import Inbox
from collectors.jetstream import Jetstream
from collectors.lemmy import Lemmy
from collectors.mastodon import Mastodon
from collectors.mediawiki import MediaWiki
from collectors.newsapi import NewsApi
from collectors.reddit import Reddit
from collectors.rss import Rss
from collectors.stackexchange import StackExchange
from collectors.stream import Stream
from collectors.wordpress import WordPress
from collectors.x import X
from collectors.youtube import YouTube

COLLECTORS: Mapping[str, Collector] = {
    collector.kind: collector
    for collector in (
        Rss(),
        HackerNews(),
        X(),
        Bluesky(),
        YouTube(),
        Reddit(),
        Mastodon(),
        Lemmy(),
        Discourse(),
        WordPress(),
        StackExchange(),
        GitHub(),
        MediaWiki(),
        AppStore(),
        Guardian(),
        NewsApi(),
        Gdelt(),
    )
}

STREAMS: Mapping[str, Stream] = {Jetstream.kind: Jetstream()}
KINDS: Mapping[str, Kind] = {**COLLECTORS, **STREAMS, Inbox.kind: Inbox()}
