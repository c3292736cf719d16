"""What a policy would have done: history replayed as it was known then, and held against what really mattered.

    Question | replay each brand under each policy | pages, notices, nights | marked: found, missed  > Result

`run` blocks; the command line waits for it, and `app.pipeline.backtests` is the walk that answers the API.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from alerts.base import Severity
from alerts.incident import Event, Incident
from app.model import Brand, Policy
from app.pipeline.question import DAY, BacktestError, Marked, Question, plain
from app.pipeline.replay import Turned, steps
from app.storage import Storage

MONTH_DAYS = 30
EARLY = timedelta(minutes=60)  # a page so long before a marked incident begins has found it
NIGHT = (22, 8)  # from, until: local hours
POINTS = 240  # of a chart, at most
CHARTS = 12  # brands that have one
MOST_SHOWN = 1_000  # would-be incidents that a result lists, of each policy

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class WouldBe:
    """An incident that would have been. `pages` are when somebody would have been woken: its opening and escalations.

    `score`, `observed` and `expected` are those of the verdict that opened it. `marked` names the marked incidents that
    its pages found.
    """

    brand: str
    cause: str
    severity: Severity
    opened_at: datetime
    resolved_at: datetime | None
    score: float
    observed: int
    expected: float | None
    pages: tuple[datetime, ...] = ()
    marked: tuple[str, ...] = ()
    as_published: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A marked incident: `lead_min` is from its beginning to the first page, below 0 where that came before. None:
    missed.
    """

    brand: str
    name: str
    since: datetime
    until: datetime
    lead_min: float | None


@dataclass(frozen=True, slots=True)
class Tally:
    """Figures of one brand, or of all. `brand_days` is how much history there was. `false_pages` None: nothing marked.

    A page is an opening or an escalation of a warning or a critical incident; a night page one between 22 and 8 in the
    brand's time zone.
    """

    brand: str | None
    brand_days: float
    pages: int
    notices: int
    night_pages: int
    pages_a_week: float
    pages_per_brand_month: float
    false_pages: int | None = None
    as_published_days: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one policy would have done."""

    policy: str
    false_warnings_per_month: float
    total: Tally
    brands: tuple[Tally, ...]
    incidents: tuple[WouldBe, ...]
    left_out: int = 0
    found: tuple[Found, ...] = ()

    @property
    def pages_per_brand_month(self) -> float:
        return self.total.pages_per_brand_month


@dataclass(frozen=True, slots=True)
class Fired:
    """An incident that really was. `replayed`: the first policy's replay opened it at the same moment, as severe and
    with the same score.
    """

    id: str
    brand: str
    cause: str
    severity: Severity
    opened_at: datetime
    resolved_at: datetime | None
    score: float
    replayed: bool


@dataclass(frozen=True, slots=True)
class Series:
    """A brand's time in equal steps: the highest score of each (None: not judged), and how many negative stories."""

    brand: str
    start: datetime
    step_s: int
    scores: tuple[float | None, ...]
    negative: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """Two policies stand side by side. `as_published`: part of it is from before the journal began."""

    since: datetime
    until: datetime
    brands: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    fired: tuple[Fired, ...] = ()
    series: tuple[Series, ...] = ()
    marked: int = 0
    as_published: bool = False

    @property
    def pages_per_brand_month(self) -> float:
        """The first policy's: what its noise budget is held against."""
        return self.outcomes[0].pages_per_brand_month


def to_mapping(result: Result) -> dict[str, Any]:
    """The result as plain JSON values, times in ISO 8601 with Z."""
    mapping: dict[str, Any] = plain(asdict(result))
    mapping["pages_per_brand_month"] = result.pages_per_brand_month
    for one, outcome in zip(mapping["outcomes"], result.outcomes, strict=True):
        one["pages_per_brand_month"] = outcome.pages_per_brand_month
    return mapping


def run(storage: Storage, question: Question, progress: Progress = lambda _: None) -> Result:
    """Replay the brands under each policy. Blocking, and long: about a millisecond a brand and bin.

    `progress` is told how far it is (0..1), often; what it raises ends the work. Raises `BacktestError` where nothing
    is known of any of the brands.
    """
    brands = [brand for slug in question.brands if (brand := storage.brands.get(slug)) is not None]
    parts = len(brands) * len(question.policies)
    logs: list[list[_Log]] = []
    series: list[Series] = []
    for at, policy in enumerate(question.policies):
        logs.append([])
        for place, brand in enumerate(brands):
            done = at * len(brands) + place
            judged = _Log(brand, question, policy)
            for share in judged.listen(storage):
                progress((done + share) / parts)
            logs[-1].append(judged)
            if at == 0 and len(series) < CHARTS:
                series.append(judged.series(storage))
    if not any(judged.days for judged in logs[0]):
        raise BacktestError(f"nothing is known of {', '.join(question.brands)} from that time")
    outcomes = tuple(_outcome(policy, of, question) for policy, of in zip(question.policies, logs, strict=True))
    return Result(
        since=question.since,
        until=question.until,
        brands=question.brands,
        outcomes=outcomes,
        fired=tuple(_fired(storage, logs[0], question)),
        series=tuple(series),
        marked=len(question.marked),
        as_published=any(judged.published for judged in logs[0]),
    )


@dataclass(slots=True)
class _Run:
    """A would-be incident as it goes on."""

    first: Turned
    severity: Severity
    resolved_at: datetime | None = None
    pages: list[datetime] = field(default_factory=list)


class _Log:
    """What one policy does about one brand."""

    def __init__(self, brand: Brand, question: Question, policy: Policy) -> None:
        self.brand = brand
        self.runs: dict[str, _Run] = {}
        self.notices = 0
        self.days = 0.0
        self.published = 0.0
        self._question = question
        self._policy = policy
        span_s = (question.until - question.since).total_seconds()
        self._step_s = 3600 * max(1, -int(-span_s // (POINTS * 3600)))
        self._scores: dict[int, float] = {}

    def listen(self, storage: Storage) -> Iterator[float]:
        """Take the replay in. Yields how far it is, 0..1."""
        since, until = self._question.since, self._question.until
        last: datetime | None = None
        for step in steps(storage, self.brand, since, until, self._policy):
            for turned in step.changes:
                self._take(turned)
            point = int((step.at - since).total_seconds()) // self._step_s
            self._scores[point] = max(self._scores.get(point, step.spike.score), step.spike.score)
            lasted = min(step.at - (last or max(since, step.at - timedelta(minutes=6))), DAY) / DAY
            self.days += lasted
            self.published += lasted * step.as_published
            last = step.at
            yield (step.at - since) / (until - since)

    def _take(self, turned: Turned) -> None:
        incident, event = turned.change.incident, turned.event
        known = self.runs.get(incident.id)
        if known is None:
            known = self.runs[incident.id] = _Run(turned, incident.severity)
        known.severity = incident.severity
        known.resolved_at = incident.resolved_at
        if event.kind in ("opened", "escalated") and turned.signal is not None:
            if incident.severity == "notice":
                self.notices += 1
            else:
                known.pages.append(turned.at)

    @property
    def pages(self) -> list[datetime]:
        return sorted(at for one in self.runs.values() for at in one.pages)

    def night_pages(self) -> int:
        zone = ZoneInfo(self.brand.time_zone)
        hours = [at.astimezone(zone).hour for at in self.pages]
        return sum(hour >= NIGHT[0] or hour < NIGHT[1] for hour in hours)

    def marked(self) -> list[Marked]:
        return [one for one in self._question.marked if one.brand == self.brand.slug]

    def tally(self) -> Tally:
        marked = self.marked()
        false = [at for at in self.pages if not any(_finds(at, one) for one in marked)]
        return Tally(
            brand=self.brand.slug,
            brand_days=round(self.days, 2),
            pages=len(self.pages),
            notices=self.notices,
            night_pages=self.night_pages(),
            pages_a_week=_per(len(self.pages), self.days, 7),
            pages_per_brand_month=_per(len(self.pages), self.days, MONTH_DAYS),
            false_pages=len(false) if self._question.marked else None,
            as_published_days=round(self.published, 2),
        )

    def would_be(self) -> Iterator[WouldBe]:
        for one in self.runs.values():
            incident, spike = one.first.change.incident, one.first.spike
            names = [marked.name for marked in self.marked() if any(_finds(at, marked) for at in one.pages)]
            told = one.first.event.data
            yield WouldBe(
                brand=self.brand.slug,
                cause=incident.cause,
                severity=one.severity,
                opened_at=incident.opened_at,
                resolved_at=one.resolved_at,
                score=incident.peak_score if spike is None else spike.score,
                observed=int(told.get("observed", 0)) if spike is None else spike.observed,
                expected=None if spike is None else spike.expected,
                pages=tuple(one.pages),
                marked=tuple(names),
                as_published=one.first.as_published,
            )

    def found(self) -> Iterator[Found]:
        pages = self.pages
        for one in self.marked():
            first = next((at for at in pages if _finds(at, one)), None)
            lead = None if first is None else round((first - one.since) / timedelta(minutes=1), 1)
            yield Found(one.brand, one.name, one.since, one.until, lead)

    def series(self, storage: Storage) -> Series:
        """What the chart shows: this policy's scores, and the negative stories as they are counted now."""
        since, until = self._question.since, self._question.until
        points = max(1, -int(-(until - since).total_seconds() // self._step_s))
        negative = [0] * points
        hour = timedelta(hours=1)
        start = since - (since - datetime.fromtimestamp(0, UTC)) % hour
        for row in storage.volumes.series(self.brand.id, start, until, 3600):
            if row.label == "negative":
                point = max(0, int((row.bin - since).total_seconds()) // self._step_s)
                negative[point] += row.stories + row.backfill_stories
        scores = tuple(self._scores.get(point) for point in range(points))
        return Series(self.brand.slug, since, self._step_s, scores, tuple(negative))


def _finds(page: datetime, marked: Marked) -> bool:
    return marked.since - EARLY <= page <= marked.until


def _per(number: int, days: float, stretch: int) -> float:
    return round(number / days * stretch, 3) if days else 0.0


def _outcome(policy: Policy, logs: Sequence[_Log], question: Question) -> Outcome:
    brands = tuple(judged.tally() for judged in logs)
    days = sum(judged.days for judged in logs)
    pages = sum(one.pages for one in brands)
    total = Tally(
        brand=None,
        brand_days=round(days, 2),
        pages=pages,
        notices=sum(one.notices for one in brands),
        night_pages=sum(one.night_pages for one in brands),
        # A team has one week, however many brands it watches.
        pages_a_week=_per(pages, max((judged.days for judged in logs), default=0.0), 7),
        pages_per_brand_month=_per(pages, days, MONTH_DAYS),
        false_pages=sum(one.false_pages or 0 for one in brands) if question.marked else None,
        as_published_days=round(sum(judged.published for judged in logs), 2),
    )
    incidents = sorted(
        (one for judged in logs for one in judged.would_be()), key=lambda one: (one.opened_at, one.brand, one.cause)
    )
    return Outcome(
        policy=policy.name,
        false_warnings_per_month=policy.false_warnings_per_month,
        total=total,
        brands=brands,
        incidents=tuple(incidents[-MOST_SHOWN:]),
        left_out=max(0, len(incidents) - MOST_SHOWN),
        found=tuple(one for judged in logs for one in judged.found()),
    )


def _fired(storage: Storage, logs: Sequence[_Log], question: Question) -> Iterator[Fired]:
    """What really was, in the same span."""
    for judged in logs:
        opened = {_opening(one.first.change.incident, one.first.event) for one in judged.runs.values()}
        for one in storage.incidents.since(judged.brand.id, question.since):
            if question.since < one.opened_at <= question.until:
                first = storage.incidents.events(one.id)[:1]
                replayed = any(_opening(one, event) in opened for event in first)
                at = one.opened_at, one.resolved_at
                yield Fired(one.id, judged.brand.slug, one.cause, one.severity, *at, one.peak_score, replayed)


def _opening(incident: Incident, event: Event) -> tuple[Any, ...]:
    """What an incident opened as."""
    return incident.cause, incident.opened_at, event.data.get("score"), event.data.get("severity")
