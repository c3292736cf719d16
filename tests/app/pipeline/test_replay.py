"""A replay of what was lived says what really fired, and knows nothing that was stored later."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import create_engine, text

from alerts.incident import Incident
from app.model import Policy
from app.pipeline.replay import Turned, replay, steps
from app.storage import Storage
from tests.app.pipeline.far_end import HandClock
from tests.app.pipeline.past import Past, eventful_day

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def replayed(past: Past, policy: Policy | None = None, since: datetime | None = None) -> list[Turned]:
    began = past.storage.journal.began(past.brand.id)
    assert began
    return list(replay(past.storage, past.brand, since or began, past.clock.now, policy))


def last(changes: Sequence[Turned]) -> list[Incident]:
    """The simulated incidents as they stand at the end."""
    return list({one.change.incident.id: one.change.incident for one in changes}.values())


def fields(incident: Incident) -> tuple[object, ...]:
    return (
        *(incident.cause, incident.severity, incident.state, incident.version, incident.opened_at, incident.updated_at),
        *(incident.peak_score, incident.acknowledged_at, incident.owner, incident.resolved_at, incident.policy_id),
    )


def told(changes: Sequence[Turned]) -> list[tuple[object, ...]]:
    return [(one.event.at, one.cause, one.event.kind, one.event.actor, one.event.reason) for one in changes]


def really_told(past: Past) -> list[tuple[object, ...]]:
    return sorted(
        (event.at, incident.cause, event.kind, event.actor, event.reason)
        for incident in past.storage.incidents.page()
        for event in past.storage.incidents.events(incident.id)
    )


def test_a_replay_equals_what_really_fired_field_by_field(
    storage: Storage, clock: HandClock, open_another: Callable[[], Storage]
) -> None:
    past = Past(storage, clock)
    eventful_day(past, open_another())
    changes = replayed(past)
    assert sorted(map(fields, last(changes)), key=str) == sorted(map(fields, storage.incidents.page()), key=str)
    assert sorted(told(changes)) == really_told(past)


def test_the_day_has_something_of_each(lived: Past) -> None:
    fired = lived.storage.incidents.page()
    assert {one.cause.partition(":")[0] for one in fired} >= {"negative", "spread", "grave"}
    main = [one for one in fired if one.cause == "negative"]
    assert [one.closed_by_a_person for one in main].count(True) == 1
    assert len(main) > 1, "it flared up after a person closed it"
    assert {event[2] for event in really_told(lived)} >= {"opened", "escalated", "acknowledged", "resolved"}
    began = lived.storage.journal.began(lived.brand.id)
    assert began
    covered = lived.storage.volumes.coverage(lived.brand.id, began, lived.clock.now)
    assert any(not row.fresh for row in covered), "an outage"
    verdicts = list(lived.storage.journal.verdicts(lived.brand.id, began, lived.clock.now))
    assert any(one.bin < verdict.through - HOUR / 2 for verdict in verdicts for one in verdict.sightings), "late posts"
    assert any(verdict.excluded for verdict in verdicts)


def test_a_replay_that_begins_later_says_the_same_of_that_time(lived: Past) -> None:
    since = lived.clock.now - 2 * HOUR
    later = [one for one in replayed(lived) if one.at > since]
    assert later
    assert told(replayed(lived, since=since)) == told(later)


def test_a_brand_that_was_judged_before_its_history_came_in_is_taught_with_what_there_was(
    storage: Storage, clock: HandClock
) -> None:
    past = Past(storage, clock)
    past.passes(2, hear=False)
    shared = [past.item("negative" if hour % 3 else "neutral", hour * HOUR, backfill=True) for hour in range(2, 300)]
    past.store(*shared[:40])
    past.complains(7)
    past.passes(1, hear=False)
    past.store(*shared[40:])
    past.passes(2)
    past.complains(14)
    past.passes(3)
    began = storage.journal.began(past.brand.id)
    assert began
    fired = list(storage.journal.verdicts(past.brand.id, began, clock.now))
    assert len(fired) == 7
    said = [(step.at, step.spike.verdict, step.spike.score) for step in steps(storage, past.brand, began, clock.now)]
    assert said == [(verdict.at, verdict.verdict, verdict.score) for verdict in fired]
    assert storage.incidents.page()
    assert sorted(told(replayed(past))) == really_told(past)


# ── no look-ahead ────────────────────────────────────────────────────────────


def up_to(past: Past, at: datetime) -> list[tuple[object, ...]]:
    began = past.storage.journal.began(past.brand.id)
    assert began
    found = []
    for step in steps(past.storage, past.brand, began, at + HOUR / 3):
        if step.at <= at:
            found.append((step.at, step.spike, *((one.event, one.signal) for one in step.changes)))
    return found


def middle(past: Past) -> datetime:
    """Within the first crisis: after it opened, before it ended."""
    opened = min(one.opened_at for one in past.storage.incidents.page() if one.cause == "negative")
    return opened + timedelta(minutes=11)


def test_what_is_stored_later_changes_nothing_before(lived: Past) -> None:
    at = middle(lived)
    before = up_to(lived, at)
    assert any(len(step) > 2 for step in before)
    age = lived.clock.now - at
    later = [lived.item("negative", age + timedelta(minutes=i), site="otro.example", author="uno") for i in range(40)]
    later += [lived.item("neutral", age + timedelta(minutes=i), story="más") for i in range(30)]
    later += [lived.item("unknown", age + timedelta(minutes=i)) for i in range(30)]
    later += [lived.item("negative", age + timedelta(minutes=i), grave=("fraude",)) for i in range(5)]
    lived.store(*later)
    lived.passes(3)
    assert up_to(lived, at) == before


def test_what_was_shown_later_changes_nothing_before_and_what_was_shown_before_does(
    lived: Past, lived_url: str
) -> None:
    at = middle(lived)
    before, after = up_to(lived, at), up_to(lived, at + HOUR / 3)
    moved = "UPDATE sightings SET negative = negative + 7, total = total + 7 WHERE at {} :at"
    engine = create_engine(lived_url)

    def change(sign: str, moment: datetime) -> None:
        with engine.begin() as connection:
            connection.execute(text(moved.format(sign)), {"at": int(moment.timestamp() * 1000)})

    change(">", at)
    assert up_to(lived, at) == before
    assert up_to(lived, at + HOUR / 3) != after, "the change shows"
    change("<=", at)
    assert up_to(lived, at) != before
    engine.dispose()


# ── policies ─────────────────────────────────────────────────────────────────


def test_a_quieter_policy_pages_less_and_a_louder_one_opens_no_less(lived: Past) -> None:
    def kinds(dial: float) -> list[str]:
        changes = replayed(lived, Policy(false_warnings_per_month=dial))
        return [one.event.kind for one in changes if one.change.incident.severity != "notice" and one.signal]

    def pages(kinds: list[str]) -> int:
        return kinds.count("opened") + kinds.count("escalated")

    quiet, usual, loud = kinds(0.001), kinds(1.0), kinds(30.0)
    assert pages(quiet) < pages(usual)
    assert quiet.count("opened") <= usual.count("opened") <= loud.count("opened")


def test_each_time_is_judged_by_the_policy_that_was_in_force(lived: Past) -> None:
    before = told(replayed(lived))
    lived.storage.policies.put(Policy(name="sorda", false_warnings_per_month=0.001), lived.clock.now)
    assert told(replayed(lived)) == before
    assert told(replayed(lived, lived.storage.policies.current())) != before


# ── before the journal ───────────────────────────────────────────────────────


def test_time_before_the_journal_is_replayed_as_published(lived: Past) -> None:
    began = lived.storage.journal.began(lived.brand.id)
    assert began
    burst = began - 3 * HOUR
    age = lived.clock.now - burst
    lived.store(*(lived.item("negative", age - timedelta(minutes=i), backfill=True) for i in range(20)))
    since = began - 5 * HOUR
    found = list(steps(lived.storage, lived.brand, since, began + HOUR / 2))
    assert found[0].as_published
    assert found[0].at > since
    assert not found[-1].as_published
    told = [one for step in found for one in step.changes if step.as_published]
    assert any(
        one.cause == "negative" and one.event.kind in ("opened", "escalated") and burst < one.at < burst + HOUR / 2
        for one in told
    )
    assert all(one.as_published and one.known is None for one in told)


def test_of_a_brand_that_was_never_heard_there_is_nothing(lived: Past) -> None:
    other = Past(lived.storage, lived.clock, "brezo")
    assert list(steps(lived.storage, other.brand, lived.clock.now - DAY, lived.clock.now)) == []
