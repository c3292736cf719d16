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


def test_a_walk_that_is_not_vital_says_nothing_of_the_services_health() -> None:
    async def story(*, vital: bool) -> float:
        scheduler = Scheduler()
        scheduler.every(0.05, "quick", quick)
        scheduler.every(0.05, "slow", slow, vital=vital)
        scheduler.start()
        await asyncio.sleep(0.5)
        age_s = scheduler.tick_age_s()
        await scheduler.stop()
        return age_s

    async def quick() -> None:
        pass

    async def slow() -> None:
        await asyncio.sleep(10)

    assert asyncio.run(story(vital=True)) > 0.45
    assert asyncio.run(story(vital=False)) < 0.4


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


def stopped_while_walking(caplog: pytest.LogCaptureFixture, walk_s: float) -> tuple[bool, list[str]]:
    """A scheduler stopped in the middle of a walk: whether the walk came to its end, and the errors logged."""

    async def story() -> bool:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def walk() -> None:
            begun.set()
            await asyncio.sleep(walk_s)
            ended.set()

        scheduler = Scheduler()
        scheduler.every(60.0, "collect", walk)
        scheduler.start()
        await begun.wait()
        await scheduler.stop()
        return ended.is_set()

    with caplog.at_level(logging.ERROR):
        return asyncio.run(story()), [record.getMessage() for record in caplog.records]


def test_it_lets_a_walk_that_is_under_way_finish_before_it_stops(caplog: pytest.LogCaptureFixture) -> None:
    assert stopped_while_walking(caplog, 0.05) == (True, [])


def test_it_cuts_off_a_walk_that_takes_too_long_and_does_not_call_that_a_failure(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "STOP_S", 0.02)
    assert stopped_while_walking(caplog, 60.0) == (False, [])
