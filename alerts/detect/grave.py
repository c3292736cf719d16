"""A grave word: death, poisoning, fraud, recall. One story can be enough, where the brand never hears that word.

    stories that say it -> voices a day -> how rare is a day like this -> Spike

How often a word comes is learnt like any count (Gamma-Poisson), from nothing: what was never heard is rare from the
first day on, and what comes every week is this brand's daily bread: an undertaker hears "death" every morning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, log, log10

import numpy as np

from alerts.detect.policy import Dial
from alerts.detect.score import LN10, NEVER
from alerts.detect.tails import log_tail
from alerts.detect.verdict import COVERED, SAMPLE_DAYS, band
from alerts.spike import Sample, Spike, Verdict

RULE = "grave-term/1"
DAY = timedelta(days=1)
MONTH_DAYS = 30
REACH_DAYS = 28
"""How far back what was heard is looked at, the window itself included."""
RUN_DAYS = 6
"""So many days before the window, if every one of them had voices, are the same event and not what is usual."""
USUAL_DAYS = 7
"""So many days must be left to tell what is usual."""
# Before anything was heard: so many voices in so many days. One story with a new word is then rarer than once a month
# from a brand's first day on (a score of 0.03), and comes once in nine months after four weeks (0.97): a warning only.
PRIOR_VOICES = 0.11
PRIOR_DAYS = 3.0
FIRST_TIER = 1.0
"""What a source of tier 1 adds to the score: a warning becomes a critical one."""


@dataclass(frozen=True, slots=True)
class Grave:
    """One story, not a positive one, that says the term. `voice` is who said it (an author on a site, or a site);
    `tier` is its source's, 1 or 2.
    """

    term: str
    at: datetime
    post_id: int
    voice: str
    tier: int


@dataclass(frozen=True, slots=True)
class _Rarity:
    expected: float
    dispersion: float
    chance: float
    score: float


def judge_grave(
    term: str,
    heard: Sequence[Grave],
    now: datetime,
    known_days: float,
    dial: Dial,
    *,
    coverage: float = 1.0,
    told: bool = False,
) -> Spike:
    """Judge how many different voices said `term` in the 24 h before `now`.

    `heard` is what was said in the last 28 days (other terms in it are passed over), `known_days` since when the brand
    has been listened to, `coverage` that of the window. In the Spike, `observed`, `expected` and the samples are voices
    a day, `total` is stories. The score is log10 of months between such days: -log10(30 p), with p the posterior
    predictive tail of a Gamma-Poisson rate, its dispersion raised where voices come in clumps, and at least the part of
    the earlier days that had as many. Sources of tier 1 are also held against themselves alone: what is news to them
    (a score of 0) scores one more. `told`: an incident about it has ended lately, and what it told of is in the earlier
    days.
    """
    said = [story for story in heard if story.term == term and now - REACH_DAYS * DAY < story.at <= now]
    everyone = _voices(said, now)
    first_tier = _voices([story for story in said if story.tier == 1], now)
    days = min(REACH_DAYS - 1.0, max(known_days - 1.0, *everyone, 0.0))
    rarity = _rarity(everyone, days, told=told)
    score = rarity.score
    if first_tier.get(0):
        own = _rarity(first_tier, days, told=told).score
        score = max(score, own + FIRST_TIER if own >= 0 else NEVER)
    verdict: Verdict = dial.severity(score, NEVER)
    reason = "usual" if verdict == "calm" else "grave_term"
    if verdict == "calm" and coverage < COVERED:
        verdict, reason = "not_evaluated", "poor_coverage"
    return Spike(
        rule=RULE,
        verdict=verdict,
        reason=reason,
        window_start=now - DAY,
        window_end=now,
        observed=everyone.get(0, 0),
        total=sum(story.at > now - DAY for story in said),
        unknown=0,
        expected=rarity.expected,
        probability=rarity.chance,
        score=score,
        share=None,
        usual_share=None,
        coverage=coverage,
        minimum=1,
        threshold=dial.warning,
        samples=tuple(_sample(now, age, everyone) for age in range(1, min(SAMPLE_DAYS, int(days)) + 1)),
        dispersion=rarity.dispersion,
        critical_threshold=dial.critical,
        history_h=24 * known_days,
        band=band(rarity.expected, rarity.dispersion),
        subject=term,
    )


def _voices(said: Sequence[Grave], now: datetime) -> dict[int, int]:
    """How many different voices each day had; day 0 is the window, day 1 the 24 h before it."""
    days: dict[int, set[str]] = {}
    for story in said:
        days.setdefault(int((now - story.at) / DAY), set()).add(story.voice)
    return {day: len(voices) for day, voices in sorted(days.items())}


def _rarity(voices: Mapping[int, int], days: float, *, told: bool) -> _Rarity:
    """How rare a day like day 0 is, by the `days` before it. `told`: the days just before it were told of."""
    before = [voices.get(day, 0) for day in range(1, int(days) + 1)]
    run = next((day for day, count in enumerate(before) if not count), len(before))
    if not told and run <= RUN_DAYS and days - run >= USUAL_DAYS:  # else it would be over while it is still going on
        before, days = before[run:], days - run
    rate = (sum(before) + PRIOR_VOICES) / (days + PRIOR_DAYS)
    dispersion = 1 / (sum(before) + PRIOR_VOICES) + _clumping(before)
    observed = voices.get(0, 0)
    if not observed:
        return _Rarity(rate, dispersion, 1.0, NEVER)
    log_chance = float(log_tail(np.array([float(observed)]), np.array([rate]), np.array([dispersion]))[0])
    days_like_it = sum(count >= observed for count in before)
    if days_like_it:
        log_chance = max(log_chance, log(days_like_it / len(before)))
    return _Rarity(rate, dispersion, exp(max(log_chance, -300 * LN10)), -log_chance / LN10 - log10(MONTH_DAYS))


def _clumping(counts: Sequence[int]) -> float:
    """By how much the variance of the days is beyond chance, in squares of their mean: one event has many voices."""
    mean = sum(counts) / len(counts) if counts else 0.0
    if not mean:
        return 0.0
    variance = sum((count - mean) ** 2 for count in counts) / len(counts)
    return max(0.0, (variance - mean) / mean**2)


def _sample(now: datetime, age: int, voices: Mapping[int, int]) -> Sample:
    return Sample(start=now - (age + 1) * DAY, negative=voices.get(age, 0), kept=True, total=voices.get(age, 0))
