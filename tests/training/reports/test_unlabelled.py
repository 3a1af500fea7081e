"""Behaviour of unlabelled text: which files are read, what is removed, how it is cut."""

from pathlib import Path

import orjson
import pytest

from model.tokenizer import train_tokenizer
from schemas.errors import Code, SynopticError
from training.dataset.corpus import Corpus
from training.reports.unlabelled import UnlabelledText, read_unlabelled, windows

pytestmark = pytest.mark.model


def test_plain_files_and_json_lines_are_read_without_identifiers(tmp_path: Path) -> None:
    """Either form gives its text and the hospital where it is said; a telephone number does not stay."""
    plain, lines = tmp_path / "one.txt", tmp_path / "many.jsonl"
    plain.write_text("Invasive carcinoma. Phone: (555) 123-4567")
    lines.write_bytes(orjson.dumps({"text": "Benign.", "site": "A"}) + b"\n" + orjson.dumps({"text": "Margins clear."}))
    first, second, third = read_unlabelled([plain, lines])
    assert "123-4567" not in first.text
    assert "Invasive carcinoma" in first.text
    assert (second.hospital, second.text, third.hospital) == ("A", "Benign.", "")


@pytest.mark.parametrize("content", ["no JSON", '{"title": "no text"}', "[]"])
def test_a_bad_line_is_named(tmp_path: Path, content: str) -> None:
    """SYN-732 says which line; it never repeats it."""
    path = tmp_path / "texts.jsonl"
    path.write_text(content)
    with pytest.raises(SynopticError) as caught:
        read_unlabelled([path])
    assert caught.value.code is Code.BAD_UNLABELLED_FILE
    assert "line 1" in str(caught.value)
    assert content not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is SYN-732."""
    with pytest.raises(SynopticError) as caught:
        read_unlabelled([tmp_path / "absent.txt"])
    assert caught.value.code is Code.BAD_UNLABELLED_FILE


def test_windows_cover_the_text_and_keep_the_limit() -> None:
    """Every token is in one window but for a short rest; each window opens as a prompt does."""
    tokenizer = train_tokenizer(["invasive ductal carcinoma of the breast"], [], 300)
    text = "invasive ductal carcinoma of the breast " * 20
    found = list(windows(text, tokenizer, 32))
    assert all(window[0] == tokenizer.begin and len(window) <= 32 for window in found)
    joined = [token for window in found for token in window[1:]]
    assert joined == tokenizer.encode(text)[: len(joined)]
    assert len(tokenizer.encode(text)) - len(joined) < 8


def test_a_fold_sees_no_unlabelled_text_of_its_hospitals() -> None:
    """Text of a held-out hospital is left out as its rows are; text of an unknown one stays."""
    texts = tuple(UnlabelledText(hospital, "text") for hospital in ("A", "B", ""))
    corpus = Corpus((), (), {"A": 0, "B": 1}, {}, "digest", texts)
    assert [text.hospital for text in corpus.without(0).unlabelled] == ["B", ""]
