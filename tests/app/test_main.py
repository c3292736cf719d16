"""Everything put together: what may leave, and an app that starts and stops cleanly."""

import asyncio
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from threading import active_count

import httpx
import pytest

from app.main import VERSION, make_app, make_client, make_service
from app.settings import Settings
from collectors.guard import AddressNotAllowed
from tests.app.pipeline.far_end import Answer, FarEnd

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def far_end() -> Iterator[FarEnd]:
    with FarEnd() as far_end:
        far_end.answers["/"] = Answer(200, b"inside")
        far_end.answers["/away"] = Answer(302, headers={"Location": far_end.url("/")})
        yield far_end


def asked(settings: Settings, url: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with make_client(settings) as http:
            return await http.get(url)

    return asyncio.run(ask())


def test_a_private_address_is_refused(far_end: FarEnd) -> None:
    with pytest.raises(AddressNotAllowed, match=r"^address not allowed$"):
        asked(Settings(allow_ports=(far_end.port,)), far_end.url())
    assert far_end.asked == []


def test_a_network_that_the_operator_allows_is_reached(far_end: FarEnd) -> None:
    """The control of the one above: nothing but the setting differs."""
    settings = Settings(allow_networks=LOOPBACK, allow_ports=(far_end.port,))
    assert asked(settings, far_end.url()).content == b"inside"


def test_a_port_that_the_operator_did_not_allow_is_refused(far_end: FarEnd) -> None:
    with pytest.raises(AddressNotAllowed):
        asked(Settings(allow_networks=LOOPBACK), far_end.url())
    assert far_end.asked == []


def test_it_follows_no_redirect_by_itself(far_end: FarEnd) -> None:
    settings = Settings(allow_networks=LOOPBACK, allow_ports=(far_end.port,))
    assert asked(settings, far_end.url("/away")).status_code == 302
    assert [one.path for one in far_end.asked] == ["/away"]


@pytest.mark.parametrize(
    ("contact", "agent"),
    [("", f"Avizor/{VERSION}"), ("ops@example.org", f"Avizor/{VERSION} (+ops@example.org)")],
)
def test_it_says_who_asks(far_end: FarEnd, contact: str, agent: str) -> None:
    asked(Settings(allow_networks=LOOPBACK, allow_ports=(far_end.port,), contact=contact), far_end.url())
    assert far_end.asked[0].headers["user-agent"] == agent


def test_a_proxy_of_the_environment_is_not_used(far_end: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    settings = Settings(allow_networks=LOOPBACK, allow_ports=(far_end.port,))
    assert asked(settings, far_end.url()).status_code == 200


def test_the_app_starts_ready_and_stops_cleanly(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)

    async def story() -> tuple[httpx.Response, httpx.Response, set[str]]:
        service = make_service(settings)
        async with service:
            await asyncio.to_thread(service.storage.migrate)
        app = make_app(settings)
        before = asyncio.all_tasks()
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000") as http,
        ):
            ready, page = await http.get("/readyz"), await http.get("/")
        left = asyncio.all_tasks() - before
        return ready, page, {task.get_name() for task in left if not task.done()}

    threads = active_count()
    ready, page, left = asyncio.run(story())
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    assert ready.json()["checks"] == {"database": "ok", "scheduler": "ok"}
    assert page.status_code < 400
    assert left == set()
    assert active_count() <= threads


def test_an_app_without_its_tables_is_not_ready(tmp_path: Path) -> None:
    """The control of the one above: what is not there is not called ready."""

    async def story() -> httpx.Response:
        app = make_app(Settings(data_dir=tmp_path))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000") as http:
            return await http.get("/readyz")

    answer = asyncio.run(story())
    assert answer.status_code == 503
    assert answer.json()["ready"] is False


def test_making_an_app_starts_nothing(tmp_path: Path) -> None:
    threads = active_count()
    make_app(Settings(data_dir=tmp_path))
    assert active_count() <= threads
    assert list(tmp_path.iterdir()) == []
