"""Templates that cannot become FHIR R4 are refused before the first report: by every command, and by the running hop."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.commands.mapping import app
from gateway.mapping_tools.chosen import judge
from gateway.mapping_tools.shapes import invalid, shape_faults
from gateway.mapping_tools.watch import WatchedPacks
from schemas.errors import Code, SynopticError
from schemas.overlay_loader import load_site, read_overlay
from schemas.settings import MappingSettings, Settings

PROFILE = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-tumor-marker-test"
SMALL = f"""\
systems: {{loinc: http://loinc.org}}
codes: {{ER: loinc|16112-5}}
templates:
  marker: {{resourceType: Observation, meta: {{profile: ['{PROFILE}']}}, status: final, subject: $subject}}
rules:
  - {{id: ER, slot: ER, finding: ER, template: marker, resource: {{code: {{$concept: [ER]}}}}}}
allowed: {{ER: []}}
"""
HEAD = "overlay: x\ntitle: X\nversion: '1'\npack: breast\n"
BAD_PROFILE = "templates:\n  result: {meta: {profile: ['https://x.example/p']}}\n"


def faults_of(tmp_path: Path, overlay: str) -> list[str]:
    """The faults in shape of an overlay over the small mapping, which has no others."""
    (tmp_path / "mapping.yaml").write_text(SMALL)
    (tmp_path / "overlay.yaml").write_text(HEAD + overlay)
    laid, faults = read_overlay(tmp_path)
    assert faults == []
    site, faults = load_site(tmp_path, laid=laid)
    assert faults == []
    assert site is not None
    return [str(fault).partition("/")[2] for fault in shape_faults(site)]


@pytest.mark.parametrize(
    ("element", "fault"),
    [
        ("methode: {$concept: [ER]}", "methode: no element 'methode' in Observation; did you mean 'method'?"),
        ("category: {$concept: [ER]}", "category: expected a list of CodeableConcept: put it in brackets"),
        ("method: [{$concept: [ER]}]", "method: expected one CodeableConcept, found a list"),
        ("specimen: {$references: [ER]}", "specimen: expected one Reference: $reference makes one, $references a list"),
        ("valueString: {$concept: [ER]}", "valueString: expected a plain value, found CodeableConcept"),
        ("method: immune stain", "method: expected CodeableConcept, found 'immune stain'"),
        ("status: done", "status: is never 'done'; expected one of: registered, preliminary, final, amended"),
        ("valueQuantity: {value: 1, units: mm}", "valueQuantity.units: no element 'units' in Quantity; did you mean 'unit'?"),
        ("note: {$when: {state: coded}, then: [{texts: a}]}", "note.then.0.texts: no element 'texts' in Annotation; did"),
        ("meta: {profile: ['https://x.example/p']}", "meta.profile.0: no profile 'https://x.example/p'; "),
    ],
)  # fmt: skip
def test_a_template_is_held_to_its_type(tmp_path: Path, element: str, fault: str) -> None:
    """At the element's own line: what its type does not have, one for a list, a list for one, and unknown profiles."""
    (found,) = faults_of(tmp_path, f"templates:\n  marker:\n    {element}\n")
    assert found.startswith(f"overlay.yaml:7: templates.marker.{fault}")


@pytest.mark.parametrize(
    ("overlay", "fault"),
    [
        ("rules: [{slot: Z, finding: ER, when: {state: coded}, template: marker}]\n", "5: rules.0: its Observation has no code, which FHIR"),
        ("codes: {own: loinc|16113-3}\nrules: [{id: ER, resource: {code: {$concept: [own]}}}]\n", "6: rules.0: code 16113-3 is not under allowed"),
        ("profiles: {'urn:p': {resource: Observtion}}\n", "5: profiles.urn:p.resource: no type 'Observtion'; did you mean 'Observation'?"),
        ("profiles: {'urn:p': {resource: Observation, required: [subjet]}}\n", "required.0: no element 'subjet' in Observation; did you"),
        ("profiles: {'urn:p': {resource: Condition}}\ntemplates: {marker: {meta: {profile: ['urn:p']}}}\n", "is a profile of Condition, and this"),
        ("tables: {t: {a: loinc|16113-3}}\nrules: [{id: ER, resource: {valueCodeableConcept: {$concept: [{table: t, by: value}]}}}]\n",
         "6: rules.0: the values of 't' are not allowed under code 16112-5"),
    ],
)  # fmt: skip
def test_a_rule_makes_what_may_go_out(tmp_path: Path, overlay: str, fault: str) -> None:
    """What FHIR requires, codes and values that the mapping allows, profiles of the resource's own type."""
    assert [line for line in faults_of(tmp_path, overlay) if fault in line]


def test_every_command_and_the_running_hop_refuse_it(tmp_path: Path) -> None:
    """`check` prints it; `show`, `test` and `diff` end with SYN-613, as does the start of emission."""
    (tmp_path / "overlay.yaml").write_text(HEAD + BAD_PROFILE)
    runner, folder = CliRunner(), str(tmp_path)
    assert "no profile 'https://x.example/p'" in runner.invoke(app, ["check", folder]).stdout
    for arguments in (
        ["show", "ER: {value: positive}", "--mapping", folder],
        ["test", folder],
        ["diff", "breast", folder, "--over", folder],
    ):
        error = runner.invoke(app, arguments).exception
        assert isinstance(error, SynopticError)
        assert (error.code, "templates.result.meta.profile.0" in str(error)) == (Code.BAD_OVERLAY, True)
    with pytest.raises(SynopticError, match="no profile"):
        WatchedPacks(Settings(mapping=MappingSettings(overlays=(tmp_path,))))


def test_the_shipped_mapping_is_sound_and_a_mistyped_pack_is_a_fault_of_its_line(tmp_path: Path) -> None:
    """No fault of shape in the breast pack; an overlay of `brest` names the nearest."""
    assert judge("breast", "snomed").faults == []
    (tmp_path / "overlay.yaml").write_text(HEAD.replace("breast", "brest"))
    (fault,) = judge(str(tmp_path), "snomed").faults
    assert str(fault).endswith("overlay.yaml:4: pack: no pack 'brest'; did you mean 'breast'?")


def test_two_values_at_once_are_no_resource() -> None:
    """What only the filled resource shows: `synoptic mapping test` says so for a case that makes it."""
    resource = {"resourceType": "Observation", "status": "final", "code": {"text": "a"}, "valueString": "a"}
    assert invalid(resource) is None
    assert "got multiple" in (invalid({**resource, "valueBoolean": True}) or "")
