"""API keys: only a hash is kept, and using one is noted to the minute."""

from datetime import datetime, timedelta

from app.model import ApiKey
from app.storage import Storage


def key(now: datetime, key_id: str = "k1", **fields: object) -> ApiKey:
    return ApiKey(**{"id": key_id, "name": "Grafana", "role": "viewer", "brands": None, "created_at": now} | fields)


def test_a_key_comes_back_with_its_hash(storage: Storage, now: datetime) -> None:
    everything = key(now, brands=("acme", "zeta"), role="admin", expires_at=now + timedelta(days=1))
    storage.keys.create(everything, b"\x00" * 32)
    assert storage.keys.get("k1") == (everything, b"\x00" * 32)
    assert storage.keys.get("k2") is None


def test_no_brands_and_every_brand_are_not_the_same(storage: Storage, now: datetime) -> None:
    storage.keys.create(key(now, "none", brands=()), b"1")
    storage.keys.create(key(now, "every", brands=None), b"2")
    assert {one.id: one.brands for one in storage.keys.all()} == {"none": (), "every": None}


def test_any_says_whether_a_key_was_ever_made(storage: Storage, now: datetime) -> None:
    assert not storage.keys.any()
    storage.keys.create(key(now), b"1")
    storage.keys.revoke("k1", now)
    assert storage.keys.any()


def test_keys_are_listed_oldest_first(storage: Storage, now: datetime) -> None:
    storage.keys.create(key(now, "b"), b"1")
    storage.keys.create(key(now - timedelta(days=1), "c"), b"2")
    storage.keys.create(key(now, "a"), b"3")
    assert [one.id for one in storage.keys.all()] == ["c", "a", "b"]


def test_a_revoked_key_stays_revoked(storage: Storage, now: datetime) -> None:
    storage.keys.create(key(now), b"1")
    assert storage.keys.revoke("k1", now)
    assert storage.keys.revoke("k1", now + timedelta(days=1))
    assert storage.keys.all()[0].revoked_at == now
    assert not storage.keys.revoke("nobody", now)


def test_use_is_noted_to_the_minute(storage: Storage, now: datetime) -> None:
    storage.keys.create(key(now), b"1")

    def used_at(instant: datetime) -> datetime | None:
        storage.keys.touch("k1", instant)
        return storage.keys.all()[0].last_used_at

    assert used_at(now) == now
    assert used_at(now + timedelta(seconds=59)) == now, "not every request is a write"
    assert used_at(now + timedelta(seconds=60)) == now + timedelta(seconds=60)
    assert used_at(now - timedelta(hours=1)) == now - timedelta(hours=1), "the clock was set back"
    storage.keys.touch("nobody", now)
