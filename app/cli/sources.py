"""Sources: what there is and how well it is, what a page offers, and lists of feeds in and out."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime

from pydantic import ValidationError

from app.cli.paper import opened, put_rows, say
from app.cli.refusal import MISUSED, Refusal
from app.cli.rooms import open_storage_ready
from app.clock import utc_now
from app.config.spec import SourceSpec, slugify
from app.main import make_client
from app.settings import Settings, load_settings
from app.storage import Storage
from app.storage.records import PutSource
from collectors import COLLECTORS
from collectors.base import CollectError, Source
from collectors.discover import Suggestion, known, named, search_feed
from collectors.due import health
from collectors.fetch import fetch
from collectors.opml import Listed, read_opml, write_opml
from collectors.sandbox import Sandbox

PARSE_S = 10.0


def show() -> None:
    """Every source and its health."""
    with open_storage_ready(load_settings()) as storage:
        put_rows([_row(source, utc_now()) for source in storage.sources.all()])


def add(address: str, brands: Sequence[str], name: str | None, word: str | None, *, dry_run: bool) -> None:
    """Make a source of the best that an address offers, and print it; the others are said. Raises `Refusal`."""
    settings = load_settings()
    with open_storage_ready(settings) as storage:
        _check_brands(storage, brands)
        best, *others = _offers(settings, address, word)
        if best.needs_secret:
            raise Refusal(
                f"{best.name}: {best.why}. Put it into avizor.toml with its secret: docs/sources.md, `{best.kind}`"
            )
        source = _source(best, name or best.name, brands, storage.sources.all(include_archived=True))
        if not dry_run:
            storage.apply([PutSource(source)], utc_now())
        put_rows([{"slug": source.slug, "kind": source.kind, "name": source.name, "url": source.url, "why": best.why}])
        for other in others:
            say(f"also there: {other.kind} {other.url or dict(other.settings)} ({other.why})")


def import_list(file: str, brands: Sequence[str]) -> None:
    """Make a source of every feed on an OPML list that is not there yet. Raises `Refusal`."""
    with opened(file) as stream:
        content = stream.read()
    try:
        feeds = read_opml(content)
    except ValueError as error:
        raise Refusal(f"{file} cannot be read as a list of feeds: {error}") from None
    with open_storage_ready(load_settings()) as storage:
        _check_brands(storage, brands)
        there = storage.sources.all(include_archived=True)
        new: list[Source] = []
        for feed in feeds:
            if any(feed.url == source.url and source.enabled for source in there):
                say(f"already there: {feed.url}")
                continue
            try:
                new.append(_source(Suggestion("rss", feed.name, feed.url), feed.name, brands, [*there, *new]))
            except Refusal as error:
                say(f"left out: {feed.name}: {error}")
        storage.apply([PutSource(source) for source in new], utc_now())
        put_rows([{"slug": source.slug, "name": source.name, "url": source.url} for source in new])


def export_list() -> None:
    """Print every feed as an OPML list."""
    with open_storage_ready(load_settings()) as storage:
        feeds = [
            Listed(source.name, source.url) for source in storage.sources.all() if source.kind == "rss" and source.url
        ]
    print(write_opml("Avizor", feeds), end="")  # noqa: T201 - data goes to stdout


def _offers(settings: Settings, address: str, word: str | None) -> list[Suggestion]:
    try:
        if word:
            return [search_feed(address, word)]
        return known(address) or asyncio.run(_looked_up(settings, address))
    except ValueError as error:
        raise Refusal(f"{address}: {error}", MISUSED) from None
    except CollectError as error:
        raise Refusal(f"{address}: {error.message}") from None


async def _looked_up(settings: Settings, address: str) -> list[Suggestion]:
    """Ask the page itself: it is a feed, or it names what can be listened to."""
    page = Source(0, "page", address, "rss", url=address)
    with closing(Sandbox(workers=1, timeout_s=PARSE_S)) as sandbox:
        async with make_client(settings) as http:
            response = await fetch(http, COLLECTORS["rss"].request(page, utc_now()), page, full=True)
        try:
            read = await sandbox.parse(page, response)
        except CollectError as error:
            offered = named(str(response.url), response.text)
            if not offered:
                raise CollectError(error.code, f"It is no feed, and its page names none. {error.message}") from None
            return offered
    return [Suggestion("rss", read.title or address, str(response.url), why=f"a feed of {len(read.posts)} items")]


def _source(suggestion: Suggestion, name: str, brands: Sequence[str], there: Sequence[Source]) -> Source:
    """As a source with a slug of its own. Raises `Refusal` where it is there already, or cannot be."""
    for source in there:
        same = (source.kind, source.url, dict(source.settings)) == (
            *(suggestion.kind, suggestion.url),
            dict(suggestion.settings),
        )
        if same and source.enabled:
            raise Refusal(f"it is there already: {source.slug}")
    taken = {source.slug for source in there}
    stem = slugify(name) or suggestion.kind
    slug = next(one for one in (stem, *(f"{stem}-{number}" for number in range(2, len(taken) + 3))) if one not in taken)
    try:
        spec = SourceSpec(
            name=name,
            slug=slug,
            kind=suggestion.kind,
            url=suggestion.url,
            settings=dict(suggestion.settings),
            brands=tuple(brands),
            language=suggestion.language,
        )
    except ValidationError as error:
        raise Refusal(
            "; ".join(str(one["msg"]).removeprefix("Value error, ") for one in error.errors()), MISUSED
        ) from None
    return spec.to_source("api")


def _check_brands(storage: Storage, brands: Sequence[str]) -> None:
    unknown = set(brands) - {brand.slug for brand in storage.brands.all()}
    if unknown:
        raise Refusal(f"there is no brand {', '.join(sorted(unknown))}", MISUSED)


def _row(source: Source, now: datetime) -> dict[str, object]:
    return {
        "slug": source.slug,
        "kind": source.kind,
        "state": health(source, now),
        "last_ok_at": source.last_ok_at and source.last_ok_at.isoformat(timespec="seconds"),
        "last_item_at": source.last_item_at and source.last_item_at.isoformat(timespec="seconds"),
        "next_due_at": source.next_due_at and source.next_due_at.isoformat(timespec="seconds"),
        "last_error": source.last_error,
        "url": source.url,
    }
