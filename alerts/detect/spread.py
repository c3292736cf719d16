"""Wide spread: one text on many sites, or by many hands. That is one story, told far; it is a note and counted once.

copies of a story -> the sites that took it up, each once -> ten within a day, and still going  -> Spike
                  -> the people who signed it, each once  -> thirty, likewise
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts.detect.score import NEVER
from alerts.spike import Spike

RULE = "wide-spread/1"
SITES = 10
AUTHORS = 30
"""A form letter that so many people send is no wire, and no chance."""
WINDOW = timedelta(hours=24)
STILL = timedelta(hours=3)
"""Where no further site took it up for so long, it has come to rest."""


def judge_spread(
    story_id: int,
    label: str,
    copies_at: Sequence[tuple[datetime, str, str | None]],
    now: datetime,
    *,
    coverage: float = 1.0,
) -> Spike:
    """Judge how many sites took up the story in the 24 h before `now`, and how many people.

    `copies_at` is when, on which site and by whom each mention of it was published, the first one included. A site
    counts once, when it first brings the text, and so does a person: forty copies of one on one site are no spread.
    Nothing is expected and nothing improbable here, so the score is that of no test; `observed` is sites (reason
    `wide_spread`), or people where only they are many (`many_authors`); `total` is copies in the window; `label` is the
    story's tone, and the share of negatives follows from it.
    """
    past = [copy for copy in copies_at if copy[0] <= now]
    sites, sites_go_on = _taken_up([(at, site) for at, site, _ in past], now)
    authors, authors_go_on = _taken_up([(at, author) for at, _, author in past if author], now)
    is_wide = sites >= SITES and sites_go_on
    by_many = not is_wide and authors >= AUTHORS and authors_go_on
    observed = authors if by_many else sites
    return Spike(
        rule=RULE,
        verdict="notice" if is_wide or by_many else "calm",
        reason="wide_spread" if is_wide else "many_authors" if by_many else "usual",
        window_start=now - WINDOW,
        window_end=now,
        observed=observed,
        total=sum(at > now - WINDOW for at, _, _ in past),
        unknown=observed if label == "unknown" else 0,
        expected=None,
        probability=None,
        score=NEVER,
        share=None if label == "unknown" else float(label == "negative"),
        usual_share=None,
        coverage=coverage,
        minimum=AUTHORS if by_many else SITES,
        threshold=0.0,
        subject=str(story_id),
    )


def _taken_up(told: Sequence[tuple[datetime, str]], now: datetime) -> tuple[int, bool]:
    """How many took it up in the window, each when they first did, and whether that goes on."""
    first: dict[str, datetime] = {}
    for at, name in sorted((at, name.casefold()) for at, name in told):
        first.setdefault(name, at)
    return sum(at > now - WINDOW for at in first.values()), any(at > now - STILL for at in first.values())
