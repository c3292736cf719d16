"""What Avizor is told: through the digest of the collect walk, on SQLite and on PostgreSQL."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.model import MentionFilter
from app.pipeline.inbox import Inbox, Result, Taken
from app.sentiment import make_scorer
from app.storage import Storage
from collectors.due import health
from tests.app.pipeline.far_end import ANGRY, HandClock

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Desk = Any
Tell = Callable[..., list[Taken]]


@pytest.fixture
def tell(storage: Storage, desk: Desk, clock: HandClock) -> Tell:
    desk.brand()
    desk.source("buzon", "inbox")
    inbox = Inbox(storage, ("es", "en"), make_scorer(("es", "en"), "fast"))
    return lambda *items, history=False: inbox.take(desk.seen("buzon"), items, clock.now, history=history)


def said(key: str, text: str, at: datetime) -> dict[str, Any]:
    return {"id": key, "text": text, "published_at": at}


def counted(desk: Desk) -> tuple[int, int]:
    """(live, backfilled) stories of the brand."""
    (brand, *_) = desk.storage.brands.all()
    rows = desk.storage.volumes.series(brand.id, desk.clock.now - 900 * DAY, desk.clock.now + DAY, 300)
    return sum(row.stories for row in rows), sum(row.backfill_stories for row in rows)


def outcomes(taken: list[Taken]) -> list[Result]:
    return [one.result for one in taken]


def test_it_hears_and_counts_what_it_is_told(desk: Desk, tell: Tell, now: datetime) -> None:
    (taken,) = tell(said("1", ANGRY.format(name="Aurora", number=1), now - HOUR))
    assert (taken.result, taken.mentions) == ("stored", (("aurora", "negative"),))
    (mention,) = desk.storage.mentions.page(MentionFilter(), None, 10)
    assert (mention.source, mention.post_id, mention.label) == ("buzon", taken.post_id, "negative")
    assert counted(desk) == (1, 0)


def test_an_import_is_history_however_young_it_is(desk: Desk, tell: Tell, now: datetime) -> None:
    tell(said("1", "Aurora abre hoy", now - HOUR), said("2", "Aurora abrió", now - 800 * DAY), history=True)
    assert counted(desk) == (0, 2)


def test_what_is_told_twice_at_the_same_time_is_stored_once(desk: Desk, tell: Tell, now: datetime) -> None:
    items = [said(str(number), f"Aurora, mesa {number}", now - HOUR) for number in range(20)]
    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(lambda _: tell(*items), range(4)))
    assert {one.result for taken in told for one in taken} <= {"stored", "known"}
    assert len(desk.storage.posts.page()) == 20
    assert counted(desk) == (20, 0)


def test_an_inbox_that_nobody_tells_anything_is_well(desk: Desk, tell: Tell, now: datetime) -> None:
    tell(said("1", "Aurora abre hoy", now - HOUR))
    assert health(desk.seen("buzon"), now + 30 * DAY) == "ok"


def test_a_changed_brand_is_heard_of_at_once(desk: Desk, tell: Tell, now: datetime) -> None:
    assert tell(said("1", "Boreal cierra", now))[0].mentions == ()
    desk.brand("boreal")
    assert [brand for brand, _ in tell(said("2", "Boreal cierra hoy", now))[0].mentions] == ["boreal"]


def test_to_look_stores_nothing(storage: Storage, desk: Desk, tell: Tell, now: datetime) -> None:
    tell(said("1", "Aurora", now))
    inbox = Inbox(storage, ("es",), make_scorer(("es",), "fast"))
    looked = inbox.look(
        desk.seen("buzon"), [said("1", "Aurora", now), said("2", "Sol", now), said("2", "Sol", now), {}]
    )
    assert outcomes(looked) == ["known", "stored", "known", "refused"]
    assert len(storage.posts.page()) == 1
