"""What later versions of a report do to its resources, from the message to the store, whichever store and bus."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from generated import Case, amended, case, message, text
from whole_chain import Resource, WholeChain

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


def without(one: Case, *starts: str) -> bytes:
    """The case's message without the lines that begin so."""
    lines = [line for line in text(one).splitlines() if not line.startswith(starts)]
    return message(one, "\n".join(lines))


class LifecycleContract:
    """Inherit, and give the fixtures `chain` and `new_chain`."""

    @pytest.fixture
    def first(self, chain: WholeChain) -> Case:
        """The report of which there are several versions."""
        return case(3, chain.site)

    def test_an_amended_report_replaces(self, chain: WholeChain, first: Case) -> None:
        """Changed values change under their ids, ids that the new text no longer yields are withdrawn, the rest stays."""
        chain.run(message(first))
        before = chain.store
        tasks = by_task(chain)
        assert set(tasks) >= CODED
        later = amended(first, t="pT3", size="6.1 cm")
        chain.run(without(later, "Progesterone"))
        after = by_task(chain)
        assert {task: item["id"] for task, item in after.items()} == {task: item["id"] for task, item in tasks.items()}
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

    def test_an_amended_side_withdraws_the_condition_of_the_other(self, chain: WholeChain, first: Case) -> None:
        """A side that was wrong leaves nothing standing: the other side's Condition and Observations are withdrawn."""
        chain.run(message(first))
        before = {
            name: item for name, item in chain.store.items() if item["resourceType"] in ("Condition", "Observation")
        }
        other = "left" if first.side == "right" else "right"
        chain.run(message(amended(first, side=other)))
        assert all(is_withdrawn(chain.store[name]) for name in before)
        standing = [
            item for item in chain.store.values() if item["resourceType"] == "Condition" and not is_withdrawn(item)
        ]
        assert [
            item["bodySite"][0]["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] for item in standing
        ] == [{"left": "7771000", "right": "24028007"}[other]]

    def test_an_addendum_merges(self, chain: WholeChain, first: Case) -> None:
        """Pending receptors become results under the same ids; what the addendum does not mention stays as it is."""
        lines = [line for line in text(first).splitlines() if not line.startswith(("Estrogen", "Progesterone", "HER2"))]
        pending = "Estrogen receptor, progesterone receptor and HER2 studies are pending."
        chain.run(message(first, "\n".join([*lines, pending])))
        before = by_task(chain)
        assert {before[task]["status"] for task in ("ER", "PR", "HER2")} == {"registered"}
        assert not any(codes(before[task]) for task in ("ER", "PR", "HER2"))
        condition = only(chain, "Condition")
        addendum = amended(first, status="appended")
        body = (
            f"ADDENDUM:\n{first.side.capitalize()} breast, mastectomy, {first.histology.lower()}, block A3:\n"
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
    def test_a_withdrawal_takes_everything_back(self, chain: WholeChain, status: str, first: Case) -> None:
        """Condition, Observations and Specimens are marked as entered in error; the manifest stays as a tombstone."""
        chain.run(message(first))
        before = set(chain.store)
        withdrawal = json.loads(message(amended(first, status=status)))
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
        assert all(
            is_withdrawn(entry["resource"]) for entry in last["entry"] if "Observation" in entry["request"]["url"]
        )

    def test_a_withdrawal_before_its_report_leaves_a_tombstone(self, chain: WholeChain, first: Case) -> None:
        """A report that arrives after its own withdrawal is late: nothing of it is written."""
        chain.run(message(amended(first, status="entered-in-error")))
        before = chain.state
        chain.run(message(first))
        assert chain.state == before
        assert {item["resourceType"] for item in chain.store.values()} <= {"Provenance", "Device"}

    @pytest.mark.parametrize("status", ["amended", "entered-in-error", "appended"])
    def test_a_late_old_version_changes_nothing(self, chain: WholeChain, status: str, first: Case) -> None:
        """After a newer version, a withdrawal or an addendum, the first version again changes no file of the store."""
        chain.run(message(first))
        chain.run(message(amended(first, status=status, t="pT3")))
        before = chain.state
        chain.run(message(first))
        assert chain.state == before
        assert chain.rejected == []

    def test_versions_that_arrive_in_the_wrong_order_end_as_in_the_right_one(
        self, new_chain: Callable[..., WholeChain]
    ) -> None:
        """First and amended version, in either order, leave the same active Observations with the same values."""

        def active(name: str, turned: bool) -> dict[str, Any]:
            chain = new_chain(name)
            first = case(3, chain.site)
            versions = [message(first), without(amended(first, t="pT3", size="6.1 cm"), "Progesterone")]
            for one in reversed(versions) if turned else versions:
                chain.run(one)
            return {
                task: (codes(item), item["status"]) for task, item in by_task(chain).items() if not is_withdrawn(item)
            }

        right = active("right", False)
        assert set(right) - {"HER2"} == CODED - {"PR"}
        assert active("wrong", True) == right

    def test_a_persons_edit_stays(self, chain: WholeChain, first: Case) -> None:
        """What a person changed is not overwritten: the offer is kept as a conflict, all else is written."""
        chain.run(message(first))
        observation = by_task(chain)["T"]
        name = f"Observation/{observation['id']}"
        observation["valueCodeableConcept"]["coding"] = [{"system": "http://snomed.info/sct", "code": "1229846008"}]
        chain.edit(observation)
        edited = chain.store[name]
        assert codes(edited) == ("1229846008",)
        chain.run(message(amended(first, t="pT3", size="6.1 cm")))
        assert chain.store[name] == edited
        assert by_task(chain)["ER"]["status"] == "amended"
        ((reference, offered),) = chain.conflicts
        assert reference == name
        assert codes(offered) == ("1229859000",)
        chain.run(message(amended(first, t="pT3", size="6.1 cm")))
        assert len(chain.conflicts) == 1
        chain.run(message(amended(first, status="entered-in-error", issued="2026-03-01T10:00:00Z")))
        assert chain.store[name] == edited
