"""What is written of a report, given what the store holds: every row of the table, and any order of versions."""

from dataclasses import replace

import pytest
from emission_made import World, incoming
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.stores.authorship import STATED_AGAIN, unversioned
from gateway.stores.folder_store import FolderStore
from gateway.stores.ledger import order_of
from gateway.stores.reconciliation import (
    DELETED,
    EDITED,
    VERIFIED,
    Current,
    Incoming,
    Outcome,
    Plan,
    concerned,
    reconcile,
)
from gateway.stores.resource_store import reference_of
from mappers.identity import RECEIVED
from mappers.variables import MACHINE_LABEL, UNCERTAIN_LABEL
from schemas.messages import ReportVersion

T, G, C = "Observation/t", "Observation/g", "Condition/condition"
VERIFICATION = {
    "resourceType": "Provenance",
    "id": "person",
    "target": [{"reference": T}],
    "recorded": "2024-05-03T10:00:00Z",
    "agent": [{"type": {"coding": [{"code": "verifier"}]}, "who": {"display": "test"}}],
}

# steps: (action, day, names); outcome of the last one; states afterwards
CASES = {
    "the first version is written": ([("replace", 1, "t g")], "write", {T: "1", G: "1"}),
    "the same again is unchanged": ([("replace", 1, "t g")] * 2, "unchanged", {T: "1", G: "1"}),
    "a newer version replaces": ([("replace", 1, "t g"), ("replace", 2, "t g")], "write", {T: "2", G: "2"}),
    "a replacement withdraws what it no longer states": (
        [("replace", 1, "t g condition"), ("replace", 2, "t")],
        "write",
        {T: "2", G: "withdrawn", C: "withdrawn"},
    ),
    "a third version brings back what the second withdrew": (
        [("replace", 1, "t g"), ("replace", 2, "t"), ("replace", 3, "t g")],
        "write",
        {T: "3", G: "3"},
    ),
    "an older version is late": ([("replace", 2, "t"), ("replace", 1, "t g")], "late", {T: "2"}),
    "an addendum adds and supersedes": (
        [("replace", 1, "t g"), ("merge", 2, "g condition")],
        "write",
        {T: "1", G: "2", C: "2"},
    ),
    "an addendum without a value withdraws nothing": (
        [("replace", 1, "t g"), ("merge", 2, "")],
        "write",
        {T: "1", G: "1"},
    ),
    "a replacement after an addendum withdraws what both stated": (
        [("replace", 1, "t"), ("merge", 2, "g"), ("replace", 3, "condition")],
        "write",
        {T: "withdrawn", G: "withdrawn", C: "3"},
    ),
    "a report beneath its newer addendum adds what that leaves open": (
        [("merge", 2, "g"), ("replace", 1, "t g")],
        "write",
        {T: "1", G: "2"},
    ),
    "a second report beneath is late": (
        [("merge", 3, "g"), ("replace", 2, "t"), ("replace", 1, "condition")],
        "late",
        {T: "2", G: "3"},
    ),
    "an addendum older than another adds what that leaves open": (
        [("merge", 2, "g"), ("merge", 1, "t g")],
        "write",
        {T: "1", G: "2"},
    ),
    "an amendment beneath a newer addendum replaces what was before it": (
        [("replace", 1, "t condition"), ("merge", 3, "g"), ("replace", 2, "t g")],
        "write",
        {T: "2", G: "3", C: "withdrawn"},
    ),
    "an older addendum is late": ([("replace", 2, "t"), ("merge", 1, "g")], "late", {T: "2"}),
    "a withdrawal takes all back": (
        [("replace", 1, "t g"), ("merge", 2, "condition"), ("withdraw", 3, "")],
        "write",
        {T: "withdrawn", G: "withdrawn", C: "withdrawn"},
    ),
    "a withdrawal again is unchanged": (
        [("replace", 1, "t"), ("withdraw", 2, ""), ("withdraw", 2, "")],
        "unchanged",
        {T: "withdrawn"},
    ),
    "a withdrawal before its report leaves a tombstone": (
        [("withdraw", 2, ""), ("replace", 1, "t g")],
        "late",
        {},
    ),
    "an addendum does not revive what was withdrawn": (
        [("replace", 1, "t"), ("withdraw", 2, ""), ("merge", 3, "g")],
        "write",
        {T: "withdrawn", G: "3"},
    ),
    "a version after a withdrawal counts again": (
        [("replace", 1, "t"), ("withdraw", 2, ""), ("replace", 3, "t")],
        "write",
        {T: "3"},
    ),
    "a report that states nothing writes nothing but its manifest": ([("replace", 1, "")], "write", {}),
}


@pytest.mark.parametrize(("steps", "outcome", "states"), CASES.values(), ids=CASES.keys())
def test_lifecycle(steps, outcome, states):
    """Each row: after these versions arrive in this order, the last has that outcome and the store holds this."""
    world = World()
    plans = [world.emit(incoming(*step)) for step in steps]
    assert plans[-1].outcome == outcome
    assert world.states() == states
    assert world.conflicts == []


def test_nothing_is_written_twice():
    """The same version under the same configuration puts nothing, and would publish the same again."""
    world = World()
    for step in (incoming("replace", 1, "t g condition"), incoming("replace", 2, "t")):
        first = world.emit(step)
        written = world.written
        again = world.emit(step)
        assert world.written == written
        assert (again.offered, again.manifest) == (first.offered, first.manifest)


def test_a_newer_version_that_says_the_same_moves_only_the_manifest():
    """Equal resources are not put again; the manifest learns the version, so that one between the two is late."""
    world = World()
    world.emit(incoming(day=1, names="t", value="same", content="same"))
    plan = world.emit(incoming(day=3, names="t", value="same", content="same"))
    assert [put.resource["resourceType"] for put in plan.puts] == ["Provenance"]
    assert world.emit(incoming(day=2, names="t", value="other")).outcome is Outcome.LATE
    assert world.states() == {T: "same"}


def test_what_was_withdrawn_stays_published_as_such():
    """A subscriber that missed a version learns of its withdrawals from the next one."""
    world = World()
    for step in (("replace", 1, "t g"), ("replace", 2, "t"), ("replace", 3, "t")):
        plan = world.emit(incoming(*step))
    assert [(item["id"], item["status"]) for item in plan.offered] == [("t", "final"), ("g", "entered-in-error")]
    assert [put.resource["id"] for put in plan.puts if put.resource["resourceType"] == "Observation"] == ["t"]


def test_another_configuration_at_the_same_version_is_the_later_arrival():
    """A new model may rewrite the same version."""
    world = World()
    world.emit(incoming(day=1, names="t g", value="old", content="same"))
    world.emit(incoming(day=1, names="t", value="new", content="same", configuration="newer"))
    assert world.states() == {T: "new", G: "withdrawn"}


@pytest.mark.parametrize(
    ("first", "second", "stands"),
    [(7.0, 7.001, "second"), (7.001, 7.0, "first"), (7.0, 7.0, "second"), (None, 7.0, "second"), (7.0, None, "second")],
)
def test_of_two_contents_of_one_version_the_one_that_came_in_later_counts(first, second, stands):
    """By the instants at which they were received; where one of them is not known, by the order of their writes."""
    world = World()
    world.emit(incoming(names="t g", value="first", received=first))
    plan = world.emit(incoming(names="t", value="second", received=second))
    assert plan.outcome is (Outcome.WRITE if stands == "second" else Outcome.LATE)
    assert world.active() == ({T: "second"} if stands == "second" else {T: "first", G: "first"})


def test_when_a_report_came_in_is_kept_and_not_published():
    """The stored manifest alone holds the instant, and the same content later is the same Bundle and no write."""
    world, report = World(), incoming(names="t", received=7.0)
    first = world.emit(report)
    name = reference_of(report.manifest)
    assert {"url": RECEIVED, "valueString": "7.000"} in world.resources[name].resource["extension"]
    again = world.emit(replace(report, received=8.0))
    assert again.outcome is Outcome.UNCHANGED
    assert again.manifest == first.manifest
    assert RECEIVED not in str(first.manifest)


def test_a_report_with_an_addendum_is_brought_up_to_date_as_well():
    """Another configuration changes the report's values beneath the addendum, and what it drops is taken back; once."""
    world = World()
    report, addendum = {"names": "t g condition", "content": "one"}, {"names": "g", "content": "two"}
    replayed = {"names": "t g", "content": "one", "value": "new", "configuration": "other"}
    world.emit(incoming(day=1, **report))
    world.emit(incoming("merge", 2, **addendum))
    versions = [incoming(day=1, **replayed), incoming("merge", 2, **addendum, value="newer", configuration="other")]
    assert [world.emit(one).outcome for one in versions] == [Outcome.WRITE, Outcome.WRITE]
    assert world.states() == {T: "new", G: "newer", C: "withdrawn"}
    written = world.written
    assert [world.emit(one).outcome for one in versions] == [Outcome.LATE, Outcome.UNCHANGED]
    assert world.written == written


def test_what_a_manifest_keeps_of_its_versions_is_published_to_nobody():
    """The parts are for the store: subscribers see targets and the newest version."""
    world = World()
    world.emit(incoming(names="t"))
    plan = world.emit(incoming("merge", 2, "g"))
    assert "report-part" in str(plan.puts[-1].resource)
    assert "report-part" not in str(plan.manifest)


def test_another_report_of_the_patient_keeps_the_condition():
    """What a second report still states is not withdrawn with the first; when both are gone, it is."""
    world = World()
    world.emit(incoming(names="t condition", report="one"))
    world.emit(incoming(names="g condition", report="two"))
    assert world.emit(incoming("withdraw", 2, report="one")).conflicts == ()
    assert world.states() == {T: "withdrawn", G: "1", C: "1"}
    world.emit(incoming("withdraw", 2, report="two"))
    assert world.states() == {T: "withdrawn", G: "withdrawn", C: "withdrawn"}


@pytest.mark.parametrize("stating_first", [True, False])
def test_what_another_report_states_meanwhile_is_not_withdrawn(tmp_path, stating_first):
    """One report drops a Condition that another states unchanged for the first time: whoever writes later is refused."""
    store = FolderStore(tmp_path)

    def plan(report: Incoming) -> Plan:
        name = reference_of(report.manifest)
        manifest = store.read([name]).get(name)
        stored = store.read(concerned(manifest.resource if manifest else {}, report))
        return reconcile(report, Current(name, manifest, stored, store.provenances_of(list(stored))))

    stated = {"value": "same", "report": "one"}
    assert store.transact(plan(incoming(names="condition t", **stated)).puts)
    dropping, stating = incoming(day=2, names="t", **stated), incoming(names="condition g", value="same", report="two")
    plans = [plan(stating), plan(dropping)] if stating_first else [plan(dropping), plan(stating)]
    assert [store.transact(one.puts) for one in plans] == [True, False]
    again = plan(dropping if stating_first else stating)
    assert store.transact(again.puts)
    condition = store.read([C])[C].resource
    assert condition["verificationStatus"]["coding"][0]["code"] == "provisional"
    published = plan(stating)
    assert published.outcome is Outcome.UNCHANGED
    assert STATED_AGAIN not in str((*published.offered, *again.offered))


@pytest.mark.parametrize("step", [("replace", 2, "t g"), ("replace", 2, "g"), ("withdraw", 2, ""), ("merge", 2, "t")])
def test_a_persons_edit_stays(step):
    """What a person changed is neither overwritten nor withdrawn, and the report's other ids go on."""
    world = World()
    world.emit(incoming(names="t g"))
    world.person_edits(T, valueString="corrected")
    plan = world.emit(incoming(*step))
    assert [(item.reference, item.reason) for item in plan.conflicts] == [(T, EDITED)]
    assert world.states()[T] == "corrected"
    assert plan.outcome is Outcome.WRITE
    assert world.emit(incoming(*step)).outcome is Outcome.UNCHANGED


def test_a_person_who_agrees_is_no_conflict():
    """Where the stored resource says what is offered, nobody is disturbed."""
    world = World()
    world.emit(incoming(names="t"))
    world.person_edits(T, valueString="2")
    assert world.emit(incoming(day=2, names="t")).conflicts == ()


def test_what_somebody_else_wrote_stays():
    """A resource without Synoptic's mark is a person's, even under an id of ours."""
    world = World()
    world.put({"resourceType": "Observation", "id": "t", "status": "final", "valueString": "theirs"})
    plan = world.emit(incoming(names="t g"))
    assert [(item.reference, item.reason) for item in plan.conflicts] == [(T, EDITED)]
    assert world.states() == {T: "theirs", G: "1"}


def test_what_a_person_verified_stays():
    """A verification protects the value as it is, through new versions and a withdrawal."""
    world = World()
    world.emit(incoming(names="t g"))
    world.put(VERIFICATION)
    for step in (("replace", 2, "t g"), ("withdraw", 3, "")):
        plan = world.emit(incoming(*step))
        assert [(item.reference, item.reason) for item in plan.conflicts] == [(T, VERIFIED)]
    assert world.states() == {T: "1", G: "withdrawn"}


def test_words_that_a_person_added_are_kept():
    """A narrative beyond the elements stays beside the same value and is a conflict with another; a generated one is nobody's."""
    world = World()
    world.emit(incoming(names="t g", value="1"))
    for name, status in ((T, "additional"), (G, "generated")):
        world.put({**world.resources[name].resource, "text": {"status": status, "div": "<div>seen by me</div>"}})
    assert world.emit(incoming(day=2, names="t g", value="1")).conflicts == ()
    plan = world.emit(incoming(day=3, names="t g", value="3"))
    assert [(item.reference, item.reason) for item in plan.conflicts] == [(T, EDITED)]
    assert world.states() == {T: "1", G: "3"}
    assert "seen by me" in str(world.resources[T].resource)


def test_what_others_added_to_the_manifest_is_kept():
    """A verifier, an extension and words of a person's own stand on every later manifest, once; what they verified stays."""
    world, report = World(), incoming(names="t")
    world.emit(report)
    name = reference_of(report.manifest)
    added = {"url": "https://hospital.example/seen", "valueBoolean": True}
    standing = world.resources[name].resource
    world.put(
        {
            **standing,
            "text": {"status": "additional", "div": "<div>seen by me</div>"},
            "extension": [*standing["extension"], added],
            "agent": [*standing["agent"], *VERIFICATION["agent"]],
        }
    )
    for day in (2, 3):
        assert [item.reason for item in world.emit(incoming(day=day, names="t")).conflicts] == [VERIFIED]
    manifest = world.resources[name].resource
    assert (manifest["extension"].count(added), manifest["agent"][-1:]) == (1, VERIFICATION["agent"])
    assert manifest["text"]["status"] == "additional"
    assert world.states() == {T: "1"}


def test_a_manifest_that_is_not_ours_says_nothing():
    """A Provenance without our digests, under the manifest's id or over the report's ids, keeps nothing from us."""
    world, report = World(), incoming(names="t condition")
    theirs = {"resourceType": "Provenance", "target": [{"reference": C}], "agent": [{"who": {"display": "test"}}]}
    world.put({**theirs, "id": "theirs"})
    world.put({**theirs, "id": report.manifest["id"], "target": [{"reference": "DiagnosticReport/report"}]})
    assert world.emit(report).outcome is Outcome.WRITE
    assert world.emit(report).outcome is Outcome.UNCHANGED
    world.emit(incoming("withdraw", 2))
    assert world.states() == {T: "withdrawn", C: "withdrawn"}
    assert world.conflicts == []


def test_what_a_person_deleted_stays_deleted():
    """A resource that a person removed is not put back."""
    world = World()
    world.emit(incoming(names="t g"))
    del world.resources[T]
    plan = world.emit(incoming(day=2, names="t g"))
    assert [(item.reference, item.reason) for item in plan.conflicts] == [(T, DELETED)]
    assert world.states() == {G: "2"}


@pytest.mark.parametrize(
    ("steps", "conflicts", "targets"),
    [
        ([("replace", 2, "t g"), ("replace", 3, "t g")], 2, [G]),
        ([("replace", 2, "g"), ("replace", 3, "t g")], 1, [G]),
        ([("merge", 2, "g"), ("merge", 3, "condition")], 0, [C, G]),
        ([("withdraw", 2, ""), ("replace", 3, "t g")], 1, [G]),
    ],
)
def test_what_a_person_deleted_is_remembered_and_not_referred_to(steps, conflicts, targets):
    """No later manifest targets what is not there, which some servers reject, and none lets it be written anew."""
    world = World()
    world.emit(incoming(names="t g"))
    del world.resources[T]
    plan = [world.emit(incoming(*step)) for step in steps][-1]
    assert [target["reference"] for target in plan.manifest["target"]] == targets
    assert [(item.reference, item.reason) for item in world.conflicts] == [(T, DELETED)] * conflicts
    assert T not in world.resources
    assert world.emit(incoming(*steps[-1])).manifest == plan.manifest


def test_what_was_deleted_of_an_addendum_is_no_target_of_the_report_beneath():
    """What the addendum stated and a person deleted is neither written beneath it nor referred to."""
    world = World()
    world.emit(incoming("merge", 2, "t g"))
    del world.resources[T]
    plan = world.emit(incoming(day=1, names="t condition"))
    assert [target["reference"] for target in plan.manifest["target"]] == [G, C]
    assert T not in world.resources


@pytest.mark.parametrize(
    ("step", "state"), [(("replace", 3, "t"), "3"), (("replace", 3, ""), "withdrawn"), (("merge", 3, ""), "1")]
)
def test_what_a_person_brought_back_is_a_target_again(step, state):
    """A resource that was deleted and stands again, as Synoptic wrote it, is replaced, withdrawn or kept as ever."""
    world = World()
    world.emit(incoming(names="t"))
    deleted = world.resources.pop(T)
    world.emit(incoming(day=2, names="t"))
    world.resources[T] = deleted
    plan = world.emit(incoming(*step))
    assert plan.conflicts == ()
    assert world.states() == {T: state}
    assert [target["reference"] for target in plan.manifest["target"]] == [T]


def test_an_edit_of_meta_or_narrative_is_no_correction():
    """A server that adds tags or a narrative does not make a resource a person's."""
    world = World()
    world.emit(incoming(names="t"))
    world.person_edits(T, meta={"tag": [{"code": "x"}]}, text={"status": "generated", "div": "<div/>"})
    assert world.emit(incoming(day=2, names="t")).conflicts == ()
    assert world.states() == {T: "2"}


def test_labels_that_a_person_added_stay():
    """A newer version keeps security labels and tags, which servers merge anyway; Synoptic's own follow the version."""
    world, restricted, tag = World(), {"system": "urn:confidentiality", "code": "V"}, {"code": "vip"}
    world.emit(incoming(names="t"))
    manifest = reference_of(incoming().manifest)
    world.person_edits(T, meta={"security": [UNCERTAIN_LABEL, restricted], "tag": [tag]})
    world.person_edits(manifest, meta={"security": [MACHINE_LABEL, restricted]})
    plan = world.emit(incoming(day=2, names="t"))
    kept = {name: unversioned(world.resources[name].resource)["meta"] for name in (T, manifest)}
    assert kept[T] == {"security": [restricted], "tag": [tag]}
    assert kept[manifest]["security"] == [MACHINE_LABEL, restricted]
    again = world.emit(incoming(day=2, names="t"))
    assert (again.outcome, again.offered, again.manifest) == (Outcome.UNCHANGED, plan.offered, plan.manifest)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({"issued": "2024-05-01T10:00:00Z"}, {"issued": "2024-05-01T10:00:01Z"}),
        ({"issued": "2024-05-01T12:00:00+05:00"}, {"issued": "2024-05-01T08:00:00Z"}),
        ({"issued": "2024-05-01T10:00:00.5Z"}, {"issued": "2024-05-01T10:00:00.75Z"}),
        (
            {"issued": "2024-05-01T10:00:00Z", "last_updated": "2024-05-01T11:00:00Z", "version_id": "9"},
            {"issued": "2024-05-01T10:00:00Z", "last_updated": "2024-05-01T12:00:00Z", "version_id": "1"},
        ),
        ({"issued": "2024-05-01T10:00:00Z", "version_id": "9"}, {"issued": "2024-05-01T10:00:00Z", "version_id": "10"}),
        ({"last_updated": "2024-05-01T10:00:00Z"}, {"issued": "2024-05-02T10:00:00Z"}),
        ({"issued": "not a time"}, {"issued": "2024-05-02T10:00:00Z"}),
    ],
)
def test_order_of_versions(older, newer):
    """Issued decides, then lastUpdated, then versionId as a number."""
    assert order_of(ReportVersion(**older)) < order_of(ReportVersion(**newer))


VERSIONS = st.lists(
    st.tuples(
        st.sampled_from(["replace", "replace", "merge", "merge", "withdraw"]),
        st.sets(st.sampled_from(["t", "g", "condition"])),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=120, deadline=None)
@given(VERSIONS, st.randoms(use_true_random=False))
def test_any_order_of_versions_ends_as_the_right_one(versions, random):
    """However versions arrive, and however often, what is active is what they leave in their own order."""
    reports = [
        incoming(action, day, "" if action == "withdraw" else " ".join(sorted(names)))
        for day, (action, names) in enumerate(versions, start=1)
    ]
    arriving = [*reports, *random.sample(reports, k=random.randint(0, len(reports)))]
    random.shuffle(arriving)
    world, in_order = World(), World()
    for report in arriving:
        world.emit(report)
    for report in reports:
        in_order.emit(report)
    assert world.active() == in_order.active()
    assert world.conflicts == []


@settings(max_examples=60, deadline=None)
@given(VERSIONS, st.randoms(use_true_random=False))
def test_replaying_everything_changes_nothing(versions, random):
    """Once all versions are in, any further arrival of any of them writes nothing."""
    reports = [
        incoming(action, day, "" if action == "withdraw" else " ".join(sorted(names)))
        for day, (action, names) in enumerate(versions, start=1)
    ]
    world = World()
    for report in reports:
        world.emit(report)
    before = world.plain(), world.written
    random.shuffle(reports)
    for report in reports:
        world.emit(report)
    assert (world.plain(), world.written) == before
