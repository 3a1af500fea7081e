"""Memory of the whole chain in one process over many reports, as `synoptic run all`: resident size and its slope.

    .venv/bin/python benchmarks/memory.py [--reports 5000] [--into files|sink|server] [--without-model] [--json FILE]

Into files: embedded bus and folder store. Into a sink: a Kafka broker and a store that forgets. Into a server: a Kafka
broker and a FHIR server. What the servers themselves need is not counted. Every report is another patient's. Flat: from
the first quarter on, the size grows by less than two in a hundred.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
from local_servers import local_fhir, local_kafka, seed_reports, settings_on
from measured_chain import FreeEngine, RunningChain
from memory_store import MemoryStore
from reports import report_messages, report_texts

from model.engine import Engine, load_engine
from schemas.logs import configure
from schemas.pack_loader import load_pack
from schemas.settings import LoggingSettings, Settings

CHUNK = 50
FLAT = 0.02
MIB = 1 << 20
FILES, SINK, SERVER = "files", "sink", "server"


@contextmanager
def settings_into(where: str) -> Iterator[Settings]:
    """Settings over what is named, whose servers run meanwhile."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kafka = stack.enter_context(local_kafka(folder)) if where != FILES else None
        fhir = stack.enter_context(local_fhir(folder)) if where == SERVER else None
        yield settings_on(folder, kafka, fhir)


def resident(others: set[psutil.Process]) -> float:
    """MiB of this process and its subprocesses, but for the others."""
    process = psutil.Process()
    members = {process, *process.children(recursive=True)} - others
    return sum(member.memory_info().rss for member in members) / MIB


def measure(texts: list[str], engine: Engine | FreeEngine, where: str) -> dict[str, object]:
    """Feed the chain in chunks, and look at the size after each."""
    samples, costs = [], []
    with settings_into(where) as settings:
        servers = set(psutil.Process().children(recursive=True))
        with RunningChain(settings, engine, MemoryStore() if where == SINK else None) as chain:
            began = time.perf_counter()
            for start in range(0, len(texts), CHUNK):
                messages = list(report_messages(texts[start : start + CHUNK], first=start))
                if settings.fhir.base_url:
                    seed_reports(settings.fhir.base_url, messages)
                spent = time.process_time()
                chain.run(messages)
                costs.append((time.process_time() - spent) / len(messages))
                chain.prompts.clear()
                samples.append(resident(servers))
            seconds = time.perf_counter() - began
            counts = chain.counts()
    later = samples[len(samples) // 4 :]
    quarter = max(1, len(later) // 3)
    early, late = statistics.median(later[:quarter]), statistics.median(later[-quarter:])
    slope = statistics.linear_regression(range(len(later)), later).slope * 1000 / CHUNK
    return {
        "reports": len(texts),
        "into": where,
        **counts,
        "seconds": seconds,
        "mib_second_quarter": early,
        "mib_last_quarter": late,
        "mib_at_the_end": samples[-1],
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
    parser.add_argument("--reports", type=int, default=5000)
    parser.add_argument("--into", choices=(FILES, SINK, SERVER), default=FILES)
    parser.add_argument("--without-model", action="store_true", help="with an engine that costs nothing")
    parser.add_argument("--texts", type=Path, help="JSON lines with a text, in place of invented reports")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    configure(LoggingSettings(level="error"))
    settings = Settings()
    engine = FreeEngine(load_pack(settings.packs[0])) if arguments.without_model else load_engine(settings.model)
    result = measure(report_texts(arguments.reports, arguments.texts), engine, arguments.into)
    for name in (
        "mib_second_quarter",
        "mib_last_quarter",
        "mib_at_the_end",
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
