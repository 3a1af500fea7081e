"""Reports a second through a real Kafka broker into a fast sink and into a real FHIR server, against the bare engine.

    .venv/bin/python benchmarks/servers.py [--reports 96] [--rounds 3] [--json FILE]

All take turns in one run on the same two cores, servers included, and the median of the rounds counts. "In turns": the
hops one after another, so that a clock can tell where the time goes; "at once": as `synoptic run all` runs them. What
the server itself can do: the chain's own Bundles, put there by a plain client, one request each.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from chain import CORES, engine_round
from local_servers import local_fhir, local_kafka, seed_reports, settings_on
from measured_chain import MeasuredChain, RunningChain, on_cores
from memory_store import MemoryStore
from reports import report_messages, report_texts

from model.engine import load_engine
from schemas.logs import configure
from schemas.messages import TOPIC_BUNDLES
from schemas.settings import FhirSettings, LoggingSettings, Settings

WARM = 16
PUT_TIMEOUT_SECONDS = 120
CONNECTIONS = FhirSettings().connections
ENGINE = "bare engine"
FILES, SINK, SERVER = "in turns: files", "in turns: Kafka, fast sink", "in turns: Kafka, FHIR server"
SINK_AT_ONCE, SERVER_AT_ONCE = "at once: Kafka, fast sink", "at once: Kafka, FHIR server"
LIMIT, LIMIT_AT_ONCE = "Bundles alone into the FHIR server", f"the same, {CONNECTIONS} at once"
RATES = (ENGINE, FILES, SINK, SERVER, LIMIT, SINK_AT_ONCE, SERVER_AT_ONCE, LIMIT_AT_ONCE)


class Rounds:
    """What every round needs, and the figures of all of them."""

    def __init__(self, folder: Path, kafka: str, fhir: str, reports: int) -> None:
        """Put on the server what the reports refer to; the first few only warm up and do not count."""
        self._folder, self._kafka, self._fhir = folder, kafka, fhir
        messages = list(report_messages(report_texts(WARM + reports)))
        seed_reports(fhir, messages)
        self._warm, self._messages = messages[:WARM], messages[WARM:]
        self._engine = load_engine(Settings().model.model_copy(update={"threads": CORES}))
        self.rates: defaultdict[str, list[float]] = defaultdict(list)
        self.seconds: defaultdict[str, list[dict[str, float]]] = defaultdict(list)

    def warm_up(self) -> None:
        """Let the servers compile what they run: their first hundred reports take several times as long."""
        with RunningChain(settings_on(self._folder, self._kafka, self._fhir), self._engine) as chain:
            chain.run(self._messages)

    def add(self) -> None:
        """Measure each once more."""
        engine, files, sink = self._engine, settings_on(self._folder), settings_on(self._folder, self._kafka)
        server = settings_on(self._folder, self._kafka, self._fhir)
        self._chain(FILES, MeasuredChain(files, engine))
        self.rates[ENGINE].append(engine_round(self._prompts, len(self._messages), engine, files.bus.batch_size))
        bundles = self._chain(SINK, MeasuredChain(sink, engine, MemoryStore()))
        self._chain(SERVER, MeasuredChain(server, engine))
        self._put(LIMIT, bundles, 1)
        sink, server = settings_on(self._folder, self._kafka), settings_on(self._folder, self._kafka, self._fhir)
        bundles = self._chain(SINK_AT_ONCE, RunningChain(sink, engine, MemoryStore()))
        self._chain(SERVER_AT_ONCE, RunningChain(server, engine))
        self._put(LIMIT_AT_ONCE, bundles, CONNECTIONS)

    def _chain(self, name: str, chain: MeasuredChain | RunningChain) -> list[bytes]:
        """All reports through a chain of its own; the Bundles that it published."""
        with chain:
            chain.run(self._warm)
            chain.clock.seconds.clear()
            chain.prompts.clear()
            seconds = chain.run(self._messages)
            bundles = [record.value for record in chain.bus.read(TOPIC_BUNDLES)]
        self._prompts = chain.prompts
        if len(bundles) != WARM + len(self._messages):
            raise RuntimeError(f"{name}: {len(bundles)} Bundles of {WARM + len(self._messages)} reports")
        self.rates[name].append(len(self._messages) / seconds)
        if isinstance(chain, MeasuredChain):
            steps = dict(chain.clock.seconds)
            self.seconds[name].append({**steps, "other": seconds - sum(steps.values())})
        return bundles

    def _put(self, name: str, bundles: Sequence[bytes], connections: int) -> None:
        """The Bundles, new to the server, as fast as so many connections bring them there."""
        headers = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}
        with (
            httpx.Client(headers=headers, timeout=PUT_TIMEOUT_SECONDS, trust_env=False) as client,
            ThreadPoolExecutor(connections) as pool,
        ):

            def put(bundle: bytes) -> None:
                client.post(self._fhir, content=bundle).raise_for_status()

            for bundle in bundles[:WARM]:
                put(bundle)
            began = time.perf_counter()
            list(pool.map(put, bundles[WARM:]))
            self.rates[name].append((len(bundles) - WARM) / (time.perf_counter() - began))


def measure(reports: int, rounds: int) -> dict[str, object]:
    """Start both servers, measure, stop them."""
    with (
        on_cores(CORES),
        tempfile.TemporaryDirectory() as folder,
        local_kafka(Path(folder)) as kafka,
        local_fhir(Path(folder)) as fhir,
    ):
        measured = Rounds(Path(folder), kafka, fhir, reports)
        measured.warm_up()
        for _ in range(rounds):
            measured.add()
    rates = {name: statistics.median(measured.rates[name]) for name in RATES}
    return {
        "reports": reports,
        "rounds": rounds,
        "reports_per_second": rates,
        "over_bare_engine": {name: rate / rates[ENGINE] for name, rate in rates.items()},
        "over_bundles_alone": {
            SERVER: rates[SERVER] / rates[LIMIT],
            SERVER_AT_ONCE: rates[SERVER_AT_ONCE] / rates[LIMIT_AT_ONCE],
        },
        "milliseconds_a_report": {
            name: {step: spent / reports * 1000 for step, spent in middle(taken).items()}
            for name, taken in measured.seconds.items()
        },
    }


def middle(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    """The round that took the median time."""
    return sorted(rounds, key=lambda steps: sum(steps.values()))[len(rounds) // 2]


def table(result: dict[str, object]) -> str:
    """The figures for people."""
    rates, ratios, taken = (result[key] for key in ("reports_per_second", "over_bare_engine", "milliseconds_a_report"))
    width = max(map(len, rates)) + 2
    lines = [f"{'':{width}}{'reports/s':>10}{'/ engine':>10}"]
    lines += [f"{name:{width}}{rate:10.1f}{ratios[name]:10.3f}" for name, rate in rates.items()]
    lines += [f"{name} / the Bundles alone: {ratio:.2f}" for name, ratio in result["over_bundles_alone"].items()]
    totals = {name: sum(steps.values()) for name, steps in taken.items()}
    lines += ["", f"{'ms a report, and share':{width}}" + "".join(f"{name.partition(': ')[2]:>24}" for name in taken)]
    for step in dict.fromkeys(step for steps in taken.values() for step in sorted(steps)):
        cells = [
            f"{steps.get(step, 0.0):16.1f}{steps.get(step, 0.0) / totals[name]:8.0%}" for name, steps in taken.items()
        ]
        lines.append(f"{step:{width}}" + "".join(cells))
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reports", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    configure(LoggingSettings(level="error"))
    result = measure(arguments.reports, arguments.rounds)
    print(table(result))
    print(json.dumps(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
