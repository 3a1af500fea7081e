"""Kills or stops its own process at a named point of the work, after saying that it got there."""

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from workers import runner as runners

EACH = "any point"
NONE = "none"


class Killer:
    """Counts how often each point is passed, and sends its process a signal at the chosen pass of the chosen point."""

    def __init__(self, point: str, count: int, report: int, number: int = signal.SIGKILL) -> None:
        """`report` is the file descriptor that is told what was reached; `number` may be SIGSTOP as well."""
        self.point, self.count, self.report, self.number = point, count, report, number
        self.passed: Counter[str] = Counter()
        self.hop = ""
        self.reached = False
        self._guard = threading.Lock()

    def arm(self, point: str, count: int, number: int) -> None:
        """Choose another point, and count from here on."""
        with self._guard:
            self.point, self.count, self.number, self.reached = point, count, number, False
            self.passed.clear()

    def at(self, point: str) -> None:
        """Pass a point; at the chosen one the process ends here, without any clean-up, or stands still."""
        with self._guard:
            self.passed.update([point, EACH])
            if self.point in (point, EACH) and self.passed[self.point] == self.count:
                self.reached = True
                os.write(self.report, json.dumps({"reached": point, "passed": self.count}).encode() + b"\n")
                # To this thread: of a signal to the process another one may hear first, and this one go on meanwhile.
                signal.pthread_kill(threading.get_ident(), self.number)

    def around(self, owner: Any, name: str, before: str = "", after: str = "") -> None:
        """Make a call a point: before it, after it, or both."""
        plain: Callable[..., Any] = getattr(owner, name)

        def watched(*arguments: Any, **keywords: Any) -> Any:
            if before:
                self.at(f"{self.hop}: {before}")
            answer = plain(*arguments, **keywords)
            if after:
                self.at(f"{self.hop}: {after}")
            return answer

        setattr(owner, name, watched)

    def watch_runner(self) -> None:
        """Note which hop is at work, where one thread runs them all."""
        plain = runners.Runner.step

        def step(runner: runners.Runner, timeout: float = 0.0) -> int:
            self.hop = runner.hop.name
            return plain(runner, timeout)

        runners.Runner.step = step  # type: ignore[method-assign]
