"""The runner: drives one hop over a bus, and owns all that a hop must not know.

Batches, one transaction for outputs, rejects, the hop's state and offsets, retries with backoff, isolation of a poison
record, the limit on rejects, draining, and metrics. The hop works in a thread of its own; the calling thread alone
touches the subscription and keeps its place alive meanwhile.
"""

import errno
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

import structlog

from schemas import metrics
from schemas.errors import Code, Kind, SynopticError, fault_location
from schemas.settings import BusSettings
from workers.bus import Batch, Bus, Outgoing, Record, check_size
from workers.hop import Hop, Result
from workers.rejects import load_state, rejected

POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 1.0
SCARCE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EROFS})
logger = structlog.get_logger()


@dataclass(frozen=True)
class Backoff:
    """How long to wait between attempts; `attempts` None: for ever, as a bus that holds the work allows."""

    first: float = 0.5
    most: float = 30.0
    attempts: int | None = None

    def seconds(self, attempt: int) -> float:
        """The wait after the failed `attempt` (from 1), doubled each time, with jitter against a herd."""
        return min(self.most, self.first * 2.0 ** min(attempt - 1, 16)) * random.uniform(0.5, 1.0)  # noqa: S311


class Runner:
    """Runs one hop until told to stop."""

    def __init__(self, hop: Hop, bus: Bus, settings: BusSettings, backoff: Backoff | None = None) -> None:
        """Join the hop's consumer group; raises SYN-507 where the hop stopped and nobody has acknowledged it."""
        self.hop = hop
        self._bus = bus
        self._settings = settings
        self._backoff = backoff or Backoff()
        self._stop = threading.Event()
        self._unfinished = False
        self._state = load_state(bus, hop.name, settings.instance_id)
        self._refuse_if_stopped()
        self.group = f"synoptic-{hop.name}"
        self._subscription = bus.subscribe(self.group, hop.topics)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=hop.name)

    def stop(self) -> None:
        """Ask to drain: the batch in work is finished and committed, then `run` returns."""
        self._stop.set()

    def run(self) -> None:
        """Process batches until `stop`; raises a fatal error where going on makes no sense."""
        while not self._stop.is_set():
            self.step(POLL_SECONDS)

    def step(self, timeout: float = 0.0) -> int:
        """Process one batch, trying again as long as the backoff allows; returns how many records it held."""
        attempt = 0
        while True:
            try:
                return self._once(timeout)
            except SynopticError as error:
                attempt += 1
                if error.code.kind is not Kind.RETRY or attempt == self._backoff.attempts:
                    raise
                metrics.RETRIES.add(hop=self.hop.name, code=error.code.label)
                logger.warning("waiting to try again", hop=self.hop.name, error=error, attempt=attempt)
                if self._stop.wait(self._backoff.seconds(attempt)):
                    return 0

    def close(self) -> None:
        """Leave the group and end the worker thread."""
        self._worker.shutdown(wait=True)
        self._subscription.close()

    def _once(self, timeout: float) -> int:
        if self._unfinished:
            self._subscription.rewind()
        self._unfinished = True
        batch = self._subscription.poll(self._settings.batch_size, timeout)
        if batch.records:
            self._work(batch)
        self._unfinished = False
        self._refuse_if_stopped()
        return len(batch.records)

    def _work(self, batch: Batch) -> None:
        began = time.monotonic()
        results = self._in_worker(batch.records)
        outgoing, errors = self._gather(batch.records, results)
        state = self._state.after([error is not None for error in errors], self._settings)
        # A window without rejects says no more than an absent one, so it is written only while it holds one.
        if "r" in state.recent or "r" in self._state.recent:
            outgoing.append(state.outgoing(self._settings.instance_id))
        self._subscription.commit(batch, outgoing)
        self._state = state
        self._report(batch, results, errors, time.monotonic() - began)

    def _in_worker(self, records: Sequence[Record]) -> list[Result]:
        future = self._worker.submit(self._process, records)
        while not wait([future], timeout=HEARTBEAT_SECONDS).done:
            self._subscription.heartbeat()
        return future.result()

    def _process(self, records: Sequence[Record]) -> list[Result]:
        """One result a record; a fault that names no record is narrowed down by halves to the record that causes it."""
        try:
            return self._attempt(records)
        except SynopticError as error:
            if error.code.kind is not Kind.REJECT:
                raise
            if len(records) == 1:
                return [Result(error=error)]
        middle = len(records) // 2
        return self._process(records[:middle]) + self._process(records[middle:])

    def _attempt(self, records: Sequence[Record]) -> list[Result]:
        """The hop's own results; whatever else it does becomes a numbered error without the fault's text."""
        try:
            results = self.hop.process(records)
        except SynopticError:
            raise
        except OSError as error:
            if error.errno in SCARCE:
                raise SynopticError(Code.OUT_OF_RESOURCES, errno.errorcode[error.errno]) from None
            raise SynopticError(Code.UNEXPECTED, fault_location(error)) from None
        except Exception as error:
            raise SynopticError(Code.UNEXPECTED, fault_location(error)) from None
        if len(results) != len(records):
            raise SynopticError(Code.UNEXPECTED, f"{len(results)} results of {len(records)} records")
        for result in results:
            if result.error is not None and result.error.code.kind is not Kind.REJECT:
                raise result.error
        return results

    def _gather(
        self, records: Sequence[Record], results: Sequence[Result]
    ) -> tuple[list[Outgoing], list[SynopticError | None]]:
        outgoing: list[Outgoing] = []
        errors: list[SynopticError | None] = []
        for record, result in zip(records, results, strict=True):
            error = result.error or self._too_large(result)
            errors.append(error)
            outgoing += [rejected(record, error, self.hop.name)] if error else result.outgoing
        return outgoing, errors

    def _too_large(self, result: Result) -> SynopticError | None:
        try:
            for message in result.outgoing:
                check_size(message, self._settings.maximum_message_bytes)
        except SynopticError as error:
            return error
        return None

    def _report(
        self, batch: Batch, results: Sequence[Result], errors: Sequence[SynopticError | None], seconds: float
    ) -> None:
        name = self.hop.name
        for record, result, error in zip(batch.records, results, errors, strict=True):
            outcome = "rejected" if error else "ignored" if result.ignored is not None else "processed"
            metrics.RECORDS.add(hop=name, outcome=outcome)
            if error:
                metrics.REJECTED.add(hop=name, code=error.code.label)
                logger.warning(
                    "record rejected",
                    hop=name,
                    error=error,
                    topic=record.topic,
                    partition=record.partition,
                    offset=record.offset,
                )
        metrics.BATCH_SECONDS.observe(seconds, hop=name)
        logger.info("batch done", hop=name, records=len(batch.records), seconds=round(seconds, 3))

    def _refuse_if_stopped(self) -> None:
        if self._state.stopped:
            raise SynopticError(Code.REJECTED_SHARE, self._state.summary)


def run_until_idle(runners: Sequence[Runner]) -> int:
    """Step all runners in turn until none finds a record; returns how many records were processed."""
    total = 0
    while done := sum(runner.step() for runner in runners):
        total += done
    return total
