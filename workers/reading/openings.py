"""What every match of a pattern begins with, so that a rule is tried only where its first letters stand.

A pattern is followed letter by letter, as far as it is certain: through groups, choices, repeats and small character
classes. What looks around is passed over; where a pattern may go on with anything, the opening ends. Openings are
in plain signs: small letters, 0 for any digit, a space for any white space and full stop. Letters beyond ASCII are left
out: without regard to case they have surprising partners, so workers/reading/places.py tries every rule near one.
"""

from functools import cache

LONGEST = 4
# The start of a word, as the first sign of an opening.
EDGE = "\b"
PLAIN: dict[int, int | str] = {
    **{code: code + 32 for code in range(ord("A"), ord("Z") + 1)},
    **dict.fromkeys(range(ord("1"), ord("9") + 1), "0"),
    **dict.fromkeys(map(ord, ".\t\n\r\f\v\x1c\x1d\x1e\x1f"), " "),
}
WORD = frozenset("abcdefghijklmnopqrstuvwxyz0_")

_MOST = 120
_CLASSES = {"d": frozenset("0"), "w": WORD, "s": frozenset(" ")}
_CONTROLS = dict.fromkeys("ntrfv", " ")
_ZERO_WIDTH = "BAZmM"

# The openings of a part of a pattern, each with whether what follows the part goes on from it.
_Openings = frozenset[tuple[str, bool]]
_NOTHING: _Openings = frozenset({("", True)})
_ANYTHING: _Openings = frozenset({("", False)})


@cache
def openings(expression: str) -> frozenset[str] | None:
    """The openings of a pattern; None where a match may begin with anything, or with nothing."""
    try:
        found = frozenset(opening for opening, _ in _Follower(expression).choices())
    except (_UnfamiliarPatternError, IndexError, ValueError):
        return None
    return None if found & {"", EDGE} else found


class _UnfamiliarPatternError(Exception):
    """The pattern has a part that is not followed."""


class _Follower:
    """Follows one expression from its start."""

    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._at = 0

    def choices(self) -> _Openings:
        """The openings of the choices up to a closing bracket or the end."""
        found = set(self._sequence())
        while self._takes("|"):
            found |= self._sequence()
        return frozenset(found)

    def _takes(self, sign: str) -> bool:
        taken = self._expression.startswith(sign, self._at)
        self._at += len(sign) * taken
        return taken

    def _next(self) -> str:
        self._at += 1
        return self._expression[self._at - 1]

    def _sequence(self) -> _Openings:
        found = _NOTHING
        while any(goes_on for _, goes_on in found):
            if self._at == len(self._expression) or self._expression[self._at] in "|)":
                return found
            part = self._part()
            found = _joined(found, self._repeated(part))
        self._skip("|)")
        return found

    def _skip(self, ends: str) -> None:
        """Go to the next of these signs that stands in no group and no character class, or to the end."""
        depth = 0
        while self._at < len(self._expression) and not (depth == 0 and self._expression[self._at] in ends):
            sign = self._next()
            if sign == "\\":
                self._next()
            elif sign == "[":
                self._takes("^")
                self._members()
            else:
                depth += (sign == "(") - (sign == ")")

    def _part(self) -> _Openings:
        sign = self._next()
        if sign == "(":
            return self._group()
        if sign == "[":
            if self._takes("^"):
                self._members()
                return _ANYTHING
            return _letters(self._members())
        if sign == "\\":
            return self._escape()
        if sign == ".":
            return _ANYTHING
        return _NOTHING if sign in "^$" else _letters({sign})

    def _group(self) -> _Openings:
        around = False
        if self._takes("?"):
            around = any(self._takes(sign) for sign in ("=", "!", "<=", "<!"))
            if not around and self._takes("P<"):
                self._at = self._expression.index(">", self._at) + 1
            elif not around and not any(self._takes(sign) for sign in (":", ">", "-i:")):
                raise _UnfamiliarPatternError
        if around:
            self._skip(")")
        found = _NOTHING if around else self.choices()
        if not self._takes(")"):
            raise _UnfamiliarPatternError
        return found

    def _escape(self) -> _Openings:
        sign = self._next()
        if sign == "b":
            return frozenset({(EDGE, True)})
        if sign in _ZERO_WIDTH:
            return _NOTHING
        return _ANYTHING if sign in "DWS" else _letters(_escaped(sign))

    def _members(self) -> set[str]:
        """The signs of a character class, up to its end; of what a class leaves out, all of ASCII."""
        members: set[str] = set()
        while self._expression[self._at] != "]" or not members:
            sign = self._next()
            if sign == "[":
                raise _UnfamiliarPatternError
            if sign == "\\":
                sign = self._next()
                members |= {chr(code) for code in range(128)} if sign in "DWS" else _escaped(sign)
            elif self._expression[self._at] == "-" and self._expression[self._at + 1] not in "]\\":
                self._next()
                members |= {sign, *(chr(code) for code in range(ord(sign), min(ord(self._next()), 127) + 1))}
            else:
                members.add(sign)
        self._next()
        return members

    def _repeated(self, part: _Openings) -> _Openings:
        least, most = self._times()
        found = _NOTHING
        for time in range(min(most, LONGEST)):
            longer = _joined(found, part)
            again = longer if time < least else found | longer
            if again == found:
                break
            found = again
        return found

    def _times(self) -> tuple[int, int]:
        """How often the part before stands, at least and at most."""
        simple = {"?": (0, 1), "*": (0, LONGEST), "+": (1, LONGEST)}
        sign = next((sign for sign in simple if self._takes(sign)), "")
        if sign:
            times = simple[sign]
        elif self._takes("{"):
            end = self._expression.index("}", self._at)
            least, comma, most = self._expression[self._at : end].partition(",")
            self._at = end + 1
            times = int(least or 0), int(most or LONGEST) if comma else int(least)
        else:
            return 1, 1
        if not self._takes("?"):
            self._takes("+")
        return times


def _escaped(sign: str) -> frozenset[str]:
    """The signs that a backslash and this sign stand for."""
    if sign in _CLASSES:
        return _CLASSES[sign]
    if sign.isalnum() and sign not in _CONTROLS:
        raise _UnfamiliarPatternError
    return frozenset(_CONTROLS.get(sign, sign))


def _letters(signs: set[str] | frozenset[str]) -> _Openings:
    """One of these signs, save those beyond ASCII; anything, where one of those is a letter of ASCII in another case."""
    odd = [sign for sign in signs if not sign.isascii()]
    if any(form.isascii() for sign in odd for form in (sign.lower(), sign.upper(), sign.casefold())):
        return _ANYTHING
    return frozenset((sign.translate(PLAIN), True) for sign in signs if sign.isascii())


def _joined(first: _Openings, second: _Openings) -> _Openings:
    """The first openings and, after those that go on, the second; cut shorter where there are too many."""
    found = {pair for pair in first if not pair[1]}
    for opening, goes_on in first:
        for further, on in second if goes_on else ():
            found.add((opening + further.replace(EDGE, "") if opening else further, on))
    for longest in range(LONGEST, 0, -1):
        cut = frozenset(_cut(opening, goes_on, longest) for opening, goes_on in found)
        if len(cut) <= _MOST:
            return cut
    return _ANYTHING


def _cut(opening: str, goes_on: bool, longest: int) -> tuple[str, bool]:
    letters = opening.removeprefix(EDGE)
    if len(letters) < longest:
        return opening, goes_on
    return opening[: longest + len(opening) - len(letters)], False
