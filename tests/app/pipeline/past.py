"""A brand's days as they were lived: posts stored as the collect walk stores them, judged by the real watch walk."""

import hashlib
from datetime import timedelta
from random import Random

from app.model import Brand, Label, Sentiment
from app.pipeline import Watch
from app.storage import Storage
from app.storage.records import CollectBatch, CollectedPost, PutBrand, PutSource
from collectors.base import Post, Source
from tests.app.pipeline.far_end import HandClock

BIN = timedelta(minutes=5)
CHANCES: dict[Label, tuple[float, float, float] | None] = {
    "negative": (0.8, 0.15, 0.05),
    "neutral": (0.1, 0.8, 0.1),
    "positive": (0.05, 0.15, 0.8),
    "unknown": None,
}
WRONGS = ("la mesa llegó rota", "nadie contesta", "cobraron dos veces", "huele a quemado", "falta la mitad del pedido")


class Past:
    """One brand, one source that is asked every five minutes. Everything is drawn from one seed."""

    def __init__(self, storage: Storage, clock: HandClock, slug: str = "aurora", seed: int = 1) -> None:
        self.clock = clock
        self.slug = slug
        self.random = Random(seed)
        self.number = 0
        self.move_to(storage)
        source = Source(0, "barrio", "Barrio", "rss", "https://barrio.example/f", interval_s=86_400)
        brand = Brand(0, slug, slug.title(), slug, time_zone="Europe/Madrid")
        storage.apply([PutSource(source), PutBrand(brand)], clock.now)
        found = storage.brands.get(slug)
        assert found
        self.brand = found

    @classmethod
    def of(cls, storage: Storage, clock: HandClock, brand: Brand) -> "Past":
        """What was lived before, to go on with."""
        past = cls.__new__(cls)
        past.clock, past.slug, past.brand = clock, brand.slug, brand
        past.random, past.number = Random(2), 1_000_000
        past.move_to(storage)
        return past

    def move_to(self, storage: Storage) -> None:
        """A restart: nothing is known but what is stored."""
        self.storage = storage
        self.watch = Watch(storage=storage, clock=self.clock, public_url="http://avizor.example")

    def item(
        self,
        label: Label,
        age: timedelta = timedelta(seconds=30),
        *,
        text: str | None = None,
        site: str | None = None,
        author: str | None = None,
        story: str | None = None,
        backfill: bool = False,
        grave: tuple[str, ...] = (),
    ) -> CollectedPost:
        self.number += 1
        at = self.clock.now - age
        site = site or f"sitio{self.number % 7}.example"
        text = text or f"{self.slug} nota {self.number}: {self.random.choice(WRONGS)}"
        key = f"{self.slug}-{self.number}"
        post = Post(key, "", text, f"https://{site}/{key}", author or f"persona {self.number}", at)
        chances = CHANCES[label]
        score = None if chances is None else round(chances[2] - chances[0], 3)
        return CollectedPost(
            dedupe_key=digest(key),
            post=post,
            site=site,
            language="es",
            published_at=at,
            claimed_at=at,
            text_hash=digest(story or key),
            backfill=backfill,
            sentiments={self.brand.id: Sentiment(label, score, "test/1", "es", 0.9, chances)},
            grave=grave,
        )

    def store(self, *items: CollectedPost) -> None:
        """The source was asked, and this is what it had."""
        now = self.clock.now
        self.storage.sources.poll_now("barrio", now)
        (claimed,) = self.storage.sources.claim_due(now, 1, "test")
        due = now + timedelta(days=1)
        self.storage.posts.store(CollectBatch(claimed.id, "test", items, (), {}, None, None, None, due, None), now)

    def history(self, days: int = 12) -> None:
        """Ordinary days, read when the source was first asked."""
        items = []
        for hour in range(1, days * 24):
            age = timedelta(hours=hour, minutes=self.random.randrange(60))
            items += [self.item("neutral", age, backfill=True) for _ in range(self.random.randrange(4))]
            if not hour % 8:
                items.append(self.item("negative", age, backfill=True))
        self.store(*items)

    def chatter(self) -> list[CollectedPost]:
        """What is said in five minutes of an ordinary day."""
        labels: tuple[Label, ...] = ("neutral", "positive", "unknown", "negative")
        said = []
        for label, chance in zip(labels, (0.12, 0.05, 0.03, 0.01), strict=True):
            if self.random.random() < chance:
                said.append(self.item(label, timedelta(seconds=self.random.randrange(20, 280))))
        return said

    def passes(self, times: int = 1, *, hear: bool = True) -> None:
        """Five minutes, and five more: the source is asked (unless it is dead), then the brand is judged."""
        for _ in range(times):
            self.clock.now += BIN
            if hear:
                self.store(*self.chatter())
            self.watch.run()

    def complains(self, number: int, **fields: str) -> None:
        """So many people complain within a few minutes."""
        ages = (timedelta(seconds=self.random.randrange(20, 200)) for _ in range(number))
        self.store(*(self.item("negative", age, **fields) for age in ages))


def eventful_day(past: Past, restarted: Storage) -> None:
    """A crisis with late posts, taken and closed by a person, that flares up again; a wire; an outage; a grave word."""
    past.history()
    past.passes(7)
    past.complains(6)
    past.passes(2)
    past.complains(9)
    past.passes(1)
    past.store(*(past.item("negative", timedelta(minutes=40 + i)) for i in range(4)))
    past.clock.now += timedelta(minutes=1)
    past.watch.run()  # late posts: judged again before the next bin closes
    past.clock.now -= timedelta(minutes=1)
    past.passes(2)
    (running,) = [one for one in past.storage.incidents.current(past.brand.id) if one.cause == "negative"]
    past.clock.now += timedelta(seconds=70)
    past.watch.by_hand(running.id, "acknowledge", "ana")
    past.passes(2)
    past.watch.by_hand(running.id, "resolve", "ana", "Ya está aclarado")
    past.passes(5)
    past.complains(12)  # it flares up after a person closed it
    past.passes(1)
    past.move_to(restarted)
    past.passes(2)
    past.store(*(past.item("neutral", site=f"diario{i}.example", story="un teletipo") for i in range(14)))
    past.passes(4)
    past.clock.now += timedelta(minutes=50)  # down: nobody watches, and nothing is asked
    past.store(*(past.item("negative", timedelta(minutes=5 * i)) for i in range(5)))
    past.passes(6)
    past.passes(2, hear=False)
    past.store(past.item("negative", grave=("intoxicación",), text="Intoxicación por un producto de aurora"))
    past.passes(2)
    past.store(*(past.item("negative", grave=("intoxicación",)) for _ in range(5)))
    past.passes(4)


def digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
