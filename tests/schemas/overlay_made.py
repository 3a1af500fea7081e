"""A small mapping and overlays over it, for tests."""

from pathlib import Path

from schemas.overlay_loader import SiteMapping, load_site, read_overlay

BASE = """\
systems: {sct: http://snomed.info/sct, loinc: http://loinc.org}
codes: {ER: loinc|16112-5, PR: loinc|16113-3}
tables: {result: {positive: sct|10828004, negative: sct|260385009}}
templates:
  marker: {resourceType: Observation, meta: {profile: [http://p.example], security: $security}, subject: $subject}
rules:
  - {id: ER.coded, slot: ER, finding: ER, when: {state: coded}, template: marker,
     resource: {code: {$concept: [ER]}, valueCodeableConcept: {$concept: [{table: result, by: value}]}}}
  - {id: ER.pending, slot: ER, finding: ER, when: {state: pending}, template: marker}
  - {id: PR, slot: PR, finding: PR, template: marker, resource: {code: {$concept: [PR]}}}
"""
HEAD = "overlay: x\ntitle: Facility X\nversion: '1'\npack: small\nfacility: {organizations: [Organization/1]}\n"


def write_pack(folder: Path) -> Path:
    """A pack's folder with the small mapping alone."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mapping.yaml").write_text(BASE, encoding="utf-8")
    return folder


def write_overlay(folder: Path, body: str) -> Path:
    """A folder with an overlay of these keys after its head of five lines."""
    (folder / "x").mkdir(parents=True, exist_ok=True)
    (folder / "x" / "overlay.yaml").write_text(HEAD + body, encoding="utf-8")
    return folder / "x"


def site_of(folder: Path, body: str) -> SiteMapping:
    """The small mapping with the overlay, which must be without faults."""
    pack = write_pack(folder)
    laid, faults = read_overlay(write_overlay(folder, body))
    assert faults == []
    site, faults = load_site(pack, laid=laid)
    assert faults == []
    assert site is not None
    return site
