"""backtest: what a policy would have done with the stored history, held against the incidents that mattered.

brands, policies, span, marked.csv -> replay -> tables and a line of scores for a person, one JSON object for a program
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from app.cli.paper import looked_at, looked_on, numbered_raw_lines, put, put_json, put_rows, say, text_of
from app.cli.policies import read_policy
from app.cli.refusal import MISUSED, Refusal
from app.cli.rescores import moment
from app.cli.rooms import open_storage_ready
from app.clock import utc_now
from app.pipeline.backtest import Outcome, Result, Series, run, to_mapping
from app.pipeline.question import BacktestError, Marked, Question, asked, read_marked
from app.settings import load_settings
from app.storage import Storage

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WIDTH = 72  # columns of the line of scores
BARS = " ▁▂▃▄▅▆▇█"
LOWEST = -3.0  # scores below this are drawn as nothing


def backtest(
    brands: Sequence[str],
    policies: Sequence[str],
    since: str,
    until: str | None,
    marked: str | None,
    *,
    as_json: bool,
) -> None:
    """Raises `Refusal` for what cannot be asked, and where nothing is known of that time."""
    settings = load_settings()
    dials = [read_policy(file) for file in policies]
    first = moment("--since", since, settings) or EPOCH
    last = moment("--until", until, settings)
    with open_storage_ready(settings) as storage:
        known = {brand.slug: brand for brand in storage.brands.all()}
        try:
            mattered = read_csv(marked, lambda lines: read_marked(lines, known))
            question = asked(storage, brands, first, last, dials, mattered, utc_now())
        except BacktestError as error:
            raise Refusal(str(error), MISUSED) from None
        result = answered(storage, question)
    if as_json or not looked_at():
        put_json(to_mapping(result))
    else:
        tell(result)


def read_csv(file: str | None, read: Callable[[Iterator[tuple[int, str]]], tuple[Marked, ...]]) -> tuple[Marked, ...]:
    """Raises `Refusal`, with the number of the line that cannot be read."""
    if file is None:
        return ()
    try:
        return read((number, text_of(raw, file, number)) for number, raw in numbered_raw_lines(file))
    except BacktestError as error:
        raise Refusal(f"{file}: {error}", MISUSED) from None


def answered(storage: Storage, question: Question) -> Result:
    """Raises `Refusal`."""
    with _bar() as progress:
        try:
            return run(storage, question, progress)
        except BacktestError as error:
            raise Refusal(str(error)) from None


# ── for a person ─────────────────────────────────────────────────────────────


def tell(result: Result) -> None:
    put_rows([_figures(outcome) for outcome in result.outcomes])
    for series in result.series:
        pages = [at for one in result.outcomes[0].incidents if one.brand == series.brand for at in one.pages]
        put("")
        put(f"{series.brand}: scores, and ^ where somebody would have been woken ({result.outcomes[0].policy})")
        put(scores(series))
        put(marks(series, [(at - series.start).total_seconds() for at in pages]))
    for outcome in result.outcomes:
        put("")
        put(f"{outcome.policy}: incidents that would have been")
        put_rows([_would_be(one) for one in outcome.incidents])
        if outcome.left_out:
            say(f"{outcome.left_out} older ones are left out")
        if outcome.found:
            put("")
            put(f"{outcome.policy}: incidents that mattered")
            put_rows([_found(one) for one in outcome.found])
    if result.fired:
        put("")
        put("what really fired")
        put_rows([_fired(one) for one in result.fired])
    if result.as_published:
        say("time before the journal began is replayed by when things were published: late ones are not late there")


def _figures(outcome: Outcome) -> dict[str, Any]:
    total = outcome.total
    figures: dict[str, Any] = {
        "policy": outcome.policy,
        "dial": outcome.false_warnings_per_month,
        "brand-days": total.brand_days,
        "pages": total.pages,
        "at night": total.night_pages,
        "notices": total.notices,
        "a week": total.pages_a_week,
        "a brand and month": total.pages_per_brand_month,
    }
    if outcome.found:
        found = [one.lead_min for one in outcome.found if one.lead_min is not None]
        figures |= {
            "found": f"{len(found)} of {len(outcome.found)}",
            "lead min": sorted(found)[len(found) // 2] if found else None,
            "false": total.false_pages,
        }
    return figures


def _would_be(one: Any) -> dict[str, Any]:
    return {
        "opened": one.opened_at,
        "brand": one.brand,
        "cause": one.cause,
        "severity": one.severity,
        "score": round(one.score, 2),
        "observed": one.observed,
        "expected": None if one.expected is None else round(one.expected, 1),
        "until": one.resolved_at,
        "pages": len(one.pages),
        "matches": list(one.marked),
    }


def _found(one: Any) -> dict[str, Any]:
    lead = "missed" if one.lead_min is None else f"{one.lead_min:g} min"
    return {"name": one.name, "brand": one.brand, "since": one.since, "until": one.until, "first page": lead}


def _fired(one: Any) -> dict[str, Any]:
    return {
        "opened": one.opened_at,
        "brand": one.brand,
        "cause": one.cause,
        "severity": one.severity,
        "score": round(one.score, 2),
        "replayed": one.replayed,
        "id": one.id,
    }


def scores(series: Series) -> str:
    """A line of bars: the highest score of each stretch; a blank is nothing, or not judged."""
    heights = []
    for part in _parts(len(series.scores)):
        known = [score for score in series.scores[part] if score is not None]
        height = (min(max(known), 3.0) - LOWEST) / (3.0 - LOWEST) if known else 0.0
        heights.append(BARS[round(max(0.0, height) * (len(BARS) - 1))])
    return "".join(heights)


def marks(series: Series, pages_s: Sequence[float]) -> str:
    points = {int(at) // series.step_s for at in pages_s}
    return "".join(
        "^" if any(point in points for point in range(part.start, part.stop)) else " "
        for part in _parts(len(series.scores))
    ).rstrip()


def _parts(points: int) -> list[slice]:
    width = min(WIDTH, points)
    return [slice(i * points // width, (i + 1) * points // width) for i in range(width)]


@contextmanager
def _bar() -> Iterator[Callable[[float], None]]:
    """How far it is, on stderr, while a person looks on."""
    if not looked_on():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("replaying", total=1.0)
        yield lambda done: progress.update(task, completed=done)
