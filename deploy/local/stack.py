"""`make stack`: Kafka and a FHIR server on this machine, holding the examples' patients, until Ctrl-C.

Everything lies in one folder, `.stack` in the clone, and starts anew each time; a lock that the system drops with the
process keeps a second one out. The settings and variables for another terminal are there as long as the servers run.
"""

import argparse
import fcntl
import os
import secrets
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

import yaml

from deploy.local.fhir_server import FhirServer
from deploy.local.java_process import MissingProgramError, ServerFailedError, accepts_connections
from deploy.local.kafka_cluster import KafkaCluster
from deploy.local.maven import BuildFailedError
from deploy.local.seed import SeedRefusedError, example_resources, seed
from schemas.errors import SynopticError
from schemas.settings import BusSettings
from schemas.topics import TOPICS
from workers.buses.kafka_topics import KafkaTopics
from workers.privacy.patient_keys import KEY_STORE_FILE

LOCK, SETTINGS, ENVIRONMENT = "lock", "synoptic.yaml", "environment"
STOPPED, FAILED = 0, 1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WATCH_SECONDS = 0.5


class StackRefusedError(RuntimeError):
    """The servers cannot be started here as things are; the message says in one line what to do."""


FAULTS = (
    StackRefusedError,
    MissingProgramError,
    ServerFailedError,
    BuildFailedError,
    SeedRefusedError,
    SynopticError,
    OSError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both servers until a signal; the answer is the exit status."""
    options = _options(arguments)
    try:
        with _stopped_by_signals():
            run(options.folder, options.kafka_port, options.fhir_port)
    except KeyboardInterrupt:
        _say("both servers have stopped")
        return STOPPED
    except FAULTS as error:
        sys.stderr.write(f"{_one_line(error)}\n")
        return FAILED


def run(folder: Path, kafka_port: int | None, fhir_port: int | None) -> NoReturn:
    """Start the servers in an emptied folder, seed them, say how to use them, and watch them."""
    with _sole_use_of(folder):
        _refuse_taken(kafka_port, fhir_port)
        _say("starting Kafka and a FHIR server, half a minute; the first time Maven fetches and builds them")
        kafka = KafkaCluster(folder / "kafka", port=kafka_port)
        fhir = FhirServer(folder / "fhir", port=fhir_port, database="file")
        with kafka, fhir:
            bus = BusSettings(kind="kafka", bootstrap_servers=kafka.bootstrap_servers)
            KafkaTopics(bus).require([topic.name for topic in TOPICS])
            resources = example_resources()
            seed(fhir.base_url, resources)
            try:
                _write_settings(folder, bus.bootstrap_servers, fhir.base_url)
                _say(_usage(folder, bus.bootstrap_servers, fhir.base_url, len(resources)))
                _watch(kafka, fhir)
            finally:
                for name in (SETTINGS, ENVIRONMENT, KEY_STORE_FILE):
                    (folder / name).unlink(missing_ok=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make stack", description="Kafka and a FHIR server until Ctrl-C.")
    parser.add_argument("--folder", type=Path, default=Path(".stack"), help="emptied first; default: .stack")
    parser.add_argument("--kafka-port", type=_port, help="default: any free port")
    parser.add_argument("--fhir-port", type=_port, help="default: any free port")
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    """A port that can be named to others; argparse tells a person what was expected."""
    if not (text.isdecimal() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError("give a port from 1 to 65535")
    return int(text)


def _refuse_taken(kafka_port: int | None, fhir_port: int | None) -> None:
    """Refuse ports that cannot be had before anything starts: the second server would tell half a minute later."""
    if kafka_port is not None and kafka_port == fhir_port:
        raise StackRefusedError(f"both servers cannot listen on port {kafka_port}: name two")
    for option, port in (("--kafka-port", kafka_port), ("--fhir-port", fhir_port)):
        if port is not None and accepts_connections(port):
            raise StackRefusedError(f"another process listens on port {port}: name another with {option}")


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let each signal that ends a program interrupt this one, once: stopping in order is not interrupted again."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        for name in STOP_SIGNALS:
            signal.signal(name, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {name: signal.signal(name, interrupt) for name in STOP_SIGNALS}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextmanager
def _sole_use_of(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, and empty the folder: what a killed stack left behind goes, what is not ours stays."""
    lock = folder / LOCK
    if folder.exists() and not lock.exists() and any(folder.iterdir()):
        raise StackRefusedError(f"{folder} holds other files: name an empty or new folder with --folder")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StackRefusedError(
                f"process {file.read()} already runs the servers of {folder}: use those, or stop it with Ctrl-C first"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != lock:
                path.unlink()
        yield


def _write_settings(folder: Path, bootstrap_servers: str, base_url: str) -> None:
    """The settings for `synoptic`, with a key and a key store of their own, and another terminal's variables."""
    settings = {
        "bus": {"kind": "kafka", "bootstrap_servers": bootstrap_servers},
        "fhir": {"base_url": base_url},
        "privacy": {"key": secrets.token_hex(32), "key_store": str((folder / KEY_STORE_FILE).absolute())},
    }
    file = (folder / SETTINGS).absolute()
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        yaml.safe_dump(settings, stream, sort_keys=False)
    variables = {"SYNOPTIC_SETTINGS": str(file), "KAFKA": bootstrap_servers, "FHIR": base_url}
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    (folder / ENVIRONMENT).write_text("".join(lines), encoding="utf-8")


def _usage(folder: Path, bootstrap_servers: str, base_url: str, resources: int) -> str:
    """What a person needs to know, in a few lines."""
    return f"""ready: Kafka at {bootstrap_servers}, FHIR at {base_url} with the examples' {resources} resources
in another terminal:
  source {shlex.quote(str(folder / ENVIRONMENT))}
  .venv/bin/synoptic publish examples/reports/01-mastectomy.json
  .venv/bin/synoptic run all --until-idle
  curl "$FHIR/Observation?patient.identifier=00482913"
  unset SYNOPTIC_SETTINGS   # back to this folder's own settings
Ctrl-C stops both servers; nothing is kept for the next time"""


def _watch(kafka: KafkaCluster, fhir: FhirServer) -> NoReturn:
    """Wait for a signal; raise where a server ends by itself."""
    while kafka.pids and fhir.running:
        time.sleep(WATCH_SECONDS)
    raise ServerFailedError(f"{'the FHIR server' if kafka.pids else 'Kafka'} has ended by itself")


def _one_line(error: BaseException) -> str:
    """The first line of a message; what follows it quotes a server's log."""
    text = error.one_line() if isinstance(error, SynopticError) else str(error) or type(error).__name__
    return text.splitlines()[0]


def _say(text: str) -> None:
    """Tell the person, at once even through a pipe, who may have gone already."""
    with suppress(BrokenPipeError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
