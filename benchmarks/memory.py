"""Memory of the whole chain in one process over many reports: resident size, sampled, and its slope.

    .venv/bin/python benchmarks/memory.py [--reports 2000] [--without-model] [--texts FILE] [--json FILE]

Every report is another patient's. Flat: from the first quarter on, the size grows by less than two in a hundred.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import psutil
from measured_chain import FreeEngine, MeasuredChain
from reports import report_messages, report_texts

from model.engine import Engine, load_engine
from schemas.logs import configure
from schemas.pack_loader import load_pack
from schemas.settings import LoggingSettings, Settings

CHUNK = 50
FLAT = 0.02
MIB = 1 << 20


def resident() -> float:
    """MiB of this process and its subprocesses."""
    process = psutil.Process()
    return sum(member.memory_info().rss for member in (process, *process.children(recursive=True))) / MIB


def measure(texts: list[str], engine: Engine | FreeEngine) -> dict[str, object]:
    """Feed the chain in chunks, and look at the size after each."""
    samples, costs = [], []
    with tempfile.TemporaryDirectory() as folder, MeasuredChain(Path(folder), engine) as chain:
        for start in range(0, len(texts), CHUNK):
            part = texts[start : start + CHUNK]
            began = time.process_time()
            chain.run(report_messages(part, first=start))
            costs.append((time.process_time() - began) / len(part))
            chain.prompts.clear()
            samples.append(resident())
        counts = chain.counts()
    later = samples[len(samples) // 4 :]
    quarter = max(1, len(later) // 3)
    early, late = statistics.median(later[:quarter]), statistics.median(later[-quarter:])
    slope = statistics.linear_regression(range(len(later)), later).slope * 1000 / CHUNK
    return {
        "reports": len(texts),
        **counts,
        "mib_second_quarter": early,
        "mib_last_quarter": late,
        "growth": late / early - 1,
        "mib_per_1000_reports": slope,
        "flat": late / early - 1 < FLAT,
        "processor_time_last_over_second_quarter": statistics.median(costs[-quarter:])
        / statistics.median(costs[len(costs) // 4 :][:quarter]),
        "samples_mib": [round(sample, 1) for sample in samples],
    }


def main() -> None:
    """Measure, print the figures and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reports", type=int, default=2000)
    parser.add_argument("--without-model", action="store_true", help="with an engine that costs nothing")
    parser.add_argument("--texts", type=Path, help="JSON lines with a text, in place of invented reports")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    configure(LoggingSettings(level="error"))
    settings = Settings()
    engine = FreeEngine(load_pack(settings.packs[0])) if arguments.without_model else load_engine(settings.model)
    result = measure(report_texts(arguments.reports, arguments.texts), engine)
    for name in (
        "mib_second_quarter",
        "mib_last_quarter",
        "mib_per_1000_reports",
        "processor_time_last_over_second_quarter",
    ):
        print(f"{name.replace('_', ' '):42}{result[name]:10.2f}")
    print(f"{'flat' if result['flat'] else 'NOT FLAT'}: growth {result['growth']:.1%}")
    print(json.dumps(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
