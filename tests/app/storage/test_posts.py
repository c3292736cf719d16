"""posts.store: one visit of a source is one transaction."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.model import Evidence, MentionFilter, Sentiment
from app.storage import LeaseLost, Storage, StorageError
from app.storage.changes import digest_of
from app.storage.records import Archive, KnownPost, Stored
from app.storage.stories import MOST_ON_A_BAND
from app.story import BANDS, bands, text_hash
from app.tables import grave_mentions, story_bands
from collectors.base import Reject

World = Any
EVERYTHING = MentionFilter()


def volumes(storage: Storage, brand_id: int, now: Any, width_s: int = 300) -> dict[str, tuple[int, int, int, int]]:
    rows = storage.volumes.series(brand_id, now - timedelta(days=30), now + timedelta(days=1), width_s)
    sums: dict[str, tuple[int, int, int, int]] = {}
    for row in rows:
        counts = (row.stories, row.copies, row.backfill_stories, row.backfill_copies)
        sums[row.label] = tuple(map(sum, zip(sums.get(row.label, (0, 0, 0, 0)), counts, strict=True)))
    return sums


def test_it_stores_a_visit_with_everything_that_belongs_to_it(world: World) -> None:
    acme, source = world.brand(), world.source()
    item = world.item("a", {acme: "negative"}, title="La factura", text="Otra vez mal", age=timedelta(minutes=2))

    assert world.collect(source, item, world.item("b")) == Stored(posts=2, mentions=1, copies=0, quarantined=0)

    [mention] = world.storage.mentions.page(EVERYTHING)
    assert (mention.brand, mention.source, mention.title, mention.text) == (
        "acme",
        "diario",
        "La factura",
        "Otra vez mal",
    )
    assert (mention.url, mention.author, mention.site) == ("https://diario.example/a", "ana", "diario.example")
    assert (mention.published_at, mention.fetched_at) == (world.now - timedelta(minutes=2), world.now)
    assert mention.sentiment == item.sentiments[acme.id]
    assert not mention.copy
    assert mention.story_id == mention.post_id
    assert volumes(world.storage, acme.id, world.now) == {"negative": (1, 0, 0, 0)}
    assert volumes(world.storage, acme.id, world.now, 3600) == {"negative": (1, 0, 0, 0)}


def test_it_moves_the_cursor_and_ends_the_lease_in_the_same_breath(world: World) -> None:
    source = world.source()
    world.collect(source, world.item("a"))

    after = world.storage.sources.get("diario")
    assert (after.cursor, after.etag, after.body_hash) == ({"page": 1}, '"abc"', b"0123456789abcdef")
    assert after.last_modified == "Wed, 18 Nov 2026 11:00:00 GMT"
    assert (after.next_due_at, after.adaptive_interval_s) == (world.now + timedelta(minutes=15), 1200)
    assert (after.state, after.fail_count, after.last_error) == ("ok", 0, None)
    assert after.first_ok_at == after.last_ok_at == after.last_item_at == world.now
    assert world.storage.sources.claim_due(world.now + timedelta(minutes=15), 1, "next") == [replace(after)], (
        "the lease has ended"
    )


def test_it_remembers_the_first_good_visit_and_the_last_one_with_something_new(world: World) -> None:
    source, later = world.source(), world.now + timedelta(hours=1)
    world.collect(source, world.item("a"))
    world.collect(source, at=later)

    after = world.storage.sources.get("diario")
    assert (after.first_ok_at, after.last_item_at, after.last_ok_at) == (world.now, world.now, later)


def test_storing_twice_is_storing_once(world: World) -> None:
    acme, source = world.brand(), world.source()
    items = [world.item("a", {acme: "negative"}), world.item("b", {acme: "positive"}), world.item("c")]

    world.collect(source, *items)
    before = volumes(world.storage, acme.id, world.now)
    assert world.collect(source, *items) == Stored()

    assert volumes(world.storage, acme.id, world.now) == before == {"negative": (1, 0, 0, 0), "positive": (1, 0, 0, 0)}
    assert len(world.storage.mentions.page(EVERYTHING)) == 2
    assert world.storage.mentions.count() == 2


def test_one_key_twice_in_a_batch_is_one_post(world: World) -> None:
    acme, source = world.brand(), world.source()
    first, second = (world.item("a", {acme: "negative"}, text=text) for text in ("first", "second"))
    assert world.collect(source, first, second) == Stored(posts=1, mentions=1)
    assert world.storage.mentions.page(EVERYTHING)[0].text == "first"


def test_one_post_is_a_mention_of_every_brand_that_it_names(world: World) -> None:
    acme, zeta, source = world.brand("acme"), world.brand("zeta"), world.source()
    assert world.collect(source, world.item("a", {acme: "negative", zeta: "positive"})) == Stored(1, 2)
    assert {m.brand: m.sentiment.label for m in world.storage.mentions.page(EVERYTHING)} == {
        "acme": "negative",
        "zeta": "positive",
    }
    assert volumes(world.storage, zeta.id, world.now) == {"positive": (1, 0, 0, 0)}


def test_a_stored_post_becomes_a_mention_of_a_brand_that_came_later(world: World) -> None:
    acme, source = world.brand("acme"), world.source()
    world.collect(source, world.item("a", {acme: "negative"}, age=timedelta(minutes=1)), world.item("b", text="algo"))
    zeta = world.brand("zeta")

    again = world.item("a", {acme: "negative", zeta: "neutral"}, age=timedelta(hours=3))
    assert world.collect(source, again, world.item("b", {zeta: "neutral"}, text="algo")) == Stored(0, 2)

    [of_zeta] = [m for m in world.storage.mentions.page(MentionFilter(brands=("zeta",))) if m.title == "a"]
    assert of_zeta.published_at == world.now - timedelta(minutes=1), "the post's own time decides, not the new claim"
    assert volumes(world.storage, acme.id, world.now) == {"negative": (1, 0, 0, 0)}
    assert volumes(world.storage, zeta.id, world.now) == {"neutral": (2, 0, 0, 0)}
    found = world.storage.mentions.page(MentionFilter(text="algo"))
    assert [m.title for m in found] == ["b"], "a post becomes searchable with its first mention, by the stored text"


def test_a_text_told_again_is_a_copy_of_its_story(world: World) -> None:
    acme, one, two = world.brand(), world.source("uno"), world.source("dos")
    world.collect(one, world.item("a", {acme: "negative"}, story="s"))
    stored = world.collect(
        two, world.item("b", {acme: "negative"}, story="s"), world.item("c", {acme: "negative"}, story="s")
    )

    assert stored == Stored(posts=2, mentions=2, copies=2)
    assert volumes(world.storage, acme.id, world.now) == {"negative": (1, 2, 0, 0)}
    mentions = world.storage.mentions.page(EVERYTHING)
    assert len({m.story_id for m in mentions}) == 1
    assert sorted(m.copy for m in mentions) == [False, True, True]


def test_a_copy_counts_as_the_story_for_a_brand_that_had_no_mention_of_it(world: World) -> None:
    acme, zeta, source = world.brand("acme"), world.brand("zeta"), world.source()
    world.collect(source, world.item("a", {acme: "negative"}, story="s"))
    world.collect(source, world.item("b", {acme: "negative", zeta: "negative"}, story="s"))
    assert volumes(world.storage, acme.id, world.now) == {"negative": (1, 1, 0, 0)}
    assert volumes(world.storage, zeta.id, world.now) == {"negative": (1, 0, 0, 0)}


@pytest.mark.parametrize(("days", "copy"), [(6, True), (8, False)])
def test_a_story_takes_copies_for_seven_days(world: World, days: int, copy: bool) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "negative"}, story="s"))
    world.collect(source, world.item("b", {acme: "negative"}, story="s"), at=world.now + timedelta(days=days))
    assert [m.copy for m in world.storage.mentions.page(EVERYTHING) if m.title == "b"] == [copy]


def test_backfill_is_counted_apart(world: World) -> None:
    acme, source = world.brand(), world.source()
    old = [world.item(key, {acme: "negative"}, backfill=True, age=timedelta(days=3), story="s") for key in "ab"]
    world.collect(source, *old, world.item("c", {acme: "negative"}))
    assert volumes(world.storage, acme.id, world.now) == {"negative": (1, 0, 1, 1)}


def test_history_stays_history_for_a_brand_that_came_later(world: World) -> None:
    source, item = world.source(), world.item("a", backfill=True, age=timedelta(days=3))
    world.collect(source, item)
    acme = world.brand()
    world.collect(source, world.item("a", {acme: "negative"}))
    assert volumes(world.storage, acme.id, world.now) == {"negative": (0, 0, 1, 0)}
    assert world.storage.mentions.page(EVERYTHING)[0].backfill


def test_the_probabilities_of_a_story_count_once(world: World) -> None:
    acme, source = world.brand(), world.source()
    told = {"about": {acme: "negative"}, "story": "s", "probabilities": (0.7, 0.2, 0.1)}
    world.collect(source, *(world.item(key, **told) for key in "abc"), world.item("d", **told | {"story": None}))
    [row] = world.storage.volumes.series(acme.id, world.now, world.now + timedelta(seconds=300), 300)
    assert (row.stories, row.copies) == (2, 2)
    assert (row.negative, row.neutral, row.positive, row.restated_at) == (1.4, 0.4, 0.2, None)


def test_history_is_expected_as_well(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "positive"}, backfill=True, probabilities=(0.0, 0.25, 0.75)))
    [row] = world.storage.volumes.series(acme.id, world.now, world.now + timedelta(seconds=300), 300)
    assert (row.stories, row.backfill_stories) == (0, 1)
    assert (row.negative, row.neutral, row.positive) == (0.0, 0.25, 0.75)


def test_unknown_is_a_label_of_its_own_and_nothing_is_expected_of_it(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "unknown"}), world.item("b", {acme: "neutral"}))
    rows = world.storage.volumes.series(acme.id, world.now, world.now + timedelta(seconds=300), 300)
    assert {row.label: (row.stories, row.negative, row.neutral, row.positive) for row in rows} == {
        "neutral": (1, 0.0, 1.0, 0.0),  # a reading without probabilities is taken at its word
        "unknown": (1, 0.0, 0.0, 0.0),
    }
    unknown = world.storage.mentions.page(MentionFilter(labels=("unknown",)))[0].sentiment
    assert (unknown.label, unknown.score) == ("unknown", None)


def test_a_reading_comes_back_as_the_scorer_gave_it(world: World) -> None:
    acme, source = world.brand(), world.source()
    heard = Sentiment(
        label="negative",
        score=-0.1 - 1e-16,
        scorer="test/1",
        language="es",
        language_confidence=0.987,
        probabilities=(0.45, 0.2, 0.35),
        evidence=(Evidence(0, 2, "Añ", -1.5),),
        components={"fast": -0.25, "vader": 0.1},
        provisional=True,
    )
    world.collect(source, replace(world.item("a", {acme: "negative"}), sentiments={acme.id: heard}))
    [mention] = world.storage.mentions.page(EVERYTHING)
    assert mention.sentiment == heard
    assert mention.sentiment.uncertain
    assert (mention.label, mention.score, mention.scored_at) == ("negative", heard.score, world.now)
    assert (mention.correction, mention.was) == (None, None)


def test_it_keeps_nothing_when_the_lease_is_somebody_elses(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.storage.sources.claim_due(world.now, 1, "first")
    world.storage.sources.claim_due(world.now + timedelta(seconds=61), 1, "second")

    with pytest.raises(LeaseLost):
        world.storage.posts.store(world.batch(source, world.item("a", {acme: "negative"}), owner="first"), world.now)
    assert world.storage.posts.page() == []
    assert volumes(world.storage, acme.id, world.now) == {}
    assert world.storage.sources.get("diario").last_ok_at is None

    stored = world.storage.posts.store(
        world.batch(source, world.item("a", {acme: "negative"}), owner="second"), world.now
    )
    assert stored.mentions == 1, "the control: the holder of the lease may"


def test_archiving_a_source_drops_the_visit_under_way(world: World) -> None:
    source = world.source()
    world.storage.sources.claim_due(world.now, 1, "walk")
    world.storage.apply([Archive("source", "diario")], world.now)
    with pytest.raises(LeaseLost):
        world.storage.posts.store(world.batch(source, world.item("a")), world.now)


def test_a_bad_row_costs_itself_only(world: World) -> None:
    acme, source = world.brand(), world.source()
    bad = world.item("bad", {acme: "negative"}, text="lone \ud800 surrogate", story="s")
    good = [world.item("a", {acme: "negative"}), world.item("c", {acme: "negative"}, story="s")]

    assert world.collect(source, good[0], bad, good[1]) == Stored(posts=2, mentions=2, copies=0, quarantined=1)

    assert {m.title for m in world.storage.mentions.page(EVERYTHING)} == {"a", "c"}
    assert volumes(world.storage, acme.id, world.now) == {"negative": (2, 0, 0, 0)}, "no copy of what was never stored"
    [row] = world.storage.sources.quarantined("diario", 10)
    assert row.reason.startswith("could not be stored")
    assert row.sample == "bad\nlone ? surrogate"


def test_a_mention_of_no_known_brand_costs_its_post_only(world: World) -> None:
    source = world.source()
    [tone] = world.item("x", {world.brand(): "neutral"}).sentiments.values()
    stray = replace(world.item("a"), sentiments={4711: tone})
    assert world.collect(source, stray, world.item("b")) == Stored(posts=1, quarantined=1)


def test_rejects_are_quarantined_once(world: World) -> None:
    source = world.source()
    rejects = [Reject("no date", "<item>\0one</item>"), Reject("no title", "x" * 70_000)]
    assert world.collect(source, rejects=rejects).quarantined == 2
    assert world.collect(source, rejects=rejects).quarantined == 0, "a feed shows the same bad item at every visit"
    rows = world.storage.sources.quarantined("diario", 10)
    assert [(row.source, row.reason, row.at) for row in rows] == [
        ("diario", "no title", world.now),
        ("diario", "no date", world.now),
    ]
    assert [len(row.sample) for row in rows] == [65_536, len("<item>one</item>")]


def test_a_hostile_source_fills_its_quarantine_and_no_more(world: World) -> None:
    source, other = world.source(), world.source("otro")
    world.collect(other, rejects=[Reject("kept", "kept")])
    world.collect(source, rejects=[Reject("bad", f"{number}") for number in range(80)])
    world.collect(source, rejects=[Reject("bad", f"{number}") for number in range(80, 140)])
    rows = world.storage.sources.quarantined("diario", 1_000)
    assert [row.sample for row in rows] == [f"{number}" for number in range(139, 39, -1)]
    assert len(world.storage.sources.quarantined("otro", 10)) == 1


def test_ids_grow_even_when_the_clock_steps_back(world: World) -> None:
    source = world.source()
    world.collect(source, world.item("a"))
    world.collect(source, world.item("b"), at=world.now - timedelta(hours=1))
    ids = {post.post.title: post.id for post in world.storage.posts.page()}
    assert ids["b"] > ids["a"]
    assert ids["a"] < 2**63


def test_a_post_is_never_published_after_it_was_stored(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "negative"}, age=-timedelta(days=400)))
    [mention] = world.storage.mentions.page(EVERYTHING)
    assert mention.published_at == world.now
    assert world.storage.posts.page()[0].published_at == world.now


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_full_disk_costs_no_row_for_good(world: World) -> None:
    acme, source = world.brand(), world.source()
    with world.storage._database.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 20}")
    items = [world.item(f"n{number}", {acme: "negative"}, text="palabra " * 100) for number in range(300)]
    with pytest.raises(StorageError, match="the disk is full"):
        world.collect(source, *items)
    assert world.storage.posts.page() == world.storage.sources.quarantined("diario", 10) == []

    with world.storage._database.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    assert world.collect(source, *items).mentions == 300


# ── near copies ──────────────────────────────────────────────────────────────

HEADLINE = "Acme retira del mercado 12.000 cafeteras por riesgo de incendio"
WIRE = (
    "La compañía Acme ha ordenado este martes la retirada de 12.000 cafeteras de su modelo Alba después de que varios "
    "clientes denunciaran que el aparato se sobrecalienta y puede llegar a arder. La empresa pide a quienes lo "
    "compraron entre enero y marzo que lo desenchufen de inmediato y lo devuelvan en cualquier tienda. No hay heridos, "
    "según un portavoz, que ha prometido devolver el importe íntegro en un plazo de dos semanas."
)
PARAGRAPHS = WIRE.split(". ")
PUBLISHERS = ("La Voz del Puerto", "20 Puertos", "El Diario de la Sierra", "Canal 7 Noticias", "Radio Costa")
CITIES = ("MADRID", "BARCELONA", "SEVILLA", "BOGOTÁ", "LIMA", "VIGO", "QUITO")


def told(world: World, key: str, about: Any, title: str, text: str, site: str | None = None, **fields: Any) -> Any:
    """As the collect walk hands it over: with the hash and the bands of what it says."""
    item = world.item(key, about, title=title, text=text, **fields)
    site = site or f"{key}.example"
    return replace(item, site=site, text_hash=text_hash(title, text, "ana", site), bands=bands(title, text))


def outlet(world: World, number: int, about: Any) -> Any:
    """One wire as the outlet with this number prints it."""
    title = HEADLINE if number % 4 else "Miles de aparatos de Acme, devueltos por peligro de fuego"
    if number % 3:
        title += f" - {PUBLISHERS[number % 5]}"
    text = WIRE if number % 5 else ". ".join(PARAGRAPHS[:2] + PARAGRAPHS[3:])
    if number % 2:
        text = f"{CITIES[number % 7]}, {10 + number % 3} nov. (EFE).- {text}"
    return told(world, f"outlet{number}", about, title, text if number % 6 else f"{text} Leer más")


COMPLAINT = (
    "Ayer cené con mi familia en el Acme de {place} y acabamos enfermos toda la noche: la mesa {number} estaba sucia, "
    "el pescado olía mal y nadie nos dio una explicación cuando nos quejamos antes de irnos."
)
PLACES = ("Getafe", "Cádiz", "Lugo", "Vigo", "Reus", "Soria", "Elche", "Jaca", "Ronda", "Gijón", "Mérida", "Teruel")


def rows_of(storage: Storage, table: Any) -> list[Any]:
    with storage._database.read() as connection:
        return list(connection.execute(select(table)))


@pytest.mark.parametrize("visits", [1, 8])
def test_one_wire_on_forty_outlets_is_one_story(world: World, visits: int) -> None:
    acme, sources = world.brand(), [world.source(f"s{number}") for number in range(visits)]
    items = [outlet(world, number, {acme: "negative"}) for number in range(1, 41)]
    assert len({item.text_hash for item in items}) > 10, "the texts alone tell of many stories"
    for visit, source in enumerate(sources):
        world.collect(source, *items[visit::visits], at=world.now + timedelta(minutes=20 * visit / visits))
    mentions = world.storage.mentions.page(EVERYTHING, limit=100)
    assert len(mentions) == 40
    assert len({mention.story_id for mention in mentions}) == 1
    assert volumes(world.storage, acme.id, world.now) == {"negative": (1, 39, 0, 0)}


@pytest.mark.parametrize("visits", [1, 4])
def test_twelve_complaints_are_twelve_stories(world: World, visits: int) -> None:
    acme, source = world.brand(), world.source()
    items = [
        told(
            world,
            f"c{number}",
            {acme: "negative"},
            "",
            COMPLAINT.format(place=place, number=number + 1),
            "foro.example",
        )
        for number, place in enumerate(PLACES)
    ]
    assert all(item.bands for item in items)
    for visit in range(visits):
        world.collect(source, *items[visit::visits], at=world.now + timedelta(minutes=visit))
    assert volumes(world.storage, acme.id, world.now) == {"negative": (12, 0, 0, 0)}


@pytest.mark.parametrize(("days", "stories"), [(2.9, 1), (4, 2)])
def test_a_story_takes_near_copies_for_three_days(world: World, days: float, stories: int) -> None:
    acme, source, later = world.brand(), world.source(), world.now + timedelta(days=days)
    world.collect(source, outlet(world, 1, {acme: "negative"}))
    world.collect(source, outlet(world, 2, {acme: "negative"}), at=later)
    assert len({mention.story_id for mention in world.storage.mentions.page(EVERYTHING)}) == stories
    old = {row.story_id for row in rows_of(world.storage, story_bands)}
    assert len(old) == 1, "bands that are too old to be looked up are dropped"


def test_a_copy_of_a_near_copy_belongs_to_the_same_story(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, outlet(world, 1, {acme: "negative"}))
    near = outlet(world, 2, {acme: "negative"})
    world.collect(source, near)
    world.collect(source, replace(near, dedupe_key=b"another key 1234"))
    world.collect(source, replace(near, dedupe_key=b"another key 5678"), replace(near, dedupe_key=b"another key 9012"))
    assert volumes(world.storage, acme.id, world.now) == {"negative": (1, 4, 0, 0)}


def test_storing_near_copies_twice_is_storing_them_once(world: World) -> None:
    acme, source = world.brand(), world.source()
    items = [outlet(world, number, {acme: "negative"}) for number in range(1, 9)]
    world.collect(source, *items)
    before = rows_of(world.storage, story_bands)
    assert world.collect(source, *items) == Stored()
    assert rows_of(world.storage, story_bands) == before
    assert len(before) == BANDS, "only the first post of a story leaves bands"
    assert volumes(world.storage, acme.id, world.now) == {"negative": (1, 7, 0, 0)}


def test_a_text_near_two_stories_belongs_to_the_older_one(world: World) -> None:
    acme, source = world.brand(), world.source()
    texts = (f"{WIRE} Las acciones caen un 5 %.", f"{WIRE} Las acciones caen un 9 % en Lima.", WIRE)
    for at, said in enumerate(texts):
        world.collect(source, told(world, f"n{at}", {acme: "negative"}, f"Aviso {at}" if at < 2 else "", said))
    stories = {mention.title: mention.story_id for mention in world.storage.mentions.page(EVERYTHING)}
    assert stories["Aviso 0"] != stories["Aviso 1"], "figures decide"
    assert stories[""] == stories["Aviso 0"]


def test_a_near_copy_counts_as_the_story_for_a_brand_that_had_no_mention_of_it(world: World) -> None:
    acme, zeta, source = world.brand("acme"), world.brand("zeta"), world.source()
    world.collect(source, outlet(world, 1, {acme: "negative"}))
    world.collect(source, outlet(world, 2, {acme: "negative", zeta: "neutral"}))
    assert volumes(world.storage, acme.id, world.now) == {"negative": (1, 1, 0, 0)}
    assert volumes(world.storage, zeta.id, world.now) == {"neutral": (1, 0, 0, 0)}


def test_a_story_that_mentioned_nobody_at_first_takes_near_copies_from_its_first_mention_on(world: World) -> None:
    acme, source = world.brand(), world.source()
    silent = replace(outlet(world, 1, {}), bands=())
    world.collect(source, silent)
    assert rows_of(world.storage, story_bands) == []
    world.collect(source, replace(outlet(world, 1, {acme: "negative"}), dedupe_key=b"another key 1234"))
    world.collect(source, outlet(world, 2, {acme: "negative"}))
    assert volumes(world.storage, acme.id, world.now) == {"negative": (1, 1, 0, 0)}


def test_what_a_person_says_of_a_story_is_said_of_its_near_copies(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, outlet(world, 1, {acme: "negative"}), outlet(world, 2, {acme: "negative"}))
    some = world.storage.mentions.page(EVERYTHING)[0]
    world.storage.mentions.correct("acme", some.post_id, "neutral", "ana", "", world.now)
    world.collect(source, outlet(world, 3, {acme: "negative"}))
    assert [mention.label for mention in world.storage.mentions.page(EVERYTHING)] == ["neutral"] * 3
    assert volumes(world.storage, acme.id, world.now)["neutral"] == (1, 2, 0, 0)


def test_a_bad_row_among_near_copies_costs_itself_only(world: World) -> None:
    acme, source = world.brand(), world.source()
    items = [outlet(world, number, {acme: "negative"}) for number in range(1, 6)]
    first = replace(items[0], post=replace(items[0].post, author="lone \ud800 surrogate"))
    assert world.collect(source, first, *items[1:]) == Stored(posts=4, mentions=4, copies=3, quarantined=1)
    assert volumes(world.storage, acme.id, world.now) == {"negative": (1, 3, 0, 0)}
    [story_id] = {row.story_id for row in rows_of(world.storage, story_bands)}
    assert {mention.story_id for mention in world.storage.mentions.page(EVERYTHING)} == {story_id}


def test_what_a_site_adds_to_every_post_makes_no_story_of_them(world: World) -> None:
    acme, source = world.brand(), world.source()
    added = WIRE.replace("Acme", "La Voz")
    headlines = ("Acme abre una tienda en Lugo", "Huelga en los almacenes de Acme", "Cuatro recetas para el domingo")
    items = [
        told(world, f"n{at}", {acme: "neutral"}, title, added, "voz.example") for at, title in enumerate(headlines)
    ]
    world.collect(source, *items)
    assert volumes(world.storage, acme.id, world.now) == {"neutral": (3, 0, 0, 0)}


def test_a_flood_of_one_template_leaves_a_bounded_number_of_rows(world: World) -> None:
    acme, source = world.brand(), world.source()
    items = [
        told(world, f"c{number}", {acme: "negative"}, "", f"{COMPLAINT.format(place='Lugo', number=number)} {WIRE}")
        for number in range(1, 101)
    ]
    world.collect(source, *items[:60])
    world.collect(source, *items[60:])
    assert volumes(world.storage, acme.id, world.now) == {"negative": (100, 0, 0, 0)}
    on_band = Counter(row.band for row in rows_of(world.storage, story_bands))
    assert max(on_band.values()) == MOST_ON_A_BAND


def test_grave_terms_are_stored_with_every_mention(world: World) -> None:
    acme, zeta, source = world.brand("acme"), world.brand("zeta"), world.source()
    item = replace(world.item("a", {acme: "negative", zeta: "negative"}), grave=("intoxicación", "retirada"))
    world.collect(source, item, world.item("b", {acme: "neutral"}))
    stored = {row.brand_id: row.terms for row in rows_of(world.storage, grave_mentions)}
    assert stored == {acme.id: ["intoxicación", "retirada"], zeta.id: ["intoxicación", "retirada"]}
    assert len(rows_of(world.storage, grave_mentions)) == 2


# ── what is stored, read back ────────────────────────────────────────────────


def test_known_tells_posts_and_their_brands(world: World) -> None:
    acme, source = world.brand(), world.source()
    items = [world.item("a", {acme: "negative"}), world.item("b"), world.item("c")]
    world.collect(source, *items[:2])
    known = world.storage.posts.known([item.dedupe_key for item in items])
    ids = {post.post.title: post.id for post in world.storage.posts.page()}
    assert known == {
        items[0].dedupe_key: KnownPost(ids["a"], frozenset({acme.id}), source.id, digest_of("a", "", reply=False)),
        items[1].dedupe_key: KnownPost(ids["b"], frozenset(), source.id, digest_of("b", "", reply=False)),
    }
    assert world.storage.posts.known([]) == {}


def test_it_stores_and_finds_more_than_one_lookup_holds(world: World) -> None:
    acme, source = world.brand(), world.source()
    items = [world.item(f"n{number}", {acme: "neutral"}) for number in range(1_201)]
    assert world.collect(source, *items) == Stored(posts=1_201, mentions=1_201)
    assert len(world.storage.posts.known([item.dedupe_key for item in items])) == 1_201
    assert world.collect(source, *items) == Stored()


def test_posts_are_read_in_pages_newest_first(world: World) -> None:
    acme, one, two = world.brand(), world.source("uno"), world.source("dos")
    ages = [timedelta(minutes=minutes) for minutes in (5, 1, 3, 3, 9)]
    world.collect(one, *(world.item(f"p{n}", {acme: "neutral"} if n else None, age=age) for n, age in enumerate(ages)))
    world.collect(two, world.item("other", age=timedelta(minutes=2)))

    whole = world.storage.posts.page(limit=100)
    assert [post.post.title for post in whole] == ["p1", "other", "p3", "p2", "p0", "p4"]
    assert [post.brands for post in whole] == [("acme",), (), ("acme",), ("acme",), (), ("acme",)]

    pages, after = [], None
    while page := world.storage.posts.page(after=after, limit=2):
        pages += page
        after = (page[-1].published_at, page[-1].id)
    assert pages == whole

    mentioning = world.storage.posts.page(of_brands=["acme", "nobody"])
    assert [p.post.title for p in mentioning] == ["p1", "p3", "p2", "p4"]
    assert world.storage.posts.page(["dos"], of_brands=["acme"]) == world.storage.posts.page(of_brands=[]) == []
    assert [p.post.title for p in world.storage.posts.page(["dos"])] == ["other"]
    assert world.storage.posts.page(["uno", "dos", "nowhere"], limit=3) == whole[:3]
    assert world.storage.posts.page(["nowhere"]) == world.storage.posts.page([]) == []
    recent = world.storage.posts.page(
        ["uno"], since=world.now - timedelta(minutes=5), until=world.now - timedelta(minutes=3)
    )
    assert [p.post.title for p in recent] == ["p0"], "since is in it, until is not"


def test_a_stored_post_keeps_what_the_source_said(world: World) -> None:
    source = world.source()
    undated = replace(world.item("a", title="Título", text="Texto ñ 🙂"), claimed_at=None)
    world.collect(source, undated)
    [post] = world.storage.posts.page()
    assert (post.source, post.post.title, post.post.text) == ("diario", "Título", "Texto ñ 🙂")
    assert (post.post.published_at, post.claimed_at, post.published_at) == (None, None, world.now)
    assert post.post.id == undated.dedupe_key.hex()
