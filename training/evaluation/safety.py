"""Holds real reports that a person has read against what the reader makes of them: no false Condition, no wrong side.

A case names a public barcode, the digest of its text and the primaries that the report tells of, without its words:
`training/benchmark/safety.jsonl`. Routing is not asked, so that a report of another organ must be told by its reading.
`python -m training.evaluation.safety --texts FILE --cases FILE` prints the failures and ends with 1 where there are any.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from schemas.errors import Code, SynopticError
from schemas.findings import Assertion, Side
from schemas.frozen import Frozen
from schemas.pack_loader import Pack, load_pack
from training.reports.gold import digest
from training.reports.json_lines import Line, each_line
from training.reports.texts import SourceReport, stream_reports
from workers.privacy.deidentify import deidentify
from workers.reading.report_reading import PrimaryReading, read_report


class ExpectedPrimary(Frozen):
    """A primary that the report tells of; without a side where the report names none, or contradicts itself."""

    side: Side | None = None
    assertion: Assertion


class SafetyCase(Frozen):
    """One report as a person read it: its primaries, and why it is among the cases."""

    patient: str
    text_sha256: str
    primaries: tuple[ExpectedPrimary, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class SafetyOutcome:
    """What is wrong with the reading of one report: keys and assertions of primaries, nothing of its text.

    `missed` counts the primaries that were not found: a gap, no danger.
    """

    patient: str
    false_conditions: tuple[str, ...] = ()
    wrong_sides: tuple[str, ...] = ()
    missed: int = 0

    @property
    def safe(self) -> bool:
        """True where no primary was made up and none was given the other side."""
        return not self.false_conditions and not self.wrong_sides


def load_cases(path: Path) -> tuple[SafetyCase, ...]:
    """The cases of a JSON-lines file; raises SYN-701 where it cannot be read or a line is no case."""
    return tuple(map(_case, each_line(path)))


def check_reports(reports: Iterable[SourceReport], cases: Sequence[SafetyCase], pack: Pack) -> Iterator[SafetyOutcome]:
    """The outcome of each case, in the order of the texts.

    Raises SYN-720 where a text is not the one that was read, and SYN-702 where a case has no text.
    """
    waiting = {case.patient: case for case in cases}
    for report in reports:
        if (case := waiting.pop(report.patient, None)) is not None:
            if digest(report.text) != case.text_sha256:
                raise SynopticError(Code.TEXT_DIFFERS, report.patient)
            yield judge(case, read_report(deidentify(report.text, ()).text, pack))
    if waiting:
        raise SynopticError(Code.GOLD_WITHOUT_TEXT, f"{len(waiting)} of {len(cases)} cases")


def judge(case: SafetyCase, readings: Sequence[PrimaryReading]) -> SafetyOutcome:
    """Each primary found answers one that is expected; one of the right kind on the other side is on the wrong side."""
    open_primaries = list(case.primaries)
    unmatched = []
    for reading in readings:
        fitting = next((primary for primary in open_primaries if _answers(reading, primary)), None)
        if fitting is None:
            unmatched.append(reading)
        else:
            open_primaries.remove(fitting)
    expected = {primary.assertion for primary in case.primaries}
    sides = {primary.side for primary in case.primaries}
    crossed = [found for found in unmatched if found.assertion in expected and found.laterality not in sides]
    made_up = [found for found in unmatched if found not in crossed]
    return SafetyOutcome(case.patient, _named(made_up), _named(crossed), len(open_primaries))


def _case(line: Line) -> SafetyCase:
    try:
        return SafetyCase.model_validate(line.row)
    except ValidationError:
        raise SynopticError(Code.BAD_TRAINING_FILE, f"{line.name}: no safety case") from None


def _answers(reading: PrimaryReading, primary: ExpectedPrimary) -> bool:
    """A reading without a side answers either side: what it leaves out misleads nobody."""
    return reading.assertion == primary.assertion and (
        reading.laterality is None or primary.side in (None, reading.laterality)
    )


def _named(readings: Sequence[PrimaryReading]) -> tuple[str, ...]:
    return tuple(f"{reading.key} {reading.assertion.value}" for reading in readings)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: prints each unsafe report and the totals; 1 where a report is unsafe."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.safety", description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=Path, nargs="+", required=True, help="report texts, JSON lines")
    parser.add_argument("--cases", type=Path, required=True, help="the cases, JSON lines")
    parser.add_argument("--pack", default="breast", help="the pack that reads")
    given = parser.parse_args(arguments)
    try:
        cases = load_cases(given.cases)
        outcomes = tuple(check_reports(stream_reports(given.texts), cases, load_pack(given.pack)))
    except SynopticError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for outcome in outcomes:
        for kind, found in (("false Condition", outcome.false_conditions), ("wrong side", outcome.wrong_sides)):
            sys.stdout.writelines(f"{outcome.patient}: {kind}: {name}\n" for name in found)
    sys.stdout.write(
        f"{len(outcomes)} reports, {sum(not case.primaries for case in cases)} without a primary: "
        f"{sum(len(outcome.false_conditions) for outcome in outcomes)} false Conditions, "
        f"{sum(len(outcome.wrong_sides) for outcome in outcomes)} wrong sides, "
        f"{sum(outcome.missed for outcome in outcomes)} primaries missed\n"
    )
    return 0 if all(outcome.safe for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
