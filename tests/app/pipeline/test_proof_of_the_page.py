"""Every count in the message that wakes somebody is asked again in SQL that knows nothing of how it was made."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from alerts import NOTIFIERS
from alerts.dossier import from_json
from app.pipeline.verify import verify
from app.storage import Storage
from app.tables import to_ms
from tests.app.pipeline.far_end import HandClock
from tests.app.pipeline.test_crises import COMPLAINTS, WIRE, Town


@pytest.fixture
def town(storage: Storage, clock: HandClock) -> Town:
    clock.now = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
    return Town(storage, clock)


def figures(message: dict[str, Any]) -> dict[str, str]:
    """The fields of the message by name, and its first sentence, without Slack's marks."""
    found = {}
    for block in message["blocks"]:
        for field in block.get("fields", ()):
            name, _, value = field["text"].partition("\n")
            found[name.strip("*")] = value
    found["fact"] = next(b["text"]["text"] for b in message["blocks"] if b["type"] == "section" and "text" in b)
    return found


def numbers(said: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", said)]


def ask(town: Town, sql: str) -> Any:
    with town.storage._database.read() as connection:
        return connection.execute(text(sql)).scalar()


def test_every_count_of_the_page_is_what_sql_counts(town: Town) -> None:
    town.history()
    town.source("nuevo")
    town.answers("nuevo")
    for complaint in COMPLAINTS:
        town.post("negative", complaint)
    for complaint in COMPLAINTS[:3]:
        town.post("negative", f"{complaint}, y lo repito", author="una pesada", site="foro.example")
    for outlet in range(5):
        town.post("negative", WIRE, site=f"diario{outlet}.example")
    town.post("neutral", "Aurora abre mañana a las nueve, como siempre.")
    town.post("unknown", "Aurora 🤷")
    town.store([town.item("negative", "Recién llegado y ya quejándome de Aurora")], "nuevo")
    town.pass_time(2 * timedelta(minutes=5))

    (incident,) = town.incidents
    alerts = [one.alert for one in town.storage.deliveries.page() if one.channel.slug == "guardia"]
    said = figures(json.loads(NOTIFIERS["slack"].render(from_json(alerts[0]))))
    spike = incident.dossier["spike"]
    start, end = (to_ms(datetime.fromisoformat(spike[edge])) for edge in ("window_start", "window_end"))
    live = f"FROM mentions WHERE NOT backfill AND published_at >= {start} AND published_at < {end}"
    joined = (
        "FROM mentions JOIN posts ON posts.id = mentions.post_id JOIN sources ON sources.id = mentions.source_id "
        f"WHERE NOT mentions.backfill AND mentions.published_at >= {start} AND mentions.published_at < {end}"
    )
    negative = ask(town, f"SELECT count(*) {live} AND label = -1 AND NOT copy")
    repeated = ask(
        town,
        f"SELECT sum(number - 1) FROM (SELECT count(*) AS number {joined} AND label = -1 AND NOT copy "
        "AND sources.slug <> 'nuevo' GROUP BY posts.site, posts.author) AS people",
    )
    new = ask(town, f"SELECT count(*) {joined} AND label = -1 AND NOT copy AND sources.slug = 'nuevo'")
    total = ask(town, f"SELECT count(*) {live} AND label <> 9 AND NOT copy")
    everything = ask(town, f"SELECT count(*) {live} AND NOT copy")
    unknown = ask(town, f"SELECT count(*) {live} AND label = 9 AND NOT copy")

    observed = negative - repeated - new
    assert (negative, repeated, new) == (17, 2, 1), "the scene is what it is meant to be"
    assert numbers(said["fact"])[:2] == [observed, (end - start) // 60_000]
    assert numbers(said["Proporción de negativas"])[0] == round(100 * observed / (total - repeated - new))
    assert numbers(said["Historias"]) == [everything, ask(town, f"SELECT count(*) {live} AND copy")]
    assert numbers(said["No cuentan"]) == [repeated + new, repeated, new]
    assert numbers(said["Tono desconocido"]) == [round(100 * unknown / everything)]
    people = ask(
        town,
        "SELECT count(*) FROM (SELECT DISTINCT posts.site, posts.author "
        f"{joined} AND label = -1 AND NOT copy AND sources.slug <> 'nuevo') AS people",
    )
    sites = ask(
        town,
        f"SELECT count(DISTINCT posts.site) {joined} AND label = -1 AND NOT copy AND sources.slug <> 'nuevo'",
    )
    assert numbers(said["Voces"]) == [people, sites]
    assert numbers(said["Mayor difusión"]) == [
        ask(town, f"SELECT count(DISTINCT posts.site) {joined} AND posts.text LIKE 'La cadena de muebles%'")
    ]
    assert said["Fuentes"] == ", ".join(
        f"{slug} {ask(town, f'SELECT count(*) {joined} AND NOT copy AND sources.slug = {slug!r}')}"
        for slug in ("barrio", "nuevo")
    )
    assert (
        said["Idiomas"] == f"es {ask(town, f'SELECT count(*) {live} AND NOT copy AND language = {chr(39)}es{chr(39)}')}"
    )
    first = ask(
        town, f"SELECT min(mentions.published_at) {joined} AND label = -1 AND NOT copy AND sources.slug <> 'nuevo'"
    )
    at = datetime.fromtimestamp(first / 1000, UTC)
    assert f"{at:%H:%M}".lstrip("0") in said["Quién lo dijo primero"]
    for word, count in re.findall(r"(\w+) (\d+)", said.get("Palabras que destacan", "")):
        told = ask(
            town,
            f"SELECT count(*) {joined} AND label = -1 AND NOT copy AND sources.slug <> 'nuevo' "
            f"AND lower(posts.text) LIKE '%{word}%'",
        )
        assert told >= int(count) > 0


def test_what_was_settled_is_counted_out_of_the_window_that_is_shown(town: Town) -> None:
    town.history()
    for complaint in COMPLAINTS:
        town.post("negative", complaint)
    town.pass_time(2 * timedelta(minutes=5))
    town.watch.by_hand(town.incidents[0].id, "resolve", "ana", "aclarado")
    closed = town.clock.now
    for step, complaint in enumerate(COMPLAINTS):  # said before the closing, and collected after it
        town.clock.now = closed + timedelta(minutes=1)
        town.post("negative", f"{complaint}, y van dos", closed - timedelta(minutes=1 + step))
    town.clock.now = closed
    town.pass_time(2 * timedelta(minutes=5))

    opened = town.incidents[-1]
    spike = opened.dossier["spike"]
    start, end = (to_ms(datetime.fromisoformat(spike[edge])) for edge in ("window_start", "window_end"))
    told = (
        "FROM mentions JOIN posts ON posts.id = mentions.post_id WHERE label = -1 AND NOT (copy OR mentions.backfill) "
        f"AND mentions.published_at >= {start} AND mentions.published_at < {end} AND posts.fetched_at"
    )
    assert len(town.incidents) == 2
    assert spike["observed"] == ask(town, f"SELECT count(*) {told} >= {to_ms(closed)}") == 12
    assert opened.dossier["excluded"]["settled"] == ask(town, f"SELECT count(*) {told} < {to_ms(closed)}") == 12
    assert verify(town.storage, opened).equal


def test_who_said_it_first_may_be_a_copy_that_came_later(town: Town) -> None:
    town.history()
    for complaint in COMPLAINTS:
        town.post("negative", complaint, town.clock.now - timedelta(minutes=2))
    town.post("negative", WIRE, town.clock.now - timedelta(minutes=1), site="diario.example")
    town.post("negative", WIRE, town.clock.now - timedelta(minutes=4), site="agencia.example", author="la agencia")
    town.pass_time(2 * timedelta(minutes=5))
    first = town.incidents[0].dossier["first"]
    assert (first["site"], first["author"]) == ("agencia.example", "la agencia")
    assert verify(town.storage, town.incidents[0]).equal


def test_the_coverage_of_the_message_is_the_mean_of_its_window(town: Town) -> None:
    town.history()
    town.clock.now += timedelta(hours=2)  # down: nobody watched
    town.answers("barrio")
    for hour in range(2):
        for complaint in COMPLAINTS:
            said = f"{complaint}, van {hour}"
            town.post("negative", said, town.clock.now - timedelta(minutes=10 + 60 * hour + town.number % 40))
    town.pass_time(2 * timedelta(minutes=5))
    dossier = town.incidents[0].dossier
    spike = dossier["spike"]
    start, end = (to_ms(datetime.fromisoformat(spike[edge])) for edge in ("window_start", "window_end"))
    mean = ask(
        town,
        f"SELECT sum(300000.0 * fresh / total) / ({end} - {start}) FROM coverage WHERE bin >= {start} AND bin < {end}",
    )
    assert dossier["coverage"] == pytest.approx(float(mean))
    assert dossier["coverage"] < 0.9
