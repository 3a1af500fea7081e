"""A real runner over the embedded bus that kills its own process (SIGKILL) at a named point; see test_sigkill.py.

Arguments: bus file, point, number of the batch at which to kill (from 1). Before the kill, the point is written to
standard output, so that the test can prove that it was reached.
"""

import os
import signal
import sys
from pathlib import Path

from schemas.errors import Code, SynopticError
from schemas.settings import BusSettings
from workers.buses.bus import Outgoing
from workers.buses.embedded import EmbeddedBus
from workers.hop import Result
from workers.runner import Runner, run_until_idle

BATCH_SIZE = 5


class Killer:
    """Counts how often each point is passed, and dies at the chosen one."""

    def __init__(self, point: str, batch: int) -> None:
        """Choose the point."""
        self.point, self.batch, self.passed = point, batch, 0

    def at(self, point: str) -> None:
        """Pass a point; at the chosen one the process ends here, without any clean-up."""
        if point != self.point:
            return
        self.passed += 1
        if self.passed == self.batch:
            os.write(1, f"{point} {self.batch}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)


class CopyHop:
    """Copies each value to the output; rejects every seventh."""

    name = "extraction"
    topics = ("in",)

    def __init__(self, killer: Killer) -> None:
        """Remember whom to tell."""
        self.killer = killer

    def process(self, records):
        """Pass the point in the middle of the batch's work."""
        results = []
        for place, record in enumerate(records):
            if place == len(records) // 2:
                self.killer.at("mid-processing")
            bad = int(record.value) % 7 == 0
            results.append(
                Result(error=SynopticError(Code.NOT_JSON)) if bad else Result((Outgoing("out", record.value),))
            )
        return results


def main() -> None:
    """Run until idle or killed."""
    killer = Killer(sys.argv[2], int(sys.argv[3]))
    bus = EmbeddedBus(Path(sys.argv[1]))
    runner = Runner(CopyHop(killer), bus, BusSettings(batch_size=BATCH_SIZE, rejected_share=1))
    subscription = runner.join()
    poll, commit = subscription.poll, subscription.commit

    def watched_poll(maximum, timeout):
        batch = poll(maximum, timeout)
        if batch.records:
            killer.at("polled")
        return batch

    def watched_commit(batch, outgoing):
        killer.at("before commit")
        commit(batch, outgoing)
        killer.at("after commit")

    subscription.poll, subscription.commit = watched_poll, watched_commit
    # SQLite tells each statement before it runs it: a kill there is a kill inside the open transaction.
    points = {
        "INSERT INTO messages": "transaction: first output written",
        "INSERT INTO offsets": "transaction: outputs written",
        "COMMIT": "transaction: all written",
    }

    def watched_statement(statement: str) -> None:
        for start, point in points.items():
            if statement.startswith(start):
                killer.at(point)

    bus._connection.set_trace_callback(watched_statement)
    run_until_idle([runner])


if __name__ == "__main__":
    main()
