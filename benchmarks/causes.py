"""Is one crisis taken for two, and is a second one inside it found? Invented people, one seed a world.

    python -m benchmarks.causes [--worlds 200] [--seed 0]

A crisis runs (60 people tell of it, or 15 only), the usual complaints go on, and in half of the worlds a second crisis
begins inside it. Printed: in how many of the worlds without a second one was named (false), and in how many of the
others it was found. Three crises, each as the first and as the second; all in Spanish, one in three stories in English,
and the first in Spanish with the second in English. "Turned English": there is no second one, the first goes on in
English.
"""

import argparse
from datetime import UTC, datetime, timedelta
from itertools import permutations
from operator import itemgetter
from random import Random

from alerts.causes import Cause, apart, is_about, second, subject
from app.query.fold import words
from tests.alerts.test_causes import BRAND, complaints, flights, food, month

LEAK_ES = (
    "Aero Lince confirma que han robado datos de {m}.000 clientes",
    "Mi tarjeta con cargos raros desde el hackeo de Aero Lince",
    "Aero Lince ha filtrado mi pasaporte y ni un correo",
    "Ciberataque a Aero Lince: contraseñas y correos a la venta",
    "Me han llamado unos estafadores con mis datos de Aero Lince",
    "Cambiad la contraseña de Aero Lince ya, han entrado en las cuentas",
    "La Agencia de Protección de Datos pide cuentas a Aero Lince por la filtración",
    "El banco me bloquea la tarjeta por lo de Aero Lince",
    "{c} compras que no he hecho, y todo por la brecha de seguridad de Aero Lince",
    "Aero Lince guardaba los pasaportes sin cifrar, increíble",
    "Lista de correos filtrados de Aero Lince: el mío está",
    "Aero Lince admite el robo de datos dos semanas después",
)
LEAK_EN = (
    "Aero Lince data breach: passports and cards of {m},000 customers leaked",
    "Got an email that my Aero Lince account was hacked",
    "Card charged {c} times after the Aero Lince hack",
    "Change your Aero Lince password now, accounts are being drained",
    "Scammers called me with my Aero Lince booking data",
    "Aero Lince kept passport scans unencrypted, unbelievable",
    "My personal data from Aero Lince is for sale online",
    "Bank blocked my card because of the Aero Lince breach",
)
TAIL_ES = ("", "", "", ", vergonzoso", ". Nunca más", ". Y nadie contesta", ". Denunciado")
TAIL_EN = ("", "", "", ". Disgusting", ". Never again", ". Still no reply")


def leak(r: Random, count: int, english: float) -> list[list[str]]:
    def one() -> list[str]:
        pieces = (LEAK_EN, TAIL_EN) if r.random() < english else (LEAK_ES, TAIL_ES)
        return words("".join(map(r.choice, pieces)).format(m=r.randint(12, 90), c=r.randint(3, 40)))

    return [one() for _ in range(count)]


CRISES = {"flights": flights, "food": food, "leak": leak}
TONGUES = {"Spanish": (0.0, 0.0), "one in three English": (1 / 3, 1 / 3), "second in English": (0.0, 1.0)}


START = datetime(2026, 11, 18, 9, 0, tzinfo=UTC)


def told(r: Random, stories: list[list[str]], first: float, last: float) -> list[tuple[datetime, list[str]]]:
    return [(START + timedelta(hours=r.uniform(first, last)), story) for story in stories]


def named(
    seed: int, first: str, then: str | None, many: int, ill: int, tongue: tuple[float, float], turns: bool = False
) -> Cause | None:
    """What is named beside the `first`, told by `many` people in three hours. `turns`: in English from half on."""
    r = Random(seed)
    usual = month(r, english=tongue[0] or 0.1)
    main = told(r, CRISES[first](r, many, tongue[0]), 0, 3)
    running = Cause("negative", subject([story for _, story in main], usual, BRAND))
    if turns:
        main = main[: many // 2] + told(r, CRISES[first](r, many // 2, 1.0), 1.5, 3)
    rest = told(r, complaints(r, 6, tongue[0]), 0, 3)
    if then:
        rest += told(r, CRISES[then](r, ill, tongue[1]), r.uniform(1, 2.5), 3)
    everything = sorted(main + rest)
    left = apart(everything, itemgetter(1), [running])
    known = [one for one in everything if is_about(one[1], running.terms)]
    at = {"rest_at": [at for at, _ in left], "known_at": [at for at, _ in known]}
    return second([story for _, story in left], [story for _, story in known], usual, BRAND, **at)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the first world")
    asked = parser.parse_args()
    worlds, first_seed = asked.worlds, asked.seed
    print("| first known by | told | false second | false, turned English | found, 15 people | found, 30 |")
    print("|---|---|---|---|---|---|")
    pairs = list(permutations(CRISES, 2))
    firsts = list(CRISES)
    seeds = range(first_seed, first_seed + worlds)
    for many in (60, 15):
        for tongue, parts in TONGUES.items():
            counts = []
            for turns in (False, True):
                hits = (named(seed, firsts[seed % 3], None, many, 0, parts, turns) for seed in seeds)
                counts.append(sum(hit is not None for hit in hits))
            for ill in (15, 30):
                hits = (named(10_000 + seed, *pairs[seed % 6], many, ill, parts) for seed in seeds)
                counts.append(sum(hit is not None for hit in hits))
            shares = " | ".join(f"{100 * number / worlds:.1f} %" for number in counts)
            print(f"| {many} people | {tongue} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
