"""The cascade of styles: what a browser shows is read, whatever rule hid it before, and what it hides is not."""

import pytest

from gateway.documents.html_text import html_to_text
from gateway.documents.page_styles import hides

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
SHOWN_BY_COLOR = (
    "<table bgcolor=navy><tr><th style='color:white'>pT4</table>",
    "<style>thead{background:#003366 none;color:#fff}</style><table><thead><tr><th><b>pT4</b></thead></table>",
    "<div style='background-color:rgb(0 0 80)'><p><span style='color:#ffffffee'>pT4</span></p></div>",
    "<div style='background:url(x.png)'><font color=white>pT4</font></div>",
    "<div style='background:linear-gradient(#fff,#000)'><font color=white>pT4</font></div>",
    "<p style='color:var(--ink)'>pT4</p>",
    "<p style='color:white'><span style='color:black'>pT4</span></p>",
    "<div style='color:white'><p style='background:teal'>pT4</p></div>",
    "<p style='color:#777'>pT4</p>",
    "<p style='color:#fff;text-shadow:0 0 2px #000'>pT4</p>",
    "<div style='position:absolute;color:white'>pT4</div>",
    "<style>p{color:white} @media (min-width:1px){p{color:black}}</style><p>pT4</p>",
    "<style>@media (prefers-color-scheme:dark){p{background:#000;color:#fff}}</style><p>pT4</p>",
    "<style>html{background:#222}</style><p style='color:#fff'>pT4</p>",
    "<p style='color:blue;background:white'><a href=x>pT4</a></p>",
    "<div style='background:blue'><mark>pT4</mark></div>",
    "<div style='color:white'><input value=pT4></div>",
    "<font color=white><table><tr><td>pT4</table></font>",
    "<style>@media (min-width:600px){p{background:navy}} p{color:white}</style><p>pT4</p>",
    "<style>@supports (display:grid){p{background:navy}} p{color:white}</style><p>pT4</p>",
    "<p style='background:windowtext;color:white'>pT4</p>",
    "<div style='position:absolute;background:navy'></div><p style='position:relative;color:white'>pT4</p>",
    "<link rel='stylesheet' href=x.css><p style='color:white'>pT4</p>",
    "<style>@import url(x.css);</style><p style='background:black'>pT4</p>",
)
HIDDEN_BY_COLOR = (
    "<p style='color:white'>pT4</p>",
    "<p style='color:#FDFDFD'>pT4<b>pT4</b></p>",
    "<font color=FFFFFF>pT4</font>",
    "<p style='color:transparent'>pT4</p>",
    "<p style='color:rgba(0,0,0,0)'>pT4</p>",
    "<p style='color:rgb(0 0 0 / 2%)'>pT4</p>",
    "<table bgcolor='#000080'><tr><td><font color=navy>pT4</font></table>",
    "<div style='background:black'><p>pT4</p></div>",
    "<style>.a{color:#fff}</style><div style='background:#000'><p style='background:hsl(0,0%,100%)'><i class=a>pT4</i></p></div>",
    "<p style='color:white;background:transparent'>pT4</p>",
    "<link rel=stylesheet href=x.css><p style='background:white no-repeat 0 0;color:white'>pT4</p>",
)
SHOWN_IN_PLACE = (
    "<p style='position:absolute;left:-20px'>pT4</p>",
    "<p style='left:-9999px'>pT4</p>",
    "<p style='position:absolute;left:9999px'>pT4</p>",
    "<p style='text-indent:-2em;padding-left:2em'>pT4</p>",
    "<div style='text-indent:-9999px'><p style='text-indent:0'>pT4</p></div>",
    "<p style='clip:rect(0,0,0,0)'>pT4</p>",
    "<p style='clip-path:inset(5%)'>pT4</p>",
    "<p style='height:0'>pT4</p>",
    "<p style='overflow:hidden;height:20px'>pT4</p>",
    "<p><span style='height:0;overflow:hidden'>pT4</span></p>",
    "<table><tr><td style='height:1px;overflow:hidden'>pT4</table>",
    "<div style='height:0;padding-bottom:56%;overflow:hidden'>pT4</div>",
    "<p style='transform:scale(0.9)'>pT4</p>",
    "<style>p{position:absolute;left:-9999px} @media (min-width:600px){p{position:static}}</style><p>pT4</p>",
    "<p style='font-size:6px'>pT4</p>",
)
HIDDEN_OUT_OF_PLACE = (
    "<p style='position:absolute;left:-9999px'>pT4</p>",
    "<p style='position:fixed;top:-1000em'><b>pT4</b></p>",
    "<p style='margin-left:-5000px'>pT4</p>",
    "<p style='text-indent:-9999px;white-space:nowrap'>pT4</p>",
    "<p style='position:absolute;clip:rect(0 0 0 0)'>pT4</p>",
    "<p style='position:absolute;clip:rect(1px, 1px, 1px, 1px)'>pT4</p>",
    "<p style='clip-path:inset(50%)'>pT4</p>",
    "<p style='clip-path:polygon(0 0, 0 0, 0 0, 0 0)'>pT4</p>",
    "<p style='transform:scale(0)'>pT4</p>",
    "<div style='height:0;overflow:hidden'><p>pT4</p></div>",
    "<div style='max-height:0px;overflow-y:hidden'>pT4</div>",
    "<span style='position:absolute;width:1px;height:1px;padding:0;overflow:hidden'>pT4</span>",
    "<p style='font-size:1px'>pT4</p>",
    "<style>.sr{position:absolute!important;left:-10000px}</style><p class=sr style='position:static'>pT4</p>",
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


@pytest.mark.parametrize("shown", [*SHOWN, *SHOWN_BY_COLOR, *SHOWN_IN_PLACE])
def test_what_a_later_or_stronger_rule_shows_is_read(shown: str) -> None:
    """Importance, inline styles, specificity, order; what is invalid, conditional or for print hides nothing."""
    assert html_to_text(f"<body><h1>pT1c</h1>{shown}</body>") == "pT1c\npT4"


@pytest.mark.parametrize("hidden", [*HIDDEN, *HIDDEN_BY_COLOR, *HIDDEN_OUT_OF_PLACE])
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
    assert hides("color:white; background:#fff")
    assert not hides("color:white")
    assert not hides("display:none; display:inline")
