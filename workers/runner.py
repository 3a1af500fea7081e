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
from dataclasses import dataclass, replace

import structlog

from schemas import metrics
from schemas.errors import Code, Kind, SynopticError, fault_location
from schemas.settings import BusSettings
from workers.buses.bus import Batch, Bus, Outgoing, Record, Subscription, check_size
from workers.hop import Hop, HopStatus, Result, SealsRejects, StandsAlone, group_of
from workers.received import Receptions, handed_on
from workers.rejects import HopState, load_state, rejected, stub

POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 1.0
WAITS = frozenset({Code.NOT_DUE, Code.REGISTRY_PAUSED})
"""No trouble: there is nothing to do at present, and that was somebody's will."""
SCARCE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EROFS})
logger = structlog.get_logger()


@dataclass(frozen=True)
class Backoff:
    """How long to wait between attempts; `attempts` None: for ever, as a bus that holds the work allows."""

    first: float = 0.5
    most: float = 30.0
    attempts: int | None = None
    longest_asked: float = 300.0

    def seconds(self, attempt: int, asked: float | None = None) -> float:
        """The wait after the failed `attempt` (from 1), doubled each time, with jitter against a herd.

        Where the other side asked for a time, that time comes first, but no more than `longest_asked` of it.
        """
        own = min(self.most, self.first * 2.0 ** min(attempt - 1, 16)) * random.uniform(0.5, 1.0)  # noqa: S311
        return min(max(asked or 0.0, 0.0), self.longest_asked) + own


class Runner:
    """Runs one hop until told to stop."""

    def __init__(self, hop: Hop, bus: Bus, settings: BusSettings, backoff: Backoff | None = None) -> None:
        """Take what to run; the first step joins the hop's consumer group.

        `waits` tells that the last step found only records that are not due.
        """
        self.hop = hop
        self._bus = bus
        self._settings = settings
        self._backoff = backoff or Backoff()
        self._stop = threading.Event()
        self._unfinished = False
        self._joined = self._failed = False
        self.waits = False
        self._error: Code | None = None
        self._progress = self._life = time.monotonic()
        self._receptions = Receptions()
        self._state = HopState(hop=hop.name)
        self._most = settings.batch_size
        self._refused: dict[tuple[str, int, int], SynopticError] = {}
        self.group = group_of(hop.name)
        self._subscription: Subscription | None = None
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=hop.name)

    def join(self) -> Subscription:
        """The place in the hop's consumer group, taken at the first call.

        Raises SYN-507 where the hop stopped and nobody has acknowledged it.
        """
        if self._subscription is None:
            # This ends what a killed predecessor left open: only then can be read what state it left.
            subscription = self._bus.subscribe(self.group, self.hop.topics)
            try:
                self._state = load_state(self._bus, self.hop.name, self._settings.instance_id)
                self._refuse_if_stopped()
            except BaseException:
                subscription.close()
                raise
            self._subscription = subscription
        return self._subscription

    def stop(self) -> None:
        """Ask to drain: the batch in work is finished and committed, then `run` returns."""
        self._stop.set()

    @property
    def has_place(self) -> bool:
        """True once it has joined; a runner that is told to stop before that begins nothing any more."""
        return self._subscription is not None

    @property
    def status(self) -> HopStatus:
        """How the hop is doing; may be asked from any thread."""
        now = time.monotonic()
        return HopStatus(
            hop=self.hop.name,
            joined=self._joined,
            alive=not self._failed,
            silent_seconds=now - self._life,
            idle_seconds=now - self._progress,
            error=self._error,
            stands_alone=isinstance(self.hop, StandsAlone),
        )

    def is_idle(self) -> bool:
        """True where the last step found nothing, and nothing is left to read but what is not due."""
        return self.waits or not any(self._bus.lag(self.group, self.hop.topics).values())

    def run(self) -> None:
        """Process batches until `stop`; raises a fatal error where going on makes no sense."""
        try:
            while not self._stop.is_set():
                self.step(POLL_SECONDS)
        except BaseException:
            self._failed = True
            raise

    def step(self, timeout: float = 0.0) -> int:
        """Process one batch, trying again as long as the backoff allows; returns how many records it held."""
        attempt = 0
        while True:
            try:
                count = self._once(timeout)
            except SynopticError as error:
                self.waits = error.code in WAITS
                if self.waits:
                    self._error = None
                    self._pause(min(timeout, error.retry_after or 0.0))
                    return 0
                attempt += 1
                if error.code.kind is not Kind.RETRY or attempt == self._backoff.attempts:
                    raise
                self._error = error.code
                metrics.RETRIES.add(hop=self.hop.name, code=error.code.label)
                logger.warning("waiting to try again", hop=self.hop.name, error=error, attempt=attempt)
                self._pause(self._backoff.seconds(attempt, error.retry_after))
                if self._stop.is_set():
                    return 0
            else:
                self.waits, self._error = False, None
                return count

    def close(self) -> None:
        """Leave the group and end the worker thread."""
        self._worker.shutdown(wait=True)
        if self._subscription is None:
            return
        try:
            self._subscription.close()
        except SynopticError as error:
            if error.code.kind is not Kind.RETRY:
                raise
            # The bus is away: it takes the place back by itself after a while.
            logger.warning("left without a word", hop=self.hop.name, error=error)

    def _once(self, timeout: float) -> int:
        subscription = self.join()
        if self._stop.is_set():
            return 0
        if self._unfinished:
            subscription.rewind()
        self._unfinished = True
        batch = subscription.poll(self._most, timeout)
        self._joined = True
        self._moved()
        if batch.records:
            if self._stop.is_set():
                return 0
            self._work(subscription, batch)
            self._moved()
        self._unfinished = False
        self._refuse_if_stopped()
        return len(batch.records)

    def _moved(self) -> None:
        self._progress = self._life = time.monotonic()

    def _pause(self, seconds: float) -> None:
        """Wait until the time is over or somebody asks to stop, and keep the place on the bus meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._stop.wait(min(left, HEARTBEAT_SECONDS)):
            self._life = time.monotonic()
            self._keep_place()

    def _keep_place(self) -> None:
        try:
            if self._subscription is not None:
                self._subscription.heartbeat()
        except SynopticError as error:
            if error.code.kind is not Kind.RETRY:
                raise
            # Whether the place is lost, the next poll or commit finds out.
            logger.debug("no heartbeat", hop=self.hop.name, error=error)

    def _work(self, subscription: Subscription, batch: Batch) -> None:
        began = time.monotonic()
        results = self._in_worker(batch.records)
        outgoing, errors = self._gather(batch.records, results)
        state = self._state.after([error is not None for error in errors], self._settings)
        # A window without rejects says no more than an absent one, so it is written only while it holds one.
        if "r" in state.recent or "r" in self._state.recent:
            outgoing.append(state.outgoing(self._settings.instance_id))
        try:
            subscription.commit(batch, outgoing)
        except SynopticError as error:
            if error.code.kind is Kind.REJECT:
                self._isolate(batch.records, error)
            raise
        self._most = min(2 * self._most, self._settings.batch_size)
        self._state = state
        self._report(batch, results, errors, time.monotonic() - began)

    def _isolate(self, records: Sequence[Record], error: SynopticError) -> None:
        """Have the records read again one by one, and the one that the bus refuses alone rejected without itself."""
        self._most = 1
        if len(records) == 1:
            if records[0].place in self._refused:
                return
            self._refused[records[0].place] = error
        raise SynopticError(Code.STALE_BATCH, f"the bus refused it with {error.code.label}") from None

    def _in_worker(self, records: Sequence[Record]) -> list[Result]:
        """The hop's results; a batch that takes too long loses its place, so that another process may work on it."""
        future = self._worker.submit(self._process, records)
        hangs = False
        while not wait([future], timeout=HEARTBEAT_SECONDS).done:
            if time.monotonic() - self._life < self._settings.batch_seconds:
                self._keep_place()
            elif not hangs:
                hangs = True
                logger.error("batch takes longer than bus.batch_seconds", hop=self.hop.name)
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
        for record, result in zip(map(self._receptions.stamped, records), results, strict=True):
            outputs = [handed_on(output, record) for output in result.outgoing]
            refusal = self._refused.get(record.place)
            error = refusal or result.error or self._too_large(outputs)
            errors.append(error)
            if refusal:
                outgoing.append(stub(record, refusal, self.hop.name))
            elif error:
                outgoing.append(
                    rejected(self._kept(record), error, self.hop.name, self._settings.maximum_message_bytes)
                )
            else:
                outgoing += outputs
        return outgoing, errors

    def _kept(self, record: Record) -> Record:
        return replace(record, value=self.hop.kept(record.value)) if isinstance(self.hop, SealsRejects) else record

    def _too_large(self, outputs: Sequence[Outgoing]) -> SynopticError | None:
        try:
            for message in outputs:
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
            self._refused.pop(record.place, None)
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


def run_until_idle(runners: Sequence[Runner], timeout: float = 0.0) -> int:
    """Step all runners in turn until none has a record left that is due; returns how many were processed."""
    total = 0
    while True:
        done = sum(runner.step(timeout) for runner in runners)
        total += done
        if not done and all(runner.is_idle() for runner in runners):
            return total
