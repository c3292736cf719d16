"""When to ask a source again, and how well it is. Pure: the time is `now`, chance is a number that the caller drew.

    what a visit brought | the operator's interval, learned pace, publisher's wish, quota, Retry-After -> next due time
                         | what lies between two items, a window that ran over, an address that moved for good
    what is known of the source, now -> ok | late | failing | silent | disabled, fresh or not

All waits are in seconds of the clock that `now` comes from.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from math import exp

from collectors import COLLECTORS, STREAMS
from collectors.base import Source, SourceState

DAY_S = 24 * 3600
FASTEST_S = 60
SLOWEST_FACTOR = 6
FASTEST_FACTOR = 4
GROW = 1.25
MANY_NEW = 0.5
BACKOFF_LIMIT_S = 6 * 3600
JITTER = 0.1
FRESH_AT_LEAST = timedelta(minutes=15)
FRESH_INTERVALS = 3
QUIET_AT_LEAST = timedelta(days=1)
QUIET_CADENCES = 8
CADENCE_MEMORY_S = 7 * DAY_S
CADENCE_REACH = timedelta(days=28)
CADENCE_GAPS = 4
MOVED_SIGHTINGS = 3
OLD_ADDRESS_EVERY = 4  # failures in a row at the adopted address
OVERRUN_SHOWN = timedelta(days=7)
LONGEST_S = 30 * DAY_S


def pace_s(source: Source) -> int:
    """How often the source is asked when nothing is in the way."""
    return source.adaptive_interval_s or source.interval_s


def fastest_s(source: Source) -> int:
    """Four times as fast as the operator asked for, once a minute at most unless the operator asked for that."""
    return min(source.interval_s, max(FASTEST_S, source.interval_s // FASTEST_FACTOR))


def slowest_s(source: Source) -> int:
    """Six times as slow as the operator asked for, once a day at least."""
    return max(source.interval_s, min(source.interval_s * SLOWEST_FACTOR, DAY_S))


def learned_interval_s(source: Source, *, new: int, offered: int, pushed: bool = False) -> int:
    """The pace for the next time, from how many of the `offered` items were `new`.

    Nothing new: slower by a quarter, down to a sixth of what the operator asked for, or once a day. Something new: back
    to what the operator asked for. More than half of it new: twice as fast, since a window that turns over loses items;
    never faster than four times the operator's interval, nor than once a minute unless the operator asked for that.
    `offered` 0 (an API that only returns what is new) teaches nothing. An unchanged document counts as one item that is
    not new. `pushed`: a hub that has proved itself says when there is something new, so the slowest pace is enough to
    see that it still does.
    """
    pace = pace_s(source)
    slowest = slowest_s(source)
    if pushed:
        return slowest
    if not offered:
        wanted = float(pace)
    elif not new:
        wanted = pace * GROW
    elif new > offered * MANY_NEW and not source.first_run:
        wanted = min(pace, source.interval_s) / 2
    elif pace < source.interval_s:
        wanted = min(pace * GROW, source.interval_s)
    else:
        wanted = source.interval_s
    return int(min(max(wanted, fastest_s(source)), slowest))


def next_due(
    source: Source,
    now: datetime,
    *,
    interval_s: int | None = None,
    hint_s: int | None = None,
    max_age_s: int | None = None,
    at_least_s: float = 0.0,
    jitter: float = 0.0,
) -> datetime:
    """After a good visit. `interval_s` is the learned pace; `hint_s` and `max_age_s` are what the publisher wishes
    (`ttl`, `sy:`, Cache-Control), followed as far as six of the operator's intervals: many feeds wish for a day and
    publish by the hour. `at_least_s`: what the source itself said, or its quota demands; it stands above all others,
    for a month at most.

    `jitter` in 0..1 adds up to a tenth, so that sources that were added together do not stay together.
    """
    pace = interval_s or pace_s(source)
    wish = min(max(hint_s or 0, max_age_s or 0), source.interval_s * SLOWEST_FACTOR)
    wait = min(max(pace, wish), max(DAY_S, source.interval_s))
    return now + timedelta(seconds=max(wait, min(at_least_s, LONGEST_S)) * (1 + JITTER * jitter))


def per_day(source: Source) -> int | None:
    """How many requests a day all sources of this kind may make together; None: nobody counts."""
    wished = source.settings.get("requests_per_day")
    if isinstance(wished, int) and wished > 0:
        return wished
    kind = COLLECTORS.get(source.kind)
    return kind.requests_per_day if kind else None


def budget_wait_s(requests: int, per_day: int, sharers: int) -> float:
    """How long `requests` of one source use up its share of a day's quota, evenly spread: nothing is left over for an
    hour of crisis, and nothing runs dry before midnight. `sharers`: how many sources live on the quota, this one
    included.
    """
    return min(requests * DAY_S * max(1, sharers) / per_day, LONGEST_S)


def retry_due(
    source: Source, now: datetime, *, retry_after_s: float | None = None, at_least_s: float = 0.0, jitter: float = 0.0
) -> datetime:
    """After a failure: twice the wait for each one in a row, at most 6 h, of which chance takes up to a half.

    What the other side asked for (Retry-After) is a lower bound, never less than the source's interval nor more than a
    day; so is `at_least_s`, without those bounds. `source.fail_count` is the count before this failure.
    """
    backoff = min(source.interval_s * 2.0 ** min(source.fail_count, 16), max(BACKOFF_LIMIT_S, source.interval_s))
    wait = backoff * (1 - jitter / 2)
    if retry_after_s is not None:
        wait = max(wait, min(max(retry_after_s, source.interval_s), DAY_S))
    return now + timedelta(seconds=max(wait, min(at_least_s, LONGEST_S)))


def in_full(source: Source, now: datetime) -> bool:
    """Whether to ask without validators: once in each day of the source's life. A wrong 304 for ever is silence."""
    if source.last_ok_at is None or source.created_at is None:
        return True
    day = timedelta(days=1)
    return (now - source.created_at) // day != (source.last_ok_at - source.created_at) // day


def max_age_s(headers: Mapping[str, str]) -> int | None:
    """How long the publisher lets the answer stand: max-age less Age, else Expires less Date. None: not said."""
    cache = {name.lower(): value for name, value in headers.items()}
    control = cache.get("cache-control", "").lower()
    if re.search(r"\bno-(?:cache|store)\b", control):
        return None
    if found := re.search(r"\bmax-age\s*=\s*\"?(\d{1,9})", control):
        age = cache.get("age", "").strip()
        return max(0, int(found.group(1)) - (int(age) if re.fullmatch(r"\d{1,9}", age) else 0)) or None
    expires, date = _http_date(cache.get("expires", "")), _http_date(cache.get("date", ""))
    return max(0, int((expires - date).total_seconds())) or None if expires and date else None


def cadence_s(source: Source, published: Collection[datetime], now: datetime) -> int | None:
    """What lies between two of the source's items, as learned from when the new ones were `published` (clamped to now).

    The gaps g between one item and the next, each weighted by how long it lasted, and half forgotten after five days:

        c <- c + (g - c) * (1 - exp(-g / 7 days))       at first: sum(g * g) / sum(g)

    A mean over time, not over items: twenty items on Monday and none until the next are a cadence of a week, not of a
    few hours. The first visit's history counts as far as four weeks back, up to now. None until there is a day of it,
    or four gaps.
    """
    if source.last_item_at is None:
        marks = [*sorted(at for at in published if now - at <= CADENCE_REACH), now]
    else:
        marks = [source.last_item_at, *sorted(max(at, source.last_item_at) for at in published)]
    gaps = [(after - before).total_seconds() for before, after in pairwise(marks)]
    cadence: float | None = source.cadence_s
    if cadence is None:
        if not sum(gaps) or (len(gaps) < CADENCE_GAPS and sum(gaps) < DAY_S):
            return None
        return round(sum(gap * gap for gap in gaps) / sum(gaps))
    for gap in gaps:
        cadence += (gap - cadence) * (1 - exp(-gap / CADENCE_MEMORY_S))
    return round(cadence)


def ran_over(source: Source, published: Sequence[datetime | None], *, known: bool) -> bool:
    """Whether items were lost between two visits of a source that shows a window of its newest: none of those that it
    shows was `known`, and all were published after the last new one came in. How many were lost is unknown.

    What has no date proves nothing: a publisher that renames everything looks the same.
    """
    since = source.last_item_at
    if source.cursor or source.first_run or since is None or known:
        return False
    times = [at for at in published if at is not None]
    return bool(times) and min(times) > since


def overrun(source: Source, now: datetime) -> datetime | None:
    """When its window last ran over, for a week."""
    return source.overrun_at if source.overrun_at and now - source.overrun_at < OVERRUN_SHOWN else None


def address(source: Source) -> str | None:
    """Where to ask: what the operator wrote, or where that has moved for good, said three times in a row.

    What the operator wrote stays where it is, or the next `avizor apply` would take the source for another one. It is
    tried again at every fourth failure in a row: a move may be taken back.
    """
    adopted = source.moved_seen >= MOVED_SIGHTINGS and source.fail_count % OLD_ADDRESS_EVERY != OLD_ADDRESS_EVERY - 1
    return source.moved_to if adopted else source.url


def moved(source: Source, to: str | None) -> tuple[int, str | None]:
    """(moved_seen, moved_to) after an answer that stands at `to` for good; None: where it was asked for."""
    if to is not None and to != source.moved_to:
        return 1, to
    if source.moved_seen >= MOVED_SIGHTINGS:
        taken_back = to is None and address(source) == source.url
        return (0, None) if taken_back else (source.moved_seen, source.moved_to)
    return (source.moved_seen + 1, to) if to else (0, None)


def counts(source: Source) -> bool:
    """Whether coverage asks for this source. An inbox is told: that nobody tells it anything is no failure of ours."""
    return source.enabled and (source.kind in COLLECTORS or source.kind in STREAMS)


def health(source: Source, now: datetime) -> SourceState:
    """What to show for a source. The worst that is true:

    disabled   switched off, by a person or because it is gone
    silent     no good visit for three intervals (15 minutes at least), or good ones that bring nothing new for much
               longer than usual (`is_quiet`): whatever it carries is not heard
    failing    the last visit failed
    late       it should have been asked, and was not
    ok         heard

    A stream has no visits: it is silent after 15 minutes without a sign of life. An inbox is ok.
    """
    if not source.enabled or source.state == "disabled":
        return "disabled"
    if not counts(source):
        return "ok"
    since = source.last_ok_at or source.created_at
    if is_quiet(source, now) or (since is not None and now - since > _patience(source)):
        return "silent"
    if source.fail_count:
        return "failing"
    if source.kind in STREAMS:
        return "late" if source.last_ok_at is None else "ok"
    overdue = source.next_due_at is not None and now - source.next_due_at > timedelta(seconds=pace_s(source))
    return "late" if source.last_ok_at is None or overdue else "ok"


def is_quiet(source: Source, now: datetime) -> bool:
    """It answers, and has brought nothing new for a day and for eight times its cadence: something is broken there.

    Were its items independent of each other at a steady pace, one gap in nine million would be so long: the cadence,
    weighted by time, is then twice the mean gap (docs/decisions/0012-silence.md).
    """
    if source.cadence_s is None or source.last_item_at is None:
        return False
    usual = timedelta(seconds=source.cadence_s)
    return now - source.last_item_at > max(QUIET_AT_LEAST, QUIET_CADENCES * usual)


def fresh(source: Source, now: datetime) -> bool:
    """Whether what the source carries is known as of `now`: the ground of coverage.

    That a search finds nothing newer than last time is an answer. A window that shows the same old items for ever is
    none: it may be a frozen copy.
    """
    heard = source.enabled and source.last_ok_at is not None and now - source.last_ok_at <= _patience(source)
    return heard and (bool(source.cursor) or not is_quiet(source, now))


def _patience(source: Source) -> timedelta:
    """Three times what it is really asked at: the learned pace, or the wait that followed its last good visit."""
    if source.kind in STREAMS:
        return FRESH_AT_LEAST
    expected = timedelta(seconds=pace_s(source))
    if source.last_ok_at is not None and source.next_due_at is not None and not source.fail_count:
        planned = source.next_due_at - source.last_ok_at
        expected = max(expected, min(planned, timedelta(seconds=source.interval_s * SLOWEST_FACTOR * (1 + JITTER))))
    return max(FRESH_INTERVALS * expected, FRESH_AT_LEAST)


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
