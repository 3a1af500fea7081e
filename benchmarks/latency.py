"""Seconds from typing a command to its answer: `synoptic --help` and `synoptic extract one.txt`, as whole processes.

    .venv/bin/python benchmarks/latency.py [--runs 5] [--json FILE]

Beside them `python -c pass` and the bare import of the model's libraries, all in turns in one run: the ratios hold on
another machine, the seconds do not. The first round warms the disk's cache and is not counted.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from reports import report_text

SYNOPTIC = str(Path(sys.executable).with_name("synoptic"))
PYTHON, HELP, EXTRACT, LIBRARIES = (
    "python -c pass",
    "synoptic --help",
    "synoptic extract one.txt",
    "import of libraries",
)


def seconds(command: list[str], folder: str) -> float:
    """One whole process, which must succeed."""
    began = time.perf_counter()
    subprocess.run(
        command, cwd=folder, env=dict(os.environ), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - began


def measure(runs: int) -> dict[str, object]:
    """The median of each command, and the ratios."""
    commands = {
        PYTHON: [sys.executable, "-c", "pass"],
        HELP: [SYNOPTIC, "--help"],
        LIBRARIES: [sys.executable, "-c", "import torch, transformers, peft"],
        EXTRACT: [SYNOPTIC, "extract", "one.txt"],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "one.txt").write_text(report_text(1), encoding="utf-8")
        for turn in range(runs + 1):
            for name, command in commands.items():
                spent = seconds(command, folder)
                if turn:
                    taken[name].append(spent)
    medians = {name: statistics.median(spent) for name, spent in taken.items()}
    return {
        "runs": runs,
        "seconds": medians,
        "help_over_python": medians[HELP] / medians[PYTHON],
        "extract_over_libraries": medians[EXTRACT] / medians[LIBRARIES],
    }


def main() -> None:
    """Measure, print the table and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    result = measure(arguments.runs)
    for name, median in result["seconds"].items():
        print(f"{name:26}{median:8.2f} s")
    print(f"{'help / python':26}{result['help_over_python']:8.1f}")
    print(f"{'extract / libraries':26}{result['extract_over_libraries']:8.2f}")
    print(json.dumps(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
