"""Whatever bytes come: each reader gives a text that can be written, or a numbered reject; nothing else."""

from collections.abc import Callable

import pytest
from documents_made import LINES, image_of, pdf_of
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz_documents import TARGETS, seeds
from gateway.documents.charsets import decode_text
from gateway.documents.content_type import DocumentKind
from gateway.documents.form_differences import Comparison, compare
from gateway.documents.html_text import html_to_text
from gateway.documents.ocr_process import open_frame
from gateway.documents.pdf_pages import read_pages
from schemas.errors import Kind, SynopticError

EXAMPLES = settings(max_examples=40, derandomize=True, deadline=None)
STATEMENTS = "no not left right ER 95 % 0 2.3 cm 23 mm pT1c pT2 N0 (sn) : , - 3+ <1 tumor 1. May 2024 Page 1 of 2 .5"
PDF = pdf_of(LINES)
PNG = image_of(LINES[:1], height=80)


def mutated(data: bytes, at: int, taken: int, put: bytes) -> bytes:
    """The bytes, some of them replaced."""
    at %= len(data)
    return data[:at] + put + data[at + taken :]


def ends_well(read: Callable[[bytes], object], data: bytes) -> None:
    """It is read, or refused with the number of a reject."""
    try:
        read(data)
    except SynopticError as error:
        if error.code.kind is not Kind.REJECT:
            raise


@pytest.mark.parametrize("target", ["html", "xml", "rtf", "forms", "sheets", "charset", "attachment"])
@given(
    at=st.integers(0, 1 << 16),
    taken=st.integers(0, 8),
    put=st.binary(max_size=12),
    number=st.integers(0, 9),
)
@EXAMPLES
def test_a_damaged_text_format_is_a_text_or_a_reject(target: str, at: int, taken: int, put: bytes, number: int) -> None:
    """Sound documents with bytes of theirs replaced; the text stays in bounds and can be written as UTF-8."""
    sound = list(seeds(target))
    ends_well(TARGETS[target], mutated(sound[number % len(sound)], at, taken, put))


@given(at=st.integers(0, 1 << 16), taken=st.integers(0, 200), put=st.binary(max_size=20))
@EXAMPLES
def test_a_damaged_pdf_or_picture_is_read_or_a_reject(at: int, taken: int, put: bytes) -> None:
    """No byte that is wrong ends the process that opens it."""
    ends_well(read_pages, mutated(PDF, at, taken, put))
    ends_well(lambda data: open_frame(data, 0), mutated(PNG, at, taken, put))


@given(*[st.lists(st.sampled_from([*STATEMENTS.split(), "\n"]), max_size=30).map(" ".join)] * 2)
@EXAMPLES
def test_two_forms_contradict_each_other_in_either_order(one: str, other: str) -> None:
    """What holds of a form beside another holds of that one beside it, and a form agrees with itself."""
    assert compare(one, other).contradictions == compare(other, one).contradictions
    assert compare(one, one) == Comparison(0, True)


def test_repeated_words_contradict_each_other_in_either_order() -> None:
    """Which of two forms came first decided which of the same words were set side by side; found by fuzzing."""
    one, other = "A\n#A###1. no t o(0/3)", "A\n o (0)\nA\n1)2A:3A:3. tu nmoo"
    assert compare(one, other).contradictions == compare(other, one).contradictions


@given(st.text(st.characters(codec="cp1252", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60))
@EXAMPLES
def test_no_character_is_lost_between_writing_and_reading(text: str) -> None:
    """A declared charset gives back what was written, byte order marks aside; HTML shows every letter of a paragraph."""
    assert decode_text(text.encode(), DocumentKind.PLAIN, "utf-8").text == text
    letters = "".join(character for character in text if character.isalpha())
    assert html_to_text(f"<p>{letters}</p>") == letters


def test_a_guess_looks_at_the_letters_that_are_not_ascii() -> None:
    """However far behind plain English they stand."""
    text = "Left breast, pT2 pN0.\n" * 200_000 + "Größe des Tumors für Frau Müller: 2 cm"
    assert decode_text(text.encode("cp1252"), DocumentKind.PLAIN, None).text == text
