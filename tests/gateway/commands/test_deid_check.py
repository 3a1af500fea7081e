"""`synoptic deid check`: what was removed and why, in the terminal and on a reviewer's page."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import build_app
from gateway.display.removal_page import COLOURS, review_page
from gateway.display.removal_review import STYLES, Review
from schemas.errors import Code, SynopticError
from workers.privacy.deidentify import TAGS, Removed

REPORT = {
    "resourceType": "DiagnosticReport",
    "identifier": [{"system": "urn:lab", "value": "S24-001234"}],
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "11526-1"}]},
    "subject": {"reference": "Patient/1", "display": "Quilla Featherby"},
    "issued": "2024-03-05T10:00:00Z",
    "conclusion": "Featherby, seen by Dr. Testperson on 03/07/2014.",
}


class _Page(HTMLParser):
    """Collects the tags of a page, and the text of its two columns."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def _run(*arguments: str):
    return CliRunner().invoke(build_app("deid"), ["deid", "check", *arguments])


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Run where no settings file lies."""
    monkeypatch.chdir(tmp_path)


def test_the_terminal_shows_what_went_and_what_gave_it_away(tmp_path: Path) -> None:
    """What the resource knows is told from what a rule finds, and the rule is named; without a terminal brackets take the colours' place."""
    path = tmp_path / "report.json"
    path.write_text(json.dumps(REPORT))
    result = _run(str(path))
    assert result.exit_code == 0, result.output
    assert (
        "⟦NAME, known: Featherby⟧, seen by Dr. ⟦NAME, context:signature: Testperson⟧ "
        "on ⟦DATE, pattern:date-numbers: 03/07/2014⟧." in result.stdout
    )
    assert result.stderr.startswith("report.json: 3 removed (")


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    """A report cannot steer the terminal of who reviews it."""
    path = tmp_path / "note.txt"
    path.write_text("benign\x1b[31m tissue")
    assert "\x1b" not in _run(str(path)).stdout


def test_a_rejected_file_is_named_and_the_others_are_shown(tmp_path: Path) -> None:
    """One line with its number on standard error, exit status 1; the next file is still shown."""
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "good.txt").write_text("Seen on 03/07/2014.")
    result = _run("bad.json", "good.txt", "missing.txt")
    assert result.exit_code == 1
    assert "⟦DATE, pattern:date-numbers: 03/07/2014⟧" in result.stdout
    assert "bad.json: SYN-101" in result.stderr
    assert "missing.txt: SYN-" in result.stderr


def test_the_page_is_for_its_writer_alone_and_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    """It warns at its head, forbids scripts and other hosts, and only its owner may read the file."""
    (tmp_path / "note.txt").write_text("Dr. <script>alert(1)</script> Testperson, seen on 03/07/2014 & later")
    result = _run("note.txt", "--html", "page.html")
    assert result.exit_code == 0, result.output
    assert "03/07/2014" not in result.stdout + result.stderr
    path = tmp_path / "page.html"
    assert path.stat().st_mode & 0o077 == 0
    page = _Page(path.read_text(encoding="utf-8"))
    assert "protected health information" in page.words
    names = {name for name, _ in page.tags}
    assert names.isdisjoint({"script", "link", "img", "iframe"})
    policy = next(attributes for name, attributes in page.tags if attributes.get("http-equiv"))
    assert policy["content"].startswith("default-src 'none'")
    assert [a["href"] for name, a in page.tags if name == "a" and not str(a["href"]).startswith("#")] == []
    assert "<script>alert(1)</script>" in page.words


def test_a_page_that_cannot_be_written_is_a_numbered_error(tmp_path: Path) -> None:
    """SYN-752 names the file."""
    (tmp_path / "note.txt").write_text("pT2")
    result = _run("note.txt", "--html", str(tmp_path / "note.txt" / "page.html"))
    assert isinstance(result.exception, SynopticError)
    assert result.exception.code is Code.UNWRITABLE_FOLDER


def test_both_texts_stand_line_by_line_and_a_removal_over_two_lines_has_one_tag() -> None:
    """Every line of the original has a row; the tag stands in the first row of its removal."""
    text = "Seen by Anna\nTest today\nlesion"
    page = review_page([Review("a & b.txt", text, (Removed(8, 17, "NAME", "known", "[NAME 1]"),))])
    assert page.count('<div class="line">') + page.count('<div class="line hit">') == 3
    assert page.count("[NAME 1]") == 1
    assert "<span>1</span><span>Seen by <mark" in page
    assert "<span>3</span><span>lesion</span><span>lesion</span>" in page
    assert "a &amp; b.txt" in page
    assert 'data-why="NAME: known to the resource"' in page


def test_several_documents_are_listed_and_links_lead_to_what_exists() -> None:
    """The overview names each document; every link of the page has its target."""
    removals = (
        Removed(0, 4, "NAME", "listed", "[NAME]"),
        Removed(5, 9, "DATE", "pattern:date-event", "[DATE]"),
    )
    page = _Page(review_page([Review("one.txt", "Anna 2014", removals), Review("two.txt", "Anna 2014", removals)]))
    targets = {attributes.get("id") for _, attributes in page.tags}
    links = [str(attributes["href"])[1:] for name, attributes in page.tags if name == "a"]
    assert len(links) == 2 + 8
    assert set(links) <= targets


def test_every_class_has_a_colour_in_both_forms() -> None:
    """A class without a colour would be removed unseen."""
    assert set(COLOURS) == set(STYLES) == set(TAGS)
