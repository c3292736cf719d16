"""When a thing was published, out of whatever its publisher wrote.

    2026-11-22T10:00:00+01:00 · Sun, 22 Nov 2026 10:00:00 GMT · dom, 22 nov 2026 · 22 de noviembre de 2026 10:00 ·
    Nov 22 2026 02:02:33 PM · Sun Nov 22 10:00:00 2026 · 22/11/2026 10:00 · 20261122T100000Z · 1795341600

Day before month where only numbers stand, unless that cannot be. No zone means UTC. Never a guess beyond that: what
does not fit gives None, and the caller says that it took the time of the fetch.
"""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from functools import cache

_LENGTH_LIMIT = 80

_MONTHS = (  # English, Spanish, Portuguese, French, Italian, German, Catalan; without accents
    "january jan enero ene janeiro janvier janv gennaio gen januar janner gener",
    "february feb febrero fevereiro fev fevrier fevr febbraio febbr februar febrer",
    "march mar marzo marco mars marz maerz mrz marc",
    "april apr abril abr avril avr aprile",
    "may mayo maio mai maggio mag maig",
    "june jun junio junho juin giugno giu juni juny",
    "july jul julio julho juillet juil luglio lug juli juliol",
    "august aug agosto ago aout agost",
    "september sep sept septiembre setiembre set setembro septembre settembre sett setembre",
    "october oct octubre outubro out octobre ottobre ott oktober okt",
    "november nov noviembre novembro novembre",
    "december dec diciembre dic dezembro dez decembre dicembre dezember desembre des",
)

# Hours east of UTC. Names with several meanings stand for the one that feeds use most.
_ZONES = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "met": 1, "cest": 2, "mest": 2,
    "eet": 2, "eest": 3, "msk": 3, "ist": 5.5, "sgt": 8, "jst": 9, "kst": 9, "est": -5, "edt": -4, "et": -5, "cst":
    -6, "cdt": -5, "ct": -6, "mst": -7, "mdt": -6, "mt": -7, "pst": -8, "pdt": -7, "pt": -8, "ast": -4, "adt": -3,
    "art": -3, "brt": -3, "brst": -2, "clt": -4, "clst": -3, "cot": -5, "pet": -5, "vet": -4, "uyt": -3, "hst": -10,
    "akst": -9, "akdt": -8,
}  # fmt: skip

_ISO = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6})\d*)?)?)?"
    r"\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?$",
    re.IGNORECASE,
)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T?(\d{2})(\d{2})(\d{2})?())?(Z)?$", re.IGNORECASE)
_MAIL = re.compile(
    r"(?:[A-Z][a-z]{2}, )?(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) (?:GMT|UTC|Z|([+-])(\d{2})(\d{2}))$"
)  # RFC 5322, as nearly all RSS writes it
_DAY_MONTH_YEAR = re.compile(
    r"\b(\d{1,2})(?:st|nd|rd|th|er|\.|o)?[ /-]+(?:de |di |of )?([a-z]+)\.?,?[ /-]+(?:de |del |di )?(\d{4}|\d{2})\b"
)
_MONTH_DAY_YEAR = re.compile(r"\b([a-z]+)\.? (\d{1,2})(?:st|nd|rd|th)?,? (?:de |del )?(\d{4})\b")
_MONTH_DAY_TIME_YEAR = re.compile(r"\b([a-z]+) (\d{1,2}) (?:\d{1,2}:\d{2}(?::\d{2})?)(?: [a-z]{1,5})? (\d{4})$")
_NUMBERS = re.compile(r"\b(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})\b")
_YEAR_FIRST = re.compile(r"\b(\d{4})[/.](\d{1,2})[/.](\d{1,2})\b")
_TIME = re.compile(r"(?<![\d:+-])(\d{1,2})[:h](\d{2})(?::(\d{2})(?:\.\d+)?)?(?:\s*([ap])\.?\s?m\b\.?)?(.*)$")
_OFFSET = re.compile(r"^\s*(?:etc/)?(?:gmt|utc|ut)?\s*([+-])\s?(\d{1,2})(?::?(\d{2}))?\b")
_ZONE_NAME = re.compile(r"^\s*\(?([a-z]{1,5})\b")


def read_date(text: str) -> datetime | None:
    """The instant in UTC, or None when the text holds no date that can be read without guessing."""
    text = " ".join(text[: 4 * _LENGTH_LIMIT].split())
    if not text or len(text) > _LENGTH_LIMIT:
        return None
    try:
        return _mail(text) or _iso(text) or _epoch(text) or _written(_folded(text))
    except (ValueError, OverflowError):  # the 31st of February, the year 0, 25 o'clock
        return None


def _mail(text: str) -> datetime | None:
    match = _MAIL.match(text)
    month = _months().get(match.group(2).lower()) if match else None
    if match is None or month is None:
        return None
    day, _, year, hour, minute, second, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) if sign else timedelta(0)
    return _instant(
        (int(year), month, int(day)), (int(hour), int(minute), int(second)), -offset if sign == "-" else offset
    )


def _iso(text: str) -> datetime | None:
    match = _ISO.match(text) or _COMPACT.match(text)
    if match is None or (len(text) in (10, 13) and text.isdigit()):
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    moment = _instant(
        (int(year), int(month), int(day)), (int(hour or 0), int(minute or 0), int(second or 0)), _offset(zone or "")
    )
    return moment.replace(microsecond=int(fraction.ljust(6, "0"))) if fraction else moment


def _epoch(text: str) -> datetime | None:
    """Seconds or milliseconds since 1970."""
    if not text.isdigit() or len(text) not in (10, 13):
        return None
    return datetime.fromtimestamp(int(text[:10]), UTC)


def _written(text: str) -> datetime | None:
    day = _day(text)
    if day is None:
        return None
    time = _TIME.search(text)
    if time is None:
        return _instant(day, (0, 0, 0), timedelta(0))
    hour, minute, second, half, rest = time.groups()
    return _instant(day, (_hour(int(hour), half), int(minute), int(second or 0)), _offset(rest))


def _day(text: str) -> tuple[int, int, int] | None:
    for pattern, order in ((_DAY_MONTH_YEAR, "dmy"), (_MONTH_DAY_YEAR, "mdy"), (_MONTH_DAY_TIME_YEAR, "mdy")):
        for match in pattern.finditer(text):
            parts = dict(zip(order, match.groups(), strict=True))
            month = _months().get(parts["m"])
            if month is not None:
                return _full_year(parts["y"]), month, int(parts["d"])
    if found := _YEAR_FIRST.search(text):
        year, month, day = (int(number) for number in found.groups())
        return year, month, day
    if found := _NUMBERS.search(text):
        day, month, year = (int(number) for number in found.groups())
        return (year, day, month) if month > 12 else (year, month, day)
    return None


def _hour(hour: int, half: str | None) -> int:
    if half is None or hour > 12:
        return hour
    return hour % 12 + (12 if half == "p" else 0)


def _offset(rest: str) -> timedelta:
    rest = rest.lower()
    if match := _OFFSET.match(rest):
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return -offset if sign == "-" else offset
    name = _ZONE_NAME.match(rest)
    return timedelta(hours=_ZONES.get(name.group(1), 0) if name else 0)


def _instant(day: tuple[int, int, int], time: tuple[int, int, int], offset: timedelta) -> datetime:
    hour, minute, second = time
    moment = datetime(*day, hour, minute, min(second, 59), tzinfo=UTC)  # 60: a leap second
    if abs(offset) >= timedelta(days=1):
        raise ValueError("an offset of more than a day")
    return moment - offset if offset else moment


def _full_year(digits: str) -> int:
    year = int(digits)
    return year if len(digits) == 4 else year + (1900 if year >= 70 else 2000)


def _folded(text: str) -> str:
    text = unicodedata.normalize("NFKD", text.lower().replace("º", ""))
    return "".join(letter for letter in text if not unicodedata.combining(letter))


@cache
def _months() -> dict[str, int]:
    return {name: number for number, names in enumerate(_MONTHS, start=1) for name in names.split()}
