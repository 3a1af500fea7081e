"""One delivery: the coded resources a registry asked for, with all that they refer to, as one Bundle.

A `transaction` puts each resource under its own id, so that reports of one case meet at the registry. A `collection` is
the whole case (patient, encounter, organisation) in one Bundle whose id stays the same: other reports of the case that
the registry was sent are read again and go along. A `message` carries the collection for $process-message. The Bundle's
identifier is the one under which emission published the report's version; repeats are told by it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from gateway.registries.coded import CodedReport, references
from gateway.registries.composition import compose
from gateway.registries.gathering import DELIVERED, Gathering
from gateway.registries.ledger import Sent
from gateway.registries.selection import concerns, made_by, select, without
from gateway.registries.sources import Source
from gateway.registries.subscription import Subscription
from gateway.stores.ledger import order_of
from gateway.stores.resource_store import Resource, reference_of
from mappers.identity import CANONICAL, derived_id
from mappers.variables import MACHINE_LABEL
from schemas.errors import Code, SynopticError
from schemas.fhirpath import evaluate
from schemas.settings import Settings

_CANCER_REPORT = {
    "system": "http://hl7.org/fhir/us/ph-library/CodeSystem/us-ph-codesystem-message-types",
    "code": "cancer-report-message",
}
_PATIENT, _DEVICE = "Patient/", "Device/"
_STATUS_OF_RESULTS = {"appended": "amended", "partial": "preliminary"}
Siblings = Callable[[str], Sequence[str]]
"""The names of what the registry was sent of a case's other reports."""


@dataclass(frozen=True, repr=False)
class Parcel:
    """What is delivered: the Bundle, under which identifier, of which case, and what the registry has of the report then, by name."""

    identifier: str
    case: str
    bundle: Resource
    names: frozenset[str] = field(default_factory=frozenset)

    @property
    def file_name(self) -> str:
        """The identifier's last part, which may stand in a path."""
        return self.identifier.rpartition(":")[2]


class Packer:
    """Makes one registry's parcels."""

    def __init__(self, subscription: Subscription, source: Source, settings: Settings) -> None:
        self._definition = subscription.definition
        self._criteria = subscription.definition.criteria
        self._source = source
        self._settings = settings

    def pack(self, coded: CodedReport, had: Sent, siblings: Siblings) -> Parcel | None:
        """The parcel, or None where the registry does not want the report and has nothing of it.

        One that no longer is wanted gives all that the registry has of it, taken back. Raises SYN-474 where the report or
        its Patient cannot be found.
        """
        coded = self._with_devices(coded)
        wanted = not self._criteria.packs or bool(coded.packs & set(self._criteria.packs))
        if not had.names and not wanted:
            return None
        base_url = self._settings.fhir.base_url or CANONICAL
        gathering = Gathering(self._source.about(coded.report), self._settings.tenant, base_url.rstrip("/"))
        gathering.follow([coded.report])
        if gathering.find(coded.report) is None:
            raise SynopticError(Code.UNRESOLVED, "DiagnosticReport")
        wanted = (wanted or not coded.packs) and made_by(gathering.resources(), self._criteria)
        attempt = partial(self._attempt, coded, had, siblings, gathering, self._stated(coded, had))
        parcel = attempt(is_wanted=True) if wanted else None
        return parcel or (attempt(is_wanted=False) if had.names else None)

    def _attempt(
        self,
        coded: CodedReport,
        had: Sent,
        siblings: Siblings,
        gathering: Gathering,
        stated: Sequence[Resource],
        is_wanted: bool,
    ) -> Parcel | None:
        """The parcel as far as the report is wanted; None where there is nothing to say, or a condition does not hold."""
        report = gathering.find(coded.report)
        assert report is not None
        status = _STATUS_OF_RESULTS.get(report["status"], report["status"])
        chosen = select(stated, self._criteria, status, had.names, is_wanted)
        if not chosen or (is_wanted and not concerns([*chosen, report], self._criteria)):
            return None
        patient = gathering.find(report.get("subject"))
        person = gathering.literal_of(patient) if patient else ""
        formerly = {name for name in had.names if name.startswith(_PATIENT)}
        moved = bool(person and formerly) and person not in formerly
        case = had.case if had.case and not moved else self._case(coded, report, gathering, person)
        chosen += _attribution(coded, chosen)
        own = frozenset(map(reference_of, chosen))
        if self._definition.form != "transaction":
            chosen += self._rest_of(siblings(case), chosen, status)
        resources = _complete(chosen, gathering)
        if is_wanted and not self._holds(resources):
            return None
        has = own | (had.names - formerly if person else had.names) | ({person} - {""})
        return Parcel(coded.identifier, case, self._bundle(coded, case, resources), has)

    def _with_devices(self, coded: CodedReport) -> CodedReport:
        """The report with the Devices that its manifest names: a person's decision does not repeat them."""
        agents = [item["who"].get("reference", "") for item in coded.manifest.get("agent", ())]
        names = () if coded.devices else tuple(name for name in agents if name.startswith(_DEVICE))
        return replace(coded, devices=tuple(self._source.written(names))) if names else coded

    def _stated(self, coded: CodedReport, had: Sent) -> list[Resource]:
        """What the version says, and what stands of the report beside it: an addendum or a decision does not repeat that.

        All is as it stands now where the registry has another Bundle of the same version: which of the two came later, a
        person's decision or another mapping, neither of them tells.
        """
        own = {reference_of(resource): resource for resource in coded.clinical}
        targets = {item["reference"] for item in coded.manifest.get("target", ()) if "reference" in item}
        left_out = {reference_of(coded.manifest), coded.report.get("reference")}
        names = {name for name in had.names | had.owed | targets if not name.startswith((_PATIENT, _DEVICE))} - left_out
        is_tie = had.version is not None and order_of(had.version) == order_of(coded.version)
        asked = sorted(names | own.keys() if is_tie else names - own.keys())
        now = {reference_of(resource): resource for resource in self._source.written(asked)} if asked else {}
        return list((own | now).values())

    def _holds(self, resources: Sequence[Resource]) -> bool:
        """Whether the registry's own condition holds of what it would be sent; what is neither true nor false is SYN-483."""
        path = self._criteria.fhirpath
        try:
            found = [True] if path is None else evaluate(path, _collection(resources), {})
        except SynopticError as error:
            raise SynopticError(Code.BAD_CONDITION, error.code.label) from None
        if found not in ([], [True], [False]):
            raise SynopticError(Code.BAD_CONDITION, "neither true nor false")
        return found == [True]

    def _rest_of(self, names: Sequence[str], chosen: Sequence[Resource], status: str | None) -> list[Resource]:
        """What else the registry has of the case, as it stands now."""
        known = {reference_of(resource) for resource in chosen}
        others = self._source.written([name for name in names if name not in known and not name.startswith(_PATIENT)])
        return select(others, self._criteria, status, names)

    def _bundle(self, coded: CodedReport, case: str, resources: Sequence[Resource]) -> Resource:
        form = self._definition.form
        heading = {
            "resourceType": "Bundle",
            "id": coded.identifier.rpartition(":")[2] if form == "transaction" else case,
            "meta": {"security": [MACHINE_LABEL]},
            "identifier": {"system": "urn:ietf:rfc:3986", "value": coded.identifier},
        }
        if form == "transaction":
            return {**heading, "type": form, "entry": [_entry(resource, is_put=True) for resource in resources]}
        composition = compose(case, coded.manifest["recorded"], resources) if self._definition.composition else None
        listed = [*([composition] if composition else []), *resources]
        content = {**heading, **_collection(listed)}
        return content if form == "collection" else self._message(heading, content)

    def _message(self, heading: Resource, content: Resource) -> Resource:
        """The collection in a message; sent again it is the same message, by its ids."""
        header = {
            "resourceType": "MessageHeader",
            "id": derived_id(DELIVERED, "message", heading["identifier"]["value"]),
            "eventCoding": _CANCER_REPORT,
            "source": {"name": "Synoptic", "endpoint": CANONICAL},
            "focus": [{"reference": f"Bundle/{content['id']}"}],
        }
        target = self._definition.deliver.fhir
        if target is not None:
            header["destination"] = [{"endpoint": target.base_url}]
        identifier = derived_id(DELIVERED, "message Bundle", heading["identifier"]["value"])
        return {**heading, "id": identifier, "type": "message", "entry": [_entry(header), _entry(content)]}

    def _case(self, coded: CodedReport, report: Resource, gathering: Gathering, person: str) -> str:
        """One for each patient, encounter and organisation; without an encounter, for each report."""
        encounter = gathering.find(report.get("encounter"))
        organizations = [
            gathering.literal_of(found)
            for found in map(gathering.find, [*report.get("performer", []), (encounter or {}).get("serviceProvider")])
            if found is not None and found["resourceType"] == "Organization"
        ]
        return derived_id(
            DELIVERED,
            "case",
            self._settings.tenant,
            person,
            gathering.literal_of(encounter) if encounter else coded.name,
            organizations[0] if organizations else "",
        )


def _complete(chosen: Sequence[Resource], gathering: Gathering) -> list[Resource]:
    """What is sent with all that it refers to; raises SYN-474 unless one Patient is among them, and no other."""
    own = frozenset(map(reference_of, chosen))
    links = [item for resource in chosen for item in references(resource)]
    gathering.follow(item for item in links if item.get("reference") not in own)
    resources = [*gathering.delivered(), *(gathering.renamed(resource, own) for resource in chosen)]
    patients = [resource for resource in gathering.resources() if resource["resourceType"] == "Patient"]
    if not patients:
        raise SynopticError(Code.UNRESOLVED, "Patient")
    if sum("id" in patient for patient in patients) > 1:
        raise SynopticError(Code.UNRESOLVED, "one Patient alone")
    return resources


def _collection(resources: Sequence[Resource]) -> Resource:
    return {"resourceType": "Bundle", "type": "collection", "entry": [_entry(resource) for resource in resources]}


def _attribution(coded: CodedReport, chosen: Sequence[Resource]) -> list[Resource]:
    """Who says so: the Devices and the manifest over what is sent."""
    sent = {reference_of(resource) for resource in chosen}
    left_out = {reference_of(resource) for resource in coded.clinical} - sent
    manifest = without(coded.manifest, left_out)
    return [*coded.devices, {**manifest, "target": manifest.get("target") or [coded.report]}]


def _entry(resource: Resource, is_put: bool = False) -> Resource:
    name = reference_of(resource)
    request = {"request": {"method": "PUT", "url": name}} if is_put else {}
    return {"fullUrl": f"{CANONICAL}/{name}", "resource": resource, **request}
