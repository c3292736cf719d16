"""When to ask a source again, and how well it is. Pure: the time is `now`, chance is a number that the caller drew.

    what the visit brought | the operator's interval, learned pace, publisher's wish, Retry-After -> next due time
    what is known of the source, now -> ok | late | failing | silent | disabled, fresh or not

All waits are in seconds of the clock that `now` comes from.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

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


def pace_s(source: Source) -> int:
    """How often the source is asked when nothing is in the way."""
    return source.adaptive_interval_s or source.interval_s


def learned_interval_s(source: Source, *, new: int, offered: int) -> int:
    """The pace for the next time, from how many of the `offered` items were `new`.

    Nothing new: slower by a quarter, down to a sixth of what the operator asked for, or once a day. Something new: back
    to what the operator asked for. More than half of it new: twice as fast, since a window that turns over loses items;
    never faster than four times the operator's interval, nor than once a minute unless the operator asked for that.
    `offered` 0 (an API that only returns what is new) teaches nothing. An unchanged document counts as one item that is
    not new.
    """
    pace = pace_s(source)
    fastest = min(source.interval_s, max(FASTEST_S, source.interval_s // FASTEST_FACTOR))
    slowest = max(source.interval_s, min(source.interval_s * SLOWEST_FACTOR, DAY_S))
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
    return int(min(max(wanted, fastest), slowest))


def next_due(
    source: Source,
    now: datetime,
    *,
    interval_s: int | None = None,
    hint_s: int | None = None,
    max_age_s: int | None = None,
    jitter: float = 0.0,
) -> datetime:
    """After a good visit. `interval_s` is the learned pace; `hint_s` and `max_age_s` are what the publisher wishes
    (`ttl`, `sy:`, Cache-Control), followed as far as six of the operator's intervals: many feeds wish for a day and
    publish by the hour.

    `jitter` in 0..1 adds up to a tenth, so that sources that were added together do not stay together.
    """
    pace = interval_s or pace_s(source)
    wish = min(max(hint_s or 0, max_age_s or 0), source.interval_s * SLOWEST_FACTOR)
    wait = min(max(pace, wish), max(DAY_S, source.interval_s))
    return now + timedelta(seconds=wait * (1 + JITTER * jitter))


def retry_due(source: Source, now: datetime, *, retry_after_s: float | None = None, jitter: float = 0.0) -> datetime:
    """After a failure: twice the wait for each one in a row, at most 6 h, of which chance takes up to a half.

    What the other side asked for (Retry-After) is a lower bound, never less than the source's interval nor more than a
    day. `source.fail_count` is the count before this failure.
    """
    backoff = min(source.interval_s * 2.0 ** min(source.fail_count, 16), max(BACKOFF_LIMIT_S, source.interval_s))
    wait = backoff * (1 - jitter / 2)
    if retry_after_s is not None:
        wait = max(wait, min(max(retry_after_s, source.interval_s), DAY_S))
    return now + timedelta(seconds=wait)


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


def health(source: Source, now: datetime) -> SourceState:
    """What to show for a source. The worst that is true:

    disabled   switched off, by a person or because it is gone
    silent     no good visit for three intervals (15 minutes at least): whatever it carries is not heard
    failing    the last visit failed
    late       it should have been asked, and was not
    ok         heard
    """
    if not source.enabled or source.state == "disabled":
        return "disabled"
    since = source.last_ok_at or source.created_at
    if since is not None and now - since > _patience(source):
        return "silent"
    if source.fail_count:
        return "failing"
    overdue = source.next_due_at is not None and now - source.next_due_at > timedelta(seconds=pace_s(source))
    return "late" if source.last_ok_at is None or overdue else "ok"


def fresh(source: Source, now: datetime) -> bool:
    """Whether what the source carries is known as of `now`: the ground of coverage."""
    return source.enabled and source.last_ok_at is not None and now - source.last_ok_at <= _patience(source)


def _patience(source: Source) -> timedelta:
    """Three times what it is really asked at: the learned pace, or the wait that followed its last good visit."""
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
