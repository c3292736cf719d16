"""The walk over the backtests that were asked for over the API: one at a time, in a worker thread.

    waiting backtest | claim | run | report how far it is  > result, or why there is none

It goes on after a restart: what was under way is begun anew.
"""

import logging
import time
from threading import Event as Flag
from threading import Lock

from app.clock import Clock
from app.pipeline.backtest import run, to_mapping
from app.pipeline.question import BacktestError, of_question
from app.storage import LeaseLost, Storage
from app.storage.backtests import Claimed

log = logging.getLogger(__name__)

REPORT_S = 1.0


class Stopped(Exception):
    """The service ends: what is under way is begun anew at its next start."""


class Backtests:
    """The walk over what was asked. Synchronous: call it from a worker thread; a long one is under way for minutes."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._stop = Flag()
        self._working = Lock()

    def run(self) -> bool:
        """Work on the one that has waited longest. False where none waits, or one is under way."""
        if self._stop.is_set() or not self._working.acquire(blocking=False):
            return False
        try:
            claimed = self._storage.backtests.claim(self._clock())
            if claimed is not None:
                self._answer(claimed)
            return claimed is not None
        finally:
            self._working.release()

    def stop(self) -> None:
        """Leave what is under way to the next start, and wait until it is left."""
        self._stop.set()
        with self._working:
            pass

    def _answer(self, claimed: Claimed) -> None:
        report = _Report(self._storage, self._clock, self._stop, claimed)
        backtest_id = claimed.backtest.id
        try:
            result = run(self._storage, of_question(claimed.backtest.question), report)
            self._storage.backtests.finish(report.claimed, to_mapping(result))
            log.info("backtest %s: %s pages a brand and month", backtest_id, result.pages_per_brand_month)
        except Stopped:
            self._storage.backtests.give_back(report.claimed)
        except LeaseLost as lost:
            log.warning("%s: somebody else has taken it over", lost)
        except BacktestError as error:
            self._storage.backtests.fail(report.claimed, str(error))
        except Exception:
            # A bug in one must not be tried for ever; the log has the rest.
            log.exception("backtest %s failed", backtest_id)
            self._storage.backtests.fail(report.claimed, "it failed; the log says why")


class _Report:
    """Writes down how far a backtest is, at most once a second."""

    def __init__(self, storage: Storage, clock: Clock, stop: Flag, claimed: Claimed) -> None:
        self.claimed = claimed
        self._storage = storage
        self._clock = clock
        self._stop = stop
        self._told = time.monotonic()

    def __call__(self, progress: float) -> None:
        if self._stop.is_set():
            raise Stopped
        if time.monotonic() - self._told >= REPORT_S:
            self.claimed = self._storage.backtests.report(self.claimed, progress, self._clock())
            self._told = time.monotonic()
