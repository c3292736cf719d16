"""avizor, the command line: the service, and every step of it by hand.

Data goes to stdout, words for a person to stderr. The exit status is 0 done, 1 failed or 2 asked wrongly.
The rooms are imported inside the commands, so that `avizor --help` answers at once.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from app.cli.detects import detect
from app.cli.refusal import FAILED, told

FileName = Annotated[str, typer.Argument(metavar="FILE", help="The file to read; - is stdin.", show_default=False)]

commands = typer.Typer(
    name="avizor",
    help="Hears what is said about a brand, and wakes the right person when it turns.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
train_commands = typer.Typer(help="Teach the scorer.", no_args_is_help=True)
key_commands = typer.Typer(help="Keys of the API.", no_args_is_help=True)
channel_commands = typer.Typer(help="Where alerts go.", no_args_is_help=True)
source_commands = typer.Typer(help="Where to listen.", no_args_is_help=True)
commands.add_typer(train_commands, name="train")
commands.add_typer(key_commands, name="keys")
commands.add_typer(channel_commands, name="channels")
commands.add_typer(source_commands, name="sources")

Brands = Annotated[
    list[str] | None, typer.Option("--brand", help="A brand that it is read for; repeatable. Default: all.")
]


def main() -> None:
    commands(prog_name="avizor")


# ── the service ──────────────────────────────────────────────────────────────


@commands.command()
@told
def serve(
    init: Annotated[bool, typer.Option("--init", help="Write an avizor.toml first, unless there is one.")] = False,
    migrate: Annotated[bool, typer.Option("--migrate", help="Bring the database to this version first.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Apply avizor.toml first, if it is there.")] = False,
) -> None:
    """Run scheduler, API and pages until stopped."""
    from app.cli import service

    service.serve(init=init, migrate=migrate, apply=apply)


@commands.command("demo")
@told
def play(
    stay: Annotated[
        bool, typer.Option("--stay", help="Keep the pages up until Ctrl-C, as it does at a terminal anyway.")
    ] = False,
) -> None:
    """Play an invented brand's crisis through the real service, in three minutes. Needs no network, keeps nothing."""
    from app.cli import demo

    demo.demo(stay=stay)


@commands.command()
@told
def migrate() -> None:
    """Bring the database to the tables of this version."""
    from app.cli import rooms

    rooms.migrate()


# ── the configuration ────────────────────────────────────────────────────────


@commands.command()
@told
def init() -> None:
    """Write an avizor.toml to start from, unless there is one."""
    from app.cli import configuration

    configuration.init()


@commands.command()
@told
def plan() -> None:
    """Print what applying avizor.toml would change. Changes nothing."""
    from app.cli import configuration

    configuration.plan()


@commands.command()
@told
def apply() -> None:
    """Make what is stored what avizor.toml says, all of it or nothing."""
    from app.cli import configuration

    configuration.apply()


# ── the walks ────────────────────────────────────────────────────────────────


@commands.command()
@told
def collect() -> None:
    """Ask every source that is due, once, and store what it says."""
    from app.cli import walks

    _exit(walks.collect())


@commands.command()
@told
def revisit() -> None:
    """Ask what became of every mention that is due: what it counts now, was it edited, was it taken back."""
    from app.cli import walks

    _exit(walks.revisit())


@commands.command()
@told
def watch() -> None:
    """Judge every brand that is due, once: open, escalate or resolve its incident."""
    from app.cli import walks

    _exit(walks.watch())


@commands.command()
@told
def tend() -> None:
    """Tell of sources that are not heard, and of those that are heard again: what nobody was told of yet."""
    from app.cli import walks

    _exit(walks.tend())


@commands.command()
@told
def deliver() -> None:
    """Send every alert that is due, once."""
    from app.cli import walks

    _exit(walks.deliver())


# ── the steps, on plain files ────────────────────────────────────────────────


@commands.command()
@told
def parse(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="The kind of source, such as rss.", show_default=False)],
    file: FileName,
    url: Annotated[str, typer.Option(help="Where the answer came from.")] = "https://example.org/",
    content_type: Annotated[str | None, typer.Option(help="What the server called it; by default guessed.")] = None,
) -> None:
    """Read a saved answer of a source. Prints one Post a line, as JSON."""
    from app.cli import answers

    answers.parse(kind, file, url, content_type)


@commands.command()
@told
def match(file: FileName) -> None:
    """Try the queries of avizor.toml on Posts, one a line as JSON. Prints each with the brands that it mentions."""
    from app.cli import matches

    _exit(matches.match(file))


@commands.command()
@told
def score(
    given: Annotated[
        str | None,
        typer.Argument(metavar="TEXT|FILE", help="A text; or a file with one text a line; - is stdin."),
    ] = None,
    text: Annotated[str | None, typer.Option(help="A text, also where there is a file of that name.")] = None,
    file: Annotated[str | None, typer.Option(help="A file; it fails where there is none.")] = None,
    language: Annotated[str | None, typer.Option(help="The language of every text; by default found.")] = None,
    tier: Annotated[
        Literal["fast", "quality"] | None, typer.Option(help="Who listens; by default as the service does.")
    ] = None,
) -> None:
    """Hear the tone of a text, and show it. Of a file: one Sentiment a line, as JSON, in the same order."""
    from app.cli import scores

    scores.score(given, text, file, language, tier)


# ── in from outside, and why not ─────────────────────────────────────────────


@commands.command("import")
@told
def import_file(
    file: FileName,
    source: Annotated[str, typer.Option(metavar="SLUG", help="The inbox that is told.", show_default=False)],
    map: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=FIELD", help="What a column is; repeatable. By default by its name."),
    ] = None,
    format: Annotated[
        Literal["csv", "jsonl"] | None, typer.Option(help="By default as the file's name, or its beginning, says.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be stored. Stores nothing.")] = False,
) -> None:
    """Read posts from a CSV or JSON Lines file into an inbox. They are history: they teach, and never alert."""
    from app.cli import imports

    _exit(imports.import_file(file, source, tuple(map or ()), format, dry_run=dry_run))


@commands.command()
@told
def explain(
    asked: Annotated[str, typer.Argument(metavar="URL|TEXT", help="An address, or a text.", show_default=False)],
    brand: Annotated[str | None, typer.Option(help="A brand; by default every one.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say why a post is a mention of a brand, or why it is none."""
    from app.cli import explains

    explains.explain(asked, brand, as_json=json)


# ── what was heard, again ────────────────────────────────────────────────────


@commands.command()
@told
def rescore(
    since: Annotated[str | None, typer.Option(help="Published then or later, such as 2026-11-22.")] = None,
    until: Annotated[str | None, typer.Option(help="Published before then.")] = None,
    now: Annotated[bool, typer.Option("--now", help="Hear them here, and print what changed.")] = False,
) -> None:
    """Have stored mentions heard anew by the present scorer. What a person has said of their tone stays."""
    from app.cli import rescores

    rescores.rescore(since, until, now=now)


@train_commands.command("corrections")
@told
def train_corrections(
    brand: Annotated[str | None, typer.Option(help="Learn from this brand's corrections only.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the proposal goes; by default the data folder.")
    ] = None,
    words: Annotated[bool, typer.Option("--words", help="Learn single words too, from 500 corrections on.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Put it in force, after a question.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Learn from people's corrections of tones: print what that would change, and propose it. Applies nothing."""
    from app.cli import train

    train.corrections(brand, out, words=words, apply=apply, yes=yes)


commands.command()(told(detect))


# ── what was decided, again ──────────────────────────────────────────────────


@commands.command()
@told
def backtest(
    since: Annotated[str, typer.Option(help="From when on, such as 2026-10-01.", show_default=False)],
    until: Annotated[str | None, typer.Option(help="Up to when; by default now.")] = None,
    brand: Annotated[list[str] | None, typer.Option(help="A brand; repeatable. Default: all.")] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="A TOML file with false_warnings_per_month; twice: side by side."),
    ] = None,
    marked: Annotated[
        str | None, typer.Option(metavar="FILE", help="A CSV file of what mattered: brand,since,until,name.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Replay the stored history: who would have been woken, when, and what would have been missed."""
    from app.cli import backtests

    backtests.backtest(tuple(brand or ()), tuple(policy or ()), since, until, marked, as_json=json)


@commands.command()
@told
def verify(
    incident_id: Annotated[str, typer.Argument(metavar="ID", help="The incident.", show_default=False)],
    seq: Annotated[
        int | None, typer.Option(min=1, help="The event whose dossier is meant: an opening or an escalation.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Have every number of an incident again from the stored rows. Exit status 1 where one is not equal."""
    from app.cli import verifies

    _exit(verifies.verify_incident(incident_id, seq, as_json=json))


# ── keys and channels ────────────────────────────────────────────────────────


@key_commands.command("create")
@told
def create_key(
    name: Annotated[str, typer.Argument(help="Whose it is, or what for.", show_default=False)],
    role: Annotated[
        Literal["viewer", "responder", "admin"], typer.Option(help="What it may do: read, act on incidents, or all.")
    ] = "viewer",
    brand: Annotated[list[str] | None, typer.Option(help="A brand that it covers; repeatable. Default: all.")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="How long it lives. Default: until revoked.")] = None,
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    from app.cli import keys

    keys.create(name, role, tuple(brand or ()), days)


@key_commands.command("list")
@told
def list_keys() -> None:
    """Every key, without the key itself."""
    from app.cli import keys

    keys.show()


@key_commands.command("revoke")
@told
def revoke_key(key_id: Annotated[str, typer.Argument(metavar="ID", show_default=False)]) -> None:
    """Make a key useless, at once and for good."""
    from app.cli import keys

    keys.revoke(key_id)


@source_commands.command("list")
@told
def list_sources() -> None:
    """Every source, and how well it is."""
    from app.cli import sources

    sources.show()


@source_commands.command("add")
@told
def add_source(
    url: Annotated[str, typer.Argument(metavar="URL", help="Any page, or a feed.", show_default=False)],
    brand: Brands = None,
    name: Annotated[str | None, typer.Option(help="What people call it; by default as it calls itself.")] = None,
    search: Annotated[
        str | None, typer.Option(metavar="WORD", help="A WordPress site's own search for this word, as a feed.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be added. Adds nothing.")] = False,
) -> None:
    """Find what can be listened to at an address (a feed, a tag, a forum, an app's reviews), and add the best of it."""
    from app.cli import sources

    sources.add(url, tuple(brand or ()), name, search, dry_run=dry_run)


@source_commands.command("import")
@told
def import_sources(file: FileName, brand: Brands = None) -> None:
    """Add every feed of an OPML list, as other readers export it, that is not there yet."""
    from app.cli import sources

    sources.import_list(file, tuple(brand or ()))


@source_commands.command("export")
@told
def export_sources() -> None:
    """Print the feeds as an OPML list."""
    from app.cli import sources

    sources.export_list()


@channel_commands.command("list")
@told
def list_channels() -> None:
    """Every channel, without its secrets."""
    from app.cli import channels

    channels.show()


@channel_commands.command("test")
@told
def test_channel(name: Annotated[str, typer.Argument(metavar="NAME", help="The channel's slug.")]) -> None:
    """Send a test, marked as one, and say whether it arrived."""
    from app.cli import channels

    channels.test(name)


def _exit(done: bool) -> None:
    if not done:
        raise typer.Exit(FAILED)
