"""YAML read with line numbers, checked against a pydantic model: every fault at once, with file, line and key."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong in a configuration file: where it is, what is there and what was expected."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key}: {self.message}"

    @classmethod
    def at(cls, file: str, source: Any, place: tuple[int | str, ...], message: str) -> "Fault":
        """The fault at a place of what was read from the file."""
        return cls(file, line_of(source, place), dotted(place), message)


@runtime_checkable
class SelfChecking(Protocol):
    """A model that finds faults which its shape alone cannot show: where in the file, and what was expected."""

    def faults(self) -> Iterable[tuple[tuple[int | str, ...], str]]:
        """Each fault's place (keys and indexes from the root) and message."""
        ...


def load_yaml(path: Path, name: str | None = None) -> tuple[Any, list[Fault]]:
    """Read a YAML file, keeping line numbers; a syntax error or a missing file is one fault, of `name` if given."""
    reader, file = YAML(typ="rt"), name or path.name
    try:
        return reader.load(path.read_text(encoding="utf-8")), []
    except FileNotFoundError:
        return None, [Fault(file, 1, "(file)", "is missing")]
    except UnicodeDecodeError:
        return None, [Fault(file, 1, "(file)", "is not UTF-8 text")]
    except MarkedYAMLError as error:
        mark = error.problem_mark
        return None, [Fault(file, (mark.line + 1) if mark else 1, "(syntax)", error.problem or "is not YAML")]


def load_model(path: Path, model: type[Model]) -> tuple[Model | None, list[Fault]]:
    """Read a YAML file as `model`; returns the model, or None with every fault found."""
    data, faults = load_yaml(path)
    if faults:
        return None, faults
    loaded, faults = shaped(data, model, path.name)
    checked: Any = loaded
    found = checked.faults() if isinstance(checked, SelfChecking) else ()
    faults += [Fault.at(path.name, data, place, message) for place, message in found]
    return (None, faults) if faults else (loaded, [])


def shaped(data: Any, model: type[Model], file: str) -> tuple[Model | None, list[Fault]]:
    """What was read from a file as `model`, or None with every fault of its shape."""
    try:
        return model.model_validate(plain(data)), []
    except ValidationError as error:
        return None, [
            fault_of(item, file, line_of(data, item["loc"]), item["loc"]) for item in error.errors(include_url=False)
        ]


def fault_of(item: ErrorDetails, file: str, line: int, place: tuple[int | str, ...]) -> Fault:
    """What pydantic found wrong, at its place in the file."""
    return Fault(file, line, dotted(place), _explain(item["msg"], item.get("input")))


def plain(node: Any) -> Any:
    """The same data as plain dicts, lists and scalars, without ruamel's comment-carrying types."""
    if isinstance(node, CommentedMap):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [plain(item) for item in node]
    if isinstance(node, str):
        return str(node)
    return node


def line_of(data: Any, location: tuple[int | str, ...]) -> int:
    """The 1-based line of the deepest part of `location` that exists in `data`."""
    line, node = 1, data
    for step in location:
        if isinstance(node, CommentedMap) and step in node:
            line = int(node.lc.key(step)[0]) + 1
            node = node[step]
        elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
            line = int(node.lc.item(step)[0]) + 1
            node = node[step]
        else:
            break
    return line


def dotted(location: tuple[int | str, ...]) -> str:
    """A place as keys joined by dots."""
    return ".".join(str(step) for step in location) or "(root)"


def _explain(message: str, found: Any) -> str:
    shown = repr(found)
    return message if len(shown) > 60 or isinstance(found, dict | list) else f"{message} (found {shown})"
