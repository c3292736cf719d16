"""Backtests as pages: what a policy would have done, against what really fired. Blocking; knows nothing of HTML."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError

from alerts.detect.policy import Dial
from alerts.texts import Words
from app.api.auth import Caller, brand_for
from app.api.backtests import BacktestAsked, MarkedAsked, PolicyAsked, ask, backtest_for, covers
from app.api.deps import Deps
from app.api.params import Question
from app.api.problems import Problem, invalid
from app.model import Brand, Policy
from app.pipeline.question import MOST_MARKED, BacktestError, read_marked
from app.storage.backtests import Backtest
from app.web.chart import ScoreChart, draw_scores
from app.web.words import N_

LAST_BACKTESTS = 10
DAY = timedelta(days=1)
USUAL_SPAN = timedelta(days=30)
WIDE = 1000.0

CAUSES: Mapping[str, str] = {
    "negative": N_("negative mentions"),
    "negative:": N_("another crisis: {subject}"),
    "grave:": N_("a grave word: {subject}"),
    "spread:": N_("one text on many sites"),
    "silence": N_("silence"),
}

STATES: Mapping[str, str] = {
    "waiting": N_("waiting"),
    "running": N_("under way"),
    "done": N_("done"),
    "failed": N_("failed"),
}


IN_LINE = N_("line {number}: {what}")
COUNTS = frozenset({"number", "n", "wanted", "most", "days", "sum"})  # what stands in these holes is a number
ERRORS: Sequence[str] = (
    N_("the header must be brand,since,until,name"),
    N_("{n} columns, not {wanted}"),
    N_("it cannot be read as CSV"),
    N_("{text} is no time such as 2026-11-22T09:00"),
    N_("it ends before it begins"),
    N_("at most {most} incidents may be marked"),
    N_("{name}: the brand {brand} is not in this backtest"),
    N_("there is no brand yet"),
    N_("there is no brand {brand}"),
    N_("There is no such brand, or your key does not cover it."),
    N_("{brand} is a competitor: nobody is ever paged about it"),
    N_("since: must be a day such as 2026-11-22"),
    N_("until: must be a day such as 2026-11-22"),
    N_("since lies in the future: there is nothing to replay yet"),
    N_("since must lie before until"),
    N_("that is a span of {days} days; at most {most} are replayed"),
    N_("{n} brands for {days} days are {sum} brand-days; at most {most}"),
    N_("false_warnings_per_month: must lie between 0.001 and 30"),
    N_("{n} backtests wait already: ask again when one is done."),
    N_("nothing is known of {brands} from that time"),
    N_("it failed; the log says why"),
)
"""What may be wrong with a question: the sentences of `app.pipeline.question` and of the API, with holes."""

HEADER = "brand,since,until,name"
LONGEST_MARKED = 8_000
LONGEST_NAME = 200


class BacktestPageQuestion(Question):
    """What the form is filled with. Empty fields mean: as usual."""

    brand: Annotated[str, Field(max_length=200)] = ""
    since: Annotated[str, Field(max_length=40)] = ""
    until: Annotated[str, Field(max_length=40)] = ""
    false_warnings_per_month: Annotated[float | None, Field(ge=0.001, le=30)] = None
    lang: str | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    """What somebody wrote into the form, as they wrote it. Days are ISO 8601; `dial` is the one to try; `marked` is
    lines of CSV.
    """

    brand: str
    since: str
    until: str
    dial: str
    marked: str = ""
    beside: bool = True


@dataclass(frozen=True, slots=True)
class Form:
    """How the form stands. `wrong` says what is the matter with it, in English, or nothing."""

    brands: tuple[Brand, ...]
    entered: Entered
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Fired:
    """What really fired: linked, and whether the replay opened it at the same moment."""

    id: str
    severity: str


@dataclass(frozen=True, slots=True)
class Row:
    """A would-be incident beside what really was; `would` False: it really was, and would not have been."""

    brand: str
    cause: str
    severity: str
    opened_at: datetime
    resolved_at: datetime | None
    score: float
    observed: int | None
    expected: float | None
    pages: int
    marked: str
    would: bool
    fired: Fired | None


@dataclass(frozen=True, slots=True)
class Column:
    """One policy: its figures as they are stored, its rows, the marked incidents, and how to put it in force."""

    policy: str
    dial: float
    total: Mapping[str, Any]
    rows: tuple[Row, ...]
    found: tuple[Mapping[str, Any], ...]
    left_out: int

    @property
    def missed(self) -> int:
        return sum(one["lead_min"] is None for one in self.found)


@dataclass(frozen=True, slots=True)
class BacktestPage:
    """`shown` None: only the form and the last backtests. `columns` stand side by side, the first is what is tried."""

    form: Form
    current: Policy
    last: tuple[Backtest, ...]
    shown: Backtest | None = None
    since: datetime | None = None
    until: datetime | None = None
    columns: tuple[Column, ...] = ()
    charts: tuple[tuple[str, ScoreChart], ...] = ()
    names: Mapping[str, str] | None = None
    zones: Mapping[str, str] | None = None
    as_published: bool = False

    @property
    def goes_on(self) -> bool:
        return self.shown is not None and self.shown.state in ("waiting", "running")


def refused_page(deps: Deps, caller: Caller, entered: Entered, problem: Problem) -> BacktestPage:
    """The form once more, as it was filled in, and what is wrong with it."""
    current = deps.storage.policies.current()
    brands = brands_of(deps, caller)
    return BacktestPage(Form(brands, entered, wrong_of(problem)), current, last_of(deps, caller))


def wrong_of(problem: Problem) -> str:
    """The sentence of a problem, without the place in a request body, which nobody sees in a form."""
    return problem.detail.removeprefix("body: ").removeprefix("body.brands: ")


def backtest_page(deps: Deps, caller: Caller, question: BacktestPageQuestion, backtest_id: str | None) -> BacktestPage:
    """Raises 404."""
    current = deps.storage.policies.current()
    shown = None if backtest_id is None else backtest_for(deps, caller, backtest_id)
    page = BacktestPage(form(deps, caller, question, current), current, last_of(deps, caller), shown)
    if shown is None or shown.result is None:
        return page
    result = shown.result
    everything = deps.storage.brands.all(include_archived=True)
    return BacktestPage(
        form=page.form,
        current=current,
        last=page.last,
        shown=shown,
        since=moment(result["since"]),
        until=moment(result["until"]),
        columns=tuple(column(outcome, result["fired"]) for outcome in result["outcomes"]),
        charts=tuple(charts(result)),
        names={brand.slug: brand.name for brand in everything},
        zones={brand.slug: brand.time_zone for brand in everything},
        as_published=result["as_published"],
    )


def form(deps: Deps, caller: Caller, question: BacktestPageQuestion, current: Policy) -> Form:
    today = deps.clock().astimezone(ZoneInfo(deps.settings.time_zone)).date()
    return Form(
        brands=brands_of(deps, caller),
        entered=Entered(
            brand=question.brand,
            since=question.since or (today - USUAL_SPAN).isoformat(),
            until=question.until,
            dial=str(question.false_warnings_per_month or current.false_warnings_per_month),
        ),
    )


def brands_of(deps: Deps, caller: Caller) -> tuple[Brand, ...]:
    return tuple(b for b in deps.storage.brands.all() if caller.covers(b.slug) and not b.competitor)


def last_of(deps: Deps, caller: Caller) -> tuple[Backtest, ...]:
    last = [one for one in deps.storage.backtests.page(None, 5 * LAST_BACKTESTS) if covers(caller, one)]
    return tuple(last[:LAST_BACKTESTS])


def ask_page(deps: Deps, caller: Caller, entered: Entered) -> Backtest:
    """Ask for a backtest as the form says, `beside` the policy in force. Raises 404, 409, 422."""
    zone = ZoneInfo(deps.settings.time_zone)
    if entered.brand:
        zone = ZoneInfo(brand_for(deps, caller, entered.brand).time_zone)
    current = deps.storage.policies.current()
    tried = dial(entered.dial)
    policies = [tried]
    if entered.beside and tried.false_warnings_per_month != current.false_warnings_per_month:
        policies.append(
            PolicyAsked(false_warnings_per_month=current.false_warnings_per_month, name=current.name or "default")
        )
    body = BacktestAsked(
        brands=[entered.brand] if entered.brand else [],
        since=day("since", entered.since, zone),
        until=day("until", entered.until, zone, DAY) if entered.until else None,
        policies=policies,
        marked=marked(entered.marked, brands_of(deps, caller)),
    )
    return ask(deps, caller, body)


def dial(text: str) -> PolicyAsked:
    """Raises 422."""
    try:
        turned = float(text.replace(",", "."))
        return PolicyAsked(false_warnings_per_month=turned, name=f"{turned:g}")
    except (ValueError, ValidationError):
        raise invalid("false_warnings_per_month", "must lie between 0.001 and 30") from None


def day(name: str, text: str, zone: ZoneInfo, later: timedelta = timedelta()) -> datetime:
    """The beginning of a day, or so much later. Raises 422."""
    try:
        read = date.fromisoformat(text)
        return (datetime(read.year, read.month, read.day, tzinfo=zone) + later).astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid(name, "must be a day such as 2026-11-22") from None


def marked(text: str, brands: Sequence[Brand]) -> list[MarkedAsked]:
    """Marked incidents from lines of CSV, whose header may be missing. Raises 422 with the number of the line."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        return []
    first = lines[0][1].casefold()
    if not {"since", "until"} <= {cell.strip() for cell in re.split("[,;]", first)}:
        lines.insert(0, (0, HEADER.replace(",", ";") if ";" in first else HEADER))
    try:
        found = read_marked(lines, {brand.slug: brand for brand in brands})
    except BacktestError as error:
        raise invalid("body", str(error)) from None
    if len(found) > MOST_MARKED:
        raise invalid("body", f"at most {MOST_MARKED} incidents may be marked")
    return [
        MarkedAsked(brand=one.brand, since=one.since, until=one.until, name=one.name[:LONGEST_NAME]) for one in found
    ]


def column(outcome: Mapping[str, Any], fired: Sequence[Mapping[str, Any]]) -> Column:
    return Column(
        policy=outcome["policy"],
        dial=outcome["false_warnings_per_month"],
        total=outcome["total"],
        rows=tuple(sorted(rows(outcome["incidents"], fired), key=lambda row: row.opened_at, reverse=True)),
        found=tuple({**one, "since": moment(one["since"])} for one in outcome["found"]),
        left_out=outcome["left_out"],
    )


def rows(would: Sequence[Mapping[str, Any]], fired: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Would-be incidents and those that really were, each once: they are one where they opened at the same moment."""
    real = {(one["brand"], one["cause"], one["opened_at"]): one for one in fired}
    for one in would:
        same = real.pop((one["brand"], one["cause"], one["opened_at"]), None)
        yield Row(
            brand=one["brand"],
            cause=one["cause"],
            severity=one["severity"],
            opened_at=moment(one["opened_at"]),
            resolved_at=moment(one["resolved_at"]) if one["resolved_at"] else None,
            score=one["score"],
            observed=one["observed"],
            expected=one["expected"],
            pages=len(one["pages"]),
            marked=", ".join(one["marked"]),
            would=True,
            fired=Fired(same["id"], same["severity"]) if same else None,
        )
    for one in real.values():
        yield Row(
            brand=one["brand"],
            cause=one["cause"],
            severity=one["severity"],
            opened_at=moment(one["opened_at"]),
            resolved_at=moment(one["resolved_at"]) if one["resolved_at"] else None,
            score=one["score"],
            observed=None,
            expected=None,
            pages=0,
            marked="",
            would=False,
            fired=Fired(one["id"], one["severity"]),
        )


def charts(result: Mapping[str, Any]) -> Iterator[tuple[str, ScoreChart]]:
    first = result["outcomes"][0]
    warning = Dial(first["false_warnings_per_month"]).warning
    for number, one in enumerate(result["series"]):
        pages = [moment(at) for row in first["incidents"] if row["brand"] == one["brand"] for at in row["pages"]]
        start, step = moment(one["start"]), timedelta(seconds=one["step_s"])
        drawn = draw_scores(f"scores-{number}", start, step, one["negative"], one["scores"], pages, warning, WIDE)
        yield one["brand"], drawn


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def cause_in_words(cause: str, tongue: Words) -> str:
    kind, colon, subject = cause.partition(":")
    sentence = CAUSES.get(f"{kind}{colon}")
    return cause if sentence is None else tongue.say(sentence, subject=subject)


def error_in_words(error: str, tongue: Words) -> str:
    """What is wrong with a question, or why a backtest failed, in the reader's language; the unknown as it is."""
    if in_line := _pattern(IN_LINE).fullmatch(error):
        what = _in_words(in_line["what"], tongue)
        said = tongue.say(IN_LINE, number=in_line["number"], what=what)
    else:
        said = _in_words(error, tongue)
    return said[:1].upper() + said[1:]


def _in_words(error: str, tongue: Words) -> str:
    for sentence in ERRORS:
        if found := _pattern(sentence).fullmatch(error):
            return tongue.say(sentence, **found.groupdict())
    return error


@cache
def _pattern(sentence: str) -> re.Pattern[str]:
    """The sentence with its holes filled. They are bounded, so that no text takes long to be found unknown."""
    parts = re.split(r"\{(\w+)\}", sentence)
    holes = (rf"(?P<{name}>{r'[0-9]+' if name in COUNTS else '.{1,300}'})" for name in parts[1::2])
    return re.compile("".join(map(str.__add__, map(re.escape, parts[::2]), (*holes, ""))), re.DOTALL)


__all__ = [
    "STATES",
    "BacktestPage",
    "BacktestPageQuestion",
    "Entered",
    "ask_page",
    "backtest_page",
    "cause_in_words",
    "error_in_words",
    "refused_page",
]
