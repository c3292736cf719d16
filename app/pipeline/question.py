"""What is asked of a backtest: brands, a span, one policy or two, and the incidents that a user says mattered.

words, a CSV file, JSON -> checked in words -> Question
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.model import Brand, Policy
from app.storage import Storage

DAY = timedelta(days=1)
LONGEST = timedelta(days=400)
MOST_BRAND_DAYS = 20_000
MOST_POLICIES = 2
MOST_MARKED = 1_000


class BacktestError(ValueError):
    """The question cannot be answered; the text says why, for the person who asked."""


@dataclass(frozen=True, slots=True)
class Marked:
    """An incident that a user says mattered: a brand's slug, from when until when, and what it is called."""

    brand: str
    since: datetime
    until: datetime
    name: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: slugs of brands, a span, one policy or two, and what the user marked."""

    brands: tuple[str, ...]
    since: datetime
    until: datetime
    policies: tuple[Policy, ...] = ()
    marked: tuple[Marked, ...] = ()


def asked(
    storage: Storage,
    brands: Sequence[str],
    since: datetime,
    until: datetime | None,
    policies: Sequence[Policy],
    marked: Sequence[Marked],
    now: datetime,
) -> Question:
    """The question, made whole: no brand named is every brand, no policy the one in force, no end now.

    Raises `BacktestError`.
    """
    known = {brand.slug: brand for brand in storage.brands.all()}
    slugs = tuple(dict.fromkeys(brands)) or tuple(slug for slug, brand in known.items() if not brand.competitor)
    for slug in slugs:
        if slug not in known:
            raise BacktestError(f"there is no brand {slug}")
        if known[slug].competitor:
            raise BacktestError(f"{slug} is a competitor: nobody is ever paged about it")
    if not slugs:
        raise BacktestError("there is no brand yet")
    end = min(until or now, now)
    if since >= now:
        raise BacktestError("since lies in the future: there is nothing to replay yet")
    if since >= end:
        raise BacktestError("since must lie before until")
    if end - since > LONGEST:
        raise BacktestError(f"that is a span of {(end - since).days} days; at most {LONGEST.days} are replayed")
    days = (end - since) / DAY * len(slugs)
    if days > MOST_BRAND_DAYS:
        raise BacktestError(
            f"{len(slugs)} brands for {(end - since).days} days are {round(days)} brand-days; at most {MOST_BRAND_DAYS}"
        )
    if len(policies) > MOST_POLICIES:
        raise BacktestError("two policies at most can be held against each other")
    if len(marked) > MOST_MARKED:
        raise BacktestError(f"at most {MOST_MARKED} incidents may be marked")
    for one in marked:
        if one.brand not in slugs:
            raise BacktestError(f"{one.name}: the brand {one.brand} is not in this backtest")
        if one.since > one.until:
            raise BacktestError(f"{one.name}: it ends before it begins")
    return Question(slugs, since, end, tuple(policies) or (storage.policies.current(),), tuple(marked))


def read_marked(lines: Iterable[tuple[int, str]], brands: Mapping[str, Brand]) -> tuple[Marked, ...]:
    """Marked incidents from the lines of a CSV file: `brand,since,until,name`, separated by comma or semicolon.

    A time without an offset is in the brand's time zone; a day as `until` is in it to its end. Raises `BacktestError`
    with the number of the line.
    """
    found: list[Marked] = []
    columns: list[str] = []
    delimiter = ","
    for number, line in lines:
        if not line.strip():
            continue
        if not columns:
            delimiter = ";" if ";" in line else ","
        try:
            cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
        except csv.Error:
            raise BacktestError(f"line {number}: it cannot be read as CSV") from None
        if not columns:
            columns = [cell.casefold() for cell in cells]
            if sorted(columns) != ["brand", "name", "since", "until"]:
                raise BacktestError(f"line {number}: the header must be brand,since,until,name")
            continue
        if len(cells) != len(columns):
            raise BacktestError(f"line {number}: {len(cells)} columns, not {len(columns)}")
        try:
            found.append(_marked(dict(zip(columns, cells, strict=True)), brands))
        except ValueError as error:
            raise BacktestError(f"line {number}: {error}") from None
    if not columns:
        raise BacktestError("line 1: the header must be brand,since,until,name")
    return tuple(found)


def _marked(cells: Mapping[str, str], brands: Mapping[str, Brand]) -> Marked:
    brand = brands.get(cells["brand"])
    if brand is None:
        raise ValueError(f"there is no brand {cells['brand']}")
    zone = ZoneInfo(brand.time_zone)
    since, until = read_moment(cells["since"], zone), read_moment(cells["until"], zone, end=True)
    if since > until:
        raise ValueError("it ends before it begins")
    return Marked(brand.slug, since, until, cells["name"] or cells["since"])


def read_moment(text: str, zone: ZoneInfo, *, end: bool = False) -> datetime:
    """An instant from ISO 8601; `end`: of a day its end, not its beginning. Raises `ValueError`."""
    try:
        return _read(text, zone, end=end)
    except (ValueError, OverflowError):
        raise ValueError(f"{text or 'nothing'} is no time such as 2026-11-22T09:00") from None


def _read(text: str, zone: ZoneInfo, *, end: bool) -> datetime:
    """Raises `OverflowError` too, at either end of the calendar."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (midnight + (DAY if end else timedelta())).astimezone(UTC)


def to_question(question: Question) -> dict[str, Any]:
    """The question as it is kept. `of_question` gives the equal one back."""
    mapping: dict[str, Any] = plain(
        {
            "brands": question.brands,
            "since": question.since,
            "until": question.until,
            "policies": [
                {"id": one.id, "name": one.name, "false_warnings_per_month": one.false_warnings_per_month}
                for one in question.policies
            ],
            "marked": [asdict(one) for one in question.marked],
        }
    )
    return mapping


def of_question(mapping: Mapping[str, Any]) -> Question:
    """Raises `KeyError`, `TypeError` or `ValueError` for what `to_question` never wrote."""
    marked = [
        Marked(one["brand"], _moment(one["since"]), _moment(one["until"]), one["name"]) for one in mapping["marked"]
    ]
    policies = tuple(Policy(**one) for one in mapping["policies"])
    since, until = _moment(mapping["since"]), _moment(mapping["until"])
    return Question(tuple(mapping["brands"]), since, until, policies, tuple(marked))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Mapping():
            return {key: plain(one) for key, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
    return value
