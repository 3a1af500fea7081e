"""HTML to text: tables, lists and fields read as they look, what is hidden or struck out is gone, cut files are refused."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.documents.html_text import html_to_text
from gateway.documents.text_writer import TextWriter
from schemas.errors import Code, SynopticError


@pytest.mark.parametrize(
    ("table", "lines"),
    [
        ("<tr><td>ER</td><td>positive</td></tr><tr><td>PR</td><td></td><td>negative</td></tr>", ["ER  positive", "PR  negative"]),
        ("<tr><th>ER</th><td>positive</td></tr><tr><th>PR</th><td>negative</td></tr>", ["ER  positive", "PR  negative"]),
        ("<tr><th>ER</th><th>PR</th></tr><tr><td>positive</td><td>negative</td></tr>", ["ER: positive  PR: negative"]),
        (
            "<thead><tr><td>Part</td><td>ER:</td><td>PR</td></tr></thead><tr><td>A</td><td>positive</td><td>negative</td></tr>"
            "<tr><td>B</td><td>&nbsp;</td><td>positive</td></tr>",
            ["Part: A  ER: positive  PR: negative", "Part: B  PR: positive"],
        ),
        (
            "<tr><th></th><th>ER</th><th>PR</th></tr><tr><th>A</th><td>positive</td><td>negative</td></tr>",
            ["A  ER: positive  PR: negative"],
        ),
        (
            "<tr><th>Part</th><th>Marker</th><th>Result</th></tr><tr><td rowspan=2>A</td><td>ER</td><td>positive</td></tr>"
            "<tr><td>PR</td><td>negative</td></tr><tr><td>B</td><td>ER</td><td>negative</td></tr>",
            ["Part: A  Marker: ER  Result: positive", "Marker: PR  Result: negative", "Part: B  Marker: ER  Result: negative"],
        ),
        (
            "<tr><th>ER</th><th>PR</th></tr><tr><td colspan=2>not performed</td></tr><tr><td>positive</td><td>negative</td></tr>",
            ["ER  PR", "not performed", "ER: positive  PR: negative"],
        ),
        ("<tr><th colspan=2>Receptors</th></tr><tr><td>ER</td><td>positive</td></tr>", ["Receptors", "ER  positive"]),
        ("<tr><th>ER</th><th>PR</th></tr>", ["ER  PR"]),
        ("<tr><th>ER</th><th>positive</th></tr><tr><th>PR</th><th>negative</th></tr>", ["ER  positive", "PR  negative"]),
        (
            "<thead><tr><th>Part</th><th>ER</th><th>PR</th></tr></thead><tbody><tr><td rowspan=9>A</td><td>positive</td>"
            "<td>negative</td></tr></tbody><tbody><tr><td>B</td><td>negative</td><td>positive</td></tr></tbody>",
            ["Part: A  ER: positive  PR: negative", "Part: B  ER: negative  PR: positive"],
        ),
        (
            "<tr><th>Part</th><th>ER</th></tr><tr><td rowspan=0>A</td><td>positive</td></tr><tr><td>negative</td></tr>",
            ["Part: A  ER: positive", "ER: negative"],
        ),
        (
            "<tr><th>Part</th><th>ER</th><th>PR</th></tr><tr><td>A</td><td rowspan=2>positive</td><td>negative</td></tr>"
            "<tr><td colspan=2>B</td><td>1 %</td></tr><tr><td colspan=0>C</td><td>2 %</td><td>3 %</td></tr>",
            ["Part: A  ER: positive  PR: negative", "B  PR: 1 %", "Part: C  ER: 2 %  PR: 3 %"],
        ),
        (
            "<tr><td>Left<table><tr><th>ER</th><th>PR</th></tr><tr><td>positive</td><td>negative</td></tr></table></td>"
            "<td>breast</td></tr>",
            ["Left", "ER: positive  PR: negative", "breast"],
        ),
        (
            "<tr><th rowspan=2>Part</th><th colspan=2>Receptors</th><th rowspan=2>HER2</th></tr><tr><th>ER</th><th>PR</th></tr>"
            "<tr><td>A</td><td>positive</td><td>negative</td><td>0</td></tr>",
            ["Part  Receptors  HER2", "Part: A  ER: positive  PR: negative  HER2: 0"],
        ),
        ("<tr><td>ER<br>PR<td><p>positive<p>negative</tr>", ["ER  positive", "PR  negative"]),
        (
            "<tr><th>Marker</th><th>Result</th></tr><tr><td>ER<br>PR</td><td>positive<br>negative</td></tr>",
            ["Marker: ER  Result: positive", "PR  negative"],
        ),
        (
            "<tr><td>Left:<br>ER: positive</td><td>Right:<br>ER: negative</td></tr>",
            ["Left:", "ER: positive", "Right:", "ER: negative"],
        ),
        ("<tr><td>Nodes<td>one<br>two<td>left</tr>", ["Nodes  one", "two", "left"]),
    ],
)  # fmt: skip
def test_a_value_stands_beside_its_label(table: str, lines: list[str]) -> None:
    """A row is one line, and the cells of a header row are labels of what stands below them."""
    assert html_to_text(f"<p>Left breast</p><table>{table}</table><p>pT2</p>").split("\n") == [
        "Left breast",
        *lines,
        "pT2",
    ]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<ol><li>Left breast<li>Right breast<li value=7>Node</ol>pT2", "1. Left breast\n2. Right breast\n7. Node\npT2"),
        ("<ol type=A start=2><li>Left breast</li><li>Node</li></ol>", "B. Left breast\nC. Node"),
        ("<ul><li><p>ER</p><ul><li>positive</li></ul></li><li></li></ul>pT2", "- ER\n- positive\npT2"),
        ("<dl><dt>ER</dt>\n<dd>positive</dd><dt>PR:</dt><dd>negative</dd><dd>0 %</dd></dl>", "ER: positive\nPR: negative\n0 %"),
        ("<div><div style='display:inline-block'>ER</div> <div style='display: inline'>positive</div></div>", "ER positive"),
        (
            "<div style='display:table-row'><div style='display:table-cell'>ER</div><div style='display:table-cell'>1 %</div></div>",
            "ER  1 %",
        ),
        ("2&nbsp;cm &ge;&#32;1&#x25; &alpha;&shy;<br>p<b>T</b>2<br><br>pN0", "2 cm ≥ 1% α\npT2\n\npN0"),
        ("ER:&nbsp;&nbsp;positive<p>&nbsp;</p>PR", "ER:  positive\nPR"),
        ("<input type=checkbox checked> Left <input type=radio> Right <input value='2 cm'><input type=hidden value=x> <input type=tel value=4>", "[x] Left [ ] Right 2 cm 4"),
        ("<select><option>0<option selected>2+</select>", "2+"),
        ("<p><span style='font-family:Symbol;mso-char-type:symbol'><i>\xb3</i></span>1 <font face=Symbol>m</font>m<sup>2</sup>\xb3", "≥1 μm2\xb3"),
        ("<style>.c{font:10.0pt Wingdings} b{font-family:'Segoe UI Symbol'}</style><span class=c>\xfe</span> left <b>m</b>", "☑ left m"),
        ("<span style='font-family:Symbol'>\uf0b7<span style='font:7.0pt \"Times New Roman\"'>&nbsp; a</span></span>", "•  a"),
    ],
)  # fmt: skip
def test_lists_terms_and_fields_read_as_they_look(html: str, text: str) -> None:
    """Numbers and letters of items stand, a term is beside its description, fields show what was filled in."""
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    "hidden",
    [
        "<p style='visibility: hidden'>pT4</p>",
        "<p hidden=''>pT4</p>",
        "<span style='mso-hide:all'>pT4</span>",
        "<span style='font-size:0px'>pT4</span>",
        "<span style='opacity:0.0'>pT4</span>",
        "<del>pT4</del>",
        "<s>pT4</s>",
        "<span style='text-decoration: line-through'>pT4</span>",
        "<style>.old, #x { color: red; display: none }</style><p class=old>pT4</p><p id=x>pT4</p>",
        "<style><!-- .old{visibility:hidden} --></style><p class=old>pT4</p>",
        "<noscript>pT4</noscript><svg><text>pT4</text></svg><object>pT4</object><iframe>pT4</iframe>",
        "<dialog>pT4</dialog><progress>pT4</progress><meter>pT4</meter>",
    ],
)
def test_what_nobody_sees_or_was_struck_out_is_gone(hidden: str) -> None:
    """Attributes, inline styles, the document's own style sheet and struck-out words."""
    assert html_to_text(f"<body><p>pT1c</p>{hidden}<p>pN0</p></body>") == "pT1c\npN0"


def test_what_the_screen_shows_is_read() -> None:
    """A screen reader's silence, a rule for print, a small font and half opacity hide nothing from a person."""
    shown = (
        "<style>@media print { p { display: none } } :::{display:none}</style><p aria-hidden=true>pT1c</p>"
        "<p style='font-size:0.8em'>pN0</p><p style='opacity:0.5'>G2</p>"
    )
    assert html_to_text(shown) == "pT1c\npN0\nG2"


def test_xhtml_closes_what_html_would_leave_open() -> None:
    """An empty script or title swallows nothing, and CDATA is text."""
    xhtml = (
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="x.js"/></head>'
        "<body><div class='a'/><p>pT1c<br/></p><![CDATA[Ki-67 < 10 %]]></body></html>"
    )
    assert html_to_text(xhtml) == "pT1c\nKi-67 < 10 %"


@pytest.mark.parametrize(
    "cut",
    [
        "<html><body><p>pT1c</p><p>ER pos",
        "<p>pT1c</p><td cla",
        "<p>pT1c</p><!-- to be",
        "<p>pT1c</p></",
        "<p>pT1c</p><a href='x",
    ],
)
def test_a_document_that_breaks_off_is_refused(cut: str) -> None:
    """Half of a report would be coded as if it were whole."""
    with pytest.raises(SynopticError) as caught:
        html_to_text(cut)
    assert caught.value.code is Code.CUT_DOCUMENT


@pytest.mark.parametrize("whole", ["<p>pT1c", "<html><p>pT1c", "Ki-67 < 10 %", "<body>pT1c</body>", "pT1c<br>"])
def test_a_document_without_optional_tags_is_whole(whole: str) -> None:
    """HTML lets many tags be left out, and a sign for less is no tag."""
    assert html_to_text(whole)


_TAGS = st.sampled_from(["table", "tr", "td", "th", "thead", "ul", "ol", "li", "dt", "dd", "p", "br", "pre", "x"])
_STEPS = st.one_of(
    st.tuples(st.just("text"), st.sampled_from(["a", " ", " b ", "\n", "\xa0", "c d"])),
    st.tuples(st.just("enter"), _TAGS, st.dictionaries(st.sampled_from(["colspan", "rowspan", "start", "value"]), st.sampled_from(["2", "x", "0", "9999", ""]))),
    st.tuples(st.just("leave")),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(_STEPS, max_size=40))
@example([("enter", "tr", {}), ("text", "a"), ("enter", "td", {}), ("enter", "td", {}), ("text", "a")])
def test_no_nesting_of_elements_breaks_the_writer_or_loses_a_word(steps: list[tuple]) -> None:
    """Cells without rows, rows without tables, headers without values: each word of the text stands in the result."""
    writer, open_tags, words = TextWriter(), [], []
    for step in steps:
        match step:
            case ("text", content):
                writer.text(content)
                words += content.split()
            case ("enter", tag, attributes):
                writer.enter(tag, attributes)
                open_tags.append(tag)
            case _:
                if open_tags:
                    writer.leave(open_tags.pop())
    for tag in reversed(open_tags):
        writer.leave(tag)
    result = writer.result()
    assert all(result.count(word) >= words.count(word) for word in words)


def test_long_and_deep_documents_take_time_in_proportion() -> None:
    """Ten thousand rows under one header, and lists in lists, are written once each."""
    rows = "<tr><td>ER</td><td>positive</td></tr>" * 10_000
    text = html_to_text(f"<table><tr><th>Marker</th><th>Result</th></tr>{rows}</table>")
    assert text.count("Marker: ER  Result: positive") == 10_000


PIECES = 50_000


@pytest.mark.parametrize(
    "html",
    [
        '<?xml version="1.0"?><p>seen</p>' + "<![CDATA[" * PIECES,
        "<!DOCTYPE html [" * PIECES + "<p>seen",
        '<p>seen<i style="' + "text-decoration:" * PIECES + '"></i>',
        '<p>seen<i style="' + "text-decoration" * PIECES + '"></i>',
        '<p>seen<i style="opacity:' + "0" * PIECES * 10 + '1"></i>',
        "<style>" + "/*" * PIECES + "</style><p>seen",
        "<style>" + "@a" * PIECES + "</style><p>seen",
        "<style>" + "a" * PIECES * 10 + "</style><p>seen",
        "<style>" + "a{" * PIECES + "</style><p>seen",
        "<p>seen" + "<br>" * PIECES + "<p>end",
        "<table>" + "<tr>" + "<td rowspan=100 colspan=100>" * 300 + "<tr><td>" * PIECES + "seen",
    ],
)
def test_what_is_left_open_costs_one_look(html: str) -> None:
    """Markup that opens and never closes is read in time that grows as its length: a second look each would take hours."""
    assert "seen" in html_to_text(html)


def test_a_cell_within_cells_is_copied_once_at_most() -> None:
    """Each of the cells around a long text would hold it again."""
    depth = 400
    text = "word " * 20_000
    assert html_to_text("<table><tr><td>" * depth + text).strip() == text.strip()


@pytest.mark.parametrize(
    "markup", ["<?xml:namespace prefix = o ns = 'urn:x' />", "<?x>", "<table><?th><tr><td></table>"]
)
def test_processing_instructions_are_nothing_to_read(markup: str) -> None:
    """Word writes them into HTML; they have no tag. Found by fuzzing."""
    assert html_to_text(f"<p>seen{markup}</p>").strip() == "seen"


def test_rules_of_a_style_sheet_hold_in_any_company() -> None:
    """Comments within comments, imports before, conditions around, one rule left open."""
    sheet = (
        "/* a /* .a{} */@import url(x);.a{display:none}@media print{.b{display:none}}.c{color:red}.d{opacity:0.0}.e{"
    )
    html = f"<style>{sheet}</style>" + "".join(f"<p class={name}>{name}</p>" for name in "abcde")
    assert html_to_text(html).split() == ["b", "c", "e"]
    assert html_to_text("<p style='opacity:0.5'>seen</p><p style='font-size: .0'>gone</p>").split() == ["seen"]
