"""Makes training rows from the facts of several reports: another report's facts for a task, or fewer of them.

In reports facts come bundled: a category stands beside the size and the counts from which it follows, so a small model
hardly learns what the weaker facts mean when they stand alone. Here each task's facts may be those of another report,
drawn so that rare values come as often as common ones, and some of them may be left out. What a whole bundle means is
known from its own report; what a thinned one means is what the labelling rules make of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from schemas.findings import Status
from schemas.pack_loader import Pack
from training.dataset.rows import Labels, ReportReading, TrainingRow, known_labels, prompt_rows, unregistered_tasks
from workers.reading.facts import Fact
from workers.reading.labelling import LabellingEngine, TaskLabel
from workers.reading.prompting import build_prompts
from workers.reading.report_reading import PrimaryReading

RECOMBINED = "recombined"
OTHERS_SHARE, THINNED_SHARE = 0.6, 0.5
"""How often a task's facts come from another report, and how often some of them are left out."""
KIND_DROPPED, FACT_DROPPED = 0.3, 0.4
"""Of thinned facts: how often a whole kind goes, and how often one fact of those that stay."""


@dataclass(frozen=True)
class _Bundle:
    """The facts that one report holds on some tasks, and what is known of these tasks."""

    facts: tuple[Fact, ...]
    labels: Labels
    read: Mapping[str, TaskLabel]


@dataclass(frozen=True)
class _Origin:
    """A report with a primary, and its known labels."""

    reading: ReportReading
    primary: PrimaryReading
    labels: Labels


def recombined_rows(
    readings: Sequence[ReportReading], pack: Pack, folds: Mapping[str, int], count: int, seed: int
) -> list[TrainingRow]:
    """`count` rows, or none without readings; all facts of a row come from hospitals of one fold."""
    trusted = unregistered_tasks([reading.report for reading in readings if reading.report.registry], pack.definition)
    by_fold: dict[int | None, list[_Origin]] = {}
    for reading in readings:
        if reading.primary is not None:
            origin = _Origin(reading, reading.primary, known_labels(reading, pack.definition, trusted))
            by_fold.setdefault(folds.get(reading.report.hospital), []).append(origin)
    recombiners = {fold: _Recombiner(origins, pack) for fold, origins in by_fold.items()}
    places = [(fold, origin) for fold, origins in by_fold.items() for origin in origins]
    random = Random(seed)  # noqa: S311 - sampling, not security
    rows: list[TrainingRow] = []
    while places and len(rows) < count:
        fold, origin = random.choice(places)
        rows += recombiners[fold].rows(origin, random)
    return rows[:count]


class _Recombiner:
    """Draws from the reports of one fold."""

    def __init__(self, origins: Sequence[_Origin], pack: Pack) -> None:
        self._pack = pack
        self._engine = LabellingEngine(pack.labels, pack.definition)
        self._groups = _task_groups(pack)
        self._donors = {group: _by_value(origins, group) for group in self._groups}

    def rows(self, origin: _Origin, random: Random) -> list[TrainingRow]:
        """One row of new facts around the origin's assertion and procedure."""
        moved = {kind for kinds in self._groups.values() for kind in kinds}
        facts = [fact for fact in origin.primary.facts if fact.kind not in moved]
        bundles = {group: self._bundle(group, origin, random) for group in self._groups}
        facts += [fact for bundle in bundles.values() for fact in bundle.facts]
        facts.sort(key=lambda fact: (fact.start, fact.end))
        primary = replace(origin.primary, facts=tuple(facts))
        labels = {
            task: value
            for group, bundle in bundles.items()
            for task in group
            for value in self._meaning(task, bundle, primary)
        }
        # The text would contradict the facts.
        prompts = [
            replace(prompt, report="") for prompt in build_prompts(origin.reading.clean.text, primary, self._pack)
        ]
        return list(prompt_rows(origin.reading.report, RECOMBINED, prompts, labels))

    def _bundle(self, group: tuple[str, ...], origin: _Origin, random: Random) -> _Bundle:
        """The group's facts, of the origin or another report, whole or thinned."""
        giver = origin
        if random.random() < OTHERS_SHARE:
            giver = random.choice(self._donors[group][random.choice(list(self._donors[group]))])
        facts = tuple(fact for fact in giver.primary.facts if fact.kind in self._groups[group])
        if random.random() < THINNED_SHARE:
            gone = {kind for kind in sorted({fact.kind for fact in facts}) if random.random() < KIND_DROPPED}
            kept = tuple(fact for fact in facts if fact.kind not in gone and random.random() >= FACT_DROPPED)
            if kept != facts:
                return _Bundle(kept, {}, {})
        return _Bundle(facts, giver.labels, giver.primary.labels)

    def _meaning(self, task: str, bundle: _Bundle, primary: PrimaryReading) -> tuple[str | None, ...]:
        """The task's label in the new company of facts, or nothing where it is in doubt."""
        found = self._engine.label(task, primary.facts, primary.properties)
        before = bundle.read.get(task)
        if before is not None and (before.value, before.status) == (found.value, found.status):
            return (bundle.labels[task],) if task in bundle.labels else ()
        return () if found.status is Status.REVIEW else (found.value,)


def _task_groups(pack: Pack) -> dict[tuple[str, ...], frozenset[str]]:
    """Tasks whose rules read common kinds of facts, with these kinds; those that say what the report is about stay."""
    groups: dict[tuple[str, ...], frozenset[str]] = {}
    for task in pack.definition.tasks:
        kinds = frozenset(rule.kind for rule in pack.labels.labels[task.key].rules) - {"assertion"}
        sharing = [group for group, held in groups.items() if held & kinds]
        merged = frozenset().union(kinds, *(groups.pop(group) for group in sharing))
        groups[(*(name for group in sharing for name in group), task.key)] = merged
    return groups


def _by_value(origins: Sequence[_Origin], group: tuple[str, ...]) -> dict[tuple[str | None, ...], list[_Origin]]:
    """The reports by what is known of the group's tasks."""
    found: dict[tuple[str | None, ...], list[_Origin]] = {}
    for origin in origins:
        found.setdefault(tuple(origin.labels.get(task) for task in group), []).append(origin)
    return found
