"""A crisis as a state machine: open, acknowledged, resolved; one owner, one timeline, one version number.

    (nothing) -- spike --> open -- worse --> open, critical -- a person --> acknowledged -- an hour of calm --> resolved

`advance` is what the watch walk asks after every verdict; `acknowledge` and `resolve` are what a person does. All
three are pure and return a `Change` that says why, never a bare bool. Opening is quick and resolving slow
(hysteresis): an all-clear needs a whole hour of covered, evaluated windows far below the line, and silence from dead
sources is no calm.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from alerts import prose
from alerts.base import Dossier, IncidentState, Severity
from alerts.spike import Policy, Spike, to_mapping
from alerts.texts import words

EventKind = Literal["opened", "escalated", "acknowledged", "resolved", "noted"]

# Who acted where no person did.
MACHINE = "avizor"
MAX_REASON = 1000


class WrongState(ValueError):
    """A person asked for a step that this incident cannot take any more; the text says why."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A crisis of one brand. `version` counts its events; `calm_since` is when the volume fell below the resolve line.

    `severity` never falls. `peak_score` is the score of the rarest evidence that was told (at opening and at each
    escalation). `updated_at` is the time of the last event. A resolved incident with `calm_since` ended by itself, one
    without was closed by a person.
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


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an incident's timeline. `seq` starts at 1 and equals the incident's version after it.

    `reason` is an English sentence. `data` holds the stable `code` (`negative_spike`, `more_severe`, `much_rarer`,
    `calm_again`, `taken`, `closed`) and the numbers: `alerts.prose.reason(data, words)` says it in any language.
    """

    incident_id: str
    seq: int
    at: datetime
    kind: EventKind
    actor: str
    reason: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What was decided: the incident as it is now, and the event to write and tell (None: only `calm_since` moved)."""

    incident: Incident
    event: Event | None


def advance(
    brand_id: int, incident: Incident | None, spike: Spike, now: datetime, policy: Policy, new_id: str
) -> Change | None:
    """What this verdict changes for the brand, or None.

    `incident` is the brand's unresolved incident, or its newest one, or None; `new_id` is used if one is opened. An
    incident that a person closed is not opened again by a window that reaches back before that moment.
    """
    if incident is not None and incident.brand_id != brand_id:
        raise ValueError(f"incident {incident.id} belongs to brand {incident.brand_id}, not {brand_id}")
    if incident is None or incident.state == "resolved":
        return None if _settled(incident, spike) else _opened(brand_id, spike, now, new_id)
    if spike.verdict in ("warning", "critical"):
        return _escalated(incident, spike, now, policy) or _calm_from(incident, None)
    if not _is_calm(spike, policy):
        return _calm_from(incident, None)
    if incident.calm_since is None:
        return _calm_from(incident, spike.window_end)
    if spike.window_end - incident.calm_since >= timedelta(seconds=policy.resolve_s):
        return _ended(incident, incident.calm_since, spike, now)
    return None


def acknowledge(incident: Incident, actor: str, now: datetime) -> Change:
    """A person takes the incident. Raises `WrongState` if somebody already has, or if it is over."""
    if incident.state == "resolved":
        raise WrongState(f"incident {incident.id} is already resolved")
    if incident.state == "acknowledged":
        raise WrongState(f"incident {incident.id} is already taken by {incident.owner}")
    taken = replace(incident, state="acknowledged", acknowledged_at=now, owner=actor)
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
    if spike.verdict not in ("warning", "critical"):
        return True
    if incident is None or incident.resolved_at is None or incident.calm_since is not None:
        return False
    return spike.window_start < incident.resolved_at


def _opened(brand_id: int, spike: Spike, now: datetime, new_id: str) -> Change:
    incident = Incident(
        id=new_id,
        brand_id=brand_id,
        state="open",
        severity=_severity(spike),
        version=0,
        opened_at=now,
        updated_at=now,
        peak_score=spike.score,
        dossier=_proof(spike),
    )
    return _told(incident, "opened", MACHINE, _numbers("negative_spike", spike), now)


def _escalated(incident: Incident, spike: Spike, now: datetime, policy: Policy) -> Change | None:
    """Worse than what was told: critical at last, or `policy.rarer` decades rarer a while after the last word."""
    if incident.severity == "warning" and spike.verdict == "critical":
        code = "more_severe"
    elif (
        spike.score >= incident.peak_score + policy.rarer
        and _rank(_severity(spike)) >= _rank(incident.severity)
        and now - incident.updated_at >= timedelta(seconds=policy.quiet_s)
    ):
        code = "much_rarer"
    else:
        return None
    worse = replace(
        incident,
        severity=_severity(spike),
        peak_score=max(incident.peak_score, spike.score),
        calm_since=None,
        dossier=_proof(spike),
    )
    return _told(worse, "escalated", MACHINE, {**_numbers(code, spike), "from": incident.severity}, now)


def _ended(incident: Incident, calm_since: datetime, spike: Spike, now: datetime) -> Change:
    calm_s = int((spike.window_end - calm_since).total_seconds())
    over = replace(incident, state="resolved", resolved_at=now)
    return _told(over, "resolved", MACHINE, {**_numbers("calm_again", spike), "calm_s": calm_s}, now)


def _is_calm(spike: Spike, policy: Policy) -> bool:
    """Evaluated, covered, and clearly below the line. Poor coverage and learning are not calm."""
    return spike.verdict == "calm" and spike.score < policy.resolve_score and spike.coverage >= policy.min_coverage


def _calm_from(incident: Incident, since: datetime | None) -> Change | None:
    return None if incident.calm_since == since else Change(replace(incident, calm_since=since), None)


def _told(incident: Incident, kind: EventKind, actor: str, data: Mapping[str, Any], now: datetime) -> Change:
    """The incident one version on, with the event that says so."""
    version = incident.version + 1
    reason = prose.reason(data, words("en"))
    event = Event(incident.id, version, now, kind, actor, reason, data)
    return Change(replace(incident, version=version, updated_at=now), event)


def _numbers(code: str, spike: Spike) -> dict[str, Any]:
    return {
        "code": code,
        "severity": spike.verdict,
        "observed": spike.observed,
        "expected": spike.expected,
        "score": spike.score,
        "window_s": int((spike.window_end - spike.window_start).total_seconds()),
    }


def _proof(spike: Spike) -> dict[str, Any]:
    """The bare dossier of a verdict; `alerts.dossier.attach` puts the texts to it."""
    return asdict(Dossier(spike=to_mapping(spike), coverage=spike.coverage))


def _severity(spike: Spike) -> Severity:
    return "critical" if spike.verdict == "critical" else "warning"


def _rank(severity: Severity) -> int:
    return ("warning", "critical").index(severity)
