"""Emissions that leave out one thing each that the product does, to show that the tests would see it missing."""

import uuid
from collections.abc import Callable, Sequence

import httpx
import orjson

from gateway.stores.authorship import stamp
from gateway.stores.resource_store import Resource
from mappers.bundle import map_report
from schemas.messages import TOPIC_BUNDLES, TOPIC_FINDINGS, ReportFindings
from schemas.pack_loader import load_pack
from schemas.settings import Settings
from workers.buses import kafka_transactions
from workers.buses.bus import Outgoing, Record
from workers.hop import Hop, Result
from workers.privacy.sealing import load_seal


class Unguarded:
    """Writes what it was given without looking at the manifest, and on no condition."""

    name = "emission"
    topics: tuple[str, ...] = (TOPIC_FINDINGS,)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seal = load_seal(settings)
        self._pack = load_pack("breast")
        self._client = httpx.Client(base_url=settings.fhir.base_url or "", timeout=30)

    def process(self, records: Sequence[Record]) -> list[Result]:
        """Write each report, and publish its Bundle."""
        return [Result(outgoing=(self._emit(record),)) for record in records]

    def write(self, bundle: Resource) -> None:
        """Send a transaction to the server."""
        answer = self._client.post("", content=orjson.dumps(bundle), headers={"Content-Type": "application/fhir+json"})
        answer.raise_for_status()

    def changed(self, bundle: Resource) -> Resource:
        """What is written in place of the right Bundle."""
        return bundle

    def _emit(self, record: Record) -> Outgoing:
        findings = ReportFindings.model_validate_json(record.value)
        context = self._seal.open(findings.sealed, findings.report_hmac)
        bundle = map_report(findings, context, self._pack, self._settings).transaction()
        for entry in bundle["entry"]:
            if entry["resource"]["resourceType"] != "Provenance":
                entry["resource"] = stamp(entry["resource"])
        self.write(self.changed(bundle))
        return Outgoing(TOPIC_BUNDLES, orjson.dumps(bundle), key=str(context.report_key).encode())


class NewIds(Unguarded):
    """Gives the resources new ids each time, as a server does that is left to choose them."""

    def changed(self, bundle: Resource) -> Resource:
        """The Bundle under ids that nobody saw before."""
        content = orjson.dumps(bundle)
        for entry in bundle["entry"]:
            if entry["resource"]["resourceType"] != "Device":
                content = content.replace(entry["resource"]["id"].encode(), str(uuid.uuid4()).encode())
        changed: Resource = orjson.loads(content)
        return changed


class CommitsFirst(Unguarded):
    """Moves on before it writes."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._waiting: list[Resource] = []
        plain = kafka_transactions.BoundedProducer.commit_transaction

        def commit(producer: kafka_transactions.BoundedProducer) -> None:
            plain(producer)
            for bundle in self._waiting:
                super(CommitsFirst, self).write(bundle)
            self._waiting.clear()

        kafka_transactions.BoundedProducer.commit_transaction = commit  # type: ignore[method-assign,assignment]

    def write(self, bundle: Resource) -> None:
        """Keep it for later."""
        self._waiting.append(bundle)


VARIANTS: dict[str, Callable[[Settings], Hop]] = {
    "unguarded": Unguarded,
    "new ids": NewIds,
    "commits first": CommitsFirst,
}
