"""The whole way of a push: a feed names its hub, which is asked, comes back, pushes; and the feed is asked at once."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import httpx
import pytest

from app.model import MentionFilter
from app.pipeline import CollectReport
from app.pipeline.subscribe import Subscribe
from app.storage import Storage
from app.storage.records import Archive
from app.storage.subscriptions import Subscription
from collectors.due import fresh
from collectors.fetch import Hosts
from collectors.guard import GuardedTransport
from collectors.sandbox import Sandbox
from tests.app.api.house import SETTINGS, Client, House
from tests.app.hub import Hub
from tests.app.pipeline.far_end import Answer, FarEnd, Feed, HandClock, client, collector

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SLOWEST = timedelta(seconds=6 * 900)
ATOM = "http://www.w3.org/2005/Atom"
Desk = Any


class NamingFeed(Feed):
    """A feed that names a hub, and calls itself `topic`."""

    def __init__(self, hub: str | None, topic: str = "https://barrio.example/feed.xml") -> None:
        super().__init__()
        self.hub = hub
        self.topic = topic
        self.tags = False

    def body(self) -> bytes:
        links = f'<a:link rel="self" href="{self.topic}"/><a:link rel="hub" href="{self.hub}"/>' if self.hub else ""
        return (
            super()
            .body()
            .replace(b"<title>f</title>", f"<title>f</title>{links}".encode())
            .replace(b"<rss ", f'<rss xmlns:a="{ATOM}" '.encode())
        )


class Way:
    """What stands between a feed and its mentions, walked step by step."""

    def __init__(self, desk: Desk, sandbox: Sandbox, loop: asyncio.AbstractEventLoop) -> None:
        self.desk = desk
        self.storage: Storage = desk.storage
        self.far_end: FarEnd = desk.far_end
        self.clock: HandClock = desk.clock
        self.sandbox = sandbox
        self.hub = Hub(self.far_end)
        self.feed = NamingFeed(self.hub.url)
        self.far_end.answers["/barrio"] = self.feed
        desk.brand()
        desk.source()
        nothing: Any = None
        house = House(self.storage, nothing, loop)
        house.deps = _with(house, self.clock)
        self.app: Client = house.anybody()

    def collect(self) -> CollectReport:
        async def walk() -> CollectReport:
            async with asyncio.timeout(20), client(self.far_end.port) as http:
                return await collector(self.storage, self.sandbox, http, self.clock, websub=True).run()

        return asyncio.run(walk())

    def subscribe(self, *, outside_allows: bool = False) -> None:
        async def walk() -> None:
            walls = GuardedTransport(
                allow_networks=(ip_network("127.0.0.0/8"),) if outside_allows else (), allow_ports=(self.far_end.port,)
            )
            async with (
                asyncio.timeout(20),
                client(self.far_end.port) as http,
                httpx.AsyncClient(transport=walls, trust_env=False) as outside,
            ):
                await Subscribe(
                    storage=self.storage,
                    http=http,
                    outside=outside,
                    hosts=Hosts(gap_s=0),
                    clock=self.clock,
                    public_url="http://avizor.test",
                ).run()

        asyncio.run(walk())

    def pushed(self) -> None:
        """The hub pushes, and whoever is due for it is asked."""
        assert self.hub.push(self.app, b"<rss/>").status_code == 202
        self.subscribe()
        self.collect()

    def known(self) -> Subscription | None:
        source = self.desk.seen()
        return self.storage.subscriptions.of([source.id]).get(source.id)

    def wait(self) -> timedelta:
        wait: timedelta = self.desk.seen().next_due_at - self.clock.now
        return wait

    def mentions(self) -> list[str]:
        return sorted(one.title for one in self.storage.mentions.page(MentionFilter()))

    def trust(self) -> None:
        """As far as the first signed push."""
        self.feed.says("Aurora abre", self.clock.now - DAY)
        self.collect()
        self.subscribe()
        assert self.hub.verify(self.app).status_code == 200
        self.clock.now += MINUTE
        self.pushed()


def _with(house: House, clock: HandClock) -> Any:
    return replace(house.deps, settings=SETTINGS.model_copy(update={"websub": True}), clock=clock)


@pytest.fixture
def way(desk: Desk, sandbox: Sandbox) -> Iterator[Way]:
    with asyncio.Runner() as runner:
        yield Way(desk, sandbox, runner.get_loop())


def test_what_is_pushed_is_a_mention_within_a_minute(way: Way) -> None:
    way.trust()
    assert way.wait() >= SLOWEST
    way.clock.now += 2 * MINUTE
    way.feed.says("Aurora cierra", way.clock.now)
    assert way.collect().visited == 0  # the control: without a push nobody would look
    way.pushed()
    assert way.mentions() == ["Nota g0", "Nota g1"]


def test_a_hub_is_asked_as_the_specification_says(way: Way) -> None:
    way.collect()
    way.subscribe()
    (form,) = way.hub.forms
    assert way.hub.media_types == {"application/x-www-form-urlencoded"}
    assert {name: form[name] for name in ("hub.mode", "hub.topic", "hub.lease_seconds")} == {
        "hub.mode": "subscribe",
        "hub.topic": "https://barrio.example/feed.xml",
        "hub.lease_seconds": "864000",
    }
    base, _, token = form["hub.callback"].rpartition("/")
    assert base == "http://avizor.test/api/v1/websub"
    assert len(token) == len(form["hub.secret"]) == 43
    assert token != form["hub.secret"]


def test_a_hub_is_not_trusted_before_its_first_push(way: Way) -> None:
    way.feed.says("Aurora abre", way.clock.now - DAY)
    way.collect()
    way.subscribe()
    way.hub.verify(way.app)
    way.clock.now += HOUR
    way.collect()
    assert way.wait() < SLOWEST / 2
    way.pushed()
    assert way.wait() >= SLOWEST


def test_polling_goes_on_and_the_source_stays_fresh(way: Way) -> None:
    way.trust()
    for _ in range(5):
        assert SLOWEST <= way.wait() <= SLOWEST * 1.1
        way.clock.now += way.wait()
        assert fresh(way.desk.seen(), way.clock.now)
        assert way.collect().visited == 1


def test_a_hub_that_keeps_silent_is_not_relied_on_any_more(way: Way) -> None:
    way.trust()
    way.feed.says("Aurora cierra", way.clock.now + HOUR)
    way.clock.now += 2 * HOUR
    way.collect()
    assert way.mentions() == ["Nota g0", "Nota g1"]
    assert way.wait() <= timedelta(seconds=900 * 1.1)
    found = way.known()
    assert found is not None
    assert found.pushed_at is None
    way.pushed()
    assert way.wait() >= SLOWEST  # until it pushes again


def test_after_its_lease_a_hub_is_not_relied_on(way: Way) -> None:
    way.trust()
    way.clock.now += 11 * DAY
    way.collect()
    way.feed.says("Aurora cierra", way.clock.now + HOUR)
    way.clock.now += 2 * HOUR
    way.collect()
    assert way.wait() <= timedelta(seconds=900 * 1.1)


def test_a_subscription_is_renewed_before_its_lease_ends(way: Way) -> None:
    way.trust()
    first = way.hub.forms[-1]
    way.clock.now += 7 * DAY
    way.subscribe()
    assert len(way.hub.forms) == 1
    way.clock.now += 12 * HOUR
    way.subscribe()
    assert way.hub.forms[1] == first
    way.hub.verify(way.app)
    found = way.known()
    assert found is not None
    assert found.lease_until == way.clock.now + 10 * DAY


@pytest.mark.parametrize(("status", "state"), [(200, "asked"), (202, "asked"), (204, "asked")])
def test_any_success_means_that_it_comes_back(way: Way, status: int, state: str) -> None:
    way.hub.answer = Answer(status)
    way.collect()
    way.subscribe()
    found = way.known()
    assert found is not None
    assert (found.state, found.last_error) == (state, None)


@pytest.mark.parametrize("answer", [Answer(400), Answer(503), Answer(307, headers={"Location": "/elsewhere"})])
def test_a_hub_that_refuses_costs_its_source_nothing(way: Way, answer: Answer) -> None:
    way.hub.answer = answer
    way.collect()
    way.subscribe()
    found = way.known()
    assert found is not None
    assert (found.state, bool(found.last_error)) == ("refused", True)
    assert (way.desk.seen().state, way.desk.seen().fail_count) == ("ok", 0)
    way.hub.answer = Answer(202)
    way.clock.now += HOUR
    way.subscribe()
    assert way.hub.verify(way.app).status_code == 200


def test_a_hub_that_asks_for_a_rest_gets_it(way: Way) -> None:
    way.hub.answer = Answer(503, headers={"Retry-After": str(5 * 3600)})
    way.collect()
    way.subscribe()
    way.clock.now += 5 * HOUR - MINUTE
    way.subscribe()
    assert len(way.hub.forms) == 1
    way.clock.now += MINUTE
    way.subscribe()
    assert len(way.hub.forms) == 2


def test_a_stranger_cannot_make_us_post_into_the_house(way: Way) -> None:
    """The feed stands at 127.0.0.1, the hub that it names at localhost: another host, inside."""
    way.feed.hub = f"http://localhost:{way.far_end.port}/hub"
    way.collect()
    way.subscribe()
    assert way.hub.forms == []
    found = way.known()
    assert found is not None
    assert "address_not_allowed" in (found.last_error or "")
    way.clock.now += HOUR
    way.subscribe(outside_allows=True)  # the control: nothing but that wall was in the way
    assert len(way.hub.forms) == 1


def test_an_archived_source_leaves_its_hub(way: Way) -> None:
    way.trust()
    way.storage.apply([Archive("source", "barrio")], way.clock.now)
    way.subscribe()
    assert way.hub.forms[-1]["hub.mode"] == "unsubscribe"
    assert way.hub.verify(way.app).status_code == 200
    assert way.hub.subscribers == {}


def test_a_hub_that_is_named_no_more_is_left(way: Way) -> None:
    way.trust()
    way.feed.hub = None
    way.clock.now += DAY
    way.collect()
    way.subscribe()
    assert way.hub.forms[-1]["hub.mode"] == "unsubscribe"
    assert way.hub.push(way.app, b"<rss/>").status_code == 410


def test_switched_off_no_hub_is_noted(way: Way) -> None:
    async def walk() -> None:
        async with asyncio.timeout(20), client(way.far_end.port) as http:
            await collector(way.storage, way.sandbox, http, way.clock).run()

    asyncio.run(walk())
    assert way.known() is None
    way.clock.now += HOUR
    way.feed.says("Aurora abre", way.clock.now)
    way.collect()  # the control
    assert way.known() is not None
