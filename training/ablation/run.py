"""Runs the reference system's tables on real reports: each variant cross-validated over hospitals, one file a variant.

All variants share folds, rows and one backbone a fold, taught as the starter's is but on varied and recombined rows
alone, so that the gold itself is left for what is compared. Each runs in a process of its own, so that its peak memory
is its own, and on one thread, so that its seconds are processor time whatever else the machine does.
"""

import multiprocessing
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from model.backbone import save_backbone
from model.calibration import STATED, stated_probability
from model.checkpoint import backbone_weights
from model.classifier import backbone_config
from model.manifest import TOKENIZER_FILE
from schemas.errors import Code, SynopticError
from schemas.frozen import Frozen
from schemas.pack_loader import Pack
from training.ablation.corpus import ReadReports, read_once
from training.ablation.variants import ABLATION, NOT_AVERAGED, QUICK, VARIANTS, Variant
from training.dataset.corpus import Corpus, Sources, about_pack, digest_of
from training.evaluation.naive import read_naively
from training.measures.resampling import Answers
from training.measures.scoring import SystemScore, score_system
from training.recipe import Recipe
from training.reports.gold import LabelledReport, load_gold_reports
from training.trainer.loop import predict
from training.trainer.pipeline import make_deterministic
from training.trainer.run_log import Progress, RunLog
from training.trainer.workshop import Workshop


class Outcome(Frozen):
    """What one variant came to; `seconds` of processor time and `megabytes` at most are those of all its folds."""

    variant: str
    digest: str
    score: SystemScore
    parameters: int
    seconds: float
    megabytes: float


@dataclass(frozen=True)
class Ablation:
    """What all variants share."""

    pack: Pack
    recipe: Recipe
    reports: tuple[LabelledReport, ...]
    read: ReadReports
    work: Path
    log: RunLog

    def backbones(self) -> None:
        """Teach the starter's backbone on the silver labels of each fold that has none yet."""
        corpus = self.read.silver_corpus(self.recipe.folds)
        workshop = Workshop(corpus, self.pack, self.recipe, self.work, self.log, None)
        for fold in range(self.recipe.folds):
            if not (self.backbone_of(fold) / TOKENIZER_FILE).is_file():
                _in_own_process(partial(self._backbone, workshop, corpus.without(fold), fold), f"backbone {fold}")

    def _backbone(self, workshop: Workshop, corpus: Corpus, fold: int) -> None:
        name = f"backbone {fold}"
        backbone = workshop.backbone(corpus, name)
        workshop.taught(backbone, corpus.rows, name)
        folder = self.backbone_of(fold)
        save_backbone(folder, backbone_config(backbone), backbone_weights(backbone), "float32")
        workshop.tokenizer.save(folder / TOKENIZER_FILE)
        workshop.forget(name)

    def backbone_of(self, fold: int) -> Path:
        """Where a fold's backbone lies, by what decided it."""
        return self.work / f"backbone-{fold}-{self._digest()[:12]}"

    def outcome(self, variant: Variant) -> Outcome | None:
        """What the variant came to, if it ran with the same reports, pack and recipe."""
        path = self._path(variant)
        kept = Outcome.model_validate_json(path.read_bytes()) if path.is_file() else None
        return kept if kept and kept.digest == self._digest_of(variant) else None

    def run(self, variant: Variant) -> None:
        """Cross-validate one variant and keep its outcome."""
        begun = time.process_time()
        parameters = 0
        if variant.system == "naive":
            answers: list[Answers] = [read_naively(report.text) for report in self.reports]
        elif variant.system == "rules":
            read = {row.patient: row.rules for row in self.read.starter}
            answers = [read.get(report.patient, {}) for report in self.reports]
        else:
            by_patient, parameters = self._trained(variant)
            answers = [by_patient.get(report.patient, {}) for report in self.reports]
        outcome = Outcome(
            variant=variant.name,
            digest=self._digest_of(variant),
            score=self._score(variant, answers),
            parameters=parameters,
            seconds=round(time.process_time() - begun, 1),
            megabytes=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        )
        self._path(variant).write_bytes(orjson.dumps(outcome.model_dump(mode="json"), option=orjson.OPT_INDENT_2))

    def _score(self, variant: Variant, answers: Sequence[Answers]) -> SystemScore:
        tasks = self.pack.definition.tasks
        averaged = [task.key for task in tasks if task.key not in NOT_AVERAGED]
        return score_system(variant.name, self.reports, answers, tasks, mean_over=averaged)

    def _trained(self, variant: Variant) -> tuple[Mapping[str, Answers], int]:
        """Each report's answers by classifiers that saw nothing of its hospital, and how many parameters they train."""
        tasks = [task.key for task in self.pack.definition.tasks]
        groups = [[task] for task in tasks] if variant.single_task else [tasks]
        answers: dict[str, dict[str, str | None]] = {}
        parameters = 0
        for group in groups:
            for fold in range(self.recipe.folds):
                trained = self._fold(variant, group, fold, answers)
                parameters += trained if fold == 0 else 0
        return answers, parameters

    def _fold(
        self, variant: Variant, tasks: Sequence[str], fold: int, answers: dict[str, dict[str, str | None]]
    ) -> int:
        """Train without the fold's hospitals, and add the answers for their reports; how many parameters it trains."""
        corpus = self.read.corpus(variant, self.recipe.folds, tasks)
        if not corpus.without(fold).judged:  # nothing to learn the task from, so it has no answer
            return 0
        work = self.work / variant.name
        pack, recipe = about_pack(self.pack, tasks), variant.recipe(self.recipe)
        workshop = Workshop(corpus, pack, recipe, work, self.log, self.backbone_of(fold))
        name = f"{variant.name}, {'+'.join(tasks)}, fold {fold}"
        classifier = workshop.classifier(corpus.without(fold), name)
        held_out = [corpus.judged[index] for index in corpus.held_out(fold)]
        for row, found in zip(held_out, predict(classifier, workshop.encode(held_out)), strict=True):
            for task in row.prompt.classes:
                stated, logits = found[task]
                value = workshop.label_set[task][max(range(len(logits)), key=logits.__getitem__)]
                said = stated_probability(stated) >= STATED
                answers.setdefault(row.patient, {})[task] = value if said else None
        workshop.forget(name)
        return classifier.trainable_parameters()

    def _path(self, variant: Variant) -> Path:
        return self.work / f"{variant.name}.json"

    def _digest_of(self, variant: Variant) -> str:
        """What decides an outcome besides the code: input, shared recipe, the variant and its own recipe."""
        return self._digest(str(variant), variant.recipe(self.recipe).model_dump_json())

    def _digest(self, *more: str) -> str:
        return digest_of([self.read.digest, self.recipe.model_dump_json(), *more])


def ablate(
    sources: Sources, out: Path, pack: Pack, only: Sequence[str], quick: bool, progress: Progress
) -> list[tuple[Variant, Outcome]]:
    """Run the variants that have no outcome yet; SYN-733 for a name that is none. Gives all outcomes there are."""
    unknown = set(only) - {variant.name for variant in VARIANTS}
    if unknown:
        raise SynopticError(Code.UNKNOWN_VARIANT, ", ".join(sorted(unknown)))
    make_deterministic()
    work = out / "work"
    work.mkdir(parents=True, exist_ok=True)
    log = RunLog(work / "log.jsonl", progress)
    reports = load_gold_reports(sources.texts, sources.gold, pack.definition)
    recipe = QUICK if quick else ABLATION
    ablation = Ablation(pack, recipe, reports, read_once(sources, pack, recipe, work, log), work, log)
    waiting = [one for one in VARIANTS if (not only or one.name in only) and ablation.outcome(one) is None]
    if any(variant.system == "trained" for variant in waiting):
        ablation.backbones()
    for variant in waiting:
        _in_own_process(partial(ablation.run, variant), variant.name)
        log.write(variant.name, finished=True)
    found = [(variant, ablation.outcome(variant)) for variant in VARIANTS]
    return [(variant, outcome) for variant, outcome in found if outcome is not None]


def _in_own_process(work: Callable[[], None], name: str) -> None:
    """Run something beside this process and wait for it; SYN-704 where it fails."""
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    if child.exitcode:
        raise SynopticError(Code.TRAINING_FAILED, name)
