"""What the API and the pages are built on: handed in once, by `app.main`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal, ParamSpec, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import Depends, Request

from app.api.problems import Problem
from app.clock import Clock
from app.sentiment import Scorer
from app.settings import Settings
from app.storage import Storage
from app.vault import Vault

THREADS = 4
"""Storage calls under way at once. More would only wait for SQLite's one writer, and take the collectors' CPU."""

WAITING = 16
"""Long computations that may be queued behind the one under way: half a minute of them."""

P = ParamSpec("P")
T = TypeVar("T")

IncidentAction = Literal["acknowledge", "resolve"]
ChangeIncident = Callable[[str, IncidentAction, str, str], object]
"""(incident id, action, actor, reason). Writes the change and its deliveries in one transaction, in the calling thread.
Raises `Conflict` when the incident changed meanwhile."""
TestChannel = Callable[[str], Awaitable[object]]
"""(channel slug). Sends a marked test at once. Raises `NotifyError` when it did not arrive."""
TickAge = Callable[[], float | None]
"""Seconds since the scheduler last ticked; None before its first tick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    settings: Settings
    storage: Storage
    vault: Vault
    clock: Clock
    scorer: Scorer
    change_incident: ChangeIncident
    test_channel: TestChannel
    tick_age_s: TickAge
    threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(THREADS))
    thinker: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))

    async def call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking call (storage, as a rule) in a bounded thread, off the event loop."""
        return await anyio.to_thread.run_sync(lambda: work(*args, **kwargs), limiter=self.threads)

    async def think(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what computes for a second, one at a time, in a thread of its own: nobody waits for it but who asked.

        Raises 503 where `WAITING` wait for it already: a closed tab keeps its place in the queue.
        """
        if self.thinker.statistics().tasks_waiting >= WAITING:
            raise Problem(
                503,
                "unavailable",
                "Too many ask for this at once. Try again in a minute.",
                headers={"Retry-After": "60"},
            )
        return await anyio.to_thread.run_sync(lambda: work(*args, **kwargs), limiter=self.thinker)


def give(deps: Deps) -> Callable[[Request], Awaitable[None]]:
    """A router-level dependency that hands `deps` to every handler below it; they take it as `Here`."""

    async def hand_over(request: Request) -> None:
        request.state.deps = deps

    return hand_over


async def handed(request: Request) -> Deps:
    deps: Deps = request.state.deps
    return deps


Here = Annotated[Deps, Depends(handed)]
