"""Finding words: the same on both databases, and nothing that a person types is ever understood as a query language."""

from typing import Any

import pytest

from app.model import MentionFilter

World = Any

INJECTIONS = [
    '"',
    '""',
    '" OR "1',
    "' OR 1=1 --",
    "a' | 'b",
    "factura OR router",
    "factura NOT router",
    "NOT factura",
    "NEAR(factura router)",
    "fact*",
    "fact:*",
    "words:router",
    "{words}: router",
    "factura & !router",
    "factura <-> router",
    "\\",
    "'\\'",
    "router\\' & 'x",
    "'); DROP TABLE posts; --",
    "\0",
    "\ud800",
    "%s %(x)s ? :words $1",
    "+",
    ",",
    "z" * 100_000,
    "zz " * 100_000,
]


FINDS = [
    ("telefonica", {"phone"}),
    ("TELEFÓNICA factura", {"phone"}),
    ("factura telefónica responde esta", {"phone"}),
    ("factura router", set()),
    ("espana", set()),
    ("españa", {"spain"}),
    ("ESPAÑA", {"spain"}),
    ("espan\u0303a", {"spain"}),
    ("cana", {"cane"}),
    ("caña", {"cane"}),
    ("ayuda", {"mail"}),
    ("example", {"mail"}),
    ("ayuda@acme.example", {"mail"}),
    ("strasse", {"street"}),
    ("24 7", {"street"}),
    ("snake", {"street"}),
    ("snake_case", {"street"}),
    ("国移", {"chinese"}),
    ("😡", {"emoji"}),
    ("x" * 600, {"long"}),
    ("fac", set()),
    ("phone", {"phone"}),
]
SIGNS = ['"router"', "router*", "-router", "^router", "(router", "router)", "rou\u00adter", "¿router?"]


@pytest.fixture
def shelf(world: World) -> World:
    acme, source = world.brand(), world.source()
    texts = {
        "phone": "Telefónica no responde, la FACTURA está mal",
        "spain": "Toda España sin router",
        "cane": "La caña y la cana",
        "mail": "escribí a ayuda@acme.example desde acme.example/ayuda",
        "street": "Straße 24/7, snake_case y 3.14",
        "chinese": "中国移动 服务很差",
        "emoji": "fatal 😡",
        "long": "palabra " + "x" * 500,
    }
    world.collect(source, *(world.item(key, {acme: "negative"}, title=key, text=text) for key, text in texts.items()))
    return world


def test_it_finds_words_however_they_are_spelt(shelf: World) -> None:
    for search, expected in FINDS:
        found = {mention.title for mention in shelf.storage.mentions.page(MentionFilter(text=search))}
        assert found == expected, search[:50]


def test_nothing_that_is_typed_is_a_query_language(shelf: World) -> None:
    for typed in INJECTIONS:
        assert shelf.storage.mentions.page(MentionFilter(text=typed)) == [], f"{typed[:50]!r} was more than its words"
    assert len(shelf.storage.mentions.page(MentionFilter())) == 8, "nothing was lost"


def test_signs_around_a_word_are_not_part_of_it(shelf: World) -> None:
    for typed in SIGNS:
        assert [m.title for m in shelf.storage.mentions.page(MentionFilter(text=typed))] == ["spain"], typed


def test_a_post_that_mentions_nobody_is_not_in_the_index(world: World) -> None:
    acme, source = world.brand(), world.source()
    world.collect(source, world.item("a", text="router"), world.item("b", {acme: "neutral"}, text="router"))
    assert [m.title for m in world.storage.mentions.page(MentionFilter(text="router"))] == ["b"]
