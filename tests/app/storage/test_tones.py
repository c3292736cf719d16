"""Tones that change: heard again, corrected, doubted. Whatever happens, the volumes are a recount of the mentions."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.model import LABELS, Correction, Label, Mention, MentionFilter, Sentiment
from app.storage import Storage
from app.storage import tones as room
from app.storage.records import Judged, Rescored, Restated, Unheard

World = Any
EVERYTHING = MentionFilter()
DAY = timedelta(days=1)


def heard(label: Label, *probabilities: float, **fields: Any) -> Sentiment:
    """What the careful scorer says."""
    odds = (probabilities[0], probabilities[1], probabilities[2]) if probabilities else None
    score = odds[2] - odds[0] if odds else None
    return Sentiment(label, score, **{"scorer": "careful/1", "language": "es", "probabilities": odds} | fields)


def only(storage: Storage, **wanted: Any) -> Mention:
    (mention,) = storage.mentions.page(MentionFilter(**wanted))
    return mention


def by_title(storage: Storage) -> dict[str, Mention]:
    return {mention.title: mention for mention in storage.mentions.page(EVERYTHING, limit=1_000)}


def volumes(storage: Storage, brand_id: int, now: Any) -> dict[str, tuple[float, ...]]:
    rows = storage.volumes.series(brand_id, now - 30 * DAY, now + DAY, 300)
    counts: Counter[tuple[str, int]] = Counter()
    for row in rows:
        numbers = (row.stories, row.copies, row.backfill_stories, row.backfill_copies)
        counts.update({(row.label, place): number for place, number in enumerate(numbers)})
    found = {label: tuple(counts[label, place] for place in range(4)) for label in LABELS}
    return {label: numbers for label, numbers in found.items() if any(numbers)}


# ── heard again ──────────────────────────────────────────────────────────────


def test_what_is_provisional_waits_newest_first_as_it_was_first_heard(world: World) -> None:
    acme, zeta, source = world.brand("acme"), world.brand("zeta"), world.source()
    world.collect(
        source,
        world.item("old", {acme: "neutral"}, age=timedelta(hours=2), provisional=True, language_confidence=0.5),
        world.item("new", {acme: "neutral", zeta: "neutral"}, text="Algo", provisional=True, language_confidence=0.75),
        world.item("final", {acme: "neutral"}),
    )
    ids = {title: mention.post_id for title, mention in by_title(world.storage).items()}
    new = Unheard(zeta.id, ids["new"], "new", "Algo", False, "es", 0.75)
    old = Unheard(acme.id, ids["old"], "old", "", False, "es", 0.5)
    assert world.storage.mentions.provisional(10) == [new, replace(new, brand_id=acme.id), old]
    assert world.storage.mentions.provisional(1) == [new]
    assert world.storage.mentions.waiting() == 3


def test_a_language_that_only_the_source_claims_is_not_taken_for_one_that_was_heard(world: World) -> None:
    acme, source = world.brand(), world.source()
    item = world.item("a", {acme: "unknown"}, provisional=True)
    unsure = replace(item.sentiments[acme.id], language=None, language_confidence=0.2)
    world.collect(source, replace(item, sentiments={acme.id: unsure}))
    [unheard] = world.storage.mentions.provisional(1)
    assert (unheard.language, unheard.language_confidence) == (None, 0.2)
    assert only(world.storage, languages=("es",)).sentiment.language == "es", "a reader sees what the source claims"
    world.storage.mentions.correct("acme", unheard.post_id, "neutral", "ana", "", world.now)
    world.storage.mentions.correct("acme", unheard.post_id, None, "ana", "", world.now)
    assert world.storage.mentions.provisional(1) == [unheard]


def test_hearing_again_moves_a_mention_to_where_it_counts_now(world: World) -> None:
    acme, source, later = world.brand(), world.source(), world.now + timedelta(minutes=7)
    world.collect(source, world.item("a", {acme: "neutral"}, provisional=True), world.item("b", {acme: "neutral"}))
    mention = by_title(world.storage)["a"]
    told = heard("negative", 0.8, 0.15, 0.05)

    restated = world.storage.mentions.restate([Rescored(acme.id, mention.post_id, told)], later)

    assert restated == [Restated("acme", mention.post_id, "neutral", "negative")]
    after = only(world.storage, labels=("negative",))
    assert after.sentiment == told
    assert (after.was, after.scored_at, after.fetched_at) == ("neutral", later, world.now)
    assert world.storage.mentions.waiting() == 0
    for width_s in (300, 3600):
        rows = world.storage.volumes.series(acme.id, world.now, world.now + DAY, width_s)
        assert [(r.label, r.stories, r.negative, r.neutral, r.positive, r.restated_at) for r in rows] == [
            ("negative", 1, 0.8, 0.15, 0.05, later),
            ("neutral", 1, 0.0, 1.0, 0.0, later),
        ]


def test_a_label_that_stays_is_no_longer_provisional_and_its_probabilities_count(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "negative"}, provisional=True, probabilities=(0.5, 0.4, 0.1)))
    mention = only(world.storage)
    told = heard("negative", 0.9, 0.1, 0.0)
    [restated] = world.storage.mentions.restate([Rescored(acme.id, mention.post_id, told)], world.now)
    assert (restated.was, restated.label) == ("negative", "negative")
    assert only(world.storage).sentiment == told
    [row] = world.storage.volumes.series(acme.id, world.now, world.now + DAY, 300)
    assert (row.stories, row.negative, row.neutral, row.positive) == (1, 0.9, 0.1, 0.0)


def test_a_copy_that_keeps_its_label_changes_no_bin(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "neutral"}, story="s"))
    world.collect(source, world.item("b", {acme: "neutral"}, story="s", age=timedelta(hours=3), provisional=True))
    told = heard("neutral", 0.1, 0.8, 0.1)
    world.storage.mentions.restate([Rescored(acme.id, by_title(world.storage)["b"].post_id, told)], world.now)
    rows = world.storage.volumes.series(acme.id, world.now - DAY, world.now + DAY, 300)
    assert [row.restated_at for row in rows] == [None, None]
    assert world.storage.mentions.waiting() == 0


def test_the_last_word_is_never_provisional(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "neutral"}, provisional=True))
    told = heard("negative", 0.8, 0.1, 0.1, provisional=True)
    world.storage.mentions.restate([Rescored(acme.id, only(world.storage).post_id, told)], world.now)
    assert world.storage.mentions.provisional(10) == []
    assert not only(world.storage).sentiment.provisional


def test_copies_and_history_are_restated_where_they_are_counted(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, *(world.item(key, {acme: "neutral"}, story="s") for key in ("story", "copy")))
    world.collect(
        source, *(world.item(key, {acme: "neutral"}, story="h", backfill=True) for key in ("past", "past copy"))
    )
    told = heard("negative", 0.8, 0.1, 0.1)
    expected = {"story": (1, 0, 0, 0), "copy": (1, 1, 0, 0), "past": (1, 1, 1, 0), "past copy": (1, 1, 1, 1)}
    for title, counts in expected.items():
        mention = by_title(world.storage)[title]
        world.storage.mentions.restate([Rescored(acme.id, mention.post_id, told)], world.now)
        assert volumes(world.storage, acme.id, world.now)["negative"] == counts
    assert volumes(world.storage, acme.id, world.now) == {"negative": (1, 1, 1, 1)}


def test_of_one_post_each_brand_has_its_own_reading(world: World) -> None:
    acme, zeta, source = world.brand("acme"), world.brand("zeta"), world.source()
    world.collect(source, world.item("a", {acme: "neutral", zeta: "neutral"}, provisional=True))
    told = heard("negative", 0.8, 0.1, 0.1)
    post_id = only(world.storage, brands=("acme",)).post_id
    assert world.storage.mentions.restate([Rescored(acme.id, post_id, told)], world.now) == [
        Restated("acme", post_id, "neutral", "negative")
    ]
    assert only(world.storage, brands=("zeta",)).label == "neutral"


def test_what_does_not_exist_is_not_restated(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "neutral"}))
    told = heard("negative", 0.8, 0.1, 0.1)
    post_id = only(world.storage).post_id
    strays = [Rescored(acme.id, post_id + 1, told), Rescored(acme.id + 1, post_id, told)]
    assert world.storage.mentions.restate(strays, world.now) == world.storage.mentions.restate([], world.now) == []


def test_two_who_heard_the_same_restate_it_once(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "neutral"}, provisional=True))
    told = [Rescored(acme.id, only(world.storage).post_id, heard("negative", 0.8, 0.1, 0.1))]
    assert len(world.storage.mentions.restate(told, world.now)) == 1
    before = world.storage.mentions.restated()
    assert world.storage.mentions.restate(told, world.now + DAY) == []
    assert (only(world.storage).was, world.storage.mentions.restated()) == ("neutral", before)


def test_a_change_of_tone_makes_the_brand_due_and_its_pages_other_ones(world: World) -> None:
    acme, zeta, source = world.brand("acme"), world.brand("zeta"), world.source()
    world.collect(source, world.item("a", {acme: "neutral"}, provisional=True))
    told = [Rescored(acme.id, only(world.storage).post_id, heard("negative", 0.8, 0.1, 0.1))]
    post_id = told[0].post_id
    mentions = world.storage.mentions

    changes: dict[str, Callable[[], object]] = {
        "restate": lambda: mentions.restate(told, world.now),
        "correct": lambda: mentions.correct("acme", post_id, "positive", "ana", "", world.now),
        "take back": lambda: mentions.correct("acme", post_id, None, "ana", "", world.now),
        "doubt": lambda: mentions.doubt(None, None, world.now),
    }
    for name, change in changes.items():
        for watch in world.storage.watches.due(world.now):
            world.storage.watches.save(Judged(watch.brand.id, world.now, {}, (), watch.revision), world.now)
        assert world.storage.watches.due(world.now) == []
        tags = [mentions.page_tag(MentionFilter(brands=(slug,))) for slug in ("acme", "zeta")]
        change()
        assert [watch.brand.slug for watch in world.storage.watches.due(world.now)] == ["acme"], name
        after = [mentions.page_tag(MentionFilter(brands=(slug,))) for slug in ("acme", "zeta")]
        assert [one == other for one, other in zip(tags, after, strict=True)] == [False, True], name
    assert mentions.restated() == 4
    assert mentions.count() == 1, "nothing was said that was not said before"
    assert zeta.slug == "zeta"


def test_a_tone_that_changes_while_the_walk_decides_leaves_the_brand_due(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "neutral"}))
    [watch] = world.storage.watches.due(world.now)
    world.storage.mentions.correct("acme", only(world.storage).post_id, "negative", "ana", "", world.now)
    world.storage.watches.save(Judged(acme.id, world.now, {}, (), watch.revision), world.now)
    assert len(world.storage.watches.due(world.now)) == 1


# ── corrected ────────────────────────────────────────────────────────────────


def test_a_persons_word_counts_and_the_reading_stays_beside_it(world: World) -> None:
    acme, source, later = world.brand(), world.source(), world.now + timedelta(hours=1)
    world.collect(source, world.item("a", {acme: "negative"}, probabilities=(0.6, 0.3, 0.1)))
    before = only(world.storage)

    mention = world.storage.mentions.correct("acme", before.post_id, "positive", "ana", "Irony", later)

    assert mention == replace(before, correction=Correction("positive", "ana", later, "Irony"))
    assert mention == world.storage.mentions.get("acme", before.post_id) == only(world.storage, labels=("positive",))
    assert (mention.label, mention.score, mention.sentiment.label) == ("positive", 1.0, "negative")
    rows = world.storage.volumes.series(acme.id, world.now, world.now + DAY, 300)
    assert [(r.label, r.stories, r.negative, r.neutral, r.positive, r.restated_at) for r in rows] == [
        ("negative", 0, 0.0, 0.0, 0.0, later),
        ("positive", 1, 0.0, 0.0, 1.0, later),
    ]


def test_unknown_may_be_a_persons_word(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "negative"}))
    mention = world.storage.mentions.correct("acme", only(world.storage).post_id, "unknown", "ana", "", world.now)
    assert (mention.label, mention.score) == ("unknown", None)
    [_, row] = world.storage.volumes.series(acme.id, world.now, world.now + DAY, 300)
    assert (row.label, row.stories, row.negative, row.neutral, row.positive) == ("unknown", 1, 0.0, 0.0, 0.0)


def test_a_correction_taken_back_leaves_the_mention_as_it_was(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "negative"}, probabilities=(0.45, 0.4, 0.15), provisional=True))
    before = only(world.storage)
    mentions = world.storage.mentions
    mentions.correct("acme", before.post_id, "positive", "ana", "", world.now)
    assert mentions.waiting() == 0, "nobody is to hear again what a person has heard"
    assert mentions.correct("acme", before.post_id, None, "eva", "", world.now) == before
    assert mentions.waiting() == 1
    [row] = [r for r in world.storage.volumes.series(acme.id, world.now, world.now + DAY, 300) if r.stories]
    assert (row.label, row.negative, row.neutral, row.positive) == ("negative", 0.45, 0.4, 0.15)


def test_no_scorer_overrules_a_person(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "neutral"}, provisional=True))
    [unheard] = world.storage.mentions.provisional(1)
    corrected = world.storage.mentions.correct("acme", unheard.post_id, "positive", "ana", "", world.now)
    late = Rescored(acme.id, unheard.post_id, heard("negative", 0.8, 0.1, 0.1))
    assert world.storage.mentions.restate([late], world.now + DAY) == []
    assert world.storage.mentions.doubt(None, None, world.now + DAY) == 0
    assert only(world.storage) == corrected


def test_a_correction_is_of_the_story_and_its_later_copies_get_it(world: World) -> None:
    acme, zeta, one, two = world.brand("acme"), world.brand("zeta"), world.source("uno"), world.source("dos")
    tone = {acme: "negative", zeta: "negative"}
    world.collect(one, *(world.item(key, tone, story="s") for key in ("first", "second")), world.item("other", tone))
    first = by_title(world.storage)["second"]
    world.storage.mentions.correct("acme", first.post_id, "neutral", "ana", "", world.now)
    world.collect(
        two,
        *(world.item(key, tone, story="s", age=age) for key, age in (("third", timedelta()), ("fourth", DAY / 2))),
        world.item("past", tone, story="s", backfill=True),
    )

    labels = {
        slug: {m.title: m.label for m in world.storage.mentions.page(MentionFilter(brands=(slug,)))}
        for slug in ("acme", "zeta")
    }
    told = ("first", "second", "third", "fourth", "past")
    assert labels["acme"] == dict.fromkeys(told, "neutral") | {"other": "negative"}
    assert set(labels["zeta"].values()) == {"negative"}, "another brand's story is another story"
    assert volumes(world.storage, acme.id, world.now) == {"negative": (1, 0, 0, 0), "neutral": (1, 3, 0, 1)}
    late = next(m for m in world.storage.mentions.page(MentionFilter(brands=("acme",))) if m.title == "third")
    assert (late.correction, late.sentiment.label) == (Correction("neutral", "ana", world.now), "negative")

    world.storage.mentions.correct("acme", late.post_id, None, "eva", "", world.now)
    assert volumes(world.storage, acme.id, world.now) == {"negative": (2, 3, 0, 1)}
    world.collect(one, world.item("fifth", tone, story="s"))
    assert volumes(world.storage, acme.id, world.now) == {"negative": (2, 4, 0, 1)}, (
        "what was taken back is not passed on"
    )


def test_a_post_that_becomes_a_mention_later_gets_what_was_said_of_its_story(world: World) -> None:
    acme, source = world.brand("acme"), world.source()
    world.collect(source, world.item("a", {acme: "negative"}, story="s"), world.item("b", story="s"))
    world.storage.mentions.correct("acme", only(world.storage).post_id, "neutral", "ana", "", world.now)
    world.collect(source, world.item("b", {acme: "negative"}, story="s"))
    assert {m.title: m.label for m in world.storage.mentions.page(EVERYTHING)} == {"a": "neutral", "b": "neutral"}


def test_every_word_is_written_down_and_the_last_one_counts(world: World) -> None:
    acme, zeta, source = world.brand("acme"), world.brand("zeta"), world.source()
    world.collect(
        source,
        world.item("a", {acme: "negative"}, text="Texto", probabilities=(0.6, 0.3, 0.1), story="s"),
        world.item("b", {acme: "negative"}, story="s"),
        world.item("c", {zeta: "unknown"}),
    )
    ids = {title: mention.post_id for title, mention in by_title(world.storage).items()}
    times = [world.now + timedelta(minutes=minute) for minute in range(5)]
    mentions = world.storage.mentions
    mentions.correct("acme", ids["a"], "neutral", "ana", "one", times[0])
    mentions.correct("acme", ids["b"], "positive", "eva", "two", times[1])
    mentions.correct("acme", ids["a"], None, "ana", "three", times[2])
    mentions.correct("zeta", ids["c"], "negative", "ana", "four", times[3])
    mentions.correct("acme", ids["a"], "neutral", "ana", "five", times[4])

    told = mentions.corrections()
    assert [(c.brand, c.title, c.was, c.label, c.machine, c.by, c.at, c.note) for c in told] == [
        ("acme", "a", "negative", "neutral", "negative", "ana", times[4], "five"),
        ("zeta", "c", "unknown", "negative", "unknown", "ana", times[3], "four"),
        ("acme", "a", "positive", None, "negative", "ana", times[2], "three"),
        ("acme", "b", "neutral", "positive", "negative", "eva", times[1], "two"),
        ("acme", "a", "negative", "neutral", "negative", "ana", times[0], "one"),
    ]
    assert (told[0].text, told[0].reply, told[0].language, told[0].story_id) == ("Texto", False, "es", ids["a"])
    assert (told[0].probabilities, told[1].probabilities) == ((0.6, 0.3, 0.1), None)

    assert mentions.corrections(in_force=True) == told[:2]
    assert mentions.corrections(["zeta"]) == told[1:2]
    assert mentions.corrections([]) == mentions.corrections(["nobody"]) == []
    pages, before = [], None
    while page := mentions.corrections(before_id=before, limit=2):
        pages += page
        before = page[-1].id
    assert pages == told


def test_saying_the_same_again_changes_nothing(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "negative"}))
    post_id = only(world.storage).post_id
    mentions = world.storage.mentions

    def says(label: Label | None, by: str = "ana", note: str = "") -> tuple[int, int]:
        mentions.correct("acme", post_id, label, by, note, world.now + DAY)
        return len(mentions.corrections()), mentions.restated()

    assert says(None) == (0, 0), "there is nothing to take back"
    assert says("neutral") == (1, 1)
    assert says("neutral") == (1, 1)
    assert says("neutral", note="why") == (2, 2), "the control: somebody who says more is heard"
    assert says("neutral", "eva", "why") == (3, 3)
    assert says("neutral", "eva", "why") == (3, 3)
    assert says(None) == (4, 4)
    assert says(None) == (4, 4)
    assert acme.slug == "acme"


def test_there_is_nothing_to_correct_where_nothing_was_said(world: World) -> None:
    acme, _ = world.brand("acme"), world.brand("zeta")
    world.collect(world.source(), world.item("a", {acme: "negative"}))
    post_id = only(world.storage).post_id
    correct = world.storage.mentions.correct
    assert correct("zeta", post_id, "neutral", "ana", "", world.now) is None
    assert correct("acme", post_id + 1, "neutral", "ana", "", world.now) is None
    assert correct("nobody", post_id, "neutral", "ana", "", world.now) is None
    assert world.storage.mentions.corrections() == []


def test_a_note_of_any_characters_is_taken(world: World) -> None:
    acme = world.brand()
    world.collect(world.source(), world.item("a", {acme: "negative"}))
    note = "ni\0\ud800ño" + "x" * 5_000
    mention = world.storage.mentions.correct("acme", only(world.storage).post_id, "neutral", "a\0na", note, world.now)
    assert mention.correction.by == "ana"
    assert mention.correction.note.startswith("ni?ño")
    assert len(mention.correction.note) < 2_001
    assert world.storage.mentions.corrections()[0].note == mention.correction.note
    before = world.storage.mentions.restated()
    world.storage.mentions.correct("acme", mention.post_id, "neutral", "a\0na", note, world.now)
    assert world.storage.mentions.restated() == before


def test_a_story_told_very_often_is_corrected_as_a_whole(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, *(world.item(f"n{number}", {acme: "negative"}, story="s") for number in range(1_201)))
    post_id = world.storage.mentions.page(EVERYTHING, limit=1)[0].post_id
    world.storage.mentions.correct("acme", post_id, "neutral", "ana", "", world.now)
    assert volumes(world.storage, acme.id, world.now) == {"neutral": (1, 1_200, 0, 0)}


def test_the_proof_of_an_alert_is_what_counts(world: World) -> None:
    acme, source = world.brand(), world.source()
    items = [world.item(key, {acme: label}) for key, label in (("good", "positive"), ("bad", "negative"))]
    world.collect(source, *items)
    ids = {title: mention.post_id for title, mention in by_title(world.storage).items()}
    for title, label in (("good", "negative"), ("bad", "neutral")):
        world.storage.mentions.correct("acme", ids[title], label, "ana", "", world.now)
    window = acme.id, world.now, world.now + DAY
    assert [mention.title for mention, _ in world.storage.mentions.top_negative(*window, 5)] == ["good"]
    assert world.storage.mentions.summary(*window).by_label == {"negative": 1, "neutral": 1}


# ── doubted ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("at_once", [2_000, 2, 3])
def test_what_was_published_in_a_span_is_heard_again(
    world: World, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(room, "DOUBTED", at_once)
    acme, zeta, source = world.brand("acme"), world.brand("zeta"), world.source()
    hours = {f"{hours}": timedelta(hours=hours) for hours in range(6)}
    world.collect(source, *(world.item(key, {acme: "neutral", zeta: "neutral"}, age=age) for key, age in hours.items()))
    posts = {m.title: m.post_id for m in world.storage.mentions.page(MentionFilter(brands=("acme",)))}
    world.storage.mentions.correct("zeta", posts["3"], "positive", "ana", "", world.now)
    span = world.now - timedelta(hours=4), world.now - timedelta(hours=1)
    assert world.storage.mentions.doubt(*span, world.now) == 5
    assert Counter(one.title for one in world.storage.mentions.provisional(100)) == {"2": 2, "3": 1, "4": 2}
    assert world.storage.mentions.doubt(*span, world.now) == 0, "they wait already"
    assert world.storage.mentions.doubt(None, None, world.now) == 6


def test_what_was_heard_after_the_doubt_is_not_doubted(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", {acme: "neutral"}))
    assert world.storage.mentions.doubt(None, None, world.now - timedelta(seconds=1)) == 0
    assert world.storage.mentions.doubt(None, None, world.now) == 1
    assert only(world.storage).sentiment.provisional


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_waits_and_a_storys_copies_are_found_by_an_index(world: World) -> None:
    newest = room.select(*(room.mentions.c[name] for name in room._KEY)).where(room.PROVISIONAL)
    story, copies = room._halves(1, 1)
    queries = {
        "ix_mentions_provisional": newest.order_by(*room.falling(room.mentions, room._KEY)).limit(5),
        "uq_mentions_story": story,
        "ix_mentions_copies": copies,
    }
    with world.storage._database.read() as connection:
        for index, query in queries.items():
            statement = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
            plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}"))
            assert index in plan, plan
            assert "TEMP B-TREE" not in plan


# ── at once ──────────────────────────────────────────────────────────────────


def test_two_workers_and_a_person_at_once_count_nothing_twice(
    world: World, open_another: Callable[[], Storage]
) -> None:
    acme, source = world.brand(), world.source()
    items = [world.item(f"n{n}", {acme: "neutral"}, provisional=True, story=f"s{n % 9}") for n in range(40)]
    world.collect(source, *items)
    mentions = world.storage.mentions.page(EVERYTHING, limit=100)
    told = [Rescored(acme.id, m.post_id, heard("negative", 0.7, 0.2, 0.1)) for m in mentions]
    start = threading.Barrier(4)

    def work(number: int) -> None:
        storage = open_another()
        start.wait()
        for turn in range(5):
            some = told[turn * 8 : turn * 8 + 8]
            if number < 2:
                storage.mentions.restate(some[::-1] if number else some, world.now)
            elif number == 2:
                for one in some[::3]:
                    storage.mentions.correct("acme", one.post_id, "positive", "ana", f"{turn}", world.now)
            else:
                late = [world.item(f"late {turn} {n}", {acme: "neutral"}, story=f"s{n}") for n in range(9)]
                storage.sources.poll_now("diario", world.now)
                storage.sources.claim_due(world.now, 1, "walk")
                storage.posts.store(world.batch(source, *late), world.now)

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work, range(4)))
    assert_recount(world.storage, {"acme": acme.id}, world.now)
    stories = {(m.story_id, m.label) for m in world.storage.mentions.page(EVERYTHING, limit=1_000) if m.correction}
    assert len({story for story, _ in stories}) == len(stories), "a story has one correction"
    assert {label for _, label in stories} == {"positive"}
    of_corrected = {story for story, _ in stories}
    uncorrected = [m for m in world.storage.mentions.page(EVERYTHING, limit=1_000) if m.correction is None]
    assert not of_corrected & {m.story_id for m in uncorrected}, "no copy slipped through"


# ── whatever happens ─────────────────────────────────────────────────────────


def assert_recount(storage: Storage, brand_ids: dict[str, int], now: Any) -> None:
    """The volumes are what a plain loop over all mentions counts, to the last millionth."""
    every = storage.mentions.page(MentionFilter(brands=tuple(brand_ids)), limit=10_000)
    for slug, brand_id in brand_ids.items():
        for width_s in (300, 3600):
            counts: dict[tuple[int, str], list[int]] = {}
            for mention in every:
                if mention.brand == slug:
                    at = int(mention.published_at.timestamp()) // width_s * width_s
                    row = counts.setdefault((at, mention.label), [0] * 7)
                    row[2 * mention.backfill + mention.copy] += 1
                    if not mention.copy:
                        for place, part in enumerate(parts(mention), start=4):
                            row[place] += part
            rows = storage.volumes.series(brand_id, now - 30 * DAY, now + DAY, width_s)
            stored = {
                (int(row.bin.timestamp()), row.label): [
                    *(row.stories, row.copies, row.backfill_stories, row.backfill_copies),
                    *(round(number * 1_000_000) for number in (row.negative, row.neutral, row.positive)),
                ]
                for row in rows
            }
            assert {key: row for key, row in stored.items() if any(row)} == counts


def parts(mention: Mention) -> list[int]:
    if mention.label == "unknown":
        return [0, 0, 0]
    if mention.correction is None and mention.sentiment.probabilities:
        return [round(p * 1_000_000) for p in mention.sentiment.probabilities]
    return [1_000_000 * (mention.label == label) for label in LABELS[:3]]


@st.composite
def sentiments(draw: st.DrawFn) -> Sentiment:
    label = draw(st.sampled_from(LABELS))
    if label == "unknown" or draw(st.integers(0, 9)) == 0:
        return Sentiment(label, None, "test/1", "es", provisional=draw(st.booleans()))
    weights = [draw(st.floats(0.01, 1)) for _ in range(3)]
    total = sum(weights)
    odds = (weights[0] / total, weights[1] / total, weights[2] / total)
    return heard(label, *odds, provisional=draw(st.booleans()))


class Changes(RuleBasedStateMachine):
    """Posts come in, are heard again, corrected, taken back, doubted, in any order."""

    world: World  # given by the test below, with
    examples: Iterator[int]  # each of them has brands and stories of its own

    @initialize()
    def begin(self) -> None:
        self.example = next(self.examples)
        self.brands = [self.world.brand(f"{slug}-{self.example}") for slug in ("acme", "zeta")]
        self.source = self.world.source()
        self.number = 0
        self.now = self.world.now

    @property
    def mentions(self) -> list[Mention]:
        return self.world.storage.mentions.page(MentionFilter(brands=tuple(self.ids)), limit=1_000)

    @property
    def ids(self) -> dict[str, int]:
        return {brand.slug: brand.id for brand in self.brands}

    @rule(
        posts=st.lists(
            st.tuples(
                st.dictionaries(st.integers(0, 1), sentiments(), min_size=1),
                st.integers(0, 2),
                st.integers(0, 90),
                st.booleans(),
            ),
            min_size=1,
            max_size=4,
        )
    )
    def collect(self, posts: list[tuple[dict[int, Sentiment], int, int, bool]]) -> None:
        items = []
        for tones, story, minutes, backfill in posts:
            self.number += 1
            item = self.world.item(
                f"{self.example} {self.number}",
                story=f"{self.example} {story}",
                age=timedelta(minutes=minutes),
                backfill=backfill,
            )
            items.append(replace(item, sentiments={self.brands[place].id: tone for place, tone in tones.items()}))
        self.world.collect(self.source, *items)

    @precondition(lambda self: self.number)
    @rule(data=st.data(), tones=st.lists(sentiments(), min_size=1, max_size=5))
    def hear_again(self, data: st.DataObject, tones: list[Sentiment]) -> None:
        some = data.draw(st.lists(st.sampled_from(self.mentions), min_size=len(tones), max_size=len(tones)))
        before = {(m.brand, m.post_id): m for m in self.mentions}
        told = {(m.brand, m.post_id): tone for m, tone in zip(some, tones, strict=True)}
        rescored = [Rescored(self.ids[slug], post_id, tone) for (slug, post_id), tone in told.items()]
        self.world.storage.mentions.restate(rescored, self.now)
        for mention in self.mentions:
            key = (mention.brand, mention.post_id)
            if key in told and mention.correction is None:
                assert mention.sentiment == replace(told[key], provisional=False)
            else:
                assert mention == before[key]

    @precondition(lambda self: self.number)
    @rule(data=st.data(), label=st.sampled_from([*LABELS, None]), by=st.sampled_from(["ana", "eva"]))
    def correct(self, data: st.DataObject, label: Label | None, by: str) -> None:
        one = data.draw(st.sampled_from(self.mentions))
        self.world.storage.mentions.correct(one.brand, one.post_id, label, by, "", self.now)
        for mention in self.mentions:
            if (mention.brand, mention.story_id) == (one.brand, one.story_id):
                assert (mention.correction and mention.correction.label) == label

    @rule(since=st.integers(0, 90), until=st.integers(0, 90))
    def doubt(self, since: int, until: int) -> None:
        span = (self.now - timedelta(minutes=minutes) for minutes in (since, until))
        self.world.storage.mentions.doubt(*span, self.now)

    @invariant()
    def the_volumes_are_a_recount(self) -> None:
        if hasattr(self, "brands"):
            assert_recount(self.world.storage, self.ids, self.now)

    @invariant()
    def what_waits_is_what_is_marked(self) -> None:
        if hasattr(self, "brands"):
            marked = [m for m in self.mentions if m.sentiment.provisional and m.correction is None]
            waiting = self.world.storage.mentions.provisional(10_000)
            mine = [one for one in waiting if one.brand_id in self.ids.values()]
            assert {(one.brand_id, one.post_id) for one in mine} == {(self.ids[m.brand], m.post_id) for m in marked}


@pytest.fixture
def changes(world: World) -> type[Changes]:
    return type("ChangesHere", (Changes,), {"world": world, "examples": count()})


def test_the_volumes_are_a_recount_of_the_mentions_whatever_happens(changes: type[Changes]) -> None:
    run_state_machine_as_test(
        changes,
        settings=settings(
            max_examples=20,
            stateful_step_count=10,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )
