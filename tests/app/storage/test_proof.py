"""What proves a verdict or makes it doubtful: the brand's own, live, known at the time; never from a whole table."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, select, text, update

from app.storage import Storage
from app.storage import proof as room
from app.storage.database import dialect_of
from app.tables import grave_mentions, mentions, posts, sources

World = Any
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def town(world: World) -> World:
    """A brand and another one, each with stories, copies and history, told in two visits two minutes apart."""
    world.acme, world.beta = world.brand("acme"), world.brand("beta")
    world.diario, world.foro = world.source("diario"), world.source("foro")
    acme, beta = world.acme, world.beta
    world.collect(
        world.diario,
        world.item("a1", {acme: "negative", beta: "positive"}, title="El router", text="No va.", age=50 * MINUTE),
        world.item("a2", {acme: "neutral"}, age=40 * MINUTE),
        world.item("a1 again", {acme: "negative"}, age=30 * MINUTE, story="story of a1"),
        world.item("old", {acme: "negative"}, age=45 * MINUTE, backfill=True),
        world.item("b1", {beta: "negative"}, age=20 * MINUTE),
        world.item("too old", {acme: "negative"}, age=2 * DAY),
        at=world.now - 2 * MINUTE,
    )
    world.known = world.storage.proof.newest_id()
    late = world.item("late", {acme: "unknown"}, title="Tarde", age=55 * MINUTE, language="en")
    late = replace(late, site=None, post=replace(late.post, author=None))
    world.collect(world.foro, late, world.item("a3", {acme: "positive"}, age=10 * MINUTE))
    return world


def titles(told: list[room.Told]) -> list[str]:
    return [one.title for one in told]


def ids(storage: Storage) -> dict[str, int]:
    with storage._database.read() as connection:
        return {row.title: row.id for row in connection.execute(posts.select())}


def mark_grave(storage: Storage, **terms: list[str]) -> None:
    """Says by title which posts say something grave."""
    found = ids(storage)
    with storage._database.write() as connection:
        for title, said in terms.items():
            of_post = select(mentions.c.brand_id, mentions.c.published_at, mentions.c.post_id)
            for row in connection.execute(of_post.where(mentions.c.post_id == found[title])).all():
                connection.execute(insert(grave_mentions).values(**row._mapping, terms=said))


def test_the_newest_id_is_zero_where_nothing_is_stored(world: World) -> None:
    assert world.storage.proof.newest_id() == 0


def test_the_newest_id_is_the_last_post_s(town: World) -> None:
    assert town.storage.proof.newest_id() == max(ids(town.storage).values()) > town.known


def test_stories_are_told_oldest_first_without_copies_history_and_other_brands(town: World) -> None:
    told = town.storage.proof.told(town.acme.id, town.now - HOUR, town.now)
    assert titles(told) == ["Tarde", "El router", "a2", "a3"]
    post_id = ids(town.storage)["El router"]
    assert told[1] == room.Told(
        post_id=post_id,
        story_id=post_id,
        published_at=town.now - 50 * MINUTE,
        fetched_at=town.now - 2 * MINUTE,
        label="negative",
        score=-0.5,
        source="diario",
        site="diario.example",
        author="ana",
        title="El router",
        text="No va.",
        language="es",
    )
    late = told[0]
    assert (late.source, late.site, late.author, late.label, late.score) == ("foro", None, None, "unknown", None)
    assert titles(town.storage.proof.told(town.beta.id, town.now - HOUR, town.now)) == ["El router", "b1"]


def test_the_start_of_a_span_is_in_it_and_its_end_is_not(town: World) -> None:
    told = town.storage.proof.told(town.acme.id, town.now - 50 * MINUTE, town.now - 10 * MINUTE)
    assert titles(told) == ["El router", "a2"]


def test_what_came_later_was_not_known(town: World) -> None:
    told = town.storage.proof.told(town.acme.id, town.now - HOUR, town.now, town.known)
    assert titles(told) == ["El router", "a2"]


def test_stories_are_told_without_their_texts_by_label_and_up_to_a_limit(town: World) -> None:
    span = town.acme.id, town.now - HOUR, town.now
    bare = town.storage.proof.told(*span, texts=False)
    assert {(one.title, one.text) for one in bare} == {("", "")}
    assert [one.post_id for one in bare] == [one.post_id for one in town.storage.proof.told(*span)]
    assert titles(town.storage.proof.told(*span, limit=2)) == ["Tarde", "El router"]
    assert titles(town.storage.proof.told(*span, label="positive")) == ["a3"]


def test_the_first_negative_is_live_and_a_story(town: World) -> None:
    proof = town.storage.proof
    first = proof.first_negative(town.acme.id, town.now - HOUR, town.now)
    assert first is not None
    assert first.title == "El router"
    assert proof.first_negative(town.acme.id, town.now - 46 * MINUTE, town.now) is None  # only history and a copy
    assert proof.first_negative(town.acme.id, town.now - HOUR, town.now, known=0) is None


def test_a_story_is_found_by_its_id_for_the_brand_that_has_it(town: World) -> None:
    proof, found = town.storage.proof, ids(town.storage)
    story = proof.story(town.beta.id, found["El router"])
    assert story is not None
    assert (story.title, story.label) == ("El router", "positive")
    assert proof.story(town.beta.id, found["a2"]) is None
    assert proof.story(town.acme.id, found["a1 again"]) is None  # a copy is no story
    history = proof.story(town.acme.id, found["old"])
    assert history is not None


def test_grave_stories_come_with_their_source_unless_they_are_positive(town: World) -> None:
    mark_grave(
        town.storage,
        **{"El router": ["incendio"], "a1 again": ["incendio"], "old": ["muerte"], "a3": ["fraude"]},
        **{"Tarde": ["intoxicación", "muerte"], "b1": ["fraude"], "too old": ["fraude"]},
    )
    with town.storage._database.write() as connection:
        connection.execute(update(sources).where(sources.c.slug == "foro").values(tier=1))
        connection.execute(update(sources).where(sources.c.slug == "diario").values(tier=2))
    span = town.acme.id, town.now - HOUR, town.now
    rows = town.storage.proof.grave(*span)
    assert [(row.terms, row.label, row.source, row.tier, row.site, row.author) for row in rows] == [
        (("intoxicación", "muerte"), "unknown", "foro", 1, None, None),
        (("incendio",), "negative", "diario", 2, "diario.example", "ana"),
    ]
    assert (rows[0].published_at, rows[0].fetched_at) == (town.now - 55 * MINUTE, town.now)
    assert [row.terms for row in town.storage.proof.grave(*span, known=town.known)] == [("incendio",)]


def test_a_story_that_spreads_is_told_apart_from_one_that_does_not(town: World) -> None:
    acme, beta = town.acme, town.beta
    wire = [town.item(f"wire {n}", {acme: "neutral"}, age=(29 - n) * MINUTE, story="wire") for n in range(12)]
    wire = [replace(one, site=f"diario{n}.example") for n, one in enumerate(wire)]
    wire[3] = replace(wire[3], site=None)
    town.collect(
        town.foro,
        *wire,
        *(town.item(f"small {n}", {acme: "negative"}, age=5 * MINUTE, story="small") for n in range(6)),
        *(town.item(f"history {n}", {acme: "negative"}, story="history", backfill=True) for n in range(20)),
        *(town.item(f"other {n}", {beta: "negative"}, story="other") for n in range(20)),
    )
    proof, since = town.storage.proof, town.now - HOUR
    first = ids(town.storage)["wire 0"]
    assert proof.spreads(acme.id, since) == [first]
    assert proof.spreads(acme.id, since, 5) == [first, ids(town.storage)["small 0"]]
    assert proof.spreads(acme.id, since, 12) == []  # the story itself is no copy
    assert proof.spreads(acme.id, town.now - 20 * MINUTE) == []  # most of it stood there before
    assert proof.spreads(acme.id, since, known=town.known) == []

    spread = proof.copies(acme.id, first, since)
    assert [at for at, _, _ in spread] == [town.now - (29 - n) * MINUTE for n in range(12)]
    assert [place for _, place, _ in spread][2:5] == ["diario2.example", "foro", "diario4.example"]
    assert len(proof.copies(acme.id, first, town.now - 20 * MINUTE)) == 3
    assert len(proof.copies(acme.id, first, since, known=first + 3)) == 4
    assert proof.copies(beta.id, first, since) == []
    assert proof.copies(acme.id, ids(town.storage)["history 0"], since) == []


def test_who_told_a_story_first_may_be_a_copy_and_who_else_told_it_is_known(town: World) -> None:
    acme = town.acme
    town.collect(
        town.foro,
        town.item("first heard", {acme: "negative"}, age=5 * MINUTE, story="told"),
        town.item("earlier copy", {acme: "negative"}, age=9 * MINUTE, story="told"),
        town.item("of no tone", {acme: "unknown"}, age=6 * MINUTE, story="other"),
    )
    proof, story = town.storage.proof, ids(town.storage)["first heard"]
    first = proof.first_told(acme.id, [story])
    assert first is not None
    assert (first.post_id, first.story_id) == (ids(town.storage)["earlier copy"], story)
    assert proof.first_told(acme.id, []) is None
    assert proof.told_beside(acme.id, [story], [])[story].source == first.source
    assert proof.told_beside(acme.id, [story], [first.source]) == {}
    assert proof.unknown_tones(acme.id, town.now - 8 * MINUTE, town.now) == (1, 2)


def test_sites_share_the_stories_history_included(town: World) -> None:
    shares = town.storage.proof.site_shares(town.acme.id, town.now - HOUR, town.now)
    assert shares == {"diario.example": 0.8, "foro": 0.2}  # a1, a2, old, a3; and the one without a site
    assert town.storage.proof.site_shares(town.acme.id, town.now + HOUR, town.now + DAY) == {}


def test_the_background_is_all_stories_where_they_are_few(town: World) -> None:
    told = town.storage.proof.words_background(town.acme.id, town.now - 3 * DAY, town.now)
    assert told == [
        *(("too old", ""), ("Tarde", ""), ("El router", "No va.")),
        *(("old", ""), ("a2", ""), ("a3", "")),
    ]


def test_of_many_stories_the_background_is_an_even_sample(world: World) -> None:
    acme = world.brand("acme")
    source = world.source("diario")
    for hour in range(1, 11):
        each = range(36 if hour <= 5 else 12)
        items = [world.item(f"{hour} {n}", {acme: "neutral"}, age=hour * HOUR - n * MINUTE) for n in each]
        world.collect(source, *items, world.item(f"copy {hour}", {acme: "neutral"}, story=f"story of {hour} 0"))
    span = acme.id, world.now - DAY, world.now
    assert len(world.storage.proof.words_background(*span)) == 240
    some = [title for title, _ in world.storage.proof.words_background(*span, limit=40)]
    by_hour = [sum(title.startswith(f"{hour} ") for title in some) for hour in range(1, 11)]
    assert by_hour == [6] * 5 + [2] * 5  # as dense as they are
    assert len(set(some)) == 40
    assert some == sorted(some, key=lambda title: (-int(title.split()[0]), int(title.split()[1])))
    assert len({int(title.split()[1]) // 5 for title in some}) >= 6  # of 8 bins: not only the stroke of the hour
    assert some == [title for title, _ in world.storage.proof.words_background(*span, limit=40)]


def test_of_very_many_stories_a_sample_says_whose_they_are(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    acme = world.brand("acme")
    source = world.source("diario")
    for hour in range(1, 9):
        items = [world.item(f"{hour} {n}", {acme: "neutral"}, age=hour * HOUR - n * MINUTE) for n in range(40)]
        sited = [replace(one, site="uno.example" if n // 5 % 4 else "dos.example") for n, one in enumerate(items)]
        world.collect(source, *sited)
    span = acme.id, world.now - DAY, world.now
    assert world.storage.proof.site_shares(*span) == {"uno.example": 0.75, "dos.example": 0.25}
    monkeypatch.setattr(room, "SAMPLE", 64)
    assert world.storage.proof.site_shares(*span) == {"uno.example": 0.75, "dos.example": 0.25}


# ── what it costs ────────────────────────────────────────────────────────────


@pytest.fixture
def plans(town: World) -> Callable[[Callable[[], object]], list[str]]:
    """How the database would answer the statements of a call: the lines of their plans."""
    engine = town.storage._database._reader
    said: list[tuple[str, Any]] = []

    def hear(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        said.append((statement, parameters))

    def plan(call: Callable[[], object]) -> list[str]:
        said.clear()
        event.listen(engine, "before_cursor_execute", hear)
        call()
        event.remove(engine, "before_cursor_execute", hear)
        lines = []
        with town.storage._database.read() as connection:
            if dialect_of(connection) == "postgresql":
                connection.execute(text("SET LOCAL enable_seqscan = off"))  # else the table is too small for an index
            explain = "EXPLAIN QUERY PLAN" if dialect_of(connection) == "sqlite" else "EXPLAIN"
            for statement, parameters in said:
                rows = connection.exec_driver_sql(f"{explain} {statement}", parameters)
                lines += [str(row[-1]) for row in rows]
        return lines

    return plan


TABLES = ("mentions", "posts", "volumes")


def walks(lines: list[str]) -> list[str]:
    """The lines of a plan that read a whole table, or all of an index."""
    scans = [f"{how}{table}" for how in ("SCAN ", "Seq Scan on ") for table in TABLES]
    return [line for line in lines if any(scan in line for scan in scans)]


def calls(town: World) -> dict[str, Callable[[], object]]:
    proof, acme = town.storage.proof, town.acme.id
    span = acme, town.now - HOUR, town.now
    story = ids(town.storage)["El router"]
    return {
        "told": lambda: proof.told(*span, known=town.known),
        "told by label": lambda: proof.told(*span, label="negative"),
        "grave": lambda: proof.grave(*span),
        "spreads": lambda: proof.spreads(acme, town.now - HOUR),
        "copies": lambda: proof.copies(acme, story, town.now - HOUR),
        "story": lambda: proof.story(acme, story),
        "site_shares": lambda: proof.site_shares(*span),
        "words_background": lambda: proof.words_background(*span, limit=2),
        "first_negative": lambda: proof.first_negative(*span),
    }


CALLS = (
    *("told", "told by label", "grave", "spreads", "copies", "story"),
    *("site_shares", "words_background", "first_negative"),
)


@pytest.mark.parametrize("name", CALLS)
def test_no_answer_walks_a_whole_table(town: World, plans: Callable[..., list[str]], name: str) -> None:
    lines = plans(calls(town)[name])
    assert any("mentions" in line for line in lines)
    assert walks(lines) == []


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("told by label", "ix_mentions_label"),
        ("grave", "grave_mentions"),
        ("copies", "ix_mentions_copies"),
        ("copies", "uq_mentions_story"),
        ("story", "uq_mentions_story"),
        ("first_negative", "ix_mentions_label"),
    ],
)
def test_what_is_rare_is_found_by_its_index(
    town: World, plans: Callable[..., list[str]], name: str, index: str
) -> None:
    lines = plans(calls(town)[name])
    if town.storage.dialect == "postgresql":  # of a few rows its planner takes any index for as good
        assert walks(lines) == []
    else:
        assert any(index in line for line in lines)


def test_a_walk_through_the_whole_table_would_be_seen(town: World, plans: Callable[..., list[str]]) -> None:
    def walk() -> None:
        with town.storage._database.read() as connection:
            connection.execute(mentions.select().where(mentions.c.score * 2 == 7))

    assert walks(plans(walk))
