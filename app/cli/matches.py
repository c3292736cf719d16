"""match: Posts in, one a line; the same out, with the brands of avizor.toml whose queries they match, and where."""

from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlsplit

import orjson
from pydantic import TypeAdapter, ValidationError

from app import query
from app.cli.languages import load_listening_settings
from app.cli.paper import numbered_raw_lines, put_json, say, text_of
from app.cli.refusal import Refusal
from app.config import load_brands
from app.config_file import dotted, faults, in_words
from app.language import Languages
from app.pipeline.digest import Watched
from app.pipeline.spoken import spoken
from app.settings import config_path
from collectors.base import Post

POST = TypeAdapter(Post)


def match(file: str) -> bool:
    """Print each Post with the brands that it mentions, and where the words of their queries stand in it.

    A line that is no Post is left out and said. False when there was one.
    """
    languages = Languages(load_listening_settings().languages)
    brands = [replace(brand, id=number) for number, brand in enumerate(load_brands(config_path()))]
    watched = Watched.compile(brands)
    whole = True
    for number, raw in numbered_raw_lines(file):
        if not raw.strip():
            continue
        try:
            post = read_post(text_of(raw, file, number), file, number)
        except Refusal as error:
            say(f"avizor: {error}")
            whole = False
        else:
            document = document_of(post, languages)
            found = sorted(watched.index.match(document))
            mentions = [{"brand": brands[at].slug, "spans": spans(watched.index, at, document)} for at in found]
            put_json({**asdict(post), "mentions": mentions})
    return whole


def read_post(line: str, file: str, number: int) -> Post:
    """A Post of a JSON line; only a text or a title is needed. Raises `Refusal` with the line's number."""
    try:
        values = orjson.loads(line)
        if not isinstance(values, dict) or not (values.get("text") or values.get("title")):
            raise Refusal(f"{file}:{number}: is not a Post: a JSON object with a text or a title")
        return POST.validate_python({"id": f"{file}:{number}", "title": "", "text": "", **values})
    except orjson.JSONDecodeError as error:
        raise Refusal(f"{file}:{number}: is not JSON: {error.msg}") from None
    except ValidationError as error:
        fault = faults(error)[0]
        raise Refusal(f"{file}:{number}: {dotted(fault['loc'])}: {in_words(fault, ())}") from None


def document_of(post: Post, languages: Languages) -> query.Document:
    """A Post as the queries see it, where no source is known."""
    return query.Document(
        title="" if post.reply else post.title,
        text=post.text,
        site=urlsplit(post.url or "").hostname,
        author=post.author,
        language=lambda: languages.identify(spoken(post), post.language).code,
    )


def spans(index: query.Index, query_id: int, document: query.Document) -> list[dict[str, Any]]:
    """Where the query's words stand in the document, with the words as written."""
    found = index.spans(query_id, document)
    return [{**asdict(span), "text": (getattr(document, span.field) or "")[span.start : span.end]} for span in found]
