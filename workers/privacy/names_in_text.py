"""Names that no resource knows: by their context, by a given name before a surname, and wherever they come again."""

import re
from collections.abc import Iterable, Sequence

from schemas.privacy_vocabulary import ContextRule, load_privacy_vocabulary
from workers.privacy.offsets import fold
from workers.privacy.privacy_rules import PrivacyRules, Word
from workers.privacy.proper_nouns import find_proper_nouns
from workers.privacy.spans import Span

_LATIN_EXTENDED = [chr(code) for code in range(0x100, 0x180)]
_UPPER = "A-ZÀ-ÖØ-ÞȘȚ" + "".join(character for character in _LATIN_EXTENDED if character.isupper())
_LETTER = "A-Za-zÀ-ÖØ-öø-ÿĀ-žȘ-ț"
_NAME_WORD = rf"[{_UPPER}][{_LETTER}'’]{{1,30}}(?:-[{_UPPER}][{_LETTER}'’]{{1,30}})?"
_PARTICLES = frozenset(load_privacy_vocabulary().particles.split()) - frozenset(["of", "and", "und", "y", "e"])
_PARTICLE = rf"(?:{'|'.join(sorted(_PARTICLES, key=len, reverse=True))})(?=\s)"
_PART = rf"(?:{_NAME_WORD}|[{_UPPER}]\.(?:[\s-]?[{_UPPER}]\.)*|{_PARTICLE})"
_NAME = re.compile(rf"(?<![{_LETTER}\d.]){_PART}(?:(?:,\s|\s)[ \t]{{0,2}}(?:{_PART}|[{_UPPER}]\b)){{0,5}}")
_FIRST_NAME = re.compile(_NAME_WORD)
_LISTED = re.compile(
    rf"{_NAME_WORD}(?:[ \t](?:[{_UPPER}]\.?|{_PARTICLE})){{0,3}}(?:(?:,?[ \t]{{1,2}}|,?\n){_NAME_WORD}){{1,3}}"
)
_TOKEN = re.compile(rf"[{_LETTER}'’-]+\.?")
_INITIAL = 1
_MINIMUM_AGAIN = 3
_TAIL = 100


def find_by_context(text: str, words: Sequence[Word], rules: PrivacyRules) -> list[Span]:
    """Names after a title, label or signature, before a degree or a birth date, or in a sentence's fixed place."""
    found: list[Span] = []
    for rule, match in rules.contexts.matches(text, words):
        span = _named(text, rule, match, rules)
        if span is not None:
            found.append((*span, "NAME"))
    return found


def find_listed(text: str, words: Sequence[Word], rules: PrivacyRules) -> list[Span]:
    """A given name with a surname after it, or a common one alone, in no phrase of the clinic; other names and places of prose."""
    found: list[Span] = []
    for word in words:
        if word.key not in rules.given_names.before_surname or not text[word.start].isupper():
            continue
        if text[word.end : word.end + 1] == "-" and rules.eponym_heads.match(text, word.end):
            continue
        match = _LISTED.match(text, word.start)
        span = _head(text, match.span(), rules.never_names) if match else None
        alone = word.key in rules.given_names.alone and text[word.start : word.end].istitle()
        if (span is None or span[1] <= word.end + 2) and alone and word.key not in rules.never_names:
            name = _FIRST_NAME.match(text, word.start)
            span = name.span() if name else (word.start, word.end)
        if span is not None and (alone or span[1] > word.end + 2) and not rules.eponym_heads.match(text, span[1]):
            found.append((*span, "NAME"))
    return found + find_proper_nouns(text, words, rules)


def find_again(text: str, words: Iterable[Word], names: Iterable[str], rules: PrivacyRules) -> list[Span]:
    """The words of names already found, wherever else they stand with a capital and in no phrase of the clinic."""
    again = {form for name in names for token in _TOKEN.findall(name) for form in _forms(token, rules)}
    if not again:
        return []
    hits = [(word, _folded(word.key, rules)) for word in words if not word.key.isascii() or word.key in again]
    # A word that the text also writes small is a word of the language there.
    small = {form for word, form in hits if not text[word.start].isupper()}
    return [
        (word.start, word.end, "NAME")
        for word, form in hits
        if form in again and form not in small and _stands_as_name(text, word, rules)
    ]


def _stands_as_name(text: str, word: Word, rules: PrivacyRules) -> bool:
    """False before what makes it a disease's name, a block's number or an abbreviation."""
    after = text[word.end : word.end + 1]
    short = word.end - word.start <= _MINIMUM_AGAIN and not text[word.start : word.end].istitle()
    return not (short or after.isdigit() or after == "/" or rules.eponym_heads.match(text, word.end))


def _forms(token: str, rules: PrivacyRules) -> set[str]:
    """A name's words as they come again, in lower case: by themselves and in the genitive."""
    forms: set[str] = set()
    for part in re.split(r"[-'’.]", token):
        key = part.lower()
        if len(key) >= _MINIMUM_AGAIN and part[0].isupper() and key not in rules.never_names | _PARTICLES:
            plain = _folded(key, rules)
            forms |= {plain, plain + "s"}
    return forms


def _folded(key: str, rules: PrivacyRules) -> str:
    return fold(key, rules.vocabulary.confusables).text


def _named(text: str, rule: ContextRule, match: re.Match[str], rules: PrivacyRules) -> tuple[int, int] | None:
    """The name that a context leads to; None where the words there are none."""
    if rule.shape is not None:
        return match.span("value") if _is_name(match.group("value"), rules) else None
    if rule.before is not None:
        name = _NAME.match(text, match.end())
        return _head(text, name.span(), rules.not_names) if name else None
    return _tail(text, match.start(), rules.not_names)


def _is_name(found: str, rules: PrivacyRules) -> bool:
    """True where no word of it, initials aside, is a word of the clinic."""
    words = (token.group().rstrip(".").lower() for token in _TOKEN.finditer(found))
    return all(len(word) == _INITIAL or word in _PARTICLES or word not in rules.never_names for word in words)


def _head(text: str, span: tuple[int, int], not_names: frozenset[str]) -> tuple[int, int] | None:
    """The words of a capitalised run before the first that is no name."""
    end = span[0]
    for token in _TOKEN.finditer(text, *span):
        bare = token.group().rstrip(".").lower()
        if bare in _PARTICLES:
            continue
        if bare in not_names and not (len(bare) == _INITIAL and token.group().endswith(".")):
            break
        end = token.end()
        if token.group().endswith(".") and len(bare) > 2:
            end -= 1
            break
    return (span[0], end) if _names_somebody(text[span[0] : end], not_names) else None


def _names_somebody(found: str, not_names: frozenset[str]) -> bool:
    """False for a lone initial and for a degree in place of a name."""
    bare = found.replace(".", "").replace(" ", "").lower()
    return len(bare) > _INITIAL and bare not in not_names


def _tail(text: str, end: int, not_names: frozenset[str]) -> tuple[int, int] | None:
    """The words of the capitalised run that ends directly before `end`, after the last that is no name."""
    start = max(0, end - _TAIL)
    names = [match for match in _NAME.finditer(text, start, end) if match.end() == end]
    if not names:
        return None
    tokens = list(_TOKEN.finditer(text, *names[-1].span()))
    first = end
    for index, token in enumerate(reversed(tokens)):
        bare = token.group().rstrip(".").lower()
        if bare in _PARTICLES:
            continue
        if bare in not_names and len(bare) > _INITIAL:
            break
        if (token.group().endswith(".") and len(bare) > 2) or (index > 1 and "\n" in text[token.end() : first]):
            break
        first = token.start()
    return (first, end) if _names_somebody(text[first:end], not_names) else None
