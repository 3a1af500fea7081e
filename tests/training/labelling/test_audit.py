"""Behaviour of measuring the rules on a blinded sample."""

from collections import Counter
from pathlib import Path

import pytest

from schemas.errors import Code, SynopticError
from schemas.pack_loader import load_pack
from training.labelling.audit import AuditItem, KeyEntry, key_path, load_items, load_key, save_items, score, understood
from training.labelling.audit_sample import AuditSample, Candidate, candidates, write_sample
from training.labelling.run import read_source
from training.reports.texts import SourceReport

PACK = load_pack("breast")
T, ER = PACK.definition.task("T"), PACK.definition.task("ER")


def _candidates(text: str, seed: int = 1) -> dict[str, Candidate]:
    source = SourceReport("p", "FINAL DIAGNOSIS: Left breast, mastectomy: invasive ductal carcinoma. " + text, "H")
    return {one.item.task: one for one in candidates(read_source(source, PACK), PACK, seed)}


def _candidate(number: int, value: str, site: str = "H", task: str = "T") -> Candidate:
    name = f"{number:064x}"
    item = AuditItem(name, "p", site, "breast", task, "", "", "")
    return Candidate(name, item, KeyEntry(name, task, value, "rule"))


def test_a_question_shows_the_lines_and_not_the_answer() -> None:
    """The evidence is there; value, rule and basis are in the key alone."""
    found = _candidates("Margins are free. Pathologic stage: pT2. Sections were taken.")["T"]
    assert "pT2" in found.item.text
    assert found.item.choices.startswith("T0 Tis T1 T2 T3 T4 not_stated")
    assert (found.key.value, found.key.rule) == ("T2", "T_stated")
    assert "T_stated" not in str(vars(found.item))


def test_absent_values_are_asked_for_and_contradictions_are_not() -> None:
    """A rule may miss a value; what is in review already waits for a person."""
    found = _candidates("ER 5 %, negative.")
    assert "ER" not in found
    assert found["HER2"].key.value == "not_stated"


def test_a_sample_is_spread_over_values_and_hospitals() -> None:
    """A rare value, and a small hospital, is drawn as soon as a frequent one."""
    sample = AuditSample(6)
    for number in range(100):
        sample.add(_candidate(number, "T2", site="A" if number else "B"))
    for number in range(100, 102):
        sample.add(_candidate(number, "T4"))
    drawn = sample.drawn()
    assert Counter(one.key.value for one in drawn) == {"T2": 4, "T4": 2}
    assert {one.item.site for one in drawn if one.key.value == "T2"} == {"A", "B"}
    weights = {one.stratum: one.key.weight for one in drawn}
    assert weights["T", "T2", "A"] == pytest.approx(99 / 3)
    assert weights["T", "T4", "H"] == 1


def test_the_seed_decides_the_sample_and_the_order_of_reports_does_not() -> None:
    """A sample can be drawn again from the same texts."""
    assert _candidates("pT2")["T"].draw == _candidates("pT2")["T"].draw != _candidates("pT2", seed=2)["T"].draw
    one, other = AuditSample(3), AuditSample(3)
    for number in range(20):
        one.add(_candidate(number, f"T{number % 2}"))
        other.add(_candidate(19 - number, f"T{(19 - number) % 2}"))
    assert one.drawn() == other.drawn()


@pytest.mark.parametrize("name", ["sample.csv", "sample.jsonl"])
def test_answers_survive_the_file(tmp_path: Path, name: str) -> None:
    """Lines, quotes and commas too, in a spreadsheet's form and in JSON lines."""
    item = AuditItem("1", "p", "H", "breast", "T", "T category", "T1 T2", 'said "pT2",\n[…]\nmargins; free')
    save_items(tmp_path / name, [item, item])
    loaded = load_items(tmp_path / name)
    assert loaded == [item, item]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_no_cell_of_a_report_is_a_formula(tmp_path: Path) -> None:
    """A spreadsheet sees an apostrophe before it; what is read back is what the report says."""
    path = tmp_path / "sample.csv"
    texts = ["=1+1", "+ node", "- margin", "@home", "'quoted'", "'=", "pT2"]
    items = [AuditItem(str(number), "p", "H", "breast", "T", "T", "", text) for number, text in enumerate(texts)]
    save_items(path, items)
    assert all(f",{sign}" not in path.read_text() for sign in "=+-@")
    assert load_items(path) == items


def test_the_key_lies_beside_the_sample(tmp_path: Path) -> None:
    """One entry for each question, under its id."""
    path = tmp_path / "sample.csv"
    assert write_sample(path, [_candidate(1, "T2"), _candidate(2, "T3")]) == 2
    assert {entry.value for entry in load_key(path).values()} == {"T2", "T3"}
    key_path(path).unlink()
    with pytest.raises(SynopticError) as caught:
        load_key(path)
    assert caught.value.code is Code.BAD_AUDIT


@pytest.mark.parametrize(
    ("answer", "meant"),
    [
        ("T1", "T1"),
        (" t1 ", "T1"),
        ("TX", "not_assessable"),
        ("not_s", "not_stated"),
        ("not", None),
        ("T", None),
        ("T5", None),
        ("", None),
    ],
)
def test_an_answer_may_be_short_and_never_ambiguous(answer: str, meant: str | None) -> None:
    """Any case, a unique beginning, or the form that a report writes."""
    assert understood(answer, T) == meant


def test_agreement_comes_with_its_exact_interval_and_noise_with_its_weights() -> None:
    """One of twenty wrong: 0.75 to 0.999 after Clopper and Pearson; a wrong answer that stands for many weighs more."""
    items, key = [], {}
    for number in range(20):
        wrong = number == 0
        items.append(AuditItem(str(number), "p", "H", "breast", "ER", "", "", "", "pos" if wrong else "negative"))
        key[str(number)] = KeyEntry(str(number), "ER", "negative", "rule", 81.0 if wrong else 1.0)
    items.append(AuditItem("20", "p", "H", "breast", "ER", "", "", "", "no idea"))
    key["20"] = KeyEntry("20", "ER", "negative", "rule")
    (found,) = score(items, key, PACK.definition)
    assert (found.task, found.answered, found.agreed) == ("ER", 20, 19)
    assert (found.low, found.high) == (pytest.approx(0.7513, abs=1e-3), pytest.approx(0.9987, abs=1e-3))
    assert found.noise == pytest.approx(0.81)
    assert found.confusions == {"negative → positive": 1}
