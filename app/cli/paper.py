"""What a command reads and writes. Data goes to stdout and nothing else does; words for a person go to stderr."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

import typer

from app.cli.refusal import Refusal

STDIN = "-"

CHUNK = 262_144  # bytes read at a time
LONGEST = 1_048_576  # bytes kept of one line

# What would steer a terminal, or turn the reading direction of what follows.
_STEERING = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (
        *range(0x20),
        *range(0x7F, 0xA0),
        0x061C,
        0x200E,
        0x200F,
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    )
    if code not in (0x09, 0x0A)
}


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


def put_json_at_once(values: Iterable[Any]) -> None:
    """JSON values, one a line, on their way to the reader before the next are made."""
    for value in values:
        put_json(value)
    typer.get_binary_stream("stdout").flush()


def put_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """A table for a person at a terminal, JSON lines for a program."""
    if not looked_at():
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


def harmless(text: str) -> str:
    """What somebody else wrote, as it may be shown at a terminal: nothing in it acts. Line ends and tabs stay."""
    return text.translate(_STEERING)


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
def opened(file: str) -> Iterator[BufferedReader]:
    """A file to read, or stdin for `-`. Raises `Refusal` when it cannot be read."""
    if file == STDIN:
        yield cast(BufferedReader, typer.get_binary_stream("stdin"))
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 - closed below, after the block that may raise something else
    except OSError as error:
        raise Refusal(f"{file}: cannot be read: {error.strerror}") from None
    with stream:
        yield stream


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


def lines_as_they_come(file: str) -> Iterator[list[bytes]]:
    """The lines that each read completes, as soon as they are there: no line waits for the one after it.

    Only a line feed ends a line; it is left out. A longer line is cut one byte after `LONGEST`, which tells.
    """
    with opened(file) as stream:
        line = bytearray()
        for chunk in _watched(iter(partial(stream.read1, CHUNK), b""), file):
            first, *others = chunk.split(b"\n")
            line += first[: LONGEST + 1 - len(line)]
            if others:
                yield [bytes(line), *others[:-1]]
                line = bytearray(others[-1])
        if line:
            yield [bytes(line)]


def _watched(parts: Iterable[bytes], file: str) -> Iterable[bytes]:
    # Between lines of data on the same terminal a bar would help nobody.
    return parts if file == STDIN or not looked_on() or looked_at() else _with_bar(parts, file)


def _with_bar(parts: Iterable[bytes], file: str) -> Iterator[bytes]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(Path(file).name, total=Path(file).stat().st_size or None)
        for part in parts:
            yield part
            progress.advance(task, len(part))


def looked_at() -> bool:
    """A person reads stdout."""
    return sys.stdout.isatty()


def looked_on() -> bool:
    """A person watches stderr."""
    return sys.stderr.isatty()
