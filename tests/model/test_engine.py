"""The engine: order, batches, calibration and refusals."""

import dataclasses
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.calibration import Calibration, TaskCalibration
from model.checkpoint import load_checkpoint, save_checkpoint
from model.classifier import Classifier
from model.engine import Engine, Prediction, load_engine, plan_batches
from model.kinds import AdapterKind
from model.prompt import PromptInput
from model.tokenizer import SequenceTokenizer
from schemas.errors import Code, SynopticError
from schemas.pack import PackDefinition
from schemas.settings import ModelSettings

pytestmark = pytest.mark.model

Make = Callable[[AdapterKind], Classifier]


@pytest.fixture
def checkpoint(tmp_path: Path, make_classifier: Make, tokenizer: SequenceTokenizer, pack: PackDefinition) -> Path:
    """A saved LoRA checkpoint of the per-report pack."""
    save_checkpoint(tmp_path / "saved", make_classifier("lora"), tokenizer, pack=pack, prompt_version="tokens-1")
    return tmp_path / "saved"


@pytest.fixture
def engine(checkpoint: Path) -> Engine:
    """The engine on that checkpoint, merged."""
    return load_engine(ModelSettings(path=str(checkpoint)))


def assert_near(left: list[dict[str, Prediction]], right: list[dict[str, Prediction]], tolerance: float) -> None:
    """Equal tasks and classes, probabilities within the tolerance."""
    assert [answer.keys() for answer in left] == [answer.keys() for answer in right]
    for one, other in zip(left, right, strict=True):
        for task, prediction in one.items():
            assert prediction.stated == pytest.approx(other[task].stated, abs=tolerance)
            assert prediction.probabilities == pytest.approx(other[task].probabilities, abs=tolerance)


def test_batched_answers_equal_single_ones_in_the_same_order(engine: Engine, prompts: list[PromptInput]) -> None:
    """Prompts of every length, the empty and the over-long report included, answer as if asked alone."""
    together = engine.classify(prompts)
    alone = [engine.classify([prompt])[0] for prompt in prompts]
    assert_near(together, alone, 1e-5)
    assert_near(engine.classify(prompts[::-1]), together[::-1], 1e-5)
    assert len({round(answer["T"].probabilities["T1"], 4) for answer in together}) == len(prompts)


def test_a_merged_engine_answers_as_an_unmerged_one(
    engine: Engine, checkpoint: Path, prompts: list[PromptInput]
) -> None:
    """Folding the adapter in changes no probability by more than 1e-4."""
    unmerged = Engine(load_checkpoint(checkpoint), token_budget=2048)
    assert_near(engine.classify(prompts), unmerged.classify(prompts), 1e-4)


@pytest.mark.parametrize("dtype", ["bfloat16", "nf4"])
def test_every_precision_answers(checkpoint: Path, prompts: list[PromptInput], dtype: str) -> None:
    """bf16 and NF4 answer every prompt with probabilities that sum to one."""
    for answer in load_engine(ModelSettings(path=str(checkpoint), dtype=dtype)).classify(prompts):
        assert all(sum(prediction.probabilities.values()) == pytest.approx(1) for prediction in answer.values())
        assert all(0 <= prediction.stated <= 1 for prediction in answer.values())


def test_no_prompts_no_answers(engine: Engine) -> None:
    """An empty batch is an empty answer."""
    assert engine.classify([]) == []


def test_calibration_is_applied(
    tmp_path: Path,
    engine: Engine,
    make_classifier: Make,
    tokenizer: SequenceTokenizer,
    pack: PackDefinition,
    prompts: list[PromptInput],
) -> None:
    """A temperature per task flattens that task's probabilities and leaves the others alone."""
    plain = engine.classify(prompts[:1])[0]
    flatter = Calibration(tasks={"T": TaskCalibration(temperature=4.0, stated_temperature=2.0)})
    save_checkpoint(
        tmp_path, make_classifier("lora"), tokenizer, pack=pack, prompt_version="tokens-1", calibration=flatter
    )
    calibrated = load_engine(ModelSettings(path=str(tmp_path))).classify(prompts[:1])[0]
    assert max(calibrated["T"].probabilities.values()) < max(plain["T"].probabilities.values())
    assert abs(calibrated["T"].stated - 0.5) < abs(plain["T"].stated - 0.5)
    assert calibrated["ER"] == plain["ER"]


def test_per_task_prompts_answer_their_own_task(
    tmp_path: Path,
    make_classifier: Make,
    tokenizer: SequenceTokenizer,
    pack: PackDefinition,
    prompts: list[PromptInput],
) -> None:
    """Under per_task one sequence asks one task, and Field `all` is refused."""
    per_task = pack.model_copy(update={"granularity": "per_task"})
    save_checkpoint(tmp_path, make_classifier("lora"), tokenizer, pack=per_task, prompt_version="text-1")
    engine = load_engine(ModelSettings(path=str(tmp_path)))
    asked = dataclasses.replace(prompts[0], field="ER", classes={"ER": prompts[0].classes["ER"]})
    assert [answer.keys() for answer in engine.classify([asked])] == [{"ER"}]
    with pytest.raises(SynopticError) as caught:
        engine.classify(prompts[:1])
    assert caught.value.code is Code.PROMPT_MISMATCH


@pytest.mark.parametrize(
    "change",
    [{"field": "T"}, {"field": "unknown"}, {"classes": {"T": ("T1",)}}, {"classes": {"T": ("T4", "T3", "T2", "T1")}}],
)
def test_a_prompt_of_another_label_set_is_refused(
    engine: Engine, prompts: list[PromptInput], change: dict[str, object]
) -> None:
    """Other classes, or a Field that the granularity does not know, are SYN-307."""
    with pytest.raises(SynopticError) as caught:
        engine.classify([dataclasses.replace(prompts[0], **change)])
    assert caught.value.code is Code.PROMPT_MISMATCH


def test_loading_writes_nothing_but_its_log_line(checkpoint: Path) -> None:
    """A fresh process that loads and answers keeps standard error empty: no bars, no libraries' warnings."""
    program = "import sys; from model.engine import load_engine; from schemas.settings import ModelSettings; "
    program += "load_engine(ModelSettings(path=sys.argv[1])).classify([])"
    ended = subprocess.run([sys.executable, "-c", program, str(checkpoint)], capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    assert len(ended.stdout.splitlines()) == 1


def test_threads_may_share_an_engine(engine: Engine, prompts: list[PromptInput]) -> None:
    """Four threads that ask at once get what one would."""
    expected = engine.classify(prompts)
    answers: list[list[dict[str, Prediction]]] = []
    threads = [threading.Thread(target=lambda: answers.append(engine.classify(prompts))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected] * 4


def test_a_prediction_does_not_repeat_its_report(engine: Engine, prompts: list[PromptInput]) -> None:
    """Neither prompts nor refusals show the report's text."""
    assert "carcinoma" not in repr(prompts[0])
    with pytest.raises(SynopticError) as caught:
        engine.classify([dataclasses.replace(prompts[0], field="T")])
    assert "carcinoma" not in str(caught.value)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 512), max_size=60), st.integers(1, 4096))
def test_batches_hold_every_row_once_within_the_budget(lengths: list[int], budget: int) -> None:
    """Each row is in one batch, and no batch of several rows exceeds the padded-token budget."""
    batches = plan_batches(lengths, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= budget
