"""A circuit breaker: a server that keeps failing is left alone for a while, then tried with one request."""

import threading
import time
from collections.abc import Callable


class CircuitBreaker:
    """Counts failures in a row over all threads that share it."""

    def __init__(self, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Leave the server alone for `seconds` after so many `failures` in a row."""
        self._failures = failures
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._next_trial = 0.0

    def admit(self) -> float:
        """How many seconds to stay away; 0: go on, and tell how it ended."""
        with self._lock:
            if self._in_a_row < self._failures:
                return 0.0
            left = self._next_trial - self._clock()
            if left > 0:
                return left
            # This one is the trial. Should it never tell how it ended, another may try after the same time.
            self._next_trial = self._clock() + self._seconds
            return 0.0

    @property
    def is_failing(self) -> bool:
        """True where the last answer was none."""
        with self._lock:
            return self._in_a_row > 0

    def succeeded(self) -> None:
        """The server answered."""
        with self._lock:
            self._in_a_row = 0

    def failed(self) -> None:
        """The server gave no answer, or one that says it cannot."""
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row >= self._failures:
                self._next_trial = self._clock() + self._seconds
