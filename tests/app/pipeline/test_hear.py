"""What was heard in haste is heard again with care, and counted where it belongs from then on."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from app.model import Brand, Label, Language, Mention, MentionFilter, Sentiment
from app.pipeline import Hear, Watch
from app.pipeline import hear as room
from app.pipeline.digest import Digest, Watched, keyed
from app.storage import Storage
from app.storage.records import CollectBatch, PutBrand, PutSource
from collectors.base import Post, Source
from tests.app.pipeline.far_end import HandClock, languages

ODDS: dict[Label, tuple[float, float, float]] = {
    "negative": (0.8, 0.15, 0.05),
    "neutral": (0.1, 0.8, 0.1),
    "positive": (0.05, 0.15, 0.8),
}


class ByWord:
    """A scorer at the far end: says what `words` say of a text, else neutral, and remembers what it was asked."""

    def __init__(self, words: dict[str, Label], scorer_id: str = "careful/1", *, provisional: bool = False) -> None:
        self.id = scorer_id
        self._words = words
        self._provisional = provisional
        self.asked: list[list[tuple[str, Language]]] = []

    def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        self.asked.append(list(zip(texts, languages, strict=True)))
        return [self._score(text, language) for text, language in self.asked[-1]]

    def _score(self, text: str, language: Language) -> Sentiment:
        label = next((label for word, label in self._words.items() if word in text), "neutral")
        odds = ODDS[label]
        sentiment = Sentiment(label, odds[2] - odds[0], self.id, language.code, language.confidence, odds)
        return replace(sentiment, provisional=self._provisional)


class House:
    """Posts about brands go in by the real digest, heard in haste: everything is neutral."""

    def __init__(self, storage: Storage, clock: HandClock) -> None:
        self.storage = storage
        self.clock = clock
        storage.apply([PutBrand(Brand(0, slug, slug.title(), slug)) for slug in ("aurora", "brezo")], clock.now)
        storage.apply(
            [PutSource(Source(0, "barrio", "Barrio", "rss", "https://b.example/f", language="es"))], clock.now
        )
        self.hasty = ByWord({}, "hasty/1", provisional=True)
        watched = Watched.compile(storage.brands.all())
        self._digest = Digest(watched, languages(), self.hasty)

    def says(self, *posts: Post) -> None:
        now = self.clock.now
        self.storage.sources.poll_now("barrio", now)
        (source,) = self.storage.sources.claim_due(now, 1, "test")
        rows = self._digest.rows(replace(source, first_ok_at=now - timedelta(days=3)), keyed("b", posts), {}, now)
        due = now + timedelta(days=1)
        self.storage.posts.store(CollectBatch(source.id, "test", rows, (), {}, None, None, None, due, None), now)

    def hear(self, **words: Label) -> Hear:
        return Hear(self.storage, self.clock, ByWord(words))

    def mentions(self) -> list[Mention]:
        return self.storage.mentions.page(MentionFilter(), limit=1_000)


@pytest.fixture
def house(storage: Storage, clock: HandClock) -> House:
    return House(storage, clock)


def post(number: int, text: str, **fields: object) -> Post:
    return Post(**{"id": f"{number}", "title": "", "text": text, "author": f"a{number}"} | fields)


def test_it_hears_again_what_waits_and_says_what_changed(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.says(
        *(post(n, f"Una estafa de Aurora, mesa {n}, no vuelvo nunca jamás a este sitio") for n in range(3)),
        post(3, "Brezo y Aurora, una maravilla de comida y de gente, volveremos pronto"),
        post(4, "Hoy abre Brezo en el centro de la ciudad a las nueve de la mañana"),
    )
    with caplog.at_level(logging.INFO, "app.pipeline.hear"):
        report = house.hear(estafa="negative", maravilla="positive").run()
    assert report.heard == 6
    assert report.changed == {
        ("aurora", "neutral", "negative"): 3,
        ("aurora", "neutral", "positive"): 1,
        ("brezo", "neutral", "positive"): 1,
    }
    assert [record.message for record in caplog.records] == [
        "heard 6 mentions again: aurora 3 neutral to negative, 1 neutral to positive; brezo 1 neutral to positive"
    ]
    assert Counter((m.brand, m.label, m.was, m.sentiment.scorer) for m in house.mentions()) == {
        ("aurora", "negative", "neutral", "careful/1"): 3,
        ("aurora", "positive", "neutral", "careful/1"): 1,
        ("brezo", "positive", "neutral", "careful/1"): 1,
        ("brezo", "neutral", None, "careful/1"): 1,
    }
    assert not any(mention.sentiment.provisional for mention in house.mentions())


def test_where_nothing_waits_nothing_is_heard_and_nothing_said(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.says(post(1, "Hoy abre Aurora en el centro de la ciudad"))
    careful = ByWord({})
    hear = Hear(house.storage, house.clock, careful)
    with caplog.at_level(logging.INFO, "app.pipeline.hear"):
        assert hear.run().heard == 1
        assert hear.run() == room.HearReport()
    assert len(careful.asked) == 1
    assert caplog.records == [], "no label changed"


def test_it_hears_each_post_once_exactly_as_it_was_heard_in_haste(house: House) -> None:
    house.says(
        post(1, "Aurora y Brezo se fusionan", title="La noticia del día en el barrio"),
        post(2, "No vuelvo a Aurora nunca jamás, qué vergüenza", title="¿Dónde comer?", reply=True),
        post(3, "Aurora opened a terrace yesterday and it was rather nice", language="en"),
        post(4, "", title="Aurora cierra mañana"),
    )
    careful = ByWord({})
    Hear(house.storage, house.clock, careful).run()
    key = str
    assert sorted(careful.asked[0], key=key) == sorted(house.hasty.asked[0], key=key)
    assert len(careful.asked[0]) == 4


def test_it_takes_a_bounded_batch_newest_first(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST", 3)
    now = house.clock.now
    house.says(*(post(n, f"Aurora, nota {n}", published_at=now - timedelta(minutes=n)) for n in range(1, 8)))
    careful = ByWord({})
    hear = Hear(house.storage, house.clock, careful)
    heard = []
    while report := hear.run().heard:
        heard.append(report)
    assert heard == [3, 3, 1]
    assert [text for batch in careful.asked for text, _ in batch] == [f"Aurora, nota {n}" for n in range(1, 8)]


def test_a_scorer_that_stays_provisional_is_not_asked_for_ever(house: House) -> None:
    house.says(post(1, "Hoy abre Aurora"))
    hear = Hear(house.storage, house.clock, house.hasty)
    assert [hear.run().heard, hear.run().heard] == [1, 0]


def test_what_a_person_says_while_it_listens_stands(house: House) -> None:
    house.says(post(1, "Una estafa de Aurora"))

    class Interrupted(ByWord):
        def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
            (mention,) = house.mentions()
            house.storage.mentions.correct("aurora", mention.post_id, "positive", "ana", "", house.clock.now)
            return super().score(texts, languages)

    hear = Hear(house.storage, house.clock, Interrupted({"estafa": "negative"}))
    report = hear.run()
    assert (report.heard, report.changed) == (1, Counter())
    assert [mention.label for mention in house.mentions()] == ["positive"]
    assert hear.run().heard == 0


def test_a_crisis_that_was_heard_in_haste_only_wakes_when_it_is_heard_with_care(house: House) -> None:
    """And a false one that a person corrects is judged again as well."""
    watch = Watch(storage=house.storage, clock=house.clock, public_url="http://avizor.example")
    house.says(*(post(n, f"Aurora, nota {n}", published_at=house.clock.now - timedelta(hours=n)) for n in range(72)))
    for _ in range(9):
        house.clock.now += timedelta(minutes=5)
        house.storage.sources.poll_now("barrio", house.clock.now)
        (source,) = house.storage.sources.claim_due(house.clock.now, 1, "test")
        due = house.clock.now + timedelta(days=1)
        batch = CollectBatch(source.id, "test", (), (), {}, None, None, None, due, None)
        house.storage.posts.store(batch, house.clock.now)
        watch.run()
    now = house.clock.now
    house.says(
        *(
            post(100 + n, f"Una estafa de Aurora, mesa {n}", published_at=now - timedelta(seconds=10 * n))
            for n in range(15)
        )
    )
    house.clock.now += timedelta(minutes=1)
    assert watch.run().opened == 0
    assert house.hear(estafa="negative").run().heard > 15
    assert watch.run().opened == 1


def test_after_stop_it_hears_nothing_more(house: House) -> None:
    house.says(post(1, "Hoy abre Aurora"))
    hear = house.hear()
    hear.stop()
    assert hear.run().heard == 0
    assert house.storage.mentions.waiting() == 1


@pytest.mark.parametrize("say", [Counter, lambda: Counter({("a", "neutral", "negative"): 0})])
def test_what_changed_is_told_in_one_line(say: Callable[[], Counter[tuple[str, Label, Label]]]) -> None:
    assert room.told(+say()) == ""
    changed: Counter[tuple[str, Label, Label]] = Counter(
        {("b", "unknown", "negative"): 1, ("a", "neutral", "negative"): 2, ("a", "positive", "neutral"): 3}
    )
    assert room.told(changed) == "a 3 positive to neutral, 2 neutral to negative; b 1 unknown to negative"
