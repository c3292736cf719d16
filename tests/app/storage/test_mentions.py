"""Reading mentions: every filter, every way of making a page, against a plain loop over all of them."""

import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from app.model import LABELS, Mention, MentionFilter
from app.storage import Storage
from app.storage import mentions as room
from app.storage.records import Archive

World = Any
WORDS = ("factura", "avería", "cobertura", "router")


@pytest.fixture
def crowd(world: World) -> World:
    """Three brands, three sources, 90 posts, most of them within the same few minutes."""
    chance = random.Random(7)
    brands = [world.brand(slug) for slug in ("acme", "beta", "zeta")]
    for slug in ("uno", "dos", "tres"):
        source = world.source(slug)
        world.collect(
            source,
            *(
                world.item(
                    f"{slug}{number}",
                    {brand: chance.choice(LABELS) for brand in chance.sample(brands, chance.randint(1, 3))},
                    text=" ".join(chance.sample(WORDS, 2)),
                    age=timedelta(minutes=chance.randint(0, 9)),
                    language=chance.choice(["es", "en", None]),
                    story=f"story {chance.randint(0, 20)}",
                    probabilities=chance.choice([None, (0.45, 0.1, 0.45), (0.7, 0.2, 0.1)]),
                )
                for number in range(30)
            ),
        )
    for mention in chance.sample(world.storage.mentions.page(MentionFilter(), limit=1_000), 12):
        world.storage.mentions.correct(mention.brand, mention.post_id, chance.choice(LABELS), "ana", "", world.now)
    return world


FILTERS = [
    MentionFilter(),
    MentionFilter(brands=("acme",)),
    MentionFilter(brands=("acme", "zeta", "nobody")),
    MentionFilter(brands=("nobody",)),
    MentionFilter(brands=()),
    MentionFilter(labels=("negative",)),
    MentionFilter(labels=()),
    MentionFilter(brands=("acme", "beta"), labels=("negative", "unknown")),
    MentionFilter(sources=("dos",)),
    MentionFilter(sources=("nowhere",)),
    MentionFilter(brands=("zeta",), sources=("uno", "tres"), labels=("positive", "neutral")),
    MentionFilter(languages=("es",)),
    MentionFilter(languages=("und", "en")),
    MentionFilter(text="averia"),
    MentionFilter(text="  ROUTER   Factura "),
    MentionFilter(text="router factura cobertura"),
    MentionFilter(text="¡!"),
    MentionFilter(text=" "),
    MentionFilter(
        brands=("acme",), text="router", labels=("negative",), sources=("uno", "dos"), languages=("es", "en")
    ),
    MentionFilter(uncertain=True),
    MentionFilter(uncertain=False),
    MentionFilter(corrected=True),
    MentionFilter(corrected=False, uncertain=True),
    MentionFilter(brands=("acme", "zeta"), uncertain=True, labels=("negative",)),
    MentionFilter(brands=("beta",), corrected=True, sources=("uno",)),
    MentionFilter(brands=("beta", "acme"), corrected=True, text="router"),
    MentionFilter(corrected=True, labels=("positive",), languages=("es",)),
]


def kept(mention: Mention, wanted: MentionFilter) -> bool:
    text = mention.text.replace("í", "i")
    words = (wanted.text or "").lower().split()
    return (
        (wanted.brands is None or mention.brand in wanted.brands)
        and (wanted.labels is None or mention.label in wanted.labels)
        and (wanted.uncertain is None or mention.sentiment.uncertain == wanted.uncertain)
        and (wanted.corrected is None or (mention.correction is not None) == wanted.corrected)
        and (wanted.languages is None or (mention.sentiment.language or "und") in wanted.languages)
        and (wanted.sources is None or mention.source in wanted.sources)
        and all(word in text for word in words)
    )


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"MOST_STREAMS": 0, "MOST_SOURCE_STREAMS": 0},
        {"FEW_POSTS": 3, "NEAR": 10},
        {"FEW_POSTS": 3, "NEAR": 10, "MOST_STREAMS": 0, "MOST_SOURCE_STREAMS": 0},
    ],
)
def test_a_page_holds_what_was_asked_for_newest_first(
    crowd: World, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int]
) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(room, name, value)
    everything = crowd.storage.mentions.page(MentionFilter(), limit=1_000)
    assert len(everything) > 150
    ids = {brand.slug: brand.id for brand in crowd.storage.brands.all()}
    assert everything == sorted(everything, key=lambda m: (m.published_at, m.post_id, ids[m.brand]), reverse=True)

    for wanted in FILTERS:
        expected = [mention for mention in everything if kept(mention, wanted)]
        assert crowd.storage.mentions.page(wanted, limit=1_000) == expected, wanted
        assert list(pages(crowd.storage, wanted, ids)) == expected, wanted


def pages(storage: Storage, wanted: MentionFilter, ids: dict[str, int]) -> Iterator[Mention]:
    after = None
    while page := storage.mentions.page(wanted, after, limit=7):
        yield from page
        after = (page[-1].published_at, page[-1].post_id, ids[page[-1].brand])


@pytest.mark.parametrize("most_streams", [60, 0])
def test_since_is_in_it_and_until_is_not(crowd: World, monkeypatch: pytest.MonkeyPatch, most_streams: int) -> None:
    monkeypatch.setattr(room, "MOST_STREAMS", most_streams)
    since, until = crowd.now - timedelta(minutes=6), crowd.now - timedelta(minutes=2)
    for brands, text in product((None, ("acme", "beta")), (None, "router")):
        wanted = MentionFilter(brands=brands, text=text)
        every = crowd.storage.mentions.page(wanted, limit=1_000)
        within = crowd.storage.mentions.page(MentionFilter(brands, text=text, since=since, until=until), limit=1_000)
        assert within == [mention for mention in every if since <= mention.published_at < until]
        assert {mention.published_at for mention in within} >= {since, until - timedelta(minutes=1)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (MentionFilter(), "SEARCH mentions USING COVERING INDEX ix_mentions_published"),
        (MentionFilter(brands=("acme",)), "SEARCH mentions USING PRIMARY KEY (brand_id=?"),
        (
            MentionFilter(brands=("acme",), labels=("negative",)),
            "SEARCH mentions USING COVERING INDEX ix_mentions_label",
        ),
        (MentionFilter(brands=("acme",), sources=("uno",)), "SEARCH mentions USING COVERING INDEX ix_mentions_source"),
        (MentionFilter(sources=("uno",)), "SEARCH mentions USING COVERING INDEX ix_mentions_source"),
        (MentionFilter(brands=("acme",), text="router"), "SEARCH mentions USING COVERING INDEX uq_mentions_post"),
        (MentionFilter(brands=("acme",), uncertain=True), "SEARCH mentions USING INDEX ix_mentions_uncertain"),
        (MentionFilter(brands=("acme",), corrected=True), "SEARCH mentions USING INDEX ix_mentions_corrected"),
        (MentionFilter(corrected=True), "SEARCH mentions USING INDEX ix_mentions_corrected"),
    ],
)
def test_every_page_is_read_from_an_index_in_its_order(crowd: World, wanted: MentionFilter, index: str) -> None:
    after = (crowd.now, 1, 1)
    with crowd.storage._database.read() as connection:
        keys = room._newest(room._scope(connection, wanted), after, 50)
        statement = keys.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")]
    assert [line for line in plan if line.startswith(index)], plan
    sorts = [line for line in plan if "TEMP B-TREE" in line]
    merged = wanted.sources or (wanted.corrected and not wanted.brands)
    assert not sorts or wanted.text or merged, "only what is bounded is sorted"


def test_an_archived_brand_shows_only_where_it_is_named(crowd: World) -> None:
    crowd.storage.apply([Archive("brand", "beta")], crowd.now)
    assert {m.brand for m in crowd.storage.mentions.page(MentionFilter(), limit=1_000)} == {"acme", "zeta"}
    assert {m.brand for m in crowd.storage.mentions.page(MentionFilter(text="router"), limit=1_000)} == {"acme", "zeta"}
    assert crowd.storage.mentions.page(MentionFilter(brands=("beta",)))


def test_get_finds_one_mention_of_one_brand(world: World) -> None:
    acme, _ = world.brand("acme"), world.brand("zeta")
    world.collect(world.source(), world.item("a", {acme: "negative"}))
    [mention] = world.storage.mentions.page(MentionFilter())
    assert world.storage.mentions.get("acme", mention.post_id) == mention
    assert world.storage.mentions.get("zeta", mention.post_id) is None
    assert world.storage.mentions.get("acme", mention.post_id + 1) is None


def test_the_tag_of_a_page_changes_with_its_brands_only(world: World) -> None:
    acme, zeta, source = world.brand("acme"), world.brand("zeta"), world.source()

    def tags() -> list[str]:
        filters = [MentionFilter(), MentionFilter(brands=("acme",)), MentionFilter(brands=("zeta",))]
        return [world.storage.mentions.page_tag(wanted) for wanted in filters]

    empty = tags()
    world.collect(source, world.item("a", {acme: "negative"}))
    one = tags()
    assert [before == after for before, after in zip(empty, one, strict=True)] == [False, False, True]
    world.collect(source, world.item("a", {acme: "negative"}), world.item("b"))
    assert tags() == one, "nothing new was said about a brand"
    world.collect(source, world.item("a", {acme: "negative", zeta: "negative"}))
    assert [before == after for before, after in zip(one, tags(), strict=True)] == [False, True, False]
    world.storage.apply([Archive("brand", "zeta")], world.now)
    assert tags()[0] != one[0]


def test_the_top_negative_are_stories_the_most_told_first(world: World) -> None:
    acme, zeta, source = world.brand("acme"), world.brand("zeta"), world.source()
    minute = timedelta(minutes=1)
    world.collect(
        source,
        world.item("before", {acme: "negative"}, story="told", age=61 * minute),
        world.item("first", {acme: "negative"}, story="told", age=9 * minute),
        world.item("second", {acme: "negative"}, story="told", age=5 * minute),
        world.item("alone", {acme: "negative"}, age=4 * minute),
        world.item("newer", {acme: "negative"}, age=3 * minute),
        world.item("good", {acme: "positive"}, age=3 * minute),
        world.item("history", {acme: "negative"}, age=3 * minute, backfill=True),
        world.item("theirs", {zeta: "negative"}, age=3 * minute),
        world.item("now", {acme: "negative"}),
    )
    top = world.storage.mentions.top_negative(acme.id, world.now - timedelta(hours=1), world.now, 10)
    assert [(mention.title, copies) for mention, copies in top] == [("first", 1), ("newer", 0), ("alone", 0)]
    assert world.storage.mentions.top_negative(acme.id, world.now - timedelta(hours=1), world.now, 1) == top[:1]


def test_the_summary_counts_live_stories_and_their_copies(world: World) -> None:
    acme, one, two = world.brand(), world.source("uno"), world.source("dos")
    world.collect(
        one,
        world.item("a", {acme: "negative"}, story="s"),
        world.item("b", {acme: "negative"}, language="en"),
        world.item("c", {acme: "unknown"}, language=None),
        world.item("d", {acme: "negative"}, backfill=True),
        world.item("e", {acme: "negative"}, age=timedelta(hours=2)),
    )
    world.collect(two, world.item("f", {acme: "negative"}, story="s"), world.item("g", {acme: "positive"}))
    summary = world.storage.mentions.summary(acme.id, world.now - timedelta(hours=1), world.now + timedelta(hours=1))
    assert (summary.stories, summary.copies) == (4, 1)
    assert summary.by_label == {"negative": 2, "positive": 1, "unknown": 1}
    assert summary.by_language == {"es": 2, "en": 1, "und": 1}
    assert summary.by_source == {"uno": 3, "dos": 1}


def test_count_is_of_all_that_was_ever_stored(crowd: World) -> None:
    assert crowd.storage.mentions.count() == len(crowd.storage.mentions.page(MentionFilter(), limit=1_000))
