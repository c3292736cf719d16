"""One notice an incident: whom the verdicts wake, and when they are quiet again.

    (nothing) -- warning --> open, told -- critical, or two decades rarer --> told again -- an hour of calm --> over

An incident that begins again within a day of the last notice is the same story: it is told only if it is worse.
This is the plain form for a stream of counts; `alerts.incident` is the one with people in it.
"""

from dataclasses import dataclass, replace
from typing import Literal

from alerts.detect.policy import Dial, Severity

Step = Literal["opened", "opened_again", "more_severe", "much_rarer", "resolved"]

CALM_S, QUIET_S = 3600, 86400
RARER = 2.0
RAREST = 6.0
"""Beyond once in a million months there is nothing to escalate."""


@dataclass(frozen=True, slots=True)
class Pager:
    """`told_score` and `told_at` are of the last notice, seconds since 1970; `calm_since` of the first calm bin."""

    open: bool = False
    critical: bool = False
    told_score: float = 0.0
    told_at: float | None = None
    calm_since: float | None = None


def turn(
    pager: Pager, severity: Severity, score: float, volume_score: float, at: float, covered: bool, dial: Dial
) -> tuple[Pager, Step | None, bool]:
    """The pager after a verdict, what happened to the incident, and whether a notice leaves. An outage is no calm."""
    score = min(score, RAREST)
    if not pager.open:
        if severity == "calm":
            return pager, None, False
        critical = severity == "critical"
        if pager.told_at is None or at - pager.told_at >= QUIET_S:
            return Pager(open=True, critical=critical, told_score=score, told_at=at), "opened", True
        again = replace(pager, open=True, calm_since=None)
        step, notify = _worse(again, critical, score)
        return _told(again, critical, score, at) if notify else again, step or "opened_again", notify
    if severity != "calm":
        pager = replace(pager, calm_since=None)
        step, notify = _worse(pager, severity == "critical", score)
        return _told(pager, severity == "critical", score, at) if notify else pager, step, notify
    if not covered:
        return pager, None, False
    if max(score, volume_score - 1) >= dial.calm:
        return replace(pager, calm_since=None), None, False
    since = at if pager.calm_since is None else pager.calm_since
    if at - since >= CALM_S:
        return replace(pager, open=False, calm_since=None), "resolved", False
    return replace(pager, calm_since=since), None, False


def _worse(pager: Pager, critical: bool, score: float) -> tuple[Step | None, bool]:
    if critical and not pager.critical:
        return "more_severe", True
    if critical and score >= pager.told_score + RARER:
        return "much_rarer", True
    return None, False


def _told(pager: Pager, critical: bool, score: float, at: float) -> Pager:
    return replace(pager, critical=pager.critical or critical, told_score=max(pager.told_score, score), told_at=at)
