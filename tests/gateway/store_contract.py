"""What every resource store promises to emission; each store's tests run all of it (a class to inherit from)."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from gateway.stores.resource_store import REVIEW_TASK, Put, ResourceStore, Targets


def observation(identifier: str = "a", value: str = "G1", **more) -> dict:
    """A small resource."""
    return {"resourceType": "Observation", "id": identifier, "status": "final", "valueString": value, **more}


def provenance(identifier: str, *targets: str, **more) -> dict:
    """A Provenance of those targets."""
    return {
        "resourceType": "Provenance",
        "id": identifier,
        "target": [{"reference": target} for target in targets],
        "recorded": "2024-05-02T10:00:00Z",
        "agent": [{"who": {"display": "test"}}],
        **more,
    }


def task(identifier: str = "t", **more) -> dict:
    """A Task for a person."""
    plain = {"status": "requested", "intent": "proposal", "code": {"coding": [REVIEW_TASK]}}
    return {"resourceType": "Task", "id": identifier, **plain, **more}


def _run(work: Callable[[Any], None], arguments: Iterable[Any]) -> None:
    """Do the work in a thread for each argument."""
    threads = [threading.Thread(target=work, args=(argument,)) for argument in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class StoreContract:
    """Inherit, and give the fixture `store`."""

    @pytest.fixture
    def store(self) -> ResourceStore:
        """An empty store."""
        raise NotImplementedError

    def test_what_was_put_is_read(self, store):
        """A resource reads back with its content, and what was never put is absent."""
        assert store.transact([Put(observation(), None)])
        read = store.read(["Observation/a", "Observation/b"])
        assert set(read) == {"Observation/a"}
        assert read["Observation/a"].resource["valueString"] == "G1"

    def test_an_equal_resource_makes_no_version(self, store):
        """Putting the same again leaves the version as it is."""
        store.transact([Put(observation(), None)])
        first = store.read(["Observation/a"])["Observation/a"]
        assert store.transact([Put(observation(), first.version)])
        assert store.read(["Observation/a"])["Observation/a"].version == first.version

    def test_a_changed_resource_makes_one_version(self, store):
        """Putting another content counts one version up."""
        store.transact([Put(observation(), None)])
        first = store.read(["Observation/a"])["Observation/a"]
        assert store.transact([Put(observation(value="G2"), first.version)])
        second = store.read(["Observation/a"])["Observation/a"]
        assert second.version != first.version
        numbers = [int(item.resource["meta"]["versionId"]) for item in (first, second)]
        assert numbers[1] == numbers[0] + 1

    def test_nothing_is_written_where_one_version_is_gone(self, store):
        """A stale expectation refuses the whole transaction."""
        store.transact([Put(observation(), None)])
        stale = store.read(["Observation/a"])["Observation/a"].version
        store.transact([Put(observation(value="G2"), stale)])
        assert not store.transact([Put(observation("b"), None), Put(observation(value="G3"), stale)])
        read = store.read(["Observation/a", "Observation/b"])
        assert set(read) == {"Observation/a"}
        assert read["Observation/a"].resource["valueString"] == "G2"

    def test_nothing_is_written_over_what_was_thought_absent(self, store):
        """Expecting nothing there refuses where something is."""
        store.transact([Put(observation(), None)])
        assert not store.transact([Put(observation(value="G2"), None)])

    def test_nothing_is_written_where_the_expected_one_is_absent(self, store):
        """Expecting a version refuses where there is none."""
        assert not store.transact([Put(observation(), "1")])
        assert store.read(["Observation/a"]) == {}

    def test_of_creators_that_race_one_wins(self, store):
        """Of many that found nothing and create at once, each with content of its own, exactly one writes."""
        store.transact([Put(observation("a"), None)])
        start, won = threading.Barrier(6), []

        def create(number: int) -> None:
            start.wait()
            manifest = provenance("m", "Observation/a", reason=[{"text": str(number)}])
            if store.transact([Put(observation(f"of-{number}"), None), Put(manifest, None)]):
                won.append(number)

        _run(create, range(6))
        assert len(won) == 1
        standing = store.read(["Provenance/m", *(f"Observation/of-{number}" for number in range(6))])
        assert set(standing) == {"Provenance/m", f"Observation/of-{won[0]}"}
        assert standing["Provenance/m"].resource["reason"] == [{"text": str(won[0])}]

    def test_a_creator_that_comes_late_replaces_nothing(self, store):
        """Who found nothing there and writes only after another has written is refused, with all that it would write."""
        store.transact([Put(observation("a"), None)])
        ready, written, told = threading.Event(), threading.Event(), []

        def sleeper() -> None:
            assert store.read(["Observation/late", "Provenance/m"]) == {}
            ready.set()
            assert written.wait(30)
            told.append(store.transact([Put(observation("late"), None), Put(provenance("m", "Observation/a"), None)]))

        thread = threading.Thread(target=sleeper)
        thread.start()
        assert ready.wait(30)
        assert store.transact([Put(provenance("m", "Observation/a", reason=[{"text": "real"}]), None)])
        before = store.read(["Provenance/m"])["Provenance/m"].version
        written.set()
        thread.join()
        assert told == [False]
        standing = store.read(["Observation/late", "Provenance/m"])
        assert set(standing) == {"Provenance/m"}
        assert standing["Provenance/m"].resource["reason"] == [{"text": "real"}]
        assert standing["Provenance/m"].version == before

    def test_provenances_are_found_by_target(self, store):
        """Each Provenance that targets one of the references is found, as it is at present."""
        store.transact([Put(observation(name), None) for name in "abc"])
        store.transact([Put(provenance("one", "Observation/a"), None), Put(provenance("two", "Observation/b"), None)])
        assert [item["id"] for item in store.provenances_of(["Observation/a"])] == ["one"]
        version = store.read(["Provenance/one"])["Provenance/one"].version
        store.transact([Put(provenance("one", "Observation/c"), version)])
        assert store.provenances_of(["Observation/a"]) == ()
        assert {item["id"] for item in store.provenances_of(["Observation/b", "Observation/c"])} == {"one", "two"}
        assert store.provenances_of([]) == ()

    def test_one_of_many_writers_wins(self, store):
        """Of writers that read the same version, exactly one writes."""
        store.transact([Put(observation(), None)])
        version = store.read(["Observation/a"])["Observation/a"].version
        won = []

        def write(value: str) -> None:
            if store.transact([Put(observation(value=value), version)]):
                won.append(value)

        _run(write, [f"other {number}" for number in range(6)])
        assert len(won) == 1
        assert store.read(["Observation/a"])["Observation/a"].resource["valueString"] == won[0]

    def test_nothing_asked_is_nothing_answered(self, store):
        """Empty questions have empty answers, and writing nothing succeeds."""
        assert store.read([]) == {}
        assert store.look_up([]) == Targets()
        assert store.transact([])

    def test_a_task_comes_only_with_the_write_that_it_belongs_to(self, store):
        """A refused transaction leaves no Task; an accepted one does, and it is found until it is settled."""
        store.transact([Put(observation(), None)])
        assert not store.transact([Put(observation(value="G2"), None)], [Put(task(), None)])
        assert list(store.read(["Task/t"])) == []
        assert store.transact([Put(observation("b"), None)], [Put(task(), None)])
        waiting = store.read(["Task/t"])["Task/t"]
        assert store.transact([Put({**task(), "status": "completed"}, waiting.version)])
        assert store.read(["Task/t"])["Task/t"].resource["status"] == "completed"

    def test_nothing_printed_shows_a_resource(self, store):
        """What may land in a log line holds no resource."""
        store.transact([Put(observation(value="PHI"), None)])
        stored = store.read(["Observation/a"])["Observation/a"]
        assert "PHI" not in repr((stored, Put(stored.resource, None)))
