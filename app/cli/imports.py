"""import: what another program wrote down, as posts of an inbox. A CSV or JSON Lines file, of any length.

    lines | records | columns -> fields, guessed or told | times in a zone that was said | 200 at a time
                                      > posts, mentions, volumes (`app.pipeline.inbox`) -> what became of them, in sum

Whatever is imported is history: it teaches, and never alerts.
"""

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, Literal
from zoneinfo import ZoneInfo

import orjson

from app.cli.languages import load_listening_settings
from app.cli.logs import start_log
from app.cli.paper import harmless, lines_as_they_come, put_json, say
from app.cli.refusal import MISUSED, Refusal
from app.cli.rooms import open_storage_ready
from app.cli.scorers import scorer_at_leisure
from app.clock import utc_now
from app.config_file import likely
from app.pipeline.inbox import Inbox
from app.settings import Settings
from app.storage import Storage
from collectors.base import Source
from collectors.dates import read_date
from collectors.inbox import ENGAGEMENT, content_id
from collectors.inbox import Inbox as Kind

Format = Literal["csv", "jsonl"]

BATCH = 200  # rows read and stored at a time
NAMED = 20  # refused rows that are named one by one
LONGEST_CELL = 131_072  # characters; the CSV reader's own limit, so that a quote that never ends costs no more
TARGETS = (
    *("id", "text", "title", "url", "author", "published_at", "edited_at", "language", "rating", "reach"),
    *ENGAGEMENT,
)

# What columns are called in exports, without accents and signs, parted by a comma.
_NAMES: Mapping[str, str] = {
    "id": "id,post id,tweet id,review id,comment id,guid,identificador,codigo",
    "text": "text,texto,full text,body,cuerpo,content,contenido,message,mensaje,comment,comentario,review,resena,"
    "opinion,tweet,description,descripcion,caption,snippet,extracto",
    "title": "title,titulo,titular,headline,subject,asunto",
    "url": "url,link,enlace,permalink,href,direccion",
    "author": "author,autor,user,usuario,username,user name,nombre de usuario,screen name,account,cuenta,from",
    "published_at": "published at,published,publicado,date,fecha,created at,created,creado,time,timestamp,datetime,"
    "fecha y hora,fecha de publicacion,publication date,pubdate",
    "edited_at": "edited at,edited,editado,updated at,updated,actualizado,fecha de edicion",
    "language": "language,lang,idioma,lengua",
    "rating": "rating,stars,estrellas,valoracion,puntuacion,calificacion,nota",
    "reach": "reach,alcance,followers,seguidores,audience,audiencia",
    "likes": "likes,like count,me gusta,favorites,favourites,favoritos",
    "shares": "shares,share count,retweets,reposts,compartidos,veces compartido",
    "replies": "replies,reply count,respuestas,comments,comment count,comentarios",
    "views": "views,view count,impressions,impresiones,visualizaciones,vistas,reproducciones",
    "quotes": "quotes,quote count,citas",
}
_GUESSES = {name: target for target, names in _NAMES.items() for name in names.split(",")}
_BOM = b"\xef\xbb\xbf"
_HOUR = r"(?:[ ,T]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?)?(?:\s*([ap])\.?\s?m\.?)?"
_DAY_FIRST = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d{2})" + _HOUR, re.IGNORECASE)
_YEAR_FIRST = re.compile(r"(\d{4})[/.-](\d{1,2})[/.-](\d{1,2})" + _HOUR, re.IGNORECASE)


@dataclass(slots=True)
class ImportReport:
    """What an import did. `refusals` are the first of those, with the line where their row begins."""

    source: str
    stored: int = 0
    known: int = 0
    edited: int = 0
    refused: int = 0
    mentions: int = 0
    dry_run: bool = False
    refusals: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """A record of the file: where it begins, its columns, or what is wrong with it."""

    line: int
    cells: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""


def import_file(file: str, slug: str, maps: Sequence[str], format: Format | None, *, dry_run: bool) -> bool:
    """Read the file into the inbox. False where a row was refused. Raises `Refusal` for what cannot be begun."""
    settings = load_listening_settings()
    start_log(settings, quiet=True)
    told = read_maps(maps)
    with open_storage_ready(settings) as storage:
        source = inbox_of(storage, slug)
        zone = zone_of(storage, source, settings)
        inbox = Inbox(storage, settings.languages, scorer_at_leisure(settings, None, settings.languages))
        columns = Columns(told)
        report = ImportReport(slug, dry_run=dry_run)
        for batch in batches(rows_of(file, format)):
            if columns.settle(batch):
                say(columns.in_words())
                say(f"times without an offset are taken to be those of {zone.key}")
            take(inbox, source, columns, zone, batch, report)
    put_json(report)
    tell(report, file)
    return not report.refused


def take(
    inbox: Inbox, source: Source, columns: "Columns", zone: ZoneInfo, batch: Sequence[Row], report: ImportReport
) -> None:
    """Store one batch, or only look at it, and add what became of it to the report."""
    items: list[tuple[Row, Any]] = []
    refused: list[tuple[int, str]] = []
    for row in batch:
        try:
            if row.fault:
                raise ValueError(row.fault)
            items.append((row, item_of(columns.pick(row.cells), zone)))
        except ValueError as error:
            refused.append((row.line, str(error)))
    given = [item for _, item in items]
    taken = inbox.look(source, given) if report.dry_run else inbox.take(source, given, utc_now(), history=True)
    for (row, _), one in zip(items, taken, strict=True):
        if one.result == "refused":
            refused.append((row.line, f"{one.field}: {one.reason}".removeprefix(": ")))
        report.stored += one.result == "stored"
        report.known += one.result == "known"
        report.edited += one.result == "edited"
        report.mentions += len(one.mentions) if one.result == "stored" else 0
    report.refused += len(refused)
    named = sorted(refused)[: NAMED - len(report.refusals)]
    report.refusals += [{"line": line, "reason": harmless(reason)} for line, reason in named]


def tell(report: ImportReport, file: str) -> None:
    """The same for a person."""
    for one in report.refusals:
        say(f"avizor: {file}:{one['line']}: {one['reason']}")
    if report.refused > NAMED:
        say(f"avizor: {file}: {report.refused - NAMED} more rows were refused")
    would = "would be " if report.dry_run else ""
    edited = f", {report.edited} had other words" if report.edited else ""
    mentions = "" if report.dry_run else f" ({report.mentions} mentions)"
    say(f"{report.stored} {would}stored{mentions}, {report.known} known already{edited}, {report.refused} refused")


# ── where to, and when ───────────────────────────────────────────────────────


def inbox_of(storage: Storage, slug: str) -> Source:
    """Raises `Refusal`, which says how an inbox is made."""
    source = storage.sources.get(slug)
    if source is None:
        near = likely(slug, [one.slug for one in storage.sources.all() if one.kind == Kind.kind])
        raise Refusal(
            f"there is no source {slug}"
            + (f"; did you mean {near}?" if near else "")
            + f'\nmake it first: [[sources]] with slug = "{slug}" and kind = "inbox" in avizor.toml, then avizor apply',
            MISUSED,
        )
    if source.kind != Kind.kind:
        raise Refusal(f"the source {slug} is of kind {source.kind}, which is asked; only an inbox is told", MISUSED)
    if not source.enabled:
        raise Refusal(f"the source {slug} is not enabled, so it is told nothing")
    return source


def zone_of(storage: Storage, source: Source, settings: Settings) -> ZoneInfo:
    """The time zone of the one brand that the source feeds, else the installation's."""
    brand = storage.brands.get(source.brands[0]) if len(source.brands) == 1 else None
    return ZoneInfo(brand.time_zone if brand else settings.time_zone)


def read_time(written: str, zone: ZoneInfo) -> datetime:
    """ISO 8601, day before month, or year first; without an offset in `zone`. Else as feeds write it. Raises
    `ValueError`.
    """
    written = written.strip()
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        day_first, found = True, _DAY_FIRST.fullmatch(written)
        if found is None:
            day_first, found = False, _YEAR_FIRST.fullmatch(written)
        if found is None:
            written_out = read_date(written)
            if written_out is None:
                raise ValueError(f"is no time that can be read: {written[:40]!r}") from None
            return written_out
        one, month, other, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
        day, year = (one, other) if day_first else (other, one)
        if day_first and len(found.group(3)) == 2:
            year += 2000
        half = (found.group(7) or "").lower()
        hour = hour % 12 + (12 if half == "p" else 0) if half else hour
        at = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - see below
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


# ── columns ──────────────────────────────────────────────────────────────────


def read_maps(maps: Sequence[str]) -> dict[str, str]:
    """`column=field` of the options, by column; the field may be empty: the column is left out. Raises `Refusal`."""
    told = {}
    for one in maps:
        column, sign, target = one.rpartition("=")
        if not sign or (target and target not in TARGETS):
            near = likely(target, TARGETS)
            raise Refusal(
                f"--map {one}: write column=field, the field being one of {', '.join(TARGETS)}"
                + (f"; did you mean {near}?" if near else ""),
                MISUSED,
            )
        told[column] = target
    return told


class Columns:
    """Which column is which field of a post."""

    def __init__(self, told: Mapping[str, str]) -> None:
        self._told = dict(told)
        self._fields: dict[str, str] = {}
        self._left: list[str] = []
        self._settled = False

    def settle(self, batch: Sequence[Row]) -> bool:
        """By the columns of the first rows that can be read: what was told, else what such columns are called.

        True when it was settled now. Raises `Refusal`.
        """
        names = list(dict.fromkeys(column for row in batch for column in row.cells))
        if self._settled or not names:
            return False
        missing = [column for column in self._told if column not in names]
        if missing:
            near = likely(missing[0], names)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(names)}"
            raise Refusal(harmless(f"--map {missing[0]}: there is no such column; {hint}"), MISUSED)
        self._fields = {column: target for column, target in self._told.items() if target}
        for column in names:
            target = "engagement" if column == "engagement" else _GUESSES.get(_folded(column))
            if target and column not in self._told and target not in self._fields.values():
                self._fields[column] = target
        if not {"text", "title"} & set(self._fields.values()):
            told = f"no column is known to be the text; say which with --map COLUMN=text: {', '.join(names)}"
            raise Refusal(harmless(told), MISUSED)
        self._left = [column for column in names if column not in self._fields]
        self._settled = True
        return True

    def in_words(self) -> str:
        taken = ", ".join(f"{column} is {target}" for column, target in self._fields.items())
        left = f"; left out: {', '.join(self._left)}" if self._left else ""
        return harmless(f"columns: {taken}{left}")

    def pick(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        """A record's fields that say something."""
        picked = {target: cells.get(column) for column, target in self._fields.items()}
        return {target: value for target, value in picked.items() if value is not None and value != ""}


def item_of(fields: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """A record as an inbox takes it. Raises `ValueError`."""
    item = {name: _value(name, value, zone) for name, value in fields.items()}
    counted = {name: item.pop(name) for name in ENGAGEMENT if name in item}
    whole = item.get("engagement", {})
    if counted and isinstance(whole, dict):
        item["engagement"] = {**whole, **counted}
    return item if "id" in item else {**item, "id": content_id(item)}


def _value(name: str, value: Any, zone: ZoneInfo) -> Any:
    if name in ("published_at", "edited_at"):
        try:
            return read_time(str(value), zone)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{name}: {error}") from None
    if name in ("rating", "reach", *ENGAGEMENT):
        return int(value) if isinstance(value, str) and value.strip().isdecimal() and len(value) < 18 else value
    return str(value) if isinstance(value, int | float) else value


def _folded(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.lower())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(re.split(r"[^a-z0-9]+", plain)).strip()


# ── records ──────────────────────────────────────────────────────────────────


def rows_of(file: str, format: Format | None) -> Iterator[Row]:
    """The file's records. Without a format it is told by the file's name, else by how it begins. Raises `Refusal`."""
    lines = (line for some in lines_as_they_come(file) for line in some)
    first = next(lines, b"")
    whole = chain((first,), lines)
    begins_as_json = first.removeprefix(_BOM).lstrip().startswith(b"{")
    if format == "jsonl" or (format is None and (file.endswith((".jsonl", ".ndjson")) or begins_as_json)):
        return json_rows(whole)
    return csv_rows(whole, file)


def batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def json_rows(lines: Iterable[bytes]) -> Iterator[Row]:
    for number, raw in enumerate(lines, start=1):
        line = raw.removeprefix(_BOM) if number == 1 else raw
        if not line.strip():
            continue
        try:
            cells = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield Row(number, fault=f"is not JSON: {error.msg}")
            continue
        yield Row(number, cells) if isinstance(cells, dict) else Row(number, fault="is no JSON object")


def csv_rows(lines: Iterable[bytes], file: str) -> Iterator[Row]:
    """Records of a CSV file: what parts its cells is told by its first line, the header. Raises `Refusal`."""
    reading = _Decoded(lines)
    first = next(reading, "")
    if reading.broken:
        raise Refusal(f"{file}:1: is not UTF-8: save it as “CSV UTF-8”")
    csv.field_size_limit(LONGEST_CELL)
    try:
        separator = max(",;\t|", key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))
        header = [name.strip() for name in next(csv.reader([first], delimiter=separator), [])]
    except csv.Error as error:
        raise Refusal(f"{file}:1: cannot be read as a header: {error}") from None
    if not any(header):
        raise Refusal(f"{file}: has no header: its first line must name the columns")
    records = csv.reader(reading, delimiter=separator, strict=False)
    while True:
        begins = reading.number + 1
        reading.broken = False
        try:
            cells = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(begins, fault=f"cannot be read: {error}")
            continue
        if reading.broken:
            yield Row(begins, fault="is not UTF-8")
        elif len(cells) > len(header):
            yield Row(begins, fault=f"has {len(cells)} cells, and the header {len(header)}")
        elif any(cell.strip() for cell in cells):
            yield Row(begins, dict(zip(header, cells, strict=False)))


class _Decoded:
    """Lines as text with their ends, counted; `broken`: one of them was not UTF-8."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self.number = 0
        self.broken = False

    def __iter__(self) -> "_Decoded":
        return self

    def __next__(self) -> str:
        raw = next(self._lines)
        self.number += 1
        try:
            return raw.decode("utf-8-sig" if self.number == 1 else "utf-8").replace("\0", "") + "\n"
        except UnicodeDecodeError:
            self.broken = True
            return raw.decode(errors="replace").replace("\0", "") + "\n"
