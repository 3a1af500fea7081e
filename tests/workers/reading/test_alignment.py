"""Pairing labels and answers in order."""

from workers.reading.alignment import align


def test_equal_lists_pair_in_turn() -> None:
    """As many answers as labels, each of which fits, pair one by one."""
    assert align([[1, 1], [1, 1]]) == [(0, 0), (1, 1)]


def test_a_missing_answer_leaves_its_label_alone() -> None:
    """What fits decides which label has no answer."""
    assert align([[3, 0], [0, 0], [0, 3]]) == [(0, 0), (2, 1)]


def test_what_follows_the_last_answer_is_free() -> None:
    """Further cells after the answers change nothing."""
    assert align([[3, 0, 1, 1], [0, 3, 1, 1]]) == [(0, 0), (1, 1)]


def test_a_row_with_two_partners_is_left_out() -> None:
    """Where two alignments are as good, a label that differs between them gets no answer."""
    assert align([[3, 0], [0, 1], [0, 1]]) == [(0, 0)]


def test_nothing_pairs_with_nothing() -> None:
    """Empty lists have no pairs."""
    assert align([]) == []
    assert align([[]]) == []
