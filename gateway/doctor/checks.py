"""What `synoptic doctor` looks at: each check says in one line what it found, and if it is a fault, what to do."""

import os
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from gateway.doctor.outcome import Outcome, fault
from schemas.errors import SynopticError
from schemas.pack_loader import PACKS_FOLDER, check_pack, load_pack, load_packs
from schemas.settings import Settings, load_settings
from workers.privacy.sealing import KEY_FILE, load_seal

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def run_checks() -> Iterator[Outcome]:
    """Every check in turn; without settings none of the others means anything."""
    try:
        settings = load_settings()
    except SynopticError as error:
        yield fault("settings", error)
        return
    yield Outcome("settings", "valid")
    for check in CHECKS:
        yield from check(settings)


def check_packs(settings: Settings) -> Iterator[Outcome]:
    """Every pack, overlay and stage table that the settings name is complete, and what they make can be FHIR R4."""
    from gateway.mapping_tools.shapes import require_sound

    are_valid = True
    for identifier in settings.packs:
        name = f"pack {identifier}"
        faults = check_pack(PACKS_FOLDER / identifier)
        for found in faults:
            yield Outcome(name, str(found), "correct the file at that line")
        if not faults:
            yield Outcome(name, "valid")
        are_valid &= not faults
    if are_valid:
        try:
            require_sound(load_packs(settings.packs, settings.mapping).values())
        except SynopticError as error:
            yield fault("mapping", error)
        else:
            yield Outcome("mapping", "valid")


def check_model(settings: Settings) -> Iterator[Outcome]:
    """The checkpoint's libraries are installed, its files are there, and their digests are right."""
    missing = [name for name in ("torch", "transformers", "peft", "safetensors") if find_spec(name) is None]
    if missing:
        yield Outcome("model", f"not installed: {', '.join(missing)}", "install synoptic-gateway[worker]")
        return
    path = Path(settings.model.path)
    if not path.exists():
        yield _elsewhere(settings.model.path)
        return
    from model.manifest import read_manifest

    try:
        manifest = read_manifest(path)
        for identifier in settings.packs:
            manifest.require_pack(load_pack(identifier).definition)
    except SynopticError as error:
        yield fault("model", error)
        return
    yield Outcome("model", f"for pack {manifest.pack} {manifest.pack_version}, digests right")


def _elsewhere(path: str) -> Outcome:
    """A model.path that is no folder here: a hub id, or a mistake."""
    if HUB_ID.fullmatch(path):
        return Outcome("model", "a hub id; its digests are checked when it is loaded")
    return Outcome("model", "model.path is no folder", "give the folder of a checkpoint, or make one: `synoptic train`")


def check_bus(settings: Settings) -> Iterator[Outcome]:
    """The brokers are there and let us work, or the embedded bus's file can be written and is a bus."""
    if settings.bus.kind == "kafka":
        if find_spec("kafka") is None:
            yield Outcome("Kafka", "not installed: kafka", "install synoptic-gateway[kafka]")
            return
        from gateway.doctor.kafka_checks import check_kafka

        yield from check_kafka(settings)
        return
    if not settings.bus.path.exists():
        yield _writable("bus", settings.bus.path.parent, "bus.path")
        return
    from workers.buses.embedded import EmbeddedBus

    try:
        bus = EmbeddedBus(settings.bus.path)
        bus.publish([])
        bus.close()
    except SynopticError as error:
        yield fault("bus", error)
        return
    yield Outcome("bus", "embedded, writable")


def check_store(settings: Settings) -> Iterator[Outcome]:
    """The FHIR server is fit to take coded resources, or the folder for them can be written."""
    if settings.fhir.base_url is not None:
        from gateway.doctor.fhir_checks import check_fhir

        yield from check_fhir(settings)
        return
    yield _writable("store", settings.fhir.folder, "fhir.folder")


def check_ocr(settings: Settings) -> Iterator[Outcome]:
    """An OCR engine is there for scans."""
    from gateway.documents.ocr import find_engine

    try:
        engine = find_engine(settings.intake)
        engine.close()
    except SynopticError as error:
        yield fault("ocr", error)
        return
    yield Outcome("ocr", "an engine is found")


def check_privacy_key(settings: Settings) -> Iterator[Outcome]:
    """There is a usable privacy key, or one can be made."""
    beside = settings.bus.path.parent / KEY_FILE
    if settings.privacy.key is None and settings.bus.kind == "embedded" and not beside.exists():
        yield Outcome("privacy key", "none yet; a key file is made beside the bus at the first run")
        return
    try:
        load_seal(settings).close()
    except SynopticError as error:
        yield fault("privacy key", error)
        return
    yield Outcome("privacy key", "usable")


def check_registries(settings: Settings) -> Iterator[Outcome]:
    """Every registry's file is without faults, and its server or folder could take a delivery."""
    from gateway.registries import checks

    yield from checks.check_registries(settings)


CHECKS: tuple[Callable[[Settings], Iterator[Outcome]], ...] = (
    check_packs,
    check_model,
    check_bus,
    check_store,
    check_ocr,
    check_privacy_key,
    check_registries,
)


def _writable(name: str, folder: Path, key: str) -> Outcome:
    """Whether the folder, or the nearest one above it that exists, can be written."""
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Outcome(name, "writable" if nearest == folder.absolute() else "can be made at the first run")
    return Outcome(name, f"the folder of {key} cannot be written", f"correct {key}, or the folder's rights")
