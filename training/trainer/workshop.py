"""Makes classifiers by one recipe: the same path for each fold and for the final one.

Backbone by the language objective, then all of its parameters on every label, then adapter and heads on the gold. An
external backbone stays as it is: only the last phase runs. Each phase can be resumed (training/trainer/phase.py).
"""

import hashlib
import shutil
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import torch
from transformers import LlamaModel

from model.backbone import BackboneShape, backbone_tokenizer, load_backbone, write_initial_backbone
from model.classifier import Classifier, new_classifier
from model.prompt import LabelSet, encode_prompt, prompt_format
from model.tokenizer import SequenceTokenizer, train_tokenizer
from schemas.pack_loader import Pack
from training.dataset.corpus import Corpus
from training.dataset.lazy import chosen, mapped
from training.dataset.rows import TrainingRow
from training.recipe import Passes, Recipe
from training.reports.unlabelled import windows
from training.trainer.batches import EncodedRow
from training.trainer.loop import fit, fit_language, new_accelerator
from training.trainer.phase import Phase, StateFile
from training.trainer.run_log import RunLog
from workers.reading.hints import hint_vocabulary


class Workshop:
    """What all classifiers of one run share: recipe, tokenizer, label set, the folder `base` of an external backbone.

    `digest` is that of the corpus, under which phases keep their state.
    """

    def __init__(self, corpus: Corpus, pack: Pack, recipe: Recipe, work: Path, log: RunLog, base: Path | None) -> None:
        self.tokenizer = backbone_tokenizer(base) if base else _new_tokenizer(corpus, pack, recipe)
        self.label_set: LabelSet = {task.key: task.classes for task in pack.definition.tasks}
        self.digest = corpus.digest
        self._validation = corpus.validation
        self._adapter_sources = recipe.adapter_sources if corpus.best in recipe.adapter_sources else (corpus.best,)
        self._stated_heads = pack.definition.stated_heads
        self._recipe = recipe
        self._work = work
        self._log = log
        self._base = base
        self._layout = prompt_format(recipe.prompt_version)

    def encode(self, rows: Sequence[TrainingRow]) -> Sequence[EncodedRow]:
        """The rows as token ids, each encoded whenever it is asked for."""
        return mapped(rows, self._encoded)

    def _encoded(self, row: TrainingRow) -> EncodedRow:
        return EncodedRow(tuple(encode_prompt(row.prompt, self.tokenizer, self._layout)), row.labels)

    def classifier(self, corpus: Corpus, name: str) -> Classifier:
        """The whole path on what the corpus holds; `name` is the classifier's in log and work folder."""
        backbone = self.backbone(corpus, name)
        full = self.taught(backbone, corpus.rows, name) if self._recipe.backbone.epochs else None
        return self.adapted(backbone, corpus.rows, name, full)

    def backbone(self, corpus: Corpus, name: str) -> LlamaModel:
        """The external backbone, or a new one that has learned to predict the corpus' text."""
        recipe = self._recipe
        if self._base:
            return load_backbone(self._base, recipe.precision, str(new_accelerator().device))
        backbone = load_backbone(self._initial_backbone(name))
        if recipe.language.epochs:
            texts = [row.tokens for row in self.encode(corpus.rows)]
            for unlabelled in corpus.unlabelled:
                texts += windows(unlabelled.text, self.tokenizer, recipe.window)
            fit_language(backbone, texts, self._phase(name, "language", recipe.language))
        return backbone

    def taught(self, backbone: LlamaModel, rows: Sequence[TrainingRow], name: str) -> Classifier:
        """All parameters trained on every label; the backbone is then rounded as it will be stored."""
        recipe = self._recipe
        torch.manual_seed(recipe.seed)
        full = Classifier(backbone, self.label_set, self._stated_heads)
        fit(full, self.encode(rows), [], recipe.weighted_tasks, self._phase(name, "backbone", recipe.backbone))
        _round_to_half(backbone)
        return full

    def adapted(
        self, backbone: LlamaModel, rows: Sequence[TrainingRow], name: str, taught: Classifier | None = None
    ) -> Classifier:
        """A classifier whose adapter and heads are trained on the best labels; heads begin as those of `taught`, if any."""
        recipe = self._recipe
        torch.manual_seed(recipe.seed)
        kind = recipe.adapter_kind
        adapted = new_classifier(backbone, self.label_set, stated_heads=self._stated_heads, adapter=kind)
        if taught:
            adapted.heads.load_state_dict(taught.heads.state_dict())
            adapted.stated_heads.load_state_dict(taught.stated_heads.state_dict())
        training, validation = self._split(chosen(rows, lambda row: row.source in self._adapter_sources))
        phase = self._phase(name, "adapter", recipe.adapter)
        fit(adapted, self.encode(training), self.encode(validation), recipe.weighted_tasks, phase)
        return adapted

    def forget(self, name: str) -> None:
        """Remove the states of a classifier that is finished."""
        shutil.rmtree(self._states(name), ignore_errors=True)

    def _initial_backbone(self, name: str) -> Path:
        recipe = self._recipe
        folder = self._states(name) / "initial-backbone"
        shape = BackboneShape(
            hidden=recipe.hidden_size,
            layers=recipe.layers,
            heads=recipe.attention_heads,
            key_value_heads=recipe.attention_heads,
            intermediate=recipe.intermediate_size,
        )
        accelerator = new_accelerator()
        if accelerator.is_main_process:
            write_initial_backbone(folder, self.tokenizer, shape, recipe.seed)
        accelerator.wait_for_everyone()
        return folder

    def _split(self, rows: Sequence[TrainingRow]) -> tuple[Sequence[TrainingRow], Sequence[TrainingRow]]:
        """Training and validation rows: as the corpus is divided, else by a digest of the patient so that reruns agree."""
        share = self._recipe.validation_share

        def validates(row: TrainingRow) -> bool:
            if self._validation is not None:
                return row.patient in self._validation
            return hashlib.sha256(row.patient.encode()).digest()[0] < share * 256

        return chosen(rows, lambda row: not validates(row)), chosen(rows, validates)

    def _phase(self, name: str, phase: str, passes: Passes) -> Phase:
        state = StateFile(self._states(name) / f"{phase}.state", f"{self.digest}, {name}, {passes.model_dump_json()}")
        return Phase(passes, self._recipe.seed, self._log.of(name, phase), state)

    def _states(self, name: str) -> Path:
        return self._work / f"states of {name}"


def _new_tokenizer(corpus: Corpus, pack: Pack, recipe: Recipe) -> SequenceTokenizer:
    """A tokenizer learned from the prompts' report text and the unlabelled text, with each hint as a single token."""
    texts = chain((row.prompt.report for row in corpus.rows), (text.text for text in corpus.unlabelled))
    return train_tokenizer(texts, hint_vocabulary(pack), recipe.vocabulary_size)


def _round_to_half(backbone: torch.nn.Module) -> None:
    """Round the weights as they will be stored, so that adapter, heads and calibration fit what is loaded again."""
    for parameter in backbone.parameters():
        parameter.data = parameter.data.half().float()
