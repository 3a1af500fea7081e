"""The whole way from raw reports to a calibrated checkpoint: read, vary, pre-train, adapt, cross-validate, calibrate.

Each epoch and each finished fold is kept in the work folder, so an interrupted run goes on where it stopped. A fold's
backbone and adapter never see a report of the hospitals that it predicts.
"""

import os
from pathlib import Path

import torch
from accelerate import Accelerator

from model.backbone import refer_to_backbone
from model.calibration import fit_calibration
from model.checkpoint import save_checkpoint
from schemas.errors import Code, SynopticError
from schemas.pack_loader import Pack
from training.dataset.corpus import Material, about_pack
from training.dataset.rows import GOLD
from training.evaluation.systems import evaluate
from training.measures.score_tables import markdown
from training.recipe import Recipe
from training.trainer.cross_validation import CrossValidation, calibration_rows, examined, row_scores
from training.trainer.loop import new_accelerator
from training.trainer.optimisation import pages
from training.trainer.run_figures import draw_run
from training.trainer.run_log import Progress, RunLog
from training.trainer.workshop import Workshop


def train(
    material: Material, out: Path, pack: Pack, recipe: Recipe, progress: Progress, base: Path | None = None
) -> Path:
    """Make a checkpoint in `out`, on the external backbone in `base` or on one of its own.

    The work folder beside it keeps the log, the out-of-fold predictions and the figures. SYN-731 where recipe and
    backbone do not fit.
    """
    _check(recipe, base)
    make_deterministic()
    accelerator = new_accelerator()
    work = out.with_name(out.name + ".work")
    work.mkdir(parents=True, exist_ok=True)
    log = _open_log(work, progress, accelerator)
    device = accelerator.device
    log.write("machine", device=device.type, devices=accelerator.num_processes, paged=pages(recipe.adapter, device))
    corpus = material.corpus(pack, recipe)
    log.write("rows", **corpus.counts)
    measured = about_pack(pack, recipe.tasks)
    workshop = Workshop(corpus, measured, recipe, work, log, base)
    predictions = CrossValidation(workshop, recipe, work, log).predictions(corpus)
    rows = calibration_rows(corpus.judged, predictions)
    calibration = fit_calibration(workshop.label_set, rows, pack.definition.target)
    if corpus.readings and corpus.best == GOLD:
        scores = evaluate(examined(corpus, predictions, calibration, measured), measured)
    else:
        scores = row_scores(corpus, predictions, calibration, measured.definition.tasks)
    log.write("final")
    classifier = workshop.classifier(corpus, "final")
    if accelerator.is_main_process:
        (work / "cross-validation.md").write_text(markdown(scores), encoding="utf-8")
        draw_run(work, log, workshop.label_set, rows, calibration)
        save_checkpoint(
            out,
            classifier,
            workshop.tokenizer,
            pack=pack.definition,
            prompt_version=recipe.prompt_version,
            backbone=refer_to_backbone(str(base)) if base else None,
            calibration=calibration,
            storage="float16",
        )
        workshop.forget("final")
        log.write("done", bytes=sum(path.stat().st_size for path in out.rglob("*") if path.is_file()))
    accelerator.wait_for_everyone()
    return work


def _open_log(work: Path, progress: Progress, accelerator: Accelerator) -> RunLog:
    """The run's log; of several processes each has its own, and only the first is shown."""
    if accelerator.is_main_process:
        return RunLog(work / "log.jsonl", progress)
    return RunLog(work / f"log-{accelerator.process_index}.jsonl", lambda line: None)


def make_deterministic() -> None:
    """One thread, which a small model is fastest with, and only algorithms that give the same bits each time."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def _check(recipe: Recipe, base: Path | None) -> None:
    """Refuse a recipe that would train an external backbone, or that has none to put its adapter on."""
    if base and recipe.trains_backbone:
        raise SynopticError(Code.RECIPE_AND_BACKBONE, "the recipe trains the backbone, and an external one stays as is")
    if not base and (not recipe.trains_backbone or recipe.precision != "float32"):
        raise SynopticError(Code.RECIPE_AND_BACKBONE, "the recipe trains an adapter only and no backbone is given")
