"""Reading annotated sets: each format, what its labels mean, and what is refused."""

from pathlib import Path

import orjson
import pytest

from schemas.errors import Code, SynopticError
from training.deidentification.annotated import AnnotatedText
from training.deidentification.safe_harbor import SafeHarbor
from training.deidentification.set_labels import harbor_class
from training.deidentification.set_readers import READERS, read_set


def _marked(text: AnnotatedText) -> list[tuple[str, SafeHarbor | None]]:
    return [(text.text[mark.start : mark.end], mark.harbor) for mark in text.marks]


def test_presidio_rows_are_read_in_the_order_of_their_places(tmp_path: Path) -> None:
    """A JSON list with entity types; organisations are marked but belong to no class."""
    path = tmp_path / "set.json"
    spans = [
        {"entity_type": "ORGANIZATION", "start_position": 12, "end_position": 16},
        {"entity_type": "PERSON", "start_position": 0, "end_position": 8},
    ]
    path.write_bytes(orjson.dumps([{"full_text": "Ann Test of Acme", "spans": spans}]))
    (text,) = read_set("presidio", path)
    assert _marked(text) == [("Ann Test", SafeHarbor.NAME), ("Acme", None)]


def test_presidio_s_odd_templates_are_held_out(tmp_path: Path) -> None:
    """One half holds the sentences of even templates, which may be learned from; in the whole file the others are told."""
    path = tmp_path / "set.json"
    span = {"entity_type": "PERSON", "start_position": 0, "end_position": 3}
    path.write_bytes(orjson.dumps([{"full_text": f"{name} is", "template_id": number, "spans": [span]}
                                   for number, name in ((2, "Ann"), (3, "Eva"))]))  # fmt: skip
    assert [(one.text, one.held_out) for one in read_set("presidio", path)] == [("Ann is", False), ("Eva is", True)]
    assert [one.text for one in read_set("presidio-open", path)] == ["Ann is"]
    assert [one.text for one in read_set("presidio-held-out", path)] == ["Eva is"]


def test_grascco_lines_are_read(tmp_path: Path) -> None:
    """JSON lines with `phi`; a span without a label is kept apart."""
    path = tmp_path / "set.jsonl"
    phi = [{"start": 0, "end": 4, "label": "NAME_DOCTOR"}, {"start": 5, "end": 7, "label": None}]
    path.write_bytes(orjson.dumps({"text": "Test 49", "phi": phi}))
    (text,) = read_set("grascco", path)
    assert _marked(text) == [("Test", SafeHarbor.NAME), ("49", None)]


def test_ratschlab_cases_lose_tags_fields_and_comments(tmp_path: Path) -> None:
    """Types are marked, field tags and comments go, and an escaped line break becomes one."""
    path = tmp_path / "names_testcases_x.txt"
    path.write_text(
        'Name; Feld\n\n# comment\n<Feld>Dr. <Name type="doctor">Muster</Name>\\nhier</Feld> # why\n', encoding="utf-8"
    )
    (text,) = read_set("ratschlab", tmp_path)
    assert text.text == "Dr. Muster\nhier"
    assert _marked(text) == [("Muster", SafeHarbor.NAME)]


def test_pydeid_texts_are_put_together_from_their_tokens(tmp_path: Path) -> None:
    """Tokens stand at their places; one without a place follows the token before it."""
    path = tmp_path / "truth.csv"
    path.write_text(
        "genc_id,note_id,token,start,end,annotation\n1,A,MRN,5,8,\n1,A,011-0111,10,18,i\n1,A,old,,,\n", encoding="utf-8"
    )
    (text,) = read_set("pydeid", path)
    assert text.text == "     MRN  011-0111 old"
    assert _marked(text) == [("011-0111", SafeHarbor.RECORD)]


def test_own_lines_bring_classes_and_known_identifiers(tmp_path: Path) -> None:
    """A site's own annotation names Safe Harbor's classes; any other class is apart."""
    path = tmp_path / "own.jsonl"
    spans = [{"start": 0, "end": 3, "class": "name"}, {"start": 4, "end": 9, "class": "job"}]
    known = [{"kind": "NAME", "value": "Ann"}]
    path.write_bytes(orjson.dumps({"text": "Ann baker", "spans": spans, "known": known}))
    (text,) = read_set("spans", path)
    assert _marked(text) == [("Ann", SafeHarbor.NAME), ("baker", None)]
    assert [one.value for one in text.known] == ["Ann"]


@pytest.mark.parametrize(
    ("named", "words", "expected"),
    [
        (SafeHarbor.AGE, "89", None),
        (SafeHarbor.AGE, "90", SafeHarbor.AGE),
        (SafeHarbor.DATE, "1977", None),
        (SafeHarbor.DATE, "Tuesday", None),
        (SafeHarbor.DATE, "04/1977", SafeHarbor.DATE),
        (SafeHarbor.PLACE, "Norway", None),
        (SafeHarbor.PLACE, "Oslo", SafeHarbor.PLACE),
        (SafeHarbor.OTHER, "4A", None),
        (SafeHarbor.OTHER, "34998877", SafeHarbor.OTHER),
        (SafeHarbor.NAME, "Li", SafeHarbor.NAME),
    ],
)
def test_some_values_are_nothing_that_safe_harbor_names(
    named: SafeHarbor, words: str, expected: SafeHarbor | None
) -> None:
    """Ages up to 89, bare years and weekdays, countries, and short marks are reported apart, whatever their label."""
    assert harbor_class(named, words) is expected


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("content", [b"\xff\xfe", b"[1, 2]", b'{"text": 1}', b""])
def test_what_is_in_no_such_format_is_refused_without_its_words(tmp_path: Path, name: str, content: bytes) -> None:
    """A file that is not in the format, or marks nothing, is SYN-760 with the file's name."""
    path = tmp_path / "set.bin"
    path.write_bytes(content)
    with pytest.raises(SynopticError) as caught:
        read_set(name, path)
    assert caught.value.code is Code.BAD_ANNOTATED_SET
    assert "set.bin" in caught.value.one_line()


def test_a_span_outside_its_text_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    """Both are SYN-760: one would be measured wrongly, the other not at all."""
    path = tmp_path / "set.jsonl"
    path.write_bytes(orjson.dumps({"text": "Ann", "spans": [{"start": 0, "end": 9, "class": "name"}]}))
    for file in (path, tmp_path / "none.jsonl"):
        with pytest.raises(SynopticError) as caught:
            read_set("spans", file)
        assert caught.value.code is Code.BAD_ANNOTATED_SET
