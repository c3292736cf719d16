"""Telling: a test message, what was delivered and what not, and a second chance for what is dead."""

from datetime import timedelta

from alerts.base import NotifyError
from app.api.deliveries import DeliveryPage
from app.storage.records import NewDelivery
from tests.app.api.house import House


def test_it_sends_a_marked_test(house: House) -> None:
    house.channel("guardia")
    assert house.caller().post("/api/v1/channels/guardia/test").json() == {"delivered": True}
    assert house.tests_sent == ["guardia"]
    assert house.caller().post("/api/v1/channels/nobody/test").status_code == 404


def test_a_test_that_did_not_arrive_says_why(house: House) -> None:
    house.channel("guardia")
    house.channel_error = NotifyError("http_404", "The channel is gone.", permanent=True)
    answer = house.caller().post("/api/v1/channels/guardia/test")
    assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (
        502,
        "http_404",
        "The channel is gone.",
    )


def test_it_lists_deliveries_with_every_attempt(house: House) -> None:
    incident = house.crisis(house.brand("aurora"), (house.channel("guardia"), house.channel("central")))
    house.kill_delivery(f"{incident.id}.1.guardia")
    caller = house.caller("viewer")
    answer = caller.get("/api/v1/deliveries")
    DeliveryPage.model_validate_json(answer.content)
    by_channel = {d["channel"]: d for d in answer.json()["items"]}
    assert by_channel["guardia"]["state"] == "dead"
    assert [a["duration_ms"] for a in by_channel["guardia"]["attempts"]] == [120]
    assert (by_channel["central"]["state"], by_channel["central"]["attempts"]) == ("pending", [])
    assert [d["channel"] for d in caller.get("/api/v1/deliveries?state=dead").json()["items"]] == ["guardia"]
    assert [d["channel"] for d in caller.get("/api/v1/deliveries?channel=central").json()["items"]] == ["central"]
    assert caller.get(f"/api/v1/deliveries?incident={incident.id}&limit=1").json()["next"] is not None
    assert caller.get("/api/v1/deliveries?state=lost").status_code == 422
    assert "canary" not in answer.text


def test_its_pages_follow_each_other(house: House) -> None:
    channel = house.channel("guardia")
    house.storage.deliveries.add([NewDelivery(f"test.{i}", channel.id, "test", {}) for i in range(5)], house.now)
    caller, seen, cursor = house.caller(), [], ""
    while True:
        page = caller.get(f"/api/v1/deliveries?limit=2{cursor}").json()
        seen += [d["key"] for d in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == ["test.4", "test.3", "test.2", "test.1", "test.0"]


def test_its_pages_tell_a_limited_key_nothing_of_others(house: House) -> None:
    channel = house.channel("guardia")
    house.crisis(house.brand("aurora"), (channel,))
    house.crisis(house.brand("otra"), (channel,))
    house.storage.deliveries.add([NewDelivery(f"test.{i}", channel.id, "test", {}) for i in range(5)], house.now)
    page = house.caller("viewer", ("aurora",)).get("/api/v1/deliveries?limit=2").json()
    assert ([d["key"] for d in page["items"]], page["next"]) == (["incident-of-aurora.1.guardia"], None)


def test_a_dead_one_gets_a_second_chance_with_the_same_key(house: House) -> None:
    incident = house.crisis(house.brand("aurora"), (house.channel("guardia"),))
    dead = house.kill_delivery(f"{incident.id}.1.guardia")
    house.now += timedelta(hours=1)
    responder = house.caller("responder")
    answer = responder.post(f"/api/v1/deliveries/{dead}/redrive")
    assert (answer.status_code, answer.json()["state"], answer.json()["next_attempt_at"]) == (
        202,
        "pending",
        "2026-11-18T13:00:00Z",
    )
    assert [d.key for d in house.storage.deliveries.claim(house.now, 10, "walk")] == [f"{incident.id}.1.guardia"]
    assert responder.post(f"/api/v1/deliveries/{dead}/redrive").status_code == 409


def test_one_that_does_not_exist_is_not_found(house: House) -> None:
    for odd in ("7", "x", "-1", str(2**63), "1e3", "٣"):
        assert house.caller().get(f"/api/v1/deliveries/{odd}").status_code == 404


def test_tests_and_alarms_are_for_keys_of_every_brand(house: House) -> None:
    house.brand("aurora")
    house.storage.deliveries.add([NewDelivery("test.1", house.channel("guardia").id, "test", {})], house.now)
    assert len(house.caller("viewer").get("/api/v1/deliveries").json()["items"]) == 1
    assert house.caller("viewer", ("aurora",)).get("/api/v1/deliveries").json()["items"] == []
