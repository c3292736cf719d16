"""Is it well? For a load balancer, for Kubernetes, for Prometheus. None of the three needs a key, so none holds a name.

/healthz   the process answers
/readyz    the database is there, its schema is ours, the scheduler ticks
/metrics   Prometheus: counts and ages, by state only
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import get_args

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from pydantic import BaseModel
from starlette.responses import Response

from app.api.answers import answer, example
from app.api.deps import Deps, Here
from app.storage.records import DeliveryState, StorageError
from collectors import STREAMS
from collectors.base import Source, SourceState
from collectors.due import counts, fresh, health
from collectors.stream import Place

log = logging.getLogger(__name__)
router = APIRouter(tags=["health"])

STATES = get_args(SourceState)
SLOWEST_TICK_S = 30.0
"""A scheduler that has not ticked for this long does not do its work."""


class Alive(BaseModel):
    status: str


class Readiness(BaseModel):
    """`checks` says `ok` or what is wrong, for `database` and `scheduler`."""

    ready: bool
    checks: dict[str, str]


@router.get("/healthz", summary="The process answers", response_model=Alive, responses={200: example({"status": "ok"})})
async def healthz() -> Response:
    return answer({"status": "ok"})


@router.get(
    "/readyz",
    summary="The service can do its work",
    response_model=Readiness,
    responses={
        200: example({"ready": True, "checks": {"database": "ok", "scheduler": "ok"}}),
        503: example(
            {"ready": False, "checks": {"database": "ok", "scheduler": "has not ticked for 95 s"}},
            description="Not now.",
        ),
    },
)
async def readyz(deps: Here) -> Response:
    checks = {"database": await deps.call(database, deps), "scheduler": scheduler(deps.tick_age_s())}
    ready = all(said == "ok" for said in checks.values())
    return answer({"ready": ready, "checks": checks}, 200 if ready else 503, {"Cache-Control": "no-store"})


def database(deps: Deps) -> str:
    try:
        deps.storage.check_ready()
    except StorageError as error:
        log.warning("not ready: %s", error)
        return "cannot be used: see the log"
    return "ok"


def scheduler(tick_age_s: float | None) -> str:
    if tick_age_s is None:
        return "has not started"
    return "ok" if tick_age_s <= SLOWEST_TICK_S else f"has not ticked for {tick_age_s:.0f} s"


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    responses={200: example('avizor_sources{state="ok"} 12.0\n', CONTENT_TYPE_LATEST)},
)
async def metrics(deps: Here) -> Response:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(deps))
    return Response(await deps.call(generate_latest, registry), 200, {"Cache-Control": "no-store"}, CONTENT_TYPE_LATEST)


class Figures(Collector):
    """Reads the figures from storage when Prometheus asks: they are true for every process on this database."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def collect(self) -> Iterator[Metric]:
        now, storage = self._deps.clock(), self._deps.storage
        yield gauge("avizor_mentions_stored", "Mentions stored, copies and history included.", storage.mentions.count())
        yield gauge(
            "avizor_mentions_provisional", "Mentions that wait to be heard again with care.", storage.mentions.waiting()
        )
        yield gauge(
            "avizor_mentions_restated",
            "How often a stored mention's tone was doubted, heard again, or corrected.",
            storage.mentions.restated(),
        )
        yield from self._sources(now)
        yield from self._outbox(now)
        states = ("open", "acknowledged", "resolving")
        unresolved = Counter(incident.state for incident in storage.incidents.page(None, states, None, 10_000))
        yield by_state("avizor_incidents", "Unresolved incidents.", dict.fromkeys(states, 0) | unresolved)
        age = self._deps.tick_age_s()
        if age is not None:
            yield gauge("avizor_scheduler_tick_age_seconds", "Time since the scheduler last ticked.", age)

    def _sources(self, now: datetime) -> Iterator[Metric]:
        sources = self._deps.storage.sources.all()
        states = Counter(health(source, now) for source in sources)
        yield by_state("avizor_sources", "Sources by their health.", dict.fromkeys(STATES, 0) | states)
        asked = [source for source in sources if counts(source)]
        yield gauge(
            "avizor_sources_fresh", "Enabled sources heard recently enough to count.", sum(fresh(s, now) for s in asked)
        )
        yield gauge("avizor_sources_enabled", "Enabled sources.", len(asked))
        lags = [(now - s.next_due_at).total_seconds() for s in asked if s.next_due_at and s.state != "disabled"]
        yield gauge("avizor_source_lag_seconds", "How long the longest waiting source is overdue.", max([0.0, *lags]))
        yield from self._streams([source for source in sources if source.kind in STREAMS], now)

    def _streams(self, streams: Sequence[Source], now: datetime) -> Iterator[Metric]:
        """Counts are of all streams, also of those that were switched off: a counter never falls."""
        places = [Place.of(source) for source in streams]
        since = [Place.of(source).at for source in streams if source.enabled and source.state != "disabled"]
        yield gauge(
            "avizor_stream_lag_seconds",
            "Age of the last message of the stream that is furthest behind.",
            max([0.0, *((now - at).total_seconds() for at in since if at)]),
        )
        messages, matches = sum(place.messages for place in places), sum(place.matches for place in places)
        yield CounterMetricFamily("avizor_stream_messages", "Messages that streams brought.", value=messages)
        yield CounterMetricFamily("avizor_stream_matches", "Messages of streams that mention a brand.", value=matches)

    def _outbox(self, now: datetime) -> Iterator[Metric]:
        counts = self._deps.storage.deliveries.counts()
        yield by_state(
            "avizor_deliveries", "Deliveries by state.", {s: counts.get(s, 0) for s in get_args(DeliveryState)}
        )
        oldest = self._deps.storage.deliveries.oldest_pending()
        age = (now - oldest).total_seconds() if oldest else 0.0
        yield gauge("avizor_outbox_oldest_age_seconds", "Age of the oldest delivery that is still pending.", age)


def gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)


def by_state(name: str, meaning: str, counts: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=["state"])
    for state, count in counts.items():
        family.add_metric([state], count)
    return family
