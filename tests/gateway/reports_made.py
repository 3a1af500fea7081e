"""FHIR reports made on the spot, whole unless a test takes something away."""

import base64
import json
from typing import Any

Resource = dict[str, Any]
TEXT = "Surgical pathology\nFINAL DIAGNOSIS: Left breast, mastectomy: invasive ductal carcinoma, pT2 pN0, ER positive\n"


def attachment(text: str = TEXT, content_type: str = "text/plain; charset=utf-8", **more: Any) -> Resource:
    """A presentedForm that holds the text."""
    return {"contentType": content_type, "data": base64.b64encode(text.encode()).decode(), **more}


def report(**changes: Any) -> Resource:
    """A DiagnosticReport; a change of None takes the element away."""
    resource = {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "identifier": [{"system": "https://lab.example/accession", "value": "S24-1234"}],
        "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "SP"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "11526-1"}, {"system": "urn:local", "code": "X"}]},
        "subject": {"reference": "Patient/p1"},
        "issued": "2024-03-05T10:00:00Z",
        "presentedForm": [attachment()],
    }
    return {key: value for key, value in {**resource, **changes}.items() if value is not None}


PATIENT: Resource = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [
        {"system": "https://clinic.example/old", "value": "000", "use": "old"},
        {"system": "https://clinic.example/visit", "value": "V-77"},
        {"system": "https://clinic.example/mrn", "value": "4711", "type": {"coding": [{"code": "MR"}]}},
    ],
    "name": [{"family": "van der Muster", "given": ["Anna", "Lena"], "text": "Dr. Anna van der Muster"}],
    "gender": "female",
    "birthDate": "1961-02-03",
    "telecom": [{"system": "phone", "value": "+49 30 1234567"}],
    "address": [{"line": ["Hauptstr. 5"], "city": "Musterstadt", "postalCode": "10115", "state": "OK"}],
}


def specimen(identifier: str, code: str | None = None, **collection: Any) -> Resource:
    """A Specimen with a body site code and collection details."""
    site = {"bodySite": {"coding": [{"system": "http://snomed.info/sct", "code": code}]}} if code else {}
    return {
        "resourceType": "Specimen",
        "id": identifier,
        "identifier": [{"system": "https://lab.example/container", "value": f"S24-1234-{identifier.upper()}"}],
        "collection": {**site, **collection},
    }


def bundle(*resources: Resource) -> Resource:
    """A collection Bundle of the resources, each under its own url."""
    entries = [
        {"fullUrl": f"https://ehr.example/{item['resourceType']}/{item.get('id', 'none')}", "resource": item}
        for item in resources
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def message(resource: Resource) -> bytes:
    """The resource as it arrives."""
    return json.dumps(resource).encode()
