"""Every way in which publishers write a date, and what is no date."""

from datetime import UTC, datetime

import pytest

from collectors.dates import read_date


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Sun, 22 Nov 2026 10:00:00 GMT", (2026, 11, 22, 10, 0)),
        ("Sun, 22 Nov 2026 10:00:00 +0130", (2026, 11, 22, 8, 30)),
        ("22 Nov 26 10:00 EST", (2026, 11, 22, 15, 0)),
        ("Sunday, 22-Nov-26 10:00:00 UTC", (2026, 11, 22, 10, 0)),
        ("2026-11-22T10:00:00+01:00", (2026, 11, 22, 9, 0)),
        ("2026-11-22T10:00:00.5Z", (2026, 11, 22, 10, 0, 0, 500_000)),
        ("2026-11-22 10:00", (2026, 11, 22, 10, 0)),
        ("20261122T100000Z", (2026, 11, 22, 10, 0)),
        ("2026-11-22", (2026, 11, 22)),
        ("1795341600", (2026, 11, 22, 10, 0)),
        ("1795341600000", (2026, 11, 22, 10, 0)),
        # what feedparser cannot read, or reads wrongly
        ("Nov 22 2026 02:02:33 PM", (2026, 11, 22, 14, 2, 33)),
        ("22 Nov 2026 12:05 AM", (2026, 11, 22, 0, 5)),
        ("22 Nov 2026 10:00 GMT+9", (2026, 11, 22, 1, 0)),
        ("22/11/2026 10:00", (2026, 11, 22, 10, 0)),
        ("01/10/2026 10:00", (2026, 10, 1, 10, 0)),
        ("11/22/2026 10:00", (2026, 11, 22, 10, 0)),
        ("22.11.2026", (2026, 11, 22)),
        ("dom, 22 nov 2026 10:00:00 +0100", (2026, 11, 22, 9, 0)),
        ("22 de noviembre de 2026, 10:00 h", (2026, 11, 22, 10, 0)),
        ("mié., 3 dic. 2025 9:05 p. m.", (2025, 12, 3, 21, 5)),
        ("mar, 16 mar 2027 08:00:00 GMT", (2027, 3, 16, 8, 0)),
        ("Seg, 24 Set 2018 10:11:12 -0300", (2018, 9, 24, 13, 11, 12)),
        ("mer, 16 nov 2022 10:00:00 +0100", (2022, 11, 16, 9, 0)),
        ("1er août 2026", (2026, 8, 1)),
        ("Di, 3. März 2026 09:05", (2026, 3, 3, 9, 5)),
        ("ven, 4 settembre 2026 07:30:00 CEST", (2026, 9, 4, 5, 30)),
        ("Sun Nov 22 10:00:00 2026", (2026, 11, 22, 10, 0)),
        ("November 22nd, 2026 at 3:04 pm", (2026, 11, 22, 15, 4)),
        ("Thu, 31 Dec 2026 23:59:60 GMT", (2026, 12, 31, 23, 59, 59)),
    ],
)
def test_it_reads_what_publishers_write(text: str, moment: tuple[int, ...]) -> None:
    year, month, day, hour, minute, second, micro = (*moment, 0, 0, 0, 0, 0)[:7]
    assert read_date(text) == datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ayer",
        "hace 3 horas",
        "31 feb 2026",
        "0000-00-00T00:00:00Z",
        "2026-11-22T25:00:00Z",
        "2026-13-01",
        "22 nov",
        "12:30",
        "Sun, 22 Nov 2026 10:00:00 +9900",
        "9" * 1000,
        "Mon " * 30,
        "1" * 11,
    ],
)
def test_it_never_guesses(text: str) -> None:
    assert read_date(text) is None
