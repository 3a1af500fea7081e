"""The packs of a running hop, whose mapping, overlays and licensed stage table are read again when their files change.

A file is looked at before each batch; one that was written within the last second may still be being written, and waits
for the next look. What has faults is refused by number, and the mapping before it stays in use.
"""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from gateway.mapping_tools.shapes import require_sound
from schemas.errors import Code, SynopticError
from schemas.metrics import MAPPING_CHANGES
from schemas.overlay_loader import MAPPING_FILE, OVERLAY_FILE, SHIPPED_CODES, codes_file
from schemas.pack_loader import Pack, load_packs, with_mappings
from schemas.settings import Settings

SETTLED_SECONDS = 1.0
Marks = tuple[tuple[int, int, int] | None, ...]
logger = structlog.get_logger()


class WatchedPacks:
    """Packs by id as their mapping files are now; may be asked from any thread."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        """Load them; raises SYN-602, SYN-613 or SYN-620 where they have faults at the start."""
        self._settings = settings.mapping
        self._clock = clock
        self._guard = threading.Lock()
        self._packs: Mapping[str, Pack] = load_packs(settings.packs, settings.mapping)
        require_sound(self._packs.values())
        self._files = self._watched()
        self._marks = self._look()

    def current(self) -> Mapping[str, Pack]:
        """The packs, read again if a file has changed since and is without faults."""
        with self._guard:
            marks = self._look()
            if marks != self._marks and self._are_settled(marks):
                self._marks = marks
                self._read_again()
            return self._packs

    def _read_again(self) -> None:
        try:
            packs = with_mappings(self._packs, self._settings)
            require_sound(packs.values())
        except SynopticError as error:
            MAPPING_CHANGES.add(action="refused")
            logger.error("changed mapping refused", error=SynopticError(Code.MAPPING_KEPT, error.detail))
            return
        self._packs = packs
        MAPPING_CHANGES.add(action="taken")
        for identifier in self._packs:
            logger.info("mapping taken up", pack=identifier)

    def _watched(self) -> list[Path]:
        own = [pack.folder / MAPPING_FILE for pack in self._packs.values()]
        if self._settings.codes != SHIPPED_CODES:
            own += [codes_file(pack.folder, self._settings.codes) for pack in self._packs.values()]
        licensed = [path for path in (self._settings.prognostic_table,) if path]
        return [*own, *(folder / OVERLAY_FILE for folder in self._settings.overlays), *licensed]

    def _look(self) -> Marks:
        return tuple(_mark(path) for path in self._files)

    def _are_settled(self, marks: Marks) -> bool:
        now = self._clock()
        return all(mark is None or abs(now - mark[0] / 1e9) >= SETTLED_SECONDS for mark in marks)


def _mark(path: Path) -> tuple[int, int, int] | None:
    """What changes with the file: its instant, size and inode; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
