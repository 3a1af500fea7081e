"""One member of a consumer group: what it has polled, under which membership, and committing that once.

A batch belongs to the membership under which it was polled. kafka-python commits without complaint for a member that
has left its group (generation -1), even while another owns the partitions; so the membership is taken directly after
each poll and kept. It moves on to the next generation only where no other member can have owned a partition meanwhile.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kafka import TopicPartition, errors
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.structs import MemberState, OffsetAndMetadata

from schemas.errors import Code, SynopticError
from schemas.settings import BusSettings
from workers.buses.bus import Batch, Outgoing
from workers.buses.kafka_clients import MILLISECONDS, connect, consumer_arguments, translated
from workers.buses.kafka_library import Consumer
from workers.buses.kafka_reading import record_of
from workers.buses.kafka_topics import KafkaTopics
from workers.buses.kafka_transactions import CLOSE_SECONDS, Transactions

HEARTBEAT_SECONDS = 3.0
REJOIN_SECONDS = 3.0
SILENT_HEARTBEATS = 3
SETTLE_SECONDS = 3.0


@dataclass(frozen=True, eq=False)
class Position:
    """Where a commit of the batch moves each partition."""

    offsets: dict[TopicPartition, OffsetAndMetadata]


@dataclass(frozen=True)
class Membership:
    """A generation of the group as this member knows it, with the partitions that are its own in it."""

    metadata: Any
    partitions: frozenset[TopicPartition]

    @property
    def identity(self) -> tuple[int, str]:
        """Which member of which generation."""
        return self.metadata.generation_id, self.metadata.member_id

    def kept_in(self, later: "Membership") -> frozenset[TopicPartition]:
        """The partitions that nobody else can have owned between the two.

        Every partition has one owner in a generation, and generations are numbered one by one: who owned it in two
        that follow each other lost it to nobody. With one missed in between, another may have owned and worked it.
        """
        same_member = later.metadata.member_id == self.metadata.member_id
        next_generation = later.metadata.generation_id == self.metadata.generation_id + 1
        return self.partitions & later.partitions if same_member and next_generation else frozenset()


class KafkaSubscription:
    """A consumer group's place in its topics; belongs to one thread."""

    def __init__(
        self,
        settings: BusSettings,
        topics: KafkaTopics,
        group: str,
        names: Sequence[str],
        closed: Callable[["KafkaSubscription"], None],
    ) -> None:
        """Join the group; a predecessor's open transaction with this group and instance id is aborted first."""
        self._topics = topics
        self._patience = round(settings.request_timeout_seconds * MILLISECONDS)
        self._report_closed = closed
        self._closed = False
        self._membership: Membership | None = None
        self._uncommitted: deque[Position] = deque()
        self._misplaced = False
        self._settled: Membership | None = None
        self._transactions = Transactions(settings, topics, topics.wire(f"{group}-{settings.instance_id}"))
        try:
            self._consumer = connect(Consumer, **_arguments(settings, topics.wire(group)))
        except BaseException:
            self._transactions.close()
            raise
        self._consumer.subscribe([topics.wire(name) for name in names])

    def poll(self, maximum: int, timeout: float) -> Batch:
        """Up to `maximum` records, each partition in order; an empty batch after `timeout` seconds without any.

        The first poll after joining or rewinding waits longer: where to read from must be asked before anything comes.
        """
        self._refuse_if_closed()
        with translated(self._consumer):
            self._take_part()
            if self._misplaced:
                self.rewind()
            settled = self._settled is not None and self._settled is self._membership
            wait = timeout if settled else max(timeout, SETTLE_SECONDS)
            # Should the poll fail, it may have moved past records that it never gave.
            self._misplaced = True
            found = self._consumer.poll(round(wait * MILLISECONDS), max_records=maximum)
            self._misplaced = False
        self._follow_membership()
        self._settled = self._membership
        if self._misplaced or not found:
            self._refuse_silence()
            return Batch(())
        records = tuple(record_of(record, self._topics) for part in found.values() for record in part)
        position = Position(
            {
                partition: OffsetAndMetadata(part[-1].offset + 1, "", part[-1].leader_epoch)
                for partition, part in found.items()
            }
        )
        self._uncommitted.append(position)
        return Batch(records, position)

    def commit(self, batch: Batch, outgoing: Sequence[Outgoing]) -> None:
        """Publish `outgoing` and move past `batch` in one transaction; a batch commits once, in its turn."""
        self._refuse_if_closed()
        position = batch.position
        if position is None:
            self._transactions.run(outgoing)
            return
        self.heartbeat()
        if not isinstance(position, Position) or not self._uncommitted or self._uncommitted[0] is not position:
            raise SynopticError(Code.STALE_BATCH, "committed before, or given up")
        member = self._current_member()
        try:
            self._transactions.run(outgoing, position.offsets, member)
        except BaseException:
            self._give_up_batches()
            raise
        self._uncommitted.popleft()

    def heartbeat(self) -> None:
        """Take part in the group's life without reading on; whether the batch is still ours, its commit tells."""
        self._refuse_if_closed()
        # The broker may be back before the batch is done: a fault is for the commit to tell.
        with suppress(errors.KafkaError):
            self._take_part()

    def rewind(self) -> None:
        """Go back to the last committed place, after an error."""
        self._refuse_if_closed()
        self._give_up_batches()
        # Its predecessor's transaction may be undecided, and until then nobody can tell which offsets are committed.
        self._transactions.recover()
        with translated():
            for partition in self._consumer.assignment():
                committed = self._consumer.committed(partition, timeout_ms=self._patience)
                if committed is None:
                    self._consumer.seek_to_beginning(partition)
                else:
                    self._consumer.seek(partition, committed)
        self._misplaced = False
        self._settled = None

    def close(self) -> None:
        """Leave the group at once; what was polled and not committed will be read again."""
        if not self._closed:
            self._closed = True
            self._uncommitted.clear()
            self._transactions.close()
            self._consumer.close(autocommit=False, timeout_ms=round(CLOSE_SECONDS * MILLISECONDS))
            self._report_closed(self)

    def _take_part(self) -> None:
        """Say that this member is alive, and join where the group forms anew: one generation at most.

        The consumer's own `poll` would fetch as well, and a poll that is over before the others have joined too makes
        kafka-python drop the answer and begin again. This asks the part of it that alone speaks for the group.
        """
        try:
            self._consumer._coordinator.poll(timeout_ms=round(REJOIN_SECONDS * MILLISECONDS))
        finally:
            self._follow_membership()

    def _follow_membership(self) -> None:
        """Keep the uncommitted batches through a rebalance that took nothing of theirs, else give them up."""
        metadata = self._consumer.group_metadata()
        if metadata.state != MemberState.STABLE or metadata.generation_id < 0 or not metadata.member_id:
            # Nothing is decided yet: until it is, the broker judges by the membership of before.
            return
        before, now = self._membership, Membership(metadata, frozenset(self._consumer.assignment()))
        if before is not None and before.identity == now.identity:
            return
        self._membership = now
        kept = before.kept_in(now) if before else now.partitions
        held = {partition for position in self._uncommitted for partition in position.offsets}
        if not held <= kept or (before and not before.partitions & now.partitions <= kept):
            # A partition that was lost and won again in between stands where it stood: others may have gone further.
            self._give_up_batches()

    def _refuse_silence(self) -> None:
        """Raise SYN-501 where no heartbeat of a member has been answered for a while.

        kafka-python polls a broker that is gone like one that has nothing new, and goes on so for minutes.
        """
        heartbeat = self._consumer._coordinator.heartbeat
        silent = time.monotonic() - max(heartbeat.last_receive, heartbeat.last_reset)
        is_member = self._consumer.group_metadata().state == MemberState.STABLE
        if is_member and silent * MILLISECONDS > SILENT_HEARTBEATS * heartbeat.config["heartbeat_interval_ms"]:
            raise SynopticError(Code.BUS_UNAVAILABLE, "no answer to heartbeats")

    def _give_up_batches(self) -> None:
        self._uncommitted.clear()
        self._misplaced = True

    def _current_member(self) -> Any:
        """The membership that the batch was polled under; raises SYN-505 where there is none to fence it by."""
        if self._membership is None:
            raise SynopticError(Code.STALE_BATCH, "no member of the group")
        return self._membership.metadata

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise SynopticError(Code.STALE_BATCH, "the subscription is closed")


def _arguments(settings: BusSettings, group: str) -> dict[str, Any]:
    return consumer_arguments(settings) | {
        "group_id": group,
        "partition_assignment_strategy": [CooperativeStickyAssignor],
        "max_poll_interval_ms": round(settings.poll_interval_seconds * MILLISECONDS),
        "session_timeout_ms": round(settings.session_timeout_seconds * MILLISECONDS),
        "heartbeat_interval_ms": round(min(HEARTBEAT_SECONDS, settings.session_timeout_seconds / 3) * MILLISECONDS),
    }
