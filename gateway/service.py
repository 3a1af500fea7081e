"""Runs several hops at once, one thread each, until asked to stop or until one of them cannot go on.

A hop that stands alone, as a registry's does, ends alone: the others go on without it.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import structlog

from workers.hop import HopStatus, StandsAlone
from workers.runner import Runner

LOOK_SECONDS = 0.1
HOUSE_SECONDS = 1.0
logger = structlog.get_logger()


class Service:
    """The threads of `synoptic run`; when one hop fails that others need, all drain."""

    def __init__(
        self,
        runners: Sequence[Runner],
        housekeeping: Callable[[], None],
        period: float = 60.0,
        stopping: threading.Event | None = None,
    ) -> None:
        """Take the runners, what to do about every `period` seconds, and what tells the hops."""
        self._stopping = stopping or threading.Event()
        self._runners = runners
        self._housekeeping = housekeeping
        self._period = period
        # A plain flag: a lock that a signal handler shares with the interrupted code could never be had.
        self._asked = self._broken = False
        self._ended = threading.Event()
        self._failures: list[Exception] = []

    def stop(self) -> None:
        """Ask all hops to drain (safe in a signal handler)."""
        self._asked = True

    def statuses(self) -> list[HopStatus]:
        """How each hop is doing."""
        return [runner.status for runner in self._runners]

    def run(self) -> None:
        """Run until all hops have drained; raises the error of the first hop that failed."""
        # Threads that wait for a broker that is away are not waited for: neither to keep house nor to join.
        threads = [
            threading.Thread(target=self._run_hop, args=(runner,), name=f"{runner.hop.name}-runner", daemon=True)
            for runner in self._runners
        ]
        house = threading.Thread(target=self._keep_house, name="housekeeping", daemon=True)
        for thread in (*threads, house):
            thread.start()
        while self._works(threads):
            if self._asked or self._broken:
                self._stopping.set()
                for runner in self._runners:
                    runner.stop()
            time.sleep(LOOK_SECONDS)
        self._ended.set()
        house.join(HOUSE_SECONDS)
        with ExitStack() as stack:
            for runner in self._runners:
                stack.callback(runner.close)
        if self._failures:
            raise self._failures[0]

    def _works(self, threads: Sequence[threading.Thread]) -> bool:
        """True while a hop runs; once all were told to stop, one that has no place yet takes no work any more."""
        told = self._stopping.is_set()
        return any(
            thread.is_alive() and (runner.has_place or not told)
            for thread, runner in zip(threads, self._runners, strict=True)
        )

    def _run_hop(self, runner: Runner) -> None:
        try:
            runner.run()
        except Exception as error:
            self._failures.append(error)
            self._broken |= not isinstance(runner.hop, StandsAlone)
            logger.error("hop stopped", hop=runner.hop.name, exc_info=error)

    def _keep_house(self) -> None:
        while True:
            try:
                self._housekeeping()
            except Exception as error:
                logger.warning("housekeeping failed", exc_info=error)
            if self._ended.wait(self._period):
                return


@contextmanager
def signals_stop(service: Service) -> Iterator[None]:
    """While inside, SIGTERM and SIGINT drain the service instead of ending the process."""
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in previous:
        signal.signal(number, lambda *_: service.stop())
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
