"""Keys over HTTP: shown once, listed without their secret, revoked at once."""

from app.api.keys import KeyList
from tests.app.api.house import House

ANA = {"name": "Ana", "role": "responder", "brands": ["aurora"]}


def test_a_key_is_shown_once_and_works(house: House) -> None:
    house.brand("aurora")
    admin = house.caller()
    made = admin.post("/api/v1/keys", json=ANA)
    assert made.status_code == 201, made.text
    secret = made.json()["key"].split("_", 2)[2]
    listed = admin.get("/api/v1/keys")
    KeyList.model_validate_json(listed.content)
    assert secret not in listed.text
    assert "sha256" not in listed.text
    ana = house.anybody(Authorization=f"Bearer {made.json()['key']}")
    assert [b["slug"] for b in ana.get("/api/v1/brands").json()["items"]] == ["aurora"]


def test_it_keeps_role_brands_and_expiry(house: House) -> None:
    house.brand("aurora")
    wish = ANA | {"expires_at": "2027-01-01T00:00:00+01:00"}
    made = house.caller().post("/api/v1/keys", json=wish).json()
    assert {key: made[key] for key in ("role", "brands", "expires_at", "created_at", "revoked_at")} == {
        "role": "responder",
        "brands": ["aurora"],
        "expires_at": "2026-12-31T23:00:00Z",
        "created_at": "2026-11-18T12:00:00Z",
        "revoked_at": None,
    }
    assert house.caller().post("/api/v1/keys", json={"name": "All", "role": "viewer"}).json()["brands"] is None


def test_a_wish_that_cannot_be_is_refused(house: House) -> None:
    admin = house.caller()
    for wrong in (
        {},
        ANA,  # there is no such brand
        {"name": "x", "role": "owner"},
        {"name": " ", "role": "viewer"},
        {"name": "x", "role": "viewer", "brands": []},  # covering nothing is a mistake, not a wish
        {"name": "x", "role": "viewer", "expires_at": "2026-11-18T12:00:00Z"},
        {"name": "x", "role": "viewer", "expires_at": 0},
        {"name": "x", "role": "viewer", "sha256": "x"},
    ):
        assert admin.post("/api/v1/keys", json=wrong).status_code == 422
    assert len(house.storage.keys.all()) == 1


def test_one_that_does_not_exist_cannot_be_revoked(house: House) -> None:
    assert house.caller().delete("/api/v1/keys/0123456789abcdef").status_code == 404
