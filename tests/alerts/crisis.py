"""The invented brand, its volumes and its crisis, shared by the tests of this wing. All texts are ours."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

from alerts.base import Action, Alert, Channel, Exhibit
from alerts.dossier import alert_for, build
from alerts.incident import Change, Event, Incident
from alerts.spike import BIN_S, Spike, Volume, detect

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
    """Two negatives an hour for two weeks and an hour more, then twelve in half an hour."""
    bins = 14 * DAY + 24
    quiet = volume([*chatter(bins, 2, seed), *[2] * 6], [*chatter(bins, 6, seed + 100), *[1] * 6])
    return detect(quiet, closing(quiet))


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


def change(kind: Any = "opened", spike: Spike | None = None, severity: Any = "critical", **data: Any) -> Change:
    """An incident's change as the watch walk would have it, without the walk."""
    spike = spike or fixed_spike()
    opened = spike.window_end + timedelta(seconds=60)
    at = opened if kind == "opened" else opened + timedelta(hours=2, minutes=5)
    number = {"opened": 1, "escalated": 2, "acknowledged": 3, "resolved": 4}[kind]
    state = {"opened": "open", "escalated": "open"}.get(kind, kind)
    incident = Incident("inc-7f3a", 1, state, severity, number, opened, at, spike.score)
    numbers = {"observed": spike.observed, "expected": spike.expected, "window_s": 1800}
    codes: dict[str, dict[str, Any]] = {
        "opened": {"code": "negative_spike", **numbers},
        "escalated": {"code": "more_severe", "from": "warning", **numbers},
        "acknowledged": {"code": "taken", "actor": "Ana"},
        "resolved": {"code": "calm_again", "calm_s": 3600, **numbers, "observed": 1},
    }
    actor = "Ana" if kind == "acknowledged" else "avizor"
    return Change(incident, Event(incident.id, number, at, kind, actor, "why", {**codes[kind], **data}))


def fixed_spike() -> Spike:
    """A verdict with round numbers, for texts that are compared letter by letter."""
    return Spike(
        rule="same-hour/1",
        verdict="critical",
        reason="negative_spike",
        window_start=datetime(2026, 11, 15, 2, 0, tzinfo=UTC),
        window_end=datetime(2026, 11, 15, 2, 30, tzinfo=UTC),
        observed=12,
        total=18,
        unknown=1,
        expected=1.25,
        probability=2.5e-7,
        score=6.6,
        share=12 / 18,
        usual_share=0.25,
        coverage=0.95,
        minimum=5,
        threshold=4.0,
        loudness=1.0,
        dispersion=0.19,
        share_probability=0.001,
        critical_threshold=5.0,
        history_h=336.0,
    )


def alert(action: Action = "trigger", language: str = "es", **changes: Any) -> Alert:
    """An alert of the invented brand, made the way the walk makes it."""
    kind = {"trigger": "opened", "escalate": "escalated", "acknowledge": "acknowledged", "resolve": "resolved"}[action]
    made = alert_for(
        change(kind),
        action,
        channel="guardia",
        brand="garza",
        brand_name="Garza",
        language=language,
        time_zone="Europe/Madrid",
        dossier=build(fixed_spike(), EXHIBITS, SUMMARY),
        public_url="https://avizor.example/",
    )
    fields = {name: getattr(made, name) for name in made.__dataclass_fields__}
    return Alert(**{**fields, **changes})


def channel(kind: str = "slack", url: str = "https://hooks.example/x", **changes: Any) -> Channel:
    secret = {"url": url}
    if kind == "webhook":
        secret["secret"] = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    return Channel(**{"id": 1, "slug": "guardia", "name": "Guardia", "kind": kind, "secret": secret, **changes})
