"""Keys of the API: made here or over the API, shown once, revoked at once."""

from datetime import datetime, timedelta
from typing import Any

from app.api.auth import new_key
from app.cli.paper import put, put_rows, say
from app.cli.refusal import MISUSED, Refusal
from app.cli.rooms import open_storage_ready
from app.clock import utc_now
from app.model import ApiKey, Role
from app.settings import load_settings


def create(name: str, role: Role, brands: tuple[str, ...], days: int | None) -> None:
    """Make a key and print it: the only time that it is shown."""
    now = utc_now()
    expires_at = now + timedelta(days=days) if days is not None else None
    with open_storage_ready(load_settings()) as storage:
        known = {brand.slug for brand in storage.brands.all()}
        unknown = [brand for brand in brands if brand not in known]
        if unknown:
            raise Refusal(f"there is no brand {unknown[0]}; there are: {', '.join(sorted(known)) or 'none'}", MISUSED)
        made = new_key(name, role, brands or None, now, expires_at)
        storage.keys.create(made.key, made.sha256)
    say(f"key {made.key.id}, role {role}, for {', '.join(brands) or 'every brand'}. It is shown this once:")
    put(made.text)


def show() -> None:
    now = utc_now()
    with open_storage_ready(load_settings()) as storage:
        put_rows([_row(key, now) for key in storage.keys.all()])


def revoke(key_id: str) -> None:
    with open_storage_ready(load_settings()) as storage:
        if not storage.keys.revoke(key_id, utc_now()):
            raise Refusal(f"there is no key {key_id}; `avizor keys list` shows their ids")
    say(f"key {key_id} opens nothing from now on")


def _row(key: ApiKey, now: datetime) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role,
        "brands": key.brands,
        "state": _state(key, now),
        "last_used_at": key.last_used_at,
        "expires_at": key.expires_at,
    }


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at:
        return "revoked"
    return "expired" if key.expires_at and key.expires_at <= now else "live"
