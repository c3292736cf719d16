"""When to try a delivery again, and when to tell somebody else. Pure; one schedule for every kind of channel.

    0, 5 s, 15 s, 30 s, 1, 2, 5, 10 min, then every 15 min to 24 h; then it is a dead letter

Whatever happens to a delivery is told elsewhere too: soon when it drags on, at once when it is dead.
"""

from datetime import datetime, timedelta

SCHEDULE_S = (0, 5, 15, 30, 60, 120, 300, 600)
THEN_S = 900
GIVE_UP = timedelta(hours=24)
MAX_RETRY_AFTER_S = 600
FALLBACK_FAILURES = 3
FALLBACK_AFTER = timedelta(minutes=2)
# Every quarter of an hour for a day, each halved by jitter at most: a clock that jumps back cannot make it endless.
MAX_ATTEMPTS = len(SCHEDULE_S) + 2 * int(GIVE_UP.total_seconds()) // THEN_S


def next_attempt(
    attempts: int, created_at: datetime, now: datetime, retry_after_s: float | None = None, jitter: float = 0.0
) -> datetime | None:
    """When to try again after `attempts` failed tries; None: never, it is a dead letter.

    `jitter` is a random number in 0..1 that the caller draws: it shortens the pause by up to a half, so that deliveries
    which failed together do not come back together. What the other side asked for (`retry_after_s`, at most 10 min) is
    never shortened.
    """
    if not 0 <= jitter <= 1:
        raise ValueError(f"jitter is in 0..1, not {jitter}")
    pause_s = (SCHEDULE_S[attempts] if attempts < len(SCHEDULE_S) else THEN_S) * (1 - jitter / 2)
    if retry_after_s is not None:
        pause_s = max(pause_s, min(retry_after_s, MAX_RETRY_AFTER_S))
    then = now + timedelta(seconds=pause_s)
    return None if attempts >= MAX_ATTEMPTS or then > created_at + GIVE_UP else then


def needs_fallback(failures: int, created_at: datetime, now: datetime) -> bool:
    """Whether an undelivered alert should also go to a fallback channel: after 3 failures, or one and 2 minutes.

    It stays true from then on; the delivery key makes it one message.
    """
    return failures >= FALLBACK_FAILURES or (failures > 0 and now - created_at >= FALLBACK_AFTER)
