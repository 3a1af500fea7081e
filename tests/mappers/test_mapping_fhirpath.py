"""FHIRPath in rules and templates, over what emission knows of the report."""

from dataclasses import replace

from mapping_cases import context, finding, findings, of_code, primary

from mappers.bundle import map_report
from mappers.report_resource import patient_resource, report_resource
from schemas.messages import Identifier, Reference
from schemas.pack_loader import load_pack
from schemas.pack_mapping import Mapping
from schemas.settings import Settings

RULES = [
    {"slot": "ER", "finding": "ER", "where": "performer.identifier.value = 'X'", "template": "marker",
     "resource": {"code": {"$concept": ["ER.percent"]}, "valueString": {"$fhirpath": "%side & ' ' & %patient.gender"}}},
]  # fmt: skip


def er_of(**changes) -> list[str]:
    """The ER Observations' values under the rule above, laid before the shipped ones."""
    pack = load_pack("breast")
    shipped = pack.mapping.model_dump(exclude={"rules"})
    mapping = Mapping.model_validate({**shipped, "rules": [*RULES, *pack.mapping.model_dump()["rules"]]})
    report = findings(primary(findings={"ER": finding("positive")}))
    mapped = map_report(report, context(**changes), replace(pack, mapping=mapping), Settings())
    return [one.get("valueString", "coded") for code in ("85329-1", "16112-5") for one in of_code(mapped, code)]


def test_a_rule_may_ask_for_the_sender() -> None:
    """The rule fires for reports of that organisation, and its value is computed from variables and the patient."""
    sender = Reference(type="Organization", identifier=Identifier(system="https://hospital.example", value="X"))
    assert er_of(organization=sender) == ["left female"]
    assert er_of() == ["coded"]


def test_the_report_is_fhir_again() -> None:
    """The resources that a path is over hold what the context holds, and no element without a value."""
    known = context(codes=("60567-5",), gender=None)
    report = report_resource(known)
    assert report["code"] == {"coding": [{"system": "http://loinc.org", "code": "60567-5"}]}
    assert report["identifier"][0]["value"] == "1"
    assert "performer" not in report
    assert patient_resource(known) == {"resourceType": "Patient"}
