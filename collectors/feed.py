"""The words between a feed's reader and its Posts, and the one way from the former to the latter.

    Feed of Items (what the document says, in its own words)
      | newest 500 | identity | link | title, text | date | language  -> Page of Posts

Every reader (our own, feedparser, JSON) ends here, so that a Post does not depend on who read the document.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urljoin

from lxml import etree

from collectors.base import Page, Post, Reject
from collectors.dates import read_date
from collectors.link import URL_LIMIT, web_link
from collectors.text import AUTHOR_LIMIT, body, clean, one_line, title

ITEMS_PER_FETCH = 500
ID_LIMIT = 512
SAMPLE_LIMIT = 65_536
HINT_LIMIT_S = 7 * 24 * 3600
HTML_TYPES = frozenset(("html", "text/html", "xhtml", "application/xhtml+xml"))

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")

# What reading one bad item can raise. Anything else is a bug of ours and fails the document.
_BROKEN = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, etree.LxmlError)

_PERIODS_S = {
    "minutely": 60, "hourly": 3600, "daily": 86_400, "dayly": 86_400, "weekly": 7 * 86_400, "monthly": 30 * 86_400,
    "yearly": 365 * 86_400,
}  # fmt: skip
_LANGUAGES = {
    "spa": "es", "spanish": "es", "español": "es", "castellano": "es", "eng": "en", "english": "en", "por": "pt",
    "portuguese": "pt", "português": "pt", "fra": "fr", "fre": "fr", "french": "fr", "français": "fr", "ita": "it",
    "italian": "it", "deu": "de", "ger": "de", "german": "de", "deutsch": "de", "cat": "ca", "glg": "gl", "eus": "eu",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Markup:
    """A field as it stood in the document. `html`: declared to be HTML; otherwise nobody knows."""

    value: str = ""
    html: bool = False


@dataclass(slots=True)
class Item:
    """One item in the document's own words: nothing resolved, cleaned or cut.

    `links` are the candidates for its page, the best first. `origin` is the true link that a feed proxy kept beside its
    own. `dates` are the best first; `moment` is the reader's own reading of them. `publisher` is set for aggregators'
    items.
    """

    guid: str = ""
    links: Sequence[str] = ()
    origin: str = ""
    title: Markup = Markup()
    texts: Sequence[Markup] = ()
    author: str = ""
    publisher: str = ""
    dates: Sequence[str] = ()
    moment: datetime | None = None
    language: str = ""


@dataclass(slots=True)
class Feed:
    """A feed in its own words. `ttl` is in minutes, `period` and `frequency` are those of the syndication module.

    `links` are (relation, address) of the feed itself.
    """

    title: Markup = Markup()
    language: str = ""
    items: Sequence[Item] = ()
    ttl: str = ""
    period: str = ""
    frequency: str = ""
    links: Sequence[tuple[str, str]] = ()
    rejects: Sequence[Reject] = ()


def web_candidates(links: list[tuple[str, str, str]]) -> list[str]:
    """Addresses of the item's own page, the best first, out of (relation, media type, address)."""
    pages = [address for relation, kind, address in links if relation == "alternate" and address and kind in HTML_TYPES]
    return pages or [address for relation, _, address in links if relation == "alternate" and address]


def candidates(contents: Sequence[Markup], summary: Markup) -> Sequence[Markup]:
    """The texts of an item; an excerpt that is only the content again is left out."""
    repeated = not summary.value or any(summary.value == content.value for content in contents)
    return contents if repeated else [*contents, summary]


def is_aggregated(links: list[str]) -> bool:
    """Google News names the publisher in `source` and again at the end of the title."""
    return bool(links) and links[0].startswith(("https://news.google.com/", "http://news.google.com/"))


def person(author: str) -> str:
    """The name in `mail@host (Name)` or `Name (mail@host)`; the address where there is no name."""
    found = _EMAIL.search(author)
    if found is None:
        return author
    name = author.replace(found.group(), " ").replace("<", " ").replace(">", " ").replace("(", " ").replace(")", " ")
    return " ".join(name.split()) or found.group()


def to_page(feed: Feed, url: str) -> Page:
    """Posts in the document's order. `url` is where the document came from, after redirects."""
    dated = [(item, date_of(item)) for item in feed.items]
    kept = newest(dated)
    tell = Names(feed.items)
    posts: list[Post] = []
    rejects = list(feed.rejects)
    for item, moment in kept:
        try:
            post = _post(item, moment, feed, url, tell)
        except _BROKEN as error:
            rejects.append(Reject(f"{type(error).__name__}: {error}"[:200], _sample(item)))
        else:
            if post is None:
                rejects.append(Reject("an item without title, text, link or id", _sample(item)))
            else:
                posts.append(post)
    return Page(
        posts=tuple(posts),
        rejects=tuple(rejects),
        title=title(feed.title.value, html=feed.title.html) or None,
        interval_hint_s=interval_hint_s(feed),
        truncated=len(dated) - len(kept),
        hub=hub_of(feed.links, url),
    )


def newest(dated: Sequence[tuple[Item, datetime | None]]) -> Sequence[tuple[Item, datetime | None]]:
    """At most 500 items: the newest if all have dates, otherwise the first (feeds put the newest first)."""
    if len(dated) <= ITEMS_PER_FETCH:
        return dated
    moments = [moment for _, moment in dated if moment is not None]
    if len(moments) < len(dated):
        return dated[:ITEMS_PER_FETCH]
    by_age = sorted(range(len(dated)), key=lambda position: moments[position], reverse=True)
    return [dated[position] for position in sorted(by_age[:ITEMS_PER_FETCH])]


def date_of(item: Item) -> datetime | None:
    for text in item.dates:
        if moment := read_date(text):
            return moment
    return item.moment


class Names:
    """What tells the items of one document apart: the GUID; if it repeats, the link too; if both do, also the words.

    Never the position: a feed that shifts by one item would give every item a new name, and each copy would count as
    spread. Items that agree in all of this are one post. An item without a GUID goes by its link, one without either by
    its words.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        pairs = [(_guid(item), _address(item)) for item in items]
        self._guids = Counter(guid for guid, _ in pairs)
        self._pairs = Counter(pairs)

    def name(self, item: Item, url: str | None, words: str) -> str:
        guid, address = _guid(item), _address(item)
        if not guid and not address:
            return _short(words)
        name = guid or url or address
        if guid and self._guids[guid] > 1 and address:
            name = f"{name} {url or address}"
        if self._pairs[guid, address] > 1:
            name = f"{name} {_short(words)}"
        return name if len(name) <= ID_LIMIT else _short(name)


def language_code(*claims: str) -> str | None:
    """The first claim that is a language, as two letters: `es-ES`, `en_us` and `spa` are es, en, es."""
    for claim in claims:
        code = re.split(r"[-_ ,;]", claim.strip().lower(), maxsplit=1)[0]
        code = _LANGUAGES.get(code, code)
        if len(code) == 2 and code.isascii() and code.isalpha():
            return code
    return None


def interval_hint_s(feed: Feed) -> int | None:
    """How often the publisher wants to be asked: `ttl`, else `sy:updatePeriod` over `sy:updateFrequency`.

    Real values hold white space, `dayly`, `always`, and frequencies of 0.1: what cannot be read is no wish.
    """
    wish = _number(feed.ttl) * 60
    if not wish:
        wish = _PERIODS_S.get(feed.period.strip().lower(), 0) / (_number(feed.frequency) or 1)
    return min(int(wish), HINT_LIMIT_S) if wish >= 1 else None


def hub_of(links: Iterable[tuple[str, str]], url: str) -> tuple[str, str] | None:
    """(hub, topic) as in https://www.w3.org/TR/websub/#discovery: the first of each, of several hubs one with https.

    A topic goes back to the hub letter by letter. A feed that does not say what it is called goes by its address.
    """
    absolute = [(relation.lower(), _absolute(url, address)) for relation, address in links]
    hubs = sorted((address for relation, address in absolute if relation == "hub" and address), key=_is_plain)
    topic = next((address for relation, address in absolute if relation == "self" and address), url)
    return (hubs[0], topic) if hubs else None


def _is_plain(address: str) -> bool:
    return not address.startswith("https://")


def _absolute(url: str, address: str) -> str:
    """Empty for what is no web address, or one too long."""
    address = clean(address, URL_LIMIT + 1).strip()
    try:
        found = urljoin(url, address)
    except ValueError:
        return ""
    return found if address and found.startswith(("http://", "https://")) and len(found) <= URL_LIMIT else ""


def _post(item: Item, moment: datetime | None, feed: Feed, url: str, tell: Names) -> Post | None:
    link = next((link for raw in item.links if (link := web_link(raw, url))), None)
    if link is None and item.guid.startswith(("http://", "https://")):
        link = web_link(item.guid, url)
    heading = title(item.title.value, html=item.title.html)
    text = longest(item.texts)
    publisher = one_line(item.publisher, AUTHOR_LIMIT)
    if publisher:
        heading = heading.removesuffix(f" - {publisher}")
    if not (heading or text or link or item.guid.strip()):
        return None
    identity = web_link(item.origin, url) or link
    return Post(
        id=tell.name(item, identity, f"{heading}\n{text}"),
        title=heading,
        text=text,
        url=link,
        author=one_line(person(item.author), AUTHOR_LIMIT) or publisher or None,
        published_at=moment,
        language=language_code(item.language, feed.language),
    )


def longest(texts: Sequence[Markup]) -> str:
    """Feeds carry an excerpt and the whole: the one that says most, whatever its field is called."""
    best = ""
    for markup in sorted(texts, key=lambda candidate: len(candidate.value), reverse=True):
        if len(markup.value) <= len(best):
            break  # taking markup out never makes a text longer
        text = body(markup.value, html=markup.html)
        if len(text) > len(best):
            best = text
    return best


def _guid(item: Item) -> str:
    return item.guid if item.guid.isascii() and item.guid.isprintable() else clean(item.guid, 4 * ID_LIMIT)


def _address(item: Item) -> str:
    return item.origin or next((link for link in item.links if link), "")


def _short(words: str) -> str:
    return f"blake2b:{hashlib.blake2b(words.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"


def _number(text: str) -> float:
    """A finite number above 0, else 0."""
    try:
        number = float(text.strip() or 0)
    except ValueError:
        return 0.0
    return number if 0 < number < 1e9 else 0.0


def _sample(item: Item) -> str:
    first = next((markup.value for markup in item.texts if markup.value), "")
    parts = (item.guid, *item.links[:1], item.title.value, first)
    return clean("\n".join(part[:SAMPLE_LIMIT] for part in parts if part), SAMPLE_LIMIT)


def utc(parsed: Sequence[int] | None) -> datetime | None:
    """A UTC 9-tuple of the `time` module as an instant."""
    if parsed is None:
        return None
    try:
        year, month, day, hour, minute, second = parsed[:6]
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
