"""The shape of the code: folders, sizes, docstrings, and what may be imported where."""

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGURATION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
PACKAGES = tuple(sorted(path.parent.name for path in REPOSITORY.glob("*/__init__.py")))
MODULES = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}
HEAVY = ("torch", "transformers", "peft", "kafka")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def place(path: Path, node: ast.AST | None = None) -> str:
    """Where something stands, for a failure's message."""
    return str(path.relative_to(REPOSITORY)) + (f":{node.lineno}" if node else "")


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function and method of the packages."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def public(body: list[ast.stmt]) -> Iterator[Definition]:
    """Public functions, classes and their public methods."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)


def test_the_packages_are_checked_and_installed():
    """The folders on disk, the roots of import-linter and, but for deploy/, the installed packages are the same."""
    assert tuple(sorted(CONFIGURATION["importlinter"]["root_packages"])) == PACKAGES
    installed = set(CONFIGURATION["setuptools"]["packages"])
    assert {name.partition(".")[0] for name in installed} == set(PACKAGES) - {"deploy"}
    nested = {".".join(path.parent.relative_to(REPOSITORY).parts) for path in MODULES}
    assert {name for name in nested if not name.startswith("deploy")} == installed


def test_types_are_checked_in_every_package():
    """`make check` names every package to the type checker."""
    line = next(line for line in (REPOSITORY / "Makefile").read_text().splitlines() if "/mypy " in line)
    assert set(PACKAGES) <= set(line.split())


def test_modules_stay_small():
    """No module is longer than 500 lines, and half of them have at most 150."""
    lengths = {place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > 500} == {}
    assert statistics.median(lengths.values()) <= 150


def test_functions_stay_short():
    """Fewer than three functions in a hundred are longer than 50 lines."""
    found = list(functions())
    long = [place(path, node) for path, node in found if node.end_lineno - node.lineno + 1 > 50]
    assert len(long) < 0.03 * len(found), long


def test_everything_public_has_a_docstring():
    """Each module, public class and public function begins by saying what it is for."""
    silent = [place(path) for path, tree in TREES.items() if not ast.get_docstring(tree)]
    silent += [
        place(path, node) for path, tree in TREES.items() for node in public(tree.body) if not ast.get_docstring(node)
    ]
    assert silent == []


def test_every_test_states_a_behaviour():
    """Each test, and each module of tests, begins with a docstring."""
    silent = []
    for path in sorted((REPOSITORY / "tests").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        nodes = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))]
        silent += [
            place(path, None if node is tree else node)
            for node in nodes
            if (node is tree or node.name.startswith("test_")) and not ast.get_docstring(node)
        ]
    assert silent == []


def test_nothing_prints():
    """Packages write through the commands' terminal or the log, never with print."""
    printed = [
        place(path, node)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printed == []


def test_packages_import_nothing_by_themselves():
    """An __init__ file holds its docstring and nothing else."""
    assert [place(path) for path, tree in TREES.items() if path.name == "__init__.py" and len(tree.body) != 1] == []


def test_only_commands_import_training():
    """Of gateway, no hop or reader needs training to be installed."""
    importing = [
        place(path, node)
        for path, tree in TREES.items()
        if path.is_relative_to(REPOSITORY / "gateway") and path.parent.name != "commands"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "training"
    ]
    assert importing == []


def light_modules() -> list[str]:
    """Modules that a host without the model's libraries uses: the vocabulary, the text steps, mapping, gateway hops."""
    folders = ("schemas", "workers", "mappers", "gateway")
    chosen = [path for path in MODULES if path.relative_to(REPOSITORY).parts[0] in folders]
    processes = {"document_process", "ocr_process"}
    light = [path for path in chosen if path.stem not in processes and "kafka" not in path.stem]
    names = [path.relative_to(REPOSITORY).with_suffix("") for path in light]
    return [".".join(name.parts).removesuffix(".__init__") for name in names]


def test_no_light_module_loads_a_heavy_library():
    """Vocabulary, text steps, mapping and gateway load without torch and without Kafka."""
    script = (
        "import importlib, sys\n"
        f"for name in {light_modules()!r}:\n    importlib.import_module(name)\n"
        f"    loaded = [heavy for heavy in {HEAVY!r} if heavy in sys.modules]\n"
        "    assert not loaded, (name, loaded)\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=REPOSITORY)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("name", ["getLogger", "basicConfig"])
def test_modules_log_by_structlog(name):
    """No module takes a logger of its own; only these touch a library's: to set it up, to quiet it, to read it."""
    known = ("schemas/logs.py", "model/libraries.py", "workers/buses/kafka_clients.py")
    allowed = {REPOSITORY / name for name in known}
    users = [
        path
        for path, tree in TREES.items()
        if any(isinstance(n, ast.Attribute) and n.attr == name for n in ast.walk(tree))
    ]
    assert set(users) <= allowed


def test_code_names_no_document_outside_the_clone():
    """What a comment or docstring refers to can be read in the clone: no chapter of a design that is elsewhere."""
    folders = "|".join(re.escape(f"{folder}/") for folder in (REPOSITORY, REPOSITORY.parent) if folder != folder.parent)
    elsewhere = re.compile(rf"\b(?:DESIGN|RESEARCH|CLINICAL)\b[ :]*(?:\d|\w+\))|\.\./shared|{folders}")
    named = [place(path) for path in MODULES if elsewhere.search(path.read_text(encoding="utf-8"))]
    assert named == []
