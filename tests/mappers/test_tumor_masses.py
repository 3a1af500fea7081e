"""Tumour masses, parts and earlier specimens: each Observation refers to its own, and references never cross."""

from typing import Any

from mapping_cases import finding, mapped, of_code, of_type, primary, value_codes

from mappers.bundle import MappedReport
from schemas.findings import Focus

SECOND = Focus(
    key="2",
    histology="ILC",
    findings={"tumor_size": finding("9", comparator=">="), "grade": finding("G1"), "HER2": finding("negative")},
)


def two_masses(**changes: Any) -> MappedReport:
    """A report of a breast with two masses, of which the smaller alone has a HER2 status."""
    findings = {"tumor_size": finding("32"), "grade": finding("G3"), "HER2": finding("negative", focus="2"), **changes}
    return mapped(primary(findings=findings, foci=(SECOND,)))


def focus_of(resource: dict[str, Any], kind: str) -> list[str]:
    """What of this kind an Observation is about."""
    return [one["reference"] for one in resource.get("focus", []) if one["reference"].startswith(kind)]


def test_each_mass_has_a_tumour_of_its_own_with_its_size_and_grade() -> None:
    """Both belong to one Condition; the grade and the size of each refer to its own BodyStructure."""
    report = two_masses()
    assert len(of_type(report, "Condition")) == 1
    tumours = {one.get("description"): f"BodyStructure/{one['id']}" for one in of_type(report, "BodyStructure")}
    assert set(tumours) == {None, "focus 2"}
    grades = {value_codes(one)[0]: focus_of(one, "BodyStructure") for one in of_code(report, "C18000")}
    assert grades == {"1155707008": [tumours[None]], "1155708003": [tumours["focus 2"]]}
    sizes = of_code(report, "21889-1")
    measured = {one["focus"][0]["reference"]: one["component"][0]["valueQuantity"] for one in sizes}
    assert [measured[tumours[key]]["value"] for key in (None, "focus 2")] == [32, 9]
    assert all("specimen" not in one for one in sizes)


def test_what_is_told_of_the_smaller_mass_alone_is_told_once() -> None:
    """A status that only the smaller mass has stands on that mass, not on the largest as well."""
    report = two_masses()
    (status,) = of_code(report, "48676-1")
    (smaller,) = (one for one in of_type(report, "BodyStructure") if "description" in one)
    assert focus_of(status, "BodyStructure") == [f"BodyStructure/{smaller['id']}"]


def test_what_is_said_of_the_whole_names_no_mass() -> None:
    """Vessels and the type of the cancer are findings of the whole, where there are several masses."""
    report = two_masses(lymphovascular_invasion=finding("present"))
    (vessels,) = of_code(report, "59544-7")
    assert focus_of(vessels, "BodyStructure") == []
    assert focus_of(vessels, "Condition")


def test_a_limit_of_size_keeps_its_comparator() -> None:
    """A size of "at least 9 mm" goes out as such."""
    report = mapped(primary(findings={"tumor_size": finding("9", comparator=">=")}))
    (size,) = of_code(report, "21889-1")
    assert size["component"][0]["valueQuantity"]["comparator"] == ">="


def test_a_finding_refers_to_the_part_that_it_names() -> None:
    """Of two parts the grade names the first; what names none refers to none."""
    report = mapped(
        primary(specimens=("A", "B"), findings={"grade": finding("G2", specimen="A"), "ER": finding("positive")})
    )
    parts = {one["identifier"][0]["value"]: f"Specimen/{one['id']}" for one in of_type(report, "Specimen")}
    (grade,) = of_code(report, "C18000")
    (estrogen,) = of_code(report, "16112-5")
    assert grade["specimen"]["reference"] == parts["A"]
    assert "specimen" not in estrogen


def test_a_quoted_result_has_a_specimen_of_its_own_and_no_date_of_this_one() -> None:
    """The receptor of the earlier biopsy refers to the earlier specimen; the one of today to today's."""
    findings = {"ER": finding("positive", sample="earlier_result"), "PR": finding("negative")}
    report = mapped(primary(specimens=("A",), findings=findings))
    (earlier,) = (one for one in of_type(report, "Specimen") if "note" in one)
    (estrogen,), (progesterone,) = of_code(report, "16112-5"), of_code(report, "16113-3")
    assert estrogen["specimen"]["reference"] == f"Specimen/{earlier['id']}"
    assert "effectiveDateTime" not in estrogen
    assert progesterone["specimen"]["reference"] != f"Specimen/{earlier['id']}"
    assert progesterone["effectiveDateTime"] == "2024-05-01"


def test_a_result_of_a_metastasis_refers_to_no_specimen() -> None:
    """It is of this report's nodes, and of which is not known."""
    findings = {"ER": finding("positive", sample="metastasis_result")}
    (estrogen,) = of_code(mapped(primary(specimens=("A",), findings=findings)), "16112-5")
    assert "specimen" not in estrogen
