"""Stage groups by decision table: deterministic, from the most specific stated categories, with a reason where none."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.findings import Primary, StageGroup, Status
from schemas.tables import Staging


@dataclass(frozen=True)
class Staged:
    """A stage group, or why there is none."""

    stage: StageGroup | None = None
    reason: str | None = None


def stage_primary(primary: Primary, staging: Staging) -> Staged:
    """The group of one primary's coded findings; values in review or not stated are not used."""
    if not primary.assertion.is_primary:
        return Staged(reason="not an untreated primary")
    if primary.histology in staging.unstaged_histologies:
        return Staged(reason=staging.unstaged_histologies[primary.histology])
    written: dict[str, str | None] = {}
    for name, key in staging.findings.items():
        finding = primary.findings.get(key)
        if finding is None or finding.status not in (Status.CODED, Status.NOT_ASSESSABLE):
            continue
        prefix = finding.attributes.get("prefix", "")
        if prefix in staging.unstaged_prefixes:
            return Staged(reason=staging.unstaged_prefixes[prefix])
        if finding.status == Status.NOT_ASSESSABLE:
            written[name] = f"{name}X"
        elif finding.detail and not _agrees(finding.detail, finding.value, name, staging):
            return Staged(reason=f"{name} contradicts itself")
        else:
            written[name] = finding.detail or finding.value
    return stage_group(written, staging)


def stage_of(primary: Primary, staging: Staging) -> StageGroup | None:
    """The group alone, for showing."""
    return stage_primary(primary, staging).stage


def stage_line(text: str, staging: Staging) -> Staged:
    """The group of categories written in one line, such as "pT1c N0(i+) M0"."""
    written: dict[str, str | None] = {}
    for word in text.split():
        name = next((name for name in staging.table.inputs if _without_prefix(word, staging)[1].startswith(name)), None)
        if name is None:
            return Staged(reason=f"cannot read {word!r} as a category")
        if name in written:
            return Staged(reason=f"{name} is given twice")
        written[name] = word
    return stage_group(written, staging)


def stage_group(written: Mapping[str, str | None], staging: Staging) -> Staged:
    """The group of the categories as written (prefix and suffixes allowed), by input name."""
    inputs: dict[str, str] = {}
    for name, known in staging.table.inputs.items():
        text = written.get(name)
        if not text or text.casefold() in (form.casefold() for form in staging.unknown.get(name, ())):
            continue
        prefix, rest = _without_prefix(text, staging)
        if prefix in staging.unstaged_prefixes:
            return Staged(reason=staging.unstaged_prefixes[prefix])
        category = _category(rest, known)
        if category is None:
            return Staged(reason=f"{name} is not a category of {staging.system}")
        inputs[name] = category
    return _decide(inputs, staging)


def _decide(inputs: dict[str, str], staging: Staging) -> Staged:
    conditional: list[str] = []
    for assumption in staging.assumptions:
        fits = all(inputs.get(name) in values for name, values in assumption.when.items())
        if fits and assumption.missing not in inputs:
            inputs[assumption.missing] = assumption.value
            conditional += [assumption.value] if assumption.conditional else []
    row = staging.table.decide(inputs)
    if row is None:
        absent = [name for name in staging.table.inputs if name not in inputs]
        return Staged(reason=f"{', '.join(absent)} not stated")
    if row.result is None:
        return Staged(reason=row.not_assignable)
    return Staged(StageGroup(group=row.result, system=staging.system, conditional_on=", ".join(conditional) or None))


def _without_prefix(text: str, staging: Staging) -> tuple[str, str]:
    compact = "".join(text.split())
    for prefix in staging.prefixes:
        if compact.startswith(prefix):
            return prefix, compact[len(prefix) :]
    return "", compact


def _category(text: str, known: tuple[str, ...]) -> str | None:
    """The longest known category that the text begins with: suffixes such as (m), (sn) do not change the group."""
    folded = text.casefold()
    fitting = [category for category in known if folded.startswith(category.casefold())]
    longest = max(fitting, key=len, default=None)
    if longest is None or folded[len(longest) :][:1].isalnum():
        return None
    return longest


def _agrees(detail: str, value: str | None, name: str, staging: Staging) -> bool:
    category = _category(_without_prefix(detail, staging)[1], staging.table.inputs[name])
    return category is None or value is None or category.startswith(value)
