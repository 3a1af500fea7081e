"""Removes identifiers from report text before anything else reads it: known ones, patterns, then names by context.

Typed tags ([NAME], [DATE], ...) take the place of what is removed, and an offset map leads every kept character back to
the source. The rules are data (schemas/privacy_vocabulary.yaml). Each removal says which layer and rule found it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.messages import KnownIdentifier
from workers.privacy.known_identifiers import find_known
from workers.privacy.learned_names import find_learned, worth_removing
from workers.privacy.look_alikes import whole_letters
from workers.privacy.names_in_text import find_again, find_by_context, find_listed
from workers.privacy.offsets import OffsetMap, replace_spans
from workers.privacy.privacy_rules import PrivacyRules, Word, load_privacy_rules, words_of
from workers.privacy.removal_reasons import (
    AGAIN,
    KNOWN,
    LEARNED,
    LISTED,
    Claim,
    claimed,
    context_claims,
    pattern_reason,
)
from workers.privacy.spans import Span, merge, subtract, trim, windows

TAGS = ("NAME", "DATE", "ID", "CONTACT", "LOCATION", "AGE")
_TAG = re.compile(rf"\[(?:{'|'.join(TAGS)}|NAME \d{{1,4}})\]")
_MAXIMUM_PASSES = 8
_WINDOW = 200
_SHORT = 2


@dataclass(frozen=True)
class Removed:
    """A span of the source text that was removed, its class, why, and what stands in its place.

    `reason` is "known" where the resource knows any of it, else what found most of it: "pattern:<key>" and
    "context:<key>" of the vocabulary, "listed" (a given name of the list) or "again" (a name found elsewhere).
    """

    start: int
    end: int
    tag: str
    reason: str
    replacement: str = field(repr=False)


@dataclass(frozen=True, repr=False)
class CleanText:
    """The text without identifiers, what was removed (source offsets), and the way back."""

    text: str
    removed: tuple[Removed, ...]
    offsets: OffsetMap

    @classmethod
    def of(cls, source: str, removed: Sequence[Removed]) -> "CleanText":
        """The source with each removal's replacement in its place."""
        text, offsets = replace_spans(source, [(one.start, one.end, one.replacement) for one in removed])
        return cls(text, tuple(removed), offsets)

    def to_source(self, start: int, end: int) -> tuple[int, int] | None:
        """The span in the source text; None where it touches a tag."""
        return self.offsets.to_source(start, end)


def deidentify(text: str, known: Sequence[KnownIdentifier] = ()) -> CleanText:
    """Remove every identifier; the result is a fixed point, so that de-identifying it again changes nothing."""
    rules = load_privacy_rules()
    source, text = text, whole_letters(text)
    claims = _find_all(text, known, rules)
    removed = merge(text, _spans(claims))
    clean, offsets = _tagged(text, removed)
    for _ in range(_MAXIMUM_PASSES):
        found = _find_beside_tags(clean, known, rules)
        if not found:
            break
        back = [Claim(*_source_bounds(offsets, claim, len(text)), claim.tag, claim.reason) for claim in found]
        removed = merge(text, [*removed, *_spans(back)])
        claims += back
        clean, offsets = _tagged(text, removed)
    decided = claimed(removed, claims)
    return CleanText.of(source, [Removed(*claim, f"[{claim.tag}]") for claim in decided])


def _tagged(text: str, removed: Sequence[Span]) -> tuple[str, OffsetMap]:
    return replace_spans(text, [(start, end, f"[{tag}]") for start, end, tag in removed])


def _source_bounds(offsets: OffsetMap, claim: Claim, length: int) -> tuple[int, int]:
    """Where a found span (which touches no tag) stands in the source."""
    bounds = offsets.to_source(claim.start, claim.end)
    return bounds if bounds is not None else (0, length)


def _find_all(text: str, known: Sequence[KnownIdentifier], rules: PrivacyRules) -> list[Claim]:
    """What must go from a whole text, the names that it shows once wherever they come again."""
    words = words_of(text)
    found = find_by_rules(text, words, known, rules, find_learned(text, words, rules))
    return found + _names_again(text, words, found, rules)


def _find_beside_tags(text: str, known: Sequence[KnownIdentifier], rules: PrivacyRules) -> list[Claim]:
    """What a new tag beside it has uncovered: a match that was hidden can only stand near a tag."""
    found: list[Claim] = []
    tags = [match.span() for match in _TAG.finditer(text)]
    for start, end in windows(tags, _WINDOW, len(text)):
        inner_start = start + _WINDOW // 2 if start else 0
        inner_end = end - _WINDOW // 2 if end < len(text) else end
        part = text[start:end]
        for claim in find_by_rules(part, words_of(part), known, rules):
            if start + claim.start >= inner_start and start + claim.end <= inner_end:
                found.append(Claim(start + claim.start, start + claim.end, claim.tag, claim.reason))
    return found + _names_again(text, words_of(text), found, rules) if found else []


def _names_again(text: str, words: Sequence[Word], found: Sequence[Claim], rules: PrivacyRules) -> list[Claim]:
    names = {text[claim.start : claim.end] for claim in found if claim.tag == "NAME"}
    again = find_again(text, words, names, rules)
    left = _apart_from_tags(text, subtract(again, rules.protected_near(text, (span[:2] for span in again))))
    return [Claim(*span, AGAIN) for span in left]


def find_by_rules(
    text: str,
    words: Sequence[Word],
    known: Sequence[KnownIdentifier],
    rules: PrivacyRules,
    learned: Sequence[Span] = (),
) -> list[Claim]:
    """What rules and lists, and as far as it goes beyond them the tagger, must still remove: no span touches a tag."""
    always, unless_protected = _find_patterns(text, words, rules)
    for span in find_known(text, known, rules.known_words):
        (unless_protected if span[2] in ("NAME", "LOCATION") else always).append(Claim(*span, KNOWN))
    unless_protected += context_claims(text, words, find_by_context(text, words, rules), rules)
    unless_protected += (Claim(*span, LISTED) for span in find_listed(text, words, rules))
    found = [span[:2] for span in merge(text, _spans([*always, *unless_protected]))]
    unless_protected += (Claim(*span, LEARNED) for span in worth_removing(text, learned, found, rules))
    protected = rules.protected_near(text, (claim[:2] for claim in unless_protected))
    whole = set(_spans(unless_protected))
    left = [span for span in subtract(whole, protected) if span in whole or _letters(text, span) > 1]
    return claimed(_apart_from_tags(text, [*_spans(always), *left]), [*always, *unless_protected])


def _spans(claims: Sequence[Claim]) -> list[Span]:
    return [claim.span for claim in claims]


def _letters(text: str, span: Span) -> int:
    """How many letters and digits it has: an initial before a protected phrase is none."""
    return sum(map(str.isalnum, text[span[0] : span[1]]))


def _apart_from_tags(text: str, found: Sequence[Span]) -> list[Span]:
    """The spans without tags and separators at their ends, as far as a letter or digit is left of them."""
    tags = [match.span() for match in _TAG.finditer(text)]
    trimmed = (trim(text, span) for span in subtract(merge(text, found), tags))
    return [span for span in trimmed if _letters(text, span)]


def _find_patterns(text: str, words: Sequence[Word], rules: PrivacyRules) -> tuple[list[Claim], list[Claim]]:
    """What labelled patterns find, and what the others do."""
    labelled: list[Claim] = []
    unlabelled: list[Claim] = []
    for rule, match in rules.patterns.matches(text, words):
        group: int | str = "value" if "value" in match.re.groupindex else 0
        if not rule.proper or not _clinical(match.group(group), rules):
            claim = Claim(*match.span(group), rule.tag, pattern_reason(rule.key))
            (labelled if rule.labelled else unlabelled).append(claim)
    return labelled, unlabelled


def _clinical(found: str, rules: PrivacyRules) -> bool:
    """True where a word of it, short ones aside, is one of the clinic."""
    return any(len(word.key) > _SHORT and word.key in rules.never_names for word in words_of(found))
