"""verify: every number of an incident's dossier, had again from the stored rows. Exit status 1: one is not equal."""

from typing import Any

from app.cli.paper import looked_at, put, put_json, put_rows, say
from app.cli.refusal import Refusal
from app.cli.rooms import open_storage_ready
from app.pipeline.verify import CannotVerify, Verification, to_mapping_of, verify
from app.settings import load_settings


def verify_incident(incident_id: str, seq: int | None = None, *, as_json: bool) -> bool:
    """Whether everything is equal. Raises `Refusal` where there is nothing to verify."""
    with open_storage_ready(load_settings()) as storage:
        incident = storage.incidents.get(incident_id)
        if incident is None:
            raise Refusal(f"there is no incident {incident_id}")
        try:
            found = verify(storage, incident, seq)
        except CannotVerify as error:
            raise Refusal(str(error)) from None
    if as_json or not looked_at():
        put_json(to_mapping_of(found))
    else:
        tell(found)
    return found.equal


def tell(found: Verification) -> None:
    put_rows([_check(one.what, one.stored, one.recomputed, equal=one.equal) for one in found.checks])
    if found.drift:
        put("")
        put("what is not as it was")
        put_rows(to_mapping_of(found)["drift"])
    if found.more_drift:
        say(f"{found.more_drift} more rows are left out")
    if found.came_later:
        say(f"{found.came_later} mentions of that window were stored later: they were not known, and do not count")
    unequal = sum(not one.equal for one in found.checks)
    say("every number is equal" if found.equal else f"{unequal} of {len(found.checks)} numbers are not equal")


def _check(what: str, stored: Any, recomputed: Any, *, equal: bool) -> dict[str, Any]:
    return {"number": what, "stored": _short(stored), "again": _short(recomputed), "equal": equal}


def _short(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
