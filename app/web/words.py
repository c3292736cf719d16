"""The pages' words: gettext catalogues for the texts, and for numbers and times the same hands as the alerts have.

The message ids are the English texts. The language is the reader's: `?lang=` once, then a cookie, else what the browser
asks for, else the installation's own.
"""

import io
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from fastapi import Request

from alerts.texts import Words
from app.settings import InterfaceLanguage

COOKIE: Final = "avizor_lang"
CATALOGUES = Path(__file__).parent / "locale"
NAMES: dict[InterfaceLanguage, str] = {"es": "Español", "en": "English"}


def N_(msgid: str) -> str:
    """Mark a text for the catalogue where it is written, to be said elsewhere."""
    return msgid


@lru_cache(maxsize=256)
def words(language: InterfaceLanguage, time_zone: str = "UTC") -> Words:
    """One reader's words. Raises `KeyError` for a time zone that nobody knows."""
    return Words(language, ZoneInfo(time_zone), catalogue(language))


@lru_cache(maxsize=len(NAMES))
def catalogue(language: InterfaceLanguage) -> NullTranslations:
    """Read from its .po and compiled in memory: no build step, no stale .mo file. English is its own catalogue."""
    if language == "en":
        return NullTranslations()
    with (CATALOGUES / language / "LC_MESSAGES" / "web.po").open("rb") as file:
        texts = read_po(file, locale=Locale.parse(language))
    compiled = io.BytesIO()
    write_mo(compiled, texts)
    compiled.seek(0)
    return GNUTranslations(compiled)


def known(code: str | None) -> InterfaceLanguage | None:
    """The language of a tag such as `es-MX`, if we have its texts."""
    match (code or "").replace("_", "-").partition("-")[0].strip().lower():
        case "es":
            return "es"
        case "en":
            return "en"
        case _:
            return None


def asked(request: Request) -> InterfaceLanguage | None:
    """The language that the address asks for."""
    return known(request.query_params.get("lang"))


def language_of(request: Request, default: InterfaceLanguage) -> InterfaceLanguage:
    header = request.headers.get("accept-language", "")
    return asked(request) or known(request.cookies.get(COOKIE)) or [*preferred(header), default][0]


def preferred(header: str) -> list[InterfaceLanguage]:
    """The languages of an Accept-Language header that we have, the most wanted first (RFC 9110, 12.5.4)."""
    weighted: list[tuple[float, InterfaceLanguage]] = []
    for part in header.split(",")[:20]:
        tag, _, parameter = part.partition(";")
        language, weight = known(tag), quality(parameter)
        if language and weight > 0:
            weighted.append((weight, language))
    return [language for _, language in sorted(weighted, key=lambda pair: -pair[0])]


def quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
