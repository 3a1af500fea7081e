"""Where coded resources go: what emission needs of a store, whether a FHIR server or a folder.

A write is guarded: every resource is put on the condition that the store still holds the version that was read, and
all of them are written or none. A store never decides what to write; gateway/stores/reconciliation.py does.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Protocol

from mappers.identity import CANONICAL
from schemas.errors import Code, SynopticError
from schemas.messages import Reference
from schemas.settings import FhirSettings

Resource = dict[str, Any]
REVIEW_TASK = {"system": f"{CANONICAL}/CodeSystem/task", "code": "review", "display": "Review"}
"""The code of a Task that asks a person to decide something."""


@dataclass(frozen=True)
class Stored:
    """A resource as the store holds it, with the store's own mark of this version."""

    resource: Resource = field(repr=False)
    version: str


@dataclass(frozen=True)
class Put:
    """A resource to write; `expected` is the version that must still be there, None where there must be none."""

    resource: Resource = field(repr=False)
    expected: str | None


@dataclass(frozen=True)
class Targets:
    """What a report refers to and the EHR owns: how to refer to each that is there, and those that are not."""

    found: Mapping[Reference, Reference] = field(default_factory=dict, repr=False)
    missing: tuple[Reference, ...] = field(default=(), repr=False)


class MissingTargetError(SynopticError):
    """The store does not hold what a report refers to, or no longer: that may pass."""

    def __init__(self, kinds: Iterable[str]) -> None:
        """Take the types of what is missing."""
        self.kinds = sorted(set(kinds))
        super().__init__(Code.MISSING_TARGET, ", ".join(self.kinds))


class ResourceStore(Protocol):
    """What emission asks of a store; a fault that may pass raises a retry error."""

    def read(self, references: Collection[str]) -> dict[str, Stored]:
        """The present version of each "Type/id" that exists."""
        ...

    def provenances_of(self, references: Collection[str]) -> tuple[Resource, ...]:
        """Every Provenance that targets any of them: manifests of other reports, and a person's verification."""
        ...

    def transact(self, puts: Sequence[Put], tasks: Sequence[Put] = ()) -> bool:
        """Write all, or none and answer False where any expected version is gone; an equal resource makes no version.

        The Tasks for persons are written with the resources, and only with them; for a Task's sake no resource is
        rejected. Raises MissingTargetError where what the resources refer to is gone.
        """
        ...

    def awaiting(self) -> Iterator[Stored]:
        """The Tasks of code REVIEW_TASK that nobody has settled."""
        ...

    def conditions_of(self, patient: str, codes: Collection[str]) -> tuple[Resource, ...]:
        """The Conditions of a patient ("Patient/1") with any of the codes (system|code), in the order of their ids."""
        ...

    def look_up(self, references: Sequence[Reference]) -> Targets:
        """The EHR's own resources: by literal reference, else by a search for the identifier with exactly one hit."""
        ...

    def serves_others(self) -> bool:
        """After a fault with one report: whether the store works for what has nothing to do with it."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


def reference_of(resource: Resource) -> str:
    """The literal reference to a resource."""
    return f"{resource['resourceType']}/{resource['id']}"


def id_of(reference: str) -> str:
    """The id in a literal reference."""
    return reference.partition("/")[2]


def open_store(settings: FhirSettings, stopping: Event | None = None) -> ResourceStore:
    """The store that the settings name: a FHIR server, for which nobody waits once `stopping` is set; else a folder."""
    if settings.base_url is not None:
        from gateway.fhir.client import FhirClient
        from gateway.stores.fhir_store import FhirStore

        return FhirStore(settings, FhirClient(settings, stopping=stopping))
    from gateway.stores.folder_store import FolderStore

    return FolderStore(settings.folder)
