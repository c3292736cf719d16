"""Sources that are not heard are told of once, together, and to the right people; time is moved by hand."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from alerts.base import Alert, Channel
from alerts.dossier import from_json
from app.model import Brand
from app.pipeline.tend import GATHER, QUIET, Tend, TendReport
from app.storage import Storage
from app.storage.records import Conflict, NewDelivery, PutBrand, PutChannel, PutSource, ToldOf
from app.tables import sources, watches
from collectors.base import Source
from collectors.sandbox import Sandbox
from tests.app.pipeline.far_end import Answer, FarEnd, HandClock, client, collected, messenger

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ROUND = 5 * MINUTE
FAILED = "http_503: the server answered 503"
TOLD_AT_ONCE = TendReport(notices=1, in_trouble=1)


class Rounds:
    """A service that tends its sources every five minutes, and what it has told."""

    def __init__(self, storage: Storage, clock: HandClock) -> None:
        self.storage = storage
        self.clock = clock
        self.settings: dict[str, Any] = {}
        self.start()

    def start(self) -> None:
        self.tend = Tend(storage=self.storage, clock=self.clock, **self.settings)
        self.tend.run()

    def brand(self, slug: str = "lumbre", **fields: Any) -> None:
        self.storage.apply([PutBrand(Brand(0, slug, slug.title(), slug, **fields))], self.clock.now)

    def channel(self, slug: str = "equipo", **fields: Any) -> None:
        fields = {"language": "en", **fields}
        secret = {"url": "https://hooks.example/T0/B0/x"}
        self.storage.apply(
            [PutChannel(Channel(0, slug, slug.title(), "slack", secret=secret, **fields))], self.clock.now
        )

    def source(self, slug: str = "diario", **fields: Any) -> None:
        """One that was heard just now."""
        url = None if fields.get("kind") == "inbox" else f"https://{slug}.example/feed"
        fields = {"name": slug.title(), "kind": "rss", "url": url, **fields}
        source = Source(0, slug, **fields)
        self.storage.apply([PutSource(source)], self.clock.now)
        self.hears(slug)

    def sets(self, *slugs: str, **values: Any) -> None:
        """What a visit writes down, without one."""
        with self.storage._database.write() as connection:
            connection.execute(update(sources).where(sources.c.slug.in_(slugs)).values(**values))

    def hears(self, *slugs: str) -> None:
        now = self.clock.now
        due = {"next_due_at": now + 15 * MINUTE, "scheduled_at": now}
        self.sets(*slugs, state="ok", fail_count=0, first_ok_at=now, last_ok_at=now, last_item_at=now, **due)

    def fails(self, *slugs: str, error: str = FAILED) -> None:
        self.sets(*slugs, state="failing", fail_count=3, last_error=error, last_error_at=self.clock.now)

    def goes_on(self, time: timedelta, hearing: Sequence[str] = (), failing: Sequence[str] = ()) -> None:
        """So much time in rounds of five minutes: some are heard all the while, others give an error."""
        end = self.clock.now + time
        while self.clock.now < end:
            self.clock.now += ROUND
            if hearing:
                self.hears(*hearing)
            if failing:
                self.fails(*failing)
            self.tend.run()

    def told(self, channel: str | None = None) -> list[Alert]:
        """The oldest first."""
        found = self.storage.deliveries.page(channel=channel, limit=1000)
        return [from_json(delivery.alert) for delivery in reversed(found)]


@pytest.fixture
def rounds(storage: Storage, now: datetime) -> Rounds:
    """One brand, one channel, one source; a service that runs."""
    rounds = Rounds(storage, HandClock(now - ROUND))
    rounds.brand()
    rounds.channel()
    rounds.source()
    rounds.goes_on(ROUND, hearing=["diario"])
    return rounds


# ── once, and together ───────────────────────────────────────────────────────


def test_while_all_is_heard_nothing_is_told(rounds: Rounds) -> None:
    rounds.goes_on(2 * HOUR, hearing=["diario"])
    assert rounds.told() == []


def test_a_source_that_is_not_heard_is_told_of_once(rounds: Rounds, now: datetime) -> None:
    rounds.goes_on(3 * HOUR, failing=["diario"])
    [told] = rounds.told()
    assert (told.action, told.incident_id, told.key) == (
        "system",
        None,
        f"sources.{int(told.at.timestamp()) // 60}.equipo",
    )
    assert told.at - now == 45 * MINUTE + ROUND + GATHER  # three intervals are over, then others are waited for
    assert told.reason == "Avizor: 1 source is not heard"
    assert told.message == (
        "Diario: no good answer since Nov 18, 12:00. http_503: the server answered 503\n"
        "What this source says meanwhile is in no figure."
    )


def test_another_process_does_not_tell_it_again(rounds: Rounds) -> None:
    rounds.goes_on(HOUR, failing=["diario"])
    assert len(rounds.told()) == 1
    rounds.start()
    rounds.goes_on(4 * HOUR, failing=["diario"])
    assert len(rounds.told()) == 1


def test_what_comes_up_within_minutes_is_one_notice(rounds: Rounds) -> None:
    rounds.source("radio", interval_s=960)
    rounds.sets("radio", next_due_at=rounds.clock.now + 16 * MINUTE)
    rounds.goes_on(2 * HOUR, failing=["diario", "radio"])
    [told] = rounds.told()
    assert told.reason == "Avizor: 2 sources are not heard"


def test_what_comes_up_later_waits_for_half_an_hour(rounds: Rounds) -> None:
    rounds.source("radio")
    rounds.goes_on(55 * MINUTE, hearing=["radio"], failing=["diario"])
    rounds.sets("radio", state="disabled", last_error="http_410: gone", last_error_at=rounds.clock.now, fail_count=1)
    rounds.goes_on(HOUR, failing=["diario"])
    first, second = rounds.told()
    assert second.at - first.at == QUIET
    assert second.message == (
        "Radio: it is not asked any more since Nov 18, 12:55. http_410: gone\n"
        "What this source says meanwhile is in no figure.\n"
        "1 source that was told of before is still not heard."
    )


def test_a_wave_of_five_hundred_is_one_notice_of_bounded_length(rounds: Rounds) -> None:
    names = [f"feed-{number}" for number in range(500)]
    feeds = [Source(0, name, f"{name} {'x' * 300}", "rss", f"https://{name}.example") for name in names]
    rounds.storage.apply([PutSource(feed) for feed in feeds], rounds.clock.now)
    rounds.hears(*names)
    rounds.clock.now += 50 * MINUTE
    rounds.fails("diario", *names, error="http_503: " + "y" * 5000)
    rounds.tend.run()
    rounds.clock.now += GATHER
    rounds.tend.run()
    rounds.clock.now += HOUR
    rounds.tend.run()
    [told] = rounds.told()
    assert told.reason == "Avizor: 501 sources are not heard"
    assert told.message is not None
    assert told.message.endswith("\nAnd 491 more.\nWhat these sources say meanwhile is in no figure.")
    assert len(told.message) < 4000


# ── when it is over ──────────────────────────────────────────────────────────


def test_good_news_wait_for_half_an_hour(rounds: Rounds) -> None:
    rounds.goes_on(2 * HOUR, failing=["diario"])
    back = rounds.clock.now
    rounds.goes_on(2 * HOUR, hearing=["diario"])
    assert [told.reason for told in rounds.told()] == [
        "Avizor: 1 source is not heard",
        "Avizor: 1 source is heard again",
    ]
    assert rounds.told()[1].at - back == ROUND + QUIET
    assert rounds.told()[1].message == "Heard again: Diario."


def test_good_news_go_with_bad_ones(rounds: Rounds) -> None:
    rounds.source("radio")
    rounds.goes_on(2 * HOUR, hearing=["radio"], failing=["diario"])
    rounds.sets("radio", state="disabled", last_error="http_410: gone", last_error_at=rounds.clock.now)
    rounds.goes_on(GATHER + ROUND, hearing=["diario"])
    assert rounds.told()[1].reason == "Avizor: 1 source is not heard"
    assert str(rounds.told()[1].message).endswith("\nHeard again: Diario.")


def test_what_is_over_before_it_is_told_is_never_told(rounds: Rounds) -> None:
    rounds.goes_on(50 * MINUTE, failing=["diario"])
    rounds.goes_on(2 * HOUR, hearing=["diario"])
    assert rounds.told() == []


def test_what_was_over_can_come_again(rounds: Rounds) -> None:
    for _ in range(2):
        rounds.goes_on(2 * HOUR, failing=["diario"])
        rounds.goes_on(2 * HOUR, hearing=["diario"])
    assert len(rounds.told()) == 4


@pytest.mark.parametrize("interval_s", [900, 6 * 3600])
def test_another_chance_is_not_yet_good_news(rounds: Rounds, interval_s: int) -> None:
    """Nor is the same end after it told again."""
    gone = {"state": "disabled", "last_error": "http_410: gone", "fail_count": 1}
    rounds.sets("diario", **gone, last_error_at=rounds.clock.now, interval_s=interval_s)
    rounds.goes_on(HOUR)
    rounds.storage.sources.poll_now("diario", rounds.clock.now)
    rounds.goes_on(HOUR)
    rounds.sets("diario", **gone, last_error_at=rounds.clock.now)
    rounds.goes_on(HOUR)
    assert len(rounds.told()) == 1


def test_a_source_that_somebody_switched_off_is_no_news(rounds: Rounds) -> None:
    rounds.goes_on(2 * HOUR, failing=["diario"])
    rounds.sets("diario", enabled=False)
    rounds.goes_on(2 * HOUR)
    assert len(rounds.told()) == 1
    found = rounds.storage.sources.get("diario")
    assert found is not None
    assert found.told == ()


# ── what else there is to tell ───────────────────────────────────────────────


def test_a_window_that_runs_over_at_every_visit_is_told_once_a_week(rounds: Rounds) -> None:
    for _ in range(6):
        rounds.sets("diario", overrun_at=rounds.clock.now)
        rounds.goes_on(HOUR, hearing=["diario"])
    [told] = rounds.told()
    assert told.reason == "Avizor: 1 source lost items"
    assert told.message == (
        "Diario: items were lost before Nov 18, 12:00: more was published between two visits than it shows."
    )


def test_a_source_that_answers_and_brings_nothing_is_told_of(rounds: Rounds, now: datetime) -> None:
    rounds.sets("diario", cadence_s=3600, last_item_at=now - 30 * HOUR)
    rounds.tend.run()
    rounds.clock.now += GATHER
    rounds.tend.run()
    assert str(rounds.told()[0].message).startswith(
        "Diario: it answers, and nothing new has come since Nov 17, 06:00; usual: every 1 h.\n"
    )


def test_an_inbox_is_never_told_of(rounds: Rounds) -> None:
    rounds.source("buzon", kind="inbox")
    rounds.goes_on(4 * HOUR, hearing=["diario"])
    assert rounds.told() == []


def test_a_stream_without_a_sign_of_life_is_told_of(rounds: Rounds) -> None:
    rounds.source("cielo", kind="jetstream", url=None)
    rounds.goes_on(HOUR, hearing=["diario"])
    assert [told.reason for told in rounds.told()] == ["Avizor: 1 source is not heard"]


# ── after our own absence ────────────────────────────────────────────────────


def test_after_our_own_absence_there_is_one_notice_and_no_wave(rounds: Rounds) -> None:
    names = [f"feed-{number}" for number in range(30)]
    for name in names:
        rounds.source(name)
    rounds.goes_on(ROUND, hearing=["diario", *names])
    rounds.clock.now += 8 * HOUR
    rounds.start()
    rounds.goes_on(2 * HOUR, hearing=names, failing=["diario"])
    [told] = rounds.told()
    assert told.reason == "Avizor: 1 source is not heard"
    assert told.message == (
        "Avizor was not running from Nov 18, 12:05 to Nov 18, 20:05 (8 h). What was said meanwhile may be missing.\n"
        "Diario: no good answer since Nov 18, 12:05. http_503: the server answered 503\n"
        "What this source says meanwhile is in no figure."
    )


def test_our_own_absence_is_told_where_all_is_well_after_it(rounds: Rounds) -> None:
    rounds.clock.now += 8 * HOUR
    rounds.start()
    rounds.goes_on(2 * HOUR, hearing=["diario"])
    assert [told.reason for told in rounds.told()] == ["Avizor was not running for 8 h"]


def test_a_short_restart_is_no_absence(rounds: Rounds) -> None:
    rounds.clock.now += 10 * MINUTE
    rounds.start()
    rounds.goes_on(2 * HOUR, hearing=["diario"])
    assert rounds.told() == []


def test_a_source_that_is_seldom_asked_is_no_absence(rounds: Rounds) -> None:
    """A service that runs judges its brands every five minutes."""
    brand = rounds.storage.brands.get("lumbre")
    assert brand is not None
    rounds.sets("diario", interval_s=6 * 3600)
    rounds.clock.now += 3 * HOUR
    with rounds.storage._database.write() as connection:
        mine = watches.c.brand_id == brand.id
        connection.execute(update(watches).where(mine).values(evaluated_at=rounds.clock.now - 4 * MINUTE))
    rounds.start()
    rounds.goes_on(HOUR)
    assert rounds.told() == []


def test_a_source_that_is_not_asked_after_the_start_is_told_of_in_the_end(rounds: Rounds) -> None:
    rounds.clock.now += 8 * HOUR
    rounds.start()
    rounds.goes_on(2 * HOUR)
    assert [told.reason for told in rounds.told()] == [
        "Avizor was not running for 8 h",
        "Avizor: 1 source is not heard",
    ]


def test_a_start_is_not_good_news(rounds: Rounds) -> None:
    """It answers and brings nothing: before it is asked again, nobody knows whether that is over."""
    rounds.sets("diario", cadence_s=3600, last_item_at=rounds.clock.now - 30 * HOUR)
    rounds.goes_on(HOUR)
    rounds.sets("diario", last_ok_at=rounds.clock.now)
    rounds.clock.now += MINUTE
    rounds.start()
    rounds.goes_on(40 * MINUTE)
    assert len(rounds.told()) == 1


# ── to whom ──────────────────────────────────────────────────────────────────


def test_only_the_channels_of_its_brands_that_hear_notices_are_told(rounds: Rounds) -> None:
    rounds.channel("guardia", min_severity="critical")
    rounds.channel("otra")
    rounds.channel("apagada", enabled=False)
    rounds.brand("lumbre", channels=("equipo", "guardia", "apagada"))
    rounds.brand("brasa", channels=("otra",))
    rounds.source("de-lumbre", brands=("lumbre",))
    rounds.source("de-brasa", brands=("brasa",))
    rounds.goes_on(2 * HOUR, hearing=["diario"], failing=["de-lumbre", "de-brasa"])
    told = {channel: [str(one.message) for one in rounds.told(channel)] for channel in ("equipo", "otra")}
    assert len(rounds.told()) == 2
    assert [("De-Lumbre" in one, "De-Brasa" in one) for one in told["equipo"]] == [(True, False)]
    assert [("De-Lumbre" in one, "De-Brasa" in one) for one in told["otra"]] == [(False, True)]


def test_a_source_for_every_brand_is_told_to_all_of_them(rounds: Rounds) -> None:
    rounds.channel("otra")
    rounds.brand("lumbre", channels=("equipo",))
    rounds.brand("brasa", channels=("otra",))
    rounds.goes_on(2 * HOUR, failing=["diario"])
    assert (len(rounds.told("equipo")), len(rounds.told("otra"))) == (1, 1)


def test_the_channels_that_the_operator_names_are_told_and_no_other(rounds: Rounds) -> None:
    rounds.channel("sistemas", min_severity="critical")
    rounds.settings = {"source_channels": ("sistemas",)}
    rounds.start()
    rounds.goes_on(2 * HOUR, failing=["diario"])
    assert (len(rounds.told("equipo")), len(rounds.told("sistemas"))) == (0, 1)


def test_a_name_without_a_channel_loses_no_notice_and_is_said(rounds: Rounds, caplog: pytest.LogCaptureFixture) -> None:
    rounds.settings = {"source_channels": ("sistmas",)}
    rounds.start()
    rounds.goes_on(2 * HOUR, failing=["diario"])
    assert len(rounds.told("equipo")) == 1
    assert "source_channels: there is no channel sistmas" in caplog.text


def test_what_nobody_could_be_told_is_told_once_there_is_somebody(rounds: Rounds) -> None:
    rounds.channel(enabled=False)
    rounds.goes_on(2 * HOUR, failing=["diario"])
    assert rounds.told() == []
    rounds.channel(enabled=True)
    rounds.goes_on(GATHER + ROUND, failing=["diario"])
    assert len(rounds.told()) == 1


# ── in words ─────────────────────────────────────────────────────────────────


def test_it_speaks_the_language_of_its_channel_and_the_time_of_the_installation(rounds: Rounds) -> None:
    rounds.channel(language="es")
    rounds.settings = {"time_zone": "Europe/Madrid", "public_url": "https://avizor.example"}
    rounds.source("radio")
    rounds.sets("radio", state="disabled", last_error="http_410: gone", last_error_at=rounds.clock.now, fail_count=1)
    rounds.clock.now += 8 * HOUR
    rounds.start()
    rounds.sets("diario", overrun_at=rounds.clock.now)
    rounds.goes_on(HOUR, hearing=["diario"])
    [told] = rounds.told()
    assert (told.reason, told.url) == ("Avizor: no se oye 1 fuente", "https://avizor.example/#sources")
    assert told.message == (
        "Avizor no ha estado en marcha desde el 18 nov, 13:00 hasta el 18 nov, 21:00 (8 h). "
        "Puede faltar lo que se dijo entretanto.\n"
        "Radio: ya no se consulta desde el 18 nov, 13:00. "
        "http_410: Ha desaparecido para siempre: hay que cambiar su dirección.\n"
        "Diario: se han perdido publicaciones antes del 18 nov, 21:00: "
        "entre dos visitas se publicó más de lo que muestra.\n"
        "Lo que diga entretanto esta fuente no entra en ninguna cifra."
    )


def test_a_dead_feed_reaches_slack(
    storage: Storage, sandbox: Sandbox, far_end: FarEnd, clock: HandClock, now: datetime
) -> None:
    far_end.answers |= {"/feed": Answer(410), "/hook": Answer(200, b"ok")}
    storage.apply(
        [
            PutBrand(Brand(0, "lumbre", "Lumbre", "lumbre")),
            PutSource(Source(0, "diario", "Diario <!channel>", "rss", far_end.url("/feed"))),
            PutChannel(Channel(0, "equipo", "Equipo", "slack", secret={"url": far_end.url("/hook")})),
        ],
        now,
    )
    collected(storage, sandbox, far_end, clock)
    tend = Tend(storage=storage, clock=clock)
    assert tend.run() == TendReport()
    clock.now += GATHER
    assert tend.run() == TOLD_AT_ONCE

    async def deliver() -> None:
        async with client(far_end.port) as http:
            assert (await messenger(storage, http, clock).run()).delivered == 1

    asyncio.run(deliver())
    [posted] = far_end.asked_at("/hook")
    text = json.loads(posted.body)["text"]
    assert "<!channel>" not in posted.body.decode()
    assert text.startswith(
        "Avizor: no se oye 1 fuente. Diario &lt;!channel&gt;: ya no se consulta desde el 18 nov, 12:00. http"
    )


# ── all or nothing ───────────────────────────────────────────────────────────


def test_a_walk_that_dies_half_way_tells_it_all_the_same_and_once(
    rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise RuntimeError("killed between the marks and the deliveries")

    with monkeypatch.context() as patched:
        patched.setattr("app.storage.deliveries.add", dies)
        with pytest.raises(RuntimeError):
            rounds.goes_on(2 * HOUR, failing=["diario"])
    assert rounds.told() == []
    rounds.start()
    rounds.goes_on(2 * HOUR, failing=["diario"])
    assert len(rounds.told()) == 1


def test_two_services_tell_it_once(rounds: Rounds, open_another: Callable[[], Storage]) -> None:
    other = Tend(storage=open_another(), clock=rounds.clock)
    rounds.fails("diario")
    for tend in (rounds.tend, other):
        tend.run(at_once=True)
    rounds.clock.now += HOUR
    told = [tend.run(at_once=True) for tend in (rounds.tend, other)]
    assert told == [TOLD_AT_ONCE, TendReport()]
    assert len(rounds.told()) == 1


def test_marks_that_somebody_else_has_made_are_a_conflict(rounds: Rounds) -> None:
    """Neither of them is written, then."""
    found = rounds.storage.sources.get("diario")
    channel = rounds.storage.channels.get("equipo")
    assert found is not None
    assert channel is not None
    rounds.sets("diario", told="silent")
    new = NewDelivery("sources.1.equipo", channel.id, "system", {})
    with pytest.raises(Conflict):
        rounds.storage.deliveries.tell_of_sources(
            [ToldOf(found.id, (), ("silent",), rounds.clock.now)], [new], rounds.clock.now
        )
    assert rounds.storage.deliveries.page() == []
