"""What matching costs: all queries in one `Index`, against a loop of regular expressions over the same queries.

    python benchmarks/match.py            10, 1,000, 10,000 and 100,000 queries
    python benchmarks/match.py --quick    up to 10,000, fewer texts

Everything is invented here: a seeded generator makes Spanish- and English-like texts (about 92 words, 540 characters,
with accents and ñ) out of common words, syllables and brand names, each talked about less the further down its list.
Queries: 40 % one name, 20 % a name of two words, 20 % two to four names with OR, 10 % `word (a OR b OR c OR d) -x -y`
on everyday words, 10 % `name -"two words"`.

The loop is what one would write first: fold the text, then for every query test one whole-word regular expression a
term until the answer is known. Both must give the same ids on every text that both read.

Figures are microseconds of CPU time per text, every step included (fold, words, candidates, evaluation); median of
interleaved rounds. Ratios are what to carry over to another machine.
"""

import argparse
import gc
import itertools
import random
import re
import statistics
import sys
import time
from bisect import bisect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.query import Document, Expression, Frequencies, Index, fold, parse
from app.query.expression import And, Not, Or, Words
from app.query.fold import words

GLUE = {
    "es": "de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ya todo "
    "esta fue ha muy sin sobre también me hasta hay donde quien desde nos ni contra este sí porque cuando "
    "él qué año vez día",
    "en": "the of and to in a is that it was for on with as he be at by this had not are but from or have an "
    "they which one you were all her she there would their we him been has when who will no more if out "
    "so up what about",
}
EVERYDAY = {
    "es": "tienda pedido cliente atención servicio teléfono factura compañía semana niño señora mañana pequeño "
    "información avería línea móvil médico camión jamón español montaña precio oferta calidad garantía "
    "dinero banco cuenta tarjeta viaje vuelo hotel maleta retraso aeropuerto comida cena leche yogur pan "
    "salsa ropa camisa zapato talla color envío paquete repartidor portal horario cita espera respuesta "
    "correo queja reclamación devolución reembolso problema fallo error pantalla batería cargador "
    "aplicación contraseña usuario red conexión fibra router técnico visita instalación",
    "en": "store order customer support service phone bill company week child lady morning small information "
    "fault line mobile doctor truck ham mountain price offer quality warranty money bank account card "
    "trip flight hotel suitcase delay airport food dinner milk yogurt bread sauce clothes shirt shoe size "
    "colour delivery parcel driver website hours appointment wait answer mail complaint claim return "
    "refund problem failure error screen battery charger application",
}
SYLLABLES = (
    "ba be bi bo bu ca ce ci co cu da de di do du fa fe fi fo ga go gu ja jo la le li lo lu ma me mi mo "
    "mu na ne ni no nu ña ño pa pe pi po pu ra re ri ro ru sa se si so su ta te ti to tu va ve vi vo xa "
    "xi za zo cion tra bre pla cri flo"
)


class Dice:
    """Seeded choices, some of them as uneven as words are (the k-th is drawn in proportion to 1 / k)."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._syllables = SYLLABLES.split()

    def uneven(self, items: Sequence[str]) -> Callable[[], str]:
        weights = list(accumulate(1 / (rank + 3) for rank in range(len(items))))
        return lambda: items[bisect(weights, self.random.random() * weights[-1])]

    def invented(self, count: int, syllables: tuple[int, int], taken: set[str]) -> list[str]:
        found: list[str] = []
        while len(found) < count:
            word = "".join(self.random.choices(self._syllables, k=self.random.randint(*syllables)))
            if fold(word) not in taken:
                taken.add(fold(word))
                found.append(word)
        return found


@dataclass(frozen=True)
class World:
    """What is talked about. The first half of `names` are one word, the rest two."""

    everyday: list[str]
    names: list[str]
    texts: list[str]


def make_world(seed: int, texts: int, names: int) -> World:
    dice = Dice(seed)
    taken = {word for language in ("es", "en") for word in words(f"{GLUE[language]} {EVERYDAY[language]}")}
    everyday = [word for language in ("es", "en") for word in EVERYDAY[language].split()]
    everyday += dice.invented(3000, (2, 4), taken)
    plain = dice.invented(names // 2, (3, 4), taken)
    double = [f"{dice.random.choice(everyday)} {word}" for word in dice.invented(names // 2, (2, 4), taken)]
    every_name = [name for pair in zip(plain, double, strict=True) for name in pair]
    draw_name, draw_everyday = dice.uneven(every_name), dice.uneven(everyday)
    draw_glue = {language: dice.uneven(GLUE[language].split()) for language in GLUE}
    made = [_text(dice, draw_glue["en" if n % 4 == 0 else "es"], draw_everyday, draw_name) for n in range(texts)]
    return World(everyday, plain + double, made)


def _text(dice: Dice, glue: Callable[[], str], everyday: Callable[[], str], name: Callable[[], str]) -> str:
    pieces = [glue() if dice.random.random() < 0.5 else everyday() for _ in range(dice.random.randint(20, 160))]
    for _ in range(dice.random.choice((0, 1, 1, 2, 3))):
        pieces.insert(dice.random.randrange(len(pieces)), name().title())
    for at in range(8, len(pieces), 12):
        pieces[at] += dice.random.choice((",", ".", ";", "...", "!", " —", ' "', ")", "", ""))
    return " ".join(pieces).capitalize() + "."


def make_queries(world: World, count: int, seed: int) -> list[str]:
    """Query texts. The names go round in a shuffled order, so few queries take rare and frequent ones alike."""
    chance = random.Random(seed)
    half = len(world.names) // 2
    plain, double = world.names[:half], world.names[half:]
    chance.shuffle(plain)
    chance.shuffle(double)
    next_plain, next_double = itertools.cycle(plain).__next__, itertools.cycle(double).__next__
    makers: tuple[tuple[int, Callable[[], str]], ...] = (
        (40, next_plain),
        (20, lambda: f'"{next_double()}"'),
        (20, lambda: " OR ".join(next_plain() for _ in range(chance.randint(2, 4)))),
        (10, lambda: _everyday_query(chance.sample(world.everyday, 7))),
        (10, lambda: f'{next_plain()} -"{next_double()}"'),
    )
    order = [maker for share, maker in makers for _ in range(share)]
    chance.shuffle(order)
    return [order[n % len(order)]() for n in range(count)]


def _everyday_query(chosen: Sequence[str]) -> str:
    word, a, b, c, d, x, y = chosen
    return f"{word} AND ({a} OR {b} OR {c} OR {d}) AND NOT ({x} OR {y})"


def naive(expression: Expression) -> Callable[[str], bool]:
    """The query as regular expressions over folded text."""
    if isinstance(expression, And):
        parts = [naive(part) for part in expression.parts]
        return lambda text: all(part(text) for part in parts)
    if isinstance(expression, Or):
        parts = [naive(part) for part in expression.parts]
        return lambda text: any(part(text) for part in parts)
    if isinstance(expression, Not):
        part = naive(expression.part)
        return lambda text: not part(text)
    if isinstance(expression, Words):
        pattern = re.compile(r"\b" + r"\W+".join(map(re.escape, words(expression.text))) + r"\b")
        return lambda text: pattern.search(text) is not None
    raise TypeError(expression)


def cpu_us(work: Callable[[], object], texts: int) -> float:
    gc.collect()
    started = time.process_time()
    work()
    return (time.process_time() - started) / texts * 1e6


@dataclass
class Contest:
    """One number of queries: the index, the loop where it can be waited for, and their times."""

    count: int
    index: Index
    build_s: float
    parse_s: float
    loop: list[tuple[int, Callable[[str], bool]]] | None
    times: list[float]
    loop_times: list[float]
    hits: float = 0.0

    def round(self, documents: Sequence[Document]) -> None:
        self.times.append(cpu_us(lambda: [self.index.match(document) for document in documents], len(documents)))

    def loop_round(self, documents: Sequence[Document]) -> None:
        if self.loop is None:
            return
        found: list[frozenset[int]] = []
        self.loop_times.append(cpu_us(lambda: found.extend(map(self._by_loop, documents)), len(documents)))
        for document, ids in zip(documents, found, strict=True):
            if ids != self.index.match(document):
                raise SystemExit(f"the index and the loop differ on: {document.text[:200]}")

    def _by_loop(self, document: Document) -> frozenset[int]:
        text = fold(document.text)
        return frozenset(query_id for query_id, matches in self.loop or () if matches(text))


def prepare(count: int, world: World, frequencies: Frequencies, with_loop: bool) -> Contest:
    texts = make_queries(world, count, seed=count)
    started = time.process_time()
    queries = {number: parse(text) for number, text in enumerate(texts)}
    parsed = time.process_time()
    index = Index(queries, frequencies)
    built = time.process_time()
    loop = [(number, naive(query)) for number, query in queries.items()] if with_loop else None
    return Contest(count, index, built - parsed, parsed - started, loop, [], [])


def loop_sample(count: int, quick: bool) -> int:
    """How many texts the loop reads in a round: as many as it can in a second or so, eight at least."""
    return min(160 if quick else 800, max(8, (10_000 if quick else 60_000) // count))


def table(contests: Iterable[Contest]) -> str:
    lines = [f"{'queries':>8} {'index':>9} {'loop of re':>12} {'ratio':>8} {'hits/text':>10} {'parse':>8} {'build':>8}"]
    lines.append(f"{'':>8} {'us/text':>9} {'us/text':>12} {'':>8} {'':>10} {'s':>8} {'s':>8}")
    for contest in contests:
        cost = statistics.median(contest.times)
        loop = statistics.median(contest.loop_times) if contest.loop_times else None
        shown = (f"{loop:>12,.0f}", f"{loop / cost:>7,.0f}x") if loop else (f"{'-':>12}", f"{'-':>8}")
        lines.append(
            f"{contest.count:>8,} {cost:>9.1f} {shown[0]} {shown[1]} {contest.hits:>10.2f} "
            f"{contest.parse_s:>8.2f} {contest.build_s:>8.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--quick", action="store_true", help="up to 10,000 queries, fewer texts")
    options.add_argument("--full-loop", action="store_true", help="the loop at 100,000 queries too: minutes")
    options.add_argument("--seed", type=int, default=2026)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    counts = (10, 1_000, 10_000) if chosen.quick else (10, 1_000, 10_000, 100_000)
    world = make_world(chosen.seed, texts=1_000 if chosen.quick else 3_500, names=200_000)
    learnt, timed = world.texts[:500], world.texts[500:]
    documents = [Document(text=text) for text in timed]
    frequencies = Frequencies()
    for text in learnt:
        frequencies.observe(text)
    mean = sum(map(len, timed)) / len(timed)
    print(f"{len(timed):,} texts of {mean:.0f} characters; {chosen.rounds} rounds; Python {sys.version.split()[0]}\n")
    contests = [prepare(count, world, frequencies, with_loop=count < 100_000 or chosen.full_loop) for count in counts]
    for contest in contests:
        contest.hits = sum(len(contest.index.match(document)) for document in documents) / len(documents)
    for turn in range(chosen.rounds):
        for contest in contests:
            contest.round(documents)
            if turn < 3:
                sample = loop_sample(contest.count, chosen.quick)
                contest.loop_round(documents[turn :: len(documents) // sample])
    print(table(contests))
    few, most = statistics.median(contests[0].times), statistics.median(contests[-1].times)
    print(f"\ncost({counts[-1]:,}) / cost({counts[0]:,}) = {most / few:.1f}")
    print("the loop and the index agree on every text that both read")


if __name__ == "__main__":
    main()
