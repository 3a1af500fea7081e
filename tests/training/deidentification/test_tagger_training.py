"""Training the tagger: what it learns from, and that it learns it."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from training.deidentification.annotated import AnnotatedText, Mark
from training.deidentification.invented_values import InventedValues
from training.deidentification.safe_harbor import SafeHarbor
from training.deidentification.set_readers import read_tokens
from training.deidentification.tagger_examples import (
    Example,
    filled,
    from_reports,
    invented_prose,
    joined,
    load_prose,
    refilled,
)
from training.deidentification.tagger_training import labels_of, train_tagger
from workers.privacy.learned_names import DIGEST_SUFFIX, load_tagger
from workers.privacy.privacy_rules import load_privacy_rules
from workers.privacy.tagger_features import tokens_of

_TRAINING = """
import sys
from pathlib import Path
from training.deidentification.invented_values import InventedValues
from training.deidentification.tagger_examples import invented_prose
from training.deidentification.tagger_training import train_tagger
InventedValues(int(sys.argv[2])).name()
values = InventedValues(1)
print([values.of("city") for _ in range(200)])
train_tagger(invented_prose(40, values), Path(sys.argv[1]))
"""


def test_a_slot_s_value_is_what_is_to_be_found() -> None:
    """The spans of a filled sentence hold its names; a job and an age are none."""
    example = filled("Seen by {name}, {job}, {age}, in {city}.", InventedValues(1))
    assert [tag for _, _, tag in example.spans] == ["NAME", "LOCATION"]
    assert example.text.startswith("Seen by " + example.text[slice(*example.spans[0][:2])] + ", ")


def test_every_sentence_can_be_filled() -> None:
    """Each slot of the sentences has values."""
    prose, values = load_prose(), InventedValues(2)
    examples = [filled(sentence, values) for sentence in (*prose.prose, *prose.forms, *prose.clinical)]
    assert not any("{" in example.text for example in examples)


def test_no_value_of_a_set_is_learned() -> None:
    """The names, places and companies of a set's sentence are replaced; what else is marked there stays."""
    text = "Anna Testperson of Acme lives in Neustadt since 2001"
    marks = (
        Mark(0, 15, "PERSON", SafeHarbor.NAME),
        Mark(19, 23, "ORGANIZATION", None),
        Mark(33, 41, "GPE", SafeHarbor.PLACE),
        Mark(48, 52, "DATE_TIME", None),
    )
    example = refilled(AnnotatedText(text, marks), InventedValues(3))
    assert not {"testperson", "acme", "neustadt"} & set(example.text.lower().split())
    assert example.text.lower().endswith("2001")
    assert [tag for _, _, tag in example.spans] == ["NAME", "ORGANISATION", "LOCATION", "DATE"]


def test_what_rules_find_in_a_report_is_taught() -> None:
    """A report teaches what the rules remove, and a part of it comes again with a sentence set in."""
    text = "Signed by Anna Testperson. Tumor of the left breast is noted. Margins are free."
    report, part = from_reports([text], InventedValues(4))
    assert [report.text[start:end] for start, end, _ in report.spans] == ["Anna Testperson"]
    assert len(part.text) > len(text)


def test_labels_tell_where_a_name_begins() -> None:
    """The first word of a span begins it, the others go on, what stands outside is nothing."""
    example = joined([Example("Ada", ((0, 3, "NAME"),)), Example("Eva Musterfrau came", ((0, 14, "NAME"),))], " ")
    assert labels_of(tokens_of(example.text), example.spans) == ["B-NAME", "B-NAME", "I-NAME", "O"]


def test_a_table_of_tokens_is_read_by_the_sentence(tmp_path: Path) -> None:
    """A blank line ends a sentence."""
    path = tmp_path / "tokens.tsv"
    path.write_text("Loss\tO\nof\tO\nAPC\tB-Disease\n\nIt\tO\nis\tO\n")
    assert list(read_tokens(path)) == ["Loss of APC", "It is"]


def test_a_tagger_learns_and_is_written_with_its_digest(tmp_path: Path) -> None:
    """A model trained on a few passages loads by its digest and finds a name in a sentence that it has learned."""
    path = tmp_path / "small.crfsuite"
    examples = [*invented_prose(60, InventedValues(5)), *[Example("My name is Qworty", ((11, 17, "NAME"),))] * 20]
    assert train_tagger(examples, path) > 60
    digest = path.with_name(path.name + DIGEST_SUFFIX).read_text().split()[0]
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (11, 17, "NAME") in load_tagger(load_privacy_rules(), path).spans("My name is Qworty")


def test_every_process_invents_the_same_and_trains_the_same_model(tmp_path: Path) -> None:
    """Neither the order of sets, which each process has its own of, nor what was invented before changes anything."""
    told = set()
    for number in (1, 2):
        path = tmp_path / f"{number}.crfsuite"
        ended = subprocess.run(
            [sys.executable, "-c", _TRAINING, str(path), str(number)],
            env=os.environ | {"PYTHONHASHSEED": str(number)}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        told.add((ended.stdout, path.with_name(path.name + DIGEST_SUFFIX).read_text().split()[0]))
    assert len(told) == 1


def test_another_seed_invents_other_values() -> None:
    """The same seed gives the same names, places and numbers again."""
    first, again, other = (
        [values.of(slot) for slot in ("name", "address", "org", "phone", "date")]
        for values in map(InventedValues, (6, 6, 7))
    )
    assert first == again != other
