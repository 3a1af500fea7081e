"""Puts the product together from its settings: which bus, which hops. The only place that knows all hops."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Event

from schemas.errors import Code, SynopticError
from schemas.settings import BusSettings, Settings
from workers.buses.bus import Bus
from workers.hop import Hop

PROCESSES = ("intake", "extraction", "emission", "registries")
"""What can run by itself; the hops `delayed` and `review` share the store of `emission`, and run with it; `registries`
are a hop for each registry."""


def build_bus(settings: BusSettings) -> Bus:
    """Open the bus that the settings name."""
    if settings.kind == "kafka":
        from workers.buses.kafka import KafkaBus

        return KafkaBus(settings)
    from workers.buses.embedded import EmbeddedBus

    return EmbeddedBus(settings.path, settings.maximum_message_bytes)


@contextmanager
def open_hops(processes: Sequence[str], settings: Settings, stopping: Event | None = None) -> Iterator[list[Hop]]:
    """The hops of the named processes, whose subprocesses, files and connections are released at the end.

    Once `stopping` is set, no hop waits any longer for what is away.
    """
    with ExitStack() as stack:
        hops: list[Hop] = []
        for name in processes:
            built = build_hops(name, settings, stopping)
            for hop in built:
                stack.callback(getattr(hop, "close", lambda: None))
            hops += built
        yield hops


def build_hops(process: str, settings: Settings, stopping: Event | None = None) -> list[Hop]:
    """Build a process's hops with what they need; those that hold something can be closed.

    The model's libraries are imported for extraction alone.
    """
    if process == "intake":
        from gateway.intake import Intake
        from workers.privacy.sealing import load_seal

        return [Intake(settings, stopping=stopping, seal=load_seal(settings))]
    if process == "extraction":
        from model.engine import load_engine
        from schemas.pack_loader import load_pack
        from workers.extraction import ExtractionHop, Extractor
        from workers.privacy.sealing import load_seal

        packs = {identifier: load_pack(identifier) for identifier in settings.packs}
        return [ExtractionHop(Extractor(packs, load_engine(settings.model), load_seal(settings)))]
    if process == "emission":
        from gateway.delayed import DelayedHop
        from gateway.emission import EmissionHop
        from gateway.review.hop import ReviewHop
        from gateway.stores.resource_store import open_store

        emission = EmissionHop(settings, open_store(settings.fhir, stopping))
        return [emission, DelayedHop(emission, settings.fhir.target_retry_seconds), ReviewHop(emission)]
    if process == "registries":
        from gateway.registries.hop import build_registry_hops

        return [*build_registry_hops(settings, stopping)]
    raise SynopticError(Code.NO_HOP, process)
