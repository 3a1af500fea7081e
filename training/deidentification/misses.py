"""Each identifier that was left and each removal that was none, with its words: for whoever improves the rules.

What stands in a held-out carrier or text is left out, so that rules are not tuned to what judges them.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from training.deidentification.annotated import AnnotatedText
from training.deidentification.carriers import HELD_OUT
from training.deidentification.verdicts import Verdicts

_AROUND = 60


def miss_lines(verdicts: Verdicts, texts: Sequence[AnnotatedText]) -> Iterator[dict[str, Any]]:
    """One line a mark of which something was left (those that Safe Harbor does not name apart), and a false removal."""
    for one in verdicts.marks:
        mark = one.mark
        if mark.harbor is not None and not one.found and not (mark.group == HELD_OUT or texts[one.text].held_out):
            yield {
                "set": verdicts.name,
                "missed": mark.harbor.title,
                "label": mark.label,
                "known": mark.known,
                "spelling": mark.spelling or None,
                "characters_left": one.characters - one.removed,
                **_words(texts[one.text].text, mark.start, mark.end),
            }
    for removal in verdicts.removals:
        held_out = removal.group == HELD_OUT or texts[removal.text].held_out
        if not (removal.right or removal.own or held_out):
            place = _words(texts[removal.text].text, removal.start, removal.end)
            yield {"set": verdicts.name, "false": removal.tag, **place}


def _words(text: str, start: int, end: int) -> dict[str, str]:
    return {
        "before": text[max(0, start - _AROUND) : start],
        "words": text[start:end],
        "after": text[end : end + _AROUND],
    }
