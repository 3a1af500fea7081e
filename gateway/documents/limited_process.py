"""Runs risky reading (PDF, images) in a subprocess with limits, so that a bomb ends one request and not the gateway.

The parent keeps one `LimitedProcess` for each kind of reading and starts it again when it died. Parent and child speak
frames over pipes: two lengths, a JSON header, bytes. A child that passes the seconds is killed; memory is bounded by
RLIMIT_DATA (libraries mapped but not used do not count), and RLIMIT_CPU ends a child whose parent was killed meanwhile.
A child that had served other documents before it died gets a second try: the memory may have been theirs.
"""

import os
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, BinaryIO

import orjson

from schemas.errors import Code, SynopticError

Header = dict[str, Any]
Handler = Callable[[Header, bytes], tuple[Header, bytes]]

_LENGTHS = struct.Struct(">IQ")
_CHUNK = 1 << 16
_START_SECONDS = 30.0
_REQUESTS_BEFORE_RESTART = 500


def _frame(header: Header, payload: bytes) -> bytes:
    encoded = orjson.dumps(header)
    return b"".join((_LENGTHS.pack(len(encoded), len(payload)), encoded, payload))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


class LimitedProcess:
    """A long-lived child that runs `module` (which calls `serve`) under seconds a request and a memory limit."""

    def __init__(self, module: str, seconds: float, memory_mib: int, arguments: tuple[str, ...] = ()) -> None:
        self._command = [sys.executable, "-P", "-m", module, str(seconds), str(memory_mib), *arguments]
        self._seconds = seconds
        self._memory_mib = memory_mib
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._finalizer: weakref.finalize[..., Any] | None = None
        self._requests = 0

    def request(self, header: Header, payload: bytes) -> tuple[Header, bytes]:
        """Ask the child; raises the child's numbered error, or SYN-120 where a limit ended it."""
        frame = _frame(header, payload)
        with self._lock:
            try:
                answer, data = self._attempt_twice(frame)
            except TimeoutError:
                raise SynopticError(Code.DOCUMENT_LIMIT, f"more than {self._seconds:g} s") from None
            except EOFError:
                detail = f"the reader ended; it may use {self._memory_mib} MiB"
                raise SynopticError(Code.DOCUMENT_LIMIT, detail) from None
        if "error" in answer:
            raise SynopticError(Code[answer["error"]], answer.get("detail", ""))
        return answer, data

    def close(self) -> None:
        """End the child; a later request starts another."""
        with self._lock:
            self._stop()

    def _attempt_twice(self, frame: bytes) -> tuple[Header, bytes]:
        used = self._process is not None
        try:
            return self._attempt(frame)
        except EOFError:
            if not used:
                raise
        return self._attempt(frame)

    def _attempt(self, frame: bytes) -> tuple[Header, bytes]:
        if self._process is None:
            self._start()
        try:
            answer, data = self._exchange(frame, self._seconds)
        except (TimeoutError, EOFError):
            self._stop()
            raise
        self._requests += 1
        if self._requests >= _REQUESTS_BEFORE_RESTART or answer.get("exhausted"):
            self._stop()
        if answer.get("exhausted"):
            raise EOFError
        return answer, data

    def _start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        self._finalizer = weakref.finalize(self, _end, self._process)
        self._requests = 0
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
        try:
            self._receive(time.monotonic() + max(_START_SECONDS, self._seconds))  # the child says that it is ready
        except (TimeoutError, EOFError):
            self._stop()
            raise SynopticError(Code.DOCUMENT_LIMIT, "the reader could not start within its memory") from None

    def _stop(self) -> None:
        if self._finalizer is not None:
            self._finalizer()
        self._process = None

    def _exchange(self, frame: bytes, seconds: float) -> tuple[Header, bytes]:
        deadline = time.monotonic() + seconds
        pipe = self._process.stdin if self._process else None
        if pipe is None:
            raise EOFError
        view = memoryview(frame)
        while view:
            _wait(pipe.fileno(), select.POLLOUT, deadline)
            try:
                view = view[os.write(pipe.fileno(), view[:_CHUNK]) :]
            except BlockingIOError:
                continue
            except OSError:
                raise EOFError from None
        return self._receive(deadline)

    def _receive(self, deadline: float) -> tuple[Header, bytes]:
        header_length, payload_length = _LENGTHS.unpack(self._read(_LENGTHS.size, deadline))
        header: Header = orjson.loads(self._read(header_length, deadline))
        return header, self._read(payload_length, deadline)

    def _read(self, count: int, deadline: float) -> bytes:
        pipe = self._process.stdout if self._process else None
        if pipe is None:
            raise EOFError
        received = bytearray()
        while len(received) < count:
            _wait(pipe.fileno(), select.POLLIN, deadline)
            try:
                chunk = os.read(pipe.fileno(), min(_CHUNK, count - len(received)))
            except BlockingIOError:
                continue
            if not chunk:
                raise EOFError
            received += chunk
        return bytes(received)


def _wait(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    remaining = deadline - time.monotonic()
    if remaining <= 0 or not poll.poll(remaining * 1000):
        raise TimeoutError


def serve(prepare: Callable[[tuple[str, ...]], Handler]) -> None:
    """The child's loop: set the limits, prepare the handler, answer frames until the parent closes the pipe."""
    seconds, memory = float(sys.argv[1]), int(sys.argv[2]) << 20
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group; the parent decides when to end
        signal.signal(number, signal.SIG_IGN)
    source, target = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not break the frames
    handler = prepare(tuple(sys.argv[3:]))
    _answer(target, {"ready": True}, b"")
    while lengths := source.read(_LENGTHS.size):
        header_length, payload_length = _LENGTHS.unpack(lengths)
        header = orjson.loads(source.read(header_length))
        _limit_processor_time(seconds)
        try:
            answer, data = handler(header, source.read(payload_length))
        except SynopticError as error:
            answer, data = {"error": error.code.name, "detail": error.detail}, b""
        except MemoryError:
            answer, data = {"exhausted": True}, b""
        _answer(target, answer, data)


def _limit_processor_time(seconds: float) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    cores = os.cpu_count() or 1
    allowed = int(used.ru_utime + used.ru_stime + seconds * cores) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.RLIM_INFINITY))


def _answer(target: BinaryIO, header: Header, payload: bytes) -> None:
    target.write(_frame(header, payload))
    target.flush()
