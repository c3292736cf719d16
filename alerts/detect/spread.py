"""Wide spread: one text on many sites. That is one story, told far; it is said as a note and counted once.

copies of a story -> the sites that took it up, each once -> ten within a day, and still going -> Spike
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts.detect.score import NEVER
from alerts.spike import Spike

RULE = "wide-spread/1"
SITES = 10
WINDOW = timedelta(hours=24)
STILL = timedelta(hours=3)
"""Where no further site took it up for so long, it has come to rest."""


def judge_spread(
    story_id: int, label: str, copies_at: Sequence[tuple[datetime, str]], now: datetime, *, coverage: float = 1.0
) -> Spike:
    """Judge how many sites took up the story in the 24 h before `now`.

    `copies_at` is when and on which site each mention of it was published, the first one included. A site counts once,
    when it first brings the text: forty copies on one site are no spread. Nothing is expected and nothing improbable
    here, so the score is that of no test; `observed` is sites, `total` copies in the window; `label` is the story's
    tone, and the share of negatives follows from it.
    """
    first: dict[str, datetime] = {}
    for at, site in sorted((at, site.casefold()) for at, site in copies_at if at <= now):
        first.setdefault(site, at)
    sites = sum(at > now - WINDOW for at in first.values())
    goes_on = any(at > now - STILL for at in first.values())
    is_wide = sites >= SITES and goes_on
    return Spike(
        rule=RULE,
        verdict="notice" if is_wide else "calm",
        reason="wide_spread" if is_wide else "usual",
        window_start=now - WINDOW,
        window_end=now,
        observed=sites,
        total=sum(now - WINDOW < at <= now for at, _ in copies_at),
        unknown=sites if label == "unknown" else 0,
        expected=None,
        probability=None,
        score=NEVER,
        share=None if label == "unknown" else float(label == "negative"),
        usual_share=None,
        coverage=coverage,
        minimum=SITES,
        threshold=0.0,
        subject=str(story_id),
    )
