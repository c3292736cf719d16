"""What an alert says, in plain sentences: headline, facts, figures, reason. Each channel dresses them in its own way.

    Alert -> headline, facts, figures -> Slack blocks | webhook text | ...

Plain text throughout: nothing is escaped here, and no sentence holds a mention's content.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from alerts.base import Action, Alert, Dossier, Exhibit, Severity
from alerts.spike import Spike, from_mapping
from alerts.texts import N_, Words, words

# The actions that raise an alarm, and so bring their proof.
ALARMS: frozenset[Action] = frozenset({"trigger", "escalate"})
SEVERITIES: Mapping[Severity, str] = {"warning": N_("WARNING"), "critical": N_("CRITICAL")}


def reader(alert: Alert) -> Words:
    """The language and the time zone that this alert is written in."""
    return words(alert.language, alert.time_zone)


def spike_of(dossier: Dossier | None) -> Spike | None:
    """The verdict in a dossier, None where there is none to read."""
    return from_mapping(dossier.spike) if dossier is not None and dossier.spike else None


# ── why an incident changed ──────────────────────────────────────────────────


def reason(data: Mapping[str, Any], tongue: Words) -> str:
    """The sentence for an incident's event, from its stable `code` and its numbers (`Event.data`).

    An unknown code says itself, so that a timeline written by a newer version can still be read.
    """
    code = str(data.get("code", ""))
    match code:
        case "negative_spike":
            return _volume(data, tongue)
        case "more_severe":
            return tongue.say("Now critical: {volume}", volume=_volume(data, tongue))
        case "much_rarer":
            return tongue.say("Much rarer still: {volume}", volume=_volume(data, tongue))
        case "calm_again":
            calm = tongue.number(round(data["calm_s"] / 60))
            return tongue.say("Calm for {minutes} min: {volume}", minutes=calm, volume=_volume(data, tongue))
        case "taken":
            return tongue.say("Taken by {actor}", actor=data["actor"])
        case "closed":
            return tongue.say("Closed by {actor}: {text}", actor=data["actor"], text=data["text"])
        case _:
            return code


def _volume(data: Mapping[str, Any], tongue: Words) -> str:
    return tongue.count(
        "{n} negative mention in {minutes} min, usual at this hour: {expected}",
        "{n} negative mentions in {minutes} min, usual at this hour: {expected}",
        data["observed"],
        minutes=tongue.number(data["window_s"] / 60),
        expected=tongue.number(data["expected"]) if data["expected"] is not None else "?",
    )


# ── what an alert says ───────────────────────────────────────────────────────


def headline(alert: Alert) -> str:
    """The first line: which brand, how bad, what, since when. It must be enough on a locked phone."""
    tongue = reader(alert)
    brand = alert.brand_name or alert.brand
    match alert.action:
        case "trigger":
            return tongue.say(
                "{brand}: {severity}, spike of negative mentions since {since}",
                brand=brand,
                severity=severity(alert, tongue),
                since=tongue.moment(since(alert)),
            )
        case "escalate":
            return tongue.say(
                "{brand}: getting worse, now {severity}; open since {since}",
                brand=brand,
                severity=severity(alert, tongue),
                since=tongue.moment(since(alert)),
            )
        case "acknowledge":
            return tongue.say("{brand}: {actor} is on it", brand=brand, actor=alert.actor or "?")
        case "resolve":
            length = tongue.duration(alert.at - (alert.opened_at or alert.at))
            return tongue.say("{brand}: resolved after {duration}", brand=brand, duration=length)
        case "test":
            return tongue.say("Avizor test: this channel works")
        case "system":
            return tongue.say("Avizor itself needs attention")


def severity(alert: Alert, tongue: Words) -> str:
    return tongue.say(SEVERITIES[alert.severity]) if alert.severity else "?"


def since(alert: Alert) -> datetime:
    """When it began: the judged window's start at the trigger, later the time of opening."""
    spike = spike_of(alert.dossier)
    if alert.action == "trigger" and spike is not None:
        return spike.window_start
    return alert.opened_at or alert.at


def facts(alert: Alert) -> Iterator[str]:
    """What happened, sentence by sentence, with the numbers."""
    tongue, spike = reader(alert), spike_of(alert.dossier)
    match alert.action:
        case "test":
            yield alert.message or tongue.say("If you can read this, Avizor's alerts arrive here.")
        case "system":
            yield alert.message or "?"
        case "trigger" | "escalate":
            if spike is not None:
                yield from _evidence(spike, tongue)
            elif alert.reason:
                yield alert.reason
        case "acknowledge" | "resolve":
            if alert.reason and alert.action == "resolve":
                yield alert.reason
            if alert.opened_at is not None:
                opened = tongue.moment(alert.opened_at)
                yield tongue.say(
                    "Severity {severity}, open since {since}.", severity=severity(alert, tongue), since=opened
                )


def _evidence(spike: Spike, tongue: Words) -> Iterator[str]:
    window = spike.window_end - spike.window_start
    yield tongue.count(
        "{n} negative mention in {minutes} minutes ({span}, {place}).",
        "{n} negative mentions in {minutes} minutes ({span}, {place}).",
        spike.observed,
        minutes=tongue.number(window.total_seconds() / 60),
        span=tongue.span(spike.window_start, spike.window_end),
        place=tongue.place,
    )
    if spike.expected:
        yield tongue.say(
            "Usual at this hour: {expected}; this is {ratio} times as many.",
            expected=tongue.number(spike.expected),
            ratio=tongue.number(spike.observed / spike.expected),
        )
        if spike.loudness >= 1.1:
            yield tongue.say(
                "With as much as is said about the brand right now, {expected} would be usual.",
                expected=tongue.number(spike.expected * spike.loudness),
            )
    if spike.probability is not None:
        yield tongue.say("By chance it would happen {often}.", often=tongue.rarity(spike.probability, window))


def figures(alert: Alert) -> Iterator[tuple[str, str]]:
    """Name and value of what stands beside the sentences: share, coverage, unknown tones, copies, places.

    Only for an alert that raises an alarm; an acknowledgement and an all-clear are short.
    """
    tongue, dossier, spike = reader(alert), alert.dossier, spike_of(alert.dossier)
    if dossier is None or alert.action not in ALARMS:
        return
    if spike is not None and spike.share is not None:
        share = tongue.percent(spike.share)
        if spike.usual_share is not None:
            share = tongue.say("{share} (usual {usual})", share=share, usual=tongue.percent(spike.usual_share))
        yield tongue.say("Negative share"), share
    if dossier.coverage is not None:
        watched = tongue.say("{share} of the sources were heard", share=tongue.percent(dossier.coverage))
        yield tongue.say("Coverage"), watched
    if dossier.unknown_share is not None:
        unknown = tongue.say("{share} of the mentions", share=tongue.percent(dossier.unknown_share))
        yield tongue.say("Unknown tone"), unknown
    if dossier.stories:
        copies = tongue.say(
            "{stories} different, {copies} copies",
            stories=tongue.number(dossier.stories),
            copies=tongue.number(dossier.copies),
        )
        yield tongue.say("Stories"), copies
    if dossier.by_source:
        yield tongue.say("Sources"), _most(dossier.by_source, tongue)
    if dossier.by_language:
        yield tongue.say("Languages"), _most(dossier.by_language, tongue)


def _most(counts: Mapping[str, int], tongue: Words) -> str:
    """The three largest: `elpais 7, hn 3`."""
    largest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3]
    return ", ".join(f"{name} {tongue.number(count)}" for name, count in largest)


def words_that_hurt(exhibit: Exhibit, tongue: Words) -> str:
    """The evidence words of a mention, or nothing."""
    return tongue.say("Words: {words}", words=", ".join(exhibit.evidence)) if exhibit.evidence else ""


def further_copies(exhibit: Exhibit, tongue: Words) -> str:
    """How often the same text was seen elsewhere, or nothing."""
    return tongue.count("{n} copy", "{n} copies", exhibit.copies) if exhibit.copies else ""


def rule_line(alert: Alert) -> str:
    """The small print: rule and version, whose time it is, and whether this may be a repeat."""
    tongue, spike = reader(alert), spike_of(alert.dossier)
    parts = []
    if spike is not None:
        parts.append(tongue.say("Rule {rule}", rule=spike.rule))
    parts.append(f"{tongue.moment(alert.at)} ({tongue.place})")
    if alert.repeat:
        parts.append(tongue.say("may be a repeat"))
    return " · ".join(parts)
