"""Reads report texts one by one from JSON lines, plain text files and folders of them, whatever their number.

A row holds `patient` and `text`, and may hold `site` (the hospital), `report`, `date` (ISO), `kind`, `registry` and
`tier`. A plain file is one report of a patient of the file's name.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import Code, SynopticError
from schemas.pack import PackDefinition
from training.reports.gold import RegistryValue, registry_values
from training.reports.json_lines import each_line, parsed

PLAIN, LINES = ".txt", (".jsonl", ".ndjson")

Place = tuple[int, int]
"""Where a report stands: the number of its file among the files, and the first byte of its row."""


@dataclass(frozen=True)
class SourceReport:
    """One report as it came; `date` and `report` are empty where the row has none."""

    patient: str
    text: str = field(repr=False)
    hospital: str = ""
    report: str = ""
    date: str = ""
    kind: str = ""
    registry: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tier: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def registry_values(self, pack: PackDefinition) -> dict[str, RegistryValue]:
        """What the registry holds of the pack's tasks, in the pack's spelling; empty where the row has none."""
        return registry_values(self.registry, self.tier, pack) if self.registry else {}


def files_of(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The files named, and those of a known suffix in the folders named, by name; SYN-751 for a folder of none."""
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in (PLAIN, *LINES))
        if not found:
            raise SynopticError(Code.EMPTY_FOLDER)
        files += found
    return tuple(files)


def stream_reports(paths: Iterable[Path]) -> Iterator[SourceReport]:
    """Every report, in the order of the files; one is held at a time."""
    for _, report in placed_reports(files_of(paths)):
        yield report


def placed_reports(files: Sequence[Path]) -> Iterator[tuple[Place, SourceReport]]:
    """Every report with its place; SYN-701 names the first line that is none."""
    for index, path in enumerate(files):
        if path.suffix.lower() == PLAIN:
            yield (index, 0), _plain(path)
            continue
        for line in each_line(path):
            yield (index, line.start), _source(line.row, line.name)


def report_at(files: Sequence[Path], place: Place) -> SourceReport:
    """The report at a place that `placed_reports` gave."""
    path = files[place[0]]
    if path.suffix.lower() == PLAIN:
        return _plain(path)
    with path.open("rb") as file:
        file.seek(place[1])
        return _source(parsed(file.readline(), path.name), path.name)


def _plain(path: Path) -> SourceReport:
    try:
        return SourceReport(path.stem, path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise SynopticError(Code.BAD_TRAINING_FILE, f"{path.name}: not UTF-8") from None
    except OSError as error:
        raise SynopticError(Code.BAD_TRAINING_FILE, f"{path.name}: {error.strerror}") from None


def _source(row: dict[str, Any], name: str) -> SourceReport:
    if not isinstance(row.get("patient"), str) or not isinstance(row.get("text"), str):
        raise SynopticError(Code.BAD_TRAINING_FILE, f"{name}: no patient or no text")
    words = {name: str(row.get(key) or "") for name, key in _WORDS.items()}
    return SourceReport(
        row["patient"], row["text"], **words, registry=row.get("registry") or {}, tier=row.get("tier") or {}
    )


_WORDS = {"hospital": "site", "report": "report", "date": "date", "kind": "kind"}
