"""The settings file as keys and values; what is wrong with it is told by its place, never by what stands there."""

import os
from pathlib import Path
from typing import Any

import yaml

from schemas.errors import Code, SynopticError

SETTINGS_FILE = "synoptic.yaml"
SETTINGS_VARIABLE = "SYNOPTIC_SETTINGS"


def read_settings_file() -> dict[str, Any]:
    """What the file holds; nothing where the default file is absent. Raises SYN-601 where it cannot be read."""
    named = os.environ.get(SETTINGS_VARIABLE)
    path = Path(named or SETTINGS_FILE).expanduser()
    try:
        keys = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named:
            raise _fault(SETTINGS_VARIABLE, "no such file") from None
        return {}
    except OSError as error:
        raise _fault(path.name, f"cannot be read ({error.strerror or type(error).__name__})") from None
    except UnicodeDecodeError:
        raise _fault(path.name, "is not UTF-8") from None
    except (yaml.YAMLError, ValueError) as error:
        # A value that only looks like a date is a ValueError without a place.
        mark = getattr(error, "problem_mark", None)
        place = f"{path.name}, line {mark.line + 1}, column {mark.column + 1}" if mark else path.name
        raise _fault(place, "is not YAML") from None
    if keys is None:
        return {}
    if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys):
        raise _fault(path.name, "is no mapping from keys to values")
    return keys


def _fault(place: str, what: str) -> SynopticError:
    return SynopticError(Code.BAD_SETTINGS, f"{place}: {what}")
