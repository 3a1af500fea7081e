"""Runs several hops at once, one thread each, until asked to stop or until one of them cannot go on."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog

from workers.runner import Runner

LOOK_SECONDS = 0.1
logger = structlog.get_logger()


class Service:
    """The threads of `synoptic run`; when one hop fails, all drain."""

    def __init__(self, runners: Sequence[Runner], housekeeping: Callable[[], None], period: float = 60.0) -> None:
        """Take runners that have joined their groups, and what to do about every `period` seconds."""
        self._runners = runners
        self._housekeeping = housekeeping
        self._period = period
        # A plain flag: a lock that a signal handler shares with the interrupted code could never be had.
        self._asked = False
        self._failures: list[Exception] = []

    def stop(self) -> None:
        """Ask all hops to drain (safe in a signal handler)."""
        self._asked = True

    def run(self) -> None:
        """Run until all hops have drained; raises the error of the first hop that failed."""
        threads = [
            threading.Thread(target=self._run_hop, args=(runner,), name=f"{runner.hop.name}-runner")
            for runner in self._runners
        ]
        for thread in threads:
            thread.start()
        due = 0.0
        while any(thread.is_alive() for thread in threads):
            if self._asked or self._failures:
                for runner in self._runners:
                    runner.stop()
            elif time.monotonic() >= due:
                self._keep_house()
                due = time.monotonic() + self._period
            time.sleep(LOOK_SECONDS)
        for runner in self._runners:
            runner.close()
        if self._failures:
            raise self._failures[0]

    def _run_hop(self, runner: Runner) -> None:
        try:
            runner.run()
        except Exception as error:
            self._failures.append(error)
            logger.error("hop stopped", hop=runner.hop.name, exc_info=error)

    def _keep_house(self) -> None:
        try:
            self._housekeeping()
        except Exception as error:
            logger.warning("housekeeping failed", exc_info=error)


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
