"""Folding: what is one spelling and what is two, whatever the code points."""

import sys
import time
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.query import fold
from app.query.fold import domain, tags, traced, visible, words

TRICKY = (
    "aAbnNñÑlL\u0301\u0303\u0306·ŀßéøæ™²'’#@_ .,-«東がｶﾞ\u3099กั가\u1100\u1161\u11a8😡🇪🇸\u200b\u00ad\ufe0f\u200dиЙѐ\0\x1f"
)
texts = st.text(max_size=30) | st.text(alphabet=TRICKY, max_size=30)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Telefónica ESPAÑA, l’Oréal, Straße", "telefonica españa, l'oreal, strasse"),
        ("ÁÉÍÓÚÜ àèìòù âêîôû äëïöü", "aeiouu aeiou aeiou aeiou"),
        ("Ñandú ñoño", "ñandu ñoño"),
        ("Barça Łódź Malmö Ærø Đà Nẵng", "barca lodz malmo aero da nang"),
        ("«¿Qué?» — “sí”…", '"¿que?" - "si"...'),
        ("paral·lel COL·LEGI a·b", "parallel collegi a·b"),
        ("Acme™ m² CO₂ 1º", "acme  m 2 co2 1o"),
        ("ﬁn Ａｃｍｅ Ⓐcme", "fin acme acme"),
        ("Й й Й Ё", "й й й е"),
        ("ΟΔΟΣ Άλφα", "οδοσ αλφα"),
        ("İstanbul ISPARTA ılık", "istanbul isparta ilik"),
        ("", ""),
    ],
)
def test_it_gives_one_spelling(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(("one", "other"), [("año", "ano"), ("peña", "pena"), ("й", "и"), ("か", "が"), ("o", "0")])
def test_it_keeps_different_letters_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_it_holds_for_every_character() -> None:
    """Folding twice is folding once; composed or not, folded before or after: the words are the same."""
    scripts_of_signs = range(0x3400, 0xD7A4)  # Han and Hangul, all alike; so are those past 0x17000
    for code in range(sys.maxunicode + 1):
        if (code in scripts_of_signs or 0x17000 <= code < 0x1B100 or code >= 0x20000) and code % 197:
            continue
        char = chr(code)
        folded = fold(char)
        assert fold(folded) == folded, hex(code)
        assert fold(normalize("NFD", char)) == folded, hex(code)
        assert words(folded) == words(char), hex(code)


@settings(max_examples=250)
@given(texts)
def test_composed_and_decomposed_texts_are_one(text: str) -> None:
    assert fold(normalize("NFC", text)) == fold(normalize("NFD", text))
    assert words(normalize("NFC", text)) == words(normalize("NFD", text))


@settings(max_examples=250)
@given(texts)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert words(fold(text)) == words(text)


@settings(max_examples=250)
@given(texts)
def test_it_knows_where_every_word_stands(text: str) -> None:
    found = traced(text)
    assert [word for word, _, _ in found] == words(text)
    assert all(0 <= start < end <= len(text) for _, start, end in found)
    for word, start, end in found:
        assert word in words(text[start:end])


def test_no_word_holds_a_control_character() -> None:
    """The index and the phrases rely on it."""
    text = "".join(map(chr, range(0x250))) + "a\0b\x1fc\x01d"
    assert all(char > " " and char not in "#@_`*~" for word in words(text) for char in word)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hola #Acme y @Acme_ES!", [("#acme", 1, 1), ("@acme_es", 3, 2)]),
        ("soporte@acme.es, x#y, a&#39;b, /#top", []),
        ("(#uno,#dos)", [("#uno", 0, 1), ("#dos", 1, 1)]),
        ("## título", []),
        ("#", []),
        ("#___ a", []),
        ("#日本 x", [("#日本", 0, 2)]),
        ("#Año ＃full", [("#año", 0, 1), ("#full", 1, 1)]),
        ("1 #2", [("#2", 1, 1)]),
    ],
)
def test_it_finds_hashtags_and_handles(text: str, found: list[tuple[str, int, int]]) -> None:
    assert tags(text) == found


@settings(max_examples=300)
@given(texts)
def test_a_tag_begins_at_a_word(text: str) -> None:
    known = words(text)
    for tag, place, width in tags(text):
        assert words(tag) == known[place : place + width]


def test_visible_keeps_case_and_accents() -> None:
    assert visible("Te\u00adlefo\u0301nica\u200b") == "Telefónica"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("ELPAIS.com.", "elpais.com"),
        ("xn--espaa-rta.es", "españa.es"),
        ("ESPAÑA.es", "españa.es"),
        ("xn--\u00e9.es", "xn--\u00e9.es"),
        ("xn--a!.es", "xn--a!.es"),
        ("", ""),
    ],
)
def test_it_compares_hosts_in_their_own_letters(host: str, name: str) -> None:
    assert domain(host) == name


@settings(max_examples=200)
@given(st.text(max_size=40) | st.from_regex(r"xn--[a-z0-9-]{0,20}\.es", fullmatch=True))
def test_a_host_is_respelt_once(host: str) -> None:
    assert domain(domain(host)) == domain(host)


@pytest.mark.parametrize(
    "piece", ["ñandú ", "a\u0301\u0303", "😡", "東", "l·", "ﬀ", "\u0301", "n", "#a", "é" * 30 + "a"]
)
def test_it_takes_time_in_proportion_to_the_text(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        best = 9.0
        for _ in range(3):
            started = time.process_time()
            words(text)
            tags(text)
            best = min(best, time.process_time() - started)
        return best

    assert seconds(60_000) < 40 * max(seconds(6_000), 0.001)
