"""What a feed becomes: identity, links, dates, languages, encodings; and what is said about what is no feed."""

import json
from datetime import UTC, datetime

import httpx
import pytest

from collectors.base import CollectError, Page, Post, Source
from collectors.feed import ITEMS_PER_FETCH
from collectors.rss import Rss

URL = "https://correo.example/portada.xml"
SOURCE = Source(1, "correo", "Correo", "rss", url=URL)


def parse(content: str | bytes, content_type: str = "application/xml", url: str = URL) -> Page:
    body = content.encode() if isinstance(content, str) else content
    response = httpx.Response(
        200, content=body, headers={"Content-Type": content_type}, request=httpx.Request("GET", url)
    )
    return Rss().parse(SOURCE, response)


def rss(*items: str, head: str = "<title>Correo</title>") -> str:
    inside = "".join(f"<item>{item}</item>" for item in items)
    return f'<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>{head}{inside}</channel></rss>'


def only(content: str | bytes, **kwargs: str) -> Post:
    (post,) = parse(content, **kwargs).posts
    return post


def refused(content: str | bytes, content_type: str = "text/html") -> CollectError:
    with pytest.raises(CollectError) as error:
        parse(content, content_type)
    return error.value


# ── identity ─────────────────────────────────────────────────────────────────


def test_it_names_an_item_by_its_guid() -> None:
    assert only(rss("<title>a</title><guid>tag:1</guid><link>https://correo.example/1</link>")).id == "tag:1"


def test_it_names_an_item_by_its_link_where_there_is_no_guid() -> None:
    post = only(rss("<title>a</title><link>https://correo.example/1?utm_source=x&amp;n=1</link>"))
    assert post.id == post.url == "https://correo.example/1?n=1"


def test_it_names_an_item_by_its_words_where_there_is_nothing_else() -> None:
    first, second = parse(rss("<title>uno</title>", "<title>dos</title>")).posts
    assert first.id != second.id
    assert only(rss("<title>uno</title>")).id == first.id


def test_one_guid_on_all_items_does_not_make_them_one() -> None:
    items = [f"<guid>portada</guid><link>https://correo.example/{n}</link><title>t{n}</title>" for n in range(3)]
    assert len({post.id for post in parse(rss(*items)).posts}) == 3


def test_a_feed_that_shifts_gives_nobody_a_new_name() -> None:
    items = [f"<guid>portada</guid><link>https://correo.example/</link><title>t{n}</title>" for n in range(5)]
    before = {post.title: post.id for post in parse(rss(*items[:4])).posts}
    after = {post.title: post.id for post in parse(rss(*items[1:])).posts}
    assert len(set(after.values())) == 4
    assert all(after[title] == before[title] for title in after.keys() & before.keys())


def test_a_feed_proxys_link_is_shown_but_is_nobodys_name() -> None:
    space = 'xmlns:fb="http://rssnamespace.org/feedburner/ext/1.0"'
    item = "<title>a</title><link>http://proxy.example/~r/1</link><fb:origLink>https://correo.example/1</fb:origLink>"
    post = only(rss(item).replace("<rss", f"<rss {space}"))
    assert (post.id, post.url) == ("https://correo.example/1", "http://proxy.example/~r/1")


def test_a_reddit_id_stays_as_it_is() -> None:
    entry = '<entry><id>t3_abc</id><title>a</title><link href="https://www.reddit.com/r/es/comments/abc/"/></entry>'
    for namespace in ("http://www.w3.org/2005/Atom", "http://purl.org/atom/ns#"):  # our own reader, and feedparser
        assert only(f'<feed xmlns="{namespace}">{entry}</feed>', url="https://www.reddit.com/r/es/.rss").id == "t3_abc"


def test_a_guid_of_a_megabyte_becomes_a_short_name() -> None:
    assert len(only(rss(f"<title>a</title><guid>{'x' * 1_000_000}</guid>")).id) < 100


# ── links ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        ("/2026/nota", "https://correo.example/2026/nota"),
        ("//otro.example/n", "https://otro.example/n"),
        ("www.otro.example/n", "http://www.otro.example/n"),
        ("javascript:alert(1)", None),
        ("tag:correo.example,2026:1", None),
        ("https://", None),
        ("https://correo.example/a?fbclid=1&amp;id=2&amp;UTM_Medium=x#xtor=1", "https://correo.example/a?id=2"),
        ("https://correo.example/a?reference=1&amp;utm=2", "https://correo.example/a?reference=1&utm=2"),
        ("https://correo.example/a b", "https://correo.example/a%20b"),
        ("https://banco.example@malo.example/x", "https://malo.example/x"),
        (
            "https://www.bing.com/news/apiclick.aspx?ref=FexRss&amp;url=https%3a%2f%2fcorreo.example%2fn%3fid%3d1&amp;c=9",
            "https://correo.example/n?id=1",
        ),
        (
            "https://www.google.com/url?rct=j&amp;sa=t&amp;url=https://correo.example/n&amp;ct=ga",
            "https://correo.example/n",
        ),
        ("https://correo.example/" + "x" * 3000, None),
    ],
)
def test_it_gives_an_address_that_a_person_may_follow_or_none(raw: str, meant: str | None) -> None:
    assert only(rss(f"<title>a</title><guid>1</guid><link>{raw}</link>")).url == meant


def test_it_takes_a_permanent_guid_for_the_link_where_there_is_none() -> None:
    assert only(rss("<title>a</title><guid>https://correo.example/1</guid>")).url == "https://correo.example/1"


def test_a_news_aggregators_item_loses_the_publisher_from_its_title() -> None:
    item = (
        "<title>Lumbre, sin línea - El Correo</title><guid>CBMi1</guid>"
        "<link>https://news.google.com/rss/articles/CBMi1?oc=5</link>"
        '<source url="https://correo.example">El Correo</source>'
    )
    post = only(rss(item))
    assert (post.id, post.title, post.author) == ("CBMi1", "Lumbre, sin línea", "El Correo")


# ── texts, dates, languages, encodings ───────────────────────────────────────


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        ("Lumbre &amp;amp; cía.", "Lumbre & cía."),
        ("L&amp;#8217;avaria", "L’avaria"),
        ("&lt;b&gt;Lumbre&lt;/b&gt; cae", "Lumbre cae"),
        ("i &lt;3 Lumbre", "i <3 Lumbre"),
        ("Uso de la etiqueta &lt;table&gt;", "Uso de la etiqueta <table>"),
        ("<![CDATA[ dos\n líneas ]]>", "dos líneas"),
        ("Tele\u00adfonía\u200b rural", "Telefonía rural"),
    ],
)
def test_a_title_is_one_plain_line(raw: str, title: str) -> None:
    assert only(rss(f"<title>{raw}</title><guid>1</guid>")).title == title


def test_it_keeps_the_text_that_says_most() -> None:
    item = (
        "<title>a</title><description>Un resumen.</description>"
        '<c:encoded xmlns:c="http://purl.org/rss/1.0/modules/content/">&lt;p&gt;El texto entero.&lt;/p&gt;</c:encoded>'
    )
    assert only(rss(item)).text == "El texto entero."
    assert only(rss(item.replace("El texto entero.", "&lt;img src='x'/&gt;"))).text == "Un resumen."


def test_nothing_in_a_text_ever_runs_or_breaks_a_table() -> None:
    post = only(
        rss("<title>a\x00b\x0b</title><description>&lt;script&gt;x()&lt;/script&gt;hola &amp;#0;</description>")
    )
    assert (post.title, post.text) == ("ab", "hola �")


def test_fields_are_cut_to_their_length() -> None:
    long = "palabra " * 100_000
    post = only(
        rss(f"<title>{long}</title><description>{long}</description><dc:creator>{long}</dc:creator><guid>1</guid>")
    )
    assert len(post.title) <= 1_000
    assert len(post.text) <= 100_000
    assert post.author is not None
    assert len(post.author) <= 300


def test_an_item_without_a_readable_date_has_none() -> None:
    first, second = parse(
        rss("<title>a</title><pubDate>pronto</pubDate>", "<title>b</title><pubDate>31/02/2026</pubDate>")
    ).posts
    assert first.published_at is second.published_at is None


def test_a_date_before_an_update_wins() -> None:
    item = "<title>a</title><dc:date>2026-11-22T00:00:00Z</dc:date><pubDate>Sat, 21 Nov 2026 00:00:00 GMT</pubDate>"
    assert only(rss(item)).published_at == datetime(2026, 11, 21, tzinfo=UTC)


def test_the_items_language_wins_over_the_channels() -> None:
    page = parse(
        rss("<title>a</title><dc:language>en_GB</dc:language>", "<title>b</title>", head="<language>spa</language>")
    )
    assert [post.language for post in page.posts] == ["en", "es"]


@pytest.mark.parametrize(
    ("encoding", "label", "content_type"),
    [
        ("utf-8", "iso-8859-1", "text/xml"),
        ("cp1252", "iso-8859-1", "text/xml"),
        ("cp1252", "", "text/xml; charset=windows-1252"),
        ("cp1252", "no-such-thing", "text/xml"),
        ("cp1252", "", ""),
        ("utf-16", "utf-16", ""),
        ("utf-8-sig", "", ""),
    ],
)
def test_it_reads_what_was_meant_whatever_the_labels_say(encoding: str, label: str, content_type: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{label}"?>' if label else ""
    content = f"{declaration}{rss('<title>Señal «perdida» – 3 €</title>')}".encode(encoding)
    assert only(content, content_type=content_type).title == "Señal «perdida» – 3 €"


def test_one_broken_character_does_not_garble_the_others() -> None:
    content = rss("<title>Señal perdida en Cáceres</title><description>cort\xff</description>").encode()
    assert only(content.replace("cort\xff".encode(), b"cort\xc3")).title == "Señal perdida en Cáceres"


@pytest.mark.parametrize(
    "broken",
    [
        "<title>R&D sigue</title>",
        "<title>R&amp;D sigue</title><x:no-declarado>1</x:no-declarado>",
        "<title>R&amp;D sigue</title><p>sin cerrar",
        f"<title>R&amp;D sigue</title><description>{'línea<br>' * 300}</description>",
    ],
)
def test_a_feed_that_is_not_well_formed_is_read_all_the_same(broken: str) -> None:
    assert "sigue" in parse(rss(broken + "<guid>1</guid>")).posts[0].title


def test_named_html_characters_are_read_without_a_declaration() -> None:
    assert only(rss("<title>Espa&ntilde;a&nbsp;&ldquo;hoy&rdquo;</title>")).title == "España “hoy”"


# ── how many, and how often ──────────────────────────────────────────────────


def test_it_keeps_the_newest_of_too_many_items_and_says_how_many_it_left_out() -> None:
    items = [f"<title>t{n}</title><pubDate>{1_700_000_000 + n}</pubDate>" for n in range(ITEMS_PER_FETCH + 20)]
    page = parse(rss(*items))
    assert (len(page.posts), page.truncated) == (ITEMS_PER_FETCH, 20)
    assert [post.title for post in page.posts][:2] == ["t20", "t21"]


def test_one_item_that_holds_nothing_costs_only_itself() -> None:
    page = parse(rss("<title>a</title>", "<category>x</category>", "<title>b</title>"))
    assert [post.title for post in page.posts] == ["a", "b"]
    assert len(page.rejects) == 1


@pytest.mark.parametrize(
    ("head", "hint_s"),
    [
        ("<ttl>30</ttl>", 1800),
        ("<ttl> x </ttl>", None),
        ("<ttl>99999999</ttl>", 7 * 24 * 3600),
        ('<u:updatePeriod xmlns:u="http://purl.org/rss/1.0/modules/syndication/">\n daily </u:updatePeriod>', 86_400),
        ('<u:updatePeriod xmlns:u="http://purl.org/rss/1.0/modules/syndication/">always</u:updatePeriod>', None),
    ],
)
def test_it_passes_on_how_often_the_publisher_wants_to_be_asked(head: str, hint_s: int | None) -> None:
    assert parse(rss("<title>a</title>", head=head)).interval_hint_s == hint_s


# ── what is no feed ──────────────────────────────────────────────────────────


def test_a_web_page_is_an_error_that_names_the_feed_it_links_to() -> None:
    page = "<!DOCTYPE html><html><head><link rel='alternate' type='application/rss+xml' href='/feed.xml'></head></html>"
    error = refused(page)
    assert error.code == "not_a_feed"
    assert "/feed.xml" in error.message


@pytest.mark.parametrize(
    "content",
    [
        "",
        "   \n",
        "Mantenimiento",
        "<p>Mantenimiento</p>",
        '{"error": "no"}',
        '{"items": 3}',
        "<opml version='2.0'/>",
        "\ufeff",
    ],
)
def test_what_is_no_feed_is_an_error_and_never_an_empty_feed(content: str) -> None:
    assert refused(content).code == "not_a_feed"


def test_a_feed_that_is_cut_off_before_its_first_item_is_an_error() -> None:
    assert refused('<rss version="2.0"><channel><title>Correo</ti').code == "parse_error"


def test_an_empty_feed_is_an_empty_feed() -> None:
    assert parse(rss()).posts == ()


@pytest.mark.parametrize("item", [{"id": 1, "title": ["x"]}, {"id": 1}, {"id": 1, "content_text": " \n"}])
def test_a_json_item_without_words_costs_only_itself_and_is_told_in_words(item: dict[str, object]) -> None:
    page = parse(json.dumps({"items": [item, {"id": 2, "content_text": "hola"}]}), "application/json")
    assert [(post.id, post.text) for post in page.posts] == [("2", "hola")]
    assert [(reject.reason, json.loads(reject.sample)) for reject in page.rejects] == [
        ("an item without a title or a text that can be read", item)
    ]


def test_json_that_is_broken_is_an_error_in_words() -> None:
    assert refused('{"items": [').code == "bad_json"


# ── hostile documents ────────────────────────────────────────────────────────

BOMB = "".join(f'<!ENTITY {chr(98 + n)} "{"&" + chr(97 + n) + ";"}{"&" + chr(97 + n) + ";"}">' for n in range(20))


@pytest.mark.parametrize(
    "content",
    [
        f'<!DOCTYPE rss [<!ENTITY a "aaaa">{BOMB}]>{rss("<title>&u;</title>")}',
        f'<!-- <x> --><!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>{rss("<title>&x;</title>")}',
        f'<!DOCTYPE rss [<!ENTITY % p SYSTEM "http://169.254.169.254/"> %p;]>{rss("<title>a</title>")}',
        f'<!ENTITY p "C:\\data">{rss("<title>&p;</title>")}',
    ],
)
def test_a_document_that_declares_entities_is_refused(content: str) -> None:
    assert refused(content).code == "entities"


def test_speaking_about_entities_is_not_declaring_them() -> None:
    assert only(rss("<title><![CDATA[Qué es <!ENTITY y <!DOCTYPE a [ ]]></title>")).title.startswith("Qué es")


@pytest.mark.parametrize(
    "content",
    [
        rss("<p " + " ".join(f'a{n}="1"' for n in range(100)) + ">"),
        rss(f"<{'t' * 3_000_000}/>"),
        '{"items":' + "[" * 100_000,
        rss(*["<title>R&D</title>"] * 5_001),
    ],
    ids=["attributes", "tag name", "json", "items"],
)
def test_what_would_hurt_a_parser_is_refused_before_it_is_tried(content: str) -> None:
    assert refused(content).code == "hostile"


def test_a_hundred_thousand_attributes_are_no_matter_where_the_document_is_well_formed() -> None:
    attributes = " ".join(f'a{n}="1"' for n in range(100_000))
    assert only(rss("<title>a</title>").replace("<item>", f"<item {attributes}>")).title == "a"


def test_feedparsers_own_crashes_become_errors_in_words() -> None:
    assert refused("<channel><item></channel><textInput></rss><description>").code == "parse_error"


# ── asking ───────────────────────────────────────────────────────────────────


def test_it_asks_for_its_address_and_for_feeds() -> None:
    request = Rss().request(SOURCE, datetime(2026, 11, 22, tzinfo=UTC))
    assert str(request.url) == URL
    assert "application/rss+xml" in request.headers["accept"]


# ── the hub ──────────────────────────────────────────────────────────────────

ATOM_NS = 'xmlns:a="http://www.w3.org/2005/Atom"'
HUB, TOPIC = "https://hub.example/", "https://correo.example/todo.xml?a=1&utm_source=hub"


def head_of(*links: str) -> str:
    return "<title>Correo</title>" + "".join(
        f'<a:link {ATOM_NS} rel="{relation}" href="{address}"/>'
        for relation, _, address in (link.replace("&", "&amp;").partition(" ") for link in links)
    )


@pytest.mark.parametrize(
    ("links", "hub"),
    [
        ((f"hub {HUB}", f"self {TOPIC}"), (HUB, TOPIC)),
        ((f"self {TOPIC}", "hub /hub"), ("https://correo.example/hub", TOPIC)),
        ((f"hub {HUB}",), (HUB, URL)),
        ((f"self {TOPIC}",), None),
        (("hub javascript:alert(1)", f"self {TOPIC}"), None),
        (("hub ", f"self {TOPIC}"), None),
        (("hub http://uno.example/", f"hub {HUB}", f"self {TOPIC}"), (HUB, TOPIC)),
        (("hub https://uno.example/", f"hub {HUB}", f"self {TOPIC}"), ("https://uno.example/", TOPIC)),
        ((f"hub {HUB}{'x' * 3000}", f"self {TOPIC}"), None),
        ((f"hub {HUB}", f"self {TOPIC}{'x' * 3000}"), (HUB, URL)),
    ],
)
@pytest.mark.parametrize("broken", ["", "<b"])
def test_it_tells_the_hub_that_a_feed_names(links: tuple[str, ...], hub: tuple[str, str] | None, broken: str) -> None:
    """By our own reader, and by the other one where the document is broken."""
    assert parse(rss("<title>a</title>", head=head_of(*links)) + broken).hub == hub


def test_atom_and_json_feeds_name_hubs_too() -> None:
    links = f'<link rel="hub" href="{HUB}"/><link rel="self" href="{URL}?todo"/>'
    entry = "<entry><id>1</id><title>a</title></entry>"
    assert parse(f'<feed xmlns="http://www.w3.org/2005/Atom">{links}{entry}</feed>').hub == (HUB, f"{URL}?todo")
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "feed_url": f"{URL}?todo",
        "hubs": ["x", {"type": "rssCloud", "url": "https://cloud.example/"}, {"type": "WebSub", "url": HUB}],
        "items": [],
    }
    assert parse(json.dumps(feed)).hub == (HUB, f"{URL}?todo")
    assert parse(json.dumps(feed | {"hubs": "https://hub.example/"})).hub is None


def test_a_link_header_goes_before_the_document() -> None:
    header = f'<{HUB}>; rel="hub", <{TOPIC}>; rel="self"'
    content = rss("<title>a</title>", head=head_of("hub https://uno.example/", "self https://correo.example/uno"))
    request = httpx.Request("GET", URL)
    answer = httpx.Response(200, content=content.encode(), headers={"Link": header}, request=request)
    assert Rss().parse(SOURCE, answer).hub == (HUB, TOPIC)


def test_a_link_of_an_item_is_not_the_feeds() -> None:
    item = f"<title>a</title>{head_of(f'hub {HUB}').removeprefix('<title>Correo</title>')}"
    assert parse(rss(item)).hub is None
