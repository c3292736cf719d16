"""From values to a page: one Jinja2 environment that escapes everything, and the sentences that need numbers."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from alerts import prose
from alerts.texts import Words
from alerts.texts import words as alert_words
from app.api.bins import Bin, Width
from app.api.deps import Deps
from app.api.headers import SECURITY_HEADERS
from app.feeds import web_link
from app.web import texts
from app.web.chart import POOR, Chart
from app.web.session import Visitor
from app.web.views import BrandCard
from app.web.words import COOKIE, NAMES, asked, language_of, words

HERE = Path(__file__).parent
STYLE = HERE / "static" / "avizor.css"
ICON = HERE / "static" / "icon.svg"
YEAR_S = 31_536_000


@lru_cache(maxsize=1)
def environment() -> Environment:
    """`StrictUndefined`: a page with a hole in it is a bug, not a blank."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "css_version": sha256(STYLE.read_bytes()).hexdigest()[:12],
        "in_words": in_words,
        "iso": iso,
        "languages": tuple(NAMES.items()),
        "mark": mark,
        "poor": POOR,
        "span": span,
        "there": there,
        "texts": texts,
        "web_link": web_link,
        "why": why,
    }
    return made


def render(
    request: Request,
    deps: Deps,
    template: str,
    *,
    who: Visitor | None = None,
    time_zone: str | None = None,
    status: int = 200,
    **values: Any,
) -> Response:
    """A page in the reader's language, times in `time_zone` (by default the installation's)."""
    tongue = words(language_of(request, deps.settings.default_language), time_zone or deps.settings.time_zone)
    context: Mapping[str, Any] = {"w": tongue, "t": tongue.say, "n": tongue.count, "who": who, "now": deps.clock()}
    body = environment().get_template(template).render(**context, **values)
    headers = {**SECURITY_HEADERS, "Cache-Control": "no-store", "Vary": "Accept-Language, Cookie"}
    response = HTMLResponse(body, status, headers)
    if wish := asked(request):
        response.set_cookie(COOKIE, wish, max_age=YEAR_S, path="/", httponly=True, samesite="lax")
    return response


def language(request: Request, deps: Deps) -> str:
    return language_of(request, deps.settings.default_language)


# ── sentences ────────────────────────────────────────────────────────────────


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def in_words(error: str, tongue: Words) -> str:
    """A stored error of a source or a delivery, in the reader's language."""
    return prose.error_in_words(error, alert_words(tongue.language))


def there(tongue: Words, time_zone: str | None) -> Words:
    """The same reader, told the time of another place; None: of the place where they are told it anyway."""
    return replace(tongue, zone=ZoneInfo(time_zone)) if time_zone else tongue


def span(tongue: Words, width: Width, b: Bin) -> str:
    """The time of one bar."""
    return tongue.day(b.start) if width == "day" else tongue.span(b.start, b.end)


def mark(tongue: Words, width: Width, chart: Chart, at: datetime) -> str:
    """A time under the picture: the hour in a picture of hours, the day in one of days."""
    long = width == "day" or chart.columns[-1].bin.end - chart.columns[0].bin.start > timedelta(days=2)
    return tongue.day(at) if long else tongue.clock(at)


def why(card: BrandCard, tongue: Words) -> str:
    """Why a brand's verdict is what it is, with its numbers."""
    if card.mood in ("new", "stale"):
        seen = tongue.moment(card.evaluated_through) if card.evaluated_through else ""
        return tongue.say(texts.MOOD_NOTES[card.mood], time=seen)
    spike = card.spike
    sentence = texts.REASONS.get(str(spike.get("reason")))
    if sentence is None:
        return str(spike.get("reason", ""))
    window = window_minutes(spike)
    return tongue.say(
        sentence,
        observed=number(tongue, spike.get("observed")),
        expected=number(tongue, spike.get("expected")),
        minutes=number(tongue, window),
        coverage=tongue.percent(spike.get("coverage") or 0.0),
        history=number(tongue, spike.get("history_h")),
    )


def window_minutes(spike: Mapping[str, Any]) -> float | None:
    try:
        length = datetime.fromisoformat(spike["window_end"]) - datetime.fromisoformat(spike["window_start"])
    except (KeyError, ValueError, TypeError):
        return None
    return length / timedelta(minutes=1)


def number(tongue: Words, value: float | None) -> str:
    return "?" if value is None else tongue.number(value)
