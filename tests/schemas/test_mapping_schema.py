"""The published JSON Schemas: made from the models, and true of the files that ship."""

import json
from pathlib import Path

import jsonschema
import pytest

from schemas.mapping_schema import MODELS, schema_of
from schemas.pack_loader import PACKS_FOLDER
from schemas.yaml_source import load_yaml, plain

SCHEMAS = PACKS_FOLDER.parent
EXAMPLE = SCHEMAS.parent / "examples" / "mapping-facility-x" / "overlay.yaml"
FILES = [
    *((path, "mapping") for path in sorted(PACKS_FOLDER.glob("*/mapping.yaml"))),
    *((path, "overlay") for path in (*sorted(PACKS_FOLDER.glob("*/codes_*.yaml")), EXAMPLE)),
]


@pytest.mark.parametrize("name", MODELS)
def test_the_published_schema_is_the_models(name: str) -> None:
    """After a change: `synoptic mapping schema NAME > schemas/NAME.schema.json`."""
    assert json.loads((SCHEMAS / f"{name}.schema.json").read_text()) == schema_of(name)


@pytest.mark.parametrize(
    ("path", "name"), FILES, ids=lambda value: Path(value).parent.name if "/" in str(value) else value
)
def test_what_ships_is_valid(path: Path, name: str) -> None:
    """Each file follows its schema, which its first lines name for editors."""
    source, _ = load_yaml(path)
    errors = jsonschema.Draft202012Validator(schema_of(name)).iter_errors(plain(source))
    assert [(list(error.absolute_path), error.message[:200]) for error in errors] == []
    line = next(line for line in path.read_text().splitlines() if "yaml-language-server" in line)
    assert (path.parent / line.partition("$schema=")[2]).resolve() == SCHEMAS / f"{name}.schema.json"


def test_a_mistake_shows_in_the_editor() -> None:
    """An unknown key, a code without its system, a condition of the wrong shape, and a value that its variable never has."""
    validator = jsonschema.Draft202012Validator(schema_of("overlay"))
    head = {"overlay": "x", "title": "X", "version": "1", "pack": "breast"}
    assert list(validator.iter_errors(head)) == []
    for wrong in ({"table": {}}, {"codes": {"ER": "85337-4"}}, {"rules": [{"slot": "T", "when": {"side": {"a": 1}}}]},
                  {"rules": [{"slot": "T", "when": {"side": ["left", "lft"]}}]}):  # fmt: skip
        assert list(validator.iter_errors({**head, **wrong})), wrong
