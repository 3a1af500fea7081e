"""Looking up what the EHR owns on a real server: literal references, identifiers, other servers, and the memory."""

from collections.abc import Iterator

import pytest
from fhir_made import Person, settings_on, unique
from servers.faulty_proxy import FaultyProxy

from gateway.fhir import targets
from gateway.fhir.client import FhirClient
from gateway.fhir.targets import REMEMBERED_SECONDS, TargetFinder
from gateway.stores.resource_store import Targets
from schemas.errors import Code, SynopticError
from schemas.messages import Identifier, Reference

SYSTEM = "https://hospital.example/mrn"


class World:
    """A finder before a server, whose requests are counted and whose clock is ours."""

    def __init__(self, url: str) -> None:
        """Start the proxy that counts."""
        self.now = 1000.0
        self.person = Person(url)
        self.proxy = FaultyProxy(url)
        self.proxy.start()
        self.client = FhirClient(settings_on(self.proxy.base_url))
        self.finder = TargetFinder(self.client, lambda: self.now)

    def patient(self, *values: str, system: str | None = SYSTEM) -> str:
        """A Patient with these identifiers; its literal reference."""
        named = {"system": system} if system else {}
        identifiers = [{**named, "value": value} for value in values]
        return self.person.put({"resourceType": "Patient", "id": unique("patient"), "identifier": identifiers})

    def look_up(self, *references: Reference) -> Targets:
        """As the finder does."""
        return self.finder.look_up(references)

    def requests(self) -> int:
        """How many requests came so far."""
        return len(self.proxy.seen())

    def close(self) -> None:
        """Release all."""
        self.client.close()
        self.proxy.stop()
        self.person.close()


@pytest.fixture
def world(fhir_url) -> Iterator[World]:
    """A server with a finder."""
    world = World(fhir_url)
    yield world
    world.close()


def by(value: str, system: str | None = SYSTEM, literal: str | None = None) -> Reference:
    """A Patient by identifier."""
    return Reference(type="Patient", literal=literal, identifier=Identifier(system=system, value=value))


def test_literals_are_found_in_one_request(world):
    """What is there is referred to as it was; what is not there, or was deleted, is missing."""
    there, deleted = world.patient(), world.patient()
    world.person.delete(deleted)
    report = world.person.put({"resourceType": "DiagnosticReport", "id": unique(), "status": "final", "code": {}})
    asked = [
        Reference(type="Patient", literal=there),
        Reference(type="DiagnosticReport", literal=report),
        Reference(type="Patient", literal=f"Patient/{unique()}"),
        Reference(type="Patient", literal=deleted),
    ]
    targets = world.look_up(*asked)
    assert targets.found == {reference: reference for reference in asked[:2]}
    assert targets.missing == tuple(asked[2:])
    assert world.requests() == 1


def test_an_identifier_finds_its_one_resource(world):
    """The reference to use has the literal, and keeps the identifier."""
    value = unique("mrn")
    literal = world.patient(value, unique("other"))
    assert world.look_up(by(value)).found == {by(value): by(value, literal=literal)}


def test_an_identifier_of_none_or_several_is_missing(world):
    """Nobody chooses among several patients."""
    none, several = unique("none"), unique("several")
    world.patient(several)
    world.patient(several)
    assert world.look_up(by(none), by(several)) == Targets({}, (by(none), by(several)))


def test_an_identifier_of_another_system_is_another_patient(world):
    """A value matches in its own system; without a system, only where the resource's has none either."""
    value = unique("mrn")
    world.patient(value)
    assert world.look_up(by(value, None), by(value, "https://other.example")).found == {}
    without = world.patient(value, system=None)
    assert world.look_up(by(value, None)).found == {by(value, None): by(value, None, without)}


@pytest.mark.parametrize("mark", ["|", ",", "$", "\\", "&identifier=", "%7C", " ", "+", "é"])
def test_an_identifier_is_never_read_as_a_search(world, mark):
    """What has a meaning in a search is escaped: it finds the patient who has it, and nobody else."""
    value = f"{unique()}{mark}{unique()}"
    world.patient(value.partition(mark)[0])
    literal = world.patient(value)
    assert world.look_up(by(value)).found == {by(value): by(value, literal=literal)}


def test_a_literal_that_is_gone_falls_back_to_the_identifier(world):
    """A re-load gives a patient another id: the identifier finds it; a literal that is there decides alone."""
    value = unique("mrn")
    present, other = world.patient(value), world.patient()
    gone = by(value, literal=f"Patient/{unique()}")
    assert world.look_up(gone).found == {gone: by(value, literal=present)}
    literal_first = by(value, literal=other)
    assert world.look_up(literal_first).found == {literal_first: literal_first}


def test_a_url_of_this_server_is_made_relative(world):
    """The server would take its own whole URL for another server's resource, and not find by it."""
    literal = world.patient()
    asked = Reference(type="Patient", literal=f"{world.proxy.base_url}/{literal}")
    gone = Reference(type="Patient", literal=f"{world.proxy.base_url}/Patient/{unique()}")
    assert world.look_up(asked, gone) == Targets({asked: Reference(type="Patient", literal=literal)}, (gone,))


def test_a_url_of_another_server_is_used_as_it_is(world):
    """It is not this server's to hold, unless the identifier is."""
    value, elsewhere = unique("mrn"), f"https://other.example/fhir/Patient/{unique()}"
    literal = world.patient(value)
    plain, known = Reference(type="Patient", literal=elsewhere), by(value, literal=elsewhere)
    assert world.look_up(plain, known).found == {plain: plain, known: by(value, literal=literal)}


@pytest.mark.parametrize("literal", ["Patient/a?x=1", "Patient/../metadata", "urn:uuid:1", "Patient", "#a"])
def test_what_is_no_reference_is_not_asked_for(world, literal):
    """No part of a reference becomes a part of a search."""
    asked = Reference(type="Patient", literal=literal)
    assert world.look_up(asked).missing == (asked,)
    assert world.requests() == 0


def test_a_type_that_is_none_is_not_asked_for(world):
    """A type becomes a part of a URL only if it is one."""
    asked = Reference(type="Patient/_search?x=", identifier=Identifier(value="1"))
    assert world.look_up(asked).missing == (asked,)
    assert world.requests() == 0


def test_what_was_found_is_remembered_for_a_while(world):
    """The second look-up asks nothing; after a minute, or after something was gone, it asks again."""
    asked = Reference(type="Patient", literal=world.patient())
    for _ in range(2):
        assert world.look_up(asked).missing == ()
    assert world.requests() == 1
    world.now += REMEMBERED_SECONDS
    world.look_up(asked)
    assert world.requests() == 2
    world.finder.forget()
    world.person.delete(asked.literal)
    assert world.look_up(asked).missing == (asked,)


def test_what_was_missing_is_asked_for_again(world):
    """A Patient that appears is found at the next look-up."""
    asked = Reference(type="Patient", literal=f"Patient/{unique()}")
    assert world.look_up(asked).missing == (asked,)
    world.person.put({"resourceType": "Patient", "id": asked.literal.partition("/")[2]})
    assert world.look_up(asked).missing == ()


def test_the_memory_is_bounded(world, monkeypatch):
    """Past its size the oldest is forgotten."""
    monkeypatch.setattr(targets, "REMEMBERED", 2)
    first, *others = [Reference(type="Patient", literal=world.patient()) for _ in range(3)]
    world.look_up(first)
    world.look_up(*others)
    before = world.requests()
    world.look_up(*others)
    assert world.requests() == before
    world.look_up(first)
    assert world.requests() == before + 1


def test_a_search_that_the_server_does_not_know_is_no_absence(world):
    """An unknown type of resource rejects; it does not wait as if the resource might still come."""
    with pytest.raises(SynopticError) as caught:
        world.look_up(Reference(type="Nonsense", identifier=Identifier(value="SECRET")))
    assert caught.value.code is Code.STORE_REJECTS
    assert "SECRET" not in str(caught.value)
