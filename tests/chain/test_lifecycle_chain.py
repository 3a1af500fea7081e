"""What later versions of a report do to its resources, from the message to the store."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from generated import Case, amended, case, message, text
from whole_chain import Resource, WholeChain, digests_in

pytestmark = pytest.mark.model

FIRST = case(3)
OBSERVATIONS = {
    "384625004": "T",
    "371494008": "N",
    "C18000": "grade",
    "16112-5": "ER",
    "16113-3": "PR",
    "48676-1": "HER2",
}
CODED = {"T", "N", "grade", "ER", "PR"}
"""What the shipped model codes in these reports; whether it is sure of HER2 as well is not this file's matter."""


def codes(resource: Resource) -> tuple[str, ...]:
    """The codes of an Observation's value."""
    return tuple(coding["code"] for coding in resource.get("valueCodeableConcept", {}).get("coding", ()))


def by_task(chain: WholeChain) -> dict[str, Resource]:
    """The Observations of the seven tasks that the store holds, withdrawn ones included."""
    found = {}
    for resource in chain.store.values():
        if resource["resourceType"] == "Observation":
            task = OBSERVATIONS.get(resource["code"]["coding"][0]["code"])
            if task:
                assert task not in found
                found[task] = resource
    return found


def only(chain: WholeChain, kind: str) -> Resource:
    """The one resource of a type."""
    (resource,) = (item for item in chain.store.values() if item["resourceType"] == kind)
    return resource


def is_withdrawn(resource: Resource) -> bool:
    """True where the resource is marked as entered in error."""
    if resource["resourceType"] == "Condition":
        return bool(resource["verificationStatus"]["coding"][0]["code"] == "entered-in-error")
    return bool(resource["status"] == "entered-in-error")


def files(chain: WholeChain) -> dict[str, str]:
    """Every file of the store with its digest."""
    return digests_in(chain.settings.fhir.folder)


def without(one: Case, *starts: str) -> bytes:
    """The case's message without the lines that begin so."""
    lines = [line for line in text(one).splitlines() if not line.startswith(starts)]
    return message(one, "\n".join(lines))


def test_an_amended_report_replaces(chain: WholeChain) -> None:
    """Changed values change under their ids, ids that the new text no longer yields are withdrawn, the rest stays."""
    chain.run(message(FIRST))
    before = chain.store
    first = by_task(chain)
    assert set(first) >= CODED
    later = amended(FIRST, t="pT3", size="6.1 cm")
    chain.run(without(later, "Progesterone"))
    after = by_task(chain)
    assert {task: item["id"] for task, item in after.items()} == {task: item["id"] for task, item in first.items()}
    assert codes(after["T"]) == ("1229859000",)
    assert (after["T"]["status"], after["ER"]["status"]) == ("amended", "amended")
    withdrawn = {name for name, item in chain.store.items() if "status" in item and is_withdrawn(item)}
    assert withdrawn == {
        name
        for name, item in before.items()
        if item.get("code", {}).get("coding", [{}])[0].get("code") in ("16113-3", "85325-9")
    }
    assert len(withdrawn) == 2
    assert set(chain.store) == set(before)


def test_an_amended_side_withdraws_the_condition_of_the_other(chain: WholeChain) -> None:
    """A side that was wrong leaves nothing standing: the other side's Condition and Observations are withdrawn."""
    chain.run(message(FIRST))
    before = {name: item for name, item in chain.store.items() if item["resourceType"] in ("Condition", "Observation")}
    other = "left" if FIRST.side == "right" else "right"
    chain.run(message(amended(FIRST, side=other)))
    assert all(is_withdrawn(chain.store[name]) for name in before)
    standing = [item for item in chain.store.values() if item["resourceType"] == "Condition" and not is_withdrawn(item)]
    assert [item["bodySite"][0]["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] for item in standing] == [
        {"left": "7771000", "right": "24028007"}[other]
    ]


def test_an_addendum_merges(chain: WholeChain) -> None:
    """Pending receptors become results under the same ids; what the addendum does not mention stays as it is."""
    lines = [line for line in text(FIRST).splitlines() if not line.startswith(("Estrogen", "Progesterone", "HER2"))]
    pending = "Estrogen receptor, progesterone receptor and HER2 studies are pending."
    chain.run(message(FIRST, "\n".join([*lines, pending])))
    before = by_task(chain)
    assert {before[task]["status"] for task in ("ER", "PR", "HER2")} == {"registered"}
    assert not any(codes(before[task]) for task in ("ER", "PR", "HER2"))
    condition = only(chain, "Condition")
    addendum = amended(FIRST, status="appended")
    body = (
        f"ADDENDUM:\n{FIRST.side.capitalize()} breast, mastectomy, {FIRST.histology.lower()}, block A3:\n"
        "Estrogen receptor: Positive (95%)\nProgesterone receptor: Negative (0%)\nHER2 (IHC): Negative (1+)\n"
    )
    chain.run(message(addendum, body))
    after = by_task(chain)
    assert {task: item["id"] for task, item in after.items()} == {task: item["id"] for task, item in before.items()}
    assert [codes(after[task])[0] for task in ("ER", "PR")] == ["10828004", "260385009"]
    assert {after[task]["status"] for task in ("ER", "PR")} == {"amended"}
    for task in ("T", "N", "grade"):
        assert after[task] == before[task]
    assert only(chain, "Condition")["id"] == condition["id"]
    assert not any(is_withdrawn(item) for item in after.values())


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_a_withdrawal_takes_everything_back(chain: WholeChain, status: str) -> None:
    """Condition, Observations and Specimens are marked as entered in error; the manifest stays as a tombstone."""
    chain.run(message(FIRST))
    before = set(chain.store)
    withdrawal = json.loads(message(amended(FIRST, status=status)))
    del withdrawal["presentedForm"]
    chain.run(json.dumps(withdrawal).encode())
    assert set(chain.store) == before
    clinical = [
        item for item in chain.store.values() if item["resourceType"] in ("Condition", "Observation", "Specimen")
    ]
    assert len(clinical) > 10
    assert all(map(is_withdrawn, clinical))
    state = {item["url"].rpartition("/")[2]: item for item in only(chain, "Provenance")["extension"]}
    assert state["manifest-state"]["valueCode"] == "withdrawn"
    last = chain.bundles[-1]
    assert all(is_withdrawn(entry["resource"]) for entry in last["entry"] if "Observation" in entry["request"]["url"])


def test_a_withdrawal_before_its_report_leaves_a_tombstone(chain: WholeChain) -> None:
    """A report that arrives after its own withdrawal is late: nothing of it is written."""
    chain.run(message(amended(FIRST, status="entered-in-error")))
    before = files(chain)
    chain.run(message(FIRST))
    assert files(chain) == before
    assert {item["resourceType"] for item in chain.store.values()} <= {"Provenance", "Device"}


@pytest.mark.parametrize("status", ["amended", "entered-in-error", "appended"])
def test_a_late_old_version_changes_nothing(chain: WholeChain, status: str) -> None:
    """After a newer version, a withdrawal or an addendum, the first version again changes no file of the store."""
    chain.run(message(FIRST), message(amended(FIRST, status=status, t="pT3")))
    before = files(chain)
    chain.run(message(FIRST))
    assert files(chain) == before
    assert chain.rejected == []


def test_versions_that_arrive_in_the_wrong_order_end_as_in_the_right_one(new_chain: Callable[..., WholeChain]) -> None:
    """First and amended version, in either order, leave the same active resources with the same values."""
    versions = message(FIRST), without(amended(FIRST, t="pT3", size="6.1 cm"), "Progesterone")

    def active(name: str, *messages: bytes) -> dict[str, Any]:
        chain = new_chain(name)
        chain.run(*messages)
        return {
            task: (item["id"], codes(item), item["status"])
            for task, item in by_task(chain).items()
            if not is_withdrawn(item)
        }

    right = active("right", *versions)
    assert set(right) - {"HER2"} == CODED - {"PR"}
    assert active("wrong", *reversed(versions)) == right


def test_a_persons_edit_stays(chain: WholeChain) -> None:
    """What a person changed in the store is not overwritten: the offer is kept as a conflict, all else is written."""
    chain.run(message(FIRST))
    observation = by_task(chain)["T"]
    path = Path(chain.settings.fhir.folder) / "Observation" / f"{observation['id']}.json"
    observation["valueCodeableConcept"]["coding"] = [{"system": "http://snomed.info/sct", "code": "1229846008"}]
    path.write_text(json.dumps(observation, indent=2))
    edited = path.read_bytes()
    chain.run(message(amended(FIRST, t="pT3", size="6.1 cm")))
    assert path.read_bytes() == edited
    assert by_task(chain)["ER"]["status"] == "amended"
    (conflict,) = (chain.settings.fhir.folder / "conflicts").iterdir()
    kept = json.loads(conflict.read_bytes())
    assert kept["reference"] == f"Observation/{observation['id']}"
    assert codes(kept["offered"]) == ("1229859000",)
    chain.run(message(amended(FIRST, status="entered-in-error", issued="2026-03-01T10:00:00Z")))
    assert path.read_bytes() == edited
