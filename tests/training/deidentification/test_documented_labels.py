"""docs/privacy.md says of every label of every set which class it counts as."""

from pathlib import Path

import pytest

from training.deidentification.safe_harbor import SafeHarbor
from training.deidentification.set_labels import GRASCCO, PRESIDIO, PYDEID, RATSCHLAB

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "privacy.md").read_text(encoding="utf-8")
COLUMNS = {2: PRESIDIO, 3: GRASCCO, 4: RATSCHLAB, 5: PYDEID}


def _rows() -> list[list[str]]:
    """The cells of the table of classes, apart from its head."""
    table = PAGE[PAGE.index("| class (paragraph, tag)") :].split("\n\n")[0]
    return [[cell.strip() for cell in row.split("|")] for row in table.splitlines()[2:]]


@pytest.mark.parametrize("column", COLUMNS)
def test_each_label_stands_in_the_row_of_its_class(column: int) -> None:
    """A label's cell is in a row that names its class, or in the row of what is apart."""
    placed = {
        label.strip(): row[1] for row in _rows() if "by their value" not in row[1] for label in row[column].split(",")
    }
    for label, harbor in COLUMNS[column].items():
        assert (harbor.title if harbor else "**apart**") in placed[label]


def test_classes_without_a_public_set_are_named() -> None:
    """Every class is either in the table or among those that only the planted set has."""
    rows = " ".join(row[1] for row in _rows())
    only_planted = next(
        line for line in PAGE.splitlines() if "is in no public set" in line or "are in no public set" in line
    )
    for harbor in SafeHarbor:
        assert harbor.title in rows or harbor.title in only_planted.lower()
