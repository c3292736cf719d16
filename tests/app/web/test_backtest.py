"""The backtest's page: ask, look on, and see two policies beside what really fired."""

import re
from datetime import timedelta

import pytest

from app.pipeline.backtests import Backtests
from app.web.backtest import ERRORS, error_in_words
from app.web.chart import draw_scores
from app.web.words import words
from tests.app.api.house import NOON, House
from tests.app.web.test_pages import Page, text

DAY = timedelta(days=1)


def token(html: str) -> str:
    return html.partition('name="token" value="')[2].partition('"')[0]


@pytest.fixture
def heard(house: House) -> House:
    """A brand with a fortnight of history and a loud last hour, from before any journal."""
    aurora = house.brand("aurora", name="Café Aurora", time_zone="Europe/Madrid")
    usual = [
        house.item(f"n{i}", {aurora: "neutral"}, age=timedelta(hours=i), backfill=True) for i in range(30, 24 * 14)
    ]
    bad = [
        house.item(f"b{i}", {aurora: "negative"}, age=timedelta(hours=26, minutes=i), backfill=True) for i in range(15)
    ]
    house.hear(house.source("diario"), *usual, *bad)
    return house


def answered(house: House, marked: str = "") -> str:
    """The page of a backtest that was asked for over the form, and worked out."""
    browser = house.visitor("responder", language="en")
    form = {
        "token": token(browser.get("/backtest").text),
        "brand": "aurora",
        "since": "2026-11-17",
        "until": "2026-11-17",
        "false_warnings_per_month": "0.5",
        "beside": "yes",
        "marked": marked,
    }
    asked = browser.post("/backtest", data=form)
    assert asked.status_code == 303, asked.text
    waiting = browser.get(asked.headers["location"]).text
    assert 'http-equiv="refresh"' in waiting
    assert Backtests(house.storage, lambda: house.now).run()
    return browser.get(asked.headers["location"]).text


def test_every_state_is_sound_html_in_both_languages(heard: House) -> None:
    answered(heard)
    (made,) = heard.storage.backtests.page()
    for language in ("es", "en"):
        browser = heard.visitor("viewer", language=language)
        for html in (browser.get(f"/backtest/{made.id}").text, browser.get("/backtest").text):
            page = Page(html)
            assert len(page.ids) == len(set(page.ids))
            assert set(page.labelled) <= set(page.ids)
            assert html.count("<h1") == 1


def test_the_result_stands_beside_what_really_fired(heard: House) -> None:
    html = answered(heard)
    shown = text(html)
    assert 'http-equiv="refresh"' not in html
    assert "default" in shown
    assert "0.5" in shown
    assert "negative mentions" in shown
    assert "before Avizor kept a journal" in shown
    assert "PUT /api/v1/policy" in shown
    assert '<rect class="negative open"' in html


def test_who_only_reads_cannot_ask(heard: House) -> None:
    browser = heard.visitor("viewer")
    html = browser.get("/backtest").text
    assert 'action="/backtest"' not in html
    form = {"token": token(html), "since": "2026-11-17", "false_warnings_per_month": "1"}
    assert browser.post("/backtest", data=form).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"since": "ayer"},
        {"since": "2027-01-01"},
        {"since": "2024-01-01"},
        {"false_warnings_per_month": "99"},
        {"token": "x"},
    ],
)
def test_a_bad_form_is_refused_in_words(heard: House, change: dict[str, str]) -> None:
    browser = heard.visitor("responder")
    form = {"token": token(browser.get("/backtest").text), "since": "2026-11-17", "false_warnings_per_month": "1"}
    assert browser.post("/backtest", data=form).status_code == 303
    assert browser.post("/backtest", data={**form, **change}).status_code in (403, 422)


@pytest.mark.parametrize(
    ("change", "spanish", "english"),
    [
        ({"since": "2027-01-01"}, "«Desde» está en el futuro", "Since lies in the future"),
        ({"until": "2026-11-15"}, "«Desde» debe ser anterior a «Hasta»", "Since must lie before until"),
        ({"until": "9999-12-31"}, "«Hasta» debe ser un día", "Until: must be a day"),
        ({"since": ""}, "«Desde» debe ser un día", "Since: must be a day"),
        ({"since": "2024-01-01"}, "se reproducen 400 como máximo", "at most 400 are replayed"),
        ({"false_warnings_per_month": "99"}, "deben estar entre 0,001 y 30", "must lie between 0.001 and 30"),
        ({"false_warnings_per_month": "nan"}, "deben estar entre 0,001 y 30", "must lie between 0.001 and 30"),
        ({"false_warnings_per_month": "x"}, "deben estar entre 0,001 y 30", "must lie between 0.001 and 30"),
        ({"brand": "nadie"}, "Esa marca no existe", "There is no such brand"),
        ({"marked": "nadie,2026-11-17,2026-11-17,x"}, "Línea 1: no hay ninguna marca nadie", "Line 1: there is no"),
        ({"marked": "aurora,ayer,2026-11-17,x"}, "Línea 1: ayer no es una fecha", "Line 1: ayer is no time"),
        ({"marked": "aurora;2026-11-18;2026-11-16;x"}, "Línea 1: termina antes", "Line 1: it ends before it begins"),
        ({"marked": "brand,since,until,name\nx"}, "Línea 2: 1 columnas", "Line 2: 1 columns, not 4"),
        ({"marked": "since,until"}, "Línea 1: la cabecera debe ser", "Line 1: the header must be"),
        ({"marked": "aurora,9999-12-31,9999-12-31,x"}, "9999-12-31 no es una fecha", "9999-12-31 is no time"),
    ],
)
def test_the_page_says_what_is_wrong_and_keeps_what_was_written(
    heard: House, change: dict[str, str], spanish: str, english: str
) -> None:
    for language, said in (("es", spanish), ("en", english)):
        browser = heard.visitor("responder", language=language)
        form = {
            "token": token(browser.get("/backtest").text),
            "since": "2026-11-17",
            "false_warnings_per_month": "0.7",
            "marked": "aurora,2026-11-17,2026-11-17,<b>tazas</b>",
        }
        answer = browser.post("/backtest", data=form | change)
        assert answer.status_code in (404, 422)
        wrong = answer.text.partition('<p class="error" role="alert">')[2].partition("</p>")[0]
        assert said in text(wrong)
        assert change.get("since", "2026-11-17") in answer.text
        assert "<b>" not in answer.text
        if "marked" not in change:
            assert "&lt;b&gt;tazas" in answer.text
    assert heard.storage.backtests.page() == []


@pytest.mark.parametrize("language", ["es", "en"])
def test_every_error_of_a_backtest_is_known_in_both_languages(language: str) -> None:
    tongue = words(language)  # type: ignore[arg-type] # one of the two
    for sentence in ERRORS:
        holes = dict.fromkeys(re.findall(r"\{(\w+)\}", sentence), "7")
        said = error_in_words(sentence.format(**holes), tongue)
        assert said.casefold() == tongue.say(sentence, **holes).casefold()
    assert error_in_words("something new", tongue) == "Something new"
    assert error_in_words("line 1: " * 5_000, tongue)


def test_a_backtest_that_failed_says_why_in_the_readers_language(heard: House) -> None:
    browser = heard.visitor("responder", language="es")
    form = {"token": token(browser.get("/backtest").text), "since": "2026-11-17", "false_warnings_per_month": "1"}
    asked = browser.post("/backtest", data=form)
    claimed = heard.storage.backtests.claim(heard.now)
    assert claimed is not None
    heard.storage.backtests.fail(claimed, "it failed; the log says why")
    assert "Ha fallado; el registro dice por qué" in text(browser.get(asked.headers["location"]).text)


def test_marked_incidents_are_found_or_missed_in_the_result(heard: House) -> None:
    html = text(
        answered(heard, marked="aurora,2026-11-17T01:00,2026-11-17T02:00,Las tazas\naurora,2026-11-17,2026-11-17,B")
    )
    (made,) = heard.storage.backtests.page()
    stored = heard.storage.backtests.get(made.id)
    assert stored is not None
    assert stored.result is not None
    found = stored.result["outcomes"][0]["found"]
    assert [one["name"] for one in found] == ["Las tazas", "B"]
    missed = sum(one["lead_min"] is None for one in found)
    assert missed > 0
    assert f"Marked incidents that were missed {missed} of 2" in " ".join(html.split())
    assert "Las tazas (Nov 17, 01:00): missed" in " ".join(html.split())  # as written: in Madrid


def test_the_form_is_filled_with_what_the_link_says(heard: House) -> None:
    html = heard.visitor("responder").get("/backtest?false_warnings_per_month=0.3&brand=aurora").text
    assert 'value="0.3"' in html
    assert '<option value="aurora" selected>' in html


def test_a_key_for_another_brand_sees_none_of_it(heard: House) -> None:
    heard.brand("brisa")
    answered(heard)
    (made,) = heard.storage.backtests.page()
    stranger = heard.visitor("responder", ("brisa",))
    assert stranger.get(f"/backtest/{made.id}").status_code == 404
    assert made.id not in stranger.get("/backtest").text
    assert made.id in heard.visitor("responder", ("aurora", "brisa")).get("/backtest").text


def test_the_chart_marks_pages_where_they_are_and_draws_scores_below_the_line_of_a_warning() -> None:
    chart = draw_scores(
        "c", NOON, timedelta(hours=1), [0, 4, 0, 9], [None, -9.0, 0.0, 5.0], [NOON + timedelta(minutes=190)], 0.0, 400.0
    )
    assert [box.x for box in chart.pages] == [300.0]
    assert len(chart.negative) == 2
    assert [round(box.y, 1) for box in chart.scores] == [round(chart.line, 1), 60.0]
    assert chart.most_negative == 10
