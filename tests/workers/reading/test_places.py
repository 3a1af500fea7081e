"""The faster search: the same matches as a search of the whole text, for every pattern of the pack."""

import pytest
import regex

from schemas.pack_loader import load_pack
from schemas.patterns import compile_pattern
from workers.reading import places
from workers.reading.openings import openings
from workers.reading.places import IndexedText

FACTS = load_pack("breast").facts
TEXTS = [case.text for rule in FACTS.rules for case in rule.cases]
RULES = [(rule.pattern, rule.case_sensitive, rule.overlapped) for rule in FACTS.rules]
OTHERS = [(ignored.pattern, False, False) for ignored in FACTS.ignored]
CONTEXTS = {pattern for source in (*FACTS.rules, *FACTS.marks) for pattern in source.patterns()}


def shown(matches):
    """Where each match stands and what it captured."""
    return [(match.span(), match.groupdict()) for match in matches]


def test_each_pattern_of_the_pack_finds_the_same(monkeypatch: pytest.MonkeyPatch):
    """In all the pack's cases, with letters beyond ASCII and lost spaces between them, no rule gains or loses a match."""
    monkeypatch.setattr(places, "_PLACES_PASSED", 1)
    text = "".join(
        piece + mark for piece, mark in zip(TEXTS[::3], [". ", "\n", "é", "ſ", "", " \u2028"] * 999, strict=False)
    )
    indexed = IndexedText(text)
    for written, case_sensitive, overlapped in {*RULES, *OTHERS}:
        pattern = compile_pattern(written, FACTS.fragments, case_sensitive)
        assert shown(indexed.matches(pattern, 9.0, overlapped)) == shown(pattern.finditer(text, overlapped=overlapped))


def test_a_stretch_is_searched_as_if_it_stood_alone():
    """A context cut anywhere, even within a word, finds what a search of the cut text finds."""
    text = " ".join(TEXTS[::40])
    indexed = IndexedText(text)
    stretches = [(start, min(len(text), start + 61)) for start in range(0, len(text), 97)]
    for written in sorted(CONTEXTS):
        pattern = compile_pattern(written, FACTS.fragments)
        for start, end in stretches:
            assert shown(indexed.matches_within(pattern, start, end)) == shown(pattern.finditer(text[start:end]))


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        (r"\b(?:ER|PR)\b", {"\ber", "\bpr"}),
        (r"(?<!x)no(?=d)des?", {"node"}),
        (r"[2-4]\.?\d", {"00", "0 0"}),
        (r"gr(?:ade)?", {"gr", "grad"}),
        (r"(?P<a>T)[^x]y", {"t"}),
        (r".x|y", None),
        (r"a?", None),
        (r"K\w", {"k" + sign for sign in "abcdefghijklmnopqrstuvwxyz0_"}),
        ("\u212a", None),
        (r"(?i)a", None),
    ],
)
def test_openings_are_followed_as_far_as_certain(expression: str, found: set[str] | None):
    """A pattern's openings are the letters that every match begins with; unsure ones are none at all."""
    assert openings(expression) == (None if found is None else frozenset(found))


def test_a_letter_that_only_looks_ascii_still_matches():
    """Letters beyond ASCII match without regard to case, so no place near one is passed over."""
    pattern = regex.compile("sinus", regex.IGNORECASE)
    assert [match.start() for match in IndexedText("x" * 200 + "ſinus").matches(pattern, 1.0)] == [200]
