"""Sends hostile documents through intake and prints how each ends: its number, the seconds, and the readers' memory.

    .venv/bin/python -m benchmarks.hostile_files [--only WORDS]

Each comes as the presentedForm of a report, and a sound report follows it, which must come out. The readers' subprocesses
are started anew for each, so that the memory (highest resident size of all of them together, looked at every 10 ms) is
its own; their start is not in the seconds.
"""

import argparse
import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psutil
import structlog

from benchmarks.hostile_inputs import PDF, WORDS, hostile_files, sound_files, sound_pdf
from gateway.documents.reader import DocumentReader
from gateway.intake import Intake
from schemas.messages import TOPIC_REPORTS
from schemas.settings import Settings
from workers.buses.bus import Record

MIB = 1 << 20


class PeakMemory(threading.Thread):
    """The highest resident size of this process's children, in MiB, until it is stopped."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0
        self._ended = threading.Event()

    def run(self) -> None:
        """Look every 10 ms."""
        own = psutil.Process()
        while not self._ended.wait(0.01):
            self.peak = max(self.peak, sum(_resident(child) for child in own.children(recursive=True)) / MIB)

    def stop(self) -> float:
        """The peak."""
        self._ended.set()
        self.join()
        return self.peak


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def message_of(form: dict[str, Any], number: int = 1) -> bytes:
    """A report whose only text is that form."""
    return json.dumps(
        {
            "resourceType": "DiagnosticReport",
            "identifier": [{"system": "https://lab.example/accession", "value": f"S24-{number}"}],
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "11526-1"}]},
            "subject": {"reference": "Patient/p1"},
            "issued": "2024-03-05T10:00:00Z",
            "presentedForm": [form],
        }
    ).encode()


def ending(intake: Intake, form: dict[str, Any]) -> str:
    """How a report ends: the number of its reject, or that it was read."""
    (result,) = intake.process([Record(TOPIC_REPORTS, 0, 0, message_of(form))])
    return result.error.code.label if result.error else "read"


def sound_form() -> dict[str, Any]:
    """A report that must come out."""
    return {"contentType": PDF, "data": base64.b64encode(sound_pdf()).decode()}


def wrong_pairings() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each kind of document declared as each other; HTML may stand for XML, and anything of letters is a text."""
    for declared in sound_files():
        for found, content in sound_files().items():
            if declared != found:
                yield f"{found} as {declared}", {"contentType": declared, "data": base64.b64encode(content).decode()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="those whose name or type holds these words")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    reader = DocumentReader(Settings().intake)
    intake = Intake(Settings(), reader=reader)
    print("| declared as | input | bytes | ends as | seconds | MiB | next report |\n|---|---|---|---|---|---|---|")
    for hostile in hostile_files():
        if options.only not in f"{hostile.content_type} {hostile.name}":
            continue
        form = hostile.form()
        reader.close()
        ending(intake, {"contentType": "text/html", "data": base64.b64encode(WORDS.encode()).decode()})
        memory = PeakMemory()
        memory.start()
        began = time.perf_counter()
        ends = ending(intake, form)
        seconds = time.perf_counter() - began
        peak = memory.stop()
        following = ending(intake, sound_form())
        sent = len(form["data"]) * 3 // 4
        print(
            f"| {form['contentType']} | {hostile.name} | {sent:,} | {ends} | {seconds:.1f} | {peak:.0f} | {following} |",
            flush=True,
        )
    if not options.only:
        pairs = Counter(ending(intake, form) for _, form in wrong_pairings())
        print(
            "\nEach kind of document declared as each other:",
            ", ".join(f"{n} {code}" for code, n in pairs.most_common()),
        )


if __name__ == "__main__":
    main()
