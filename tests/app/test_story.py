"""Which posts are copies of one text."""

from collections.abc import Callable
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.story import text_hash, without_publisher

TITLE = "Acme retira del mercado miles de cafeteras por riesgo de incendio"
TEXT = (
    "La compañía pide a sus clientes que desenchufen el aparato. «No hay heridos», asegura un portavoz, que promete "
    "devolver el dinero en dos semanas. Más información en https://acme.example/retirada."
)


def of(
    title: str = TITLE, text: str = TEXT, author: str | None = "Redacción", site: str | None = "elpais.com"
) -> bytes:
    return text_hash(title, text, author, site)


def test_it_is_sixteen_bytes() -> None:
    assert len(of()) == 16
    assert len(of("", "", None, None)) == 16


COPIES: dict[str, tuple[str, str]] = {
    "in capitals": (TITLE.upper(), TEXT),
    "without accents": (TITLE, TEXT.replace("í", "i").replace("á", "a")),
    "decomposed": (normalize("NFD", TITLE), normalize("NFD", TEXT)),
    "with other quotes": (TITLE, TEXT.replace("«", '"').replace("»", '"')),
    "with other dashes and stops": (TITLE + ".", TEXT.replace(",", " —").replace(".", " …", 1)),
    "with other white space": (f"  {TITLE}\n", TEXT.replace(" ", " \n\t")),
    "with a tracking link": (TITLE, TEXT.replace("https://acme.example/retirada", "https://t.co/x1y2?utm_source=z")),
    "with invisible characters": (TITLE.replace("mercado", "mer\u00adcado"), TEXT + "\u200b"),
    "with the site in the title": (f"{TITLE} - EL PAÍS", TEXT),
    "with a publisher in the title": (f"{TITLE} | La Voz de Galicia", TEXT),
    "with section and publisher": (f"{TITLE} | Economía | EL PAÍS", TEXT),
    "with the title in the text": (TITLE, f"{TITLE}. {TEXT}"),
    "with the whole title in the text": (f"{TITLE} - EL PAÍS", f"{TITLE}: {TEXT} EL PAÍS"),
    "without a title": ("", f"{TITLE}\n{TEXT}"),
    "with a link to the rest": (TITLE, f"{TEXT} Leer más…"),
    "with another link to the rest": (TITLE, f"{TEXT} [Continue reading →]"),
    "signed by WordPress": (TITLE, f"{TEXT} La entrada {TITLE} se publicó primero en El Diario de Acme."),
    "signed by WordPress in English": (TITLE, f"{TEXT} The post {TITLE} appeared first on The Acme Times."),
    "passed on": ("", f"RT @redaccion: {TITLE} {TEXT}"),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_the_same_story(how: str) -> None:
    assert of(*COPIES[how], author="Agencias", site="elpais.com") == of()


@pytest.mark.parametrize(
    "how", [how for how in COPIES if "site" not in how and "whole" not in how and "section" not in how]
)
def test_a_copy_elsewhere_is_the_same_story(how: str) -> None:
    assert of(*COPIES[how], author=None, site="diariodecadiz.es") == of()


@pytest.mark.parametrize(
    ("title", "text"),
    [
        (TITLE.replace("miles", "cientos"), TEXT),
        (TITLE, TEXT.replace("No hay", "Hay")),
        (TITLE, ""),
        ("", TEXT),
        (TITLE, TEXT.replace("compañía", "campaña")),
        (TITLE, f"{TEXT} Acme cae un 8 % en bolsa."),
        (TITLE, f"{TEXT} 😡"),
    ],
)
def test_another_text_is_another_story(title: str, text: str) -> None:
    assert of(title, text) != of()


# ── short texts ──────────────────────────────────────────────────────────────

SHORT = [
    "Muy mal servicio",
    "",
    "😡😡😡",
    "No lo recomiendo a nadie, un desastre",
    "a b c d e f g h i j",
    "+1",
    "https://acme.example/x",
]


@pytest.mark.parametrize("text", SHORT)
def test_a_short_text_of_another_author_is_another_story(text: str) -> None:
    assert of("", text, "ana", "x.example") != of("", text, "luis", "x.example")
    assert of("", text, "ana", "x.example") != of("", text, None, "x.example")


@pytest.mark.parametrize("text", SHORT)
def test_a_short_text_on_another_site_is_another_story(text: str) -> None:
    assert of("", text, "ana", "x.example") != of("", text, "ana", "y.example")
    assert of(text, "", "ana", "x.example") != of(text, "", "ana", None)


def test_a_short_text_that_its_author_repeats_is_the_same_story() -> None:
    assert of("", "¡Muy mal SERVICIO!", "Ana", "x.example") == of("", "muy mal servicio", "ana", "x.example")


def test_a_short_text_keeps_every_word() -> None:
    assert of("Acme - El País", "", "ana", "elpais.com") != of("Acme", "", "ana", "elpais.com")
    assert of("", "Acme, leer más", "ana", "x.example") != of("", "Acme", "ana", "x.example")
    assert of("", "ana", "b", None) != of("", "b", "ana", None)
    assert of("Acme", "mal", "a", "b") != of("", "Acme mal", "a", "b") != of("", "mal", "Acme a", "b")


def test_a_text_is_not_made_long_by_what_a_feed_added_to_it() -> None:
    for tail in (
        " La entrada Mal servicio se publicó primero en El Diario de Acme y de su Comarca",
        " - Diario de Acme",
    ):
        title = "Muy mal servicio otra vez" + tail
        assert of(title, "", "ana", "x.example") != of(title, "", "luis", "y.example")


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_short_text_collapses_over_authors(text: str, author: str) -> None:
    assert of("", text[:39], f"{author} uno", "x.example") != of("", text[:39], f"{author} dos", "x.example")


# ── the publisher behind a title ─────────────────────────────────────────────


@pytest.mark.parametrize(
    ("title", "site", "headline"),
    [
        ("Acme sube - EL PAÍS", "elpais.com", "Acme sube"),
        ("Acme sube | BBC News Mundo", "bbc.com", "Acme sube"),
        ("Acme sube — ABC", "abc.es", "Acme sube"),
        ("Acme sube - elpais.com", "elpais.com", "Acme sube"),
        ("Acme abre cinco tiendas en España - La Vanguardia", "news.google.com", "Acme abre cinco tiendas en España"),
        ("Acme abre cinco tiendas en España | Economía | Cinco Días", None, "Acme abre cinco tiendas en España"),
        # not a publisher
        ("Acme sube - La Vanguardia", "news.google.com", "Acme sube - La Vanguardia"),
        (
            "Acme abre cinco tiendas en España - y cierra diez",
            None,
            "Acme abre cinco tiendas en España - y cierra diez",
        ),
        ("Los resultados de Acme en 2026 - Parte 2", None, "Los resultados de Acme en 2026 - Parte 2"),
        ("Acme-Globex se fusionan", "globex.com", "Acme-Globex se fusionan"),
        ("Elon baja - a", "elpais.com", "Elon baja - a"),
        ("The best - The rest", "the-sun.com", "The best - The rest"),
        ("- EL PAÍS", "elpais.com", ""),
        ("Acme sube -", "elpais.com", "Acme sube -"),
        ("", "elpais.com", ""),
        ("- | -", None, "- | -"),
    ],
)
def test_it_takes_the_publisher_off_a_title(title: str, site: str | None, headline: str) -> None:
    assert without_publisher(title, site) == headline


@given(st.text(alphabet="aA1 -|é\n.", max_size=80), st.one_of(st.none(), st.text(max_size=20)))
def test_any_title_has_a_headline_at_its_start(title: str, site: str | None) -> None:
    assert " ".join(title.split()).startswith(without_publisher(title, site))


# ── bounds ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "make",
    [lambda n: "the post " * n, lambda n: " - A" * n, lambda n: "www." * n, lambda n: "\n" * n, lambda n: "é😀" * n],
)
def test_a_text_of_any_size_has_a_hash(make: Callable[[int], str]) -> None:
    assert len(of(make(50_000)[:2_000], make(100_000))) == 16


@given(st.text(max_size=200), st.text(max_size=200), st.one_of(st.none(), st.text(max_size=20)))
def test_any_text_has_a_hash_and_always_the_same(title: str, text: str, author: str | None) -> None:
    assert text_hash(title, text, author, None) == text_hash(title, text, author, None)
