"""The JSON Schemas of mapping.yaml and overlay.yaml, for editors: what `synoptic mapping schema` prints.

schemas/mapping.schema.json and schemas/overlay.schema.json are the same, held equal by a test. They know the shape, all
keys with their meaning, the variables that conditions may ask for, and the values of those that have few; `synoptic
mapping check` knows the rest.
"""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel

from schemas.mapping_names import CLOSED
from schemas.overlay import Overlay
from schemas.pack_mapping import (
    ABSENT,
    FINDING_VARIABLES,
    PRESENT,
    PRIMARY_VARIABLES,
    REPORT_VARIABLES,
    RESOURCE_VARIABLES,
    Mapping,
)

SchemaName = Literal["mapping", "overlay"]
MODELS: dict[SchemaName, type[BaseModel]] = {"mapping": Mapping, "overlay": Overlay}
_CONDITIONS = frozenset(("when", "unless"))
_VARIABLES = (*FINDING_VARIABLES, *PRIMARY_VARIABLES, *REPORT_VARIABLES, *RESOURCE_VARIABLES)
_ONE_OR_MORE = {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}
_CODE = r"^\+?[A-Za-z0-9]+\|[^|]+(\|.*)?$"


def schema_of(name: SchemaName) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the file of that name."""
    schema = MODELS[name].model_json_schema()
    for definition in (schema, *schema["$defs"].values()):
        for key, part in definition.get("properties", {}).items():
            part.pop("title", None)
            if key in _CONDITIONS:
                part["properties"] = {
                    variable: {"$ref": f"#/$defs/{variable if variable in CLOSED else 'OneOrMore'}"}
                    for variable in _VARIABLES
                }
    for key in ("codes", "tables"):
        _describe_codes(schema["properties"][key])
    schema["$defs"] |= {"OneOrMore": _ONE_OR_MORE, **{name: _one_or_more_of(values) for name, values in CLOSED.items()}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://synoptic.example/schemas/{name}.schema.json",
        **schema,
        "title": f"Synoptic {name}.yaml",
    }


def _one_or_more_of(values: Iterable[str]) -> dict[str, Any]:
    """What a condition on a variable of few values may be."""
    one = {"enum": [*map(str, values), ABSENT, PRESENT]}
    return {"anyOf": [one, {"type": "array", "items": one}]}


def _describe_codes(node: Any) -> None:
    """Every text below `codes` and `tables` is a code."""
    if isinstance(node, dict):
        if node.get("type") == "string":
            node["pattern"] = _CODE
        for value in list(node.values()):
            _describe_codes(value)
    elif isinstance(node, list):
        for item in node:
            _describe_codes(item)
