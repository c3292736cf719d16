"""import and explain on the command line: files as people have them, and why something is a mention or none."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.cli.imports import BATCH, read_time
from app.model import Brand
from app.storage import Storage
from app.storage.records import PutBrand, PutSource, StoredPost
from collectors.base import Source
from tests.app.terminal import Said, avizor, own_place, own_storage

NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with own_place(tmp_path, monkeypatch):
        monkeypatch.setenv("AVIZOR_TONE", "fast")
        yield


@pytest.fixture
def storage() -> Iterator[Storage]:
    with own_storage() as made:
        brand = Brand(0, "lumbre", "Lumbre", "lumbre", time_zone="Europe/Madrid")
        inbox = Source(0, "resenas", "Reseñas", "inbox", brands=("lumbre",))
        made.apply([PutBrand(brand), PutSource(inbox), PutSource(Source(0, "hn", "HN", "hackernews"))], NOW)
        yield made


def bring(text: str | bytes, *options: str, name: str = "posts.csv", to: str = "resenas") -> Said:
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return avizor("import", name, "--source", to, *options)


def stored(storage: Storage) -> list[StoredPost]:
    return sorted(storage.posts.page(limit=500), key=lambda one: one.published_at)


def report(said: Said) -> dict[str, Any]:
    (row,) = said.rows
    assert isinstance(row, dict)
    return row


# ── files as people have them ────────────────────────────────────────────────

EXCEL = (
    "\ufeffID;Título;Texto;Fecha;Autor;Enlace;Idioma;Valoración;Me gusta;Tienda\r\n"
    '1;Frío;"Lumbre, otra vez;\r\nfrío.";22/11/2025 09:30;Ana;https://tienda.example/r/1;es;1;4;Centro\r\n'
    "2;;Bien Lumbre;3/1/2026;;;;5;;Centro\r\n"
)


def test_it_reads_what_a_spanish_excel_writes(storage: Storage) -> None:
    said = bring(EXCEL)
    assert said.status == 0, said.err
    assert (report(said)["stored"], report(said)["mentions"], report(said)["refused"]) == (2, 2, 0)
    first, second = stored(storage)
    assert (first.post.title, first.post.text, first.post.author) == ("Frío", "Lumbre, otra vez;\nfrío.", "Ana")
    assert first.published_at == datetime(2025, 11, 22, 8, 30, tzinfo=UTC)  # Madrid, in winter
    assert second.published_at == datetime(2026, 1, 2, 23, 0, tzinfo=UTC)
    mention = storage.mentions.get("lumbre", first.id)
    assert mention is not None
    assert (mention.rating, mention.engagement, mention.backfill) == (1, {"likes": 4}, True)


def test_it_says_what_it_guessed_what_it_left_out_and_which_time_zone_it_took(storage: Storage) -> None:
    said = bring(EXCEL)
    assert "Título is title, Texto is text, Fecha is published_at" in said.err
    assert "left out: Tienda" in said.err
    assert "times without an offset are taken to be those of Europe/Madrid" in said.err
    assert said.err.endswith("2 stored (2 mentions), 0 known already, 0 refused\n")


@pytest.mark.parametrize(
    "text", [EXCEL, "texto,autor,fecha\nLumbre va bien,Eva,2025-03-01\n", "url,text\nhttps://x.example/1,Lumbre\n"]
)
def test_an_import_twice_stores_once_with_ids_and_without(storage: Storage, text: str) -> None:
    first, again = report(bring(text)), report(bring(text))
    assert (first["known"], again["stored"], again["known"]) == (0, 0, first["stored"])
    assert len(stored(storage)) == first["stored"] > 0


def test_it_reads_json_lines_with_an_engagement_of_their_own(storage: Storage) -> None:
    lines = [
        {"id": 7, "text": "Lumbre", "created_at": "2025-11-22T09:00:00Z", "engagement": {"likes": 2}, "x": None},
        {"id": "8", "text": "Lumbre abre", "created_at": 1764000000, "shares": 3, "rating": 2},
        ["not", "an", "object"],
    ]
    said = bring("\n\n".join(map(json.dumps, lines)) + "\n{", name="posts.jsonl")
    assert (said.status, report(said)["stored"]) == (1, 2)
    assert [(one["line"], one["reason"][:11]) for one in report(said)["refusals"]] == [
        (5, "is no JSON "),
        (6, "is not JSON"),
    ]
    first, second = (storage.mentions.get("lumbre", one.id) for one in stored(storage))
    assert first is not None
    assert second is not None
    assert (first.engagement, second.engagement, second.rating) == ({"likes": 2}, {"shares": 3}, 2)
    assert second.published_at == datetime(2025, 11, 24, 16, 0, tzinfo=UTC)


def test_a_column_is_what_it_is_told_to_be(storage: Storage) -> None:
    text = "Queja,Fecha,Nota interna\nLumbre falla,2025-01-01,no publicar\n"
    assert bring(text).status == 2
    assert bring(text, "--map", "Quejas=text").err.endswith("there is no such column; did you mean Queja?\n")
    assert bring(text, "--map", "Queja=txt").status == 2
    said = bring(text, "--map", "Queja=text", "--map", "Fecha=")
    assert "Queja is text; left out: Fecha, Nota interna" in said.err
    assert report(said)["stored"] == 1


def test_a_bad_row_is_named_with_its_line_and_costs_only_itself(storage: Storage) -> None:
    rows = [
        b"id,text,date,rating",
        b"1,Lumbre,2025-01-01,5",
        b'2,"Lumbre',
        b'dos",ayer,',
        b"3,Lumbre \xe9,2025-01-01,",
        b"4,Lumbre,31/02/2025,",
        b"5,Lumbre,2025-01-01,10",
        b"6,Lumbre,2025-01-01,,,,",
        b"",
        b"7,,2025-01-01,",
        b"8,Lumbre,01/02/2025 11:05 p. m.,",
    ]
    said = bring(b"\n".join(rows))
    assert said.status == 1
    assert [one["line"] for one in report(said)["refusals"]] == [3, 5, 6, 7, 8, 10]
    assert "avizor: posts.csv:3: published_at: is no time that can be read: 'ayer'\n" in said.err
    assert "avizor: posts.csv:5: is not UTF-8\n" in said.err
    assert "avizor: posts.csv:7: rating: must be a whole number from 1 to 5\n" in said.err
    assert report(said)["stored"] == 2


def test_only_the_first_twenty_refused_rows_are_named(storage: Storage) -> None:
    said = bring("id,text\n" + "".join(f"{number},\n" for number in range(50)))
    assert (report(said)["refused"], len(report(said)["refusals"])) == (50, 20)
    assert "30 more rows were refused" in said.err


def test_a_quote_that_never_ends_costs_a_bounded_number_of_rows(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.imports.LONGEST_CELL", 1_000)
    before = csv.field_size_limit()
    said = bring('id,text\nx,"' + "".join(f"{number},Sol número {number}\n" for number in range(200)))
    csv.field_size_limit(before)
    assert (report(said)["refused"], report(said)["stored"] > 100) == (1, True)


def test_a_dry_run_says_what_would_be_and_stores_nothing(storage: Storage) -> None:
    said = bring(EXCEL, "--dry-run")
    assert (report(said)["stored"], report(said)["dry_run"]) == (2, True)
    assert "2 would be stored, 0 known already, 0 refused" in said.err
    assert stored(storage) == []


def test_it_reads_from_stdin_and_tells_json_from_csv_by_its_beginning(storage: Storage) -> None:
    said = avizor("import", "-", "--source", "resenas", stdin='{"id": 1, "text": "Lumbre"}\n')
    assert report(said)["stored"] == 1
    said = avizor("import", "-", "--source", "resenas", stdin="id\ttext\n2\tLumbre\n")
    assert report(said)["stored"] == 1


def test_more_rows_than_one_batch_are_all_stored(storage: Storage) -> None:
    said = bring("id,text\n" + "".join(f"{number},Sol {number}\n" for number in range(2 * BATCH + 1)))
    assert report(said)["stored"] == 2 * BATCH + 1


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize(
    ("text", "to", "status", "words"),
    [
        ("id,text\n1,x\n", "resena", 2, "did you mean resenas?"),
        ("id,text\n1,x\n", "nadie", 2, '[[sources]] with slug = "nadie" and kind = "inbox" in avizor.toml'),
        ("id,text\n1,x\n", "hn", 2, "is of kind hackernews"),
        ("", "resenas", 1, "has no header"),
        ("id,te\rxt\n1,x\n", "resenas", 1, "posts.csv:1: cannot be read as a header: new-line character"),
        (f"id,{'x' * 200_000}\n", "resenas", 1, "posts.csv:1: cannot be read as a header: field larger"),
        ("id,te\rxt\n".encode("utf-16"), "resenas", 1, "posts.csv:1: is not UTF-8"),
    ],
)
def test_it_says_what_to_do_where_it_cannot_begin(text: str | bytes, to: str, status: int, words: str) -> None:
    said = bring(text, to=to)
    assert (said.status, said.out) == (status, "")
    assert words in said.err


@pytest.mark.parametrize(
    ("written", "hour"),
    [
        ("2026-07-01", "2026-06-30T22:00"),
        ("2026-07-01 10:00:30", "2026-07-01T08:00"),
        ("2026-07-01T10:00:00Z", "2026-07-01T10:00"),
        ("1/7/2026", "2026-06-30T22:00"),
        ("1/7/26 9:30", "2026-07-01T07:30"),
        ("01-07-2026, 9:05 pm", "2026-07-01T19:05"),
        ("1.7.2026 12:00 a. m.", "2026-06-30T22:00"),
        ("1/7/2026 9:30:15,123", "2026-07-01T07:30"),
        ("2026/07/01 09:30", "2026-07-01T07:30"),
        ("2026-7-1 9:30", "2026-07-01T07:30"),
        ("01/01/0001", "0001-01-01T00:14"),
        ("Wed, 01 Jul 2026 10:00:00 GMT", "2026-07-01T10:00"),
        ("1782900000", "2026-07-01T10:00"),
    ],
)
def test_a_time_is_iso_or_day_first_and_in_the_zone_that_was_said(written: str, hour: str) -> None:
    assert read_time(written, ZoneInfo("Europe/Madrid")).isoformat().startswith(hour)


# ── explain ──────────────────────────────────────────────────────────────────


def test_it_explains_an_address_and_a_text(storage: Storage) -> None:
    bring("id,text,url\n1,Lumbre abre,https://tienda.example/r/1\n")
    (found,) = avizor("explain", "https://tienda.example/r/1?utm_source=x", "--json").rows
    assert [cause["code"] for cause in found["answers"][0]["causes"]] == ["mention", "backfill"]
    assert found["posts"][0]["source"] == "resenas"
    (found,) = avizor("explain", "Hoy llueve", "--brand", "lumbre").rows
    assert [cause["code"] for cause in found["answers"][0]["causes"]] == ["no_match", "not_stored"]


def test_a_person_reads_lines_that_cannot_act(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.explains.looked_at", lambda: True)
    said = avizor("explain", "lumbre")
    assert said.out.startswith("\nlumbre: not a mention\n  would_match: The query of lumbre matches this text;")
    bring("id,text,url\n1,Lumbre abre,https://tienda.example/r/1\n")
    assert (
        avizor("explain", "https://tienda.example/r/1")
        .out.splitlines()[0]
        .startswith("stored: https://tienda.example/r/1")
    )


@pytest.mark.usefixtures("storage")
def test_it_says_which_brands_there_are(storage: Storage) -> None:
    assert avizor("explain", " ").err == "avizor: give an address or a text\n"
    said = avizor("explain", "x", "--brand", "lumbr")
    assert (said.status, said.err) == (2, "avizor: there is no brand lumbr; did you mean lumbre?\n")
    assert avizor("explain", "https://").status == 2
