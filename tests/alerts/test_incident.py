"""The state machine of a crisis: steps by hand, then every order of steps that hypothesis can think of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alerts.detect.policy import Dial
from alerts.dossier import dossier_of
from alerts.incident import Change, Event, Incident, WrongState, acknowledge, advance, resolve
from alerts.spike import ALARMS, Spike, Verdict
from tests.alerts.crisis import fixed_spike

DIAL = Dial()
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BIN = timedelta(minutes=5)


def spike(verdict: Verdict, minute: float = 0, score: float | None = None, coverage: float = 1.0) -> Spike:
    """A verdict on the half hour that ends `minute` minutes after noon."""
    end = NOON + timedelta(minutes=minute)
    usual_score = {"warning": 0.2, "critical": 3.0}.get(verdict, -2.0)
    return replace(
        fixed_spike(),
        verdict=verdict,
        reason="negative_spike" if verdict in ALARMS else "usual",
        volume_score=None,
        window_start=end - timedelta(minutes=30),
        window_end=end,
        score=usual_score if score is None else score,
        coverage=coverage,
    )


def step(incident: Incident | None, verdict: Spike, new_id: str = "i1", cause: str = "negative") -> Change | None:
    return advance(1, incident, verdict, verdict.window_end + timedelta(seconds=60), DIAL, new_id, cause=cause)


def after(incident: Incident | None, *verdicts: Spike) -> tuple[Incident | None, list[Event]]:
    """The incident and all events after these verdicts."""
    events = []
    for verdict in verdicts:
        change = step(incident, verdict)
        if change:
            incident = change.incident
            events += [change.event] if change.event else []
    return incident, events


def opened(verdict: Verdict = "critical", score: float | None = None) -> Incident:
    change = step(None, spike(verdict, score=score))
    assert change is not None
    return change.incident


def calm(first: int, last: int) -> list[Spike]:
    return [spike("calm", minute) for minute in range(first, last + 1, 5)]


# ── opening and escalating ───────────────────────────────────────────────────


@pytest.mark.parametrize("verdict", ["warning", "critical"])
def test_it_opens_once(verdict: Verdict) -> None:
    incident, events = after(None, *[spike(verdict, minute) for minute in range(0, 60, 5)])
    assert incident is not None
    assert (incident.state, incident.severity, incident.version, incident.id) == ("open", verdict, 1, "i1")
    assert [(event.kind, event.actor, event.seq) for event in events] == [("opened", "avizor", 1)]
    assert events[0].data["code"] == "negative_spike"
    assert events[0].reason.startswith("12 negative mentions in 30 min")


@pytest.mark.parametrize("verdict", ["calm", "learning", "not_evaluated"])
def test_it_opens_for_nothing_less(verdict: Verdict) -> None:
    assert step(None, spike(verdict)) is None


def test_a_new_incident_has_a_whole_dossier() -> None:
    assert dossier_of(opened().dossier).spike["observed"] == 12


def test_it_escalates_from_warning_to_critical_once() -> None:
    incident, events = after(opened("warning"), *[spike("critical", minute) for minute in (5, 10, 15)])
    assert incident is not None
    assert (incident.severity, incident.version) == ("critical", 2)
    assert [event.data["code"] for event in events] == ["more_severe"]
    assert events[0].data["from"] == "warning"


def test_it_does_not_step_down_to_a_warning() -> None:
    incident, events = after(opened(), spike("warning", 5))
    assert incident is not None
    assert incident.severity == "critical"
    assert events == []


def test_it_tells_again_only_when_much_rarer_and_a_while_later() -> None:
    rarer = 3.0 + 2.0
    assert step(opened(), spike("critical", 10, rarer)) is None
    assert step(opened(), spike("critical", 90, rarer - 0.1)) is None
    change = step(opened(), spike("critical", 90, rarer))
    assert change is not None
    assert change.event is not None
    assert (change.event.kind, change.event.data["code"]) == ("escalated", "much_rarer")
    assert change.incident.peak_score == rarer


def test_beyond_once_in_a_million_months_there_is_nothing_to_tell() -> None:
    assert step(opened(score=5.0), spike("critical", 90, 40.0)) is None
    assert step(opened(score=3.9), spike("critical", 90, 40.0)) is not None


def test_an_acknowledged_incident_stays_so_when_it_gets_worse() -> None:
    taken = acknowledge(opened("warning"), "Ana", NOON + BIN).incident
    incident, events = after(taken, spike("critical", 10))
    assert incident is not None
    assert (incident.state, incident.owner, incident.severity) == ("acknowledged", "Ana", "critical")
    assert events[0].kind == "escalated"


# ── resolving ────────────────────────────────────────────────────────────────


def test_it_resolves_after_an_hour_of_calm_and_not_before() -> None:
    incident, events = after(opened(), *calm(5, 60))
    assert incident is not None
    assert (incident.state, events) == ("resolving", [])
    incident, events = after(incident, spike("calm", 65))
    assert incident is not None
    assert (incident.state, incident.resolved_at) == ("resolved", NOON + timedelta(minutes=66))
    assert events[0].data["code"] == "calm_again"
    assert events[0].reason.startswith("Calm for 60 min")


@pytest.mark.parametrize(
    "disturbance",
    [
        spike("warning", 40),
        spike("critical", 40),
        spike("not_evaluated", 40, coverage=0.5),
        spike("calm", 40, coverage=0.8),
        spike("learning", 40),
        spike("calm", 40, score=-0.5),
        replace(spike("calm", 40), volume_score=0.5),
    ],
    ids=[
        "warning",
        "critical",
        "not evaluated",
        "poorly covered",
        "learning",
        "calm, but near the line",
        "calm, but very loud",
    ],
)
def test_the_hour_starts_again_after(disturbance: Spike) -> None:
    disturbed, events = after(opened(), *calm(5, 35), disturbance)
    assert disturbed is not None
    assert (disturbed.state, disturbed.calm_since, events) == ("open", None, [])
    incident, events = after(disturbed, *calm(45, 100))
    assert incident is not None
    assert (incident.state, events) == ("resolving", [])
    assert incident.calm_since == NOON + timedelta(minutes=45)
    resolved, _ = after(incident, spike("calm", 105))
    assert resolved is not None
    assert resolved.state == "resolved"


@pytest.mark.parametrize(
    "silence", [spike("not_evaluated", coverage=0.0), spike("learning"), spike("calm", coverage=0.5)]
)
def test_dead_sources_never_give_the_all_clear(silence: Spike) -> None:
    quiet = [replace(silence, window_end=NOON + BIN * n) for n in range(1, 300)]
    incident, events = after(opened(), *quiet)
    assert incident is not None
    assert (incident.state, events) == ("open", [])


def test_an_acknowledged_incident_resolves_by_itself() -> None:
    taken = acknowledge(opened(), "Ana", NOON + BIN).incident
    incident, events = after(taken, *calm(5, 65))
    assert incident is not None
    assert (incident.state, incident.owner, incident.version) == ("resolved", "Ana", 3)
    assert [event.kind for event in events] == ["resolved"]


def test_who_has_an_incident_has_it_through_calm_and_storm() -> None:
    resolving, _ = after(opened(), spike("calm", 5))
    assert resolving is not None
    taken = acknowledge(resolving, "Ana", NOON + BIN).incident
    assert (taken.state, taken.owner) == ("resolving", "Ana")
    again, _ = after(taken, spike("warning", 10))
    assert again is not None
    assert (again.state, again.owner) == ("acknowledged", "Ana")


# ── causes ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cause", ["negative:intoxicacion", "grave:fraude", "spread:7", "silence"])
def test_an_incident_of_another_cause_is_none_of_this_verdict(cause: str) -> None:
    with pytest.raises(ValueError, match=f"not {cause}"):
        step(opened(), spike("critical"), cause=cause)
    change = step(None, spike("critical"), cause=cause)
    assert change is not None
    assert change.incident.cause == cause
    assert dossier_of(change.incident.dossier).cause == cause


def test_a_notice_is_below_a_warning_and_rises_to_one() -> None:
    first = step(None, spike("notice"), cause="silence")
    assert first is not None
    assert first.incident.severity == "notice"
    worse = step(first.incident, spike("warning", 5), cause="silence")
    assert worse is not None
    assert (worse.incident.severity, worse.event and worse.event.data["code"]) == ("warning", "more_severe")


def test_what_is_no_count_is_calm_by_its_verdict_alone() -> None:
    change = step(None, spike("notice"), cause="spread:7")
    assert change is not None
    quiet = step(change.incident, spike("calm", 5, score=5.0), cause="spread:7")
    assert quiet is not None
    assert quiet.incident.state == "resolving"
    main = step(opened(), spike("calm", 5, score=5.0))
    assert main is None


def test_judging_the_same_bin_again_changes_nothing() -> None:
    incident, _ = after(opened(), spike("calm", 5))
    assert step(incident, spike("calm", 5)) is None
    assert step(opened(), spike("critical", 0)) is None


def test_a_new_crisis_after_the_end_is_a_new_incident() -> None:
    over, _ = after(opened(), *calm(5, 65))
    change = step(over, spike("critical", 70), new_id="i2")
    assert change is not None
    assert (change.incident.id, change.incident.version) == ("i2", 1)


# ── by a person ──────────────────────────────────────────────────────────────


def test_a_person_takes_it_and_closes_it() -> None:
    taken = acknowledge(opened(), "Ana", NOON + BIN)
    closed = resolve(taken.incident, "Ana", " aclarado con la tienda ", NOON + 2 * BIN)
    assert taken.event is not None
    assert closed.event is not None
    assert (taken.event.kind, taken.event.seq, taken.incident.owner) == ("acknowledged", 2, "Ana")
    assert (closed.event.kind, closed.event.seq, closed.event.actor) == ("resolved", 3, "Ana")
    assert closed.event.reason == "Closed by Ana: aclarado con la tienda"


def test_what_a_person_closed_does_not_reopen_for_the_same_stories() -> None:
    closed = resolve(opened(), "Ana", "falsa alarma", NOON + BIN).incident
    assert step(closed, spike("critical", 30), "i2") is None
    change = step(closed, spike("critical", 35), "i2")
    assert change is not None
    assert change.incident.id == "i2"


def test_a_step_that_makes_no_sense_says_why() -> None:
    closed = resolve(opened(), "Ana", "resuelto", NOON).incident
    taken = acknowledge(opened(), "Ana", NOON).incident
    with pytest.raises(WrongState, match="already resolved"):
        acknowledge(closed, "Luis", NOON)
    with pytest.raises(WrongState, match="already resolved"):
        resolve(closed, "Luis", "otra vez", NOON)
    with pytest.raises(WrongState, match="taken by Ana"):
        acknowledge(taken, "Luis", NOON)
    with pytest.raises(ValueError, match="say why"):
        resolve(taken, "Luis", "  ", NOON)
    with pytest.raises(ValueError, match="of brand 1"):
        advance(2, taken, spike("calm"), NOON, DIAL, "i2")


# ── in every order ───────────────────────────────────────────────────────────


class Crises(RuleBasedStateMachine):
    """One brand's bins, one after the other, with a person meddling; the tables are two lists."""

    @initialize()
    def begin(self) -> None:
        self.minute = 0.0
        self.incidents: dict[str, Incident] = {}
        self.events: list[Event] = []
        self.newest: Incident | None = None
        self.calm_bins = 0

    def keep(self, change: Change | None) -> None:
        if change is None:
            return
        before = self.incidents.get(change.incident.id)
        if change.event is None:
            assert before is not None
            assert replace(change.incident, calm_since=None, state="open") == replace(
                before, calm_since=None, state="open"
            )
        else:
            self.events.append(change.event)
        self.incidents[change.incident.id] = self.newest = change.incident

    @rule(
        verdict=st.sampled_from(["calm", "calm", "calm", "warning", "critical", "learning", "not_evaluated"]),
        score=st.floats(-9, 40),
        coverage=st.sampled_from([0.0, 0.89, 0.9, 1.0]),
        bins=st.integers(1, 14),
    )
    def judge(self, verdict: Verdict, score: float, coverage: float, bins: int) -> None:
        for _ in range(bins):
            self.minute += 5
            seen = spike(verdict, self.minute, score, coverage)
            was = self.newest
            is_calm = verdict == "calm" and score < DIAL.calm and coverage >= 0.9
            self.calm_bins = self.calm_bins + 1 if is_calm else 0
            self.keep(step(was, seen, f"i{len(self.incidents)}"))
            if was is not None and was.state != "resolved" and self.newest is not None:
                ended = self.newest.state == "resolved"
                assert not ended or (is_calm and self.calm_bins > 12), "an all-clear before an hour of covered calm"

    @precondition(lambda self: self.newest is not None)
    @rule(action=st.sampled_from(["acknowledge", "resolve"]))
    def meddle(self, action: str) -> None:
        assert self.newest is not None
        now = NOON + timedelta(minutes=self.minute, seconds=90)
        was = self.newest
        try:
            change = acknowledge(was, "Ana", now) if action == "acknowledge" else resolve(was, "Ana", "ya está", now)
        except WrongState:
            assert was.state == "resolved" or (action == "acknowledge" and was.owner is not None)
        else:
            self.keep(change)

    @invariant()
    def at_most_one_is_unresolved(self) -> None:
        assert sum(incident.state != "resolved" for incident in getattr(self, "incidents", {}).values()) <= 1

    @invariant()
    def versions_count_events(self) -> None:
        for incident in getattr(self, "incidents", {}).values():
            events = [event for event in self.events if event.incident_id == incident.id]
            assert [event.seq for event in events] == list(range(1, incident.version + 1))
            assert [event.kind for event in events].count("opened") == 1
            assert (incident.resolved_at is not None) == (incident.state == "resolved")
            assert incident.state == "resolved" or (incident.calm_since is not None) == (incident.state == "resolving")
            assert ("resolved" in [event.kind for event in events]) == (incident.state == "resolved")


Crises.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestEveryOrder = Crises.TestCase
