"""Reports a second: the chain without a model on one core, with the starter on two, and the bare engine, in one run.

    .venv/bin/python benchmarks/chain.py [--reports 200] [--rounds 3] [--texts FILE] [--json FILE]

The three take turns, and the median of the rounds counts, since the machine may have other work.
"""

import argparse
import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measured_chain import FreeEngine, MeasuredChain, grouped, on_cores, settings_in
from reports import report_messages, report_texts

from model.engine import Engine, load_engine
from model.prompt import PromptInput
from schemas.logs import configure
from schemas.pack_loader import load_pack
from schemas.settings import LoggingSettings, Settings

CORES = 2
STEPS = (
    "intake", "de-identify", "read", "prompt", "classify", "decide and seal", "map", "reconcile", "store", "bus", "other"
)  # fmt: skip


def chain_round(
    texts: list[str], engine: Engine | FreeEngine, cores: int
) -> tuple[dict[str, float], list[PromptInput]]:
    """One pass of all reports through a fresh chain: reports a second, seconds by step, and the prompts."""
    with (
        tempfile.TemporaryDirectory() as folder,
        on_cores(cores),
        MeasuredChain(settings_in(Path(folder)), engine) as chain,
    ):
        seconds = chain.run(report_messages(texts))
        counts = chain.counts()
    steps = grouped(chain.clock.seconds)
    steps["other"] = seconds - sum(steps.values())
    return {"reports_per_second": len(texts) / seconds, "seconds": seconds, **counts, **steps}, chain.prompts


def engine_round(prompts: list[PromptInput], reports: int, engine: Engine, batch: int) -> float:
    """Reports a second of the engine alone on the chain's own prompts, in a thread and in batches as in the chain."""

    def work() -> float:
        began = time.perf_counter()
        for start in range(0, len(prompts), batch):
            engine.classify(prompts[start : start + batch])
        return reports / (time.perf_counter() - began)

    with on_cores(CORES), ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def measure(texts: list[str], rounds: int) -> dict[str, object]:
    """All three, in turns."""
    settings = Settings()
    free = FreeEngine(load_pack(settings.packs[0]))
    starter = load_engine(settings.model.model_copy(update={"threads": CORES}))
    _, prompts = chain_round(texts[:8], starter, CORES)
    without, with_starter, bare = [], [], []
    for _ in range(rounds):
        without.append(chain_round(texts, free, 1)[0])
        figures, prompts = chain_round(texts, starter, CORES)
        with_starter.append(figures)
        bare.append(engine_round(prompts, len(texts), starter, settings.bus.batch_size))
    chains = {"without_model_one_core": middle(without), "starter_two_cores": middle(with_starter)}
    engine_alone = statistics.median(bare)
    rates = {name: figures["reports_per_second"] for name, figures in chains.items()}
    return {
        "reports": len(texts),
        "rounds": rounds,
        "characters": round(statistics.mean(map(len, texts))),
        "prompts": len(prompts),
        "reports_per_second": {**rates, "bare_engine_two_cores": engine_alone},
        "chain_over_bare_engine": rates["starter_two_cores"] / engine_alone,
        "chain_but_store_over_bare_engine": rates["starter_two_cores"]
        / (1 - chains["starter_two_cores"]["store"] / chains["starter_two_cores"]["seconds"])
        / engine_alone,
        "without_model_over_starter": rates["without_model_one_core"] / rates["starter_two_cores"],
        "rejected": {name: figures["rejected"] for name, figures in chains.items()},
        "share_of_time": {
            name: {step: figures[step] / figures["seconds"] for step in STEPS if step in figures}
            for name, figures in chains.items()
        },
    }


def middle(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The round of median speed."""
    return sorted(rounds, key=lambda figures: figures["reports_per_second"])[len(rounds) // 2]


def table(result: dict[str, object]) -> str:
    """The figures for people."""
    rates, shares = result["reports_per_second"], result["share_of_time"]
    lines = [f"{'':26}{'reports/s':>10}"]
    lines += [f"{name.replace('_', ' '):26}{rate:10.1f}" for name, rate in rates.items()]
    lines.append(f"{'chain / bare engine':26}{result['chain_over_bare_engine']:10.3f}")
    lines.append(f"{'the same, less the store':26}{result['chain_but_store_over_bare_engine']:10.3f}")
    names = list(shares)
    lines += ["", f"{'share of time':26}" + "".join(f"{name.replace('_', ' '):>26}" for name in names)]
    for step in STEPS:
        cells = [f"{shares[name][step]:26.0%}" if step in shares[name] else f"{'':26}" for name in names]
        lines.append(f"{step:26}" + "".join(cells))
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reports", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", type=Path, help="JSON lines with a text, in place of invented reports")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    configure(LoggingSettings(level="error"))
    result = measure(report_texts(arguments.reports, arguments.texts), arguments.rounds)
    print(table(result))
    print(json.dumps(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
