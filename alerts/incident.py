"""A crisis as a state machine: open, acknowledged, resolving, resolved; one cause, one owner, one timeline.

    (nothing) -- spike --> open -- worse --> open, critical -- a person --> acknowledged
    open, acknowledged -- calm --> resolving -- an hour of it --> resolved
                       <-- not calm --

`advance` is what the watch walk asks after every verdict; `acknowledge` and `resolve` are what a person does. All
three are pure and return a `Change` that says why, never a bare bool. Opening is quick and resolving slow
(hysteresis): an all-clear needs a whole hour of covered, evaluated windows far below the line, and silence from dead
sources is no calm.

A brand has one unresolved incident a cause: `negative` is the crisis that shows in its counts, `negative:<word>` a
second one inside it with a subject of its own, `grave:<term>`, `spread:<story id>` and `silence` what they say. The
last two are notices: told once, to who wants notices, and never to who is on call.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from alerts import prose
from alerts.base import Dossier, IncidentState, Severity
from alerts.detect.paging import CALM_S, RARER, RAREST
from alerts.detect.policy import Dial
from alerts.spike import ALARMS, Spike, to_mapping
from alerts.texts import words

EventKind = Literal["opened", "escalated", "acknowledged", "resolved", "noted"]
MAIN = "negative"
QUIET = timedelta(hours=1)  # nobody is told that it is rarer still sooner than this after the last word
MIN_COVERAGE = 0.9  # below it nothing is calm

# Who acted where no person did.
MACHINE = "avizor"
MAX_REASON = 1000


class WrongState(ValueError):
    """A person asked for a step that this incident cannot take any more; the text says why."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A crisis of one brand. `version` counts its events; `calm_since` is when the volume fell below the resolve line.

    It is `resolving` while `calm_since` is set; `owner` says whether somebody has it. `severity` never falls.
    `peak_score` is the score of the rarest evidence that was told (at opening and at each escalation). `updated_at` is
    the time of the last event. `policy_id` is what the verdict that opened it went by, None: the built-in one. A
    resolved incident with `calm_since` ended by itself, one without was closed by a person.
    """

    id: str
    brand_id: int
    state: IncidentState
    severity: Severity
    version: int
    opened_at: datetime
    updated_at: datetime
    peak_score: float
    acknowledged_at: datetime | None = None
    owner: str | None = None
    resolved_at: datetime | None = None
    calm_since: datetime | None = None
    dossier: Mapping[str, Any] = field(default_factory=dict)
    cause: str = MAIN
    policy_id: int | None = None

    @property
    def closed_by_a_person(self) -> bool:
        return self.state == "resolved" and self.calm_since is None


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an incident's timeline. `seq` starts at 1 and equals the incident's version after it.

    `reason` is an English sentence. `data` holds the stable `code` (the spike's reason at opening, then `more_severe`,
    `much_rarer`, `calm_again`, `taken`, `closed`) and the numbers: `alerts.prose.reason(data, words)` says it in any
    language. `dossier` is the proof of an opening or an escalation as it was told: no later event changes it.
    """

    incident_id: str
    seq: int
    at: datetime
    kind: EventKind
    actor: str
    reason: str
    data: Mapping[str, Any] = field(default_factory=dict)
    dossier: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What was decided: the incident as it is now, and the event to write and tell (None: only `calm_since` moved)."""

    incident: Incident
    event: Event | None


def is_crisis(cause: str) -> bool:
    """A crisis that shows in the counts of negative stories: the brand's main one, or one inside it."""
    return cause == MAIN or cause.startswith(f"{MAIN}:")


def is_calm(spike: Spike, dial: Dial, cause: str) -> bool:
    """Evaluated, covered, and clearly below the line by both rules. Poor coverage and learning are not calm."""
    if spike.verdict != "calm" or spike.coverage < MIN_COVERAGE:
        return False
    volume_score = spike.score if spike.volume_score is None else spike.volume_score - 1
    return not is_crisis(cause) or max(spike.score, volume_score) < dial.calm


def advance(
    brand_id: int,
    incident: Incident | None,
    spike: Spike,
    now: datetime,
    dial: Dial,
    new_id: str,
    *,
    cause: str = MAIN,
    policy_id: int | None = None,
) -> Change | None:
    """What this verdict changes for the brand and cause, or None.

    `incident` is the unresolved incident of this cause, or its newest one, or None; `new_id` is used if one is opened.
    An incident that a person closed is not opened again by a window that reaches back before that moment, unless what
    was collected before it is left out.
    """
    if incident is not None and (incident.brand_id, incident.cause) != (brand_id, cause):
        raise ValueError(
            f"incident {incident.id} is {incident.cause} of brand {incident.brand_id}, not {cause} of {brand_id}"
        )
    if incident is None or incident.state == "resolved":
        return None if _settled(incident, spike) else _opened(brand_id, cause, policy_id, spike, now, new_id)
    if spike.verdict in ALARMS:
        return _escalated(incident, spike, now) or _calm_from(incident, None)
    if not is_calm(spike, dial, cause):
        return _calm_from(incident, None)
    if incident.calm_since is None:
        return _calm_from(incident, spike.window_end)
    if spike.window_end - incident.calm_since >= timedelta(seconds=CALM_S):
        return _ended(incident, incident.calm_since, spike, now)
    return None


def acknowledge(incident: Incident, actor: str, now: datetime) -> Change:
    """A person takes the incident. Raises `WrongState` if somebody already has, or if it is over."""
    if incident.state == "resolved":
        raise WrongState(f"incident {incident.id} is already resolved")
    if incident.owner is not None:
        raise WrongState(f"incident {incident.id} is already taken by {incident.owner}")
    taken = _stated(replace(incident, acknowledged_at=now, owner=actor))
    return _told(taken, "acknowledged", actor, {"code": "taken", "actor": actor}, now)


def resolve(incident: Incident, actor: str, reason: str, now: datetime) -> Change:
    """A person closes the incident and says why. Raises `WrongState` if it is over, `ValueError` without a reason."""
    if incident.state == "resolved":
        raise WrongState(f"incident {incident.id} is already resolved")
    if not reason.strip():
        raise ValueError("say why the incident is resolved")
    closed = replace(incident, state="resolved", resolved_at=now, calm_since=None)
    return _told(
        closed, "resolved", actor, {"code": "closed", "actor": actor, "text": reason.strip()[:MAX_REASON]}, now
    )


# ── the steps ────────────────────────────────────────────────────────────────


def _settled(incident: Incident | None, spike: Spike) -> bool:
    """No alarm, or one about a time that a person has already judged."""
    if spike.verdict not in ALARMS:
        return True
    if incident is None or incident.resolved_at is None or not incident.closed_by_a_person:
        return False
    return max(spike.window_start, spike.settled_at or spike.window_start) < incident.resolved_at


def _opened(brand_id: int, cause: str, policy_id: int | None, spike: Spike, now: datetime, new_id: str) -> Change:
    incident = Incident(
        id=new_id,
        brand_id=brand_id,
        cause=cause,
        policy_id=policy_id,
        state="open",
        severity=_severity(spike),
        version=0,
        opened_at=now,
        updated_at=now,
        peak_score=spike.score,
        dossier=_proof(spike, cause),
    )
    return _told(incident, "opened", MACHINE, _numbers(spike.reason, spike, cause), now)


def _escalated(incident: Incident, spike: Spike, now: datetime) -> Change | None:
    """Worse than what was told: critical at last, or much rarer a while after the last word."""
    if _rank(_severity(spike)) > _rank(incident.severity):
        code = "more_severe"
    elif (
        spike.verdict == "critical"
        and min(spike.score, RAREST) >= incident.peak_score + RARER
        and now - incident.updated_at >= QUIET
    ):
        code = "much_rarer"
    else:
        return None
    worse = replace(
        incident,
        severity=_severity(spike),
        peak_score=max(incident.peak_score, spike.score),
        calm_since=None,
        dossier=_proof(spike, incident.cause),
    )
    return _told(
        _stated(worse), "escalated", MACHINE, {**_numbers(code, spike, incident.cause), "from": incident.severity}, now
    )


def _ended(incident: Incident, calm_since: datetime, spike: Spike, now: datetime) -> Change:
    calm_s = int((spike.window_end - calm_since).total_seconds())
    over = replace(incident, state="resolved", resolved_at=now)
    return _told(over, "resolved", MACHINE, {**_numbers("calm_again", spike, incident.cause), "calm_s": calm_s}, now)


def _calm_from(incident: Incident, since: datetime | None) -> Change | None:
    return None if incident.calm_since == since else Change(_stated(replace(incident, calm_since=since)), None)


def _stated(incident: Incident) -> Incident:
    """An unresolved incident's state follows from who has it and whether it is calm."""
    if incident.calm_since is not None:
        return replace(incident, state="resolving")
    return replace(incident, state="open" if incident.owner is None else "acknowledged")


def _told(incident: Incident, kind: EventKind, actor: str, data: Mapping[str, Any], now: datetime) -> Change:
    """The incident one version on, with the event that says so."""
    version = incident.version + 1
    reason = prose.reason(data, words("en"))
    event = Event(incident.id, version, now, kind, actor, reason, data)
    return Change(replace(incident, version=version, updated_at=now), event)


def _numbers(code: str, spike: Spike, cause: str) -> dict[str, Any]:
    return {
        "code": code,
        "severity": spike.verdict,
        "observed": spike.observed,
        "unknown": spike.unknown,
        "expected": spike.expected,
        "score": spike.score,
        "window_s": int((spike.window_end - spike.window_start).total_seconds()),
        "subject": spike.subject,
        "why": spike.reason,
        "cause": cause,
    }


def _proof(spike: Spike, cause: str) -> dict[str, Any]:
    """The bare dossier of a verdict; `alerts.dossier.attach` puts the texts to it."""
    return asdict(Dossier(spike=to_mapping(spike), coverage=spike.coverage, cause=cause))


def _severity(spike: Spike) -> Severity:
    if spike.verdict == "critical":
        return "critical"
    return "notice" if spike.verdict == "notice" else "warning"


def _rank(severity: Severity) -> int:
    return ("notice", "warning", "critical").index(severity)
