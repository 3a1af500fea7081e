"""Runs the three hops in processes that kill themselves (SIGKILL) at a named point; see test_sigkill_chain.py.

The model loads once, in a parent that never computes; for each line of standard input (a folder, a point and the pass
at which to die) it forks a process that works until it is idle or dead, and prints how that ended as one JSON line.
"""

import json
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from generated import case, message
from killer import Killer
from whole_chain import WholeChain, settings_in

from gateway.intake import Intake
from gateway.stores import folder_store
from model.engine import Engine, load_engine
from schemas.settings import PrivacySettings, Settings
from workers.buses.embedded import EmbeddedSubscription

PRIVACY = PrivacySettings(key="0123456789abcdef0123456789abcdef")
STATEMENTS = {"INSERT INTO messages": "first output written", "COMMIT": "all written"}


def watch_statement(killer: Killer, statement: str) -> None:
    """SQLite tells each statement before it runs it: a kill there is a kill inside the open transaction."""
    for start, point in STATEMENTS.items():
        if killer.hop and statement.startswith(start):
            killer.at(f"{killer.hop}: {point}")


def work(folder: Path, killer: Killer, engine: Engine) -> None:
    """Run the hops over what is on the bus until idle."""
    # One report at a time, so that every run passes the same points in the same order.
    fhir = {"connections": 1}
    chain = WholeChain(settings_in(folder, bus={"batch_size": 2}, fhir=fhir, privacy=PRIVACY), engine)
    killer.watch_runner()
    chain.bus._connection.set_trace_callback(lambda statement: watch_statement(killer, statement))
    killer.around(EmbeddedSubscription, "commit", before="before commit", after="after commit")
    killer.around(folder_store.FolderStore, "transact", before="before store", after="stored")
    killer.around(os, "fsync", before="file half written")
    killer.around(Path, "replace", before="file written", after="file in place")
    killer.around(Path, "unlink", before="journal applied")
    chain.run()
    chain.close()


def forked(order: dict[str, Any], engine: Engine) -> dict[str, Any]:
    """One process's end: the signal that killed it, or 0, and what it reported."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        status = 1
        try:
            killer = Killer(order["point"], order["count"], writing)
            work(Path(order["folder"]), killer, engine)
            os.write(writing, json.dumps({"reached": None, "passed": killer.passed}).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    _, status = os.waitpid(process, 0)
    with os.fdopen(reading, "rb") as pipe:
        report = pipe.read()
    return {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, **json.loads(report or b"{}")}


def main() -> None:
    """Load what takes time, then fork for each line; one thread, since a fork inherits no other."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    settings = Settings()
    engine = load_engine(settings.model.model_copy(update={"threads": 1}))
    with closing(Intake(settings)) as intake:
        intake.read(message(case(0)))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(forked(json.loads(line), engine)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
