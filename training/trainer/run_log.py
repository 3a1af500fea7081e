"""A run's record as JSON lines: what happened, when, with which figures, and no text of any report."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import structlog

from training.trainer.phase import Log

Progress = Callable[[str], None]
"""Shows one line to a person."""


class RunLog:
    """log.jsonl of a work folder, shared by the processes that train side by side."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self.path = path
        self._progress = progress
        self._begun = time.monotonic()

    def write(self, phase: str, **figures: Any) -> None:
        """Append one entry and show it."""
        entry = {"phase": phase, "seconds": round(time.monotonic() - self._begun, 1), **figures}
        with self.path.open("ab") as file:
            file.write(orjson.dumps(entry) + b"\n")
        structlog.get_logger().debug("training", **entry)
        self._progress(", ".join([phase, *(f"{key} {value}" for key, value in figures.items())]))

    def of(self, name: str, phase: str) -> Log:
        """A writer of one phase's epochs."""
        return lambda figures: self.write(f"{name}, {phase}", **figures)

    def epochs(self, phase: str) -> list[dict[str, Any]]:
        """A phase's entries by falling age, one for each seed and epoch: a resumed run may have written one twice."""
        entries = [orjson.loads(line) for line in self.path.read_bytes().splitlines()]
        found = {(entry["seed"], entry["epoch"]): entry for entry in entries if entry["phase"] == phase}
        return list(found.values())
