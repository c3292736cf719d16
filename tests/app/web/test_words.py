"""Every text of the pages exists in Spanish and English, and the reader gets their own."""

import re
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import app.web
from app.web.words import known, preferred, words
from tests.app.api.house import House

WEB = Path(app.web.__file__).parent
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
KEYWORDS = {"t": None, "n": (1, 2), "N_": None}
HOLE = re.compile(r"\{(\w+)\}")


def used() -> set[str | tuple[str, ...]]:
    return {found[2] for found in extract_from_dir(WEB, method_map=METHODS, keywords=KEYWORDS)}


def spanish() -> dict[Any, Any]:
    with (WEB / "locale" / "es" / "LC_MESSAGES" / "web.po").open("rb") as file:
        return {message.id: message.string for message in read_po(file) if message.id}


def parts(text: str | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text


def test_every_text_stands_in_the_spanish_catalogue_and_no_other() -> None:
    assert len(used()) > 150
    assert used() - set(spanish()) == set()
    assert set(spanish()) - used() == set()


def test_every_text_is_translated_with_the_same_holes() -> None:
    for english, translated in spanish().items():
        assert all(parts(translated)), english
        assert len(parts(translated)) == len(parts(english))
        for text in parts(translated):
            assert set(HOLE.findall(text)) == set(HOLE.findall(parts(english)[-1])), english


def test_words_fit_their_number() -> None:
    tongue = words("es")
    assert tongue.count("{n} copy", "{n} copies", 1) == "1 copia"
    assert tongue.count("{n} copy", "{n} copies", 2) == "2 copias"
    assert words("en").count("{n} copy", "{n} copies", 2) == "2 copies"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("en-GB", "en"),
        ("fr,en;q=0.3,es;q=0.7", "es"),
        ("es;q=0,en;q=0.1", "en"),
        ("en;q=x,es;q=0.1", "es"),
        ("fr", None),
        ("", None),
        (";;;,,q=", None),
    ],
)
def test_it_speaks_what_the_browser_asks_for(header: str, language: str | None) -> None:
    assert next(iter(preferred(header)), None) == language


def test_it_knows_two_languages() -> None:
    assert [known(code) for code in ("es", "ES-ar", "en_US", "pt", "", None)] == ["es", "es", "en", None, None, None]


def test_a_choice_is_kept_over_what_the_browser_asks_for(house: House) -> None:
    browser = house.anybody(**{"Accept": "text/html", "Accept-Language": "en"})
    assert '<html lang="en">' in browser.get("/login").text
    chosen = browser.get("/login?lang=es")
    assert '<html lang="es">' in chosen.text
    assert "HttpOnly" in chosen.headers["set-cookie"]
    assert '<html lang="es">' in browser.get("/login").text
    assert '<html lang="es">' in browser.get("/login?lang=xx").text


def test_without_a_wish_it_speaks_the_installations_language(house: House) -> None:
    assert '<html lang="en">' in house.anybody(**{"Accept-Language": "ja"}).get("/login").text


def test_the_alerts_sentences_come_in_the_readers_language_too(house: House) -> None:
    incident = house.crisis(house.brand("aurora"))
    assert "menciones negativas en 30 minutos" in house.visitor(language="es").get(f"/incidents/{incident.id}").text
    assert "negative mentions in 30 minutes" in house.visitor(language="en").get(f"/incidents/{incident.id}").text
