"""Channels: what there is, and whether it works."""

import asyncio
from dataclasses import asdict

from app.cli.languages import load_listening_settings
from app.cli.logs import start_log
from app.cli.paper import put_rows, say
from app.cli.refusal import MISUSED, Refusal
from app.cli.rooms import open_storage_ready
from app.main import make_service
from app.pipeline.deliver import NoSuchChannel
from app.settings import Settings, load_settings

SHOWN = ("slug", "name", "kind", "language", "min_severity", "enabled", "disabled_reason", "origin")


def show() -> None:
    """Every channel, without what must not be shown."""
    with open_storage_ready(load_settings()) as storage:
        put_rows([{name: asdict(channel)[name] for name in SHOWN} for channel in storage.channels.all()])


def test(slug: str) -> None:
    """Send a marked test, now. Raises `Refusal` when there is no such channel, `NotifyError` when it did not arrive."""
    settings = load_listening_settings()
    start_log(settings)
    asyncio.run(_test(settings, slug))
    say(f"the test reached {slug}")


async def _test(settings: Settings, slug: str) -> None:
    async with make_service(settings) as service:
        service.storage.check_ready()
        try:
            await service.deliver.test(slug)
        except NoSuchChannel:
            known = ", ".join(channel.slug for channel in service.storage.channels.all())
            raise Refusal(f"there is no channel {slug}; there are: {known or 'none'}", MISUSED) from None
