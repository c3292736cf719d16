"""Reading in a child: whatever happens to it, the caller gets a Page or an error in words, and the next is read."""

import asyncio
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from collectors import COLLECTORS
from collectors.base import CollectError, Page, Query, Source
from collectors.sandbox import Sandbox

URL = "https://correo.example/portada.xml"
SOURCE = Source(
    1,
    "correo",
    "Correo",
    "rss",
    url=URL,
    secret="muy secreto",
    session="muy secreto",
    queries=(Query("lumbre", ("lumbre",)),),
    cursor={"a": 1},
)
FEED = b"<rss version='2.0'><channel><title>Correo</title><item><title>Lumbre cae</title></item></channel></rss>"
SLOW = b"<rss version='2.0'><channel><item><title>" + b"&" * 4_000_000 + b"</title></item></channel></rss>"
GREEDY = FEED.replace(b"<item>", b"<item><title>otra</title></item>" * 60_000 + b"<item>")


def answer(content: bytes) -> httpx.Response:
    return httpx.Response(200, content=content, headers={"Content-Type": "text/xml"}, request=httpx.Request("GET", URL))


@pytest.fixture(autouse=True)
def _only_ours() -> None:
    """Other tests may keep a sandbox of their own at work for the whole session."""
    _others.clear()
    _others.update(children())


_others: set[int] = set()


def children() -> list[int]:
    alive = (child for child in multiprocessing.active_children() if child.name.startswith("pebble"))
    return [child.pid for child in alive if child.pid and child.pid not in _others]


def run(work: Callable[[Sandbox], Coroutine[Any, Any, None]], **limits: Any) -> None:
    sandbox = Sandbox(**{"workers": 1, "timeout_s": 10.0, **limits})

    async def whole() -> None:
        await sandbox.start()
        await work(sandbox)

    try:
        asyncio.run(whole())
    finally:
        sandbox.close()
    assert not children()


async def refused(sandbox: Sandbox, content: bytes, source: Source = SOURCE) -> CollectError:
    with pytest.raises(CollectError) as error:
        await sandbox.parse(source, answer(content))
    return error.value


def test_it_reads_as_the_collector_would_have_here() -> None:
    async def work(sandbox: Sandbox) -> None:
        assert await sandbox.parse(SOURCE, answer(FEED)) == COLLECTORS["rss"].parse(SOURCE, answer(FEED))

    run(work)


def test_many_answers_at_once_are_all_read_by_few_children() -> None:
    async def work(sandbox: Sandbox) -> None:
        feeds = [FEED.replace(b"cae", str(n).encode()) for n in range(40)]
        pages = await asyncio.gather(*(sandbox.parse(SOURCE, answer(feed)) for feed in feeds))
        assert [page.posts[0].title for page in pages] == [f"Lumbre {n}" for n in range(40)]
        assert len(children()) == 2

    run(work, workers=2)


def test_what_the_collector_refuses_comes_out_as_it_said_it() -> None:
    async def work(sandbox: Sandbox) -> None:
        error = await refused(sandbox, b"<html><body>Mantenimiento</body></html>")
        assert error.code == "not_a_feed"
        assert "web page" in error.message

    run(work)


def test_what_nobody_foresaw_is_the_sources_trouble_and_not_the_services() -> None:
    async def work(sandbox: Sandbox) -> None:
        error = await refused(sandbox, FEED, replace(SOURCE, kind="no-such-kind"))
        assert error.code == "parse_error"
        assert (await sandbox.parse(SOURCE, answer(FEED))).posts

    run(work)


def test_an_answer_that_repeats_the_question_does_not_tell_the_secret() -> None:
    asking = Source(1, "guardian", "G", "guardian", secret="clave secreta", queries=(Query("lumbre", ("lumbre",)),))

    async def work(sandbox: Sandbox) -> None:
        for told in (b"clave secreta", b"clave%20secreta"):
            with pytest.raises(CollectError) as refused:
                await sandbox.parse(asking, answer(b"no page /search?api-key=" + told))
            assert "api-key" in refused.value.message
            assert "secreta" not in refused.value.message

    run(work)


def test_no_secret_goes_into_the_child() -> None:
    crossed: list[Any] = []

    class Watched(Sandbox):
        async def _in_child(self, pool: Any, work: Any, question: tuple[Any, ...], timeout_s: float | None) -> Any:
            crossed.append(question)
            return Page(posts=())

    asyncio.run(Watched().parse(SOURCE, answer(FEED)))
    assert b"correo" in pickle.dumps(crossed)
    assert b"muy secreto" not in pickle.dumps(crossed)


def test_reading_that_takes_too_long_is_ended_and_the_next_answer_is_read() -> None:
    async def work(sandbox: Sandbox) -> None:
        started = time.monotonic()
        error = await refused(sandbox, SLOW)
        assert error.code == "parse_killed"
        assert "0.5 s" in error.message
        assert time.monotonic() - started < 4
        assert (await sandbox.parse(SOURCE, answer(FEED))).posts

    run(work, timeout_s=0.5)


def test_a_clock_that_is_set_back_does_not_keep_it_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time

    async def work(sandbox: Sandbox) -> None:
        reading = asyncio.create_task(refused(sandbox, SLOW))
        await asyncio.sleep(0.2)
        monkeypatch.setattr(time, "time", lambda: now() - 3600)
        started = time.monotonic()
        assert (await reading).code == "parse_killed"
        assert time.monotonic() - started < 4

    run(work, timeout_s=0.5)


def test_reading_that_eats_memory_is_ended_and_the_next_answer_is_read() -> None:
    async def work(sandbox: Sandbox) -> None:
        assert (await refused(sandbox, GREEDY)).code == "parse_killed"
        assert (await sandbox.parse(SOURCE, answer(FEED))).posts

    run(work, memory_mb=24)


def test_the_control_with_memory_enough_it_is_read() -> None:
    async def work(sandbox: Sandbox) -> None:
        assert (await sandbox.parse(SOURCE, answer(GREEDY))).posts

    run(work)


def test_a_child_that_dies_costs_one_answer() -> None:
    async def work(sandbox: Sandbox) -> None:
        reading = asyncio.create_task(refused(sandbox, SLOW))
        await asyncio.sleep(0.3)
        os.kill(children()[0], signal.SIGKILL)
        assert (await reading).code == "parse_killed"
        assert (await sandbox.parse(SOURCE, answer(FEED))).posts

    run(work)


def test_a_child_that_dies_while_it_waits_costs_nothing() -> None:
    async def work(sandbox: Sandbox) -> None:
        for _ in range(3):
            os.kill(children()[0], signal.SIGKILL)
            assert (await sandbox.parse(SOURCE, answer(FEED))).posts

    run(work)


def test_closing_does_not_leave_anybody_waiting() -> None:
    async def work(sandbox: Sandbox) -> None:
        reading = asyncio.create_task(refused(sandbox, SLOW))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(sandbox.close)
        assert (await asyncio.wait_for(reading, 5)).code == "parse_killed"
        assert (await refused(sandbox, FEED)).code == "parse_killed"

    run(work)


PARENT = """
    import asyncio, multiprocessing, sys
    import httpx
    from collectors.base import Source
    from collectors.sandbox import Sandbox

    async def main():
        sandbox = Sandbox(workers=2, timeout_s=60)
        await sandbox.start()
        busy = b"<rss version='2.0'><channel><item><title>" + b"&" * 9_000_000 + b"</title></item></channel></rss>"
        url = "https://correo.example/"
        response = httpx.Response(200, content=busy, request=httpx.Request("GET", url))
        reading = asyncio.create_task(sandbox.parse(Source(1, "x", "x", "rss", url=url), response))
        await asyncio.sleep(0.5)
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        await reading

    if __name__ == "__main__":
        asyncio.run(main())
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    script = tmp_path / "parent.py"
    script.write_text(textwrap.dedent(PARENT))
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    yield process
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


def alive(pid: int) -> bool:
    """A zombie is dead: whoever inherits it may be slow to bury it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_no_child_survives_a_parent_that_is_killed(parent: subprocess.Popen[str]) -> None:
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    assert all(alive(pid) for pid in pids)
    parent.kill()
    until = time.monotonic() + 5
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in pids if alive(pid)]
