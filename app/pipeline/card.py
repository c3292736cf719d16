"""The report card: how good the alerts of a month were, by what people said of them, and what dial they speak for.

    cases, policies of the month | by policy | count, precision, time to acknowledge   > cards
    scores of useful and of noise incidents                                            > a proposal, or none

Pure. Nothing here changes a policy: a proposal is one, with a backtest to look at before anybody takes it up.

A page is an opening or an escalation as a warning or worse: what channels are told of as news. An incident belongs to
the month in which it opened, with all that came of it later. Notices wake nobody: they are counted, and not judged.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import sqrt
from statistics import median
from typing import Literal
from zoneinfo import ZoneInfo

from alerts.detect.policy import Dial
from alerts.incident import MAIN
from app.model import Feedback, Policy
from app.storage.feedback import Case, Page

NIGHT_BEGINS, NIGHT_ENDS = 22, 8  # o'clock, where the brand is
WEEK = timedelta(weeks=1)
STRICTEST = Dial(0.001).warning
FEWEST = 2  # noise incidents that a proposal drops, at least: one would be chance
BY_COUNT = frozenset({"negative_spike", "volume_surge", "unknown_surge"})  # reasons of verdicts that the dial decides

Word = Literal["useful", "noise"]


@dataclass(frozen=True, slots=True)
class Card:
    """How the alerts of one policy did in a month.

    `incidents` = `notices` + `useful` + `noise` + `unsaid`. `precision` is useful / (useful + noise), in 0..1.
    `acknowledged_min` is the median time to acknowledge, of those that were. `brand_weeks` adds up for how
    long each brand was watched by the policy in that month. What cannot be said is None.
    """

    policy: Policy
    brand_weeks: float
    incidents: int
    notices: int
    pages: int
    night_pages: int
    useful: int
    noise: int
    unsaid: int
    acknowledged_min: float | None

    @property
    def precision(self) -> float | None:
        said = self.useful + self.noise
        return self.useful / said if said else None

    @property
    def pages_per_brand_week(self) -> float | None:
        return self.pages / self.brand_weeks if self.brand_weeks else None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A dial at which every useful incident of the month would still have opened, and most noise would not."""

    false_warnings_per_month: float
    would_keep: int
    would_drop: int


def month_of(year: int, month: int, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """A month of a time zone as [since, until), in UTC."""
    begins = ((year, month), (year + month // 12, month % 12 + 1))
    since, until = (datetime(*begin, 1, tzinfo=zone).astimezone(UTC) for begin in begins)
    return since, until


def cards(
    cases: Sequence[Case], policies: Sequence[Policy], began: Sequence[datetime], since: datetime, until: datetime
) -> list[Card]:
    """A card for each policy that was in force in [since, until), the first one first.

    `policies` are those, oldest first; `began` says of each brand that is watched since when it has been; `until` is
    now where the month is still going on.
    """
    return [
        card(policy, [case for case in cases if case.policy_id == policy.id], _watched(began, begin, end))
        for policy, begin, end in _in_force(policies, since, until)
    ]


def card(policy: Policy, cases: Sequence[Case], watched: timedelta) -> Card:
    """The card of one policy from its incidents and for how long it watched, of all brands together."""
    alarms = [case for case in cases if case.severity != "notice"]
    words = [word_of(case.words) for case in alarms]
    pages = [(page, ZoneInfo(case.time_zone)) for case in cases for page in case.pages if page.severity != "notice"]
    waits = [(case.acknowledged_at - case.opened_at) / timedelta(minutes=1) for case in alarms if case.acknowledged_at]
    return Card(
        policy=policy,
        brand_weeks=watched / WEEK,
        incidents=len(cases),
        notices=len(cases) - len(alarms),
        pages=len(pages),
        night_pages=sum(_at_night(page, zone) for page, zone in pages),
        useful=words.count("useful"),
        noise=words.count("noise"),
        unsaid=words.count(None),
        acknowledged_min=median(waits) if waits else None,
    )


def word_of(words: Sequence[Feedback]) -> Word | None:
    """What people say of an incident: the word of most; where they are divided, the one that was said last."""
    if not words:
        return None
    useful = sum(word.useful for word in words)
    if 2 * useful != len(words):
        return "useful" if 2 * useful > len(words) else "noise"
    return "useful" if max(words, key=lambda word: word.at).useful else "noise"


def propose(cases: Iterable[Case], dial: Dial) -> Proposal | None:
    """A stricter dial than this one, if the words of people speak for one.

    It keeps every useful incident that the dial decides about, drops more than half of the noise (two at least) and
    lies in the middle between the two, as a round number. None where that cannot be: then the noise is not a matter of
    the dial.
    """
    useful: list[float] = []
    noise: list[float] = []
    for case in cases:
        word, score = word_of(case.words), score_of(case)
        if word is not None and score is not None:
            (useful if word == "useful" else noise).append(score)
    if not useful or min(useful) < dial.warning:
        return None
    line = min(*useful, STRICTEST)
    beneath = [score for score in noise if dial.warning <= score < line]
    if len(beneath) < FEWEST or 2 * len(beneath) <= len(noise):
        return None
    stricter = _roundest(10.0**-line, 10.0 ** -max(beneath))
    if stricter is None:
        return None
    return Proposal(stricter, len(useful), len(beneath))


def score_of(case: Case) -> float | None:
    """By which score the dial lets it through or not: the better of the two rules'. None: the dial has no say in it.

    A surge of the whole stream needs one decade more than the negatives (`Dial.volume_warning`).
    """
    if case.severity == "notice" or case.why not in BY_COUNT or case.cause.partition(":")[0] != MAIN:
        return None
    return case.score if case.volume_score is None else max(case.score, case.volume_score - 1)


def _watched(began: Iterable[datetime], since: datetime, until: datetime) -> timedelta:
    """The parts of [since, until) in which each brand was watched, added up."""
    return sum((max(until - max(since, begin), timedelta()) for begin in began), timedelta())


def _in_force(
    policies: Sequence[Policy], since: datetime, until: datetime
) -> Iterator[tuple[Policy, datetime, datetime]]:
    begins = [max(since, policy.at or since) for policy in policies]
    for policy, begin, end in zip(policies, begins, [*begins[1:], until], strict=False):
        if begin < until:
            yield policy, begin, min(end, until)


def _at_night(page: Page, zone: ZoneInfo) -> bool:
    return not NIGHT_ENDS <= page.at.astimezone(zone).hour < NIGHT_BEGINS


def _roundest(low: float, high: float) -> float | None:
    """The number with the fewest digits between the two (`high` not included), near their geometric middle."""
    middle = sqrt(low * high)
    for digits in range(6):
        rounded = float(f"{middle:.{digits}e}")
        if low <= rounded < high:
            return rounded
    return None
