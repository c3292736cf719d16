"""Reading what strangers sent, in a child process that can be killed.

    source without its secrets, answer as plain values | child: clock, memory | Collector.parse -> Page, or CollectError

A parser can be made to run for minutes or to eat gigabytes by a feed of a megabyte, and can crash outright; here that
costs one child. Each child is spawned, imports only this wing, and is used for many answers.

    time     the kernel's own timer in the child ends it (SIGALRM, not caught): it needs neither this process nor its
             clock, which may be set back. The pool's timeout, by that clock, stands behind it.
    memory   RLIMIT_AS, counted from what the child holds once it is ready
    orphans  a child whose parent is gone sees the parent's sentinel close, and ends itself

Cost: about 0.4 s of start-up and 45 MiB a child, 1 ms an answer (2 cores, November 2026). As everything that is
spawned, a child imports `__main__` again: keep that light.
"""

import asyncio
import logging
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from typing import Any
from urllib.parse import quote

import httpx
from pebble import ProcessExpired, ProcessPool

from collectors import COLLECTORS, KINDS
from collectors.base import CollectError, Page, Recounts, Source

log = logging.getLogger(__name__)

MEBIBYTE = 1024 * 1024
TASKS_PER_CHILD = 1_000  # then a fresh one takes over: what a parser leaks does not add up
GRACE_S = 3.0
HIDDEN = "•••"
_ENDED_BY_TIMER = -signal.SIGALRM


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as plain values, on its way into the child."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    content: bytes
    url: str

    @classmethod
    def of(cls, response: httpx.Response) -> "Answer":
        return cls(response.status_code, tuple(response.headers.raw), response.content, str(response.request.url))

    def response(self) -> httpx.Response:
        return httpx.Response(
            self.status, headers=list(self.headers), content=self.content, request=httpx.Request("GET", self.url)
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """A `CollectError` as plain values, on its way out of the child."""

    code: str
    message: str
    permanent: bool = False
    retry_after_s: float | None = None


class Sandbox:
    """Children that parse. `timeout_s` is for one answer; `memory_mb` is what one may need beyond the child itself."""

    def __init__(self, workers: int = 2, timeout_s: float = 20.0, memory_mb: int = 512) -> None:
        self._workers = workers
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._pool: ProcessPool | None = None
        self._owed: dict[Future[Any], ProcessPool] = {}
        self._closed = False

    async def start(self) -> None:
        """Start the children now and wait until one can work; otherwise the first `parse` does."""
        await self._in_child(self._ready(), _idle, (), None)

    def close(self) -> None:
        """End the children. What they were reading ends in `CollectError("parse_killed")`. Takes up to 3 s."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            self._end(pool)

    async def parse(self, source: Source, response: httpx.Response, ids: tuple[str, ...] | None = None) -> Page:
        """`Collector.parse` of the source's kind; with `ids`, `Recounts.recounted`. Raises `CollectError`:
        `parse_killed` when it took too much time or memory, `parse_error` when it met what it did not expect.
        """
        question = (
            replace(source, secret=None, session=None, settings=dict(source.settings), cursor=dict(source.cursor)),
            Answer.of(response),
            self._timeout_s,
            ids,
        )
        try:
            outcome = await self._surely_in_child(question)
        except TimeoutError:
            raise self._took_too_long() from None
        except ProcessExpired as error:
            if error.exitcode == _ENDED_BY_TIMER:
                raise self._took_too_long() from None
            raise CollectError("parse_killed", "Reading the answer crashed the child process that did it.") from error
        if isinstance(outcome, Refusal):
            message = _untold(outcome.message, source)
            raise CollectError(outcome.code, message, permanent=outcome.permanent, retry_after_s=outcome.retry_after_s)
        if not isinstance(outcome, Page):
            raise TypeError(f"a child gave {type(outcome).__name__}, not a Page")
        return outcome

    async def _surely_in_child(self, question: tuple[Any, ...]) -> Any:
        """Once more, with new children, where the pool itself broke (an idle child was killed from outside)."""
        for _ in range(2):
            pool = self._ready()
            try:
                return await self._in_child(pool, _parse, question, self._timeout_s + GRACE_S)
            except (BrokenProcessPool, RuntimeError) as error:
                if pool.active:
                    raise
                log.warning("the children that parse are gone, new ones are started: %s", error)
                await self._replace(pool)
        raise CollectError("parse_killed", "The child processes that read answers could not be kept alive.")

    async def _in_child(
        self, pool: ProcessPool, work: Callable[..., Any], question: tuple[Any, ...], timeout_s: float | None
    ) -> Any:
        future = pool.schedule(work, args=question, timeout=timeout_s)
        self._owed[future] = pool
        try:
            return await asyncio.wrap_future(future)
        finally:
            del self._owed[future]

    def _took_too_long(self) -> CollectError:
        return CollectError("parse_killed", f"Reading the answer took more than {self._timeout_s:g} s and was ended.")

    def _ready(self) -> ProcessPool:
        if self._closed:
            raise CollectError("parse_killed", "The service is stopping.")
        if self._pool is None:
            self._pool = ProcessPool(
                max_workers=self._workers,
                max_tasks=TASKS_PER_CHILD,
                initializer=_prepare,
                initargs=(self._memory_mb,),
                context=multiprocessing.get_context("spawn"),
            )
        return self._pool

    async def _replace(self, pool: ProcessPool) -> None:
        if self._pool is pool:
            self._pool = None
            await asyncio.to_thread(self._end, pool)

    def _end(self, pool: ProcessPool) -> None:
        """The pool forgets whom it owed an answer: they are told here."""
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()
        for future in [future for future, asked in list(self._owed.items()) if asked is pool]:
            with suppress(InvalidStateError):
                future.set_exception(BrokenProcessPool("the children were ended"))


def _untold(message: str, source: Source) -> str:
    """An error may quote an answer, and an answer the question that it was asked."""
    for secret in filter(None, (source.secret, source.session)):
        message = message.replace(quote(secret, safe=""), HIDDEN).replace(secret, HIDDEN)
    return message


def _prepare(memory_mb: int) -> None:
    """In the child, once: bound its memory and tie its life to its parent's."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(FileNotFoundError), open("/proc/self/statm") as statm:  # elsewhere than on Linux: no bound on memory
        held = int(statm.read().split()[0]) * resource.getpagesize()
        limit = held + memory_mb * MEBIBYTE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _idle() -> None:
    """Nothing, in the child: its answer says that the child is ready."""


def _parse(source: Source, answer: Answer, timeout_s: float, ids: tuple[str, ...] | None) -> Page | Refusal:
    """In the child."""
    signal.setitimer(signal.ITIMER_REAL, timeout_s)
    try:
        kind = KINDS[source.kind]
        if ids is not None and isinstance(kind, Recounts):
            return kind.recounted(source, ids, answer.response())
        return COLLECTORS[source.kind].parse(source, answer.response())
    except CollectError as error:
        return Refusal(error.code, error.message, error.permanent, error.retry_after_s)
    except MemoryError:
        return Refusal("parse_killed", "Reading the answer took more memory than it may.")
    except Exception as error:  # noqa: BLE001 - whatever a parser meets is the source's trouble, not the service's
        return Refusal("parse_error", f"The answer could not be read ({type(error).__name__}: {error})"[:500])
    finally:
        with suppress(MemoryError):
            signal.setitimer(signal.ITIMER_REAL, 0)
