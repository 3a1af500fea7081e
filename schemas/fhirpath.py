"""FHIRPath as conditions and values of a mapping: checked when it is loaded, compiled once, and without a clock.

The library (fhirpathpy) passes over most mistakes of syntax, so `fault_in` reads the tree with its own parser first.
It is imported when the first expression is read: most mappings have none.
"""

import re
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

from schemas.errors import Code, SynopticError, fault_location
from schemas.yaml_source import nearest

_CLOCK = re.compile(r"\b(?:now|today|timeOfDay)\s*\(")
_VARIABLE = re.compile(r"%(?:`([^`]+)`|(\w+))")
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'")
_FUNCTION = re.compile(r"\b\w+\s*\([^()]*\)")
_ELEMENT = re.compile(r"(?<![\w.%`@])[a-z]\w*")
_WORDS = frozenset(("and", "or", "xor", "implies", "is", "as", "in", "contains", "div", "mod", "true", "false"))
ELEMENTS = (
    "code", "effectiveDateTime", "encounter", "identifier", "issued", "meta", "performer", "resourceType", "specimen", "status",
    "subject",
)  # fmt: skip
"""What a path can ask of the report: the elements that emission knows."""
_EMPTY = {"resourceType": "DiagnosticReport"}
_STANDARD = frozenset(("context", "resource", "rootResource", "ucum"))
Environment = Mapping[str, Any]


def evaluate(path: str, resource: Environment, environment: Environment) -> list[Any]:
    """What the path selects of the resource; `%name` is a name of `environment`, and one without a value is empty.

    Raises SYN-412 where the expression cannot be evaluated, as with a text compared to a number.
    """
    named = {name: environment.get(name) for name in names_in(path)}
    known = {name: [] if value is None else value for name, value in named.items()}
    try:
        return list(_compiled(path)(dict(resource), known))
    except Exception as error:
        raise SynopticError(Code.BAD_EXPRESSION, f"{path!r}, {fault_location(error)}") from None


def is_true(path: str, resource: Environment, environment: Environment) -> bool:
    """True where the path gives one true value; nothing, false and several values are no yes."""
    return evaluate(path, resource, environment) == [True]


def fault_in(path: str, texts: Collection[str] = (), is_condition: bool = False) -> str | None:
    """What is wrong with the expression, if anything: its syntax, a function that does not exist, the clock, a variable of
    `texts` that is taken for a number, an element that the report has not, a condition that is neither true nor false.
    """
    if _CLOCK.search(_STRING.sub("''", path)):
        return "asks for the present time, and the same report must always give the same resources"
    if (syntax := _syntax_fault(path)) is not None:
        return syntax
    names = names_in(path)
    try:
        _compiled(path)(_EMPTY, {name: [] for name in names})
    except Exception as error:  # the library has no exceptions of its own
        return f"is no FHIRPath that can be evaluated: {error}"
    try:
        given = list(_compiled(path)(_EMPTY, {name: "1" if name in texts else [] for name in names}))
    except Exception as error:
        return f"cannot be evaluated, since variables are texts ({error}); a number is %name.toDecimal()"
    if is_condition and given not in ([], [True], [False]):
        return "expected true or false; this selects values, which is never true: compare them, or ask exists()"
    return _unknown_element(path)


def _unknown_element(path: str) -> str | None:
    """An element that the report has not; what stands inside a function is asked of something else."""
    rest, before = _STRING.sub("''", path), ""
    while rest != before:
        before, rest = rest, _FUNCTION.sub("", rest)
    names = (name for name in _ELEMENT.findall(rest) if name not in (*_WORDS, *ELEMENTS))
    return next((f"the report has no element {name!r} here; {nearest(name, ELEMENTS)}" for name in names), None)


def names_in(path: str) -> list[str]:
    """The names behind `%` that the mapping has to know."""
    found = (quoted or plain for quoted, plain in _VARIABLE.findall(_STRING.sub("''", path)))
    return [name for name in dict.fromkeys(found) if name not in _STANDARD]


@cache
def _compiled(path: str) -> Callable[[Any, Any], Any]:
    from fhirpathpy import compile as compile_path

    return compile_path(path)


def _syntax_fault(path: str) -> str | None:
    from antlr4 import CommonTokenStream, InputStream, Token
    from antlr4.error.ErrorListener import ErrorListener
    from fhirpathpy.parser.generated.FHIRPathLexer import FHIRPathLexer
    from fhirpathpy.parser.generated.FHIRPathParser import FHIRPathParser

    found: list[str] = []

    class Listener(ErrorListener):  # type: ignore[misc]  # the parser has no types
        def syntaxError(self, *place: Any) -> None:  # noqa: N802 (the parser generator's name)
            _recogniser, _symbol, _line, column, message, _error = place
            found.append(f"is no FHIRPath, at character {column + 1}: {message.partition(' expecting')[0]}")

    lexer = FHIRPathLexer(InputStream(path))
    parser = FHIRPathParser(CommonTokenStream(lexer))
    for recogniser in (lexer, parser):
        recogniser.removeErrorListeners()
        recogniser.addErrorListener(Listener())
    parser.expression()
    rest = parser.getCurrentToken()
    if not found and rest.type != Token.EOF:
        found.append(f"is no FHIRPath, at character {rest.column + 1}: {rest.text!r} is one too many")
    return found[0] if found else None
