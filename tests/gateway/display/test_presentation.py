"""How findings are shown: the JSON line, the table and the evidence."""

import io
from dataclasses import replace
from uuid import NAMESPACE_URL, uuid5

import orjson
import pytest
from rich.console import Console

from gateway.display.presentation import Extracted, Refusal, evidence_lines, json_line, readers_line, table
from gateway.documents.page_layout import Run, pack_runs
from schemas.findings import Assertion, Basis, Evidence, Finding, Focus, Primary, Status
from schemas.messages import (
    Action,
    Configuration,
    Identifier,
    PageSpan,
    Reference,
    ReportContext,
    ReportFindings,
    ReportText,
    ReportVersion,
)
from schemas.pack_loader import load_pack
from schemas.settings import MappingSettings

PACKS = {"breast": load_pack("breast")}
TEXT = "Left breast, mastectomy. pT2 pN0. M0 not excluded."
FINDINGS = {
    "T": Finding(
        value="T2",
        detail="pT2",
        status=Status.CODED,
        basis=Basis.STATED,
        probability=0.98765,
        evidence=(Evidence(quote="pT2", start=25, end=28, page=1),),
        attributes={"prefix": "p"},
    ),
    "N": Finding(value="N0", detail="pN0", status=Status.CODED, basis=Basis.STATED, probability=0.97),
    "M": Finding(value="M0", status=Status.REVIEW, probability=0.4, reason="the classifier is not sure enough"),
    "ER": Finding(status=Status.NOT_STATED),
    "PR": Finding(status=Status.PENDING, detail="pending"),
}


def extracted(action: Action = Action.REPLACE, primaries: int = 1) -> Extracted:
    """A report with so many primaries, of which the first is principal."""
    identifier = Identifier(system="https://north.example/accession", value="S26-1")
    context = ReportContext(
        tenant="default",
        report_key=uuid5(NAMESPACE_URL, "report"),
        patient_key=uuid5(NAMESPACE_URL, "patient"),
        report_identifier=identifier,
        report=Reference(type="DiagnosticReport", identifier=identifier),
        subject=Reference(type="Patient", literal="Patient/1"),
        status="final",
        version=ReportVersion(issued="2026-01-01T00:00:00Z"),
        recorded="2026-01-01T00:00:00Z",
    )
    found = tuple(
        Primary(
            key=f"breast-{side}",
            organ="breast",
            principal=number == 0,
            assertion=Assertion.PRIMARY_INVASIVE,
            histology="IDC",
            procedure="mastectomy",
            findings=FINDINGS,
        )
        for number, side in enumerate(("left", "right")[:primaries])
    )
    configuration = Configuration(
        pack="breast",
        pack_version="1",
        pack_digest="a",
        model="m",
        model_digest="b",
        adapter_digest="c",
        policy="agreement",
    )
    return Extracted(
        "one.txt",
        ReportText(action=action, pack="breast", text=TEXT, context=context, content_digest="d"),
        ReportFindings(
            report_hmac="h",
            action=action,
            pack="breast",
            primaries=found,
            content_digest="d",
            configuration=configuration,
            sealed="s",
        ),
    )


def printed(*shown: Extracted) -> str:
    """The table as plain text."""
    stream = io.StringIO()
    Console(file=stream, width=200).print(table(shown, PACKS, MappingSettings()))
    return stream.getvalue()


def test_json_line_has_the_documented_keys_and_two_decimals() -> None:
    """One report is one JSON object with the keys of docs/interfaces.md; attributes and reasons stay inside."""
    line = orjson.loads(orjson.dumps(json_line(extracted(), PACKS, MappingSettings())))
    assert list(line) == ["source", "report", "pack", "outcome", "error", "primaries", "pages"]
    assert (line["report"], line["outcome"], line["error"]) == (
        "https://north.example/accession|S26-1",
        "extracted",
        None,
    )
    (primary,) = line["primaries"]
    assert list(primary["findings"]["T"]) == ["value", "detail", "status", "basis", "probability", "evidence"]
    assert primary["findings"]["T"]["probability"] == 0.99
    assert primary["findings"]["T"]["evidence"] == [{"quote": "pT2", "start": 25, "end": 28, "page": 1}]
    assert primary["findings"]["ER"]["value"] is None


def of_two_masses() -> Extracted:
    """A report of a primary with a second mass."""
    one = extracted()
    grade = Finding(value="G1", status=Status.CODED, evidence=(Evidence(quote="mast", start=13, end=17),))
    focus = Focus(key="2", histology="ILC", findings={"grade": grade})
    (primary,) = one.findings.primaries
    masses = primary.model_copy(update={"foci": (focus,)})
    return replace(one, findings=one.findings.model_copy(update={"primaries": (masses,)}))


def test_a_further_mass_is_shown_beside_the_values_of_the_largest() -> None:
    """In the JSON line under `foci`, in the table as a row, and with its evidence."""
    (primary,) = json_line(of_two_masses(), PACKS, MappingSettings())["primaries"]
    (focus,) = primary["foci"]
    assert (focus["key"], focus["histology"], focus["findings"]["grade"]["value"]) == ("2", "ILC", "G1")
    assert "grade" not in primary["findings"]
    assert "focus 2" in printed(of_two_masses())
    assert "breast-left focus 2  grade G1  “mast”  13–17" in list(evidence_lines(of_two_masses()))


def test_json_line_says_who_read_each_page_and_where_evidence_stands() -> None:
    """A page read by OCR is named with its confidence, and evidence on a page with a layout has its boxes."""
    one = extracted()
    layout = tuple(pack_runs([Run(0, len(TEXT), 100, 200, 600, 220)]))
    page = PageSpan(page=1, start=0, end=len(TEXT), reader="ocr", confidence=0.93, layout=layout)
    line = json_line(replace(one, report=one.report.model_copy(update={"pages": (page,)})), PACKS, MappingSettings())
    assert line["pages"] == [{"page": 1, "reader": "ocr", "confidence": 0.93}]
    assert line["primaries"][0]["findings"]["T"]["evidence"][0]["boxes"] == [(350, 200, 380, 220)]
    assert readers_line((page,)) == "page 1 OCR 0.93"


def test_stage_is_shown_as_conditional_where_m_is_not_coded() -> None:
    """T2 N0 without a coded M is shown with the condition that it rests on."""
    line = json_line(extracted(), PACKS, MappingSettings())
    assert line["primaries"][0]["stage"] == {"group": "IIA", "system": "AJCC 8 anatomic", "conditional_on": "M0"}


@pytest.mark.parametrize(
    ("choices", "shown"),
    [
        (
            MappingSettings(assume_m0=True),
            {"group": "IIA", "system": "AJCC 8 anatomic", "conditional_on": None},
        ),
        (MappingSettings(anatomic_stage=False), None),
    ],
)
def test_stage_is_shown_by_the_choices_of_the_facility(choices: MappingSettings, shown: dict[str, str] | None) -> None:
    """As it is sent: without its condition where M0 is assumed, not at all where AJCC's groups are off."""
    assert json_line(extracted(), PACKS, choices)["primaries"][0]["stage"] == shown


@pytest.mark.parametrize(
    ("one", "outcome"),
    [
        (extracted(), "extracted"),
        (extracted(Action.WITHDRAW, primaries=0), "withdrawn"),
        (Extracted("x.json", ignored="our own report"), "ignored"),
        (Extracted("x.json", error=Refusal("SYN-101", "not JSON")), "rejected"),
    ],
)
def test_every_report_ends_in_one_of_four_outcomes(one: Extracted, outcome: str) -> None:
    """Extracted, withdrawn, ignored or rejected: the line and the table name the same."""
    assert json_line(one, PACKS, MappingSettings())["outcome"] == outcome
    assert outcome == "extracted" or outcome in printed(one)


def test_table_has_a_row_a_primary_and_marks_what_is_in_review() -> None:
    """Two primaries are two rows; a value in review carries a question mark, a missing one a dash or its state."""
    lines = [line for line in printed(extracted(primaries=2)).splitlines() if "breast-" in line]
    assert len(lines) == 2
    assert "pT2 0.99" in lines[0]
    assert "M0 0.40 ?" in lines[0]
    assert "–" in lines[0]
    assert "pending" in lines[0]


def test_evidence_lines_quote_and_place_each_value() -> None:
    """Each value with evidence is one line: primary, task, value, quote and where it stands."""
    assert list(evidence_lines(extracted())) == ["breast-left  T pT2  “pT2”  25–28"]
