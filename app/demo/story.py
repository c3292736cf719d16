"""The story that the demo tells: two ordinary weeks of an invented Spanish airline, a bad morning, then calm.

Everything here is made up by us: Garzavía, its passengers and what they say. Posts come from a seeded generator, so the
demo tells the same story every time; only the dates move with the clock.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

BRAND = "Garzavía"
HISTORY = timedelta(days=14)
CRISIS_AFTER = timedelta(minutes=35)  # of the demo's clock; the detector wants half an hour of its own watching first
CRISIS_LASTS = timedelta(minutes=25)

CITIES = ("Alicante", "Málaga", "Palma", "Bilbao", "Valencia", "Santander", "Tenerife", "Bristol", "Leeds", "Dublin")
HOURS = ("dos", "tres", "cuatro", "cinco")
HOURS_EN = ("two", "three", "four", "five")

CALM_ES = (
    "Garzavía abre una ruta entre {a} y {b} a partir de marzo.",
    "¿Alguien sabe si Garzavía deja llevar una mochila y un bolso en cabina?",
    "Vuelo {n} de Garzavía, salida puntual y tripulación muy amable. Así da gusto.",
    "Hoy toca {a} con Garzavía. A ver qué tal el nuevo embarque.",
    "Garzavía ha cambiado la aplicación y ahora la tarjeta de embarque sale a la primera.",
    "Me han perdido la maleta en {a} y en el mostrador de Garzavía nadie sabía nada.",
    "Recordatorio: con Garzavía el equipaje de mano se mide antes de embarcar, no después.",
    "Media hora de retraso en {a} con Garzavía. Nada grave, pero podían avisar.",
    "La revista de a bordo de Garzavía trae un reportaje precioso sobre {b}.",
    "Segundo vuelo del mes con Garzavía y todo bien, sin más.",
)
CALM_EN = (
    "Flying {a} to {b} with Garzavia tomorrow, first time with them.",
    "Garzavia just added a morning flight from {b}. Handy for a weekend in {a}.",
    "Lovely crew on the Garzavia flight to {a} today, great start to the holiday.",
    "Does Garzavia charge for seats if you check in late?",
    "Garzavia gate at {b} moved again, but boarding was quick and easy.",
    "Good value with Garzavia this time: {a} and back for less than the train to the airport.",
    "The new Garzavia app is fine. Boarding pass worked offline.",
    "Annoying queue at the Garzavia desk in {a}, and the seat was broken.",
)
CRISIS_ES = (
    "Llevamos {h} horas tirados en {a} y Garzavía no da ni agua. Vergonzoso.",
    "Garzavía cancela el {n} y la única respuesta es un correo automático. Menuda estafa.",
    "Con dos niños pequeños durmiendo en el suelo de {a}. Garzavía, dad la cara de una vez.",
    "Cancelado el {n} sin aviso. En el mostrador de Garzavía no hay nadie y el teléfono comunica desde las seis.",
    "Me pierdo el entierro de mi abuelo por culpa de Garzavía. No os lo perdono.",
    "La gente está llorando en la cola de Garzavía en {a}. Nadie informa de nada.",
    "Garzavía ha vendido billetes de un vuelo, el {n}, que sabía que no iba a salir. Denuncia puesta.",
    "Otra hora más. {a}, puerta cerrada, y Garzavía desaparecida.",
)
CRISIS_EN = (
    "Stranded at {a} for {h} hours and Garzavia will not even answer the phone. Absolutely awful.",
    "Garzavia cancelled flight {n} by text at midnight. Disgraceful, kids crying on the airport floor in {a}.",
    "Never again. Garzavia lied to us at gate {g} and then everybody disappeared. Horrible company.",
    "My mother missed her operation because Garzavia cancelled {n} without warning. I am furious.",
    "Garzavia left us in {a} with no food, no hotel and no refund. This is a scandal.",
    "Worst airline ever. {h} hours of chaos at the Garzavia desk in {a} and not one honest answer.",
    "Garzavia staff in {a} were rude and useless, people are angry and scared they lose their money.",
    "Flight {n}: still no refund and no help from Garzavia. Shameful, dishonest, terrible.",
)
WIRE_ES = "Decenas de vuelos de Garzavía cancelados en {a} por un fallo del sistema de reservas, según la compañía."
CALM_AGAIN_ES = (
    "Garzavía ya está recolocando a la gente en {a}. Por fin vuelve la luz al mostrador.",
    "Parece que Garzavía recupera el horario esta mañana. Vuelo {n} en hora.",
    "Garzavía explica lo ocurrido y devuelve el importe a los afectados de {a}.",
)
CALM_AGAIN_EN = (
    "Garzavia flights from {a} are leaving again this morning.",
    "Got rebooked by Garzavia, thanks to the calm person at the desk in {a}.",
)

PEOPLE = (
    "marta_vlc",
    "iker",
    "lucia.r",
    "paco_bcn",
    "ana",
    "dani",
    "ruth",
    "tom_h",
    "gemma",
    "oisin",
    "sara",
    "nora",
    "beth",
    "luis",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that somebody says, and where: in the `forum` (RSS) or on the `board` (Hacker-News-shaped JSON)."""

    number: int
    at: datetime
    place: str
    author: str
    text: str
    url: str


def tell(start: datetime, seed: int = 7) -> list[Line]:
    """The whole story in order of time, from `start - 14 days` to four hours after `start`."""
    dice = random.Random(seed)  # noqa: S311 - a story, not a secret
    moments = sorted([*_ordinary(start, dice), *_crisis(start + CRISIS_AFTER, dice), *_after(start, dice)])
    return [_line(number, at, text, dice) for number, (at, text) in enumerate(moments, start=1)]


def _ordinary(start: datetime, dice: random.Random) -> Iterator[tuple[datetime, str]]:
    """About two posts an hour by day, one in two hours by night, until the crisis begins."""
    at = start - HISTORY
    while at < start + CRISIS_AFTER:
        by_day = 7 <= at.hour < 23
        at += timedelta(minutes=dice.expovariate(1 / (28 if by_day else 110)))
        yield at, _say(dice, CALM_ES if dice.random() < 0.6 else CALM_EN)


def _crisis(start: datetime, dice: random.Random) -> Iterator[tuple[datetime, str]]:
    """About four complaints a minute, and one wire story that everybody repeats: it must count once."""
    at = start
    while at < start + CRISIS_LASTS:
        at += timedelta(minutes=dice.expovariate(4))
        yield at, _say(dice, CRISIS_ES if dice.random() < 0.45 else CRISIS_EN)
    wire = _say(dice, (WIRE_ES,))
    for copy in range(12):
        yield start + timedelta(minutes=5 + copy * 1.5), wire


def _after(start: datetime, dice: random.Random) -> Iterator[tuple[datetime, str]]:
    at = start + CRISIS_AFTER + CRISIS_LASTS
    while at < start + timedelta(hours=4):
        at += timedelta(minutes=dice.expovariate(1 / 12))
        yield at, _say(dice, CALM_AGAIN_ES if dice.random() < 0.6 else CALM_AGAIN_EN)


def _say(dice: random.Random, sentences: Sequence[str]) -> str:
    a, b = dice.sample(CITIES, 2)
    hour = dice.randrange(len(HOURS))
    sentence = dice.choice(sentences)
    hours = HOURS[hour] if sentence in CRISIS_ES else HOURS_EN[hour]
    return sentence.format(a=a, b=b, h=hours, n=f"GZ{dice.randint(101, 989)}", g=dice.randint(1, 60))


def _line(number: int, at: datetime, text: str, dice: random.Random) -> Line:
    place = dice.choice(("forum", "board"))
    return Line(number, at, place, dice.choice(PEOPLE), text, f"https://viajeros.example/t/{number}")
