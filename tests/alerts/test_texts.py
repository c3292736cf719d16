"""Every sentence in both languages, numbers and times as their readers write them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import collectors
from alerts import prose
from alerts.dossier import build
from alerts.texts import CATALOGUES, LANGUAGES, known_language, words
from tests.alerts.crisis import OTHERS, START, alert, dossier, fixed_spike

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
    assert [es.number(value) for value in (0.25, 9.6, 45.25, 12345, 0)] == ["0,25", "9,6", "45,2", "12.345", "0"]
    assert [en.number(value) for value in (0.25, 9.6, 45.25, 12345, 0)] == ["0.25", "9.6", "45.2", "12,345", "0"]
    assert [es.number(value) for value in (0.0078, 0.001, -0.0123, 0.0996, 1e-9)] == [
        "0,0078",
        "0,001",
        "-0,012",
        "0,1",
        "0",
    ]
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
    ("minutes", "long", "short"),
    [(5, "5 minutos", "5 min"), (90, "90 minutos", "90 min"), (180, "3 horas", "3 h"), (1440, "24 horas", "24 h")],
)
def test_what_is_counted_in_is_never_said_in_days(minutes: int, long: str, short: str) -> None:
    stretch = timedelta(minutes=minutes)
    assert (words("es").stretch(stretch), words("es").short_stretch(stretch)) == (long, short)


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (9.0, "menos de una vez en diez años"),
        (2.1, "menos de una vez en diez años"),
        (2.0, "más o menos una vez cada 8 años"),
        (1.3, "más o menos una vez cada 20 meses"),
        (0.6, "más o menos una vez cada 4 meses"),
        (0.0, "más o menos una vez al mes"),
        (-0.48, "más o menos 3 veces al mes"),
        (-1.5, "casi todos los días"),
        (-9.0, "casi todos los días"),
    ],
)
def test_a_score_is_said_in_words(score: float, text: str) -> None:
    """A score is log10 of months."""
    assert words("es").rarity(10**score) == text


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
    *("channel_off", "internal", "host_resting", "session_spent"),
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
    assert raised - set(prose.ERRORS) == {"not_"}  # with the name of a service behind it
    assert (
        prose.error_in_words("not_lumbre: x", words("es"))
        == "not_lumbre: La respuesta no es la de esta clase de fuente."
    )


def test_the_first_line_is_enough() -> None:
    assert prose.headline(alert("trigger")) == "Garza: CRÍTICO, pico de menciones negativas desde el 15 nov, 3:00"
    assert prose.headline(alert("escalate", "en")) == "Garza: getting worse, now CRITICAL; open since Nov 15, 03:31"
    assert prose.headline(alert("acknowledge")) == "Garza: se ocupa Ana"
    assert prose.headline(alert("resolve")) == "Garza: resuelto tras 2 h 5 min"


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ("second", "Garza: CRÍTICO, una segunda crisis, distinta: intoxicacion"),
        ("surge", "Garza: AVISO, se habla mucho más de lo habitual desde el 15 nov, 3:00"),
        ("grave", "Garza: CRÍTICO, palabra grave: intoxicación"),
        ("spread", "Garza: NOTA, amplia difusión: un mismo texto en 40 sitios"),
        ("silence", "Garza: NOTA, silencio: casi no se habla de la marca, y todas las fuentes responden"),
    ],
)
def test_the_first_line_says_which_alarm_it_is(about: str, said: str) -> None:
    assert prose.headline(alert(about=about)) == said


def test_beside_the_main_crisis_the_others_keep_their_name_to_the_end() -> None:
    assert prose.headline(alert("acknowledge", "en", "grave")) == "Garza: Ana is on it · a grave word: intoxicación"
    over = alert("resolve", "es", "grave")
    assert prose.headline(over) == "Garza: resuelto tras 2 h 5 min · palabra grave: intoxicación"
    assert over.reason == "60 min de calma: 1 voz dice «intoxicación» en 24 h"


def test_the_numbers_are_said_against_what_is_usual() -> None:
    spike = fixed_spike(
        window_end=START + timedelta(minutes=5),
        window_start=START,
        observed=19,
        expected=2.0,
        band=(0.0, 5.0),
        score=0.6,
    )
    told = alert("trigger", "en", dossier=build(replace(spike, loudness=2.0)))
    assert list(prose.facts(told)) == [
        "19 negative mentions in 5 minutes (Nov 1, 01:00–01:05, Madrid).",
        "Usual: 2 (between 0 and 5). This is 9.5 times as many.",
        "With as much as is said about Garza right now, 4 would be usual.",
        "By chance it would happen about once in 4 months.",
    ]


def test_a_band_that_holds_nothing_but_nought_is_not_said() -> None:
    for high, said in ((0.0, False), (1.0, True)):
        spike = fixed_spike(observed=5, expected=0.0078, band=(0.0, high))
        told = alert("trigger", "en", dossier=build(spike))
        assert any("Usual: 0.0078 (between 0 and 1)" in fact for fact in prose.facts(told)) == said
        assert any(fact.startswith("Usual: 0.0078. ") for fact in prose.facts(told)) != said
        assert ("Usual band" in dict(prose.figures(told))) == said


def test_a_window_of_the_first_rule_is_as_rare_as_its_probability_says() -> None:
    """Its score was of one window: read as months, one chance in 2,500 would be once in two hundred years."""
    old = fixed_spike(rule="same-hour/1", score=3.4, probability=1 / 2500)
    facts = list(prose.facts(alert("trigger", "en", dossier=build(old))))
    assert facts[-1] == "By chance it would happen about once in 2 months."
    new = list(prose.facts(alert("trigger", "en", dossier=build(replace(old, rule="return-period/1")))))
    assert new[-1] == "By chance it would happen less than once in ten years."


def test_a_grave_word_says_whether_it_is_new() -> None:
    never = OTHERS["grave"][2]
    once = replace(never, expected=0.4, samples=(replace(never.samples[0], negative=1), *never.samples[1:]))
    unknown = replace(never, expected=0.04, samples=())
    said = [
        list(prose.facts(alert("trigger", "en", "grave", dossier=dossier(spike, "grave:intoxicación"))))[1:]
        for spike in (never, once, unknown)
    ]
    assert said == [
        ["On the 12 days before, nobody said it of this brand."],
        ["Usual in a day: 0.4."],
        ["Usual in a day: 0.04."],
    ]


def test_a_texts_tone_is_no_share_of_the_brands() -> None:
    spread, crisis = (dict(prose.figures(alert("trigger", "en", about))) for about in ("spread", ""))
    assert "Negative share" not in spread
    assert crisis["Negative share"] == "67% (usual 25%)"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("about", ["", *OTHERS])
def test_every_count_that_is_told_is_the_dossiers_own(about: str, language: str) -> None:
    """Whoever looks a number up must find it: counts are neither rounded nor added to."""
    one = alert("trigger", language, about)
    assert one.dossier is not None
    spike = one.dossier.spike
    shown = [*prose.counts(one.dossier, words(language))]
    assert shown[0][0] == str(spike["observed"])
    said = " ".join([prose.headline(one), *prose.facts(one), *(value for _, value in prose.figures(one))])
    known = [spike["observed"], one.dossier.stories, one.dossier.copies, one.dossier.authors, one.dossier.sites]
    known += [*one.dossier.excluded.values(), *(term.here for term in one.dossier.terms)]
    assert [number for number in known if not re.search(rf"\b{number}\b", said)] == []


@pytest.mark.parametrize(
    ("excluded", "said"),
    [
        ({"same_author": 12, "new_source": 2}, "14: 12 by authors who count already, 2 from a new source"),
        ({"one_site": 28}, "28: 28 from one site, beyond its share"),
        ({"other_crisis": 4, "settled": 1}, "5: 4 about another crisis, 1 from before it was closed"),
        ({"a_rule_of_tomorrow": 3}, "3: 3 a_rule_of_tomorrow"),
    ],
)
def test_what_does_not_count_is_told_with_the_reason(excluded: dict[str, int], said: str) -> None:
    assert prose.not_counted(excluded, words("en")) == said


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"code": "volume_surge"}, {"far more is said than usual: 7", "se habla mucho más de lo habitual: 7"}),
        ({"code": "grave_term", "subject": "fraude"}, {"“fraude” is said by 7 voices", "7 voces dicen «fraude»"}),
        (
            {"code": "wide_spread", "subject": "88"},
            {"one text on 7 sites in 24 h", "un mismo texto en 7 sitios en 24 h"},
        ),
        ({"code": "silence"}, {"7 mentions in 24 h, usual", "7 menciones en 24 h, lo habitual"}),
        (
            {"code": "more_severe", "severity": "critical", "why": "grave_term", "subject": "fraude"},
            {"Now CRITICAL: “fraude” is said by 7", "Pasa a CRÍTICO: 7 voces dicen «fraude»"},
        ),
        (
            {"code": "more_severe", "severity": "warning", "why": "negative_spike"},
            {"Now WARNING: 7 negative mentions", "Pasa a AVISO: 7 menciones negativas"},
        ),
        ({"code": "much_rarer", "why": "negative_spike"}, {"Much rarer still: 7 neg", "Mucho más raro todavía: 7 men"}),
        ({"code": "resolving", "why": "usual"}, {"Calming down: 7 negative", "Se va calmando: 7 menciones negativas"}),
        ({"code": "again", "why": "volume_surge"}, {"It begins again: far more", "Vuelve a empezar: se habla mucho"}),
        (
            {"code": "calm_again", "calm_s": 3600, "why": "usual", "cause": "silence"},
            {"Calm for 60 min: 7 mentions", "60 min de calma: 7 menciones en"},
        ),
    ],
)
def test_every_event_has_its_sentence(data: dict[str, object], said: set[str], language: str) -> None:
    numbers = {"observed": 7, "expected": 1.5, "window_s": 86400}
    sentence = prose.reason({**numbers, **data}, words(language))
    assert [start for start in said if start in sentence]


def test_the_small_print_says_what_the_verdict_went_by() -> None:
    assert prose.rule_line(alert("trigger", "en")) == (
        "Rule return-period/1 · score 1.6 (warning from 0, critical from 1) · "
        "policy default (false warnings a month: 1) · Nov 15, 03:31 (Madrid)"
    )
    assert "score 1.6 (note from 1)" in prose.rule_line(alert("trigger", "en", "silence"))
    assert "score of the volume 1.3 (warning from 1)" in prose.rule_line(alert("trigger", "en", "surge"))
    assert prose.rule_line(alert("resolve", "en")) == "Rule return-period/1 · Nov 15, 05:36 (Madrid)"


def test_the_catalogue_lies_where_it_is_looked_for() -> None:
    assert Path(CATALOGUES / "es" / "LC_MESSAGES" / "alerts.po").is_file()
