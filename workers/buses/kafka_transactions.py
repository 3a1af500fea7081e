"""Transactions of a producer: all messages and offsets, or none, and never a commit that only seems to be one.

Two faults of kafka-python are closed here. It has no KIP-890: once the coordinator has aborted a transaction that
stayed open too long, a commit may return although nothing was stored. So the answer to every message is looked at
first, and the offsets are sent last. And it waits for ever for the answers that end a transaction.
"""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaProducer, errors

from schemas.errors import Code, SynopticError
from schemas.settings import BusSettings
from schemas.topics import RECORD_ROOM_BYTES
from workers.buses.bus import Outgoing, check_size
from workers.buses.kafka_clients import MILLISECONDS, client_arguments, connect, translated
from workers.buses.kafka_topics import KafkaTopics

BATCH_BYTES = 1 << 20
PART_BYTES = 8 << 20
LINGER_MILLISECONDS = 5
# A transaction begun right behind another is told to try again; the library's 100 ms would be most of its time.
RETRY_MILLISECONDS = 20
CLOSE_SECONDS = 5.0


class BoundedProducer(KafkaProducer):  # type: ignore[misc]
    """A producer that waits for `max_block_ms` at most for the answers that end a transaction."""

    def init_transactions(self) -> None:
        """End what a predecessor of this id left open; the library names a refused time-out only in its text."""
        try:
            super().init_transactions()
        except errors.KafkaError as error:
            if errors.InvalidTransactionTimeoutError.__name__ in str(error):
                raise errors.InvalidTransactionTimeoutError from None
            raise

    def send_offsets_to_transaction(self, offsets: Mapping[Any, Any], group_metadata: Any) -> None:
        """Add a group's offsets to the transaction."""
        self._answer(self._transaction_manager.send_offsets_to_transaction(offsets, group_metadata))

    def commit_transaction(self) -> None:
        """Commit; after a time-out the outcome is open until the next `init_transactions` of this id."""
        self._answer(self._transaction_manager.begin_commit())

    def abort_transaction(self) -> None:
        """Abort what was sent since `begin_transaction`."""
        self._answer(self._transaction_manager.begin_abort())

    def discard(self) -> None:
        """Close without sending what is left: its transaction is for the next producer of this id to end."""
        self._sender.force_close()
        self._sender.join(CLOSE_SECONDS)
        with suppress(errors.KafkaTimeoutError):
            self.close(CLOSE_SECONDS)

    def _answer(self, result: Any) -> None:
        self._sender.wakeup()
        if not result.wait(self.config["max_block_ms"]):
            raise errors.KafkaTimeoutError("no answer to a request of a transaction")


class Transactions:
    """One transactional id and its producer, which is replaced after every failure."""

    def __init__(self, settings: BusSettings, topics: KafkaTopics, transactional_id: str) -> None:
        """Connect and end whatever a dead predecessor with this id left open."""
        self._settings = settings
        self._topics = topics
        self._transactional_id = transactional_id
        self._guard = threading.Lock()
        self._producer: BoundedProducer | None = None
        self.recover()

    def run(self, outgoing: Sequence[Outgoing], offsets: Mapping[Any, Any] | None = None, member: Any = None) -> None:
        """Publish `outgoing` and move `member`'s group to `offsets`, or nothing of it.

        Where the broker fell silent during the commit, the error leaves open which; `recover` settles it.
        """
        for message in outgoing:
            check_size(message, self._settings.maximum_message_bytes)
        self._topics.require({message.topic for message in outgoing})
        with self._guard, translated():
            producer = self._connected()
            try:
                producer.begin_transaction()
                self._send(producer, outgoing)
                if offsets:
                    producer.send_offsets_to_transaction(offsets, member)
                producer.commit_transaction()
            except BaseException:
                self._give_up(producer)
                raise

    def recover(self) -> None:
        """Have a working producer, so that no transaction of this id is left open or undecided."""
        with self._guard, translated():
            self._connected()

    def close(self) -> None:
        """Close the producer; what `run` could not finish is already aborted, or left to the next of this id."""
        with self._guard:
            if self._producer is not None:
                self._producer.discard()
                self._producer = None

    def _send(self, producer: BoundedProducer, outgoing: Sequence[Outgoing]) -> None:
        """Send in parts, each with the time for an answer to itself: a slow network carries large batches too."""
        futures: list[Any] = []
        size = 0
        for message in outgoing:
            if size + len(message.value) > PART_BYTES:
                self._await_answers(producer, futures)
                futures, size = [], 0
            headers = [(name, text.encode()) for name, text in message.headers]
            try:
                sent = producer.send(self._topics.wire(message.topic), message.value, message.key, headers)
            except errors.MessageSizeTooLargeError:
                raise SynopticError(Code.MESSAGE_TOO_LARGE, "with its key and headers") from None
            futures.append(sent)
            size += len(message.value)
        self._await_answers(producer, futures)

    def _await_answers(self, producer: BoundedProducer, futures: Sequence[Any]) -> None:
        producer.flush(self._settings.request_timeout_seconds)
        for future in futures:
            future.get(self._settings.request_timeout_seconds)

    def _connected(self) -> BoundedProducer:
        if self._producer is None:
            producer = connect(BoundedProducer, **self._arguments())
            try:
                producer.init_transactions()
            except BaseException:
                producer.discard()
                raise
            self._producer = producer
        return self._producer

    def _give_up(self, producer: BoundedProducer) -> None:
        """Abort, so that readers need not wait; and never use a producer again that has failed.

        Where it cannot abort, its successor ends the transaction. Where it can, its numbering of messages may be wrong.
        """
        self._producer = None
        with suppress(errors.KafkaError):
            producer.abort_transaction()
        producer.discard()

    def _arguments(self) -> dict[str, Any]:
        settings = self._settings
        wait = round(settings.request_timeout_seconds * MILLISECONDS)
        return client_arguments(settings) | {
            "transactional_id": self._transactional_id,
            "transaction_timeout_ms": round(settings.transaction_timeout_seconds * MILLISECONDS),
            "max_request_size": settings.maximum_message_bytes + RECORD_ROOM_BYTES,
            "batch_size": BATCH_BYTES,
            "linger_ms": LINGER_MILLISECONDS,
            "retry_backoff_ms": RETRY_MILLISECONDS,
            "delivery_timeout_ms": wait + LINGER_MILLISECONDS,
            "max_block_ms": wait,
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
        }
