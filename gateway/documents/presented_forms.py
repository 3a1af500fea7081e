"""Which presentedForm of several is read: all of one report say the same (FHIR requires it), so it is one.

| step | read and compared                                                            |
|------|------------------------------------------------------------------------------|
| 1    | text, HTML, CDA, RTF and the text layers of PDFs that came with the report    |
| 2    | the same by url, where step 1 gave less than a short report                   |
| 3    | scans: pictures, and PDFs without a text layer, where steps 1 and 2 gave less |

The one with the most letters is taken, and of those with about as many the first by `content_type.DocumentKind`, of one
kind the longest, unless another holds all that it tells and more: a stub such as "see attachment" never stands for the
report, nor does a text without its addendum. A form that cannot be read rejects the report only where no other can; it
is said either way. Forms that contradict each other reject it: only its sender can tell which of them holds. They do by
their words where these stand in the same place (gateway/documents/form_differences.py), else by what the pack's rules read of them
(gateway/documents/form_statements.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import structlog

from gateway.documents.attachments import Attachment, Attachments, came_along
from gateway.documents.content_type import DocumentKind, parse_content_type
from gateway.documents.form_differences import compare, shared_share
from gateway.documents.form_statements import Statements, read_statements
from gateway.documents.reader import DocumentReader, DocumentText
from gateway.fhir.parsing import ReportResources, Resource
from gateway.routing import takes
from schemas.errors import Code, Kind, SynopticError
from schemas.pack_loader import Pack

SHORT_REPORT_LETTERS = 200
ALIKE_SHARE = 0.8
_SAME_TEXT_SHARE = 0.85  # of the words of the shorter of two texts that are alike in length; reports share 0.82 at most
_ENOUGH_AGREEMENTS = 3  # statements that both make; so many tell that a text is the other worded anew
_PICTURES = frozenset({DocumentKind.TIFF, DocumentKind.PNG, DocumentKind.JPEG})
_SCANS = _PICTURES | {DocumentKind.PDF}
_PREFERENCE = {kind: rank for rank, kind in enumerate(DocumentKind)}
_log = structlog.get_logger(__name__)


def read_presented_form(
    forms: Sequence[Resource],
    resources: ReportResources,
    reader: DocumentReader,
    attachments: Attachments,
    packs: Sequence[Pack],
) -> DocumentText:
    """The text of the best form; raises the first form's reject where none can be read."""
    if len(forms) == 1:
        attachment = attachments.read(forms[0], resources)
        return reader.read(attachment.content, attachment.content_type)
    return _Choice(forms, resources, reader, attachments, packs).best()


class _Choice:
    """Opens the forms of one report, known by their numbers from 1, as far as it takes to choose."""

    def __init__(
        self,
        forms: Sequence[Resource],
        resources: ReportResources,
        reader: DocumentReader,
        attachments: Attachments,
        packs: Sequence[Pack],
    ) -> None:
        self._forms = dict(enumerate(forms, start=1))
        self._resources = resources
        self._reader = reader
        self._attachments = attachments
        self._packs = packs
        self._opened: dict[int, Attachment] = {}
        self._kinds: dict[int, DocumentKind] = {}
        self._texts: dict[int, DocumentText] = {}
        self._faults: dict[int, SynopticError] = {}
        self._statements: dict[int, Statements | None] = {}

    def best(self) -> DocumentText:
        """Read step by step until one form gives the text of a report, then choose."""
        here = [number for number, form in self._forms.items() if came_along(form, self._resources)]
        self._open(here)
        if not self._has_report():
            self._open([number for number in self._forms if number not in here])
        if not self._has_report():
            self._read((number for number, kind in self._kinds.items() if kind in _SCANS), scans=True)
        if not self._texts:
            raise self._faults[min(self._faults)]
        number, reason = self._choose()
        self._check_others(number)
        if self._kinds[number] is DocumentKind.PDF:  # so far, its text layer may be all that was read of it
            self._read([number], scans=True)
        known = tuple(dict.fromkeys(item for text in self._texts.values() for item in text.known))
        return replace(
            self._texts[number], notes=(*self._said(number, reason), *self._texts[number].notes), known=known
        )

    def _open(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            try:
                attachment = self._attachments.read(self._forms[number], self._resources)
                self._kinds[number] = parse_content_type(attachment.content_type).kind
                self._opened[number] = attachment
            except SynopticError as error:
                self._keep(number, error)
        self._read((number for number in numbers if self._kinds.get(number) not in _PICTURES), scans=False)

    def _read(self, numbers: Iterable[int], scans: bool) -> None:
        for number in [number for number in numbers if number in self._opened]:
            attachment, read = self._opened[number], self._reader.read if scans else self._reader.read_layer
            try:
                self._texts[number] = read(attachment.content, attachment.content_type)
                self._faults.pop(number, None)
            except SynopticError as error:
                self._keep(number, error)

    def _keep(self, number: int, error: SynopticError) -> None:
        if error.code.kind is not Kind.REJECT:
            raise error
        self._faults[number] = error

    def _has_report(self) -> bool:
        return any(_letters(text) >= SHORT_REPORT_LETTERS for text in self._texts.values())

    def _choose(self) -> tuple[int, str]:
        """The number of the form to take, and why."""
        letters = {number: _letters(text) for number, text in self._texts.items()}
        most = max(letters.values())
        alike = [number for number, count in letters.items() if count >= ALIKE_SHARE * most]
        ranked = sorted(alike, key=lambda number: (_PREFERENCE[self._kinds[number]], -letters[number], number))
        chosen = ranked[0]
        if len(letters) == 1:
            return chosen, "the only one read"
        for number in ranked[1:]:
            chosen = number if self._completes(number, chosen) else chosen
        if chosen != ranked[0]:
            return chosen, f"it holds all of form {ranked[0]} and more"
        return chosen, "it says the most" if len(alike) == 1 else "the best format of those that say the same"

    def _completes(self, number: int, other: int) -> bool:
        """Whether a form holds all that the other tells, and states more, as in an addendum; a letterhead is no more."""
        comparison = compare(self._texts[number].text, self._texts[other].text)
        stated, its = self._stated(number), self._stated(other)
        if stated is None or its is None or comparison.contradictions:
            return False
        return comparison.holds_all and stated.go_beyond(its)

    def _check_others(self, chosen: int) -> None:
        """Raise SYN-133 where another form contradicts the one to take; what OCR read is no proof."""
        digital = [
            number for number, text in self._texts.items() if not any(page.reader == "ocr" for page in text.pages)
        ]
        for number in sorted(digital) if chosen in digital else ():
            if number != chosen and (fault := self._disagreement(chosen, number)):
                numbers = f"forms {min(number, chosen)} and {max(number, chosen)}"
                raise SynopticError(Code.FORMS_CONTRADICT, f"{numbers} {fault}")

    def _disagreement(self, chosen: int, other: int) -> str:
        """How the other form contradicts the one to take; empty where it does not.

        An addendum to all that the other tells may revise it.
        """
        taken, another = self._texts[chosen], self._texts[other]
        stated, its = self._stated(chosen), self._stated(other)
        comparison = compare(taken.text, another.text)
        if comparison.contradictions:
            return f"differ in {_counted(comparison.contradictions, 'place')}"
        is_reworded = False
        if stated and its:
            is_revised = comparison.holds_all and stated.sections > its.sections
            if (excluding := stated.contradictions(its)) and not is_revised:
                return f"differ in {_counted(excluding, 'statement')}"
            is_reworded = stated.agreements(its) >= _ENOUGH_AGREEMENTS
        fewest, most = sorted((_letters(taken), _letters(another)))
        is_alike = fewest >= max(SHORT_REPORT_LETTERS, ALIKE_SHARE * most)
        if is_alike and not is_reworded and shared_share(taken.text, another.text) < _SAME_TEXT_SHARE:
            return "hold different texts"
        return ""

    def _stated(self, number: int) -> Statements | None:
        """What a form states, read once; None where no pack takes its words."""
        if number not in self._statements:
            text = self._texts[number].text
            pack = next((pack for pack in self._packs if takes(text, (), (), pack.definition.routing)), None)
            self._statements[number] = read_statements(text, pack) if pack else None
        return self._statements[number]

    def _said(self, chosen: int, reason: str) -> list[str]:
        """What is said of the choice: numbers, formats and reasons, never a word of the sender's."""
        said = [f"presentedForm {chosen} of {len(self._forms)} ({self._kinds[chosen].value}) was taken: {reason}"]
        for number, error in sorted(self._faults.items()):
            if number != chosen:
                _log.warning("one of several forms was not read", code=error.code.label)
                said.append(f"presentedForm {number} was not read: {error.code.label}")
        return said


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s'[: number - 1]}"


def _letters(document: DocumentText) -> int:
    return sum(character.isalnum() for character in document.text)
