"""The pages that are made from the code, and what pages say of commands, options, files, settings and errors."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from gateway import cli
from schemas.errors import Code
from schemas.pack_loader import PACKS_FOLDER
from schemas.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
TEXT = {page: page.read_text(encoding="utf-8") for page in PAGES}
PROGRAM = re.compile(r"(?:`|\$ |^    |\| )(?:\.venv/bin/)?synoptic +([a-z]+)(?: +([a-z]+(?:-[a-z]+)*))?", re.MULTILINE)


def load_build():
    """docs/build.py as a module."""
    specification = importlib.util.spec_from_file_location("docs_build", REPOSITORY / "docs" / "build.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


BUILD = load_build()


@pytest.mark.parametrize("name", BUILD.PAGES)
def test_made_pages_are_current(name):
    """A page made from the code is what the code says; if not, run `.venv/bin/python docs/build.py`."""
    assert (REPOSITORY / "docs" / name).read_text(encoding="utf-8") == BUILD.PAGES[name]()


def test_every_error_and_setting_is_on_its_page():
    """No error falls outside the listed ranges, and every setting says what it means."""
    errors = BUILD.errors_page()
    assert [code.label for code in Code if f"| {code.label} |" not in errors] == []
    assert [key for key, field in BUILD.settings_keys(Settings) if not field.description] == []
    assert len(dict(BUILD.settings_keys(Settings))) > 30


def subcommands(name: str) -> list[str]:
    """The subcommands of a command, none where it has no groups."""
    command = typer.main.get_command(cli.build_app(name)).commands[name]
    return sorted(getattr(command, "commands", {}))


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_commands_page_explains_each_command(name):
    """docs/commands.md has a row for every command, and for every subcommand."""
    rows = [line for line in TEXT[REPOSITORY / "docs" / "commands.md"].splitlines() if line.startswith("| `synoptic ")]
    expected = [f"{name} {sub}" for sub in subcommands(name)] or [name]
    assert [words for words in expected if not any(re.match(rf"\| `synoptic {words}\b", row) for row in rows)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_only_commands_that_exist(page):
    """Whatever a page shows as a call of the program is a command of it, subcommand included."""
    for name, sub in PROGRAM.findall(TEXT[page]):
        assert name in cli.COMMANDS, f"{page.name}: synoptic {name}"
        known = subcommands(name)
        assert not known or not sub or sub in known, f"{page.name}: synoptic {name} {sub}"


def options(page: str) -> Iterator[tuple[str, str]]:
    """Each long option in a call that a page shows, or in the table row of a command, with the command."""
    spans = re.findall(r"^\| `synoptic .*$|^    .*$|`[^`\n]+`", page, re.MULTILINE)
    for span in spans:
        called = PROGRAM.search(span)
        if called:
            yield from ((called.group(1), option) for option in re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", span))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_only_options_that_exist(page):
    """An option shown in a call is one of that command, or of one of its subcommands."""
    for name, option in options(TEXT[page]):
        command = typer.main.get_command(cli.build_app(name)).commands[name]
        parts = [command, *getattr(command, "commands", {}).values()]
        known = {"--help", *(word for part in parts for parameter in part.params for word in parameter.opts)}
        assert option in known, f"{page.name}: synoptic {name} {option}"


def test_targets_of_the_readme_exist():
    """Every `make TARGET` that a page shows is a target of the Makefile, and the README shows the first three."""
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    shown = {page: set(re.findall(r"\bmake ([a-z]+)\b", text)) for page, text in TEXT.items()}
    code = {page: set(re.findall(r"(?:`|^    )make ([a-z]+)", text, re.MULTILINE)) for page, text in TEXT.items()}
    assert {"demo", "test", "check"} <= shown[REPOSITORY / "README.md"]
    assert set().union(*code.values()) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page):
    """Every relative link of a page names a file or folder of the clone, and an anchor a heading of its page."""
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXT[page]):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = page if not path else (page.parent / path).resolve()
        assert linked.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_numbers_and_settings_on_pages_exist(page):
    """An error number, an environment variable and a dotted setting on a page are ones that the program knows."""
    labels = {code.label for code in Code}
    assert set(re.findall(r"SYN-\d{3}", TEXT[page])) <= labels
    keys = {key for key, _ in BUILD.settings_keys(Settings)}
    variables = {f"SYNOPTIC_{key.upper().replace('.', '__')}" for key in keys} | {"SYNOPTIC_SETTINGS"}
    assert set(re.findall(r"\bSYNOPTIC_[A-Z_]*[A-Z]\b", TEXT[page])) <= variables
    sections = {key.partition(".")[0] for key in keys if "." in key}
    dotted = set(re.findall(rf"`((?:{'|'.join(sorted(sections))})\.[a-z_]+)`", TEXT[page]))
    assert {key for key in dotted if not key.endswith((".py", ".yaml", ".md"))} <= keys


def test_every_pack_explains_itself():
    """Each pack has a README, and the README's tree names the folder of the packs that ship."""
    packs = [folder for folder in PACKS_FOLDER.iterdir() if (folder / "pack.yaml").exists()]
    assert packs
    for folder in packs:
        assert (folder / "README.md").is_file(), folder.name
        assert f"packs/{folder.name}/" in TEXT[REPOSITORY / "README.md"]


def test_every_benchmark_is_named_in_the_readme():
    """Each file of benchmarks/ is the source of a figure that the README quotes."""
    scripts = [path.name for path in (REPOSITORY / "benchmarks").glob("*.py")]
    assert scripts
    assert [name for name in scripts if f"benchmarks/{name}" not in TEXT[REPOSITORY / "README.md"]] == []
