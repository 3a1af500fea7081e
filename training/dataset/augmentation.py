"""Makes varied training rows from real reports: swapped values, removed values, scanning noise; each is read again.

A changed text is kept only where reading it again gives the intended value for the changed task and the same as before
for all others: arithmetic and contradictions belong in the reader, so what it does not read as intended is no label.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import Field

from schemas.errors import Code, SynopticError
from schemas.frozen import Frozen
from schemas.pack_loader import PACKS_FOLDER
from schemas.yaml_source import load_model

Span = tuple[int, int]
Values = Mapping[str, str | None]
"""Task to class; None where the reading holds no value."""

AUGMENTATION_FILE = "augmentation.yaml"
ROUNDS_OF_REMOVAL = 4
"""A value is often written several times: removing the deciding mention uncovers the next."""


class ExtraWordings(Frozen):
    """Ways to write rare classes: they replace what matches `like` inside the evidence of another class."""

    task: str
    like: str
    wordings: dict[str, tuple[str, ...]]


class Augmentation(Frozen):
    """augmentation.yaml of a pack: what real training reports hold too rarely, and how scanning damages characters."""

    extra_wordings: tuple[ExtraWordings, ...] = ()
    confusions: dict[str, tuple[str, ...]] = Field(default_factory=dict)


def load_augmentation(pack_id: str, folder: Path = PACKS_FOLDER) -> Augmentation:
    """The pack's augmentation file; SYN-602 lists its faults."""
    model, faults = load_model(folder / pack_id / AUGMENTATION_FILE, Augmentation)
    if model is None or faults:
        raise SynopticError(Code.BAD_PACK, "; ".join(str(fault) for fault in faults))
    return model


@dataclass(frozen=True)
class Evidence:
    """Where one task's value stands in a text, and by which rule it was read."""

    value: str
    rule: str
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class ReadText:
    """A text as the reader understands it: each task's value, and the evidence of those that have one."""

    text: str
    values: Values
    evidence: Mapping[str, Evidence]


Reader = Callable[[str], ReadText | None]
"""Reads a text again; None where it holds no primary."""


@dataclass(frozen=True)
class Variant:
    """A changed report: the report it came from, how it was made, and its intended values."""

    origin: int
    kind: str
    read: ReadText


class WordingBank:
    """How real reports write each class: wordings by task, rule and class, so that a swap looks like its hospital."""

    def __init__(self, reports: Sequence[ReadText], extra: Sequence[ExtraWordings]) -> None:
        self._wordings: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        self._extra = extra
        for report in reports:
            for task, evidence in report.evidence.items():
                for start, end in evidence.spans:
                    self._wordings[task, evidence.rule, evidence.value].append(report.text[start:end])

    def wordings(self, task: str, evidence: Evidence, wording: str, target: str) -> list[str]:
        """Every known way to write the target class in place of this wording."""
        found = list(self._wordings.get((task, evidence.rule, target), ()))
        for extra in self._extra:
            match = re.search(extra.like, wording) if extra.task == task else None
            if match:
                before, after = wording[: match.start()], wording[match.end() :]
                found += [before + written + after for written in extra.wordings.get(target, ())]
        return found


class Augmenter:
    """Draws variants of real reports, every one verified by the reader."""

    def __init__(
        self,
        reports: Sequence[ReadText],
        classes: Mapping[str, Sequence[str]],
        augmentation: Augmentation,
        read: Reader,
        seed: int,
    ) -> None:
        self._reports = reports
        self._classes = classes
        self._confusions = augmentation.confusions
        self._bank = WordingBank(reports, augmentation.extra_wordings)
        self._read = read
        self._random = random.Random(seed)  # noqa: S311 - sampling, not security
        self.attempts: Counter[str] = Counter()
        self.kept: Counter[str] = Counter()

    def variants(self, quota: int, tries: int = 6) -> Iterator[Variant]:
        """Up to `quota` variants for each task and class, and as many without the task's value and with noise."""
        for task, classes in self._classes.items():
            for target in classes:
                yield from self._filled(quota, tries, "swap", partial(self._swapped, task=task, target=target))
            yield from self._filled(quota, tries, "removal", partial(self._removed, task=task))
        yield from self._filled(quota * len(self._classes), tries, "noise", self._damaged)

    def _filled(self, quota: int, tries: int, kind: str, change: Callable[[int], ReadText | None]) -> Iterator[Variant]:
        """Variants of one kind from randomly drawn reports until the quota or the tries are used up."""
        kept = 0
        for _ in range(quota * tries):
            if kept == quota:
                return
            origin = self._random.randrange(len(self._reports))
            changed = change(origin)
            self.attempts[kind] += 1
            if changed is not None:
                kept += 1
                self.kept[kind] += 1
                yield Variant(origin, kind, changed)

    def _swapped(self, origin: int, task: str, target: str) -> ReadText | None:
        """The report with another class of the task written in its evidence."""
        report = self._reports[origin]
        evidence = report.evidence.get(task)
        if evidence is None or evidence.value == target:
            return None
        replacements = {}
        for start, end in evidence.spans:
            wording = report.text[start:end]
            choices = self._bank.wordings(task, evidence, wording, target)
            if choices:
                replacements[wording] = self._random.choice(choices)
        if not replacements:
            return None
        return self._verified(_replaced(report.text, replacements), {**report.values, task: target})

    def _removed(self, origin: int, task: str) -> ReadText | None:
        """The report without any mention from which the task's value can be read."""
        report: ReadText | None = self._reports[origin]
        intended = {**self._reports[origin].values, task: None}
        for _ in range(ROUNDS_OF_REMOVAL):
            evidence = report.evidence.get(task) if report else None
            if report is None or evidence is None:
                return None
            text = _replaced(report.text, {report.text[start:end]: "" for start, end in evidence.spans if end > start})
            report = self._read(text)
            if report and dict(report.values) == intended:
                return report
        return None

    def _damaged(self, origin: int) -> ReadText | None:
        """The report with a few characters confused as scanning confuses them."""
        report = self._reports[origin]
        rate = self._random.choice((0.003, 0.01, 0.03))
        characters = [
            self._random.choice(self._confusions[character])
            if character in self._confusions and self._random.random() < rate
            else character
            for character in report.text
        ]
        return self._verified("".join(characters), report.values)

    def _verified(self, text: str, intended: Values) -> ReadText | None:
        """The reading of a changed text where it gives exactly the intended values."""
        report = self._read(text)
        return report if report and dict(report.values) == dict(intended) else None


def _replaced(text: str, replacements: Mapping[str, str]) -> str:
    """The text with each wording replaced wherever it stands as a word of its own, the longest first."""
    wordings = sorted((wording for wording in replacements if wording.strip()), key=len, reverse=True)
    if not wordings:
        return text
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(wording)}(?!\w)" for wording in wordings))
    return pattern.sub(lambda match: replacements[match.group()], text)
