"""Recorded findings: what a mapping is tried over, one JSON line a report, without a patient.

A line is what `synoptic mapping record` writes (the findings of a report, and of its context what rules can see), or a line
of `synoptic extract --format jsonl`, which knows less: no gender, no sender, no attributes beside the stated detail.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
from pydantic import ValidationError

from schemas.errors import Code, SynopticError
from schemas.findings import Evidence, Finding, Primary
from schemas.frozen import Frozen
from schemas.messages import (
    Action,
    Configuration,
    Identifier,
    Reference,
    ReportContext,
    ReportFindings,
    ReportVersion,
)

_UNKNOWN_YEAR = "2024"
_NOBODY = Configuration(
    pack="", pack_version="", pack_digest="", model="", model_digest="", adapter_digest="", policy=""
)


class Recorded(Frozen):
    """The findings of one report, and its context with nobody in it."""

    findings: ReportFindings
    context: ReportContext


def record(findings: ReportFindings, context: ReportContext, patient: str) -> Recorded:
    """A report's findings as they may be kept: keys are hashes, dates are years; `patient` is the patient's keyed hash.

    What remains of the context is what rules see: sender, status, gender, codes, the year, and how many specimens there are.
    """
    key = findings.report_hmac
    neutral = stand_in(key, patient, context.effective or context.recorded).model_copy(
        update={
            "report_identifier": Identifier(system=context.report_identifier.system, value=key[:12]),
            "gender": context.gender,
            "organization": context.organization,
            "status": context.status,
            "codes": context.codes,
            "specimens": tuple(
                part.model_copy(
                    update={
                        "reference": Reference(type="Specimen", literal=f"Specimen/{key[:12]}-{number}"),
                        "collected": part.collected[:4] if part.collected else None,
                    }
                )
                for number, part in enumerate(context.specimens)
            ),
        }
    )
    return Recorded(findings=findings.model_copy(update={"sealed": ""}), context=neutral)


def stand_in(report: str, patient: str, date: str | None = None) -> ReportContext:
    """The context of a report that nothing is known of but a name that tells it apart."""
    year = (date or _UNKNOWN_YEAR)[:4]
    instant = f"{year}-01-01T00:00:00Z"
    return ReportContext(
        tenant="recorded",
        report_key=_key(f"report|{report}"),
        patient_key=_key(f"patient|{patient}"),
        report_identifier=Identifier(value=report[:12]),
        report=Reference(type="DiagnosticReport", literal=f"DiagnosticReport/{report[:12]}"),
        subject=Reference(type="Patient", literal=f"Patient/{patient[:12]}"),
        status="final",
        version=ReportVersion(issued=instant),
        effective=year,
        recorded=instant,
    )


def write_line(recorded: Recorded) -> bytes:
    """The line without its end."""
    return orjson.dumps(recorded.model_dump(mode="json", exclude_defaults=True))


def read_recorded(path: Path) -> Iterator[Recorded]:
    """Every line that holds findings, one at a time; raises SYN-615 with the line where one cannot be read."""
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                found = _read(line, number, path.name) if line.strip() else None
                if found is not None:
                    yield found
    except OSError as error:
        raise SynopticError(Code.BAD_RECORDED, f"{path.name}, {error.strerror}") from None


def _read(line: bytes, number: int, name: str) -> Recorded | None:
    try:
        return read_line(orjson.loads(line), number)
    except (ValueError, KeyError, TypeError) as error:
        said = error.errors(include_input=False)[0]["msg"] if isinstance(error, ValidationError) else "no such JSON"
        raise SynopticError(Code.BAD_RECORDED, f"{name}:{number}, {said}") from None


def read_line(line: dict[str, Any], number: int) -> Recorded | None:
    """One line of either form; None for a line of `extract` that has no findings (rejected, ignored)."""
    if "findings" in line:
        return Recorded.model_validate({**line, "findings": {"sealed": "", **line["findings"]}})
    if line["outcome"] != "extracted":
        return None
    name = f"line-{number}"
    findings = ReportFindings(
        report_hmac=name,
        action=Action.REPLACE,
        pack=line["pack"],
        primaries=tuple(_primary(primary) for primary in line["primaries"]),
        content_digest=name,
        configuration=_NOBODY,
        sealed="",
    )
    return Recorded(findings=findings, context=stand_in(name, name))


def _primary(line: dict[str, Any]) -> Primary:
    """A primary of an extract line; the organ stands in its key."""
    known = {name: line[name] for name in Primary.model_fields if line.get(name) is not None}
    foci = [{**focus, "findings": _findings(focus)} for focus in line.get("foci", ())]
    organ = str(line["key"]).partition("-")[0]
    return Primary.model_validate({**known, "organ": organ, "findings": _findings(line), "foci": foci, "stage": None})


def _findings(mass: dict[str, Any]) -> dict[str, Finding]:
    return {key: _finding(finding) for key, finding in mass["findings"].items()}


def _finding(line: dict[str, Any]) -> Finding:
    known = {name: line[name] for name in Finding.model_fields if name in line}
    evidence = [{name: one[name] for name in Evidence.model_fields if name in one} for one in line["evidence"]]
    return Finding.model_validate({**known, "evidence": evidence})


def _key(text: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"synoptic-recorded|{text}")
