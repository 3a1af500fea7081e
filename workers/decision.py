"""Decides each finding: a value is coded only where the classifier is sure and a span of the primary supports it.

Two policies (the pack names one). `agreement`: classifier and labelling rules give the same value. `classifier`: the
classifier's value, as the reference system does; the rules only lend the supporting span. What the report says in
words that have no class (pending, not performed, not assessable) is the rules' to read under both, and so is whether it
says anything: without wording the finding is not stated, since a person could look at nothing. Where the calibration has
a rule for whole reports, a primary whose findings look doubtful together waits for a person with all of them.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from model.calibration import Calibration, TaskCalibration
from model.engine import Prediction
from schemas.findings import MAXIMUM_QUOTE_LENGTH, Assertion, Basis, Evidence, Finding, Focus, Primary, Side, Status
from schemas.messages import PageSpan
from schemas.pack import Policy
from schemas.pack_loader import Pack
from workers.privacy.deidentify import CleanText
from workers.reading.labelling import TaskLabel
from workers.reading.report_reading import PrimaryReading

NO_SPAN = "no supporting span"
CONTRADICTION = "the report contradicts itself"
DISAGREEMENT = "rules and classifier disagree"
UNSURE = "the classifier is not sure enough"
DOUBTFUL_AS_A_WHOLE = "the report's findings look doubtful as a whole"
OTHER_SIDE = "the resource names the other side"
DOUBTFUL_PAGE = "read from a page that OCR is not sure of"
ROMAN_NUMERAL = "a Roman numeral read by OCR"
SAID_IN_WORDS = (Status.PENDING, Status.NOT_PERFORMED, Status.NOT_ASSESSABLE)
# A quote with a Roman I or II, a stage's letter behind it or not, and no digit; OCR takes I for l and | as well.
_FEW_STROKES = re.compile(r"\A\D*(?<![\w|])(?:[Il][Il|]?|\|[Il])[A-C]?(?![\w|+])\D*\Z")
Locate = Callable[[Sequence[tuple[int, int]]], tuple[Evidence, ...]]


@dataclass(frozen=True)
class Verdict:
    """What the classifier says of one task: its best class, whether any is stated, and whether it may be coded.

    `certainty` is the confidence in the class times P(stated).
    """

    value: str
    says_stated: bool
    sure: bool
    certainty: float


def decide(
    reading: PrimaryReading,
    predictions: Mapping[str, Prediction],
    calibration: Calibration,
    pack: Pack,
    locate: Locate,
    foci: Sequence[Mapping[str, Prediction]] = (),
) -> Primary:
    """The primary with one finding for each task of the pack, and the further findings that the rules read.

    `foci` are the predictions of its foci, in order; without them it has none.
    """
    definition = pack.definition
    asked = [task.key for task in definition.tasks if reading.assertion.is_primary or not task.primary_only]
    findings = {
        task: decide_task(
            reading.labels.get(task), predictions[task], calibration.task(task), definition.policy, locate
        )
        for task in asked
    }
    masses = [
        _focus(focus, answers, calibration, pack, locate) for focus, answers in zip(reading.foci, foci, strict=False)
    ]
    if doubts_report({task: reading.labels.get(task) for task in asked}, predictions, calibration, definition.policy):
        findings = withheld(findings, DOUBTFUL_AS_A_WHOLE)
        masses = [one.model_copy(update={"findings": withheld(one.findings, DOUBTFUL_AS_A_WHOLE)}) for one in masses]
    findings |= {
        task.key: by_rules(label, locate)
        for task in definition.tasks
        if reading.assertion in task.words_of
        and (label := reading.labels.get(task.key)) is not None
        and label.basis is Basis.STATED
    }
    return Primary(
        key=reading.key,
        organ=reading.organ,
        laterality=reading.laterality,
        principal=reading.principal,
        assertion=reading.assertion,
        certainty=reading.certainty,
        assertion_evidence=locate(reading.assertion_spans),
        histology=reading.histology,
        histology_evidence=locate(reading.histology_spans),
        behaviour=reading.behaviour,
        procedure=reading.procedure,
        therapy_before=reading.therapy_before,
        specimens=reading.specimens,
        findings=findings | _further(reading, pack, locate),
        foci=tuple(masses),
    )


def _focus(
    reading: PrimaryReading, predictions: Mapping[str, Prediction], calibration: Calibration, pack: Pack, locate: Locate
) -> Focus:
    """A further mass of a primary: what is stated of it, decided as that of the primary is."""
    definition = pack.definition
    findings = {
        task.key: decide_task(label, predictions[task.key], calibration.task(task.key), definition.policy, locate)
        for task in definition.tasks
        if (label := reading.labels.get(task.key)) is not None and label.status is not Status.NOT_STATED
    }
    return Focus(key=reading.key, histology=reading.histology, findings=findings | _further(reading, pack, locate))


def _further(reading: PrimaryReading, pack: Pack, locate: Locate) -> dict[str, Finding]:
    """What the rules read beside the tasks."""
    tasks = {task.key for task in pack.definition.tasks}
    return {
        key: by_rules(label, locate)
        for key, label in reading.labels.items()
        if key not in tasks and label.status is not Status.NOT_STATED
    }


def verdict(prediction: Prediction, calibration: TaskCalibration, policy: Policy) -> Verdict:
    """The classifier's answer held against the thresholds fitted for the policy; no threshold: never sure."""
    value, probability = max(prediction.probabilities.items(), key=lambda item: item[1])
    confidence = calibration.confidence(probability)
    sure = calibration.allows(policy, value, confidence, prediction.stated)
    says_stated = calibration.says_stated(policy, prediction.stated)
    return Verdict(value, says_stated, sure, confidence * prediction.stated)


def doubts_report(
    labels: Mapping[str, TaskLabel | None],
    predictions: Mapping[str, Prediction],
    calibration: Calibration,
    policy: Policy,
) -> bool:
    """True where the policy's rule for whole reports withholds a primary with these labels and predictions."""
    rule = calibration.documents.get(policy)
    if rule is None:
        return False
    verdicts = {task: verdict(predictions[task], calibration.task(task), policy) for task in labels}
    disagreements = sum(
        (label.value if label is not None and label.status is Status.CODED else None)
        != (verdicts[task].value if verdicts[task].says_stated else None)
        for task, label in labels.items()
    )
    return rule.withholds(disagreements, math.prod(one.certainty for one in verdicts.values() if one.says_stated))


def decide_task(
    label: TaskLabel | None, prediction: Prediction, calibration: TaskCalibration, policy: Policy, locate: Locate
) -> Finding:
    """One task's finding: its status and value by the pack's policy."""
    if label is not None and label.status in SAID_IN_WORDS:
        return by_rules(label, locate)
    read = label.value if label is not None else None
    if label is None or read is None:
        return Finding(status=Status.NOT_STATED, source="model")
    classifier = verdict(prediction, calibration, policy)
    value = classifier.value if policy == "classifier" and classifier.says_stated else read
    reason: str | None = None
    evidence = locate(label.spans if value == read else label.support.get(value, ()))
    if not evidence:
        reason = NO_SPAN
    elif label.status is Status.REVIEW:
        reason = label.reason or CONTRADICTION
    elif value != classifier.value or not classifier.says_stated:
        reason = DISAGREEMENT
    elif not classifier.sure:
        reason = UNSURE
    return Finding(
        value=value,
        detail=label.detail if value == read else None,
        status=Status.REVIEW if reason else Status.CODED,
        basis=label.basis if value == read else None,
        probability=prediction.probabilities.get(value, 0.0) * prediction.stated,
        evidence=evidence,
        source="model",
        reason=reason,
        attributes=dict(label.attributes) if value == read else {},
    )


def by_rules(label: TaskLabel, locate: Locate) -> Finding:
    """A finding that rules alone decide; contradicting evidence, or none, sends it to review."""
    evidence = locate(label.spans)
    reason = (label.reason or CONTRADICTION) if label.status is Status.REVIEW else None
    if label.status is Status.CODED and not evidence:
        reason = NO_SPAN
    return Finding(
        value=label.value if label.status in (Status.CODED, Status.REVIEW) else None,
        detail=label.detail,
        status=Status.REVIEW if reason else label.status,
        basis=label.basis,
        evidence=evidence,
        source="rules",
        reason=reason,
        attributes=dict(label.attributes),
    )


def doubt_side(primary: Primary, side: Side | None) -> Primary:
    """The primary, in review as a whole where its side is not the one that the resource names."""
    if side is None or primary.laterality in (None, side):
        return primary
    doubted = _changed(primary, lambda findings: withheld(findings, OTHER_SIDE))
    return doubted.model_copy(update={"assertion": Assertion.UNCERTAIN})


def doubt_pages(primary: Primary, pages: Sequence[PageSpan]) -> Primary:
    """The primary, with everything in review whose evidence stands on a page that OCR was not sure of."""
    doubtful = {page.page for page in pages if page.doubtful}
    doubted = _doubted(primary, lambda found: any(one.page in doubtful for one in found), DOUBTFUL_PAGE)
    if not any(evidence.page in doubtful for evidence in primary.assertion_evidence):
        return doubted
    return doubted.model_copy(update={"assertion": Assertion.UNCERTAIN})


def doubt_numerals(primary: Primary, pages: Sequence[PageSpan]) -> Primary:
    """The primary, with every finding in review that rests on Roman numerals I or II which OCR read, and on nothing else.

    It reads some III as II, and its confidence does not tell (docs/ocr.md).
    """
    read = {page.page for page in pages if page.reader == "ocr"}

    def is_doubtful(evidence: Evidence) -> bool:
        return evidence.page in read and _FEW_STROKES.search(evidence.quote) is not None

    return _doubted(primary, lambda found: bool(found) and all(map(is_doubtful, found)), ROMAN_NUMERAL)


def _doubted(primary: Primary, rests: Callable[[Sequence[Evidence]], bool], reason: str) -> Primary:
    """The primary with every finding in review for this reason whose evidence is such."""

    def doubt(findings: Mapping[str, Finding]) -> dict[str, Finding]:
        resting = {key: finding for key, finding in findings.items() if rests(finding.evidence)}
        return {**findings, **withheld(resting, reason)}

    return _changed(primary, doubt)


def _changed(primary: Primary, change: Callable[[Mapping[str, Finding]], dict[str, Finding]]) -> Primary:
    """The primary with its own findings and those of its foci changed."""
    foci = tuple(focus.model_copy(update={"findings": change(focus.findings)}) for focus in primary.foci)
    return primary.model_copy(update={"findings": change(primary.findings), "foci": foci})


def withheld(findings: Mapping[str, Finding], reason: str) -> dict[str, Finding]:
    """The findings with every coded one in review for this reason."""
    return {
        key: finding.model_copy(update={"status": Status.REVIEW, "reason": reason})
        if finding.status is Status.CODED
        else finding
        for key, finding in findings.items()
    }


def evidence_locator(text: str, clean: CleanText, pages: Sequence[PageSpan]) -> Locate:
    """A function from spans of the de-identified text to evidence in the source; a span that touches a tag is none."""

    def locate(spans: Sequence[tuple[int, int]]) -> tuple[Evidence, ...]:
        found = []
        for start, end in spans:
            source = clean.to_source(start, min(end, start + MAXIMUM_QUOTE_LENGTH))
            if source is not None:
                first, last = source
                page = next((span.page for span in pages if span.start <= first < span.end), None)
                found.append(Evidence(quote=text[first:last], start=first, end=last, page=page))
        return tuple(dict.fromkeys(found))

    return locate
