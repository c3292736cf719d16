"""Who is told what, and the alert as it waits in the outbox."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import dossier as dossiers
from alerts.base import Action, Alert, Channel, Dossier, Exhibit, Severity
from alerts.dossier import (
    alert_for,
    attach,
    build,
    dead_letter_alert,
    delivery_key,
    dossier_of,
    from_json,
    to_json,
    wanted,
)
from alerts.incident import Change, acknowledge, advance, resolve
from alerts.spike import Policy
from tests.alerts.crisis import EXHIBITS, START, SUMMARY, alert, change, channel, fixed_spike

# ── the proof ────────────────────────────────────────────────────────────────


def test_a_dossier_holds_the_verdict_the_texts_and_what_else_was_said() -> None:
    dossier = build(fixed_spike(), EXHIBITS, SUMMARY)
    assert dossier.spike["observed"] == 12
    assert dossier.exhibits == EXHIBITS
    assert (dossier.stories, dossier.copies, dossier.coverage) == (19, 7, 0.95)
    assert dossier.unknown_share == pytest.approx(1 / 19)


def test_a_dossier_stays_small_however_long_the_mentions_are() -> None:
    long = replace(EXHIBITS[0], title="t" * 10**6, text="x" * 10**7, author="a" * 10**5, evidence=("z" * 10**5,) * 1000)
    dossier = build(fixed_spike(), [long] * 100, SUMMARY)
    assert len(json.dumps(dossiers.to_mapping_of(dossier))) < 60_000
    assert dossier.exhibits[0].text.endswith("…")


def test_a_dossier_keeps_no_half_of_an_address() -> None:
    long = replace(EXHIBITS[0], url="https://foro.example/" + "x" * 5000)
    assert build(fixed_spike(), [long]).exhibits[0].url is None


def test_the_incident_keeps_the_dossier() -> None:
    dossier = build(fixed_spike(), EXHIBITS, SUMMARY)
    kept = attach(change(), dossier).incident.dossier
    assert dossier_of(json.loads(json.dumps(kept))) == dossier


# ── whom it concerns ─────────────────────────────────────────────────────────


def told(min_severity: Severity, **kwargs: Any) -> Action | None:
    return wanted(channel(min_severity=min_severity), change(**kwargs))


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("opened", "trigger"),
        ("escalated", "escalate"),
        ("acknowledged", "acknowledge"),
        ("resolved", "resolve"),
    ],
)
def test_a_channel_for_warnings_hears_every_change(kind: str, action: Action) -> None:
    assert told("warning", kind=kind, severity="warning") == action
    assert told("warning", kind=kind, severity="critical") == action


@pytest.mark.parametrize("kind", ["opened", "escalated", "acknowledged", "resolved"])
def test_a_channel_for_crises_hears_nothing_of_a_warning(kind: str) -> None:
    assert told("critical", kind=kind, severity="warning") is None


def test_the_escalation_over_its_line_is_a_channels_trigger() -> None:
    assert told("critical", kind="escalated", severity="critical") == "trigger"
    was: dict[str, Any] = {"from": "critical"}
    rarer = change("escalated", **was)
    assert wanted(channel(min_severity="critical"), rarer) == "escalate"


def test_the_end_goes_where_the_trigger_went() -> None:
    """A whole life of an incident: what each of the two channels hears, in order."""
    policy, now, verdict = Policy(), START, fixed_spike()
    heard: dict[Severity, list[Action | None]] = {"warning": [], "critical": []}
    steps = [advance(1, None, replace(verdict, verdict="warning"), now, policy, "i1")]
    assert steps[0] is not None
    steps.append(advance(1, steps[0].incident, verdict, now, policy, ""))
    assert steps[1] is not None
    steps.append(acknowledge(steps[1].incident, "Ana", now))
    steps.append(resolve(steps[1].incident, "Ana", "ya está", now))
    for step in steps:
        assert step is not None
        for line, actions in heard.items():
            actions.append(wanted(channel(min_severity=line), step))
    assert heard["warning"] == ["trigger", "escalate", "acknowledge", "resolve"]
    assert heard["critical"] == [None, "trigger", "acknowledge", "resolve"]


def test_nobody_is_told_of_what_is_no_event() -> None:
    silent = replace(change(), event=None)
    assert wanted(channel(), silent) is None
    assert wanted(channel(enabled=False), change()) is None
    with pytest.raises(ValueError, match="without an event"):
        made(silent)


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


def test_a_dead_letter_is_told_through_another_channel() -> None:
    other = channel(slug="correo", language="en")
    alarm = dead_letter_alert(
        alert(), failed_channel="Guardia", error="Slack says no_service", channel=other, now=START
    )
    assert alarm.message == (
        "An alert could not be delivered to the channel Guardia and will not be tried again: "
        "Garza: CRITICAL, spike of negative mentions since Nov 15, 03:00 (Slack says no_service)"
    )
    late = dead_letter_alert(
        alert(), failed_channel="Guardia", error="timeout", channel=other, now=START, is_final=False
    )
    assert "still being tried" in (late.message or "")
    assert {alarm.key, late.key} == {"inc-7f3a.1.guardia.dead.correo", "inc-7f3a.1.guardia.stuck.correo"}


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
    severity=st.sampled_from([None, "warning", "critical"]),
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
        ({"colour": "red"}, "unknown .'colour'"),
        ({"action": "panic"}, "unknown action"),
        ({"severity": "mild"}, "unknown severity"),
        ({"at": "2026-11-22T09:00:00"}, "without zone"),
        ({"at": None}, "'at' is missing"),
        ({"dossier": {}}, "dossier: missing"),
    ],
)
def test_a_spoilt_alert_is_refused(spoilt: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        from_json({**to_json(alert()), **spoilt})


def test_an_alert_with_a_field_missing_is_refused() -> None:
    mapping = to_json(alert())
    del mapping["time_zone"]
    with pytest.raises(ValueError, match=r"missing .'time_zone'"):
        from_json(mapping)


def test_channels_do_not_show_their_secret() -> None:
    assert "hooks.example" not in repr(channel())
    assert isinstance(channel(), Channel)
