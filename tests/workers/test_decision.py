"""The decision: what is coded, what goes to review and why."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from model.calibration import Calibration, TaskCalibration
from model.document_rule import DocumentRule
from model.engine import Prediction
from schemas.findings import Assertion, Basis, Evidence, Finding, Focus, Primary, Side, Status
from schemas.messages import PageSpan
from schemas.pack import Policy
from schemas.pack_loader import load_pack
from workers.decision import (
    CONTRADICTION,
    DISAGREEMENT,
    DOUBTFUL_AS_A_WHOLE,
    DOUBTFUL_PAGE,
    NO_SPAN,
    ROMAN_NUMERAL,
    UNSURE,
    decide,
    decide_task,
    doubt_numerals,
    doubt_pages,
    doubt_side,
    evidence_locator,
    verdict,
)
from workers.privacy.deidentify import deidentify
from workers.reading.labelling import TaskLabel
from workers.reading.report_reading import PrimaryReading, read_report

TEXT = "Pathologic stage: pT2 pN1a"
SPAN = ((18, 21),)
LABEL = TaskLabel("T", "T2", Status.CODED, detail="pT2", basis=Basis.STATED, spans=SPAN, support={"T2": SPAN})
FITTED = TaskCalibration(threshold=0.9, agreement_threshold=0.9)
SURE = Prediction(0.99, {"T1": 0.02, "T2": 0.98})
OTHER = Prediction(0.99, {"T1": 0.98, "T2": 0.02})
UNSURE_ANSWER = Prediction(0.99, {"T1": 0.3, "T2": 0.7})
SILENT = Prediction(0.01, {"T1": 0.02, "T2": 0.98})
POLICIES: tuple[Policy, ...] = ("agreement", "classifier")


def locate(spans: Sequence[tuple[int, int]]) -> tuple[Evidence, ...]:
    """Evidence straight from TEXT."""
    return tuple(Evidence(quote=TEXT[start:end], start=start, end=end) for start, end in spans)


@pytest.mark.parametrize("policy", POLICIES)
def test_agreement_with_a_span_and_confidence_is_coded(policy: Policy) -> None:
    """Rules and a sure classifier that name the same supported value code it under both policies."""
    finding = decide_task(LABEL, SURE, FITTED, policy, locate)
    assert (finding.status, finding.value, finding.detail) == (Status.CODED, "T2", "pT2")
    assert finding.probability == pytest.approx(0.98 * 0.99)
    assert finding.evidence[0].quote == "pT2"


@pytest.mark.parametrize(
    ("label", "prediction", "reason"),
    [
        (LABEL, OTHER, DISAGREEMENT),
        (LABEL, SILENT, DISAGREEMENT),
        (LABEL, UNSURE_ANSWER, UNSURE),
        (replace(LABEL, spans=(), support={}), SURE, NO_SPAN),
    ],
)
def test_agreement_policy_sends_doubt_to_review_with_the_rules_value(
    label: TaskLabel, prediction: Prediction, reason: str
) -> None:
    """Under `agreement` every doubt is a review that shows what the rules read, and says why."""
    finding = decide_task(label, prediction, FITTED, "agreement", locate)
    assert (finding.status, finding.value, finding.reason) == (Status.REVIEW, "T2", reason)


@pytest.mark.parametrize(
    ("receptors", "task", "value"),
    [
        ("ER 5 %, negative.", "ER", "negative"),
        ("ER: positive (0 %).", "ER", "positive"),
        ("PR: negative. PR: positive.", "PR", "negative"),
        ("HER2/neu: negative (3+).", "HER2", "negative"),
        ("HER2/neu: positive (2+).", "HER2", "positive"),
    ],
)
def test_a_contradiction_in_the_report_waits_for_a_person(receptors: str, task: str, value: str) -> None:
    """What a report contradicts itself in is never coded, even where a sure classifier agrees; both places are shown."""
    pack = load_pack("breast")
    text = f"FINAL DIAGNOSIS: Left breast, lumpectomy: Invasive ductal carcinoma, grade 2. {receptors}"
    (reading,) = read_report(text, pack)

    def quote(spans: Sequence[tuple[int, int]]) -> tuple[Evidence, ...]:
        return tuple(Evidence(quote=text[start:end], start=start, end=end) for start, end in spans)

    agreeing = Prediction(0.99, {value: 0.99, "other": 0.01})
    finding = decide_task(reading.labels[task], agreeing, FITTED, "agreement", quote)
    assert (finding.status, finding.value, finding.reason) == (Status.REVIEW, value, CONTRADICTION)
    assert len(finding.evidence) == 2


def test_the_probability_is_that_of_the_value_shown() -> None:
    """Where the classifier prefers another class, the value in review carries its own small probability."""
    finding = decide_task(LABEL, OTHER, FITTED, "agreement", locate)
    assert finding.probability == pytest.approx(0.02 * 0.99)


def test_classifier_policy_needs_a_span_for_its_own_value() -> None:
    """Under `classifier` its value is coded only where some rule's fact supports exactly that value."""
    assert decide_task(LABEL, OTHER, FITTED, "classifier", locate).reason == NO_SPAN
    supported = replace(LABEL, support={"T2": SPAN, "T1": ((22, 26),)})
    finding = decide_task(supported, OTHER, FITTED, "classifier", locate)
    assert (finding.status, finding.value, finding.detail) == (Status.CODED, "T1", None)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_value_without_any_wording_is_never_coded(policy: Policy) -> None:
    """The classifier alone makes neither a code nor a review: what no wording names is not stated, however sure it is."""
    silent = TaskLabel("T", None, Status.NOT_STATED)
    for label in (None, silent):
        finding = decide_task(label, SURE, FITTED, policy, locate)
        assert (finding.status, finding.value, finding.evidence) == (Status.NOT_STATED, None, ())


@pytest.mark.parametrize("status", [Status.PENDING, Status.NOT_PERFORMED, Status.NOT_ASSESSABLE])
def test_states_said_in_words_are_the_rules_to_read(status: Status) -> None:
    """Pending, not performed and not assessable have no value, whatever the classifier says."""
    label = TaskLabel("ER", None, status, detail="pending", basis=Basis.STATED, spans=SPAN)
    finding = decide_task(label, SURE, FITTED, "agreement", locate)
    assert (finding.status, finding.value, finding.source) == (status, None, "rules")


def test_each_policy_has_its_own_threshold() -> None:
    """The classifier alone needs the stricter threshold; no threshold means never sure."""
    prediction = Prediction(0.9, {"T1": 0.2, "T2": 0.8})
    fitted = TaskCalibration(threshold=0.95, agreement_threshold=0.6)
    assert not verdict(prediction, fitted, "classifier").sure
    assert verdict(prediction, fitted, "agreement").sure
    assert not verdict(prediction, TaskCalibration(), "agreement").sure
    assert not verdict(prediction, TaskCalibration(agreement_threshold=0.6, review_only=("T2",)), "agreement").sure


def _decided(assertion: Assertion) -> Primary:
    pack = load_pack("breast")
    reading = PrimaryReading(key="breast", organ="breast", assertion=assertion, labels={"T": LABEL})
    even = {task.key: Prediction(0.5, dict.fromkeys(task.classes, 0.1)) for task in pack.definition.tasks}
    return decide(reading, even, Calibration(), pack, locate)


def test_tnm_and_grade_belong_to_primaries_only() -> None:
    """Of a recurrence the classifier is asked for receptors alone; its stated category is kept as words, no grade is."""
    assert set(_decided(Assertion.PRIMARY_INVASIVE).findings) == {"T", "N", "M", "grade", "ER", "PR", "HER2"}
    recurrence = _decided(Assertion.RECURRENCE).findings
    assert set(recurrence) == {"T", "ER", "PR", "HER2"}
    assert (recurrence["T"].source, recurrence["T"].detail) == ("rules", "pT2")
    assert set(_decided(Assertion.BREAST_METASTASIS_ELSEWHERE).findings) == {"ER", "PR", "HER2"}


@pytest.mark.parametrize(
    ("laterality", "side", "expected"),
    [("left", "right", Status.REVIEW), ("left", "left", Status.CODED), (None, "right", Status.CODED)],
)
def test_a_contradicting_side_puts_the_whole_primary_in_review(
    laterality: Side | None, side: Side, expected: Status
) -> None:
    """Where the resource names the other side, nothing of the primary is coded and nothing is asserted."""
    primary = Primary(
        key="breast",
        organ="breast",
        laterality=laterality,
        assertion=Assertion.PRIMARY_INVASIVE,
        findings={"T": Finding(value="T2", status=Status.CODED)},
    )
    doubted = doubt_side(primary, side)
    assert doubted.findings["T"].status is expected
    assert (doubted.assertion is Assertion.UNCERTAIN) == (expected is Status.REVIEW)


def test_what_a_badly_read_page_says_is_for_a_person() -> None:
    """Findings with evidence on a page that OCR was not sure of go to review; those of other pages stay coded."""
    bad, good = (Evidence(quote="x", start=start, end=start + 1, page=page) for start, page in ((0, 1), (9, 2)))
    primary = Primary(
        key="breast",
        organ="breast",
        assertion=Assertion.PRIMARY_INVASIVE,
        assertion_evidence=(good,),
        findings={
            "T": Finding(value="T2", status=Status.CODED, evidence=(bad, good)),
            "N": Finding(value="N0", status=Status.CODED, evidence=(good,)),
            "M": Finding(status=Status.NOT_STATED),
        },
    )
    pages = (
        PageSpan(page=1, start=0, end=5, reader="ocr", confidence=0.6, doubtful=True),
        PageSpan(page=2, start=7, end=12, reader="ocr", confidence=0.95),
    )
    doubted = doubt_pages(primary, pages)
    assert [one.status for one in doubted.findings.values()] == [Status.REVIEW, Status.CODED, Status.NOT_STATED]
    assert doubted.findings["T"].reason == DOUBTFUL_PAGE
    assert doubted.assertion is Assertion.PRIMARY_INVASIVE
    asserted = doubt_pages(primary.model_copy(update={"assertion_evidence": (bad,)}), pages)
    assert asserted.assertion is Assertion.UNCERTAIN


@pytest.mark.parametrize(
    ("quotes", "reader", "status"),
    [
        (("Nottingham grade II",), "ocr", Status.REVIEW),
        (("grade Il", "GRADE II/III"), "ocr", Status.REVIEW),
        (("Stage: IIB",), "ocr", Status.REVIEW),
        (("grade I",), "ocr", Status.REVIEW),
        (("grade II",), "digital", Status.CODED),
        (("grade III",), "ocr", Status.CODED),
        (("grade II", "score 6/9"), "ocr", Status.CODED),
        (("grade II", "moderately differentiated"), "ocr", Status.CODED),
        (("grade | intermediate",), "ocr", Status.CODED),
        (("pNO(I+)",), "ocr", Status.CODED),
    ],
)
def test_a_roman_numeral_that_ocr_read_is_no_evidence_by_itself(
    quotes: tuple[str, ...], reader: str, status: Status
) -> None:
    """It reads some III as II: without digits or words elsewhere a person decides; of a smaller mass as well."""
    evidence = tuple(Evidence(quote=quote, start=0, end=len(quote), page=1) for quote in quotes)
    findings = {"grade": Finding(value="G2", status=Status.CODED, evidence=evidence)}
    focus = Focus(key="2", findings=findings)
    primary = Primary(
        key="breast", organ="breast", assertion=Assertion.PRIMARY_INVASIVE, findings=findings, foci=(focus,)
    )
    doubted = doubt_numerals(primary, (PageSpan(page=1, start=0, end=90, reader=reader, confidence=0.99),))
    for grade in (doubted.findings["grade"], doubted.foci[0].findings["grade"]):
        assert (grade.status, grade.reason) == (status, ROMAN_NUMERAL if status is Status.REVIEW else None)


def test_evidence_leads_back_to_the_source_and_its_page() -> None:
    """A span of the de-identified text is quoted from the source, with its page; one over a tag is no evidence."""
    text = "Seen by Dr. Oswin Marchbanks. Stage pT2."
    clean = deidentify(text, ())
    find = evidence_locator(text, clean, (PageSpan(page=3, start=0, end=len(text), reader="plain"),))
    start = clean.text.index("pT2")
    (evidence,) = find(((start, start + 3),))
    assert (evidence.quote, text[evidence.start : evidence.end], evidence.page) == ("pT2", "pT2", 3)
    tag = clean.text.index("[NAME]")
    assert find(((tag, tag + 6),)) == ()


DOUBLE = "Left breast, mastectomy: invasive ductal carcinoma, grade 2. Pathologic stage: pT2 pN1a"


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        (DocumentRule(most_disagreements=0), Status.REVIEW),
        (DocumentRule(most_disagreements=1), Status.CODED),
        (DocumentRule(least_certainty=0.9), Status.REVIEW),
        (DocumentRule(least_certainty=0.01), Status.CODED),
    ],
)
def test_a_report_that_is_doubtful_as_a_whole_is_withheld_as_a_whole(rule: DocumentRule, status: Status) -> None:
    """One task on which rules and classifier disagree sends even the agreed findings to review, if the rule says so."""
    pack = load_pack("breast")
    (reading,) = read_report(DOUBLE, pack)
    read = {"T": "T2", "N": "N2", "grade": "G2"}
    predictions = {
        task.key: Prediction(
            0.99 if task.key in read else 0.01,
            {name: 0.95 if name == read.get(task.key) else 0.01 for name in task.classes},
        )
        for task in pack.definition.tasks
    }
    tasks = {task.key: FITTED for task in pack.definition.tasks}
    ruled = Calibration(tasks=tasks, documents={pack.definition.policy: rule})
    findings = decide(reading, predictions, ruled, pack, locate).findings
    assert findings["N"].reason == DISAGREEMENT
    assert findings["T"].status is status
    assert (findings["T"].reason == DOUBTFUL_AS_A_WHOLE) is (status is Status.REVIEW)


def test_a_bent_confidence_is_what_the_threshold_is_held_against() -> None:
    """Isotonic calibration that found .98 to be right in .8 of cases keeps such a value out."""
    bent = FITTED.model_copy(update={"isotonic": ((0.5, 0.5), (0.98, 0.8))})
    assert verdict(SURE, FITTED, "agreement").sure
    assert not verdict(SURE, bent, "agreement").sure
