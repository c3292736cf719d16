"""What became of a stored post: counted again, changed by its author, taken back. It was said, so it still counts."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.model import Evidence, Mention, MentionFilter, Sentiment
from app.storage import Storage
from app.storage.changes import MOST_VERSIONS
from app.storage.ids import url_hash
from app.storage.records import Became, CollectedPost, Rescored, Stored, ToRevisit
from app.tables import posts
from tests.app.storage.test_posts import volumes

World = Any
HOUR = timedelta(hours=1)


def of(item: CollectedPost, **fields: Any) -> CollectedPost:
    """The item with other fields of its post."""
    return replace(item, post=replace(item.post, **fields))


def mentions(world: World, **asked: Any) -> list[Mention]:
    found: list[Mention] = world.storage.mentions.page(MentionFilter(**asked))
    return found


def only(world: World, **asked: Any) -> Mention:
    (mention,) = mentions(world, **asked)
    return mention


def rows(storage: Storage) -> list[Any]:
    with storage._database.read() as connection:
        return list(connection.execute(select(posts).order_by(posts.c.id)))


def withdraw(world: World, source: Any, *items: CollectedPost, at: datetime | None = None) -> Stored:
    at = at or world.now
    world.storage.sources.poll_now(source.slug, at)
    world.storage.sources.claim_due(at, 100, "walk")
    batch = world.batch(source, gone=tuple(item.dedupe_key for item in items))
    stored: Stored = world.storage.posts.store(batch, at)
    return stored


# ── counts ───────────────────────────────────────────────────────────────────


def test_what_others_did_with_a_post_is_stored_with_it(world: World) -> None:
    acme, source = world.brand(), world.source()
    counts = {"likes": 3, "replies": 0}
    edited = world.now - HOUR
    world.collect(source, of(world.item("a", {acme: "negative"}), engagement=counts, rating=2, edited_at=edited))
    mention = only(world)
    assert (mention.engagement, mention.reach, mention.rating, mention.edited_at) == (counts, None, 2, edited)
    (post,) = world.storage.posts.page()
    assert (post.post.engagement, post.post.reach, post.post.rating, post.post.edited_at) == (counts, None, 2, edited)


def test_what_nobody_told_is_unknown_and_never_0(world: World) -> None:
    world.collect(world.source(), world.item("a", {world.brand(): "negative"}))
    assert (only(world).engagement, only(world).reach, rows(world.storage)[0].engagement) == ({}, None, None)


def test_new_counts_replace_the_old_ones_and_restate_nothing(world: World) -> None:
    acme, source = world.brand(), world.source()
    item = of(world.item("a", {acme: "negative"}), engagement={"likes": 3, "views": 50}, reach=10)
    world.collect(source, item)
    before, restated = volumes(world.storage, acme.id, world.now), world.storage.mentions.restated()
    assert world.collect(source, of(item, engagement={"likes": 9}, reach=None)) == Stored()
    mention = only(world)
    assert (mention.engagement, mention.reach) == ({"likes": 9, "views": 50}, 10), "the last that is known of each"
    assert (volumes(world.storage, acme.id, world.now), world.storage.mentions.restated()) == (before, restated)
    assert (mention.edited_at, world.storage.posts.versions(mention.post_id)) == (None, [])


def test_a_post_is_found_by_its_link(world: World) -> None:
    world.collect(world.source(), world.item("a"), of(world.item("b"), url=None))
    assert [row.url_hash for row in rows(world.storage)] == [url_hash("https://diario.example/a"), None]
    assert -(2**63) <= url_hash("https://diario.example/a") < 2**63


# ── edits ────────────────────────────────────────────────────────────────────


def test_an_edit_keeps_what_was_said_before(world: World) -> None:
    acme, source, later = world.brand(), world.source(), world.now + timedelta(days=1)
    item = world.item("a", {acme: "negative"}, title="La factura", text="Otra vez mal")
    world.collect(source, item)
    story = only(world).story_id
    before = volumes(world.storage, acme.id, world.now)

    assert world.collect(source, of(item, text="Ya está resuelto"), at=later) == Stored(edited=1)

    mention = only(world)
    assert (mention.title, mention.text, mention.edited_at) == ("La factura", "Ya está resuelto", later)
    (version,) = world.storage.posts.versions(mention.post_id)
    assert (version.at, version.title, version.text) == (later, "La factura", "Otra vez mal")
    assert (mention.story_id, mention.label) == (story, "negative")
    assert volumes(world.storage, acme.id, world.now) == before, "until it is heard again it counts as it did"
    assert [len(mentions(world, text=word)) for word in ("resuelto", "factura", "mal")] == [1, 1, 0]


def test_white_space_is_no_edit(world: World) -> None:
    acme, source = world.brand(), world.source()
    item = world.item("a", {acme: "negative"}, title="La factura", text="Otra vez mal")
    world.collect(source, item)
    assert world.collect(source, of(item, title=" La  factura", text="Otra\n vez mal\n")) == Stored()
    assert only(world).edited_at is None


def test_storing_an_edit_twice_is_storing_it_once(world: World) -> None:
    acme, source = world.brand(), world.source()
    item = world.item("a", {acme: "negative"}, text="Otra vez mal")
    world.collect(source, item)
    edited = of(item, text="Ya está")
    assert [world.collect(source, edited).edited, world.collect(source, edited).edited] == [1, 0]


def test_the_source_s_own_word_on_when_it_was_edited_stands(world: World) -> None:
    acme, source, at = world.brand(), world.source(), world.now - timedelta(minutes=3)
    item = world.item("a", {acme: "negative"}, text="Otra vez mal")
    world.collect(source, item)
    world.collect(source, of(item, text="Ya está", edited_at=at))
    assert only(world).edited_at == at
    world.collect(source, of(item, text="Ya no", edited_at=at))
    assert only(world).edited_at == world.now, "another version, though the source does not say so"


def test_an_edited_mention_is_heard_again_unless_a_person_has_spoken(world: World) -> None:
    acme, source = world.brand(), world.source()
    evidence = (Evidence(0, 4, "Otra", -1.0),)
    items = [world.item(key, {acme: "negative"}, text=f"Otra vez {key}", evidence=evidence) for key in "ab"]
    world.collect(source, *items)
    corrected = next(m for m in mentions(world) if m.title == "b").post_id
    world.storage.mentions.correct("acme", corrected, "neutral", "ana", "", world.now)

    world.collect(source, *(of(item, text="Todo bien") for item in items))

    (unheard,) = world.storage.mentions.provisional(10)
    assert (unheard.title, unheard.text, unheard.edited_at) == ("a", "Todo bien", world.now)
    assert [m.sentiment.evidence for m in mentions(world)] == [(), ()], "these words are not in it any more"
    tone = Sentiment("positive", 0.5, "careful/1", "es")
    world.storage.mentions.restate([Rescored(acme.id, unheard.post_id, tone, unheard.edited_at)], world.now)
    assert {m.title: m.label for m in mentions(world)} == {"a": "positive", "b": "neutral"}
    assert volumes(world.storage, acme.id, world.now) == {
        "negative": (0, 0, 0, 0),
        "positive": (1, 0, 0, 0),
        "neutral": (1, 0, 0, 0),
    }
    world.storage.mentions.correct("acme", corrected, None, "ana", "", world.now)
    assert [one.post_id for one in world.storage.mentions.provisional(10)] == [corrected], "now it is to be heard"


def test_what_was_edited_while_it_was_heard_is_heard_once_more(world: World) -> None:
    acme, source = world.brand(), world.source()
    item = world.item("a", {acme: "negative"}, text="Otra vez mal", provisional=True)
    world.collect(source, item)
    (unheard,) = world.storage.mentions.provisional(10)
    world.collect(source, of(item, text="Todo bien"))
    old = Rescored(acme.id, unheard.post_id, Sentiment("negative", -0.9, "careful/1", "es"), unheard.edited_at)
    assert world.storage.mentions.restate([old], world.now) == []
    assert [one.text for one in world.storage.mentions.provisional(10)] == ["Todo bien"]


def test_a_brand_that_is_named_now_gets_its_mention_and_one_named_before_keeps_its_own(world: World) -> None:
    acme, zeta, source = world.brand("acme"), world.brand("zeta"), world.source()
    item = world.item("a", {acme: "negative"}, text="Acme falla")
    world.collect(source, item)
    now = replace(of(item, text="Zeta falla"), sentiments={zeta.id: Sentiment("neutral", 0.0, "test/1", "es")})
    assert world.collect(source, now) == Stored(mentions=1, edited=1)
    assert {(m.brand, m.text, m.sentiment.provisional) for m in mentions(world)} == {
        ("acme", "Zeta falla", True),
        ("zeta", "Zeta falla", False),
    }
    assert len(mentions(world, text="zeta", brands=("zeta",))) == 1


def test_a_post_that_becomes_a_mention_by_its_edit_is_found_by_its_new_words(world: World) -> None:
    acme, source = world.brand(), world.source()
    item = world.item("a", text="Nada de nadie")
    world.collect(source, item)
    tone = {acme.id: Sentiment("neutral", 0.0, "test/1", "es")}
    due = world.now + HOUR
    named = replace(of(item, text="Acme falla"), sentiments=tone, external_id="77", recount_at=due)
    world.collect(source, named)
    assert [len(mentions(world, text=word)) for word in ("falla", "nadie")] == [1, 0]
    assert [(row.external_id, row.recount_at) for row in rows(world.storage)] == [("77", due)]


def test_stars_that_are_changed_are_heard_again_and_are_no_version(world: World) -> None:
    acme, source = world.brand(), world.source()
    item = of(world.item("a", {acme: "positive"}), rating=5)
    world.collect(source, item)
    assert world.collect(source, of(item, rating=1)) == Stored(edited=1)
    (unheard,) = world.storage.mentions.provisional(10)
    assert (unheard.rating, world.storage.posts.versions(unheard.post_id)) == (1, [])


def test_a_feed_that_counts_in_its_text_leaves_one_version_an_hour(world: World) -> None:
    acme, source = world.brand(), world.source()
    item = world.item("a", {acme: "neutral"}, text="Leído 0 veces")
    world.collect(source, item)
    for minutes in range(15, 151, 15):
        at = world.now + timedelta(minutes=minutes)
        world.collect(source, of(item, text=f"Leído {minutes} veces"), at=at)
    mention = only(world)
    assert mention.text == "Leído 150 veces", "what is shown is what it says"
    assert [v.text for v in world.storage.posts.versions(mention.post_id)] == [
        "Leído 0 veces",
        "Leído 60 veces",
        "Leído 120 veces",
    ]


def test_of_many_versions_the_first_and_the_last_stay(world: World) -> None:
    acme, source = world.brand(), world.source()
    item = world.item("a", {acme: "neutral"}, text="0")
    world.collect(source, item)
    for hour in range(1, 31):
        world.collect(source, of(item, text=f"{hour}"), at=world.now + hour * HOUR)
    kept = [v.text for v in world.storage.posts.versions(only(world).post_id)]
    assert kept == ["0", *(f"{n}" for n in range(30 - (MOST_VERSIONS - 1), 30))]


def test_another_source_of_the_same_posts_edits_none_but_counts(world: World) -> None:
    acme, one, two = world.brand(), world.source("uno"), world.source("dos")
    item = world.item("a", {acme: "neutral"}, text="El texto entero")
    world.collect(one, item)
    assert world.collect(two, of(item, text="El texto", engagement={"likes": 1})) == Stored()
    assert (only(world).text, only(world).engagement) == ("El texto entero", {"likes": 1})


# ── withdrawals ──────────────────────────────────────────────────────────────


def test_what_is_taken_back_is_erased_and_still_counts(world: World) -> None:
    acme, source, later = world.brand(), world.source(), world.now + HOUR
    evidence = (Evidence(0, 4, "Otra", -1.0),)
    item = world.item("a", {acme: "negative"}, text="Otra vez mal", evidence=evidence)
    world.collect(source, item, world.item("b", {acme: "neutral"}))
    world.collect(source, of(item, text="Otra vez peor"), at=world.now + timedelta(minutes=1))
    before = volumes(world.storage, acme.id, world.now)
    tag = world.storage.mentions.page_tag(MentionFilter())

    assert withdraw(world, source, item, at=later) == Stored(withdrawn=1)

    gone = next(m for m in mentions(world) if m.withdrawn_at)
    assert (gone.title, gone.text, gone.author, gone.url) == ("", "", None, None)
    assert (gone.label, gone.withdrawn_at, gone.sentiment.evidence) == ("negative", later, ())
    assert world.storage.posts.versions(gone.post_id) == []
    assert mentions(world, text="vez") == []
    assert volumes(world.storage, acme.id, world.now) == before
    assert world.storage.mentions.page_tag(MentionFilter()) != tag
    assert world.storage.mentions.waiting() == 0, "there is nothing to hear"
    assert [p.withdrawn_at for p in world.storage.posts.page() if p.id == gone.post_id] == [later]
    assert withdraw(world, source, item, at=later) == Stored(), "once"


def test_what_was_taken_back_never_comes_back(world: World) -> None:
    acme, zeta, source = world.brand("acme"), world.brand("zeta"), world.source()
    item = world.item("a", {acme: "negative"}, text="Otra vez mal")
    world.collect(source, item)
    withdraw(world, source, item)
    again = world.item("a", {acme: "negative", zeta: "negative"}, text="Otra vez mal")
    assert world.collect(source, of(again, engagement={"likes": 4})) == Stored()
    assert (only(world).text, only(world).engagement, only(world).brand) == ("", {}, "acme")
    assert world.storage.posts.known([item.dedupe_key])[item.dedupe_key].withdrawn


def test_what_is_said_and_taken_back_in_one_breath_leaves_no_words(world: World) -> None:
    acme, source = world.brand(), world.source()
    item = world.item("a", {acme: "negative"}, text="Otra vez mal")
    world.storage.sources.claim_due(world.now, 100, "walk")
    world.storage.posts.store(world.batch(source, item, gone=(item.dedupe_key, b"never was seen.")), world.now)
    assert (only(world).text, only(world).withdrawn_at) == ("", world.now)


def test_nobody_hears_again_what_was_taken_back(world: World) -> None:
    acme, source = world.brand(), world.source()
    item = world.item("a", {acme: "negative"}, text="Otra vez mal", provisional=True)
    world.collect(source, item)
    (unheard,) = world.storage.mentions.provisional(10)
    withdraw(world, source, item)
    heard = Sentiment("negative", -0.9, "careful/1", "es", evidence=(Evidence(0, 4, "Otra", -1.0),))
    assert world.storage.mentions.restate([Rescored(acme.id, unheard.post_id, heard)], world.now) == []
    assert world.storage.mentions.doubt(None, None, world.now + HOUR) == 0
    assert (world.storage.mentions.waiting(), only(world).label, only(world).sentiment.evidence) == (0, "negative", ())


def test_a_copy_of_what_was_taken_back_is_a_copy_still(world: World) -> None:
    acme, source = world.brand(), world.source()
    first, copy = (world.item(key, {acme: "negative"}, story="s", text="Lo mismo") for key in "ab")
    world.collect(source, first)
    withdraw(world, source, first)
    assert world.collect(source, copy) == Stored(1, 1, 1)
    assert {m.text for m in mentions(world)} == {"", "Lo mismo"}


# ── asked for again ─────────────────────────────────────────────────────────────────


def due_again(world: World, key: str, about: Any = None, due: timedelta = HOUR) -> CollectedPost:
    item = world.item(key, about, text=f"Texto {key}")
    return replace(item, external_id=f"id-{key}", recount_at=world.now + due)


def test_posts_are_asked_for_again_a_source_at_a_time_those_that_waited_longest_first(world: World) -> None:
    acme, one, two = world.brand(), world.source("uno"), world.source("dos")
    world.collect(one, *(due_again(world, key, {acme: "neutral"}, age) for key, age in (("a", HOUR), ("b", 2 * HOUR))))
    world.collect(two, due_again(world, "c", {acme: "neutral"}, HOUR / 2))
    posts_store, now = world.storage.posts, world.now
    assert posts_store.to_revisit(now) is None
    assert posts_store.to_revisit(now + HOUR) == "dos"
    late = now + 3 * HOUR
    (claimed,) = posts_store.claim_revisits(one.id, late, late + HOUR, 1)
    item = due_again(world, "a")
    assert claimed == ToRevisit(claimed.post_id, item.dedupe_key, "id-a", item.published_at)
    assert [row.external_id for row in posts_store.claim_revisits(one.id, late, late + HOUR, 9)] == ["id-b"]
    assert posts_store.claim_revisits(one.id, late, late + HOUR, 9) == [], "claimed"
    assert len(posts_store.claim_revisits(one.id, late + HOUR, late + 2 * HOUR, 9)) == 2, "nothing came of it"
    posts_store.put_off(two.id, late, late + HOUR)
    assert posts_store.to_revisit(late) is None


def test_what_became_of_posts_is_stored_as_one(world: World) -> None:
    acme, source = world.brand(), world.source()
    items = [due_again(world, key, {acme: "neutral"}) for key in "abc"]
    world.collect(source, *items)
    late = world.now + HOUR
    claimed = world.storage.posts.claim_revisits(source.id, late, late + HOUR, 9)
    became = Became(
        items=[of(items[0], engagement={"likes": 7}), of(items[1], text="Otro texto")],
        gone=[items[2].dedupe_key],
        next_at={claimed[0].post_id: late + 5 * HOUR, claimed[1].post_id: None, claimed[2].post_id: late + HOUR},
    )
    assert world.storage.posts.revisited(source.id, became, late) == Stored(edited=1, withdrawn=1)
    assert {m.title: (m.text, dict(m.engagement)) for m in mentions(world)} == {
        "a": ("Texto a", {"likes": 7}),
        "b": ("Otro texto", {}),
        "": ("", {}),
    }
    assert [(row.recount_at, row.external_id) for row in rows(world.storage)] == [
        (late + 5 * HOUR, "id-a"),
        (None, "id-b"),
        (None, None),
    ]


@pytest.mark.parametrize("number", [1, 600])
def test_a_batch_of_edits_and_withdrawals_of_any_size_is_one_transaction(world: World, number: int) -> None:
    acme, source = world.brand(), world.source()
    items = [world.item(f"n{n}", {acme: "neutral"}, text="antes") for n in range(number)]
    world.collect(source, *items)
    assert world.collect(source, *(of(item, text="después") for item in items)) == Stored(edited=number)
    assert withdraw(world, source, *items) == Stored(withdrawn=number)
    assert volumes(world.storage, acme.id, world.now) == {"neutral": (number, 0, 0, 0)}
