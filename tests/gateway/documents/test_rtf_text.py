r"""RTF to text: tables, escapes, Unicode, symbols; what is hidden, deleted or embedded is gone; cut files are refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.documents.rtf_text import rtf_to_text
from schemas.errors import Code, SynopticError

FONTS = (
    r"{\fonttbl{\f0\fswiss\fcharset0 Arial;}{\f1\froman\fcharset2{\*\panose 05}Symbol;}{\f2\fcharset2 Wingdings;}"
    r"{\f3\fcharset238 Arial CE{\*\falt x};}}"
)


def read(body: str, fonts: str = FONTS) -> str:
    """The text of a document with that body."""
    return rtf_to_text(rf"{{\rtf1\ansi\ansicpg1252\deff0{fonts}{body}}}".encode("latin-1"))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"ER\column PR\line\tab 2\~cm\par\par pT2", "ER\nPR\n\t2 cm\n\npT2"),
        (r"M\'fcller \'96 \'93x\'94 \endash\emdash \bullet", "Müller – “x” –—•"),
        ("Müller 2 cm", "Müller 2 cm"),
        (r"\u8805?\u-3917 ?10\uc2\u181\'b5\'b5m \uc0\u252x", "≥≥10µm üx"),
        (r"\u-10179?\u-8704?", "😀"),
        (r"{\f1 \'b3}10 {\f1 m}m \f1\'a3\f0 5\plain \'b3", "≥10 μm ≤5³"),
        (r"{\f2\'fe} left {\f2\'a8} right", "☑ left ☐ right"),
        (r"{\f3 \'b3\'bf}", "łż"),
        (r"opt\-ional non\_breaking \{x\} a\\b", "optional non-breaking {x} a\\b"),
        ("ER\n posi\r\ntive", "ER positive"),
    ],
)  # fmt: skip
def test_characters_are_what_a_reader_sees(body: str, text: str) -> None:
    r"""\'xx in the font's character set, \u with its fallback, symbols as what they show, no soft hyphens."""
    assert read(body) == text


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (r'{\*\fldinst SYMBOL 179 \\f "Symbol" \\s 11}{\fldrslt\f1\fs22}', "≥"),
        (r"{\*\fldinst { SYMBOL 61692 \\f Wingdings}}{\fldrslt {\f2 x}}", "✓"),
        (r'{\*\fldinst SYMBOL 0x52 \\f "Wingdings 2"}', "☑"),
        (r"{\*\fldinst SYMBOL 8805 \\u}", "≥"),
        (r"{\*\fldinst FORMCHECKBOX {\*\formfield{\fftype1\ffres1{\*\ffname x}\ffdefres0}}}{\fldrslt }", "[x]"),
        (r"{\*\fldinst FORMCHECKBOX {\*\datafield 65}{\*\formfield{\fftype1\ffres25\ffdefres0}}}{\fldrslt }", "[ ]"),
        (
            r"{\*\fldinst FORMDROPDOWN {\*\formfield{\fftype2\ffres1{\*\ffl left}{\*\ffl h\'f6her \u8805?1}}}}{\fldrslt }",
            "höher ≥1",
        ),
        (r"{\*\fldinst FORMDROPDOWN {\*\formfield{\fftype2\ffres9{\*\ffl left}}}}{\fldrslt right}", "right"),
        (r"{\*\fldinst FORMTEXT {\*\formfield{\fftype0{\*\ffdeftext 1}}}}{\fldrslt 23 mm}", "23 mm"),
        (r'{\*\fldinst HYPERLINK "http://x"}{\fldrslt here}', "here"),
    ],
)
def test_a_field_shows_its_result_or_what_word_draws_without_one(field: str, text: str) -> None:
    """Symbols, boxes and choices of forms have no result in Word's files, and say what was meant all the same."""
    assert read(rf"ER {{\field{field}}} 20 %") == f"ER {text} 20 %"


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (r"\trowd\cellx1\cellx2\intbl ER\cell positive\cell\row\intbl PR\cell\cell\row\pard pT2", ["ER  positive", "PR", "pT2"]),
        (r"\trowd\intbl ER | PR\cell 1\par 2\cell\row", ["ER | PR  1", "2"]),
        (
            r"\trowd\trhdr\intbl Marker\cell Result:\cell\row\trowd\intbl ER\cell positive\cell\row\intbl PR\cell\cell\row\pard pT2",
            ["Marker: ER  Result: positive", "Marker: PR", "pT2"],
        ),
        (r"\trowd\trhdr\intbl ER\cell PR\cell\row\pard pT2", ["ER  PR", "pT2"]),
        (r"\trowd\intbl A\par{\itap2 ER\nestcell positive\nestcell{\*\nesttableprops\nestrow}{\nonesttables\par}}\cell B\cell\row", ["A", "ER  positive", "B"]),
        (r"\trowd\pard\intbl ER\par PR\cell positive\par negative\cell\row\pard pT2", ["ER  positive", "PR  negative", "pT2"]),
        (r"\trowd\intbl ER\cell positive\cell", ["ER  positive"]),
        (r"{\pntext\f0 A.\tab}Left breast\par{\listtext 2)\tab}Node", ["A.\tLeft breast", "2)\tNode"]),
    ],
)  # fmt: skip
def test_a_row_is_a_line(body: str, lines: list[str]) -> None:
    """Cells stand apart by two spaces, a header row labels the cells below it, numbers of items stay."""
    assert [line.rstrip() for line in read(body).split("\n") if line] == lines


@pytest.mark.parametrize(
    "gone",
    [
        r"{\v pT4}",
        r"\v pT4\v0 ",
        r"{\deleted pT4}",
        r"{\strike pT4}",
        r"\striked1 pT4\striked0 ",
        r"\v pT4\plain ",
        r"{\*\annotation pT4}",
        r"{\info{\title pT4}{\author pT4}}",
        r"{\header pT4}{\footerl pT4}",
        r"{\pict\pngblip 70543470}",
        r"{\pict\wmetafile8\bin9 pT4}{\pT4}",
        r"{\object{\*\objdata 70543470}{\result pT4}}",
        r"{\*\unknowndestination pT4}",
        r"{\field{\*\fldinst HYPERLINK pT4}{\fldrslt }}",
        r"{\stylesheet{\s1 pT4;}}",
        r"{\shp{\*\shpinst{\sp{\sn pT4}{\sv pT4}}}{\shprslt pT4}}",
        r"{\colortbl;\red0;}",
    ],
)
def test_what_is_not_shown_or_no_longer_holds_is_gone(gone: str) -> None:
    """Hidden, deleted and struck-out text, comments, properties, pictures, objects, field codes, page headers."""
    assert read(rf"pT1c {gone}pN0").split() == ["pT1c", "pN0"]


@pytest.mark.parametrize(
    "shown",
    [
        r"{\field{\*\fldinst FORMTEXT {\*\formfield{\fftype0}}}{\fldrslt pT1c}}",
        r"{\shp{\*\shpinst{\sp{\sn x}{\sv 1}}{\shptxt pT1c\par}}{\shprslt{\*\do pT4}}}",
        r"{\upr{pT1c}{\*\ud{pT1c}}}",
        r"{\footnote pT1c}",
        r"{\b pT1{\i c}}",
        r"\revised pT1c",
    ],
)
def test_what_is_shown_is_read_once(shown: str) -> None:
    """Fields' results, text boxes, footnotes and inserted words."""
    assert read(shown).strip() == "pT1c"


@pytest.mark.parametrize("cut", [r"{\rtf1 pT1c", r"{\rtf1 {\b pT1c}", r"{\rtf1 pT1c\'f", r"{\rtf1{\pict\bin99 x}"])
def test_a_document_that_breaks_off_is_refused(cut: str) -> None:
    """Half of a report would be coded as if it were whole."""
    with pytest.raises(SynopticError) as caught:
        rtf_to_text(cut.encode())
    assert caught.value.code is Code.CUT_DOCUMENT


def test_documents_joined_end_to_end_are_all_read() -> None:
    """Some systems send an addendum behind its report, and bytes behind the last brace."""
    assert rtf_to_text(rb"{\rtf1 pT1c\par}junk{\rtf1 pN0}" + b"\x00\n") == "pT1c\npN0"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([
    "{", "}", "\\", r"\'e4", r"\u-1?", r"\u55357 ", r"\bin3 ", r"\cell", r"\row ", r"\trhdr", r"\par ", r"\f1 ", r"\f9 ", r"\*",
    r"{\fonttbl", r"\fcharset2 ", r"\ansicpg0", r"\ansicpg99999999", r"\uc-5 ", r"\deff1", "x", "ö", "\n", r"\v ", r"\plain",
])))  # fmt: skip
def test_no_sequence_of_tokens_breaks_the_reader(tokens: list[str]) -> None:
    """Any RTF whose groups are closed ends in a text that can be encoded."""
    body = "".join(tokens) + r"\bin0 "
    assert rtf_to_text(("{\\rtf1" + body + "}" * (1 + body.count("{"))).encode("latin-1")).encode() is not None
