"""`synoptic extract` on bad input: one numbered line each, the documented exit codes, and the good ones answered."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from generated import amended, case, message, text
from poison import POISON, encrypted_pdf, with_attachment

pytestmark = pytest.mark.model

PROGRAM = Path(sys.executable).with_name("synoptic")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "source"
HUGE = 200 * 1024 * 1024
ATTACHMENT_LIMIT = 20_000
NOT_CANCER = {
    "benign-core.txt": "Breast, right, core biopsy: fibroadenoma. No atypia or malignancy identified.",
    "reduction.txt": "Bilateral breasts, reduction mammoplasty: benign breast tissue with fibrocystic change. Negative for carcinoma.",
    "atypia.txt": "Left breast, excision: atypical ductal hyperplasia. No evidence of in situ or invasive carcinoma.",
    "history.txt": "Left breast, re-excision. History of invasive ductal carcinoma, pT2 in 2015. Scar, no tumor seen.",
    "node.txt": "Right axillary lymph node, excision: reactive follicular hyperplasia. Breast cancer screening negative.",
}


@dataclass(frozen=True)
class Ended:
    """How the program ended: exit code, answers by source, and what it said on standard error."""

    code: int
    lines: dict[str, dict[str, Any]]
    stderr: str

    def error(self, name: str) -> str:
        """The number of a source's error."""
        assert self.lines[name]["outcome"] == "rejected"
        assert self.lines[name]["primaries"] == []
        message = self.lines[name]["error"]["message"]
        assert len(message.splitlines()) == 1
        return str(self.lines[name]["error"]["code"])


def extract(*paths: Path, **settings: str) -> Ended:
    """Run the program on the paths."""
    process = subprocess.Popen(
        [PROGRAM, "extract", *paths],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {f"SYNOPTIC_{name}": value for name, value in settings.items()},
    )
    stdout, stderr = process.communicate()
    assert "Traceback" not in stdout + stderr
    answers = [json.loads(line) for line in stdout.splitlines()]
    lines = {answer["source"]: answer for answer in answers}
    assert len(lines) == len(answers)
    return Ended(process.returncode, lines, stderr)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, dict[str, str]]:
    """One call over every bad file, with a good one first, in the middle and last; the expected number of each."""
    folder = tmp_path_factory.mktemp("bad")
    expected = {}
    for number, (name, (content, code)) in enumerate(POISON.items()):
        path = folder / f"poison-{number:02d}.json"
        path.write_bytes(content)
        expected[path.name] = code
        assert name
    plain = {
        "word.docx": (b"PK\x03\x04", "SYN-115"),
        "no-suffix": (b"Left breast", "SYN-115"),
        "empty.txt": (b" \n", "SYN-110"),
        "binary.txt": (b"\x89PNG\r\n\x1a\n\x00\x00", "SYN-116"),
        "locked.pdf": (encrypted_pdf(), "SYN-118"),
        "cut.pdf": (b"%PDF-1.7\n1 0 obj << truncated", "SYN-119"),
        "cut.png": (b"\x89PNG\r\n\x1a\n\x00\x00", "SYN-122"),
        "recipe.txt": (b"Take two eggs and a pound of flour.", "SYN-130"),
    }
    for name, (content, code) in plain.items():
        (folder / name).write_bytes(content)
        expected[name] = code
    expected["missing.txt"] = "SYN-125"
    for name in ("a-good.txt", "good.txt", "z-good.txt"):
        (folder / name).write_text(text(case(7)))
    lines = [message(case(8)), b"not json", b"", with_attachment(b"x", "application/x-unknown"), message(case(9))]
    (folder / "many.ndjson").write_bytes(b"\n".join(lines))
    expected |= {"many.ndjson#2": "SYN-101", "many.ndjson#4": "SYN-115"}
    paths = sorted({*folder.iterdir(), folder / "missing.txt"})
    return extract(*paths, INTAKE__MAXIMUM_ATTACHMENT_BYTES=str(ATTACHMENT_LIMIT)), expected


def test_each_bad_file_is_one_numbered_line(bad: tuple[Ended, dict[str, str]]) -> None:
    """Every fault has its own number, no fault ends the program, and the exit code says that some were rejected."""
    ended, expected = bad
    assert {name: ended.error(name) for name in expected} == expected
    assert ended.code == 1


def test_good_files_among_bad_ones_are_answered(bad: tuple[Ended, dict[str, str]]) -> None:
    """Wherever it stands, a good report is extracted as if it were alone."""
    ended, expected = bad
    good = {name: line for name, line in ended.lines.items() if name not in expected}
    assert set(good) == {"a-good.txt", "good.txt", "z-good.txt", "many.ndjson#1", "many.ndjson#5"}
    for line in good.values():
        (primary,) = line["primaries"]
        assert (line["outcome"], line["error"]) == ("extracted", None)
        assert primary["findings"]["T"]["evidence"]
    assert good["a-good.txt"]["primaries"] == good["z-good.txt"]["primaries"]


def test_no_words_of_a_bad_file_are_repeated(bad: tuple[Ended, dict[str, str]]) -> None:
    """Error lines quote neither a report nor a recipe, and standard error holds no report either."""
    ended, expected = bad
    said = json.dumps([ended.lines[name]["error"] for name in expected]) + ended.stderr
    assert not re.search(r"eggs|flour|prostate|gleason|yesterday", said, re.IGNORECASE)


def test_huge_files_are_refused_unread(tmp_path: Path) -> None:
    """Two hundred megabytes of base64, and of plain text, are refused by their size: no reading, no model, no memory."""
    with (tmp_path / "huge.json").open("wb") as file:
        file.write(message(case(1))[:-4])
        file.truncate(HUGE)
    with (tmp_path / "huge.pdf").open("wb") as file:
        file.write(b"%PDF-1.7\n")
        file.truncate(HUGE)
    with (tmp_path / "huge.ndjson").open("wb") as file:
        file.write(b'{"resourceType": "DiagnosticReport", "data": "')
        file.write(b"QUFB" * (40 * 1024 * 1024 // 4) + b'"}\n' + message(amended(case(2), status="registered")))
    ended = extract(tmp_path / "huge.json", tmp_path / "huge.pdf", tmp_path / "huge.ndjson")
    assert [ended.error(name) for name in ("huge.json", "huge.pdf", "huge.ndjson#1")] == ["SYN-103"] * 3
    assert ended.lines["huge.ndjson#2"]["outcome"] == "ignored"
    assert ended.code == 1


def test_not_cancer_gives_no_primary(tmp_path: Path) -> None:
    """Benign tissue, atypia, a history and a node without tumour: an answer each, without any primary, exit code 0."""
    for name, content in NOT_CANCER.items():
        (tmp_path / name).write_text(content)
    ended = extract(tmp_path, EXAMPLES / "09-benign.txt")
    assert set(ended.lines) == {*NOT_CANCER, "09-benign.txt"}
    assert {name: line["primaries"] for name, line in ended.lines.items()} == {key: [] for key in ended.lines}
    assert ended.code == 0


def test_another_organ_is_named_as_unroutable() -> None:
    """The example of another organ is rejected by its number, without a primary."""
    ended = extract(EXAMPLES / "14-other-organ.txt")
    assert ended.error("14-other-organ.txt") == "SYN-130"
    assert ended.code == 1


@pytest.mark.parametrize(
    ("files", "code"), [(("pytorch_model.bin",), "SYN-302"), ((), "SYN-301")], ids=["a pickle", "nothing"]
)
def test_an_unsafe_or_missing_model_is_fatal(tmp_path: Path, files: tuple[str, ...], code: str) -> None:
    """A folder with a pickle is refused before anything is unpickled; an empty one says how to get a model."""
    folder, mark = tmp_path / "model", tmp_path / "unpickled"
    folder.mkdir()
    for name in files:
        (folder / name).write_bytes(f"cposix\nsystem\n(S'touch {mark}'\ntR.".encode())
    (tmp_path / "one.txt").write_text(text(case(3)))
    ended = extract(tmp_path / "one.txt", MODEL__PATH=str(folder))
    assert (ended.code, ended.lines) == (2, {})
    (line,) = [line for line in ended.stderr.splitlines() if "SYN-" in line]
    assert line.startswith(code)
    assert not mark.exists()


def test_wrong_use_is_told_in_one_line(tmp_path: Path) -> None:
    """An empty folder is wrong use: a number, what to do, exit code 2; so is a setting that does not exist."""
    ended = extract(tmp_path)
    assert (ended.code, ended.lines) == (2, {})
    assert ended.stderr.startswith("SYN-751")
    assert len(ended.stderr.splitlines()) == 1
    (tmp_path / "one.txt").write_text("Left breast")
    ended = extract(tmp_path / "one.txt", MODEL__DEVICE_="cpu")
    assert (ended.code, ended.stderr.split()[0]) == (2, "SYN-601")
