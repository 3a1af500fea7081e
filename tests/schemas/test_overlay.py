"""Overlays: laid over a mapping key by key, checked as one, each fault at the file and line that it came from."""

from pathlib import Path

import pytest
from overlay_made import BASE, site_of, write_overlay, write_pack

from schemas.errors import Code, SynopticError
from schemas.messages import Identifier, Reference, ReportContext, ReportVersion
from schemas.overlay import Facility
from schemas.overlay_loader import load_site, read_overlay
from schemas.pack_loader import load_pack, load_packs
from schemas.pack_mapping import as_tuple
from schemas.settings import MappingSettings


def faults_of(tmp_path: Path, overlay: str) -> list[str]:
    """The faults of an overlay over the small mapping, as lines."""
    pack, folder = write_pack(tmp_path), write_overlay(tmp_path, overlay)
    laid, faults = read_overlay(folder)
    return [str(fault) for fault in (faults or load_site(pack, laid=laid)[1])]


def test_codes_take_the_place_of_shipped_ones_or_stand_beside_them(tmp_path: Path) -> None:
    """A plus adds; without it the key is replaced; what is not named stays."""
    mapping = site_of(tmp_path, "systems: {lab: https://x.example/lab}\ntables: {result: {positive: +lab|P, negative: lab|N}}\n"
                      "codes: {ER: [+lab|1, +lab|2]}\n").mapping  # fmt: skip
    assert as_tuple(mapping.tables["result"]["positive"]) == ("sct|10828004", "lab|P")
    assert as_tuple(mapping.tables["result"]["negative"]) == ("lab|N",)
    assert as_tuple(mapping.codes["ER"]) == ("loinc|16112-5", "lab|1", "lab|2")
    assert mapping.codes["PR"] == "loinc|16113-3"


def test_templates_are_laid_over_key_by_key(tmp_path: Path) -> None:
    """One profile is changed and one element taken away; all else of the template stays."""
    overlay = "templates: {marker: {meta: {profile: [https://x.example/p]}, subject: null}}\n"
    template = site_of(tmp_path, overlay).mapping.templates["marker"]
    assert template["meta"] == {"profile": ["https://x.example/p"], "security": "$security"}
    assert "subject" not in template
    assert template["resourceType"] == "Observation"


@pytest.mark.parametrize(
    ("rule", "order"),
    [
        ("{id: ER.coded, resource: {status: final}}", ["ER.coded", "ER.pending", "PR"]),
        ("{slot: ER, finding: ER, when: {state: [coded]}, template: marker, id: own}", ["own", "ER.pending", "PR"]),
        ("{slot: ER, finding: ER, when: {side: left}, template: marker, id: own}",
         ["own", "ER.coded", "ER.pending", "PR"]),
        ("{slot: ER, finding: ER, when: {side: left}, template: marker, id: own, after: ER.coded}",
         ["ER.coded", "own", "ER.pending", "PR"]),
        ("{slot: PR, finding: PR, when: {side: left}, template: marker, id: own, before: PR}",
         ["ER.coded", "ER.pending", "own", "PR"]),
        ("{slot: ER2, finding: ER, template: marker, id: own}", ["ER.coded", "ER.pending", "PR", "own"]),
    ],
)  # fmt: skip
def test_a_rule_finds_its_place(tmp_path: Path, rule: str, order: list[str]) -> None:
    """By its id, by slot and conditions, before the others of its slot, or where it says."""
    mapping = site_of(tmp_path, f"rules:\n  - {rule}\n").mapping
    assert [one.id for one in mapping.rules] == order


def test_a_changed_rule_keeps_what_the_overlay_does_not_name(tmp_path: Path) -> None:
    """Its conditions stay, and the resource is laid over; another rule is left out by its id."""
    overlay = "rules: [{id: ER.coded, resource: {status: amended}}]\nwithout: [ER.pending]\n"
    mapping = site_of(tmp_path, overlay).mapping
    assert mapping.rules[0].when == {"state": "coded"}
    assert mapping.rules[0].resource["status"] == "amended"
    assert "code" in mapping.rules[0].resource
    assert [rule.id for rule in mapping.rules] == ["ER.coded", "PR"]


@pytest.mark.parametrize(
    ("overlay", "fault"),
    [
        ("tables: {result: {positiv: null}}", "x/overlay.yaml:6: tables.result.positiv: there is nothing to remove; did you mean"),
        ("tables:\n  result:\n    positive: sct|1", "x/overlay.yaml:8: tables.result.positive: 1 fails the check digit"),
        ("tables:\n  result: {positive: lba|1}", "x/overlay.yaml:7: tables.result.positive: unknown system 'lba'"),
        ("rules:\n  - {id: ER.code, resource: {}}", "x/overlay.yaml:7: rules.0.id: no rule with the id 'ER.code'; did you mean 'ER.coded'?"),
        ("rules:\n  - {slot: Z, template: markr}", "x/overlay.yaml:7: rules.0.template: no template 'markr'; did you mean 'marker'?"),
        ("without: [ER.codd]", "x/overlay.yaml:6: without.0: no rule with the id 'ER.codd'; did you mean 'ER.coded'?"),
        ("tempaltes: {}", "x/overlay.yaml:6: tempaltes: Extra inputs are not permitted; did you mean 'templates'?"),
        ("templates:\n  marker: {from: marker}", "x/overlay.yaml:7: templates.marker.from: builds on itself"),
        ("rules:\n  - {id: a, slot: Z, template: marker}\n  - {id: a, slot: Y, template: marker}", "x/overlay.yaml:8: rules.1.id: 'a' is the id"),
        ("rules:\n  - {id: a, slot: Z, template: marker}\n  - {id: b, slot: Z, when: {side: left}, template: marker}", "x/overlay.yaml:8: rules.1: is never reached: a"),
        ("rules:\n  - {slot: Z, when: {state: codd}, template: marker}", "x/overlay.yaml:7: rules.0.when.state: no state 'codd'; did you mean 'coded'?"),
        ("codes: {ER: null}", "mapping.yaml:8: rules.0.resource.code.$concept: no code 'ER'"),
        ("codes: [", "x/overlay.yaml:"),
        ("rules:\n  - {slot: Z, template: marker, where: 'status ='}", "x/overlay.yaml:7: rules.0.where: is no FHIRPath"),
    ],
)  # fmt: skip
def test_a_fault_names_the_file_that_it_is_in(tmp_path: Path, overlay: str, fault: str) -> None:
    """The overlay's own file and line; the shipped one where the overlay took away what that needs."""
    faults = faults_of(tmp_path, overlay + "\n")
    assert [line for line in faults if line.startswith(fault)], faults


def test_every_fault_of_an_overlay_is_listed_at_once(tmp_path: Path) -> None:
    """A bad code, a rule that is not there and an unknown template are three lines."""
    faults = faults_of(
        tmp_path, "tables: {result: {positive: sct|1}}\nwithout: [X]\nrules: [{slot: Z, template: no}]\n"
    )
    assert len(faults) == 3


def test_the_only_rule_of_a_slot_is_known_by_it(tmp_path: Path) -> None:
    """A rule without an id that no other rule shares its slot with can be changed and left out by the slot's name."""
    pack = write_pack(tmp_path)
    path = pack / "mapping.yaml"
    path.write_text(path.read_text().replace("{id: PR, slot: PR", "{slot: PR"))
    for overlay, slots in (("rules: [{id: PR, when: {side: left}}]\n", 3), ("without: [PR]\ncodes: {PR: null}\n", 2)):
        laid, _ = read_overlay(write_overlay(tmp_path, overlay))
        site, faults = load_site(pack, laid=laid)
        assert (faults, len(site.mapping.rules)) == ([], slots)


def test_what_an_overlay_leaves_unused_of_the_mapping_is_no_fault(tmp_path: Path) -> None:
    """But what it brings itself and nothing uses is one."""
    assert faults_of(tmp_path, "codes: {PR: null}\nwithout: [PR]\n") == []
    (fault,) = faults_of(tmp_path, "texts: {mine: {a: b}}\n")
    assert fault.endswith("texts.mine: is used nowhere")


def test_the_digest_is_of_what_is_said(tmp_path: Path) -> None:
    """A comment and a case change nothing; a code does."""
    plain = site_of(tmp_path / "1", "systems: {lab: https://x.example/lab}\n").digest
    case = "cases: [{name: a, findings: {}, expect: {PR: none}}]\n"
    same = site_of(tmp_path / "2", f"# said otherwise\nsystems: {{lab: https://x.example/lab}}\n{case}").digest
    other = site_of(tmp_path / "3", "systems: {lab: https://x.example/labs}\n").digest
    assert plain == same
    assert plain != other


def context(**changes) -> ReportContext:
    """The context of a report, with what `changes` say."""
    from uuid import UUID

    plain = {
        "tenant": "t",
        "report_key": UUID(int=1),
        "patient_key": UUID(int=2),
        "report_identifier": Identifier(system="https://x.example/accession", value="1"),
        "report": Reference(type="DiagnosticReport", literal="DiagnosticReport/1"),
        "subject": Reference(type="Patient", literal="Patient/1"),
        "status": "final",
        "version": ReportVersion(issued="2024-01-01T00:00:00Z"),
        "recorded": "2024-01-01T00:00:00Z",
    }
    return ReportContext(**{**plain, **changes})


def test_an_overlay_is_for_its_sender_alone() -> None:
    """By the organisation's identifier, its reference, or the system of the report's number."""
    named = Reference(type="Organization", identifier=Identifier(system="https://x.example/org", value="X"))
    referred = Reference(type="Organization", literal="Organization/42")
    facility = Facility(organizations=("https://x.example/org|X", "Organization/42"))
    assert facility.fits(context(organization=named))
    assert facility.fits(context(organization=referred))
    assert not facility.fits(context())
    assert not facility.fits(context(organization=Reference(type="Organization", literal="Organization/4")))
    assert Facility(report_systems=("https://x.example/accession",)).fits(context())


def test_packs_take_the_overlays_of_the_settings(tmp_path: Path) -> None:
    """The first overlay that fits a report is its mapping; any other report keeps the shipped one."""
    head = "overlay: {name}\ntitle: T\nversion: '1'\npack: breast\nfacility: {{report_systems: [{system}]}}\n"
    folders = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        text = head.format(name=name, system=f"https://{name}.example") + f"systems: {{own: https://{name}.example}}\n"
        (folder / "overlay.yaml").write_text(text)
        folders.append(folder)
    shipped = load_pack("breast")
    pack = load_packs(["breast"], MappingSettings(overlays=tuple(folders)))["breast"]
    of_b = context(report_identifier=Identifier(system="https://b.example", value="1"))
    assert pack.for_report(of_b).mapping.systems["own"] == "https://b.example"
    assert pack.for_report(of_b).mapping_digest != shipped.mapping_digest
    assert pack.for_report(context()).mapping_digest == shipped.mapping_digest


def test_overlays_with_faults_are_refused_all_at_once(tmp_path: Path) -> None:
    """SYN-613 names every file: one that is missing, one for no pack of the settings."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "overlay.yaml").write_text("overlay: a\ntitle: T\nversion: '1'\npack: brest\n")
    with pytest.raises(SynopticError) as raised:
        load_packs(["breast"], MappingSettings(overlays=(tmp_path / "a", tmp_path / "b")))
    assert raised.value.code is Code.BAD_OVERLAY
    assert "no pack 'brest'; did you mean 'breast'?" in str(raised.value)
    assert "b/overlay.yaml:1: (file): is missing" in str(raised.value)


def test_a_sender_has_one_overlay(tmp_path: Path) -> None:
    """The second that claims it would never be used, and is told so at its line."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        head = f"overlay: {name}\ntitle: T\nversion: '1'\npack: breast\n"
        (tmp_path / name / "overlay.yaml").write_text(head + "facility: {organizations: [Organization/1]}\n")
    with pytest.raises(SynopticError) as raised:
        load_packs(["breast"], MappingSettings(overlays=(tmp_path / "a", tmp_path / "b")))
    assert "b/overlay.yaml:5: facility.organizations: Organization/1 is a's, which comes first" in str(raised.value)


def test_the_licensed_codes_are_the_same_categories() -> None:
    """Every key of a table that AJCC's codes replace has its code there, made of the prefix and the category."""
    shipped = load_pack("breast").mapping
    site, faults = load_site(load_pack("breast").folder, "ajcc")
    assert faults == []
    assert site is not None
    prefixes = {"pathologic": "p", "after_therapy": "yp", "clinical": "c"}
    tables = [name for name in shipped.tables if name[:2] in ("T.", "N.", "M.")]
    assert len(tables) == 8
    for name in tables:
        prefix = prefixes[name.partition(".")[2]]
        assert site.mapping.tables[name] == {key: f"ajcc|{prefix}{key}" for key in shipped.tables[name]}


def test_the_small_mapping_has_no_faults(tmp_path: Path) -> None:
    """So that each fault above comes from the overlay."""
    assert load_site(write_pack(tmp_path))[1] == []
    assert BASE.count("id:") == 3


@pytest.mark.parametrize(
    ("facility", "fault"),
    [
        ("facility:\n", "facility: fits no report: name organizations or report_systems"),
        ("facility: {}\n", "facility: fits no report: name organizations or report_systems"),
        ("facility: {organizations: [X]}\n", "facility.organizations.0: expected system|value or Organization/id, found 'X'"),
    ],
)  # fmt: skip
def test_an_overlay_names_a_sender_that_there_can_be(tmp_path: Path, facility: str, fault: str) -> None:
    """A key left empty is not for everybody; a bare name is no identifier."""
    (tmp_path / "overlay.yaml").write_text(f"overlay: x\ntitle: X\nversion: '1'\npack: breast\n{facility}")
    (found,) = read_overlay(tmp_path)[1]
    assert f"overlay.yaml:5: {fault}" in str(found)
