"""From an incident's change to the alert about it: proof gathered, put into words, written as JSON and back.

    Spike, exhibits, summary, voices, words, policy -> build -> Dossier -> attach -> Change
    Change, Channel -> wanted -> Action -> alert_for -> Alert -> to_json -> (outbox) -> from_json

The JSON is what the outbox stores: an alert must be complete in itself, since it may leave a day after the rows it
speaks of have changed. It may be read by a newer Avizor than wrote it: a field that is missing takes its default, one
that is not known is left out, and anything else that does not fit is an error, not a guess.
"""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields, replace
from datetime import UTC, datetime
from typing import Any, Protocol, get_args

from alerts import prose
from alerts.audience import delivery_key
from alerts.base import Action, Alert, Channel, Dossier, Exhibit, First, Severity, Term
from alerts.incident import MACHINE, MAIN, Change
from alerts.spike import Spike, to_mapping
from alerts.texts import N_, words

# A dossier travels in messages and rows: what is quoted is bounded, however long the mention was.
MAX_EXHIBITS, MAX_COUNTS, MAX_TERMS, MAX_EVENTS, MAX_SETTINGS = 10, 50, 10, 10, 10
MAX_TITLE, MAX_TEXT, MAX_NAME, MAX_URL, MAX_WORDS, MAX_WORD = 300, 1000, 200, 2000, 12, 60

_MAPPINGS = ("spike", "by_label", "by_language", "by_source", "excluded", "policy")


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


def build(
    spike: Spike,
    exhibits: Sequence[Exhibit] = (),
    summary: Summary | None = None,
    *,
    cause: str = MAIN,
    policy: Mapping[str, Any] | None = None,
    judged_at: datetime | None = None,
    excluded: Mapping[str, int] | None = None,
    terms: Sequence[Term] = (),
    first: First | None = None,
    authors: int = 0,
    sites: int = 0,
    spread: int = 0,
    events: Sequence[str] = (),
    subject: Sequence[str] = (),
) -> Dossier:
    """The proof of an alert: the verdict with its numbers, the texts, and what else was said. Long texts are cut.

    The keywords are the fields of `Dossier`. `policy` holds plain JSON values: its `name` and its
    `false_warnings_per_month` are shown. `excluded` without a story in it is left out.
    """
    dossier = Dossier(
        spike=to_mapping(spike),
        exhibits=tuple(_bounded(exhibit) for exhibit in exhibits[:MAX_EXHIBITS]),
        coverage=spike.coverage if spike.window_coverage is None else spike.window_coverage,
        cause=_cut(cause, MAX_NAME),
        excluded={why: count for why, count in _largest(excluded or {}).items() if count},
        terms=tuple(replace(term, word=_cut(term.word, MAX_WORD)) for term in terms[:MAX_TERMS]),
        first=None if first is None else _bounded_first(first),
        authors=authors,
        sites=sites,
        spread=spread,
        events=tuple(_cut(event, MAX_NAME) for event in events[:MAX_EVENTS]),
        subject=tuple(subject[:MAX_TERMS]),
        policy=_bounded_policy(policy or {}),
        judged_at=judged_at,
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
        url=_whole(exhibit.url),
        source=_cut(exhibit.source, MAX_NAME),
        author=None if exhibit.author is None else _cut(exhibit.author, MAX_NAME),
        evidence=tuple(_cut(word, MAX_NAME) for word in exhibit.evidence[:MAX_WORDS]),
    )


def _bounded_first(first: First) -> First:
    return replace(
        first,
        source=_cut(first.source, MAX_NAME),
        site=None if first.site is None else _cut(first.site, MAX_NAME),
        author=None if first.author is None else _cut(first.author, MAX_NAME),
        url=_whole(first.url),
    )


def _bounded_policy(policy: Mapping[str, Any]) -> dict[str, Any]:
    settings = list(policy.items())[:MAX_SETTINGS]
    return {name: _cut(value, MAX_NAME) if isinstance(value, str) else value for name, value in settings}


def _whole(url: str | None) -> str | None:
    """Half an address leads nowhere, or elsewhere."""
    return url if url is not None and len(url) <= MAX_URL else None


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def attach(change: Change, dossier: Dossier) -> Change:
    """The change with the dossier kept on its event, for good, and on its incident, until the next escalation."""
    proved = to_mapping_of(dossier)
    event = None if change.event is None else replace(change.event, dossier=proved)
    return replace(change, incident=replace(change.incident, dossier=proved), event=event)


# ── the alert ────────────────────────────────────────────────────────────────


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
_DEAD_ELSEWHERE = N_("An alert could not be delivered to its channel. The deliveries in Avizor say which.")


def undelivered_alert(
    failed: Alert | None,
    *,
    key: str,
    failed_channel: str,
    error: str,
    channel: Channel,
    now: datetime,
    is_final: bool = True,
) -> Alert:
    """The alarm, through another channel, that an alert did not arrive. `error` is the `NotifyError`: "code: message".

    `failed` None: the alert is not this channel's to read, or cannot be read any more. Then the alarm says that there
    is something to look at, and nothing of it.
    """
    if failed is None:
        message = words(channel.language, "UTC").say(_DEAD_ELSEWHERE)
        return Alert(key=key, action="system", brand="", at=now, language=channel.language, message=message)
    tongue = words(channel.language, failed.time_zone)
    told = replace(failed, language=channel.language)
    message = tongue.say(
        _DEAD if is_final else _STUCK,
        channel=failed_channel,
        headline=prose.headline(told),
        error=prose.error_in_words(error, tongue),
    )
    return Alert(
        key=key,
        action="system",
        brand=failed.brand,
        brand_name=failed.brand_name,
        at=now,
        language=channel.language,
        time_zone=failed.time_zone,
        url=failed.url,
        message=message,
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
    """Raises `ValueError` for a missing field, an unknown action or severity, and for a time without zone."""
    values = _known(Alert, mapping)
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
    return {
        **{field.name: getattr(dossier, field.name) for field in fields(dossier)},
        **{name: dict(getattr(dossier, name)) for name in _MAPPINGS},
        "exhibits": [_exhibit_json(exhibit) for exhibit in dossier.exhibits],
        "terms": [asdict(term) for term in dossier.terms],
        "first": None if dossier.first is None else _first_json(dossier.first),
        "events": list(dossier.events),
        "subject": list(dossier.subject),
        "judged_at": _iso(dossier.judged_at),
    }


def dossier_of(mapping: Mapping[str, Any]) -> Dossier:
    """Raises `ValueError`, as `from_json`."""
    values = _known(Dossier, mapping)
    nested = {
        "exhibits": tuple(_exhibit_of(exhibit) for exhibit in values["exhibits"]),
        "terms": tuple(Term(**_known(Term, term)) for term in values["terms"]),
        "first": None if values["first"] is None else _first_of(values["first"]),
        "events": tuple(values["events"]),
        "subject": tuple(values["subject"]),
        "judged_at": _time(values["judged_at"]),
    }
    return Dossier(**{**values, **nested})


def _exhibit_json(exhibit: Exhibit) -> dict[str, Any]:
    return {**asdict(exhibit), "published_at": _iso(exhibit.published_at), "evidence": list(exhibit.evidence)}


def _exhibit_of(mapping: Mapping[str, Any]) -> Exhibit:
    values = _known(Exhibit, mapping)
    if (published_at := _time(values["published_at"])) is None:
        raise ValueError("exhibit: 'published_at' is missing")
    return Exhibit(**{**values, "published_at": published_at, "evidence": tuple(values["evidence"])})


def _first_json(first: First) -> dict[str, Any]:
    return {**asdict(first), "published_at": _iso(first.published_at), "fetched_at": _iso(first.fetched_at)}


def _first_of(mapping: Mapping[str, Any]) -> First:
    values = _known(First, mapping)
    times = {name: _time(values[name]) for name in ("published_at", "fetched_at")}
    if None in times.values():
        raise ValueError("first: a time is missing")
    return First(**{**values, **times})


def _known(kind: type[Alert | Dossier | Exhibit | Term | First], mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of this kind as the mapping has them, else by default. Raises `ValueError` where there is neither."""
    word = kind.__name__.lower()
    if not isinstance(mapping, Mapping):
        raise ValueError(f"{word}: not a mapping")
    values: dict[str, Any] = {}
    for field in fields(kind):
        if field.name in mapping:
            values[field.name] = mapping[field.name]
        elif field.default is not MISSING:
            values[field.name] = field.default
        elif field.default_factory is not MISSING:
            values[field.name] = field.default_factory()
        else:
            raise ValueError(f"{word}: {field.name!r} is missing")
    return values


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"a time without zone: {text}")
    return time.astimezone(UTC)
