"""The naive regex baseline, as the reference system describes it (arXiv 2604.13328): what any reader must beat.

Keywords, a window of 50 characters to each side, and the first value pattern that matches inside it. It knows no
sections, no negation, no sides and no missing state: whatever stands near the keyword becomes the value. Its patterns
are part of that published comparison, not clinical knowledge of the product, so they live here and not in a pack.
"""

import re
from dataclasses import dataclass

WINDOW = 50
"""Characters to each side of a keyword (the reference does not print its number; assumed)."""


@dataclass(frozen=True)
class Question:
    """The keywords of one task and its value patterns by priority: the first that matches in a window wins."""

    keywords: re.Pattern[str]
    values: tuple[tuple[re.Pattern[str], str], ...]


def _question(keywords: str, values: dict[str, str]) -> Question:
    """Compile one task's patterns, all of them ignoring case."""
    return Question(
        re.compile(keywords, re.IGNORECASE),
        tuple((re.compile(pattern, re.IGNORECASE), value) for value, pattern in values.items()),
    )


_STATUS = {"negative": r"\bnegative\b|\bneg\b", "positive": r"\bpositive\b|\bpos\b"}
_QUESTIONS = {
    "T": _question(
        r"tumor stage|primary tumor|\bpT|\bTNM\b|\bstage\b",
        {"Tis": r"T ?is", "T1": r"T ?1", "T2": r"T ?2", "T3": r"T ?3", "T4": r"T ?4", "T0": r"T ?0"},
    ),
    "N": _question(r"lymph nodes?|\bpN|\bTNM\b|\bN[0-3]", {"N0": r"N ?0", "N1": r"N ?1", "N2": r"N ?2", "N3": r"N ?3"}),
    "M": _question(r"metastas[ie]s|\bpM|\bTNM\b", {"M1": r"M ?1", "M0": r"M ?0"}),
    "grade": _question(
        r"grade|differentiated|nottingham",
        {
            "G3": r"\b(3|III)\b|poorly|\bhigh\b",
            "G2": r"\b(2|II)\b|moderately|intermediate",
            "G1": r"\b(1|I)\b|well|\blow\b",
        },
    ),
    "ER": _question(r"estrogen|\bER\b", _STATUS),
    "PR": _question(r"progesterone|\bPR\b", _STATUS),
    "HER2": _question(r"her-? ?2|c-?erb", {"equivocal": r"equivocal|2\+", **_STATUS}),
}


def read_naively(text: str) -> dict[str, str]:
    """The baseline's value for each task in which a window around a keyword holds a value pattern."""
    answers = {task: _answer(question, text) for task, question in _QUESTIONS.items()}
    return {task: value for task, value in answers.items() if value is not None}


def _answer(question: Question, text: str) -> str | None:
    """The value of the first keyword whose window holds one, by the patterns' priority."""
    for keyword in question.keywords.finditer(text):
        window = text[max(0, keyword.start() - WINDOW) : keyword.end() + WINDOW]
        for pattern, value in question.values:
            if pattern.search(window):
                return value
    return None
