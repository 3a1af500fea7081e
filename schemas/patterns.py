"""Patterns of packs: regular expressions with named fragments, in which a space stands for a lost line break too."""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeAlias

import regex

_FRAGMENT = regex.compile(r"\{([a-z][a-z0-9_]*)\}")
_GAP = r"(?:(?:\.?\s){1,3})"
_MAXIMUM_DEPTH = 8

Pattern: TypeAlias = Any  # regex.Pattern: the module has no type information


def expand(pattern: str, fragments: Mapping[str, str]) -> str:
    """Replace `{name}` by the fragment of that name, in a group, until none is left; raises ValueError if unknown."""
    for _ in range(_MAXIMUM_DEPTH):
        match = _FRAGMENT.search(pattern)
        if not match:
            return pattern
        pattern = _FRAGMENT.sub(lambda found: f"(?:{_fragment(found[1], fragments)})", pattern)
    raise ValueError("fragments refer to each other in a circle")


def compile_pattern(pattern: str, fragments: Mapping[str, str] | None = None, case_sensitive: bool = False) -> Pattern:
    """Compile a pattern after expansion; a space outside brackets matches white space or ". " (a lost line break)."""
    return _compile(_loosen(expand(pattern, fragments or {})), case_sensitive)


def _fragment(name: str, fragments: Mapping[str, str]) -> str:
    if name not in fragments:
        raise ValueError(f"no fragment is named {name}")
    return fragments[name]


@cache
def _compile(expression: str, case_sensitive: bool) -> Pattern:
    try:
        return regex.compile(expression, 0 if case_sensitive else regex.IGNORECASE)
    except regex.error as error:
        raise ValueError(f"not a regular expression: {error}") from error


def _loosen(expression: str) -> str:
    """Write each space outside of a character class as a gap, and runs of spaces as one."""
    pieces: list[str] = []
    in_class = escaped = False
    for character in expression:
        if escaped:
            pieces.append(character)
            escaped = False
            continue
        if character == " " and not in_class:
            if not pieces or pieces[-1] != _GAP:
                pieces.append(_GAP)
            continue
        escaped = character == "\\"
        if character == "[" and not in_class:
            in_class = True
        elif character == "]" and in_class:
            in_class = False
        pieces.append(character)
    return "".join(pieces)
