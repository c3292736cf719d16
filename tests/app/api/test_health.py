"""Alive, ready, and figures for Prometheus, none of which says a name."""

from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from app.storage.records import CollectBatch, NewDelivery, StorageError
from collectors.stream import Place
from tests.app.api.house import House


def test_it_says_that_it_is_alive(house: House) -> None:
    assert house.anybody().get("/healthz").json() == {"status": "ok"}


def test_it_is_ready_when_all_of_it_works(house: House) -> None:
    answer = house.anybody().get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"ready": True, "checks": {"database": "ok", "scheduler": "ok"}},
    )


def test_it_is_not_ready_without_a_ticking_scheduler(house: House) -> None:
    for age, said in ((None, "has not started"), (95.4, "has not ticked for 95 s")):
        house.tick_age_s = age
        answer = house.anybody().get("/readyz")
        assert (answer.status_code, answer.json()["checks"]["scheduler"]) == (503, said)


def test_it_is_not_ready_without_its_database_and_does_not_say_where_that_is(house: House) -> None:
    class Away:
        def check_ready(self) -> None:
            raise StorageError("/srv/canary/avizor.db is away")

    broken = House(Away(), house.vault, house.loop)  # type: ignore[arg-type]
    answer = broken.anybody().get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["database"]) == (503, "cannot be used: see the log")
    assert "canary" not in answer.text


def figures(house: House) -> dict[str, float]:
    text = house.anybody().get("/metrics").text
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_it_counts_what_there_is(house: House) -> None:
    brand, channel = house.brand("aurora"), house.channel("guardia")
    for_now = house.item("a", {brand: "negative"}, heard={"provisional": True})
    house.hear(house.source("diario"), for_now, house.item("b", {brand: "unknown"}))
    house.storage.mentions.correct("aurora", house.mention("b").post_id, "neutral", "Ana", "", house.now)
    house.source("new")
    house.source("off", enabled=False)
    house.crisis(brand, (channel,))
    house.storage.deliveries.add([NewDelivery("test.1", channel.id, "test", {})], house.now)
    house.kill_delivery("test.1")
    house.now += timedelta(minutes=10)
    assert figures(house) == {
        "avizor_mentions_stored": 2,
        "avizor_mentions_provisional": 1,
        "avizor_mentions_restated": 1,
        "avizor_sources ok": 1,
        "avizor_sources late": 1,
        "avizor_sources failing": 0,
        "avizor_sources silent": 0,
        "avizor_sources disabled": 1,
        "avizor_sources_fresh": 1,
        "avizor_sources_enabled": 2,
        "avizor_source_lag_seconds": 600,
        "avizor_stream_lag_seconds": 0,
        "avizor_stream_messages_total": 0,
        "avizor_stream_matches_total": 0,
        "avizor_deliveries pending": 1,
        "avizor_deliveries delivered": 0,
        "avizor_deliveries dead": 1,
        "avizor_outbox_oldest_age_seconds": 600,
        "avizor_incidents open": 1,
        "avizor_incidents acknowledged": 0,
        "avizor_incidents resolving": 0,
        "avizor_scheduler_tick_age_seconds": 0.5,
    }


def test_it_tells_how_far_behind_a_stream_is(house: House) -> None:
    source = house.source("bluesky", kind="jetstream", url="wss://red.example")
    house.storage.sources.claim_streams(["jetstream"], house.now, "one", 30)
    place = Place(time_us=int(house.now.timestamp() - 90) * 1_000_000, messages=1_000, matches=3)
    batch = CollectBatch(source.id, "one", (), (), place.cursor(), None, None, None, house.now, 60, as_of=place.at)
    house.storage.posts.store(batch, house.now)
    house.source("bluesky", kind="jetstream", url="wss://red.example", enabled=False)
    off = figures(house)
    house.source("bluesky", kind="jetstream", url="wss://red.example")
    on = figures(house)
    assert (off["avizor_stream_lag_seconds"], on["avizor_stream_lag_seconds"]) == (0, 90)
    for shown in (off, on):
        assert (shown["avizor_stream_messages_total"], shown["avizor_stream_matches_total"]) == (1_000, 3)


def test_its_figures_hold_no_name(house: House) -> None:
    brand = house.brand("zafiro", name="zafiro", query="zafiro")
    channel = house.channel("zafiro-channel", name="zafiro")
    house.hear(house.source("zafiro-source", name="zafiro"), house.item("zafiro", {brand: "negative"}, text="zafiro"))
    house.crisis(brand, (channel,))
    answer = house.anybody().get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "zafiro" not in answer.text
    assert "zafiro" in house.caller().get("/api/v1/brands").text
