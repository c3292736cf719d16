"""What a command reads and writes. Data goes to stdout and nothing else does; words for a person go to stderr."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import typer

from app.cli.refusal import Refusal

STDIN = "-"


def say(text: str) -> None:
    """A line for the person who looks on."""
    typer.echo(text, err=True)


def put(line: str) -> None:
    """A line of data."""
    typer.echo(line)


def put_json(value: Any) -> None:
    """One JSON value on a line of its own. Always UTF-8, whatever the terminal's encoding."""
    import orjson

    out = typer.get_binary_stream("stdout")
    out.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z))


def put_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """A table for a person at a terminal, JSON lines for a program."""
    if not sys.stdout.isatty():
        for row in rows:
            put_json(row)
        return
    if not rows:
        say("there are none")
        return
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    first, *others = rows[0]
    table = Table(Column(first, no_wrap=True), *others, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    Console().print(table)


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M")
        case list() | tuple():
            return ", ".join(map(str, value)) or "-"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


@contextmanager
def opened(file: str) -> Iterator[BinaryIO]:
    """A file to read, or stdin for `-`. Raises `Refusal` when it cannot be read."""
    if file == STDIN:
        yield typer.get_binary_stream("stdin")
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 - closed below, after the block that may raise something else
    except OSError as error:
        raise Refusal(f"{file}: cannot be read: {error.strerror}") from None
    with stream:
        yield stream


def numbered_lines(file: str) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file without their ends, counted from 1. Raises `Refusal` where one is not UTF-8."""
    for number, raw in numbered_raw_lines(file):
        yield number, text_of(raw, file, number)


def numbered_raw_lines(file: str) -> Iterator[tuple[int, bytes]]:
    """The lines of a file as they are, counted from 1, for who goes on after a bad one."""
    with opened(file) as stream:
        yield from enumerate(_watched(stream, file), start=1)


def text_of(raw: bytes, file: str, number: int) -> str:
    """A line of a UTF-8 file without its end. Raises `Refusal` with its number where it is not UTF-8."""
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise Refusal(f"{file}:{number}: is not UTF-8") from None


def _watched(stream: BinaryIO, file: str) -> Iterable[bytes]:
    # Between lines of data on the same terminal a bar would help nobody.
    return stream if file == STDIN or not looked_on() or sys.stdout.isatty() else _with_bar(stream, file)


def _with_bar(stream: BinaryIO, file: str) -> Iterator[bytes]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(Path(file).name, total=Path(file).stat().st_size or None)
        for line in stream:
            yield line
            progress.advance(task, len(line))


def looked_on() -> bool:
    """A person watches stderr."""
    return sys.stderr.isatty()
