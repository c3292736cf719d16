"""Our own reader claims a document only where it says word for word what feedparser says.

Documents are composed at random out of everything that feeds are made of, in any order, repeated, nested and
mislabelled.
"""

import random
from collections.abc import Callable
from xml.sax.saxutils import escape

from collectors.base import Page
from collectors.document import read_text, xml_text
from collectors.feed import to_page
from collectors.feed_loose import read_loose
from collectors.feed_strict import Unsure, read_strict

URL = "https://diario.example/portada/feed.xml"
COMPOSED = 400

Element = Callable[[random.Random], str]

PHRASES = (
    "La Moraleda sube las tarifas otra vez",
    "Señal caída en Cuenca & alrededores",
    "Tres días sin línea: «nadie responde»",
    "Support was quick, and kind",
    "R&D at <Moraleda>",
    "i <3 this",
    "5 < 6 and 7 > 6",
    "Q&amp;A &#8217;s",
    "<b>Urgente</b>: corte en <i>Alcázar</i>",
    "<p>Primer párrafo.</p><p>Segundo &amp; último.</p>",
    "<p>Uno<br/>dos</p>\n<ul><li>tres</li><li>cuatro &nbsp; cinco</li></ul>",
    "&lt;p&gt;Escapado&lt;/p&gt; dos veces",
    "EspaÃ±a y CÃ³rdoba",
    "\u0093comillas\u0094 de Windows \u0080",
    "emoji 😡 y\n\ttabulador",
    "",
    "   ",
    "<script>alerta()</script>texto <img alt='😀' src='x'>",
    "una frase bastante más larga que las otras para que gane cuando se mira cuál de los textos dice más cosas",
)
ADDRESSES = (
    "https://diario.example/2026/11/nota?a=1&b=2",
    "/relativa/nota.html",
    "otra.html?x=1&copy=2",
    "http:///diario.example/barras",
    "https://diario.example/n?utm_source=rss&id=7",
    "mailto:redaccion@diario.example",
    "",
    "tag:diario.example,2026:1",
    "https://news.google.com/rss/articles/CBMi0",
    " https://diario.example/con espacio ",
)
DATES = (
    "Sun, 22 Nov 2026 10:00:00 GMT",
    "2026-11-22T10:00:00+01:00",
    "dom, 22 nov 2026 10:00:00 +0100",
    "Nov 22 2026 02:02:33 PM",
    "ayer",
    "",
)
PEOPLE = (
    "Ana Ríos",
    "ana@diario.example (Ana Ríos)",
    "Ana <ana@diario.example>",
    "ana@diario.example",
    "",
    "(Ana)",
    "A & B",
)
LANGUAGES = ("es", "es-ES", "en_US", "", "x")
NAMESPACES = {
    "content": ("http://purl.org/rss/1.0/modules/content/", "http://purl.org/rss/1.0/modules/content"),
    "dc": ("http://purl.org/dc/elements/1.1/", "http://purl.org/dc/elements/1.1"),
    "dcterms": ("http://purl.org/dc/terms/",),
    "media": ("http://search.yahoo.com/mrss/", "http://search.yahoo.com/mrss"),
    "itunes": ("http://www.itunes.com/dtds/podcast-1.0.dtd", "http://www.itunes.com/DTDs/Podcast-1.0.dtd"),
    "atom": ("http://www.w3.org/2005/Atom",),
    "sy": ("http://purl.org/rss/1.0/modules/syndication/",),
    "feedburner": ("http://rssnamespace.org/feedburner/ext/1.0",),
    "thr": ("http://purl.org/syndication/thread/1.0",),
    "x": ("https://diario.example/ns",),
}


def said(dice: random.Random, value: str) -> str:
    """A text as a document may hold it."""
    if dice.random() < 0.4 and "]]>" not in value:
        return f"<![CDATA[{value}]]>"
    return escape(value) if dice.random() < 0.8 else f"<!-- c -->{escape(value)}"


def scope(dice: random.Random) -> str:
    bases = ('xml:base="https://otra.example/b/"', 'xml:base="/c/"')
    return dice.choice((*bases, *('xml:lang="en"', 'lang="fr"', 'xml:lang=""') * 4))


def element(name: str, values: tuple[str, ...], *attributes: str) -> Element:
    def compose(dice: random.Random) -> str:
        chosen = [attribute for attribute in attributes if dice.random() < 0.5]
        if dice.random() < 0.03:
            chosen.append(scope(dice))
        head = " ".join((name, *chosen))
        value = dice.choice(values)
        return f"<{head}/>" if not value and dice.random() < 0.5 else f"<{head}>{said(dice, value)}</{name}>"

    return compose


def link(name: str) -> Element:
    def compose(dice: random.Random) -> str:
        rel = dice.choice(
            ("", ' rel="alternate"', ' rel="self"', ' rel="Alternate"', ' rel="replies"', ' rel="enclosure"')
        )
        kind = dice.choice(("", ' type="text/html"', ' type="application/json"', ' type="TEXT/HTML"'))
        href = escape(dice.choice(ADDRESSES), {'"': "&quot;"})
        return f'<{name}{rel}{kind} href="{href}"/>'

    return compose


def nested(name: str, inner: tuple[Element, ...]) -> Element:
    def compose(dice: random.Random) -> str:
        inside = "".join(dice.choice(inner)(dice) for _ in range(dice.randint(0, 4)))
        return f"<{name}>\n {inside}</{name}>"

    return compose


def xhtml(name: str) -> Element:
    bodies = (
        "<p>Hola &amp; <b>adiós</b><br/>fin</p>",
        "texto &lt;b&gt; suelto",
        "<p>a</p> <p>b</p><script>x()</script>",
        "&#233; <ul><li>uno</li><li>dos</li></ul>",
    )

    def compose(dice: random.Random) -> str:
        inner = dice.choice(bodies)
        if dice.random() < 0.7:
            inner = f'<div xmlns="http://www.w3.org/1999/xhtml">{inner}</div>'
        return f'<{name} type="xhtml">{inner}</{name}>'

    return compose


def plain_person(name: str) -> Element:
    return element(name, PEOPLE)


ATOM_PERSON = (element("name", PEOPLE), element("email", ("ana@diario.example", "")), element("uri", ADDRESSES))
MEDIA = (
    element("media:title", PHRASES, 'type="plain"'),
    element("media:description", PHRASES, 'type="html"'),
    element("media:credit", PEOPLE, 'role="author"'),
    element("media:thumbnail", ("",), 'url="https://diario.example/a.jpg"'),
    element("media:keywords", PHRASES),
)
COMMON: tuple[Element, ...] = (
    *MEDIA,
    nested("media:group", MEDIA),
    nested("media:content", MEDIA),
    element("dc:title", PHRASES),
    element("dc:date", DATES),
    element("dc:creator", PEOPLE),
    element("dc:language", LANGUAGES),
    element("dc:description", PHRASES),
    element("dc:rights", PHRASES),
    element("dcterms:issued", DATES),
    element("dcterms:modified", DATES),
    element("dcterms:created", DATES),
    element("content:encoded", PHRASES),
    element("itunes:summary", PHRASES),
    element("itunes:subtitle", PHRASES),
    element("itunes:author", PEOPLE),
    element("itunes:image", ("",), 'href="https://diario.example/i.png"'),
    element("itunes:explicit", ("no",)),
    element("feedburner:origLink", ADDRESSES),
    element("thr:total", ("3",)),
    element("x:title", PHRASES),
    element("x:wrapper", PHRASES, 'a="1"'),
    nested("x:box", (element("title", PHRASES), element("x:y", PHRASES), element("pubDate", DATES))),
)
RSS_ITEM: tuple[Element, ...] = (
    *COMMON,
    *(element("title", PHRASES),) * 6,
    *(element("description", PHRASES),) * 6,
    *(element("link", ADDRESSES),) * 4,
    *(element("pubDate", DATES),) * 4,
    element("guid", ADDRESSES, 'isPermaLink="false"'),
    element("guid", ADDRESSES, 'isPermaLink="true"'),
    element("guid", ("t3_abc", "4711", "https://diario.example/?p=9")),
    element("author", PEOPLE),
    element("category", PHRASES, 'domain="x"'),
    element("comments", ADDRESSES),
    element("source", PHRASES, 'url="https://agencia.example/rss"'),
    element("enclosure", ("",), 'url="https://diario.example/a.mp3"', 'type="audio/mpeg"'),
    element("image", ADDRESSES),
    nested("image", (element("title", PHRASES), element("url", ADDRESSES))),
    nested("author", ATOM_PERSON),
    link("atom:link"),
    element("atom:updated", DATES),
    element("language", LANGUAGES),
    element("date", DATES),
    element("body", PHRASES),
    nested("item", (element("title", PHRASES),)),
    element("description", PHRASES, 'type="html"'),
)
ATOM_ENTRY: tuple[Element, ...] = (
    *COMMON,
    *(element("title", PHRASES, 'type="html"'),) * 3,
    *(element("title", PHRASES, 'type="text"'),) * 3,
    *(element("content", PHRASES, 'type="html"'),) * 3,
    *(element("summary", PHRASES, 'type="html"'),) * 3,
    *(link("link"),) * 4,
    element("content", PHRASES, 'type="text/plain"'),
    element("content", PHRASES, 'type="image/png"'),
    element("content", ("",), 'src="https://diario.example/x"', 'type="html"'),
    xhtml("content"),
    xhtml("summary"),
    xhtml("title"),
    element(
        "id", ("tag:diario.example,2026:1", "urn:uuid:7", "yt:video:1", "t3_abc", "https://diario.example/?p=9", "")
    ),
    element("published", DATES),
    element("updated", DATES),
    element("issued", DATES),
    nested("author", ATOM_PERSON),
    nested("author", ATOM_PERSON),
    nested("contributor", ATOM_PERSON),
    nested(
        "source", (element("title", PHRASES), element("id", ADDRESSES), link("link"), nested("author", ATOM_PERSON))
    ),
    element("rights", PHRASES, 'type="html"'),
    element("category", ("",), 'term="x"'),
)
FEED_PARTS: tuple[Element, ...] = (
    element("title", PHRASES),
    element("language", LANGUAGES),
    element("dc:language", LANGUAGES),
    element("ttl", ("60", " 15 ", "x", "-3", "")),
    element("sy:updatePeriod", (" hourly ", "daily", "always")),
    element("sy:updateFrequency", ("1", "0.1", "0")),
    element("subtitle", PHRASES),
    element("copyright", PHRASES),
    nested("image", (element("title", PHRASES), element("url", ADDRESSES), element("link", ADDRESSES))),
    link("atom:link"),
    element("pubDate", DATES),
    nested("author", ATOM_PERSON),
)


def compose(dice: random.Random) -> str:
    """A feed of a few items. Three in four hold only what is usual, so that many are claimed."""
    atom = dice.random() < 0.5
    pool, item = (ATOM_ENTRY, "entry") if atom else (RSS_ITEM, "item")
    usual = [part for part in pool if dice.random() < 0.35]
    spaces = " ".join(f'xmlns:{prefix}="{dice.choice(uris)}"' for prefix, uris in NAMESPACES.items())
    head = "".join(dice.choice(FEED_PARTS)(dice) for _ in range(dice.randint(0, 6)))
    items: list[str] = []
    for _ in range(dice.randint(0, 4)):
        attributes = f" {scope(dice)}" if dice.random() < 0.03 else ""
        inside = "\n".join(dice.choice(usual or pool)(dice) for _ in range(dice.randint(0, 9)))
        items.append(f"<{item}{attributes}>{inside}</{item}>")
    root_scope = dice.choice(("",) * 8 + (' xml:lang="es-ES"', ' xml:base="https://otra.example/b/"'))
    if atom:
        default = dice.choice(('xmlns="http://www.w3.org/2005/Atom"',) * 9 + ('xmlns="http://purl.org/atom/ns#"',))
        return (
            f'<?xml version="1.0" encoding="utf-8"?><feed {default} {spaces}{root_scope}>{head}{"".join(items)}</feed>'
        )
    version = dice.choice(("2.0", "2.0", "0.91", "0.92"))
    return f'<rss version="{version}" {spaces}{root_scope}><channel>{head}{"".join(items)}</channel></rss>'


def own(text: str) -> Page | None:
    try:
        return to_page(read_strict(text), URL)
    except Unsure:
        return None


def claimed_equally(seed: int) -> bool:
    text = xml_text(read_text(compose(random.Random(seed)).encode()))
    page = own(text)
    if page is None:
        return False
    expected = to_page(read_loose(text), URL)
    assert page.posts == expected.posts, f"seed {seed}: {text}"
    assert (page.rejects, page.interval_hint_s) == (expected.rejects, expected.interval_hint_s), f"seed {seed}: {text}"
    return True


def test_it_says_the_same_as_feedparser_wherever_it_claims_a_feed() -> None:
    claimed = sum(claimed_equally(seed) for seed in range(COMPOSED))
    assert claimed > COMPOSED * 0.3
