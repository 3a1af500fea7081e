"""`synoptic publish`: puts FHIR reports from files on the bus."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from gateway.composition import build_bus
from gateway.whose_report import sealed_reports
from schemas.errors import Code, Kind, SynopticError
from schemas.messages import TOPIC_REPORTS
from schemas.settings import Settings, load_settings
from workers.buses.bus import Outgoing
from workers.privacy.sealing import load_seal

LINES = frozenset({".ndjson", ".jsonl"})


def publish(
    files: Annotated[list[Path], typer.Argument(help="FHIR JSON (one message), .ndjson (one a line), or - for stdin")],
) -> None:
    """Put FHIR reports on the bus, each file whole or not at all; the content is judged by intake."""
    settings = load_settings()
    bus = build_bus(settings.bus)
    seal = _sealing(settings)
    published, failed = 0, False
    try:
        for path in files:
            try:
                messages = [Outgoing(TOPIC_REPORTS, value) for value in seal(list(_messages(path)))]
                bus.publish(messages)
                published += len(messages)
            except SynopticError as error:
                if error.code.kind is not Kind.REJECT:
                    raise  # the bus itself is at fault: no other file would fare better
                failed = True
                typer.echo(f"{path}: {error}", err=True)
    finally:
        bus.close()
        typer.echo(f"published {published} message{'' if published == 1 else 's'}", err=True)
    if failed:
        raise typer.Exit(1)


def _sealing(settings: Settings) -> Callable[[list[bytes]], list[bytes]]:
    """Seals on the embedded bus, whose file keeps the messages; on Kafka they go as an EHR would send them.

    There the topic is the EHR's interface, and who publishes needs neither privacy.key nor the key store.
    """
    if settings.bus.kind == "kafka":
        return list
    seal = load_seal(settings)
    return lambda messages: sealed_reports(messages, seal, settings)


def _messages(path: Path) -> Iterator[bytes]:
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise SynopticError(Code.UNREADABLE_FILE, error.strerror or type(error).__name__) from None
    if not content.strip():
        raise SynopticError(Code.NOT_JSON, "it is empty")
    if path.suffix.lower() in LINES:
        yield from (line for line in content.splitlines() if line.strip())
    else:
        yield content
