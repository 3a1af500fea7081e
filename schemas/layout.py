"""The shape of `layout` in a pack's pack.yaml: how forms and tables look whose answers stand apart from their labels."""

from typing import Self

from pydantic import model_validator

from schemas.frozen import Frozen
from schemas.patterns import compile_pattern


class TickStyle(Frozen):
    """One way to tick a box: the wording of a `ticked` and of an `empty` one.

    `beside`: what may be an empty box, but a blank or a tick as well, counts as one only beside a ticked one.
    `blank`: an empty one may lead from a label to a value, and is a box only in a list with others.
    """

    ticked: str
    empty: str
    beside: bool = False
    blank: bool = False


class FormLabel(Frozen):
    """A label of a form: its `words`, what its `answers` begin with (any, if not given), and what it `says` in short.

    An answer is written out behind `says`, or behind the label's own words where it says no more than they do.
    """

    words: str
    answers: str | None = None
    says: str = ""


class ColumnHead(Frozen):
    """The head of a table's column that describes one side or one focus, and the title of its answers."""

    words: str
    title: str


class LayoutRules(Frozen):
    """Forms whose answers stand apart from their labels.

    `ticks`: options of empty boxes are left out where a box of the same style is ticked. `labels`: where several stand in a row,
    and their answers in a row after them (or before them), each answer is put beside its label. `heads`: columns of a table,
    read one after the other. `options`: options that show as such even behind a lone blank. `no_answer`: what stands where any
    answer is missing; `page_breaks`: lines between two pages.
    """

    ticks: tuple[TickStyle, ...] = ()
    options: str = ""
    labels: tuple[FormLabel, ...] = ()
    heads: tuple[ColumnHead, ...] = ()
    first_head: str = ""
    no_answer: str = ""
    page_breaks: str = ""

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        patterns = [self.options, self.no_answer, self.page_breaks, self.first_head]
        patterns += [pattern for style in self.ticks for pattern in (style.ticked, style.empty)]
        patterns += [pattern for label in self.labels for pattern in (label.words, label.answers or "")]
        patterns += [head.words for head in self.heads]
        for pattern in patterns:
            compile_pattern(pattern)
        return self
