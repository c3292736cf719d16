"""Crises as people live them, through storage and the watch walk: who is woken, by what, and who is not.

Posts are stored as the collect walk stores them (story, near copies, grave terms), with tones given by the test.
"""

import hashlib
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.base import Channel
from alerts.incident import Incident
from alerts.spike import to_mapping
from app.model import Brand, Label, Sentiment
from app.pipeline import Watch
from app.pipeline.replay import replay
from app.pipeline.verify import verify
from app.sentiment.grave import grave_terms
from app.storage import Storage
from app.storage.records import CollectBatch, CollectedPost, PutBrand, PutChannel, PutSource
from app.story import bands, text_hash
from app.tables import to_ms
from collectors.base import Post, Source
from tests.app.pipeline.far_end import HandClock

BIN = timedelta(minutes=5)
SCORES: dict[Label, float | None] = {"negative": -0.8, "neutral": 0.0, "positive": 0.6, "unknown": None}
SITES = ("elfaro.example", "foro.example", "plaza.example", "vecinos.example")
CHATTER = (
    "Mañana abre otra tienda de Aurora en el centro, con horario de tarde.",
    "Alguien sabe si en Aurora tienen sillas plegables como las del año pasado",
    "He visto el escaparate nuevo de Aurora y no está nada mal de precio.",
    "Aurora cambia de proveedor de madera según cuenta la revista del sector.",
)
COMPLAINTS = (
    "Tres semanas esperando la mesa de Aurora y nadie coge el teléfono",
    "La silla de Aurora se rompió el primer día, qué vergüenza",
    "Aurora me cobró dos veces y ahora no quieren devolver nada",
    "Nunca más compro en Aurora, trato horrible en la tienda",
    "El armario de Aurora llegó sin puertas y con golpes",
    "Pésimo servicio de Aurora, llevo cuatro correos sin respuesta",
    "Aurora miente con los plazos de entrega, estoy harta",
    "Me dejaron tirado con el montaje, Aurora no se hace cargo",
    "La cama de Aurora huele fatal y no aceptan la devolución",
    "Qué desastre el pedido de Aurora, falta la mitad",
    "Aurora ignora las quejas, una tomadura de pelo",
    "Vaya chapuza de mueble el de Aurora, tornillos que no encajan",
)


class Town:
    """People and papers talk about a brand; the watch walk passes every five minutes."""

    def __init__(self, storage: Storage, clock: HandClock) -> None:
        self.storage = storage
        self.clock = clock
        self.watch = Watch(storage=storage, clock=clock, public_url="http://avizor.example")
        self.number = 0
        self.source("barrio")
        secret = {"url": "https://hooks.example/x"}
        notices = Channel(0, "equipo", "Equipo", "slack", secret=secret, min_severity="notice")
        pager = Channel(0, "guardia", "Guardia", "slack", secret=secret, min_severity="warning")
        storage.apply(
            [PutBrand(Brand(0, "aurora", "Aurora", "aurora")), PutChannel(notices), PutChannel(pager)], clock.now
        )
        found = storage.brands.get("aurora")
        assert found
        self.brand = found

    def source(self, slug: str, tier: int = 2) -> None:
        made = Source(0, slug, slug.title(), "rss", f"https://{slug}.example/f", interval_s=900, tier=tier)
        self.storage.apply([PutSource(made)], self.clock.now)

    def post(
        self,
        label: Label,
        text: str,
        at: datetime | None = None,
        *,
        title: str = "",
        author: str | None = None,
        site: str | None = None,
        source: str = "barrio",
        backfill: bool = False,
    ) -> None:
        self.store([self.item(label, text, at, title=title, author=author, site=site, backfill=backfill)], source)

    def item(
        self,
        label: Label,
        text: str,
        at: datetime | None = None,
        *,
        title: str = "",
        author: str | None = None,
        site: str | None = None,
        backfill: bool = False,
    ) -> CollectedPost:
        self.number += 1
        at = at or self.clock.now - timedelta(seconds=20)
        site = site or SITES[self.number % len(SITES)]
        author = author or f"persona {self.number}"
        post = Post(str(self.number), title, text, f"https://{site}/{self.number}", author, at)
        return CollectedPost(
            dedupe_key=hashlib.blake2b(str(self.number).encode(), digest_size=16).digest(),
            post=post,
            site=site,
            language="es",
            published_at=at,
            claimed_at=at,
            text_hash=text_hash(title, text, author, site),
            backfill=backfill,
            sentiments={self.brand.id: Sentiment(label, SCORES[label], "test/1", "es")},
            bands=bands(title, text),
            grave=grave_terms(f"{title}. {text}", "es"),
        )

    def store(self, items: list[CollectedPost], source: str = "barrio") -> None:
        now = self.clock.now
        self.storage.sources.poll_now(source, now)
        (claimed,) = self.storage.sources.claim_due(now, 1, "test")
        due = now + timedelta(minutes=15)
        batch = CollectBatch(claimed.id, "test", items, (), {}, None, None, None, due, None)
        self.storage.posts.store(batch, now)

    def history(self, days: int = 14, per_day: int = 12, complaints_per_day: int = 1) -> None:
        """Ordinary days, read when the source was first asked, and an hour of being watched."""
        items = []
        for day in range(1, days + 1):
            for step in range(per_day):
                at = self.clock.now - timedelta(days=day, minutes=-step * 24 * 60 / per_day)
                text = f"{CHATTER[step % len(CHATTER)]} Nota {day}-{step}."
                items.append(self.item("neutral", text, at, backfill=True))
            for step in range(complaints_per_day):
                at = self.clock.now - timedelta(days=day, hours=-7 - step)
                items.append(
                    self.item("negative", f"Queja de siempre sobre Aurora, día {day}, {step}.", at, backfill=True)
                )
        self.store(items)
        self.asked_since("barrio", timedelta(days=days))
        self.pass_time(timedelta(hours=1))

    def asked_since(self, source: str, span: timedelta) -> None:
        """The source has been asked for so long already."""
        with self.storage._database.write() as connection:
            since = to_ms(self.clock.now - span)
            connection.exec_driver_sql(f"UPDATE sources SET first_ok_at = {since} WHERE slug = '{source}'")

    def pass_time(self, span: timedelta) -> None:
        until = self.clock.now + span
        while self.clock.now < until:
            self.clock.now += BIN
            self.answers("barrio")
            self.watch.run()

    def answers(self, source: str) -> None:
        """The source was asked and answered, with nothing new."""
        self.store([], source)

    @property
    def incidents(self) -> list[Incident]:
        return list(reversed(self.storage.incidents.page()))

    @property
    def causes(self) -> list[tuple[str, str]]:
        return [(one.cause, one.severity) for one in self.incidents]

    @property
    def told(self) -> list[tuple[str, str]]:
        found = self.storage.deliveries.page(limit=100)
        return [(delivery.channel.slug, delivery.action) for delivery in reversed(found)]

    @property
    def verdict(self) -> tuple[str, str]:
        watch = self.storage.watches.get(self.brand.id)
        assert watch
        assert watch.spike
        return watch.spike["verdict"], watch.spike["reason"]


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """On SQLite: these are long stories, and what they read is tested on both databases where it is kept."""
    copy = tmp_path / "avizor.db"
    shutil.copy(sqlite_template, copy)
    return f"sqlite:///{copy}"


@pytest.fixture
def town(storage: Storage, clock: HandClock) -> Town:
    clock.now = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
    return Town(storage, clock)


def complain(town: Town, number: int = 12, **fields: str) -> None:
    for text in COMPLAINTS[:number]:
        town.post("negative", text, town.clock.now - timedelta(seconds=10 + 7 * town.number % 250), **fields)


# ── who is woken ─────────────────────────────────────────────────────────────


def test_twelve_separate_complaints_are_a_page(town: Town) -> None:
    town.history()
    complain(town)
    town.pass_time(2 * BIN)
    assert [cause for cause, _ in town.causes] == ["negative"]
    assert ("guardia", "trigger") in town.told
    dossier = town.incidents[0].dossier
    assert (dossier["spike"]["observed"], dossier["authors"], dossier["sites"]) == (12, 12, 4)


WIRE = (
    "La cadena de muebles Aurora subirá desde enero el precio de sus sillas plegables más populares y dejará de montar "
    "los armarios a domicilio en los pueblos pequeños, según ha confirmado este lunes un portavoz de la compañía, "
    "que achaca la decisión al coste del transporte y pide paciencia a los clientes que ya habían pagado el servicio"
)


def test_one_wire_on_forty_outlets_is_a_note_and_no_page(town: Town) -> None:
    town.history()
    for outlet in range(40):
        site = f"diario{outlet}.example"
        place = ("MADRID", "BILBAO", "SEVILLA")[outlet % 3]
        text = f"{place} (Agencia).- {WIRE}" if outlet % 2 else f"{WIRE}. Seguir leyendo"
        if outlet % 4 == 3:
            text += f" Publicado el 18/11 a las {8 + outlet % 10}:{outlet:02}"
        at = town.clock.now - timedelta(seconds=5 + outlet)
        title = f"Aurora sube los precios - Diario {outlet}"
        town.post("negative", text, at, title=title, author=f"Redacción {outlet}", site=site)
        if outlet % 10 == 9:
            town.pass_time(BIN)
    town.pass_time(BIN)
    assert [cause.partition(":")[0] for cause, severity in town.causes if severity == "notice"] == ["spread"]
    assert [action for channel, action in town.told if channel == "guardia"] == []
    assert town.told == [("equipo", "trigger")]
    (note,) = [one for one in town.incidents if one.severity == "notice"]
    assert note.dossier["spread"] == 10, "it is told as soon as it is wide"
    town.pass_time(timedelta(hours=6))
    assert town.told == [("equipo", "trigger")], "nobody is told that a note is over"


def test_a_form_letter_of_sixty_people_is_a_note_and_no_page(town: Town) -> None:
    town.history()
    items = [town.item("negative", f"{WIRE}.", author=f"vecina {person}") for person in range(60)]
    town.store(items)
    town.pass_time(2 * BIN)
    assert [(cause.partition(":")[0], severity) for cause, severity in town.causes] == [("spread", "notice")]
    spike = town.incidents[0].dossier["spike"]
    assert (spike["reason"], spike["observed"]) == ("many_authors", 60)
    assert verify(town.storage, town.incidents[0]).equal


@pytest.mark.parametrize(
    "flood",
    [{"author": "el mismo", "site": "foro.example"}, {"author": "el mismo"}, {"site": "recien-llegado.example"}],
    ids=["one author", "one author on every site", "one site"],
)
def test_a_flood_of_one_voice_fakes_no_crisis(town: Town, flood: dict[str, str]) -> None:
    town.history()
    complain(town, **flood)
    town.pass_time(2 * BIN)
    assert town.causes == []
    assert town.verdict == ("calm", "few_voices")


def test_two_sites_that_flood_together_fake_no_crisis(town: Town) -> None:
    town.history()
    for step, text in enumerate(COMPLAINTS):
        town.post("negative", text, site=f"granja{step % 2}.example")
    town.pass_time(2 * BIN)
    assert (town.causes, town.verdict) == ([], ("calm", "few_voices"))


def test_forty_readers_of_a_paper_that_the_operator_vouches_for_are_a_crisis(town: Town) -> None:
    town.history()
    town.source("diario", tier=1)
    town.answers("diario")
    town.asked_since("diario", timedelta(days=9))
    for text in COMPLAINTS:
        town.store([town.item("negative", text, site="diario-local.example")], "diario")
    town.pass_time(2 * BIN)
    assert [cause for cause, _ in town.causes] == ["negative"]


def test_a_flood_of_neutral_posts_hides_no_crisis(town: Town) -> None:
    town.history()
    for _ in range(60):
        town.post("neutral", f"Oferta del día de Aurora número {town.number}.", site="granja-de-enlaces.example")
    complain(town)
    town.pass_time(2 * BIN)
    assert "negative" in [cause for cause, _ in town.causes]


def test_back_dating_hides_no_crisis(town: Town) -> None:
    town.history()
    for step, text in enumerate(COMPLAINTS):
        town.post("negative", text, town.clock.now - timedelta(hours=2, minutes=step))
    town.pass_time(2 * BIN)
    assert "negative" in [cause for cause, _ in town.causes]


def test_a_source_that_has_just_come_in_wakes_nobody_for_a_day(town: Town) -> None:
    town.history()
    town.source("nuevo")
    town.answers("nuevo")
    complain(town)
    for item in [town.item("negative", text + " otra vez") for text in COMPLAINTS]:
        town.store([item], "nuevo")
    town.pass_time(2 * BIN)
    before = town.incidents[0].dossier
    assert (before["spike"]["observed"], before["excluded"]) == (12, {"new_source": 12})


def test_what_a_new_source_said_first_counts_once_an_old_one_says_it(town: Town) -> None:
    town.history()
    town.source("nuevo")
    town.answers("nuevo")
    for step, text in enumerate(COMPLAINTS):
        said = f"{text}, y ya lo he contado en la tienda, por teléfono y por correo sin que nadie me conteste"
        town.store([town.item("negative", said, site="agregador.example", author="agregador")], "nuevo")
        town.post("negative", said, author=f"vecina {step}")
    town.pass_time(2 * BIN)
    assert town.causes == [("negative", "critical")]
    assert town.incidents[0].dossier["spike"]["observed"] == 12
    assert town.incidents[0].dossier["excluded"] == {}


def test_a_source_that_takes_the_place_of_another_is_heard_at_once(town: Town) -> None:
    town.history()
    town.source("nuevo")
    town.answers("nuevo")
    old = town.storage.sources.get("barrio")
    assert old
    town.storage.apply([PutSource(replace(old, enabled=False))], town.clock.now)
    for text in COMPLAINTS:
        town.post("negative", text, source="nuevo")
    for _ in range(3):
        town.clock.now += BIN
        town.answers("nuevo")
        town.watch.run()
    assert "negative" in [cause for cause, _ in town.causes]


# ── what happens inside a crisis ─────────────────────────────────────────────


POISON = (
    "Mi hijo vomitando toda la noche después de comer en la cafetería de Aurora",
    "Ojo con la cafetería de Aurora, varios con diarrea y vómitos en mi oficina",
    "Dos compañeros vomitando tras el menú de la cafetería de Aurora",
    "La cafetería de Aurora nos sentó fatal, vomitando los cuatro",
    "No comáis en la cafetería de Aurora, acabamos todos vomitando",
    "Vomitando desde ayer por la tortilla de la cafetería de Aurora",
    "Otra familia vomitando por la cafetería de Aurora, que la cierren",
    "La cafetería de Aurora es un peligro, mi madre vomitando",
    "Fiebre y vomitando, gracias a la cafetería de Aurora",
    "Salimos vomitando de la cafetería de Aurora, qué asco",
    "Medio equipo vomitando: cafetería de Aurora, no volvemos",
    "Cuidado, cafetería de Aurora: gente vomitando en los baños",
)


def test_a_second_different_crisis_pages_again(town: Town) -> None:
    town.history()
    for _ in range(4):
        complain(town)
        town.pass_time(BIN)
    assert [cause for cause, _ in town.causes] == ["negative"]
    for text in POISON * 2:
        town.post("negative", f"{text}. {town.number}")
    town.pass_time(2 * BIN)
    causes = [cause for cause, _ in town.causes if cause.startswith("negative")]
    assert len(causes) == 2
    assert causes[1] in ("negative:vomitando", "negative:cafeteria", "negative:cafeteria-vomitando")
    assert [action for channel, action in town.told if channel == "guardia"].count("trigger") == 2


def test_more_of_the_same_crisis_is_no_second_one(town: Town) -> None:
    town.history()
    for step in range(8):
        for text in COMPLAINTS:
            town.post("negative", f"{text}, van {step}")
        town.pass_time(BIN)
    assert [cause for cause, _ in town.causes] == ["negative"]


def test_what_a_person_closed_stays_closed_and_what_is_new_opens_again(town: Town) -> None:
    town.history()
    complain(town)
    town.pass_time(2 * BIN)
    first = town.incidents[0]
    town.watch.by_hand(first.id, "resolve", "ana", "aclarado")
    town.pass_time(timedelta(hours=2))
    assert len(town.incidents) == 1
    for text in COMPLAINTS:
        town.post("negative", f"{text}, y van dos")
    town.pass_time(2 * BIN)
    assert [one.state for one in town.incidents] == ["resolved", "open"]
    assert town.incidents[1].dossier["spike"]["observed"] == 12


def test_an_incident_passes_through_resolving_to_its_end(town: Town) -> None:
    town.history()
    complain(town)
    town.pass_time(2 * BIN)
    seen = []
    for _ in range(7):
        town.pass_time(timedelta(hours=1))
        seen.append(town.incidents[0].state)
    assert "resolving" in seen or seen[0] == "resolved"
    assert seen[-1] == "resolved"


# ── beside the counts ────────────────────────────────────────────────────────


GRAVE = "Ingresados tres clientes por una intoxicación en la cafetería de Aurora"


def test_one_grave_mention_is_enough(town: Town) -> None:
    town.history()
    town.post("negative", GRAVE)
    town.post("negative", COMPLAINTS[0])
    town.pass_time(2 * BIN)
    dossier = town.incidents[0].dossier
    assert (dossier["authors"], dossier["sites"], len(dossier["exhibits"])) == (1, 1, 1), "the other is no part of it"
    assert [(cause.partition(":")[0], severity) for cause, severity in town.causes][:1] == [("grave", "warning")]
    assert ("guardia", "trigger") in town.told


def test_one_story_with_five_grave_words_is_one_incident(town: Town) -> None:
    town.history()
    text = "Muerte, intoxicación, fraude e incendio en Aurora: hay heridos y piden un boicot"
    assert len(grave_terms(text, "es")) >= 4
    town.post("negative", text)
    town.pass_time(3 * BIN)
    assert len([cause for cause, _ in town.causes if cause.startswith("grave")]) == 1


def test_what_was_told_of_a_grave_word_is_no_news_when_it_comes_again(town: Town) -> None:
    town.history()
    town.post("negative", GRAVE)
    town.pass_time(2 * BIN)
    town.watch.by_hand(town.incidents[0].id, "resolve", "ana", "aclarado")
    town.post("negative", f"{GRAVE}, según otra clienta")
    town.pass_time(2 * BIN)
    assert len([cause for cause, _ in town.causes if cause.startswith("grave")]) == 1


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("negative", "Ninguna intoxicación en la cafetería de Aurora, solo el susto de siempre"),
        ("positive", GRAVE),
        ("negative", "La cafetería de Aurora deja mucho que desear"),
    ],
    ids=["denied", "said with joy", "nothing grave"],
)
def test_what_is_not_grave_wakes_nobody(town: Town, label: Label, text: str) -> None:
    town.history()
    town.post(label, text)
    town.pass_time(2 * BIN)
    assert town.causes == []


def test_a_grave_word_of_a_tier_one_source_is_critical_at_once(town: Town) -> None:
    town.source("agencia", tier=1)
    town.answers("agencia")
    town.asked_since("agencia", timedelta(days=9))
    town.history()
    item = town.item("negative", GRAVE)
    town.store([item], "agencia")
    town.pass_time(2 * BIN)
    assert ("grave", "critical") in [(cause.partition(":")[0], severity) for cause, severity in town.causes]


def test_a_word_that_the_brand_hears_every_week_is_its_daily_bread(town: Town) -> None:
    for day in range(1, 27, 3):
        town.post("negative", f"Otro fraude con Aurora, caso {day}", town.clock.now - timedelta(days=day))
    town.history()
    town.post("negative", "Menudo fraude lo de Aurora con la garantía")
    town.pass_time(2 * BIN)
    assert [cause for cause, _ in town.causes if cause.startswith("grave")] == []


def chatty(town: Town, hours: int) -> None:
    """A busy stream, live, hour by hour."""
    for _ in range(hours * 2):
        for _ in range(5):
            town.post("neutral", f"Aurora otra vez en las noticias del barrio, apunte {town.number}.")
        town.pass_time(6 * BIN)


def test_silence_is_a_note_while_every_source_answers(town: Town) -> None:
    town.history(per_day=240)
    chatty(town, 4)
    assert town.causes == []
    town.pass_time(timedelta(hours=5))
    assert town.causes == [("silence", "notice")]
    assert town.told == [("equipo", "trigger")]
    chatty(town, 3)
    assert town.incidents[0].state == "resolved"
    assert town.told == [("equipo", "trigger")]


def test_dead_sources_are_no_silence(town: Town) -> None:
    town.history(per_day=240)
    chatty(town, 4)
    until = town.clock.now + timedelta(hours=5)
    while town.clock.now < until:
        town.clock.now += BIN
        town.watch.run()
    assert town.causes == []
    assert town.verdict == ("not_evaluated", "poor_coverage")


# ── what nobody can tell the tone of ─────────────────────────────────────────


def unknown(town: Town, number: int, **fields: str) -> None:
    """So much of unknown tone in the last five minutes, all by different people in different places."""
    ages = (timedelta(seconds=10 + 280 * step / number) for step in range(number))
    fields = fields or {}
    town.store([town.item("unknown", f"Aurora 🤷 {town.number}", town.clock.now - age, **fields) for age in ages])


def test_a_crisis_whose_posts_turn_unknown_is_not_over(town: Town) -> None:
    town.history()
    complain(town)
    town.pass_time(2 * BIN)
    for _ in range(12 * 8):
        unknown(town, 3)
        town.pass_time(BIN)
    assert [(one.cause, one.state) for one in town.incidents] == [("negative", "open")]
    assert town.verdict[0] != "calm"
    town.pass_time(timedelta(hours=3))
    assert town.incidents[0].state == "resolved"


def test_a_surge_of_unknown_tones_is_a_surge(town: Town) -> None:
    town.history()
    for _ in range(6):
        unknown(town, 60)
        town.pass_time(BIN)
    assert town.causes == [("negative", "warning")]
    spike = town.incidents[0].dossier["spike"]
    assert (spike["reason"], spike["observed"], spike["total"]) == ("unknown_surge", 0, 0)
    assert spike["unknown"] >= 60


def test_a_flood_of_unknown_tones_from_one_site_is_no_surge(town: Town) -> None:
    town.history()
    for _ in range(6):
        unknown(town, 60, site="granja-de-enlaces.example")
        town.pass_time(BIN)
    assert town.causes == []


def test_a_few_unknown_tones_are_no_calm_and_no_alarm(town: Town) -> None:
    town.history()
    unknown(town, 4)
    town.pass_time(BIN)
    assert (town.causes, town.verdict) == ([], ("not_evaluated", "unknown_tones"))


def test_a_brand_that_is_hardly_ever_understood_is_calm_as_ever(town: Town) -> None:
    ages = (timedelta(days=day, hours=2 * step) for day in range(1, 15) for step in range(12))
    items = [town.item("unknown", f"アウロラ {age}", town.clock.now - age, backfill=True) for age in ages]
    town.store(items * 1)
    town.history(per_day=6)
    unknown(town, 3)
    town.pass_time(BIN)
    assert town.verdict[0] == "not_evaluated", "three in five minutes are more than usual"
    town.pass_time(timedelta(hours=2))
    assert town.verdict[0] == "calm"


def test_a_surge_of_unknown_tones_is_replayed_when_they_have_a_tone_by_now(town: Town) -> None:
    town.history()
    began = town.clock.now
    for _ in range(4):
        unknown(town, 60)
        town.pass_time(BIN)
    with town.storage._database.write() as connection:
        connection.exec_driver_sql("UPDATE mentions SET label = 0 WHERE label = 9")
    (incident,) = town.incidents
    opened = next(replay(town.storage, town.brand, began, town.clock.now))
    assert opened.spike is not None
    assert opened.at == incident.opened_at
    assert {**to_mapping(opened.spike), "samples": []} == {**incident.dossier["spike"], "samples": []}
