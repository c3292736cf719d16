"""parse: a saved answer of a source in, its Posts out, one JSON object a line."""

from dataclasses import asdict, replace

import httpx

from app.cli.paper import opened, put_json, say
from app.cli.refusal import MISUSED, Refusal
from collectors import COLLECTORS
from collectors.base import CollectError, Query, Source

ASKED = Source(id=0, slug="file", name="", kind="", queries=(Query("file", ("saved",)),))
"""Whoever saved the answer did the asking; a search collector only wants to know that something was asked for."""


def parse(kind: str, file: str, url: str, content_type: str | None) -> None:
    """Read a saved answer as a source of this kind would. Raises `Refusal` when the whole of it is unreadable."""
    if kind not in COLLECTORS:
        raise Refusal(f"there is no kind {kind}; there are: {', '.join(sorted(COLLECTORS))}", MISUSED)
    with opened(file) as stream:
        body = stream.read()
    headers = {"content-type": content_type or guess_content_type(body)}
    response = httpx.Response(200, headers=headers, content=body, request=httpx.Request("GET", url))
    try:
        page = COLLECTORS[kind].parse(replace(ASKED, name=file, kind=kind, url=url), response)
    except CollectError as error:
        raise Refusal(f"{file}: {error}") from None
    for post in page.posts:
        put_json(asdict(post))
    for reject in page.rejects:
        say(f"avizor: {file}: an item was left out: {reject.reason}")
    if page.gone:
        say(f"avizor: {file}: {len(page.gone)} posts were taken back by their authors")
    if page.truncated:
        say(f"avizor: {file}: {page.truncated} items were left out: there are too many")


def guess_content_type(body: bytes) -> str:
    """What a server would have called it, going by its first character."""
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return "application/json" if start in (b"{", b"[") else "application/xml"
