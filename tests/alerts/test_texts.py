"""Every sentence in both languages, numbers and times as their readers write them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import collectors
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


def test_an_hour_is_of_a_city_or_of_no_place() -> None:
    zones = ("Europe/Madrid", "America/Argentina/Buenos_Aires", "UTC", "Etc/UTC", "Etc/GMT+5", "CET", "Nowhere/Else")
    assert [words("es", zone).has_city for zone in zones] == [True, True, False, False, False, False, False]


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


CODES = [
    *(f"http_{status}" for status in (400, 401, 402, 403, 404, 406, 410, 418, 429, 451, 500, 503)),
    *("timeout", "connect", "connection_lost", "network", "tls", "bad_http", "bad_url", "bad_encoding", "too_large"),
    *("redirect", "redirects", "host_not_found", "address_not_allowed", "request_failed", "not_a_feed"),
    *("not_hackernews", "bad_json", "entities", "hostile", "parse_error", "parse_killed", "no_terms"),
    *("channel_off", "internal"),
]


@pytest.mark.parametrize("code", CODES)
def test_a_known_error_is_said_in_spanish_beside_its_code(code: str) -> None:
    error = f"{code}: The source did something.\nAnd more: of it."
    said = prose.error_in_words(error, words("es"))
    assert said.startswith(f"{code}: ")
    assert "The source" not in said
    assert said.removeprefix(f"{code}: ") not in prose.ERRORS.values()
    assert prose.error_in_words(error, words("en")) == error


@pytest.mark.parametrize("error", ["", "from_the_future: The source hummed.", "It simply did not work"])
def test_an_unknown_error_says_itself(error: str) -> None:
    assert prose.error_in_words(error, words("es")) == error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            "http_404: Slack says no_service: make a new webhook and configure its address",
            "http_404: Slack dice no_service. Crea un webhook nuevo y configura su dirección.",
        ),
        (
            "Slack answered 403: trying again will not help: make a new webhook and configure its address",
            "http_403: Prohíbe el acceso. Crea un webhook nuevo y configura su dirección.",
        ),
        (
            "the receiver is gone (410)",
            "http_410: Ha desaparecido para siempre: hay que cambiar su dirección.",
        ),
        (
            "http_403: The source wants a browser (a Cloudflare challenge). (HTTP 403)",
            "http_403: Exige un navegador (un desafío de Cloudflare).",
        ),
    ],
)
def test_what_an_error_says_more_than_its_code_is_kept(error: str, said: str) -> None:
    assert prose.error_in_words(error, words("es")) == said


def test_every_code_that_is_raised_has_words() -> None:
    """The wings do not import each other: the codes are read from their source."""
    rooms = [*Path(collectors.__file__).parent.glob("*.py"), *CATALOGUES.parent.glob("*.py")]
    raised = {
        code for room in rooms for code in re.findall(r'(?:Collect|Notify)Error\(\s*"(\w+)"', room.read_text("utf-8"))
    }
    assert len(raised) > 20
    assert raised - set(prose.ERRORS) == set()


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
