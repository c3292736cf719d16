"""The tricks of tests/hostile.py with short deadlines. `make hostile` prints the table, with those that take long."""

import asyncio

from collectors.fetch import Limits
from tests.collectors.loopback import Visitor
from tests.hostile import FEED, LONG, MEMORY_MIB, PAGE, TRICKS, Outcome, bad, children, suffer, suffer_all, trick

SHORT = Limits(deadline_s=0.4)
CHILD_S = 5.0


def test_whatever_a_publisher_does_ends_in_its_own_error_and_within_its_bounds() -> None:
    tricks = {name: trick for name, trick in TRICKS.items() if name not in LONG}
    outcomes = asyncio.run(suffer_all(tricks, SHORT, CHILD_S))
    assert len(outcomes) >= 60
    assert bad(outcomes, SHORT, CHILD_S) == {}
    assert sum(outcome.grown_mib for outcome in outcomes.values()) < MEMORY_MIB


def test_the_control_a_friendly_publisher_is_read() -> None:
    async def friendly(visitor: Visitor) -> None:
        await visitor.answer("200 OK", FEED, "Content-Type: application/rss+xml")

    async def work() -> Outcome:
        async with children(CHILD_S) as sandbox:
            return await suffer(trick(friendly, PAGE), sandbox, Limits(deadline_s=5))

    assert asyncio.run(work()).code == PAGE


def test_the_control_the_judge_sees_another_code_and_a_lost_bound() -> None:
    wrong = {"reset at once": Outcome(PAGE, 0.1, 0), "nothing at all": Outcome("bad_http", 60, 0)}
    right = {"silence after the request": Outcome("timeout", 0.5, 0)}
    assert bad({**wrong, **right}, SHORT, CHILD_S) == wrong
