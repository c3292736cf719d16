"""Where the words of a query stand, told in the text as it was written."""

import pytest

from app.cli.spans import places, spans
from app.query import parse


def found(query: str, **texts: str) -> list[str]:
    return [f"{span.field}:{span.text}" for span in spans(parse(query), texts)]


@pytest.mark.parametrize(
    ("query", "text", "words"),
    [
        ("telefonica", "La Telefónica, la TELEFONICA.", ["Telefónica", "TELEFONICA"]),
        ('"o2 españa"', "En O2 España y en O2, España", ["O2 España", "O2, España"]),
        ("español*", "españoles y españolas", ["españoles", "españolas"]),
        ("~espana", "España", ["España"]),
        ("#crisis", "una crisis, una #Crisis", ["Crisis"]),
        ("@movistar", "@Movistar responde", ["Movistar"]),
        ("`O2`", "O2 y o2", ["O2"]),
        ("movistar NEAR/3 caída", "Movistar: otra caída", ["Movistar", "caída"]),
        ("movistar -caída", "Movistar, caída", ["Movistar"]),
        ("oreal", "l’Oréal", ["Oréal"]),
        ("cafe", "CAFE\u0301 solo", ["CAFE\u0301"]),
        ("nada", "movistar", []),
    ],
)
def test_it_finds_each_kind_of_term(query: str, text: str, words: list[str]) -> None:
    assert found(query, text=text) == [f"text:{word}" for word in words]


def test_it_keeps_to_the_field_that_was_asked_for() -> None:
    texts = {"title": "Movistar", "text": "movistar", "author": "movistar"}
    assert found("movistar", **texts) == ["title:Movistar", "text:movistar"]
    assert found("title:movistar", **texts) == ["title:Movistar"]
    assert found("author:movistar", **texts) == ["author:movistar"]


def test_it_counts_words_as_the_query_does() -> None:
    text = "¡Qué “Telefónica”-O2… paral·lel 日本語 👍🏽!"
    assert all(text[place.start : place.end].strip() for place in places(text))
    assert [place.word for place in places("a_b  c")] == ["a", "b", "c"]
