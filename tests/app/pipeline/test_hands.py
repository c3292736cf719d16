"""A bounded number of hands, each freed whatever happens to its work."""

import asyncio

import pytest

from app.pipeline.hands import Hands


def test_a_hand_is_taken_and_freed_again() -> None:
    async def story() -> list[int]:
        hands, let_go, free = Hands(2), asyncio.Event(), []

        async def work() -> None:
            await let_go.wait()

        free.append(hands.free)
        hands.take(work())
        hands.take(work())
        free.append(hands.free)
        let_go.set()
        await hands.rest()
        return [*free, hands.free]

    assert asyncio.run(story()) == [2, 0, 2]


def test_work_that_fails_is_logged_and_frees_its_hand(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> int:
        hands = Hands(1)

        async def work() -> None:
            raise RuntimeError("no disk")

        hands.take(work())
        await hands.rest()
        return hands.free

    assert asyncio.run(story()) == 1
    assert "work failed" in caplog.text
    assert "no disk" in caplog.text


def test_work_that_is_dropped_stops_at_once_without_a_complaint(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> tuple[int, list[str]]:
        hands, seen = Hands(1), []

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                seen.append("stopped")

        hands.take(work())
        await asyncio.sleep(0)
        await asyncio.wait_for(hands.drop(), 5)
        return hands.free, seen

    assert asyncio.run(story()) == (1, ["stopped"])
    assert not caplog.records


def test_resting_with_free_hands_takes_no_time() -> None:
    async def story() -> None:
        await asyncio.wait_for(Hands(3).rest(), 1)
        await asyncio.wait_for(Hands(3).drop(), 1)

    asyncio.run(story())


def test_rest_waits_for_work_that_was_taken_meanwhile() -> None:
    async def story() -> list[str]:
        hands, done = Hands(2), []

        async def late() -> None:
            done.append("late")

        async def early() -> None:
            hands.take(late())
            done.append("early")

        hands.take(early())
        await hands.rest()
        return done

    assert asyncio.run(story()) == ["early", "late"]
