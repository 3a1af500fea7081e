"""The product's three hops over an embedded bus and a folder store in one folder, with a clock on every step."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

from gateway import emission
from gateway.emission import EmissionHop
from gateway.folder_store import FolderStore
from gateway.intake import Intake
from model.calibration import Calibration, TaskCalibration
from model.engine import Engine, Prediction
from model.manifest import Manifest
from model.prompt import PromptInput
from schemas.messages import TOPIC_BUNDLES, TOPIC_REJECTED, TOPIC_REPORTS
from schemas.pack_loader import Pack, load_pack
from schemas.settings import BusSettings, FhirSettings, Settings
from workers import extraction
from workers.bus import Outgoing
from workers.bus_embedded import EmbeddedBus
from workers.extraction import ExtractionHop, Extractor
from workers.runner import Runner, run_until_idle
from workers.sealing import load_seal


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


class MeasuredChain:
    """A chain in a folder of its own: publish reports, let the hops work, read the clock."""

    def __init__(self, folder: Path, engine: Engine | FreeEngine) -> None:
        self.clock = Clock()
        self.prompts: list[PromptInput] = []
        self._engine = engine
        # One report at a time: the clock takes each step's time from the steps around it, on one thread.
        self._settings = Settings(
            bus=BusSettings(path=folder / "bus.sqlite"), fhir=FhirSettings(folder=folder / "fhir", connections=1)
        )
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Open bus, store and hops, and put the clock on each step."""
        settings, clock = self._settings, self.clock
        self._time_functions()
        seal = load_seal(settings)
        packs = {name: load_pack(name) for name in settings.packs}
        self.bus = EmbeddedBus(settings.bus.path)
        self._stack.callback(self.bus.close)
        intake, store = Intake(settings), FolderStore(settings.fhir.folder)
        self._stack.callback(intake.close)
        hops = (
            intake,
            ExtractionHop(Extractor(packs, _Watched(self._engine, self), seal)),
            EmissionHop(settings, store, seal),
        )
        clock.on_methods("store", store, ("read", "provenances_of", "claim", "transact", "look_up"))
        clock.on_methods("bus", self.bus, ("publish",))
        for hop, step in zip(hops, ("intake", "decide and seal", "reconcile"), strict=True):
            clock.on_methods(step, hop, ("process",))
        self._runners = [Runner(hop, self.bus, settings.bus) for hop in hops]
        for runner in self._runners:
            self._stack.callback(runner.close)
            clock.on_methods("bus", runner._subscription, ("poll", "commit"))
        return self

    def __exit__(self, *_: object) -> None:
        """Release threads, subprocesses and files, and take the clock off."""
        self._stack.close()

    def run(self, messages: Iterable[bytes]) -> float:
        """Publish the messages and work until idle; the seconds that it took."""
        began = time.perf_counter()
        self.bus.publish([Outgoing(TOPIC_REPORTS, message) for message in messages])
        run_until_idle(self._runners)
        return time.perf_counter() - began

    def counts(self) -> dict[str, int]:
        """How many Bundles and rejects there are."""
        return {
            name: sum(1 for _ in self.bus.read(topic))
            for name, topic in (("bundles", TOPIC_BUNDLES), ("rejected", TOPIC_REJECTED))
        }

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


class _Watched:
    """An engine whose time is taken and whose prompts are kept for the bare engine."""

    def __init__(self, engine: Engine | FreeEngine, chain: MeasuredChain) -> None:
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
