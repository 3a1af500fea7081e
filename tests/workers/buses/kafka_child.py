"""A consumer that stops itself (SIGSTOP) at a named point of its first batch; see test_kafka_membership.py.

Arguments: servers, prefix, point. It tells on standard output what happened to its commits, and ends when its standard
input is closed.
"""

import os
import select
import signal
import sys

from kafka_setting import bus_settings

from schemas.errors import SynopticError
from workers.buses import kafka_transactions
from workers.buses.bus import Outgoing
from workers.buses.kafka import KafkaBus

FIRST_BATCH = 5


class Stopper:
    """Stops the process once."""

    def __init__(self, point: str) -> None:
        """Choose the point."""
        self.point, self.stopped = point, False

    def at(self, point: str) -> None:
        """Pass a point."""
        if point == self.point and not self.stopped:
            self.stopped = True
            os.write(1, f"stopping {point}\n".encode())
            os.kill(os.getpid(), signal.SIGSTOP)


def main() -> None:
    """Copy from `in` to `out` until told to end."""
    servers, prefix, point = sys.argv[1:]
    stopper = Stopper(point)

    class WatchedProducer(kafka_transactions.BoundedProducer):
        def commit_transaction(self):
            """Pass the last point before the commit."""
            stopper.at("inside the transaction")
            super().commit_transaction()

    kafka_transactions.BoundedProducer = WatchedProducer
    bus = KafkaBus(bus_settings(servers, prefix, instance_id="child", transaction_timeout_seconds=5))
    subscription = bus.subscribe("group", ["in"])
    while not select.select([sys.stdin], [], [], 0)[0]:
        try:
            batch = subscription.poll(FIRST_BATCH, 0.2)
            if batch.records:
                stopper.at("before the commit")
            subscription.commit(batch, [Outgoing("out", record.value, record.key) for record in batch.records])
        except SynopticError as error:
            os.write(1, f"{error.code.label}\n".encode())
            subscription.rewind()
    bus.close()


if __name__ == "__main__":
    main()
