"""Every number of a stored dossier, had again from the rows: equal, or the rows that are not as they were."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from alerts.incident import Incident
from app.pipeline.verify import CannotVerify, Verification, to_mapping_of, verify
from app.storage import Storage
from app.storage.records import CollectBatch, CollectedPost
from tests.app.pipeline.far_end import HandClock
from tests.app.pipeline.past import Past, eventful_day


def unequal(verification: Verification) -> list[object]:
    return [(one.what, one.stored, one.recomputed) for one in verification.checks if not one.equal]


def main_of(past: Past) -> Incident:
    return min((one for one in past.storage.incidents.page() if one.cause == "negative"), key=lambda i: i.opened_at)


def window_posts(past: Past, incident: Incident) -> list[int]:
    verification = verify(past.storage, incident)
    spike = incident.dossier["spike"]
    start, end = (past.clock.now.fromisoformat(spike[name]) for name in ("window_start", "window_end"))
    told = past.storage.proof.told(past.brand.id, start, end, verification.known, label="negative")
    return [one.post_id for one in told]


def test_an_untouched_crisis_is_equal_in_every_number(
    storage: Storage, clock: HandClock, open_another: Callable[[], Storage]
) -> None:
    past = Past(storage, clock)
    eventful_day(past, open_another())
    fired = storage.incidents.page()
    assert {one.cause.partition(":")[0] for one in fired} >= {"negative", "spread", "grave"}
    for incident in fired:
        verification = verify(storage, incident)
        assert unequal(verification) == [], incident.cause
        assert verification.equal
        assert verification.drift == ()
        assert len(verification.checks) > 30


def test_a_label_that_is_changed_is_named_and_nothing_else_is(lived: Past, lived_url: str) -> None:
    incident = main_of(lived)
    post_id = window_posts(lived, incident)[2]
    engine = create_engine(lived_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE mentions SET label = 1 WHERE post_id = :post"), {"post": post_id})
    engine.dispose()
    verification = verify(lived.storage, incident)
    assert not verification.equal
    observed = next(one for one in verification.checks if one.what == "spike.observed")
    assert observed.recomputed == observed.stored - 1
    (row,) = verification.drift
    assert (row.what, row.post_id, row.was, row.now, row.at) == ("relabelled", post_id, "negative", "positive", None)


def test_a_correction_is_named_with_its_time(lived: Past) -> None:
    incident = main_of(lived)
    post_id = window_posts(lived, incident)[1]
    lived.storage.mentions.correct("aurora", post_id, "neutral", "ana", "", lived.clock.now)
    (row,) = verify(lived.storage, incident).drift
    assert (row.post_id, row.was, row.now, row.at) == (post_id, "negative", "neutral", lived.clock.now)
    lived.storage.mentions.correct("aurora", post_id, None, "ana", "", lived.clock.now + timedelta(minutes=1))
    assert verify(lived.storage, incident).equal, "taken back, it is as it was"


def sighted(past: Past, post_id: int, **fields: object) -> CollectedPost:
    """The post as its source shows it now."""
    (stored,) = (one for one in past.storage.posts.page(limit=5_000) if one.id == post_id)
    return CollectedPost(
        dedupe_key=bytes.fromhex(stored.post.id),
        post=replace(stored.post, **fields),  # type: ignore[arg-type]
        site=stored.site,
        language="es",
        published_at=stored.published_at,
        claimed_at=None,
        text_hash=bytes(16),
        backfill=True,
    )


def test_a_post_that_was_edited_since_is_named(lived: Past) -> None:
    incident = main_of(lived)
    post_id = window_posts(lived, incident)[0]
    lived.store(sighted(lived, post_id, text="aurora: ya está todo arreglado, perdón por las molestias"))
    verification = verify(lived.storage, incident)
    assert {what for what, *_ in unequal(verification)} <= {"exhibits", "terms"}  # type: ignore[misc]
    rows = [(row.what, row.post_id, row.at) for row in verification.drift]
    assert rows == ([("edited", post_id, lived.clock.now)] if not verification.equal else [])
    assert not verification.equal, "its old words are quoted in the dossier, or stood out in it"


def test_a_post_that_was_taken_back_since_is_named(lived: Past) -> None:
    incident = main_of(lived)
    post_id = window_posts(lived, incident)[0]
    key = sighted(lived, post_id).dedupe_key
    lived.storage.sources.poll_now("barrio", lived.clock.now)
    (claimed,) = lived.storage.sources.claim_due(lived.clock.now, 1, "test")
    due = lived.clock.now + timedelta(days=1)
    batch = CollectBatch(claimed.id, "test", (), (), {}, None, None, None, due, None, gone=(key,))
    lived.storage.posts.store(batch, lived.clock.now)
    verification = verify(lived.storage, incident)
    counts = {"spike.observed", "spike.total", "spike.score", "stories", "by_label", "sites"}
    assert not counts & {what for what, *_ in unequal(verification)}, "it was said"  # type: ignore[misc]
    assert [(row.what, row.post_id, row.at) for row in verification.drift] == [("withdrawn", post_id, lived.clock.now)]


def test_what_is_stored_later_is_no_drift(lived: Past) -> None:
    incident = main_of(lived)
    end = lived.clock.now.fromisoformat(incident.dossier["spike"]["window_end"])
    age = lived.clock.now - end
    lived.store(*(lived.item("negative", age + timedelta(seconds=20 * i + 1)) for i in range(9)))
    verification = verify(lived.storage, incident)
    assert unequal(verification) == []
    assert verification.came_later == 9


def test_a_mention_that_is_gone_shows_as_a_bin_that_counts_otherwise(lived: Past, lived_url: str) -> None:
    incident = main_of(lived)
    engine = create_engine(lived_url)
    with engine.begin() as connection:
        gone = window_posts(lived, incident)[0]
        connection.execute(text("DELETE FROM mentions WHERE post_id = :post"), {"post": gone})
    engine.dispose()
    verification = verify(lived.storage, incident)
    assert not verification.equal
    (row,) = verification.drift
    assert row.what == "bin"
    assert row.was is not None
    assert row.now is not None
    assert int(row.was.split()[0]) == int(row.now.split()[0]) + 1


def test_a_dossier_that_was_tampered_with_is_told(lived: Past) -> None:
    incident = main_of(lived)
    spike = {**incident.dossier["spike"], "expected": 99.0}
    verification = verify(lived.storage, replace(incident, dossier={**incident.dossier, "spike": spike}))
    assert [what for what, *_ in unequal(verification)] == ["spike.expected"]  # type: ignore[misc]


EARLIER = "2026-01-01T00:00:00Z"


def tampered(dossier: Mapping[str, Any], what: str) -> dict[str, Any]:
    """A copy of a stored dossier with one thing in it that is not so."""
    told: dict[str, Any] = copy.deepcopy(dict(dossier))
    exhibits, samples = told["exhibits"], told["spike"]["samples"]
    falsely: dict[str, Callable[[], object]] = {
        "policy": lambda: told["policy"].update(false_warnings_per_month=30.0),
        "events": lambda: told.update(events=["Rebajas"]),
        "first: a site": lambda: told["first"].update(site="otro.example"),
        "first: an author": lambda: told["first"].update(author="nadie"),
        "first: when it was read": lambda: told["first"].update(fetched_at=EARLIER),
        "exhibits: a text": lambda: exhibits[0].update(text="todo va bien"),
        "exhibits: evidence": lambda: exhibits[0].update(evidence=["inventada"]),
        "exhibits: one less": exhibits.pop,
        "samples: one less": samples.pop,
        "samples: why": lambda: samples[0].update(why="otra cosa"),
        "samples: coverage": lambda: samples[0].update(coverage=0.123),
        "terms: a word": lambda: told["terms"].append({"word": "fraude", "here": 9, "usual": 0.0, "weight": 50.0}),
        "cause": lambda: told.update(cause="negative:otra"),
        "subject": lambda: told.update(subject=["otra"]),
        "nothing": dict,
    }
    falsely[what]()
    return told


@pytest.mark.parametrize(
    ("what", "named"),
    [
        ("policy", ["policy"]),
        ("events", ["events"]),
        ("first: a site", ["first"]),
        ("first: an author", ["first"]),
        ("first: when it was read", ["first"]),
        ("exhibits: a text", ["exhibits"]),
        ("exhibits: evidence", ["exhibits"]),
        ("exhibits: one less", ["exhibits"]),
        ("samples: one less", ["spike.samples"]),
        ("samples: why", ["spike.samples"]),
        ("samples: coverage", ["spike.samples"]),
        ("terms: a word", ["terms"]),
        ("cause", ["cause"]),
        ("subject", ["subject"]),
        ("nothing", []),
    ],
)
def test_whatever_is_tampered_with_is_named(lived: Past, what: str, named: list[str]) -> None:
    incident = main_of(lived)
    verification = verify(lived.storage, replace(incident, dossier=tampered(incident.dossier, what)))
    assert [one.what for one in verification.checks if not one.equal] == named


def test_every_page_keeps_the_proof_that_it_was_told_with(lived: Past) -> None:
    timelines = ((one, lived.storage.incidents.events(one.id)) for one in lived.storage.incidents.page())
    worse = [(one, events) for one, events in timelines if any(event.kind == "escalated" for event in events)]
    incident, events = worse[0]
    assert {event.kind for event in events if event.dossier} == {"opened", "escalated"}
    first, *_, second = (event for event in events if event.dossier)
    assert first.dossier != second.dossier == incident.dossier
    for event in (first, second):
        verification = verify(lived.storage, incident, event.seq)
        assert (verification.equal, verification.judged_at) == (True, event.at)
    assert verify(lived.storage, incident) == verify(lived.storage, incident, second.seq)


@pytest.mark.parametrize(("kind", "words"), [("acknowledged", "has no dossier"), (None, "has no event 99")])
def test_what_was_told_without_a_dossier_cannot_be_verified(lived: Past, kind: str | None, words: str) -> None:
    incident = main_of(lived)
    seqs = [event.seq for event in lived.storage.incidents.events(incident.id) if event.kind == kind]
    with pytest.raises(CannotVerify, match=words):
        verify(lived.storage, incident, next(iter(seqs), 99))


def test_without_a_journal_there_is_nothing_to_verify(lived: Past) -> None:
    incident = main_of(lived)
    with pytest.raises(CannotVerify, match="before verdicts were kept"):
        verify(lived.storage, replace(incident, dossier={**incident.dossier, "judged_at": None}))
    with pytest.raises(CannotVerify, match="no verdict of that moment"):
        verify(lived.storage, replace(incident, dossier={**incident.dossier, "judged_at": "2026-01-01T00:00:00Z"}))


def test_it_is_plain_json_outside(lived: Past) -> None:
    mapping = to_mapping_of(verify(lived.storage, main_of(lived)))
    assert mapping["equal"] is True
    assert {check["what"] for check in mapping["checks"]} >= {"stories", "authors", "sites", "spike.probability"}
