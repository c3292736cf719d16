"""One walk, taken once, by a person or by cron; a service may run beside it, since every claim is a lease.

collect | revisit | watch | tend | deliver  ->  what it did, as one JSON object
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from app.cli.languages import load_listening_settings
from app.cli.logs import start_log
from app.cli.paper import looked_on, put_json
from app.cli.rooms import make_folders
from app.main import Service, make_service
from app.pipeline import CollectReport, DeliverReport, RevisitReport, TendReport
from app.settings import Settings


def collect() -> bool:
    """Ask every due source. False when one of them failed: the report says which, and why."""
    report = asyncio.run(_collect(_begin()))
    put_json(report)
    return not report.failed


def revisit() -> bool:
    """Ask what became of every mention that is due. False when a source could not be asked."""
    report = asyncio.run(_revisit(_begin()))
    put_json(report)
    return not report.failed


def watch() -> bool:
    """Judge every due brand."""
    put_json(asyncio.run(_watch(_begin())))
    return True


def tend() -> bool:
    """Tell of sources that are not heard."""
    put_json(asyncio.run(_tend(_begin())))
    return True


def deliver() -> bool:
    """Send what is due. False when something became a dead letter."""
    report = asyncio.run(_deliver(_begin()))
    put_json(report)
    return not report.dead


def _begin() -> Settings:
    settings = load_listening_settings()
    start_log(settings)
    make_folders(settings)
    return settings


async def _collect(settings: Settings) -> CollectReport:
    async with make_service(settings) as service:
        service.storage.check_ready()
        async with _shown(lambda: f"{service.collect.report.visited} sources asked, {_found(service)}"):
            return await service.collect.run()


async def _revisit(settings: Settings) -> RevisitReport:
    async with make_service(settings) as service:
        service.storage.check_ready()
        async with _shown(lambda: f"{service.revisit.report.asked} mentions asked for"):
            return await service.revisit.run()


async def _watch(settings: Settings) -> Any:
    async with make_service(settings) as service:
        service.storage.check_ready()
        return await asyncio.to_thread(service.watch.run)


async def _tend(settings: Settings) -> TendReport:
    async with make_service(settings) as service:
        service.storage.check_ready()
        return await asyncio.to_thread(service.tend.run, at_once=True)


async def _deliver(settings: Settings) -> DeliverReport:
    async with make_service(settings) as service:
        service.storage.check_ready()
        async with _shown(lambda: f"{service.deliver.report.tried} alerts tried"):
            return await service.deliver.run()


def _found(service: Service) -> str:
    return f"{service.collect.report.mentions} mentions in {service.collect.report.posts} posts"


@asynccontextmanager
async def _shown(words: Callable[[], str]) -> AsyncIterator[None]:
    """How far the walk is, on stderr, while a person looks on."""
    if not looked_on():
        yield
        return
    from rich.console import Console
    from rich.status import Status

    with Status(words(), console=Console(stderr=True)) as status:

        async def follow() -> None:
            while True:
                status.update(words())
                await asyncio.sleep(0.2)

        follower = asyncio.create_task(follow())
        try:
            yield
        finally:
            follower.cancel()
