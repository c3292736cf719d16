"""The proof, the alert that carries it, and the alert as it waits in the outbox."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import dossier as dossiers
from alerts.audience import delivery_key
from alerts.base import Alert, Channel, Dossier, Exhibit, First, Term
from alerts.dossier import alert_for, attach, build, dossier_of, from_json, to_json, undelivered_alert
from alerts.incident import Change
from alerts.prose import facts, spike_of
from tests.alerts.crisis import (
    EXHIBITS,
    FIRST,
    KNOWN,
    START,
    SUMMARY,
    alert,
    change,
    channel,
    crisis,
    dossier,
    fixed_spike,
)

DATA = Path(__file__).parent / "data"

# ── the proof ────────────────────────────────────────────────────────────────


def test_a_dossier_holds_the_verdict_the_texts_and_what_else_was_said() -> None:
    whole = dossier()
    assert whole.spike["observed"] == 12
    assert whole.exhibits == EXHIBITS
    assert (whole.stories, whole.copies, whole.coverage) == (19, 7, 0.95)
    assert whole.unknown_share == pytest.approx(1 / 19)
    assert {name: getattr(whole, name) for name in KNOWN} == KNOWN


def test_a_dossier_stays_small_however_long_the_mentions_are() -> None:
    long = replace(EXHIBITS[0], title="t" * 10**6, text="x" * 10**7, author="a" * 10**5, evidence=("z" * 10**5,) * 1000)
    whole = build(
        fixed_spike(),
        [long] * 100,
        SUMMARY,
        cause="negative:" + "c" * 10**5,
        policy={f"p{i}": "p" * 10**5 for i in range(1000)},
        excluded={f"why{i}": i for i in range(1000)},
        terms=[Term("w" * 10**5, 3, 0.1, 9.0)] * 1000,
        first=replace(FIRST, source="s" * 10**5, site="s" * 10**5, author="a" * 10**5, url="https://" + "u" * 10**5),
        events=["e" * 10**5] * 1000,
    )
    assert len(json.dumps(dossiers.to_mapping_of(whole))) < 60_000
    assert whole.exhibits[0].text.endswith("…")
    assert (len(whole.terms), len(whole.events), len(whole.events[0])) == (10, 10, 200)
    assert whole.first is not None
    assert whole.first.url is None


def test_a_dossier_keeps_no_half_of_an_address() -> None:
    long = replace(EXHIBITS[0], url="https://foro.example/" + "x" * 5000)
    assert build(fixed_spike(), [long]).exhibits[0].url is None


def test_the_incident_keeps_the_dossier() -> None:
    whole = dossier()
    kept = attach(change(), whole).incident.dossier
    assert dossier_of(json.loads(json.dumps(kept))) == whole


def test_the_event_keeps_what_it_told_whatever_comes_after() -> None:
    first = attach(change(), dossier())
    assert first.event is not None
    assert first.event.dossier == first.incident.dossier
    worse = attach(replace(change("escalated"), incident=first.incident), replace(dossier(), stories=99))
    assert worse.event is not None
    assert worse.event.dossier == worse.incident.dossier != first.event.dossier
    assert attach(replace(change(), event=None), dossier()).event is None


def test_the_verdict_comes_out_of_the_dossier_as_it_went_in() -> None:
    verdict = crisis()
    assert (verdict.verdict, verdict.reason, verdict.observed) == ("critical", "negative_spike", 12)
    kept = json.loads(json.dumps(dossiers.to_mapping_of(build(verdict))))
    assert spike_of(dossier_of(kept)) == verdict


def test_a_dossier_of_the_first_rule_can_still_be_read() -> None:
    """Stored by the release before, with samples that had more to them, and nothing of who said it."""
    old = json.loads((DATA / "dossier.same-hour-1.json").read_text(encoding="utf-8"))
    assert "near_negative" in old["spike"]["samples"][0]
    read = dossier_of(old)
    assert (read.cause, read.excluded, read.terms, read.first, read.judged_at) == ("negative", {}, (), None, None)
    assert (read.stories, len(read.exhibits)) == (19, 3)
    spike = spike_of(read)
    assert spike is not None
    assert (spike.observed, len(spike.samples), sum(sample.kept for sample in spike.samples)) == (12, 14, 13)
    assert list(facts(alert("trigger", "en", dossier=read))) == [
        "12 negative mentions in 30 minutes (Nov 15, 03:00–03:30, Madrid).",
        "Usual: 1.06. This is 11.3 times as many.",
        "By chance it would happen less than once in ten years.",
    ]


# ── the alert ────────────────────────────────────────────────────────────────


def test_nobody_is_told_of_what_is_no_event() -> None:
    with pytest.raises(ValueError, match="without an event"):
        made(replace(change(), event=None))


def made(of: Change, **changes: Any) -> Alert:
    arguments: dict[str, Any] = {
        "channel": "guardia",
        "brand": "garza",
        "brand_name": "Garza",
        "language": "es",
        "time_zone": "Europe/Madrid",
        "dossier": None,
        "public_url": "https://avizor.example/",
    }
    return alert_for(of, "trigger", **{**arguments, **changes})


def test_an_alert_is_complete_in_itself() -> None:
    one = made(change("resolved", actor="Ana"))
    assert one.key == "inc-7f3a.4.guardia" == delivery_key("inc-7f3a", 4, "guardia")
    assert one.url == "https://avizor.example/incidents/inc-7f3a"
    assert one.reason == "60 min de calma: 1 mención negativa en 30 min, lo habitual a esta hora: 1,25"
    assert one.actor is None
    assert made(change("acknowledged")).actor == "Ana"
    assert made(change(), public_url=None).url is None


def alarm(failed: Alert | None, **changes: Any) -> Alert:
    other = channel(slug="correo", language="en")
    arguments: dict[str, Any] = {"key": "k.dead", "failed_channel": "Guardia", "error": "Slack says no_service"}
    return undelivered_alert(failed, channel=other, now=START, **{**arguments, **changes})


def test_a_dead_letter_is_told_through_another_channel() -> None:
    assert alarm(alert()).message == (
        "An alert could not be delivered to the channel Guardia and will not be tried again: "
        "Garza: CRITICAL, spike of negative mentions since Nov 15, 03:00 (Slack says no_service)"
    )
    assert "still being tried" in (alarm(alert(), is_final=False).message or "")
    assert alarm(alert()).key == "k.dead"


def test_a_channel_of_other_people_learns_nothing_of_the_alert() -> None:
    told = alarm(None)
    assert told.message == "An alert could not be delivered to its channel. The deliveries in Avizor say which."
    everything = json.dumps(to_json(told), default=str)
    assert [word for word in ("Garza", "garza", "Guardia", "no_service") if word in everything] == []


# ── as JSON ──────────────────────────────────────────────────────────────────

words = st.text(max_size=8)
shares = st.none() | st.floats(0, 1)
times = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))]))
counts = st.dictionaries(words, st.integers(0, 10**6), max_size=3)
exhibits = st.builds(
    Exhibit,
    title=words,
    text=words,
    url=st.none() | words,
    source=words,
    author=st.none() | words,
    published_at=times,
    language=st.none() | words,
    score=st.none() | st.floats(-1, 1),
    evidence=st.lists(words, max_size=3).map(tuple),
    copies=st.integers(0, 99),
)
proofs = st.builds(
    Dossier,
    spike=st.dictionaries(words, st.none() | st.booleans() | words | st.integers(), max_size=3),
    exhibits=st.lists(exhibits, max_size=2).map(tuple),
    stories=st.integers(0, 99),
    copies=st.integers(0, 99),
    by_label=counts,
    by_language=counts,
    by_source=counts,
    coverage=shares,
    unknown_share=shares,
    cause=words,
    excluded=counts,
    terms=st.lists(st.builds(Term, words, st.integers(1, 99), st.floats(0, 1), st.floats(0, 99)), max_size=2).map(
        tuple
    ),
    first=st.none() | st.builds(First, words, st.none() | words, st.none() | words, times, times, st.none() | words),
    authors=st.integers(0, 99),
    sites=st.integers(0, 99),
    spread=st.integers(0, 99),
    events=st.lists(words, max_size=2).map(tuple),
    policy=st.dictionaries(words, st.none() | words | st.integers(), max_size=3),
    judged_at=st.none() | times,
)
alerts = st.builds(
    Alert,
    key=words,
    action=st.sampled_from(["trigger", "escalate", "acknowledge", "resolve", "test", "system"]),
    brand=words,
    at=times,
    language=words,
    time_zone=words,
    incident_id=st.none() | words,
    seq=st.integers(0, 99),
    severity=st.sampled_from([None, "notice", "warning", "critical"]),
    opened_at=st.none() | times,
    actor=st.none() | words,
    reason=st.none() | words,
    url=st.none() | words,
    dossier=st.none() | proofs,
    message=st.none() | words,
    repeat=st.booleans(),
    brand_name=words,
)


@given(alerts)
def test_an_alert_survives_the_outbox(one: Alert) -> None:
    assert from_json(json.loads(json.dumps(to_json(one)))) == one


def test_times_in_the_outbox_are_utc() -> None:
    here = datetime(2026, 11, 22, 10, 0, tzinfo=timezone(timedelta(hours=1)))
    assert to_json(alert(at=here))["at"] == "2026-11-22T09:00:00Z"


@pytest.mark.parametrize(
    ("spoilt", "complaint"),
    [
        ({"action": "panic"}, "unknown action"),
        ({"severity": "mild"}, "unknown severity"),
        ({"at": "2026-11-22T09:00:00"}, "without zone"),
        ({"at": None}, "'at' is missing"),
        ({"dossier": {}}, "dossier: 'spike' is missing"),
        ({"dossier": {"spike": {}, "terms": [{"word": "x"}]}}, "term: 'here' is missing"),
        ({"dossier": {"spike": {}, "first": {"source": "x"}}}, "first: 'site' is missing"),
    ],
)
def test_a_spoilt_alert_is_refused(spoilt: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        from_json({**to_json(alert()), **spoilt})


def test_an_alert_with_a_field_missing_is_refused() -> None:
    mapping = to_json(alert())
    del mapping["brand"]
    with pytest.raises(ValueError, match=r"'brand' is missing"):
        from_json(mapping)


def test_an_alert_survives_an_upgrade_in_the_outbox() -> None:
    """A newer Avizor knows a field more, or one less: an alarm that waits must not die of that."""
    mapping = to_json(alert())
    del mapping["time_zone"]
    mapping |= {"colour": "red", "dossier": {**mapping["dossier"], "mood": "bad"}}
    mapping["dossier"]["spike"] = {**mapping["dossier"]["spike"], "novelty": 1}
    read = from_json(mapping)
    assert read == alert(time_zone="UTC", dossier=read.dossier)
    assert spike_of(read.dossier) == spike_of(alert().dossier)


def test_channels_do_not_show_their_secret() -> None:
    assert "hooks.example" not in repr(channel())
    assert isinstance(channel(), Channel)
