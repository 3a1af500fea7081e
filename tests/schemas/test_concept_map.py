"""Code tables as ConceptMaps and back."""

import pytest

from schemas.concept_map import export_concept_map, import_concept_map
from schemas.errors import Code, SynopticError
from schemas.pack_loader import load_pack
from schemas.pack_mapping import Mapping, as_tuple

MAPPING = load_pack("breast").mapping


def exported(table: str | None = None) -> dict:
    """The breast pack's ConceptMap."""
    return export_concept_map(MAPPING, "breast", "1", table)


def test_tables_come_back_as_they_went_out() -> None:
    """Every key of every table and every code, with its display; several codes of a key keep their systems."""
    found = import_concept_map(exported(), MAPPING, "breast")
    assert found.passed_over == []
    assert found.systems == {}
    assert {name: set(codes) for name, codes in found.codes.items()} == {
        name: set(as_tuple(entry)) for name, entry in MAPPING.codes.items()
    }
    assert {table: {key: set(codes) for key, codes in rows.items()} for table, rows in found.tables.items()} == {
        table: {key: set(as_tuple(entry)) for key, entry in rows.items()} for table, rows in MAPPING.tables.items()
    }


def test_one_table_is_a_map_of_its_own() -> None:
    """A ConceptMap with the elements that R4 requires, one group for each system of the table."""
    resource = exported("morphology")
    assert (resource["resourceType"], resource["status"]) == ("ConceptMap", "active")
    assert {group["target"] for group in resource["group"]} == {
        MAPPING.systems["icdo3"], MAPPING.systems["sct"],
    }  # fmt: skip
    targets = [target for group in resource["group"] for one in group["element"] for target in one["target"]]
    assert all(target["equivalence"] == "equivalent" and target["code"] for target in targets)


def standard(target: str, code: str, equivalence: str = "equivalent") -> dict:
    """A terminology team's map of one SNOMED code to the facility's."""
    element = {"code": code, "target": [{"code": "P1", "display": "Pos", "equivalence": equivalence}]}
    return {"resourceType": "ConceptMap", "status": "active",
            "group": [{"source": "http://snomed.info/sct", "target": target, "element": [element]}]}  # fmt: skip


def test_a_map_from_a_standard_stands_beside_the_standard_codes() -> None:
    """Wherever the mapping has the source's code, the target is added; a new system gets a short name."""
    small = Mapping(
        systems={"sct": "http://snomed.info/sct"}, codes={"yes": "sct|10828004"},
        tables={"result": {"positive": ["sct|10828004"], "negative": "sct|260385009"}}, rules=(),
    )  # fmt: skip
    found = import_concept_map(standard("https://x.example/lab", "10828004"), small, "breast")
    assert found.systems == {"lab": "https://x.example/lab"}
    assert found.tables == {"result": {"positive": ["+lab|P1|Pos"]}}
    assert found.codes == {"yes": ["+lab|P1|Pos"]}


@pytest.mark.parametrize(
    ("code", "equivalence", "said"),
    [
        ("10828004", "narrower", "narrower is no code for the same"),
        ("73211009", "equal", "the mapping sends no such code"),
    ],
)
def test_what_is_not_taken_is_told(code: str, equivalence: str, said: str) -> None:
    """A target that means less, and a source that the mapping does not know."""
    found = import_concept_map(standard("https://x.example/lab", code, equivalence), MAPPING, "breast")
    assert found.tables == {}
    assert said in found.passed_over[0]


@pytest.mark.parametrize("resource", [[], {"resourceType": "ValueSet"}, {"resourceType": "ConceptMap", "group": [{}]}])
def test_what_is_no_concept_map_is_refused(resource: object) -> None:
    """SYN-614."""
    with pytest.raises(SynopticError) as raised:
        import_concept_map(resource, MAPPING, "breast")
    assert raised.value.code is Code.BAD_CONCEPT_MAP
