"""A corpus of made-up reports on which whole trainings run in seconds."""

from pathlib import Path

import orjson
import pytest

RECEPTORS = {"A": "positive", "B": "negative", "C": "positive", "D": "negative"}


def _text(number: int, hospital: str) -> str:
    category, nodes = f"pT{1 + number % 3}", f"pN{number % 3}"
    receptors = f"Estrogen receptor: {RECEPTORS[hospital]}. " if number % 2 else ""
    return (
        f"FINAL DIAGNOSIS: Left breast, mastectomy: invasive ductal carcinoma, Nottingham grade {1 + number % 3}. "
        f"Pathologic stage: {category} {nodes} MX. {receptors}GROSS DESCRIPTION: The specimen is labelled left breast."
    )


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Sixteen made-up reports of four hospitals, twelve of them annotated and four with registry values."""
    folder = tmp_path_factory.mktemp("corpus")
    texts, gold = [], []
    for number in range(16):
        hospital = "ABCD"[number % 4]
        row = {"patient": f"made-up-{number}", "site": hospital, "text": _text(number, hospital)}
        category, nodes = f"T{1 + number % 3}", f"N{number % 3}"
        if number < 12:
            receptor = RECEPTORS[hospital] if number % 2 else "not_stated"
            values = {"T": category, "N": nodes, "grade": f"G{1 + number % 3}", "ER": receptor}
            gold.append(
                {
                    "patient": row["patient"],
                    "site": hospital,
                    "values": {task: {"v": value, "basis": "stated"} for task, value in values.items()},
                }
            )
        else:
            row |= {"registry": {"T": category, "N": nodes}, "tier": {"T": "verified", "N": "verified"}}
        texts.append(row)
    paths = folder / "texts.jsonl", folder / "gold.jsonl"
    for path, rows in zip(paths, (texts, gold), strict=True):
        path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    return paths
