"""What an alert says, in plain sentences: headline, facts, figures, reason. Each channel dresses them in its own way.

    Alert -> headline, facts, figures -> Slack blocks | webhook text | ...

Plain text throughout: nothing is escaped here. No sentence holds a mention's text; what strangers wrote stands in it as
single words at most (the name of a second crisis, an author), and whoever shows it escapes it.

Every count is the dossier's own, so that whoever looks it up finds the same. Only what is usual is rounded, and what
follows from it: how many times as many, and how rare.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from alerts.base import Action, Alert, Dossier, Exhibit, Severity
from alerts.spike import Spike, from_mapping
from alerts.texts import N_, Words, words

MOST_TIMES = 100  # beyond, the number says only how quiet the brand is otherwise

# The actions that raise an alarm, and so bring their proof.
ALARMS: frozenset[Action] = frozenset({"trigger", "escalate"})
SEVERITIES: Mapping[Severity, str] = {"notice": N_("NOTE"), "warning": N_("WARNING"), "critical": N_("CRITICAL")}

MONTH = timedelta(days=30)
TERMS = 5  # words that stand out, in a message
# What scored by the chance of one window, and not by months between chances.
_BY_WINDOW = "same-hour/"
_SECOND = "negative:"
# The reasons that open an incident, and which of them a cause other than the main one stands for.
TOLD = frozenset(
    {"negative_spike", "volume_surge", "unknown_surge", "grave_term", "wide_spread", "many_authors", "silence"}
)
_ABOUT: Mapping[str, str] = {"grave": "grave_term", "spread": "wide_spread", "silence": "silence"}


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
        case _ if code in TOLD:
            return _telling(code, data, tongue)
        case "more_severe":
            severe = tongue.say(SEVERITIES.get(data.get("severity", "critical"), SEVERITIES["critical"]))
            return tongue.say("Now {severity}: {volume}", severity=severe, volume=_why(data, tongue))
        case "much_rarer":
            return tongue.say("Much rarer still: {volume}", volume=_why(data, tongue))
        case "again":
            return tongue.say("It begins again: {volume}", volume=_why(data, tongue))
        case "resolving":
            return tongue.say("Calming down: {volume}", volume=_why(data, tongue))
        case "calm_again":
            calm = tongue.number(round(data["calm_s"] / 60))
            return tongue.say("Calm for {minutes} min: {volume}", minutes=calm, volume=_why(data, tongue))
        case "taken":
            return tongue.say("Taken by {actor}", actor=data["actor"])
        case "closed":
            return tongue.say("Closed by {actor}: {text}", actor=data["actor"], text=data["text"])
        case _:
            return code


def _why(data: Mapping[str, Any], tongue: Words) -> str:
    """The counts of a later event, in the words of what the incident is about: its verdict may be `usual` by now."""
    about = _ABOUT.get(str(data.get("cause", "")).partition(":")[0])
    why = str(data.get("why", ""))
    return _telling(about or (why if why in TOLD else "negative_spike"), data, tongue)


def _telling(why: str, data: Mapping[str, Any], tongue: Words) -> str:
    observed, expected = data["observed"], data.get("expected")
    values = {
        "window": tongue.short_stretch(timedelta(seconds=data["window_s"])),
        "expected": tongue.number(expected) if expected is not None else "?",
        "subject": data.get("subject") or str(data.get("cause", "")).partition(":")[2] or "?",
    }
    match why:
        case "volume_surge":
            return tongue.count(
                "far more is said than usual: {n} negative mention in {window}, usual at this hour: {expected}",
                "far more is said than usual: {n} negative mentions in {window}, usual at this hour: {expected}",
                observed,
                **values,
            )
        case "unknown_surge":
            return tongue.count(
                "far more is said than usual: {n} mention of unknown tone in {window}",
                "far more is said than usual: {n} mentions of unknown tone in {window}",
                data.get("unknown", 0),
                **values,
            )
        case "grave_term":
            return tongue.count(
                "“{subject}” is said by {n} voice in {window}",
                "“{subject}” is said by {n} voices in {window}",
                observed,
                **values,
            )
        case "wide_spread":
            return tongue.count(
                "one text on {n} site in {window}", "one text on {n} sites in {window}", observed, **values
            )
        case "many_authors":
            return tongue.count(
                "one text by {n} person in {window}", "one text by {n} people in {window}", observed, **values
            )
        case "silence":
            return tongue.count(
                "{n} mention in {window}, usual at this hour: {expected}",
                "{n} mentions in {window}, usual at this hour: {expected}",
                observed,
                **values,
            )
        case _:
            return tongue.count(
                "{n} negative mention in {window}, usual at this hour: {expected}",
                "{n} negative mentions in {window}, usual at this hour: {expected}",
                observed,
                **values,
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
    "host_resting": N_("Its host asked for fewer requests: none of its sources is asked meanwhile."),
    "session_spent": N_("It does not take the session that signing in gave: is the secret still good?"),
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
    "not_found": N_("What the settings name is not there (any more)."),
    "not_allowed": N_("It does not allow this."),
    "not_signed_in": N_("It was not signed in to yet."),
    "not_a_websocket": N_("What answers at this address is no stream."),
    "no_secret": N_("It needs a credential: the source's secret."),
    "bad_secret": N_("It does not know the credential."),
    "account_closed": N_("The account that asks was closed or suspended."),
    "no_credits": N_("It wants credits: buy some in its console."),
    "budget_spent": N_("What the source may read is spent for now."),
    "quota_exceeded": N_("Its quota is spent for now."),
    "rate_limited": N_("It asks for fewer requests."),
    "bad_query": N_("It cannot read the search: look at the setting query."),
    "no_subreddit": N_("It knows none of the subreddits in the settings."),
    "comments_disabled": N_("The comments there are turned off."),
    "private": N_("It shows itself to its own users only."),
    "overloaded": N_("It is too busy, and asks to come back later."),
    "wiki_error": N_("The wiki refuses the search."),
    "gdelt_refused": N_("It answered with a sentence instead of results: too busy, or it does not take the question."),
    "newsapi_refused": N_("NewsAPI refuses the question or the key."),
    "silent": N_("The stream brings nothing."),
    "cut_off": N_("The stream was cut off."),
    "stream_ended": N_("The other end closed the stream."),
    "bad_stream": N_("The other end does not keep to the protocol."),
    "ratelimited": N_("It asks for fewer requests."),
    "rate_limit": N_("It asks for fewer requests."),
    "http_422": N_("It does not show this to strangers."),
    "readapidenied": N_("It shows itself to its own users only."),
    "maxlag": N_("It is too busy, and asks to come back later."),
    "not_appstore": N_("The answer is not what this kind of source gives."),
    "all_gone": N_("It says that all posts asked for are gone, which is asked again before it is believed."),
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
    if code.startswith("not_"):
        return tongue.say("The answer is not what this kind of source gives.")
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
                "{brand}: {severity}, {what}", brand=brand, severity=severity(alert, tongue), what=_what(alert, tongue)
            )
        case "escalate":
            line = tongue.say(
                "{brand}: getting worse, now {severity}; open since {since}",
                brand=brand,
                severity=severity(alert, tongue),
                since=tongue.moment(since(alert)),
            )
        case "acknowledge":
            line = tongue.say("{brand}: {actor} is on it", brand=brand, actor=alert.actor or "?")
        case "resolve":
            length = tongue.duration(alert.at - (alert.opened_at or alert.at))
            line = tongue.say("{brand}: resolved after {duration}", brand=brand, duration=length)
        case "test":
            return tongue.say("Avizor test: this channel works")
        case "system":
            return alert.reason or tongue.say("Avizor itself needs attention")
    which = subject(alert.dossier, tongue)
    return f"{line} · {which}" if which else line


def _what(alert: Alert, tongue: Words) -> str:
    """What happened, after the severity in the headline of a trigger."""
    began = tongue.moment(since(alert))
    if which := subject(alert.dossier, tongue):
        return which
    if _about(alert.dossier) in ("volume_surge", "unknown_surge"):
        return tongue.say("far more is said than usual since {since}", since=began)
    return tongue.say("spike of negative mentions since {since}", since=began)


def subject(dossier: Dossier | None, tongue: Words) -> str:
    """Which of a brand's incidents this is, where it is not the main one; then it is named in every headline."""
    if dossier is None:
        return ""
    name = dossier.cause.partition(":")[2]
    match _about(dossier):
        case "grave_term":
            return tongue.say("a grave word: {term}", term=name)
        case "wide_spread":
            sites = dossier.spike.get("observed", dossier.spread)
            return tongue.count("wide spread: one text on {n} site", "wide spread: one text on {n} sites", sites)
        case "many_authors":
            people = dossier.spike.get("observed", dossier.authors)
            return tongue.count("wide spread: one text by {n} person", "wide spread: one text by {n} people", people)
        case "silence":
            return tongue.say("silence: almost nothing is said, and all sources answer")
        case _ if dossier.cause.startswith(_SECOND):
            return tongue.say("a second, different crisis: {term}", term=name.replace("-", " "))
        case _:
            return ""


def _about(dossier: Dossier | None) -> str:
    """The reason that an incident opens for, from its cause; of crises, the verdict's own."""
    if dossier is None:
        return "negative_spike"
    reason = str(dossier.spike.get("reason", "negative_spike"))
    return reason if reason == "many_authors" else _ABOUT.get(dossier.cause.partition(":")[0]) or reason


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
            yield from filter(str.strip, (alert.message or "?").splitlines())
        case "trigger" | "escalate":
            if spike is not None and alert.dossier is not None:
                yield from _evidence(spike, alert.dossier, alert.brand_name or alert.brand, tongue)
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


def _evidence(spike: Spike, dossier: Dossier, brand: str, tongue: Words) -> Iterator[str]:
    window = {
        "window": tongue.stretch(spike.window_end - spike.window_start),
        "span": tongue.span(spike.window_start, spike.window_end),
        "place": tongue.place,
    }
    match _about(dossier):
        case "grave_term":
            term = spike.subject or dossier.cause.partition(":")[2]
            yield from _grave(spike, term, window, tongue)
        case "wide_spread":
            yield tongue.count(
                "The same text on {n} site in {window} ({span}, {place}).",
                "The same text on {n} sites in {window} ({span}, {place}).",
                spike.observed,
                **window,
            )
            yield tongue.say("It counts as one story, however many copy it.")
        case "many_authors":
            yield tongue.count(
                "The same text by {n} person in {window} ({span}, {place}).",
                "The same text by {n} people in {window} ({span}, {place}).",
                spike.observed,
                **window,
            )
            yield tongue.say("It counts as one story, however many copy it.")
        case "silence":
            yield tongue.count(
                "{n} mention in {window} ({span}, {place}).",
                "{n} mentions in {window} ({span}, {place}).",
                spike.observed,
                **window,
            )
            if spike.expected is not None:
                yield _usual(spike, tongue)
            heard = tongue.percent(spike.coverage)
            yield tongue.say("{share} of the sources were heard: it is quiet, nobody is deaf.", share=heard)
            yield from _by_chance(spike, spike.score, tongue)
        case "volume_surge":
            yield tongue.count(
                "{n} mention in {window} ({span}, {place}), {negative} of them negative.",
                "{n} mentions in {window} ({span}, {place}), {negative} of them negative.",
                spike.total,
                negative=tongue.number(spike.observed),
                **window,
            )
            yield tongue.say("Far more is said than usual, and as much of it is negative as always.")
            if spike.expected is not None:
                yield tongue.say("Negative ones, usual: {expected}.", expected=tongue.number(spike.expected))
            yield from _by_chance(spike, spike.score if spike.volume_score is None else spike.volume_score, tongue)
        case "unknown_surge":
            yield tongue.count(
                "{n} mention of unknown tone in {window} ({span}, {place}), {known} of known tone.",
                "{n} mentions of unknown tone in {window} ({span}, {place}), {known} of known tone.",
                spike.unknown,
                known=tongue.number(spike.total),
                **window,
            )
            yield tongue.say("Far more is said than usual, and nobody can tell how it is meant: read it.")
            yield from _by_chance(spike, spike.score if spike.volume_score is None else spike.volume_score, tongue)
        case _:
            yield tongue.count(
                "{n} negative mention in {window} ({span}, {place}).",
                "{n} negative mentions in {window} ({span}, {place}).",
                spike.observed,
                **window,
            )
            yield from _negatives(spike, brand, tongue)
            yield from _by_chance(spike, spike.score, tongue)


def _grave(spike: Spike, term: str, window: Mapping[str, str], tongue: Words) -> Iterator[str]:
    """Its score holds more than chance, how trusted the source is: so how rare it is, is said by what was before."""
    yield tongue.count(
        "{n} voice says “{term}” in {window} ({span}, {place}).",
        "{n} voices say “{term}” in {window} ({span}, {place}).",
        spike.observed,
        term=term,
        **window,
    )
    if spike.samples and not any(sample.negative for sample in spike.samples):
        yield tongue.count(
            "On the day before, nobody said it of this brand.",
            "On the {n} days before, nobody said it of this brand.",
            len(spike.samples),
        )
    elif spike.expected is not None:
        yield tongue.say("Usual in a day: {expected}.", expected=tongue.number(spike.expected))


def _negatives(spike: Spike, brand: str, tongue: Words) -> Iterator[str]:
    """What is usual, how many times as many it is, and what would be usual for a brand as loud as this one is now."""
    if not spike.expected:
        return
    ratio = spike.observed / spike.expected
    if ratio > MOST_TIMES:
        yield tongue.say("{usual} This is more than 100 times as many.", usual=_usual(spike, tongue))
    else:
        said = tongue.number(ratio)
        yield tongue.say("{usual} This is {ratio} times as many.", usual=_usual(spike, tongue), ratio=said)
    if spike.loudness >= 1.1:
        yield tongue.say(
            "With as much as is said about {brand} right now, {expected} would be usual.",
            brand=brand,
            expected=tongue.number(spike.expected * spike.loudness),
        )


def _usual(spike: Spike, tongue: Words) -> str:
    expected = tongue.number(spike.expected or 0)
    if spike.band is None or spike.band[1] <= 0:
        return tongue.say("Usual: {expected}.", expected=expected)
    low, high = map(tongue.number, spike.band)
    return tongue.say("Usual: {expected} (between {low} and {high}).", expected=expected, low=low, high=high)


def _by_chance(spike: Spike, score: float, tongue: Words) -> Iterator[str]:
    """How rare it is. The score is log10 of months; the first rule's was of windows, and says it by its probability."""
    if not spike.rule.startswith(_BY_WINDOW):
        yield tongue.say("By chance it would happen {often}.", often=tongue.rarity(10.0 ** min(score, 9.0)))
    elif spike.probability is not None:
        months = (spike.window_end - spike.window_start) / MONTH / max(spike.probability, 1e-300)
        yield tongue.say("By chance it would happen {often}.", often=tongue.rarity(months))


# ── what stands beside it ────────────────────────────────────────────────────


def figures(alert: Alert, *, brief: bool = False) -> Iterator[tuple[str, str]]:
    """Name and value of what stands beside the sentences: shares, who said it, what is left out, what was heard.

    Only for an alert that raises an alarm; an acknowledgement and an all-clear are short. `brief` leaves out what a
    page tells at length: what does not count, which words stand out, who said it first.
    """
    tongue, dossier = reader(alert), alert.dossier
    if dossier is None or alert.action not in ALARMS:
        return
    yield from _of_the_counts(dossier, tongue)
    yield from _of_the_voices(dossier, tongue)
    if not brief:
        yield from _of_the_texts(dossier, tongue)
    if dossier.events:
        yield tongue.say("Planned for now"), ", ".join(dossier.events)
    yield from _of_the_listening(dossier, tongue)


def _of_the_counts(dossier: Dossier, tongue: Words) -> Iterator[tuple[str, str]]:
    spike = spike_of(dossier)
    if spike is not None and spike.share is not None and _about(dossier) != "wide_spread":
        share = tongue.percent(spike.share)
        if spike.usual_share is not None:
            share = tongue.say("{share} (usual {usual})", share=share, usual=tongue.percent(spike.usual_share))
        yield tongue.say("Negative share"), share
    if spike is not None and spike.band is not None and spike.band[1] > 0:
        low, high = map(tongue.number, spike.band)
        yield (
            tongue.say("Usual band"),
            tongue.say("{low} to {high} in 95 of 100 such windows", low=low, high=high),
        )
    if dossier.stories:
        copies = tongue.say(
            "{stories} different, {copies} copies",
            stories=tongue.number(dossier.stories),
            copies=tongue.number(dossier.copies),
        )
        yield tongue.say("Stories"), copies


def not_counted(found: Mapping[str, int], tongue: Words) -> str:
    """`14: 12 by authors who count already, 2 of a new source`."""
    parts = [excluded(why, count, tongue) for why, count in sorted(found.items(), key=lambda i: (-i[1], i[0]))]
    return f"{tongue.number(sum(found.values()))}: {', '.join(parts)}"


def excluded(why: str, count: int, tongue: Words) -> str:
    """How many do not count for this reason: `12 by authors who count already`."""
    match why:
        case "same_author":
            return tongue.count("{n} by an author who counts already", "{n} by authors who count already", count)
        case "one_site":
            return tongue.count("{n} from one site, beyond its share", "{n} from one site, beyond its share", count)
        case "new_source":
            return tongue.count("{n} from a new source", "{n} from a new source", count)
        case "other_crisis":
            return tongue.count("{n} about another crisis", "{n} about another crisis", count)
        case "settled":
            return tongue.count("{n} from before it was closed", "{n} from before it was closed", count)
        case _:
            return f"{tongue.number(count)} {why}"


def why_not(why: str, tongue: Words) -> str:
    """The rule by which a story does not count, for who wants to know; nothing for a rule of another version."""
    match why:
        case "same_author":
            return tongue.say("Of one author on one site only the first story of a tone counts.")
        case "one_site":
            return tongue.say(
                "One site counts for no more than all others together, unless the brand is talked about there anyway."
            )
        case "new_source":
            return tongue.say("What a source brings in its first day is not held against what was usual without it.")
        case "other_crisis":
            return tongue.say("They are about another crisis of this brand, which has an incident of its own.")
        case "settled":
            return tongue.say("They were said before somebody closed the last incident of this kind.")
        case _:
            return ""


def _of_the_voices(dossier: Dossier, tongue: Words) -> Iterator[tuple[str, str]]:
    if dossier.authors or dossier.sites:
        authors = tongue.count("{n} author", "{n} authors", dossier.authors)
        sites = tongue.count("{n} site", "{n} sites", dossier.sites)
        yield tongue.say("Voices"), tongue.say("{authors} on {sites}", authors=authors, sites=sites)
    if dossier.spread > 1:
        widest = tongue.count("one text on {n} site", "one text on {n} sites", dossier.spread)
        yield tongue.say("Widest spread"), widest


def _of_the_texts(dossier: Dossier, tongue: Words) -> Iterator[tuple[str, str]]:
    if dossier.excluded:
        yield tongue.say("Not counted"), not_counted(dossier.excluded, tongue)
    if dossier.terms:
        standing_out = [f"{term.word} {tongue.number(term.here)}" for term in dossier.terms[:TERMS]]
        yield tongue.say("Words that stand out"), ", ".join(standing_out)
    if (first := dossier.first) is not None:
        who = [first.site or first.source, *([first.author] if first.author else [])]
        yield tongue.say("Said first"), " · ".join([tongue.moment(first.published_at), *who])


def _of_the_listening(dossier: Dossier, tongue: Words) -> Iterator[tuple[str, str]]:
    if dossier.coverage is not None:
        watched = tongue.say("{share} of the sources were heard", share=tongue.percent(dossier.coverage))
        yield tongue.say("Coverage"), watched
    if dossier.unknown_share is not None:
        unknown = tongue.say("{share} of the mentions", share=tongue.percent(dossier.unknown_share))
        yield tongue.say("Unknown tone"), unknown
    if dossier.by_source:
        yield tongue.say("Sources"), _most(dossier.by_source, tongue)
    if dossier.by_language:
        yield tongue.say("Languages"), _most(dossier.by_language, tongue)


def _most(counts: Mapping[str, int], tongue: Words) -> str:
    """The three largest: `elpais 7, hn 3`."""
    largest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3]
    return ", ".join(f"{name} {tongue.number(count)}" for name, count in largest)


def counts(dossier: Dossier, tongue: Words) -> Iterator[tuple[str, str]]:
    """The two numbers that an incident is about, each with what it counts: observed, and usual (not of a spread)."""
    spike = spike_of(dossier)
    if spike is None:
        return
    observed = tongue.number(spike.observed)
    usual = "?" if spike.expected is None else tongue.number(spike.expected)
    match _about(dossier):
        case "grave_term":
            yield observed, tongue.say("voices that say it")
            yield usual, tongue.say("usual in a day")
        case "wide_spread":
            yield observed, tongue.say("sites with the same text")
        case "silence":
            yield observed, tongue.say("mentions of any tone")
            yield usual, tongue.say("usual")
        case _:
            yield observed, tongue.say("negative mentions")
            yield usual, tongue.say("usual")


def words_that_hurt(exhibit: Exhibit, tongue: Words) -> str:
    """The evidence words of a mention, or nothing."""
    return tongue.say("Words: {words}", words=", ".join(exhibit.evidence)) if exhibit.evidence else ""


def further_copies(exhibit: Exhibit, tongue: Words) -> str:
    """How often the same text was seen elsewhere, or nothing."""
    return tongue.count("{n} copy", "{n} copies", exhibit.copies) if exhibit.copies else ""


def basis(dossier: Dossier | None, tongue: Words) -> Iterator[str]:
    """What the verdict went by: rule, score and where its lines are, policy."""
    spike = spike_of(dossier)
    if dossier is None or spike is None:
        return
    yield tongue.say("Rule {rule}", rule=spike.rule)
    if (
        spike.reason in ("volume_surge", "unknown_surge")
        and spike.volume_score is not None
        and spike.critical_threshold is not None
    ):
        yield tongue.say(
            "score of the volume {score} (warning from {line})",
            score=tongue.number(spike.volume_score),
            line=tongue.number(spike.critical_threshold),
        )
    elif spike.reason == "silence":
        yield tongue.say(
            "score {score} (note from {line})",
            score=tongue.number(spike.score),
            line=tongue.number(spike.threshold),
        )
    elif spike.verdict in ("warning", "critical") and spike.critical_threshold is not None:
        yield tongue.say(
            "score {score} (warning from {warning}, critical from {critical})",
            score=tongue.number(spike.score),
            warning=tongue.number(spike.threshold),
            critical=tongue.number(spike.critical_threshold),
        )
    if name := dossier.policy.get("name"):
        rate = dossier.policy.get("false_warnings_per_month")
        told = tongue.number(rate) if isinstance(rate, int | float) else "?"
        yield tongue.say("policy {name} (false warnings a month: {rate})", name=name, rate=told)


def rule_line(alert: Alert) -> str:
    """The small print: what the verdict went by, whose time it is, and whether this may be a repeat."""
    tongue = reader(alert)
    went_by = list(basis(alert.dossier, tongue))
    parts = [*(went_by if alert.action in ALARMS else went_by[:1]), f"{tongue.moment(alert.at)} ({tongue.place})"]
    if alert.repeat:
        parts.append(tongue.say("may be a repeat"))
    return " · ".join(parts)
