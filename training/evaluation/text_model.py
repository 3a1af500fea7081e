"""A second opinion that shares nothing with the labelling rules but the report: word n-grams and a linear model.

It is too weak to code from, but it errs elsewhere than rules and classifier, which read the same facts. Asked about the
rules' answer, it flags those that the wording around the task's anchors makes unlikely. Run it as

    python -m training.evaluation.text_model --texts texts.jsonl --gold gold.jsonl

for out-of-fold figures over hospitals: how many of the rules' errors it flags, and how many right answers with them;
with `--unseen-texts` and `--unseen-gold` it learns from all of the first and judges the second.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from schemas.pack import Task
from schemas.pack_loader import Pack, load_pack
from training.dataset.rows import hospital_folds, read_labelled, rule_value
from training.measures.score_tables import Rows, figure, markdown_tables
from training.reports.gold import LabelledReport, load_gold_reports
from training.reports.names import listed
from workers.reading.slicing import slice_report

FOLDS = 5
LINES, CHARACTERS = 1, 1200
"""The lines around each anchor, and how many characters of them are read at most."""
NOTHING = "no value"
THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.3)
"""An answer is flagged where the text model finds it less probable than this."""
SEED = 42
Split = tuple[Sequence[int], Sequence[int]]
"""The positions of the reports to learn from, and of those to judge."""
# Numbers, categories and signs carry the value here, so they are words too.
_WORD = r"(?u)\w+|[%+/<>=-]"


@dataclass(frozen=True)
class Opinion:
    """One report and task: whether the rules' answer is right, whether it is a value, and the text model's view of it."""

    task: str
    hospital: str
    answered: bool
    right: bool
    probability: float


def hospital_splits(reports: Sequence[LabelledReport], folds: int = FOLDS) -> list[Split]:
    """The reports in folds over hospitals: each is judged by a model that saw no report of its hospital."""
    assigned = hospital_folds([report.hospital for report in reports], folds)
    parts = [assigned[report.hospital] for report in reports]
    return [
        (
            [place for place, part in enumerate(parts) if part != fold],
            [place for place, part in enumerate(parts) if part == fold],
        )
        for fold in range(folds)
    ]


def opinions(reports: Sequence[LabelledReport], pack: Pack, splits: Sequence[Split]) -> list[Opinion]:
    """The text model's view of the rules' answers in each split's second part, learned from its first."""
    read = [read_labelled(report, pack) for report in reports]
    texts = [one.clean.text for one in read]
    found = []
    for task in pack.definition.tasks:
        answers = [(rule_value(one.primary.labels.get(task.key)) if one.primary else None) or NOTHING for one in read]
        excerpts, labels = task_texts(texts, task), gold_labels(reports, task)
        for parts in splits:
            learned, judged = ([place for place in part if task.key in reports[place].gold] for part in parts)
            judge = fit([excerpts[place] for place in learned], [labels[place] for place in learned])
            likely = judge([excerpts[place] for place in judged], [answers[place] for place in judged])
            for place, probability in zip(judged, likely, strict=True):
                right, hospital = answers[place] == labels[place], reports[place].hospital
                found.append(Opinion(task.key, hospital, answers[place] != NOTHING, right, float(probability)))
    return found


def task_texts(texts: Sequence[str], task: Task) -> list[str]:
    """The lines of each text around the task's anchors."""
    return [slice_report(text, [(0, len(text))], task.anchors, LINES, CHARACTERS) for text in texts]


def gold_labels(reports: Sequence[LabelledReport], task: Task) -> list[str]:
    """The gold's class, or that there is none."""
    known = (report.gold.get(task.key) for report in reports)
    return [(value.stated(task.classes) if value else None) or NOTHING for value in known]


def fit(texts: Sequence[str], labels: Sequence[str]) -> Callable[[Sequence[str], Sequence[str]], NDArray[np.float64]]:
    """Learn from labelled texts; the result says how probable an answer is for a text, 0 for an unknown class."""
    if len(set(labels)) < 2:
        return lambda unseen, answers: np.array([float(answer in labels) for answer in answers])
    model = _new_model().fit(texts, labels)
    column = {label: place for place, label in enumerate(model.classes_)}

    def judge(unseen: Sequence[str], answers: Sequence[str]) -> NDArray[np.float64]:
        if not unseen:
            return np.zeros(0)
        probabilities = model.predict_proba(unseen)
        return np.array(
            [
                row[column[answer]] if answer in column else 0.0
                for row, answer in zip(probabilities, answers, strict=True)
            ]
        )

    return judge


def _new_model() -> Any:
    """TF-IDF of one to three words, and a logistic regression in which rare classes weigh as much as common ones."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(
        TfidfVectorizer(token_pattern=_WORD, ngram_range=(1, 3), min_df=2, sublinear_tf=True),
        LogisticRegression(C=10, class_weight="balanced", max_iter=1000, random_state=SEED),
    )


def flag_rows(found: Sequence[Opinion]) -> Rows:
    """One row a threshold: flagged errors and flagged right answers, among coded values and among what was left out."""
    header = ["flagged below", "wrong values", "right values", "missed values", "rightly nothing"]
    rows = [header]
    for threshold in THRESHOLDS:
        counts = [
            _flagged([one for one in found if (one.answered, one.right) == kind], threshold)
            for kind in ((True, False), (True, True), (False, False), (False, True))
        ]
        rows.append([f"{threshold:g}", *counts])
    return rows


def _flagged(found: Sequence[Opinion], threshold: float) -> str:
    flagged = sum(one.probability < threshold for one in found)
    return f"{flagged} of {len(found)} ({figure(flagged / len(found))})" if found else "0 of 0"


def tables(found: Sequence[Opinion], held_back: Iterable[str]) -> dict[str, Rows]:
    """The figures over all reports, over the held-back hospitals and the others, and task by task."""
    apart = set(held_back)
    groups = {
        "All reports": list(found),
        "Held-back hospitals": [one for one in found if one.hospital in apart],
        "Other hospitals": [one for one in found if apart and one.hospital not in apart],
    }
    groups |= {task: [one for one in found if one.task == task] for task in dict.fromkeys(one.task for one in found)}
    return {title: flag_rows(group) for title, group in groups.items() if group}


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    texts: Annotated[list[Path], typer.Option(help="report texts, JSON lines; repeatable")],
    gold: Annotated[list[Path], typer.Option(help="annotations or benchmark rows; repeatable")],
    unseen_texts: Annotated[list[Path] | None, typer.Option(help="texts of reports to judge; repeatable")] = None,
    unseen_gold: Annotated[list[Path] | None, typer.Option(help="their annotations; repeatable")] = None,
    held_back: Annotated[list[str] | None, typer.Option(help="hospitals to report apart, such as EW,OL")] = None,
    pack: Annotated[str, typer.Option(help="the pack whose rules are judged")] = "breast",
) -> None:
    """Print how many of the labelling rules' errors an independent text model flags, and what else it flags."""
    loaded = load_pack(pack)
    reports = load_gold_reports(texts, gold, loaded.definition)
    splits = hospital_splits(reports)
    if unseen_texts and unseen_gold:
        unseen = load_gold_reports(unseen_texts, unseen_gold, loaded.definition)
        splits = [(range(len(reports)), range(len(reports), len(reports) + len(unseen)))]
        reports += unseen
    found = opinions(reports, loaded, splits)
    typer.echo(markdown_tables(tables(found, listed(held_back))))


if __name__ == "__main__":
    app()
