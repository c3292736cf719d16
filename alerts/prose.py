"""What an alert says, in plain sentences: headline, facts, figures, reason. Each channel dresses them in its own way.

    Alert -> headline, facts, figures -> Slack blocks | webhook text | ...

Plain text throughout: nothing is escaped here, and no sentence holds a mention's content.
"""

import re
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


# ── why something did not work ───────────────────────────────────────────────

_CODED = re.compile(r"([a-z][a-z0-9_]*): (.*)", re.DOTALL)
_STATUS = re.compile(r"\banswered (\d{3})\b|\((\d{3})\)")
_SLACK = re.compile(r"\bSlack says (\w+)")
_ADVICE = "make a new webhook"
_CHALLENGE = "Cloudflare challenge"

ERRORS: Mapping[str, str] = {
    "http_400": N_("The request was refused as malformed."),
    "http_401": N_("A login or a key is asked for."),
    "http_402": N_("Payment is asked for."),
    "http_403": N_("Access is forbidden."),
    "http_404": N_("There is nothing at this address."),
    "http_406": N_("What was asked for is not offered."),
    "http_410": N_("It is gone for good: its address has to be changed."),
    "http_429": N_("It asks for fewer requests."),
    "http_451": N_("It is blocked for legal reasons."),
    "timeout": N_("It did not answer in time."),
    "connect": N_("No connection could be made."),
    "connection_lost": N_("The connection was lost."),
    "network": N_("The connection failed."),
    "tls": N_("No secure connection could be made: its certificate or its encryption is not valid."),
    "bad_http": N_("It broke off, or does not speak proper HTTP."),
    "bad_url": N_("This address cannot be asked."),
    "bad_encoding": N_("The answer is not compressed as it should be."),
    "too_large": N_("The answer is too large."),
    "redirect": N_("It redirects elsewhere, which is not followed: configure the final address."),
    "redirects": N_("It redirects in a way that is not followed."),
    "host_not_found": N_("The host's name has no address, or name resolution does not work here."),
    "address_not_allowed": N_("This address is not allowed: only public ones are, and those that the settings allow."),
    "request_failed": N_("The request failed."),
    "not_a_feed": N_("The answer is not a feed. Is this its address?"),
    "not_hackernews": N_("The answer is not that of the Hacker News search."),
    "bad_json": N_("The answer is not valid JSON."),
    "entities": N_("The document declares entities of its own: refused."),
    "hostile": N_("The document is made to do harm: refused."),
    "parse_error": N_("The document is broken and cannot be read."),
    "parse_killed": N_("Reading the answer took too long or failed, and was ended."),
    "no_terms": N_("No brand that it serves has a word that could be searched for."),
    "channel_off": N_("The channel has been switched off or removed since."),
    "internal": N_("Avizor itself failed; the log says why."),
}
"""What an error's stable code means, of a source (`CollectError`) and of a channel (`NotifyError`) alike."""


def error_in_words(error: str, tongue: Words) -> str:
    """A stored error, `code: message`, for a reader: the code stays, the message is said in their language.

    The messages are written in English where they arise, with details: an English reader gets them unchanged, and
    so does everybody where the code is not known. A reason without a code (`Channel.disabled_reason`) is read for
    the status that it tells of.
    """
    coded = _CODED.fullmatch(error)
    code, message = coded.groups() if coded else (_status(error), error)
    said = _meaning(code, message, tongue)
    if tongue.language == "en" or said is None:
        return error
    advice = [tongue.say("Make a new webhook and configure its address.")] if _ADVICE in message else []
    return " ".join([f"{code}: {said}" if code else said, *advice])


def _status(reason: str) -> str:
    found = _STATUS.search(reason)
    return f"http_{found[1] or found[2]}" if found else ""


def _meaning(code: str, message: str, tongue: Words) -> str | None:
    if slack := _SLACK.search(message):
        return tongue.say("Slack says {word}.", word=slack[1])
    if _CHALLENGE in message:
        return tongue.say("It wants a browser (a Cloudflare challenge).")
    if code in ERRORS:
        return tongue.say(ERRORS[code])
    if re.fullmatch(r"http_5\d\d", code):
        return tongue.say("It has trouble of its own.")
    if re.fullmatch(r"http_\d{3}", code):
        return tongue.say("The answer is no use.")
    return None


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
