"""A resource store on a FHIR R4 server: reads in one batch, writes in one guarded transaction.

What it needs of the server: batch, transaction, update-as-create, versioned updates, and a search for Provenance by
target; gateway/stores/guarded_writer.py tells how a write is guarded. A new report takes three requests: the look-up of
its targets, one batch of reads and one transaction. A known one takes a second batch and the search for Provenances,
and a transaction only where it changes something.
"""

import re
from collections.abc import Collection, Iterator, Sequence

import structlog

from gateway.fhir.bundles import batch, bundle, get, read_entries, version_of
from gateway.fhir.client import FhirClient
from gateway.fhir.parsing import unversioned
from gateway.fhir.targets import TargetFinder
from gateway.stores.guarded_writer import GuardedWriter, RejectedTargetError
from gateway.stores.resource_store import REVIEW_TASK, MissingTargetError, Put, Resource, Stored, Targets
from schemas.errors import Code, Kind, SynopticError
from schemas.messages import Reference
from schemas.settings import FhirSettings

logger = structlog.get_logger()

_ANY_ORGANIZATION = "Organization?_id=synoptic&_summary=count"
_REFERENCE = re.compile(r"[A-Z][A-Za-z]{2,40}/[A-Za-z0-9.-]{1,64}")
_TARGETS_ASKED = 50
_PAGE = "200"


class FhirStore:
    """One server; threads share it."""

    def __init__(self, settings: FhirSettings, client: FhirClient | None = None) -> None:
        """Give `client` where it is not one of its own."""
        self._client = client or FhirClient(settings)
        self._writer = GuardedWriter(self._client)
        self._targets = TargetFinder(self._client)
        self._organization = settings.organization
        self._knows_organization = False

    def read(self, references: Collection[str]) -> dict[str, Stored]:
        """The present version of each that exists."""
        names = [_checked(reference) for reference in dict.fromkeys(references)]
        found = zip(names, batch(self._client, names), strict=True)
        return {name: _stored(entry.resource, entry.version) for name, entry in found if entry.answer.is_success}

    def provenances_of(self, references: Collection[str]) -> tuple[Resource, ...]:
        """Every Provenance that targets any of them, in the order of their ids, its targets without host and version."""
        names = sorted({_checked(reference) for reference in references})
        found: dict[str, Resource] = {}
        for start in range(0, len(names), _TARGETS_ASKED):
            asked = {"target": ",".join(names[start : start + _TARGETS_ASKED]), "_count": _PAGE}
            found |= {resource["id"]: resource for resource in self._client.search("Provenance", asked)}
        return tuple(self._with_plain_targets(found[identifier]) for identifier in sorted(found))

    def transact(self, puts: Sequence[Put], tasks: Sequence[Put] = ()) -> bool:
        """Write all, or none where any expected version is gone.

        Where the server rejects it all, it may be for the Tasks alone: for their sake no report is rejected.
        """
        try:
            return not [*puts, *tasks] or self._write([*puts, *tasks])
        except SynopticError as error:
            if not tasks or error.code.kind is not Kind.REJECT:
                raise
            is_written = not puts or self._write(puts)
            logger.warning("tasks for persons could not be kept", count=len(tasks), error=error)
            return is_written

    def awaiting(self) -> Iterator[Stored]:
        """The Tasks for a person that are still requested."""
        code = f"{REVIEW_TASK['system']}|{REVIEW_TASK['code']}"
        for task in self._client.search("Task", {"code": code, "status": "requested", "_count": _PAGE}):
            yield _stored(task, version_of(task))

    def conditions_of(self, patient: str, codes: Collection[str]) -> tuple[Resource, ...]:
        """The Conditions of a patient with any of the codes, in the order of their ids."""
        asked = {"patient": _checked(patient), "code": ",".join(sorted(codes)), "_count": _PAGE}
        found = {
            one["id"]: one for one in self._client.search("Condition", asked) if one["resourceType"] == "Condition"
        }
        return tuple(found[identifier] for identifier in sorted(found))

    def look_up(self, references: Sequence[Reference]) -> Targets:
        """How to refer to each of the EHR's own resources, and those that are not there."""
        return self._targets.look_up(references)

    def serves_others(self) -> bool:
        """Whether the server reads the Organization at present, asked even while it is left alone."""
        asked = self._organization if _REFERENCE.fullmatch(self._organization) else _ANY_ORGANIZATION
        try:
            answer = self._client.probe(bundle("batch", [get(asked)]))
        except SynopticError:
            return False
        return answer.is_success and [entry.answer.is_success for entry in read_entries(answer)] == [True]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _write(self, puts: Sequence[Put]) -> bool:
        self._require_organization()
        try:
            return self._writer.write(puts)
        except RejectedTargetError:
            self._targets.forget()
            missing = self._targets.missing_of([put.resource for put in puts])
            if not missing:
                # A validator says so of a code system, and HAPI of an URL that it takes for its own: it stays so.
                raise
            raise MissingTargetError(name.partition("/")[0] for name in missing) from None

    def _require_organization(self) -> None:
        """Raise SYN-460 before the first write where every manifest would refer to what is not there."""
        if self._knows_organization or not _REFERENCE.fullmatch(self._organization):
            return
        (entry,) = batch(self._client, [self._organization])
        if not entry.answer.is_success:
            raise SynopticError(Code.NO_ORGANIZATION)
        self._knows_organization = True

    def _with_plain_targets(self, provenance: Resource) -> Resource:
        """The Provenance with "Type/id" for each target: a person's software may name a version or the whole URL."""
        plain = [
            {**target, "reference": unversioned(self._targets.relative(target.get("reference", "")))}
            for target in provenance.get("target", [])
        ]
        return {**provenance, "target": plain}


def _stored(resource: Resource | None, version: str | None) -> Stored:
    if resource is None or version is None:
        raise SynopticError(Code.UNGUARDED_STORE, "a resource without a version")
    return Stored(resource, version)


def _checked(reference: str) -> str:
    """The reference, if it may stand in a url."""
    if not _REFERENCE.fullmatch(reference):
        raise SynopticError(Code.STORE_UNUSABLE, "a reference that is no Type/id")
    return reference
