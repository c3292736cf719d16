"""Hubs over HTTP: nobody but a hub that we asked is believed, and what is pushed only makes its source due."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from app.api.limits import LARGEST_PUSH
from app.api.websub import LONGEST_CHALLENGE
from app.pipeline.subscribe import LEASE, LONGEST_LEASE, question
from app.storage.subscriptions import Subscription
from collectors.base import Source
from tests.app.api.house import NOON, Client, House
from tests.app.hub import Hub, sign
from tests.app.pipeline.far_end import FarEnd

CALLBACKS = "http://avizor.test/api/v1/websub"
TOPIC = "https://diario.example/feed.xml?a=1&b=2"
TOKEN, SECRET = "t" * 43, "s" * 43
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def diario(house: House) -> Source:
    house.deps = replace(house.deps, settings=house.deps.settings.model_copy(update={"websub": True}))
    return house.source("diario")


@pytest.fixture
def hub(house: House, diario: Source) -> Iterator[Hub]:
    """A hub that has been asked, and has not come back yet."""
    with FarEnd() as far_end:
        hub = Hub(far_end)
        house.storage.subscriptions.name({diario.id: ((hub.url, TOPIC), TOKEN, SECRET)}, house.now)
        ask(house, hub)
        yield hub


def ask(house: House, hub: Hub) -> None:
    """What the walk does, without the way there."""
    (due,) = house.storage.subscriptions.claim(house.now, 5)
    form = question(due.subscription, CALLBACKS, leave=due.leave).content.decode()
    hub.forms.append(dict(parse_qsl(form, strict_parsing=True)))


def known(house: House, diario: Source) -> Subscription:
    found: Subscription = house.storage.subscriptions.of([diario.id])[diario.id]
    return found


def pushed(house: House, diario: Source) -> bool:
    return known(house, diario).pushed_at is not None


# ── verification ─────────────────────────────────────────────────────────────


def test_a_hub_that_we_asked_gets_its_challenge_and_is_believed(house: House, hub: Hub, diario: Source) -> None:
    answer = hub.verify(house.anybody(), challenge="<b>reto&</b>")
    assert (answer.status_code, answer.text) == (200, "<b>reto&</b>")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    found = known(house, diario)
    assert (found.state, found.lease_until) == ("verified", NOON + LEASE)


@pytest.mark.parametrize(
    "changed",
    [
        {"topic": "https://diario.example/other.xml"},
        {"topic": ""},
        {"mode": "unsubscribe"},
        {"mode": "publish"},
        {"mode": ""},
        {"challenge": ""},
        {"challenge": "x" * (LONGEST_CHALLENGE + 1)},
    ],
)
def test_what_we_did_not_ask_for_is_not_agreed_to(
    house: House, hub: Hub, diario: Source, changed: dict[str, str]
) -> None:
    answer = hub.verify(house.anybody(), **changed)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert changed.get("challenge", "never") not in answer.text or not changed.get("challenge")
    assert known(house, diario).state == "asked"
    assert hub.verify(house.anybody()).status_code == 200  # the control: nothing but that differs


@pytest.mark.parametrize("token", ["u" * 43, "t" * 42, "t" * 44, "T" * 43, "x", "%2e%2e", "t" * 5000])
def test_a_guessed_address_is_nobodys(house: House, hub: Hub, token: str) -> None:
    client, body = house.anybody(), b"<rss/>"
    asked = {"hub.mode": "subscribe", "hub.topic": TOPIC, "hub.challenge": "c"}
    signed = {"X-Hub-Signature": f"sha256={sign(SECRET, body)}"}
    assert client.get(f"{CALLBACKS}/{token}", params=asked).status_code == 404
    assert client.post(f"{CALLBACKS}/{token}", content=body, headers=signed).status_code == 410
    assert client.get(f"{CALLBACKS}/{TOKEN}", params=asked).status_code == 200  # the control: the right one


@pytest.mark.parametrize(
    ("lease", "for_s"),
    [
        ("864000", 864_000),
        ("60", 60),
        ("999999999", LONGEST_LEASE.total_seconds()),
        ("", 86_400),
        ("0", 86_400),
        ("-5", 86_400),
        ("ten days", 86_400),
        ("9" * 400, 86_400),
        ("٣", 86_400),
    ],
)
def test_a_lease_is_as_long_as_the_hub_says_within_reason(
    house: House, hub: Hub, diario: Source, lease: str, for_s: float
) -> None:
    hub.verify(house.anybody(), lease_seconds=lease)
    assert known(house, diario).lease_until == NOON + timedelta(seconds=for_s)


def test_a_short_lease_is_not_renewed_more_often_than_hourly(house: House, hub: Hub) -> None:
    hub.verify(house.anybody(), lease_seconds="60")
    assert house.storage.subscriptions.claim(NOON + HOUR - timedelta(seconds=1), 5) == []
    assert len(house.storage.subscriptions.claim(NOON + HOUR, 5)) == 1


def test_a_verification_that_is_seen_again_prolongs_nothing(house: House, hub: Hub, diario: Source) -> None:
    hub.verify(house.anybody())
    house.now += 8 * DAY
    assert hub.verify(house.anybody()).status_code == 200
    assert known(house, diario).lease_until == NOON + LEASE
    ask(house, hub)  # the control: once we have asked again, it does
    hub.verify(house.anybody())
    assert known(house, diario).lease_until == NOON + 8 * DAY + LEASE


def test_a_hub_may_say_no(house: House, hub: Hub, diario: Source) -> None:
    client = house.anybody()
    hub.verify(client)
    asked = {"hub.mode": "denied", "hub.topic": TOPIC, "hub.reason": "<b>none\r\nof yours</b>"}
    assert client.get(f"{CALLBACKS}/{TOKEN}", params=asked).status_code == 204
    found = known(house, diario)
    assert (found.state, found.lease_until) == ("refused", None)
    assert found.last_error is not None
    assert "\n" not in found.last_error


def test_a_hub_that_we_leave_may_go_and_is_gone(house: House, hub: Hub, diario: Source) -> None:
    client = house.anybody()
    hub.verify(client)
    house.caller().delete("/api/v1/sources/diario")
    ask(house, hub)
    assert hub.forms[-1]["hub.mode"] == "unsubscribe"
    assert "hub.secret" not in hub.forms[-1]
    assert hub.push(client, b"<rss/>").status_code == 410  # one that pushes on learns it so
    assert hub.verify(client, mode="subscribe").status_code == 404
    assert hub.verify(client).status_code == 200
    assert house.storage.subscriptions.of([diario.id]) == {}
    assert hub.verify(client).status_code == 404


# ── pushes ───────────────────────────────────────────────────────────────────


@pytest.fixture
def hub_that_pushes(house: House, hub: Hub) -> Hub:
    hub.verify(house.anybody())
    return hub


@pytest.mark.parametrize("method", ["sha1", "sha256", "sha384", "sha512"])
def test_a_signed_push_counts(house: House, hub_that_pushes: Hub, diario: Source, method: str) -> None:
    assert hub_that_pushes.push(house.anybody(), b"<rss/>", method=method).status_code == 202
    assert pushed(house, diario)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=",
        f"sha256={'0' * 64}",
        f"sha256={sign('another secret', b'<rss/>')}",
        f"sha256={sign(SECRET, b'<rss></rss>')}",
        f"sha512={sign(SECRET, b'<rss/>')}",
        f"md5={sign(SECRET, b'<rss/>', 'md5')}",
        f"sha256={sign(SECRET, b'<rss/>')}0",
        sign(SECRET, b"<rss/>"),
        "sha256=" + "é" * 64,
    ],
)
def test_a_push_that_is_not_signed_as_agreed_is_ignored_and_not_told_so(
    house: House, hub_that_pushes: Hub, diario: Source, signature: str
) -> None:
    wrong = house.anybody().post(
        f"{CALLBACKS}/{TOKEN}", content=b"<rss/>", headers=[(b"X-Hub-Signature", signature.encode())]
    )
    assert not pushed(house, diario)
    right = hub_that_pushes.push(house.anybody(), b"<rss/>")
    assert pushed(house, diario)
    assert (wrong.status_code, wrong.content, wrong.headers) == (right.status_code, right.content, right.headers)


def test_a_hub_that_has_not_come_back_yet_is_not_listened_to(house: House, hub: Hub, diario: Source) -> None:
    hub.subscribers[f"{CALLBACKS}/{TOKEN}"] = hub.forms[-1]
    assert hub.push(house.anybody(), b"<rss/>").status_code == 202
    assert not pushed(house, diario)


def test_pushes_that_are_sent_again_and_again_cost_a_visit_a_minute(
    house: House, hub_that_pushes: Hub, diario: Source
) -> None:
    woken = 0
    for _ in range(120):
        assert hub_that_pushes.push(house.anybody(), b"<rss/>").status_code == 202
        house.now += timedelta(seconds=1)
        woken += house.storage.subscriptions.wake(house.now)
    assert woken == 2


def test_nothing_that_is_pushed_is_stored(house: House, hub_that_pushes: Hub) -> None:
    house.brand("aurora")
    hub_that_pushes.push(
        house.anybody(), b"<rss version='2.0'><channel><item><title>Aurora</title></item></channel></rss>"
    )
    assert house.storage.posts.page() == []


@pytest.mark.parametrize("announced", [True, False])
def test_a_push_may_be_as_large_as_a_feed_and_no_larger(
    house: House, hub_that_pushes: Hub, diario: Source, announced: bool
) -> None:
    client = house.anybody()
    assert send(client, b"x" * (LARGEST_PUSH + 1), announced).status_code == 413
    assert not pushed(house, diario)
    assert send(client, b"x" * LARGEST_PUSH, announced).status_code == 202
    assert pushed(house, diario)


def send(client: Client, body: bytes, announced: bool) -> Any:
    async def parts() -> Any:
        for start in range(0, len(body), 2**20):
            yield body[start : start + 2**20]

    headers = {"X-Hub-Signature": f"sha256={sign(SECRET, body)}"}
    return client.post(f"{CALLBACKS}/{TOKEN}", content=body if announced else parts(), headers=headers)


def test_only_here_a_body_may_be_that_large(house: House) -> None:
    assert house.caller().put("/api/v1/brands/a", content=b"x" * (LARGEST_PUSH // 2)).status_code == 413


@pytest.mark.usefixtures("hub_that_pushes")
def test_switched_off_it_is_nobodys_address(house: House) -> None:
    house.deps = replace(house.deps, settings=house.deps.settings.model_copy(update={"websub": False}))
    asked = {"hub.mode": "subscribe", "hub.topic": TOPIC, "hub.challenge": "c"}
    assert house.anybody().get(f"{CALLBACKS}/{TOKEN}", params=asked).status_code == 404
    assert house.anybody().post(f"{CALLBACKS}/{TOKEN}", content=b"x").status_code == 410


def test_other_methods_do_nothing(house: House, hub: Hub, diario: Source) -> None:
    before = known(house, diario)
    assert {house.anybody().request(m, f"{CALLBACKS}/{TOKEN}").status_code for m in ("PUT", "DELETE", "PATCH")} == {405}
    assert known(house, diario) == before
