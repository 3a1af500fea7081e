"""The companion report: only where it is wanted, always the machine's, never the EHR's report."""

from typing import Any

from mapping_cases import context, finding, findings, mapped, of_code, of_type, primary

from mappers.bundle import MappedReport, map_report, withdraw
from mappers.provenance import read_manifest
from schemas.messages import Action
from schemas.pack_loader import load_pack
from schemas.settings import FhirSettings, Settings

WANTED = Settings(fhir=FhirSettings(companion_report=True))
CASE = primary(findings={"ER": finding("positive"), "grade": finding("G2")})


def wanted(**changes: Any) -> MappedReport:
    """The case's report, mapped with the companion switched on."""
    return mapped(CASE, settings=WANTED, **changes)


def test_it_is_off_by_default() -> None:
    """Nobody gets a second report unasked."""
    assert not of_type(mapped(CASE), "DiagnosticReport")


def test_it_lists_no_category_of_tnm() -> None:
    """US Core's laboratory report takes laboratory results alone, as the validator found."""
    report = mapped(primary(findings={**CASE.findings, "T": finding("T2", "pT2", prefix="p")}), settings=WANTED)
    ((companion,), (category,)) = of_type(report, "DiagnosticReport"), of_code(report, "384625004")
    listed = [item["reference"] for item in companion["result"]]
    assert listed
    assert f"Observation/{category['id']}" not in listed


def test_it_is_preliminary_labelled_and_lists_every_result() -> None:
    """Unsigned for good, even where the EHR's report is final, under a code of its own."""
    report = wanted()
    (companion,) = of_type(report, "DiagnosticReport")
    assert companion["status"] == "preliminary"
    assert [label["code"] for label in companion["meta"]["security"]] == ["AIAST"]
    assert companion["code"]["text"] == companion["conclusion"] == "machine extraction, unsigned"
    assert "60568-3" not in str(companion)
    observations = [f"Observation/{item['id']}" for item in of_type(report, "Observation")]
    assert [item["reference"] for item in companion["result"]] == observations
    assert (companion["issued"], companion["effectiveDateTime"]) == ("2024-05-02T10:00:00Z", "2024-05-01")


def test_it_is_never_the_report_of_the_ehr() -> None:
    """It has a derived id, and the manifest tells it among what was written."""
    report = wanted()
    (companion,) = of_type(report, "DiagnosticReport")
    assert companion["id"] != "1"
    assert f"DiagnosticReport/{companion['id']}" in read_manifest(report.manifest).targets
    assert report.manifest["entity"][0]["what"]["reference"] == "DiagnosticReport/1"
    assert withdraw(companion)["status"] == "entered-in-error"


def test_without_observations_or_a_date_there_is_none() -> None:
    """An empty report says nothing, and US Core wants the date of what it is about."""
    assert not of_type(mapped(settings=WANTED), "DiagnosticReport")
    assert not of_type(wanted(effective=None), "DiagnosticReport")


def test_an_addendum_does_not_replace_it() -> None:
    """What an addendum adds is written without a companion that would list it alone."""
    addendum = findings(CASE).model_copy(update={"action": Action.MERGE})
    assert not of_type(map_report(addendum, context(), load_pack("breast"), WANTED), "DiagnosticReport")


def test_switching_it_on_is_another_configuration() -> None:
    """A replay with the other setting writes."""
    digests = {read_manifest(report.manifest).configuration_digest for report in (mapped(CASE), wanted())}
    assert len(digests) == 2
