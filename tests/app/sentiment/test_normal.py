"""One form for what is written in many ways, and where each part of it stands in the original."""

import html
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sentiment.normal import guard, plain, squeezed, tokens


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("Caf&eacute; &amp; t&#233;", "Café & té"),
        ("cafe\u0301", "café"),
        ("mira https://acme.example/a?b=1 y www.acme.example", "mira http y http"),
        ("@acme_oficial, dime algo", "@user, dime algo"),
        ("ana@acme.example", "ana@acme.example"),
        ("buenooooooo!!!!!!", "buenooo!!!"),
        ("😡😡😡😡😡", "😡😡😡"),
        ("  dos\n\tlíneas ", "dos líneas"),
        (r"Qu\u00e9 rabia \ud83d\ude21, it\u2019s bad", "Qué rabia 😡, it’s bad"),
        (r"mitad \ud83d, y C:\users\ude1 no es nada", "mitad \ufffd, y C:\\users\\ude1 no es nada"),
        ("mitad \ud83d de un emoji", "mitad ? de un emoji"),
    ],
)
def test_it_writes_alike_what_means_the_same(text: str, heard: str) -> None:
    assert plain(text) == heard


@given(st.text(max_size=400))
def test_any_text_becomes_one_line_that_can_be_written_out(text: str) -> None:
    heard = plain(text)
    assert heard == " ".join(heard.split())
    assert heard.encode().decode() == heard
    assert not re.search(r"(\S)\1{3}", heard)


def words(text: str) -> list[str]:
    return [token[0] for token in tokens(guard(text).text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("¡Qué estafa de empresa!", ["¡", "Qué", "estafa", "de", "empresa", "!"]),
        ("no, gracias... 10/10", ["no", ",", "gracias", "...", "10", "10"]),
        ("Bien :) mal :-( jaja xD <3", ["Bien", ":)", "mal", ":-(", "jaja", "xD", "<3"]),
        ("hora 12:30", ["hora", "12", ":", "30"]),
        ("#FuerzaAcme con @acme", ["#FuerzaAcme", "con", "@acme"]),
        ("it isn't l’été peut-être", ["it", "isn't", "l’été", "peut-être"]),
        ("😡😡😡 y 👍🏽👍🏽", ["😡😡😡", "y", "👍🏽👍🏽"]),
        ("ver https://acme.example/x, ya", ["ver", "https://acme.example/x,", "ya"]),
        ("&iexcl;P&eacute;simo!", ["¡", "Pésimo", "!"]),
        (r"\u00a1P\u00e9simo! \ud83d\ude21", ["¡", "Pésimo", "!", "😡"]),
    ],
)
def test_it_tells_words_emoji_emoticons_and_marks_apart(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(
    st.lists(
        st.sampled_from(["bueno", "caf&eacute;", "&amp;", "cafe\u0301", "e\u0301", "😡😡", "\u0301", " ", "ñ"]),
        max_size=60,
    )
)
def test_each_token_stands_where_it_says(parts: list[str]) -> None:
    text = "".join(parts) * 9
    guarded = guard(text)
    for token in tokens(guarded.text):
        start, end = guarded.span(*token.span())
        assert unicodedata.normalize("NFC", html.unescape(text[start:end])) == token[0]


@pytest.mark.parametrize("text", ["qu&eacute; mal", r"qu\u00e9 mal", r"que\u0301 mal"])
def test_neither_an_entity_nor_an_escape_is_ever_torn(text: str) -> None:
    guarded = guard(text)
    start, end = guarded.span(0, 3)
    assert text[start:end] == text.removesuffix(" mal")


def test_a_plain_text_is_its_own_guarded_form() -> None:
    text = "Nada que decir, todo bien"
    assert guard(text).text is text


def test_runs_are_cut_to_three() -> None:
    assert squeezed("siiiiii, nooo, 1000000") == "siiiiii".replace("iiiiii", "iii") + ", nooo, 1000"


@pytest.mark.parametrize("text", ["&#" + "9" * 100_000, "&" + "a" * 100_000, "&" * 100_000, "&#x110000;"])
def test_no_entity_is_too_long_to_read(text: str) -> None:
    assert len(plain(text)) <= 2_000
    assert len(guard(text).text) <= 2_000
