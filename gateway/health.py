"""What a supervisor asks a running process over HTTP: its metrics, whether it lives, and whether it is ready.

/health/live is 503 once a hop has ended or hangs: a restart helps. /health/ready is 503 then too, and while a hop has
not joined its group or waits for an error to pass: a restart does not help there. A registry shows how it is, and counts
for neither: the others would be restarted, or kept back, for its sake. No answer holds more than names of hops and error numbers.
"""

import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Self

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from schemas import metrics
from schemas.errors import Code, SynopticError
from workers.hop import HopStatus

REQUEST_SECONDS = 10.0
_Answer = tuple[HTTPStatus, str, bytes]


class HealthServer:
    """Answers on one address until the end of its context, in threads of its own."""

    def __init__(
        self, address: str, port: int, statuses: Callable[[], Sequence[HopStatus]], silent_seconds: float
    ) -> None:
        """Listen; raises SYN-611 where the address or port is not to be had. A hop silent for longer counts as hung."""
        self._statuses = statuses
        self._silent_seconds = silent_seconds
        try:
            self._server = _Server(address, port, partial(_Handler, self._answer))
        except OSError as error:
            raise SynopticError(Code.CANNOT_LISTEN, error.strerror or type(error).__name__) from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, path: str) -> _Answer:
        if path == "/metrics":
            for status in self._statuses():
                metrics.READY.set(int(self._is_ready(status)), hop=status.hop)
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest()
        if path == "/health/live":
            return _report(self._statuses(), self._lives)
        if path == "/health/ready":
            return _report(self._statuses(), self._is_ready)
        return HTTPStatus.NOT_FOUND, "text/plain", b"/metrics, /health/live or /health/ready\n"

    def _lives(self, status: HopStatus) -> bool:
        return status.alive and status.silent_seconds < self._silent_seconds

    def _is_ready(self, status: HopStatus) -> bool:
        return status.is_ready and self._lives(status)


def _report(statuses: Sequence[HopStatus], is_well: Callable[[HopStatus], bool]) -> _Answer:
    hops = [_described(status, is_well(status)) for status in statuses]
    well = all(hop["ok"] for hop, status in zip(hops, statuses, strict=True) if not status.stands_alone)
    body = orjson.dumps({"ok": well, "hops": hops}) + b"\n"
    return HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE, "application/json", body


def _described(status: HopStatus, well: bool) -> dict[str, Any]:
    return {
        "hop": status.hop,
        "ok": well,
        "joined": status.joined,
        "alive": status.alive,
        "error": status.error.label if status.error else None,
        "idle_seconds": round(status.idle_seconds),
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: str, port: int, handler: Callable[..., BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, port), handler)

    def server_bind(self) -> None:
        """Bind without asking a name server for this machine's name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away in the middle is no event."""


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_SECONDS
    server_version = "synoptic"
    sys_version = ""

    def __init__(self, answer: Callable[[str], _Answer], *arguments: Any) -> None:
        self._answer = answer
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Answer one of the paths."""
        status, content_type, body = self._answer(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log nothing: a probe comes every few seconds, and its path is anybody's text."""
