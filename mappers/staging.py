"""Stage groups by rule table: deterministic, from the most specific stated categories, with a reason where none."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from mappers.stage_words import StageReader, Stated, WordsError
from schemas.findings import Finding, Primary, StageGroup, Status
from schemas.rule_table import RuleTable, Ruling
from schemas.settings import MappingSettings


@dataclass(frozen=True)
class Staged:
    """A stage group, or why there is none; what was assumed in place of what was not stated; and how it came about.

    A group that is broader than the rows' has a reason as well: what it hangs on. `remarks` are what is to be said of the
    words; `readable` is false where they are none of the table's.
    """

    stage: StageGroup | None = None
    reason: str | None = None
    assumed: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    readable: bool = True


@dataclass(frozen=True)
class Stager:
    """A rule table ready for staging; `assume` gives unconditional groups where M0 was not stated (a facility's choice)."""

    rules: RuleTable
    assume: bool = False
    reader: StageReader = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reader", StageReader(self.rules))

    def line(self, text: str) -> Staged:
        """The group of what one line states, such as "pT1c N0(i+) M0"."""
        try:
            stated = self.reader.read(text)
        except WordsError as error:
            return Staged(reason=str(error), readable=False)
        return self.group(stated)

    def primary(self, primary: Primary) -> Staged:
        """The group of one primary's coded findings; values in review or not stated are not used."""
        if not primary.assertion.is_primary:
            return Staged(reason="not an untreated primary")
        if primary.histology in self.rules.unstaged_histologies:
            return Staged(reason=self.rules.unstaged_histologies[primary.histology])
        stated: list[Stated] = []
        for name, key in self.rules.findings.items():
            finding = primary.findings.get(key)
            if finding is None or finding.status not in (Status.CODED, Status.NOT_ASSESSABLE):
                continue
            try:
                stated += self._finding(name, finding)
            except WordsError as error:
                return Staged(reason=str(error))
        return self.group(stated)

    def group(self, stated: Iterable[Stated]) -> Staged:
        """The group of inputs as they were read."""
        entries = tuple(stated)
        steps = [_read_step(entry, self.rules) for entry in entries]
        for entry in entries:
            if entry.prefix in self.rules.unstaged_prefixes:
                return Staged(reason=self.rules.unstaged_prefixes[entry.prefix], steps=tuple(steps))
        ruling = self.rules.decide({entry.name: entry.values for entry in entries if entry.values})
        remarks = tuple(entry.remark for entry in entries if entry.remark)
        return replace(self._answer(ruling, steps), remarks=remarks)

    def _answer(self, ruling: Ruling, steps: list[str]) -> Staged:
        decision = ruling.decision
        open_values = tuple(assumption.value for assumption in ruling.assumed if assumption.conditional)
        for assumption in ruling.assumed:
            taken = (
                f"{assumption.value} would have to hold" if assumption.conditional else f"taken as {assumption.value}"
            )
            taken = f"{assumption.value} assumed" if assumption.conditional and self.assume else taken
            steps.append(f"{assumption.missing} not stated: {taken}")
        for index in decision.rows:
            row = self.rules.table.rows[index]
            said = row.result or f"no group: {row.not_assignable or row.impossible}"
            steps.append(f"row {index + 1} ({row}): {said}" + (f" ({row.note})" if row.note else ""))
        if decision.result is None:
            return Staged(reason=decision.reason, steps=tuple(steps))
        condition = None if self.assume else ", ".join(open_values) or None
        stage = StageGroup(group=decision.result, system=self.rules.system, conditional_on=condition)
        return Staged(stage, decision.reason, open_values if self.assume else (), steps=tuple(steps))

    def _finding(self, name: str, finding: Finding) -> tuple[Stated, ...]:
        """The finding as an input; none where it was not assessable and the table has no X; raises WordsError."""
        covers = self.rules.table.inputs[name].covers
        if finding.status == Status.NOT_ASSESSABLE:
            return (Stated(name, f"{name}X", (f"{name}X",)),) if f"{name}X" in covers else ()
        if name in self.rules.words:
            value = finding.value or ""
            try:
                return (Stated(name, value, self.rules.table.inputs[name].expand([value])),)
            except KeyError:
                raise WordsError(f"{name} {value} is not in the table") from None
        entries = self.reader.read(finding.detail or finding.value or "")
        if len(entries) != 1 or entries[0].name != name:
            raise WordsError(f"{name} is not a category of {self.rules.system}")
        value = finding.value or ""
        if not all(category.startswith(value) or category in covers.get(value, ()) for category in entries[0].values):
            raise WordsError(f"{name} contradicts itself")
        return (replace(entries[0], prefix=entries[0].prefix or finding.attributes.get("prefix", "")),)


def stage_primary(primary: Primary, rules: RuleTable, settings: MappingSettings) -> Staged:
    """The computed group of one primary's coded findings by the facility's choices, or why there is none."""
    if not settings.anatomic_stage:
        return Staged(reason="AJCC's groups are switched off")
    return Stager(rules, settings.assume_m0).primary(primary)


def stage_variables(
    primary: Primary, rules: RuleTable, licensed_rules: RuleTable | None, settings: MappingSettings
) -> dict[str, str | None]:
    """What mapping rules see of the stage: the computed group and what it hangs on or assumes; the licensed table's group."""
    anatomic = stage_primary(primary, rules, settings)
    licensed = Stager(licensed_rules, settings.assume_m0).primary(primary) if licensed_rules else Staged()
    prognostic = licensed.stage if licensed.stage and not licensed.stage.conditional_on else None
    return {
        "stage": anatomic.stage.group if anatomic.stage else None,
        "stage_condition": anatomic.stage.conditional_on if anatomic.stage else None,
        "stage_assumed": ", ".join(dict.fromkeys((*anatomic.assumed, *licensed.assumed))) or None,
        "prognostic_stage": prognostic.group if prognostic else None,
        "prognostic_system": prognostic.system if prognostic else None,
    }


def _read_step(entry: Stated, rules: RuleTable) -> str:
    covers = rules.table.inputs[entry.name].covers
    parts = [", ".join(covers[value]) for value in entry.values if len(covers[value]) > 1]
    meant = " or ".join(entry.values) + (f" (one of {'; '.join(parts)})" if parts else "")
    said = f"{entry.text}: {entry.name} is {meant or 'not stated'}"
    if entry.ignored:
        said += f"; {', '.join(entry.ignored)} changes nothing"
    return f"{said}; {entry.remark}" if entry.remark else said
