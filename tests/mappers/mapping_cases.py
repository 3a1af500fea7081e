"""Builders of findings and contexts for the tests of mapping."""

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from mappers.bundle import MappedReport, map_report
from schemas.findings import Evidence, Finding, Primary
from schemas.messages import Configuration, Identifier, Reference, ReportContext, ReportFindings, ReportVersion
from schemas.pack_loader import load_packs
from schemas.settings import Settings

CONFIGURATION = Configuration(
    pack="breast",
    pack_version="1",
    pack_digest="p",
    model="m",
    model_digest="d",
    adapter_digest="a",
    policy="agreement",
)


def finding(value: str | None, detail: str | None = None, status: str = "coded", **attributes: str) -> Finding:
    """A finding with one excerpt as evidence."""
    quote = detail or value or "pending"
    basis = attributes.pop("basis", "stated")
    return Finding(
        value=value,
        detail=detail,
        status=status,
        basis=basis,
        probability=0.987,
        evidence=(Evidence(quote=quote, start=7, end=7 + len(quote)),),
        source="model",
        attributes=attributes,
    )


def primary(**changes: Any) -> Primary:
    """A primary of the left breast, invasive ductal, after mastectomy."""
    plain = {
        "key": "breast-left",
        "organ": "breast",
        "laterality": "left",
        "principal": True,
        "assertion": "primary_invasive",
        "histology": "IDC",
        "behaviour": "invasive",
        "procedure": "mastectomy",
    }
    return Primary(**{**plain, **changes})


def context(**changes: Any) -> ReportContext:
    """The context of a final report of a female patient."""
    plain: dict[str, Any] = {
        "tenant": "default",
        "report_key": uuid5(NAMESPACE_URL, "report"),
        "patient_key": uuid5(NAMESPACE_URL, "patient"),
        "report_identifier": Identifier(system="https://hospital.example/accession", value="1"),
        "report": Reference(type="DiagnosticReport", literal="DiagnosticReport/1"),
        "subject": Reference(type="Patient", literal="Patient/1"),
        "gender": "female",
        "status": "final",
        "version": ReportVersion(issued="2024-05-02T10:00:00Z"),
        "effective": "2024-05-01",
        "recorded": "2024-05-02T10:00:00Z",
    }
    return ReportContext(**{**plain, **changes})


def findings(*primaries: Primary) -> ReportFindings:
    """The findings of one report."""
    return ReportFindings(
        report_hmac="h",
        action="replace",
        pack="breast",
        primaries=primaries,
        content_digest="c",
        configuration=CONFIGURATION,
        sealed="",
    )


def mapped(
    *primaries: Primary,
    settings: Settings | None = None,
    known_conditions: dict[str, str] | None = None,
    **changes: Any,
) -> MappedReport:
    """The report of these primaries, mapped by the shipped pack."""
    settings = settings or Settings()
    pack = load_packs(["breast"], settings.mapping)["breast"]
    return map_report(findings(*primaries), context(**changes), pack, settings, known_conditions)


def of_code(report: MappedReport, code: str) -> list[dict[str, Any]]:
    """The Observations of that code."""
    return [
        resource
        for resource in report.resources
        if resource["resourceType"] == "Observation"
        and any(coding["code"] == code for coding in resource["code"]["coding"])
    ]


def of_type(report: MappedReport, kind: str) -> list[dict[str, Any]]:
    """The resources of that type."""
    return [resource for resource in report.resources if resource["resourceType"] == kind]


def value_codes(resource: dict[str, Any]) -> list[str]:
    """The codes of an Observation's value."""
    return [coding["code"] for coding in resource.get("valueCodeableConcept", {}).get("coding", [])]
