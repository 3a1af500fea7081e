"""The product's hops over any bus and store: one after another with a clock on every step, or all at once."""

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

from gateway import emission
from gateway.composition import build_bus
from gateway.delayed import DelayedHop
from gateway.emission import EmissionHop
from gateway.intake import Intake
from gateway.service import Service
from gateway.stores.resource_store import ResourceStore, open_store
from model.calibration import Calibration, TaskCalibration
from model.engine import Engine, Prediction
from model.manifest import Manifest
from model.prompt import PromptInput
from schemas.messages import TOPIC_BUNDLES, TOPIC_REJECTED, TOPIC_REPORTS
from schemas.metrics import RECORDS, value_of
from schemas.pack_loader import Pack, load_pack
from schemas.settings import BusSettings, FhirSettings, Settings
from workers import extraction
from workers.buses.bus import Outgoing
from workers.extraction import ExtractionHop, Extractor
from workers.privacy.sealing import load_seal
from workers.runner import POLL_SECONDS, Runner

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.01
STORE_STEPS = {
    "look_up": "look up",
    "read": "read",
    "provenances_of": "search",
    "transact": "transact",
}


class FreeEngine:
    """Answers at no cost what the prompt's hints say: the chain without a model, with as much to map as with one."""

    def __init__(self, pack: Pack) -> None:
        definition = pack.definition
        label_set = {task.key: task.classes for task in definition.tasks}
        self.manifest = Manifest(
            pack=definition.id,
            pack_version=definition.version,
            prompt_version="text-1",
            granularity=definition.granularity,
            label_set=label_set,
            stated_heads=definition.stated_heads,
            adapter="frozen",
        )
        certain = TaskCalibration(threshold=0.5, agreement_threshold=0.5)
        self.calibration = Calibration(tasks=dict.fromkeys(label_set, certain))
        self._answers = {
            task: {name: _answer(classes, name) for name in classes} for task, classes in label_set.items()
        }
        self._unstated = {
            task: Prediction(0.0, _answer(classes, classes[0]).probabilities) for task, classes in label_set.items()
        }

    def classify(self, prompts: Sequence[PromptInput]) -> list[dict[str, Prediction]]:
        """For each prompt and task, the first class that a hint of the task names."""
        return [{task: self._answer_of(task, prompt) for task in prompt.classes} for prompt in prompts]

    def _answer_of(self, task: str, prompt: PromptInput) -> Prediction:
        for hint in prompt.hints:
            key, _, value = hint.token.partition("=")
            if value in self._answers[task] and task.casefold().startswith(key.partition("_")[0].casefold()):
                return self._answers[task][value]
        return self._unstated[task]


def _answer(classes: Sequence[str], best: str) -> Prediction:
    rest = 0.01 / max(len(classes) - 1, 1)
    return Prediction(0.99, {name: 0.99 if name == best else rest for name in classes})


class Clock:
    """Seconds of each step, of the steps inside it deducted; the hops of one chain work one after another."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def on(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed as the step."""

        @wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            self._inner.append(0.0)
            try:
                return function(*arguments, **named)
            finally:
                spent = time.perf_counter() - began
                self.seconds[step] += spent - self._inner.pop()
                self._inner[-1] += spent

        return timed

    def on_methods(self, step: str, item: Any, names: Iterable[str]) -> None:
        """Time methods of one object."""
        for name in names:
            setattr(item, name, self.on(step, getattr(item, name)))


class Chain:
    """The product's hops over the bus and the store of the settings, or over a store that is given."""

    hop_names: tuple[str, ...] = ("intake", "extraction", "emission")

    def __init__(self, settings: Settings, engine: Engine | FreeEngine, store: ResourceStore | None = None) -> None:
        self.clock = Clock()
        self.prompts: list[PromptInput] = []
        self._settings = settings
        self._engine = engine
        self._store = store
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Open bus, store and hops, and join their groups."""
        settings = self._settings
        seal = load_seal(settings)
        packs = {name: load_pack(name) for name in settings.packs}
        self.bus = build_bus(settings.bus)
        self._stack.callback(self.bus.close)
        self._store = self._store or open_store(settings.fhir)
        intake = Intake(settings, seal=seal)
        self._stack.callback(intake.close)
        emission = EmissionHop(settings, self._store, seal)
        self._stack.callback(emission.close)
        hops = (
            intake,
            ExtractionHop(Extractor(packs, _Watched(self._engine, self), seal)),
            emission,
            DelayedHop(emission, settings.fhir.target_retry_seconds),
        )
        self._runners = [Runner(hop, self.bus, settings.bus) for hop in hops if hop.name in self.hop_names]
        return self

    def __exit__(self, *_: object) -> None:
        """Release threads, subprocesses, files and connections."""
        self._stack.close()

    def counts(self) -> dict[str, int]:
        """How many Bundles and rejects there are."""
        return {
            name: sum(1 for _ in self.bus.read(topic))
            for name, topic in (("bundles", TOPIC_BUNDLES), ("rejected", TOPIC_REJECTED))
        }


class MeasuredChain(Chain):
    """The hops one after another, one report at a time in emission, with a clock on every step."""

    def __init__(self, settings: Settings, engine: Engine | FreeEngine, store: ResourceStore | None = None) -> None:
        # The clock takes each step's time from the steps around it, so nothing may happen beside another.
        alone = settings.fhir.model_copy(update={"connections": 1})
        super().__init__(settings.model_copy(update={"fhir": alone}), engine, store)

    def __enter__(self) -> Self:
        """Open the chain, and put the clock on each step."""
        self._time_functions()
        super().__enter__()
        assert self._store is not None
        clock = self.clock
        for method, step in STORE_STEPS.items():
            clock.on_methods(f"store: {step}", self._store, (method,))
        clock.on_methods("bus: publish", self.bus, ("publish",))
        for runner, step in zip(self._runners, ("intake", "decide and seal", "reconcile"), strict=True):
            self._stack.callback(runner.close)
            clock.on_methods(step, runner.hop, ("process",))
            for method in ("poll", "commit"):
                clock.on_methods(f"bus: {method}", runner.join(), (method,))
        return self

    def run(self, messages: Iterable[bytes]) -> float:
        """Publish the messages and let each hop work until it has done all of them; the seconds that it took."""
        began = time.perf_counter()
        outgoing = [Outgoing(TOPIC_REPORTS, message) for message in messages]
        self.bus.publish(outgoing)
        records = len(outgoing)
        for runner in self._runners:
            records = _work_through(runner, records)
        return time.perf_counter() - began

    def _time_functions(self) -> None:
        """Time the functions that the hops call by name."""
        steps = {
            (extraction, "deidentify"): "de-identify",
            (extraction, "read_report"): "read",
            (extraction, "build_prompts"): "prompt",
            (emission, "map_report"): "map",
        }
        for (module, name), step in steps.items():
            self._stack.enter_context(patch.object(module, name, self.clock.on(step, getattr(module, name))))


class RunningChain(Chain):
    """All hops at once, a thread each, as `synoptic run all` runs them."""

    hop_names = ("intake", "extraction", "emission", "delayed")

    def __enter__(self) -> Self:
        """Open the chain and start the hops."""
        super().__enter__()
        self._service = Service(self._runners, lambda: None)
        self._thread = threading.Thread(target=self._service.run, name="service")
        self._thread.start()
        self._stack.callback(self._thread.join)
        self._stack.callback(self._service.stop)
        return self

    def run(self, messages: Iterable[bytes]) -> float:
        """Publish the messages and wait until each is emitted or rejected; the seconds that it took."""
        ended = _ended()
        began = time.perf_counter()
        outgoing = [Outgoing(TOPIC_REPORTS, message) for message in messages]
        self.bus.publish(outgoing)
        while _ended() - ended < len(outgoing):
            if not self._thread.is_alive():
                raise RuntimeError("a hop stopped")
            time.sleep(LOOK_SECONDS)
        return time.perf_counter() - began


def _work_through(runner: Runner, records: int) -> int:
    """Step the runner until it has had as many records; how many of them it passed on."""
    before = value_of(RECORDS, hop=runner.hop.name, outcome="processed")
    patience = time.monotonic() + PATIENCE_SECONDS
    while records > 0:
        done = runner.step(POLL_SECONDS)
        records -= done
        if done:
            patience = time.monotonic() + PATIENCE_SECONDS
        elif time.monotonic() > patience:
            raise RuntimeError(f"{records} records never reached {runner.hop.name}")
    return round(value_of(RECORDS, hop=runner.hop.name, outcome="processed") - before)


def _ended() -> float:
    """How many reports this process has emitted or rejected."""
    rejected = sum(value_of(RECORDS, hop=hop, outcome="rejected") for hop in RunningChain.hop_names)
    return value_of(RECORDS, hop="emission", outcome="processed") + rejected


def settings_in(folder: Path) -> Settings:
    """The shipped settings, with bus and store in the folder."""
    return Settings(bus=BusSettings(path=folder / "bus.sqlite"), fhir=FhirSettings(folder=folder / "fhir"))


def grouped(seconds: Mapping[str, float]) -> dict[str, float]:
    """The seconds of "store: read" and the like added up as those of "store"."""
    groups: defaultdict[str, float] = defaultdict(float)
    for step, spent in seconds.items():
        groups[step.partition(":")[0]] += spent
    return dict(groups)


class _Watched:
    """An engine whose time is taken and whose prompts are kept for the bare engine."""

    def __init__(self, engine: Engine | FreeEngine, chain: Chain) -> None:
        self.manifest = engine.manifest
        self.calibration = engine.calibration
        self._classify = chain.clock.on("classify", engine.classify)
        self._chain = chain

    def classify(self, prompts: Sequence[PromptInput]) -> list[dict[str, Prediction]]:
        """The engine's answer."""
        self._chain.prompts += prompts
        return self._classify(prompts)


@contextmanager
def on_cores(count: int) -> Iterator[None]:
    """Keep the calling thread, and the threads that it starts, on the first `count` of its cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
