"""What the pages show: verdicts with their reasons, unknown as unknown, and nothing dead that looks calm."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from alerts.base import First, Term
from alerts.detect.policy import Dial
from alerts.dossier import attach, build
from alerts.incident import Incident, advance, resolve
from alerts.spike import NO_HISTORY, POOR_COVERAGE, Sample
from app.model import Brand
from app.storage.records import Failure, IncidentSave, NewDelivery
from app.tables import sources
from app.web.texts import MOODS
from collectors.base import Reject, Source
from tests.app.api.house import NOON, House, spike

OLD_DOSSIER = Path(__file__).parents[2] / "alerts" / "data" / "dossier.same-hour-1.json"
NOBODY = "Nobody is told: no channel is enabled"
VOID = {"meta", "link", "input", "br", "img", "hr"}


class Page(HTMLParser):
    """Checks that every element is closed where it belongs, and collects what is asked about."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.labelled: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        assert len(values) == len(attrs), f"an attribute twice in <{tag}>"
        assert not [name for name in values if name.startswith("on") or name == "style"], (
            f"a handler or style in <{tag}>"
        )
        assert tag != "script"
        if "id" in values:
            self.ids.append(values["id"])
        self.labelled += values.get("aria-labelledby", "").split()
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.fixture
def full(house: House) -> House:
    """A house with some of everything."""
    channel = house.channel("guardia")
    aurora = house.brand("aurora", name="Café Aurora", time_zone="Europe/Madrid")
    house.brand("brisa", competitor=True)
    items = [
        house.item(tone, {aurora: tone}, text=f"It is {tone}.", age=timedelta(minutes=5))
        for tone in ("negative", "unknown")
    ]
    old = house.item("old", {aurora: "negative"}, backfill=True, age=timedelta(hours=3), story="s")
    house.hear(house.source("diario"), *items, old, rejects=(Reject("x", "y"),))
    house.judge(aurora)
    house.crisis(aurora, (channel,))
    house.kill_delivery("incident-of-aurora.1.guardia")
    return house


URLS = [
    "/",
    "/brands/aurora",
    "/brands/aurora?range=week",
    "/brands/aurora?range=month",
    "/incidents/incident-of-aurora",
    "/login",
]


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("url", URLS)
def test_every_page_is_sound_html_in_both_languages(full: House, url: str, language: str) -> None:
    answer = full.visitor(language=language).get(url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = Page(answer.text)
    assert f'<html lang="{language}">' in answer.text
    assert len(page.ids) == len(set(page.ids))
    assert set(page.labelled) <= set(page.ids)
    assert answer.text.count("<h1") == 1
    assert answer.headers["cache-control"] == "no-store"


def test_every_input_has_a_label_and_every_table_its_headers(full: House) -> None:
    visitor = full.visitor()
    for url in URLS:
        html = visitor.get(url).text
        for field in re.findall(r"<(?:input|select)[^>]*>", html):
            assert 'type="hidden"' in field or re.search(rf"<label>[^<]*{re.escape(field)}", html), field
        for table in re.findall(r"<table.*?</table>", html, re.S):
            assert 'scope="col"' in table
            assert 'scope="row"' in table


def test_the_overview_tells_what_is_going_on(full: House) -> None:
    shown = text(full.visitor().get("/").text)
    assert "Critical Café Aurora open for 0 min · nobody is on it yet" in shown
    assert "1 message was not delivered" in shown
    assert "2 negative in 30 min; usual at this hour: 1.3" in shown
    assert "100% of its sources heard" in shown
    assert "competitor" in shown
    assert "It is negative." in shown


def test_unknown_is_shown_as_unknown(full: House) -> None:
    html = full.visitor().get("/").text
    assert 'class="chip unknown"' in html
    assert "tone unknown" in text(html)
    assert "1 negative, 1 unknown; from history: 1 negative, 0 unknown" in text(html)


def test_history_and_copies_are_marked(full: House) -> None:
    brand = full.storage.brands.get("aurora")
    assert brand is not None
    full.hear(full.source("second"), full.item("copy", {brand: "negative"}, story="s"))
    html = full.visitor().get("/brands/aurora").text
    assert '<span class="flag">copy</span>' in html
    assert "history</span>" in html
    assert 'class="history"' in html


def test_nothing_to_do_is_said_only_when_all_is_heard(house: House) -> None:
    brand = house.brand("aurora")
    house.channel("guardia")
    visitor = house.visitor()
    assert "Nothing is being listened to" in visitor.get("/").text
    house.hear(house.source("diario"))
    house.judge(brand)
    assert "Nothing needs you" in visitor.get("/").text
    house.now = NOON + timedelta(hours=2)
    shown = text(visitor.get("/").text)
    assert "Nothing needs you" not in shown
    assert "1 source is not heard" in shown
    assert "1 brand is not being watched" in shown
    assert "0% of its sources heard" in shown
    assert MOODS["stale"] in shown
    assert "silent" in shown


def test_a_new_source_is_not_heard_yet(house: House) -> None:
    house.brand("aurora")
    house.source("new")
    shown = text(house.visitor().get("/").text)
    assert "1 source is not heard" in shown
    assert "never" in shown


def test_an_inbox_is_not_asked_so_it_is_neither_unheard_nor_due(house: House) -> None:
    house.brand("aurora")
    house.channel("guardia")
    house.source("told", kind="inbox", url=None)
    html = house.visitor().get("/").text
    assert "not heard" not in text(html)
    assert '<td data-label="Next visit">none</td>' in html


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (
            {"verdict": "learning", "reason": "short_history", "history_h": 12.0},
            "Getting to know what is usual: 12 h heard",
        ),
        (
            {"verdict": "not_evaluated", "reason": "poor_coverage", "coverage": 0.25},
            "Too few sources were heard (25%) to judge",
        ),
        (
            {"reason": "below_minimum", "observed": 1, "expected": None},
            "1 negative in 30 min, too few to mean anything",
        ),
        ({"reason": "a word from the future"}, "a word from the future"),
    ],
)
def test_a_verdict_says_why(house: House, numbers: dict[str, Any], said: str) -> None:
    house.judge(house.brand("aurora"), **numbers)
    assert said in text(house.visitor().get("/").text)


def test_poorly_heard_times_are_hatched_and_told(house: House) -> None:
    house.judge(house.brand("aurora"), fresh=1, total=4)
    html = house.visitor().get("/").text
    assert html.count('fill="url(#chart-aurora-hatch)"') == 1
    assert "1 bar poorly heard" in html
    assert "25% of its sources heard</title>" in html
    house.judge(house.brand("aurora"), fresh=4, total=4)
    assert house.visitor().get("/").text.count('fill="url(#chart-aurora-hatch)"') == 0


def test_a_fresh_house_is_not_blamed_for_the_time_before_it_stood(house: House) -> None:
    brand = house.brand("aurora")
    for judged in (False, True):
        if judged:
            house.judge(brand)
        html = house.visitor().get("/").text
        assert "0 bars poorly heard" in html
        assert html.count('<rect class="before"') == 23
        assert "before listening began</title>" in html
    assert "antes de empezar a escuchar</title>" in house.visitor(language="es").get("/").text


def test_an_outage_longer_than_the_picture_is_hatched(house: House) -> None:
    house.judge(house.brand("aurora"))
    house.now = NOON + timedelta(days=3)
    html = house.visitor().get("/").text
    assert "23 bars poorly heard" in html  # the last hour is still open
    assert '<rect class="before"' not in html


def test_the_incident_page_proves_it(full: House) -> None:
    shown = text(full.visitor("viewer").get("/incidents/incident-of-aurora").text)
    assert "14 negative mentions 1.3 usual" in shown
    assert "Terrible." in shown
    assert "words: terrible" in shown
    assert "2 copies" in shown
    assert "Nov 18, 13:00 Opened" in shown  # in Madrid
    assert "Guardia alert ✕ not delivered" in shown
    assert "http_404: The channel is gone." in shown


THE_FIRST = First("diario", "news.example", "Ana", NOON - timedelta(minutes=25), NOON - timedelta(minutes=20))
BESIDE = (
    Sample(NOON - timedelta(days=1, minutes=30), 2, True, 7),
    Sample(NOON - timedelta(days=2, minutes=30), 1, False, 3, 0.5, POOR_COVERAGE),
    Sample(NOON - timedelta(days=3, minutes=30), 0, False, 0, 0.0, NO_HISTORY),
)


def proven(house: House, brand: Brand, cause: str = "negative", verdict: Any = "critical", **numbers: Any) -> Incident:
    """An incident with all that a dossier can hold."""
    judged = spike(
        house.now,
        **{
            "rule": "return-period/1",
            "verdict": verdict,
            "reason": "negative_spike",
            "observed": 14,
            "score": 1.6,
            "threshold": 0.0,
            "critical_threshold": 1.0,
            "band": (0.0, 4.0),
            "samples": BESIDE,
            **numbers,
        },
    )
    change = advance(brand.id, None, judged, house.now, Dial(), "proven", cause=cause)
    assert change is not None
    whole = build(
        judged,
        cause=cause,
        policy={"id": None, "name": "night", "false_warnings_per_month": 0.5},
        judged_at=house.now,
        excluded={"same_author": 12, "one_site": 2, "a_rule_of_tomorrow": 1},
        terms=(Term("<b>cold</b>", 9, 0.02, 31.5),),
        first=replace(THE_FIRST, url="https://news.example/first"),
        authors=11,
        sites=4,
        spread=3,
        events=("Sales week",),
    )
    house.storage.incidents.save(IncidentSave(attach(change, whole), []), house.now)
    return change.incident


def test_the_incident_page_tells_the_whole_dossier(house: House) -> None:
    incident = proven(house, house.brand("aurora"))
    html = house.visitor(language="en").get(f"/incidents/{incident.id}").text
    Page(html)
    shown = text(html)
    assert "14 negative mentions 1.3 usual" in shown
    assert "Usual: 1.3 (between 0 and 4). This is 10.8 times as many." in shown
    assert "By chance it would happen about once in 3 years." in shown
    assert "score 1.6 (warning from 0, critical from 1) · policy night (false warnings a month: 0.5)" in shown
    assert "11 authors on 4 sites" in shown
    assert "Sales week" in shown
    assert "in 9 stories; usually in 2% of them" in shown
    assert "<strong>&lt;b&gt;cold&lt;/b&gt;</strong>" in html
    assert 'href="https://news.example/first"' in html
    assert "Heard Nov 18, 11:40 from the source diario." in shown
    assert "12 by authors who count already Of one author on one site only the first" in shown
    assert "1 a_rule_of_tomorrow" in shown
    assert "100% of the sources were heard" in shown


def test_the_judged_window_stands_beside_its_earlier_ones(house: House) -> None:
    incident = proven(house, house.brand("aurora"))
    html = house.visitor(language="en").get(f"/incidents/{incident.id}").text
    table = re.findall(r'<table class="figures compared">.*?</table>', html, re.S)[0]
    rows = [text(row) for row in re.findall(r"<tr.*?</tr>", table)][1:]
    assert rows == [
        "Nov 18, 11:30 14 9 100% this one",
        "Nov 17, 11:30 2 7 100% yes",
        "Nov 16, 11:30 1 3 50% no: poorly heard",
        "Nov 15, 11:30 0 0 0% no: before listening began",
    ]
    assert re.findall(r'class="said" x="0" y="2" width="([0-9.]+)"', table) == ["100.0", "14.29", "7.14", "0.0"]
    assert 'class="band" x="0.0" y="0" width="28.57"' in table
    assert "The shaded band holds 95 of 100 such windows: 0 to 4." in text(html)


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize(
    ("cause", "numbers", "said"),
    [
        ("negative:frio", {}, {"a second, different crisis: frio", "una segunda crisis, distinta: frio"}),
        (
            "grave:fraude",
            {"reason": "grave_term", "subject": "fraude", "observed": 2, "samples": (), "band": None},
            {"2 voices that say it 1.3 usual in a day", "2 voces que lo dicen 1,3 lo habitual en un día"},
        ),
        (
            "spread:88",
            {"verdict": "notice", "reason": "wide_spread", "observed": 40, "expected": None, "samples": ()},
            {"40 sites with the same text The same", "40 sitios con el mismo texto El mismo"},
        ),
        (
            "silence",
            {"verdict": "notice", "reason": "silence", "observed": 0, "expected": 41.5, "samples": ()},
            {"0 mentions of any tone 41.5 usual", "0 menciones de cualquier tono 41,5 lo habitual"},
        ),
    ],
)
def test_every_cause_has_its_page(
    house: House, cause: str, numbers: dict[str, Any], said: set[str], language: str
) -> None:
    incident = proven(house, house.brand("aurora"), cause, **numbers)
    html = house.visitor(language=language).get(f"/incidents/{incident.id}").text
    Page(html)
    assert [words for words in said if words in text(html)]


def test_an_incident_of_the_release_before_still_has_its_page(house: House) -> None:
    """Its dossier knows nothing of authors, words or policies."""
    incident = proven(house, house.brand("aurora"))
    change = resolve(incident, "Ana", "Answered.", house.now)
    old = json.loads(OLD_DOSSIER.read_text(encoding="utf-8"))
    kept = replace(change, incident=replace(change.incident, dossier=old))
    house.storage.incidents.save(IncidentSave(kept, []), house.now)
    html = house.visitor(language="en").get(f"/incidents/{incident.id}").text
    Page(html)
    shown = text(html)
    assert "12 negative mentions 1.06 usual" in shown
    assert "The same window on 14 earlier days." in shown
    assert "Words that stand out" not in shown
    assert "What does not count" not in shown


def test_what_calms_down_can_still_be_taken(house: House) -> None:
    incident = proven(house, house.brand("aurora"))
    calm = spike(NOON + timedelta(minutes=30), score=-2.0)
    change = advance(incident.brand_id, incident, calm, NOON + timedelta(minutes=31), Dial(), "")
    assert change is not None
    assert change.incident.state == "resolving"
    house.storage.incidents.save(IncidentSave(change, []), house.now)
    visitor = house.visitor("responder", language="en")
    assert "I am on it" in visitor.get(f"/incidents/{incident.id}").text


def test_card_chart_and_table_count_the_same(house: House) -> None:
    brand = house.brand("aurora")
    old = [house.item(f"o{i}", {brand: "unknown"}, backfill=True, age=timedelta(hours=3)) for i in range(17)]
    house.hear(house.source("diario"), *old, house.item("new", {brand: "negative"}, age=timedelta(minutes=9)))
    house.judge(brand)
    said = "1 negativa, 0 desconocidas; del histórico: 0 negativas, 17 desconocidas"
    for url in ("/", "/brands/aurora"):
        html = house.visitor(language="es").get(url).text
        assert f'<span class="sum">{said}</span>' in html  # the card
        assert f": {said}; 0 barras mal escuchadas</title>" in html  # the chart
        assert "0 negativas, 0 desconocidas; del histórico: 0 negativas, 17 desconocidas;" in html  # its bar
        rows = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr><th scope.*?</tr>", html)]
        counts = [[int(cell) for cell in row[:7]] for row in rows if len(row) == 8]
        assert [sum(column) for column in zip(*counts, strict=True)] == [1, 0, 0, 0, 0, 17, 17]  # the table
    assert "tono desconocido 0 del histórico 17 copias 0" in text(html.replace('aria-hidden="true">?<', "><"))


def fail(house: House, source: Source, code: str, message: str) -> None:
    claimed = house.storage.sources.claim_due(house.now, 100, "tests", 60, 100)
    assert source.id in [one.id for one in claimed]
    failure = Failure(source.id, "tests", code, message, house.now + timedelta(minutes=15), "failing")
    house.storage.sources.fail(failure, house.now)


def test_a_sources_error_is_said_in_the_readers_language(house: House) -> None:
    house.brand("aurora")
    fail(house, house.source("diario"), "http_429", "The source asks to be asked less often. (HTTP 429)")
    for url in ("/", "/brands/aurora"):
        spanish = house.visitor(language="es").get(url).text
        assert '<p class="error">http_429: Pide que se le hagan menos peticiones.</p>' in spanish
        assert "asked less often" in house.visitor(language="en").get(url).text


def test_a_window_that_ran_over_is_shown(house: House) -> None:
    house.brand("aurora")
    source = house.source("diario")
    with house.storage._database.write() as connection:
        connection.execute(update(sources).where(sources.c.id == source.id).values(overrun_at=house.now))
    lost = '<p class="error">se han perdido publicaciones antes del'
    assert lost in house.visitor(language="es").get("/").text
    house.now += timedelta(days=8)
    assert lost not in house.visitor(language="es").get("/").text


def test_a_deliverys_error_is_said_in_the_readers_language(house: House) -> None:
    incident = house.crisis(house.brand("aurora"), (house.channel("guardia"),))
    house.kill_delivery(f"{incident.id}.1.guardia", "http_404: Slack says no_service: make a new webhook and <b>")
    shown = house.visitor(language="es").get(f"/incidents/{incident.id}").text
    assert "http_404: Slack dice no_service. Crea un webhook nuevo y configura su dirección." in shown


def test_spanish_says_the_hour_of_a_city_but_not_of_utc(house: House) -> None:
    house.brand("madrid", time_zone="Europe/Madrid")
    house.brand("utc", time_zone="UTC")
    visitor = house.visitor(language="es")
    assert "(hora de Madrid)" in visitor.get("/brands/madrid").text
    assert "(hora UTC)" in visitor.get("/brands/utc").text
    assert "hora de UTC" not in visitor.get("/").text + visitor.get("/brands/utc").text


@pytest.mark.parametrize(("language", "said"), [("es", "A nadie se le avisa: no hay canales activos"), ("en", NOBODY)])
def test_it_says_when_nobody_would_be_told(house: House, language: str, said: str) -> None:
    visitor = house.visitor(language=language)
    house.brand("rival", competitor=True)
    assert said not in visitor.get("/").text  # a competitor never alerts
    house.brand("aurora")
    house.channel("guardia", enabled=False)
    assert said in visitor.get("/").text
    house.channel("guardia")
    assert said not in visitor.get("/").text


def test_it_names_the_brands_that_no_enabled_channel_tells_of(house: House) -> None:
    house.channel("guardia")
    house.channel("prensa", enabled=False)
    house.brand("aurora")
    house.brand("brisa", channels=("prensa",))
    shown = text(house.visitor().get("/").text)
    assert "Nobody is told about Brisa No channel that tells of it is enabled." in shown
    assert "Nobody is told" not in text(house.visitor("viewer", ("aurora",)).get("/").text)
    house.brand("brisa", channels=("prensa", "guardia"))
    assert "Nobody is told" not in text(house.visitor().get("/").text)


def test_it_says_when_an_open_incident_was_told_to_nobody(house: House) -> None:
    house.crisis(house.brand("aurora"))
    house.crisis(house.brand("brisa"), (house.channel("guardia"),))
    needs = [text(need) for need in re.findall(r'<a class="need .*?</a>', house.visitor().get("/").text, re.S)]
    assert ["nobody was told" in need for need in needs if "Aurora" in need] == [True]
    assert ["nobody was told" in need for need in needs if "Brisa" in need] == [False]
    house.kill_delivery("incident-of-brisa.1.guardia")
    assert house.visitor().get("/").text.count("nobody was told") == 2


def test_a_channel_that_switched_itself_off_says_why(house: House) -> None:
    house.brand("aurora")
    house.channel("otro")
    house.channel("aparte", enabled=False)  # by a person: their own business
    reason = "Slack says no_service: make a new webhook and configure its address"
    house.channel("guardia", enabled=False, disabled_reason=reason)
    english, spanish = (text(house.visitor(language=code).get("/").text) for code in ("en", "es"))
    assert f"The channel Guardia switched itself off {reason}" in english
    assert english.count("switched itself off") == 1
    assert "El canal Guardia se ha desactivado solo Slack dice no_service. Crea un webhook nuevo" in spanish


def test_no_page_tells_a_secret(full: House) -> None:
    visitor = full.visitor()
    assert "canary" not in "".join(visitor.get(url).text for url in URLS)


def test_mentions_are_filtered_and_paged(house: House) -> None:
    brand = house.brand("aurora")
    many = [house.item(f"n{i:02}", {brand: "neutral"}, age=timedelta(minutes=i)) for i in range(45)]
    house.hear(house.source("diario"), *many, house.item("angry", {brand: "negative"}, text="cold coffee"))
    visitor = house.visitor()
    first = visitor.get("/brands/aurora?range=week&text=&label=&source=").text
    older = re.search(r'class="button" href="(\?[^"]+)"', first)
    assert older is not None
    second = visitor.get("/brands/aurora" + older[1].replace("&amp;", "&")).text
    assert ("n00" in first, "n00" in second, "n44" in first, "n44" in second) == (True, False, False, True)
    assert 'aria-current="true">7 days' in second
    only = visitor.get("/brands/aurora?label=negative&text=coffee&source=diario").text
    assert only.count('<li class="mention') == 1
    assert 'value="negative" selected' in only
    for wrong in ("?range=year", "?cursor=x", "?colour=red"):
        assert visitor.get(f"/brands/aurora{wrong}").status_code == 422


def test_an_error_is_a_page_for_a_browser_and_a_problem_for_a_tool(house: House) -> None:
    visitor = house.visitor()
    page = visitor.get("/brands/nobody")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    Page(page.text)
    assert "There is nothing here" in page.text
    assert visitor.get("/no/such/page").headers["content-type"].startswith("text/html")
    tool = visitor.get("/brands/nobody", headers={"Accept": "application/json"})
    assert tool.headers["content-type"] == "application/problem+json"
    assert (
        visitor.get("/api/v1/x", headers={"Accept": "text/html"}).headers["content-type"] == "application/problem+json"
    )


def test_an_empty_house_has_a_page_that_says_what_to_do(house: House) -> None:
    html = house.visitor().get("/").text
    Page(html)
    assert "There is no brand yet" in html
    assert "There is no source yet" in html


def test_dead_alarms_are_told_to_those_who_see_all(house: House) -> None:
    house.brand("aurora")
    house.storage.deliveries.add([NewDelivery("test.1", house.channel("guardia").id, "system", {})], house.now)
    house.kill_delivery("test.1")
    assert "1 message was not delivered" in house.visitor("viewer").get("/").text
    assert "was not delivered" not in house.visitor("viewer", ("aurora",)).get("/").text


def test_its_looks_are_its_own(house: House) -> None:
    visitor = house.visitor()
    style = re.search(r'href="(/static/avizor\.css\?v=[0-9a-f]{12})"', visitor.get("/").text)
    assert style is not None
    answer = visitor.get(style[1])
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    assert "url(" not in answer.text
    assert "@import" not in answer.text
    assert visitor.get("/static/icon.svg").headers["content-type"] == "image/svg+xml"
