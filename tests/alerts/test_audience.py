"""Whom a change concerns: from the first word that a channel hears of an incident, to the last."""

from dataclasses import replace

import pytest

from alerts.audience import audience, delivery_key, wanted
from alerts.base import Action, Severity
from alerts.detect.policy import Dial
from alerts.incident import acknowledge, advance, resolve
from tests.alerts.crisis import OTHERS, START, change, channel, fixed_spike


@pytest.mark.parametrize("severity", ["warning", "critical"])
@pytest.mark.parametrize(
    ("kind", "action"),
    [("opened", "trigger"), ("escalated", "escalate"), ("acknowledged", "acknowledge"), ("resolved", "resolve")],
)
def test_a_channel_for_warnings_hears_every_change(kind: str, action: Action, severity: Severity) -> None:
    assert wanted(channel(), change(kind=kind, severity=severity), told=kind != "opened") == action


@pytest.mark.parametrize("kind", ["opened", "escalated", "acknowledged", "resolved"])
def test_a_channel_for_crises_hears_nothing_of_a_warning(kind: str) -> None:
    assert wanted(channel(min_severity="critical"), change(kind=kind, severity="warning"), told=False) is None


def test_what_crosses_a_channels_line_is_its_trigger() -> None:
    worse = change(kind="escalated", severity="critical")
    assert wanted(channel(min_severity="critical"), worse, told=False) == "trigger"
    assert wanted(channel(min_severity="critical"), worse, told=True) == "escalate"


def test_the_end_goes_where_the_trigger_went() -> None:
    """A whole life of an incident: what each of the two channels hears, in order."""
    dial, verdict = Dial(), fixed_spike()
    first = advance(1, None, replace(verdict, verdict="warning"), START, dial, "i1")
    assert first is not None
    second = advance(1, first.incident, verdict, START, dial, "")
    assert second is not None
    steps = [first, second, acknowledge(second.incident, "Ana", START), resolve(second.incident, "Ana", "ya", START)]
    heard: dict[Severity, list[Action]] = {"warning": [], "critical": []}
    for step in steps:
        for line, actions in heard.items():
            action = wanted(channel(min_severity=line), step, told=bool(actions))
            actions += [action] if action else []
    assert heard["warning"] == ["trigger", "escalate", "acknowledge", "resolve"]
    assert heard["critical"] == ["trigger", "acknowledge", "resolve"]


@pytest.mark.parametrize("kind", ["acknowledged", "resolved"])
def test_nobody_hears_of_the_end_of_what_they_never_heard_of(kind: str) -> None:
    assert wanted(channel(), change(kind=kind), told=False) is None


@pytest.mark.parametrize(
    ("line", "heard"),
    [("notice", ["trigger", None, None]), ("warning", [None] * 3), ("critical", [None] * 3)],
)
def test_a_notice_is_told_once_to_who_wants_notices(line: Severity, heard: list[Action | None]) -> None:
    cause, severity, verdict = OTHERS["spread"]
    told: list[Action | None] = []
    for kind in ("opened", "acknowledged", "resolved"):
        step = change(kind, verdict, severity, cause)
        told.append(wanted(channel(min_severity=line), step, told=any(told)))
    assert told == heard


def test_a_notice_that_became_an_alarm_is_told_to_the_end() -> None:
    """The control of the test above: what rose is told whoever heard of it, and its end too."""
    steps = [change("opened", severity="notice"), *(change(kind) for kind in ("escalated", "acknowledged", "resolved"))]
    for line, expected in (
        ("notice", ["trigger", "escalate", "acknowledge", "resolve"]),
        ("warning", [None, "trigger", "acknowledge", "resolve"]),
    ):
        told: list[Action | None] = []
        for step in steps:
            told.append(wanted(channel(min_severity=line), step, told=any(told)))
        assert told == expected


def test_nobody_is_told_that_it_is_calming_down() -> None:
    calming = change()
    assert calming.event is not None
    for kind in ("resolving", "noted"):
        step = replace(calming, event=replace(calming.event, kind=kind))  # type: ignore[arg-type]
        assert wanted(channel(min_severity="notice"), step, told=True) is None


def test_nobody_is_left_with_an_alarm_that_never_ends() -> None:
    """The line was raised after the trigger: the end is told all the same."""
    raised = channel(min_severity="critical")
    assert wanted(raised, change(kind="resolved", severity="warning"), told=True) == "resolve"


def test_a_channel_that_switched_itself_off_is_told_so_that_its_death_is_seen() -> None:
    gone = channel(enabled=False, disabled_reason="Slack says no_service")
    assert wanted(gone, change(), told=False) == "trigger"
    assert wanted(channel(enabled=False), change(), told=False) is None, "a person switched this one off"


def test_nothing_is_told_of_what_is_no_event() -> None:
    assert wanted(channel(), replace(change(), event=None), told=True) is None


def test_a_brand_that_names_no_channel_is_heard_by_all() -> None:
    both = [channel(slug="a"), channel(slug="b")]
    assert audience(both, ()) == both
    assert audience(both, ("b",)) == [both[1]]


def test_a_key_is_made_of_incident_event_and_channel() -> None:
    assert delivery_key("inc-7f3a", 4, "guardia") == "inc-7f3a.4.guardia"
