"""What an installation brings along: the data files beside the code."""

import tomllib
from glob import glob
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def test_every_data_file_is_packaged():
    """A pack, vocabulary or checkpoint that the code reads is in the wheel, not only in the clone."""
    setuptools = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]
    packaged, data = set(), set()
    for package in setuptools["packages"]:
        folder = REPOSITORY / package.replace(".", "/")
        for pattern in setuptools["package-data"].get(package, []):
            packaged |= {folder / name for name in glob(pattern, root_dir=folder, recursive=True)}  # noqa: PTH207 (as setuptools reads it)
        data |= {
            path
            for path in folder.rglob("*")
            if path.is_file() and path.suffix not in (".py", ".pyc", ".md") and "__pycache__" not in path.parts
        }
    assert {str(path.relative_to(REPOSITORY)) for path in data - packaged} == set()
