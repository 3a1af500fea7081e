"""The hop of one registry: coded Bundles in, deliveries out, in a consumer group of its own.

Its place on the topic is its outbox: a registry that is away holds up itself alone, and what it has not taken is read
again. The ledger keeps it from what it has (the same Bundle again) and from what is older than that. A delivery that
alone cannot be made lets the other reports go ahead, and is set aside in the end (gateway/registries/alone.py).
"""

from collections.abc import Sequence
from functools import partial
from threading import Event

from gateway.registries.alone import Troubles
from gateway.registries.coded import CodedReport, read_coded
from gateway.registries.delivery import Delivery, open_delivery
from gateway.registries.ledger import Ledger
from gateway.registries.parcel import Packer, Parcel
from gateway.registries.sources import Source, open_source
from gateway.registries.subscription import Subscription, load_subscriptions
from gateway.stores.ledger import order_of
from gateway.stores.resource_store import reference_of
from schemas.errors import Code, Kind, SynopticError
from schemas.messages import TOPIC_BUNDLES
from schemas.metrics import DELIVERIES
from schemas.settings import Settings
from workers.buses.bus import Outgoing, Record
from workers.hop import Result

PAUSE_SECONDS = 2.0
DELIVERED, REPEATED, LATE, NOT_WANTED = "delivered", "repeated", "late", "not_wanted"


class RegistryHop:
    """Delivers to one registry; holds its connections, so close it."""

    topics: tuple[str, ...] = (TOPIC_BUNDLES,)
    stands_alone = True

    def __init__(
        self, subscription: Subscription, delivery: Delivery, source: Source, ledger: Ledger, settings: Settings
    ) -> None:
        """Take the registry, the way to it, where its deliveries' parts are found, and what it was sent."""
        self.name = subscription.hop
        self._registry = subscription.name
        self._delivery = delivery
        self._source = source
        self._ledger = ledger
        self._packer = Packer(subscription, source, settings)
        self._troubles = Troubles(delivery.serves_others, self._takes_again)
        self._last: tuple[CodedReport, Record] | None = None
        self._taken: set[tuple[str, int, int]] = set()
        self._maximum = settings.bus.maximum_message_bytes

    def process(self, records: Sequence[Record]) -> list[Result]:
        """One result a record, those of one report one after another.

        Raises SYN-476 while the registry is paused, and where a delivery is to be tried again, its error, once the other
        reports had their turn; what they were sent is repeated no more.
        """
        if self._ledger.is_paused(self._registry):
            raise SynopticError(Code.REGISTRY_PAUSED, self._registry, retry_after=PAUSE_SECONDS)
        self._troubles.begin()
        waiting: dict[str, SynopticError] = {}
        results = [self._process(record, waiting) for record in records]
        if waiting:
            raise next(iter(waiting.values()))
        self._troubles.over()
        self._taken.clear()
        for result in results:
            if result.ignored is not None:
                DELIVERIES.add(hop=self.name, action=result.ignored)
        return results

    def close(self) -> None:
        """Close connections and files."""
        self._delivery.close()
        self._source.close()
        self._ledger.close()

    def _process(self, record: Record, waiting: dict[str, SynopticError]) -> Result:
        """What becomes of a record; `waiting` takes the report with its error where it is to be tried again."""
        try:
            coded = read_coded(record.value, self._maximum)
        except SynopticError as error:
            return Result(error=error)
        if coded.name in waiting:
            return Result()
        try:
            outgoing, action = self._deliver(coded, record)
        except SynopticError as error:
            final = error if error.code.kind is Kind.REJECT else self._troubles.failed(record, error)
            if final.code.kind is Kind.REJECT:
                self._ledger.owe(self._registry, coded.name, frozenset(map(reference_of, coded.clinical)))
                return Result(error=final)
            waiting[coded.name] = final
            return Result()
        return Result(outgoing=outgoing, ignored=None if action == DELIVERED else action)

    def _deliver(self, coded: CodedReport, record: Record) -> tuple[tuple[Outgoing, ...], str]:
        had = self._ledger.sent(self._registry, coded.name)
        # What goes out with the commit may be rolled back: there, what the ledger says of this record counts for nothing.
        if had.version is not None and self._delivery.is_done_at_once:
            # Of two Bundles of one version the ledger knows the later one: tried again, a batch sends the earlier no more.
            if had.bundle == coded.identifier or record.place in self._taken:
                self._last = self._last or (coded, record)
                return (), REPEATED
            if order_of(coded.version) < order_of(had.version):
                return (), LATE
        sent = self._send(coded, record)
        if sent is None:
            return (), NOT_WANTED
        parcel, outgoing = sent
        self._ledger.note(self._registry, coded.name, parcel.case, coded.version, coded.identifier, parcel.names)
        self._last = coded, record
        self._taken.add(record.place)
        self._troubles.taken()
        DELIVERIES.add(hop=self.name, action=DELIVERED)
        return outgoing, DELIVERED

    def _send(self, coded: CodedReport, record: Record) -> tuple[Parcel, tuple[Outgoing, ...]] | None:
        """What was delivered and is to be published; None where the registry does not want the report."""
        had = self._ledger.sent(self._registry, coded.name)
        parcel = self._packer.pack(coded, had, partial(self._ledger.others, self._registry, coded.name))
        if parcel is None:
            return None
        try:
            return parcel, self._delivery.deliver(parcel, record)
        except SynopticError:
            self._ledger.doubt(self._registry, coded.name, parcel.names)
            raise

    def _takes_again(self) -> bool:
        """Whether the last delivery can be made and is taken once more: nothing newer was sent, so that nothing changes there."""
        try:
            return self._last is not None and self._send(*self._last) is not None
        except SynopticError:
            return False


def build_registry_hops(settings: Settings, stopping: Event | None = None) -> list[RegistryHop]:
    """A hop for each registry of the settings; raises SYN-475 where a file has faults."""
    return [
        RegistryHop(
            subscription,
            open_delivery(subscription, stopping),
            open_source(settings, stopping),
            Ledger(settings.registry.state),
            settings,
        )
        for subscription in load_subscriptions(settings)
    ]
