"""`synoptic purge`: the right to erasure for one patient or several."""

import sys
from contextlib import closing
from typing import Annotated

import structlog
import typer

from gateway.composition import build_bus
from gateway.erasure import Erased, erase, read_patient
from schemas.logs import configure
from schemas.settings import load_settings
from workers.buses.embedded import EmbeddedBus
from workers.privacy.sealing import load_seal

logger = structlog.get_logger()
_REMAINS = """What remains, and whose it is:
- resources on the FHIR server or in the folder store, the report itself: the EHR's; delete them there.
- what subscribers have read: theirs.
- a key that a backup of the key store still holds: let such backups end (docs/privacy.md)."""
_REMAINS_ON_KAFKA = """- on Kafka, in clear until their retention ends: reports as the EHR published them, Bundles on
  synoptic.coded-observations, messages that intake rejected without finding whose they are, quotes in findings."""
_REMAINS_IN_BACKUPS = "- in backups of the bus file, in clear: Bundles, and messages that named no patient."


def purge(
    patients: Annotated[
        list[str], typer.Argument(help="`system|value`, a reference as reports give it, or - for lines on stdin")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Erase patients: delete their keys, and overwrite what the embedded bus holds of them. It can't be undone."""
    words = [word for given in patients for word in (sys.stdin.read().splitlines() if given == "-" else [given])]
    found = [read_patient(word) for word in words if word.strip()]
    if not found or not all(patient.literal or (patient.identifier and patient.identifier.value) for patient in found):
        raise typer.BadParameter("give at least one patient, as system|value or a reference")
    if not yes:
        typer.confirm(f"Erase {len(found)} patient{'' if len(found) == 1 else 's'} for good?", abort=True, err=True)
    settings = load_settings()
    configure(settings.logging, libraries=False)
    with closing(load_seal(settings)) as seal:
        if settings.bus.kind == "kafka":
            erased = erase(found, seal, settings, None)
        else:
            with closing(build_bus(settings.bus)) as bus:
                assert isinstance(bus, EmbeddedBus)
                erased = erase(found, seal, settings, bus)
    _tell(erased, len(found))


def _tell(erased: Erased, asked: int) -> None:
    """The audit lines, one a key, and what the person who asked must know; neither names a patient."""
    for key in erased.keys:
        logger.info("patient erased", erasure=key)
    logger.info("purge done", count=asked, records=erased.records or 0)
    typer.echo(f"keys deleted: {len(erased.keys)} of {asked} patients; what they sealed cannot be read any more")
    if len(erased.keys) < asked:
        typer.echo("the others have no key: nothing of them was sealed under these names, or it was erased before")
    if erased.records is not None:
        typer.echo(f"records overwritten in the bus file: {erased.records}")
    if not erased.journal_is_clear:
        typer.echo("the bus file's journal is in use and still holds them: purge again", err=True)
    typer.echo(_REMAINS)
    typer.echo(_REMAINS_ON_KAFKA if erased.records is None else _REMAINS_IN_BACKUPS)
