"""A reverse proxy that does to the requests of a FHIR client what networks and servers do, on schedule, and notes it.

    with FaultyProxy(fhir_url) as proxy:
        lost = proxy.inject(on("POST", "^$"), lose_answer())      # the next transaction is applied, its answer lost
        proxy.inject(on("GET"), answer(429, retry_after=2), times=3)
        held = Hold()
        proxy.inject(on("PUT", "^Provenance/"), held)
        store = FhirStore(FhirSettings(base_url=proxy.base_url))
        ...
        held.wait_until_reached()                                   # the PUT has arrived and goes no further
        held.release()
        assert lost.happened == 1
        assert [seen.passed_on for seen in proxy.seen("POST")] == [True, True]

A fault is a predicate, an action and how many times it happens. The faults are asked in the order they were injected,
and the first one that is not used up and matches takes the request; the others stay for later requests. All else is
passed on unchanged, with the Host header, so that links in an answer lead to the proxy.
"""

import contextlib
import http.client
import json
import os
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

HOST = "127.0.0.1"
LONGEST_SECONDS = 120
POLL_SECONDS = 0.02
HOP_BY_HOP = {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
JSON_BODY = ("Content-Type", "application/fhir+json")


class ConnectionLostError(Exception):
    """What an action raises to reset the client's connection instead of an answer."""


@dataclass(frozen=True)
class Answer:
    """What the client gets."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass
class Seen:
    """What happened to one request; `path` is below the FHIR base, and of the query only the names are kept."""

    method: str
    path: str
    parameters: tuple[str, ...] = ()
    passed_on: bool = False
    server_status: int | None = None
    client_status: int | None = None


@dataclass(frozen=True)
class Exchange:
    """One request on its way, as predicates and actions see it."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    closing: threading.Event
    seen: Seen
    _forward: Callable[[], Answer]

    def pass_on(self) -> Answer:
        """Ask the server, as if there were no proxy; a server that does not answer is a lost connection."""
        if self.closing.is_set():
            raise ConnectionLostError
        self.seen.passed_on = True
        try:
            found = self._forward()
        except (OSError, http.client.HTTPException):
            raise ConnectionLostError from None
        self.seen.server_status = found.status
        return found


Predicate = Callable[[Exchange], bool]
Action = Callable[[Exchange], Answer]


def on(method: str | None = None, path: str = "", containing: str = "") -> Predicate:
    """Requests of a method whose path below the base matches a pattern ("^$": a transaction) and whose body holds a text."""
    pattern = re.compile(path)

    def matches(exchange: Exchange) -> bool:
        of_method = method is None or exchange.method == method
        return of_method and bool(pattern.search(exchange.path)) and containing.encode() in exchange.body

    return matches


def answer(status: int, retry_after: int | datetime | None = None, diagnostics: str = "injected fault") -> Action:
    """Refuse without asking the server; Retry-After in seconds, as an HTTP date, or not at all."""
    headers = [JSON_BODY]
    if retry_after is not None:
        headers.append(("Retry-After", _retry_after(retry_after)))
    issue = {"severity": "error", "code": "processing", "diagnostics": diagnostics}
    body = json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode()
    return lambda exchange: Answer(status, tuple(headers), body)


def _retry_after(value: int | datetime) -> str:
    """The header's two forms."""
    return str(value) if isinstance(value, int) else format_datetime(value.astimezone(UTC), usegmt=True)


def reset() -> Action:
    """Reset the connection; the server never hears of the request."""

    def act(exchange: Exchange) -> Answer:
        raise ConnectionLostError

    return act


def lose_answer() -> Action:
    """Let the server do it, then reset the connection: the client cannot know whether it was done."""

    def act(exchange: Exchange) -> Answer:
        exchange.pass_on()
        raise ConnectionLostError

    return act


def fail_entry(position: int, status: str = "409 Conflict") -> Action:
    """Answer a transaction with 200 although one entry failed, and do nothing of it on the server."""

    def act(exchange: Exchange) -> Answer:
        entries: list[dict[str, object]] = [
            {"response": {"status": "200 OK", "etag": 'W/"1"'}} for _ in json.loads(exchange.body)["entry"]
        ]
        entries[position] = {"response": {"status": status}}
        bundle = {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}
        return Answer(200, (JSON_BODY,), json.dumps(bundle).encode())

    return act


def delay(seconds: float) -> Action:
    """Let the server do it at once, and give its answer later."""

    def act(exchange: Exchange) -> Answer:
        found = exchange.pass_on()
        exchange.closing.wait(seconds)
        return found

    return act


class Hold:
    """An action that stops a request until it is released: before the server hears of it, or before the answer goes back."""

    def __init__(self, applied: bool = False) -> None:
        """Hold the request, or, if `applied`, let the server do it and hold the answer."""
        self._applied = applied
        self._reached = threading.Event()
        self._released = threading.Event()

    def __call__(self, exchange: Exchange) -> Answer:
        """Wait for the release."""
        found = exchange.pass_on() if self._applied else None
        self._reached.set()
        if not self._released.wait(LONGEST_SECONDS):
            raise ConnectionLostError
        return found or exchange.pass_on()

    def wait_until_reached(self, seconds: float = 60) -> None:
        """Return when a request is held; fail if none comes in time."""
        if not self._reached.wait(seconds):
            raise TimeoutError(f"no request was held within {seconds:.0f} s")

    def release(self) -> None:
        """Let the held request, and all later ones, go on."""
        self._released.set()


@dataclass
class Fault:
    """An injected fault: how often it has happened, and how often it still may (None: always)."""

    predicate: Predicate
    action: Action
    remaining: int | None
    happened: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, exchange: Exchange) -> bool:
        """Whether this fault happens to this request; if so, it counts."""
        with self._changed:
            if self.remaining == 0 or not self.predicate(exchange):
                return False
            if self.remaining is not None:
                self.remaining -= 1
            self.happened += 1
            self._changed.notify_all()
            return True

    def withdraw(self) -> None:
        """Let it happen no more."""
        with self._changed:
            self.remaining = 0

    def wait_until_happened(self, times: int = 1, seconds: float = 60) -> None:
        """Return when it has happened so often; fail if it does not in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.happened >= times, seconds):
                raise TimeoutError(f"the fault happened {self.happened} times within {seconds:.0f} s, not {times}")


class FaultyProxy:
    """A proxy on a free port of this host in front of a FHIR server."""

    def __init__(self, upstream: str, port: int = 0) -> None:
        """Take the FHIR base address of the server; `port` where another proxy is to follow on it."""
        parts = urlsplit(upstream)
        if parts.hostname is None or parts.port is None:
            raise ValueError("the server's address needs a host and a port")
        self._server = (parts.hostname, parts.port)
        self._base = parts.path.rstrip("/")
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._seen: list[Seen] = []
        self._closing = threading.Event()
        self._listener = _Listener((HOST, port), _handler_of(self))
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(POLL_SECONDS,), daemon=True)

    @property
    def base_url(self) -> str:
        """The FHIR base address for the client."""
        return f"http://{HOST}:{self._listener.server_address[1]}{self._base}"

    def inject(self, predicate: Predicate, action: Action, times: int | None = 1) -> Fault:
        """Let the action happen to the next so many requests that match; None: to all of them."""
        fault = Fault(predicate, action, times)
        with self._lock:
            self._faults.append(fault)
        return fault

    def seen(self, method: str | None = None, path: str = "") -> list[Seen]:
        """Every request so far of this method whose path matches the pattern, in the order of arrival."""
        with self._lock:
            return [one for one in self._seen if method in (None, one.method) and re.search(path, one.path)]

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more; a request that is still held is lost, and never passed on."""
        self._closing.set()
        with self._lock:
            held = [fault.action for fault in self._faults if isinstance(fault.action, Hold)]
        for action in held:
            action.release()
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    def handle(
        self, method: str, target: str, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> tuple[Seen, Answer]:
        """Do what the faults say, else pass the request on; raises when the client's connection is to be reset."""
        parts = urlsplit(target)
        path = parts.path.removeprefix(self._base).strip("/")
        seen = Seen(method, path, tuple(name for name, _ in parse_qsl(parts.query, keep_blank_values=True)))
        exchange = Exchange(
            method, path, headers, body, self._closing, seen, lambda: self._forward(method, target, headers, body)
        )
        with self._lock:
            self._seen.append(seen)
            fault = next((one for one in self._faults if one.take(exchange)), None)
        return seen, fault.action(exchange) if fault else exchange.pass_on()

    def _forward(self, method: str, target: str, headers: tuple[tuple[str, str], ...], body: bytes) -> Answer:
        """Ask the server over a connection of its own."""
        connection = http.client.HTTPConnection(*self._server, timeout=LONGEST_SECONDS)
        try:
            connection.request(method, target, body, dict(_end_to_end(headers)))
            response = connection.getresponse()
            return Answer(response.status, _end_to_end(response.getheaders()), response.read())
        finally:
            connection.close()


class _Listener(ThreadingHTTPServer):
    """A thread for each connection; none of them keeps the process alive."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


def _end_to_end(headers: list[tuple[str, str]] | tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The headers that are not about one connection."""
    return tuple((name, value) for name, value in headers if name.lower() not in HOP_BY_HOP)


def _handler_of(proxy: FaultyProxy) -> type[BaseHTTPRequestHandler]:
    """The class whose instances serve the connections of a proxy."""

    class Handler(BaseHTTPRequestHandler):
        """One connection."""

        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            """Serve one request."""
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            try:
                if len(body) < length:  # the client ended within its request
                    raise ConnectionLostError
                seen, found = proxy.handle(self.command, self.path, tuple(self.headers.items()), body)
            except ConnectionLostError:
                self.reset()
                return
            seen.client_status = found.status  # before the client can ask for it
            try:
                self.send_response_only(found.status)
                for name, value in found.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(found.body)))
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else found.body)
            except OSError:  # the client did not wait for a slow answer
                seen.client_status = None
                self.close_connection = True

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815 (named by the base class)

        def reset(self) -> None:
            """Close the connection so that the client is told of a reset, not of an end."""
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                os.close(self.connection.detach())

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    return Handler
