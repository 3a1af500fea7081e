"""What a mapping asks for that nothing in the pack ever says: a mistyped finding, value, or key of a table."""

from pathlib import Path

import pytest
from overlay_made import write_overlay, write_pack

from schemas.mapping_vocabulary import Vocabulary, read_vocabulary
from schemas.overlay_loader import load_site, read_overlay
from schemas.pack_loader import PACKS_FOLDER

WORDS = Vocabulary(
    {"ER": ("positive", "negative"), "PR": ("positive", "negative"), "HER2_ihc": ()},
    {"histology": ("IDC", "ILC"), "procedure": ("core", "excision")},
)
RULE = "rules:\n  - {{slot: Z, finding: {finding}, when: {{{when}}}, template: marker}}\n"


def faults_of(tmp_path: Path, overlay: str) -> list[str]:
    """The faults of an overlay over the small mapping, of a pack with these words."""
    laid, faults = read_overlay(write_overlay(tmp_path, overlay))
    assert faults == []
    return [str(fault) for fault in load_site(write_pack(tmp_path), laid=laid, vocabulary=WORDS)[1]]


@pytest.mark.parametrize(
    ("overlay", "fault"),
    [
        (RULE.format(finding="EER", when=""), "7: rules.0.finding: nothing in the pack finds 'EER'; did you mean 'ER'?"),
        (RULE.format(finding="ER", when="value: postive"), "7: rules.0.when.value: is never 'postive'; did you mean 'positive'?"),
        (RULE.format(finding="ER", when="histology: IDD"), "7: rules.0.when.histology: is never 'IDD'; did you mean 'IDC'?"),
        (RULE.format(finding="ER", when="found.HER2_icc: any"), "7: rules.0.when.found.HER2_icc: nothing in the pack finds 'HER2_icc'; did"),
        (RULE.format(finding="ER", when="found.PR: postive"), "7: rules.0.when.found.PR: is never 'postive'; did you mean"),
        ("templates:\n  marker: {valueString: $found.PRR}\n", "7: templates.marker.valueString: nothing in the pack finds 'PRR'"),
        ("templates:\n  marker: {valueString: {$when: {found.PR: no}, then: a}}\n", "is never 'no'; expected one of: positive, negative"),
        ("readings: [{findings: [EER], pattern: a}]\n", "6: readings.0.findings: nothing in the pack finds 'EER'"),
        ("assumptions: [{why: w, findings: [ER], set: {state: revew}}]\n", "6: assumptions.0.set.state: no state 'revew'; did you mean 'review'?"),
        ("cases:\n  - {name: a, findings: {ER: {value: negativ}}, expect: {}}\n", "7: cases.0.findings.ER.value: is never 'negativ'; did you"),
        ("tables: {result: {coded/positive: sct|10828004}}\n", "tables.result.coded/positive: is never looked up: expected value, with"),
        (RULE.format(finding="ER", when="year: 20a0.."), "7: rules.0.when.year: expected a range of numbers such as 1..9, found '20a0..'"),
        (RULE.format(finding="ER", when="gender: femal"), "7: rules.0.when.gender: no gender 'femal'; did you mean 'female'?"),
        ("systems: {lab: laboratory}\n", "6: systems.lab: expected the URI of a code system, found 'laboratory'"),
        ("codes: {ER: 16112-5}\n", "6: codes.ER: expected system|code|display, found '16112-5'"),
        ("systems: {lab: 'urn:x'}\ncodes: {ER: la|5}\n", "7: codes.ER: unknown system 'la' in 'la|5'; did you mean 'lab'?"),
        ("systems: {icd: http://hl7.org/fhir/sid/icd-10-cm}\ncodes: {ER: icd|XYZ}\n", "7: codes.ER: XYZ has not the form of a code of icd"),
        (RULE.format(finding="ER", when="").replace("template", "where: statuss = 'final', template"),
         "7: rules.0.where: the report has no element 'statuss' here; did you mean 'status'?"),
        (RULE.format(finding="ER", when="").replace("template", "where: '%value', template"), "7: rules.0.where: expected true or false"),
        (RULE.format(finding="ER", when="").replace("template", "where: '%value > 5', template"), "since variables are texts"),
    ],
)  # fmt: skip
def test_what_never_happens_is_a_fault(tmp_path: Path, overlay: str, fault: str) -> None:
    """With its line and the nearest word that the pack has."""
    faults = faults_of(tmp_path, overlay)
    assert [line for line in faults if line.startswith("x/overlay.yaml:") and fault in line], faults


def test_what_may_happen_is_none(tmp_path: Path) -> None:
    """Absent, present, ranges, an attribute of another finding, an open finding's values, and a path over the report."""
    conditions = "histology: [IDC, none], found.HER2_ihc: 5+, found.PR.upper: 1..9, state.PR: coded, procedure: any"
    rule = RULE.format(finding="ER", when=conditions)
    path = "'%probability > 0.5 and code.coding.where(code = %value).exists() and %value.toInteger() > 1'"
    assert faults_of(tmp_path, rule.replace("template", f"where: {path}, template")) == []


def test_the_shipped_pack_asks_for_its_own_words_alone() -> None:
    """Every finding, value and key of the breast pack's mapping, with either codes."""
    folder = PACKS_FOLDER / "breast"
    words = read_vocabulary(folder)
    assert words is not None
    assert words.findings["T"][0] == "T0"
    assert [load_site(folder, codes, vocabulary=words)[1] for codes in ("snomed", "ajcc")] == [[], []]
