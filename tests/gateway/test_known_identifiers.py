"""What the resources beside a report know: insurance, devices and images too."""

import pytest

from gateway.fhir.parsing import pick_report
from gateway.known_identifiers import known_identifiers

REPORT = {
    "resourceType": "DiagnosticReport",
    "status": "final",
    "code": {"text": "Pathology"},
    "subject": {"reference": "Patient/p"},
}


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({"resourceType": "Coverage", "subscriberId": "1EG4-TE5-MK72"}, ("ID", "1EG4-TE5-MK72")),
        ({"resourceType": "Coverage", "policyHolder": {"display": "Eva Muster"}}, ("NAME", "Eva Muster")),
        ({"resourceType": "Device", "serialNumber": "PM-48151"}, ("ID", "PM-48151")),
        ({"resourceType": "Device", "udiCarrier": [{"carrierHRF": "(01)04012345"}]}, ("ID", "(01)04012345")),
        ({"resourceType": "Account", "identifier": [{"value": "A-77123"}]}, ("ID", "A-77123")),
        ({"resourceType": "ImagingStudy", "identifier": [{"value": "IMG-9911"}]}, ("ID", "IMG-9911")),
    ],
    ids=lambda value: value["resourceType"] if isinstance(value, dict) else value[1],
)
def test_what_travels_with_a_report_is_known(resource, expected) -> None:
    """Numbers of policies, accounts, devices and studies, and whoever holds a policy, are known identifiers."""
    entries = [{"resource": REPORT}, {"resource": {"id": "x", **resource}}]
    known = known_identifiers(pick_report({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    assert expected in [(one.kind, one.value) for one in known]


def test_a_value_that_is_no_text_is_passed_over() -> None:
    """A malformed number beside a report ends nothing."""
    coverage = {"resourceType": "Coverage", "id": "x", "subscriberId": [{"value": 7}]}
    entries = [{"resource": REPORT}, {"resource": coverage}]
    assert known_identifiers(pick_report({"resourceType": "Bundle", "type": "collection", "entry": entries})) == ()
