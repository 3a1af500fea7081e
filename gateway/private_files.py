"""Files that hold identifiers: readable by the user who wrote them alone."""

import os
from pathlib import Path

from schemas.errors import Code, SynopticError


def write_private(path: Path, content: bytes) -> None:
    """Write the file and the folder it stands in, for this user alone; raises SYN-752 where that cannot be.

    A file that was there keeps its place and loses everybody else's rights before anything is written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o600)
            file.truncate()
            file.write(content)
    except OSError as error:
        raise SynopticError(Code.UNWRITABLE_FOLDER, f"{path.name}: {error.strerror or type(error).__name__}") from None
