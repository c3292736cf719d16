"""The watch walk: what the detector is shown, who is told of an incident, and what a person may change."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts import incident as states
from alerts.base import Channel
from alerts.incident import Change, Event, Incident, WrongState
from app.model import Brand, Label, Sentiment
from app.pipeline import Watch, WatchReport
from app.pipeline.volumes import coverage_since, volume_of
from app.pipeline.watch import NoSuchIncident
from app.storage import Conflict, Storage
from app.storage.records import (
    Archive,
    CollectBatch,
    CollectedPost,
    CoverageRow,
    Delivery,
    IncidentSave,
    NewDelivery,
    PutBrand,
    PutChannel,
    PutSource,
    VolumeRow,
)
from app.storage.watches import closed_through
from collectors.base import Post, Source
from tests.app.pipeline.far_end import HandClock

NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
BIN = timedelta(minutes=5)
CALM = 30  # bins: an hour without complaints, an hour of calm, and some
BRAND = Brand(1, "aurora", "Aurora", "aurora")
SOURCE = Source(1, "barrio", "Barrio", "rss", interval_s=300, created_at=NOON - timedelta(days=9), last_ok_at=NOON)
SCORES: Mapping[Label, float | None] = {"negative": -0.8, "neutral": 0.0, "positive": 0.6, "unknown": None}


# ── the grid ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("now", "through"),
    [
        (NOON, NOON - BIN),
        (NOON + timedelta(seconds=59.9), NOON - BIN),
        (NOON + timedelta(seconds=60), NOON),
        (NOON + timedelta(seconds=359), NOON),
        (NOON + timedelta(seconds=360), NOON + BIN),
    ],
    ids=str,
)
def test_a_bin_is_judged_a_minute_after_it_closed(now: datetime, through: datetime) -> None:
    assert closed_through(now) == through


# ── coverage ─────────────────────────────────────────────────────────────────


def covered(
    *sources: Source, since: datetime | None = NOON - BIN, now: datetime = NOON + timedelta(minutes=1)
) -> list[CoverageRow]:
    return coverage_since(BRAND, sources, since, NOON - timedelta(days=14), closed_through(now), now)


def test_the_bin_that_closed_is_covered_by_the_sources_that_were_heard() -> None:
    dead = replace(SOURCE, id=2, last_ok_at=NOON - timedelta(hours=2))
    assert covered(SOURCE, dead) == [CoverageRow(NOON - BIN, 1, 2)]


def test_a_source_that_was_never_heard_or_is_gone_counts_as_unheard() -> None:
    new = replace(SOURCE, id=2, last_ok_at=None)
    gone = replace(SOURCE, id=3, state="disabled", last_ok_at=NOON - timedelta(days=2))
    assert covered(SOURCE, new, gone) == [CoverageRow(NOON - BIN, 1, 3)]


def test_a_source_that_was_switched_off_does_not_count() -> None:
    assert covered(SOURCE, replace(SOURCE, id=2, enabled=False)) == [CoverageRow(NOON - BIN, 1, 1)]


def test_a_source_of_other_brands_does_not_count() -> None:
    dead = replace(SOURCE, id=2, last_ok_at=None)
    assert covered(SOURCE, replace(dead, brands=("brezo",))) == [CoverageRow(NOON - BIN, 1, 1)]
    assert covered(SOURCE, replace(dead, brands=("brezo", "aurora"))) == [CoverageRow(NOON - BIN, 1, 2)]


def test_without_sources_nothing_is_covered() -> None:
    assert covered() == [CoverageRow(NOON - BIN, 0, 0)]


def test_a_brand_that_was_never_judged_begins_with_the_last_bin() -> None:
    assert covered(SOURCE, since=None) == [CoverageRow(NOON - BIN, 1, 1)]


def test_bins_that_went_by_while_nobody_watched_are_not_covered() -> None:
    rows = covered(SOURCE, since=NOON - timedelta(hours=1))
    assert [row.bin for row in rows] == [NOON - timedelta(hours=1) + i * BIN for i in range(12)]
    assert [row.fresh for row in rows] == [0] * 9 + [1] * 3  # a bin that closed 16 minutes ago went by unwatched


def test_a_bin_that_was_judged_is_not_covered_anew() -> None:
    assert covered(SOURCE, since=NOON) == []
    assert covered(SOURCE, since=NOON + timedelta(hours=1)) == []  # judged through the future: the clock was set back


def test_a_long_sleep_is_looked_back_on_no_further_than_the_detector_looks() -> None:
    rows = covered(SOURCE, since=NOON - timedelta(days=400))
    assert rows[0].bin == NOON - timedelta(days=14)


# ── volumes ──────────────────────────────────────────────────────────────────


def rowed(bin_at: int, label: str, stories: int = 0, backfill: int = 0) -> VolumeRow:
    return VolumeRow(NOON + bin_at * BIN, label, stories, 90, backfill, 90, 0.0, 0.0, 0.0)


def test_volumes_stand_on_the_grid_with_backfill_in_the_past_only_and_unknown_apart() -> None:
    rows = [
        rowed(0, "negative", 2, 3),
        rowed(0, "positive", 1),
        rowed(1, "unknown", 7, 5),
        rowed(2, "neutral", 0, 4),
        rowed(2, "negative", 1),
    ]
    volume = volume_of(NOON, NOON + 4 * BIN, rows, [])
    assert volume.negative == [2, 0, 1, 0]
    assert volume.total == [3, 0, 1, 0]
    assert volume.unknown == [0, 7, 0, 0]
    assert volume.past_negative == [5, 0, 1, 0]
    assert volume.past_total == [6, 0, 5, 0]
    assert volume.start == NOON


def test_coverage_is_a_share_and_nothing_where_nothing_is_known() -> None:
    rows = [CoverageRow(NOON, 1, 2), CoverageRow(NOON + 2 * BIN, 0, 0), CoverageRow(NOON + 3 * BIN, 3, 3)]
    assert volume_of(NOON, NOON + 4 * BIN, [], rows).coverage == [0.5, 0.0, 0.0, 1.0]


def test_of_two_coverages_of_a_bin_the_later_one_stands() -> None:
    rows = [CoverageRow(NOON, 0, 1), CoverageRow(NOON, 1, 1)]
    assert volume_of(NOON, NOON + BIN, [], rows).coverage == [1.0]


# ── the walk ─────────────────────────────────────────────────────────────────


class Town:
    """Says things about brands straight into storage, and lets the watch walk pass over it bin by bin."""

    def __init__(self, storage: Storage, clock: HandClock) -> None:
        self.storage = storage
        self.clock = clock
        self.watch = Watch(storage=storage, clock=clock, public_url="http://avizor.example")
        self._said = 0
        storage.apply([PutSource(Source(0, "barrio", "Barrio", "rss", "https://b.example/f", interval_s=86_400))], NOON)

    def brand(self, slug: str = "aurora", **fields: Any) -> Brand:
        self.storage.apply([PutBrand(Brand(0, slug, slug.title(), slug, **fields))], self.clock.now)
        found = self.storage.brands.get(slug)
        assert found
        return found

    def channel(self, slug: str, **fields: Any) -> None:
        secret = {"url": "https://hooks.example/x"}
        channel = Channel(0, slug, slug.title(), "slack", secret=secret, **fields)
        self.storage.apply([PutChannel(channel)], self.clock.now)

    def says(self, brand: Brand, label: Label, *times: datetime, backfill: bool = False) -> None:
        items = []
        for at in times:
            self._said += 1
            key = hashlib.blake2b(str(self._said).encode(), digest_size=16).digest()
            post = Post(str(self._said), "", f"Nota {self._said} sobre {brand.name}", published_at=at)
            tone = Sentiment(label, SCORES[label], "test/1", "en")
            items.append(CollectedPost(key, post, "b.example", "en", at, at, key, backfill, {brand.id: tone}))
        now = self.clock.now
        self.storage.sources.poll_now("barrio", now)
        (source,) = self.storage.sources.claim_due(now, 1, "test")
        due = now + timedelta(days=1)
        self.storage.posts.store(CollectBatch(source.id, "test", items, (), {}, None, None, None, due, None), now)

    def history(self, brand: Brand) -> None:
        """Three calm days, an hour by hour, then three quarters of an hour of being watched."""
        now = self.clock.now
        self.says(brand, "neutral", *(now - hour * timedelta(hours=1) for hour in range(1, 72)), backfill=True)
        for _ in range(9):
            self.passes()

    def passes(self) -> WatchReport:
        self.clock.now += BIN
        return self.watch.run()

    def crisis(self, brand: Brand, number: int = 15) -> WatchReport:
        now = self.clock.now
        self.says(brand, "negative", *(now - timedelta(seconds=10 * i) for i in range(number)))
        self.clock.now += timedelta(minutes=1)
        return self.passes()

    def incident(self, brand: Brand) -> Incident:
        (found,) = self.storage.incidents.current(brand.id)
        return found

    def outbox(self) -> list[Delivery]:
        return list(reversed(self.storage.deliveries.page()))


@pytest.fixture
def town(storage: Storage, clock: HandClock) -> Town:
    return Town(storage, clock)


def told(town: Town) -> list[tuple[str, str]]:
    return [(delivery.channel.slug, delivery.action) for delivery in town.outbox()]


def test_a_crisis_opens_one_incident_with_its_proof_and_tells_every_channel(town: Town) -> None:
    town.channel("guardia")
    town.channel("equipo", language="en")
    town.channel("apagado", enabled=False)
    brand = town.brand()
    town.history(brand)
    assert told(town) == []

    assert town.crisis(brand).opened == 1

    incident = town.incident(brand)
    assert incident.dossier["exhibits"]
    assert incident.dossier["by_label"] == {"negative": 15}
    assert incident.dossier["spike"]["observed"] == 15
    assert sorted(told(town)) == [("equipo", "trigger"), ("guardia", "trigger")]
    first, second = town.outbox()
    assert {first.key, second.key} == {f"{incident.id}.1.equipo", f"{incident.id}.1.guardia"}
    assert {one.channel.slug: one.alert["language"] for one in town.outbox()} == {"equipo": "en", "guardia": "es"}
    assert first.alert["url"] == f"http://avizor.example/incidents/{incident.id}"
    assert town.passes().opened == 0


def test_an_incident_ends_by_itself_when_it_has_been_calm_and_says_so(town: Town) -> None:
    town.channel("guardia")
    brand = town.brand()
    town.history(brand)
    town.crisis(brand)
    resolved = [town.passes().resolved for _ in range(CALM)]
    assert sum(resolved) == 1
    assert town.storage.incidents.current(brand.id) == []
    assert [action for _, action in told(town)][-1] == "resolve"
    assert [delivery.seq for delivery in town.outbox()] == sorted(delivery.seq for delivery in town.outbox())


@pytest.mark.parametrize("label", ["positive", "neutral", "unknown"])
def test_a_burst_that_is_not_negative_is_no_crisis(town: Town, label: Label) -> None:
    brand = town.brand()
    town.history(brand)
    now = town.clock.now
    town.says(brand, label, *(now - timedelta(seconds=10 * i) for i in range(15)))
    town.clock.now += timedelta(minutes=1)
    report = town.passes()
    assert (report.judged, report.opened) == (1, 0)


def test_a_backfilled_burst_is_no_crisis(town: Town) -> None:
    brand = town.brand()
    town.history(brand)
    now = town.clock.now
    town.says(brand, "negative", *(now - timedelta(seconds=10 * i) for i in range(15)), backfill=True)
    assert town.passes().opened == 0


def test_a_competitor_never_opens_an_incident_but_is_judged(town: Town) -> None:
    town.channel("guardia")
    rival = town.brand("rival", competitor=True)
    town.history(rival)
    report = town.crisis(rival)
    assert (report.judged, report.opened) == (1, 0)
    assert told(town) == []
    watch = town.storage.watches.get(rival.id)
    assert watch
    assert watch.spike
    assert watch.spike["verdict"] in ("warning", "critical")


def test_a_brand_says_which_channels_are_told(town: Town) -> None:
    town.channel("guardia")
    town.channel("otros")
    brand = town.brand(channels=("guardia",))
    town.history(brand)
    town.crisis(brand)
    assert told(town) == [("guardia", "trigger")]


def test_without_a_channel_the_incident_opens_all_the_same(town: Town) -> None:
    brand = town.brand()
    town.history(brand)
    assert town.crisis(brand).opened == 1
    assert town.incident(brand).state == "open"
    assert told(town) == []


def test_a_channel_for_critical_ones_hears_of_a_critical_one_only(town: Town) -> None:
    town.channel("guardia")
    town.channel("jefe", min_severity="critical")
    brand, calm = town.brand(), town.brand("calma")
    town.history(brand)
    town.crisis(brand)
    critical = town.incident(brand)
    assert critical.severity == "critical"
    assert sorted(told(town)) == [("guardia", "trigger"), ("jefe", "trigger")]

    mild = replace(critical, id="mild", brand_id=calm.id, severity="warning")
    event = Event("mild", 1, town.clock.now, "opened", "avizor", "", {})
    (first, *_) = [one for one in town.outbox() if one.channel.slug == "guardia"]
    trigger = NewDelivery("mild.1.guardia", first.channel.id, "trigger", first.alert, "mild", 1)
    town.storage.incidents.save(IncidentSave(Change(mild, event), [trigger]), town.clock.now)
    town.watch.by_hand("mild", "acknowledge", "ana")
    assert told(town)[2:] == [("guardia", "trigger"), ("guardia", "acknowledge")]


def test_a_brand_that_is_not_due_is_not_judged_again(town: Town) -> None:
    brand = town.brand()
    town.clock.now += timedelta(minutes=1)
    assert town.watch.run().judged == 1
    assert town.watch.run().judged == 0
    town.says(brand, "neutral", town.clock.now - timedelta(hours=2))  # late posts make it due
    assert town.watch.run().judged == 1
    town.clock.now += BIN
    assert town.watch.run().judged == 1


def test_what_was_said_during_an_outage_is_no_crisis_when_it_comes_in_at_once(town: Town) -> None:
    brand = town.brand()
    town.history(brand)
    town.clock.now += timedelta(hours=3)
    now = town.clock.now
    town.says(brand, "negative", now - timedelta(hours=1), now - timedelta(hours=2))
    town.says(brand, "neutral", *(now - timedelta(minutes=40 * i) for i in range(4)))
    assert town.passes().opened == 0
    watch = town.storage.watches.get(brand.id)
    assert watch
    assert watch.spike
    assert (watch.spike["verdict"], watch.spike["reason"]) == ("not_evaluated", "poor_coverage")


def test_the_end_goes_where_the_trigger_went_whatever_was_configured_meanwhile(town: Town) -> None:
    town.channel("guardia")
    brand = town.brand(channels=("guardia",))
    town.history(brand)
    town.crisis(brand)
    town.channel("nueva")
    town.brand(channels=("nueva",))
    for _ in range(CALM):
        town.passes()
    assert told(town) == [("guardia", "trigger"), ("guardia", "resolve")]


def test_a_channel_that_switched_itself_off_is_told_so_that_its_death_is_seen(town: Town) -> None:
    town.channel("guardia", disabled_reason="Slack says no_service", enabled=False)
    with town.storage._database.write() as connection:
        connection.exec_driver_sql("UPDATE channels SET disabled_reason = 'gone'")
    brand = town.brand()
    town.history(brand)
    town.crisis(brand)
    assert told(town) == [("guardia", "trigger")]


def test_nobody_to_tell_is_an_error_in_the_log(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    brand = town.brand()
    town.history(brand)
    town.crisis(brand)
    assert "nobody is told" in caplog.text


def test_a_clock_that_was_set_back_does_not_freeze_a_brand(town: Town) -> None:
    """An incident of the time before stands in the future; the one that is open now must go on all the same."""
    brand = town.brand()
    town.history(brand)
    later = town.clock.now + timedelta(days=1)
    past = Incident(
        "future", brand.id, "resolved", "warning", 1, later, later, 4.0, resolved_at=later, calm_since=later
    )
    event = Event("future", 1, later, "opened", "avizor", "", {})
    town.storage.incidents.save(IncidentSave(Change(past, event), ()), town.clock.now)
    town.crisis(brand)
    assert sum(town.passes().resolved for _ in range(CALM)) == 1


@pytest.mark.parametrize("how", ["archived", "competitor"])
def test_the_incident_of_a_brand_that_nobody_watches_any_more_is_ended_and_told(town: Town, how: str) -> None:
    town.channel("guardia")
    brand = town.brand()
    town.history(brand)
    town.crisis(brand)
    if how == "archived":
        town.storage.apply([Archive("brand", brand.slug)], town.clock.now)
    else:
        town.brand(competitor=True)
    assert town.passes().resolved == 1
    assert told(town) == [("guardia", "trigger"), ("guardia", "resolve")]
    assert "ya no se vigila" in str(town.outbox()[-1].alert["reason"])
    assert town.passes().resolved == 0


def test_a_brand_that_cannot_be_judged_silences_no_other(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, brand = town.brand("aaa"), town.brand("zeta")
    town.history(brand)
    series = town.storage.volumes.series

    def fails_for_one(brand_id: int, *args: Any) -> list[VolumeRow]:
        if brand_id == broken.id:
            raise RuntimeError("a bug")
        return series(brand_id, *args)

    monkeypatch.setattr(town.storage.volumes, "series", fails_for_one)
    report = town.crisis(brand)
    assert (report.failed, report.opened) == (1, 1)


# ── by hand ──────────────────────────────────────────────────────────────────


@pytest.fixture
def open_crisis(town: Town) -> tuple[Town, Incident]:
    town.channel("guardia")
    brand = town.brand()
    town.history(brand)
    town.crisis(brand)
    return town, town.incident(brand)


Open = tuple[Town, Incident]


def test_a_person_takes_and_closes_an_incident_and_everybody_is_told(open_crisis: Open) -> None:
    town, incident = open_crisis
    town.clock.now += timedelta(minutes=1)
    taken = town.watch.by_hand(incident.id, "acknowledge", "ana")
    assert (taken.state, taken.owner, taken.acknowledged_at) == ("acknowledged", "ana", town.clock.now)
    closed = town.watch.by_hand(incident.id, "resolve", "ana", "Era una broma")
    assert closed.state == "resolved"
    assert town.storage.incidents.get(incident.id) == closed
    assert [action for _, action in told(town)] == ["trigger", "acknowledge", "resolve"]
    assert [delivery.seq for delivery in town.outbox()] == [1, 2, 3]
    assert "Era una broma" in str(town.outbox()[-1].alert["reason"])


def test_an_incident_is_taken_once(open_crisis: Open) -> None:
    town, incident = open_crisis
    town.watch.by_hand(incident.id, "acknowledge", "ana")
    with pytest.raises(WrongState, match="ana"):
        town.watch.by_hand(incident.id, "acknowledge", "eva")
    assert [action for _, action in told(town)] == ["trigger", "acknowledge"]


def test_closing_wants_a_reason_and_an_incident(open_crisis: Open) -> None:
    town, incident = open_crisis
    with pytest.raises(ValueError, match="why"):
        town.watch.by_hand(incident.id, "resolve", "ana", " ")
    with pytest.raises(NoSuchIncident):
        town.watch.by_hand("nowhere", "acknowledge", "ana")
    assert town.incident(town.brand()).state == "open"


def meddling(town: Town, incident_id: str, times: int) -> Watch:
    """A watch in whose every look at the clock somebody else changes the incident, `times` times."""
    left = [times]

    def clock() -> datetime:
        if left[0]:
            left[0] -= 1
            stored = town.storage.incidents.get(incident_id)
            assert stored
            other = replace(states.acknowledge(replace(stored, state="open"), "walk", town.clock.now))
            noted = replace(other, incident=replace(stored, version=stored.version + 1))
            town.storage.incidents.save(IncidentSave(noted, []), town.clock.now)
        return town.clock.now

    return Watch(storage=town.storage, clock=clock, public_url="http://avizor.example")


def test_a_person_is_heard_although_the_walk_changed_the_incident_meanwhile(open_crisis: Open) -> None:
    town, incident = open_crisis
    taken = meddling(town, incident.id, times=1).by_hand(incident.id, "acknowledge", "ana")
    assert (taken.owner, taken.version) == ("ana", 3)
    assert [delivery.seq for delivery in town.outbox()] == [1, 3]


def test_an_incident_that_never_stands_still_is_a_conflict_and_nothing_is_told(open_crisis: Open) -> None:
    town, incident = open_crisis
    with pytest.raises(Conflict, match="try again"):
        meddling(town, incident.id, times=99).by_hand(incident.id, "acknowledge", "ana")
    assert [action for _, action in told(town)] == ["trigger"]


def test_a_walk_that_meets_a_conflict_leaves_the_brand_due(
    town: Town, open_another: Callable[[], Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    town.channel("guardia")
    brand = town.brand()
    town.history(brand)
    other = Watch(storage=open_another(), clock=town.clock, public_url="http://avizor.example")
    since = town.storage.incidents.since
    reports: list[WatchReport] = []

    def meanwhile(*args: Any) -> list[Incident]:
        found = since(*args)
        if not reports:
            reports.append(other.run())  # another process judges the brand between our reading and our writing
        return found

    monkeypatch.setattr(town.storage.incidents, "since", meanwhile)
    ours = town.crisis(brand)
    assert (ours.judged, ours.opened) == (0, 0)
    assert reports[0].opened == 1
    assert told(town) == [("guardia", "trigger")]
