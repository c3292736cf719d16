"""The report card as a page, and the two buttons that make it: useful, noise."""

import re
from datetime import timedelta
from typing import Any

import pytest

from app.api.auth import Caller
from app.model import Feedback, Policy
from app.web.render import environment
from app.web.session import Visitor
from app.web.words import words
from tests.app.api.house import NOON, Client, House
from tests.app.api.test_report import incident, watched
from tests.app.web.test_pages import Page, text
from tests.app.web.test_session import ORIGIN, token


@pytest.fixture
def month(house: House) -> House:
    """Six incidents of two brands in November: two useful, three noise, one that nobody judged."""
    aurora = house.brand("aurora", name="Café <b>Aurora</b>")
    brisa = house.brand("brisa")
    for brand in (aurora, brisa):
        watched(house, brand, house.now - timedelta(days=60))
    first = house.now.replace(day=2, hour=10)
    for number, (score, word) in enumerate([(2.0, True), (0.1, False), (0.2, False), (1.8, True), (0.3, None)]):
        incident(house, aurora, f"a{number}", first + timedelta(days=number), score, word)
    incident(house, brisa, "b0", first, 0.2, False)
    return house


def rows(html: str) -> dict[str, list[str]]:
    """The figures of the page by their name."""
    found = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', html, re.S)
    return {text(name): re.findall(r"<td>(.*?)</td>", cells) for name, cells in found}


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("url", ["/report", "/report?month=2026-10", "/report?month=2027-01", "/report?brand=brisa"])
def test_the_page_is_sound_html_in_both_languages(month: House, url: str, language: str) -> None:
    answer = month.visitor("viewer", language=language).get(url)
    assert answer.status_code == 200, answer.text
    page = Page(answer.text)
    assert f'<html lang="{language}">' in answer.text
    assert len(page.ids) == len(set(page.ids))
    assert set(page.labelled) <= set(page.ids)
    assert answer.text.count("<h1") == 1
    for field in re.findall(r"<(?:input|select)[^>]*>", answer.text):
        assert 'type="hidden"' in field or re.search(rf"<label>[^<]*{re.escape(field)}", answer.text), field


def test_it_tells_the_figures_of_the_month(month: House) -> None:
    shown = rows(month.visitor("viewer").get("/report").text)
    assert shown == {
        "False warnings asked for, per brand and month": ["1"],
        "Incidents": ["6"],
        "of which notices, which wake nobody": ["0"],
        "Pages": ["6"],
        "of which at night (22 to 8)": ["0"],
        "Pages per brand and week": ["1.2"],
        "Useful": ["2"],
        "Noise": ["3"],
        "Not judged": ["1"],
        "Precision: useful, of what was judged": ["40%"],
        "Minutes until somebody took it (median)": ["6"],
    }


def test_what_cannot_be_reckoned_is_a_question_mark(house: House) -> None:
    shown = rows(house.visitor().get("/report").text)
    assert shown["Pages per brand and week"] == shown["Precision: useful, of what was judged"] == ["?"]


def test_it_proposes_a_dial_with_its_backtest_and_only_that(month: House) -> None:
    visitor = month.visitor()
    html = visitor.get("/report").text
    assert "every useful incident would have been told (2), and 3 of the noise would not" in text(html)
    trial = re.findall(r'href="(/backtest[^"]*)"', html)[0].replace("&amp;", "&")
    assert trial == "/backtest?false_warnings_per_month=0.1&since=2026-11-01&until=2026-11-18&brand="
    form = visitor.get(trial).text
    for field in ('name="since" value="2026-11-01"', 'name="until" value="2026-11-18"', 'value="0.1"'):
        assert field in form
    assert "Nothing changes by itself" in html
    assert month.storage.policies.page() == []
    month.storage.policies.put(Policy(false_warnings_per_month=0.1), month.now)
    assert "A proposal" not in visitor.get("/report").text


def test_it_leads_to_what_nobody_judged_and_to_the_months_beside_it(month: House) -> None:
    visitor = month.visitor()
    html = visitor.get("/report?brand=aurora").text
    assert re.findall(r'href="(/incidents/[^"]+)"', html) == ["/incidents/a4#feedback"]
    assert re.findall(r'href="\?(month[^"]+)"', html) == ["month=2026-10&amp;brand=aurora"]  # none after this one
    assert "month=2026-11" in visitor.get("/report?month=2026-10").text
    assert "Café &lt;b&gt;Aurora&lt;/b&gt;" in html
    assert 'value="aurora" selected' in html


def test_the_overview_leads_to_it(house: House) -> None:
    html = house.visitor().get("/").text
    assert 'href="/report"' in html
    assert 'href="/backtest"' in html


def test_the_times_of_a_row_are_those_of_its_brand(house: House) -> None:
    incident(house, house.brand("lima", time_zone="America/Lima"), "i", house.now, 2.0)
    assert "Nov 18, 07:00" in text(house.visitor().get("/report").text)


@pytest.mark.parametrize("wrong", ["month=2026-13", "month=x", "colour=red"])
def test_a_month_that_there_is_not_is_refused(house: House, wrong: str) -> None:
    assert house.visitor().get(f"/report?{wrong}").status_code == 422


def test_a_report_of_a_brand_that_the_key_does_not_cover_is_not_found(month: House) -> None:
    limited = month.visitor("viewer", ("brisa",))
    assert limited.get("/report?brand=aurora").status_code == 404
    assert "Aurora" not in limited.get("/report").text


# ── useful, noise ────────────────────────────────────────────────────────────


def say(browser: Client, word: str, url: str = "/incidents/a0/feedback", **form: str) -> Any:
    fields = {"token": token(browser.get("/")), "word": word} | form
    return browser.post(url, data=fields, headers=ORIGIN)


def test_a_click_is_a_word_and_the_page_comes_back(month: House) -> None:
    visitor = month.visitor("responder")
    answer = say(visitor, "noise", note="  a joke ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents/a0#feedback")
    trail = month.storage.feedback.trail("a0")
    assert [(word.by, word.useful, word.note) for word in trail] == [
        ("Ana", True, ""),
        ("responder of the tests", False, "a joke"),
    ]


@pytest.mark.parametrize(
    ("form", "headers", "status"),
    [
        ({"token": "0" * 64}, ORIGIN, 403),
        ({}, {"Origin": "http://evil.example"}, 403),
        ({"word": "meh"}, ORIGIN, 422),
        ({"note": "x" * 501}, ORIGIN, 422),
    ],
)
def test_a_word_that_is_not_from_our_form_is_refused(
    month: House, form: dict[str, str], headers: dict[str, str], status: int
) -> None:
    visitor = month.visitor("responder")
    fields = {"token": token(visitor.get("/")), "word": "useful"} | form
    assert visitor.post("/incidents/a4/feedback", data=fields, headers=headers).status_code == status
    assert month.storage.feedback.trail("a4") == []
    assert say(visitor, "useful", "/incidents/a4/feedback").status_code == 303  # the control: ours is taken


def test_who_only_reads_or_does_not_cover_the_brand_says_nothing(month: House) -> None:
    assert say(month.visitor("viewer"), "noise").status_code == 403
    assert say(month.visitor("responder", ("brisa",)), "noise").status_code == 404
    assert [word.by for word in month.storage.feedback.trail("a0")] == ["Ana"]


def shown(house: House, role: Any, trail: list[Feedback], name: str = "Ana", language: Any = "en") -> str:
    """The part of an incident's page that asks for a word, and tells what was said."""
    tongue = words(language)
    found = house.storage.incidents.get("a0")
    assert found is not None
    html = (
        environment()
        .get_template("feedback.html")
        .render(
            w=tongue,
            t=tongue.say,
            n=tongue.count,
            who=Visitor(Caller("id", name, role, None), "f" * 64),
            incident=found,
            feedback=trail,
        )
    )
    Page(html)
    return html


TRAIL = [
    Feedback("a0", "Ana", NOON, True, "<script>alert(1)</script>", in_force=False),
    Feedback("a0", "Luis", NOON, False, "a joke"),
    Feedback("a0", "Ana", NOON, False, "it was"),
]


def test_the_buttons_show_what_one_has_said_and_the_audit_stands_below(month: House) -> None:
    html = shown(month, "responder", TRAIL)
    pressed = re.findall(r'value="(\w+)" aria-pressed="true"', html)
    assert (pressed, 'value="it was"' in html) == (["noise"], True)
    said = [text(item) for item in re.findall(r"<li>.*?</li>", html, re.S)]
    assert [line.split(",")[0] for line in said] == ["Noise Ana", "Noise Luis", "Useful Ana"]
    assert "said something else since" in said[2]
    assert "<script>" not in html
    spanish = shown(month, "responder", TRAIL, language="es")
    assert "Útil" in spanish
    assert "Ruido" in spanish


def test_the_enter_key_in_the_note_presses_no_button(month: House) -> None:
    buttons = re.findall(r"<button[^>]*>", shown(month, "responder", []))
    assert buttons[0] == "<button disabled hidden>"
    assert len(buttons) == 3


def test_who_only_reads_sees_what_was_said_and_no_buttons(month: House) -> None:
    html = shown(month, "viewer", TRAIL)
    assert "<form" not in html
    assert "a joke" in html
    assert "Nobody has said so far." in shown(month, "viewer", [])
