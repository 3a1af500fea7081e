"""Reads the inputs of a rule table as people write them: "pT1c(m), N0 (i+) cM0", "t2n1m0", "PSA 8.3 GG2"."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from schemas.rule_table import RuleTable, Words
from schemas.tables import Input

LONGEST_LINE = 500
_SHOWN = 30
_SEPARATORS = re.compile(r"(?:[\s,;|/()\[\]&\"']|[-.:](?!\d))+")
_QUALIFIER = re.compile(r"\s?\(\s?([^()]{1,20}?)\s?\)")
_NUMBER = r"(?P<comparator><=|>=|<|>)?\s?(?P<number>\d{1,6}(?:\.\d{1,4}|,\d{1,2})?)"
_END = r"(?![\w+=(]|[-.,]\d)"
_FOCI = re.compile(r"=?\d+$")
_WORD = re.compile(r"[^\s,;|/]{1,30}")
_ROMAN = r"(?:i{1,3}|iv|[1-4](?=[a-d]))[a-d]?\d?"
_RANGE = re.compile(r"-\s?\d\w{0,5}")
_MISTAKEN = {"o": "0", "l": "1", "i": "1", "ii": "2", "iii": "3", "iv": "4"}


class WordsError(ValueError):
    """What is written is none of the table's forms; the message says why and what to write."""


@dataclass(frozen=True)
class Stated:
    """What one input was said to be: its possible values (none: not known), its prefix, and what is to be said of it.

    `ignored` are suffixes that change no value.
    """

    name: str
    text: str
    values: tuple[str, ...]
    prefix: str = ""
    ignored: tuple[str, ...] = ()
    remark: str | None = None


class StageReader:
    """The forms of one rule table, ready for reading."""

    def __init__(self, rules: RuleTable) -> None:
        self._rules = rules
        self._categories = [name for name in rules.table.inputs if name not in rules.words]
        self._refused = {_folded(form): why for form, why in rules.refused.items()}
        self._remarks = {_folded(form): remark for form, remark in rules.remarks.items()}
        self._suffixes = {"", *map(_folded, rules.suffixes)}
        self._beside = re.compile(rf"(?:{_any_of(sorted(rules.beside, key=len, reverse=True))})(?![\w+=])")
        self._forms: dict[str, tuple[str, str | None]] = {}
        for name in self._categories:
            covers = rules.table.inputs[name].covers
            self._forms |= {_folded(form): (name, form) for form in covers}
            self._forms |= {_folded(form): (name, None) for form in rules.unknown.get(name, ())}
            self._forms |= {_folded(form): (name, value) for form, value in rules.written.items() if value in covers}
        self._named = [
            _NamedInput(name, way, rules.table.inputs[name]) for name, ways in rules.words.items() for way in ways
        ]
        self._compile_categories()

    def _compile_categories(self) -> None:
        prefixes = sorted(self._rules.prefixes, key=len, reverse=True)
        # After a category the next may follow at once, but for the prefixes r and a: "T2aN0" is no autopsy.
        glued = _any_of(text for text in prefixes if len(text) > 1 or text not in self._rules.unstaged_prefixes)
        letters = _any_of(self._categories)
        follows = rf"(?:{glued})?(?:{letters})"
        prefix = rf"(?:(?P<prefix>{_any_of(prefixes)})\s?)?"
        unnamed = rf"(?:(?:{_any_of(prefixes)})\s?)?"
        # "T: pT2"
        self._label = re.compile(rf"{unnamed}(?P<label>{letters})\s?[:=]\s?(?={unnamed}(?P=label))", re.I)
        results = sorted({row.result for row in self._rules.table.rows if row.result}, key=len, reverse=True)
        self._result = re.compile(rf"(?:{_any_of(results)}|{_ROMAN})(?![\w+])", re.I)
        bodies = {self._without_prefix(form) for form in (*self._forms, *self._refused) if "(" not in form}
        spaced = "|".join(
            rf"{re.escape(body[0])}\s?(?:[:=]\s?)?{_spaced_mi(body[1:])}"
            for body in sorted(bodies, key=len, reverse=True)
        )
        self._category = re.compile(rf"{prefix}(?P<form>{spaced or '(?!)'})(?=$|[^\w+]|{follows}[0-9xoil])", re.I)
        self._like = re.compile(rf"{prefix}(?P<letter>{letters})\s?[0-9][\w+]{{0,20}}", re.I)
        self._mistaken = re.compile(
            rf"{prefix}(?P<letter>{letters})\s?(?P<wrong>o|l|i{{1,3}}|iv)(?P<sub>[a-d]?)(?=$|\W|{follows}[0-9xo])", re.I
        )

    def read(self, text: str) -> tuple[Stated, ...]:
        """Every input that the line states, one entry an input; raises WordsError."""
        line = unicodedata.normalize("NFKC", text[: 2 * LONGEST_LINE]).replace("−", "-").replace("–", "-")
        line = " ".join(line.replace("≤", "<=").replace("≥", ">=").split())
        if len(line) > LONGEST_LINE:
            raise WordsError(f"longer than {LONGEST_LINE} characters: write one case a line")
        stated: dict[str, Stated] = {}
        position = 0
        while position < len(line):
            passed = (part.match(line, position) for part in (_SEPARATORS, self._beside, self._label))
            if skipped := next(filter(None, passed), None):
                position = skipped.end()
                continue
            found, position = self._at(line, position) or self._fail(line[position:])
            stated[found.name] = self._joined(stated.get(found.name), found)
        return tuple(stated.values())

    def _at(self, line: str, start: int) -> tuple[Stated, int] | None:
        match = self._category.match(line, start)
        if match:
            return self._category_of(match, line)
        return next((found for named in self._named if (found := named.at(line, start))), None)

    def _category_of(self, match: re.Match[str], line: str) -> tuple[Stated, int]:
        prefix, form, end = (match["prefix"] or "").casefold(), _folded(match["form"], ":="), match.end()
        ignored: list[str] = []
        while (qualifier := _QUALIFIER.match(line, end)) and not self._beside.fullmatch(qualifier[1]):
            end = qualifier.end()
            for part in re.split(r"[\s,;/]+", qualifier[1]):
                if joined := self._qualified(prefix, form, part.casefold()):
                    form = joined
                elif {part.casefold(), _FOCI.sub("", part.casefold())} & self._suffixes:
                    ignored.append(f"({part})")
                else:
                    raise WordsError(f"cannot read {part!r} after {match[0]!r}")
        for key in dict.fromkeys((prefix + form, form)):
            if key in self._refused:
                raise WordsError(self._refused[key])
            if key in self._forms:
                name, value = self._forms[key]
                remark = self._remarks.get(prefix + form) or self._remarks.get(form)
                values = () if value is None else (value,)
                return Stated(name, line[match.start() : end], values, prefix, tuple(ignored), remark), end
        raise WordsError(f"{match[0]!r} is not a category of {self._rules.system}")

    def _qualified(self, prefix: str, form: str, part: str) -> str | None:
        """The form with what stands in parentheses behind it, where that is a form of its own."""
        for joined in (f"{form}({part})", f"{form}{part}"):
            if any(key in self._forms or key in self._refused for key in (joined, prefix + joined)):
                return joined
        return None

    def _joined(self, before: Stated | None, found: Stated) -> Stated:
        """Both statements of one input as one: categories stand once, other inputs must agree."""
        if before is None:
            return found
        if found.name in self._categories:
            raise WordsError(f"{found.name} is given twice")
        both = tuple(value for value in before.values if value in found.values)
        if not both:
            raise WordsError(f"{before.text!r} and {found.text!r} contradict each other")
        return Stated(found.name, f"{before.text} {found.text}", both)

    def _fail(self, rest: str) -> NoReturn:
        """Say why the rest cannot be read, with what to write where that is plain."""
        if mistaken := self._mistaken.match(rest):
            wrong = mistaken["wrong"]
            meant = f"{mistaken['letter'].upper()}{_MISTAKEN[wrong.casefold()]}{mistaken['sub'].casefold()}"
            kind = "the letter" if len(wrong) == 1 else "the Roman number"
            raise WordsError(f"{mistaken[0]!r} has {kind} {wrong} in place of a digit; did you mean {meant}?")
        if like := self._like.match(rest):
            name = next(name for name in self._categories if name.casefold() == like["letter"].casefold())
            values = self._rules.table.inputs[name].values
            known = ", ".join(value if isinstance(value, str) else next(iter(value)) for value in values)
            raise WordsError(f"{like[0]!r} is not a category of {self._rules.system}; {name} is one of {known}")
        for named in self._named:
            if named.begins(rest):
                raise WordsError(f"cannot read {named.name} in {rest[:_SHOWN]!r}; expected {named.expected()}")
        expected = ", ".join(self._rules.table.inputs)
        if result := self._result.match(rest):
            raise WordsError(f"{result[0]!r} is a result, not what {self._rules.system} asks for; expected {expected}")
        if several := _RANGE.match(rest):
            raise WordsError(f"{several[0]!r} makes it a range; write one value")
        word = _WORD.match(rest)
        shown = word[0] if word else rest[:_SHOWN]
        raise WordsError(f"cannot read {shown!r}{_foreign(shown)}; expected {expected}")

    def _without_prefix(self, form: str) -> str:
        if any(form.startswith(_folded(name)) for name in self._categories):
            return form
        return next((form.removeprefix(text) for text in self._rules.prefixes if form.startswith(text)), form)


class _NamedInput:
    """An input that has a name before its value: one of its ways of being written."""

    def __init__(self, name: str, way: Words, entry: Input) -> None:
        self.name = name
        self._entry = entry
        self._values = {
            _folded(key): (meant,) if isinstance(meant, str) else meant for key, meant in way.values.items()
        }
        self._keys: dict[str | tuple[str, ...], str] = {}
        for key, meant in way.values.items():
            self._keys.setdefault(meant, key)
        lead = rf"(?:{_phrases(way.names)})(?:\s(?:is|of)\s)?[\s:=]*"
        units = rf"(?:\s?(?:{_phrases(way.units)}))?" if way.units else ""
        self._lead = re.compile(rf"(?:{_phrases(way.names)})(?![a-z])", re.I)
        self._by_key = re.compile(rf"{lead}(?P<value>{_phrases(way.values) or '(?!)'}){_END}", re.I)
        self._by_number = re.compile(rf"{lead}{_NUMBER}{units}{_END}", re.I)

    def begins(self, rest: str) -> bool:
        """True where one of its names stands at the beginning."""
        return self._lead.match(rest) is not None

    def expected(self) -> str:
        """What may stand after the name."""
        return ", ".join(self._keys.values()) or "a number such as 8.3"

    def at(self, line: str, start: int) -> tuple[Stated, int] | None:
        """What is stated from this place on, and where it ends."""
        if match := self._by_key.match(line, start):
            return Stated(self.name, match[0], self._values[_folded(match["value"])]), match.end()
        if self._entry.bands and (match := self._by_number.match(line, start)):
            number = float(match["number"].replace(",", "."))
            return Stated(self.name, match[0], self._entry.banded(number, match["comparator"] or "")), match.end()
        return None


def _phrases(texts: Iterable[str]) -> str:
    """A pattern for any of the texts, the longest first, with spaces where they may stand."""
    return "|".join("".join(_loosely(text)) for text in sorted(texts, key=len, reverse=True))


def _loosely(text: str) -> Iterator[str]:
    for part in re.split(r"([+=()]|\s+)", text):
        if part.isspace():
            yield r"\s?"
        elif part in ("+", "=", "(", ")"):
            yield rf"\s?{re.escape(part)}\s?"
        else:
            yield re.escape(part)


def _spaced_mi(text: str) -> str:
    """A pattern for the rest of a category: "N1 mi" is N1mi."""
    return re.escape(text).replace("mi", r"\s?mi")


def _any_of(texts: Iterable[str]) -> str:
    return "|".join(re.escape(text) for text in texts) or "(?!)"


def _folded(text: str, without: str = "") -> str:
    return "".join(character for character in "".join(text.split()) if character not in without).casefold()


def _foreign(shown: str) -> str:
    """The name of a letter that looks like another, such as a Cyrillic T: printed alone it would explain nothing."""
    letters = (character for character in shown if character.isalpha() and not character.isascii())
    return next((f" ({unicodedata.name(letter, 'unknown letter')})" for letter in letters), "")
