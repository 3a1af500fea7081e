"""Every logging call in the product, read from its source."""

import ast
from pathlib import Path

from schemas.logs import ALLOWED

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDERS = ("schemas", "model", "workers", "mappers", "training", "gateway")
LEVELS = frozenset({"debug", "info", "warning", "error", "critical", "exception"})


def logging_calls():
    """Each call of a logger: where it is, its event, and its keys."""
    for folder in FOLDERS:
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
                    owner = ast.unparse(node.func.value)
                    if owner.removeprefix("self.").strip("_") in ("log", "logger") or "get_logger" in owner:
                        place = f"{path.relative_to(REPOSITORY)}:{node.lineno}"
                        yield place, node.args, {keyword.arg for keyword in node.keywords if keyword.arg}


def test_events_are_fixed_wording():
    """An event is one literal that the allow-list prints; nothing is ever put into it."""
    faults = []
    for place, arguments, _ in logging_calls():
        event = arguments[0].value if len(arguments) == 1 and isinstance(arguments[0], ast.Constant) else None
        if not isinstance(event, str) or not ALLOWED["event"].fullmatch(event):
            faults.append(place)
    assert faults == []


def test_keys_are_on_the_allow_list():
    """A key that would be withheld is not logged at all (a spread mapping is filtered when it runs)."""
    known = {*ALLOWED, "error", "exc_info"}
    faults = {place: keys - known for place, _, keys in logging_calls() if keys - known}
    assert faults == {}


def test_there_are_calls_to_check():
    """The two tests above look at something."""
    assert len(list(logging_calls())) >= 5
