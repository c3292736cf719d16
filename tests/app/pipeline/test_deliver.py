"""The deliver walk: at least once, in order, the same key on every try, and no failure in silence."""

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from alerts import NOTIFIERS, dossier
from alerts.base import Action, Alert, Channel, NotifyError
from app.model import Brand
from app.pipeline import DeliverReport
from app.pipeline.deliver import NoSuchChannel, outcome_of
from app.storage import Storage
from app.storage.records import Archive, Delivery, NewDelivery, PutBrand, PutChannel
from tests.app.pipeline.far_end import Answer, FarEnd, HandClock, client, messenger

SECRET = "whsec_" + "TXVzZ28tZGUtbGEtdG9ycmUtZGVsLW1vbGluby0xMjM0"
SCHEDULE_S = (5, 15, 30, 60, 120, 300, 600, 900, 900)


class Outbox:
    """Channels at the far end, and alerts for them."""

    def __init__(self, storage: Storage, far_end: FarEnd, clock: HandClock) -> None:
        self.storage = storage
        self.far_end = far_end
        self.clock = clock
        storage.apply([PutBrand(Brand(0, "aurora", "Aurora", "aurora"))], clock.now)

    def channel(self, slug: str, kind: str = "slack", answer: Answer | None = None, **fields: Any) -> Channel:
        secret = {"url": self.far_end.url(f"/{slug}")} | ({"secret": SECRET} if kind == "webhook" else {})
        self.far_end.answers[f"/{slug}"] = answer or Answer(200, b"ok")
        fields = {"language": "en", "secret": secret} | fields
        self.storage.apply([PutChannel(Channel(0, slug, slug.title(), kind, **fields))], self.clock.now)
        found = self.storage.channels.get(slug)
        assert found
        return found

    def alert(self, channel: Channel, seq: int = 0, action: Action = "test", **fields: Any) -> NewDelivery:
        key = f"inc.{seq}.{channel.slug}"
        alert = Alert(key, action, "aurora", self.clock.now, "en", brand_name="Aurora", seq=seq, severity="critical")
        body = dossier.to_json(alert) | fields
        return NewDelivery(key, channel.id, action, body, seq=seq)

    def add(self, *new: NewDelivery) -> None:
        self.storage.deliveries.add(new, self.clock.now)

    def walk(self) -> DeliverReport:
        async def story() -> DeliverReport:
            async with asyncio.timeout(20), client(self.far_end.port) as http:
                return await messenger(self.storage, http, self.clock).run()

        return asyncio.run(story())

    def rows(self, channel: str | None = None) -> list[Delivery]:
        return list(reversed(self.storage.deliveries.page(channel=channel)))

    def heard(self, slug: str) -> list[Any]:
        return [json.loads(asked.body) for asked in self.far_end.asked_at(f"/{slug}")]


@pytest.fixture
def outbox(storage: Storage, far_end: FarEnd, clock: HandClock) -> Outbox:
    return Outbox(storage, far_end, clock)


# ── one delivery ─────────────────────────────────────────────────────────────


def test_an_alert_arrives_once(outbox: Outbox, now: datetime) -> None:
    outbox.add(outbox.alert(outbox.channel("guardia")))
    assert outbox.walk() == DeliverReport(tried=1, delivered=1)
    (row,) = outbox.rows()
    assert (row.state, row.attempts, row.finished_at, row.last_error) == ("delivered", 1, now, None)
    assert len(outbox.heard("guardia")) == 1
    assert outbox.walk() == DeliverReport()


def test_what_fails_is_tried_again_on_schedule(outbox: Outbox, now: datetime) -> None:
    outbox.add(outbox.alert(outbox.channel("guardia", answer=Answer(500))))
    for tries, pause_s in enumerate(SCHEDULE_S, start=1):
        assert outbox.walk() == DeliverReport(tried=1, retried=1)
        (row,) = outbox.rows()
        assert (row.state, row.attempts) == ("pending", tries)
        pause = (row.next_attempt_at - outbox.clock.now).total_seconds()
        assert pause_s / 2 <= pause <= pause_s
        assert row.last_error
        assert row.last_error.startswith("http_500: ")
        outbox.clock.now = row.next_attempt_at - timedelta(milliseconds=10)
        assert outbox.walk().tried == 0
        outbox.clock.now = row.next_attempt_at
    outbox.far_end.answers["/guardia"] = Answer(200)
    assert outbox.walk().delivered == 1
    said = [attempt.outcome for attempt in outbox.storage.deliveries.attempts(outbox.rows()[0].id)]
    assert said == ["retry"] * len(SCHEDULE_S) + ["delivered"]


def test_it_comes_back_when_the_other_side_said(outbox: Outbox) -> None:
    outbox.add(outbox.alert(outbox.channel("guardia", answer=Answer(429, headers={"Retry-After": "240"}))))
    outbox.walk()
    (row,) = outbox.rows()
    assert row.next_attempt_at == outbox.clock.now + timedelta(seconds=240)


def test_it_gives_up_after_a_day(outbox: Outbox) -> None:
    outbox.add(outbox.alert(outbox.channel("guardia", answer=Answer(500))))
    outbox.clock.now += timedelta(hours=24)
    assert outbox.walk() == DeliverReport(tried=1, dead=1)


def test_every_try_has_the_same_key_and_body_and_a_valid_signature(outbox: Outbox) -> None:
    outbox.clock.now = datetime.now(tz=outbox.clock.now.tzinfo)  # the standard's own check reads the real clock
    outbox.add(outbox.alert(outbox.channel("gancho", "webhook", Answer(503))))
    for _ in range(3):
        outbox.walk()
        outbox.clock.now += timedelta(seconds=31)
    asked = outbox.far_end.asked_at("/gancho")
    assert len(asked) == 3
    assert {one.headers["webhook-id"] for one in asked} == {"inc.0.gancho"}
    assert len({one.body for one in asked}) == 1
    assert len({one.headers["webhook-timestamp"] for one in asked}) == 3
    for one in asked:
        assert Webhook(SECRET).verify(one.body, dict(one.headers))


def test_only_a_second_try_is_marked_as_a_repeat(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    repeats: list[bool] = []
    render = NOTIFIERS["slack"].render
    monkeypatch.setattr(NOTIFIERS["slack"], "render", lambda alert: repeats.append(alert.repeat) or render(alert))
    outbox.add(outbox.alert(outbox.channel("guardia", answer=Answer(500))))
    outbox.walk()
    outbox.clock.now += timedelta(seconds=5)
    outbox.walk()
    assert repeats == [False, True]


def test_a_try_whose_end_nobody_saw_makes_the_next_one_a_repeat(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeats: list[bool] = []
    render = NOTIFIERS["slack"].render
    monkeypatch.setattr(NOTIFIERS["slack"], "render", lambda alert: repeats.append(alert.repeat) or render(alert))
    outbox.add(outbox.alert(outbox.channel("guardia")))
    outbox.storage.deliveries.claim(outbox.clock.now, 1, "killed")
    outbox.clock.now += timedelta(seconds=31)
    assert outbox.walk().delivered == 1
    assert repeats == [True]


# ── what cannot be delivered ─────────────────────────────────────────────────


def test_a_dead_letter_is_told_through_the_other_channels(outbox: Outbox) -> None:
    gone = outbox.channel("gone", "webhook", Answer(401))
    outbox.channel("guardia")
    outbox.channel("off", enabled=False)
    outbox.add(outbox.alert(gone, 1, "trigger"))
    report = outbox.walk()
    assert (report.dead, report.delivered) == (1, 1)
    (alarm,) = outbox.heard("guardia")
    assert "Gone" in json.dumps(alarm)
    assert "will not be tried again" in json.dumps(alarm)
    assert "answered 401" in json.dumps(alarm)
    letter, told = outbox.rows()
    assert (letter.key, letter.action, letter.state) == ("inc.1.gone", "trigger", "dead")
    assert (told.channel.slug, told.action, told.state) == ("guardia", "system", "delivered")
    assert told.key.startswith("inc.1.gone.dead")


def test_an_alarm_that_dies_is_not_alarmed_about(outbox: Outbox) -> None:
    for slug in ("a", "b", "c"):
        outbox.channel(slug, "webhook", Answer(401))
    first = outbox.storage.channels.get("a")
    assert first
    outbox.add(outbox.alert(first))
    assert outbox.walk() == DeliverReport(tried=3, dead=3)
    assert [(row.channel.slug, row.action) for row in outbox.rows()] == [
        ("a", "test"),
        ("b", "system"),
        ("c", "system"),
    ]


def test_a_channel_that_is_gone_is_switched_off(outbox: Outbox) -> None:
    outbox.add(outbox.alert(outbox.channel("gone", "webhook", Answer(410))))
    outbox.walk()
    channel = outbox.storage.channels.get("gone")
    assert channel
    assert not channel.enabled
    assert channel.disabled_reason


@pytest.mark.parametrize("how", ["off", "archived"])
def test_what_waits_for_a_channel_that_was_switched_off_is_buried_and_told(outbox: Outbox, how: str) -> None:
    channel = outbox.channel("guardia")
    outbox.channel("equipo")
    outbox.add(outbox.alert(channel, 1, "trigger"))
    change = Archive("channel", "guardia") if how == "archived" else PutChannel(replace(channel, enabled=False))
    outbox.storage.apply([change], outbox.clock.now)
    assert outbox.walk().dead == 1
    assert outbox.heard("guardia") == []
    assert len(outbox.heard("equipo")) == 1
    assert outbox.rows("guardia")[0].last_error == "channel_off: the channel has been switched off or removed since"


def test_an_alert_that_drags_on_is_told_elsewhere_once(outbox: Outbox) -> None:
    slow = outbox.channel("slow", answer=Answer(500))
    outbox.channel("guardia")
    outbox.add(outbox.alert(slow, 1, "trigger"))
    told = []
    for _ in range(5):
        outbox.walk()
        told.append(len(outbox.heard("guardia")))
        outbox.clock.now += timedelta(seconds=20)  # five tries fit into less than two minutes
    outbox.clock.now += timedelta(minutes=9)
    outbox.walk()
    assert told[:3] == [0, 0, 1]
    assert len(outbox.heard("guardia")) == 1
    assert "still being tried" in json.dumps(outbox.heard("guardia"))


def test_two_minutes_without_success_are_told_elsewhere_too(outbox: Outbox) -> None:
    slow = outbox.channel("slow", answer=Answer(500))
    outbox.channel("guardia")
    outbox.add(outbox.alert(slow, 1, "trigger"))
    outbox.walk()
    assert outbox.heard("guardia") == []
    outbox.clock.now += timedelta(minutes=2)
    outbox.walk()
    assert len(outbox.heard("guardia")) == 1


def test_other_peoples_channels_learn_that_something_failed_and_not_what(outbox: Outbox) -> None:
    mine = outbox.channel("mine", "webhook", Answer(401))
    outbox.channel("theirs")
    outbox.storage.apply([PutBrand(Brand(0, "aurora", "Aurora", "aurora", channels=("mine",)))], outbox.clock.now)
    outbox.add(outbox.alert(mine, 1, "trigger"))
    outbox.walk()
    (alarm,) = outbox.heard("theirs")
    said = json.dumps(alarm)
    assert "could not be delivered" in said
    assert [word for word in ("Aurora", "aurora", "Mine", "401") if word in said] == []


def test_a_dead_letter_that_is_driven_again_has_a_day_again_and_its_second_death_is_told(outbox: Outbox) -> None:
    gone = outbox.channel("gone", "webhook", Answer(401))
    outbox.channel("guardia")
    outbox.add(outbox.alert(gone, 1, "trigger"))
    outbox.walk()
    outbox.clock.now += timedelta(days=3)
    assert outbox.storage.deliveries.redrive(outbox.rows("gone")[0].id, outbox.clock.now)
    outbox.far_end.answers["/gone"] = Answer(500)
    assert outbox.walk() == DeliverReport(tried=1, retried=1)
    outbox.far_end.answers["/gone"] = Answer(401)
    outbox.clock.now += timedelta(minutes=1)
    outbox.walk()
    assert len(outbox.heard("guardia")) == 2


# ── what cannot even be made ─────────────────────────────────────────────────

BROKEN: dict[str, Callable[[NewDelivery], NewDelivery]] = {
    "an action of another version": lambda new: replace(new, alert={**new.alert, "action": "sing"}),
    "a field that is missing": lambda new: replace(new, alert={"brand": "aurora"}),
    "a dossier that is no dossier": lambda new: replace(new, alert={**new.alert, "dossier": "lost"}),
    "a verdict that is no verdict": lambda new: replace(
        new, alert={**new.alert, "dossier": _dossier_with({"rule": "another"})}
    ),
}


def _dossier_with(spike: dict[str, Any]) -> dict[str, Any]:
    return dossier.to_mapping_of(replace(dossier.dossier_of(_EMPTY), spike=spike))


_EMPTY = {
    "spike": {},
    "exhibits": [],
    "stories": 0,
    "copies": 0,
    "by_label": {},
    "by_language": {},
    "by_source": {},
    "coverage": None,
    "unknown_share": None,
}


@pytest.mark.parametrize("fault", BROKEN)
def test_an_alert_that_cannot_be_made_is_told_and_buried_and_holds_up_nobody(
    outbox: Outbox, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    channel = outbox.channel("guardia")
    outbox.channel("equipo")
    outbox.add(BROKEN[fault](outbox.alert(channel, 1, "trigger")), outbox.alert(channel, 2))
    outbox.walk()
    (row, neighbour) = outbox.rows("guardia")
    assert neighbour.state == "delivered"
    assert row.attempts == 1
    assert row.last_error
    for _ in range(2):  # buried at once, or after a day of tries: never claimed for ever without an end
        outbox.clock.now += timedelta(hours=23, minutes=59)
        outbox.walk()
    (row, _) = outbox.rows("guardia")
    assert row.state == "dead"
    alarms = outbox.rows("equipo")
    assert any(one.key.startswith("inc.1.guardia.dead") for one in alarms)
    assert {one.state for one in alarms} == {"delivered"}


def test_a_kind_of_channel_that_is_not_known_any_more_is_no_loop(outbox: Outbox) -> None:
    outbox.add(outbox.alert(outbox.channel("paloma", kind="pigeon")))
    assert outbox.walk() == DeliverReport(tried=1, retried=1)
    assert outbox.rows()[0].last_error == "internal: the alert could not be made: KeyError"


# ── many at once ─────────────────────────────────────────────────────────────


def test_a_target_that_hangs_never_delays_another(
    outbox: Outbox, storage: Storage, far_end: FarEnd, clock: HandClock
) -> None:
    let_go = threading.Event()
    hanging = outbox.channel("hanging", answer=Answer(200, wait_for=let_go))
    quick = outbox.channel("quick")
    for seq in range(6):
        outbox.add(outbox.alert(hanging, seq))
    outbox.add(outbox.alert(quick))

    async def story() -> tuple[int, list[str], DeliverReport]:
        async with client(far_end.port) as http:
            deliver = messenger(storage, http, clock, hands=5)
            claimed = await deliver.tick()
            async with asyncio.timeout(10):
                while not deliver.report.delivered:
                    await asyncio.sleep(0.01)
            meanwhile = [row.state for row in outbox.rows("hanging")]
            let_go.set()
            await deliver.stop()
            return claimed, meanwhile, deliver.report

    claimed, meanwhile, report = asyncio.run(story())
    assert claimed == 5  # four of the hanging one, and the quick one
    assert meanwhile == ["pending"] * 6
    assert outbox.rows("quick")[0].state == "delivered"
    assert report.delivered == 5  # stopping waits for what is on its way


def test_the_end_is_never_told_before_the_beginning(outbox: Outbox) -> None:
    channel = outbox.channel("guardia", answer=Answer(500))
    other = outbox.channel("equipo")
    incident = _an_incident(outbox)
    for seq, action in ((1, "trigger"), (2, "resolve")):
        for one in (channel, other):
            new = outbox.alert(one, seq, action)  # type: ignore[arg-type]
            outbox.add(replace(new, incident_id=incident))
    outbox.walk()
    assert [(row.seq, row.state) for row in outbox.rows("guardia")] == [(1, "pending"), (2, "pending")]
    assert [row.state for row in outbox.rows("equipo")] == ["delivered", "delivered"]
    assert len(outbox.heard("guardia")) == 1

    outbox.far_end.answers["/guardia"] = Answer(200)
    outbox.clock.now += timedelta(seconds=5)
    assert outbox.walk().delivered == 2
    _, trigger, resolve = outbox.heard("guardia")
    assert "CRITICAL" in json.dumps(trigger)
    assert "resolved" in json.dumps(resolve)


def test_a_run_ends_however_long_it_takes(outbox: Outbox) -> None:
    """Time passes while a run is under way: what failed late in it is not taken for due by a clock since set back."""
    channel = outbox.channel("guardia", answer=Answer(500))
    outbox.add(*(outbox.alert(channel, seq) for seq in range(10)))
    outbox.clock.step = timedelta(seconds=0.1)
    assert outbox.walk() == DeliverReport(tried=10, retried=10)
    outbox.clock.now += timedelta(hours=1)
    outbox.clock.step = timedelta(seconds=61)
    report = outbox.walk()
    assert 10 <= report.tried <= 30


def test_an_answer_that_comes_after_the_lease_is_not_written_down(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    channel = outbox.channel("guardia")
    outbox.add(outbox.alert(channel))

    def slowly(_: Any) -> Answer:
        outbox.clock.now += timedelta(seconds=31)
        assert outbox.storage.deliveries.claim(outbox.clock.now, 1, "another")
        return Answer(200)

    outbox.far_end.answers["/guardia"] = slowly
    assert outbox.walk() == DeliverReport(tried=1)
    assert outbox.rows()[0].state == "pending"
    assert "another worker has it now" in caplog.text


# ── a test of a channel ──────────────────────────────────────────────────────


def trial(outbox: Outbox, slug: str) -> None:
    async def story() -> None:
        async with client(outbox.far_end.port) as http:
            await messenger(outbox.storage, http, outbox.clock).test(slug)

    asyncio.run(story())


def test_a_channel_can_be_tried_and_nothing_is_kept(outbox: Outbox) -> None:
    outbox.channel("guardia")
    trial(outbox, "guardia")
    (message,) = outbox.heard("guardia")
    assert "Avizor test" in message["text"]
    assert outbox.rows() == []


def test_two_trials_are_two_messages(outbox: Outbox) -> None:
    outbox.channel("gancho", "webhook")
    trial(outbox, "gancho")
    trial(outbox, "gancho")
    one, other = outbox.far_end.asked_at("/gancho")
    assert one.headers["webhook-id"] != other.headers["webhook-id"]
    assert json.loads(one.body)["type"] == "channel.test"


def test_a_trial_that_fails_says_why(outbox: Outbox) -> None:
    outbox.channel("guardia", answer=Answer(404, b"no_service"))
    with pytest.raises(NotifyError, match="no_service"):
        trial(outbox, "guardia")


def test_a_channel_that_is_not_there_cannot_be_tried(outbox: Outbox) -> None:
    with pytest.raises(NoSuchChannel, match="nobody"):
        trial(outbox, "nobody")


# ── what an answer means ─────────────────────────────────────────────────────


def verdict(outbox: Outbox, error: NotifyError | None, jitter: float = 0.0) -> tuple[str, datetime | None, str | None]:
    outbox.add(outbox.alert(outbox.channel("guardia")))
    outcome = outcome_of(outbox.rows()[0], error, 7, outbox.clock.now, jitter)
    assert outcome.duration_ms == 7
    return outcome.state, outcome.next_attempt_at, outcome.disable_channel


def test_the_meaning_of_an_answer(outbox: Outbox, now: datetime) -> None:
    meanings: Sequence[tuple[NotifyError | None, tuple[str, datetime | None, str | None]]] = (
        (None, ("delivered", None, None)),
        (NotifyError("timeout", "slow"), ("pending", now + timedelta(seconds=5), None)),
        (NotifyError("http_429", "busy", retry_after_s=90), ("pending", now + timedelta(seconds=90), None)),
        (NotifyError("http_400", "no", permanent=True), ("dead", None, None)),
        (NotifyError("http_410", "gone", permanent=True, disable=True), ("dead", None, "gone")),
    )
    for error, meaning in meanings:
        assert verdict(outbox, error) == meaning


def _an_incident(outbox: Outbox) -> str:
    from alerts.incident import Change, Event, Incident
    from app.storage.records import IncidentSave

    brand = outbox.storage.brands.get("aurora")
    assert brand
    now = outbox.clock.now
    incident = Incident("inc", brand.id, "open", "critical", 1, now, now, 9.0)
    event = Event("inc", 1, now, "opened", "avizor", "", {})
    outbox.storage.incidents.save(IncidentSave(Change(incident, event), []), now)
    return incident.id
