"""What is watched, asked and told, changed over HTTP: held to the same specs as the file, and never against it."""

from typing import Any

import pytest

from tests.app.api.house import SIGNING, SLACK_URL, House

SOURCE = {"name": "Diario", "kind": "rss", "url": "https://diario.example/feed.xml"}
CHANNEL = {"name": "Guardia", "kind": "slack", "url": SLACK_URL}
TOML = {"Content-Type": "application/toml"}


def test_it_makes_changes_and_archives_a_brand(house: House) -> None:
    admin = house.caller()
    made = admin.put("/api/v1/brands/aurora", json={"name": "Café Aurora", "query": '"café aurora"'})
    assert made.status_code == 200, made.text
    assert made.json() == {
        "slug": "aurora",
        "name": "Café Aurora",
        "query": '"café aurora"',
        "language": "en",
        "time_zone": "UTC",
        "competitor": False,
        "channels": [],
        "events": [],
        "origin": "api",
        "watch": None,
    }
    changed = admin.put(
        "/api/v1/brands/aurora", json={"name": "Aurora", "query": "aurora", "time_zone": "Europe/Madrid"}
    )
    assert (changed.json()["name"], changed.json()["time_zone"]) == ("Aurora", "Europe/Madrid")
    assert admin.delete("/api/v1/brands/aurora").status_code == 204
    assert admin.get("/api/v1/brands/aurora").status_code == 404
    assert admin.get("/api/v1/brands").json()["items"] == []
    assert admin.delete("/api/v1/brands/aurora").status_code == 404
    assert admin.put("/api/v1/brands/aurora", json={"name": "Aurora", "query": "aurora"}).status_code == 200


def test_what_is_planned_goes_in_as_days_and_comes_out_as_moments(house: House) -> None:
    admin, brand = house.caller(), {"name": "Aurora", "query": "aurora", "time_zone": "Europe/Madrid"}
    fair = {"name": "Feria", "since": "2026-11-27", "until": "2026-11-28"}
    body = admin.put("/api/v1/brands/aurora", json={**brand, "events": [fair]}).json()
    moments = {"name": "Feria", "since": "2026-11-26T23:00:00Z", "until": "2026-11-28T23:00:00Z"}
    assert body["events"] == [moments]
    again = admin.put("/api/v1/brands/aurora", json={**brand, "events": body["events"]})
    assert again.json()["events"] == admin.get("/api/v1/brands/aurora").json()["events"] == [moments]
    assert admin.put("/api/v1/brands/aurora", json=brand).json()["events"] == []
    many = admin.put("/api/v1/brands/aurora", json={**brand, "events": [fair] * 201})
    assert (many.status_code, many.json()["errors"][0]["where"]) == (422, "body.events")


def test_a_source_says_how_grave_a_word_of_it_is(house: House) -> None:
    admin = house.caller()
    assert admin.put("/api/v1/sources/diario", json=SOURCE).json()["tier"] == 2
    assert admin.put("/api/v1/sources/diario", json={**SOURCE, "tier": 1}).json()["tier"] == 1
    assert admin.get("/api/v1/sources/diario").json()["tier"] == 1


def test_a_new_channel_hears_of_notices_too(house: House) -> None:
    admin = house.caller()
    assert admin.put("/api/v1/channels/guardia", json=CHANNEL).json()["min_severity"] == "notice"
    spared = admin.put("/api/v1/channels/guardia", json={**CHANNEL, "min_severity": "warning"})
    assert spared.json()["min_severity"] == "warning"


def test_a_brand_tells_its_last_verdict(house: House) -> None:
    house.judge(house.brand("aurora"), verdict="warning", coverage=0.75)
    assert house.caller("viewer").get("/api/v1/brands/aurora").json()["watch"] == {
        "verdict": "warning",
        "evaluated_at": "2026-11-18T12:00:00Z",
        "evaluated_through": "2026-11-18T12:00:00Z",
        "coverage": 0.75,
    }


def test_it_makes_changes_and_archives_a_source(house: House) -> None:
    admin = house.caller()
    house.brand("aurora")
    made = admin.put("/api/v1/sources/diario", json={**SOURCE, "brands": ["aurora"], "secret": "s3cret-of-it"})
    assert made.status_code == 200, made.text
    assert (made.json()["origin"], made.json()["brands"], made.json()["secret_set"]) == ("api", ["aurora"], True)
    changed = admin.put("/api/v1/sources/diario", json={**SOURCE, "interval_s": 60})
    assert (changed.json()["interval_s"], changed.json()["brands"], changed.json()["secret_set"]) == (60, [], True)
    assert admin.delete("/api/v1/sources/diario").status_code == 204
    assert admin.get("/api/v1/sources/diario").status_code == 404
    assert admin.post("/api/v1/sources/diario/poll").status_code == 404
    assert admin.put("/api/v1/sources/diario", json=SOURCE).status_code == 200


def test_it_makes_changes_and_archives_a_channel_without_telling_its_address(house: House) -> None:
    admin = house.caller()
    made = admin.put("/api/v1/channels/guardia", json=CHANNEL)
    assert made.status_code == 200, made.text
    assert made.json()["address"] == "hooks.slack.com …s9ZZ"
    changed = admin.put("/api/v1/channels/guardia", json={"name": "Guardia", "kind": "slack", "language": "en"})
    assert changed.status_code == 200, changed.text
    assert house.storage.channels.all()[0].secret["url"] == SLACK_URL
    for answer in (made, changed, admin.get("/api/v1/channels"), admin.get("/api/v1/channels/guardia")):
        assert "canary" not in answer.text
    assert admin.delete("/api/v1/channels/guardia").status_code == 204
    assert admin.get("/api/v1/channels/guardia").status_code == 404


def test_a_signing_secret_is_only_said_to_be_there(house: House) -> None:
    hook = {"name": "Hook", "kind": "webhook", "url": "https://ops.example/x", "secret": SIGNING}
    answer = house.caller().put("/api/v1/channels/hook", json=hook)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["secrets_set"], answer.json()["address"]) == (["secret", "url"], "ops.example …")
    assert SIGNING not in answer.text


@pytest.mark.parametrize(
    ("url", "body", "where"),
    [
        ("brands/x", {"name": "X"}, "body.query"),
        ("brands/x", {"name": "X", "query": "a AND ("}, "body.query"),
        ("brands/x", {"name": "X", "query": "x", "colour": "red"}, "body.colour"),
        ("brands/x", {"name": "X", "query": "x", "time_zone": "Mars/Olympus"}, "body.time_zone"),
        ("brands/x", {"name": "X", "query": "x", "channels": ["nobody"]}, "body.channels"),
        ("brands/x", {"name": "X", "query": "x", "slug": "y"}, "body.slug"),
        ("brands/Not%20a%20slug", {"name": "X", "query": "x"}, "body.slug"),
        ("brands/x", {"name": "X", "query": "x", "events": [{"name": "F", "since": "x"}]}, "body.events[0].since"),
        ("brands/x", {"name": "X", "query": "x", "events": ["Feria"]}, "body.events[0]"),
        ("sources/x", {"name": "X", "kind": "carrier-pigeon"}, "body.kind"),
        ("sources/x", {**SOURCE, "tier": 0}, "body.tier"),
        ("sources/x", {**SOURCE, "interval_s": 0}, "body.interval_s"),
        ("sources/x", {**SOURCE, "url": "file:///etc/passwd"}, "body"),
        ("sources/x", {**SOURCE, "brands": ["nobody"]}, "body.brands"),
        ("channels/x", {"name": "X", "kind": "slack"}, "body"),
        ("channels/x", {**CHANNEL, "min_severity": "mild"}, "body.min_severity"),
    ],
)
def test_what_is_wrong_in_a_body_is_said_and_changes_nothing(
    house: House, url: str, body: dict[str, Any], where: str
) -> None:
    answer = house.caller().put(f"/api/v1/{url}", json=body)
    assert answer.status_code == 422, answer.text
    assert [error["where"] for error in answer.json()["errors"]] == [where]
    assert (house.storage.brands.all(), house.storage.sources.all(), house.storage.channels.all()) == ([], [], [])


def test_a_wrong_secret_is_not_repeated(house: House) -> None:
    answer = house.caller().put("/api/v1/channels/x", json={**CHANNEL, "url": "ftp://user:canary@host/x"})
    assert answer.status_code == 422
    assert "canary" not in answer.text


def test_what_stands_in_the_file_is_changed_there(house: House) -> None:
    house.brand("aurora", origin="file")
    house.source("diario", origin="file")
    house.channel("guardia", origin="file")
    admin = house.caller()
    bodies = {"brands/aurora": {"name": "A", "query": "a"}, "sources/diario": SOURCE, "channels/guardia": CHANNEL}
    for url, body in bodies.items():
        assert admin.put(f"/api/v1/{url}", json=body).status_code == 409
        assert admin.delete(f"/api/v1/{url}").status_code == 409


CONFIG = """
[[brands]]
name = "Aurora"
query = "aurora"

[[channels]]
name = "Guardia"
kind = "slack"
url = "https://hooks.slack.com/services/T0/B0/canary0123456789"
"""


def test_it_plans_a_configuration_and_changes_nothing(house: House) -> None:
    answer = house.caller().post("/api/v1/config/plan", content=CONFIG, headers=TOML)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["applied"], body["summary"]) == (False, "2 to make, 0 to change, 0 to archive")
    assert {(d["sign"], d["noun"], d["slug"]) for d in body["differences"]} == {
        ("+", "brand", "aurora"),
        ("+", "channel", "guardia"),
    }
    assert "canary" not in answer.text
    assert house.storage.brands.all() == []


def test_it_applies_a_configuration_as_a_whole(house: House) -> None:
    admin = house.caller()
    assert admin.post("/api/v1/config/apply", content=CONFIG, headers=TOML).json()["applied"] is True
    assert [b.slug for b in house.storage.brands.all()] == ["aurora"]
    assert admin.post("/api/v1/config/apply", content=CONFIG, headers=TOML).json()["differences"] == []
    emptied = admin.post("/api/v1/config/apply", content="", headers=TOML).json()
    assert emptied["summary"] == "0 to make, 0 to change, 2 to archive"
    assert house.storage.brands.all() == []


def test_a_wrong_configuration_names_line_and_key_and_applies_nothing(house: House) -> None:
    broken = CONFIG + '\n[[brands]]\nname = "Brisa"\nquery = "("\n'
    answer = house.caller().post("/api/v1/config/apply", content=broken, headers=TOML)
    assert answer.status_code == 422
    assert [e["where"] for e in answer.json()["errors"]] == ["avizor.toml:13 brands[1].query"]
    assert house.storage.brands.all() == []


def test_a_wrong_configuration_names_every_problem_at_once(house: House) -> None:
    broken = CONFIG + 'enabled = "yes"\n\n[[brands]]\nname = "Brisa"\nquery = "brisa"\nchannels = ["nadie"]\n'
    answer = house.caller().post("/api/v1/config/plan", content="[settings]\nprot = 1\n" + broken, headers=TOML)
    assert answer.status_code == 422
    assert [e["where"].split()[1] for e in answer.json()["errors"]] == [
        "settings.prot",
        "channels[0].enabled",
        "brands[1].channels[0]",
    ]


@pytest.mark.parametrize("reference", ["${PATH}", "${HOME}", "${file:/etc/hostname}", "${AVIZOR_SECRET_KEYS}"])
def test_a_configuration_over_http_reads_nothing_of_the_machine(house: House, reference: str) -> None:
    text = CONFIG.replace("https://hooks.slack.com/services/T0/B0/canary0123456789", reference)
    answer = house.caller().post("/api/v1/config/apply", content=text, headers=TOML)
    assert answer.status_code == 422
    assert house.storage.channels.all() == []
    plain = house.caller().post("/api/v1/config/apply", content=CONFIG, headers=TOML)
    assert plain.status_code == 200, "the same text without the reference must pass, or this proves nothing"


@pytest.mark.parametrize("media_type", ["application/json", "multipart/form-data", ""])
def test_a_configuration_says_that_it_is_one(house: House, media_type: str) -> None:
    answer = house.caller().post("/api/v1/config/plan", content=CONFIG, headers={"Content-Type": media_type})
    assert answer.status_code == 415


def test_a_configuration_is_text(house: House) -> None:
    assert house.caller().post("/api/v1/config/plan", content=b"\xff\xfe", headers=TOML).status_code == 422
