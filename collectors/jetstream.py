"""Bluesky, all of it as it is written, through a Jetstream: https://github.com/bluesky-social/jetstream

    messages | JSON | posts written, changed, taken back; accounts that went away -> Heard

    wss://jetstream2.us-east.bsky.network/subscribe?wantedCollections=app.bsky.feed.post&cursor=1795255200000000
    -> {"did", "time_us", "kind": "commit", "commit": {"operation": "create"|"update"|"delete", "collection", "rkey",
        "record": {"text", "createdAt", "langs", "facets", "embed", "reply", ...}}}
       {"did", "time_us", "kind": "account", "account": {"active", "status", ...}}, likewise "identity"

The wire is that of version 1, which version 2 keeps. A cursor is the server's time in microseconds, and what it names
is sent again; one from before the server's memory begins there without a word, one from the future at the present. The
servers' times differ a little, so who comes back rewinds. An author is shown as a DID: the stream has no handles.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

import httpx
import orjson

from collectors import settings
from collectors.atproto import COLLECTION, NAMESPACE, PROFILE, language, said
from collectors.base import CollectError, Post, Reject, Source
from collectors.dates import read_date
from collectors.guard import check_url
from collectors.items import SAMPLE_LIMIT, Item, inner, text
from collectors.stream import EPOCH, MESSAGE_LIMIT, Heard, Place
from collectors.text import clean

HOSTS = tuple(f"wss://jetstream{number}.us-{coast}.bsky.network" for number in (1, 2) for coast in ("east", "west"))
PATH = "/subscribe"
REWIND_US = 5_000_000
SILENCE_S = 60
LATEST_US = 2**52  # in 2112: beyond that it is no time
GONE = frozenset(("deleted", "takendown"))  # an account that is only asleep (deactivated, suspended) may come back
REJECTS = 20  # of one run of messages: a stream of rubbish is said, not collected

# Signs that mean nothing in a link.
_DID = re.compile(r"did:[a-z]{1,20}:[A-Za-z0-9._:%-]{1,2000}")
_KEY = re.compile(r"[A-Za-z0-9._:~-]{1,512}")


class Jetstream:
    """`source.url` or the setting `hosts` (several, tried in turn) replace the public servers. `silence_s`: how long
    a connection may bring nothing until it is taken for dead.
    """

    kind = "jetstream"
    knows_authors = True

    def check(self, source: Source) -> None:
        settings.only(source, "hosts", "silence_s")
        if source.url and settings.texts(source, "hosts"):
            raise ValueError("either url or the setting hosts says where the stream is, not both")
        settings.whole(source, "silence_s", SILENCE_S, 5, 86_400)
        for address in _addresses(source):
            _checked(address)

    def namespace(self, source: Source) -> str:
        return NAMESPACE

    def silence_s(self, source: Source) -> float:
        return float(source.settings.get("silence_s", SILENCE_S))

    def request(self, source: Source, attempt: int) -> httpx.Request:
        addresses = _addresses(source)
        try:
            url = _checked(addresses[attempt % len(addresses)])
        except ValueError as error:
            raise CollectError("bad_url", f"This stream cannot be followed: {error}.") from None
        if url.path == "/":
            url = url.copy_with(path=PATH)
        wanted = {"wantedCollections": COLLECTION, "maxMessageSizeBytes": str(MESSAGE_LIMIT)}
        time_us = Place.of(source).time_us
        cursor = {"cursor": str(time_us - REWIND_US)} if time_us else {}
        return httpx.Request("GET", url.copy_merge_params({**wanted, **cursor}))

    def read(self, messages: Sequence[bytes]) -> Heard:
        posts: dict[str, Post] = {}
        gone: dict[str, None] = {}
        left: dict[str, None] = {}
        rejects: list[Reject] = []
        times: list[int] = []
        for message in messages:
            try:
                event = _event(message)
                times.append(event["time_us"])
                match event.get("kind"):
                    case "commit":
                        commit = inner(event, "commit")
                        if commit.get("collection") == COLLECTION:
                            _take(event, commit, posts, gone)
                    case "account" if _went_away(inner(event, "account")):
                        left[_did(event)] = None
            except ValueError as error:
                rejects.append(_reject(str(error), message))
            except (TypeError, LookupError, AttributeError, ArithmeticError):
                rejects.append(_reject("a message that cannot be read", message))
        return Heard(
            posts=tuple(posts.values()),
            gone=tuple(gone),
            left=tuple(left),
            rejects=tuple(rejects[:REJECTS]),
            begins_us=times[0] if times else 0,
            ends_us=max(times, default=0),
        )


def _addresses(source: Source) -> tuple[str, ...]:
    return (source.url,) if source.url else settings.texts(source, "hosts") or HOSTS


def _checked(address: str) -> httpx.URL:
    """As http(s), which is what a websocket begins as. Raises `ValueError`."""
    scheme, separator, rest = address.partition("://")
    plain = {"ws": "http", "wss": "https"}.get(scheme.lower(), scheme)
    return check_url(plain + separator + rest)


def _event(message: bytes) -> Item:
    try:
        event = orjson.loads(message)
    except orjson.JSONDecodeError:
        raise ValueError("a message that is not JSON") from None
    if not isinstance(event, dict):
        raise ValueError("a message that is not an object")
    time_us = event.get("time_us")
    if not isinstance(time_us, int) or isinstance(time_us, bool) or not 0 < time_us < LATEST_US:
        raise ValueError("a message without a usable time_us")
    return event


def _reject(reason: str, message: bytes) -> Reject:
    return Reject(reason, clean(message[:SAMPLE_LIMIT].decode("utf-8", "replace"), SAMPLE_LIMIT))


def _take(event: Item, commit: Item, posts: dict[str, Post], gone: dict[str, None]) -> None:
    did, rkey = _did(event), _key(commit)
    name = f"at://{did}/{COLLECTION}/{rkey}"
    match commit.get("operation"):
        case "delete":
            posts.pop(name, None)
            gone[name] = None
        case "create" | "update" as operation:
            gone.pop(name, None)
            edited_at = EPOCH + timedelta(microseconds=event["time_us"]) if operation == "update" else None
            posts[name] = _post(name, did, rkey, inner(commit, "record"), edited_at)


def _post(name: str, did: str, rkey: str, record: Item, edited_at: datetime | None) -> Post:
    return Post(
        id=name,
        title="",
        text=said(record),
        url=f"{PROFILE}{did}/post/{rkey}",
        author=did,
        published_at=read_date(text(record, "createdAt")),
        language=language(record),
        edited_at=edited_at,
    )


def _went_away(account: Item) -> bool:
    return account.get("active") is False and text(account, "status") in GONE


def _did(event: Item) -> str:
    """https://atproto.com/specs/did"""
    did = event.get("did")
    if not isinstance(did, str) or not _DID.fullmatch(did):
        raise ValueError("a message without a usable did")
    return did


def _key(commit: Item) -> str:
    """https://atproto.com/specs/record-key"""
    key = commit.get("rkey")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise ValueError("a message without a usable rkey")
    return key
