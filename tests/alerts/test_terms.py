"""What stories of now say more often than the brand's stories usually do."""

from math import log
from time import process_time

import pytest

from alerts.terms import STOP_WORDS, language_of, over_represented, surprise

USUAL = [["buen", "trato", "vuelo"], ["ruta", "nueva"], ["maleta", "perdida"], ["precio", "justo"]] * 25


def test_a_pair_that_explains_as_much_replaces_its_words() -> None:
    here = [["food", "poisoning", "again"]] * 6 + [["late", "bus"]] * 6
    assert [term.word for term in over_represented(here, USUAL)] == ["food poisoning", "late bus"]


def test_a_word_that_weighs_more_than_its_pairs_stands_alone() -> None:
    here = [["vuelo", "cancelado"], ["cancelado", "otra"], ["tren", "cancelado"], ["todo", "cancelado"]] * 3
    assert over_represented(here, USUAL)[0].word == "cancelado"
    assert not any("cancelado " in term.word for term in over_represented(here, USUAL))


def test_a_word_counts_once_a_story() -> None:
    here = [["pollo"] * 9, ["pollo"], ["pollo", "frio"], ["sopa"], ["sopa"], ["sopa"]]
    assert {term.word: term.here for term in over_represented(here, USUAL)} == {"pollo": 3, "sopa": 3}


def test_a_term_says_how_usual_it_is() -> None:
    (term,) = over_represented([["vuelo"]] * 10, USUAL)
    assert (term.word, term.here, term.usual) == ("vuelo", 10, 0.25)
    assert term.weight == pytest.approx(surprise(10, 10, 25, 100))


@pytest.mark.parametrize(
    ("here", "found"),
    [
        pytest.param([["pollo"]] * 2 + [["sopa"]] * 3, {"pollo", "sopa"}, id="two of five are enough"),
        pytest.param([["pollo"]] * 2 + [["sopa"]] * 4, {"sopa"}, id="two of six are not"),
        pytest.param([["pollo"]] * 3 + [["sopa"]] * 27, {"pollo", "sopa"}, id="a tenth is"),
        pytest.param([["pollo"]] * 3 + [["sopa"]] * 28, {"sopa"}, id="less is not"),
        pytest.param([["pollo"]], set(), id="one story says nothing"),
        pytest.param([], set(), id="no stories"),
        pytest.param(
            [["714", "x", "de", "the", "🤢", "aero", "aerolince"]] * 9, set(), id="nothing that means something"
        ),
        pytest.param([["vuelo", "714"]] * 9, {"vuelo 714"}, id="a number beside a word"),
        pytest.param([["ruta"]] + [["precio"]] + [["maleta"]] * 2, set(), id="a little more than usual is chance"),
        pytest.param([["relleno"] * 400 + ["pollo"]] * 9, {"relleno"}, id="the first 400 words are read"),
    ],
)
def test_what_is_a_term(here: list[list[str]], found: set[str]) -> None:
    assert {term.word for term in over_represented(here, USUAL, leave_out=("aero", "lince"))} == found


def test_the_brands_own_words_are_terms_of_others() -> None:
    assert [term.word for term in over_represented([["lince"]] * 9, USUAL)] == ["lince"]
    assert over_represented([["lince"]] * 9, USUAL, leave_out=("aero lince",)) == ()


def test_what_is_said_as_ever_is_no_term() -> None:
    assert over_represented(USUAL[:40], USUAL) == ()


def test_without_a_month_to_compare_with_there_are_no_terms() -> None:
    assert over_represented([["pollo"]] * 9, []) == ()


def test_ties_go_by_word_and_the_order_of_stories_changes_nothing() -> None:
    here = [["sopa"], ["pollo"], ["arroz"]] * 5
    assert [term.word for term in over_represented(here, USUAL)] == ["arroz", "pollo", "sopa"]
    assert over_represented(here[::-1], USUAL[::-1]) == over_represented(here, USUAL)
    assert [term.word for term in over_represented(here, USUAL, most=2)] == ["arroz", "pollo"]


def test_the_weight_is_dunnings_and_below_zero_where_a_word_is_rarer() -> None:
    cells = ((30, 60, 40), (10, 240, 40), (30, 60, 260), (230, 240, 260))
    expected = 2 * sum(count * log(count / (of * said / 300)) for count, of, said in cells)
    assert surprise(30, 60, 10, 240) == pytest.approx(expected)
    assert surprise(10, 240, 30, 60) == pytest.approx(-expected)
    assert surprise(10, 40, 20, 80) == pytest.approx(0, abs=1e-9)
    assert surprise(3, 3, 0, 0) == 0


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("no hay nadie que nos diga lo que pasa", "es"),
        ("nobody tells us what is going on", "en"),
        ("ninguem nos diz o que esta acontecendo, nao sei", "pt"),
        ("nous ne savons pas ce qui se passe avec le train", "fr"),
        ("wir wissen nicht was mit dem zug los ist", "de"),
        ("non sappiamo che cosa succede con il treno", "it"),
        ("salmonela", None),
    ],
)
def test_small_words_tell_the_language(text: str, language: str | None) -> None:
    assert language_of(text.replace(",", "").split()) == language


def test_stop_words_are_folded() -> None:
    assert all(word.isascii() and word.islower() for said in STOP_WORDS.values() for word in said)


def test_twenty_thousand_short_texts_take_less_than_a_second() -> None:
    usual = [[f"palabra{(story * 7 + place * place) % 5000}" for place in range(25)] for story in range(19_900)]
    here = [[*story, "intoxicacion", "alimentaria"] for story in usual[:100]]
    start = process_time()
    assert over_represented(here, usual)[0].word == "intoxicacion alimentaria"
    assert process_time() - start < 1
