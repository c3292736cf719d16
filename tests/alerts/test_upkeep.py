"""What people are told of sources that are not heard: in both languages, bounded, and safe to show."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import NOTIFIERS, upkeep
from alerts.base import Alert, Channel
from alerts.dossier import from_json, to_json
from alerts.upkeep import Trouble, Upkeep
from tests.fakes.slack import refusal

NOW = datetime(2026, 11, 22, 13, 5, tzinfo=UTC)
DAWN = datetime(2026, 11, 22, 6, 40, tzinfo=UTC)
TROUBLES = (
    Trouble("Correo Sur", "stopped", DAWN, "http_410: the server says that it is gone"),
    Trouble("El Faro", "silent", DAWN, "timeout: no answer within 20 s"),
    Trouble("La Brasa", "never", DAWN),
    Trouble("Radio Lumbre", "quiet", DAWN, usual=timedelta(hours=2)),
    Trouble("Tablón", "overrun", DAWN),
)
ALL = Upkeep(TROUBLES, ("Gaceta", "Norte"), still=2, away=(DAWN, NOW))


def told(what: Upkeep, language: str = "es") -> Alert:
    channel = Channel(1, "sistemas", "Sistemas", "slack", language=language)
    url = "https://avizor.example/#sources"
    return upkeep.notice(what, channel, key="sources.1.sistemas", time_zone="Europe/Madrid", url=url, now=NOW)


def test_all_of_it_in_spanish() -> None:
    one = told(ALL)
    assert one.reason == "Avizor: no se oyen 4 fuentes"
    assert one.message == (
        "Avizor no ha estado en marcha desde el 22 nov, 7:40 hasta el 22 nov, 14:05 (6 h 25 min). "
        "Puede faltar lo que se dijo entretanto.\n"
        "Correo Sur: ya no se consulta desde el 22 nov, 7:40. "
        "http_410: Ha desaparecido para siempre: hay que cambiar su dirección.\n"
        "El Faro: sin respuesta válida desde el 22 nov, 7:40. timeout: No ha respondido a tiempo.\n"
        "La Brasa: sin respuesta válida desde que se añadió, el 22 nov, 7:40.\n"
        "Radio Lumbre: responde, pero no trae nada nuevo desde el 22 nov, 7:40; lo habitual: cada 2 h.\n"
        "Tablón: se han perdido publicaciones antes del 22 nov, 7:40: "
        "entre dos visitas se publicó más de lo que muestra.\n"
        "Lo que digan entretanto estas fuentes no entra en ninguna cifra.\n"
        "Vuelven a oírse: Gaceta, Norte.\n"
        "Siguen sin oírse 2 fuentes de las que ya se avisó."
    )


def test_all_of_it_in_english() -> None:
    one = told(ALL, "en")
    assert one.reason == "Avizor: 4 sources are not heard"
    assert one.message == (
        "Avizor was not running from Nov 22, 07:40 to Nov 22, 14:05 (6 h 25 min). "
        "What was said meanwhile may be missing.\n"
        "Correo Sur: it is not asked any more since Nov 22, 07:40. http_410: the server says that it is gone\n"
        "El Faro: no good answer since Nov 22, 07:40. timeout: no answer within 20 s\n"
        "La Brasa: no good answer since it was added, Nov 22, 07:40.\n"
        "Radio Lumbre: it answers, and nothing new has come since Nov 22, 07:40; usual: every 2 h.\n"
        "Tablón: items were lost before Nov 22, 07:40: more was published between two visits than it shows.\n"
        "What these sources say meanwhile is in no figure.\n"
        "Heard again: Gaceta, Norte.\n"
        "2 sources that were told of before are still not heard."
    )


@pytest.mark.parametrize(
    ("what", "headline"),
    [
        (Upkeep(TROUBLES[:1], away=(DAWN, NOW)), "Avizor: no se oye 1 fuente"),
        (Upkeep(TROUBLES[4:], away=(DAWN, NOW)), "Avizor no ha estado en marcha durante 6 h 25 min"),
        (Upkeep(TROUBLES[4:]), "Avizor: 1 fuente ha perdido publicaciones"),
        (Upkeep(heard_again=("Gaceta",)), "Avizor: vuelve a oírse 1 fuente"),
    ],
)
def test_the_headline_says_the_worst(what: Upkeep, headline: str) -> None:
    assert told(what).reason == headline


def test_it_comes_back_from_the_outbox_as_it_went_in() -> None:
    assert from_json(to_json(told(ALL))) == told(ALL)


def test_slack_shows_a_line_a_fact_under_its_own_headline() -> None:
    message = json.loads(NOTIFIERS["slack"].render(told(ALL)))
    shown = [text["text"] for block in message["blocks"] for text in texts_of(block)]
    assert message["text"].startswith("Avizor: no se oyen 4 fuentes. Avizor no ha estado en marcha")
    assert shown[0] == "⚠️ Avizor: no se oyen 4 fuentes"
    assert len(shown[1].split("\n")) == 9


def texts_of(block: dict[str, object]) -> list[dict[str, str]]:
    return [text for text in (block.get("text"), *block.get("elements", ())) if isinstance(text, dict)]  # type: ignore[misc]


@settings(max_examples=30)
@given(st.text(max_size=400), st.integers(0, 40))
def test_slack_accepts_any_number_of_sources_with_any_name(name: str, number: int) -> None:
    one = told(Upkeep([Trouble(name, "silent", DAWN, f"http_500: {name * 9}")] * number, [name] * number, 3))
    assert len(one.message or "") < 4500
    assert refusal(NOTIFIERS["slack"].render(one)) == ""
    NOTIFIERS["webhook"].render(one)


def test_the_longest_notice_is_parted_and_escaped() -> None:
    """A section of Slack's holds 3,000 characters, escapes included."""
    names = "<!channel>" * 6
    one = told(Upkeep([Trouble(names, "silent", DAWN, f"x_1: {'&' * 300}")] * 30, [names] * 30, 3))
    body = NOTIFIERS["slack"].render(one)
    assert refusal(body) == ""
    assert sum(block["type"] == "section" for block in json.loads(body)["blocks"]) > 2
    assert "<!channel>" not in body.decode()
