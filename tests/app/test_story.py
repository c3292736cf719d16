"""Which posts are copies of one text."""

from collections.abc import Callable
from itertools import combinations
from time import process_time
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.story import BANDS, bands, is_near, text_hash, without_publisher

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


# ── near copies ──────────────────────────────────────────────────────────────

WIRE_TITLE = "Brezo retira del mercado 12.000 cafeteras por riesgo de incendio"
WIRE = (
    "La compañía Brezo ha ordenado este martes la retirada de 12.000 cafeteras de su modelo Alba después de que varios "
    "clientes denunciaran que el aparato se sobrecalienta y puede llegar a arder. La empresa pide a quienes lo "
    "compraron entre enero y marzo que lo desenchufen de inmediato y lo devuelvan en cualquier tienda. No hay heridos, "
    "según un portavoz, que ha prometido devolver el importe íntegro en un plazo de dos semanas. La Dirección General "
    "de Consumo ha abierto un expediente para aclarar desde cuándo conocía el fabricante el defecto. La asociación de "
    "consumidores Lupa recuerda que el mismo modelo ya fue objeto de quejas en otoño y reclama una indemnización."
)
SENTENCES = WIRE.split(". ")
OTHER_HEADLINE = "Miles de aparatos de Brezo, devueltos por peligro de fuego"

WIRES: dict[str, tuple[str, str]] = {
    "as the agency sent it": (WIRE_TITLE, WIRE),
    "with a dateline": (WIRE_TITLE, f"MADRID, 12 nov. (EFE).- {WIRE}"),
    "with another dateline": (WIRE_TITLE, f"Barcelona, 13 de noviembre (Europa Press) - {WIRE}"),
    "with a city only": (WIRE_TITLE, f"SEVILLA — {WIRE}"),
    "with an agency only": (WIRE_TITLE, f"(Agencia Sur) – {WIRE}"),
    "with a dateline behind its title": (WIRE_TITLE, f"{WIRE_TITLE}.\nBOGOTÁ, 14 nov (EFE).- {WIRE}"),
    "with a publisher": (f"{WIRE_TITLE} - La Voz del Puerto", WIRE),
    "with a publisher that has a figure": (f"{WIRE_TITLE} - 20 Puertos", WIRE),
    "with another one": (f"{WIRE_TITLE} | Antena 3 Puerto", WIRE),
    "without a sentence": (WIRE_TITLE, ". ".join(SENTENCES[:2] + SENTENCES[3:])),
    "without the last sentence": (WIRE_TITLE, ". ".join(SENTENCES[:-1]) + "."),
    "under another headline": (OTHER_HEADLINE, WIRE),
    "under a headline with a figure": ("Brezo: 3 claves de una retirada que enfada a sus clientes", WIRE),
    "with other figures' points": (WIRE_TITLE.replace("12.000", "12000"), WIRE.replace("12.000", "12,000")),
    "its first paragraph": ("Brezo retira cafeteras", f"MADRID (EFE) - {SENTENCES[0]}."),
    "two paragraphs under another headline": (OTHER_HEADLINE, ". ".join(SENTENCES[:2]) + ". Leer más"),
    "torn off": (WIRE_TITLE, WIRE[:300] + "…"),
    "torn off in a number": (WIRE_TITLE, f"{SENTENCES[0]}. Ya son 1.2..."),
    "torn off in brackets": (WIRE_TITLE, WIRE[:200] + " [...]"),
    "without a title": ("", f"{WIRE_TITLE}. {WIRE}"),
    "passed on without its title": ("", f"RT @agencia7: {WIRE}"),
    "with words changed": (WIRE_TITLE, WIRE.replace("este martes", "ayer").replace("reclama", "exige")),
}


@pytest.mark.parametrize(("one", "other"), list(combinations(WIRES, 2)))
def test_a_wire_that_papers_change_is_one_text_and_is_found(one: str, other: str) -> None:
    assert is_near(WIRES[one], WIRES[other])
    assert is_near(WIRES[other], WIRES[one])
    assert set(bands(*WIRES[one])) & set(bands(*WIRES[other]))


PLACES = ("Getafe", "Cádiz", "Lugo", "Vigo", "Reus", "Soria", "Elche", "Jaca", "Ronda", "Gijón", "Mérida", "Teruel")
PEOPLE = ("la encargada", "un camarero", "el dueño", "Marta", "Luis", "el cocinero")
TEMPLATES = (
    "Ayer cené con mi familia en el local de Aurora y acabamos enfermos toda la noche: la mesa {number} estaba sucia, "
    "el pescado olía mal y nadie nos dio una explicación cuando nos quejamos antes de irnos",
    "Ayer cené con mi familia en el local de Aurora de {place} y nos pusimos enfermos: esperamos casi una hora, la "
    "mesa estaba sucia y {person} nos gritó delante de todos",
    "Pedido {number} de Aurora: llevo esperando desde el lunes, no contestan al teléfono y en {place} me dicen que no "
    "saben nada del envío ni de mi dinero, no vuelvo a comprar con ellos",
)


@pytest.mark.parametrize("template", TEMPLATES)
def test_complaints_of_different_people_are_as_many_texts(template: str) -> None:
    said = [
        template.format(number=7 + at, place=place, person=PEOPLE[at * 5 % 6])
        for at, place in enumerate(PLACES[: 6 if "{person}" in template else 12])
    ]
    assert all(bands("", text) for text in said)
    assert not any(is_near(("", one), ("", other)) for one, other in combinations(said, 2))
    assert is_near(("", said[0]), ("", said[0].replace("familia", "gente").replace("dinero", "pago")))  # the control


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [("siete", "nueve", False), ("seven", "twelve", False), ("7", "siete", True), ("vinte", "dez", False)],
)
def test_a_figure_written_as_a_word_is_a_figure(one: str, other: str, near: bool) -> None:
    said = (
        "Cenamos anoche en el local de la plaza y en la mesa {} tardaron dos horas en traer el primer plato, frío, y "
        "el camarero no quiso saber nada cuando le pedimos la hoja de reclamaciones delante de todo el mundo"
    )
    assert is_near(("", said.format(one)), ("", said.format(other))) is near


def test_who_quotes_the_lead_of_a_wire_and_is_angry_is_a_voice_and_a_paper_that_brings_all_of_it_is_none() -> None:
    lead = " ".join(WIRE.split()[:45])
    anger = (
        "Pues a mí me compraron una de esas y llevo tres semanas llamando sin que me devuelvan mi dinero, qué asco, "
        "mi cocina olía a quemado y encima se ríen de nosotros"
    )
    assert not is_near(("", f"«{lead}» {anger}"), ("", lead))
    assert not is_near(("", lead), ("", f"«{lead}» {anger}"))
    assert is_near(("", WIRE), ("", lead))


def test_a_figure_that_only_one_text_has_does_not_part_them() -> None:
    assert is_near(("", f"{WIRE} Las acciones caen un 8 %."), ("", WIRE))
    assert not is_near(("", f"{WIRE} Las acciones caen un 8 %."), ("", f"{WIRE} Las acciones caen un 9 %."))


def test_another_text_about_the_same_is_not_near() -> None:
    report = (
        "Los dueños de una cafetera Alba de Brezo cuentan cómo empezó a salir humo del aparato mientras desayunaban "
        "con sus hijos. Llamaron tres veces a la compañía y nadie quiso hacerse cargo hasta que intervino "
        "la Dirección General de Consumo."
    )
    assert not is_near((WIRE_TITLE, WIRE), (WIRE_TITLE, report))


def test_who_quotes_a_text_at_the_end_of_their_own_is_not_near_it() -> None:
    own = (
        "Yo tengo una de estas en casa y el sábado, mientras hacíamos el desayuno, empezó a oler a plástico quemado. "
        "Mi hijo tiró del cable y no pasó nada, pero la encimera quedó negra y en la tienda nos dijeron que era "
        "culpa nuestra por dejarla enchufada. Y ahora leo esto: "
    )
    paragraph = ("", SENTENCES[0])
    assert not is_near(("", own + SENTENCES[0]), paragraph)
    assert not is_near(("", f"{SENTENCES[0]}. {own}"), paragraph)
    assert is_near(("", f"{SENTENCES[0]}. {SENTENCES[1]}"), paragraph)  # the control: as papers go on with it


LETTERS = str.maketrans("0123456789", "abcdefghij")

BOILERPLATE = (
    "Suscríbete al boletín de La Voz del Puerto y recibe cada mañana en tu correo las noticias de la comarca, los "
    "horarios de los barcos, el tiempo para el fin de semana y las ofertas de nuestros anunciantes sin coste alguno."
)


def test_what_a_site_adds_to_everything_makes_no_story_of_it() -> None:
    one, other = ("Aurora abre una tienda", BOILERPLATE), ("Brezo deja de fabricar cafeteras en Lugo", BOILERPLATE)
    assert not is_near(one, other, same_site=True)
    assert is_near(one, other)  # the control: elsewhere it would be the same text under another headline
    assert is_near(one, ("Aurora abre una tienda en el puerto", BOILERPLATE), same_site=True)
    assert is_near(("", BOILERPLATE), ("", BOILERPLATE.replace("tu correo", "el buzón")), same_site=True)


def test_bands_are_the_same_on_every_machine() -> None:
    assert len(bands(WIRE_TITLE, WIRE)) == BANDS == len(set(bands(WIRE_TITLE, WIRE)))
    assert all(-(2**63) <= band < 2**63 for band in bands(WIRE_TITLE, WIRE))
    assert bands(WIRE_TITLE, WIRE)[:3] == (9212648671320416481, -1549286936765032986, 6932941970154453496)


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        (" ".join(WIRE.split()[:20]), True),
        (" ".join(WIRE.split()[:19]), False),
        ("", False),
        ("ja " * 200, False),
        ("😡" * 200, False),
        ("no " * 100 + "vuelvo más", False),
    ],
)
def test_a_text_of_few_different_words_has_no_near_copies(text: str, marked: bool) -> None:
    assert bool(bands("", text)) is marked


def test_seven_tenths_in_common_are_found() -> None:
    """The whole text's bands alone find .965 of such pairs: 1 - (1 - .7**3)**8. Words are letters, so J is exact."""
    found = 0
    for seed in range(300):
        one = [f"{seed}palabra{at}".translate(LETTERS) for at in range(103)]  # 100 runs of four words
        other = list(one)
        for place in (4, 24, 44, 64):
            other[place] = f"otra{place}".translate(LETTERS)
        runs = [{tuple(said[at : at + 4]) for at in range(100)} for said in (one, other)]
        assert len(runs[0] & runs[1]) / len(runs[0] | runs[1]) == pytest.approx(0.72, abs=0.01)
        found += bool(set(bands("", " ".join(one))) & set(bands("", " ".join(other))))
    assert found >= 285


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "the post " * n,
        lambda n: "(A " * n,
        lambda n: "AAA, - " * n,
        lambda n: ". A b c d e f g h - " * n,
        lambda n: " \n" * n,
        lambda n: "1,2." * n,
        lambda n: "@a " * n,
        lambda n: "RT @a" * n,
        lambda n: "…" * n,
        lambda n: "é😀" * n,
    ],
)
def test_a_text_of_any_size_has_bands_in_little_time(make: Callable[[int], str]) -> None:
    began = process_time()
    bands(make(50_000)[:2_000], make(100_000))
    assert process_time() - began < 0.5


ANY_TEXT = st.one_of(st.text(max_size=200), st.text(alphabet="aA1 .,-—()…@\n\ud800é", max_size=300))


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_any_two_texts_can_be_compared_either_way(title: str, text: str, other: str) -> None:
    assert bands(title, text) == bands(title, text)
    assert is_near((title, text), (title, other)) == is_near((title, other), (title, text))
    assert bool(bands(title, text)) <= is_near((title, text), (title, text))
