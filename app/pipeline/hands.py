"""A bounded number of hands: work is claimed only while a hand is free, and never waits for its neighbours."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)


class Hands:
    """Runs at most `number` coroutines at once. One slow piece of work occupies one hand, never the walk."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def free(self) -> int:
        return self._number - len(self._tasks)

    def take(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def rest(self) -> None:
        """Wait until every hand is free."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def drop(self) -> None:
        """Stop at once. Whatever was claimed stays leased, and is taken up again when the lease ends."""
        for task in self._tasks:
            task.cancel()
        await self.rest()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work failed, its lease will end by itself", exc_info=error)
