"""What people are told of Avizor's own listening: sources that are not heard, and when Avizor itself was away.

    Upkeep, Channel -> notice -> Alert (`system`) -> (outbox)

One message, however many sources it is about: a few by name, the others as a number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from alerts.base import Alert, Channel
from alerts.prose import error_in_words
from alerts.texts import Words, words

MAX_NAMED, MAX_NAME, MAX_ERROR = 10, 60, 200

What = Literal["stopped", "silent", "never", "quiet", "overrun"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a source is not heard as it should be.

    stopped    it is not asked any more, since it is gone for good
    silent     no good answer since then
    never      the same, and there never was one
    quiet      it answers, and brings nothing new; `usual` lies between two of its items
    overrun    more was published between two visits than it shows: items were lost, how many is unknown

    `error` is the `CollectError` as stored, "code: message"; empty where nothing failed.
    """

    source: str
    what: What
    since: datetime
    error: str = ""
    usual: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What one channel is told at once: `troubles` that are new to it, the worst first, names of sources that are
    `heard_again`, how many it was told of before are `still` not heard, and from when to when Avizor was `away`.
    """

    troubles: Sequence[Trouble] = ()
    heard_again: Sequence[str] = ()
    still: int = 0
    away: tuple[datetime, datetime] | None = None


def notice(upkeep: Upkeep, channel: Channel, *, key: str, time_zone: str, url: str | None, now: datetime) -> Alert:
    """The message. It belongs to no brand and to no incident: `reason` is its headline, `message` a fact a line."""
    tongue = words(channel.language, time_zone)
    return Alert(
        key=key,
        action="system",
        brand="",
        at=now,
        language=channel.language,
        time_zone=time_zone,
        url=url,
        reason=_headline(upkeep, tongue),
        message="\n".join(_lines(upkeep, tongue)),
    )


def _headline(upkeep: Upkeep, tongue: Words) -> str:
    lossy = sum(trouble.what == "overrun" for trouble in upkeep.troubles)
    if unheard := len(upkeep.troubles) - lossy:
        return tongue.count("Avizor: {n} source is not heard", "Avizor: {n} sources are not heard", unheard)
    if upkeep.away:
        length = tongue.duration(upkeep.away[1] - upkeep.away[0])
        return tongue.say("Avizor was not running for {duration}", duration=length)
    if lossy:
        return tongue.count("Avizor: {n} source lost items", "Avizor: {n} sources lost items", lossy)
    again = len(upkeep.heard_again)
    return tongue.count("Avizor: {n} source is heard again", "Avizor: {n} sources are heard again", again)


def _lines(upkeep: Upkeep, tongue: Words) -> Iterator[str]:
    if upkeep.away:
        since, until = upkeep.away
        yield tongue.say(
            "Avizor was not running from {since} to {until} ({duration}). What was said meanwhile may be missing.",
            since=tongue.moment(since),
            until=tongue.moment(until),
            duration=tongue.duration(until - since),
        )
    yield from (_line(trouble, tongue) for trouble in upkeep.troubles[:MAX_NAMED])
    if more := len(upkeep.troubles[MAX_NAMED:]):
        yield tongue.count("And {n} more.", "And {n} more.", more)
    if unheard := sum(trouble.what != "overrun" for trouble in upkeep.troubles):
        yield tongue.count(
            "What this source says meanwhile is in no figure.",
            "What these sources say meanwhile is in no figure.",
            unheard,
        )
    if upkeep.heard_again:
        named = ", ".join(_cut(name, MAX_NAME) for name in upkeep.heard_again[:MAX_NAMED])
        if more := len(upkeep.heard_again[MAX_NAMED:]):
            yield tongue.count(
                "Heard again: {names} and {n} more.", "Heard again: {names} and {n} more.", more, names=named
            )
        else:
            again = len(upkeep.heard_again)
            yield tongue.count("Heard again: {names}.", "Heard again: {names}.", again, names=named)
    if upkeep.still:
        yield tongue.count(
            "{n} source that was told of before is still not heard.",
            "{n} sources that were told of before are still not heard.",
            upkeep.still,
        )


def _line(trouble: Trouble, tongue: Words) -> str:
    told = f"{_cut(trouble.source, MAX_NAME)}: {_what(trouble, tongue)}"
    return f"{told} {_cut(error_in_words(trouble.error, tongue), MAX_ERROR)}" if trouble.error else told


def _what(trouble: Trouble, tongue: Words) -> str:
    since = tongue.moment(trouble.since)
    match trouble.what:
        case "stopped":
            return tongue.say("it is not asked any more since {since}.", since=since)
        case "silent":
            return tongue.say("no good answer since {since}.", since=since)
        case "never":
            return tongue.say("no good answer since it was added, {since}.", since=since)
        case "quiet":
            usual = tongue.duration(trouble.usual or timedelta())
            return tongue.say(
                "it answers, and nothing new has come since {since}; usual: every {usual}.", since=since, usual=usual
            )
        case "overrun":
            return tongue.say(
                "items were lost before {since}: more was published between two visits than it shows.", since=since
            )


def _cut(text: str, limit: int) -> str:
    """One line of at most `limit` characters."""
    line = " ".join(text[: limit * 4].split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"
