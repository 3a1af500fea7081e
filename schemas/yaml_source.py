"""YAML read with line numbers, checked against a pydantic model: every fault at once, with file, line and key."""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, get_args, runtime_checkable

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

Model = TypeVar("Model", bound=BaseModel)
_LIST, _KEYS = "Input should be a list", "Input should be keys with values"
_PLAINLY = {"tuple_type": _LIST, "list_type": _LIST, "dict_type": _KEYS, "model_type": _KEYS}
_BRANCHES = ("str", "tuple[str, ...]")  # what pydantic adds to the place of a text that may also be a list
_SYNTAX = {
    "mapping values are not allowed here": "a colon where none can stand: is the line indented like its neighbours?",
    "found character '\\t' that cannot start any token": "a tab: indent with spaces",
    "but found another document": "a second document begins here: a file holds one, without '---' in it",
}
_SHORT, _LISTED = 4, 12
_MOST_BYTES, _MOST_VALUES = 4_000_000, 500_000  # the largest shipped file has a fortieth of these
_TOO_DEEP = re.compile(r"(?:[\[{]\s*|-[ \n]\s*){60}")


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
        if path.stat().st_size > _MOST_BYTES:
            return None, [Fault(file, 1, "(file)", f"is larger than {_MOST_BYTES // 1_000_000} MB")]
        text = path.read_text(encoding="utf-8-sig")
        # The parser takes minutes to find out; what aliases repeat is found below.
        if (deep := _TOO_DEEP.search(text)) is not None:
            return None, [Fault(file, text.count("\n", 0, deep.start()) + 1, "(syntax)", "is nested too deep")]
        data = reader.load(text)
        if _size(data, {}) > _MOST_VALUES:
            return None, [Fault(file, 1, "(file)", f"its aliases make more than {_MOST_VALUES} values of it")]
        return data, []
    except FileNotFoundError:
        return None, [Fault(file, 1, "(file)", "is missing")]
    except OSError as error:
        return None, [Fault(file, 1, "(file)", f"cannot be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return None, [Fault(file, line, "(file)", "is not UTF-8 text: save it as UTF-8")]
    except MarkedYAMLError as error:
        mark, problem = error.problem_mark, (error.problem or "is not YAML").partition(" with value")[0]
        return None, [Fault(file, (mark.line + 1) if mark else 1, "(syntax)", _SYNTAX.get(problem, problem))]
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return None, [
            Fault(file, line, "(file)", f"holds the character {error.character:#04x}, which YAML does not allow")
        ]
    except YAMLError:
        return None, [Fault(file, 1, "(file)", "is not YAML")]
    except RecursionError:
        return None, [Fault(file, 1, "(syntax)", "is nested too deep")]


def _size(node: Any, known: dict[int, int]) -> int:
    """How many values a part holds once its aliases are written out; each part is counted once."""
    if not isinstance(node, CommentedMap | CommentedSeq):
        return 1
    if id(node) not in known:
        children = node.values() if isinstance(node, CommentedMap) else node
        known[id(node)] = 1 + sum(_size(child, known) for child in children)
    return known[id(node)]


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
        found = [
            fault_of(item, file, line_of(data, item["loc"]), item["loc"], model)
            for item in error.errors(include_url=False)
        ]
        return None, list(dict.fromkeys(found))


def fault_of(item: ErrorDetails, file: str, line: int, place: tuple[int | str, ...], model: type[BaseModel]) -> Fault:
    """What pydantic found wrong, at its place in the file; of a key that `model` does not have, the nearest one."""
    message, found = _PLAINLY.get(item["type"], item["msg"]), item.get("input")
    if item["type"] == "extra_forbidden":
        hint = nearest(str(place[-1]), _keys_at(model, item["loc"][:-1]))
        return Fault(file, line, dotted(place), f"{message}; {hint}")
    if place and str(place[-1]) in _BRANCHES:
        place, message = (
            place[:-1],
            "Input should be a text (in quotes where it looks like a number), or a list of texts",
        )
    elif item["type"] == "string_type":
        message = "Input should be a text: put it in quotes"
    return Fault(file, line, dotted(place), _explain(message, found))


def nearest(name: str, known: Iterable[str]) -> str:
    """What was expected: the most similar known name, or a few of them."""
    names = list(known)
    if close := difflib.get_close_matches(name, names, n=1, cutoff=0.5 if len(name) < _SHORT else 0.6):
        return f"did you mean {close[0]!r}?"
    more = f", … ({len(names)} in all)" if len(names) > _LISTED else ""
    return f"expected one of: {', '.join(names[:_LISTED])}{more}" if names else "there is none"


def _keys_at(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """The keys that a model has at a place within it."""
    known = [model]
    for step in place:
        known = [
            inner
            for one in known
            for inner in (_models_in(one.model_fields[str(step)].annotation) if step in one.model_fields else [one])
        ]
    return [name for one in known for name in one.model_fields]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


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
    shown = "nothing" if found is None else repr(found)
    return message if len(shown) > 60 or isinstance(found, dict | list) else f"{message} (found {shown})"
