"""What people read, in their language: gettext catalogues for the words, babel for numbers, dates and places.

    words("es", "Europe/Madrid").say("Open the incident") -> "Abrir el incidente"

The message ids are the English texts. A catalogue is `locale/<language>/LC_MESSAGES/alerts.po`; it is read at first
use and compiled in memory, so there is no build step and no stale .mo file. What is written here is plain text:
whoever shows it (Slack, HTML) escapes it.
"""

import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.dates import format_skeleton, get_timezone_location
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

LANGUAGES = ("es", "en")
DEFAULT_LANGUAGE = "es"
CATALOGUES = Path(__file__).parent / "locale"

LEAST = 1e-6  # what is smaller is written as 0: nobody reads so many noughts

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def N_(msgid: str) -> str:
    """Mark a text for the catalogue where it is written, to be said elsewhere (gettext's own name for it)."""
    return msgid


@dataclass(frozen=True, slots=True)
class Words:
    """One reader's language and time zone. Make it with `words`."""

    language: str
    zone: ZoneInfo
    catalogue: NullTranslations

    def say(self, msgid: str, /, **values: object) -> str:
        """The text in the reader's language, its `{names}` filled in."""
        return self.catalogue.gettext(msgid).format(**values)

    def count(self, one: str, many: str, n: int, /, **values: object) -> str:
        """The same for a text that depends on a number; `{n}` is that number."""
        return self.catalogue.ngettext(one, many, n).format(n=self.number(n), **values)

    def number(self, value: float) -> str:
        """Two significant digits below 0.1, two decimals below 10, one below 100, none above: 0.0078, 0.25, 1,250."""
        size = abs(value)
        if LEAST <= size < 0.1:
            # Not babel's "@#", which writes 0.0996 as 0.01.
            return format_decimal(Decimal(f"{value:.1e}"), "0.#######", locale=self.language)
        return format_decimal(value, "0.##" if size < 10 else "0.#" if size < 100 else "#,##0", locale=self.language)

    def percent(self, share: float) -> str:
        return format_percent(share, locale=self.language)

    def clock(self, time: datetime) -> str:
        return format_skeleton("Hm", time, tzinfo=self.zone, locale=self.language)

    def day(self, time: datetime) -> str:
        return format_skeleton("MMMd", time.astimezone(self.zone), tzinfo=self.zone, locale=self.language)

    def moment(self, time: datetime) -> str:
        """Day and time: `22 nov, 14:05`."""
        return f"{self.day(time)}, {self.clock(time)}"

    def span(self, start: datetime, end: datetime) -> str:
        """`22 nov, 14:05-14:35` with a long dash; both days where they differ."""
        last = self.clock(end) if self.day(start) == self.day(end) else self.moment(end)
        return f"{self.moment(start)}–{last}"

    @property
    def place(self) -> str:
        """Whose time it is: the city of the time zone, or UTC."""
        if self.zone.key in ("UTC", "Etc/UTC"):
            return "UTC"
        return get_timezone_location(self.zone, locale=self.language, return_city=True).rsplit("/")[-1]

    @property
    def has_city(self) -> bool:
        """Whether `place` is a city: Spanish says "hora de Madrid", but "hora UTC"."""
        return "/" in self.zone.key and not self.zone.key.startswith("Etc/")

    def duration(self, length: timedelta) -> str:
        """`45 min`, `2 h 5 min`, `1 d 3 h`: short forms that both languages share."""
        length = max(length, timedelta())
        days, hours, minutes = length // DAY, length % DAY // HOUR, length % HOUR // MINUTE
        parts = [(days, "d"), (hours, "h"), (minutes, "min")]
        shown = [f"{number} {unit}" for number, unit in parts if number][:2]
        return " ".join(shown) or "0 min"

    def stretch(self, length: timedelta) -> str:
        """`30 minutos`, `3 horas`, `24 horas`: a stretch that something is counted in, so never days."""
        unit, one = ("hour", HOUR) if length % HOUR == timedelta() else ("minute", MINUTE)
        return format_unit(length // one, f"duration-{unit}", locale=self.language)

    def short_stretch(self, length: timedelta) -> str:
        """`30 min`, `3 h`, `24 h`, in both languages."""
        return f"{length // HOUR} h" if length % HOUR == timedelta() else f"{length // MINUTE} min"

    def rarity(self, months: float) -> str:
        """How often chance alone would give it: once in so many months of 30 days, or so many times a month."""
        if months >= 120:
            return self.say("less than once in ten years")
        if months >= 23.5:
            return self.count("about once in {n} year", "about once in {n} years", round(months / 12))
        if (whole := round(months)) >= 2:
            return self.count("about once in {n} month", "about once in {n} months", whole)
        if (times := round(1 / max(months, 1e-9))) >= 25:
            return self.say("every day or so")
        return self.count("about once a month", "about {n} times a month", max(1, times))


@lru_cache(maxsize=256)
def words(language: str, time_zone: str = "UTC") -> Words:
    """The words for a reader. An unknown language reads Spanish, an unknown time zone is UTC: a page must leave."""
    return Words(known_language(language), _zone(time_zone), _catalogue(known_language(language)))


def known_language(tag: str) -> str:
    """`es-MX` -> `es`; what we have no texts for -> `es`."""
    language = tag.replace("_", "-").split("-")[0].lower()
    return language if language in LANGUAGES else DEFAULT_LANGUAGE


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


@lru_cache(maxsize=len(LANGUAGES))
def _catalogue(language: str) -> NullTranslations:
    path = CATALOGUES / language / "LC_MESSAGES" / "alerts.po"
    if not path.exists():
        return NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=Locale.parse(language))
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)
