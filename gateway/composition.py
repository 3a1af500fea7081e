"""Puts the product together from its settings: which bus, which hops. The only place that knows all three hops."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from schemas.errors import Code, SynopticError
from schemas.settings import BusSettings, Settings
from workers.bus import Bus
from workers.hop import Hop

HOPS = ("intake", "extraction", "emission")


def build_bus(settings: BusSettings) -> Bus:
    """Open the bus that the settings name."""
    if settings.kind == "kafka":
        from workers.bus_kafka import KafkaBus

        return KafkaBus(settings)
    from workers.bus_embedded import EmbeddedBus

    return EmbeddedBus(settings.path, settings.maximum_message_bytes)


@contextmanager
def open_hops(names: Sequence[str], settings: Settings) -> Iterator[list[Hop]]:
    """The named hops, whose subprocesses and files are released at the end."""
    with ExitStack() as stack:
        hops = []
        for name in names:
            hop = build_hop(name, settings)
            stack.callback(getattr(hop, "close", lambda: None))
            hops.append(hop)
        yield hops


def build_hop(name: str, settings: Settings) -> Hop:
    """Build one hop with what it needs, importing the model's libraries for extraction alone."""
    if name == "intake":
        from gateway.intake import Intake

        return Intake(settings)
    if name == "extraction":
        from model.engine import load_engine
        from schemas.pack_loader import load_pack
        from workers.extraction import ExtractionHop, Extractor
        from workers.sealing import load_seal

        packs = {identifier: load_pack(identifier) for identifier in settings.packs}
        return ExtractionHop(Extractor(packs, load_engine(settings.model), load_seal(settings)))
    if name == "emission":
        from gateway.emission import EmissionHop
        from gateway.resource_store import open_store

        return EmissionHop(settings, open_store(settings.fhir))
    raise SynopticError(Code.NO_HOP, name)
