"""Builds examples/reports/*.json from examples/source: FHIR Bundles with text, HTML, digital PDF and scanned PDF.

Run `python examples/build.py` after a change to the sources; the same sources give the same bytes.
"""

import base64
import io
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont

FOLDER = Path(__file__).resolve().parent
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://synoptic.example/examples")
SCAN_DPI = 150


def digital_pdf(text: str) -> bytes:
    """A PDF with a text layer, one line of text a line."""
    document = FPDF(format="letter")
    document.set_creation_date(datetime(2026, 1, 1, tzinfo=UTC))
    document.add_page()
    document.set_font("Helvetica", size=9)
    for line in text.splitlines():
        document.cell(0, 4.5, line, new_x="LMARGIN", new_y="NEXT")
    return bytes(document.output())


def scanned_pdf(text: str) -> bytes:
    """A PDF whose only content is the picture of a page."""
    page = Image.new("L", (int(8.5 * SCAN_DPI), int(7 * SCAN_DPI)), 250)
    font = ImageFont.load_default(size=22)
    ImageDraw.Draw(page).multiline_text((90, 60), text, fill=20, font=font, spacing=8)
    picture = io.BytesIO()
    page.rotate(0.4, fillcolor=250).save(picture, format="JPEG", quality=60)
    picture.seek(0)
    document = FPDF(format="letter")
    document.set_creation_date(datetime(2026, 1, 1, tzinfo=UTC))
    document.add_page()
    document.image(picture, x=0, y=0, w=215.9)
    return bytes(document.output())


def attachment(row: dict[str, Any]) -> dict[str, str]:
    """The presentedForm of a row of reports.yaml."""
    form = row["form"]
    if form == "corrupt":
        return {"contentType": "application/pdf", "data": base64.b64encode(b"%PDF-1.7\n1 0 obj << truncated").decode()}
    text = (FOLDER / "source" / row["file"]).read_text(encoding="utf-8")
    charset = row.get("charset", "utf-8")
    content, kind = {
        "text": lambda: (text.encode(charset), f"text/plain; charset={charset}"),
        "html": lambda: (text.encode(charset), f"text/html; charset={charset}"),
        "pdf": lambda: (digital_pdf(text), "application/pdf"),
        "scan": lambda: (scanned_pdf(text), "application/pdf"),
    }[form]()
    return {"contentType": kind, "data": base64.b64encode(content).decode()}


def bundle(row: dict[str, Any]) -> dict[str, Any]:
    """A collection Bundle with the Patient, the Specimen and the DiagnosticReport of a row."""
    person, accession = row["patient"], row["accession"]
    patient_id = str(uuid.uuid5(NAMESPACE, f"Patient/{person['mrn']}"))
    specimen_id = str(uuid.uuid5(NAMESPACE, f"Specimen/{accession}"))
    report_id = str(uuid.uuid5(NAMESPACE, f"DiagnosticReport/{accession}"))
    resources = [
        {
            "resourceType": "Patient",
            "id": patient_id,
            "identifier": [{"system": "https://northfield.example/mrn", "value": person["mrn"]}],
            "name": [{"family": person["family"], "given": person["given"]}],
            "gender": person.get("gender", "female"),
            "birthDate": person["birthDate"],
        },
        {
            "resourceType": "Specimen",
            "id": specimen_id,
            "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0487", "code": "TISS"}]},
            "subject": {"reference": f"Patient/{patient_id}"},
            "collection": {"collectedDateTime": row["collected"]},
        },
        {
            "resourceType": "DiagnosticReport",
            "id": report_id,
            "identifier": [{"system": "https://northfield.example/accession", "value": accession}],
            "status": row.get("status", "final"),
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "SP"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "11526-1", "display": "Pathology study"}]},
            "subject": {"reference": f"Patient/{patient_id}"},
            "issued": row["issued"],
            "specimen": [{"reference": f"Specimen/{specimen_id}"}],
            "presentedForm": [attachment(row)],
        },
    ]
    entries = [
        {"fullUrl": f"https://northfield.example/fhir/{item['resourceType']}/{item['id']}", "resource": item}
        for item in resources
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def main() -> None:
    """Write one Bundle a row."""
    reports = FOLDER / "reports"
    reports.mkdir(exist_ok=True)
    rows = yaml.safe_load((FOLDER / "source" / "reports.yaml").read_text(encoding="utf-8"))
    for row in rows:
        path = reports / f"{Path(row['file']).stem}.json"
        path.write_text(json.dumps(bundle(row), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
