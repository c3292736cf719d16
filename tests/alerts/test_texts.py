"""Every sentence in both languages, numbers and times as their readers write them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from alerts import prose
from alerts.texts import CATALOGUES, LANGUAGES, known_language, words
from tests.alerts.crisis import alert

NAMES = re.compile(r"\{\w+\}")
THEN = datetime(2026, 11, 15, 2, 5, tzinfo=UTC)


def written() -> set[str]:
    """The message ids in the code."""
    found = extract_from_dir(
        str(CATALOGUES.parent), method_map=[("**.py", "python")], keywords={"say": None, "count": (1, 2), "N_": None}
    )
    return {message if isinstance(message, str) else message[0] for _, _, message, _, _ in found}


def catalogue() -> Catalog:
    with (CATALOGUES / "es" / "LC_MESSAGES" / "alerts.po").open("rb") as file:
        return read_po(file)


def texts(entry: object) -> Iterator[str]:
    yield from [entry] if isinstance(entry, str) else entry  # type: ignore[misc]


def test_every_text_has_a_spanish_one() -> None:
    assert len(written()) > 40
    missing = [
        message for message in written() if not (entry := catalogue().get(message)) or not all(texts(entry.string))
    ]
    assert missing == []


def test_no_entry_of_the_catalogue_is_stale() -> None:
    known = {message.id if isinstance(message.id, str) else message.id[0] for message in catalogue() if message.id}
    assert known - written() == set()


def test_a_translation_fills_in_the_same_names() -> None:
    """A name that only the translation has would be a KeyError at three in the morning."""
    for message in catalogue():
        if message.id:
            needed = {name for one in texts(message.id) for name in NAMES.findall(one)}
            used = [set(NAMES.findall(text)) for text in texts(message.string)]
            assert all(names <= needed for names in used), message.id
            assert used[-1] == needed, message.id


def test_no_fuzzy_or_obsolete_entry_is_kept() -> None:
    assert not [message for message in catalogue() if message.fuzzy and message.id]
    assert not catalogue().obsolete


def test_numbers_are_written_as_their_readers_do() -> None:
    es, en = words("es"), words("en")
    assert [es.number(value) for value in (0.25, 9.6, 45.25, 12345)] == ["0,25", "9,6", "45,2", "12.345"]
    assert [en.number(value) for value in (0.25, 9.6, 45.25, 12345)] == ["0.25", "9.6", "45.2", "12,345"]
    assert es.percent(0.8) == "80\xa0%"
    assert en.percent(0.8) == "80%"


def test_times_are_those_of_the_brand() -> None:
    madrid, bogota = words("es", "Europe/Madrid"), words("en", "America/Bogota")
    assert madrid.span(THEN, THEN + timedelta(minutes=30)) == "15 nov, 3:05–3:35"
    assert bogota.span(THEN, THEN + timedelta(minutes=30)) == "Nov 14, 21:05–21:35"
    assert madrid.span(THEN - timedelta(hours=4), THEN) == "14 nov, 23:05–15 nov, 3:05"
    assert (madrid.place, bogota.place, words("es").place) == ("Madrid", "Bogota", "UTC")


def test_summer_time_is_kept() -> None:
    assert words("es", "Europe/Madrid").clock(THEN.replace(month=7)) == "4:05"


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(-5, "0 min"), (0, "0 min"), (45, "45 min"), (125, "2 h 5 min"), (60, "1 h"), (3000, "2 d 2 h")],
)
def test_durations_are_short(minutes: int, text: str) -> None:
    assert words("es").duration(timedelta(minutes=minutes)) == text


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0.0, "menos de una vez en 100 años"),
        (1e-7, "menos de una vez en 100 años"),
        (1e-5, "más o menos una vez cada 6 años"),
        (1e-4, "más o menos una vez cada 7 meses"),
        (1e-3, "más o menos una vez cada 21 días"),
        (0.5, "casi todos los días"),
    ],
)
def test_a_probability_is_said_in_words(probability: float, text: str) -> None:
    assert words("es").rarity(probability, timedelta(minutes=30)) == text


def test_a_page_leaves_in_any_language_and_time_zone() -> None:
    assert [known_language(tag) for tag in ("es-MX", "EN_us", "pt", "", "../../etc")] == ["es", "en", "es", "es", "es"]
    for zone in ("Nowhere/Atlantis", "../../etc/passwd", "", "\x00"):
        assert words("es", zone).place == "UTC"


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_is_not_many(language: str) -> None:
    data = {"code": "negative_spike", "observed": 1, "expected": 0.25, "window_s": 300}
    one = prose.reason(data, words(language))
    assert ("1 mención negativa" in one) or ("1 negative mention in" in one)


def test_a_timeline_of_a_newer_version_can_be_read() -> None:
    assert prose.reason({"code": "merged_with_other"}, words("es")) == "merged_with_other"


def test_the_first_line_is_enough() -> None:
    assert prose.headline(alert("trigger")) == "Garza: CRÍTICO, pico de menciones negativas desde el 15 nov, 3:00"
    assert prose.headline(alert("escalate", "en")) == "Garza: getting worse, now CRITICAL; open since Nov 15, 03:31"
    assert prose.headline(alert("acknowledge")) == "Garza: se ocupa Ana"
    assert prose.headline(alert("resolve")) == "Garza: resuelto tras 2 h 5 min"


def test_a_loud_day_is_told() -> None:
    loud = alert()
    assert loud.dossier is not None
    spike = {**loud.dossier.spike, "loudness": 2.0}
    facts = list(prose.facts(alert(dossier=type(loud.dossier)(spike=spike))))
    assert "Con lo mucho que se habla ahora de la marca, lo habitual serían 2,5." in facts


def test_the_catalogue_lies_where_it_is_looked_for() -> None:
    assert Path(CATALOGUES / "es" / "LC_MESSAGES" / "alerts.po").is_file()
