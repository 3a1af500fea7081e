"""The JSON line of `synoptic extract` as docs/interfaces.md promises it, against what is printed."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from gateway.display.presentation import Extracted, Refusal, json_line
from schemas.findings import Assertion, Basis, Evidence, Finding, Focus, Primary, Status
from schemas.messages import (
    Action,
    Configuration,
    Identifier,
    Reference,
    ReportContext,
    ReportFindings,
    ReportText,
    ReportVersion,
)
from schemas.pack_loader import load_pack
from schemas.settings import MappingSettings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "interfaces.md").read_text(encoding="utf-8")


def documented_line() -> dict:
    """The JSON line of docs/interfaces.md, its alternatives and omissions reduced to one example."""
    block = re.search(r'^    \{"source".*?\}\n\n', PAGE, re.MULTILINE | re.DOTALL).group()
    block = re.sub(r'"(N|grade)": …,.*?and what else the pack finds\}', r'"\1": null}', block, flags=re.DOTALL)
    block = re.sub(r'null \| (?=[{"])', "", block)
    block = re.sub(r'(\w|")((?: \| "[^"]*"| \| null| or null)+)', r"\1", block)
    return json.loads(block)


def printed_lines() -> Iterator[dict]:
    """What `extract` prints of a report with every part filled, and of a rejected one."""
    evidence = Evidence(quote="pT2", start=123, end=126, page=1)
    finding = Finding(
        value="T2", detail="pT2", status=Status.CODED, basis=Basis.STATED, probability=0.99, evidence=(evidence,)
    )
    nodes = Finding(value="N0", detail="pN0", status=Status.CODED, basis=Basis.STATED, evidence=(evidence,))
    primary = Primary(
        key="breast-left",
        organ="breast",
        laterality="left",
        principal=True,
        assertion=Assertion.PRIMARY_INVASIVE,
        findings={"T": finding, "N": nodes},
        foci=(Focus(key="2", findings={"grade": finding}),),
    )
    key = "00000000-0000-5000-8000-000000000000"
    reference = Reference(type="Patient", literal="Patient/1")
    context = ReportContext(
        tenant="default",
        report_key=key,
        patient_key=key,
        report_identifier=Identifier(system="system", value="S24-1234"),
        report=reference,
        subject=reference,
        status="final",
        version=ReportVersion(),
        recorded="2026-01-01T00:00:00Z",
    )
    report = ReportText(action=Action.REPLACE, pack="breast", text="pT2", context=context, content_digest="0")
    names = ("pack", "pack_version", "pack_digest", "model", "model_digest", "adapter_digest", "policy")
    findings = ReportFindings(
        report_hmac="0",
        action=Action.REPLACE,
        pack="breast",
        primaries=(primary,),
        content_digest="0",
        configuration=Configuration(**dict.fromkeys(names, "breast")),
        sealed="",
    )
    packs = {"breast": load_pack("breast")}
    yield json_line(Extracted("report-07.txt", report, findings), packs, MappingSettings())
    yield json_line(Extracted("report-07.txt", error=Refusal("SYN-101", "one line")), packs, MappingSettings())


def test_documented_json_is_what_is_printed():
    """The example line of docs/interfaces.md has exactly the keys of the real output, at every level."""
    documented, (coded, rejected) = documented_line(), printed_lines()
    assert list(documented) == list(coded) == list(rejected)
    assert list(documented["error"]) == list(rejected["error"])
    primary = coded["primaries"][0]
    assert list(documented["primaries"][0]) == list(primary)
    assert list(documented["primaries"][0]["findings"]["T"]) == list(primary["findings"]["T"])
    assert documented["primaries"][0]["findings"]["T"] == primary["findings"]["T"]
    assert list(documented["primaries"][0]["stage"]) == list(primary["stage"])
    assert list(documented["primaries"][0]["foci"][0]) == list(primary["foci"][0])


def test_documented_statuses_and_outcomes_are_all():
    """Every status and outcome that the program knows stands in docs/interfaces.md."""
    words = [*(status.value for status in Status), "extracted", "withdrawn", "ignored", "rejected"]
    assert [word for word in words if f'"{word}"' not in PAGE] == []
