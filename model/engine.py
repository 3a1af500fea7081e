"""The only door to inference: prompts in, calibrated probabilities out, in the order of the prompts.

Importing this module loads no torch; `load_engine` does.
"""

import dataclasses
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import structlog

from model.calibration import Calibration, softmax, stated_probability
from model.libraries import quiet_libraries
from model.manifest import Manifest
from model.prompt import ALL_TASKS, PromptInput, encode_prompt, prompt_format
from schemas.errors import Code, SynopticError
from schemas.settings import ModelSettings

if TYPE_CHECKING:
    from model.checkpoint import Checkpoint

log = structlog.get_logger()


@dataclass(frozen=True)
class Prediction:
    """One task's answer: how probable it is that the report states a value, and each class if it does."""

    stated: float
    probabilities: dict[str, float] = dataclasses.field(repr=False)


class Scores(NamedTuple):
    """Logits of one batch as plain numbers, by task and row."""

    classes: dict[str, list[list[float]]]
    stated: dict[str, list[float]]


class Engine:
    """A loaded checkpoint that answers prompts; safe to call from several threads, one of which runs at a time."""

    def __init__(self, checkpoint: "Checkpoint", token_budget: int) -> None:
        self.manifest: Manifest = checkpoint.manifest
        self.calibration: Calibration = checkpoint.calibration
        self.digest: str = checkpoint.digest
        self._classifier = checkpoint.classifier
        self._tokenizer = checkpoint.tokenizer
        self._layout = prompt_format(checkpoint.manifest.prompt_version)
        self._token_budget = token_budget
        self._lock = threading.Lock()

    def classify(self, prompts: Sequence[PromptInput]) -> list[dict[str, Prediction]]:
        """For each prompt its tasks' predictions: every task for Field `all`, else the one that Field names."""
        for prompt in prompts:
            self._check(prompt)
        encoded = [encode_prompt(prompt, self._tokenizer, self._layout) for prompt in prompts]
        answers: list[dict[str, Prediction]] = [{} for _ in prompts]
        with self._lock:
            for batch in plan_batches([len(tokens) for tokens in encoded], self._token_budget):
                scores = self._forward([encoded[index] for index in batch])
                for row, index in enumerate(batch):
                    answers[index] = self._read(scores, row, prompts[index].field)
        return answers

    def _check(self, prompt: PromptInput) -> None:
        """Raise SYN-307 unless Field and Classes are what the checkpoint was trained on."""
        whole = self.manifest.granularity == "per_report"
        if whole != (prompt.field == ALL_TASKS) or not (whole or prompt.field in self.manifest.label_set):
            raise SynopticError(Code.PROMPT_MISMATCH, f"Field {prompt.field} under {self.manifest.granularity}")
        label_set = self.manifest.label_set
        expected = label_set if whole else {prompt.field: label_set[prompt.field]}
        if dict(prompt.classes) != expected:
            raise SynopticError(Code.PROMPT_MISMATCH, f"the classes of Field {prompt.field} differ")

    def _forward(self, rows: Sequence[Sequence[int]]) -> Scores:
        """One padded batch through the classifier; the padding id is never attended to nor pooled."""
        import torch

        width = max(len(row) for row in rows)
        device = next(self._classifier.parameters()).device
        ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], device=device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
        with torch.inference_mode():
            logits = self._classifier(ids, mask)
        return Scores(
            classes={task: tensor.tolist() for task, tensor in logits.classes.items()},
            stated={task: tensor.tolist() for task, tensor in logits.stated.items()},
        )

    def _read(self, scores: Scores, row: int, field: str) -> dict[str, Prediction]:
        """Calibrated predictions of one row."""
        answers = {}
        for task in self.manifest.label_set if field == ALL_TASKS else (field,):
            calibration = self.calibration.task(task)
            stated = scores.stated[task][row] if task in scores.stated else None
            probabilities = softmax(scores.classes[task][row], calibration.temperature)
            answers[task] = Prediction(
                stated=stated_probability(stated, calibration.stated_temperature),
                probabilities=dict(zip(self.manifest.label_set[task], probabilities, strict=True)),
            )
        return answers


def load_engine(settings: ModelSettings) -> Engine:
    """Load the checkpoint that the settings name; the adapter is merged unless the backbone is quantised."""
    quiet_libraries()
    import torch

    from model.checkpoint import load_checkpoint

    if settings.threads:
        torch.set_num_threads(settings.threads)
    checkpoint = load_checkpoint(settings.path, settings.dtype, settings.device)
    if settings.dtype != "nf4":
        checkpoint = dataclasses.replace(checkpoint, classifier=checkpoint.classifier.merged())
    log.info("model loaded", pack=checkpoint.manifest.pack, device=settings.device)
    return Engine(checkpoint, settings.token_budget)


def plan_batches(lengths: Sequence[int], token_budget: int) -> list[list[int]]:
    """Rows of similar length together, each batch within the budget of padded tokens or a single row."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batches and (len(batches[-1]) + 1) * lengths[index] <= token_budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
