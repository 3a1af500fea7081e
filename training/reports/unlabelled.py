"""Unlabelled text for the language phase: any text files, without identifiers, cut into windows of tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model.tokenizer import SequenceTokenizer
from schemas.errors import Code, SynopticError
from training.reports.json_lines import each_line
from training.reports.texts import LINES
from workers.privacy.deidentify import deidentify

SHORTEST_WINDOW = 8
"""Tokens; what is left of a text at its end is not worth a row if it is shorter."""


@dataclass(frozen=True)
class UnlabelledText:
    """One text and the hospital it comes from, empty where that is not known."""

    hospital: str
    text: str = field(repr=False)


def read_unlabelled(paths: Sequence[Path]) -> tuple[UnlabelledText, ...]:
    """The texts of JSON-lines files (`text`, perhaps `site`) and of plain files, identifiers removed; SYN-732."""
    return tuple(text for path in paths for text in _texts(path))


def _texts(path: Path) -> Iterator[UnlabelledText]:
    if path.suffix.lower() in LINES:
        for line in each_line(path, Code.BAD_UNLABELLED_FILE):
            if not isinstance(line.row.get("text"), str):
                raise SynopticError(Code.BAD_UNLABELLED_FILE, f"{line.name}: no text")
            yield UnlabelledText(str(line.row.get("site", "")), _clean(line.row["text"]))
        return
    try:
        yield UnlabelledText("", _clean(path.read_text(encoding="utf-8", errors="replace")))
    except OSError as error:
        raise SynopticError(Code.BAD_UNLABELLED_FILE, f"{path.name}: {error.strerror}") from None


def _clean(text: str) -> str:
    return deidentify(text, ()).text


def windows(text: str, tokenizer: SequenceTokenizer, limit: int) -> Iterator[tuple[int, ...]]:
    """A text's tokens in order, at most `limit` at a time with the opening token."""
    tokens = tokenizer.encode(text)
    opening = () if tokenizer.begin is None else (tokenizer.begin,)
    size = limit - len(opening)
    for start in range(0, len(tokens), size):
        window = (*opening, *tokens[start : start + size])
        if start == 0 or len(window) >= SHORTEST_WINDOW:
            yield window
