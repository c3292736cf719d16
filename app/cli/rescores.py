"""rescore: mentions that a scorer heard are marked, and heard anew by the scorer that is in force now.

since, until -> doubt -> the service's hear walk, or here and now: hear, hear ... until none waits -> what changed
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from app.cli.languages import load_listening_settings
from app.cli.logs import start_log
from app.cli.paper import looked_on, put_json, put_rows, say
from app.cli.refusal import MISUSED, Refusal
from app.cli.rooms import open_storage_ready
from app.cli.scorers import scorer_at_leisure
from app.clock import utc_now
from app.model import Label
from app.pipeline import Hear
from app.sentiment import Scorer
from app.settings import Settings
from app.storage import Storage

Changed = Counter[tuple[str, Label, Label]]


def rescore(since: str | None, until: str | None, *, now: bool) -> None:
    """Mark what was published in [since, until), and with `now` hear it here. A person's word stays.

    Raises `Refusal` when a moment is none, and what `scorer_at_leisure` raises before anything is marked.
    """
    settings = load_listening_settings()
    start_log(settings, quiet=True)
    first, last = moment("--since", since, settings), moment("--until", until, settings)
    if first and last and first >= last:
        raise Refusal("--since must lie before --until", MISUSED)
    scorer = scorer_at_leisure(settings, None, settings.languages)
    with open_storage_ready(settings) as storage:
        marked = storage.mentions.doubt(first, last, utc_now())
        if now:
            tell(hear_all(storage, scorer))
        else:
            put_json({"marked": marked, "scorer": scorer.id})
            say(f"{marked} mentions are marked: the running service hears them anew; --now does it here")


def moment(option: str, written: str | None, settings: Settings) -> datetime | None:
    """A day or an instant in ISO 8601; without an offset in the installation's time zone. Raises `Refusal`."""
    if written is None:
        return None
    try:
        read = datetime.fromisoformat(written)
    except ValueError:
        raise Refusal(f"{option} {written}: is no moment; write 2026-11-22 or 2026-11-22T18:00", MISUSED) from None
    return (read if read.tzinfo else read.replace(tzinfo=ZoneInfo(settings.time_zone))).astimezone(UTC)


def hear_all(storage: Storage, scorer: Scorer) -> tuple[int, Changed]:
    """Hear whatever waits. Returns how many mentions that were, and what changed."""
    hear, heard, changed = Hear(storage, utc_now, scorer), 0, Changed()
    with _bar(storage.mentions.waiting()) as bar:
        while (report := hear.run()).heard:
            heard += report.heard
            changed += report.changed
            bar.advance(report.heard)
    return heard, changed


def tell(done: tuple[int, Changed]) -> None:
    """What changed, by brand, the most frequent first."""
    heard, changed = done
    by_brand = sorted(changed.items(), key=lambda pair: (pair[0][0], -pair[1]))
    rows = [{"brand": brand, "was": was, "label": label, "mentions": n} for (brand, was, label), n in by_brand]
    if rows:
        put_rows(rows)
    say(f"{heard} mentions were heard anew, and {sum(changed.values())} have another label now")


class Bar(Protocol):
    def advance(self, mentions: int) -> None: ...


class _NoBar:
    def advance(self, mentions: int) -> None:
        pass


@contextmanager
def _bar(total: int) -> Iterator[Bar]:
    """How far it is, on stderr, while a person looks on."""
    if not looked_on():
        yield _NoBar()
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("mentions", total=total)

        class Shown:
            def advance(self, mentions: int) -> None:
                progress.advance(task, mentions)

        yield Shown()
