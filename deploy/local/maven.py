"""Builds a folder that has a Maven pom, once, whoever asks and however many ask at the same time."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.java_process import program

STAMP = "built.sha256"
TIMEOUT_SECONDS = 1_200
TAIL_CHARACTERS = 4_000


class BuildFailedError(RuntimeError):
    """A build that Maven refused; the message quotes the end of what it wrote."""


def build(folder: Path) -> Path:
    """Package `folder` unless its pom and sources were packaged already; the answer is its target folder."""
    folder = folder.resolve()
    target = folder / "target"
    with _alone_in(folder):
        digest = _digest(folder)
        stamp = target / STAMP
        if not stamp.is_file() or stamp.read_text(encoding="ascii") != digest:
            shutil.rmtree(target, ignore_errors=True)
            _package(folder)
            target.mkdir(exist_ok=True)
            stamp.write_text(digest, encoding="ascii")
    return target


def _package(folder: Path) -> None:
    """Run Maven in a folder."""
    program("javac")
    command = [program("mvn"), "--batch-mode", "--quiet", "--file", str(folder / "pom.xml"), "package"]
    answer = subprocess.run(  # noqa: S603 (a fixed command)
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if answer.returncode != 0:
        raise BuildFailedError(f"Maven could not package {folder.name}\n{answer.stdout[-TAIL_CHARACTERS:]}")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; it is released even if this process is killed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _digest(folder: Path) -> str:
    """One digest over the pom and the sources, names included."""
    files = [folder / "pom.xml", *sorted(path for path in (folder / "src").rglob("*") if path.is_file())]
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
