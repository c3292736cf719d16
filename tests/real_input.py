"""Real feeds and recorded answers through the running service. Run by hand: `make real SHARED=../shared`.

    files on loopback (with ETag) > collect, as the service runs it > posts > compared with another parser's reading

This suite needs data that is not part of the project (`shared/data`): feeds with `NAME.expected.json`, and recorded
pages of Algolia's `search_by_date`.
The oracle is sometimes wrong (mojibake, Reddit ids): what differs is printed, to be judged.
"""

import argparse
import asyncio
import hashlib
import json
import sys
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from app.main import make_service
from app.model import Brand
from app.settings import Settings
from app.storage.records import PutBrand, PutSource, StoredPost
from collectors import COLLECTORS
from collectors.base import Query, Source


@contextmanager
def serving(feeds: Path, pages: Sequence[Path]) -> Iterator[str]:
    """The files on a loopback port: feeds by name, recorded search pages by their `page` parameter."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path.endswith("search_by_date"):
                number = int(parse_qs(url.query).get("page", ["0"])[0])
                body = pages[number].read_bytes() if number < len(pages) else b'{"hits": [], "nbPages": 0, "page": 0}'
                kind = "application/json"
            else:
                body, kind = (feeds / url.path.lstrip("/")).read_bytes(), "application/xml"
            tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
            known = self.headers.get("If-None-Match") == tag
            self.send_response(304 if known else 200)
            self.send_header("ETag", tag)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", "0" if known else str(len(body)))
            self.end_headers()
            if not known:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


async def collect(sources: Sequence[Source], settings: Settings) -> dict[str, list[StoredPost]]:
    """Two visits of every source, as the service makes them; the second must find nothing new."""
    moment = datetime.now(UTC)
    async with make_service(settings, clock=lambda: moment) as service:
        service.storage.migrate()
        brand = Brand(0, "all", "All", "the OR a OR de OR google OR react OR new")
        service.storage.apply([PutBrand(brand), *(PutSource(source) for source in sources)], moment)
        first = await service.collect.run()
        print(first)
        moment += timedelta(days=2)
        second = await service.collect.run()
        print(f"again, two days later: {second.posts} new posts, {second.unchanged} of {second.visited} unchanged")
        return {source.slug: service.storage.posts.page([source.slug], limit=5000) for source in sources}


def compare(name: str, stored: Sequence[StoredPost], items: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many of the oracle's items are there, with the same title, link and date. Differences are printed."""
    titles = {plain(one.post.title) for one in stored}
    links = {one.post.url for one in stored}
    dates = {one.post.published_at for one in stored}
    found = {"items": len(items), "stored": len(stored), "title": 0, "link": 0, "date": 0}
    for item in items:
        title, link, date = plain(item.get("title") or ""), item.get("link"), item.get("isoDate")
        same_title = not title or any(title[:60] == one[:60] for one in titles)
        same_link = not link or any(one and link.split("?")[0] in one for one in links) or not link.startswith("http")
        same_date = not date or datetime.fromisoformat(date.replace("Z", "+00:00")) in dates
        found["title"] += same_title
        found["link"] += same_link
        found["date"] += same_date
        if not (same_title and same_link and same_date):
            print(f"  {name}: title {same_title}, link {same_link}, date {same_date}: {title[:60]!r} {link} {date}")
    return found


def keyed(api: Path) -> Iterator[tuple[str, int, int]]:
    """What the kinds with a key read of recorded answers: (name, items recorded, items read)."""
    tape = json.loads((api / "reddit" / "subreddit_search.json").read_text())
    answers = [("reddit", "search", tape["interactions"][1]["response"]["body"]["string"])]
    answers += [("youtube", path.stem, path.read_text()) for path in sorted((api / "youtube").glob("*.json"))]
    answers.append(("github", "search_issues", (api / "github" / "search_issues.txt").read_text().splitlines()[9]))
    for kind, name, answer in answers:
        asked = Source(0, kind, kind, kind, queries=(Query("all", ("the",)),))
        request = httpx.Request("GET", f"https://api.example/{name}")
        page = COLLECTORS[kind].parse(asked, httpx.Response(200, content=answer, request=request))
        told = json.loads(answer)
        items = told["data"]["children"] if kind == "reddit" else told["items"]
        yield f"{kind}/{name}", len(items), len(page.posts) + len(page.cursor.get("videos", ()))


def plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    data = parser.parse_args().shared / "data"
    feeds = sorted(path for path in (data / "feeds").iterdir() if not path.name.endswith(".expected.json"))
    pages = sorted((data / "api" / "hackernews").glob("1.*.json"))
    with serving(data / "feeds", pages) as url, TemporaryDirectory() as folder:
        port = int(url.rsplit(":", 1)[1])
        settings = Settings(data_dir=Path(folder), allow_networks=("127.0.0.0/8",), allow_ports=(port,))
        sources = [
            Source(0, path.stem.lower().replace("_", "-"), path.stem, "rss", f"{url}/{path.name}") for path in feeds
        ]
        hits = [hit for page in pages for hit in json.loads(page.read_text())["hits"]]
        oldest = min(hit["created_at_i"] for hit in hits)
        days = (datetime.now(UTC) - datetime.fromtimestamp(oldest, UTC)).days + 2
        hn = Source(0, "hn", "HN", "hackernews", url, settings={"query": "the", "backfill_days": days})
        stored = asyncio.run(collect([*sources, hn], settings))
        totals: dict[str, int] = {}
        for path, source in zip(feeds, sources, strict=True):
            oracle = path.with_suffix(".expected.json")
            if not oracle.exists():
                print(f"{path.name}: no oracle; {len(stored[source.slug])} posts, as it should be 0")
                continue
            items = json.loads(oracle.read_text(errors="replace"))["feed"]["items"]
            found = compare(path.name, stored[source.slug], items)
            print(f"{path.name}: {found}")
            totals = {key: totals.get(key, 0) + value for key, value in found.items()}
        print(f"feeds: {totals}")
        print(f"hackernews: {len(stored['hn'])} stored of {len({hit['objectID'] for hit in hits})} recorded")
        lost = totals["stored"] < totals["items"]
        for name, recorded, read in keyed(data / "api"):
            print(f"{name}: {read} read of {recorded} recorded")
            lost |= read < recorded
        if lost:
            sys.exit("items are missing")


if __name__ == "__main__":
    main()
