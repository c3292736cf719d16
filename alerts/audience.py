"""Whom a change of an incident concerns. Pure: what was told before comes in as `told`.

Change + channel + was it told of this incident before -> trigger | escalate | acknowledge | resolve | nothing
"""

from collections.abc import Collection, Iterable, Mapping

from alerts.base import Action, Channel, Severity
from alerts.incident import Change

_RANK: Mapping[Severity, int] = {"notice": 0, "warning": 1, "critical": 2}


def audience(channels: Iterable[Channel], named: Collection[str]) -> list[Channel]:
    """The channels of a brand: those that it names by slug, or all where it names none."""
    return [channel for channel in channels if not named or channel.slug in named]


def wanted(channel: Channel, change: Change, *, told: bool) -> Action | None:
    """What this channel is told about the change; None: nothing. `told`: it was sent something of this incident before.

    A channel hears of an incident from the moment that its severity reaches the channel's line; that is its trigger,
    whatever it is for others. From then on it hears everything to the end, whatever was configured meanwhile: nobody
    is left with an alarm that never ends, and nobody hears of the end of what they never heard of. A notice is no
    alarm: what never rose above it is told once, and nobody is told that it is taken or over.

    A channel that switched itself off (its address is gone) is told all the same: the delivery then dies visibly, and
    that alarms. One that a person switched off is told nothing.
    """
    if change.event is None or not listens(channel):
        return None
    alarming = change.incident.severity != "notice"
    match change.event.kind:
        case "opened" | "escalated":
            if told:
                return "escalate"
            return "trigger" if _RANK[change.incident.severity] >= _RANK[channel.min_severity] else None
        case "acknowledged":
            return "acknowledge" if told and alarming else None
        case "resolved":
            return "resolve" if told and alarming else None
        case _:
            return None


def listens(channel: Channel) -> bool:
    """Switched on, or switched off by itself and not by a person."""
    return channel.enabled or channel.disabled_reason is not None


def delivery_key(incident_id: str, seq: int, channel: str) -> str:
    """The id of one delivery for ever, the same on every try: incident, number of its event, channel slug."""
    return f"{incident_id}.{seq}.{channel}"
