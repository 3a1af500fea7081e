"""Invented reports for the benchmarks: as long as real ones, all different, with known staging, as FHIR messages."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

CATEGORIES = (("0.8", "pT1b"), ("1.6", "pT1c"), ("2.4", "pT2"), ("3.9", "pT2"), ("6.2", "pT3"))
NODES = ((0, 3, "pN0(sn)"), (1, 14, "pN1a"), (2, 17, "pN1a"), (5, 18, "pN2a"), (0, 2, "pN0(sn)"))
GRADES = ((1, "3+1+1=5"), (2, "3+2+2=7"), (3, "3+3+2=8"))
HISTOLOGIES = ("Invasive ductal carcinoma", "Invasive lobular carcinoma", "Invasive mammary carcinoma")
NAMES = (
    "Miriam Castellano",
    "Ingrid Söderholm",
    "Rosalind Achebe",
    "Teresa Vandenberg",
    "Yolanda Petrov",
    "Grace Mbeki",
)
DOCTORS = ("Dr. Harold Whitcombe", "Dr. Lena Farkas", "Dr. Samuel Okonkwo")
GROSS = (
    "The specimen is received fresh, labeled with the patient's name and medical record number, and is oriented with a "
    "short stitch superiorly and a long stitch laterally.",
    "It consists of a {weight} gram mastectomy measuring {a} x {b} x {c} cm with an overlying ellipse of tan skin.",
    "The nipple is everted and unremarkable; no ulceration or retraction of the skin is seen.",
    "The posterior margin is inked black, the anterior superior margin blue and the anterior inferior margin green.",
    "Serial sections reveal a firm, white, stellate mass of {size} cm in the upper outer quadrant, {gap} cm from the "
    "posterior margin.",
    "The remaining parenchyma is composed of yellow lobulated fat with interspersed dense fibrous tissue.",
    "A biopsy clip is identified within the mass; representative sections are submitted in cassettes A1 to A{cassettes}.",
    "The axillary contents are dissected and yield lymph node candidates ranging from 0.3 to 1.8 cm, entirely submitted.",
)
MICROSCOPIC = (
    "Sections show nests, cords and single cells of carcinoma infiltrating a desmoplastic stroma.",
    "Tubule formation is seen in less than 10% of the tumor; nuclei are enlarged with prominent nucleoli.",
    "Mitotic figures number {mitoses} per ten high power fields.",
    "Adjacent breast tissue shows usual ductal hyperplasia, columnar cell change and apocrine metaplasia.",
    "Microcalcifications are present in association with benign ducts.",
    "Lymphovascular invasion is not identified on the sections examined.",
    "The nipple, skin and skeletal muscle are free of tumor.",
    "Immunohistochemical stains were performed with appropriate positive and negative controls.",
)


def report_text(number: int) -> str:
    """The n-th report: about 2,800 characters, its values drawn by its number alone."""
    random = Random(number)  # noqa: S311 (for variety, not for secrets)
    size, t = random.choice(CATEGORIES)
    positive, examined, n = random.choice(NODES)
    grade, score = random.choice(GRADES)
    side, histology = random.choice(("Left", "Right")), random.choice(HISTOLOGIES)
    receptors = {key: random.choice(("positive (95%)", "negative (0%)")) for key in ("Estrogen", "Progesterone")}
    her2 = random.choice(("negative (score 0)", "negative (score 1+)", "positive (score 3+)"))
    details = {
        "weight": random.randint(300, 900),
        "size": size,
        "a": random.randint(14, 24),
        "b": random.randint(12, 20),
        "c": random.randint(3, 7),
        "gap": f"{random.uniform(0.4, 2.5):.1f}",
        "cassettes": random.randint(8, 20),
        "mitoses": random.randint(2, 24),
    }
    gross = "\n".join(sentence.format(**details) for sentence in GROSS)
    microscopic = "\n".join(sentence.format(**details) for sentence in random.sample(MICROSCOPIC, len(MICROSCOPIC)))
    return f"""SURGICAL PATHOLOGY REPORT
Patient: {random.choice(NAMES)}   MRN: {40_000_000 + number}   DOB: {random.randint(1, 28):02d}/0{random.randint(1, 9)}/19{random.randint(35, 79)}
Accession: S26-{number:06d}   Collected: 01/{random.randint(10, 28)}/2026   Submitting physician: {random.choice(DOCTORS)}

CLINICAL HISTORY
{random.randint(38, 84)} year old woman with a palpable mass of the {side.lower()} breast, core biopsy showing carcinoma.

SPECIMENS
A. {side} breast, total mastectomy
B. {side} axillary lymph nodes

FINAL DIAGNOSIS
A. {side} breast, total mastectomy:
   - {histology}, Nottingham histologic grade {grade} ({score}).
   - Tumor size: {size} cm in greatest dimension.
   - Margins negative for carcinoma; closest margin posterior, {details["gap"]} cm.
   - Lymphovascular invasion: not identified.
B. {side} axillary lymph nodes, excision:
   - {"No evidence of metastasis" if not positive else "Metastatic carcinoma"} ({positive}/{examined}).
Pathologic stage (AJCC 8th edition): {t} {n}

SYNOPTIC SUMMARY
Procedure: Total mastectomy
Specimen laterality: {side}
Tumor size: Greatest dimension {size} cm
Histologic type: {histology}
Overall grade: Grade {grade} (Nottingham score {score})
Lymph nodes examined: {examined}
Lymph nodes with metastasis: {positive}
Primary tumor: {t}
Regional lymph nodes: {n}
Estrogen receptor: {receptors["Estrogen"]}
Progesterone receptor: {receptors["Progesterone"]}
HER2 (immunohistochemistry): {her2}

GROSS DESCRIPTION
{gross}

MICROSCOPIC DESCRIPTION
{microscopic}

Electronically signed by {random.choice(DOCTORS)}, 01/30/2026 14:{random.randint(10, 59)}
"""


def report_texts(count: int, file: Path | None = None) -> list[str]:
    """`count` texts: invented ones, or those of a file of JSON lines with a `text`, taken again from the start."""
    if file is None:
        return [report_text(number) for number in range(count)]
    found = [json.loads(line)["text"] for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [found[number % len(found)] for number in range(count)]


def report_messages(texts: list[str], first: int = 0) -> Iterator[bytes]:
    """Each text as the DiagnosticReport that an EHR would publish: a new report of a new patient."""
    for number, text in enumerate(texts, start=first):
        report = {
            "resourceType": "DiagnosticReport",
            "id": f"report-{number}",
            "identifier": [{"system": "https://north.example/accession", "value": f"S26-{number:06d}"}],
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "11526-1"}]},
            "subject": {"reference": f"Patient/patient-{number}"},
            "issued": "2026-01-30T14:00:00Z",
            "presentedForm": [
                {"contentType": "text/plain; charset=utf-8", "data": base64.b64encode(text.encode()).decode()}
            ],
        }
        yield json.dumps(report).encode()
