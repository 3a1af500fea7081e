"""Replay of many reports: how many versions each resource of the folder store has after every report came twice.

    .venv/bin/python benchmarks/replay.py [--reports 1000] [--texts FILE]

The reports go through intake, extraction (an engine that costs nothing) and emission, then all of them again in another
order. Ends with status 1 where any resource has more than one version, or the second time changed any file.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

from measured_chain import FreeEngine, MeasuredChain, settings_in
from reports import report_messages, report_texts

from gateway.stores.folder_store import HISTORY
from schemas.logs import configure
from schemas.pack_loader import load_pack
from schemas.settings import LoggingSettings

BATCH = 100


def replay(texts: list[str], folder: Path) -> dict[str, object]:
    """Both passes into the folder: resources by number of versions, files that the second pass changed, and rates."""
    settings = settings_in(folder)
    messages = list(report_messages(texts))
    with MeasuredChain(settings, FreeEngine(load_pack(settings.packs[0]))) as chain:
        seconds = [_pass(chain, messages)]
        before = _files(settings.fhir.folder)
        Random(1).shuffle(messages)  # noqa: S311 (for variety, not for secrets)
        seconds.append(_pass(chain, messages))
        counts = chain.counts()
    after = _files(settings.fhir.folder)
    versions = Counter(path.parent for path in (settings.fhir.folder / HISTORY).glob("*/*/*.json"))
    return {
        "reports": len(messages),
        **counts,
        "resources": len(versions),
        "by_versions": dict(sorted(Counter(versions.values()).items())),
        "files_changed_by_the_second_pass": len(before.items() ^ after.items()),
        "reports_per_second": [round(len(messages) / one, 1) for one in seconds],
    }


def _pass(chain: MeasuredChain, messages: list[bytes]) -> float:
    return sum(chain.run(messages[start : start + BATCH]) for start in range(0, len(messages), BATCH))


def _files(folder: Path) -> dict[str, str]:
    """Every file of the store with the digest of its bytes."""
    files = (path for path in folder.rglob("*.json") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def main() -> None:
    """Replay, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=1000)
    parser.add_argument("--texts", type=Path, help="JSON lines with a `text`; none: invented reports")
    arguments = parser.parse_args()
    configure(LoggingSettings(level="error"))
    with tempfile.TemporaryDirectory() as folder:
        figures = replay(report_texts(arguments.reports, arguments.texts), Path(folder))
    sys.stdout.write(json.dumps(figures) + "\n")
    if figures["by_versions"] != {1: figures["resources"]} or figures["files_changed_by_the_second_pass"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
