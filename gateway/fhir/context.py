"""The report's context from its resources: versions, dates, specimens, sides; nothing here reads the narrative."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from gateway.fhir.identity import (
    checked,
    derive_key,
    patient_key,
    read_identifiers,
    read_reference,
    read_subject,
    report_identifier,
)
from gateway.fhir.parsing import ReportResources, Resource
from schemas.errors import Code, SynopticError
from schemas.findings import Side
from schemas.messages import Reference, ReportContext, ReportVersion, SpecimenPart
from schemas.settings import Settings

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
_SIDE_CODES: dict[str, Side] = {
    "80248007": "left",  # left breast structure
    "73056007": "right",  # right breast structure
    "7771000": "left",  # the laterality qualifiers
    "24028007": "right",
}
_SIDE_WORDS: dict[Side, re.Pattern[str]] = {
    "left": re.compile(r"\b(left|lt|links|linke[rs]?)\b", re.IGNORECASE),
    "right": re.compile(r"\b(right|rt|rechts|rechte[rs]?)\b", re.IGNORECASE),
}
_PART_LETTER = re.compile(r"(?:^|[\s_.:/-])([A-Z])$")


def read_context(resources: ReportResources, settings: Settings) -> ReportContext:
    """Who and what the report is about; raises numbered rejects for a missing subject, identifier or instant."""
    report = resources.report
    subject = read_subject(resources)
    identifier = report_identifier(
        read_identifiers(report.get("identifier"), "DiagnosticReport.identifier"), settings.intake.identifier_systems
    )
    meta = report.get("meta") or {}
    recorded = report.get("issued") or meta.get("lastUpdated")
    if not recorded:
        raise SynopticError(Code.NO_INSTANT)
    specimens = tuple(_specimens(resources))
    patient = resources.resolve(report["subject"]) or {}
    return ReportContext(
        tenant=settings.tenant,
        report_key=derive_key(settings.tenant, "report", identifier.system, identifier.value),
        patient_key=patient_key(settings.tenant, subject),
        report_identifier=identifier,
        report=Reference(type="DiagnosticReport", literal=_own_literal(report), identifier=identifier),
        subject=subject,
        gender=patient.get("gender"),
        encounter=read_reference(report.get("encounter"), "Encounter", resources, "DiagnosticReport.encounter"),
        organization=_organization(resources),
        specimens=specimens,
        status=report["status"],
        version=ReportVersion(
            issued=report.get("issued"), last_updated=meta.get("lastUpdated"), version_id=meta.get("versionId")
        ),
        effective=_effective(report, specimens),
        recorded=recorded,
        codes=tuple(_codes([report.get("code")], LOINC)),
    )


def read_categories(report: Resource) -> tuple[str, ...]:
    """The codes of DiagnosticReport.category, of whatever system."""
    return tuple(_codes(report.get("category"), None))


def read_side(resources: ReportResources, specimens: Iterable[SpecimenPart]) -> Side | None:
    """The side that the resources name, if all that name one name the same."""
    sides = {specimen.side for specimen in specimens}
    for request in _requests(resources):
        sides.add(side_of(request.get("bodySite")))
    sides.discard(None)
    return sides.pop() if len(sides) == 1 else None


def side_of(body_sites: Any) -> Side | None:
    """The side in bodySite elements: SNOMED codes of side or sided breast, extensions included, else words."""
    coded: set[Side] = set()
    worded: set[Side] = set()
    for concept in _concepts(body_sites):
        texts = [concept.get("text")]
        for coding in concept.get("coding") or []:
            if coding.get("system") == SNOMED and coding.get("code") in _SIDE_CODES:
                coded.add(_SIDE_CODES[coding["code"]])
            texts.append(coding.get("display"))
        worded.update(side for text in texts if text for side, words in _SIDE_WORDS.items() if words.search(text))
    found = coded or worded
    return found.pop() if len(found) == 1 else None


def _concepts(body_sites: Any) -> Iterator[Resource]:
    for concept in body_sites if isinstance(body_sites, list) else [body_sites]:
        if isinstance(concept, dict):
            yield concept
            for extension in concept.get("extension") or []:
                if isinstance(extension.get("valueCodeableConcept"), dict):
                    yield extension["valueCodeableConcept"]


def _requests(resources: ReportResources) -> Iterator[Resource]:
    for reference in resources.report.get("basedOn") or []:
        request = resources.resolve(reference)
        if request and request["resourceType"] == "ServiceRequest":
            yield request


def _specimens(resources: ReportResources) -> Iterator[SpecimenPart]:
    """The report's specimens; where it names none, those of its ServiceRequest."""
    references = resources.report.get("specimen") or [
        reference for request in _requests(resources) for reference in request.get("specimen") or []
    ]
    for item in references:
        reference = read_reference(item, "Specimen", resources, "DiagnosticReport.specimen")
        specimen = resources.resolve(item) or {}
        if reference is not None:
            collection = specimen.get("collection") or {}
            yield SpecimenPart(
                reference=reference,
                part=_part_letter(specimen),
                side=side_of(collection.get("bodySite")),
                collected=collection.get("collectedDateTime") or (collection.get("collectedPeriod") or {}).get("start"),
            )


def _part_letter(specimen: Resource) -> str | None:
    """The container's letter, where the specimen's numbers end in one and the same ("S24-1234-A")."""
    identifiers = [
        *read_identifiers(specimen.get("identifier"), "Specimen.identifier"),
        *read_identifiers(specimen.get("accessionIdentifier"), "Specimen.accessionIdentifier"),
    ]
    letters = {match.group(1) for item in identifiers if (match := _PART_LETTER.search(item.value))}
    return letters.pop() if len(letters) == 1 else None


def _effective(report: Resource, specimens: Iterable[SpecimenPart]) -> str | None:
    """The earliest collection, else the report's own effective time, else nothing: never issued."""
    collected = sorted(specimen.collected for specimen in specimens if specimen.collected)
    if collected:
        return collected[0]
    start = (report.get("effectivePeriod") or {}).get("start")
    return report.get("effectiveDateTime") or start


def _organization(resources: ReportResources) -> Reference | None:
    for element in ("performer", "resultsInterpreter"):
        for item in resources.report.get(element) or []:
            resource = resources.resolve(item)
            literal = item.get("reference") or ""
            if (resource and resource["resourceType"] == "Organization") or "Organization/" in literal:
                return read_reference(item, "Organization", resources, f"DiagnosticReport.{element}")
    return None


def _own_literal(report: Resource) -> str | None:
    identifier = report.get("id")
    return f"DiagnosticReport/{checked(identifier, 'DiagnosticReport.id')}" if identifier else None


def _codes(concepts: Any, system: str | None) -> Iterator[str]:
    for concept in concepts or []:
        for coding in (concept or {}).get("coding") or []:
            if coding.get("code") and system in (None, coding.get("system")):
                yield coding["code"]
