"""deploy/Dockerfile: linted, runs as nobody, and copies what exists and what the engine is allowed to see."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FILE = REPOSITORY / "deploy" / "Dockerfile"
IGNORED = REPOSITORY / "deploy" / "Dockerfile.dockerignore"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def instructions() -> list[tuple[str, str]]:
    """Each instruction with its arguments, continued lines joined and comments left out."""
    lines = [line for line in FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    pairs = (line.partition(" ") for line in joined.splitlines() if line.strip())
    return [(name, arguments.strip()) for name, _, arguments in pairs]


def arguments_of(name: str) -> list[str]:
    """The arguments of every instruction of that name."""
    return [arguments for instruction, arguments in instructions() if instruction == name]


def copied() -> list[str]:
    """What is copied from the clone into the build stage."""
    return [
        source
        for arguments in arguments_of("COPY")
        if not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    ]


def test_the_linter_has_no_objection():
    """Hadolint finds nothing, not even something informational, beyond what the file itself excuses with a reason."""
    linter = Path(sys.executable).parent / "hadolint"
    answer = subprocess.run(
        [linter, "--no-color", "--failure-threshold", "none", FILE], capture_output=True, text=True, check=False
    )
    assert (answer.stdout, answer.stderr, answer.returncode) == ("", "", 0)


def test_the_linter_can_object(tmp_path):
    """The same linter names the rule of a file that takes the newest image and runs as root."""
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python:latest\nUSER root\n")
    linter = Path(sys.executable).parent / "hadolint"
    answer = subprocess.run([linter, "--no-color", bad], capture_output=True, text=True, check=False)
    assert {"DL3007", "DL3002"} <= set(re.findall(r"DL\d{4}", answer.stdout))


def test_base_images_are_pinned():
    """Both stages start from the same full version, the one that constraints.txt was made for."""
    bases = {arguments.split()[0] for arguments in arguments_of("FROM")}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", bases.pop())


def test_it_runs_as_a_numbered_user():
    """The last user is a number other than root's, and it is set before the command."""
    names = [name for name, _ in instructions()]
    user = arguments_of("USER")[-1]
    assert user.isdigit()
    assert int(user) > 0
    assert names.index("USER") < names.index("ENTRYPOINT")


def test_what_is_copied_is_there_and_let_through():
    """Each source exists and passes the list of what the engine may see, and nothing else is let through."""
    rules = IGNORED.read_text(encoding="utf-8").split()
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    assert set(copied()) == allowed
    assert [name for name in allowed if not (REPOSITORY / name).exists()] == []


def test_every_package_is_copied():
    """What pyproject.toml installs is in the build, with the files that it reads to do so."""
    packages = {name.partition(".")[0] for name in PROJECT["tool"]["setuptools"]["packages"]}
    read = {"constraints.txt", "pyproject.toml", PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]}
    assert packages | read <= set(copied())


def test_its_extras_exist_and_reach_kafka():
    """The image installs extras that the project has, the broker's client among them."""
    default = next(arguments for arguments in arguments_of("ARG") if arguments.startswith("EXTRAS="))
    extras = default.partition("=")[2].split(",")
    assert set(extras) <= set(PROJECT["project"]["optional-dependencies"])
    assert {"worker", "ocr", "kafka"} <= set(extras)


def test_it_starts_a_program_that_is_installed():
    """The entry point is a script of the project."""
    assert arguments_of("ENTRYPOINT") == ['["synoptic"]']
    assert "synoptic" in PROJECT["project"]["scripts"]


def test_it_holds_no_secret():
    """Nothing that is set while building, or for every container, is a key or a password."""
    assert arguments_of("ENV")
    for arguments in arguments_of("ENV") + arguments_of("ARG"):
        assert not re.search(r"(key|password|token|secret)\w*=", arguments, re.IGNORECASE)
