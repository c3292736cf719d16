"""Ticks go on when the clock steps. Control: without the monotonic beat they stop."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from app import scheduler as room
from app.scheduler import Scheduler


class SteppedClock:
    """The wall clock of APScheduler and of the beat, moved by hand; the monotonic clock stays true."""

    def __init__(self) -> None:
        self.step = timedelta()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[SteppedClock]:
    import apscheduler.executors.base
    import apscheduler.schedulers.base

    stepped = SteppedClock()

    class Datetime(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + stepped.step  # type: ignore[arg-type]

    class Time:
        @staticmethod
        def time() -> float:
            return real_time() + stepped.step.total_seconds()

        monotonic = staticmethod(room.time.monotonic)

    real_time = room.time.time
    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", Datetime)
    monkeypatch.setattr(apscheduler.executors.base, "datetime", Datetime)
    monkeypatch.setattr(room, "datetime", Datetime)
    monkeypatch.setattr(room, "time", Time)
    monkeypatch.setattr(room, "BEAT_S", 0.05)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    return stepped


def ticks_after_a_step(clock: SteppedClock, step: timedelta, *, beating: bool = True) -> int:
    """How often a walk that is due every 0.1 s ticks in the second after the clock stepped."""

    async def story() -> int:
        ticks = 0

        async def walk() -> None:
            nonlocal ticks
            ticks += 1

        scheduler = Scheduler()
        scheduler.every(0.1, "walk", walk)
        scheduler.start()
        if not beating:
            scheduler._beat.cancel()
        await asyncio.sleep(0.35)
        clock.step = step
        await asyncio.sleep(0.25)
        before = ticks
        await asyncio.sleep(0.8)
        await scheduler.stop()
        return ticks - before

    return asyncio.run(story())


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(hours=1), timedelta(days=-1)], ids=str)
def test_it_goes_on_ticking_when_the_clock_steps(clock: SteppedClock, step: timedelta) -> None:
    assert ticks_after_a_step(clock, step) >= 3


def test_without_the_beat_it_would_stop(clock: SteppedClock) -> None:
    assert ticks_after_a_step(clock, timedelta(hours=-1), beating=False) == 0


def test_a_walk_that_fails_is_taken_again(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> int:
        ticks = 0

        async def walk() -> None:
            nonlocal ticks
            ticks += 1
            raise RuntimeError("no disk")

        scheduler = Scheduler()
        scheduler.every(0.05, "walk", walk)
        scheduler.start()
        await asyncio.sleep(0.4)
        await scheduler.stop()
        return ticks

    assert asyncio.run(story()) >= 3
    assert "the walk walk failed" in caplog.text


def test_a_walk_that_is_still_busy_is_not_started_twice() -> None:
    async def story() -> int:
        at_once, most = 0, 0

        async def walk() -> None:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.2)
            at_once -= 1

        scheduler = Scheduler()
        scheduler.every(0.05, "walk", walk)
        scheduler.start()
        await asyncio.sleep(0.5)
        await scheduler.stop()
        return most

    assert asyncio.run(story()) == 1
