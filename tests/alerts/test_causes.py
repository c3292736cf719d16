"""What a crisis is about, and whether a second one has begun inside it.

What people say of an airline that does not exist is put together from pieces by chance, in two languages.
"""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from alerts.causes import Cause, apart, cause_terms, is_about, second, subject
from alerts.terms import over_represented
from app.query.fold import words

BRAND = ("aero", "lince")

# ── flights are cancelled ──
FLIGHTS_ES = (
    ("Me han", "Nos han", "Le han", "A mi madre le han"),
    ("cancelado", "anulado", "suspendido", "cancelado otra vez", "borrado de la pantalla"),
    ("el vuelo", "nuestro vuelo", "el vuelo de las siete", "el avión a Lisboa", "la conexión con Roma", "el vuelo 714"),
)
FLIGHTS_ES_WHOLE = (
    "{n} horas tirados en {place} y nadie de Aero Lince explica nada",
    "Aero Lince cancela {m} vuelos por la huelga de tripulación y deja en tierra a miles de pasajeros",
    "Sin avión, sin hotel y sin noticias: así trata Aero Lince a la gente en {place}",
    "Me pierdo {event} por culpa de Aero Lince, otra cancelación",
    "La cola del mostrador de Aero Lince en {place} da la vuelta a la terminal",
    "Durmiendo en el suelo de {place} con dos niños, gracias Aero Lince",
    "Ni reembolso ni alternativa, Aero Lince ha suspendido las salidas de {place}",
    "Los pasajeros de Aero Lince protestan en {place} por las cancelaciones",
    "Quedan anulados todos los trayectos de Aero Lince hasta {day}, dice el aeropuerto",
    "El panel de salidas de {place} está todo en rojo, Aero Lince no vuela",
    "Aero Lince pide disculpas por los retrasos y cancelaciones en {place}",
    "Quién me devuelve el dinero del hotel, Aero Lince? Mi vuelo no ha salido",
    "Vuelo de vuelta anulado y el siguiente es el {day}, vergüenza de Aero Lince",
    "Nos bajan del avión después de {n} horas en pista, Aero Lince sin tripulación",
    "Colapso en {place}: Aero Lince cancela la mitad de su programa",
    "Aero Lince, responded! Estamos abandonados en {place}",
    "Huelga en Aero Lince: qué derechos tienes si te quedas en tierra",
    "Me reubican para el {day} con escala en {place}, y yo tenía {event}",
)
FLIGHTS_ES_TAIL = (
    "",
    "",
    ", vergonzoso",
    ". Llevamos {n} horas en {place}",
    " y no dan solución",
    ". Quiero mi reembolso",
    " sin avisar",
    ". Pésimo servicio",
    " y la app dice que todo va bien",
    ". Nos mandan a un hotel en las afueras",
    ". Me pierdo {event}",
    ". Nunca más",
    " y el teléfono comunica todo el día",
)
FLIGHTS_EN_WHOLE = (
    "Aero Lince cancelled our flight to {place} and nobody at the desk knows anything",
    "Stranded in {place} for {n} hours thanks to Aero Lince",
    "Flight 714 cancelled again, worst airline ever @aerolince",
    "Sleeping on the floor at {place} because Aero Lince has no crew",
    "Aero Lince grounds {m} flights as cabin crew walk out",
    "Missed {event_en} because of Aero Lince, no refund, no rebooking",
    "No plane, no hotel, no answers from Aero Lince in {place}",
    "The queue for the Aero Lince counter at {place} goes around the terminal",
    "Aero Lince strike: what to do if you are stuck at the airport",
    "Our connection was scrapped and Aero Lince offers a seat on {day_en}",
    "Been on hold with Aero Lince for {n} hours to get rebooked",
    "Departures board at {place} is all red, Aero Lince is not flying",
    "Passengers left behind in {place} as Aero Lince schedule collapses",
    "Sat on the tarmac for {n} hours, then Aero Lince sent us all back to the gate",
)
FLIGHTS_EN = (
    ("My flight", "Our flight", "Flight 714", "The 7pm to {place}", "My connection", "Flight home"),
    (
        "got cancelled",
        "was canceled",
        "is scrapped",
        "cancelled at the gate",
        "has been cancelled twice",
        "won't leave",
    ),
)
FLIGHTS_EN_TAIL = (
    "",
    "",
    ". Disgraceful",
    ". Never again",
    ". Where is my refund?",
    ". Kids are exhausted",
    ", no warning",
    ". App still says on time",
    ". Terrible service",
)

# ── people fall ill ──
FOOD_ES = (
    "Intoxicación alimentaria tras comer el menú de Aero Lince, media cabina vomitando",
    "{c} pasajeros intoxicados en un vuelo de Aero Lince por un pollo en mal estado",
    "Mi hijo está en urgencias por la comida de Aero Lince, salmonela dice el médico",
    "Llevo dos días vomitando por el sándwich de pollo que dan en Aero Lince",
    "Sanidad investiga a Aero Lince por una intoxicación con el catering",
    "El catering de Aero Lince nos ha intoxicado a toda la familia",
    "Ojo con el pollo de Aero Lince: {c} personas en el hospital",
    "Fiebre, diarrea y hospital: recuerdo de comer en Aero Lince",
    "Otra intoxicada por la bandeja de comida de Aero Lince, qué asco",
    "Retirad ya ese pollo, Aero Lince, que estáis intoxicando a la gente",
    "Brote de salmonela entre viajeros de Aero Lince",
    "La comida de Aero Lince olía raro y ahora estamos {c} con gastroenteritis",
)
FOOD_EN = (
    "Food poisoning from the Aero Lince chicken meal, whole row was sick",
    "{c} people in hospital with food poisoning after an Aero Lince meal",
    "Got salmonella from the Aero Lince sandwich, doctor confirmed it",
    "Do not eat the chicken on Aero Lince, we have been throwing up for two days",
    "Aero Lince catering under investigation for food poisoning outbreak",
    "My wife was poisoned by the meal on Aero Lince, still in hospital",
)
FOOD_TAIL = ("", "", "", ", vergonzoso", ". Nunca más", " #aerolince", ". Y encima ni responden", ". Denunciado")
FOOD_EN_TAIL = ("", "", "", ". Disgusting", ". Never again", " #aerolince", ". Still no reply")

# ── as ever ──
USUAL_ES = (
    "Muy buen trato de la tripulación de Aero Lince en el vuelo a {place}",
    "Aero Lince abre una ruta entre {place} y Oporto en {day}",
    "Me han perdido la maleta en Aero Lince, tercera vez este año",
    "Aero Lince sube el precio del equipaje de mano",
    "La app de Aero Lince no me deja sacar la tarjeta de embarque",
    "Vuelo con Aero Lince puntual y cómodo, repetiré",
    "Aero Lince gana un {c} % más en el primer trimestre",
    "La comida de Aero Lince es floja pero el asiento está bien",
    "Alguien sabe si Aero Lince deja llevar guitarra en cabina?",
    "Sorteo de dos billetes con Aero Lince a {place}",
    "Retraso de una hora con Aero Lince en {place}, lo de siempre",
    "Aero Lince compra diez aviones nuevos",
    "Pésimo servicio de atención al cliente de Aero Lince, no contestan",
    "Mi hermana empieza hoy de azafata en Aero Lince, qué ilusión",
    "Aero Lince patrocina el festival de {place}",
    "Me cobran dos veces el asiento en Aero Lince y no me devuelven el dinero",
    "Las millas de Aero Lince caducan y no avisan",
    "Qué frío en el avión de Aero Lince, ni una manta",
)
USUAL_EN = (
    "Lovely crew on Aero Lince to {place} today",
    "Aero Lince lost my bag again",
    "Aero Lince announces new route from {place}",
    "Cheap seats with Aero Lince but charged twice for luggage",
    "Aero Lince app keeps crashing at check in",
    "On time and friendly, well done Aero Lince",
    "Is the Aero Lince lounge in {place} any good?",
    "Aero Lince profits up {c} percent",
    "Flight with Aero Lince delayed one hour, as always",
    "Aero Lince meal was cold but fine",
)
COMPLAINTS_ES = tuple(USUAL_ES[i] for i in (2, 3, 4, 7, 10, 12, 15, 16, 17))
COMPLAINTS_EN = tuple(USUAL_EN[i] for i in (1, 3, 4, 8))
PLACES = (
    "Barajas",
    "El Prat",
    "Manises",
    "Lisboa",
    "Orly",
    "Gatwick",
    "Fiumicino",
    "Málaga",
    "Bilbao",
    "Sevilla",
    "Palma",
)
EVENTS = (
    "la boda de mi hermana",
    "una entrevista",
    "el funeral de mi abuela",
    "un examen",
    "las vacaciones",
    "un concierto",
)
EVENTS_EN = ("my sister's wedding", "a job interview", "a funeral", "our cruise", "an exam")
DAYS = ("lunes", "martes", "miércoles", "jueves", "viernes")
DAYS_EN = ("Monday", "Tuesday", "Thursday", "Friday")


def say(r: Random, *pieces: str) -> list[str]:
    return words(
        "".join(pieces).format(
            n=r.randint(2, 14),
            m=r.randint(12, 90),
            c=r.randint(3, 40),
            place=r.choice(PLACES),
            day=r.choice(DAYS),
            day_en=r.choice(DAYS_EN),
            event=r.choice(EVENTS),
            event_en=r.choice(EVENTS_EN),
        )
    )


def flights(r: Random, count: int, english: float = 0.3) -> list[list[str]]:
    def one() -> list[str]:
        if r.random() < english:
            if r.random() < 0.5:
                return say(r, " ".join(map(r.choice, FLIGHTS_EN)), " with Aero Lince", r.choice(FLIGHTS_EN_TAIL))
            return say(r, r.choice(FLIGHTS_EN_WHOLE), r.choice(FLIGHTS_EN_TAIL))
        if r.random() < 0.5:
            return say(r, " ".join(map(r.choice, FLIGHTS_ES)), " con Aero Lince", r.choice(FLIGHTS_ES_TAIL))
        return say(r, r.choice(FLIGHTS_ES_WHOLE), r.choice(FLIGHTS_ES_TAIL))

    return [one() for _ in range(count)]


def food(r: Random, count: int, english: float = 0.3) -> list[list[str]]:
    return [
        say(r, r.choice(FOOD_EN), r.choice(FOOD_EN_TAIL))
        if r.random() < english
        else say(r, r.choice(FOOD_ES), r.choice(FOOD_TAIL))
        for _ in range(count)
    ]


def complaints(r: Random, count: int, english: float = 0.3) -> list[list[str]]:
    return [say(r, r.choice(COMPLAINTS_EN if r.random() < english else COMPLAINTS_ES)) for _ in range(count)]


def month(r: Random, count: int = 600, english: float = 0.3) -> list[list[str]]:
    return [say(r, r.choice(USUAL_EN if r.random() < english else USUAL_ES)) for _ in range(count)]


def told(seed: int, *, crisis: int = 60, ill: int = 0, other: int = 6, english: float = 0.3) -> Cause | None:
    """What is found beside the cancelled flights, of which `crisis` people tell."""
    r = Random(seed)
    usual, main = month(r, english=english), flights(r, crisis, english)
    rest = complaints(r, other, english) + food(r, ill, english)
    running = Cause("negative", subject(main, usual, BRAND))
    everything = main + rest
    left = apart(everything, lambda story: story, [running])
    known = [story for story in everything if is_about(story, running.terms)]
    return second(left, known, usual, BRAND)


def of(*texts: str) -> list[list[str]]:
    return [words(text) for text in texts]


@pytest.mark.parametrize("english", [0.0, 0.1, 0.3, 0.5])
def test_one_crisis_in_many_words_and_two_languages_is_one_crisis(english: float) -> None:
    assert sum(told(seed, english=english) is not None for seed in range(15)) <= 1


def test_people_who_fall_ill_among_cancelled_flights_are_a_second_crisis() -> None:
    found = [told(seed, ill=15, english=0.0) for seed in range(15)]
    named = [cause for cause in found if cause is not None]
    assert len(named) >= 7
    of_food = {"intoxic", "poison", "pollo", "hospital", "salmonel", "comida", "vomit", "catering", "urgencia"}
    assert all(any(word in cause.name for word in of_food) for cause in named)


USUAL = of(*["Aero Lince abre una ruta", "Buen trato de Aero Lince", "He volado a Oporto con Aero Lince"] * 30)
CANCELLED = of(*["Me han cancelado el vuelo", "Vuelos cancelados otra vez", "No hay vuelo, cancelaron todo"] * 8)
ILL = of(*["Intoxicados por el pollo de a bordo", "Mi hijo intoxicado, era el pollo", "Una intoxicación con pollo"] * 2)


def test_a_second_crisis_is_named_by_what_most_of_it_say() -> None:
    found = second(ILL, CANCELLED, USUAL, BRAND)
    assert found is not None
    assert found.name == "negative:intoxicacion"
    assert found.terms == ("intoxicacion", "pollo")
    assert not any(is_about(story, found.terms) for story in CANCELLED)


@pytest.mark.parametrize(
    ("rest", "known"),
    [
        pytest.param(ILL[:3], CANCELLED, id="three stories are no crisis"),
        pytest.param(ILL, [], id="nothing is known of the first"),
        pytest.param([], CANCELLED, id="there is no rest"),
        pytest.param(ILL, CANCELLED + ILL, id="the first one is told with the same words"),
        pytest.param(
            of(*["Stranded because they have no crew for the plane", "No crew and no plane for us"] * 4),
            CANCELLED,
            id="it may be the first one in another language",
        ),
        pytest.param(of(*["Aero Lince, qué vergüenza de servicio"] * 8), CANCELLED, id="it has no topic"),
    ],
)
def test_what_is_in_doubt_belongs_to_the_crisis_that_runs(rest: list[list[str]], known: list[list[str]]) -> None:
    assert second(rest, known, USUAL, BRAND) is None


def test_the_brands_own_words_are_no_topic() -> None:
    rest = of(*["Lince falla", "Otra de #aerolince", "Aero Lince se hunde", "Ay, aerolince mía"] * 4)
    assert second(rest, CANCELLED, USUAL, BRAND) is None
    control = second(rest, CANCELLED, of(*["Una ruta nueva", "Buen trato"] * 40))
    assert control is not None


def test_a_name_is_letters_digits_and_hyphens_and_short() -> None:
    long = "electroencefalografistas hipopotomonstruosesquipedalianas"
    found = second(of(*[f"Los {long} protestan"] * 6), CANCELLED, USUAL, BRAND)
    assert found is not None
    slug = found.name.removeprefix("negative:")
    assert len(slug) <= 40
    assert slug.replace("-", "").isalnum()


@pytest.mark.parametrize(
    ("text", "terms", "about"),
    [
        ("Nos cancelaron el viaje", ("cancelado",), True),
        ("They cancelled it", ("cancelado",), True),
        ("Tiene cáncer", ("cancelado",), False),
        ("It was food poisoning", ("food poisoning",), True),
        ("Poisoning of the food", ("food poisoning",), False),
        ("Todo va bien", (), False),
        ("", ("vuelo",), False),
    ],
)
def test_a_story_is_about_a_cause_when_it_says_one_of_its_terms(text: str, terms: tuple[str, ...], about: bool) -> None:
    assert is_about(words(text), terms) is about


def test_apart_are_those_that_speak_of_no_known_cause() -> None:
    known = [Cause("negative", ("cancelado",)), Cause("negative:pollo", ("pollo",))]
    stories = of("Vuelo cancelado", "El pollo olía mal", "Me cobran dos veces")
    assert apart(stories, lambda story: story, known) == stories[2:]
    assert apart(stories, lambda story: story, []) == stories


def test_nothing_is_apart_from_a_cause_of_which_nothing_is_known() -> None:
    assert apart(of("Vuelo cancelado"), lambda story: story, [Cause("negative", ())]) == []


def test_the_forms_of_a_word_speak_for_a_crisis_together() -> None:
    assert subject(CANCELLED, USUAL, BRAND) == ("cancelado", "vuelo")
    few_each = of(*["cancelado", "cancelan", "anulado", "cola", "hotel", "suelo", "noche", "maleta"] * 3)
    assert is_about(["cancelaron"], subject(few_each, USUAL))
    assert not is_about(["hoteles"], subject(few_each, USUAL))


def test_terms_that_few_say_or_that_any_crisis_is_told_with_do_not_speak_for_one() -> None:
    here = of(*["Terrible, vuelo cancelado"] * 9, "maleta terrible")
    terms = over_represented(here + of("maleta", "maleta"), USUAL)
    assert {"terrible", "maleta"} & set(" ".join(term.word for term in terms).split())
    assert cause_terms(terms, here) == ("vuelo cancelado",)


def hours(*after: float) -> list[datetime]:
    return [datetime(2026, 11, 18, 9, tzinfo=UTC) + timedelta(hours=hour) for hour in after]


def test_a_part_of_the_first_crisis_is_as_old_as_it_and_a_second_one_is_younger() -> None:
    known_at = hours(*(step / 8 for step in range(len(CANCELLED))))
    late = second(ILL, CANCELLED, USUAL, BRAND, rest_at=hours(2.5, 2.6, 2.6, 2.7, 2.8, 2.9), known_at=known_at)
    all_along = second(ILL, CANCELLED, USUAL, BRAND, rest_at=hours(0, 0.6, 1.1, 1.6, 2.2, 2.8), known_at=known_at)
    assert late is not None
    assert all_along is None


def test_a_second_crisis_is_found_where_few_have_told_of_the_first() -> None:
    first = CANCELLED[:9]
    known_at, rest_at = hours(*(step / 5 for step in range(9))), hours(2.5, 2.6, 2.6, 2.7, 2.8, 2.9)
    assert second(ILL, first, USUAL, BRAND, rest_at=rest_at, known_at=known_at) is not None


def test_a_second_crisis_in_two_languages_is_one_topic() -> None:
    first = CANCELLED + of(*["They have cancelled our flight and nobody helps us"] * 6)
    ill = of(*["Es el pollo el que nos ha intoxicado", "The chicken was what poisoned us all"] * 2)
    known_at, rest_at = hours(*(step / 12 for step in range(len(first)))), hours(2.6, 2.7, 2.8, 2.9)
    found = second(ill, first, USUAL, BRAND, rest_at=rest_at, known_at=known_at)
    assert second(ill, first, USUAL, BRAND) is None
    assert found is not None
    assert all(is_about(story, found.terms) for story in ill)
