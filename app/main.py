"""Everything is put together here, once: rooms are made, handed to each other, and closed in the opposite order.

make_service(settings) -> Service      the walks, for the command line and for `make_app`
make_app(settings) -> FastAPI          the API, the pages and the scheduler around a Service
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import httpx
from fastapi import FastAPI

from app import api, web
from app.api.deps import Deps
from app.clock import Clock, utc_now
from app.language import Languages
from app.pipeline import Collect, Deliver, Follow, Hear, Revisit, Subscribe, Tend, Watch
from app.pipeline.backtests import Backtests
from app.pipeline.sessions import Sessions
from app.scheduler import Scheduler
from app.sentiment import Scorer, make_scorer
from app.sentiment.corrections import read_biases
from app.sentiment.tiers import last_word
from app.settings import Settings
from app.storage import Storage, open_storage
from app.vault import Vault, open_vault
from collectors.fetch import Hosts
from collectors.guard import GuardedTransport
from collectors.sandbox import Sandbox

VERSION = "0.1.0"

COLLECT_EVERY_S = 1.0
FOLLOW_EVERY_S = 5.0
REVISIT_EVERY_S = 20.0
SUBSCRIBE_EVERY_S = 2.0
HEAR_EVERY_S = 1.0
WATCH_EVERY_S = 5.0
TEND_EVERY_S = 60.0
DELIVER_EVERY_S = 1.0
BACKTEST_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Service:
    """The walks over one storage. An async context manager: leaving it closes everything."""

    settings: Settings
    storage: Storage
    vault: Vault
    clock: Clock
    scorer: Scorer
    collect: Collect
    follow: Follow
    revisit: Revisit
    subscribe: Subscribe
    hear: Hear
    watch: Watch
    tend: Tend
    deliver: Deliver
    backtests: Backtests
    _http: httpx.AsyncClient
    _outside: httpx.AsyncClient
    _sandbox: Sandbox

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.collect.stop()
        await self.follow.stop()
        await self.subscribe.stop()
        await self.deliver.stop()
        await asyncio.to_thread(self.hear.stop)
        await asyncio.to_thread(self._sandbox.close)
        await self._http.aclose()
        await self._outside.aclose()
        self.storage.close()


def open_rooms(settings: Settings) -> tuple[Storage, Vault]:
    """Storage and the vault that seals its secrets. Raises `StorageError` or `VaultError` in words."""
    vault = open_vault(settings)
    return open_storage(settings.database_url, vault), vault


def make_service(settings: Settings, *, clock: Clock = utc_now) -> Service:
    """Storage, the outbound client, the parsing children, and the walks over them.

    Raises as `open_rooms`; `TierMissing` or `BiasesError`, in words too, when nobody can hear as the settings wish.
    """
    scorer = make_scorer(settings.languages, settings.tone, read_biases(settings.tone_biases))
    storage, vault = open_rooms(settings)
    http = make_client(settings)
    sandbox = Sandbox(workers=settings.parse_workers)
    owner = f"{os.getpid()}-{secrets.token_hex(4)}"
    languages = Languages(settings.languages)
    hosts = Hosts()
    sessions = Sessions(http, hosts)
    collect = Collect(
        storage=storage,
        sessions=sessions,
        sandbox=sandbox,
        languages=languages,
        scorer=scorer,
        clock=clock,
        owner=owner,
        hands=settings.collect_concurrency,
        websub=settings.websub,
    )
    follow = Follow(storage=storage, http=http, languages=languages, scorer=scorer, clock=clock, owner=owner)
    revisit = Revisit(
        storage=storage, sessions=sessions, sandbox=sandbox, languages=languages, scorer=scorer, clock=clock
    )
    outside = make_client(settings.model_copy(update={"allow_networks": ()}))
    subscribe = Subscribe(
        storage=storage, http=http, outside=outside, hosts=hosts, clock=clock, public_url=settings.public_url
    )
    # Without a quality tier the fast one has the last word, or what is marked to be heard again would wait for ever.
    hear = Hear(storage, clock, last_word(scorer))
    watch = Watch(storage=storage, clock=clock, public_url=settings.public_url)
    tend = Tend(
        storage=storage,
        clock=clock,
        public_url=settings.public_url,
        time_zone=settings.time_zone,
        source_channels=settings.source_channels,
    )
    deliver = Deliver(storage=storage, http=http, clock=clock, owner=owner, public_url=settings.public_url)
    backtests = Backtests(storage, clock)
    return Service(
        settings,
        storage,
        vault,
        clock,
        scorer,
        collect,
        follow,
        revisit,
        subscribe,
        hear,
        watch,
        tend,
        deliver,
        backtests,
        _http=http,
        _outside=outside,
        _sandbox=sandbox,
    )


def make_client(settings: Settings) -> httpx.AsyncClient:
    """The one client through which everything leaves: guarded on connect, no proxy, no redirects of its own."""
    contact = f" (+{settings.contact})" if settings.contact else ""
    return httpx.AsyncClient(
        transport=GuardedTransport(allow_networks=settings.allow_networks, allow_ports=settings.allow_ports),
        headers={"User-Agent": f"Avizor/{VERSION}{contact}"},
        follow_redirects=False,
        trust_env=False,
    )


def make_scheduler(service: Service) -> Scheduler:
    """The walks at their paces. `collect`, `follow` and `deliver` only claim at a tick: nobody waits for a slow one."""
    scheduler = Scheduler()
    # First, so that it sees since when nobody was asked.
    scheduler.every(TEND_EVERY_S, "tend", lambda: asyncio.to_thread(service.tend.run), vital=False)
    scheduler.every(COLLECT_EVERY_S, "collect", service.collect.tick)
    scheduler.every(FOLLOW_EVERY_S, "follow", service.follow.tick)
    # It waits for its answers, and a slow source is no sign that the service is not well.
    scheduler.every(REVISIT_EVERY_S, "revisit", service.revisit.tick, vital=False)
    if service.settings.websub:
        scheduler.every(SUBSCRIBE_EVERY_S, "subscribe", service.subscribe.tick, vital=False)
    # Two seconds of work at a time, or twenty on a slow machine: no sign that the service is not well.
    scheduler.every(HEAR_EVERY_S, "hear", lambda: asyncio.to_thread(service.hear.run), vital=False)
    scheduler.every(WATCH_EVERY_S, "watch", lambda: asyncio.to_thread(service.watch.run))
    scheduler.every(DELIVER_EVERY_S, "deliver", service.deliver.tick)
    scheduler.every(BACKTEST_EVERY_S, "backtests", lambda: asyncio.to_thread(service.backtests.run), vital=False)
    return scheduler


def make_app(settings: Settings, *, clock: Clock = utc_now) -> FastAPI:
    """The API, the pages and the scheduler around a service, as one ASGI app. Nothing runs before its start-up."""
    service = make_service(settings, clock=clock)
    scheduler = make_scheduler(service)
    deps = Deps(
        settings=settings,
        storage=service.storage,
        vault=service.vault,
        clock=clock,
        scorer=service.scorer,
        change_incident=service.watch.by_hand,
        test_channel=service.deliver.test,
        tick_age_s=scheduler.tick_age_s,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service:
            scheduler.start()
            try:
                yield
            finally:
                await asyncio.to_thread(service.backtests.stop)
                await scheduler.stop()

    app = FastAPI(title="Avizor", version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None)
    api.install_problems(app, web.make_error_page(deps))
    api.install_headers(app)
    app.include_router(api.make_router(deps))
    app.include_router(web.make_router(deps))
    return app
