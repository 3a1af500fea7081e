"""fhir.condition reference_existing: the EHR's own Condition where it is certainly the one, and the choice recorded."""

import json
from pathlib import Path

import pytest
from findings_made import emit, make_hop, message

from gateway.emission import EmissionHop
from gateway.review.items import LEFT_OPEN
from gateway.stores.folder_store import FolderStore
from mappers.provenance import read_manifest
from schemas.findings import Assertion
from schemas.messages import ReportFindings
from schemas.settings import FhirSettings, Settings

SETTINGS = Settings(_env_file=None, fhir=FhirSettings(condition="reference_existing"))
LEFT = {"coding": [{"system": "http://snomed.info/sct", "code": "80248007"}]}
RIGHT = {"coding": [{"system": "http://snomed.info/sct", "code": "73056007"}]}


def condition(identifier: str = "theirs", site: dict | None = LEFT, **more: object) -> dict:
    """A Condition of the EHR: breast cancer of the patient, on the left and active unless said otherwise."""
    plain = {
        "resourceType": "Condition",
        "id": identifier,
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "254837009"}]},
        "subject": {"reference": "Patient/1"},
        **({"bodySite": [site]} if site else {}),
    }
    return {**plain, **more}


class Site:
    """Emission over a folder that already holds some Conditions of the EHR."""

    def __init__(self, folder: Path, *theirs: dict) -> None:
        self.folder = folder
        (folder / "Condition").mkdir(parents=True)
        self.hold(*theirs)
        self.hop: EmissionHop = make_hop(FolderStore(folder), SETTINGS)

    def hold(self, *theirs: dict) -> None:
        """The EHR writes these."""
        for one in theirs:
            (self.folder / "Condition" / f"{one['id']}.json").write_text(json.dumps(one))

    def emit(self, day: int = 1, **values: str) -> dict:
        """A version of the report."""
        return emit(self.hop, message(day, **(values or {"T": "T2", "ER": "positive"})))

    @property
    def own(self) -> list[str]:
        """The Conditions that Synoptic wrote."""
        return [
            path.stem for path in (self.folder / "Condition").glob("*.json") if "written-digest" in path.read_text()
        ]

    @property
    def focus(self) -> set[str]:
        """The Conditions that the Observations focus on."""
        read = [json.loads(path.read_text()) for path in (self.folder / "Observation").glob("*.json")]
        return {item["reference"] for one in read for item in one.get("focus", []) if "Condition/" in item["reference"]}

    @property
    def questions(self) -> list[str]:
        """Why a person is asked."""
        tasks = [json.loads(path.read_text()) for path in (self.folder / "Task").glob("*.json")]
        return [task["reasonCode"]["text"] for task in tasks if task["status"] == "requested"]


def test_exactly_one_is_referred_to_and_none_is_written(tmp_path):
    """Observations focus on the EHR's Condition, and the manifest says so."""
    site = Site(tmp_path, condition(), condition("other side", RIGHT))
    bundle = site.emit()
    assert (site.own, site.focus, site.questions) == ([], {"Condition/theirs"}, [])
    assert read_manifest(bundle["entry"][-1]["resource"]).known_conditions == {"breast-left": "Condition/theirs"}


@pytest.mark.parametrize(
    "theirs",
    [
        condition(site=RIGHT),
        condition(clinicalStatus={"coding": [{"code": "resolved"}]}),
        condition(verificationStatus={"coding": [{"code": "entered-in-error"}]}),
        condition(code={"coding": [{"system": "http://snomed.info/sct", "code": "38341003"}]}),
        condition(subject={"reference": "Patient/2"}),
    ],
    ids=["other side", "resolved", "entered in error", "another disease", "another patient"],
)
def test_what_is_another_is_none(tmp_path, theirs):
    """Synoptic writes its own, and nobody is asked."""
    site = Site(tmp_path, theirs)
    site.emit()
    assert site.focus == {f"Condition/{site.own[0]}"}
    assert site.questions == []


@pytest.mark.parametrize(
    "theirs", [(condition(), condition("second")), (condition(site=None),)], ids=["two of the side", "no side"]
)
def test_where_it_is_not_certain_a_person_is_asked(tmp_path, theirs):
    """Synoptic writes its own, decides nothing about several primaries, and asks."""
    site = Site(tmp_path, *theirs)
    site.emit()
    assert len(site.own) == 1
    assert site.questions == ["the EHR holds several such Conditions, or one whose side it does not say"]


def test_a_side_in_the_code_counts(tmp_path):
    """ICD-10-CM says the side by itself: C50.912 is the left breast."""
    coded = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C50.912"}]}
    site = Site(tmp_path, condition(site=None, code=coded))
    site.emit()
    assert (site.own, site.focus) == ([], {"Condition/theirs"})


def test_a_replay_repeats_the_choice(tmp_path):
    """Though the EHR has another Condition by now, the same report writes nothing, and an amended one refers to the same."""
    site = Site(tmp_path, condition())
    first = site.emit()
    site.hold(condition("second"))
    assert site.emit() == first
    site.emit(2)
    assert (site.own, site.focus) == ([], {"Condition/theirs"})


def test_what_synoptic_has_written_it_goes_on_writing(tmp_path):
    """A Condition that the EHR gets later does not take the place of ours: a person is asked."""
    site = Site(tmp_path)
    site.emit()
    (own,) = site.own
    site.hold(condition())
    site.emit(2)
    assert (site.own, site.focus) == ([own], {f"Condition/{own}"})
    assert len(site.questions) == 1


def test_without_a_residual_tumour_the_known_condition_carries_the_category(tmp_path):
    """What stands after therapy belongs to a Condition that must be known: with it the category is sent, else it waits."""
    findings = ReportFindings.model_validate_json(message(1, T="T0"))
    primary = findings.primaries[0].model_copy(update={"assertion": Assertion.NO_RESIDUAL})
    value = findings.model_copy(update={"primaries": (primary,)}).model_dump_json().encode()
    known, unknown = Site(tmp_path / "known", condition()), Site(tmp_path / "unknown")
    for site in (known, unknown):
        emit(site.hop, value)
    assert (known.focus, known.own, known.questions) == ({"Condition/theirs"}, [], [])
    assert (unknown.focus, unknown.own) == (set(), [])
    assert unknown.questions == [LEFT_OPEN]
