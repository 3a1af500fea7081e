"""Review over a folder store: what waits, what a decision writes, and what outlives the next version, model or mapping."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from findings_made import finding, message
from hypothesis import given, settings
from hypothesis import strategies as st
from review_made import ER, G1, REPORT, T1, T2, T3, Site, T, doubted, plain

from schemas.errors import Code, SynopticError
from schemas.findings import Assertion, Certainty, Focus, Status
from schemas.messages import ReportFindings


@pytest.fixture
def site(tmp_path) -> Site:
    """An empty store."""
    return Site(tmp_path / "fhir")


def test_what_is_in_review_waits_and_is_withheld(site):
    """No Observation states it; a Task of the store says that it waits, and shows no value to whom it is not sealed for."""
    site.emit(**{**REPORT, "T": "T2?"})
    assert site.waiting == [("finding", "T")]
    assert site.observation(T) is None
    (task,) = site.resources("Task").values()
    assert (task["status"], task["reasonCode"]["text"]) == ("requested", "not sure enough")
    assert "T2" not in json.dumps({**task, "input": [one["type"] for one in task["input"]]})
    item = site.item("T").item
    assert (item.value, item.primary) == ("T2", "breast-left")


def test_an_accepted_value_is_written_and_verified(site):
    """The value stands on the EHR with the reviewer's Provenance, and waits no longer; the same decision again is nothing."""
    site.emit(**{**REPORT, "T": "T2?"})
    decision = site.decision("T", "accept")
    assert site.send(decision).error is None
    assert site.value(T) == T2
    observation = site.observation(T)
    assert [label["code"] for label in observation["meta"]["security"]] == ["AIAST", "CLINAST"]
    (verification,) = site.verifications
    assert verification["target"] == [{"reference": f"Observation/{observation['id']}"}]
    assert verification["agent"][0]["who"]["reference"] == "Practitioner/ruth"
    assert verification["agent"][0]["onBehalfOf"] == {"reference": "Organization/synoptic"}
    assert site.waiting == []
    before = site.snapshot()
    first = site.send(decision)
    assert (first.error, site.snapshot()) == (None, before)


def test_a_decision_is_published_as_what_it_changes(site):
    """Subscribers get the value, its verification and the manifest in a Bundle of its own."""
    site.emit(**{**REPORT, "T": "T2?"})
    bundle = json.loads(site.decide("T", "accept").outgoing[0].value)
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert kinds.count("Observation") >= 1
    assert kinds[-1] == "Provenance"
    assert not any(kind == "Task" for kind in kinds)
    assert "review-task" not in json.dumps(bundle)


def test_a_corrected_value_is_the_persons_alone(site):
    """It is coded as the mapping codes it, and claims no evidence, probability or machine."""
    site.emit(**{**REPORT, "T": "T2?"})
    site.decide("T", "correct", "pT3")
    observation = site.observation(T)
    assert site.value(T) == T3
    assert observation["valueCodeableConcept"]["text"] == "pT3"
    assert [label["code"] for label in observation["meta"]["security"]] == ["CLINAST"]
    assert [item["url"].rpartition("/")[2] for item in observation["extension"]] == ["written-digest"]


def test_a_dismissed_value_is_never_written(site):
    """Nothing is written or published, and the same report under another model asks no more."""
    site.emit(**{**REPORT, "T": "T2?"})
    assert site.decide("T", "dismiss").outgoing == ()
    site.emit(adapter="b", **{**REPORT, "T": "T2?"})
    assert (site.observation(T), site.waiting) == (None, [])


@pytest.mark.parametrize("verdict", [("accept",), ("correct", "pT3")])
@pytest.mark.parametrize("later", ["T2?", "T1", "T2-"])
def test_a_decision_outlives_other_models(site, verdict, later):
    """The same report under another model, whatever that says, leaves the verified value, its version and no question."""
    site.emit(**{**REPORT, "T": "T2?"})
    site.decide("T", *verdict)
    before = site.observation(T)
    value = doubted(message(1, adapter="b", **plain({**REPORT, "T": later})), {**REPORT, "T": later})
    same_text = ReportFindings.model_validate_json(
        doubted(message(1, **plain({**REPORT, "T": "T2?"})), {**REPORT, "T": "T2?"})
    )
    changed = ReportFindings.model_validate_json(value).model_copy(update={"content_digest": same_text.content_digest})
    site.emit_findings(changed.model_dump_json().encode())
    assert site.observation(T) == before
    assert site.waiting == []


@pytest.mark.parametrize(
    ("later", "waiting"),
    [("T3?", [("finding", "T")]), ("T3", [("conflict", "T")]), ("T2", [])],
    ids=["in review again", "another value", "the same value"],
)
def test_a_later_version_asks_anew_and_overwrites_nothing(site, later, waiting):
    """What the person verified stands until a person decides; a version that says the same asks nothing."""
    site.emit(**{**REPORT, "T": "T2?"})
    site.decide("T", "accept")
    before = site.observation(T)
    site.emit(2, **{**REPORT, "T": later})
    assert site.observation(T) == before
    assert site.waiting == waiting
    if waiting:
        site.decide("T", "accept")
        assert site.value(T) == T3
        assert len(site.verifications) == 2
        assert site.waiting == []


def test_a_replay_after_a_decision_changes_no_file(site):
    """The report again, in the same version, is mapped with the decision and found written."""
    site.emit(**{**REPORT, "T": "T2?"})
    site.decide("T", "accept")
    before = site.snapshot()
    site.emit(**{**REPORT, "T": "T2?"})
    assert site.snapshot() == before


def test_a_question_that_a_later_version_answers_waits_no_longer(site):
    """The amended report states it plainly: the Task is cancelled, and a decision on the old question is refused."""
    site.emit(**{**REPORT, "T": "T2?"})
    late = site.decision("T", "accept")
    site.emit(2, **{**REPORT, "T": "T3"})
    assert (site.value(T), site.waiting) == (T3, [])
    assert site.send(late).error.code is Code.NOT_IN_REVIEW
    assert site.value(T) == T3


def test_beneath_an_addendum_a_decision_adds_what_that_leaves_open(site):
    """The addendum stays the newest and keeps its values; the question of the report still waits, and can be decided."""
    site.emit(**{**REPORT, "T": "T2?"})
    site.emit(2, "merge", ER="negative")
    assert site.waiting == [("finding", "T")]
    before = site.observation(ER)
    site.decide("T", "accept")
    assert site.value(T) == T2
    assert site.observation(ER) == before


def test_an_addendum_that_answers_ends_the_question(site):
    """What was in review and is stated by the addendum waits no longer."""
    site.emit(**{**REPORT, "ER": "positive?"})
    site.emit(2, "merge", ER="negative")
    assert site.waiting == []
    assert site.value(ER) == "260385009"


def test_an_amendment_that_comes_late_ends_the_questions_it_replaces(site):
    """Beneath the newer addendum it takes the report's place: what the report asked waits no longer, its own questions do."""
    site.emit(**{**REPORT, "T": "T2?", "N": "N1?"})
    site.emit(3, "merge", ER="negative?")
    site.emit(2, **{**REPORT, "N": "N2?"})
    assert site.waiting == [("finding", "ER"), ("finding", "N")]
    assert site.item("N").item.value == "N2"
    assert site.value(T) == T1


def test_what_a_later_addendum_says_is_not_asked_beneath_it(site):
    """A report that comes after its addendum asks nothing that the addendum states or asks itself."""
    site.emit(2, "merge", ER="negative", T="T3?")
    site.emit(**{**REPORT, "ER": "positive?", "T": "T2?", "N": "N1?"})
    assert site.waiting == [("finding", "N"), ("finding", "T")]
    assert site.item("T").item.value == "T3"
    site.emit(adapter="b", **{**REPORT, "ER": "positive?", "T": "T2?", "N": "N1?"})
    assert site.waiting == [("finding", "N"), ("finding", "T")]


VERSIONS = st.lists(
    st.tuples(
        st.sampled_from(["replace", "merge", "merge", "withdraw"]),
        st.fixed_dictionaries(
            {}, optional={"T": st.sampled_from(["T1", "T2?"]), "ER": st.sampled_from(["positive", "negative?"])}
        ),
    ),
    min_size=2,
    max_size=3,
)


@settings(max_examples=15, deadline=None)
@given(VERSIONS, st.randoms(use_true_random=False))
def test_any_order_of_versions_leaves_the_same_values_and_questions(versions, random):
    """However versions arrive, and one of them twice: what stands and what waits is what they leave in their own order."""
    steps = list(enumerate(versions, start=1))
    arrivals = random.sample(steps, len(steps))
    assert _left_by([*arrivals, random.choice(arrivals)]) == _left_by(steps)


def _left_by(
    steps: list[tuple[int, tuple[str, dict[str, str]]]],
) -> tuple[list[str | None], list[tuple[str | None, str | None]]]:
    """The values in the store and what waits after these versions, by day and action."""
    with TemporaryDirectory() as folder:
        site = Site(Path(folder))
        for day, (action, values) in steps:
            if values and action != "withdraw":
                site.emit(day, action, **values)
            else:
                site.emit_findings(message(day, action))
        site.hop.close()
        values = [None if (value := site.value(code)) == "withdrawn" else value for code in (T, ER)]
        return values, sorted((one.item.finding, one.item.value) for one in site.desk.waiting())


def test_a_withdrawn_report_asks_nothing(site):
    """Its questions are cancelled; what a person verified is a conflict, which the person settles."""
    site.emit(**{**REPORT, "T": "T2?", "N": "N1?"})
    site.decide("T", "accept")
    site.emit_findings(message(3, "withdraw"))
    assert site.waiting == [("conflict", "")]
    assert site.value(T) == T2
    site.decide("conflict", "accept")
    assert site.value(T) == "withdrawn"
    targets = [one["target"] for one in site.verifications]
    assert targets == [[{"reference": f"Observation/{site.observation(T)['id']}"}]] * 2
    before = site.snapshot()
    site.emit_findings(message(3, "withdraw"))
    assert site.snapshot() == before


@pytest.mark.parametrize(
    ("verdict", "stands"), [(("accept",), T3), (("dismiss",), T2), (("correct", "pT1"), T1)], ids=lambda one: one[0]
)
def test_a_conflict_is_settled_for_good(site, verdict, stands):
    """The report's value, the person's own, or a third; verified, it raises no conflict again for this content."""
    site.emit(**REPORT)
    site.edit(T, T2)
    site.emit(2, **{**REPORT, "T": "T3"})
    assert site.waiting == [("conflict", "T")]
    site.decide("conflict", *verdict)
    assert (site.value(T), site.waiting) == (stands, [])
    (verification,) = site.verifications
    assert verification["target"] == [{"reference": f"Observation/{site.observation(T)['id']}"}]
    before = site.observation(T)
    site.emit(2, adapter="b", **{**REPORT, "T": "T3"})
    assert (site.observation(T), site.waiting) == (before, [])


def test_what_changed_since_the_person_looked_is_not_written_over(site):
    """Another edit came between `show` and the decision: it is refused, and the edit stays."""
    site.emit(**REPORT)
    site.edit(T, T2)
    site.emit(2, **{**REPORT, "T": "T3"})
    decision = site.decision("conflict", "accept")
    site.edit(T, T1)
    assert site.send(decision).error.code is Code.CHANGED_SINCE
    assert site.value(T) == T1


def test_two_reviewers_settle_once(site):
    """The second decision on the same question is refused where it is another one."""
    site.emit(**{**REPORT, "T": "T2?"})
    one, other = site.decision("T", "accept"), site.decision("T", "correct", "pT3")
    assert site.send(one).error is None
    assert site.send(other).error.code is Code.CHANGED_SINCE
    assert site.value(T) == T2


def test_the_same_decision_at_another_time_is_one(site):
    """Somebody presses twice before emission works: the first counts, the second is no error."""
    site.emit(**{**REPORT, "T": "T2?"})
    decision = site.decision("T", "accept")
    assert site.send(decision).error is None
    before = site.snapshot()
    settlement = decision.settlement.model_copy(update={"decided": "2024-06-01T08:00:09Z"})
    again = site.send(decision.model_copy(update={"settlement": settlement}))
    assert again.error is None
    assert site.snapshot() == before


def test_a_value_without_prefix_waits_and_needs_its_whole_form(site):
    """What the mapping's assumptions withhold waits as well: accepting it cannot tell p from c, correcting it does."""
    site.emit(**{**REPORT, "T": "T2-"})
    assert site.waiting == [("finding", "T")]
    with pytest.raises(SynopticError) as caught:
        site.decision("T", "accept")
    assert caught.value.code is Code.NOTHING_TO_WRITE
    site.decide("T", "correct", "pT2")
    assert site.value(T) == T2


def test_a_value_that_is_none_is_told_with_those_that_are(site):
    """A wrong value is refused before anything is sent."""
    site.emit(**{**REPORT, "grade": "G2?"})
    with pytest.raises(SynopticError) as caught:
        site.decision("grade", "correct", "G7")
    assert caught.value.code is Code.NO_SUCH_VALUE
    assert caught.value.detail == "G1, G2, G3, GX"


@pytest.mark.parametrize(
    ("finding", "value", "expected"),
    [
        ("nodes_positive", "3.5", "a whole number"),
        ("nodes_positive", "99999999999", "a whole number"),
        ("nodes_positive", "few", "a number"),
        ("ER_percent", "250", "a percentage"),
    ],
)
def test_a_number_that_cannot_be_is_refused_before_it_is_sent(site, finding, value, expected):
    """No server would take half a node, and no tumour stains by more than all of its cells."""
    site.emit(**{**REPORT, finding: "2?"})
    with pytest.raises(SynopticError) as caught:
        site.decision(finding, "correct", value)
    assert (caught.value.code, caught.value.detail) == (Code.NO_SUCH_VALUE, expected)


def _suspected(assertion: Assertion, certainty: str) -> bytes:
    findings = ReportFindings.model_validate_json(message(1, **REPORT))
    primary = findings.primaries[0].model_copy(update={"assertion": assertion, "certainty": Certainty(certainty)})
    return findings.model_copy(update={"primaries": (primary,)}).model_dump_json().encode()


def test_a_suspected_cancer_is_confirmed_by_a_person(site):
    """Accepted, the Condition is confirmed and stands on the problem list; before, it is neither."""
    site.emit_findings(_suspected(Assertion.PRIMARY_INVASIVE, "provisional"))
    (condition,) = site.resources("Condition").values()
    assert condition["verificationStatus"]["coding"][0]["code"] == "provisional"
    site.decide("primary", "accept")
    (condition,) = site.resources("Condition").values()
    assert condition["verificationStatus"]["coding"][0]["code"] == "confirmed"
    categories = [item["coding"][0]["code"] for item in condition["category"]]
    assert categories == ["health-concern", "encounter-diagnosis", "problem-list-item"]


def test_an_uncertain_primary_is_written_whole_once_a_person_says_what_it_is(site):
    """Nothing of it was sent; with the person's word come Condition and Observations, or none if it is benign."""
    site.emit_findings(_suspected(Assertion.UNCERTAIN, "definite"))
    assert site.resources("Condition") == {}
    site.decide("primary", "correct", "primary_invasive")
    (condition,) = site.resources("Condition").values()
    assert condition["verificationStatus"]["coding"][0]["code"] == "confirmed"
    assert (site.value(T), site.waiting) == (T1, [])


def test_a_task_that_a_person_completes_elsewhere_is_settled(site):
    """Who works in the EHR's own list closes the question there; nothing reopens it for this content."""
    site.emit(**{**REPORT, "T": "T2?"})
    (path,) = (site.folder / "Task").glob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "status": "completed"}))
    site.emit(adapter="b", **{**REPORT, "T": "T2?"})
    assert site.waiting == []


def test_a_task_that_a_person_deletes_stays_deleted(site):
    """Nobody is asked again what they do not want to be asked."""
    site.emit(**{**REPORT, "T": "T2?"})
    (path,) = (site.folder / "Task").glob("*.json")
    path.unlink()
    site.emit(adapter="b", **{**REPORT, "T": "T2?"})
    assert not path.exists()


def of_two_masses(value: bytes) -> bytes:
    """The report with a second mass, whose grade is in review, and whose receptor alone is known."""
    findings = ReportFindings.model_validate_json(value)
    (primary,) = findings.primaries
    grade = finding("G1").model_copy(update={"status": Status.REVIEW, "reason": "not sure enough"})
    estrogen = finding("positive").model_copy(update={"status": Status.REVIEW, "attributes": {"focus": "2"}})
    focus = Focus(key="2", findings={"grade": grade, "ER": estrogen})
    changes = {"findings": {**primary.findings, "ER": estrogen}, "foci": (focus,)}
    return findings.model_copy(update={"primaries": (primary.model_copy(update=changes),)}).model_dump_json().encode()


def test_a_value_of_a_smaller_mass_waits_and_is_accepted(site):
    """Its grade is an item of that mass; accepted, it stands beside the grade of the largest, which nobody touches."""
    site.emit_findings(of_two_masses(message(**REPORT)))
    assert site.waiting == [("finding", "ER"), ("finding", "grade")]
    assert (site.item("grade").item.focus, site.item("grade").item.value) == ("2", "G1")
    site.decide("grade", "accept")
    grades = [one for one in site.resources("Observation").values() if one["code"]["coding"][0]["code"] == "C18000"]
    labels = {one["valueCodeableConcept"]["coding"][0]["code"]: len(one["meta"]["security"]) for one in grades}
    assert labels.pop(G1) == 2
    assert list(labels.values()) == [1]
    assert site.waiting == [("finding", "ER")]


def test_a_value_that_only_the_smaller_mass_has_is_asked_and_corrected_once(site):
    """The primary shows it as well, but it is one question and one resource, about the mass."""
    site.emit_findings(of_two_masses(message(**REPORT)))
    site.decide("ER", "correct", "negative")
    (estrogen,) = [one for one in site.resources("Observation").values() if one["code"]["coding"][0]["code"] == ER]
    assert [label["code"] for label in estrogen["meta"]["security"]] == ["CLINAST"]
    assert any(one["reference"].startswith("BodyStructure/") for one in estrogen["focus"])
