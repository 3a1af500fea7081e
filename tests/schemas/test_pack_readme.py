"""The breast pack's README names every key of every file."""

import re
import typing
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from schemas.pack_loader import _FILES, FACTS_FOLDER, PACKS_FOLDER
from schemas.pack_rules import FactRules

README = (PACKS_FOLDER / "breast" / "README.md").read_text(encoding="utf-8")


def models_of(annotation: object) -> Iterator[type[BaseModel]]:
    """Every model inside an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from models_of(part)


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    """Every key that a file of this model may hold, nested ones included."""
    for name, field in model.model_fields.items():
        yield name
        for nested in models_of(field.annotation):
            yield from keys_of(nested)


PARTS = {**_FILES, FACTS_FOLDER: FactRules}


@pytest.mark.parametrize("file", list(PARTS))
def test_readme_names_every_key(file: str):
    """A newcomer finds each key of each file in the README."""
    named = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]*)`", README))))
    missing = sorted(set(keys_of(PARTS[file])) - named)
    assert not missing, f"{file}: {', '.join(missing)}"


def test_readme_names_every_file():
    """Each file of the folder has its line."""
    files = {path.name for path in (PACKS_FOLDER / "breast").glob("*.yaml")}
    assert files <= set(re.findall(r"`([a-z_]+\.yaml)`", README))
