"""Behaviour of a whole training that is killed: the same command goes on, to the same bytes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.pack_loader import load_pack
from training.dataset.corpus import Sources
from training.recipe import TOY, Passes
from training.trainer.pipeline import train

pytestmark = pytest.mark.model

RECIPE = TOY.model_copy(
    update={"backbone": Passes(epochs=2, learning_rate=2e-3, averaging=0.9), "variants_per_class": 0, "processes": 1}
)


class KilledError(Exception):
    """Stands for the end of the process."""


def _train(corpus: tuple[Path, Path], out: Path, progress: Callable[[str], None]) -> dict[str, bytes]:
    """The files of the checkpoint."""
    train(Sources(*corpus, lambda text: True), out, load_pack("breast"), RECIPE, progress)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_killed_training_ends_with_the_bytes_of_one_that_was_not(corpus: tuple[Path, Path], tmp_path: Path) -> None:
    """Killed in a fold's first phase, then in the final one's second epoch: the third run makes the same checkpoint."""
    for last in ("fold 1, language, seed 42, epoch 0", "final, backbone, seed 42, epoch 0"):

        def killed(line: str, last: str = last) -> None:
            if line.startswith(last):
                raise KilledError

        with pytest.raises(KilledError):
            _train(corpus, tmp_path / "killed", killed)
    lines: list[str] = []
    resumed = _train(corpus, tmp_path / "killed", lines.append)
    assert not [line for line in lines if line.startswith(("fold 0", "fold 1, language", "final, language"))]
    assert resumed == _train(corpus, tmp_path / "whole", lambda line: None)
    assert not list((tmp_path / "killed.work").glob("states of *"))
    assert (tmp_path / "killed.work" / "training-curve-backbone.png").is_file()
    assert (tmp_path / "killed.work" / "confusion-T.png").is_file()
    assert (tmp_path / "killed.work" / "reliability.png").is_file()
