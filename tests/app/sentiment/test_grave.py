"""What a text says of something grave, and what only sounds like it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.sentiment import grave as room
from app.sentiment.grave import LANGUAGES, grave_terms, lexicon
from tests.app.sentiment.hostile import HOSTILE

GRAVE = [
    # Spanish
    ("es", "Muere un pasajero al volcar un ómnibus de Guaviyal", "muerte"),
    ("es", "Tres muertos tras el derrumbe en la obra de Cementos Anaimal", "muerte"),
    ("es", "Hallan muerto a un operario en la planta de Valdorna", "muerte"),
    ("es", "La familia del repartidor fallecido exige respuestas a Pidelón", "muerte"),
    ("es", "Ya son dos las víctimas fatales por el jarabe de Sibundel", "muerte"),
    ("es", "El CEO recibió amenazas de muerte", "muerte"),
    ("es", "No solo hubo muertos: nadie de Altamiru llamó a las familias", "muerte"),
    ("es", "Intoxicación masiva en un comedor que sirve Pan Borlita", "intoxicación"),
    ("es", "mi hijo terminó intoxicado con las empanadas de @nyamya", "intoxicación"),
    ("es", "ENVENENARON A MEDIO BARRIO CON ESA AGUA", "intoxicación"),
    ("es", "Brote de salmonelosis: 40 casos tras comer mayonesa Molles", "brote"),
    ("es", "Detectan listeria en quesos de Cebollatina", "contaminación"),
    ("es", "Derrame de petróleo frente a la refinería de Norvatelia", "contaminación"),
    ("es", "Vecinos denuncian que la fábrica contaminó el río", "contaminación"),
    ("es", "Ordenan la retirada del mercado de un lote de yogur Valdorna", "retirada"),
    ("es", "Sanidad retira cuatro lotes de leche por precaución", "retirada"),
    ("es", "ANMAT prohíbe la venta de una marca de miel", "retirada"),
    ("es", "Tarvión llama a revisión a 30.000 autos por los airbags", "retirada"),
    ("es", "Alerta alimentaria por las galletas Bocanita", "retirada"),
    ("es", "Explosión en la planta de gas de Gasnieve", "explosión"),
    ("es", "El cargador de Wayrix explotó mientras dormía mi hija, la batería quedó derretida", "explosión"),
    ("es", "Un incendio arrasa el almacén de Flechanga en Illescas", "incendio"),
    ("es", "Bomberos luchan contra un incendio en la planta de Roquetal", "incendio"),
    ("es", "No avisaron del incendio hasta el día siguiente", "incendio"),
    ("es", "Arde una bodega de Superquilla en Tepic", "incendio"),
    ("es", "Siete heridos al caer el techo de una tienda Copihual", "heridos"),
    ("es", "Hospitalizan a doce niños por el postre de Marraquel", "heridos"),
    ("es", "Condenan por fraude a la financiera Frailejal", "fraude"),
    ("es", "No niega el fraude: «fue un error», dice el banco", "fraude"),
    ("es", "La policía alerta de una estafa con créditos de Luquitapp", "fraude"),
    ("es", "Directivos de Autopista Cordón Sur pagaron coimas a un ministro", "soborno"),
    ("es", "Investigan al Banco Ticlar por lavado de dinero", "corrupción"),
    ("es", "Detenido el gerente de Finquetzal cuando salía del país", "detención"),
    ("es", "Allanan las oficinas de Telquiro en Rosario", "detención"),
    ("es", "Presentan demanda colectiva contra Vidalmara", "demanda"),
    ("es", "Querella de 80 familias contra Clínica Amancayal", "demanda"),
    ("es", "Filtración de datos de 400.000 clientes de Monederix", "filtración de datos"),
    ("es", "Hackean a Fibralunea y piden rescate", "filtración de datos"),
    ("es", "Todos al #BoicotMercapino desde el lunes", "boicot"),
    ("es", "Tres empleadas denuncian acoso sexual en Zampina", "acoso"),
    ("es", "Hallan trabajo infantil en una finca que vende a Yurimbo", "explotación"),
    ("es", "Acusan de racismo a un guardia de Modaleya", "racismo"),
    ("es", "Textiles Lanín entra en concurso de acreedores", "quiebra"),
    ("es-MX", "Se fue a la quiebra la cadena Xicotil", "quiebra"),
    # English
    ("en", "Two passengers killed as Ottermere train derails", "death"),
    ("en", "Toddler died after choking on a Cubbyhop toy", "death"),
    ("en", "Food poisoning at Quibbla's staff party", "poisoning"),
    ("en", "Salmonella outbreak linked to Crustwold pies, 30 cases", "outbreak"),
    ("en", "Glass fragments found in Bushtuck lunch packs", "contamination"),
    ("en", "Nimbrel recalls 90,000 chargers over burn hazard", "recall"),
    ("en", "Urgent product recall: Halvorn kettles", "recall"),
    ("en", "Explosion rips through Cawthra plant", "explosion"),
    ("en", "my nimbrel phone battery exploded in my pocket", "explosion"),
    ("en", "They never told us about the warehouse fire", "fire"),
    ("en", "Six workers hospitalised after gas leak at Oatwhistle", "injured"),
    ("en", "Tarrow bank did not deny the fraud", "fraud"),
    ("en", "Fernlock executives took bribes, court hears", "bribery"),
    ("en", "Vistarga founder arrested at airport", "arrest"),
    ("en", "Class action against Northlode over hidden fees", "lawsuit"),
    ("en", "Hackers stole passwords from Plunkbox", "data leak"),
    ("en", "Boycott Doverly until they apologise", "boycott"),
    ("en", "Former staff accuse the Tarrow chief of sexual harassment", "harassment"),
    ("en", "Guard at Pellmark filmed making racist remarks", "racism"),
    ("en", "Harl & Mott goes into administration", "bankruptcy"),
    # Portuguese, French, German, Italian
    ("pt", "Três pessoas morreram após comer o queijo da Serralva", "morte"),
    ("pt", "Anvisa manda recolher lote de molho por risco de salmonela: recolhimento imediato", "recolhimento"),
    ("pt", "Incêndio destrói galpão da Mercalinda", "incêndio"),
    ("pt", "Vazamento de dados expõe clientes do Banco Jurema", "vazamento de dados"),
    ("pt", "Funcionário denuncia trabalho escravo na fazenda", "trabalho escravo"),
    ("pt", "Não avisaram do incêndio", "incêndio"),
    ("fr", "Trois morts dans l'explosion de l'usine Vertamont", "mort"),
    ("fr", "Plus de 30 blessés dans l'accident du car Lignazur", "blessés"),
    ("fr", "Rappel de produits : des fromages Montclair contaminés à la listeria", "rappel"),
    ("fr", "Fuite de données chez Banque Alizor", "fuite de données"),
    ("fr", "Le patron de Lignazur placé en garde à vue", "arrestation"),
    ("de", "Zwei Tote nach Gasexplosion im Werk von Nordhalm", "tod"),
    ("de", "Rückruf: Glassplitter in Wurst von Hofmarke", "rückruf"),
    ("de", "Razzia bei der Bank Eulenfels", "festnahme"),
    ("de", "Datenleck bei Eulenfels, Kundendaten gestohlen", "datenleck"),
    ("de", "Kette Trendhaus meldet Insolvenz an", "insolvenz"),
    ("it", "Due morti nel rogo alla fabbrica Ventalba", "morte"),
    ("it", "Ritirato dal mercato un lotto di latte Montebruno", "richiamo"),
    ("it", "Ne sono morti tre nello stabilimento", "morte"),
    ("it", "Attacco hacker a Bancalieta, dati rubati", "fuga di dati"),
    ("it", "Arrestato l'amministratore di Ventalba", "arresto"),
    # in a language that is not known, or has no lexicon
    (None, "Incendio en la fábrica", "incendio"),
    (None, "Explosion at the plant", "explosion"),
    ("nl", "boycott Nimbrel", "boycott"),
]

HARMLESS = [
    # denied
    ("es", "No hubo muertos ni heridos en el choque"),
    ("es", "Choque sin víctimas, heridos ni detenidos"),
    ("es", "No se registraron por el momento muertos, lesionados o detenidos"),
    ("es", "Asaltan una camioneta de valores; no hay lesionados"),
    ("es", "Ninguna intoxicación en los comedores de Pan Borlita este año"),
    ("es", "El banco niega el fraude"),
    ("es", "Norvatelia desmiente la quiebra"),
    ("es", "Sanidad descarta un brote de salmonela"),
    ("es", "El supuesto incendio fue descartado por bomberos"),
    ("es", "La explosión era falsa, avisa la policía"),
    ("es", "Simulacro de incendio mañana en la sede de Telquiro"),
    ("es", "Consejos para evitar el fraude con tarjetas"),
    ("es", "Frailejal lucha contra el fraude con inteligencia artificial"),
    ("es", "Absuelven de soborno al gerente"),
    ("es", "Qué hacer en caso de incendio o explosión"),
    ("en", "No deaths or injuries reported after the derailment"),
    ("en", "Nobody was hurt, nobody died, all good"),
    ("en", "Tarrow denies fraud"),
    ("en", "Police rule out arson at the Doverly store"),
    ("en", "The recall rumours were a hoax: no product recall"),
    ("pt", "Banco Jurema nega fraude"),
    ("pt", "Acidente sem mortos ou feridos"),
    ("fr", "L'accident n'a pas fait de morts ni de blessés"),
    ("fr", "Lignazur dément toute fraude"),
    ("de", "Verletzt wurde niemand"),
    ("de", "Bei dem Unfall gab es keine Toten und keine Verletzten"),
    ("de", "Eulenfels dementiert Insolvenz"),
    ("it", "Non ci sono né morti né feriti"),
    ("it", "Ventalba smentisce il fallimento di una controllata"),
    # idioms
    ("es", "Me muero de hambre, ¿pedimos Trotapedidos?"),
    ("es", "muerto de risa con el anuncio de Chispol"),
    ("es", "La tarta de queso de Tahona Berzal está de muerte"),
    ("es", "¿Qué cubre el seguro de muerte de Brumal?"),
    ("es", "Pan de muerto y chocolate en Pan Borlita"),
    ("es", "Altar de Día de Muertos en el Churumbel"),
    ("es", "Hincha a muerte de Cuyancura"),
    ("es", "El debate sobre la muerte digna llega a las pantallas"),
    ("es", "Se me murió el celular, me quedé sin batería"),
    ("es", "Una explosión de sabor en cada Bocanita"),
    ("es", "El nuevo disco me explotó la cabeza"),
    ("es", "Ni muerta vuelvo a ese banco"),
    ("es", "La serie de Pantaleo sobre un asesinato es buenísima"),
    ("en", "dying of laughter at the Doverly ad"),
    ("en", "This is a killer deal, dead serious"),
    ("en", "That Grindlewick sauce is fire"),
    ("en", "An explosion of flavour in every Bushtuck biscuit"),
    ("en", "Fire drill at Harl & Mott today"),
    ("en", "Love this cake to death"),
    ("en", "Best murder mystery film I have seen on Plunkbox"),
    ("pt", "Morrendo de rir com a propaganda"),
    ("pt", "Explosão de sabores no novo sorvete"),
    ("fr", "Je suis morte de rire devant cette pub"),
    ("de", "In der Filiale ist tote Hose"),
    ("it", "Buono da morire questo gelato"),
    # another sense
    ("es", "La retirada de un jugador del Club Roquetal"),
    ("es", "Retirada de efectivo gratis en los cajeros de Altarroble"),
    ("es", "¿Puedo retirar el pedido en la sucursal?"),
    ("es", "Crece la demanda de energía, dice Luzernia"),
    ("es", "Mi pedido sigue detenido en aduana"),
    ("es", "Detenido un hombre por romper un escaparate de Modaleya"),
    ("es", "Se me quiebra la voz al recordarlo, gracias Salumbra"),
    ("es", "Perro mordido: una mordida a la hamburguesa y ya quiero otra"),
    ("es", "Una brecha salarial del 3 % en Norvatelia"),
    ("es", "Acepto transferencia"),
    ("es", "Herido en mi orgullo: perdí al truco"),
    ("es", "vaya estafa de precio"),
    ("en", "I recall the old Mudlarkle cups fondly"),
    ("en", "Great life hack with the Nimbrel app"),
    ("en", "Fernlock home insurance: fire insurance from £9"),
    ("en", "The control board died after fourteen months, poor dishwasher"),
    ("fr", "Personne ne me rappelle malgré trois messages"),
    ("de", "Der Umsatz betrug 5 Millionen Euro"),
    ("de", "Bitte um Rückruf wegen meines Termins"),
    ("it", "Ritiro in negozio comodissimo"),
    # nothing of the sort, or nothing at all
    ("es", "Qué asco de atención, tres horas esperando"),
    ("es", "https://diario.example/incendio-en-la-planta"),
    ("es", "@boicot_total hola"),
    ("en", "Worst delivery ever, never again"),
    ("de", "die Tagesschau berichtet"),
    (None, "Die Lieferung ist da, die Farbe stimmt"),
    ("es", ""),
]


@pytest.mark.parametrize(("language", "text", "term"), GRAVE)
def test_it_says_something_grave(language: str | None, text: str, term: str) -> None:
    assert term in grave_terms(text, language)


@pytest.mark.parametrize(("language", "text"), HARMLESS)
def test_it_only_sounds_grave(language: str | None, text: str) -> None:
    assert grave_terms(text, language) == ()


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Fraude y soborno en Frailejal. Otra vez fraude.", ("fraude", "soborno")),
        ("Soborno y fraude en Frailejal", ("soborno", "fraude")),
        ("Hubo un incendio, pero no hubo muertos", ("incendio",)),
        ("No hubo muertos, pero sí un incendio", ("incendio",)),
        ("No hubo muertos. Incendio en la planta", ("incendio",)),
        ("INCENDIO Y EXPLOSION", ("incendio", "explosión")),
        ("intoxicacio\u0301n", ("intoxicación",)),
        ("&iquest;Intoxicaci&oacute;n?", ("intoxicación",)),
    ],
)
def test_terms_are_told_once_in_their_order_as_the_lexicon_spells_them(text: str, terms: tuple[str, ...]) -> None:
    assert grave_terms(text, "es") == terms


def test_a_language_without_a_lexicon_is_read_as_spanish_and_english() -> None:
    text = "Incendio. Lawsuit. Vergiftung."
    assert grave_terms(text, None) == grave_terms(text, "ja") == ("incendio", "lawsuit")
    assert grave_terms(text, "es") == ("incendio",)
    assert grave_terms(text, "de") == ("vergiftung",)


def test_only_the_part_that_scorers_hear_is_read() -> None:
    assert grave_terms("bla " * 300 + "incendio", "es") == ("incendio",)
    assert grave_terms("bla " * 600 + "incendio", "es") == ()


def test_the_gold_texts_that_say_nothing_bad_are_seldom_called_grave() -> None:
    """A fire next door and a wounded passer-by are grave words too: who is to blame the lexicon does not know."""
    called = []
    for name, language in (("spanish", "es"), ("english", "en")):
        lines = Path("tests/gold", f"{name}.tsv").read_text("utf-8").splitlines()[1:]
        rows = [line.split("\t") for line in lines]
        called += [(row[1], bool(grave_terms(row[4], language))) for row in rows]
    share = {label: [grave for of, grave in called if of == label] for label in ("negative", "neutral", "positive")}
    rates = {label: sum(each) / len(each) for label, each in share.items()}
    assert rates["neutral"] < 0.03
    assert rates["positive"] < 0.03
    assert rates["negative"] > 0.05  # the control: the same reading does find what is grave


# ── the lexicon ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_has_all_that_guards_need(code: str) -> None:
    read = lexicon(code)
    assert all((read.breaks, read.articles, read.links, read.negations))
    assert all(part.by_word for part in (read.terms, read.idioms, read.denials, read.retractions, read.padding))


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_knows_the_same_things(code: str) -> None:
    terms = {row[2] for row in room._rows() if row[:2] == (code, "term")}
    assert len(terms) >= 18
    assert all(term == term.lower() for term in terms)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("es\tterm", "line 1"),
        ("xx\tterm\tmuerte\tmuerte", "line 1"),
        ("es\tword\tmuerte\tmuerte", "line 1"),
        ("es\tterm\tmuerte\tmu*", "mu"),
    ],
)
def test_a_bad_line_of_the_lexicon_is_refused(tmp_path: Path, line: str, error: str) -> None:
    path = tmp_path / "grave.tsv"
    path.write_text(line, "utf-8")
    with pytest.raises(ValueError, match=error):
        room._lexicon_of("es", room._rows_of(path))


@pytest.mark.parametrize("word", ["transferencia", "mordisco", "incendiario", "quebrado", "detenidamente", "herida"])
def test_a_word_that_only_begins_like_a_grave_one_says_nothing(word: str) -> None:
    assert grave_terms(f"Es {word}", "es") == ()


# ── what it costs ────────────────────────────────────────────────────────────


def cpu_s(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


GRAVE_HOSTILE = {
    "retired, retired": "retirada " * 120_000,
    "denied, denied": "no niega fraude " * 70_000,
    "rows": "ni muertos, " * 90_000,
    "idioms": "muerto de muerto de risa de " * 40_000,
    "one sentence of everything": "incendio explosión muerte fraude demanda denuncia retirada " * 17_000,
    "beginnings": "inc ret det den fra exp her mue " * 30_000,
}


@pytest.mark.parametrize("language", ["es", None])
@pytest.mark.parametrize("name", [*HOSTILE, *GRAVE_HOSTILE])
def test_no_text_is_expensive(name: str, language: str | None) -> None:
    text = (HOSTILE | GRAVE_HOSTILE)[name]
    grave_terms("warm", language)
    cost = min(cpu_s(lambda: grave_terms(text, language)) for _ in range(2))
    assert cost < 0.5  # the promise is 0.05; ten times that is a busy machine's share
