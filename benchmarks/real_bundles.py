"""Whole Bundles of real report texts, with the EHR's resources that they refer to, for the FHIR validator.

    .venv/bin/python benchmarks/real_bundles.py TEXTS.jsonl FOLDER [--number 15]
    bash ../shared/fhir/validate.sh -Dlevel=error FOLDER/collections

Each text becomes a message of an invented patient (women, men and patients of unknown sex; with and without Specimens,
an Encounter and an effective date; final, preliminary and amended; of years of three staging editions), is read by
`synoptic extract`, and its Bundle is joined with the resources of its message, so that every reference resolves.
"""

import argparse
import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

BASE = "https://synoptic.example/fhir"
MCODE_PATIENT = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-cancer-patient"
SYNOPTIC = str(Path(sys.executable).with_name("synoptic"))
ORGANIZATION = {"resourceType": "Organization", "id": "synoptic", "active": True, "name": "Hospital"}


def message(text: str, number: int) -> dict[str, Any]:
    """The n-th text as an EHR would send it; what varies is drawn by the number alone."""
    key = f"{number:04}"
    subject = {"reference": f"Patient/p{key}"}
    issued = f"{(2024, 2016, 2008)[number % 3]}-03-1{number % 9}T09:30:00Z"
    gender = ("female", "female", "male", "unknown")[number % 4]
    report = {
        "resourceType": "DiagnosticReport",
        "id": f"r{key}",
        "identifier": [{"system": "https://hospital.example/accession", "value": f"A-{key}"}],
        "status": ("final", "final", "amended", "preliminary")[number % 4],
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "SP"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "11526-1", "display": "Pathology study"}]},
        "subject": subject,
        "issued": issued,
        "presentedForm": [{"contentType": "text/plain", "data": base64.b64encode(text.encode()).decode()}],
    }
    patient = {
        "resourceType": "Patient",
        "id": f"p{key}",
        "meta": {"profile": [MCODE_PATIENT]},
        "identifier": [{"system": "https://hospital.example/mrn", "value": f"M-{key}"}],
        "name": [{"family": "Invented", "given": ["Person"]}],
        "gender": gender,
    }
    resources: list[dict[str, Any]] = [patient]
    if number % 2:
        report["effectiveDateTime"] = issued[:10]
        report["specimen"] = [{"reference": f"Specimen/s{key}"}]
        kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0487", "code": "TISS"}]}
        resources.append({"resourceType": "Specimen", "id": f"s{key}", "type": kind, "subject": subject})
    if number % 5:
        report["encounter"] = {"reference": f"Encounter/e{key}"}
        ward = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
        visit = {"resourceType": "Encounter", "id": f"e{key}", "status": "finished", "class": ward, "subject": subject}
        resources.append(visit)
    return collection([*resources, report], f"m{key}")


def collection(resources: list[dict[str, Any]], identifier: str) -> dict[str, Any]:
    """The resources as one Bundle in which references resolve."""
    entries = [{"fullUrl": f"{BASE}/{one['resourceType']}/{one['id']}", "resource": one} for one in resources]
    return {"resourceType": "Bundle", "id": identifier, "type": "collection", "entry": entries}


def joined(bundle: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    """A Bundle's resources with those of its message."""
    own = [entry["resource"] for entry in (*bundle["entry"], *sent["entry"])]
    return collection([*own, ORGANIZATION], str(uuid5(NAMESPACE_URL, sent["id"])))


def main() -> None:
    """Write messages, read them, join the Bundles; tell how many there are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--number", type=int, default=15)
    given = parser.parse_args()
    rows = [json.loads(line) for line in given.texts.read_text(encoding="utf-8").splitlines()]
    texts = [row["text"] for row in rows if row["cancer_type"] == "BRCA"][: given.number]
    messages, bundles, collections = (given.folder / name for name in ("messages", "bundles", "collections"))
    for folder in (messages, bundles, collections):
        folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(texts):
        (messages / f"{number:04}.json").write_text(json.dumps(message(text, number)), encoding="utf-8")
    subprocess.run([SYNOPTIC, "extract", str(messages), "--out", str(bundles)], stdout=subprocess.DEVNULL, check=False)
    written = sorted(bundles.glob("*.json"))
    for file in written:
        sent = json.loads((messages / file.name.removesuffix(".bundle.json")).read_bytes())
        whole = joined(json.loads(file.read_bytes()), sent)
        (collections / file.name).write_text(json.dumps(whole), encoding="utf-8")
    print(f"{len(written)} Bundles of {len(texts)} texts in {collections}")


if __name__ == "__main__":
    main()
