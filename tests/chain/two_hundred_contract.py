"""Two hundred reports: exactly the expected resources, and the same again changes nothing, whichever store and bus."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from generated import Case, case, message, text
from whole_chain import Resource, WholeChain

from gateway.stores.authorship import unversioned
from mappers.bundle import MappedReport, map_report
from model.engine import Engine
from schemas.findings import Status
from schemas.messages import TOPIC_BUNDLES, ReportFindings
from schemas.pack_loader import load_pack

REPORTS = 200
TASKS = ("T", "N", "grade", "ER", "PR", "HER2")
REVIEW_SHARE = 0.02

# Written by hand from the terminologies, not from the mapping: what a registry would look the codes up in.
T_CODES = {"pT1b": "1228962007", "pT1c": "1229846008", "pT2": "1229852009", "pT3": "1229859000"}
N_CODES = {"pN0": "1229947003", "pN1a": "1229954009", "pN2a": "1229959004"}
GRADE_CODES = {"1": "1155708003", "2": "1286893008", "3": "1155707008"}
RESULT_CODES = {"positive": "10828004", "negative": "260385009"}
SCORE_CODES = {"0": "LA6111-4", "1+": "441614007", "3+": "441521003"}
DISORDER_CODES = {"Invasive ductal carcinoma": "408643008", "Invasive lobular carcinoma": "278054005"}
MORPHOLOGY_CODES = {"Invasive ductal carcinoma": "8500/3", "Invasive lobular carcinoma": "8520/3"}
MARGINS_FREE = "2667000"
SIDE_CODES = {"left": "7771000", "right": "24028007"}
TASK_CODES = {
    "T": "384625004",
    "N": "371494008",
    "grade": "C18000",
    "ER": "16112-5",
    "PR": "16113-3",
    "HER2": "48676-1",
}
"""The code of each task's Observation."""


def expected_observations(one: Case) -> dict[str, Any]:
    """What each Observation of the case says, by its code: a value's code, a number, or millimetres."""
    return {
        TASK_CODES["T"]: T_CODES[one.t],
        TASK_CODES["N"]: N_CODES[one.n],
        TASK_CODES["grade"]: GRADE_CODES[one.grade],
        TASK_CODES["ER"]: RESULT_CODES[one.er[0]],
        TASK_CODES["PR"]: RESULT_CODES[one.pr[0]],
        TASK_CODES["HER2"]: RESULT_CODES[one.her2[0]],
        "85329-1": float(one.er[1].rstrip("%")),
        "85325-9": float(one.pr[1].rstrip("%")),
        "85319-2": SCORE_CODES[one.her2[1]],
        "21889-1": round(float(one.size.removesuffix(" cm")) * 10),
        "21894-1": one.examined,
        "21893-3": one.positive,
        "31206-6": MORPHOLOGY_CODES[one.histology],
        **({"44669-0": MARGINS_FREE} if one.layout == 0 else {}),
    }


def said(observation: dict[str, Any]) -> Any:
    """An Observation's value: the first code, the number, or the number of its component."""
    if "valueCodeableConcept" in observation:
        return observation["valueCodeableConcept"]["coding"][0]["code"]
    if "valueInteger" in observation:
        return observation["valueInteger"]
    holder = observation if "valueQuantity" in observation else observation["component"][0]
    return holder["valueQuantity"]["value"]


@dataclass(frozen=True)
class Run:
    """The chain after the reports went through, and what the pure path makes of each."""

    chain: WholeChain
    cases: tuple[Case, ...]
    findings: tuple[ReportFindings, ...]
    mapped: tuple[MappedReport, ...]
    store: dict[str, Resource]
    state: dict[str, Any]

    def in_review(self, index: int) -> set[str]:
        """The tasks of a case that a person has to look at."""
        (primary,) = self.findings[index].primaries
        return {task for task in TASKS if primary.findings[task].status is Status.REVIEW}


def worked_off(chain: WholeChain) -> Run:
    """Two hundred cases published and worked off; beside it, reader, extractor and mapping called by hand."""
    cases = tuple(case(number, chain.site) for number in range(REPORTS))
    chain.run(*map(message, cases))
    reports = [chain.intake.read(message(one)).report for one in cases]
    findings = chain.extractor.extract([report for report in reports if report])
    pack = load_pack("breast")
    mapped = [
        map_report(found, report.context, pack, chain.settings)
        for found, report in zip(findings, reports, strict=True)
        if report
    ]
    return Run(chain, cases, tuple(findings), tuple(mapped), chain.store, chain.state)


class TwoHundredReports:
    """Inherit, and give the fixture `run`: what `worked_off` makes of an empty chain."""

    def test_the_cases_differ(self, run: Run) -> None:
        """Every value of every task occurs in every layout, so that the tests below say something."""
        assert len({text(one) for one in run.cases}) > REPORTS * 0.9
        for task in TASKS:
            values = {one.expected[task] for one in run.cases}
            assert {(one.expected[task], one.layout) for one in run.cases} == {
                (value, layout) for value in values for layout in range(3)
            }

    def test_nothing_is_rejected_and_each_report_gives_one_bundle(self, run: Run) -> None:
        """Two hundred in, two hundred Bundles out, none twice."""
        assert run.chain.rejected == []
        identifiers = sorted(bundle["id"] for bundle in run.chain.bundles)
        assert identifiers == sorted(str(one.identifier) for one in run.mapped)
        assert len(set(identifiers)) == REPORTS

    def test_each_case_has_one_condition_of_its_type_and_side(self, run: Run) -> None:
        """The Condition carries the disorder, the morphology and the side that the case states, and is provisional."""
        store = [item for item in run.store.values() if item["resourceType"] == "Condition"]
        assert len(store) == REPORTS
        by_patient = {item["subject"]["reference"]: item for item in store}
        for one in run.cases:
            condition = by_patient[f"Patient/{one.patient}"]
            extensions = {item["url"].rpartition("/")[2]: item for item in condition["extension"]}
            morphology = extensions["mcode-histology-morphology-behavior"]["valueCodeableConcept"]["coding"]
            (site,) = condition["bodySite"]
            (side,) = [item["valueCodeableConcept"]["coding"][0]["code"] for item in site["extension"]]
            assert condition["code"]["coding"][0]["code"] == DISORDER_CODES[one.histology]
            assert morphology[0]["code"] == MORPHOLOGY_CODES[one.histology]
            assert side == SIDE_CODES[one.side]
            assert condition["verificationStatus"]["coding"][0]["code"] == "provisional"

    def test_each_observation_says_what_the_case_states(self, run: Run) -> None:
        """No wrong value, none invented, none twice; missing are exactly the tasks that a person has to look at."""
        by_patient = defaultdict(list)
        for item in run.store.values():
            if item["resourceType"] == "Observation":
                by_patient[item["subject"]["reference"]].append(item)
        for index, one in enumerate(run.cases):
            found = {item["code"]["coding"][0]["code"]: item for item in by_patient[f"Patient/{one.patient}"]}
            assert len(found) == len(by_patient[f"Patient/{one.patient}"])
            waiting = {TASK_CODES[task] for task in run.in_review(index)}
            expected = {code: value for code, value in expected_observations(one).items() if code not in waiting}
            assert {code: said(item) for code, item in found.items()} == expected, one
            assert {item["status"] for item in found.values()} == {"final"}

    def test_few_tasks_wait_for_a_person(self, run: Run, engine: Engine) -> None:
        """Of the tasks that the model may code at all, few are in review; no task is missed, and no guess is wrong."""
        statuses: dict[str, Counter[Status]] = defaultdict(Counter)
        for one, found in zip(run.cases, run.findings, strict=True):
            (primary,) = found.primaries
            assert {task: primary.findings[task].value for task in TASKS} == one.expected
            for task in TASKS:
                statuses[task][primary.findings[task].status] += 1
        assert all(set(found) <= {Status.CODED, Status.REVIEW} for found in statuses.values())
        codable = [task for task in TASKS if engine.calibration.task(task).agreement_threshold is not None]
        assert set(codable) >= {"T", "N", "grade", "ER", "PR"}
        waiting = sum(statuses[task][Status.REVIEW] for task in codable)
        assert waiting <= REVIEW_SHARE * REPORTS * len(codable), statuses

    def test_the_store_holds_exactly_what_the_pure_path_makes(self, run: Run) -> None:
        """The same ids and the same content as reader, extractor and mapping give by hand, and nothing else."""
        expected = {
            f"{item['resourceType']}/{item['id']}": item
            for mapped in run.mapped
            for item in (*mapped.resources, mapped.manifest)
        }
        assert set(run.store) == set(expected)
        for name, resource in run.store.items():
            if resource["resourceType"] != "Provenance":
                stored = unversioned(resource)
                kept = [item for item in stored.pop("extension") if not item["url"].endswith("/written-digest")]
                assert stored | ({"extension": kept} if kept else {}) == expected[name]

    def test_the_same_reports_again_change_nothing(self, run: Run) -> None:
        """Published once more, no resource changes, appears or goes; the Bundles are published again, byte for byte."""
        before = [record.value for record in run.chain.topic(TOPIC_BUNDLES)]
        run.chain.run(*map(message, run.cases))
        assert run.chain.state == run.state
        after = [record.value for record in run.chain.topic(TOPIC_BUNDLES)]
        assert Counter(after) == Counter([*before, *before])
