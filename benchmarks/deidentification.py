"""Speed, growth and memory of de-identification alone: `python -m benchmarks.deidentification TEXTS.jsonl --reports 20000`.

TEXTS is JSON lines with a `text` each; they are taken in turns. Every report knows the same invented patient, but the
expression for it is compiled anew for each, as it is for different patients.
"""

import argparse
import json
import re
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

from schemas.messages import KnownIdentifier
from workers.privacy.deidentify import deidentify

KNOWN = (
    KnownIdentifier(kind="NAME", value="Anna-Lena Testperson"),
    KnownIdentifier(kind="NAME", value="Jonas von Muster"),
    KnownIdentifier(kind="DATE", value="1956-03-07"),
    KnownIdentifier(kind="ID", value="S24-001234"),
    KnownIdentifier(kind="ID", value="0012345678"),
    KnownIdentifier(kind="CONTACT", value="(555) 010-4477"),
    KnownIdentifier(kind="LOCATION", value="12 Main Street"),
    KnownIdentifier(kind="LOCATION", value="Neustadt"),
)
GROWTH = (25_000, 50_000, 100_000, 200_000)
READINGS = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--reports", type=int, default=2000)
    arguments = parser.parse_args()
    texts = [json.loads(line)["text"] for line in arguments.texts.read_text(encoding="utf-8").splitlines()]
    print(f"growth: {', '.join(_growth(texts))}")
    for name, known in (("nothing known", ()), ("a patient known", KNOWN)):
        print(f"{name}: {', '.join(_run(islice(cycle(texts), arguments.reports), arguments.reports, known))}")


def _growth(texts: Sequence[str]) -> Iterator[str]:
    """Milliseconds for 1,000 characters of longer and longer texts: constant, if the time grows with the length."""
    deidentify(texts[0], KNOWN)  # the first call compiles the rules
    joined = "\n".join(islice(cycle(texts), 400))
    for length in GROWTH:
        spent = _seconds(lambda text: deidentify(text, KNOWN), joined[:length])
        yield f"{length} characters {spent / length * 1e6:.2f} ms/1000"


def _run(reports: Iterator[str], count: int, known: Sequence[KnownIdentifier]) -> Iterator[str]:
    """Milliseconds a report, and the most memory that the process has held, at several points."""
    spent = 0.0
    for index, text in enumerate(reports, start=1):
        re.purge()
        spent += _seconds(lambda text: deidentify(text, known), text)
        if index % (count // READINGS) == 0:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            yield f"after {index} {spent / index * 1000:.2f} ms each, {peak:.0f} MiB at most"


def _seconds(work: Callable[[str], object], text: str) -> float:
    """The processor time of one call."""
    began = time.process_time()
    work(text)
    return time.process_time() - began


if __name__ == "__main__":
    main()
