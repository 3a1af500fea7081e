"""What a FHIR server's CapabilityStatement promises of what emission needs; a foreign one may hold anything."""

from collections.abc import Iterator, Sequence

from gateway.doctor.outcome import Outcome, advice
from gateway.fhir.parsing import objects
from gateway.stores.resource_store import Resource
from schemas.errors import Code

JSON_FORMATS = frozenset({"application/fhir+json", "application/json", "json"})
VERSIONED = frozenset({"versioned", "versioned-update"})
NEEDED = Code.UNGUARDED_STORE.remedy
LONGEST_SHOWN = 20


def capability_outcomes(statement: Resource, written: Sequence[str], looked_up: Sequence[str]) -> Iterator[Outcome]:
    """One line for the version, for transactions, for the types that are written, and for searches."""
    yield _version(statement)
    server = next((rest for rest in objects(statement.get("rest")) if rest.get("mode") == "server"), {})
    if "transaction" in _codes(server):
        yield Outcome("FHIR transactions", "are taken")
    else:
        yield Outcome("FHIR transactions", "are not taken", NEEDED)
    resources = {str(resource.get("type")): resource for resource in objects(server.get("resource"))}
    yield from _written(resources, written)
    yield from _searches(resources, looked_up)


def _version(statement: Resource) -> Outcome:
    version = str(statement.get("fhirVersion"))
    if not version.startswith("4.0."):
        shown = version if len(version) <= LONGEST_SHOWN and version.isprintable() else "none"
        return Outcome("FHIR version", f"{shown}, not R4", "set fhir.base_url to the server's R4 address")
    formats = statement.get("format")
    names = {str(name).partition(";")[0] for name in formats} if isinstance(formats, list) else set()
    if not names & JSON_FORMATS:
        return Outcome("FHIR version", "4.0, without JSON", "let the server take and send application/fhir+json")
    return Outcome("FHIR version", "4.0, JSON")


def _written(resources: dict[str, Resource], written: Sequence[str]) -> Iterator[Outcome]:
    lacking = {kind: list(_lacking(resources.get(kind, {}))) for kind in written}
    for kind, missing in lacking.items():
        if missing:
            yield Outcome(f"FHIR {kind}", f"no {', no '.join(missing)}", NEEDED)
    if not any(lacking.values()):
        yield Outcome("FHIR resources", f"{', '.join(written)}: read, updated, versioned")
    # HAPI, for one, says nothing of it and does it, so that silence is no fault.
    silent = [kind for kind in written if not lacking[kind] and "updateCreate" not in resources[kind]]
    if silent:
        remedy = "nothing, where its documentation says so; else the first report shows it"
        yield advice("FHIR resources", "it does not say whether an update creates what is not there", remedy)


def _lacking(resource: Resource) -> Iterator[str]:
    """What emission needs of a type that it writes, and the server does not promise."""
    yield from sorted({"read", "update"} - _codes(resource))
    if resource.get("updateCreate") is False:
        yield "update as create"
    if resource.get("versioning") not in VERSIONED:
        yield "versions"


def _searches(resources: dict[str, Resource], looked_up: Sequence[str]) -> Iterator[Outcome]:
    if "target" not in _parameters(resources.get("Provenance", {})):
        yield Outcome("FHIR search", "no search for Provenance by target", "let the server index Provenance.target")
        return
    without = [kind for kind in looked_up if "identifier" not in _parameters(resources.get(kind, {}))]
    if without:
        remedy = "refer to these by literal reference in reports, or let the server index their identifiers"
        yield advice("FHIR search", f"no search by identifier for {', '.join(without)}", remedy)
    else:
        yield Outcome("FHIR search", "Provenance by target; what reports refer to, by identifier")


def _codes(node: Resource) -> set[str]:
    return {str(interaction.get("code")) for interaction in objects(node.get("interaction"))}


def _parameters(resource: Resource) -> set[str]:
    return {str(parameter.get("name")) for parameter in objects(resource.get("searchParam"))}
