"""Behaviour of finding copies of one template."""

import random

from training.reports.near_duplicates import Groups, near_duplicates, normalised, shingles, signature

FORM = (
    "Synoptic report. Procedure: mastectomy of the {side} breast. Tumor size {size} cm in greatest dimension. "
    "Histologic type: invasive ductal carcinoma. Margins are free of carcinoma, the closest is the deep margin. "
    "Lymph nodes examined: {nodes}. Lymphovascular invasion is not identified. Additional findings: fibrocystic change."
)


def test_numbers_are_one_word() -> None:
    """What is filled into a form does not make another form of it."""
    assert normalised("Tumor size: 2.5 x 1 cm, 3/13 nodes") == "tumor size # x # cm # nodes"


def test_a_short_text_is_one_shingle() -> None:
    """A text of fewer words than a shingle is still compared."""
    assert shingles("Breast.") == {"breast"}
    assert shingles("") == {""}


def test_two_fillings_of_a_form_are_near_duplicates_and_other_texts_are_not() -> None:
    """Values and a side differ; the template is the same."""
    words = random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=80)
    texts = [
        FORM.format(side="left", size="2.5", nodes="0/13"),
        " ".join(word * 3 for word in words),
        FORM.format(side="right", size="1.1", nodes="2/4"),
    ]
    assert set(near_duplicates([signature(text) for text in texts])) == {(0, 2)}


def test_signatures_are_the_same_in_every_run() -> None:
    """They hang neither on the order of a set nor on a process's seed of hashes."""
    assert signature("tumor size two cm").tolist()[:3] == [1835942920, 85508018, 581894939]


def test_groups_join_through_shared_members() -> None:
    """What is joined to one of a group is joined to all of it; what was never joined stands alone."""
    groups = Groups()
    groups.join(("a", "b"))
    groups.join(("c", "d"))
    groups.join(("b", "c"))
    assert len({groups.of(member) for member in "abcd"}) == 1
    assert groups.of("e") == "e"
