"""What became of mentions: asked by id, later and later, and never searched for again."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from app.model import Mention, MentionFilter
from app.pipeline.revisit import Revisit, RevisitReport
from app.pipeline.sessions import Sessions
from app.storage.records import PutSource
from collectors.base import Source
from collectors.fetch import Hosts
from collectors.sandbox import Sandbox
from tests.app.pipeline.conftest import Desk
from tests.app.pipeline.far_end import Answer, Asked, client, collected, languages, scorer

HOUR = timedelta(hours=1)
PATH = "/preguntas"


class Forum:
    """A site of Stack Exchange, as far as it is asked here: its questions by number, in the order of their numbers."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.questions: dict[int, dict[str, Any]] = {}
        self.fault: Answer | None = None
        self.extra: Mapping[str, Any] = {}
        desk.brand("aurora", language="es")
        settings = {"site": "es.lumbre", "query": "aurora"}
        desk.source("preguntas", "stackexchange", settings=settings, language="es")
        desk.far_end.answers[f"{PATH}/search/advanced"] = lambda asked: self._answer(list(self.questions.values()))

    def asks(self, number: int, text: str, **fields: Any) -> None:
        at = int(self.desk.clock.now.timestamp())
        self.questions[number] = {
            "question_id": number,
            "title": f"Pregunta {number}",
            "body": f"<p>{text}</p>",
            "link": f"https://es.lumbre.example/q/{number}",
            "owner": {"display_name": f"autor {number}"},
            "creation_date": at,
            "score": 0,
        } | fields

    def knows(self, *numbers: int) -> None:
        """It answers when it is asked for these."""
        self.desk.far_end.answers[f"{PATH}/questions/{';'.join(map(str, numbers))}"] = self._some

    def _some(self, asked: Asked) -> Answer:
        if self.fault:
            return self.fault
        numbers = [int(number) for number in asked.path.rpartition("/")[2].split(";")]
        return self._answer([self.questions[number] for number in numbers if number in self.questions])

    def _answer(self, items: list[dict[str, Any]]) -> Answer:
        body = {"items": items, "has_more": False, "quota_remaining": 99, **self.extra}
        return Answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    @property
    def asked(self) -> list[str]:
        """What was asked for by number."""
        return [one.path for one in self.desk.far_end.asked if "/questions/" in one.path]

    def mentions(self) -> dict[str, Mention]:
        found = self.desk.storage.mentions.page(MentionFilter(), limit=500)
        return {mention.url or "": mention for mention in found}


@pytest.fixture
def forum(desk: Desk) -> Forum:
    return Forum(desk)


def revisited(desk: Desk, sandbox: Sandbox, *, ticks: int = 0) -> RevisitReport:
    """Everything that is due, asked once; or so many ticks."""

    async def walk() -> RevisitReport:
        async with asyncio.timeout(20), client(desk.far_end.port) as http:
            walk = Revisit(
                storage=desk.storage,
                sessions=Sessions(http, Hosts()),
                sandbox=sandbox,
                languages=languages(),
                scorer=scorer(),
                clock=desk.clock,
            )
            for _ in range(ticks):
                await walk.tick()
            return walk.report if ticks else await walk.run()

    return asyncio.run(walk())


def test_a_mention_is_asked_for_by_id_and_what_it_counts_now_is_stored(
    desk: Desk, forum: Forum, sandbox: Sandbox
) -> None:
    forum.asks(1, "Aurora no me deja entrar", view_count=3)
    forum.asks(2, "Llueve en el puerto")
    collected(desk.storage, sandbox, desk.far_end, desk.clock)
    forum.knows(1)
    assert revisited(desk, sandbox) == RevisitReport(), "not due yet"
    desk.clock.now += HOUR
    forum.questions[1] |= {"score": 12, "view_count": 800}
    assert revisited(desk, sandbox) == RevisitReport(asked=1, requests=1)
    (mention,) = forum.mentions().values()
    assert mention.engagement == {"likes": 12, "views": 800}
    assert (mention.sentiment.provisional, mention.edited_at) == (False, None)
    assert forum.asked == [f"{PATH}/questions/1"], "what mentions nobody is not followed"


def test_it_is_asked_an_hour_six_hours_a_day_and_a_week_after_and_then_no_more(
    desk: Desk, forum: Forum, sandbox: Sandbox
) -> None:
    forum.asks(1, "Aurora no me deja entrar")
    forum.knows(1)
    collected(desk.storage, sandbox, desk.far_end, desk.clock)
    began, looks = desk.clock.now, []
    for hour in (0, 1, 2, 5, 6, 7, 23, 24, 25, 167, 168, 169, 500):
        desk.clock.now = began + hour * HOUR
        looks += [hour] * revisited(desk, sandbox).requests
    assert looks == [1, 6, 24, 24 * 7]


def test_an_answer_that_knows_none_of_many_is_asked_again_before_anything_is_erased(
    desk: Desk, forum: Forum, sandbox: Sandbox
) -> None:
    numbers = range(1, 7)
    for number in numbers:
        forum.asks(number, "Aurora no me deja entrar")
    collected(desk.storage, sandbox, desk.far_end, desk.clock)
    forum.knows(*numbers)
    asked, forum.questions = forum.questions, {}
    desk.clock.now += HOUR
    report = revisited(desk, sandbox)
    assert (report.failed, report.withdrawn) == (6, 0)
    forum.questions = asked
    desk.clock.now += HOUR
    assert revisited(desk, sandbox).asked == 6


def test_an_edit_is_kept_and_a_deleted_one_is_erased(desk: Desk, forum: Forum, sandbox: Sandbox) -> None:
    for number in (1, 2, 3):
        forum.asks(number, "Aurora no me deja entrar")
    collected(desk.storage, sandbox, desk.far_end, desk.clock)
    forum.knows(1, 2, 3)
    desk.brand("brezo")
    desk.clock.now += HOUR
    forum.asks(2, "Era culpa de Brezo")
    del forum.questions[3]
    assert revisited(desk, sandbox) == RevisitReport(asked=3, edited=1, withdrawn=1, requests=1)
    said = {(m.brand, m.url, m.text, m.withdrawn_at is not None) for m in desk.storage.mentions.page(MentionFilter())}
    assert said == {
        ("aurora", "https://es.lumbre.example/q/1", "Aurora no me deja entrar", False),
        ("aurora", "https://es.lumbre.example/q/2", "Era culpa de Brezo", False),
        ("brezo", "https://es.lumbre.example/q/2", "Era culpa de Brezo", False),
        ("aurora", None, "", True),
    }
    desk.clock.now += 5 * HOUR
    desk.far_end.asked.clear()
    forum.knows(1, 2)
    assert revisited(desk, sandbox).asked == 2, "what is gone is not asked for again"


@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        (Answer(500), HOUR),
        (Answer(200, b"<html>"), HOUR),
        (Answer(429, headers={"Retry-After": "30"}), HOUR),
        (Answer(429, headers={"Retry-After": "18000"}), 5 * HOUR),
        (Answer(503, headers={"Retry-After": "99999999"}), timedelta(days=1)),
    ],
)
def test_a_failure_is_asked_again_an_hour_later_and_never_at_once(
    desk: Desk, forum: Forum, sandbox: Sandbox, fault: Answer, waits: timedelta
) -> None:
    forum.asks(1, "Aurora no me deja entrar")
    collected(desk.storage, sandbox, desk.far_end, desk.clock)
    forum.knows(1)
    desk.clock.now += HOUR
    forum.fault = fault
    report = revisited(desk, sandbox)
    assert (report.requests, report.failed, list(report.errors)) == (1, 1, ["preguntas"])
    forum.fault = None
    desk.clock.now += waits - timedelta(seconds=1)
    assert revisited(desk, sandbox).requests == 0
    desk.clock.now += timedelta(seconds=1)
    assert revisited(desk, sandbox).asked == 1


def test_who_asks_not_to_be_asked_is_left_alone(
    desk: Desk, forum: Forum, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collectors.stackexchange.StackExchange.recount_batch", 1)
    for number in (1, 2):
        forum.asks(number, f"Aurora no me deja entrar, van {number}")
        forum.knows(number)
    collected(desk.storage, sandbox, desk.far_end, desk.clock)
    forum.extra = {"backoff": 7_200}
    desk.clock.now += HOUR
    assert (revisited(desk, sandbox).asked, len(forum.asked)) == (1, 1)
    desk.clock.now += 2 * HOUR - timedelta(seconds=1)
    assert revisited(desk, sandbox).asked == 0
    desk.clock.now += timedelta(seconds=1)
    assert revisited(desk, sandbox).asked == 1


def test_a_source_that_never_answers_is_given_up_after_two_weeks(desk: Desk, forum: Forum, sandbox: Sandbox) -> None:
    forum.asks(1, "Aurora no me deja entrar")
    collected(desk.storage, sandbox, desk.far_end, desk.clock)
    forum.knows(1)
    forum.fault = Answer(500)
    desk.clock.now += timedelta(days=15)
    assert revisited(desk, sandbox).failed == 1
    desk.clock.now += timedelta(days=15)
    assert revisited(desk, sandbox).requests == 0


def test_a_source_that_is_switched_off_is_not_asked_and_holds_up_no_other(
    desk: Desk, forum: Forum, sandbox: Sandbox
) -> None:
    forum.asks(1, "Aurora no me deja entrar")
    forum.knows(1)
    collected(desk.storage, sandbox, desk.far_end, desk.clock)
    source = desk.seen("preguntas")
    off = Source(0, "preguntas", "Preguntas", source.kind, source.url, settings=source.settings, enabled=False)
    desk.storage.apply([PutSource(off)], desk.clock.now)
    desk.clock.now += HOUR
    assert revisited(desk, sandbox).requests == 0
    desk.storage.apply([PutSource(source)], desk.clock.now)
    assert revisited(desk, sandbox).requests == 0, "that look was missed"
    desk.clock.now += 5 * HOUR
    assert revisited(desk, sandbox).asked == 1, "the next one is when it would have been"


def test_a_tick_makes_three_requests_at_most(
    desk: Desk, forum: Forum, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collectors.stackexchange.StackExchange.recount_batch", 2)
    for number in range(1, 10):
        forum.asks(number, f"Aurora no me deja entrar, van {number}")
    for first in (1, 3, 5, 7):
        forum.knows(first, first + 1)
    forum.knows(9)
    collected(desk.storage, sandbox, desk.far_end, desk.clock)
    desk.clock.now += HOUR
    assert revisited(desk, sandbox, ticks=1).requests == 3
    assert len(forum.asked) == 3
    assert revisited(desk, sandbox).asked == 3, "the rest comes with the next ticks"
