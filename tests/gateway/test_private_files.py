"""What holds identifiers is written for its writer alone."""

from pathlib import Path

import pytest

from gateway.private_files import write_private
from schemas.errors import Code, SynopticError


def test_file_and_folder_are_for_their_writer_alone(tmp_path: Path) -> None:
    """Nobody else may read either; what the file held before is gone, and so are others' rights to it."""
    write_private(tmp_path / "new" / "page.html", b"a long first text")
    (tmp_path / "new" / "page.html").chmod(0o644)
    write_private(tmp_path / "new" / "page.html", b"second")
    assert (tmp_path / "new" / "page.html").read_bytes() == b"second"
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new" / "page.html").stat().st_mode & 0o077 == 0


def test_file_that_cannot_be_written_is_a_numbered_error(tmp_path: Path) -> None:
    """SYN-752 names the file."""
    (tmp_path / "taken").touch()
    with pytest.raises(SynopticError, match=r"page\.html") as caught:
        write_private(tmp_path / "taken" / "page.html", b"words")
    assert caught.value.code is Code.UNWRITABLE_FOLDER
