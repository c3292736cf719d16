"""Tone on a brand's page: what counts, how sure it is, which words made it so, and a person's own word on it."""

import re
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import httpx
import pytest

from app.model import Brand, Evidence, Label, Mention, Sentiment
from app.storage.records import Rescored
from app.web.views import Piece, apart, fitting, pieces, said, surface
from collectors.base import Source
from tests.app.api.house import NOON, Client, Deaf, House
from tests.app.sentiment.sentence import Sentence
from tests.app.web.test_pages import Page, text
from tests.app.web.test_session import ORIGIN, token

CLOSE = {"probabilities": (0.45, 0.4, 0.15), "score": -0.3}


def rows(html: str) -> list[str]:
    """The mentions of a page."""
    return re.findall(r'<li class="mention.*?</li>', html, re.S)


def texts_of(found: tuple[Piece, ...]) -> list[tuple[str, float | None]]:
    return [(piece.text, piece.weight) for piece in found]


# ── evidence in pieces ───────────────────────────────────────────────────────


def heard(title: str, words: str, *evidence: Evidence, **tone: Any) -> Mention:
    made = {"label": "negative", "score": -0.6, "scorer": "test/1", "probabilities": (0.7, 0.2, 0.1)} | tone
    return Mention(
        brand="aurora",
        post_id=1,
        source="diario",
        title=title,
        text=words,
        url=None,
        author=None,
        site=None,
        published_at=NOON,
        fetched_at=NOON,
        sentiment=Sentiment(**made, evidence=evidence),
        story_id=1,
        copy=False,
        backfill=False,
        scored_at=NOON,
    )


def test_evidence_is_marked_where_it_stands_in_title_and_text() -> None:
    shown = said(
        heard("Qué estafa", "No funciona.", Evidence(4, 10, "estafa", -2.0), Evidence(11, 13, "No", -0.5)), "A"
    )
    assert texts_of(shown.title) == [("Qué ", None), ("estafa", -2.0)]
    assert texts_of(shown.text) == [("No", -0.5), (" funciona.", None)]
    assert [piece.text for piece in shown.words] == ["estafa", "No"]


def test_a_text_that_repeats_its_title_or_answers_somebody_was_heard_alone() -> None:
    repeated = said(heard("Qué estafa", "Qué estafa de empresa", Evidence(4, 10, "estafa", -2.0)), "A")
    assert (repeated.title, texts_of(repeated.text)[1]) == ((), ("estafa", -2.0))
    reply = said(heard("Hilo", "Qué estafa", Evidence(4, 10, "estafa", -2.0)), "A")
    assert texts_of(reply.title) == [("Hilo", None)]
    assert texts_of(reply.text) == [("Qué ", None), ("estafa", -2.0)]


def test_of_a_reply_nothing_is_marked_in_its_threads_title_though_it_begin_alike() -> None:
    post = replace(heard("Pésimo servicio", "Pésimo, sí", Evidence(0, 6, "Pésimo", -2.0)), reply=True)
    shown = said(post, "A")
    assert texts_of(shown.title) == [("Pésimo servicio", None)]
    assert texts_of(shown.text) == [("Pésimo", -2.0), (", sí", None)]


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(4, 99, "estafa", -1.0),
        Evidence(99, 105, "estafa", -1.0),
        Evidence(-6, 10, "estafa", -1.0),
        Evidence(-6, -1, "estaf", -1.0),
        Evidence(10, 4, "estafa", -1.0),
        Evidence(4, 4, "", -1.0),
        Evidence(4, 10, "<b>xx", -1.0),
        Evidence(4, 10, "ESTAFA", -1.0),
        Evidence(4, 10, "estafa", 0.0),
        Evidence(2**40, 2**41, "estafa", -1.0),
    ],
)
def test_evidence_that_does_not_fit_marks_nothing_and_spoils_nothing(evidence: Evidence) -> None:
    good = Evidence(0, 3, "Qué", -0.25)
    shown = said(heard("", "Qué estafa", good, evidence), "A")
    assert texts_of(shown.text) == [("Qué", -0.25), (" estafa", None)]


def test_of_evidence_that_overlaps_the_heavier_is_marked() -> None:
    three = (Evidence(0, 5, "abcde", 0.5), Evidence(3, 8, "defgh", -2.0), Evidence(7, 10, "hij", 1.0))
    assert texts_of(pieces("abcdefghij", three)) == [("abc", None), ("defgh", -2.0), ("ij", None)]
    assert apart((three[0], three[0])) == [three[0]]


def test_whatever_the_offsets_the_text_stays_whole_and_in_order() -> None:
    words = "a <b>ñ</b> 😡 z"
    spans = [(i, j) for i, j in product(range(-3, 18, 2), repeat=2)]
    evidence = tuple(Evidence(i, j, words[i:j] if 0 <= i < j else "x", (-1.0) ** i * (1 + j % 5)) for i, j in spans)
    for count in (1, 7, 40, len(evidence)):
        assert "".join(piece.text for piece in pieces(words, fitting(words, evidence[:count]))) == words
        assert "".join(piece.text for piece in pieces(words, evidence[:count])) == words


# ── words against sentence ───────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fast", "score", "side"),
    [
        (0.6, -0.5, "positive"),
        (-0.6, 0.5, "negative"),
        (0.6, 0.5, None),
        (0.1, -0.9, None),
        (0.9, -0.1, None),
        (0.0, -0.9, None),
        (None, -0.9, None),
        (0.9, None, None),
    ],
)
def test_it_says_when_the_words_and_the_sentence_take_opposite_sides(
    fast: float | None, score: float | None, side: Label | None
) -> None:
    components = {} if fast is None else {"fast": fast, "quality": -0.9}
    assert surface(Sentiment("negative", score, "test/1", components=components)) == side


# ── on the page ──────────────────────────────────────────────────────────────


def test_a_label_stands_with_how_sure_it_is(house: House, aurora: Brand, diario: Source) -> None:
    house.hear(diario, house.item("a", {aurora: "negative"}))
    english, spanish = (text(house.visitor(language=code).get("/brands/aurora").text) for code in ("en", "es"))
    assert "− negative 70%" in english
    assert "Heard: − negative 70% = neutral 20% + positive 10%" in english
    assert "− negativa 70 %" in spanish.replace("\xa0", " ")
    assert "uncertain" not in text(rows(house.visitor().get("/brands/aurora").text)[0])


def test_what_is_uncertain_or_provisional_says_so_without_colour(house: House, aurora: Brand, diario: Source) -> None:
    house.hear(
        diario,
        house.item("close", {aurora: "negative"}, heard=CLOSE),
        house.item("soon", {aurora: "negative"}, heard={"provisional": True}, age=timedelta(hours=1)),
    )
    close, soon = rows(house.visitor().get("/brands/aurora").text)
    assert "≈ uncertain" in text(close)
    assert ' doubtful"' in close
    assert "provisional" not in close
    assert "provisional" in text(soon)
    assert "uncertain" not in text(soon)
    close, soon = rows(house.visitor(language="es").get("/brands/aurora").text)
    assert ("≈ dudosa" in text(close), "provisional" in text(soon)) == (True, True)


def test_words_for_and_against_differ_by_more_than_colour(house: House, aurora: Brand, diario: Source) -> None:
    evidence = (Evidence(8, 14, "pésimo", -1.5), Evidence(0, 7, "Encanta", 0.5))
    words = "Encanta pésimo <script>x</script>"
    house.hear(diario, house.item("a", {aurora: "negative"}, title="", text=words, evidence=evidence))
    (html,) = rows(house.visitor().get("/brands/aurora").text)
    assert '<mark class="for" title="pulls towards positive">Encanta</mark>' in html
    assert '<mark class="against" title="pulls towards negative">pésimo</mark> &lt;script&gt;' in html
    assert "Words: − pésimo 1.5 + Encanta 0.5" in text(html)
    style = house.visitor().get("/static/avizor.css").text
    assert re.search(r"mark\.against \{[^}]*underline wavy", style)
    assert re.search(r"mark\.for \{[^}]*underline solid", style)


@pytest.mark.parametrize(
    ("language", "note"),
    [
        ("en", "The words look positive, the sentence does not."),
        ("es", "Las palabras parecen positivas; la frase, no."),
    ],
)
def test_irony_is_pointed_at(house: House, aurora: Brand, diario: Source, language: str, note: str) -> None:
    ironic = {"components": {"fast": 0.7, "quality": -0.8}}
    house.hear(diario, house.item("a", {aurora: "negative"}, heard=ironic), house.item("b", {aurora: "negative"}))
    assert text(house.visitor(language=language).get("/brands/aurora").text).count(note) == 1


# ── the sentence, word by word ───────────────────────────────────────────────


@pytest.fixture
def weighed(house: House, aurora: Brand, diario: Source) -> str:
    """The address of a mention's text word by word; its words and its sentence disagree."""
    house.deps = replace(house.deps, scorer=Sentence())
    apart = {"components": {"fast": -0.7, "quality": 0.8}, "language": "es"}
    item = house.item("<i>Café", {aurora: "positive"}, text="No está <b>\n mal </b>", heard=apart)
    house.hear(diario, item, house.item("b", {aurora: "negative"}))
    return f"/brands/aurora/mentions/{house.mention('<i>Café').post_id}/evidence"


@pytest.mark.parametrize(
    ("language", "said"), [("en", "The sentence, word by word"), ("es", "La frase, palabra por palabra")]
)
def test_where_words_and_sentence_disagree_the_sentence_can_be_asked_word_by_word(
    house: House, weighed: str, language: str, said: str
) -> None:
    visitor = house.visitor("viewer", ("aurora",), language)
    for url in ("/", "/brands/aurora"):
        links = re.findall(r'<a href="([^"]+/evidence)">([^<]+)</a>', visitor.get(url).text)
        assert links == [(weighed, said)]
    answer = visitor.get(weighed)
    page = Page(answer.text)
    assert (answer.status_code, set(page.labelled) <= set(page.ids)) == (200, True)
    assert f"<h1>{said}</h1>" in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_it_marks_the_words_at_their_places_and_splices_nothing_in(house: House, weighed: str) -> None:
    html = house.visitor().get(weighed).text
    assert '<h2>&lt;i&gt;<mark class="against" title="pulls towards negative">Café</mark></h2>' in html
    assert '<mark class="for" title="pulls towards positive">No</mark> está &lt;b&gt;\n <mark class="for"' in html
    assert "Heard: − negative 34% = neutral 10% + positive 56% Words: + No 1 + mal 1 − Café 0.5" in text(html)
    assert "Heard by quality/1:0000000" in text(html)


@pytest.mark.parametrize(
    ("language", "said"), [("en", "Only the fast scorer hears here."), ("es", "Aquí solo oye el evaluador rápido.")]
)
def test_where_the_fast_tier_hears_alone_the_page_says_so(house: House, weighed: str, language: str, said: str) -> None:
    house.deps = replace(house.deps, scorer=Deaf())
    answer = house.visitor(language=language).get(weighed)
    assert (answer.status_code, said in text(answer.text), "<mark" in answer.text) == (200, True, False)


def test_nobody_asks_about_what_their_key_does_not_cover(house: House, weighed: str) -> None:
    house.brand("brisa")
    visitor = house.visitor("admin", ("brisa",))
    covered, absent = visitor.get(weighed), visitor.get(weighed.replace("aurora", "nobody"))
    assert (covered.status_code, covered.text) == (absent.status_code, absent.text) == (404, absent.text)
    assert visitor.get(weighed.replace("aurora", "brisa")).status_code == 404
    assert house.visitor("viewer", ("aurora",)).get(weighed).status_code == 200


def test_of_what_was_taken_back_nobody_is_sent_to_read_the_words(house: House, weighed: str, diario: Source) -> None:
    house.takes_back(diario, "<i>Café")
    html = house.visitor().get("/brands/aurora").text
    assert ("Its author took it back" in text(html), weighed in html) == (True, False)


# ── what is said beside ──────────────────────────────────────────────────────


def test_whose_tone_it_is_is_said_once(house: House, aurora: Brand, diario: Source) -> None:
    house.hear(diario, *(house.item(f"n{i}", {aurora: "negative"}) for i in range(3)))
    for language, note in (
        ("en", "The tone is that of the whole text, not of what it says about the brand."),
        ("es", "El tono es el del texto entero, no el de lo que dice de la marca."),
    ):
        assert house.visitor(language=language).get("/brands/aurora").text.count(note) == 1


def test_what_no_scorer_could_hear_says_so(house: House, aurora: Brand, diario: Source) -> None:
    house.hear(diario, house.item("a", {aurora: "unknown"}))
    (html,) = rows(house.visitor().get("/brands/aurora").text)
    assert "? tone unknown" in text(html)
    assert "Nothing here that we can hear a tone in" in text(html)
    assert "%" not in text(html)


def test_counts_stand_beside_what_is_expected(house: House, aurora: Brand, diario: Source) -> None:
    house.hear(
        diario,
        house.item("a", {aurora: "negative"}, age=timedelta(minutes=5)),
        house.item("b", {aurora: "negative"}, heard=CLOSE, age=timedelta(minutes=5)),
        house.item("c", {aurora: "positive"}, backfill=True, age=timedelta(hours=3)),
    )
    shown = text(house.visitor().get("/brands/aurora").text)
    assert "Counted by label 2 0 1 Expected 1.25 0.8 0.95" in shown  # (.7 .2 .1) + (.45 .4 .15) + (.1 .2 .7)
    assert "Expected: the sum of the probabilities" in shown
    assert "restated" not in shown


def test_a_restated_label_says_what_it_was_and_the_counts_say_when(house: House, aurora: Brand, diario: Source) -> None:
    house.hear(diario, house.item("a", {aurora: "negative"}, heard={"provisional": True}))
    anew = house.item("a", {aurora: "positive"}, heard={"scorer": "test/2"}).sentiments[aurora.id]
    house.now = NOON + timedelta(minutes=5)
    house.storage.mentions.restate([Rescored(aurora.id, house.mention("a").post_id, anew)], house.now)
    shown = text(house.visitor().get("/brands/aurora").text)
    assert "Heard by test/2, Nov 18, 12:05 · before: negative" in shown
    assert "Counts last restated: Nov 18, 12:05" in shown
    spanish = text(house.visitor(language="es").get("/brands/aurora").text)
    assert "antes: negativa" in spanish
    assert "Cifras actualizadas por última vez: 18 nov, 12:05" in spanish


# ── a person's word ──────────────────────────────────────────────────────────


def press(visitor: Client, page: httpx.Response, word: str, number: int = 0) -> httpx.Response:
    """Press a button of the page's mention with this number, as a browser would."""
    row = rows(page.text)[number]
    action = re.search(r'<form method="post" action="([^"]+)"', row)
    back = re.search(r'name="next" value="([^"]*)"', row)
    assert action is not None
    assert back is not None
    assert f'name="word" value="{word}"' in row
    form = {"token": token(page), "word": word, "next": back[1].replace("&amp;", "&")}
    return visitor.post(action[1], data=form, headers=ORIGIN)


@pytest.fixture
def doubtful(house: House, aurora: Brand, diario: Source) -> Mention:
    house.hear(diario, house.item("a", {aurora: "negative"}, heard=CLOSE))
    return house.mention("a")


def test_a_responder_corrects_a_tone_and_takes_it_back(house: House, doubtful: Mention) -> None:
    visitor = house.visitor("responder")
    pressed = press(visitor, visitor.get("/brands/aurora?range=week"), "positive")
    place = f"/brands/aurora?range=week&show=all#m-aurora-{doubtful.post_id}"
    assert (pressed.status_code, pressed.headers["location"]) == (303, place)
    page = visitor.get(pressed.headers["location"])
    (html,) = rows(page.text)
    assert f'id="m-aurora-{doubtful.post_id}"' in html
    assert "+ positive ✓ corrected by responder of the tests" in text(html)
    assert "responder of the tests says: positive. Nov 18, 12:00" in text(html)
    assert 'value="positive" aria-pressed="true"' in html
    assert "uncertain" not in text(html)
    assert "tone -0.3" not in text(html)  # of the label that does not count any more
    spanish = text(rows(house.visitor(language="es").get("/brands/aurora").text)[0])
    assert "✓ corregida por responder of the tests" in spanish
    assert press(visitor, page, "take_back").status_code == 303
    assert house.mention("a").correction is None
    assert [one.label for one in house.storage.mentions.corrections()] == [None, "positive"]


def test_a_note_that_came_over_the_api_is_shown_as_text(house: House, doubtful: Mention) -> None:
    note = "<script>alert(1)</script>"
    house.storage.mentions.correct("aurora", doubtful.post_id, "neutral", "<b>Ana</b>", note, house.now)
    (html,) = rows(house.visitor().get("/brands/aurora").text)
    assert "<q>&lt;script&gt;alert(1)&lt;/script&gt;</q>" in html
    assert "corrected by &lt;b&gt;Ana&lt;/b&gt;" in html


def test_the_uncertain_ones_are_reviewed_first_and_leave_when_somebody_has(
    house: House, aurora: Brand, diario: Source, doubtful: Mention
) -> None:
    house.hear(diario, house.item("clear", {aurora: "positive"}))
    visitor = house.visitor("responder")
    everything = visitor.get("/brands/aurora?range=week&label=negative")
    assert 'href="?range=week&amp;show=uncertain&amp;label=negative#mentions"' in everything.text
    review = visitor.get("/brands/aurora?show=uncertain")
    (html,) = rows(review.text)
    assert '<details class="tone" open>' in html
    assert 'aria-current="true">Uncertain: review first' in review.text
    pressed = press(visitor, review, "neutral")
    assert pressed.headers["location"] == "/brands/aurora?range=day&show=uncertain#mentions"
    left = visitor.get(pressed.headers["location"])
    assert rows(left.text) == []
    assert "Nothing uncertain is left to review." in left.text
    assert "No queda ninguna dudosa" in house.visitor(language="es").get("/brands/aurora?show=uncertain").text
    (html,) = rows(visitor.get("/brands/aurora?show=corrected").text)
    assert "✓ corrected by" in text(html)


def test_older_mentions_keep_the_tab(house: House, aurora: Brand, diario: Source) -> None:
    many = [house.item(f"n{i:02}", {aurora: "negative"}, heard=CLOSE, age=timedelta(minutes=i)) for i in range(45)]
    house.hear(diario, *many)
    visitor = house.visitor("responder")
    older = re.search(r'class="button" href="(\?[^"]+)"', visitor.get("/brands/aurora?show=uncertain").text)
    assert older is not None
    second = visitor.get("/brands/aurora" + older[1].replace("&amp;", "&"))
    assert len(rows(second.text)) == 5
    pressed = press(visitor, second, "neutral")
    assert "&cursor=" in pressed.headers["location"]
    assert len(rows(visitor.get(pressed.headers["location"]).text)) == 4


def test_a_viewer_sees_why_and_can_press_nothing(house: House, doubtful: Mention) -> None:
    visitor = house.visitor("viewer")
    page = visitor.get("/brands/aurora")
    (html,) = rows(page.text)
    assert "Why this tone" in html
    assert "<form" not in html
    form = {"token": token(page), "word": "positive", "next": "/"}
    url = f"/brands/aurora/mentions/{doubtful.post_id}/correction"
    assert visitor.post(url, data=form, headers=ORIGIN).status_code == 403
    assert house.mention("a").correction is None


def test_nobody_corrects_what_their_key_does_not_cover(house: House, doubtful: Mention) -> None:
    house.brand("brisa")
    visitor = house.visitor("responder", ("brisa",))
    form = {"token": token(visitor.get("/")), "word": "positive", "next": "/"}
    url = f"/brands/aurora/mentions/{doubtful.post_id}/correction"
    covered = visitor.post(url, data=form, headers=ORIGIN)
    absent = visitor.post(url.replace("aurora", "nobody"), data=form, headers=ORIGIN)
    assert (covered.status_code, covered.text) == (absent.status_code, absent.text) == (404, absent.text)
    assert house.mention("a").correction is None


@pytest.mark.parametrize(
    ("changes", "status", "place"),
    [
        ({"next": "https://evil.example/"}, 303, "/"),
        ({"next": "//evil.example"}, 303, "/"),
        ({"next": "/\\evil.example"}, 303, "/"),
        ({"word": "angry"}, 422, None),
        ({"word": ""}, 422, None),
        ({"note": "x" * 501}, 422, None),
        ({"token": "0" * 64}, 403, None),
    ],
)
def test_a_tampered_form_leads_nowhere(
    house: House, doubtful: Mention, changes: dict[str, str], status: int, place: str | None
) -> None:
    visitor = house.visitor("responder")
    form = {"token": token(visitor.get("/")), "word": "positive", "next": "/"} | changes
    answer = visitor.post(f"/brands/aurora/mentions/{doubtful.post_id}/correction", data=form, headers=ORIGIN)
    assert (answer.status_code, answer.headers.get("location")) == (status, place)
    assert (house.mention("a").correction is not None) == (status == 303)


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("show", ["all", "uncertain", "corrected"])
def test_every_tab_is_sound_html_in_both_languages(
    house: House, aurora: Brand, diario: Source, language: str, show: str
) -> None:
    evidence = (Evidence(0, 3, "<b>", -1.0), Evidence(1, 2, "b", 2.0))
    house.hear(
        diario,
        *(house.item(k, {aurora: "negative"}, title="", text=f"<b>{k}", heard=CLOSE, evidence=evidence) for k in "ab"),
        house.item("c", {aurora: "unknown"}),
    )
    for number, word in enumerate(("positive", "unknown")):
        post_id = house.storage.posts.page()[number].id
        house.storage.mentions.correct("aurora", post_id, word, "Ana", "why", house.now)  # type: ignore[arg-type]
    html = house.visitor("admin", language=language).get(f"/brands/aurora?show={show}").text
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    assert set(page.labelled) <= set(page.ids)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://avizor.test", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_another_site_cannot_correct(house: House, doubtful: Mention, headers: dict[str, str]) -> None:
    visitor = house.visitor("admin")
    url, form = f"/brands/aurora/mentions/{doubtful.post_id}/correction", {"word": "positive", "next": "/"}
    good = form | {"token": token(visitor.get("/"))}
    assert visitor.post(url, data=good, headers=headers).status_code == 403
    assert visitor.post(url, data=form, headers=ORIGIN).status_code == 403
    assert visitor.get(url).status_code == 405
    assert house.mention("a").correction is None
    assert visitor.post(url, data=good, headers=ORIGIN).status_code == 303
