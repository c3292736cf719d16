"""The invented brand, its volumes and its crisis, shared by the tests of this wing. All texts are ours."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

from alerts.base import Action, Alert, Channel, Dossier, Exhibit, First, Term
from alerts.detect.policy import Dial
from alerts.detect.verdict import detect
from alerts.dossier import alert_for, build
from alerts.incident import Change, Event, Incident
from alerts.spike import BIN_S, POOR_COVERAGE, Sample, Spike, Volume

START = datetime(2026, 11, 1, tzinfo=UTC)
DAY = 288


def volume(
    negative: Sequence[int],
    rest: Sequence[int],
    *,
    coverage: Sequence[float] | None = None,
    backfilled: int = 0,
    start: datetime = START,
) -> Volume:
    """A volume from its series; the first `backfilled` bins are known from a backfill only."""
    total = [bad + other for bad, other in zip(negative, rest, strict=True)]
    live = [0] * backfilled
    return Volume(
        start=start,
        negative=live + list(negative[backfilled:]),
        total=live + total[backfilled:],
        unknown=[0] * len(total),
        past_negative=list(negative),
        past_total=total,
        coverage=coverage if coverage is not None else [0.0] * backfilled + [1.0] * (len(total) - backfilled),
    )


def closing(of: Volume) -> datetime:
    """A minute after the last bin of the volume closed."""
    return of.start + timedelta(seconds=len(of.negative) * BIN_S + 60)


def chatter(bins: int, per_hour: float, seed: int = 1) -> list[int]:
    """Poisson counts per bin."""
    random = Random(seed)
    return [_poisson(random, per_hour / 12) for _ in range(bins)]


def _poisson(random: Random, mean: float) -> int:
    count, time = 0, random.expovariate(1)
    while time < mean:
        count, time = count + 1, time + random.expovariate(1)
    return count


def crisis(seed: int = 1) -> Spike:
    """Two negatives an hour for six days, then twelve in half an hour."""
    bins = 6 * DAY
    loud = volume([*chatter(bins, 2, seed), *[2] * 6], [*chatter(bins, 6, seed + 100), *[1] * 6])
    return detect(None, loud, closing(loud), Dial()).spike


EXHIBITS = (
    Exhibit(
        title="",
        text="Llevo tres semanas esperando mi pedido de Garza y nadie contesta. Es una estafa & un desastre <3",
        url="https://foro.example/hilo/81?p=2&o=1",
        source="foro-compras",
        author="marisa_v",
        published_at=datetime(2026, 11, 15, 2, 11, tzinfo=UTC),
        language="es",
        score=-0.81,
        evidence=("estafa", "desastre"),
        copies=3,
    ),
    Exhibit(
        title="Garza deja sin pedidos a cientos de clientes",
        text="La tienda confirma el fallo en sus almacenes.",
        url="https://diario.example/garza-pedidos",
        source="diario-rss",
        author=None,
        published_at=datetime(2026, 11, 15, 2, 20, tzinfo=UTC),
        language="es",
        score=-0.44,
    ),
    Exhibit(
        title="",
        text="Garza support is a joke, worst experience ever",
        url=None,
        source="hackernews",
        author="tbolt",
        published_at=datetime(2026, 11, 15, 2, 24, tzinfo=UTC),
        language="en",
        score=-0.62,
        evidence=("worst",),
    ),
)

SUMMARY = SimpleNamespace(
    stories=19,
    copies=7,
    by_label={"negative": 12, "neutral": 5, "positive": 1, "unknown": 1},
    by_language={"es": 15, "en": 4},
    by_source={"foro-compras": 11, "diario-rss": 5, "hackernews": 3},
)


FIRST = First(
    source="foro-compras",
    site="foro.example",
    author="marisa_v",
    published_at=datetime(2026, 11, 15, 2, 1, tzinfo=UTC),
    fetched_at=datetime(2026, 11, 15, 2, 4, tzinfo=UTC),
    url="https://foro.example/hilo/81",
)

# What is known beside the counts.
KNOWN: dict[str, Any] = {
    "excluded": {"same_author": 3, "new_source": 2},
    "terms": (Term("estafa", 9, 0.02, 31.5), Term("pedido", 7, 0.08, 12.25)),
    "first": FIRST,
    "authors": 11,
    "sites": 4,
    "spread": 3,
    "events": ("Semana de rebajas",),
    "policy": {"id": None, "name": "default", "false_warnings_per_month": 1.0},
    "judged_at": datetime(2026, 11, 15, 2, 31, tzinfo=UTC),
}


def change(
    kind: Any = "opened", spike: Spike | None = None, severity: Any = "critical", cause: str = "negative", **data: Any
) -> Change:
    """An incident's change as the watch walk would have it, without the walk."""
    spike = spike or fixed_spike()
    opened = spike.window_end + timedelta(seconds=60)
    at = opened if kind == "opened" else opened + timedelta(hours=2, minutes=5)
    number = {"opened": 1, "escalated": 2, "acknowledged": 3, "resolved": 4}[kind]
    state = {"opened": "open", "escalated": "open"}.get(kind, kind)
    incident = Incident("inc-7f3a", 1, state, severity, number, opened, at, spike.score, cause=cause)
    numbers = {
        "severity": spike.verdict,
        "observed": spike.observed,
        "expected": spike.expected,
        "score": spike.score,
        "window_s": int((spike.window_end - spike.window_start).total_seconds()),
        "subject": spike.subject,
        "why": spike.reason,
        "cause": cause,
    }
    codes: dict[str, dict[str, Any]] = {
        "opened": {"code": spike.reason, **numbers},
        "escalated": {"code": "more_severe", "from": "warning", **numbers},
        "acknowledged": {"code": "taken", "actor": "Ana"},
        "resolved": {"code": "calm_again", "calm_s": 3600, **numbers, "observed": 1, "why": "usual"},
    }
    actor = "Ana" if kind == "acknowledged" else "avizor"
    return Change(incident, Event(incident.id, number, at, kind, actor, "why", {**codes[kind], **data}))


def fixed_spike(**changes: Any) -> Spike:
    """A verdict with round numbers, for texts that are compared letter by letter."""
    values: dict[str, Any] = {
        "rule": "return-period/1",
        "verdict": "critical",
        "reason": "negative_spike",
        "window_start": datetime(2026, 11, 15, 2, 0, tzinfo=UTC),
        "window_end": datetime(2026, 11, 15, 2, 30, tzinfo=UTC),
        "observed": 12,
        "total": 18,
        "unknown": 1,
        "expected": 1.25,
        "probability": 2.5e-7,
        "score": 1.6,
        "share": 12 / 18,
        "usual_share": 0.25,
        "coverage": 0.95,
        "minimum": 3,
        "threshold": 0.0,
        "samples": (
            Sample(datetime(2026, 11, 14, 2, 0, tzinfo=UTC), 2, True, 6),
            Sample(datetime(2026, 11, 13, 2, 0, tzinfo=UTC), 1, False, 3, 0.5, POOR_COVERAGE),
            Sample(datetime(2026, 11, 12, 2, 0, tzinfo=UTC), 0, True, 4),
        ),
        "dispersion": 0.19,
        "share_probability": 0.001,
        "critical_threshold": 1.0,
        "history_h": 336.0,
        "band": (0.0, 4.0),
        "volume_score": 0.9,
    }
    return Spike(**values | changes)


def day_before(spike: Spike) -> datetime:
    return spike.window_end - timedelta(days=1)


# One verdict of each reason, with the cause and the severity that it opens an incident with.
OTHERS: dict[str, tuple[str, str, Spike]] = {
    "second": ("negative:intoxicacion", "critical", fixed_spike(observed=8)),
    "surge": (
        "negative",
        "warning",
        fixed_spike(verdict="warning", reason="volume_surge", total=90, observed=20, score=-0.3, volume_score=1.3),
    ),
    "grave": (
        "grave:intoxicación",
        "critical",
        fixed_spike(
            rule="grave-term/1",
            reason="grave_term",
            subject="intoxicación",
            window_start=day_before(fixed_spike()),
            observed=2,
            expected=0.0037,
            band=(0.0, 0.0),
            samples=tuple(Sample(datetime(2026, 11, day, 2, 30, tzinfo=UTC), 0, True) for day in range(13, 1, -1)),
            volume_score=None,
        ),
    ),
    "spread": (
        "spread:88",
        "notice",
        fixed_spike(
            rule="wide-spread/1",
            score=-9.0,
            verdict="notice",
            reason="wide_spread",
            subject="88",
            window_start=day_before(fixed_spike()),
            observed=40,
            expected=None,
            share=1.0,
            samples=(),
            band=None,
            volume_score=None,
        ),
    ),
    "silence": (
        "silence",
        "notice",
        fixed_spike(
            rule="silence/1",
            verdict="notice",
            reason="silence",
            window_start=datetime(2026, 11, 14, 23, 30, tzinfo=UTC),
            observed=0,
            total=0,
            expected=41.5,
            coverage=1.0,
            threshold=1.0,
            critical_threshold=None,
            share=None,
            band=(24.0, 66.0),
            volume_score=None,
        ),
    ),
}


def dossier(spike: Spike | None = None, cause: str = "negative") -> Dossier:
    return build(spike or fixed_spike(), EXHIBITS, SUMMARY, cause=cause, **KNOWN)


def alert(action: Action = "trigger", language: str = "es", about: str = "", **changes: Any) -> Alert:
    """An alert of the invented brand, made the way the walk makes it; `about` is one of `OTHERS`."""
    kind = {"trigger": "opened", "escalate": "escalated", "acknowledge": "acknowledged", "resolve": "resolved"}[action]
    cause, severity, spike = OTHERS[about] if about else ("negative", "critical", fixed_spike())
    made = alert_for(
        change(kind, spike, severity, cause),
        action,
        channel="guardia",
        brand="garza",
        brand_name="Garza",
        language=language,
        time_zone="Europe/Madrid",
        dossier=dossier(spike, cause),
        public_url="https://avizor.example/",
    )
    return replace(made, **changes)


def channel(kind: str = "slack", url: str = "https://hooks.example/x", **changes: Any) -> Channel:
    secret = {"url": url}
    if kind == "webhook":
        secret["secret"] = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    return Channel(**{"id": 1, "slug": "guardia", "name": "Guardia", "kind": kind, "secret": secret, **changes})
