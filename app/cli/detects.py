"""detect: counts in, one bin a row of a CSV file; verdicts out, one JSON object a row, in the same order."""

import re
from typing import Annotated

import typer

from app.cli.refusal import MISUSED, Refusal


def detect(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The CSV file; - is stdin.", show_default=False)],
    bin: Annotated[str, typer.Option(help="How long a row's bin is: 1m, 5m, 10m, 15m, 30m or 1h.")] = "5m",
    policy: Annotated[str | None, typer.Option(help="A TOML file with false_warnings_per_month.")] = None,
) -> None:
    """Judge a stream of counts row by row, as if it came in now. Prints one verdict a row, as JSON.

    Columns: timestamp,count or timestamp,negative,total.
    """
    from alerts.detect.online import judge_rows, read_rows
    from alerts.detect.policy import Dial
    from alerts.detect.tuning import tuning_for
    from app.cli.paper import numbered_raw_lines, put_json, text_of
    from app.cli.policies import read_policy

    dial = read_policy(policy).dial if policy else Dial()
    try:
        tuning = tuning_for(seconds_of(bin))
    except ValueError as error:
        raise Refusal(f"--bin {bin}: {error}", MISUSED) from None
    try:
        counts_only, rows = read_rows(text_of(raw, file, number) for number, raw in numbered_raw_lines(file))
        for line in judge_rows(rows, dial, tuning, counts_only=counts_only):
            put_json(line)
    except ValueError as error:
        raise Refusal(f"{file}: {error}") from None


def seconds_of(text: str) -> int:
    """5m, 1h or 300s in seconds. Raises `ValueError`."""
    found = re.fullmatch(r"(\d{1,6})([smh])", text.strip())
    if found is None:
        raise ValueError("is not a length such as 5m or 1h")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]
