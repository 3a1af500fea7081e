"""Reports with known values: a small population of invented patients, in three layouts, as FHIR messages."""

import base64
import json
from dataclasses import dataclass, replace
from typing import Any

SITE = "north"
"""Whose reports they are; where several tests share a server, each has a site of its own."""
SIDES = ("left", "right")
SIZES = (("pT1b", "0.8 cm"), ("pT1c", "1.7 cm"), ("pT2", "2.6 cm"), ("pT2", "4.4 cm"), ("pT3", "6.1 cm"))
NODES = (("pN0", 0, 5), ("pN1a", 2, 12), ("pN2a", 5, 17), ("pN0", 0, 3))
GRADES = (("1", "3+1+1=5"), ("2", "3+2+1=6"), ("3", "3+3+2=8"))
RECEPTORS = (("positive", "90%"), ("negative", "0%"))
HER2 = (("negative", "0"), ("negative", "1+"), ("positive", "3+"))
HISTOLOGY = ("Invasive ductal carcinoma", "Invasive lobular carcinoma")


@dataclass(frozen=True)
class Case:
    """One invented report: what it states, and how it is laid out."""

    number: int
    layout: int
    side: str
    t: str
    size: str
    n: str
    positive: int
    examined: int
    grade: str
    score: str
    er: tuple[str, str]
    pr: tuple[str, str]
    her2: tuple[str, str]
    histology: str
    status: str = "final"
    issued: str = "2026-02-01T10:00:00Z"
    site: str = SITE

    @property
    def patient(self) -> str:
        """The Patient's id at the site's EHR."""
        return f"{self.site}-patient-{self.number}"

    @property
    def report(self) -> str:
        """The report's id at the site's EHR."""
        return f"{self.site}-report-{self.number}"

    @property
    def accession(self) -> str:
        """The report's business identifier."""
        return f"G26-{self.number:05d}"

    @property
    def expected(self) -> dict[str, str]:
        """The values that the report states, by task."""
        return {
            "T": self.t[1:3],
            "N": self.n[1:3],
            "grade": f"G{self.grade}",
            "ER": self.er[0],
            "PR": self.pr[0],
            "HER2": self.her2[0],
        }


def case(number: int, site: str = SITE) -> Case:
    """The n-th case of a site; different divisors keep the combinations from repeating in step."""
    t, size = SIZES[number % 5]
    n, positive, examined = NODES[(number // 2) % 4]
    grade, score = GRADES[(number // 3) % 3]
    return Case(
        number=number,
        layout=number % 3,
        side=SIDES[number % 2],
        t=t,
        size=size,
        n=n,
        positive=positive,
        examined=examined,
        grade=grade,
        score=score,
        er=RECEPTORS[(number // 5) % 2],
        pr=RECEPTORS[(number // 7) % 2],
        her2=HER2[(number // 4) % 3],
        histology=HISTOLOGY[(number // 11) % 2],
        site=site,
    )


def text(one: Case) -> str:
    """The report's text, in the layout of the case."""
    side = one.side.capitalize()
    if one.layout == 0:
        return f"""SURGICAL PATHOLOGY REPORT
FINAL DIAGNOSIS:
A. {side} breast, total mastectomy:
   - {one.histology}, Nottingham grade {one.grade} ({one.score}), {one.size} in greatest dimension.
   - Margins free of carcinoma.
B. {side} axillary lymph nodes, dissection:
   - {"No lymph node metastasis" if not one.positive else "Metastatic carcinoma"} ({one.positive}/{one.examined}).
Pathologic stage: {one.t} {one.n}
Estrogen receptor: {one.er[0]} ({one.er[1]})
Progesterone receptor: {one.pr[0]} ({one.pr[1]})
HER2 (IHC): {one.her2[0]} ({one.her2[1]})
"""
    if one.layout == 1:
        return f"""FINAL DIAGNOSIS
{side} breast, mastectomy: {one.histology}, see synoptic summary.
SYNOPTIC SUMMARY
Specimen laterality: {side}
Tumor size: {one.size}
Histologic type: {one.histology}
Histologic grade: Grade {one.grade} (Nottingham score {one.score})
Lymph nodes examined: {one.examined}
Lymph nodes with metastasis: {one.positive}
Pathologic staging: {one.t} {one.n}
ER: {one.er[0]}, {one.er[1]}
PR: {one.pr[0]}, {one.pr[1]}
HER2 by immunohistochemistry: {one.her2[0]}, score {one.her2[1]}
"""
    return (
        f"DIAGNOSIS. {side} breast, mastectomy. {one.histology}, measuring {one.size}, histologic grade {one.grade} "
        f"(Nottingham {one.score}). {one.positive} of {one.examined} axillary lymph nodes contain metastatic carcinoma. "
        f"AJCC: {one.t}, {one.n}. Estrogen receptors {one.er[0]} ({one.er[1]}). Progesterone receptors {one.pr[0]} "
        f"({one.pr[1]}). HER-2/neu {one.her2[0]} (IHC {one.her2[1]})."
    )


def message(one: Case, body: str | None = None) -> bytes:
    """The case as the DiagnosticReport that an EHR would publish."""
    data = base64.b64encode((text(one) if body is None else body).encode()).decode()
    report: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "id": one.report,
        "identifier": [{"system": f"https://{one.site}.example/accession", "value": one.accession}],
        "status": one.status,
        "code": {"coding": [{"system": "http://loinc.org", "code": "11526-1"}]},
        "subject": {
            "reference": f"Patient/{one.patient}",
            "identifier": {"system": f"https://{one.site}.example/mrn", "value": f"M{one.number:06d}"},
        },
        "issued": one.issued,
        "presentedForm": [{"contentType": "text/plain; charset=utf-8", "data": data}],
    }
    return json.dumps(report).encode()


def amended(one: Case, **changes: Any) -> Case:
    """A later version of the case."""
    return replace(one, **{"status": "amended", "issued": "2026-02-09T10:00:00Z"} | changes)
