"""Reads a part of a pack that is spread over the files of a folder as one model, faults traced back to their file.

Each file holds some of the model's keys. Mappings are joined (a name stands in one file only), lists are put one after
the other in the order of the file names, so that files can be read, and edited, one subject at a time.
"""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from schemas.yaml_source import Fault, fault_of, line_of, load_yaml, plain

Model = TypeVar("Model", bound=BaseModel)
_Place = tuple[int | str, ...]


def files_of(folder: Path) -> list[Path]:
    """The YAML files of the folder, in the order in which they are joined."""
    return sorted(folder.glob("*.yaml"))


def load_folder(folder: Path, model: type[Model]) -> tuple[Model | None, list[Fault]]:
    """Read all files of the folder as one `model`; returns it, or None with every fault found in any file."""
    sources: dict[str, Any] = {}
    faults: list[Fault] = []
    for path in files_of(folder):
        sources[path.name], found = load_yaml(path)
        faults += found
    if not sources:
        faults.append(Fault(folder.name, 1, "(folder)", "holds no YAML file"))
    joined = _Joined()
    for name, data in sources.items():
        faults += joined.add(name, data)
    if faults:
        return None, faults
    try:
        return model.model_validate(joined.data), []
    except ValidationError as error:
        return None, [
            fault_of(item, *joined.origin(item["loc"], sources, folder), model)
            for item in error.errors(include_url=False)
        ]


class _Joined:
    """The joined data, and from which file and place each entry came."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self._origins: dict[_Place, tuple[str, _Place]] = {}

    def add(self, file: str, data: Any) -> list[Fault]:
        """Join one file's data; a fault for what is no mapping, and for a name that another file has."""
        content = plain(data)
        if not isinstance(content, dict):
            return [Fault(file, 1, "(root)", "is not a mapping")]
        faults = []
        for key, value in content.items():
            if isinstance(value, dict):
                held = self.data.setdefault(key, {})
                for name, entry in value.items():
                    if name in held:
                        other = self._origins[(key, name)][0]
                        faults.append(
                            Fault(file, line_of(data, (key, name)), f"{key}.{name}", f"stands in {other} too")
                        )
                    held[name] = entry
                    self._origins.setdefault((key, name), (file, (key, name)))
            elif isinstance(value, list):
                held = self.data.setdefault(key, [])
                for index, entry in enumerate(value):
                    self._origins[(key, len(held))] = (file, (key, index))
                    held.append(entry)
            else:
                self.data[key] = value
                self._origins[(key,)] = (file, (key,))
        return faults

    def origin(self, place: _Place, sources: dict[str, Any], folder: Path) -> tuple[str, int, _Place]:
        """The file, line and place there of an entry of the joined data."""
        for depth in (2, 1):
            if place[:depth] in self._origins:
                file, start = self._origins[place[:depth]]
                found = (*start, *place[depth:])
                return file, line_of(sources[file], found), found
        return folder.name, 1, place
