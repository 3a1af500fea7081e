"""The cascade of styles: what a browser shows is read, whatever rule hid it before, and what it hides is not."""

import pytest

from gateway.html_text import html_to_text
from gateway.page_styles import hides

SHOWN = (
    "<style>.a{display:none} .a{display:block}</style><p class=a>pT4</p>",
    "<style>p.a{display:none !important; display:block !important}</style><p class=a>pT4</p>",
    "<style>#x{display:block} .a{display:none}</style><p class=a id=x>pT4</p>",
    "<style>p{display:none} body p.a{display:block} p{display:none}</style><p class=a>pT4</p>",
    "<style>.a{display:none}</style><p class=a style='display:block'>pT4</p>",
    "<style>.a{display:block !important}</style><p class=a style='display:none'>pT4</p>",
    "<style>.a{display:block}</style><p class=a hidden>pT4</p>",
    "<style>.a{display:none} .b, .a{display:inherit}</style><p class=a>pT4</p>",
    "<div style='visibility:hidden'><p style='visibility:visible'>pT4</p></div>",
    "<style>.row{font-size:0} .cell{font:bold 12px Arial}</style><div class=row><p class=cell>pT4</p></div>",
    "<table><tr><td style='font-size:0;line-height:0'><p style='font-size:13px'>pT4</p></td></tr></table>",
    "<style>.a{display:nothing; opacity:x; visibility:never}</style><p class=a>pT4</p>",
    "<style>p::before{display:none} p:hover{display:none} q, p::after{visibility:hidden}</style><p>pT4</p>",
    "<style>.a{display:none} @media (min-width:600px){.a{display:block}}</style><p class=a>pT4</p>",
    "<style>@media print{.a{display:none}}</style><style media=print>.a{display:none}</style><p class=a>pT4</p>",
    "<style>@media (max-width:600px){.a{display:none}}</style><p class=a>pT4</p>",
    "<style>p:not(.a){opacity:0} [class=b]{opacity:0}</style><p class=a>pT4</p>",
    "<style>.a{opacity:1;font-size:.8em;text-decoration:underline}</style><p class=a>pT4</p>",
)
HIDDEN = (
    "<style>.a{display:block} .a{display:none}</style><p class=a>pT4</p>",
    "<style>#x{display:none} .a{display:block}</style><p class=a id=x>pT4</p>",
    "<style>.a{display:none !important}</style><p class=a style='display:block'>pT4</p>",
    "<style>.a{display:none; display:nothing}</style><p class=a>pT4</p>",
    "<style>p:not(.b) , q{display:none}</style><p class=a>pT4</p>",
    "<style>@media screen{.a{display:none}} @media print, screen{.b{opacity:0}}</style><p class=a>pT4</p><p class=b>pT4</p>",
    "<style media='only screen'>.a{visibility:hidden}</style><p class=a>pT4<b>pT4</b></p>",
    "<style>.a{display:none} @media print{.a{display:block}}</style><p class=a>pT4</p>",
    "<div style='visibility:hidden'>pT4<p style='visibility:inherit'>pT4</p></div>",
    "<div style='font-size:0'><p style='font-size:2em'>pT4</p><input value=pT4></div>",
    "<div style='font:0/0 a'>pT4</div>",
    "<div style='display:none'><p style='display:block;visibility:visible'>pT4</p></div>",
    "<div style='opacity:0%'><p style='opacity:1'>pT4</p></div>",
    "<style>.old{text-decoration-line:line-through}</style><p class=old><b style='text-decoration:none'>pT4</b></p>",
    "<video>pT4</video><canvas>pT4</canvas><datalist><option selected>pT4</datalist>",
)


@pytest.mark.parametrize("shown", SHOWN)
def test_what_a_later_or_stronger_rule_shows_is_read(shown: str) -> None:
    """Importance, inline styles, specificity, order; what is invalid, conditional or for print hides nothing."""
    assert html_to_text(f"<body><h1>pT1c</h1>{shown}</body>") == "pT1c\npT4"


@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_the_winning_rule_hides_is_gone(hidden: str) -> None:
    """Nothing within an element that is not displayed comes back, nor what takes its size or visibility from around it."""
    assert html_to_text(f"<body><h1>pT1c</h1>{hidden}</body>") == "pT1c"


def test_an_invisible_cell_keeps_its_column() -> None:
    """It is seen as an empty cell, so the value beside it stays under its own label."""
    table = "<tr><th>ER<th>PR</tr><tr><td style='visibility:hidden'>positive<td>negative</tr>"
    assert html_to_text(f"<table>{table}</table>") == "PR: negative"


def test_a_class_lays_out_rows() -> None:
    """Rows and cells made of divs by a style sheet are lines."""
    sheet = "<style>.r{display:table-row}.c{display:table-cell}</style>"
    row = "<div class=r><div class=c>ER</div><div class=c>1 %</div></div>"
    assert html_to_text(sheet + row + row.replace("ER", "PR")) == "ER  1 %\nPR  1 %"


def test_an_inline_style_is_judged_alone() -> None:
    """As CDA's narrative has it, which knows no sheets."""
    assert hides("color:red; Display : NONE")
    assert not hides("display:none; display:inline")
