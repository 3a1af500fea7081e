"""Which sentences of a text are German."""

import pytest

from workers.privacy.privacy_rules import load_privacy_rules, words_of
from workers.privacy.sentence_language import GermanSentences

RULES = load_privacy_rules()


def _german(text: str) -> GermanSentences:
    return GermanSentences.of(text, words_of(text), RULES)


def test_each_sentence_is_judged_by_itself() -> None:
    """A German sentence in an English report is one, and the English ones around it are none."""
    text = "The tumor is seen in the margin. Frau Muster wurde wegen Schmerzen operiert. The nodes are free of tumor."
    german = _german(text)
    assert [german.hold(text.index(word)) for word in ("tumor", "Muster", "nodes")] == [False, True, False]
    assert not german.all


@pytest.mark.parametrize(
    ("text", "german"),
    [
        ("Der Tumor wurde entfernt.\nMusterhausen 12", True),
        ("Musterhausen 12", False),
        ("Schnittränder: R0\nMusterhausen", True),
    ],
)
def test_a_line_that_does_not_tell_is_as_the_whole_text(text: str, german: bool) -> None:
    """A line of names alone is German in a German text only, be it a form without a small word."""
    assert _german(text).hold(text.index("Muster")) is german
