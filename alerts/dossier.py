"""From an incident's change to the alert about it: proof gathered, told to whom it concerns, written as JSON and back.

    Spike, exhibits, summary -> build -> Dossier -> attach -> Change
    Change, Channel -> wanted -> Action -> alert_for -> Alert -> to_json -> (outbox) -> from_json

The JSON is what the outbox stores: an alert must be complete in itself, since it may leave a day after the rows it
speaks of have changed. It is read back strictly: a missing or unknown field is an error, not a guess.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any, Protocol, get_args

from alerts import prose
from alerts.base import Action, Alert, Channel, Dossier, Exhibit, Severity
from alerts.incident import MACHINE, Change, EventKind
from alerts.spike import Spike, to_mapping
from alerts.texts import N_, words

# A dossier travels in messages and rows: what is quoted is bounded, however long the mention was.
MAX_EXHIBITS, MAX_COUNTS = 10, 50
MAX_TITLE, MAX_TEXT, MAX_NAME, MAX_URL, MAX_WORDS = 300, 1000, 200, 2000, 12

_ACTIONS: Mapping[EventKind, Action] = {
    "opened": "trigger",
    "escalated": "escalate",
    "acknowledged": "acknowledge",
    "resolved": "resolve",
}
_SEVERITY_RANK: Mapping[Severity, int] = {"warning": 0, "critical": 1}


class Summary(Protocol):
    """What was said in the judged window: counts of stories, and of the copies of them (storage's `MentionSummary`)."""

    @property
    def stories(self) -> int: ...
    @property
    def copies(self) -> int: ...
    @property
    def by_label(self) -> Mapping[str, int]: ...
    @property
    def by_language(self) -> Mapping[str, int]: ...
    @property
    def by_source(self) -> Mapping[str, int]: ...


# ── the proof ────────────────────────────────────────────────────────────────


def build(spike: Spike, exhibits: Sequence[Exhibit] = (), summary: Summary | None = None) -> Dossier:
    """The proof of an alert: the verdict with its numbers, the texts, and what else was said. Long texts are cut."""
    dossier = Dossier(
        spike=to_mapping(spike),
        exhibits=tuple(_bounded(exhibit) for exhibit in exhibits[:MAX_EXHIBITS]),
        coverage=spike.coverage,
    )
    if summary is None:
        return dossier
    everything = sum(summary.by_label.values())
    return replace(
        dossier,
        stories=summary.stories,
        copies=summary.copies,
        by_label=dict(summary.by_label),
        by_language=_largest(summary.by_language),
        by_source=_largest(summary.by_source),
        unknown_share=summary.by_label.get("unknown", 0) / everything if everything else None,
    )


def _largest(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_COUNTS])


def _bounded(exhibit: Exhibit) -> Exhibit:
    return replace(
        exhibit,
        title=_cut(exhibit.title, MAX_TITLE),
        text=_cut(exhibit.text, MAX_TEXT),
        url=exhibit.url if exhibit.url is not None and len(exhibit.url) <= MAX_URL else None,
        source=_cut(exhibit.source, MAX_NAME),
        author=None if exhibit.author is None else _cut(exhibit.author, MAX_NAME),
        evidence=tuple(_cut(word, MAX_NAME) for word in exhibit.evidence[:MAX_WORDS]),
    )


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def attach(change: Change, dossier: Dossier) -> Change:
    """The change with the dossier kept on its incident, as it stands at this trigger or escalation."""
    return replace(change, incident=replace(change.incident, dossier=to_mapping_of(dossier)))


# ── whom it concerns ─────────────────────────────────────────────────────────


def wanted(channel: Channel, change: Change) -> Action | None:
    """What this channel is told about the change; None: nothing.

    A channel hears of an incident from the moment its severity reaches the channel's line: an escalation over that
    line is its trigger. Acknowledgement and resolution go where the trigger went, since an incident's severity never
    falls.
    """
    action = _ACTIONS.get(change.event.kind) if change.event else None
    if change.event is None or action is None or not channel.enabled:
        return None
    line = _SEVERITY_RANK[channel.min_severity]
    if _SEVERITY_RANK[change.incident.severity] < line:
        return None
    if action == "escalate" and _SEVERITY_RANK[change.event.data.get("from", "warning")] < line:
        return "trigger"
    return action


def delivery_key(incident_id: str, seq: int, channel: str) -> str:
    """The id of one delivery for ever, the same on every try: incident, number of its event, channel slug."""
    return f"{incident_id}.{seq}.{channel}"


def alert_for(
    change: Change,
    action: Action,
    *,
    channel: str,
    brand: str,
    brand_name: str,
    language: str,
    time_zone: str,
    dossier: Dossier | None,
    public_url: str | None,
) -> Alert:
    """The alert about a change for one channel. `channel` and `brand` are slugs; `language` is the channel's readers'.

    `action` is what `wanted` gave. `public_url` is where people reach Avizor; the alert links to its page of the
    incident. Raises `ValueError` for a change without an event: there is nothing to tell.
    """
    incident, event = change.incident, change.event
    if event is None:
        raise ValueError("a change without an event is not told")
    return Alert(
        key=delivery_key(incident.id, event.seq, channel),
        action=action,
        brand=brand,
        brand_name=brand_name,
        at=event.at,
        language=language,
        time_zone=time_zone,
        incident_id=incident.id,
        seq=event.seq,
        severity=incident.severity,
        opened_at=incident.opened_at,
        actor=None if event.actor == MACHINE else event.actor,
        reason=prose.reason(event.data, words(language, time_zone)) or event.reason,
        url=f"{public_url.rstrip('/')}/incidents/{incident.id}" if public_url else None,
        dossier=dossier,
    )


def test_alert(channel: Channel, key: str, now: datetime, public_url: str | None) -> Alert:
    """A marked test for one channel. `key` is the caller's: each test is a message of its own."""
    return Alert(key=key, action="test", brand="", at=now, language=channel.language, url=public_url)


_DEAD = N_("An alert could not be delivered to the channel {channel} and will not be tried again: {headline} ({error})")
_STUCK = N_("An alert has not reached the channel {channel} yet and is still being tried: {headline} ({error})")


def dead_letter_alert(
    failed: Alert, *, failed_channel: str, error: str, channel: Channel, now: datetime, is_final: bool = True
) -> Alert:
    """The alarm, through another channel, that an alert did not arrive, for good or so far (`is_final`).

    `error` is a `NotifyError`'s text. One key for each of the two, so that neither alarm is told twice.
    """
    tongue = words(channel.language, failed.time_zone)
    headline = prose.headline(replace(failed, language=channel.language))
    text = _DEAD if is_final else _STUCK
    return Alert(
        key=f"{failed.key}.{'dead' if is_final else 'stuck'}.{channel.slug}",
        action="system",
        brand=failed.brand,
        brand_name=failed.brand_name,
        at=now,
        language=channel.language,
        time_zone=failed.time_zone,
        url=failed.url,
        message=tongue.say(text, channel=failed_channel, headline=headline, error=error),
    )


# ── as JSON ──────────────────────────────────────────────────────────────────


def to_json(alert: Alert) -> dict[str, Any]:
    """The alert as plain JSON values; times are ISO 8601 in UTC with Z. `from_json` gives the equal `Alert` back."""
    return {
        **{field.name: getattr(alert, field.name) for field in fields(alert)},
        "at": _iso(alert.at),
        "opened_at": _iso(alert.opened_at),
        "dossier": None if alert.dossier is None else to_mapping_of(alert.dossier),
    }


def from_json(mapping: Mapping[str, Any]) -> Alert:
    """Strict: raises `ValueError` for a missing or unknown field, action or severity, and for a time without zone."""
    values = _exactly(Alert, mapping)
    if values["action"] not in get_args(Action):
        raise ValueError(f"alert: unknown action {values['action']!r}")
    if values["severity"] not in (*get_args(Severity), None):
        raise ValueError(f"alert: unknown severity {values['severity']!r}")
    if (at := _time(values["at"])) is None:
        raise ValueError("alert: 'at' is missing")
    dossier = None if values["dossier"] is None else dossier_of(values["dossier"])
    return Alert(**{**values, "at": at, "opened_at": _time(values["opened_at"]), "dossier": dossier})


def to_mapping_of(dossier: Dossier) -> dict[str, Any]:
    """A dossier as plain JSON values, as kept with the incident. `dossier_of` gives the equal `Dossier` back."""
    mapping = {field.name: getattr(dossier, field.name) for field in fields(dossier)}
    counts = {name: dict(mapping[name]) for name in ("spike", "by_label", "by_language", "by_source")}
    return {**mapping, **counts, "exhibits": [_exhibit_json(exhibit) for exhibit in dossier.exhibits]}


def dossier_of(mapping: Mapping[str, Any]) -> Dossier:
    """Strict, as `from_json`."""
    values = _exactly(Dossier, mapping)
    return Dossier(**{**values, "exhibits": tuple(_exhibit_of(exhibit) for exhibit in values["exhibits"])})


def _exhibit_json(exhibit: Exhibit) -> dict[str, Any]:
    return {**asdict(exhibit), "published_at": _iso(exhibit.published_at), "evidence": list(exhibit.evidence)}


def _exhibit_of(mapping: Mapping[str, Any]) -> Exhibit:
    values = _exactly(Exhibit, mapping)
    if (published_at := _time(values["published_at"])) is None:
        raise ValueError("exhibit: 'published_at' is missing")
    return Exhibit(**{**values, "published_at": published_at, "evidence": tuple(values["evidence"])})


def _exactly(kind: type[Alert | Dossier | Exhibit], mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping, if it has just the fields of this kind."""
    names = {field.name for field in fields(kind)}
    if not isinstance(mapping, Mapping) or set(mapping) != names:
        given = set(mapping) if isinstance(mapping, Mapping) else set()
        word = kind.__name__.lower()
        raise ValueError(f"{word}: missing {sorted(names - given)}, unknown {sorted(map(str, given - names))}")
    return dict(mapping)


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"a time without zone: {text}")
    return time.astimezone(UTC)
