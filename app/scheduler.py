"""When the walks are taken. APScheduler is the ticker; what is due stands in the database (`next_due_at`).

    tick (APScheduler, wall clock) > walk.tick()        100,000 sources are one job, not 100,000
    beat (monotonic)               > steps of the clock

APScheduler 3 plans by the wall clock: when that steps back an hour, every job sleeps an hour, silently
(agronholm/apscheduler issues 351, 339, 752). So a monotonic beat compares both clocks, and plans every job anew when
they part.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

log = logging.getLogger(__name__)

BEAT_S = 1.0
STOP_S = 8.0  # what is under way at the end may take this long to finish
STEP_S = 2.0  # wall and monotonic clock may differ by this much between two beats before it counts as a step

Walk = Callable[[], Awaitable[object]]


class Scheduler:
    """Ticks walks at fixed intervals in the running event loop. A walk that is still busy is not started twice."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._scheduler.add_listener(self._tell, EVENT_JOB_ERROR)
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)  # it would tell every failure a second time
        self._beat: asyncio.Task[None] | None = None
        self._ticked: dict[str, float] = {}  # when each vital walk last came to its end
        self._failed: dict[str, int] = {}  # how often in a row
        self._walking: set[asyncio.Future[None]] = set()

    def every(self, interval_s: float, name: str, walk: Walk, *, vital: bool = True) -> None:
        """`vital`: the service is not well when this walk does not come to its end for long."""

        async def tick() -> None:
            walking = asyncio.ensure_future(take())
            self._walking.add(walking)
            walking.add_done_callback(self._walking.discard)
            await walking

        async def take() -> None:
            await walk()
            if vital:
                self._ticked[name] = time.monotonic()
            if self._failed.pop(name, 0):
                log.info("the %s walk works again", name)

        if vital:
            self._ticked[name] = time.monotonic()
        self._scheduler.add_job(tick, "interval", seconds=interval_s, id=name, next_run_time=datetime.now(UTC))

    def start(self) -> None:
        self._scheduler.start()
        self._beat = asyncio.get_running_loop().create_task(self._watch_clock())

    async def stop(self) -> None:
        if self._beat:
            self._beat.cancel()
            await asyncio.gather(self._beat, return_exceptions=True)
        self._scheduler.pause()
        if self._walking:
            await asyncio.wait(self._walking, timeout=STOP_S)
        self._scheduler.shutdown(wait=False)  # cancels what has not finished by now

    def tick_age_s(self) -> float:
        """Seconds since the end of the vital walk that succeeded longest ago. Readiness and a metric read this."""
        return time.monotonic() - min(self._ticked.values(), default=0.0)

    async def _watch_clock(self) -> None:
        wall, monotonic = time.time(), time.monotonic()
        while True:
            await asyncio.sleep(BEAT_S)
            step_s = (time.time() - wall) - (time.monotonic() - monotonic)
            wall, monotonic = time.time(), time.monotonic()
            if abs(step_s) > STEP_S:
                log.warning("the clock stepped by %+.0f s: planning every walk anew", step_s)
                self._plan_anew()

    def _plan_anew(self) -> None:
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC) + timedelta(milliseconds=1))

    def _tell(self, event: JobExecutionEvent) -> None:
        """The first failure in a row with its trace, then every hundredth in a line: a dead database fails a lot."""
        if isinstance(event.exception, asyncio.CancelledError):
            return
        number = self._failed[event.job_id] = self._failed.get(event.job_id, 0) + 1
        if number == 1:
            log.error("the %s walk failed, it is taken again at its next tick", event.job_id, exc_info=event.exception)
        elif number % 100 == 0:
            log.error("the %s walk failed %d times in a row: %s", event.job_id, number, event.exception)
