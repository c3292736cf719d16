"""A policy file: what `--policy` names. The same keys as `[policy]` in avizor.toml, with the table or without."""

import tomllib
from pathlib import Path
from typing import Any

from app.cli.refusal import MISUSED, Refusal
from app.model import Policy

DIAL = "false_warnings_per_month"
KEYS = (DIAL, "name", "reason")


def read_policy(file: str) -> Policy:
    """Its name is by default the file's. Raises `Refusal` for a file that cannot be read or sets anything else."""
    try:
        return _policy(tomllib.loads(Path(file).read_text(encoding="utf-8")), Path(file).stem)
    except OSError as error:
        raise Refusal(f"{file}: cannot be read: {error.strerror}", MISUSED) from None
    except ValueError as error:
        raise Refusal(f"{file}: {error}", MISUSED) from None


def _policy(values: dict[str, Any], name: str) -> Policy:
    values = values.get("policy", values)
    if not isinstance(values, dict):
        raise ValueError("policy must be a table: write [policy] on a line of its own")
    if unknown := sorted(set(values) - set(KEYS)):
        raise ValueError(f"there is no {', '.join(unknown)}; there are: {', '.join(KEYS)}")
    dial = values.get(DIAL, 1.0)
    if isinstance(dial, bool) or not isinstance(dial, int | float):
        raise ValueError(f"{DIAL} is a number")
    for key in KEYS[1:]:
        if not isinstance(values.get(key, "-"), str) or not values.get(key, "-").strip():
            raise ValueError(f"{key} is a text")
    return Policy(
        name=values.get("name", name).strip(), false_warnings_per_month=float(dial), reason=values.get("reason", "")
    )
