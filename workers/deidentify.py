"""Removes identifiers from report text before anything else reads it: known ones, patterns, then names by context.

Typed tags ([NAME], [DATE], ...) take the place of what is removed, and an offset map leads every kept character back to
the source. The rules are data (schemas/privacy_vocabulary.yaml).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from schemas.messages import KnownIdentifier
from schemas.privacy_vocabulary import ContextRule, PatternRule, PrivacyVocabulary, load_privacy_vocabulary
from workers.known_identifiers import KnownWords, find_known
from workers.offsets import OffsetMap, replace_spans

TAGS = ("NAME", "DATE", "ID", "CONTACT", "LOCATION", "AGE")
_TAG = re.compile(rf"\[(?:{'|'.join(TAGS)})\]")
_UPPER = "A-ZÀ-ÖØ-Þ"
_LETTER = "A-Za-zÀ-ÖØ-öø-ÿĀ-ž"
_NAME_WORD = rf"[{_UPPER}][{_LETTER}'’]{{1,30}}(?:-[{_UPPER}][{_LETTER}'’]{{1,30}})?"
_PART = rf"(?:{_NAME_WORD}|[{_UPPER}]\.(?:\s?[{_UPPER}]\.)*|(?:von|van|der|de|zu|la|del|di)(?=\s))"
_NAME = re.compile(rf"(?<![{_LETTER}\d.]){_PART}(?:(?:,\s|\s)[ \t]{{0,2}}(?:{_PART}|[{_UPPER}]\b)){{0,4}}")
_NAME_TOKEN = re.compile(rf"[{_LETTER}'’-]+\.?")
_MERGEABLE = re.compile(r"[\s,.'’\-]{0,4}")
_SEPARATORS = frozenset(" \t\r\n,.;'’-")
_SEPARATORS_AFTER = _SEPARATORS - {"."}
_MAXIMUM_PASSES = 8
_WINDOW = 200

Span = tuple[int, int, str]


@dataclass(frozen=True)
class Removed:
    """A span of the source text that was removed, and its class."""

    start: int
    end: int
    tag: str


@dataclass(frozen=True, repr=False)
class CleanText:
    """The text without identifiers, what was removed (source offsets), and the way back."""

    text: str
    removed: tuple[Removed, ...]
    offsets: OffsetMap

    def to_source(self, start: int, end: int) -> tuple[int, int] | None:
        """The span in the source text; None where it touches a tag."""
        return self.offsets.to_source(start, end)


@dataclass(frozen=True)
class _Rules:
    """The vocabulary, compiled once."""

    vocabulary: PrivacyVocabulary
    words: KnownWords
    not_names: frozenset[str]

    @cached_property
    def never_names(self) -> frozenset[str]:
        """Words that no name holds: those that end a run of names, and those of anatomy and pathology."""
        return self.not_names | frozenset(self.vocabulary.clinical_words.split())

    @cached_property
    def protected(self) -> re.Pattern[str]:
        """Phrases that stay."""
        phrases = "|".join(f"(?:{self.vocabulary.expand(phrase)})" for phrase in self.vocabulary.protected)
        return re.compile(rf"(?<!\w)(?:{phrases})(?!\w)", re.IGNORECASE)

    @cached_property
    def patterns(self) -> tuple[tuple[PatternRule, re.Pattern[str]], ...]:
        """Each pattern, compiled."""
        return tuple((rule, compile_pattern(rule, self.vocabulary)) for rule in self.vocabulary.patterns)

    @cached_property
    def contexts(self) -> tuple[tuple[ContextRule, re.Pattern[str]], ...]:
        """Each name context, compiled."""
        return tuple((rule, re.compile(self.vocabulary.expand(rule.regex))) for rule in self.vocabulary.contexts)


def compile_pattern(rule: PatternRule, vocabulary: PrivacyVocabulary) -> re.Pattern[str]:
    """One rule's expression, with its fragments."""
    return re.compile(vocabulary.expand(rule.regex), re.IGNORECASE if rule.ignore_case else re.NOFLAG)


@cache
def _rules() -> _Rules:
    vocabulary = load_privacy_vocabulary()
    return _Rules(
        vocabulary, KnownWords.of(vocabulary), frozenset(f"{vocabulary.not_names} {vocabulary.titles} id".split())
    )


def deidentify(text: str, known: Sequence[KnownIdentifier] = ()) -> CleanText:
    """Remove every identifier; the result is a fixed point, so that de-identifying it again changes nothing."""
    rules = _rules()
    removed = _merge(text, _find(text, known, rules))
    clean, offsets = _tagged(text, removed)
    for _ in range(_MAXIMUM_PASSES):
        found = _find_beside_tags(clean, known, rules)
        if not found:
            break
        back = [(_source_bounds(offsets, span, len(text)), span[2]) for span in found]
        removed = _merge(text, [*removed, *((start, end, tag) for (start, end), tag in back)])
        clean, offsets = _tagged(text, removed)
    return CleanText(clean, tuple(Removed(*span) for span in removed), offsets)


def _tagged(text: str, removed: Sequence[Span]) -> tuple[str, OffsetMap]:
    return replace_spans(text, [(start, end, f"[{tag}]") for start, end, tag in removed])


def _find_beside_tags(text: str, known: Sequence[KnownIdentifier], rules: _Rules) -> list[Span]:
    """What a new tag beside it has uncovered: a match that was hidden can only stand near a tag."""
    found: list[Span] = []
    for start, end in _windows(text):
        inner_start = start + _WINDOW // 2 if start else 0
        inner_end = end - _WINDOW // 2 if end < len(text) else end
        for span_start, span_end, tag in _find(text[start:end], known, rules):
            if start + span_start >= inner_start and start + span_end <= inner_end:
                found.append((start + span_start, start + span_end, tag))
    return found


def _windows(text: str) -> list[tuple[int, int]]:
    """The surroundings of all tags, apart from each other."""
    windows: list[tuple[int, int]] = []
    for tag in _TAG.finditer(text):
        start, end = max(0, tag.start() - _WINDOW), min(len(text), tag.end() + _WINDOW)
        if windows and start <= windows[-1][1]:
            windows[-1] = (windows[-1][0], end)
        else:
            windows.append((start, end))
    return windows


def _source_bounds(offsets: OffsetMap, span: Span, length: int) -> tuple[int, int]:
    """Where a found span (which touches no tag) stands in the source."""
    bounds = offsets.to_source(span[0], span[1])
    return bounds if bounds is not None else (0, length)


def _find(text: str, known: Sequence[KnownIdentifier], rules: _Rules) -> list[Span]:
    """What must still go from a text that may hold tags already: no span touches a tag."""
    protected = [match.span() for match in rules.protected.finditer(text)]
    tags = [match.span() for match in _TAG.finditer(text)]
    known_spans = find_known(text, known, rules.words)
    found = [span for span in known_spans if span[2] not in ("NAME", "LOCATION")]
    names = (span for span in known_spans if span[2] in ("NAME", "LOCATION"))
    found += (_trim(text, span) for span in _subtract(names, protected))
    labelled, unlabelled = _find_patterns(text, rules)
    found += labelled
    found += _subtract([*unlabelled, *_find_names(text, rules)], protected)
    trimmed = (_trim(text, span) for span in _subtract(_merge(text, found), tags))
    return [span for span in trimmed if any(map(str.isalnum, text[span[0] : span[1]]))]


def _trim(text: str, span: Span) -> Span:
    """The span without separators at its ends, which a cut leaves there."""
    start, end, tag = span
    while start < end and text[start] in _SEPARATORS:
        start += 1
    while end > start and text[end - 1] in _SEPARATORS_AFTER:
        end -= 1
    return start, end, tag


def _find_patterns(text: str, rules: _Rules) -> tuple[list[Span], list[Span]]:
    """What labelled patterns find, and what the others do."""
    labelled: list[Span] = []
    unlabelled: list[Span] = []
    for rule, pattern in rules.patterns:
        group: int | str = "value" if "value" in pattern.groupindex else 0
        found = labelled if rule.labelled else unlabelled
        found += ((*match.span(group), rule.tag) for match in pattern.finditer(text))
    return labelled, unlabelled


def _find_names(text: str, rules: _Rules) -> list[Span]:
    """Names by context: after a title, label or signature, or before a degree."""
    found: list[Span] = []
    for rule, pattern in rules.contexts:
        for context in pattern.finditer(text):
            span: tuple[int, int] | None
            if rule.shape is not None:
                span = context.span("value") if _is_name(context.group("value"), rules) else None
            elif rule.before is not None:
                name = _NAME.match(text, context.end())
                span = _head(text, name.span(), rules.not_names) if name else None
            else:
                span = _tail(text, context.start(), rules.not_names)
            if span is not None:
                found.append((*span, "NAME"))
    return found


def _is_name(found: str, rules: _Rules) -> bool:
    """True where no word of it, initials aside, is a word of the clinic."""
    words = (token.group().rstrip(".").lower() for token in _NAME_TOKEN.finditer(found))
    return all(len(word) == 1 or word not in rules.never_names for word in words)


def _head(text: str, span: tuple[int, int], not_names: frozenset[str]) -> tuple[int, int] | None:
    """The words of a capitalised run before the first that is no name."""
    end = span[0]
    for token in _NAME_TOKEN.finditer(text, *span):
        bare = token.group().rstrip(".").lower()
        if bare in not_names and not (len(bare) == 1 and token.group().endswith(".")):
            break
        end = token.end()
        if token.group().endswith(".") and len(bare) > 1:
            end -= 1
            break
    return (span[0], end) if _names_somebody(text[span[0] : end], not_names) else None


def _names_somebody(found: str, not_names: frozenset[str]) -> bool:
    """False for a lone initial and for a degree in place of a name."""
    bare = found.replace(".", "").replace(" ", "").lower()
    return len(bare) > 1 and bare not in not_names


def _tail(text: str, end: int, not_names: frozenset[str]) -> tuple[int, int] | None:
    """The words of the capitalised run that ends directly before `end`, after the last that is no name."""
    start = max(0, end - 80)
    names = [match for match in _NAME.finditer(text, start, end) if match.end() == end]
    if not names:
        return None
    tokens = list(_NAME_TOKEN.finditer(text, *names[-1].span()))
    first = end
    for token in reversed(tokens):
        bare = token.group().rstrip(".").lower()
        if (bare in not_names and len(bare) > 1) or (token.group().endswith(".") and len(bare) > 1):
            break
        first = token.start()
    return (first, end) if _names_somebody(text[first:end], not_names) else None


def _subtract(spans: Iterable[Span], kept: Sequence[tuple[int, int]]) -> list[Span]:
    """The spans without the parts that overlap `kept` (sorted, apart)."""
    left: list[Span] = []
    ordered = sorted(spans)
    first = 0
    for start, end, tag in ordered:
        while first < len(kept) and kept[first][1] <= start:
            first += 1
        at = start
        for kept_start, kept_end in kept[first:]:
            if kept_start >= end:
                break
            if kept_start > at:
                left.append((at, kept_start, tag))
            at = max(at, kept_end)
        if at < end:
            left.append((at, end, tag))
    return left


def _merge(text: str, spans: Iterable[Span]) -> list[Span]:
    """Sorted spans apart from each other: overlapping ones become one, and so do neighbours of one class."""
    merged: list[Span] = []
    for start, end, tag in sorted(spans, key=lambda span: (span[0], -span[1])):
        if merged:
            last_start, last_end, last_tag = merged[-1]
            beside = tag == last_tag == "NAME" and start >= last_end
            if start < last_end or (beside and _MERGEABLE.fullmatch(text, last_end, start)):
                merged[-1] = (last_start, max(last_end, end), last_tag)
                continue
        merged.append((start, end, tag))
    return merged
