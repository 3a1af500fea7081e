"""Names of people and places that stand in English prose without any context: listed ones, and unknown ones beside them.

A capitalised word that neither reports nor the clinic know is a name where a list has it, or where it runs on from one
that a list has, or follows a word that leads to a name. German writes every noun so: only English prose is looked at.
"""

import re
from collections.abc import Iterator, Sequence

from workers.privacy_rules import PrivacyRules, Word
from workers.spans import Span

_SHORTEST = 3
_SHORTEST_CAPITALS = 5
_REACH = 60
_BETWEEN = re.compile(
    r"[-'’]|(?:,|,?\sand)?\s(?:[^\W\d_a-z]\.?\s|(?:de|del|della|di|da|do|la|van|von|der|den|van\sde)\s)?"
)
_INITIALS_BEFORE = re.compile(r"(?<![^\W\d_])(?:[A-Z]\.\s?){1,2}$")
_PROSE_BEFORE = re.compile(r"(?<![^\W\d_])[a-z]{2,},?\s$")
_LEAD_BEFORE = re.compile(r"(?<![^\W\d_])(?:by|from|to|at|in|near|into|through|named|called|though)\s$")
_PLACE_BEFORE = re.compile(r"(?<![^\W\d_])(?:from|to|at|in|near|into|through)\s$")
_LINE_BEFORE = re.compile(r"(?:^|\n)[ \t]*$")
_LINE_AFTER = re.compile(r"[ \t]*(?:\n|$)|['’]s\s")
_ACTS = re.compile(
    r"\s(?:returns|returned|presents|presented|underwent|undergoes|denies|denied|states|stated|complains|lives|lived|works|worked"
    r"|spent|says|said|wants|wanted|asked|told|called|came|went|moved|had\sgiven|is\sfrom|was\sborn)\s"
)
_CITED = re.compile(r"\s(?:[A-Z]{1,3},?\s)?et\sal|\s[A-Z]{2,3}[,.]")
_ENGLISH = re.compile(
    r"\b(?:the|of|and|is|was|are|were|with|to|by|from|for|this|that|she|he|her|his|you|your|has|have|I'm|on|I am|it's|under|please"
    r"|can|what|why|who|me|my|would|about|but|we|they|their|not)\b"
)
_GERMAN = re.compile(
    r"\b(?:der|die|das|und|mit|von|bei|im|(?<!\bI )am|zur|zum|ist|nicht|des|dem|den|ein|eine|einer|auf|nach|sich|wurde|ohne|für)\b"
)
_SURNAME = re.compile(
    r"[^\W\d_]{3,}(?:ov|ova|ev|eva|ević|ović|ić|ič|sky|ski|ska|ský|ská|ková|enko|vich|czyk|owicz|shvili|dze|yan|sson|sdóttir|dóttir|quist|berg|stein"
    r"|mann|poulos|escu|ez)"
)


def find_proper_nouns(text: str, words: Sequence[Word], rules: PrivacyRules) -> list[Span]:
    """The names and places of English prose that a list, a surname's ending or a leading word gives away."""
    found: list[Span] = []
    for run in _runs(text, words, rules):
        start, end = run[0].start, run[-1].end
        before = text[max(0, start - _REACH) : start]
        place = _PLACE_BEFORE.search(before) is not None
        listed = any(word.key in rules.proper_names or _SURNAME.fullmatch(word.key) for word in run)
        if text[start:end].isupper():
            named = listed and place
        else:
            named = listed or _led(before, run) or _alone(text, run, before)
        if not named or rules.eponym_heads.match(text, end) or _CITED.match(text, end):
            continue
        around = text[max(0, start - _REACH) : end + _REACH]
        if _GERMAN.search(around) or not (_ENGLISH.search(around) or _full_name(text, run, before, rules)):
            continue
        initials = _INITIALS_BEFORE.search(before)
        found.append((start - len(initials.group()) if initials else start, end, "LOCATION" if place else "NAME"))
    return found


def _full_name(text: str, run: Sequence[Word], before: str, rules: PrivacyRules) -> bool:
    """True for a line that is a given name and a surname, one of them listed: no prose need stand around it."""
    line = _LINE_BEFORE.search(before) is not None and _LINE_AFTER.match(text, run[-1].end) is not None
    listed = {run[0].key, run[-1].key} & rules.proper_names
    return line and len(run) > 1 and text[run[0].end] == " " and bool(listed)


def _led(before: str, run: Sequence[Word]) -> bool:
    """True where unknown words follow a word that leads to a name, or several follow one that is written small."""
    if len(run) == 1:
        return _LEAD_BEFORE.search(before) is not None
    return _PROSE_BEFORE.search(before) is not None


def _alone(text: str, run: Sequence[Word], before: str) -> bool:
    """True where unknown words are a whole line, or begin it and do what people do."""
    if not _LINE_BEFORE.search(before):
        return False
    end = run[-1].end
    return _ACTS.match(text, end) is not None or (len(run) in (2, 3) and _LINE_AFTER.match(text, end) is not None)


def _runs(text: str, words: Sequence[Word], rules: PrivacyRules) -> Iterator[list[Word]]:
    """Capitalised words that no report knows, as they follow each other."""
    run: list[Word] = []
    for word in words:
        if word.key in rules.report_words or not _capitalised(text, word) or word.key in rules.never_names:
            continue
        if run and not _BETWEEN.fullmatch(text, run[-1].end, word.start):
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _capitalised(text: str, word: Word) -> bool:
    """True for a word of three letters or more whose first is a capital, and of five or more that are all capitals."""
    found = text[word.start : word.end]
    return len(found) >= _SHORTEST and (found.istitle() or (len(found) >= _SHORTEST_CAPITALS and found.isupper()))
