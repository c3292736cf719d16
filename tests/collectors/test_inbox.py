"""What an inbox takes: every field is what it says it is, or the item is refused with the field's name."""

from datetime import UTC, datetime
from typing import Any

import pytest

from collectors.base import Post
from collectors.inbox import Unfit, content_id, read_post

NINE = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def test_it_reads_everything_that_an_item_may_say() -> None:
    item = {
        "id": 1001,
        "title": "Caf&eacute; fr&iacute;o",
        "text": "<p>Tercera vez.</p><p>No vuelvo.</p>",
        "url": "https://tienda.example/r/1001?utm_source=x",
        "author": " Ana\n",
        "published_at": "2026-11-22T10:00:00+01:00",
        "edited_at": None,
        "language": "es-MX",
        "rating": 1,
        "reach": 0,
        "engagement": {"likes": 4, "views": None},
    }
    assert read_post(item) == Post(
        id="1001",
        title="Café frío",
        text="Tercera vez.\nNo vuelvo.",
        url="https://tienda.example/r/1001",
        author="Ana",
        published_at=NINE,
        language="es",
        rating=1,
        reach=0,
        engagement={"likes": 4},
    )


@pytest.mark.parametrize(
    ("field", "item"),
    [
        ("", ["a list"]),
        ("", None),
        ("id", {"text": "x"}),
        ("id", {"id": "", "text": "x"}),
        ("id", {"id": True, "text": "x"}),
        ("id", {"id": "two\nlines", "text": "x"}),
        ("id", {"id": "\ud800", "text": "x"}),
        ("id", {"id": "x" * 201, "text": "x"}),
        ("text", {"id": "1"}),
        ("text", {"id": "1", "text": "\x00 \n"}),
        ("text", {"id": "1", "text": 7}),
        ("url", {"id": "1", "text": "x", "url": "javascript:alert(1)"}),
        ("url", {"id": "1", "text": "x", "url": "/r/1"}),
        ("author", {"id": "1", "text": "x", "author": {"name": "Ana"}}),
        ("published_at", {"id": "1", "text": "x", "published_at": "2026-11-22T09:00:00"}),
        ("published_at", {"id": "1", "text": "x", "published_at": "yesterday"}),
        ("published_at", {"id": "1", "text": "x", "published_at": 1795341600}),
        ("published_at", {"id": "1", "text": "x", "published_at": "0001-01-01T00:00:00+14:00"}),
        ("edited_at", {"id": "1", "text": "x", "edited_at": []}),
        ("language", {"id": "1", "text": "x", "language": "Spanish, I think"}),
        ("rating", {"id": "1", "text": "x", "rating": 6}),
        ("rating", {"id": "1", "text": "x", "rating": 4.5}),
        ("rating", {"id": "1", "text": "x", "rating": True}),
        ("reach", {"id": "1", "text": "x", "reach": -1}),
        ("reach", {"id": "1", "text": "x", "reach": 10**30}),
        ("engagement", {"id": "1", "text": "x", "engagement": {"claps": 1}}),
        ("engagement", {"id": "1", "text": "x", "engagement": 3}),
        ("engagement.likes", {"id": "1", "text": "x", "engagement": {"likes": "4"}}),
        ("txet", {"id": "1", "txet": "x"}),
    ],
)
def test_it_refuses_what_is_not_what_it_says_and_names_the_field(field: str, item: Any) -> None:
    with pytest.raises(Unfit) as error:
        read_post(item)
    assert error.value.field == field


def test_a_text_that_is_too_long_is_cut_and_a_relative_link_stands_on_the_source() -> None:
    post = read_post({"id": "1", "text": "x" * 300_000, "title": "y" * 5_000, "url": "/r/1"}, "https://tienda.example/")
    assert (len(post.text), len(post.title), post.url) == (100_000, 1_000, "https://tienda.example/r/1")


def test_an_item_without_an_id_has_the_same_one_whenever_it_is_told() -> None:
    told = {"text": "Frío", "author": "Ana", "published_at": NINE}
    assert content_id(told) == content_id(dict(told))
    assert content_id(told) != content_id({**told, "author": "Eva"})
    linked = {"url": "https://tienda.example/r/1", "text": "Frío"}
    assert content_id(linked) == content_id({**linked, "text": "Frío, muy frío"})
