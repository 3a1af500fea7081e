"""A registry's file: what it may say, and how each mistake in it is told."""

import re
from pathlib import Path

import pytest
import yaml
from registries_made import settings_in, subscribed

from gateway.registries.checks import check_registries, check_target
from gateway.registries.delivery import open_delivery
from gateway.registries.subscription import load_subscriptions, read_subscriptions
from schemas.errors import Code, SynopticError
from schemas.settings import BusSettings, FhirSettings, PrivacySettings, Settings

PAGE = Path(__file__).resolve().parents[3] / "docs" / "registries.md"


def write(folder: Path, name: str, text: str) -> Settings:
    """A registry's file, and settings that find it."""
    settings = settings_in(folder)
    settings.registry.folder.mkdir(exist_ok=True)
    (settings.registry.folder / name).write_text(text)
    return settings


def test_every_example_of_the_page_is_valid(tmp_path: Path) -> None:
    """docs/registries.md shows one of each delivery, and each loads as it stands there."""
    blocks = re.findall(r"```yaml\n# registries/(\w+\.yaml)[^\n]*\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 3
    for name, text in blocks:
        settings = write(tmp_path, name, text)
    kafka = {"bus": BusSettings(kind="kafka"), "fhir": FhirSettings(base_url="https://ehr.example/fhir")}
    found = load_subscriptions(settings.model_copy(update=kafka))
    kinds = [one.definition.deliver.model_dump(exclude_none=True) for one in found]
    assert sorted(kind for one in kinds for kind in one) == ["fhir", "folder", "kafka"]


def test_without_a_folder_there_are_no_registries(tmp_path: Path) -> None:
    """Most sites have none."""
    assert load_subscriptions(settings_in(tmp_path)) == []


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    """Each with file, line, key and what is expected."""
    write(tmp_path, "Bad-Name.yaml", "deliver: {folder: {path: x}}\n")
    write(tmp_path, "two.yaml", "deliver:\n  folder: {path: x}\n  kafka: {topic: y}\n")
    text = "criteria:\n  confidence: 2\n  codes: ['a b']\n  colour: red\n  fhirpath: 'a ='\nform: fax\ndeliver: {folder: {path: x}}\n"
    settings = write(tmp_path, "wrong.yaml", text)
    with pytest.raises(SynopticError) as caught:
        load_subscriptions(settings)
    line = caught.value.one_line()
    assert caught.value.code is Code.BAD_SUBSCRIPTION
    for told in (
        "Bad-Name.yaml:1: (file): name it by",
        "two.yaml:1: deliver: Value error, give one of fhir, kafka, folder",
        "wrong.yaml:2: criteria.confidence",
        "wrong.yaml:3: criteria.codes.0: Value error, give system|code",
        "wrong.yaml:4: criteria.colour",
        "wrong.yaml:5: criteria.fhirpath: Value error, is no FHIRPath",
        "wrong.yaml:6: form",
    ):
        assert told in line, told


@pytest.mark.parametrize(
    ("text", "key", "told"),
    [
        ("criteria: {fhirpath: 'a ='}\ndeliver: {folder: {path: x}}", "criteria.fhirpath", "is no FHIRPath"),
        (
            "criteria: {fhirpath: '%secret = 1'}\ndeliver: {folder: {path: x}}",
            "criteria.fhirpath",
            "no variable %secret",
        ),
        ("criteria: {packs: [colon]}\ndeliver: {folder: {path: x}}", "criteria.packs", "no pack colon is loaded"),
        (
            "criteria: {facilities: [laboratory]}\ndeliver: {folder: {path: x}}",
            "criteria.facilities.0",
            "give system|value",
        ),
        ("deliver: {folder: {path: ''}}", "deliver.folder.path", "give a folder of the registry's own"),
        ("composition: true\ndeliver: {folder: {path: x}}", "composition", "give form: collection or message"),
        ("deliver: {kafka: {topic: research}}", "deliver.kafka", "bus.kind kafka"),
        ("deliver: {kafka: {topic: 'a b'}}", "deliver.kafka.topic", "give 1 to 200 letters"),
        ("deliver: {kafka: {topic: synoptic.report-texts}}", "deliver.kafka.topic", "is a topic of Synoptic's own"),
        ("deliver: {fhir: {base_url: 'http://registry.example/fhir'}}", "deliver.fhir.base_url", "unencrypted"),
        ("deliver: {fhir: {base_url: 'https://registry.example/fhir?a=b'}}", "deliver.fhir", "no user or query"),
        (
            "deliver: {fhir: {base_url: 'https://r.example/fhir', bearer_token_file: t, smart: {client_id: c}}}",
            "deliver.fhir",
            "give both or neither; deliver.fhir.smart.client_id: gets its own tokens",
        ),
        ("title: none", "deliver", "Field required"),
        ("deliver: [", "(syntax)", ""),
    ],
)
def test_each_mistake_names_its_key(tmp_path: Path, text: str, key: str, told: str) -> None:
    """Nothing that could not work is loaded, and the others are still found."""
    settings = write(tmp_path, "wrong.yaml", text)
    write(tmp_path, "right.yaml", "deliver: {folder: {path: x}}")
    found, faults = read_subscriptions(settings)
    assert [one.name for one in found] == ["right"]
    assert [(fault.file, fault.key) for fault in faults] == [("wrong.yaml", key)]
    assert told in faults[0].message


def test_files_that_would_be_overlooked_or_overwrite_each_other_are_faults(tmp_path: Path) -> None:
    """One with the other suffix of YAML is not read, and two registries in one folder take each other's files."""
    write(tmp_path, "one.yaml", "deliver: {folder: {path: x}}")
    write(tmp_path, "two.yaml", "deliver: {folder: {path: ./x}}")
    found, faults = read_subscriptions(write(tmp_path, "three.yml", "deliver: {folder: {path: y}}"))
    assert [one.name for one in found] == ["one"]
    assert [fault.file for fault in faults] == ["three.yml", "two.yaml"]


@pytest.mark.parametrize(
    ("fhir", "told"),
    [
        ({"ca_file": "absent.pem"}, "state.yaml: deliver.fhir.ca_file: no readable file"),
        ({"bearer_token_file": "absent"}, "state.yaml: deliver.fhir.bearer_token_file: it cannot be read"),
        ({"smart": {"client_id": "c", "key_file": "absent"}}, "state.yaml: deliver.fhir.smart.key_file: No such file"),
    ],
)
def test_what_a_file_names_and_is_not_there_is_a_fault_of_that_file(fhir: dict, told: str) -> None:
    """By `synoptic registry check`, and where the deliveries would begin."""
    subscription = subscribed(deliver={"fhir": {"base_url": "https://registry.example/fhir", **fhir}})
    (outcome,) = check_target(subscription)
    with pytest.raises(SynopticError) as caught:
        open_delivery(subscription)
    assert caught.value.code is Code.BAD_SUBSCRIPTION
    assert told in outcome.found
    assert told in caught.value.one_line()


def test_a_closed_network_may_go_without_tls(tmp_path: Path) -> None:
    """The same setting that lets the EHR's server be spoken to in clear."""
    settings = write(
        tmp_path, "plain.yaml", yaml.safe_dump({"deliver": {"fhir": {"base_url": "http://r.example/fhir"}}})
    )
    allowed = settings.model_copy(update={"privacy": PrivacySettings(allow_plaintext=True)})
    assert [one.name for one in load_subscriptions(allowed)] == ["plain"]


def test_a_check_tells_of_files_and_folders(tmp_path: Path) -> None:
    """A fault is one line each, and a folder that can be made is well."""
    settings = write(tmp_path, "board.yaml", yaml.safe_dump({"deliver": {"folder": {"path": str(tmp_path / "new")}}}))
    write(tmp_path, "wrong.yaml", "deliver: {}")
    closed = tmp_path / "file"
    closed.write_text("")
    write(tmp_path, "away.yaml", yaml.safe_dump({"deliver": {"folder": {"path": str(closed / "below")}}}))
    outcomes = {outcome.name: outcome for outcome in check_registries(settings)}
    assert outcomes["registry board"].found == "its folder can be written"
    assert outcomes["registry away"].is_fault
    assert "wrong.yaml:1: deliver" in outcomes["registry file"].found
