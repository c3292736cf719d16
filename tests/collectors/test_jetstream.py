"""What the firehose says, read: no clock, no network."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from collectors import STREAMS
from collectors.base import Source
from collectors.items import SAMPLE_LIMIT
from collectors.jetstream import HOSTS, REJECTS, Jetstream
from collectors.stream import Heard, Place

ANA = "did:plc:ana"
AT = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
AT_US = 1_795_003_200_000_000
SOURCE = Source(1, "bluesky", "Bluesky", "jetstream")
RECORD = {"$type": "app.bsky.feed.post", "text": "Lumbre no responde", "createdAt": "2026-11-18T11:59:58Z"}


def commit(operation: str = "create", record: Any = RECORD, rkey: Any = "3k", **event: Any) -> dict[str, Any]:
    inside = {"rev": "r1", "operation": operation, "collection": "app.bsky.feed.post", "rkey": rkey, "record": record}
    return {"did": ANA, "time_us": AT_US, "kind": "commit", "commit": inside} | event


def account(**fields: Any) -> dict[str, Any]:
    return {"did": ANA, "time_us": AT_US, "kind": "account", "account": {"did": ANA, "seq": 1, **fields}}


def read(*events: Any) -> Heard:
    return Jetstream().read([event if isinstance(event, bytes) else json.dumps(event).encode() for event in events])


def test_it_is_one_of_the_streams() -> None:
    assert STREAMS["jetstream"].namespace(SOURCE) == "bluesky"


# ── where it is asked ────────────────────────────────────────────────────────


def test_it_begins_at_the_present() -> None:
    request = Jetstream().request(SOURCE, 0)
    assert str(request.url) == (
        "https://jetstream1.us-east.bsky.network/subscribe?wantedCollections=app.bsky.feed.post&maxMessageSizeBytes=1048576"
    )


def test_it_goes_on_five_seconds_before_the_place_where_it_stopped() -> None:
    source = replace(SOURCE, cursor=Place(time_us=AT_US).cursor())
    assert Jetstream().request(source, 0).url.params["cursor"] == str(AT_US - 5_000_000)


def test_it_takes_the_addresses_in_turn() -> None:
    hosts = [Jetstream().request(SOURCE, attempt).url.host for attempt in range(len(HOSTS) + 1)]
    assert len(set(hosts)) == len(HOSTS)
    assert hosts[0] == hosts[-1]


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("wss://red.example", "https://red.example/subscribe"),
        ("ws://red.example:8080/", "http://red.example:8080/subscribe"),
        ("wss://red.example/own/path", "https://red.example/own/path"),
    ],
)
def test_an_address_is_asked_as_it_is_written(address: str, asked: str) -> None:
    by_url = Jetstream().request(replace(SOURCE, url=address), 3)
    by_setting = Jetstream().request(replace(SOURCE, settings={"hosts": [address]}), 3)
    assert str(by_url.url).partition("?")[0] == str(by_setting.url).partition("?")[0] == asked


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "ftp://red.example"},
        {"url": "wss://ana:clave@red.example"},
        {"url": "wss://red.example", "settings": {"hosts": ["wss://otra.example"]}},
        {"settings": {"hosts": ["red.example"]}},
        {"settings": {"hosts": "wss://red.example"}},
        {"settings": {"silence_s": 1}},
        {"settings": {"query": "lumbre"}},
    ],
)
def test_it_refuses_a_source_that_cannot_work(fields: dict[str, Any]) -> None:
    Jetstream().check(SOURCE)
    with pytest.raises(ValueError, match=r"address|setting|hosts"):
        Jetstream().check(replace(SOURCE, **fields))


# ── what is said ─────────────────────────────────────────────────────────────


def test_it_reads_a_post() -> None:
    heard = read(commit(record=RECORD | {"langs": ["es-MX", "en"]}))
    (post,) = heard.posts
    assert (post.id, post.url) == (f"at://{ANA}/app.bsky.feed.post/3k", f"https://bsky.app/profile/{ANA}/post/3k")
    assert (post.text, post.title, post.author, post.language) == ("Lumbre no responde", "", ANA, "es")
    assert post.published_at == datetime(2026, 11, 18, 11, 59, 58, tzinfo=UTC)
    assert (post.edited_at, post.reply, post.engagement) == (None, False, {})
    assert (heard.begins_us, heard.ends_us) == (AT_US, AT_US)


LINK = {
    "index": {},
    "features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://lumbre.example/caida?utm_source=x"}],
}
CARD = {
    "$type": "app.bsky.embed.external",
    "external": {"uri": "https://diario.example/1", "title": "Sin luz", "description": "Otra vez"},
}
PICTURE = {"$type": "app.bsky.embed.images", "images": [{"alt": "Factura de Lumbre", "image": {}}, {"alt": ""}]}


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        ({"facets": [LINK]}, ["https://lumbre.example/caida"]),
        ({"embed": CARD}, ["Sin luz", "Otra vez", "https://diario.example/1"]),
        ({"embed": PICTURE}, ["Factura de Lumbre"]),
        ({"embed": {"$type": "app.bsky.embed.video", "alt": "Apagón"}}, ["Apagón"]),
        ({"embed": {"$type": "app.bsky.embed.recordWithMedia", "media": PICTURE}}, ["Factura de Lumbre"]),
        ({"facets": [LINK, LINK]}, ["https://lumbre.example/caida"]),
        ({"reply": {"parent": {"uri": "at://x"}}}, []),
    ],
)
def test_links_cards_and_the_words_of_pictures_are_part_of_it(more: dict[str, Any], lines: list[str]) -> None:
    (post,) = read(commit(record=RECORD | more)).posts
    assert post.text.split("\n") == ["Lumbre no responde", *lines]


def test_a_change_says_when() -> None:
    (post,) = read(commit("update", RECORD | {"text": "Lumbre ya responde"})).posts
    assert (post.text, post.edited_at) == ("Lumbre ya responde", AT)


@pytest.mark.parametrize(
    ("operations", "stands", "gone"),
    [
        (["create", "delete"], False, True),
        (["create", "update"], True, False),
        (["delete", "create"], True, False),
        (["delete"], False, True),
        (["create", "create"], True, False),
    ],
)
def test_the_last_word_on_a_post_counts(operations: list[str], stands: bool, gone: bool) -> None:
    heard = read(*(commit(operation) for operation in operations))
    assert (bool(heard.posts), bool(heard.gone)) == (stands, gone)


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"active": False, "status": "deleted"}, (ANA,)),
        ({"active": False, "status": "takendown"}, (ANA,)),
        ({"active": False, "status": "deactivated"}, ()),
        ({"active": False, "status": "suspended"}, ()),
        ({"active": True}, ()),
        ({"active": 0, "status": "deleted"}, ()),
        ({"active": False, "status": ["deleted"]}, ()),
    ],
)
def test_an_account_leaves_only_for_good(fields: dict[str, Any], left: tuple[str, ...]) -> None:
    heard = read(account(**fields))
    assert heard.left == left
    assert not heard.rejects


def test_what_is_no_post_moves_the_clock_only() -> None:
    like = commit()
    like["commit"]["collection"] = "app.bsky.feed.like"
    heard = read(like, {"did": ANA, "time_us": AT_US + 7, "kind": "identity", "identity": {"handle": "ana.example"}})
    assert (heard.posts, heard.gone, heard.rejects, heard.ends_us) == ((), (), (), AT_US + 7)


# ── what is not as it should be ──────────────────────────────────────────────

ODD: tuple[Any, ...] = (None, True, 0, -1, 1.5, 2**70, "", "x", "\u0000", [], [[]], {}, {"text": {}}, "á" * 5_000)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:12])
def test_an_odd_value_costs_at_most_its_own_message(odd: Any) -> None:
    full = RECORD | {"langs": ["es"], "facets": [LINK], "embed": CARD | PICTURE}
    events: list[Any] = [odd, [odd]]
    events += [commit(record=full) | {name: odd} for name in ("did", "time_us", "kind", "commit")]
    events += [{"did": ANA, "time_us": AT_US, "kind": "account", "account": odd}, account(active=False, status=odd)]
    for name in ("operation", "collection", "rkey", "record"):
        event = commit(record=full)
        event["commit"][name] = odd
        events.append(event)
    for name in full:
        events.append(commit(record=full | {name: odd}))
        events.append(commit(record=full | {name: [odd]}))
        events.append(commit(record=full | {name: {"external": odd, "images": [odd], "media": odd, "alt": odd}}))
    events.append(commit(record=full | {"facets": [{"features": odd}, {"features": [odd, {"uri": odd}]}]}))
    for event in events:
        heard = read(commit(rkey="antes"), event, commit(rkey="despues"))
        ids = [post.id.rpartition("/")[2] for post in heard.posts]
        assert {"antes", "despues"} <= set(ids)
        for post in heard.posts:
            assert "\0" not in post.text
            assert (post.url or "").isascii()


@pytest.mark.parametrize(
    "message",
    [b"", b"{", b"\xff\xfe", b"null", b"[" * 100_000, b'{"time_us":' + b"9" * 100_000 + b"}", b"x" * 1_000_000],
    ids=lambda message: repr(message[:8]),
)
def test_what_is_no_json_is_a_reject_with_a_sample(message: bytes) -> None:
    heard = read(commit(), message, commit(rkey="otro"))
    assert len(heard.posts) == 2
    (reject,) = heard.rejects
    assert reject.reason.startswith("a message")
    assert len(reject.sample) <= SAMPLE_LIMIT


def test_a_stream_of_rubbish_is_said_not_collected() -> None:
    assert len(read(*[b"?"] * 500).rejects) == REJECTS


@pytest.mark.parametrize("time_us", [0, -1, 2**53, True, "1795003200000000", None])
def test_a_time_that_is_none_does_not_move_the_cursor(time_us: Any) -> None:
    heard = read(commit() | {"time_us": time_us})
    assert (heard.begins_us, heard.ends_us, len(heard.rejects)) == (0, 0, 1)
