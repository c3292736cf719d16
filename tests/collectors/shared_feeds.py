# ruff: noqa: T201 - a report on the terminal
"""By hand, never collected by pytest: the feed readers over real feeds (`shared/data/feeds`, which is not part of this
project).

    .venv/bin/python -m tests.collectors.shared_feeds [FOLDER ...]

For each feed: which reader claimed it, whether both readers give the same Posts, and how many items, titles, links and
dates agree with the folder's oracle (`NAME.expected.json`, another parser's reading; sometimes wrong). Ends with the
time of either reader.
"""

import html
import json
import re
import sys
import time
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from collectors.base import CollectError, Page, Post
from collectors.dates import read_date
from collectors.document import kind_of, read_text, xml_text
from collectors.feed import to_page
from collectors.feed_json import read_json_feed
from collectors.feed_loose import read_loose
from collectors.feed_strict import Unsure, read_strict
from collectors.link import web_link
from collectors.text import title

FOLDERS = (Path("../shared/data/feeds"),)
FEEDS = ("*.rss", "*.atom", "*.xml", "*.rdf", "*.json")


def feeds(folder: Path) -> Iterator[Path]:
    for pattern in FEEDS:
        yield from sorted(path for path in folder.rglob(pattern) if not path.name.endswith(".expected.json"))


def timed(read: Any, text: str, url: str) -> tuple[Page | None, float, str]:
    started = time.process_time()
    try:
        page, why = to_page(read(text), url), ""
    except (Unsure, CollectError) as error:
        page, why = None, str(error)
    return page, time.process_time() - started, why


def letters(text: str) -> str:
    """A title without markup, entity style, spacing and signs: what both parsers must agree on."""
    folded = unicodedata.normalize("NFKC", html.unescape(title(html.unescape(text))))
    return re.sub(r"\W+", " ", folded).strip()


def agreement(posts: tuple[Post, ...], expected: list[dict[str, Any]], url: str) -> tuple[int, int, int]:
    titles = links = dates = 0
    for post, item in zip(posts, expected, strict=False):
        titles += letters(post.title) == letters(item.get("title") or "")
        links += post.url == web_link(item.get("link"), url) or (not item.get("link") and post.url is None)
        claimed = item.get("isoDate")
        dates += (
            datetime.fromisoformat(claimed) if claimed else read_date(item.get("pubDate") or "")
        ) == post.published_at
    return titles, links, dates


def show(path: Path) -> tuple[float, float]:
    url = "http://localhost/" + path.name
    try:
        text = read_text(path.read_bytes())
        if kind_of(text) == "json":
            page, _, why = timed(read_json_feed, text, url)
            print(f"{path.name:34} json    {len(page.posts) if page else why}")
            return 0.0, 0.0
        text = xml_text(text)
    except CollectError as error:
        print(f"{path.name:34} refused {error.code}: {error}")
        return 0.0, 0.0
    own, own_s, why = timed(read_strict, text, url)
    loose, loose_s, failure = timed(read_loose, text, url)
    page = own or loose
    verdict = "own" if own else "feedparser"
    if own and loose and own.posts != loose.posts:
        verdict = "DIFFERS"
    line = f"{path.name:34} {verdict:10} {len(page.posts) if page else failure}"
    oracle = path.with_suffix(".expected.json")
    if page and oracle.exists():
        items = json.loads(oracle.read_text(errors="replace"))["feed"].get("items", [])
        titles, links, dates = agreement(page.posts, items, url)
        line += f" of {len(items)} items, titles {titles}, links {links}, dates {dates}"
    print(line + (f"   ({why})" if why and not own else ""))
    return (own_s, loose_s) if own else (0.0, 0.0)


def main() -> None:
    folders = [Path(name) for name in sys.argv[1:]] or FOLDERS
    times = [show(path) for folder in folders for path in feeds(folder)]
    own_s, loose_s = sum(own for own, _ in times), sum(loose for _, loose in times)
    if own_s:
        print(
            f"claimed feeds: own reader {own_s * 1e3:.0f} ms, feedparser {loose_s * 1e3:.0f} ms, x{loose_s / own_s:.1f}"
        )


if __name__ == "__main__":
    main()
